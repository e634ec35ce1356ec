/* What the VM relies on in a loaded image beyond headers and references: the
 * class table, code, contexts, closures, special objects, scheduler, queues.
 *
 * A load refuses only what could lead the VM astray; what is merely odd is the
 * business of check.c. The bytecodes of methods are verified when they are first
 * looked up, not here.
 */
#include "kernel/vm/image/image.h"

/* ---- First objects, hidden roots, class table pages ---- */

static bool check_first_objects(Image *image)
{
    static const char *const names[] = {"nil", "false", "true"};
    Oop oop = image->start;
    for (int i = 0; i < 3; i++, oop += SMALLEST_OBJECT)
        if (!image_is_object(image, oop) || object_format(oop) != FORMAT_EMPTY ||
            object_slot_count(oop) != 0)
            return image_finding(image, oop,
                                 "the object number %d should be %s: format 0, no slots",
                                 i + 1, names[i]);
    image->free_lists = object_at_start(oop);
    image->hidden_roots = object_at_start(object_end(image->free_lists));
    return true;
}

static bool check_internal(Image *image, Oop oop, Word class_index, unsigned format, Word slots,
                           const char *name)
{
    if (oop >= image->end || object_class_index(oop) != class_index ||
        object_format(oop) != format || object_slot_count(oop) != slots)
        return image_finding(image, oop < image->end ? oop : 0, "here %s should be: class index %"
                             PRIuWORD ", format %u, %" PRIuWORD " slots", name, class_index, format,
                             slots);
    for (size_t i = 0; i < image->pun_count && image->puns[i].oop <= oop; i++)
        if (image->puns[i].oop == oop)
            image->puns[i].claimed = true;
    return true;
}

static Word bits_pun(void)
{
    return WORD_BITS == 64 ? CLASS_WORDS64_PUN : CLASS_WORDS32_PUN;
}

static unsigned bits_pun_format(void)
{
    return WORD_BITS == 64 ? FORMAT_WORDS64 : FORMAT_WORDS32;
}

static bool relocate_page(Image *image, Word index)
{
    Word *slot = object_slots(image->hidden_roots) + index;
    ImagePun *pun = is_object(*slot) ? image_relocate_pun(image, *slot) : NULL;
    Oop page = pun ? pun->oop : NO_OOP;
    if (!page || object_class_index(page) != CLASS_ARRAY_PUN ||
        object_format(page) != FORMAT_INDEXABLE || object_slot_count(page) != CLASS_PAGE_SIZE)
        return image_finding(image, image->hidden_roots, "slot %" PRIuWORD ", 0x%" PRIxWORD
                             ", is no page of the class table", index, *slot);
    *slot = page;
    Word nil = (Word)image->header.old_base;
    for (Word i = 0; i < CLASS_PAGE_SIZE; i++) {
        Word *entry = object_slots(page) + i;
        Oop class = *entry == nil ? image->start
                    : is_object(*entry) ? image_relocate(image, *entry) : NO_OOP;
        if (!class && image_finding(image, page, "entry %" PRIuWORD " of the class table, 0x%"
                                    PRIxWORD ", is no object", index * CLASS_PAGE_SIZE + i, *entry))
            return false;
        *entry = class ? class : image->start;
        if (!class && !image->report)
            return false;
    }
    return true;
}

bool image_validate_roots(Image *image)
{
    if (!check_first_objects(image) ||
        !check_internal(image, image->free_lists, bits_pun(), bits_pun_format(), FREE_LISTS,
                        "the free lists object") ||
        !check_internal(image, image->hidden_roots, CLASS_ARRAY_PUN, FORMAT_INDEXABLE,
                        HIDDEN_ROOTS_SLOTS, "the class table (hidden roots)"))
        return false;
    memcpy(image->free_heads, object_slots(image->free_lists), sizeof image->free_heads);
    memset(object_slots(image->free_lists), 0, FREE_LISTS * WORD_BYTES);
    Word *roots = object_slots(image->hidden_roots), nil = (Word)image->header.old_base, i = 0;
    for (; i < CLASS_PAGES_MAX && roots[i] != nil; i++)
        if (!relocate_page(image, i))
            return false;
    if (i < 2)
        return image_finding(image, image->hidden_roots, "the class table has %" PRIuWORD
                             " pages, expected at least 2", i);
    image->class_pages = i;
    image->class_count = i * CLASS_PAGE_SIZE;
    for (; i < CLASS_PAGES_MAX; i++) {
        if (roots[i] != nil)
            return image_finding(image, image->hidden_roots, "slot %" PRIuWORD " is not nil, but "
                                 "the class table ends at %" PRIuWORD, i, image->class_pages);
        roots[i] = image->start;
    }
    return true;
}

/* ---- Classes ---- */

static bool spec_exists(unsigned spec)
{
    return spec <= FORMAT_LAST_POINTERS || spec == FORMAT_IMMEDIATE_CLASS ||
           spec == FORMAT_WORDS64 || spec == FORMAT_WORDS32 || spec == FORMAT_SHORTS ||
           spec == FORMAT_BYTES || spec == FORMAT_CODE;
}

static bool has_class_format(Oop oop)
{
    return object_format(oop) <= FORMAT_LAST_POINTERS && object_slot_count(oop) > CLASS_FORMAT &&
           is_small_integer(object_slot(oop, CLASS_FORMAT)) &&
           spec_exists(class_format_instance_spec(
               small_integer_value(object_slot(oop, CLASS_FORMAT))));
}

bool image_looks_like_class(const Image *image, Oop oop)
{
    return is_object(oop) && image_is_object(image, oop) && has_class_format(oop) &&
           is_object(object_slot(oop, CLASS_SUPERCLASS)) &&
           is_object(object_slot(oop, CLASS_METHOD_DICT));
}

static Oop table_entry(const Image *image, Word index)
{
    Oop page = object_slot(image->hidden_roots, index >> CLASS_PAGE_BITS);
    return object_slot(page, index & (CLASS_PAGE_SIZE - 1));
}

static void note_class(Image *image, Word index, Oop class)
{
    SWord format = small_integer_value(object_slot(class, CLASS_FORMAT));
    ClassFacts *facts = &image->classes[index];
    Word hash = header_hash(header_of(class));
    bool own = hash > CLASS_LAST_PUN && hash < image->class_count &&
               table_entry(image, hash) == class;
    facts->canonical = (uint32_t)(own ? hash : index);
    facts->fixed = (uint16_t)class_format_fixed_fields(format);
    facts->spec = (uint8_t)class_format_instance_spec(format);
    facts->live = true;
}

/* Indices the VM uses without asking. (Small images have no class of floats.) */
static bool class_is_needed(Word index)
{
    switch (index) {
    case CLASS_SMALL_INTEGER:
    case CLASS_CHARACTER:
    case CLASS_ARRAY_PUN:
    case CLASS_LARGE_NEGATIVE:
    case CLASS_LARGE_POSITIVE:
    case CLASS_FLOAT:
    case CLASS_MESSAGE:
    case CLASS_CONTEXT:
    case CLASS_ARRAY:
        return true;
    case CLASS_BRIDGE:
        return WORD_BITS == 32;
    }
    return false;
}

bool image_validate_classes(Image *image)
{
    image->classes = image->host->alloc(image->host, image->class_count * sizeof(ClassFacts));
    if (!image->classes)
        return image_finding(image, 0, "no memory left for tables");
    for (Word i = 0; i < image->class_count; i++) {
        Oop class = table_entry(image, i);
        if (class == image->start) {
            if (class_is_needed(i))
                return image_finding(image, 0, "class table entry %" PRIuWORD " is nil; the VM "
                                     "needs this class", i);
        } else if (has_class_format(class)) {
            note_class(image, i, class);
        } else {
            image_finding(image, class, "entry %" PRIuWORD " of the class table does not look like "
                          "a class", i);
            if (!image->report)
                return false;
        }
    }
    return true;
}

/* The method dictionary of a class: nil, or selectors with an Array of as many methods. */
static bool check_dictionary(Image *image, Oop class)
{
    Oop dict = object_slot(class, CLASS_METHOD_DICT);
    if (dict == image->start)
        return true;
    Word slots = object_slot_count(dict);
    if (object_format(dict) > FORMAT_LAST_POINTERS || slots <= METHOD_DICT_SELECTORS)
        return image_finding(image, class, "its method dictionary is none");
    Word capacity = slots - METHOD_DICT_SELECTORS;
    Oop methods = object_slot(dict, METHOD_DICT_METHODS);
    if (!is_object(methods) || object_format(methods) != FORMAT_INDEXABLE ||
        object_slot_count(methods) < capacity)
        return image_finding(image, dict, "a method dictionary of %" PRIuWORD " selectors without "
                             "an Array of as many methods", capacity);
    if (capacity & (capacity - 1))
        return image_finding(image, dict, "a method dictionary of %" PRIuWORD " places, expected "
                             "a power of two", capacity);
    return true;
}

/* Is `class` one of the first `steps` classes of the chain that begins at `first`? */
static bool is_in_chain(Oop class, Oop first, Word steps)
{
    for (; steps; steps--, first = object_slot(first, CLASS_SUPERCLASS))
        if (first == class)
            return true;
    return false;
}

/* Walks up from a class to nil, or to a class that was reached before (`seen` has a bit per 8
 * bytes): in an earlier walk, or in this one, and then the chain is a ring. */
static bool check_hierarchy(Image *image, Oop first, uint64_t *seen)
{
    Oop class = first, below = first;
    for (Word steps = 0; class != image->start; steps++) {
        if (!image_looks_like_class(image, class))
            return image_finding(image, below, "its superclass (byte %" PRIu64 ") does not look "
                                 "like a class", image_file_offset(image, class));
        Word offset = class - image->start;
        uint64_t bit = (uint64_t)1 << (offset >> 3 & 63);
        if (seen[offset >> 9] & bit) {
            if (is_in_chain(class, first, steps))
                return image_finding(image, class, "its superclasses form a ring");
            return true;
        }
        seen[offset >> 9] |= bit;
        if (!check_dictionary(image, class))
            return false;
        below = class;
        class = object_slot(class, CLASS_SUPERCLASS);
    }
    return true;
}

static bool check_table_classes(Image *image)
{
    uint64_t *seen = image->host->alloc(image->host, image->starts_bytes);
    bool sound = seen || image_finding(image, 0, "no memory left for tables");
    for (Word i = 0; sound && i < image->class_count; i++)
        if (image->classes[i].live && !check_hierarchy(image, table_entry(image, i), seen))
            sound = image->report != NULL;
    image->host->free(image->host, seen, seen ? image->starts_bytes : 0);
    return sound;
}

/* ---- Code ---- */

/* Slot 0 of compiled code and its size. Without these its literals cannot be found. */
bool image_validate_code(Image *image, Oop code)
{
    Word first = object_slot(code, 0);
    if (!is_small_integer(first))
        return image_finding(image, code, "compiled code whose header is 0x%" PRIxWORD
                             ", expected a SmallInteger", first);
    SWord header = small_integer_value(first);
    Word begin = (1 + method_header_literals(header)) * WORD_BYTES, bytes = bits_byte_count(code);
    if (begin >= bytes)
        return image_finding(image, code, "compiled code of %" PRIuWORD " bytes with %" PRIuWORD
                             " literals leaves none for bytecodes", bytes,
                             method_header_literals(header));
    if (method_header_has_primitive(header) && bytes - begin < 3)
        return image_finding(image, code, "compiled code with a primitive, but without the 3 "
                             "bytes that name it");
    if (method_header_args(header) > method_header_temps(header))
        return image_finding(image, code, "compiled code with %u arguments in %u temporaries",
                             method_header_args(header), method_header_temps(header));
    return true;
}

/* ---- Contexts and closures ---- */

static bool is_context(const Image *image, Oop oop)
{
    if (!is_object(oop))
        return false;
    Word index = object_class_index(oop);
    return index < image->class_count && image->classes[index].live &&
           image->classes[index].canonical == CLASS_CONTEXT;
}

/* A context that is dead (pc nil) may hold nearly anything. */
static bool check_context(Image *image, Oop context)
{
    Word slots = object_slot_count(context);
    if (object_format(context) != FORMAT_INDEXABLE_FIXED || slots < CONTEXT_FIXED)
        return image_finding(image, context, "a context of format %u with %" PRIuWORD " slots",
                             object_format(context), slots);
    Oop sender = object_slot(context, CONTEXT_SENDER), pc = object_slot(context, CONTEXT_PC);
    Oop stackp = object_slot(context, CONTEXT_STACKP), method = object_slot(context,
                                                                            CONTEXT_METHOD);
    if (sender != image->start && !is_context(image, sender))
        return image_finding(image, context, "a context whose sender (0x%" PRIxWORD ") is neither "
                             "a context nor nil", sender);
    bool has_stack = is_small_integer(stackp);
    if (has_stack && (small_integer_value(stackp) < 0 ||
                      (Word)small_integer_value(stackp) > slots - CONTEXT_FIXED))
        return image_finding(image, context, "a context of %" PRIuWORD " slots whose stack pointer "
                             "is %" PRIdWORD, slots, small_integer_value(stackp));
    if (pc == image->start)
        return true;
    if (!is_small_integer(pc) || !has_stack)
        return image_finding(image, context, "a context whose pc (0x%" PRIxWORD ") or stack "
                             "pointer (0x%" PRIxWORD ") is no SmallInteger", pc, stackp);
    if (!is_object(method) || object_format(method) < FORMAT_CODE ||
        !is_small_integer(object_slot(method, 0)))
        return image_finding(image, context, "a live context without a method");
    Word literals = method_header_literals(small_integer_value(object_slot(method, 0)));
    Word begin = (1 + literals) * WORD_BYTES, bytes = bits_byte_count(method);
    SWord at = small_integer_value(pc);
    if (at <= (SWord)begin || (Word)at > bytes + 1)
        return image_finding(image, context, "a context whose pc is %" PRIdWORD ", outside the "
                             "bytecodes %" PRIuWORD " to %" PRIuWORD " of its method", at,
                             begin + 1, bytes);
    return true;
}

static bool check_closure(Image *image, Oop closure, bool full)
{
    Word slots = object_slot_count(closure);
    if (object_format(closure) > FORMAT_LAST_POINTERS ||
        slots < (full ? FULL_CLOSURE_COPIED : CLOSURE_COPIED))
        return image_finding(image, closure, "a closure of format %u with %" PRIuWORD " slots",
                             object_format(closure), slots);
    return true;
}

bool image_validate_known(Image *image, Oop object, Word class_index)
{
    unsigned format = object_format(object);
    switch (class_index) {
    case CLASS_LARGE_NEGATIVE:
    case CLASS_LARGE_POSITIVE:
        return format_is_bytes(format) ||
               image_finding(image, object, "a LargeInteger of format %u", format);
    case CLASS_FLOAT:
        if (format != FORMAT_WORDS32 || object_slot_count(object) != 8 / WORD_BYTES)
            return image_finding(image, object, "a Float of format %u with %" PRIuWORD " slots",
                                 format, object_slot_count(object));
        if (!(image->header.flags & IMAGE_LITTLE_FLOATS))
            image_swap_float(object);
        return true;
    case CLASS_CONTEXT:
        return check_context(image, object);
    case CLASS_BLOCK_CLOSURE:
        return check_closure(image, object, false);
    case CLASS_FULL_BLOCK_CLOSURE:
        return check_closure(image, object, true);
    case CLASS_ARRAY:
        return format == FORMAT_INDEXABLE ||
               image_finding(image, object, "an Array of format %u", format);
    }
    return true;
}

/* ---- Special objects ---- */

/* What the VM expects in a place of the special objects array. */
typedef enum { KIND_CLASS = 1, KIND_SEMAPHORE, KIND_ARRAY, KIND_OBJECT } Kind;

static const struct {
    uint8_t index, kind;
    bool needed; /* may not be nil */
} expectations[] = {
    {SPECIAL_SCHEDULER_ASSOCIATION, KIND_OBJECT, true},
    {SPECIAL_CLASS_BITMAP, KIND_CLASS, false},
    {SPECIAL_CLASS_SMALL_INTEGER, KIND_CLASS, true},
    {SPECIAL_CLASS_BYTE_STRING, KIND_CLASS, true},
    {SPECIAL_CLASS_ARRAY, KIND_CLASS, true},
    {SPECIAL_CLASS_FLOAT, KIND_CLASS, false},
    {SPECIAL_CLASS_CONTEXT, KIND_CLASS, true},
    {SPECIAL_CLASS_POINT, KIND_CLASS, false},
    {SPECIAL_CLASS_LARGE_POSITIVE, KIND_CLASS, true},
    {SPECIAL_CLASS_MESSAGE, KIND_CLASS, true},
    {SPECIAL_LOW_SPACE_SEMAPHORE, KIND_SEMAPHORE, false},
    {SPECIAL_CLASS_SEMAPHORE, KIND_CLASS, false},
    {SPECIAL_CLASS_CHARACTER, KIND_CLASS, true},
    {SPECIAL_DOES_NOT_UNDERSTAND, KIND_OBJECT, true},
    {SPECIAL_CANNOT_RETURN, KIND_OBJECT, true},
    {SPECIAL_SELECTORS, KIND_ARRAY, true},
    {SPECIAL_MUST_BE_BOOLEAN, KIND_OBJECT, true},
    {SPECIAL_CLASS_BYTE_ARRAY, KIND_CLASS, true},
    {SPECIAL_TIMER_SEMAPHORE, KIND_SEMAPHORE, false},
    {SPECIAL_INTERRUPT_SEMAPHORE, KIND_SEMAPHORE, false},
    {SPECIAL_CANNOT_INTERPRET, KIND_OBJECT, false},
    {SPECIAL_CLASS_BLOCK_CLOSURE, KIND_CLASS, false},
    {SPECIAL_CLASS_FULL_BLOCK_CLOSURE, KIND_CLASS, false},
    {SPECIAL_EXTERNAL_OBJECTS, KIND_ARRAY, false},
    {SPECIAL_FINALIZATION_SEMAPHORE, KIND_SEMAPHORE, false},
    {SPECIAL_CLASS_LARGE_NEGATIVE, KIND_CLASS, true},
    {SPECIAL_CLASS_EXTERNAL_ADDRESS, KIND_CLASS, false},
    {SPECIAL_PRIMITIVE_ERRORS, KIND_ARRAY, false},
    {SPECIAL_CLASS_ALIEN, KIND_CLASS, false},
    {SPECIAL_CLASS_UNSAFE_ALIEN, KIND_CLASS, false},
};

static bool is_pointers(Oop oop, Word slots)
{
    return is_object(oop) && object_format(oop) <= FORMAT_LAST_POINTERS &&
           object_slot_count(oop) >= slots;
}

static bool is_array(Oop oop)
{
    return is_object(oop) && object_format(oop) == FORMAT_INDEXABLE;
}

static bool is_of_kind(const Image *image, Oop oop, Kind kind)
{
    switch (kind) {
    case KIND_CLASS:
        return image_looks_like_class(image, oop);
    case KIND_SEMAPHORE:
        return is_pointers(oop, SEMAPHORE_EXCESS + 1) &&
               is_small_integer(object_slot(oop, SEMAPHORE_EXCESS));
    case KIND_ARRAY:
        return is_array(oop);
    case KIND_OBJECT:
        return is_object(oop);
    }
    return false;
}

static bool check_expectations(Image *image, Oop specials)
{
    static const char *const names[] = {"", "a class", "a Semaphore", "an Array", "an object"};
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        Word index = expectations[i].index;
        Oop oop = object_slot(specials, index);
        if (oop == image->start && !expectations[i].needed)
            continue;
        if (oop == image->start || !is_of_kind(image, oop, expectations[i].kind))
            return image_finding(image, specials, "special object %" PRIuWORD " should be %s",
                                 index,
                                 names[expectations[i].kind]);
    }
    return true;
}

static bool check_known_classes(Image *image, Oop specials)
{
    static const struct {
        uint8_t index, special;
    } pairs[] = {
        {CLASS_ARRAY, SPECIAL_CLASS_ARRAY}, {CLASS_LARGE_NEGATIVE, SPECIAL_CLASS_LARGE_NEGATIVE},
        {CLASS_LARGE_POSITIVE, SPECIAL_CLASS_LARGE_POSITIVE}, {CLASS_FLOAT, SPECIAL_CLASS_FLOAT},
        {CLASS_CONTEXT, SPECIAL_CLASS_CONTEXT}, {CLASS_MESSAGE, SPECIAL_CLASS_MESSAGE},
        {CLASS_SMALL_INTEGER, SPECIAL_CLASS_SMALL_INTEGER},
        {CLASS_CHARACTER, SPECIAL_CLASS_CHARACTER},
        {CLASS_BLOCK_CLOSURE, SPECIAL_CLASS_BLOCK_CLOSURE},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        Oop special = object_slot(specials, pairs[i].special);
        bool absent = special == image->start && pairs[i].index == CLASS_BLOCK_CLOSURE;
        if (!absent && special != table_entry(image, pairs[i].index))
            return image_finding(image, specials, "special object %u is not the class of index %u",
                                 pairs[i].special, pairs[i].index);
    }
    return true;
}

static bool check_special_objects(Image *image)
{
    enum { SPECIALS_LEAST = SPECIAL_UNUSED_BYTECODE, SELECTORS = 64 };
    Oop specials = image_relocate(image, (Word)image->header.special_objects);
    if (!is_object((Word)image->header.special_objects) || !specials || !is_array(specials) ||
        object_slot_count(specials) < SPECIALS_LEAST)
        return image_finding(image, specials, "the special objects (0x%" PRIx64 " in the header) "
                             "should be an Array of at least %d elements",
                             image->header.special_objects, SPECIALS_LEAST);
    for (Word i = 0; i < 3; i++)
        if (object_slot(specials, i) != image->start + i * SMALLEST_OBJECT)
            return image_finding(image, specials, "special object %" PRIuWORD " is not the object "
                                 "number %" PRIuWORD " of the file", i, i + 1);
    image->special_objects = specials;
    if (!check_expectations(image, specials) || !check_known_classes(image, specials))
        return false;
    if (object_slot_count(object_slot(specials, SPECIAL_SELECTORS)) < SELECTORS)
        return image_finding(image, specials, "there are fewer than %d special selectors",
                             SELECTORS);
    return true;
}

/* ---- Scheduler ---- */

static bool is_process(Oop oop)
{
    return is_pointers(oop, PROCESS_LIST + 1);
}

/* A list of processes: first to last by LINK_NEXT. */
static bool check_run_queue(Image *image, Oop list, Word priority)
{
    if (!is_pointers(list, LIST_LAST + 1))
        return image_finding(image, list, "the list of processes of priority %" PRIuWORD " is none",
                             priority);
    Oop link = object_slot(list, LIST_FIRST), slow = link, last = image->start;
    for (Word steps = 1; link != image->start; steps++) {
        if (!is_process(link))
            return image_finding(image, list, "something in the list of processes of priority %"
                                 PRIuWORD " is no process", priority);
        last = link;
        link = object_slot(link, LINK_NEXT);
        if (steps & 1)
            continue;
        slow = object_slot(slow, LINK_NEXT);
        if (slow == link && link != image->start)
            return image_finding(image, list, "the list of processes of priority %" PRIuWORD
                                 " is a ring", priority);
    }
    if (object_slot(list, LIST_LAST) != last && object_slot(list, LIST_FIRST) != image->start)
        return image_finding(image, list, "the list of processes of priority %" PRIuWORD
                             " does not end at its last process", priority);
    return true;
}

static bool check_scheduler(Image *image)
{
    Oop association = object_slot(image->special_objects, SPECIAL_SCHEDULER_ASSOCIATION);
    Oop scheduler = is_pointers(association, 2) ? object_slot(association,
                                                              ASSOCIATION_VALUE) : NO_OOP;
    if (!scheduler || !is_pointers(scheduler, SCHEDULER_ACTIVE + 1))
        return image_finding(image, association, "special object 3 leads to no scheduler");
    Oop lists = object_slot(scheduler, SCHEDULER_LISTS);
    Oop active = object_slot(scheduler, SCHEDULER_ACTIVE);
    if (!is_array(lists) || object_slot_count(lists) == 0)
        return image_finding(image, scheduler, "the scheduler has no Array of process lists");
    for (Word i = 0; i < object_slot_count(lists); i++)
        if (!check_run_queue(image, object_slot(lists, i), i + 1))
            return false;
    if (!is_process(active) || active == image->start)
        return image_finding(image, scheduler, "the scheduler has no active process");
    Oop priority = object_slot(active, PROCESS_PRIORITY);
    if (!is_small_integer(priority) || small_integer_value(priority) < 1 ||
        (Word)small_integer_value(priority) > object_slot_count(lists))
        return image_finding(image, active, "the priority of the active process is none of 1 to %"
                             PRIuWORD, object_slot_count(lists));
    Oop context = object_slot(active, PROCESS_CONTEXT);
    if (!is_context(image, context) || !is_small_integer(object_slot(context, CONTEXT_PC)))
        return image_finding(image, active, "the active process has no context to resume");
    return true;
}

/* ---- The queue of mourners ---- */

static bool relocate_mourners(Image *image, Oop page)
{
    Word *slots = object_slots(page), top = slots[OBJ_STACK_TOP];
    if (top > OBJ_STACK_ENTRIES)
        return image_finding(image, page, "a queue page with %" PRIuWORD " entries, at most %d fit",
                             top, OBJ_STACK_ENTRIES);
    for (Word i = 0; i < top; i++) {
        Word *entry = &slots[OBJ_STACK_FIRST + i];
        Oop object = is_object(*entry) ? image_relocate(image, *entry) : NO_OOP;
        if (!object)
            return image_finding(image, page, "entry %" PRIuWORD " of the queue of mourners, 0x%"
                                 PRIxWORD ", is no object", i, *entry);
        *entry = object;
    }
    slots[OBJ_STACK_FREE] = 0;
    return true;
}

/* Every page is claimed once, so that a chain which is a ring ends. */
static bool relocate_queue(Image *image)
{
    Word *slot = object_slots(image->hidden_roots) + HIDDEN_MOURNERS;
    for (Word saved = *slot; saved; saved = *slot) {
        ImagePun *pun = is_object(saved) ? image_relocate_pun(image, saved) : NULL;
        Oop page = pun ? pun->oop : NO_OOP;
        if (!page || object_class_index(page) != bits_pun() ||
            object_format(page) != bits_pun_format() ||
            object_slot_count(page) != OBJ_STACK_SLOTS || page == image->free_lists)
            return image_finding(image, image->hidden_roots, "a page of the queue of mourners (0x%"
                                 PRIxWORD ") is none", saved);
        if (object_slot(page, OBJ_STACK_ROOT) != HIDDEN_MOURNERS)
            return image_finding(image, page, "the queue of mourners is a ring, or a page of it "
                                 "belongs to another stack");
        object_slots(page)[OBJ_STACK_ROOT] = 0; /* seen; put back below */
        *slot = page;
        if (!relocate_mourners(image, page))
            return false;
        slot = object_slots(page) + OBJ_STACK_NEXT;
    }
    Oop page = object_slot(image->hidden_roots, HIDDEN_MOURNERS);
    for (; page; page = object_slot(page, OBJ_STACK_NEXT))
        object_slots(page)[OBJ_STACK_ROOT] = HIDDEN_MOURNERS;
    return true;
}

/* The VM makes its own stacks and remembered set; only the queue is taken over. */
static bool check_hidden_stacks(Image *image)
{
    Word *roots = object_slots(image->hidden_roots), nil = (Word)image->header.old_base;
    for (Word i = CLASS_PAGES_MAX; i < HIDDEN_ROOTS_SLOTS; i++)
        if (i != HIDDEN_MOURNERS || roots[i] == nil)
            roots[i] = image->start;
    return roots[HIDDEN_MOURNERS] == image->start || relocate_queue(image);
}

bool image_validate_system(Image *image)
{
    return check_hidden_stacks(image) && check_special_objects(image) &&
           check_table_classes(image) && check_scheduler(image);
}
