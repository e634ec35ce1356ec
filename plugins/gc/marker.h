/* Marking: sets the live map for everything that can be reached.
 *
 * Objects that were found wait on an explicit stack. Between the stack and the
 * scanner stands a short queue: what enters it is prefetched, so that header and
 * map word have arrived when it leaves (Cher, Hosking and Vitek, 2004). An object
 * is marked when it leaves the queue, so it may wait several times but is scanned
 * once. Large pointer objects are scanned in slices. In a large heap references that lead
 * far away are put off (buckets.h).
 *
 * In a large heap several workers, each with a stack of its own, trace what the
 * roots reach. Whoever finds the header's bit clear and sets it scans the object.
 * A worker that has nothing left says so, and the next one with some depth to its
 * stack puts the older half, which leads furthest, into the pool. Tracing ends when
 * all are hungry. The fixpoint that follows has one worker.
 *
 * A stack has a fixed size, which batches of the buckets reduce. When it is full, what was found in an object is
 * dropped and the object's address noted; later the live objects between the
 * lowest and the highest such address are scanned again, until nothing is dropped.
 *
 * Forwarders are never marked: the object they lead to is. So afterwards a slot
 * of a live object that names an unmarked object holds a forwarder
 * (marker_remove_forwarders); roots are corrected at once.
 */
#ifndef OSVM_PLUGINS_GC_MARKER_H
#define OSVM_PLUGINS_GC_MARKER_H

#include <pthread.h>

#include "buckets.h"
#include "team.h"

typedef struct Marker Marker;

/* One thread of tracing. It lies at the beginning of the memory of its stack: workers
 * share no cache line. */
typedef struct {
    Marker *marker;
    size_t bytes;      /* of the memory, stack included */
    Word *stack;       /* oops, and pairs that name the rest of a large object */
    size_t depth;      /* words on the stack */
    size_t capacity;   /* words it can hold; batches of the buckets lie behind */
    size_t least;      /* what they leave it */
    Buckets buckets;   /* what leads far away */
    Word dropped_low;  /* live objects in [dropped_low, dropped_high] are to be scanned */
    Word dropped_high; /* again; none when dropped_low is above dropped_high */
    uint64_t objects;    /* marked so far */
    uint64_t forwarders; /* met so far, counted once for each time they were met */
} Worker;

enum { POOL_WORDS = 4096 };

struct Marker {
    Tracer tracer; /* first: what the memory manager's fixpoint gets */
    Heap *heap;
    LiveMap map;
    uint8_t *class_marks; /* the memory manager's, one byte per class index */
    Worker *workers[TEAM_MOST]; /* the first is the VM's own thread */
    unsigned worker_count;
    bool shared;          /* several workers are tracing: the map is changed atomically */
    bool draining;        /* marker_drain is active further up */
    uint64_t rescans;     /* passes that a full stack made necessary */

    /* ---- while several workers trace ---- */
    uint8_t apart[128];   /* what is written often lies in other cache lines */
    pthread_mutex_t lock; /* of the pool, and of reports to the memory manager */
    unsigned size;        /* workers that trace */
    unsigned hungry;      /* those that wait for something in the pool */
    size_t pooled;        /* words in the pool */
    Word pool[POOL_WORDS];
};

typedef struct {
    size_t stack_bytes; /* of each mark stack; 0: by the size of the heap */
    size_t area_bytes;  /* of what is traced at a time; 0: by the size of the heap */
    unsigned threads;   /* 0: by the machine and the size of the heap */
} MarkerSetup;

/* marker.c */
/* Gets the memory a collection needs: map and stacks. False when the host has none;
 * nothing is held then. */
bool marker_open(Marker *marker, Heap *heap, MarkerSetup setup);
/* Marks everything that is live, the manager's fixpoint included. */
void marker_run(Marker *marker);
/* Replaces references to forwarders in all live objects. */
void marker_remove_forwarders(Marker *marker);
/* Gives the memory back, all but the map. */
void marker_close_stacks(Marker *marker);
/* Gives the memory back. */
void marker_close(Marker *marker);
uint64_t marker_objects(const Marker *marker);
uint64_t marker_forwarders(const Marker *marker);

/* trace.c */
enum {
    SLICE = 256, /* slots of a large object scanned at a time */
    /* Room for the slots of one object or slice, and the rest of the object. */
    STACK_RESERVE = SLICE + 2,
    STACK_MINIMUM = 4 * STACK_RESERVE,
};

static inline bool worker_has_room(const Worker *worker)
{
    return worker->capacity - worker->depth >= STACK_RESERVE;
}

/* Marks without scanning: the caller sees to the object's slots. */
void trace_mark_alone(Worker *worker, Oop object);
/* Traces until the stack and the buckets are empty. */
void trace_drain(Worker *worker);
/* The same for all workers of a marker, until none has anything left. */
void trace_together(Marker *marker);

#endif
