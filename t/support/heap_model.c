#include "heap_model.h"

#include <stdarg.h>

static void differ(Model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void differ(Model *m, const char *format, ...)
{
    if (m->failures++ > 10)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("# event %" PRIu64 ": ", m->events);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

static unsigned pick(Model *m, unsigned below)
{
    return (unsigned)((mm_rig_random(m->rig) >> 33) % below);
}

/* ---- Shapes ---- */

static int tag_slot(Kind kind)
{
    return kind == KIND_EPHEMERON || kind == KIND_FIRED ? 2 : kind == KIND_METHOD ? 1 : 0;
}

static int first_ref(Kind kind)
{
    return kind == KIND_EPHEMERON || kind == KIND_FIRED ? 0 : kind == KIND_METHOD ? 2 : 1;
}

static int ref_count(Model *m, Kind kind)
{
    if (kind == KIND_FIXED || kind == KIND_EPHEMERON)
        return 2;
    if (kind == KIND_BYTES)
        return 4 + (int)pick(m, pick(m, 3) ? 40 : m->large_bytes);
    return 1 + (int)pick(m, pick(m, 40) ? 8 : kind == KIND_METHOD ? 400 : m->large_refs);
}

static Oop new_object(Heap *heap, Kind kind, int count, bool old)
{
    static const struct {
        unsigned format;
        Word class_index;
    } shapes[] = {
        [KIND_FIXED] = {FORMAT_FIXED, MOCK_FIXED},
        [KIND_ARRAY] = {FORMAT_INDEXABLE, CLASS_ARRAY},
        [KIND_VARIABLE] = {FORMAT_INDEXABLE_FIXED, MOCK_VARIABLE},
        [KIND_WEAK] = {FORMAT_WEAK, MOCK_WEAK},
        [KIND_EPHEMERON] = {FORMAT_EPHEMERON, MOCK_EPHEMERON},
        [KIND_METHOD] = {FORMAT_CODE, MOCK_METHOD},
    };
    if (kind == KIND_BYTES)
        return heap_new_bytes(heap, (Word)count, MOCK_BYTE_ARRAY);
    Word slots = (Word)count + 1 + (kind == KIND_METHOD ? 3 : 0);
    if (!old)
        return heap_new_pointers(heap, slots, shapes[kind].format, shapes[kind].class_index);
    Oop object = heap->mm->ops->allocate_old(heap->mm, slots, shapes[kind].format,
                                             shapes[kind].class_index);
    if (object)
        object_fill(object, 0, slots, heap->nil);
    return object;
}

static void fill_object(Heap *heap, Oop object, const Contents *c)
{
    if (c->kind == KIND_BYTES) {
        memset(object_bytes(object), c->tag & 0xFF, (size_t)c->count);
        memcpy(object_bytes(object), &c->tag, 4);
        return;
    }
    object_slots(object)[tag_slot(c->kind)] = small_integer_oop(c->tag);
    if (c->kind == KIND_METHOD) {
        Word slots = object_slot_count(object);
        object_slots(object)[0] = small_integer_oop(c->count + 1);
        for (Word i = (Word)c->count + 2; i < slots; i++)
            object_slots(object)[i] = 0x08; /* bytecodes: no reference, whatever they look like */
    }
}

static int heap_tag(Oop object)
{
    unsigned format = object_format(object);
    if (format_is_bytes(format)) {
        int tag;
        memcpy(&tag, object_bytes(object), 4);
        return tag;
    }
    Kind kind = object_class_index(object) == MOCK_EPHEMERON ? KIND_EPHEMERON
                : format_is_code(format)                     ? KIND_METHOD
                                                             : KIND_FIXED;
    Oop tag = object_slot(object, (Word)tag_slot(kind));
    return is_small_integer(tag) ? (int)small_integer_value(tag) : -1;
}

/* ---- The model's collection ---- */

static void reach(Model *m, int node)
{
    if (node != MODEL_NIL && !m->live[node]) {
        m->live[node] = true;
        m->stack[m->depth++] = node;
    }
}

static void reach_contents(Model *m, int node)
{
    const Contents *c = &m->nodes[node].contents;
    for (int i = 0; c->kind != KIND_BYTES && i < c->count; i++)
        reach(m, c->refs[i]);
}

static bool key_lives(Model *m, int node)
{
    int key = m->nodes[node].contents.refs[0];
    return key == MODEL_NIL || m->live[key];
}

static void reach_all(Model *m)
{
    while (m->depth) {
        int node = m->stack[--m->depth];
        Kind kind = m->nodes[node].contents.kind;
        if (kind != KIND_WEAK && (kind != KIND_EPHEMERON || key_lives(m, node)))
            reach_contents(m, node);
    }
}

/* Live ephemerons whose key lives by now: their contents live. Until none is left. */
static void reach_through_ephemerons(Model *m)
{
    for (bool again = true; again;) {
        again = false;
        reach_all(m);
        for (int i = 0; i < MODEL_NODES; i++) {
            const Contents *c = &m->nodes[i].contents;
            if (!m->nodes[i].used || !m->live[i] || c->kind != KIND_EPHEMERON || !key_lives(m, i))
                continue;
            if (c->refs[1] != MODEL_NIL && !m->live[c->refs[1]]) {
                reach_contents(m, i);
                again = true;
            }
        }
    }
}

/* Sets `live`; with `fire`, ephemerons fire and `mourned` says which. */
static void trace(Model *m, bool fire)
{
    memset(m->live, 0, sizeof m->live);
    memset(m->mourned, 0, sizeof m->mourned);
    for (int i = 0; i < MODEL_ROOTS; i++)
        reach(m, m->roots[i]);
    for (bool again = true; again;) {
        reach_through_ephemerons(m);
        again = false;
        bool fires[MODEL_NODES];
        for (int i = 0; i < MODEL_NODES; i++)
            fires[i] = fire && m->nodes[i].used && m->live[i] &&
                       m->nodes[i].contents.kind == KIND_EPHEMERON && !m->mourned[i] &&
                       !key_lives(m, i);
        for (int i = 0; i < MODEL_NODES; i++)
            if (fires[i]) {
                m->mourned[i] = again = true;
                m->nodes[i].contents.kind = KIND_FIRED;
                reach_contents(m, i);
            }
    }
}

static void free_node(Model *m, int i)
{
    free(m->nodes[i].contents.refs);
    m->nodes[i] = (Node){0};
}

/* What is not live is gone. */
static void reclaim(Model *m)
{
    for (int i = 0; i < MODEL_NODES; i++) {
        Contents *c = &m->nodes[i].contents;
        if (!m->nodes[i].used)
            continue;
        if (!m->live[i])
            free_node(m, i);
        else if (c->kind == KIND_WEAK)
            for (int j = 0; j < c->count; j++)
                if (c->refs[j] != MODEL_NIL && !m->live[c->refs[j]]) {
                    c->refs[j] = MODEL_NIL;
                    m->cleared++;
                }
    }
}

/* ---- Comparing ---- */

static void match(Model *m, int from, int node, Oop oop)
{
    oop = follow(oop);
    if (node == MODEL_NIL || oop == m->rig->heap->nil) {
        if (node != MODEL_NIL || oop != m->rig->heap->nil)
            differ(m, "node %d: reference to node %d is 0x%" PRIxWORD, from, node, oop);
    } else if (is_immediate(oop))
        differ(m, "node %d: reference to node %d is an immediate", from, node);
    else if (!m->oops[node]) {
        m->oops[node] = oop;
        m->stack[m->depth++] = node;
    } else if (m->oops[node] != oop)
        differ(m, "node %d is at 0x%" PRIxWORD " and at 0x%" PRIxWORD, node, m->oops[node], oop);
}

/* A weak slot of the heap may be nil already where the model's is not. */
static bool weak_slot_lost(Model *m, Contents *c, int i, Oop value)
{
    if (c->kind != KIND_WEAK || value != m->rig->heap->nil || c->refs[i] == MODEL_NIL)
        return false;
    if (m->live[c->refs[i]])
        return false;
    c->refs[i] = MODEL_NIL;
    m->cleared++;
    return true;
}

static void match_node(Model *m, int node)
{
    Contents *c = &m->nodes[node].contents;
    Oop object = m->oops[node];
    unsigned format = object_format(object);
    if (heap_tag(object) != c->tag) {
        differ(m, "node %d has tag %d instead of %d", node, heap_tag(object), c->tag);
        return;
    }
    unsigned hash = header_hash(header_of(object));
    if (m->nodes[node].hash && hash != m->nodes[node].hash)
        differ(m, "node %d has hash %u instead of %u", node, hash, m->nodes[node].hash);
    if ((format == FORMAT_EPHEMERON) != (c->kind == KIND_EPHEMERON))
        differ(m, "node %d (tag %d): format is %u", node, c->tag, format);
    if (c->kind == KIND_BYTES) {
        for (int i = 4; i < c->count; i++)
            if (object_bytes(object)[i] != (c->tag & 0xFF)) {
                differ(m, "node %d: byte %d is wrong", node, i);
                return;
            }
        return;
    }
    for (int i = 0; i < c->count; i++) {
        Oop value = follow(object_slot(object, (Word)(first_ref(c->kind) + i)));
        if (!weak_slot_lost(m, c, i, value))
            match(m, node, c->refs[i], value);
    }
}

void model_compare(Model *m)
{
    memset(m->oops, 0, sizeof m->oops);
    for (int i = 0; i < MODEL_ROOTS; i++)
        match(m, -1, m->roots[i], mock_root(m->rig->host, (size_t)i));
    while (m->depth)
        match_node(m, m->stack[--m->depth]);
}

/* ---- Collections ---- */

static int node_with_tag(Model *m, int tag)
{
    for (int i = 0; i < MODEL_NODES; i++)
        if (m->nodes[i].used && m->nodes[i].contents.tag == tag)
            return i;
    return MODEL_NIL;
}

/* Takes the queue; each mourner may become a root. `exact`: all have to be there. */
static void take_mourners(Model *m, bool exact)
{
    Mm *mm = m->rig->mm;
    for (Oop oop; (oop = mm->ops->next_mourner(mm));) {
        int node = node_with_tag(m, heap_tag(oop));
        m->fired++;
        if (node == MODEL_NIL) {
            differ(m, "a mourner is no object of the model");
            continue;
        }
        Contents *c = &m->nodes[node].contents;
        if (exact && !m->mourned[node])
            differ(m, "ephemeron %d fired, against the model", node);
        if (!exact && (c->kind != KIND_EPHEMERON || key_lives(m, node)))
            differ(m, "ephemeron %d fired in a scavenge though its key lives", node);
        m->mourned[node] = false;
        c->kind = KIND_FIRED;
        if (pick(m, 2)) {
            int root = (int)pick(m, MODEL_ROOTS);
            m->roots[root] = node;
            mock_root_set(m->rig->host, (size_t)root, oop);
        }
    }
    for (int i = 0; exact && i < MODEL_NODES; i++)
        if (m->mourned[i])
            differ(m, "ephemeron %d did not fire", i);
}

static void check_heap(Model *m)
{
    size_t findings = mm_rig_check(m->rig);
    if (findings)
        differ(m, "the leak check has %zu findings", findings);
}

void model_scavenge(Model *m, TenurePolicy policy)
{
    trace(m, false);
    m->rig->mm->ops->scavenge(m->rig->mm, policy);
    check_heap(m);
    take_mourners(m, false);
    model_compare(m);
}

void model_collect_full(Model *m)
{
    /* First the scavenge that a full collection begins with: it may fire more, by
     * what old garbage holds. */
    model_scavenge(m, TENURE_ALL);
    trace(m, true);
    reclaim(m);
    m->rig->mm->ops->collect_full(m->rig->mm);
    check_heap(m);
    take_mourners(m, true);
    memset(m->live, 1, sizeof m->live); /* now no weak slot may differ */
    model_compare(m);
}

static void poll(Model *m)
{
    Mm *mm = m->rig->mm;
    if (!mm->ops->collection_due(mm))
        return;
    if (pick(m, 8))
        model_scavenge(m, TENURE_BY_AGE);
    else
        model_collect_full(m);
}

/* ---- Events ---- */

/* A random walk from a random root. */
static int pick_node(Model *m, Oop *oop)
{
    int root = (int)pick(m, MODEL_ROOTS), node = m->roots[root];
    if (node == MODEL_NIL)
        return MODEL_NIL;
    *oop = follow(mock_root(m->rig->host, (size_t)root));
    for (unsigned steps = pick(m, 6); steps; steps--) {
        const Contents *c = &m->nodes[node].contents;
        if (c->kind == KIND_BYTES)
            break;
        int i = (int)pick(m, (unsigned)c->count);
        Oop next = follow(object_slot(*oop, (Word)(first_ref(c->kind) + i)));
        if (c->refs[i] == MODEL_NIL || is_immediate(next) || next == m->rig->heap->nil)
            break; /* a weak slot may be nil in the heap only */
        node = c->refs[i];
        *oop = next;
    }
    return node;
}

static void set_root(Model *m, int root, int node, Oop oop)
{
    m->roots[root] = node;
    mock_root_set(m->rig->host, (size_t)root, oop);
}

static int free_index(Model *m)
{
    for (int i = 0; i < MODEL_NODES; i++)
        if (!m->nodes[i].used)
            return i;
    return MODEL_NIL;
}

static void event_allocate(Model *m)
{
    Heap *heap = m->rig->heap;
    int node = free_index(m);
    if (node == MODEL_NIL) {
        model_drop_roots(m, 10);
        model_collect_full(m);
        return;
    }
    Contents c = {.kind = (Kind)pick(m, KINDS), .tag = m->next_tag};
    c.count = ref_count(m, c.kind);
    Oop oop = new_object(heap, c.kind, c.count, c.kind != KIND_BYTES && pick(m, 6) == 0);
    if (!oop) {
        m->refused++;
        model_drop_roots(m, 4);
        return;
    }
    m->next_tag++;
    c.refs = malloc(sizeof(int) * (size_t)(c.count + 1));
    for (int i = 0; i < c.count; i++)
        c.refs[i] = MODEL_NIL;
    fill_object(heap, oop, &c);
    m->nodes[node] = (Node){.contents = c, .used = true};
    for (int i = 0; c.kind != KIND_BYTES && i < c.count && i < 12; i++) {
        Oop target;
        int other = pick(m, 3) ? pick_node(m, &target) : MODEL_NIL;
        if (other == MODEL_NIL)
            continue;
        c.refs[i] = other;
        heap_store(heap, oop, (Word)(first_ref(c.kind) + i), target);
    }
    set_root(m, (int)pick(m, MODEL_ROOTS), node, oop);
}

static void event_store(Model *m)
{
    Oop oop, target = m->rig->heap->nil;
    int node = pick_node(m, &oop);
    if (node == MODEL_NIL || m->nodes[node].contents.kind == KIND_BYTES)
        return;
    Contents *c = &m->nodes[node].contents;
    int other = pick(m, 5) ? pick_node(m, &target) : MODEL_NIL;
    int i = (int)pick(m, (unsigned)c->count);
    c->refs[i] = other;
    heap_store(m->rig->heap, oop, (Word)(first_ref(c->kind) + i),
               other == MODEL_NIL ? m->rig->heap->nil : target);
}

static void event_hash(Model *m)
{
    Oop oop;
    int node = pick_node(m, &oop);
    if (node != MODEL_NIL)
        m->nodes[node].hash = heap_identity_hash(m->rig->heap, oop);
}

static void replace_everywhere(Model *m, int x, int y)
{
    for (int i = 0; i < MODEL_NODES; i++) {
        Contents *c = &m->nodes[i].contents;
        for (int j = 0; m->nodes[i].used && c->kind != KIND_BYTES && j < c->count; j++)
            if (c->refs[j] == x)
                c->refs[j] = y;
    }
    for (int i = 0; i < MODEL_ROOTS; i++)
        if (m->roots[i] == x)
            m->roots[i] = y;
}

static void become_in_model(Model *m, int x, int y, BecomeKind kind)
{
    if (kind == BECOME_TWO_WAY) {
        Contents c = m->nodes[x].contents;
        m->nodes[x].contents = m->nodes[y].contents;
        m->nodes[y].contents = c;
        return;
    }
    if (kind == BECOME_ONE_WAY_COPY_HASH)
        m->nodes[y].hash = m->nodes[x].hash;
    replace_everywhere(m, x, y);
}

static int expected_become_code(Oop x, Oop y, BecomeKind kind)
{
    if (header_is_pinned(header_of(x)))
        return MM_PINNED;
    if (x != y && kind == BECOME_TWO_WAY && header_is_pinned(header_of(y)))
        return MM_PINNED;
    return MM_OK;
}

static void event_become(Model *m)
{
    Heap *heap = m->rig->heap;
    Oop x, y;
    int node_x = pick_node(m, &x), node_y = pick_node(m, &y);
    if (node_x == MODEL_NIL || node_y == MODEL_NIL)
        return;
    /* The hash is part of what is checked. */
    m->nodes[node_x].hash = heap_identity_hash(heap, x);
    BecomeKind kind = (BecomeKind)pick(m, 3);
    Oop from = heap_new_pointers(heap, 1, FORMAT_INDEXABLE, CLASS_ARRAY);
    Oop to = heap_new_pointers(heap, 1, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (!from || !to)
        return;
    heap_store(heap, from, 0, x);
    heap_store(heap, to, 0, y);
    int expected = expected_become_code(x, y, kind);
    int code = heap->mm->ops->become(heap->mm, from, to, kind);
    if (code != expected && !(expected == MM_OK && code == MM_NO_MEMORY))
        differ(m, "become answers %d instead of %d", code, expected);
    if (code == MM_OK && node_x != node_y)
        become_in_model(m, node_x, node_y, kind);
}

static void event_pin(Model *m)
{
    Oop oop;
    int node = pick_node(m, &oop);
    if (node == MODEL_NIL)
        return;
    bool pin = pick(m, 3) == 0;
    Oop pinned = m->rig->mm->ops->pin(m->rig->mm, oop, pin);
    if (pinned && pin && (heap_is_young(m->rig->heap, pinned) ||
                          !header_is_pinned(header_of(pinned)) || follow(oop) != pinned))
        differ(m, "node %d is pinned badly", node);
}

void model_drop_roots(Model *m, int count)
{
    while (count-- > 0)
        set_root(m, (int)pick(m, MODEL_ROOTS), MODEL_NIL, m->rig->heap->nil);
}

void model_event(Model *m)
{
    m->events++;
    unsigned event = pick(m, 1000);
    if (event < 560)
        event_allocate(m);
    else if (event < 880)
        event_store(m);
    else if (event < 930)
        event_hash(m);
    else if (event < 960)
        event_become(m);
    else if (event < 970)
        event_pin(m);
    else if (event < 990)
        model_drop_roots(m, 1);
    else if (event < 996)
        model_scavenge(m, TENURE_BY_AGE);
    else if (event < 998)
        model_scavenge(m, TENURE_ALL);
    else if (event < 999)
        model_collect_full(m);
    else
        model_compare(m);
    poll(m);
}

void model_open(Model *m, MmRig *rig)
{
    memset(m, 0, sizeof *m);
    m->rig = rig;
    m->next_tag = 1;
    m->large_bytes = 4000;
    m->large_refs = 400;
    for (int i = 0; i < MODEL_ROOTS; i++) {
        m->roots[i] = MODEL_NIL;
        mock_root_push(rig->host, rig->heap->nil);
    }
}

void model_close(Model *m)
{
    for (int i = 0; i < MODEL_NODES; i++)
        if (m->nodes[i].used)
            free_node(m, i);
}
