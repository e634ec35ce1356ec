/* The weak and ephemeron fixpoint, and the liveness of classes.
 *
 * Tracing reports weak objects and ephemerons it meets. When strong tracing is
 * done, this file repeats until nothing changes:
 *
 *   - the class of every class index that was met lives (full collections);
 *   - an ephemeron whose key lives is an ordinary object: its fields live;
 *   - if neither happened and ephemerons are left, their keys are reachable
 *     through ephemerons only: all of them fire. They join the queue of mourners
 *     in the order of their addresses (tracing may have found them in any order),
 *     become ordinary objects, and their fields live.
 *
 * Each step may find more of each kind. Only then weak slots whose referents do
 * not live become nil; so an object that an ephemeron has saved is not missing
 * from any weak object.
 *
 * What a slot refers to may be forwarded: by become, or, in a scavenge, because
 * the referent has been copied. follow() copes with both.
 */
#include "spur.h"

void fixpoint_found_weak(Mm *mm, Oop object)
{
    oop_list_push(mm_spur(mm), &mm_spur(mm)->weaklings, object);
}

void fixpoint_found_ephemeron(Mm *mm, Oop object)
{
    oop_list_push(mm_spur(mm), &mm_spur(mm)->ephemerons, object);
}

uint8_t *fixpoint_class_marks(Mm *mm)
{
    return mm_spur(mm)->class_marks;
}

Word weak_strong_fields(const Heap *heap, Oop object)
{
    Word fixed = heap_fixed_fields(heap, object), slots = object_slot_count(object);
    return fixed < slots ? fixed : slots;
}

static bool lives(Tracer *tracer, Oop oop)
{
    oop = follow(oop);
    return is_immediate(oop) || tracer->is_live(tracer, oop);
}

static void make_slot_live(Tracer *tracer, Oop *slot)
{
    if (is_object(*slot))
        tracer->make_live(tracer, slot);
}

/* ---- Classes ---- */

static bool trace_class_page(MmSpur *m, Tracer *tracer, Word page)
{
    Oop *slots = object_slots(object_slot(m->mm.heap->hidden_roots, page));
    const uint8_t *marks = m->class_marks + (page << CLASS_PAGE_BITS);
    uint8_t *traced = m->class_traced + (page << CLASS_PAGE_BITS);
    bool found = false;
    for (Word i = 0; i < CLASS_PAGE_SIZE; i += 8) {
        uint64_t marked, done;
        memcpy(&marked, marks + i, 8);
        memcpy(&done, traced + i, 8);
        if (marked == done)
            continue;
        for (Word j = i; j < i + 8; j++)
            if (marks[j] != traced[j]) {
                traced[j] = marks[j];
                make_slot_live(tracer, &slots[j]);
                found = true;
            }
    }
    return found;
}

static bool trace_classes(MmSpur *m, Tracer *tracer)
{
    bool found = false;
    for (Word page = 0; page < m->mm.heap->class_table_pages; page++)
        found |= trace_class_page(m, tracer, page);
    return found;
}

/* ---- Ephemerons ---- */

static void trace_fields(MmSpur *m, Tracer *tracer, Oop ephemeron)
{
    Word slots = object_slot_count(ephemeron);
    for (Word i = 0; i < slots; i++)
        make_slot_live(tracer, &object_slots(ephemeron)[i]);
    allocate_remember_if_needed(m->mm.heap, ephemeron);
}

static bool trace_if_key_lives(MmSpur *m, Tracer *tracer, size_t i)
{
    Oop ephemeron = m->ephemerons.items[i];
    if (!lives(tracer, object_slot(ephemeron, 0)))
        return false;
    trace_fields(m, tracer, ephemeron);
    m->ephemerons.items[i] = NO_OOP;
    return true;
}

static void drop_traced_ephemerons(OopList *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i])
            list->items[kept++] = list->items[i];
    list->count = kept;
}

/* One pass over the ephemerons. Passes alternate in direction, so that chains in
 * either order of the list take two of them. */
static bool trace_ephemerons(MmSpur *m, Tracer *tracer)
{
    bool found = false;
    m->ephemerons_backward = !m->ephemerons_backward;
    if (m->ephemerons_backward)
        for (size_t i = 0; i < m->ephemerons.count; i++)
            found |= trace_if_key_lives(m, tracer, i);
    else
        for (size_t i = m->ephemerons.count; i-- > 0;)
            found |= trace_if_key_lives(m, tracer, i);
    if (found)
        drop_traced_ephemerons(&m->ephemerons);
    return found;
}

static int compare_addresses(const void *a, const void *b)
{
    Oop x = *(const Oop *)a, y = *(const Oop *)b;
    return (x > y) - (x < y);
}

/* None of the keys lives: they all fire at once. Tracing the first one's fields
 * may report more ephemerons; those wait for their turn. */
static bool fire_ephemerons(MmSpur *m, Tracer *tracer)
{
    OopList *list = &m->ephemerons;
    size_t count = list->count;
    if (!count)
        return false;
    qsort(list->items, count, sizeof(Oop), compare_addresses);
    for (size_t i = 0; i < count; i++) {
        Header *header = header_at(list->items[i]);
        *header = (*header & ~HEADER_FORMAT_MASK) | (Header)FORMAT_FIXED << HEADER_FORMAT_SHIFT;
        mourner_add(m, list->items[i]);
    }
    for (size_t i = 0; i < count; i++)
        trace_fields(m, tracer, list->items[i]);
    memmove(list->items, list->items + count, (list->count - count) * sizeof(Oop));
    list->count -= count;
    m->mm.heap->host->finalization_pending(m->mm.heap, (Word)count);
    return true;
}

/* ---- Weak objects ---- */

/* Answers whether an element was lost. */
static bool clear_weak_slots(MmSpur *m, Tracer *tracer, Oop object)
{
    Heap *heap = m->mm.heap;
    Word *slots = object_slots(object);
    Word end = object_slot_count(object);
    bool lost = false;
    for (Word i = weak_strong_fields(heap, object); i < end; i++) {
        if (is_immediate(slots[i]))
            continue;
        Oop referent = follow(slots[i]);
        if (is_object(referent)) {
            if (tracer->is_live(tracer, referent))
                referent = tracer->current(tracer, referent);
            else {
                referent = heap->nil;
                lost = true;
            }
        }
        slots[i] = referent; /* NOBARRIER: B3 */
    }
    allocate_remember_if_needed(heap, object);
    return lost;
}

static bool is_queued(const MmSpur *m, size_t end, Oop object)
{
    for (size_t i = m->mourner_head; i < end; i++)
        if (follow(m->mourners.items[i]) == object)
            return true;
    return false;
}

/* A weak object waits in the queue at most once. It is reported once in a
 * collection, so only what was queued before can be the same. */
static void queue_weak(MmSpur *m, size_t end, Oop object)
{
    if (m->config.new_finalization && !is_queued(m, end, object))
        mourner_add(m, object);
}

static void clear_weaklings(MmSpur *m, Tracer *tracer)
{
    Heap *heap = m->mm.heap;
    Word losers = 0;
    if (m->config.new_finalization && m->weaklings.count) /* they may enter the queue */
        qsort(m->weaklings.items, m->weaklings.count, sizeof(Oop), compare_addresses);
    size_t queued = m->mourners.count;
    for (size_t i = 0; i < m->weaklings.count; i++)
        if (clear_weak_slots(m, tracer, m->weaklings.items[i])) {
            losers++;
            queue_weak(m, queued, m->weaklings.items[i]);
        }
    m->weaklings.count = 0;
    if (losers)
        heap->host->finalization_pending(heap, losers);
}

/* ---- The end of a full collection's tracing ---- */

static void drop_dead_remembered(Heap *heap, Tracer *tracer)
{
    size_t kept = 0;
    for (size_t i = 0; i < heap->remembered_count; i++)
        if (tracer->is_live(tracer, heap->remembered[i]) && !is_forwarded(heap->remembered[i]))
            heap->remembered[kept++] = heap->remembered[i];
    heap->remembered_count = kept;
}

/* A dead young object may hold references that dangle from now on. Forwarders are
 * needed until the collector has replaced what refers to them. */
static void bury_if_dead(MmSpur *m, Oop object, void *context)
{
    Tracer *tracer = context;
    if (!is_forwarded(object) && !tracer->is_live(tracer, object))
        walk_bury(object);
}

void fixpoint_finish_full(Mm *mm, Tracer *tracer)
{
    MmSpur *m = mm_spur(mm);
    do
        tracer->is_live(tracer, mm->heap->nil); /* ends tracing that was put off (G3) */
    while (((int)trace_classes(m, tracer) | (int)trace_ephemerons(m, tracer)) ||
           fire_ephemerons(m, tracer));
    clear_weaklings(m, tracer);
    class_table_reclaim(m, tracer);
    drop_dead_remembered(mm->heap, tracer);
    walk_young(m, bury_if_dead, tracer);
}

void fixpoint_finish_scavenge(MmSpur *m, Tracer *tracer)
{
    if (m->ephemerons.count)
        while (trace_ephemerons(m, tracer) || fire_ephemerons(m, tracer))
            ;
    if (m->weaklings.count)
        clear_weaklings(m, tracer);
}
