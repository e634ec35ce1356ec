/* Policies of mm-spur that no contract asks for: what is born old, when survivors are tenured. What
 * every memory manager has to do is in heap_mm_conformance.c. */
// LINK: t/support/mock_host.c t/support/mm_rig.c t/support/plugin_user.c plugins/mm-spur/*.c plugins/gc-compact/*.c plugins/gc/*.c
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

static void large_objects_are_born_old(void)
{
    MmRig rig;
    mm_rig_open(&rig, 64 << 20, NULL);
    Heap *heap = rig.heap;
    ok(heap_is_old(heap, heap_new_pointers(heap, 65536, FORMAT_INDEXABLE, CLASS_ARRAY)),
       "an object of 65536 slots is born old");
    ok(heap_is_young(heap, heap_new_pointers(heap, 300, FORMAT_INDEXABLE, CLASS_ARRAY)),
       "one with an overflow header is born young");
    mm_rig_close(&rig);
}

/* One poll is asked for; what is allocated until then goes to the reserve, then to old space. */
static void the_reserve(void)
{
    MmRig rig;
    mm_rig_open(&rig, 64 << 20, NULL);
    Heap *heap = rig.heap;
    unsigned polls = rig.host->polls_requested;
    while (heap->eden_limit - heap->eden_free >= 64)
        heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    Oop object = NO_OOP;
    for (int i = 0; i < 100; i++)
        object = heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    ok(heap_is_young(heap, object), "beyond the limit allocation goes on in the reserve");
    for (int i = 0; i < 30000; i++)
        object = heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    ok(heap_is_old(heap, object), "and after the reserve, in old space");
    is_int(rig.host->polls_requested, polls + 1, "one poll has been asked for");
    mm_rig_close(&rig);
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

static void the_remembered_set_shrinks(void)
{
    MmRig rig;
    mm_rig_open(&rig, 32 << 20, NULL);
    Heap *heap = rig.heap;
    Oop old = rig.mm->ops->allocate_old(rig.mm, 3, FORMAT_FIXED, MOCK_FIXED);
    object_fill(old, 0, 3, heap->nil);
    mock_root_push(rig.host, old);
    heap_store(heap, old, 0, new_pair(heap, heap->nil, heap->nil));
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    is_int(heap->remembered_count, 1, "an old object stays remembered while its referents are young");
    heap_store(heap, old, 0, heap->nil);
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    is_int(heap->remembered_count, 0, "it leaves when they are gone");
    ok(!(header_of(old) & HEADER_REMEMBERED), "its bit is clear");
    mm_rig_close(&rig);
}

int main(void)
{
    large_objects_are_born_old();
    the_reserve();
    survivors_are_tenured_under_pressure();
    the_remembered_set_shrinks();
    return done_testing();
}
