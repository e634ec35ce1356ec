#include "marker.h"

enum {
    QUEUE_LENGTH = 32, /* objects on their way from memory to the scanner */
    SLICE = 256,       /* slots of a large object scanned at a time */
    /* Room for the slots of one object or slice, and the rest of the object. */
    STACK_RESERVE = SLICE + 2,
    STACK_MINIMUM = 4 * STACK_RESERVE,
    SLICE_TAG = 1, /* on the stack: an oop so tagged lies above the index of its next slot */
};

/* ---- The stack ---- */

static inline bool has_room(const Marker *marker)
{
    return marker->capacity - marker->depth >= STACK_RESERVE;
}

/* What `object` refers to could not be put on the stack. */
static __attribute__((cold, noinline)) void drop(Marker *marker, Oop object)
{
    if (object < marker->dropped_low)
        marker->dropped_low = object;
    if (object > marker->dropped_high)
        marker->dropped_high = object;
}

static inline Word push_slots(Word *stack, size_t depth, const Word *slots, Word first, Word end,
                              Oop nil, Word span)
{
    for (Word i = end; i-- > first;) {
        Oop value = slots[i];
        /* nil, false and true lie side by side and are marked from the start. */
        if (is_object(value) && value - nil > span)
            stack[depth++] = value;
    }
    return depth;
}

/* Pushes what slots [first, end) of the object name; of many slots, a slice. */
static inline void push_range(Marker *marker, Oop object, Word first, Word end)
{
    if (__builtin_expect(!has_room(marker), 0)) {
        drop(marker, object);
        return;
    }
    if (end - first > SLICE) {
        marker->stack[marker->depth++] = first + SLICE;
        marker->stack[marker->depth++] = object | SLICE_TAG;
        end = first + SLICE;
    }
    Heap *heap = marker->heap;
    marker->depth = push_slots(marker->stack, marker->depth, object_slots(object), first, end,
                               heap->nil, heap->true_object - heap->nil);
}

/* ---- Scanning ---- */

/* Slots of a large object that are references; formats below weak only. */
static void scan_slice(Marker *marker, Oop object, Word first)
{
    Word start, end;
    heap_pointer_slots(marker->heap, object, &start, &end);
    if (object_format(object) == FORMAT_WEAK)
        end = heap_fixed_fields(marker->heap, object);
    push_range(marker, object, first, end);
}

/* Weak objects, ephemerons and code: their strong slots, and the report. */
static __attribute__((noinline)) void scan_special(Marker *marker, Oop object, unsigned format)
{
    Mm *mm = marker->heap->mm;
    if (format == FORMAT_EPHEMERON) {
        if (is_immediate(object_slot(object, 0)))
            push_range(marker, object, 0, object_slot_count(object));
        else
            mm->ops->found_ephemeron(mm, object);
        return;
    }
    scan_slice(marker, object, format_is_code(format) ? 1 : 0);
    if (format == FORMAT_WEAK)
        mm->ops->found_weak(mm, object);
}

/* Enters the object into the map and its class into the class marks. */
static inline void enter(Marker *marker, Oop object, Header header, Word slots)
{
    LiveMap *map = &marker->map;
    size_t granule = live_map_granule(map, object);
    size_t count = 1 + (body_bytes_for_slots(slots) >> GRANULE_SHIFT);
    if (__builtin_expect(header_short_slots(header) == HEADER_SLOTS_OVERFLOW, 0)) {
        granule--;
        count++;
    }
    live_map_set(map, granule, count);
    if (__builtin_expect(header_is_pinned(header), 0))
        map->tails[granule / BLOCK_GRANULES] |= BLOCK_PINNED;
    marker->class_marks[header_class_index(header)] = 1;
    marker->objects++;
}

/* Marks without scanning: the caller sees to the object's slots. */
static void mark_alone(Marker *marker, Oop object)
{
    if (!live_map_has(&marker->map, object))
        enter(marker, object, header_of(object), object_slot_count(object));
}

/* Marks and scans, if it has not been done. */
static inline void process(Marker *marker, Oop object)
{
    if (live_map_has(&marker->map, object))
        return;
    Header header = header_of(object);
    unsigned format = header_format(header);
    if (__builtin_expect(format == FORMAT_FORWARDER, 0)) {
        marker->forwarders++;
        object = follow(object);
        if (is_immediate(object) || live_map_has(&marker->map, object))
            return;
        header = header_of(object);
        format = header_format(header);
    }
    CHECK(header_class_index(header) != CLASS_FREE,
          "free chunk at 0x%" PRIxWORD " is referred to (H1)", object);
    Word slots = header_short_slots(header);
    if (__builtin_expect(slots == HEADER_SLOTS_OVERFLOW, 0))
        slots = object_slot_count(object);
    enter(marker, object, header, slots);
    if (format <= FORMAT_INDEXABLE_FIXED)
        push_range(marker, object, 0, slots);
    else if (!format_is_bits(format))
        scan_special(marker, object, format);
}

static inline void prefetch(Marker *marker, Oop object)
{
    __builtin_prefetch(word_pointer(object));
    __builtin_prefetch(word_pointer(object + 32));
    live_map_prefetch(&marker->map, object);
}

static void drain(Marker *marker)
{
    Oop queue[QUEUE_LENGTH];
    unsigned head = 0, waiting = 0;
    for (;;) {
        while (marker->depth && waiting < QUEUE_LENGTH) {
            Word item = marker->stack[--marker->depth];
            if (__builtin_expect(item & SLICE_TAG, 0)) {
                Word first = marker->stack[--marker->depth];
                scan_slice(marker, item & ~(Word)SLICE_TAG, first);
                continue;
            }
            CHECK(item >= marker->map.base && item < marker->heap->old_end,
                  "reference to 0x%" PRIxWORD ", outside the heap (H1)", item);
            prefetch(marker, item);
            queue[(head + waiting++) % QUEUE_LENGTH] = item;
        }
        if (!waiting)
            return;
        Oop object = queue[head];
        head = (head + 1) % QUEUE_LENGTH;
        waiting--;
        process(marker, object);
    }
}

/* ---- A full stack ---- */

/* Scans a marked object for what is not marked. Nothing is reported again. */
static void rescan(Marker *marker, Oop object)
{
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
        if (!has_room(marker))
            drain(marker);
        marker->stack[marker->depth++] = value;
    }
}

static void rescan_dropped(Marker *marker)
{
    LiveMap *map = &marker->map;
    Word low = marker->dropped_low, high = marker->dropped_high;
    marker->dropped_low = ~(Word)0;
    marker->dropped_high = 0;
    marker->rescans++;
    size_t limit = live_map_granule(map, high) + 1;
    size_t block = live_map_granule(map, object_start(low)) / BLOCK_GRANULES;
    size_t granule = live_map_block_first(map, block);
    for (Oop object; (object = live_map_object(map, granule, limit));) {
        rescan(marker, object);
        granule = live_map_granule(map, object_end(object));
    }
    drain(marker);
}

static void marker_drain(Marker *marker)
{
    if (marker->draining)
        return;
    marker->draining = true;
    drain(marker);
    while (marker->dropped_low <= marker->dropped_high)
        rescan_dropped(marker);
    marker->draining = false;
}

/* ---- Roots and the fixpoint ---- */

static void push_root(Marker *marker, Oop *slot)
{
    if (is_forwarded(*slot))
        *slot = follow(*slot);
    if (is_immediate(*slot) || live_map_has(&marker->map, *slot))
        return;
    if (has_room(marker))
        marker->stack[marker->depth++] = *slot;
    else if (!marker->draining) {
        marker_drain(marker);
        marker->stack[marker->depth++] = *slot;
    } else
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
    marker_drain(marker);
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
        mark_alone(marker, object);
    for (Word page = 0; page < heap->class_table_pages; page++)
        mark_alone(marker, object_slot(heap->hidden_roots, page));
}

void marker_run(Marker *marker)
{
    Mm *mm = marker->heap->mm;
    marker->class_marks = mm->ops->class_marks(mm);
    mark_fixed_objects(marker);
    mm->ops->visit_roots(mm, visit_root, marker);
    marker_drain(marker);
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

bool marker_open(Marker *marker, Heap *heap, size_t stack_bytes)
{
    *marker = (Marker){
        .tracer = {tracer_is_live, tracer_make_live, tracer_current},
        .heap = heap,
        .dropped_low = ~(Word)0,
    };
    marker->capacity = (stack_bytes ? stack_bytes : default_stack_bytes(heap)) / sizeof(Word);
    if (marker->capacity < STACK_MINIMUM)
        marker->capacity = STACK_MINIMUM;
    if (!live_map_open(&marker->map, heap, heap->new_start, heap->old_end))
        return false;
    marker->stack = heap->host->side_table_reserve(heap, marker->capacity * sizeof(Word));
    if (!marker->stack)
        live_map_close(&marker->map, heap);
    return marker->stack != NULL;
}

void marker_close(Marker *marker)
{
    Heap *heap = marker->heap;
    heap->host->side_table_release(heap, marker->stack, marker->capacity * sizeof(Word));
    live_map_close(&marker->map, heap);
}
