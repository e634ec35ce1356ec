/* Which plugin of primitives has a module.
 *
 * Methods name a module ("FilePlugin"), plugin files are named after folders
 * ("prims-file.so"). The first guess is the module's name in small letters without
 * "Plugin". If there is no such file, or another module is in it, all files are
 * asked, once.
 */
#include "plugins_int.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "osvm/prims.h"

static void modules_add(Plugins *plugins, const char *module, const char *name)
{
    plugins->modules = realloc(plugins->modules, (plugins->module_count + 1) * sizeof(Module));
    REQUIRE(plugins->modules, "the host has no memory for the names of modules");
    Module *added = &plugins->modules[plugins->module_count++];
    added->module = strdup(module);
    REQUIRE(added->module, "the host has no memory for the names of modules");
    strcpy(added->name, name);
}

static const char *modules_lookup(const Plugins *plugins, const char *module)
{
    for (size_t i = 0; i < plugins->module_count; i++)
        if (strcmp(plugins->modules[i].module, module) == 0 ||
            strcmp(plugins->modules[i].name, module) == 0)
            return plugins->modules[i].name;
    return NULL;
}

/* Asks one file, and notes its module and its name. */
static void ask_file(Plugins *plugins, const char *file, const PluginFileName *parsed)
{
    void *library;
    OsvmError error;
    DescriptorWanted wanted = {
        .kind = OSVM_PRIMS,
        .name = parsed->name,
        .variant = parsed->variant,
        .vtable_abi = OSVM_PRIMS_ABI,
        .vtable_size = OSVM_PRIMS_MODULE_SIZE,
    };
    const OsvmPlugin *plugin = library_open(file, &wanted, &library, &error);
    if (!plugin) {
        if (plugins->config.log_level >= OSVM_WARNING)
            fprintf(plugins->config.log ? plugins->config.log : stderr, "osvm: warning: %s\n",
                    error.message);
        return;
    }
    const char *module = ((const OsvmPrims *)plugin->vtable)->module;
    modules_add(plugins, module ? module : parsed->name, parsed->name);
    dlclose(library);
}

static void ask_visited(void *context, const char *file, const char *subdirectory)
{
    Plugins *plugins = context;
    PluginFileName parsed;
    if (plugin_file_name_parse(strrchr(file, '/') + 1, &parsed) && parsed.kind == OSVM_PRIMS &&
        strcmp(parsed.variant, "production") == 0 && !modules_lookup(plugins, parsed.name))
        ask_file(plugins, file, &parsed);
}

static void guess_name(const char *module, char name[PLUGIN_NAME_MAX + 1])
{
    size_t length = 0;
    for (const char *at = module; *at && length < PLUGIN_NAME_MAX; at++)
        name[length++] = (char)tolower((unsigned char)*at);
    name[length] = 0;
    if (length > 6 && strcmp(name + length - 6, "plugin") == 0)
        name[length - 6] = 0;
}

static void ask_guess(Plugins *plugins, const char *module)
{
    PluginFileName parsed = {.kind = OSVM_PRIMS, .variant = "production"};
    guess_name(module, parsed.name);
    char *file = plugin_name_is_valid(parsed.name)
                     ? search_find(&plugins->path, OSVM_PRIMS, parsed.name, "production", 0)
                     : NULL;
    if (file && !modules_lookup(plugins, parsed.name))
        ask_file(plugins, file, &parsed);
    free(file);
}

const char *module_find(Plugins *plugins, const char *module)
{
    const char *name = modules_lookup(plugins, module);
    if (name || plugins->modules_known)
        return name;
    ask_guess(plugins, module);
    name = modules_lookup(plugins, module);
    if (name)
        return name;
    search_visit(&plugins->path, ask_visited, plugins);
    plugins->modules_known = true;
    return modules_lookup(plugins, module);
}

void modules_free(Plugins *plugins)
{
    for (size_t i = 0; i < plugins->module_count; i++)
        free(plugins->modules[i].module);
    free(plugins->modules);
}
