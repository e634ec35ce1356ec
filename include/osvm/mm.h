/* The contract of a memory manager plugin.
 *
 * The memory manager owns the bounds of all spaces, new space and scavenging,
 * the class table, identity hashes of classes, the remembered set, forwarding,
 * pinning, the queue of mourners and the one weak and ephemeron fixpoint. What
 * old space looks like inside is the collector's (osvm/gc.h).
 *
 * An instance begins with struct Mm; the host allocates the descriptor's state
 * size, zeroed, fills in `ops` and `heap`, and calls start. Every function
 * takes the instance first. A checked shim is an Mm that forwards to `inner`.
 */
#ifndef OSVM_MM_H
#define OSVM_MM_H

#include "osvm/heap.h"

enum { OSVM_MM_ABI = 1 };

typedef struct MmOps MmOps;

struct Mm {
    const MmOps *ops;
    Heap *heap;
    Mm *inner; /* the manager a shim stands before; NULL otherwise */
};

/* What start needs to know. Sizes in bytes; addresses page-aligned. */
typedef struct {
    size_t size; /* of this struct, when it was compiled */
    Word new_start; /* new space begins here ... */
    Word region_end; /* ... and old space may reach up to here */
    Word eden_bytes; /* wanted size of eden; 0: the default */
    Word max_heap;   /* most bytes old space may grow to; 0: up to region_end */
    Word grow_headroom; /* old space grows by at least this; 0: 16 MiB */
    Word shrink_threshold; /* memory is given back above this much free; 0: 32 MiB */
    bool new_finalization; /* weak objects that lost elements are queued (image flag 0x40) */
    bool poison;     /* overwrite what becomes free in new space */
} MmConfig;

typedef enum {
    TENURE_BY_AGE, /* the normal scavenge */
    TENURE_ALL,    /* empty new space into old space */
} TenurePolicy;

typedef enum {
    BECOME_TWO_WAY,           /* hashes stay with the references */
    BECOME_ONE_WAY_COPY_HASH, /* targets take over the hashes */
    BECOME_ONE_WAY,           /* targets keep theirs */
} BecomeKind;

/* Outcome of become and pinning; the numbers are primitive failure codes. */
enum {
    MM_OK = 0,
    MM_BAD_RECEIVER = 2,
    MM_BAD_ARGUMENT = 3,
    MM_INAPPROPRIATE = 6,
    MM_NO_MODIFICATION = 8,
    MM_NO_MEMORY = 9,
    MM_PINNED = 16,
};

/* Counters since start; times in microseconds. */
typedef struct {
    uint64_t scavenges, scavenge_time;
    uint64_t full_collections, full_collection_time;
    uint64_t mark_time, sweep_time, compact_time;
    uint64_t tenured_objects, tenured_bytes, survived_bytes, allocated_bytes;
    uint64_t grown, shrunk;
    uint64_t longest_pause;
    uint64_t refused; /* full collections in which the collector did nothing */
    Word eden_bytes, new_bytes, old_bytes, old_free, old_largest_free;
    Word remembered_count, remembered_capacity;
} MmStatistics;

/* What a leak check looks at. */
enum {
    LEAK_OBJECTS,    /* extents, class indices, slots of all objects (H1, H4, H5) */
    LEAK_ROOTS,      /* what the core refers to */
    LEAK_REMEMBERED, /* H2, and the remembered set against the bits */
    LEAK_CLASSES,    /* the class table */
    LEAK_FREE,       /* the collector's own structures: free chunks, tables */
    LEAK_WEAK,       /* weak objects, ephemerons, mourners and their lists */
    LEAK_STACKS,     /* frames, and the contexts married to them */
    LEAK_MARKS,      /* bits and lists that only collections use */
    LEAK_SUBSETS,
};
#define LEAK_ALL ((1u << LEAK_SUBSETS) - 1)

/* The names of the subsets, as options and images write them. */
static inline const char *leak_subset_name(unsigned subset)
{
    static const char *const names[LEAK_SUBSETS] = {"objects", "roots", "remembered", "classes",
                                                    "free", "weak", "stacks", "marks"};
    return names[subset];
}

typedef struct {
    unsigned subsets; /* to be checked: bits 1 << LEAK_... */
    /* Gets each finding as a sentence: the object, its class, the slot, the rule; lines
     * that begin with spaces say how the object is reached. */
    void (*report)(void *context, const char *sentence);
    void *context;
    /* Filled in. What all subsets need, the walk that finds where objects are, counts
     * for LEAK_OBJECTS. */
    size_t findings[LEAK_SUBSETS];
    uint64_t times[LEAK_SUBSETS]; /* microseconds */
} LeakCheck;

/* How the weak and ephemeron fixpoint asks and tells a collection: the
 * scavenger and every collector supply one. Object oops only. */
typedef struct Tracer Tracer;
struct Tracer {
    bool (*is_live)(Tracer *tracer, Oop object);
    /* Makes the object and all it reaches strongly live. Weak objects and
     * ephemerons found on the way are reported through mm->ops->found_weak and
     * found_ephemeron, as in the collection proper. */
    void (*make_live)(Tracer *tracer, Oop *slot);
    /* The place of a live object after the collection if it is known already
     * (scavenge: the copy); otherwise the object itself. */
    Oop (*current)(Tracer *tracer, Oop object);
};

struct MmOps {
    size_t size; /* of this struct, when it was compiled */

    /* Lays out new space and an empty old space, sets all bounds of the heap, and
     * starts the collector, heap->gc (stop stops it). On failure answers false with a
     * sentence in `error` (host's, `error_size` bytes) and keeps nothing that it had
     * from the host: stop is not called then. */
    bool (*start)(Mm *mm, const MmConfig *config, char *error, size_t error_size);
    /* Gives all side tables back. The region is the host's, committed or not. */
    void (*stop)(Mm *mm);

    /* ---- Images ---- */

    /* Before an image is loaded: makes [old_start, old_start + bytes) usable, to
     * be filled with objects by the caller. False: no memory or above the limit. */
    bool (*prepare_load)(Mm *mm, Word bytes);
    /* After loading: [old_start, end) holds the objects of an image, nil first;
     * class indices, references and hidden roots valid, mark, grey and
     * remembered bits clear. Sets nil, false, true, hidden_roots and the class
     * table; the mourn queue of the image is taken over; `special_objects` has
     * been set by the caller. */
    void (*adopt)(Mm *mm, Word end);

    /* ---- Allocation (never moves an object) ---- */

    /* What heap_allocate could not do inline: eden's reserve, else old space;
     * asks for a poll. Body uninitialised. NO_OOP: out of memory. */
    Oop (*allocate)(Mm *mm, Word slots, unsigned format, Word class_index);
    /* The same, in old space. */
    Oop (*allocate_old)(Mm *mm, Word slots, unsigned format, Word class_index);
    /* Adds an old object, whose remembered bit is clear, to the remembered set and sets
     * the bit. */
    void (*remember)(Mm *mm, Oop object);

    /* ---- Collections (only at polls) ---- */

    /* True once a scavenge is due, or a collection was asked for by allocation. */
    bool (*collection_due)(Mm *mm);
    /* What a poll does when one is due: a scavenge, and a full collection if the
     * heap has grown enough since the last one. */
    void (*collect_if_due)(Mm *mm);
    void (*scavenge)(Mm *mm, TenurePolicy policy);
    void (*collect_full)(Mm *mm);
    /* Reserves: after a failed allocation, tries to make `bytes` available by
     * growing or collecting. False if there is no way. */
    bool (*make_room)(Mm *mm, Word bytes);

    /* ---- The weak and ephemeron protocol, for scavenger and collectors ---- */

    /* Tracing met a live weak object (its strong fields traced already) or a live
     * ephemeron (not traced at all unless its key is an immediate). */
    void (*found_weak)(Mm *mm, Oop object);
    void (*found_ephemeron)(Mm *mm, Oop object);
    /* A live object of class index `index` was met: the class must live. Cheap:
     * one byte store; the fixpoint traces the classes. Asked for once, when a
     * collection begins. */
    uint8_t *(*class_marks)(Mm *mm); /* one byte per class index; borrowed */
    /* Runs the fixpoint once strong tracing is done: classes of marked indices,
     * ephemerons, then firing, then weak slots, dead class table entries. When
     * it returns, everything live is marked and every queue is final; dead
     * entries of the remembered set are gone, dead young objects are free chunks. */
    void (*finish_tracing)(Mm *mm, Tracer *tracer);

    /* ---- Roots, for collectors ---- */

    /* Every strong root: the core's, hidden roots, page 0 of the class table,
     * mourners. Not the class table as a whole: hidden roots and class table pages
     * live always, and a collector that marks does not trace their slots. */
    void (*visit_roots)(Mm *mm, SlotVisitor visit, void *context);
    /* Every reference outside the heap, for updating after objects moved: the
     * core's, the remembered set, lists of the manager. Each slot once; none that
     * lies in an object: young objects and class table pages are updated by the
     * collector like all others. */
    void (*visit_all_references)(Mm *mm, SlotVisitor visit, void *context);

    /* ---- Classes ---- */

    /* The class table index of a class, entering it if it has none. 0: no room or
     * no memory. */
    Word (*class_enter)(Mm *mm, Oop class);

    /* ---- Identity ---- */

    /* Forwards the elements of two Arrays to each other. All or nothing; answers
     * MM_OK or a failure code. One way, an object that stands in `from` more than
     * once becomes what the first of its pairs says. */
    int (*become)(Mm *mm, Oop from, Oop to, BecomeKind kind);
    /* Pins or unpins; answers the object (a pinned young object moves to old
     * space and leaves a forwarder), NO_OOP when there is no memory. */
    Oop (*pin)(Mm *mm, Oop object, bool pinned);

    /* ---- Mourners ---- */

    /* Removes and answers the first of the queue; NO_OOP when it is empty. */
    Oop (*next_mourner)(Mm *mm);
    /* The i-th mourner without removing it; NO_OOP past the last. For snapshots. */
    Oop (*mourner_at)(Mm *mm, Word index);

    /* ---- Enumeration: in address order, old space first; normal objects only
     * (no free chunks, puns, forwarders). Valid until the next poll. ---- */
    Oop (*first_object)(Mm *mm);
    Oop (*next_object)(Mm *mm, Oop object); /* NO_OOP at the end */

    /* ---- Facts and knobs ---- */
    void (*statistics)(Mm *mm, MmStatistics *statistics);
    /* VM parameters the manager keeps (numbers of primitive 254); false if the
     * parameter is not the manager's or the value is refused: then nothing changes. */
    bool (*get_parameter)(Mm *mm, unsigned number, int64_t *value);
    bool (*set_parameter)(Mm *mm, unsigned number, int64_t value);
    /* Walks the heap and verifies the subsets asked for; answers the number of findings. */
    size_t (*leak_check)(Mm *mm, LeakCheck *check);
    /* methods above: ABI 1 */
};

static inline Oop heap_allocate_slow(Heap *heap, Word slots, unsigned format, Word class_index)
{
    return heap->mm->ops->allocate(heap->mm, slots, format, class_index);
}

static inline void heap_remember(Heap *heap, Oop object)
{
    heap->mm->ops->remember(heap->mm, object);
}

#include "osvm/gc.h"

#endif
