/* When to collect, and full collections.
 *
 * A full collection empties new space into old space as far as that has room (what
 * is left is marked in place, and tenured afterwards),
 * gives all objects the canonical index of their class if it must, and has the
 * collector mark and reclaim. The collector comes back to visit_roots and, when
 * its strong tracing is done, to finish_tracing (fixpoint.c).
 */
#include "osvm/plugin.h"
#include "spur.h"

/* ---- Pauses ---- */

Pause pause_begin(MmSpur *m)
{
    m->pauses++;
    return (Pause){m->mm.heap->host->now(m->mm.heap), m->stats, m->moved_objects, m->moved_bytes};
}

static void tell_host(MmSpur *m, const Pause *pause, uint64_t time)
{
    const HeapHost *host = m->mm.heap->host;
    const MmStatistics *now = &m->stats, *before = &pause->before;
    bool full = now->full_collections != before->full_collections;
    if (!OSVM_HAS(host, collected) || !host->collected)
        return;
    host->collected(m->mm.heap, &(HeapPause){
        .size = sizeof(HeapPause),
        .full = full,
        .start = pause->started,
        .time = time,
        .scavenge_time = full ? now->scavenge_time - before->scavenge_time : time,
        .mark_time = now->mark_time - before->mark_time,
        .sweep_time = now->sweep_time - before->sweep_time,
        .compact_time = now->compact_time - before->compact_time,
        .scavenges = now->scavenges - before->scavenges,
        .survived_bytes = now->survived_bytes - before->survived_bytes,
        .tenured_objects = now->tenured_objects - before->tenured_objects,
        .tenured_bytes = now->tenured_bytes - before->tenured_bytes,
        .moved_objects = m->moved_objects - pause->moved_objects,
        .moved_bytes = m->moved_bytes - pause->moved_bytes,
    });
}

uint64_t pause_end(MmSpur *m, Pause pause)
{
    uint64_t time = m->mm.heap->host->now(m->mm.heap) - pause.started;
    if (time > m->stats.longest_pause)
        m->stats.longest_pause = time;
    if (--m->pauses == 0)
        tell_host(m, &pause, time);
    return time;
}

/* ---- Roots ---- */

void collect_visit_outside(MmSpur *m, SlotVisitor visit, void *context)
{
    Heap *heap = m->mm.heap;
    heap->host->visit_roots(heap, visit, context);
    for (size_t i = m->mourner_head; i < m->mourners.count; i++)
        visit(context, &m->mourners.items[i]);
}

void collect_visit_roots(Mm *mm, SlotVisitor visit, void *context)
{
    Heap *heap = mm->heap;
    collect_visit_outside(mm_spur(mm), visit, context);
    visit(context, &heap->nil);
    visit(context, &heap->false_object);
    visit(context, &heap->true_object);
    visit(context, &heap->hidden_roots);
    Word *roots = object_slots(heap->hidden_roots);
    for (Word i = 0; i < HIDDEN_ROOTS_SLOTS; i++)
        if (roots[i] != heap->nil)
            visit(context, &roots[i]);
    Word *page = object_slots(roots[0]);
    for (Word i = 0; i < CLASS_PAGE_SIZE; i++)
        visit(context, &page[i]);
}

void collect_visit_all_references(Mm *mm, SlotVisitor visit, void *context)
{
    Heap *heap = mm->heap;
    collect_visit_outside(mm_spur(mm), visit, context);
    for (size_t i = 0; i < heap->remembered_count; i++)
        visit(context, &heap->remembered[i]);
}

/* ---- Full collections ---- */

static void clear_marks(MmSpur *m, Oop object, void *context)
{
    if (is_forwarded(object))
        walk_bury(object);
    else
        *header_at(object) &= ~(HEADER_MARKED | HEADER_GREY);
}

/* The collector replaced references to old forwarders, some of which led to young
 * objects: what refers to those now may not be remembered yet. */
static void remember_followed(Heap *heap)
{
    heap->gc->ops->make_walkable(heap->gc);
    for (Oop object = object_at_start(heap->old_start); object < heap->old_end;
         object = heap_next_object(object, heap->old_end))
        if (object_class_index(object) != CLASS_FREE)
            allocate_remember_if_needed(heap, object);
}

static void clear_class_marks(MmSpur *m)
{
    size_t bytes = (size_t)m->mm.heap->class_table_pages << CLASS_PAGE_BITS;
    memset(m->class_marks, 0, bytes);
    memset(m->class_traced, 0, bytes);
}

static void count_collection(MmSpur *m, const GcResult *result)
{
    m->stats.full_collections++;
    m->stats.refused += result->refused;
    m->stats.mark_time += result->mark_time;
    m->stats.sweep_time += result->sweep_time;
    m->stats.compact_time += result->compact_time;
    m->moved_objects += result->moved_objects;
    m->moved_bytes += result->moved_bytes;
}

static void run_collector(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    GcResult result = {0};
    clear_class_marks(m);
    heap->host->flush_caches(heap);
    heap->gc->ops->collect(heap->gc, &result);
    if (!result.refused && !walk_young_is_empty(m)) {
        walk_young(m, clear_marks, NULL);
        remember_followed(heap);
    }
    count_collection(m, &result);
}

void collect_full(Mm *mm)
{
    MmSpur *m = mm_spur(mm);
    Pause pause = pause_begin(m);
    scavenge(mm, TENURE_ALL);
    if (m->class_duplicates)
        class_table_normalise(m);
    run_collector(m);
    if (!walk_young_is_empty(m))
        scavenge(mm, TENURE_ALL);
    space_shrink(m);
    m->used_after_full = space_old_used(m);
    m->full_due = false;
    m->allocated_old = 0;
    m->stats.full_collection_time += pause_end(m, pause);
}

/* ---- When ---- */

bool collect_is_due(Mm *mm)
{
    return mm_spur(mm)->collection_due;
}

static bool has_grown_enough(MmSpur *m)
{
    Word used = space_old_used(m), before = m->used_after_full;
    if (used <= before)
        return false;
    Word growth = used - before;
    return (double)growth > (double)before * m->growth_ratio && growth > m->config.grow_headroom;
}

void collect_if_due(Mm *mm)
{
    MmSpur *m = mm_spur(mm);
    if (!m->collection_due)
        return;
    scavenge(mm, TENURE_BY_AGE);
    if (m->full_due || has_grown_enough(m))
        collect_full(mm);
}

static bool has_room(MmSpur *m, Word bytes)
{
    Heap *heap = m->mm.heap;
    GcStatistics statistics;
    heap->gc->ops->statistics(heap->gc, &statistics);
    return statistics.largest_free >= bytes || space_grow(m, bytes);
}

bool collect_make_room(Mm *mm, Word bytes)
{
    MmSpur *m = mm_spur(mm);
    if (bytes > mm->heap->old_limit - mm->heap->old_start)
        return false;
    if (has_room(m, bytes))
        return true;
    collect_full(mm);
    return has_room(m, bytes);
}
