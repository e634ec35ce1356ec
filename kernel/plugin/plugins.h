/* Finding, loading, checking and reloading plugins.
 *
 * A Plugins is what one VM has: where to look, what the user selected for each
 * kind, and the plugins in use. Whatever is wrong with a file gets a sentence
 * (OsvmError) that names what was asked for, the file, and both sides of a
 * mismatch.
 *
 *   search.c   directories, file names, what lies there
 *   elf.c      is the file whole and of this machine, before dlopen touches it
 *   descriptor.c  is the descriptor one of ours, and what was asked for
 *   loader.c   open, init, fini, reload; a Plugins' instances
 *   fork.c     the fork service: hooks of all plugins around a fork
 *   modules.c  which plugin of primitives has the module a method names
 *   host.c     what a plugin may call (OsvmHost)
 *   select.c   `--gc=NAME[:VARIANT][,option[=value]...]`, --check
 *   list.c     `osvm plugins`: each file tried in a process of its own
 */
#ifndef OSVM_PLUGIN_PLUGINS_H
#define OSVM_PLUGIN_PLUGINS_H

#include <stdio.h>

#include "kernel/cli/options.h"
#include "osvm/plugin.h"
#include "osvm/world.h"

enum { PLUGIN_NAME_MAX = 63 };

typedef struct Plugins Plugins;

typedef struct PluginsConfig {
    const char *path;       /* --plugin-path: directories with ':' between; NULL: none */
    bool only_path;         /* look nowhere but in `path` */
    const OsvmWorld *own;   /* host's: the kernel's; OSVM_PLUGIN_PATH is read from it */
    const OsvmWorld *world; /* host's: what plugins see as the world */
    OsvmLogLevel log_level; /* messages up to this level are written */
    FILE *log;              /* host's: where to; NULL: standard error */
} PluginsConfig;

Plugins *plugins_new(const PluginsConfig *config);
/* Ends all plugins, the last loaded first. NULL is allowed. */
void plugins_free(Plugins *plugins);

/* Is each of the directories in a list with ':' between one? If not: which, and why; `source` says
 * where the list comes from. (search.c) */
bool plugins_check_path(const char *source, const char *list, OsvmError *error);

/* --- Selecting (select.c) --- */

const char *plugin_kind_name(OsvmKind kind); /* "gc"; NULL beyond the last */
/* What the user wants for a kind: `NAME[:VARIANT][,option[=value]...]`; a variant's
 * name alone, `checked`, keeps the default name. */
bool plugins_select(Plugins *plugins, OsvmKind kind, const char *text, OsvmError *error);
/* `--check`: the checked variant for a list of kinds with commas between, or all (NULL or ""). */
bool plugins_select_checked(Plugins *plugins, const char *kinds, OsvmError *error);

/* --- Loading (loader.c) --- */

/* What a loader of a plugin asks for. */
typedef struct PluginRequest {
    OsvmKind kind;
    const char *name;     /* NULL: the selected one */
    unsigned heap_bits;   /* 32, 64, or 0: one that is for any */
    uint32_t vtable_abi;  /* what the caller was compiled with */
    size_t vtable_size;   /* least size the caller can use */
} PluginRequest;

const OsvmInstance *plugins_load(Plugins *plugins, const PluginRequest *request, OsvmError *error);
/* Is there a file for what was selected? */
bool plugins_require(Plugins *plugins, OsvmKind kind, unsigned heap_bits, OsvmError *error);
/* One use less; the last ends it. Selected plugins stay until plugins_free. */
void plugins_unload(Plugins *plugins, const OsvmInstance *instance);
/* Loads the plugin's file again and puts the new code in the place of the old,
 * with the state as it is. On failure everything stays as it was. */
bool plugins_reload(Plugins *plugins, const OsvmInstance *instance, OsvmError *error);

/* --- Cloning (fork.c) --- */

/* Clones the process with all plugins: its id, in the clone 0, else -errno; -ENOTSUP while a
 * plugin is loaded that cannot be cloned. `muted`: the clone writes nothing outside. */
int plugins_fork(Plugins *plugins, bool muted);

/* --- Listing (list.c) --- */

/* Writes what lies in the search path, as a table or as JSON; for files that do
 * not load, why. Answers how many of those there are. */
size_t plugins_list(Plugins *plugins, FILE *file, bool json);

#endif
