/* Allocation and scavenging, without an interpreter: what the memory manager adds.
 *
 * usage: alloc.64 [megabytes]
 *
 * Each workload allocates that much (2048 MB unless told otherwise) and polls as an
 * image does. Printed: MB allocated and objects per second, share of time spent in
 * scavenges, their mean and longest pause, and what was copied and tenured.
 */
// LINK: t/support/mock_host.c t/support/mm_rig.c t/support/plugin_user.c plugins/mm-spur/*.c plugins/gc-compact/*.c plugins/gc/*.c
#include "t/support/mm_rig.h"

#include <time.h>

typedef struct {
    const char *name;
    void (*setup)(MmRig *rig);
    Word (*step)(MmRig *rig); /* allocates a little; answers the bytes */
} Workload;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static Oop new_fixed(Heap *heap, Oop a, Oop b)
{
    Oop object = heap_new_pointers(heap, 3, FORMAT_FIXED, MOCK_FIXED);
    heap_store(heap, object, 0, a);
    heap_store(heap, object, 1, b);
    return object;
}

/* ---- Everything dies at once ---- */

static void setup_nothing(MmRig *rig)
{
    mock_root_push(rig->host, rig->heap->nil);
}

static Word step_garbage(MmRig *rig)
{
    mock_root_set(rig->host, 0, new_fixed(rig->heap, rig->heap->nil, rig->heap->nil));
    return object_size_for_slots(3);
}

/* ---- A window of the newest 10000 objects lives ---- */

enum { WINDOW = 10000 };

static void setup_window(MmRig *rig)
{
    for (int i = 0; i < WINDOW; i++)
        mock_root_push(rig->host, rig->heap->nil);
}

static Word step_window(MmRig *rig)
{
    size_t slot = (size_t)(rig->random++ % WINDOW);
    mock_root_set(rig->host, slot, new_fixed(rig->heap, rig->heap->nil, rig->heap->nil));
    return object_size_for_slots(3);
}

/* ---- Binary trees of depth 12, made and dropped ---- */

static Oop new_tree(Heap *heap, int depth)
{
    /* Between polls allocation moves nothing, so plain variables are enough. */
    if (depth == 0)
        return new_fixed(heap, heap->nil, heap->nil);
    Oop left = new_tree(heap, depth - 1);
    return new_fixed(heap, left, new_tree(heap, depth - 1));
}

static Word step_trees(MmRig *rig)
{
    mock_root_set(rig->host, 0, new_tree(rig->heap, 12));
    return 8191 * object_size_for_slots(3);
}

/* ---- An old table of 100000 whose entries are replaced at random ---- */

enum { TABLE = 100000 };

static void setup_table(MmRig *rig)
{
    mock_root_push(rig->host, heap_new_pointers(rig->heap, TABLE, FORMAT_INDEXABLE, CLASS_ARRAY));
}

static Word step_table(MmRig *rig)
{
    Word i = (Word)(mm_rig_random(rig) % TABLE);
    Oop entry = new_fixed(rig->heap, rig->heap->nil, rig->heap->nil);
    heap_store(rig->heap, mock_root(rig->host, 0), i, entry);
    return object_size_for_slots(3);
}

/* ---- Strings of 16 to 271 bytes ---- */

static Word step_strings(MmRig *rig)
{
    Word bytes = 16 + (Word)(mm_rig_random(rig) & 255);
    mock_root_set(rig->host, 0, heap_new_bytes(rig->heap, bytes, CLASS_BYTE_STRING));
    return object_size_for_slots(slots_for_bytes(bytes));
}

static const Workload workloads[] = {
    {"garbage", setup_nothing, step_garbage}, {"window", setup_window, step_window},
    {"trees", setup_nothing, step_trees},     {"table", setup_table, step_table},
    {"strings", setup_nothing, step_strings},
};

static void run(const Workload *workload, uint64_t bytes)
{
    MmRig rig;
    mm_rig_open(&rig, (size_t)512 << 20, NULL);
    workload->setup(&rig);
    const MmOps *ops = rig.mm->ops;
    uint64_t done = 0;
    double start = seconds();
    while (done < bytes) {
        done += workload->step(&rig);
        if (__builtin_expect(ops->collection_due(rig.mm), 0))
            ops->collect_if_due(rig.mm);
    }
    double time = seconds() - start;
    MmStatistics s;
    ops->statistics(rig.mm, &s);
    double scavenging = (double)s.scavenge_time * 1e-6;
    printf("%-8s %2d bits %8.0f MB/s  scavenges %5" PRIu64 " (%4.1f %%, mean %5.0f us, longest "
           "%6" PRIu64 " us)  full %" PRIu64 "  copied %5" PRIu64 " MB  tenured %5" PRIu64 " MB\n",
           workload->name, WORD_BITS, (double)done / 1e6 / time, s.scavenges,
           100 * scavenging / time, s.scavenges ? 1e6 * scavenging / (double)s.scavenges : 0.0,
           s.longest_pause, s.full_collections, s.survived_bytes >> 20, s.tenured_bytes >> 20);
    mm_rig_close(&rig);
}

int main(int argc, char **argv)
{
    uint64_t megabytes = argc > 1 ? strtoull(argv[1], NULL, 0) : 2048;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        run(&workloads[i], megabytes << 20);
    return 0;
}
