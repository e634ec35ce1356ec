/* What --torture asks for: things that happen rarely are made to happen all the time. */
#ifndef OSVM_VM_MEMORY_TORTURE_H
#define OSVM_VM_MEMORY_TORTURE_H

#include "osvm/plugin.h"
#include "osvm/word.h"

/* Numbers are 0 where nothing was asked. */
typedef struct {
    uint64_t scavenge;   /* a scavenge is due after every so many allocations */
    uint64_t collect;    /* the same for a full collection */
    uint64_t alloc_fail; /* every so-manieth allocation finds no memory; contexts always do */
    uint64_t deopt;      /* every so many poll points all frames change tier */
    uint64_t code_full;  /* every so-manieth time room for machine code is wanted there is none */
    uint64_t seed;       /* intervals are random, with the numbers above as their mean */
    uint64_t move;       /* collections move whatever can move */
    uint64_t tiny_spaces; /* new space, growth, tables, stack pages as small as they can be */
    uint64_t poison;     /* freed memory is overwritten */
} Torture;

/* Reads `text`: NAME[:NUMBER],... False with `error` set when it is wrong. */
bool torture_parse(const OsvmHost *host, const char *text, Torture *torture, OsvmError *error);

/* From one event to the next, `mean` on average; `state` is the generator's. */
uint64_t torture_interval(const Torture *torture, uint64_t mean, uint64_t *state);

/* What a collector is asked for: GC_... */
unsigned torture_collector_flags(const Torture *torture);

#endif
