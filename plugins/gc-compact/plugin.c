#include "compact.h"

/* How much of the dense prefix may be free: one part in so many. */
enum { PREFIX_WASTE = 64 };

static Compact *compact_of(Gc *gc)
{
    return (Compact *)gc;
}

/* ---- Collection ---- */

/* Where blocks go, and whether they are there. */
static bool open_places(Compact *compact)
{
    Heap *heap = compact->space.gc.heap;
    compact->first_block = (heap->old_start - heap->new_start) / BLOCK_BYTES;
    compact->end_block = (heap->old_end - heap->new_start + BLOCK_BYTES - 1) / BLOCK_BYTES;
    size_t places_bytes = (compact->end_block - compact->first_block) * sizeof(Place);
    compact->table_bytes = places_bytes + compact_regions(compact);
    compact->places = heap->host->side_table_reserve(heap, compact->table_bytes);
    compact->done = (uint8_t *)compact->places + places_bytes;
    return compact->places != NULL;
}

static void close_places(Compact *compact)
{
    Heap *heap = compact->space.gc.heap;
    heap->host->side_table_release(heap, compact->places, compact->table_bytes);
}

static void reclaim(Compact *compact, GcResult *result)
{
    compact->moved_objects = compact->moved_bytes = 0;
    compact_place(compact);
    compact_slide(compact);
    compact_sweep(compact);
    result->compact_time = old_space_lap(&compact->space);
    result->live_bytes = old_space_live_bytes(&compact->space);
    result->moved_objects = compact->moved_objects;
    result->moved_bytes = compact->moved_bytes;
    marker_close(&compact->space.marker);
}

static void compact_collect(Gc *gc, GcResult *result)
{
    Compact *compact = compact_of(gc);
    if (!open_places(compact)) {
        *result = (GcResult){.refused = true};
        return;
    }
    if (old_space_mark(&compact->space, result))
        reclaim(compact, result);
    close_places(compact);
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
    compact->prefix_waste = PREFIX_WASTE;
    if (!host)
        return true;
    old_space_read_options(&compact->space, host);
    compact->forced = host->option_flag(host, "all");
    return true;
}

static const OsvmOption options[] = {
    OLD_SPACE_OPTIONS,
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
