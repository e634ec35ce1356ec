/* A shadow of the heap: the graph as it should be, kept in C and reclaimed by a
 * naive, obvious model of liveness. Random events change both; after a collection
 * shadow_collect() walks heap and shadow in lock step and counts what differs.
 */
#ifndef OSVM_T_GC_SHADOW_H
#define OSVM_T_GC_SHADOW_H

#include "gc_rig.h"

/* What a slot should hold: a node, nil, or a small integer. */
typedef struct {
    enum { VALUE_NIL, VALUE_INTEGER, VALUE_NODE } kind;
    int64_t value; /* the integer, or the node's number */
} Value;

typedef struct {
    bool used, live, seen, pinned, young;
    unsigned format; /* without odd bits; FORMAT_FIXED once an ephemeron has fired */
    Word class_index, slots;
    Word first, end;   /* slots that are references */
    Word strong;       /* weak objects: slots below are strong */
    uint64_t contents; /* seed of the bytes of the rest */
    int64_t became;    /* the node that took this one's place; -1: none */
    Oop oop;           /* where it is */
    Value *values;     /* one for each slot */
} Node;

typedef struct {
    Rig *rig;
    Node *nodes;
    size_t count, capacity;
    size_t first_root, root_count; /* the rig's roots this shadow uses */
    Value *roots;
    Word other_objects; /* in old space, not of this shadow: the image */
    size_t errors;
} Shadow;

void shadow_open(Shadow *shadow, Rig *rig, size_t roots);
void shadow_close(Shadow *shadow);

/* One random event: allocation, store, root change, pinning, forwarding. False when
 * the heap is full: then a collection is due. */
bool shadow_event(Shadow *shadow);
/* Collects, and compares. Answers the number of differences, each printed. */
size_t shadow_collect(Shadow *shadow);

#endif
