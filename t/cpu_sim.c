/* The simulated processor: every machine, with the library's stores cured and not. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/plugin/plugins.h"
#include "kernel/world/worlds.h"
#include "osvm/cpu.h"
#include "support/cpu_programs.h"
#include "tap.h"

enum { CODE_BYTES = 64 << 10, DATA_BYTES = 64 << 10, PROGRAM_SPACE = 256 };

typedef struct {
    const char *machine;
    const char *options;
    const Program *programs;
    Plugins *plugins;
    Cpu *cpu;
    const CpuOps *ops;
    uint8_t *code, *data;
} Rig;

static OsvmWorld *world;
static char libraries[512];
static Rig *rig; /* the one under test, for routines */
static unsigned condition_calls;
static bool condition_answer = true;

/* ---- Routines ---- */

enum { SUM, NESTED, STOPPING, REDIRECTING, STOP_AND_REDIRECT, PATCHING, ROUTINES };
static unsigned calls[ROUTINES];
static uintptr_t redirect_to;

static uintptr_t entry(int program)
{
    return (uintptr_t)rig->code + (uintptr_t)program * PROGRAM_SPACE;
}

static CpuReason enter(int program, uintptr_t a, uintptr_t b, uintptr_t c, CpuStop *stop)
{
    uintptr_t arguments[CPU_ARGUMENTS] = {a, b, c, 0};
    return rig->ops->call(rig->cpu, entry(program), arguments, stop);
}

static uintptr_t sum(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    calls[SUM]++;
    return a + b;
}

/* Enters machine code again; a is how deep. */
static uintptr_t nested(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    CpuStop stop;
    calls[NESTED]++;
    if (!a)
        return b;
    enter(PROGRAM_CALL, rig->ops->routine_address(rig->cpu, NESTED), a - 1, b, &stop);
    return stop.reason == CPU_RETURNED ? stop.result : 0xBAD;
}

static uintptr_t stopping(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    calls[STOPPING]++;
    rig->ops->request_stop(rig->cpu);
    return a + b;
}

/* The caller's return address stays where it was: only code that does not return may do so. */
static void write_pc(void)
{
    rig->ops->write_register(rig->cpu, rig->ops->machine(rig->cpu)->pc, redirect_to);
}

static uintptr_t redirecting(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    calls[REDIRECTING]++;
    write_pc();
    return a + b;
}

static uintptr_t stop_and_redirect(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    calls[STOP_AND_REDIRECT]++;
    if (a)
        rig->ops->request_stop(rig->cpu);
    write_pc();
    if (!a)
        rig->ops->request_stop(rig->cpu);
    return b;
}

static void write_program(int place, int program)
{
    memcpy((void *)entry(place), rig->programs[program].bytes, rig->programs[program].size);
}

static uintptr_t patching(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    (void)c, (void)d;
    calls[PATCHING]++;
    write_program(PROGRAM_ADD, PROGRAM_LOAD);
    rig->ops->code_changed(rig->cpu, entry(PROGRAM_ADD), entry(PROGRAM_ADD) + 64);
    return a + b;
}

static const CpuRoutine routines[ROUTINES] = {
    [SUM] = {"sum", sum, 2, true},
    [NESTED] = {"nested", nested, 2, false},
    [STOPPING] = {"stopping", stopping, 2, true},
    [REDIRECTING] = {"redirecting", redirecting, 2, true},
    [STOP_AND_REDIRECT] = {"stopAndRedirect", stop_and_redirect, 2, true},
    [PATCHING] = {"patching", patching, 2, true},
};

static bool condition(void *context, Cpu *cpu, const CpuStop *stop)
{
    (void)context, (void)cpu, (void)stop;
    condition_calls++;
    return condition_answer;
}

/* ---- The rig ---- */

static void *map_low(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (memory == MAP_FAILED)
        bail_out("no memory below 2 GiB");
    return memory;
}

static Cpu *load(Rig *r)
{
    char selection[128];
    OsvmError error = {0};
    PluginsConfig config = {.path = libraries, .only_path = true, .own = world, .world = world,
                            .log_level = OSVM_ERROR};
    r->plugins = plugins_new(&config);
    snprintf(selection, sizeof selection, "sim:checked%s", r->options);
    PluginRequest request = {
        .kind = OSVM_CPU, .vtable_abi = OSVM_CPU_ABI, .vtable_size = sizeof(CpuOps)};
    const OsvmInstance *instance = NULL;
    if (plugins_select(r->plugins, OSVM_CPU, selection, &error))
        instance = plugins_load(r->plugins, &request, &error);
    if (!instance)
        bail_out("%s: %s", selection, error.message);
    r->ops = instance->vtable;
    CpuSetup setup = {
        .size = sizeof setup,
        .machine = r->machine,
        .routines = routines,
        .routine_count = ROUTINES,
        .code_start = (uintptr_t)r->code,
        .code_end = (uintptr_t)r->code + CODE_BYTES,
        .condition = condition,
    };
    Cpu *cpu = instance->state;
    if (!r->ops->start(cpu, &setup, instance->host, &error))
        bail_out("%s: %s", selection, error.message);
    return cpu;
}

static void set_up(Rig *r)
{
    rig = r;
    r->code = map_low(CODE_BYTES);
    r->data = map_low(DATA_BYTES);
    for (int i = 0; i < PROGRAMS; i++)
        write_program(i, i);
    memset(calls, 0, sizeof calls);
    r->cpu = load(r);
    ok(r->ops->map(r->cpu, (uintptr_t)r->code, (uintptr_t)r->code + CODE_BYTES,
                   CPU_READ | CPU_EXECUTE) &&
           r->ops->map(r->cpu, (uintptr_t)r->data, (uintptr_t)r->data + DATA_BYTES,
                       CPU_READ | CPU_WRITE),
       "%s%s: memory is mapped", r->machine, r->options);
}

static void take_down(void)
{
    plugins_free(rig->plugins);
    munmap(rig->code, CODE_BYTES);
    munmap(rig->data, DATA_BYTES);
}

static const CpuMachine *machine(void)
{
    return rig->ops->machine(rig->cpu);
}

static uintptr_t routine(int index)
{
    return rig->ops->routine_address(rig->cpu, (unsigned)index);
}

/* Address of the n-th instruction of a program, from 0. */
static uintptr_t instruction(int program, unsigned n)
{
    uintptr_t at = entry(program);
    CpuInstruction one;
    for (; n; n--, at += one.size)
        rig->ops->disassemble(rig->cpu, machine(), (void *)at, 16, at, &one);
    return at;
}

#define NAME(text) "%s%s: " text, rig->machine, rig->options

static void returns(int program, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t expected,
                    const char *name)
{
    CpuStop stop;
    enter(program, a, b, c, &stop);
    ok(stop.reason == CPU_RETURNED && stop.result == expected, NAME("%s"), name);
    if (stop.reason != CPU_RETURNED)
        diag("  reason %d, fault %d at 0x%zx, address 0x%zx, %s", stop.reason, stop.fault,
             (size_t)stop.pc, (size_t)stop.address, stop.detail);
    else if (stop.result != expected)
        diag("  answered 0x%zx", (size_t)stop.result);
    if (stop.reason != CPU_RETURNED)
        rig->ops->abandon(rig->cpu);
}

/* ---- Calls ---- */

static void test_calls(void)
{
    returns(PROGRAM_ADD, 40, 2, 0, 42, "arguments and result");
    returns(PROGRAM_FLOATS, 21, 0, 0, 42, "floating point is on");
    returns(PROGRAM_CALL, routine(SUM), 20, 21, 42, "a leaf routine");
    is_int(calls[SUM], 1, NAME("called once"));
    returns(PROGRAM_CALL, entry(PROGRAM_ADD), 20, 21, 42, "a call inside machine code");
    returns(PROGRAM_CALL, routine(NESTED), 5, 20, 26, "routines enter machine code, six deep");
    returns(PROGRAM_CALL, routine(NESTED), 200, 20, 221, "two hundred deep");
    CpuStatistics statistics;
    rig->ops->statistics(rig->cpu, &statistics);
    ok(statistics.leaf_calls == 1 && statistics.stopping_calls == 207, NAME("calls are counted"));
    CpuStop stop;
    is_int(enter(PROGRAM_CALL, routine(NESTED), 100000, 0, &stop), CPU_RETURNED,
           NAME("endless nesting ends"));
}

static void test_memory(void)
{
    uint32_t *words = (uint32_t *)rig->data;
    returns(PROGRAM_STORE, (uintptr_t)words, 35, 0, 42, "a store");
    is_int(words[0], 35, NAME("is seen at the same address"));
    unsigned word = machine()->bits / 8;
    memcpy(rig->data + word, &(uint64_t){35}, word);
    returns(PROGRAM_LOAD, (uintptr_t)rig->data, 0, 0, 42, "a load");
    returns(PROGRAM_STORE, (uintptr_t)rig->data + DATA_BYTES - word, 1, 0, 8, "the last word");
    ok(!rig->ops->map(rig->cpu, (uintptr_t)rig->data, (uintptr_t)rig->data + DATA_BYTES, CPU_READ),
       NAME("mapping twice is refused"));
    ok(!rig->ops->map(rig->cpu, 0x1000, 0x2000, CPU_READ), NAME("so is the place of the routines"));
    rig->ops->unmap(rig->cpu, (uintptr_t)rig->data, (uintptr_t)rig->data + 4096);
    CpuStop stop;
    is_int(enter(PROGRAM_STORE, (uintptr_t)rig->data, 1, 0, &stop), CPU_FAULT,
           NAME("unmapped memory"));
    rig->ops->abandon(rig->cpu);
    returns(PROGRAM_STORE, (uintptr_t)rig->data + 4096, 1, 0, 8, "what lies behind is still there");
    rig->ops->map(rig->cpu, (uintptr_t)rig->data, (uintptr_t)rig->data + 4096,
                  CPU_READ | CPU_WRITE);
    returns(PROGRAM_STORE, (uintptr_t)rig->data, 1, 0, 8, "mapped again");
}

static void test_registers(void)
{
    for (unsigned i = 0; i < machine()->register_count; i++) {
        if (i == machine()->pc || i == machine()->sp ||
            strstr("zero cpsr rflags", machine()->registers[i].name))
            continue;
        uint64_t old = rig->ops->read_register(rig->cpu, i);
        uint64_t value = machine()->registers[i].bits == 32 ? 0x81020304u : 0x8102030405060708u;
        rig->ops->write_register(rig->cpu, i, value);
        if (rig->ops->read_register(rig->cpu, i) != value)
            ok(false, NAME("register %s"), machine()->registers[i].name);
        rig->ops->write_register(rig->cpu, i, old);
    }
    ok(true, NAME("%u registers are read as written"), machine()->register_count);
}

/* ---- Faults ---- */

static void faults(int program, uintptr_t a, CpuFault fault, uintptr_t pc, uintptr_t address,
                   const char *name)
{
    CpuStop stop;
    enter(program, a, 5, 6, &stop);
    bool held = ok(stop.reason == CPU_FAULT && stop.fault == fault, NAME("%s"), name);
    held &= ok(stop.pc == pc, NAME("%s: where"), name);
    held &= ok(stop.address == address, NAME("%s: address"), name);
    if (!held)
        diag("  reason %d fault %d number %u pc 0x%zx (program 0x%zx) address 0x%zx", stop.reason,
             stop.fault, stop.number, (size_t)stop.pc, (size_t)entry(program),
             (size_t)stop.address);
    if (stop.reason != CPU_RETURNED)
        rig->ops->abandon(rig->cpu);
}

static void test_faults(void)
{
    unsigned word = machine()->bits / 8;
    uintptr_t nowhere = 0x7FFF0000, stub_data = routine(SUM);
    faults(PROGRAM_STORE, nowhere, CPU_BAD_WRITE, instruction(PROGRAM_STORE, 1), nowhere,
           "store to nowhere");
    faults(PROGRAM_LOAD, nowhere, CPU_BAD_READ, instruction(PROGRAM_LOAD, 1), nowhere + word,
           "load from nowhere");
    faults(PROGRAM_LOAD, stub_data - word, CPU_BAD_READ, instruction(PROGRAM_LOAD, 1), stub_data,
           "a routine's address is no data");
    faults(PROGRAM_STORE, stub_data, CPU_BAD_WRITE, instruction(PROGRAM_STORE, 1), stub_data,
           "nor can it be written");
    faults(PROGRAM_STORE, (uintptr_t)rig->code, CPU_BAD_WRITE, instruction(PROGRAM_STORE, 1),
           (uintptr_t)rig->code, "code is not written");
    faults(PROGRAM_JUMP, nowhere, CPU_WILD_JUMP, nowhere, nowhere, "jump to nowhere");
    faults(PROGRAM_JUMP, (uintptr_t)rig->data, CPU_WILD_JUMP, (uintptr_t)rig->data,
           (uintptr_t)rig->data, "jump into data");
    faults(PROGRAM_JUMP, 0, CPU_WILD_JUMP, 0, 0, "jump to 0");
    uintptr_t no_routine = routine(ROUTINES - 1) + 32;
    faults(PROGRAM_JUMP, no_routine, CPU_WILD_JUMP, no_routine, no_routine,
           "jump behind the routines");
    faults(PROGRAM_JUMP, routine(SUM) + 8, CPU_WILD_JUMP, routine(SUM) + 8, routine(SUM) + 8,
           "jump into a routine");
    faults(PROGRAM_ILLEGAL, 0, CPU_ILLEGAL, instruction(PROGRAM_ILLEGAL, 1), 0,
           "illegal instruction");
    faults(PROGRAM_TRAP, 0, CPU_TRAP, instruction(PROGRAM_TRAP, 1), 0, "trap");
    CpuStop stop;
    enter(PROGRAM_BAD_STACK, routine(SUM), 0, 0, &stop);
    ok(stop.reason == CPU_FAULT && stop.fault == CPU_BAD_STACK && strstr(stop.detail, "sum"),
       NAME("misaligned stack: %s"), stop.detail);
    ok(stop.address % machine()->stack_alignment != 0 || machine()->link < 0,
       NAME("the stack pointer"));
    rig->ops->abandon(rig->cpu);
    if (strcmp(rig->machine, "mips") == 0)
        faults(PROGRAM_UNALIGNED, (uintptr_t)rig->data + 2, CPU_UNALIGNED,
               instruction(PROGRAM_UNALIGNED, 1), 0, "unaligned load");
    returns(PROGRAM_CALL, routine(SUM), 20, 21, 42, "all is well afterwards");
}

/* ---- Patched code ---- */

static void test_patched(void)
{
    unsigned word = machine()->bits / 8;
    memcpy(rig->data + word, &(uint64_t){1}, word);
    returns(PROGRAM_ADD, (uintptr_t)rig->data, 1, 0, (uintptr_t)rig->data + 1, "before patching");
    write_program(PROGRAM_ADD, PROGRAM_LOAD);
    rig->ops->code_changed(rig->cpu, entry(PROGRAM_ADD), entry(PROGRAM_ADD) + PROGRAM_SPACE);
    returns(PROGRAM_ADD, (uintptr_t)rig->data, 1, 0, 8, "patched from outside");
    write_program(PROGRAM_ADD, PROGRAM_ADD);
    rig->ops->code_changed(rig->cpu, entry(PROGRAM_ADD), entry(PROGRAM_ADD) + PROGRAM_SPACE);
    returns(PROGRAM_ADD, (uintptr_t)rig->data, 1, 0, (uintptr_t)rig->data + 1, "and back");
    returns(PROGRAM_CALL, routine(PATCHING), 1, 2, 4, "a routine that patches");
    returns(PROGRAM_ADD, (uintptr_t)rig->data, 1, 0, 8, "is heard");
    write_program(PROGRAM_ADD, PROGRAM_ADD);
    rig->ops->code_changed(rig->cpu, (uintptr_t)rig->code, (uintptr_t)rig->code + CODE_BYTES);
    returns(PROGRAM_ADD, 1, 1, 0, 2, "the whole zone changed");
}

/* Code that changes all the time fills the library's buffer, again and again. PROGRAM_CALL is not
 * changed, and is found again after each flush, or made anew; its block calls that of PROGRAM_ADD. */
static void test_flushes(void)
{
    enum { FLUSHES = 4, MOST = 1000000 };
    unsigned word = machine()->bits / 8, wrong = 0, rounds = 0;
    CpuStatistics statistics = {0};
    uint32_t *words = (uint32_t *)rig->data;
    memset(rig->data, 0, 4 * word);
    memcpy(rig->data + word, &(uint64_t){35}, word);
    for (; statistics.flushes < FLUSHES && rounds < MOST; rounds++) {
        bool load = rounds % 2;
        uintptr_t a = (uintptr_t)words;
        CpuStop stop;
        write_program(PROGRAM_ADD, load ? PROGRAM_LOAD : PROGRAM_ADD);
        rig->ops->code_changed(rig->cpu, entry(PROGRAM_ADD), entry(PROGRAM_ADD) + PROGRAM_SPACE);
        enter(PROGRAM_CALL, entry(PROGRAM_ADD), a, 7, &stop);
        wrong += stop.reason != CPU_RETURNED || stop.result != (load ? 43 : a + 8);
        enter(PROGRAM_LOOP, 10, 0, 0, &stop);
        wrong += stop.reason != CPU_RETURNED || stop.result != 10;
        rig->ops->statistics(rig->cpu, &statistics);
    }
    is_int((long)statistics.flushes, FLUSHES, NAME("translations are thrown out in %u rounds"), rounds);
    is_int(wrong, 0, NAME("every round answers right"));
    write_program(PROGRAM_ADD, PROGRAM_ADD);
    rig->ops->code_changed(rig->cpu, entry(PROGRAM_ADD), entry(PROGRAM_ADD) + PROGRAM_SPACE);
    test_faults();
}

/* ---- Stops ---- */

static void test_requests(void)
{
    CpuStop stop;
    is_int(enter(PROGRAM_CALL, routine(STOPPING), 20, 21, &stop), CPU_REQUESTED,
           NAME("a stop is asked for"));
    ok(stop.pc > entry(PROGRAM_CALL) && stop.pc < entry(PROGRAM_CALL) + 64,
       NAME("behind the call"));
    is_int(rig->ops->resume(rig->cpu, &stop), CPU_RETURNED, NAME("and resumed"));
    ok(stop.result == 42 && calls[STOPPING] == 1, NAME("the routine ran once"));
    rig->ops->request_stop(rig->cpu);
    is_int(enter(PROGRAM_ADD, 40, 2, 0, &stop), CPU_REQUESTED, NAME("asked for before the start"));
    ok(stop.pc == entry(PROGRAM_ADD), NAME("it stops in front of everything"));
    ok(rig->ops->resume(rig->cpu, &stop) == CPU_RETURNED && stop.result == 42,
       NAME("then goes on"));
}

static void test_redirect_stops(void)
{
    for (int first = 0; first < 2; first++) {
        CpuStop stop;
        redirect_to = entry(PROGRAM_LOOP);
        uintptr_t arguments[CPU_ARGUMENTS] = {(uintptr_t)first, 9, 0, 0};
        CpuReason reason = rig->ops->call(rig->cpu, routine(STOP_AND_REDIRECT), arguments, &stop);
        ok(reason == CPU_REQUESTED && stop.pc == redirect_to,
           NAME("pc written and a stop asked for, %s: neither is lost"),
           first ? "stop first" : "pc first");
        rig->ops->abandon(rig->cpu);
    }
    CpuStop stop;
    redirect_to = entry(PROGRAM_ADD);
    uintptr_t arguments[CPU_ARGUMENTS] = {40, 2, 0, 0};
    CpuReason reason = rig->ops->call(rig->cpu, routine(REDIRECTING), arguments, &stop);
    ok(reason == CPU_RETURNED, NAME("pc written in a leaf routine: it goes on there"));
}

/* ---- Looking ---- */

static void test_breakpoints(void)
{
    CpuStop stop;
    uintptr_t at = instruction(PROGRAM_STORE, 1);
    ok(rig->ops->set_breakpoint(rig->cpu, at, true), NAME("a breakpoint"));
    ok(!rig->ops->set_breakpoint(rig->cpu, (uintptr_t)rig->data, true),
       NAME("none outside of code"));
    memset(rig->data, 0, 8);
    is_int(enter(PROGRAM_STORE, (uintptr_t)rig->data, 35, 0, &stop), CPU_BREAKPOINT, NAME("stops"));
    ok(stop.pc == at && rig->ops->read_register(rig->cpu, machine()->pc) == at, NAME("at it"));
    is_int(rig->data[0], 0, NAME("before the instruction"));
    is_int(rig->ops->resume(rig->cpu, &stop), CPU_RETURNED, NAME("resumes"));
    ok(stop.result == 42 && rig->data[0] == 35, NAME("to the end"));
    at = instruction(PROGRAM_LOOP, 1);
    rig->ops->set_breakpoint(rig->cpu, at, true);
    unsigned hits = 0;
    for (CpuReason reason = enter(PROGRAM_LOOP, 5, 0, 0, &stop); reason == CPU_BREAKPOINT;
         reason = rig->ops->resume(rig->cpu, &stop))
        hits++;
    ok(hits == 5 && stop.result == 5, NAME("in a loop of five: five times"));
    condition_answer = false;
    condition_calls = 0;
    returns(PROGRAM_LOOP, 7, 0, 0, 7, "a condition that does not hold");
    is_int(condition_calls, 7, NAME("is asked each time"));
    condition_answer = true;
    rig->ops->set_breakpoint(rig->cpu, at, false);
    returns(PROGRAM_LOOP, 7, 0, 0, 7, "removed");
    rig->ops->set_breakpoint(rig->cpu, instruction(PROGRAM_STORE, 1), false);
}

static void test_watchpoints(void)
{
    CpuStop stop;
    uintptr_t at = (uintptr_t)rig->data + 64;
    ok(rig->ops->set_watchpoint(rig->cpu, at, at + 2, true), NAME("a watchpoint"));
    returns(PROGRAM_STORE, at + 8, 1, 0, 8, "a store beside it");
    is_int(enter(PROGRAM_STORE, at, 35, 0, &stop), CPU_WATCHPOINT, NAME("a store to it"));
    ok(stop.writer == instruction(PROGRAM_STORE, 1) && stop.pc == instruction(PROGRAM_STORE, 2),
       NAME("the writer and the next"));
    ok(stop.value == 35 && rig->data[64] == 35 && stop.address == at, NAME("is done, and shown"));
    ok(rig->ops->resume(rig->cpu, &stop) == CPU_RETURNED && stop.result == 42, NAME("it goes on"));
    if (strcmp(rig->machine, "mips") != 0) {
        is_int(enter(PROGRAM_STORE, at - 3, 0, 0, &stop), CPU_WATCHPOINT,
               NAME("reached from below"));
        rig->ops->abandon(rig->cpu);
    }
    condition_answer = false;
    returns(PROGRAM_STORE, at, 35, 0, 42, "a condition that does not hold");
    condition_answer = true;
    ok(rig->ops->set_watchpoint(rig->cpu, at, at + 2, false), NAME("removed"));
    ok(!rig->ops->set_watchpoint(rig->cpu, at, at + 2, false), NAME("removed once"));
    returns(PROGRAM_STORE, at, 35, 0, 42, "and not seen any more");
}

static void test_budget(void)
{
    CpuStop stop;
    unsigned steps = 0;
    rig->ops->set_budget(rig->cpu, 1);
    CpuReason reason = enter(PROGRAM_LOOP, 4, 0, 0, &stop);
    uintptr_t previous = 0;
    bool moved = true;
    while (reason == CPU_BUDGET && steps < 100) {
        moved &= stop.pc != previous;
        previous = stop.pc;
        steps++;
        rig->ops->set_budget(rig->cpu, 1);
        reason = rig->ops->resume(rig->cpu, &stop);
    }
    ok(reason == CPU_RETURNED && stop.result == 4, NAME("stepped to the end"));
    ok(moved && steps >= 4 * LOOP_INSTRUCTIONS - 4, NAME("in %u steps"), steps);
    rig->ops->set_budget(rig->cpu, 1000);
    is_int(enter(PROGRAM_LOOP, UINT32_MAX >> 1, 0, 0, &stop), CPU_BUDGET,
           NAME("an endless loop ends"));
    rig->ops->abandon(rig->cpu);
    rig->ops->set_budget(rig->cpu, 0);
    returns(PROGRAM_LOOP, 1000, 0, 0, 1000, "no limit");
}

static void test_ring_and_trace(void)
{
    uintptr_t pcs[64];
    CpuStop stop;
    ok(rig->ops->set_ring(rig->cpu, 20), NAME("a ring"));
    is_int(rig->ops->ring(rig->cpu, pcs, 64), 0, NAME("is empty at first"));
    returns(PROGRAM_LOOP, 100, 0, 0, 100, "fills");
    is_int(rig->ops->ring(rig->cpu, pcs, 64), 20, NAME("to its size"));
    ok(pcs[19] >= entry(PROGRAM_LOOP) && pcs[19] < entry(PROGRAM_LOOP) + 64, NAME("with pcs"));
    ok(pcs[10] == pcs[10 - LOOP_INSTRUCTIONS] && pcs[10] != pcs[9], NAME("in order"));
    enter(PROGRAM_JUMP, 0x7FFF0000, 0, 0, &stop);
    ok(stop.writer >= entry(PROGRAM_JUMP) && stop.writer < entry(PROGRAM_JUMP) + 8,
       NAME("tells who jumped"));
    rig->ops->abandon(rig->cpu);
    is_int(rig->ops->ring(rig->cpu, pcs, 1), 1, NAME("and the last is had alone"));
    uint64_t hashes[3];
    for (int i = 0; i < 3; i++) {
        rig->ops->set_trace(rig->cpu, true);
        returns(PROGRAM_LOOP, i == 2 ? 99 : 100, 0, 0, i == 2 ? 99 : 100, "traced");
        hashes[i] = rig->ops->trace_hash(rig->cpu);
    }
    ok(hashes[0] == hashes[1] && hashes[0], NAME("the same run, the same hash"));
    ok(hashes[0] != hashes[2], NAME("another run, another"));
    rig->ops->set_trace(rig->cpu, false);
    rig->ops->set_ring(rig->cpu, 0);
    returns(PROGRAM_LOOP, 100, 0, 0, 100, "neither ring nor trace");
}

static void test_fork(void)
{
    fflush(stdout);
    memset(rig->data, 0, 8);
    pid_t child = fork();
    if (child == 0) {
        CpuStop stop;
        enter(PROGRAM_STORE, (uintptr_t)rig->data, 35, 0, &stop);
        bool right = stop.result == 42 && rig->data[0] == 35;
        enter(PROGRAM_CALL, routine(SUM), 20, 21, &stop);
        _exit(right && stop.result == 42 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    is_int(status, 0, NAME("a fork runs on its own"));
    is_int(rig->data[0], 0, NAME("and leaves the parent's memory alone"));
    returns(PROGRAM_CALL, routine(SUM), 20, 21, 42, "the parent goes on");
}

/* ---- All of it ---- */

static void test_machine(const char *name, const Program *programs, const char *options)
{
    Rig one = {.machine = name, .options = options, .programs = programs};
    set_up(&one);
    test_calls();
    test_memory();
    test_registers();
    test_faults();
    test_patched();
    test_requests();
    test_redirect_stops();
    test_breakpoints();
    test_watchpoints();
    test_budget();
    test_ring_and_trace();
    test_faults();
    rig->ops->set_ring(rig->cpu, 64);
    test_faults();
    rig->ops->set_ring(rig->cpu, 0);
    test_fork();
    take_down();
}

static void test_small_buffer(const char *name, const Program *programs)
{
    Rig one = {.machine = name, .options = ",translations=1", .programs = programs};
    set_up(&one);
    alarm(300); /* one block over another may go round for ever */
    test_flushes();
    alarm(0);
    take_down();
}

int main(void)
{
    snprintf(libraries, sizeof libraries, "%s/lib/osvm",
             getenv("BUILD") ? getenv("BUILD") : "build");
    char file[600];
    snprintf(file, sizeof file, "%s/any/cpu-sim.checked.so", libraries);
    if (access(file, R_OK)) {
        printf("1..0 # SKIP built without simulated processors\n");
        return 0;
    }
    world = world_live_new();
    static const char *const modes[] = {",stores=slow", ",stores=auto"};
    for (int i = 0; i < 2; i++) {
        test_machine("x64", programs_x64, modes[i]);
        test_machine("arm", programs_arm, modes[i]);
        test_machine("mips", programs_mips, modes[i]);
    }
    test_small_buffer("x64", programs_x64);
    test_small_buffer("arm", programs_arm);
    test_small_buffer("mips", programs_mips);
    world_free(world);
    return done_testing();
}
