/* What a collector must do when its vtable is called as osvm/gc.h says: one test a
 * process, by number. A finding is a sentence about the rule that was broken. */
#include "kernel/debug/gc_lab/lab.h"

#include <stdarg.h>
#include <unistd.h>

typedef struct {
    Vm *vm;
    Heap *heap;
    Gc *gc;
    GcFlight *flight;
} Suite;

static _Noreturn void broken(Suite *suite, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static _Noreturn void broken(Suite *suite, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(suite->flight->text, sizeof suite->flight->text, format, arguments);
    va_end(arguments);
    suite->flight->found = FOUND_BY_MODEL;
    _exit(OSVM_PROGRAM_ERROR);
}

/* ---- Helpers ---- */

static GcStatistics facts(Suite *suite)
{
    GcStatistics statistics = {0};
    suite->gc->ops->statistics(suite->gc, &statistics);
    return statistics;
}

static Word old_bytes(const Suite *suite)
{
    return suite->heap->old_end - suite->heap->old_start;
}

/* A dead byte object over the whole of [start, start + bytes). */
static Oop make_dead(Word start, Word bytes)
{
    Oop chunk = free_chunk_write(start, start + bytes); /* the header for that length */
    *header_at(chunk) |= (LAB_FIRST_SHAPE + SHAPE_BYTES) |
                         (Header)FORMAT_BYTES << HEADER_FORMAT_SHIFT;
    return chunk;
}

static Word allocate(Suite *suite, Word bytes)
{
    Word start = suite->gc->ops->allocate(suite->gc, bytes);
    if (!start)
        return 0;
    if (start % OBJECT_ALIGNMENT || start < suite->heap->old_start ||
        start + bytes > suite->heap->old_end)
        broken(suite,
               "allocate answers 0x%" PRIxWORD " for %" PRIuWORD " bytes: that is not aligned, or "
               "not in old space [0x%" PRIxWORD ", 0x%" PRIxWORD ")",
               start, bytes, suite->heap->old_start, suite->heap->old_end);
    make_dead(start, bytes);
    return start;
}

/* Old space can be walked from end to end; answers the bytes of free chunks. */
static Word walk(Suite *suite, const char *when)
{
    Heap *heap = suite->heap;
    Word free = 0;
    suite->gc->ops->make_walkable(suite->gc);
    for (Word start = heap->old_start; start < heap->old_end;) {
        Oop object = object_at_start(start);
        Word end = object_end(object);
        if (end <= start || end > heap->old_end)
            broken(suite, "%s old space cannot be walked: what lies at 0x%" PRIxWORD " ends at 0x%"
                   PRIxWORD, when, start, end);
        if (object_class_index(object) == CLASS_FREE)
            free += end - start;
        start = end;
    }
    return free;
}

static void check_free(Suite *suite, const char *when)
{
    Word walked = walk(suite, when), claimed = facts(suite).free_bytes;
    if (claimed > walked)
        broken(suite,
               "%s statistics claim %" PRIuWORD " free bytes, but free chunks have %" PRIuWORD,
               when, claimed, walked);
}

static void self_check_says(void *context, const char *sentence)
{
    GcFlight *flight = ((Suite *)context)->flight;
    if (!*flight->text)
        snprintf(flight->text, sizeof flight->text, "self_check: %s", sentence);
}

static void self_check(Suite *suite)
{
    if (!gc_self_check(suite->gc, self_check_says, suite))
        return;
    suite->flight->found = FOUND_BY_LEAK_CHECK;
    _exit(OSVM_PROGRAM_ERROR);
}

static void collect(Suite *suite)
{
    Mm *mm = suite->heap->mm;
    mm->ops->collect_full(mm);
    check_free(suite, "after a collection");
    self_check(suite);
}

/* ---- The tests ---- */

static void test_vtable(Suite *suite)
{
    const GcOps *ops = suite->gc->ops;
    struct {
        const char *name;
        bool there;
    } functions[] = {
        {"start", ops->start}, {"stop", ops->stop}, {"adopt", ops->adopt},
        {"extended", ops->extended}, {"trim", ops->trim}, {"allocate", ops->allocate},
        {"take_buffer", ops->take_buffer}, {"return_buffer", ops->return_buffer},
        {"free", ops->free}, {"collect", ops->collect}, {"barrier", ops->barrier},
        {"make_walkable", ops->make_walkable}, {"statistics", ops->statistics},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!functions[i].there)
            broken(suite, "the vtable has no function '%s'", functions[i].name);
    check_free(suite, "after adopt");
    self_check(suite);
}

static void test_allocate(Suite *suite)
{
    enum { TIMES = 2000 };
    for (Word i = 0; i < TIMES; i++) {
        Word bytes = SMALLEST_OBJECT + OBJECT_ALIGNMENT * (i * 7 % 100);
        Word before = facts(suite).free_bytes, start = allocate(suite, bytes);
        Word after = facts(suite).free_bytes;
        if (!start)
            break;
        if (before - after < bytes)
            broken(suite, "%" PRIuWORD " bytes were allocated, but free_bytes went from %" PRIuWORD
                   " to %" PRIuWORD, bytes, before, after);
    }
    check_free(suite, "after allocations");
    self_check(suite);
}

static Word fill(Suite *suite)
{
    Word count = 0;
    while (allocate(suite, 64 + count % 9 * 8))
        count++;
    while (allocate(suite, SMALLEST_OBJECT))
        count++;
    return count;
}

static void test_exhaustion(Suite *suite)
{
    Heap *heap = suite->heap;
    Word first = fill(suite);
    if (allocate(suite, old_bytes(suite)))
        broken(suite, "a full old space still answers memory");
    walk(suite, "filled to the last byte,");
    Word from = heap->old_end, more = 64 * heap->page_size;
    if (!heap->host->commit(heap, from, from + more))
        return;
    heap->old_end += more;
    suite->gc->ops->extended(suite->gc, from);
    if (!allocate(suite, 1024))
        broken(suite, "old space was extended by %" PRIuWORD " bytes, but 1024 bytes cannot be had",
               more);
    collect(suite);
    if (fill(suite) < first)
        broken(suite, "filled with dead objects and collected, old space holds less than before");
}

static void test_largest(Suite *suite)
{
    collect(suite);
    GcStatistics s = facts(suite);
    if (s.largest_free < SMALLEST_OBJECT)
        return;
    if (!allocate(suite, s.largest_free & ~(Word)(OBJECT_ALIGNMENT - 1)))
        broken(suite,
               "statistics say that %" PRIuWORD " bytes can be had in one piece, but they cannot",
               s.largest_free);
    collect(suite);
}

static void test_buffers(Suite *suite)
{
    Gc *gc = suite->gc;
    for (Word i = 0; i < 500; i++) {
        Word least = SMALLEST_OBJECT + 8 * (i * 13 % 400), start = 0, end = 0;
        if (!gc->ops->take_buffer(gc, least, 4096, &start, &end))
            break;
        if (end - start < least || start % 8 || end % 8 || start < suite->heap->old_start ||
            end > suite->heap->old_end)
            broken(suite,
                   "take_buffer(least %" PRIuWORD ") answers [0x%" PRIxWORD ", 0x%" PRIxWORD "): "
                   "too short, not aligned or outside old space",
                   least, start, end);
        Word used = end - start - least < SMALLEST_OBJECT ? end - start : least;
        make_dead(start, used);
        if (start + used != end)
            gc->ops->return_buffer(gc, start + used, end);
    }
    check_free(suite, "after buffers were used in part and given back");
    self_check(suite);
    collect(suite);
}

static void test_free(Suite *suite)
{
    Word start = allocate(suite, 4096);
    if (!start)
        return;
    Word before = facts(suite).free_bytes;
    suite->gc->ops->free(suite->gc, object_at_start(start));
    if (facts(suite).free_bytes < before + 4096)
        broken(suite, "free was told of an object of 4096 bytes, but free_bytes grew by %" PRIuWORD,
               facts(suite).free_bytes - before);
    check_free(suite, "after free");
    self_check(suite);
}

/* A collector may refuse to collect at all, if it says so each time. */
static bool never_collects(Suite *suite)
{
    MmStatistics statistics;
    suite->heap->mm->ops->statistics(suite->heap->mm, &statistics);
    return statistics.full_collections && statistics.refused == statistics.full_collections;
}

static void test_reclaims(Suite *suite)
{
    collect(suite);
    if (never_collects(suite)) {
        snprintf(suite->flight->text, sizeof suite->flight->text,
                 "it refuses every collection: what is dead is never reclaimed");
        return;
    }
    Word before = facts(suite).free_bytes, taken = 0;
    for (Word i = 0; i < 3000; i++) {
        Word bytes = 16 + i % 40 * 8;
        taken += allocate(suite, bytes) ? bytes : 0;
    }
    collect(suite);
    Word after = facts(suite).free_bytes + (suite->gc->ops->moves_objects ? 0 : 4096);
    if (after < before)
        broken(suite,
               "%" PRIuWORD " bytes of dead objects were not reclaimed: %" PRIuWORD
               " bytes are free, %" PRIuWORD " were before",
               taken, facts(suite).free_bytes, before);
}

static void test_trim(Suite *suite)
{
    Heap *heap = suite->heap;
    collect(suite);
    Word keep = 16 * heap->page_size, end = suite->gc->ops->trim(suite->gc, keep);
    if (end % heap->page_size || end > heap->old_end || end <= heap->hidden_roots)
        broken(suite,
               "trim answers 0x%" PRIxWORD ", which is no page of old space [0x%" PRIxWORD
               ", 0x%" PRIxWORD ")",
               end, heap->old_start, heap->old_end);
    Word old_end = heap->old_end;
    heap->old_end = end;
    if (end < old_end)
        heap->host->decommit(heap, end, old_end);
    check_free(suite, "after trim");
    if (facts(suite).free_bytes < keep && end < old_end)
        broken(suite, "trim was to keep %" PRIuWORD " bytes free, %" PRIuWORD " are", keep,
               facts(suite).free_bytes);
    self_check(suite);
    collect(suite);
}

/* Every reference to an old forwarder is gone after a collection, and so is it. */
static void test_many_collections(Suite *suite)
{
    Heap *heap = suite->heap;
    for (unsigned round = 0; round < 10; round++) {
        for (Word i = 0; i < 500; i++)
            allocate(suite, 16 + (i * 31 + round) % 60 * 8);
        collect(suite);
        if (heap_class_of(heap, heap->nil) != heap_class_at(heap, LAB_FIRST_SHAPE))
            broken(suite, "after %u collections nil is no longer what it was", round + 1);
    }
}

/* A list so deep that recursion would overflow the C stack. */
static void test_deep(Suite *suite)
{
    enum { NODES = 400000 };
    Heap *heap = suite->heap;
    Oop root = heap->nil;
    vm_root_push(suite->vm, &root);
    Word count = 0;
    for (; count < NODES; count++) {
        Oop cell = heap->mm->ops->allocate_old(heap->mm, 1, FORMAT_INDEXABLE, CLASS_ARRAY);
        if (!cell)
            break;
        object_slots(cell)[0] = root;
        root = cell;
    }
    collect(suite);
    Word found = 0;
    for (Oop cell = root; cell != heap->nil && found <= count; cell = object_slot(cell, 0))
        found++;
    if (found != count)
        broken(suite, "a list of %" PRIuWORD " objects has %" PRIuWORD " after a collection", count,
               found);
    vm_root_pop(suite->vm, 1);
}

static void *no_side_table(Heap *heap, size_t bytes)
{
    (void)heap, (void)bytes;
    return NULL;
}

/* Where a collector needs side tables and the host has none, it may reclaim nothing, but
 * loses nothing either. */
static void test_no_side_tables(Suite *suite)
{
    Heap *heap = suite->heap;
    const HeapHost *usual = heap->host;
    HeapHost poor = *usual;
    GcResult result = {0};
    if (suite->gc->inner)
        return; /* a shim itself needs memory */
    Oop root = heap->mm->ops->allocate_old(heap->mm, 50, FORMAT_INDEXABLE, CLASS_ARRAY);
    vm_root_push(suite->vm, &root);
    object_fill(root, 0, 50, heap->true_object);
    heap->mm->ops->collect_full(heap->mm);
    poor.side_table_reserve = no_side_table;
    heap->host = &poor;
    memset(heap->mm->ops->class_marks(heap->mm), 0,
           (size_t)heap->class_table_pages << CLASS_PAGE_BITS);
    suite->gc->ops->collect(suite->gc, &result);
    heap->host = usual;
    for (Word i = 0; i < 50; i++)
        if (object_slot(root, i) != heap->true_object)
            broken(suite, "without memory for side tables a collection damaged a live object");
    vm_root_pop(suite->vm, 1);
    check_free(suite, "after a collection without side tables");
    collect(suite);
}

static const struct {
    const char *name;
    void (*run)(Suite *suite);
} tests[] = {
    {"the vtable is complete, and an image is adopted", test_vtable},
    {"memory that is allocated is aligned, inside and no longer free", test_allocate},
    {"old space can be filled to the last byte, extended and emptied", test_exhaustion},
    {"the largest free block that is claimed can be had", test_largest},
    {"buffers to promote into", test_buffers},
    {"one object can be freed at once", test_free},
    {"dead objects are reclaimed", test_reclaims},
    {"memory is given back", test_trim},
    {"many collections one after the other", test_many_collections},
    {"deep lists do not overflow the stack", test_deep},
    {"no memory for side tables", test_no_side_tables},
};

int core_gc_conformance(const CoreSetup *setup, unsigned number, GcFlight *flight,
                        const char **name, OsvmError *error)
{
    CoreSetup own;
    const GcSettings settings = {.limit = 32 << 20, .headroom = 1 << 20};
    if (number >= sizeof tests / sizeof *tests) {
        *name = NULL;
        return OSVM_OK;
    }
    *name = tests[number].name;
    if (!flight)
        return OSVM_OK;
    Vm *vm = lab_vm_new(setup, &settings, &own, error);
    if (!vm)
        return (int)error->status;
    Suite suite = {vm, &vm->heap, vm->heap.gc, flight};
    tests[number].run(&suite);
    vm_destroy(vm);
    flight->done = 1;
    return OSVM_OK;
}
