/* The queue of mourners: fired ephemerons and, where the image asks for it, weak
 * objects that lost elements. First in, first out; objects that
 * enter it together stand in the order of their addresses after the collection's copying
 * and before its sliding. Lives outside the heap; images
 * carry it as pages of hidden root HIDDEN_MOURNERS.
 */
#include "spur.h"

/* Fields of a page of an image's object stack. */
enum { PAGE_TOP = 0, PAGE_NEXT = 3, PAGE_FIRST = 4 };

void mourner_add(MmSpur *m, Oop object)
{
    if (m->mourner_head && m->mourners.count == m->mourners.capacity) {
        m->mourners.count -= m->mourner_head;
        memmove(m->mourners.items, m->mourners.items + m->mourner_head,
                m->mourners.count * sizeof(Oop));
        m->mourner_head = 0;
    }
    oop_list_push(m, &m->mourners, object);
}

Oop mourner_next(Mm *mm)
{
    MmSpur *m = mm_spur(mm);
    if (m->mourner_head == m->mourners.count)
        return NO_OOP;
    Oop object = follow(m->mourners.items[m->mourner_head++]);
    if (m->mourner_head == m->mourners.count)
        m->mourner_head = m->mourners.count = 0;
    return object;
}

Oop mourner_at(Mm *mm, Word index)
{
    MmSpur *m = mm_spur(mm);
    if (index >= m->mourners.count - m->mourner_head)
        return NO_OOP;
    return follow(m->mourners.items[m->mourner_head + index]);
}

/* A page is a bits object, large enough for its entries. */
static bool is_stack_page(Oop page)
{
    if (is_immediate(page) || !format_is_bits(object_format(page)))
        return false;
    Word slots = object_slot_count(page);
    return slots >= PAGE_FIRST && object_slot(page, PAGE_TOP) <= slots - PAGE_FIRST;
}

void mourners_adopt(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    Oop page = object_slot(heap->hidden_roots, HIDDEN_MOURNERS);
    while (page && page != heap->nil && is_stack_page(page)) {
        for (Word i = 0; i < object_slot(page, PAGE_TOP); i++) {
            Oop object = object_slot(page, PAGE_FIRST + i);
            if (object && is_object(object))
                mourner_add(m, object);
        }
        /* A page is emptied as it is read: a cycle of them ends. */
        object_slots(page)[PAGE_TOP] = 0;
        Oop next = object_slot(page, PAGE_NEXT);
        object_slots(page)[PAGE_NEXT] = 0;
        page = next;
    }
    /* NOBARRIER: B1. The image's other lists are empty or rebuilt. */
    object_fill(heap->hidden_roots, CLASS_PAGES_MAX, HIDDEN_ROOTS_SLOTS, heap->nil);
}
