/* The contract of a JIT back end: abstract instructions in, machine code out.
 *
 * The front end (kernel/jit/) knows bytecodes, objects and frames; a back end knows only how
 * to encode. The front end builds an array of JitInstruction over abstract registers and
 * labels; `encode` turns it into bytes. Nothing here has flags, and every branch says what it
 * compares, so that machines with and without flags, with two or three operands, with return
 * addresses on the stack or in a register encode it alike.
 *
 * Rules:
 *  J1  Machine code is position independent but for what it reads through VM: it can be moved
 *      as it is, together with its pool. (A machine that cannot address relative to the pc
 *      implements `moved`.)
 *  J2  All that changes after the code has been written (references, inline caches) lies in
 *      the pool, words in front of the code, aligned to a word. Code itself never changes.
 *  J3  Machine code calls C only through the stubs `encode_stub` makes; they read the address
 *      of the C routine from a table among the VM variables.
 *  J4  The stack grows down. JIT_FRAME leaves the return address at fp + one word and the
 *      caller's fp at fp, as C compilers do.
 *  J5  What a machine needs besides (a scratch register, delay slots, long branches, constants
 *      that do not fit) is the back end's own affair; it may use JIT_REGISTERS' rest.
 *  J6  The front end names what there is: registers, labels that stand once in the code, words of
 *      the pool. Offsets fit in 32 bits, signed. SP is a base, is compared, and is written by
 *      JIT_ADDRESS; otherwise only the instructions of the stack change it. Code does not run off
 *      its end.
 *  J7  The same instructions are encoded into the same bytes. Each takes instruction_bytes at most
 *      and each stub stub_bytes: with as much room for all of them nothing is refused.
 *
 * An instance begins with struct JitBackEnd; the plugin's init fills in `ops`. What it keeps
 * besides is its own affair; the front end looks at none of it.
 */
#ifndef OSVM_JIT_H
#define OSVM_JIT_H

#include "osvm/plugin.h"
#include "osvm/word.h"

enum { OSVM_JIT_ABI = 3 };

typedef struct JitOps JitOps;

typedef struct {
    const JitOps *ops;
} JitBackEnd;

/* ---- Registers ---- */

/* How methods are called: with RECEIVER, and ARGUMENT_0 and ARGUMENT_1 if they take that many. With
 * more than JIT_ARGUMENTS the caller pushes the receiver and all arguments besides. Whoever needs
 * them in memory (a frame, a stub that calls C) puts them there with JIT_OPERANDS.
 *
 * RESULT, A, B and C are distinct from where a machine keeps C's first argument if it can help
 * it: stubs put the Vm there. All but the last three are lost at calls; a leaf routine's stub
 * keeps RECEIVER and the ARGUMENTs: they are where C functions keep variables over calls. */
typedef enum {
    JIT_RESULT,   /* what a send or a routine answers */
    JIT_A,        /* arguments of routines, in this order; free otherwise */
    JIT_B,
    JIT_C,
    JIT_RECEIVER, /* the receiver at the entry of a method */
    JIT_ARGUMENT_0, /* the arguments there, of methods with no more than these */
    JIT_ARGUMENT_1,
    JIT_CLASS,    /* the class index an inline cache expects, at the entry of a method */
    JIT_D,
    JIT_E,
    JIT_FP,       /* frame pointer */
    JIT_SP,       /* stack pointer: the newest value */
    JIT_VM,       /* the Vm: base of the VM variables */
    JIT_REGISTERS
} JitRegister;

enum { JIT_ARGUMENTS = 2, JIT_FLOAT_REGISTERS = 4, JIT_WORDS_MOST = 4095 };

/* ---- Conditions ---- */

typedef enum {
    JIT_EQUAL, JIT_NOT_EQUAL,
    JIT_LESS, JIT_LESS_EQUAL, JIT_GREATER, JIT_GREATER_EQUAL, /* signed; floats: ordered */
    JIT_BELOW, JIT_BELOW_EQUAL, JIT_ABOVE, JIT_ABOVE_EQUAL,   /* unsigned */
} JitCondition;

/* The condition that holds exactly when `c` does not. Integers only. */
static inline JitCondition jit_inverse(JitCondition c)
{
    static const uint8_t inverse[] = {JIT_NOT_EQUAL, JIT_EQUAL, JIT_GREATER_EQUAL, JIT_GREATER,
                                      JIT_LESS_EQUAL, JIT_LESS, JIT_ABOVE_EQUAL, JIT_ABOVE,
                                      JIT_BELOW_EQUAL, JIT_BELOW};
    return (JitCondition)inverse[c];
}

/* ---- Instructions ---- */

/* Fields: a, b, c registers; `value` a constant, an offset in bytes or a mask; `label`; `size`
 * log2 of the bytes accessed (loads extend with zeros), WORD_SHIFT for words. `pool` below
 * stands for the word at index `value` of the pool. */
typedef enum {
    JIT_LABEL,          /* label: here */
    JIT_MOVE,           /* a := b */
    JIT_CONSTANT,       /* a := value */
    JIT_LITERAL,        /* a := pool */
    JIT_LOAD,           /* a := [b + value] */
    JIT_LOAD_INDEXED,   /* a := [b + (c << size) + value] */
    JIT_STORE,          /* [b + value] := a */
    JIT_STORE_INDEXED,  /* [b + (c << size) + value] := a */
    JIT_STORE_CONSTANT, /* [b + value] := the word `extra`, signed 32 bits */

    JIT_PUSH,          /* a */
    JIT_PUSH_CONSTANT, /* value */
    JIT_PUSH_LITERAL,  /* pool */
    JIT_PUSH_LOADED,   /* [b + value] */
    JIT_POP,           /* a */
    JIT_DROP,          /* `value` words of the stack, JIT_WORDS_MOST at most; negative: makes room */

    JIT_ADD, /* a := a + b, and so on */
    JIT_SUBTRACT,
    JIT_MULTIPLY,
    JIT_AND,
    JIT_OR,
    JIT_XOR,
    JIT_SHIFT_LEFT,  /* by b, which is 0 .. WORD_BITS - 1 */
    JIT_SHIFT_RIGHT, /* signed */
    JIT_SHIFT_RIGHT_UNSIGNED,
    JIT_ADD_CONSTANT, /* a := a + value, and so on */
    JIT_AND_CONSTANT,
    JIT_OR_CONSTANT,
    JIT_XOR_CONSTANT,
    JIT_SHIFT_LEFT_CONSTANT,
    JIT_SHIFT_RIGHT_CONSTANT,
    JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT,
    JIT_ROTATE_RIGHT_CONSTANT,
    JIT_ADDRESS, /* a := b + value */

    /* a := a op b; to label if the signed result does not fit, a is then unspecified. */
    JIT_ADD_CHECKED,
    JIT_SUBTRACT_CHECKED,
    JIT_MULTIPLY_CHECKED,
    JIT_ADD_CONSTANT_CHECKED,
    JIT_DIVIDE, /* RESULT / c: RESULT := quotient towards 0, B := rest. c is neither */

    JIT_JUMP,                   /* to label */
    JIT_BRANCH,                 /* if a `condition` b, to label */
    JIT_BRANCH_CONSTANT,        /* if a `condition` value */
    JIT_BRANCH_LOADED,          /* if a `condition` the word at [b + value] */
    JIT_BRANCH_LITERAL,         /* if a `condition` pool */
    JIT_BRANCH_BITS,            /* if (a & value) `condition` 0; EQUAL or NOT_EQUAL */
    JIT_BRANCH_BITS_LOADED,     /* if (the 32 bits at [b + value] & extra) `condition` 0 */
    JIT_BRANCH_LOADED_CONSTANT, /* if the word at [b + value] `condition` extra */
    JIT_COUNT_DOWN,             /* word at [b + value] -= 1; if it is negative then, to label */
    JIT_JUMP_REGISTER,          /* to the address a */
    JIT_JUMP_LOADED,            /* to the address at [b + value] */

    JIT_CALL_LOADED,  /* the address at [b + value]: a stub of the VM variables */
    JIT_CALL_LITERAL, /* pool: an inline cache */
    JIT_FRAME,        /* at the entry: return address and fp are pushed, fp := sp */
    JIT_LEAVE,        /* sp := fp, fp popped, return, and drop `value` words, up to JIT_WORDS_MOST */
    JIT_RETURN,       /* without a frame: return, and drop `value` words */
    JIT_TAKE_RETURN,  /* without a frame: [b + value] := return address, which leaves the stack */
    JIT_SET_RETURN,   /* without a frame: the return address, which lay nowhere, := a */
    JIT_OPERANDS,     /* without a frame: RECEIVER and the first `value` ARGUMENTs are pushed, in
                       * this order, as if before the call */

    JIT_FLOAT_FROM_BITS,    /* float a := bits of b (64-bit words) */
    JIT_FLOAT_TO_BITS,      /* a := bits of float b */
    JIT_FLOAT_LOAD,         /* float a := [b + value] */
    JIT_FLOAT_STORE,        /* [b + value] := float a */
    JIT_FLOAT_FROM_INTEGER, /* float a := signed b */
    JIT_FLOAT_ADD,          /* float a := a + float b, and so on */
    JIT_FLOAT_SUBTRACT,
    JIT_FLOAT_MULTIPLY,
    JIT_FLOAT_DIVIDE,
    JIT_FLOAT_SQUARE_ROOT, /* float a := root of float b */
    JIT_FLOAT_BRANCH,      /* if float a `condition` float b; false for NaN, but NOT_EQUAL */

    JIT_STOP, /* never reached: traps */
    JIT_OPERATIONS
} JitOperation;

typedef struct {
    uint8_t operation; /* JitOperation */
    uint8_t condition; /* JitCondition */
    uint8_t size;
    uint8_t a, b, c;
    uint16_t label;
    int32_t extra;   /* the back end's own once it has been encoded */
    SWord value;
    uint32_t pc;     /* for tools: what it was made for, see kernel/jit/; 0: not said */
    uint32_t offset; /* set by `encode`: of the instruction, from the start of the code */
} JitInstruction;

/* What to encode. */
typedef struct {
    JitInstruction *instructions;
    uint32_t count;
    uint32_t labels;      /* labels are 0 .. labels - 1 */
    uint32_t pool_words;  /* the pool lies right in front of the code */
    Word address;         /* of the code, where it will be executed; aligned */
    uint8_t *out;         /* where it is to be written now */
    uint32_t capacity;    /* bytes */
} JitCode;

enum { JIT_ALIGNMENT_MOST = 16 };

/* ---- Stubs ---- */

/* Offsets of VM variables (words, from VM) that stubs use. */
typedef struct {
    int32_t sp, fp, ip; /* registers of Smalltalk code while C runs */
    int32_t c_sp;       /* stack pointer of C while Smalltalk code runs */
    int32_t leaf_pc;    /* where a leaf stub keeps its return address */
    int32_t routines;   /* table of addresses of C routines */
} JitVariables;

typedef enum {
    /* The C function `Word enter(Vm *)`: saves what C wants saved, c_sp := sp, VM := the argument,
     * and resumes. Resuming: sp and fp from the variables, RESULT is popped, jump to ip. */
    JIT_STUB_ENTER,
    /* Returns from `enter` with the value of RESULT. */
    JIT_STUB_LEAVE,
    /* Called by machine code: the return address goes from the stack to leaf_pc, sp and fp are
     * stored, the routine is called on C's stack with the Vm, A, B and C; its answer is in RESULT,
     * sp is what the variable says then, and the code goes on behind the call. RECEIVER and the
     * ARGUMENTs are kept. */
    JIT_STUB_LEAF,
    /* Called by machine code: the return address goes from the stack to ip, sp and fp are stored,
     * the routine is called with the Vm, A, B and C. 0: resume (as for ENTER). Else: leave with
     * the answer. */
    JIT_STUB_SWITCH,
} JitStubKind;

typedef struct {
    JitStubKind kind;
    unsigned routine;     /* index in the table */
    Word address;         /* where the stub will be executed */
    Word leave;           /* address of the JIT_STUB_LEAVE; 0 for the first two */
    uint8_t *out;
    uint32_t capacity;
} JitStub;

/* ---- The vtable ---- */

struct JitOps {
    size_t size; /* of this struct, when it was compiled */

    /* ---- Facts ---- */
    const char *machine;      /* name of the CpuMachine that runs the code (cpu.h) */
    bool return_on_stack;     /* a call leaves the return address at [sp], else in a register */
    uint8_t code_alignment;   /* of code: a power of two, JIT_ALIGNMENT_MOST at most */
    uint8_t instruction_bytes; /* the most that one takes (J7) */
    uint16_t stub_bytes;
    bool native;              /* the host is such a machine */
    const char *const *registers; /* machine register of each abstract one, JIT_REGISTERS names */

    /* Bytes written, none of them behind `capacity`; 0: they do not fit, or an instruction cannot be
     * encoded. What lies in [out + bytes, out + capacity) is unspecified then. */
    uint32_t (*encode)(JitBackEnd *back_end, const JitCode *code);
    uint32_t (*encode_stub)(JitBackEnd *back_end, const JitStub *stub,
                            const JitVariables *variables);
    /* Code with its pool has been moved to `address`; may be NULL (J1). `out` is where to write. */
    void (*moved)(JitBackEnd *back_end, Word address, uint8_t *out, uint32_t bytes,
                  SWord distance);
    /* members above: ABI 3 */
};

#endif
