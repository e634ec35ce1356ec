#include "source.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/read_text.h"

/* --- UTF-8 --- */

size_t utf8_decode(const char *text, size_t length, uint32_t *code)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (length == 0) {
        *code = 0;
        return 0;
    }
    *code = bytes[0];
    if (bytes[0] < 0x80)
        return 1;
    size_t size = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (bytes[0] < 0xC2 || bytes[0] > 0xF4 || size > length)
        return 1;
    uint32_t value = bytes[0] & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 1;
        value = value << 6 | (bytes[i] & 0x3F);
    }
    if (value < smallest[size] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        return 1;
    *code = value;
    return size;
}

size_t utf8_encode(uint32_t code, char *bytes)
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size; --i > 0; code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3F));
    bytes[0] = (char)((0xF00 >> size & 0xFF) | code);
    return size;
}

bool utf8_is_letter(uint32_t code)
{
    if (code < 0x80)
        return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || code == '_';
    if (code < 0xC0)
        return code == 0xAA || code == 0xB5 || code == 0xBA;
    if (code == 0xD7 || code == 0xF7)
        return false; /* multiplication and division signs */
    return !(code >= 0x2000 && code < 0x2C00) && !(code >= 0x3000 && code < 0x3004);
}

bool utf8_is_valid(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint32_t code;
        size_t size = utf8_decode(text + i, length - i, &code);
        if (size == 1 && (unsigned char)text[i] >= 0x80)
            return false;
        i += size;
    }
    return true;
}

/* --- Texts --- */

SourceText *source_new(Arena *arena, const char *name, const char *text, size_t length)
{
    SourceText *source = arena_alloc(arena, sizeof *source);
    source->name = name;
    source->text = arena_copy(arena, text, length);
    source->length = length;
    return source;
}

SourceText *source_new_chunk(Arena *arena, const SourceText *parent, size_t start, size_t end)
{
    SourceText *source = arena_alloc(arena, sizeof *source);
    char *text = arena_alloc(arena, end - start + 1);
    size_t length = 0, marks = 0;
    for (size_t i = start; i < end; i++)
        marks += parent->text[i] == '!';
    uint32_t *gaps = arena_alloc(arena, (marks + 1) * sizeof *gaps);
    for (size_t i = start; i < end; i++) {
        if (parent->text[i] == '!' && i + 1 < end && parent->text[i + 1] == '!')
            gaps[source->gap_count++] = (uint32_t)length, i++;
        text[length++] = parent->text[i];
    }
    source->name = parent->name;
    source->text = text;
    source->length = length;
    source->parent = parent;
    source->parent_start = start;
    source->gaps = gaps;
    return source;
}

/* Latin-1 to UTF-8. */
static SourceText *source_from_latin1(Arena *arena, const char *name, const char *text,
                                      size_t length)
{
    char *converted = arena_alloc(arena, 2 * length + 1);
    size_t size = 0;
    for (size_t i = 0; i < length; i++)
        size += utf8_encode((unsigned char)text[i], converted + size);
    SourceText *source = source_new(arena, name, "", 0);
    source->text = converted;
    source->length = size;
    return source;
}

SourceText *source_read_file(Diagnostics *diagnostics, const char *path)
{
    Arena *arena = diagnostics->arena;
    const char *name = arena_copy(arena, path, strlen(path));
    size_t length = 0;
    int failure = 0;
    char *text = read_text_file(path, &length, &failure);
    if (!text) {
        diagnostics_error(diagnostics, source_new(arena, name, "", 0), 0, 0,
                          "cannot read the file: %s", strerror(failure));
        return NULL;
    }
    /* A byte order mark says nothing in UTF-8. */
    size_t skip = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    SourceText *source;
    if (utf8_is_valid(text + skip, length - skip)) {
        source = source_new(arena, name, text + skip, length - skip);
    } else {
        source = source_from_latin1(arena, name, text, length);
        diagnostics_warn(diagnostics, WARN_ENCODING, source, 0, 0,
                         "this file is not UTF-8; it is read as Latin-1");
    }
    free(text);
    return source;
}

/* --- Places --- */

static size_t source_parent_offset(const SourceText *source, size_t offset)
{
    size_t low = 0, high = source->gap_count; /* gaps[low-1] <= offset < gaps[high] */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (source->gaps[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return source->parent_start + offset + low;
}

/* The length of the line end at `i` (LF, CR or CRLF), or 0. */
static size_t line_end_length(const SourceText *source, size_t i)
{
    if (i >= source->length)
        return 0;
    if (source->text[i] == '\r')
        return i + 1 < source->length && source->text[i + 1] == '\n' ? 2 : 1;
    return source->text[i] == '\n';
}

Place source_place(const SourceText *source, size_t offset)
{
    if (offset > source->length)
        offset = source->length;
    while (source->parent) {
        offset = source_parent_offset(source, offset);
        source = source->parent;
    }
    Place place = {source, offset, 0, 0, 1, 1};
    for (size_t i = 0; i < offset;) {
        size_t size = line_end_length(source, i);
        if (size && i + size <= offset) {
            place.line++;
            place.line_start = i + size;
        }
        i += size ? size : 1;
    }
    for (size_t i = place.line_start; i < offset; place.column++) {
        uint32_t code;
        i += utf8_decode(source->text + i, source->length - i, &code);
    }
    size_t end = place.line_start;
    while (end < source->length && !line_end_length(source, end))
        end++;
    place.line_length = end - place.line_start;
    return place;
}

/* --- Diagnostics --- */

static const char *const warning_names[WARN_KIND_COUNT] = {
    [WARN_UNDECLARED] = "undeclared",   [WARN_UNUSED] = "unused",
    [WARN_SHADOWED] = "shadowed",       [WARN_UNSENT] = "unsent",
    [WARN_UNREACHABLE] = "unreachable", [WARN_ENCODING] = "encoding",
    [WARN_DUPLICATE] = "duplicate",     [WARN_TRAITS] = "traits",
};

void diagnostics_init(Diagnostics *diagnostics, Arena *arena)
{
    memset(diagnostics, 0, sizeof *diagnostics);
    diagnostics->arena = arena;
    diagnostics->enabled = WARNINGS_DEFAULT;
}

static void diagnostics_add(Diagnostics *diagnostics, Diagnostic diagnostic, const char *format,
                            va_list arguments)
{
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    size_t length = strlen(text);
    while (length && !utf8_is_valid(text, length))
        text[--length] = '\0'; /* a character cut in two by the limit */
    diagnostic.message = arena_copy(diagnostics->arena, text, length);
    Diagnostic *entry = arena_alloc(diagnostics->arena, sizeof *entry);
    *entry = diagnostic;
    if (diagnostics->last)
        diagnostics->last->next = entry;
    else
        diagnostics->first = entry;
    diagnostics->last = entry;
    if (diagnostic.severity == SEVERITY_ERROR)
        diagnostics->error_count++;
    else
        diagnostics->warning_count++;
}

void diagnostics_error(Diagnostics *diagnostics, const SourceText *source, size_t start, size_t end,
                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    diagnostics_add(
        diagnostics,
        (Diagnostic){.severity = SEVERITY_ERROR, .source = source, .start = start, .end = end},
        format, arguments);
    va_end(arguments);
}

void diagnostics_warn(Diagnostics *diagnostics, WarningKind kind, const SourceText *source,
                      size_t start, size_t end, const char *format, ...)
{
    if (!(diagnostics->enabled >> kind & 1))
        return;
    va_list arguments;
    va_start(arguments, format);
    Severity severity = diagnostics->warnings_are_errors ? SEVERITY_ERROR : SEVERITY_WARNING;
    diagnostics_add(diagnostics, (Diagnostic){.severity = severity,
                                              .kind = kind,
                                              .source = source,
                                              .start = start,
                                              .end = end},
                    format, arguments);
    va_end(arguments);
}

bool diagnostics_set_warning(Diagnostics *diagnostics, const char *option)
{
    if (strcmp(option, "error") == 0)
        return diagnostics->warnings_are_errors = true;
    bool on = strncmp(option, "no-", 3) != 0;
    const char *name = on ? option : option + 3;
    for (unsigned kind = 0; kind < WARN_KIND_COUNT; kind++) {
        if (strcmp(name, "all") == 0 || strcmp(name, warning_names[kind]) == 0) {
            unsigned bits = strcmp(name, "all") == 0 ? WARNINGS_ALL : 1u << kind;
            diagnostics->enabled = on ? diagnostics->enabled | bits : diagnostics->enabled & ~bits;
            return true;
        }
    }
    return false;
}

enum { SHOWN_BEFORE = 60, SHOWN_LINE = 120 };

/* Shows the line, or a window of it around the place, with tabs as spaces. */
static void print_line(Place place, size_t end, FILE *file)
{
    size_t first = place.line_start, last = place.line_start + place.line_length;
    const char *text = place.file->text;
    if (place.offset - first > SHOWN_BEFORE)
        first = place.offset - SHOWN_BEFORE;
    if (last - first > SHOWN_LINE)
        last = first + SHOWN_LINE;
    while (first > place.line_start && (text[first] & 0xC0) == 0x80)
        first--;
    while (last < place.line_start + place.line_length && (text[last] & 0xC0) == 0x80)
        last++;
    fputs("    ", file);
    for (size_t i = first; i < last; i++)
        fputc((unsigned char)text[i] < ' ' ? ' ' : text[i], file);
    fputs("\n    ", file);
    for (size_t i = first; i < place.offset; i++)
        if ((text[i] & 0xC0) != 0x80)
            fputc(' ', file);
    fputc('^', file);
    for (size_t i = place.offset + 1; i < end && i < last; i++)
        if ((text[i] & 0xC0) != 0x80)
            fputc('~', file);
    fputc('\n', file);
}

void diagnostics_print_one(const Diagnostic *diagnostic, FILE *file)
{
    Place place = source_place(diagnostic->source, diagnostic->start);
    fprintf(file, "%s:%u:%u: ", place.file->name, place.line, place.column);
    if (diagnostic->severity == SEVERITY_ERROR)
        fprintf(file, "error: %s\n", diagnostic->message);
    else
        fprintf(file, "warning: %s [-W%s]\n", diagnostic->message, warning_names[diagnostic->kind]);
    if (place.line_length)
        print_line(place, place.offset + (diagnostic->end - diagnostic->start), file);
}

void diagnostics_print(const Diagnostics *diagnostics, FILE *file)
{
    for (const Diagnostic *each = diagnostics->first; each; each = each->next)
        diagnostics_print_one(each, file);
}
