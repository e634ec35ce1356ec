#include "roles.h"

#include <ctype.h>
#include <string.h>

#define ROLE_INFO(role, index, special, required, names) {#role, index, special, required, names},
const RoleInfo role_infos[ROLE_COUNT] = {ROLES(ROLE_INFO)};
#undef ROLE_INFO

static ClassModel *find_class(const Program *program, const char *name, size_t length)
{
    ClassModel *class_model =
        name_table_get(&program->by_name, names_get(program->tools->names, name, length));
    return class_model && class_model->is_defined ? class_model : NULL;
}

static ClassModel *find_default(const Program *program, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, " ");
        ClassModel *found = find_class(program, names, length);
        if (found)
            return found;
        names += length + (names[length] == ' ');
    }
    return NULL;
}

static bool role_is_named(const RoleInfo *info, const char *name, size_t length)
{
    if (strlen(info->name) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (tolower((unsigned char)info->name[i]) != tolower((unsigned char)name[i]))
            return false;
    return true;
}

/* One line `role: class`; empty lines and those that begin with '#' say nothing. */
static void manifest_line(Program *program, const SourceText *manifest, size_t start, size_t end,
                          ClassModel *classes[ROLE_COUNT])
{
    Diagnostics *diagnostics = program->tools->diagnostics;
    const char *text = manifest->text;
    while (start < end && isspace((unsigned char)text[start]))
        start++;
    while (end > start && isspace((unsigned char)text[end - 1]))
        end--;
    if (start == end || text[start] == '#')
        return;
    const char *colon = memchr(text + start, ':', end - start);
    if (!colon) {
        diagnostics_error(diagnostics, manifest, start, end, "a line 'role: class' expected");
        return;
    }
    size_t name_end = (size_t)(colon - text), value = name_end + 1;
    while (value < end && isspace((unsigned char)text[value]))
        value++;
    if (name_end - start == 6 && strncmp(text + start, "prefix", 6) == 0)
        return; /* see manifest_prefix */
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!role_is_named(&role_infos[role], text + start, name_end - start))
            continue;
        classes[role] = find_class(program, text + value, end - value);
        if (!classes[role])
            diagnostics_error(diagnostics, manifest, value, end, "no class has this name");
        return;
    }
    diagnostics_error(diagnostics, manifest, start, name_end, "no role has this name");
}

const char *manifest_prefix(Names *names, const SourceText *manifest)
{
    const char *text = manifest->text, *line = text;
    while (line && strncmp(line, "prefix:", 7) != 0)
        line = (line = strchr(line, '\n')) ? line + 1 : NULL;
    if (!line)
        return NULL;
    line += 7 + strspn(line + 7, " \t");
    size_t length = strcspn(line, " \t\r\n");
    return length ? names_get(names, line, length) : NULL;
}

bool roles_find(Program *program, const SourceText *manifest, ClassModel *classes[ROLE_COUNT])
{
    CompileTools *tools = program->tools;
    size_t errors = tools->diagnostics->error_count;
    for (int role = 0; role < ROLE_COUNT; role++)
        classes[role] = find_default(program, role_infos[role].classes);
    for (size_t start = 0; manifest && start < manifest->length;) {
        size_t end = start;
        while (end < manifest->length && manifest->text[end] != '\n')
            end++;
        manifest_line(program, manifest, start, end, classes);
        start = end + 1;
    }
    for (int role = 0; role < ROLE_COUNT; role++)
        if (!classes[role] && role_infos[role].required)
            diagnostics_error(
                tools->diagnostics, source_new(tools->arena, "(class library)", "", 0), 0, 0,
                "an image needs a class %s, and there is none", role_infos[role].classes);
    return tools->diagnostics->error_count == errors;
}
