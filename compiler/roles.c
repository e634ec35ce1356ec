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

static void take_line(Program *program, const Manifest *manifest, const ManifestLine *line,
                      ClassModel *classes[ROLE_COUNT])
{
    Diagnostics *diagnostics = program->tools->diagnostics;
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!role_is_named(&role_infos[role], line->name, strlen(line->name)))
            continue;
        classes[role] = find_class(program, line->value, strlen(line->value));
        if (!classes[role])
            diagnostics_error(diagnostics, manifest->source, line->value_start, line->end,
                              "no class has this name");
        return;
    }
    diagnostics_error(diagnostics, manifest->source, line->start,
                      line->start + strlen(line->name), "no role has this name");
}

bool roles_find(Program *program, const Manifest *manifest, ClassModel *classes[ROLE_COUNT])
{
    CompileTools *tools = program->tools;
    size_t errors = tools->diagnostics->error_count;
    for (int role = 0; role < ROLE_COUNT; role++)
        classes[role] = find_default(program, role_infos[role].classes);
    for (size_t i = 0; manifest && i < manifest->count; i++)
        if (manifest_line_is_role(&manifest->items[i]))
            take_line(program, manifest, &manifest->items[i], classes);
    for (int role = 0; role < ROLE_COUNT; role++)
        if (!classes[role] && role_infos[role].required)
            diagnostics_error(
                tools->diagnostics, source_new(tools->arena, "(class library)", "", 0), 0, 0,
                "an image needs a class %s, and there is none", role_infos[role].classes);
    return tools->diagnostics->error_count == errors;
}
