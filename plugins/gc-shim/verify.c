#include "shim.h"

/* ---- Walking ---- */

typedef struct {
    Shim *shim;
    uint64_t *starts; /* one bit for each 8 bytes of [old_start, old_end): a header is there */
    bool forwarders_allowed;
} Walk;

static size_t granule_of(const Heap *heap, Word address)
{
    return (size_t)(address - heap->old_start) / OBJECT_ALIGNMENT;
}

static void note_objects(Walk *walk)
{
    Shim *shim = walk->shim;
    Heap *heap = shim->gc.heap;
    for (Word start = heap->old_start; start < heap->old_end;) {
        Oop object = object_at_start(start);
        Word end = object_end(object);
        REQUIRE(end > start && end <= heap->old_end, "object 0x%" PRIxWORD " (header 0x%" PRIx64
                ") ends at 0x%" PRIxWORD ", beyond old space (S4)", object, header_of(object), end);
        bool free = object_class_index(object) == CLASS_FREE;
        size_t granule = granule_of(heap, object);
        if (!free)
            walk->starts[granule / 64] |= (uint64_t)1 << granule % 64;
        shim_set_used(shim, start, end, !free);
        start = end;
    }
}

static void verify_reference(const Walk *walk, Oop object, Word slot, Oop value)
{
    const Heap *heap = walk->shim->gc.heap;
    if (is_immediate(value) || (value >= heap->new_start && value < heap->new_end))
        return;
    bool inside = value >= heap->old_start && value < heap->old_end;
    size_t granule = inside ? granule_of(heap, value) : 0;
    REQUIRE(inside && walk->starts[granule / 64] >> granule % 64 & 1, "slot %" PRIuWORD " of 0x%"
            PRIxWORD " (class index %" PRIuWORD ") holds 0x%" PRIxWORD ", no object (S5)", slot,
            object, object_class_index(object), value);
    REQUIRE(walk->forwarders_allowed || !is_forwarded(value), "slot %" PRIuWORD " of 0x%" PRIxWORD
            " (class index %" PRIuWORD ") holds 0x%" PRIxWORD ", a forwarder, after a collection (S5)",
            slot, object, object_class_index(object), value);
}

static void verify_object(const Walk *walk, Oop object)
{
    Heap *heap = walk->shim->gc.heap;
    Word index = object_class_index(object), first, end;
    REQUIRE(index <= CLASS_LAST_PUN || (index < heap->class_table_pages << CLASS_PAGE_BITS &&
                                        heap_class_at(heap, index) != heap->nil),
            "0x%" PRIxWORD " has class index %" PRIuWORD ", which names no class (S5)", object, index);
    heap_pointer_slots(heap, object, &first, &end);
    for (Word i = first; i < end; i++)
        verify_reference(walk, object, i, object_slot(object, i));
}

void shim_verify_heap(Shim *shim, bool forwarders_allowed)
{
    Heap *heap = shim->gc.heap;
    size_t bytes = (granule_of(heap, heap->old_end) + 63) / 64 * sizeof(uint64_t);
    Walk walk = {shim, heap->host->side_table_reserve(heap, bytes), forwarders_allowed};
    REQUIRE(walk.starts, "no memory to verify the heap");
    note_objects(&walk);
    for (Word start = heap->old_start; start < heap->old_end;) {
        Oop object = object_at_start(start);
        /* Garbage may refer to what was freed at once; it is gone after a collection. */
        if (object_class_index(object) != CLASS_FREE && !forwarders_allowed)
            verify_object(&walk, object);
        start = object_end(object);
    }
    heap->host->side_table_release(heap, walk.starts, bytes);
}

/* ---- The digest: breadth first, objects numbered in the order they are met ---- */

typedef struct {
    Shim *shim;
    Oop *objects;
    size_t count, capacity;
    size_t *table; /* open addressing, twice the capacity: index into objects + 1; 0: empty */
    uint64_t sum;
} Sum;

static void mix(Sum *sum, uint64_t value)
{
    sum->sum = (sum->sum ^ value) * 0x9FB21C651E98DF25u;
    sum->sum ^= sum->sum >> 32;
}

static size_t *entry_of(const Sum *sum, Oop object)
{
    size_t mask = 2 * sum->capacity - 1;
    size_t at = (size_t)((uint64_t)object * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (sum->table[at] && sum->objects[sum->table[at] - 1] != object)
        at = (at + 1) & mask;
    return &sum->table[at];
}

static void grow(Sum *sum)
{
    const OsvmHost *host = sum->shim->host;
    size_t old = sum->capacity, new = old ? 2 * old : 1024;
    sum->objects = host->resize(host, sum->objects, old * sizeof(Oop), new * sizeof(Oop));
    host->free(host, sum->table, 2 * old * sizeof(size_t));
    sum->table = host->alloc(host, 2 * new * sizeof(size_t));
    REQUIRE(sum->objects && sum->table, "no memory to compare the heap before and after");
    sum->capacity = new;
    for (size_t i = 0; i < sum->count; i++)
        *entry_of(sum, sum->objects[i]) = i + 1;
}

static uint64_t number_of(Sum *sum, Oop object, bool enter)
{
    if (sum->count == sum->capacity)
        grow(sum);
    size_t *entry = entry_of(sum, object);
    if (!*entry && enter) {
        sum->objects[sum->count++] = object;
        *entry = sum->count;
    }
    return *entry;
}

static void mix_reference(Sum *sum, Oop value)
{
    value = follow(value);
    mix(sum, is_immediate(value) ? (uint64_t)value : (uint64_t)number_of(sum, value, true) << 3);
}

static void mix_root(void *context, Oop *slot)
{
    mix_reference(context, *slot);
}

/* Strong slots and contents. An ephemeron counts as an ordinary object: it becomes
 * one when it fires, and keeps what it refers to either way. */
static void mix_object(Sum *sum, Oop object)
{
    Heap *heap = sum->shim->gc.heap;
    Header header = header_of(object) & ~(HEADER_REMEMBERED | HEADER_MARKED | HEADER_GREY);
    unsigned format = header_format(header);
    if (format == FORMAT_EPHEMERON)
        header ^= (Header)(FORMAT_EPHEMERON ^ FORMAT_FIXED) << HEADER_FORMAT_SHIFT;
    mix(sum, header);
    if (header_is_pinned(header) || heap_is_young(heap, object))
        mix(sum, object);
    if (header_class_index(header) > CLASS_LAST_PUN)
        mix_reference(sum, heap_class_at(heap, header_class_index(header)));
    Word first, end, slots = object_slot_count(object);
    mix(sum, slots);
    heap_pointer_slots(heap, object, &first, &end);
    Word strong = format == FORMAT_WEAK ? heap_fixed_fields(heap, object) : end;
    if (first)
        mix(sum, object_slot(object, 0));
    for (Word i = first; i < strong; i++)
        mix_reference(sum, object_slot(object, i));
    for (Word i = end; i < slots; i++)
        mix(sum, object_slot(object, i));
}

/* Weak slots, once everything strong has its number: what has none counts as nil. */
static void mix_weak(Sum *sum, Oop object)
{
    Heap *heap = sum->shim->gc.heap;
    for (Word i = heap_fixed_fields(heap, object); i < object_slot_count(object); i++) {
        Oop value = follow(object_slot(object, i));
        if (is_object(value) && !number_of(sum, value, false))
            value = heap->nil;
        mix_reference(sum, value);
    }
}

Word shim_count_mourners(Shim *shim)
{
    Mm *mm = shim->gc.heap->mm;
    Word count = 0;
    while (mm->ops->mourner_at && mm->ops->mourner_at(mm, count))
        count++;
    return count;
}

Digest shim_digest(Shim *shim, Word mourners)
{
    Heap *heap = shim->gc.heap;
    Sum sum = {.shim = shim, .sum = 1};
    mix_reference(&sum, heap->nil);
    heap->host->visit_roots(heap, mix_root, &sum);
    for (Word i = 0; i < mourners; i++)
        mix_reference(&sum, heap->mm->ops->mourner_at(heap->mm, i));
    for (size_t i = 0; i < sum.count; i++)
        if (sum.objects[i] != heap->hidden_roots)
            mix_object(&sum, sum.objects[i]);
    for (size_t i = 0; i < sum.count; i++)
        if (object_format(sum.objects[i]) == FORMAT_WEAK)
            mix_weak(&sum, sum.objects[i]);
    shim->host->free(shim->host, sum.objects, sum.capacity * sizeof(Oop));
    shim->host->free(shim->host, sum.table, 2 * sum.capacity * sizeof(size_t));
    return sum.sum;
}
