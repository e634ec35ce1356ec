/* Numbered primitives at the entry of a method: the receiver is in RECEIVER, the return address
 * where a call leaves it, the arguments below that.
 */
#include "kernel/jit/jit_int.h"
#include "kernel/vm/primitives/primitives.h"

#define SLOT(i) ((SWord)(HEADER_BYTES + (Word)(i) * WORD_BYTES))

static void answer(Unit *u)
{
    op_v(&u->b, JIT_RETURN, (SWord)u->args + 1);
}

/* ---- Quick ones ---- */

static bool quick(Unit *u)
{
    Build *b = &u->b;
    int value;
    switch (quick_primitive(u->primitive, &value)) {
    case QUICK_NONE: return false;
    case QUICK_RECEIVER: op_ab(b, JIT_MOVE, JIT_RESULT, JIT_RECEIVER); break;
    case QUICK_TRUE: op_load(b, JIT_RESULT, JIT_VM, VAR(heap.true_object), WORD_SHIFT); break;
    case QUICK_FALSE: op_load(b, JIT_RESULT, JIT_VM, VAR(heap.false_object), WORD_SHIFT); break;
    case QUICK_NIL: op_load(b, JIT_RESULT, JIT_VM, VAR(heap.nil), WORD_SHIFT); break;
    case QUICK_INTEGER: op_av(b, JIT_CONSTANT, JIT_RESULT, (SWord)small_integer_oop(value)); break;
    case QUICK_VARIABLE: op_load(b, JIT_RESULT, JIT_RECEIVER, SLOT(value), WORD_SHIFT); break;
    }
    answer(u);
    return true;
}

/* ---- By a routine ---- */

/* Nothing it does can change frames, code, or where objects lie. */
static bool is_simple(unsigned number)
{
    unsigned flags = prim_table[number].flags;
    return number != 117 && number != 120 &&
           !(flags & (PRIM_MAY_SWITCH | PRIM_MAY_CALL_BACK | PRIM_MAY_COLLECT));
}

static void call_simple(Unit *u)
{
    Build *b = &u->b;
    unsigned failed = build_label(b);
    op_abv(b, JIT_TAKE_RETURN, 0, JIT_VM, VAR(ip));
    op_av(b, JIT_LITERAL, JIT_A, POOL_CODE);
    op_av(b, JIT_CONSTANT, JIT_B, (SWord)u->primitive);
    op_av(b, JIT_CONSTANT, JIT_C, (SWord)u->args);
    build_call(b, ROUTINE_SIMPLE_PRIMITIVE);
    op_load(b, JIT_D, JIT_VM, VAR(ip), WORD_SHIFT);
    op_ab(b, JIT_SET_RETURN, JIT_D, 0);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, failed);
    op_v(b, JIT_RETURN, 0);
    build_cold(b);
    build_here(b, failed);
    op_av(b, JIT_LITERAL, JIT_A, POOL_CODE);
    unit_stub_jump(u, ROUTINE_FAILED);
    build_main(b);
}

PrimitiveRest unit_primitive(Unit *u)
{
    unsigned number = u->primitive;
    if (number >= QUICK_FIRST && number <= QUICK_LAST)
        return quick(u) ? NO_BODY : BODY_WITH_FRAME;
    if (!number || number >= PRIM_TABLE_SIZE || !prim_table[number].function)
        return BODY_WITH_FRAME;
    if (is_simple(number))
        call_simple(u);
    else {
        op_av(&u->b, JIT_LITERAL, JIT_A, POOL_CODE);
        unit_stub_jump(u, ROUTINE_PRIMITIVE);
    }
    return BODY_ALONE;
}
