/* Abstract instructions into x64 instructions.
 *
 * Every instruction is written once, with long branches that go nowhere yet. Then those that stay
 * in reach are made short (distances only shrink), bytes move together, and branches and pool
 * references, whose places are known from the instruction, get their distances. The choice is
 * kept in the instruction's `size`, which branches do not use.
 */
#include <string.h>

#include "x64.h"

enum { SHORT = 1, LONGEST = 32, LONG_JUMP = 5, LONG_BRANCH = 6, SHORT_BRANCH = 2 };

typedef struct {
    Emit e;
    const JitCode *code;
    uint32_t *labels; /* offsets */
} Select;

static Reg machine(unsigned reg)
{
    return (Reg)x64_registers[reg];
}

/* A word of the pool, which ends where the code begins. */
static Mem pool(const Select *s, SWord index)
{
    return mem_relative((int32_t)(((SWord)index - (SWord)s->code->pool_words) * WORD_BYTES));
}

static Mem operand_of(const JitInstruction *i)
{
    return mem(machine(i->b), (int32_t)i->value);
}

static Mem indexed(const JitInstruction *i)
{
    return mem_indexed(machine(i->b), machine(i->c), i->size, (int32_t)i->value);
}

/* ---- Branches ---- */

static void jump(Select *s)
{
    emit_byte(&s->e, 0xE9);
    emit_32(&s->e, 0);
}

static void branch(Select *s, Cc cc)
{
    emit_byte(&s->e, 0x0F);
    emit_byte(&s->e, 0x80 | cc);
    emit_32(&s->e, 0);
}

static Cc condition_code(unsigned condition)
{
    static const uint8_t codes[] = {
        [JIT_EQUAL] = CC_E, [JIT_NOT_EQUAL] = CC_NE, [JIT_LESS] = CC_L, [JIT_LESS_EQUAL] = CC_LE,
        [JIT_GREATER] = CC_G, [JIT_GREATER_EQUAL] = CC_GE, [JIT_BELOW] = CC_B,
        [JIT_BELOW_EQUAL] = CC_BE, [JIT_ABOVE] = CC_A, [JIT_ABOVE_EQUAL] = CC_AE};
    return (Cc)codes[condition];
}

static void compare_constant(Select *s, Reg reg, int64_t value)
{
    if (value == 0)
        emit_rr(&s->e, true, 0x85, reg, reg);
    else if (fits_32(value))
        emit_alu_constant(&s->e, ALU_CMP, reg, (int32_t)value);
    else {
        emit_constant(&s->e, SCRATCH, value);
        emit_alu(&s->e, ALU_CMP, reg, SCRATCH);
    }
}

static void test_bits(Select *s, Reg reg, int64_t mask)
{
    Emit *e = &s->e;
    if ((uint64_t)mask <= 0xFF && reg <= RBX) {
        emit_byte(e, 0xF6);
        emit_byte(e, 0xC0 | reg);
        emit_byte(e, (uint8_t)mask);
    } else if ((uint64_t)mask <= INT32_MAX) {
        emit_rr(e, false, 0xF7, 0, reg);
        emit_32(e, (uint32_t)mask);
    } else {
        emit_constant(e, SCRATCH, mask);
        emit_rr(e, true, 0x85, SCRATCH, reg);
    }
}

static void compare_loaded_constant(Select *s, Mem m, int32_t value)
{
    unsigned bytes = fits_8(value) ? 1 : 4;
    emit_rm(&s->e, true, bytes == 1 ? 0x83 : 0x81, ALU_CMP, m, bytes);
    if (bytes == 1)
        emit_byte(&s->e, (uint8_t)value);
    else
        emit_32(&s->e, (uint32_t)value);
}

static void count_down(Select *s, JitInstruction *i)
{
    emit_rm(&s->e, true, 0x83, ALU_SUB, operand_of(i), 1);
    emit_byte(&s->e, 1);
    branch(s, CC_S);
}

/* ucomisd sets carry for less, zero for equal, and both with parity for unordered: less is asked
 * the other way round, so that NaN fails. */
static void float_branch(Select *s, JitInstruction *i)
{
    Emit *e = &s->e;
    bool swapped = i->condition == JIT_LESS || i->condition == JIT_LESS_EQUAL;
    unsigned a = swapped ? i->b : i->a, b = swapped ? i->a : i->b;
    emit_sse_rr(e, 0x66, false, 0x2E, a, b);
    switch (i->condition) {
    case JIT_LESS:
    case JIT_GREATER: branch(s, CC_A); break;
    case JIT_LESS_EQUAL:
    case JIT_GREATER_EQUAL: branch(s, CC_AE); break;
    case JIT_NOT_EQUAL: /* for parity, too */
        branch(s, CC_P);
        branch(s, CC_NE);
        break;
    default: /* equal: not if parity */
        emit_byte(e, 0x70 | CC_P);
        emit_byte(e, LONG_BRANCH);
        branch(s, CC_E);
        break;
    }
}

/* ---- Moving ---- */

static void load(Select *s, Reg to, Mem m, unsigned size)
{
    static const uint16_t opcodes[] = {0x0FB6, 0x0FB7, 0x8B, 0x8B};
    emit_rm(&s->e, size == 3, opcodes[size], to, m, 0);
}

static void store(Select *s, Reg from, Mem m, unsigned size)
{
    if (size == 1)
        emit_byte(&s->e, 0x66);
    emit_rm(&s->e, size == 3, size == 0 ? 0x88 : 0x89, from, m, 0);
}

static void push_constant(Select *s, int64_t value)
{
    Emit *e = &s->e;
    if (fits_8(value)) {
        emit_byte(e, 0x6A);
        emit_byte(e, (uint8_t)value);
    } else if (fits_32(value)) {
        emit_byte(e, 0x68);
        emit_32(e, (uint32_t)value);
    } else {
        emit_constant(e, SCRATCH, value);
        emit_push(e, SCRATCH);
    }
}

static void lea(Select *s, Reg to, Reg base, int32_t offset)
{
    emit_rm(&s->e, true, 0x8D, to, mem(base, offset), 0);
}

/* ---- Arithmetic ---- */

static void alu_constant(Select *s, unsigned alu, Reg reg, int64_t value)
{
    if (fits_32(value))
        emit_alu_constant(&s->e, alu, reg, (int32_t)value);
    else if (alu == ALU_AND && (uint64_t)value <= UINT32_MAX) {
        emit_rr(&s->e, false, 0x81, alu, reg);
        emit_32(&s->e, (uint32_t)value);
    } else {
        emit_constant(&s->e, SCRATCH, value);
        emit_alu(&s->e, alu, reg, SCRATCH);
    }
}

enum { SHIFT_ROR = 1, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };

static void shift_constant(Select *s, unsigned shift, Reg reg, SWord by)
{
    emit_rr(&s->e, true, 0xC1, shift, reg);
    emit_byte(&s->e, (unsigned)by & 63);
}

/* The machine takes the distance in cl only. */
static void shift(Select *s, unsigned kind, Reg reg, Reg by)
{
    Emit *e = &s->e;
    if (by == RCX && reg != RCX) {
        emit_rr(e, true, 0xD3, kind, reg);
        return;
    }
    emit_mov(e, SCRATCH, RCX);
    emit_mov(e, RCX, by);
    emit_rr(e, true, 0xD3, kind, reg == RCX ? SCRATCH : reg);
    emit_mov(e, RCX, SCRATCH);
}

static void return_from(Select *s, SWord words)
{
    if (words == 0)
        emit_byte(&s->e, 0xC3);
    else {
        emit_byte(&s->e, 0xC2);
        emit_byte(&s->e, (unsigned)(words * WORD_BYTES) & 0xFF);
        emit_byte(&s->e, (unsigned)(words * WORD_BYTES) >> 8 & 0xFF);
    }
}

/* ---- One instruction ---- */

static bool select_one(Select *s, JitInstruction *i)
{
    Emit *e = &s->e;
    Reg a = machine(i->a < JIT_REGISTERS ? i->a : 0), b = machine(i->b < JIT_REGISTERS ? i->b : 0);
    switch ((JitOperation)i->operation) {
    case JIT_LABEL: s->labels[i->label] = e->at; break;
    case JIT_MOVE: emit_mov(e, a, b); break;
    case JIT_CONSTANT: emit_constant(e, a, (int64_t)i->value); break;
    case JIT_LITERAL: load(s, a, pool(s, i->value), 3); break;
    case JIT_LOAD: load(s, a, operand_of(i), i->size); break;
    case JIT_LOAD_INDEXED: load(s, a, indexed(i), i->size); break;
    case JIT_STORE: store(s, a, operand_of(i), i->size); break;
    case JIT_STORE_INDEXED: store(s, a, indexed(i), i->size); break;
    case JIT_STORE_CONSTANT:
        emit_rm(e, true, 0xC7, 0, operand_of(i), 4);
        emit_32(e, (uint32_t)i->extra);
        break;
    case JIT_PUSH: emit_push(e, a); break;
    case JIT_PUSH_CONSTANT: push_constant(s, (int64_t)i->value); break;
    case JIT_PUSH_LITERAL: emit_rm(e, false, 0xFF, 6, pool(s, i->value), 0); break;
    case JIT_PUSH_LOADED: emit_rm(e, false, 0xFF, 6, operand_of(i), 0); break;
    case JIT_POP: emit_pop(e, a); break;
    case JIT_DROP: lea(s, RSP, RSP, (int32_t)(i->value * WORD_BYTES)); break;
    case JIT_ADD: emit_alu(e, ALU_ADD, a, b); break;
    case JIT_SUBTRACT: emit_alu(e, ALU_SUB, a, b); break;
    case JIT_MULTIPLY: emit_rr(e, true, 0x0FAF, a, b); break;
    case JIT_AND: emit_alu(e, ALU_AND, a, b); break;
    case JIT_OR: emit_alu(e, ALU_OR, a, b); break;
    case JIT_XOR: emit_alu(e, ALU_XOR, a, b); break;
    case JIT_SHIFT_LEFT: shift(s, SHIFT_SHL, a, b); break;
    case JIT_SHIFT_RIGHT: shift(s, SHIFT_SAR, a, b); break;
    case JIT_SHIFT_RIGHT_UNSIGNED: shift(s, SHIFT_SHR, a, b); break;
    case JIT_ADD_CONSTANT: alu_constant(s, ALU_ADD, a, (int64_t)i->value); break;
    case JIT_AND_CONSTANT: alu_constant(s, ALU_AND, a, (int64_t)i->value); break;
    case JIT_OR_CONSTANT: alu_constant(s, ALU_OR, a, (int64_t)i->value); break;
    case JIT_XOR_CONSTANT: alu_constant(s, ALU_XOR, a, (int64_t)i->value); break;
    case JIT_SHIFT_LEFT_CONSTANT: shift_constant(s, SHIFT_SHL, a, i->value); break;
    case JIT_SHIFT_RIGHT_CONSTANT: shift_constant(s, SHIFT_SAR, a, i->value); break;
    case JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT: shift_constant(s, SHIFT_SHR, a, i->value); break;
    case JIT_ROTATE_RIGHT_CONSTANT: shift_constant(s, SHIFT_ROR, a, i->value); break;
    case JIT_ADDRESS: lea(s, a, b, (int32_t)i->value); break;
    case JIT_ADD_CHECKED: emit_alu(e, ALU_ADD, a, b); branch(s, CC_O); break;
    case JIT_SUBTRACT_CHECKED: emit_alu(e, ALU_SUB, a, b); branch(s, CC_O); break;
    case JIT_MULTIPLY_CHECKED: emit_rr(e, true, 0x0FAF, a, b); branch(s, CC_O); break;
    case JIT_ADD_CONSTANT_CHECKED:
        alu_constant(s, ALU_ADD, a, (int64_t)i->value);
        branch(s, CC_O);
        break;
    case JIT_DIVIDE:
        emit_byte(e, 0x48);
        emit_byte(e, 0x99); /* cqo */
        emit_rr(e, true, 0xF7, 7, machine(i->c));
        break;
    case JIT_JUMP: jump(s); break;
    case JIT_BRANCH:
        emit_alu(e, ALU_CMP, a, b);
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_CONSTANT:
        compare_constant(s, a, (int64_t)i->value);
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_LOADED:
        emit_rm(e, true, ALU_CMP << 3 | 3, a, operand_of(i), 0);
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_LITERAL:
        emit_rm(e, true, ALU_CMP << 3 | 3, a, pool(s, i->value), 0);
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_BITS:
        test_bits(s, a, (int64_t)i->value);
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_BITS_LOADED:
        emit_rm(e, false, 0xF7, 0, operand_of(i), 4);
        emit_32(e, (uint32_t)i->extra);
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_LOADED_CONSTANT:
        compare_loaded_constant(s, operand_of(i), i->extra);
        branch(s, condition_code(i->condition));
        break;
    case JIT_COUNT_DOWN: count_down(s, i); break;
    case JIT_JUMP_REGISTER: emit_rr(e, false, 0xFF, 4, a); break;
    case JIT_JUMP_LOADED: emit_rm(e, false, 0xFF, 4, operand_of(i), 0); break;
    case JIT_CALL_LOADED: emit_rm(e, false, 0xFF, 2, operand_of(i), 0); break;
    case JIT_CALL_LITERAL: emit_rm(e, false, 0xFF, 2, pool(s, i->value), 0); break;
    case JIT_FRAME:
        emit_push(e, RBP);
        emit_mov(e, RBP, RSP);
        break;
    case JIT_LEAVE:
        emit_byte(e, 0xC9); /* leave */
        return_from(s, i->value);
        break;
    case JIT_RETURN: return_from(s, i->value); break;
    case JIT_SET_RETURN: emit_push(e, a); break;
    case JIT_TAKE_RETURN: emit_rm(e, false, 0x8F, 0, operand_of(i), 0); break;
    case JIT_FLOAT_FROM_BITS: emit_sse_rr(e, 0x66, true, 0x6E, i->a, b); break;
    case JIT_FLOAT_TO_BITS: emit_sse_rr(e, 0x66, true, 0x7E, i->b, a); break;
    case JIT_FLOAT_LOAD: emit_sse_rm(e, 0xF2, 0x10, i->a, operand_of(i)); break;
    case JIT_FLOAT_STORE: emit_sse_rm(e, 0xF2, 0x11, i->a, operand_of(i)); break;
    case JIT_FLOAT_FROM_INTEGER: emit_sse_rr(e, 0xF2, true, 0x2A, i->a, b); break;
    case JIT_FLOAT_ADD: emit_sse_rr(e, 0xF2, false, 0x58, i->a, i->b); break;
    case JIT_FLOAT_SUBTRACT: emit_sse_rr(e, 0xF2, false, 0x5C, i->a, i->b); break;
    case JIT_FLOAT_MULTIPLY: emit_sse_rr(e, 0xF2, false, 0x59, i->a, i->b); break;
    case JIT_FLOAT_DIVIDE: emit_sse_rr(e, 0xF2, false, 0x5E, i->a, i->b); break;
    case JIT_FLOAT_SQUARE_ROOT: emit_sse_rr(e, 0xF2, false, 0x51, i->a, i->b); break;
    case JIT_FLOAT_BRANCH: float_branch(s, i); break;
    case JIT_STOP: emit_byte(e, 0xCC); break;
    case JIT_OPERATIONS: return false;
    }
    return true;
}

/* ---- Putting them together ---- */

static bool is_branch(const JitInstruction *i)
{
    return (i->operation >= JIT_ADD_CHECKED && i->operation <= JIT_ADD_CONSTANT_CHECKED) ||
           (i->operation >= JIT_JUMP && i->operation <= JIT_COUNT_DOWN) ||
           i->operation == JIT_FLOAT_BRANCH;
}

/* Distances from an instruction's first byte, LONGEST bytes from its last at most. */
static void shorten(const Select *s)
{
    for (uint32_t n = 0; n < s->code->count; n++) {
        JitInstruction *i = &s->code->instructions[n];
        if (!is_branch(i))
            continue;
        int64_t distance = (int64_t)s->labels[i->label] - (int64_t)i->offset;
        bool reaches = fits_8(distance) && fits_8(distance - LONGEST);
        i->size = reaches && i->operation != JIT_FLOAT_BRANCH ? SHORT : 0;
    }
}

static void make_short(uint8_t *bytes, bool always)
{
    bytes[0] = always ? 0xEB : bytes[1] - 0x10; /* 0F 8x: 7x */
}

static void add_32(uint8_t *bytes, uint32_t value)
{
    uint32_t old = 0;
    for (int i = 0; i < 4; i++)
        old |= (uint32_t)bytes[i] << 8 * i;
    old += value;
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(old >> 8 * i);
}

/* References to the pool, which does not move, from an instruction that has moved down by `by`. */
static void keep_pool(const JitInstruction *i, uint8_t *end, uint32_t by)
{
    switch (i->operation) {
    case JIT_LITERAL:
    case JIT_PUSH_LITERAL:
    case JIT_CALL_LITERAL: add_32(end - 4, by); break;
    case JIT_BRANCH_LITERAL: add_32(end - LONG_BRANCH - 4, by); break;
    default: break;
    }
}

/* Moves everything to its place; labels and offsets are final then. */
static void move_together(Select *s)
{
    uint8_t *out = s->code->out;
    uint32_t removed = 0, moved = 0; /* bytes that have gone; old offset up to which others moved */
    for (uint32_t n = 0; n < s->code->count; n++) {
        JitInstruction *i = &s->code->instructions[n];
        uint32_t end = n + 1 < s->code->count ? i[1].offset : s->e.at;
        keep_pool(i, out + end, removed);
        i->offset -= removed;
        if (i->operation == JIT_LABEL)
            s->labels[i->label] = i->offset;
        if (!is_branch(i) || i->size != SHORT)
            continue;
        uint32_t last = end - (i->operation == JIT_JUMP ? LONG_JUMP : LONG_BRANCH);
        make_short(out + last, i->operation == JIT_JUMP);
        last += SHORT_BRANCH;
        memmove(out + moved - removed, out + moved, last - moved);
        removed += end - last;
        moved = end;
    }
    memmove(out + moved - removed, out + moved, s->e.at - moved);
    s->e.at -= removed;
}

static void aim(const Select *s)
{
    uint8_t *out = s->code->out;
    for (uint32_t n = 0; n < s->code->count; n++) {
        const JitInstruction *i = &s->code->instructions[n];
        uint32_t end = n + 1 < s->code->count ? i[1].offset : s->e.at;
        if (!is_branch(i))
            continue;
        uint32_t distance = s->labels[i->label] - end;
        if (i->size == SHORT)
            out[end - 1] = (uint8_t)distance;
        else
            add_32(out + end - 4, distance);
        if (i->operation == JIT_FLOAT_BRANCH && i->condition == JIT_NOT_EQUAL)
            add_32(out + end - LONG_BRANCH - 4, distance + LONG_BRANCH);
    }
}

uint32_t x64_encode(const JitCode *code)
{
    uint32_t labels[code->labels + 1];
    Select s = {.code = code, .labels = labels,
                .e = {.out = code->out, .capacity = code->capacity}};
    for (uint32_t i = 0; i < code->count; i++) {
        code->instructions[i].offset = s.e.at;
        if (!select_one(&s, &code->instructions[i]) || s.e.overflow)
            return 0;
    }
    shorten(&s);
    move_together(&s);
    aim(&s);
    return s.e.at;
}
