/* Writes the bytes of single instructions, in either set.
 *
 * The shortest form of each is chosen; indices and distances that a set cannot
 * express set a sticky error, to be looked at once at the end. Instructions go
 * to a Code, which the code generator composes from pieces: every instruction is
 * relative, so pieces can be made in any order and joined.
 */
#ifndef OSVM_COMPILER_ENCODER_H
#define OSVM_COMPILER_ENCODER_H

#include "kernel/base/arena.h"
#include "kernel/bytecode/method.h"

typedef struct {
    uint8_t *items;
    size_t count, capacity;
    struct {
        CodePlace *items;
        size_t count, capacity;
    } places; /* of messages in the source */
} Code;

typedef struct {
    Arena *arena;
    BytecodeSet set;
    Code *code;        /* where instructions go */
    const char *error; /* what could not be expressed first, or NULL */
} Encoder;

/* Values that a set has instructions for. */
typedef enum { SPECIAL_SELF, SPECIAL_TRUE, SPECIAL_FALSE, SPECIAL_NIL } Special;

/* How an assignment leaves the stack. */
typedef enum { STORE_KEEP, STORE_POP } StoreMode;

void encode_bytes(Encoder *e, const Code *code); /* a piece made before */
void encode_place(Encoder *e, size_t start, size_t end); /* of the next instruction */

void encode_push_special(Encoder *e, Special special);
bool encode_push_literal_inline(Encoder *e,
                                const Literal *literal); /* false: needs a literal slot */
void encode_push_context(Encoder *e);
void encode_push_process(Encoder *e);
void encode_push_temp(Encoder *e, unsigned index);
void encode_push_remote(Encoder *e, unsigned index, unsigned vector);
void encode_push_instance(Encoder *e, unsigned index, bool maybe_context);
void encode_push_literal(Encoder *e, unsigned index);
void encode_push_literal_variable(Encoder *e, unsigned index);
void encode_push_array(Encoder *e, unsigned size, bool filled); /* filled: from the stack */
void encode_push_full_closure(Encoder *e, unsigned index, unsigned copied);
void encode_push_closure(Encoder *e, unsigned arguments, unsigned copied, size_t size);

void encode_store_temp(Encoder *e, unsigned index, StoreMode mode);
void encode_store_remote(Encoder *e, unsigned index, unsigned vector, StoreMode mode);
void encode_store_instance(Encoder *e, unsigned index, bool maybe_context, StoreMode mode);
void encode_store_literal_variable(Encoder *e, unsigned index, StoreMode mode);

void encode_pop(Encoder *e);
void encode_duplicate(Encoder *e);

void encode_send(Encoder *e, unsigned index, unsigned arguments);
void encode_send_super(Encoder *e, unsigned index, unsigned arguments);
void encode_send_directed_super(Encoder *e, unsigned index, unsigned arguments);
void encode_send_special(Encoder *e, unsigned number);

/* Distances count from the end of the instruction. A branch pops the condition; at distance 0 it is
 * only a pop, and a jump nothing. */
void encode_jump(Encoder *e, size_t distance);
void encode_branch(Encoder *e, bool condition, size_t distance);
void encode_jump_back(Encoder *e, size_t size); /* over `size` bytes and the jump itself */

void encode_return_special(Encoder *e, Special special);
void encode_return_top(Encoder *e);
void encode_block_return_top(Encoder *e);
void encode_block_return_nil(Encoder *e);
void encode_call_primitive(Encoder *e, unsigned primitive);

#endif
