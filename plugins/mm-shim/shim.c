/* The checked half of every memory manager: the same vtable, which validates
 * arguments and state, forwards to `inner`, and verifies the result.
 *
 * A broken rule ends the process with a sentence that names it (osvm/check.h).
 * The leak check runs before and after every full collection, and after scavenges
 * as often as the size of old space allows: after each below 8 MB, after every
 * n-th above. New objects are filled with an illegal value, so that a slot which
 * nobody fills is found; free eden is filled with the same after collections.
 */
#include "osvm/heap.h"
#include "osvm/plugin.h"

/* In 64-bit heaps an illegal immediate; in 32-bit ones an odd-looking SmallInteger. */
#define POISON ((Word)0xA5A5A5A5A5A5A5A7)

enum { OLD_BYTES_PER_CHECK = 8 << 20 };

typedef struct {
    Mm mm; /* first */
    bool started, adopted;
    bool collecting;    /* a scavenge or full collection is under way */
    bool tracing;       /* ... and finish_tracing has not been called yet */
    unsigned unchecked; /* scavenges since the last leak check */
} Shim;

static Shim *shim_of(Mm *mm)
{
    return (Shim *)mm;
}

/* ---- Rules ---- */

static void require_poll(const Shim *shim, const char *what)
{
    REQUIRE(shim->adopted, "%s before an image was adopted", what);
    REQUIRE(!shim->collecting, "%s during a collection (H3)", what);
}

static void require_object(const Heap *heap, Oop object, const char *what)
{
    REQUIRE(is_object(object) && object != NO_OOP, "%s: 0x%" PRIxWORD " is no object", what,
            object);
    REQUIRE(object >= heap->new_start && object < heap->old_end,
            "%s: object 0x%" PRIxWORD " lies outside the heap", what, object);
    REQUIRE(object_class_index(object) != CLASS_FREE, "%s: 0x%" PRIxWORD " is a free chunk", what,
            object);
}

static void require_bounds(const Heap *heap)
{
    REQUIRE(heap->new_start < heap->new_end && heap->new_end <= heap->old_start &&
                heap->old_start <= heap->old_end && heap->old_end <= heap->old_limit,
            "the bounds of the heap are out of order: new 0x%" PRIxWORD "-0x%" PRIxWORD
            ", old 0x%" PRIxWORD "-0x%" PRIxWORD ", limit 0x%" PRIxWORD, heap->new_start,
            heap->new_end, heap->old_start, heap->old_end, heap->old_limit);
    REQUIRE(heap->eden_free >= heap->new_start && heap->eden_free <= heap->new_end,
            "eden_free, 0x%" PRIxWORD ", lies outside new space", heap->eden_free);
    REQUIRE(heap->eden_limit >= heap->eden_free && heap->eden_limit <= heap->new_end,
            "eden_limit, 0x%" PRIxWORD ", lies below eden_free or outside new space",
            heap->eden_limit);
    REQUIRE(heap->remembered_count <= heap->remembered_capacity,
            "%zu objects are remembered where there is room for %zu", heap->remembered_count,
            heap->remembered_capacity);
}

static void print_finding(void *context, const char *sentence)
{
    fprintf(stderr, "osvm: leak check %s: %s\n", (const char *)context, sentence);
}

static void require_no_leaks(Shim *shim, const char *when)
{
    Mm *inner = shim->mm.inner;
    LeakCheck check = {.subsets = LEAK_ALL, .report = print_finding,
                       .context = (void *)(uintptr_t)when};
    size_t findings = inner->ops->leak_check(inner, &check);
    shim->unchecked = 0;
    REQUIRE(findings == 0, "the leak check %s has %zu findings", when, findings);
}

/* ---- Start ---- */

static bool shim_start(Mm *mm, const MmConfig *config, char *error, size_t error_size)
{
    Heap *heap = mm->heap;
    REQUIRE(mm->inner && mm->inner->heap == heap, "the shim stands before no manager of its heap");
    REQUIRE(!shim_of(mm)->started, "start is called twice");
    REQUIRE(config->size >= sizeof *config, "the configuration is of %zu bytes instead of %zu",
            config->size, sizeof *config);
    REQUIRE(config->new_start % heap->page_size == 0 && config->new_start < config->region_end,
            "new space cannot begin at 0x%" PRIxWORD, config->new_start);
    if (!mm->inner->ops->start(mm->inner, config, error, error_size))
        return false;
    shim_of(mm)->started = true;
    require_bounds(heap);
    return true;
}

static void shim_stop(Mm *mm)
{
    Shim *shim = shim_of(mm);
    REQUIRE(!shim->collecting, "stop is called during a collection");
    shim->started = shim->adopted = false;
    mm->inner->ops->stop(mm->inner);
}

static bool shim_prepare_load(Mm *mm, Word bytes)
{
    REQUIRE(shim_of(mm)->started && !shim_of(mm)->adopted, "an image is loaded into a used heap");
    if (!mm->inner->ops->prepare_load(mm->inner, bytes))
        return false;
    require_bounds(mm->heap);
    REQUIRE(mm->heap->old_end - mm->heap->old_start >= bytes,
            "prepare_load made less than %" PRIuWORD " bytes usable", bytes);
    return true;
}

static void shim_adopt(Mm *mm, Word end)
{
    Shim *shim = shim_of(mm);
    REQUIRE(shim->started && !shim->adopted, "an image is adopted into a used heap");
    REQUIRE(end > mm->heap->old_start && end <= mm->heap->old_end,
            "the image ends at 0x%" PRIxWORD ", outside old space", end);
    mm->inner->ops->adopt(mm->inner, end);
    shim->adopted = true;
    require_bounds(mm->heap);
    require_no_leaks(shim, "after loading the image");
}

/* ---- Allocation ---- */

static void require_shape(const Shim *shim, Word slots, unsigned format, Word class_index)
{
    REQUIRE(!shim->collecting, "an object is allocated during a collection (H3)");
    REQUIRE(format <= FORMAT_LAST_POINTERS || (format >= FORMAT_WORDS64 && format < 32),
            "format %u of a new object does not exist", format);
    REQUIRE(format != FORMAT_EMPTY || slots == 0, "an object without fields has %" PRIuWORD,
            slots);
    REQUIRE(class_index > CLASS_SMALL_FLOAT && class_index <= HEADER_CLASS_MASK,
            "class index %" PRIuWORD " of a new object is none", class_index);
}

static Oop verify_new(Mm *mm, Oop object, Word slots, unsigned format, Word class_index)
{
    if (!object)
        return object;
    require_object(mm->heap, object, "allocation");
    Header header = header_of(object);
    REQUIRE(object_slot_count(object) == slots && header_format(header) == format &&
                header_class_index(header) == class_index && header_hash(header) == 0,
            "the header of new object 0x%" PRIxWORD " is not what was asked for", object);
    REQUIRE(!(header & (HEADER_MARKED | HEADER_GREY | HEADER_REMEMBERED | HEADER_PINNED)),
            "new object 0x%" PRIxWORD " has flags set", object);
    require_bounds(mm->heap);
    object_fill(object, 0, body_bytes_for_slots(slots) >> WORD_SHIFT, POISON);
    return object;
}

static Oop shim_allocate(Mm *mm, Word slots, unsigned format, Word class_index)
{
    require_shape(shim_of(mm), slots, format, class_index);
    Oop object = mm->inner->ops->allocate(mm->inner, slots, format, class_index);
    return verify_new(mm, object, slots, format, class_index);
}

static Oop shim_allocate_old(Mm *mm, Word slots, unsigned format, Word class_index)
{
    require_shape(shim_of(mm), slots, format, class_index);
    Oop object = mm->inner->ops->allocate_old(mm->inner, slots, format, class_index);
    REQUIRE(!object || heap_is_old(mm->heap, object), "allocate_old answers a young object");
    return verify_new(mm, object, slots, format, class_index);
}

static void shim_remember(Mm *mm, Oop object)
{
    require_object(mm->heap, object, "remember");
    REQUIRE(heap_is_old(mm->heap, object), "young object 0x%" PRIxWORD " is remembered (H2)",
            object);
    REQUIRE(!(header_of(object) & HEADER_REMEMBERED),
            "object 0x%" PRIxWORD " is remembered twice (H2)", object);
    size_t count = mm->heap->remembered_count;
    mm->inner->ops->remember(mm->inner, object);
    REQUIRE(mm->heap->remembered_count == count + 1 && (header_of(object) & HEADER_REMEMBERED),
            "object 0x%" PRIxWORD " was to be remembered, but is not (H2)", object);
}

/* ---- Collections ---- */

static void poison_eden(Heap *heap)
{
    for (Word at = heap->eden_free; at < heap->eden_limit; at += WORD_BYTES)
        *(Word *)word_pointer(at) = POISON;
}

static void begin_collection(Shim *shim, const char *what)
{
    require_poll(shim, what);
    require_bounds(shim->mm.heap);
    shim->collecting = shim->tracing = true;
}

static void end_collection(Shim *shim)
{
    shim->collecting = shim->tracing = false;
    require_bounds(shim->mm.heap);
    poison_eden(shim->mm.heap);
}

static void check_scavenge(Shim *shim)
{
    Heap *heap = shim->mm.heap;
    if (++shim->unchecked > (heap->old_end - heap->old_start) / OLD_BYTES_PER_CHECK)
        require_no_leaks(shim, "after a scavenge");
}

static bool shim_collection_due(Mm *mm)
{
    return mm->inner->ops->collection_due(mm->inner);
}

static void shim_collect_if_due(Mm *mm)
{
    Shim *shim = shim_of(mm);
    if (!mm->inner->ops->collection_due(mm->inner))
        return;
    begin_collection(shim, "collect_if_due");
    mm->inner->ops->collect_if_due(mm->inner);
    end_collection(shim);
    check_scavenge(shim);
}

static void shim_scavenge(Mm *mm, TenurePolicy policy)
{
    Shim *shim = shim_of(mm);
    REQUIRE(policy == TENURE_BY_AGE || policy == TENURE_ALL, "tenure policy %d is none", policy);
    begin_collection(shim, "scavenge");
    mm->inner->ops->scavenge(mm->inner, policy);
    end_collection(shim);
    check_scavenge(shim);
}

static void shim_collect_full(Mm *mm)
{
    Shim *shim = shim_of(mm);
    require_poll(shim, "collect_full");
    require_no_leaks(shim, "before a full collection");
    begin_collection(shim, "collect_full");
    mm->inner->ops->collect_full(mm->inner);
    end_collection(shim);
    require_no_leaks(shim, "after a full collection");
}

static bool shim_make_room(Mm *mm, Word bytes)
{
    Shim *shim = shim_of(mm);
    begin_collection(shim, "make_room");
    bool made = mm->inner->ops->make_room(mm->inner, bytes);
    end_collection(shim);
    require_no_leaks(shim, "after making room");
    return made;
}

/* ---- The weak and ephemeron protocol ---- */

static void shim_found_weak(Mm *mm, Oop object)
{
    REQUIRE(shim_of(mm)->collecting, "found_weak is called outside a collection");
    require_object(mm->heap, object, "found_weak");
    REQUIRE(object_format(object) == FORMAT_WEAK, "0x%" PRIxWORD " is reported, but is not weak",
            object);
    mm->inner->ops->found_weak(mm->inner, object);
}

static void shim_found_ephemeron(Mm *mm, Oop object)
{
    REQUIRE(shim_of(mm)->collecting, "found_ephemeron is called outside a collection");
    require_object(mm->heap, object, "found_ephemeron");
    REQUIRE(object_format(object) == FORMAT_EPHEMERON,
            "0x%" PRIxWORD " is reported, but is no ephemeron", object);
    mm->inner->ops->found_ephemeron(mm->inner, object);
}

static uint8_t *shim_class_marks(Mm *mm)
{
    uint8_t *marks = mm->inner->ops->class_marks(mm->inner);
    REQUIRE(marks, "class_marks answers nothing");
    return marks;
}

static void shim_finish_tracing(Mm *mm, Tracer *tracer)
{
    Shim *shim = shim_of(mm);
    REQUIRE(shim->collecting && shim->tracing,
            "finish_tracing is called outside a collection, or twice in one");
    REQUIRE(tracer && tracer->is_live && tracer->make_live && tracer->current,
            "a tracer lacks a function");
    REQUIRE(tracer->is_live(tracer, mm->heap->nil), "nil is not marked when tracing ends");
    mm->inner->ops->finish_tracing(mm->inner, tracer);
    shim->tracing = false;
}

static void shim_visit_roots(Mm *mm, SlotVisitor visit, void *context)
{
    REQUIRE(visit, "roots are visited by nobody");
    mm->inner->ops->visit_roots(mm->inner, visit, context);
}

static void shim_visit_all_references(Mm *mm, SlotVisitor visit, void *context)
{
    REQUIRE(visit, "references are visited by nobody");
    REQUIRE(shim_of(mm)->collecting, "references are updated outside a collection");
    mm->inner->ops->visit_all_references(mm->inner, visit, context);
}

/* ---- Classes, identity, mourners ---- */

static Word shim_class_enter(Mm *mm, Oop class)
{
    Heap *heap = mm->heap;
    REQUIRE(!shim_of(mm)->collecting, "a class is entered during a collection");
    require_object(heap, class, "class_enter");
    REQUIRE(!is_forwarded(class), "forwarder 0x%" PRIxWORD " is entered as a class", class);
    Word index = mm->inner->ops->class_enter(mm->inner, class);
    if (index)
        REQUIRE(heap_class_at(heap, index) == class && header_hash(header_of(class)) == index,
                "class 0x%" PRIxWORD " is not what entry %" PRIuWORD " and its hash say", class,
                index);
    return index;
}

static bool stands_before(Oop array, Word i)
{
    Word j = 0;
    while (object_slot(array, j) != object_slot(array, i))
        j++;
    return j < i;
}

static void verify_one_way(Oop from, Oop to)
{
    for (Word i = 0; i < object_slot_count(from); i++)
        REQUIRE(follow(object_slot(from, i)) == follow(object_slot(to, i)) ||
                    stands_before(from, i),
                "pair %" PRIuWORD " of a one-way become has not become one", i);
}

static int shim_become(Mm *mm, Oop from, Oop to, BecomeKind kind)
{
    require_poll(shim_of(mm), "become");
    REQUIRE(kind <= BECOME_ONE_WAY, "become of kind %d is none", kind);
    int code = mm->inner->ops->become(mm->inner, from, to, kind);
    require_bounds(mm->heap);
    if (code == MM_OK && kind != BECOME_TWO_WAY)
        verify_one_way(follow(from), follow(to));
    return code;
}

static Oop shim_pin(Mm *mm, Oop object, bool pinned)
{
    require_poll(shim_of(mm), "pin");
    require_object(mm->heap, object, "pin");
    Oop result = mm->inner->ops->pin(mm->inner, object, pinned);
    if (!result)
        return result;
    REQUIRE(follow(object) == result, "pinning answers another object");
    REQUIRE(header_is_pinned(header_of(result)) == pinned &&
                (!pinned || heap_is_old(mm->heap, result)),
            "object 0x%" PRIxWORD " is not pinned as asked, or young", result);
    return result;
}

static Oop shim_next_mourner(Mm *mm)
{
    Oop object = mm->inner->ops->next_mourner(mm->inner);
    if (object)
        require_object(mm->heap, object, "next_mourner");
    return object;
}

static Oop shim_mourner_at(Mm *mm, Word index)
{
    Oop object = mm->inner->ops->mourner_at(mm->inner, index);
    if (object)
        require_object(mm->heap, object, "mourner_at");
    return object;
}

/* ---- Enumeration and facts ---- */

static Oop require_normal(Mm *mm, Oop object)
{
    if (!object)
        return object;
    require_object(mm->heap, object, "enumeration");
    REQUIRE(object_class_index(object) > CLASS_LAST_PUN,
            "enumeration answers 0x%" PRIxWORD ", which the image must not see", object);
    return object;
}

static Oop shim_first_object(Mm *mm)
{
    require_poll(shim_of(mm), "first_object");
    return require_normal(mm, mm->inner->ops->first_object(mm->inner));
}

static Oop shim_next_object(Mm *mm, Oop object)
{
    require_object(mm->heap, object, "next_object");
    Oop next = require_normal(mm, mm->inner->ops->next_object(mm->inner, object));
    REQUIRE(next != object, "enumeration stands still at 0x%" PRIxWORD, object);
    return next;
}

static void shim_statistics(Mm *mm, MmStatistics *statistics)
{
    mm->inner->ops->statistics(mm->inner, statistics);
    REQUIRE(statistics->old_free <= statistics->old_bytes,
            "more of old space is free than there is");
}

static bool shim_get_parameter(Mm *mm, unsigned number, int64_t *value)
{
    return mm->inner->ops->get_parameter(mm->inner, number, value);
}

static bool shim_set_parameter(Mm *mm, unsigned number, int64_t value)
{
    bool set = mm->inner->ops->set_parameter(mm->inner, number, value);
    require_bounds(mm->heap);
    return set;
}

static size_t shim_leak_check(Mm *mm, LeakCheck *check)
{
    require_poll(shim_of(mm), "leak_check");
    REQUIRE(check->report, "a leak check reports to nobody");
    return mm->inner->ops->leak_check(mm->inner, check);
}

static const MmOps mm_shim_ops = {
    .size = sizeof(MmOps),
    .start = shim_start,
    .stop = shim_stop,
    .prepare_load = shim_prepare_load,
    .adopt = shim_adopt,
    .allocate = shim_allocate,
    .allocate_old = shim_allocate_old,
    .remember = shim_remember,
    .collection_due = shim_collection_due,
    .collect_if_due = shim_collect_if_due,
    .scavenge = shim_scavenge,
    .collect_full = shim_collect_full,
    .make_room = shim_make_room,
    .found_weak = shim_found_weak,
    .found_ephemeron = shim_found_ephemeron,
    .class_marks = shim_class_marks,
    .finish_tracing = shim_finish_tracing,
    .visit_roots = shim_visit_roots,
    .visit_all_references = shim_visit_all_references,
    .class_enter = shim_class_enter,
    .become = shim_become,
    .pin = shim_pin,
    .next_mourner = shim_next_mourner,
    .mourner_at = shim_mourner_at,
    .first_object = shim_first_object,
    .next_object = shim_next_object,
    .statistics = shim_statistics,
    .get_parameter = shim_get_parameter,
    .set_parameter = shim_set_parameter,
    .leak_check = shim_leak_check,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_MM, WORD_BITS),
    .name = "shim",
    .version = OSVM_VERSION,
    .summary = "checks whatever memory manager it stands before",
    .licence = "MIT",
    .flags = OSVM_SHIM,
    .vtable_abi = OSVM_MM_ABI,
    .vtable = &mm_shim_ops,
    .vtable_size = sizeof mm_shim_ops,
    .state_size = sizeof(Shim),
    .state_version = 1,
};
