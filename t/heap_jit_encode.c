/* JIT back ends: every abstract instruction over all registers and corner values is encoded,
 * read back by the disassembler, executed on the simulated processor, and compared with what it
 * means in C. */
// LINK: t/support/jit_rig.c t/support/jit_model.c
#include "kernel/world/worlds.h"
#include "t/support/jit_rig.h"
#include "tap.h"

static JitRig rig;
static ModelState state;
static uint64_t seed = 20260101;
static unsigned cases, wrong;

enum { MIDDLE = 1024 };

/* ---- Values ---- */

static uint64_t random_word(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static const int64_t corners[] = {
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    9,
    15,
    16,
    31,
    32,
    63,
    64,
    100,
    127,
    128,
    129,
    -127,
    -128,
    -129,
    255,
    256,
    0x7FF,
    0x800,
    0xFFF,
    0x1000,
    0xFF00,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    -0x8000,
    -0x8001,
    0xFF0000,
    0x12345678,
    0x3FFFFFFF,
    0x40000000,
    INT32_MAX,
    INT32_MIN,
    (int64_t)INT32_MAX + 1,
    (int64_t)INT32_MIN - 1,
    UINT32_MAX,
    (int64_t)UINT32_MAX + 1,
    INT64_C(0x0FFFFFFFFFFFFFFF),
    INT64_C(-0x1000000000000000),
    INT64_C(0x123456789ABCDEF0),
    INT64_MAX,
    INT64_MIN,
    INT64_MIN + 1,
};
enum { CORNERS = sizeof corners / sizeof *corners };

static const SWord offsets[] = {0, 8, -8, 16, 24, 120, 128, -128, -136, 248, 256, 1000, 2048, 4088,
                                4096, -4096, 32760, 32768, -32768, -32776, 1 << 20, INT32_MAX - 7};
enum { OFFSETS = sizeof offsets / sizeof *offsets };

static Word corner(void)
{
    return random_word() % 3 ? (Word)corners[random_word() % CORNERS] : (Word)random_word();
}

static void new_state(void)
{
    state.start = pointer_word(rig.data);
    for (unsigned r = 0; r < JIT_REGISTERS; r++)
        state.registers[r] = corner();
    for (unsigned at = 0; at < MODEL_MEMORY; at += 8) {
        uint64_t word = random_word();
        memcpy(state.memory + at, &word, 8);
    }
    for (unsigned p = 0; p < MODEL_POOL; p++)
        state.pool[p] = corner();
    state.registers[JIT_SP] = state.start + MIDDLE;
}

/* ---- One case ---- */

static void report(const JitInstruction *i, const char *why)
{
    if (++wrong > 20)
        return;
    diag("operation %d condition %d size %d a %d b %d c %d value 0x%" PRIxWORD " extra 0x%x: %s",
         i->operation, i->condition, i->size, i->a, i->b, i->c, (Word)i->value, (unsigned)i->extra,
         why);
    for (unsigned r = 0; r < JIT_REGISTERS; r++)
        diag("    %s was 0x%" PRIxWORD, rig.jit->registers[r], state.registers[r]);
    char bytes[128] = "";
    for (uint32_t b = 0; b < rig.bytes && b < 40; b++)
        snprintf(bytes + 3 * b, sizeof bytes - 3 * b, "%02X ",
                 ((uint8_t *)word_pointer(rig.entry))[b]);
    diag("    %s", bytes);
}

static void check(const JitInstruction *i)
{
    const char *what = "";
    cases++;
    if (!rig_agrees(&rig, i, &state))
        report(i, rig.why);
    else if (!rig_reads_back(&rig, 0, &what))
        report(i, what);
}

static JitInstruction make(JitOperation operation, unsigned a, unsigned b)
{
    return (JitInstruction){.operation = (uint8_t)operation, .a = (uint8_t)a, .b = (uint8_t)b,
                            .size = WORD_SHIFT};
}

#define EACH_REGISTER(r) for (unsigned r = 0; r < JIT_REGISTERS; r++) if (r != JIT_SP)

/* Ends a group: one line of TAP. */
static void group(const char *name)
{
    ok(wrong == 0, "%s, %d bits, %s: %u cases", rig.name, WORD_BITS, name, cases);
    cases = wrong = 0;
}

/* ---- Groups ---- */

static void test_moves(void)
{
    EACH_REGISTER(a)
        EACH_REGISTER(b) {
            new_state();
            JitInstruction i = make(JIT_MOVE, a, b);
            check(&i);
        }
    EACH_REGISTER(a)
        for (unsigned k = 0; k < CORNERS; k++) {
            new_state();
            JitInstruction i = make(JIT_CONSTANT, a, 0);
            i.value = (SWord)corners[k];
            check(&i);
        }
    EACH_REGISTER(a)
        for (unsigned p = 0; p < MODEL_POOL; p++) {
            new_state();
            JitInstruction i = make(JIT_LITERAL, a, 0);
            i.value = (SWord)p;
            check(&i);
        }
    group("moves and constants");
}

static void test_memory_operation(JitOperation operation, unsigned sizes)
{
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned o = 0; o < OFFSETS; o++) {
                if (a == JIT_SP || (b == JIT_SP && (offsets[o] > 512 || offsets[o] < -512)))
                    continue;
                JitInstruction i = make(operation, a, b);
                new_state();
                i.size = (uint8_t)((a + o) % sizes + (sizes == 1 ? WORD_SHIFT : 0));
                i.value = offsets[o];
                if (b != JIT_SP)
                    state.registers[b] =
                        state.start + MIDDLE - 512 + 8 * (o % 4) - (Word)offsets[o];
                check(&i);
            }
}

static void test_indexed_operation(JitOperation operation)
{
    static const SWord small[] = {0, 8, -8, 128, 1000, -1000, 4096, 40000};
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned c = 0; c < JIT_REGISTERS; c++) {
                if (a == JIT_SP || b == JIT_SP || c == JIT_SP || b == c)
                    continue;
                JitInstruction i = make(operation, a, b);
                new_state();
                i.c = (uint8_t)c;
                i.size = (uint8_t)((a + b + c) % (WORD_SHIFT + 1));
                i.value = small[(a * 7 + b * 3 + c) % 8];
                state.registers[c] = (Word)(random_word() % 41) - 20;
                state.registers[b] = state.start + MIDDLE - (Word)i.value;
                check(&i);
            }
}

static void test_memory(void)
{
    test_memory_operation(JIT_LOAD, WORD_SHIFT + 1);
    test_memory_operation(JIT_STORE, WORD_SHIFT + 1);
    group("loads and stores");
    test_indexed_operation(JIT_LOAD_INDEXED);
    test_indexed_operation(JIT_STORE_INDEXED);
    group("indexed loads and stores");
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (unsigned k = 0; k < CORNERS; k++) {
            JitInstruction i = make(JIT_STORE_CONSTANT, 0, b);
            new_state();
            i.extra = (int32_t)corners[k];
            i.value = 8 * (SWord)(k % 40) - 160;
            if (b != JIT_SP)
                state.registers[b] = state.start + MIDDLE;
            check(&i);
        }
    group("stores of constants");
}

static void test_stack(void)
{
    EACH_REGISTER(a) {
        JitInstruction push = make(JIT_PUSH, a, 0), pop = make(JIT_POP, a, 0);
        new_state();
        check(&push);
        check(&pop);
    }
    for (unsigned k = 0; k < CORNERS; k++) {
        JitInstruction i = make(JIT_PUSH_CONSTANT, 0, 0);
        new_state();
        i.value = (SWord)corners[k];
        check(&i);
        i = make(JIT_PUSH_LITERAL, 0, 0);
        i.value = k % MODEL_POOL;
        check(&i);
        i = make(JIT_DROP, 0, 0);
        i.value = (SWord)k - CORNERS / 2;
        check(&i);
    }
    test_memory_operation(JIT_PUSH_LOADED, 1);
    group("stack");
}

static void test_arithmetic_of(JitOperation operation, bool shifts)
{
    EACH_REGISTER(a)
        EACH_REGISTER(b)
            for (unsigned round = 0; round < 4; round++) {
                JitInstruction i = make(operation, a, b);
                new_state();
                if (shifts)
                    state.registers[b] = (Word)(random_word() % WORD_BITS);
                check(&i);
            }
}

static void test_constant_operation(JitOperation operation, bool shifts)
{
    EACH_REGISTER(a)
        for (unsigned k = 0; k < (shifts ? (unsigned)WORD_BITS : (unsigned)CORNERS); k++) {
            JitInstruction i = make(operation, a, 0);
            new_state();
            i.value = shifts ? (SWord)k : (SWord)corners[k];
            check(&i);
        }
}

static void test_arithmetic(void)
{
    for (JitOperation o = JIT_ADD; o <= JIT_XOR; o++)
        test_arithmetic_of(o, false);
    for (JitOperation o = JIT_SHIFT_LEFT; o <= JIT_SHIFT_RIGHT_UNSIGNED; o++)
        test_arithmetic_of(o, true);
    group("arithmetic");
    for (JitOperation o = JIT_ADD_CONSTANT; o <= JIT_XOR_CONSTANT; o++)
        test_constant_operation(o, false);
    for (JitOperation o = JIT_SHIFT_LEFT_CONSTANT; o <= JIT_ROTATE_RIGHT_CONSTANT; o++)
        test_constant_operation(o, true);
    group("arithmetic with constants");
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned o = 0; o < OFFSETS; o++) {
                JitInstruction i = make(JIT_ADDRESS, a, b);
                new_state();
                i.value = offsets[o] + (SWord)(o % 2);
                if (a != JIT_SP)
                    check(&i);
            }
    group("addresses");
}

static void test_checked(void)
{
    for (JitOperation o = JIT_ADD_CHECKED; o <= JIT_MULTIPLY_CHECKED; o++)
        EACH_REGISTER(a)
            EACH_REGISTER(b)
                for (unsigned round = 0; round < 6; round++) {
                    JitInstruction i = make(o, a, b);
                    new_state();
                    check(&i);
                }
    test_constant_operation(JIT_ADD_CONSTANT_CHECKED, false);
    test_constant_operation(JIT_ADD_CONSTANT_CHECKED, false);
    group("checked arithmetic");
    EACH_REGISTER(c)
        for (unsigned round = 0; round < 100; round++) {
            JitInstruction i = make(JIT_DIVIDE, 0, 0);
            new_state();
            i.c = (uint8_t)c;
            SWord divisor = (SWord)state.registers[c];
            if (c == JIT_RESULT || c == JIT_B || divisor == 0 || divisor == -1)
                continue;
            check(&i);
        }
    group("division");
}

/* Values that are equal, or near one another, half of the time. */
static void close_values(Word *a, const Word *b)
{
    static const SWord near[] = {0, 0, 1, -1};
    if (random_word() % 2)
        *a = *b + (Word)near[random_word() % 4];
}

static void test_branches_on_registers(JitCondition condition)
{
    EACH_REGISTER(a)
        EACH_REGISTER(b)
            for (unsigned round = 0; round < 3; round++) {
                JitInstruction i = make(JIT_BRANCH, a, b);
                i.condition = (uint8_t)condition;
                new_state();
                close_values(&state.registers[a], &state.registers[b]);
                check(&i);
            }
}

static void test_branches_on_constants(JitCondition condition)
{
    EACH_REGISTER(a)
        for (unsigned k = 0; k < CORNERS; k++) {
            JitInstruction i = make(JIT_BRANCH_CONSTANT, a, 0);
            i.condition = (uint8_t)condition;
            i.value = (SWord)corners[k];
            new_state();
            close_values(&state.registers[a], (Word *)&i.value);
            check(&i);
        }
}

static void test_branches_on_memory(JitCondition condition)
{
    EACH_REGISTER(a)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned round = 0; round < 3; round++) {
                if (a == b)
                    continue;
                JitInstruction i = make(JIT_BRANCH_LOADED, a, b);
                i.condition = (uint8_t)condition;
                new_state();
                i.value = 8 * (SWord)(random_word() % 32);
                if (b != JIT_SP)
                    state.registers[b] = state.start + MIDDLE;
                Word loaded = model_load(&state, state.registers[b] + (Word)i.value, WORD_SHIFT);
                close_values(&state.registers[a], &loaded);
                check(&i);
                i.operation = JIT_BRANCH_LITERAL;
                i.value = (SWord)(random_word() % MODEL_POOL);
                close_values(&state.registers[a], &state.pool[i.value]);
                check(&i);
            }
}

static void test_branches_on_loaded_constants(JitCondition condition)
{
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (unsigned k = 0; k < CORNERS; k++) {
            JitInstruction i = make(JIT_BRANCH_LOADED_CONSTANT, 0, b);
            i.condition = (uint8_t)condition;
            i.extra = (int32_t)corners[k];
            new_state();
            i.value = 8 * (SWord)(random_word() % 32);
            if (b != JIT_SP)
                state.registers[b] = state.start + MIDDLE;
            Word value = (Word)(SWord)i.extra;
            close_values(&value, &value);
            model_store(&state, state.registers[b] + (Word)i.value, WORD_SHIFT, value);
            check(&i);
        }
}

static void test_bit_branches(JitCondition condition)
{
    EACH_REGISTER(a)
        for (unsigned k = 0; k < CORNERS; k++) {
            JitInstruction i = make(JIT_BRANCH_BITS, a, 0);
            i.condition = (uint8_t)condition;
            i.value = (SWord)corners[k];
            new_state();
            if (random_word() % 2)
                state.registers[a] &= ~(Word)i.value;
            check(&i);
        }
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (unsigned k = 0; k < CORNERS; k++) {
            JitInstruction i = make(JIT_BRANCH_BITS_LOADED, 0, b);
            i.condition = (uint8_t)condition;
            i.extra = (int32_t)corners[k];
            new_state();
            i.value = 4 * (SWord)(random_word() % 64);
            if (b != JIT_SP)
                state.registers[b] = state.start + MIDDLE;
            Word at = state.registers[b] + (Word)i.value;
            if (random_word() % 2)
                model_store(&state, at, 2, model_load(&state, at, 2) & ~(Word)(uint32_t)i.extra);
            check(&i);
        }
}

static void test_branches(void)
{
    for (JitCondition c = JIT_EQUAL; c <= JIT_ABOVE_EQUAL; c++) {
        test_branches_on_registers(c);
        test_branches_on_constants(c);
        test_branches_on_memory(c);
        test_branches_on_loaded_constants(c);
    }
    test_bit_branches(JIT_EQUAL);
    test_bit_branches(JIT_NOT_EQUAL);
    group("branches");
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (int value = -2; value < 4; value++) {
            JitInstruction i = make(JIT_COUNT_DOWN, 0, b);
            new_state();
            i.value = 8 * (SWord)(b % 4);
            if (b != JIT_SP)
                state.registers[b] = state.start + MIDDLE;
            model_store(&state, state.registers[b] + (Word)i.value, WORD_SHIFT, (Word)(SWord)value);
            check(&i);
        }
    group("counting down");
}

static void test_transfers(void)
{
    JitInstruction jump = make(JIT_JUMP, 0, 0);
    new_state();
    check(&jump);
    EACH_REGISTER(a) {
        JitInstruction i = make(JIT_JUMP_REGISTER, a, 0);
        new_state();
        state.registers[a] = rig.landing;
        check(&i);
    }
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (unsigned o = 0; o < OFFSETS; o++)
            for (JitOperation operation = JIT_JUMP_LOADED; operation <= JIT_CALL_LOADED;
                 operation++) {
                if (b == JIT_SP && (offsets[o] > 512 || offsets[o] < -512))
                    continue;
                JitInstruction i = make(operation, 0, b);
                new_state();
                i.value = offsets[o];
                if (b != JIT_SP)
                    state.registers[b] = state.start + MIDDLE - 512 - (Word)offsets[o];
                model_store(&state, state.registers[b] + (Word)offsets[o], WORD_SHIFT, rig.landing);
                check(&i);
            }
    for (unsigned p = 0; p < MODEL_POOL; p++) {
        JitInstruction i = make(JIT_CALL_LITERAL, 0, 0);
        new_state();
        i.value = (SWord)p;
        state.pool[p] = rig.landing;
        check(&i);
    }
    group("jumps and calls");
}

/* ---- Floats ---- */

static const double float_corners[] = {0.0,
                                       -0.0,
                                       1.0,
                                       -1.0,
                                       0.5,
                                       3.25,
                                       1e300,
                                       -1e300,
                                       1e-300,
                                       5e-324,
                                       __builtin_inf(),
                                       -__builtin_inf(),
                                       __builtin_nan(""),
                                       123456.75};
enum { FLOAT_CORNERS = sizeof float_corners / sizeof *float_corners };

static void check_floats(const JitInstruction *i)
{
    cases++;
    if (!rig_agrees_on_floats(&rig, i, &state))
        report(i, rig.why);
}

static void new_floats(void)
{
    new_state();
    state.registers[JIT_VM] = state.start;
    for (unsigned f = 0; f < JIT_FLOAT_REGISTERS; f++)
        state.floats[f] = float_corners[random_word() % FLOAT_CORNERS];
}

static void test_float_pairs(JitOperation operation, JitCondition condition)
{
    for (unsigned a = 0; a < JIT_FLOAT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_FLOAT_REGISTERS; b++)
            for (unsigned x = 0; x < FLOAT_CORNERS; x++)
                for (unsigned y = 0; y < FLOAT_CORNERS; y += 1 + (a != 0)) {
                    JitInstruction i = make(operation, a, b);
                    i.condition = (uint8_t)condition;
                    new_floats();
                    state.floats[a] = float_corners[x];
                    state.floats[b] = float_corners[y];
                    check_floats(&i);
                }
}

static void test_floats(void)
{
    for (JitOperation o = JIT_FLOAT_ADD; o <= JIT_FLOAT_SQUARE_ROOT; o++)
        test_float_pairs(o, JIT_EQUAL);
    group("floats");
    for (JitCondition c = JIT_EQUAL; c <= JIT_GREATER_EQUAL; c++)
        test_float_pairs(JIT_FLOAT_BRANCH, c);
    group("float comparisons");
    for (unsigned f = 0; f < JIT_FLOAT_REGISTERS; f++)
        EACH_REGISTER(r)
            for (unsigned round = 0; round < 8; round++) {
                JitInstruction from = make(JIT_FLOAT_FROM_INTEGER, f, r);
                new_floats();
                check_floats(&from);
                JitInstruction in = make(JIT_FLOAT_FROM_BITS, f, r),
                               out = make(JIT_FLOAT_TO_BITS, r, f);
                if (WORD_BITS == 64 && r != JIT_VM) {
                    check_floats(&in);
                    check_floats(&out);
                }
            }
    group("float conversions");
}

/* ---- Frames ---- */

static JitInstruction *add(JitOperation operation, unsigned a, unsigned b, SWord value)
{
    JitInstruction *i = rig_add(&rig, operation);
    i->a = (uint8_t)a;
    i->b = (uint8_t)b;
    i->value = value;
    return i;
}

static void run_program(const char *name, Word result, Word sp, Word fp)
{
    if (!ok(rig_encode(&rig, state.pool), "%s: %s is encoded", rig.name, name))
        return;
    rig_execute(&rig, &state);
    bool held = ok(rig.stop.reason == CPU_FAULT && state.registers[JIT_RESULT] == result &&
                   state.registers[JIT_SP] == sp && state.registers[JIT_FP] == fp,
                   "%s: %s", rig.name, name);
    if (!held)
        diag("  reason %d result 0x%" PRIxWORD " sp 0x%" PRIxWORD " fp 0x%" PRIxWORD,
             rig.stop.reason, state.registers[JIT_RESULT], state.registers[JIT_SP],
             state.registers[JIT_FP]);
    rig.ops->abandon(rig.cpu);
}

/* A method of two arguments is called, makes a frame, answers their sum, and drops them and the
 * receiver. */
static void test_frame(void)
{
    new_state();
    rig_begin(&rig);
    add(JIT_FRAME, 0, 0, 0);
    add(JIT_DROP, 0, 0, -3);
    add(JIT_LOAD, JIT_RESULT, JIT_FP, 3 * WORD_BYTES);
    add(JIT_LOAD, JIT_A, JIT_FP, 2 * WORD_BYTES);
    add(JIT_ADD, JIT_RESULT, JIT_A, 0);
    add(JIT_LEAVE, 0, 0, 3);
    rig_encode(&rig, state.pool);
    Word method = rig.entry, sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
    rig_begin(&rig);
    add(JIT_PUSH_CONSTANT, 0, 0, 1);
    add(JIT_PUSH_CONSTANT, 0, 0, 40);
    add(JIT_PUSH_CONSTANT, 0, 0, 2);
    add(JIT_CALL_LITERAL, 0, 0, 3);
    add(JIT_STOP, 0, 0, 0);
    state.pool[3] = method;
    run_program("a method with a frame", 42, sp, fp);
}

/* The same with receiver and arguments in registers, which the method puts into memory: its answer
 * has a digit of each. */
static void test_operands(void)
{
    static const Word answers[] = {7, 47, 247};
    for (unsigned args = 0; args <= JIT_ARGUMENTS; args++) {
        new_state();
        rig_begin(&rig);
        add(JIT_OPERANDS, 0, 0, (SWord)args);
        add(JIT_FRAME, 0, 0, 0);
        add(JIT_CONSTANT, JIT_RESULT, 0, 0);
        for (unsigned n = 0; n <= args; n++) { /* the last argument is the newest */
            add(JIT_CONSTANT, JIT_A, 0, 10);
            add(JIT_MULTIPLY, JIT_RESULT, JIT_A, 0);
            add(JIT_LOAD, JIT_A, JIT_FP, (SWord)(2 + n) * WORD_BYTES);
            add(JIT_ADD, JIT_RESULT, JIT_A, 0);
        }
        add(JIT_LEAVE, 0, 0, (SWord)args + 1);
        rig_encode(&rig, state.pool);
        state.pool[3] = rig.entry;
        Word sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
        rig_begin(&rig);
        add(JIT_CONSTANT, JIT_RECEIVER, 0, 7);
        add(JIT_CONSTANT, JIT_ARGUMENT_0, 0, 4);
        add(JIT_CONSTANT, JIT_ARGUMENT_1, 0, 2);
        add(JIT_CALL_LITERAL, 0, 0, 3);
        add(JIT_STOP, 0, 0, 0);
        run_program("a method with operands in registers", answers[args], sp, fp);
    }
}

static void test_frameless(void)
{
    new_state();
    Word sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
    rig_begin(&rig);
    add(JIT_MOVE, JIT_RESULT, JIT_A, 0);
    add(JIT_RETURN, 0, 0, 2);
    rig_encode(&rig, state.pool);
    state.pool[0] = rig.entry;
    rig_begin(&rig);
    add(JIT_PUSH_CONSTANT, 0, 0, 1);
    add(JIT_PUSH_CONSTANT, 0, 0, 2);
    add(JIT_CONSTANT, JIT_A, 0, 77);
    add(JIT_CALL_LITERAL, 0, 0, 0);
    add(JIT_STOP, 0, 0, 0);
    run_program("a method without a frame", 77, sp, fp);
}

static void test_taken_return(void)
{
    new_state();
    Word sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
    rig_begin(&rig);
    state.registers[JIT_VM] = state.start;
    add(JIT_TAKE_RETURN, 0, JIT_VM, 16);
    add(JIT_CONSTANT, JIT_RESULT, 0, 5);
    add(JIT_LOAD, JIT_A, JIT_VM, 16);
    add(JIT_SET_RETURN, JIT_A, 0, 0);
    add(JIT_RETURN, 0, 0, 0);
    rig_encode(&rig, state.pool);
    state.pool[7] = rig.entry;
    rig_begin(&rig);
    add(JIT_CALL_LITERAL, 0, 0, 7);
    add(JIT_ADD_CONSTANT, JIT_RESULT, 0, 1);
    add(JIT_STOP, 0, 0, 0);
    run_program("a return address taken and put back", 6, sp, fp);
}

/* A loop, with branches in both directions and one too far for a short one. */
static void test_loop(void)
{
    new_state();
    Word sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
    rig_begin(&rig);
    add(JIT_CONSTANT, JIT_A, 0, 10);
    add(JIT_CONSTANT, JIT_RESULT, 0, 0);
    rig_add(&rig, JIT_LABEL)->label = 0;
    JitInstruction *out = add(JIT_BRANCH_CONSTANT, JIT_A, 0, 0);
    out->condition = JIT_EQUAL;
    out->label = 1;
    for (int n = 0; n < 40; n++)
        add(JIT_ADD_CONSTANT, JIT_RESULT, 0, 0x12345);
    add(JIT_ADD_CONSTANT, JIT_A, 0, -1);
    rig_add(&rig, JIT_JUMP)->label = 0;
    rig_add(&rig, JIT_LABEL)->label = 1;
    add(JIT_STOP, 0, 0, 0);
    run_program("a loop", 400 * 0x12345, sp, fp);
}

/* What does not fit is refused. */
static void test_refusals(void)
{
    uint8_t small[8];
    JitInstruction program[8];
    for (unsigned n = 0; n < 8; n++) {
        program[n] = make(JIT_CONSTANT, JIT_A, 0);
        program[n].value = 0x12345678;
    }
    JitCode code = {.instructions = program, .count = 8, .labels = 1, .address = rig.landing,
                    .out = small, .capacity = sizeof small};
    is_int(rig.jit->encode(&code), 0, "%s: a buffer too small is refused", rig.name);
    program[0].operation = JIT_OPERATIONS;
    code.count = 1;
    is_int(rig.jit->encode(&code), 0, "%s: so is an unknown operation", rig.name);
}

/* ---- All of it ---- */

static void test_back_end(void)
{
    test_moves();
    test_memory();
    test_stack();
    test_arithmetic();
    test_checked();
    test_branches();
    test_transfers();
    test_floats();
    test_frame();
    test_operands();
    test_frameless();
    test_taken_return();
    test_loop();
    test_refusals();
}

int main(void)
{
    static const char *const names[] = {"x64", "arm", "mips"};
    OsvmWorld *world = world_live_new();
    unsigned found = 0;
    diag("seed %" PRIu64, seed);
    for (unsigned n = 0; n < 3; n++)
        if (rig_open(&rig, names[n], world)) {
            found++;
            test_back_end();
            rig_close(&rig);
        }
    world_free(world);
    if (!found) {
        printf("1..0 # SKIP no back end for %d bits in this build\n", WORD_BITS);
        return 0;
    }
    return done_testing();
}
