#include "sweep.h"

enum { STRETCH = (256 << 10) >> GRANULE_SHIFT }; /* swept at a time, in granules */

/* One past the last live granule before `end`, and not before `start`. */
static size_t last_live_end(const LiveMap *map, size_t start, size_t end)
{
    size_t word = (end + 63) >> 6;
    while (word > start >> 6 && !map->bits[word - 1])
        word--;
    if (word <= start >> 6)
        return start;
    return (word << 6) - (size_t)__builtin_clzll(map->bits[word - 1]);
}

static Word live_bytes(const LiveMap *map, size_t start, size_t end)
{
    Word granules = 0;
    for (size_t word = start >> 6; word < (end + 63) >> 6; word++)
        granules += live_map_count(map, map->bits[word]);
    return granules << GRANULE_SHIFT;
}

void sweep_begin(Sweep *sweep)
{
    const Heap *heap = sweep->space.gc.heap;
    const LiveMap *map = &sweep->space.marker.map;
    /* Old space begins with a block, so no map word holds both. */
    sweep->swept = live_map_granule(map, heap->old_start);
    sweep->end = last_live_end(map, sweep->swept, live_map_granule(map, heap->old_end));
    sweep->unswept_bytes = ((Word)(sweep->end - sweep->swept) << GRANULE_SHIFT) -
                           live_bytes(map, sweep->swept, sweep->end);
    sweep->open = true;
    old_space_begin_sweep(&sweep->space, live_map_address(map, sweep->end));
}

void sweep_drop(Sweep *sweep)
{
    if (sweep->open)
        live_map_close(&sweep->space.marker.map, sweep->space.gc.heap);
    sweep->open = false;
    sweep->unswept_bytes = 0;
}

bool sweep_some(Sweep *sweep)
{
    if (!sweep->open)
        return false;
    const LiveMap *map = &sweep->space.marker.map;
    size_t stop = sweep->end - sweep->swept > STRETCH ? sweep->swept + STRETCH : sweep->end;
    stop = live_map_next_set(map, stop, sweep->end); /* a gap is swept whole */
    Word before = sweep->space.chunks.free_bytes;
    old_space_add_gaps(&sweep->space, sweep->swept, stop);
    sweep->unswept_bytes -= sweep->space.chunks.free_bytes - before;
    sweep->swept = stop;
    if (stop == sweep->end)
        sweep_drop(sweep);
    return true;
}

void sweep_finish(Sweep *sweep)
{
    while (sweep_some(sweep))
        ;
}

bool sweep_is_ahead(const Sweep *sweep, Oop object)
{
    if (!sweep->open)
        return false;
    size_t granule = live_map_granule(&sweep->space.marker.map, object_start(object));
    return granule >= sweep->swept && granule < sweep->end;
}

void sweep_free_ahead(Sweep *sweep, Oop object)
{
    LiveMap *map = &sweep->space.marker.map;
    Word start = object_start(object), end = object_end(object);
    for (size_t i = live_map_granule(map, start); i < live_map_granule(map, end); i++)
        map->bits[i >> 6] &= ~((uint64_t)1 << (i & 63));
    sweep->unswept_bytes += end - start;
    free_chunk_write(start, end);
}
