/* The memory manager's own state and the prototypes of its files.
 *
 * New space is three areas in address order: survivor, survivor, eden. Objects
 * are born in eden; a scavenge copies what is alive into the empty survivor
 * (`to`), or into old space. Where there is no room for an object in either, it
 * stays where it is: the area it lies in then is not empty after the scavenge,
 * new space is *crowded*, and its dead objects have become free chunks. A full
 * collection marks a crowded new space in place; the scavenge that finally
 * moves or buries the last object left ends the state.
 *
 * Invariants (besides H1 to H5 of osvm/heap.h):
 *  M1  In each area, [start, free) is walkable.
 *  M2  Between collections `to` is empty, or new space is crowded.
 *  M3  Young objects have the mark, grey, remembered and pinned bits clear
 *      between collections. (Grey in a scavenge: the object stays in place.)
 *  M4  Every list below is empty between collections, except the mourners.
 */
#ifndef OSVM_MM_SPUR_H
#define OSVM_MM_SPUR_H

#include "osvm/heap.h"

typedef struct MmSpur MmSpur;

/* Part of new space. Eden's `free` is heap->eden_free while the image runs. */
typedef struct {
    Word start;
    Word free;  /* objects lie in [start, free) */
    Word limit;
} Area;

enum { SURVIVOR_A, SURVIVOR_B, EDEN, AREAS };

/* A growing list of references in a side table. */
typedef struct {
    Oop *items;
    size_t count, capacity;
} OopList;

/* A stack that can never run full: it has room for every object of new space. */
typedef struct {
    Word *items;
    size_t count, capacity;
} WordStack;

/* What is known of a pause while it lasts. */
typedef struct {
    uint64_t started;
    MmStatistics before;
    uint64_t moved_objects, moved_bytes; /* before */
} Pause;

struct MmSpur {
    Mm mm; /* first */
    MmConfig config;

    /* ---- new space ---- */
    Area areas[AREAS];
    unsigned to;           /* the survivor area the next scavenge copies into */
    bool crowded;          /* objects were left in place by the last scavenge */
    bool collection_due;   /* allocation asked for a collection */
    bool full_due;         /* ... and a scavenge will not do */
    Word tenure_limit;     /* survivors below this address are tenured next time */
    WordStack kept;        /* objects that stay in place, to be scanned */
    WordStack segments;    /* [start, end) of promoted objects, to be scanned */

    /* ---- the weak and ephemeron protocol ---- */
    OopList weaklings;     /* weak objects found in this collection */
    OopList ephemerons;    /* ephemerons found whose key is not known to live */
    bool ephemerons_backward; /* direction of the next pass over them */
    OopList mourners;      /* queue: first at mourner_head; strong roots */
    size_t mourner_head;
    uint8_t *class_marks;  /* one byte per class index: a live instance was met */
    uint8_t *class_traced; /* one byte per class index: its class has been traced */

    /* ---- classes ---- */
    Word class_cursor;     /* no free entry lies between CLASS_PAGE_SIZE and this index */
    bool class_duplicates; /* several entries may name one class */

    /* ---- old space ---- */
    Word used_after_full;  /* bytes in use when the last full collection ended */
    Word allocated_old;    /* bytes allocated there directly since the last scavenge */
    double growth_ratio;   /* growth since then that makes a full collection due */
    double pressure;       /* share of a survivor area that, filled, starts tenuring */

    MmStatistics stats;
    uint64_t moved_objects, moved_bytes; /* by collections, in old space */
    unsigned pauses;         /* that last: a full collection's, and the scavenge's in it */
    uint64_t allocated_base; /* what parameter 34 is counted from */
};

static inline MmSpur *mm_spur(Mm *mm)
{
    return (MmSpur *)mm;
}

static inline Word area_used(const Area *area)
{
    return area->free - area->start;
}

static inline bool area_has(const Area *area, Word address)
{
    return address - area->start < area->free - area->start;
}

static inline Word round_up(Word bytes, Word unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* space.c: bounds of new and old space, growth, images */
bool space_start(Mm *mm, const MmConfig *config, char *error, size_t error_size);
void space_stop(Mm *mm);
bool space_prepare_load(Mm *mm, Word bytes);
void space_adopt(Mm *mm, Word end);
/* Makes old space larger, so that an allocation of `bytes` succeeds in what is
 * new. False when the limit or the host forbids it. */
bool space_grow(MmSpur *m, Word bytes);
/* Gives memory back after a full collection. */
void space_shrink(MmSpur *m);
/* Bytes of old space that hold objects. */
Word space_old_used(MmSpur *m);
/* Empties eden for the image: bounds of inline allocation. */
void space_reset_eden(MmSpur *m, Word free);
/* Keeps area EDEN's `free` and the heap's eden_free together. */
void space_sync_eden(MmSpur *m);

/* allocate.c: what inline allocation cannot do */
Oop allocate_slow(Mm *mm, Word slots, unsigned format, Word class_index);
Oop allocate_old(Mm *mm, Word slots, unsigned format, Word class_index);
void allocate_remember(Mm *mm, Oop object);
/* Remembers an object whose slots were rewritten, if it is old and they ask for it. */
void allocate_remember_if_needed(Heap *heap, Oop object);
/* A copy of `object` in old space, header bits included; NO_OOP: no memory. */
Oop allocate_old_copy(MmSpur *m, Oop object);
/* `bytes` of old space, growing it if need be; 0: no memory. */
Word allocate_old_bytes(MmSpur *m, Word bytes);

/* lists.c */
void oop_list_push(MmSpur *m, OopList *list, Oop oop);
void oop_list_release(MmSpur *m, OopList *list);
bool word_stack_reserve(MmSpur *m, WordStack *stack, size_t capacity);
void word_stack_release(MmSpur *m, WordStack *stack);

/* scavenge.c */
void scavenge(Mm *mm, TenurePolicy policy);

/* fixpoint.c: weak objects, ephemerons, classes */
void fixpoint_found_weak(Mm *mm, Oop object);
void fixpoint_found_ephemeron(Mm *mm, Oop object);
uint8_t *fixpoint_class_marks(Mm *mm);
void fixpoint_finish_full(Mm *mm, Tracer *tracer);
void fixpoint_finish_scavenge(MmSpur *m, Tracer *tracer);
/* Number of strong fields of a weak object, whatever its class says. */
Word weak_strong_fields(const Heap *heap, Oop object);

/* collect.c: when to collect, full collections */
bool collect_is_due(Mm *mm);
void collect_if_due(Mm *mm);
void collect_full(Mm *mm);
bool collect_make_room(Mm *mm, Word bytes);
void collect_visit_roots(Mm *mm, SlotVisitor visit, void *context);
/* The core's roots and the mourners: what a scavenge begins with. */
void collect_visit_outside(MmSpur *m, SlotVisitor visit, void *context);
void collect_visit_all_references(Mm *mm, SlotVisitor visit, void *context);
Pause pause_begin(MmSpur *m);
/* Answers the microseconds since. */
uint64_t pause_end(MmSpur *m, Pause pause);

/* classes.c: the class table */
Word class_enter(Mm *mm, Oop class);
/* After loading: counts pages, finds out what is to be known. */
void class_table_adopt(MmSpur *m);
/* Objects became forwarders: no entry may be one. */
void class_table_follow(MmSpur *m);
/* Is `object` the class that its hash says it is? */
bool class_in_table(const Heap *heap, Oop object);
/* Could `object` be a class: do its first slots look like one's? */
bool class_shaped(Oop object);
/* All objects get the canonical index of their class. */
void class_table_normalise(MmSpur *m);
/* Full collection: entries of dead classes and superfluous ones become nil. */
void class_table_reclaim(MmSpur *m, Tracer *tracer);

/* become.c */
int become(Mm *mm, Oop from, Oop to, BecomeKind kind);
Oop pin(Mm *mm, Oop object, bool pinned);

/* mourners.c */
Oop mourner_next(Mm *mm);
Oop mourner_at(Mm *mm, Word index);
void mourner_add(MmSpur *m, Oop object);
/* Takes the queue out of an image's hidden roots. */
void mourners_adopt(MmSpur *m);

/* walk.c: enumeration */
Oop walk_first_object(Mm *mm);
Oop walk_next_object(Mm *mm, Oop object);
/* Every object of new space, dead ones and forwarders included. */
void walk_young(MmSpur *m, void (*visit)(MmSpur *m, Oop object, void *context), void *context);

bool walk_young_is_empty(MmSpur *m);
/* Turns a dead object of new space into a free chunk of the same size. */
static inline void walk_bury(Oop object)
{
    *header_at(object) &= (Header)HEADER_SLOTS_OVERFLOW << HEADER_SLOTS_SHIFT;
}

/* leak_check.c */
size_t leak_check(Mm *mm, LeakCheck *check);

/* parameters.c */
void parameters_statistics(Mm *mm, MmStatistics *statistics);
bool parameters_get(Mm *mm, unsigned number, int64_t *value);
bool parameters_set(Mm *mm, unsigned number, int64_t value);

#endif
