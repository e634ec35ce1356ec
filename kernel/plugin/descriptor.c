/* Is a descriptor one of ours, and the one that was asked for? Reads only the
 * envelope until it has turned out to be ours. */
#include "plugins_int.h"

#include <string.h>

enum { STATE_LIMIT = 1 << 30 };

/* The sentence's first half: what the plugin is. */
#define REFUSE(...) error_set(error, OSVM_UNAVAILABLE, __VA_ARGS__)

static bool check_envelope(const OsvmPlugin *plugin, size_t symbol_size, const char *file,
                           OsvmError *error)
{
    if (symbol_size < offsetof(OsvmPlugin, name))
        return REFUSE("'%s' is no osvm plugin: its 'osvm_plugin' has %zu bytes, too few for a "
                      "descriptor",
                      file, symbol_size);
    if (plugin->magic != OSVM_MAGIC)
        return REFUSE("'%s' is no osvm plugin: its descriptor begins with 0x%08x, ours with 0x%08x",
                      file, plugin->magic, OSVM_MAGIC);
    if (plugin->abi_major != OSVM_ABI_MAJOR || plugin->abi_minor > OSVM_ABI_MINOR)
        return REFUSE("'%s' speaks plugin ABI %u.%u, this osvm %u.%u", file, plugin->abi_major,
                      plugin->abi_minor, OSVM_ABI_MAJOR, OSVM_ABI_MINOR);
    if (plugin->size < sizeof(OsvmPlugin) || symbol_size < plugin->size)
        return REFUSE("'%s' has a descriptor of %u bytes (%zu in the file), ABI %u.%u has %zu",
                      file, plugin->size, symbol_size, OSVM_ABI_MAJOR, OSVM_ABI_MINOR,
                      sizeof(OsvmPlugin));
    if (!plugin->signature || strcmp(plugin->signature, OSVM_SIGNATURE) != 0)
        return REFUSE("'%s' was built for '%s', this osvm for '%s'", file,
                      plugin->signature ? plugin->signature : "(nothing)", OSVM_SIGNATURE);
    return true;
}

static bool check_contents(const OsvmPlugin *plugin, const char *file, OsvmError *error)
{
    const char *const texts[] = {plugin->name, plugin->variant, plugin->version, plugin->summary,
                                 plugin->licence};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!texts[i])
            return REFUSE("'%s' has an incomplete descriptor: name, variant, version, summary or "
                          "licence is missing",
                          file);
    if (plugin->kind >= OSVM_KINDS)
        return REFUSE("'%s' is a plugin of kind %u, which this osvm does not know", file,
                      plugin->kind);
    if (plugin->heap_bits != 0 && plugin->heap_bits != 32 && plugin->heap_bits != 64)
        return REFUSE("'%s' says that it is for %u-bit heaps; there are 32, 64 and 0 for any", file,
                      plugin->heap_bits);
    if (!plugin->vtable || !plugin->vtable_size)
        return REFUSE("'%s' has no vtable", file);
    if (plugin->state_size > STATE_LIMIT)
        return REFUSE("'%s' wants %zu bytes of state; the limit is %d", file, plugin->state_size,
                      STATE_LIMIT);
    char owner[256];
    snprintf(owner, sizeof owner, "'%s'", file);
    return options_check_table(plugin->options, owner, error);
}

static bool check_wanted(const OsvmPlugin *plugin, const char *file, const DescriptorWanted *wanted,
                         OsvmError *error)
{
    const char *kind = plugin_kind_name((OsvmKind)plugin->kind);
    if (plugin->kind != wanted->kind)
        return REFUSE("'%s' is a plugin of kind %s, %s was asked for", file, kind,
                      plugin_kind_name(wanted->kind));
    if (strcmp(plugin->name, wanted->name) != 0 || strcmp(plugin->variant, wanted->variant) != 0)
        return REFUSE("'%s' calls itself '%s:%s', but '%s:%s' was asked for", file, plugin->name,
                      plugin->variant, wanted->name, wanted->variant);
    if (plugin->heap_bits && !wanted->any_width && plugin->heap_bits != wanted->heap_bits)
        return REFUSE("'%s' is for %u-bit heaps, but one for %s was asked for", file,
                      plugin->heap_bits,
                      wanted->heap_bits == 64   ? "64-bit heaps"
                      : wanted->heap_bits == 32 ? "32-bit heaps"
                                                : "any heap");
    if (wanted->vtable_abi && plugin->vtable_abi != wanted->vtable_abi)
        return REFUSE("'%s' has %s ABI %u, its user needs %u", file, kind, plugin->vtable_abi,
                      wanted->vtable_abi);
    if (plugin->vtable_size < wanted->vtable_size)
        return REFUSE("'%s' has a %s vtable of %zu bytes, its user needs %zu", file, kind,
                      plugin->vtable_size, wanted->vtable_size);
    return true;
}

bool descriptor_check(const OsvmPlugin *plugin, size_t symbol_size, const char *file,
                      const DescriptorWanted *wanted, OsvmError *error)
{
    return check_envelope(plugin, symbol_size, file, error) &&
           check_contents(plugin, file, error) && check_wanted(plugin, file, wanted, error);
}
