/* The shim of processors: names the rule that was broken by the processor's user. Honest work passes in
 * t/cpu_conformance.c, faulty processors are in t/breaches.t. */
// LINK: t/support/confession.c t/support/cpu_rig.c t/support/plugin_user.c
#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

#include "support/confession.h"
#include "support/cpu_rig.h"
#include "tap.h"

static CpuRig rig;
static Cpu *cpu;

static CpuReason enter(int program, uintptr_t a, uintptr_t b, CpuStop *stop)
{
    const uintptr_t arguments[CPU_ARGUMENTS] = {a, b, 1, 0};
    return cpu->ops->call(cpu, cpu_rig_entry(&rig, program), arguments, stop);
}

/* Stands in front of the first instruction of a program. */
static CpuStop stopped(int program)
{
    CpuStop stop;
    cpu->ops->request_stop(cpu);
    enter(program, 1, 2, &stop);
    return stop;
}

/* ---- Routines that break rules ---- */

enum { LEAF_THAT_ENTERS, JUMPS_OUT, LEAVES_A_STOP, STOPS_THE_PROCESSOR, ROUTINES };
static jmp_buf outside;

static uintptr_t enter_code(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    CpuStop stop;
    enter(PROGRAM_ADD, 1, 2, &stop);
    return 0;
}

static uintptr_t jump_out(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    longjmp(outside, 1);
}

static uintptr_t leave_a_stop(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    stopped(PROGRAM_ADD);
    return 0;
}

static uintptr_t stop_the_processor(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    cpu->ops->stop(cpu);
    return 0;
}

static const CpuRoutine routines[ROUTINES] = {
    [LEAF_THAT_ENTERS] = {"leafThatEnters", enter_code, 0, true},
    [JUMPS_OUT] = {"jumpsOut", jump_out, 0, false},
    [LEAVES_A_STOP] = {"leavesAStop", leave_a_stop, 0, false},
    [STOPS_THE_PROCESSOR] = {"stopsTheProcessor", stop_the_processor, 0, false},
};

static void call_routine(int index)
{
    CpuStop stop;
    enter(PROGRAM_CALL, cpu->ops->routine_address(cpu, (unsigned)index), 0, &stop);
}

static bool writing_condition(void *context, Cpu *asked, const CpuStop *stop)
{
    asked->ops->write_register(asked, 0, 1);
    return true;
}

/* ---- Crimes ---- */

static void enter_in_leaf(void) { call_routine(LEAF_THAT_ENTERS); }
static void leave_stop_behind(void) { call_routine(LEAVES_A_STOP); }
static void stop_inside(void) { call_routine(STOPS_THE_PROCESSOR); }

static void leave_by_longjmp(void)
{
    if (setjmp(outside) == 0)
        call_routine(JUMPS_OUT);
    call_routine(JUMPS_OUT);
}

static void start_again(void)
{
    OsvmError error;
    CpuSetup setup = {.size = sizeof setup, .machine = rig.setup.machine};
    cpu->ops->start(cpu, &setup, rig.host, &error);
}

static void start_with(CpuSetup setup)
{
    OsvmError error;
    cpu->ops->stop(cpu);
    setup.size = sizeof setup;
    setup.machine = rig.setup.machine;
    cpu->ops->start(cpu, &setup, rig.host, &error);
}

static void start_with_odd_zone(void) { start_with((CpuSetup){.code_start = 0x10008, .code_end = 0x20000}); }

static void start_without_function(void)
{
    static const CpuRoutine none[] = {{"none", NULL, 0, true}};
    start_with((CpuSetup){.routines = none, .routine_count = 1});
}

static void call_stopped(void)
{
    cpu->ops->stop(cpu);
    CpuStop stop;
    enter(PROGRAM_ADD, 1, 2, &stop);
}

static void call_data(void)
{
    CpuStop stop;
    const uintptr_t arguments[CPU_ARGUMENTS] = {0};
    cpu->ops->call(cpu, (uintptr_t)rig.data, arguments, &stop);
}

static void call_unmapped(void)
{
    CpuStop stop;
    uintptr_t code = (uintptr_t)rig.code;
    cpu->ops->unmap(cpu, code, code + CPU_PAGE);
    enter(PROGRAM_ADD, 1, 2, &stop);
}

static void call_at_stop(void)
{
    CpuStop stop;
    stopped(PROGRAM_ADD);
    enter(PROGRAM_ADD, 1, 2, &stop);
}

static void map_odd(void) { cpu->ops->map(cpu, 0x20000008, 0x20001000, CPU_READ); }
static void map_for_nothing(void) { cpu->ops->map(cpu, 0x20000000, 0x20001000, 0); }
static void unmap_twice(void)
{
    uintptr_t data = (uintptr_t)rig.data;
    cpu->ops->unmap(cpu, data, data + CPU_PAGE);
    cpu->ops->unmap(cpu, data, data + CPU_PAGE);
}

static void change_data(void)
{
    cpu->ops->code_changed(cpu, (uintptr_t)rig.data, (uintptr_t)rig.data + 8);
}

static void change_behind(void)
{
    uintptr_t end = (uintptr_t)rig.code + RIG_CODE_BYTES;
    cpu->ops->code_changed(cpu, end - 8, end + 8);
}

static void resume_nothing(void)
{
    CpuStop stop;
    cpu->ops->resume(cpu, &stop);
}

static void abandon_twice(void)
{
    stopped(PROGRAM_ADD);
    cpu->ops->abandon(cpu);
    cpu->ops->abandon(cpu);
}

static void read_beyond(void) { cpu->ops->read_register(cpu, rig.machine->register_count); }
static void write_odd_pc(void)
{
    stopped(PROGRAM_ADD);
    cpu->ops->write_register(cpu, rig.machine->pc, cpu_rig_entry(&rig, PROGRAM_ADD) + 2);
}

static void write_wide(void) { cpu->ops->write_register(cpu, 0, (uint64_t)1 << 40); }

static void write_in_condition(void)
{
    CpuStop stop;
    cpu->ops->set_breakpoint(cpu, cpu_rig_entry(&rig, PROGRAM_ADD), true);
    enter(PROGRAM_ADD, 1, 2, &stop);
}

static void beyond_routines(void) { cpu->ops->routine_address(cpu, ROUTINES); }
static void disassemble_nothing(void)
{
    CpuInstruction one;
    cpu->ops->disassemble(cpu, rig.machine, rig.code, 0, 0, &one);
}

static void disassemble_foreign(void)
{
    CpuInstruction one;
    CpuMachine foreign = *rig.machine;
    cpu->ops->disassemble(cpu, &foreign, rig.code, 4, 0, &one);
}

static void *request(void *unused)
{
    cpu->ops->request_stop(cpu);
    return NULL;
}

static void request_from_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, request, NULL);
    pthread_join(thread, NULL);
}

static const struct {
    void (*crime)(void);
    const char *sentence;
} crimes[] = {
    {enter_in_leaf, "is entered from the leaf routine leafThatEnters: declare it as none (P3)"},
    {leave_stop_behind, "and the routine that made it has returned: resume or abandon it first (P7)"},
    {leave_by_longjmp, "it was left by a longjmp (P4)"},
    {stop_inside, "stop while the call of"},
    {start_again, "start twice"},
    {start_with_odd_zone, "the code zone is [0x10008, 0x20000): let it be whole pages (P1)"},
    {start_without_function, "routine 0, none, has no name, no function"},
    {call_stopped, "call before start, or after stop"},
    {call_data, "enter the code zone"},
    {call_unmapped, "which is not mapped to be executed: map it first (P1)"},
    {call_at_stop, "stands at a stop: resume or abandon it first (P7)"},
    {map_odd, "map of [0x20000008, 0x20001000): pass whole pages of 4096 bytes (P1)"},
    {map_for_nothing, "is mapped for access 0, which is none (P1)"},
    {unmap_twice, "is unmapped, and not all of it was mapped (P1)"},
    {change_data, "not all of that is mapped to be executed"},
    {change_behind, "not all of that is mapped to be executed"},
    {resume_nothing, "resume where nothing stands at a stop (P5)"},
    {abandon_twice, "abandon where nothing stands at a stop (P5)"},
    {read_beyond, "read of register"},
    {write_odd_pc, "is written into the pc, where no instruction can be"},
    {write_wide, "is written into register r0, which has 32 bits"},
    {write_in_condition, "a condition writes register r0: it may only read"},
    {beyond_routines, "routine 4 of 4"},
    {disassemble_nothing, "no bytes of code"},
    {disassemble_foreign, "that is none of the processor's"},
    {request_from_thread, "from another thread than the one that started the processor (P8)"},
};

static void commit(void *context)
{
    (*(void (*const *)(void))context)();
}

int main(void)
{
    char file[600], shim[600];
    const char *build = getenv("BUILD");
    build = build ? build : "build";
    snprintf(file, sizeof file, "%s/lib/osvm/any/cpu-sim.so", build);
    snprintf(shim, sizeof shim, "%s/lib/osvm/any/cpu-shim.checked.so", build);
    if (access(file, R_OK))
        skip_all("built without simulated processors");
    CpuRigSetup setup = {.file = file, .shim = shim, .machine = "arm"};
    if (!cpu_rig_load(&rig, &setup))
        bail_out("%s", rig.error);
    cpu = rig.cpu;
    if (!cpu_rig_start(&rig, (CpuSetup){.routines = routines, .routine_count = ROUTINES,
                                        .condition = writing_condition}))
        bail_out("%s", rig.error);
    for (unsigned i = 0; i < sizeof crimes / sizeof *crimes; i++)
        has_text(confession(commit, (void *)&crimes[i].crime), crimes[i].sentence, "caught: %s",
                 crimes[i].sentence);
    cpu_rig_close(&rig);
    return done_testing();
}
