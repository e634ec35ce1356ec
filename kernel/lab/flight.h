/* What a process that performs events or a workload tells the one that watches it:
 * shared memory, so that it survives a crash. */
#ifndef OSVM_LAB_FLIGHT_H
#define OSVM_LAB_FLIGHT_H

#include "kernel/lab/events.h"

/* What has found that something is wrong. */
typedef enum {
    FOUND_NOTHING,
    FOUND_BY_MODEL,      /* heap and shadow model differ */
    FOUND_BY_LEAK_CHECK, /* mm->leak_check, and the collector's own */
    FOUND_BY_CHECK,      /* a CHECK or REQUIRE: in the plugin, or in a shim */
    FOUND_BY_CRASH,
    FOUND_BY_HANG,
    FOUND_BY_EXPECTATION, /* an expect- event of a script does not hold */
    FOUND_NO_START       /* the VM could not be made at all */
} FoundBy;

typedef struct GcFlight {
    volatile uint64_t event; /* index of the one in progress */
    volatile uint64_t done;  /* the sequence was performed to its end */
    FoundBy found;
    char text[2048];         /* the finding, a sentence or more; of a test that was passed: why
                              * it does not concern this collector */
    /* What happened, so that it can be seen that something happened. */
    uint64_t scavenges, collections, fired, lost, refused, becomes, snapshots, switches,
        checks, compared; /* objects, all comparisons together */
} GcFlight;

#endif
