/* Inside the interpreter: frames and pages of the stack zone, caches, scheduler state.
 * Only kernel/vm/interp/ and kernel/vm/vm.c include it.
 *
 * A frame, from high addresses to low (the stack grows down):
 *
 *     receiver of the send, or the closure of a block activation
 *     argument 0 .. argument n-1
 *     FRAME_RETURN    return pc; in the base frame of a page: the sender context, or nil
 *     FRAME_SAVED_FP  the caller's frame pointer, 0 in a base frame   <- fp
 *     FRAME_METHOD
 *     FRAME_FLAGS     a SmallInteger, see below
 *     FRAME_CONTEXT   the context married to the frame, or 0
 *     FRAME_RECEIVER  self
 *     temporaries, operands                                           <- sp
 *
 * Invariants:
 *  S1  A context's sender slot holds a SmallInteger exactly if the context is married;
 *      it is then the address of a live frame + 1, and that frame's FRAME_CONTEXT is the
 *      context. A frame that returns or is abandoned makes its context dead at once.
 *  S2  Each page in use holds one run of frames from its head (the newest) to its base.
 *      The head of the running page is vm->fp, vm->sp and vm->ip while C code outside
 *      the loop runs; those of other pages are in their Page.
 *  S3  ip and return pcs are addresses inside the frame's method; whoever moves or
 *      replaces a method moves them along.
 *  S4  Code runs only after verification; a frame whose pc or depth the verifier has not
 *      approved has FRAME_UNSURE and is looked at before its next bytecode.
 */
#ifndef OSVM_VM_INTERP_INT_H
#define OSVM_VM_INTERP_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "kernel/bytecode/verify.h"
#include "kernel/jit/jit.h"
#include "kernel/vm/interp/services.h"
#include "kernel/vm/vm.h"

/* ---- Frames ---- */

enum {
    FRAME_RETURN = 1,
    FRAME_SAVED_FP = 0,
    FRAME_METHOD = -1,
    FRAME_FLAGS = -2,
    FRAME_CONTEXT = -3,
    FRAME_RECEIVER = -4,
    FRAME_FIRST_TEMP = -5,
    FRAME_FIXED = 4, /* words below fp that every frame has */
};

/* FRAME_FLAGS: tagged as a SmallInteger in either width. */
#define FRAME_TAG ((Word)1)
#define FRAME_ARGS_SHIFT 3
#define FRAME_ARGS_MASK ((Word)0x1F)
#define FRAME_BLOCK ((Word)1 << 8)
#define FRAME_MODE_SHIFT 9
#define FRAME_SISTA ((Word)1 << 9)
#define FRAME_CAREFUL ((Word)1 << 10) /* receiver variables need checks: see lookup.c */
#define FRAME_UNSURE ((Word)1 << 11)  /* pc and depth are to be checked first */
#define FRAME_MODE_MASK ((Word)7)
#define FRAME_MARKED ((Word)1 << 13) /* a method that unwinding or handlers look for (198, 199) */
#define FRAME_ODD_RETURN ((Word)1 << 12) /* of frames in machine code: see S5 in kernel/jit/jit.h */

static inline Word frame_flags_for(unsigned args, Word modes)
{
    return FRAME_TAG | (Word)args << FRAME_ARGS_SHIFT | modes;
}

static inline Word *frame_at(Word fp)
{
    return word_pointer(fp);
}

static inline unsigned frame_args(const Word *frame)
{
    return (unsigned)(frame[FRAME_FLAGS] >> FRAME_ARGS_SHIFT & FRAME_ARGS_MASK);
}

static inline bool frame_is_block(const Word *frame)
{
    return (frame[FRAME_FLAGS] & FRAME_BLOCK) != 0;
}

/* The slot of the receiver of the send, or of the closure. */
static inline Word *frame_top(Word *frame)
{
    return frame + 2 + frame_args(frame);
}

static inline Word *frame_temp(Word *frame, unsigned index)
{
    /* Without a branch: one piece of code serves all temporaries, and would mispredict. */
    SWord distance = (SWord)frame_args(frame) - (SWord)index;
    SWord base = FRAME_FIRST_TEMP + (SWord)(distance > 0) * (1 - FRAME_FIRST_TEMP);
    return frame + base + distance;
}

/* ---- Pages ---- */

enum {
    PAGE_WORDS = 1024,
    /* Below the limit: the largest frame a caller may just have built on its operands,
     * pushes of error sends, and a red zone for foreign code. */
    PAGE_SLACK_WORDS = 288,
    PAGES_DEFAULT = 50,
    PAGES_MIN = 4,
    PAGES_MAX = 4096,
    STACK_SLOTS_MAX = CONTEXT_LARGE_SLOTS - CONTEXT_FIXED,
    /* Above the limit of a tiny page, --torture=tiny-spaces: the largest frame that begins. */
    PAGE_LEAST_WORDS = STACK_SLOTS_MAX + FRAME_FIXED + 4,
};

#define PAGE_BYTES ((Word)PAGE_WORDS * WORD_BYTES)
#define STACK_LIMIT_POLL (~(Word)0)

typedef struct Page {
    Word low, high; /* [low, high) */
    Word limit;     /* sp below it on activation: take a new page */
    Word head_fp, head_sp, head_ip; /* registers of the newest frame; head_fp 0: free */
    uint64_t used;  /* stamp of the last switch to it */
} Page;

/* ---- Caches ---- */

/* What a send that finds a method has to do. */
typedef enum {
    KIND_CODE,            /* activate */
    KIND_PRIM,            /* function; frame and code stay where they are */
    KIND_PRIM_FULL,       /* function that may switch frames or move objects */
    KIND_RETURN_SELF,
    KIND_RETURN_CONSTANT, /* `constant` */
    KIND_RETURN_VARIABLE, /* slot `constant` of the receiver, which has it */
    KIND_CLOSURE_VALUE,   /* primitives 201..205 */
    KIND_FULL_VALUE,      /* primitive 207 */
    KIND_NOT_CODE,        /* run:with:in: is to be sent to `method` */
    KIND_COUNT
} SendKind;

typedef struct LookupEntry {
    Oop selector; /* NO_OOP: empty */
    uint32_t class_index;
    uint16_t flags; /* FRAME_FLAGS of the activation */
    uint8_t args, temps;
    Oop method;
    const void *label; /* where the loop does what `kind` says */
    uint32_t first_ip; /* from the method's oop to the bytecode an activation begins with */
    uint16_t heat;     /* activations until the method is compiled */
    uint8_t kind;
    bool no_poll;      /* the activation is no poll point */
    PrimFunction function;
    Oop constant;
    uint16_t primitive;
} LookupEntry;

enum { CACHE_LINE = 64 };

/* Entries are kept in pairs: the second of a pair has what lately was pushed out of the first. */
enum { LOOKUP_ENTRIES = 4096, CODE_ENTRIES = 4096, BLOCK_ENTRIES = 256, AT_ENTRIES = 128 };

/* Facts of compiled code that are needed at each activation. */
typedef struct {
    Oop code;          /* NO_OOP: empty */
    uint32_t first_ip; /* from the code's oop to its first bytecode */
    uint16_t primitive;
    uint16_t fields;   /* receiver variables it uses: highest index + 1 */
    uint16_t modes;    /* FRAME_SISTA, FRAME_MARKED */
    uint8_t args, temps;
    bool large;        /* its contexts are: real images have code that needs it, and does not say so */
    bool bad;          /* the verifier refuses it: it runs as one unknown bytecode */
    bool no_poll;      /* primitives 123 and 198 */
    bool refused;      /* the JIT cannot compile it */
    uint16_t heat;     /* activations of its blocks until they are compiled */
} CodeFacts;

/* What the verifier said of the code it was last given; NO_OOP: it was refused. */
typedef struct {
    Oop code;
    VerifyFacts facts; /* depths: in the verifier's scratch memory */
} VerifiedCode;

/* Whether a method has a certain embedded (V3) block. */
typedef struct {
    Oop code; /* NO_OOP: empty */
    SWord start_pc;
    uint8_t args, copied;
    bool valid;
} BlockFacts;

/* Whether at: and at:put: of a class are the VM's own, and how. */
typedef enum { AT_NONE, AT_OBJECT, AT_STRING } AtKind;
typedef struct {
    uint32_t class_index; /* 0: empty */
    uint8_t at, at_put;   /* AtKind */
    uint16_t fixed;       /* named fields of format 3 */
} AtEntry;

/* ---- The interpreter's state ---- */

enum { EXTERNAL_SEMAPHORES_MAX = 4096 };

typedef struct Interp {
    LookupEntry lookup_room[LOOKUP_ENTRIES + 1];
    LookupEntry *lookup; /* in lookup_room, so that each entry is one cache line where it has its size */
    const void *const *labels; /* the loop's, by SendKind */
    CodeFacts codes[CODE_ENTRIES];
    BlockFacts blocks[BLOCK_ENTRIES];
    AtEntry ats[AT_ENTRIES];
    bool young_cached; /* some cache may have a young selector or method */
    LookupEntry odd; /* the answer to a lookup that is not to be remembered */
    uint64_t lookup_misses, flushes;

    /* ---- stack.c ---- */
    Page *pages;
    unsigned page_count;
    Page *page;      /* the running one */
    Word zone_start; /* of pages[0] */
    uint64_t stamp;

    /* ---- code.c ---- */
    void *scratch; /* the verifier's */
    size_t scratch_size;
    VerifiedCode verified;

    /* ---- between the loop and its helpers ---- */
    uint16_t threshold;      /* heat in the beginning; 0: nothing is compiled */
    uint32_t loop_threshold; /* jumps back between looks at the loop that makes them */
    uint32_t loop_heat;      /* left of them */
    unsigned send_args; /* arguments of the send a helper asks for */
    bool callback_over; /* the loop is left since the innermost callback has its answer */
    bool activated;     /* C code built a frame: the loop owes it a poll point */

    Word top_priority; /* process.c: run queues above it have been empty since the last poll */

    /* ---- poll.c ---- */
    atomic_uint poll_requested;      /* any thread */
    atomic_uint interrupts; /* by the user, since the last poll that looked; any thread */
    atomic_uint
        processor_requested; /* machine code is to go on on the other processor; any thread */
    SWord poll_grant;     /* the budget the last poll gave */
    atomic_uint end_requested;       /* number of a signal that ends the program; any thread */
    atomic_uint externals_pending;   /* some counter below is not 0; any thread */
    atomic_uint externals[EXTERNAL_SEMAPHORES_MAX];
    Word finalizations;   /* objects that wait for the finalization semaphore */
    int64_t wakeup_utc;   /* microseconds since 1970; INT64_MAX: no timer */
    bool pulse_running;
    pthread_t thread;     /* that runs the loop */
    bool low_space;       /* the low space semaphore is to be signalled */

    /* ---- memory.c ---- */
    Word reserve;      /* bytes */
    bool reserve_kept; /* heap.old_limit leaves them out */

    /* ---- poll.c ---- */
    int64_t idle_us;      /* how long the last relinquish slept: grows while nothing happens */
    uint64_t idle_switches; /* process switches then */
} Interp;

static inline Interp *interp_of(Vm *vm)
{
    return vm->interp;
}

/* interp.c */

/* Allocates caches and pages; the stack zone is [start, end), usable. */
bool interp_create(Vm *vm, Word start, Word end, OsvmError *error);
void interp_destroy(Vm *vm);
/* Runs the active process of the image until the program ends; the exit code. */
int interp_run(Vm *vm);
void interp_flush_caches(Vm *vm, bool young_only);
void interp_visit_roots(Vm *vm, SlotVisitor visit, void *context);
void interp_follow_forwarders(Vm *vm);
/* check_stacks.c: verifies S1 to S3; answers the number of findings, each reported. */
size_t interp_check_stacks(Vm *vm, void (*report)(void *context, const char *sentence),
                           void *context);

/* interpret.c: the loop. Returns when vm->quitting. */
void interpret(Vm *vm);

/* code.c */

static inline unsigned code_hash(Oop code)
{
    return (unsigned)(code >> 4 ^ code >> 15) & (CODE_ENTRIES - 1);
}

void code_fill_facts(Vm *vm, Oop code, CodeFacts *facts);
/* A cache is about to have the object. */
static inline void interp_note_cached(Vm *vm, Oop object)
{
    interp_of(vm)->young_cached |= object != NO_OOP && heap_is_young(&vm->heap, object);
}

/* Activations until what could not be compiled, or is no more, is looked at again. */
static inline uint16_t heat_again(Vm *vm)
{
    enum { MORE = 500 };
    return (uint16_t)(vm->interp->threshold + MORE);
}

static inline const CodeFacts *code_facts(Vm *vm, Oop code)
{
    CodeFacts *facts = &vm->interp->codes[code_hash(code)];
    if (__builtin_expect(facts->code != code, 0))
        code_fill_facts(vm, code, facts);
    return facts;
}

bool code_has_block(Vm *vm, Oop code, SWord start_pc, unsigned args, unsigned copied);
/* Depth of temporaries and operands (arguments and copied values included) before the
 * bytecode at offset `pc` of the code's bytecodes; -1 if control cannot come there. */
int code_depth_at(Vm *vm, Oop code, Word pc);
/* Modes of an activation of `code` for `receiver`: set, and careful if it may reach
 * receiver variables that are not there. */
Word code_modes_for(Vm *vm, const CodeFacts *facts, Oop receiver);
static inline bool is_code(Oop oop)
{
    return is_object(oop) && format_is_code(object_format(oop));
}

/* A view of the code's bytecodes, and what the verifier says of them: its depths are valid until it
 * is asked about other code. False: refused. */
bool code_view(Vm *vm, Oop code, VerifyView *view, VerifyFacts *facts);

/* lookup.c */

/* Where the pair begins. */
static inline unsigned lookup_hash(Oop selector, Word class_index)
{
    return (unsigned)((selector >> 3) ^ (selector >> 14) ^ class_index * 7) << 1 & (LOOKUP_ENTRIES - 1);
}

/* The entry for a send of `selector` with *args arguments that lie on the stack; `class_index`
 * is the receiver's. Does what is to be done for missing methods: then the arguments have been
 * put in a Message and *args is 1. NULL: the program ends. */
LookupEntry *lookup_send(Vm *vm, Oop selector, unsigned *args);
/* The same with the lookup beginning in `class`. */
LookupEntry *lookup_send_in(Vm *vm, Oop selector, Oop class, unsigned *args);
/* Without side effects on the stack: NULL if nothing is found. */
LookupEntry *lookup_find(Vm *vm, Oop selector, Word class_index);
/* An entry for a method that was not looked up. */
LookupEntry *lookup_method(Vm *vm, Oop method, Oop receiver);
/* Empties the caches, which hold objects that will move or die. Flushing, because methods change, also
 * unlinks machine code. */
void lookup_forget(Vm *vm);
/* Answers the class of the receiver, following it (and repairing the stack) if it is a forwarder.
 */
Word lookup_receiver_class_index(Vm *vm, unsigned args);
const AtEntry *lookup_at(Vm *vm, Word class_index);
/* Puts a Message made of the arguments in their place. False: no memory. */
bool lookup_make_message(Vm *vm, Oop selector, Oop class, unsigned args);

/* stack.c */
void stack_sync(Vm *vm); /* the running page's head from the registers */
Oop stack_frame_context(Vm *vm, Word fp);
/* The newest frame lies below the limit: gives it a page of its own. */
void stack_overflow(Vm *vm);
/* Makes the context's frame the running one. The page left behind must have been synced or
 * freed. False: the context cannot run. */
bool stack_resume(Vm *vm, Oop context);
bool stack_is_resumable(Vm *vm, Oop context);
/* Turns the frames of a page from its head down to `last` (0: all) into contexts. */
void stack_flush_page(Vm *vm, Page *page, Word last);
/* Makes the frame at fp the head of its page. */
void stack_flush_above(Vm *vm, Word fp);
/* The base frame at vm->fp returns `value`. False: its sender cannot run. */
bool stack_return_from_base(Vm *vm, Oop value);
void stack_kill_context(Vm *vm, Oop context);
void stack_free_page(Vm *vm, Page *page);
void stack_set_limit(Vm *vm);
/* Frames that run `code` are looked at before their next bytecode. */
void stack_mark_unsure(Vm *vm, Oop code);
/* Turns every frame into a context, the running ones too; afterwards vm->fp is 0. The
 * context of the activation that ran. */
Oop stack_flush_all(Vm *vm);
Page *stack_page_of(Vm *vm, Word fp);

static inline bool is_context(Oop oop)
{
    return is_object(oop) && object_class_index(oop) == CLASS_CONTEXT;
}

static inline bool context_married(Oop context)
{
    return is_small_integer(object_slot(context, CONTEXT_SENDER));
}

static inline Word context_frame(Oop context)
{
    return object_slot(context, CONTEXT_SENDER) - 1;
}

/* A context's pc for an ip in `method`, and back. */
static inline Oop frame_pc_oop(Oop method, Word ip)
{
    return small_integer_oop((SWord)(ip - method - HEADER_BYTES + 1));
}

/* activate.c: what the loop does inline, for C code. */

/* Performs an entry found by lookup on receiver and `args` arguments on the stack: runs the
 * primitive or builds the frame; then interp->activated says so to the loop. */
void activate_entry(Vm *vm, LookupEntry *entry, unsigned args);
/* A frame has been built: the loop owes it a poll point, or else room is seen to now. */
void activate_done(Vm *vm, bool polls);
/* A closure and `args` arguments on the stack: builds the frame, or answers why not. The
 * caller sees to the stack limit. */
PrimFailure activate_closure(Vm *vm, unsigned args);
PrimFailure activate_full_closure(Vm *vm, unsigned args);
/* Runs the function of a numbered primitive. */
PrimFailure activate_primitive(Vm *vm, unsigned number, unsigned args);
/* The primitive of vm->new_method failed: follows forwarders among its operands, and if there
 * were any (or room has been made) runs it once more. */
PrimFailure activate_retry(Vm *vm, unsigned args, PrimFailure failure);
/* Builds the frame of vm->new_method, with the error object in its temporary. */
void activate_failed(Vm *vm, unsigned args, PrimFailure failure);

/* return.c: helpers of the loop; each answers the selector of a send that the loop is to
 * perform with interp->send_args arguments on the stack, or NO_OOP. */
Oop return_non_local(Vm *vm, Oop value);
Oop return_impossible(Vm *vm, Oop value);
/* The frame has FRAME_UNSURE. */
Oop return_check_frame(Vm *vm);
Oop return_unknown_bytecode(Vm *vm);

/* inline_prims.c: Sista's inlined primitives, on the stack. False: there is none of that number, or
 * an operand does not fit. *displacement: how far to jump. */
bool inline_primitive_run(Vm *vm, unsigned set, unsigned number, SWord *displacement);
/* The true object when done, a selector to send, or NO_OOP. */
Oop inline_mapped_run(Vm *vm, unsigned number);

/* process.c */
static inline Oop process_scheduler(Vm *vm)
{
    Oop association = follow(heap_special(&vm->heap, SPECIAL_SCHEDULER_ASSOCIATION));
    return follow(object_slot(association, ASSOCIATION_VALUE));
}

static inline Oop process_active(Vm *vm)
{
    return follow(object_slot(process_scheduler(vm), SCHEDULER_ACTIVE));
}

/* Semaphore signal; may switch. False: excessSignals would overflow. */
bool process_signal(Vm *vm, Oop semaphore);
/* The running process gives way to the first runnable one; waits while there is none. */
void process_run_next(Vm *vm);
void process_resume(Vm *vm, Oop process);
/* Puts it behind the others in the run queue of its priority, or in front of them. */
void process_make_ready(Vm *vm, Oop process, SWord priority, Oop queue, bool last);
void process_add_last(Vm *vm, Oop process, Oop list);
/* NO_OOP: the list is empty. */
Oop process_remove_first(Vm *vm, Oop list);
bool process_remove(Vm *vm, Oop process, Oop list);
bool process_list_is_empty(Oop list);
void process_transfer_to(Vm *vm, Oop process);
/* Run queues may hold what the VM has not put there. */
void process_look_at_all(Vm *vm);
/* Its context becomes the process's suspendedContext. */
void process_park(Vm *vm);
/* The running process goes to the front of its queue; nobody runs then. */
void process_give_way(Vm *vm);

/* memory.c: see there */

/* For objects that must be made where nothing may move: takes the reserve if need be. */
Oop memory_new_pointers(Vm *vm, Word slots, unsigned format, Word class_index);
/* Where objects may move, as at a poll: collects, takes the reserve. False: all is used up. */
bool memory_make_room(Vm *vm, Word bytes);
/* After a collection: signals low space below the image's threshold. */
void memory_watch(Vm *vm);

/* poll.c */

/* Logical time: poll points passed until now. */
static inline uint64_t poll_points(const Vm *vm)
{
    return vm->polls + (uint64_t)(vm->interp->poll_grant - vm->poll_budget);
}
/* A poll point is due: everything that asked for one. `switching`: processes may switch. */
void poll(Vm *vm, bool switching);
/* Signals semaphores that are due while no process runs. */
void poll_sources(Vm *vm);
/* Sleeps until something may have happened, at most until mono `until_us`. */
void poll_wait(Vm *vm, int64_t until_us);
int64_t poll_timer_mono(Vm *vm); /* when the timer is due; OSVM_FOREVER: not set */
void poll_start(Vm *vm);
void poll_stop(Vm *vm);
bool poll_can_wake(Vm *vm);

/* report.c */

/* Says on standard error what is wrong, prints the stack of the active process, and ends the
 * program with exit code 1. */
void report_fatal(Vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_stack(Vm *vm);
/* The stacks of all processes. */
void report_processes(Vm *vm);
/* The characters of a string or symbol, or a description. */
void report_text(Vm *vm, Oop oop, char *buffer, size_t size);
/* Text of a class name or selector, for messages. */
void report_name_of_class(Vm *vm, Oop class, char *buffer, size_t size);

#endif
