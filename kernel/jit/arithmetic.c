/* Special selectors: SmallIntegers inline, floats by a routine, everything else by a send.
 *
 * The fast path works in registers and leaves its answer in `dest`; the slow one, in the cold
 * section, asks the routine if there is one, then sends, and joins.
 */
#include "kernel/jit/jit_int.h"
#include "kernel/vm/interp/fast.h"

enum { NO_ROUTINE = ROUTINE_COUNT };

typedef struct {
    unsigned special;      /* the selector's number */
    SimEntry left, right;  /* as they were found */
    unsigned a, b, dest;   /* registers; b is not loaded if `constant` */
    bool constant;         /* the right operand is a SmallInteger known now: */
    SWord value;           /* its oop */
    unsigned slow, join;   /* labels */
    SimKept kept;          /* what lies below, on the way to the slow path */
} Binary;

enum { KEPT_MOST = 2 };    /* registers; the slow path needs some, too */

static unsigned bit(unsigned reg)
{
    return 1u << reg;
}

static void open_binary(Unit *u, Binary *o, unsigned special)
{
    *o = (Binary){.special = special, .left = sim_top(u, 1), .right = sim_top(u, 0)};
    o->constant = sim_is_integer(o->right);
    o->value = o->right.value;
    o->b = JIT_REGISTERS;
    if (o->constant)
        sim_drop(u, 1);
    else
        o->b = sim_operand(u, 0);
    o->a = sim_operand(u, o->constant ? 0 : bit(o->b));
    sim_limit(u, 0, KEPT_MOST);
    o->dest = sim_register(u, bit(o->a) | (o->constant ? 0 : bit(o->b)));
    o->slow = build_label(&u->b);
    o->join = build_label(&u->b);
}

/* To the slow path unless both are SmallIntegers: the only immediates whose lowest bit is set. */
static void check_integers(Unit *u, Binary *o)
{
    Build *b = &u->b;
    o->kept = sim_kept(u);
    if (o->constant || sim_is_integer(o->left)) {
        op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, o->constant ? o->a : o->b, 1, o->slow);
        return;
    }
    op_ab(b, JIT_MOVE, o->dest, o->a);
    op_ab(b, JIT_AND, o->dest, o->b);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, o->dest, 1, o->slow);
}

/* What no fast path knows. */
static void always_slow(Unit *u, Binary *o)
{
    o->kept = sim_kept(u);
    op_jump(&u->b, o->slow);
}

/* Where a callee wants them. */
static void pass_operands(Unit *u, const Binary *o)
{
    unsigned from = o->b;
    if (!o->constant && from == JIT_RECEIVER) {
        from = JIT_CLASS;
        op_ab(&u->b, JIT_MOVE, from, JIT_RECEIVER);
    }
    op_ab(&u->b, JIT_MOVE, JIT_RECEIVER, o->a);
    if (o->constant)
        op_av(&u->b, JIT_CONSTANT, JIT_ARGUMENT_0, o->value);
    else
        op_ab(&u->b, JIT_MOVE, JIT_ARGUMENT_0, from);
}

/* The slow path has come to a result. */
static void settle(Unit *u, const Binary *o, const Instruction *jump)
{
    if (!jump)
        op_ab(&u->b, JIT_MOVE, o->dest, JIT_RESULT);
    sim_restore(u, &o->kept);
    if (jump)
        unit_branch_on_result(u, jump);
    op_jump(&u->b, o->join);
}

/* ---- Immediate floats, in the slow path ---- */

static unsigned unused(unsigned busy)
{
    static const uint8_t registers[] = {JIT_D, JIT_E, JIT_C, JIT_B, JIT_A, JIT_RESULT};
    unsigned i = 0;
    while (busy & bit(registers[i]))
        i++;
    return registers[i];
}

static void check_small_float(Build *b, unsigned reg, unsigned scratch, unsigned other)
{
    op_ab(b, JIT_MOVE, scratch, reg);
    op_av(b, JIT_AND_CONSTANT, scratch, TAG_MASK);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, scratch, (SWord)SMALL_FLOAT_TAG, other);
}

/* Float register `to` := the immediate in `reg`; to `zero`, if there is such a label, if it is 0.
 */
static void unbox(Build *b, unsigned to, unsigned reg, unsigned scratch, unsigned zero)
{
    unsigned tiny = zero == LABEL_NONE ? build_label(b) : zero;
    op_ab(b, JIT_MOVE, scratch, reg);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, scratch, 3);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_BELOW_EQUAL, scratch, 1, tiny);
    op_av(b, JIT_ADD_CONSTANT, scratch, (SWord)SMALL_FLOAT_OFFSET);
    if (zero == LABEL_NONE)
        build_here(b, tiny);
    op_av(b, JIT_ROTATE_RIGHT_CONSTANT, scratch, 1);
    op_ab(b, JIT_FLOAT_FROM_BITS, to, scratch);
}

/* `to` := float register 0 as an immediate; to `boxed` if it is none. */
static void box(Build *b, unsigned to, unsigned bits, unsigned scratch, unsigned boxed)
{
    unsigned tiny = build_label(b);
    op_ab(b, JIT_FLOAT_TO_BITS, bits, 0);
    op_av(b, JIT_ROTATE_RIGHT_CONSTANT, bits, 63);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_BELOW_EQUAL, bits, 1, tiny);
    op_av(b, JIT_CONSTANT, scratch, (SWord)(SMALL_FLOAT_OFFSET | 1));
    op_branch(b, JIT_BELOW_EQUAL, bits, scratch, boxed);
    op_av(b, JIT_ADD_CONSTANT, bits, -(SWord)SMALL_FLOAT_OFFSET);
    op_ab(b, JIT_MOVE, scratch, bits);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, scratch, 61);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, scratch, 0, boxed);
    build_here(b, tiny);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, bits, 3);
    op_av(b, JIT_OR_CONSTANT, bits, (SWord)SMALL_FLOAT_TAG);
    op_ab(b, JIT_MOVE, to, bits);
}

static void float_outcome(Unit *u, const Binary *o, JitCondition c, const Instruction *jump)
{
    Build *b = &u->b;
    unsigned yes = build_label(b), no = o->join;
    if (jump && jump->op == OP_JUMP_IF_TRUE)
        yes = unit_target(u, jump->target);
    else if (jump) {
        yes = o->join;
        no = unit_target(u, jump->target);
    } else
        op_load(b, o->dest, JIT_VM, VAR(heap.true_object), WORD_SHIFT);
    JitInstruction *i = build_add(b, JIT_FLOAT_BRANCH);
    *i = (JitInstruction){.operation = JIT_FLOAT_BRANCH, .condition = (uint8_t)c, .a = 0, .b = 1,
                          .label = (uint16_t)(jump ? yes : o->join)};
    if (!jump)
        op_load(b, o->dest, JIT_VM, VAR(heap.false_object), WORD_SHIFT);
    op_jump(b, no);
    if (!jump)
        build_here(b, yes); /* unused, but every label has a place */
}

static void small_floats(Unit *u, const Binary *o, unsigned routine, SWord argument,
                         const Instruction *jump)
{
    static const JitOperation operations[] = {
        [FAST_ADD] = JIT_FLOAT_ADD, [FAST_SUBTRACT] = JIT_FLOAT_SUBTRACT,
        [FAST_MULTIPLY] = JIT_FLOAT_MULTIPLY, [FAST_DIVIDE] = JIT_FLOAT_DIVIDE};
    Build *b = &u->b;
    bool arithmetic = routine == ROUTINE_FLOAT;
    if (WORD_BITS != 64 || (!arithmetic && routine != ROUTINE_FLOAT_COMPARE) || o->constant ||
        sim_is_integer(o->left))
        return;
    unsigned other = build_label(b), busy = bit(o->a) | bit(o->b) | sim_registers(u);
    unsigned bits = unused(busy), scratch = unused(busy | bit(bits));
    check_small_float(b, o->a, bits, other);
    check_small_float(b, o->b, bits, other);
    unbox(b, 0, o->a, bits, LABEL_NONE);
    unbox(b, 1, o->b, bits, arithmetic && argument == FAST_DIVIDE ? other : LABEL_NONE);
    if (arithmetic) {
        op_ab(b, operations[argument], 0, 1);
        box(b, o->dest, bits, scratch, other);
        op_jump(b, o->join);
    } else
        float_outcome(u, o, (JitCondition)argument, jump);
    build_here(b, other);
}

/* To `yes` if the register holds a Float. */
static void branch_if_float(Build *b, unsigned reg, unsigned scratch, unsigned yes)
{
    unsigned object = build_label(b), no = build_label(b);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, reg, TAG_MASK, object);
    if (WORD_BITS == 64) {
        op_ab(b, JIT_MOVE, scratch, reg);
        op_av(b, JIT_AND_CONSTANT, scratch, TAG_MASK);
        op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, scratch, (SWord)SMALL_FLOAT_TAG, yes);
    }
    op_jump(b, no);
    build_here(b, object);
    op_load(b, scratch, reg, 0, 2);
    op_av(b, JIT_AND_CONSTANT, scratch, (SWord)HEADER_CLASS_MASK);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, scratch, CLASS_FLOAT, yes);
    build_here(b, no);
}

/* Asks the routine about operands it may know, which are where a callee wants them; to `send` with
 * the others. */
static void ask_routine(Unit *u, const Binary *o, unsigned routine, SWord argument,
                        const Instruction *jump, unsigned send)
{
    Build *b = &u->b;
    if (routine == ROUTINE_FLOAT || routine == ROUTINE_FLOAT_COMPARE) {
        unsigned ask = build_label(b);
        branch_if_float(b, JIT_RECEIVER, JIT_D, ask);
        if (!o->constant)
            branch_if_float(b, JIT_ARGUMENT_0, JIT_D, ask);
        op_jump(b, send);
        build_here(b, ask);
    }
    op_ab(b, JIT_MOVE, JIT_A, JIT_RECEIVER);
    op_ab(b, JIT_MOVE, JIT_B, JIT_ARGUMENT_0);
    op_av(b, JIT_CONSTANT, JIT_C, argument);
    build_call(b, (Routine)routine);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, send);
    settle(u, o, jump);
}

/* The slow path; ends in the main section behind the join. */
static void close_binary(Unit *u, const Binary *o, unsigned routine, SWord argument,
                         const Instruction *jump)
{
    Build *b = &u->b;
    build_cold(b);
    build_here(b, o->slow);
    small_floats(u, o, routine, argument, jump);
    unsigned send = build_label(b);
    sim_save(u, &o->kept);
    pass_operands(u, o);
    if (routine != NO_ROUTINE)
        ask_routine(u, o, routine, argument, jump, send);
    build_here(b, send);
    unit_emit_send(u, ~(int)o->special, 1, false);
    settle(u, o, jump);
    build_main(b);
    build_here(b, o->join);
    if (jump)
        u->now = *jump;
    else
        sim_push_register(u, o->dest);
}

/* ---- Arithmetic ---- */

static void add_or_subtract(Unit *u, unsigned special)
{
    Binary o;
    Build *b = &u->b;
    bool add = special == 0;
    open_binary(u, &o, special);
    check_integers(u, &o);
    if (o.constant) {
        SWord value = o.value - (SWord)SMALL_INTEGER_TAG;
        op_ab(b, JIT_MOVE, o.dest, o.a);
        op_checked(b, JIT_ADD_CONSTANT_CHECKED, o.dest, 0, add ? value : -value, o.slow);
    } else if (add) {
        op_abv(b, JIT_ADDRESS, o.dest, o.a, -(SWord)SMALL_INTEGER_TAG);
        op_checked(b, JIT_ADD_CHECKED, o.dest, o.b, 0, o.slow);
    } else {
        op_ab(b, JIT_MOVE, o.dest, o.a);
        op_checked(b, JIT_SUBTRACT_CHECKED, o.dest, o.b, 0, o.slow);
        op_av(b, JIT_ADD_CONSTANT, o.dest, (SWord)SMALL_INTEGER_TAG);
    }
    close_binary(u, &o, ROUTINE_FLOAT, add ? FAST_ADD : FAST_SUBTRACT, NULL);
}

static void multiply(Unit *u)
{
    Binary o;
    Build *b = &u->b;
    open_binary(u, &o, 8);
    unsigned factor = sim_register(u, bit(o.a) | bit(o.dest) | (o.constant ? 0 : bit(o.b)));
    check_integers(u, &o);
    if (o.constant)
        op_av(b, JIT_CONSTANT, factor, small_integer_value((Oop)o.value));
    else {
        op_ab(b, JIT_MOVE, factor, o.b);
        op_av(b, JIT_SHIFT_RIGHT_CONSTANT, factor, SMALL_INTEGER_SHIFT);
    }
    op_abv(b, JIT_ADDRESS, o.dest, o.a, -(SWord)SMALL_INTEGER_TAG);
    op_checked(b, JIT_MULTIPLY_CHECKED, o.dest, factor, 0, o.slow);
    op_av(b, JIT_ADD_CONSTANT, o.dest, (SWord)SMALL_INTEGER_TAG);
    close_binary(u, &o, ROUTINE_FLOAT, FAST_MULTIPLY, NULL);
}

static void retag(Build *b, unsigned reg)
{
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, reg, SMALL_INTEGER_SHIFT);
    op_av(b, JIT_OR_CONSTANT, reg, (SWord)SMALL_INTEGER_TAG);
}

/* RESULT / C, with the operands kept in D and E: quotient in RESULT, rest in B. A divisor of 0 or
 * -1 (whose quotient may not fit) takes the slow path. */
static void emit_divide(Unit *u, Binary *o)
{
    Build *b = &u->b;
    op_ab(b, JIT_MOVE, JIT_RESULT, o->a);
    op_av(b, JIT_SHIFT_RIGHT_CONSTANT, JIT_RESULT, SMALL_INTEGER_SHIFT);
    if (o->constant)
        op_av(b, JIT_CONSTANT, JIT_C, small_integer_value((Oop)o->value));
    else {
        op_ab(b, JIT_MOVE, JIT_C, o->b);
        op_av(b, JIT_SHIFT_RIGHT_CONSTANT, JIT_C, SMALL_INTEGER_SHIFT);
        op_ab(b, JIT_MOVE, JIT_B, JIT_C);
        op_av(b, JIT_ADD_CONSTANT, JIT_B, 1);
        op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_BELOW_EQUAL, JIT_B, 1, o->slow);
    }
    JitInstruction *i = build_add(b, JIT_DIVIDE);
    i->c = JIT_C;
}

static void open_division(Unit *u, Binary *o, unsigned special)
{
    *o = (Binary){.special = special, .left = sim_top(u, 1), .right = sim_top(u, 0)};
    o->constant = sim_is_integer(o->right) && o->right.value != (SWord)small_integer_oop(0) &&
                  o->right.value != (SWord)small_integer_oop(-1);
    o->value = o->right.value;
    sim_limit(u, 2, 0);
    if (o->constant)
        sim_drop(u, 1);
    else {
        SimEntry left = sim_top(u, 1);
        if (left.kind == SIM_REGISTER && left.reg == JIT_E)
            sim_spill(u, 1);
        sim_pop_to(u, JIT_E);
    }
    sim_pop_to(u, JIT_D);
    o->a = JIT_D;
    o->b = JIT_E;
    o->slow = build_label(&u->b);
    o->join = build_label(&u->b);
}

/* Towards minus infinity: one less where the rest is not zero and differs in sign from the divisor.
 */
static void floor_division(Unit *u, bool quotient)
{
    Binary o;
    Build *b = &u->b;
    unsigned exact = build_label(b);
    open_division(u, &o, quotient ? 13 : 10);
    o.dest = JIT_A;
    check_integers(u, &o);
    emit_divide(u, &o);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_B, 0, exact);
    op_ab(b, JIT_MOVE, JIT_A, JIT_B);
    op_ab(b, JIT_XOR, JIT_A, JIT_C);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_GREATER_EQUAL, JIT_A, 0, exact);
    if (quotient)
        op_av(b, JIT_ADD_CONSTANT, JIT_RESULT, -1);
    else
        op_ab(b, JIT_ADD, JIT_B, JIT_C);
    build_here(b, exact);
    op_ab(b, JIT_MOVE, JIT_A, quotient ? JIT_RESULT : JIT_B);
    retag(b, JIT_A);
    close_binary(u, &o, NO_ROUTINE, 0, NULL);
}

static void divide(Unit *u)
{
    Binary o;
    Build *b = &u->b;
    open_division(u, &o, 9);
    o.dest = JIT_A;
    check_integers(u, &o);
    emit_divide(u, &o);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_B, 0, o.slow);
    op_ab(b, JIT_MOVE, JIT_A, JIT_RESULT);
    retag(b, JIT_A);
    close_binary(u, &o, ROUTINE_FLOAT, FAST_DIVIDE, NULL);
}

static void bitwise(Unit *u, JitOperation operation, unsigned special)
{
    Binary o;
    Build *b = &u->b;
    open_binary(u, &o, special);
    check_integers(u, &o);
    op_ab(b, JIT_MOVE, o.dest, o.a);
    if (o.constant)
        op_av(b, operation == JIT_AND ? JIT_AND_CONSTANT : JIT_OR_CONSTANT, o.dest, o.value);
    else
        op_ab(b, operation, o.dest, o.b);
    close_binary(u, &o, NO_ROUTINE, 0, NULL);
}

/* By a distance known now; others are the routine's. */
static void shift(Unit *u)
{
    Binary o;
    Build *b = &u->b;
    open_binary(u, &o, 12);
    SWord by = o.constant ? small_integer_value((Oop)o.value) : WORD_BITS;
    if (by <= 0 && by > -WORD_BITS) {
        SWord right = -by < WORD_BITS - SMALL_INTEGER_SHIFT ? -by : WORD_BITS - SMALL_INTEGER_SHIFT;
        check_integers(u, &o);
        op_ab(b, JIT_MOVE, o.dest, o.a);
        op_av(b, JIT_SHIFT_RIGHT_CONSTANT, o.dest, right);
        op_av(b, JIT_AND_CONSTANT, o.dest, ~(SWord)(((Word)1 << SMALL_INTEGER_SHIFT) - 1));
        op_av(b, JIT_OR_CONSTANT, o.dest, (SWord)SMALL_INTEGER_TAG);
    } else if (by > 0 && by < WORD_BITS - SMALL_INTEGER_SHIFT) {
        unsigned back = sim_register(u, bit(o.a) | bit(o.dest));
        check_integers(u, &o);
        op_abv(b, JIT_ADDRESS, o.dest, o.a, -(SWord)SMALL_INTEGER_TAG);
        op_av(b, JIT_SHIFT_LEFT_CONSTANT, o.dest, by);
        op_ab(b, JIT_MOVE, back, o.dest);
        op_av(b, JIT_SHIFT_RIGHT_CONSTANT, back, by);
        op_av(b, JIT_OR_CONSTANT, back, (SWord)SMALL_INTEGER_TAG);
        op_branch(b, JIT_NOT_EQUAL, back, o.a, o.slow);
        op_av(b, JIT_OR_CONSTANT, o.dest, (SWord)SMALL_INTEGER_TAG);
    } else
        always_slow(u, &o);
    close_binary(u, &o, ROUTINE_SHIFT, 0, NULL);
}

static void point(Unit *u)
{
    Binary o;
    open_binary(u, &o, 11);
    always_slow(u, &o);
    close_binary(u, &o, ROUTINE_POINT, 0, NULL);
}

/* ---- Comparisons ---- */

/* Does the fast path jump when the condition holds? */
static JitCondition jump_condition(const Instruction *jump, JitCondition c)
{
    return jump->op == OP_JUMP_IF_TRUE ? c : jit_inverse(c);
}

static void compare(Unit *u, unsigned special)
{
    static const JitCondition conditions[] = {JIT_LESS, JIT_GREATER, JIT_LESS_EQUAL,
                                              JIT_GREATER_EQUAL, JIT_EQUAL, JIT_NOT_EQUAL};
    JitCondition c = conditions[special - 2];
    Binary o;
    Instruction jump;
    Build *b = &u->b;
    bool fused = unit_fused_jump(u, &jump);
    if (fused) /* nothing is kept over labels */
        sim_spill(u, 2);
    open_binary(u, &o, special);
    check_integers(u, &o);
    unsigned label = fused ? unit_target(u, jump.target) : build_label(b);
    JitCondition taken = fused ? jump_condition(&jump, c) : c;
    if (o.constant)
        op_branch_value(b, JIT_BRANCH_CONSTANT, taken, o.a, o.value, label);
    else
        op_branch(b, taken, o.a, o.b, label);
    if (!fused) {
        unsigned done = build_label(b);
        op_load(b, o.dest, JIT_VM, VAR(heap.false_object), WORD_SHIFT);
        op_jump(b, done);
        build_here(b, label);
        op_load(b, o.dest, JIT_VM, VAR(heap.true_object), WORD_SHIFT);
        build_here(b, done);
    }
    close_binary(u, &o, ROUTINE_FLOAT_COMPARE, (SWord)c, fused ? &jump : NULL);
}

/* May the entry be a forwarder? Receivers of frames and references of code are followed. */
static bool may_forward(SimEntry e)
{
    return e.kind == SIM_SPILLED || e.kind == SIM_TEMP || e.kind == SIM_REGISTER;
}

static void check_forwarder(Unit *u, SimEntry entry, unsigned reg, unsigned scratch, unsigned slow)
{
    Build *b = &u->b;
    unsigned fine = build_label(b);
    if (!may_forward(entry))
        return;
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, reg, TAG_MASK, fine);
    op_load(b, scratch, reg, 0, 2);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, scratch,
                    (SWord)(HEADER_CLASS_MASK & ~(Word)CLASS_FORWARDER), slow);
    build_here(b, fine);
}

static void identical(Unit *u, bool wanted)
{
    Build *b = &u->b;
    Instruction jump;
    SimEntry right = sim_top(u, 0), left = sim_top(u, 1);
    bool fused = unit_fused_jump(u, &jump);
    if (fused) /* nothing is kept over labels */
        sim_spill(u, 2);
    else
        sim_limit(u, 2, 0);
    unsigned y = sim_operand(u, 0), x = sim_operand(u, bit(y));
    unsigned scratch = sim_register(u, bit(x) | bit(y));
    unsigned same = build_label(b), differ = build_label(b), slow = build_label(b),
             done = build_label(b);
    bool jump_if_same = fused && (jump.op == OP_JUMP_IF_TRUE) == wanted;
    if (jump_if_same)
        same = unit_target(u, jump.target);
    else if (fused)
        differ = unit_target(u, jump.target);
    op_branch(b, JIT_EQUAL, x, y, same);
    check_forwarder(u, left, x, scratch, slow);
    check_forwarder(u, right, y, scratch, slow);
    if (!fused) {
        op_load(b, scratch, JIT_VM, wanted ? VAR(heap.false_object) : VAR(heap.true_object),
                WORD_SHIFT);
        op_jump(b, done);
        build_here(b, same);
        op_load(b, scratch, JIT_VM, wanted ? VAR(heap.true_object) : VAR(heap.false_object),
                WORD_SHIFT);
    } else if (!jump_if_same) {
        op_jump(b, differ);
        build_here(b, same);
    }
    build_here(b, done);
    build_cold(b);
    build_here(b, slow);
    op_ab(b, JIT_PUSH, y, 0);
    op_ab(b, JIT_PUSH, x, 0);
    op_ab(b, JIT_POP, JIT_A, 0);
    op_ab(b, JIT_POP, JIT_B, 0);
    op_av(b, JIT_CONSTANT, JIT_C, wanted);
    build_call(b, ROUTINE_IDENTICAL);
    if (fused)
        unit_branch_on_result(u, &jump);
    else
        op_ab(b, JIT_MOVE, scratch, JIT_RESULT);
    op_jump(b, done);
    build_main(b);
    if (fused)
        u->now = jump;
    else
        sim_push_register(u, scratch);
}

static void class_of(Unit *u)
{
    Build *b = &u->b;
    unsigned slow = build_label(b), done = build_label(b);
    sim_limit(u, 1, 0);
    sim_pop_to(u, JIT_A);
    unit_class_of(u, JIT_RESULT, JIT_A, slow);
    build_here(b, done);
    build_cold(b);
    build_here(b, slow);
    build_call(b, ROUTINE_CLASS);
    op_jump(b, done);
    build_main(b);
    sim_push_register(u, JIT_RESULT);
}

/* Of arrays and byte strings; the others are asked. */
static void size(Unit *u)
{
    Build *b = &u->b;
    unsigned sized = build_label(b), done = build_label(b), send = build_label(b);
    sim_limit(u, 1, 0);
    sim_pop_to(u, JIT_A);
    SimKept kept = sim_kept(u);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_A, TAG_MASK, send);
    op_load(b, JIT_D, JIT_A, 0, 2);
    op_load(b, JIT_RESULT, JIT_A, HEADER_BYTES - 1, 0);
    op_ab(b, JIT_MOVE, JIT_E, JIT_D);
    op_av(b, JIT_AND_CONSTANT, JIT_E, (SWord)HEADER_CLASS_MASK);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, HEADER_SLOTS_OVERFLOW, send);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_E, CLASS_ARRAY, sized);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_E, CLASS_BYTE_STRING, send);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_D, HEADER_FORMAT_SHIFT);
    op_av(b, JIT_AND_CONSTANT, JIT_D, 7);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_RESULT, WORD_SHIFT);
    op_ab(b, JIT_SUBTRACT, JIT_RESULT, JIT_D);
    build_here(b, sized);
    retag(b, JIT_RESULT);
    build_here(b, done);
    build_cold(b);
    build_here(b, send);
    sim_save(u, &kept);
    op_ab(b, JIT_MOVE, JIT_RECEIVER, JIT_A);
    unit_emit_send(u, ~18, 0, false);
    sim_restore(u, &kept);
    op_jump(b, done);
    build_main(b);
    sim_push_register(u, JIT_RESULT);
}

bool unit_special(Unit *u, unsigned index)
{
    switch (index) {
    case 0:
    case 1: add_or_subtract(u, index); return true;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7: compare(u, index); return true;
    case 8: multiply(u); return true;
    case 9: divide(u); return true;
    case 10: floor_division(u, false); return true;
    case 11: point(u); return true;
    case 12: shift(u); return true;
    case 13: floor_division(u, true); return true;
    case 14: bitwise(u, JIT_AND, 14); return true;
    case 15: bitwise(u, JIT_OR, 15); return true;
    case 18: size(u); return true;
    case 22: identical(u, true); return true;
    case 23: class_of(u); return true;
    case 24: identical(u, false); return true;
    default: return false;
    }
}
