/* What machine code runs on: the host, a simulated machine, or first one and then the other.
 *
 * Both see the same bytes at the same addresses. What differs are the addresses of C routines,
 * which stubs read from one table of the VM; so a running VM changes its processor by
 * writing that table, at a poll, when no machine code is on the C stack but through jit_run.
 */
#include <stdio.h>

#include "kernel/debug/machine/stop.h"
#include "kernel/jit/jit_int.h"
#include "kernel/vm/region.h"

/* ---- Memory ---- */

static bool map(const Processor *processor, Word start, Word end, unsigned access)
{
    return start >= end || processor->cpu->ops->map(processor->cpu, start, end, access);
}

/* Everything there is at this moment. */
static bool map_all(Vm *vm, const Processor *processor)
{
    enum { DATA = CPU_READ | CPU_WRITE };
    Jit *jit = jit_of(vm);
    const Heap *heap = &vm->heap;
    return map(processor, vm->region->start, jit->start, DATA) &&
           map(processor, jit->start, jit->end, CPU_READ | CPU_EXECUTE) &&
           map(processor, jit->end, jit->stacks_end, DATA) &&
           map(processor, heap->new_start, heap->new_end, DATA) &&
           map(processor, heap->old_start, heap->old_end, DATA);
}

void jit_memory_mapped(Vm *vm, Word start, Word end)
{
    Jit *jit = jit_of(vm);
    for (unsigned i = 0; jit && i < jit->processor_count; i++)
        REQUIRE(map(&jit->processors[i], start, end, CPU_READ | CPU_WRITE),
                "the processor cannot map [0x%" PRIxWORD ", 0x%" PRIxWORD ")", start, end);
}

void jit_memory_unmapped(Vm *vm, Word start, Word end)
{
    Jit *jit = jit_of(vm);
    for (unsigned i = 0; jit && i < jit->processor_count && start < end; i++)
        jit->processors[i].cpu->ops->unmap(jit->processors[i].cpu, start, end);
}

void jit_code_written(Vm *vm, Word start, Word end)
{
    Jit *jit = jit_of(vm);
    for (unsigned i = 0; i < jit->processor_count; i++)
        jit->processors[i].cpu->ops->code_changed(jit->processors[i].cpu, start, end);
}

/* ---- Starting ---- */

static bool start(Vm *vm, Processor *processor, OsvmError *error)
{
    Jit *jit = jit_of(vm);
    CpuSetup setup = {
        .size = sizeof setup,
        .machine = jit->back_end->ops->machine,
        .routines = jit_routines,
        .routine_count = ROUTINE_COUNT,
        .code_start = jit->start,
        .code_end = jit->end,
    };
    if (!processor->cpu->ops->start(processor->cpu, &setup, processor->instance->host, error))
        return false;
    if (!map_all(vm, processor))
        return vm->setup->host->fail(error, OSVM_UNAVAILABLE,
                                     "processor '%s' cannot reach the VM's memory at 0x%" PRIxWORD
                                     "; see --deterministic", osvm_behind_shims(processor->instance)->plugin->name,
                                     vm->region->start);
    if (vm->setup->trace_hash && processor->cpu->ops->simulated)
        processor->cpu->ops->set_trace(processor->cpu, true);
    return true;
}

/* The processor of that name, started; NULL: the selected one. -1 with `error` set. */
static int find_or_start(Vm *vm, const char *name, OsvmError *error)
{
    Jit *jit = jit_of(vm);
    const OsvmHost *host = vm->setup->host;
    for (unsigned i = 0; i < jit->processor_count && name; i++)
        if (strcmp(osvm_behind_shims(jit->processors[i].instance)->plugin->name, name) == 0)
            return (int)i;
    const OsvmInstance *instance =
        host->load(host, OSVM_CPU, name, OSVM_CPU_ABI, sizeof(CpuOps), error);
    if (!instance)
        return -1;
    Processor *processor = &jit->processors[jit->processor_count];
    *processor = (Processor){.instance = instance, .cpu = instance->state, .by_name = name != NULL};
    jit->processor_count++;
    if (start(vm, processor, error))
        return (int)jit->processor_count - 1;
    processor->cpu->ops->stop(processor->cpu);
    jit->processor_count--;
    return -1;
}

static void use(Vm *vm, unsigned index)
{
    Jit *jit = jit_of(vm);
    jit->cpu = jit->wanted = jit->processors[index].cpu;
    jit->stack_alignment = jit->cpu->ops->machine(jit->cpu)->stack_alignment;
    for (unsigned i = 0; i < ROUTINE_COUNT; i++)
        vm->jit.routines[i] = (Word)jit->cpu->ops->routine_address(jit->cpu, i);
}

bool processor_open(Vm *vm, OsvmError *error)
{
    bool moves = vm->setup->sim_from || vm->setup->sim_until;
    int first = find_or_start(vm, NULL, error);
    if (first < 0)
        return false;
    use(vm, (unsigned)first);
    if (!moves)
        return true;
    int simulated = find_or_start(vm, "sim", error);
    int native = simulated < 0 ? -1 : find_or_start(vm, "native", error);
    if (native < 0)
        return false;
    use(vm, (unsigned)(vm->setup->sim_from ? native : simulated));
    return true;
}

/* --trace-hash: the same for two runs that executed the same instructions. */
static void say_trace_hash(const Cpu *cpu)
{
    CpuStatistics statistics;
    cpu->ops->statistics(cpu, &statistics);
    fprintf(stderr, "osvm: trace hash %016" PRIx64 " of %" PRIu64 " instructions\n",
            cpu->ops->trace_hash(cpu), statistics.instructions);
}

void processor_close(Vm *vm)
{
    Jit *jit = jit_of(vm);
    const OsvmHost *host = vm->setup->host;
    while (jit->processor_count > 0) {
        Processor *processor = &jit->processors[--jit->processor_count];
        if (vm->setup->trace_hash && processor->cpu->ops->simulated)
            say_trace_hash(processor->cpu);
        processor->cpu->ops->stop(processor->cpu);
        if (processor->by_name)
            host->unload(host, processor->instance);
    }
    jit->cpu = jit->wanted = NULL;
}

/* ---- Moving from one to the other ---- */

/* Takes effect when machine code is next entered through jit_run: see jit_leaves_for_processor. */
static void want(Vm *vm, const char *name)
{
    OsvmError error;
    int index = find_or_start(vm, name, &error);
    if (index >= 0)
        jit_of(vm)->wanted = jit_of(vm)->processors[index].cpu;
    else
        vm->setup->host->log(vm->setup->host, OSVM_WARNING, "no change of processor: %s",
                             error.message);
}

uint64_t jit_next_move(const Vm *vm)
{
    const CoreSetup *setup = vm->setup;
    if (!vm->jit.state)
        return UINT64_MAX;
    if (vm->torture.deopt)
        return vm->polls + vm->torture.deopt;
    if (setup->sim_from > vm->polls)
        return setup->sim_from;
    return setup->sim_until > vm->polls ? setup->sim_until : UINT64_MAX;
}

void jit_at_poll(Vm *vm, bool toggle)
{
    Jit *jit = jit_of(vm);
    const CoreSetup *setup = vm->setup;
    if (!jit)
        return;
    if (vm->torture.deopt)
        frames_turn(vm);
    if (toggle)
        want(vm, jit->wanted->ops->simulated ? "native" : "sim");
    else if (setup->sim_until && vm->polls >= setup->sim_until && !jit->moved_back) {
        jit->moved_back = true;
        want(vm, "native");
    } else if (setup->sim_from && vm->polls >= setup->sim_from && !jit->moved) {
        jit->moved = true;
        want(vm, "sim");
    }
}

/* ---- Running ---- */

/* Enters machine code at vm->ip. Answers false if the program is to end. */
static bool enter(Vm *vm, Cpu *cpu)
{
    CpuStop stop;
    const uintptr_t arguments[CPU_ARGUMENTS] = {(uintptr_t)vm, 0, 0, 0};
    CpuReason reason = cpu->ops->call(cpu, jit_of(vm)->enter, arguments, &stop);
    while (reason != CPU_RETURNED) {
        if (!machine_stopped(vm, cpu, &stop)) {
            if (stop.fault != CPU_NOT_ENTERED)
                cpu->ops->abandon(cpu);
            return false;
        }
        reason = cpu->ops->resume(cpu, &stop);
    }
    return true;
}

void jit_run(Vm *vm)
{
    Jit *jit = jit_of(vm);
    bool again;
    do {
        if (jit->wanted != jit->cpu)
            for (unsigned i = 0; i < jit->processor_count; i++)
                if (jit->processors[i].cpu == jit->wanted)
                    use(vm, i);
        jit->runs++;
        uint64_t before = poll_points(vm);
        again = enter(vm, jit->cpu) && jit->wanted != jit->cpu && !vm->quitting &&
                !interp_of(vm)->activated && jit_is_pc(vm, vm->ip);
        jit->machine_points += poll_points(vm) - before;
    } while (again);
}
