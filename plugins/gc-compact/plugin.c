#include "compact.h"

/* How much of the dense prefix may be free: one part in so many. */
enum { PREFIX_WASTE = 64 };

static Compact *compact_of(Gc *gc)
{
    return (Compact *)gc;
}

/* ---- Free memory ---- */

/* Puts the free chunks of an adopted image on the lists. */
static void list_adopted(Compact *compact)
{
    Word limit = compact->unlisted_end;
    if (!limit)
        return;
    compact->unlisted_end = 0;
    Oop next = object_at_start(compact->gc.heap->old_start);
    while (next < limit) {
        Oop object = next;
        next = heap_next_object(object, limit);
        if (object_class_index(object) == CLASS_FREE)
            chunks_add(&compact->chunks, object_start(object), object_end(object));
    }
}

static bool compact_start(Gc *gc, char *error, size_t error_size)
{
    Compact *compact = compact_of(gc);
    if ((gc->heap->new_start | gc->heap->old_start) % BLOCK_BYTES) {
        snprintf(error, error_size,
                 "gc-compact needs new and old space to begin at multiples of %d bytes, not at 0x%"
                 PRIxWORD " and 0x%" PRIxWORD, BLOCK_BYTES, gc->heap->new_start,
                 gc->heap->old_start);
        return false;
    }
    chunks_reset(&compact->chunks, gc->heap, gc->heap->old_end);
    chunks_add(&compact->chunks, gc->heap->old_start, gc->heap->old_end);
    return true;
}

static void compact_stop(Gc *gc)
{
    compact_of(gc)->unlisted_end = 0;
}

static void compact_adopt(Gc *gc, Word used_end)
{
    Compact *compact = compact_of(gc);
    chunks_reset(&compact->chunks, gc->heap, gc->heap->old_end);
    chunks_add(&compact->chunks, used_end, gc->heap->old_end);
    compact->unlisted_end = used_end;
}

static void compact_extended(Gc *gc, Word from)
{
    chunks_extend(&compact_of(gc)->chunks, from, gc->heap->old_end);
}

static Word compact_trim(Gc *gc, Word keep)
{
    return chunks_trim(&compact_of(gc)->chunks, keep);
}

static Word compact_allocate(Gc *gc, Word bytes)
{
    Compact *compact = compact_of(gc);
    Word start = chunks_allocate(&compact->chunks, bytes);
    if (__builtin_expect(!start && compact->unlisted_end, 0)) {
        list_adopted(compact);
        start = chunks_allocate(&compact->chunks, bytes);
    }
    return start;
}

static bool compact_take_buffer(Gc *gc, Word least, Word wanted, Word *start, Word *end)
{
    Compact *compact = compact_of(gc);
    if (chunks_take(&compact->chunks, least, wanted, start, end))
        return true;
    list_adopted(compact);
    return chunks_take(&compact->chunks, least, wanted, start, end);
}

static void compact_return_buffer(Gc *gc, Word start, Word end)
{
    chunks_add(&compact_of(gc)->chunks, start, end);
}

static void compact_free(Gc *gc, Oop object)
{
    Compact *compact = compact_of(gc);
    /* Below the mark the walk that lists an image's chunks will find it. */
    if (object < compact->unlisted_end)
        free_chunk_write(object_start(object), object_end(object));
    else
        chunks_add(&compact->chunks, object_start(object), object_end(object));
}

static void compact_make_walkable(Gc *gc)
{
    list_adopted(compact_of(gc));
}

/* ---- Collection ---- */

static bool open_tables(Compact *compact)
{
    Heap *heap = compact->gc.heap;
    Marker *marker = &compact->marker;
    if (!marker_open(marker, heap, compact->stack_bytes))
        return false;
    compact->first_block = live_map_granule(&marker->map, heap->old_start) / BLOCK_GRANULES;
    compact->end_block = marker->map.blocks;
    compact->places_bytes = (compact->end_block - compact->first_block) * sizeof(Place);
    compact->places = heap->host->side_table_reserve(heap, compact->places_bytes);
    if (!compact->places)
        marker_close(marker);
    return compact->places != NULL;
}

static void close_tables(Compact *compact)
{
    Heap *heap = compact->gc.heap;
    heap->host->side_table_release(heap, compact->places, compact->places_bytes);
    marker_close(&compact->marker);
}

static uint64_t live_old_bytes(const Compact *compact)
{
    const Heap *heap = compact->gc.heap;
    return (uint64_t)(heap->old_end - heap->old_start) - compact->chunks.free_bytes;
}

static void compact_collect(Gc *gc, GcResult *result)
{
    Compact *compact = compact_of(gc);
    Heap *heap = gc->heap;
    *result = (GcResult){0};
    if (!open_tables(compact)) {
        heap->host->log(heap, "gc-compact: no memory for the mark map: nothing is collected");
        return;
    }
    uint64_t start = heap->host->now(heap);
    marker_run(&compact->marker);
    if (compact->marker.forwarders)
        marker_remove_forwarders(&compact->marker);
    uint64_t marked = heap->host->now(heap);
    compact->moved_objects = compact->moved_bytes = 0;
    compact_place(compact);
    compact_slide(compact);
    compact_sweep(compact);
    compact->unlisted_end = 0;
    *result = (GcResult){
        .mark_time = marked - start,
        .compact_time = heap->host->now(heap) - marked,
        .live_objects = compact->marker.objects,
        .live_bytes = live_old_bytes(compact),
        .moved_objects = compact->moved_objects,
        .moved_bytes = compact->moved_bytes,
    };
    close_tables(compact);
}

static void compact_barrier(Gc *gc, Oop object, Oop value)
{
    (void)gc, (void)object, (void)value;
    /* heap->marking is never set: marking is not interrupted. */
    UNREACHABLE();
}

/* ---- Facts ---- */

static void compact_statistics(Gc *gc, GcStatistics *statistics)
{
    Chunks *chunks = &compact_of(gc)->chunks;
    *statistics = (GcStatistics){
        .free_bytes = chunks->free_bytes,
        .largest_free = chunks_largest(chunks),
        .free_chunks = chunks->count,
        .allocations = chunks->allocations,
    };
}

static size_t compact_self_check(Gc *gc, ChunkReport report, void *context)
{
    return chunks_check(&compact_of(gc)->chunks, report, context);
}

static const GcOps ops = {
    .size = sizeof(GcOps),
    .moves_objects = true,
    .start = compact_start,
    .stop = compact_stop,
    .adopt = compact_adopt,
    .extended = compact_extended,
    .trim = compact_trim,
    .allocate = compact_allocate,
    .take_buffer = compact_take_buffer,
    .return_buffer = compact_return_buffer,
    .free = compact_free,
    .collect = compact_collect,
    .barrier = compact_barrier,
    .make_walkable = compact_make_walkable,
    .statistics = compact_statistics,
    .self_check = compact_self_check,
};

static bool compact_init(void *state, const OsvmHost *host, OsvmError *error)
{
    (void)error;
    Compact *compact = state;
    compact->host = host;
    compact->prefix_waste = PREFIX_WASTE;
    if (!host)
        return true;
    compact->stack_bytes = (size_t)host->option_number(host, "mark-stack");
    compact->forced = host->option_flag(host, "all");
    return true;
}

static const OsvmOption options[] = {
    {.name = "mark-stack", .kind = OSVM_SIZE, .value = "0", .choices = "BYTES", .max = INT64_MAX,
     .help = "size of the mark stack; 0: by the size of the heap"},
    {.name = "all", .kind = OSVM_FLAG, .value = "no",
     .help = "move everything that can move, also where little is won"},
    {0},
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_GC, WORD_BITS),
    .name = "compact",
    .version = OSVM_VERSION,
    .summary = "mark and sliding compaction: keeps order, leaves pinned objects in place",
    .licence = "MIT",
    .vtable_abi = OSVM_GC_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(Compact),
    .state_version = 1,
    .options = options,
    .init = compact_init,
};
