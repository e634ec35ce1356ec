#include "shadow.h"

#include <stdarg.h>

void shadow_differs(Shadow *shadow, const char *format, ...)
{
    va_list arguments;
    if (++shadow->errors > 10)
        return;
    va_start(arguments, format);
    printf("#   ");
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

Word shadow_below(Shadow *shadow, Word limit)
{
    return (Word)(mock_random(shadow->random) >> 24) % limit;
}

int64_t shadow_resolve(const Shadow *shadow, int64_t number)
{
    while (shadow->nodes[number].became >= 0)
        number = shadow->nodes[number].became;
    return number;
}

/* ---- Values ---- */

static Oop oop_of(const Shadow *shadow, Value value)
{
    if (value.kind == VALUE_NIL)
        return shadow->heap->nil;
    if (value.kind == VALUE_INTEGER)
        return small_integer_oop((SWord)value.value);
    return shadow->nodes[value.value].oop;
}

int64_t shadow_random_node(Shadow *shadow)
{
    Value at = shadow->roots[shadow_below(shadow, (Word)shadow->root_count)];
    int64_t found = -1;
    for (Word steps = 1 + shadow_below(shadow, 12); steps && at.kind == VALUE_NODE; steps--) {
        found = shadow_resolve(shadow, at.value);
        Node *node = &shadow->nodes[found];
        if (node->first == node->end)
            break;
        at = node->values[node->first + shadow_below(shadow, node->end - node->first)];
        if (node->format == FORMAT_WEAK || node->format == FORMAT_EPHEMERON)
            break; /* what lies behind may be dead: let it die */
    }
    return found;
}

static Value random_value(Shadow *shadow)
{
    Word dice = shadow_below(shadow, 8);
    int64_t node = dice < 5 ? shadow_random_node(shadow) : -1;
    if (node >= 0)
        return (Value){VALUE_NODE, node};
    if (dice == 7)
        return (Value){VALUE_INTEGER, (int64_t)shadow_below(shadow, 100000) - 50000};
    return (Value){VALUE_NIL, 0};
}

static void store(Shadow *shadow, Node *node, Word slot, Value value)
{
    node->values[slot] = value;
    heap_store(shadow->heap, node->oop, slot, oop_of(shadow, value));
}

/* ---- Nodes ---- */

static int64_t node_new(Shadow *shadow)
{
    for (size_t tries = 0; tries < 4 && shadow->count; tries++) {
        size_t i = shadow_below(shadow, (Word)shadow->count);
        if (!shadow->nodes[i].used)
            return (int64_t)i;
    }
    if (shadow->count == shadow->capacity) {
        shadow->capacity = shadow->capacity ? 2 * shadow->capacity : 1024;
        shadow->nodes = realloc(shadow->nodes, shadow->capacity * sizeof(Node));
        REQUIRE(shadow->nodes, "no memory for the shadow");
    }
    shadow->nodes[shadow->count] = (Node){0};
    return (int64_t)shadow->count++;
}

/* Shape of a random node; slots, format and class. */
Node shadow_shape(Shadow *shadow)
{
    Word size = shadow_below(shadow, 10);
    Word few = size < 7 ? shadow_below(shadow, 6) : size < 9 ? shadow_below(shadow, 40)
                                                             : shadow_below(shadow, 1200);
    switch (shadow_below(shadow, 12)) {
    case 0: return (Node){.format = FORMAT_EMPTY, .class_index = MOCK_EMPTY};
    case 1: return (Node){.format = FORMAT_INDEXABLE_FIXED, .class_index = MOCK_VARIABLE,
                          .slots = 2 + few, .end = 2 + few};
    case 2: return (Node){.format = FORMAT_WEAK, .class_index = MOCK_WEAK, .slots = 1 + few,
                          .end = 1 + few, .strong = 1};
    case 3: return (Node){.format = FORMAT_WEAK, .class_index = MOCK_WEAK_ARRAY, .slots = few,
                          .end = few};
    case 4: return (Node){.format = FORMAT_EPHEMERON, .class_index = MOCK_EPHEMERON, .slots = 3,
                          .end = 3};
    case 5: return (Node){.format = FORMAT_CODE, .class_index = MOCK_METHOD,
                          .slots = 1 + few + shadow_below(shadow, 9), .first = 1, .end = 1 + few};
    case 6: return (Node){.format = FORMAT_BYTES, .class_index = CLASS_BYTE_STRING, .slots = few};
    case 7: return (Node){.format = FORMAT_WORDS32, .class_index = CLASS_BITMAP, .slots = few};
    case 8: return (Node){.format = FORMAT_INDEXABLE, .class_index = CLASS_ARRAY, .slots = few,
                          .end = few};
    default: return (Node){.format = FORMAT_FIXED, .class_index = MOCK_FIXED, .slots = 3, .end = 3};
    }
}

static uint8_t content_byte(const Node *node, Word index)
{
    return (uint8_t)((node->contents + index * 0x9E3779B9u) >> 13);
}

static void fill_contents(Shadow *shadow, Node *node)
{
    Word slots = node->slots * WORD_BYTES, from = node->end * WORD_BYTES;
    node->contents = mock_random(shadow->random) >> 8;
    if (format_is_code(node->format)) {
        object_slots(node->oop)[0] = small_integer_oop((SWord)(node->end - 1));
        object_fill(node->oop, 1, node->end, shadow->heap->nil);
    }
    for (Word i = from; i < slots; i++)
        object_bytes(node->oop)[i] = content_byte(node, i);
}

/* Makes the node that `object` now is, every slot a random value. */
Node *shadow_add(Shadow *shadow, const Node *shape, Oop object)
{
    int64_t number = node_new(shadow);
    Node *node = &shadow->nodes[number];
    *node = *shape;
    node->oop = object;
    node->used = true;
    node->became = -1;
    node->values = calloc(node->slots + 1, sizeof(Value));
    REQUIRE(node->values, "no memory for the shadow");
    fill_contents(shadow, node);
    for (Word i = node->first; i < node->end; i++)
        if (i < 8 || shadow_below(shadow, 8) == 0)
            store(shadow, node, i, random_value(shadow));
    size_t root = shadow_below(shadow, (Word)shadow->root_count);
    shadow->roots[root] = (Value){VALUE_NODE, number};
    mock_root_set(shadow->host, shadow->first_root + root, node->oop);
    return node;
}

void shadow_mutate(Shadow *shadow)
{
    int64_t number = shadow_random_node(shadow);
    if (number < 0)
        return;
    Node *node = &shadow->nodes[number];
    if (node->first < node->end)
        store(shadow, node, node->first + shadow_below(shadow, node->end - node->first),
              random_value(shadow));
}

void shadow_change_root(Shadow *shadow)
{
    size_t root = shadow_below(shadow, (Word)shadow->root_count);
    shadow->roots[root] = random_value(shadow);
    mock_root_set(shadow->host, shadow->first_root + root,
                  oop_of(shadow, shadow->roots[root]));
}

/* ---- The model of liveness: repeat until nothing changes ---- */

static bool value_is_live(const Shadow *shadow, Value value)
{
    return value.kind != VALUE_NODE || shadow->nodes[shadow_resolve(shadow, value.value)].live;
}

static bool make_live(Shadow *shadow, Value value)
{
    if (value_is_live(shadow, value))
        return false;
    shadow->nodes[shadow_resolve(shadow, value.value)].live = true;
    return true;
}

static bool spread(Shadow *shadow, Node *node)
{
    bool changed = false;
    Word end = node->format == FORMAT_WEAK ? node->strong : node->end;
    if (node->format == FORMAT_EPHEMERON && !value_is_live(shadow, node->values[0]))
        return false;
    for (Word i = node->first; i < end; i++)
        changed |= make_live(shadow, node->values[i]);
    return changed;
}

static void spread_all(Shadow *shadow)
{
    bool changed;
    do {
        changed = false;
        for (size_t i = 0; i < shadow->count; i++)
            if (shadow->nodes[i].live)
                changed |= spread(shadow, &shadow->nodes[i]);
    } while (changed);
}

/* Live ephemerons with a dead key become ordinary objects; answers their number. */
static size_t fire(Shadow *shadow)
{
    size_t fired = 0;
    for (size_t i = 0; i < shadow->count; i++) {
        Node *node = &shadow->nodes[i];
        bool fires = node->live && node->format == FORMAT_EPHEMERON &&
                     !value_is_live(shadow, node->values[0]);
        node->seen = fires;
        node->fired |= fires;
        fired += fires;
    }
    for (size_t i = 0; i < shadow->count; i++)
        if (shadow->nodes[i].seen)
            shadow->nodes[i].format = FORMAT_FIXED;
    return fired;
}

void shadow_model_begin(Shadow *shadow)
{
    for (size_t i = 0; i < shadow->count; i++)
        shadow->nodes[i].live = false;
    for (size_t i = 0; i < shadow->root_count; i++)
        make_live(shadow, shadow->roots[i]);
}

void shadow_model_root(Shadow *shadow, Node *node)
{
    node->live = true;
}

size_t shadow_model_end(Shadow *shadow)
{
    size_t fired = 0, now;
    do {
        spread_all(shadow);
        fired += now = fire(shadow);
    } while (now);
    for (size_t i = 0; i < shadow->count; i++) {
        Node *node = &shadow->nodes[i];
        if (node->live && node->format == FORMAT_WEAK)
            for (Word slot = node->strong; slot < node->end; slot++)
                if (!value_is_live(shadow, node->values[slot]))
                    node->values[slot] = (Value){VALUE_NIL, 0};
        node->seen = false;
    }
    return fired;
}

/* ---- Comparison ---- */

static void compare_shape(Shadow *shadow, size_t number, const Node *node, Oop oop)
{
    bool stays = node->pinned || node->young;
    if (node->hash && header_hash(header_of(oop)) != node->hash)
        shadow_differs(shadow, "node %zu at 0x%" PRIxWORD " has hash %u; expected %u", number, oop,
                       header_hash(header_of(oop)), node->hash);
    if (stays && oop != node->oop)
        shadow_differs(shadow, "node %zu is %s, but moved from 0x%" PRIxWORD " to 0x%" PRIxWORD, number,
                node->pinned ? "pinned" : "young", node->oop, oop);
    if (object_format(oop) != node->format || object_class_index(oop) != node->class_index ||
        object_slot_count(oop) != node->slots)
        shadow_differs(shadow, "node %zu at 0x%" PRIxWORD ": format %u, class %" PRIuWORD ", %" PRIuWORD
                " slots; expected %u, %" PRIuWORD ", %" PRIuWORD, number, oop, object_format(oop),
                object_class_index(oop), object_slot_count(oop), node->format, node->class_index,
                node->slots);
    for (Word i = node->end * WORD_BYTES; i < node->slots * WORD_BYTES; i++)
        if (object_bytes(oop)[i] != content_byte(node, i)) {
            shadow_differs(shadow, "node %zu at 0x%" PRIxWORD ": byte %" PRIuWORD " changed", number, oop, i);
            return;
        }
}

/* Notes a pair of node and object that must correspond. */
static void meet(Shadow *shadow, Value *value, Oop oop, int64_t *work, size_t *depth)
{
    if (shadow->forwarders)
        oop = follow(oop);
    if (value->kind != VALUE_NODE) {
        if (oop != oop_of(shadow, *value))
            shadow_differs(shadow, "0x%" PRIxWORD " stands where 0x%" PRIxWORD " should", oop,
                    oop_of(shadow, *value));
        return;
    }
    value->value = shadow_resolve(shadow, value->value);
    Node *node = &shadow->nodes[value->value];
    if (is_immediate(oop) || oop < shadow->heap->new_start || oop >= shadow->heap->old_end)
        shadow_differs(shadow, "0x%" PRIxWORD " stands where node %" PRId64 " should", oop, value->value);
    else if (!node->seen) {
        compare_shape(shadow, (size_t)value->value, node, oop);
        node->seen = true;
        node->oop = oop;
        work[(*depth)++] = value->value;
    } else if (node->oop != oop)
        shadow_differs(shadow, "node %" PRId64 " is at 0x%" PRIxWORD " and at 0x%" PRIxWORD, value->value,
                node->oop, oop);
}

void shadow_compare(Shadow *shadow)
{
    int64_t *work = malloc((shadow->count + 1) * sizeof *work);
    size_t depth = 0;
    REQUIRE(work, "no memory for the shadow");
    for (size_t i = 0; i < shadow->root_count; i++)
        meet(shadow, &shadow->roots[i], mock_root(shadow->host, shadow->first_root + i), work, &depth);
    for (size_t i = 0; i < shadow->count; i++)
        if (shadow->nodes[i].also && shadow->nodes[i].live)
            meet(shadow, &(Value){VALUE_NODE, (int64_t)i}, follow(shadow->nodes[i].also), work, &depth);
    while (depth && shadow->errors < 10) {
        Node *node = &shadow->nodes[work[--depth]];
        for (Word i = node->first; i < node->end; i++)
            meet(shadow, &node->values[i], object_slot(node->oop, i), work, &depth);
    }
    free(work);
}

/* Frees dead nodes; answers how many live ones are in old space. */
Word shadow_drop_dead(Shadow *shadow)
{
    Word old = 0;
    for (size_t i = 0; i < shadow->count; i++) {
        Node *node = &shadow->nodes[i];
        if (node->live && !node->seen)
            shadow_differs(shadow, "node %zu is live in the model, not met in the heap", i);
        if (!node->live && node->used) {
            free(node->values);
            *node = (Node){0};
        }
        old += node->live && !node->young;
    }
    return old;
}

/* ---- Opening and closing ---- */

void shadow_open(Shadow *shadow, MockHost *host, uint64_t *random, size_t roots)
{
    *shadow = (Shadow){.host = host, .heap = &host->heap, .random = random,
                       .first_root = host->root_count, .root_count = roots};
    shadow->roots = calloc(roots, sizeof(Value));
    REQUIRE(shadow->roots, "no memory for the shadow");
    for (size_t i = 0; i < roots; i++)
        mock_root_push(host, shadow->heap->nil);
}

void shadow_close(Shadow *shadow)
{
    for (size_t i = 0; i < shadow->count; i++)
        free(shadow->nodes[i].values);
    free(shadow->nodes);
    free(shadow->roots);
    mock_root_pop(shadow->host, shadow->root_count);
}
