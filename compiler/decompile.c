#include "decompile_int.h"

#include <limits.h>
#include <string.h>

#include "literals.h"
#include "number.h"

enum { OPEN_CASCADE = 1 }; /* in Node.start: a dup was taken from it and no last message sent */

void decompile_refuse(Decompiler *d, const char *why)
{
    if (!d->all->why)
        d->all->why = why;
}

bool decompile_refused(const Decompiler *d)
{
    return d->all->why != NULL;
}

/* --- The stack, statements --- */

void decompile_push(Decompiler *d, Node *node)
{
    LIST_ADD(decompile_arena(d), d->stack, node);
}

bool node_is_copy(const Node *node)
{
    return node->kind == NODE_ERROR;
}

bool node_is_open_message(const Node *node, const char *selector)
{
    return node->kind == NODE_SEND && !node->send.receiver &&
           (!selector || strcmp(node->send.selector, selector) == 0);
}

static bool node_is_open_cascade(const Node *node)
{
    return node->kind == NODE_CASCADE && node->start == OPEN_CASCADE;
}

/* Array new: n, then at: 1 put: a ... at: n put: z: a brace array too long for the stack. */
static bool take_long_brace(Decompiler *d, Node *cascade)
{
    const Node *receiver = cascade->cascade.receiver;
    int64_t number;
    if (receiver->kind != NODE_SEND || strcmp(receiver->send.selector, "new:") != 0 ||
        !node_is_named(receiver->send.receiver, VARIABLE_LITERAL) ||
        receiver->send.arguments[0]->kind != NODE_LITERAL ||
        !literal_get_integer(receiver->send.arguments[0]->literal, &number) ||
        number != (int64_t)cascade->cascade.count)
        return false;
    size_t count = cascade->cascade.count;
    Node **elements = arena_alloc(decompile_arena(d), (count + 1) * sizeof *elements);
    for (size_t i = 0; i < count; i++) {
        const Send *send = &cascade->cascade.messages[i]->send;
        if (strcmp(send->selector, "at:put:") != 0 || send->arguments[0]->kind != NODE_LITERAL ||
            !literal_get_integer(send->arguments[0]->literal, &number) || number != (int64_t)i + 1)
            return false;
        elements[i] = send->arguments[1];
    }
    cascade->kind = NODE_BRACE;
    cascade->start = 0;
    cascade->brace.elements = elements;
    cascade->brace.count = count;
    return true;
}

static Node *pop_any(Decompiler *d)
{
    if (d->stack.count)
        return d->stack.items[--d->stack.count];
    decompile_refuse(d, "the stack is empty");
    return decompile_nil(d);
}

Node *decompile_pop(Decompiler *d)
{
    Node *node = pop_any(d);
    if (node_is_copy(node) || node_is_open_message(node, NULL) ||
        (node_is_open_cascade(node) && !take_long_brace(d, node)))
        decompile_refuse(d, "a value is duplicated in a way no text means");
    return node;
}

void decompile_statement(Decompiler *d, Node *node)
{
    Block *block = d->block;
    size_t count = block->statement_count;
    if ((count & (count - 1)) == 0) /* full at each power of two */
        block->statements =
            arena_grow(decompile_arena(d), block->statements, count * sizeof(Node *),
                       (count ? 2 * count : 1) * sizeof(Node *));
    block->statements[block->statement_count++] = node;
}

/* --- Messages --- */

static void cascade_add(Decompiler *d, Node *cascade, Node *message)
{
    NodeList list = {cascade->cascade.messages, cascade->cascade.count, cascade->cascade.count};
    LIST_ADD(decompile_arena(d), list, message);
    cascade->cascade.messages = list.items;
    cascade->cascade.count = list.count;
    decompile_node_adopt(cascade, message);
}

/* The copy of an expression is pushed; it is the receiver of a message whose value is dropped. */
static void duplicate(Decompiler *d)
{
    Node *top = pop_any(d);
    if (!node_is_open_cascade(top)) {
        Node *cascade = decompile_node(d, NODE_CASCADE);
        if (node_is_copy(top) || node_is_open_message(top, NULL))
            decompile_refuse(d, "a copy is duplicated");
        cascade->cascade.receiver = top;
        cascade->start = OPEN_CASCADE;
        decompile_node_adopt(cascade, top);
        top = cascade;
    }
    decompile_push(d, top);
    decompile_push(d, decompile_node(d, NODE_ERROR));
}

static void send_message(Decompiler *d, const char *selector, size_t count, bool to_super)
{
    Node **arguments = arena_alloc(decompile_arena(d), (count + 1) * sizeof *arguments);
    for (size_t i = count; i-- > 0;)
        arguments[i] = decompile_pop(d);
    Node *receiver = pop_any(d);
    if (to_super && !node_is_named(receiver, VARIABLE_SELF))
        decompile_refuse(d, "a message to super has another receiver");
    if (to_super)
        receiver = decompile_named_node(d, VARIABLE_SUPER, "super");
    if (node_is_open_message(receiver, NULL))
        decompile_refuse(d, "a message is sent to a value that is dropped in a cascade");
    bool ends_cascade = node_is_open_cascade(receiver);
    Node *send = decompile_send(d, ends_cascade || node_is_copy(receiver) ? NULL : receiver,
                                selector, count, arguments);
    send->send.to_super = to_super;
    if (ends_cascade) {
        if (!receiver->cascade.messages) /* there are in the last of several cases */
            decompile_refuse(d, "a copy is not used");
        cascade_add(d, receiver, send);
        receiver->start = 0;
    }
    decompile_push(d, ends_cascade ? receiver : send);
}

static void send_literal(Decompiler *d, const Instruction *i, bool to_super)
{
    const Literal *selector = decompile_literal_at(d, i->index);
    if (selector->kind != LITERAL_SYMBOL)
        decompile_refuse(d, "a selector is no symbol");
    else if (i->count < 0 ||
             selector_arity((const char *)selector->bytes) != (unsigned)i->count)
        decompile_refuse(d, "a selector is sent with another number of arguments");
    else
        send_message(d, (const char *)selector->bytes, (size_t)i->count, to_super);
}

static void pop_statement(Decompiler *d)
{
    Node *node = pop_any(d);
    if (node_is_open_message(node, NULL) && d->stack.count &&
        node_is_open_cascade(d->stack.items[d->stack.count - 1])) {
        cascade_add(d, d->stack.items[d->stack.count - 1], node);
        return;
    }
    decompile_push(d, node);
    decompile_statement(d, decompile_pop(d));
}

static void push_brace(Decompiler *d, size_t count)
{
    Node *node = decompile_node(d, NODE_BRACE);
    node->brace.count = count;
    node->brace.elements = arena_alloc(decompile_arena(d), (count + 1) * sizeof(Node *));
    for (size_t i = count; i-- > 0;) {
        node->brace.elements[i] = decompile_pop(d);
        decompile_node_adopt(node, node->brace.elements[i]);
    }
    decompile_push(d, node);
}

/* --- Assignments --- */

static Node *assign(Decompiler *d, Node *target)
{
    Node *node = decompile_node(d, NODE_ASSIGN);
    node->assign.target = target;
    node->assign.value = decompile_pop(d);
    decompile_node_adopt(node, node->assign.value);
    if (target->use.variable->kind == VARIABLE_TEMP &&
        (target->use.variable->argument != ARGUMENT_NONE || target->use.variable->is_vector))
        decompile_refuse(d, "an argument is assigned to");
    return node;
}

static Node *store_target(Decompiler *d, const Instruction *i)
{
    switch (i->op) {
    case OP_STORE_RECEIVER_VARIABLE:
    case OP_POP_INTO_RECEIVER_VARIABLE: return decompile_instance_variable_node(d, i->index);
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE: return decompile_binding_node(d, i->index);
    case OP_STORE_REMOTE_TEMP:
    case OP_POP_INTO_REMOTE_TEMP: return decompile_remote_node(d, i->index, i->temp);
    default: return decompile_temp_node(d, i->index);
    }
}

/* --- Blocks --- */

static Block *block_new(Decompiler *d)
{
    Block *block = arena_alloc(decompile_arena(d), sizeof *block);
    block->outer = d->block;
    block->actual = block;
    return block;
}

Block *decompile_inlined(Decompiler *d, size_t from, size_t to, size_t *values)
{
    Block *outer = d->block, *block = block_new(d);
    size_t base = d->stack.count, outer_base = d->base;
    d->base = base;
    block->is_inlined = true;
    block->actual = outer->actual;
    d->block = block;
    if (++d->all->nesting > DEEPEST)
        decompile_refuse(d, "structures are nested too deeply");
    else
        decompile_run(d, from, to);
    d->all->nesting--;
    *values = d->stack.count - base;
    if (d->stack.count < base || *values > 1)
        decompile_refuse(d, "an inlined block leaves the stack uneven");
    else if (*values == 1)
        decompile_statement(d, decompile_pop(d));
    d->block = outer;
    d->base = outer_base;
    return block;
}

static void frame_add(Decompiler *d, Variable *variable)
{
    LIST_ADD(decompile_arena(d), d->frame, variable);
}

/* Arguments, copied values and temporaries of a method or block that begins. */
void decompile_frame_fill(Decompiler *d, size_t arguments, const VariableList *copied, size_t count)
{
    for (size_t i = 0; i < arguments; i++) {
        Variable *argument = decompile_temp_new(d, decompile_slot_name(d, i), "a");
        argument->argument = d->block->outer ? ARGUMENT_BLOCK : ARGUMENT_METHOD;
        LIST_ADD(decompile_arena(d), d->block->arguments, argument);
        frame_add(d, argument);
    }
    for (size_t i = 0; copied && i < copied->count; i++)
        frame_add(d, copied->items[i]);
    d->copied_end = d->frame.count;
    while (d->frame.count < count)
        frame_add(d, decompile_temp_new(d, decompile_slot_name(d, d->frame.count), "t"));
}

static void pop_copied(Decompiler *d, size_t count, VariableList *copied)
{
    Variable **variables = arena_alloc(decompile_arena(d), (count + 1) * sizeof *variables);
    for (size_t i = count; i-- > 0;) {
        Node *node = decompile_pop(d);
        if (!node_is_named(node, VARIABLE_TEMP)) {
            decompile_refuse(d, "a block takes along what is no temporary");
            return;
        }
        variables[i] = node->use.variable;
    }
    *copied = (VariableList){variables, count, count};
}

/* Where a jump within [from, to] goes forward to; NOWHERE for others. */
static size_t jump_within(const Decompiler *d, size_t index, size_t to)
{
    const Instruction *i = &d->instructions[index];
    OperationKind kind = instruction_kind(i);
    if ((kind != KIND_JUMP && kind != KIND_CONDITIONAL_JUMP) || i->target < 0 ||
        i->target > (int64_t)d->code->bytecode_count)
        return NOWHERE;
    size_t target = d->index_at[i->target];
    return target > index && target <= to ? target : NOWHERE;
}

/* The temporaries of an embedded block are the nils it pushes first: what is on its stack, below
 * the value, where it returns. Depths are followed along jumps forward; within an expression more
 * may lie there, so the least counts. */
static size_t embedded_temp_count(const Decompiler *d, size_t from, size_t to)
{
    enum { UNKNOWN = -1 };
    int least = INT_MAX;
    int *depths = arena_alloc(decompile_arena(d), (to - from + 1) * sizeof *depths);
    for (size_t i = from; i <= to; i++)
        depths[i - from] = UNKNOWN;
    depths[0] = 0;
    for (size_t i = from, next; i < to; i = next) {
        const Instruction *each = &d->instructions[i];
        OperationKind kind = instruction_kind(each);
        int before = depths[i - from], pops = (int)instruction_pops(each);
        int after = before - pops + (int)instruction_pushes(each);
        next = i + 1;
        if (each->op == OP_PUSH_CLOSURE)
            next = each->target >= 0 && each->target <= (int64_t)d->code->bytecode_count
                       ? d->index_at[each->target]
                       : NOWHERE;
        if (next == NOWHERE || next <= i)
            return 0;
        if (before == UNKNOWN)
            continue;
        if ((kind == KIND_RETURN || kind == KIND_BLOCK_RETURN) && before - pops < least)
            least = before - pops;
        size_t target = jump_within(d, i, to);
        if (target != NOWHERE)
            depths[target - from] = after;
        if (instruction_falls_through(each) && next <= to)
            depths[next - from] = after;
    }
    return least > 0 && least < INT_MAX ? (size_t)least : 0;
}

static size_t push_embedded_block(Decompiler *d, size_t index)
{
    const Instruction *i = &d->instructions[index];
    size_t from = index + 1,
           to = i->target >= 0 && i->target <= (int64_t)d->code->bytecode_count
                    ? d->index_at[i->target]
                    : NOWHERE;
    VariableList copied = {NULL, 0, 0}, frame = d->frame;
    size_t copied_end = d->copied_end;
    Block *outer = d->block;
    const CompiledCode *code = d->code;
    CompiledCode without_names = *code;
    pop_copied(d, i->copied, &copied);
    if (to == NOWHERE || to < from || decompile_refused(d) || ++d->all->nesting > DEEPEST) {
        decompile_refuse(d, "a block has no end");
        return index + 1;
    }
    without_names.temp_names = NULL;
    d->code = &without_names;
    d->block = block_new(d);
    d->frame = (VariableList){NULL, 0, 0};
    size_t fixed = (size_t)i->count + copied.count, base = d->stack.count, outer_base = d->base;
    d->base = base;
    size_t temps = embedded_temp_count(d, from, to);
    decompile_frame_fill(d, (size_t)i->count, &copied, fixed + temps);
    for (size_t temp = from; temp < from + temps; temp++)
        if (temp >= to || d->instructions[temp].op != OP_PUSH_NIL)
            decompile_refuse(d, "a block does not begin with its temporaries");
    decompile_run(d, from + temps, to);
    if (d->stack.count > base)
        decompile_refuse(d, "a block ends with too much on the stack");
    scope_declare(d);
    Block *block = d->block;
    scope_mention(d, block, &copied);
    d->all->nesting--;
    d->block = outer;
    d->base = outer_base;
    d->frame = frame;
    d->copied_end = copied_end;
    d->code = code;
    decompile_push(d, decompile_block_node(d, block));
    return to;
}

void decompile_decode(Decompiler *d)
{
    const CompiledCode *code = d->code;
    d->instructions =
        arena_alloc(decompile_arena(d), (code->bytecode_count + 1) * sizeof(Instruction));
    d->index_at = arena_alloc(decompile_arena(d), (code->bytecode_count + 1) * sizeof *d->index_at);
    memset(d->index_at, 0xFF, (code->bytecode_count + 1) * sizeof *d->index_at);
    for (size_t pc = 0; pc < code->bytecode_count;) {
        Instruction *each = &d->instructions[d->count];
        d->index_at[pc] = (uint32_t)d->count++;
        if (!bytecode_decode(code->set, code->bytecodes, code->bytecode_count, pc, each) ||
            each->op == OP_UNKNOWN)
            decompile_refuse(d, "there is an unknown bytecode");
        pc = each->next;
    }
    d->index_at[code->bytecode_count] = (uint32_t)d->count;
}

static void push_full_block(Decompiler *d, const Instruction *i)
{
    const Literal *literal = decompile_literal_at(d, i->index);
    VariableList copied = {NULL, 0, 0};
    pop_copied(d, i->copied, &copied);
    if (literal->kind != LITERAL_CODE || i->receiver_on_stack || i->no_outer ||
        literal->code_block->set != d->code->set || ++d->all->nesting > DEEPEST) {
        decompile_refuse(d, "a closure is made in an unusual way");
        return;
    }
    Decompiler inner = {.all = d->all, .code = literal->code_block, .block = d->block};
    inner.block = block_new(&inner);
    decompile_decode(&inner);
    if (!decompile_refused(d)) {
        decompile_frame_fill(&inner, inner.code->arg_count, &copied, inner.code->temp_count);
        decompile_run(&inner, 0, inner.count);
        scope_declare(&inner);
        scope_mention(&inner, inner.block, &copied);
    }
    d->all->nesting--;
    decompile_push(d, decompile_block_node(d, inner.block));
}

/* --- Returns --- */

void decompile_return_node(Decompiler *d, Node *value)
{
    Node *node = decompile_node(d, NODE_RETURN);
    node->value = value;
    decompile_node_adopt(node, value);
    decompile_statement(d, node);
}

static void block_return_top(Decompiler *d)
{
    Node *value = decompile_pop(d);
    bool is_empty = node_is_named(value, VARIABLE_NIL) && !d->block->statement_count;
    if (!is_empty || d->block->is_inlined)
        decompile_statement(d, value);
}

static void block_return_nil(Decompiler *d)
{
    if (d->block->statement_count)
        decompile_statement(d, decompile_nil(d));
}

/* --- Instructions --- */

static size_t push_array(Decompiler *d, size_t index)
{
    const Instruction *i = &d->instructions[index], *next = i + 1;
    if (index + 1 < d->count && next->op == OP_POP_INTO_TEMP && i->count > 0) {
        decompile_make_vector(d, next->index, (unsigned)i->count);
        return index + 2;
    }
    if (i->count != 0)
        decompile_refuse(d, "an array of nils is pushed");
    push_brace(d, 0);
    return index + 1;
}

static void send_directed(Decompiler *d, const Instruction *i)
{
    Node *class_node = decompile_pop(d);
    bool is_class = node_is_named(class_node, VARIABLE_LITERAL) ||
                    (class_node->kind == NODE_LITERAL &&
                     class_node->literal->kind == LITERAL_METHOD_CLASS);
    if (!is_class)
        decompile_refuse(d, "a message to super is directed at what is no class");
    send_literal(d, i, true);
}

static Node *character_node(Decompiler *d, uint32_t code)
{
    Literal *literal = arena_alloc(decompile_arena(d), sizeof *literal);
    literal->kind = LITERAL_CHARACTER;
    literal->code = code;
    return decompile_literal_node(d, literal);
}

static Node *pushed_node(Decompiler *d, const Instruction *i)
{
    switch (i->op) {
    case OP_PUSH_RECEIVER_VARIABLE: return decompile_instance_variable_node(d, i->index);
    case OP_PUSH_TEMP: return decompile_temp_node(d, i->index);
    case OP_PUSH_LITERAL: return decompile_literal_node(d, decompile_literal_at(d, i->index));
    case OP_PUSH_LITERAL_VARIABLE: return decompile_binding_node(d, i->index);
    case OP_PUSH_REMOTE_TEMP: return decompile_remote_node(d, i->index, i->temp);
    case OP_PUSH_RECEIVER: return decompile_named_node(d, VARIABLE_SELF, "self");
    case OP_PUSH_TRUE: return decompile_named_node(d, VARIABLE_TRUE, "true");
    case OP_PUSH_FALSE: return decompile_named_node(d, VARIABLE_FALSE, "false");
    case OP_PUSH_NIL: return decompile_nil(d);
    case OP_PUSH_INTEGER: return decompile_integer_node(d, i->value);
    case OP_PUSH_CHARACTER: return character_node(d, i->index);
    case OP_PUSH_CONTEXT: return decompile_named_node(d, VARIABLE_CONTEXT, "thisContext");
    default: return decompile_named_node(d, VARIABLE_PROCESS, "thisProcess");
    }
}

static void do_return(Decompiler *d, const Instruction *i)
{
    switch (i->op) {
    case OP_RETURN_RECEIVER:
        decompile_return_node(d, decompile_named_node(d, VARIABLE_SELF, "self"));
        break;
    case OP_RETURN_TRUE:
        decompile_return_node(d, decompile_named_node(d, VARIABLE_TRUE, "true"));
        break;
    case OP_RETURN_FALSE:
        decompile_return_node(d, decompile_named_node(d, VARIABLE_FALSE, "false"));
        break;
    case OP_RETURN_NIL: decompile_return_node(d, decompile_nil(d)); break;
    case OP_RETURN_TOP: decompile_return_node(d, decompile_pop(d)); break;
    case OP_BLOCK_RETURN_NIL: block_return_nil(d); break;
    default: block_return_top(d); break;
    }
}

static void do_send(Decompiler *d, const Instruction *i)
{
    if (i->op == OP_SEND_SPECIAL)
        send_message(d, special_selectors[i->index].name, (size_t)i->count, false);
    else if (i->op == OP_SEND_DIRECTED_SUPER)
        send_directed(d, i);
    else
        send_literal(d, i, i->op == OP_SEND_SUPER);
}

size_t decompile_step(Decompiler *d, size_t index, size_t to)
{
    const Instruction *i = &d->instructions[index];
    switch (instruction_kind(i)) {
    case KIND_PUSH:
        if (i->op == OP_PUSH_NEW_ARRAY)
            return push_array(d, index);
        if (i->op == OP_POP_INTO_NEW_ARRAY)
            push_brace(d, (size_t)i->count);
        else
            decompile_push(d, pushed_node(d, i));
        break;
    case KIND_CLOSURE:
        if (i->op == OP_PUSH_CLOSURE)
            return push_embedded_block(d, index);
        push_full_block(d, i);
        break;
    case KIND_STACK:
        if (i->op == OP_DUPLICATE)
            duplicate(d);
        else if (i->op == OP_POP)
            pop_statement(d);
        break;
    case KIND_STORE: decompile_push(d, assign(d, store_target(d, i))); break;
    case KIND_POP_STORE: decompile_statement(d, assign(d, store_target(d, i))); break;
    case KIND_SEND: do_send(d, i); break;
    case KIND_CONDITIONAL_JUMP: return flow_condition(d, index, to);
    case KIND_JUMP: decompile_refuse(d, "a jump is part of no structure"); break;
    case KIND_RETURN:
    case KIND_BLOCK_RETURN: do_return(d, i); break;
    default: decompile_refuse(d, "there is an instruction no text means"); break;
    }
    return index + 1;
}

void decompile_run(Decompiler *d, size_t from, size_t to)
{
    for (size_t i = from; i < to && !decompile_refused(d);) {
        size_t end = flow_loop_end(d, i, to);
        i = end ? flow_loop(d, i, end, to) : decompile_step(d, i, to);
    }
}

