/* Primitive 99: loads an image segment, see segment.h.
 *
 *     words -> a copy, in this machine's byte order -> scan: where objects are
 *     -> check: every header, class and reference -> new objects, filled
 *     -> classes get their indices -> headers -> the words become an Array of the objects
 *
 * A segment may come from a file, so nothing in it is believed. All is checked before the first
 * object is made, and the words given stay as they are if the primitive fails:
 *
 *     PRIM_BAD_ARGUMENT   no stamp of this format, an object that exceeds the segment, a format that
 *                         does not exist or does not suit the class, a context that cannot be one
 *     PRIM_BAD_INDEX      a reference to where no object is, in the segment or among out pointers
 *     PRIM_INAPPROPRIATE  a class that is none, or a class with a hash; a marked object
 */
#include <stdlib.h>

#include "kernel/vm/image/image.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"
#include "kernel/vm/primitives/segment.h"

typedef struct {
    Oop words;        /* in the copy of the segment: what a header there says */
    Oop object;       /* what is made of it */
    Word class_index; /* as it is to be; 0: not known yet */
    bool is_class;    /* is to have an index */
} Loaded;

typedef struct {
    Vm *vm;
    Heap *heap;
    Word start;      /* the first object of the copy */
    Word limit;      /* bytes of all objects */
    Oop outside;     /* the array of out pointers */
    Loaded *objects; /* in the order of the segment */
    uint32_t *at;    /* by offset / 8: 1 + the number of the object whose header is there */
    uint32_t count;
    bool foreign; /* of the other byte order */
} Load;

static Oop out_pointer(const Load *l, Word index)
{
    return follow(object_slot(l->outside, index));
}

/* ---- Where objects are ---- */

static bool is_format(unsigned format, Word slots)
{
    if (format_is_pointers(format))
        return format == FORMAT_EMPTY ? slots == 0 : format != FORMAT_EPHEMERON || slots > 0;
    Word odd = 0;
    if (format >= FORMAT_BYTES)
        odd = format & 7;
    else if (format >= FORMAT_SHORTS)
        odd = (format & 3) * 2;
    else if (format >= FORMAT_WORDS32)
        odd = (format & 1) * 4;
    else if (format != FORMAT_WORDS64 || slots * WORD_BYTES % 8)
        return false;
    return odd < WORD_BYTES && (odd == 0 || slots > 0);
}

static void swap_header(Load *l, Word at)
{
    if (l->foreign)
        image_swap_words(at, WORD_BYTES, 8 / WORD_BYTES);
}

/* The object that begins at an offset; answers where the next one does, 0 if it is none. */
static Word scan_object(Load *l, Word offset, Oop *words)
{
    Word room = l->limit - offset;
    if (room < SMALLEST_OBJECT)
        return 0;
    Word start = l->start + offset;
    swap_header(l, start);
    uint64_t slots = header_short_slots(*header_at(start));
    *words = start;
    room -= HEADER_BYTES;
    if (slots == HEADER_SLOTS_OVERFLOW) {
        slots = *header_at(start) & OVERFLOW_COUNT_MASK;
        *words = start + HEADER_BYTES;
        if (room < SMALLEST_OBJECT)
            return 0;
        swap_header(l, *words);
        room -= HEADER_BYTES;
        if (header_short_slots(*header_at(*words)) != HEADER_SLOTS_OVERFLOW)
            return 0;
    }
    if (slots > room / WORD_BYTES || body_bytes_for_slots((Word)slots) > room ||
        !is_format(header_format(*header_at(*words)), (Word)slots))
        return 0;
    return *words + HEADER_BYTES + body_bytes_for_slots((Word)slots) - l->start;
}

static PrimFailure scan(Load *l)
{
    for (Word offset = 0; offset < l->limit;) {
        Loaded *loaded = &l->objects[l->count];
        offset = scan_object(l, offset, &loaded->words);
        if (!offset || (l->foreign && !image_swap_elements(loaded->words)))
            return PRIM_BAD_ARGUMENT;
        if (header_of(loaded->words) & HEADER_MARKED)
            return PRIM_INAPPROPRIATE;
        l->at[(loaded->words - l->start) / OBJECT_ALIGNMENT] = ++l->count;
    }
    return l->count && segment_is_array(l->objects[0].words) ? PRIM_OK : PRIM_BAD_ARGUMENT;
}

/* The object whose header is at an offset; NULL: there is none. */
static Loaded *object_at(const Load *l, Word offset)
{
    if (offset % OBJECT_ALIGNMENT || offset >= l->limit)
        return NULL;
    uint32_t number = l->at[offset / OBJECT_ALIGNMENT];
    return number ? &l->objects[number - 1] : NULL;
}

/* ---- Checks ---- */

/* One past the last reference; of what is no context all that heap_pointer_slots says. */
static Word reference_end(const Load *l, const Loaded *loaded, Word *first)
{
    Word end;
    heap_pointer_slots(l->heap, loaded->words, first, &end);
    if (loaded->class_index != CLASS_CONTEXT)
        return end;
    return CONTEXT_FIXED +
           (Word)small_integer_value(object_slot(loaded->words, CONTEXT_STACKP));
}

static bool is_reference(const Load *l, Oop oop)
{
    if (is_immediate(oop)) {
        unsigned tag = (unsigned)(oop & TAG_MASK);
        if (is_character(oop))
            return oop >> TAG_BITS <= CHARACTER_MAX;
        return is_small_integer(oop) || (WORD_BITS == 64 && tag == SMALL_FLOAT_TAG);
    }
    if (!(oop & SEGMENT_OUTSIDE))
        return object_at(l, oop) != NULL;
    Word place = oop - SEGMENT_OUTSIDE;
    return place % WORD_BYTES == 0 && place / WORD_BYTES < object_slot_count(l->outside);
}

/* Does an object of the segment look like a class that has yet to get its index? */
static bool class_words(const Loaded *loaded, SWord *format)
{
    return vm_class_format(loaded->words, format) && is_object(object_slot(loaded->words, 0)) &&
           is_object(object_slot(loaded->words, 1)) && !header_hash(header_of(loaded->words));
}

/* Finds the class of an object and the class's format. */
static PrimFailure check_class(Load *l, Loaded *loaded, SWord *format)
{
    Word index = object_class_index(loaded->words);
    if (!(index & SEGMENT_OUTSIDE_CLASS)) {
        Loaded *class = index < SEGMENT_FIRST_CLASS
                            ? NULL
                            : object_at(l, (index - SEGMENT_FIRST_CLASS) * OBJECT_ALIGNMENT);
        if (!class)
            return PRIM_BAD_INDEX;
        class->is_class = true;
        return class_words(class, format) ? PRIM_OK : PRIM_INAPPROPRIATE;
    }
    index -= SEGMENT_OUTSIDE_CLASS;
    if (index >= object_slot_count(l->outside))
        return PRIM_BAD_INDEX;
    Oop class = out_pointer(l, index);
    if (!vm_class_format(class, format) || is_immediate(object_slot(class, 0)) ||
        is_immediate(object_slot(class, 1)))
        return PRIM_INAPPROPRIATE;
    loaded->class_index = vm_class_index(l->vm, class);
    return loaded->class_index ? PRIM_OK : PRIM_NO_MEMORY;
}

static bool code_fits(Oop words)
{
    if (!object_slot_count(words) || !is_small_integer(object_slot(words, 0)))
        return false;
    Word literals = method_header_literals(small_integer_value(object_slot(words, 0)));
    return (1 + literals) * WORD_BYTES <= bits_byte_count(words);
}

/* Can instances of a class of `class_format` be like this? */
static bool layout_fits(Oop words, SWord class_format)
{
    unsigned format = object_format(words), spec = class_format_instance_spec(class_format);
    Word slots = object_slot_count(words), fixed = class_format_fixed_fields(class_format);
    switch (format) {
    case FORMAT_EMPTY: return (spec == FORMAT_EMPTY || spec == FORMAT_FIXED) && fixed == 0;
    case FORMAT_FIXED: /* an ephemeron is like this once it has fired */
        return (spec <= FORMAT_FIXED || spec == FORMAT_EPHEMERON) && slots == fixed;
    case FORMAT_EPHEMERON: return spec == format && slots == fixed;
    case FORMAT_INDEXABLE:
    case FORMAT_INDEXABLE_FIXED:
    case FORMAT_WEAK: return spec == format && slots >= fixed;
    case FORMAT_WORDS64: return spec == format;
    default: break;
    }
    if (format_is_code(format))
        return spec == FORMAT_CODE && code_fits(words);
    unsigned kind = format >= FORMAT_BYTES    ? FORMAT_BYTES
                    : format >= FORMAT_SHORTS ? FORMAT_SHORTS
                                              : FORMAT_WORDS32;
    return spec == kind;
}

/* A reference as it is in the segment: is it nil, an object of a class of this index, code? */
static bool is_nil(const Load *l, Oop oop)
{
    return is_object(oop) && oop & SEGMENT_OUTSIDE && is_reference(l, oop) &&
           out_pointer(l, (oop - SEGMENT_OUTSIDE) / WORD_BYTES) == l->heap->nil;
}

/* The header of what is referred to, in the segment or outside; 0: no object. */
static Header referent_header(const Load *l, Oop oop, Word *class_index)
{
    if (is_immediate(oop) || !is_reference(l, oop))
        return 0;
    if (!(oop & SEGMENT_OUTSIDE)) {
        const Loaded *loaded = object_at(l, oop);
        *class_index = loaded->class_index;
        return header_of(loaded->words);
    }
    Oop object = out_pointer(l, (oop - SEGMENT_OUTSIDE) / WORD_BYTES);
    if (is_immediate(object))
        return 0;
    *class_index = object_class_index(object);
    return header_of(object);
}

static bool context_fits(const Load *l, Oop words)
{
    Word slots = object_slot_count(words), class_index = 0;
    if (object_format(words) != FORMAT_INDEXABLE_FIXED ||
        (slots != CONTEXT_SMALL_SLOTS && slots != CONTEXT_LARGE_SLOTS))
        return false;
    Oop pc = object_slot(words, CONTEXT_PC), stackp = object_slot(words, CONTEXT_STACKP);
    Oop sender = object_slot(words, CONTEXT_SENDER), method = object_slot(words, CONTEXT_METHOD);
    if (!is_small_integer(stackp) || small_integer_value(stackp) < 0 ||
        (Word)small_integer_value(stackp) > slots - CONTEXT_FIXED ||
        (!is_small_integer(pc) && !is_nil(l, pc)))
        return false;
    Header header = referent_header(l, method, &class_index);
    if (!header || !format_is_code(header_format(header)))
        return false;
    return is_nil(l, sender) ||
           (referent_header(l, sender, &class_index) && class_index == CLASS_CONTEXT);
}

/* What the VM expects of instances of the classes it knows. */
static bool known_fits(const Load *l, const Loaded *loaded)
{
    Oop words = loaded->words;
    switch (loaded->class_index) {
    case CLASS_CONTEXT: return context_fits(l, words);
    case CLASS_FLOAT:
        return object_format(words) == FORMAT_WORDS32 && object_slot_count(words) == 8 / WORD_BYTES;
    case CLASS_BLOCK_CLOSURE:
        return format_is_pointers(object_format(words)) && object_slot_count(words) >= CLOSURE_COPIED;
    case CLASS_FULL_BLOCK_CLOSURE:
        return format_is_pointers(object_format(words)) &&
               object_slot_count(words) >= FULL_CLOSURE_COPIED;
    default: return loaded->class_index == 0 || loaded->class_index > CLASS_LAST_PUN;
    }
}

static PrimFailure check_objects(Load *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        Loaded *loaded = &l->objects[i];
        SWord class_format;
        PrimFailure failure = check_class(l, loaded, &class_format);
        if (failure)
            return failure;
        if (!layout_fits(loaded->words, class_format))
            return PRIM_BAD_ARGUMENT;
        if (header_of(loaded->words) & HEADER_REMEMBERED) {
            if (!class_words(loaded, &class_format))
                return PRIM_INAPPROPRIATE;
            loaded->is_class = true;
        }
    }
    return PRIM_OK;
}

static PrimFailure check_references(const Load *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        const Loaded *loaded = &l->objects[i];
        if (!known_fits(l, loaded))
            return PRIM_BAD_ARGUMENT;
        Word first, end = reference_end(l, loaded, &first);
        for (; first < end; first++)
            if (!is_reference(l, object_slot(loaded->words, first)))
                return PRIM_BAD_INDEX;
    }
    return PRIM_OK;
}

/* ---- Making objects ---- */

/* A new object like the words, in a class of the VM until all classes are there. References are
 * nil. */
static Oop make_object(Load *l, Oop words)
{
    Mm *mm = l->heap->mm;
    Word slots = object_slot_count(words), first, end;
    unsigned format = object_format(words);
    Word class_index = format_is_pointers(format) ? CLASS_ARRAY : CLASS_BYTE_STRING;
    bool pinned = header_is_pinned(header_of(words));
    Oop object = pinned ? mm->ops->allocate_old(mm, slots, format, class_index)
                        : heap_allocate(l->heap, slots, format, class_index);
    if (!object)
        return NO_OOP;
    memset(object_slots(object), 0, body_bytes_for_slots(slots));
    memcpy(object_slots(object), object_slots(words), slots << WORD_SHIFT);
    heap_pointer_slots(l->heap, words, &first, &end);
    object_fill(object, first, end, l->heap->nil);
    if (pinned)
        *header_at(object) |= HEADER_PINNED;
    return object;
}

static bool make_objects(Load *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        l->objects[i].object = make_object(l, l->objects[i].words);
        if (!l->objects[i].object)
            return false;
    }
    return true;
}

static Oop referent(const Load *l, Oop oop)
{
    if (is_immediate(oop))
        return oop;
    if (oop & SEGMENT_OUTSIDE)
        return out_pointer(l, (oop - SEGMENT_OUTSIDE) / WORD_BYTES);
    return object_at(l, oop)->object;
}

static void fill_object(Load *l, const Loaded *loaded)
{
    Word first, end = reference_end(l, loaded, &first);
    for (; first < end; first++)
        heap_store(l->heap, loaded->object, first,
                   referent(l, object_slot(loaded->words, first)));
}

static bool enter_classes(Load *l)
{
    Mm *mm = l->heap->mm;
    for (uint32_t i = 0; i < l->count; i++)
        if (l->objects[i].is_class && !mm->ops->class_enter(mm, l->objects[i].object))
            return false;
    return true;
}

/* Class and hash, and the bits that are the image's. */
static void finish_header(Load *l, Loaded *loaded)
{
    Heap *heap = l->heap;
    Header words = header_of(loaded->words), header = header_of(loaded->object) & ~HEADER_CLASS_MASK;
    if (!loaded->class_index) {
        Word offset = (header_class_index(words) - SEGMENT_FIRST_CLASS) * OBJECT_ALIGNMENT;
        loaded->class_index = header_hash(header_of(object_at(l, offset)->object));
    }
    if (!loaded->is_class)
        header |= words & HEADER_HASH_MASK;
    *header_at(loaded->object) = header | loaded->class_index;
    if (heap_is_old(heap, loaded->object) && heap->marking)
        heap_marking_barrier(heap, loaded->object, heap_class_at(heap, loaded->class_index));
    if (l->foreign && loaded->class_index == CLASS_FLOAT)
        image_swap_float(loaded->object);
    if (header_is_immutable(words) && !vm_must_stay_writable(l->vm, loaded->object))
        *header_at(loaded->object) |= HEADER_IMMUTABLE;
}

/* ---- The whole ---- */

static Oop single(Heap *heap, Oop object)
{
    Oop array = heap_new_pointers(heap, 1, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (array)
        heap_store(heap, array, 0, object);
    return array;
}

/* The words become the Array of loaded objects; `roots` may move. */
static PrimFailure exchange(Load *l, Oop segment, Oop *roots)
{
    Heap *heap = l->heap;
    Oop all = heap_new_pointers(heap, l->count, FORMAT_INDEXABLE, CLASS_ARRAY);
    Oop from = single(heap, segment), to = all ? single(heap, all) : NO_OOP;
    if (!all || !from || !to)
        return PRIM_NO_MEMORY;
    for (uint32_t i = 0; i < l->count; i++)
        heap_store(heap, all, i, l->objects[i].object);
    *roots = l->objects[0].object;
    vm_root_push(l->vm, roots);
    int failure = heap->mm->ops->become(heap->mm, from, to, BECOME_ONE_WAY_COPY_HASH);
    vm_root_pop(l->vm, 1);
    return (PrimFailure)failure;
}

static PrimFailure load(Load *l, Oop segment, Oop *roots)
{
    PrimFailure failure = scan(l);
    if (!failure)
        failure = check_objects(l);
    if (!failure)
        failure = check_references(l);
    if (failure)
        return failure;
    if (!make_objects(l))
        return PRIM_NO_MEMORY;
    for (uint32_t i = 0; i < l->count; i++)
        fill_object(l, &l->objects[i]);
    if (!enter_classes(l))
        return PRIM_NO_MEMORY;
    for (uint32_t i = 0; i < l->count; i++)
        finish_header(l, &l->objects[i]);
    return exchange(l, segment, roots);
}

static bool is_version(uint32_t stamp, uint32_t byte_order)
{
    return (stamp & SEGMENT_VERSION_MASK & ~SEGMENT_SISTA_BIT) ==
               (SEGMENT_VERSION & ~SEGMENT_SISTA_BIT) &&
           (stamp & ~SEGMENT_VERSION_MASK) == byte_order;
}

static bool read_stamp(Load *l, Oop segment)
{
    uint32_t stamp;
    memcpy(&stamp, object_bytes(segment), sizeof stamp);
    l->foreign = is_version(__builtin_bswap32(stamp), SEGMENT_BIG_ENDIAN);
    return l->foreign || is_version(stamp, SEGMENT_LITTLE_ENDIAN);
}

/* A copy of the words that may be changed while it is read. */
static bool copy_words(Load *l, Oop segment)
{
    Word slots = object_slot_count(segment);
    Oop copy = heap_new_bits(l->heap, slots, FORMAT_WORDS32, object_class_index(segment));
    if (!copy)
        return false;
    memcpy(object_bytes(copy), object_bytes(segment), slots << WORD_SHIFT);
    l->start = copy + HEADER_BYTES + SEGMENT_STAMP_BYTES;
    l->limit = bits_byte_count(segment) - SEGMENT_STAMP_BYTES;
    return true;
}

/* Arguments: a word array, the array of out pointers. Answers the array of roots. */
PrimFailure prim_load_image_segment(Vm *vm, unsigned arg_count)
{
    if (arg_count != 2)
        return PRIM_BAD_ARG_COUNT;
    Oop segment = vm_stack(vm, 1), outside = vm_stack(vm, 0), roots = NO_OOP;
    if (!segment_is_words(segment) || !segment_is_array(outside))
        return PRIM_FAILED;
    if (is_read_only(segment))
        return PRIM_NO_MODIFICATION;
    if (header_is_pinned(header_of(segment)))
        return PRIM_OBJECT_PINNED;
    Load l = {.vm = vm, .heap = &vm->heap, .outside = outside};
    if (bits_byte_count(segment) < SEGMENT_STAMP_BYTES + SMALLEST_OBJECT || !read_stamp(&l, segment))
        return PRIM_BAD_ARGUMENT;
    if (!copy_words(&l, segment))
        return PRIM_NO_MEMORY;
    if (l.limit / SMALLEST_OBJECT >= UINT32_MAX)
        return PRIM_LIMIT_EXCEEDED;
    l.objects = calloc((size_t)l.limit / SMALLEST_OBJECT + 1, sizeof *l.objects);
    l.at = calloc((size_t)l.limit / OBJECT_ALIGNMENT + 1, sizeof *l.at);
    PrimFailure failure = l.objects && l.at ? load(&l, segment, &roots) : PRIM_NO_MEMORY;
    free(l.objects);
    free(l.at);
    return failure ? failure : vm_return(vm, arg_count, roots);
}
