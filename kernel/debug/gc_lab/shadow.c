/* The shadow: nodes, what can be reached, what a collection does. Naive on purpose. */
#include "kernel/debug/gc_lab/lab.h"

#include <stdlib.h>

/* ---- Nodes ---- */

static void grow(Lab *lab)
{
    lab->capacity = lab->capacity ? 2 * lab->capacity : 1024;
    lab->nodes = realloc(lab->nodes, lab->capacity * sizeof *lab->nodes);
    lab->unused = realloc(lab->unused, lab->capacity * sizeof *lab->unused);
    lab->stack = realloc(lab->stack, lab->capacity * sizeof *lab->stack);
    REQUIRE(lab->nodes && lab->unused && lab->stack, "the host has no memory for the shadow");
}

int32_t shadow_node(Lab *lab, const Body *body, Oop oop)
{
    int32_t index;
    if (lab->unused_count)
        index = lab->unused[--lab->unused_count];
    else {
        if (lab->count == lab->capacity)
            grow(lab);
        index = (int32_t)lab->count++;
    }
    lab->nodes[index] = (Node){.used = true, .oop = oop, .body = *body};
    return index;
}

void shadow_free_node(Lab *lab, int32_t index)
{
    free(lab->nodes[index].body.values);
    lab->nodes[index] = (Node){.used = false};
    lab->unused[lab->unused_count++] = index;
}

Node *shadow_register(Lab *lab, unsigned number)
{
    Value value = lab->registers[number];
    return value.kind == VALUE_NODE ? &lab->nodes[value.n] : NULL;
}

/* ---- What can be reached ---- */

typedef struct {
    Lab *lab;
    size_t depth;
    bool scavenge;
} Trace;

bool value_is_live(const Lab *lab, Value value)
{
    return value.kind != VALUE_NODE || lab->nodes[value.n].live;
}

static void reach(Trace *t, Value value)
{
    if (value_is_live(t->lab, value))
        return;
    t->lab->nodes[value.n].live = true;
    t->lab->stack[t->depth++] = value.n;
}

static bool waits(const Lab *lab, const Body *body)
{
    return body->shape == SHAPE_EPHEMERON && !body->fired && !value_is_live(lab, body->values[0]);
}

static void reach_contents(Trace *t, const Body *body)
{
    if (body->class >= 0)
        reach(t, (Value){VALUE_NODE, body->class});
    Word end = body->shape == SHAPE_WEAK ? body->strong : body->end;
    for (Word i = body->first; i < end; i++)
        reach(t, body->values[i]);
}

static void drain(Trace *t)
{
    while (t->depth) {
        Node *node = &t->lab->nodes[t->lab->stack[--t->depth]];
        if (!waits(t->lab, &node->body) || node->fires)
            reach_contents(t, &node->body);
        else if (node->body.class >= 0)
            reach(t, (Value){VALUE_NODE, node->body.class});
    }
}

/* Ephemerons whose key lives by now are ordinary objects. */
static bool reach_through_ephemerons(Trace *t)
{
    Lab *lab = t->lab;
    bool progress = false;
    for (size_t i = 0; i < lab->count; i++) {
        Node *node = &lab->nodes[i];
        if (!node->used || !node->live || node->body.shape != SHAPE_EPHEMERON ||
            waits(lab, &node->body))
            continue;
        reach_contents(t, &node->body);
        progress |= t->depth != 0;
        drain(t);
    }
    return progress;
}

/* All that are left fire at once. */
static bool fire(Trace *t, unsigned round)
{
    Lab *lab = t->lab;
    bool fired = false;
    for (size_t i = 0; i < lab->count; i++) {
        Node *node = &lab->nodes[i];
        if (!node->used || !node->live || node->fires || !waits(lab, &node->body))
            continue;
        node->fires = fired = true;
        node->round = round;
    }
    for (size_t i = 0; i < lab->count; i++)
        if (lab->nodes[i].fires && lab->nodes[i].round == round)
            reach_contents(t, &lab->nodes[i].body);
    drain(t);
    return fired;
}

static void reach_roots(Trace *t)
{
    Lab *lab = t->lab;
    for (unsigned i = 0; i < LAB_REGISTERS; i++)
        reach(t, lab->registers[i]);
    for (size_t i = 0; i < lab->queue_count; i++)
        reach(t, (Value){VALUE_NODE, lab->queue[i].node});
    for (size_t i = 0; t->scavenge && i < lab->count; i++) {
        const Node *node = &lab->nodes[i];
        bool strong = node->used && (!node->young || node->body.entered);
        if (strong)
            reach(t, (Value){VALUE_NODE, (int32_t)i});
    }
}

void shadow_trace(Lab *lab, bool scavenge)
{
    Trace t = {.lab = lab, .scavenge = scavenge};
    for (size_t i = 0; i < lab->count; i++)
        lab->nodes[i].live = lab->nodes[i].fires = false;
    reach_roots(&t);
    drain(&t);
    for (unsigned round = 0;; round++) {
        while (reach_through_ephemerons(&t))
            ;
        if (!fire(&t, round))
            return;
    }
}

/* ---- What a collection does ---- */

void shadow_enqueue(Lab *lab, int32_t node, uint64_t rank)
{
    if (lab->queue_count == lab->queue_capacity) {
        lab->queue_capacity = lab->queue_capacity ? 2 * lab->queue_capacity : 64;
        lab->queue = realloc(lab->queue, lab->queue_capacity * sizeof *lab->queue);
        REQUIRE(lab->queue, "the host has no memory for the shadow");
    }
    lab->queue[lab->queue_count++] = (Mourner){node, rank};
    lab->nodes[node].mourning = true;
    if (rank > lab->rank)
        lab->rank = rank;
}

static void apply_fired(Lab *lab)
{
    unsigned rounds = 0;
    uint64_t rank = lab->rank + 1;
    for (unsigned round = 0; round <= rounds; round++)
        for (size_t i = 0; i < lab->count; i++) {
            Node *node = &lab->nodes[i];
            if (node->fires && node->round > rounds)
                rounds = node->round;
            if (!node->fires || node->round != round)
                continue;
            node->body.fired = true;
            lab->flight->fired++;
            shadow_enqueue(lab, (int32_t)i, rank + round);
        }
}

/* Answers whether an element was lost. */
static bool clear_weak_slots(Lab *lab, Body *body)
{
    bool lost = false;
    for (Word i = body->strong; i < body->end; i++)
        if (!value_is_live(lab, body->values[i])) {
            body->values[i] = (Value){VALUE_NIL, 0};
            lab->flight->lost++;
            lost = true;
        }
    return lost;
}

void shadow_apply(Lab *lab)
{
    apply_fired(lab);
    uint64_t rank = lab->rank + 1;
    for (size_t i = 0; i < lab->count; i++) {
        Node *node = &lab->nodes[i];
        if (!node->used || !node->live || node->body.shape != SHAPE_WEAK)
            continue;
        if (clear_weak_slots(lab, &node->body) && lab->weak_mourners && !node->mourning)
            shadow_enqueue(lab, (int32_t)i, rank);
    }
}

/* ---- Become ---- */

static void replace(Value *value, int32_t x, int32_t y)
{
    if (value->kind == VALUE_NODE && value->n == x)
        value->n = y;
}

static void replace_everywhere(Lab *lab, int32_t x, int32_t y)
{
    for (size_t i = 0; i < lab->count; i++)
        for (Word slot = 0; lab->nodes[i].used && slot < lab->nodes[i].body.end; slot++)
            replace(&lab->nodes[i].body.values[slot], x, y);
    for (unsigned i = 0; i < LAB_REGISTERS; i++)
        replace(&lab->registers[i], x, y);
    for (size_t i = 0; i < lab->queue_count; i++)
        if (lab->queue[i].node == x)
            lab->queue[i].node = y;
}

void shadow_ghost(Lab *lab, Oop oop, int32_t target)
{
    Body body = {.shape = SHAPE_GHOST, .class = -1, .end = 1, .strong = 1};
    body.values = calloc(1, sizeof *body.values);
    REQUIRE(body.values, "the host has no memory for the shadow");
    body.values[0] = (Value){VALUE_NODE, target};
    shadow_node(lab, &body, oop);
}

/* In a one-way become the first node is no longer named by anything. */
void shadow_become(Lab *lab, int32_t x, int32_t y, unsigned kind)
{
    Node *from = &lab->nodes[x], *to = &lab->nodes[y];
    if (kind == BECOME_TWO_WAY) {
        Body body = from->body;
        from->body = to->body;
        to->body = body;
        return;
    }
    if (kind == BECOME_ONE_WAY_COPY_HASH)
        to->hash = from->hash;
    replace_everywhere(lab, x, y);
    to->mourning |= from->mourning;
    shadow_free_node(lab, x);
}
