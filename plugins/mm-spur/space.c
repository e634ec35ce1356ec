/* The bounds of new and old space: layout at the start, growth and shrinking of
 * old space, taking over an image.
 *
 * Eden ends in a reserve above heap->eden_limit. Allocation that has passed the
 * limit asks for a poll and goes on in the reserve, so that C code between two
 * polls (at worst: all stack pages are flushed to contexts) finds memory.
 */
#include "spur.h"

#include <stdarg.h>

enum {
    DEFAULT_EDEN = WORD_BITS == 64 ? 7 << 20 : 4 << 20,
    LEAST_EDEN = 64 << 10,
    RESERVE = 1 << 20,     /* at the end of eden, see above */
    SURVIVOR_SHARE = 5,    /* a survivor area is this part of eden */
    DEFAULT_HEADROOM = 16 << 20,
    DEFAULT_SHRINK_THRESHOLD = 32 << 20,
};

static bool start_fails(char *error, size_t error_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool start_fails(char *error, size_t error_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- Start ---- */

static void config_defaults(MmSpur *m, const MmConfig *config)
{
    m->config = *config;
    if (!m->config.eden_bytes)
        m->config.eden_bytes = DEFAULT_EDEN;
    if (m->config.eden_bytes < LEAST_EDEN)
        m->config.eden_bytes = LEAST_EDEN;
    if (!m->config.grow_headroom)
        m->config.grow_headroom = DEFAULT_HEADROOM;
    if (!m->config.shrink_threshold)
        m->config.shrink_threshold = DEFAULT_SHRINK_THRESHOLD;
    m->growth_ratio = 1.0 / 3.0;
    m->pressure = 0.9;
}

static Word place_area(Area *area, Word start, Word bytes)
{
    area->start = area->free = start;
    area->limit = start + bytes;
    return area->limit;
}

static void place_new_space(MmSpur *m, Word eden, Word survivor)
{
    Heap *heap = m->mm.heap;
    heap->new_start = m->config.new_start;
    Word at = place_area(&m->areas[SURVIVOR_A], heap->new_start, survivor);
    at = place_area(&m->areas[SURVIVOR_B], at, survivor);
    at = place_area(&m->areas[EDEN], at, eden);
    heap->new_end = heap->old_start = heap->old_end = at;
    m->to = SURVIVOR_A;
    m->tenure_limit = 0;
    space_reset_eden(m, m->areas[EDEN].start);
}

static void place_old_limit(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    Word room = m->config.region_end - heap->old_start;
    Word most = m->config.max_heap && m->config.max_heap < room ? m->config.max_heap : room;
    heap->old_limit = heap->old_start + most / heap->page_size * heap->page_size;
}

static bool reserve_tables(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    size_t classes = (size_t)1 << CLASS_INDEX_BITS;
    size_t objects = (heap->new_end - heap->new_start) / SMALLEST_OBJECT;
    m->class_marks = heap->host->side_table_reserve(heap, classes);
    m->class_traced = heap->host->side_table_reserve(heap, classes);
    return m->class_marks && m->class_traced && word_stack_reserve(m, &m->kept, objects) &&
           word_stack_reserve(m, &m->segments, 2 * objects);
}

static void release_tables(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    const HeapHost *host = heap->host;
    size_t classes = (size_t)1 << CLASS_INDEX_BITS;
    if (m->class_marks)
        host->side_table_release(heap, m->class_marks, classes);
    if (m->class_traced)
        host->side_table_release(heap, m->class_traced, classes);
    m->class_marks = m->class_traced = NULL;
    word_stack_release(m, &m->kept);
    word_stack_release(m, &m->segments);
}

static bool start_parts(MmSpur *m, char *error, size_t error_size)
{
    Heap *heap = m->mm.heap;
    if (!reserve_tables(m))
        return start_fails(error, error_size, "the host has no memory for tables of new space");
    return heap->gc->ops->start(heap->gc, error, error_size);
}

bool space_start(Mm *mm, const MmConfig *config, char *error, size_t error_size)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    config_defaults(m, config);
    Word page = heap->page_size;
    Word room = config->region_end - config->new_start;
    if (m->config.eden_bytes > room / 2)
        return start_fails(error, error_size,
                           "an eden of %" PRIuWORD " bytes does not fit a heap of %" PRIuWORD
                           " bytes", m->config.eden_bytes, room);
    Word eden = round_up(m->config.eden_bytes + RESERVE, page);
    Word survivor = round_up(m->config.eden_bytes / SURVIVOR_SHARE, page);
    if (eden + 2 * survivor + page > room)
        return start_fails(error, error_size,
                           "new space of %" PRIuWORD " bytes leaves no room for old space",
                           eden + 2 * survivor);
    place_new_space(m, eden, survivor);
    place_old_limit(m);
    if (!heap->host->commit(heap, heap->new_start, heap->new_end))
        return start_fails(error, error_size,
                           "the host refuses %" PRIuWORD " bytes for new space",
                           heap->new_end - heap->new_start);
    if (start_parts(m, error, error_size))
        return true;
    release_tables(m);
    heap->host->decommit(heap, heap->new_start, heap->new_end);
    return false;
}

void space_stop(Mm *mm)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    heap->gc->ops->stop(heap->gc);
    release_tables(m);
    if (heap->remembered)
        heap->host->side_table_release(heap, heap->remembered,
                                       heap->remembered_capacity * sizeof(Oop));
    oop_list_release(m, &m->weaklings);
    oop_list_release(m, &m->ephemerons);
    oop_list_release(m, &m->mourners);
    heap->remembered = NULL;
    heap->remembered_count = heap->remembered_capacity = 0;
}

/* ---- Eden ---- */

void space_reset_eden(MmSpur *m, Word free)
{
    Heap *heap = m->mm.heap;
    Word limit = m->areas[EDEN].limit, soft = limit - RESERVE;
    m->areas[EDEN].free = heap->eden_free = free;
    /* Crowded: some progress between two collections, even now. */
    if (free > soft - RESERVE / 2)
        soft = free + (limit - free) / 2 / OBJECT_ALIGNMENT * OBJECT_ALIGNMENT;
    heap->eden_limit = soft;
    m->collection_due = false;
}

void space_sync_eden(MmSpur *m)
{
    m->areas[EDEN].free = m->mm.heap->eden_free;
}

/* ---- Old space ---- */

Word space_old_used(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    GcStatistics statistics;
    heap->gc->ops->statistics(heap->gc, &statistics);
    return heap->old_end - heap->old_start - statistics.free_bytes;
}

/* The smallest power of two that is not below `bytes`; bounded by the type. */
static Word power_of_two(Word bytes)
{
    Word power = 1;
    while (power < bytes && power << 1)
        power <<= 1;
    return power < bytes ? bytes : power;
}

static bool grow_to(MmSpur *m, Word end)
{
    Heap *heap = m->mm.heap;
    Word from = heap->old_end;
    if (!heap->host->commit(heap, from, end))
        return false;
    heap->old_end = end;
    heap->gc->ops->extended(heap->gc, from);
    m->stats.grown++;
    return true;
}

bool space_grow(MmSpur *m, Word bytes)
{
    Heap *heap = m->mm.heap;
    Word room = heap->old_limit - heap->old_end;
    /* One smallest object more, so that the rest of the chunk can stand alone. */
    if (bytes > room || room - bytes < SMALLEST_OBJECT)
        return false;
    Word least = round_up(bytes + SMALLEST_OBJECT, heap->page_size);
    Word wanted = round_up(power_of_two(bytes + SMALLEST_OBJECT), heap->page_size);
    if (wanted < m->config.grow_headroom)
        wanted = round_up(m->config.grow_headroom, heap->page_size);
    if (least > room)
        return false;
    if (wanted > room)
        wanted = room;
    if (grow_to(m, heap->old_end + wanted))
        return true;
    return wanted != least && grow_to(m, heap->old_end + least);
}

void space_shrink(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    GcStatistics statistics;
    heap->gc->ops->statistics(heap->gc, &statistics);
    if (statistics.free_bytes <= m->config.shrink_threshold)
        return;
    Word end = heap->gc->ops->trim(heap->gc, m->config.grow_headroom);
    if (end >= heap->old_end)
        return;
    Word old_end = heap->old_end;
    heap->old_end = end;
    heap->host->decommit(heap, end, old_end);
    m->stats.shrunk++;
}

/* ---- Images ---- */

bool space_prepare_load(Mm *mm, Word bytes)
{
    Heap *heap = mm->heap;
    if (bytes > heap->old_limit - heap->old_start)
        return false;
    Word end = heap->old_start + round_up(bytes, heap->page_size);
    if (end <= heap->old_end)
        return true;
    if (!heap->host->commit(heap, heap->old_end, end))
        return false;
    heap->old_end = end;
    return true;
}

/* The first five objects are found by walking; nothing else knows where they are. */
void space_adopt(Mm *mm, Word end)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    CHECK(heap->eden_free == m->areas[EDEN].start, "an image is adopted into a used heap");
    Oop *first[] = {&heap->nil, &heap->false_object, &heap->true_object, NULL,
                    &heap->hidden_roots};
    Oop object = object_at_start(heap->old_start);
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        if (first[i])
            *first[i] = object;
        object = heap_next_object(object, end);
    }
    class_table_adopt(m);
    mourners_adopt(m);
    heap->gc->ops->adopt(heap->gc, end);
    m->used_after_full = space_old_used(m);
}
