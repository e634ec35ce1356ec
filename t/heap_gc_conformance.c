/* Every collector, in every variant, against the contract of osvm/gc.h. */
// LINK: t/support/mock_host.c t/support/mock_mm.c t/support/gc_rig.c t/support/gc_judge.c t/support/gc_shadow.c
#include <glob.h>

#include "support/gc_shadow.h"
#include "tap.h"

static char label[128]; /* gc/compact/w64/production */

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
    Word bytes, count = rig_count_old(&rig, &bytes);
    test(count < 3600, "garbage is gone: %" PRIuWORD " objects", count);
    rig_close(&rig);
}

/* Random events against the shadow model. */
static void test_random(const char *file, uint64_t seed, const RigOption *options, const char *what)
{
    Rig rig;
    Shadow shadow;
    size_t errors = 0, events = 0;
    open_rig(&rig, &(RigSetup){.file = file, .options = options, .young_bytes = 64 << 10,
                               .old_bytes = 1 << 20, .limit_bytes = 16 << 20});
    shadow_open(&shadow, &rig, 50);
    rig.random = seed;
    for (int round = 0; round < 20 && !errors; round++) {
        size_t stop = events + 200 + rig_random(&rig) % 4000;
        while (events++ < stop && shadow_event(&shadow))
            ;
        errors = shadow_collect(&shadow);
        if (rig_random(&rig) % 4 == 0)
            rig_extend(&rig, 64 << 10);
    }
    test(errors == 0, "%s, seed %" PRIu64 ": %zu events", what, seed, events);
    shadow_close(&shadow);
    rig_close(&rig);
}

int main(void)
{
    char pattern[4096];
    glob_t files;
    const char *build = getenv("BUILD");
    snprintf(pattern, sizeof pattern, "%s/lib/osvm/%d/gc-*.so", build ? build : "build", WORD_BITS);
    if (glob(pattern, 0, NULL, &files))
        bail_out("no collector at %s", pattern);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *file = files.gl_pathv[i];
        bool checked = strstr(file, ".checked.so") != NULL;
        const char *name = strstr(file, "/gc-") + 4;
        snprintf(label, sizeof label, "gc/%.*s/w%d/%s", (int)strcspn(name, "."), name, WORD_BITS,
                 checked ? "checked" : "production");
        test_smoke(file);
        for (uint64_t seed = 1; seed <= 20; seed++)
            test_random(file, seed, NULL, "random graphs");
        static const RigOption small[] = {{"mark-stack", "1"}, {0}}, all[] = {{"all", "yes"}, {0}};
        for (uint64_t seed = 1; seed <= 20; seed++) {
            test_random(file, seed, small, "random graphs, least mark stack");
            test_random(file, seed, all, "random graphs, all moves");
        }
    }
    globfree(&files);
    return done_testing();
}
