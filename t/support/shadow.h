/* A shadow of the heap: the graph as it should be, kept in C and reclaimed by a naive, obvious model
 * of liveness. Random events change both; after a collection heap and shadow are walked in lock step
 * and what differs is counted. What the events are, and what a collection is, its users say: gc_shadow.c
 * (a collector under test), mm_suite_random.c (a memory manager under test).
 */
#ifndef OSVM_T_SHADOW_H
#define OSVM_T_SHADOW_H

#include "mock_host.h"

/* What a slot should hold: a node, nil, or a small integer. */
typedef struct {
    enum { VALUE_NIL, VALUE_INTEGER, VALUE_NODE } kind;
    int64_t value; /* the integer, or the node's number */
} Value;

typedef struct {
    bool used, live, seen;
    bool fired;        /* set by the model of a collection, cleared by its users */
    bool pinned;
    bool young;        /* and never moves: the collector under test does not scavenge */
    unsigned format;   /* without odd bits; FORMAT_FIXED once an ephemeron has fired */
    unsigned hash;     /* identity hash; 0: not looked at */
    Word class_index, slots;
    Word first, end;   /* slots that are references */
    Word strong;       /* weak objects: slots below are strong */
    uint64_t contents; /* seed of the bytes of the rest */
    int64_t became;    /* the node that took this one's place; -1: none */
    Oop oop;           /* where it is */
    Oop also;          /* an oop that leads there after the next collection; NO_OOP: none is known */
    Value *values;     /* one for each slot */
} Node;

typedef struct {
    MockHost *host;
    Heap *heap;
    uint64_t *random; /* state of mock_random */
    bool forwarders;  /* slots may hold some, after a collection too */
    Node *nodes;
    size_t count, capacity;
    size_t first_root, root_count; /* the host's roots this shadow uses */
    Value *roots;
    size_t errors;
} Shadow;

void shadow_open(Shadow *shadow, MockHost *host, uint64_t *random, size_t roots);
void shadow_close(Shadow *shadow);

/* ---- Events ---- */

Word shadow_below(Shadow *shadow, Word limit); /* a random number */
/* A node that can be reached, found by a walk from a random root; -1: none. */
int64_t shadow_random_node(Shadow *shadow);
/* The node that this one has become. */
int64_t shadow_resolve(const Shadow *shadow, int64_t number);
/* Slots, format and class of a random node. */
Node shadow_shape(Shadow *shadow);
/* Makes `object`, new and of that shape, a node, fills it and refers to it from a root. */
Node *shadow_add(Shadow *shadow, const Node *shape, Oop object);
void shadow_mutate(Shadow *shadow);
void shadow_change_root(Shadow *shadow);

/* ---- A collection in the model: begin, whatever else is a root, end ---- */

void shadow_model_begin(Shadow *shadow);
void shadow_model_root(Shadow *shadow, Node *node);
/* Answers how many ephemerons fire. */
size_t shadow_model_end(Shadow *shadow);

/* ---- Comparison ---- */

/* From the roots, and from what is live and has an `also`. */
void shadow_compare(Shadow *shadow);
/* Frees dead nodes; answers how many live ones are not `young`. */
Word shadow_drop_dead(Shadow *shadow);
/* Prints a difference and counts it. */
void shadow_differs(Shadow *shadow, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
