#include "mm_suite.h"

MmSuite suite;
MmRig rig;
Heap *heap;

void suite_open(size_t region, const MmConfig *config)
{
    MmRigSetup setup = suite.setup;
    setup.region = region;
    setup.config = config ? *config : (MmConfig){0};
    if (mm_rig_make(&rig, &setup) && mm_rig_start(&rig) && mm_rig_load(&rig)) {
        heap = rig.heap;
        return;
    }
    printf("Bail out! %s: %s\n", suite.label, rig.error);
    exit(255);
}

void suite_close(const char *what)
{
    if (suite.mock) {
        MockGc *mock = mock_gc(rig.gc_user.state);
        ok(!mock->breaches, "%s: the collector saw no breach of the rules", what);
        if (mock->breaches)
            printf("#   %u times; first: %s\n", mock->breaches, mock->breach);
    }
    is_int(mm_rig_close(&rig), 0, "%s: stopped, it has given back what it had", what);
}

Oop new_object(bool old, Word slots, unsigned format, Word class_index)
{
    Oop object = old ? rig.mm->ops->allocate_old(rig.mm, slots, format, class_index)
                     : heap_allocate(heap, slots, format, class_index);
    if (!object)
        return NO_OOP;
    if (format_is_pointers(format))
        object_fill(object, 0, slots, heap->nil);
    else
        memset(object_slots(object), 0, body_bytes_for_slots(slots));
    if (format_is_code(format))
        object_slots(object)[0] = small_integer_oop(0);
    return object;
}

Oop new_array(bool old, Word slots)
{
    return new_object(old, slots, FORMAT_INDEXABLE, CLASS_ARRAY);
}

Oop new_pair(Oop a, Oop b)
{
    Oop pair = new_object(false, 3, FORMAT_FIXED, MOCK_FIXED);
    if (pair) {
        heap_store(heap, pair, 0, a);
        heap_store(heap, pair, 1, b);
    }
    return pair;
}

Oop array_of(Oop element)
{
    Oop array = new_array(false, 1);
    heap_store(heap, array, 0, element);
    return array;
}

int become_one(Oop x, Oop y, BecomeKind kind)
{
    return rig.mm->ops->become(rig.mm, array_of(x), array_of(y), kind);
}

MmStatistics statistics_now(void)
{
    MmStatistics statistics;
    memset(&statistics, 0xA5, sizeof statistics);
    rig.mm->ops->statistics(rig.mm, &statistics);
    return statistics;
}

/* A collector that has nothing to say when nothing can be reclaimed does collect. */
static bool collector_reclaims(void)
{
    suite_open(16 << 20, NULL);
    rig.mm->ops->collect_full(rig.mm);
    bool reclaims = statistics_now().refused == 0;
    mm_rig_close(&rig);
    return reclaims;
}

void mm_suite_run(void)
{
    suite.reclaims = collector_reclaims();
    mm_suite_start();
    mm_suite_spaces();
    mm_suite_weak();
    mm_suite_become();
    mm_suite_facts();
    if (suite.mock)
        mm_suite_protocol();
    mm_suite_random();
}
