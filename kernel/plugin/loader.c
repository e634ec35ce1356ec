/* Loading: from a request to an instance in use.
 *
 *   request -> file (search) -> whole? (elf) -> dlopen -> ours? (descriptor)
 *           -> options -> state block -> init -> shim around it, if checked -> instance
 *
 * Each step that fails undoes what came before it. While foreign code of a file
 * that has not proved itself runs (its constructors, its init), a crash is
 * reported as that file's and ends the process with a message.
 *
 * The checked variant of a kind is made of the plugin's own checked build, where
 * there is one, with the kind's shim (<kind>-shim.checked.so), where there is one,
 * around it.
 */
#include "plugins_int.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/world/worlds.h"

enum { STATE_ALIGNMENT = 64 };

/* --- Crashes of code that has not proved itself --------------------------- */

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof *crash_signals };

/* The file under trial. A signal handler has no other way to know it. */
static const char *volatile trial_file;

static void report_crash(int number)
{
    char text[1024];
    int length =
        snprintf(text, sizeof text,
                 "osvm: plugin '%s' crashed while it was being loaded (SIG%s); it is damaged "
                 "or not made for this osvm\n",
                 trial_file, sigabbrev_np(number));
    ssize_t ignored = write(2, text, (size_t)length < sizeof text ? (size_t)length : sizeof text);
    (void)ignored;
    _exit(OSVM_UNAVAILABLE);
}

typedef struct Trial {
    struct sigaction kept[CRASH_SIGNALS];
} Trial;

static void trial_begin(Trial *trial, const char *file)
{
    struct sigaction action = {.sa_handler = report_crash};
    trial_file = file;
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        sigaction(crash_signals[i], &action, &trial->kept[i]);
}

static void trial_end(Trial *trial)
{
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        sigaction(crash_signals[i], &trial->kept[i], NULL);
    trial_file = NULL;
}

/* --- Opening a file ------------------------------------------------------- */

/* The size the file gives its descriptor; 0 if that cannot be found out. */
static size_t symbol_size(const void *symbol)
{
    Dl_info info;
    const ElfW(Sym) *entry = NULL;
    if (!dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry)
        return 0;
    return entry->st_size;
}

/* `name` is what dlopen is given, `file` what messages name. */
static const OsvmPlugin *open_named(const char *name, const char *file,
                                    const DescriptorWanted *wanted, void **library,
                                    OsvmError *error)
{
    *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!*library) {
        error_set(error, OSVM_UNAVAILABLE, "plugin '%s' does not load: %s", file, dlerror());
        return NULL;
    }
    const OsvmPlugin *plugin = dlsym(*library, "osvm_plugin");
    if (!plugin)
        error_set(error, OSVM_UNAVAILABLE,
                  "'%s' is no osvm plugin: it does not export 'osvm_plugin'", file);
    if (plugin && descriptor_check(plugin, symbol_size(plugin), file, wanted, error))
        return plugin;
    dlclose(*library);
    *library = NULL;
    return NULL;
}

const OsvmPlugin *library_open(const char *file, const DescriptorWanted *wanted, void **library,
                               OsvmError *error)
{
    if (!elf_check(file, error))
        return NULL;
    Trial trial;
    trial_begin(&trial, file);
    const OsvmPlugin *plugin = open_named(file, file, wanted, library, error);
    trial_end(&trial);
    return plugin;
}

/* Answers an open file with the same bytes, or -1 with `error` set. */
static int file_copy_to_memory(const char *file, OsvmError *error)
{
    int from = open(file, O_RDONLY | O_CLOEXEC), to = memfd_create(file, MFD_CLOEXEC);
    char block[65536];
    ssize_t count = from < 0 || to < 0 ? -1 : 1;
    while (count > 0) {
        count = read(from, block, sizeof block);
        if (count > 0 && write(to, block, (size_t)count) != count)
            count = -1;
    }
    if (count < 0) {
        error_set(error, OSVM_UNAVAILABLE, "cannot copy plugin '%s': %s", file, strerror(errno));
        if (to >= 0)
            close(to);
        to = -1;
    }
    if (from >= 0)
        close(from);
    return to;
}

/* --- One plugin ----------------------------------------------------------- */

static void loaded_free(Loaded *loaded)
{
    options_free(loaded->options);
    free(loaded->instance.state);
    free((char *)loaded->instance.file);
    free(loaded);
}

/* Calls fini, closes and frees. */
static void loaded_end(Loaded *loaded)
{
    if (loaded->instance.plugin->fini)
        loaded->instance.plugin->fini(loaded->instance.state);
    void *library = loaded->library;
    loaded_free(loaded);
    dlclose(library);
}

static void *state_new(size_t size)
{
    size_t rounded = (size + STATE_ALIGNMENT - 1) / STATE_ALIGNMENT * STATE_ALIGNMENT;
    void *state = aligned_alloc(STATE_ALIGNMENT, rounded ? rounded : STATE_ALIGNMENT);
    if (state)
        memset(state, 0, rounded);
    return state;
}

static bool set_options(Loaded *loaded, const char *text, OsvmError *error)
{
    char owner[PLUGIN_NAME_MAX + 32];
    const OsvmPlugin *plugin = loaded->instance.plugin;
    snprintf(owner, sizeof owner, "%s plugin '%s'", plugin_kind_name((OsvmKind)plugin->kind),
             plugin->name);
    loaded->options = options_new(plugin->options, owner);
    return !text || options_set_list(loaded->options, text, error);
}

static bool run_init(Loaded *loaded, OsvmError *error)
{
    const OsvmPlugin *plugin = loaded->instance.plugin;
    if (!plugin->init)
        return true;
    OsvmError said = {.status = OSVM_UNAVAILABLE};
    Trial trial;
    trial_begin(&trial, loaded->instance.file);
    bool done = plugin->init(loaded->instance.state, &loaded->host, &said);
    trial_end(&trial);
    if (!done)
        error_set(error, said.status ? said.status : OSVM_UNAVAILABLE,
                  "plugin '%s' does not start: %s", loaded->instance.file,
                  said.message[0] ? said.message : "it does not say why");
    return done;
}

/* Loads one file up to init. `file` is given. */
static Loaded *load_file(Plugins *plugins, char *file, const DescriptorWanted *wanted,
                         const char *options, const OsvmInstance *inner, OsvmError *error)
{
    Loaded *loaded = calloc(1, sizeof *loaded);
    REQUIRE(loaded, "the host has no memory for plugin '%s'", file);
    loaded->owner = plugins;
    loaded->uses = 1;
    loaded->heap_bits = wanted->heap_bits;
    loaded->instance = (OsvmInstance){.file = file, .host = &loaded->host, .generation = 1};
    const OsvmPlugin *plugin = library_open(file, wanted, &loaded->library, error);
    if (!plugin) {
        loaded_free(loaded);
        return NULL;
    }
    loaded->instance.plugin = plugin;
    loaded->instance.vtable = plugin->vtable;
    loaded->instance.state = state_new(plugin->state_size);
    loaded->state_size = plugin->state_size;
    host_fill(loaded, inner);
    bool ready = set_options(loaded, options, error);
    if (ready && !loaded->instance.state)
        ready = error_set(error, OSVM_INTERNAL, "the host has no %zu bytes for the state of '%s'",
                          plugin->state_size, file);
    if (!ready) {
        void *library = loaded->library;
        loaded_free(loaded);
        dlclose(library);
        return NULL;
    }
    if (!run_init(loaded, error)) {
        loaded_end(loaded);
        return NULL;
    }
    loaded->next = plugins->loaded;
    plugins->loaded = loaded;
    return loaded;
}

/* Takes a plugin out of the list and ends it. */
static void end_loaded(Plugins *plugins, Loaded *loaded)
{
    Loaded **link = &plugins->loaded;
    while (*link != loaded)
        link = &(*link)->next;
    *link = loaded->next;
    loaded_end(loaded);
}

/* --- From a request to an instance ---------------------------------------- */

static DescriptorWanted wanted_of(const PluginRequest *request, const char *name,
                                  const char *variant)
{
    return (DescriptorWanted){
        .kind = request->kind,
        .name = name,
        .variant = variant,
        .heap_bits = request->heap_bits,
        .vtable_abi = request->vtable_abi,
        .vtable_size = request->vtable_size,
    };
}

/* The shim of the kind around `inner`, or `inner` where the kind has none. On failure `inner` is
 * ended. */
static Loaded *wrap(Plugins *plugins, const PluginRequest *request, Loaded *inner, OsvmError *error)
{
    char *file = search_find(&plugins->path, request->kind, "shim", "checked", request->heap_bits);
    if (!file)
        return inner;
    DescriptorWanted wanted = wanted_of(request, "shim", "checked");
    Loaded *shim = load_file(plugins, file, &wanted, NULL, &inner->instance, error);
    if (!shim) {
        end_loaded(plugins, inner);
        return NULL;
    }
    inner->is_inner = true;
    return shim;
}

/* The checked variant: a checked build if there is one, else the production build if a shim or the
 * kind's nature makes up for it. Answers a file, with `variant` set; NULL if there is none. */
static char *find_checked(Plugins *plugins, const PluginRequest *request, const char *name,
                          const char **variant)
{
    char *file = search_find(&plugins->path, request->kind, name, "checked", request->heap_bits);
    if (file)
        return file;
    char *shim = search_find(&plugins->path, request->kind, "shim", "checked", request->heap_bits);
    bool enough = shim || request->kind == OSVM_PRIMS;
    free(shim);
    if (!enough)
        return NULL;
    *variant = "production";
    return search_find(&plugins->path, request->kind, name, "production", request->heap_bits);
}

static Loaded *load_named(Plugins *plugins, const PluginRequest *request, const char *name,
                          const char *options, OsvmError *error)
{
    const Selection *selection = &plugins->selections[request->kind];
    const char *variant = selection->variant[0] ? selection->variant : "production";
    bool checked = strcmp(variant, "checked") == 0;
    const char *found = variant;
    char *file =
        checked ? find_checked(plugins, request, name, &found)
                : search_find(&plugins->path, request->kind, name, variant, request->heap_bits);
    if (!file) {
        search_refuse(&plugins->path, request->kind, name, variant, request->heap_bits, error);
        return NULL;
    }
    DescriptorWanted wanted = wanted_of(request, name, found);
    Loaded *loaded = load_file(plugins, file, &wanted, options, NULL, error);
    return loaded && checked ? wrap(plugins, request, loaded, error) : loaded;
}

bool plugins_require(Plugins *plugins, OsvmKind kind, unsigned heap_bits, OsvmError *error)
{
    const Selection *selection = &plugins->selections[kind];
    const char *name = selection->name[0] ? selection->name : plugin_default_name(kind);
    const char *variant = selection->variant[0] ? selection->variant : "production";
    if (!name)
        return error_set(error, OSVM_USAGE, "no %s plugin was named, and there is no default",
                         plugin_kind_name(kind));
    char *file = search_find(&plugins->path, kind, name, variant, heap_bits);
    free(file);
    return file ? true : search_refuse(&plugins->path, kind, name, variant, heap_bits, error);
}

static bool fits(const Loaded *loaded, const PluginRequest *request, OsvmError *error)
{
    const OsvmPlugin *plugin = loaded->instance.plugin;
    DescriptorWanted wanted = wanted_of(request, plugin->name, plugin->variant);
    return descriptor_check(plugin, sizeof *plugin, loaded->instance.file, &wanted, error);
}

static const OsvmInstance *load_selected(Plugins *plugins, const PluginRequest *request,
                                         OsvmError *error)
{
    for (Loaded *loaded = plugins->loaded; loaded; loaded = loaded->next)
        if (loaded->selected && loaded->instance.plugin->kind == request->kind &&
            loaded->heap_bits == request->heap_bits)
            return fits(loaded, request, error) ? &loaded->instance : NULL;
    const Selection *selection = &plugins->selections[request->kind];
    const char *name = selection->name[0] ? selection->name : plugin_default_name(request->kind);
    if (!name) {
        error_set(error, OSVM_USAGE, "no %s plugin was selected, and there is no default",
                  plugin_kind_name(request->kind));
        return NULL;
    }
    Loaded *loaded = load_named(plugins, request, name, selection->options, error);
    if (loaded)
        loaded->selected = true;
    return loaded ? &loaded->instance : NULL;
}

/* --- Plugins by name -------------------------------------------------------- */

static Loaded *find_loaded(Plugins *plugins, const PluginRequest *request, const char *name)
{
    for (Loaded *loaded = plugins->loaded; loaded; loaded = loaded->next) {
        const OsvmPlugin *plugin = osvm_behind_shims(&loaded->instance)->plugin;
        if (!loaded->is_inner && !loaded->selected && plugin->kind == request->kind &&
            loaded->heap_bits == request->heap_bits && strcmp(plugin->name, name) == 0)
            return loaded;
    }
    return NULL;
}

static bool refuse_name(const PluginRequest *request, OsvmError *error)
{
    return error_set(error, OSVM_UNAVAILABLE, "there is no %s '%s'",
                     request->kind == OSVM_PRIMS ? "module of primitives" : "plugin", request->name);
}

/* The name may go on with options, as in `--gc=sweep,lazy`: those are for an instance of its own. */
static const OsvmInstance *load_with_options(Plugins *plugins, const PluginRequest *request,
                                             OsvmError *error)
{
    char name[PLUGIN_NAME_MAX + 1];
    size_t length = strcspn(request->name, ",");
    if (length > PLUGIN_NAME_MAX) {
        refuse_name(request, error);
        return NULL;
    }
    memcpy(name, request->name, length);
    name[length] = 0;
    Loaded *loaded = NULL;
    if (plugin_name_is_valid(name))
        loaded = load_named(plugins, request, name, request->name + length + 1, error);
    else
        refuse_name(request, error);
    return loaded ? &loaded->instance : NULL;
}

static const OsvmInstance *load_by_name(Plugins *plugins, const PluginRequest *request,
                                        OsvmError *error)
{
    const char *name = request->name;
    if (request->kind == OSVM_PRIMS)
        name = module_find(plugins, request->name);
    else if (strchr(name, ','))
        return load_with_options(plugins, request, error);
    if (!name || !plugin_name_is_valid(name)) {
        refuse_name(request, error);
        return NULL;
    }
    Loaded *loaded = find_loaded(plugins, request, name);
    if (loaded) {
        loaded->uses++;
        return fits(loaded, request, error) ? &loaded->instance : NULL;
    }
    loaded = load_named(plugins, request, name, NULL, error);
    return loaded ? &loaded->instance : NULL;
}

const OsvmInstance *plugins_load(Plugins *plugins, const PluginRequest *request, OsvmError *error)
{
    return request->name ? load_by_name(plugins, request, error)
                         : load_selected(plugins, request, error);
}

/* Ends a plugin, and what it wraps. */
static void end_chain(Plugins *plugins, Loaded *loaded)
{
    const OsvmInstance *inner = loaded->host.inner;
    end_loaded(plugins, loaded);
    if (inner)
        end_chain(plugins, (Loaded *)inner);
}

void plugins_unload(Plugins *plugins, const OsvmInstance *instance)
{
    Loaded *loaded = (Loaded *)instance;
    if (!loaded->selected && --loaded->uses == 0)
        end_chain(plugins, loaded);
}

/* --- Reloading ------------------------------------------------------------ */

/* dlopen takes a path it knows for the library it has. A copy in memory has a path of its own, and
 * writing over the file cannot change code that runs.
 * Neither copy nor old code is ever unmapped. */
static const OsvmPlugin *open_again(const Loaded *loaded, void **library, OsvmError *error)
{
    const OsvmPlugin *old = loaded->instance.plugin;
    DescriptorWanted wanted = {.kind = (OsvmKind)old->kind,
                               .name = old->name,
                               .variant = old->variant,
                               .heap_bits = loaded->heap_bits,
                               .vtable_abi = old->vtable_abi,
                               .vtable_size = old->vtable_size};
    const char *file = loaded->instance.file;
    char name[64];
    if (!elf_check(file, error))
        return NULL;
    int copy = file_copy_to_memory(file, error);
    if (copy < 0)
        return NULL;
    snprintf(name, sizeof name, "/proc/self/fd/%d", copy);
    Trial trial;
    trial_begin(&trial, file);
    const OsvmPlugin *plugin = open_named(name, file, &wanted, library, error);
    trial_end(&trial);
    if (!plugin)
        close(copy);
    return plugin;
}

static bool refuse_reload(const Loaded *loaded, const OsvmPlugin *new, OsvmError *error)
{
    const OsvmPlugin *old = loaded->instance.plugin;
    if (new->state_version != old->state_version)
        error_set(error, OSVM_UNAVAILABLE,
                  "'%s' has state version %u now, the running plugin has %u; it cannot take over",
                  loaded->instance.file, new->state_version, old->state_version);
    else
        error_set(
            error, OSVM_UNAVAILABLE,
            "'%s' needs %zu bytes of state now, the running plugin has %zu; it cannot take over",
            loaded->instance.file, new->state_size, loaded->state_size);
    return false;
}

/* Lets the new code take over; back to the old if it does not want to. */
static bool take_over(Loaded *loaded, const OsvmPlugin *new, OsvmError *error)
{
    OsvmInstance *instance = &loaded->instance;
    const OsvmPlugin *old = instance->plugin;
    OsvmError said = {.status = OSVM_UNAVAILABLE};
    instance->plugin = new;
    instance->vtable = new->vtable;
    if (!new->reloaded || new->reloaded(instance->state, instance->host, &said)) {
        instance->generation++;
        return true;
    }
    instance->plugin = old;
    instance->vtable = old->vtable;
    return error_set(error, OSVM_UNAVAILABLE, "'%s' does not take over: %s", instance->file,
                     said.message[0] ? said.message : "it does not say why");
}

bool plugins_reload(Plugins *plugins, const OsvmInstance *instance, OsvmError *error)
{
    Loaded *loaded = (Loaded *)instance;
    void *library;
    if (instance->busy)
        return error_set(error, OSVM_UNAVAILABLE,
                         "plugin '%s' cannot be reloaded while %u of its C "
                         "frames are live",
                         instance->file, instance->busy);
    if (instance->plugin->flags & OSVM_SINGLETON)
        return error_set(error, OSVM_UNAVAILABLE,
                         "plugin '%s' keeps static state (singleton) and cannot be reloaded",
                         instance->file);
    const OsvmPlugin *new = open_again(loaded, &library, error);
    if (!new)
        return false;
    if (new->state_version ==
            instance->plugin->state_version &&new->state_size <= loaded->state_size &&
        take_over(loaded, new, error))
        return true;
    if (new->state_version != instance->plugin->state_version ||
        new->state_size > loaded->state_size)
        refuse_reload(loaded, new, error);
    dlclose(library);
    return false;
}

/* --- All of them ---------------------------------------------------------- */

Plugins *plugins_new(const PluginsConfig *config)
{
    Plugins *plugins = calloc(1, sizeof *plugins);
    REQUIRE(plugins, "the host has no memory for plugins");
    plugins->config = *config;
    search_path_fill(&plugins->path, config);
    return plugins;
}

void plugins_free(Plugins *plugins)
{
    if (!plugins)
        return;
    while (plugins->loaded)
        end_loaded(plugins, plugins->loaded);
    selections_free(plugins);
    modules_free(plugins);
    search_path_free(&plugins->path);
    world_free(plugins->silence);
    free(plugins);
}
