/* What the user wants for each kind of plugin. */
#include "plugins_int.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/base/nearest.h"

/* The back end whose machine code this host runs. */
#if defined(__x86_64__) && !defined(OSVM_NO_JIT)
#define HOST_JIT "x64"
#else
#define HOST_JIT NULL
#endif

static const struct Kind {
    const char *name;
    const char *fallback; /* the plugin taken when none is asked for; NULL: must be asked for */
} kinds[OSVM_KINDS] = {
    [OSVM_CORE] = {"core", "osvm"}, [OSVM_MM] = {"mm", "spur"}, [OSVM_GC] = {"gc", "compact"},
    [OSVM_JIT] = {"jit", HOST_JIT},     [OSVM_CPU] = {"cpu", "native"}, [OSVM_PRIMS] = {"prims", NULL},
};

const char *plugin_kind_name(OsvmKind kind)
{
    return (unsigned)kind < OSVM_KINDS ? kinds[kind].name : NULL;
}

const char *plugin_default_name(OsvmKind kind)
{
    return kinds[kind].fallback;
}

static bool is_variant(const char *word)
{
    return strcmp(word, "checked") == 0 || strcmp(word, "production") == 0;
}

/* Copies `length` bytes as a name, if they are one. */
static bool take_name(char to[PLUGIN_NAME_MAX + 1], const char *from, size_t length)
{
    if (length > PLUGIN_NAME_MAX)
        return false;
    memcpy(to, from, length);
    to[length] = 0;
    return plugin_name_is_valid(to);
}

static bool refuse(OsvmKind kind, const char *text, OsvmError *error)
{
    return error_set(
        error, OSVM_USAGE,
        "'--%s=%s' does not name a plugin: it takes NAME[:VARIANT][,OPTION[=VALUE]...]",
        kinds[kind].name, text);
}

bool plugins_select(Plugins *plugins, OsvmKind kind, const char *text, OsvmError *error)
{
    Selection *selection = &plugins->selections[kind];
    size_t length = strcspn(text, ","), name_length = strcspn(text, ":,");
    char name[PLUGIN_NAME_MAX + 1], variant[PLUGIN_NAME_MAX + 1] = "";
    if (!take_name(name, text, name_length))
        return refuse(kind, text, error);
    if (text[name_length] == ':' &&
        !take_name(variant, text + name_length + 1, length - name_length - 1))
        return refuse(kind, text, error);
    if (text[name_length] != ':' && is_variant(name)) {
        strcpy(variant, name);
        name[0] = 0;
    }
    if (text[length] && !text[length + 1])
        return refuse(kind, text, error);
    strcpy(selection->name, name);
    if (variant[0])
        strcpy(selection->variant, variant);
    free(selection->options);
    selection->options = text[length] ? strdup(text + length + 1) : NULL;
    return true;
}

static bool refuse_kind(const char *word, OsvmError *error)
{
    Nearest nearest = nearest_to(word);
    for (int kind = 0; kind < OSVM_KINDS; kind++)
        nearest_offer(&nearest, kinds[kind].name);
    return error_set(
        error, OSVM_USAGE,
        "'--check=%s': there is no kind of plugin '%s'%s%s%s; there are: core, mm, gc, "
        "jit, cpu, prims",
        word, word, nearest.best ? "; did you mean '" : "", nearest.best ? nearest.best : "",
        nearest.best ? "'?" : "");
}

bool plugins_select_checked(Plugins *plugins, const char *list, OsvmError *error)
{
    bool all = !list || !*list;
    for (int kind = 0; all && kind < OSVM_KINDS; kind++)
        strcpy(plugins->selections[kind].variant, "checked");
    for (const char *at = all ? "" : list; *at;) {
        char word[16];
        size_t length = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        int kind = 0;
        while (kind < OSVM_KINDS && strcmp(kinds[kind].name, word) != 0)
            kind++;
        if (kind == OSVM_KINDS)
            return refuse_kind(word, error);
        strcpy(plugins->selections[kind].variant, "checked");
        at += length + (at[length] == ',');
    }
    return true;
}

void selections_free(Plugins *plugins)
{
    for (int kind = 0; kind < OSVM_KINDS; kind++)
        free(plugins->selections[kind].options);
}
