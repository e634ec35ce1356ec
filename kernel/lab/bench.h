/* Comparing collectors: which runs there are, and what becomes of their measurements. */
#ifndef OSVM_LAB_BENCH_H
#define OSVM_LAB_BENCH_H

#include "kernel/lab/measure.h"
#include "kernel/lab/trial.h"

/* A mean with the half-width of its 95 % confidence interval. */
typedef struct {
    double mean, half;
} Estimate;

/* All runs of one collector on one workload in one size of heap. */
typedef struct {
    const char *workload, *collector;
    double factor;       /* of the least heap; 0: no limit */
    uint64_t limit;      /* bytes of old space; 0: none */
    unsigned runs;
    bool first;          /* of all rows */
    bool no_memory;      /* the workload did not get through */
    bool wrong;          /* another result than the first collector's */
    Estimate total_ms, gc_ms, cpu_ms, process_ms;
    double gc_share;     /* of the total */
    double relative;     /* total against the baseline's; 0: there is none */
    double pauses;       /* a run */
    double pause_median_ms, pause_99_ms, pause_max_ms; /* over all runs */
    double utilisation;  /* the least share of any window that the mutator had */
    double peak_heap, live_heap, footprint, process_peak; /* bytes */
    double fragmentation;
    double scavenges, full_collections, allocated, tenured, survived, moved; /* a run */
} BenchRow;

enum { BENCH_WINDOW_US = 20000 }; /* of the minimum mutator utilisation */

/* statistics.c */
Estimate estimate(const double *values, unsigned count);
/* The value below which `share` of them lie; sorts them. */
double quantile(double *values, size_t count, double share);
/* The least share of any window of that length which is no pause (P. Cheng and G.
 * Blelloch 2001). */
double least_utilisation(const MeasuredPause *pauses, size_t count, uint64_t total,
                         uint64_t window);

/* report.c: one row, and what stands before and after all */
typedef enum { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON } BenchFormat;
void report_begin(BenchFormat format);
void report_least(BenchFormat format, const char *workload, const char *summary, uint64_t least,
                  const char *collector);
void report_row(BenchFormat format, const BenchRow *row);
void report_end(BenchFormat format);

#endif
