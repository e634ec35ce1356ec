#include "old_space.h"

enum { WORTH_DISCARDING = 4 << 20 }; /* bytes of a gap whose pages go back to the host */

static OldSpace *space_of(Gc *gc)
{
    return (OldSpace *)gc;
}

/* ---- Free memory ---- */

/* Puts the free chunks of an adopted image on the lists. */
static void list_adopted(OldSpace *space)
{
    Word limit = space->unlisted_end;
    if (!limit)
        return;
    space->unlisted_end = 0;
    Oop next = object_at_start(space->gc.heap->old_start);
    while (next < limit) {
        Oop object = next;
        next = heap_next_object(object, limit);
        if (object_class_index(object) == CLASS_FREE)
            chunks_add(&space->chunks, object_start(object), object_end(object));
    }
}

bool old_space_start(Gc *gc, char *error, size_t error_size)
{
    OldSpace *space = space_of(gc);
    if ((gc->heap->new_start | gc->heap->old_start) % BLOCK_BYTES) {
        snprintf(error, error_size,
                 "the collector needs new and old space to begin at multiples of %d bytes, not at 0x%"
                 PRIxWORD " and 0x%" PRIxWORD, BLOCK_BYTES, gc->heap->new_start,
                 gc->heap->old_start);
        return false;
    }
    space->unlisted_end = 0;
    chunks_reset(&space->chunks, gc->heap, gc->heap->old_end);
    chunks_add(&space->chunks, gc->heap->old_start, gc->heap->old_end);
    return true;
}

void old_space_stop(Gc *gc)
{
    space_of(gc)->unlisted_end = 0;
}

void old_space_adopt(Gc *gc, Word used_end)
{
    OldSpace *space = space_of(gc);
    chunks_reset(&space->chunks, gc->heap, gc->heap->old_end);
    chunks_add(&space->chunks, used_end, gc->heap->old_end);
    space->unlisted_end = used_end;
}

void old_space_extended(Gc *gc, Word from)
{
    chunks_extend(&space_of(gc)->chunks, from, gc->heap->old_end);
}

Word old_space_trim(Gc *gc, Word keep)
{
    return chunks_trim(&space_of(gc)->chunks, keep);
}

Word old_space_allocate(Gc *gc, Word bytes)
{
    OldSpace *space = space_of(gc);
    Word start = chunks_allocate(&space->chunks, bytes);
    if (__builtin_expect(!start && space->unlisted_end, 0)) {
        list_adopted(space);
        start = chunks_allocate(&space->chunks, bytes);
    }
    return start;
}

bool old_space_take_buffer(Gc *gc, Word least, Word wanted, Word *start, Word *end)
{
    OldSpace *space = space_of(gc);
    if (chunks_take(&space->chunks, least, wanted, start, end))
        return true;
    list_adopted(space);
    return chunks_take(&space->chunks, least, wanted, start, end);
}

void old_space_return_buffer(Gc *gc, Word start, Word end)
{
    chunks_add(&space_of(gc)->chunks, start, end);
}

void old_space_free(Gc *gc, Oop object)
{
    OldSpace *space = space_of(gc);
    /* Below the mark the walk that lists an image's chunks will find it. */
    if (object < space->unlisted_end)
        free_chunk_write(object_start(object), object_end(object));
    else
        chunks_add(&space->chunks, object_start(object), object_end(object));
}

void old_space_make_walkable(Gc *gc)
{
    list_adopted(space_of(gc));
}

void old_space_barrier(Gc *gc, Oop object, Oop value)
{
    (void)gc, (void)object, (void)value;
    /* heap->marking is never set: marking is not interrupted. */
    UNREACHABLE();
}

/* ---- Facts ---- */

void old_space_statistics(Gc *gc, GcStatistics *statistics)
{
    Chunks *chunks = &space_of(gc)->chunks;
    *statistics = (GcStatistics){
        .free_bytes = chunks->free_bytes,
        .largest_free = chunks_largest(chunks),
        .free_chunks = chunks->count,
        .allocations = chunks->allocations,
    };
}

size_t old_space_self_check(Gc *gc, ChunkReport report, void *context)
{
    return chunks_check(&space_of(gc)->chunks, report, context);
}

/* ---- For collections ---- */

void old_space_read_options(OldSpace *space, const OsvmHost *host)
{
    space->setup = (MarkerSetup){
        .stack_bytes = (size_t)host->option_number(host, "mark-stack"),
        .area_bytes = (size_t)host->option_number(host, "area"),
        .threads = (unsigned)host->option_number(host, "threads"),
    };
}

void old_space_torture(Gc *gc, unsigned flags)
{
    space_of(gc)->torture = flags;
    space_of(gc)->chunks.poison = (flags & GC_POISON) != 0;
}

bool old_space_mark(OldSpace *space, GcResult *result)
{
    Heap *heap = space->gc.heap;
    MarkerSetup setup = space->setup;
    if (space->torture & GC_SMALL_TABLES)
        setup.stack_bytes = setup.area_bytes = 1;
    *result = (GcResult){0};
    space->started = heap->host->now(heap);
    if (!marker_open(&space->marker, heap, setup)) {
        heap->host->log(heap, "no memory for a mark map: nothing is collected");
        result->refused = true;
        return false;
    }
    marker_run(&space->marker);
    if (marker_forwarders(&space->marker))
        marker_remove_forwarders(&space->marker);
    result->mark_time = old_space_lap(space);
    result->live_objects = marker_objects(&space->marker);
    return true;
}

uint64_t old_space_lap(OldSpace *space)
{
    Heap *heap = space->gc.heap;
    uint64_t now = heap->host->now(heap), lap = now - space->started;
    space->started = now;
    return lap;
}

void old_space_begin_sweep(OldSpace *space, Word packed_end)
{
    Heap *heap = space->gc.heap;
    chunks_reset(&space->chunks, heap, heap->old_end);
    chunks_add(&space->chunks, packed_end, heap->old_end);
    space->unlisted_end = 0;
}

/* All whole pages but the first, where the chunk says that it is one. */
static void discard_pages(const Heap *heap, Word start, Word end)
{
    Word page = heap->page_size;
    heap->host->discard((Heap *)heap, (start / page + 1) * page, end / page * page);
}

void old_space_add_gap(OldSpace *space, Word start, Word end)
{
    Heap *heap = space->gc.heap;
    if (end - start >= WORTH_DISCARDING && heap->host->discard && !space->chunks.poison)
        discard_pages(heap, start, end);
    chunks_add(&space->chunks, start, end);
}

void old_space_add_gaps(OldSpace *space, size_t from, size_t end)
{
    const LiveMap *map = &space->marker.map;
    while ((from = live_map_next_clear(map, from, end)) < end) {
        size_t next = live_map_next_set(map, from, end);
        old_space_add_gap(space, live_map_address(map, from), live_map_address(map, next));
        from = next;
    }
}

uint64_t old_space_live_bytes(const OldSpace *space)
{
    const Heap *heap = space->gc.heap;
    return (uint64_t)(heap->old_end - heap->old_start) - space->chunks.free_bytes;
}
