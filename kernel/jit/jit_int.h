/* Inside the JIT: the code zone, what is known of each piece of machine code, the builder.
 *
 *   bytecodes.c  one method: bytecodes -> abstract instructions, with arithmetic.c, primitives.c,
 *                bulk.c
 *   sim.c        the simulated stack: what has been pushed, but not yet into memory
 *   build.c      the array of abstract instructions, labels, pool
 *   compile.c    runs the above, encodes, installs
 *   zone.c       memory of the zone: allocation, reclaiming, moving
 *   methods.c    which code is where; references; forgetting
 *   link.c       send sites, polymorphic caches; open.c: open caches
 *   routines.c   C routines that machine code calls; shared.c: machine code in front of them
 *   frames.c     frames between the tiers; entry.c: from the interpreter
 *   verify.c     what checked builds verify
 *
 * The zone: stubs, then pieces of code in allocation order, each [pool][code]. Pool words:
 *
 *     POOL_CODE       the compiled code, a reference
 *     POOL_ENTRY      where block activations enter, for machine code that has the block's code
 *     POOL_FRAMED     where machine code goes on when a frame for it has been built
 *     POOL_HEADER     the method header, a SmallInteger, that stood in slot 0 of the code
 *     ...             references, and per send site class index and target
 *
 * Slot 0 of the compiled code holds the address of the pool.
 */
#ifndef OSVM_JIT_INT_H
#define OSVM_JIT_INT_H

#include "kernel/bytecode/verify.h"
#include "kernel/jit/jit.h"
#include "kernel/vm/interp/interp_int.h"
#include "osvm/cpu.h"
#include "osvm/jit.h"

/* ---- Routines ---- */

typedef enum {
    /* switching */
    ROUTINE_SEND,        /* a send site that is not linked, or whose cache missed */
    ROUTINE_EXIT,        /* go on in the interpreter, at this bytecode */
    ROUTINE_POLL_ENTRY,
    ROUTINE_POLL_LOOP,
    ROUTINE_RETURN,      /* A: value; a return that is not plain */
    ROUTINE_NON_LOCAL,   /* A: value */
    ROUTINE_WRONG_DEPTH, /* A: words that should be on the stack; checked builds only */
    ROUTINE_PRIMITIVE,   /* A: method, B: its primitive's number, C: arguments; at its entry */
    ROUTINE_FAILED,      /* A: method, C: arguments: its primitive has failed */
    /* leaf */
    ROUTINE_SIMPLE_PRIMITIVE, /* the same as ROUTINE_PRIMITIVE; 0: failed */
    ROUTINE_FLOAT,       /* A, B: operands, C: operation; 0: send */
    ROUTINE_FLOAT_COMPARE, /* A, B: operands, C: condition; true, false or 0 */
    ROUTINE_SHIFT,       /* A, B */
    ROUTINE_POINT,       /* A, B */
    ROUTINE_IDENTICAL,   /* A, B: true or false */
    ROUTINE_CLASS,       /* A */
    ROUTINE_BARRIER,     /* A: object, B: value just stored in it */
    ROUTINE_VECTOR,      /* A: temp index, B: slot needed; the vector, 0: it is none */
    ROUTINE_NEW_ARRAY,   /* A: count, B: pop the elements; 0: no memory */
    ROUTINE_CLOSURE,     /* A: args, B: copied, C: start pc; pushed. 0: no memory */
    ROUTINE_FULL_CLOSURE, /* A: code, B: operand; pushed. 0: no memory */
    ROUTINE_FIELD,       /* A: index of a receiver variable; 0: there is none */
    ROUTINE_CONTEXT,     /* A: its slots, for machine code. The active context; 0: no memory */
    ROUTINE_PROCESS,     /* the active process */
    ROUTINE_INLINE,      /* A: number of an inlined primitive; 0: does not apply */
    ROUTINE_INLINE_JUMP, /* A: of one that jumps; 1 or 0 as an object: it does, or not; 0: does not apply */
    ROUTINE_COUNT
} Routine;

extern const CpuRoutine jit_routines[ROUTINE_COUNT];

/* ---- Pieces of code ---- */

enum { POOL_CODE, POOL_ENTRY, POOL_FRAMED, POOL_HEADER, POOL_FIXED };

typedef enum { ROLE_REFERENCE, ROLE_TAG, ROLE_TARGET, ROLE_PLAIN } PoolRole;

typedef enum {
    MAP_SEND, /* behind a call of a send site; the frame waits for the answer */
    MAP_POLL, /* the frame waits for nothing */
    MAP_EXIT  /* behind a call that never comes back */
} MapKind;

/* A frame state: at `offset` in the code, all values are in memory as the interpreter has them,
 * and the next bytecode is `pc` bytes behind the code's oop. */
typedef struct {
    uint32_t offset;
    uint32_t pc;
    uint8_t kind;
    uint8_t depth; /* values above the temporaries, the answer included; DEPTH_UNREACHED: not known */
} JitMap;

typedef struct {
    uint32_t offset;   /* return address, in the code */
    uint16_t pool;     /* index of its class index; the target follows */
    int16_t literal;   /* of the selector; below 0: ~index of a special selector */
    uint8_t args;
    bool is_super;
} JitSend;

/* PIECE_CACHE: of one site; PIECE_OPEN: of all sites of one selector; PIECE_SHARED: see shared.c. */
typedef enum { PIECE_METHOD, PIECE_BLOCK, PIECE_CACHE, PIECE_OPEN, PIECE_SHARED } PieceKind;

typedef struct Piece {
    Word start;         /* of the pool */
    uint32_t pool_words, code_bytes;
    uint8_t kind;
    uint8_t routine;    /* PIECE_SHARED: it stands for */
    uint8_t args;       /* of methods and blocks, and of the sites that call a cache */
    bool careful;       /* its frames are FRAME_CAREFUL */
    bool young;         /* some reference is young */
    bool counted;       /* seen on a stack, while reclaiming */
    Word distance;      /* it moves down by, while reclaiming */
    uint32_t used;      /* stamp of the last time it was linked or entered */
    uint32_t start_pc;  /* of embedded blocks: bytes behind the code's oop */
    uint16_t copied;    /* of blocks */
    uint16_t fields;    /* receivers must have so many variables, and be no contexts if it is not 0 */
    uint16_t locals;    /* temporaries that are no arguments */
    /* Offsets in the code, 0: there is none. */
    uint32_t checked;   /* entry: class index of RECEIVER, an object, against CLASS */
    uint32_t tagged;    /* the same of an immediate */
    uint32_t unchecked; /* entry behind that */
    uint32_t resumed;   /* unchecked, to be resumed at with operands and return pc pushed */
    uint32_t framed;    /* to be resumed at when the frame has been built */
    JitMap *maps;       /* behind the piece, in one block with it, as are the next two */
    JitSend *sends;
    uint8_t *roles;     /* PoolRole of each pool word */
    uint32_t map_count, send_count;
    uint32_t cases;     /* PIECE_CACHE: in use */
    struct Piece *blocks; /* of embedded blocks, linked through `next_block` */
    struct Piece *next_block;
    struct Piece *next_open; /* PIECE_OPEN: through the list of them */
} Piece;

/* ---- The JIT ---- */

typedef struct {
    const OsvmInstance *instance;
    Cpu *cpu;
    bool by_name; /* loaded by its name, to be given back */
} Processor;

enum { PROCESSORS_MAX = 3, PC_ENTRIES = 512 };

/* What is known of a pc of machine code. */
typedef struct {
    Word pc; /* 0: empty */
    Piece *piece;
    const JitMap *map; /* NULL: it is no frame state */
    JitSend *site;     /* NULL: no send returns there */
} PcFacts;

/* Told of each piece before its instructions are forgotten. */
typedef void (*PieceListener)(void *context, const Piece *piece,
                              const JitInstruction *instructions, uint32_t count);

typedef struct {
    JitInstruction *instructions;
    uint32_t count, capacity;
} Section;

/* Where a label is: in which section, at which instruction. */
typedef struct {
    uint32_t index;
    bool cold;
} LabelPlace;

/* What grows while a piece is made. */
typedef struct {
    Section main, cold;  /* cold is put behind main */
    JitMap *maps;        /* offset: a label */
    JitSend *sends;      /* offset: index of a map */
    LabelPlace *places;  /* of the labels */
    uint32_t map_capacity, send_capacity, place_capacity;
} BuildArrays;

typedef struct Jit {
    JitBackEnd *back_end;
    Cpu *cpu;              /* machine code runs on it */
    unsigned stack_alignment; /* where C is called */
    Cpu *wanted;           /* where it runs from the next entry on */
    Processor processors[PROCESSORS_MAX]; /* those that have been started */
    unsigned processor_count;
    bool moved, moved_back; /* --sim-from, --sim-until have been obeyed */
    uint64_t machine_points; /* poll points passed in machine code */
    Word stacks_end;       /* the stack zone is [end, stacks_end) */
    PieceListener installed; /* for tools; NULL: nobody listens */
    void *installed_context;

    Word start, end;       /* the zone, as machine code sees it */
    SWord write_distance;  /* from an address there to where it is written */
    Word free;             /* where the next piece goes */
    Word fetched;          /* up to there memory has been asked for */
    Word first;            /* behind the stubs */
    int memory;            /* file descriptor behind both views */
    int copy;              /* ... of a clone that is being made */
    void *write_view;
    Word enter;            /* address of the stub */
    unsigned threshold, loop_threshold;
    bool turned;           /* --torture=deopt: frames have left machine code */
    uint64_t reservations, next_full, made_full, random; /* --torture=code-full */
    unsigned making;       /* pieces are being made */
    uint32_t stamp;
    Piece **pieces;        /* by address */
    uint32_t piece_count, piece_capacity;
    PcFacts pcs[PC_ENTRIES]; /* asked about lately; emptied when a piece goes or moves */
    bool young_only;       /* the collection that follows moves young objects only */
    Piece *open;           /* the open caches, through `next_open` */
    bool open_used;        /* their table has entries */
    bool linked;           /* some site may be */
    uint64_t opens_made;
    uint64_t links;        /* times that a site, or the table of open caches, learned a target */
    uint64_t unlinked;     /* sites that got no cache for want of room */
    bool unverified;       /* verify.c: references have been visited, or code has gone */
    unsigned polls;        /* seen there */
    uint64_t gaps[OPERATION_COUNT]; /* bytecodes that code leaves to the interpreter, by operation */
    const char *refusal;   /* why the last code that was refused was */
    BuildArrays spare;     /* of the last piece made: memory for the next one */
    uint64_t compile_us, bytecodes; /* spent on compiling so many */
    uint64_t compiled, refused, evicted, reclaims, runs;
    uint64_t put_off;      /* compilations for which there was no room */
    unsigned full, to_skip; /* so many were not tried since the last one, and still are not */
    uint64_t frames_left, frames_entered; /* changed tier while they waited */
} Jit;

static inline Jit *jit_of(Vm *vm)
{
    return vm->jit.state;
}

/* Are receiver and arguments passed in registers, and nothing of them in memory? */
static inline bool jit_in_registers(unsigned args)
{
    return args <= JIT_ARGUMENTS;
}

/* Which of vm->jit.unlinked a site of so many arguments calls. */
static inline unsigned jit_unlinked_index(unsigned args)
{
    _Static_assert(JIT_UNLINKED == JIT_ARGUMENTS + 2, "one for each number of registers, one for none");
    return jit_in_registers(args) ? args : JIT_ARGUMENTS + 1;
}

static inline Word *jit_pool(const Piece *piece)
{
    return word_pointer(piece->start);
}

static inline Word jit_code(const Piece *piece)
{
    return piece->start + (Word)piece->pool_words * WORD_BYTES;
}

/* Bytes of a Piece and what lies behind it. */
static inline size_t jit_piece_size(uint32_t maps, uint32_t sends, uint32_t pool_words)
{
    return sizeof(Piece) + maps * sizeof(JitMap) + sends * sizeof(JitSend) + pool_words;
}

/* Is it the code of a method or block? */
static inline bool jit_has_method(const Piece *piece)
{
    return piece->kind == PIECE_METHOD || piece->kind == PIECE_BLOCK;
}

static inline Oop jit_piece_method(const Piece *piece)
{
    return jit_pool(piece)[POOL_CODE];
}

/* ---- build.c ---- */

enum { LABEL_NONE = 0xFFFF, POOL_MOST = 1024 };

/* A piece in the making. `failed` is sticky. */
typedef struct Build {
    Vm *vm;
    Jit *jit;
    uint8_t routine;    /* PIECE_SHARED: it stands for */
    bool failed;
    const char *why;    /* it has; NULL: its stack is not what the bytecodes need */
    BuildArrays arrays;
    Section *section;   /* where instructions go now */
    uint32_t pc;        /* of the bytecode they are for, behind the code's oop; 0: for none */
    uint32_t labels;
    uint32_t pool_words;
    uint32_t map_count, send_count;
    /* not cleared in the beginning, which would take longer than a small method */
    Word pool[POOL_MOST];
    uint8_t roles[POOL_MOST];
} Build;

void build_open(Build *b, Vm *vm);
void build_close(Build *b);
void build_free(Vm *vm, BuildArrays *arrays);
/* The piece cannot be made; the first reason stays. */
void build_refuse(Build *b, const char *why);
unsigned build_label(Build *b);
void build_here(Build *b, unsigned label);
void build_cold(Build *b);
void build_main(Build *b);
unsigned build_pool(Build *b, Word value, PoolRole role);
unsigned build_reference(Build *b, Oop oop);
void build_map(Build *b, MapKind kind, Word pc);
/* A send, whose frame state is the last one told. */
void build_site(Build *b, JitSend site);

/* Sees to room for another instruction, or refuses the piece. */
void build_room(Build *b);

static inline JitInstruction *build_add(Build *b, JitOperation operation)
{
    Section *s = b->section;
    if (s->count == s->capacity)
        build_room(b);
    JitInstruction *i = &s->instructions[s->count++];
    *i = (JitInstruction){.operation = (uint8_t)operation, .pc = b->pc};
    return i;
}

static inline JitInstruction *build_last(const Build *b)
{
    return &b->section->instructions[b->section->count - 1];
}

static inline void op_ab(Build *b, JitOperation o, unsigned a, unsigned from)
{
    JitInstruction *i = build_add(b, o);
    i->a = (uint8_t)a;
    i->b = (uint8_t)from;
}

static inline void op_av(Build *b, JitOperation o, unsigned a, SWord value)
{
    JitInstruction *i = build_add(b, o);
    i->a = (uint8_t)a;
    i->value = value;
}

static inline void op_v(Build *b, JitOperation o, SWord value)
{
    build_add(b, o)->value = value;
}

static inline void op_abv(Build *b, JitOperation o, unsigned a, unsigned base, SWord value)
{
    JitInstruction *i = build_add(b, o);
    i->a = (uint8_t)a;
    i->b = (uint8_t)base;
    i->value = value;
    i->size = WORD_SHIFT;
}

static inline void op_load(Build *b, unsigned a, unsigned base, SWord offset, unsigned size)
{
    op_abv(b, JIT_LOAD, a, base, offset);
    build_last(b)->size = (uint8_t)size;
}

static inline void op_jump(Build *b, unsigned label)
{
    build_add(b, JIT_JUMP)->label = (uint16_t)label;
}

static inline void op_branch(Build *b, JitCondition c, unsigned a, unsigned to, unsigned label)
{
    JitInstruction *i = build_add(b, JIT_BRANCH);
    i->condition = (uint8_t)c;
    i->a = (uint8_t)a;
    i->b = (uint8_t)to;
    i->label = (uint16_t)label;
}

/* JIT_BRANCH_CONSTANT, JIT_BRANCH_LITERAL, JIT_BRANCH_BITS */
static inline void op_branch_value(Build *b, JitOperation o, JitCondition c, unsigned a,
                                   SWord value, unsigned label)
{
    JitInstruction *i = build_add(b, o);
    i->condition = (uint8_t)c;
    i->a = (uint8_t)a;
    i->value = value;
    i->label = (uint16_t)label;
}

static inline void op_branch_loaded(Build *b, JitCondition c, unsigned a, unsigned base,
                                    SWord offset, unsigned label)
{
    op_branch_value(b, JIT_BRANCH_LOADED, c, a, offset, label);
    build_last(b)->b = (uint8_t)base;
}

static inline void op_branch_bits_loaded(Build *b, JitCondition c, unsigned base, SWord offset,
                                         uint32_t mask, unsigned label)
{
    op_branch_value(b, JIT_BRANCH_BITS_LOADED, c, 0, offset, label);
    JitInstruction *i = build_last(b);
    i->b = (uint8_t)base;
    i->extra = (int32_t)mask;
}

static inline void op_checked(Build *b, JitOperation o, unsigned a, unsigned with, SWord value,
                              unsigned label)
{
    JitInstruction *i = build_add(b, o);
    i->a = (uint8_t)a;
    i->b = (uint8_t)with;
    i->value = value;
    i->label = (uint16_t)label;
}

/* A VM variable's offset from VM. */
#define VAR(field) ((SWord)offsetof(Vm, field))

void build_call(Build *b, Routine routine);
/* At an entry, where as many arguments are where the caller has put them: receiver and arguments
 * are in memory afterwards, under the return address, ... */
void build_operands(Build *b, unsigned args);
/* ... for the stub, which is jumped to; */
void build_stub_jump(Build *b, Routine routine, unsigned args);
/* the site finds out whom to call. */
void build_miss(Build *b, unsigned args);

/* ---- sim.c ---- */

typedef enum {
    SIM_SPILLED,
    SIM_CONSTANT,
    SIM_LITERAL,
    SIM_VARIABLE,
    SIM_TEMP,
    SIM_RECEIVER,
    SIM_REGISTER
} SimKind;

typedef struct {
    uint8_t kind;
    uint8_t reg;
    SWord value; /* the constant; pool index; offset of the VM variable; index of the temporary */
} SimEntry;

enum { SIM_MAX = 128 };

/* A bytecode that is jumped to. */
typedef struct {
    uint16_t label; /* LABEL_NONE: it is not */
    uint16_t known; /* in all that have jumped there so far */
    bool in_memory; /* what is on the stack there; else the newest value is in RESULT */
} Target;

/* One method, block or embedded block on its way through the front end. */
typedef struct Unit {
    VerifyView view;
    VerifyFacts facts;
    Oop code;
    uint32_t first_pc;    /* of the view's bytes, behind the code's oop */
    uint32_t from, to;    /* the bytecodes of this unit, in the view */
    unsigned args, base;  /* arguments; arguments and temporaries that lie in the frame at entry */
    unsigned copied;
    unsigned context_slots; /* of its contexts */
    bool block, embedded, careful;
    Word flags;           /* FRAME_FLAGS */
    unsigned primitive;
    Target *targets;      /* by bytecode */
    unsigned depth, spilled;
    unsigned known;       /* bits of RECEIVER, if it holds self, and of ARGUMENTs that hold theirs */
    bool dead;            /* control does not come here */
    Instruction now;      /* the bytecode being translated */
    uint32_t checked, tagged, unchecked, resumed, framed, block_entry; /* labels, LABEL_NONE */
    /* not cleared: see Build */
    SimEntry stack[SIM_MAX];
    Build b;
} Unit;

void sim_reset(Unit *u, unsigned depth);
void sim_push(Unit *u, SimKind kind, SWord value);
void sim_push_register(Unit *u, unsigned reg);
SimEntry sim_top(const Unit *u, unsigned depth);
void sim_drop(Unit *u, unsigned count);
/* All entries are in memory; somebody else pops the newest. */
void sim_forget(Unit *u, unsigned count);
/* Everything but the top `keep` entries is in memory. */
void sim_spill(Unit *u, unsigned keep);
static inline void sim_flush(Unit *u)
{
    sim_spill(u, 0);
}
/* Pops the top into `reg`, which no other entry uses. */
void sim_pop_to(Unit *u, unsigned reg);
/* Pops the top into some register, not among `busy` (bits), and answers it. */
unsigned sim_pop(Unit *u, unsigned busy);
/* The same of a value that is only read: the register may be one that is known. */
unsigned sim_operand(Unit *u, unsigned busy);
/* A register no entry uses and not in `busy`; spills if need be. */
unsigned sim_register(Unit *u, unsigned busy);
/* Instructions that bring an entry (not a spilled one) into a register, or push it. */
void sim_load(Unit *u, SimEntry entry, unsigned reg);
void sim_push_entry(Unit *u, SimEntry entry);
/* What is not in memory where control goes into the cold section, perhaps to come back. */
typedef struct {
    unsigned spilled, depth, known;
} SimKept;

static inline SimKept sim_kept(const Unit *u)
{
    return (SimKept){u->spilled, u->depth, u->known};
}
/* Of the entries below the newest `above` at most so many are registers and none is a variable of the
 * frame: the others are in memory. */
void sim_limit(Unit *u, unsigned above, unsigned registers);
/* Bits of the registers that entries are in. */
unsigned sim_registers(const Unit *u);
/* In the cold section: puts them into memory, and back where they were. Between the two nothing
 * is pushed on the simulated stack. */
void sim_save(Unit *u, const SimKept *kept);
void sim_restore(Unit *u, const SimKept *kept);
/* Offset of a temporary from FP. */
SWord sim_temp_offset(const Unit *u, unsigned index);
void sim_self(Unit *u); /* RECEIVER holds self afterwards */
/* The registers that know something when a unit begins; and what they know, from the frame. */
unsigned sim_known_first(const Unit *u);
void sim_load_known(Unit *u, unsigned registers);
/* Everything but the newest value is in memory, which is in RESULT. */
void sim_top_to_result(Unit *u);
static inline bool sim_is_integer(SimEntry e)
{
    return e.kind == SIM_CONSTANT && is_small_integer((Oop)e.value);
}

/* ---- bytecodes.c ---- */
bool unit_translate(Unit *u);
/* The pc behind the current bytecode, and its own, as maps have it. */
Word unit_next_pc(const Unit *u);
Word unit_this_pc(const Unit *u);
/* A send of the newest values; RESULT is pushed on the simulated stack. */
void unit_send(Unit *u, int literal, unsigned args, bool is_super);
/* The same without touching the simulated stack; receiver and arguments are where the callee
 * wants them. RESULT is the answer. */
void unit_emit_send(Unit *u, int literal, unsigned args, bool is_super);
/* In the cold section: the interpreter goes on at the current bytecode. The label of it. */
unsigned unit_exit(Unit *u);
/* If the next bytecode is a conditional jump that only follows this one, consumes it. */
bool unit_fused_jump(Unit *u, Instruction *jump);
void unit_branch_on_result(Unit *u, const Instruction *jump);
unsigned unit_target(Unit *u, int64_t target);
void unit_booleans(Unit *u, unsigned if_true);
void unit_store_slot(Unit *u, unsigned object, SWord slot, SimEntry value, unsigned value_register);

/* arithmetic.c */
bool unit_special(Unit *u, unsigned index);

/* primitives.c */
/* The method's primitive, at its entry; what is to come behind it. */
typedef enum { BODY_WITH_FRAME, BODY_ALONE, NO_BODY } PrimitiveRest;
PrimitiveRest unit_primitive(Unit *u);
/* `to` := the class of `object`; to `slow` if one of them is a forwarder. D and E are lost. */
void unit_class_of(Unit *u, unsigned to, unsigned object, unsigned slow);
/* Of a primitive inline. `to` := argument `index`; */
void unit_load_argument(Unit *u, unsigned to, unsigned index);
/* RESULT is the answer; */
void unit_answer(Unit *u);
/* D := the low header half of the object, E := its format, B := its number of slots; */
void unit_read_header(Unit *u, unsigned object, unsigned slow);
/* B := the number of bytes of the byte object whose slots and format are in B and E. E is lost. */
void unit_byte_count(Unit *u, unsigned slow);

/* bulk.c */
void unit_replace(Unit *u, unsigned slow);
void unit_compare(Unit *u, unsigned slow);

/* compile.c */
/* `flags`: FRAME_CAREFUL: receivers may be contexts, or lack the variables used. */
Piece *jit_compile(Vm *vm, Oop code, Word flags);
Piece *jit_compile_block(Vm *vm, Oop code, unsigned copied);
Piece *jit_compile_embedded(Vm *vm, Oop code, uint32_t start_pc, unsigned args, unsigned copied);
/* To `slow` if the receiver may lack so many variables, which are used, or is a forwarder. D and E are
 * lost. */
void build_check_variables(Build *b, unsigned receiver, unsigned fields, unsigned slow);
/* Encodes and installs; NULL: the zone is full or memory is short. */
Piece *jit_install(Build *b, PieceKind kind);

/* shared.c */
bool shared_make(Vm *vm);
/* The frame of the married context dies; `scratch` is lost. */
void build_kill_context(Build *b, unsigned context, unsigned scratch);

/* processor.c */
bool processor_open(Vm *vm, OsvmError *error);
void processor_close(Vm *vm);

/* zone.c */
bool zone_open(Vm *vm, OsvmError *error);
void zone_close(Vm *vm);
Word zone_reserve(Vm *vm, Word bytes); /* 0: full */
static inline void *zone_writable(const Jit *jit, Word address)
{
    return (uint8_t *)word_pointer(address) + jit->write_distance;
}
static inline void jit_put(const Jit *jit, const Piece *piece, unsigned index, Word value)
{
    ((Word *)zone_writable(jit, piece->start))[index] = value;
}
/* Room for `bytes` more pieces' worth is wanted: throws out what has not been used for longest, and
 * moves the rest together. */
void zone_reclaim(Vm *vm, Word bytes);

/* methods.c */
/* What to call it, if it has no method. */
const char *jit_piece_kind(const Piece *piece);
Word jit_piece_bytes(const Piece *piece);
Piece *jit_piece_at(const Jit *jit, Word address);
/* NULL: it lies in no piece. Valid until a piece goes or moves. */
const PcFacts *jit_pc_facts(Jit *jit, Word pc);
void jit_forget_pcs(Jit *jit);
/* The machine code of compiled code, NULL: none. */
Piece *jit_piece_of(Vm *vm, Oop code);
Piece *jit_block_of(Vm *vm, Oop code, uint32_t start_pc);
bool jit_add_piece(Vm *vm, Piece *piece);
void jit_free_piece(Vm *vm, Piece *piece);
void jit_delete_piece(Vm *vm, Piece *piece);

/* link.c */
enum { NO_CLASS = 1 << CLASS_INDEX_BITS }; /* an index no object has */
Oop link_selector(Vm *vm, const Piece *piece, const JitSend *site);
void link_site(Vm *vm, Piece *piece, JitSend *site, Word class_index, Piece *target);
void link_clear(Vm *vm, Piece *piece, JitSend *site);
void link_remove(Vm *vm, const Piece *target);

/* The entry for a site that expects this class index. */
Word link_entry(const Piece *target, Word class_index);
/* Into A: the class index of RECEIVER. */
void link_read_class(Build *b);

/* open.c */
Piece *open_find(Vm *vm, Oop selector);
/* May move or forget code; NULL: no room. */
Piece *open_make(Vm *vm, Oop selector, unsigned args);
/* A send of the selector to the class runs the target. */
void open_add(Vm *vm, Oop selector, Word class_index, const Piece *target);
void open_forget(Vm *vm); /* what the table says */
void open_free_all(Vm *vm); /* no site is linked */

/* verify.c: in checked builds; what does not hold ends the process. */
/* The running frame has called a routine with `pending` words more than its frame state says. */
void verify_running(Vm *vm, int pending);
/* Pieces, references and caches. */
void verify_zone(Vm *vm);

/* frames.c */
typedef void (*PcVisitor)(Vm *vm, Word *frame, Word *pc, Word *above, void *context);
void frames_each(Vm *vm, PcVisitor visit, void *context);
/* The frame is about to go on in machine code: FRAME_ODD_RETURN as S5 has it. */
void frame_adopt(Vm *vm, Word *frame);
/* All frames turn into the interpreter's; the next time, back into machine code's where there is
 * some. */
void frames_turn(Vm *vm);

/* jit.c */
/* Code was written there: the processor is told. */
void jit_code_written(Vm *vm, Word start, Word end);
/* A line of --code-map, if it is wanted. */
void jit_map_line(Vm *vm, Word start, Word bytes, const char *name);

/* entry.c */
/* The machine code that a send of this entry should run: compiles what is hot. NULL: none. */
Piece *jit_code_for(Vm *vm, LookupEntry *entry);
/* The frame, at the bytecode at *pc, goes on in machine code if there is some for it with a frame
 * state of these kinds there (bits 1 << MapKind); compiles embedded blocks if `make`. */
bool jit_enter_at(Vm *vm, Word *frame, Word *pc, unsigned kinds, bool make);
/* Resumes at a send's callee: receiver, arguments on the stack, return pc in vm->ip. */
void jit_call(Vm *vm, Piece *piece);

#endif
