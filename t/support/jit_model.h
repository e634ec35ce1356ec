/* What abstract instructions mean, in C: the other side of tests of JIT back ends. */
#ifndef T_SUPPORT_JIT_MODEL_H
#define T_SUPPORT_JIT_MODEL_H

#include <stdbool.h>

#include "osvm/jit.h"

enum { MODEL_MEMORY = 2048, MODEL_POOL = 8 };

typedef enum { EXIT_NEXT, EXIT_LABEL, EXIT_ADDRESS } ModelExit;

typedef struct {
    Word registers[JIT_REGISTERS];
    double floats[JIT_FLOAT_REGISTERS];
    Word start; /* of the memory, as instructions name it */
    uint8_t memory[MODEL_MEMORY];
    Word pool[MODEL_POOL];
    ModelExit exit;
    Word address;     /* EXIT_ADDRESS: where it goes */
    bool called;      /* a return address has been left behind */
    bool unspecified; /* register a may hold anything */
} ModelState;

/* Executes one instruction that stands alone. */
void model_apply(ModelState *state, const JitInstruction *i);

Word model_load(const ModelState *state, Word address, unsigned size);
void model_store(ModelState *state, Word address, unsigned size, Word value);
bool model_condition(JitCondition condition, Word a, Word b);

#endif
