/* Random events against a collector, in its rig, and in a shadow of the heap. */
#ifndef OSVM_T_GC_SHADOW_H
#define OSVM_T_GC_SHADOW_H

#include "gc_rig.h"
#include "shadow.h"

typedef struct {
    Shadow shadow;
    Rig *rig;
    Word other_objects; /* in old space, not of this shadow: the image */
} GcShadow;

void gc_shadow_open(GcShadow *self, Rig *rig, size_t roots);
void gc_shadow_close(GcShadow *self);

/* One random event: allocation, store, root change, pinning, forwarding. False when
 * the heap is full: then a collection is due. */
bool gc_shadow_event(GcShadow *self);
/* Collects, and compares. Answers the number of differences, each printed. */
size_t gc_shadow_collect(GcShadow *self);

#endif
