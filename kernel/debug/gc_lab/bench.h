/* A mutator for benchmarks: C code over the heap's inline paths, with its references on
 * a stack of roots, so that it costs little and does the same in every run. */
#ifndef OSVM_GC_LAB_BENCH_H
#define OSVM_GC_LAB_BENCH_H

#include "kernel/debug/gc_lab/lab.h"
#include "kernel/lab/measure.h"

enum { BENCH_ROOTS = 200 };

typedef struct {
    Vm *vm;
    Heap *heap;
    const GcBenchOrder *order;
    GcMeasure *measure;
    HeapHost host;       /* the VM's, with two functions of ours */
    bool due;            /* a poll was asked for */
    unsigned futile;     /* full collections in a row that won next to nothing */
    uint64_t collected_at; /* bytes allocated when the last of them ended */
    uint64_t started;    /* microseconds */
    uint64_t random;
    uint64_t allocated;  /* bytes */
    Oop roots[BENCH_ROOTS]; /* a stack; all of it is visited */
    unsigned depth;
} Bench;

typedef struct {
    const char *name, *summary;
    void (*run)(Bench *bench);
} Workload;

extern const Workload workloads[]; /* closed by an entry without a name */

/* Pushes a new object, slots nil or zero; collects where it must; ends the run when
 * there is no memory. Anything may have moved. */
void bench_new(Bench *bench, Shape shape, Word slots);
void bench_new_bytes(Bench *bench, Word bytes);

static inline Oop *bench_top(Bench *bench, unsigned below)
{
    return &bench->roots[bench->depth - 1 - below];
}

static inline void bench_push(Bench *bench, Oop oop)
{
    REQUIRE(bench->depth < BENCH_ROOTS, "more than %d references on the benchmark's stack",
            BENCH_ROOTS);
    bench->roots[bench->depth++] = oop;
}

static inline void bench_pop(Bench *bench, unsigned count)
{
    while (count--)
        bench->roots[--bench->depth] = bench->heap->nil;
}

/* Has as much been allocated as was ordered? */
static inline bool bench_goes_on(Bench *bench)
{
    bench->measure->event = bench->allocated;
    return bench->allocated < bench->order->live * bench->order->turnover;
}

static inline uint32_t bench_random(Bench *bench, uint32_t below)
{
    /* xorshift64* */
    bench->random ^= bench->random >> 12;
    bench->random ^= bench->random << 25;
    bench->random ^= bench->random >> 27;
    return (uint32_t)((bench->random * 0x2545F4914F6CDD1Du >> 32) * below >> 32);
}

int core_gc_bench(const CoreSetup *setup, const GcBenchOrder *order, GcMeasure *measure,
                  OsvmError *error);
const char *core_gc_workload(const CoreSetup *setup, unsigned number, const char **summary);

#endif
