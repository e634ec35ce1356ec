/* The workloads of `osvm bench gc`. Each keeps about order->live bytes alive and goes on
 * until `turnover` times as much has been allocated. References across an allocation
 * are on the bench's stack; `measure->result` is a sum that must not depend on collectors. */
#include "kernel/debug/gc_lab/bench.h"

enum { FIXED_SLOTS = 3, CELL_SLOTS = 2 };

static Word fixed_bytes(void)
{
    return object_size_for_slots(FIXED_SLOTS);
}

static void store_top(Bench *b, unsigned holder_below, Word slot)
{
    heap_store(b->heap, *bench_top(b, holder_below), slot, *bench_top(b, 0));
}

/* ---- Trees ---- */

/* Pushes a complete binary tree, made from the leaves up. */
static void push_tree(Bench *b, unsigned depth)
{
    if (!depth) {
        bench_new(b, SHAPE_FIXED, FIXED_SLOTS);
        return;
    }
    push_tree(b, depth - 1);
    push_tree(b, depth - 1);
    bench_new(b, SHAPE_FIXED, FIXED_SLOTS);
    heap_store(b->heap, *bench_top(b, 0), 0, *bench_top(b, 2));
    heap_store(b->heap, *bench_top(b, 0), 1, *bench_top(b, 1));
    *bench_top(b, 2) = *bench_top(b, 0);
    bench_pop(b, 2);
}

/* Grows the tree on top of the stack from the root down: stores into older objects. */
static void grow_tree(Bench *b, unsigned depth)
{
    for (Word side = 0; depth && side < 2; side++) {
        bench_new(b, SHAPE_FIXED, FIXED_SLOTS);
        store_top(b, 1, side);
        grow_tree(b, depth - 1);
        bench_pop(b, 1);
    }
}

static uint64_t count_tree(const Bench *b, Oop tree)
{
    if (tree == b->heap->nil)
        return 0;
    return 1 + count_tree(b, object_slot(tree, 0)) + count_tree(b, object_slot(tree, 1));
}

static unsigned depth_for(uint64_t bytes)
{
    unsigned depth = 1;
    while (((uint64_t)fixed_bytes() << (depth + 2)) <= bytes)
        depth++;
    return depth;
}

static void run_trees(Bench *b)
{
    push_tree(b, depth_for(b->order->live));
    for (unsigned depth = 4; bench_goes_on(b); depth = depth < 14 ? depth + 2 : 4)
        for (unsigned times = 1u << (14 - depth); times; times--) {
            push_tree(b, depth);
            bench_pop(b, 1);
        }
    b->measure->result = count_tree(b, *bench_top(b, 0));
}

/* After the plan of J. Ellis, P. Kovac and H. Boehm's GCBench: a long-lived tree and a
 * long-lived array of numbers, and short-lived trees made in both directions. */
static void run_mix(Bench *b)
{
    push_tree(b, depth_for(b->order->live / 2));
    bench_new_bytes(b, (Word)(b->order->live / 4));
    for (unsigned depth = 4; bench_goes_on(b); depth = depth < 14 ? depth + 2 : 4)
        for (unsigned times = 1u << (15 - depth); times; times--) {
            bench_new(b, SHAPE_FIXED, FIXED_SLOTS);
            grow_tree(b, depth);
            bench_pop(b, 1);
            push_tree(b, depth);
            bench_pop(b, 1);
        }
    b->measure->result = count_tree(b, *bench_top(b, 1));
}

/* ---- Tables ---- */

/* Pushes an Array of `slots`. Longer ones than a table's part would be all of the pause. */
static void push_array(Bench *b, Word slots)
{
    bench_new(b, SHAPE_ARRAY, slots);
}

static uint64_t count_named(const Bench *b, Oop array)
{
    uint64_t count = 0;
    for (Word i = 0; i < object_slot_count(array); i++)
        count += object_slot(array, i) != b->heap->nil;
    return count;
}

/* A graph: nodes in a table, each with edges to others. New nodes take the places of old
 * ones, and edges change at the rate that was ordered. */
static void run_graph(Bench *b)
{
    Word nodes = (Word)(b->order->live / (fixed_bytes() + WORD_BYTES));
    push_array(b, nodes);
    for (Word i = 0; bench_goes_on(b); i = i + 1 == nodes ? 0 : i + 1) {
        Word place = b->allocated < b->order->live ? i : bench_random(b, (uint32_t)nodes);
        bench_new(b, SHAPE_FIXED, FIXED_SLOTS);
        Oop node = *bench_top(b, 0), table = *bench_top(b, 1);
        heap_store(b->heap, node, 0, object_slot(table, bench_random(b, (uint32_t)nodes)));
        /* What is replaced lets go, or the dead would hold the living. */
        if (object_slot(table, place) != b->heap->nil)
            object_fill(object_slot(table, place), 0, FIXED_SLOTS, b->heap->nil);
        store_top(b, 1, place);
        bench_pop(b, 1);
        for (unsigned m = bench_random(b, 100) < b->order->mutation % 100; m; m--) {
            Oop from = object_slot(table, bench_random(b, (uint32_t)nodes));
            if (from != b->heap->nil)
                heap_store(b->heap, from, 1 + (m & 1), object_slot(table, place));
        }
    }
    b->measure->result = count_named(b, *bench_top(b, 0));
}

/* A cache: a table of associations, one replaced at a time. */
static void run_cache(Bench *b)
{
    Word size = (Word)(b->order->live / (object_size_for_slots(CELL_SLOTS) + WORD_BYTES + 40));
    push_array(b, size);
    while (bench_goes_on(b)) {
        bench_new(b, SHAPE_ARRAY, CELL_SLOTS);
        bench_new_bytes(b, 8 + bench_random(b, 48));
        store_top(b, 1, 1);
        bench_pop(b, 1);
        store_top(b, 1, bench_random(b, (uint32_t)size));
        bench_pop(b, 1);
    }
    b->measure->result = count_named(b, *bench_top(b, 0));
}

/* ---- Lists ---- */

enum { QUEUES = 64 };

/* Queues: a cell goes in at the tail and one out at the head. The anchors are cells too:
 * head in slot 0, tail in slot 1. */
static void run_lists(Bench *b)
{
    uint64_t cells = b->order->live / object_size_for_slots(CELL_SLOTS), made = 0;
    push_array(b, QUEUES);
    for (Word i = 0; i < QUEUES; i++) {
        bench_new(b, SHAPE_ARRAY, CELL_SLOTS);
        store_top(b, 1, i);
        bench_pop(b, 1);
    }
    for (; bench_goes_on(b); made++) {
        Word queue = bench_random(b, QUEUES);
        bench_new(b, SHAPE_ARRAY, CELL_SLOTS);
        Oop cell = *bench_top(b, 0), anchor = object_slot(*bench_top(b, 1), queue);
        object_slots(cell)[1] = small_integer_oop((SWord)(made & 0xFFFF)); /* NOBARRIER: B1 */
        if (object_slot(anchor, 1) != b->heap->nil)
            heap_store(b->heap, object_slot(anchor, 1), 0, cell);
        else
            heap_store(b->heap, anchor, 0, cell);
        heap_store(b->heap, anchor, 1, cell);
        bench_pop(b, 1);
        Oop head = object_slot(anchor, 0);
        if (made > cells && object_slot(head, 0) != b->heap->nil) {
            heap_store(b->heap, anchor, 0, object_slot(head, 0));
            heap_store(b->heap, head, 0, b->heap->nil); /* or the dead would hold the living */
        }
    }
    for (Word i = 0; i < QUEUES; i++)
        for (Oop cell = object_slot(object_slot(*bench_top(b, 0), i), 0); cell != b->heap->nil;
             cell = object_slot(cell, 0))
            b->measure->result += (uint64_t)small_integer_value(object_slot(cell, 1));
}

/* Deep structures: lists as long as the heap allows, made anew again and again. */
static void run_deep(Bench *b)
{
    uint64_t cells = b->order->live / object_size_for_slots(CELL_SLOTS) / 2;
    bench_push(b, b->heap->nil);
    while (bench_goes_on(b)) {
        bench_push(b, b->heap->nil);
        for (uint64_t i = 0; i < cells; i++) {
            bench_new(b, SHAPE_ARRAY, CELL_SLOTS);
            object_slots(*bench_top(b, 0))[1] = small_integer_oop(1); /* NOBARRIER: B1 */
            heap_store(b->heap, *bench_top(b, 0), 0, *bench_top(b, 1));
            *bench_top(b, 1) = *bench_top(b, 0);
            bench_pop(b, 1);
        }
        *bench_top(b, 1) = *bench_top(b, 0);
        bench_pop(b, 1);
    }
    for (Oop cell = *bench_top(b, 0); cell != b->heap->nil; cell = object_slot(cell, 0))
        b->measure->result++;
}

/* ---- Sizes ---- */

/* Lengths from 16 bytes to 64 KiB, each power of two as probable as the next. */
static Word mixed_size(Bench *b)
{
    unsigned power = 4 + bench_random(b, 12);
    return ((Word)1 << power) + bench_random(b, 1u << power);
}

enum { MIXED_MEAN = 16384 }; /* about the mean of mixed_size */

/* Arrays of mixed sizes that take each other's places: fragments memory. */
static void run_arrays(Bench *b)
{
    Word count = (Word)(b->order->live / MIXED_MEAN) + 16;
    push_array(b, count);
    while (bench_goes_on(b)) {
        if (bench_random(b, 4))
            bench_new_bytes(b, mixed_size(b));
        else
            bench_new(b, SHAPE_ARRAY, mixed_size(b) / WORD_BYTES);
        store_top(b, 1, bench_random(b, (uint32_t)count));
        bench_pop(b, 1);
    }
    b->measure->result = count_named(b, *bench_top(b, 0));
}

/* Strings: pieces of two strings become a third, with a copy that dies at once. */
static void run_strings(Bench *b)
{
    enum { MOST = 240, MEAN = 130 };
    Word count = (Word)(b->order->live / (MEAN + WORD_BYTES));
    push_array(b, count);
    while (bench_goes_on(b)) {
        Oop table = *bench_top(b, 0);
        Oop one = object_slot(table, bench_random(b, (uint32_t)count));
        Word length = one == b->heap->nil ? 0 : bits_byte_count(one);
        Word wanted = 1 + (length * 3 + bench_random(b, MOST)) % MOST;
        bench_new_bytes(b, wanted);
        bench_new_bytes(b, wanted);
        Oop copy = *bench_top(b, 0), string = *bench_top(b, 1);
        memcpy(object_bytes(string), object_bytes(copy), wanted);
        bench_pop(b, 1);
        store_top(b, 1, bench_random(b, (uint32_t)count));
        bench_pop(b, 1);
    }
    b->measure->result = count_named(b, *bench_top(b, 0));
}

/* ---- Weak objects and ephemerons ---- */

enum { WEAK_SLOTS = 32 };

/* A registry of ephemerons, and weak tables of the same keys. What has lost its key mourns
 * and leaves the registry. */
static void put_key(Bench *b, Word place, Word tables)
{
    bench_new(b, SHAPE_EPHEMERON, FIXED_SLOTS);
    bench_new(b, SHAPE_FIXED, FIXED_SLOTS);
    store_top(b, 1, 0);                     /* the key */
    heap_store(b->heap, *bench_top(b, 4), place, *bench_top(b, 0));
    Oop weak = object_slot(*bench_top(b, 2), bench_random(b, (uint32_t)tables));
    heap_store(b->heap, weak, 1 + bench_random(b, WEAK_SLOTS - 1), *bench_top(b, 0));
    bench_pop(b, 1);
    heap_store(b->heap, *bench_top(b, 2), place, *bench_top(b, 0));
    bench_pop(b, 1);
}

static void drain_mourners(Bench *b)
{
    Mm *mm = b->heap->mm;
    while (mm->ops->next_mourner(mm))
        ;
}

static void run_weak(Bench *b)
{
    Word pair = 2 * fixed_bytes() + 3 * WORD_BYTES;
    Word count = (Word)(b->order->live / pair), tables = count / WEAK_SLOTS + 1;
    push_array(b, count); /* keys */
    push_array(b, count); /* registry */
    push_array(b, tables);
    for (Word i = 0; i < tables; i++) {
        bench_new(b, SHAPE_WEAK, WEAK_SLOTS);
        store_top(b, 1, i);
        bench_pop(b, 1);
    }
    for (Word i = 0; bench_goes_on(b); i = i + 1 == count ? 0 : i + 1) {
        Word place = b->allocated < b->order->live ? i : bench_random(b, (uint32_t)count);
        put_key(b, place, tables);
        if (i % 256 == 0)
            drain_mourners(b);
    }
    b->measure->result = count_named(b, *bench_top(b, 2)) + count_named(b, *bench_top(b, 1));
}

const Workload workloads[] = {
    {"trees", "binary trees that live short beside one that stays", run_trees},
    {"mix", "a long-lived tree and array, trees made in both directions", run_mix},
    {"graph", "a large graph whose nodes are replaced and edges changed", run_graph},
    {"cache", "a table whose entries are replaced at random", run_cache},
    {"lists", "queues of cells, in at the tail, out at the head", run_lists},
    {"arrays", "arrays of mixed sizes that fragment memory", run_arrays},
    {"strings", "strings made from strings", run_strings},
    {"weak", "weak tables, and a registry of ephemerons", run_weak},
    {"deep", "lists as long as the heap allows", run_deep},
    {NULL, NULL, NULL},
};
