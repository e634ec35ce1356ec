/* The leak check: walks everything and verifies H1 to H5 of osvm/heap.h and what
 * the manager promises itself (spur.h).
 *
 * First every space is walked and the place of each object noted in a bit map, so
 * that afterwards a reference can be told from an address inside an object. A
 * space that cannot be walked to its end is reported and not looked at further.
 */
#include "spur.h"

#include <stdarg.h>

typedef struct {
    MmSpur *m;
    Heap *heap;
    void (*report)(void *context, const char *sentence);
    void *context;
    size_t findings;
    uint64_t *starts;     /* one bit for each 8 bytes of new and old space: an object is here */
    uint64_t *remembered; /* the same: the object is in the remembered set */
    size_t map_bytes;     /* of each */
    Word base;
    unsigned name_slot;   /* of classes; 0: not known */
    size_t remembered_bits; /* objects that have the bit */
} Check;

static void find(Check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void find(Check *c, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    c->findings++;
    c->report(c->context, sentence);
}

/* ---- The maps ---- */

static size_t granule(const Check *c, Word address)
{
    return (size_t)(address - c->base) >> 3;
}

static bool map_has(const Check *c, const uint64_t *map, Word address)
{
    size_t bit = granule(c, address);
    return map[bit >> 6] >> (bit & 63) & 1;
}

static void map_set(const Check *c, uint64_t *map, Word address)
{
    size_t bit = granule(c, address);
    map[bit >> 6] |= (uint64_t)1 << (bit & 63);
}

static bool in_spaces(const Check *c, Word address)
{
    return address >= c->base && address < c->heap->old_end && address % OBJECT_ALIGNMENT == 0;
}

static bool is_known(const Check *c, Oop oop)
{
    return in_spaces(c, oop) && map_has(c, c->starts, oop);
}

static bool open_maps(Check *c)
{
    Heap *heap = c->heap;
    c->base = heap->new_start;
    c->map_bytes = (size_t)(heap->old_end - c->base) / 64 + 8;
    c->starts = heap->host->side_table_reserve(heap, c->map_bytes);
    c->remembered = heap->host->side_table_reserve(heap, c->map_bytes);
    return c->starts && c->remembered;
}

static void close_maps(Check *c)
{
    Heap *heap = c->heap;
    if (c->starts)
        heap->host->side_table_release(heap, c->starts, c->map_bytes);
    if (c->remembered)
        heap->host->side_table_release(heap, c->remembered, c->map_bytes);
}

/* ---- Names ---- */

static bool text_is(const Check *c, Oop oop, const char *text)
{
    size_t length = strlen(text);
    return is_object(oop) && is_known(c, oop) && format_is_bytes(object_format(oop)) &&
           bits_byte_count(oop) == length && memcmp(object_bytes(oop), text, length) == 0;
}

/* The slot of a class's name is where class Array has 'Array'. */
static void find_name_slot(Check *c)
{
    Oop array = heap_class_at(c->heap, CLASS_ARRAY);
    if (!is_object(array) || !is_known(c, array) || !format_is_pointers(object_format(array)))
        return;
    for (Word i = 3; i < object_slot_count(array); i++)
        if (text_is(c, object_slot(array, i), "Array")) {
            c->name_slot = (unsigned)i;
            return;
        }
}

/* Where the class of an index is, if that can be told safely; NO_OOP otherwise. */
static Oop safe_class(const Check *c, Word index)
{
    Heap *heap = c->heap;
    if (index >> CLASS_PAGE_BITS >= heap->class_table_pages)
        return NO_OOP;
    Oop class = heap_class_at(heap, index);
    return is_object(class) && is_known(c, class) ? class : NO_OOP;
}

/* "a Name", with what is known of the object's class; into `text`. */
static const char *describe(const Check *c, Oop object, char *text, size_t size)
{
    Word index = object_class_index(object);
    Oop class = safe_class(c, index);
    Oop name = NO_OOP;
    if (class && c->name_slot && format_is_pointers(object_format(class)) &&
        c->name_slot < object_slot_count(class))
        name = object_slot(class, c->name_slot);
    if (name && is_object(name) && is_known(c, name) && format_is_bytes(object_format(name)))
        snprintf(text, size, "object 0x%" PRIxWORD " of class %.*s", object,
                 (int)(bits_byte_count(name) < 60 ? bits_byte_count(name) : 60),
                 (const char *)object_bytes(name));
    else
        snprintf(text, size, "object 0x%" PRIxWORD " of class index %" PRIuWORD, object, index);
    return text;
}

/* ---- Walking ---- */

/* Answers whether the object ends where one can. */
static bool check_extent(Check *c, const char *space, Oop object, Word limit)
{
    Word room = limit - object - HEADER_BYTES, slots = object_slot_count(object);
    if (slots <= room >> WORD_SHIFT && body_bytes_for_slots(slots) <= room)
        return true;
    find(c, "object 0x%" PRIxWORD " in %s has %" PRIuWORD " slots and passes the end of the space, "
         "0x%" PRIxWORD " (H1)", object, space, slots, limit);
    return false;
}

static void enter_range(Check *c, const char *space, Word start, Word limit)
{
    while (start < limit) {
        Oop object = object_at_start(start);
        if (object >= limit || !check_extent(c, space, object, limit))
            return;
        if (object_class_index(object) != CLASS_FREE)
            map_set(c, c->starts, object);
        start = object_end(object);
    }
}

static const char *const area_names[AREAS] = {"survivor space A", "survivor space B", "eden"};

static void enter_objects(Check *c)
{
    for (unsigned i = 0; i < AREAS; i++)
        enter_range(c, area_names[i], c->m->areas[i].start, c->m->areas[i].free);
    enter_range(c, "old space", c->heap->old_start, c->heap->old_end);
}

/* ---- Objects ---- */

static void check_header(Check *c, Oop object)
{
    char text[128];
    Header header = header_of(object);
    Word index = header_class_index(header);
    if (header & (HEADER_MARKED | HEADER_GREY))
        find(c, "%s is marked or grey between collections (M3)",
             describe(c, object, text, sizeof text));
    if (index > CLASS_LAST_PUN && (safe_class(c, index) == NO_OOP ||
                                   safe_class(c, index) == c->heap->nil))
        find(c, "%s: its class index names no class (H4)", describe(c, object, text, sizeof text));
    if (heap_is_old(c->heap, object)) {
        c->remembered_bits += (header & HEADER_REMEMBERED) != 0;
    } else if (header & (HEADER_REMEMBERED | HEADER_PINNED))
        find(c, "%s is young, but remembered or pinned (M3)",
             describe(c, object, text, sizeof text));
}

/* Answers whether the slot holds a reference to a young object. */
static bool check_slot(Check *c, Oop object, Word i)
{
    char text[128];
    Oop value = object_slot(object, i);
    if (is_immediate(value)) {
        if (WORD_BITS == 64 && !is_small_integer(value) && !is_character(value) &&
            !is_small_float(value))
            find(c, "%s: slot %" PRIuWORD " holds 0x%" PRIxWORD ", an illegal immediate (H1)",
                 describe(c, object, text, sizeof text), i, value);
        return false;
    }
    if (!is_known(c, value)) {
        find(c, "%s: slot %" PRIuWORD " holds 0x%" PRIxWORD ", which is no object (H1)",
             describe(c, object, text, sizeof text), i, value);
        return false;
    }
    return heap_is_young(c->heap, value);
}

/* Answers whether the code's literals can be looked at. */
static bool check_code(Check *c, Oop object)
{
    char text[128];
    Oop first = object_slot_count(object) ? object_slot(object, 0) : NO_OOP;
    if (!is_small_integer(first) && (is_immediate(first) || !first || in_spaces(c, first))) {
        find(c, "%s: its header is 0x%" PRIxWORD " (H5)", describe(c, object, text, sizeof text),
             first);
        return false;
    }
    if (method_literal_count(c->heap, object) < object_slot_count(object))
        return true;
    find(c, "%s: its header counts more literals than it has slots (H5)",
         describe(c, object, text, sizeof text));
    return false;
}

static void check_object(Check *c, Oop object)
{
    char text[128];
    Word first, end;
    bool young = false;
    check_header(c, object);
    if (format_is_code(object_format(object)) && !check_code(c, object))
        return;
    heap_pointer_slots(c->heap, object, &first, &end);
    for (Word i = first; i < end; i++)
        young |= check_slot(c, object, i);
    if (young && heap_is_old(c->heap, object) && !(header_of(object) & HEADER_REMEMBERED))
        find(c, "%s is old and refers to a young object, but is not remembered (H2)",
             describe(c, object, text, sizeof text));
}

/* Looks at the objects that walking has found, in address order. */
static void check_objects(Check *c)
{
    size_t words = c->map_bytes / 8;
    for (size_t i = 0; i < words; i++)
        for (uint64_t bits = c->starts[i]; bits; bits &= bits - 1) {
            size_t bit = i * 64 + (size_t)__builtin_ctzll(bits);
            check_object(c, c->base + (Word)(bit << 3));
        }
}

/* ---- The rest ---- */

static void check_remembered(Check *c)
{
    char text[128];
    Heap *heap = c->heap;
    for (size_t i = 0; i < heap->remembered_count; i++) {
        Oop object = heap->remembered[i];
        if (is_immediate(object) || !is_known(c, object) || heap_is_young(heap, object)) {
            find(c, "entry %zu of the remembered set, 0x%" PRIxWORD ", is no old object (H2)", i,
                 object);
            continue;
        }
        if (!(header_of(object) & HEADER_REMEMBERED))
            find(c, "%s is in the remembered set without the bit (H2)",
                 describe(c, object, text, sizeof text));
        if (map_has(c, c->remembered, object))
            find(c, "%s is in the remembered set twice (H2)",
                 describe(c, object, text, sizeof text));
        map_set(c, c->remembered, object);
    }
    if (c->remembered_bits != heap->remembered_count)
        find(c, "%zu objects have the remembered bit, %zu are in the remembered set (H2)",
             c->remembered_bits, heap->remembered_count);
}

static void check_class_table(Check *c)
{
    Heap *heap = c->heap;
    Oop pages = heap->hidden_roots;
    for (Word page = 0; page < heap->class_table_pages; page++)
        if (!is_known(c, object_slot(pages, page)) ||
            object_slot_count(object_slot(pages, page)) != CLASS_PAGE_SIZE) {
            find(c, "page %" PRIuWORD " of the class table is no Array of %d (H4)", page,
                 CLASS_PAGE_SIZE);
            return;
        }
    for (Word i = 1; i < heap->class_table_pages << CLASS_PAGE_BITS; i++) {
        Oop class = heap_class_at(heap, i);
        if (class == heap->nil || is_immediate(class) || !is_known(c, class))
            continue; /* check_slot has reported what is no object */
        if (is_forwarded(class))
            find(c, "entry %" PRIuWORD " of the class table is a forwarder (H4)", i);
        else if (!class_shaped(class))
            find(c, "entry %" PRIuWORD " of the class table, 0x%" PRIxWORD ", is no class (H4)", i,
                 class);
    }
}

static void check_root(void *context, Oop *slot)
{
    Check *c = context;
    if (is_object(*slot) && !is_known(c, *slot))
        find(c, "a root holds 0x%" PRIxWORD ", which is no object (H1)", *slot);
}

static void check_areas(Check *c)
{
    MmSpur *m = c->m;
    if (!m->crowded && m->areas[m->to].free != m->areas[m->to].start)
        find(c, "the empty survivor space is not empty (M2)");
    for (unsigned i = 0; i < AREAS; i++)
        if (m->areas[i].free < m->areas[i].start || m->areas[i].free > m->areas[i].limit)
            find(c, "%s is used up to 0x%" PRIxWORD ", outside its bounds (M1)", area_names[i],
                 m->areas[i].free);
    if (m->weaklings.count || m->ephemerons.count || m->kept.count || m->segments.count)
        find(c, "a list of the last collection is not empty (M4)");
}

static void check_everything(Check *c)
{
    check_areas(c);
    enter_objects(c);
    if (!is_known(c, c->heap->hidden_roots)) {
        find(c, "the hidden roots, 0x%" PRIxWORD ", are no object (H1)", c->heap->hidden_roots);
        return;
    }
    find_name_slot(c);
    check_objects(c);
    check_remembered(c);
    check_class_table(c);
    collect_visit_outside(c->m, check_root, c);
}

size_t leak_check(Mm *mm, void (*report)(void *context, const char *sentence), void *context)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    Check c = {.m = m, .heap = heap, .report = report, .context = context};
    heap->gc->ops->make_walkable(heap->gc);
    space_sync_eden(m);
    if (open_maps(&c))
        check_everything(&c);
    else
        find(&c, "the host has no memory for the tables of a leak check");
    close_maps(&c);
    return c.findings + heap->gc->ops->self_check(heap->gc, report, context);
}
