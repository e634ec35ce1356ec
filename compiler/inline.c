/* Which messages are compiled in line, and as what.
 *
 * The choice is Squeak's: a message of this list whose arguments are written as
 * blocks is never sent. Messages of a cascade always are.
 */
#include <string.h>

#include "list.h"
#include "number.h"
#include "scope.h"

typedef struct {
    CompileTools *tools;
    Method *method;
} Inliner;

static void inline_node(Inliner *in, Node *node);

/* Is it a block written here, with at most `most` arguments? Too many are an error, as the message
 * is meant to be inlined. */
static bool inline_check_block(Inliner *in, const Node *send, const Node *node, size_t most)
{
    if (node->kind != NODE_BLOCK)
        return false;
    if (node->block->arguments.count <= most)
        return true;
    const Variable *extra = node->block->arguments.items[most];
    diagnostics_error(in->tools->diagnostics, in->method->source, extra->start, extra->end,
                      "this block of %s has too many arguments", send->send.selector);
    return false;
}

static Node *inline_mark(Node *node)
{
    if (node)
        node->block->is_inlined = true;
    return node;
}

static bool inline_arms(Inliner *in, Node *node, Node *when_true, Node *when_false,
                        size_t arguments_true, size_t arguments_false)
{
    if ((when_true && !inline_check_block(in, node, when_true, arguments_true)) ||
        (when_false && !inline_check_block(in, node, when_false, arguments_false)))
        return false;
    node->send.arms[0] = inline_mark(when_true);
    node->send.arms[1] = inline_mark(when_false);
    return true;
}

static bool inline_if(Inliner *in, Node *node, Node *when_true, Node *when_false, Constant constant)
{
    if (!inline_arms(in, node, when_true, when_false, 0, 0))
        return false;
    node->send.inlined = INLINE_IF;
    node->send.constant = constant;
    return true;
}

static bool inline_nil_test(Inliner *in, Node *node, Node *when_nil, Node *otherwise)
{
    if (!inline_arms(in, node, when_nil, otherwise, 0, 1))
        return false;
    node->send.inlined = INLINE_NIL_TEST;
    node->send.constant = CONSTANT_NIL;
    if (otherwise->block->arguments.count)
        node->send.bound = otherwise->block->arguments.items[0];
    return true;
}

static bool inline_if_nil(Inliner *in, Node *node)
{
    if (!inline_check_block(in, node, node->send.arguments[0], 0))
        return false;
    node->send.arms[0] = inline_mark(node->send.arguments[0]);
    node->send.inlined = INLINE_IF_NIL;
    return true;
}

static bool inline_while(Inliner *in, Node *node, bool negated)
{
    Send *send = &node->send;
    if (!inline_check_block(in, node, send->receiver, 0) ||
        (send->argument_count && !inline_check_block(in, node, send->arguments[0], 0)))
        return false;
    inline_mark(send->receiver);
    send->arms[0] = send->argument_count ? inline_mark(send->arguments[0]) : NULL;
    send->negated = negated;
    send->inlined = INLINE_WHILE;
    return true;
}

static bool inline_repeat(Inliner *in, Node *node)
{
    if (!inline_check_block(in, node, node->send.receiver, 0))
        return false;
    inline_mark(node->send.receiver);
    node->send.inlined = INLINE_REPEAT;
    return true;
}

/* --- to:do: --- */

static bool assigns_in_block(const Block *block, const Variable *variable);

static bool assigns_in_nodes(Node *const *nodes, size_t count, const Variable *variable);

static bool assigns(const Node *node, const Variable *variable)
{
    switch (node->kind) {
    case NODE_ASSIGN:
        return node->assign.target->use.variable == variable ||
               assigns(node->assign.value, variable);
    case NODE_SEND:
        return (node->send.receiver && assigns(node->send.receiver, variable)) ||
               assigns_in_nodes(node->send.arguments, node->send.argument_count, variable);
    case NODE_CASCADE:
        return assigns(node->cascade.receiver, variable) ||
               assigns_in_nodes(node->cascade.messages, node->cascade.count, variable);
    case NODE_BLOCK: return assigns_in_block(node->block, variable);
    case NODE_BRACE: return assigns_in_nodes(node->brace.elements, node->brace.count, variable);
    case NODE_RETURN: return assigns(node->value, variable);
    default: return false;
    }
}

static bool assigns_in_nodes(Node *const *nodes, size_t count, const Variable *variable)
{
    for (size_t i = 0; i < count; i++)
        if (assigns(nodes[i], variable))
            return true;
    return false;
}

static bool assigns_in_block(const Block *block, const Variable *variable)
{
    return assigns_in_nodes(block->statements, block->statement_count, variable);
}

static bool node_is_number(const Node *node)
{
    return node->kind == NODE_LITERAL &&
           (node->literal->kind == LITERAL_INTEGER || node->literal->kind == LITERAL_FLOAT ||
            node->literal->kind == LITERAL_SCALED || node->literal->kind == LITERAL_FRACTION);
}

/* The sign of a number literal: -1, 0 or 1. */
static int literal_sign(const Literal *literal)
{
    if (literal->kind == LITERAL_SCALED || literal->kind == LITERAL_FRACTION)
        literal = literal->elements[0];
    if (literal->kind == LITERAL_FLOAT)
        return (literal->real > 0) - (literal->real < 0);
    return literal->byte_count == 0 ? 0 : literal->negative ? -1 : 1;
}

static Variable *limit_new(Inliner *in, const Variable *counter)
{
    Variable *limit = arena_alloc(in->tools->arena, sizeof *limit);
    limit->kind = VARIABLE_TEMP;
    limit->name =
        names_of(in->tools->names, arena_printf(in->tools->arena, "%sLimiT", counter->name));
    limit->argument = ARGUMENT_BLOCK;
    limit->scope = counter->scope;
    limit->start = counter->start;
    limit->end = counter->end;
    return limit;
}

/* The limit is evaluated in each round when it is a constant or a variable that the loop does not
 * assign to; else it is kept in a hidden temporary. A variable that is assigned to: no inlining. */
static bool inline_to_do(Inliner *in, Node *node)
{
    Send *send = &node->send;
    Node *limit = send->arguments[0], *body = send->arguments[send->argument_count - 1];
    if (body->kind != NODE_BLOCK || body->block->arguments.count != 1)
        return false;
    if (send->argument_count == 3) {
        if (!node_is_number(send->arguments[1]) || literal_sign(send->arguments[1]->literal) == 0)
            return false;
        send->step = send->arguments[1]->literal;
        send->downwards = literal_sign(send->step) < 0;
    } else {
        send->step = arena_alloc(in->tools->arena, sizeof *send->step);
        literal_set_integer(in->tools->arena, send->step, 1);
    }
    if (limit->kind == NODE_VARIABLE && assigns_in_block(body->block, limit->use.variable))
        return false;
    inline_mark(body);
    send->bound = body->block->arguments.items[0];
    send->arms[0] = body;
    if (limit->kind != NODE_VARIABLE && !node_is_number(limit)) {
        send->limit = limit_new(in, send->bound);
        LIST_ADD(in->tools->arena, body->block->declared, send->limit);
    }
    send->inlined = INLINE_TO_DO;
    return true;
}

/* --- caseOf: --- */

static bool is_case(const Node *node)
{
    return node->kind == NODE_SEND && strcmp(node->send.selector, "->") == 0 &&
           node->send.receiver && node->send.receiver->kind == NODE_BLOCK &&
           node->send.receiver->block->arguments.count == 0 &&
           node->send.arguments[0]->kind == NODE_BLOCK &&
           node->send.arguments[0]->block->arguments.count == 0;
}

static bool inline_case(Inliner *in, Node *node)
{
    Send *send = &node->send;
    const Node *cases = send->arguments[0];
    if (cases->kind != NODE_BRACE)
        return false;
    for (size_t i = 0; i < cases->brace.count || i == 0; i++) {
        const Node *each = i < cases->brace.count ? cases->brace.elements[i] : cases;
        if (!is_case(each)) {
            diagnostics_error(
                in->tools->diagnostics, in->method->source, each->start, each->end,
                "an association between blocks without arguments expected in caseOf:");
            return false;
        }
    }
    if (send->argument_count == 2 && !inline_check_block(in, node, send->arguments[1], 0))
        return false;
    for (size_t i = 0; i < cases->brace.count; i++) {
        inline_mark(cases->brace.elements[i]->send.receiver);
        inline_mark(cases->brace.elements[i]->send.arguments[0]);
    }
    send->arms[0] = send->argument_count == 2 ? inline_mark(send->arguments[1]) : NULL;
    send->inlined = INLINE_CASE;
    return true;
}

/* --- The walk --- */

typedef enum {
    FORM_IF_TRUE,
    FORM_IF_FALSE,
    FORM_IF_TRUE_FALSE,
    FORM_IF_FALSE_TRUE,
    FORM_AND,
    FORM_OR,
    FORM_WHILE_TRUE,
    FORM_WHILE_FALSE,
    FORM_TO_DO,
    FORM_IF_NIL,
    FORM_IF_NOT_NIL,
    FORM_IF_NIL_NOT_NIL,
    FORM_IF_NOT_NIL_NIL,
    FORM_REPEAT,
    FORM_CASE,
    FORM_COUNT
} Form;

static Form form_of(const char *selector)
{
    static const struct {
        const char *selector;
        Form form;
    } forms[] = {
        {"ifTrue:", FORM_IF_TRUE},
        {"ifFalse:", FORM_IF_FALSE},
        {"ifTrue:ifFalse:", FORM_IF_TRUE_FALSE},
        {"ifFalse:ifTrue:", FORM_IF_FALSE_TRUE},
        {"and:", FORM_AND},
        {"or:", FORM_OR},
        {"whileTrue:", FORM_WHILE_TRUE},
        {"whileFalse:", FORM_WHILE_FALSE},
        {"whileTrue", FORM_WHILE_TRUE},
        {"whileFalse", FORM_WHILE_FALSE},
        {"to:do:", FORM_TO_DO},
        {"to:by:do:", FORM_TO_DO},
        {"ifNil:", FORM_IF_NIL},
        {"ifNotNil:", FORM_IF_NOT_NIL},
        {"ifNil:ifNotNil:", FORM_IF_NIL_NOT_NIL},
        {"ifNotNil:ifNil:", FORM_IF_NOT_NIL_NIL},
        {"repeat", FORM_REPEAT},
        {"caseOf:", FORM_CASE},
        {"caseOf:otherwise:", FORM_CASE},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(selector, forms[i].selector) == 0)
            return forms[i].form;
    return FORM_COUNT;
}

static void inline_send(Inliner *in, Node *node)
{
    Node **args = node->send.arguments;
    if (node->send.to_super)
        return;
    switch (form_of(node->send.selector)) {
    case FORM_IF_TRUE: inline_if(in, node, args[0], NULL, CONSTANT_NIL); break;
    case FORM_IF_FALSE: inline_if(in, node, NULL, args[0], CONSTANT_NIL); break;
    case FORM_IF_TRUE_FALSE: inline_if(in, node, args[0], args[1], CONSTANT_NIL); break;
    case FORM_IF_FALSE_TRUE: inline_if(in, node, args[1], args[0], CONSTANT_NIL); break;
    case FORM_AND: inline_if(in, node, args[0], NULL, CONSTANT_FALSE); break;
    case FORM_OR: inline_if(in, node, NULL, args[0], CONSTANT_TRUE); break;
    case FORM_WHILE_TRUE: inline_while(in, node, false); break;
    case FORM_WHILE_FALSE: inline_while(in, node, true); break;
    case FORM_TO_DO: inline_to_do(in, node); break;
    case FORM_IF_NIL: inline_if_nil(in, node); break;
    case FORM_IF_NOT_NIL: inline_nil_test(in, node, NULL, args[0]); break;
    case FORM_IF_NIL_NOT_NIL: inline_nil_test(in, node, args[0], args[1]); break;
    case FORM_IF_NOT_NIL_NIL: inline_nil_test(in, node, args[1], args[0]); break;
    case FORM_REPEAT: inline_repeat(in, node); break;
    case FORM_CASE: inline_case(in, node); break;
    case FORM_COUNT: break;
    }
}

static void inline_nodes(Inliner *in, Node **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        inline_node(in, nodes[i]);
}

static void inline_children(Inliner *in, Node *node)
{
    if (node->send.receiver)
        inline_node(in, node->send.receiver);
    inline_nodes(in, node->send.arguments, node->send.argument_count);
}

static void inline_node(Inliner *in, Node *node)
{
    switch (node->kind) {
    case NODE_ASSIGN: inline_node(in, node->assign.value); break;
    case NODE_SEND:
        inline_send(in, node);
        inline_children(in, node);
        break;
    case NODE_CASCADE:
        inline_node(in, node->cascade.receiver);
        for (size_t i = 0; i < node->cascade.count; i++)
            inline_children(in, node->cascade.messages[i]);
        break;
    case NODE_BLOCK: inline_nodes(in, node->block->statements, node->block->statement_count); break;
    case NODE_BRACE: inline_nodes(in, node->brace.elements, node->brace.count); break;
    case NODE_RETURN: inline_node(in, node->value); break;
    default: break;
    }
}

void inline_messages(CompileTools *tools, Method *method)
{
    Inliner inliner = {tools, method};
    inline_nodes(&inliner, method->body->statements, method->body->statement_count);
}
