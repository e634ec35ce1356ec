/* Threads that help with one job and are gone when it is done, so that none is there
 * between collections: a fork finds a process with nothing to quiesce.
 */
#ifndef OSVM_PLUGINS_GC_TEAM_H
#define OSVM_PLUGINS_GC_TEAM_H

#include "osvm/heap.h"

enum { TEAM_MOST = 8 };

/* `worker` counts from 0, which is the VM's own thread, to `size` - 1. */
typedef void (*TeamJob)(void *context, unsigned worker, unsigned size);

/* team.c */
/* How many threads a job over `bytes` of heap is worth; `wanted` 0: as the machine has
 * processors. Deterministic runs have one. */
unsigned team_size(const Heap *heap, unsigned wanted, Word bytes);
/* Runs the job on `size` threads, or fewer where the host refuses them. */
void team_run(unsigned size, TeamJob job, void *context);

/* A moment of a loop that waits for another thread; `round` counts them. */
void team_pause(unsigned round);

#endif
