/* Running one workload and measuring it. */
#include "kernel/debug/gc_lab/bench.h"

#include <time.h>
#include <unistd.h>

/* A heap is too small when so many full collections in a row leave room for less than
 * this part of what is alive. */
enum { FUTILE_COLLECTIONS = 20, FUTILE_PART = 100 };

static Bench *bench_of(Heap *heap)
{
    const HeapHost *host = heap->host;
    return (Bench *)((char *)host - offsetof(Bench, host));
}

static uint64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t cpu_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Bytes of this process that are in memory. */
static uint64_t resident(void)
{
    unsigned long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &pages) != 2)
        pages = 0;
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void note_footprint(GcMeasure *m)
{
    uint64_t bytes = resident();
    if (bytes > m->footprint)
        m->footprint = bytes;
}

static uint64_t now(Heap *heap)
{
    (void)heap;
    return now_us();
}

/* ---- What the heap tells ---- */

static void request_poll(Heap *heap)
{
    bench_of(heap)->due = true;
}

static uint64_t in_use(const MmStatistics *s)
{
    return s->old_bytes - s->old_free;
}

static void collected(Heap *heap, const HeapPause *pause)
{
    Bench *bench = bench_of(heap);
    GcMeasure *m = bench->measure;
    MmStatistics s;
    heap->mm->ops->statistics(heap->mm, &s);
    if (m->pause_count < MEASURE_PAUSES)
        m->pauses[m->pause_count] = (MeasuredPause){pause->start - bench->started, pause->time};
    m->pause_count++;
    m->gc_us += pause->time;
    m->full_collections += pause->full;
    m->scavenges += pause->scavenges;
    m->tenured += pause->tenured_bytes;
    m->survived += pause->survived_bytes;
    m->moved += pause->moved_bytes;
    if (pause->full) {
        m->live_heap = in_use(&s);
        note_footprint(m);
    }
    if (s.new_bytes + s.old_bytes > m->peak_heap)
        m->peak_heap = s.new_bytes + s.old_bytes;
    if (pause->full) {
        bool futile = bench->allocated - bench->collected_at < bench->order->live / FUTILE_PART;
        bench->futile = futile ? bench->futile + 1 : 0;
        bench->collected_at = bench->allocated;
    }
}

/* ---- Allocation ---- */

static __attribute__((cold, noinline)) void no_memory(Bench *bench)
{
    bench->measure->no_memory = true;
    _exit(0);
}

static Oop allocate(Bench *bench, Word slots, unsigned format, Word class_index)
{
    Mm *mm = bench->heap->mm;
    if (__builtin_expect(bench->due, 0)) {
        bench->due = false;
        mm->ops->collect_if_due(mm);
    }
    bench->allocated += object_size_for_slots(slots);
    if (__builtin_expect(bench->futile > FUTILE_COLLECTIONS, 0))
        no_memory(bench);
    Oop oop = heap_allocate(bench->heap, slots, format, class_index);
    if (__builtin_expect(!oop, 0)) {
        mm->ops->make_room(mm, object_size_for_slots(slots));
        oop = heap_allocate(bench->heap, slots, format, class_index);
    }
    if (!oop)
        no_memory(bench);
    return oop;
}

void bench_new(Bench *bench, Shape shape, Word slots)
{
    Oop oop = allocate(bench, slots, shape_format(shape), LAB_FIRST_SHAPE + (Word)shape);
    object_fill(oop, 0, slots, bench->heap->nil);
    bench_push(bench, oop);
}

void bench_new_bytes(Bench *bench, Word bytes)
{
    Oop oop = allocate(bench, slots_for_bytes(bytes), format_for_bytes(bytes),
                       LAB_FIRST_SHAPE + (Word)SHAPE_BYTES);
    memset(object_bytes(oop), (int)bytes, bytes);
    bench_push(bench, oop);
}

/* ---- A run ---- */

static const Workload *find_workload(const char *name)
{
    const Workload *workload = workloads;
    while (workload->name && strcmp(workload->name, name) != 0)
        workload++;
    return workload->name ? workload : NULL;
}

const char *core_gc_workload(const CoreSetup *setup, unsigned number, const char **summary)
{
    *summary = workloads[number].summary;
    return workloads[number].name;
}

static void open_bench(Bench *bench, Vm *vm, const GcBenchOrder *order, GcMeasure *measure)
{
    *bench = (Bench){.vm = vm, .heap = &vm->heap, .order = order, .measure = measure,
                     .host = *vm->heap.host, .random = order->seed * 2 + 1};
    bench->host.request_poll = request_poll;
    bench->host.collected = collected;
    bench->host.now = now;
    vm->heap.host = &bench->host;
    for (unsigned i = 0; i < BENCH_ROOTS; i++) {
        bench->roots[i] = vm->heap.nil;
        vm_root_push(vm, &bench->roots[i]);
    }
}

static void finish(Bench *bench)
{
    MmStatistics s;
    GcMeasure *m = bench->measure;
    m->total_us = now_us() - bench->started;
    m->cpu_us = cpu_us();
    bench->heap->mm->ops->statistics(bench->heap->mm, &s);
    m->allocated = bench->allocated;
    if (s.new_bytes + s.old_bytes > m->peak_heap)
        m->peak_heap = s.new_bytes + s.old_bytes;
    note_footprint(m);
    m->fragmentation = s.old_free ? 1.0 - (double)s.old_largest_free / (double)s.old_free : 0;
    m->done = 1;
}

int core_gc_bench(const CoreSetup *setup, const GcBenchOrder *order, GcMeasure *measure,
                  OsvmError *error)
{
    CoreSetup own;
    GcSettings settings = {.limit = order->limit, .eden = order->eden, .headroom = 1 << 20};
    const Workload *workload = find_workload(order->workload);
    if (!workload) {
        setup->host->fail(error, OSVM_USAGE, "there is no workload '%s'", order->workload);
        return OSVM_USAGE;
    }
    Vm *vm = lab_vm_new(setup, &settings, &own, error);
    if (!vm)
        return (int)error->status;
    Bench *bench = setup->host->alloc(setup->host, sizeof *bench);
    REQUIRE(bench, "the host has no memory for a benchmark");
    open_bench(bench, vm, order, measure);
    bench->started = now_us();
    workload->run(bench);
    finish(bench);
    return OSVM_OK; /* the process ends: nothing is taken down, so that it costs nothing */
}
