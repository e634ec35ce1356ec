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

/* --- Nodes --- */

static Arena *arena_of(const Decompiler *d)
{
    return d->all->tools->arena;
}

Node *decompile_node(Decompiler *d, NodeKind kind)
{
    Node *node = arena_alloc(arena_of(d), sizeof *node);
    node->kind = kind;
    node->depth = 1;
    return node;
}

static void node_adopt(Node *node, const Node *child)
{
    if (child && child->depth >= node->depth)
        node->depth = child->depth + 1;
}

Node *decompile_send(Decompiler *d, Node *receiver, const char *selector, size_t count,
                     Node **arguments)
{
    Node *node = decompile_node(d, NODE_SEND);
    node->send.receiver = receiver;
    node->send.selector = names_of(d->all->tools->names, selector);
    node->send.argument_count = count;
    node->send.arguments = arena_alloc(arena_of(d), (count + 1) * sizeof(Node *));
    node_adopt(node, receiver);
    for (size_t i = 0; i < count; i++) {
        node->send.arguments[i] = arguments[i];
        node_adopt(node, arguments[i]);
    }
    return node;
}

Node *decompile_block_node(Decompiler *d, Block *block)
{
    Node *node = decompile_node(d, NODE_BLOCK);
    node->block = block;
    block->node = node;
    for (size_t i = 0; i < block->statement_count; i++)
        node_adopt(node, block->statements[i]);
    return node;
}

static Node *variable_node(Decompiler *d, Variable *variable)
{
    Node *node = decompile_node(d, NODE_VARIABLE);
    node->use.name = variable->name;
    node->use.variable = variable;
    return node;
}

static Node *named_node(Decompiler *d, VariableKind kind, const char *name)
{
    Variable *variable = arena_alloc(arena_of(d), sizeof *variable);
    variable->kind = kind;
    variable->name = names_of(d->all->tools->names, name);
    return variable_node(d, variable);
}

Node *decompile_nil(Decompiler *d)
{
    return named_node(d, VARIABLE_NIL, "nil");
}

bool node_is_named(const Node *node, VariableKind kind)
{
    return node->kind == NODE_VARIABLE && node->use.variable->kind == kind;
}

static Node *literal_node(Decompiler *d, Literal *literal)
{
    Node *node = decompile_node(d, NODE_LITERAL);
    node->literal = literal;
    if (literal->kind == LITERAL_CODE || literal->kind >= LITERAL_OUTER_CODE)
        decompile_refuse(d, "code or method state is pushed as a literal");
    return node;
}

static Node *integer_node(Decompiler *d, int64_t value)
{
    Literal *literal = arena_alloc(arena_of(d), sizeof *literal);
    literal_set_integer(arena_of(d), literal, value);
    return literal_node(d, literal);
}

static Node *instance_variable_node(Decompiler *d, unsigned index)
{
    const ClassScope *scope = d->all->class_scope;
    if (index < scope->instance_count)
        return named_node(d, VARIABLE_INSTANCE, scope->instance_names[index]);
    decompile_refuse(d, "the class has no instance variable of this index");
    return decompile_nil(d);
}

static Literal *literal_at(Decompiler *d, unsigned index)
{
    if (index < d->code->literal_count)
        return d->code->literals[index];
    decompile_refuse(d, "there is no literal of this index");
    return arena_alloc(arena_of(d), sizeof(Literal));
}

static Node *binding_node(Decompiler *d, unsigned index)
{
    const Literal *literal = literal_at(d, index);
    if (literal->kind == LITERAL_METHOD_CLASS)
        return named_node(d, VARIABLE_LITERAL, d->all->class_scope->class_name);
    if (literal->kind == LITERAL_VARIABLE && literal->name)
        return named_node(d, VARIABLE_LITERAL, literal->name);
    decompile_refuse(d, "a literal that is no variable is used as one");
    return decompile_nil(d);
}

/* --- Names of temporaries --- */

static const char *free_name(Decompiler *d, const char *wanted, const char *made_up)
{
    Decompilation *all = d->all;
    const char *name =
        wanted ? names_of(all->tools->names, wanted)
               : names_of(all->tools->names,
                          arena_printf(arena_of(d), "%s%u", made_up, ++all->serial));
    while (name_table_get(&all->taken, name))
        name = names_of(all->tools->names, arena_printf(arena_of(d), "%s%u",
                                                        wanted ? wanted : made_up, ++all->serial));
    name_table_put(&all->taken, name, all);
    return name;
}

static Variable *temp_new(Decompiler *d, const char *wanted, const char *made_up)
{
    Variable *variable = arena_alloc(arena_of(d), sizeof *variable);
    variable->kind = VARIABLE_TEMP;
    variable->name = free_name(d, wanted, made_up);
    variable->scope = d->block;
    return variable;
}

/* The name of a slot that holds a value itself; NULL where it is not known, or is that of a vector,
 * which begins with a parenthesis. */
static const char *slot_name(const Decompiler *d, size_t slot)
{
    const char *name =
        d->code->temp_names && slot < d->code->temp_count ? d->code->temp_names[slot] : NULL;
    return name && *name != '(' ? name : NULL;
}

/* The name number `index` in "(a b c)", or NULL. */
static const char *remote_name(const Decompiler *d, size_t slot, size_t index)
{
    const char *names =
        d->code->temp_names && slot < d->code->temp_count ? d->code->temp_names[slot] : NULL;
    if (!names || *names != '(')
        return NULL;
    for (names++; index > 0; index--) {
        names += strcspn(names, " )");
        if (*names != ' ')
            return NULL;
        names++;
    }
    size_t length = strcspn(names, " )");
    return length ? arena_copy(arena_of(d), names, length) : NULL;
}

static Variable *slot_at(Decompiler *d, unsigned slot)
{
    if (slot < d->frame.count)
        return d->frame.items[slot];
    decompile_refuse(d, "there is no temporary of this index");
    return temp_new(d, NULL, "t");
}

static Node *temp_node(Decompiler *d, unsigned slot)
{
    return variable_node(d, slot_at(d, slot));
}

static Node *remote_node(Decompiler *d, unsigned index, unsigned slot)
{
    const Variable *vector = slot_at(d, slot);
    if (vector->is_vector && index < vector->remote_count)
        return variable_node(d, vector->remote[index]);
    decompile_refuse(d, "a temporary is used as if it held an array of variables");
    return decompile_nil(d);
}

/* A fresh array of variables, which are those of the block that is entered here. */
static void make_vector(Decompiler *d, unsigned slot, unsigned size)
{
    Variable *vector = slot_at(d, slot);
    if (vector->remote_count && vector->remote_count != size)
        decompile_refuse(d, "an array of variables changes its size");
    vector->is_vector = true;
    vector->remote_count = size;
    vector->remote = arena_alloc(arena_of(d), (size + 1) * sizeof *vector->remote);
    for (unsigned i = 0; i < size; i++) {
        vector->remote[i] = temp_new(d, remote_name(d, slot, i), "s");
        LIST_ADD(arena_of(d), d->block->temps, vector->remote[i]);
    }
}

/* --- The stack, statements --- */

void decompile_push(Decompiler *d, Node *node)
{
    LIST_ADD(arena_of(d), d->stack, node);
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
    Node **elements = arena_alloc(arena_of(d), (count + 1) * sizeof *elements);
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
            arena_grow(arena_of(d), block->statements, count * sizeof(Node *),
                       (count ? 2 * count : 1) * sizeof(Node *));
    block->statements[block->statement_count++] = node;
}

/* --- Messages --- */

static void cascade_add(Decompiler *d, Node *cascade, Node *message)
{
    NodeList list = {cascade->cascade.messages, cascade->cascade.count, cascade->cascade.count};
    LIST_ADD(arena_of(d), list, message);
    cascade->cascade.messages = list.items;
    cascade->cascade.count = list.count;
    node_adopt(cascade, message);
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
        node_adopt(cascade, top);
        top = cascade;
    }
    decompile_push(d, top);
    decompile_push(d, decompile_node(d, NODE_ERROR));
}

static void send_message(Decompiler *d, const char *selector, size_t count, bool to_super)
{
    Node **arguments = arena_alloc(arena_of(d), (count + 1) * sizeof *arguments);
    for (size_t i = count; i-- > 0;)
        arguments[i] = decompile_pop(d);
    Node *receiver = pop_any(d);
    if (to_super && !node_is_named(receiver, VARIABLE_SELF))
        decompile_refuse(d, "a message to super has another receiver");
    if (to_super)
        receiver = named_node(d, VARIABLE_SUPER, "super");
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
    const Literal *selector = literal_at(d, i->index);
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
    node->brace.elements = arena_alloc(arena_of(d), (count + 1) * sizeof(Node *));
    for (size_t i = count; i-- > 0;) {
        node->brace.elements[i] = decompile_pop(d);
        node_adopt(node, node->brace.elements[i]);
    }
    decompile_push(d, node);
}

/* --- Assignments --- */

static Node *assign(Decompiler *d, Node *target)
{
    Node *node = decompile_node(d, NODE_ASSIGN);
    node->assign.target = target;
    node->assign.value = decompile_pop(d);
    node_adopt(node, node->assign.value);
    if (target->use.variable->kind == VARIABLE_TEMP &&
        (target->use.variable->argument != ARGUMENT_NONE || target->use.variable->is_vector))
        decompile_refuse(d, "an argument is assigned to");
    return node;
}

static Node *store_target(Decompiler *d, const Instruction *i)
{
    switch (i->op) {
    case OP_STORE_RECEIVER_VARIABLE:
    case OP_POP_INTO_RECEIVER_VARIABLE: return instance_variable_node(d, i->index);
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE: return binding_node(d, i->index);
    case OP_STORE_REMOTE_TEMP:
    case OP_POP_INTO_REMOTE_TEMP: return remote_node(d, i->index, i->temp);
    default: return temp_node(d, i->index);
    }
}

/* --- Blocks --- */

static Block *block_new(Decompiler *d)
{
    Block *block = arena_alloc(arena_of(d), sizeof *block);
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
    LIST_ADD(arena_of(d), d->frame, variable);
}

/* Arguments, copied values and temporaries of a method or block that begins. */
static void frame_fill(Decompiler *d, size_t arguments, const VariableList *copied, size_t count)
{
    for (size_t i = 0; i < arguments; i++) {
        Variable *argument = temp_new(d, slot_name(d, i), "a");
        argument->argument = d->block->outer ? ARGUMENT_BLOCK : ARGUMENT_METHOD;
        LIST_ADD(arena_of(d), d->block->arguments, argument);
        frame_add(d, argument);
    }
    for (size_t i = 0; copied && i < copied->count; i++)
        frame_add(d, copied->items[i]);
    d->copied_end = d->frame.count;
    while (d->frame.count < count)
        frame_add(d, temp_new(d, slot_name(d, d->frame.count), "t"));
}

static void pop_copied(Decompiler *d, size_t count, VariableList *copied)
{
    Variable **variables = arena_alloc(arena_of(d), (count + 1) * sizeof *variables);
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
    int least = INT_MAX, *depths = arena_alloc(arena_of(d), (to - from + 1) * sizeof *depths);
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
    frame_fill(d, (size_t)i->count, &copied, fixed + temps);
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

static void decode(Decompiler *d)
{
    const CompiledCode *code = d->code;
    d->instructions = arena_alloc(arena_of(d), (code->bytecode_count + 1) * sizeof(Instruction));
    d->index_at = arena_alloc(arena_of(d), (code->bytecode_count + 1) * sizeof *d->index_at);
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
    const Literal *literal = literal_at(d, i->index);
    VariableList copied = {NULL, 0, 0};
    pop_copied(d, i->copied, &copied);
    if (literal->kind != LITERAL_CODE || i->receiver_on_stack || i->no_outer ||
        literal->code_block->set != d->code->set || ++d->all->nesting > DEEPEST) {
        decompile_refuse(d, "a closure is made in an unusual way");
        return;
    }
    Decompiler inner = {.all = d->all, .code = literal->code_block, .block = d->block};
    inner.block = block_new(&inner);
    decode(&inner);
    if (!decompile_refused(d)) {
        frame_fill(&inner, inner.code->arg_count, &copied, inner.code->temp_count);
        decompile_run(&inner, 0, inner.count);
        scope_declare(&inner);
        scope_mention(&inner, inner.block, &copied);
    }
    d->all->nesting--;
    decompile_push(d, decompile_block_node(d, inner.block));
}

/* --- Returns --- */

static void return_node(Decompiler *d, Node *value)
{
    Node *node = decompile_node(d, NODE_RETURN);
    node->value = value;
    node_adopt(node, value);
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
        make_vector(d, next->index, (unsigned)i->count);
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
    Literal *literal = arena_alloc(arena_of(d), sizeof *literal);
    literal->kind = LITERAL_CHARACTER;
    literal->code = code;
    return literal_node(d, literal);
}

static Node *pushed_node(Decompiler *d, const Instruction *i)
{
    switch (i->op) {
    case OP_PUSH_RECEIVER_VARIABLE: return instance_variable_node(d, i->index);
    case OP_PUSH_TEMP: return temp_node(d, i->index);
    case OP_PUSH_LITERAL: return literal_node(d, literal_at(d, i->index));
    case OP_PUSH_LITERAL_VARIABLE: return binding_node(d, i->index);
    case OP_PUSH_REMOTE_TEMP: return remote_node(d, i->index, i->temp);
    case OP_PUSH_RECEIVER: return named_node(d, VARIABLE_SELF, "self");
    case OP_PUSH_TRUE: return named_node(d, VARIABLE_TRUE, "true");
    case OP_PUSH_FALSE: return named_node(d, VARIABLE_FALSE, "false");
    case OP_PUSH_NIL: return decompile_nil(d);
    case OP_PUSH_INTEGER: return integer_node(d, i->value);
    case OP_PUSH_CHARACTER: return character_node(d, i->index);
    case OP_PUSH_CONTEXT: return named_node(d, VARIABLE_CONTEXT, "thisContext");
    default: return named_node(d, VARIABLE_PROCESS, "thisProcess");
    }
}

static void do_return(Decompiler *d, const Instruction *i)
{
    switch (i->op) {
    case OP_RETURN_RECEIVER: return_node(d, named_node(d, VARIABLE_SELF, "self")); break;
    case OP_RETURN_TRUE: return_node(d, named_node(d, VARIABLE_TRUE, "true")); break;
    case OP_RETURN_FALSE: return_node(d, named_node(d, VARIABLE_FALSE, "false")); break;
    case OP_RETURN_NIL: return_node(d, decompile_nil(d)); break;
    case OP_RETURN_TOP: return_node(d, decompile_pop(d)); break;
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

/* --- Methods --- */

static Pragma *add_pragma(Decompiler *d, Method *method, const char *selector, size_t count,
                          Literal **arguments)
{
    Pragma *pragmas =
        arena_alloc(arena_of(d), (method->pragma_count + 1) * sizeof *method->pragmas);
    if (method->pragma_count)
        memcpy(pragmas, method->pragmas, method->pragma_count * sizeof *pragmas);
    method->pragmas = pragmas;
    Pragma *pragma = &pragmas[method->pragma_count++];
    *pragma = (Pragma){.selector = selector, .arguments = arguments, .argument_count = count};
    return pragma;
}

static Literal *text_literal(Decompiler *d, const Literal *text)
{
    Literal *literal = arena_alloc(arena_of(d), sizeof *literal);
    *literal = *text;
    literal->kind = LITERAL_STRING;
    return literal;
}

static bool is_external_call(const Literal *literal)
{
    return literal->kind == LITERAL_ARRAY && literal->element_count == 4 &&
           literal->elements[1]->kind == LITERAL_SYMBOL &&
           (literal->elements[0]->kind == LITERAL_SYMBOL ||
            literal->elements[0]->kind == LITERAL_NIL);
}

/* The pragma of a primitive, and the error variable behind it. Answers the index of the first
 * instruction of the method's body. */
static size_t take_primitive(Decompiler *d, Method *method)
{
    enum { EXTERNAL_CALL = 117 };
    const Instruction *i = &d->instructions[0];
    Literal *number = integer_node(d, i->index)->literal;
    bool has_error = d->count > 1 && i[1].op == OP_STORE_TEMP && i[1].index + 1 == d->frame.count;
    Literal **arguments = arena_alloc(arena_of(d), 3 * sizeof *arguments);
    size_t count = 0;
    const char *selector = "primitive:";
    arguments[count++] = number;
    if (i->index == EXTERNAL_CALL && d->code->literal_count &&
        is_external_call(d->code->literals[0])) {
        const Literal *call = d->code->literals[0];
        arguments[0] = text_literal(d, call->elements[1]);
        if (call->elements[0]->kind == LITERAL_SYMBOL) {
            arguments[count++] = text_literal(d, call->elements[0]);
            selector = "primitive:module:";
        }
    } else if (i->index == EXTERNAL_CALL || i->index == 120)
        decompile_refuse(d, "a foreign call is declared in a way no pragma says");
    if (has_error) {
        Variable *error = d->frame.items[d->frame.count - 1];
        arguments[count++] = literal_of_symbol(arena_of(d), error->name);
        selector = count == 3 ? "primitive:module:error:" : "primitive:error:";
        error->argument = ARGUMENT_METHOD; /* declared by the pragma */
    }
    add_pragma(d, method, selector, count, arguments);
    return has_error ? 2 : 1;
}

/* A method that is only a quick primitive. */
static bool take_quick(Decompiler *d, unsigned primitive)
{
    int value;
    switch (quick_primitive(primitive, &value)) {
    case QUICK_NONE: return false;
    case QUICK_RECEIVER: break;
    case QUICK_TRUE: return_node(d, named_node(d, VARIABLE_TRUE, "true")); break;
    case QUICK_FALSE: return_node(d, named_node(d, VARIABLE_FALSE, "false")); break;
    case QUICK_NIL: return_node(d, decompile_nil(d)); break;
    case QUICK_INTEGER: return_node(d, integer_node(d, value)); break;
    case QUICK_VARIABLE: return_node(d, instance_variable_node(d, (unsigned)value)); break;
    }
    return true;
}

static void take_pragmas(Decompiler *d, Method *method)
{
    for (size_t i = 0; i < d->code->literal_count; i++) {
        const Literal *state = d->code->literals[i];
        if (state->kind != LITERAL_METHOD_STATE)
            continue;
        for (size_t j = 0; j < state->element_count; j++)
            add_pragma(d, method, state->elements[j]->name, state->elements[j]->element_count,
                       state->elements[j]->elements);
    }
}

/* The ^ self at the end of a method is not written. */
static void drop_last_return(Block *body)
{
    if (!body->statement_count)
        return;
    const Node *last = body->statements[body->statement_count - 1];
    if (last->kind == NODE_RETURN && node_is_named(last->value, VARIABLE_SELF))
        body->statement_count--;
}

static void decompile_body(Decompiler *d, Method *method)
{
    size_t from = 0;
    frame_fill(d, d->code->arg_count, NULL, d->code->temp_count);
    take_pragmas(d, method);
    if (d->code->has_primitive && d->count && d->instructions[0].op == OP_CALL_PRIMITIVE) {
        if (take_quick(d, d->instructions[0].index))
            return;
        from = take_primitive(d, method);
    }
    decompile_run(d, from, d->count);
    drop_last_return(method->body);
    scope_declare(d);
}

Method *decompile_method(CompileTools *tools, const CompiledCode *code,
                         const ClassScope *class_scope, unsigned ways, const char **why)
{
    Method *method = arena_alloc(tools->arena, sizeof *method);
    Decompilation all = {
        .tools = tools, .class_scope = class_scope, .method = method, .ways = ways};
    Decompiler decompiler = {.all = &all, .code = code}, *d = &decompiler;
    name_table_init(&all.taken, tools->arena);
    for (size_t i = 0; i < class_scope->instance_count; i++)
        name_table_put(&all.taken, class_scope->instance_names[i], &all);
    method->selector = names_of(tools->names, code->selector ? code->selector : "DoIt");
    method->body = d->block = arena_alloc(tools->arena, sizeof *method->body);
    method->body->actual = method->body;
    decode(d);
    if (selector_arity(method->selector) != code->arg_count)
        decompile_refuse(d, "the selector has another number of arguments");
    if (!decompile_refused(d))
        decompile_body(d, method);
    *why = all.why;
    return all.why ? NULL : method;
}
