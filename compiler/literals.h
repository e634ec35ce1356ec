/* The literal slots of a method or block while it is compiled.
 *
 * Who shares a slot with whom is as in Squeak's compiler, because the order of
 * slots decides the length of instructions: equal literals share; a selector
 * takes the slot of any equal symbol that is there; a literal symbol does not take
 * that of a selector.
 */
#ifndef OSVM_COMPILER_LITERALS_H
#define OSVM_COMPILER_LITERALS_H

#include "kernel/base/arena.h"
#include "kernel/bytecode/method.h"

typedef enum { SLOT_LITERAL, SLOT_SELECTOR, SLOT_VARIABLE, SLOT_OTHER } SlotUse;

typedef struct {
    Arena *arena;
    Literal **items;
    size_t count, capacity;
    SlotUse *uses; /* of each slot; as long as `items` */
} LiteralSlots;

unsigned slots_literal(LiteralSlots *slots, Literal *literal);
unsigned slots_selector(LiteralSlots *slots, const char *selector);
unsigned slots_variable(LiteralSlots *slots, const char *name);
unsigned slots_method_class(LiteralSlots *slots);
unsigned slots_add(LiteralSlots *slots, Literal *literal); /* a slot of its own */

Literal *literal_of_symbol(Arena *arena, const char *name);

#endif
