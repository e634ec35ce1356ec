#include "plugin_user.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osvm/check.h"

/* ---- The host ---- */

static PluginUser *user_of(const OsvmHost *host)
{
    return host->kernel;
}

static const char *option_value(const OsvmHost *host, const char *name)
{
    const PluginUser *user = user_of(host);
    for (const PluginOption *option = user->choice.options; option && option->name; option++)
        if (strcmp(option->name, name) == 0)
            return option->value;
    for (const OsvmOption *option = user->plugin->options; option && option->name; option++)
        if (strcmp(option->name, name) == 0)
            return option->value;
    REQUIRE(false, "the plugin asks for option '%s', which it does not have", name);
}

static bool host_option_flag(const OsvmHost *host, const char *name)
{
    return strcmp(option_value(host, name), "yes") == 0;
}

static int64_t host_option_number(const OsvmHost *host, const char *name)
{
    return strtoll(option_value(host, name), NULL, 0);
}

static bool allocation_fails(PluginUser *user)
{
    user->allocations++;
    return user->choice.fail_allocation && user->allocations >= user->choice.fail_allocation;
}

static void *host_alloc(const OsvmHost *host, size_t size)
{
    void *block = allocation_fails(user_of(host)) ? NULL : calloc(1, size ? size : 1);
    user_of(host)->blocks += block != NULL;
    return block;
}

static void *host_resize(const OsvmHost *host, void *block, size_t old_size, size_t new_size)
{
    char *resized = allocation_fails(user_of(host)) ? NULL : realloc(block, new_size ? new_size : 1);
    if (resized && new_size > old_size)
        memset(resized + old_size, 0, new_size - old_size);
    user_of(host)->blocks += resized && !block;
    return resized;
}

static void host_free(const OsvmHost *host, void *block, size_t size)
{
    (void)size;
    user_of(host)->blocks -= block != NULL;
    free(block);
}

__attribute__((format(printf, 3, 4)))
static void host_log(const OsvmHost *host, OsvmLogLevel level, const char *format, ...)
{
    (void)host, (void)level, (void)format;
}

__attribute__((format(printf, 3, 4)))
static bool host_fail(OsvmError *error, OsvmStatus status, const char *format, ...)
{
    va_list arguments;
    if (!error)
        return false;
    error->status = status;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

static OsvmHost plugin_host(PluginUser *user)
{
    return (OsvmHost){
        .size = sizeof(OsvmHost), .abi_major = OSVM_ABI_MAJOR, .abi_minor = OSVM_ABI_MINOR,
        .signature = OSVM_SIGNATURE, .kernel = user, .world = user->choice.world,
        .own = user->choice.world, .alloc = host_alloc, .resize = host_resize,
        .free = host_free, .log = host_log, .fail = host_fail, .option_flag = host_option_flag,
        .option_number = host_option_number, .option_text = option_value,
    };
}

/* ---- The plugin ---- */

static bool fail(char *error, size_t error_size, const char *what, const char *detail)
{
    snprintf(error, error_size, "%s: %s", what, detail);
    return false;
}

static bool load(PluginUser *user, char *error, size_t error_size)
{
    const PluginChoice *choice = &user->choice;
    user->plugin = choice->linked;
    if (user->plugin)
        return true;
    user->library = dlopen(choice->file, RTLD_NOW | RTLD_LOCAL);
    if (!user->library)
        return fail(error, error_size, choice->file, dlerror());
    user->plugin = dlsym(user->library, "osvm_plugin");
    if (!user->plugin || user->plugin->magic != OSVM_MAGIC)
        return fail(error, error_size, choice->file, "is no plugin");
    if (user->plugin->kind != choice->kind || user->plugin->vtable_abi != choice->vtable_abi)
        return fail(error, error_size, choice->file, "is a plugin of another kind or version");
    if (choice->heap_bits && user->plugin->heap_bits != choice->heap_bits)
        return fail(error, error_size, choice->file, "is for another heap width");
    return true;
}

bool plugin_open(PluginUser *user, const PluginChoice *choice, char *error, size_t error_size)
{
    OsvmError reason = {0};
    *user = (PluginUser){.choice = *choice};
    user->host = plugin_host(user);
    if (!load(user, error, error_size))
        return false;
    size_t size = (user->plugin->state_size + 63) & ~(size_t)63;
    user->state = aligned_alloc(64, size ? size : 64);
    if (!user->state)
        return fail(error, error_size, "state", "no memory");
    memset(user->state, 0, size);
    user->host.inner = choice->inner ? &choice->inner->instance : NULL;
    user->instance = (OsvmInstance){.plugin = user->plugin, .vtable = user->plugin->vtable,
                                    .state = user->state, .host = &user->host,
                                    .file = choice->file, .generation = 1};
    if (user->plugin->init && !user->plugin->init(user->state, &user->host, &reason))
        return fail(error, error_size, "init", reason.message);
    return true;
}

size_t plugin_close(PluginUser *user)
{
    if (user->state && user->plugin->fini)
        user->plugin->fini(user->state);
    free(user->state);
    if (user->library)
        dlclose(user->library);
    size_t blocks = user->blocks;
    *user = (PluginUser){0};
    return blocks;
}
