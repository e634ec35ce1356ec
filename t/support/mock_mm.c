#include "mock_mm.h"

static MockMm *mock_of(Mm *mm)
{
    return (MockMm *)mm;
}

void oop_list_push(OopList *list, Oop oop)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->items = realloc(list->items, list->capacity * sizeof(Oop));
        REQUIRE(list->items, "no memory for a list of %zu oops", list->capacity);
    }
    list->items[list->count++] = oop;
}

/* ---- Roots ---- */

static void visit_all_references(Mm *mm, SlotVisitor visit, void *context)
{
    Heap *heap = mm->heap;
    heap->host->visit_roots(heap, visit, context);
    OopList *mourners = &mock_of(mm)->mourners;
    for (size_t i = 0; i < mourners->count; i++)
        visit(context, &mourners->items[i]);
    for (size_t i = 0; i < heap->remembered_count; i++)
        visit(context, &heap->remembered[i]);
}

static void visit_slots(Oop object, Word first, SlotVisitor visit, void *context)
{
    for (Word i = first; i < object_slot_count(object); i++)
        visit(context, &object_slots(object)[i]);
}

static void visit_roots(Mm *mm, SlotVisitor visit, void *context)
{
    Heap *heap = mm->heap;
    heap->host->visit_roots(heap, visit, context);
    visit_slots(heap->hidden_roots, CLASS_PAGES_MAX, visit, context);
    visit_slots(object_slot(heap->hidden_roots, 0), 0, visit, context);
    OopList *mourners = &mock_of(mm)->mourners;
    for (size_t i = 0; i < mourners->count; i++)
        visit(context, &mourners->items[i]);
}

static uint8_t *class_marks(Mm *mm)
{
    MockMm *mock = mock_of(mm);
    memset(mock->class_marks, 0, (size_t)1 << CLASS_INDEX_BITS);
    mock->weak.count = mock->ephemerons.count = 0;
    mock->nilled = mock->reported_twice = 0;
    return mock->class_marks;
}

/* ---- The fixpoint ---- */

static void report(MockMm *mock, OopList *list, Oop object)
{
    /* Marked with the grey bit while it is on a list: G3 asks for one report. */
    mock->reported_twice += (header_of(object) & HEADER_GREY) != 0;
    *header_at(object) |= HEADER_GREY;
    oop_list_push(list, object);
}

static void found_weak(Mm *mm, Oop object)
{
    report(mock_of(mm), &mock_of(mm)->weak, object);
}

static void found_ephemeron(Mm *mm, Oop object)
{
    report(mock_of(mm), &mock_of(mm)->ephemerons, object);
}

static bool trace_classes(MockMm *mock, Tracer *tracer)
{
    Heap *heap = mock->mm.heap;
    bool progress = false;
    for (Word index = CLASS_LAST_PUN + 1; index < heap->class_table_pages << CLASS_PAGE_BITS;
         index++) {
        Oop page = object_slot(heap->hidden_roots, index >> CLASS_PAGE_BITS);
        Oop *slot = &object_slots(page)[index & (CLASS_PAGE_SIZE - 1)];
        if (!mock->class_marks[index] || tracer->is_live(tracer, follow(*slot)))
            continue;
        tracer->make_live(tracer, slot);
        progress = true;
    }
    return progress;
}

static void trace_ephemeron(Oop object, Tracer *tracer)
{
    *header_at(object) &= ~HEADER_GREY;
    for (Word i = 0; i < object_slot_count(object); i++)
        if (is_object(object_slot(object, i)))
            tracer->make_live(tracer, &object_slots(object)[i]);
}

static bool trace_ephemerons(MockMm *mock, Tracer *tracer)
{
    bool progress = false;
    for (size_t i = 0; i < mock->ephemerons.count; i++) {
        Oop object = mock->ephemerons.items[i];
        Oop key = follow(object_slot(object, 0));
        if (is_object(key) && !tracer->is_live(tracer, key))
            continue;
        mock->ephemerons.items[i--] = mock->ephemerons.items[--mock->ephemerons.count];
        trace_ephemeron(object, tracer);
        progress = true;
    }
    return progress;
}

static void fire_ephemerons(MockMm *mock, Tracer *tracer)
{
    OopList fired = mock->ephemerons;
    mock->ephemerons = (OopList){0};
    for (size_t i = 0; i < fired.count; i++) {
        Header *header = header_at(fired.items[i]);
        *header = (*header & ~HEADER_FORMAT_MASK) | (Header)FORMAT_FIXED << HEADER_FORMAT_SHIFT;
        oop_list_push(&mock->mourners, fired.items[i]);
    }
    for (size_t i = 0; i < fired.count; i++)
        trace_ephemeron(fired.items[i], tracer);
    free(fired.items);
}

static void clear_weak_slots(MockMm *mock, Oop object, Tracer *tracer)
{
    *header_at(object) &= ~HEADER_GREY;
    for (Word i = heap_fixed_fields(mock->mm.heap, object); i < object_slot_count(object); i++) {
        Oop *slot = &object_slots(object)[i];
        if (is_immediate(*slot))
            continue;
        *slot = follow(*slot);
        if (tracer->is_live(tracer, *slot))
            continue;
        *slot = mock->mm.heap->nil;
        mock->nilled++;
    }
}

static void clear_dead_classes(MockMm *mock, Tracer *tracer)
{
    Heap *heap = mock->mm.heap;
    for (Word page = 1; page < heap->class_table_pages; page++) {
        Oop classes = object_slot(heap->hidden_roots, page);
        for (Word i = 0; i < CLASS_PAGE_SIZE; i++)
            if (!tracer->is_live(tracer, object_slot(classes, i)))
                object_slots(classes)[i] = heap->nil;
    }
}

static void clear_dead_young(MockMm *mock, Tracer *tracer)
{
    Heap *heap = mock->mm.heap;
    for (Word at = heap->new_start; at < heap->eden_free;) {
        Oop object = object_at_start(at);
        Word end = object_end(object);
        if (!tracer->is_live(tracer, object))
            free_chunk_write(at, end);
        at = end;
    }
    size_t kept = 0;
    for (size_t i = 0; i < heap->remembered_count; i++)
        if (tracer->is_live(tracer, heap->remembered[i]))
            heap->remembered[kept++] = heap->remembered[i];
    heap->remembered_count = kept;
}

static void finish_tracing(Mm *mm, Tracer *tracer)
{
    MockMm *mock = mock_of(mm);
    do {
        while ((int)trace_classes(mock, tracer) | (int)trace_ephemerons(mock, tracer))
            ;
        fire_ephemerons(mock, tracer);
    } while (trace_classes(mock, tracer) || mock->ephemerons.count);
    for (size_t i = 0; i < mock->weak.count; i++)
        clear_weak_slots(mock, mock->weak.items[i], tracer);
    clear_dead_classes(mock, tracer);
    clear_dead_young(mock, tracer);
}

/* ---- What else collectors and heap.h call ---- */

static void remember(Mm *mm, Oop object)
{
    Heap *heap = mm->heap;
    if (heap->remembered_count == heap->remembered_capacity) {
        heap->remembered_capacity = heap->remembered_capacity ? 2 * heap->remembered_capacity : 64;
        heap->remembered = realloc(heap->remembered, heap->remembered_capacity * sizeof(Oop));
        REQUIRE(heap->remembered, "no memory for the remembered set");
    }
    *header_at(object) |= HEADER_REMEMBERED;
    heap->remembered[heap->remembered_count++] = object;
}

static Oop allocate(Mm *mm, Word slots, unsigned format, Word class_index)
{
    (void)mm, (void)slots, (void)format, (void)class_index;
    return NO_OOP;
}

static const MmOps mock_ops = {
    .size = sizeof(MmOps),
    .allocate = allocate,
    .remember = remember,
    .found_weak = found_weak,
    .found_ephemeron = found_ephemeron,
    .class_marks = class_marks,
    .finish_tracing = finish_tracing,
    .visit_roots = visit_roots,
    .visit_all_references = visit_all_references,
};

void mock_mm_open(MockMm *mm, Heap *heap)
{
    *mm = (MockMm){.mm = {&mock_ops, heap, NULL}};
    mm->class_marks = malloc((size_t)1 << CLASS_INDEX_BITS);
    REQUIRE(mm->class_marks, "no memory for class marks");
    heap->mm = &mm->mm;
}

void mock_mm_close(MockMm *mm)
{
    free(mm->class_marks);
    free(mm->weak.items);
    free(mm->ephemerons.items);
    free(mm->mourners.items);
    free(mm->mm.heap->remembered);
}
