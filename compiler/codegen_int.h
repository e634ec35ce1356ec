/* Private to codegen*.c.
 *
 * `depth` counts what is on the frame: arguments, temporaries, operands. Each gen_ function for a
 * value leaves it one higher, each for effect as it was, also behind a return.
 */
#ifndef OSVM_COMPILER_CODEGEN_INT_H
#define OSVM_COMPILER_CODEGEN_INT_H

#include "codegen.h"
#include "encoder.h"
#include "literals.h"

typedef struct {
    CompileTools *tools;
    Method *method;
    const ClassScope *class_scope;
    Encoder encoder;
    LiteralSlots *slots;
    const VariableList *frame; /* variables by slot of the running activation */
    unsigned depth, deepest;
    bool in_full_block;
    bool stores_remote; /* this code stores into a vector */
} Generator;

/* --- codegen.c --- */

void gen_pushed(Generator *g);
void gen_popped(Generator *g, unsigned count);
Code *gen_piece_begin(Generator *g, Code *piece);
void gen_piece_end(Generator *g, Code *outer);
void gen_variable(Generator *g, Variable *variable);
void gen_store(Generator *g, Variable *variable, StoreMode mode);
void gen_literal(Generator *g, Literal *literal);
void gen_nil(Generator *g);
void gen_place(Generator *g, const Send *send);
void gen_value(Generator *g, Node *node);
void gen_effect(Generator *g, Node *node);

/* --- codegen_inline.c --- */

bool gen_is_returning_if(const Node *node);
const Node *gen_block_last(const Block *block);
bool gen_block_returns(const Block *block);
bool gen_node_is_nil(const Node *node);
void gen_all_but_last(Generator *g, const Block *block);
void gen_block_value(Generator *g, const Block *block);
void gen_block_effect(Generator *g, const Block *block);
void gen_if(Generator *g, Send *send, bool for_value);
void gen_if_nil(Generator *g, Send *send, bool for_value);
void gen_while(Generator *g, Send *send, bool for_value);
void gen_to_do(Generator *g, Send *send, bool for_value);
void gen_repeat(Generator *g, Send *send, bool for_value);
void gen_case(Generator *g, Send *send);

#endif
