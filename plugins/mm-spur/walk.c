/* Enumeration: old space in address order, then the areas of new space. */
#include "spur.h"

static bool is_normal(Oop object)
{
    return object_class_index(object) > CLASS_LAST_PUN;
}

/* The first normal object at or after `object`, below `limit`. */
static Oop first_normal(Oop object, Word limit)
{
    while (object < limit && !is_normal(object))
        object = heap_next_object(object, limit);
    return object < limit ? object : NO_OOP;
}

static Oop first_in_areas(MmSpur *m, unsigned area)
{
    for (; area < AREAS; area++) {
        const Area *a = &m->areas[area];
        if (a->free == a->start)
            continue;
        Oop object = first_normal(object_at_start(a->start), a->free);
        if (object)
            return object;
    }
    return NO_OOP;
}

Oop walk_first_object(Mm *mm)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    heap->gc->ops->make_walkable(heap->gc);
    space_sync_eden(m);
    Oop object = first_normal(object_at_start(heap->old_start), heap->old_end);
    return object ? object : first_in_areas(m, 0);
}

Oop walk_next_object(Mm *mm, Oop object)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    space_sync_eden(m);
    if (heap_is_old(heap, object)) {
        Oop next = first_normal(heap_next_object(object, heap->old_end), heap->old_end);
        return next ? next : first_in_areas(m, 0);
    }
    for (unsigned i = 0; i < AREAS; i++) {
        Word free = m->areas[i].free;
        if (area_has(&m->areas[i], object)) {
            Oop next = first_normal(heap_next_object(object, free), free);
            return next ? next : first_in_areas(m, i + 1);
        }
    }
    return NO_OOP;
}

void walk_young(MmSpur *m, void (*visit)(MmSpur *m, Oop object, void *context), void *context)
{
    space_sync_eden(m);
    for (unsigned i = 0; i < AREAS; i++) {
        const Area *area = &m->areas[i];
        if (area->free == area->start)
            continue;
        for (Oop object = object_at_start(area->start); object < area->free;
             object = heap_next_object(object, area->free))
            visit(m, object, context);
    }
}

bool walk_young_is_empty(MmSpur *m)
{
    space_sync_eden(m);
    for (unsigned i = 0; i < AREAS; i++)
        if (m->areas[i].free != m->areas[i].start)
            return false;
    return true;
}
