/* Reads Tonel: one class or one extension a file, as Pharo writes them.
 *
 *   "comment"
 *   Class { #name : #Point, #superclass : #Object, #instVars : [ 'x', 'y' ] }
 *   { #category : #accessing }
 *   Point >> x [ ^ x ]
 *   Point class >> x: ax y: ay [ ... ]
 */
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "model.h"

typedef struct {
    Program *program;
    const SourceText *source;
    const char *text;
    size_t at, end;
} Tonel;

/* A value of the STON notation: a text or a list of texts. */
typedef struct {
    NameList texts;
    bool is_list;
    size_t start, end;
} Value;

static bool tonel_error(Tonel *t, size_t start, size_t end, const char *message)
{
    diagnostics_error(t->program->tools->diagnostics, t->source, start, end, "%s", message);
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

static void tonel_skip(Tonel *t)
{
    while (t->at < t->end && is_space(t->text[t->at]))
        t->at++;
}

static bool tonel_match(Tonel *t, char c)
{
    tonel_skip(t);
    if (t->at >= t->end || t->text[t->at] != c)
        return false;
    t->at++;
    return true;
}

/* Skips a quoted part; the opening quote is current. */
static bool tonel_quoted(Tonel *t, char quote, size_t *start, size_t *end)
{
    *start = ++t->at;
    for (; t->at < t->end; t->at++) {
        if (t->text[t->at] == '\\' && quote == '\'' && t->at + 1 < t->end) {
            t->at++;
        } else if (t->text[t->at] == quote) {
            *end = t->at++;
            if (t->at >= t->end || t->text[t->at] != quote)
                return true;
        }
    }
    *end = t->end;
    return tonel_error(t, *start - 1, *start, "this is not closed");
}

static size_t tonel_word(Tonel *t)
{
    size_t start = t->at;
    while (t->at < t->end) {
        uint32_t code;
        size_t width = utf8_decode(t->text + t->at, t->end - t->at, &code);
        if (!utf8_is_letter(code) && !(code >= '0' && code <= '9') &&
            !(t->at > start && strchr("-.:", (int)code)))
            break;
        t->at += width;
    }
    return t->at - start;
}

/* #name, #'a name', 'text', word, number */
static bool tonel_text(Tonel *t, const char **text)
{
    tonel_skip(t);
    size_t start = t->at, end;
    if (t->at < t->end && t->text[t->at] == '#')
        t->at++;
    if (t->at < t->end && t->text[t->at] == '\'') {
        if (!tonel_quoted(t, '\'', &start, &end))
            return false;
    } else {
        start = t->at;
        if (!tonel_word(t))
            return tonel_error(t, start, start + 1, "a string, a symbol or '[' expected");
        while (t->text[t->at - 1] == ':')
            t->at--; /* the colon between key and value */
        end = t->at;
    }
    *text = names_get(t->program->tools->names, t->text + start, end - start);
    return true;
}

static bool tonel_value(Tonel *t, Value *value)
{
    const char *text;
    memset(value, 0, sizeof *value);
    tonel_skip(t);
    value->start = t->at;
    if (tonel_match(t, '[')) {
        value->is_list = true;
        while (!tonel_match(t, ']')) {
            if (!tonel_text(t, &text))
                return false;
            LIST_ADD(t->program->tools->arena, value->texts, text);
            if (!tonel_match(t, ',')) {
                tonel_skip(t);
                if (t->at >= t->end || t->text[t->at] != ']')
                    return tonel_error(t, t->at, t->at + 1, "',' or ']' expected");
            }
        }
    } else {
        if (!tonel_text(t, &text))
            return false;
        LIST_ADD(t->program->tools->arena, value->texts, text);
    }
    value->end = t->at;
    return true;
}

/* --- Class definitions --- */

/* 'TFoo + (TBar - {#x})' */
static void class_take_composition(Tonel *t, Composition *composition, const Value *value)
{
    CompileTools *tools = t->program->tools;
    size_t quote = t->text[value->start] == '\'', errors = tools->diagnostics->error_count;
    const SourceText *source =
        source_new_chunk(tools->arena, t->source, value->start + quote, value->end - quote);
    const Method *tree = parse_expression(tools, source, 0, source->length);
    if (tools->diagnostics->error_count != errors || !tree->body->statement_count)
        return;
    composition->source = source;
    composition->node = tree->body->statements[0];
}

static void class_take(Tonel *t, ClassModel *class_model, const char *key, const Value *value)
{
    const char *text = value->texts.count ? value->texts.items[0] : "";
    if (strcmp(key, "superclass") == 0)
        class_model->superclass_name = strcmp(text, "nil") == 0 ? NULL : text;
    else if (strcmp(key, "instVars") == 0)
        class_model->instance_names = value->texts;
    else if (strcmp(key, "classVars") == 0)
        class_model->class_variables = value->texts;
    else if (strcmp(key, "classInstVars") == 0)
        class_model->class_instance_names = value->texts;
    else if (strcmp(key, "pools") == 0 || strcmp(key, "sharedPools") == 0)
        class_model->pools = value->texts;
    else if (strcmp(key, "category") == 0 ||
             (strcmp(key, "package") == 0 && !class_model->category))
        class_model->category = text;
    else if (strcmp(key, "type") == 0 || strcmp(key, "layout") == 0) {
        if (!shape_of_name(text, &class_model->shape))
            tonel_error(t, value->start, value->end, "no shape of instances has this name");
    } else if (strcmp(key, "traits") == 0) {
        class_take_composition(t, &class_model->compositions[0], value);
    } else if (strcmp(key, "classTraits") == 0) {
        class_take_composition(t, &class_model->compositions[1], value);
    }
}

typedef struct {
    struct Entry {
        const char *key;
        Value value;
    } * items;
    size_t count, capacity;
} Map;

/* { #key : value, ... } */
static bool tonel_map(Tonel *t, Map *map)
{
    if (!tonel_match(t, '{'))
        return tonel_error(t, t->at, t->at + 1, "'{' expected");
    while (!tonel_match(t, '}')) {
        struct Entry entry;
        if (!tonel_text(t, &entry.key))
            return false;
        if (!tonel_match(t, ':'))
            return tonel_error(t, t->at, t->at + 1, "':' expected");
        if (!tonel_value(t, &entry.value))
            return false;
        LIST_ADD(t->program->tools->arena, *map, entry);
        if (!tonel_match(t, ',')) {
            tonel_skip(t);
            if (t->at >= t->end || t->text[t->at] != '}')
                return tonel_error(t, t->at, t->at + 1, "',' or '}' expected");
        }
    }
    return true;
}

static const Value *map_find(const Map *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->items[i].key, key) == 0)
            return &map->items[i].value;
    return NULL;
}

static bool tonel_definition(Tonel *t, const char *comment)
{
    Map map = {NULL, 0, 0};
    tonel_skip(t);
    size_t start = t->at, size = tonel_word(t);
    bool is_trait = size == 5 && strncmp(t->text + start, "Trait", 5) == 0;
    bool defines = is_trait || (size == 5 && strncmp(t->text + start, "Class", 5) == 0);
    if (!defines && !(size == 9 && strncmp(t->text + start, "Extension", 9) == 0))
        return tonel_error(t, start, t->at, "'Class {', 'Trait {' or 'Extension {' expected");
    if (!tonel_map(t, &map))
        return false;
    const Value *name = map_find(&map, "name");
    if (!name || !name->texts.count)
        return tonel_error(t, start, t->at, "this definition has no #name");
    const char *text = name->texts.items[0];
    if (!defines) {
        program_class(t->program, text, t->source, name->start, name->end);
        return true;
    }
    ClassModel *class_model =
        program_define(t->program, text, t->source, name->start, name->end);
    if (!class_model)
        return false;
    class_model->is_trait = is_trait;
    class_model->comment = comment;
    for (size_t i = 0; i < map.count; i++)
        class_take(t, class_model, map.items[i].key, &map.items[i].value);
    return true;
}

/* --- Methods --- */

/* From the opening bracket: to behind the closing one. Strings, comments and characters may
 * contain brackets. */
static bool tonel_body(Tonel *t, size_t *start, size_t *end)
{
    size_t open = t->at, depth = 0;
    *start = t->at + 1;
    while (t->at < t->end) {
        char c = t->text[t->at];
        if (c == '"' || c == '\'') {
            const char *close = memchr(t->text + t->at + 1, c, t->end - t->at - 1);
            if (!close)
                return tonel_error(t, t->at, t->at + 1, "this is not closed");
            t->at = (size_t)(close - t->text) + 1;
            continue;
        }
        if (c == '$' && t->at + 1 < t->end) {
            uint32_t code;
            t->at += 1 + utf8_decode(t->text + t->at + 1, t->end - t->at - 1, &code);
            continue;
        }
        depth += c == '[';
        *end = t->at++;
        if (c == ']' && --depth == 0)
            return true;
    }
    return tonel_error(t, open, open + 1, "the body of this method is not closed: ']' expected");
}

/* Name [class] >> pattern [ */
static bool tonel_method(Tonel *t, const char *category)
{
    Names *names = t->program->tools->names;
    MethodModel *method = arena_alloc(t->program->tools->arena, sizeof *method);
    tonel_skip(t);
    size_t start = t->at;
    if (!tonel_word(t))
        return tonel_error(t, start, start + 1, "a class name, '>>' and a method expected");
    method->owner = program_class(t->program, names_get(names, t->text + start, t->at - start),
                                  t->source, start, t->at);
    tonel_skip(t);
    size_t word = t->at, size = tonel_word(t);
    method->class_side = (size == 5 && strncmp(t->text + word, "class", 5) == 0) ||
                         (size == 9 && strncmp(t->text + word, "classSide", 9) == 0);
    if (size && !method->class_side)
        return tonel_error(t, word, t->at, "'>>' or 'class >>' expected");
    tonel_skip(t);
    if (t->end - t->at < 2 || strncmp(t->text + t->at, ">>", 2) != 0)
        return tonel_error(t, t->at, t->at + 1, "'>>' expected");
    t->at += 2;
    method->pattern_start = t->at;
    while (t->at < t->end && t->text[t->at] != '[')
        t->at++;
    method->pattern_end = t->at;
    if (t->at >= t->end)
        return tonel_error(t, method->pattern_start, t->at,
                           "'[' and the body of the method expected");
    if (!tonel_body(t, &method->body_start, &method->body_end))
        return false;
    method->source = t->source;
    method->category = category;
    program_add_method(t->program, method);
    return true;
}

void tonel_read(Program *program, const SourceText *source)
{
    Tonel t = {program, source, source->text, 0, source->length};
    const char *comment = NULL;
    size_t start, end;
    tonel_skip(&t);
    if (t.at < t.end && t.text[t.at] == '"') {
        if (!tonel_quoted(&t, '"', &start, &end))
            return;
        while (start < end && is_space(t.text[start]))
            start++;
        while (end > start && is_space(t.text[end - 1]))
            end--;
        comment = arena_copy(program->tools->arena, t.text + start, end - start);
    }
    if (!tonel_definition(&t, comment))
        return;
    for (tonel_skip(&t); t.at < t.end; tonel_skip(&t)) {
        Map map = {NULL, 0, 0};
        const char *category = NULL;
        if (t.text[t.at] == '"' && tonel_quoted(&t, '"', &start, &end))
            continue;
        if (t.at < t.end && t.text[t.at] == '{') {
            if (!tonel_map(&t, &map))
                return;
            const Value *value = map_find(&map, "category");
            category = value && value->texts.count ? value->texts.items[0] : NULL;
        }
        if (!tonel_method(&t, category))
            return;
    }
}
