/* The leak check: walks everything and verifies H1 to H5 of osvm/heap.h and what
 * the manager promises itself (spur.h).
 *
 * First every space is walked and the place of each object noted in a bit map, so
 * that afterwards a reference can be told from an address inside an object. A
 * space that cannot be walked to its end is reported and not looked at further.
 */
#include "leak.h"

#include <stdarg.h>

enum { PATHS = 4 }; /* findings that say how their object is reached: that takes a search */

void leak_find(Check *c, unsigned subset, Oop object, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    c->request->findings[subset]++;
    c->request->report(c->request->context, sentence);
    if (object && c->paths_left) {
        c->paths_left--;
        leak_report_path(c, object);
    }
}

static bool wants(const Check *c, unsigned subset)
{
    return c->request->subsets >> subset & 1;
}

/* ---- The maps ---- */

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

/* ---- Walking ---- */

/* Answers whether the object ends where one can. */
static bool check_extent(Check *c, const char *space, Oop object, Word limit)
{
    Word room = limit - object - HEADER_BYTES, slots = object_slot_count(object);
    if (slots <= room >> WORD_SHIFT && body_bytes_for_slots(slots) <= room)
        return true;
    leak_find(c, LEAK_OBJECTS, NO_OOP, "object 0x%" PRIxWORD " in %s has %" PRIuWORD
              " slots and passes the end of the space, 0x%" PRIxWORD " (H1)", object, space, slots,
              limit);
    return false;
}

static void enter_range(Check *c, const char *space, Word start, Word limit)
{
    while (start < limit) {
        Oop object = object_at_start(start);
        if (object >= limit || !check_extent(c, space, object, limit))
            return;
        if (object_class_index(object) != CLASS_FREE) {
            leak_map_set(c, c->starts, object);
            c->objects++;
        }
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

/* Looks at the objects that walking has found, in address order. */
static void each_object(Check *c, void (*look)(Check *c, Oop object))
{
    size_t words = c->map_bytes / 8;
    for (size_t i = 0; i < words; i++)
        for (uint64_t bits = c->starts[i]; bits; bits &= bits - 1) {
            size_t bit = i * 64 + (size_t)__builtin_ctzll(bits);
            look(c, c->base + (Word)(bit << 3));
        }
}

/* ---- Objects ---- */

static void check_class_index(Check *c, Oop object)
{
    char text[DESCRIPTION];
    Word index = object_class_index(object);
    if (index > CLASS_LAST_PUN &&
        (leak_class(c, index) == NO_OOP || leak_class(c, index) == c->heap->nil))
        leak_find(c, LEAK_OBJECTS, object, "%s: its class index names no class (H4)",
                  leak_describe(c, object, text, sizeof text));
}

static void check_slot(Check *c, Oop object, Word i)
{
    char text[DESCRIPTION];
    Oop value = object_slot(object, i);
    const char *what = "no object";
    if (is_immediate(value)) {
        if (WORD_BITS != 64 || is_small_integer(value) || is_character(value) ||
            is_small_float(value))
            return;
        what = "an illegal immediate";
    } else if (leak_is_known(c, value))
        return;
    leak_find(c, LEAK_OBJECTS, object, "%s: slot %" PRIuWORD " holds 0x%" PRIxWORD
              ", which is %s (H1)", leak_describe(c, object, text, sizeof text), i, value, what);
}

/* Can the code's literals be looked at? */
static bool code_is_sound(const Check *c, Oop object)
{
    Oop first = object_slot_count(object) ? object_slot(object, 0) : NO_OOP;
    if (!is_small_integer(first) && (is_immediate(first) || !first || leak_in_spaces(c, first)))
        return false;
    return method_literal_count(c->heap, object) < object_slot_count(object);
}

static void check_object(Check *c, Oop object)
{
    char text[DESCRIPTION];
    Word first, end;
    check_class_index(c, object);
    if (format_is_code(object_format(object)) && !code_is_sound(c, object)) {
        leak_find(c, LEAK_OBJECTS, object, "%s: its header is 0x%" PRIxWORD
                  ", or it counts more literals than it has slots (H5)",
                  leak_describe(c, object, text, sizeof text),
                  object_slot_count(object) ? object_slot(object, 0) : NO_OOP);
        return;
    }
    heap_pointer_slots(c->heap, object, &first, &end);
    for (Word i = first; i < end; i++)
        check_slot(c, object, i);
}

/* ---- The remembered set ---- */

/* The first slot that refers to a young object; -1: none. */
static SWord young_slot(Check *c, Oop object)
{
    Word first, end;
    if (format_is_code(object_format(object)) && !code_is_sound(c, object))
        return -1;
    heap_pointer_slots(c->heap, object, &first, &end);
    for (Word i = first; i < end; i++) {
        Oop value = object_slot(object, i);
        if (is_object(value) && leak_is_known(c, value) && heap_is_young(c->heap, value))
            return (SWord)i;
    }
    return -1;
}

static void check_remembers(Check *c, Oop object)
{
    char text[DESCRIPTION];
    if (heap_is_young(c->heap, object))
        return;
    if (header_of(object) & HEADER_REMEMBERED) {
        c->remembered_bits++;
        return;
    }
    SWord slot = young_slot(c, object);
    if (slot >= 0)
        leak_find(c, LEAK_REMEMBERED, object, "%s is old and refers to a young object in slot %"
                  PRIdWORD ", but is not remembered (H2)",
                  leak_describe(c, object, text, sizeof text), slot);
}

static void check_remembered_entry(Check *c, size_t i, Oop object)
{
    char text[DESCRIPTION];
    if (is_immediate(object) || !leak_is_known(c, object) || heap_is_young(c->heap, object)) {
        leak_find(c, LEAK_REMEMBERED, NO_OOP, "entry %zu of the remembered set, 0x%" PRIxWORD
                  ", is no old object (H2)", i, object);
        return;
    }
    if (!(header_of(object) & HEADER_REMEMBERED))
        leak_find(c, LEAK_REMEMBERED, object, "%s is in the remembered set without the bit (H2)",
                  leak_describe(c, object, text, sizeof text));
    if (leak_map_has(c, c->remembered, object))
        leak_find(c, LEAK_REMEMBERED, object, "%s is in the remembered set twice (H2)",
                  leak_describe(c, object, text, sizeof text));
    leak_map_set(c, c->remembered, object);
}

static void check_remembered(Check *c)
{
    Heap *heap = c->heap;
    each_object(c, check_remembers);
    for (size_t i = 0; i < heap->remembered_count; i++)
        check_remembered_entry(c, i, heap->remembered[i]);
    if (c->remembered_bits != heap->remembered_count)
        leak_find(c, LEAK_REMEMBERED, NO_OOP,
                  "%zu objects have the remembered bit, %zu are in the remembered set (H2)",
                  c->remembered_bits, heap->remembered_count);
}

/* ---- The class table ---- */

static bool check_class_pages(Check *c)
{
    Heap *heap = c->heap;
    for (Word page = 0; page < heap->class_table_pages; page++) {
        Oop array = object_slot(heap->hidden_roots, page);
        if (!leak_is_known(c, array) || object_slot_count(array) != CLASS_PAGE_SIZE) {
            leak_find(c, LEAK_CLASSES, NO_OOP, "page %" PRIuWORD
                      " of the class table is no Array of %d (H4)", page, CLASS_PAGE_SIZE);
            return false;
        }
    }
    return true;
}

static void check_classes(Check *c)
{
    Heap *heap = c->heap;
    if (!check_class_pages(c))
        return;
    for (Word i = 1; i < heap->class_table_pages << CLASS_PAGE_BITS; i++) {
        Oop class = heap_class_at(heap, i);
        if (class == heap->nil || is_immediate(class) || !leak_is_known(c, class))
            continue; /* check_slot has reported what is no object */
        if (is_forwarded(class))
            leak_find(c, LEAK_CLASSES, NO_OOP, "entry %" PRIuWORD
                      " of the class table is a forwarder (H4)", i);
        else if (!class_shaped(class))
            leak_find(c, LEAK_CLASSES, NO_OOP, "entry %" PRIuWORD " of the class table, 0x%"
                      PRIxWORD ", is no class (H4)", i, class);
    }
}

/* ---- Weak objects, ephemerons, mourners ---- */

static void check_weak(Check *c, Oop object)
{
    char text[DESCRIPTION];
    unsigned format = object_format(object);
    if (format == FORMAT_EPHEMERON && !object_slot_count(object))
        leak_find(c, LEAK_WEAK, object, "%s is an ephemeron without a key",
                  leak_describe(c, object, text, sizeof text));
    if (format == FORMAT_WEAK && leak_class(c, object_class_index(object)) &&
        heap_fixed_fields(c->heap, object) > object_slot_count(object))
        leak_find(c, LEAK_WEAK, object, "%s is weak and has fewer slots than its class has fields",
                  leak_describe(c, object, text, sizeof text));
}

static void check_weak_lists(Check *c)
{
    MmSpur *m = c->m;
    each_object(c, check_weak);
    if (m->weaklings.count || m->ephemerons.count)
        leak_find(c, LEAK_WEAK, NO_OOP, "%zu weak objects and %zu ephemerons are listed between "
                  "collections (M4)", m->weaklings.count, m->ephemerons.count);
    for (size_t i = m->mourner_head; i < m->mourners.count; i++) {
        Oop mourner = m->mourners.items[i];
        if (is_immediate(mourner) || !leak_is_known(c, mourner))
            leak_find(c, LEAK_WEAK, NO_OOP, "mourner %zu, 0x%" PRIxWORD ", is no object (H1)",
                      i - m->mourner_head, mourner);
    }
}

/* ---- Marks ---- */

static void check_bits(Check *c, Oop object)
{
    char text[DESCRIPTION];
    Header header = header_of(object);
    if (header & (HEADER_MARKED | HEADER_GREY))
        leak_find(c, LEAK_MARKS, object, "%s is marked or grey between collections (M3)",
                  leak_describe(c, object, text, sizeof text));
    if (heap_is_young(c->heap, object) && header & (HEADER_REMEMBERED | HEADER_PINNED))
        leak_find(c, LEAK_MARKS, object, "%s is young, but remembered or pinned (M3)",
                  leak_describe(c, object, text, sizeof text));
}

static void check_marks(Check *c)
{
    MmSpur *m = c->m;
    if (!m->crowded && m->areas[m->to].free != m->areas[m->to].start)
        leak_find(c, LEAK_MARKS, NO_OOP, "the empty survivor space is not empty (M2)");
    for (unsigned i = 0; i < AREAS; i++)
        if (m->areas[i].free < m->areas[i].start || m->areas[i].free > m->areas[i].limit)
            leak_find(c, LEAK_MARKS, NO_OOP, "%s is used up to 0x%" PRIxWORD
                      ", outside its bounds (M1)", area_names[i], m->areas[i].free);
    if (m->kept.count || m->segments.count)
        leak_find(c, LEAK_MARKS, NO_OOP, "a list of the last scavenge is not empty (M4)");
    each_object(c, check_bits);
}

/* ---- Roots, and what others check ---- */

static void check_root(void *context, Oop *slot)
{
    Check *c = context;
    if (is_object(*slot) && !leak_is_known(c, *slot))
        leak_find(c, LEAK_ROOTS, NO_OOP, "root %zu holds 0x%" PRIxWORD ", which is no object (H1)",
                  c->roots, *slot);
    c->roots++;
}

static void check_roots(Check *c)
{
    collect_visit_outside(c->m, check_root, c);
}

static void check_all_objects(Check *c)
{
    each_object(c, check_object);
}

static void check_free(Check *c)
{
    Gc *gc = c->heap->gc;
    c->request->findings[LEAK_FREE] +=
        gc_self_check(gc, c->request->report, c->request->context);
}

static void check_stacks(Check *c)
{
    Heap *heap = c->heap;
    if (heap->host->check_stacks)
        c->request->findings[LEAK_STACKS] +=
            heap->host->check_stacks(heap, c->request->report, c->request->context);
}

/* ---- All of it ---- */

static void (*const checks[LEAK_SUBSETS])(Check *c) = {
    [LEAK_OBJECTS] = check_all_objects, [LEAK_ROOTS] = check_roots,
    [LEAK_REMEMBERED] = check_remembered, [LEAK_CLASSES] = check_classes,
    [LEAK_FREE] = check_free, [LEAK_WEAK] = check_weak_lists,
    [LEAK_STACKS] = check_stacks, [LEAK_MARKS] = check_marks,
};

static void run_checks(Check *c)
{
    Heap *heap = c->heap;
    for (unsigned subset = 0; subset < LEAK_SUBSETS; subset++) {
        if (!wants(c, subset))
            continue;
        uint64_t start = heap->host->now(heap);
        checks[subset](c);
        c->request->times[subset] += heap->host->now(heap) - start;
    }
}

static void check_everything(Check *c)
{
    Heap *heap = c->heap;
    uint64_t start = heap->host->now(heap);
    enter_objects(c);
    if (!leak_is_known(c, heap->hidden_roots)) {
        leak_find(c, LEAK_OBJECTS, NO_OOP, "the hidden roots, 0x%" PRIxWORD ", are no object (H1)",
                  heap->hidden_roots);
        return;
    }
    leak_find_name_slot(c);
    c->request->times[LEAK_OBJECTS] = heap->host->now(heap) - start;
    run_checks(c);
}

static size_t count_findings(const LeakCheck *request)
{
    size_t findings = 0;
    for (unsigned subset = 0; subset < LEAK_SUBSETS; subset++)
        findings += request->findings[subset];
    return findings;
}

size_t leak_check(Mm *mm, LeakCheck *request)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    Check c = {.m = m, .heap = heap, .request = request, .paths_left = PATHS};
    memset(request->findings, 0, sizeof request->findings);
    memset(request->times, 0, sizeof request->times);
    heap->gc->ops->make_walkable(heap->gc);
    space_sync_eden(m);
    if (open_maps(&c))
        check_everything(&c);
    else
        leak_find(&c, LEAK_OBJECTS, NO_OOP, "the host has no memory for the tables of a leak check");
    close_maps(&c);
    return count_findings(request);
}
