/* Statistics, and the VM parameters (primitive 254) that are the manager's. */
#include "spur.h"

enum {
    PARAMETER_OLD_BYTES = 1,
    PARAMETER_NEW_BYTES = 2,
    PARAMETER_HEAP_BYTES = 3,
    PARAMETER_TENURING = 6, /* bytes of survivors that are tenured next time */
    PARAMETER_FULL_COUNT = 7,
    PARAMETER_FULL_TIME = 8, /* milliseconds, as all times here */
    PARAMETER_SCAVENGE_COUNT = 9,
    PARAMETER_SCAVENGE_TIME = 10,
    PARAMETER_TENURED = 11,
    PARAMETER_COMPACT_TIME = 18,
    PARAMETER_EDEN_NOW = 19,
    PARAMETER_REMEMBERED = 21,
    PARAMETER_REMEMBERED_OVERFLOWS = 22,
    PARAMETER_SHRINK_THRESHOLD = 24,
    PARAMETER_GROW_HEADROOM = 25,
    PARAMETER_GROWN = 31,
    PARAMETER_SHRUNK = 32,
    PARAMETER_ALLOCATED = 34,
    PARAMETER_SURVIVORS = 35,
    PARAMETER_EDEN_BYTES = 44,
    PARAMETER_REMEMBERED_CAPACITY = 52,
    PARAMETER_SEGMENTS = 53,
    PARAMETER_OLD_FREE = 54,
    PARAMETER_MAX_OLD = 67,
    PARAMETER_MARK_TIME = 72,
    PARAMETER_SWEEP_TIME = 73,
};

void parameters_statistics(Mm *mm, MmStatistics *statistics)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    GcStatistics gc;
    heap->gc->ops->statistics(heap->gc, &gc);
    space_sync_eden(m);
    *statistics = m->stats;
    statistics->allocated_bytes += area_used(&m->areas[EDEN]);
    statistics->eden_bytes = m->config.eden_bytes;
    statistics->new_bytes = heap->new_end - heap->new_start;
    statistics->old_bytes = heap->old_end - heap->old_start;
    statistics->old_free = gc.free_bytes;
    statistics->old_largest_free = gc.largest_free;
    statistics->remembered_count = (Word)heap->remembered_count;
    statistics->remembered_capacity = (Word)heap->remembered_capacity;
}

static bool get_of_statistics(MmSpur *m, const MmStatistics *s, unsigned number, uint64_t *value)
{
    switch (number) {
    case PARAMETER_OLD_BYTES: *value = s->old_bytes; return true;
    case PARAMETER_NEW_BYTES: *value = s->new_bytes; return true;
    case PARAMETER_HEAP_BYTES: *value = (uint64_t)s->old_bytes + s->new_bytes; return true;
    case PARAMETER_FULL_COUNT: *value = s->full_collections; return true;
    case PARAMETER_FULL_TIME: *value = s->full_collection_time / 1000; return true;
    case PARAMETER_SCAVENGE_COUNT: *value = s->scavenges; return true;
    case PARAMETER_SCAVENGE_TIME: *value = s->scavenge_time / 1000; return true;
    case PARAMETER_TENURED: *value = s->tenured_objects; return true;
    case PARAMETER_COMPACT_TIME: *value = s->compact_time / 1000; return true;
    case PARAMETER_EDEN_NOW:
    case PARAMETER_EDEN_BYTES: *value = s->eden_bytes; return true;
    case PARAMETER_REMEMBERED: *value = s->remembered_count; return true;
    case PARAMETER_REMEMBERED_OVERFLOWS: *value = 0; return true;
    case PARAMETER_GROWN: *value = s->grown; return true;
    case PARAMETER_SHRUNK: *value = s->shrunk; return true;
    case PARAMETER_ALLOCATED: *value = s->allocated_bytes - m->allocated_base; return true;
    case PARAMETER_SURVIVORS: *value = s->survived_bytes; return true;
    case PARAMETER_REMEMBERED_CAPACITY: *value = s->remembered_capacity; return true;
    case PARAMETER_SEGMENTS: *value = 1; return true;
    case PARAMETER_OLD_FREE: *value = s->old_free; return true;
    case PARAMETER_MARK_TIME: *value = s->mark_time / 1000; return true;
    case PARAMETER_SWEEP_TIME: *value = s->sweep_time / 1000; return true;
    default: return false;
    }
}

static Word tenuring_bytes(const MmSpur *m)
{
    Word start = m->areas[m->to ^ 1].start;
    return m->tenure_limit > start ? m->tenure_limit - start : 0;
}

bool parameters_get(Mm *mm, unsigned number, int64_t *value)
{
    MmSpur *m = mm_spur(mm);
    MmStatistics statistics;
    uint64_t found;
    switch (number) {
    case PARAMETER_TENURING: *value = (int64_t)tenuring_bytes(m); return true;
    case PARAMETER_SHRINK_THRESHOLD: *value = (int64_t)m->config.shrink_threshold; return true;
    case PARAMETER_GROW_HEADROOM: *value = (int64_t)m->config.grow_headroom; return true;
    case PARAMETER_MAX_OLD: *value = (int64_t)m->config.max_heap; return true;
    default: break;
    }
    parameters_statistics(mm, &statistics);
    if (!get_of_statistics(m, &statistics, number, &found))
        return false;
    *value = (int64_t)found;
    return true;
}

static bool set_word(Word *target, int64_t value, int64_t least)
{
    if (value < least || (uint64_t)value > ~(Word)0 / 4)
        return false;
    *target = (Word)value;
    return true;
}

/* How much of the survivors the next scavenge tenures: bytes, from the oldest. */
static bool set_tenuring(MmSpur *m, int64_t value)
{
    const Area *past = &m->areas[m->to ^ 1];
    if (value < 0)
        return false;
    Word used = area_used(past), bytes = (uint64_t)value < used ? (Word)value : used;
    m->tenure_limit = past->start + bytes;
    return true;
}

static bool set_tenured(MmSpur *m, int64_t value)
{
    if (value < 0)
        return false;
    m->stats.tenured_objects = (uint64_t)value;
    return true;
}

static bool set_max_old(MmSpur *m, int64_t value)
{
    Heap *heap = m->mm.heap;
    Word room = m->config.region_end - heap->old_start;
    if (value < 0)
        return false;
    Word most = value && (uint64_t)value < room ? (Word)value : room;
    if (heap->old_start + most < heap->old_end)
        return false;
    m->config.max_heap = (Word)(value ? most : 0);
    heap->old_limit = heap->old_start + most / heap->page_size * heap->page_size;
    return true;
}

static bool set_allocated(MmSpur *m, int64_t value)
{
    MmStatistics statistics;
    parameters_statistics(&m->mm, &statistics);
    m->allocated_base = statistics.allocated_bytes - (uint64_t)value;
    return true;
}

bool parameters_set(Mm *mm, unsigned number, int64_t value)
{
    MmSpur *m = mm_spur(mm);
    switch (number) {
    case PARAMETER_TENURING: return set_tenuring(m, value);
    case PARAMETER_TENURED: return set_tenured(m, value);
    case PARAMETER_SHRINK_THRESHOLD: return set_word(&m->config.shrink_threshold, value, 0);
    case PARAMETER_GROW_HEADROOM: return set_word(&m->config.grow_headroom, value, 0);
    case PARAMETER_ALLOCATED: return set_allocated(m, value);
    case PARAMETER_MAX_OLD: return set_max_old(m, value);
    default: return false;
    }
}
