/* The host as a processor: entering machine code is a function call, nothing but its
 * return stops it, and mapping memory is nobody's business. */
#include "osvm/cpu.h"

#include <string.h>

typedef struct {
    Cpu cpu;
    const CpuRoutine *routines;
    unsigned routine_count;
    CpuStatistics counts;
} Native;

/* A machine is known here by its name; registers are for those who can look at them. */
static const CpuMachine host_machine = {
#if defined(__x86_64__)
    .name = "x64", .bits = 64, .instruction_alignment = 1, .stack_alignment = 16, .link = -1,
#elif defined(__aarch64__)
    .name = "arm64", .bits = 64, .instruction_alignment = 4, .stack_alignment = 16, .link = 30,
#elif defined(__arm__)
    .name = "arm", .bits = 32, .instruction_alignment = 4, .stack_alignment = 8, .link = 14,
#elif defined(__mips__)
    .name = "mips", .bits = 32, .instruction_alignment = 4, .stack_alignment = 8, .link = 31,
#else
    .name = "unknown", .link = -1,
#endif
};

static Native *native_of(Cpu *cpu)
{
    return (Native *)cpu;
}

static const CpuMachine *native_find_machine(const Cpu *cpu, const char *name)
{
    return strcmp(name, host_machine.name) == 0 ? &host_machine : NULL;
}

static bool native_start(Cpu *cpu, const CpuSetup *setup, const OsvmHost *host, OsvmError *error)
{
    Native *native = native_of(cpu);
    if (!native_find_machine(cpu, setup->machine))
        return host->fail(
            error, OSVM_UNAVAILABLE,
            "machine code for '%s' does not run natively here: this host is '%s'; use "
            "--cpu=sim",
            setup->machine, host_machine.name);
    native->routines = setup->routines;
    native->routine_count = setup->routine_count;
    return true;
}

static void native_stop(Cpu *cpu)
{
    (void)cpu;
}

static const CpuMachine *native_machine(const Cpu *cpu)
{
    (void)cpu;
    return &host_machine;
}

static bool native_map(Cpu *cpu, uintptr_t start, uintptr_t end, unsigned access)
{
    (void)cpu, (void)start, (void)end, (void)access;
    return true;
}

static void native_unmap(Cpu *cpu, uintptr_t start, uintptr_t end)
{
    (void)cpu, (void)start, (void)end;
}

static void native_code_changed(Cpu *cpu, uintptr_t start, uintptr_t end)
{
    native_of(cpu)->counts.code_changes++;
    __builtin___clear_cache((char *)start, (char *)end);
}

static uintptr_t native_routine_address(const Cpu *cpu, unsigned index)
{
    const Native *native = (const Native *)cpu;
    CHECK(index < native->routine_count, "routine %u of %u", index, native->routine_count);
    return (uintptr_t)native->routines[index].function;
}

static CpuReason native_call(Cpu *cpu, uintptr_t entry, const uintptr_t arguments[CPU_ARGUMENTS],
                             CpuStop *stop)
{
    native_of(cpu)->counts.entries++;
    CpuFunction function = (CpuFunction)entry;
    *stop = (CpuStop){.reason = CPU_RETURNED};
    stop->result = function(arguments[0], arguments[1], arguments[2], arguments[3]);
    return CPU_RETURNED;
}

static void native_statistics(const Cpu *cpu, CpuStatistics *statistics)
{
    *statistics = ((const Native *)cpu)->counts;
}

static const CpuOps native_ops = {
    .size = sizeof(CpuOps),
    .simulated = false,
    .start = native_start,
    .stop = native_stop,
    .machine = native_machine,
    .map = native_map,
    .unmap = native_unmap,
    .code_changed = native_code_changed,
    .routine_address = native_routine_address,
    .call = native_call,
    .statistics = native_statistics,
    .find_machine = native_find_machine,
};

static bool native_init(void *state, const OsvmHost *host, OsvmError *error)
{
    (void)host, (void)error;
    ((Native *)state)->cpu.ops = &native_ops;
    return true;
}

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_CPU, 0),
    .name = "native",
    .version = OSVM_VERSION,
    .summary = "the host's own processor",
    .licence = "MIT",
    .vtable_abi = OSVM_CPU_ABI,
    .vtable = &native_ops,
    .vtable_size = sizeof native_ops,
    .state_size = sizeof(Native),
    .init = native_init,
    .reloaded = native_init,
};
