/* gc-sweep: marks, then makes each run of memory that is not live one free chunk.
 * Objects never move; neighbouring dead objects and chunks coalesce by themselves,
 * because chunks are found anew from the gaps of the live map. */
#include "osvm/plugin.h"
#include "plugins/gc/old_space.h"

typedef struct {
    OldSpace space; /* first */
    MarkerSetup setup;
    Marker marker;      /* during a collection */
} Sweep;

static void sweep(Sweep *collector)
{
    const LiveMap *map = &collector->marker.map;
    Heap *heap = collector->space.gc.heap;
    size_t limit = live_map_granule(map, heap->old_end);
    size_t granule = live_map_granule(map, heap->old_start);
    old_space_begin_sweep(&collector->space, heap->old_end);
    while ((granule = live_map_next_clear(map, granule, limit)) < limit) {
        size_t next = live_map_next_set(map, granule, limit);
        chunks_add(&collector->space.chunks, live_map_address(map, granule),
                   live_map_address(map, next));
        granule = next;
    }
}

static void sweep_collect(Gc *gc, GcResult *result)
{
    Sweep *collector = (Sweep *)gc;
    Heap *heap = gc->heap;
    *result = (GcResult){0};
    if (!marker_open(&collector->marker, heap, collector->setup)) {
        heap->host->log(heap, "gc-sweep: no memory for the mark map: nothing is collected");
        return;
    }
    uint64_t start = heap->host->now(heap);
    marker_run(&collector->marker);
    if (marker_forwarders(&collector->marker))
        marker_remove_forwarders(&collector->marker);
    uint64_t marked = heap->host->now(heap);
    sweep(collector);
    *result = (GcResult){
        .mark_time = marked - start,
        .sweep_time = heap->host->now(heap) - marked,
        .live_objects = marker_objects(&collector->marker),
        .live_bytes = old_space_live_bytes(&collector->space),
    };
    marker_close(&collector->marker);
}

static const GcOps ops = {
    OLD_SPACE_OPS,
    .moves_objects = false,
    .collect = sweep_collect,
};

static bool sweep_init(void *state, const OsvmHost *host, OsvmError *error)
{
    (void)error;
    ((Sweep *)state)->setup = (MarkerSetup){
        .stack_bytes = (size_t)host->option_number(host, "mark-stack"),
        .threads = (unsigned)host->option_number(host, "threads"),
    };
    return true;
}

static const OsvmOption options[] = {
    {.name = "mark-stack", .kind = OSVM_SIZE, .value = "0", .choices = "BYTES", .max = INT64_MAX,
     .help = "size of the mark stack; 0: by the size of the heap"},
    {.name = "threads", .kind = OSVM_NUMBER, .value = "0", .max = TEAM_MOST,
     .help = "threads that collect; 0: by the machine and the size of the heap"},
    {0},
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_GC, WORD_BITS),
    .name = "sweep",
    .version = OSVM_VERSION,
    .summary = "mark and sweep: nothing moves",
    .licence = "MIT",
    .vtable_abi = OSVM_GC_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(Sweep),
    .state_version = 1,
    .options = options,
    .init = sweep_init,
};
