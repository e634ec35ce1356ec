#include "kernel/vm/memory/guard.h"

#include <stdlib.h>

static Guard *guard_of(Mm *mm)
{
    return (Guard *)mm;
}

/* ---- Eden ---- */

static void open_eden(Guard *guard)
{
    if (guard->closes)
        guard->mm.heap->eden_limit = guard->eden_limit;
}

static void close_eden(Guard *guard)
{
    Heap *heap = guard->mm.heap;
    const Torture *torture = &guard->vm->torture;
    guard->closes = guard->running &&
                    (torture->scavenge || torture->collect || torture->alloc_fail);
    if (!guard->closes)
        return;
    guard->eden_limit = heap->eden_limit;
    heap->eden_limit = heap->eden_free;
}

/* Runs `call`, an expression, with eden as the manager knows it. */
#define WITH_EDEN(guard, call)                                                                     \
    do {                                                                                           \
        open_eden(guard);                                                                          \
        call;                                                                                      \
        close_eden(guard);                                                                         \
    } while (0)

/* ---- Torture ---- */

/* Answers whether `period` allocations have gone by; sets when they will have again. */
static bool is_time(Guard *guard, uint64_t period, uint64_t *next)
{
    if (!period || guard->allocations < *next)
        return false;
    *next = guard->allocations + torture_interval(&guard->vm->torture, period, &guard->random);
    return true;
}

/* Counts an allocation; answers whether it is to fail. */
static bool count_allocation(Guard *guard, Word class_index)
{
    const Torture *torture = &guard->vm->torture;
    Heap *heap = guard->mm.heap;
    if (!guard->running)
        return false;
    guard->allocations++;
    guard->scavenge_due |= is_time(guard, torture->scavenge, &guard->next_scavenge);
    guard->collect_due |= is_time(guard, torture->collect, &guard->next_collect);
    if (guard->scavenge_due || guard->collect_due)
        heap->host->request_poll(heap);
    /* The memory of contexts is set aside: their makers rely on it. */
    return class_index != CLASS_CONTEXT &&
           is_time(guard, torture->alloc_fail, &guard->next_failure);
}

/* The first event comes when an interval has gone by. */
static void start_counting(Guard *guard)
{
    guard->running = true;
    guard->random = guard->vm->torture.seed * 0x9E3779B97F4A7C15u + 1;
    is_time(guard, guard->vm->torture.scavenge, &guard->next_scavenge);
    is_time(guard, guard->vm->torture.collect, &guard->next_collect);
    is_time(guard, guard->vm->torture.alloc_fail, &guard->next_failure);
    close_eden(guard);
}

static void poison_eden(const Guard *guard)
{
    const Heap *heap = guard->mm.heap;
    if (guard->vm->torture.poison)
        for (Word at = heap->eden_free; at < heap->eden_limit; at += WORD_BYTES)
            *(Word *)word_pointer(at) = GC_POISON_WORD;
}

/* ---- Leak checks ---- */

static uint64_t count_full(Guard *guard)
{
    MmStatistics statistics;
    guard->mm.inner->ops->statistics(guard->mm.inner, &statistics);
    return statistics.full_collections;
}

static void look_for_leaks(Guard *guard, const char *after, uint64_t number)
{
    char when[64];
    LeakCheck check;
    snprintf(when, sizeof when, "after %s %" PRIu64, after, number);
    guard->checks++;
    size_t findings = leaks_look(guard->vm, guard->mm.inner, guard->leaks.subsets, when, &check);
    REQUIRE(findings == 0, "the leak check %s has %zu findings", when, findings);
}

/* After whatever collected: eden is open. */
static void collected(Guard *guard, uint64_t full_before)
{
    MmStatistics statistics;
    guard->mm.inner->ops->statistics(guard->mm.inner, &statistics);
    poison_eden(guard);
    if (!guard->leaks.wanted)
        return;
    if (statistics.full_collections != full_before)
        look_for_leaks(guard, "full collection", statistics.full_collections);
    else if (guard->leaks.scavenges)
        look_for_leaks(guard, "scavenge", statistics.scavenges);
}

/* ---- Allocation and collections ---- */

static Oop guard_allocate(Mm *mm, Word slots, unsigned format, Word class_index)
{
    Guard *guard = guard_of(mm);
    Oop object = NO_OOP;
    if (!count_allocation(guard, class_index))
        WITH_EDEN(guard, object = mm->inner->ops->allocate(mm->inner, slots, format, class_index));
    return object;
}

static Oop guard_allocate_old(Mm *mm, Word slots, unsigned format, Word class_index)
{
    Guard *guard = guard_of(mm);
    Oop object = NO_OOP;
    if (!count_allocation(guard, class_index))
        WITH_EDEN(guard,
                  object = mm->inner->ops->allocate_old(mm->inner, slots, format, class_index));
    return object;
}

static bool guard_collection_due(Mm *mm)
{
    Guard *guard = guard_of(mm);
    if (!guard->running)
        start_counting(guard);
    return guard->scavenge_due || guard->collect_due || mm->inner->ops->collection_due(mm->inner);
}

static void collect_what_is_due(Guard *guard)
{
    Mm *inner = guard->mm.inner;
    if (guard->collect_due)
        inner->ops->collect_full(inner);
    else if (guard->scavenge_due)
        inner->ops->scavenge(inner, TENURE_BY_AGE);
    if (inner->ops->collection_due(inner))
        inner->ops->collect_if_due(inner);
    guard->collect_due = guard->scavenge_due = false;
}

static void guard_collect_if_due(Mm *mm)
{
    Guard *guard = guard_of(mm);
    if (!guard_collection_due(mm))
        return;
    uint64_t full = count_full(guard);
    open_eden(guard);
    collect_what_is_due(guard);
    collected(guard, full);
    close_eden(guard);
}

static void guard_scavenge(Mm *mm, TenurePolicy policy)
{
    Guard *guard = guard_of(mm);
    uint64_t full = count_full(guard);
    open_eden(guard);
    mm->inner->ops->scavenge(mm->inner, policy);
    collected(guard, full);
    close_eden(guard);
}

static void guard_collect_full(Mm *mm)
{
    Guard *guard = guard_of(mm);
    uint64_t full = count_full(guard);
    open_eden(guard);
    mm->inner->ops->collect_full(mm->inner);
    collected(guard, full);
    close_eden(guard);
}

static bool guard_make_room(Mm *mm, Word bytes)
{
    Guard *guard = guard_of(mm);
    uint64_t full = count_full(guard);
    open_eden(guard);
    bool made = mm->inner->ops->make_room(mm->inner, bytes);
    collected(guard, full);
    close_eden(guard);
    return made;
}

/* ---- What else touches eden ---- */

static bool guard_start(Mm *mm, const MmConfig *config, char *error, size_t error_size)
{
    Guard *guard = guard_of(mm);
    MmConfig tortured = *config;
    tortured.poison |= guard->vm->torture.poison != 0;
    if (guard->vm->torture.tiny_spaces) {
        tortured.eden_bytes = 1; /* the least the manager allows */
        tortured.grow_headroom = tortured.shrink_threshold = 16 * mm->heap->page_size;
    }
    if (!mm->inner->ops->start(mm->inner, &tortured, error, error_size))
        return false;
    guard_brief_collector(guard->vm, mm->heap->gc);
    return true;
}

static Word guard_class_enter(Mm *mm, Oop class)
{
    Word index;
    WITH_EDEN(guard_of(mm), index = mm->inner->ops->class_enter(mm->inner, class));
    return index;
}

static int guard_become(Mm *mm, Oop from, Oop to, BecomeKind kind)
{
    int code;
    WITH_EDEN(guard_of(mm), code = mm->inner->ops->become(mm->inner, from, to, kind));
    return code;
}

static Oop guard_pin(Mm *mm, Oop object, bool pinned)
{
    Oop result;
    WITH_EDEN(guard_of(mm), result = mm->inner->ops->pin(mm->inner, object, pinned));
    return result;
}

/* ---- The rest goes through ---- */

static void guard_stop(Mm *mm)
{
    mm->inner->ops->stop(mm->inner);
}

static bool guard_prepare_load(Mm *mm, Word bytes)
{
    return mm->inner->ops->prepare_load(mm->inner, bytes);
}

static void guard_adopt(Mm *mm, Word end)
{
    mm->inner->ops->adopt(mm->inner, end);
}

static void guard_remember(Mm *mm, Oop object)
{
    mm->inner->ops->remember(mm->inner, object);
}

static void guard_found_weak(Mm *mm, Oop object)
{
    mm->inner->ops->found_weak(mm->inner, object);
}

static void guard_found_ephemeron(Mm *mm, Oop object)
{
    mm->inner->ops->found_ephemeron(mm->inner, object);
}

static uint8_t *guard_class_marks(Mm *mm)
{
    return mm->inner->ops->class_marks(mm->inner);
}

static void guard_finish_tracing(Mm *mm, Tracer *tracer)
{
    mm->inner->ops->finish_tracing(mm->inner, tracer);
}

static void guard_visit_roots(Mm *mm, SlotVisitor visit, void *context)
{
    mm->inner->ops->visit_roots(mm->inner, visit, context);
}

static void guard_visit_all_references(Mm *mm, SlotVisitor visit, void *context)
{
    mm->inner->ops->visit_all_references(mm->inner, visit, context);
}

static Oop guard_next_mourner(Mm *mm)
{
    return mm->inner->ops->next_mourner(mm->inner);
}

static Oop guard_mourner_at(Mm *mm, Word index)
{
    return mm->inner->ops->mourner_at(mm->inner, index);
}

static Oop guard_first_object(Mm *mm)
{
    return mm->inner->ops->first_object(mm->inner);
}

static Oop guard_next_object(Mm *mm, Oop object)
{
    return mm->inner->ops->next_object(mm->inner, object);
}

static void guard_statistics(Mm *mm, MmStatistics *statistics)
{
    mm->inner->ops->statistics(mm->inner, statistics);
}

static bool guard_get_parameter(Mm *mm, unsigned number, int64_t *value)
{
    return mm->inner->ops->get_parameter(mm->inner, number, value);
}

static bool guard_set_parameter(Mm *mm, unsigned number, int64_t value)
{
    return mm->inner->ops->set_parameter(mm->inner, number, value);
}

static size_t guard_leak_check(Mm *mm, LeakCheck *check)
{
    size_t findings;
    WITH_EDEN(guard_of(mm), findings = mm->inner->ops->leak_check(mm->inner, check));
    return findings;
}

static const MmOps guard_ops = {
    .size = sizeof(MmOps),
    .start = guard_start,
    .stop = guard_stop,
    .prepare_load = guard_prepare_load,
    .adopt = guard_adopt,
    .allocate = guard_allocate,
    .allocate_old = guard_allocate_old,
    .remember = guard_remember,
    .collection_due = guard_collection_due,
    .collect_if_due = guard_collect_if_due,
    .scavenge = guard_scavenge,
    .collect_full = guard_collect_full,
    .make_room = guard_make_room,
    .found_weak = guard_found_weak,
    .found_ephemeron = guard_found_ephemeron,
    .class_marks = guard_class_marks,
    .finish_tracing = guard_finish_tracing,
    .visit_roots = guard_visit_roots,
    .visit_all_references = guard_visit_all_references,
    .class_enter = guard_class_enter,
    .become = guard_become,
    .pin = guard_pin,
    .next_mourner = guard_next_mourner,
    .mourner_at = guard_mourner_at,
    .first_object = guard_first_object,
    .next_object = guard_next_object,
    .statistics = guard_statistics,
    .get_parameter = guard_get_parameter,
    .set_parameter = guard_set_parameter,
    .leak_check = guard_leak_check,
};

/* ---- Making it ---- */

static bool parse_options(Guard *guard, OsvmError *error)
{
    const CoreSetup *setup = guard->vm->setup;
    return !setup->leak_check ||
           leaks_parse(setup->host, setup->leak_check, &guard->leaks, error);
}

Mm *guard_stand(Vm *vm, Mm *inner, OsvmError *error)
{
    const OsvmHost *host = vm->setup->host;
    if (!vm->setup->torture && !vm->setup->leak_check)
        return inner;
    Guard *guard = vm->guard = host->alloc(host, sizeof *guard);
    if (!guard) {
        host->fail(error, OSVM_INTERNAL, "no memory for --torture and --leak-check");
        return NULL;
    }
    guard->vm = vm;
    guard->mm = (Mm){.ops = &guard_ops, .heap = inner->heap, .inner = inner};
    return parse_options(guard, error) ? &guard->mm : NULL;
}

void guard_release(Vm *vm)
{
    const OsvmHost *host = vm->setup->host;
    host->free(host, vm->guard, sizeof(Guard));
    vm->guard = NULL;
}

void guard_set_torture(Vm *vm, const Torture *torture)
{
    Guard *guard = vm->guard;
    open_eden(guard);
    guard->vm->torture = *torture;
    guard->closes = false;
    start_counting(guard);
    guard_brief_collector(vm, vm->heap.gc);
}

void guard_brief_collector(Vm *vm, Gc *gc)
{
    if (vm->guard && gc->ops->torture)
        gc->ops->torture(gc, torture_collector_flags(&vm->torture));
}
