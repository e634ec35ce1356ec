#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/nearest.h"

typedef struct Value {
    char *text;     /* owned; NULL: no value */
    int64_t number; /* of numbers, sizes and flags */
    bool given;     /* by the user */
} Value;

struct OptionSet {
    const OsvmOption *table;
    char *owner;
    size_t count;
    Value values[]; /* in the order of the table */
};

bool error_set(OsvmError *error, OsvmStatus status, const char *format, ...)
{
    if (!error)
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->status = status;
    return false;
}

/* Does the name go with one dash? One letter does, and -Wname as compilers have it. */
static bool is_short(const char *name)
{
    return !name[1] || name[0] == 'W';
}

/* Is a value needed? */
static bool takes_value(const OsvmOption *option)
{
    return option->kind != OSVM_FLAG && option->kind != OSVM_OPTIONAL_TEXT;
}

/* --- Reading values ------------------------------------------------------- */

/* The factor of K, M, G, T (optionally followed by `iB` or `B`), 0 if it is none. */
static int64_t unit_factor(const char *text)
{
    static const char units[] = "KMGT";
    if (!*text)
        return 1;
    const char *unit = strchr(units, toupper((unsigned char)*text));
    if (!unit || (text[1] && strcmp(text + 1, "B") != 0 && strcmp(text + 1, "iB") != 0))
        return 0;
    return (int64_t)1 << (10 * (unit - units + 1));
}

bool options_parse_number(const OsvmOption *option, const char *text, int64_t *number)
{
    if (!isdigit((unsigned char)text[text[0] == '-']))
        return false;
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno)
        return false;
    int64_t factor = option->kind == OSVM_SIZE ? unit_factor(end) : !*end;
    if (!factor || __builtin_mul_overflow(value, factor, &value))
        return false;
    if (option->kind == OSVM_SIZE && value < 0)
        return false;
    *number = value;
    return true;
}

static bool parse_flag(const char *text, int64_t *number)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *number = i & 1;
            return true;
        }
    return false;
}

static bool is_choice(const char *choices, const char *word)
{
    size_t length = strcspn(word, "|");
    if (word[length])
        return false;
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (length && strncmp(at, word, length) == 0 && (at[length] == '|' || !at[length]))
            return true;
    return false;
}

static bool has_bounds(const OsvmOption *option)
{
    return option->min || option->max;
}

static const char *kind_phrase(const OsvmOption *option)
{
    switch (option->kind) {
    case OSVM_FLAG:
        return "yes or no";
    case OSVM_NUMBER:
        return "a whole number";
    case OSVM_SIZE:
        return "a number of bytes, with K, M, G or T if you like";
    case OSVM_CHOICE:
        return "one of";
    case OSVM_TEXT:
    case OSVM_OPTIONAL_TEXT:
        break;
    }
    return "a text";
}

/* Reads `text` into `number`; texts have none. */
static bool parse_value(const OsvmOption *option, const char *text, int64_t *number)
{
    switch (option->kind) {
    case OSVM_FLAG:
        return parse_flag(text, number);
    case OSVM_NUMBER:
    case OSVM_SIZE:
        return options_parse_number(option, text, number);
    case OSVM_CHOICE:
        return is_choice(option->choices, text);
    case OSVM_TEXT:
    case OSVM_OPTIONAL_TEXT:
        break;
    }
    return true;
}

/* --- The set -------------------------------------------------------------- */

static size_t table_count(const OsvmOption *table)
{
    size_t count = 0;
    while (table && table[count].name)
        count++;
    return count;
}

static void value_store(Value *value, const char *text, int64_t number)
{
    free(value->text);
    value->text = strdup(text);
    REQUIRE(value->text, "the host has no memory for an option's value");
    value->number = number;
}

bool options_check_table(const OsvmOption *table, const char *owner, OsvmError *error)
{
    for (const OsvmOption *option = table; option && option->name; option++) {
        int64_t number;
        if ((unsigned)option->kind > OSVM_OPTIONAL_TEXT || !option->help)
            return error_set(error, OSVM_UNAVAILABLE,
                             "option '%s' of %s has no known kind or no help", option->name, owner);
        if (option->kind == OSVM_CHOICE && !option->choices)
            return error_set(error, OSVM_UNAVAILABLE, "option '%s' of %s has no choices",
                             option->name, owner);
        if (option->value && !parse_value(option, option->value, &number))
            return error_set(error, OSVM_UNAVAILABLE,
                             "the default '%s' of option '%s' of %s is not valid", option->value,
                             option->name, owner);
    }
    return true;
}

OptionSet *options_new(const OsvmOption *table, const char *owner)
{
    size_t count = table_count(table);
    OsvmError error;
    REQUIRE(options_check_table(table, owner, &error), "%s", error.message);
    OptionSet *set = calloc(1, sizeof *set + count * sizeof *set->values);
    REQUIRE(set, "the host has no memory for a table of options");
    set->table = table;
    set->owner = strdup(owner);
    REQUIRE(set->owner, "the host has no memory for a table of options");
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        int64_t number = 0;
        if (table[i].value && parse_value(&table[i], table[i].value, &number))
            value_store(&set->values[i], table[i].value, number);
    }
    return set;
}

void options_free(OptionSet *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        free(set->values[i].text);
    free(set->owner);
    free(set);
}

static size_t find_option(const OptionSet *set, const char *name)
{
    size_t i = 0;
    while (i < set->count && strcmp(set->table[i].name, name) != 0)
        i++;
    return i;
}

static bool refuse_name(const OptionSet *set, const char *prefix, const char *name,
                        OsvmError *error)
{
    if (!set->count)
        return error_set(error, OSVM_USAGE, "%s has no options, so there is no '%s%s'", set->owner,
                         prefix, name);
    Nearest nearest = nearest_to(name);
    for (size_t i = 0; i < set->count; i++)
        nearest_offer(&nearest, set->table[i].name);
    if (nearest.best)
        return error_set(error, OSVM_USAGE, "%s has no option '%s%s'; did you mean '%s%s'?",
                         set->owner, prefix, name, prefix, nearest.best);
    char list[1024];
    size_t used = 0;
    list[0] = 0;
    for (size_t i = 0; i < set->count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s%s", i ? ", " : "",
                                 *prefix ? is_short(set->table[i].name) ? "-" : "--" : "",
                                 set->table[i].name);
    return error_set(error, OSVM_USAGE, "%s has no option '%s%s'; there are: %s", set->owner,
                     prefix, name, list);
}

static bool refuse_value(const OsvmOption *option, const char *prefix, const char *value,
                         OsvmError *error)
{
    return error_set(error, OSVM_USAGE, "'%s' is no value for option '%s%s': it takes %s%s%s",
                     value, prefix, option->name, kind_phrase(option),
                     option->kind == OSVM_CHOICE ? " " : "",
                     option->kind == OSVM_CHOICE ? option->choices : "");
}

bool options_set(OptionSet *set, const char *prefix, const char *name, const char *value,
                 OsvmError *error)
{
    size_t index = find_option(set, name);
    if (index == set->count)
        return refuse_name(set, prefix, name, error);
    const OsvmOption *option = &set->table[index];
    int64_t number = 0;
    if (!value && takes_value(option))
        return error_set(error, OSVM_USAGE, "option '%s%s' needs a value: %s%s%s", prefix, name,
                         kind_phrase(option), option->kind == OSVM_CHOICE ? " " : "",
                         option->kind == OSVM_CHOICE ? option->choices : "");
    if (!value)
        value = option->kind == OSVM_FLAG ? "yes" : "";
    if (!parse_value(option, value, &number))
        return refuse_value(option, prefix, value, error);
    if ((option->kind == OSVM_NUMBER || option->kind == OSVM_SIZE) && has_bounds(option) &&
        (number < option->min || number > option->max))
        return error_set(error, OSVM_USAGE,
                         "'%s' is no value for option '%s%s': it takes %lld to %lld", value, prefix,
                         name, (long long)option->min, (long long)option->max);
    value_store(&set->values[index], value, number);
    set->values[index].given = true;
    return true;
}

/* Sets from one `name[=value]` of `length` bytes. */
static bool set_item(OptionSet *set, const char *prefix, const char *item, size_t length,
                     OsvmError *error)
{
    char *name = strndup(item, length);
    REQUIRE(name, "the host has no memory for an option's name");
    char *equals = strchr(name, '=');
    if (equals)
        *equals = 0;
    bool done = options_set(set, prefix, name, equals ? equals + 1 : NULL, error);
    free(name);
    return done;
}

bool options_set_list(OptionSet *set, const char *text, OsvmError *error)
{
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",");
        if (!length)
            return error_set(error, OSVM_USAGE, "an option of %s is empty in '%s'", set->owner,
                             text);
        if (!set_item(set, "", at, length, error))
            return false;
        at += length;
        if (*at == ',' && !*++at)
            return error_set(error, OSVM_USAGE, "an option of %s is empty in '%s'", set->owner,
                             text);
    }
    return true;
}

int options_take(OptionSet *set, int count, char **arguments, OsvmError *error)
{
    int taken = 0;
    while (taken < count && arguments[taken][0] == '-' && arguments[taken][1]) {
        const char *argument = arguments[taken++];
        if (strcmp(argument, "--") == 0)
            break;
        bool is_long = argument[1] == '-';
        const char *name = argument + 1 + is_long, *prefix = is_long ? "--" : "-";
        char letter[2] = {name[0]};
        size_t joined = is_long ? set->count : find_option(set, letter);
        if (joined < set->count && name[1] && name[1] != '=' && takes_value(&set->table[joined])) {
            if (!options_set(set, prefix, letter, name + 1, error))
                return -1;
            continue;
        }
        if (!is_long && !is_short(name) && name[1] != '=') {
            error_set(error, OSVM_USAGE, "'%s' is no option: words take two dashes, as in '-%s'",
                      argument, argument);
            return -1;
        }
        size_t index = find_option(set, name);
        bool done;
        if (index < set->count && takes_value(&set->table[index]) && taken < count)
            done = options_set(set, prefix, name, arguments[taken++], error);
        else
            done = set_item(set, prefix, name, strlen(name), error);
        if (!done)
            return -1;
    }
    return taken;
}

/* --- Asking --------------------------------------------------------------- */

static const Value *value_of(const OptionSet *set, const char *name)
{
    size_t index = find_option(set, name);
    REQUIRE(index < set->count, "%s asks for its option '%s', which is not in its table",
            set->owner, name);
    return &set->values[index];
}

bool options_flag(const OptionSet *set, const char *name)
{
    return value_of(set, name)->number != 0;
}

int64_t options_number(const OptionSet *set, const char *name)
{
    return value_of(set, name)->number;
}

const char *options_text(const OptionSet *set, const char *name)
{
    return value_of(set, name)->text;
}

bool options_given(const OptionSet *set, const char *name)
{
    return value_of(set, name)->given;
}

/* --- Help ----------------------------------------------------------------- */

static const char *value_name(const OsvmOption *option)
{
    if (option->choices)
        return option->choices;
    return option->kind == OSVM_NUMBER ? "N" : option->kind == OSVM_SIZE ? "SIZE" : "TEXT";
}

void options_print(const OsvmOption *table, const char *prefix, FILE *file)
{
    for (const OsvmOption *option = table; option && option->name; option++) {
        char left[128];
        bool flag = option->kind == OSVM_FLAG;
        bool optional = option->kind == OSVM_OPTIONAL_TEXT;
        bool letter = *prefix && is_short(option->name);
        snprintf(left, sizeof left, "%s%s%s%s%s%s", letter ? "-" : prefix, option->name,
                 optional ? "[" : "",
                 flag     ? ""
                 : letter ? " "
                          : "=",
                 flag ? "" : value_name(option), optional ? "]" : "");
        fprintf(file, strlen(left) <= 26 ? "  %-26s  %s" : "  %s\n                              %s",
                left, option->help);
        if (option->value && !(flag && strcmp(option->value, "no") == 0))
            fprintf(file, " [%s]", option->value);
        fputc('\n', file);
    }
}
