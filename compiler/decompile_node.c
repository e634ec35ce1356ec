/* Nodes of the tree that is made, and the variables they name. */
#include <string.h>

#include "decompile_int.h"
#include "number.h"

/* --- Nodes --- */

Arena *decompile_arena(const Decompiler *d)
{
    return d->all->tools->arena;
}

Node *decompile_node(Decompiler *d, NodeKind kind)
{
    Node *node = arena_alloc(decompile_arena(d), sizeof *node);
    node->kind = kind;
    node->depth = 1;
    return node;
}

void decompile_node_adopt(Node *node, const Node *child)
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
    node->send.arguments = arena_alloc(decompile_arena(d), (count + 1) * sizeof(Node *));
    decompile_node_adopt(node, receiver);
    for (size_t i = 0; i < count; i++) {
        node->send.arguments[i] = arguments[i];
        decompile_node_adopt(node, arguments[i]);
    }
    return node;
}

Node *decompile_block_node(Decompiler *d, Block *block)
{
    Node *node = decompile_node(d, NODE_BLOCK);
    node->block = block;
    block->node = node;
    for (size_t i = 0; i < block->statement_count; i++)
        decompile_node_adopt(node, block->statements[i]);
    return node;
}

static Node *variable_node(Decompiler *d, Variable *variable)
{
    Node *node = decompile_node(d, NODE_VARIABLE);
    node->use.name = variable->name;
    node->use.variable = variable;
    return node;
}

Node *decompile_named_node(Decompiler *d, VariableKind kind, const char *name)
{
    Variable *variable = arena_alloc(decompile_arena(d), sizeof *variable);
    variable->kind = kind;
    variable->name = names_of(d->all->tools->names, name);
    return variable_node(d, variable);
}

Node *decompile_nil(Decompiler *d)
{
    return decompile_named_node(d, VARIABLE_NIL, "nil");
}

bool node_is_named(const Node *node, VariableKind kind)
{
    return node->kind == NODE_VARIABLE && node->use.variable->kind == kind;
}

Node *decompile_literal_node(Decompiler *d, Literal *literal)
{
    Node *node = decompile_node(d, NODE_LITERAL);
    node->literal = literal;
    if (literal->kind == LITERAL_CODE || literal->kind >= LITERAL_OUTER_CODE)
        decompile_refuse(d, "code or method state is pushed as a literal");
    return node;
}

Node *decompile_integer_node(Decompiler *d, int64_t value)
{
    Literal *literal = arena_alloc(decompile_arena(d), sizeof *literal);
    literal_set_integer(decompile_arena(d), literal, value);
    return decompile_literal_node(d, literal);
}

Node *decompile_instance_variable_node(Decompiler *d, unsigned index)
{
    const ClassScope *scope = d->all->class_scope;
    if (index < scope->instance_count)
        return decompile_named_node(d, VARIABLE_INSTANCE, scope->instance_names[index]);
    decompile_refuse(d, "the class has no instance variable of this index");
    return decompile_nil(d);
}

Literal *decompile_literal_at(Decompiler *d, unsigned index)
{
    if (index < d->code->literal_count)
        return d->code->literals[index];
    decompile_refuse(d, "there is no literal of this index");
    return arena_alloc(decompile_arena(d), sizeof(Literal));
}

Node *decompile_binding_node(Decompiler *d, unsigned index)
{
    const Literal *literal = decompile_literal_at(d, index);
    if (literal->kind == LITERAL_METHOD_CLASS)
        return decompile_named_node(d, VARIABLE_LITERAL, d->all->class_scope->class_name);
    if (literal->kind == LITERAL_VARIABLE && literal->name)
        return decompile_named_node(d, VARIABLE_LITERAL, literal->name);
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
                          arena_printf(decompile_arena(d), "%s%u", made_up, ++all->serial));
    while (name_table_get(&all->taken, name))
        name = names_of(all->tools->names, arena_printf(decompile_arena(d), "%s%u",
                                                        wanted ? wanted : made_up, ++all->serial));
    name_table_put(&all->taken, name, all);
    return name;
}

Variable *decompile_temp_new(Decompiler *d, const char *wanted, const char *made_up)
{
    Variable *variable = arena_alloc(decompile_arena(d), sizeof *variable);
    variable->kind = VARIABLE_TEMP;
    variable->name = free_name(d, wanted, made_up);
    variable->scope = d->block;
    return variable;
}

/* The name of a slot that holds a value itself; NULL where it is not known, or is that of a vector,
 * which begins with a parenthesis. */
const char *decompile_slot_name(const Decompiler *d, size_t slot)
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
    return length ? arena_copy(decompile_arena(d), names, length) : NULL;
}

static Variable *slot_at(Decompiler *d, unsigned slot)
{
    if (slot < d->frame.count)
        return d->frame.items[slot];
    decompile_refuse(d, "there is no temporary of this index");
    return decompile_temp_new(d, NULL, "t");
}

Node *decompile_temp_node(Decompiler *d, unsigned slot)
{
    return variable_node(d, slot_at(d, slot));
}

Node *decompile_remote_node(Decompiler *d, unsigned index, unsigned slot)
{
    const Variable *vector = slot_at(d, slot);
    if (vector->is_vector && index < vector->remote_count)
        return variable_node(d, vector->remote[index]);
    decompile_refuse(d, "a temporary is used as if it held an array of variables");
    return decompile_nil(d);
}

/* A fresh array of variables, which are those of the block that is entered here. */
void decompile_make_vector(Decompiler *d, unsigned slot, unsigned size)
{
    Variable *vector = slot_at(d, slot);
    if (vector->remote_count && vector->remote_count != size)
        decompile_refuse(d, "an array of variables changes its size");
    vector->is_vector = true;
    vector->remote_count = size;
    vector->remote = arena_alloc(decompile_arena(d), (size + 1) * sizeof *vector->remote);
    for (unsigned i = 0; i < size; i++) {
        vector->remote[i] = decompile_temp_new(d, remote_name(d, slot, i), "s");
        LIST_ADD(decompile_arena(d), d->block->temps, vector->remote[i]);
    }
}

