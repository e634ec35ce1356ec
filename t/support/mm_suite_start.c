/* Start, stop, and taking over an image. */
#include "mm_suite.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

static bool make(size_t region, const MmConfig *config)
{
    MmRigSetup setup = suite.setup;
    setup.region = region;
    setup.config = *config;
    bool made = mm_rig_make(&rig, &setup);
    heap = rig.heap;
    return made;
}

/* ---- Configurations ---- */

static bool bounds_are_in_order(void)
{
    Word page = heap->page_size;
    return heap->new_start == rig.config.new_start && heap->new_start < heap->new_end &&
           heap->new_end <= heap->old_start && heap->old_start % page == 0 &&
           heap->old_start <= heap->old_end && heap->old_end <= heap->old_limit &&
           heap->old_limit <= rig.config.region_end && heap->eden_free >= heap->new_start &&
           heap->eden_free < heap->eden_limit && heap->eden_limit <= heap->new_end;
}

static void a_heap_of(const char *what, size_t region, MmConfig config)
{
    if (!make(region, &config) || !mm_rig_start(&rig)) {
        ok(false, "%s: %s", what, rig.error);
        mm_rig_free(&rig);
        return;
    }
    ok(bounds_are_in_order(), "%s: the bounds are in order", what);
    is_int(heap->old_end, heap->old_start, "  old space is empty");
    is_int(heap->remembered_count, 0, "  nothing is remembered");
    ok(!config.max_heap || heap->old_limit - heap->old_start <= config.max_heap,
       "  old space cannot grow beyond what it may");
    ok(mm_rig_load(&rig), "  an image finds room");
    size_t root = mock_root_push(rig.host, heap->nil);
    for (int i = 0; i < 20000; i++) {
        if (i % 10 == 0)
            mock_root_set(rig.host, root, new_pair(small_integer_oop(i), heap->nil));
        new_pair(heap->nil, heap->nil);
        if (rig.mm->ops->collection_due(rig.mm))
            rig.mm->ops->collect_if_due(rig.mm);
    }
    ok(object_slot(mock_root(rig.host, root), 0) == small_integer_oop(19990), "  and it is used");
    is_int(mm_rig_check(&rig), 0, "  the heap is sound");
    suite_close(what);
}

static void configurations(void)
{
    a_heap_of("defaults", 64 * MIB, (MmConfig){0});
    a_heap_of("an eden of one byte", 16 * MIB, (MmConfig){.eden_bytes = 1});
    a_heap_of("an eden of an odd size", 16 * MIB, (MmConfig){.eden_bytes = 100001});
    a_heap_of("a large eden", 96 * MIB, (MmConfig){.eden_bytes = 32 * MIB});
    a_heap_of("a limit of no whole pages", 32 * MIB,
              (MmConfig){.eden_bytes = 64 * KIB, .max_heap = MIB + 12345});
    a_heap_of("a limit above the region", 32 * MIB, (MmConfig){.max_heap = ~(Word)0});
    a_heap_of("growth by a byte", 32 * MIB, (MmConfig){.grow_headroom = 1, .shrink_threshold = 1});
    a_heap_of("growth by more than there is", 32 * MIB, (MmConfig){.grow_headroom = ~(Word)0});
    a_heap_of("poison", 32 * MIB, (MmConfig){.poison = true, .eden_bytes = 64 * KIB});
}

/* ---- What cannot be ---- */

static void refused(const char *what, size_t error_size)
{
    char error[512];
    memset(error, '#', sizeof error);
    bool started = rig.mm->ops->start(rig.mm, &rig.config, error, error_size);
    ok(!started, "%s: start answers false", what);
    if (started) {
        rig.mm->ops->stop(rig.mm);
        mm_rig_free(&rig);
        return;
    }
    size_t length = strnlen(error, error_size);
    ok(length > 0 && length < error_size && error[error_size] == '#', "  with a sentence: %.*s",
       (int)length, error);
    size_t committed = rig.host->committed;
    is_int(mm_rig_free(&rig) + committed, 0, "  and keeps nothing");
}

static void no_room(const char *what, size_t region, MmConfig config)
{
    if (make(region, &config))
        refused(what, 256);
}

static void refusals(void)
{
    no_room("a region of two pages", 8 * KIB, (MmConfig){0});
    no_room("a region of 256 KB", 256 * KIB, (MmConfig){0});
    no_room("an eden larger than the region", 16 * MIB, (MmConfig){.eden_bytes = 64 * MIB});
    no_room("an eden as large as the region", 16 * MIB, (MmConfig){.eden_bytes = 16 * MIB - 8 * KIB});
    no_room("an eden of the address space", 16 * MIB, (MmConfig){.eden_bytes = ~(Word)0});
    no_room("nearly that", 16 * MIB, (MmConfig){.eden_bytes = ~(Word)0 / 2});
    if (make(16 * MIB, &(MmConfig){.eden_bytes = 64 * MIB}))
        refused("a short buffer for the sentence", 8);
    if (make(16 * MIB, &(MmConfig){0})) {
        rig.host->commit_limit = 0;
        refused("a host without memory", 256);
    }
}

/* Whatever side table is refused: no start, or a start that does without. */
static void side_tables_refused(void)
{
    size_t kept = 0, silent = 0, refusals = 0;
    for (size_t limit = 0; limit < 64 * MIB; limit = limit ? 2 * limit : 4096) {
        if (!make(16 * MIB, &(MmConfig){.eden_bytes = 256 * KIB}))
            return;
        rig.host->side_table_limit = limit;
        rig.error[0] = 0;
        if (mm_rig_start(&rig))
            rig.mm->ops->stop(rig.mm);
        else {
            refusals++;
            silent += !rig.error[0];
            kept += rig.host->committed;
        }
        kept += mm_rig_free(&rig);
    }
    is_int(kept, 0, "side tables refused at any size: nothing is kept (%zu refusals)", refusals);
    is_int(silent, 0, "  each with a sentence");
}

static void collector_fails(void)
{
    if (!suite.mock || !make(16 * MIB, &(MmConfig){0}))
        return;
    MockGc *mock = mock_gc(rig.gc_user.state);
    mock->fails_to_start = true;
    rig.error[0] = 0;
    ok(!mm_rig_start(&rig), "a collector that does not start: nor does the manager");
    ok(strstr(rig.error, "told to fail"), "  and the sentence is the collector's: %s", rig.error);
    size_t committed = rig.host->committed;
    is_int(mm_rig_free(&rig) + committed, 0, "  nothing is kept");
}

static void stop_stops_the_collector(void)
{
    if (!suite.mock || !make(16 * MIB, &(MmConfig){0}) || !mm_rig_start(&rig))
        return;
    MockGc *mock = mock_gc(rig.gc_user.state);
    is_int(mock->starts, 1, "start starts the collector once");
    rig.mm->ops->stop(rig.mm);
    is_int(mock->stops, 1, "  and stop stops it");
    is_int(mm_rig_free(&rig), 0, "  nothing is kept of a heap without an image");
}

/* ---- Images ---- */

static void loading(void)
{
    Word limit = 4 * MIB;
    if (!make(32 * MIB, &(MmConfig){.max_heap = limit}) || !mm_rig_start(&rig))
        return;
    const MmOps *ops = rig.mm->ops;
    ok(!ops->prepare_load(rig.mm, limit + 1), "no room for an image above the limit");
    ok(!ops->prepare_load(rig.mm, ~(Word)0), "  nor for one of the address space");
    is_int(heap->old_end, heap->old_start, "  old space is as it was");
    rig.host->commit_limit = rig.host->committed;
    ok(!ops->prepare_load(rig.mm, MIB), "nor where the host refuses");
    rig.host->commit_limit = SIZE_MAX;
    Word bytes = MOCK_IMAGE_BYTES + 24;
    ok(ops->prepare_load(rig.mm, bytes), "room for %" PRIuWORD " bytes", bytes);
    ok(heap->old_end - heap->old_start >= bytes && heap->old_end <= heap->old_limit,
       "  is in the bounds");
    memset(word_pointer(heap->old_start), 0xA5, bytes);
    ok(true, "  and can be written to");
    ops->adopt(rig.mm, mock_image_write(rig.host));
    is_int(mm_rig_check(&rig), 0, "  an adopted image is sound");
    suite_close("loading");
}

/* A page of the queue as image files have it: top, three fields, then the entries. */
static Word add_mourners(Word end, size_t count)
{
    enum { TOP = 0, FIRST = 4 };
    Oop page = object_write_header(end, FIRST + count + 3,
                                   WORD_BITS == 64 ? FORMAT_WORDS64 : FORMAT_WORDS32,
                                   WORD_BITS == 64 ? CLASS_WORDS64_PUN : CLASS_WORDS32_PUN);
    memset(object_slots(page), 0, body_bytes_for_slots(object_slot_count(page)));
    object_slots(page)[TOP] = count;
    for (end = object_end(page); count; count--) {
        Oop mourner = object_write_header(end, 3, FORMAT_FIXED, MOCK_FIXED);
        object_fill(mourner, 0, 3, rig.heap->nil);
        object_slots(mourner)[0] = small_integer_oop((SWord)count);
        object_slots(page)[FIRST + count - 1] = mourner;
        end = object_end(mourner);
    }
    object_slots(heap->hidden_roots)[HIDDEN_MOURNERS] = page;
    return end;
}

static void adopting(void)
{
    enum { MOURNERS = 5 };
    if (!make(32 * MIB, &(MmConfig){0}) || !mm_rig_start(&rig) ||
        !rig.mm->ops->prepare_load(rig.mm, MOCK_IMAGE_BYTES))
        return;
    Word end = add_mourners(mock_image_write(rig.host), MOURNERS);
    Heap expected = *heap;
    heap->nil = heap->false_object = heap->true_object = heap->hidden_roots = 0;
    heap->class_table_pages = 0;
    rig.mm->ops->adopt(rig.mm, end);
    ok(heap->nil == expected.nil && heap->false_object == expected.false_object &&
       heap->true_object == expected.true_object, "adopt finds nil, false and true");
    ok(heap->hidden_roots == expected.hidden_roots &&
       heap->class_table_pages == expected.class_table_pages, "  and the class table");
    ok(heap->special_objects == expected.special_objects, "  the special objects are the caller's");
    is_int(mm_rig_check(&rig), 0, "  the heap is sound");
    rig.mm->ops->collect_full(rig.mm);
    int in_order = 0;
    for (Oop mourner; (mourner = rig.mm->ops->next_mourner(rig.mm));)
        in_order += object_slot(mourner, 0) == small_integer_oop(in_order + 1);
    is_int(in_order, MOURNERS, "  the image's queue of mourners is taken over, in order");
    Word old_end = heap->old_end;
    Oop behind = new_array(true, 10);
    ok(behind >= heap->old_start && heap->old_end == old_end, "  what is left of old space is used");
    is_int(mm_rig_check(&rig), 0, "  the heap is sound");
    suite_close("adopting");
}

void mm_suite_start(void)
{
    configurations();
    refusals();
    side_tables_refused();
    collector_fails();
    stop_stops_the_collector();
    loading();
    adopting();
}
