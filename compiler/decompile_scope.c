/* Where temporaries are declared.
 *
 * In a frame, the variables a method or block declares itself come first; those of
 * inlined blocks follow in the order in which these blocks end. So a suffix of the
 * slots can be given to inlined blocks: counters of to:do: to the body of the loop,
 * others to the innermost inlined block that has all their uses, as long as the
 * compiler would lay them out in the same order again. All others are declared at
 * the top, and a loop whose counter is one of them is written as whileTrue:.
 */
#include <string.h>

#include "decompile_int.h"

/* What is known of one slot. */
typedef struct {
    Variable *variable;
    Block *home;       /* the innermost inlined block that contains all uses; NULL: not used yet */
    Block *bound_by;   /* the last inlined block it is an argument or counter of; around a limit */
    unsigned as_bound; /* uses as counter, limit or argument of an inlined block */
    unsigned as_other; /* uses beyond that block */
    size_t order;      /* in which its block ends; counted from 1; 0: not in one */
} Slot;

typedef struct {
    Decompiler *d;
    Block *actual;
    Slot *slots;
    size_t count;
    size_t order;
    size_t first_inlined; /* this slot and all above belong to inlined blocks */
} Scoping;

static Slot *slot_of(const Scoping *s, const Variable *variable)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->slots[i].variable == variable)
            return &s->slots[i];
    return NULL;
}

/* --- Uses --- */

static bool contains(const Block *outer, const Block *inner)
{
    while (inner && inner != outer)
        inner = inner->outer;
    return inner != NULL;
}

static void note_use(Scoping *s, const Variable *variable, Block *block)
{
    Slot *slot = slot_of(s, variable);
    if (!slot)
        return;
    while (block->actual != s->actual)
        block = block->outer;
    if (!slot->home)
        slot->home = block;
    while (!contains(slot->home, block))
        slot->home = slot->home->outer;
}

typedef void (*Visit)(Scoping *s, Node *node, Block *block);

static void each_node(Scoping *s, Node *node, Block *block, Visit visit);

static void each_in_block(Scoping *s, Block *block, Visit visit)
{
    for (size_t i = 0; i < block->statement_count; i++)
        each_node(s, block->statements[i], block, visit);
}

static void each_in_list(Scoping *s, Node *const *nodes, size_t count, Block *block, Visit visit)
{
    for (size_t i = 0; i < count; i++)
        each_node(s, nodes[i], block, visit);
}

/* Visits the children first, in the order of the text. */
static void each_node(Scoping *s, Node *node, Block *block, Visit visit)
{
    switch (node->kind) {
    case NODE_ASSIGN: each_node(s, node->assign.value, block, visit); break;
    case NODE_SEND:
        if (node->send.receiver)
            each_node(s, node->send.receiver, block, visit);
        each_in_list(s, node->send.arguments, node->send.argument_count, block, visit);
        break;
    case NODE_CASCADE:
        each_node(s, node->cascade.receiver, block, visit);
        each_in_list(s, node->cascade.messages, node->cascade.count, block, visit);
        break;
    case NODE_BLOCK: each_in_block(s, node->block, visit); break;
    case NODE_BRACE: each_in_list(s, node->brace.elements, node->brace.count, block, visit); break;
    case NODE_RETURN: each_node(s, node->value, block, visit); break;
    default: break;
    }
    visit(s, node, block);
}

static void visit_use(Scoping *s, Node *node, Block *block)
{
    if (node->kind == NODE_VARIABLE)
        note_use(s, node->use.variable, block);
    else if (node->kind == NODE_ASSIGN)
        note_use(s, node->assign.target->use.variable, block);
}

/* --- Counters --- */

static void bind(Scoping *s, Variable *variable, Block *block)
{
    Slot *slot = variable ? slot_of(s, variable) : NULL;
    if (!slot || !block)
        return;
    slot->as_bound++;
    slot->bound_by = block;
}

static void visit_bound(Scoping *s, Node *node, Block *block)
{
    if (node->kind != NODE_SEND || !node->send.bound)
        return;
    const Node *body =
        node->send.inlined == INLINE_TO_DO ? node->send.arms[0] : node->send.arms[1];
    bind(s, node->send.bound, body ? body->block : NULL);
    bind(s, node->send.limit, block);
}

/* A use of a bound variable must lie in a block that binds it, a use of a limit nowhere at all. */
static bool is_bound_around(const Variable *variable, const Block *block)
{
    for (; block; block = block->outer)
        for (size_t i = 0; i < block->arguments.count; i++)
            if (block->arguments.items[i] == variable)
                return true;
    return false;
}

static void visit_stray(Scoping *s, Node *node, Block *block)
{
    const Variable *variable = node->kind == NODE_VARIABLE ? node->use.variable
                               : node->kind == NODE_ASSIGN ? node->assign.target->use.variable
                                                           : NULL;
    Slot *slot = variable ? slot_of(s, variable) : NULL;
    if (slot && slot->as_bound && !is_bound_around(variable, block))
        slot->as_other++;
    if (slot && slot->as_bound && node->kind == NODE_ASSIGN)
        slot->as_other++; /* arguments are not assigned to */
}

/* For the time of the search, bodies have their counters as arguments. The receiver of ifNotNil:
 * still is an assignment then, which is not a stray one. */
static void visit_add_argument(Scoping *s, Node *node, Block *block)
{
    (void)block;
    if (node->kind != NODE_SEND || !node->send.bound || !slot_of(s, node->send.bound))
        return;
    Node *body = node->send.inlined == INLINE_TO_DO ? node->send.arms[0] : node->send.arms[1];
    LIST_ADD(s->d->all->tools->arena, body->block->arguments, node->send.bound);
    if (node->send.inlined == INLINE_NIL_TEST)
        node->send.receiver = node->send.receiver->assign.value;
}

/* --- Order --- */

static void place(Scoping *s, Slot *slot)
{
    if (slot && !slot->order)
        slot->order = ++s->order;
}

static void order_block(Scoping *s, const Block *block)
{
    for (size_t i = 0; i < block->arguments.count; i++)
        place(s, slot_of(s, block->arguments.items[i]));
}

/* Blocks end in the order in which their nodes are visited. A hidden limit comes behind the
 * temporaries of its loop's body, which is visited right before the message. */
static void visit_order(Scoping *s, Node *node, Block *block)
{
    (void)block;
    if (node->kind == NODE_SEND && node->send.limit)
        place(s, slot_of(s, node->send.limit));
    if (node->kind != NODE_BLOCK || !node->block->is_inlined || node->block->actual != s->actual)
        return;
    order_block(s, node->block);
    for (size_t i = 0; i < s->count; i++)
        if (!s->slots[i].as_bound && s->slots[i].home == node->block)
            place(s, &s->slots[i]);
}

static bool may_be_inlined(const Scoping *s, const Slot *slot)
{
    return slot->order && !slot->as_other &&
           (slot->as_bound || (slot->home && slot->home != s->actual));
}

static bool is_unused(const Slot *slot)
{
    return !slot->home && !slot->as_bound && !slot->variable->is_vector;
}

/* What is never used was declared along with what stands before it. */
static void place_unused(Scoping *s)
{
    while (s->first_inlined < s->count && is_unused(&s->slots[s->first_inlined]))
        s->first_inlined++;
    Block *home = s->actual;
    for (size_t i = s->first_inlined; i < s->count; i++) {
        Slot *slot = &s->slots[i];
        if (is_unused(slot))
            slot->home = home;
        else if (!slot->variable->is_vector)
            home = slot->as_bound ? slot->bound_by : slot->home;
    }
}

/* A variable that only an inner block uses, but that lies behind one of an outer block's, was
 * declared there, too. Answers whether all from `first` on that lie so could be. */
static bool raise_homes(Scoping *s, size_t first, const Slot *before)
{
    Block *outer = before->as_bound ? before->bound_by : before->home;
    for (size_t i = first; i < s->count && s->slots[i].order < before->order; i++) {
        Slot *slot = &s->slots[i];
        if (slot->variable->is_vector || is_unused(slot))
            continue;
        if (slot->as_bound || !contains(outer, slot->home))
            return false;
        slot->home = outer;
        slot->order = before->order;
    }
    return true;
}

/* A loop's counter and limit are both its own, or none of them is. */
static void visit_part_loop(Scoping *s, Node *node, Block *block)
{
    (void)block;
    if (node->kind != NODE_SEND || !node->send.limit)
        return;
    const Slot *counter = slot_of(s, node->send.bound), *limit = slot_of(s, node->send.limit);
    size_t first = s->first_inlined;
    if (counter && limit && (size_t)(counter - s->slots) < first &&
        (size_t)(limit - s->slots) >= first)
        s->first_inlined = (size_t)(limit - s->slots) + 1;
}

static void choose_inlined(Scoping *s)
{
    size_t first = s->count, previous = SIZE_MAX;
    while (first > 0) {
        const Slot *slot = &s->slots[first - 1];
        if (!slot->variable->is_vector && !is_unused(slot)) {
            if (!may_be_inlined(s, slot) ||
                (slot->order > previous && !raise_homes(s, first, slot)))
                break;
            previous = slot->order;
        }
        first--;
    }
    s->first_inlined = first;
    do {
        first = s->first_inlined;
        each_in_block(s, s->actual, visit_part_loop);
    } while (s->first_inlined != first);
    place_unused(s);
}

/* --- Declaring --- */

static bool is_inlined_slot(const Scoping *s, const Variable *variable)
{
    const Slot *slot = variable ? slot_of(s, variable) : NULL;
    return slot && (size_t)(slot - s->slots) >= s->first_inlined;
}

static void remove_argument(Block *block, const Variable *variable)
{
    size_t kept = 0;
    for (size_t i = 0; i < block->arguments.count; i++)
        if (block->arguments.items[i] != variable)
            block->arguments.items[kept++] = block->arguments.items[i];
    block->arguments.count = kept;
}

static Node *variable_use(Scoping *s, Variable *variable)
{
    Node *node = decompile_node(s->d, NODE_VARIABLE);
    node->use.name = variable->name;
    node->use.variable = variable;
    return node;
}

static Node *assignment(Scoping *s, Variable *variable, Node *value)
{
    Node *node = decompile_node(s->d, NODE_ASSIGN);
    node->assign.target = variable_use(s, variable);
    node->assign.value = value;
    node->depth = value->depth + 1;
    return node;
}

static Block *block_of(Scoping *s, Block *outer, Node *statement)
{
    Decompiler *d = s->d;
    size_t values;
    d->block = outer;
    Block *block = decompile_inlined(d, 0, 0, &values);
    d->block = block;
    decompile_statement(d, statement);
    d->block = s->actual;
    return block;
}

/* [counter <= limit] whileTrue: [...] in place of to:do:. */
static void loop_as_while(Scoping *s, Node *node, Block *outer)
{
    Send *send = &node->send;
    Block *body = send->arms[0]->block;
    Node *step = decompile_node(s->d, NODE_LITERAL), *limit = send->arguments[0];
    step->literal = send->step;
    Node *sum = decompile_send(s->d, variable_use(s, send->bound), "+", 1, &step);
    s->d->block = body;
    decompile_statement(s->d, assignment(s, send->bound, sum));
    s->d->block = s->actual;
    if (send->limit)
        limit = variable_use(s, send->limit);
    Node *test = decompile_send(s->d, variable_use(s, send->bound),
                                send->downwards ? ">=" : "<=", 1, &limit);
    Node *arguments[] = {decompile_block_node(s->d, body)};
    *node = *decompile_send(s->d, decompile_block_node(s->d, block_of(s, outer, test)),
                            "whileTrue:", 1, arguments);
}

static bool keeps_argument(const Scoping *s, const Send *send)
{
    return is_inlined_slot(s, send->bound) && (!send->limit || is_inlined_slot(s, send->limit));
}

/* Puts the statements that a loop of this form needs in front of it. */
static void insert_starts(Scoping *s, Block *block)
{
    Decompiler *d = s->d;
    Node **old = block->statements;
    size_t count = block->statement_count;
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found |= old[i]->kind == NODE_SEND && old[i]->send.inlined == INLINE_TO_DO &&
                 slot_of(s, old[i]->send.bound) && !keeps_argument(s, &old[i]->send);
    if (!found)
        return;
    block->statements = NULL;
    block->statement_count = 0;
    for (size_t i = 0; i < count; i++) {
        Node *node = old[i];
        d->block = block;
        if (node->kind == NODE_SEND && node->send.inlined == INLINE_TO_DO &&
            slot_of(s, node->send.bound) && !keeps_argument(s, &node->send)) {
            decompile_statement(d, assignment(s, node->send.bound, node->send.receiver));
            if (node->send.limit)
                decompile_statement(d, assignment(s, node->send.limit, node->send.arguments[0]));
            remove_argument(node->send.arms[0]->block, node->send.bound);
            loop_as_while(s, node, block);
            d->block = block;
        }
        decompile_statement(d, node);
    }
    d->block = s->actual;
}

static void visit_insert_starts(Scoping *s, Node *node, Block *block)
{
    (void)block;
    if (node->kind == NODE_BLOCK)
        insert_starts(s, node->block);
}

/* What is left as to:do: although its counter is declared stands within an expression. */
static void visit_check_loops(Scoping *s, Node *node, Block *block)
{
    (void)block;
    if (node->kind != NODE_SEND || !node->send.bound || !slot_of(s, node->send.bound) ||
        keeps_argument(s, &node->send))
        return;
    if (node->send.inlined == INLINE_TO_DO) {
        decompile_refuse(s->d, "the counter of a loop with a value is used elsewhere");
        return;
    }
    remove_argument(node->send.arms[1]->block, node->send.bound);
    node->send.receiver = assignment(s, node->send.bound, node->send.receiver);
    node->send.bound = NULL;
}

static void declare(Scoping *s)
{
    Arena *arena = s->d->all->tools->arena;
    for (size_t i = 0; i < s->count; i++) {
        const Slot *slot = &s->slots[i];
        if (slot->variable->is_vector || slot->variable->argument != ARGUMENT_NONE)
            continue;
        if (i < s->first_inlined)
            LIST_ADD(arena, s->actual->temps, slot->variable);
        else if (!slot->as_bound)
            LIST_ADD(arena, slot->home->temps, slot->variable);
    }
}

/* --- Nils that the compiler makes --- */

static bool list_includes(const VariableList *list, const Variable *variable)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == variable)
            return true;
    return false;
}

/* In a loop, temporaries that may be read before they are written are cleared in each round. */
static void visit_drop_nils(Scoping *s, Node *node, Block *block)
{
    (void)s, (void)block;
    if (node->kind != NODE_BLOCK || !node->block->is_inlined)
        return;
    Block *inner = node->block;
    size_t count = 0;
    while (count < inner->statement_count) {
        const Node *each = inner->statements[count];
        if (each->kind != NODE_ASSIGN || !node_is_named(each->assign.value, VARIABLE_NIL) ||
            !list_includes(&inner->temps, each->assign.target->use.variable))
            break;
        count++;
    }
    inner->statements += count;
    inner->statement_count -= count;
}

/* --- Variables that are only taken along --- */

static void visit_mention(Scoping *s, Node *node, Block *block)
{
    (void)block;
    const Variable *variable = node->kind == NODE_VARIABLE ? node->use.variable
                               : node->kind == NODE_ASSIGN ? node->assign.target->use.variable
                                                           : NULL;
    for (size_t i = 0; variable && i < s->count; i++) {
        const Variable *each = s->slots[i].variable;
        bool within = each == variable;
        for (size_t j = 0; j < each->remote_count; j++)
            within |= each->remote[j] == variable;
        s->slots[i].as_other += within;
    }
}

void scope_mention(Decompiler *d, Block *block, const VariableList *copied)
{
    Scoping scoping = {.d = d, .actual = block, .count = copied->count}, *s = &scoping;
    if (decompile_refused(d) || !copied->count)
        return;
    s->slots = arena_alloc(d->all->tools->arena, s->count * sizeof *s->slots);
    for (size_t i = 0; i < s->count; i++)
        s->slots[i].variable = copied->items[i];
    each_in_block(s, block, visit_mention);
    Block *outer = d->block;
    Node **statements = block->statements;
    size_t count = block->statement_count;
    block->statements = NULL;
    block->statement_count = 0;
    d->block = block;
    for (size_t i = 0; i < s->count; i++) {
        Variable *each = s->slots[i].variable;
        if (!s->slots[i].as_other)
            decompile_statement(d, variable_use(s, each->is_vector ? each->remote[0] : each));
    }
    bool ends_in_nil = !count && block->statement_count; /* [] answers nil, and not the variable */
    for (size_t i = 0; i < count; i++)
        decompile_statement(d, statements[i]);
    if (ends_in_nil)
        decompile_statement(d, decompile_nil(d));
    d->block = outer;
}

void scope_declare(Decompiler *d)
{
    Scoping scoping = {.d = d, .actual = d->block}, *s = &scoping;
    if (decompile_refused(d))
        return;
    s->count = d->frame.count - d->copied_end;
    s->slots = arena_alloc(d->all->tools->arena, (s->count + 1) * sizeof *s->slots);
    for (size_t i = 0; i < s->count; i++)
        s->slots[i].variable = d->frame.items[d->copied_end + i];
    each_in_block(s, s->actual, visit_bound);
    each_in_block(s, s->actual, visit_add_argument);
    each_in_block(s, s->actual, visit_use);
    each_in_block(s, s->actual, visit_stray);
    each_in_block(s, s->actual, visit_order);
    choose_inlined(s);
    each_in_block(s, s->actual, visit_insert_starts);
    insert_starts(s, s->actual);
    each_in_block(s, s->actual, visit_check_loops);
    declare(s);
    if (!(d->all->ways & DECOMPILE_KEEP_NILS))
        each_in_block(s, s->actual, visit_drop_nils);
}
