/* Allocation beyond the inline path, and the remembered set.
 *
 * Nothing here moves an object. Passing eden's soft limit asks for a poll and
 * goes on in the reserve; what is large or fits no more goes to old space, which
 * grows as far as its limit. Only then is the answer NO_OOP.
 */
#include "spur.h"

enum {
    LARGEST_YOUNG_SLOTS = 65535, /* objects of more slots are born old */
    FIRST_REMEMBERED = 1 << 16,
};

static void ask_for_collection(MmSpur *m)
{
    if (m->collection_due)
        return;
    m->collection_due = true;
    m->mm.heap->host->request_poll(m->mm.heap);
}

/* ---- Eden ---- */

static Oop allocate_in_eden(MmSpur *m, Word size, Word slots, unsigned format, Word class_index)
{
    Heap *heap = m->mm.heap;
    Word start = heap->eden_free;
    if (size > m->areas[EDEN].limit - start)
        return NO_OOP;
    heap->eden_free = start + size;
    if (heap->eden_free > heap->eden_limit) {
        /* Inline allocation compares by subtraction: the limit stays at or above. */
        heap->eden_limit = heap->eden_free;
        ask_for_collection(m);
    }
    return object_write_header(start, slots, format, class_index);
}

Oop allocate_slow(Mm *mm, Word slots, unsigned format, Word class_index)
{
    MmSpur *m = mm_spur(mm);
    if (slots <= LARGEST_YOUNG_SLOTS) {
        Oop object = allocate_in_eden(m, object_size_for_slots(slots), slots, format, class_index);
        if (object)
            return object;
        ask_for_collection(m);
    }
    return allocate_old(mm, slots, format, class_index);
}

/* ---- Old space ---- */

/* Old space has grown by direct allocation as by tenuring: the next poll looks
 * whether a full collection is due. */
static void count_old_bytes(MmSpur *m, Word bytes)
{
    m->allocated_old += bytes;
    Word most = (Word)((double)m->used_after_full * m->growth_ratio);
    if (m->allocated_old > most && m->allocated_old > m->config.grow_headroom)
        ask_for_collection(m);
}

Word allocate_old_bytes(MmSpur *m, Word bytes)
{
    Heap *heap = m->mm.heap;
    Word start = heap->gc->ops->allocate(heap->gc, bytes);
    if (!start && space_grow(m, bytes))
        start = heap->gc->ops->allocate(heap->gc, bytes);
    if (!start) {
        m->full_due = true;
        ask_for_collection(m);
    }
    return start;
}

Oop allocate_old(Mm *mm, Word slots, unsigned format, Word class_index)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    if (slots > (heap->old_limit - heap->old_start) >> WORD_SHIFT)
        return NO_OOP;
    Word bytes = object_size_for_slots(slots);
    Word start = allocate_old_bytes(m, bytes);
    if (!start)
        return NO_OOP;
    count_old_bytes(m, bytes);
    m->stats.allocated_bytes += bytes;
    return object_write_header(start, slots, format, class_index);
}

/* Slots of the copy may refer to young objects: the caller remembers it. */
Oop allocate_old_copy(MmSpur *m, Oop object)
{
    Word bytes = object_size(object);
    Word start = allocate_old_bytes(m, bytes);
    if (!start)
        return NO_OOP;
    memcpy(word_pointer(start), word_pointer(object_start(object)), bytes);
    Oop copy = object_at_start(start);
    *header_at(copy) &= ~(HEADER_MARKED | HEADER_GREY | HEADER_REMEMBERED);
    return copy;
}

/* ---- The remembered set ---- */

static __attribute__((cold, noinline)) void grow_remembered(Heap *heap)
{
    size_t capacity = heap->remembered_capacity ? 2 * heap->remembered_capacity : FIRST_REMEMBERED;
    Oop *set = heap->host->side_table_reserve(heap, capacity * sizeof(Oop));
    REQUIRE(set, "the host has no memory left for a remembered set of %zu objects", capacity);
    if (heap->remembered) {
        memcpy(set, heap->remembered, heap->remembered_count * sizeof(Oop));
        heap->host->side_table_release(heap, heap->remembered,
                                       heap->remembered_capacity * sizeof(Oop));
    }
    heap->remembered = set;
    heap->remembered_capacity = capacity;
}

void allocate_remember(Mm *mm, Oop object)
{
    Heap *heap = mm->heap;
    CHECK(heap_is_old(heap, object), "young object 0x%" PRIxWORD " is remembered (H2)", object);
    CHECK(!(header_of(object) & HEADER_REMEMBERED),
          "object 0x%" PRIxWORD " is remembered twice (H2)", object);
    if (heap->remembered_count == heap->remembered_capacity)
        grow_remembered(heap);
    heap->remembered[heap->remembered_count++] = object;
    *header_at(object) |= HEADER_REMEMBERED;
}

void allocate_remember_if_needed(Heap *heap, Oop object)
{
    if (!heap_is_old(heap, object) || (header_of(object) & HEADER_REMEMBERED))
        return;
    Word first, end;
    heap_pointer_slots(heap, object, &first, &end);
    for (Word i = first; i < end; i++) {
        Oop value = object_slot(object, i);
        if (is_object(value) && heap_is_young(heap, value)) {
            allocate_remember(heap->mm, object);
            return;
        }
    }
}
