/* The core's central structure and what primitives and image code see of it.
 *
 * One Vm lies at the base of its region; its first member is the Heap, so the
 * two pointers convert by a cast. Nothing here is static: two VMs may live in
 * one process, and a fork clones one.
 *
 * The Smalltalk stack grows down. While C code outside the interpreter runs, the
 * interpreter's registers are in `sp`, `fp` and `ip`; stack values are addressed
 * from the top: vm_stack(vm, 0) is the top of stack.
 */
#ifndef OSVM_VM_H
#define OSVM_VM_H

#include "kernel/vm/memory/torture.h"
#include "osvm/core.h"
#include "osvm/heap.h"
#include "osvm/prims.h"
#include "osvm/world.h"

typedef struct Vm Vm;

/* Why a primitive failed; also what the image sees (element code - 1 of the
 * primitive error table). */
typedef enum {
    PRIM_OK = 0,
    PRIM_FAILED = 1,
    PRIM_BAD_RECEIVER = 2,
    PRIM_BAD_ARGUMENT = 3,
    PRIM_BAD_INDEX = 4,
    PRIM_BAD_ARG_COUNT = 5,
    PRIM_INAPPROPRIATE = 6,
    PRIM_UNSUPPORTED = 7,
    PRIM_NO_MODIFICATION = 8,
    PRIM_NO_MEMORY = 9,
    PRIM_NO_C_MEMORY = 10,
    PRIM_NOT_FOUND = 11,
    PRIM_BAD_METHOD = 12,
    PRIM_NAMED_INTERNAL = 13,
    PRIM_OBJECT_MAY_MOVE = 14,
    PRIM_LIMIT_EXCEEDED = 15,
    PRIM_OBJECT_PINNED = 16,
    PRIM_WRITE_PAST_OBJECT = 17,
    PRIM_CALLBACK_ERROR = 20,
    PRIM_OS_ERROR = 21, /* with vm->os_error */
    PRIM_NEED_COMPACTION = 23,
    PRIM_OPERATION_FAILED = 24,
} PrimFailure;

/* A numbered primitive. On success it has replaced receiver and arguments by the
 * result (vm_return), or changed the current frame (activated something, switched
 * process), and answers PRIM_OK. On failure the stack is as it was. */
typedef PrimFailure (*PrimFunction)(Vm *vm, unsigned arg_count);

/* What a primitive may do; JIT, recording and checks all read it. */
enum {
    PRIM_MAY_ALLOCATE = 1,
    PRIM_MAY_SWITCH = 2,     /* frame or process differ afterwards */
    PRIM_MAY_CALL_BACK = 4,
    PRIM_TOUCHES_WORLD = 8,
    PRIM_MAY_COLLECT = 16,   /* objects may move during the call */
};

typedef struct {
    PrimFunction function; /* NULL: unassigned, always fails with PRIM_FAILED */
    const char *name;
    int8_t accessor_depth; /* how deep a failure is searched for forwarders; -1: not */
    uint8_t flags;
} PrimEntry;

enum { PRIM_TABLE_SIZE = 660, PRIM_QUICK_FIRST = 256, PRIM_QUICK_LAST = 519 };

/* Everything of an image's header that survives from load to save. */
typedef struct {
    uint32_t version; /* magic, with the multiple-bytecode-sets bit as it is now */
    uint64_t screen_size;
    uint64_t flags;
    uint32_t extra_vm_memory;
    uint16_t stack_pages;
    uint16_t code_zone_kib;
    uint32_t eden_bytes;
    uint16_t external_semaphores;
    uint16_t unknown_short;
} ImageFacts;

/* What VM parameters report of the interpreter. */
typedef struct {
    uint64_t process_switches;
    uint64_t stack_overflows; /* activations that needed another page */
    uint64_t page_divorces;   /* pages flushed to contexts for want of a free one */
    uint64_t idle_us;         /* slept */
    unsigned stack_pages;
    Word stack_page_bytes;
} VmCounters;

/* A send of many classes, for machine code: a word more makes the size a power of 2. */
enum { JIT_STUBS_MAX = 40, JIT_OPEN_SENDS = 512, JIT_UNLINKED = 4 };
typedef struct {
    Word selector, class_index; /* no selector: empty */
    Word target;                /* an entry of machine code, behind its check of the class */
    Word unused;
} JitOpenSend;

/* What machine code and its stubs reach from VM; see kernel/jit/. */
typedef struct {
    Word zone_start, zone_bytes;  /* of the code zone; no bytes: there is no JIT */
    Word c_sp;                    /* C's stack pointer while machine code runs */
    Word leaf_pc;                 /* return address of a leaf stub */
    SWord failure;                /* why a simple primitive has failed */
    Word stubs[JIT_STUBS_MAX];    /* addresses of stubs, by routine */
    Word unlinked[JIT_UNLINKED]; /* what sites that are not linked call: jit_unlinked */
    Word routines[JIT_STUBS_MAX]; /* what stubs call: the only addresses that depend on the host */
    struct Jit *state;            /* C's side; NULL: there is no JIT */
    JitOpenSend open_sends[JIT_OPEN_SENDS]; /* kernel/jit/open.c */
} VmJit;

struct Vm {
    Heap heap; /* first */

    /* ---- interpreter registers, valid outside the interpreter ---- */
    Word sp; /* address of the top of stack */
    Word fp; /* frame pointer */
    Word ip; /* address of the next bytecode in its method */

    /* ---- guest-visible: read at polls ---- */
    Word stack_limit; /* compared with sp on activation; raised above all stacks to ask for a poll */
    SWord poll_budget; /* poll points left until one is taken in any case */
    Word page_limit;   /* of the running page: below it an activation needs another one */

    /* ---- guest-visible: the send in progress ---- */
    Word new_method; /* the method whose primitive runs or has just failed; a root */

    VmJit jit;

    ImageFacts image;
    char *image_path; /* as primitive 121 answers it */
    const CoreSetup *setup;
    const CoreRun *run;
    int64_t os_error; /* secondary code of PRIM_OS_ERROR */

    uint64_t polls; /* logical time: poll points passed, up to the last one taken */
    uint32_t session_id; /* non-zero, 31 bits, new at every start */

    bool quitting; /* the interpreter's loop returns as soon as the primitive does: vm_request_exit, or
                      a callback is over */
    int exit_code;
    Word low_space_threshold;    /* bytes of free old space; 0: not watched (primitive 125) */
    bool mixed_arithmetic;       /* arithmetic primitives accept Integer with Float */

    uint64_t heap_clock_origin; /* HeapHost.now when the VM was made */
    int64_t started_at; /* UTC microseconds since 1901 */
    char *clipboard;    /* malloced; NULL: empty */
    VmCounters counters;

    /* The rest belongs to single subsystems. */
    struct Interp *interp;       /* kernel/vm/interp/: lookup cache, stack zone, scheduler state */
    struct NamedPrims *named;    /* kernel/vm/primitives/named.c: modules and their functions */
    struct Region *region;       /* kernel/vm/region.c: the reserved address space */
    Torture torture;             /* what --torture asks for */
    struct Guard *guard;         /* kernel/vm/memory/guard.c: torture and leak checks; or NULL */
    const OsvmInstance *collector; /* kernel/vm/memory/managers.c */
    struct Roots *roots;         /* kernel/vm/roots.c: handles, kept objects, callbacks */
};

static inline Vm *vm_of(Heap *heap)
{
    return (Vm *)heap;
}

/* ---- The stack, for primitives ---- */

static inline Oop *vm_top(Vm *vm)
{
    return word_pointer(vm->sp);
}

/* The value `depth` below the top; the receiver is at depth arg_count. */
static inline Oop vm_stack(Vm *vm, unsigned depth)
{
    return vm_top(vm)[depth];
}

static inline void vm_stack_put(Vm *vm, unsigned depth, Oop value)
{
    vm_top(vm)[depth] = value;
}

/* Drops `arg_count` arguments and replaces the receiver by `value`. */
static inline PrimFailure vm_return(Vm *vm, unsigned arg_count, Oop value)
{
    vm->sp += (Word)arg_count * WORD_BYTES;
    *vm_top(vm) = value;
    return PRIM_OK;
}

/* The receiver is the answer. */
static inline PrimFailure vm_return_receiver(Vm *vm, unsigned arg_count)
{
    vm->sp += (Word)arg_count * WORD_BYTES;
    return PRIM_OK;
}

static inline PrimFailure vm_return_boolean(Vm *vm, unsigned arg_count, bool value)
{
    return vm_return(vm, arg_count, value ? vm->heap.true_object : vm->heap.false_object);
}

/* ---- The VM as a whole (kernel/vm/vm.c) ---- */

/* Makes a VM with an empty heap: region, memory manager and collector in place. NULL and
 * `error` set when it cannot be had. `facts` is
 * the header of the image to be loaded: sizes not given on the command line are its. */
Vm *vm_create(const CoreSetup *setup, const ImageFacts *facts, OsvmError *error);
void vm_destroy(Vm *vm);

/* Makes the next poll point poll. Any thread, signal handlers included. */
void vm_request_poll(Vm *vm);

/* ---- Roots (kernel/vm/roots.c) ---- */

/* The variable at `slot` holds a reference across a collection, until popped. Last in,
 * first out. */
void vm_root_push(Vm *vm, Oop *slot);
void vm_root_pop(Vm *vm, unsigned count);

/* Keeps an object alive beyond one primitive: a ticket, 0 when there is no memory. */
uint32_t vm_keep(Vm *vm, Oop object);
Oop vm_kept(Vm *vm, uint32_t ticket); /* NO_OOP for a ticket that is none */
void vm_drop(Vm *vm, uint32_t ticket);

/* ---- Numbers (kernel/vm/numbers.c) ---- */

/* NO_OOP when there is no memory. */
Oop vm_integer_oop(Vm *vm, int64_t value);
Oop vm_unsigned_oop(Vm *vm, uint64_t value);
Oop vm_float_oop(Vm *vm, double value);
bool vm_is_float(Vm *vm, Oop oop);
bool vm_float_value(Vm *vm, Oop oop, double *value);      /* Float only */
bool vm_int64_value(Vm *vm, Oop oop, int64_t *value);     /* SmallInteger or LargeInteger that fits */
bool vm_uint64_value(Vm *vm, Oop oop, uint64_t *value);

/* ---- Objects (kernel/vm/objects.c) ---- */

Oop vm_string_oop(Vm *vm, const char *bytes, size_t length); /* ByteString; NO_OOP: no memory */
/* A new instance of a class with `indexed` indexable elements, filled with nil or
 * zero, NO_OOP and *failure set otherwise. */
Oop vm_instantiate(Vm *vm, Oop class, uint64_t indexed, PrimFailure *failure);
/* Number of indexable elements as primitive 62 answers it; false if not indexable. */
bool vm_indexable_size(Vm *vm, Oop object, Word *size);

/* ---- Snapshot (kernel/vm/image/write.c) ---- */

/* Writes the heap as an image file, atomically and durably. All frames have been
 * turned into contexts and the active process holds its context. On failure
 * answers false with a sentence in `error`; the old file is as it was. */
bool image_write(Vm *vm, const char *path, char *error, size_t error_size);

/* Reads only the header: what vm_create wants to know. */
bool image_read_facts(const CoreSetup *setup, const char *path, ImageFacts *facts, char *error,
                      size_t error_size);

/* Reads an image file into the VM's empty heap (kernel/vm/image/read.c). */
bool image_read(Vm *vm, const char *path, char *error, size_t error_size);

#endif
