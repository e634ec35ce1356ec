/* Registers, breakpoints, watchpoints, budget, ring, trace, statistics. */
#include "shim.h"

/* ---- Registers ---- */

static void require_register(const Shim *shim, const char *what, unsigned number)
{
    shim_require_ready(shim, what);
    REQUIRE(number < shim->machine->register_count, "%s of register %u; %s has %u", what, number,
            shim->machine->name, shim->machine->register_count);
}

static bool fits(const Shim *shim, unsigned number, uint64_t value)
{
    unsigned bits = shim->machine->registers[number].bits;
    return bits >= 64 || value >> bits == 0;
}

uint64_t look_read_register(Cpu *cpu, unsigned number)
{
    Shim *shim = shim_of(cpu);
    require_register(shim, "read", number);
    uint64_t value = shim->inner->ops->read_register(shim->inner, number);
    REQUIRE(fits(shim, number, value), "register %s is said to hold 0x%llx: it has %u bits",
            shim->machine->registers[number].name, (unsigned long long)value,
            shim->machine->registers[number].bits);
    return value;
}

void look_write_register(Cpu *cpu, unsigned number, uint64_t value)
{
    Shim *shim = shim_of(cpu);
    const CpuMachine *machine = shim->machine;
    require_register(shim, "write", number);
    REQUIRE(!shim->asking, "a condition writes register %s: it may only read", machine->registers[number].name);
    REQUIRE(fits(shim, number, value), "0x%llx is written into register %s, which has %u bits",
            (unsigned long long)value, machine->registers[number].name,
            machine->registers[number].bits);
    REQUIRE(number != machine->pc || value % machine->instruction_alignment == 0,
            "0x%llx is written into the pc, where no instruction can be", (unsigned long long)value);
    shim->inner->ops->write_register(shim->inner, number, value);
    REQUIRE(number != machine->pc || shim->inner->ops->read_register(shim->inner, number) == value,
            "0x%llx was written into the pc, and is not there (P6)", (unsigned long long)value);
}

/* ---- Stopping ---- */

void look_set_budget(Cpu *cpu, uint64_t instructions)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "set_budget");
    shim->limited = instructions != 0;
    shim->inner->ops->set_budget(shim->inner, instructions);
}

bool look_set_breakpoint(Cpu *cpu, uintptr_t pc, bool on)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "set_breakpoint");
    bool possible = pc >= shim->setup.code_start && pc < shim->setup.code_end &&
                    pc % shim->machine->instruction_alignment == 0;
    bool done = shim->inner->ops->set_breakpoint(shim->inner, pc, on);
    REQUIRE(!done || possible, "the processor takes a breakpoint at 0x%zx, where no code can be",
            (size_t)pc);
    if (done && on && !ranges_at(&shim->breakpoints, pc, pc + 1))
        REQUIRE(ranges_add(shim, &shim->breakpoints, (Range){pc, pc + 1, 0}),
                "the host has no memory for the list of breakpoints");
    if (done && !on)
        ranges_remove(&shim->breakpoints, pc, pc + 1);
    return done;
}

bool look_set_watchpoint(Cpu *cpu, uintptr_t start, uintptr_t end, bool on)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "set_watchpoint");
    bool done = shim->inner->ops->set_watchpoint(shim->inner, start, end, on);
    REQUIRE(!done || start < end, "the processor watches [0x%zx, 0x%zx), which is empty",
            (size_t)start, (size_t)end);
    if (on && done)
        REQUIRE(ranges_add(shim, &shim->watchpoints, (Range){start, end, 0}),
                "the host has no memory for the list of watchpoints");
    else if (!on)
        REQUIRE(ranges_remove(&shim->watchpoints, start, end) == done,
                "the processor says that it %s [0x%zx, 0x%zx), and it %s", done ? "watched" : "did not watch",
                (size_t)start, (size_t)end, done ? "did not" : "did");
    return done;
}

/* ---- What was executed ---- */

bool look_set_ring(Cpu *cpu, unsigned count)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "set_ring");
    bool done = shim->inner->ops->set_ring(shim->inner, count);
    if (done) {
        shim->ring = count;
        shim->ring_known = true;
    }
    return done;
}

unsigned look_ring(const Cpu *cpu, uintptr_t *pcs, unsigned most)
{
    const Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "ring");
    REQUIRE(pcs || !most, "the ring is asked for, and there is no place for it");
    unsigned count = shim->inner->ops->ring(shim->inner, pcs, most);
    REQUIRE(count <= most && (!shim->ring_known || count <= shim->ring),
            "the ring has %u pcs; it was to have %u, and %u were asked for", count, shim->ring, most);
    for (unsigned i = 0; i < count; i++)
        REQUIRE(pcs[i] >= shim->setup.code_start && pcs[i] < shim->setup.code_end,
                "the ring has 0x%zx, which is not in the code zone", (size_t)pcs[i]);
    return count;
}

void look_set_trace(Cpu *cpu, bool on)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "set_trace");
    shim->tracing = on;
    shim->inner->ops->set_trace(shim->inner, on);
}

uint64_t look_trace_hash(const Cpu *cpu)
{
    const Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "trace_hash");
    uint64_t hash = shim->inner->ops->trace_hash(shim->inner);
    REQUIRE(shim->tracing || !hash, "nothing is traced, and its hash is 0x%llx",
            (unsigned long long)hash);
    return hash;
}

void look_statistics(const Cpu *cpu, CpuStatistics *statistics)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "statistics");
    CpuStatistics old = shim->counts;
    shim->inner->ops->statistics(shim->inner, statistics);
    REQUIRE(statistics->instructions >= old.instructions && statistics->entries >= old.entries &&
                statistics->leaf_calls >= old.leaf_calls &&
                statistics->stopping_calls >= old.stopping_calls &&
                statistics->code_changes >= old.code_changes && statistics->flushes >= old.flushes,
            "the processor's statistics have become less");
    REQUIRE(statistics->entries <= shim->calls,
            "the processor counts %llu entries; there were %llu calls",
            (unsigned long long)statistics->entries, (unsigned long long)shim->calls);
    shim->counts = *statistics;
}
