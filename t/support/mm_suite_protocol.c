/* What only a collector sees: the mock collector drives the protocol and looks at all of it
 * (mock_gc.c); here is what makes it see something. */
#include "mm_suite.h"

enum { MIB = 1 << 20 };

static MockGc *mock(void)
{
    return mock_gc(rig.gc_user.state);
}

static Oop new_class(unsigned fixed)
{
    Oop class = new_object(false, MOCK_CLASS_SLOTS, FORMAT_FIXED, MOCK_METACLASS);
    heap_store(heap, class, CLASS_FORMAT, small_integer_oop((SWord)(FORMAT_FIXED << 16 | fixed)));
    return class;
}

/* Of everything that is special to a collection: some that lives and some that does not. */
static void populate(void)
{
    size_t keep = mock_root_push(rig.host, new_array(true, 400));
    for (Word i = 0; i < 100; i++) {
        bool live = i % 3 == 0, old = i % 2;
        Oop key = new_pair(heap->nil, heap->nil), class = new_class(1);
        Oop ephemeron = new_object(old, 3, FORMAT_EPHEMERON, MOCK_EPHEMERON);
        heap_store(heap, ephemeron, 0, key);
        heap_store(heap, ephemeron, 1, new_pair(key, heap->nil));
        Oop weak = new_object(old, 4, FORMAT_WEAK, MOCK_WEAK);
        heap_store(heap, weak, 0, new_pair(heap->nil, heap->nil));
        heap_store(heap, weak, 1, key);
        heap_store(heap, weak, 2, class);
        Word index = rig.mm->ops->class_enter(rig.mm, class);
        Oop instance = new_object(old, 1, FORMAT_FIXED, index);
        Oop array = mock_root(rig.host, keep);
        heap_store(heap, array, 4 * i, live ? key : heap->nil);
        heap_store(heap, array, 4 * i + 1, ephemeron);
        heap_store(heap, array, 4 * i + 2, weak);
        heap_store(heap, array, 4 * i + 3, i % 4 ? instance : heap->nil);
        if (i % 10 == 5)
            become_one(key, new_pair(heap->nil, heap->nil), BECOME_ONE_WAY);
    }
}

static void a_full_collection(void)
{
    suite_open(32 * MIB, &(MmConfig){.new_finalization = true});
    for (int round = 0; round < 4; round++) {
        populate();
        rig.mm->ops->collect_full(rig.mm);
        is_int(mock()->breaches, 0, "collection %d keeps the rules", round + 1);
        if (mock()->breaches)
            printf("#   %s\n", mock()->breach);
        is_int(mm_rig_check(&rig), 0, "  the heap is sound");
        mock()->breaches = 0;
        if (round == 1)
            while (rig.mm->ops->next_mourner(rig.mm))
                ;
    }
    is_int(mock()->collections, 4, "  each collects once");
    suite_close("the protocol");
}

/* Old space is full: the young ones stay where they are, and are marked there. */
static void with_a_crowded_new_space(void)
{
    suite_open(16 * MIB, &(MmConfig){.eden_bytes = 128 << 10, .max_heap = MIB});
    populate();
    size_t root = mock_root_push(rig.host, heap->nil);
    for (Oop node; (node = new_object(true, 3, FORMAT_FIXED, MOCK_FIXED));) {
        heap_store(heap, node, 0, mock_root(rig.host, root));
        mock_root_set(rig.host, root, node);
    }
    size_t young = mock_root_push(rig.host, heap->nil);
    for (int i = 0; i < 200; i++)
        mock_root_set(rig.host, young, new_pair(mock_root(rig.host, young), heap->nil));
    rig.mm->ops->collect_full(rig.mm);
    is_int(mock()->breaches, 0, "a collection with young objects in it keeps the rules");
    if (mock()->breaches)
        printf("#   %s\n", mock()->breach);
    is_int(mm_rig_check(&rig), 0, "  the heap is sound");
    Word length = 0;
    for (Oop node = mock_root(rig.host, young); node != heap->nil; node = object_slot(node, 0))
        length++;
    is_int(length, 200, "  none of them is lost");
    mock_root_set(rig.host, root, heap->nil);
    rig.mm->ops->collect_full(rig.mm);
    rig.mm->ops->collect_full(rig.mm);
    is_int(mm_rig_check(&rig), 0, "  and when there is room again, it is sound");
    suite_close("a crowded new space");
}

static void a_collector_that_refuses(void)
{
    suite_open(16 * MIB, NULL);
    populate();
    mock()->refuses = true;
    uint64_t refused = statistics_now().refused;
    rig.mm->ops->collect_full(rig.mm);
    rig.mm->ops->collect_full(rig.mm);
    is_int(statistics_now().refused - refused, 2, "refused collections are counted");
    is_int(mm_rig_check(&rig), 0, "  the heap is sound");
    mock()->refuses = false;
    rig.mm->ops->collect_full(rig.mm);
    is_int(mm_rig_check(&rig), 0, "  and after one that was not refused");
    suite_close("refusals");
}

/* While heap->marking is set the collector hears of every reference that is put into an old object. */
static void the_marking_barrier(void)
{
    suite_open(16 * MIB, NULL);
    Oop x = new_array(true, 2), y = new_array(true, 2), z = new_array(true, 5), u = new_array(true, 1);
    for (Word i = 0; i < 2; i++) {
        heap_store(heap, x, i, u);
        heap_store(heap, y, i, z);
    }
    size_t root = mock_root_push(rig.host, x);
    mock_root_push(rig.host, y);
    mock_root_push(rig.host, z);
    heap->marking = 1;
    unsigned before = mock()->barriers;
    heap_store(heap, x, 0, z);
    is_int(mock()->barriers, before + 1, "a marking collector hears of a store");
    before = mock()->barriers;
    become_one(mock_root(rig.host, root), mock_root(rig.host, root + 1), BECOME_TWO_WAY);
    ok(mock()->barriers >= before + 4, "and of what a become puts into old objects");
    before = mock()->barriers;
    become_one(mock_root(rig.host, root + 1), mock_root(rig.host, root + 2), BECOME_TWO_WAY);
    ok(mock()->barriers > before, "also where they are of different lengths");
    heap->marking = 0;
    suite_close("the marking barrier");
}

void mm_suite_protocol(void)
{
    a_full_collection();
    with_a_crowded_new_space();
    a_collector_that_refuses();
    the_marking_barrier();
}
