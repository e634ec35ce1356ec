/* The collector's vtable: what old_space.c has, with sweeping before it where that is due. */
#include "osvm/plugin.h"
#include "sweep.h"

static Sweep *sweep_of(Gc *gc)
{
    return (Sweep *)gc;
}

/* ---- Collection ---- */

static void collect(Gc *gc, GcResult *result)
{
    Sweep *sweep = sweep_of(gc);
    sweep_drop(sweep);
    if (!old_space_mark(&sweep->space, result))
        return;
    marker_close_stacks(&sweep->space.marker);
    sweep_begin(sweep);
    if (!sweep->lazy)
        sweep_finish(sweep);
    result->sweep_time = old_space_lap(&sweep->space);
    result->live_bytes = old_space_live_bytes(&sweep->space) - sweep->unswept_bytes;
}

/* ---- What meets memory that is not swept yet ---- */

static Word allocate(Gc *gc, Word bytes)
{
    Sweep *sweep = sweep_of(gc);
    Chunks *chunks = &sweep->space.chunks;
    Word start = chunks_carve(chunks, &chunks->run, chunks->run_end, bytes);
    if (__builtin_expect(start != 0, 1))
        return start;
    sweep_some(sweep); /* before the tail is used */
    while (!(start = old_space_allocate(gc, bytes)) && sweep_some(sweep))
        ;
    return start;
}

static bool take_buffer(Gc *gc, Word least, Word wanted, Word *start, Word *end)
{
    Sweep *sweep = sweep_of(gc);
    sweep_some(sweep);
    bool taken;
    while (!(taken = old_space_take_buffer(gc, least, wanted, start, end)) && sweep_some(sweep))
        ;
    return taken;
}

static void free_object(Gc *gc, Oop object)
{
    Sweep *sweep = sweep_of(gc);
    if (sweep_is_ahead(sweep, object))
        sweep_free_ahead(sweep, object);
    else
        old_space_free(gc, object);
}

static void make_walkable(Gc *gc)
{
    sweep_finish(sweep_of(gc));
    old_space_make_walkable(gc);
}

static Word trim(Gc *gc, Word keep)
{
    Word ahead = sweep_of(gc)->unswept_bytes;
    return old_space_trim(gc, keep > ahead ? keep - ahead : 0);
}

static void statistics(Gc *gc, GcStatistics *statistics)
{
    old_space_statistics(gc, statistics);
    statistics->free_bytes += sweep_of(gc)->unswept_bytes;
}

static void adopt(Gc *gc, Word used_end)
{
    sweep_drop(sweep_of(gc));
    old_space_adopt(gc, used_end);
}

static void stop(Gc *gc)
{
    sweep_drop(sweep_of(gc));
    old_space_stop(gc);
}

static const GcOps ops = {
    .size = sizeof(GcOps),
    .moves_objects = false,
    .start = old_space_start,
    .stop = stop,
    .adopt = adopt,
    .extended = old_space_extended,
    .trim = trim,
    .allocate = allocate,
    .take_buffer = take_buffer,
    .return_buffer = old_space_return_buffer,
    .free = free_object,
    .collect = collect,
    .barrier = old_space_barrier,
    .make_walkable = make_walkable,
    .statistics = statistics,
    .self_check = old_space_self_check,
    .torture = old_space_torture,
};

static bool sweep_init(void *state, const OsvmHost *host, OsvmError *error)
{
    (void)error;
    Sweep *sweep = state;
    old_space_read_options(&sweep->space, host);
    sweep->lazy = host->option_flag(host, "lazy");
    return true;
}

static const OsvmOption options[] = {
    OLD_SPACE_OPTIONS,
    {.name = "lazy", .kind = OSVM_FLAG, .value = "no",
     .help = "sweep when memory is needed, not in the pause"},
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
