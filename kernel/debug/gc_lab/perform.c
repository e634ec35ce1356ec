/* Events, each done to the heap and to the shadow. */
#include "kernel/debug/gc_lab/lab.h"

#include <stdlib.h>

enum { MOST_SLOTS = WORD_BITS == 64 ? 1 << 29 : 1 << 26 };

Oop lab_register_oop(const Lab *lab, unsigned number)
{
    return follow(lab->roots[number]);
}

static Oop value_oop(const Lab *lab, Value value, Oop node)
{
    if (value.kind == VALUE_NODE)
        return node;
    return value.kind == VALUE_NIL ? lab->heap->nil : small_integer_oop(value.n);
}

/* Names in a register what is in the heap at `oop`. */
static void set_register(Lab *lab, unsigned number, Value value, Oop oop)
{
    lab->registers[number] = value;
    lab->roots[number] = value_oop(lab, value, oop);
}

/* ---- Shapes ---- */

static Body references(Shape shape, Word first, Word slots)
{
    return (Body){.shape = shape, .first = first, .free_first = first, .end = slots, .slots = slots,
                  .strong = slots, .bytes = slots * WORD_BYTES};
}

static Body bits(Shape shape, Word bytes)
{
    return (Body){.shape = shape, .slots = slots_for_bytes(bytes), .bytes = bytes};
}

static Body code(Word n)
{
    Word literals = n % 64, bytes = (1 + literals) * WORD_BYTES + 1 + n % 21;
    Body body = references(SHAPE_METHOD, 1, 1 + literals);
    body.slots = slots_for_bytes(bytes);
    body.bytes = bytes;
    return body;
}

static Body context(Word n)
{
    Word slots = n > CONTEXT_SMALL_SLOTS ? CONTEXT_LARGE_SLOTS : CONTEXT_SMALL_SLOTS;
    Body body = references(SHAPE_CONTEXT, 0, slots);
    body.free_first = CONTEXT_FIXED;
    return body;
}

static Body shape_body(Shape shape, Word n)
{
    Body body;
    if (n > MOST_SLOTS && shape != SHAPE_BYTES)
        n = MOST_SLOTS;
    switch (shape) {
    case SHAPE_EMPTY: return references(shape, 0, 0);
    case SHAPE_ARRAY: return references(shape, 0, n);
    case SHAPE_WEAK:
        body = references(shape, 0, LAB_WEAK_FIXED + n);
        body.strong = LAB_WEAK_FIXED;
        return body;
    case SHAPE_CONTEXT: return context(n);
    case SHAPE_METHOD: return code(n);
    case SHAPE_BYTES: return bits(shape, n);
    case SHAPE_SHORTS: return bits(shape, 2 * n);
    case SHAPE_WORDS32: return bits(shape, 4 * n);
    case SHAPE_WORDS64: return bits(shape, 8 * n);
    case SHAPE_CLASS:
        body = references(shape, 0, LAB_CLASS_SLOTS);
        body.free_first = LAB_CLASS_SLOTS - 1;
        return body;
    default: return references(shape, 0, shape_fixed_fields(shape) +
                                             (shape == SHAPE_VARIABLE ? n : 0));
    }
}

static unsigned allocation_format(const Body *body)
{
    Word unused = body->slots * WORD_BYTES - body->bytes;
    unsigned divisor = body->shape == SHAPE_SHORTS ? 2 : body->shape == SHAPE_WORDS32 ? 4 : 1;
    return shape_format(body->shape) + (unsigned)unused / divisor;
}

/* ---- Allocation ---- */

/* No memory is no finding, unless there was enough and nobody asked for failures. */
void lab_refused(Lab *lab, Word slots)
{
    const Heap *heap = lab->heap;
    Word room = heap->old_limit - heap->old_end;
    lab->flight->refused++;
    if (lab->commit_left == UINT64_MAX && !lab_fails_allocations(lab) &&
        room / 2 > object_size_for_slots(slots))
        lab_found(lab, FOUND_BY_MODEL,
                  "%" PRIuWORD " slots were refused, though old space may grow "
                  "by %" PRIuWORD " bytes",
                  slots, room);
}

static Oop allocate(Lab *lab, const Body *body, Word class_index, bool old)
{
    Heap *heap = lab->heap;
    unsigned format = allocation_format(body);
    Oop oop = old ? heap->mm->ops->allocate_old(heap->mm, body->slots, format, class_index)
                  : heap_allocate(heap, body->slots, format, class_index);
    if (!oop)
        lab_refused(lab, body->slots);
    else if (object_slot_count(oop) != body->slots || oop % OBJECT_ALIGNMENT ||
             oop < heap->new_start || object_end(oop) > heap->old_end)
        lab_found(lab, FOUND_BY_MODEL, "0x%" PRIxWORD ", which was allocated for %" PRIuWORD
                  " slots, is no such object", oop, body->slots);
    return oop;
}

static void give_values(Body *body)
{
    body->values = calloc(body->end + 1, sizeof *body->values); /* all nil */
    REQUIRE(body->values, "the host has no memory for the shadow");
    if (body->shape == SHAPE_CONTEXT)
        body->values[CONTEXT_STACKP] =
            (Value){VALUE_NUMBER, (int32_t)(body->slots - CONTEXT_FIXED)};
    if (body->shape == SHAPE_METHOD)
        body->values[0] = (Value){VALUE_NUMBER, (int32_t)(body->end - 1)};
    if (body->shape == SHAPE_CLASS)
        body->values[CLASS_FORMAT] =
            (Value){VALUE_NUMBER, (int32_t)(shape_format(body->instances) << 16 |
                                            (unsigned)shape_fixed_fields(body->instances))};
}

/* Mourners are recognised by their hashes. */
static unsigned unique_hash(Lab *lab)
{
    for (;;) {
        unsigned hash = heap_fresh_hash(lab->heap);
        size_t i = 0;
        while (i < lab->count && lab->nodes[i].hash != hash)
            i++;
        if (i == lab->count)
            return hash;
    }
}

void lab_give_hash(Lab *lab, Node *node, Oop oop)
{
    if (node->hash)
        return;
    node->hash = unique_hash(lab);
    *header_at(oop) |= (Header)node->hash << HEADER_HASH_SHIFT;
}

static void new_object(Lab *lab, unsigned target, Body body, Word class_index, bool old)
{
    Oop oop = allocate(lab, &body, class_index, old);
    if (!oop)
        return;
    give_values(&body);
    body.seed = lab->next_seed += 0x01000193;
    for (Word i = 0; i < body.end; i++)
        object_slots(oop)[i] = value_oop(lab, body.values[i], NO_OOP);
    lab_fill_contents(lab, oop, &body);
    int32_t index = shadow_node(lab, &body, oop);
    if (body.shape == SHAPE_WEAK || body.shape == SHAPE_EPHEMERON)
        lab_give_hash(lab, &lab->nodes[index], oop);
    set_register(lab, target, (Value){VALUE_NODE, index}, oop);
}

static void perform_new(Lab *lab, const GcEvent *e)
{
    Body body = shape_body((Shape)e->kind, e->n);
    body.class = -1;
    Word class_index =
        e->kind == SHAPE_CONTEXT ? (Word)CLASS_CONTEXT : LAB_FIRST_SHAPE + (Word)e->kind;
    new_object(lab, e->r, body, class_index, e->flags & EVENT_OLD);
}

static void perform_class(Lab *lab, const GcEvent *e)
{
    Body body = shape_body(SHAPE_CLASS, 0);
    body.class = -1;
    body.instances = (Shape)e->kind;
    new_object(lab, e->r, body, LAB_METACLASS, e->flags & EVENT_OLD);
}

/* The index of a class, entered if need be; 0: no memory. */
static Word enter(Lab *lab, unsigned number)
{
    Mm *mm = lab->heap->mm;
    Node *node = shadow_register(lab, number);
    Oop class = lab_register_oop(lab, number);
    Word index = mm->ops->class_enter(mm, class);
    if (!index)
        return 0;
    if (heap_class_at(lab->heap, index) != class || header_hash(header_of(class)) != index)
        lab_found(lab, FOUND_BY_MODEL, "class 0x%" PRIxWORD " was entered at index %" PRIuWORD
                  ", where it is not", class, index);
    node->body.entered = true;
    node->hash = (unsigned)index;
    return index;
}

static void perform_instance(Lab *lab, const GcEvent *e)
{
    Node *class = shadow_register(lab, e->s);
    if (!class || class->body.shape != SHAPE_CLASS)
        return;
    Body body = shape_body(class->body.instances, e->n);
    body.class = lab->registers[e->s].n;
    Word index = enter(lab, e->s);
    if (index)
        new_object(lab, e->r, body, index, e->flags & EVENT_OLD);
}

static void perform_adopt(Lab *lab, const GcEvent *e)
{
    Node *node = shadow_register(lab, e->r), *class = shadow_register(lab, e->s);
    if (!node || !class || class->body.shape != SHAPE_CLASS || node->body.frozen ||
        node->body.shape != class->body.instances || node->body.shape == SHAPE_CONTEXT)
        return;
    Word index = enter(lab, e->s);
    if (!index)
        return;
    Header *header = header_at(lab_register_oop(lab, e->r));
    *header = (*header & ~HEADER_CLASS_MASK) | index;
    node->body.class = lab->registers[e->s].n;
}

static void perform_litter(Lab *lab, const GcEvent *e)
{
    for (uint32_t i = 0; i < e->n; i++) {
        Body body = shape_body(SHAPE_BYTES, e->m);
        Oop oop = allocate(lab, &body, LAB_FIRST_SHAPE + SHAPE_BYTES, e->flags & EVENT_OLD);
        if (!oop)
            return;
        lab_fill_contents(lab, oop, &body);
    }
}

static void perform_chain(Lab *lab, const GcEvent *e)
{
    for (uint32_t i = 0; i < e->n; i++) {
        Value rest = lab->registers[e->r];
        Oop oop = lab_register_oop(lab, e->r);
        GcEvent cell = {.op = GC_NEW, .kind = SHAPE_ARRAY, .r = e->r, .n = 1, .flags = e->flags};
        uint64_t before = lab->flight->refused;
        perform_new(lab, &cell);
        if (lab->flight->refused != before)
            return;
        shadow_register(lab, e->r)->body.values[0] = rest;
        heap_store(lab->heap, lab_register_oop(lab, e->r), 0, value_oop(lab, rest, oop));
    }
}

/* ---- Slots and registers ---- */

static bool slot_of(const Body *body, uint32_t n, Word *slot)
{
    if (body->free_first >= body->end)
        return false;
    *slot = n == EVENT_LAST ? body->end - 1 : body->free_first + n % (body->end - body->free_first);
    return true;
}

static void store(Lab *lab, const GcEvent *e, Value value, Oop oop)
{
    Node *node = shadow_register(lab, e->r);
    Word slot;
    if (!node || node->body.frozen || !slot_of(&node->body, e->n, &slot))
        return;
    node->body.values[slot] = value;
    heap_store(lab->heap, lab_register_oop(lab, e->r), slot, value_oop(lab, value, oop));
}

static void perform_load(Lab *lab, const GcEvent *e)
{
    Node *node = shadow_register(lab, e->s);
    Word slot;
    if (!node || !slot_of(&node->body, e->n, &slot))
        return;
    set_register(lab, e->r, node->body.values[slot],
                 follow(object_slot(lab_register_oop(lab, e->s), slot)));
}

/* The new object is made in a register that is put back, as a program would. */
static bool fill_slot(Lab *lab, unsigned number, Word slot)
{
    enum { SCRATCH = LAB_REGISTERS - 1 };
    unsigned scratch = number == SCRATCH ? 0 : SCRATCH;
    Value before = lab->registers[scratch];
    Oop oop = lab_register_oop(lab, scratch);
    GcEvent new = {.op = GC_NEW, .kind = SHAPE_EMPTY, .r = (uint8_t)scratch};
    uint64_t refused_before = lab->flight->refused;
    perform_new(lab, &new);
    bool made = lab->flight->refused == refused_before;
    if (made) {
        shadow_register(lab, number)->body.values[slot] = lab->registers[scratch];
        heap_store(lab->heap, lab_register_oop(lab, number), slot, lab_register_oop(lab, scratch));
    }
    set_register(lab, scratch, before, oop);
    return made;
}

static void perform_fill(Lab *lab, const GcEvent *e)
{
    Node *node = shadow_register(lab, e->r);
    Word slot, end = node ? node->body.end : 0;
    if (!node || node->body.frozen || !slot_of(&node->body, e->n, &slot))
        return;
    for (; slot < end && fill_slot(lab, e->r, slot); slot += e->m ? e->m : 1)
        ;
}

static void perform_freeze(Lab *lab, const GcEvent *e)
{
    Node *node = shadow_register(lab, e->r);
    if (!node)
        return;
    node->body.frozen = e->op == GC_FREEZE;
    Header *header = header_at(lab_register_oop(lab, e->r));
    *header = node->body.frozen ? *header | HEADER_IMMUTABLE : *header & ~HEADER_IMMUTABLE;
}

static void perform_hash(Lab *lab, const GcEvent *e)
{
    Node *node = shadow_register(lab, e->r);
    if (node)
        lab_give_hash(lab, node, lab_register_oop(lab, e->r));
}

/* ---- Expectations ---- */

static void expect(Lab *lab, const GcEvent *e, const char *what, uint64_t count)
{
    bool holds = e->op == GC_EXPECT_REFUSED ? count >= e->n : count == e->n;
    if (!holds)
        lab_found(lab, FOUND_BY_EXPECTATION, "%" PRIu64 " %s, the script expects %u", count, what,
                  e->n);
}

static void expect_nil(Lab *lab, const GcEvent *e)
{
    Node *node = shadow_register(lab, e->r);
    Word slot;
    if (!node || !slot_of(&node->body, e->n, &slot) || node->body.values[slot].kind != VALUE_NIL)
        lab_found(lab, FOUND_BY_EXPECTATION, "slot %u of r%u is not nil", e->n, e->r);
}

/* ---- All ---- */

void lab_perform(Lab *lab, const GcEvent *e)
{
    switch (e->op) {
    case GC_NEW: perform_new(lab, e); break;
    case GC_CLASS: perform_class(lab, e); break;
    case GC_INSTANCE: perform_instance(lab, e); break;
    case GC_ADOPT: perform_adopt(lab, e); break;
    case GC_STORE: store(lab, e, lab->registers[e->s], lab_register_oop(lab, e->s)); break;
    case GC_NUMBER: store(lab, e, (Value){VALUE_NUMBER, (int32_t)(e->m >> 2)}, NO_OOP); break;
    case GC_LOAD: perform_load(lab, e); break;
    case GC_MOVE: set_register(lab, e->r, lab->registers[e->s], lab_register_oop(lab, e->s)); break;
    case GC_CLEAR: set_register(lab, e->r, (Value){VALUE_NIL, 0}, NO_OOP); break;
    case GC_HASH: perform_hash(lab, e); break;
    case GC_BECOME: case GC_BECOME_MANY: lab_become(lab, e); break;
    case GC_PIN: case GC_UNPIN: lab_pin(lab, e); break;
    case GC_FREEZE: case GC_THAW: perform_freeze(lab, e); break;
    case GC_LITTER: perform_litter(lab, e); break;
    case GC_FILL: perform_fill(lab, e); break;
    case GC_CHAIN: perform_chain(lab, e); break;
    case GC_POLL: lab_poll(lab); break;
    case GC_SCAVENGE: lab_scavenge(lab, TENURE_BY_AGE); break;
    case GC_TENURE: lab_scavenge(lab, TENURE_ALL); break;
    case GC_COLLECT: lab_collect(lab); break;
    case GC_MOURNER: lab_next_mourner(lab, e->r); break;
    case GC_HOST: lab->commit_left = (uint64_t)e->n << 10; break;
    case GC_SNAPSHOT: lab_snapshot(lab); break;
    case GC_COLLECTOR: lab_switch_collector(lab, e->kind); break;
    case GC_TORTURE: lab_torture(lab, e->kind, e->n); break;
    case GC_EXPECT_FIRED: expect(lab, e, "ephemerons have fired", lab->flight->fired); break;
    case GC_EXPECT_LOST: expect(lab, e, "weak slots were nilled", lab->flight->lost); break;
    case GC_EXPECT_REFUSED: expect(lab, e, "allocations were refused", lab->flight->refused); break;
    case GC_EXPECT_NIL: expect_nil(lab, e); break;
    default: UNREACHABLE();
    }
}
