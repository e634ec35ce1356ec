/* Bytes of x64 instructions: prefixes, ModRM, SIB, displacements. */
#include "emit.h"

/* The bytes in front of an instruction's displacement or constant: seven at most. */
typedef struct {
    uint64_t bytes;
    unsigned count;
} Head;

static inline void add(Head *h, unsigned byte)
{
    h->bytes |= (uint64_t)byte << 8 * h->count++;
}

static inline void add_rex(Head *h, bool wide, unsigned reg, unsigned index, unsigned base,
                           bool force)
{
    unsigned byte = 0x40 | (unsigned)wide << 3 | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 |
                    (base >> 3 & 1);
    if (byte != 0x40 || force)
        add(h, byte);
}

static inline void add_opcode(Head *h, unsigned opcode)
{
    if (opcode > 0xFF)
        add(h, opcode >> 8);
    add(h, opcode & 0xFF);
}

static inline void add_modrm(Head *h, unsigned mod, unsigned reg, unsigned rm)
{
    add(h, mod << 6 | (reg & 7) << 3 | (rm & 7));
}

/* Byte operations on rsp .. rdi mean other registers without a prefix. */
static inline bool is_byte_operation(unsigned opcode)
{
    return opcode == 0x88 || opcode == 0x8A;
}

static inline void registers(Emit *e, Head h, bool wide, unsigned opcode, unsigned reg,
                             unsigned rm, bool force)
{
    add_rex(&h, wide, reg, 0, rm, force);
    add_opcode(&h, opcode);
    add_modrm(&h, 3, reg, rm);
    emit_bytes(e, h.bytes, h.count);
}

static inline void operand(Emit *e, Head h, unsigned reg, Mem m)
{
    if (m.relative) {
        add_modrm(&h, 0, reg, RBP);
        emit_bytes(e, h.bytes, h.count + 4);
        return;
    }
    unsigned mod = m.disp == 0 && (m.base & 7) != RBP ? 0 : fits_8(m.disp) ? 1 : 2;
    bool sib = m.indexed || (m.base & 7) == RSP;
    add_modrm(&h, mod, reg, sib ? RSP : m.base);
    if (sib)
        add(&h, (m.indexed ? (unsigned)m.shift << 6 | (m.index & 7) << 3 : RSP << 3) |
                    (m.base & 7));
    emit_bytes(e, h.bytes, h.count);
    write_32(e->out + e->at, (uint32_t)m.disp);
    e->at += mod * mod; /* of the displacement's bytes, none, the lowest or all four count */
}

static inline void memory(Emit *e, Head h, bool wide, unsigned opcode, unsigned reg, Mem m,
                          bool force)
{
    add_rex(&h, wide, reg, m.index, m.base, force);
    add_opcode(&h, opcode);
    operand(e, h, reg, m);
}

void emit_rr(Emit *e, bool wide, unsigned opcode, unsigned reg, Reg rm)
{
    registers(e, (Head){0}, wide, opcode, reg, rm, is_byte_operation(opcode));
}

void emit_rm(Emit *e, bool wide, unsigned opcode, unsigned reg, Mem m)
{
    memory(e, (Head){0}, wide, opcode, reg, m, is_byte_operation(opcode));
}

void emit_sse_rr(Emit *e, unsigned prefix, bool wide, unsigned opcode, unsigned reg, unsigned rm)
{
    registers(e, (Head){prefix, 1}, wide, 0x0F00 | opcode, reg, rm, false);
}

void emit_sse_rm(Emit *e, unsigned prefix, unsigned opcode, unsigned reg, Mem m)
{
    memory(e, (Head){prefix, 1}, false, 0x0F00 | opcode, reg, m, false);
}

void emit_mov(Emit *e, Reg to, Reg from)
{
    if (to != from)
        emit_rr(e, true, 0x8B, to, from);
}

/* mov to, value of 32 or 64 bits */
static void move_constant(Emit *e, bool wide, Reg to, uint64_t value)
{
    Head h = {0};
    add_rex(&h, wide, 0, 0, to, false);
    add(&h, 0xB8 | (to & 7));
    emit_bytes(e, h.bytes, h.count);
    emit_bytes(e, value, wide ? 8 : 4);
}

void emit_constant(Emit *e, Reg to, int64_t value)
{
    if (value == 0)
        emit_rr(e, false, 0x33, to, to);
    else if ((uint64_t)value <= UINT32_MAX)
        move_constant(e, false, to, (uint64_t)value);
    else if (fits_32(value)) {
        emit_rr(e, true, 0xC7, 0, to);
        emit_32(e, (uint32_t)value);
    } else
        move_constant(e, true, to, (uint64_t)value);
}

static void one_register(Emit *e, unsigned opcode, Reg reg)
{
    Head h = {0};
    add_rex(&h, false, 0, 0, reg, false);
    add(&h, opcode | (reg & 7));
    emit_bytes(e, h.bytes, h.count);
}

void emit_push(Emit *e, Reg reg)
{
    one_register(e, 0x50, reg);
}

void emit_pop(Emit *e, Reg reg)
{
    one_register(e, 0x58, reg);
}

void emit_alu_constant(Emit *e, unsigned alu, Reg reg, int32_t value)
{
    bool small = fits_8(value);
    emit_rr(e, true, small ? 0x83 : 0x81, alu, reg);
    write_32(e->out + e->at, (uint32_t)value);
    e->at += small ? 1 : 4;
}

void emit_alu(Emit *e, unsigned alu, Reg to, Reg from)
{
    emit_rr(e, true, alu << 3 | 3, to, from);
}
