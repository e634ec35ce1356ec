/* Bytes of x64 instructions: prefixes, ModRM, SIB, displacements. */
#include "emit.h"

void emit_64(Emit *e, uint64_t value)
{
    emit_32(e, (uint32_t)value);
    emit_32(e, (uint32_t)(value >> 32));
}

static void rex(Emit *e, bool wide, unsigned reg, unsigned index, unsigned base, bool force)
{
    unsigned byte = 0x40 | (unsigned)wide << 3 | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 |
                    (base >> 3 & 1);
    if (byte != 0x40 || force)
        emit_byte(e, byte);
}

static void opcode_bytes(Emit *e, unsigned opcode)
{
    if (opcode > 0xFF)
        emit_byte(e, opcode >> 8);
    emit_byte(e, opcode & 0xFF);
}

static void modrm(Emit *e, unsigned mod, unsigned reg, unsigned rm)
{
    emit_byte(e, mod << 6 | (reg & 7) << 3 | (rm & 7));
}

/* Byte operations on rsp .. rdi mean other registers without a prefix. */
static bool is_byte_operation(unsigned opcode)
{
    return opcode == 0x88 || opcode == 0x8A;
}

void emit_rr(Emit *e, bool wide, unsigned opcode, unsigned reg, Reg rm)
{
    rex(e, wide, reg, 0, rm, is_byte_operation(opcode));
    opcode_bytes(e, opcode);
    modrm(e, 3, reg, rm);
}

static void operand(Emit *e, unsigned reg, Mem m, unsigned immediate)
{
    if (m.relative) {
        modrm(e, 0, reg, RBP);
        emit_32(e, (uint32_t)(m.disp - (int32_t)(e->at + 4 + immediate)));
        return;
    }
    unsigned mod = m.disp == 0 && (m.base & 7) != RBP ? 0 : fits_8(m.disp) ? 1 : 2;
    bool sib = m.indexed || (m.base & 7) == RSP;
    modrm(e, mod, reg, sib ? RSP : m.base);
    if (sib)
        emit_byte(e, (m.indexed ? (unsigned)m.shift << 6 | (m.index & 7) << 3 : RSP << 3) |
                         (m.base & 7));
    if (mod == 1)
        emit_byte(e, (uint8_t)m.disp);
    else if (mod == 2)
        emit_32(e, (uint32_t)m.disp);
}

static void rex_for(Emit *e, bool wide, unsigned reg, Mem m, bool force)
{
    rex(e, wide, reg, m.indexed ? m.index : 0, m.relative ? 0 : m.base, force);
}

void emit_rm(Emit *e, bool wide, unsigned opcode, unsigned reg, Mem m, unsigned immediate)
{
    rex_for(e, wide, reg, m, is_byte_operation(opcode));
    opcode_bytes(e, opcode);
    operand(e, reg, m, immediate);
}

void emit_sse_rr(Emit *e, unsigned prefix, bool wide, unsigned opcode, unsigned reg, unsigned rm)
{
    emit_byte(e, prefix);
    rex(e, wide, reg, 0, rm, false);
    opcode_bytes(e, 0x0F00 | opcode);
    modrm(e, 3, reg, rm);
}

void emit_sse_rm(Emit *e, unsigned prefix, unsigned opcode, unsigned reg, Mem m)
{
    emit_byte(e, prefix);
    rex_for(e, false, reg, m, false);
    opcode_bytes(e, 0x0F00 | opcode);
    operand(e, reg, m, 0);
}

void emit_mov(Emit *e, Reg to, Reg from)
{
    if (to != from)
        emit_rr(e, true, 0x8B, to, from);
}

void emit_constant(Emit *e, Reg to, int64_t value)
{
    if (value == 0)
        emit_rr(e, false, 0x33, to, to);
    else if ((uint64_t)value <= UINT32_MAX) {
        rex(e, false, 0, 0, to, false);
        emit_byte(e, 0xB8 | (to & 7));
        emit_32(e, (uint32_t)value);
    } else if (fits_32(value)) {
        emit_rr(e, true, 0xC7, 0, to);
        emit_32(e, (uint32_t)value);
    } else {
        rex(e, true, 0, 0, to, false);
        emit_byte(e, 0xB8 | (to & 7));
        emit_64(e, (uint64_t)value);
    }
}

void emit_push(Emit *e, Reg reg)
{
    rex(e, false, 0, 0, reg, false);
    emit_byte(e, 0x50 | (reg & 7));
}

void emit_pop(Emit *e, Reg reg)
{
    rex(e, false, 0, 0, reg, false);
    emit_byte(e, 0x58 | (reg & 7));
}

void emit_alu_constant(Emit *e, unsigned alu, Reg reg, int32_t value)
{
    if (fits_8(value)) {
        emit_rr(e, true, 0x83, alu, reg);
        emit_byte(e, (uint8_t)value);
    } else {
        emit_rr(e, true, 0x81, alu, reg);
        emit_32(e, (uint32_t)value);
    }
}

void emit_alu(Emit *e, unsigned alu, Reg to, Reg from)
{
    emit_rr(e, true, alu << 3 | 3, to, from);
}
