/* gc-minimal: the smallest honest collector. Marks with one bit for each 8 bytes, then
 * makes one free chunk of each run of dead memory. Nothing moves.
 *
 * docs/new-collector.md leads here step by step:
 *   1 the descriptor, at the end   2 free memory   3 allocation   4 marking
 *   5 the fixpoint                 6 sweeping      7 growing and shrinking
 */
#include "osvm/gc.h"
#include "osvm/plugin.h"

typedef struct {
    Gc gc; /* first */

    /* ---- free memory ---- */
    Oop chunks;       /* the first free chunk; slot 0 of each holds the next, NO_OOP ends */
    Word free_bytes;  /* in all of them */
    Word free_chunks;
    uint64_t allocations;

    /* ---- during a collection ---- */
    Tracer tracer;    /* what the memory manager's fixpoint gets */
    uint8_t *classes; /* the manager's class marks: asked for once in a collection */
    uint8_t *marks;   /* a bit for each 8 bytes of [new_start, old_end) */
    Oop *stack;       /* marked objects whose slots are still to be looked at */
    size_t depth;
    uint64_t live;
} Minimal;

/* ---- 2: free memory ---- */

static void add_chunk(Minimal *m, Word start, Word end)
{
    if (start == end)
        return;
    Oop chunk = free_chunk_write(start, end);
    object_slots(chunk)[0] = m->chunks;
    m->chunks = chunk;
    m->free_bytes += end - start;
    m->free_chunks++;
}

/* Takes the chunk that `link` names off the list. */
static void remove_chunk(Minimal *m, Oop *link)
{
    m->free_bytes -= object_size(*link);
    m->free_chunks--;
    *link = object_slot(*link, 0);
}

static bool is_marked(const Minimal *m, Oop object)
{
    size_t bit = (object - m->gc.heap->new_start) / OBJECT_ALIGNMENT;
    return m->marks[bit / 8] >> bit % 8 & 1;
}

/* Finds free memory anew: runs of chunks and, if `sweeping`, of objects not marked. */
static void find_chunks(Minimal *m, Word limit, bool sweeping)
{
    Word run = m->gc.heap->old_start, end;
    m->chunks = NO_OOP;
    m->free_bytes = m->free_chunks = 0;
    for (Word start = run; start < limit; start = end) {
        Oop object = object_at_start(start);
        end = object_end(object);
        if (object_class_index(object) == CLASS_FREE || (sweeping && !is_marked(m, object)))
            continue;
        add_chunk(m, run, start);
        run = end;
    }
    add_chunk(m, run, m->gc.heap->old_end);
}

static bool minimal_start(Gc *gc, char *error, size_t error_size)
{
    find_chunks((Minimal *)gc, gc->heap->old_start, false);
    return true;
}

static void minimal_stop(Gc *gc) {}

static void minimal_adopt(Gc *gc, Word used_end)
{
    find_chunks((Minimal *)gc, used_end, false);
}

/* ---- 3: allocation: the first chunk that is large enough ---- */

static Word minimal_allocate(Gc *gc, Word bytes)
{
    Minimal *m = (Minimal *)gc;
    for (Oop *link = &m->chunks; *link; link = object_slots(*link)) {
        Word size = object_size(*link), start = object_start(*link);
        if (size != bytes && size < bytes + SMALLEST_OBJECT)
            continue; /* what is left over must be able to stand alone */
        remove_chunk(m, link);
        add_chunk(m, start + bytes, start + size);
        m->allocations++;
        return start;
    }
    return 0;
}

static bool minimal_take_buffer(Gc *gc, Word least, Word wanted, Word *start, Word *end)
{
    Word bytes = wanted > least ? (wanted + 7) & ~(Word)7 : least;
    *start = minimal_allocate(gc, bytes);
    if (!*start)
        *start = minimal_allocate(gc, bytes = least);
    *end = *start + bytes;
    return *start != 0;
}

static void minimal_return_buffer(Gc *gc, Word start, Word end)
{
    add_chunk((Minimal *)gc, start, end);
}

static void minimal_free(Gc *gc, Oop object)
{
    add_chunk((Minimal *)gc, object_start(object), object_end(object));
}

/* ---- 4: marking ---- */

/* Marks an object. The stack has room for all there can be. */
static void mark(Minimal *m, Oop object, bool scan)
{
    size_t bit = (object - m->gc.heap->new_start) / OBJECT_ALIGNMENT;
    if (is_marked(m, object))
        return;
    m->marks[bit / 8] |= (uint8_t)(1 << bit % 8);
    m->classes[object_class_index(object)] = 1;
    m->live++;
    if (scan)
        m->stack[m->depth++] = object;
}

/* A slot holds a reference, perhaps to a forwarder: that is replaced (G2). */
static void mark_slot(void *context, Oop *slot)
{
    *slot = follow(*slot);
    if (is_object(*slot))
        mark(context, *slot, true);
}

/* Strong slots are traced; the memory manager sees to the others (G3). */
static void scan(Minimal *m, Oop object)
{
    Mm *mm = m->gc.heap->mm;
    unsigned format = object_format(object);
    Word first, end;
    heap_pointer_slots(m->gc.heap, object, &first, &end);
    if (format == FORMAT_WEAK)
        end = heap_fixed_fields(m->gc.heap, object);
    else if (format == FORMAT_EPHEMERON && is_object(object_slot(object, 0)))
        end = 0;
    for (Word i = first; i < end; i++)
        mark_slot(m, &object_slots(object)[i]);
    if (format == FORMAT_WEAK)
        mm->ops->found_weak(mm, object);
    else if (format == FORMAT_EPHEMERON && !end)
        mm->ops->found_ephemeron(mm, object);
}

static void trace(Minimal *m)
{
    while (m->depth)
        scan(m, m->stack[--m->depth]);
}

/* ---- 5: what the fixpoint asks ---- */

#define OF_TRACER(tracer) ((Minimal *)((char *)(tracer)-offsetof(Minimal, tracer)))

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

/* ---- 6: a collection ---- */

/* nil to the hidden roots, and the pages of the class table: they live always, and their
 * slots are the memory manager's business (G1). */
static void mark_fixed(Minimal *m)
{
    Heap *heap = m->gc.heap;
    for (Oop object = object_at_start(heap->old_start); object <= heap->hidden_roots;
         object = object_at_start(object_end(object)))
        mark(m, object, false);
    for (Word page = 0; page < heap->class_table_pages; page++)
        mark(m, object_slot(heap->hidden_roots, page), false);
}

static void mark_everything(Minimal *m)
{
    Mm *mm = m->gc.heap->mm;
    m->classes = mm->ops->class_marks(mm);
    m->live = 0;
    m->tracer = (Tracer){tracer_is_live, tracer_make_live, tracer_current};
    mark_fixed(m);
    mm->ops->visit_roots(mm, mark_slot, m);
    trace(m);
    mm->ops->finish_tracing(mm, &m->tracer);
}

static void minimal_collect(Gc *gc, GcResult *result)
{
    Minimal *m = (Minimal *)gc;
    Heap *heap = gc->heap;
    /* The host commits this lazily: only what is touched costs memory. */
    size_t granules = (heap->old_end - heap->new_start) / OBJECT_ALIGNMENT;
    size_t stack_bytes = granules / 2 * sizeof(Oop), bytes = stack_bytes + granules / 8 + 1;
    m->stack = heap->host->side_table_reserve(heap, bytes);
    *result = (GcResult){.refused = !m->stack};
    if (!m->stack)
        return;
    m->marks = (uint8_t *)m->stack + stack_bytes;
    uint64_t start = heap->host->now(heap);
    mark_everything(m);
    result->mark_time = heap->host->now(heap) - start;
    find_chunks(m, heap->old_end, true);
    result->sweep_time = heap->host->now(heap) - start - result->mark_time;
    result->live_objects = m->live;
    result->live_bytes = heap->old_end - heap->old_start - m->free_bytes;
    heap->host->side_table_release(heap, m->stack, bytes);
}

/* heap->marking is never set, and old space is walkable all the time. */
static void minimal_barrier(Gc *gc, Oop object, Oop value) {}
static void minimal_make_walkable(Gc *gc) {}

/* ---- 7: growing, shrinking, facts ---- */

static void minimal_extended(Gc *gc, Word from)
{
    add_chunk((Minimal *)gc, from, gc->heap->old_end);
}

/* The chunk at the end of old space is given up, but for what is to be kept. */
static Word minimal_trim(Gc *gc, Word keep)
{
    Minimal *m = (Minimal *)gc;
    Word end = gc->heap->old_end, page = gc->heap->page_size;
    for (Oop *link = &m->chunks; *link; link = object_slots(*link)) {
        Word start = object_start(*link), least = start + SMALLEST_OBJECT;
        if (object_end(*link) != end || m->free_bytes <= keep)
            continue;
        Word surplus = m->free_bytes - keep, rest = surplus < end - least ? end - surplus : least;
        rest = (rest + page - 1) / page * page;
        if (rest >= end)
            return end;
        remove_chunk(m, link);
        add_chunk(m, start, rest);
        return rest;
    }
    return end;
}

static void minimal_statistics(Gc *gc, GcStatistics *statistics)
{
    Minimal *m = (Minimal *)gc;
    *statistics = (GcStatistics){.free_bytes = m->free_bytes, .free_chunks = m->free_chunks,
                                 .allocations = m->allocations};
    for (Oop chunk = m->chunks; chunk; chunk = object_slot(chunk, 0))
        if (object_size(chunk) > statistics->largest_free)
            statistics->largest_free = object_size(chunk);
}

/* ---- 1: who we are ---- */

static const GcOps ops = {
    .size = sizeof(GcOps), .moves_objects = false,
    .start = minimal_start, .stop = minimal_stop, .adopt = minimal_adopt,
    .extended = minimal_extended, .trim = minimal_trim, .allocate = minimal_allocate,
    .take_buffer = minimal_take_buffer, .return_buffer = minimal_return_buffer,
    .free = minimal_free, .collect = minimal_collect, .barrier = minimal_barrier,
    .make_walkable = minimal_make_walkable, .statistics = minimal_statistics,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_GC, WORD_BITS),
    .name = "minimal", .version = "1", .licence = "MIT",
    .summary = "the smallest honest collector: an example",
    .vtable_abi = OSVM_GC_ABI, .vtable = &ops, .vtable_size = sizeof ops,
    .state_size = sizeof(Minimal), .state_version = 1,
};
