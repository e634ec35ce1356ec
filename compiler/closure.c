/* Where temporaries live.
 *
 * Blocks that are not inlined are numbered on entry and exit, in the order of
 * the text; every reading and writing of a temporary gets the number current at
 * its place. With that:
 *
 *   - A temporary that is written outside of its own scope, or that is written
 *     after another scope has read it, is shared: it moves into an Array (its
 *     scope's vector), and blocks copy the reference to the Array.
 *   - Every other temporary is copied into the blocks that use it.
 *   - What a loop writes it writes again after everything in the loop. So once a
 *     loop has been walked, its writings are noted a second time, behind it.
 *   - Temporaries of inlined blocks move to the frame of the nearest block that
 *     is not inlined. If they can be read before they are written in a round of
 *     a loop they are set to nil first.
 *
 * This is the analysis of Squeak's compiler, so frames are laid out as there.
 */
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "scope.h"

/* An inlined block of a loop that is being walked, and what was assigned in it. */
typedef struct Loop {
    Block *block;
    VariableList written;
    struct Loop *outer;
} Loop;

typedef struct {
    Arena *arena;
    unsigned location;
    Loop *loops;
} Analysis;

static void analyse_node(Analysis *a, Node *node, Block *scope);

Variable *variable_actual(Variable *variable)
{
    while (variable->same_as)
        variable = variable->same_as;
    return variable;
}

/* --- References --- */

static void variable_note(Analysis *a, Variable *variable, Block *scope, unsigned location,
                          bool is_write)
{
    Reference *reference = arena_alloc(a->arena, sizeof *reference);
    *reference = (Reference){scope, location, is_write, variable->references};
    variable->references = reference;
    if (variable->vector)
        variable_note(a, variable->vector, scope, location, false);
}

static void note_write(Analysis *a, Variable *variable, Block *scope)
{
    variable = variable_actual(variable);
    variable_note(a, variable, scope, a->location, true);
    for (Loop *loop = a->loops; loop; loop = loop->outer) {
        if (loop->block->actual != variable->scope->actual || variable->argument == ARGUMENT_BLOCK)
            continue;
        size_t i = 0;
        while (i < loop->written.count && loop->written.items[i] != variable)
            i++;
        if (i == loop->written.count)
            LIST_ADD(a->arena, loop->written, variable);
    }
}

static void note_use(Analysis *a, Variable *variable, Block *scope)
{
    if (variable->kind == VARIABLE_TEMP)
        variable_note(a, variable_actual(variable), scope, a->location, false);
}

/* --- Lists of temporaries --- */

static bool list_remove(VariableList *list, const Variable *variable)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == variable) {
            memmove(list->items + i, list->items + i + 1,
                    (list->count - i - 1) * sizeof *list->items);
            list->count--;
            return true;
        }
    }
    return false;
}

/* Appends, but a vector that is last stays last. */
static void frame_add(Analysis *a, VariableList *list, Variable *variable)
{
    LIST_ADD(a->arena, *list, variable);
    size_t last = list->count - 1;
    if (last && list->items[last - 1]->is_vector) {
        list->items[last] = list->items[last - 1];
        list->items[last - 1] = variable;
    }
}

static bool block_contains(const Block *outer, const Block *inner)
{
    while (inner && inner != outer)
        inner = inner->outer;
    return inner != NULL;
}

/* An argument of an inlined block takes the place of an earlier one of the same name, unless one
 * of their blocks contains the other. */
static Variable *find_mergeable(const VariableList *list, const Variable *variable)
{
    if (variable->argument != ARGUMENT_BLOCK)
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        Variable *each = list->items[i];
        if (each->argument == ARGUMENT_BLOCK && each->name == variable->name &&
            !block_contains(variable->scope, each->scope) &&
            !block_contains(each->scope, variable->scope))
            return each;
    }
    return NULL;
}

static void hoist(Analysis *a, Block *actual, Variable *variable)
{
    Variable *existing = find_mergeable(&actual->temps, variable);
    if (!existing) {
        frame_add(a, &actual->temps, variable);
        return;
    }
    for (Reference *each = variable->references; each; each = each->next)
        variable_note(a, existing, each->scope, each->location, each->is_write);
    variable->same_as = existing;
}

/* --- Sharing --- */

static Variable *vector_new(Analysis *a, Block *block)
{
    Variable *vector = arena_alloc(a->arena, sizeof *vector);
    vector->kind = VARIABLE_TEMP;
    vector->name = "(shared)";
    vector->is_vector = true;
    vector->scope = block->actual;
    block->vector = vector;
    if (block->is_inlined)
        hoist(a, block->actual, vector);
    else
        LIST_ADD(a->arena, block->temps, vector);
    return vector;
}

static void move_to_vector(Analysis *a, Variable *variable)
{
    Block *block = variable->scope;
    Variable *vector = block->vector ? block->vector : vector_new(a, block);
    struct {
        Variable **items;
        size_t count, capacity;
    } remote = {vector->remote, vector->remote_count, vector->remote_count};
    LIST_ADD(a->arena, remote, variable);
    vector->remote = remote.items;
    variable->vector_index = (unsigned)vector->remote_count++;
    variable->vector = vector;
    for (Reference *each = variable->references; each; each = each->next)
        variable_note(a, vector, each->scope, each->location, false);
    if (!list_remove(&block->temps, variable))
        list_remove(&block->actual->temps, variable);
}

static bool must_share(const Variable *variable)
{
    const Block *home = variable->scope->actual;
    unsigned latest_write = 0;
    for (const Reference *each = variable->references; each; each = each->next) {
        if (!each->is_write)
            continue;
        if (each->scope->actual != home)
            return true;
        if (each->location > latest_write)
            latest_write = each->location;
    }
    for (const Reference *each = variable->references; each; each = each->next)
        if (!each->is_write && each->scope->actual != home && each->location < latest_write)
            return true;
    return false;
}

static void decide_sharing(Analysis *a, Variable *variable)
{
    if (variable->argument == ARGUMENT_NONE && !variable->vector && !variable->is_vector &&
        must_share(variable))
        move_to_vector(a, variable);
}

/* --- Which temporaries of an inlined block may be read before they are written --- */

typedef struct {
    const VariableList *temps; /* up to 64 of them: one bit each */
    uint64_t written;
    uint64_t read_first;
} Flow;

static void flow_node(Flow *f, const Node *node);

static uint64_t flow_bit(const Flow *f, const Variable *variable)
{
    for (size_t i = 0; i < f->temps->count && i < 64; i++)
        if (f->temps->items[i] == variable)
            return UINT64_C(1) << i;
    return 0;
}

static void flow_nodes(Flow *f, Node *const *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        flow_node(f, nodes[i]);
}

/* What is written in a block that may not run does not count behind it. */
static void flow_block(Flow *f, const Block *block)
{
    uint64_t written = f->written;
    flow_nodes(f, block->statements, block->statement_count);
    f->written = written;
}

/* What is written in both arms is written. */
static void flow_arms(Flow *f, const Send *send)
{
    uint64_t before = f->written, after[2];
    for (int i = 0; i < 2; i++) {
        f->written = before;
        if (send->arms[i])
            flow_nodes(f, send->arms[i]->block->statements, send->arms[i]->block->statement_count);
        after[i] = f->written;
    }
    f->written = after[0] & after[1];
}

static void flow_send(Flow *f, const Send *send)
{
    if (send->receiver)
        flow_node(f, send->receiver);
    if (send->inlined == INLINE_IF || send->inlined == INLINE_NIL_TEST)
        flow_arms(f, send);
    else
        flow_nodes(f, send->arguments, send->argument_count);
}

static void flow_node(Flow *f, const Node *node)
{
    switch (node->kind) {
    case NODE_VARIABLE: f->read_first |= flow_bit(f, node->use.variable) & ~f->written; break;
    case NODE_ASSIGN:
        flow_node(f, node->assign.value);
        f->written |= flow_bit(f, node->assign.target->use.variable);
        break;
    case NODE_SEND: flow_send(f, &node->send); break;
    case NODE_CASCADE:
        flow_node(f, node->cascade.receiver);
        flow_nodes(f, node->cascade.messages, node->cascade.count);
        break;
    case NODE_BLOCK: flow_block(f, node->block); break;
    case NODE_BRACE: flow_nodes(f, node->brace.elements, node->brace.count); break;
    case NODE_RETURN: flow_node(f, node->value); break;
    default: break;
    }
}

static void find_temps_to_nil(Analysis *a, Block *block)
{
    Flow flow = {.temps = &block->declared};
    flow_nodes(&flow, block->statements, block->statement_count);
    for (size_t i = 0; i < block->declared.count; i++)
        if (i >= 64 || (flow.read_first >> i & 1))
            LIST_ADD(a->arena, block->to_nil, block->declared.items[i]);
}

/* --- The walk --- */

static void analyse_nodes(Analysis *a, Node **nodes, size_t count, Block *scope)
{
    for (size_t i = 0; i < count; i++)
        analyse_node(a, nodes[i], scope);
}

/* Behind the statements of a block: decide on its temporaries, and hoist those of inlined ones. */
static void finish_block(Analysis *a, Block *block)
{
    VariableList own = {NULL, 0, 0};
    for (size_t i = 0; i < block->temps.count; i++)
        LIST_ADD(a->arena, own, block->temps.items[i]);
    for (size_t i = 0; i < own.count; i++)
        decide_sharing(a, own.items[i]);
    if (!block->is_inlined)
        return;
    for (size_t i = 0; i < block->arguments.count; i++)
        hoist(a, block->actual, block->arguments.items[i]);
    for (size_t i = 0; i < block->temps.count; i++)
        hoist(a, block->actual, block->temps.items[i]);
    block->temps.count = 0;
}

static void analyse_block(Analysis *a, Block *block, Block *scope)
{
    /* Lists of declarations are kept as they were written; frames are made from copies. */
    block->temps = (VariableList){NULL, 0, 0};
    for (size_t i = 0; i < block->declared.count; i++)
        LIST_ADD(a->arena, block->temps, block->declared.items[i]);
    block->actual = block->is_inlined ? scope : block;
    if (!block->is_inlined) {
        block->first = a->location + 1;
        a->location += 2;
    }
    analyse_nodes(a, block->statements, block->statement_count, block->actual);
    if (block->is_inlined && block->in_loop)
        find_temps_to_nil(a, block);
    if (!block->is_inlined) {
        block->last = a->location + 1;
        a->location += 2;
    }
    finish_block(a, block);
}

/* One of the blocks of an inlined message. */
static void analyse_arm(Analysis *a, Node *node, Block *scope, bool in_loop)
{
    if (!node)
        return;
    const Block *outer = node->block->outer;
    node->block->in_loop = in_loop || (outer->is_inlined && outer->in_loop);
    analyse_block(a, node->block, scope);
}

static void loop_enter(Analysis *a, Loop *loop, Block *block, Block *scope)
{
    *loop = (Loop){block, {NULL, 0, 0}, a->loops};
    block->actual = scope;
    a->loops = loop;
}

static int declared_earlier(const void *a, const void *b)
{
    const Variable *x = *(Variable *const *)a, *y = *(Variable *const *)b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* The writings of the loop happen again behind it. */
static void loop_leave(Analysis *a, Loop *loop)
{
    a->loops = loop->outer;
    if (loop->written.count)
        qsort(loop->written.items, loop->written.count, sizeof *loop->written.items,
              declared_earlier);
    for (size_t i = 0; i < loop->written.count; i++)
        variable_note(a, loop->written.items[i], loop->block, a->location, true);
    for (size_t i = 0; i < loop->written.count; i++)
        decide_sharing(a, loop->written.items[i]);
}

static void analyse_while(Analysis *a, Node *node, Block *scope)
{
    Loop condition, body;
    Send *send = &node->send;
    loop_enter(a, &condition, send->receiver->block, scope);
    if (send->arms[0])
        loop_enter(a, &body, send->arms[0]->block, scope);
    analyse_arm(a, send->receiver, scope, true);
    analyse_arm(a, send->arms[0], scope, true);
    if (send->arms[0])
        loop_leave(a, &body);
    loop_leave(a, &condition);
}

static void analyse_repeat(Analysis *a, Node *node, Block *scope)
{
    Loop body;
    loop_enter(a, &body, node->send.receiver->block, scope);
    analyse_arm(a, node->send.receiver, scope, true);
    loop_leave(a, &body);
}

static void analyse_to_do(Analysis *a, Node *node, Block *scope)
{
    Send *send = &node->send;
    Loop body;
    loop_enter(a, &body, send->arms[0]->block, scope);
    analyse_node(a, send->receiver, scope);
    analyse_node(a, send->arguments[0], scope);
    note_write(a, send->bound, scope);
    if (send->limit)
        note_write(a, send->limit, scope);
    analyse_arm(a, send->arms[0], scope, true);
    note_use(a, send->bound, scope);
    note_write(a, send->bound, scope);
    if (send->limit)
        note_use(a, send->limit, scope);
    else
        analyse_node(a, send->arguments[0], scope);
    loop_leave(a, &body);
}

static void analyse_case(Analysis *a, Node *node, Block *scope)
{
    const Node *cases = node->send.arguments[0];
    analyse_node(a, node->send.receiver, scope);
    for (size_t i = 0; i < cases->brace.count; i++) {
        analyse_arm(a, cases->brace.elements[i]->send.receiver, scope, false);
        analyse_arm(a, cases->brace.elements[i]->send.arguments[0], scope, false);
    }
    analyse_arm(a, node->send.arms[0], scope, false);
}

static void analyse_send(Analysis *a, Node *node, Block *scope)
{
    Send *send = &node->send;
    switch (send->inlined) {
    case INLINE_WHILE: analyse_while(a, node, scope); break;
    case INLINE_REPEAT: analyse_repeat(a, node, scope); break;
    case INLINE_TO_DO: analyse_to_do(a, node, scope); break;
    case INLINE_CASE: analyse_case(a, node, scope); break;
    case INLINE_IF:
    case INLINE_IF_NIL:
    case INLINE_NIL_TEST:
        analyse_node(a, send->receiver, scope);
        if (send->bound)
            note_write(a, send->bound, scope);
        for (int i = 0; i < 2; i++)
            analyse_arm(a, send->arms[i], scope, false);
        break;
    case INLINE_NONE:
        if (send->receiver)
            analyse_node(a, send->receiver, scope);
        analyse_nodes(a, send->arguments, send->argument_count, scope);
        break;
    }
}

static void analyse_node(Analysis *a, Node *node, Block *scope)
{
    switch (node->kind) {
    case NODE_VARIABLE: note_use(a, node->use.variable, scope); break;
    case NODE_ASSIGN:
        analyse_node(a, node->assign.value, scope);
        if (node->assign.target->use.variable->kind == VARIABLE_TEMP)
            note_write(a, node->assign.target->use.variable, scope);
        break;
    case NODE_SEND: analyse_send(a, node, scope); break;
    case NODE_CASCADE:
        analyse_node(a, node->cascade.receiver, scope);
        analyse_nodes(a, node->cascade.messages, node->cascade.count, scope);
        break;
    case NODE_BLOCK: analyse_block(a, node->block, scope); break;
    case NODE_BRACE: analyse_nodes(a, node->brace.elements, node->brace.count, scope); break;
    case NODE_RETURN: analyse_node(a, node->value, scope); break;
    default: break;
    }
}

void closure_analyse(CompileTools *tools, Method *method)
{
    Analysis analysis = {tools->arena, 0, NULL};
    Variable *error = method->error_variable;
    if (error) /* set by the VM on entry */
        variable_note(&analysis, error, method->body, 0, true);
    analyse_block(&analysis, method->body, method->body);
    if (!error)
        return;
    if (must_share(error))
        diagnostics_error(
            tools->diagnostics, method->source, error->start, error->end,
            "the error variable '%s' is shared with a block that assigns to it: use another one",
            error->name);
    LIST_ADD(tools->arena, method->body->temps, error); /* the VM wants it to be the last */
}

/* --- Copied values --- */

static bool referenced_within(const Variable *variable, const Block *block)
{
    for (const Reference *each = variable->references; each; each = each->next)
        if (each->location >= block->first && each->location <= block->last)
            return true;
    return false;
}

void closure_copied_values(Arena *arena, const Block *block, const VariableList *frame,
                           VariableList *copied)
{
    for (size_t i = 0; i < frame->count; i++)
        if (referenced_within(frame->items[i], block))
            LIST_ADD(arena, *copied, frame->items[i]);
}
