/* What code promises: branches of every length, pools far away, stubs and the routines they call, room that is
 * too small, the same bytes each time, and code that is moved. */
#include "t/support/jit_suite.h"

#include <string.h>

/* ---- Branches of every length, and a pool far away ---- */

/* How a branch is written that is taken. All compare register A, which is 5. */
static JitInstruction *add_taken_branch(JitOperation operation, unsigned branch_label)
{
    JitInstruction *i = suite_add(operation, JIT_A, JIT_B, 0);
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
    suite_new_state();
    suite_begin();
    suite_add(JIT_CONSTANT, JIT_A, 0, 5);
    suite_add(JIT_CONSTANT, JIT_B, 0, 5);
    suite_add(JIT_CONSTANT, JIT_RESULT, 0, 1);
    if (back) {
        rig_add(&rig, JIT_JUMP)->label = 1;
        rig_add(&rig, JIT_LABEL)->label = 0;
        suite_close();
    } else {
        add_taken_branch(operation, 0);
    }
    for (unsigned n = 0; n < fillers; n++) /* three or four bytes each on machines that we know */
        suite_add(JIT_SUBTRACT, JIT_RESULT, JIT_RESULT, 0);
    if (back) {
        rig_add(&rig, JIT_LABEL)->label = 1;
        add_taken_branch(operation, 0);
        suite_add(JIT_CONSTANT, JIT_RESULT, 0, 2);
        rig_leave(&rig, EXIT_LABEL);
    } else {
        rig_add(&rig, JIT_LABEL)->label = 0;
        suite_close();
    }
    suite_cases++;
    if (!rig_encode(&rig, suite_state.pool, MODEL_POOL)) {
        suite_note("%u fillers %s were refused", fillers, back ? "back" : "forward");
        return false;
    }
    rig_execute(&rig, &suite_state);
    bool held = rig_ended(&rig, EXIT_NEXT) && suite_state.registers[JIT_RESULT] == 1;
    rig_give_up(&rig);
    if (!held)
        suite_note("operation %d over %u fillers %s: RESULT is 0x%" PRIxWORD, operation, fillers,
                   back ? "back" : "forward", suite_state.registers[JIT_RESULT]);
    return held;
}

/* Around the distances that encodings have: 8, 16 and 18 bits; with every kind of branch where it matters
 * most. */
void suite_distances(void)
{
    static const JitOperation kinds[] = {JIT_BRANCH, JIT_BRANCH_CONSTANT, JIT_BRANCH_BITS, JIT_JUMP};
    for (unsigned k = 0; k < 4; k++)
        for (uint32_t bytes = 96; bytes <= 280; bytes += 4)
            for (unsigned back = 0; back < 2; back++)
                suite_wrong += !branches_over(kinds[k], bytes, back);
    static const uint32_t far[] = {1000, 2040, 4000, 4100, 8190, 32600, 32760, 32800, 44000, 65500, 65600};
    for (unsigned n = 0; n < sizeof far / sizeof *far; n++)
        for (unsigned back = 0; back < 2; back++)
            suite_wrong += !branches_over(kinds[n % 4], far[n], back);
    suite_group("branches of every length");
}

void suite_far_pool(void)
{
    static Word pool[RIG_POOL];
    static const unsigned words[] = {0, 1, 500, RIG_POOL - 1};
    suite_new_state();
    Word sum = 0, landing = rig.landing;
    for (unsigned n = 0; n < RIG_POOL; n++)
        pool[n] = (Word)suite_random();
    suite_begin();
    suite_add(JIT_CONSTANT, JIT_RESULT, 0, 0);
    for (unsigned n = 0; n < 4; n++) {
        for (unsigned filler = 0; filler < 2000; filler++)
            suite_add(JIT_MOVE, JIT_B, JIT_A, 0);
        suite_add(JIT_LITERAL, JIT_A, 0, (SWord)words[n]);
        suite_add(JIT_ADD, JIT_RESULT, JIT_A, 0);
        sum += pool[words[n]];
    }
    suite_close();
    suite_cases++;
    if (rig_encode(&rig, pool, RIG_POOL)) {
        rig_execute(&rig, &suite_state);
        suite_wrong += !rig_ended(&rig, EXIT_NEXT) || suite_state.registers[JIT_RESULT] != sum;
        rig_give_up(&rig);
    } else {
        suite_wrong++;
    }
    suite_wrong += landing != rig.landing;
    suite_group("a pool of many words, far away");
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

const CpuRoutine suite_routines[2] = {
    [RIG_LEAF] = {"leaf", routine, 4, true},
    [RIG_SWITCHING] = {"switching", routine, 4, false},
};

/* A program that calls one of the stubs; answers the address behind the call. */
static Word make_caller(size_t stub_offset)
{
    static const uint8_t set[] = {JIT_A, JIT_B, JIT_C, JIT_RECEIVER, JIT_ARGUMENT_0, JIT_ARGUMENT_1};
    rig_begin(&rig);
    suite_add(JIT_CONSTANT, JIT_VM, 0, (SWord)pointer_word(rig.vm));
    for (unsigned n = 0; n < sizeof set; n++)
        suite_add(JIT_CONSTANT, set[n], 0, (SWord)(1001 + n));
    suite_add(JIT_CALL_LOADED, 0, JIT_VM, (SWord)stub_offset);
    unsigned behind = rig.count;
    rig_add(&rig, JIT_LABEL);
    /* What it was answered, and what it has kept, goes on: RESULT is a digit each, if all is well. */
    static const uint8_t kept[] = {JIT_RECEIVER, JIT_ARGUMENT_0, JIT_ARGUMENT_1};
    for (unsigned n = 0; n < sizeof kept; n++)
        suite_add(JIT_STORE, kept[n], JIT_SP, -(SWord)(8 + n) * WORD_BYTES);
    suite_add(JIT_STORE, JIT_FP, JIT_SP, -11 * (SWord)WORD_BYTES);
    suite_add(JIT_ADDRESS, JIT_A, JIT_SP, 0);
    suite_add(JIT_STORE, JIT_A, JIT_VM, offsetof(RigVm, last_sp));
    suite_add(JIT_JUMP_LOADED, 0, JIT_VM, offsetof(RigVm, leave));
    if (!rig_encode(&rig, suite_state.pool, MODEL_POOL))
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
    test(passed, "%s: the routine gets the Vm, A, B and C", what);
    test(called.aligned, "%s: on an aligned stack", what);
    test(called.vm.sp == sp && called.vm.fp == sp + 40 * WORD_BYTES,
         "%s: sp and fp are in their variables, the return address is not on the stack", what);
}

static void test_kept(const char *what)
{
    Word sp = rig.vm->last_sp;
    if (!test(sp - pointer_word(rig.data) < MODEL_MEMORY, "%s: sp is what it was", what))
        return;
    const Word *below = word_pointer(sp);
    test(below[-8] == 1004 && below[-9] == 1005 && below[-10] == 1006,
         "%s: RECEIVER and the ARGUMENTs are kept", what);
}

void suite_stubs(void)
{
    Word sp = pointer_word(rig.data) + MIDDLE, behind;
    suite_new_state();
    behind = make_caller(offsetof(RigVm, leaf));
    called.answer = 77;
    called.push = 0;
    if (test(behind && run_caller(sp), "a leaf routine is called")) {
        test_arguments("leaf", sp);
        test_kept("leaf");
        test(called.vm.leaf_pc == behind, "leaf: its return address is in leaf_pc");
        test(rig.stop.result == 77 && rig.vm->last_sp == sp, "leaf: RESULT is the answer");
        test(*((Word *)word_pointer(sp) - 11) == sp + 40 * WORD_BYTES, "leaf: fp is kept");
    }
    called.push = 55;
    test(run_caller(sp) && rig.stop.result == 77 && rig.vm->last_sp == sp - WORD_BYTES,
         "leaf: sp is what its variable says then");
    behind = make_caller(offsetof(RigVm, switching));
    called.answer = 0;
    if (test(behind && run_caller(sp), "a switching routine is called")) {
        test_arguments("switching", sp);
        test(called.vm.ip == behind, "switching: its return address is in ip");
        test(rig.stop.result == 55 && rig.vm->last_sp == sp,
             "switching: 0 resumes, with RESULT from the stack");
        test(*((Word *)word_pointer(sp) - 11) == sp + 40 * WORD_BYTES, "switching: and fp");
    }
    called.answer = 99;
    rig.vm->last_sp = 0;
    test(run_caller(sp) && rig.stop.result == 99 && rig.vm->last_sp == 0,
         "switching: anything else leaves with it");
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

void suite_promises(void)
{
    static Encoding one, other;
    const JitOps *jit = rig.jit;
    Word address = pointer_word(rig.code) + 4096;
    uint32_t enough;
    encode_sample(&one, address, PROMISES_ROOM);
    test(one.length, "a program is encoded");
    enough = one.count * jit->instruction_bytes;
    test(offsets_are_in_order(&one), "offsets are in order, labels take nothing");
    bool same = true;
    for (unsigned n = 0; n < 4; n++) {
        encode_sample(&other, address, PROMISES_ROOM);
        same &= same_encoding(&one, &other);
    }
    test(same, "the same the second time (J7)");
    encode_sample(&other, address, enough);
    test(same_encoding(&one, &other), "and with %u bytes of room (J7)", enough);
    encode_sample(&other, address + (1 << 20), PROMISES_ROOM);
    if (jit->moved)
        jit->moved(rig.back_end, address, other.bytes + GUARDED, other.length, -(SWord)(1 << 20));
    test(same_encoding(&one, &other), "and elsewhere (J1)");
    unsigned bad = 0, fitting = 0;
    for (uint32_t capacity = 1; capacity <= enough; capacity++) {
        encode_sample(&other, address, capacity);
        bad += !untouched(&other, capacity) || other.length > capacity;
        bad += other.length && !same_encoding(&one, &other);
        fitting += other.length != 0;
    }
    test(!bad, "with room for 1 to %u bytes it is right or refused, and nothing else is written", enough);
    test(fitting > 0 && fitting <= enough - one.length + 1, "too little room is refused");
    make_sample(&one);
    encode_sample(&other, address, PROMISES_ROOM);
    bad = 0;
    for (uint32_t n = 0; n < one.count; n++) {
        const JitInstruction *a = &one.program[n], *b = &other.program[n];
        bad += a->operation != b->operation || a->a != b->a || a->b != b->b || a->c != b->c ||
               a->value != b->value || a->label != b->label || a->condition != b->condition ||
               a->pc != b->pc;
    }
    test(!bad, "the instructions are what they were");
    test(rig.longest <= jit->instruction_bytes, "no instruction took more than %u bytes; %u did (J7)",
         jit->instruction_bytes, rig.longest);
}

/* Stubs: the same promises. */
void suite_stub_promises(void)
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
    test(!bad, "stubs with room for 1 to %u bytes are right or refused (J7)",
         rig.jit->stub_bytes);
}

/* Code that was moved with its pool runs where it is now (J1). */
void suite_moving(void)
{
    suite_new_state();
    Word sp = suite_state.registers[JIT_SP], fp = suite_state.registers[JIT_FP];
    suite_begin();
    suite_add(JIT_LITERAL, JIT_RESULT, 0, 2);
    suite_add(JIT_ADD_CONSTANT, JIT_RESULT, 0, 1);
    JitInstruction *over = suite_add(JIT_BRANCH_LITERAL, JIT_RESULT, 0, 2);
    over->condition = JIT_NOT_EQUAL;
    over->label = 1;
    suite_add(JIT_CONSTANT, JIT_RESULT, 0, 0);
    rig_add(&rig, JIT_LABEL)->label = 1;
    suite_close();
    suite_state.pool[2] = 41;
    if (!test(rig_encode(&rig, suite_state.pool, MODEL_POOL), "code to be moved is encoded"))
        return;
    uint32_t from = (uint32_t)(rig.entry - pointer_word(rig.code)), pool = MODEL_POOL * WORD_BYTES;
    uint32_t to = from + 8192;
    memmove(rig.writable + to - pool, rig.writable + from - pool, pool + rig.bytes);
    memset(rig.writable + from - pool, 0, pool + rig.bytes);
    rig.entry += to - from;
    if (rig.jit->moved)
        rig.jit->moved(rig.back_end, rig.entry, rig.writable + to, rig.bytes, (SWord)(to - from));
    rig.cpu->ops->code_changed(rig.cpu, (uintptr_t)rig.code, (uintptr_t)rig.code + RIG_CODE);
    rig_execute(&rig, &suite_state);
    bool held = rig_ended(&rig, EXIT_NEXT) && suite_state.registers[JIT_RESULT] == 42 &&
                suite_state.registers[JIT_SP] == sp && suite_state.registers[JIT_FP] == fp;
    rig_give_up(&rig);
    test(held, "moved with its pool, it runs (J1)");
}

void suite_unknown(void)
{
    uint8_t out[256];
    JitInstruction program = {.operation = JIT_OPERATIONS};
    JitCode code = {.instructions = &program, .count = 1, .address = rig.landing, .out = out,
                    .capacity = sizeof out};
    test(rig.jit->encode(rig.back_end, &code) == 0, "an unknown operation is refused");
}
