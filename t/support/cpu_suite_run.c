/* Starting, calling, code that changes, clones: what every processor does. */
#include "t/support/cpu_suite.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

CpuRig *rig;
Cpu *cpu;
SuiteState suite;

const CpuMachine *suite_machine(void)
{
    return rig->machine;
}

CpuReason suite_enter(int program, uintptr_t a, uintptr_t b, uintptr_t c, CpuStop *stop)
{
    const uintptr_t arguments[CPU_ARGUMENTS] = {a, b, c, 0};
    return cpu->ops->call(cpu, cpu_rig_entry(rig, program), arguments, stop);
}

void suite_abandon(const CpuStop *stop)
{
    if (stop->reason != CPU_RETURNED && stop->fault != CPU_NOT_ENTERED)
        cpu->ops->abandon(cpu);
}

bool suite_returns(int program, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t expected,
                   const char *name)
{
    CpuStop stop;
    suite_enter(program, a, b, c, &stop);
    bool held = test(stop.reason == CPU_RETURNED && stop.result == expected, "%s", name);
    if (stop.reason != CPU_RETURNED)
        suite_note("  reason %d, fault %d at 0x%zx, address 0x%zx, %s", stop.reason, stop.fault,
                   (size_t)stop.pc, (size_t)stop.address, stop.detail);
    else if (!held)
        suite_note("  answered 0x%zx, not 0x%zx", (size_t)stop.result, (size_t)expected);
    suite_abandon(&stop);
    return held;
}

uintptr_t suite_routine(int index)
{
    return cpu->ops->routine_address(cpu, (unsigned)index);
}

uintptr_t suite_instruction(int program, unsigned n)
{
    uintptr_t at = cpu_rig_entry(rig, program);
    CpuInstruction one;
    for (; n; n--, at += one.size)
        cpu->ops->disassemble(cpu, suite_machine(), (void *)at, 16, at, &one);
    return at;
}

/* ---- Routines ---- */

static uintptr_t sum(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    suite.calls[SUM]++;
    return a + b;
}

/* Enters machine code again; a is how deep. */
static uintptr_t nested(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    CpuStop stop;
    suite.calls[NESTED]++;
    if (!a)
        return b;
    suite_enter(PROGRAM_CALL, suite_routine(NESTED), a - 1, b, &stop);
    suite_abandon(&stop);
    return stop.reason == CPU_RETURNED ? stop.result : 0xBAD;
}

static uintptr_t stopping(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    suite.calls[STOPPING]++;
    cpu->ops->request_stop(cpu);
    return a + b;
}

/* The caller's return address stays where it was: only code that does not return may do so. */
static void write_pc(void)
{
    cpu->ops->write_register(cpu, suite_machine()->pc, suite.redirect_to);
}

static uintptr_t redirecting(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    suite.calls[REDIRECTING]++;
    write_pc();
    return a + b;
}

static uintptr_t stop_and_redirect(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    suite.calls[STOP_AND_REDIRECT]++;
    if (a)
        cpu->ops->request_stop(cpu);
    write_pc();
    if (!a)
        cpu->ops->request_stop(cpu);
    return b;
}

static uintptr_t patching(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    suite.calls[PATCHING]++;
    cpu_rig_write(rig, PROGRAM_ADD, PROGRAM_LOAD);
    cpu->ops->code_changed(cpu, cpu_rig_entry(rig, PROGRAM_ADD),
                           cpu_rig_entry(rig, PROGRAM_ADD) + 64);
    return a + b;
}

static uintptr_t look(int which, uintptr_t a, uintptr_t b)
{
    suite.calls[which]++;
    suite.seen_pc = (uintptr_t)cpu->ops->read_register(cpu, suite_machine()->pc);
    suite.seen_arguments[0] = a;
    suite.seen_arguments[1] = b;
    return a - b;
}

static uintptr_t looking(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    return look(LOOKING, a, b);
}

static uintptr_t looking_stopped(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    return look(LOOKING_STOPPED, a, b);
}

/* A call inside it stops twice, and goes on. */
static uintptr_t stop_within(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    CpuStop stop;
    suite.calls[STOP_WITHIN]++;
    suite_enter(PROGRAM_CALL, suite_routine(STOPPING), a, b, &stop);
    if (stop.reason != CPU_REQUESTED || stop.pc == 0)
        return 0xBAD;
    cpu->ops->set_budget(cpu, 1);
    if (cpu->ops->resume(cpu, &stop) != CPU_BUDGET)
        return 0xBAD1;
    cpu->ops->set_budget(cpu, 0);
    return cpu->ops->resume(cpu, &stop) == CPU_RETURNED ? stop.result : 0xBAD2;
}

const CpuRoutine suite_routines[ROUTINES] = {
    [SUM] = {"sum", sum, 2, true},
    [NESTED] = {"nested", nested, 2, false},
    [STOPPING] = {"stopping", stopping, 2, true},
    [REDIRECTING] = {"redirecting", redirecting, 2, true},
    [STOP_AND_REDIRECT] = {"stopAndRedirect", stop_and_redirect, 2, true},
    [PATCHING] = {"patching", patching, 2, true},
    [LOOKING] = {"looking", looking, 2, true},
    [LOOKING_STOPPED] = {"lookingStopped", looking_stopped, 2, false},
    [STOP_WITHIN] = {"stopWithin", stop_within, 2, false},
};

bool suite_condition(void *context, Cpu *asked, const CpuStop *stop)
{
    (void)context;
    suite.condition_calls++;
    if (suite.condition_looks)
        suite.condition_right &= asked->ops->read_register(asked, suite_machine()->pc) == stop->pc;
    return suite.condition_answer;
}

/* ---- Starting ---- */

static void try_starting(const char *machine, const char *expected)
{
    OsvmError error = {0};
    CpuSetup setup = {.size = sizeof setup, .machine = machine};
    bool started = cpu->ops->start(cpu, &setup, rig->host, &error);
    cpu->ops->stop(cpu);
    test(started == !expected, "a start for '%s' is %s", machine, expected ? "refused" : "made");
    if (expected)
        test(error.status != OSVM_OK && strstr(error.message, expected),
             "it says so, and names it: %s", error.message);
}

void suite_start(void)
{
    const char *name = rig->setup.machine;
    const CpuMachine *machine = cpu->ops->find_machine(cpu, name);
    test(machine && strcmp(machine->name, name) == 0, "the machine is found by its name");
    test(!cpu->ops->find_machine(cpu, "pdp-7"), "another is not");
    try_starting("pdp-7", "pdp-7");
    try_starting(name, NULL);
    try_starting(name, NULL);
    cpu->ops->stop(cpu);
    test(true, "stopping what was not started");
}

/* ---- Calls ---- */

void suite_calls(void)
{
    CpuStatistics before, after;
    cpu->ops->statistics(cpu, &before);
    suite_returns(PROGRAM_ADD, 40, 2, 0, 42, "arguments and result");
    suite_returns(PROGRAM_FLOATS, 21, 0, 0, 42, "floating point is on");
    suite_returns(PROGRAM_LOOP, 100000, 0, 0, 100000, "a loop");
    suite_returns(PROGRAM_CALL, suite_routine(SUM), 20, 21, 42, "a leaf routine");
    test(suite.calls[SUM] == 1, "called once");
    suite_returns(PROGRAM_CALL, cpu_rig_entry(rig, PROGRAM_ADD), 20, 21, 42,
                  "a call inside machine code");
    suite_returns(PROGRAM_CALL, suite_routine(NESTED), 5, 20, 26,
                  "routines enter machine code, six deep (P7)");
    suite_returns(PROGRAM_CALL, suite_routine(NESTED), 200, 20, 221, "two hundred deep (P7)");
    unsigned word = suite_machine()->bits / 8;
    suite_returns(PROGRAM_STORE, (uintptr_t)rig->data, 35, 0, 42, "a store");
    test(rig->data[0] == 35, "is seen at the same address");
    memcpy(rig->data + word, &(uint64_t){35}, word);
    suite_returns(PROGRAM_LOAD, (uintptr_t)rig->data, 0, 0, 42, "a load");
    for (int i = 0; i < ROUTINES; i++)
        for (int other = 0; other < i; other++)
            if (suite_routine(i) == suite_routine(other))
                test(false, "routines %s and %s have one address", suite_routines[i].name,
                     suite_routines[other].name);
    cpu->ops->statistics(cpu, &after);
    test(after.entries == before.entries + 214, "entries are counted");
    test(!cpu->ops->simulated || (after.leaf_calls == before.leaf_calls + 1 &&
                                  after.stopping_calls == before.stopping_calls + 207),
         "calls of routines are counted, where that is possible");
}

/* ---- Patched code (P2) ---- */

static void patch(int program)
{
    uintptr_t at = cpu_rig_entry(rig, PROGRAM_ADD);
    cpu_rig_write(rig, PROGRAM_ADD, program);
    cpu->ops->code_changed(cpu, at, at + PROGRAM_SPACE);
}

void suite_patched(void)
{
    CpuStatistics before, after;
    uintptr_t data = (uintptr_t)rig->data;
    unsigned word = suite_machine()->bits / 8;
    cpu->ops->statistics(cpu, &before);
    memcpy(rig->data + word, &(uint64_t){1}, word);
    suite_returns(PROGRAM_ADD, data, 1, 0, data + 1, "before patching");
    patch(PROGRAM_LOAD);
    suite_returns(PROGRAM_ADD, data, 1, 0, 8, "patched from outside (P2)");
    patch(PROGRAM_ADD);
    suite_returns(PROGRAM_ADD, data, 1, 0, data + 1, "and back (P2)");
    suite_returns(PROGRAM_CALL, suite_routine(PATCHING), 1, 2, 4, "a routine that patches");
    suite_returns(PROGRAM_ADD, data, 1, 0, 8, "is heard (P2)");
    cpu_rig_write(rig, PROGRAM_ADD, PROGRAM_ADD);
    cpu->ops->code_changed(cpu, (uintptr_t)rig->code, (uintptr_t)rig->code + RIG_CODE_BYTES);
    suite_returns(PROGRAM_ADD, 1, 1, 0, 2, "the whole zone changed (P2)");
    unsigned wrong = 0;
    for (unsigned round = 0; round < 200; round++) {
        CpuStop stop;
        patch(round % 2 ? PROGRAM_LOAD : PROGRAM_ADD);
        suite_enter(PROGRAM_CALL, cpu_rig_entry(rig, PROGRAM_ADD), data, 7, &stop);
        wrong += stop.reason != CPU_RETURNED || stop.result != (round % 2 ? 9 : data + 8);
        suite_abandon(&stop);
    }
    test(!wrong, "patched two hundred times, called from code that stays (P2)");
    patch(PROGRAM_ADD);
    cpu->ops->statistics(cpu, &after);
    test(after.code_changes == before.code_changes + 205, "changes are counted");
}

/* ---- Clones ---- */

void suite_fork(void)
{
    fflush(stdout);
    memset(rig->data, 0, 8);
    pid_t child = fork();
    if (child == 0) {
        CpuStop stop;
        suite_enter(PROGRAM_STORE, (uintptr_t)rig->data, 35, 0, &stop);
        bool right = stop.result == 42 && rig->data[0] == 35;
        suite_enter(PROGRAM_CALL, suite_routine(SUM), 20, 21, &stop);
        _exit(right && stop.result == 42 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    test(status == 0, "a clone runs on its own");
    test(rig->data[0] == 0, "and leaves the parent's memory alone");
    suite_returns(PROGRAM_CALL, suite_routine(SUM), 20, 21, 42, "the parent goes on");
}
