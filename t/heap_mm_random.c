/* Random events on a heap and on a model of it, with room and without.
 * OSVM_TEST_SEED, OSVM_TEST_EVENTS: other runs than the usual ones. */
// LINK: t/support/mock_host.c t/support/mm_rig.c t/support/heap_model.c plugins/mm-spur/*.c plugins/gc-compact/*.c plugins/gc/*.c
#include "support/heap_model.h"
#include "tap.h"

static uint64_t number_of(const char *name, uint64_t usual)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : usual;
}

static void run(const char *what, const MmConfig *config, unsigned large, uint64_t seed,
                uint64_t events)
{
    MmRig rig;
    mm_rig_open(&rig, 64 << 20, config);
    rig.random = seed;
    Model *model = calloc(1, sizeof *model);
    if (!model)
        bail_out("no memory for the model");
    model_open(model, &rig);
    if (large) {
        model->large_bytes = 10 * large;
        model->large_refs = large;
    }
    while (model->events < events && !model->failures)
        model_event(model);
    model_collect_full(model);
    MmStatistics s;
    rig.mm->ops->statistics(rig.mm, &s);
    diag("%s, seed %" PRIu64 ": %" PRIu64 " scavenges, %" PRIu64 " full, %" PRIu64
         " tenured, %" PRIu64 " fired, %" PRIu64 " cleared, %" PRIu64 " refused", what, seed,
         s.scavenges, s.full_collections, s.tenured_objects, model->fired, model->cleared,
         model->refused);
    ok(!model->failures, "%s: heap and model agree after %" PRIu64 " events", what, model->events);
    ok(model->fired && model->cleared, "%s: ephemerons fired, weak slots were cleared", what);
    if (config && config->max_heap)
        ok(model->refused, "%s: memory ran out", what);
    model_close(model);
    free(model);
    mm_rig_close(&rig);
}

int main(void)
{
    uint64_t seed = number_of("OSVM_TEST_SEED", 20251123);
    uint64_t events = number_of("OSVM_TEST_EVENTS", 8000);
    if (getenv("OSVM_TEST_LONG"))
        events *= 50;
    run("roomy", NULL, 0, seed, events);
    run("small eden", &(MmConfig){.eden_bytes = 64 << 10}, 0, seed + 1, events);
    MmConfig little = {.eden_bytes = 64 << 10, .max_heap = 512 << 10, .grow_headroom = 64 << 10};
    run("no memory", &little, 30000, seed + 2, events);
    run("hardly any memory", &little, 60000, seed + 3, events);
    return done_testing();
}
