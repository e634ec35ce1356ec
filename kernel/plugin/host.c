/* What a plugin may call: the functions of OsvmHost. */
#include "plugins_int.h"

#include <stdlib.h>
#include <string.h>

static Loaded *loaded_of(const OsvmHost *host)
{
    return host->kernel;
}

static void *host_alloc(const OsvmHost *host, size_t size)
{
    return calloc(1, size ? size : 1);
}

static void *host_resize(const OsvmHost *host, void *block, size_t old_size, size_t new_size)
{
    char *resized = realloc(block, new_size ? new_size : 1);
    if (resized && new_size > old_size)
        memset(resized + old_size, 0, new_size - old_size);
    return resized;
}

static void host_free(const OsvmHost *host, void *block, size_t size)
{
    free(block);
}

static void host_log(const OsvmHost *host, OsvmLogLevel level, const char *format, ...)
{
    static const char *const words[] = {"error: ", "warning: ", "", "debug: "};
    const Loaded *loaded = loaded_of(host);
    const PluginsConfig *config = &loaded->owner->config;
    const OsvmPlugin *plugin = loaded->instance.plugin;
    if (level > config->log_level)
        return;
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(config->log ? config->log : stderr, "osvm: %s-%s: %s%s\n",
            plugin_kind_name((OsvmKind)plugin->kind), plugin->name, words[level], line);
}

static bool host_fail(OsvmError *error, OsvmStatus status, const char *format, ...)
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

static bool host_option_flag(const OsvmHost *host, const char *name)
{
    return options_flag(loaded_of(host)->options, name);
}

static int64_t host_option_number(const OsvmHost *host, const char *name)
{
    return options_number(loaded_of(host)->options, name);
}

static const char *host_option_text(const OsvmHost *host, const char *name)
{
    return options_text(loaded_of(host)->options, name);
}

static const OsvmInstance *host_load(const OsvmHost *host, OsvmKind kind, const char *name,
                                     uint32_t vtable_abi, size_t vtable_size, OsvmError *error)
{
    const Loaded *loaded = loaded_of(host);
    PluginRequest request = {
        .kind = kind,
        .name = name,
        .heap_bits = kind == OSVM_PRIMS ? 0 : loaded->heap_bits,
        .vtable_abi = vtable_abi,
        .vtable_size = vtable_size,
    };
    return plugins_load(loaded->owner, &request, error);
}

static void host_unload(const OsvmHost *host, const OsvmInstance *instance)
{
    plugins_unload(loaded_of(host)->owner, instance);
}

static int host_fork(const OsvmHost *host, bool muted)
{
    return plugins_fork(loaded_of(host)->owner, muted);
}

void host_fill(Loaded *loaded, const OsvmInstance *inner)
{
    loaded->host = (OsvmHost){
        .size = sizeof(OsvmHost),
        .abi_major = OSVM_ABI_MAJOR,
        .abi_minor = OSVM_ABI_MINOR,
        .signature = OSVM_SIGNATURE,
        .kernel = loaded,
        .world = loaded->owner->config.world,
        .own = loaded->owner->config.own,
        .inner = inner,
        .alloc = host_alloc,
        .resize = host_resize,
        .free = host_free,
        .log = host_log,
        .fail = host_fail,
        .option_flag = host_option_flag,
        .option_number = host_option_number,
        .option_text = host_option_text,
        .load = host_load,
        .unload = host_unload,
        .fork = host_fork,
    };
}
