/* Code is generated in pieces: the arms of a condition, the body of a loop. Each
 * is complete before the jump over it is written, so jumps have their shortest
 * form at once. Pieces are made in the order in which Squeak's compiler measures
 * them, because that is the order in which it hands out literal slots: the
 * selector of a message before its receiver, the false arm before the true one, a
 * loop's body before its condition.
 */
#include "codegen_int.h"

#include <string.h>

#include "kernel/bytecode/opcodes.h"
#include "list.h"
#include "number.h"
#include "pragma.h"

enum {
    SMALL_FRAME = 16, /* slots of a context without the large frame flag */
    LARGE_FRAME = 56,
    MAXIMAL_TEMPS = 63,    /* what a method header can say */
    QUICK_SELF = 256,      /* quick primitives: self, true, false, nil, -1, 0, 1, 2 */
    QUICK_CONSTANT_MINUS_1 = 260,
    QUICK_FIELD = 264,
};

static void gen_return(Generator *g, Node *node);

/* --- Stack depth and pieces --- */

void gen_pushed(Generator *g)
{
    if (++g->depth > g->deepest)
        g->deepest = g->depth;
}

void gen_popped(Generator *g, unsigned count)
{
    g->depth -= count;
}

/* Directs code into `piece`; answers where it went before. */
Code *gen_piece_begin(Generator *g, Code *piece)
{
    Code *outer = g->encoder.code;
    memset(piece, 0, sizeof *piece);
    g->encoder.code = piece;
    return outer;
}

void gen_piece_end(Generator *g, Code *outer)
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

void gen_variable(Generator *g, Variable *variable)
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
    gen_pushed(g);
}

/* Stores the top of the stack; the depth follows. */
void gen_store(Generator *g, Variable *variable, StoreMode mode)
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
        gen_popped(g, 1);
}

void gen_literal(Generator *g, Literal *literal)
{
    if (!encode_push_literal_inline(&g->encoder, literal))
        encode_push_literal(&g->encoder, slots_literal(g->slots, literal));
    gen_pushed(g);
}

void gen_nil(Generator *g)
{
    encode_push_special(&g->encoder, SPECIAL_NIL);
    gen_pushed(g);
}

static void gen_assignment(Generator *g, Node *node, StoreMode mode)
{
    Variable *variable = node->assign.target->use.variable;
    if (variable->kind == VARIABLE_LITERAL)
        slots_variable(g->slots, variable->name);
    gen_value(g, node->assign.value);
    gen_store(g, variable, mode);
}

/* --- Messages --- */

void gen_place(Generator *g, const Send *send)
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
        gen_pushed(g);
    }
    gen_place(g, send);
    if (directed) {
        encode_send_directed_super(e, index, count);
        gen_popped(g, 1);
    } else if (send->to_super) {
        encode_send_super(e, index, count);
    } else if (special >= 0) {
        encode_send_special(e, (unsigned)special);
    } else {
        encode_send(e, index, count);
    }
    gen_popped(g, count);
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
        gen_popped(g, 1);
    }
}

static void gen_cascade(Generator *g, Node *node)
{
    gen_value(g, node->cascade.receiver);
    for (size_t i = 0; i < node->cascade.count; i++) {
        bool last = i + 1 == node->cascade.count;
        if (!last) {
            encode_duplicate(&g->encoder);
            gen_pushed(g);
        }
        gen_plain_send(g, &node->cascade.messages[i]->send);
        if (!last) {
            encode_pop(&g->encoder);
            gen_popped(g, 1);
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
    gen_pushed(g);
    gen_literal(g, size);
    encode_send_special(e, (unsigned)special_selector_find("new:"));
    gen_popped(g, 1);
    for (size_t i = 0; i < node->brace.count; i++) {
        Literal *index = arena_alloc(g->tools->arena, sizeof *index);
        literal_set_integer(g->tools->arena, index, (int64_t)i + 1);
        encode_duplicate(e);
        gen_pushed(g);
        gen_literal(g, index);
        gen_value(g, node->brace.elements[i]);
        encode_send_special(e, (unsigned)special_selector_find("at:put:"));
        encode_pop(e);
        gen_popped(g, 3);
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
    gen_popped(g, (unsigned)node->brace.count);
    gen_pushed(g);
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
    const Node *last = gen_block_last(block);
    if (g->in_full_block && (!last || gen_node_is_nil(last))) {
        gen_all_but_last(g, block);
        encode_block_return_nil(&g->encoder);
        return;
    }
    gen_block_value(g, block);
    gen_popped(g, 1);
    if (!gen_block_returns(block))
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
    Code *outer = gen_piece_begin(g, body);
    frame_of_block(g, block, copied, &frame);
    g->frame = &frame;
    g->depth = (unsigned)(block->arguments.count + copied->count);
    for (size_t i = 0; i < block->temps.count; i++)
        gen_nil(g);
    if (g->depth > g->deepest)
        g->deepest = g->depth;
    gen_block_end(g, block);
    gen_piece_end(g, outer);
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
        gen_pushed(g);
    }
    if (g->encoder.set == SET_SISTA) {
        encode_push_full_closure(&g->encoder, index, (unsigned)copied.count);
    } else {
        encode_push_closure(&g->encoder, (unsigned)block->arguments.count, (unsigned)copied.count,
                            body.count);
        encode_bytes(&g->encoder, &body);
    }
    gen_popped(g, (unsigned)copied.count);
    gen_pushed(g);
}

/* --- Nodes --- */

void gen_value(Generator *g, Node *node)
{
    switch (node->kind) {
    case NODE_ERROR: gen_pushed(g); break;
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

void gen_effect(Generator *g, Node *node)
{
    switch (node->kind) {
    case NODE_LITERAL:
    case NODE_VARIABLE: break;
    case NODE_ASSIGN: gen_assignment(g, node, STORE_POP); break;
    case NODE_SEND: gen_send(g, &node->send, false); break;
    default:
        gen_value(g, node);
        encode_pop(&g->encoder);
        gen_popped(g, 1);
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
        gen_pushed(g);
        return;
    }
    gen_value(g, node->value);
    if (!gen_is_returning_if(node->value))
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
        gen_popped(g, 1);
        if (!gen_block_returns(body))
            encode_return_top(&g->encoder);
    } else if (gen_block_returns(body)) {
        gen_block_value(g, body);
        gen_popped(g, 1);
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
