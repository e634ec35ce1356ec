/* Looking at instructions in the code zone: the ring of the last pcs, the hash over all of
 * them, a budget, breakpoints, and the stop behind a watched write.
 *
 * One hook on the code zone does what is wanted at present: nothing (no hook), the ring
 * alone, or everything. The ring alone needs to hear of blocks only: their instructions are
 * executed one behind the other, and are told apart when somebody asks. Watched writes have
 * hooks of their own, which force every access to memory through a slow path of the engine;
 * so they are there only while something is watched.
 */
#include "sim.h"

#include <string.h>

/* Unaligned stores that begin below what is watched, but reach into it. */
enum { WIDEST_STORE = 32 };

static const uint64_t hash_start = 0xCBF29CE484222325u, hash_factor = 0x100000001B3u;

/* ---- The hooks ---- */

static void at_block(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    Sim *sim = context;
    (void)uc;
    sim->ring[sim->recorded++ & (sim->ring_size - 1)] = (Stretch){(uintptr_t)address, size};
}

static bool is_breakpoint(const Sim *sim, uintptr_t pc)
{
    size_t offset = pc - sim->code_start;
    return sim->breakpoint_count && (sim->breakpoints[offset / 8] >> offset % 8 & 1);
}

static bool condition_holds(Sim *sim, const CpuStop *stop)
{
    return !sim->condition || sim->condition(sim->context, &sim->cpu, stop);
}

/* Is it executed before the jump at `before` leads elsewhere? */
static bool is_delay_slot(Sim *sim, uintptr_t before, uintptr_t pc)
{
    CpuInstruction one;
    return sim->machine->delay_slots && in_code(sim, before) &&
           disassemble_one(&sim->cpu, &sim->machine->face, (const void *)before,
                           sim->code_end - before, before, &one) &&
           one.delay_slot && pc == before + one.size;
}

/* Stops in front of the instruction at `pc` if there is a reason that has not stopped there
 * just now. The engine cannot stop between a jump and its delay slot: it stops behind both. */
static bool stop_before(Sim *sim, uintptr_t pc)
{
    CpuStop stop = {.reason = CPU_BREAKPOINT, .pc = pc};
    if ((sim->budget == 0 || is_breakpoint(sim, pc)) && is_delay_slot(sim, sim->last_pc, pc))
        return false;
    if (is_breakpoint(sim, pc) && pc != sim->passing && condition_holds(sim, &stop)) {
        run_stop_with(sim, &stop);
        return true;
    }
    if (sim->budget == 0) {
        stop.reason = CPU_BUDGET;
        run_stop_with(sim, &stop);
        return true;
    }
    return false;
}

bool look_stop_for_watch(Sim *sim, uintptr_t pc)
{
    sim->watch_hit = false;
    sim->watched.pc = pc;
    if (!condition_holds(sim, &sim->watched))
        return false;
    run_stop_with(sim, &sim->watched);
    return true;
}

static void at_instruction(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    Sim *sim = context;
    uintptr_t pc = (uintptr_t)address;
    (void)uc;
    if (sim->event != EVENT_NONE)
        return; /* the engine is about to stop, and executes the rest of a pair first */
    if ((sim->watch_hit && look_stop_for_watch(sim, pc)) || stop_before(sim, pc))
        return;
    sim->passing = 0;
    if (sim->budget && sim->budget != UINT64_MAX)
        sim->budget--;
    if (sim->tracing)
        sim->hash = (sim->hash ^ (pc - sim->code_start)) * hash_factor;
    if (sim->ring_size)
        sim->ring[sim->recorded++ & (sim->ring_size - 1)] = (Stretch){pc, size};
    sim->looked++;
    sim->last_pc = pc;
}

static Look wanted_look(const Sim *sim)
{
    if (sim->tracing || sim->breakpoint_count || sim->watch_count || sim->budget != UINT64_MAX)
        return LOOK_ALL;
    return sim->ring_size ? LOOK_RING : LOOK_NOT;
}

/* Puts the hook in place that does what is wanted. */
static bool look_again(Sim *sim)
{
    Look wanted = wanted_look(sim);
    if (wanted == sim->look)
        return true;
    if (sim->look != LOOK_NOT)
        uc_hook_del(sim->uc, sim->look_hook);
    sim->look = LOOK_NOT;
    engine_retranslate(sim);
    if (wanted == LOOK_NOT)
        return true;
    bool all = wanted == LOOK_ALL;
    if (!engine_hook(sim, &sim->look_hook, all ? UC_HOOK_CODE : UC_HOOK_BLOCK,
                     all ? (void *)at_instruction : (void *)at_block, sim->code_start,
                     sim->code_end - 1))
        return false;
    sim->look = wanted;
    return true;
}

/* ---- Ring, trace, budget ---- */

bool look_set_ring(Cpu *cpu, unsigned count)
{
    Sim *sim = sim_of(cpu);
    size_t size = count ? 1 : 0;
    while (size < count)
        size *= 2;
    Stretch *ring = size ? sim->host->alloc(sim->host, size * sizeof *ring) : NULL;
    if (size && !ring)
        return false;
    sim->host->free(sim->host, sim->ring, sim->ring_size * sizeof *ring);
    sim->ring = ring;
    sim->ring_size = size;
    sim->ring_wanted = count;
    sim->recorded = 0;
    return look_again(sim);
}

/* The pcs of a stretch, as far as they are below `end`; the last `most` of them, behind one
 * another at the end of `pcs`. Answers how many. */
static unsigned pcs_of(const Sim *sim, const Stretch *stretch, uintptr_t end, uintptr_t *pcs,
                       unsigned most)
{
    uintptr_t last = stretch->start + stretch->size;
    unsigned count = 0;
    CpuInstruction one;
    if (end > stretch->start && end < last)
        last = end;
    for (uintptr_t at = stretch->start; at < last; at += one.size) {
        disassemble_one((Cpu *)&sim->cpu, &sim->machine->face, (const void *)at, last - at, at, &one);
        if (count == most)
            memmove(pcs, pcs + 1, (most - 1) * sizeof *pcs);
        else
            count++;
        pcs[count - 1] = at;
    }
    return count;
}

/* From the newest stretch to older ones; the newest goes up to where the run stopped. */
unsigned look_ring(const Cpu *cpu, uintptr_t *pcs, unsigned most)
{
    const Sim *sim = (const Sim *)cpu;
    uint64_t stretches = sim->recorded < sim->ring_size ? sim->recorded : sim->ring_size;
    unsigned wanted = sim->ring_wanted < most ? sim->ring_wanted : most, have = 0;
    uintptr_t *found = wanted ? sim->host->alloc(sim->host, wanted * sizeof *found) : NULL;
    for (uint64_t i = 1; found && i <= stretches && have < wanted; i++) {
        const Stretch *stretch = &sim->ring[(sim->recorded - i) & (sim->ring_size - 1)];
        unsigned count = pcs_of(sim, stretch, i == 1 ? sim->stopped_before : 0, found, wanted - have);
        memmove(pcs + count, pcs, have * sizeof *pcs);
        memcpy(pcs, found, count * sizeof *pcs);
        have += count;
    }
    sim->host->free(sim->host, found, wanted * sizeof *found);
    return have;
}

uintptr_t look_last_pc(const Sim *sim)
{
    uintptr_t pc;
    if (sim->look != LOOK_RING)
        return sim->last_pc;
    return look_ring(&sim->cpu, &pc, 1) ? pc : 0;
}

uintptr_t look_last_block(const Sim *sim)
{
    return sim->look == LOOK_RING && sim->recorded
               ? sim->ring[(sim->recorded - 1) & (sim->ring_size - 1)].start
               : sim->block;
}

void look_set_trace(Cpu *cpu, bool on)
{
    Sim *sim = sim_of(cpu);
    sim->tracing = on;
    sim->hash = on ? hash_start : 0;
    look_again(sim);
}

uint64_t look_trace_hash(const Cpu *cpu)
{
    return ((const Sim *)cpu)->hash;
}

void look_set_budget(Cpu *cpu, uint64_t instructions)
{
    Sim *sim = sim_of(cpu);
    sim->budget = instructions ? instructions : UINT64_MAX;
    look_again(sim);
}

/* ---- Breakpoints and watchpoints ---- */

static size_t breakpoint_bytes(const Sim *sim)
{
    return (sim->code_end - sim->code_start + 7) / 8;
}

bool look_set_breakpoint(Cpu *cpu, uintptr_t pc, bool on)
{
    Sim *sim = sim_of(cpu);
    unsigned alignment = sim->machine->face.instruction_alignment;
    if (!in_code(sim, pc) || pc % alignment || (on && is_delay_slot(sim, pc - alignment, pc)))
        return false;
    if (!sim->breakpoints)
        sim->breakpoints = sim->host->alloc(sim->host, breakpoint_bytes(sim));
    if (!sim->breakpoints)
        return false;
    size_t offset = pc - sim->code_start;
    uint8_t bit = (uint8_t)(1u << offset % 8);
    bool was = (sim->breakpoints[offset / 8] & bit) != 0;
    if (was == on)
        return true;
    sim->breakpoints[offset / 8] ^= bit;
    sim->breakpoint_count += on ? 1u : -1u;
    return look_again(sim);
}

static void at_write(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value,
                     void *context)
{
    Sim *sim = context;
    (void)uc, (void)type;
    if (sim->watch_hit)
        return;
    for (unsigned i = 0; i < sim->watch_count; i++) {
        const Watch *watch = &sim->watches[i];
        if (address >= watch->end || address + (uint64_t)size <= watch->start)
            continue;
        sim->watch_hit = true;
        sim->watched = (CpuStop){.reason = CPU_WATCHPOINT, .address = (uintptr_t)address,
                                 .writer = sim->last_pc, .value = (uint64_t)value};
        return;
    }
}

static bool add_watch(Sim *sim, uintptr_t start, uintptr_t end)
{
    if (sim->watch_count == WATCHES || start >= end)
        return false;
    Watch *watch = &sim->watches[sim->watch_count];
    *watch = (Watch){.start = start, .end = end};
    if (!engine_hook(sim, &watch->hook, UC_HOOK_MEM_WRITE, (void *)at_write, start - WIDEST_STORE,
                     end - 1))
        return false;
    sim->watch_count++;
    engine_retranslate(sim);
    return look_again(sim);
}

static bool remove_watch(Sim *sim, uintptr_t start, uintptr_t end)
{
    for (unsigned i = 0; i < sim->watch_count; i++)
        if (sim->watches[i].start == start && sim->watches[i].end == end) {
            uc_hook_del(sim->uc, sim->watches[i].hook);
            sim->watches[i] = sim->watches[--sim->watch_count];
            engine_retranslate(sim);
            return look_again(sim);
        }
    return false;
}

bool look_set_watchpoint(Cpu *cpu, uintptr_t start, uintptr_t end, bool on)
{
    return on ? add_watch(sim_of(cpu), start, end) : remove_watch(sim_of(cpu), start, end);
}

void look_take_down(Sim *sim)
{
    sim->host->free(sim->host, sim->ring, sim->ring_size * sizeof *sim->ring);
    if (sim->breakpoints)
        sim->host->free(sim->host, sim->breakpoints, breakpoint_bytes(sim));
    sim->ring = NULL;
    sim->breakpoints = NULL;
    sim->ring_size = 0;
    sim->look = LOOK_NOT;
}
