/* What every plugin and the kernel say to each other.
 *
 * A plugin is a shared object that exports one symbol, `osvm_plugin`, a constant
 * OsvmPlugin: who it is, for which heap, and its vtable. Two structs cross the
 * border, one for each direction: the vtable of the plugin's kind (gc.h, mm.h,
 * core.h, ...) is what others call in it, OsvmHost is what it may call. It links
 * against no symbol of the kernel.
 *
 * Rules for plugins:
 *   - No mutable static state. What a plugin keeps lives in one block that the
 *     kernel allocates, sized and versioned by the descriptor, and in memory it
 *     asks of the host. (A library that cannot obey sets OSVM_SINGLETON.)
 *   - All memory comes from OsvmHost with its size, and goes back with its size.
 *   - Everything outside the process is reached through OsvmHost.world.
 *   - No longjmp across the border.
 *
 * Rules for this file: structs only grow at the end; a comment line closes each
 * version. A caller tests `size` (OSVM_HAS) and then for NULL before it uses a
 * member that a later version brought. Ownership is said with four words:
 * borrowed (valid during the call), given (now the callee's), kept (stays valid
 * while the plugin is loaded), host's (valid as long as the host).
 */
#ifndef OSVM_PLUGIN_H
#define OSVM_PLUGIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "osvm/check.h"

#define OSVM_MAGIC 0x4D56534Fu /* "OSVM" in memory on a little-endian machine */
enum { OSVM_ABI_MAJOR = 1, OSVM_ABI_MINOR = 0 };

/* Host facts that change the layout of what crosses the border. The kernel
 * refuses a plugin whose signature differs from its own. The heap's width and
 * the variant are not in it: they are members of the descriptor. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OSVM_SIGNATURE_ENDIAN "little"
#else
#define OSVM_SIGNATURE_ENDIAN "big"
#endif
#if __SIZEOF_POINTER__ == 8
#define OSVM_SIGNATURE_POINTER "64"
#else
#define OSVM_SIGNATURE_POINTER "32"
#endif
#define OSVM_SIGNATURE "osvm host=" OSVM_SIGNATURE_POINTER " endian=" OSVM_SIGNATURE_ENDIAN

/* Is `member` there, as far as the struct's own size says? */
#define OSVM_HAS(object, member)                                                                   \
    ((object)->size >= offsetof(__typeof__(*(object)), member) + sizeof((object)->member))

typedef struct OsvmHost OsvmHost;
typedef struct OsvmPlugin OsvmPlugin;
typedef struct OsvmWorld OsvmWorld; /* world.h */

typedef enum OsvmKind {
    OSVM_CORE,  /* interpreter, stack zone, scheduler, images of one heap width (core.h) */
    OSVM_MM,    /* memory manager (mm.h) */
    OSVM_GC,    /* collector of old space (gc.h) */
    OSVM_JIT,   /* back end of the JIT */
    OSVM_CPU,   /* processor that runs machine code */
    OSVM_PRIMS, /* module of named primitives (prims.h), for any heap width */
    OSVM_KINDS  /* how many there are; new kinds go before */
} OsvmKind;

/* --- Errors --------------------------------------------------------------- */

/* Exit codes of the command, used as the status of expected failures. */
typedef enum OsvmStatus {
    OSVM_OK = 0,
    OSVM_PROGRAM_ERROR = 1, /* the Smalltalk program ended with an error */
    OSVM_USAGE = 64,        /* the command line is wrong */
    OSVM_BAD_DATA = 65,     /* an input file is not what it should be */
    OSVM_NO_INPUT = 66,     /* an input file is missing or unreadable */
    OSVM_UNAVAILABLE = 69,  /* a plugin, or something asked of it, is not there */
    OSVM_INTERNAL = 70,     /* a bug, or the host has no memory left */
    OSVM_CANNOT_CREATE = 73, /* an output file cannot be made */
    OSVM_IO_ERROR = 74,     /* reading or writing failed */
    OSVM_NO_PERMISSION = 77 /* the world's rules (`denied`) forbid it */
} OsvmStatus;

/* An expected failure: one sentence, in memory of the caller. */
typedef struct OsvmError {
    OsvmStatus status;
    char message[2036];
} OsvmError;

/* --- Options -------------------------------------------------------------- */

typedef enum OsvmOptionKind {
    OSVM_FLAG,   /* `lazy`, `lazy=yes`, `lazy=no`; default "yes" or "no" */
    OSVM_NUMBER, /* an integer, `min`..`max` */
    OSVM_SIZE,   /* bytes, with an optional K, M, G or T (powers of 1024), `min`..`max` */
    OSVM_TEXT,   /* any text */
    OSVM_CHOICE, /* one word of `choices` */
    OSVM_OPTIONAL_TEXT /* any text, or none: given without a value it is "" */
} OsvmOptionKind;

/* One option of a plugin (`--gc=sweep,threads=2`) or of the command line. */
typedef struct OsvmOption {
    const char *name;    /* without dashes; NULL in the closing entry of a table */
    OsvmOptionKind kind;
    const char *value;   /* default, as the user would write it; NULL: none */
    const char *help;    /* one line, without a full stop */
    const char *choices; /* OSVM_CHOICE: the words, separated by `|`; others: name of the value in
                            help texts ("BYTES"), may be NULL */
    int64_t min, max;    /* bounds, both included; 0, 0: no bounds but those of the kind */
} OsvmOption;

/* --- The descriptor ------------------------------------------------------- */

enum {
    OSVM_SINGLETON = 1, /* has static state: one VM per process may use it, no reload, no clone */
    OSVM_SHIM = 2       /* wraps another plugin of its kind, which it finds in OsvmHost.inner */
};

struct OsvmPlugin {
    /* The envelope: its place never changes. */
    uint32_t magic;          /* OSVM_MAGIC */
    uint32_t size;           /* sizeof(OsvmPlugin) when the plugin was compiled */
    uint16_t abi_major;      /* must be equal to the kernel's */
    uint16_t abi_minor;      /* may not be above the kernel's */
    uint16_t kind;           /* OsvmKind */
    uint16_t heap_bits;      /* 32, 64, or 0 for any */
    const char *signature;   /* OSVM_SIGNATURE */
    /* Who it is: lower case words, as in the file name <kind>-<name>[.<variant>].so. */
    const char *name;
    const char *variant;     /* "production" or "checked" */
    const char *version;     /* "0.1" */
    const char *summary;     /* one line, without a full stop */
    const char *licence;     /* SPDX identifier */
    uint32_t flags;          /* OSVM_SINGLETON, OSVM_SHIM */
    /* What the kind's header defines. */
    uint32_t vtable_abi;     /* the header's version, for example OSVM_GC_ABI */
    const void *vtable;      /* kept; the struct the kind's header defines */
    size_t vtable_size;      /* its size when the plugin was compiled */
    /* The state block: zeroed, aligned to 64 bytes, allocated before `init`. */
    size_t state_size;
    uint32_t state_version;  /* raise it when the layout of the block changes */
    const OsvmOption *options; /* closed by an entry without a name; NULL: none */

    /* Makes the state ready. On failure sets `error` and answers false; `fini` is then called all
     * the same and has to cope with what is half made. May be NULL. */
    bool (*init)(void *state, const OsvmHost *host, OsvmError *error);
    /* Gives back what the state holds; not the block itself. May be NULL. */
    void (*fini)(void *state);
    /* New code took over the state of older code with the same state_version: refresh whatever
     * points into code. May be NULL; failing keeps the old code. */
    bool (*reloaded)(void *state, const OsvmHost *host, OsvmError *error);
    /* Around a fork (OsvmHost.fork): in the parent before it, in the parent after it, in the child
     * after it. Threads must be at rest from fork_before on; memory mapped as shared has to become
     * the child's own. Before: the last loaded plugin first; after: the first loaded first. A fork
     * that fails ends with fork_parent. Each may be NULL. */
    void (*fork_before)(void *state);
    void (*fork_parent)(void *state);
    void (*fork_child)(void *state);
    /* One phrase about what it found on this host and does because of that, for `osvm plugins`:
     * which of two ways is in force. Called without a state. May be NULL. */
    const char *(*status)(void);
    /* members above: ABI 1.0 */
};

/* Opens a descriptor's initialiser: envelope and variant. `bits` is WORD_BITS or 0. */
#define OSVM_PLUGIN_HEAD(kind_, bits)                                                              \
    .magic = OSVM_MAGIC, .size = sizeof(OsvmPlugin), .abi_major = OSVM_ABI_MAJOR,                  \
    .abi_minor = OSVM_ABI_MINOR, .kind = (kind_), .heap_bits = (bits),                             \
    .signature = OSVM_SIGNATURE, .variant = OSVM_VARIANT

/* The name of the exported symbol. Linking several plugins into one program
 * (unit tests) gives each its own. */
#ifndef OSVM_PLUGIN_SYMBOL
#define OSVM_PLUGIN_SYMBOL osvm_plugin
#endif
#define OSVM_EXPORT __attribute__((visibility("default")))
#define OSVM_DEFINE_PLUGIN                                                                         \
    extern const OsvmPlugin OSVM_PLUGIN_SYMBOL;                                                    \
    OSVM_EXPORT const OsvmPlugin OSVM_PLUGIN_SYMBOL

/* --- A loaded plugin ------------------------------------------------------ */

/* One plugin in use by one VM. Reloading replaces `plugin` and `vtable` in
 * place, so keep the pointer to this struct and fetch the vtable from it again
 * after every poll. */
typedef struct OsvmInstance {
    const OsvmPlugin *plugin;
    const void *vtable;      /* plugin->vtable */
    void *state;
    const OsvmHost *host;    /* what the plugin was given */
    const char *file;        /* absolute path */
    uint32_t generation;     /* 1, and one more after each reload */
    uint32_t busy;           /* C frames of it that are live across a poll; reload waits for 0 */
} OsvmInstance;

/* --- What the plugin may call --------------------------------------------- */

typedef enum OsvmLogLevel { OSVM_ERROR, OSVM_WARNING, OSVM_INFO, OSVM_DEBUG } OsvmLogLevel;

/* One per loaded plugin. All functions may be called from any thread except
 * those that say otherwise. */
struct OsvmHost {
    uint32_t size;           /* sizeof(OsvmHost) when the kernel was compiled */
    uint16_t abi_major, abi_minor;
    const char *signature;   /* OSVM_SIGNATURE */
    void *kernel;            /* the kernel's own */
    const OsvmWorld *world;  /* host's; what the program does outside goes through it (--world) */
    const OsvmWorld *own;    /* host's; files that the command line names are opened with it */
    const OsvmInstance *inner; /* what a shim wraps; NULL for others */

    /* Memory. Sizes are exact: what was asked for is what is given back. Answers NULL only when
     * the host has none left (or a test says so). Blocks are aligned to 16 bytes. */
    void *(*alloc)(const OsvmHost *host, size_t size); /* zeroed */
    void *(*resize)(const OsvmHost *host, void *block, size_t old_size, size_t new_size);
    void (*free)(const OsvmHost *host, void *block, size_t size); /* NULL is allowed */

    /* Writes a line to the log, after the plugin's name, if --log lets the level through. */
    void (*log)(const OsvmHost *host, OsvmLogLevel level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    /* Fills in `error` (may be NULL) and answers false, so that a function can end with it. */
    bool (*fail)(OsvmError *error, OsvmStatus status, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

    /* Options of this plugin, as given or by default. They have been checked against the table;
     * asking for one that is not in it is a bug. Texts are host's, NULL where there is none. */
    bool (*option_flag)(const OsvmHost *host, const char *name);
    int64_t (*option_number)(const OsvmHost *host, const char *name); /* numbers and sizes */
    const char *(*option_text)(const OsvmHost *host, const char *name); /* texts and choices */

    /* Loads another plugin of this VM, main thread only. `name` NULL: the one the user selected for
     * the kind (or the default); then every call answers the same instance. With a name: that
     * module, loaded once per VM; a name that goes on with options (`sweep,lazy`) is loaded anew.
     * `vtable_abi` and `vtable_size` are what the caller was compiled with; a plugin with another
     * ABI or a smaller vtable is refused. Heap width is the caller's.
     * NULL with `error` set when it cannot be had. Host's. */
    const OsvmInstance *(*load)(const OsvmHost *host, OsvmKind kind, const char *name,
                                uint32_t vtable_abi, size_t vtable_size, OsvmError *error);
    /* Gives back one that was loaded by name; `fini` runs when the last user has done so. */
    void (*unload)(const OsvmHost *host, const OsvmInstance *instance);
    /* Clones the process: writes what is buffered, calls the fork hooks of all plugins, and
     * answers the clone's process id, in the clone 0, else -errno (-ENOTSUP: a plugin in use cannot
     * be cloned). `muted`: the clone's `world` is the muted one. Main thread only. Whoever has a
     * VM calls the core's way to it, which first puts the VM in order. */
    int (*fork)(const OsvmHost *host, bool muted);
    /* members above: ABI 1.0 */
};

/* The plugin that a shim, or several, stand before; the instance itself if none does. Whoever asks
 * for a plugin's name or its options asks it. */
static inline const OsvmInstance *osvm_behind_shims(const OsvmInstance *instance)
{
    while (instance->host->inner)
        instance = instance->host->inner;
    return instance;
}

#endif
