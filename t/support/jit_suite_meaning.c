/* What each abstract instruction means: it is encoded, read back by the disassembler, executed, and compared
 * with the model; alone over all registers and corner values, and in programs that call and loop. */
#include "t/support/jit_suite.h"

#include <string.h>

JitRig rig;
ModelState suite_state;
unsigned suite_cases, suite_wrong, suite_every = 1;
static uint64_t seed = SUITE_SEED;

/* ---- Values ---- */

uint64_t suite_random(void)
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
    return suite_random() % 3 ? (Word)corners[suite_random() % CORNERS] : (Word)suite_random();
}

void suite_new_state(void)
{
    suite_state.start = pointer_word(rig.data);
    for (unsigned r = 0; r < JIT_REGISTERS; r++)
        suite_state.registers[r] = corner();
    for (unsigned at = 0; at < MODEL_MEMORY; at += 8) {
        uint64_t word = suite_random();
        memcpy(suite_state.memory + at, &word, 8);
    }
    for (unsigned p = 0; p < MODEL_POOL; p++)
        suite_state.pool[p] = corner();
    suite_state.registers[JIT_SP] = suite_state.start + MIDDLE;
}

/* ---- One case ---- */

static void report(const JitInstruction *i, const char *why)
{
    if (++suite_wrong > 20)
        return;
    suite_note("operation %d condition %d size %d a %d b %d c %d value 0x%" PRIxWORD " extra 0x%x: %s",
               i->operation, i->condition, i->size, i->a, i->b, i->c, (Word)i->value,
               (unsigned)i->extra, why);
    for (unsigned r = 0; r < JIT_REGISTERS; r++)
        suite_note("    %s was 0x%" PRIxWORD, rig.jit->registers[r], suite_state.registers[r]);
    char bytes[128] = "";
    for (uint32_t b = 0; b < rig.bytes && b < 40; b++)
        snprintf(bytes + 3 * b, sizeof bytes - 3 * b, "%02X ",
                 ((uint8_t *)word_pointer(rig.entry))[b]);
    suite_note("    %s", bytes);
}

static void check(const JitInstruction *i)
{
    const char *what = "";
    if (suite_cases++ % suite_every)
        return;
    if (!rig_agrees(&rig, i, &suite_state))
        report(i, rig.why);
    else if (rig.looker && !rig_reads_back(&rig, 0, &what))
        report(i, what);
}

static JitInstruction make(JitOperation operation, unsigned a, unsigned b)
{
    return (JitInstruction){.operation = (uint8_t)operation, .a = (uint8_t)a, .b = (uint8_t)b,
                            .size = WORD_SHIFT};
}

#define EACH_REGISTER(r) for (unsigned r = 0; r < JIT_REGISTERS; r++) if (r != JIT_SP)

void suite_group(const char *name)
{
    test(suite_wrong == 0, "%s: %u cases", name, suite_cases);
    suite_cases = suite_wrong = 0;
}

/* ---- Groups ---- */

void suite_moves(void)
{
    EACH_REGISTER(a)
        EACH_REGISTER(b) {
            suite_new_state();
            JitInstruction i = make(JIT_MOVE, a, b);
            check(&i);
        }
    EACH_REGISTER(a)
        for (unsigned k = 0; k < CORNERS; k++) {
            suite_new_state();
            JitInstruction i = make(JIT_CONSTANT, a, 0);
            i.value = (SWord)corners[k];
            check(&i);
        }
    EACH_REGISTER(a)
        for (unsigned p = 0; p < MODEL_POOL; p++) {
            suite_new_state();
            JitInstruction i = make(JIT_LITERAL, a, 0);
            i.value = (SWord)p;
            check(&i);
        }
    suite_group("moves and constants");
}

static void test_memory_operation(JitOperation operation, unsigned sizes)
{
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned o = 0; o < OFFSETS; o++) {
                if (a == JIT_SP || (b == JIT_SP && (offsets[o] > 512 || offsets[o] < -512)))
                    continue;
                JitInstruction i = make(operation, a, b);
                suite_new_state();
                i.size = (uint8_t)((a + o) % sizes + (sizes == 1 ? WORD_SHIFT : 0));
                i.value = offsets[o];
                if (b != JIT_SP)
                    suite_state.registers[b] =
                        suite_state.start + MIDDLE - 512 + 8 * (o % 4) - (Word)offsets[o];
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
                suite_new_state();
                i.c = (uint8_t)c;
                i.size = (uint8_t)((a + b + c) % (WORD_SHIFT + 1));
                i.value = small[(a * 7 + b * 3 + c) % 8];
                suite_state.registers[c] = (Word)(suite_random() % 41) - 20;
                suite_state.registers[b] = suite_state.start + MIDDLE - (Word)i.value;
                check(&i);
            }
}

void suite_memory(void)
{
    test_memory_operation(JIT_LOAD, WORD_SHIFT + 1);
    test_memory_operation(JIT_STORE, WORD_SHIFT + 1);
    suite_group("loads and stores");
    test_indexed_operation(JIT_LOAD_INDEXED);
    test_indexed_operation(JIT_STORE_INDEXED);
    suite_group("indexed loads and stores");
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (unsigned k = 0; k < CORNERS; k++) {
            JitInstruction i = make(JIT_STORE_CONSTANT, 0, b);
            suite_new_state();
            i.extra = (int32_t)corners[k];
            i.value = 8 * (SWord)(k % 40) - 160;
            if (b != JIT_SP)
                suite_state.registers[b] = suite_state.start + MIDDLE;
            check(&i);
        }
    suite_group("stores of constants");
}

void suite_stack(void)
{
    EACH_REGISTER(a) {
        JitInstruction push = make(JIT_PUSH, a, 0), pop = make(JIT_POP, a, 0);
        suite_new_state();
        check(&push);
        check(&pop);
    }
    for (unsigned k = 0; k < CORNERS; k++) {
        JitInstruction i = make(JIT_PUSH_CONSTANT, 0, 0);
        suite_new_state();
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
    suite_group("stack");
}

static void test_arithmetic_of(JitOperation operation, bool shifts)
{
    EACH_REGISTER(a)
        EACH_REGISTER(b)
            for (unsigned round = 0; round < 4; round++) {
                JitInstruction i = make(operation, a, b);
                suite_new_state();
                if (shifts)
                    suite_state.registers[b] = (Word)(suite_random() % WORD_BITS);
                check(&i);
            }
}

static void test_constant_operation(JitOperation operation, bool shifts)
{
    EACH_REGISTER(a)
        for (unsigned k = 0; k < (shifts ? (unsigned)WORD_BITS : (unsigned)CORNERS); k++) {
            JitInstruction i = make(operation, a, 0);
            suite_new_state();
            i.value = shifts ? (SWord)k : (SWord)corners[k];
            check(&i);
        }
}

void suite_arithmetic(void)
{
    for (JitOperation o = JIT_ADD; o <= JIT_XOR; o++)
        test_arithmetic_of(o, false);
    for (JitOperation o = JIT_SHIFT_LEFT; o <= JIT_SHIFT_RIGHT_UNSIGNED; o++)
        test_arithmetic_of(o, true);
    suite_group("arithmetic");
    for (JitOperation o = JIT_ADD_CONSTANT; o <= JIT_XOR_CONSTANT; o++)
        test_constant_operation(o, false);
    for (JitOperation o = JIT_SHIFT_LEFT_CONSTANT; o <= JIT_ROTATE_RIGHT_CONSTANT; o++)
        test_constant_operation(o, true);
    suite_group("arithmetic with constants");
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned o = 0; o < OFFSETS; o++) {
                JitInstruction i = make(JIT_ADDRESS, a, b);
                suite_new_state();
                i.value = offsets[o] + (SWord)(o % 2);
                if (a == JIT_SP && b != JIT_SP) /* it stays a stack pointer */
                    suite_state.registers[b] = suite_state.start + MIDDLE + 64 - (Word)i.value;
                if (a != JIT_SP || (b != JIT_SP || (i.value > -512 && i.value < 512)))
                    check(&i);
            }
    suite_group("addresses");
}

void suite_checked(void)
{
    for (JitOperation o = JIT_ADD_CHECKED; o <= JIT_MULTIPLY_CHECKED; o++)
        EACH_REGISTER(a)
            EACH_REGISTER(b)
                for (unsigned round = 0; round < 6; round++) {
                    JitInstruction i = make(o, a, b);
                    suite_new_state();
                    check(&i);
                }
    test_constant_operation(JIT_ADD_CONSTANT_CHECKED, false);
    test_constant_operation(JIT_ADD_CONSTANT_CHECKED, false);
    suite_group("checked arithmetic");
    EACH_REGISTER(c)
        for (unsigned round = 0; round < 100; round++) {
            JitInstruction i = make(JIT_DIVIDE, 0, 0);
            suite_new_state();
            i.c = (uint8_t)c;
            SWord divisor = (SWord)suite_state.registers[c];
            if (c == JIT_RESULT || c == JIT_B || divisor == 0 || divisor == -1)
                continue;
            check(&i);
        }
    suite_group("division");
}

/* Values that are equal, or near one another, half of the time. */
static void close_values(Word *a, const Word *b)
{
    static const SWord near[] = {0, 0, 1, -1};
    if (suite_random() % 2)
        *a = *b + (Word)near[suite_random() % 4];
}

static void test_branches_on_registers(JitCondition condition)
{
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned round = 0; round < 3; round++) {
                JitInstruction i = make(JIT_BRANCH, a, b);
                i.condition = (uint8_t)condition;
                suite_new_state();
                if (a == JIT_SP)
                    close_values(&suite_state.registers[b], &suite_state.registers[a]);
                else
                    close_values(&suite_state.registers[a], &suite_state.registers[b]);
                suite_state.registers[JIT_SP] = suite_state.start + MIDDLE;
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
            suite_new_state();
            close_values(&suite_state.registers[a], (Word *)&i.value);
            check(&i);
        }
}

static void test_branches_on_memory(JitCondition condition)
{
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned round = 0; round < 3; round++) {
                if (a == b)
                    continue;
                JitInstruction i = make(JIT_BRANCH_LOADED, a, b);
                i.condition = (uint8_t)condition;
                suite_new_state();
                i.value = 8 * (SWord)(suite_random() % 32);
                if (b != JIT_SP)
                    suite_state.registers[b] = suite_state.start + MIDDLE;
                Word at = suite_state.registers[b] + (Word)i.value;
                Word loaded = model_load(&suite_state, at, WORD_SHIFT);
                if (a == JIT_SP) {
                    close_values(&loaded, &suite_state.registers[a]);
                    model_store(&suite_state, at, WORD_SHIFT, loaded);
                } else {
                    close_values(&suite_state.registers[a], &loaded);
                }
                check(&i);
                if (a == JIT_SP)
                    continue;
                i.operation = JIT_BRANCH_LITERAL;
                i.value = (SWord)(suite_random() % MODEL_POOL);
                close_values(&suite_state.registers[a], &suite_state.pool[i.value]);
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
            suite_new_state();
            i.value = 8 * (SWord)(suite_random() % 32);
            if (b != JIT_SP)
                suite_state.registers[b] = suite_state.start + MIDDLE;
            Word value = (Word)(SWord)i.extra;
            close_values(&value, &value);
            model_store(&suite_state, suite_state.registers[b] + (Word)i.value, WORD_SHIFT, value);
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
            suite_new_state();
            if (suite_random() % 2)
                suite_state.registers[a] &= ~(Word)i.value;
            check(&i);
        }
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (unsigned k = 0; k < CORNERS; k++) {
            JitInstruction i = make(JIT_BRANCH_BITS_LOADED, 0, b);
            i.condition = (uint8_t)condition;
            i.extra = (int32_t)corners[k];
            suite_new_state();
            i.value = 4 * (SWord)(suite_random() % 64);
            if (b != JIT_SP)
                suite_state.registers[b] = suite_state.start + MIDDLE;
            Word at = suite_state.registers[b] + (Word)i.value;
            if (suite_random() % 2)
                model_store(&suite_state, at, 2, model_load(&suite_state, at, 2) & ~(Word)(uint32_t)i.extra);
            check(&i);
        }
}

void suite_branches(void)
{
    for (JitCondition c = JIT_EQUAL; c <= JIT_ABOVE_EQUAL; c++) {
        test_branches_on_registers(c);
        test_branches_on_constants(c);
        test_branches_on_memory(c);
        test_branches_on_loaded_constants(c);
    }
    test_bit_branches(JIT_EQUAL);
    test_bit_branches(JIT_NOT_EQUAL);
    suite_group("branches");
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (int value = -2; value < 4; value++) {
            JitInstruction i = make(JIT_COUNT_DOWN, 0, b);
            suite_new_state();
            i.value = 8 * (SWord)(b % 4);
            if (b != JIT_SP)
                suite_state.registers[b] = suite_state.start + MIDDLE;
            model_store(&suite_state, suite_state.registers[b] + (Word)i.value, WORD_SHIFT,
                        (Word)(SWord)value);
            check(&i);
        }
    suite_group("counting down");
}

void suite_transfers(void)
{
    JitInstruction jump = make(JIT_JUMP, 0, 0);
    suite_new_state();
    check(&jump);
    EACH_REGISTER(a) {
        JitInstruction i = make(JIT_JUMP_REGISTER, a, 0);
        suite_new_state();
        suite_state.registers[a] = rig.landing;
        check(&i);
    }
    for (unsigned b = 0; b < JIT_REGISTERS; b++)
        for (unsigned o = 0; o < OFFSETS; o++)
            for (JitOperation operation = JIT_JUMP_LOADED; operation <= JIT_CALL_LOADED;
                 operation++) {
                if (b == JIT_SP && (offsets[o] > 512 || offsets[o] < -512))
                    continue;
                if (b == JIT_SP && offsets[o] < 0 && !rig.simulated) /* the registers come from there */
                    continue;
                JitInstruction i = make(operation, 0, b);
                suite_new_state();
                i.value = offsets[o];
                if (b != JIT_SP)
                    suite_state.registers[b] = suite_state.start + MIDDLE - 512 - (Word)offsets[o];
                model_store(&suite_state, suite_state.registers[b] + (Word)offsets[o], WORD_SHIFT,
                            rig.landing);
                check(&i);
            }
    for (unsigned p = 0; p < MODEL_POOL; p++) {
        JitInstruction i = make(JIT_CALL_LITERAL, 0, 0);
        suite_new_state();
        i.value = (SWord)p;
        suite_state.pool[p] = rig.landing;
        check(&i);
    }
    suite_group("jumps and calls");
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
    if (suite_cases++ % suite_every)
        return;
    if (!rig_agrees_on_floats(&rig, i, &suite_state))
        report(i, rig.why);
}

static void new_floats(void)
{
    suite_new_state();
    suite_state.registers[JIT_VM] = suite_state.start;
    for (unsigned f = 0; f < JIT_FLOAT_REGISTERS; f++)
        suite_state.floats[f] = float_corners[suite_random() % FLOAT_CORNERS];
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
                    suite_state.floats[a] = float_corners[x];
                    suite_state.floats[b] = float_corners[y];
                    check_floats(&i);
                }
}

void suite_floats(void)
{
    for (JitOperation o = JIT_FLOAT_ADD; o <= JIT_FLOAT_SQUARE_ROOT; o++)
        test_float_pairs(o, JIT_EQUAL);
    suite_group("floats");
    for (JitCondition c = JIT_EQUAL; c <= JIT_GREATER_EQUAL; c++)
        test_float_pairs(JIT_FLOAT_BRANCH, c);
    suite_group("float comparisons");
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
    suite_group("float conversions");
}

/* ---- Frames ---- */

JitInstruction *suite_add(JitOperation operation, unsigned a, unsigned b, SWord value)
{
    JitInstruction *i = rig_add(&rig, operation);
    i->a = (uint8_t)a;
    i->b = (uint8_t)b;
    i->value = value;
    return i;
}

void suite_close(void)
{
    rig_leave(&rig, EXIT_NEXT);
}

/* The program closes; the state is what it leaves. */
static bool run_closed(const char *name)
{
    if (!test(rig_encode(&rig, suite_state.pool, MODEL_POOL), "%s is encoded", name))
        return false;
    rig_execute(&rig, &suite_state);
    bool held = rig_ended(&rig, EXIT_NEXT);
    rig_give_up(&rig);
    return test(held, "%s comes to its end", name);
}

static void run_program(const char *name, Word result, Word sp, Word fp)
{
    suite_close();
    if (!run_closed(name))
        return;
    bool held = test(suite_state.registers[JIT_RESULT] == result &&
                     suite_state.registers[JIT_SP] == sp && suite_state.registers[JIT_FP] == fp, "%s", name);
    if (!held)
        suite_note("  result 0x%" PRIxWORD " sp 0x%" PRIxWORD " fp 0x%" PRIxWORD,
                   suite_state.registers[JIT_RESULT], suite_state.registers[JIT_SP],
               suite_state.registers[JIT_FP]);
}

void suite_begin(void)
{
    rig_begin(&rig);
    rig_enter(&rig);
}

/* What has been added is code that others call. */
static Word encode_method(void)
{
    rig_encode(&rig, suite_state.pool, MODEL_POOL);
    return rig.entry;
}

/* A method of two arguments is called, makes a frame, answers their sum, and drops them and the
 * receiver. */
void suite_frame(void)
{
    suite_new_state();
    rig_begin(&rig);
    suite_add(JIT_FRAME, 0, 0, 0);
    suite_add(JIT_DROP, 0, 0, -3);
    suite_add(JIT_LOAD, JIT_RESULT, JIT_FP, 3 * WORD_BYTES);
    suite_add(JIT_LOAD, JIT_A, JIT_FP, 2 * WORD_BYTES);
    suite_add(JIT_ADD, JIT_RESULT, JIT_A, 0);
    suite_add(JIT_LEAVE, 0, 0, 3);
    Word method = encode_method(), sp = suite_state.registers[JIT_SP], fp = suite_state.registers[JIT_FP];
    suite_begin();
    suite_add(JIT_PUSH_CONSTANT, 0, 0, 1);
    suite_add(JIT_PUSH_CONSTANT, 0, 0, 40);
    suite_add(JIT_PUSH_CONSTANT, 0, 0, 2);
    suite_add(JIT_CALL_LITERAL, 0, 0, 3);
    suite_state.pool[3] = method;
    run_program("a method with a frame", 42, sp, fp);
}

/* The same with receiver and arguments in registers, which the method puts into memory: its answer
 * has a digit of each. */
void suite_operands(void)
{
    static const Word answers[] = {7, 47, 247};
    for (unsigned args = 0; args <= JIT_ARGUMENTS; args++) {
        suite_new_state();
        rig_begin(&rig);
        suite_add(JIT_OPERANDS, 0, 0, (SWord)args);
        suite_add(JIT_FRAME, 0, 0, 0);
        suite_add(JIT_CONSTANT, JIT_RESULT, 0, 0);
        for (unsigned n = 0; n <= args; n++) { /* the last argument is the newest */
            suite_add(JIT_CONSTANT, JIT_A, 0, 10);
            suite_add(JIT_MULTIPLY, JIT_RESULT, JIT_A, 0);
            suite_add(JIT_LOAD, JIT_A, JIT_FP, (SWord)(2 + n) * WORD_BYTES);
            suite_add(JIT_ADD, JIT_RESULT, JIT_A, 0);
        }
        suite_add(JIT_LEAVE, 0, 0, (SWord)args + 1);
        suite_state.pool[3] = encode_method();
        Word sp = suite_state.registers[JIT_SP], fp = suite_state.registers[JIT_FP];
        suite_begin();
        suite_add(JIT_CONSTANT, JIT_RECEIVER, 0, 7);
        suite_add(JIT_CONSTANT, JIT_ARGUMENT_0, 0, 4);
        suite_add(JIT_CONSTANT, JIT_ARGUMENT_1, 0, 2);
        suite_add(JIT_CALL_LITERAL, 0, 0, 3);
        run_program("a method with operands in registers", answers[args], sp, fp);
    }
}

void suite_frameless(void)
{
    suite_new_state();
    Word sp = suite_state.registers[JIT_SP], fp = suite_state.registers[JIT_FP];
    rig_begin(&rig);
    suite_add(JIT_MOVE, JIT_RESULT, JIT_A, 0);
    suite_add(JIT_RETURN, 0, 0, 2);
    suite_state.pool[0] = encode_method();
    suite_begin();
    suite_add(JIT_PUSH_CONSTANT, 0, 0, 1);
    suite_add(JIT_PUSH_CONSTANT, 0, 0, 2);
    suite_add(JIT_CONSTANT, JIT_A, 0, 77);
    suite_add(JIT_CALL_LITERAL, 0, 0, 0);
    run_program("a method without a frame", 77, sp, fp);
}

void suite_taken_return(void)
{
    suite_new_state();
    Word sp = suite_state.registers[JIT_SP], fp = suite_state.registers[JIT_FP];
    rig_begin(&rig);
    suite_state.registers[JIT_VM] = suite_state.start;
    suite_add(JIT_TAKE_RETURN, 0, JIT_VM, 16);
    suite_add(JIT_CONSTANT, JIT_RESULT, 0, 5);
    suite_add(JIT_LOAD, JIT_A, JIT_VM, 16);
    suite_add(JIT_SET_RETURN, JIT_A, 0, 0);
    suite_add(JIT_RETURN, 0, 0, 0);
    suite_state.pool[7] = encode_method();
    suite_begin();
    suite_add(JIT_CALL_LITERAL, 0, 0, 7);
    suite_add(JIT_ADD_CONSTANT, JIT_RESULT, 0, 1);
    run_program("a return address taken and put back", 6, sp, fp);
}

/* A loop, with branches in both directions and one too far for a short one. */
void suite_loop(void)
{
    suite_new_state();
    Word sp = suite_state.registers[JIT_SP], fp = suite_state.registers[JIT_FP];
    suite_begin();
    suite_add(JIT_CONSTANT, JIT_A, 0, 10);
    suite_add(JIT_CONSTANT, JIT_RESULT, 0, 0);
    rig_add(&rig, JIT_LABEL)->label = 0;
    JitInstruction *out = suite_add(JIT_BRANCH_CONSTANT, JIT_A, 0, 0);
    out->condition = JIT_EQUAL;
    out->label = 1;
    for (int n = 0; n < 40; n++)
        suite_add(JIT_ADD_CONSTANT, JIT_RESULT, 0, 0x12345);
    suite_add(JIT_ADD_CONSTANT, JIT_A, 0, -1);
    rig_add(&rig, JIT_JUMP)->label = 0;
    rig_add(&rig, JIT_LABEL)->label = 1;
    run_program("a loop", 400 * 0x12345, sp, fp);
}
