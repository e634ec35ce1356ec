/* Primitives over ranges of elements, inline for short ranges of plain arrays and byte objects; the
 * others are the routine's.
 */
#include "kernel/jit/jit_int.h"

enum { ELEMENTS_MOST = 64, COMPARED_MOST = 256 };

static void branch(Build *b, JitCondition c, unsigned a, SWord value, unsigned label)
{
    op_branch_value(b, JIT_BRANCH_CONSTANT, c, a, value, label);
}

/* `to` := argument `index`, a SmallInteger, as a number. */
static void read_integer(Unit *u, unsigned to, unsigned index, unsigned slow)
{
    Build *b = &u->b;
    unit_load_argument(u, to, index);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, to, 1, slow);
    op_av(b, JIT_SHIFT_RIGHT_CONSTANT, to, SMALL_INTEGER_SHIFT);
}

/* B := the number of elements of the object in C, which must be of RECEIVER's kind. D, E are lost. */
static void read_source(Unit *u, bool bytes, unsigned slow)
{
    unit_read_header(u, JIT_C, slow);
    if (bytes)
        unit_byte_count(u, slow);
    else
        branch(&u->b, JIT_NOT_EQUAL, JIT_E, FORMAT_INDEXABLE, slow);
}

/* `object` := where `by` elements more lie in front of what it is counted from. E is lost. */
static void skip(Build *b, unsigned object, unsigned by, bool bytes)
{
    op_ab(b, JIT_MOVE, JIT_E, by);
    if (!bytes)
        op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_E, WORD_SHIFT);
    op_ab(b, JIT_ADD, object, JIT_E);
}

/* C and `other` go on `bytes` further, `elements` of the A that are left. */
static void next_elements(Build *b, unsigned other, SWord bytes, SWord elements)
{
    op_av(b, JIT_ADD_CONSTANT, JIT_C, bytes);
    op_av(b, JIT_ADD_CONSTANT, other, bytes);
    op_av(b, JIT_ADD_CONSTANT, JIT_A, -elements);
}

/* While there are that many of A: `elements` go from C to RESULT, as one value of 1 << size bytes.
 * Upwards, as overlapping ranges have it. */
static void copy_loop(Build *b, unsigned size, SWord elements, unsigned done)
{
    unsigned loop = build_label(b);
    build_here(b, loop);
    branch(b, JIT_BELOW, JIT_A, elements, done);
    op_load(b, JIT_E, JIT_C, HEADER_BYTES, size);
    op_abv(b, JIT_STORE, JIT_E, JIT_RESULT, HEADER_BYTES);
    build_last(b)->size = (uint8_t)size;
    next_elements(b, JIT_RESULT, (SWord)1 << size, elements);
    op_jump(b, loop);
}

/* RECEIVER has B elements: those from argument 0 to argument 1 become those of argument 2 from
 * argument 3 on. */
static void replace(Unit *u, bool bytes, unsigned slow)
{
    Build *b = &u->b;
    unsigned singly = build_label(b), done = build_label(b);
    read_integer(u, JIT_A, 1, slow);
    op_branch(b, JIT_ABOVE, JIT_A, JIT_B, slow);
    read_integer(u, JIT_C, 0, slow);
    op_av(b, JIT_ADD_CONSTANT, JIT_C, -1);
    op_branch(b, JIT_ABOVE, JIT_C, JIT_A, slow);
    op_ab(b, JIT_SUBTRACT, JIT_A, JIT_C);
    branch(b, JIT_ABOVE, JIT_A, ELEMENTS_MOST, slow);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_RECEIVER);
    skip(b, JIT_RESULT, JIT_C, bytes);
    unit_load_argument(u, JIT_C, 2);
    read_source(u, bytes, slow);
    read_integer(u, JIT_D, 3, slow);
    op_av(b, JIT_ADD_CONSTANT, JIT_D, -1);
    op_branch(b, JIT_ABOVE, JIT_D, JIT_B, slow);
    op_ab(b, JIT_SUBTRACT, JIT_B, JIT_D);
    op_branch(b, JIT_ABOVE, JIT_A, JIT_B, slow);
    op_ab(b, JIT_MOVE, JIT_E, JIT_C);
    if (bytes) {
        op_ab(b, JIT_ADD, JIT_C, JIT_D);
        op_branch(b, JIT_EQUAL, JIT_E, JIT_RECEIVER, singly); /* it may overlap */
        copy_loop(b, WORD_SHIFT, WORD_BYTES, singly);
        build_here(b, singly);
        copy_loop(b, 0, 1, done);
    } else {
        skip(b, JIT_C, JIT_D, false);
        copy_loop(b, WORD_SHIFT, 1, done);
    }
    build_here(b, done);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_RECEIVER);
    unit_answer(u);
}

/* Of Arrays in new space, which need no store check, and byte objects. */
void unit_replace(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    unsigned bytes = build_label(b);
    unit_read_header(u, JIT_RECEIVER, slow);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_D, (SWord)HEADER_IMMUTABLE, slow);
    branch(b, JIT_NOT_EQUAL, JIT_E, FORMAT_INDEXABLE, bytes);
    op_branch_loaded(b, JIT_ABOVE_EQUAL, JIT_RECEIVER, JIT_VM, VAR(heap.old_start), slow);
    replace(u, false, slow);
    build_here(b, bytes);
    unit_byte_count(u, slow);
    replace(u, true, slow);
}

/* The difference of the first bytes that differ, else of the sizes. */
void unit_compare(Unit *u, unsigned slow)
{
    Build *b = &u->b;
    unsigned words = build_label(b), singly = build_label(b), same = build_label(b),
             differ = build_label(b);
    unit_read_header(u, JIT_RECEIVER, slow);
    unit_byte_count(u, slow);
    op_ab(b, JIT_MOVE, JIT_A, JIT_B);
    unit_load_argument(u, JIT_C, 0);
    unit_read_header(u, JIT_C, slow);
    unit_byte_count(u, slow);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_A);
    op_ab(b, JIT_SUBTRACT, JIT_RESULT, JIT_B);
    unsigned common = build_label(b);
    op_branch(b, JIT_BELOW_EQUAL, JIT_A, JIT_B, common);
    op_ab(b, JIT_MOVE, JIT_A, JIT_B);
    build_here(b, common);
    branch(b, JIT_ABOVE, JIT_A, COMPARED_MOST, slow);
    op_ab(b, JIT_MOVE, JIT_B, JIT_RECEIVER);
    build_here(b, words);
    branch(b, JIT_BELOW, JIT_A, WORD_BYTES, singly);
    op_load(b, JIT_D, JIT_B, HEADER_BYTES, WORD_SHIFT);
    op_load(b, JIT_E, JIT_C, HEADER_BYTES, WORD_SHIFT);
    op_branch(b, JIT_NOT_EQUAL, JIT_D, JIT_E, singly);
    next_elements(b, JIT_B, WORD_BYTES, WORD_BYTES);
    op_jump(b, words);
    build_here(b, singly);
    branch(b, JIT_EQUAL, JIT_A, 0, same);
    op_load(b, JIT_D, JIT_B, HEADER_BYTES, 0);
    op_load(b, JIT_E, JIT_C, HEADER_BYTES, 0);
    op_branch(b, JIT_NOT_EQUAL, JIT_D, JIT_E, differ);
    next_elements(b, JIT_B, 1, 1);
    op_jump(b, singly);
    build_here(b, differ);
    op_ab(b, JIT_MOVE, JIT_RESULT, JIT_D);
    op_ab(b, JIT_SUBTRACT, JIT_RESULT, JIT_E);
    build_here(b, same);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_RESULT, SMALL_INTEGER_SHIFT);
    op_av(b, JIT_OR_CONSTANT, JIT_RESULT, (SWord)SMALL_INTEGER_TAG);
    unit_answer(u);
}
