/* Machine code of one method or block as a listing, for people or as JSON. */
#ifndef OSVM_DEBUG_LISTING_H
#define OSVM_DEBUG_LISTING_H

#include <stdio.h>

#include "kernel/debug/machine/decorate.h"

/* Which abstract instruction begins where, and what bytecode it was made for. */
typedef struct {
    uint32_t offset; /* in the code */
    uint32_t pc;     /* behind the code's oop; 0: for none */
} CodeOrigin;

typedef struct {
    Vm *vm;
    Cpu *cpu;                  /* takes instructions apart */
    const CpuMachine *machine; /* the code's */
    bool bytecodes, source, json;
} Listing;

/* `origins`, ascending by offset, may be NULL. */
void listing_print(const Listing *listing, const Piece *piece, const CodeOrigin *origins,
                   uint32_t origin_count, FILE *file);

/* A text between quotes, as JSON has it. */
void json_text(FILE *file, const char *text);

#endif
