/* A memory manager in front of the one that was loaded, for --torture and --leak-check.
 *
 * It counts allocations, asks for collections that nobody needs, refuses memory that is
 * there, and looks for leaks when a collection is over. To see every allocation it closes
 * eden: eden_limit is eden_free, so that inline allocation always comes here, and opens it
 * again around whatever the manager itself does. It knows vtables only, so it works with
 * every manager and collector, in every variant, shims included.
 */
#ifndef OSVM_VM_MEMORY_GUARD_H
#define OSVM_VM_MEMORY_GUARD_H

#include "kernel/vm/vm.h"

typedef struct {
    bool wanted;
    bool scavenges;   /* after scavenges too, not only after full collections */
    unsigned subsets; /* bits 1 << LEAK_... */
} LeakOptions;

typedef struct Guard {
    Mm mm; /* first; mm.inner is what it stands before */
    Vm *vm;
    LeakOptions leaks;
    bool running;      /* the image runs: allocations count */
    bool closes;       /* eden is closed between calls */
    Word eden_limit;   /* while it is: what it is in truth */
    uint64_t random;
    uint64_t allocations, next_scavenge, next_collect, next_failure;
    bool scavenge_due, collect_due;
    uint64_t checks;   /* leak checks made */
} Guard;

/* The guard's manager if the setup asks for torture or leak checks, else `inner`; NULL with
 * `error` set when an option is wrong. */
Mm *guard_stand(Vm *vm, Mm *inner, OsvmError *error);
void guard_release(Vm *vm);
/* Other torture from now on; for a VM that has a guard. */
void guard_set_torture(Vm *vm, const Torture *torture);
/* Tells a collector that was just started what torture asks of it. */
void guard_brief_collector(Vm *vm, Gc *gc);

/* leaks.c */
/* Reads `text`: subsets, `scavenges`, or nothing, which is all subsets. */
bool leaks_parse(const OsvmHost *host, const char *text, LeakOptions *options, OsvmError *error);
/* Runs a leak check over `subsets`, writes findings to standard error and times to the log,
 * and fills in `check`. Answers the number of findings. */
size_t leaks_look(Vm *vm, Mm *mm, unsigned subsets, const char *when, LeakCheck *check);
/* Primitives without a module. */
PrimFailure prim_leak_check(Vm *vm, unsigned arg_count);

#endif
