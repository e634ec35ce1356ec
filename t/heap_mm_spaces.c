/* New space, tenuring, old space, limits: the memory manager without surprises. */
// LINK: t/support/mock_host.c t/support/mm_rig.c plugins/mm-spur/*.c plugins/gc-compact/*.c plugins/gc/*.c
#include "support/mm_rig.h"
#include "tap.h"

static Oop new_pair(Heap *heap, Oop a, Oop b)
{
    Oop pair = heap_new_pointers(heap, 3, FORMAT_FIXED, MOCK_FIXED);
    if (pair) {
        heap_store(heap, pair, 0, a);
        heap_store(heap, pair, 1, b);
    }
    return pair;
}

static void scavenge_keeps_what_is_reached(MmRig *rig)
{
    Heap *heap = rig->heap;
    size_t root = mock_root_push(rig->host, heap->nil);
    for (int i = 0; i < 1000; i++) {
        new_pair(heap, heap->nil, heap->nil); /* garbage */
        mock_root_set(rig->host, root, new_pair(heap, small_integer_oop(i),
                                                mock_root(rig->host, root)));
    }
    rig->mm->ops->scavenge(rig->mm, TENURE_BY_AGE);
    int next = 999;
    for (Oop p = mock_root(rig->host, root); p != heap->nil; p = object_slot(p, 1), next--)
        if (object_slot(p, 0) != small_integer_oop(next))
            break;
    is_int(next, -1, "a list of 1000 survives a scavenge");
    MmStatistics statistics;
    rig->mm->ops->statistics(rig->mm, &statistics);
    is_int(statistics.survived_bytes, 1000 * object_size_for_slots(3), "and nothing but the list");
    ok(heap_is_young(heap, mock_root(rig->host, root)), "it is still young");
    is_int(mm_rig_check(rig), 0, "the heap is sound");
    rig->mm->ops->scavenge(rig->mm, TENURE_ALL);
    ok(heap_is_old(heap, mock_root(rig->host, root)), "tenuring all makes it old");
    is_int(heap->remembered_count, 0, "nothing is remembered then");
    is_int(mm_rig_check(rig), 0, "the heap is sound");
    mock_root_pop(rig->host, 1);
}

static void old_objects_are_remembered_once(MmRig *rig)
{
    Heap *heap = rig->heap;
    Oop old = rig->mm->ops->allocate_old(rig->mm, 3, FORMAT_FIXED, MOCK_FIXED);
    object_fill(old, 0, 3, heap->nil);
    size_t root = mock_root_push(rig->host, old);
    heap_store(heap, old, 0, new_pair(heap, small_integer_oop(7), heap->nil));
    heap_store(heap, old, 1, new_pair(heap, small_integer_oop(8), heap->nil));
    is_int(heap->remembered_count, 1, "two stores remember once");
    rig->mm->ops->scavenge(rig->mm, TENURE_BY_AGE);
    is_int(heap->remembered_count, 1, "it stays while its referents are young");
    ok(object_slot(object_slot(old, 1), 0) == small_integer_oop(8), "and its slots are updated");
    heap_store(heap, old, 0, heap->nil);
    heap_store(heap, old, 1, heap->nil);
    rig->mm->ops->scavenge(rig->mm, TENURE_BY_AGE);
    is_int(heap->remembered_count, 0, "it leaves when they are gone");
    ok(!(header_of(old) & HEADER_REMEMBERED), "its bit is clear");
    is_int(mm_rig_check(rig), 0, "the heap is sound");
    mock_root_set(rig->host, root, heap->nil);
    mock_root_pop(rig->host, 1);
}

static void allocation_asks_for_polls(MmRig *rig)
{
    Heap *heap = rig->heap;
    unsigned polls = rig->host->polls_requested;
    Word limit = heap->eden_limit;
    while (heap->eden_free + 64 < limit)
        heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    ok(!rig->mm->ops->collection_due(rig->mm), "below the limit nothing is due");
    Oop reserve = NO_OOP;
    for (int i = 0; i < 100; i++)
        reserve = heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    ok(heap_is_young(heap, reserve), "beyond it, allocation goes on in the reserve");
    is_int(rig->host->polls_requested, polls + 1, "one poll has been asked for");
    ok(rig->mm->ops->collection_due(rig->mm), "a collection is due");
    for (int i = 0; i < 30000; i++)
        reserve = heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    ok(heap_is_old(heap, reserve), "and after the reserve, in old space");
    rig->mm->ops->collect_if_due(rig->mm);
    ok(!rig->mm->ops->collection_due(rig->mm), "a poll settles it");
    Oop large = heap_new_pointers(heap, 65536, FORMAT_INDEXABLE, CLASS_ARRAY);
    ok(heap_is_old(heap, large), "an object of 65536 slots is born old");
    ok(heap_is_young(heap, heap_new_pointers(heap, 300, FORMAT_INDEXABLE, CLASS_ARRAY)),
       "one with an overflow header is born young");
    is_int(mm_rig_check(rig), 0, "the heap is sound");
}

static void survivors_are_tenured_under_pressure(void)
{
    MmRig rig;
    mm_rig_open(&rig, 64 << 20, &(MmConfig){.eden_bytes = 256 << 10});
    Heap *heap = rig.heap;
    MmStatistics before, after;
    for (int i = 0; i < 1500; i++)
        mock_root_push(rig.host, new_pair(heap, small_integer_oop(i), heap->nil));
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    rig.mm->ops->statistics(rig.mm, &before);
    is_int(before.tenured_objects, 0, "first, all that fits survives in new space");
    Word fits = 51 * 1024 / object_size_for_slots(3);
    for (Word i = 1500; i < fits + 10; i++)
        mock_root_push(rig.host, new_pair(heap, small_integer_oop((SWord)i), heap->nil));
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    rig.mm->ops->statistics(rig.mm, &after);
    ok(after.tenured_objects > 900, "full survivors are tenured: %" PRIu64, after.tenured_objects);
    size_t bad = 0;
    for (size_t i = 0; i < rig.host->root_count; i++)
        bad += object_slot(mock_root(rig.host, i), 0) != small_integer_oop((SWord)i);
    is_int(bad, 0, "nothing is lost");
    is_int(mm_rig_check(&rig), 0, "the heap is sound");
    mm_rig_close(&rig);
}

static void full_collection_reclaims(MmRig *rig)
{
    Heap *heap = rig->heap;
    MmStatistics before, after;
    size_t root = mock_root_push(rig->host, heap->nil);
    rig->mm->ops->collect_full(rig->mm);
    rig->mm->ops->statistics(rig->mm, &before);
    for (int i = 0; i < 50000; i++) {
        mock_root_set(rig->host, root, new_pair(heap, small_integer_oop(i),
                                                mock_root(rig->host, root)));
        if (rig->mm->ops->collection_due(rig->mm))
            rig->mm->ops->collect_if_due(rig->mm);
    }
    rig->mm->ops->scavenge(rig->mm, TENURE_ALL);
    mock_root_set(rig->host, root, heap->nil);
    rig->mm->ops->collect_full(rig->mm);
    rig->mm->ops->statistics(rig->mm, &after);
    is_int(after.old_bytes - after.old_free, before.old_bytes - before.old_free,
           "old garbage is reclaimed");
    is_int(mm_rig_check(rig), 0, "the heap is sound");
    mock_root_pop(rig->host, 1);
}

static void old_space_grows_and_shrinks(void)
{
    MmRig rig;
    mm_rig_open(&rig, WORD_BITS == 32 ? 256 << 20 : 512 << 20, NULL);
    Heap *heap = rig.heap;
    size_t root = mock_root_push(rig.host, heap->nil);
    mock_root_set(rig.host, root, heap_new_bytes(heap, 100 << 20, MOCK_BYTE_ARRAY));
    ok(mock_root(rig.host, root), "an object of 100 MB finds room");
    Word grown = heap->old_end;
    mock_root_set(rig.host, root, heap->nil);
    rig.mm->ops->collect_full(rig.mm);
    ok(heap->old_end < grown - (64 << 20), "its memory is given back");
    ok(rig.mm->ops->make_room(rig.mm, 64 << 20), "and can be had again");
    ok(!rig.mm->ops->make_room(rig.mm, 600u << 20), "but not more than there is");
    is_int(mm_rig_check(&rig), 0, "the heap is sound");
    mm_rig_close(&rig);
}

int main(void)
{
    MmRig rig;
    mm_rig_open(&rig, 128 << 20, NULL);
    is_int(mm_rig_check(&rig), 0, "an adopted image is sound");
    scavenge_keeps_what_is_reached(&rig);
    old_objects_are_remembered_once(&rig);
    allocation_asks_for_polls(&rig);
    full_collection_reclaims(&rig);
    mm_rig_close(&rig);
    survivors_are_tenured_under_pressure();
    old_space_grows_and_shrinks();
    return done_testing();
}
