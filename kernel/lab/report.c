/* Rows of a comparison as a table, CSV or JSON. */
#include "kernel/lab/bench.h"

#include <inttypes.h>

typedef struct {
    const char *name;
    double value;
} Column;

enum { COLUMNS = 28 };

static unsigned columns_of(const BenchRow *r, Column columns[COLUMNS])
{
    const Column all[] = {
        {"heap_factor", r->factor}, {"heap_limit_bytes", (double)r->limit}, {"runs", r->runs},
        {"total_ms", r->total_ms.mean}, {"total_ms_ci95", r->total_ms.half},
        {"relative", r->relative}, {"gc_ms", r->gc_ms.mean}, {"gc_ms_ci95", r->gc_ms.half},
        {"gc_share", r->gc_share}, {"pauses", r->pauses}, {"pause_median_ms", r->pause_median_ms},
        {"pause_99_ms", r->pause_99_ms}, {"pause_max_ms", r->pause_max_ms},
        {"mmu_20ms", r->utilisation}, {"peak_heap_bytes", r->peak_heap},
        {"live_heap_bytes", r->live_heap}, {"fragmentation", r->fragmentation},
        {"scavenges", r->scavenges}, {"full_collections", r->full_collections},
        {"allocated_bytes", r->allocated}, {"promoted_bytes", r->tenured},
        {"survivors_copied_bytes", r->survived}, {"moved_bytes", r->moved},
        {"cpu_ms", r->cpu_ms.mean}, {"footprint_bytes", r->footprint},
        {"process_ms", r->process_ms.mean}, {"process_peak_bytes", r->process_peak},
        {"out_of_memory", r->no_memory},
    };
    for (unsigned i = 0; i < COLUMNS; i++)
        columns[i] = all[i];
    return COLUMNS;
}

/* ---- Table ---- */

static void table_row(const BenchRow *r)
{
    char heap[32], relative[16] = "-";
    if (r->factor > 0)
        snprintf(heap, sizeof heap, "%.2fx", r->factor);
    else
        snprintf(heap, sizeof heap, "any");
    if (r->relative > 0)
        snprintf(relative, sizeof relative, "%.2f", r->relative);
    if (r->no_memory) {
        printf("  %-20s %6s  out of memory\n", r->collector, heap);
        return;
    }
    printf("  %-20s %6s %9.1f +- %-6.1f %6s %5.1f%% %6.0f %8.2f %8.2f %8.2f %5.1f%% %7.1f %7.1f "
           "%5.1f%% "
           "%8.1f %8.1f%s\n",
           r->collector, heap, r->total_ms.mean, r->total_ms.half, relative, 100 * r->gc_share,
           r->pauses, r->pause_median_ms, r->pause_99_ms, r->pause_max_ms, 100 * r->utilisation,
           r->peak_heap / 1048576, r->process_peak / 1048576, 100 * r->fragmentation,
           r->tenured / 1048576, r->moved / 1048576, r->wrong ? "  WRONG RESULT" : "");
}

static void table_head(void)
{
    printf("  %-20s %6s %9s    %-6s %6s %6s %6s %8s %8s %8s %6s %7s %7s %6s %8s %8s\n", "collector",
           "heap", "total ms", "95 %", "rel.", "GC", "pauses", "median", "99 %", "max ms", "MMU20",
           "heap MB", "RSS MB", "frag.", "promo MB", "moved MB");
}

/* ---- All formats ---- */

void report_begin(BenchFormat format)
{
    Column columns[COLUMNS];
    BenchRow none = {.runs = 0};
    if (format == FORMAT_JSON)
        printf("[");
    if (format != FORMAT_CSV)
        return;
    printf("workload,collector");
    for (unsigned i = 0; i < columns_of(&none, columns); i++)
        printf(",%s", columns[i].name);
    printf("\n");
}

void report_least(BenchFormat format, const char *workload, const char *summary, uint64_t least,
                  const char *collector)
{
    if (format != FORMAT_TABLE)
        return;
    printf("\n%s: %s; least heap %.1f MB (%s)\n", workload, summary, (double)least / 1048576,
           collector);
    table_head();
}

void report_row(BenchFormat format, const BenchRow *row)
{
    static const char *const separators[] = {"", ",", ", "};
    Column columns[COLUMNS];
    unsigned count = columns_of(row, columns);
    if (format == FORMAT_TABLE)
        table_row(row);
    else if (format == FORMAT_CSV)
        printf("%s,\"%s\"", row->workload, row->collector);
    else
        printf("%s\n  {\"workload\": \"%s\", \"collector\": \"%s\"", row->first ? "" : ",",
               row->workload, row->collector);
    for (unsigned i = 0; format != FORMAT_TABLE && i < count; i++) {
        if (format == FORMAT_CSV)
            printf(",%.10g", columns[i].value);
        else
            printf("%s\"%s\": %.10g", separators[format], columns[i].name, columns[i].value);
    }
    if (format != FORMAT_TABLE)
        printf(format == FORMAT_JSON ? "}" : "\n");
    fflush(stdout);
}

void report_end(BenchFormat format)
{
    if (format == FORMAT_JSON)
        printf("\n]\n");
}
