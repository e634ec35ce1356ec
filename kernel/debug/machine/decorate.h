/* One machine instruction as text, its operands replaced by the names of what they mean. */
#ifndef OSVM_DEBUG_DECORATE_H
#define OSVM_DEBUG_DECORATE_H

#include "kernel/debug/code_names.h"
#include "kernel/debug/names.h"
#include "kernel/jit/jit_int.h"

typedef struct {
    Vm *vm;
    const Piece *piece;     /* the instruction's; NULL: a stub's */
    const CodeNames *names; /* of the piece's code; may be NULL */
    const uintptr_t *labels; /* targets inside the piece, ascending: L1, L2 ...; may be NULL */
    unsigned label_count;
    /* Machine registers with a role, by the processor's numbers; -1: none. */
    int vm_register, frame_register, receiver_register;
    int stack_register;
} Decorator;

enum { DECORATED_MAX = 256 };

/* Fills in the registers' roles. */
void decorator_init(Decorator *d, Vm *vm, const CpuMachine *machine);
/* `text` gets the instruction, `comment` what else there is to say, "" for nothing. */
void decorate(const Decorator *d, const CpuInstruction *instruction, char text[DECORATED_MAX],
              char comment[DECORATED_MAX]);
/* "Array>>do: + 0x24", "stub send", "L3"; false: the address is not in the code zone. */
bool decorate_address(const Decorator *d, uintptr_t address, char text[NAME_MAX_BYTES]);
/* What a word of the pool is. */
void decorate_pool(const Decorator *d, unsigned index, char text[DECORATED_MAX]);

#endif
