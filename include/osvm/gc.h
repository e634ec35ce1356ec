/* The contract of an old-space collector plugin.
 *
 * A collector owns what is inside old space, [heap->old_start, heap->old_end):
 * allocation, free chunks, mark state, liveness, reclaiming. The memory manager
 * owns the bounds, calls collect at polls only, and provides roots and the weak
 * and ephemeron fixpoint (osvm/mm.h). New space is normally empty during a full
 * collection; where memory was too short to tenure everything it is not: then
 * its objects are roots' targets like others, marked in place, never moved by
 * the collector, and their references are updated. (Young objects that died are
 * the manager's: at the end of finish_tracing it turns them into free chunks.)
 *
 * The rules between a collector (C) and the memory manager (M) in a collection:
 *  G1  C marks the hidden roots and the class table pages its first
 *      heap->class_table_pages slots name, and scans neither the pages nor those
 *      slots: classes live by their instances (class_marks) and by references.
 *      What else is in the hidden roots and in page 0 M visits as roots.
 *  G2  While M visits roots or runs the fixpoint, slots of live objects may still
 *      hold forwarders: M follows them. make_live and visit_roots replace what
 *      their slot holds; C replaces the rest before collect returns. To is_live a
 *      forwarder itself is never live.
 *  G3  make_live may put off tracing; everything is traced when is_live is next
 *      asked, and found_weak and found_ephemeron are called at most once an object.
 *  G4  M calls host->flush_caches before collect, and by the end of finish_tracing
 *      its own lists hold live objects only.
 *  G5  visit_all_references is called once everything has moved. A slot it visits
 *      that lies inside an object is left alone: C has updated it.
 *
 * An instance begins with struct Gc; the host allocates the descriptor's state
 * size, zeroed, and fills in `ops` and `heap`.
 */
#ifndef OSVM_GC_H
#define OSVM_GC_H

#include "osvm/heap.h"

enum { OSVM_GC_ABI = 1 };

typedef struct GcOps GcOps;

struct Gc {
    const GcOps *ops;
    Heap *heap;
    Gc *inner; /* the collector a shim stands before; NULL otherwise */
};

/* Filled in by collect and statistics. Times in microseconds. */
typedef struct {
    uint64_t mark_time, sweep_time, compact_time;
    uint64_t live_objects, live_bytes, moved_objects, moved_bytes;
    /* Nothing was collected, and the heap is as it was, forwarders included: the
     * collector never does, or has no memory for its tables. */
    bool refused;
} GcResult;

/* What --torture asks of a collector. */
enum {
    GC_MOVE_ALL = 1,     /* move whatever can move, also where little is won */
    GC_SMALL_TABLES = 2, /* mark stacks and the like as small as they can be */
    GC_POISON = 4,       /* overwrite what becomes free, but for what makes it a chunk */
};

#define GC_POISON_WORD ((Word)0xA5A5A5A5A5A5A5A7)

typedef struct {
    Word free_bytes;    /* in free chunks, usable by allocate */
    Word largest_free;  /* one allocation of this many bytes succeeds without growth */
    Word free_chunks;
    uint64_t allocations;
} GcStatistics;

struct GcOps {
    size_t size; /* of this struct, when it was compiled */

    /* ---- Facts ---- */
    bool moves_objects; /* unpinned old objects may move in collect */

    /* Old space is [old_start, old_end), empty (nothing to walk yet): prepare. */
    bool (*start)(Gc *gc, char *error, size_t error_size);
    void (*stop)(Gc *gc);

    /* An image lies in [old_start, used_end), free chunks in it included as
     * objects of class CLASS_FREE; [used_end, old_end) is free from now on: it is
     * empty or has at least 16 bytes. */
    void (*adopt)(Gc *gc, Word used_end);
    /* old_end grew from `from`, which was old_end; page-aligned: the new bytes are
     * free from now on. */
    void (*extended)(Gc *gc, Word from);
    /* Gives up free memory at the end of old space, keeping at least `keep` free
     * bytes in all. Answers the new end (page-aligned, <= old_end); the manager
     * then sets old_end and decommits. */
    Word (*trim)(Gc *gc, Word keep);

    /* ---- Allocation: bytes are multiples of 8 and at least 16. The memory
     * answered is no longer free and must hold an object before anything walks. */

    /* Start of `bytes` bytes, or 0 when no chunk is large enough. Never collects,
     * never grows. */
    Word (*allocate)(Gc *gc, Word bytes);
    /* A buffer to promote into: at least `least` bytes, about `wanted`. */
    bool (*take_buffer)(Gc *gc, Word least, Word wanted, Word *start, Word *end);
    /* What is left of a buffer, 0 or at least 16 bytes, is free again. */
    void (*return_buffer)(Gc *gc, Word start, Word end);
    /* Frees one object at once. Used for what become and pinning leave behind. */
    void (*free)(Gc *gc, Oop object);

    /* ---- Collection ---- */

    /* Marks from mm's roots, runs mm's fixpoint, reclaims what is dead, and, if
     * it moves objects, updates every reference (heap, mm->visit_all_references)
     * so that no forwarder is referred to any more. Never moves pinned objects,
     * nil, false, true, free lists and hidden roots, or young objects. */
    void (*collect)(Gc *gc, GcResult *result);
    /* While heap->marking is set: `value` was stored into old `object`. */
    void (*barrier)(Gc *gc, Oop object, Oop value);
    /* Finishes work put off, so that old space is walkable and exact. */
    void (*make_walkable)(Gc *gc);

    void (*statistics)(Gc *gc, GcStatistics *statistics);
    /* Verifies the collector's own structures (free chunks, tables). Each finding
     * is a sentence given to `report`; answers their number. May be NULL. */
    size_t (*self_check)(Gc *gc, void (*report)(void *context, const char *sentence),
                         void *context);
    /* Collects from now on as `flags` (GC_...) ask. May be NULL. */
    void (*torture)(Gc *gc, unsigned flags);
    /* methods above: ABI 1 */
};

static inline size_t gc_self_check(Gc *gc, void (*report)(void *context, const char *sentence),
                                   void *context)
{
    return gc->ops->self_check ? gc->ops->self_check(gc, report, context) : 0;
}

static inline void heap_marking_barrier(Heap *heap, Oop object, Oop value)
{
    heap->gc->ops->barrier(heap->gc, object, value);
}

/* Makes [start, end) one free chunk: an object of class index CLASS_FREE. The
 * collector decides whether it is on a list. 16 bytes at least. */
static inline Oop free_chunk_write(Word start, Word end)
{
    Word slots = (end - start - HEADER_BYTES) >> WORD_SHIFT;
    if (slots < HEADER_SLOTS_OVERFLOW)
        return object_write_header(start, slots, 0, CLASS_FREE);
    /* With the overflow word the count may drop to 254; the word stays. */
    slots = (end - start - 2 * HEADER_BYTES) >> WORD_SHIFT;
    *(uint64_t *)word_pointer(start) = (uint64_t)HEADER_SLOTS_OVERFLOW << 56 | slots;
    *header_at(start + HEADER_BYTES) = (Header)HEADER_SLOTS_OVERFLOW << HEADER_SLOTS_SHIFT;
    return start + HEADER_BYTES;
}

#endif
