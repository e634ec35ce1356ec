/* A collector for memory managers under test: small, naive, and obvious. It moves nothing, takes the
 * first chunk that is long enough, and writes down in what way the manager breaks the rules between
 * them (G1 to G5 of osvm/gc.h, and what osvm/mm.h says of the functions for collectors).
 */
#ifndef OSVM_T_MOCK_GC_H
#define OSVM_T_MOCK_GC_H

#include "osvm/heap.h"
#include "osvm/plugin.h"

typedef struct {
    uint64_t *items;
    size_t count, capacity;
} MockStack;

typedef struct {
    Gc gc; /* first */
    /* What it is told to do. */
    bool fails_to_start;
    bool refuses;           /* collects nothing, and says so */
    unsigned planted;       /* findings of self_check */
    /* What it saw. */
    unsigned starts, stops, adoptions, collections, barriers;
    Word told_end;          /* old_end as far as the manager has told */
    unsigned breaches;
    char breach[256];       /* the first one */
    /* Its own. */
    Word next;              /* where the search for a chunk begins */
    uint8_t *marks;         /* during a collection: a bit for 8 bytes from new_start on */
    uint8_t *class_marks;
    MockStack work, slots;
} MockGc;

extern const OsvmPlugin mock_gc_plugin;

static inline MockGc *mock_gc(Gc *gc)
{
    return (MockGc *)gc;
}

#endif
