/* What a full collection costs: a heap of small objects (24 to 48 bytes each in
 * 64-bit heaps), all live or with some garbage between them, linked in the order of
 * their allocation or at random. Prints the collector's own times, and the processor time of all its
 * threads, which other work on the machine disturbs less.
 *
 *     bench/gc_full [OPTION=VALUE...] [PLUGIN.so...]    (BENCH_GC_MB=1024: size of the heap)
 *
 * Options are the plugins', for example threads=1.
 */
#include <time.h>

#include "t/support/gc_rig.h"

typedef struct {
    const char *name;
    bool random;
    unsigned garbage; /* percent of the objects */
} Workload;

static const Workload workloads[] = {
    {"allocation order, no garbage", false, 0},
    {"allocation order, 12 % garbage", false, 12},
    {"random order, no garbage", true, 0},
    {"random order, 12 % garbage", true, 12},
};

typedef struct {
    Oop *items;
    size_t count;
} Objects;

/* Objects until the heap holds `bytes` of live ones. */
static Objects allocate_objects(Rig *rig, size_t bytes, unsigned garbage)
{
    Objects objects = {malloc(bytes / 16 * sizeof(Oop)), 0};
    for (size_t used = 0; used < bytes;) {
        Word slots = 2 + (Word)(rig_random(rig) >> 30) % 4;
        Oop object = rig_old(rig, slots, FORMAT_INDEXABLE, CLASS_ARRAY);
        REQUIRE(object, "the heap is too small");
        object_slots(object)[1] = small_integer_oop((SWord)objects.count & 0xFFFF);
        if (rig_random(rig) % 100 < garbage)
            continue;
        used += object_size(object);
        objects.items[objects.count++] = object;
    }
    return objects;
}

static void shuffle(Rig *rig, Objects *objects)
{
    for (size_t i = objects->count; i > 1; i--) {
        size_t j = (size_t)(rig_random(rig) >> 11) % i;
        Oop swap = objects->items[i - 1];
        objects->items[i - 1] = objects->items[j];
        objects->items[j] = swap;
    }
}

/* A binary tree whose preorder is the order of `objects`: [first, end). */
static void link_tree(Objects *objects, size_t first, size_t end)
{
    while (end - first > 1) {
        size_t half = first + 1 + (end - first - 1) / 2;
        object_slots(objects->items[first])[0] = objects->items[first + 1];
        if (half < end && half != first + 1)
            object_slots(objects->items[first])[1] = objects->items[half];
        link_tree(objects, first + 1, half);
        if (half == first + 1)
            return;
        first = half;
    }
}

enum { MOST_OPTIONS = 8 };

static PluginOption options[MOST_OPTIONS + 1];

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void run(const char *file, const Workload *workload, size_t bytes)
{
    Rig rig;
    size_t old = bytes + bytes / 4 + (8 << 20);
    RigSetup setup = {.file = file, .options = options, .old_bytes = old, .limit_bytes = old};
    if (!rig_open(&rig, &setup)) {
        fprintf(stderr, "gc_full: %s\n", rig.error);
        exit(70);
    }
    Objects objects = allocate_objects(&rig, bytes, workload->garbage);
    if (workload->random)
        shuffle(&rig, &objects);
    link_tree(&objects, 0, objects.count);
    mock_root_push(rig.host, objects.items[0]);
    free(objects.items);
    double start = processor_seconds();
    rig_collect(&rig);
    double processor = processor_seconds() - start;
    GcResult *r = &rig.result;
    uint64_t total = r->mark_time + r->sweep_time + r->compact_time;
    printf("%s w%d  %-32s %9" PRIu64 " objects %5" PRIu64 " MB  mark %6.3f s  all %6.3f s"
           "  processor %6.3f s  moved %" PRIu64 " MB\n",
           rig.collector.plugin->name, WORD_BITS, workload->name, r->live_objects,
           r->live_bytes >> 20, (double)r->mark_time / 1e6, (double)total / 1e6, processor,
           r->moved_bytes >> 20);
    fflush(stdout);
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    const char *megabytes = getenv("BENCH_GC_MB");
    size_t bytes = (size_t)(megabytes ? atoi(megabytes) : 1024) << 20;
    int first = 1;
    for (char *value; first < argc && first <= MOST_OPTIONS && (value = strchr(argv[first], '='));
         first++) {
        *value = 0;
        options[first - 1] = (PluginOption){argv[first], value + 1};
    }
    for (int i = first; i < argc; i++)
        for (size_t w = 0; w < sizeof workloads / sizeof workloads[0]; w++)
            run(argv[i], &workloads[w], bytes);
    return 0;
}
