/* Private to kernel/plugin. */
#ifndef OSVM_PLUGIN_PLUGINS_INT_H
#define OSVM_PLUGIN_PLUGINS_INT_H

#include "plugins.h"

/* What the user wants for a kind. */
typedef struct Selection {
    char name[PLUGIN_NAME_MAX + 1];    /* "": the kind's default */
    char variant[PLUGIN_NAME_MAX + 1]; /* "": production */
    char *options;                     /* owned: the text after the first comma; NULL: none */
} Selection;

/* A loaded plugin. `host.kernel` points back to it. */
typedef struct Loaded {
    OsvmInstance instance;  /* first, so that an OsvmInstance leads back here */
    OsvmHost host;
    struct Plugins *owner;
    struct Loaded *next;    /* the one loaded before */
    void *library;          /* dlopen's handle of the newest generation */
    OptionSet *options;
    unsigned uses;
    bool selected;          /* stands for its kind */
    bool is_inner;          /* a shim wraps it and answers in its place */
    unsigned heap_bits;     /* as asked for */
    size_t state_size;      /* bytes allocated */
} Loaded;

typedef struct SearchPath {
    char **directories; /* absolute or as given, without repetitions; owned */
    size_t count;
} SearchPath;

/* A module of primitives as methods name it, and the plugin it is in. */
typedef struct Module {
    char *module; /* "FilePlugin"; owned */
    char name[PLUGIN_NAME_MAX + 1];
} Module;

struct Plugins {
    PluginsConfig config;
    SearchPath path;
    Selection selections[OSVM_KINDS];
    Loaded *loaded; /* newest first */
    Module *modules; /* what all files of primitives say; owned */
    size_t module_count;
    bool modules_known; /* all files have been asked */
    OsvmWorld *silence; /* of a muted clone; owned; NULL: this is none */
};

/* search.c */

void search_path_fill(SearchPath *path, const PluginsConfig *config);
void search_path_free(SearchPath *path);
bool plugin_name_is_valid(const char *name);
/* The path of `<kind>-<name>[.variant].so`: owned by the caller; NULL if there is none. */
char *search_find(const SearchPath *path, OsvmKind kind, const char *name, const char *variant,
                  unsigned heap_bits);
/* Says in `error` that there is none, where it was looked for, and what there is. */
bool search_refuse(const SearchPath *path, OsvmKind kind, const char *name, const char *variant,
                   unsigned heap_bits, OsvmError *error);
/* Calls `visit` for each file that has a plugin's name, in order of the search;
 * `subdirectory` is "32", "64", "any" or "". What lies behind one of the same
 * name and subdirectory is left out. */
void search_visit(const SearchPath *path,
                  void (*visit)(void *context, const char *file, const char *subdirectory),
                  void *context);
/* Takes `<kind>-<name>[.variant].so` apart; false if it is not so. */
typedef struct PluginFileName {
    OsvmKind kind;
    char name[PLUGIN_NAME_MAX + 1];
    char variant[PLUGIN_NAME_MAX + 1]; /* "production" where the file name has none */
} PluginFileName;
bool plugin_file_name_parse(const char *file, PluginFileName *parsed);

/* elf.c */

/* Is `file` a regular file with a whole shared object of this machine in it? */
bool elf_check(const char *file, OsvmError *error);

/* descriptor.c */

/* What a descriptor has to be. */
typedef struct DescriptorWanted {
    OsvmKind kind;
    const char *name, *variant;
    unsigned heap_bits;
    bool any_width;      /* heap_bits is not looked at */
    uint32_t vtable_abi; /* 0: not looked at */
    size_t vtable_size;
} DescriptorWanted;
/* `symbol_size` is what the shared object says of the symbol's size. */
bool descriptor_check(const OsvmPlugin *plugin, size_t symbol_size, const char *file,
                      const DescriptorWanted *wanted, OsvmError *error);

/* loader.c */

/* dlopen and the checks, no init. NULL with `error` set. */
const OsvmPlugin *library_open(const char *file, const DescriptorWanted *wanted, void **library,
                               OsvmError *error);

/* modules.c */

/* The name of the plugin of primitives that has a module, "FilePlugin"; a plugin's own name is
 * taken as well. Valid until plugins_free; NULL if there is none. */
const char *module_find(Plugins *plugins, const char *module);
void modules_free(Plugins *plugins);

/* host.c */

void host_fill(Loaded *loaded, const OsvmInstance *inner);

/* select.c */

const char *plugin_default_name(OsvmKind kind); /* NULL: none */
void selections_free(Plugins *plugins);

#endif
