/* A processor that breaks one rule of osvm/cpu.h: another one, in the file `behind`, with the fault
 * `fault`. The conformance suite has to find each. */
#include "osvm/cpu.h"

#include "t/support/plugin_user.c"

typedef enum {
    SOUND, KEEPS_OLD_CODE, IGNORES_ACCESS, KEEPS_MAPPED, ONE_ADDRESS, LOSES_REQUESTS, LOSES_PC,
    WRONG_STOP, WRONG_RESULT, FORGETS_REGISTERS, LATE_BUDGET, BACKWARD_RING, TRACES_NOTHING,
    FORGETS_ENTRIES, LONG_INSTRUCTIONS, ASKS_NOBODY, WATCHES_NOTHING, NESTS_NOTHING, KEEPS_CALLS,
    KEEPS_MEMORY, ANY_MACHINE, FAULTS
} Fault;

static const char *const names[FAULTS] = {
    [SOUND] = "none", [KEEPS_OLD_CODE] = "keeps-old-code", [IGNORES_ACCESS] = "ignores-access",
    [KEEPS_MAPPED] = "keeps-mapped", [ONE_ADDRESS] = "one-address",
    [LOSES_REQUESTS] = "loses-requests", [LOSES_PC] = "loses-pc", [WRONG_STOP] = "wrong-stop",
    [WRONG_RESULT] = "wrong-result", [FORGETS_REGISTERS] = "forgets-registers",
    [LATE_BUDGET] = "late-budget", [BACKWARD_RING] = "backward-ring",
    [TRACES_NOTHING] = "traces-nothing", [FORGETS_ENTRIES] = "forgets-entries",
    [LONG_INSTRUCTIONS] = "long-instructions", [ASKS_NOBODY] = "asks-nobody",
    [WATCHES_NOTHING] = "watches-nothing", [NESTS_NOTHING] = "nests-nothing",
    [KEEPS_CALLS] = "keeps-calls", [KEEPS_MEMORY] = "keeps-memory", [ANY_MACHINE] = "any-machine",
};

typedef struct {
    Cpu cpu; /* first */
    PluginUser real;
    Cpu *behind;
    CpuSetup setup;
    Fault fault;
    bool requested;
    unsigned depth;
    void *kept;
} Breach;

static Breach *breach_of(const Cpu *cpu)
{
    return (Breach *)cpu;
}

#define BEHIND(cpu) breach_of(cpu)->behind->ops
#define FORWARD(cpu, function, ...) BEHIND(cpu)->function(breach_of(cpu)->behind, ##__VA_ARGS__)

static bool condition(void *context, Cpu *cpu, const CpuStop *stop)
{
    Breach *breach = context;
    return breach->setup.condition(breach->setup.context, &breach->cpu, stop);
}

static bool start(Cpu *cpu, const CpuSetup *setup, const OsvmHost *host, OsvmError *error)
{
    Breach *breach = breach_of(cpu);
    CpuSetup forwarded = *setup;
    breach->setup = *setup;
    forwarded.condition = setup->condition && breach->fault != ASKS_NOBODY ? condition : NULL;
    forwarded.context = breach;
    if (breach->fault == KEEPS_MEMORY && !breach->kept)
        breach->kept = host->alloc(host, 16);
    return FORWARD(cpu, start, &forwarded, &breach->real.host, error);
}

static void stop(Cpu *cpu)
{
    FORWARD(cpu, stop);
}

static const CpuMachine *machine(const Cpu *cpu)
{
    return FORWARD(cpu, machine);
}

static bool map(Cpu *cpu, uintptr_t from, uintptr_t to, unsigned access)
{
    if (breach_of(cpu)->fault == IGNORES_ACCESS)
        access |= CPU_READ | CPU_WRITE;
    return FORWARD(cpu, map, from, to, access);
}

static void unmap(Cpu *cpu, uintptr_t from, uintptr_t to)
{
    if (breach_of(cpu)->fault != KEEPS_MAPPED)
        FORWARD(cpu, unmap, from, to);
}

static void code_changed(Cpu *cpu, uintptr_t from, uintptr_t to)
{
    if (breach_of(cpu)->fault != KEEPS_OLD_CODE)
        FORWARD(cpu, code_changed, from, to);
}

static uintptr_t routine_address(const Cpu *cpu, unsigned index)
{
    return FORWARD(cpu, routine_address, breach_of(cpu)->fault == ONE_ADDRESS && index == 1 ? 0 : index);
}

static CpuReason spoil(Breach *breach, CpuReason reason, CpuStop *stop)
{
    breach->requested = false;
    if (breach->fault == WRONG_STOP && reason == CPU_BREAKPOINT)
        stop->pc += 4;
    if (breach->fault == WRONG_RESULT && reason == CPU_RETURNED)
        stop->result++;
    return reason;
}

static CpuReason call(Cpu *cpu, uintptr_t entry, const uintptr_t arguments[CPU_ARGUMENTS],
                      CpuStop *stop)
{
    Breach *breach = breach_of(cpu);
    if (breach->fault == NESTS_NOTHING && breach->depth > 3) {
        *stop = (CpuStop){.reason = CPU_FAULT, .fault = CPU_NOT_ENTERED};
        return CPU_FAULT;
    }
    breach->depth++;
    CpuReason reason = FORWARD(cpu, call, entry, arguments, stop);
    breach->depth--;
    return spoil(breach, reason, stop);
}

static CpuReason resume(Cpu *cpu, CpuStop *stop)
{
    return spoil(breach_of(cpu), FORWARD(cpu, resume, stop), stop);
}

static void abandon(Cpu *cpu)
{
    if (breach_of(cpu)->fault != KEEPS_CALLS)
        FORWARD(cpu, abandon);
}

static void request_stop(Cpu *cpu)
{
    breach_of(cpu)->requested = true;
    if (breach_of(cpu)->fault != LOSES_REQUESTS)
        FORWARD(cpu, request_stop);
}

static uint64_t read_register(Cpu *cpu, unsigned number)
{
    return FORWARD(cpu, read_register, number);
}

static void write_register(Cpu *cpu, unsigned number, uint64_t value)
{
    Breach *breach = breach_of(cpu);
    bool pc = number == FORWARD(cpu, machine)->pc;
    if ((breach->fault == FORGETS_REGISTERS && !pc) ||
        (breach->fault == LOSES_PC && pc && breach->requested))
        return;
    FORWARD(cpu, write_register, number, value);
}

static void set_budget(Cpu *cpu, uint64_t instructions)
{
    FORWARD(cpu, set_budget,
            instructions && breach_of(cpu)->fault == LATE_BUDGET ? instructions + 1 : instructions);
}

static bool set_breakpoint(Cpu *cpu, uintptr_t pc, bool on)
{
    return FORWARD(cpu, set_breakpoint, pc, on);
}

static bool set_watchpoint(Cpu *cpu, uintptr_t from, uintptr_t to, bool on)
{
    return breach_of(cpu)->fault == WATCHES_NOTHING || FORWARD(cpu, set_watchpoint, from, to, on);
}

static bool set_ring(Cpu *cpu, unsigned count)
{
    return FORWARD(cpu, set_ring, count);
}

static unsigned ring(const Cpu *cpu, uintptr_t *pcs, unsigned most)
{
    unsigned count = FORWARD(cpu, ring, pcs, most);
    for (unsigned i = 0; breach_of(cpu)->fault == BACKWARD_RING && i < count / 2; i++) {
        uintptr_t kept = pcs[i];
        pcs[i] = pcs[count - 1 - i];
        pcs[count - 1 - i] = kept;
    }
    return count;
}

static void set_trace(Cpu *cpu, bool on)
{
    FORWARD(cpu, set_trace, on);
}

static uint64_t trace_hash(const Cpu *cpu)
{
    return breach_of(cpu)->fault == TRACES_NOTHING ? 7 : FORWARD(cpu, trace_hash);
}

static void statistics(const Cpu *cpu, CpuStatistics *counts)
{
    FORWARD(cpu, statistics, counts);
    if (breach_of(cpu)->fault == FORGETS_ENTRIES)
        counts->entries = counts->entries > 100 ? 0 : counts->entries;
}

static const CpuMachine *find_machine(const Cpu *cpu, const char *name)
{
    return FORWARD(cpu, find_machine, breach_of(cpu)->fault == ANY_MACHINE ? "x64" : name);
}

static bool disassemble(Cpu *cpu, const CpuMachine *of, const void *bytes, size_t size,
                        uintptr_t address, CpuInstruction *instruction)
{
    bool is_one = FORWARD(cpu, disassemble, of, bytes, size, address, instruction);
    instruction->size += breach_of(cpu)->fault == LONG_INSTRUCTIONS;
    return is_one;
}

static const CpuOps ops = {
    .size = sizeof(CpuOps), .simulated = true, .start = start, .stop = stop, .machine = machine,
    .map = map, .unmap = unmap, .code_changed = code_changed, .routine_address = routine_address,
    .call = call, .statistics = statistics, .resume = resume, .abandon = abandon,
    .request_stop = request_stop, .read_register = read_register,
    .write_register = write_register, .set_budget = set_budget, .set_breakpoint = set_breakpoint,
    .set_watchpoint = set_watchpoint, .set_ring = set_ring, .ring = ring, .set_trace = set_trace,
    .trace_hash = trace_hash, .find_machine = find_machine, .disassemble = disassemble,
};

static bool init(void *state, const OsvmHost *host, OsvmError *error)
{
    Breach *breach = state;
    char why[300];
    const char *fault = host->option_text(host, "fault");
    while (breach->fault < FAULTS && strcmp(names[breach->fault], fault))
        breach->fault++;
    if (breach->fault == FAULTS)
        return host->fail(error, OSVM_USAGE, "there is no fault '%s'", fault);
    PluginChoice choice = {.file = host->option_text(host, "behind"), .kind = OSVM_CPU,
                           .vtable_abi = OSVM_CPU_ABI};
    if (!plugin_open(&breach->real, &choice, why, sizeof why))
        return host->fail(error, OSVM_UNAVAILABLE, "%s", why);
    breach->behind = breach->real.state;
    breach->cpu.ops = &ops;
    return true;
}

static void fini(void *state)
{
    Breach *breach = state;
    if (breach->behind)
        plugin_close(&breach->real);
}

static const OsvmOption options[] = {
    {.name = "behind", .kind = OSVM_TEXT, .value = "", .help = "file of a sound processor"},
    {.name = "fault", .kind = OSVM_TEXT, .value = "none", .help = "which rule it breaks"},
    {.name = NULL},
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_CPU, 0),
    .name = "breach",
    .version = "0",
    .summary = "another processor, with a fault",
    .licence = "MIT",
    .vtable_abi = OSVM_CPU_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(Breach),
    .options = options,
    .init = init,
    .fini = fini,
};
