#include "compact.h"

/* ---- References ---- */

static inline Oop updated(const Compact *compact, Oop value)
{
    return is_object(value) ? compact_relocated(compact, value) : value;
}

/* Slots [first, end) of an object that stays. */
static void update_slots(const Compact *compact, Word *slots, Word first, Word end)
{
    for (Word i = first; i < end; i++) {
        Oop value = slots[i];
        if (is_object(value) && value >= compact->moving_start)
            slots[i] = compact_relocated(compact, value);
    }
}

/* Slots of an object that moves down, possibly over itself. */
static void move_slots(const Compact *compact, Word *to, const Word *from, Word first, Word end)
{
    for (Word i = first; i < end; i++)
        to[i] = updated(compact, from[i]);
}

static void update_object(const Compact *compact, Oop object)
{
    Word first, end;
    heap_pointer_slots(compact->space.gc.heap, object, &first, &end);
    update_slots(compact, object_slots(object), first, end);
}

static void visit_reference(void *context, Oop *slot)
{
    const Compact *compact = context;
    const Heap *heap = compact->space.gc.heap;
    Word address = pointer_word(slot);
    if ((uintptr_t)slot == address && address >= heap->new_start && address < heap->old_end)
        return; /* inside an object: updated with it */
    CHECK(is_immediate(*slot) || live_map_has(&compact->marker.map, *slot),
          "0x%" PRIxWORD ", which is dead, is referred to from outside the heap (G4)", *slot);
    *slot = updated(compact, *slot);
}

/* ---- Moving ---- */

/* Copies an object of `size` bytes, header(s) included, down to `to`, references
 * updated. */
static inline void move_object(Compact *compact, Oop object, Word start, Word to, Word size)
{
    Word first, end, slots = (size - (object - start) - HEADER_BYTES) >> WORD_SHIFT;
    heap_pointer_slots(compact->space.gc.heap, object, &first, &end);
    uint64_t *headers = word_pointer(to);
    *headers = *(const uint64_t *)word_pointer(start);
    if (object != start)
        headers[1] = header_of(object);
    Word *target = object_slots(to + (object - start));
    const Word *source = object_slots(object);
    if (first)
        target[0] = source[0]; /* compiled code: no reference (H5) */
    move_slots(compact, target, source, first, end);
    if (end < slots)
        memmove(target + end, source + end, (slots - end) * sizeof(Word));
    compact->moved_objects++;
    compact->moved_bytes += size;
}

/* The objects that begin in a block whose unit moves. */
static void move_unit(Compact *compact, size_t block, Word to)
{
    const LiveMap *map = &compact->marker.map;
    size_t granule = live_map_block_first(map, block), limit = (block + 1) * BLOCK_GRANULES;
    to += (Word)live_map_tail(map, block) << GRANULE_SHIFT;
    for (Oop object; (object = live_map_object(map, granule, limit));) {
        Word start = object_start(object), end = object_end(object);
        if (start != to)
            move_object(compact, object, start, to, end - start);
        else
            update_object(compact, object);
        to += end - start;
        granule = live_map_granule(map, end);
    }
}

/* The objects that begin in blocks [block, end_block), none of which moves. */
static void update_unit(Compact *compact, size_t block)
{
    const LiveMap *map = &compact->marker.map;
    size_t granule = live_map_block_first(map, block), limit = (block + 1) * BLOCK_GRANULES;
    for (Oop object; (object = live_map_object(map, granule, limit));) {
        Word end = object_end(object);
        update_object(compact, object);
        granule = live_map_granule(map, end);
    }
}

void compact_slide(Compact *compact)
{
    Mm *mm = compact->space.gc.heap->mm;
    if (compact->moving_start >= compact->space.gc.heap->old_end)
        return;
    for (size_t block = 0; block < compact->first_block; block++)
        update_unit(compact, block);
    for (size_t block = compact->first_block; block < compact->end_block; block++) {
        Word to = compact_place_of(compact, block)->to;
        if (to & STAYS)
            update_unit(compact, block);
        else if (to)
            move_unit(compact, block, to);
    }
    mm->ops->visit_all_references(mm, visit_reference, compact);
}

/* ---- Free memory ---- */

/* The gaps between the objects of a unit that stays. */
static void sweep_unit(Compact *compact, size_t block)
{
    const LiveMap *map = &compact->marker.map;
    size_t end = live_map_granule(map, compact_unit_end(compact, block));
    size_t granule = live_map_next_set(map, live_map_block_first(map, block), end);
    while ((granule = live_map_next_clear(map, granule, end)) < end) {
        size_t next = live_map_next_set(map, granule, end);
        chunks_add(&compact->space.chunks, live_map_address(map, granule), live_map_address(map, next));
        granule = next;
    }
}

void compact_sweep(Compact *compact)
{
    const LiveMap *map = &compact->marker.map;
    old_space_begin_sweep(&compact->space, compact->packed_end);
    for (size_t block = compact->first_block; block < compact->end_block; block++) {
        Place *place = compact_place_of(compact, block);
        if (!(place->to & STAYS))
            continue;
        size_t end = (block + 1) * BLOCK_GRANULES;
        Word start = live_map_address(
            map, live_map_next_set(map, live_map_block_first(map, block), end));
        chunks_add(&compact->space.chunks, place->to & ~STAYS, start);
        sweep_unit(compact, block);
    }
}
