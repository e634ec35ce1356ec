#include "mock_gc.h"

#include <stdarg.h>
#include <stdlib.h>

__attribute__((format(printf, 2, 3)))
static void breach(MockGc *mock, const char *format, ...)
{
    va_list arguments;
    if (mock->breaches++)
        return;
    va_start(arguments, format);
    vsnprintf(mock->breach, sizeof mock->breach, format, arguments);
    va_end(arguments);
}

static void push(MockStack *stack, uint64_t item)
{
    if (stack->count == stack->capacity) {
        stack->capacity = stack->capacity ? 2 * stack->capacity : 1024;
        stack->items = realloc(stack->items, stack->capacity * sizeof *stack->items);
        REQUIRE(stack->items, "no memory for the mock collector");
    }
    stack->items[stack->count++] = item;
}

/* ---- Chunks ---- */

static void reset(MockGc *mock)
{
    mock->next = mock->gc.heap->old_start;
    mock->told_end = mock->gc.heap->old_end;
}

static bool mock_start(Gc *gc, char *error, size_t error_size)
{
    MockGc *mock = mock_gc(gc);
    mock->starts++;
    reset(mock);
    if (gc->heap->old_end != gc->heap->old_start)
        breach(mock, "old space is not empty when the collector starts");
    if (mock->fails_to_start)
        snprintf(error, error_size, "the mock collector was told to fail");
    return !mock->fails_to_start;
}

static void mock_stop(Gc *gc)
{
    MockGc *mock = mock_gc(gc);
    mock->stops++;
    free(mock->work.items);
    free(mock->slots.items);
    mock->work = mock->slots = (MockStack){0};
}

static void adopt(Gc *gc, Word used_end)
{
    MockGc *mock = mock_gc(gc);
    Word rest = gc->heap->old_end - used_end;
    mock->adoptions++;
    reset(mock);
    if (rest && rest < SMALLEST_OBJECT)
        breach(mock, "%" PRIuWORD " bytes are left behind the image", rest);
    if (rest)
        free_chunk_write(used_end, gc->heap->old_end);
}

static void extended(Gc *gc, Word from)
{
    MockGc *mock = mock_gc(gc);
    if (from != mock->told_end || from % gc->heap->page_size ||
        gc->heap->old_end % gc->heap->page_size || gc->heap->old_end <= from)
        breach(mock, "old space grew from 0x%" PRIxWORD " to 0x%" PRIxWORD ", it ended at 0x%"
               PRIxWORD, from, gc->heap->old_end, mock->told_end);
    mock->told_end = gc->heap->old_end;
    free_chunk_write(from, gc->heap->old_end);
}

/* Free chunks that lie side by side become one as they are passed. */
static Word merged_end(Heap *heap, Word start)
{
    Word end = object_end(object_at_start(start));
    while (end < heap->old_end && object_class_index(object_at_start(end)) == CLASS_FREE)
        end = object_end(object_at_start(end));
    return end;
}

/* At least `least` bytes, or exactly, where a rest of 8 bytes would be left. */
static Word find_chunk(Heap *heap, Word from, Word to, Word bytes, Word *end)
{
    for (Word start = from; start < to; start = object_end(object_at_start(start))) {
        if (object_class_index(object_at_start(start)) != CLASS_FREE)
            continue;
        *end = merged_end(heap, start);
        free_chunk_write(start, *end);
        Word room = *end - start;
        if (room == bytes || (room > bytes && room - bytes >= SMALLEST_OBJECT))
            return start;
    }
    return 0;
}

static Word carve(MockGc *mock, Word bytes)
{
    Heap *heap = mock->gc.heap;
    Word end, start = find_chunk(heap, mock->next, heap->old_end, bytes, &end);
    if (!start)
        start = find_chunk(heap, heap->old_start, heap->old_end, bytes, &end);
    if (!start)
        return 0;
    if (end != start + bytes)
        free_chunk_write(start + bytes, end);
    mock->next = start + bytes == heap->old_end ? heap->old_start : start + bytes;
    return start;
}

static Word allocate(Gc *gc, Word bytes)
{
    MockGc *mock = mock_gc(gc);
    if (mock->told_end != gc->heap->old_end)
        breach(mock, "the collector was not told that old space ends at 0x%" PRIxWORD,
               gc->heap->old_end);
    if (bytes < SMALLEST_OBJECT || bytes % OBJECT_ALIGNMENT) {
        breach(mock, "%" PRIuWORD " bytes are to be allocated", bytes);
        return 0;
    }
    Word start = carve(mock, bytes);
    if (start) /* until it is an object it is one of bytes: what is behind can be walked to */
        *header_at(free_chunk_write(start, start + bytes)) |=
            (Header)FORMAT_BYTES << HEADER_FORMAT_SHIFT | CLASS_BYTE_STRING;
    return start;
}

static bool take_buffer(Gc *gc, Word least, Word wanted, Word *start, Word *end)
{
    Word bytes = wanted;
    if (least > wanted)
        breach(mock_gc(gc), "a buffer of at least %" PRIuWORD " and about %" PRIuWORD " bytes", least,
               wanted);
    *start = allocate(gc, bytes);
    if (!*start)
        *start = allocate(gc, bytes = least);
    *end = *start + bytes;
    return *start != 0;
}

static void return_buffer(Gc *gc, Word start, Word end)
{
    MockGc *mock = mock_gc(gc);
    if (start == end)
        return;
    if (end < start || end - start < SMALLEST_OBJECT || start < gc->heap->old_start ||
        end > gc->heap->old_end) {
        breach(mock, "[0x%" PRIxWORD ", 0x%" PRIxWORD ") is returned", start, end);
        return;
    }
    free_chunk_write(start, end);
    mock->next = gc->heap->old_start; /* `next` may lie inside it */
}

static void free_object(Gc *gc, Oop object)
{
    if (heap_is_young(gc->heap, object) || object_class_index(object) == CLASS_FREE) {
        breach(mock_gc(gc), "0x%" PRIxWORD " is freed", object);
        return;
    }
    return_buffer(gc, object_start(object), object_end(object));
}

static void statistics(Gc *gc, GcStatistics *statistics)
{
    Heap *heap = gc->heap;
    *statistics = (GcStatistics){0};
    for (Word start = heap->old_start; start < heap->old_end;) {
        bool is_free = object_class_index(object_at_start(start)) == CLASS_FREE;
        Word end = is_free ? merged_end(heap, start) : object_end(object_at_start(start));
        if (is_free) {
            statistics->free_chunks++;
            statistics->free_bytes += end - start;
            if (end - start > statistics->largest_free)
                statistics->largest_free = end - start;
        }
        start = end;
    }
}

static Word trim(Gc *gc, Word keep)
{
    MockGc *mock = mock_gc(gc);
    Heap *heap = gc->heap;
    GcStatistics now;
    Word last = heap->old_start, end;
    statistics(gc, &now);
    for (Word start = last; start < heap->old_end; start = end) {
        last = start;
        end = object_class_index(object_at_start(start)) == CLASS_FREE
                  ? merged_end(heap, start) : object_end(object_at_start(start));
    }
    if (object_class_index(object_at_start(last)) != CLASS_FREE || now.free_bytes <= keep)
        return heap->old_end;
    Word given = now.free_bytes - keep, room = heap->old_end - last - SMALLEST_OBJECT;
    given = (given < room ? given : room) / heap->page_size * heap->page_size;
    if (heap->old_end - last < SMALLEST_OBJECT || !given)
        return heap->old_end;
    free_chunk_write(last, heap->old_end - given);
    mock->next = heap->old_start;
    return mock->told_end = heap->old_end - given;
}

/* ---- Marking ---- */

typedef struct {
    Tracer tracer; /* first */
    MockGc *mock;
} MockTracer;

static uint8_t *bit_of(MockGc *mock, uint8_t *map, Word address, uint8_t *bit)
{
    size_t index = (size_t)(address - mock->gc.heap->new_start) / 8;
    *bit = (uint8_t)(1u << index % 8);
    return &map[index / 8];
}

static bool in_heap(const Heap *heap, Word address)
{
    return address >= heap->new_start && address < heap->old_end;
}

static bool test_bit(MockGc *mock, uint8_t *map, Word address)
{
    uint8_t bit;
    return *bit_of(mock, map, address, &bit) & bit;
}

/* Answers whether it was set before. */
static bool set_bit(MockGc *mock, uint8_t *map, Word address)
{
    uint8_t bit, *byte = bit_of(mock, map, address, &bit);
    bool was = *byte & bit;
    *byte |= bit;
    return was;
}

static bool is_marked(MockGc *mock, Oop object)
{
    return in_heap(mock->gc.heap, object) && test_bit(mock, mock->marks, object);
}

static void mark(MockGc *mock, Oop object)
{
    Heap *heap = mock->gc.heap;
    if (!in_heap(heap, object) || object_class_index(object) == CLASS_FREE) {
        breach(mock, "0x%" PRIxWORD " is to be marked, which is no object", object);
        return;
    }
    if (set_bit(mock, mock->marks, object))
        return;
    mock->class_marks[object_class_index(object)] = 1;
    push(&mock->work, object);
}

static void mark_slot(MockGc *mock, Oop *slot)
{
    *slot = follow(*slot);
    if (is_object(*slot))
        mark(mock, *slot);
}

static void trace_object(MockGc *mock, Oop object)
{
    Heap *heap = mock->gc.heap;
    Mm *mm = heap->mm;
    unsigned format = object_format(object);
    Word first, end;
    heap_pointer_slots(heap, object, &first, &end);
    if (format == FORMAT_WEAK) {
        end = heap_fixed_fields(heap, object);
        for (Word i = 0; i < end; i++)
            mark_slot(mock, &object_slots(object)[i]);
        mm->ops->found_weak(mm, object);
    } else if (format == FORMAT_EPHEMERON && is_object(follow(object_slot(object, 0))))
        mm->ops->found_ephemeron(mm, object);
    else
        for (Word i = first; i < end; i++)
            mark_slot(mock, &object_slots(object)[i]);
}

static void drain(MockGc *mock)
{
    while (mock->work.count)
        trace_object(mock, (Oop)mock->work.items[--mock->work.count]);
}

static bool tracer_is_live(Tracer *tracer, Oop object)
{
    MockGc *mock = ((MockTracer *)tracer)->mock;
    if (!is_object(object) || !in_heap(mock->gc.heap, object)) {
        breach(mock, "is_live is asked of 0x%" PRIxWORD ", which is no object", object);
        return true;
    }
    drain(mock);
    return !is_forwarded(object) && is_marked(mock, object);
}

/* Puts tracing off, as G3 allows. */
static void tracer_make_live(Tracer *tracer, Oop *slot)
{
    MockGc *mock = ((MockTracer *)tracer)->mock;
    if (!is_object(*slot))
        breach(mock, "make_live is given 0x%" PRIxWORD ", which is no object", *slot);
    else
        mark_slot(mock, slot);
}

static Oop tracer_current(Tracer *tracer, Oop object)
{
    return object;
}

/* ---- What the manager visits ---- */

static void note_slot(MockGc *mock, const Oop *slot)
{
    push(&mock->slots, (uintptr_t)slot);
}

static int compare_words(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void require_each_once(MockGc *mock, const char *visitor)
{
    MockStack *slots = &mock->slots;
    qsort(slots->items, slots->count, sizeof *slots->items, compare_words);
    for (size_t i = 1; i < slots->count; i++)
        if (slots->items[i] == slots->items[i - 1]) {
            breach(mock, "%s visits a slot twice", visitor);
            break;
        }
    slots->count = 0;
}

static bool was_visited(const MockGc *mock, const Oop *slot)
{
    for (size_t i = 0; i < mock->slots.count; i++)
        if (mock->slots.items[i] == (uintptr_t)slot)
            return true;
    return false;
}

static void mark_root(void *context, Oop *slot)
{
    MockGc *mock = context;
    note_slot(mock, slot);
    if (*slot == NO_OOP)
        breach(mock, "visit_roots visits a slot that holds nothing");
    else
        mark_slot(mock, slot);
}

/* G1: the class table lives by instances only, but for page 0; what else the hidden roots hold. */
static void require_roots(MockGc *mock)
{
    Heap *heap = mock->gc.heap;
    Word *roots = object_slots(heap->hidden_roots), *page = object_slots(roots[0]);
    for (Word i = 0; i < CLASS_PAGE_SIZE; i++)
        if (is_object(page[i]) && page[i] != heap->nil && !is_marked(mock, page[i]))
            breach(mock, "visit_roots does not visit entry %" PRIuWORD " of page 0", i);
    for (Word i = CLASS_PAGES_MAX; i < HIDDEN_ROOTS_SLOTS; i++)
        if (is_object(roots[i]) && roots[i] != heap->nil && !is_marked(mock, roots[i]))
            breach(mock, "visit_roots does not visit slot %" PRIuWORD " of the hidden roots", i);
    for (Word i = 1; i < heap->class_table_pages && heap->class_table_pages < 4; i++)
        if (was_visited(mock, &object_slots(roots[i])[0]))
            breach(mock, "visit_roots visits page %" PRIuWORD " of the class table (G1)", i);
}

static void update_reference(void *context, Oop *slot)
{
    MockGc *mock = context;
    note_slot(mock, slot);
    uintptr_t address = (uintptr_t)slot;
    if (address >= mock->gc.heap->new_start && address < mock->gc.heap->old_end)
        breach(mock, "visit_all_references visits a slot inside the heap (G5)");
    if (!is_object(*slot))
        return;
    *slot = follow(*slot);
    if (is_object(*slot) && !is_marked(mock, *slot))
        breach(mock, "visit_all_references visits a reference to 0x%" PRIxWORD ", which is dead (G4)",
               *slot);
}

/* ---- After the fixpoint ---- */

static void require_weak_cleared(MockGc *mock, Oop object)
{
    for (Word i = heap_fixed_fields(mock->gc.heap, object); i < object_slot_count(object); i++) {
        Oop value = follow(object_slot(object, i));
        if (is_object(value) && !is_marked(mock, value))
            breach(mock, "slot %" PRIuWORD " of weak object 0x%" PRIxWORD " refers to what is dead", i,
                   object);
    }
}

static void require_finished(MockGc *mock, Oop object)
{
    unsigned format = object_format(object);
    if (!is_marked(mock, object) || is_forwarded(object))
        return;
    if (format == FORMAT_WEAK)
        require_weak_cleared(mock, object);
    Oop key = format == FORMAT_EPHEMERON ? follow(object_slot(object, 0)) : NO_OOP;
    if (key && is_object(key) && !is_marked(mock, key))
        breach(mock, "the key of live ephemeron 0x%" PRIxWORD " is dead, and it has not fired", object);
}

static void require_classes(MockGc *mock)
{
    Heap *heap = mock->gc.heap;
    for (Word i = CLASS_PAGE_SIZE; i < heap->class_table_pages << CLASS_PAGE_BITS; i++) {
        Oop class = heap_class_at(heap, i);
        if (class != heap->nil && !is_marked(mock, class))
            breach(mock, "entry %" PRIuWORD " of the class table is dead", i);
        if (class == heap->nil && mock->class_marks[i])
            breach(mock, "class index %" PRIuWORD " has instances and no class (H4)", i);
    }
}

/* Enumeration is not for collections: old space is walked here. */
static void each_old(MockGc *mock, void (*visit)(MockGc *mock, Oop object))
{
    Heap *heap = mock->gc.heap;
    for (Word start = heap->old_start; start < heap->old_end;) {
        Oop object = object_at_start(start);
        Word end = object_end(object);
        if (object_class_index(object) != CLASS_FREE)
            visit(mock, object);
        start = end;
    }
}

static void require_remembered(MockGc *mock)
{
    Heap *heap = mock->gc.heap;
    for (size_t i = 0; i < heap->remembered_count; i++)
        if (!is_marked(mock, heap->remembered[i]))
            breach(mock, "0x%" PRIxWORD " is remembered, and dead (G4)", heap->remembered[i]);
}

/* ---- Collection ---- */

static void replace_forwarders(MockGc *mock, Oop object)
{
    Word first, end;
    if (!is_marked(mock, object) || is_forwarded(object))
        return;
    heap_pointer_slots(mock->gc.heap, object, &first, &end);
    for (Word i = first; i < end; i++)
        object_slots(object)[i] = follow(object_slot(object, i));
}

static void sweep_object(MockGc *mock, Oop object)
{
    if (!is_marked(mock, object))
        free_chunk_write(object_start(object), object_end(object));
}

/* Young objects that were kept: their slots are the collector's to mend. */
static void mend_young(MockGc *mock)
{
    Heap *heap = mock->gc.heap;
    for (Word at = heap->new_start; at < heap->new_end; at += 8)
        if (test_bit(mock, mock->marks, at))
            replace_forwarders(mock, at);
}

static void mark_all(MockGc *mock)
{
    Heap *heap = mock->gc.heap;
    Mm *mm = heap->mm;
    mock->class_marks = mm->ops->class_marks(mm);
    set_bit(mock, mock->marks, heap->hidden_roots);
    for (Word i = 0; i < heap->class_table_pages; i++)
        set_bit(mock, mock->marks, object_slot(heap->hidden_roots, i));
    set_bit(mock, mock->marks, object_at_start(object_end(heap->true_object))); /* the free lists */
    mm->ops->visit_roots(mm, mark_root, mock);
    require_roots(mock);
    require_each_once(mock, "visit_roots");
    drain(mock);
    MockTracer tracer = {{tracer_is_live, tracer_make_live, tracer_current}, mock};
    mm->ops->finish_tracing(mm, &tracer.tracer);
    if (mock->work.count)
        breach(mock, "finish_tracing returns before everything is traced");
    drain(mock);
}

static void collect(Gc *gc, GcResult *result)
{
    MockGc *mock = mock_gc(gc);
    Heap *heap = gc->heap;
    mock->collections++;
    *result = (GcResult){.refused = mock->refuses};
    if (mock->refuses)
        return;
    mock->marks = calloc(1, (size_t)(heap->old_end - heap->new_start) / 64 + 1);
    REQUIRE(mock->marks, "no memory for the mock collector");
    mark_all(mock);
    each_old(mock, require_finished);
    require_classes(mock);
    require_remembered(mock);
    each_old(mock, replace_forwarders);
    mend_young(mock);
    each_old(mock, sweep_object);
    heap->mm->ops->visit_all_references(heap->mm, update_reference, mock);
    require_each_once(mock, "visit_all_references");
    free(mock->marks);
    mock->marks = NULL;
    mock->next = heap->old_start;
}

static void barrier(Gc *gc, Oop object, Oop value)
{
    mock_gc(gc)->barriers++;
}

static void make_walkable(Gc *gc)
{
}

static size_t self_check(Gc *gc, void (*report)(void *context, const char *sentence), void *context)
{
    MockGc *mock = mock_gc(gc);
    for (unsigned i = 0; i < mock->planted; i++)
        report(context, "a finding of the mock collector");
    return mock->planted;
}

static const GcOps ops = {
    .size = sizeof(GcOps),
    .moves_objects = false,
    .start = mock_start,
    .stop = mock_stop,
    .adopt = adopt,
    .extended = extended,
    .trim = trim,
    .allocate = allocate,
    .take_buffer = take_buffer,
    .return_buffer = return_buffer,
    .free = free_object,
    .collect = collect,
    .barrier = barrier,
    .make_walkable = make_walkable,
    .statistics = statistics,
    .self_check = self_check,
};

const OsvmPlugin mock_gc_plugin = {
    OSVM_PLUGIN_HEAD(OSVM_GC, WORD_BITS),
    .name = "mock",
    .version = OSVM_VERSION,
    .summary = "watches the memory manager",
    .licence = "MIT",
    .vtable_abi = OSVM_GC_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(MockGc),
    .state_version = 1,
};
