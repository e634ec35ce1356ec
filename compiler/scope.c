#include "scope.h"

#include <string.h>

#include "list.h"

typedef struct {
    CompileTools *tools;
    Method *method;
    const ClassScope *class_scope;
    Block *block;        /* the innermost one */
    VariableList others; /* variables that are no temporaries, one each */
} Resolver;

static void resolve_node(Resolver *r, Node *node);

static Variable *variable_make(Resolver *r, VariableKind kind, const char *name)
{
    for (size_t i = 0; i < r->others.count; i++)
        if (r->others.items[i]->name == name)
            return r->others.items[i];
    Variable *variable = arena_alloc(r->tools->arena, sizeof *variable);
    variable->kind = kind;
    variable->name = name;
    LIST_ADD(r->tools->arena, r->others, variable);
    return variable;
}

static bool pseudo_variable_kind(const char *name, VariableKind *kind)
{
    static const struct {
        const char *name;
        VariableKind kind;
    } pseudo[] = {
        {"self", VARIABLE_SELF},
        {"super", VARIABLE_SUPER},
        {"nil", VARIABLE_NIL},
        {"true", VARIABLE_TRUE},
        {"false", VARIABLE_FALSE},
        {"thisContext", VARIABLE_CONTEXT},
        {"thisProcess", VARIABLE_PROCESS},
    };
    for (size_t i = 0; i < sizeof pseudo / sizeof pseudo[0]; i++)
        if (strcmp(name, pseudo[i].name) == 0) {
            *kind = pseudo[i].kind;
            return true;
        }
    return false;
}

static Variable *list_find(const VariableList *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->name == name)
            return list->items[i];
    return NULL;
}

static Variable *find_temp(const Resolver *r, const Block *block, const char *name)
{
    for (; block; block = block->outer) {
        Variable *found = list_find(&block->temps, name);
        if (!found)
            found = list_find(&block->arguments, name);
        if (found)
            return found;
    }
    Variable *error = r->method->error_variable;
    return error && error->name == name ? error : NULL;
}

/* The index of an instance variable, or -1. */
static int find_instance_variable(const Resolver *r, const char *name)
{
    for (size_t i = r->class_scope->instance_count; i-- > 0;)
        if (r->class_scope->instance_names[i] == name)
            return (int)i;
    return -1;
}

static void resolver_error(Resolver *r, size_t start, size_t end, const char *format,
                           const char *name)
{
    diagnostics_error(r->tools->diagnostics, r->method->source, start, end, "%s",
                      arena_printf(r->tools->arena, format, name));
}

static Variable *resolve_literal_variable(Resolver *r, const Node *node, const char *name)
{
    bool known = list_find(&r->others, name) != NULL;
    const ClassScope *scope = r->class_scope;
    if (!known && !(scope->has_binding && scope->has_binding(scope->owner, name)))
        diagnostics_warn(r->tools->diagnostics, WARN_UNDECLARED, r->method->source, node->start,
                         node->end, "'%s' is not declared: it will be nil", name);
    Variable *variable = variable_make(r, VARIABLE_LITERAL, name);
    if (!known) {
        variable->start = node->start;
        variable->end = node->end;
        LIST_ADD(r->tools->arena, r->method->bindings, variable);
    }
    return variable;
}

static bool is_outer_name(const Resolver *r, const char *name)
{
    size_t i = 0;
    while (i < r->class_scope->outer_count && r->class_scope->outer_names[i] != name)
        i++;
    return i < r->class_scope->outer_count;
}

static Variable *resolve_name(Resolver *r, const Node *node)
{
    const char *name = node->use.name;
    VariableKind kind;
    Variable *temp = find_temp(r, r->block, name);
    if (temp)
        return temp;
    if (is_outer_name(r, name))
        return resolve_literal_variable(r, node, name);
    int index = find_instance_variable(r, name);
    if (index >= 0) {
        Variable *variable = variable_make(r, VARIABLE_INSTANCE, name);
        variable->index = (unsigned)index;
        variable->maybe_context = r->class_scope->maybe_context;
        return variable;
    }
    if (pseudo_variable_kind(name, &kind))
        return variable_make(r, kind, name);
    return resolve_literal_variable(r, node, name);
}

/* --- Declarations --- */

static void check_declaration(Resolver *r, const Variable *variable)
{
    VariableKind kind;
    if (pseudo_variable_kind(variable->name, &kind))
        resolver_error(r, variable->start, variable->end, "'%s' is a reserved word",
                       variable->name);
    else if (find_temp(r, r->block->outer, variable->name) ||
             find_instance_variable(r, variable->name) >= 0)
        diagnostics_warn(r->tools->diagnostics, WARN_SHADOWED, r->method->source, variable->start,
                         variable->end, "'%s' hides another variable of this name", variable->name);
}

static void check_declarations(Resolver *r, const Block *block)
{
    for (size_t i = 0; i < block->arguments.count + block->temps.count; i++) {
        size_t arguments = block->arguments.count;
        Variable *variable =
            i < arguments ? block->arguments.items[i] : block->temps.items[i - arguments];
        Variable *first = list_find(&block->arguments, variable->name);
        if (!first)
            first = list_find(&block->temps, variable->name);
        if (first != variable)
            resolver_error(r, variable->start, variable->end, "'%s' is declared twice here",
                           variable->name);
        else
            check_declaration(r, variable);
    }
}

static void warn_unused(Resolver *r, const Block *block)
{
    for (size_t i = 0; i < block->temps.count; i++) {
        const Variable *variable = block->temps.items[i];
        if (!variable->is_read)
            diagnostics_warn(r->tools->diagnostics, WARN_UNUSED, r->method->source, variable->start,
                             variable->end,
                             variable->is_written ? "'%s' is assigned but never read"
                                                  : "'%s' is never used",
                             variable->name);
    }
}

/* --- The walk --- */

static void resolve_block(Resolver *r, Block *block)
{
    Block *outer = r->block;
    enum { MAXIMAL_TEMPS = 63 };
    r->block = block;
    for (size_t i = 0; i < block->temps.count; i++)
        block->temps.items[i]->scope = block;
    for (size_t i = 0; i < block->arguments.count; i++)
        block->arguments.items[i]->scope = block;
    block->declared = block->temps;
    check_declarations(r, block);
    if (block->outer && block->arguments.count > 15)
        resolver_error(r, block->arguments.items[15]->start, block->arguments.items[15]->end,
                       "a block cannot have more than 15 arguments", "");
    if (block->temps.count > MAXIMAL_TEMPS)
        resolver_error(r, block->temps.items[MAXIMAL_TEMPS]->start,
                       block->temps.items[MAXIMAL_TEMPS]->end,
                       "there are more than 63 temporaries here", "");
    for (size_t i = 0; i < block->statement_count; i++)
        resolve_node(r, block->statements[i]);
    warn_unused(r, block);
    r->block = outer;
}

static void resolve_assignment(Resolver *r, Node *node)
{
    Node *target = node->assign.target;
    resolve_node(r, node->assign.value);
    Variable *variable = target->use.variable = resolve_name(r, target);
    variable->is_written = true;
    if (variable->kind == VARIABLE_TEMP && variable->argument != ARGUMENT_NONE)
        resolver_error(r, target->start, target->end, "cannot store into '%s': it is an argument",
                       variable->name);
    else if (variable->kind < VARIABLE_TEMP)
        resolver_error(r, target->start, target->end, "cannot store into '%s'", variable->name);
}

static void resolve_use(Resolver *r, Node *node)
{
    node->use.variable = resolve_name(r, node);
    node->use.variable->is_read = true;
}

static void resolve_nodes(Resolver *r, Node **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        resolve_node(r, nodes[i]);
}

static void resolve_node(Resolver *r, Node *node)
{
    switch (node->kind) {
    case NODE_ERROR:
    case NODE_LITERAL: break;
    case NODE_VARIABLE: resolve_use(r, node); break;
    case NODE_ASSIGN: resolve_assignment(r, node); break;
    case NODE_SEND:
        if (node->send.receiver)
            resolve_node(r, node->send.receiver);
        resolve_nodes(r, node->send.arguments, node->send.argument_count);
        break;
    case NODE_CASCADE:
        resolve_node(r, node->cascade.receiver);
        resolve_nodes(r, node->cascade.messages, node->cascade.count);
        break;
    case NODE_BLOCK: resolve_block(r, node->block); break;
    case NODE_BRACE:
        if (node->brace.count > LONGEST_PUSHED_BRACE)
            resolve_literal_variable(r, node, names_of(r->tools->names, "Array"));
        resolve_nodes(r, node->brace.elements, node->brace.count);
        break;
    case NODE_RETURN: resolve_node(r, node->value); break;
    }
}

void scope_resolve(CompileTools *tools, Method *method, const ClassScope *class_scope)
{
    Resolver resolver = {.tools = tools, .method = method, .class_scope = class_scope};
    resolve_block(&resolver, method->body);
}
