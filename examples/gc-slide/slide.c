/* gc-slide: the smallest honest collector that moves objects. Marks with one bit for each
 * 8 bytes, finds out where each live object will lie, makes every reference name that place,
 * and slides the objects there (the LISP 2 algorithm, Knuth 1973). Their order stays.
 *
 * Read examples/gc-minimal first: marking and the fixpoint are the same. What is new is
 * marked with the step of docs/new-collector.md that says why:
 *   8a where objects go   8b references   8c moving
 */
#include "osvm/gc.h"
#include "osvm/plugin.h"

enum { BLOCK = 512 }; /* bytes; of each the table says where its first live object goes */

typedef struct {
    Gc gc; /* first */

    /* ---- free memory: chunks between what cannot move, and the end ---- */
    Oop chunks;      /* slot 0 of each holds the next, NO_OOP ends */
    Word free_bytes;
    Word free_chunks;
    uint64_t allocations;

    /* ---- during a collection ---- */
    Tracer tracer;
    uint8_t *classes;
    uint8_t *marks;  /* a bit for each 8 bytes of [new_start, old_end) */
    Oop *stack;
    size_t depth;
    Word *places;    /* for each block of old space: where its first live object will begin */
    Word filled;     /* old space holds what has been moved, and chunks, up to here */
    GcResult *result;
} Slide;

/* ---- Free memory, allocation: as in gc-minimal ---- */

static void add_chunk(Slide *s, Word start, Word end)
{
    if (start == end)
        return;
    Oop chunk = free_chunk_write(start, end);
    object_slots(chunk)[0] = s->chunks;
    s->chunks = chunk;
    s->free_bytes += end - start;
    s->free_chunks++;
}

static void remove_chunk(Slide *s, Oop *link)
{
    s->free_bytes -= object_size(*link);
    s->free_chunks--;
    *link = object_slot(*link, 0);
}

static void forget_chunks(Slide *s)
{
    s->chunks = NO_OOP;
    s->free_bytes = s->free_chunks = 0;
}

static void adopt(Gc *gc, Word used_end)
{
    Slide *s = (Slide *)gc;
    Word run = gc->heap->old_start, end;
    forget_chunks(s);
    for (Word start = run; start < used_end; start = end) {
        Oop object = object_at_start(start);
        end = object_end(object);
        if (object_class_index(object) == CLASS_FREE)
            continue;
        add_chunk(s, run, start);
        run = end;
    }
    add_chunk(s, run, gc->heap->old_end);
}

static bool start(Gc *gc, char *error, size_t error_size)
{
    adopt(gc, gc->heap->old_start);
    return true;
}

static void stop(Gc *gc) {}

static Word allocate(Gc *gc, Word bytes)
{
    Slide *s = (Slide *)gc;
    for (Oop *link = &s->chunks; *link; link = object_slots(*link)) {
        Word size = object_size(*link), from = object_start(*link);
        if (size != bytes && size < bytes + SMALLEST_OBJECT)
            continue;
        remove_chunk(s, link);
        add_chunk(s, from + bytes, from + size);
        s->allocations++;
        return from;
    }
    return 0;
}

static bool take_buffer(Gc *gc, Word least, Word wanted, Word *from, Word *end)
{
    Word bytes = wanted > least ? (wanted + 7) & ~(Word)7 : least;
    *from = allocate(gc, bytes);
    if (!*from)
        *from = allocate(gc, bytes = least);
    *end = *from + bytes;
    return *from != 0;
}

static void return_buffer(Gc *gc, Word from, Word end)
{
    add_chunk((Slide *)gc, from, end);
}

static void free_object(Gc *gc, Oop object)
{
    add_chunk((Slide *)gc, object_start(object), object_end(object));
}

/* ---- Marking and the fixpoint: as in gc-minimal ---- */

static bool is_marked(const Slide *s, Oop object)
{
    size_t bit = (object - s->gc.heap->new_start) / OBJECT_ALIGNMENT;
    return s->marks[bit / 8] >> bit % 8 & 1;
}

static void mark(Slide *s, Oop object, bool scan)
{
    size_t bit = (object - s->gc.heap->new_start) / OBJECT_ALIGNMENT;
    if (is_marked(s, object))
        return;
    s->marks[bit / 8] |= (uint8_t)(1 << bit % 8);
    s->classes[object_class_index(object)] = 1;
    s->result->live_objects++;
    if (scan)
        s->stack[s->depth++] = object;
}

static void mark_slot(void *context, Oop *slot)
{
    *slot = follow(*slot);
    if (is_object(*slot))
        mark(context, *slot, true);
}

static void scan(Slide *s, Oop object)
{
    Mm *mm = s->gc.heap->mm;
    unsigned format = object_format(object);
    Word first, end;
    heap_pointer_slots(s->gc.heap, object, &first, &end);
    if (format == FORMAT_WEAK)
        end = heap_fixed_fields(s->gc.heap, object);
    else if (format == FORMAT_EPHEMERON && is_object(object_slot(object, 0)))
        end = 0;
    for (Word i = first; i < end; i++)
        mark_slot(s, &object_slots(object)[i]);
    if (format == FORMAT_WEAK)
        mm->ops->found_weak(mm, object);
    else if (format == FORMAT_EPHEMERON && !end)
        mm->ops->found_ephemeron(mm, object);
}

static void trace(Slide *s)
{
    while (s->depth)
        scan(s, s->stack[--s->depth]);
}

#define OF_TRACER(tracer) ((Slide *)((char *)(tracer)-offsetof(Slide, tracer)))

static bool tracer_is_live(Tracer *tracer, Oop object)
{
    return is_immediate(object) || is_marked(OF_TRACER(tracer), object);
}

static void tracer_make_live(Tracer *tracer, Oop *slot)
{
    mark_slot(OF_TRACER(tracer), slot);
    trace(OF_TRACER(tracer));
}

static Oop tracer_current(Tracer *tracer, Oop object)
{
    return follow(object);
}

static void mark_everything(Slide *s)
{
    Heap *heap = s->gc.heap;
    Mm *mm = heap->mm;
    s->classes = mm->ops->class_marks(mm);
    s->tracer = (Tracer){tracer_is_live, tracer_make_live, tracer_current};
    for (Oop object = object_at_start(heap->old_start); object <= heap->hidden_roots;
         object = object_at_start(object_end(object)))
        mark(s, object, false);
    for (Word page = 0; page < heap->class_table_pages; page++)
        mark(s, object_slot(heap->hidden_roots, page), false);
    mm->ops->visit_roots(mm, mark_slot, s);
    trace(s);
    mm->ops->finish_tracing(mm, &s->tracer);
}

/* ---- 8a: where objects go ---- */

static bool stays(const Slide *s, Oop object)
{
    return object <= s->gc.heap->hidden_roots || header_is_pinned(header_of(object));
}

/* Calls `visit` for each live object of old space, lowest address first, with the start of its
 * memory now and where it will begin. What dies between two that stay has 16 bytes or more, so
 * every gap is none or a chunk. */
static void each_live(Slide *s, void (*visit)(Slide *s, Oop object, Word from, Word to))
{
    Heap *heap = s->gc.heap;
    Word to = heap->old_start, end;
    for (Word from = to; from < heap->old_end; from = end) {
        Oop object = object_at_start(from);
        Word size = object_size(object);
        end = from + size; /* now: `visit` may write over it */
        if (object_class_index(object) == CLASS_FREE || !is_marked(s, object))
            continue;
        if (stays(s, object))
            to = from;
        visit(s, object, from, to);
        to += size;
    }
}

static Word *place_of(const Slide *s, Word address)
{
    return &s->places[(address - s->gc.heap->old_start) / BLOCK];
}

static void note_place(Slide *s, Oop object, Word from, Word to)
{
    if (!*place_of(s, object))
        *place_of(s, object) = to;
}

/* From the first live object of the block on: others lie behind it without a gap, or stay. */
static Oop new_place(const Slide *s, Oop object)
{
    const Heap *heap = s->gc.heap;
    Word block = (object - heap->old_start) / BLOCK * BLOCK + heap->old_start;
    Word to = *place_of(s, object), at = block;
    for (;; at += OBJECT_ALIGNMENT) {
        if (!is_marked(s, at))
            continue;
        Word from = object_start(at);
        if (stays(s, at))
            to = from;
        if (at == object)
            return to + (object - from);
        to += object_end(at) - from;
    }
}

/* ---- 8b: references ---- */

static void update(const Slide *s, Oop *slot)
{
    if (is_object(*slot) && heap_is_old(s->gc.heap, *slot))
        *slot = new_place(s, *slot);
}

static void update_slots(Slide *s, Oop object)
{
    Word first, end;
    heap_pointer_slots(s->gc.heap, object, &first, &end);
    for (Word i = first; i < end; i++)
        update(s, &object_slots(object)[i]);
}

static void update_old(Slide *s, Oop object, Word from, Word to)
{
    update_slots(s, object);
}

/* Objects that were left in new space: marked like others, never moved. */
static void update_young(Slide *s)
{
    const Heap *heap = s->gc.heap;
    for (Word at = heap->new_start; at < heap->old_start; at += OBJECT_ALIGNMENT)
        if (is_marked(s, at))
            update_slots(s, at);
}

/* A slot inside an object has been updated with that object (G5). */
static void update_outside(void *context, Oop *slot)
{
    Slide *s = context;
    Word address = pointer_word(slot);
    if (address < s->gc.heap->new_start || address >= s->gc.heap->old_end)
        update(s, slot);
}

/* ---- 8c: moving ---- */

static void move(Slide *s, Oop object, Word from, Word to)
{
    Word size = object_end(object) - from;
    add_chunk(s, s->filled, to);
    s->filled = to + size;
    if (to == from)
        return;
    memmove(word_pointer(to), word_pointer(from), size);
    s->result->moved_objects++;
    s->result->moved_bytes += size;
}

static void slide(Slide *s)
{
    Heap *heap = s->gc.heap;
    each_live(s, note_place);
    each_live(s, update_old);
    update_young(s);
    heap->mm->ops->visit_all_references(heap->mm, update_outside, s);
    forget_chunks(s);
    s->filled = heap->old_start;
    each_live(s, move);
    add_chunk(s, s->filled, heap->old_end);
    s->result->live_bytes = heap->old_end - heap->old_start - s->free_bytes;
}

static void collect(Gc *gc, GcResult *result)
{
    Slide *s = (Slide *)gc;
    Heap *heap = gc->heap;
    size_t granules = (heap->old_end - heap->new_start) / OBJECT_ALIGNMENT;
    size_t stack_bytes = granules / 2 * sizeof(Oop);
    size_t places_bytes = ((heap->old_end - heap->old_start) / BLOCK + 1) * sizeof(Word);
    size_t bytes = stack_bytes + (places_bytes + 7) / 8 * 8 + granules / 8 + 1;
    s->stack = heap->host->side_table_reserve(heap, bytes);
    *result = (GcResult){.refused = !s->stack};
    if (!s->stack)
        return;
    s->result = result;
    s->places = (Word *)((char *)s->stack + stack_bytes);
    s->marks = (uint8_t *)s->stack + stack_bytes + (places_bytes + 7) / 8 * 8;
    uint64_t began = heap->host->now(heap);
    mark_everything(s);
    result->mark_time = heap->host->now(heap) - began;
    slide(s);
    result->compact_time = heap->host->now(heap) - began - result->mark_time;
    heap->host->side_table_release(heap, s->stack, bytes);
}

static void barrier(Gc *gc, Oop object, Oop value) {}
static void make_walkable(Gc *gc) {}

/* ---- Growing, shrinking, facts: as in gc-minimal ---- */

static void extended(Gc *gc, Word from)
{
    add_chunk((Slide *)gc, from, gc->heap->old_end);
}

static Word trim(Gc *gc, Word keep)
{
    Slide *s = (Slide *)gc;
    Word end = gc->heap->old_end, page = gc->heap->page_size;
    for (Oop *link = &s->chunks; *link; link = object_slots(*link)) {
        Word from = object_start(*link), least = from + SMALLEST_OBJECT;
        if (object_end(*link) != end || s->free_bytes <= keep)
            continue;
        Word surplus = s->free_bytes - keep, rest = surplus < end - least ? end - surplus : least;
        rest = (rest + page - 1) / page * page;
        if (rest >= end)
            return end;
        remove_chunk(s, link);
        add_chunk(s, from, rest);
        return rest;
    }
    return end;
}

static void statistics(Gc *gc, GcStatistics *result)
{
    Slide *s = (Slide *)gc;
    *result = (GcStatistics){.free_bytes = s->free_bytes, .free_chunks = s->free_chunks,
                             .allocations = s->allocations};
    for (Oop chunk = s->chunks; chunk; chunk = object_slot(chunk, 0))
        if (object_size(chunk) > result->largest_free)
            result->largest_free = object_size(chunk);
}

static const GcOps ops = {
    .size = sizeof(GcOps), .moves_objects = true,
    .start = start, .stop = stop, .adopt = adopt, .extended = extended, .trim = trim,
    .allocate = allocate, .take_buffer = take_buffer, .return_buffer = return_buffer,
    .free = free_object, .collect = collect, .barrier = barrier, .make_walkable = make_walkable,
    .statistics = statistics,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_GC, WORD_BITS),
    .name = "slide", .version = "1", .licence = "MIT",
    .summary = "the smallest collector that moves objects: an example",
    .vtable_abi = OSVM_GC_ABI, .vtable = &ops, .vtable_size = sizeof ops,
    .state_size = sizeof(Slide), .state_version = 1,
};
