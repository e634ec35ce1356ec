/* The lab's image: what a heap must hold to be collected and saved, and classes. */
#include "kernel/debug/gc_lab/lab.h"
#include "kernel/vm/image/image.h"

typedef struct {
    Heap *heap;
    Word at; /* where the next object goes */
} Writer;

static const struct {
    Word index;
    uint8_t fixed, spec;
    const char *name;
} known_classes[] = {
    {CLASS_SMALL_INTEGER, 0, FORMAT_IMMEDIATE_CLASS, "SmallInteger"},
    {CLASS_CHARACTER, 0, FORMAT_IMMEDIATE_CLASS, "Character"},
    {CLASS_SMALL_FLOAT, 0, FORMAT_IMMEDIATE_CLASS, "SmallFloat64"},
    {CLASS_LARGE_NEGATIVE, 0, FORMAT_BYTES, "LargeNegativeInteger"},
    {CLASS_LARGE_POSITIVE, 0, FORMAT_BYTES, "LargePositiveInteger"},
    {CLASS_FLOAT, 0, FORMAT_WORDS32, "Float"},
    {CLASS_MESSAGE, 3, FORMAT_FIXED, "Message"},
    {CLASS_CONTEXT, CONTEXT_FIXED, FORMAT_INDEXABLE_FIXED, "Context"},
    {CLASS_BLOCK_CLOSURE, 3, FORMAT_INDEXABLE_FIXED, "BlockClosure"},
    {CLASS_FULL_BLOCK_CLOSURE, 4, FORMAT_INDEXABLE_FIXED, "FullBlockClosure"},
    {CLASS_ARRAY, 0, FORMAT_INDEXABLE, "Array"},
    {CLASS_BYTE_STRING, 0, FORMAT_BYTES, "ByteString"},
    {CLASS_BITMAP, 0, FORMAT_WORDS32, "Bitmap"},
    {LAB_METACLASS, LAB_CLASS_SLOTS, FORMAT_FIXED, "Metaclass"},
};

static const unsigned formats[SHAPES] = {
    [SHAPE_EMPTY] = FORMAT_EMPTY,       [SHAPE_FIXED] = FORMAT_FIXED,
    [SHAPE_ARRAY] = FORMAT_INDEXABLE,   [SHAPE_VARIABLE] = FORMAT_INDEXABLE_FIXED,
    [SHAPE_WEAK] = FORMAT_WEAK,         [SHAPE_EPHEMERON] = FORMAT_EPHEMERON,
    [SHAPE_CONTEXT] = FORMAT_INDEXABLE_FIXED, [SHAPE_METHOD] = FORMAT_CODE,
    [SHAPE_BYTES] = FORMAT_BYTES,       [SHAPE_SHORTS] = FORMAT_SHORTS,
    [SHAPE_WORDS32] = FORMAT_WORDS32,   [SHAPE_WORDS64] = FORMAT_WORDS64,
};

static const char *const shape_names[SHAPES] = {
    "Empty", "Fixed",          "List",      "Variable",        "Weak",      "Ephemeron",
    "Frame", "CompiledMethod", "ByteArray", "DoubleByteArray", "WordArray", "DoubleWordArray",
};

unsigned shape_format(Shape shape)
{
    return shape == SHAPE_CLASS ? FORMAT_FIXED : formats[shape];
}

Word shape_fixed_fields(Shape shape)
{
    switch (shape) {
    case SHAPE_FIXED: return 3;
    case SHAPE_VARIABLE: return LAB_VARIABLE_FIXED;
    case SHAPE_WEAK: return LAB_WEAK_FIXED;
    case SHAPE_EPHEMERON: return LAB_EPHEMERON_SLOTS;
    case SHAPE_CONTEXT: return CONTEXT_FIXED;
    case SHAPE_CLASS: return LAB_CLASS_SLOTS;
    default: return 0;
    }
}

/* ---- Objects ---- */

static Oop put(Writer *w, Word slots, unsigned format, Word class_index)
{
    Oop oop = object_write_header(w->at, slots, format, class_index);
    memset(object_slots(oop), 0, body_bytes_for_slots(slots));
    if (format_is_pointers(format))
        object_fill(oop, 0, slots, w->heap->old_start);
    w->at = object_end(oop);
    return oop;
}

static Oop put_bytes(Writer *w, const char *text)
{
    Word length = (Word)strlen(text);
    Oop oop = put(w, slots_for_bytes(length), format_for_bytes(length), CLASS_BYTE_STRING);
    memcpy(object_bytes(oop), text, length);
    return oop;
}

static Word *table_entry(const Heap *heap, Word index)
{
    Oop page = object_slot(heap->hidden_roots, index >> CLASS_PAGE_BITS);
    return &object_slots(page)[index & (CLASS_PAGE_SIZE - 1)];
}

static void put_class(Writer *w, Word index, unsigned spec, Word fixed, const char *name)
{
    Oop text = put_bytes(w, name);
    Oop class = put(w, LAB_CLASS_SLOTS, FORMAT_FIXED, LAB_METACLASS);
    *header_at(class) |= (Header)index << HEADER_HASH_SHIFT;
    object_slots(class)[CLASS_FORMAT] = small_integer_oop((SWord)(spec << 16 | (unsigned)fixed));
    object_slots(class)[LAB_CLASS_SLOTS - 1] = text;
    *table_entry(w->heap, index) = class;
}

static void put_class_table(Writer *w)
{
    Heap *heap = w->heap;
    heap->hidden_roots = put(w, HIDDEN_ROOTS_SLOTS, FORMAT_INDEXABLE, CLASS_ARRAY_PUN);
    for (Word i = 0; i < 2; i++) {
        Oop page = put(w, CLASS_PAGE_SIZE, FORMAT_INDEXABLE, CLASS_ARRAY_PUN);
        object_slots(heap->hidden_roots)[i] = page;
    }
    for (size_t i = 0; i < sizeof known_classes / sizeof *known_classes; i++)
        put_class(w, known_classes[i].index, known_classes[i].spec, known_classes[i].fixed,
                  known_classes[i].name);
    for (unsigned shape = 0; shape < SHAPES; shape++)
        put_class(w, LAB_FIRST_SHAPE + shape, formats[shape], shape_fixed_fields((Shape)shape),
                  shape_names[shape]);
    *table_entry(heap, CLASS_ARRAY_PUN) = *table_entry(heap, CLASS_ARRAY);
    if (WORD_BITS == 32) {
        *table_entry(heap, CLASS_BRIDGE) = *table_entry(heap, CLASS_SMALL_INTEGER);
        *table_entry(heap, CLASS_SMALL_FLOAT) = heap->old_start;
    }
}

/* ---- Special objects ---- */

/* What the active process would resume, if anybody ran this image: `^self`. */
static Oop put_suspended_context(Writer *w)
{
    enum { RETURN_RECEIVER = 0x78 };
    Oop method = put(w, 1 + 8 / WORD_BYTES, FORMAT_CODE, LAB_FIRST_SHAPE + SHAPE_METHOD);
    object_slots(method)[0] = small_integer_oop(0);
    memset(object_bytes(method) + WORD_BYTES, RETURN_RECEIVER, 8);
    Oop context = put(w, CONTEXT_SMALL_SLOTS, FORMAT_INDEXABLE_FIXED, CLASS_CONTEXT);
    object_slots(context)[CONTEXT_PC] = small_integer_oop(WORD_BYTES + 1);
    object_slots(context)[CONTEXT_STACKP] = small_integer_oop(0);
    object_slots(context)[CONTEXT_METHOD] = method;
    return context;
}

static Oop put_scheduler(Writer *w)
{
    enum { LISTS = 4 };
    Oop association = put(w, 2, FORMAT_INDEXABLE, CLASS_ARRAY);
    Oop scheduler = put(w, 2, FORMAT_INDEXABLE, CLASS_ARRAY);
    Oop lists = put(w, LISTS, FORMAT_INDEXABLE, CLASS_ARRAY);
    Oop process = put(w, 4, FORMAT_INDEXABLE, CLASS_ARRAY);
    for (Word i = 0; i < LISTS; i++) {
        Oop list = put(w, 2, FORMAT_INDEXABLE, CLASS_ARRAY);
        object_slots(lists)[i] = list;
    }
    object_slots(association)[ASSOCIATION_VALUE] = scheduler;
    object_slots(scheduler)[SCHEDULER_LISTS] = lists;
    object_slots(scheduler)[SCHEDULER_ACTIVE] = process;
    object_slots(process)[PROCESS_CONTEXT] = put_suspended_context(w);
    object_slots(process)[PROCESS_PRIORITY] = small_integer_oop(1);
    return association;
}

static Oop put_all_classes(Writer *w)
{
    Word count = LAB_CLASSES_END - LAB_METACLASS;
    Oop classes = put(w, count, FORMAT_INDEXABLE, CLASS_ARRAY);
    for (Word i = 0; i < count; i++)
        object_slots(classes)[i] = *table_entry(w->heap, LAB_METACLASS + i);
    return classes;
}

static void put_special_objects(Writer *w)
{
    static const uint8_t places[][2] = {
        {SPECIAL_CLASS_BITMAP, CLASS_BITMAP}, {SPECIAL_CLASS_SMALL_INTEGER, CLASS_SMALL_INTEGER},
        {SPECIAL_CLASS_BYTE_STRING, CLASS_BYTE_STRING}, {SPECIAL_CLASS_ARRAY, CLASS_ARRAY},
        {SPECIAL_CLASS_FLOAT, CLASS_FLOAT}, {SPECIAL_CLASS_CONTEXT, CLASS_CONTEXT},
        {SPECIAL_CLASS_LARGE_POSITIVE, CLASS_LARGE_POSITIVE},
        {SPECIAL_CLASS_MESSAGE, CLASS_MESSAGE}, {SPECIAL_CLASS_CHARACTER, CLASS_CHARACTER},
        {SPECIAL_CLASS_BLOCK_CLOSURE, CLASS_BLOCK_CLOSURE},
        {SPECIAL_CLASS_FULL_BLOCK_CLOSURE, CLASS_FULL_BLOCK_CLOSURE},
        {SPECIAL_CLASS_LARGE_NEGATIVE, CLASS_LARGE_NEGATIVE},
    };
    enum { SELECTORS = 64 };
    Heap *heap = w->heap;
    Oop special = put(w, SPECIAL_OBJECTS_CONVENTIONAL_SIZE, FORMAT_INDEXABLE, CLASS_ARRAY);
    Word *slots = object_slots(special);
    heap->special_objects = special;
    slots[SPECIAL_FALSE] = heap->false_object;
    slots[SPECIAL_TRUE] = heap->true_object;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        slots[places[i][0]] = *table_entry(heap, places[i][1]);
    slots[SPECIAL_CLASS_BYTE_ARRAY] = *table_entry(heap, LAB_FIRST_SHAPE + SHAPE_BYTES);
    slots[SPECIAL_DOES_NOT_UNDERSTAND] = put_bytes(w, "doesNotUnderstand:");
    slots[SPECIAL_CANNOT_RETURN] = put_bytes(w, "cannotReturn:");
    slots[SPECIAL_MUST_BE_BOOLEAN] = put_bytes(w, "mustBeBoolean");
    slots[SPECIAL_SELECTORS] = put(w, SELECTORS, FORMAT_INDEXABLE, CLASS_ARRAY);
    slots[SPECIAL_SCHEDULER_ASSOCIATION] = put_scheduler(w);
    slots[LAB_KEEP] = put_all_classes(w);
}

static Word put_image(Heap *heap)
{
    Writer w = {heap, heap->old_start};
    heap->nil = put(&w, 0, FORMAT_EMPTY, LAB_FIRST_SHAPE + SHAPE_EMPTY);
    heap->false_object = put(&w, 0, FORMAT_EMPTY, LAB_FIRST_SHAPE + SHAPE_EMPTY);
    heap->true_object = put(&w, 0, FORMAT_EMPTY, LAB_FIRST_SHAPE + SHAPE_EMPTY);
    put(&w, FREE_LISTS, WORD_BITS == 64 ? FORMAT_WORDS64 : FORMAT_WORDS32,
        WORD_BITS == 64 ? CLASS_WORDS64_PUN : CLASS_WORDS32_PUN);
    put_class_table(&w);
    put_special_objects(&w);
    heap->last_hash = 1;
    return w.at;
}

/* ---- The VM ---- */

/* Parameters of primitive 254 that the memory manager keeps. */
enum { PARAMETER_SHRINK = 24, PARAMETER_HEADROOM = 25 };

static void set_parameter(Mm *mm, unsigned number, uint64_t value)
{
    if (value)
        mm->ops->set_parameter(mm, number, (int64_t)value);
}

Vm *lab_vm_new(const CoreSetup *setup, const GcSettings *settings, CoreSetup *own, OsvmError *error)
{
    /* A copy of the heap, for snapshots, needs addresses of 32 bits too. */
    enum { LEAST_EDEN = 64 << 10, MOST_32 = 1 << 30 };
    ImageFacts facts = {.version = IMAGE_MAGIC,
                        .flags = settings->weak_mourners ? IMAGE_NEW_FINALIZATION : 0};
    *own = *setup;
    own->eden_bytes = settings->eden ? settings->eden : LEAST_EDEN;
    own->max_heap = settings->limit || WORD_BITS == 64 ? settings->limit : MOST_32;
    own->stack_pages = 2;
    if (!own->torture)
        own->torture = ""; /* events ask for it */
    Vm *vm = vm_create(own, &facts, error);
    if (!vm)
        return NULL;
    Mm *mm = vm->heap.mm;
    set_parameter(mm, PARAMETER_HEADROOM, settings->headroom);
    set_parameter(mm, PARAMETER_SHRINK, settings->shrink);
    if (!mm->ops->prepare_load(mm, LAB_IMAGE_BYTES)) {
        setup->host->fail(error, OSVM_UNAVAILABLE, "the memory manager has no room for %d bytes",
                          LAB_IMAGE_BYTES);
        vm_destroy(vm);
        return NULL;
    }
    mm->ops->adopt(mm, put_image(&vm->heap));
    return vm;
}
