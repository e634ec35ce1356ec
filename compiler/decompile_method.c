/* What surrounds the instructions of a method: primitives, pragmas, its pattern. */
#include "decompile_int.h"

#include <stdlib.h>
#include <string.h>

#include "literals.h"
#include "number.h"

/* --- Methods --- */

static Pragma *add_pragma(Decompiler *d, Method *method, const char *selector, size_t count,
                          Literal **arguments)
{
    Pragma *pragmas =
        arena_alloc(decompile_arena(d), (method->pragma_count + 1) * sizeof *method->pragmas);
    if (method->pragma_count)
        memcpy(pragmas, method->pragmas, method->pragma_count * sizeof *pragmas);
    method->pragmas = pragmas;
    Pragma *pragma = &pragmas[method->pragma_count++];
    *pragma = (Pragma){.selector = selector, .arguments = arguments, .argument_count = count};
    return pragma;
}

static Literal *text_literal(Decompiler *d, const Literal *text)
{
    Literal *literal = arena_alloc(decompile_arena(d), sizeof *literal);
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
    enum { EXTERNAL_CALL = 117, FOREIGN_CALL = 120 };
    const Instruction *i = &d->instructions[0];
    Literal *number = decompile_integer_node(d, i->index)->literal;
    bool has_error = d->count > 1 && i[1].op == OP_STORE_TEMP && i[1].index + 1 == d->frame.count;
    Literal **arguments = arena_alloc(decompile_arena(d), 3 * sizeof *arguments);
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
    } else if (i->index == FOREIGN_CALL && d->code->literal_count &&
               d->code->literals[0]->kind == LITERAL_FUNCTION) {
        int64_t flags = 0;
        arguments[0] = d->code->literals[0];
        literal_get_integer(arguments[0]->elements[0], &flags);
        selector = flags & 1 ? "apicall:" : "cdecl:";
    } else if (i->index == EXTERNAL_CALL || i->index == FOREIGN_CALL)
        decompile_refuse(d, "a foreign call is declared in a way no pragma says");
    if (has_error) {
        Variable *error = d->frame.items[d->frame.count - 1];
        arguments[count++] = literal_of_symbol(decompile_arena(d), error->name);
        selector = count == 3             ? "primitive:module:error:"
                   : selector[0] == 'c' ? "cdecl:error:"
                   : selector[0] == 'a' ? "apicall:error:"
                                        : "primitive:error:";
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
    case QUICK_TRUE:
        decompile_return_node(d, decompile_named_node(d, VARIABLE_TRUE, "true"));
        break;
    case QUICK_FALSE:
        decompile_return_node(d, decompile_named_node(d, VARIABLE_FALSE, "false"));
        break;
    case QUICK_NIL: decompile_return_node(d, decompile_nil(d)); break;
    case QUICK_INTEGER: decompile_return_node(d, decompile_integer_node(d, value)); break;
    case QUICK_VARIABLE:
        decompile_return_node(d, decompile_instance_variable_node(d, (unsigned)value));
        break;
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
    decompile_frame_fill(d, d->code->arg_count, NULL, d->code->temp_count);
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
    decompile_decode(d);
    if (selector_arity(method->selector) != code->arg_count)
        decompile_refuse(d, "the selector has another number of arguments");
    if (!decompile_refused(d))
        decompile_body(d, method);
    *why = all.why;
    return all.why ? NULL : method;
}
