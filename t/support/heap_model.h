/* A naive model of what object memory means, and a driver that does the same
 * random things to it and to a heap.
 *
 * A node is an identity: what references name, and what a hash belongs to. Its
 * contents (kind, tag, references) can be exchanged by become. Each object in the
 * heap carries its contents' tag, so the two can be compared from the roots on.
 *
 * A full collection has to do exactly what the model's fixpoint says. A scavenge
 * may keep more alive: there the model only says what must not happen.
 */
#ifndef OSVM_T_HEAP_MODEL_H
#define OSVM_T_HEAP_MODEL_H

#include "mm_rig.h"

enum { MODEL_NODES = 30000, MODEL_ROOTS = 40, MODEL_NIL = -1 };

typedef enum {
    KIND_FIXED, KIND_ARRAY, KIND_VARIABLE, KIND_WEAK, KIND_EPHEMERON, KIND_METHOD, KIND_BYTES,
    KINDS,
    KIND_FIRED = KINDS, /* an ephemeron that has fired */
} Kind;

typedef struct {
    Kind kind;
    int tag;
    int count;  /* of references; for bytes: length */
    int *refs;  /* nodes, or MODEL_NIL */
} Contents;

typedef struct {
    Contents contents;
    unsigned hash; /* 0: not asked for */
    bool used;
} Node;

typedef struct {
    MmRig *rig;
    Node nodes[MODEL_NODES];
    int next_tag;
    int roots[MODEL_ROOTS];  /* node or MODEL_NIL; the rig's roots in the same order */
    Oop oops[MODEL_NODES];   /* of the last comparison; NO_OOP: not reached */
    bool live[MODEL_NODES];  /* of the last trace */
    bool mourned[MODEL_NODES]; /* the last trace says: fires */
    int stack[MODEL_NODES * 2];
    int depth;
    int failures;            /* differences found; each is printed as a comment */
    uint64_t events, refused; /* refused: allocations for which there was no memory */
    uint64_t fired, cleared;
    unsigned large_bytes;    /* length below which large byte objects are made */
    unsigned large_refs;     /* the same for objects of many references */
} Model;

/* Clears the model and takes over the rig's roots. */
void model_open(Model *model, MmRig *rig);
void model_close(Model *model);
/* One random event. */
void model_event(Model *model);
void model_scavenge(Model *model, TenurePolicy policy);
void model_collect_full(Model *model);
/* Compares everything reachable; differences are counted in `failures`. */
void model_compare(Model *model);
/* A reference to an object was lost: forgets random roots. */
void model_drop_roots(Model *model, int count);

#endif
