/* Experiments in processes of their own, and the reduction of what fails.
 *
 * A collector under test may crash, hang or abort; so each sequence is performed in
 * a forked child, and where it was and what it found lies in memory shared with it.
 */
#ifndef OSVM_LAB_TRIAL_H
#define OSVM_LAB_TRIAL_H

#include <sys/resource.h>

#include "kernel/cli/cli.h"
#include "kernel/lab/flight.h"

typedef struct {
    Cli *cli;             /* its options select the plugins */
    unsigned heap_bits;
    bool leak_check;
    unsigned patience;    /* seconds without progress that count as a hang */
    const char *folder;   /* for images */
    GcFlight *flight;     /* shared */
    volatile uint64_t *progress; /* shared; stays the same when a child hangs */
    struct rusage usage;  /* of the last child */
} Lab;

/* False with `error` set: no memory. */
bool lab_open(Lab *lab, Cli *cli, unsigned heap_bits, OsvmError *error);
void lab_close(Lab *lab);

/* Performs a script; answers what was found, details in lab->flight. */
FoundBy lab_try(Lab *lab, const GcScript *script);
/* Calls `child` in a process of its own that has the plugins; for benchmarks too.
 * What it writes to standard error is appended to `text`. Answers as waitpid. */
int lab_fork(Lab *lab, int (*child)(Lab *lab, void *context), void *context, char *text,
             size_t size);

/* Enters what a child's end says into its flight, where it has found nothing itself. */
void lab_judge(GcFlight *flight, int status, const char *said);

/* Makes the script minimal: no event can be left out, no number be smaller. `say` is
 * told the count of events from time to time. */
void lab_reduce(Lab *lab, GcScript *script, void (*say)(void *context, size_t count),
                void *context);

const char *found_by_name(FoundBy by);

#endif
