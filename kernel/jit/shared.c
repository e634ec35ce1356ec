/* Machine code that all code shares: it stands in for the stub of a routine, does what is frequent, and
 * leaves the rest to the stub. Its pieces are made first, never go, and so never move.
 */
#include "kernel/jit/jit_int.h"

#define SLOT(i) ((SWord)(HEADER_BYTES + (Word)(i) * WORD_BYTES))
#define FRAME(i) ((SWord)(i) * (SWord)WORD_BYTES)

static void load(Build *b, unsigned to, unsigned base, SWord offset)
{
    op_load(b, to, base, offset, WORD_SHIFT);
}

static void store(Build *b, unsigned from, unsigned base, SWord offset)
{
    op_abv(b, JIT_STORE, from, base, offset);
}

static void branch(Build *b, JitCondition c, unsigned a, SWord value, unsigned label)
{
    op_branch_value(b, JIT_BRANCH_CONSTANT, c, a, value, label);
}

static JitInstruction *indexed(Build *b, JitOperation operation, unsigned reg, unsigned base, unsigned index,
                               SWord offset)
{
    JitInstruction *i = build_add(b, operation);
    i->a = (uint8_t)reg;
    i->b = (uint8_t)base;
    i->c = (uint8_t)index;
    i->size = WORD_SHIFT;
    i->value = offset;
    return i;
}

/* `to` := the number of arguments of the frame. */
static void frame_arguments(Build *b, unsigned to, unsigned frame)
{
    load(b, to, frame, FRAME(FRAME_FLAGS));
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, to, FRAME_ARGS_SHIFT);
    op_av(b, JIT_AND_CONSTANT, to, (SWord)FRAME_ARGS_MASK);
}

/* ---- The context of the running frame ---- */

/* RESULT := a new context of A slots, all of them nil. */
static void new_context(Build *b, unsigned slow)
{
    const SWord kind = (SWord)((Header)FORMAT_INDEXABLE_FIXED << HEADER_FORMAT_SHIFT | CLASS_CONTEXT);
    const unsigned slots_shift = HEADER_SLOTS_SHIFT - (WORD_BITS == 64 ? 0 : 32);
    unsigned fill = build_label(b);
    op_ab(b, JIT_MOVE, JIT_B, JIT_A);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_B, WORD_SHIFT);
    op_av(b, JIT_ADD_CONSTANT, JIT_B, HEADER_BYTES);
    load(b, JIT_RESULT, JIT_VM, VAR(heap.eden_free));
    load(b, JIT_C, JIT_VM, VAR(heap.eden_limit));
    op_ab(b, JIT_SUBTRACT, JIT_C, JIT_RESULT);
    op_branch(b, JIT_BELOW, JIT_C, JIT_B, slow);
    op_ab(b, JIT_ADD, JIT_B, JIT_RESULT);
    store(b, JIT_B, JIT_VM, VAR(heap.eden_free));
    op_ab(b, JIT_MOVE, JIT_C, JIT_A);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_C, slots_shift);
    if (WORD_BITS == 64) {
        op_av(b, JIT_CONSTANT, JIT_B, kind);
        op_ab(b, JIT_OR, JIT_C, JIT_B);
        store(b, JIT_C, JIT_RESULT, 0);
    } else {
        store(b, JIT_C, JIT_RESULT, WORD_BYTES);
        op_av(b, JIT_CONSTANT, JIT_C, kind);
        store(b, JIT_C, JIT_RESULT, 0);
    }
    load(b, JIT_D, JIT_VM, VAR(heap.nil));
    build_here(b, fill);
    indexed(b, JIT_STORE_INDEXED, JIT_D, JIT_RESULT, JIT_A, HEADER_BYTES - WORD_BYTES);
    op_av(b, JIT_ADD_CONSTANT, JIT_A, -1);
    branch(b, JIT_NOT_EQUAL, JIT_A, 0, fill);
}

/* The context in RESULT gets what a married one has of its frame. NOBARRIER: it is young. */
static void marry(Build *b)
{
    unsigned method = build_label(b), argument = build_label(b), done = build_label(b);
    frame_arguments(b, JIT_B, JIT_FP);
    op_branch_bits_loaded(b, JIT_EQUAL, JIT_FP, FRAME(FRAME_FLAGS), FRAME_BLOCK, method);
    indexed(b, JIT_LOAD_INDEXED, JIT_E, JIT_FP, JIT_B, FRAME(2));
    store(b, JIT_E, JIT_RESULT, SLOT(CONTEXT_CLOSURE));
    build_here(b, method);
    load(b, JIT_E, JIT_FP, FRAME(FRAME_METHOD));
    store(b, JIT_E, JIT_RESULT, SLOT(CONTEXT_METHOD));
    load(b, JIT_E, JIT_FP, FRAME(FRAME_RECEIVER));
    store(b, JIT_E, JIT_RESULT, SLOT(CONTEXT_RECEIVER));
    op_abv(b, JIT_ADDRESS, JIT_E, JIT_FP, (SWord)FRAME_TAG);
    store(b, JIT_E, JIT_RESULT, SLOT(CONTEXT_SENDER));
    op_ab(b, JIT_MOVE, JIT_E, JIT_B);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_E, SMALL_INTEGER_SHIFT);
    op_av(b, JIT_OR_CONSTANT, JIT_E, (SWord)SMALL_INTEGER_TAG);
    store(b, JIT_E, JIT_RESULT, SLOT(CONTEXT_STACKP));
    op_ab(b, JIT_MOVE, JIT_D, JIT_RESULT);
    build_here(b, argument); /* the first argument lies highest */
    branch(b, JIT_EQUAL, JIT_B, 0, done);
    indexed(b, JIT_LOAD_INDEXED, JIT_E, JIT_FP, JIT_B, FRAME(1));
    store(b, JIT_E, JIT_D, SLOT(CONTEXT_FIXED));
    op_av(b, JIT_ADD_CONSTANT, JIT_D, WORD_BYTES);
    op_av(b, JIT_ADD_CONSTANT, JIT_B, -1);
    op_jump(b, argument);
    build_here(b, done);
    store(b, JIT_RESULT, JIT_FP, FRAME(FRAME_CONTEXT));
    load(b, JIT_E, JIT_FP, FRAME(FRAME_FLAGS));
    op_av(b, JIT_OR_CONSTANT, JIT_E, (SWord)FRAME_ODD_RETURN);
    store(b, JIT_E, JIT_FP, FRAME(FRAME_FLAGS));
}

static void context(Build *b, unsigned slow)
{
    unsigned make = build_label(b);
    load(b, JIT_RESULT, JIT_FP, FRAME(FRAME_CONTEXT));
    branch(b, JIT_EQUAL, JIT_RESULT, 0, make);
    op_v(b, JIT_RETURN, 0);
    build_here(b, make);
    new_context(b, slow);
    marry(b);
    op_v(b, JIT_RETURN, 0);
}

/* ---- Non-local return ---- */

/* To `slow` unless the object is of the class; D is lost. */
static void check_class(Build *b, unsigned object, SWord class_index, unsigned slow)
{
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, object, TAG_MASK, slow);
    op_load(b, JIT_D, object, 0, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_D, (SWord)HEADER_CLASS_MASK);
    branch(b, JIT_NOT_EQUAL, JIT_D, class_index, slow);
}

/* E := the frame of the method in which the running block was written. */
static void find_home(Build *b, unsigned slow)
{
    unsigned next = build_label(b), closure = build_label(b), home = build_label(b);
    frame_arguments(b, JIT_C, JIT_FP);
    indexed(b, JIT_LOAD_INDEXED, JIT_B, JIT_FP, JIT_C, FRAME(2));
    build_here(b, next);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_B, TAG_MASK, slow);
    op_load(b, JIT_D, JIT_B, 0, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_D, (SWord)HEADER_CLASS_MASK);
    branch(b, JIT_EQUAL, JIT_D, CLASS_FULL_BLOCK_CLOSURE, closure);
    branch(b, JIT_NOT_EQUAL, JIT_D, CLASS_BLOCK_CLOSURE, slow);
    build_here(b, closure);
    load(b, JIT_C, JIT_B, SLOT(CLOSURE_OUTER));
    check_class(b, JIT_C, CLASS_CONTEXT, slow);
    load(b, JIT_B, JIT_C, SLOT(CONTEXT_CLOSURE));
    op_branch_loaded(b, JIT_EQUAL, JIT_B, JIT_VM, VAR(heap.nil), home);
    op_jump(b, next);
    build_here(b, home);
    load(b, JIT_E, JIT_C, SLOT(CONTEXT_SENDER));
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, JIT_E, (SWord)FRAME_TAG, slow); /* not married */
    op_av(b, JIT_ADD_CONSTANT, JIT_E, -(SWord)FRAME_TAG);
}

/* To `slow` unless only frames that nobody unwinds lie between the running one and E, on one page,
 * and E returns to machine code there. C and D are lost. */
static void check_path(Build *b, unsigned slow)
{
    unsigned next = build_label(b), found = build_label(b);
    op_ab(b, JIT_MOVE, JIT_C, JIT_FP);
    build_here(b, next);
    op_branch_bits_loaded(b, JIT_NOT_EQUAL, JIT_C, FRAME(FRAME_FLAGS), FRAME_MARKED, slow);
    op_branch(b, JIT_EQUAL, JIT_C, JIT_E, found);
    load(b, JIT_C, JIT_C, FRAME(FRAME_SAVED_FP));
    branch(b, JIT_NOT_EQUAL, JIT_C, 0, next);
    op_jump(b, slow);
    build_here(b, found);
    load(b, JIT_D, JIT_E, FRAME(FRAME_SAVED_FP));
    branch(b, JIT_EQUAL, JIT_D, 0, slow);
    load(b, JIT_C, JIT_E, FRAME(FRAME_RETURN));
    load(b, JIT_D, JIT_VM, VAR(jit.zone_start));
    op_ab(b, JIT_SUBTRACT, JIT_C, JIT_D);
    op_branch_loaded(b, JIT_ABOVE_EQUAL, JIT_C, JIT_VM, VAR(jit.zone_bytes), slow);
}

void build_kill_context(Build *b, unsigned context, unsigned scratch)
{
    load(b, scratch, JIT_VM, VAR(heap.nil));
    store(b, scratch, context, SLOT(CONTEXT_SENDER)); /* NOBARRIER: nil */
    store(b, scratch, context, SLOT(CONTEXT_PC));
    op_load(b, scratch, context, HEADER_BYTES / 2, 2);
    op_av(b, JIT_AND_CONSTANT, scratch, (SWord)(uint32_t)(~HEADER_VERIFIED >> 32));
    store(b, scratch, context, HEADER_BYTES / 2);
    build_last(b)->size = 2;
}

static void non_local(Build *b, unsigned slow)
{
    unsigned next = build_label(b), killed = build_label(b), done = build_label(b);
    find_home(b, slow);
    check_path(b, slow);
    op_ab(b, JIT_MOVE, JIT_C, JIT_FP);
    build_here(b, next);
    load(b, JIT_D, JIT_C, FRAME(FRAME_CONTEXT));
    branch(b, JIT_EQUAL, JIT_D, 0, killed);
    build_kill_context(b, JIT_D, JIT_B);
    build_here(b, killed);
    op_branch(b, JIT_EQUAL, JIT_C, JIT_E, done);
    load(b, JIT_C, JIT_C, FRAME(FRAME_SAVED_FP));
    op_jump(b, next);
    build_here(b, done);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_A);
    load(b, JIT_D, JIT_E, FRAME(FRAME_RETURN));
    load(b, JIT_FP, JIT_E, FRAME(FRAME_SAVED_FP));
    frame_arguments(b, JIT_C, JIT_E);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_C, WORD_SHIFT);
    op_ab(b, JIT_ADD, JIT_C, JIT_E);
    op_abv(b, JIT_ADDRESS, JIT_SP, JIT_C, FRAME(3));
    op_ab(b, JIT_JUMP_REGISTER, JIT_D, 0);
}

/* ---- All of them ---- */

static bool make(Vm *vm, Routine routine, void (*emit)(Build *, unsigned slow))
{
    Build b;
    build_open(&b, vm);
    b.routine = (uint8_t)routine;
    unsigned slow = build_label(&b);
    emit(&b, slow);
    build_here(&b, slow);
    op_av(&b, JIT_CONSTANT, JIT_D, (SWord)vm->jit.stubs[routine]);
    op_ab(&b, JIT_JUMP_REGISTER, JIT_D, 0);
    Piece *piece = jit_install(&b, PIECE_SHARED);
    build_close(&b);
    if (!piece)
        return false;
    vm->jit.stubs[routine] = jit_code(piece);
    return true;
}

bool shared_make(Vm *vm)
{
    return make(vm, ROUTINE_CONTEXT, context) && make(vm, ROUTINE_NON_LOCAL, non_local);
}
