/* Scripts of events: reading and writing. */
#include "kernel/lab/events.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/nearest.h"
#include "kernel/base/read_text.h"
#include "kernel/cli/options.h"

static const char *const shape_words[] = {
    "empty", "fixed", "array", "variable", "weak", "ephemeron", "context", "method", "bytes",
    "shorts", "words32", "words64", NULL,
};
static const char *const collector_words[] = {
    "own", "compact", "compact-all", "sweep", "sweep-lazy", "none", NULL,
};
static const char *const torture_words[] = {
    "scavenge", "collect", "alloc-fail", "move", "tiny-spaces", "poison", NULL,
};
static const char *const become_words[] = {"two-way", "one-way-hash", "one-way", NULL};

/* Operands: r and s registers, n and m numbers, i a slot's number or `last`, h a shape, b a kind of
 * become, c a collector, t a kind of torture, o the word `old`, which may be missing. A number may
 * be missing where no operand follows. */
static const struct {
    const char *name, *operands;
} ops[GC_OPS] = {
    [GC_NEW] = {"new", "rhno"},
    [GC_CLASS] = {"class", "rh"},
    [GC_INSTANCE] = {"instance", "rsno"},
    [GC_ADOPT] = {"adopt", "rs"},
    [GC_STORE] = {"store", "ris"},
    [GC_NUMBER] = {"number", "rim"},
    [GC_LOAD] = {"load", "rsi"},
    [GC_MOVE] = {"move", "rs"},
    [GC_CLEAR] = {"clear", "r"},
    [GC_HASH] = {"hash", "r"},
    [GC_BECOME] = {"become", "rsb"},
    [GC_BECOME_MANY] = {"become-many", "rsbn"},
    [GC_PIN] = {"pin", "r"},
    [GC_UNPIN] = {"unpin", "r"},
    [GC_FREEZE] = {"freeze", "r"},
    [GC_THAW] = {"thaw", "r"},
    [GC_LITTER] = {"litter", "nm"},
    [GC_CHAIN] = {"chain", "rno"},
    [GC_FILL] = {"fill", "rnm"},
    [GC_POLL] = {"poll", ""},
    [GC_SCAVENGE] = {"scavenge", ""},
    [GC_TENURE] = {"tenure", ""},
    [GC_COLLECT] = {"collect", ""},
    [GC_MOURNER] = {"mourner", "r"},
    [GC_HOST] = {"host", "n"},
    [GC_SNAPSHOT] = {"snapshot", ""},
    [GC_COLLECTOR] = {"collector", "c"},
    [GC_TORTURE] = {"torture", "tn"},
    [GC_EXPECT_FIRED] = {"expect-fired", "n"},
    [GC_EXPECT_LOST] = {"expect-lost", "n"},
    [GC_EXPECT_REFUSED] = {"expect-refused", "n"},
    [GC_EXPECT_NIL] = {"expect-nil", "ri"},
};

/* ---- Writing ---- */

static size_t print_operand(char letter, const GcEvent *e, char *text, size_t size)
{
    switch (letter) {
    case 'r': return (size_t)snprintf(text, size, " r%u", e->r);
    case 's': return (size_t)snprintf(text, size, " r%u", e->s);
    case 'i':
        if (e->n == EVENT_LAST)
            return (size_t)snprintf(text, size, " last");
        /* fall through */
    case 'n': return (size_t)snprintf(text, size, " %u", e->n);
    case 'm': return (size_t)snprintf(text, size, " %u", e->m);
    case 'h': return (size_t)snprintf(text, size, " %s", shape_words[e->kind]);
    case 'b': return (size_t)snprintf(text, size, " %s", become_words[e->kind]);
    case 'c': return (size_t)snprintf(text, size, " %s", collector_words[e->kind]);
    case 't': return (size_t)snprintf(text, size, " %s", torture_words[e->kind]);
    default: return e->flags & EVENT_OLD ? (size_t)snprintf(text, size, " old") : 0;
    }
}

void event_print(const GcEvent *event, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", ops[event->op].name);
    for (const char *at = ops[event->op].operands; *at && used < size; at++)
        used += print_operand(*at, event, text + used, size - used);
}

static void write_setting(FILE *file, const char *name, uint64_t bytes)
{
    if (bytes)
        fprintf(file, "%s %" PRIu64 "\n", name, bytes);
}

void script_write(const GcScript *script, FILE *file)
{
    const GcSettings *s = &script->settings;
    write_setting(file, "eden", s->eden);
    write_setting(file, "limit", s->limit);
    write_setting(file, "headroom", s->headroom);
    write_setting(file, "shrink", s->shrink);
    if (s->weak_mourners)
        fprintf(file, "weak-mourners\n");
    for (size_t i = 0; i < script->count; i++) {
        char text[128];
        event_print(&script->events[i], text, sizeof text);
        fprintf(file, "%s\n", text);
    }
}

/* ---- Reading ---- */

typedef struct {
    const char *path;
    unsigned line;
    GcScript *script;
    size_t capacity;
    OsvmError *error;
} Reader;

static bool refuse(Reader *reader, const char *what, const char *word)
{
    return error_set(reader->error, OSVM_BAD_DATA, "%s:%u: %s '%s'", reader->path, reader->line,
                     what, word);
}

static int word_index(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

static bool read_number(Reader *reader, const char *word, uint64_t most, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(word, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    end += shift != 0;
    if (!isdigit((unsigned char)*word) || *end || errno || *number > most >> shift)
        return refuse(reader, "a number was expected, not", word);
    *number <<= shift;
    return true;
}

static bool read_register(Reader *reader, const char *word, uint8_t *number)
{
    char *end;
    unsigned long value = *word == 'r' && isdigit((unsigned char)word[1])
                              ? strtoul(word + 1, &end, 10) : LAB_REGISTERS;
    if (value >= LAB_REGISTERS || *end)
        return refuse(reader, "a register (r0 to r31) was expected, not", word);
    *number = (uint8_t)value;
    return true;
}

static bool read_word(Reader *reader, const char *const *words, const char *word, uint8_t *kind)
{
    int index = word_index(words, word);
    if (index < 0)
        return refuse(reader, "unknown word", word);
    *kind = (uint8_t)index;
    return true;
}

static bool read_operand(Reader *reader, char letter, const char *word, GcEvent *e)
{
    uint64_t number = 0;
    switch (letter) {
    case 'r': return read_register(reader, word, &e->r);
    case 's': return read_register(reader, word, &e->s);
    case 'h': return read_word(reader, shape_words, word, &e->kind);
    case 'b': return read_word(reader, become_words, word, &e->kind);
    case 'c': return read_word(reader, collector_words, word, &e->kind);
    case 't': return read_word(reader, torture_words, word, &e->kind);
    case 'o':
        e->flags = EVENT_OLD;
        return strcmp(word, "old") == 0 || refuse(reader, "only 'old' may stand here, not", word);
    default:
        if (letter == 'i' && strcmp(word, "last") == 0)
            number = EVENT_LAST;
        else if (!read_number(reader, word, UINT32_MAX, &number))
            return false;
        *(letter == 'm' ? &e->m : &e->n) = (uint32_t)number;
        return true;
    }
}

static bool may_be_missing(const char *operands)
{
    return strcmp(operands, "no") == 0 || strcmp(operands, "o") == 0;
}

static bool read_event(Reader *reader, GcOp op, char *rest)
{
    GcEvent event = {.op = (uint8_t)op};
    const char *operands = ops[op].operands;
    char *word = strtok(rest, " \t");
    for (; word; word = strtok(NULL, " \t"), operands++) {
        if (*operands == 'n' && operands[1] == 'o' && strcmp(word, "old") == 0)
            operands++;
        if (!*operands)
            return refuse(reader, "too much:", word);
        if (!read_operand(reader, *operands, word, &event))
            return false;
    }
    if (*operands && !may_be_missing(operands))
        return refuse(reader, "operands are missing for", ops[op].name);
    GcScript *script = reader->script;
    if (script->count == reader->capacity) {
        reader->capacity = reader->capacity ? 2 * reader->capacity : 256;
        script->events = realloc(script->events, reader->capacity * sizeof event);
        REQUIRE(script->events, "the host has no memory for a script");
    }
    script->events[script->count++] = event;
    return true;
}

static bool read_setting(Reader *reader, const char *name, char *rest, bool *known)
{
    GcSettings *s = &reader->script->settings;
    uint64_t *places[] = {&s->eden, &s->limit, &s->headroom, &s->shrink};
    static const char *const names[] = {"eden", "limit", "headroom", "shrink", NULL};
    int index = word_index(names, name);
    char *word = strtok(rest, " \t");
    *known = index >= 0 || strcmp(name, "weak-mourners") == 0;
    if (!*known)
        return true;
    if (reader->script->count)
        return refuse(reader, "settings come before events:", name);
    if (index >= 0)
        return word ? read_number(reader, word, (uint64_t)1 << 46, places[index])
                    : refuse(reader, "a number is missing for", name);
    s->weak_mourners = true;
    return true;
}

static bool read_line(Reader *reader, char *line)
{
    line[strcspn(line, "#\r\n")] = 0;
    char *name = line + strspn(line, " \t");
    size_t length = strcspn(name, " \t");
    char *rest = name + length + (name[length] != 0);
    name[length] = 0;
    if (!*name)
        return true;
    Nearest nearest = nearest_to(name);
    for (int op = 0; op < GC_OPS; op++) {
        if (strcmp(ops[op].name, name) == 0)
            return read_event(reader, (GcOp)op, rest);
        nearest_offer(&nearest, ops[op].name);
    }
    bool known;
    if (!read_setting(reader, name, rest, &known) || known)
        return known && !reader->error->status;
    return error_set(reader->error, OSVM_BAD_DATA, "%s:%u: there is no event '%s'%s%s%s",
                     reader->path, reader->line, name, nearest.best ? "; did you mean '" : "",
                     nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
}

bool script_read(const char *path, GcScript *script, OsvmError *error)
{
    *script = (GcScript){.events = NULL};
    *error = (OsvmError){.status = OSVM_OK};
    Reader reader = {.path = path, .script = script, .error = error};
    size_t length;
    int failure;
    char *text = read_text_file(path, &length, &failure);
    if (!text)
        return error_set(error, OSVM_NO_INPUT, "cannot read '%s': %s", path, strerror(failure));
    bool good = strlen(text) == length ||
                error_set(error, OSVM_BAD_DATA, "'%s' is no text: a NUL is in it", path);
    for (char *rest = text, *line; good && (line = strsep(&rest, "\n"));) {
        reader.line++;
        good = read_line(&reader, line);
    }
    free(text);
    if (good && !script->count)
        good = error_set(error, OSVM_BAD_DATA, "'%s' has no events", path);
    if (!good)
        script_free(script);
    return good;
}

void script_free(GcScript *script)
{
    free(script->events);
    *script = (GcScript){.events = NULL};
}
