/* What a user of one plugin needs: its file or descriptor, a host for it, its state block.
 *
 *     PluginUser user;
 *     if (!plugin_open(&user, &(PluginChoice){.file = "gc-mine.so", .kind = OSVM_GC,
 *                                             .vtable_abi = OSVM_GC_ABI}, error, sizeof error))
 *         ...
 */
#ifndef OSVM_T_PLUGIN_USER_H
#define OSVM_T_PLUGIN_USER_H

#include "osvm/plugin.h"

typedef struct {
    const char *name;  /* option of the plugin */
    const char *value; /* as on the command line */
} PluginOption;

typedef struct PluginUser PluginUser;

typedef struct {
    const char *file;            /* to be loaded, or NULL: */
    const OsvmPlugin *linked;    /* part of the test */
    OsvmKind kind;
    uint32_t vtable_abi;
    int heap_bits;               /* 0: any */
    const PluginOption *options; /* closed by an entry without name; NULL: defaults */
    const PluginUser *inner;     /* what a shim is to stand before; NULL for others */
    const OsvmWorld *world;      /* NULL: it must not ask for one */
    size_t fail_allocation;      /* 1: the first, and all after it; 0: none fails */
} PluginChoice;

struct PluginUser {
    OsvmHost host; /* .kernel points here */
    PluginChoice choice;
    const OsvmPlugin *plugin;
    void *library; /* NULL: linked */
    void *state;
    OsvmInstance instance; /* as a shim before it sees it */
    size_t blocks; /* of memory that the plugin has from the host */
    size_t allocations; /* it asked for so far */
};

/* False with a sentence when the plugin cannot be had. plugin_close is for either case. */
bool plugin_open(PluginUser *user, const PluginChoice *choice, char *error, size_t error_size);
/* Answers the blocks that the plugin did not give back. */
size_t plugin_close(PluginUser *user);

#endif
