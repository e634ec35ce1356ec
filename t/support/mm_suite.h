/* The conformance suite of memory managers: every sentence of osvm/mm.h, and what osvm/heap.h says
 * of the barrier, the remembered set, forwarders and invariants.
 *
 * A subject is a manager, perhaps behind the shim, over a collector. Each file tests one part of the
 * contract, on benches (`rig`) of its own. Whatever is asserted holds for every manager and every
 * collector; what only a collector that reclaims can show asks `suite.reclaims`.
 */
#ifndef OSVM_T_MM_SUITE_H
#define OSVM_T_MM_SUITE_H

#include "mm_rig.h"
#include "mock_gc.h"

typedef struct {
    char label[160];     /* mm/spur/w64/production over compact/production, behind the shim */
    MmRigSetup setup;    /* of every bench; region and config are each test's */
    bool reclaims;       /* the collector does collect */
    bool mock;           /* it is the mock */
    uint64_t seeds;      /* of random events */
} MmSuite;

extern MmSuite suite;
extern MmRig rig;
extern Heap *heap; /* of the rig */

/* All of it, and the parts. */
void mm_suite_run(void);
void mm_suite_start(void);    /* start, stop, prepare_load, adopt */
void mm_suite_spaces(void);   /* allocation, remembered set, collections, limits */
void mm_suite_weak(void);     /* weak objects, ephemerons, mourners */
void mm_suite_become(void);   /* become, pinning, the class table */
void mm_suite_facts(void);    /* enumeration, statistics, parameters, the leak check */
void mm_suite_protocol(void); /* what only a collector sees */
void mm_suite_random(void);   /* random events against a model */

/* A bench with the image on it; ends the test program where there is none. */
void suite_open(size_t region, const MmConfig *config);
/* Reports what was not given back, and what the mock collector has seen. */
void suite_close(const char *what);

/* Assertions of tap.h, with the subject's label before the name. */
void suite_ok(bool held, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void suite_is_int(int64_t got, int64_t expected, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#define ok(held, ...) suite_ok((held), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, expected, ...)                                                                 \
    suite_is_int((int64_t)(got), (int64_t)(expected), __FILE__, __LINE__, __VA_ARGS__)

/* Every slot nil or zero; old, or wherever allocation puts it. NO_OOP: no memory. */
Oop new_object(bool old, Word slots, unsigned format, Word class_index);
Oop new_array(bool old, Word slots);
Oop new_pair(Oop a, Oop b); /* 3 slots, young */
/* An Array of one element. */
Oop array_of(Oop element);
int become_one(Oop x, Oop y, BecomeKind kind);
MmStatistics statistics_now(void);

#endif
