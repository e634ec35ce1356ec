/* Writing x64 instructions into a buffer. */
#ifndef OSVM_JIT_X64_EMIT_H
#define OSVM_JIT_X64_EMIT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15
} Reg;

/* The condition codes of jcc. */
typedef enum {
    CC_O = 0, CC_NO = 1, CC_B = 2, CC_AE = 3, CC_E = 4, CC_NE = 5, CC_BE = 6, CC_A = 7,
    CC_S = 8, CC_NS = 9, CC_P = 10, CC_NP = 11, CC_L = 12, CC_GE = 13, CC_LE = 14, CC_G = 15
} Cc;

/* Whoever begins an instruction has seen to it that there is room for EMIT_MOST bytes. Fields of
 * less than four bytes are written as four or eight, what follows writes over the rest. */
typedef struct {
    uint8_t *out;
    uint32_t at;
} Emit;

enum { EMIT_MOST = 24 };

/* A memory operand: base + (index << shift) + disp; or `relative` to the pc, with a distance that is
 * not known yet. */
typedef struct {
    Reg base, index;
    int32_t disp;
    uint8_t shift;
    bool indexed, relative;
} Mem;

static inline Mem mem(Reg base, int32_t disp)
{
    return (Mem){.base = base, .disp = disp};
}

static inline Mem mem_indexed(Reg base, Reg index, unsigned shift, int32_t disp)
{
    return (Mem){.base = base, .index = index, .disp = disp, .shift = (uint8_t)shift,
                 .indexed = true};
}

static inline Mem mem_relative(void)
{
    return (Mem){.relative = true};
}

/* Little-endian, whatever the host is. */
static inline void write_32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
    out[2] = (uint8_t)(value >> 16);
    out[3] = (uint8_t)(value >> 24);
}

/* `bytes`, the first lowest; `count` of them belong to the instruction. */
static inline void emit_bytes(Emit *e, uint64_t bytes, unsigned count)
{
    uint8_t *out = e->out + e->at;
    e->at += count;
    write_32(out, (uint32_t)bytes);
    write_32(out + 4, (uint32_t)(bytes >> 32));
}

static inline void emit_byte(Emit *e, unsigned byte)
{
    e->out[e->at++] = (uint8_t)byte;
}

static inline void emit_32(Emit *e, uint32_t value)
{
    write_32(e->out + e->at, value);
    e->at += 4;
}

static inline bool fits_8(int64_t value)
{
    return value == (int8_t)value;
}

static inline bool fits_32(int64_t value)
{
    return value == (int32_t)value;
}

/* Opcodes: one byte, or 0x0Fxx for two. `wide`: 64-bit operands. */
void emit_rr(Emit *e, bool wide, unsigned opcode, unsigned reg, Reg rm);
void emit_rm(Emit *e, bool wide, unsigned opcode, unsigned reg, Mem m);
/* With a mandatory prefix (SSE). */
void emit_sse_rr(Emit *e, unsigned prefix, bool wide, unsigned opcode, unsigned reg, unsigned rm);
void emit_sse_rm(Emit *e, unsigned prefix, unsigned opcode, unsigned reg, Mem m);

void emit_mov(Emit *e, Reg to, Reg from);
void emit_constant(Emit *e, Reg to, int64_t value);
void emit_push(Emit *e, Reg reg);
void emit_pop(Emit *e, Reg reg);
/* add, or, and, sub, xor, cmp by their number /0 .. /7 with a constant of 32 bits */
enum { ALU_ADD = 0, ALU_OR = 1, ALU_AND = 4, ALU_SUB = 5, ALU_XOR = 6, ALU_CMP = 7 };
void emit_alu_constant(Emit *e, unsigned alu, Reg reg, int32_t value);
void emit_alu(Emit *e, unsigned alu, Reg to, Reg from);

#endif
