/* The heap as every part of the VM sees it, and its inline fast paths.
 *
 * One contiguous region of address space holds, in this order:
 *
 *     VM variables | code zone | stack zone | new space | old space
 *
 * so a reference that is no immediate is young exactly if it is below
 * `old_start`. An oop is a host address. New space and old space are each
 * walkable: objects lie back to back, free chunks are objects of class index
 * CLASS_FREE. The first five objects of old space are nil, false, true, the
 * free lists object and the hidden roots (class table); they never move.
 *
 * Invariants (checked by the leak check):
 *  H1  Every slot that is traced holds an immediate or the oop of an object;
 *      never NO_OOP, never the address of a free chunk. A new object's slots
 *      are filled before the next poll.
 *  H2  An old object that refers to a young one has its remembered bit set and
 *      is in the remembered set, exactly once.
 *  H3  Objects move only in collections, pinning and become, and those happen
 *      only at polls and in primitives that ask for one. Allocation moves nothing.
 *  H4  The class index of every object above CLASS_LAST_PUN names a class table
 *      entry that is not nil.
 *  H5  Slot 0 of compiled code is read through method_header() only; it is a
 *      SmallInteger, or the address of machine code.
 *
 * The rules for leaving out the store barrier (mark such places NOBARRIER):
 *  B1  the value is an immediate, nil, true or false;
 *  B2  the object was allocated since the last poll by heap_allocate() and
 *      heap_is_young() holds for it;
 *  B3  the collector or memory manager itself is rewriting a reference.
 */
#ifndef OSVM_HEAP_H
#define OSVM_HEAP_H

#include <stddef.h>

#include "osvm/check.h"
#include "osvm/object.h"

typedef struct Heap Heap;
typedef struct Mm Mm; /* osvm/mm.h */
typedef struct Gc Gc; /* osvm/gc.h */

/* Called with the address of each slot that holds a reference; may change it. */
typedef void (*SlotVisitor)(void *context, Oop *slot);

/* What a pause was: one scavenge, or a full collection with the scavenges in it. Times in
 * microseconds of HeapHost.now. */
typedef struct {
    size_t size; /* of this struct, when it was compiled */
    bool full;
    uint64_t start, time;
    uint64_t scavenge_time, mark_time, sweep_time, compact_time; /* parts of `time` */
    uint64_t scavenges;
    uint64_t survived_bytes; /* copied within new space */
    uint64_t tenured_objects, tenured_bytes;
    uint64_t moved_objects, moved_bytes; /* within old space */
} HeapPause;

/* What the core provides to the memory manager and, through it, to collectors.
 * All calls happen at a poll, on the VM's thread. */
typedef struct {
    size_t size; /* of this struct, when it was compiled */
    /* Visits every reference the core keeps outside the heap: frames, special
     * objects, handles, caches that are strong. A slot may hold an immediate. */
    void (*visit_roots)(Heap *heap, SlotVisitor visit, void *context);
    /* References the core would rather drop than keep alive or update: lookup
     * caches, at-caches, links of machine code. Called before objects move or die. */
    void (*flush_caches)(Heap *heap);
    /* Objects became forwarders (become, pinning): receivers, methods, closures
     * and contexts of all frames, and whatever else may not hold a forwarder,
     * are followed now. */
    void (*follow_forwarders)(Heap *heap);
    /* Before `object` is forwarded: a married context is flushed to heap form. */
    void (*before_become)(Heap *heap, Oop object);
    /* Makes the next poll happen as soon as possible. Any thread. */
    void (*request_poll)(Heap *heap);
    /* `count` more objects wait for finalization (fired ephemerons, weak objects
     * that lost elements): signal the finalization semaphore at the next poll. */
    void (*finalization_pending)(Heap *heap, Word count);
    /* Writes one line to the VM's log. */
    void (*log)(Heap *heap, const char *format, ...) __attribute__((format(printf, 2, 3)));
    /* Microseconds on a monotonic clock (0 always, under --deterministic). */
    uint64_t (*now)(Heap *heap);
    /* Method header of compiled code whose slot 0 is machine code. */
    SWord (*machine_code_method_header)(Heap *heap, Word address);
    /* Reserves zeroed, lazily committed memory outside the region, for side
     * tables; NULL if there is none. Released with side_table_release. */
    void *(*side_table_reserve)(Heap *heap, size_t bytes);
    void (*side_table_release)(Heap *heap, void *table, size_t bytes);
    /* Makes region memory usable / gives its pages back to the host. Both ends
     * page-aligned. commit answers false when the host refuses. */
    bool (*commit)(Heap *heap, Word start, Word end);
    void (*decommit)(Heap *heap, Word start, Word end);
    /* Like flush_caches, before a scavenge: only young objects will move or die.
     * May be NULL: then flush_caches is called. */
    void (*flush_young_caches)(Heap *heap);
    /* A pause is over. May be NULL. */
    void (*collected)(Heap *heap, const HeapPause *pause);
    /* Gives the pages between two page-aligned addresses back to the host; they stay
     * usable, and their contents are lost. May be NULL. */
    void (*discard)(Heap *heap, Word start, Word end);
    /* Verifies what the core keeps in stacks: each finding is a sentence given to
     * `report`; answers their number. May be NULL. */
    size_t (*check_stacks)(Heap *heap, void (*report)(void *context, const char *sentence),
                           void *context);
} HeapHost;

/* The first member of the core's VM structure, at the base of the region. The
 * Word fields are what machine code and fast paths touch. */
struct Heap {
    /* ---- guest-visible ---- */
    Word nil;
    Word false_object;
    Word true_object;
    Word eden_free;  /* where the next object goes */
    Word eden_limit; /* allocation below this is inline; beyond it heap_allocate_slow() decides */
    Word old_start;  /* first byte of old space; all young objects lie below */
    Word marking;    /* non-zero while a collector wants to hear of stores into old objects */
    Word hidden_roots;
    Word special_objects;
    Word last_hash; /* state of the identity hash generator */

    /* ---- bounds; changed only by the memory manager ---- */
    Word new_start; /* new space is [new_start, new_end), survivor spaces included */
    Word new_end;
    Word old_end;   /* committed end of old space; everything below is walkable */
    Word old_limit; /* old_end never passes this */

    /* ---- remembered set: old objects that may refer to young ones ---- */
    Oop *remembered;
    size_t remembered_count;
    size_t remembered_capacity;

    /* ---- host side ---- */
    const HeapHost *host;
    Mm *mm;
    Gc *gc;
    Word class_table_pages; /* pages in use */
    Word page_size;         /* of the host */
    bool deterministic;
};

/* Slow paths, defined inline in osvm/mm.h in terms of the memory manager's vtable. */
static inline Oop heap_allocate_slow(Heap *heap, Word slots, unsigned format, Word class_index);
static inline void heap_remember(Heap *heap, Oop object);
static inline void heap_marking_barrier(Heap *heap, Oop object, Oop value);

/* ---- Where an object lives ---- */

/* Only for oops that are objects. */
static inline bool heap_is_young(const Heap *heap, Oop object)
{
    return object < heap->old_start;
}

static inline bool heap_is_old(const Heap *heap, Oop object)
{
    return object >= heap->old_start;
}

/* ---- Classes ---- */

static inline Oop heap_class_at(const Heap *heap, Word index)
{
    Oop page = object_slot(heap->hidden_roots, index >> CLASS_PAGE_BITS);
    return object_slot(page, index & (CLASS_PAGE_SIZE - 1));
}

/* The class tag: class index of an object, tag bits of an immediate. */
static inline Word heap_class_index(Oop oop)
{
    if (is_object(oop))
        return object_class_index(oop);
    if (WORD_BITS == 32 && is_small_integer(oop))
        return CLASS_SMALL_INTEGER;
    return oop & TAG_MASK;
}

static inline Oop heap_class_of(const Heap *heap, Oop oop)
{
    return heap_class_at(heap, heap_class_index(oop));
}

static inline Oop heap_special(const Heap *heap, unsigned index)
{
    return object_slot(heap->special_objects, index);
}

/* ---- Forwarders ---- */

static inline bool is_forwarded(Oop oop)
{
    return is_object(oop) && header_is_forwarder(header_of(oop));
}

/* The end of the chain of forwarders that begins at `oop`. */
static inline Oop follow(Oop oop)
{
    while (is_forwarded(oop))
        oop = object_slot(oop, 0);
    return oop;
}

/* ---- Compiled code ---- */

static inline SWord method_header(Heap *heap, Oop code)
{
    Oop first = object_slot(code, 0);
    if (__builtin_expect(is_small_integer(first), 1))
        return small_integer_value(first);
    return heap->host->machine_code_method_header(heap, first);
}

static inline Word method_literal_count(Heap *heap, Oop code)
{
    return method_header_literals(method_header(heap, code));
}

/* ---- Tracing: which slots of an object are references ---- */

/* Number of fixed fields of a weak or indexable object: from its class. Objects of
 * the VM's own (puns) have no class, and no fixed fields. */
static inline Word heap_fixed_fields(const Heap *heap, Oop object)
{
    Word index = object_class_index(object);
    if (index <= CLASS_LAST_PUN)
        return 0;
    Oop class = follow(heap_class_at(heap, index));
    return class_format_fixed_fields(small_integer_value(object_slot(class, CLASS_FORMAT)));
}

/* First and one past the last slot that holds a strong or weak reference; for
 * compiled code the literals; equal for bits objects. Forwarders have slot 0. */
static inline void heap_pointer_slots(Heap *heap, Oop object, Word *first, Word *end)
{
    unsigned format = object_format(object);
    *first = 0;
    *end = 0;
    if (format_is_pointers(format))
        *end = object_slot_count(object);
    else if (format_is_code(format)) {
        *first = 1;
        *end = 1 + method_literal_count(heap, object);
    } else if (format == FORMAT_FORWARDER)
        *end = 1;
}

/* ---- Walking ---- */

/* The object after `object` in the same space; may be `limit` or beyond: stop there. */
static inline Oop heap_next_object(Oop object, Word limit)
{
    Word next = object_end(object);
    return next >= limit ? limit : object_at_start(next);
}

/* ---- Stores ---- */

/* Stores a reference with the barrier. The object must not be read-only. */
static inline void heap_store(Heap *heap, Oop object, Word index, Oop value)
{
    object_slots(object)[index] = value;
    if (heap_is_old(heap, object) && is_object(value)) {
        if (heap_is_young(heap, value)) {
            if (!(header_of(object) & HEADER_REMEMBERED))
                heap_remember(heap, object);
        } else if (__builtin_expect(heap->marking != 0, 0))
            heap_marking_barrier(heap, object, value);
    }
}

/* NOBARRIER: see the rules above; the caller names the one that applies. */
static inline void heap_store_unchecked(Oop object, Word index, Oop value)
{
    object_slots(object)[index] = value;
}

/* ---- Allocation ---- */

/* A new object with an uninitialised body, or NO_OOP when there is no memory.
 * Moves nothing. The caller fills every slot before the next poll. */
static inline Oop heap_allocate(Heap *heap, Word slots, unsigned format, Word class_index)
{
    if (__builtin_expect(slots < HEADER_SLOTS_OVERFLOW, 1)) {
        Word start = heap->eden_free;
        Word size = HEADER_BYTES + body_bytes_for_slots(slots);
        if (__builtin_expect(heap->eden_limit - start >= size, 1)) {
            heap->eden_free = start + size;
            *header_at(start) = (Header)slots << HEADER_SLOTS_SHIFT |
                                (Header)format << HEADER_FORMAT_SHIFT | class_index;
            return start;
        }
    }
    return heap_allocate_slow(heap, slots, format, class_index);
}

static inline void object_fill(Oop object, Word from, Word to, Oop value)
{
    Word *slot = object_slots(object) + from, *end = object_slots(object) + to;
    for (; end - slot >= 4; slot += 4)
        slot[0] = slot[1] = slot[2] = slot[3] = value;
    for (; slot < end; slot++)
        *slot = value;
}

/* A new pointer object, every slot nil. */
static inline Oop heap_new_pointers(Heap *heap, Word slots, unsigned format, Word class_index)
{
    Oop object = heap_allocate(heap, slots, format, class_index);
    if (object)
        object_fill(object, 0, slots, heap->nil);
    return object;
}

/* A new bits object, every byte zero. `format` carries the odd count. */
static inline Oop heap_new_bits(Heap *heap, Word slots, unsigned format, Word class_index)
{
    Oop object = heap_allocate(heap, slots, format, class_index);
    if (object)
        memset(object_slots(object), 0, body_bytes_for_slots(slots));
    return object;
}

/* Slots and format of a byte object of `bytes` bytes. */
static inline Word slots_for_bytes(Word bytes)
{
    return bytes / WORD_BYTES + (bytes % WORD_BYTES != 0);
}

static inline unsigned format_for_bytes(Word bytes)
{
    return FORMAT_BYTES + (unsigned)(-bytes & (WORD_BYTES - 1));
}

static inline Oop heap_new_bytes(Heap *heap, Word bytes, Word class_index)
{
    return heap_new_bits(heap, slots_for_bytes(bytes), format_for_bytes(bytes), class_index);
}

/* ---- Identity hashes ---- */

/* A fresh non-zero identity hash (Park and Miller's multiplier, 1988). */
static inline unsigned heap_fresh_hash(Heap *heap)
{
    Word hash;
    do {
        heap->last_hash *= 16807;
        hash = heap->last_hash + (heap->last_hash >> 4);
    } while ((hash & HASH_MAX) == 0);
    return (unsigned)hash & HASH_MAX;
}

/* The identity hash of an object that is no class; assigned on first request. */
static inline unsigned heap_identity_hash(Heap *heap, Oop object)
{
    unsigned hash = header_hash(header_of(object));
    if (hash == 0) {
        hash = heap_fresh_hash(heap);
        *header_at(object) |= (Header)hash << HEADER_HASH_SHIFT;
    }
    return hash;
}

#include "osvm/mm.h"

#endif
