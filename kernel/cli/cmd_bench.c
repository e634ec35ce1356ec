/* `osvm bench gc`: collectors compared on workloads, in heaps of several sizes. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/lab/bench.h"

enum { MOST_RUNS = 100, MOST_FACTORS = 16 };

typedef struct {
    Lab lab;
    Cli *cli;
    const char *collector;  /* of the run in progress */
    GcBenchOrder order;     /* ... */
    GcMeasure *measure;     /* shared */
    unsigned runs;
    double factors[MOST_FACTORS];
    unsigned factor_count;
    BenchFormat format;
    uint64_t expected;      /* result of the first run of the workload; 0: none yet */
    double baseline_ms;     /* total of the baseline on this workload; 0: none */
    unsigned rows;
} Comparison;

static void say(const Comparison *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const Comparison *c, const char *format, ...)
{
    va_list arguments;
    if (!isatty(2) && !options_flag(c->cli->options, "progress"))
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(isatty(2) ? "\033[K\r" : "\n", stderr);
}

/* ---- One run, in a process of its own ---- */

static int run_workload(Lab *lab, void *context)
{
    Comparison *c = context;
    OsvmError error = {.status = OSVM_OK};
    CoreSetup setup;
    const CoreOps *core = NULL;
    if (plugins_select(c->cli->plugins, OSVM_GC, c->collector, &error))
        core = vm_load_core(lab->cli, lab->heap_bits, &setup, &error);
    if (core && core->gc_bench(&setup, &c->order, c->measure, &error) == OSVM_OK)
        return 0;
    snprintf(c->measure->error, sizeof c->measure->error, "%s", error.message);
    return OSVM_INTERNAL;
}

/* False with `error` set when the run failed otherwise than by want of memory. */
static bool run_once(Comparison *c, OsvmError *error)
{
    char said[512] = "";
    GcMeasure *m = c->measure;
    memset(m, 0, offsetof(GcMeasure, pauses));
    int status = lab_fork(&c->lab, run_workload, c, said, sizeof said);
    m->process_us = (uint64_t)c->lab.usage.ru_utime.tv_sec * 1000000 +
                    (uint64_t)c->lab.usage.ru_utime.tv_usec +
                    (uint64_t)c->lab.usage.ru_stime.tv_sec * 1000000 +
                    (uint64_t)c->lab.usage.ru_stime.tv_usec;
    m->process_peak = (uint64_t)c->lab.usage.ru_maxrss << 10;
    if (status == 0 && (m->done || m->no_memory))
        return true;
    return error_set(error, OSVM_INTERNAL, "%s with collector '%s' failed: %s%s", c->order.workload,
                     c->collector, *m->error ? m->error : "the process died ", said);
}

/* ---- The least heap ---- */

/* Bisects between what is surely too little and what was enough, to a few percent. */
static bool find_least(Comparison *c, uint64_t *least, OsvmError *error)
{
    uint64_t low = 0, high;
    c->order.limit = 0;
    if (!run_once(c, error))
        return false;
    high = c->measure->peak_heap;
    while (high - low > high / 32 && high - low > (256 << 10)) {
        uint64_t middle = (low + (high - low) / 2) & ~(uint64_t)4095;
        say(c, "%s: the least heap is between %.1f and %.1f MB", c->order.workload,
            (double)low / 1048576, (double)high / 1048576);
        c->order.limit = middle;
        if (middle < (512 << 10)) {
            low = middle;
            continue;
        }
        if (!run_once(c, error))
            return false;
        if (c->measure->no_memory)
            low = middle;
        else
            high = middle;
    }
    *least = high;
    return true;
}

/* ---- A row: several runs ---- */

typedef struct {
    double total[MOST_RUNS], gc[MOST_RUNS], cpu[MOST_RUNS], process[MOST_RUNS];
    double *pauses;
    size_t pause_count, pause_capacity;
} Samples;

static void add_pauses(Samples *s, const GcMeasure *m)
{
    size_t count = m->pause_count < MEASURE_PAUSES ? m->pause_count : MEASURE_PAUSES;
    if (s->pause_count + count > s->pause_capacity) {
        s->pause_capacity = 2 * (s->pause_count + count);
        s->pauses = realloc(s->pauses, s->pause_capacity * sizeof *s->pauses);
        REQUIRE(s->pauses, "the host has no memory for a list of pauses");
    }
    for (size_t i = 0; i < count; i++)
        s->pauses[s->pause_count++] = (double)m->pauses[i].time / 1000;
}

static void add_run(Comparison *c, BenchRow *row, Samples *s)
{
    const GcMeasure *m = c->measure;
    size_t listed = m->pause_count < MEASURE_PAUSES ? m->pause_count : MEASURE_PAUSES;
    double utilisation = least_utilisation(m->pauses, listed, m->total_us, BENCH_WINDOW_US);
    s->total[row->runs] = (double)m->total_us / 1000;
    s->gc[row->runs] = (double)m->gc_us / 1000;
    s->cpu[row->runs] = (double)m->cpu_us / 1000;
    s->process[row->runs] = (double)m->process_us / 1000;
    add_pauses(s, m);
    if (!row->runs || utilisation < row->utilisation)
        row->utilisation = utilisation;
    row->peak_heap = fmax(row->peak_heap, (double)m->peak_heap);
    row->footprint = fmax(row->footprint, (double)m->footprint);
    row->process_peak = fmax(row->process_peak, (double)m->process_peak);
    row->live_heap = (double)m->live_heap;
    row->fragmentation = m->fragmentation;
    row->pauses = (double)m->pause_count;
    row->scavenges = (double)m->scavenges;
    row->full_collections = (double)m->full_collections;
    row->allocated = (double)m->allocated;
    row->tenured = (double)m->tenured;
    row->survived = (double)m->survived;
    row->moved = (double)m->moved;
    if (!c->expected)
        c->expected = m->result;
    row->wrong |= m->result != c->expected;
    row->runs++;
}

static void conclude(Comparison *c, BenchRow *row, Samples *s)
{
    row->total_ms = estimate(s->total, row->runs);
    row->gc_ms = estimate(s->gc, row->runs);
    row->cpu_ms = estimate(s->cpu, row->runs);
    row->process_ms = estimate(s->process, row->runs);
    row->gc_share = row->total_ms.mean > 0 ? row->gc_ms.mean / row->total_ms.mean : 0;
    row->relative = c->baseline_ms > 0 ? row->total_ms.mean / c->baseline_ms : 0;
    row->pause_median_ms = quantile(s->pauses, s->pause_count, 0.5);
    row->pause_99_ms = quantile(s->pauses, s->pause_count, 0.99);
    row->pause_max_ms = quantile(s->pauses, s->pause_count, 1);
}

static bool measure_row(Comparison *c, const char *collector, double factor, uint64_t limit,
                        BenchRow *row, OsvmError *error)
{
    Samples *samples = calloc(1, sizeof *samples);
    REQUIRE(samples, "the host has no memory for samples");
    *row = (BenchRow){.workload = c->order.workload, .collector = collector, .factor = factor,
                      .limit = limit, .first = c->rows++ == 0};
    c->collector = collector;
    c->order.limit = limit;
    bool good = true;
    for (unsigned run = 0; good && run < c->runs && !row->no_memory; run++) {
        say(c, "%s, %s, heap %.2fx: run %u of %u", c->order.workload, collector, factor, run + 1,
            c->runs);
        good = run_once(c, error);
        row->no_memory = good && c->measure->no_memory;
        if (good && !row->no_memory)
            add_run(c, row, samples);
    }
    if (row->runs)
        conclude(c, row, samples);
    free(samples->pauses);
    free(samples);
    return good;
}

/* ---- A workload ---- */

static bool show_row(Comparison *c, const char *collector, double factor, uint64_t limit,
                     bool baseline, OsvmError *error)
{
    BenchRow row;
    if (!measure_row(c, collector, factor, limit, &row, error))
        return false;
    if (baseline && row.runs) {
        c->baseline_ms = row.total_ms.mean;
        row.relative = 1;
    }
    report_row(c->format, &row);
    if (row.wrong)
        return error_set(error, OSVM_INTERNAL, "%s: collector '%s' came to another result",
                         c->order.workload, collector);
    return true;
}

/* The baseline has all the memory it wants, and is left out where there is no such plugin. */
static bool show_baseline(Comparison *c, OsvmError *error)
{
    const char *baseline = options_text(c->cli->options, "baseline");
    OsvmError missing;
    c->baseline_ms = 0;
    if (!plugins_select(c->cli->plugins, OSVM_GC, baseline, error))
        return false;
    if (!plugins_require(c->cli->plugins, OSVM_GC, c->lab.heap_bits, &missing))
        return !options_given(c->cli->options, "baseline") ||
               error_set(error, OSVM_UNAVAILABLE, "%s", missing.message);
    return show_row(c, baseline, 0, 0, true, error);
}

static bool bench_workload(Comparison *c, char **collectors, const char *name, const char *summary,
                           OsvmError *error)
{
    uint64_t least;
    c->order.workload = name;
    c->expected = 0;
    c->collector = collectors[0];
    if (!find_least(c, &least, error))
        return false;
    report_least(c->format, name, summary, least, collectors[0]);
    if (!show_baseline(c, error))
        return false;
    for (unsigned f = 0; f < c->factor_count; f++)
        for (char **collector = collectors; *collector; collector++)
            if (!show_row(c, *collector, c->factors[f],
                          (uint64_t)((double)least * c->factors[f]) & ~(uint64_t)4095, false,
                          error))
                return false;
    return true;
}

/* ---- The command ---- */

static bool parse_factors(Comparison *c, OsvmError *error)
{
    const char *text = options_text(c->cli->options, "heaps");
    for (const char *at = text; *at;) {
        char *end;
        double factor = strtod(at, &end);
        if (end == at || factor < 1 || (*end && *end != ',') || c->factor_count == MOST_FACTORS)
            return error_set(error, OSVM_USAGE,
                             "'--heaps=%s': factors of the least heap, 1 or more, "
                             "with commas between, were expected",
                             text);
        c->factors[c->factor_count++] = factor;
        at = end + (*end == ',');
    }
    return true;
}

static bool is_wanted(const Comparison *c, const char *name)
{
    const char *list = options_text(c->cli->options, "workloads");
    size_t length = strlen(name);
    for (const char *at = list; at && *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strcspn(at, ",") == length && strncmp(at, name, length) == 0)
            return true;
    return !list;
}

static bool bench_all(Comparison *c, char **collectors, OsvmError *error)
{
    CoreSetup setup;
    const CoreOps *core = vm_load_core(c->cli, c->lab.heap_bits, &setup, error);
    if (!core)
        return false;
    const char *name, *summary;
    unsigned wanted = 0;
    report_begin(c->format);
    for (unsigned i = 0; (name = core->gc_workload(&setup, i, &summary)); i++) {
        if (!is_wanted(c, name))
            continue;
        wanted++;
        if (!bench_workload(c, collectors, name, summary, error))
            return false;
    }
    report_end(c->format);
    return wanted || error_set(error, OSVM_USAGE, "'--workloads=%s' names none that there is",
                               options_text(c->cli->options, "workloads"));
}

static void list_workloads(const CoreOps *core, const CoreSetup *setup)
{
    const char *name, *summary;
    for (unsigned i = 0; (name = core->gc_workload(setup, i, &summary)); i++)
        printf("%-8s  %s\n", name, summary);
}

static bool prepare(Comparison *c, OsvmError *error)
{
    static const char *const formats[] = {"table", "csv", "json"};
    const OptionSet *options = c->cli->options;
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(options_text(options, "format"), formats[i]) == 0)
            c->format = (BenchFormat)i;
    c->runs = (unsigned)options_number(options, "runs");
    c->order = (GcBenchOrder){
        .live = (uint64_t)options_number(options, "live"),
        .turnover = (uint64_t)options_number(options, "turnover"),
        .eden = (uint64_t)options_number(options, "eden"),
        .mutation = (unsigned)options_number(options, "mutation"),
        .seed = (uint64_t)options_number(options, "seed"),
    };
    if (!c->order.eden)
        c->order.eden = 4 << 20;
    return parse_factors(c, error);
}

static int run_bench(Cli *cli, OsvmError *error)
{
    static char *usual[] = {"compact", "sweep", NULL};
    Comparison c = {.cli = cli};
    char **collectors = cli->operand_count > 1 ? cli->operands + 1 : usual;
    if (strcmp(cli->operands[0], "gc") != 0) {
        error_set(error, OSVM_USAGE, "'osvm bench' knows 'gc', not '%s'", cli->operands[0]);
        return OSVM_USAGE;
    }
    unsigned bits = (unsigned)strtoul(options_text(cli->options, "bits"), NULL, 10);
    if (!lab_open(&c.lab, cli, bits, error) || !prepare(&c, error))
        return (int)error->status;
    if (options_flag(cli->options, "list")) {
        CoreSetup setup;
        const CoreOps *core = vm_load_core(cli, bits, &setup, error);
        if (core)
            list_workloads(core, &setup);
        return core ? OSVM_OK : (int)error->status;
    }
    c.measure =
        mmap(NULL, sizeof *c.measure, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(c.measure != MAP_FAILED, "no shared memory: %s", strerror(errno));
    c.lab.progress = &c.measure->event;
    bool good = bench_all(&c, collectors, error);
    munmap(c.measure, sizeof *c.measure);
    lab_close(&c.lab);
    return good ? OSVM_OK : (int)error->status;
}

static const OsvmOption bench_options[] = {
    {.name = "workloads", .kind = OSVM_TEXT, .choices = "NAME,NAME...",
     .help = "which ones; without it, all"},
    {.name = "list", .kind = OSVM_FLAG, .value = "no", .help = "say which workloads there are"},
    {.name = "heaps", .kind = OSVM_TEXT, .value = "1.5,2,3", .choices = "FACTOR,...",
     .help = "sizes of old space, as factors of the least that is enough"},
    {.name = "runs", .kind = OSVM_NUMBER, .value = "5", .min = 1, .max = MOST_RUNS,
     .help = "how many of each, for the confidence intervals"},
    {.name = "live", .kind = OSVM_SIZE, .value = "16M", .min = 1 << 20, .max = INT64_C(1) << 36,
     .help = "bytes that are alive at any time"},
    {.name = "turnover", .kind = OSVM_NUMBER, .value = "20", .min = 2, .max = 1000000,
     .help = "how many times as much is allocated"},
    {.name = "mutation", .kind = OSVM_NUMBER, .value = "20", .min = 0, .max = 100,
     .help = "edges changed for each 100 allocations, in the graph"},
    {.name = "seed", .kind = OSVM_NUMBER, .value = "1", .min = 0, .max = INT32_MAX,
     .help = "of what is random in the workloads"},
    {.name = "baseline", .kind = OSVM_TEXT, .value = "none", .choices = "COLLECTOR",
     .help = "what total times are compared with, in a heap without limit"},
    {.name = "bits", .kind = OSVM_CHOICE, .choices = "64|32", .value = "64", .help = "heap width"},
    {.name = "format", .kind = OSVM_CHOICE, .choices = "table|csv|json", .value = "table",
     .help = "of the output"},
    {.name = "progress", .kind = OSVM_FLAG, .value = "no",
     .help = "say what is being run, also where standard error is no terminal"},
    {.name = NULL},
};

const Command command_bench = {
    .name = "bench",
    .operands = "gc [COLLECTOR...]",
    .summary = "compare collectors on workloads, in heaps of several sizes",
    .details =
        "Each COLLECTOR is written as for --gc: compact, sweep,lazy, NAME:checked. For each "
        "workload\n"
        "the least heap is found in which the first of them gets through; then all of them run\n"
        "in multiples of it, several times, each in a process of its own.",
    .options = bench_options,
    .least = 1,
    .most = -1,
    .run = run_bench,
};
