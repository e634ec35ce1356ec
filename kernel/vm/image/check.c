/* `osvm check IMAGE`: everything the reader validates, with all findings instead
 * of the first, and much that a load takes on trust.
 *
 * Each finding is a line on standard output: offset in the file, object,
 * sentence. The exit status says whether there was any but warnings, which are of things
 * that other VMs put up with and so does this one.
 */
#include "kernel/vm/image/inspect.h"

typedef struct {
    Inspector *in;
    Image *image;
    uint64_t methods, objects;
    void *scratch; /* for the verifier */
    size_t scratch_bytes;
    Oop block_class; /* CompiledBlock; NO_OOP: none */
} Checker;

static void print_finding(Image *image, const char *where, const char *what)
{
    printf("%s: %s: %s\n", image->path, where, what);
}

/* ---- Header ---- */

static void check_header_fields(Checker *c)
{
    const ImageHeader *h = &c->image->header;
    uint64_t end = h->start + h->header_size + h->data_size;
    if (end != c->image->file_size)
        image_warning(c->image, 0, "%" PRIu64 " bytes behind the objects",
                      c->image->file_size - end);
    if (h->header_size != IMAGE_HEADER_BYTES)
        image_finding(c->image, 0, "header size is %u, expected %u", h->header_size,
                      IMAGE_HEADER_BYTES);
    if (h->last_hash == 0)
        image_finding(c->image, 0, "the last identity hash is 0");
    if (h->free_old_space > h->data_size)
        image_finding(c->image, 0, "more bytes are free (%" PRIu64 ") than there are",
                      h->free_old_space);
}

/* ---- Objects ---- */

static bool format_matches(unsigned spec, unsigned format)
{
    switch (spec) {
    case FORMAT_INDEXABLE: /* classes become weak and strong again, instances need not follow */
    case FORMAT_INDEXABLE_FIXED:
    case FORMAT_WEAK:
        return format >= FORMAT_INDEXABLE && format <= FORMAT_WEAK;
    case FORMAT_EPHEMERON:
        return format == FORMAT_EPHEMERON || format == FORMAT_FIXED; /* fired */
    case FORMAT_WORDS32:
        return format == FORMAT_WORDS32 || format == FORMAT_WORDS32 + 1;
    case FORMAT_SHORTS:
        return format >= FORMAT_SHORTS && format < FORMAT_BYTES;
    case FORMAT_BYTES:
        return format_is_bytes(format);
    case FORMAT_CODE:
        return format_is_code(format);
    }
    return format == spec;
}

/* Closures and contexts have copied values and a stack whatever their classes say. */
static void check_shape(Checker *c, Oop object)
{
    Word index = object_class_index(object), slots = object_slot_count(object);
    unsigned format = object_format(object);
    if (index <= CLASS_LAST_PUN || index >= c->image->class_count || !c->image->classes[index].live)
        return;
    const ClassFacts *facts = &c->image->classes[index];
    bool closure = index == CLASS_BLOCK_CLOSURE || index == CLASS_FULL_BLOCK_CLOSURE;
    if (!format_matches(facts->spec, format) && !(closure && format <= FORMAT_INDEXABLE_FIXED))
        image_finding(c->image, object, "format %u, but instances of its class have %u", format,
                      facts->spec);
    else if (format <= FORMAT_FIXED && slots != facts->fixed && !closure)
        image_finding(c->image, object, "%" PRIuWORD " slots, but its class names %u variables",
                      slots, facts->fixed);
}

static void check_immediates(Checker *c, Oop object)
{
    Word first, end;
    heap_pointer_slots(c->in->heap, object, &first, &end);
    for (Word i = first; i < end; i++) {
        Oop oop = object_slot(object, i);
        if (is_character(oop) && (oop >> TAG_BITS) > CHARACTER_MAX)
            image_finding(c->image, object, "slot %" PRIuWORD " is a Character of code 0x%" PRIxWORD
                          ", the highest is 0x%X", i, oop >> TAG_BITS, CHARACTER_MAX);
    }
}

/* ---- Classes ---- */

static void check_class(Checker *c, Word index, Oop class)
{
    Word hash = header_hash(header_of(class));
    if (hash == 0 || hash >= c->image->class_count || heap_class_at(c->in->heap, hash) != class)
        image_finding(c->image, class, "class table entry %" PRIuWORD ", but its identity hash is %"
                      PRIuWORD, index, hash);
    Oop super = object_slot(class, CLASS_SUPERCLASS);
    if (super == c->image->start || !image_looks_like_class(c->image, super))
        return;
    SWord format = small_integer_value(object_slot(class, CLASS_FORMAT));
    SWord above = small_integer_value(object_slot(super, CLASS_FORMAT));
    if (class_format_instance_spec(format) <= FORMAT_LAST_POINTERS &&
        class_format_fixed_fields(format) < class_format_fixed_fields(above))
        image_finding(c->image, class, "it names %" PRIuWORD " variables, its superclass %"
                      PRIuWORD,
                      class_format_fixed_fields(format), class_format_fixed_fields(above));
}

/* Does the lookup rule find the selector at place `at`? Small dictionaries are searched through. */
static bool is_findable(const Checker *c, Oop dict, Word at)
{
    Word mask = object_slot_count(dict) - METHOD_DICT_SELECTORS - 1;
    Oop selector = object_slot(dict, METHOD_DICT_SELECTORS + at);
    if (mask <= 8)
        return true;
    Word hash = is_object(selector) ? header_hash(header_of(selector))
                                    : (Word)((SWord)selector >> TAG_BITS);
    Word i = hash & mask;
    for (Word steps = 0; steps <= mask; steps++, i = (i + 1) & mask) {
        if (i == at)
            return true;
        Oop other = object_slot(dict, METHOD_DICT_SELECTORS + i);
        if (other == c->image->start || other == selector)
            return false;
    }
    return false;
}

static void check_dictionary(Checker *c, Oop class)
{
    char name[DESCRIPTION_MAX];
    Oop dict = object_slot(class, CLASS_METHOD_DICT);
    if (dict == c->image->start || object_format(dict) > FORMAT_LAST_POINTERS ||
        object_slot_count(dict) <= METHOD_DICT_SELECTORS)
        return;
    Word capacity = object_slot_count(dict) - METHOD_DICT_SELECTORS, used = 0;
    for (Word i = 0; i < capacity; i++) {
        Oop selector = object_slot(dict, METHOD_DICT_SELECTORS + i);
        if (selector == c->image->start)
            continue;
        used++;
        if (!(capacity & (capacity - 1)) && !is_findable(c, dict, i)) {
            inspect_describe(c->in, selector, name);
            image_finding(c->image, dict, "a method dictionary in which a lookup does not find %s",
                          name);
        }
    }
    Oop tally = object_slot(dict, METHOD_DICT_TALLY);
    if (tally != small_integer_oop((SWord)used))
        image_finding(c->image, dict, "a method dictionary of %" PRIuWORD " selectors with another "
                      "tally", used);
}

static void check_classes(Checker *c)
{
    for (Word i = 0; i < c->image->class_count; i++) {
        const ClassFacts *facts = &c->image->classes[i];
        Oop class = heap_class_at(c->in->heap, i);
        if (!facts->live || !image_looks_like_class(c->image, class))
            continue;
        if (facts->canonical == i || i > CLASS_LAST_PUN)
            check_class(c, i, class);
        if (facts->canonical == i)
            check_dictionary(c, class);
    }
}

/* ---- Code ---- */

static void find_block_class(Checker *c)
{
    char name[DESCRIPTION_MAX];
    for (Word i = CLASS_LAST_PUN + 1; i < c->image->class_count && !c->block_class; i++)
        if (c->image->classes[i].live && c->image->classes[i].spec == FORMAT_CODE) {
            inspect_class_name(c->in, heap_class_at(c->in->heap, i), name);
            if (strcmp(name, "CompiledBlock") == 0)
                c->block_class = heap_class_at(c->in->heap, i);
        }
}

static bool make_scratch(Checker *c, size_t bytes)
{
    if (bytes <= c->scratch_bytes)
        return true;
    void *bigger = c->image->host->resize(c->image->host, c->scratch, c->scratch_bytes, bytes);
    if (!bigger)
        return image_finding(c->image, 0, "no memory left to verify bytecodes");
    c->scratch = bigger;
    c->scratch_bytes = bytes;
    return true;
}

static Oop last_literal(Oop code)
{
    Word count = method_header_literals(small_integer_value(object_slot(code, 0)));
    return count ? object_slot(code, count) : NO_OOP;
}

/* A block's last literal leads to its method, possibly through enclosing blocks. */
static void check_outer(Checker *c, Oop block)
{
    Oop code = block;
    for (Word steps = 0; inspect_class_of(c->in, code) == c->block_class; steps++) {
        Oop outer = last_literal(code);
        if (!outer || !is_object(outer) || steps > 1000)
            break;
        if (!format_is_code(object_format(outer)))
            return; /* method class association or nil: also in use */
        code = outer;
    }
    if (inspect_class_of(c->in, code) == c->block_class)
        image_finding(c->image, block, "a block whose last literal does not lead to a method");
}

static void check_code(Checker *c, Oop code)
{
    VerifyView view = inspect_code_view(c->in, code);
    VerifyFacts facts;
    VerifyError error;
    c->methods++;
    if (!make_scratch(c, verify_scratch_size(view.count)))
        return;
    if (!inspect_is_quick(&view)) {
        if (!verify_code(&view, c->scratch, &facts, &error))
            image_finding(c->image, code, "bytecode %u: %s", error.pc, error.message);
        else if (facts.needs_large && !view.large_frame)
            image_warning(c->image, code, "the frame needs %u slots, but its header asks for %u",
                          facts.max_depth, SMALL_FRAME_SLOTS);
    }
    if (c->block_class && inspect_class_of(c->in, code) == c->block_class)
        check_outer(c, code);
}

/* ---- Contexts and processes ---- */

static void check_context(Checker *c, Oop context)
{
    Oop pc = object_slot(context, CONTEXT_PC), method = object_slot(context, CONTEXT_METHOD);
    if (!is_small_integer(pc) || !is_object(method) || !format_is_code(object_format(method)))
        return;
    VerifyView view = inspect_code_view(c->in, method);
    VerifyFacts facts;
    VerifyError error;
    if (!make_scratch(c, verify_scratch_size(view.count)) ||
        !verify_code(&view, c->scratch, &facts, &error))
        return;
    Word begin = bits_byte_count(method) - view.count;
    Word at = (Word)small_integer_value(pc) - begin - 1;
    if (at < view.count && facts.depths[at] == DEPTH_INSIDE)
        image_finding(c->image, context,
                      "a context whose pc %" PRIdWORD " is inside an instruction",
                      small_integer_value(pc));
}

/* The chain of senders of a suspended context ends. */
static void check_senders(Checker *c, Oop first)
{
    Oop slow = first, context = first;
    for (Word steps = 1; object_class_index(context) == CLASS_CONTEXT; steps++) {
        context = object_slot(context, CONTEXT_SENDER);
        if (!is_object(context))
            return;
        if (steps & 1)
            continue;
        slow = object_slot(slow, CONTEXT_SENDER);
        if (slow == context) {
            image_finding(c->image, first, "a context whose senders form a ring");
            return;
        }
    }
}

static void check_queues(Checker *c)
{
    Oop association = heap_special(c->in->heap, SPECIAL_SCHEDULER_ASSOCIATION);
    Oop scheduler = object_slot(association, ASSOCIATION_VALUE);
    Oop lists = object_slot(scheduler, SCHEDULER_LISTS);
    for (Word i = 0; i < object_slot_count(lists); i++) {
        Oop list = object_slot(lists, i), process = object_slot(list, LIST_FIRST);
        for (; process != c->image->start; process = object_slot(process, LINK_NEXT)) {
            Oop context = object_slot(process, PROCESS_CONTEXT);
            if (object_slot(process, PROCESS_LIST) != list)
                image_finding(c->image, process, "a process in the list of priority %" PRIuWORD
                              " that knows another list", i + 1);
            if (object_slot(process, PROCESS_PRIORITY) != small_integer_oop((SWord)i + 1))
                image_finding(c->image, process, "a process in the list of priority %" PRIuWORD
                              " with another priority", i + 1);
            if (is_object(context) && object_class_index(context) == CLASS_CONTEXT)
                check_senders(c, context);
        }
    }
    check_senders(c, object_slot(object_slot(scheduler, SCHEDULER_ACTIVE), PROCESS_CONTEXT));
}

/* ---- Symbols ---- */

static int compare_symbols(const void *a, const void *b)
{
    Oop x = *(const Oop *)a, y = *(const Oop *)b;
    Word nx = bits_byte_count(x), ny = bits_byte_count(y);
    if (nx != ny)
        return nx < ny ? -1 : 1;
    return memcmp(object_bytes(x), object_bytes(y), nx);
}

static Word collect_symbols(Checker *c, Oop *symbols)
{
    Word count = 0;
    for (Oop o = inspect_next(c->in, NO_OOP); o; o = inspect_next(c->in, o))
        if (object_class_index(o) > CLASS_LAST_PUN && format_is_bytes(object_format(o)) &&
            inspect_class_of(c->in, o) == c->in->symbol_class) {
            if (symbols)
                symbols[count] = o;
            count++;
        }
    return count;
}

static void check_symbols(Checker *c)
{
    char name[DESCRIPTION_MAX];
    const OsvmHost *host = c->image->host;
    Word count = collect_symbols(c, NULL);
    Oop *symbols = host->alloc(host, (count + 1) * sizeof *symbols);
    if (!symbols) {
        image_finding(c->image, 0, "no memory left to compare symbols");
        return;
    }
    collect_symbols(c, symbols);
    qsort(symbols, count, sizeof *symbols, compare_symbols);
    for (Word i = 1; i < count; i++)
        if (compare_symbols(&symbols[i - 1], &symbols[i]) == 0) {
            inspect_describe(c->in, symbols[i], name);
            image_finding(c->image, symbols[i], "the symbol %s exists twice", name);
        }
    host->free(host, symbols, (count + 1) * sizeof *symbols);
}

/* ---- Free lists: as saved, since the loaded ones are empty ---- */

/* The chunk at a saved address; NO_OOP if what lies there does not say that it is free. */
static Oop free_chunk_at(const Checker *c, Word saved)
{
    const Image *image = c->image;
    for (size_t i = image->segment_count; i-- > 0;) {
        const ImageSegment *s = &image->segments[i];
        if (saved < s->saved)
            continue;
        Word offset = saved - s->saved;
        if (offset % 8 || offset >= s->bytes || s->bytes - offset < 8)
            return NO_OOP;
        Oop oop = s->memory + offset;
        return object_class_index(oop) == CLASS_FREE && object_format(oop) == 0 ? oop : NO_OOP;
    }
    return NO_OOP;
}

static void check_free_list(Checker *c, Word list)
{
    Word limit = (c->image->end - c->image->start) / SMALLEST_OBJECT;
    for (Word saved = c->image->free_heads[list]; saved; limit--) {
        Oop chunk = free_chunk_at(c, saved);
        if (!chunk || limit == 0 || chunk + SMALLEST_OBJECT > c->image->end) {
            image_finding(c->image, c->image->free_lists, "the list of free chunks of %" PRIuWORD
                          " bytes leads to 0x%" PRIxWORD ", which is none", list * 8, saved);
            return;
        }
        if (object_size(chunk) != list * 8) {
            image_finding(c->image, chunk,
                          "a free chunk of %" PRIuWORD " bytes in the list of those "
                          "of %" PRIuWORD, object_size(chunk), list * 8);
            return;
        }
        saved = object_slot(chunk, 0);
    }
}

/* ---- All of it ---- */

static void check_objects(Checker *c)
{
    for (Oop o = inspect_next(c->in, NO_OOP); o; o = inspect_next(c->in, o)) {
        c->objects++;
        if (object_class_index(o) <= CLASS_LAST_PUN)
            continue;
        check_shape(c, o);
        check_immediates(c, o);
        if (format_is_code(object_format(o)))
            check_code(c, o);
        else if (object_class_index(o) == CLASS_CONTEXT && object_slot_count(o) >= CONTEXT_FIXED &&
                 object_format(o) <= FORMAT_LAST_POINTERS)
            check_context(c, o);
    }
}

static void print_verdict(const Checker *c)
{
    printf("%s: sound: %" PRIu64 " objects, %" PRIu64 " of them code", c->image->path, c->objects,
           c->methods);
    if (c->image->warnings)
        printf("; %zu warning%s", c->image->warnings, c->image->warnings == 1 ? "" : "s");
    printf("\n");
}

static void check_all(Inspector *in, bool quiet)
{
    Checker c = {.in = in, .image = &in->image};
    find_block_class(&c);
    check_header_fields(&c);
    check_objects(&c);
    check_classes(&c);
    if (in->image.findings == 0)
        check_queues(&c);
    check_symbols(&c);
    for (Word i = 2; i < FREE_LISTS; i++)
        check_free_list(&c, i);
    in->image.host->free(in->image.host, c.scratch, c.scratch_bytes);
    if (in->image.findings == 0 && !quiet)
        print_verdict(&c);
}

int core_check(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    Inspector in;
    bool usable = inspect_open(&in, setup, inspect->image, print_finding, error);
    if (usable && in.image.sound)
        check_all(&in, inspect->quiet);
    if (in.image.findings)
        setup->host->fail(error, in.image.file < 0 && in.vm ? OSVM_NO_INPUT : OSVM_BAD_DATA, "%s: %zu finding%s",
                          inspect->image, in.image.findings, in.image.findings == 1 ? "" : "s");
    int status = usable && !in.image.findings ? OSVM_OK : (int)error->status;
    inspect_close(&in);
    return status;
}
