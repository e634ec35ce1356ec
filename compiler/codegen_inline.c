/* The messages that are compiled in line: conditions, loops, caseOf:, and the blocks in them. */
#include "codegen_int.h"
#include "kernel/bytecode/opcodes.h"

enum { SPECIAL_IDENTICAL = 22 }; /* == among the special selectors */

/* --- Blocks --- */

/* A condition both arms of which leave the method. */
bool gen_is_returning_if(const Node *node)
{
    return node->kind == NODE_SEND &&
           (node->send.inlined == INLINE_IF || node->send.inlined == INLINE_NIL_TEST) &&
           node->send.arms[0] && node->send.arms[1] &&
           gen_block_returns(node->send.arms[0]->block) &&
           gen_block_returns(node->send.arms[1]->block);
}

const Node *gen_block_last(const Block *block)
{
    return block->statement_count ? block->statements[block->statement_count - 1] : NULL;
}

bool gen_block_returns(const Block *block)
{
    const Node *last = gen_block_last(block);
    return last && (last->kind == NODE_RETURN || gen_is_returning_if(last));
}

bool gen_node_is_nil(const Node *node)
{
    return node->kind == NODE_VARIABLE && node->use.variable->kind == VARIABLE_NIL;
}

static bool block_is_just_nil(const Block *block)
{
    return block->statement_count == 0 ||
           (block->statement_count == 1 && gen_node_is_nil(block->statements[0]));
}

/* What a block does before its statements: a fresh vector, and nil in what an earlier round left.
 */
static void gen_block_entry(Generator *g, const Block *block)
{
    if (block->vector) {
        encode_push_array(&g->encoder, (unsigned)block->vector->remote_count, false);
        gen_pushed(g);
        gen_store(g, block->vector, STORE_POP);
    }
    for (size_t i = 0; i < block->to_nil.count; i++) {
        gen_nil(g);
        gen_store(g, block->to_nil.items[i], STORE_POP);
    }
}

void gen_all_but_last(Generator *g, const Block *block)
{
    gen_block_entry(g, block);
    for (size_t i = 0; i + 1 < block->statement_count; i++)
        gen_effect(g, block->statements[i]);
}

void gen_block_value(Generator *g, const Block *block)
{
    gen_all_but_last(g, block);
    if (block->statement_count)
        gen_value(g, block->statements[block->statement_count - 1]);
    else
        gen_nil(g);
}

void gen_block_effect(Generator *g, const Block *block)
{
    gen_all_but_last(g, block);
    if (gen_block_returns(block)) {
        gen_value(g, block->statements[block->statement_count - 1]);
        gen_popped(g, 1);
    } else if (block->statement_count) {
        gen_effect(g, block->statements[block->statement_count - 1]);
    }
}

/* --- Conditions --- */

static void gen_constant(Generator *g, Constant constant)
{
    static const Special specials[] = {SPECIAL_NIL, SPECIAL_TRUE, SPECIAL_FALSE};
    encode_push_special(&g->encoder, specials[constant]);
    gen_pushed(g);
}

static bool arm_is_just_nil(const Send *send, const Node *arm)
{
    return arm ? block_is_just_nil(arm->block) && !arm->block->vector
               : send->constant == CONSTANT_NIL;
}

static bool arm_returns(const Node *arm)
{
    return arm && gen_block_returns(arm->block);
}

static void gen_arm_value(Generator *g, const Send *send, const Node *arm)
{
    if (arm)
        gen_block_value(g, arm->block);
    else
        gen_constant(g, send->constant);
}

/* The Boolean that is tested. */
static void gen_condition(Generator *g, Send *send)
{
    gen_value(g, send->receiver);
    if (send->inlined != INLINE_NIL_TEST)
        return;
    if (send->bound)
        gen_store(g, send->bound, STORE_KEEP);
    gen_nil(g);
    encode_send_special(&g->encoder, SPECIAL_IDENTICAL);
    gen_popped(g, 1);
}

static void gen_two_arms(Generator *g, Send *send, bool for_value)
{
    Code when_true, when_false, *outer = gen_piece_begin(g, &when_false);
    gen_arm_value(g, send, send->arms[1]);
    gen_popped(g, 1);
    gen_piece_begin(g, &when_true);
    gen_arm_value(g, send, send->arms[0]);
    gen_popped(g, 1);
    if (!arm_returns(send->arms[0]))
        encode_jump(&g->encoder, when_false.count);
    gen_piece_end(g, outer);
    gen_condition(g, send);
    encode_branch(&g->encoder, false, when_true.count);
    encode_bytes(&g->encoder, &when_true);
    encode_bytes(&g->encoder, &when_false);
    if (for_value)
        return; /* the condition's place is the value's */
    if (!arm_returns(send->arms[0]) || !arm_returns(send->arms[1]))
        encode_pop(&g->encoder);
    gen_popped(g, 1);
}

static void gen_one_arm(Generator *g, Send *send)
{
    bool condition = !arm_is_just_nil(send, send->arms[1]); /* jump when true, over the false arm */
    const Node *arm = condition ? send->arms[1] : send->arms[0];
    Code piece, *outer = gen_piece_begin(g, &piece);
    if (arm)
        gen_block_effect(g, arm->block);
    gen_piece_end(g, outer);
    gen_condition(g, send);
    encode_branch(&g->encoder, condition, piece.count);
    encode_bytes(&g->encoder, &piece);
    gen_popped(g, 1);
}

void gen_if(Generator *g, Send *send, bool for_value)
{
    bool one_arm = arm_is_just_nil(send, send->arms[0]) || arm_is_just_nil(send, send->arms[1]);
    if (one_arm && !for_value)
        gen_one_arm(g, send);
    else
        gen_two_arms(g, send, for_value);
}

void gen_if_nil(Generator *g, Send *send, bool for_value)
{
    Code piece, *outer = gen_piece_begin(g, &piece);
    if (for_value) {
        encode_pop(&g->encoder);
        gen_block_value(g, send->arms[0]->block);
        gen_popped(g, 1);
    } else {
        gen_block_effect(g, send->arms[0]->block);
    }
    gen_piece_end(g, outer);
    gen_value(g, send->receiver);
    if (for_value) {
        encode_duplicate(&g->encoder);
        gen_pushed(g);
    }
    gen_nil(g);
    encode_send_special(&g->encoder, SPECIAL_IDENTICAL);
    gen_popped(g, 1);
    encode_branch(&g->encoder, false, piece.count);
    gen_popped(g, 1);
    encode_bytes(&g->encoder, &piece);
}

/* --- Loops --- */

static size_t jump_back_length(const Generator *g)
{
    return g->encoder.set == SET_SISTA ? 4 : 2;
}

/* test; branch behind the body; body; jump back. The body is ready; `test` holds the code of the
 * condition, to which the branch is added. */
static void gen_loop(Generator *g, Code *test, const Code *body, bool leave_when)
{
    Code *outer = g->encoder.code;
    g->encoder.code = test;
    encode_branch(&g->encoder, leave_when, body->count + jump_back_length(g));
    g->encoder.code = outer;
    encode_bytes(&g->encoder, test);
    encode_bytes(&g->encoder, body);
    encode_jump_back(&g->encoder, test->count + body->count);
}

void gen_while(Generator *g, Send *send, bool for_value)
{
    Code body, test, *outer = gen_piece_begin(g, &body);
    if (send->arms[0])
        gen_block_effect(g, send->arms[0]->block);
    gen_piece_begin(g, &test);
    gen_block_value(g, send->receiver->block);
    gen_popped(g, 1);
    gen_piece_end(g, outer);
    gen_loop(g, &test, &body, send->negated);
    if (for_value)
        gen_nil(g);
}

void gen_to_do(Generator *g, Send *send, bool for_value)
{
    Code body, test, *outer;
    Encoder *e = &g->encoder;
    gen_value(g, send->receiver);
    gen_store(g, send->bound, for_value ? STORE_KEEP : STORE_POP);
    if (send->limit) {
        gen_value(g, send->arguments[0]);
        gen_store(g, send->limit, STORE_POP);
    }
    outer = gen_piece_begin(g, &body);
    gen_block_effect(g, send->arms[0]->block);
    gen_variable(g, send->bound);
    gen_literal(g, send->step);
    gen_place(g, send);
    encode_send_special(e, (unsigned)special_selector_find("+"));
    gen_popped(g, 1);
    gen_store(g, send->bound, STORE_POP);
    gen_piece_begin(g, &test);
    gen_variable(g, send->bound);
    if (send->limit)
        gen_variable(g, send->limit);
    else
        gen_value(g, send->arguments[0]);
    gen_place(g, send);
    encode_send_special(e, (unsigned)special_selector_find(send->downwards ? ">=" : "<="));
    gen_popped(g, 2);
    gen_piece_end(g, outer);
    gen_loop(g, &test, &body, false);
}

void gen_repeat(Generator *g, Send *send, bool for_value)
{
    Code body, *outer = gen_piece_begin(g, &body);
    gen_block_effect(g, send->receiver->block);
    gen_piece_end(g, outer);
    encode_bytes(&g->encoder, &body);
    encode_jump_back(&g->encoder, body.count);
    if (for_value)
        gen_nil(g);
}

/* --- caseOf: --- */

static void gen_case_otherwise(Generator *g, const Send *send)
{
    if (send->arms[0]) {
        gen_block_value(g, send->arms[0]->block);
    } else {
        unsigned index = slots_selector(g->slots, names_of(g->tools->names, "caseError"));
        encode_push_special(&g->encoder, SPECIAL_SELF);
        encode_send(&g->encoder, index, 0);
        gen_pushed(g);
    }
    gen_popped(g, 1);
}

/* One case in front of `rest`, which is what happens when it does not hold. */
static void gen_one_case(Generator *g, const Node *association, const Code *rest, bool is_last,
                         bool all_return)
{
    Code value, *outer = gen_piece_begin(g, &value);
    if (!is_last)
        encode_pop(&g->encoder);
    gen_block_value(g, association->send.arguments[0]->block);
    gen_popped(g, 1);
    if (!arm_returns(association->send.arguments[0]) || (is_last && all_return))
        encode_jump(&g->encoder, rest->count);
    gen_piece_end(g, outer);
    gen_pushed(g); /* the object that is compared */
    if (!is_last) {
        encode_duplicate(&g->encoder);
        gen_pushed(g);
    }
    gen_block_value(g, association->send.receiver->block);
    encode_send_special(&g->encoder, (unsigned)special_selector_find("="));
    gen_popped(g, is_last ? 2 : 3);
    encode_branch(&g->encoder, false, value.count);
    encode_bytes(&g->encoder, &value);
    encode_bytes(&g->encoder, rest);
}

void gen_case(Generator *g, Send *send)
{
    const Node *cases = send->arguments[0];
    size_t count = cases->brace.count;
    Code rest, *outer = gen_piece_begin(g, &rest);
    bool all_return = true;
    for (size_t i = 0; i < count; i++)
        all_return = all_return && arm_returns(cases->brace.elements[i]->send.arguments[0]);
    gen_case_otherwise(g, send);
    for (size_t i = count; i-- > 0;) {
        Code next;
        gen_piece_begin(g, &next);
        gen_one_case(g, cases->brace.elements[i], &rest, i + 1 == count, all_return);
        rest = next;
    }
    gen_piece_end(g, outer);
    gen_value(g, send->receiver);
    encode_bytes(&g->encoder, &rest);
}

