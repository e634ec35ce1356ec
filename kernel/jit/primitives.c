/* Numbered primitives at the entry of a method: receiver and arguments are where the caller has put
 * them, the return address where a call leaves it.
 */
#include "kernel/jit/jit_int.h"
#include "kernel/vm/primitives/primitives.h"

#define SLOT(i) ((SWord)(HEADER_BYTES + (Word)(i) * WORD_BYTES))

void unit_answer(Unit *u)
{
    op_v(&u->b, JIT_RETURN, jit_in_registers(u->args) ? 0 : (SWord)u->args + 1);
}

/* ---- Quick ones ---- */

static bool quick(Unit *u)
{
    Build *b = &u->b;
    int value;
    QuickKind kind = quick_primitive(u->primitive, &value);
    if (kind == QUICK_VARIABLE && u->careful)
        return false;
    switch (kind) {
    case QUICK_NONE: return false;
    case QUICK_RECEIVER: op_ab(b, JIT_MOVE, JIT_RESULT, JIT_RECEIVER); break;
    case QUICK_TRUE: op_load(b, JIT_RESULT, JIT_VM, VAR(heap.true_object), WORD_SHIFT); break;
    case QUICK_FALSE: op_load(b, JIT_RESULT, JIT_VM, VAR(heap.false_object), WORD_SHIFT); break;
    case QUICK_NIL: op_load(b, JIT_RESULT, JIT_VM, VAR(heap.nil), WORD_SHIFT); break;
    case QUICK_INTEGER: op_av(b, JIT_CONSTANT, JIT_RESULT, (SWord)small_integer_oop(value)); break;
    case QUICK_VARIABLE: op_load(b, JIT_RESULT, JIT_RECEIVER, SLOT(value), WORD_SHIFT); break;
    }
    unit_answer(u);
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

/* Receiver and arguments into memory, for a leaf routine, and out of it; the return address has
 * been taken. */
static void push_operands(Unit *u)
{
    if (!jit_in_registers(u->args))
        return;
    op_ab(&u->b, JIT_PUSH, JIT_RECEIVER, 0);
    for (unsigned i = 0; i < u->args; i++)
        op_ab(&u->b, JIT_PUSH, JIT_ARGUMENT_0 + i, 0);
}

static void pop_operands(Unit *u)
{
    if (!jit_in_registers(u->args))
        return;
    for (unsigned i = u->args; i-- > 0;)
        op_ab(&u->b, JIT_POP, JIT_ARGUMENT_0 + i, 0);
    op_ab(&u->b, JIT_POP, JIT_RECEIVER, 0);
}

/* Takes the return address away for as long as a leaf routine is called. */
static void take_return(Unit *u)
{
    op_abv(&u->b, JIT_TAKE_RETURN, 0, JIT_VM, VAR(ip));
}

static void set_return(Unit *u)
{
    op_load(&u->b, JIT_D, JIT_VM, VAR(ip), WORD_SHIFT);
    op_ab(&u->b, JIT_SET_RETURN, JIT_D, 0);
}

/* `straight`: a failure goes on behind. */
static void call_simple(Unit *u, bool straight)
{
    Build *b = &u->b;
    unsigned failed = build_label(b);
    take_return(u);
    push_operands(u);
    op_av(b, JIT_LITERAL, JIT_A, POOL_CODE);
    op_av(b, JIT_CONSTANT, JIT_B, (SWord)u->primitive);
    op_av(b, JIT_CONSTANT, JIT_C, (SWord)u->args);
    build_call(b, ROUTINE_SIMPLE_PRIMITIVE);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, failed);
    set_return(u);
    op_v(b, JIT_RETURN, 0);
    if (!straight)
        build_cold(b);
    build_here(b, failed);
    pop_operands(u);
    set_return(u);
    if (straight) { /* the body follows, unless there may be room after a collection */
        unsigned retry = build_label(b);
        *build_add(b, JIT_BRANCH_LOADED_CONSTANT) = (JitInstruction){
            .operation = JIT_BRANCH_LOADED_CONSTANT, .condition = JIT_EQUAL, .b = JIT_VM,
            .value = VAR(jit.failure), .extra = PRIM_NO_MEMORY, .label = (uint16_t)retry};
        build_cold(b);
        build_here(b, retry);
    }
    op_av(b, JIT_LITERAL, JIT_A, POOL_CODE);
    op_av(b, JIT_CONSTANT, JIT_C, (SWord)u->args);
    build_stub_jump(b, ROUTINE_FAILED, u->args);
    build_main(b);
}

/* Does the body begin by taking the error into a temporary, which C fills? */
static bool wants_error(const Unit *u)
{
    Instruction i;
    return u->base > u->args &&
           bytecode_decode(u->view.set, u->view.bytes, u->view.count, u->from, &i) &&
           i.op == OP_STORE_TEMP;
}

/* ---- Inline: what fails falls through to the routine, with RECEIVER, the ARGUMENTs and the stack
 * as they were ---- */

void unit_load_argument(Unit *u, unsigned to, unsigned index)
{
    if (jit_in_registers(u->args))
        op_ab(&u->b, JIT_MOVE, to, JIT_ARGUMENT_0 + index);
    else
        op_load(&u->b, to, JIT_SP,
                (SWord)(u->b.jit->back_end->ops->return_on_stack + u->args - 1 - index) * WORD_BYTES,
                WORD_SHIFT);
}

void unit_read_header(Unit *u, unsigned object, unsigned slow)
{
    Build *b = &u->b;
    unsigned overflow = build_label(b), on = build_label(b);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, object, TAG_MASK, slow);
    op_load(b, JIT_D, object, 0, 2);
    op_load(b, JIT_B, object, HEADER_BYTES - 1, 0);
    op_ab(b, JIT_MOVE, JIT_E, JIT_D);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_E, HEADER_FORMAT_SHIFT);
    op_av(b, JIT_AND_CONSTANT, JIT_E, 0x1F);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_B, HEADER_SLOTS_OVERFLOW, overflow);
    build_here(b, on);
    build_cold(b);
    build_here(b, overflow);
    op_load(b, JIT_B, object, -HEADER_BYTES, WORD_BITS == 64 ? WORD_SHIFT : 2);
    if (WORD_BITS == 64) { /* the count lies below the mark */
        op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_B, 8);
        op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_B, 8);
    }
    op_jump(b, on);
    build_main(b);
}

/* A := argument 0, a SmallInteger, as an index from 0; too small a one is a large unsigned. */
static void read_index(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, JIT_ARGUMENT_0, 1, slow);
    op_ab(b, JIT_MOVE, JIT_A, JIT_ARGUMENT_0);
    op_av(b, JIT_SHIFT_RIGHT_CONSTANT, JIT_A, SMALL_INTEGER_SHIFT);
    op_av(b, JIT_ADD_CONSTANT, JIT_A, -1);
}

void unit_byte_count(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_BELOW, JIT_E, FORMAT_BYTES, slow);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_ABOVE_EQUAL, JIT_E, FORMAT_CODE, slow);
    op_av(b, JIT_AND_CONSTANT, JIT_E, 7);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_B, WORD_SHIFT);
    op_ab(b, JIT_SUBTRACT, JIT_B, JIT_E);
}

static void indexed(Unit *u, JitOperation operation, unsigned reg, unsigned size)
{
    JitInstruction *i = build_add(&u->b, operation);
    *i = (JitInstruction){.operation = (uint8_t)operation, .a = (uint8_t)reg, .b = JIT_RECEIVER,
                          .c = JIT_A, .size = (uint8_t)size, .value = HEADER_BYTES};
}

static void tag(Unit *u, unsigned reg, bool character)
{
    op_av(&u->b, JIT_SHIFT_LEFT_CONSTANT, reg, character ? TAG_BITS : SMALL_INTEGER_SHIFT);
    op_av(&u->b, JIT_OR_CONSTANT, reg, (SWord)(character ? CHARACTER_TAG : SMALL_INTEGER_TAG));
}

static void inline_at(Unit *u, bool string, unsigned slow)
{
    Build *b = &u->b;
    unsigned bytes = build_label(b);
    read_index(u, slow);
    unit_read_header(u, JIT_RECEIVER, slow);
    if (!string) {
        op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_E, FORMAT_INDEXABLE, bytes);
        op_branch(b, JIT_ABOVE_EQUAL, JIT_A, JIT_B, slow);
        indexed(u, JIT_LOAD_INDEXED, JIT_RESULT, WORD_SHIFT);
        unit_answer(u);
    }
    build_here(b, bytes);
    unit_byte_count(u, slow);
    op_branch(b, JIT_ABOVE_EQUAL, JIT_A, JIT_B, slow);
    indexed(u, JIT_LOAD_INDEXED, JIT_RESULT, 0);
    tag(u, JIT_RESULT, string);
    unit_answer(u);
}

/* The slot at A of RECEIVER, just stored, holds ARGUMENT_1. */
static void barrier(Unit *u)
{
    Build *b = &u->b;
    unsigned done = build_label(b), slow = build_label(b);
    op_branch_loaded(b, JIT_BELOW, JIT_RECEIVER, JIT_VM, VAR(heap.old_start), done);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_ARGUMENT_1, TAG_MASK, done);
    op_branch_loaded(b, JIT_BELOW, JIT_ARGUMENT_1, JIT_VM, VAR(heap.old_start), slow);
    JitInstruction *i = build_add(b, JIT_BRANCH_LOADED_CONSTANT);
    *i = (JitInstruction){.operation = JIT_BRANCH_LOADED_CONSTANT, .condition = JIT_NOT_EQUAL,
                          .b = JIT_VM, .value = VAR(heap.marking), .label = (uint16_t)slow};
    build_here(b, done);
    build_cold(b);
    build_here(b, slow);
    take_return(u);
    op_ab(b, JIT_MOVE, JIT_A, JIT_RECEIVER);
    op_ab(b, JIT_MOVE, JIT_B, JIT_ARGUMENT_1);
    build_call(b, ROUTINE_BARRIER);
    set_return(u);
    op_jump(b, done);
    build_main(b);
}

static void inline_at_put(Unit *u, bool string, unsigned slow)
{
    Build *b = &u->b;
    unsigned bytes = build_label(b);
    read_index(u, slow);
    unit_read_header(u, JIT_RECEIVER, slow);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_D, (SWord)HEADER_IMMUTABLE, slow);
    if (!string) {
        op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_E, FORMAT_INDEXABLE, bytes);
        op_branch(b, JIT_ABOVE_EQUAL, JIT_A, JIT_B, slow);
        indexed(u, JIT_STORE_INDEXED, JIT_ARGUMENT_1, WORD_SHIFT);
        barrier(u);
        op_ab(b, JIT_MOVE, JIT_RESULT, JIT_ARGUMENT_1);
        unit_answer(u);
    }
    build_here(b, bytes);
    unit_byte_count(u, slow);
    op_branch(b, JIT_ABOVE_EQUAL, JIT_A, JIT_B, slow);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_ARGUMENT_1);
    op_ab(b, JIT_MOVE, JIT_C, JIT_ARGUMENT_1);
    op_ab(b, JIT_MOVE, JIT_D, JIT_C);
    op_av(b, JIT_AND_CONSTANT, JIT_D, WORD_BITS == 64 || string ? (SWord)TAG_MASK : 1);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_D,
                    (SWord)(string ? CHARACTER_TAG : SMALL_INTEGER_TAG), slow);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_C, string ? TAG_BITS : SMALL_INTEGER_SHIFT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_ABOVE, JIT_C, 255, slow);
    indexed(u, JIT_STORE_INDEXED, JIT_C, 0);
    unit_answer(u);
}

static void inline_size(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    unsigned bytes = build_label(b), done = build_label(b);
    unit_read_header(u, JIT_RECEIVER, slow);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_E, FORMAT_INDEXABLE, bytes);
    build_here(b, done);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_B);
    tag(u, JIT_RESULT, false);
    unit_answer(u);
    build_here(b, bytes);
    unit_byte_count(u, slow);
    op_jump(b, done);
}

/* ---- Classes ---- */

static void load_indexed(Build *b, unsigned to, unsigned base, unsigned index)
{
    *build_add(b, JIT_LOAD_INDEXED) = (JitInstruction){
        .operation = JIT_LOAD_INDEXED, .a = (uint8_t)to, .b = (uint8_t)base, .c = (uint8_t)index,
        .size = WORD_SHIFT, .value = HEADER_BYTES};
}

/* `to` := the entry of the class table at `index`. E is lost. */
static void class_at(Build *b, unsigned to, unsigned index)
{
    op_ab(b, JIT_MOVE, JIT_E, index);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_E, CLASS_PAGE_BITS);
    op_load(b, to, JIT_VM, VAR(heap.hidden_roots), WORD_SHIFT);
    load_indexed(b, to, to, JIT_E);
    op_ab(b, JIT_MOVE, JIT_E, index);
    op_av(b, JIT_AND_CONSTANT, JIT_E, CLASS_PAGE_SIZE - 1);
    load_indexed(b, to, to, JIT_E);
}

void unit_class_of(Unit *u, unsigned to, unsigned object, unsigned slow)
{
    Build *b = &u->b;
    unsigned immediate = build_label(b), on = build_label(b);
    const SWord real = (SWord)(HEADER_CLASS_MASK & ~(Word)CLASS_FORWARDER);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, object, TAG_MASK, immediate);
    op_load(b, JIT_D, object, 0, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_D, (SWord)HEADER_CLASS_MASK);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, JIT_D, real, slow);
    build_here(b, on);
    class_at(b, to, JIT_D);
    op_load(b, JIT_E, to, 0, 2);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, JIT_E, real, slow);
    build_cold(b);
    build_here(b, immediate);
    op_ab(b, JIT_MOVE, JIT_D, object);
    op_av(b, JIT_AND_CONSTANT, JIT_D, WORD_BITS == 64 ? (SWord)TAG_MASK : 1);
    if (WORD_BITS == 32) {
        op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_D, 0, on);
        op_av(b, JIT_CONSTANT, JIT_D, CLASS_CHARACTER);
    }
    op_jump(b, on);
    build_main(b);
}

/* ---- Allocation ---- */

enum { INLINE_SLOTS_MOST = 64 };

/* C := the class index of the class in RECEIVER, which must be in the class table; D := its format
 * word, E := the instance specification. A is kept. */
static void read_class(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_RECEIVER, TAG_MASK, slow);
    op_load(b, JIT_D, JIT_RECEIVER, 0, 2);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_D,
                    (SWord)((Header)0x18 << HEADER_FORMAT_SHIFT), slow);
    op_load(b, JIT_D, JIT_RECEIVER, HEADER_BYTES - 1, 0);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_BELOW_EQUAL, JIT_D, CLASS_FORMAT, slow);
    op_load(b, JIT_C, JIT_RECEIVER, HEADER_HASH_SHIFT / 8, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_C, HASH_MAX);
    class_at(b, JIT_D, JIT_C);
    op_branch(b, JIT_NOT_EQUAL, JIT_D, JIT_RECEIVER, slow);
    op_load(b, JIT_D, JIT_RECEIVER, SLOT(CLASS_FORMAT), WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, JIT_D, 1, slow);
    op_av(b, JIT_SHIFT_RIGHT_CONSTANT, JIT_D, SMALL_INTEGER_SHIFT);
    op_ab(b, JIT_MOVE, JIT_E, JIT_D);
    op_av(b, JIT_SHIFT_RIGHT_CONSTANT, JIT_E, 16);
    op_av(b, JIT_AND_CONSTANT, JIT_E, 0x1F);
}

/* RESULT := a new object of A slots, format E, class index C, every slot the value in D. */
static void allocate(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    unsigned some = build_label(b), fill = build_label(b), unsized = build_label(b);
    op_ab(b, JIT_MOVE, JIT_B, JIT_A);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_A, 0, unsized);
    build_here(b, some);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_A, HEADER_SLOTS_SHIFT);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_E, HEADER_FORMAT_SHIFT);
    op_ab(b, JIT_OR, JIT_E, JIT_A);
    op_ab(b, JIT_OR, JIT_E, JIT_C);
    op_load(b, JIT_RESULT, JIT_VM, VAR(heap.eden_free), WORD_SHIFT);
    op_ab(b, JIT_MOVE, JIT_A, JIT_B);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_A, WORD_SHIFT);
    op_av(b, JIT_ADD_CONSTANT, JIT_A, HEADER_BYTES);
    op_load(b, JIT_C, JIT_VM, VAR(heap.eden_limit), WORD_SHIFT);
    op_ab(b, JIT_SUBTRACT, JIT_C, JIT_RESULT);
    op_branch(b, JIT_BELOW, JIT_C, JIT_A, slow);
    op_ab(b, JIT_ADD, JIT_A, JIT_RESULT);
    op_abv(b, JIT_STORE, JIT_A, JIT_VM, VAR(heap.eden_free));
    op_abv(b, JIT_STORE, JIT_E, JIT_RESULT, 0);
    build_here(b, fill);
    *build_add(b, JIT_STORE_INDEXED) = (JitInstruction){
        .operation = JIT_STORE_INDEXED, .a = JIT_D, .b = JIT_RESULT, .c = JIT_B, .size = WORD_SHIFT,
        .value = HEADER_BYTES - WORD_BYTES};
    op_av(b, JIT_ADD_CONSTANT, JIT_B, -1);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_B, 0, fill);
    unit_answer(u);
    build_cold(b);
    build_here(b, unsized); /* an object without slots has room for one */
    op_av(b, JIT_CONSTANT, JIT_B, 1);
    op_jump(b, some);
    build_main(b);
}

static void inline_new(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    read_class(u, slow);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_ABOVE, JIT_E, FORMAT_FIXED, slow);
    op_ab(b, JIT_MOVE, JIT_A, JIT_D);
    op_av(b, JIT_AND_CONSTANT, JIT_A, 0xFFFF);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_ABOVE, JIT_A, INLINE_SLOTS_MOST, slow);
    op_load(b, JIT_D, JIT_VM, VAR(heap.nil), WORD_SHIFT);
    allocate(u, slow);
}

/* Arrays and byte objects; the size in A. */
static void inline_new_sized(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    unsigned bytes = build_label(b), ready = build_label(b);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, JIT_ARGUMENT_0, 1, slow);
    op_ab(b, JIT_MOVE, JIT_A, JIT_ARGUMENT_0);
    op_av(b, JIT_SHIFT_RIGHT_CONSTANT, JIT_A, SMALL_INTEGER_SHIFT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_ABOVE, JIT_A, INLINE_SLOTS_MOST, slow);
    read_class(u, slow);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_E, FORMAT_INDEXABLE, bytes);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_D, 0xFFFF, slow);
    op_load(b, JIT_D, JIT_VM, VAR(heap.nil), WORD_SHIFT);
    op_jump(b, ready);
    build_here(b, bytes);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_E, FORMAT_BYTES, slow);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_D, 0xFFFF, slow);
    op_av(b, JIT_CONSTANT, JIT_D, 0); /* the format's low bits: bytes of the last slot not used */
    op_ab(b, JIT_SUBTRACT, JIT_D, JIT_A);
    op_av(b, JIT_AND_CONSTANT, JIT_D, WORD_BYTES - 1);
    op_ab(b, JIT_OR, JIT_E, JIT_D);
    op_av(b, JIT_ADD_CONSTANT, JIT_A, WORD_BYTES - 1);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_A, WORD_SHIFT);
    op_av(b, JIT_CONSTANT, JIT_D, 0);
    build_here(b, ready);
    allocate(u, slow);
}

/* ---- Blocks ---- */

/* Into the machine code of a full closure's block, which checks the closure. */
static void inline_full_value(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    const SWord code_format = (SWord)((Header)FORMAT_CODE << HEADER_FORMAT_SHIFT);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_RECEIVER, TAG_MASK, slow);
    op_load(b, JIT_A, JIT_RECEIVER, SLOT(CLOSURE_ARG_COUNT), WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_A,
                    (SWord)small_integer_oop((SWord)u->args), slow);
    op_load(b, JIT_A, JIT_RECEIVER, SLOT(FULL_CLOSURE_CODE), WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_A, TAG_MASK, slow);
    op_load(b, JIT_D, JIT_A, 0, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_D, code_format);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_D, code_format, slow);
    op_load(b, JIT_A, JIT_A, SLOT(0), WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_A, 1, slow);
    op_load(b, JIT_A, JIT_A, POOL_ENTRY * WORD_BYTES, WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_A, 0, slow);
    op_av(b, JIT_LITERAL, JIT_B, POOL_CODE);
    op_ab(b, JIT_JUMP_REGISTER, JIT_A, 0);
}

static void inline_identity(Unit *u)
{
    Build *b = &u->b;
    unsigned differ = build_label(b);
    op_load(b, JIT_RESULT, JIT_VM, VAR(heap.true_object), WORD_SHIFT);
    op_branch(b, JIT_NOT_EQUAL, JIT_ARGUMENT_0, JIT_RECEIVER, differ);
    unit_answer(u);
    build_here(b, differ); /* they may still be one object, forwarded: the routine knows */
}

/* The character with the code in `code`. */
static void inline_character(Unit *u, unsigned code, unsigned slow)
{
    Build *b = &u->b;
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, code, 1, slow);
    op_ab(b, JIT_MOVE, JIT_RESULT, code);
    op_av(b, JIT_SHIFT_RIGHT_CONSTANT, JIT_RESULT, SMALL_INTEGER_SHIFT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_ABOVE, JIT_RESULT, (SWord)CHARACTER_MAX, slow);
    tag(u, JIT_RESULT, true);
    unit_answer(u);
}

static void inline_code(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    op_ab(b, JIT_MOVE, JIT_A, JIT_RECEIVER);
    op_av(b, JIT_AND_CONSTANT, JIT_A, TAG_MASK);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_A, (SWord)CHARACTER_TAG, slow);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_RECEIVER);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_RESULT, TAG_BITS);
    tag(u, JIT_RESULT, false);
    unit_answer(u);
}

static void inline_hash_multiply(Unit *u, unsigned slow)
{
    enum { FACTOR = 1664525, MASK = 0xFFFFFFF };
    Build *b = &u->b;
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, JIT_RECEIVER, 1, slow);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_RECEIVER);
    op_av(b, JIT_SHIFT_RIGHT_CONSTANT, JIT_RESULT, SMALL_INTEGER_SHIFT);
    op_av(b, JIT_CONSTANT, JIT_A, FACTOR);
    op_ab(b, JIT_MULTIPLY, JIT_RESULT, JIT_A);
    op_av(b, JIT_AND_CONSTANT, JIT_RESULT, MASK);
    tag(u, JIT_RESULT, false);
    unit_answer(u);
}

/* Of objects that have a hash already. */
static void inline_identity_hash(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_RECEIVER, TAG_MASK, slow);
    op_load(b, JIT_RESULT, JIT_RECEIVER, HEADER_HASH_SHIFT / 8, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_RESULT, HASH_MAX);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, slow);
    tag(u, JIT_RESULT, false);
    unit_answer(u);
}

static void inline_class(Unit *u, unsigned slow)
{
    unit_class_of(u, JIT_RESULT, JIT_RECEIVER, slow);
    unit_answer(u);
}

static void inline_primitive(Unit *u, unsigned slow)
{
    switch (u->primitive) {
    case 60: inline_at(u, false, slow); break;
    case 61: inline_at_put(u, false, slow); break;
    case 62: inline_size(u, slow); break;
    case 63: inline_at(u, true, slow); break;
    case 64: inline_at_put(u, true, slow); break;
    case 70:
        if (WORD_BITS == 64 && u->args == 0)
            inline_new(u, slow);
        break;
    case 71:
        if (WORD_BITS == 64 && u->args == 1)
            inline_new_sized(u, slow);
        break;
    case 75:
        if (u->args == 0)
            inline_identity_hash(u, slow);
        break;
    case 111:
        if (u->args == 0)
            inline_class(u, slow);
        break;
    case 159:
        if (u->args == 0)
            inline_hash_multiply(u, slow);
        break;
    case 170:
        if (u->args <= 1)
            inline_character(u, u->args == 1 ? JIT_ARGUMENT_0 : JIT_RECEIVER, slow);
        break;
    case 171:
        if (u->args == 0)
            inline_code(u, slow);
        break;
    case 105:
        if (u->args == 4)
            unit_replace(u, slow);
        break;
    case 110:
        if (u->args == 1)
            inline_identity(u);
        break;
    case 158:
        if (u->args == 1)
            unit_compare(u, slow);
        break;
    case 207: inline_full_value(u, slow); break;
    default: break;
    }
}

/* How many arguments the inlined form of the primitive takes. */
static bool has_arguments(const Unit *u)
{
    switch (u->primitive) {
    case 60:
    case 63: return u->args == 1;
    case 61:
    case 64: return u->args == 2;
    case 62: return u->args == 0;
    default: return true;
    }
}

PrimitiveRest unit_primitive(Unit *u)
{
    unsigned number = u->primitive;
    if (number >= QUICK_FIRST && number <= QUICK_LAST)
        return quick(u) ? NO_BODY : BODY_WITH_FRAME;
    if (!number || number >= PRIM_TABLE_SIZE || !prim_table[number].function)
        return BODY_WITH_FRAME;
    unsigned slow = build_label(&u->b);
    if (has_arguments(u))
        inline_primitive(u, slow);
    build_here(&u->b, slow);
    if (is_simple(number)) {
        bool straight = !wants_error(u);
        call_simple(u, straight);
        return straight ? BODY_WITH_FRAME : BODY_ALONE;
    }
    op_av(&u->b, JIT_LITERAL, JIT_A, POOL_CODE);
    op_av(&u->b, JIT_CONSTANT, JIT_B, (SWord)number);
    op_av(&u->b, JIT_CONSTANT, JIT_C, (SWord)u->args);
    build_stub_jump(&u->b, ROUTINE_PRIMITIVE, u->args);
    return BODY_ALONE;
}
