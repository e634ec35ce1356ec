/* Become and pinning: objects turn into forwarders, which nobody hurries to find.
 *
 * The pause is that of the pairs themselves, of following what may not hold a
 * forwarder (the core's frames and tables) and, if classes are concerned, of one
 * pass over the class table; never of the heap. Everything is validated, and all
 * memory is there, before anything changes.
 *
 * Two objects of the same number of slots that are no classes swap contents where
 * they lie. Other pairs are cloned, and each forwarded to the other's clone. Of
 * clones that are needed, all are placed in one piece of memory, in eden or in old
 * space, reserved beforehand.
 */
#include "spur.h"

/* Marks elements while pairs are validated; a bit that nobody uses, nor any file. */
#define HEADER_SEEN ((Header)1 << 22)

typedef struct {
    MmSpur *m;
    Heap *heap;
    BecomeKind kind;
    Oop from, to;         /* the two Arrays */
    Word count;           /* of pairs */
    Word clone_bytes;     /* what clones take if no object is in two pairs */
    Word largest;         /* bytes of the largest element */
    bool repeated;        /* some object is in two pairs */
    bool classes;         /* some class of the table is becommed */
    Word clone_free, clone_end; /* the memory for clones */
} Become;

/* ---- Validation ---- */

/* Objects that never move and that everything depends on. */
static bool is_fixed(const Heap *heap, Oop object)
{
    return object >= heap->old_start && object <= heap->hidden_roots;
}

static int check_changeable(const Become *b, Oop object)
{
    if (is_immediate(object) || is_fixed(b->heap, object))
        return MM_INAPPROPRIATE;
    Header header = header_of(object);
    if (header_is_pinned(header))
        return MM_PINNED;
    return header_is_immutable(header) ? MM_NO_MODIFICATION : MM_OK;
}

static int check_hash_target(Oop object)
{
    if (is_immediate(object))
        return MM_INAPPROPRIATE;
    return header_is_immutable(header_of(object)) ? MM_NO_MODIFICATION : MM_OK;
}

/* A class of the table may only become what can be one: it has instances. */
static int check_class(const Become *b, Oop object, Oop other)
{
    if (!class_in_table(b->heap, object) || class_shaped(other))
        return MM_OK;
    return MM_INAPPROPRIATE;
}

static int check_pair(const Become *b, Oop x, Oop y)
{
    int code = check_changeable(b, x);
    if (code != MM_OK || x == y)
        return code;
    if (b->kind == BECOME_TWO_WAY)
        code = check_changeable(b, y);
    else if (b->kind == BECOME_ONE_WAY_COPY_HASH)
        code = check_hash_target(y);
    if (code == MM_OK)
        code = check_class(b, x, y);
    if (code == MM_OK && b->kind == BECOME_TWO_WAY)
        code = check_class(b, y, x);
    return code;
}

static bool swaps_in_place(const Become *b, Oop x, Oop y)
{
    return object_slot_count(x) == object_slot_count(y) && !class_in_table(b->heap, x) &&
           !class_in_table(b->heap, y);
}

static void see(Become *b, Oop object)
{
    Header *header = header_at(object);
    Word size = object_size(object);
    b->repeated |= (*header & HEADER_SEEN) != 0;
    *header |= HEADER_SEEN;
    if (size > b->largest)
        b->largest = size;
}

static void forget(Oop object)
{
    if (is_object(object))
        *header_at(object) &= ~HEADER_SEEN;
}

static Oop pair_from(const Become *b, Word i)
{
    return follow(object_slot(b->from, i));
}

static Oop pair_to(const Become *b, Word i)
{
    return follow(object_slot(b->to, i));
}

static void measure_pair(Become *b, Oop x, Oop y)
{
    b->classes |= class_in_table(b->heap, x);
    if (b->kind != BECOME_TWO_WAY) {
        b->classes |= is_object(y) && class_in_table(b->heap, y);
        return;
    }
    b->classes |= class_in_table(b->heap, y);
    see(b, x);
    see(b, y);
    if (!swaps_in_place(b, x, y)) {
        Word size = object_size(x) + object_size(y);
        b->clone_bytes = b->clone_bytes > ~size ? ~(Word)0 : b->clone_bytes + size;
    }
}

static int validate_pairs(Become *b)
{
    for (Word i = 0; i < b->count; i++) {
        int code = check_pair(b, pair_from(b, i), pair_to(b, i));
        if (code != MM_OK)
            return code;
    }
    for (Word i = 0; i < b->count; i++)
        if (pair_from(b, i) != pair_to(b, i))
            measure_pair(b, pair_from(b, i), pair_to(b, i));
    for (Word i = 0; b->kind == BECOME_TWO_WAY && i < b->count; i++) {
        forget(pair_from(b, i));
        forget(pair_to(b, i));
    }
    /* An object in two pairs has the other's size when its second turn comes. */
    if (b->repeated && b->largest > ~(Word)0 / 2 / b->count)
        b->clone_bytes = ~(Word)0;
    else if (b->repeated)
        b->clone_bytes = 2 * b->largest * b->count;
    return MM_OK;
}

/* From now on an element that is a forwarder has been made one by an earlier pair. */
static void resolve_elements(Heap *heap, Oop array)
{
    for (Word i = 0, count = object_slot_count(array); i < count; i++)
        if (is_forwarded(object_slot(array, i)))
            heap_store(heap, array, i, follow(object_slot(array, i)));
}

static int validate(Become *b)
{
    if (is_immediate(b->from) || object_format(b->from) != FORMAT_INDEXABLE)
        return MM_BAD_RECEIVER;
    if (is_immediate(b->to) || object_format(b->to) != FORMAT_INDEXABLE)
        return MM_BAD_ARGUMENT;
    b->count = object_slot_count(b->from);
    if (object_slot_count(b->to) != b->count)
        return MM_BAD_ARGUMENT;
    resolve_elements(b->heap, b->from);
    resolve_elements(b->heap, b->to);
    return validate_pairs(b);
}

/* ---- Memory for clones ---- */

static bool reserve_clones(Become *b)
{
    MmSpur *m = b->m;
    Heap *heap = b->heap;
    if (b->clone_bytes == 0)
        return true;
    Word room = m->areas[EDEN].limit - heap->eden_free;
    if (b->clone_bytes <= room) {
        b->clone_free = heap->eden_free;
        b->clone_end = b->clone_free + b->clone_bytes;
        return true;
    }
    if (b->clone_bytes > heap->old_limit - heap->old_start)
        return false;
    /* A smallest object more: what is left over must be able to stand alone. */
    Word bytes = b->clone_bytes + SMALLEST_OBJECT;
    b->clone_free = allocate_old_bytes(m, bytes);
    b->clone_end = b->clone_free + bytes;
    return b->clone_free != 0;
}

static void release_clones(Become *b)
{
    Heap *heap = b->heap;
    if (!b->clone_free)
        return;
    if (b->clone_free >= heap->old_start)
        heap->gc->ops->return_buffer(heap->gc, b->clone_free, b->clone_end);
    else {
        heap->eden_free = b->clone_free;
        if (heap->eden_limit < heap->eden_free) {
            heap->eden_limit = heap->eden_free;
            b->m->collection_due = true;
            heap->host->request_poll(heap);
        }
    }
}

/* A collector that is marking hears of everything a rewritten object refers to. */
static void tell_collector(Heap *heap, Oop object)
{
    if (!heap->marking || heap_is_young(heap, object))
        return;
    Word first, end;
    heap_pointer_slots(heap, object, &first, &end);
    for (Word i = first; i < end; i++)
        if (is_object(object_slot(object, i)))
            heap_marking_barrier(heap, object, object_slot(object, i));
}

static void contents_changed(Heap *heap, Oop object)
{
    allocate_remember_if_needed(heap, object);
    tell_collector(heap, object);
}

static Oop clone_object(Become *b, Oop object)
{
    Word size = object_size(object);
    CHECK(b->clone_end - b->clone_free >= size,
          "the clones of a become need more than was reserved");
    memcpy(word_pointer(b->clone_free), word_pointer(object_start(object)), size);
    Oop clone = object_at_start(b->clone_free);
    b->clone_free += size;
    *header_at(clone) &= ~(HEADER_REMEMBERED | HEADER_MARKED | HEADER_GREY);
    contents_changed(b->heap, clone);
    return clone;
}

/* ---- Forwarding and swapping ---- */

static unsigned hash_of(Oop object)
{
    return header_hash(header_of(object));
}

static void set_hash(Oop object, unsigned hash)
{
    *header_at(object) = (header_of(object) & ~HEADER_HASH_MASK) |
                         (Header)hash << HEADER_HASH_SHIFT;
}

static void forward(Heap *heap, Oop object, Oop target)
{
    Header header = header_of(object);
    header &= ~(HEADER_CLASS_MASK | HEADER_FORMAT_MASK | HEADER_IMMUTABLE);
    header |= CLASS_FORWARDER | (Header)FORMAT_FORWARDER << HEADER_FORMAT_SHIFT;
    if (header_short_slots(header) == 0)
        header |= (Header)1 << HEADER_SLOTS_SHIFT;
    *header_at(object) = header;
    heap_store(heap, object, 0, target);
}

static void swap_in_place(Become *b, Oop x, Oop y)
{
    /* What belongs to the address, not to the contents. */
    const Header stays = HEADER_HASH_MASK | HEADER_REMEMBERED | HEADER_MARKED | HEADER_GREY |
                         HEADER_PINNED;
    Header hx = header_of(x), hy = header_of(y);
    *header_at(x) = (hx & stays) | (hy & ~stays);
    *header_at(y) = (hy & stays) | (hx & ~stays);
    Word *sx = object_slots(x), *sy = object_slots(y);
    for (Word i = 0, slots = object_slot_count(x); i < slots; i++) {
        Word slot = sx[i];
        sx[i] = sy[i];
        sy[i] = slot;
    }
    contents_changed(b->heap, x);
    contents_changed(b->heap, y);
}

static void become_two_way(Become *b, Oop x, Oop y)
{
    if (swaps_in_place(b, x, y)) {
        swap_in_place(b, x, y);
        return;
    }
    unsigned hash_x = hash_of(x), hash_y = hash_of(y);
    Oop clone_x = clone_object(b, x), clone_y = clone_object(b, y);
    set_hash(clone_x, hash_y);
    set_hash(clone_y, hash_x);
    forward(b->heap, x, clone_y);
    forward(b->heap, y, clone_x);
}

/* A class's hash is its index: what replaces a class takes over its index, and a
 * class that replaces something else keeps its own. */
static void become_one_way(Become *b, Oop x, Oop y)
{
    bool x_is_class = class_in_table(b->heap, x);
    bool y_is_class = is_object(y) && class_in_table(b->heap, y);
    bool copy = b->kind == BECOME_ONE_WAY_COPY_HASH ? x_is_class || !y_is_class
                                                    : x_is_class && !y_is_class;
    unsigned hash = hash_of(x);
    forward(b->heap, x, y);
    if (copy)
        set_hash(y, hash);
}

/* What an object becomes one way its first pair says: a second one would be done to what it
 * became, which nobody has validated. */
static void become_pair(Become *b, Word i)
{
    Oop x = pair_from(b, i), y = pair_to(b, i);
    bool again = b->kind != BECOME_TWO_WAY && is_forwarded(object_slot(b->from, i));
    if (x == y || again || is_immediate(x))
        return;
    if (b->kind == BECOME_TWO_WAY)
        become_two_way(b, x, y);
    else
        become_one_way(b, x, y);
}

/* May allocate, so it comes before the memory for clones is set aside. */
static void announce_pairs(const Become *b)
{
    for (Word i = 0; i < b->count; i++) {
        Oop x = pair_from(b, i), y = pair_to(b, i);
        if (x == y)
            continue;
        b->heap->host->before_become(b->heap, x);
        if (b->kind == BECOME_TWO_WAY)
            b->heap->host->before_become(b->heap, y);
    }
}

static void follow_everywhere(MmSpur *m, bool classes)
{
    Heap *heap = m->mm.heap;
    if (classes)
        class_table_follow(m);
    heap->host->flush_caches(heap);
    heap->host->follow_forwarders(heap);
}

int become(Mm *mm, Oop from, Oop to, BecomeKind kind)
{
    Become b = {.m = mm_spur(mm), .heap = mm->heap, .kind = kind, .from = from, .to = to};
    int code = validate(&b);
    if (code != MM_OK)
        return code;
    announce_pairs(&b);
    if (!reserve_clones(&b))
        return MM_NO_MEMORY;
    for (Word i = 0; i < b.count; i++)
        become_pair(&b, i);
    release_clones(&b);
    follow_everywhere(b.m, b.classes);
    return MM_OK;
}

/* ---- Pinning ---- */

static Oop pin_young(MmSpur *m, Oop object)
{
    Heap *heap = m->mm.heap;
    bool is_class = class_in_table(heap, object);
    heap->host->before_become(heap, object);
    Oop copy = allocate_old_copy(m, object);
    if (!copy)
        return NO_OOP;
    contents_changed(heap, copy);
    forward(heap, object, copy);
    *header_at(copy) |= HEADER_PINNED;
    follow_everywhere(m, is_class);
    return copy;
}

Oop pin(Mm *mm, Oop object, bool pinned)
{
    if (!pinned) {
        *header_at(object) &= ~HEADER_PINNED;
        return object;
    }
    if (heap_is_young(mm->heap, object))
        return pin_young(mm_spur(mm), object);
    *header_at(object) |= HEADER_PINNED;
    return object;
}
