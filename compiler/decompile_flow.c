/* Where jumps go tells what they were:
 *
 *   condition; jumpFalse A; ...; A:                 one arm
 *   condition; jumpFalse A; ...; jump B; A: ...; B: two arms, each leaves a value
 *   L: condition; jumpFalse E; ...; jump L; E:      a loop
 *   dup; case; =; jumpFalse N; pop; value; jump E; N: dup; ... E:    caseOf:
 */
#include <string.h>

#include "decompile_int.h"
#include "number.h"

static const Instruction *at(const Decompiler *d, size_t index)
{
    return &d->instructions[index];
}

/* The index a jump goes to; 0, and refused, when that is not within ]index, to]. */
static size_t forward_target(Decompiler *d, size_t index, size_t to)
{
    int64_t pc = at(d, index)->target;
    size_t target =
        pc >= 0 && pc <= (int64_t)d->code->bytecode_count ? d->index_at[pc] : NOWHERE;
    if (target > index && target <= to)
        return target;
    decompile_refuse(d, "a jump leaves the structure it is in");
    return 0;
}

/* The index behind [from, to) where the jump that ends it goes; 0: it ends otherwise. */
static size_t end_of_arms(const Decompiler *d, size_t from, size_t to, size_t limit)
{
    if (to <= from || at(d, to - 1)->op != OP_JUMP)
        return 0;
    int64_t pc = at(d, to - 1)->target;
    if (pc <= (int64_t)at(d, to - 1)->pc || pc > (int64_t)d->code->bytecode_count)
        return 0;
    size_t target = d->index_at[pc];
    return target != NOWHERE && target >= to && target <= limit ? target : 0;
}

static bool ends_in_return(const Decompiler *d, size_t from, size_t to)
{
    return to > from && !instruction_falls_through(at(d, to - 1)) &&
           at(d, to - 1)->op != OP_JUMP;
}

static Node *send_blocks(Decompiler *d, Node *receiver, const char *selector, Block *one,
                         Block *two)
{
    Node *arguments[2] = {one ? decompile_block_node(d, one) : NULL,
                          two ? decompile_block_node(d, two) : NULL};
    return decompile_send(d, receiver, selector, two ? 2 : one ? 1 : 0, arguments);
}

/* --- Conditions --- */

static const Node *only_statement(const Block *block)
{
    return block->statement_count == 1 && !block->temps.count ? block->statements[0] : NULL;
}

static bool is_just(const Block *block, VariableKind kind)
{
    const Node *node = only_statement(block);
    return node && node_is_named(node, kind);
}

/* Is it `expression == nil`? */
static bool is_nil_test(const Node *node)
{
    return node->kind == NODE_SEND && node->send.receiver &&
           strcmp(node->send.selector, "==") == 0 &&
           node_is_named(node->send.arguments[0], VARIABLE_NIL);
}

/* (x := expression) == nil, where x may turn out to be the argument of the block that runs when it
 * is not nil. */
static Node *nil_test_send(Decompiler *d, Node *test, const char *selector, Block *one, Block *two,
                           Block *not_nil)
{
    Node *receiver = test->send.receiver;
    Node *node = send_blocks(d, receiver, selector, one, two);
    if (receiver->kind == NODE_ASSIGN &&
        node_is_named(receiver->assign.target, VARIABLE_TEMP) &&
        receiver->assign.target->use.variable->scope == d->block->actual) {
        node->send.inlined = INLINE_NIL_TEST;
        node->send.bound = receiver->assign.target->use.variable;
        node->send.arms[1] = not_nil->node;
    }
    return node;
}

/* Both arms; `when_true` and `when_false` in their roles. */
static Node *two_arms(Decompiler *d, Node *condition, Block *when_true, Block *when_false,
                      bool jumps_if_true)
{
    if (jumps_if_true)
        return send_blocks(d, condition, "ifFalse:ifTrue:", when_false, when_true);
    if (is_nil_test(condition)) {
        if (is_just(when_true, VARIABLE_NIL))
            return nil_test_send(d, condition, "ifNotNil:", when_false, NULL, when_false);
        return nil_test_send(d, condition, "ifNil:ifNotNil:", when_true, when_false, when_false);
    }
    if (is_just(when_false, VARIABLE_FALSE))
        return send_blocks(d, condition, "and:", when_true, NULL);
    if (is_just(when_true, VARIABLE_TRUE))
        return send_blocks(d, condition, "or:", when_false, NULL);
    if (is_just(when_false, VARIABLE_NIL))
        return send_blocks(d, condition, "ifTrue:", when_true, NULL);
    if (is_just(when_true, VARIABLE_NIL))
        return send_blocks(d, condition, "ifFalse:", when_false, NULL);
    return send_blocks(d, condition, "ifTrue:ifFalse:", when_true, when_false);
}

static Node *one_arm(Decompiler *d, Node *condition, Block *arm, bool jumps_if_true)
{
    if (!is_nil_test(condition))
        return send_blocks(d, condition, jumps_if_true ? "ifFalse:" : "ifTrue:", arm, NULL);
    if (jumps_if_true)
        return nil_test_send(d, condition, "ifNotNil:", arm, NULL, arm);
    return send_blocks(d, condition->send.receiver, "ifNil:", arm, NULL);
}

static size_t condition_of_two(Decompiler *d, size_t index, size_t middle, size_t end)
{
    Node *condition = decompile_pop(d);
    bool jumps_if_true = at(d, index)->op == OP_JUMP_IF_TRUE;
    size_t first_values, second_values;
    Block *first = decompile_inlined(d, index + 1, middle - 1, &first_values);
    Block *second = decompile_inlined(d, middle, end, &second_values);
    if (decompile_refused(d))
        return end;
    bool first_returns = ends_in_return(d, index + 1, middle - 1),
         second_returns = ends_in_return(d, middle, end);
    Node *node = two_arms(d, condition, jumps_if_true ? second : first,
                          jumps_if_true ? first : second, jumps_if_true);
    if (first_values != second_values && !first_returns && !second_returns)
        decompile_refuse(d, "only one arm of a condition leaves a value");
    if (first_values || second_values)
        decompile_push(d, node);
    else
        decompile_statement(d, node);
    return end;
}

/* The first arm leaves the method. What follows is the second arm, as far as it does not need what
 * lay on the stack before. */
static size_t condition_before_rest(Decompiler *d, Node *condition, Block *first,
                                    bool jumps_if_true, size_t from, size_t to)
{
    Block *outer = d->block, *rest;
    size_t index = from, base = d->stack.count, outer_base = d->base;
    rest = decompile_inlined(d, from, from, &index); /* an empty one, to be filled */
    index = from;
    d->block = rest;
    d->base = base;
    while (index < to && !decompile_refused(d)) {
        size_t loop_end = flow_loop_end(d, index, to);
        if (!loop_end && instruction_pops(at(d, index)) > d->stack.count - base)
            break;
        index = loop_end ? flow_loop(d, index, loop_end, to) : decompile_step(d, index, to);
    }
    bool has_value = d->stack.count > base && !decompile_refused(d);
    if (has_value)
        decompile_statement(d, d->stack.items[base]);
    d->block = outer;
    d->base = outer_base;
    Node *node = two_arms(d, condition, jumps_if_true ? rest : first, jumps_if_true ? first : rest,
                          jumps_if_true);
    if (has_value)
        d->stack.items[base] = node;
    else
        decompile_statement(d, node);
    return index;
}

/* --- Was it one arm and then more, or two? --- */

static bool uses_literal(const Instruction *i, uint32_t *literal)
{
    *literal = i->index;
    switch (i->op) {
    case OP_PUSH_LITERAL:
    case OP_PUSH_LITERAL_VARIABLE:
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE:
    case OP_PUSH_FULL_CLOSURE:
    case OP_SEND:
    case OP_SEND_SUPER:
    case OP_SEND_DIRECTED_SUPER: return true;
    default: return false;
    }
}

static bool literal_occurs(const Decompiler *d, uint32_t literal, size_t from, size_t to)
{
    uint32_t each;
    for (size_t i = from; i < to; i++)
        if (uses_literal(at(d, i), &each) && each == literal)
            return true;
    return false;
}

/* Compilers hand out literals to the second arm before the first, but to later statements after
 * it. So when something in the rest has an earlier literal than something in the arm, and no code
 * before needed it, the rest was the second arm. */
static bool rest_is_second_arm(const Decompiler *d, size_t index, size_t middle, size_t to)
{
    uint32_t in_arm, in_rest, least = UINT32_MAX, greatest = 0;
    for (size_t i = middle; i < to; i++)
        if (uses_literal(at(d, i), &in_rest) && in_rest < least &&
            !literal_occurs(d, in_rest, 0, middle))
            least = in_rest;
    for (size_t i = index + 1; i < middle; i++)
        if (uses_literal(at(d, i), &in_arm) && in_arm + 1 > greatest &&
            !literal_occurs(d, in_arm, 0, index) && !literal_occurs(d, in_arm, middle, to))
            greatest = in_arm + 1;
    return greatest > 0 && least < greatest - 1;
}

static bool is_return_of_top(const Instruction *i)
{
    return i->op == OP_RETURN_TOP || i->op == OP_BLOCK_RETURN_TOP;
}

static bool is_second_arm(const Decompiler *d, size_t index, size_t middle, size_t to)
{
    if (d->all->ways & (DECOMPILE_ARMS_ALWAYS | DECOMPILE_ARMS_NEVER))
        return d->all->ways & DECOMPILE_ARMS_ALWAYS;
    return rest_is_second_arm(d, index, middle, to);
}

/* A constant is pushed and returned although it could be returned at once: it is the value of what
 * stands before it. */
static bool constant_is_value(const Decompiler *d, size_t index, size_t to)
{
    if (index + 1 >= to || !is_return_of_top(at(d, index + 1)))
        return false;
    switch (at(d, index)->op) {
    case OP_PUSH_NIL: return true;
    case OP_PUSH_RECEIVER:
    case OP_PUSH_TRUE:
    case OP_PUSH_FALSE: return at(d, index + 1)->op == OP_RETURN_TOP;
    default: return false;
    }
}

static size_t condition_of_one(Decompiler *d, size_t index, size_t middle, size_t to)
{
    Node *condition = decompile_pop(d);
    bool jumps_if_true = at(d, index)->op == OP_JUMP_IF_TRUE;
    size_t values;
    Block *arm = decompile_inlined(d, index + 1, middle, &values);
    if (decompile_refused(d))
        return middle;
    bool returns = ends_in_return(d, index + 1, middle);
    if (returns && !values && constant_is_value(d, middle, to))
        return condition_before_rest(d, condition, arm, jumps_if_true, middle, middle + 1);
    if (returns && !values && middle < to &&
        (d->stack.count > d->base || is_second_arm(d, index, middle, to)))
        return condition_before_rest(d, condition, arm, jumps_if_true, middle, to);
    if (values || d->stack.count > d->base)
        decompile_refuse(d, "a condition without a value stands within an expression");
    decompile_statement(d, one_arm(d, condition, arm, jumps_if_true));
    return middle;
}

/* --- ifNil: with a value: dup; nil; ==; jumpFalse A; pop; ...; A: --- */

static size_t value_if_nil(Decompiler *d, size_t index, size_t middle)
{
    d->stack.count--; /* the message == nil; below it the cascade that the dup began */
    Node *cascade = d->stack.items[--d->stack.count];
    size_t values;
    Block *arm = decompile_inlined(d, index + 2, middle, &values);
    bool jumps_if_true = at(d, index)->op == OP_JUMP_IF_TRUE;
    if (cascade->cascade.count || (!values && !ends_in_return(d, index + 2, middle)))
        decompile_refuse(d, "a value is duplicated and not used");
    decompile_push(d, send_blocks(d, cascade->cascade.receiver,
                                  jumps_if_true ? "ifNotNil:" : "ifNil:", arm, NULL));
    return middle;
}

/* --- caseOf: --- */

typedef struct {
    Node *subject;
    NodeList cases;
    size_t end; /* where all cases meet; 0: not known yet */
} Cases;

static Block *block_of_value(Decompiler *d, Node *value)
{
    size_t values;
    Block *block = decompile_inlined(d, 0, 0, &values), *outer = d->block;
    d->block = block;
    decompile_statement(d, value);
    d->block = outer;
    return block;
}

/* One case; `from` is where its value begins, `next` where the next case does. */
static void add_case(Decompiler *d, Cases *cases, Node *value, size_t from, size_t next, size_t to)
{
    size_t end = end_of_arms(d, from, next, to), values;
    Block *test = block_of_value(d, value);
    Block *arm = decompile_inlined(d, from, end ? next - 1 : next, &values);
    if (!end && !ends_in_return(d, from, next))
        decompile_refuse(d, "a case has no end");
    if (end && cases->end && end != cases->end)
        decompile_refuse(d, "cases end at different places");
    if (end)
        cases->end = end;
    Node *arguments[] = {decompile_block_node(d, arm)};
    LIST_ADD(d->all->tools->arena, cases->cases,
             decompile_send(d, decompile_block_node(d, test), "->", 1, arguments));
}

static bool is_case_error(const Block *block)
{
    const Node *node = only_statement(block);
    return node && node->kind == NODE_SEND && strcmp(node->send.selector, "caseError") == 0 &&
           node_is_named(node->send.receiver, VARIABLE_SELF);
}

static void push_cases(Decompiler *d, Cases *cases, Block *otherwise)
{
    Node *brace = decompile_node(d, NODE_BRACE), *arguments[2] = {brace, NULL};
    brace->brace.elements = cases->cases.items;
    brace->brace.count = cases->cases.count;
    brace->depth = 10; /* never on one line */
    bool has_otherwise = !is_case_error(otherwise);
    if (has_otherwise)
        arguments[1] = decompile_block_node(d, otherwise);
    decompile_push(d, decompile_send(d, cases->subject,
                                     has_otherwise ? "caseOf:otherwise:" : "caseOf:",
                                     has_otherwise ? 2 : 1, arguments));
}

/* Runs on to the jump behind the next comparison with the subject. */
static size_t run_to_comparison(Decompiler *d, size_t index, size_t to, bool is_last)
{
    while (index < to && !decompile_refused(d)) {
        if (instruction_kind(at(d, index)) == KIND_CONDITIONAL_JUMP && d->stack.count) {
            const Node *top = d->stack.items[d->stack.count - 1];
            if (is_last ? top->kind == NODE_CASCADE : node_is_open_message(top, "="))
                return index;
        }
        index = decompile_step(d, index, to);
    }
    decompile_refuse(d, "a case is not compared with anything");
    return to;
}

/* The last case compares the subject itself, with a message that looks like the end of a cascade.
 * Answers what it is compared with. */
static Node *last_case_value(Decompiler *d)
{
    Node *cascade = d->stack.items[--d->stack.count];
    if (cascade->cascade.count == 1 &&
        strcmp(cascade->cascade.messages[0]->send.selector, "=") == 0)
        return cascade->cascade.messages[0]->send.arguments[0];
    decompile_refuse(d, "the last case is not compared with the subject");
    return decompile_nil(d);
}

/* `index`: the jump behind the first comparison. */
static size_t flow_cases(Decompiler *d, size_t index, size_t to)
{
    Node *cascade = d->stack.items[d->stack.count - 2];
    Cases cases = {.subject = cascade->cascade.receiver};
    for (bool is_last = false; !decompile_refused(d);) {
        size_t next = forward_target(d, index, to), values;
        bool pops = next && at(d, index + 1)->op == OP_POP;
        Node *value = is_last ? last_case_value(d)
                              : d->stack.items[--d->stack.count]->send.arguments[0];
        if (!next || (!is_last && !pops))
            break;
        if (is_last) {
            add_case(d, &cases, value, index + 1, next, to);
            size_t end = cases.end ? cases.end : to;
            Block *otherwise = decompile_inlined(d, next, end, &values);
            push_cases(d, &cases, otherwise);
            return end;
        }
        d->stack.count--; /* the subject is popped by the case */
        add_case(d, &cases, value, index + 2, next, to);
        Node *subject = decompile_node(d, NODE_CASCADE);
        subject->cascade.receiver = cases.subject;
        subject->start = cascade->start;
        decompile_push(d, subject);
        is_last = at(d, next)->op != OP_DUPLICATE;
        if (is_last) /* so that the comparison ends the cascade */
            subject->cascade.messages = arena_alloc(d->all->tools->arena, sizeof(Node *));
        index = run_to_comparison(d, next, to, is_last);
    }
    decompile_refuse(d, "cases do not end");
    return to;
}

size_t flow_condition(Decompiler *d, size_t index, size_t to)
{
    size_t middle = forward_target(d, index, to);
    if (!middle || !d->stack.count)
        return index + 1;
    const Node *top = d->stack.items[d->stack.count - 1];
    if (node_is_open_message(top, "=") && d->stack.count > 1)
        return flow_cases(d, index, to);
    if (node_is_open_message(top, "==") && d->stack.count > 1 && middle > index + 1 &&
        at(d, index + 1)->op == OP_POP && node_is_named(top->send.arguments[0], VARIABLE_NIL))
        return value_if_nil(d, index, middle);
    size_t end = end_of_arms(d, index + 1, middle, to);
    return end ? condition_of_two(d, index, middle, end) : condition_of_one(d, index, middle, to);
}

/* --- Loops --- */

size_t flow_loop_end(const Decompiler *d, size_t index, size_t to)
{
    for (size_t i = to; i-- > index;)
        if (at(d, i)->op == OP_JUMP && at(d, i)->target == (int64_t)at(d, index)->pc)
            return i;
    return 0;
}

static Node *last_statement(const Block *block, size_t back)
{
    return block->statement_count > back ? block->statements[block->statement_count - 1 - back]
                                         : NULL;
}

/* Is it an assignment to this temporary? */
static bool assigns_to(const Node *node, const Variable *variable)
{
    return node && node->kind == NODE_ASSIGN && node->assign.target->use.variable == variable;
}

static bool is_comparison(const Node *node, bool *downwards)
{
    if (node->kind != NODE_SEND || !node->send.receiver ||
        !node_is_named(node->send.receiver, VARIABLE_TEMP))
        return false;
    *downwards = strcmp(node->send.selector, ">=") == 0;
    return *downwards || strcmp(node->send.selector, "<=") == 0;
}

/* The step when the last statement of the body adds one to the counter. */
static Literal *step_of(const Block *body, const Variable *counter, bool downwards)
{
    const Node *last = last_statement(body, 0);
    if (!assigns_to(last, counter) || last->assign.value->kind != NODE_SEND)
        return NULL;
    const Send *send = &last->assign.value->send;
    if (strcmp(send->selector, "+") != 0 || !send->receiver ||
        !node_is_named(send->receiver, VARIABLE_TEMP) ||
        send->receiver->use.variable != counter || send->arguments[0]->kind != NODE_LITERAL)
        return NULL;
    Literal *step = send->arguments[0]->literal;
    bool negative = step->kind == LITERAL_FLOAT ? step->real < 0 : step->negative;
    bool is_number = (step->kind == LITERAL_INTEGER && step->byte_count) ||
                     (step->kind == LITERAL_FLOAT && step->real != 0);
    return is_number && negative == downwards ? step : NULL;
}

static bool may_be_limit(const Node *node)
{
    return node->kind == NODE_VARIABLE || node->kind == NODE_LITERAL;
}

static bool is_own_temp(const Decompiler *d, const Variable *variable)
{
    return variable->kind == VARIABLE_TEMP && variable->argument == ARGUMENT_NONE &&
           variable->scope == d->block->actual && !variable->is_vector;
}

/* `counter := start. [limit := expression.] [counter <= limit] whileTrue: [... counter := counter +
 * step]` as to:do:. The counter, and the limit, may turn out to be variables of the program (see
 * scope_declare). Answers the message, or NULL; then nothing was changed. */
static Node *to_do(Decompiler *d, const Block *test, Block *body)
{
    const Node *condition = only_statement(test);
    bool downwards;
    if (!condition || !is_comparison(condition, &downwards))
        return NULL;
    Variable *counter = condition->send.receiver->use.variable;
    Node *limit = condition->send.arguments[0], *kept = last_statement(d->block, 0);
    Literal *step = step_of(body, counter, downwards);
    if (!step || !may_be_limit(limit) || !is_own_temp(d, counter))
        return NULL;
    bool for_value = d->stack.count > d->base;
    bool has_limit = node_is_named(limit, VARIABLE_TEMP) &&
                     is_own_temp(d, limit->use.variable) && assigns_to(kept, limit->use.variable) &&
                     limit->use.variable != counter &&
                     (for_value || assigns_to(last_statement(d->block, 1), counter));
    Node *start = for_value ? d->stack.items[d->stack.count - 1]
                            : last_statement(d->block, has_limit);
    if (!assigns_to(start, counter))
        return NULL;
    int64_t by;
    bool by_one = literal_get_integer(step, &by) && by == 1;
    Node *by_node = decompile_node(d, NODE_LITERAL);
    by_node->literal = step;
    Node *arguments[] = {has_limit ? kept->assign.value : limit,
                         by_one ? decompile_block_node(d, body) : by_node,
                         decompile_block_node(d, body)};
    Node *node = decompile_send(d, start->assign.value, by_one ? "to:do:" : "to:by:do:",
                                by_one ? 2 : 3, arguments);
    body->statement_count--;
    node->send.inlined = INLINE_TO_DO;
    node->send.bound = counter;
    node->send.limit = has_limit ? limit->use.variable : NULL;
    node->send.step = step;
    node->send.downwards = downwards;
    node->send.arms[0] = body->node;
    d->block->statement_count -= has_limit + !for_value;
    d->stack.count -= for_value;
    return node;
}

/* The first jump from within the loop to behind it: the end of its condition. */
static size_t exit_of(const Decompiler *d, size_t head, size_t end)
{
    for (size_t i = head; i < end; i++)
        if (instruction_kind(at(d, i)) == KIND_CONDITIONAL_JUMP &&
            at(d, i)->target == (int64_t)at(d, end)->next)
            return i;
    return end;
}

static Node *while_loop(Decompiler *d, size_t head, size_t exit, size_t end)
{
    size_t test_values, body_values;
    Block *test = decompile_inlined(d, head, exit, &test_values);
    Block *body = decompile_inlined(d, exit + 1, end, &body_values);
    if (decompile_refused(d))
        return NULL;
    if (test_values != 1 || (body_values && !ends_in_return(d, exit + 1, end)))
        decompile_refuse(d, "the parts of a loop leave the stack uneven");
    bool negated = at(d, exit)->op == OP_JUMP_IF_TRUE;
    Node *node = negated ? NULL : to_do(d, test, body);
    if (node)
        return node;
    bool empty = !body->statement_count && !body->temps.count;
    const char *selector = negated ? empty ? "whileFalse" : "whileFalse:"
                           : empty ? "whileTrue"
                                   : "whileTrue:";
    return send_blocks(d, decompile_block_node(d, test), selector, empty ? NULL : body, NULL);
}

/* The nil that is a loop's value is pushed behind it, and would not be if it were returned by
 * itself. */
static bool value_is_used(const Decompiler *d, size_t next, size_t to)
{
    if (next >= to || at(d, next)->op != OP_PUSH_NIL)
        return false;
    return d->stack.count > d->base || constant_is_value(d, next, to);
}

size_t flow_loop(Decompiler *d, size_t head, size_t end, size_t to)
{
    size_t exit = exit_of(d, head, end), values, depth = d->stack.count;
    Node *node;
    if (exit < end) {
        node = while_loop(d, head, exit, end);
    } else {
        Block *body = decompile_inlined(d, head, end, &values);
        node = send_blocks(d, decompile_block_node(d, body), "repeat", NULL, NULL);
    }
    if (decompile_refused(d))
        return end + 1;
    if (d->stack.count < depth) { /* to:do: with a value took its start from the stack */
        decompile_push(d, node);
        return end + 1;
    }
    if (value_is_used(d, end + 1, to)) {
        decompile_push(d, node);
        return end + 2;
    }
    if (d->stack.count > d->base)
        decompile_refuse(d, "a loop without a value stands within an expression");
    decompile_statement(d, node);
    return end + 1;
}
