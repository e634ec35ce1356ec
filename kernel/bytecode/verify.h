/* The method verifier: no verified bytecode can make the VM leave its frame.
 *
 * Abstract interpretation of the stack depth over the reachable code of one
 * method or full block, embedded blocks included. Each instruction is looked at
 * once; no recursion, no allocation. It works on a view (pointers and counts),
 * so a method in a heap needs no copy.
 *
 * THE CONTRACT. In verified code, at every instruction that can be reached:
 *
 *  V1  It is complete, and shares no byte with another reachable instruction.
 *  V2  A jump lands on the first byte (prefixes included) of an instruction of the same block.
 *      Control never runs off the end (trailer bytes run only where they are instructions).
 *  V3  The depth (values in the frame above the receiver: arguments, copied values, temporaries,
 *      operands) is the same whichever way one comes, is given by `depths`, and never exceeds 16
 *      (56 with the large frame flag or `trust_depth`). An instruction takes no more values than
 *      there are above the temporaries (in embedded blocks: above arguments and copied values).
 *      One exception: the long store of the error code right behind callPrimitive reads the last
 *      temporary.
 *  V4  Temporaries, and those that hold the vectors of remote temporaries, lie in the frame.
 *  V5  Literal indices are in range; a super send has a last literal. With `literal` given:
 *      literal variables have a slot 1, full closures are made of code whose frame holds the
 *      copied values.
 *  V6  A prefix stands only before an instruction that uses (and so resets) it; A and B fit
 *      24 bits.
 *  V7  Integers pushed are SmallIntegers, characters have 30 bits, no argument count is negative.
 *  V8  has_primitive: pc 0 is callPrimitive, a no-op of 3 bytes. Every other callPrimitive and
 *      every unassigned code ends the activation.
 *
 * WHAT THE INTERPRETER STILL HAS TO CHECK, because bytecodes do not say it:
 *
 *  I1  Receiver variables: index against the slots the receiver really has. With
 *      `receiver_variables` once, when a method meets a class; in full blocks at activation.
 *  I2  Remote temporaries: that the temporary holds a pointer object with so many slots.
 *  I3  Closures are ordinary objects that images can forge. Full: that compiledBlock is verified
 *      code, that its arguments are the closure's, and arguments + copied <= its temporaries.
 *      Embedded: that startpc, numArgs and numCopied are those of a block of outerContext's
 *      method (`verify_block_at`).
 *  I4  A context that an image may have written or that comes from a file: that pc is an
 *      instruction and stackp its depth (`depths`) when the frame begins to run; for one waiting
 *      for an answer, one less before the answer is pushed.
 *  I5  #mustBeBoolean and #unusedBytecode leave one value more than the depth of the pc they
 *      return to. Who returns from them must drop the value, test again, or check as in I4.
 *  I6  A forwarded literal: look at the new object as V5 did. A store into code undoes the
 *      verification.
 *  I7  Without `literal` the second half of V5; always the class that a super send starts from.
 *  I8  Values handed to inlined primitives. One that jumps must stand right behind a push of its
 *      displacement; the two are one instruction then, and elsewhere it is an unknown bytecode.
 *  I9  The unassigned bytecode's send pushes the context although the frame may be full.
 */
#ifndef OSVM_BYTECODE_VERIFY_H
#define OSVM_BYTECODE_VERIFY_H

#include "../base/arena.h"
#include "method.h"
#include "opcodes.h"

enum {
    SMALL_FRAME_SLOTS = 16,
    LARGE_FRAME_SLOTS = 56,
    VERIFY_BYTES_MAX = 1 << 24, /* longer code is refused */
    DEPTH_UNREACHED = 255,      /* in `depths` */
    DEPTH_INSIDE = 254,         /* a later byte of a reachable instruction */
};

/* What the verifier asks about a literal. */
typedef struct {
    bool has_value;                /* a pointer object with a slot 1 */
    bool is_code;                  /* a CompiledBlock (or other code), then: */
    uint8_t arg_count, temp_count; /* from its header */
} VerifyLiteral;

/* Code to verify. */
typedef struct {
    BytecodeSet set;
    const uint8_t *bytes; /* from the initial pc on; trailer bytes may follow */
    size_t count;
    unsigned arg_count;
    unsigned temp_count; /* arguments included */
    size_t literal_count;
    bool large_frame;
    bool trust_depth; /* allow 56 slots whatever the flag says: real images have methods whose flag
                         is wrong. Code with `needs_large` then must get a large context. */
    bool has_primitive;
    unsigned small_integer_bits; /* 61 or 31; 0 stands for 31, which is valid in both */
    bool inline_primitives; /* the interpreter has those of Sista: see their effect on the stack */
    VerifyLiteral (*literal)(const void *owner, size_t index); /* NULL: do not look at literals */
    const void *owner;                                         /* handed to `literal` */
} VerifyView;

typedef enum {
    VERIFY_OK,
    VERIFY_HEADER,    /* argument, temporary or byte count impossible */
    VERIFY_PRIMITIVE, /* primitive flag without callPrimitive */
    VERIFY_TRUNCATED, /* instruction or code not complete */
    VERIFY_JUMP,      /* lands outside, or inside an instruction */
    VERIFY_BLOCK,     /* body of an embedded block impossible, or control crosses its border */
    VERIFY_UNDERFLOW,
    VERIFY_OVERFLOW,
    VERIFY_DEPTH, /* differs at a join */
    VERIFY_TEMP,
    VERIFY_LITERAL,
    VERIFY_PREFIX,
    VERIFY_VALUE,
} VerifyRule;

/* Valid after success. */
typedef struct {
    unsigned max_depth;
    unsigned instructions; /* reachable ones */
    unsigned blocks;       /* embedded blocks */
    unsigned sends;
    bool backward_jumps;
    bool unknown;                /* a bytecode that ends in #unusedBytecode can be reached */
    unsigned receiver_variables; /* 1 + the highest index used; 0: none is used */
    bool needs_large;            /* deeper than a small frame */
    const uint8_t *depths; /* `count` bytes in the scratch memory: depth before the instruction that
                              begins there, or one of the DEPTH_ values */
} VerifyFacts;

typedef struct {
    VerifyRule rule;   /* VERIFY_OK if there is none */
    uint32_t pc;       /* of the instruction that breaks it */
    char message[160]; /* a sentence without the pc */
} VerifyError;

/* The inlined primitive that jumps for which `push` pushes the displacement; NULL: there is none before
 * `end`. The two make one instruction (I8): `pair` is the push with `next` and `target` of the jump. */
const InlinePrimitive *verify_inlined_jump(const VerifyView *view, size_t end,
                                           const Instruction *push, Instruction *pair);

/* Bytes of scratch memory that `verify_code` needs for `count` bytes of code; 4-byte aligned. */
size_t verify_scratch_size(size_t count);

/* True: the code keeps the contract and `facts` is filled. False: `error` says why. */
bool verify_code(const VerifyView *view, void *scratch, VerifyFacts *facts, VerifyError *error);

/* After a successful `verify_code` with these facts: is there an embedded block whose body starts
 * at `pc` with so many arguments and copied values? */
bool verify_block_at(const VerifyView *view, const VerifyFacts *facts, size_t pc,
                     unsigned arguments, unsigned copied);

/* A view of code outside a heap. It borrows from `code`. */
VerifyView verify_view(const CompiledCode *code);

/* Verifies code outside a heap and all blocks in its literals. `facts` (may be NULL) are of the
 * outermost;
 * `*where` (may be NULL) is the code with the error. */
bool verify_compiled_code(const CompiledCode *code, Arena *arena, VerifyFacts *facts,
                          VerifyError *error, const CompiledCode **where);

#endif
