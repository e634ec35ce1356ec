/* The image writer: heap -> file.
 *
 *   1. map     a bit for each 8 bytes of every object that is written; counting the bits below an
 *              object tells its place in the file
 *   2. stream  the objects in address order, old space first, references replaced by places
 *
 * The heap is only read, so the same code saves in place and in a fork. What is
 * written is one segment without free chunks, forwarders, or internal objects
 * other than the class table and the stacks of a collector; marks are clear;
 * contexts are single, with nil above their stack; headers of methods are
 * SmallIntegers; what external primitives were linked to is forgotten. The base
 * address is always the same: equal heaps make equal files.
 *
 * The stacks are of no use here, and empty but for the queue of mourners. Other VMs
 * may make theirs when a collection has begun, in the very free chunk where it
 * notes the ephemerons it meets.
 */
#include "kernel/base/save.h"
#include "kernel/vm/image/image.h"

#define SAVED_BASE (WORD_BITS == 64 ? (uint64_t)1 << (WORD_BITS / 2 + 4) : (uint64_t)1 << 16)
enum { PRIMITIVE_EXTERNAL = 117, LINKAGE_SIZE = 4, LINKAGE_FLAGS = 2, LINKAGE_INDEX = 3 };

typedef struct {
    Vm *vm;
    Heap *heap;
    const OsvmHost *host;
    Save save;

    Word low, high;    /* what the map covers: new and old space */
    uint64_t *bits;    /* one per 8 bytes: belongs to an object that is written */
    uint64_t *counts;  /* per 64 bits: how many are set before them */
    size_t map_words;
    uint64_t old_rank; /* bits set below old space: bytes of young objects / 8 */
    uint64_t total;    /* bits set in all */

    Oop *linkages; /* literals of external primitives, sorted */
    size_t linkage_count, linkage_capacity;
    Word mourners;
} Writer;

/* ---- 1. Which objects, and where they go ---- */

static bool is_class_page(const Heap *heap, Oop object)
{
    for (Word i = 0; i < CLASS_PAGES_MAX; i++) {
        Oop page = object_slot(heap->hidden_roots, i);
        if (page == object)
            return true;
        if (page == heap->nil)
            return false;
    }
    return false;
}

static Oop free_lists_object(const Heap *heap)
{
    return object_at_start(heap->nil + 3 * SMALLEST_OBJECT);
}

static bool is_written(const Writer *w, Oop object)
{
    Word index = object_class_index(object);
    if (index > CLASS_LAST_PUN)
        return true;
    if (index == CLASS_ARRAY_PUN)
        return object == w->heap->hidden_roots || is_class_page(w->heap, object);
    return object == free_lists_object(w->heap);
}

static bool add_linkage(Writer *w, Oop array)
{
    if (w->linkage_count == w->linkage_capacity) {
        size_t wanted = w->linkage_capacity ? w->linkage_capacity * 2 : 256;
        Oop *bigger = w->host->resize(w->host, w->linkages, w->linkage_capacity * sizeof *bigger,
                                      wanted * sizeof *bigger);
        if (!bigger) {
            save_fail(&w->save, "no memory left to save");
            return false;
        }
        w->linkages = bigger;
        w->linkage_capacity = wanted;
    }
    w->linkages[w->linkage_count++] = array;
    return true;
}

/* A method of primitive 117 keeps in its first literal what it was linked to. */
static bool note_linkage(Writer *w, Oop code)
{
    SWord header = method_header(w->heap, code);
    Word literals = method_header_literals(header);
    const uint8_t *bytecodes = object_bytes(code) + (1 + literals) * WORD_BYTES;
    if (!method_header_has_primitive(header) || literals == 0 ||
        bytecodes[1] + 256 * bytecodes[2] != PRIMITIVE_EXTERNAL)
        return true;
    Oop array = follow(object_slot(code, 1));
    if (!is_object(array) || object_format(array) != FORMAT_INDEXABLE ||
        object_slot_count(array) != LINKAGE_SIZE)
        return true;
    return add_linkage(w, array);
}

static void set_bits(Writer *w, Word from, Word to)
{
    Word first = (from - w->low) >> 3, last = ((to - w->low) >> 3) - 1;
    Word word = first >> 6, end = last >> 6;
    uint64_t low_mask = ~(uint64_t)0 << (first & 63);
    uint64_t high_mask = ~(uint64_t)0 >> (63 - (last & 63));
    if (word == end) {
        w->bits[word] |= low_mask & high_mask;
        return;
    }
    w->bits[word++] |= low_mask;
    while (word < end)
        w->bits[word++] = ~(uint64_t)0;
    w->bits[end] |= high_mask;
}

static bool map_object(Writer *w, Oop object)
{
    set_bits(w, object_start(object), object_end(object));
    return object_format(object) < FORMAT_CODE || note_linkage(w, object);
}

static Oop first_young(const Heap *heap)
{
    Oop last = heap->true_object, object = heap->nil;
    for (; object < heap->old_end; object = heap_next_object(object, heap->old_end))
        if (object_class_index(object) > CLASS_LAST_PUN)
            last = object;
    return heap->mm->ops->next_object(heap->mm, last);
}

static bool map_heap(Writer *w)
{
    Heap *heap = w->heap;
    for (Oop o = heap->nil; o < heap->old_end; o = heap_next_object(o, heap->old_end))
        if (is_written(w, o) && !map_object(w, o))
            return false;
    for (Oop o = first_young(heap); o; o = heap->mm->ops->next_object(heap->mm, o))
        if (heap_is_young(heap, o) && !map_object(w, o))
            return false;
    uint64_t count = 0;
    Word old_word = (heap->old_start - w->low) >> 9;
    for (size_t i = 0; i < w->map_words; i++) {
        w->counts[i] = count;
        if (i == old_word)
            w->old_rank = count + (uint64_t)__builtin_popcountll(
                w->bits[i] & (((uint64_t)1 << ((heap->old_start - w->low) >> 3 & 63)) - 1));
        count += (uint64_t)__builtin_popcountll(w->bits[i]);
    }
    w->total = count;
    return true;
}

/* Offset in the file's objects of an object that is written. */
static uint64_t place_of(const Writer *w, Oop object)
{
    Word granule = (object - w->low) >> 3;
    uint64_t below = w->bits[granule >> 6] & (((uint64_t)1 << (granule & 63)) - 1);
    uint64_t rank = w->counts[granule >> 6] + (uint64_t)__builtin_popcountll(below);
    return 8 * (heap_is_old(w->heap, object) ? rank - w->old_rank
                                             : rank + (w->total - w->old_rank));
}

/* What stands in the file for a reference found in `holder`. */
static Word saved_reference(Writer *w, Oop holder, Oop oop)
{
    if (is_object(oop) && oop >= w->low && oop < w->high && is_forwarded(oop))
        oop = follow(oop);
    if (!is_object(oop))
        return oop;
    Word granule = (oop - w->low) >> 3;
    if (oop >= w->low && oop < w->high && w->bits[granule >> 6] >> (granule & 63) & 1)
        return (Word)(SAVED_BASE + place_of(w, oop));
    save_fail(&w->save, "the heap is damaged: the object 0x%" PRIxWORD " refers to 0x%" PRIxWORD
              ", where no object is", holder, oop);
    return (Word)SAVED_BASE;
}

/* ---- 2. The stream ---- */

static void put_word(Writer *w, Word word)
{
    if (w->save.used + WORD_BYTES <= SAVE_BUFFER - WORD_BYTES && !w->save.failed) {
        memcpy(w->save.buffer + w->save.used, &word, WORD_BYTES);
        w->save.used += WORD_BYTES;
    } else
        save_put(&w->save, &word, WORD_BYTES);
}

static void put_padding(Writer *w, Word slots)
{
    Word zero[2] = {0, 0}, written = slots << WORD_SHIFT;
    save_put(&w->save, zero, body_bytes_for_slots(slots) - written);
}

static void put_header(Writer *w, Oop object, Word slots)
{
    Header header = header_of(object);
    if (header_short_slots(header) == HEADER_SLOTS_OVERFLOW) {
        uint64_t overflow = (uint64_t)HEADER_SLOTS_OVERFLOW << HEADER_SLOTS_SHIFT | slots;
        save_put(&w->save, &overflow, sizeof overflow);
    }
    header &= HEADER_CLASS_MASK | HEADER_IMMUTABLE | HEADER_FORMAT_MASK | HEADER_PINNED |
              HEADER_HASH_MASK | (Header)HEADER_SLOTS_OVERFLOW << HEADER_SLOTS_SHIFT;
    save_put(&w->save, &header, sizeof header);
}

static void put_references(Writer *w, Oop object, Word from, Word to)
{
    const Word *slots = object_slots(object);
    for (Word i = from; i < to; i++)
        put_word(w, saved_reference(w, object, slots[i]));
}

static void put_nils(Writer *w, Word count)
{
    while (count--)
        put_word(w, (Word)SAVED_BASE);
}

/* A context that claims a frame outlived it: it has returned. */
static void put_context(Writer *w, Oop context, Word slots)
{
    Word used = CONTEXT_FIXED;
    Oop stackp = object_slot(context, CONTEXT_STACKP);
    if (is_small_integer(stackp) && small_integer_value(stackp) >= 0 &&
        (Word)small_integer_value(stackp) <= slots - CONTEXT_FIXED)
        used += (Word)small_integer_value(stackp);
    if (is_small_integer(object_slot(context, CONTEXT_SENDER))) {
        put_nils(w, CONTEXT_PC + 1);
        put_references(w, context, CONTEXT_PC + 1, used);
    } else
        put_references(w, context, 0, used);
    put_nils(w, slots - used);
}

static int compare_oops(const void *a, const void *b)
{
    Oop x = *(const Oop *)a, y = *(const Oop *)b;
    return x < y ? -1 : x > y;
}

static void put_linkage(Writer *w, Oop array)
{
    put_references(w, array, 0, LINKAGE_FLAGS);
    put_word(w, small_integer_oop(0));
    put_word(w, small_integer_oop(0));
}

static void put_code(Writer *w, Oop code, Word slots)
{
    SWord header = method_header(w->heap, code);
    Word first = 1 + method_header_literals(header);
    put_word(w, small_integer_oop(header));
    put_references(w, code, 1, first);
    save_put(&w->save, object_slots(code) + first, (slots - first) << WORD_SHIFT);
}

/* The pages of the stacks stand behind all other objects, in the order of their roots; those of the
 * queue of mourners are the last. */
static uint64_t page_bytes(void)
{
    return 2 * HEADER_BYTES + (uint64_t)OBJ_STACK_SLOTS * WORD_BYTES;
}

static Word page_oop(const Writer *w, Word page)
{
    return (Word)(SAVED_BASE + 8 * w->total + page * page_bytes() + HEADER_BYTES);
}

static Word page_count(const Writer *w)
{
    Word queue = (w->mourners + OBJ_STACK_ENTRIES - 1) / OBJ_STACK_ENTRIES;
    return HIDDEN_MOURNERS - HIDDEN_MARK_STACK + (queue ? queue : 1);
}

static void put_hidden_roots(Writer *w, Oop roots)
{
    put_references(w, roots, 0, CLASS_PAGES_MAX);
    for (Word i = CLASS_PAGES_MAX; i < HIDDEN_ROOTS_SLOTS; i++)
        put_word(w, i <= HIDDEN_MOURNERS ? page_oop(w, i - HIDDEN_MARK_STACK) : (Word)SAVED_BASE);
}

static void put_pointers(Writer *w, Oop object, Word slots)
{
    if (object == w->heap->hidden_roots)
        put_hidden_roots(w, object);
    else if (object_class_index(object) == CLASS_CONTEXT && slots >= CONTEXT_FIXED)
        put_context(w, object, slots);
    else if (slots == LINKAGE_SIZE && w->linkage_count &&
             bsearch(&object, w->linkages, w->linkage_count, sizeof object, compare_oops))
        put_linkage(w, object);
    else
        put_references(w, object, 0, slots);
}

static void put_object(Writer *w, Oop object)
{
    Word slots = object_slot_count(object);
    unsigned format = object_format(object);
    put_header(w, object, slots);
    if (format <= FORMAT_LAST_POINTERS)
        put_pointers(w, object, slots);
    else if (format_is_code(format))
        put_code(w, object, slots);
    else if (object == free_lists_object(w->heap))
        for (Word i = 0; i < slots; i++)
            put_word(w, 0);
    else
        save_put(&w->save, object_slots(object), slots << WORD_SHIFT);
    put_padding(w, slots);
}

static void put_heap(Writer *w)
{
    Heap *heap = w->heap;
    Oop o;
    for (o = heap->nil; o < heap->old_end && !w->save.failed; o = heap_next_object(o,
                                                                                   heap->old_end))
        if (is_written(w, o))
            put_object(w, o);
    if (w->old_rank)
        for (o = first_young(heap); o && !w->save.failed; o = heap->mm->ops->next_object(heap->mm,
                                                                                         o))
            if (heap_is_young(heap, o))
                put_object(w, o);
}

/* ---- Stacks, header, bridge ---- */

/* A page of the stack at hidden root `root` with `count` mourners from `first` on; `next` is the oop of the one
 * that follows. */
static void put_page(Writer *w, Word root, Word first, Word count, Word next)
{
    uint64_t header[2] = {(uint64_t)HEADER_SLOTS_OVERFLOW << HEADER_SLOTS_SHIFT | OBJ_STACK_SLOTS,
                          (uint64_t)HEADER_SLOTS_OVERFLOW << HEADER_SLOTS_SHIFT};
    header[1] |= (Header)(WORD_BITS == 64 ? FORMAT_WORDS64 : FORMAT_WORDS32) << HEADER_FORMAT_SHIFT;
    header[1] |= WORD_BITS == 64 ? CLASS_WORDS64_PUN : CLASS_WORDS32_PUN;
    save_put(&w->save, header, sizeof header);
    put_word(w, count);
    put_word(w, root);
    put_word(w, 0);
    put_word(w, next);
    for (Word i = 0; i < OBJ_STACK_ENTRIES; i++) {
        Oop mourner = i < count ? w->heap->mm->ops->mourner_at(w->heap->mm, first + i) : NO_OOP;
        put_word(w, mourner ? saved_reference(w, mourner, mourner) : 0);
    }
}

/* All pages but the first of a stack are full. */
static void put_stacks(Writer *w)
{
    Word page = 0, pages = page_count(w), first = 0;
    for (Word root = HIDDEN_MARK_STACK; root < HIDDEN_MOURNERS; root++, page++)
        put_page(w, root, 0, 0, 0);
    while (page < pages) {
        Word count = w->mourners - first - (pages - ++page) * OBJ_STACK_ENTRIES;
        put_page(w, HIDDEN_MOURNERS, first, count, page < pages ? page_oop(w, page) : 0);
        first += count;
    }
}

static void put_bridge(Writer *w)
{
    uint64_t piers[2] = {HEADER_MARKED | HEADER_PINNED | CLASS_BRIDGE, 0};
    piers[0] |= (Header)(WORD_BITS == 64 ? FORMAT_WORDS64 : FORMAT_WORDS32) << HEADER_FORMAT_SHIFT;
    save_put(&w->save, piers, sizeof piers);
}

/* What the next start is to seed its identity hashes with, without touching this run's. */
static Word next_hash(const Heap *heap)
{
    Heap copy = {.last_hash = heap->last_hash};
    heap_fresh_hash(&copy);
    return copy.last_hash + (copy.last_hash >> 4);
}

static bool put_file_header(Writer *w, uint64_t data_size)
{
    uint8_t bytes[IMAGE_HEADER_MAX];
    ImageHeader header = {.word_bits = WORD_BITS};
    image_facts_put(&w->vm->image, &header);
    header.version = IMAGE_MAGIC | (w->vm->image.version & IMAGE_MULTIPLE_SETS);
    header.header_size = IMAGE_HEADER_BYTES;
    header.data_size = header.first_segment = data_size;
    header.old_base = SAVED_BASE;
    header.special_objects = saved_reference(w, w->heap->special_objects, w->heap->special_objects);
    header.last_hash = next_hash(w->heap);
    header.flags |= IMAGE_LITTLE_FLOATS;
    if (WORD_BITS == 32 && SAVED_BASE + data_size > UINT32_MAX) {
        save_fail(&w->save, "%" PRIu64 " bytes of objects do not fit a 32-bit image", data_size);
        return false;
    }
    save_put(&w->save, bytes, image_header_encode(&header, bytes));
    return true;
}

static void write_all(Writer *w)
{
    if (!map_heap(w))
        return;
    if (w->linkage_count)
        qsort(w->linkages, w->linkage_count, sizeof *w->linkages, compare_oops);
    while (w->heap->mm->ops->mourner_at(w->heap->mm, w->mourners))
        w->mourners++;
    uint64_t data_size = 8 * w->total + page_count(w) * page_bytes() + BRIDGE_BYTES;
    if (!put_file_header(w, data_size))
        return;
    put_heap(w);
    put_stacks(w);
    put_bridge(w);
}

static bool make_map(Writer *w)
{
    Heap *heap = w->heap;
    if (heap->gc && heap->gc->ops->make_walkable)
        heap->gc->ops->make_walkable(heap->gc);
    w->low = heap->new_start;
    w->high = heap->old_end;
    w->map_words = (size_t)((w->high - w->low) >> 9) + 1;
    w->bits = w->host->alloc(w->host, w->map_words * sizeof *w->bits);
    w->counts = w->host->alloc(w->host, w->map_words * sizeof *w->counts);
    if (!w->bits || !w->counts)
        save_fail(&w->save, "no memory left to save");
    return w->bits && w->counts;
}

bool image_write(Vm *vm, const char *path, char *error, size_t error_size)
{
    const OsvmHost *host = vm->setup->host;
    Writer *w = host->alloc(host, sizeof *w);
    if (!w) {
        snprintf(error, error_size, "no memory left to save");
        return false;
    }
    w->vm = vm;
    w->heap = &vm->heap;
    w->host = host;
    void *buffer = host->alloc(host, SAVE_BUFFER);
    if (save_begin(&w->save, host->world, buffer, path, error, error_size) && make_map(w))
        write_all(w);
    bool saved = save_commit(&w->save);
    host->free(host, buffer, buffer ? SAVE_BUFFER : 0);
    host->free(host, w->bits, w->bits ? w->map_words * sizeof *w->bits : 0);
    host->free(host, w->counts, w->counts ? w->map_words * sizeof *w->counts : 0);
    host->free(host, w->linkages, w->linkage_capacity * sizeof *w->linkages);
    host->free(host, w, sizeof *w);
    return saved;
}
