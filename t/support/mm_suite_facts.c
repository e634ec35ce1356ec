/* Enumeration, the queue of mourners, statistics, parameters, the leak check. */
#include "mm_suite.h"

enum { MIB = 1 << 20 };

/* ---- Enumeration ---- */

typedef struct {
    size_t count, disorder, abnormal;
} Walk;

static Walk walk_all(Oop look_for, size_t *found)
{
    Mm *mm = rig.mm;
    Walk walk = {0};
    Oop last = NO_OOP;
    for (Oop object = mm->ops->first_object(mm); object; object = mm->ops->next_object(mm, object)) {
        bool back = last && object <= last;
        bool to_young = last && heap_is_old(heap, last) && heap_is_young(heap, object);
        bool to_old = last && heap_is_young(heap, last) && heap_is_old(heap, object);
        walk.disorder += to_old || (back && !to_young);
        walk.abnormal += object_class_index(object) <= CLASS_LAST_PUN || is_forwarded(object);
        walk.count++;
        *found += object == look_for;
        last = object;
    }
    return walk;
}

static size_t times_found(Oop object)
{
    size_t found = 0;
    walk_all(object, &found);
    return found;
}

static void enumeration_is(const char *when, size_t expected)
{
    size_t found = 0;
    Walk walk = walk_all(heap->nil, &found);
    ok(!walk.disorder, "enumeration %s: in the order of addresses, old space first", when);
    ok(!walk.abnormal, "  no free chunks, puns, forwarders");
    is_int(found, 1, "  nil once");
    if (expected)
        is_int(walk.count, expected, "  as many objects as there should be");
}

static void enumeration(void)
{
    enum { PAIRS = 300 };
    suite_open(32 * MIB, NULL);
    size_t found = 0;
    rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
    size_t before = walk_all(heap->nil, &found).count;
    for (int i = 0; i < PAIRS; i++) {
        mock_root_push(rig.host, new_pair(heap->nil, heap->nil));
        mock_root_push(rig.host, new_object(true, 3, FORMAT_FIXED, MOCK_FIXED));
        mock_root_push(rig.host, new_object(false, 0, FORMAT_EMPTY, MOCK_EMPTY));
        mock_root_push(rig.host, new_array(i % 2, 300));
    }
    enumeration_is("of young and old objects", before + 4 * PAIRS);
    is_int(times_found(mock_root(rig.host, 0)), 1, "  a young one once");
    is_int(times_found(mock_root(rig.host, 1)), 1, "  an old one once");
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    enumeration_is("after a scavenge", before + 4 * PAIRS);
    Oop x = mock_root(rig.host, 0), y = mock_root(rig.host, 1);
    become_one(x, y, BECOME_ONE_WAY);
    enumeration_is("with a forwarder in the heap", 0);
    is_int(times_found(x), 0, "  which is not met");
    is_int(times_found(y), 1, "  but what it leads to is, once");
    rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
    if (suite.reclaims) {
        rig.mm->ops->collect_full(rig.mm);
        enumeration_is("after a full collection", before + 4 * PAIRS - 1);
    }
    suite_close("enumeration");
}

/* ---- Mourners ---- */

static void fire(int number)
{
    Oop ephemeron = new_object(true, 3, FORMAT_EPHEMERON, MOCK_EPHEMERON);
    mock_root_push(rig.host, ephemeron);
    heap_store(heap, ephemeron, 0, new_pair(heap->nil, heap->nil));
    heap_store(heap, ephemeron, 1, small_integer_oop(number));
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
}

static SWord number_of(Oop mourner)
{
    return mourner ? small_integer_value(object_slot(mourner, 1)) : -1;
}

static void mourners(void)
{
    suite_open(16 * MIB, NULL);
    const MmOps *ops = rig.mm->ops;
    ok(!ops->next_mourner(rig.mm) && !ops->mourner_at(rig.mm, 0), "no mourners at first");
    for (int i = 0; i < 4; i++)
        fire(i);
    is_int(rig.host->finalizations, 4, "the host is told of each that fires");
    is_int(number_of(ops->next_mourner(rig.mm)), 0, "the first comes out first");
    fire(4);
    fire(5);
    for (Word i = 0; i < 5; i++)
        is_int(number_of(ops->mourner_at(rig.mm, i)), i + 1, "  mourner %d can be looked at", (int)i);
    ok(!ops->mourner_at(rig.mm, 5) && !ops->mourner_at(rig.mm, ~(Word)0), "  past the last is none");
    Oop other = new_pair(heap->nil, small_integer_oop(100));
    size_t kept = mock_root_push(rig.host, other);
    is_int(become_one(ops->mourner_at(rig.mm, 1), other, BECOME_ONE_WAY), MM_OK, "one becomes another");
    mock_root_pop(rig.host, rig.host->root_count - kept - 1);
    for (size_t i = 0; i < kept; i++)
        mock_root_set(rig.host, i, heap->nil);
    ops->collect_full(rig.mm);
    ops->scavenge(rig.mm, TENURE_ALL);
    static const SWord expected[] = {1, 100, 3, 4, 5};
    for (int i = 0; i < 5; i++)
        is_int(number_of(ops->next_mourner(rig.mm)), expected[i], "  the queue keeps mourner %d", i);
    ok(!ops->next_mourner(rig.mm), "  then it is empty");
    suite_close("mourners");
}

/* ---- Statistics ---- */

static uint64_t no_time(Heap *of)
{
    return 0;
}

static void statistics(void)
{
    enum { PAIRS = 1000 };
    Word size = object_size_for_slots(3);
    suite_open(32 * MIB, NULL);
    MmStatistics before = statistics_now(), now;
    size_t root = mock_root_push(rig.host, heap->nil);
    for (int i = 0; i < PAIRS; i++)
        mock_root_set(rig.host, root, new_pair(heap->nil, mock_root(rig.host, root)));
    for (int i = 0; i < 10; i++)
        new_array(true, 3);
    now = statistics_now();
    is_int(now.allocated_bytes - before.allocated_bytes, PAIRS * size + 10 * object_size_for_slots(3),
           "statistics count what is allocated");
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    before = now;
    now = statistics_now();
    is_int(now.scavenges, before.scavenges + 1, "  and scavenges");
    is_int(now.survived_bytes - before.survived_bytes + now.tenured_bytes - before.tenured_bytes,
           PAIRS * size, "  and what they copy");
    before = now;
    rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
    now = statistics_now();
    is_int(now.allocated_bytes, before.allocated_bytes, "  copies are no allocation");
    is_int(now.tenured_objects, PAIRS, "  and what they tenure");
    is_int(now.tenured_bytes, PAIRS * size, "  in bytes too");
    rig.mm->ops->collect_full(rig.mm);
    now = statistics_now();
    is_int(now.full_collections, before.full_collections + 1, "  and full collections");
    ok(now.new_bytes == heap->new_end - heap->new_start && now.old_bytes == heap->old_end - heap->old_start,
       "  the spaces are as long as their bounds say");
    ok(now.old_largest_free <= now.old_free && now.old_free < now.old_bytes && now.eden_bytes > 0 &&
       now.eden_bytes <= now.new_bytes, "  and the rest fits");
    ok(now.remembered_count == heap->remembered_count &&
       now.remembered_capacity == heap->remembered_capacity, "  the remembered set is the heap's");
    ok(now.longest_pause <= now.scavenge_time + now.full_collection_time, "  no pause is longer than all");
    suite_close("statistics");
}

/* Times are the host's clock and no other. */
static void no_other_clock(void)
{
    MmRigSetup setup = suite.setup;
    setup.region = 16 * MIB;
    if (!mm_rig_make(&rig, &setup))
        return;
    heap = rig.heap;
    rig.host->table.now = no_time;
    if (!mm_rig_start(&rig) || !mm_rig_load(&rig))
        return;
    rig.mm->ops->collect_full(rig.mm);
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    MmStatistics now = statistics_now();
    is_int(now.scavenge_time + now.full_collection_time + now.mark_time + now.sweep_time +
           now.compact_time + now.longest_pause, 0, "where the host's clock stands still all times are 0");
    suite_close("the clock");
}

/* ---- Parameters ---- */

static bool parameter(unsigned number, int64_t *value)
{
    *value = -77;
    return rig.mm->ops->get_parameter(rig.mm, number, value);
}

static void parameters(void)
{
    enum { OLD_BYTES = 1, NEW_BYTES = 2, FULL_COUNT = 7, SCAVENGE_COUNT = 9, HEADROOM = 25 };
    static const int64_t values[] = {-1, 0, 1, 12345, INT64_MAX, INT64_MIN};
    suite_open(32 * MIB, NULL);
    const MmOps *ops = rig.mm->ops;
    int64_t before, after;
    unsigned kept = 0, changed = 0, unreadable = 0;
    for (unsigned number = 0; number < 120; number++)
        for (int i = 0; i < 6; i++) {
            bool readable = parameter(number, &before);
            bool set = ops->set_parameter(rig.mm, number, values[i]);
            kept += readable;
            unreadable += set && !readable;
            changed += !set && readable && parameter(number, &after) && after != before;
        }
    ok(kept > 0, "the manager keeps parameters");
    is_int(changed, 0, "a value that is refused changes none");
    is_int(unreadable, 0, "what can be set can be read");
    is_int(mm_rig_check(&rig), 0, "the heap is sound after all that");
    MmStatistics now = statistics_now();
    ok(parameter(OLD_BYTES, &after) && (Word)after == now.old_bytes && parameter(NEW_BYTES, &after) &&
       (Word)after == now.new_bytes, "parameters 1 and 2: the sizes of the spaces");
    ok(parameter(FULL_COUNT, &before) && parameter(SCAVENGE_COUNT, &after) &&
       (uint64_t)before == now.full_collections && (uint64_t)after == now.scavenges,
       "parameters 7 and 9: how many collections");
    ok(!ops->set_parameter(rig.mm, SCAVENGE_COUNT, 5), "  which cannot be set");
    ok(ops->set_parameter(rig.mm, HEADROOM, 2 * MIB) && parameter(HEADROOM, &after) && after == 2 * MIB,
       "parameter 25: the headroom, set and read");
    ok(!parameter(9999, &after) && !ops->set_parameter(rig.mm, 9999, 1), "others are not the manager's");
    suite_close("parameters");
}

/* ---- The leak check ---- */

static size_t sentences, steps; /* reported */

static void listen(void *context, const char *sentence)
{
    if (context == &sentences && sentence && sentence[0])
        *(sentence[0] == ' ' ? &steps : &sentences) += 1;
}

/* The check of this subset finds the damage, and counts it there alone. */
static void is_found(unsigned subset, const char *what)
{
    LeakCheck check = {.subsets = 1u << subset, .report = listen, .context = &sentences};
    sentences = steps = 0;
    size_t answer = rig.mm->ops->leak_check(rig.mm, &check);
    size_t elsewhere = 0;
    for (unsigned i = 0; i < LEAK_SUBSETS; i++)
        elsewhere += i == subset ? 0 : check.findings[i];
    ok(check.findings[subset] > 0, "leak check, %s: %s", leak_subset_name(subset), what);
    ok(answer == check.findings[subset] && !elsewhere && sentences == answer,
       "  it answers how many findings it reported: %zu, %zu, %zu", answer, check.findings[subset],
       sentences);
    check = (LeakCheck){.subsets = LEAK_ALL & ~(1u << subset | 1u << LEAK_OBJECTS), .report = listen,
                        .context = &sentences};
    rig.mm->ops->leak_check(rig.mm, &check);
    is_int(check.findings[subset], 0, "  and nothing where it was not asked to look");
}

static void mended(void)
{
    is_int(mm_rig_check(&rig), 0, "  mended, the heap is sound");
}

static void damaged_slots(Oop holder)
{
    object_slots(holder)[2] = holder + 8;
    is_found(LEAK_OBJECTS, "a slot with an address inside an object");
    object_slots(holder)[2] = heap->nil;
    Header good = header_of(holder);
    *header_at(holder) = (good & ~HEADER_CLASS_MASK) | 2000;
    is_found(LEAK_OBJECTS, "an object of no class");
    *header_at(holder) = good;
    mended();
    size_t root = mock_root_push(rig.host, holder + 8);
    is_found(LEAK_ROOTS, "a root with an address inside an object");
    mock_root_pop(rig.host, 1);
    (void)root;
    mended();
}

static void damaged_remembered_set(Oop holder)
{
    Oop young = new_pair(heap->nil, heap->nil);
    object_slots(holder)[2] = young; /* past the barrier, which is what is broken here */
    is_found(LEAK_REMEMBERED, "an old object that refers to a young one unbeknownst");
    heap_store(heap, holder, 2, young);
    mended();
    heap->remembered[heap->remembered_count++] = holder;
    is_found(LEAK_REMEMBERED, "an object that is remembered twice");
    heap->remembered_count--;
    Header good = header_of(holder);
    *header_at(holder) &= ~HEADER_REMEMBERED;
    is_found(LEAK_REMEMBERED, "a remembered object without the bit");
    *header_at(holder) = good;
    mended();
}

static void damaged_classes(Oop holder)
{
    Word *entry = &object_slots(object_slot(heap->hidden_roots, 1))[900];
    *entry = holder;
    is_found(LEAK_CLASSES, "an entry of the class table that is no class");
    *entry = heap->nil;
    mended();
}

static void damaged_weak(Oop holder)
{
    Oop ephemeron = new_object(true, 0, FORMAT_EPHEMERON, MOCK_EPHEMERON);
    heap_store(heap, holder, 1, ephemeron);
    is_found(LEAK_WEAK, "an ephemeron without a key");
    *header_at(ephemeron) &= ~HEADER_FORMAT_MASK;
    mended();
    *header_at(holder) |= HEADER_MARKED;
    is_found(LEAK_MARKS, "a mark between collections");
    *header_at(holder) &= ~HEADER_MARKED;
    mended();
}

static size_t find_in_stacks(Heap *of, void (*report)(void *context, const char *sentence), void *context)
{
    report(context, "a finding of the host");
    return 1;
}

static void findings_of_others(void)
{
    rig.host->table.check_stacks = find_in_stacks;
    is_found(LEAK_STACKS, "what the host finds in stacks");
    rig.host->table.check_stacks = NULL;
    if (!suite.mock)
        return;
    mock_gc(rig.gc_user.state)->planted = 3;
    is_found(LEAK_FREE, "what the collector finds in its structures");
    mock_gc(rig.gc_user.state)->planted = 0;
    mended();
}

static void leak_checks(void)
{
    suite_open(16 * MIB, NULL);
    Oop holder = new_array(true, 4);
    mock_root_push(rig.host, holder);
    mended();
    damaged_slots(holder);
    damaged_remembered_set(holder);
    damaged_classes(holder);
    damaged_weak(holder);
    findings_of_others();
    suite_close("leak checks");
}

void mm_suite_facts(void)
{
    enumeration();
    mourners();
    statistics();
    no_other_clock();
    parameters();
    leak_checks();
}
