/* Become and pinning, done to the heap and to the shadow. */
#include "kernel/debug/gc_lab/lab.h"

/* ---- Pinning ---- */

void lab_pin(Lab *lab, const GcEvent *e)
{
    Heap *heap = lab->heap;
    Node *node = shadow_register(lab, e->r);
    if (!node)
        return;
    Oop before = lab_register_oop(lab, e->r);
    Oop after = heap->mm->ops->pin(heap->mm, before, e->op == GC_PIN);
    if (!after) {
        lab_refused(lab, node->body.slots);
        return;
    }
    if (lab_register_oop(lab, e->r) != after || (e->op == GC_PIN && heap_is_young(heap, after)) ||
        (heap_is_old(heap, before) && after != before))
        lab_found(lab, FOUND_BY_MODEL,
                  "pinning 0x%" PRIxWORD " answers 0x%" PRIxWORD ", but it is at 0x%" PRIxWORD,
                  before, after, lab_register_oop(lab, e->r));
    if (node->body.entered && heap_class_at(heap, node->hash) != after)
        lab_found(lab, FOUND_BY_MODEL,
                  "class 0x%" PRIxWORD " was pinned, but the class table names 0x%" PRIxWORD, after,
                  heap_class_at(heap, node->hash));
    node->pinned = e->op == GC_PIN;
    node->oop = after;
}

/* ---- Become ---- */

typedef struct {
    int32_t x, y; /* nodes */
    bool gone;    /* one way: its first element has been forwarded by a pair before */
} Pair;

static int changeable(const Node *node)
{
    return node->pinned ? MM_PINNED : node->body.frozen ? MM_NO_MODIFICATION : MM_OK;
}

static int expected_code(const Node *x, const Node *y, unsigned kind)
{
    int code = changeable(x);
    if (code != MM_OK || x == y)
        return code;
    if (kind == BECOME_TWO_WAY)
        return changeable(y);
    if (kind == BECOME_ONE_WAY_COPY_HASH && y->body.frozen)
        return MM_NO_MODIFICATION;
    return MM_OK;
}

/* The first pair that cannot be decides: nothing is done before all were looked at. */
static int expected_code_of_all(const Lab *lab, const Pair *pairs, unsigned count, unsigned kind)
{
    int code = MM_OK;
    for (unsigned i = 0; i < count && code == MM_OK; i++)
        code = expected_code(&lab->nodes[pairs[i].x], &lab->nodes[pairs[i].y], kind);
    return code;
}

static unsigned nth_register(unsigned number, unsigned i)
{
    return (number + i) % LAB_REGISTERS;
}

/* Answers how many pairs there are: those of two objects that are no classes. */
static unsigned take_pairs(Lab *lab, const GcEvent *e, unsigned wanted, Pair *pairs,
                           Oop oops[][2])
{
    unsigned count = 0;
    for (unsigned i = 0; i < wanted; i++) {
        unsigned r = nth_register(e->r, i), s = nth_register(e->s, i);
        Node *x = shadow_register(lab, r), *y = shadow_register(lab, s);
        if (!x || !y || x->body.shape == SHAPE_CLASS || y->body.shape == SHAPE_CLASS)
            continue;
        oops[count][0] = lab_register_oop(lab, r);
        oops[count][1] = lab_register_oop(lab, s);
        lab_give_hash(lab, x, oops[count][0]);
        lab_give_hash(lab, y, oops[count][1]);
        pairs[count++] = (Pair){lab->registers[r].n, lab->registers[s].n, false};
    }
    return count;
}

/* An Array of one side of the pairs; what it holds is taken out again, so that it keeps
 * nothing. */
static Oop array_of(Lab *lab, Oop oops[][2], unsigned side, unsigned count)
{
    Oop array = heap_new_pointers(lab->heap, count, FORMAT_INDEXABLE, CLASS_ARRAY);
    for (unsigned i = 0; array && i < count; i++)
        heap_store(lab->heap, array, i, oops[i][side]);
    return array;
}

static bool is_ghost(const Lab *lab, Oop oop)
{
    for (size_t i = 0; i < lab->count; i++)
        if (lab->nodes[i].used && lab->nodes[i].body.shape == SHAPE_GHOST &&
            lab->nodes[i].oop == oop)
            return true;
    return false;
}

/* Old objects on the way from `oop` to what it is now are forwarders, which a scavenge takes
 * for alive. */
static void note_ghosts(Lab *lab, Oop oop, int32_t target)
{
    for (; is_forwarded(oop); oop = object_slot(oop, 0))
        if (heap_is_old(lab->heap, oop) && !is_ghost(lab, oop))
            shadow_ghost(lab, oop, target);
}

/* The shadow's become, a pair after the other; what has been forwarded one way is no longer
 * there for the pairs that follow. `named` are the nodes of all references, in the end. */
static void become_in_shadow(Lab *lab, Pair *pairs, unsigned count, unsigned kind,
                             int32_t named[][2])
{
    for (unsigned i = 0; i < count; i++) {
        int32_t x = pairs[i].x, y = pairs[i].y;
        if (x == y || pairs[i].gone)
            continue;
        lab->flight->becomes++;
        shadow_become(lab, x, y, kind);
        for (unsigned j = 0; kind != BECOME_TWO_WAY && j < count; j++) {
            pairs[j].gone |= j > i && pairs[j].x == x;
            pairs[j].y = pairs[j].y == x ? y : pairs[j].y;
            named[j][0] = named[j][0] == x ? y : named[j][0];
            named[j][1] = named[j][1] == x ? y : named[j][1];
        }
    }
}

static void become(Lab *lab, unsigned kind, Oop from, Oop to, Pair *pairs, Oop oops[][2],
                   unsigned count)
{
    Mm *mm = lab->heap->mm;
    int32_t named[LAB_REGISTERS][2];
    int expected = expected_code_of_all(lab, pairs, count, kind);
    int code = mm->ops->become(mm, from, to, (BecomeKind)kind);
    object_fill(from, 0, count, lab->heap->nil);
    object_fill(to, 0, count, lab->heap->nil);
    if (code != expected && !(expected == MM_OK && code == MM_NO_MEMORY))
        lab_found(lab, FOUND_BY_MODEL,
                  "become of %u pairs, the first 0x%" PRIxWORD " and 0x%" PRIxWORD
                  ", answers %d instead of %d",
                  count, oops[0][0], oops[0][1], code, expected);
    if (code != MM_OK)
        return;
    for (unsigned i = 0; i < count; i++) {
        named[i][0] = pairs[i].x;
        named[i][1] = pairs[i].y;
    }
    become_in_shadow(lab, pairs, count, kind, named);
    for (unsigned i = 0; i < 2 * count; i++)
        note_ghosts(lab, oops[i / 2][i % 2], named[i / 2][i % 2]);
}

void lab_become(Lab *lab, const GcEvent *e)
{
    Pair pairs[LAB_REGISTERS];
    Oop oops[LAB_REGISTERS][2];
    unsigned wanted = e->op == GC_BECOME ? 1 : e->n % LAB_REGISTERS + 1;
    unsigned count = take_pairs(lab, e, wanted, pairs, oops);
    if (!count)
        return;
    Oop from = array_of(lab, oops, 0, count), to = array_of(lab, oops, 1, count);
    if (from && to)
        become(lab, e->kind, from, to, pairs, oops, count);
    else
        lab_refused(lab, count);
}
