/* What a collection left behind, looked at without the collector's help. */
#include "gc_rig.h"

/* ---- Walking and checking ---- */

typedef struct {
    Rig *rig;
    size_t findings;
    uint8_t *starts; /* one bit for each 8 bytes from new_start on: an object's header */
    Word free_bytes, free_chunks;
} Judge;

__attribute__((format(printf, 2, 3))) static void found(Judge *judge, const char *format, ...)
{
    va_list arguments;
    if (++judge->findings > 10)
        return;
    va_start(arguments, format);
    printf("#   ");
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

static void print_finding(void *context, const char *sentence)
{
    (void)context;
    printf("#   %s\n", sentence);
}

static bool is_start(const Judge *judge, Oop object)
{
    Heap *heap = judge->rig->heap;
    if (object < heap->new_start || object >= heap->old_end || object % OBJECT_ALIGNMENT)
        return false;
    size_t index = (size_t)(object - heap->new_start) / 8;
    return judge->starts[index / 8] >> index % 8 & 1;
}

/* Notes where objects begin; free chunks are none. */
static void note_starts(Judge *judge, Word start, Word end)
{
    Word new_start = judge->rig->heap->new_start;
    while (start < end) {
        Oop object = object_at_start(start);
        Word next = object_end(object);
        if (next > end || next <= start) {
            found(judge, "object 0x%" PRIxWORD " ends at 0x%" PRIxWORD ", beyond 0x%" PRIxWORD,
                  object, next, end);
            return;
        }
        size_t index = (size_t)(object - new_start) / 8;
        if (object_class_index(object) != CLASS_FREE)
            judge->starts[index / 8] |= (uint8_t)(1u << index % 8);
        else if (object >= judge->rig->heap->old_start) {
            judge->free_bytes += next - start;
            judge->free_chunks++;
        }
        start = next;
    }
}

static void check_object(Judge *judge, Oop object)
{
    Heap *heap = judge->rig->heap;
    Header header = header_of(object);
    Word index = header_class_index(header), first, end;
    if (header & (HEADER_MARKED | HEADER_GREY))
        found(judge, "0x%" PRIxWORD " has mark or grey bit set", object);
    if (index > CLASS_LAST_PUN &&
        (index >= heap->class_table_pages << CLASS_PAGE_BITS ||
         heap_class_at(heap, index) == heap->nil))
        found(judge, "0x%" PRIxWORD " has class index %" PRIuWORD ", which is empty (H4)", object,
              index);
    heap_pointer_slots(heap, object, &first, &end);
    for (Word i = first; i < end; i++) {
        Oop value = object_slot(object, i);
        if (is_object(value) && (!is_start(judge, value) || is_forwarded(value)))
            found(judge, "slot %" PRIuWORD " of 0x%" PRIxWORD " (class %" PRIuWORD
                  ") holds 0x%" PRIxWORD ", no object (H1)", i, object, index, value);
    }
}

static void check_space(Judge *judge, Word start, Word end)
{
    while (start < end) {
        Oop object = object_at_start(start);
        if (object_class_index(object) != CLASS_FREE)
            check_object(judge, object);
        start = object_end(object);
    }
}

static void check_slot(void *context, Oop *slot)
{
    Judge *judge = context;
    if (is_object(*slot) && (!is_start(judge, *slot) || is_forwarded(*slot)))
        found(judge, "a reference outside the heap holds 0x%" PRIxWORD ", no object", *slot);
}

size_t rig_check(Rig *rig)
{
    Heap *heap = rig->heap;
    rig->gc->ops->make_walkable(rig->gc);
    Judge judge = {.rig = rig};
    judge.starts = calloc(1, (size_t)(heap->old_end - heap->new_start) / 64 + 1);
    REQUIRE(judge.starts, "no memory for the judge");
    note_starts(&judge, heap->new_start, heap->eden_free);
    note_starts(&judge, heap->old_start, heap->old_end);
    if (!judge.findings) {
        check_space(&judge, heap->new_start, heap->eden_free);
        check_space(&judge, heap->old_start, heap->old_end);
        heap->mm->ops->visit_all_references(heap->mm, check_slot, &judge);
    }
    GcStatistics statistics;
    rig->gc->ops->statistics(rig->gc, &statistics);
    if (statistics.free_bytes > judge.free_bytes || statistics.free_chunks > judge.free_chunks)
        found(&judge, "the collector counts %" PRIuWORD " free bytes in %" PRIuWORD
              " chunks, a walk %" PRIuWORD " in %" PRIuWORD, statistics.free_bytes,
              statistics.free_chunks, judge.free_bytes, judge.free_chunks);
    free(judge.starts);
    return judge.findings + gc_self_check(rig->gc, print_finding, NULL);
}

Word rig_count_old(Rig *rig, Word *bytes)
{
    Heap *heap = rig->heap;
    Word count = 0;
    *bytes = 0;
    rig->gc->ops->make_walkable(rig->gc);
    for (Word start = heap->old_start; start < heap->old_end;) {
        Oop object = object_at_start(start);
        Word end = object_end(object);
        if (object_class_index(object) != CLASS_FREE) {
            count++;
            *bytes += end - start;
        }
        start = end;
    }
    return count;
}

/* ---- The digest ---- */

typedef struct {
    Rig *rig;
    Oop *objects; /* in order of discovery */
    size_t count, capacity;
    uint32_t *table; /* open addressing: index into objects + 1, 0: empty */
    size_t table_size;
    uint64_t sum;
} Digest;

static void mix(Digest *digest, uint64_t value)
{
    digest->sum = (digest->sum ^ value) * 0x9FB21C651E98DF25u;
    digest->sum ^= digest->sum >> 32;
}

static size_t slot_for(const Digest *digest, Oop object)
{
    size_t at = (size_t)((uint64_t)object * 0x9E3779B97F4A7C15u >> 20) & (digest->table_size - 1);
    while (digest->table[at] && digest->objects[digest->table[at] - 1] != object)
        at = (at + 1) & (digest->table_size - 1);
    return at;
}

static void grow(Digest *digest)
{
    digest->capacity = digest->capacity ? 2 * digest->capacity : 1024;
    digest->objects = realloc(digest->objects, digest->capacity * sizeof(Oop));
    free(digest->table);
    digest->table_size = 2 * digest->capacity;
    digest->table = calloc(digest->table_size, sizeof(uint32_t));
    REQUIRE(digest->objects && digest->table, "no memory for the digest");
    for (size_t i = 0; i < digest->count; i++)
        digest->table[slot_for(digest, digest->objects[i])] = (uint32_t)i + 1;
}

/* The object's number; with `enter`, a new one where it has none, else 0. */
static uint64_t number_of(Digest *digest, Oop object, bool enter)
{
    if (digest->count == digest->capacity)
        grow(digest);
    size_t at = slot_for(digest, object);
    if (!digest->table[at] && enter) {
        digest->objects[digest->count++] = object;
        digest->table[at] = (uint32_t)digest->count;
    }
    return digest->table[at];
}

static void mix_reference(Digest *digest, Oop value, bool enter)
{
    value = follow(value);
    mix(digest, is_immediate(value) ? (uint64_t)value : number_of(digest, value, enter) << 3);
}

static void mix_object(Digest *digest, Oop object)
{
    Heap *heap = digest->rig->heap;
    Word first, end, slots = object_slot_count(object);
    mix(digest, header_of(object) & ~(HEADER_REMEMBERED | HEADER_MARKED | HEADER_GREY));
    mix(digest, slots);
    heap_pointer_slots(heap, object, &first, &end);
    if (object_format(object) == FORMAT_WEAK)
        end = heap_fixed_fields(heap, object);
    for (Word i = first; i < end; i++)
        mix_reference(digest, object_slot(object, i), true);
    if (object_format(object) == FORMAT_WEAK)
        return;
    if (first)
        mix(digest, object_slot(object, 0));
    for (Word i = end; i < slots; i++)
        mix(digest, object_slot(object, i));
}

static void mix_weak(Digest *digest, Oop object)
{
    for (Word i = heap_fixed_fields(digest->rig->heap, object); i < object_slot_count(object); i++) {
        Oop value = follow(object_slot(object, i));
        bool dead = is_object(value) && !number_of(digest, value, false);
        mix_reference(digest, dead ? digest->rig->heap->nil : value, false);
    }
}

uint64_t rig_digest(Rig *rig)
{
    Digest digest = {.rig = rig, .sum = 1};
    mix_reference(&digest, rig->heap->nil, true);
    mix_reference(&digest, rig->heap->special_objects, true);
    for (size_t i = 0; i < rig->host->root_count; i++)
        if (rig->host->roots[i])
            mix_reference(&digest, rig->host->roots[i], true);
    for (size_t i = 0; i < digest.count; i++)
        mix_object(&digest, digest.objects[i]);
    for (size_t i = 0; i < digest.count; i++)
        if (object_format(digest.objects[i]) == FORMAT_WEAK)
            mix_weak(&digest, digest.objects[i]);
    free(digest.objects);
    free(digest.table);
    return digest.sum;
}
