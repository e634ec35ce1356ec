#include "shim.h"

enum { POISON = 0xDB };

static Shim *shim_of(Gc *gc)
{
    return (Shim *)gc;
}

static Gc *inner_of(Gc *gc)
{
    return gc->inner;
}

/* ---- Memory in use ---- */

bool shim_is_used(const Shim *shim, Word address)
{
    size_t granule = (size_t)(address - shim->gc.heap->old_start) / OBJECT_ALIGNMENT;
    return shim->used[granule / 64] >> granule % 64 & 1;
}

void shim_set_used(Shim *shim, Word start, Word end, bool used)
{
    Word old_start = shim->gc.heap->old_start;
    size_t limit = (size_t)(end - old_start) / OBJECT_ALIGNMENT;
    for (size_t granule = (size_t)(start - old_start) / OBJECT_ALIGNMENT; granule < limit; granule++)
        if (used)
            shim->used[granule / 64] |= (uint64_t)1 << granule % 64;
        else
            shim->used[granule / 64] &= ~((uint64_t)1 << granule % 64);
}

static size_t used_bytes(const Shim *shim)
{
    return ((size_t)(shim->used_limit - shim->gc.heap->old_start) / OBJECT_ALIGNMENT + 63) / 64 * 8;
}

static void check_inside(const Shim *shim, const char *what, Word start, Word end)
{
    const Heap *heap = shim->gc.heap;
    REQUIRE(start % OBJECT_ALIGNMENT == 0 && end % OBJECT_ALIGNMENT == 0 && start <= end &&
            start >= heap->old_start && end <= heap->old_end,
            "%s [0x%" PRIxWORD ", 0x%" PRIxWORD "): not in old space [0x%" PRIxWORD ", 0x%" PRIxWORD
            "), or not aligned (S1, S2)", what, start, end, heap->old_start, heap->old_end);
}

/* The collector hands out [start, end). */
static void hand_out(Shim *shim, const char *what, Word start, Word end)
{
    check_inside(shim, what, start, end);
    for (Word at = start; at < end; at += OBJECT_ALIGNMENT)
        REQUIRE(!shim_is_used(shim, at), "%s [0x%" PRIxWORD ", 0x%" PRIxWORD "): 0x%" PRIxWORD
                " is in use already (S2)", what, start, end, at);
    shim_set_used(shim, start, end, true);
    memset(word_pointer(start), POISON, end - start);
}

static void check_handed_out(Shim *shim, const char *what, Word start, Word end)
{
    check_inside(shim, what, start, end);
    for (Word at = start; at < end; at += OBJECT_ALIGNMENT)
        REQUIRE(shim_is_used(shim, at), "%s [0x%" PRIxWORD ", 0x%" PRIxWORD "): 0x%" PRIxWORD
                " is not in use (S3)", what, start, end, at);
}

static void check_ready(const Shim *shim, const char *what)
{
    REQUIRE(shim->started, "%s before start or after stop (S1)", what);
    REQUIRE(!shim->collecting, "%s during a collection (S1)", what);
    REQUIRE(shim->known_end == shim->gc.heap->old_end, "%s: old space ends at 0x%" PRIxWORD
            ", but the collector was told 0x%" PRIxWORD " (S1)", what, shim->gc.heap->old_end,
            shim->known_end);
}

/* ---- Life ---- */

static bool shim_start(Gc *gc, char *error, size_t error_size)
{
    Shim *shim = shim_of(gc);
    const Heap *heap = gc->heap;
    REQUIRE(gc->inner, "the shim was given no collector to stand before (S1)");
    REQUIRE(!shim->started, "start twice (S1)");
    shim->ops = *gc->ops;
    shim->ops.moves_objects = gc->inner->ops->moves_objects;
    gc->ops = &shim->ops;
    shim->used_limit = heap->old_limit;
    shim->used = heap->host->side_table_reserve(gc->heap, used_bytes(shim));
    if (!shim->used) {
        snprintf(error, error_size, "no memory for the map of used memory");
        return false;
    }
    shim->started = gc->inner->ops->start(gc->inner, error, error_size);
    shim->known_end = heap->old_end;
    return shim->started;
}

static void shim_stop(Gc *gc)
{
    Shim *shim = shim_of(gc);
    gc->inner->ops->stop(gc->inner);
    if (shim->used)
        gc->heap->host->side_table_release(gc->heap, shim->used, used_bytes(shim));
    shim->used = NULL;
    shim->started = false;
}

static void shim_adopt(Gc *gc, Word used_end)
{
    Shim *shim = shim_of(gc);
    Word rest = gc->heap->old_end - used_end;
    check_inside(shim, "an image", gc->heap->old_start, used_end);
    REQUIRE(rest == 0 || rest >= SMALLEST_OBJECT, "an image that ends at 0x%" PRIxWORD ", %" PRIuWORD
            " bytes before old space does (S1)", used_end, rest);
    inner_of(gc)->ops->adopt(gc->inner, used_end);
    shim->known_end = gc->heap->old_end;
    shim_verify_heap(shim, true);
}

static void shim_extended(Gc *gc, Word from)
{
    Shim *shim = shim_of(gc);
    REQUIRE(from == shim->known_end && from < gc->heap->old_end &&
            from % gc->heap->page_size == 0 && gc->heap->old_end <= shim->used_limit,
            "old space was extended from 0x%" PRIxWORD " to 0x%" PRIxWORD "; it ended at 0x%" PRIxWORD
            ", its limit is 0x%" PRIxWORD " (S1)", from, gc->heap->old_end, shim->known_end,
            shim->used_limit);
    shim->known_end = gc->heap->old_end;
    inner_of(gc)->ops->extended(gc->inner, from);
}

static Word shim_trim(Gc *gc, Word keep)
{
    Shim *shim = shim_of(gc);
    check_ready(shim, "trim");
    Word end = inner_of(gc)->ops->trim(gc->inner, keep);
    REQUIRE(end % gc->heap->page_size == 0 && end <= gc->heap->old_end && end > gc->heap->old_start,
            "trim answers 0x%" PRIxWORD ": no page, or not in old space (S1)", end);
    for (Word at = end; at < gc->heap->old_end; at += OBJECT_ALIGNMENT)
        REQUIRE(!shim_is_used(shim, at), "trim gives up 0x%" PRIxWORD ", which is in use (S2)", at);
    shim->known_end = end;
    return end;
}

/* ---- Allocation ---- */

static Word shim_allocate(Gc *gc, Word bytes)
{
    check_ready(shim_of(gc), "allocate");
    REQUIRE(bytes >= SMALLEST_OBJECT && bytes % OBJECT_ALIGNMENT == 0,
            "allocation of %" PRIuWORD " bytes (S1)", bytes);
    Word start = inner_of(gc)->ops->allocate(gc->inner, bytes);
    if (start)
        hand_out(shim_of(gc), "allocated memory", start, start + bytes);
    return start;
}

static bool shim_take_buffer(Gc *gc, Word least, Word wanted, Word *start, Word *end)
{
    check_ready(shim_of(gc), "take_buffer");
    REQUIRE(least >= SMALLEST_OBJECT && least % OBJECT_ALIGNMENT == 0,
            "a buffer of %" PRIuWORD " to %" PRIuWORD " bytes (S1)", least, wanted);
    if (!inner_of(gc)->ops->take_buffer(gc->inner, least, wanted, start, end))
        return false;
    hand_out(shim_of(gc), "a buffer", *start, *end);
    REQUIRE(*end - *start >= least, "a buffer of %" PRIuWORD " bytes for %" PRIuWORD " (S2)",
            *end - *start, least);
    return true;
}

static void shim_return_buffer(Gc *gc, Word start, Word end)
{
    Shim *shim = shim_of(gc);
    check_ready(shim, "return_buffer");
    REQUIRE(start == end || end - start >= SMALLEST_OBJECT, "%" PRIuWORD " bytes returned (S1)",
            end - start);
    check_handed_out(shim, "a buffer's rest", start, end);
    shim_set_used(shim, start, end, false);
    memset(word_pointer(start), POISON, end - start);
    inner_of(gc)->ops->return_buffer(gc->inner, start, end);
}

static void shim_free(Gc *gc, Oop object)
{
    Shim *shim = shim_of(gc);
    check_ready(shim, "free");
    check_inside(shim, "a freed object", object, object);
    REQUIRE(object_class_index(object) != CLASS_FREE, "0x%" PRIxWORD " is freed twice (S3)", object);
    check_handed_out(shim, "a freed object", object_start(object), object_end(object));
    shim_set_used(shim, object_start(object), object_end(object), false);
    memset(object_bytes(object), POISON, object_end(object) - object - HEADER_BYTES);
    inner_of(gc)->ops->free(gc->inner, object);
}

/* ---- Collection ---- */

static void shim_collect(Gc *gc, GcResult *result)
{
    Shim *shim = shim_of(gc);
    check_ready(shim, "collect");
    inner_of(gc)->ops->make_walkable(gc->inner);
    shim_verify_heap(shim, true);
    Word mourners = shim_count_mourners(shim);
    Digest before = shim_digest(shim, mourners);
    shim->collecting = true;
    inner_of(gc)->ops->collect(gc->inner, result);
    shim->collecting = false;
    inner_of(gc)->ops->make_walkable(gc->inner);
    shim_verify_heap(shim, result->refused);
    Digest after = shim_digest(shim, mourners);
    REQUIRE(before == after, "the collection changed the graph: digest 0x%" PRIx64 " before, 0x%"
            PRIx64 " after (S6)", before, after);
}

static void shim_barrier(Gc *gc, Oop object, Oop value)
{
    REQUIRE(gc->heap->marking, "the barrier is called for a store into 0x%" PRIxWORD
            " while nothing is marking (S1)", object);
    REQUIRE(heap_is_old(gc->heap, object) && is_object(value), "the barrier is called for a store of "
            "0x%" PRIxWORD " into 0x%" PRIxWORD " (S1)", value, object);
    inner_of(gc)->ops->barrier(gc->inner, object, value);
}

static void shim_make_walkable(Gc *gc)
{
    inner_of(gc)->ops->make_walkable(gc->inner);
}

static void shim_statistics(Gc *gc, GcStatistics *statistics)
{
    inner_of(gc)->ops->statistics(gc->inner, statistics);
    REQUIRE(statistics->largest_free <= statistics->free_bytes &&
            statistics->free_bytes <= gc->heap->old_end - gc->heap->old_start,
            "statistics: %" PRIuWORD " free bytes, largest %" PRIuWORD " (S1)",
            statistics->free_bytes, statistics->largest_free);
}

static size_t shim_self_check(Gc *gc, void (*report)(void *, const char *), void *context)
{
    return gc_self_check(gc->inner, report, context);
}

static void shim_torture(Gc *gc, unsigned flags)
{
    if (inner_of(gc)->ops->torture)
        inner_of(gc)->ops->torture(gc->inner, flags);
}

static const GcOps ops = {
    .size = sizeof(GcOps),
    .moves_objects = true, /* until start copies the inner collector's facts */
    .start = shim_start,
    .stop = shim_stop,
    .adopt = shim_adopt,
    .extended = shim_extended,
    .trim = shim_trim,
    .allocate = shim_allocate,
    .take_buffer = shim_take_buffer,
    .return_buffer = shim_return_buffer,
    .free = shim_free,
    .collect = shim_collect,
    .barrier = shim_barrier,
    .make_walkable = shim_make_walkable,
    .statistics = shim_statistics,
    .self_check = shim_self_check,
    .torture = shim_torture,
};

static bool shim_init(void *state, const OsvmHost *host, OsvmError *error)
{
    (void)error;
    ((Shim *)state)->host = host;
    return true;
}

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_GC, WORD_BITS),
    .name = "shim",
    .version = OSVM_VERSION,
    .summary = "verifies the collector behind it",
    .licence = "MIT",
    .flags = OSVM_SHIM,
    .vtable_abi = OSVM_GC_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(Shim),
    .state_version = 1,
    .init = shim_init,
};
