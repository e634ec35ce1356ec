/* Every collector, in every variant, against the contract of osvm/gc.h.
 *
 *     heap_gc_conformance.64 [PLUGIN.so...]    without arguments: those of the build
 */
// LINK: t/support/confession.c t/support/mock_host.c t/support/mock_mm.c t/support/plugin_user.c t/support/gc_rig.c t/support/gc_judge.c t/support/gc_shadow.c t/support/shadow.c
#include <glob.h>

#include "support/confession.h"
#include "support/gc_shadow.h"
#include "tap.h"

static char label[128]; /* gc/compact/w64/production */
static bool reclaims;    /* the collector does collect */

#define test(held, ...) test_report((held), __LINE__, __VA_ARGS__)

__attribute__((format(printf, 3, 4)))
static void test_report(bool held, int line, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tap_ok(held, __FILE__, line, "%s: %s", label, text);
}

static void open_rig(Rig *rig, const RigSetup *setup)
{
    if (!rig_open(rig, setup))
        bail_out("%s: %s", label, rig->error);
}

static void print_comment(void *context, const char *sentence)
{
    (void)context;
    printf("# %s\n", sentence);
}

static void test_smoke(const char *file)
{
    Rig rig;
    open_rig(&rig, &(RigSetup){.file = file});
    test(rig_check(&rig) == 0, "an adopted image is walkable");
    size_t root = mock_root_push(rig.host, rig_old(&rig, 3, FORMAT_FIXED, MOCK_FIXED));
    for (int i = 0; i < 10000; i++) {
        Oop object = rig_old(&rig, 3, FORMAT_FIXED, MOCK_FIXED);
        if (i % 3)
            continue;
        object_slots(object)[0] = mock_root(rig.host, root);
        object_slots(object)[1] = small_integer_oop(i);
        mock_root_set(rig.host, root, object);
    }
    uint64_t before = rig_digest(&rig);
    rig_collect(&rig);
    test(rig_check(&rig) == 0, "a collected heap is sound");
    test(rig_digest(&rig) == before, "a collection keeps the graph");
    reclaims = !rig.result.refused;
    Word bytes, count = rig_count_old(&rig, &bytes);
    test(reclaims ? count < 3600 : count > 10000, "garbage is %s: %" PRIuWORD " objects",
         reclaims ? "gone" : "kept, which the collector says", count);
    rig_close(&rig);
}

/* A collection that is refused leaves everything as it was. */
static size_t collect_nothing(Rig *rig)
{
    uint64_t before = rig_digest(rig);
    rig_collect(rig);
    return (rig_digest(rig) != before) + !rig->result.refused +
           gc_self_check(rig->gc, print_comment, NULL);
}

/* Random events against the shadow model. */
static void test_random(const char *file, const char *shim, uint64_t seed,
                        const PluginOption *options, const char *what)
{
    Rig rig;
    GcShadow shadow;
    size_t errors = 0, events = 0;
    open_rig(&rig, &(RigSetup){.file = file, .shim = shim, .options = options, .young_bytes = 64 << 10,
                               .old_bytes = 1 << 20, .limit_bytes = 16 << 20});
    gc_shadow_open(&shadow, &rig, 50);
    rig.random = seed;
    for (int round = 0; round < 20 && !errors; round++) {
        size_t stop = events + 200 + rig_random(&rig) % 4000;
        while (events++ < stop && gc_shadow_event(&shadow))
            ;
        errors = reclaims ? gc_shadow_collect(&shadow) : collect_nothing(&rig);
        if (rig_random(&rig) % 4 == 0)
            rig_extend(&rig, 64 << 10);
    }
    test(errors == 0, "%s, seed %" PRIu64 ": %zu events", what, seed, events);
    gc_shadow_close(&shadow);
    rig_close(&rig);
}

typedef struct {
    const RigSetup *setup;
    void (*step)(Rig *rig);
} Crime;

static void commit(void *context)
{
    const Crime *crime = context;
    Rig rig;
    open_rig(&rig, crime->setup);
    crime->step(&rig);
}

static const char *dying_words(const RigSetup *setup, void (*step)(Rig *rig))
{
    Crime crime = {setup, step};
    return confession(commit, &crime);
}

static void free_twice(Rig *rig)
{
    Oop object = rig_old(rig, 3, FORMAT_FIXED, MOCK_FIXED);
    rig->gc->ops->free(rig->gc, object);
    rig->gc->ops->return_buffer(rig->gc, object, object + 32);
}

static void allocate_odd(Rig *rig)
{
    rig->gc->ops->allocate(rig->gc, 20);
}

static void hide_growth(Rig *rig)
{
    rig->heap->old_end += rig->heap->page_size;
    rig->gc->ops->allocate(rig->gc, 24);
}

/* An object that claims to be longer than old space. */
static void break_size(Rig *rig)
{
    Oop object = rig_old(rig, 300, FORMAT_INDEXABLE, CLASS_ARRAY);
    header_at(object)[-1] += (uint64_t)1 << 24;
    rig_collect(rig);
}

static void test_shim(const char *file, const char *shim)
{
    RigSetup setup = {.file = file, .shim = shim};
    has_text(dying_words(&setup, free_twice), "is not in use (S3)", "%s: shim: freed twice", label);
    has_text(dying_words(&setup, allocate_odd), "allocation of 20 bytes (S1)",
             "%s: shim: an odd size", label);
    has_text(dying_words(&setup, hide_growth), "but the collector was told",
             "%s: shim: old space grew unsaid", label);
    has_text(dying_words(&setup, break_size), "(S4)", "%s: shim: a broken header", label);
}

static size_t live_bytes(Rig *rig)
{
    GcStatistics statistics;
    rig->gc->ops->statistics(rig->gc, &statistics);
    return rig->heap->old_end - rig->heap->old_start - statistics.free_bytes;
}

/* Old space was full, of garbage only. */
static void test_emptied(Rig *rig, Word first)
{
    GcStatistics statistics;
    Word second = 0;
    rig_collect(rig);
    rig->gc->ops->statistics(rig->gc, &statistics);
    Word largest = statistics.largest_free;
    Word start = rig->gc->ops->allocate(rig->gc, largest);
    test(start != 0, "the largest free block, %" PRIuWORD " bytes, can be had", largest);
    rig->gc->ops->return_buffer(rig->gc, start, start + largest);
    while (rig_old(rig, 1 + second % 7, FORMAT_INDEXABLE, CLASS_ARRAY))
        second++;
    test(second > first, "emptied, it holds as much: %" PRIuWORD " then %" PRIuWORD, first, second);
    rig_collect(rig);
    Word end = rig->gc->ops->trim(rig->gc, 64 << 10);
    test(end < rig->heap->old_end && end % rig->heap->page_size == 0, "memory is given back");
    rig->heap->host->decommit(rig->heap, end, rig->heap->old_end);
    rig->heap->old_end = end;
    test(rig_check(rig) == 0 && rig_old(rig, 100, FORMAT_INDEXABLE, CLASS_ARRAY),
         "trimmed, it is sound and allocates");
}

/* Old space filled to the last byte, emptied, filled again. */
static void test_exhaustion(const char *file)
{
    Rig rig;
    open_rig(&rig, &(RigSetup){.file = file, .old_bytes = 1 << 20, .limit_bytes = 8 << 20});
    Word first = 0;
    while (rig_old(&rig, 1 + first % 7, FORMAT_INDEXABLE, CLASS_ARRAY))
        first++;
    test(!rig_old(&rig, 1 << 20, FORMAT_INDEXABLE, CLASS_ARRAY), "a full heap answers 0");
    test(rig_extend(&rig, 1 << 20) && rig_old(&rig, 1000, FORMAT_INDEXABLE, CLASS_ARRAY),
         "extended, it has room again");
    if (reclaims)
        test_emptied(&rig, first);
    rig_close(&rig);
}

static void test_buffers(const char *file)
{
    Rig rig;
    open_rig(&rig, &(RigSetup){.file = file});
    size_t before = live_bytes(&rig), bad = 0;
    for (Word i = 0; i < 1000; i++) {
        Word start = 0, end = 0, least = 16 + 8 * (Word)(rig_random(&rig) % 100);
        if (!rig.gc->ops->take_buffer(rig.gc, least, 4096, &start, &end)) {
            bad++;
            break;
        }
        bad += end - start < least || start % 8 || end % 8;
        object_write_header(start, (least - 8) / WORD_BYTES > 254 ? 254 : (least - 8) / WORD_BYTES,
                            FORMAT_BYTES, CLASS_BYTE_STRING);
        Word used = object_end(object_at_start(start));
        if (end - used == 8) /* too short to return: the mm would pad its last object */
            free_chunk_write(start, end), used = end;
        rig.gc->ops->return_buffer(rig.gc, used, end);
    }
    test(bad == 0 && live_bytes(&rig) > before, "buffers are as long as asked, rests are free");
    rig_collect(&rig);
    test((!reclaims || live_bytes(&rig) <= before + 64) && rig_check(&rig) == 0,
         "what was in them is %s", reclaims ? "reclaimed" : "sound");
    rig_close(&rig);
}

/* A list so deep that recursion would end the process, and a wide array. */
static void test_deep(const char *file, const PluginOption *options, Word nodes)
{
    Rig rig;
    size_t bytes = (size_t)nodes * (WORD_BITS == 64 ? 32 : 24);
    open_rig(&rig, &(RigSetup){.file = file, .options = options, .old_bytes = bytes + bytes / 2 + (4 << 20)});
    size_t root = mock_root_push(rig.host, rig.heap->nil);
    size_t wide = mock_root_push(rig.host, rig_old(&rig, nodes / 4, FORMAT_INDEXABLE, CLASS_ARRAY));
    for (Word i = 0; i < nodes; i++) {
        Oop node = rig_old(&rig, 3, FORMAT_FIXED, MOCK_FIXED);
        object_slots(node)[i % 2] = mock_root(rig.host, root);
        object_slots(node)[2] = small_integer_oop((SWord)i);
        if (i % 4 == 0)
            object_slots(mock_root(rig.host, wide))[i / 4] = node;
        mock_root_set(rig.host, root, node);
    }
    rig_collect(&rig);
    Word count = 0, wrong = 0;
    for (Oop node = mock_root(rig.host, root); node != rig.heap->nil && count < nodes;) {
        Word i = nodes - 1 - count++;
        wrong += object_slot(node, 2) != small_integer_oop((SWord)i) ||
                 (i % 4 == 0 && object_slot(mock_root(rig.host, wide), i / 4) != node);
        node = object_slot(node, i % 2);
    }
    test(count == nodes && !wrong, "a list of %" PRIuWORD " nodes survives", count);
    rig_close(&rig);
}

static void test_no_side_tables(const char *file)
{
    Rig rig;
    open_rig(&rig, &(RigSetup){.file = file});
    uint64_t before = rig_digest(&rig);
    rig.host->side_table_limit = rig.host->side_table_bytes;
    rig_collect(&rig);
    test(rig_digest(&rig) == before && rig_check(&rig) == 0, "no memory for tables: nothing is lost");
    rig.host->side_table_limit = SIZE_MAX;
    rig_collect(&rig);
    test(rig_digest(&rig) == before && rig_check(&rig) == 0, "and the next collection works");
    rig_close(&rig);
}

static void test_all(const char *file, const char *shim)
{
    bool production = !strstr(file, ".checked.so");
    test_smoke(file);
    test_exhaustion(file);
    test_buffers(file);
    test_no_side_tables(file);
    static const PluginOption small[] = {{"mark-stack", "1"}, {0}}, all[] = {{"all", "yes"}, {0}},
                           threads[] = {{"threads", "3"}, {0}}, lazy[] = {{"lazy", "yes"}, {0}},
                           areas[] = {{"area", "4096"}, {0}},
                           area_threads[] = {{"area", "4096"}, {"threads", "3"}, {0}},
                           all_threads[] = {{"all", "yes"}, {"threads", "3"}, {"mark-stack", "1"}, {0}};
    static const PluginOption far_areas[] = {{"area", "262144"}, {"threads", "2"}, {0}};
    test_deep(file, NULL, production && getenv("OSVM_TEST_LONG") ? 10000000 : 300000);
    test_deep(file, far_areas, 300000);
    for (uint64_t seed = 1; seed <= 8; seed++) {
        test_random(file, NULL, seed, NULL, "random graphs");
        test_random(file, NULL, seed, small, "random graphs, least mark stack");
        test_random(file, NULL, seed, areas, "random graphs, small areas");
        test_random(file, NULL, seed, area_threads, "random graphs, small areas, three threads");
        test_random(file, NULL, seed, all, "random graphs, all moves");
        test_random(file, NULL, seed, lazy, "random graphs, lazy");
        test_random(file, shim, seed, lazy, "random graphs, lazy, behind the shim");
        test_random(file, NULL, seed, threads, "random graphs, three threads");
        test_random(file, NULL, seed, all_threads, "random graphs, all moves, three threads");
        test_random(file, shim, seed, NULL, "random graphs, behind the shim");
    }
    test_shim(file, shim);
}

static void test_file(const char *file, const char *shim)
{
    const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    if (strncmp(name, "gc-", 3) == 0)
        name += 3;
    if (strncmp(name, "shim.", 5) == 0)
        return;
    snprintf(label, sizeof label, "gc/%.*s/w%d/%s", (int)strcspn(name, "."), name, WORD_BITS,
             strstr(file, ".checked.so") ? "checked" : "production");
    test_all(file, shim);
}

int main(int argc, char **argv)
{
    char pattern[4096], shim[4096];
    glob_t files;
    const char *build = getenv("BUILD");
    build = build ? build : "build";
    snprintf(pattern, sizeof pattern, "%s/lib/osvm/%d/gc-*.so", build, WORD_BITS);
    snprintf(shim, sizeof shim, "%s/lib/osvm/%d/gc-shim.checked.so", build, WORD_BITS);
    if (argc == 1 && glob(pattern, 0, NULL, &files))
        bail_out("no collector at %s", pattern);
    for (int i = 1; i < argc; i++)
        test_file(argv[i], shim);
    if (argc > 1)
        return done_testing();
    for (size_t i = 0; i < files.gl_pathc; i++)
        test_file(files.gl_pathv[i], shim);
    globfree(&files);
    return done_testing();
}
