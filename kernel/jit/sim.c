/* The simulated stack. The entries below `spilled` are in memory, in order, the newest at SP; the
 * others are constants, variables and registers that will be pushed when somebody has to see
 * them. */
#include "kernel/jit/jit_int.h"

static const uint8_t free_registers[] = {JIT_D, JIT_E, JIT_C, JIT_B, JIT_A, JIT_RESULT};

void sim_reset(Unit *u, unsigned depth)
{
    if (depth > SIM_MAX)
        build_refuse(&u->b, "its stack is too deep");
    u->depth = u->spilled = depth > SIM_MAX ? 0 : depth;
    for (unsigned i = 0; i < u->depth; i++)
        u->stack[i] = (SimEntry){.kind = SIM_SPILLED};
    u->known = 0;
}

static void push(Unit *u, SimEntry entry)
{
    if (u->depth == SIM_MAX) {
        build_refuse(&u->b, "its stack is too deep");
        return;
    }
    u->stack[u->depth++] = entry;
}

void sim_push(Unit *u, SimKind kind, SWord value)
{
    push(u, (SimEntry){.kind = (uint8_t)kind, .value = value});
}

void sim_push_register(Unit *u, unsigned reg)
{
    push(u, (SimEntry){.kind = SIM_REGISTER, .reg = (uint8_t)reg});
}

SimEntry sim_top(const Unit *u, unsigned depth)
{
    if (depth >= u->depth)
        return (SimEntry){.kind = SIM_SPILLED};
    return u->stack[u->depth - 1 - depth];
}

SWord sim_temp_offset(const Unit *u, unsigned index)
{
    SWord words = index < u->args ? 1 + (SWord)(u->args - index)
                                  : FRAME_FIRST_TEMP - (SWord)(index - u->args);
    return words * WORD_BYTES;
}

/* ---- What registers know ---- */

unsigned sim_known_first(const Unit *u)
{
    unsigned known = 1u << JIT_RECEIVER;
    for (unsigned i = 0; i < u->args && jit_in_registers(u->args); i++)
        known |= 1u << (JIT_ARGUMENT_0 + i);
    return known;
}

void sim_load_known(Unit *u, unsigned registers)
{
    for (unsigned i = 0; i < JIT_ARGUMENTS; i++)
        if (registers & 1u << (JIT_ARGUMENT_0 + i))
            op_load(&u->b, JIT_ARGUMENT_0 + i, JIT_FP, sim_temp_offset(u, i), WORD_SHIFT);
    if (registers & 1u << JIT_RECEIVER)
        op_load(&u->b, JIT_RECEIVER, JIT_FP, FRAME_RECEIVER * WORD_BYTES, WORD_SHIFT);
    u->known |= registers;
}

void sim_self(Unit *u)
{
    sim_load_known(u, 1u << JIT_RECEIVER & ~u->known);
}

/* The register that knows the entry, JIT_REGISTERS: none does. */
static unsigned known_register(const Unit *u, SimEntry entry)
{
    unsigned reg = entry.kind == SIM_RECEIVER ? JIT_RECEIVER
                   : entry.kind == SIM_TEMP && entry.value < JIT_ARGUMENTS
                       ? JIT_ARGUMENT_0 + (unsigned)entry.value
                       : JIT_REGISTERS;
    return u->known & 1u << reg ? reg : JIT_REGISTERS;
}

/* ---- Moving entries ---- */

static void move(Build *b, unsigned to, unsigned from)
{
    if (to != from)
        op_ab(b, JIT_MOVE, to, from);
}

void sim_load(Unit *u, SimEntry entry, unsigned reg)
{
    Build *b = &u->b;
    unsigned known = known_register(u, entry);
    if (known != JIT_REGISTERS) {
        move(b, reg, known);
        return;
    }
    switch ((SimKind)entry.kind) {
    case SIM_SPILLED: b->failed = true; break;
    case SIM_CONSTANT: op_av(b, JIT_CONSTANT, reg, entry.value); break;
    case SIM_LITERAL: op_av(b, JIT_LITERAL, reg, entry.value); break;
    case SIM_VARIABLE: op_load(b, reg, JIT_VM, entry.value, WORD_SHIFT); break;
    case SIM_TEMP:
        op_load(b, reg, JIT_FP, sim_temp_offset(u, (unsigned)entry.value), WORD_SHIFT);
        break;
    case SIM_RECEIVER:
        sim_self(u);
        move(b, reg, JIT_RECEIVER);
        break;
    case SIM_REGISTER: move(b, reg, entry.reg); break;
    }
}

void sim_push_entry(Unit *u, SimEntry entry)
{
    Build *b = &u->b;
    unsigned known = known_register(u, entry);
    if (known != JIT_REGISTERS) {
        op_ab(b, JIT_PUSH, known, 0);
        return;
    }
    switch ((SimKind)entry.kind) {
    case SIM_SPILLED: b->failed = true; break;
    case SIM_CONSTANT: op_v(b, JIT_PUSH_CONSTANT, entry.value); break;
    case SIM_LITERAL: op_v(b, JIT_PUSH_LITERAL, entry.value); break;
    case SIM_VARIABLE: op_abv(b, JIT_PUSH_LOADED, 0, JIT_VM, entry.value); break;
    case SIM_TEMP:
        op_abv(b, JIT_PUSH_LOADED, 0, JIT_FP, sim_temp_offset(u, (unsigned)entry.value));
        break;
    case SIM_RECEIVER:
        sim_self(u);
        op_ab(b, JIT_PUSH, JIT_RECEIVER, 0);
        break;
    case SIM_REGISTER: op_ab(b, JIT_PUSH, entry.reg, 0); break;
    }
}

void sim_spill(Unit *u, unsigned keep)
{
    while (u->spilled + keep < u->depth) {
        sim_push_entry(u, u->stack[u->spilled]);
        u->stack[u->spilled++].kind = SIM_SPILLED;
    }
}

void sim_drop(Unit *u, unsigned count)
{
    if (count > u->depth) {
        u->b.failed = true;
        return;
    }
    u->depth -= count;
    if (u->spilled > u->depth) {
        op_v(&u->b, JIT_DROP, (SWord)(u->spilled - u->depth));
        u->spilled = u->depth;
    }
}

void sim_forget(Unit *u, unsigned count)
{
    if (count > u->depth)
        u->b.failed = true;
    else
        u->depth = u->spilled = u->depth - count;
}

unsigned sim_registers(const Unit *u)
{
    unsigned used = 0;
    for (unsigned i = u->spilled; i < u->depth; i++)
        if (u->stack[i].kind == SIM_REGISTER)
            used |= 1u << u->stack[i].reg;
    return used;
}

unsigned sim_register(Unit *u, unsigned busy)
{
    for (;;) {
        unsigned used = sim_registers(u) | busy;
        for (unsigned i = 0; i < sizeof free_registers; i++)
            if (!(used & 1u << free_registers[i]))
                return free_registers[i];
        if (u->spilled == u->depth) {
            u->b.failed = true;
            return JIT_D;
        }
        sim_spill(u, u->depth - u->spilled - 1);
    }
}

void sim_pop_to(Unit *u, unsigned reg)
{
    if (!u->depth) {
        u->b.failed = true;
        return;
    }
    SimEntry entry = u->stack[--u->depth];
    if (u->spilled > u->depth) {
        op_ab(&u->b, JIT_POP, reg, 0);
        u->spilled--;
    } else
        sim_load(u, entry, reg);
}

unsigned sim_pop(Unit *u, unsigned busy)
{
    SimEntry entry = sim_top(u, 0);
    if (entry.kind == SIM_REGISTER && !(busy & 1u << entry.reg)) {
        u->depth--;
        return entry.reg;
    }
    unsigned reg = sim_register(u, busy);
    sim_pop_to(u, reg);
    return reg;
}

unsigned sim_operand(Unit *u, unsigned busy)
{
    unsigned known = known_register(u, sim_top(u, 0));
    if (known == JIT_REGISTERS)
        return sim_pop(u, busy);
    u->depth--;
    return known;
}

void sim_top_to_result(Unit *u)
{
    sim_spill(u, 1);
    sim_pop_to(u, JIT_RESULT);
}

/* ---- In the cold section ---- */

void sim_limit(Unit *u, unsigned above, unsigned registers)
{
    unsigned first = above < u->depth ? u->depth - above : 0;
    for (; first > u->spilled; first--) {
        SimEntry entry = u->stack[first - 1];
        if (entry.kind == SIM_TEMP || (entry.kind == SIM_REGISTER && registers-- == 0))
            break;
    }
    sim_spill(u, u->depth - first);
}

void sim_save(Unit *u, const SimKept *kept)
{
    u->known = kept->known;
    for (unsigned i = kept->spilled; i < kept->depth; i++)
        sim_push_entry(u, u->stack[i]);
}

void sim_restore(Unit *u, const SimKept *kept)
{
    SWord drop = 0;
    for (unsigned i = kept->depth; i-- > kept->spilled;) {
        if (u->stack[i].kind != SIM_REGISTER) {
            drop++;
            continue;
        }
        if (drop)
            op_v(&u->b, JIT_DROP, drop);
        drop = 0;
        op_ab(&u->b, JIT_POP, u->stack[i].reg, 0);
    }
    if (drop)
        op_v(&u->b, JIT_DROP, drop);
    sim_load_known(u, kept->known);
    u->known = kept->known;
}
