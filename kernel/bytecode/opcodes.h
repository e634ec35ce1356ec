/* The two bytecode sets as data: what each opcode is and what its operands say.
 *
 * Every reader and writer of bytecodes (assembler, disassembler, verifier,
 * decompiler, code generators, the interpreter's checks, the JIT) works from
 * the tables behind this header, so the sets are described once.
 *
 * Three levels:
 *   Operation    what happens, the same for both sets (OP_PUSH_TEMP)
 *   OpcodeForm   one way to write an operation in a set (short, long, extended)
 *   Instruction  one decoded occurrence, Sista's extension prefixes folded in
 *
 * "pc" here is always a 0-based byte offset into the bytecodes (a context's pc
 * is that plus 1 plus the bytes of header and literals).
 */
#ifndef OSVM_BYTECODE_OPCODES_H
#define OSVM_BYTECODE_OPCODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "method.h"

/* What an instruction does. The comment names the Instruction fields it uses. */
typedef enum {
    OP_UNKNOWN, /* unassigned: sends #unusedBytecode and ends the activation */
    OP_PUSH_RECEIVER_VARIABLE,   /* index */
    OP_PUSH_TEMP,                /* index */
    OP_PUSH_LITERAL,             /* index */
    OP_PUSH_LITERAL_VARIABLE,    /* index of the literal: its slot 1 */
    OP_PUSH_REMOTE_TEMP,         /* index in the vector, temp holding the vector */
    OP_PUSH_RECEIVER,
    OP_PUSH_TRUE,
    OP_PUSH_FALSE,
    OP_PUSH_NIL,
    OP_PUSH_INTEGER,             /* value */
    OP_PUSH_CHARACTER,           /* index: the code */
    OP_PUSH_CONTEXT,
    OP_PUSH_PROCESS,
    OP_PUSH_NEW_ARRAY,           /* count: size; filled with nil */
    OP_POP_INTO_NEW_ARRAY,       /* count: size; pops the elements */
    OP_PUSH_CLOSURE,             /* count: arguments, copied, target: end of the block's body */
    OP_PUSH_FULL_CLOSURE,        /* index of the CompiledBlock, copied, and the flags */
    OP_DUPLICATE,
    OP_POP,
    OP_NOP,
    OP_STORE_RECEIVER_VARIABLE,  /* index */
    OP_STORE_TEMP,               /* index */
    OP_STORE_LITERAL_VARIABLE,   /* index */
    OP_STORE_REMOTE_TEMP,        /* index, temp */
    OP_POP_INTO_RECEIVER_VARIABLE, /* index */
    OP_POP_INTO_TEMP,            /* index */
    OP_POP_INTO_LITERAL_VARIABLE, /* index */
    OP_POP_INTO_REMOTE_TEMP,     /* index, temp */
    OP_SEND,                     /* index of the selector, count: arguments */
    OP_SEND_SPECIAL,             /* index: 0..31 in special_selectors, count: arguments */
    OP_SEND_SUPER,               /* index, count */
    OP_SEND_DIRECTED_SUPER,      /* index, count; the class is popped first */
    OP_JUMP,                     /* target */
    OP_JUMP_IF_TRUE,             /* target */
    OP_JUMP_IF_FALSE,            /* target */
    OP_RETURN_RECEIVER,
    OP_RETURN_TRUE,
    OP_RETURN_FALSE,
    OP_RETURN_NIL,
    OP_RETURN_TOP,
    OP_BLOCK_RETURN_NIL,
    OP_BLOCK_RETURN_TOP,
    OP_CALL_PRIMITIVE,           /* index: the primitive. An unknown bytecode anywhere but
                                    at pc 0 of a method with the primitive flag */
    OP_INLINE_PRIMITIVE,         /* index: the number, count: the inline set (0..3) */
    OP_MAPPED_PRIMITIVE,         /* index: the number; an unknown bytecode for VMs without it */
    OP_TRAP,                     /* unconditional trap; an unknown bytecode for VMs without it */
    OPERATION_COUNT
} Operation;

typedef enum {
    KIND_UNKNOWN,
    KIND_PUSH,
    KIND_CLOSURE,
    KIND_STACK, /* duplicate, pop, nop */
    KIND_STORE,
    KIND_POP_STORE,
    KIND_SEND,
    KIND_JUMP,
    KIND_CONDITIONAL_JUMP,
    KIND_RETURN,       /* from the method: non-local in a block */
    KIND_BLOCK_RETURN, /* to the caller of the block */
    KIND_PRIMITIVE,
} OperationKind;

/* Facts of an operation that hold in both sets. */
typedef struct {
    const char *name;   /* the mnemonic, as the assembler reads it */
    OperationKind kind;
    uint8_t pops;       /* fixed part; counts and copied values come on top, see instruction_pops */
    uint8_t pushes;
} OperationInfo;

/* How the operands of a form lie in its bytes: b, b1.. are the bytes behind the
 * opcode, k = opcode - first, A and B the values of the prefixes. */
typedef enum {
    OPERANDS_NONE,
    OPERANDS_NONE_AB,        /* none; clears A and B */
    OPERANDS_INDEX_K,        /* index = k */
    OPERANDS_INTEGER_K,      /* value = k + argument (of the form) */
    OPERANDS_INDEX,          /* index = b */
    OPERANDS_INDEX_A,        /* index = b + A*256 */
    OPERANDS_INTEGER_B,      /* value = b + B*256 */
    OPERANDS_PSEUDO_B,       /* B = argument */
    OPERANDS_EXTENDED_6,     /* index = b & 63, b >> 6 = argument */
    OPERANDS_EXTENDED_5,     /* index = b2, b1 >> 5 = argument */
    OPERANDS_EXTENDED_SEND,  /* index = b2, count = b1 & 31, b1 >> 5 = argument */
    OPERANDS_SEND_K,         /* index = k, count = argument */
    OPERANDS_SEND_SPECIAL,   /* index = k, count from special_selectors */
    OPERANDS_SEND_5,         /* index = b & 31, count = b >> 5 */
    OPERANDS_SEND_6,         /* index = b & 63, count = b >> 6 */
    OPERANDS_SEND_AB,        /* index = (b >> 3) + A*32, count = (b & 7) + B*8 */
    OPERANDS_SUPER_AB,       /* the same with B < 64 */
    OPERANDS_DIRECTED_AB,    /* the same with B - 64 instead of B, B >= 64 */
    OPERANDS_ARRAY,          /* count = b & 127, b >> 7 = argument */
    OPERANDS_REMOTE,         /* index = b1, temp = b2 */
    OPERANDS_PRIMITIVE,      /* index = b1 + b2*256 */
    OPERANDS_PRIMITIVE_SISTA, /* index = b1 + b2*256, b2 < 128 */
    OPERANDS_INLINE,         /* n = b1 + (b2 & 127)*256: index = n & 8191, count = n >> 13 */
    OPERANDS_CLOSURE,        /* count = b1 & 15, copied = b1 >> 4, size = b2*256 + b3 */
    OPERANDS_CLOSURE_AB,     /* count = (b1 & 7) + A%16*8, copied = (b1 >> 3 & 7) + A/16*8,
                                size = b2 + B*256 */
    OPERANDS_FULL_CLOSURE,   /* index = b1 + A*256, copied = b2 & 63, flags b2 >> 6 */
    OPERANDS_JUMP_K,         /* forward k + 1 */
    OPERANDS_JUMP_K_SIGNED,  /* (k - 4)*256 + b */
    OPERANDS_JUMP_K_FORWARD, /* k*256 + b */
    OPERANDS_JUMP_B,         /* b + B*256 */
} OperandLayout;

/* One row of a set: the opcodes first..last, written alike. Several rows may
 * share one opcode; then its operands tell them apart. */
typedef struct {
    uint8_t first, last;
    uint8_t operation; /* an Operation */
    uint8_t operands;  /* an OperandLayout */
    uint8_t length;    /* bytes from the opcode on, without prefixes */
    uint8_t argument;  /* what the layout needs to know */
} OpcodeForm;

enum {
    PREFIX_A = 224, /* Sista: extA := extA * 256 + b */
    PREFIX_B = 225, /* Sista: the same for extB, the first byte being signed */
    EXTENSION_MAX = 0xFFFFFF, /* more, or B outside the signed range of 24 bits, is "too wide" */
    ENCODING_MAX = 32, /* bytes of the longest encoding `bytecode_encode` makes */
    SPECIAL_SELECTOR_COUNT = 32,
};

/* One decoded instruction. Fields that the operation does not use are 0. */
typedef struct {
    Operation op;
    const OpcodeForm *form;
    uint32_t pc;        /* of the first byte, prefixes included */
    uint32_t opcode_pc; /* of the opcode behind the prefixes */
    uint32_t next;      /* pc behind the last byte; jumps are relative to it */
    uint32_t index;
    int32_t count;  /* negative only in nonsense: a send with a negative B */
    uint32_t copied;
    uint32_t temp;
    int32_t value;
    int64_t target; /* a pc; nothing says that it lies inside the code */
    bool no_outer;          /* the closure's outerContext is nil */
    bool receiver_on_stack; /* below the copied values */
    uint8_t opcode;
    uint32_t ext_a; /* value of the prefixes */
    int32_t ext_b;
    uint16_t a_count; /* how many there are of each; sticks at the maximum */
    uint16_t b_count;
    bool too_wide; /* A or B does not fit 24 bits and was cut to the nearest value that does */
} Instruction;

extern const OperationInfo operation_infos[OPERATION_COUNT];

/* The 32 selectors both sets send with one byte. */
typedef struct {
    const char *name;
    uint8_t arguments;
} SpecialSelector;
extern const SpecialSelector special_selectors[SPECIAL_SELECTOR_COUNT];

/* Arguments a selector takes: its colons, or 1 if it is binary. */
unsigned selector_arity(const char *selector);

/* Number of a special selector, or -1. */
int special_selector_find(const char *name);

/* All forms of a set, the first being the unassigned opcode; short forms before long ones. */
const OpcodeForm *bytecode_forms(BytecodeSet set, size_t *count);

/* The form an opcode starts, before its operands are known (the first of several). */
const OpcodeForm *bytecode_form(BytecodeSet set, uint8_t opcode);

/* Length in bytes of the instruction without prefixes, operands included: 1..4. */
unsigned bytecode_length(BytecodeSet set, uint8_t opcode);

/* Does the form use (and so reset) the prefix? Prefixes in front of others are idle. */
bool form_uses_a(const OpcodeForm *form);
bool form_uses_b(const OpcodeForm *form);

/* Decodes the instruction at pc. False if it does not end before `count`: then `op` is OP_UNKNOWN
 * and `next` is `count`. Unassigned opcodes decode as OP_UNKNOWN, with their length, and true. */
bool bytecode_decode(BytecodeSet set, const uint8_t *bytes, size_t count, size_t pc,
                     Instruction *out);

/* Stack effect: values taken, then values left. For OP_INLINE_PRIMITIVE that of the primitive. */
unsigned instruction_pops(const Instruction *i);
unsigned instruction_pushes(const Instruction *i);

static inline OperationKind instruction_kind(const Instruction *i)
{
    return operation_infos[i->op].kind;
}

/* Does the VM poll when it takes this jump? All jumps back do (compilers make only unconditional
 * ones), so that no loop can hang the VM. */
bool instruction_polls(const Instruction *i);

/* Can control pass from this instruction to the one behind it? */
bool instruction_falls_through(const Instruction *i);

/* Number of an operation by its mnemonic, or -1. `name` need not be terminated. */
int operation_find(const char *name, size_t length);

/* -- Writing -- */

/* A wanted way to write an instruction. All zero: the shortest. */
typedef struct {
    bool forced;
    uint8_t opcode;         /* any opcode of the wanted form */
    uint8_t prefix_count;   /* exactly so many prefixes, */
    uint8_t prefixes_are_b; /* bit n: prefix n is a B */
    bool prefixes_free;     /* form forced, as many prefixes as needed */
    uint8_t length;         /* not 0: only encodings of exactly so many bytes, forced or not */
} Encoding;

enum { ENCODING_PREFIXES_MAX = 8 };

/* Writes `i` (op and its operand fields; pc for jumps) to out and answers the number of bytes; 0 if
 * the set (or the wanted encoding) cannot express it. OP_UNKNOWN cannot be written. With `encoding`
 * NULL or zero the shortest encoding; prefixes then are as few as possible, A before B. */
unsigned bytecode_encode(BytecodeSet set, const Instruction *i, const Encoding *encoding,
                         uint8_t out[ENCODING_MAX]);

/* -- Primitives -- */

typedef enum {
    QUICK_NONE,     /* not a quick primitive */
    QUICK_RECEIVER, /* answer the receiver */
    QUICK_TRUE,
    QUICK_FALSE,
    QUICK_NIL,
    QUICK_INTEGER,  /* answer `value` (-1, 0, 1, 2) */
    QUICK_VARIABLE, /* answer receiver variable `value` */
} QuickKind;

enum {
    PRIMITIVE_NO_SWITCH = 123, /* marks a method whose activation does not poll */
    PRIMITIVE_UNWIND = 198,    /* marks ensure:, ifCurtailed: */
    PRIMITIVE_HANDLER = 199,   /* marks on:do: */
    QUICK_FIRST = 256,
    QUICK_LAST = 519,
};

/* What a primitive of 256..519 answers; needs no frame and cannot fail. */
QuickKind quick_primitive(unsigned primitive, int *value);

enum { INLINE_BACKJUMP = 6000 }; /* the inlined primitive that always jumps */

/* One of the inlined primitives of Sista (inline set 0, or the mapped ones of opcode 236). */
typedef struct {
    uint16_t number;
    uint8_t arguments; /* taken from the stack */
    bool jumps;        /* the last argument is a displacement; leaves nothing on the stack */
    const char *name;
} InlinePrimitive;

/* NULL if there is none of that number. */
const InlinePrimitive *inline_primitive_find(unsigned number);
const InlinePrimitive *mapped_primitive_find(unsigned number);

#endif
