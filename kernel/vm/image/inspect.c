#include "kernel/vm/image/inspect.h"

#include "kernel/vm/image/still.h"
#include "kernel/vm/objects.h"

/* ---- Opening ---- */

/* Class Array tells where classes keep their names, its metaclass where they keep their
 * instance. */
static void learn_classes(Inspector *in)
{
    Oop array = heap_special(in->heap, SPECIAL_CLASS_ARRAY), meta = inspect_class_of(in, array);
    in->metaclass = inspect_class_of(in, meta);
    for (Word i = CLASS_FORMAT + 1; i < object_slot_count(array) && !in->name_slot; i++)
        if (is_name_of_array(object_slot(array, i)))
            in->name_slot = i;
    for (Word i = CLASS_FORMAT + 1; i < object_slot_count(meta) && !in->this_class_slot; i++)
        if (object_slot(meta, i) == array)
            in->this_class_slot = i;
    in->symbol_class = inspect_class_of(in, heap_special(in->heap, SPECIAL_DOES_NOT_UNDERSTAND));
}

bool inspect_open(Inspector *in, const CoreSetup *setup, const char *path,
                  void (*report)(Image *image, const char *where, const char *what),
                  OsvmError *error)
{
    memset(in, 0, sizeof *in);
    in->vm = image_still_new(setup);
    if (!in->vm)
        return setup->host->fail(error, OSVM_INTERNAL, "no memory left");
    in->heap = &in->vm->heap;
    image_init(&in->image, in->vm, path);
    in->image.report = report;
    in->image.report_context = in;
    error->message[0] = 0;
    in->image.error = error->message;
    in->image.error_size = sizeof error->message;
    bool loaded = image_load(&in->image);
    if (!loaded && !in->image.sound) {
        error->status = in->image.file < 0 ? OSVM_NO_INPUT : OSVM_BAD_DATA;
        return false;
    }
    image_facts_get(&in->vm->image, &in->image.header);
    in->heap->special_objects = in->image.special_objects;
    in->heap->last_hash = (Word)in->image.header.last_hash;
    in->heap->mm->ops->adopt(in->heap->mm, in->image.end);
    learn_classes(in);
    return true;
}

void inspect_close(Inspector *in)
{
    if (in->vm)
        image_close(&in->image);
    image_still_free(in->vm);
    in->vm = NULL;
}

/* ---- Objects ---- */

Oop inspect_next(const Inspector *in, Oop object)
{
    Word end = in->image.end;
    do
        object = object ? heap_next_object(object, end) : in->image.start;
    while (object < end && object_class_index(object) == CLASS_FREE);
    return object < end ? object : NO_OOP;
}

uint64_t inspect_address(const Inspector *in, Oop oop)
{
    for (size_t i = in->image.segment_count; i-- > 0;)
        if (oop >= in->image.segments[i].memory)
            return (uint64_t)in->image.segments[i].saved + (oop - in->image.segments[i].memory);
    return oop;
}

Oop inspect_class_of(const Inspector *in, Oop oop)
{
    Word index = heap_class_index(oop);
    return index < in->image.class_count ? heap_class_at(in->heap, index) : in->image.start;
}

bool inspect_bytes(const Inspector *in, Oop oop, const uint8_t **bytes, Word *count)
{
    if (!is_object(oop) || !format_is_bytes(object_format(oop)))
        return false;
    *bytes = object_bytes(oop);
    *count = bits_byte_count(oop);
    return true;
}

static void put_text(char text[DESCRIPTION_MAX], const char *before, const uint8_t *bytes,
                     Word count, const char *after)
{
    size_t used = (size_t)snprintf(text, DESCRIPTION_MAX, "%s", before);
    bool whole = count <= 80;
    for (Word i = 0; i < (whole ? count : 80) && used < DESCRIPTION_MAX - 12; i++)
        if (bytes[i] >= ' ' && bytes[i] < 127)
            text[used++] = (char)bytes[i];
        else
            used += (size_t)snprintf(text + used, DESCRIPTION_MAX - used, "\\x%02X", bytes[i]);
    snprintf(text + used, DESCRIPTION_MAX - used, "%s%s", whole ? "" : "...", after);
}

static bool has_slot(Oop oop, Word slot)
{
    return is_object(oop) && object_format(oop) <= FORMAT_LAST_POINTERS &&
           object_slot_count(oop) > slot;
}

void inspect_class_name(const Inspector *in, Oop class, char name[DESCRIPTION_MAX])
{
    bool meta = in->this_class_slot && is_object(class) && class != in->image.start &&
                inspect_class_of(in, class) == in->metaclass && has_slot(class,
                                                                         in->this_class_slot);
    Oop named = meta ? object_slot(class, in->this_class_slot) : class;
    const uint8_t *bytes;
    Word count;
    if (in->name_slot && has_slot(named, in->name_slot) &&
        inspect_bytes(in, object_slot(named, in->name_slot), &bytes, &count))
        put_text(name, "", bytes, count, meta ? " class" : "");
    else
        snprintf(name, DESCRIPTION_MAX, "a class at 0x%" PRIx64, inspect_address(in, class));
}

static void describe_immediate(Oop oop, char text[DESCRIPTION_MAX])
{
    if (is_small_integer(oop))
        snprintf(text, DESCRIPTION_MAX, "%" PRIdWORD, small_integer_value(oop));
    else if (is_small_float(oop))
        snprintf(text, DESCRIPTION_MAX, "%.17g", small_float_value(oop));
    else if (character_code(oop) > ' ' && character_code(oop) < 127)
        snprintf(text, DESCRIPTION_MAX, "$%c", (char)character_code(oop));
    else
        snprintf(text, DESCRIPTION_MAX, "Character 0x%X", character_code(oop));
}

static bool describe_bits(const Inspector *in, Oop oop, char text[DESCRIPTION_MAX])
{
    const uint8_t *bytes;
    Word count, index = object_class_index(oop);
    if (index == CLASS_FLOAT) {
        double value;
        memcpy(&value, object_bytes(oop), sizeof value);
        snprintf(text, DESCRIPTION_MAX, "%.17g", value);
        return true;
    }
    if (!inspect_bytes(in, oop, &bytes, &count))
        return false;
    if (index == CLASS_BYTE_STRING)
        put_text(text, "'", bytes, count, "'");
    else if (inspect_class_of(in, oop) == in->symbol_class)
        put_text(text, "#", bytes, count, "");
    else
        return false;
    return true;
}

/* An Association whose key is a symbol or string: "#Name -> ..." */
static bool describe_binding(const Inspector *in, Oop oop, char text[DESCRIPTION_MAX])
{
    char value[DESCRIPTION_MAX];
    const uint8_t *bytes;
    Word count;
    if (object_format(oop) != FORMAT_FIXED || object_slot_count(oop) < 2 ||
        object_slot_count(oop) > 4 ||
        !inspect_bytes(in, object_slot(oop, ASSOCIATION_KEY), &bytes, &count))
        return false;
    Oop held = object_slot(oop, ASSOCIATION_VALUE);
    if (image_looks_like_class(&in->image, held))
        inspect_class_name(in, held, value);
    else
        snprintf(value, sizeof value, "...");
    put_text(text, "#", bytes, count, " -> ");
    size_t used = strlen(text);
    snprintf(text + used, DESCRIPTION_MAX - used, "%s", value);
    return true;
}

void inspect_describe(const Inspector *in, Oop oop, char text[DESCRIPTION_MAX])
{
    char name[DESCRIPTION_MAX];
    static const char *const constants[] = {"nil", "false", "true"};
    if (!is_object(oop)) {
        describe_immediate(oop, text);
        return;
    }
    if (oop - in->image.start < 3 * SMALLEST_OBJECT) {
        snprintf(text, DESCRIPTION_MAX, "%s", constants[(oop - in->image.start) / SMALLEST_OBJECT]);
        return;
    }
    Oop class = inspect_class_of(in, oop);
    if (describe_bits(in, oop, text) || describe_binding(in, oop, text))
        return;
    if (image_looks_like_class(&in->image, oop) && in->name_slot &&
        (inspect_class_of(in, class) == in->metaclass || class == in->metaclass))
        inspect_class_name(in, oop, text);
    else {
        inspect_class_name(in, class, name);
        snprintf(text, DESCRIPTION_MAX, "%.150s 0x%" PRIx64, name, inspect_address(in, oop));
    }
}

/* ---- Methods ---- */

void inspect_methods(Inspector *in, void (*visit)(Inspector *in, void *context, Oop class,
                                                  Oop selector, Oop method), void *context)
{
    for (Word i = 0; i < in->image.class_count; i++) {
        Oop class = heap_class_at(in->heap, i);
        if (!in->image.classes[i].live || in->image.classes[i].canonical != i)
            continue;
        Oop dict = object_slot(class, CLASS_METHOD_DICT);
        if (!has_slot(dict, METHOD_DICT_SELECTORS))
            continue;
        Oop methods = object_slot(dict, METHOD_DICT_METHODS);
        for (Word s = METHOD_DICT_SELECTORS; s < object_slot_count(dict); s++) {
            Oop selector = object_slot(dict, s);
            if (selector != in->image.start && has_slot(methods, s - METHOD_DICT_SELECTORS))
                visit(in, context, class, selector,
                      object_slot(methods, s - METHOD_DICT_SELECTORS));
        }
    }
}

static VerifyLiteral verify_literal(const void *owner, size_t index)
{
    /* The object's bytes are the owner: literals are the slots behind the header. */
    const Word *slots = owner;
    Oop literal = slots[1 + index];
    VerifyLiteral answer = {false, false, 0, 0};
    if (!is_object(literal))
        return answer;
    answer.has_value = has_slot(literal, ASSOCIATION_VALUE);
    if (format_is_code(object_format(literal))) {
        SWord header = small_integer_value(object_slot(literal, 0));
        answer.is_code = true;
        answer.arg_count = (uint8_t)method_header_args(header);
        answer.temp_count = (uint8_t)method_header_temps(header);
    }
    return answer;
}

VerifyView inspect_code_view(const Inspector *in, Oop code)
{
    SWord header = small_integer_value(object_slot(code, 0));
    Word begin = (1 + method_header_literals(header)) * WORD_BYTES;
    return (VerifyView){
        .set = method_header_is_sista(header) ? SET_SISTA : SET_V3,
        .bytes = object_bytes(code) + begin,
        .count = bits_byte_count(code) - begin,
        .arg_count = method_header_args(header),
        .temp_count = method_header_temps(header),
        .literal_count = method_header_literals(header),
        .large_frame = method_header_large_frame(header),
        .trust_depth = true,
        .has_primitive = method_header_has_primitive(header),
        .small_integer_bits = WORD_BITS == 64 ? 61 : 31,
        .literal = verify_literal,
        .owner = object_slots(code),
    };
}

bool inspect_is_quick(const VerifyView *view)
{
    unsigned number = view->has_primitive ? view->bytes[1] + 256u * view->bytes[2] : 0;
    return number >= QUICK_FIRST && number <= QUICK_LAST;
}
