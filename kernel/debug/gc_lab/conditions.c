/* What an engineer may change in a heap that runs: the collector, and torture. */
#include "kernel/debug/gc_lab/lab.h"
#include "kernel/vm/memory/guard.h"
#include "kernel/vm/memory/managers.h"

/* ---- Another collector takes over ---- */

static const char *const selections[COLLECTORS] = {
    [COLLECTOR_OWN] = NULL,
    [COLLECTOR_COMPACT] = "compact",
    [COLLECTOR_COMPACT_ALL] = "compact,all",
    [COLLECTOR_SWEEP] = "sweep",
    [COLLECTOR_SWEEP_LAZY] = "sweep,lazy",
    [COLLECTOR_NONE] = "none",
};

/* A collector that is not installed is not switched to. */
void lab_switch_collector(Lab *lab, unsigned collector)
{
    OsvmError error = {.status = OSVM_OK};
    const char *text = selections[collector] ? selections[collector] : lab->own_collector;
    if (managers_switch_collector(lab->vm, text, &error)) {
        lab->flight->switches++;
        lab_check_now(lab);
    } else if (error.status == OSVM_INTERNAL)
        lab_found(lab, FOUND_BY_MODEL, "'%s' cannot take over: %s", text, error.message);
}

/* ---- Torture ---- */

void lab_torture(Lab *lab, unsigned what, uint64_t number)
{
    Torture torture = lab->vm->torture;
    uint64_t *members[TORTURES] = {
        [TORTURE_SCAVENGE] = &torture.scavenge, [TORTURE_COLLECT] = &torture.collect,
        [TORTURE_ALLOC_FAIL] = &torture.alloc_fail, [TORTURE_MOVE] = &torture.move,
        [TORTURE_TINY_SPACES] = &torture.tiny_spaces, [TORTURE_POISON] = &torture.poison,
    };
    *members[what] = number;
    guard_set_torture(lab->vm, &torture);
}

bool lab_fails_allocations(const Lab *lab)
{
    return lab->vm->torture.alloc_fail != 0;
}
