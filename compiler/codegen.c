/* Code is generated in pieces: the arms of a condition, the body of a loop. Each
 * is complete before the jump over it is written, so jumps have their shortest
 * form at once. Pieces are made in the order in which Squeak's compiler measures
 * them, because that is the order in which it hands out literal slots: the
 * selector of a message before its receiver, the false arm before the true one, a
 * loop's body before its condition.
 *
 * `depth` counts what is on the frame: arguments, temporaries, operands. Each
 * gen_ function for a value leaves it one higher, each for effect as it was, also
 * behind a return.
 */
#include "codegen.h"

#include <string.h>

#include "encoder.h"
#include "kernel/bytecode/opcodes.h"
#include "list.h"
#include "literals.h"
#include "number.h"
#include "pragma.h"

enum {
    SMALL_FRAME = 16, /* slots of a context without the large frame flag */
    LARGE_FRAME = 56,
    MAXIMAL_TEMPS = 63,    /* what a method header can say */
    QUICK_SELF = 256,      /* quick primitives: self, true, false, nil, -1, 0, 1, 2 */
    QUICK_CONSTANT_MINUS_1 = 260,
    QUICK_FIELD = 264,
    SPECIAL_IDENTICAL = 22,
};

typedef struct {
    CompileTools *tools;
    Method *method;
    const ClassScope *class_scope;
    Encoder encoder;
    LiteralSlots *slots;
    const VariableList *frame; /* variables by slot of the running activation */
    unsigned depth, deepest;
    bool in_full_block;
    bool stores_remote; /* this code stores into a vector */
} Generator;

static void gen_value(Generator *g, Node *node);
static void gen_place(Generator *g, const Send *send);
static void gen_effect(Generator *g, Node *node);
static void gen_return(Generator *g, Node *node);

/* --- Stack depth and pieces --- */

static void pushed(Generator *g)
{
    if (++g->depth > g->deepest)
        g->deepest = g->depth;
}

static void popped(Generator *g, unsigned count)
{
    g->depth -= count;
}

/* Directs code into `piece`; answers where it went before. */
static Code *piece_begin(Generator *g, Code *piece)
{
    Code *outer = g->encoder.code;
    memset(piece, 0, sizeof *piece);
    g->encoder.code = piece;
    return outer;
}

static void piece_end(Generator *g, Code *outer)
{
    g->encoder.code = outer;
}

/* --- Variables --- */

static unsigned frame_index(const Generator *g, const Variable *variable)
{
    for (size_t i = 0; i < g->frame->count; i++)
        if (g->frame->items[i] == variable)
            return (unsigned)i;
    return 0; /* only behind an error that is reported: frames hold what their code uses */
}

static void gen_temp(Generator *g, Variable *variable)
{
    variable = variable_actual(variable);
    if (variable->vector)
        encode_push_remote(&g->encoder, variable->vector_index, frame_index(g, variable->vector));
    else
        encode_push_temp(&g->encoder, frame_index(g, variable));
}

static void gen_variable(Generator *g, Variable *variable)
{
    Encoder *e = &g->encoder;
    switch (variable->kind) {
    case VARIABLE_SELF:
    case VARIABLE_SUPER: encode_push_special(e, SPECIAL_SELF); break;
    case VARIABLE_NIL: encode_push_special(e, SPECIAL_NIL); break;
    case VARIABLE_TRUE: encode_push_special(e, SPECIAL_TRUE); break;
    case VARIABLE_FALSE: encode_push_special(e, SPECIAL_FALSE); break;
    case VARIABLE_CONTEXT: encode_push_context(e); break;
    case VARIABLE_PROCESS: encode_push_process(e); break;
    case VARIABLE_TEMP: gen_temp(g, variable); break;
    case VARIABLE_INSTANCE:
        encode_push_instance(e, variable->index, variable->maybe_context);
        break;
    case VARIABLE_LITERAL:
        encode_push_literal_variable(e, slots_variable(g->slots, variable->name));
        break;
    }
    pushed(g);
}

/* Stores the top of the stack; the depth follows. */
static void gen_store(Generator *g, Variable *variable, StoreMode mode)
{
    Encoder *e = &g->encoder;
    if (variable->kind == VARIABLE_LITERAL) {
        encode_store_literal_variable(e, slots_variable(g->slots, variable->name), mode);
    } else if (variable->kind == VARIABLE_INSTANCE) {
        encode_store_instance(e, variable->index, variable->maybe_context, mode);
    } else {
        variable = variable_actual(variable);
        g->stores_remote |= variable->vector != NULL;
        if (variable->vector)
            encode_store_remote(e, variable->vector_index, frame_index(g, variable->vector), mode);
        else
            encode_store_temp(e, frame_index(g, variable), mode);
    }
    if (mode == STORE_POP)
        popped(g, 1);
}

static void gen_literal(Generator *g, Literal *literal)
{
    if (!encode_push_literal_inline(&g->encoder, literal))
        encode_push_literal(&g->encoder, slots_literal(g->slots, literal));
    pushed(g);
}

static void gen_nil(Generator *g)
{
    encode_push_special(&g->encoder, SPECIAL_NIL);
    pushed(g);
}

static void gen_assignment(Generator *g, Node *node, StoreMode mode)
{
    Variable *variable = node->assign.target->use.variable;
    if (variable->kind == VARIABLE_LITERAL)
        slots_variable(g->slots, variable->name);
    gen_value(g, node->assign.value);
    gen_store(g, variable, mode);
}

/* --- Blocks --- */

static bool block_returns(const Block *block);

/* A condition both arms of which leave the method. */
static bool is_returning_if(const Node *node)
{
    return node->kind == NODE_SEND &&
           (node->send.inlined == INLINE_IF || node->send.inlined == INLINE_NIL_TEST) &&
           node->send.arms[0] && node->send.arms[1] && block_returns(node->send.arms[0]->block) &&
           block_returns(node->send.arms[1]->block);
}

static const Node *block_last(const Block *block)
{
    return block->statement_count ? block->statements[block->statement_count - 1] : NULL;
}

static bool block_returns(const Block *block)
{
    const Node *last = block_last(block);
    return last && (last->kind == NODE_RETURN || is_returning_if(last));
}

static bool node_is_nil(const Node *node)
{
    return node->kind == NODE_VARIABLE && node->use.variable->kind == VARIABLE_NIL;
}

static bool block_is_just_nil(const Block *block)
{
    return block->statement_count == 0 ||
           (block->statement_count == 1 && node_is_nil(block->statements[0]));
}

/* What a block does before its statements: a fresh vector, and nil in what an earlier round left.
 */
static void gen_block_entry(Generator *g, const Block *block)
{
    if (block->vector) {
        encode_push_array(&g->encoder, (unsigned)block->vector->remote_count, false);
        pushed(g);
        gen_store(g, block->vector, STORE_POP);
    }
    for (size_t i = 0; i < block->to_nil.count; i++) {
        gen_nil(g);
        gen_store(g, block->to_nil.items[i], STORE_POP);
    }
}

static void gen_all_but_last(Generator *g, const Block *block)
{
    gen_block_entry(g, block);
    for (size_t i = 0; i + 1 < block->statement_count; i++)
        gen_effect(g, block->statements[i]);
}

static void gen_block_value(Generator *g, const Block *block)
{
    gen_all_but_last(g, block);
    if (block->statement_count)
        gen_value(g, block->statements[block->statement_count - 1]);
    else
        gen_nil(g);
}

static void gen_block_effect(Generator *g, const Block *block)
{
    gen_all_but_last(g, block);
    if (block_returns(block)) {
        gen_value(g, block->statements[block->statement_count - 1]);
        popped(g, 1);
    } else if (block->statement_count) {
        gen_effect(g, block->statements[block->statement_count - 1]);
    }
}

/* --- Conditions --- */

static void gen_constant(Generator *g, Constant constant)
{
    static const Special specials[] = {SPECIAL_NIL, SPECIAL_TRUE, SPECIAL_FALSE};
    encode_push_special(&g->encoder, specials[constant]);
    pushed(g);
}

static bool arm_is_just_nil(const Send *send, const Node *arm)
{
    return arm ? block_is_just_nil(arm->block) && !arm->block->vector
               : send->constant == CONSTANT_NIL;
}

static bool arm_returns(const Node *arm)
{
    return arm && block_returns(arm->block);
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
    popped(g, 1);
}

static void gen_two_arms(Generator *g, Send *send, bool for_value)
{
    Code when_true, when_false, *outer = piece_begin(g, &when_false);
    gen_arm_value(g, send, send->arms[1]);
    popped(g, 1);
    piece_begin(g, &when_true);
    gen_arm_value(g, send, send->arms[0]);
    popped(g, 1);
    if (!arm_returns(send->arms[0]))
        encode_jump(&g->encoder, when_false.count);
    piece_end(g, outer);
    gen_condition(g, send);
    encode_branch(&g->encoder, false, when_true.count);
    encode_bytes(&g->encoder, &when_true);
    encode_bytes(&g->encoder, &when_false);
    if (for_value)
        return; /* the condition's place is the value's */
    if (!arm_returns(send->arms[0]) || !arm_returns(send->arms[1]))
        encode_pop(&g->encoder);
    popped(g, 1);
}

static void gen_one_arm(Generator *g, Send *send)
{
    bool condition = !arm_is_just_nil(send, send->arms[1]); /* jump when true, over the false arm */
    const Node *arm = condition ? send->arms[1] : send->arms[0];
    Code piece, *outer = piece_begin(g, &piece);
    if (arm)
        gen_block_effect(g, arm->block);
    piece_end(g, outer);
    gen_condition(g, send);
    encode_branch(&g->encoder, condition, piece.count);
    encode_bytes(&g->encoder, &piece);
    popped(g, 1);
}

static void gen_if(Generator *g, Send *send, bool for_value)
{
    bool one_arm = arm_is_just_nil(send, send->arms[0]) || arm_is_just_nil(send, send->arms[1]);
    if (one_arm && !for_value)
        gen_one_arm(g, send);
    else
        gen_two_arms(g, send, for_value);
}

static void gen_if_nil(Generator *g, Send *send, bool for_value)
{
    Code piece, *outer = piece_begin(g, &piece);
    if (for_value) {
        encode_pop(&g->encoder);
        gen_block_value(g, send->arms[0]->block);
        popped(g, 1);
    } else {
        gen_block_effect(g, send->arms[0]->block);
    }
    piece_end(g, outer);
    gen_value(g, send->receiver);
    if (for_value) {
        encode_duplicate(&g->encoder);
        pushed(g);
    }
    gen_nil(g);
    encode_send_special(&g->encoder, SPECIAL_IDENTICAL);
    popped(g, 1);
    encode_branch(&g->encoder, false, piece.count);
    popped(g, 1);
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

static void gen_while(Generator *g, Send *send, bool for_value)
{
    Code body, test, *outer = piece_begin(g, &body);
    if (send->arms[0])
        gen_block_effect(g, send->arms[0]->block);
    piece_begin(g, &test);
    gen_block_value(g, send->receiver->block);
    popped(g, 1);
    piece_end(g, outer);
    gen_loop(g, &test, &body, send->negated);
    if (for_value)
        gen_nil(g);
}

static void gen_to_do(Generator *g, Send *send, bool for_value)
{
    Code body, test, *outer;
    Encoder *e = &g->encoder;
    gen_value(g, send->receiver);
    gen_store(g, send->bound, for_value ? STORE_KEEP : STORE_POP);
    if (send->limit) {
        gen_value(g, send->arguments[0]);
        gen_store(g, send->limit, STORE_POP);
    }
    outer = piece_begin(g, &body);
    gen_block_effect(g, send->arms[0]->block);
    gen_variable(g, send->bound);
    gen_literal(g, send->step);
    gen_place(g, send);
    encode_send_special(e, (unsigned)special_selector_find("+"));
    popped(g, 1);
    gen_store(g, send->bound, STORE_POP);
    piece_begin(g, &test);
    gen_variable(g, send->bound);
    if (send->limit)
        gen_variable(g, send->limit);
    else
        gen_value(g, send->arguments[0]);
    gen_place(g, send);
    encode_send_special(e, (unsigned)special_selector_find(send->downwards ? ">=" : "<="));
    popped(g, 2);
    piece_end(g, outer);
    gen_loop(g, &test, &body, false);
}

static void gen_repeat(Generator *g, Send *send, bool for_value)
{
    Code body, *outer = piece_begin(g, &body);
    gen_block_effect(g, send->receiver->block);
    piece_end(g, outer);
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
        pushed(g);
    }
    popped(g, 1);
}

/* One case in front of `rest`, which is what happens when it does not hold. */
static void gen_one_case(Generator *g, const Node *association, const Code *rest, bool is_last,
                         bool all_return)
{
    Code value, *outer = piece_begin(g, &value);
    if (!is_last)
        encode_pop(&g->encoder);
    gen_block_value(g, association->send.arguments[0]->block);
    popped(g, 1);
    if (!arm_returns(association->send.arguments[0]) || (is_last && all_return))
        encode_jump(&g->encoder, rest->count);
    piece_end(g, outer);
    pushed(g); /* the object that is compared */
    if (!is_last) {
        encode_duplicate(&g->encoder);
        pushed(g);
    }
    gen_block_value(g, association->send.receiver->block);
    encode_send_special(&g->encoder, (unsigned)special_selector_find("="));
    popped(g, is_last ? 2 : 3);
    encode_branch(&g->encoder, false, value.count);
    encode_bytes(&g->encoder, &value);
    encode_bytes(&g->encoder, rest);
}

static void gen_case(Generator *g, Send *send)
{
    const Node *cases = send->arguments[0];
    size_t count = cases->brace.count;
    Code rest, *outer = piece_begin(g, &rest);
    bool all_return = true;
    for (size_t i = 0; i < count; i++)
        all_return = all_return && arm_returns(cases->brace.elements[i]->send.arguments[0]);
    gen_case_otherwise(g, send);
    for (size_t i = count; i-- > 0;) {
        Code next;
        piece_begin(g, &next);
        gen_one_case(g, cases->brace.elements[i], &rest, i + 1 == count, all_return);
        rest = next;
    }
    piece_end(g, outer);
    gen_value(g, send->receiver);
    encode_bytes(&g->encoder, &rest);
}

/* --- Messages --- */

static void gen_place(Generator *g, const Send *send)
{
    size_t count = send->argument_count;
    size_t end = count ? send->arguments[count - 1]->end : send->selector_end;
    encode_place(&g->encoder, send->selector_start, end);
}

static void gen_plain_send(Generator *g, Send *send)
{
    Encoder *e = &g->encoder;
    unsigned count = (unsigned)send->argument_count;
    int special = send->to_super ? -1 : special_selector_find(send->selector);
    unsigned index = special < 0 ? slots_selector(g->slots, send->selector) : 0;
    bool directed = send->to_super && g->in_full_block;
    unsigned class_index = directed ? slots_method_class(g->slots) : 0;
    if (send->receiver)
        gen_value(g, send->receiver);
    for (size_t i = 0; i < count; i++)
        gen_value(g, send->arguments[i]);
    if (directed) {
        encode_push_literal_variable(e, class_index);
        pushed(g);
    }
    gen_place(g, send);
    if (directed) {
        encode_send_directed_super(e, index, count);
        popped(g, 1);
    } else if (send->to_super) {
        encode_send_super(e, index, count);
    } else if (special >= 0) {
        encode_send_special(e, (unsigned)special);
    } else {
        encode_send(e, index, count);
    }
    popped(g, count);
}

static void gen_send(Generator *g, Send *send, bool for_value)
{
    switch (send->inlined) {
    case INLINE_IF:
    case INLINE_NIL_TEST: gen_if(g, send, for_value); return;
    case INLINE_IF_NIL: gen_if_nil(g, send, for_value); return;
    case INLINE_WHILE: gen_while(g, send, for_value); return;
    case INLINE_TO_DO: gen_to_do(g, send, for_value); return;
    case INLINE_REPEAT: gen_repeat(g, send, for_value); return;
    case INLINE_CASE: gen_case(g, send); break;
    case INLINE_NONE: gen_plain_send(g, send); break;
    }
    if (!for_value) {
        encode_pop(&g->encoder);
        popped(g, 1);
    }
}

static void gen_cascade(Generator *g, Node *node)
{
    gen_value(g, node->cascade.receiver);
    for (size_t i = 0; i < node->cascade.count; i++) {
        bool last = i + 1 == node->cascade.count;
        if (!last) {
            encode_duplicate(&g->encoder);
            pushed(g);
        }
        gen_plain_send(g, &node->cascade.messages[i]->send);
        if (!last) {
            encode_pop(&g->encoder);
            popped(g, 1);
        }
    }
}

/* (Array new: n) at: 1 put: a; at: 2 put: b; ... yourself, for those too long for the stack. */
static void gen_long_brace(Generator *g, Node *node)
{
    Encoder *e = &g->encoder;
    Literal *size = arena_alloc(g->tools->arena, sizeof *size);
    literal_set_integer(g->tools->arena, size, (int64_t)node->brace.count);
    encode_push_literal_variable(e, slots_variable(g->slots, names_of(g->tools->names, "Array")));
    pushed(g);
    gen_literal(g, size);
    encode_send_special(e, (unsigned)special_selector_find("new:"));
    popped(g, 1);
    for (size_t i = 0; i < node->brace.count; i++) {
        Literal *index = arena_alloc(g->tools->arena, sizeof *index);
        literal_set_integer(g->tools->arena, index, (int64_t)i + 1);
        encode_duplicate(e);
        pushed(g);
        gen_literal(g, index);
        gen_value(g, node->brace.elements[i]);
        encode_send_special(e, (unsigned)special_selector_find("at:put:"));
        encode_pop(e);
        popped(g, 3);
    }
}

static void gen_brace(Generator *g, Node *node)
{
    if (node->brace.count > LONGEST_PUSHED_BRACE) {
        gen_long_brace(g, node);
        return;
    }
    for (size_t i = 0; i < node->brace.count; i++)
        gen_value(g, node->brace.elements[i]);
    encode_push_array(&g->encoder, (unsigned)node->brace.count, true);
    popped(g, (unsigned)node->brace.count);
    pushed(g);
}

/* --- Closures --- */

static void frame_of_block(Generator *g, const Block *block, const VariableList *copied,
                           VariableList *frame)
{
    Arena *arena = g->tools->arena;
    for (size_t i = 0; i < block->arguments.count; i++)
        LIST_ADD(arena, *frame, block->arguments.items[i]);
    for (size_t i = 0; i < copied->count; i++)
        LIST_ADD(arena, *frame, copied->items[i]);
    for (size_t i = 0; i < block->temps.count; i++)
        LIST_ADD(arena, *frame, block->temps.items[i]);
    if (frame->count > MAXIMAL_TEMPS && !g->encoder.error)
        g->encoder.error = "there are more than 63 arguments, temporaries and copied values here";
}

static const char **frame_names(Generator *g, const VariableList *frame)
{
    Arena *arena = g->tools->arena;
    const char **names = arena_alloc(arena, (frame->count + 1) * sizeof *names);
    for (size_t i = 0; i < frame->count; i++) {
        const Variable *variable = frame->items[i];
        names[i] = variable->name;
        if (!variable->is_vector)
            continue;
        names[i] = "(";
        for (size_t j = 0; j < variable->remote_count; j++)
            names[i] =
                arena_printf(arena, "%s%s%s", names[i], j ? " " : "", variable->remote[j]->name);
        names[i] = arena_printf(arena, "%s)", names[i]);
    }
    return names;
}

/* Ends a block: the value of the last statement goes to the caller. */
static void gen_block_end(Generator *g, const Block *block)
{
    const Node *last = block_last(block);
    if (g->in_full_block && (!last || node_is_nil(last))) {
        gen_all_but_last(g, block);
        encode_block_return_nil(&g->encoder);
        return;
    }
    gen_block_value(g, block);
    popped(g, 1);
    if (!block_returns(block))
        encode_block_return_top(&g->encoder);
}

/* Where the pattern begins and ends, without blanks around it. */
static void method_pattern(const Method *method, size_t *start, size_t *end)
{
    const char *text = method->source->text;
    *start = method->pattern_start;
    *end = method->pattern_end;
    while (*start < *end && text[*start] == ' ')
        ++*start;
    while (*end > *start && text[*end - 1] == ' ')
        --*end;
}

/* In the source that the code keeps (see method_source) the body follows the pattern. */
static void code_set_places(const Generator *g, CompiledCode *result, const Code *code)
{
    size_t start, end;
    method_pattern(g->method, &start, &end);
    uint32_t shift = (uint32_t)(end - start) - (uint32_t)g->method->start;
    for (size_t i = 0; i < code->places.count; i++) {
        code->places.items[i].start += shift;
        code->places.items[i].end += shift;
    }
    result->places = code->places.items;
    result->place_count = code->places.count;
}

/* What methods and full blocks have in common. */
static CompiledCode *code_new(Generator *g, const VariableList *frame, const Code *code)
{
    static const uint8_t no_trailer[] = {0};
    CompiledCode *result = arena_alloc(g->tools->arena, sizeof *result);
    if (g->deepest > LARGE_FRAME && !g->encoder.error)
        g->encoder.error = "this needs more than 56 places on the stack";
    result->set = g->encoder.set;
    result->large_frame = g->deepest > SMALL_FRAME;
    result->temp_count = (unsigned)frame->count;
    result->literals = g->slots->items;
    result->literal_count = g->slots->count;
    result->bytecodes = code->items;
    result->bytecode_count = code->count;
    result->trailer = no_trailer;
    result->trailer_count = sizeof no_trailer;
    result->temp_names = frame_names(g, frame);
    result->class_name = g->class_scope->class_name;
    code_set_places(g, result, code);
    return result;
}

static Literal *literal_of_kind(Generator *g, LiteralKind kind)
{
    Literal *literal = arena_alloc(g->tools->arena, sizeof *literal);
    literal->kind = kind;
    return literal;
}

/* Some VMs look at the literal before the last of whatever code stores into a vector, as if it were
 * a method's selector. Where a block has none, or has an immediate object there, it gets the
 * method's. */
static void add_selector_for_vm(Generator *g)
{
    const LiteralSlots *slots = g->slots;
    LiteralKind kind = slots->count ? slots->items[slots->count - 1]->kind : LITERAL_INTEGER;
    if (g->stores_remote &&
        (kind == LITERAL_INTEGER || kind == LITERAL_CHARACTER || kind == LITERAL_FLOAT))
        slots_add(g->slots, literal_of_symbol(g->tools->arena, g->method->selector));
}

static CompiledCode *gen_compiled_block(Generator *outer, const Block *block,
                                        const VariableList *copied)
{
    VariableList frame = {NULL, 0, 0};
    LiteralSlots slots = {.arena = outer->tools->arena};
    Code code = {0};
    Generator g = *outer;
    frame_of_block(&g, block, copied, &frame);
    g.slots = &slots;
    g.frame = &frame;
    g.encoder.code = &code;
    g.depth = g.deepest = (unsigned)frame.count;
    g.in_full_block = true;
    g.stores_remote = false;
    gen_block_end(&g, block);
    add_selector_for_vm(&g);
    slots_add(&slots, literal_of_kind(&g, LITERAL_OUTER_CODE));
    CompiledCode *result = code_new(&g, &frame, &code);
    result->is_block = true;
    result->arg_count = (unsigned)block->arguments.count;
    outer->encoder.error = g.encoder.error;
    return result;
}

/* The body of a V3 closure stands in its method's code. */
static void gen_embedded_block(Generator *g, const Block *block, const VariableList *copied,
                               Code *body)
{
    VariableList frame = {NULL, 0, 0};
    const VariableList *outer_frame = g->frame;
    unsigned depth = g->depth;
    Code *outer = piece_begin(g, body);
    frame_of_block(g, block, copied, &frame);
    g->frame = &frame;
    g->depth = (unsigned)(block->arguments.count + copied->count);
    for (size_t i = 0; i < block->temps.count; i++)
        gen_nil(g);
    if (g->depth > g->deepest)
        g->deepest = g->depth;
    gen_block_end(g, block);
    piece_end(g, outer);
    g->frame = outer_frame;
    g->depth = depth;
}

static void gen_closure(Generator *g, const Block *block)
{
    VariableList copied = {NULL, 0, 0};
    Code body;
    unsigned index = 0;
    closure_copied_values(g->tools->arena, block, g->frame, &copied);
    if (g->encoder.set == SET_SISTA) {
        Literal *literal = literal_of_kind(g, LITERAL_CODE);
        literal->code_block = gen_compiled_block(g, block, &copied);
        index = slots_add(g->slots, literal);
    } else {
        gen_embedded_block(g, block, &copied, &body);
    }
    for (size_t i = 0; i < copied.count; i++) {
        encode_push_temp(&g->encoder, frame_index(g, copied.items[i]));
        pushed(g);
    }
    if (g->encoder.set == SET_SISTA) {
        encode_push_full_closure(&g->encoder, index, (unsigned)copied.count);
    } else {
        encode_push_closure(&g->encoder, (unsigned)block->arguments.count, (unsigned)copied.count,
                            body.count);
        encode_bytes(&g->encoder, &body);
    }
    popped(g, (unsigned)copied.count);
    pushed(g);
}

/* --- Nodes --- */

static void gen_value(Generator *g, Node *node)
{
    switch (node->kind) {
    case NODE_ERROR: pushed(g); break;
    case NODE_LITERAL: gen_literal(g, node->literal); break;
    case NODE_VARIABLE: gen_variable(g, node->use.variable); break;
    case NODE_ASSIGN: gen_assignment(g, node, STORE_KEEP); break;
    case NODE_SEND: gen_send(g, &node->send, true); break;
    case NODE_CASCADE: gen_cascade(g, node); break;
    case NODE_BLOCK: gen_closure(g, node->block); break;
    case NODE_BRACE: gen_brace(g, node); break;
    case NODE_RETURN: gen_return(g, node); break;
    }
}

static void gen_effect(Generator *g, Node *node)
{
    switch (node->kind) {
    case NODE_LITERAL:
    case NODE_VARIABLE: break;
    case NODE_ASSIGN: gen_assignment(g, node, STORE_POP); break;
    case NODE_SEND: gen_send(g, &node->send, false); break;
    default:
        gen_value(g, node);
        encode_pop(&g->encoder);
        popped(g, 1);
    }
}

static bool special_of_variable(const Node *node, Special *special)
{
    if (node->kind != NODE_VARIABLE)
        return false;
    switch (node->use.variable->kind) {
    case VARIABLE_SELF:
    case VARIABLE_SUPER: *special = SPECIAL_SELF; return true;
    case VARIABLE_NIL: *special = SPECIAL_NIL; return true;
    case VARIABLE_TRUE: *special = SPECIAL_TRUE; return true;
    case VARIABLE_FALSE: *special = SPECIAL_FALSE; return true;
    default: return false;
    }
}

static void gen_return(Generator *g, Node *node)
{
    Special special;
    if (special_of_variable(node->value, &special)) {
        encode_return_special(&g->encoder, special);
        pushed(g);
        return;
    }
    gen_value(g, node->value);
    if (!is_returning_if(node->value))
        encode_return_top(&g->encoder);
}

/* --- Methods --- */

/* A method that only answers self, a constant or a variable: its quick primitive, or 0. */
static unsigned quick_primitive_of(const Method *method)
{
    Special special;
    int64_t number;
    const Block *body = method->body;
    if (method->has_primitive || body->arguments.count || body->statement_count > 1 ||
        method->is_doit)
        return 0;
    if (body->statement_count == 0)
        return QUICK_SELF;
    const Node *node = body->statements[0];
    bool returns = node->kind == NODE_RETURN;
    node = returns ? node->value : node;
    if (special_of_variable(node, &special))
        return returns || special == SPECIAL_SELF ? (unsigned)(QUICK_SELF + special) : 0;
    if (!returns)
        return 0;
    if (node->kind == NODE_LITERAL && literal_get_integer(node->literal, &number) && number >= -1 &&
        number <= 2)
        return (unsigned)(QUICK_CONSTANT_MINUS_1 + number + 1);
    if (node->kind == NODE_VARIABLE && node->use.variable->kind == VARIABLE_INSTANCE &&
        !node->use.variable->maybe_context && node->use.variable->index < 256)
        return QUICK_FIELD + node->use.variable->index;
    return 0;
}

static void gen_primitive(Generator *g)
{
    const Method *method = g->method;
    if (method->primitive_literal)
        slots_add(g->slots, method->primitive_literal);
    encode_call_primitive(&g->encoder, method->primitive);
    if (method->error_variable) /* the VM looks for this form of the store */
        encode_store_temp(&g->encoder, frame_index(g, method->error_variable), STORE_KEEP);
}

static void gen_method_body(Generator *g)
{
    const Block *body = g->method->body;
    if (g->method->is_doit) {
        gen_block_value(g, body);
        popped(g, 1);
        if (!block_returns(body))
            encode_return_top(&g->encoder);
    } else if (block_returns(body)) {
        gen_block_value(g, body);
        popped(g, 1);
    } else {
        gen_block_effect(g, body);
        encode_return_special(&g->encoder, SPECIAL_SELF);
    }
}

/* The pragmas that are kept: those that say something to others than the compiler. */
static Literal *method_state(Generator *g)
{
    const Method *method = g->method;
    Literal *state = literal_of_kind(g, LITERAL_METHOD_STATE);
    state->name = method->selector;
    state->elements =
        arena_alloc(g->tools->arena, (method->pragma_count + 1) * sizeof *state->elements);
    for (size_t i = 0; i < method->pragma_count; i++) {
        const Pragma *pragma = &method->pragmas[i];
        if (pragma_is_primitive(pragma))
            continue;
        Literal *literal = literal_of_kind(g, LITERAL_PRAGMA);
        literal->name = pragma->selector;
        literal->elements = pragma->arguments;
        literal->element_count = pragma->argument_count;
        state->elements[state->element_count++] = literal;
    }
    return state->element_count ? state : literal_of_symbol(g->tools->arena, method->selector);
}

static void code_set_outer(CompiledCode *code)
{
    for (size_t i = 0; i < code->literal_count; i++) {
        CompiledCode *block = code->literals[i]->code_block;
        if (code->literals[i]->kind != LITERAL_CODE)
            continue;
        block->literals[block->literal_count - 1]->code_block = code;
        code_set_outer(block);
    }
}

/* The text, as if the pattern stood in front of the body. */
static const char *method_source(const Generator *g)
{
    const Method *method = g->method;
    const char *text = method->source->text;
    size_t start, end;
    method_pattern(method, &start, &end);
    size_t body_end = method->end;
    while (body_end > method->start && strchr(" \t\r\n", text[body_end - 1]))
        body_end--;
    return arena_printf(g->tools->arena, "%.*s%.*s", (int)(end - start), text + start,
                        (int)(body_end - method->start), text + method->start);
}

static CompiledCode *gen_method(Generator *g)
{
    Method *method = g->method;
    VariableList frame = {NULL, 0, 0}, none = {NULL, 0, 0};
    LiteralSlots slots = {.arena = g->tools->arena};
    Code code = {0};
    unsigned quick = quick_primitive_of(method);
    if (!quick)
        frame_of_block(g, method->body, &none, &frame);
    g->slots = &slots;
    g->frame = &frame;
    g->encoder.code = &code;
    g->depth = g->deepest = (unsigned)frame.count;
    if (method->has_primitive)
        gen_primitive(g);
    if (quick)
        encode_call_primitive(&g->encoder, quick);
    gen_method_body(g);
    slots_add(&slots, method_state(g));
    slots_add(&slots, literal_of_kind(g, LITERAL_METHOD_CLASS));
    CompiledCode *result = code_new(g, &frame, &code);
    result->has_primitive = method->has_primitive || quick;
    result->arg_count = (unsigned)method->body->arguments.count;
    result->selector = method->selector;
    result->source = method_source(g);
    code_set_outer(result);
    return result;
}

CompiledCode *compile_method(CompileTools *tools, Method *method, const ClassScope *class_scope,
                             BytecodeSet set)
{
    size_t errors = tools->diagnostics->error_count;
    if (!method->selector)
        method->selector = names_of(tools->names, "DoIt");
    scope_resolve(tools, method, class_scope);
    if (tools->diagnostics->error_count == errors)
        inline_messages(tools, method);
    if (tools->diagnostics->error_count != errors)
        return NULL;
    closure_analyse(tools, method);
    Generator generator = {.tools = tools, .method = method, .class_scope = class_scope};
    generator.encoder = (Encoder){tools->arena, set, NULL, NULL};
    CompiledCode *code = gen_method(&generator);
    if (generator.encoder.error)
        diagnostics_error(tools->diagnostics, method->source, method->selector_start,
                          method->selector_end, "%s", generator.encoder.error);
    return tools->diagnostics->error_count == errors ? code : NULL;
}
