/* Registers, breakpoints, watchpoints, budget, ring, trace, instructions: simulated processors. */
#include "t/support/cpu_suite.h"

#include <string.h>

/* ---- Registers ---- */

static unsigned register_named(const char *name)
{
    unsigned number = 0;
    while (number < suite_machine()->register_count &&
           strcmp(suite_machine()->registers[number].name, name))
        number++;
    return number;
}

static unsigned argument_register(unsigned index)
{
    static const char *const names[][3] = {{"x64", "rdi", "rsi"}, {"arm", "r0", "r1"},
                                           {"mips", "a0", "a1"}};
    for (unsigned m = 0; m < 3; m++)
        if (strcmp(names[m][0], suite_machine()->name) == 0)
            return register_named(names[m][1 + index]);
    return suite_machine()->register_count;
}

void suite_registers(void)
{
    const CpuMachine *machine = suite_machine();
    unsigned wrong = 0;
    for (unsigned i = 0; i < machine->register_count; i++) {
        if (i == machine->pc || i == machine->sp ||
            strstr("zero cpsr rflags", machine->registers[i].name))
            continue;
        uint64_t old = cpu->ops->read_register(cpu, i);
        uint64_t value = machine->registers[i].bits == 32 ? 0x81020304u : 0x8102030405060708u;
        cpu->ops->write_register(cpu, i, value + i);
        if (cpu->ops->read_register(cpu, i) != value + i) {
            suite_note("register %s", machine->registers[i].name);
            wrong++;
        }
        cpu->ops->write_register(cpu, i, old);
    }
    test(!wrong, "%u registers are read as written", machine->register_count);
    CpuStop stop;
    unsigned b = argument_register(1);
    uintptr_t at = suite_instruction(PROGRAM_STORE, 1);
    cpu->ops->set_breakpoint(cpu, at, true);
    suite_enter(PROGRAM_STORE, (uintptr_t)rig->data, 35, 0, &stop);
    test(b < machine->register_count && cpu->ops->read_register(cpu, b) == 35,
         "an argument is in its register");
    cpu->ops->write_register(cpu, b, 100);
    test(cpu->ops->resume(cpu, &stop) == CPU_RETURNED && stop.result == 107 && rig->data[0] == 100,
         "written there, it is what the code goes on with (P5)");
    suite_abandon(&stop);
    cpu->ops->set_breakpoint(cpu, at, false);
}

/* ---- Breakpoints ---- */

void suite_breakpoints(void)
{
    CpuStop stop;
    uintptr_t at = suite_instruction(PROGRAM_STORE, 1);
    suite.condition_answer = suite.condition_looks = suite.condition_right = true;
    test(cpu->ops->set_breakpoint(cpu, at, true), "a breakpoint");
    test(!cpu->ops->set_breakpoint(cpu, (uintptr_t)rig->data, true), "none outside of code");
    if (suite_machine()->instruction_alignment > 1)
        test(!cpu->ops->set_breakpoint(cpu, at + 1, true), "none inside an instruction");
    if (strcmp(suite_machine()->name, "mips") == 0)
        test(!cpu->ops->set_breakpoint(cpu, suite_instruction(PROGRAM_LOOP, 3), true),
             "none in a delay slot");
    memset(rig->data, 0, 8);
    test(suite_enter(PROGRAM_STORE, (uintptr_t)rig->data, 35, 0, &stop) == CPU_BREAKPOINT, "stops");
    test(stop.pc == at && cpu->ops->read_register(cpu, suite_machine()->pc) == at, "at it (P5)");
    test(rig->data[0] == 0, "before the instruction (P5)");
    test(cpu->ops->resume(cpu, &stop) == CPU_RETURNED && stop.result == 42 && rig->data[0] == 35,
         "resumes to the end (P5)");
    suite_abandon(&stop);
    at = suite_instruction(PROGRAM_LOOP, 1);
    cpu->ops->set_breakpoint(cpu, at, true);
    unsigned hits = 0;
    for (CpuReason reason = suite_enter(PROGRAM_LOOP, 5, 0, 0, &stop);
         reason == CPU_BREAKPOINT && hits < 100; reason = cpu->ops->resume(cpu, &stop))
        hits++;
    test(hits == 5 && stop.result == 5, "in a loop of five: five times");
    suite_abandon(&stop);
    suite.condition_answer = false;
    suite.condition_calls = 0;
    suite_returns(PROGRAM_LOOP, 7, 0, 0, 7, "a condition that does not hold");
    test(suite.condition_calls == 7, "is asked each time");
    test(suite.condition_right, "and finds the pc where it is asked about");
    suite.condition_answer = true;
    test(cpu->ops->set_breakpoint(cpu, at, false), "is removed");
    suite_returns(PROGRAM_LOOP, 7, 0, 0, 7, "and gone");
    cpu->ops->set_breakpoint(cpu, suite_instruction(PROGRAM_STORE, 1), false);
}

/* ---- Watchpoints ---- */

void suite_watchpoints(void)
{
    CpuStop stop;
    uintptr_t at = (uintptr_t)rig->data + 64;
    suite.condition_looks = false;
    test(cpu->ops->set_watchpoint(cpu, at, at + 2, true), "a watchpoint");
    suite_returns(PROGRAM_STORE, at + 8, 1, 0, 8, "a store beside it");
    suite_returns(PROGRAM_STORE, at - 16, 1, 0, 8, "a store below it");
    test(suite_enter(PROGRAM_STORE, at, 35, 0, &stop) == CPU_WATCHPOINT, "a store to it");
    test(stop.writer == suite_instruction(PROGRAM_STORE, 1) &&
             stop.pc == suite_instruction(PROGRAM_STORE, 2), "the writer and the next");
    test(stop.value == 35 && rig->data[64] == 35 && stop.address == at, "is done, and shown");
    test(cpu->ops->resume(cpu, &stop) == CPU_RETURNED && stop.result == 42, "it goes on (P5)");
    suite_abandon(&stop);
    if (strcmp(suite_machine()->name, "mips") != 0) {
        test(suite_enter(PROGRAM_STORE, at - 3, 0, 0, &stop) == CPU_WATCHPOINT, "reached from below");
        suite_abandon(&stop);
    }
    suite.condition_answer = false;
    suite_returns(PROGRAM_STORE, at, 35, 0, 42, "a condition that does not hold");
    suite.condition_answer = true;
    test(cpu->ops->set_watchpoint(cpu, at, at + 2, false), "removed");
    test(!cpu->ops->set_watchpoint(cpu, at, at + 2, false), "removed once");
    test(!cpu->ops->set_watchpoint(cpu, at, at, true), "an empty one is refused");
    suite_returns(PROGRAM_STORE, at, 35, 0, 42, "and not seen any more");
}

/* ---- Budget ---- */

void suite_budget(void)
{
    CpuStop stop;
    unsigned steps = 0;
    uintptr_t previous = 0;
    bool moved = true;
    cpu->ops->set_budget(cpu, 1);
    CpuReason reason = suite_enter(PROGRAM_LOOP, 4, 0, 0, &stop);
    while (reason == CPU_BUDGET && steps < 100) {
        moved &= stop.pc != previous;
        previous = stop.pc;
        steps++;
        cpu->ops->set_budget(cpu, 1);
        reason = cpu->ops->resume(cpu, &stop);
    }
    test(reason == CPU_RETURNED && stop.result == 4, "stepped to the end");
    suite_abandon(&stop);
    test(moved && steps >= 4 * LOOP_INSTRUCTIONS - 4 && steps <= 4 * LOOP_INSTRUCTIONS + 4,
         "in %u steps", steps);
    cpu->ops->set_budget(cpu, 2);
    suite_enter(PROGRAM_STORE, (uintptr_t)rig->data, 4, 0, &stop);
    test(stop.reason == CPU_BUDGET && stop.pc == suite_instruction(PROGRAM_STORE, 2),
         "two instructions, and not one more");
    suite_abandon(&stop);
    cpu->ops->set_budget(cpu, 1000);
    test(suite_enter(PROGRAM_LOOP, UINT32_MAX >> 1, 0, 0, &stop) == CPU_BUDGET,
         "an endless loop ends");
    suite_abandon(&stop);
    cpu->ops->set_budget(cpu, 0);
    suite_returns(PROGRAM_LOOP, 1000, 0, 0, 1000, "no limit");
}

/* ---- Ring and trace ---- */

/* Straight on, or round the loop. */
static bool follows(uintptr_t before, uintptr_t pc)
{
    CpuInstruction one;
    cpu->ops->disassemble(cpu, suite_machine(), (void *)before, 16, before, &one);
    return pc == before + one.size || pc == suite_instruction(PROGRAM_LOOP, 1);
}

void suite_ring_and_trace(void)
{
    uintptr_t pcs[64], loop = cpu_rig_entry(rig, PROGRAM_LOOP);
    CpuStop stop;
    test(cpu->ops->set_ring(cpu, 20), "a ring");
    test(cpu->ops->ring(cpu, pcs, 64) == 0, "is empty at first");
    suite_returns(PROGRAM_LOOP, 100, 0, 0, 100, "fills");
    test(cpu->ops->ring(cpu, pcs, 64) == 20, "to its size");
    test(pcs[19] >= loop && pcs[19] < loop + 64, "with pcs");
    test(pcs[10] == pcs[10 - LOOP_INSTRUCTIONS] && pcs[10] != pcs[9], "of the loop");
    bool ordered = true;
    for (unsigned i = 1; i < 20; i++)
        ordered &= follows(pcs[i - 1], pcs[i]);
    test(ordered, "in order, the newest last");
    suite_enter(PROGRAM_JUMP, 0x7FFF0000, 0, 0, &stop);
    test(stop.writer >= cpu_rig_entry(rig, PROGRAM_JUMP) &&
             stop.writer < cpu_rig_entry(rig, PROGRAM_JUMP) + 8, "tells who jumped");
    suite_abandon(&stop);
    test(cpu->ops->ring(cpu, pcs, 1) == 1, "and the last is had alone");
    uint64_t hashes[3];
    CpuStatistics before, after;
    cpu->ops->statistics(cpu, &before);
    for (unsigned i = 0; i < 3; i++) {
        unsigned rounds = i == 2 ? 99 : 100;
        cpu->ops->set_trace(cpu, true);
        suite_returns(PROGRAM_LOOP, rounds, 0, 0, rounds, "traced");
        hashes[i] = cpu->ops->trace_hash(cpu);
    }
    cpu->ops->statistics(cpu, &after);
    test(hashes[0] == hashes[1] && hashes[0], "the same run, the same hash");
    test(hashes[0] != hashes[2], "another run, another");
    uint64_t counted = after.instructions - before.instructions;
    test(counted >= 299 * LOOP_INSTRUCTIONS && counted <= 299 * LOOP_INSTRUCTIONS + 12,
         "%llu instructions were counted", (unsigned long long)counted);
    cpu->ops->set_trace(cpu, false);
    test(cpu->ops->trace_hash(cpu) == 0, "off, it is 0");
    cpu->ops->set_ring(cpu, 0);
    suite_returns(PROGRAM_LOOP, 100, 0, 0, 100, "neither ring nor trace");
}

/* ---- Instructions ---- */

static bool has_target(const CpuInstruction *one, uintptr_t target)
{
    for (unsigned i = 0; i < one->operand_count; i++)
        if (one->operands[i].kind == CPU_OPERAND_TARGET && (uintptr_t)one->operands[i].value == target)
            return true;
    return false;
}

/* Which of an instruction's flows a program has, as bits; 0: it is not all instructions. */
static unsigned flows(const CpuMachine *machine, const Program *program, uintptr_t address)
{
    unsigned seen = 0;
    size_t at = 0;
    while (at < program->size) {
        CpuInstruction one;
        if (!cpu->ops->disassemble(cpu, machine, program->bytes + at, program->size - at,
                                   address + at, &one))
            return 0;
        seen |= 1u << one.flow;
        at += one.size;
    }
    return at == program->size ? seen : 0;
}

static void test_branch(const CpuMachine *machine, const Program *program)
{
    const uintptr_t address = 0x1000;
    CpuInstruction one = {0};
    uintptr_t second = 0, branch = 0;
    for (size_t at = 0; at < program->size && one.flow != CPU_BRANCH; at += one.size) {
        branch = address + at;
        cpu->ops->disassemble(cpu, machine, program->bytes + at, program->size - at, branch, &one);
        second = second ? second : address + one.size;
    }
    test(one.flow == CPU_BRANCH && one.address == branch && has_target(&one, second),
         "a branch has its target: %s %s", one.mnemonic, one.operands[0].text);
}

void suite_disassemble(void)
{
    const CpuMachine *machine = cpu->ops->find_machine(cpu, rig->setup.machine);
    const Program *programs = cpu_rig_programs(rig->setup.machine);
    static const struct {
        int program;
        CpuFlow flow;
    } expected[] = {{PROGRAM_ADD, CPU_RETURN}, {PROGRAM_CALL, CPU_CALL}, {PROGRAM_LOOP, CPU_BRANCH},
                    {PROGRAM_STORE, CPU_PLAIN}, {PROGRAM_TRAP, CPU_BREAK}};
    for (unsigned i = 0; i < sizeof expected / sizeof *expected; i++)
        test(flows(machine, &programs[expected[i].program], 0x1000) >> expected[i].flow & 1,
             "program %d has an instruction of flow %d", expected[i].program, expected[i].flow);
    test_branch(machine, &programs[PROGRAM_LOOP]);
    unsigned wrong = 0;
    uint64_t random = 1;
    for (unsigned n = 0; n < 20000; n++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const uint64_t bytes[2] = {random, random >> 7};
        size_t size = 1 + random % 16;
        CpuInstruction one = {0};
        bool is_one = cpu->ops->disassemble(cpu, machine, bytes, size, 0x1000, &one);
        size_t unit = machine->instruction_alignment;
        wrong += one.size == 0 || one.size > size || one.operand_count > CPU_OPERANDS ||
                 one.address != 0x1000 || (is_one ? one.size % unit != 0
                                                  : one.size != (unit < size ? unit : size)) ||
                 !memchr(one.mnemonic, 0, sizeof one.mnemonic) || !one.mnemonic[0];
    }
    test(!wrong, "20000 random words are instructions or data, none longer than what there is");
}
