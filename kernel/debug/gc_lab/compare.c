/* Heap and shadow in lock step: every edge of the graph is followed in both, and each
 * pair of node and object that meets is compared once. */
#include "kernel/debug/gc_lab/lab.h"

#include <stdlib.h>

typedef struct {
    Lab *lab;
    Heap *heap;   /* the lab's, or that of a copy */
    bool copy;
    int how;
    Oop *at;      /* where each node's object is; NO_OOP: not met */
    size_t depth; /* of lab->stack */
} Walk;

/* ---- Names, for findings ---- */

static const char *place(const Lab *lab, int32_t holder, Word slot, char text[64])
{
    if (holder < 0)
        snprintf(text, 64, "a root");
    else
        snprintf(text, 64, "slot %" PRIuWORD " of node %d (0x%" PRIxWORD ")", slot, holder,
                 lab->nodes[holder].oop);
    return text;
}

/* ---- Contents that are no references ---- */

enum { UNIT = 4, SAMPLED_FROM = 64 << 10, SAMPLED_ENDS = 4096, SAMPLED_STEP = 65536 };

/* Of very long objects only the ends and some places between are looked at. */
static Word next_unit(Word at, Word end)
{
    if (end < SAMPLED_FROM || at < SAMPLED_ENDS || at + SAMPLED_ENDS + SAMPLED_STEP >= end)
        return at + UNIT;
    return at + SAMPLED_STEP;
}

static uint32_t content(const Body *body, Word at)
{
    return body->seed + (uint32_t)at * 0x9E3779B9u;
}

void lab_fill_contents(Lab *lab, Oop oop, const Body *body)
{
    (void)lab;
    Word end = body->slots * WORD_BYTES;
    for (Word at = body->end * WORD_BYTES; at < end; at = next_unit(at, end)) {
        uint32_t unit = content(body, at);
        memcpy(object_bytes(oop) + at, &unit, UNIT);
    }
}

static void compare_contents(Walk *w, int32_t index, const Body *body, Oop oop)
{
    Word end = body->slots * WORD_BYTES;
    for (Word at = body->end * WORD_BYTES; at < end; at = next_unit(at, end)) {
        uint32_t unit, wanted = content(body, at);
        memcpy(&unit, object_bytes(oop) + at, UNIT);
        if (unit != wanted)
            lab_found(w->lab, FOUND_BY_MODEL, "node %d at 0x%" PRIxWORD ": byte %" PRIuWORD
                      " changed: 0x%08x instead of 0x%08x", index, oop, at, unit, wanted);
    }
}

/* ---- One object ---- */

static Word class_index_of(const Body *body)
{
    if (body->shape == SHAPE_CONTEXT)
        return CLASS_CONTEXT;
    return body->shape == SHAPE_CLASS ? (Word)LAB_METACLASS : LAB_FIRST_SHAPE + (Word)body->shape;
}

static unsigned expected_format(const Body *body)
{
    unsigned format = body->fired ? FORMAT_FIXED : shape_format(body->shape);
    Word unused = body->slots * WORD_BYTES - body->bytes;
    switch (body->shape) {
    case SHAPE_BYTES: case SHAPE_METHOD: return format + (unsigned)unused;
    case SHAPE_SHORTS: return format + (unsigned)unused / 2;
    case SHAPE_WORDS32: return format + (unsigned)unused / 4;
    default: return format;
    }
}

static void compare_header(Walk *w, int32_t index, const Node *node, Oop oop)
{
    Header header = header_of(oop);
    const Body *body = &node->body;
    unsigned format = expected_format(body);
    if (header_format(header) != format || object_slot_count(oop) != body->slots)
        lab_found(w->lab, FOUND_BY_MODEL, "node %d at 0x%" PRIxWORD ": format %u and %" PRIuWORD
                  " slots instead of %u and %" PRIuWORD, index, oop, header_format(header),
                  object_slot_count(oop), format, body->slots);
    if (node->hash && header_hash(header) != node->hash)
        lab_found(w->lab, FOUND_BY_MODEL,
                  "node %d at 0x%" PRIxWORD ": identity hash %u instead of %u", index, oop,
                  header_hash(header), node->hash);
    if (header_is_immutable(header) != body->frozen)
        lab_found(w->lab, FOUND_BY_MODEL, "node %d at 0x%" PRIxWORD " is %sread-only", index, oop,
                  body->frozen ? "no longer " : "");
    if (header_is_pinned(header) != node->pinned)
        lab_found(w->lab, FOUND_BY_MODEL, "node %d at 0x%" PRIxWORD " is %spinned", index, oop,
                  node->pinned ? "no longer " : "");
    if (node->pinned && !w->copy && oop != node->oop)
        lab_found(w->lab, FOUND_BY_MODEL, "node %d is pinned, but moved from 0x%" PRIxWORD " to 0x%"
                  PRIxWORD, index, node->oop, oop);
}

static void meet(Walk *w, int32_t holder, Word slot, Value value, Oop oop);

static void compare_class(Walk *w, int32_t index, const Node *node, Oop oop)
{
    Word class_index = object_class_index(oop);
    if (node->body.class < 0) {
        if (class_index != class_index_of(&node->body))
            lab_found(w->lab, FOUND_BY_MODEL, "node %d at 0x%" PRIxWORD ": class index %" PRIuWORD
                      " instead of %" PRIuWORD, index, oop, class_index,
                      class_index_of(&node->body));
        return;
    }
    if (class_index >= w->heap->class_table_pages << CLASS_PAGE_BITS)
        lab_found(w->lab, FOUND_BY_MODEL, "node %d at 0x%" PRIxWORD ": class index %" PRIuWORD
                  " is beyond the class table", index, oop, class_index);
    Value class = {VALUE_NODE, node->body.class};
    meet(w, index, 0, class, heap_class_at(w->heap, class_index));
}

static void compare_object(Walk *w, int32_t index)
{
    Node *node = &w->lab->nodes[index];
    Body *body = &node->body;
    Oop oop = w->at[index];
    compare_header(w, index, node, oop);
    compare_class(w, index, node, oop);
    compare_contents(w, index, body, oop);
    for (Word i = 0; i < body->end; i++)
        meet(w, index, i, body->values[i], object_slot(oop, i));
}

/* ---- One reference ---- */

static void check_inside(const Walk *w, int32_t holder, Word slot, Oop oop)
{
    char text[64];
    if (oop < w->heap->new_start || oop >= w->heap->old_end || oop % OBJECT_ALIGNMENT)
        lab_found(w->lab, FOUND_BY_MODEL, "%s holds 0x%" PRIxWORD ", which is nowhere in the heap",
                  place(w->lab, holder, slot, text), oop);
}

/* The end of a chain of forwarders. */
static Oop resolve(const Walk *w, int32_t holder, Word slot, Oop oop)
{
    char text[64];
    for (unsigned steps = 0; is_object(oop); steps++) {
        check_inside(w, holder, slot, oop);
        if (!header_is_forwarder(header_of(oop)))
            break;
        if (w->how & COMPARE_CLEAN || object_class_index(oop) == CLASS_FREE || steps > 1000)
            lab_found(w->lab, FOUND_BY_MODEL, "%s holds 0x%" PRIxWORD ", %s",
                      place(w->lab, holder, slot, text), oop,
                      object_class_index(oop) == CLASS_FREE ? "a free chunk"
                      : steps > 1000 ? "a forwarder in a circle"
                                     : "a forwarder, after a full collection");
        oop = object_slot(oop, 0);
    }
    return oop;
}

static void compare_plain(Walk *w, int32_t holder, Word slot, Value value, Oop oop)
{
    char text[64];
    Oop wanted = value.kind == VALUE_NIL ? w->heap->nil : small_integer_oop(value.n);
    if (oop != wanted)
        lab_found(w->lab, FOUND_BY_MODEL, "%s holds 0x%" PRIxWORD " instead of %s",
                  place(w->lab, holder, slot, text), oop,
                  value.kind == VALUE_NIL ? "nil" : "a SmallInteger");
}

static void meet(Walk *w, int32_t holder, Word slot, Value value, Oop oop)
{
    char text[64];
    oop = resolve(w, holder, slot, oop);
    if (value.kind != VALUE_NODE) {
        compare_plain(w, holder, slot, value, oop);
        return;
    }
    if (is_immediate(oop) || object_class_index(oop) <= CLASS_LAST_PUN)
        lab_found(w->lab, FOUND_BY_MODEL, "%s holds 0x%" PRIxWORD " instead of node %d",
                  place(w->lab, holder, slot, text), oop, value.n);
    if (w->at[value.n] == oop)
        return;
    if (w->at[value.n])
        lab_found(w->lab, FOUND_BY_MODEL,
                  "%s holds 0x%" PRIxWORD ", but node %d is at 0x%" PRIxWORD,
                  place(w->lab, holder, slot, text), oop, value.n, w->at[value.n]);
    if (oop == w->heap->nil)
        lab_found(w->lab, FOUND_BY_MODEL, "%s is nil instead of node %d, which is %s",
                  place(w->lab, holder, slot, text), value.n,
                  w->lab->nodes[value.n].live ? "alive" : "not collected here");
    w->at[value.n] = oop;
    w->lab->stack[w->depth++] = value.n;
}

static void drain(Walk *w)
{
    while (w->depth)
        compare_object(w, w->lab->stack[--w->depth]);
}

/* ---- The queue of mourners ---- */

/* Entries of one rank may stand in any order: ours is brought into the heap's. */
static void meet_mourner(Walk *w, size_t i, Oop oop)
{
    Lab *lab = w->lab;
    uint64_t rank = lab->queue[i].rank;
    unsigned hash = is_object(oop) ? header_hash(header_of(oop)) : 0;
    for (size_t j = i; j < lab->queue_count && lab->queue[j].rank == rank; j++)
        if (lab->nodes[lab->queue[j].node].hash == hash) {
            Mourner mourner = lab->queue[j];
            lab->queue[j] = lab->queue[i];
            lab->queue[i] = mourner;
            Value value = {VALUE_NODE, mourner.node};
            meet(w, -1, 0, value, oop);
            return;
        }
    lab_found(lab, FOUND_BY_MODEL,
              "mourner %zu is 0x%" PRIxWORD " (hash %u), which is not expected "
              "at this place of the queue",
              i, oop, hash);
}

static void check_order(const Walk *w, size_t i, Oop before, Oop oop)
{
    const Lab *lab = w->lab;
    if (i && !w->copy && lab->queue[i].rank > lab->ordered &&
        lab->queue[i].rank == lab->queue[i - 1].rank && before > oop)
        lab_found(w->lab, FOUND_BY_MODEL,
                  "mourner 0x%" PRIxWORD " stands before 0x%" PRIxWORD
                  ", though they entered the queue together", before, oop);
}

static void meet_mourners(Walk *w)
{
    Mm *mm = w->heap->mm;
    size_t count = 0;
    Oop before = NO_OOP;
    for (Oop oop; (oop = mm->ops->mourner_at(mm, (Word)count)) != NO_OOP; count++)
        if (count < w->lab->queue_count) {
            meet_mourner(w, count, oop);
            check_order(w, count, before, oop);
            before = oop;
        }
    if (count != w->lab->queue_count)
        lab_found(w->lab, FOUND_BY_MODEL, "%zu objects mourn instead of %zu", count,
                  w->lab->queue_count);
}

/* ---- The whole heap ---- */

static void meet_registers(Walk *w)
{
    for (unsigned i = 0; i < LAB_REGISTERS; i++)
        meet(w, -1, 0, w->lab->registers[i], w->lab->roots[i]);
}

static void meet_ghost(Walk *w, int32_t index)
{
    const Node *node = &w->lab->nodes[index];
    if (!is_forwarded(node->oop))
        lab_found(w->lab, FOUND_BY_MODEL, "the forwarder at 0x%" PRIxWORD " is none any more",
                  node->oop);
    w->at[index] = node->oop;
    meet(w, index, 0, node->body.values[0], object_slot(node->oop, 0));
}

/* What a scavenge takes for alive: all that is old, and the class table. */
static void meet_old(Walk *w)
{
    for (size_t i = 0; i < w->lab->count; i++) {
        const Node *node = &w->lab->nodes[i];
        Value value = {VALUE_NODE, (int32_t)i};
        if (!node->used)
            continue;
        if (node->body.shape == SHAPE_GHOST)
            meet_ghost(w, (int32_t)i);
        else if (!node->young)
            meet(w, -1, 0, value, node->oop);
        else if (node->body.entered)
            meet(w, -1, 0, value, heap_class_at(w->heap, node->hash));
    }
}

typedef struct {
    Word start, end;
    int32_t node;
} Extent;

static int compare_extents(const void *a, const void *b)
{
    Word x = ((const Extent *)a)->start, y = ((const Extent *)b)->start;
    return x < y ? -1 : x > y;
}

/* No two objects lie in each other. */
static void check_extents(const Walk *w)
{
    size_t used = 0;
    Extent *extents = malloc((w->lab->count + 1) * sizeof *extents);
    REQUIRE(extents, "the host has no memory for the shadow");
    for (size_t i = 0; i < w->lab->count; i++)
        if (w->at[i])
            extents[used++] = (Extent){object_start(w->at[i]), object_end(w->at[i]), (int32_t)i};
    qsort(extents, used, sizeof *extents, compare_extents);
    for (size_t i = 1; i < used; i++)
        if (extents[i].start < extents[i - 1].end)
            lab_found(w->lab, FOUND_BY_MODEL,
                      "node %d at 0x%" PRIxWORD " begins inside node %d, [0x%" PRIxWORD
                      ", 0x%" PRIxWORD ")",
                      extents[i].node, extents[i].start, extents[i - 1].node, extents[i - 1].start,
                      extents[i - 1].end);
    free(extents);
}

static void keep_what_was_met(Walk *w)
{
    Lab *lab = w->lab;
    for (size_t i = 0; i < lab->count; i++) {
        lab->flight->compared += w->at[i] != NO_OOP;
        if (w->at[i])
            lab->nodes[i].oop = w->at[i];
        else if (lab->nodes[i].used)
            shadow_free_node(lab, (int32_t)i);
    }
}

static void walk_begin(Walk *w)
{
    w->at = calloc(w->lab->count + 1, sizeof *w->at);
    REQUIRE(w->at, "the host has no memory for the shadow");
}

void lab_compare(Lab *lab, int how)
{
    Walk w = {.lab = lab, .heap = lab->heap, .how = how};
    walk_begin(&w);
    meet_registers(&w);
    drain(&w);
    meet_mourners(&w);
    drain(&w);
    if (how & COMPARE_OLD)
        meet_old(&w);
    drain(&w);
    check_extents(&w);
    keep_what_was_met(&w);
    free(w.at);
}

void lab_compare_copy(Lab *lab, Vm *copy, Oop registers)
{
    Walk w = {.lab = lab, .heap = &copy->heap, .copy = true};
    walk_begin(&w);
    for (unsigned i = 0; i < LAB_REGISTERS; i++)
        meet(&w, -1, 0, lab->registers[i], object_slot(registers, i));
    meet_mourners(&w);
    drain(&w);
    free(w.at);
}

void lab_compare_classes(Lab *lab)
{
    Word wanted = LAB_CLASSES_END - LAB_METACLASS, found = 0;
    for (size_t i = 0; i < lab->count; i++) {
        const Node *node = &lab->nodes[i];
        if (!node->used || !node->body.entered)
            continue;
        wanted++;
        if (heap_class_at(lab->heap, node->hash) != node->oop)
            lab_found(lab, FOUND_BY_MODEL,
                      "class node %d is not at its index %u of the class table", (int)i,
                      node->hash);
    }
    for (Word i = CLASS_PAGE_SIZE; i < lab->heap->class_table_pages << CLASS_PAGE_BITS; i++)
        found += heap_class_at(lab->heap, i) != lab->heap->nil;
    if (found != wanted)
        lab_found(lab, FOUND_BY_MODEL, "the class table holds %" PRIuWORD " classes instead of %"
                  PRIuWORD, found, wanted);
}
