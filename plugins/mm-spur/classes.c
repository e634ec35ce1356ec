/* The class table: pages of 1024 classes, named by the hidden roots. A class's
 * identity hash is its canonical index; page 0 belongs to the image.
 *
 * Images and become can make several entries name one class. Instances with such
 * an index are given the canonical one before a full collection, which then
 * clears every entry that is neither canonical nor met as an index.
 */
#include "spur.h"

static inline Word *class_entry(const Heap *heap, Word index)
{
    Oop page = object_slot(heap->hidden_roots, index >> CLASS_PAGE_BITS);
    return &object_slots(page)[index & (CLASS_PAGE_SIZE - 1)];
}

static Word class_table_size(const Heap *heap)
{
    return heap->class_table_pages << CLASS_PAGE_BITS;
}

static void store_class(Heap *heap, Word index, Oop class)
{
    Oop page = object_slot(heap->hidden_roots, index >> CLASS_PAGE_BITS);
    heap_store(heap, page, index & (CLASS_PAGE_SIZE - 1), class);
}

static void set_hash(Oop object, Word hash)
{
    *header_at(object) = (header_of(object) & ~HEADER_HASH_MASK) |
                         (Header)hash << HEADER_HASH_SHIFT;
}

bool class_in_table(const Heap *heap, Oop object)
{
    Word hash = header_hash(header_of(object));
    return hash != 0 && hash < class_table_size(heap) && *class_entry(heap, hash) == object;
}

bool class_shaped(Oop object)
{
    return is_object(object) && format_is_pointers(object_format(object)) &&
           object_slot_count(object) > CLASS_FORMAT && is_object(object_slot(object, 0)) &&
           is_object(object_slot(object, 1)) &&
           is_small_integer(object_slot(object, CLASS_FORMAT));
}

/* ---- Entering ---- */

/* Adds a page of nils to the table. False: the table or memory is full. */
static bool add_page(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    if (heap->class_table_pages == CLASS_PAGES_MAX)
        return false;
    Oop page = allocate_old(&m->mm, CLASS_PAGE_SIZE, FORMAT_INDEXABLE, CLASS_ARRAY_PUN);
    if (!page)
        return false;
    object_fill(page, 0, CLASS_PAGE_SIZE, heap->nil);
    heap_store(heap, heap->hidden_roots, heap->class_table_pages++, page);
    return true;
}

/* The lowest free index from the cursor on; 0: none and no memory for more. */
static Word free_index(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    for (Word size = class_table_size(heap); m->class_cursor < size; m->class_cursor++)
        if (*class_entry(heap, m->class_cursor) == heap->nil)
            return m->class_cursor;
    return add_page(m) ? m->class_cursor : 0;
}

/* A class that was asked for its hash before it was entered keeps it, if that
 * index is free; otherwise the rule that hash and index are one prevails. */
Word class_enter(Mm *mm, Oop class)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    CHECK(is_object(class), "an immediate is entered as a class");
    if (class_in_table(heap, class))
        return header_hash(header_of(class));
    Word hash = header_hash(header_of(class));
    bool usable = hash >= CLASS_PAGE_SIZE && hash < class_table_size(heap) &&
                  *class_entry(heap, hash) == heap->nil;
    Word index = usable ? hash : free_index(m);
    if (!index)
        return 0;
    store_class(heap, index, class);
    set_hash(class, index);
    return index;
}

/* ---- Images ---- */

static bool is_duplicate(const Heap *heap, Word index)
{
    Oop class = *class_entry(heap, index);
    return class != heap->nil && header_hash(header_of(class)) != index &&
           class_in_table(heap, class);
}

static bool has_duplicates(const Heap *heap)
{
    for (Word i = CLASS_PAGE_SIZE; i < class_table_size(heap); i++)
        if (is_duplicate(heap, i))
            return true;
    return false;
}

void class_table_adopt(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    heap->class_table_pages = 0;
    while (heap->class_table_pages < CLASS_PAGES_MAX &&
           object_slot(heap->hidden_roots, heap->class_table_pages) != heap->nil)
        heap->class_table_pages++;
    m->class_cursor = CLASS_PAGE_SIZE;
    m->class_duplicates = has_duplicates(heap);
}

/* ---- Become ---- */

void class_table_follow(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    for (Word i = 1; i < class_table_size(heap); i++) {
        Oop class = *class_entry(heap, i);
        if (is_forwarded(class))
            store_class(heap, i, follow(class));
    }
    m->class_duplicates = true;
}

/* ---- Full collections ---- */

static void normalise_object(MmSpur *m, Oop object, void *context)
{
    Heap *heap = m->mm.heap;
    Header header = header_of(object);
    Word index = header_class_index(header);
    if (index < CLASS_PAGE_SIZE)
        return;
    Oop class = *class_entry(heap, index);
    Word hash = header_hash(header_of(class));
    if (hash != index && class_in_table(heap, class))
        *header_at(object) = (header & ~HEADER_CLASS_MASK) | hash;
}

/* Objects that carry an index of page 0 keep it: the VM knows them by it. */
void class_table_normalise(MmSpur *m)
{
    Heap *heap = m->mm.heap;
    heap->gc->ops->make_walkable(heap->gc);
    for (Oop object = object_at_start(heap->old_start); object < heap->old_end;
         object = heap_next_object(object, heap->old_end))
        normalise_object(m, object, NULL);
    walk_young(m, normalise_object, NULL);
    m->class_duplicates = false;
}

void class_table_reclaim(MmSpur *m, Tracer *tracer)
{
    Heap *heap = m->mm.heap;
    for (Word i = CLASS_PAGE_SIZE; i < class_table_size(heap); i++) {
        Word *entry = class_entry(heap, i);
        if (*entry == heap->nil)
            continue;
        Oop class = follow(*entry);
        bool dead = is_immediate(class) || !tracer->is_live(tracer, class);
        bool superfluous = !dead && !m->class_marks[i] && header_hash(header_of(class)) != i;
        *entry = dead || superfluous ? heap->nil : class; /* NOBARRIER: B3, and B1 */
    }
    m->class_cursor = CLASS_PAGE_SIZE;
}
