/* Allocation, the barrier and the remembered set, scavenges, full collections, limits. */
#include "mm_suite.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

/* ---- A list whose elements count down ---- */

static size_t push_list(Word length)
{
    size_t root = mock_root_push(rig.host, heap->nil);
    for (Word i = 0; i < length; i++) {
        Oop node = new_pair(small_integer_oop((SWord)i), mock_root(rig.host, root));
        if (!node)
            break;
        mock_root_set(rig.host, root, node);
        if (rig.mm->ops->collection_due(rig.mm))
            rig.mm->ops->collect_if_due(rig.mm);
    }
    return root;
}

/* How many elements are as they were. */
static Word list_length(size_t root)
{
    Oop node = mock_root(rig.host, root);
    Word length = 0;
    if (node == heap->nil)
        return 0;
    SWord next = small_integer_value(object_slot(node, 0));
    for (; node != heap->nil; node = object_slot(node, 1), length++, next--)
        if (object_slot(node, 0) != small_integer_oop(next) || object_slot(node, 2) != heap->nil)
            break;
    return length;
}

static bool any_young(void)
{
    Mm *mm = rig.mm;
    for (Oop object = mm->ops->first_object(mm); object; object = mm->ops->next_object(mm, object))
        if (heap_is_young(heap, object))
            return true;
    return false;
}

static void sound(const char *when)
{
    is_int(mm_rig_check(&rig), 0, "  the heap is sound %s", when);
}

/* ---- Allocation ---- */

typedef struct {
    Oop object;
    Word slots;
    unsigned format;
    Word class_index;
    unsigned seed;
} Sample;

static Word pattern(const Sample *sample, Word i)
{
    return small_integer_oop((SWord)((sample->seed * 0x9E3779B9u + i * 0x85EBCA6Bu) >> 8));
}

static bool is_as_allocated(const Sample *s)
{
    Header header = header_of(s->object);
    Word i = 0, slots = s->slots;
    if (object_slot_count(s->object) != slots || header_format(header) != s->format ||
        header_class_index(header) != s->class_index || header_hash(header))
        return false;
    while (i < slots && object_slot(s->object, i) == pattern(s, i))
        i++;
    return i == slots;
}

/* Answers whether the new object is well-formed, and fills it. */
static bool allocate_sample(Sample *s, int how)
{
    const MmOps *ops = rig.mm->ops;
    s->object = how == 0   ? heap_allocate(heap, s->slots, s->format, s->class_index)
                : how == 1 ? ops->allocate(rig.mm, s->slots, s->format, s->class_index)
                           : ops->allocate_old(rig.mm, s->slots, s->format, s->class_index);
    if (!s->object || s->object % OBJECT_ALIGNMENT || (how == 2 && heap_is_young(heap, s->object)))
        return false;
    Header flags = HEADER_MARKED | HEADER_GREY | HEADER_REMEMBERED | HEADER_PINNED | HEADER_IMMUTABLE;
    if (header_of(s->object) & flags)
        return false;
    for (Word i = 0; i < s->slots; i++)
        object_slots(s->object)[i] = pattern(s, i);
    return true;
}

/* Of every length where headers change, interleaved: none overlaps another, none ever moves. */
static void allocation_gives_what_is_asked(void)
{
    static const Word lengths[] = {0, 1, 2, 3, 7, 100, 253, 254, 255, 256, 257, 5000, 65535, 65536};
    enum { LENGTHS = sizeof lengths / sizeof lengths[0], COUNT = 3 * 40 * LENGTHS };
    static Sample samples[COUNT];
    size_t malformed = 0, changed = 0, count = 0;
    suite_open(256 * MIB, NULL);
    for (unsigned round = 0; round < 40; round++)
        for (int how = 0; how < 3; how++)
            for (unsigned i = 0; i < LENGTHS; i++) {
                bool bits = (round + i) % 3 == 0;
                if (lengths[i] > 1000 && round > 2)
                    continue;
                samples[count] = (Sample){.slots = lengths[i], .seed = (unsigned)count,
                                          .format = bits ? FORMAT_WORDS32 : FORMAT_INDEXABLE,
                                          .class_index = bits ? MOCK_WORDS32 : CLASS_ARRAY};
                malformed += !allocate_sample(&samples[count], how);
                count++;
            }
    for (size_t i = 0; i < count; i++)
        changed += !is_as_allocated(&samples[i]);
    is_int(malformed, 0, "%zu objects have the header asked for, and no flags", count);
    is_int(changed, 0, "  none overlaps another or has moved");
    sound("");
    suite_close("allocation");
}

static void impossible_lengths(void)
{
    suite_open(32 * MIB, NULL);
    Word most = (heap->old_limit - heap->old_start) / WORD_BYTES;
    const Word lengths[] = {most + 1, ~(Word)0 / WORD_BYTES - 1, ~(Word)0 / WORD_BYTES,
                            ~(Word)0 / WORD_BYTES + 1, ~(Word)0 / 2, ~(Word)0 - 1, ~(Word)0};
    size_t granted = 0;
    Word free = heap->eden_free, end = heap->old_end;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        granted += rig.mm->ops->allocate(rig.mm, lengths[i], FORMAT_INDEXABLE, CLASS_ARRAY) != NO_OOP;
        granted += rig.mm->ops->allocate_old(rig.mm, lengths[i], FORMAT_BYTES, MOCK_BYTE_ARRAY) !=
                   NO_OOP;
    }
    is_int(granted, 0, "objects longer than the heap are refused");
    ok(heap->eden_free == free && heap->old_end >= end, "  and take no memory");
    ok(new_array(false, 3) && new_array(true, 3), "  others are allocated afterwards");
    sound("");
    suite_close("impossible lengths");
}

static void allocation_asks_for_polls(void)
{
    suite_open(64 * MIB, &(MmConfig){.eden_bytes = 256 * KIB});
    const MmOps *ops = rig.mm->ops;
    unsigned polls = rig.host->polls_requested;
    ok(!ops->collection_due(rig.mm), "nothing is due in an empty heap");
    while (heap->eden_limit - heap->eden_free >= 64)
        heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    is_int(rig.host->polls_requested, polls, "inline allocation asks for no poll");
    Word scavenges = (Word)statistics_now().scavenges;
    for (int i = 0; i < 100000 && !ops->collection_due(rig.mm); i++)
        heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    ok(ops->collection_due(rig.mm), "beyond the limit a collection is due");
    ok(rig.host->polls_requested > polls, "  and a poll was asked for");
    size_t missing = 0;
    for (int i = 0; i < 60000; i++) /* with no poll in between */
        missing += !heap_new_bytes(heap, 40, MOCK_BYTE_ARRAY);
    is_int(missing, 0, "allocation goes on without a poll, while there is memory");
    is_int(statistics_now().scavenges, scavenges, "  and nothing was collected");
    ops->collect_if_due(rig.mm);
    ok(!ops->collection_due(rig.mm), "a poll settles it");
    ok(statistics_now().scavenges > scavenges, "  by a scavenge");
    ok(heap->eden_limit - heap->eden_free >= 64, "  inline allocation has room again");
    MmStatistics before = statistics_now();
    ops->collect_if_due(rig.mm);
    is_int(statistics_now().scavenges, before.scavenges, "where nothing is due nothing is collected");
    sound("");
    suite_close("polls");
}

/* Old space that grows without scavenges asks for a full collection too. */
static void growth_makes_full_collections_due(void)
{
    suite_open(128 * MIB, &(MmConfig){.grow_headroom = MIB});
    size_t root = mock_root_push(rig.host, heap->nil);
    uint64_t full = statistics_now().full_collections;
    for (int i = 0; i < 4000 && statistics_now().full_collections == full; i++) {
        Oop array = new_array(true, 4000);
        if (!array)
            break;
        mock_root_set(rig.host, root, array);
        if (rig.mm->ops->collection_due(rig.mm))
            rig.mm->ops->collect_if_due(rig.mm);
    }
    ok(statistics_now().full_collections > full, "garbage in old space makes a full collection due");
    sound("");
    suite_close("growth");
}

/* ---- The remembered set ---- */

static size_t times_remembered(Oop object)
{
    size_t times = 0;
    for (size_t i = 0; i < heap->remembered_count; i++)
        times += heap->remembered[i] == object;
    return times;
}

static bool has_bit(Oop object)
{
    return header_of(object) & HEADER_REMEMBERED;
}

static void the_barrier(void)
{
    suite_open(32 * MIB, NULL);
    Oop old = new_array(true, 5), young = new_array(false, 5);
    size_t root = mock_root_push(rig.host, old), young_root = mock_root_push(rig.host, young);
    heap_store(heap, old, 0, small_integer_oop(3));
    heap_store(heap, old, 1, new_array(true, 1));
    heap_store(heap, young, 0, new_array(false, 1));
    ok(!has_bit(old) && !has_bit(young) && !times_remembered(old) && !times_remembered(young),
       "immediates, old objects, and stores into young ones need not be remembered");
    heap_store(heap, old, 2, new_pair(small_integer_oop(7), heap->nil));
    ok(has_bit(old) && times_remembered(old) == 1, "an old object that refers to a young one is");
    heap_store(heap, old, 3, new_pair(small_integer_oop(8), heap->nil));
    is_int(times_remembered(old), 1, "  once");
    sound("");
    for (int i = 0; i < 3; i++) {
        rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
        old = mock_root(rig.host, root);
        bool young_left = heap_is_young(heap, object_slot(old, 2)) ||
                          heap_is_young(heap, object_slot(old, 3));
        ok(object_slot(object_slot(old, 2), 0) == small_integer_oop(7) &&
           object_slot(object_slot(old, 3), 0) == small_integer_oop(8),
           "scavenge %d updates its slots", i + 1);
        ok(!young_left || times_remembered(old) == 1, "  and still knows of it if it must");
        sound("");
    }
    ok(object_slot_count(object_slot(mock_root(rig.host, young_root), 0)) == 1, "young ones too");
    suite_close("barrier");
}

static void many_are_remembered(void)
{
    enum { MANY = 70000 };
    suite_open(192 * MIB, NULL);
    size_t table = mock_root_push(rig.host, new_array(true, MANY));
    size_t wrong = 0;
    for (Word i = 0; i < MANY; i++)
        heap_store(heap, mock_root(rig.host, table), i, new_array(true, 1));
    Oop young = new_pair(small_integer_oop(5), heap->nil);
    for (Word i = 0; i < MANY; i++)
        heap_store(heap, object_slot(mock_root(rig.host, table), i), 0, young);
    ok(heap->remembered_count >= MANY && heap->remembered_capacity >= heap->remembered_count,
       "%d old objects refer to a young one", MANY);
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    Oop first = object_slot(object_slot(mock_root(rig.host, table), 0), 0);
    for (Word i = 0; i < MANY; i++)
        wrong += object_slot(object_slot(mock_root(rig.host, table), i), 0) != first;
    ok(!wrong && object_slot(first, 0) == small_integer_oop(5), "  all are updated");
    sound("");
    suite_close("many remembered");
}

/* ---- Scavenges ---- */

static void scavenge_keeps_what_is_reached(void)
{
    suite_open(64 * MIB, NULL);
    Word length = 5000;
    size_t root = push_list(length);
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 1000; j++)
            new_pair(heap->nil, heap->nil); /* garbage */
        rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
        is_int(list_length(root), length, "a list of %" PRIuWORD " survives scavenge %d", length, i + 1);
        sound("");
    }
    push_list(100);
    rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
    ok(!any_young(), "TENURE_ALL empties new space");
    is_int(list_length(root), length, "  and keeps the list");
    sound("");
    suite_close("scavenges");
}

/* What belongs to an object goes where it goes. */
static void headers_are_kept(void)
{
    suite_open(32 * MIB, NULL);
    Oop object = new_array(false, 300), bytes = heap_new_bytes(heap, 13, MOCK_BYTE_ARRAY);
    memcpy(object_bytes(bytes), "a dozen bytes", 13);
    size_t root = mock_root_push(rig.host, object), other = mock_root_push(rig.host, bytes);
    unsigned hash = heap_identity_hash(heap, object);
    *header_at(object) |= HEADER_IMMUTABLE;
    void (*const steps[])(Mm *mm) = {rig.mm->ops->collect_full, NULL, rig.mm->ops->collect_full};
    for (int i = 0; i < 3; i++) {
        if (steps[i])
            steps[i](rig.mm);
        else
            rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
        Header header = header_of(mock_root(rig.host, root));
        bytes = mock_root(rig.host, other);
        ok(header_hash(header) == hash && header_is_immutable(header) &&
           object_slot_count(mock_root(rig.host, root)) == 300 &&
           object_format(bytes) == format_for_bytes(13) && !memcmp(object_bytes(bytes), "a dozen bytes", 13),
           "identity hash, read-only bit, format and bytes, collection %d", i + 1);
    }
    suite_close("headers");
}

/* So deep that recursion would end the process. */
static void deep_lists(void)
{
    enum { DEEP = 200000 };
    suite_open(192 * MIB, &(MmConfig){.eden_bytes = 16 * MIB});
    size_t root = push_list(DEEP);
    rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
    is_int(list_length(root), DEEP, "a list of %d is tenured", DEEP);
    rig.mm->ops->collect_full(rig.mm);
    is_int(list_length(root), DEEP, "  and survives a full collection");
    sound("");
    suite_close("deep lists");
}

/* ---- What the host is told ---- */

static unsigned young_flushes, pauses, full_pauses;
static HeapPause last_pause;

static void note_flush(Heap *of)
{
    young_flushes++;
}

static void note_pause(Heap *of, const HeapPause *pause)
{
    pauses++;
    full_pauses += pause->full;
    last_pause = *pause;
}

static void the_host_is_told(void)
{
    suite_open(32 * MIB, NULL);
    young_flushes = pauses = full_pauses = 0;
    rig.host->table.collected = note_pause;
    unsigned flushes = rig.host->caches_flushed;
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    ok(rig.host->caches_flushed > flushes, "caches are flushed before a scavenge");
    rig.host->table.flush_young_caches = note_flush;
    flushes = rig.host->caches_flushed;
    push_list(1000);
    rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
    ok(young_flushes == 1 && rig.host->caches_flushed == flushes,
       "those of young objects only, where the host can");
    is_int(pauses, 2, "each scavenge is a pause");
    ok(!last_pause.full && last_pause.size >= sizeof last_pause && last_pause.scavenges == 1 &&
       last_pause.tenured_objects >= 1000, "  of which the host is told what it did");
    rig.mm->ops->collect_full(rig.mm);
    ok(rig.host->caches_flushed > flushes, "all caches are flushed before a full collection");
    ok(pauses == 3 && full_pauses == 1 && last_pause.full, "which is one pause, scavenges included");
    suite_close("the host");
}

/* ---- Full collections and limits ---- */

static Word bytes_in_use(void)
{
    MmStatistics now = statistics_now();
    return now.old_bytes - now.old_free;
}

static void full_collections_reclaim(void)
{
    suite_open(64 * MIB, NULL);
    rig.mm->ops->collect_full(rig.mm);
    Word before = bytes_in_use();
    size_t root = push_list(50000);
    rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
    ok(bytes_in_use() > before + 50000 * object_size_for_slots(3) / 2, "a list in old space");
    mock_root_set(rig.host, root, heap->nil);
    rig.mm->ops->collect_full(rig.mm);
    if (suite.reclaims)
        is_int(bytes_in_use(), before, "  is gone when nobody has it");
    sound("");
    suite_close("full collections");
}

static void old_space_grows_and_shrinks(void)
{
    enum { LARGE = 24 * MIB };
    suite_open(96 * MIB, &(MmConfig){.grow_headroom = MIB, .shrink_threshold = 4 * MIB});
    size_t root = mock_root_push(rig.host, heap_new_bytes(heap, LARGE, MOCK_BYTE_ARRAY));
    ok(mock_root(rig.host, root), "an object of 24 MB finds room");
    Word grown = heap->old_end;
    ok(statistics_now().grown > 0, "  which is counted as growth");
    is_int(rig.host->committed, grown - heap->new_start, "  the host gave just what there is");
    mock_root_set(rig.host, root, heap->nil);
    rig.mm->ops->collect_full(rig.mm);
    if (suite.reclaims) {
        ok(heap->old_end < grown - LARGE / 2, "its memory is given back");
        ok(statistics_now().shrunk > 0, "  which is counted");
    }
    is_int(rig.host->committed, heap->old_end - heap->new_start, "  to the host");
    ok(rig.mm->ops->make_room(rig.mm, LARGE / 2), "room for half of it can be made");
    ok(rig.mm->ops->allocate_old(rig.mm, LARGE / 2 / WORD_BYTES - 2, FORMAT_WORDS32, MOCK_WORDS32),
       "  and used");
    ok(!rig.mm->ops->make_room(rig.mm, 200 * MIB), "but not more than there is");
    ok(!rig.mm->ops->make_room(rig.mm, ~(Word)0 - 100), "nor nearly all of the address space");
    suite_close("growth and shrinking");
}

static bool within_limits(Word max_heap)
{
    return heap->old_end <= heap->old_limit && heap->old_limit - heap->old_start <= max_heap;
}

/* To the last byte, by way of all allocators; then nothing is lost, and it goes on. */
static void out_of_memory(bool host_refuses)
{
    enum { LIMIT = 3 * MIB };
    suite_open(64 * MIB, &(MmConfig){.eden_bytes = 128 * KIB, .grow_headroom = 64 * KIB,
                                     .max_heap = host_refuses ? 0 : LIMIT});
    const char *who = host_refuses ? "the host refuses" : "the limit is reached";
    if (host_refuses)
        rig.host->commit_limit = rig.host->committed + MIB;
    size_t root = mock_root_push(rig.host, heap->nil), nodes = 0;
    for (Oop node; (node = new_object(nodes % 2, 3, FORMAT_FIXED, MOCK_FIXED)); nodes++) {
        heap_store(heap, node, 0, small_integer_oop((SWord)nodes));
        heap_store(heap, node, 1, mock_root(rig.host, root));
        mock_root_set(rig.host, root, node);
    }
    ok(nodes > 1000, "%s after %zu objects", who, nodes);
    ok(rig.mm->ops->collection_due(rig.mm), "  a collection is due then");
    rig.mm->ops->collect_if_due(rig.mm);
    is_int(list_length(root), nodes, "  a poll loses none of them");
    sound("");
    rig.mm->ops->scavenge(rig.mm, TENURE_ALL);
    rig.mm->ops->collect_full(rig.mm);
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    is_int(list_length(root), nodes, "  nor do collections");
    sound("");
    ok(host_refuses || within_limits(LIMIT), "  the limit holds");
    ok(!rig.mm->ops->make_room(rig.mm, 8 * MIB), "  room cannot be made");
    is_int(list_length(root), nodes, "  and trying loses nothing");
    mock_root_set(rig.host, root, heap->nil);
    rig.mm->ops->collect_full(rig.mm);
    if (suite.reclaims)
        is_int(list_length(push_list(nodes / 2)), nodes / 2, "  emptied, the heap works again");
    sound("");
    suite_close(who);
}

void mm_suite_spaces(void)
{
    allocation_gives_what_is_asked();
    impossible_lengths();
    allocation_asks_for_polls();
    growth_makes_full_collections_due();
    the_barrier();
    many_are_remembered();
    scavenge_keeps_what_is_reached();
    headers_are_kept();
    deep_lists();
    the_host_is_told();
    full_collections_reclaim();
    old_space_grows_and_shrinks();
    out_of_memory(false);
    out_of_memory(true);
}
