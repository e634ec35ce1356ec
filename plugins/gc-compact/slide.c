#include "compact.h"

#include <pthread.h>

/* Threads slide regions, which they take in address order. Where a region goes, whatever
 * lay there must have gone: it waits until all regions up to there are settled. Since
 * memory moves further the more dead memory lies before it, that is soon no wait at all. */
typedef struct {
    Compact *compact;
    size_t regions;
    size_t next;    /* the next region to take */
    pthread_mutex_t lock;
    size_t settled; /* regions below are done, all of them */
} Slide;

/* What one thread counts. */
typedef struct {
    const Compact *compact;
    uint64_t objects, bytes;
} Mover;

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
    CHECK(is_immediate(*slot) || live_map_has(&compact->space.marker.map, *slot),
          "0x%" PRIxWORD ", which is dead, is referred to from outside the heap (G4)", *slot);
    *slot = updated(compact, *slot);
}

/* ---- Moving ---- */

/* Copies an object of `size` bytes, header(s) included, down to `to`, references
 * updated. */
static inline void move_object(Mover *mover, Oop object, Word start, Word to, Word size)
{
    const Compact *compact = mover->compact;
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
    mover->objects++;
    mover->bytes += size;
}

/* The objects that begin in a block whose unit moves. */
static void move_unit(Mover *mover, size_t block, Word to)
{
    const Compact *compact = mover->compact;
    const LiveMap *map = &compact->space.marker.map;
    size_t granule = live_map_block_first(map, block), limit = (block + 1) * BLOCK_GRANULES;
    to += (Word)live_map_tail(map, block) << GRANULE_SHIFT;
    for (Oop object; (object = live_map_object(map, granule, limit));) {
        Word start = object_start(object), end = object_end(object);
        if (start != to)
            move_object(mover, object, start, to, end - start);
        else
            update_object(compact, object);
        to += end - start;
        granule = live_map_granule(map, end);
    }
}

/* The objects that begin in blocks [block, end_block), none of which moves. */
static void update_unit(const Compact *compact, size_t block)
{
    const LiveMap *map = &compact->space.marker.map;
    size_t granule = live_map_block_first(map, block), limit = (block + 1) * BLOCK_GRANULES;
    for (Oop object; (object = live_map_object(map, granule, limit));) {
        Word end = object_end(object);
        update_object(compact, object);
        granule = live_map_granule(map, end);
    }
}

/* ---- Fetching ahead ---- */

/* The map words and places of what the live words of a block seem to refer to. */
static void fetch_block(const Compact *compact, size_t block)
{
    const LiveMap *map = &compact->space.marker.map;
    Word moving = compact->moving_start, span = compact->space.gc.heap->old_end - moving;
    for (unsigned word = 0; word < BLOCK_MAP_WORDS; word++) {
        size_t index = block * BLOCK_MAP_WORDS + word;
        if (!map->bits[index])
            continue;
        const Word *slot = word_pointer(live_map_address(map, index * 64));
        for (const Word *end = slot + 64 * 8 / WORD_BYTES; slot < end; slot++)
            if (is_object(*slot) && *slot - moving < span) {
                PREFETCH(live_map_word(map, *slot));
                PREFETCH(compact_place_of(compact, live_map_granule(map, *slot) / BLOCK_GRANULES));
            }
    }
}

/* ---- Regions ---- */

static size_t region_first(const Slide *slide, size_t region)
{
    return slide->compact->first_block + region * REGION_BLOCKS;
}

static size_t region_end(const Slide *slide, size_t region)
{
    size_t end = region_first(slide, region + 1);
    return end < slide->compact->end_block ? end : slide->compact->end_block;
}

/* How many regions must be settled before this one may move: those up to where the last
 * of its units goes. */
static size_t regions_before(const Slide *slide, size_t region)
{
    const Compact *compact = slide->compact;
    for (size_t block = region_end(slide, region); block-- > region_first(slide, region);) {
        Word to = compact_place_of(compact, block)->to;
        if (!to || to & STAYS)
            continue;
        Word bytes = compact_unit_end(compact, block) - live_map_address(&compact->space.marker.map,
                                                                         block * BLOCK_GRANULES);
        size_t last = live_map_granule(&compact->space.marker.map, to + bytes) / BLOCK_GRANULES;
        size_t needed = (last - compact->first_block) / REGION_BLOCKS + 1;
        return needed < region ? needed : region;
    }
    return 0;
}

static void wait_for(const Slide *slide, size_t regions)
{
    for (unsigned round = 0; __atomic_load_n(&slide->settled, __ATOMIC_ACQUIRE) < regions; round++)
        team_pause(round);
}

static void settle(Slide *slide, size_t region)
{
    pthread_mutex_lock(&slide->lock);
    slide->compact->done[region] = 1;
    size_t settled = slide->settled;
    while (settled < slide->regions && slide->compact->done[settled])
        settled++;
    __atomic_store_n(&slide->settled, settled, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&slide->lock);
}

static void slide_region(Slide *slide, Mover *mover, size_t region)
{
    const Compact *compact = slide->compact;
    size_t end = region_end(slide, region);
    for (size_t block = region_first(slide, region); block < end; block++) {
        if (block + 1 < end)
            fetch_block(compact, block + 1);
        Word to = compact_place_of(compact, block)->to;
        if (to & STAYS)
            update_unit(compact, block);
        else if (to)
            move_unit(mover, block, to);
    }
}

static void slide_job(void *context, unsigned worker, unsigned size)
{
    (void)worker, (void)size;
    Slide *slide = context;
    Mover mover = {.compact = slide->compact};
    size_t region;
    while ((region = __atomic_fetch_add(&slide->next, 1, __ATOMIC_RELAXED)) < slide->regions) {
        wait_for(slide, regions_before(slide, region));
        slide_region(slide, &mover, region);
        settle(slide, region);
    }
    pthread_mutex_lock(&slide->lock);
    slide->compact->moved_objects += mover.objects;
    slide->compact->moved_bytes += mover.bytes;
    pthread_mutex_unlock(&slide->lock);
}

void compact_slide(Compact *compact)
{
    Mm *mm = compact->space.gc.heap->mm;
    Slide slide = {.compact = compact, .lock = PTHREAD_MUTEX_INITIALIZER,
                   .regions = compact_regions(compact)};
    if (compact->moving_start >= compact->space.gc.heap->old_end)
        return;
    for (size_t block = 0; block < compact->first_block; block++)
        update_unit(compact, block);
    team_run(compact->space.marker.worker_count, slide_job, &slide);
    mm->ops->visit_all_references(mm, visit_reference, compact);
}

/* ---- Free memory ---- */

/* The gaps between the objects of a unit that stays. */
static void sweep_unit(Compact *compact, size_t block)
{
    const LiveMap *map = &compact->space.marker.map;
    size_t end = live_map_granule(map, compact_unit_end(compact, block));
    size_t first = live_map_next_set(map, live_map_block_first(map, block), end);
    old_space_add_gaps(&compact->space, first, end);
}

void compact_sweep(Compact *compact)
{
    const LiveMap *map = &compact->space.marker.map;
    old_space_begin_sweep(&compact->space, compact->packed_end);
    for (size_t block = compact->first_block; block < compact->end_block; block++) {
        Place *place = compact_place_of(compact, block);
        if (!(place->to & STAYS))
            continue;
        size_t end = (block + 1) * BLOCK_GRANULES;
        Word start = live_map_address(
            map, live_map_next_set(map, live_map_block_first(map, block), end));
        old_space_add_gap(&compact->space, place->to & ~STAYS, start);
        sweep_unit(compact, block);
    }
}
