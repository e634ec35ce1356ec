/* One run of a workload of `osvm bench gc`: what is asked, and what came out, in memory
 * shared between the process that runs it and the one that compares. */
#ifndef OSVM_LAB_MEASURE_H
#define OSVM_LAB_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

enum { MEASURE_PAUSES = 1 << 16 };

typedef struct GcBenchOrder {
    const char *workload;
    uint64_t live;     /* bytes that are alive at any time, about */
    uint64_t turnover; /* allocates this many times as much */
    uint64_t limit;    /* most bytes of old space; 0: none */
    uint64_t eden;     /* bytes; 0: the manager's default */
    unsigned mutation; /* stores into old objects for each 100 allocations */
    uint64_t seed;
} GcBenchOrder;

typedef struct {
    uint64_t at, time; /* microseconds since the workload began; duration */
} MeasuredPause;

typedef struct GcMeasure {
    volatile uint64_t event; /* grows while the run makes progress */
    volatile uint64_t done;
    bool no_memory;          /* the heap was too small */
    char error[2048];
    uint64_t total_us;       /* the workload, collections included; without starting the VM */
    uint64_t gc_us;          /* in pauses */
    uint64_t pause_count;    /* of which the first MEASURE_PAUSES are listed */
    uint64_t scavenges, full_collections;
    uint64_t allocated, tenured, survived, moved; /* bytes */
    uint64_t peak_heap;      /* most bytes of new and old space together, after a pause */
    uint64_t cpu_us;         /* processor time of the process until the workload has ended */
    uint64_t footprint;      /* most bytes in memory, as the process sees after full collections */
    uint64_t live_heap;      /* bytes in use after the last full collection */
    double fragmentation;    /* at the end: 1 - largest free chunk / all that is free */
    uint64_t result;         /* a number that every collector must get */
    /* Seen from outside, by the process that waits. */
    uint64_t process_us, process_peak;
    MeasuredPause pauses[MEASURE_PAUSES];
} GcMeasure;

#endif
