/* Random events against a model: the manager's heap and a shadow of it (shadow.h), walked in lock step
 * after each collection.
 *
 * To a scavenge all of old space is a root, dead or not. So nodes stay known while they are old (`also`
 * is their oop), or while an old forwarder leads to them (`also` is its oop), until a full collection
 * has reclaimed what is dead. A full collection is a scavenge, whose mourners are roots, and then one
 * from the roots alone.
 */
#include "mm_suite.h"
#include "shadow.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

static Shadow shadow;
static size_t other_objects; /* not of the shadow: the image */

static size_t count_objects(void)
{
    size_t count = 0;
    Mm *mm = rig.mm;
    for (Oop object = mm->ops->first_object(mm); object; object = mm->ops->next_object(mm, object))
        count++;
    return count;
}

/* ---- Events ---- */

static void allocate(void)
{
    Node shape = shadow_shape(&shadow);
    bool old = shadow_below(&shadow, 8) == 0;
    Oop object = new_object(old, shape.slots, shape.format, shape.class_index);
    if (!object) {
        shadow_differs(&shadow, "%" PRIuWORD " slots are refused where there is memory", shape.slots);
        return;
    }
    shape.hash = heap_identity_hash(heap, object);
    shape.also = heap_is_old(heap, object) ? object : NO_OOP;
    shadow_add(&shadow, &shape, object);
}

static Node *random_node(void)
{
    int64_t number = shadow_random_node(&shadow);
    return number < 0 ? NULL : &shadow.nodes[number];
}

static void pin(void)
{
    Node *node = random_node();
    if (!node)
        return;
    node->pinned = shadow_below(&shadow, 4) == 0;
    node->oop = rig.mm->ops->pin(rig.mm, node->oop, node->pinned);
    if (heap_is_old(heap, node->oop))
        node->also = node->oop;
}

/* References, hash and place stay with the node; the rest is the other's from now on. */
static void exchange(Node *x, Node *y)
{
    Node contents_x = *x, contents_y = *y;
    *x = contents_y;
    *y = contents_x;
    x->hash = contents_x.hash;
    y->hash = contents_y.hash;
    x->pinned = y->pinned = false;
    x->oop = follow(contents_x.oop);
    y->oop = follow(contents_y.oop);
    x->also = contents_x.also;
    y->also = contents_y.also;
}

static int expected_code(const Node *x, const Node *y, BecomeKind kind)
{
    return x->pinned || (kind == BECOME_TWO_WAY && x != y && y->pinned) ? MM_PINNED : MM_OK;
}

static void become(void)
{
    BecomeKind kind = (BecomeKind)shadow_below(&shadow, 3);
    Node *x = random_node(), *y = random_node();
    if (!x || !y)
        return;
    int expected = expected_code(x, y, kind), code = become_one(x->oop, y->oop, kind);
    if (code != expected)
        shadow_differs(&shadow, "become answers %d, expected %d", code, expected);
    if (code != MM_OK || x == y)
        return;
    if (kind == BECOME_TWO_WAY) {
        exchange(x, y);
        return;
    }
    x->became = y - shadow.nodes;
    if (kind == BECOME_ONE_WAY_COPY_HASH)
        y->hash = x->hash;
    if (!y->also)
        y->also = x->also;
}

static void event(void)
{
    Word dice = shadow_below(&shadow, 200);
    if (dice < 110)
        allocate();
    else if (dice < 165)
        shadow_mutate(&shadow);
    else if (dice < 188)
        shadow_change_root(&shadow);
    else if (dice < 194)
        pin();
    else
        become();
}

/* ---- Collections ---- */

static void root_all(bool (*is_root)(const Node *node))
{
    for (size_t i = 0; i < shadow.count; i++)
        if (shadow.nodes[i].used && shadow.nodes[i].became < 0 && is_root(&shadow.nodes[i]))
            shadow_model_root(&shadow, &shadow.nodes[i]);
}

static bool is_known(const Node *node)
{
    return node->also != NO_OOP;
}

static bool is_fired(const Node *node)
{
    return node->fired;
}

/* Answers how many ephemerons fire. */
static size_t model(bool full)
{
    for (size_t i = 0; i < shadow.count; i++)
        shadow.nodes[i].fired = false;
    shadow_model_begin(&shadow);
    root_all(is_known);
    size_t fired = shadow_model_end(&shadow);
    if (!full)
        return fired;
    shadow_model_begin(&shadow);
    root_all(is_fired);
    return fired + shadow_model_end(&shadow);
}

/* The node that this mourner must be. */
static Node *fired_node(Oop mourner)
{
    for (size_t i = 0; i < shadow.count; i++)
        if (shadow.nodes[i].fired && shadow.nodes[i].hash == header_hash(header_of(mourner)))
            return &shadow.nodes[i];
    return NULL;
}

static void empty_queue(size_t expected)
{
    size_t count = 0;
    for (Oop mourner; (mourner = rig.mm->ops->next_mourner(rig.mm)); count++) {
        Node *node = fired_node(mourner);
        if (node) {
            node->fired = false;
            if (!node->also)
                node->also = mourner;
        } else
            shadow_differs(&shadow, "0x%" PRIxWORD " mourns and should not", mourner);
    }
    if (count != expected)
        shadow_differs(&shadow, "%zu ephemerons mourn, %zu expected", count, expected);
}

/* Where nodes are now; what a full collection left of old forwarders nobody refers to. */
static void note_places(void)
{
    for (size_t i = 0; i < shadow.count; i++) {
        Node *node = &shadow.nodes[i];
        if (node->used && heap_is_old(heap, node->oop))
            node->also = node->oop;
        else if (node->also && heap_is_young(heap, node->also))
            node->also = NO_OOP;
    }
}

static void collect(bool full, TenurePolicy policy)
{
    bool reclaims = full && suite.reclaims;
    size_t fired = model(reclaims);
    if (full)
        rig.mm->ops->collect_full(rig.mm);
    else
        rig.mm->ops->scavenge(rig.mm, policy);
    if (reclaims)
        for (size_t i = 0; i < shadow.count; i++)
            shadow.nodes[i].also = NO_OOP;
    shadow.forwarders = !reclaims;
    empty_queue(fired);
    shadow_compare(&shadow);
    note_places();
    Word live = shadow_drop_dead(&shadow);
    shadow.errors += mm_rig_check(&rig);
    if (reclaims && !shadow.errors && count_objects() != live + other_objects)
        shadow_differs(&shadow, "%zu objects are left, %zu expected", count_objects(),
                       (size_t)live + other_objects);
}

static void random_events(uint64_t seed, const MmConfig *config, const char *what)
{
    enum { ROUNDS = 16 };
    size_t events = 0;
    suite_open(64 * MIB, config);
    rig.random = seed * 0x9E3779B97F4A7C15u;
    rig.mm->ops->collect_full(rig.mm);
    other_objects = count_objects();
    shadow_open(&shadow, rig.host, &rig.random, 40);
    for (int round = 0; round < ROUNDS && !shadow.errors; round++) {
        for (Word left = 100 + shadow_below(&shadow, 1500); left && !shadow.errors; left--, events++)
            event();
        Word dice = shadow_below(&shadow, 8);
        collect(dice == 0 || round == ROUNDS - 1, dice < 3 ? TENURE_ALL : TENURE_BY_AGE);
    }
    ok(!shadow.errors, "%s, seed %" PRIu64 ": %zu random events agree with the model", what, seed, events);
    shadow_close(&shadow);
    suite_close("random events");
}

void mm_suite_random(void)
{
    for (uint64_t seed = 1; seed <= suite.seeds; seed++) {
        random_events(seed, NULL, "an ample heap");
        random_events(seed, &(MmConfig){.eden_bytes = 64 * KIB, .grow_headroom = 64 * KIB,
                                        .shrink_threshold = 64 * KIB}, "a small eden");
    }
}
