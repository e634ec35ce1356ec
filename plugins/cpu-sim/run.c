/* Entering machine code, the routines it calls, and why it stops.
 *
 * A routine's address is a stub: a return instruction in memory that can be
 * executed and nothing else. The hook on the stubs runs leaf routines in place;
 * the stub then returns. For others it stops the engine, and the loop below calls
 * the routine, does what the stub's return would have done, and goes on.
 */
#include "sim.h"

#include <string.h>
#include <sys/mman.h>

void run_stop_with(Sim *sim, const CpuStop *stop)
{
    if (sim->event != EVENT_STOP) {
        sim->event = EVENT_STOP;
        sim->pending = *stop;
    }
    uc_emu_stop(sim->uc);
}

void run_request_stop(Cpu *cpu)
{
    Sim *sim = sim_of(cpu);
    sim->stop_requested = true;
    if (sim->running)
        uc_emu_stop(sim->uc);
}

/* ---- Routines ---- */

uintptr_t run_routine_address(const Cpu *cpu, unsigned index)
{
    CHECK(index < ((const Sim *)cpu)->routine_count, "routine %u of %u", index,
          ((const Sim *)cpu)->routine_count);
    (void)cpu;
    return STUB_BASE + (uintptr_t)index * STUB_BYTES;
}

static void call_routine(Sim *sim, unsigned index)
{
    const Machine *machine = sim->machine;
    const CpuRoutine *routine = &sim->routines[index];
    uintptr_t argument[CPU_ARGUMENTS] = {0};
    for (unsigned i = 0; i < routine->arguments; i++)
        argument[i] = (uintptr_t)register_get(sim, machine->arguments[i]);
    uintptr_t result = routine->function(argument[0], argument[1], argument[2], argument[3]);
    register_set(sim, machine->result, result);
}

/* What the stub's instruction does. */
static void return_from_routine(Sim *sim)
{
    const CpuMachine *face = &sim->machine->face;
    if (face->link >= 0) {
        register_set(sim, face->pc, register_get(sim, (unsigned)face->link));
        return;
    }
    uintptr_t sp = (uintptr_t)register_get(sim, face->sp);
    uint64_t target;
    memcpy(&target, (void *)sp, sizeof target); /* the call has just written it there */
    register_set(sim, face->sp, sp + sizeof target);
    register_set(sim, face->pc, target);
}

/* The stack pointer where a routine is called: what the calling convention wants it to be. */
static bool stack_is_aligned(const Sim *sim)
{
    const CpuMachine *face = &sim->machine->face;
    uintptr_t sp = (uintptr_t)register_get(sim, face->sp) + (face->link < 0 ? face->bits / 8 : 0);
    return sp % face->stack_alignment == 0;
}

static CpuStop stub_fault(const Sim *sim, CpuFault fault, uintptr_t address)
{
    CpuStop stop = {.reason = CPU_FAULT, .fault = fault, .pc = address, .address = address,
                    .writer = look_last_pc(sim)};
    if (fault == CPU_BAD_STACK) {
        stop.address = (uintptr_t)register_get(sim, sim->machine->face.sp);
        snprintf(stop.detail, sizeof stop.detail, "in a call of %s",
                 sim->routines[(address - STUB_BASE) / STUB_BYTES].name);
    }
    return stop;
}

/* Is it the instruction behind the return of a stub, which some machines execute first? */
static bool is_delay_slot(Sim *sim, uintptr_t address)
{
    return sim->machine->delay_slots && address == sim->last_stub + 4;
}

static void run_leaf(Sim *sim, unsigned index)
{
    sim->counts.leaf_calls++;
    call_routine(sim, index);
    /* The engine stops in front of the stub's return: the loop has to return. */
    if (sim->stop_requested)
        sim->event = EVENT_ROUTINE;
}

static void at_stub(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    Sim *sim = context;
    (void)size;
    if (is_delay_slot(sim, (uintptr_t)address))
        return;
    sim->last_stub = (uintptr_t)address;
    if (sim->watch_hit && look_stop_for_watch(sim, (uintptr_t)address))
        return;
    unsigned index = (unsigned)((address - STUB_BASE) / STUB_BYTES);
    if (address == sim->return_stub) {
        run_stop_with(sim, &(CpuStop){.reason = CPU_RETURNED});
    } else if ((address - STUB_BASE) % STUB_BYTES || index >= sim->routine_count) {
        CpuStop stop = stub_fault(sim, CPU_WILD_JUMP, (uintptr_t)address);
        run_stop_with(sim, &stop);
    } else if (!stack_is_aligned(sim)) {
        CpuStop stop = stub_fault(sim, CPU_BAD_STACK, (uintptr_t)address);
        run_stop_with(sim, &stop);
    } else if (sim->routines[index].leaf) {
        sim->routine = index;
        run_leaf(sim, index);
    } else {
        sim->routine = index;
        sim->event = EVENT_ROUTINE;
        uc_emu_stop(uc);
    }
}

bool run_set_up(Sim *sim, OsvmError *error)
{
    const Machine *machine = sim->machine;
    size_t slots = sim->routine_count + 1;
    sim->stub_bytes = (slots * STUB_BYTES + GUEST_PAGE - 1) / GUEST_PAGE * GUEST_PAGE;
    if (sim->stub_bytes > STUB_LIMIT - STUB_BASE)
        return sim->host->fail(error, OSVM_INTERNAL, "%u routines are more than the simulated "
                               "processor has addresses for", sim->routine_count);
    sim->return_stub = STUB_BASE + (uintptr_t)sim->routine_count * STUB_BYTES;
    sim->stub_end = STUB_BASE + sim->stub_bytes;
    void *stubs =
        mmap(NULL, sim->stub_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stubs == MAP_FAILED)
        return sim->host->fail(error, OSVM_INTERNAL, "no memory for %u routines",
                               sim->routine_count);
    sim->stubs = stubs;
    for (size_t at = 0; at < sim->stub_bytes; at += STUB_BYTES)
        memcpy((char *)stubs + at, machine->stub, machine->stub_bytes);
    if (!engine_map_stubs(sim) ||
        !engine_hook(sim, &sim->stub_hook, UC_HOOK_CODE, at_stub, STUB_BASE, sim->stub_end - 1))
        return sim->host->fail(error, OSVM_INTERNAL, "the routines' addresses cannot be mapped");
    return true;
}

void run_take_down(Sim *sim)
{
    if (sim->stubs)
        munmap(sim->stubs, sim->stub_bytes);
    sim->stubs = NULL;
}

/* ---- The loop ---- */

/* The engine wants an address to stop at: one that no jump means. */
enum { NOWHERE = STUB_BASE - 4 };

static uc_err start_engine(Sim *sim)
{
    sim->event = EVENT_NONE;
    sim->stopped_before = 0;
    sim->redirected = false;
    sim->last_stub = 0;
    library_run(sim);
    sim->running = true;
    uc_err err = uc_emu_start(sim->uc, register_get(sim, sim->machine->face.pc), NOWHERE, 0, 0);
    sim->running = false;
    library_run(NULL);
    return err;
}

/* The engine's pc was to change; nothing else is pending in that case but a stop. */
static void apply_redirect(Sim *sim)
{
    if (!sim->redirected)
        return;
    register_set(sim, sim->machine->face.pc, sim->redirect);
    sim->redirected = false;
    sim->event = sim->event == EVENT_ROUTINE ? EVENT_NONE : sim->event;
}

static void finish_routine(Sim *sim)
{
    bool leaf = sim->routines[sim->routine].leaf;
    if (!leaf) {
        sim->counts.stopping_calls++;
        uint64_t pc = register_get(sim, sim->machine->face.pc);
        call_routine(sim, sim->routine);
        if (register_get(sim, sim->machine->face.pc) != pc)
            return; /* it wrote the pc */
    }
    return_from_routine(sim);
}

static bool stops_on_request(Sim *sim, CpuStop *stop)
{
    if (!sim->stop_requested)
        return false;
    sim->stop_requested = false;
    *stop = (CpuStop){.reason = CPU_REQUESTED,
                      .pc = (uintptr_t)register_get(sim, sim->machine->face.pc)};
    return true;
}

/* Whether the run is over; then *stop says why. */
static bool stops(Sim *sim, uc_err err, CpuStop *stop)
{
    if (sim->event == EVENT_STOP && sim->pending.reason != CPU_FAULT) {
        *stop = sim->pending;
        return true;
    }
    if (err || sim->event == EVENT_STOP ||
        (sim->event == EVENT_NONE && !sim->redirected && !sim->stop_requested)) {
        fault_describe(sim, err, stop);
        return true;
    }
    apply_redirect(sim);
    if (sim->event == EVENT_ROUTINE)
        finish_routine(sim);
    return stops_on_request(sim, stop);
}

static void leave_activation(Sim *sim)
{
    Activation *activation = sim->activation;
    const CpuMachine *face = &sim->machine->face;
    sim->activation = activation->outer;
    sim->depth--;
    for (unsigned i = 0; i < face->general; i++)
        register_set(sim, i, activation->registers[i]);
    register_set(sim, face->pc, activation->pc);
    sim->host->free(sim->host, activation, sizeof *activation);
}

static CpuReason run(Sim *sim, CpuStop *stop)
{
    *stop = (CpuStop){0};
    bool over = stops_on_request(sim, stop); /* asked for before it began */
    while (!over)
        over = stops(sim, start_engine(sim), stop);
    sim->passing = stop->pc;
    if (stop->reason == CPU_FAULT) /* the engine may be no nearer than the block it is in */
        register_set(sim, sim->machine->face.pc, stop->pc);
    if (stop->reason == CPU_FAULT && in_code(sim, stop->pc)) /* it was begun */
        sim->stopped_before = stop->pc + 1;
    if (stop->reason == CPU_RETURNED) {
        stop->result = (uintptr_t)register_get(sim, sim->machine->result);
        leave_activation(sim);
    }
    return stop->reason;
}

/* ---- Entering ---- */

/* Activations within one another; each needs some of the host's stack as well. */
enum { DEEPEST = 1024 };

static bool enter_activation(Sim *sim)
{
    const CpuMachine *face = &sim->machine->face;
    Activation *activation = sim->host->alloc(sim->host, sizeof *activation);
    if (!activation)
        return false;
    for (unsigned i = 0; i < face->general; i++)
        activation->registers[i] = register_get(sim, i);
    activation->pc = register_get(sim, face->pc);
    activation->outer = sim->activation;
    sim->activation = activation;
    sim->depth++;
    return true;
}

/* The C stack below what lies on it; machine code that runs on a stack of its own has left the
 * address of its C stack to the trampoline that called us, so sp is on the C stack here. */
static uintptr_t c_stack_pointer(const Sim *sim)
{
    const Machine *machine = sim->machine;
    uintptr_t sp = (uintptr_t)register_get(sim, machine->face.sp);
    uintptr_t start = (uintptr_t)sim->c_stack, end = start + C_STACK_BYTES;
    if (sp <= start + GUEST_PAGE || sp > end)
        return 0;
    return (sp - machine->home_bytes) & ~(uintptr_t)(machine->face.stack_alignment - 1);
}

static void set_up_call(Sim *sim, uintptr_t sp, uintptr_t entry, const uintptr_t *arguments)
{
    const Machine *machine = sim->machine;
    const CpuMachine *face = &machine->face;
    for (unsigned i = 0; i < CPU_ARGUMENTS; i++)
        register_set(sim, machine->arguments[i], arguments[i]);
    if (face->link >= 0) {
        register_set(sim, (unsigned)face->link, sim->return_stub);
    } else {
        uint64_t address = sim->return_stub;
        sp -= sizeof address;
        memcpy((void *)sp, &address, sizeof address);
    }
    if (machine->target >= 0)
        register_set(sim, (unsigned)machine->target, entry);
    register_set(sim, face->sp, sp);
    register_set(sim, face->pc, entry);
}

static CpuReason refuse_call(CpuStop *stop, const char *why)
{
    *stop = (CpuStop){.reason = CPU_FAULT, .fault = CPU_NOT_ENTERED};
    snprintf(stop->detail, sizeof stop->detail, "%s", why);
    return CPU_FAULT;
}

CpuReason run_call(Cpu *cpu, uintptr_t entry, const uintptr_t arguments[CPU_ARGUMENTS],
                   CpuStop *stop)
{
    Sim *sim = sim_of(cpu);
    REQUIRE(!sim->running, "machine code is entered from a leaf routine, %s (P3)",
            sim->routines[sim->routine].name);
    uintptr_t sp = c_stack_pointer(sim);
    if (!sp)
        return refuse_call(stop, "a call was made off the C stack, or it is full");
    if (sim->depth == DEEPEST)
        return refuse_call(stop, "calls are nested too deep");
    if (!enter_activation(sim))
        return refuse_call(stop, "the host has no memory left");
    sim->counts.entries++;
    set_up_call(sim, sp, entry, arguments);
    sim->passing = 0;
    return run(sim, stop);
}

CpuReason run_resume(Cpu *cpu, CpuStop *stop)
{
    REQUIRE(sim_of(cpu)->activation, "resume with nothing to go on with (P5)");
    return run(sim_of(cpu), stop);
}

void run_abandon(Cpu *cpu)
{
    Sim *sim = sim_of(cpu);
    REQUIRE(sim->activation, "abandon with nothing to give up (P5)");
    leave_activation(sim);
}
