#include "t/support/image_sample.h"

static Oop make(Sample *s, Word slots, unsigned format, Word class_index)
{
    Oop oop = object_write_header(s->at, slots, format, class_index);
    Word nil = s->vm->heap.old_start;
    memset(object_slots(oop), 0, body_bytes_for_slots(slots));
    for (Word i = 0; i < slots && format <= FORMAT_LAST_POINTERS; i++)
        object_slots(oop)[i] = nil;
    s->at = object_end(oop);
    return oop;
}

static Oop make_bytes(Sample *s, Word class_index, const char *text)
{
    Word bytes = (Word)strlen(text);
    Oop oop = make(s, slots_for_bytes(bytes), format_for_bytes(bytes), class_index);
    memcpy(object_bytes(oop), text, bytes);
    return oop;
}

static const struct {
    uint16_t index;
    uint8_t fixed, spec;
    const char *name;
} classes[] = {
    {1, 0, 7, "SmallInteger"}, {2, 0, 7, "Character"}, {4, 0, 7, "SmallFloat64"},
    {32, 0, 16, "LargeNegativeInteger"}, {33, 0, 16, "LargePositiveInteger"}, {34, 0, 10, "Float"},
    {35, 3, 1, "Message"}, {36, 6, 3, "Context"}, {37, 3, 3, "BlockClosure"},
    {38, 4, 3, "FullBlockClosure"}, {51, 0, 2, "Array"}, {52, 0, 16, "ByteString"},
    {53, 0, 10, "Bitmap"}, {SAMPLE_META, 4, 1, "Metaclass"}, {SAMPLE_UNDEFINED, 0, 0,
                                                              "UndefinedObject"},
    {SAMPLE_FALSE, 0, 0, "False"}, {SAMPLE_TRUE, 0, 0, "True"}, {SAMPLE_ASSOCIATION, 2, 1,
                                                                 "Association"},
    {SAMPLE_PROCESS, 4, 1, "Process"}, {SAMPLE_SCHEDULER, 2, 1, "ProcessorScheduler"},
    {SAMPLE_LIST, 2, 1, "LinkedList"}, {SAMPLE_SEMAPHORE, 3, 1, "Semaphore"},
    {SAMPLE_METHOD, 0, 24, "CompiledMethod"}, {SAMPLE_SYMBOL, 0, 16, "Symbol"},
    {SAMPLE_BYTES, 0, 16, "ByteArray"}, {SAMPLE_DICT, 2, 3, "MethodDictionary"},
    {SAMPLE_WEAK, 1, 4, "Weak"}, {SAMPLE_EPHEMERON, 2, 5, "Ephemeron"},
    {SAMPLE_SHORTS, 0, 12, "Shorts"}, {SAMPLE_WORDS64, 0, 9, "Words64"},
};

static Oop class_named(const Sample *s, Word index)
{
    return heap_class_at(&s->vm->heap, index);
}

static void make_classes(Sample *s, Oop pages[2])
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        Word index = classes[i].index;
        Oop class = make(s, 4, FORMAT_FIXED, SAMPLE_META);
        *header_at(class) |= (Header)index << HEADER_HASH_SHIFT;
        object_slots(class)[CLASS_FORMAT] =
            small_integer_oop((SWord)classes[i].spec << 16 | classes[i].fixed);
        object_slots(class)[3] = make_bytes(s, CLASS_BYTE_STRING, classes[i].name);
        object_slots(pages[index >> CLASS_PAGE_BITS])[index & (CLASS_PAGE_SIZE - 1)] = class;
    }
    Word *first = object_slots(pages[0]);
    first[CLASS_ARRAY_PUN] = first[CLASS_ARRAY];
    if (WORD_BITS == 32) {
        first[CLASS_BRIDGE] = first[CLASS_SMALL_INTEGER];
        first[CLASS_SMALL_FLOAT] = s->vm->heap.old_start;
    }
}

/* Class Object's method: one literal of each kind, and an external primitive. */
static void make_method(Sample *s)
{
    enum { LITERALS = 3 };
    static const uint8_t code[] = {139, 117, 0, 0x20, 0x7C, 0, 0}; /* primitive, push, return */
    Word bytes = (1 + LITERALS) * WORD_BYTES + sizeof code;
    s->linkage = make(s, 4, FORMAT_INDEXABLE, CLASS_ARRAY);
    object_slots(s->linkage)[2] = small_integer_oop(512);
    object_slots(s->linkage)[3] = small_integer_oop(7);
    Oop selector = make_bytes(s, SAMPLE_SYMBOL, "example");
    *header_at(selector) |= (Header)4711 << HEADER_HASH_SHIFT;
    Oop method = make(s, slots_for_bytes(bytes), format_for_bytes(bytes) + 8, SAMPLE_METHOD);
    Oop binding = make(s, 2, FORMAT_FIXED, SAMPLE_ASSOCIATION);
    object_slots(binding)[ASSOCIATION_VALUE] = class_named(s, CLASS_ARRAY);
    object_slots(method)[0] = small_integer_oop(LITERALS | 1 << 16);
    object_slots(method)[1] = s->linkage;
    object_slots(method)[2] = selector;
    object_slots(method)[3] = binding;
    memcpy(object_bytes(method) + (1 + LITERALS) * WORD_BYTES, code, sizeof code);
    Oop dict = make(s, 4, FORMAT_INDEXABLE_FIXED, SAMPLE_DICT), methods = make(s, 2, 2,
                                                                               CLASS_ARRAY);
    object_slots(methods)[1] = method;
    object_slots(dict)[METHOD_DICT_TALLY] = small_integer_oop(1);
    object_slots(dict)[METHOD_DICT_METHODS] = methods;
    object_slots(dict)[METHOD_DICT_SELECTORS + 1] = selector;
    object_slots(class_named(s, CLASS_ARRAY))[CLASS_METHOD_DICT] = dict;
    s->method = method;
}

static void make_kinds(Sample *s)
{
    double value = 1e300;
    s->weak = make(s, 3, FORMAT_WEAK, SAMPLE_WEAK);
    s->ephemeron = make(s, 2, FORMAT_EPHEMERON, SAMPLE_EPHEMERON);
    object_slots(s->ephemeron)[0] = s->weak;
    s->floats = make(s, 8 / WORD_BYTES, FORMAT_WORDS32, CLASS_FLOAT);
    memcpy(object_bytes(s->floats), &value, sizeof value);
    s->shorts = make(s, 8 / WORD_BYTES, FORMAT_SHORTS + 1, SAMPLE_SHORTS);
    memcpy(object_bytes(s->shorts), "\1\0\2\0\3\0\0\0", 8);
    s->words32 = make(s, 8 / WORD_BYTES, FORMAT_WORDS32, CLASS_BITMAP);
    memcpy(object_bytes(s->words32), "\1\0\0\0\2\0\0\0", 8);
    s->words64 = make(s, 8 / WORD_BYTES, FORMAT_WORDS64, SAMPLE_WORDS64);
    memcpy(object_bytes(s->words64), "\1\2\3\4\5\6\7\10", 8);
    s->large = make_bytes(s, CLASS_LARGE_POSITIVE, "\1\2\3\4\5\6\7\10\11");
    Oop many = make(s, 300, FORMAT_INDEXABLE, CLASS_ARRAY);
    Oop kinds[] = {s->weak, s->ephemeron, s->floats, s->shorts, s->words32, s->words64, s->large,
                   small_integer_oop(-5), character_oop(0x1F600), small_integer_oop(1 << 29)};
    memcpy(object_slots(many), kinds, sizeof kinds);
    object_slots(s->weak)[1] = many;
}

static Oop make_scheduler(Sample *s)
{
    Oop association = make(s, 2, FORMAT_FIXED, SAMPLE_ASSOCIATION);
    Oop scheduler = make(s, 2, FORMAT_FIXED, SAMPLE_SCHEDULER);
    Oop lists = make(s, 4, FORMAT_INDEXABLE, CLASS_ARRAY), process = make(s, 4, 1, SAMPLE_PROCESS);
    s->context = make(s, CONTEXT_SMALL_SLOTS, FORMAT_INDEXABLE_FIXED, CLASS_CONTEXT);
    for (Word i = 0; i < 4; i++)
        object_slots(lists)[i] = make(s, 2, FORMAT_FIXED, SAMPLE_LIST);
    object_slots(association)[ASSOCIATION_VALUE] = scheduler;
    object_slots(scheduler)[SCHEDULER_LISTS] = lists;
    object_slots(scheduler)[SCHEDULER_ACTIVE] = process;
    object_slots(process)[PROCESS_CONTEXT] = s->context;
    object_slots(process)[PROCESS_PRIORITY] = small_integer_oop(2);
    object_slots(s->context)[CONTEXT_PC] = small_integer_oop(4 * WORD_BYTES + 4);
    object_slots(s->context)[CONTEXT_STACKP] = small_integer_oop(1);
    object_slots(s->context)[CONTEXT_METHOD] = s->method;
    object_slots(s->context)[CONTEXT_RECEIVER] = s->weak;
    object_slots(s->context)[CONTEXT_FIXED] = s->vm->heap.true_object;
    return association;
}

static void make_specials(Sample *s)
{
    static const uint8_t places[][2] = {{5, 1}, {6, 52}, {7, 51}, {9, 34}, {10, 36}, {13, 33},
                                        {15, 35}, {19, 2}, {36, 37}, {37, 38}, {42, 32}};
    Oop specials = make(s, 60, FORMAT_INDEXABLE, CLASS_ARRAY), oop;
    Word *slots = object_slots(specials);
    s->vm->heap.special_objects = specials;
    slots[1] = s->vm->heap.false_object;
    slots[2] = s->vm->heap.true_object;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        slots[places[i][0]] = class_named(s, places[i][1]);
    slots[SPECIAL_CLASS_BYTE_ARRAY] = class_named(s, SAMPLE_BYTES);
    oop = make_bytes(s, SAMPLE_SYMBOL, "doesNotUnderstand:");
    slots[SPECIAL_DOES_NOT_UNDERSTAND] = oop;
    oop = make_bytes(s, SAMPLE_SYMBOL, "cannotReturn:");
    slots[SPECIAL_CANNOT_RETURN] = oop;
    oop = make_bytes(s, SAMPLE_SYMBOL, "mustBeBoolean");
    slots[SPECIAL_MUST_BE_BOOLEAN] = oop;
    oop = make(s, 64, FORMAT_INDEXABLE, CLASS_ARRAY);
    slots[SPECIAL_SELECTORS] = oop;
    make_kinds(s);
    make_method(s);
    oop = make_scheduler(s);
    slots[SPECIAL_SCHEDULER_ASSOCIATION] = oop;
}

/* Its bytes are those of fresh memory, which nobody has touched. */
static void make_huge(Sample *s, Word bytes)
{
    s->huge = object_write_header(s->at, slots_for_bytes(bytes), format_for_bytes(bytes), SAMPLE_BYTES);
    s->at = object_end(s->huge);
}

bool sample_build_around(Sample *s, const CoreSetup *setup, Word bytes)
{
    Oop pages[2];
    s->vm = image_still_new(setup);
    Heap *heap = &s->vm->heap;
    if (!heap->mm->ops->prepare_load(heap->mm, SAMPLE_BYTES_MAX + bytes)) {
        sample_free(s);
        return false;
    }
    s->at = heap->old_start;
    for (Word i = 0; i < 3; i++)
        make(s, 0, FORMAT_EMPTY, SAMPLE_UNDEFINED + i);
    make(s, FREE_LISTS, WORD_BITS == 64 ? FORMAT_WORDS64 : FORMAT_WORDS32,
         WORD_BITS == 64 ? CLASS_WORDS64_PUN : CLASS_WORDS32_PUN);
    Oop roots = make(s, HIDDEN_ROOTS_SLOTS, FORMAT_INDEXABLE, CLASS_ARRAY_PUN);
    for (Word i = 0; i < 2; i++) {
        pages[i] = make(s, CLASS_PAGE_SIZE, FORMAT_INDEXABLE, CLASS_ARRAY_PUN);
        object_slots(roots)[i] = pages[i];
    }
    heap->mm->ops->adopt(heap->mm, s->at);
    make_classes(s, pages);
    make_huge(s, bytes);
    make_specials(s);
    heap->mm->ops->adopt(heap->mm, s->at);
    heap->last_hash = 12345;
    s->vm->image.flags = IMAGE_WHEEL_EVENTS | 0x800;
    s->vm->image.unknown_short = 77;
    s->vm->image.version = IMAGE_MAGIC | IMAGE_MULTIPLE_SETS;
    return true;
}

void sample_build(Sample *s, const CoreSetup *setup)
{
    bool built = sample_build_around(s, setup, 0);
    REQUIRE(built, "no memory for a sample of an image");
}

void sample_free(Sample *s)
{
    image_still_free(s->vm);
}
