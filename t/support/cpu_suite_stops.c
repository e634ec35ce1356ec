/* Memory that is not there, faults, requests, and going on behind a stop: simulated processors. */
#include "t/support/cpu_suite.h"

#include <string.h>

static const uintptr_t nowhere = 0x7FFF0000;

static bool map_data(uintptr_t from, uintptr_t bytes, unsigned access)
{
    uintptr_t start = (uintptr_t)rig->data + from;
    return cpu->ops->map(cpu, start, start + bytes, access);
}

static void unmap_data(uintptr_t from, uintptr_t bytes)
{
    uintptr_t start = (uintptr_t)rig->data + from;
    cpu->ops->unmap(cpu, start, start + bytes);
}

/* ---- Memory (P1) ---- */

static void faults_at(int program, uintptr_t a, CpuFault fault, const char *name)
{
    CpuStop stop;
    suite_enter(program, a, 5, 6, &stop);
    if (!test(stop.reason == CPU_FAULT && stop.fault == fault, "%s (P1)", name))
        suite_note("  reason %d, fault %d at 0x%zx, address 0x%zx, %s", stop.reason, stop.fault,
                   (size_t)stop.pc, (size_t)stop.address, stop.detail);
    suite_abandon(&stop);
}

void suite_memory(void)
{
    unsigned word = suite_machine()->bits / 8;
    uintptr_t data = (uintptr_t)rig->data;
    suite_returns(PROGRAM_STORE, data + RIG_DATA_BYTES - word, 1, 0, 8, "the last word");
    faults_at(PROGRAM_STORE, data + RIG_DATA_BYTES, CPU_BAD_WRITE, "the word behind it");
    test(!map_data(0, RIG_DATA_BYTES, CPU_READ), "mapping twice is refused (P1)");
    test(!map_data(CPU_PAGE, CPU_PAGE, CPU_READ), "so is a part of what is mapped (P1)");
    uintptr_t page = suite_routine(SUM) & ~(uintptr_t)(CPU_PAGE - 1);
    test(!cpu->ops->map(cpu, page, page + CPU_PAGE, CPU_READ), "and the place of the routines");
    unmap_data(0, CPU_PAGE);
    faults_at(PROGRAM_STORE, data, CPU_BAD_WRITE, "a store to unmapped memory");
    faults_at(PROGRAM_LOAD, data, CPU_BAD_READ, "a load from there");
    suite_returns(PROGRAM_STORE, data + CPU_PAGE, 1, 0, 8, "what lies behind is still there");
    test(map_data(0, CPU_PAGE, CPU_READ), "mapped again, to be read");
    memcpy(rig->data + word, &(uint64_t){35}, word);
    suite_returns(PROGRAM_LOAD, data, 0, 0, 42, "a load from there");
    faults_at(PROGRAM_STORE, data, CPU_BAD_WRITE, "a store to what may be read");
    unmap_data(0, CPU_PAGE);
    test(map_data(0, CPU_PAGE, CPU_READ | CPU_WRITE), "mapped again, to be written");
    suite_returns(PROGRAM_STORE, data, 1, 0, 8, "a store there");
}

/* ---- Faults ---- */

static void faults(int program, uintptr_t a, CpuFault fault, uintptr_t pc, uintptr_t address,
                   const char *name)
{
    CpuStop stop;
    suite_enter(program, a, 5, 6, &stop);
    bool held = test(stop.reason == CPU_FAULT && stop.fault == fault, "%s", name);
    held &= test(stop.pc == pc, "%s: where", name);
    held &= test(stop.address == address, "%s: address", name);
    if (stop.reason != CPU_RETURNED)
        held &= test(cpu->ops->read_register(cpu, suite_machine()->pc) == pc,
                     "%s: the pc is there (P5)", name);
    if (!held)
        suite_note("  reason %d fault %d number %u pc 0x%zx (program 0x%zx) address 0x%zx",
                   stop.reason, stop.fault, stop.number, (size_t)stop.pc,
                   (size_t)cpu_rig_entry(rig, program), (size_t)stop.address);
    suite_abandon(&stop);
}

void suite_faults(void)
{
    unsigned word = suite_machine()->bits / 8;
    uintptr_t stub = suite_routine(SUM), data = (uintptr_t)rig->data, code = (uintptr_t)rig->code;
    faults(PROGRAM_STORE, nowhere, CPU_BAD_WRITE, suite_instruction(PROGRAM_STORE, 1), nowhere,
           "store to nowhere");
    faults(PROGRAM_LOAD, nowhere, CPU_BAD_READ, suite_instruction(PROGRAM_LOAD, 1), nowhere + word,
           "load from nowhere");
    faults(PROGRAM_LOAD, stub - word, CPU_BAD_READ, suite_instruction(PROGRAM_LOAD, 1), stub,
           "a routine's address is no data");
    faults(PROGRAM_STORE, stub, CPU_BAD_WRITE, suite_instruction(PROGRAM_STORE, 1), stub,
           "nor can it be written");
    faults(PROGRAM_STORE, code, CPU_BAD_WRITE, suite_instruction(PROGRAM_STORE, 1), code,
           "code is not written");
    faults(PROGRAM_JUMP, nowhere, CPU_WILD_JUMP, nowhere, nowhere, "jump to nowhere");
    faults(PROGRAM_JUMP, data, CPU_WILD_JUMP, data, data, "jump into data");
    faults(PROGRAM_JUMP, 0, CPU_WILD_JUMP, 0, 0, "jump to 0");
    uintptr_t no_routine = suite_routine(ROUTINES - 1) + 32;
    faults(PROGRAM_JUMP, no_routine, CPU_WILD_JUMP, no_routine, no_routine,
           "jump behind the routines");
    faults(PROGRAM_JUMP, stub + 8, CPU_WILD_JUMP, stub + 8, stub + 8, "jump into a routine");
    faults(PROGRAM_ILLEGAL, 0, CPU_ILLEGAL, suite_instruction(PROGRAM_ILLEGAL, 1), 0,
           "illegal instruction");
    faults(PROGRAM_TRAP, 0, CPU_TRAP, suite_instruction(PROGRAM_TRAP, 1), 0, "trap");
    CpuStop stop;
    suite_enter(PROGRAM_BAD_STACK, stub, 0, 0, &stop);
    test(stop.reason == CPU_FAULT && stop.fault == CPU_BAD_STACK && strstr(stop.detail, "sum"),
         "misaligned stack: %s", stop.detail);
    test(stop.address % suite_machine()->stack_alignment != 0 || suite_machine()->link < 0,
         "the stack pointer");
    suite_abandon(&stop);
    if (strcmp(suite_machine()->name, "mips") == 0)
        faults(PROGRAM_UNALIGNED, data + 2, CPU_UNALIGNED, suite_instruction(PROGRAM_UNALIGNED, 1),
               0, "unaligned load");
    suite_returns(PROGRAM_CALL, stub, 20, 21, 42, "all is well afterwards");
    test(suite_enter(PROGRAM_CALL, suite_routine(NESTED), 100000, 0, &stop) == CPU_RETURNED,
         "endless nesting ends");
}

/* ---- What was wrong is put right, and the code goes on (P5) ---- */

static void goes_on(CpuStop *stop, uintptr_t expected, const char *name)
{
    CpuReason reason = cpu->ops->resume(cpu, stop);
    if (!test(reason == CPU_RETURNED && stop->result == expected, "%s (P5)", name))
        suite_note("  reason %d, fault %d at 0x%zx, result 0x%zx", stop->reason, stop->fault,
                   (size_t)stop->pc, (size_t)stop->result);
    suite_abandon(stop);
}

void suite_repaired(void)
{
    CpuStop stop;
    unsigned word = suite_machine()->bits / 8;
    uintptr_t data = (uintptr_t)rig->data;
    unmap_data(0, CPU_PAGE);
    memset(rig->data, 0, 4 * word);
    suite_enter(PROGRAM_STORE, data, 35, 0, &stop);
    map_data(0, CPU_PAGE, CPU_READ | CPU_WRITE);
    goes_on(&stop, 42, "a store goes on once the memory is there");
    test(rig->data[0] == 35, "and is done");
    unmap_data(0, CPU_PAGE);
    memcpy(rig->data + word, &(uint64_t){35}, word);
    suite_enter(PROGRAM_LOAD, data, 0, 0, &stop);
    map_data(0, CPU_PAGE, CPU_READ | CPU_WRITE);
    goes_on(&stop, 42, "so does a load");
    suite_enter(PROGRAM_JUMP, nowhere, 0, 0, &stop);
    suite.redirect_to = cpu_rig_entry(rig, PROGRAM_ADD);
    cpu->ops->write_register(cpu, suite_machine()->pc, suite.redirect_to);
    CpuReason reason = cpu->ops->resume(cpu, &stop);
    test(reason == CPU_RETURNED, "a wild jump is led elsewhere (P5)");
    suite_abandon(&stop);
    suite_enter(PROGRAM_ILLEGAL, 0, 0, 0, &stop);
    cpu->ops->write_register(cpu, suite_machine()->pc, suite_instruction(PROGRAM_ILLEGAL, 2));
    reason = cpu->ops->resume(cpu, &stop);
    test(reason == CPU_RETURNED, "an illegal instruction is stepped over (P5)");
    suite_abandon(&stop);
}

/* ---- Requests (P6) ---- */

void suite_requests(void)
{
    CpuStop stop;
    memset(suite.calls, 0, sizeof suite.calls);
    test(suite_enter(PROGRAM_CALL, suite_routine(STOPPING), 20, 21, &stop) == CPU_REQUESTED,
         "a stop is asked for (P6)");
    test(stop.pc > cpu_rig_entry(rig, PROGRAM_CALL) && stop.pc < cpu_rig_entry(rig, PROGRAM_CALL) + 64,
         "behind the call");
    goes_on(&stop, 42, "and resumed");
    test(suite.calls[STOPPING] == 1, "the routine ran once");
    cpu->ops->request_stop(cpu);
    test(suite_enter(PROGRAM_ADD, 40, 2, 0, &stop) == CPU_REQUESTED, "asked for before the start (P6)");
    test(stop.pc == cpu_rig_entry(rig, PROGRAM_ADD), "it stops in front of everything");
    goes_on(&stop, 42, "then goes on");
    for (int first = 0; first < 2; first++) {
        suite.redirect_to = cpu_rig_entry(rig, PROGRAM_LOOP);
        const uintptr_t arguments[CPU_ARGUMENTS] = {(uintptr_t)first, 9, 0, 0};
        CpuReason reason = cpu->ops->call(cpu, suite_routine(STOP_AND_REDIRECT), arguments, &stop);
        test(reason == CPU_REQUESTED && stop.pc == suite.redirect_to,
             "pc written and a stop asked for, %s: neither is lost (P6)",
             first ? "stop first" : "pc first");
        suite_abandon(&stop);
    }
    suite.redirect_to = cpu_rig_entry(rig, PROGRAM_ADD);
    const uintptr_t arguments[CPU_ARGUMENTS] = {40, 2, 0, 0};
    test(cpu->ops->call(cpu, suite_routine(REDIRECTING), arguments, &stop) == CPU_RETURNED,
         "pc written in a leaf routine: it goes on there (P6)");
    suite_abandon(&stop);
    suite_returns(PROGRAM_CALL, suite_routine(LOOKING), 40, 2, 39, "a leaf routine that looks");
    test(suite.seen_pc == suite_routine(LOOKING) && suite.seen_arguments[0] == 40 &&
             suite.seen_arguments[1] == 2, "the pc is its address meanwhile (P3)");
    suite_returns(PROGRAM_CALL, suite_routine(LOOKING_STOPPED), 40, 2, 39, "one that is no leaf");
    test(suite.seen_pc == suite_routine(LOOKING_STOPPED), "the pc is its address meanwhile (P3)");
}

void suite_nested_stops(void)
{
    CpuStop stop;
    suite_returns(PROGRAM_CALL, suite_routine(STOP_WITHIN), 20, 20, 42,
                  "a call inside a routine stops, steps, goes on, and so does the outer one (P7)");
    cpu->ops->set_breakpoint(cpu, suite_instruction(PROGRAM_ADD, 0), true);
    test(suite_enter(PROGRAM_ADD, 1, 2, 0, &stop) == CPU_BREAKPOINT, "a call stops");
    suite_abandon(&stop);
    cpu->ops->set_breakpoint(cpu, suite_instruction(PROGRAM_ADD, 0), false);
    suite_returns(PROGRAM_ADD, 40, 2, 0, 42, "given up, it leaves nothing behind (P5)");
    unsigned stops = 0;
    for (unsigned n = 0; n < 3000; n++) {
        cpu->ops->request_stop(cpu);
        stops += suite_enter(PROGRAM_ADD, 1, 2, 0, &stop) == CPU_REQUESTED;
        suite_abandon(&stop);
    }
    test(stops == 3000, "three thousand of them (P5)");
    suite_returns(PROGRAM_CALL, suite_routine(NESTED), 5, 20, 26, "nor for nested calls (P7)");
}
