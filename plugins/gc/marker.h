/* Marking: sets the live map for everything that can be reached.
 *
 * Objects that were found wait on an explicit stack. Between the stack and the
 * scanner stands a short queue: what enters it is prefetched, so that header and
 * map word have arrived when it leaves (Cher, Hosking and Vitek, 2004). An object
 * is marked when it leaves the queue, so it may wait several times but is scanned
 * once. Large pointer objects are scanned in slices.
 *
 * The stack has a fixed size. When it is full, what was found in an object is
 * dropped and the object's address noted; later the live objects between the
 * lowest and the highest such address are scanned again, until nothing is dropped.
 *
 * Forwarders are never marked: the object they lead to is. So afterwards a slot
 * of a live object that names an unmarked object holds a forwarder
 * (marker_remove_forwarders); roots are corrected at once.
 */
#ifndef OSVM_PLUGINS_GC_MARKER_H
#define OSVM_PLUGINS_GC_MARKER_H

#include "live_map.h"

typedef struct {
    Tracer tracer; /* first: what the memory manager's fixpoint gets */
    Heap *heap;
    LiveMap map;
    uint8_t *class_marks; /* the memory manager's, one byte per class index */
    Word *stack;          /* oops, and pairs that name the rest of a large object */
    size_t depth;         /* words on the stack */
    size_t capacity;      /* words it can hold */
    Word dropped_low;     /* live objects in [dropped_low, dropped_high] are to be scanned */
    Word dropped_high;    /* again; none when dropped_low is above dropped_high */
    bool draining;        /* marker_drain is active further up */
    uint64_t objects;     /* marked so far */
    uint64_t forwarders;  /* met so far, counted once for each time they were met */
    uint64_t rescans;     /* passes that a full stack made necessary */
} Marker;

/* marker.c */
/* Gets the memory a collection needs: map and stack of `stack_bytes` (0: by the
 * size of the heap). False when the host has none; nothing is held then. */
bool marker_open(Marker *marker, Heap *heap, size_t stack_bytes);
/* Marks everything that is live, the manager's fixpoint included. */
void marker_run(Marker *marker);
/* Replaces references to forwarders in all live objects. */
void marker_remove_forwarders(Marker *marker);
/* Gives the memory back. */
void marker_close(Marker *marker);

#endif
