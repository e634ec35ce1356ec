#include "compact.h"

/* How much of the dense prefix may be free: one part in so many. */
enum { PREFIX_WASTE = 64 };

static Compact *compact_of(Gc *gc)
{
    return (Compact *)gc;
}

/* ---- Collection ---- */

static bool open_tables(Compact *compact)
{
    Heap *heap = compact->space.gc.heap;
    Marker *marker = &compact->marker;
    if (!marker_open(marker, heap, compact->setup))
        return false;
    compact->first_block = live_map_granule(&marker->map, heap->old_start) / BLOCK_GRANULES;
    compact->end_block = marker->map.blocks;
    size_t places_bytes = (compact->end_block - compact->first_block) * sizeof(Place);
    compact->table_bytes = places_bytes + compact_regions(compact);
    compact->places = heap->host->side_table_reserve(heap, compact->table_bytes);
    compact->done = (uint8_t *)compact->places + places_bytes;
    if (!compact->places)
        marker_close(marker);
    return compact->places != NULL;
}

static void close_tables(Compact *compact)
{
    Heap *heap = compact->space.gc.heap;
    heap->host->side_table_release(heap, compact->places, compact->table_bytes);
    marker_close(&compact->marker);
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
    if (marker_forwarders(&compact->marker))
        marker_remove_forwarders(&compact->marker);
    uint64_t marked = heap->host->now(heap);
    compact->moved_objects = compact->moved_bytes = 0;
    compact_place(compact);
    compact_slide(compact);
    compact_sweep(compact);
    *result = (GcResult){
        .mark_time = marked - start,
        .compact_time = heap->host->now(heap) - marked,
        .live_objects = marker_objects(&compact->marker),
        .live_bytes = old_space_live_bytes(&compact->space),
        .moved_objects = compact->moved_objects,
        .moved_bytes = compact->moved_bytes,
    };
    close_tables(compact);
}

static const GcOps ops = {
    OLD_SPACE_OPS,
    .moves_objects = true,
    .collect = compact_collect,
};

static bool compact_init(void *state, const OsvmHost *host, OsvmError *error)
{
    (void)error;
    Compact *compact = state;
    compact->host = host;
    compact->prefix_waste = PREFIX_WASTE;
    if (!host)
        return true;
    compact->setup = (MarkerSetup){
        .stack_bytes = (size_t)host->option_number(host, "mark-stack"),
        .threads = (unsigned)host->option_number(host, "threads"),
    };
    compact->forced = host->option_flag(host, "all");
    return true;
}

static const OsvmOption options[] = {
    {.name = "mark-stack", .kind = OSVM_SIZE, .value = "0", .choices = "BYTES", .max = INT64_MAX,
     .help = "size of the mark stack; 0: by the size of the heap"},
    {.name = "threads", .kind = OSVM_NUMBER, .value = "0", .max = TEAM_MOST,
     .help = "threads that collect; 0: by the machine and the size of the heap"},
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
