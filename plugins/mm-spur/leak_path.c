/* Names of objects, and the way to them, for findings of the leak check. */
#include "leak.h"

/* ---- Names ---- */

static bool text_is(const Check *c, Oop oop, const char *text)
{
    size_t length = strlen(text);
    return is_object(oop) && leak_is_known(c, oop) && format_is_bytes(object_format(oop)) &&
           bits_byte_count(oop) == length && memcmp(object_bytes(oop), text, length) == 0;
}

/* The slot of a class's name is where class Array has 'Array'. */
void leak_find_name_slot(Check *c)
{
    Oop array = heap_class_at(c->heap, CLASS_ARRAY);
    if (!is_object(array) || !leak_is_known(c, array) || !format_is_pointers(object_format(array)))
        return;
    for (Word i = 3; i < object_slot_count(array); i++)
        if (text_is(c, object_slot(array, i), "Array")) {
            c->name_slot = (unsigned)i;
            return;
        }
}

Oop leak_class(const Check *c, Word index)
{
    Heap *heap = c->heap;
    if (index >> CLASS_PAGE_BITS >= heap->class_table_pages)
        return NO_OOP;
    Oop class = heap_class_at(heap, index);
    return is_object(class) && leak_is_known(c, class) ? class : NO_OOP;
}

const char *leak_describe(const Check *c, Oop object, char *text, size_t size)
{
    Word index = object_class_index(object);
    Oop class = leak_class(c, index);
    Oop name = NO_OOP;
    if (class && c->name_slot && format_is_pointers(object_format(class)) &&
        c->name_slot < object_slot_count(class))
        name = object_slot(class, c->name_slot);
    if (name && is_object(name) && leak_is_known(c, name) && format_is_bytes(object_format(name)))
        snprintf(text, size, "object 0x%" PRIxWORD " of class %.*s", object,
                 (int)(bits_byte_count(name) < 60 ? bits_byte_count(name) : 60),
                 (const char *)object_bytes(name));
    else
        snprintf(text, size, "object 0x%" PRIxWORD " of class index %" PRIuWORD, object, index);
    return text;
}

/* ---- Paths ---- */

enum { SHOWN = 12 }; /* steps of a path that are printed */

/* How the search came to an object. */
typedef struct {
    Oop object;
    size_t parent; /* index of the step before; NO_PARENT: a root */
    Word slot;     /* of the parent, or number of the root */
} Step;

#define NO_PARENT SIZE_MAX

typedef struct {
    const Check *c;
    Step *steps; /* in the order found: breadth first */
    size_t count, roots;
    uint64_t *seen; /* as the maps of Check */
} Search;

static void add_step(Search *search, Oop object, size_t parent, Word slot)
{
    const Check *c = search->c;
    if (is_immediate(object) || !leak_is_known(c, object) ||
        leak_map_has(c, search->seen, object))
        return;
    leak_map_set(c, search->seen, object);
    search->steps[search->count++] = (Step){object, parent, slot};
}

static void add_root(void *context, Oop *slot)
{
    Search *search = context;
    add_step(search, *slot, NO_PARENT, (Word)search->roots++);
}

static void add_slots(Search *search, size_t index)
{
    Heap *heap = search->c->heap;
    Oop object = search->steps[index].object;
    Word first, end, slots = object_slot_count(object);
    if (format_is_code(object_format(object)) && !is_small_integer(object_slot(object, 0)))
        return;
    heap_pointer_slots(heap, object, &first, &end);
    for (Word i = first; i < end && i < slots; i++)
        add_step(search, object_slot(object, i), index, i);
}

static size_t search_for(Search *search, Oop object)
{
    collect_visit_outside(search->c->m, add_root, search);
    add_step(search, search->c->heap->hidden_roots, NO_PARENT, (Word)search->roots);
    for (size_t i = 0; i < search->count; i++) {
        if (search->steps[i].object == object)
            return i;
        add_slots(search, i);
    }
    return NO_PARENT;
}

static void report_step(const Check *c, const Step *step)
{
    char text[DESCRIPTION], line[DESCRIPTION + 64];
    leak_describe(c, step->object, text, sizeof text);
    if (step->parent == NO_PARENT && step->object == c->heap->hidden_roots)
        snprintf(line, sizeof line, "    the hidden roots: %s", text);
    else if (step->parent == NO_PARENT)
        snprintf(line, sizeof line, "    root %" PRIuWORD ": %s", step->slot, text);
    else
        snprintf(line, sizeof line, "    its slot %" PRIuWORD ": %s", step->slot, text);
    c->request->report(c->request->context, line);
}

/* From the root down; of a long path the end. */
static void report_steps(const Check *c, const Search *search, size_t last)
{
    size_t path[SHOWN], shown = 0, length = 0;
    for (size_t at = last; at != NO_PARENT; at = search->steps[at].parent, length++)
        if (shown < SHOWN)
            path[shown++] = at;
    if (length > SHOWN) {
        char line[64];
        snprintf(line, sizeof line, "    %zu steps from a root:", length - SHOWN);
        c->request->report(c->request->context, line);
    }
    while (shown-- > 0)
        report_step(c, &search->steps[path[shown]]);
}

void leak_report_path(Check *c, Oop object)
{
    Heap *heap = c->heap;
    size_t bytes = (c->objects + 1) * sizeof(Step);
    Search search = {.c = c, .steps = heap->host->side_table_reserve(heap, bytes),
                     .seen = heap->host->side_table_reserve(heap, c->map_bytes)};
    size_t found = search.steps && search.seen ? search_for(&search, object) : NO_PARENT;
    if (found != NO_PARENT)
        report_steps(c, &search, found);
    else
        c->request->report(c->request->context, "    no root leads there");
    if (search.steps)
        heap->host->side_table_release(heap, search.steps, bytes);
    if (search.seen)
        heap->host->side_table_release(heap, search.seen, c->map_bytes);
}
