/* What instructions may say, and what encoding may change of them. */
#include "shim.h"

/* ---- What the fields of an instruction are ---- */

enum {
    A = 1, B = 2, C = 4,       /* registers */
    FLOAT_A = 8, FLOAT_B = 16, /* float registers */
    SP_A = 32,                 /* a may be SP; b may, where it is a base or SP_B says so */
    SP_B = 64,
    OFFSET = 128,              /* b is a base, value an offset */
    SIZE = 256,                /* of the access */
    POOL = 512,                /* value is a word of the pool */
    LABEL = 1024,
    COMPARES = 2048,           /* a condition: any, ... */
    BITS = 4096,               /* ... equal or not, ... */
    ORDERED = 8192,            /* ... none of the unsigned ones */
    DISTANCE = 1 << 14,        /* value is the distance of a shift */
    WORDS = 1 << 15,           /* value is a number of words of the stack */
    WIDE = 1 << 16,            /* for words of 64 bits only */
    ENDS = 1 << 17             /* nothing behind it is executed for it */
};

static const uint32_t fields[JIT_OPERATIONS] = {
    [JIT_LABEL] = LABEL,
    [JIT_MOVE] = A | B,
    [JIT_CONSTANT] = A,
    [JIT_LITERAL] = A | POOL,
    [JIT_LOAD] = A | B | OFFSET | SIZE,
    [JIT_LOAD_INDEXED] = A | B | C | OFFSET | SIZE,
    [JIT_STORE] = A | B | OFFSET | SIZE,
    [JIT_STORE_INDEXED] = A | B | C | OFFSET | SIZE,
    [JIT_STORE_CONSTANT] = B | OFFSET,
    [JIT_PUSH] = A,
    [JIT_PUSH_CONSTANT] = 0,
    [JIT_PUSH_LITERAL] = POOL,
    [JIT_PUSH_LOADED] = B | OFFSET,
    [JIT_POP] = A,
    [JIT_DROP] = WORDS,
    [JIT_ADD] = A | B,
    [JIT_SUBTRACT] = A | B,
    [JIT_MULTIPLY] = A | B,
    [JIT_AND] = A | B,
    [JIT_OR] = A | B,
    [JIT_XOR] = A | B,
    [JIT_SHIFT_LEFT] = A | B,
    [JIT_SHIFT_RIGHT] = A | B,
    [JIT_SHIFT_RIGHT_UNSIGNED] = A | B,
    [JIT_ADD_CONSTANT] = A,
    [JIT_AND_CONSTANT] = A,
    [JIT_OR_CONSTANT] = A,
    [JIT_XOR_CONSTANT] = A,
    [JIT_SHIFT_LEFT_CONSTANT] = A | DISTANCE,
    [JIT_SHIFT_RIGHT_CONSTANT] = A | DISTANCE,
    [JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT] = A | DISTANCE,
    [JIT_ROTATE_RIGHT_CONSTANT] = A | DISTANCE,
    [JIT_ADDRESS] = A | SP_A | B | OFFSET,
    [JIT_ADD_CHECKED] = A | B | LABEL,
    [JIT_SUBTRACT_CHECKED] = A | B | LABEL,
    [JIT_MULTIPLY_CHECKED] = A | B | LABEL,
    [JIT_ADD_CONSTANT_CHECKED] = A | LABEL,
    [JIT_DIVIDE] = C,
    [JIT_JUMP] = LABEL | ENDS,
    [JIT_BRANCH] = A | SP_A | B | SP_B | COMPARES | LABEL,
    [JIT_BRANCH_CONSTANT] = A | COMPARES | LABEL,
    [JIT_BRANCH_LOADED] = A | SP_A | B | OFFSET | COMPARES | LABEL,
    [JIT_BRANCH_LITERAL] = A | POOL | COMPARES | LABEL,
    [JIT_BRANCH_BITS] = A | BITS | LABEL,
    [JIT_BRANCH_BITS_LOADED] = B | OFFSET | BITS | LABEL,
    [JIT_BRANCH_LOADED_CONSTANT] = B | OFFSET | COMPARES | LABEL,
    [JIT_COUNT_DOWN] = B | OFFSET | LABEL,
    [JIT_JUMP_REGISTER] = A | ENDS,
    [JIT_JUMP_LOADED] = B | OFFSET | ENDS,
    [JIT_CALL_LOADED] = B | OFFSET,
    [JIT_CALL_LITERAL] = POOL,
    [JIT_FRAME] = 0,
    [JIT_LEAVE] = WORDS | ENDS,
    [JIT_RETURN] = WORDS | ENDS,
    [JIT_TAKE_RETURN] = B | OFFSET,
    [JIT_SET_RETURN] = A,
    [JIT_OPERANDS] = 0,
    [JIT_FLOAT_FROM_BITS] = FLOAT_A | B | WIDE,
    [JIT_FLOAT_TO_BITS] = A | FLOAT_B | WIDE,
    [JIT_FLOAT_LOAD] = FLOAT_A | B | OFFSET,
    [JIT_FLOAT_STORE] = FLOAT_A | B | OFFSET,
    [JIT_FLOAT_FROM_INTEGER] = FLOAT_A | B,
    [JIT_FLOAT_ADD] = FLOAT_A | FLOAT_B,
    [JIT_FLOAT_SUBTRACT] = FLOAT_A | FLOAT_B,
    [JIT_FLOAT_MULTIPLY] = FLOAT_A | FLOAT_B,
    [JIT_FLOAT_DIVIDE] = FLOAT_A | FLOAT_B,
    [JIT_FLOAT_SQUARE_ROOT] = FLOAT_A | FLOAT_B,
    [JIT_FLOAT_BRANCH] = FLOAT_A | FLOAT_B | ORDERED | LABEL,
    [JIT_STOP] = ENDS,
};

/* ---- What goes in ---- */

#define SAY(condition, format, ...)                                                                \
    REQUIRE(condition, "instruction %u, operation %u: " format " (J6)", n, i->operation, __VA_ARGS__)

static void require_registers(const JitInstruction *i, uint32_t n, uint32_t has)
{
    static const struct {
        uint32_t integer, floating, sp;
        const char *name;
    } places[] = {{A, FLOAT_A, SP_A, "a"}, {B, FLOAT_B, SP_B | OFFSET, "b"}, {C, 0, 0, "c"}};
    const uint8_t values[] = {i->a, i->b, i->c};
    for (unsigned p = 0; p < 3; p++) {
        SAY(!(has & places[p].integer) || values[p] < JIT_REGISTERS,
            "%s is %u; there are registers 0 to %d", places[p].name, values[p], JIT_REGISTERS - 1);
        SAY(!(has & places[p].floating) || values[p] < JIT_FLOAT_REGISTERS,
            "%s is %u; there are float registers 0 to %d", places[p].name, values[p],
            JIT_FLOAT_REGISTERS - 1);
        SAY(!(has & places[p].integer) || values[p] != JIT_SP || has & places[p].sp,
            "%s is SP, which is a base or is compared", places[p].name);
    }
}

static void require_condition(const JitInstruction *i, uint32_t n, uint32_t has)
{
    JitCondition most = has & COMPARES ? JIT_ABOVE_EQUAL : has & BITS ? JIT_NOT_EQUAL
                                                                     : JIT_GREATER_EQUAL;
    if (has & (COMPARES | BITS | ORDERED))
        SAY(i->condition <= most, "condition %u; up to %d mean something here", i->condition, most);
}

static void require_value(const JitCode *code, const JitInstruction *i, uint32_t n, uint32_t has)
{
    SAY(!(has & OFFSET) || i->value == (int32_t)i->value,
        "offset 0x%" PRIxWORD " does not fit in 32 bits", (Word)i->value);
    SAY(!(has & POOL) || (Word)i->value < code->pool_words,
        "word %" PRIdWORD " of a pool of %u", i->value, code->pool_words);
    SAY(!(has & DISTANCE) || (Word)i->value < WORD_BITS, "a shift by %" PRIdWORD, i->value);
    SAY(!(has & WORDS) || (i->value <= JIT_WORDS_MOST &&
                           i->value >= (i->operation == JIT_DROP ? -JIT_WORDS_MOST : 0)),
        "%" PRIdWORD " words of the stack; the most are %d", i->value, JIT_WORDS_MOST);
    SAY(!(has & SIZE) || i->size <= WORD_SHIFT, "an access of 1 << %u bytes", i->size);
    SAY(!(has & WIDE) || WORD_BITS == 64, "a float from a word of %d bits", WORD_BITS);
    SAY(i->operation != JIT_OPERANDS || (Word)i->value <= JIT_ARGUMENTS,
        "%" PRIdWORD " arguments; %d are passed in registers", i->value, JIT_ARGUMENTS);
    SAY(i->operation != JIT_DIVIDE || (i->c != JIT_RESULT && i->c != JIT_B),
        "the divisor is in register %u, which the answer goes to", i->c);
}

void rules_require_instructions(const JitCode *code, uint32_t *label_places)
{
    const JitInstruction *i = code->instructions;
    for (uint32_t n = 0; n < code->count; n++, i++) {
        REQUIRE(i->operation < JIT_OPERATIONS, "instruction %u: there is no operation %u (J6)", n,
                i->operation);
        uint32_t has = fields[i->operation];
        require_registers(i, n, has);
        require_condition(i, n, has);
        require_value(code, i, n, has);
        SAY(!(has & LABEL) || i->label < code->labels, "label %u of %u", i->label, code->labels);
        if (i->operation != JIT_LABEL)
            continue;
        SAY(!label_places[i->label], "label %u is here and at instruction %u", i->label,
            label_places[i->label] - 1);
        label_places[i->label] = n + 1;
    }
    i = code->instructions;
    for (uint32_t n = 0; n < code->count; n++, i++)
        SAY(!(fields[i->operation] & LABEL) || label_places[i->label],
            "label %u, which is nowhere", i->label);
    REQUIRE(fields[i[-1].operation] & ENDS,
            "the code runs off its end, behind operation %u: close it with JIT_STOP (J6)",
            i[-1].operation);
}

/* ---- What comes out ---- */

void rules_require_encoded(const JitCode *code, const JitInstruction *before, uint32_t bytes,
                           uint32_t instruction_bytes)
{
    uint32_t count = code->count;
    for (uint32_t n = 0; n < count; n++) {
        const JitInstruction *i = &code->instructions[n], *old = &before[n];
        uint32_t end = n + 1 < count ? code->instructions[n + 1].offset : bytes;
        REQUIRE(i->operation == old->operation && i->condition == old->condition &&
                    i->a == old->a && i->b == old->b && i->c == old->c &&
                    i->label == old->label && i->value == old->value && i->pc == old->pc &&
                    (i->size == old->size || !(fields[i->operation] & SIZE)),
                "instruction %u, operation %u, has been changed: only `extra`, `offset` and the "
                "`size` of what accesses no memory are the back end's", n, old->operation);
        REQUIRE(n || i->offset == 0, "the first instruction is at offset %u: there is code in front "
                "of it", i->offset);
        REQUIRE(i->offset <= end && end <= bytes,
                "instruction %u, operation %u, is at [%u, %u) of %u bytes: set `offset` of each, in "
                "order", n, i->operation, i->offset, end, bytes);
        REQUIRE(end - i->offset <= instruction_bytes,
                "instruction %u, operation %u, takes %u bytes; the back end says that the most are %u "
                "(J7)", n, i->operation, end - i->offset, instruction_bytes);
        REQUIRE(i->operation != JIT_LABEL || i->offset == end,
                "label %u, instruction %u, has %u bytes", i->label, n, end - i->offset);
    }
}
