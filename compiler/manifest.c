#include "manifest.h"

#include <ctype.h>
#include <string.h>

#include "list.h"

static void read_line(CompileTools *tools, Manifest *manifest, size_t start, size_t end)
{
    const char *text = manifest->source->text;
    while (start < end && isspace((unsigned char)text[start]))
        start++;
    while (end > start && isspace((unsigned char)text[end - 1]))
        end--;
    if (start == end || text[start] == '#')
        return;
    const char *colon = memchr(text + start, ':', end - start);
    if (!colon) {
        diagnostics_error(tools->diagnostics, manifest->source, start, end,
                          "a line 'role: class' expected");
        return;
    }
    size_t colon_at = (size_t)(colon - text), value = colon_at + 1;
    while (value < end && isspace((unsigned char)text[value]))
        value++;
    ManifestLine line = {names_get(tools->names, text + start, colon_at - start),
                         names_get(tools->names, text + value, end - value), start, value, end};
    LIST_ADD(tools->arena, *manifest, line);
}

Manifest *manifest_read(CompileTools *tools, const char *path)
{
    const SourceText *source = source_read_file(tools->diagnostics, path);
    if (!source)
        return NULL;
    Manifest *manifest = arena_alloc(tools->arena, sizeof *manifest);
    manifest->source = source;
    for (size_t start = 0; start < source->length;) {
        size_t end = start;
        while (end < source->length && source->text[end] != '\n')
            end++;
        read_line(tools, manifest, start, end);
        start = end + 1;
    }
    return manifest;
}

bool manifest_line_is_role(const ManifestLine *line)
{
    return strcmp(line->name, "prefix") != 0 && strcmp(line->name, "replace") != 0 &&
           strcmp(line->name, "initialize") != 0;
}

const char *manifest_value(const Manifest *manifest, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; manifest && i < manifest->count; i++)
        if (strcmp(manifest->items[i].name, name) == 0)
            value = manifest->items[i].value;
    return value;
}

void manifest_apply(const Manifest *manifest, Program *program)
{
    const char *path = manifest->source->name, *slash = strrchr(path, '/');
    for (size_t i = 0; i < manifest->count; i++) {
        const ManifestLine *line = &manifest->items[i];
        if (strcmp(line->name, "prefix") == 0 && *line->value)
            program->prefix = line->value;
        if (strcmp(line->name, "replace") != 0)
            continue;
        int folder = slash && line->value[0] != '/' ? (int)(slash - path) + 1 : 0;
        program->is_replacing = true;
        program_read(program, arena_printf(program->tools->arena, "%.*s%s", folder, path,
                                           line->value));
        program->is_replacing = false;
    }
}
