/* The collector laboratory: a real heap of the selected memory manager and collector,
 * without an interpreter, and a shadow of it.
 *
 * The shadow is a graph kept in C. It knows what the heap must look like because it
 * obeys the meaning of each event and nothing else: liveness is a naive fixpoint, there
 * are no ages, no barriers, no tables. After every collection a walk in lock step
 * (compare.c) finds out where each node's object is now and whatever differs.
 *
 * A full collection does exactly what the fixpoint says. In a scavenge everything old is
 * live, dead or not, so the model asks the heap for one thing: which objects are old. An
 * old object that become has turned into a forwarder counts too, until the next full
 * collection: it is a node of its own, a ghost, that refers to what it leads to.
 */
#ifndef OSVM_GC_LAB_H
#define OSVM_GC_LAB_H

#include "kernel/lab/flight.h"
#include "kernel/vm/vm.h"

/* ---- The lab's image: classes by shape ---- */

enum {
    LAB_METACLASS = CLASS_PAGE_SIZE, /* the class of all classes, itself included */
    LAB_FIRST_SHAPE,                 /* class of SHAPE_EMPTY, and so on */
    LAB_CLASSES_END = LAB_FIRST_SHAPE + SHAPES,
    LAB_CLASS_SLOTS = 4, /* superclass, method dictionary, format, name */
    LAB_VARIABLE_FIXED = 2,
    LAB_WEAK_FIXED = 1,
    LAB_EPHEMERON_SLOTS = 3,
    LAB_IMAGE_BYTES = 256 << 10,
    LAB_KEEP = 8, /* an unused special object: an Array for the lab */
};

/* Makes a VM and fills its heap. NULL with `error` set. */
Vm *lab_vm_new(const CoreSetup *setup, const GcSettings *settings, CoreSetup *own,
               OsvmError *error);
/* Slots before the indexable ones in instances of a shape. */
Word shape_fixed_fields(Shape shape);
unsigned shape_format(Shape shape);

/* ---- The shadow ---- */

typedef struct {
    enum { VALUE_NIL, VALUE_NUMBER, VALUE_NODE } kind;
    int32_t n; /* the number, or the node's index */
} Value;

/* What become exchanges. */
typedef struct {
    Shape shape;
    bool fired;        /* an ephemeron that has */
    bool frozen;
    int32_t class;     /* node of its class; -1: the shape's */
    Shape instances;   /* of a class: the shape of its instances */
    bool entered;      /* a class: it is in the class table */
    Word slots, bytes; /* bytes: of data, in bits objects */
    Word first, end;   /* slots that are references */
    Word free_first;   /* slots from here to `end` may be stored into */
    Word strong;       /* weak objects: slots below are strong */
    uint32_t seed;     /* of the bytes of the rest */
    Value *values;     /* of slots [0, end) */
} Body;

/* What a reference names. */
typedef struct {
    bool used, pinned;
    bool live;      /* of the last trace */
    bool young;     /* before the collection in progress */
    bool fires;     /* the last trace says */
    unsigned round; /* in which it fires */
    bool mourning;  /* in the queue */
    unsigned hash;  /* 0: none yet */
    Oop oop;        /* where it is */
    Body body;
} Node;

/* An entry of the queue of mourners. Those of one rank stand in the order of their addresses, as
 * long as nothing has moved since they entered. */
typedef struct {
    int32_t node;
    uint64_t rank;
} Mourner;

typedef struct {
    Vm *vm;
    Heap *heap;
    GcFlight *flight;
    const CoreGcEvents *order;

    Node *nodes;
    size_t count, capacity;
    int32_t *unused;      /* indices of nodes to use again */
    size_t unused_count;
    int32_t *stack;       /* of traces; room for all nodes */
    Value registers[LAB_REGISTERS];
    Oop roots[LAB_REGISTERS]; /* the same in the heap: roots of the VM */

    Mourner *queue;
    size_t queue_count, queue_capacity;
    uint64_t rank;        /* of the youngest in the queue */
    uint64_t ordered;     /* ranks above: entered by this collection, and not moved since */

    char own_collector[64]; /* the name of the one that was selected */
    bool weak_mourners;
    size_t image_objects; /* that are no nodes; 0: not counted yet */
    HeapHost host;        /* the VM's, with a commit that can refuse */
    const HeapHost *vm_host;
    uint64_t commit_left; /* bytes; UINT64_MAX: no limit */
    uint32_t next_seed;
} Lab;

/* Ends the process with a finding. */
_Noreturn void lab_found(Lab *lab, FoundBy by, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* shadow.c: nodes and traces */
int32_t shadow_node(Lab *lab, const Body *body, Oop oop);
void shadow_free_node(Lab *lab, int32_t index);
/* The node a register names; NULL: none. */
Node *shadow_register(Lab *lab, unsigned number);
/* What can be reached: from the registers and mourners and, in a scavenge, from
 * all that is old and from the class table. Sets live, fires, round. */
void shadow_trace(Lab *lab, bool scavenge);
/* Applies the last trace: fired ephemerons, nilled weak slots, the queue. */
void shadow_apply(Lab *lab);
/* The old object at `oop` is a forwarder to a node now. */
void shadow_ghost(Lab *lab, Oop oop, int32_t target);
void shadow_become(Lab *lab, int32_t x, int32_t y, unsigned kind);
void shadow_enqueue(Lab *lab, int32_t node, uint64_t rank);
bool value_is_live(const Lab *lab, Value value);

/* compare.c: heap and shadow in lock step */
enum {
    COMPARE_OLD = 1,      /* from old garbage and the class table too */
    COMPARE_CLEAN = 2,    /* no slot may hold a forwarder */
};
/* Finds every node's object, from the roots on; nodes that are not met are given up. */
void lab_compare(Lab *lab, int how);
/* The same in another heap that holds a copy, with its registers in an Array. */
void lab_compare_copy(Lab *lab, Vm *copy, Oop registers);
void lab_fill_contents(Lab *lab, Oop oop, const Body *body);
/* The class table holds the classes the shadow says, after a full collection. */
void lab_compare_classes(Lab *lab);

/* collect.c: collections and what follows them */
void lab_poll(Lab *lab);
/* What must hold at any time: heap and shadow agree, and nothing leaks. */
void lab_check_now(Lab *lab);
void lab_scavenge(Lab *lab, TenurePolicy policy);
void lab_collect(Lab *lab);
void lab_next_mourner(Lab *lab, unsigned target);

/* perform.c */
void lab_perform(Lab *lab, const GcEvent *event);
Oop lab_register_oop(const Lab *lab, unsigned number);
/* Gives an object an identity hash of its own, if it has none. */
void lab_give_hash(Lab *lab, Node *node, Oop oop);
/* An allocation of so many slots has been refused: a finding, if there is memory. */
void lab_refused(Lab *lab, Word slots);

/* identity.c */
void lab_pin(Lab *lab, const GcEvent *event);
void lab_become(Lab *lab, const GcEvent *event);

/* conditions.c: what an engineer changes in a heap that runs */
void lab_switch_collector(Lab *lab, unsigned collector);
void lab_torture(Lab *lab, unsigned what, uint64_t number);
bool lab_fails_allocations(const Lab *lab);

/* events.c */
void lab_snapshot(Lab *lab);
int core_gc_events(const CoreSetup *setup, const CoreGcEvents *order, OsvmError *error);

/* conformance.c */
int core_gc_conformance(const CoreSetup *setup, unsigned number, GcFlight *flight,
                        const char **name, OsvmError *error);

#endif
