/* Abstract instructions into x64 instructions.
 *
 * Every instruction is written once, with long branches that go nowhere yet. Those that branch or
 * refer to the pool are chained through `extra`, which has been written by then. Along the chain,
 * branches that reach with one byte are made short, and what lies between moves together; then
 * all get their distances. The choice is kept in the instruction's `size`, which branches do not
 * use.
 */
#include "x64.h"

#include <string.h>

enum { SHORT = 1, LONG_JUMP = 5, LONG_BRANCH = 6, SHORT_BRANCH = 2 };

enum { NOWHERE = -1 }; /* the end of the chain */

typedef struct {
    Emit e;
    const JitCode *code;
    uint32_t *labels; /* indices of the instructions */
    int32_t first;    /* of the chain */
} Select;

static Reg machine(unsigned reg)
{
    return (Reg)x64_registers[reg];
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
    emit_bytes(&s->e, 0xE9, LONG_JUMP);
}

static void branch(Select *s, Cc cc)
{
    emit_bytes(&s->e, 0x0F | (0x80u | cc) << 8, LONG_BRANCH);
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
    emit_rm(&s->e, true, bytes == 1 ? 0x83 : 0x81, ALU_CMP, m);
    if (bytes == 1)
        emit_byte(&s->e, (uint8_t)value);
    else
        emit_32(&s->e, (uint32_t)value);
}

static void count_down(Select *s, JitInstruction *i)
{
    emit_rm(&s->e, true, 0x83, ALU_SUB, operand_of(i));
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
    emit_rm(&s->e, size == 3, opcodes[size], to, m);
}

static void store(Select *s, Reg from, Mem m, unsigned size)
{
    if (size == 1)
        emit_byte(&s->e, 0x66);
    emit_rm(&s->e, size == 3, size == 0 ? 0x88 : 0x89, from, m);
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
    emit_rm(&s->e, true, 0x8D, to, mem(base, offset));
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

/* Receiver and arguments under the return address. */
static void operands(Select *s, SWord arguments)
{
    emit_pop(&s->e, SCRATCH);
    emit_push(&s->e, machine(JIT_RECEIVER));
    for (SWord i = 0; i < arguments; i++)
        emit_push(&s->e, machine(JIT_ARGUMENT_0 + (unsigned)i));
    emit_push(&s->e, SCRATCH);
}

/* ---- One instruction ---- */

static bool select_one(Select *s, JitInstruction *i)
{
    Emit *e = &s->e;
    Reg a = machine(i->a < JIT_REGISTERS ? i->a : 0), b = machine(i->b < JIT_REGISTERS ? i->b : 0);
    switch ((JitOperation)i->operation) {
    case JIT_LABEL: s->labels[i->label] = (uint32_t)(i - s->code->instructions); break;
    case JIT_MOVE: emit_mov(e, a, b); break;
    case JIT_CONSTANT: emit_constant(e, a, (int64_t)i->value); break;
    case JIT_LITERAL: load(s, a, mem_relative(), 3); break;
    case JIT_LOAD: load(s, a, operand_of(i), i->size); break;
    case JIT_LOAD_INDEXED: load(s, a, indexed(i), i->size); break;
    case JIT_STORE: store(s, a, operand_of(i), i->size); break;
    case JIT_STORE_INDEXED: store(s, a, indexed(i), i->size); break;
    case JIT_STORE_CONSTANT:
        emit_rm(e, true, 0xC7, 0, operand_of(i));
        emit_32(e, (uint32_t)i->extra);
        break;
    case JIT_PUSH: emit_push(e, a); break;
    case JIT_PUSH_CONSTANT: push_constant(s, (int64_t)i->value); break;
    case JIT_PUSH_LITERAL: emit_rm(e, false, 0xFF, 6, mem_relative()); break;
    case JIT_PUSH_LOADED: emit_rm(e, false, 0xFF, 6, operand_of(i)); break;
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
        emit_rm(e, true, ALU_CMP << 3 | 3, a, operand_of(i));
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_LITERAL:
        emit_rm(e, true, ALU_CMP << 3 | 3, a, mem_relative());
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_BITS:
        test_bits(s, a, (int64_t)i->value);
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_BITS_LOADED:
        emit_rm(e, false, 0xF7, 0, operand_of(i));
        emit_32(e, (uint32_t)i->extra);
        branch(s, condition_code(i->condition));
        break;
    case JIT_BRANCH_LOADED_CONSTANT:
        compare_loaded_constant(s, operand_of(i), i->extra);
        branch(s, condition_code(i->condition));
        break;
    case JIT_COUNT_DOWN: count_down(s, i); break;
    case JIT_JUMP_REGISTER: emit_rr(e, false, 0xFF, 4, a); break;
    case JIT_JUMP_LOADED: emit_rm(e, false, 0xFF, 4, operand_of(i)); break;
    case JIT_CALL_LOADED: emit_rm(e, false, 0xFF, 2, operand_of(i)); break;
    case JIT_CALL_LITERAL: emit_rm(e, false, 0xFF, 2, mem_relative()); break;
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
    case JIT_TAKE_RETURN: emit_rm(e, false, 0x8F, 0, operand_of(i)); break;
    case JIT_OPERANDS: operands(s, i->value); break;
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

/* What has a distance to something. */
enum { TO_LABEL = 1, TO_POOL = 2 };
static const uint8_t distances[JIT_OPERATIONS] = {
    [JIT_ADD_CHECKED] = TO_LABEL, [JIT_SUBTRACT_CHECKED] = TO_LABEL,
    [JIT_MULTIPLY_CHECKED] = TO_LABEL, [JIT_ADD_CONSTANT_CHECKED] = TO_LABEL,
    [JIT_JUMP] = TO_LABEL, [JIT_BRANCH] = TO_LABEL, [JIT_BRANCH_CONSTANT] = TO_LABEL,
    [JIT_BRANCH_LOADED] = TO_LABEL, [JIT_BRANCH_BITS] = TO_LABEL,
    [JIT_BRANCH_BITS_LOADED] = TO_LABEL, [JIT_BRANCH_LOADED_CONSTANT] = TO_LABEL,
    [JIT_COUNT_DOWN] = TO_LABEL, [JIT_FLOAT_BRANCH] = TO_LABEL,
    [JIT_BRANCH_LITERAL] = TO_LABEL | TO_POOL, [JIT_LITERAL] = TO_POOL,
    [JIT_PUSH_LITERAL] = TO_POOL, [JIT_CALL_LITERAL] = TO_POOL,
};

/* All of them, with long branches, each at its `offset`. */
static bool write_long(Select *s)
{
    const JitCode *code = s->code;
    int32_t last = -1;
    for (uint32_t n = 0; n < code->count; n++) {
        JitInstruction *i = &code->instructions[n];
        i->offset = s->e.at;
        if (code->capacity - s->e.at < EMIT_MOST || !select_one(s, i))
            return false;
        if (!distances[i->operation])
            continue;
        *(last < 0 ? &s->first : &code->instructions[last].extra) = (int32_t)n;
        last = (int32_t)n;
    }
    *(last < 0 ? &s->first : &code->instructions[last].extra) = NOWHERE;
    return true;
}

static uint32_t end_of(const Select *s, uint32_t n)
{
    return n + 1 < s->code->count ? s->code->instructions[n + 1].offset : s->e.at;
}

/* `length`: of the branch at its end. Forward, the target is at its old place, and both will
 * come closer by the same or more; back, both are at their new ones. */
static bool reaches(const Select *s, uint32_t n, uint32_t old_end, uint32_t removed, uint32_t length)
{
    uint32_t target = s->labels[s->code->instructions[n].label];
    int64_t to = s->code->instructions[target].offset;
    int64_t from = target > n ? old_end : (int64_t)old_end - removed - length + SHORT_BRANCH;
    return fits_8(to - from);
}

/* Moves everything to its place; offsets are final then. */
static void move_together(Select *s)
{
    uint8_t *out = s->code->out;
    uint32_t next = 0, removed = 0, moved = 0; /* bytes that have gone; old offset up to which
                                                  others have moved */
    for (int32_t n = s->first; n != NOWHERE; n = s->code->instructions[n].extra) {
        JitInstruction *i = &s->code->instructions[n];
        if (!(distances[i->operation] & TO_LABEL))
            continue;
        for (; next <= (uint32_t)n; next++)
            s->code->instructions[next].offset -= removed;
        bool always = i->operation == JIT_JUMP;
        uint32_t end = end_of(s, (uint32_t)n), length = always ? LONG_JUMP : LONG_BRANCH;
        bool is_short = i->operation != JIT_FLOAT_BRANCH &&
                        reaches(s, (uint32_t)n, end, removed, length);
        i->size = is_short ? SHORT : 0;
        if (!is_short)
            continue;
        uint8_t *branch = out + end - length;
        branch[0] = always ? 0xEB : branch[1] - 0x10; /* 0F 8x: 7x */
        memmove(out + moved - removed, out + moved, end - length + SHORT_BRANCH - moved);
        removed += length - SHORT_BRANCH;
        moved = end;
    }
    for (; next < s->code->count; next++)
        s->code->instructions[next].offset -= removed;
    memmove(out + moved - removed, out + moved, s->e.at - moved);
    s->e.at -= removed;
}

static void aim_branch(const Select *s, const JitInstruction *i, uint32_t end)
{
    uint8_t *out = s->code->out;
    uint32_t distance = s->code->instructions[s->labels[i->label]].offset - end;
    if (i->size == SHORT)
        out[end - 1] = (uint8_t)distance;
    else
        write_32(out + end - 4, distance);
    if (i->operation == JIT_FLOAT_BRANCH && i->condition == JIT_NOT_EQUAL)
        write_32(out + end - LONG_BRANCH - 4, distance + LONG_BRANCH);
}

static void aim(const Select *s)
{
    for (int32_t n = s->first; n != NOWHERE; n = s->code->instructions[n].extra) {
        const JitInstruction *i = &s->code->instructions[n];
        uint32_t end = end_of(s, (uint32_t)n);
        if (distances[i->operation] & TO_LABEL) {
            aim_branch(s, i, end);
            end -= i->size == SHORT ? SHORT_BRANCH : LONG_BRANCH;
        }
        if (distances[i->operation] & TO_POOL) /* it ends where the code begins */
            write_32(s->code->out + end - 4,
                     (uint32_t)((i->value - (SWord)s->code->pool_words) * WORD_BYTES) - end);
    }
}

uint32_t x64_encode(JitBackEnd *back_end, const JitCode *code)
{
    uint32_t labels[code->labels + 1];
    Select s = {.code = code, .labels = labels, .e = {.out = code->out}};
    if (!write_long(&s))
        return 0;
    move_together(&s);
    aim(&s);
    return s.e.at;
}
