/* The contract of a primitive plugin: named primitives, for any heap width.
 *
 * A module exports a table of functions by name. Each call gets an OsvmCall: the
 * receiver and arguments of one activation, and the services below. Values are
 * opaque; they stay valid until the function returns or calls back, since
 * allocation never moves an object. To keep an object longer,
 * keep it (`keep`), which makes it a root.
 *
 * A function answers OSVM_SUCCESS after setting exactly one result, or a failure
 * code; on failure nothing must have been changed, and the method's Smalltalk
 * code runs instead. The receiver is argument -1.
 */
#ifndef OSVM_PRIMS_H
#define OSVM_PRIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "osvm/plugin.h"

typedef struct OsvmCall OsvmCall;

/* An object or immediate of the heap. Compare with osvm_same only. */
typedef struct {
    uint64_t bits;
} OsvmValue;

/* Failure codes, as the image sees them. */
enum {
    OSVM_SUCCESS = 0,
    OSVM_FAILED = 1,
    OSVM_BAD_RECEIVER = 2,
    OSVM_BAD_ARGUMENT = 3,
    OSVM_BAD_INDEX = 4,
    OSVM_BAD_ARG_COUNT = 5,
    OSVM_INAPPROPRIATE = 6,
    OSVM_UNSUPPORTED = 7,
    OSVM_NO_MODIFICATION = 8,
    OSVM_NO_MEMORY = 9,
    OSVM_NO_C_MEMORY = 10,
    OSVM_NOT_FOUND = 11,
    OSVM_LIMIT_EXCEEDED = 15,
    OSVM_CALLBACK_ERROR = 20,
    OSVM_OS_ERROR = 21, /* set the secondary code with set_os_error */
    OSVM_OPERATION_FAILED = 24,
};

enum { OSVM_RECEIVER = -1 };

/* What kind of thing a value is. */
typedef enum {
    OSVM_SMALL_INTEGER,
    OSVM_LARGE_INTEGER,
    OSVM_CHARACTER,
    OSVM_FLOAT,
    OSVM_NIL,
    OSVM_TRUE,
    OSVM_FALSE,
    OSVM_BYTES,   /* 8-bit elements; LargeIntegers excluded */
    OSVM_SHORTS,  /* 16-bit elements */
    OSVM_WORDS,   /* 32-bit elements */
    OSVM_DOUBLES, /* 64-bit elements */
    OSVM_POINTERS,
    OSVM_CODE,
} OsvmValueKind;

/* The elements of a bits object, in place. Valid as long as values are. */
typedef struct {
    void *data;
    size_t count;         /* elements */
    unsigned element_size; /* 1, 2, 4 or 8 bytes */
    bool read_only;
} OsvmElements;

/* Magnitude of an integer, little endian; sign apart. */
typedef struct {
    const uint8_t *bytes;
    size_t count; /* significant bytes; 0 for zero */
    bool negative;
    uint8_t small[8]; /* where `bytes` points for a SmallInteger */
} OsvmInteger;

/* Services of the VM. `call` comes first. */
typedef struct OsvmPrimApi {
    size_t size; /* of this struct, when it was compiled */

    /* ---- The activation. index OSVM_RECEIVER or 0 .. arg_count-1. ---- */
    unsigned (*arg_count)(OsvmCall *call);
    OsvmValue (*arg)(OsvmCall *call, int index); /* nil beyond the last */

    /* ---- Looking at values. The bool ones answer false and leave *out alone
     * if the value is of another kind or does not fit. ---- */
    OsvmValueKind (*kind)(OsvmCall *call, OsvmValue value);
    bool (*same)(OsvmCall *call, OsvmValue a, OsvmValue b);
    bool (*int64)(OsvmCall *call, OsvmValue value, int64_t *out);
    bool (*uint64)(OsvmCall *call, OsvmValue value, uint64_t *out);
    bool (*real)(OsvmCall *call, OsvmValue value, double *out);    /* Float only */
    bool (*character)(OsvmCall *call, OsvmValue value, uint32_t *out);
    bool (*boolean)(OsvmCall *call, OsvmValue value, bool *out);
    bool (*elements)(OsvmCall *call, OsvmValue value, OsvmElements *out);
    bool (*integer)(OsvmCall *call, OsvmValue value, OsvmInteger *out); /* out outlives the call's use of it */
    size_t (*slot_count)(OsvmCall *call, OsvmValue value); /* pointer objects; 0 for others */
    OsvmValue (*slot)(OsvmCall *call, OsvmValue value, size_t index); /* 0-based, nil beyond; forwarders followed */
    bool (*is_array)(OsvmCall *call, OsvmValue value);
    bool (*is_read_only)(OsvmCall *call, OsvmValue value);
    OsvmValue (*class_of)(OsvmCall *call, OsvmValue value);
    bool (*is_member)(OsvmCall *call, OsvmValue value, const char *class_name); /* exact class, by name */

    /* ---- Making values. `bits` 0 (osvm_is_none) when there is no memory. ---- */
    OsvmValue (*nil)(OsvmCall *call);
    OsvmValue (*from_boolean)(OsvmCall *call, bool value);
    OsvmValue (*from_int64)(OsvmCall *call, int64_t value);
    OsvmValue (*from_uint64)(OsvmCall *call, uint64_t value);
    OsvmValue (*from_real)(OsvmCall *call, double value);
    OsvmValue (*from_character)(OsvmCall *call, uint32_t code);
    OsvmValue (*from_string)(OsvmCall *call, const char *bytes, size_t count); /* ByteString */
    /* A normalised integer of the given magnitude (little endian). */
    OsvmValue (*from_magnitude)(OsvmCall *call, const uint8_t *bytes, size_t count, bool negative);
    OsvmValue (*new_array)(OsvmCall *call, size_t count);      /* filled with nil */
    OsvmValue (*new_byte_array)(OsvmCall *call, size_t count); /* zeroed */
    OsvmValue (*new_instance)(OsvmCall *call, OsvmValue class, size_t indexed);
    OsvmValue (*new_point)(OsvmCall *call, int64_t x, int64_t y);
    /* Stores with the barrier; false if the object is read-only or the index wrong. */
    bool (*put_slot)(OsvmCall *call, OsvmValue object, size_t index, OsvmValue value);

    /* ---- Results: each answers OSVM_SUCCESS, or OSVM_NO_MEMORY for a none value. ---- */
    int (*result)(OsvmCall *call, OsvmValue value);
    int (*result_receiver)(OsvmCall *call);
    void (*set_os_error)(OsvmCall *call, int64_t code);

    /* ---- Beyond one call ---- */
    /* Roots: `keep` answers a ticket, `kept` its object, `drop` ends it. */
    uint32_t (*keep)(OsvmCall *call, OsvmValue value); /* 0: no memory */
    OsvmValue (*kept)(OsvmCall *call, uint32_t ticket);
    void (*drop)(OsvmCall *call, uint32_t ticket);
    /* Pins an object for good; its elements stay where they are. */
    bool (*pin)(OsvmCall *call, OsvmValue value, OsvmValue *pinned);
    /* Signals the semaphore registered at a 1-based index of the external objects. Any
     * thread, any time while the VM lives; `vm` is what start was given. */
    void (*signal_semaphore)(void *vm, unsigned index);
    unsigned (*session_id)(OsvmCall *call); /* non-zero, new at every start */
    void *(*module_state)(OsvmCall *call);  /* the block the descriptor asked for */
    const OsvmWorld *(*world)(OsvmCall *call); /* everything outside goes through it (world.h) */

    /* ---- Callbacks: only in functions that say OSVM_MAY_CALL_BACK, on the VM's own thread ---- */
    /* Sends a message with up to 7 arguments in the process that runs, and waits for the answer; other
     * processes, collections and further calls run meanwhile. Values from before are void then, but
     * for what `keep` keeps; `arg` answers the arguments anew. The message has no sender:
     * returning, unwinding or an exception's search for handlers ends with it. OSVM_SUCCESS with
     * *answer set, or OSVM_INAPPROPRIATE, OSVM_BAD_ARGUMENT, OSVM_LIMIT_EXCEEDED (too deep),
     * OSVM_NO_MEMORY; OSVM_CALLBACK_ERROR: the program ends, return at once. */
    int (*perform)(OsvmCall *call, OsvmValue receiver, OsvmValue selector,
                   const OsvmValue *arguments, unsigned count, OsvmValue *answer);
    /* methods above: ABI 1 */
} OsvmPrimApi;

typedef int (*OsvmPrimFunction)(const OsvmPrimApi *vm, OsvmCall *call);

/* What the function may do. */
enum {
    OSVM_MAY_ALLOCATE = 1,
    OSVM_MAY_CALL_BACK = 4,
    OSVM_TOUCHES_WORLD = 8,
};

typedef struct {
    const char *name;
    OsvmPrimFunction function;
    int8_t accessor_depth; /* how deep arguments are searched for forwarders after a failure */
    uint8_t flags;
} OsvmPrim;

enum { OSVM_PRIMS_ABI = 1 };

/* The vtable of a plugin of kind prims; the plugin's name in its descriptor is the
 * folder's, `module` is what methods say. */
typedef struct {
    size_t size; /* of this struct, when it was compiled */
    const char *module; /* name methods give: "FilePlugin" */
    const OsvmPrim *functions; /* ends with a NULL name */
    /* Called once per VM with the module's zeroed state block; either may be NULL.
     * False: the module is unusable. */
    bool (*start)(void *state, const OsvmPrimApi *api, void *vm);
    void (*stop)(void *state);
    /* A new session begins (image start): handles of the old one are void. */
    void (*session)(void *state);
    /* members above: ABI 1 */
    /* Of shims only, which have neither `module` nor `functions` of their own: makes each call of a
     * function of the module behind (OsvmHost.inner), which `prim` is. */
    int (*call)(void *state, const OsvmPrim *prim, const OsvmPrimApi *api, OsvmCall *call);
    /* members above: ABI 1, larger size */
} OsvmPrims;

/* The size of the smallest vtable of a module. */
#define OSVM_PRIMS_MODULE_SIZE offsetof(OsvmPrims, call)

static inline bool osvm_is_none(OsvmValue value)
{
    return value.bits == 0;
}

/* As int64, but of a SmallInteger only: what an image's primitive takes for an index, a size or a handle. */
static inline bool osvm_small_integer(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue value, int64_t *out)
{
    return vm->kind(call, value) == OSVM_SMALL_INTEGER && vm->int64(call, value, out);
}

static inline bool osvm_small_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, int64_t *out)
{
    return osvm_small_integer(vm, call, vm->arg(call, index), out);
}

#endif
