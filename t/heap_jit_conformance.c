/* Every back end of the JIT, in every variant, against the contract of osvm/jit.h: every abstract
 * instruction over all registers and corner values is encoded, read back by the disassembler, executed on
 * every processor that can, and compared with what it means in C.
 *
 *     heap_jit_conformance.64 [PLUGIN.so...]    without arguments: those of the build
 *
 * OSVM_SHIM=no: without the shim; only: behind it alone. OSVM_SAMPLE=N: every N-th of the cases in which an
 * instruction stands alone.
 */
// LINK: t/support/jit_rig.c t/support/jit_model.c t/support/plugin_user.c
#include <dlfcn.h>
#include <glob.h>
#include <unistd.h>

#include "t/support/jit_rig.h"
#include "tap.h"

static JitRig rig;
static char label[256]; /* jit/x64/w64/production/sim */
static ModelState state;
static uint64_t seed = 20260101;
static unsigned cases, wrong;
static unsigned every = 1; /* every so many cases one is run */

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
    if (cases++ % every)
        return;
    if (!rig_agrees(&rig, i, &state))
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

/* Ends a group: one line of TAP. */
static void group(const char *name)
{
    ok(wrong == 0, "%s: %s: %u cases", label, name, cases);
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
                if (a == JIT_SP && b != JIT_SP) /* it stays a stack pointer */
                    state.registers[b] = state.start + MIDDLE + 64 - (Word)i.value;
                if (a != JIT_SP || (b != JIT_SP || (i.value > -512 && i.value < 512)))
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
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < JIT_REGISTERS; b++)
            for (unsigned round = 0; round < 3; round++) {
                JitInstruction i = make(JIT_BRANCH, a, b);
                i.condition = (uint8_t)condition;
                new_state();
                if (a == JIT_SP)
                    close_values(&state.registers[b], &state.registers[a]);
                else
                    close_values(&state.registers[a], &state.registers[b]);
                state.registers[JIT_SP] = state.start + MIDDLE;
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
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
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
                Word at = state.registers[b] + (Word)i.value, loaded = model_load(&state, at, WORD_SHIFT);
                if (a == JIT_SP) {
                    close_values(&loaded, &state.registers[a]);
                    model_store(&state, at, WORD_SHIFT, loaded);
                } else {
                    close_values(&state.registers[a], &loaded);
                }
                check(&i);
                if (a == JIT_SP)
                    continue;
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
                if (b == JIT_SP && offsets[o] < 0 && !rig.simulated) /* the registers come from there */
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
    if (cases++ % every)
        return;
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

static void close_program(void)
{
    rig_leave(&rig, EXIT_NEXT);
}

/* The program closes; the state is what it leaves. */
static bool run_closed(const char *name)
{
    if (!ok(rig_encode(&rig, state.pool, MODEL_POOL), "%s: %s is encoded", label, name))
        return false;
    rig_execute(&rig, &state);
    bool held = rig_ended(&rig, EXIT_NEXT);
    rig_give_up(&rig);
    return ok(held, "%s: %s comes to its end", label, name);
}

static void run_program(const char *name, Word result, Word sp, Word fp)
{
    close_program();
    if (!run_closed(name))
        return;
    bool held = ok(state.registers[JIT_RESULT] == result && state.registers[JIT_SP] == sp &&
                   state.registers[JIT_FP] == fp, "%s: %s", label, name);
    if (!held)
        diag("  result 0x%" PRIxWORD " sp 0x%" PRIxWORD " fp 0x%" PRIxWORD,
             state.registers[JIT_RESULT], state.registers[JIT_SP], state.registers[JIT_FP]);
}

static void begin_program(void)
{
    rig_begin(&rig);
    rig_enter(&rig);
}

/* What has been added is code that others call. */
static Word encode_method(void)
{
    rig_encode(&rig, state.pool, MODEL_POOL);
    return rig.entry;
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
    Word method = encode_method(), sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
    begin_program();
    add(JIT_PUSH_CONSTANT, 0, 0, 1);
    add(JIT_PUSH_CONSTANT, 0, 0, 40);
    add(JIT_PUSH_CONSTANT, 0, 0, 2);
    add(JIT_CALL_LITERAL, 0, 0, 3);
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
        state.pool[3] = encode_method();
        Word sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
        begin_program();
        add(JIT_CONSTANT, JIT_RECEIVER, 0, 7);
        add(JIT_CONSTANT, JIT_ARGUMENT_0, 0, 4);
        add(JIT_CONSTANT, JIT_ARGUMENT_1, 0, 2);
        add(JIT_CALL_LITERAL, 0, 0, 3);
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
    state.pool[0] = encode_method();
    begin_program();
    add(JIT_PUSH_CONSTANT, 0, 0, 1);
    add(JIT_PUSH_CONSTANT, 0, 0, 2);
    add(JIT_CONSTANT, JIT_A, 0, 77);
    add(JIT_CALL_LITERAL, 0, 0, 0);
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
    state.pool[7] = encode_method();
    begin_program();
    add(JIT_CALL_LITERAL, 0, 0, 7);
    add(JIT_ADD_CONSTANT, JIT_RESULT, 0, 1);
    run_program("a return address taken and put back", 6, sp, fp);
}

/* A loop, with branches in both directions and one too far for a short one. */
static void test_loop(void)
{
    new_state();
    Word sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
    begin_program();
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
    run_program("a loop", 400 * 0x12345, sp, fp);
}

/* ---- Branches of every length, and a pool far away ---- */

/* How a branch is written that is taken. All compare register A, which is 5. */
static JitInstruction *add_taken_branch(JitOperation operation, unsigned branch_label)
{
    JitInstruction *i = add(operation, JIT_A, JIT_B, 0);
    i->condition = operation == JIT_BRANCH_BITS ? JIT_NOT_EQUAL : JIT_EQUAL;
    i->label = (uint16_t)branch_label;
    i->value = operation == JIT_BRANCH_BITS ? 4 : operation == JIT_BRANCH_CONSTANT ? 5 : 0;
    return i;
}

/* Over `bytes` bytes or a few more: forward, or back to where the end is. */
static bool branches_over(JitOperation operation, uint32_t bytes, bool back)
{
    static const unsigned filler_bytes = 4;
    unsigned fillers = bytes / filler_bytes;
    new_state();
    begin_program();
    add(JIT_CONSTANT, JIT_A, 0, 5);
    add(JIT_CONSTANT, JIT_B, 0, 5);
    add(JIT_CONSTANT, JIT_RESULT, 0, 1);
    if (back) {
        rig_add(&rig, JIT_JUMP)->label = 1;
        rig_add(&rig, JIT_LABEL)->label = 0;
        close_program();
    } else {
        add_taken_branch(operation, 0);
    }
    for (unsigned n = 0; n < fillers; n++) /* three or four bytes each on machines that we know */
        add(JIT_SUBTRACT, JIT_RESULT, JIT_RESULT, 0);
    if (back) {
        rig_add(&rig, JIT_LABEL)->label = 1;
        add_taken_branch(operation, 0);
        add(JIT_CONSTANT, JIT_RESULT, 0, 2);
        rig_leave(&rig, EXIT_LABEL);
    } else {
        rig_add(&rig, JIT_LABEL)->label = 0;
        close_program();
    }
    cases++;
    if (!rig_encode(&rig, state.pool, MODEL_POOL)) {
        diag("%u fillers %s were refused", fillers, back ? "back" : "forward");
        return false;
    }
    rig_execute(&rig, &state);
    bool held = rig_ended(&rig, EXIT_NEXT) && state.registers[JIT_RESULT] == 1;
    rig_give_up(&rig);
    if (!held)
        diag("operation %d over %u fillers %s: RESULT is 0x%" PRIxWORD, operation, fillers,
             back ? "back" : "forward", state.registers[JIT_RESULT]);
    return held;
}

/* Around the distances that encodings have: 8, 16 and 18 bits; with every kind of branch where it matters
 * most. */
static void test_distances(void)
{
    static const JitOperation kinds[] = {JIT_BRANCH, JIT_BRANCH_CONSTANT, JIT_BRANCH_BITS, JIT_JUMP};
    for (unsigned k = 0; k < 4; k++)
        for (uint32_t bytes = 96; bytes <= 280; bytes += 4)
            for (unsigned back = 0; back < 2; back++)
                wrong += !branches_over(kinds[k], bytes, back);
    static const uint32_t far[] = {1000, 2040, 4000, 4100, 8190, 32600, 32760, 32800, 44000, 65500, 65600};
    for (unsigned n = 0; n < sizeof far / sizeof *far; n++)
        for (unsigned back = 0; back < 2; back++)
            wrong += !branches_over(kinds[n % 4], far[n], back);
    group("branches of every length");
}

static void test_far_pool(void)
{
    static Word pool[RIG_POOL];
    static const unsigned words[] = {0, 1, 500, RIG_POOL - 1};
    new_state();
    Word sum = 0, landing = rig.landing;
    for (unsigned n = 0; n < RIG_POOL; n++)
        pool[n] = (Word)random_word();
    begin_program();
    add(JIT_CONSTANT, JIT_RESULT, 0, 0);
    for (unsigned n = 0; n < 4; n++) {
        for (unsigned filler = 0; filler < 2000; filler++)
            add(JIT_MOVE, JIT_B, JIT_A, 0);
        add(JIT_LITERAL, JIT_A, 0, (SWord)words[n]);
        add(JIT_ADD, JIT_RESULT, JIT_A, 0);
        sum += pool[words[n]];
    }
    close_program();
    cases++;
    if (rig_encode(&rig, pool, RIG_POOL)) {
        rig_execute(&rig, &state);
        wrong += !rig_ended(&rig, EXIT_NEXT) || state.registers[JIT_RESULT] != sum;
        rig_give_up(&rig);
    } else {
        wrong++;
    }
    wrong += landing != rig.landing;
    group("a pool of many words, far away");
}

/* ---- Stubs ---- */

static struct {
    uintptr_t arguments[CPU_ARGUMENTS];
    RigVm vm;            /* as it was */
    Word answer, push;   /* push: onto the stack of machine code, 0: nothing */
    unsigned calls;
    bool aligned;
} called;

static uintptr_t routine(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    const uintptr_t arguments[CPU_ARGUMENTS] = {a, b, c, d};
    memcpy(called.arguments, arguments, sizeof arguments);
    called.vm = *rig.vm;
    called.calls++;
    called.aligned = rig.simulated || /* there a stack that is not aligned is a fault */
                     (uintptr_t)__builtin_frame_address(0) % rig.machine->stack_alignment == 0;
    if (called.push) {
        rig.vm->sp -= WORD_BYTES;
        *(Word *)word_pointer(rig.vm->sp) = called.push;
    }
    return called.answer;
}

static const CpuRoutine routines[2] = {
    [RIG_LEAF] = {"leaf", routine, 4, true},
    [RIG_SWITCHING] = {"switching", routine, 4, false},
};

/* A program that calls one of the stubs; answers the address behind the call. */
static Word make_caller(size_t stub_offset)
{
    static const uint8_t set[] = {JIT_A, JIT_B, JIT_C, JIT_RECEIVER, JIT_ARGUMENT_0, JIT_ARGUMENT_1};
    rig_begin(&rig);
    add(JIT_CONSTANT, JIT_VM, 0, (SWord)pointer_word(rig.vm));
    for (unsigned n = 0; n < sizeof set; n++)
        add(JIT_CONSTANT, set[n], 0, (SWord)(1001 + n));
    add(JIT_CALL_LOADED, 0, JIT_VM, (SWord)stub_offset);
    unsigned behind = rig.count;
    rig_add(&rig, JIT_LABEL);
    /* What it was answered, and what it has kept, goes on: RESULT is a digit each, if all is well. */
    static const uint8_t kept[] = {JIT_RECEIVER, JIT_ARGUMENT_0, JIT_ARGUMENT_1};
    for (unsigned n = 0; n < sizeof kept; n++)
        add(JIT_STORE, kept[n], JIT_SP, -(SWord)(8 + n) * WORD_BYTES);
    add(JIT_STORE, JIT_FP, JIT_SP, -11 * (SWord)WORD_BYTES);
    add(JIT_ADDRESS, JIT_A, JIT_SP, 0);
    add(JIT_STORE, JIT_A, JIT_VM, offsetof(RigVm, last_sp));
    add(JIT_JUMP_LOADED, 0, JIT_VM, offsetof(RigVm, leave));
    if (!rig_encode(&rig, state.pool, MODEL_POOL))
        return 0;
    return rig.entry + rig.program[behind].offset;
}

static bool run_caller(Word sp)
{
    memset(&called.vm, 0, sizeof called.vm);
    called.calls = 0;
    rig.vm->last_sp = 0;
    rig.vm->sp = sp - WORD_BYTES;
    rig.vm->fp = sp + 40 * WORD_BYTES;
    rig.vm->ip = rig.entry;
    rig.ended = EXIT_NEXT;
    rig_call(&rig);
    bool returned = rig.stop.reason == CPU_RETURNED;
    rig_give_up(&rig);
    return returned && called.calls == 1;
}

static void test_arguments(const char *what, Word sp)
{
    bool passed = called.arguments[0] == (uintptr_t)rig.vm;
    for (unsigned n = 1; n < CPU_ARGUMENTS; n++)
        passed &= called.arguments[n] == 1000 + n;
    ok(passed, "%s: %s: the routine gets the Vm, A, B and C", label, what);
    ok(called.aligned, "%s: %s: on an aligned stack", label, what);
    ok(called.vm.sp == sp && called.vm.fp == sp + 40 * WORD_BYTES,
       "%s: %s: sp and fp are in their variables, the return address is not on the stack", label, what);
}

static void test_kept(const char *what)
{
    Word sp = rig.vm->last_sp;
    if (!ok(sp - pointer_word(rig.data) < MODEL_MEMORY, "%s: %s: sp is what it was", label, what))
        return;
    const Word *below = word_pointer(sp);
    ok(below[-8] == 1004 && below[-9] == 1005 && below[-10] == 1006,
       "%s: %s: RECEIVER and the ARGUMENTs are kept", label, what);
}

static void test_stubs(void)
{
    Word sp = pointer_word(rig.data) + MIDDLE, behind;
    new_state();
    behind = make_caller(offsetof(RigVm, leaf));
    called.answer = 77;
    called.push = 0;
    if (ok(behind && run_caller(sp), "%s: a leaf routine is called", label)) {
        test_arguments("leaf", sp);
        test_kept("leaf");
        ok(called.vm.leaf_pc == behind, "%s: leaf: its return address is in leaf_pc", label);
        ok(rig.stop.result == 77 && rig.vm->last_sp == sp, "%s: leaf: RESULT is the answer", label);
        ok(*((Word *)word_pointer(sp) - 11) == sp + 40 * WORD_BYTES, "%s: leaf: fp is kept", label);
    }
    called.push = 55;
    ok(run_caller(sp) && rig.stop.result == 77 && rig.vm->last_sp == sp - WORD_BYTES,
       "%s: leaf: sp is what its variable says then", label);
    behind = make_caller(offsetof(RigVm, switching));
    called.answer = 0;
    if (ok(behind && run_caller(sp), "%s: a switching routine is called", label)) {
        test_arguments("switching", sp);
        ok(called.vm.ip == behind, "%s: switching: its return address is in ip", label);
        ok(rig.stop.result == 55 && rig.vm->last_sp == sp,
           "%s: switching: 0 resumes, with RESULT from the stack", label);
        ok(*((Word *)word_pointer(sp) - 11) == sp + 40 * WORD_BYTES, "%s: switching: and fp", label);
    }
    called.answer = 99;
    rig.vm->last_sp = 0;
    ok(run_caller(sp) && rig.stop.result == 99 && rig.vm->last_sp == 0,
       "%s: switching: anything else leaves with it", label);
}

/* ---- What encoding promises ---- */

enum { GUARDED = 64, PROMISES_ROOM = 4096 };

typedef struct {
    uint8_t bytes[GUARDED + PROMISES_ROOM + GUARDED];
    JitInstruction program[16];
    uint32_t count, length;
} Encoding;

/* A program with a branch in either direction, the pool, and long constants. */
static void make_sample(Encoding *e)
{
    const JitInstruction sample[] = {
        {.operation = JIT_CONSTANT, .a = JIT_A, .value = 0x12345678},
        {.operation = JIT_LABEL, .label = 1},
        {.operation = JIT_LITERAL, .a = JIT_RESULT, .value = 1},
        {.operation = JIT_BRANCH_CONSTANT, .a = JIT_A, .value = 7, .condition = JIT_LESS, .label = 0},
        {.operation = JIT_STORE_INDEXED, .a = JIT_A, .b = JIT_SP, .c = JIT_B, .value = 0x12340,
         .size = WORD_SHIFT},
        {.operation = JIT_BRANCH_LITERAL, .a = JIT_D, .value = 0, .condition = JIT_EQUAL, .label = 1},
        {.operation = JIT_CALL_LOADED, .b = JIT_VM, .value = 0x128},
        {.operation = JIT_LABEL, .label = 0},
        {.operation = JIT_LEAVE, .value = 2},
    };
    memset(e->bytes, 0xC6, sizeof e->bytes);
    memcpy(e->program, sample, sizeof sample);
    e->count = sizeof sample / sizeof *sample;
}

static void encode_sample(Encoding *e, Word address, uint32_t capacity)
{
    make_sample(e);
    JitCode code = {.instructions = e->program, .count = e->count, .labels = 2, .pool_words = 2,
                    .address = address, .out = e->bytes + GUARDED, .capacity = capacity};
    e->length = rig.jit->encode(rig.back_end, &code);
}

/* Is it as it was outside of [0, capacity)? */
static bool untouched(const Encoding *e, uint32_t capacity)
{
    for (uint32_t at = 0; at < sizeof e->bytes; at++)
        if ((at < GUARDED || at >= GUARDED + capacity) && e->bytes[at] != 0xC6)
            return false;
    return true;
}

static bool same_encoding(const Encoding *a, const Encoding *b)
{
    bool same = a->length == b->length && !memcmp(a->bytes + GUARDED, b->bytes + GUARDED, a->length);
    for (uint32_t n = 0; n < a->count; n++)
        same &= a->program[n].offset == b->program[n].offset;
    return same;
}

static bool offsets_are_in_order(const Encoding *e)
{
    bool right = e->program[0].offset == 0;
    for (uint32_t n = 0; n < e->count; n++) {
        uint32_t end = n + 1 < e->count ? e->program[n + 1].offset : e->length;
        right &= e->program[n].offset <= end && end - e->program[n].offset <= rig.jit->instruction_bytes;
        right &= e->program[n].operation != JIT_LABEL || e->program[n].offset == end;
    }
    return right;
}

static void test_promises(void)
{
    static Encoding one, other;
    const JitOps *jit = rig.jit;
    Word address = pointer_word(rig.code) + 4096;
    uint32_t enough;
    encode_sample(&one, address, PROMISES_ROOM);
    ok(one.length, "%s: a program is encoded", label);
    enough = one.count * jit->instruction_bytes;
    ok(offsets_are_in_order(&one), "%s: offsets are in order, labels take nothing", label);
    bool same = true;
    for (unsigned n = 0; n < 4; n++) {
        encode_sample(&other, address, PROMISES_ROOM);
        same &= same_encoding(&one, &other);
    }
    ok(same, "%s: the same the second time (J7)", label);
    encode_sample(&other, address, enough);
    ok(same_encoding(&one, &other), "%s: and with %u bytes of room (J7)", label, enough);
    encode_sample(&other, address + (1 << 20), PROMISES_ROOM);
    if (jit->moved)
        jit->moved(rig.back_end, address, other.bytes + GUARDED, other.length, -(SWord)(1 << 20));
    ok(same_encoding(&one, &other), "%s: and elsewhere (J1)", label);
    unsigned bad = 0, fitting = 0;
    for (uint32_t capacity = 1; capacity <= enough; capacity++) {
        encode_sample(&other, address, capacity);
        bad += !untouched(&other, capacity) || other.length > capacity;
        bad += other.length && !same_encoding(&one, &other);
        fitting += other.length != 0;
    }
    ok(!bad, "%s: with room for 1 to %u bytes it is right or refused, and nothing else is written",
       label, enough);
    ok(fitting > 0 && fitting <= enough - one.length + 1, "%s: too little room is refused", label);
    make_sample(&one);
    encode_sample(&other, address, PROMISES_ROOM);
    bad = 0;
    for (uint32_t n = 0; n < one.count; n++) {
        const JitInstruction *a = &one.program[n], *b = &other.program[n];
        bad += a->operation != b->operation || a->a != b->a || a->b != b->b || a->c != b->c ||
               a->value != b->value || a->label != b->label || a->condition != b->condition ||
               a->pc != b->pc;
    }
    ok(!bad, "%s: the instructions are what they were", label);
    ok(rig.longest <= jit->instruction_bytes, "%s: no instruction took more than %u bytes; %u did (J7)",
       label, jit->instruction_bytes, rig.longest);
}

/* Stubs: the same promises. */
static void test_stub_promises(void)
{
    static Encoding one, other;
    static const JitVariables v = {0, 8, 16, 24, 32, 40};
    unsigned bad = 0;
    for (JitStubKind kind = JIT_STUB_ENTER; kind <= JIT_STUB_SWITCH; kind++)
        for (uint32_t capacity = 1; capacity <= rig.jit->stub_bytes; capacity++) {
            Encoding *e = capacity == 1 ? &one : &other;
            JitStub stub = {.kind = kind, .routine = 3, .address = rig.enter,
                            .leave = kind >= JIT_STUB_LEAF ? rig.vm->leave : 0,
                            .out = e->bytes + GUARDED, .capacity = capacity};
            if (capacity == 1)
                stub.capacity = rig.jit->stub_bytes;
            memset(e->bytes, 0xC6, sizeof e->bytes);
            e->length = rig.jit->encode_stub(rig.back_end, &stub, &v);
            bad += !untouched(e, stub.capacity) || e->length > stub.capacity;
            bad += e->length && (e->length != one.length ||
                                 memcmp(e->bytes, one.bytes, GUARDED + one.length));
            bad += stub.capacity == rig.jit->stub_bytes && !e->length;
        }
    ok(!bad, "%s: stubs with room for 1 to %u bytes are right or refused (J7)", label,
       rig.jit->stub_bytes);
}

/* Code that was moved with its pool runs where it is now (J1). */
static void test_moving(void)
{
    new_state();
    Word sp = state.registers[JIT_SP], fp = state.registers[JIT_FP];
    begin_program();
    add(JIT_LITERAL, JIT_RESULT, 0, 2);
    add(JIT_ADD_CONSTANT, JIT_RESULT, 0, 1);
    JitInstruction *over = add(JIT_BRANCH_LITERAL, JIT_RESULT, 0, 2);
    over->condition = JIT_NOT_EQUAL;
    over->label = 1;
    add(JIT_CONSTANT, JIT_RESULT, 0, 0);
    rig_add(&rig, JIT_LABEL)->label = 1;
    close_program();
    state.pool[2] = 41;
    if (!ok(rig_encode(&rig, state.pool, MODEL_POOL), "%s: code to be moved is encoded", label))
        return;
    uint32_t from = (uint32_t)(rig.entry - pointer_word(rig.code)), pool = MODEL_POOL * WORD_BYTES;
    uint32_t to = from + 8192;
    memmove(rig.writable + to - pool, rig.writable + from - pool, pool + rig.bytes);
    memset(rig.writable + from - pool, 0, pool + rig.bytes);
    rig.entry += to - from;
    if (rig.jit->moved)
        rig.jit->moved(rig.back_end, rig.entry, rig.writable + to, rig.bytes, (SWord)(to - from));
    rig.cpu->ops->code_changed(rig.cpu, (uintptr_t)rig.code, (uintptr_t)rig.code + RIG_CODE);
    rig_execute(&rig, &state);
    bool held = rig_ended(&rig, EXIT_NEXT) && state.registers[JIT_RESULT] == 42 &&
                state.registers[JIT_SP] == sp && state.registers[JIT_FP] == fp;
    rig_give_up(&rig);
    ok(held, "%s: moved with its pool, it runs (J1)", label);
}

static void test_unknown(void)
{
    uint8_t out[256];
    JitInstruction program = {.operation = JIT_OPERATIONS};
    JitCode code = {.instructions = &program, .count = 1, .address = rig.landing, .out = out,
                    .capacity = sizeof out};
    is_int(rig.jit->encode(rig.back_end, &code), 0, "%s: an unknown operation is refused", label);
}

/* ---- All of it ---- */

static void test_facts(void)
{
    const JitOps *jit = rig.jit;
    unsigned alignment = jit->code_alignment, same = 0;
    ok(alignment && !(alignment & (alignment - 1)) && alignment <= JIT_ALIGNMENT_MOST,
       "%s: code is aligned to %u", label, alignment);
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < a; b++)
            same += !jit->registers[a] || strcmp(jit->registers[a], jit->registers[b]) == 0;
    ok(!same, "%s: each register has a name of its own", label);
    ok(rig.machine->bits == WORD_BITS, "%s: its word is the heap's", label);
}

static void test_back_end(bool shimmed)
{
    test_facts();
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
    test_distances();
    test_far_pool();
    test_stubs();
    test_promises();
    test_stub_promises();
    test_moving();
    if (!shimmed) /* which takes it for a bug of the front end */
        test_unknown();
}

static char any_width[4096], own_width[4096]; /* folders of the build's plugins */

static void test_on(const JitRigSetup *setup, const OsvmPlugin *plugin, const char *processor)
{
    bool shimmed = setup->back_end_shim != NULL;
    snprintf(label, sizeof label, "jit/%s/w%d/%s%s/%s", plugin->name, WORD_BITS, plugin->variant,
             shimmed ? "/shim" : "", processor);
    if (rig_open(&rig, setup, routines))
        test_back_end(shimmed);
    else if (rig.jit && !rig.jit->native && strcmp(processor, "native") == 0)
        skip("%s: the host is no %s", label, rig.jit->machine);
    else
        ok(false, "%s: %s", label, rig.why);
    size_t blocks = rig_close(&rig);
    ok(blocks == 0, "%s: all memory is given back", label);
}

/* `given` by the user: then its production variant is tried behind the shim, too. */
static void test_file(const char *file, bool given)
{
    static char names[5][4200];
    enum { SHIM, SIM, NATIVE, CPU_SHIM };
    const char *const wanted = getenv("OSVM_SHIM");
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const OsvmPlugin *plugin = library ? dlsym(library, "osvm_plugin") : NULL;
    if (!plugin || plugin->magic != OSVM_MAGIC || plugin->kind != OSVM_JIT)
        bail_out("%s: %s", file, library ? "it is no back end" : dlerror());
    if (plugin->flags & OSVM_SHIM)
        return;
    snprintf(names[SHIM], sizeof *names, "%s/jit-shim.checked.so", own_width);
    snprintf(names[SIM], sizeof *names, "%s/cpu-sim.so", any_width);
    snprintf(names[NATIVE], sizeof *names, "%s/cpu-native.so", any_width);
    snprintf(names[CPU_SHIM], sizeof *names, "%s/cpu-shim.checked.so", any_width);
    for (int shimmed = 0; shimmed < 2; shimmed++) {
        JitRigSetup setup = {.back_end = file, .processor = names[SIM], .disassembler = names[SIM],
                             .back_end_shim = shimmed ? names[SHIM] : NULL,
                             .processor_shim = shimmed ? names[CPU_SHIM] : NULL};
        bool plain = strcmp(plugin->variant, "checked") != 0 && !(wanted && strcmp(wanted, "only") == 0);
        if (shimmed ? (wanted && strcmp(wanted, "no") == 0) || (plain && !given) : !plain)
            continue;
        test_on(&setup, plugin, "sim");
        setup.processor = names[NATIVE];
        setup.disassembler = NULL;
        test_on(&setup, plugin, "native");
    }
    dlclose(library);
}

int main(int argc, char **argv)
{
    char pattern[4200];
    glob_t files;
    const char *build = getenv("BUILD");
    build = build ? build : "build";
    snprintf(any_width, sizeof any_width, "%s/lib/osvm/any", build);
    snprintf(own_width, sizeof own_width, "%s/lib/osvm/%d", build, WORD_BITS);
    snprintf(pattern, sizeof pattern, "%s/jit-*.so", own_width);
    if (getenv("OSVM_SAMPLE"))
        every = (unsigned)atoi(getenv("OSVM_SAMPLE"));
    if (!every)
        bail_out("OSVM_SAMPLE is no number");
    diag("seed %" PRIu64, seed);
    for (int i = 1; i < argc; i++)
        test_file(argv[i], true);
    if (argc == 1 && glob(pattern, 0, NULL, &files))
        skip_all("built without back ends for %d bits", WORD_BITS);
    for (size_t i = 0; argc == 1 && i < files.gl_pathc; i++)
        test_file(files.gl_pathv[i], false);
    if (argc == 1)
        globfree(&files);
    if (!tap_count)
        skip_all("there is no back end for %d bits", WORD_BITS);
    return done_testing();
}
