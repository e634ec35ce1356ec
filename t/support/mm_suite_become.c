/* Become in all forms, pinning, the class table. */
#include "mm_suite.h"

static void finish_case(void)
{
    is_int(mm_rig_check(&rig), 0, "  the heap is sound");
    rig.mm->ops->collect_full(rig.mm);
    is_int(mm_rig_check(&rig), 0, "  and after a full collection");
    mock_root_pop(rig.host, rig.host->root_count);
}

/* ---- Contents and hashes ---- */

static void two_way(bool old_x, bool old_y, Word slots_x, Word slots_y)
{
    Oop x = new_array(old_x, slots_x), y = new_array(old_y, slots_y);
    heap_store(heap, x, 0, new_array(false, 1));
    heap_store(heap, y, 0, small_integer_oop(2));
    size_t root_x = mock_root_push(rig.host, x), root_y = mock_root_push(rig.host, y);
    size_t holder = mock_root_push(rig.host, new_array(true, 2));
    heap_store(heap, mock_root(rig.host, holder), 0, x);
    heap_store(heap, mock_root(rig.host, holder), 1, y);
    unsigned hash_x = heap_identity_hash(heap, x), hash_y = heap_identity_hash(heap, y);
    is_int(become_one(x, y, BECOME_TWO_WAY), MM_OK, "two way, %s %d and %s %d slots",
           old_x ? "old" : "young", (int)slots_x, old_y ? "old" : "young", (int)slots_y);
    x = mock_root(rig.host, root_x);
    y = mock_root(rig.host, root_y);
    ok(object_slot_count(x) == slots_y && object_slot_count(y) == slots_x, "  the sizes changed");
    ok(object_slot(x, 0) == small_integer_oop(2), "  and the contents");
    ok(header_hash(header_of(x)) == hash_x && header_hash(header_of(y)) == hash_y,
       "  hashes stay with the references");
    ok(follow(object_slot(mock_root(rig.host, holder), 0)) == x,
       "  references in the heap lead there");
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    ok(object_slot(mock_root(rig.host, root_x), 0) == small_integer_oop(2),
       "  also after a scavenge");
    finish_case();
}

static void one_way(BecomeKind kind, bool old)
{
    Oop x = new_array(old, 3), y = new_array(false, 2);
    size_t root = mock_root_push(rig.host, x), target = mock_root_push(rig.host, y);
    unsigned hash_x = heap_identity_hash(heap, x), hash_y = heap_identity_hash(heap, y);
    is_int(become_one(x, y, kind), MM_OK, "one way%s",
           kind == BECOME_ONE_WAY_COPY_HASH ? ", hash copied" : "");
    ok(mock_root(rig.host, root) == mock_root(rig.host, target), "  both are one");
    is_int(header_hash(header_of(mock_root(rig.host, root))),
           kind == BECOME_ONE_WAY_COPY_HASH ? hash_x : hash_y, "  with the right hash");
    finish_case();
}

/* Nobody may be forwarded whom no pair names: nil least of all. */
static void one_way_twice(BecomeKind kind)
{
    Oop x = new_array(false, 2), y = new_array(true, 1);
    Oop from = new_array(false, 2), to = new_array(false, 2);
    size_t root_x = mock_root_push(rig.host, x), root_y = mock_root_push(rig.host, y);
    heap_store(heap, from, 0, x);
    heap_store(heap, from, 1, x);
    heap_store(heap, to, 0, heap->true_object);
    heap_store(heap, to, 1, y);
    is_int(rig.mm->ops->become(rig.mm, from, to, kind), MM_OK, "an object in two one-way pairs");
    ok(follow(mock_root(rig.host, root_x)) == heap->true_object, "  the first pair counts");
    ok(!is_forwarded(heap->true_object), "  what it became stays what it is");
    ok(!is_forwarded(mock_root(rig.host, root_y)), "  so does what it did not become");
    finish_case();
}

static void one_way_to_immediate(void)
{
    Oop x = new_array(true, 3), holder = new_array(true, 1);
    size_t root = mock_root_push(rig.host, holder);
    heap_store(heap, holder, 0, x);
    is_int(become_one(x, small_integer_oop(9), BECOME_ONE_WAY_COPY_HASH), MM_INAPPROPRIATE,
           "an immediate takes no hash");
    is_int(become_one(x, small_integer_oop(9), BECOME_ONE_WAY), MM_OK,
           "without, it may be a target");
    rig.mm->ops->collect_full(rig.mm);
    ok(follow(object_slot(mock_root(rig.host, root), 0)) == small_integer_oop(9), "  and is found");
    finish_case();
}

/* ---- Validation ---- */

static void validation(void)
{
    Oop array = new_array(false, 2), bytes = heap_new_bytes(heap, 8, MOCK_BYTE_ARRAY);
    Oop x = new_array(true, 2), y = new_array(true, 3), pinned = new_array(true, 2);
    Oop fixed = new_array(true, 2);
    *header_at(fixed) |= HEADER_IMMUTABLE;
    pinned = rig.mm->ops->pin(rig.mm, pinned, true);
    const MmOps *ops = rig.mm->ops;
    is_int(ops->become(rig.mm, bytes, array, BECOME_TWO_WAY), MM_BAD_RECEIVER, "receiver no Array");
    is_int(ops->become(rig.mm, array, bytes, BECOME_TWO_WAY), MM_BAD_ARGUMENT, "argument no Array");
    is_int(ops->become(rig.mm, array, array_of(x), BECOME_TWO_WAY), MM_BAD_ARGUMENT,
           "other length");
    is_int(become_one(small_integer_oop(1), x, BECOME_TWO_WAY), MM_INAPPROPRIATE,
           "first immediate");
    is_int(become_one(x, small_integer_oop(1), BECOME_TWO_WAY), MM_INAPPROPRIATE,
           "second immediate");
    is_int(become_one(pinned, x, BECOME_ONE_WAY), MM_PINNED, "first pinned");
    is_int(become_one(x, pinned, BECOME_TWO_WAY), MM_PINNED, "second pinned");
    is_int(become_one(x, pinned, BECOME_ONE_WAY), MM_OK, "a pinned target");
    is_int(become_one(fixed, y, BECOME_ONE_WAY), MM_NO_MODIFICATION, "first read-only");
    is_int(become_one(y, fixed, BECOME_TWO_WAY), MM_NO_MODIFICATION, "second read-only");
    is_int(become_one(y, fixed, BECOME_ONE_WAY_COPY_HASH), MM_NO_MODIFICATION, "and for the hash");
    is_int(become_one(fixed, fixed, BECOME_TWO_WAY), MM_NO_MODIFICATION,
           "equal pairs are looked at");
    is_int(become_one(y, y, BECOME_TWO_WAY), MM_OK, "and skipped");
    is_int(become_one(heap->nil, y, BECOME_ONE_WAY), MM_INAPPROPRIATE, "nil stays nil");
    Oop from = new_array(false, 2), to = new_array(false, 2);
    Oop a = new_array(false, 1), b = new_array(false, 4);
    heap_store(heap, from, 0, a);
    heap_store(heap, to, 0, b);
    heap_store(heap, from, 1, small_integer_oop(1));
    is_int(ops->become(rig.mm, from, to, BECOME_TWO_WAY), MM_INAPPROPRIATE, "a late bad pair");
    ok(!is_forwarded(a) && !is_forwarded(b) && object_slot_count(a) == 1 && object_slot_count(b) == 4,
       "  changes nothing");
    finish_case();
}

static void repeated_elements(void)
{
    Oop a = new_array(false, 1), b = new_array(false, 2), c = new_array(false, 3);
    Oop from = new_array(false, 2), to = new_array(false, 2);
    Oop all[] = {a, b, c};
    for (int i = 0; i < 3; i++)
        mock_root_push(rig.host, all[i]);
    heap_store(heap, from, 0, a);
    heap_store(heap, to, 0, b);
    heap_store(heap, from, 1, b);
    heap_store(heap, to, 1, c);
    is_int(rig.mm->ops->become(rig.mm, from, to, BECOME_TWO_WAY), MM_OK, "a <-> b, b <-> c");
    is_int(object_slot_count(mock_root(rig.host, 0)), 2, "  a is what b was");
    is_int(object_slot_count(mock_root(rig.host, 1)), 3, "  b is what c was");
    is_int(object_slot_count(mock_root(rig.host, 2)), 1, "  c is what a was");
    finish_case();
}

/* ---- Classes ---- */

static Oop new_class(unsigned spec, unsigned fixed)
{
    Oop class = heap_new_pointers(heap, MOCK_CLASS_SLOTS, FORMAT_FIXED, MOCK_METACLASS);
    heap_store(heap, class, CLASS_FORMAT, small_integer_oop((SWord)(spec << 16 | fixed)));
    return class;
}

static void class_become(BecomeKind kind)
{
    size_t root_a = mock_root_push(rig.host, new_class(FORMAT_FIXED, 2));
    size_t root_b = mock_root_push(rig.host, new_class(FORMAT_FIXED, 1));
    Word a = rig.mm->ops->class_enter(rig.mm, mock_root(rig.host, root_a));
    Word b = rig.mm->ops->class_enter(rig.mm, mock_root(rig.host, root_b));
    ok(a >= CLASS_PAGE_SIZE && b > a, "classes are entered in page 1 or later");
    is_int(rig.mm->ops->class_enter(rig.mm, mock_root(rig.host, root_a)), a, "  once");
    size_t instance = mock_root_push(rig.host, heap_new_pointers(heap, 2, FORMAT_FIXED, a));
    is_int(become_one(mock_root(rig.host, root_a), mock_root(rig.host, root_b), kind), MM_OK,
           "class becomes class, kind %d", kind);
    Oop class = heap_class_of(heap, mock_root(rig.host, instance));
    ok(class == mock_root(rig.host, root_a), "  the instance has the new class");
    is_int(small_integer_value(object_slot(class, CLASS_FORMAT)), 1 << 16 | 1,
           "  with its contents");
    is_int(rig.mm->ops->class_enter(rig.mm, class), header_hash(header_of(class)),
           "  hash and index are one");
    rig.mm->ops->collect_full(rig.mm);
    class = mock_root(rig.host, root_a);
    ok(heap_class_of(heap, mock_root(rig.host, instance)) == class, "  also after a collection");
    is_int(object_class_index(mock_root(rig.host, instance)), header_hash(header_of(class)),
           "  and it has the canonical index");
    is_int(become_one(class, heap->nil, BECOME_ONE_WAY), MM_INAPPROPRIATE,
           "  a class with instances becomes no other thing");
    finish_case();
}

static void dead_classes_leave(void)
{
    Word index = rig.mm->ops->class_enter(rig.mm, new_class(FORMAT_FIXED, 1));
    rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    ok(heap_class_at(heap, index) != heap->nil, "a scavenge keeps all classes");
    size_t root = mock_root_push(rig.host, heap_new_pointers(heap, 1, FORMAT_FIXED, index));
    rig.mm->ops->collect_full(rig.mm);
    ok(heap_class_at(heap, index) != heap->nil, "a full collection those with instances");
    mock_root_set(rig.host, root, heap->nil);
    rig.mm->ops->collect_full(rig.mm);
    if (suite.reclaims) {
        ok(heap_class_at(heap, index) == heap->nil, "and no others");
        ok(rig.mm->ops->class_enter(rig.mm, new_class(FORMAT_FIXED, 1)) <= index,
           "free indices are used again");
    }
    finish_case();
}

static void many_classes(void)
{
    enum { MANY = 3000 };
    size_t root = mock_root_push(rig.host, new_array(true, MANY));
    bool good = true;
    for (Word i = 0; i < MANY; i++) {
        heap_store(heap, mock_root(rig.host, root), i, new_class(FORMAT_FIXED, 1));
        Oop class = object_slot(mock_root(rig.host, root), i);
        Word index = rig.mm->ops->class_enter(rig.mm, class);
        good &= index && heap_class_at(heap, index) == class;
    }
    ok(good, "3000 classes are entered, on new pages");
    rig.mm->ops->collect_full(rig.mm);
    for (Word i = 0; i < MANY; i++) {
        Oop class = object_slot(mock_root(rig.host, root), i);
        good &= heap_class_at(heap, header_hash(header_of(class))) == class;
    }
    ok(good, "and found after a collection");
    finish_case();
}

/* ---- Pinning, speed ---- */

static void pinning(void)
{
    Oop young = new_array(false, 2);
    heap_store(heap, young, 0, new_array(false, 1));
    size_t root = mock_root_push(rig.host, young);
    Oop pinned = rig.mm->ops->pin(rig.mm, young, true);
    ok(heap_is_old(heap, pinned) && mock_root(rig.host, root) == pinned, "a young object moves");
    for (int i = 0; i < 5; i++) {
        new_array(true, 1000);
        rig.mm->ops->collect_full(rig.mm);
    }
    ok(mock_root(rig.host, root) == pinned, "and then never again");
    is_int(object_slot_count(object_slot(pinned, 0)), 1, "what it refers to is alive");
    rig.mm->ops->pin(rig.mm, pinned, false);
    ok(!header_is_pinned(header_of(pinned)), "until it is unpinned");
    finish_case();
}

void mm_suite_become(void)
{
    suite_open(128 << 20, NULL);
    for (int i = 0; i < 4; i++) {
        two_way(i & 1, i & 2, 3, 3);
        two_way(i & 1, i & 2, 1, 300);
    }
    for (int old = 0; old < 2; old++) {
        one_way(BECOME_ONE_WAY, old);
        one_way(BECOME_ONE_WAY_COPY_HASH, old);
    }
    one_way_twice(BECOME_ONE_WAY);
    one_way_twice(BECOME_ONE_WAY_COPY_HASH);
    one_way_to_immediate();
    validation();
    repeated_elements();
    class_become(BECOME_TWO_WAY);
    class_become(BECOME_ONE_WAY);
    class_become(BECOME_ONE_WAY_COPY_HASH);
    dead_classes_leave();
    many_classes();
    pinning();
    suite_close("become");
}
