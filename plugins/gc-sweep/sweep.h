/* gc-sweep: marks, then makes each run of memory that is not live one free chunk.
 * Objects never move; neighbouring dead objects and chunks coalesce by themselves,
 * because chunks are found anew from the gaps of the live map.
 *
 * Sweeping can be lazy: then the live map is kept after the collection, and whoever
 * needs memory sweeps a stretch first. Below `swept` all free memory is on the lists,
 * from `end` on too (the tail); in between it is where the map has clear bits.
 */
#ifndef OSVM_PLUGINS_GC_SWEEP_H
#define OSVM_PLUGINS_GC_SWEEP_H

#include "plugins/gc/old_space.h"

typedef struct {
    OldSpace space; /* first */
    bool lazy;
    bool open;         /* the live map is there: [swept, end) is to be swept */
    size_t swept, end; /* granules of the map */
    Word unswept_bytes; /* free bytes in [swept, end) */
} Sweep;

/* sweep.c */
/* All free memory from `swept` on is to be found; the tail is known. */
void sweep_begin(Sweep *sweep);
/* Sweeps a stretch. False: there was nothing left to sweep. */
bool sweep_some(Sweep *sweep);
void sweep_finish(Sweep *sweep);
/* Forgets what was to be swept. */
void sweep_drop(Sweep *sweep);
/* Is the object in memory that has not been swept? */
bool sweep_is_ahead(const Sweep *sweep, Oop object);
/* Such an object is free from now on. */
void sweep_free_ahead(Sweep *sweep, Oop object);

#endif
