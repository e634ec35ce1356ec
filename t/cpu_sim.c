/* What is the simulated processor's own: the library's buffer of translations, filled again and again. What
 * every processor does is in t/cpu_conformance.c. */
// LINK: t/support/cpu_rig.c t/support/plugin_user.c
#include <unistd.h>

#include "support/cpu_rig.h"
#include "tap.h"

static CpuRig rig;

static void enter(int program, uintptr_t a, uintptr_t b, CpuStop *stop)
{
    const uintptr_t arguments[CPU_ARGUMENTS] = {a, b, 0, 0};
    rig.cpu->ops->call(rig.cpu, cpu_rig_entry(&rig, program), arguments, stop);
}

static void patch(int program)
{
    uintptr_t at = cpu_rig_entry(&rig, PROGRAM_ADD);
    cpu_rig_write(&rig, PROGRAM_ADD, program);
    rig.cpu->ops->code_changed(rig.cpu, at, at + PROGRAM_SPACE);
}

/* Code that changes all the time fills the library's buffer, again and again. PROGRAM_CALL is not
 * changed, and is found again after each flush, or made anew; its block calls that of PROGRAM_ADD. */
static void test_flushes(void)
{
    enum { FLUSHES = 4, MOST = 1000000 };
    const char *name = rig.setup.machine;
    unsigned word = rig.machine->bits / 8, wrong = 0, rounds = 0;
    uintptr_t data = (uintptr_t)rig.data;
    CpuStatistics statistics = {0};
    CpuStop stop;
    memcpy(rig.data + word, &(uint64_t){35}, word);
    for (; statistics.flushes < FLUSHES && rounds < MOST; rounds++) {
        bool load = rounds % 2;
        patch(load ? PROGRAM_LOAD : PROGRAM_ADD);
        enter(PROGRAM_CALL, cpu_rig_entry(&rig, PROGRAM_ADD), data, &stop);
        wrong += stop.reason != CPU_RETURNED || stop.result != (load ? 43 : data + 1);
        enter(PROGRAM_LOOP, 10, 0, &stop);
        wrong += stop.reason != CPU_RETURNED || stop.result != 10;
        rig.cpu->ops->statistics(rig.cpu, &statistics);
    }
    is_int((long)statistics.flushes, FLUSHES, "%s: translations are thrown out in %u rounds", name, rounds);
    is_int(wrong, 0, "%s: every round answers right", name);
    patch(PROGRAM_ADD);
    enter(PROGRAM_STORE, 0x7FFF0000, 5, &stop);
    ok(stop.reason == CPU_FAULT && stop.fault == CPU_BAD_WRITE && stop.address == 0x7FFF0000,
       "%s: faults are told as before", name);
    rig.cpu->ops->abandon(rig.cpu);
}

int main(void)
{
    static const PluginOption options[] = {{"translations", "1"}, {0}};
    static const char *const machines[] = {"x64", "arm", "mips"};
    char file[600];
    const char *build = getenv("BUILD");
    snprintf(file, sizeof file, "%s/lib/osvm/any/cpu-sim.checked.so", build ? build : "build");
    if (access(file, R_OK))
        skip_all("built without simulated processors");
    for (unsigned m = 0; m < 3; m++) {
        CpuRigSetup setup = {.file = file, .options = options, .machine = machines[m]};
        if (!cpu_rig_load(&rig, &setup) || !cpu_rig_start(&rig, (CpuSetup){0}))
            bail_out("%s", rig.error);
        alarm(300); /* one block over another may go round for ever */
        test_flushes();
        alarm(0);
        is_int(cpu_rig_close(&rig), 0, "%s: all memory is given back", machines[m]);
    }
    return done_testing();
}
