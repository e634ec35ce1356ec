/* Marking from the roots to the end of the fixpoint (marker.h). */
#include "marker.h"

/* ---- A full stack ---- */

/* Scans a marked object for what is not marked. Nothing is reported again. */
static void rescan(Marker *marker, Oop object)
{
    Worker *worker = marker->workers[0];
    Word first, end;
    heap_pointer_slots(marker->heap, object, &first, &end);
    unsigned format = object_format(object);
    if (format == FORMAT_WEAK)
        end = heap_fixed_fields(marker->heap, object);
    else if (format == FORMAT_EPHEMERON) {
        /* Strong as soon as its key lives; else the fixpoint's business. */
        Oop key = follow(object_slot(object, 0));
        if (is_object(key) && !live_map_has(&marker->map, key))
            return;
    }
    for (Word i = first; i < end; i++) {
        Oop value = object_slot(object, i);
        if (is_immediate(value) || live_map_has(&marker->map, value))
            continue;
        if (!worker_has_room(worker))
            trace_drain(worker);
        worker->stack[worker->depth++] = value;
    }
}

static void rescan_dropped(Marker *marker)
{
    LiveMap *map = &marker->map;
    Worker *worker = marker->workers[0];
    Word low = worker->dropped_low, high = worker->dropped_high;
    worker->dropped_low = ~(Word)0;
    worker->dropped_high = 0;
    marker->rescans++;
    size_t limit = live_map_granule(map, high) + 1;
    size_t block = live_map_granule(map, object_start(low)) / BLOCK_GRANULES;
    size_t granule = live_map_block_first(map, block);
    for (Oop object; (object = live_map_object(map, granule, limit));) {
        rescan(marker, object);
        granule = live_map_granule(map, object_end(object));
    }
    trace_drain(worker);
}

static void drain(Marker *marker)
{
    Worker *worker = marker->workers[0];
    if (marker->draining)
        return;
    marker->draining = true;
    trace_drain(worker);
    while (worker->dropped_low <= worker->dropped_high)
        rescan_dropped(marker);
    marker->draining = false;
}

/* What the other workers had no room for becomes the first one's business. */
static void inherit_dropped(Marker *marker)
{
    Worker *first = marker->workers[0];
    for (unsigned i = 1; i < marker->worker_count; i++) {
        Worker *worker = marker->workers[i];
        if (worker->dropped_low < first->dropped_low)
            first->dropped_low = worker->dropped_low;
        if (worker->dropped_high > first->dropped_high)
            first->dropped_high = worker->dropped_high;
    }
}

/* Everything that the roots reach strongly. */
static void drain_together(Marker *marker)
{
    if (marker->worker_count > 1) {
        trace_together(marker);
        inherit_dropped(marker);
    }
    drain(marker);
}

/* ---- Roots and the fixpoint ---- */

static void push_root(Marker *marker, Oop *slot)
{
    if (is_forwarded(*slot))
        *slot = follow(*slot);
    if (is_immediate(*slot) || live_map_has(&marker->map, *slot))
        return;
    Worker *worker = marker->workers[0];
    if (!worker_has_room(worker) && !marker->draining)
        drain(marker);
    if (worker_has_room(worker))
        worker->stack[worker->depth++] = *slot;
    else
        REQUIRE(false, "make_live called while tracing reports (G3), and the mark stack is full");
}

static void visit_root(void *context, Oop *slot)
{
    push_root(context, slot);
}

static bool tracer_is_live(Tracer *tracer, Oop object)
{
    return is_immediate(object) || live_map_has(&((Marker *)tracer)->map, object);
}

static void tracer_make_live(Tracer *tracer, Oop *slot)
{
    Marker *marker = (Marker *)tracer;
    push_root(marker, slot);
    drain(marker);
}

static Oop tracer_current(Tracer *tracer, Oop object)
{
    (void)tracer;
    return follow(object);
}

/* The first objects of old space, up to the hidden roots, and the class table's
 * pages. Their slots are roots that the memory manager visits (G1). */
static void mark_fixed_objects(Marker *marker)
{
    Heap *heap = marker->heap;
    for (Oop object = object_at_start(heap->old_start); object <= heap->hidden_roots;
         object = object_at_start(object_end(object)))
        trace_mark_alone(marker->workers[0], object);
    for (Word page = 0; page < heap->class_table_pages; page++)
        trace_mark_alone(marker->workers[0], object_slot(heap->hidden_roots, page));
}

void marker_run(Marker *marker)
{
    Mm *mm = marker->heap->mm;
    marker->class_marks = mm->ops->class_marks(mm);
    mark_fixed_objects(marker);
    mm->ops->visit_roots(mm, visit_root, marker);
    drain_together(marker);
    mm->ops->finish_tracing(mm, &marker->tracer);
}

/* ---- Forwarders ---- */

void marker_remove_forwarders(Marker *marker)
{
    LiveMap *map = &marker->map;
    size_t limit = map->blocks * BLOCK_GRANULES, granule = 0;
    for (Oop object; (object = live_map_object(map, granule, limit));) {
        Word first, end;
        heap_pointer_slots(marker->heap, object, &first, &end);
        Word *slots = object_slots(object);
        for (Word i = first; i < end; i++)
            if (is_object(slots[i]) && !live_map_has(map, slots[i]))
                slots[i] = follow(slots[i]);
        granule = live_map_granule(map, object_end(object));
    }
}

/* ---- Memory ---- */

/* A stack no longer than this is enough for every graph but the strangest. */
static size_t default_stack_bytes(const Heap *heap)
{
    return (size_t)(heap->old_end - heap->new_start) / 8;
}

static bool open_worker(Marker *marker, size_t stack_bytes, size_t area_bytes)
{
    Heap *heap = marker->heap;
    if (stack_bytes < STACK_MINIMUM * sizeof(Word))
        stack_bytes = STACK_MINIMUM * sizeof(Word);
    size_t bytes = (sizeof(Worker) + stack_bytes + BATCH_BYTES - 1) & ~(size_t)(BATCH_BYTES - 1);
    size_t capacity = (bytes - sizeof(Worker)) / sizeof(Word);
    Worker *worker = heap->host->side_table_reserve(heap, bytes);
    if (!worker)
        return false;
    *worker = (Worker){
        .marker = marker, .bytes = bytes, .stack = (Word *)(worker + 1), .capacity = capacity,
        .least = capacity / 4, .dropped_low = ~(Word)0,
    };
    buckets_open(&worker->buckets, heap->new_start, heap->old_end, area_bytes);
    marker->workers[marker->worker_count++] = worker;
    return true;
}

bool marker_open(Marker *marker, Heap *heap, MarkerSetup setup)
{
    *marker = (Marker){
        .tracer = {tracer_is_live, tracer_make_live, tracer_current},
        .heap = heap,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    GcStatistics statistics;
    heap->gc->ops->statistics(heap->gc, &statistics);
    Word used = heap->old_end - heap->old_start - statistics.free_bytes;
    unsigned wanted = team_size(heap, setup.threads, used);
    size_t stack_bytes = setup.stack_bytes ? setup.stack_bytes : default_stack_bytes(heap);
    if (!live_map_open(&marker->map, heap, heap->new_start, heap->old_end))
        return false;
    while (marker->worker_count < wanted && open_worker(marker, stack_bytes, setup.area_bytes))
        ;
    if (!marker->worker_count)
        live_map_close(&marker->map, heap);
    return marker->worker_count != 0;
}

void marker_close_stacks(Marker *marker)
{
    Heap *heap = marker->heap;
    for (unsigned i = 0; i < marker->worker_count; i++)
        heap->host->side_table_release(heap, marker->workers[i], marker->workers[i]->bytes);
    marker->worker_count = 0;
}

void marker_close(Marker *marker)
{
    marker_close_stacks(marker);
    live_map_close(&marker->map, marker->heap);
}

/* ---- Facts ---- */

uint64_t marker_objects(const Marker *marker)
{
    uint64_t objects = 0;
    for (unsigned i = 0; i < marker->worker_count; i++)
        objects += marker->workers[i]->objects;
    return objects;
}

uint64_t marker_forwarders(const Marker *marker)
{
    uint64_t forwarders = 0;
    for (unsigned i = 0; i < marker->worker_count; i++)
        forwarders += marker->workers[i]->forwarders;
    return forwarders;
}
