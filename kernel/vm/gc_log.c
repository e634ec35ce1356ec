/* A pause as a line of JSON; docs/collector-lab.md lists the members. */
#include "kernel/vm/gc_log.h"

#include <inttypes.h>

static void put(FILE *file, const char *name, uint64_t value)
{
    fprintf(file, ",\"%s\":%" PRIu64, name, value);
}

static void put_phases(FILE *file, const HeapPause *p)
{
    uint64_t known = p->scavenge_time + p->mark_time + p->sweep_time + p->compact_time;
    fprintf(file, ",\"phases\":{\"scavenge_us\":%" PRIu64, p->scavenge_time);
    if (p->full) {
        put(file, "mark_us", p->mark_time);
        put(file, "compact_us", p->compact_time);
        put(file, "sweep_us", p->sweep_time);
        put(file, "other_us", p->time > known ? p->time - known : 0);
    }
    fputc('}', file);
}

void gc_log_write(FILE *file, Heap *heap, const HeapPause *p, uint64_t origin)
{
    MmStatistics s;
    heap->mm->ops->statistics(heap->mm, &s);
    fprintf(file, "{\"event\":\"%s\"", p->full ? "full" : "scavenge");
    put(file, "at_us", p->start - origin);
    put(file, "pause_us", p->time);
    put_phases(file, p);
    put(file, "scavenges", p->scavenges);
    put(file, "survived_bytes", p->survived_bytes);
    put(file, "tenured_objects", p->tenured_objects);
    put(file, "tenured_bytes", p->tenured_bytes);
    put(file, "moved_objects", p->moved_objects);
    put(file, "moved_bytes", p->moved_bytes);
    put(file, "new_bytes", s.new_bytes);
    put(file, "old_bytes", s.old_bytes);
    put(file, "old_free_bytes", s.old_free);
    put(file, "old_largest_free", s.old_largest_free);
    put(file, "remembered", s.remembered_count);
    fputs("}\n", file);
}
