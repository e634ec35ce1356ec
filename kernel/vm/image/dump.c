/* `osvm dump IMAGE`: methods with bytecodes and literals by name, class
 * definitions, objects on request.
 *
 * A selection is a class ("Array", "Array class"), a method ("Array>>do:"), or
 * the address of an object as it is in the file ("0x3204000").
 */
#include "kernel/vm/image/inspect.h"

typedef struct {
    Inspector *in;
    const char *selection;
    uint64_t printed;
    Oop last_class;
} Dumper;

/* ---- Code ---- */

static void put_literal(Inspector *in, Oop code, uint32_t index)
{
    char text[DESCRIPTION_MAX];
    Word count = method_header_literals(small_integer_value(object_slot(code, 0)));
    if (index >= count) {
        printf(" literal %u (there are %" PRIuWORD ")", index, count);
        return;
    }
    inspect_describe(in, object_slot(code, 1 + index), text);
    printf(" %s", text);
}

static bool has_literal(Operation op)
{
    switch (op) {
    case OP_PUSH_LITERAL:
    case OP_PUSH_LITERAL_VARIABLE:
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE:
    case OP_SEND:
    case OP_SEND_SUPER:
    case OP_SEND_DIRECTED_SUPER:
    case OP_PUSH_FULL_CLOSURE:
        return true;
    default:
        return false;
    }
}

static void put_operands(Inspector *in, Oop code, const Instruction *i)
{
    OperationKind kind = instruction_kind(i);
    if (i->op == OP_SEND_SPECIAL)
        printf(" #%s", i->index < SPECIAL_SELECTOR_COUNT ? special_selectors[i->index].name : "?");
    else if (has_literal(i->op))
        put_literal(in, code, i->index);
    else if (i->op == OP_PUSH_INTEGER)
        printf(" %d", i->value);
    else if (kind == KIND_JUMP || kind == KIND_CONDITIONAL_JUMP)
        printf(" %" PRId64, i->target);
    else if (i->op == OP_PUSH_CLOSURE)
        printf(" to %" PRId64, i->target);
    else if (i->index || kind == KIND_PUSH || kind == KIND_STORE || kind == KIND_POP_STORE)
        printf(" %u", i->index);
    if (i->op == OP_PUSH_REMOTE_TEMP || i->op == OP_STORE_REMOTE_TEMP ||
        i->op == OP_POP_INTO_REMOTE_TEMP)
        printf(" in %u", i->temp);
    if (i->count)
        printf(" (%d)", i->count);
    if (i->copied)
        printf(" copied %u", i->copied);
}

/* Instructions, as far as they can be reached; the rest is the trailer. */
static void put_bytecodes(Inspector *in, Oop code, const VerifyView *view, const uint8_t *depths)
{
    for (size_t pc = 0; pc < view->count;) {
        Instruction i;
        if (depths && depths[pc] == DEPTH_UNREACHED) {
            size_t end = pc;
            while (end < view->count && depths[end] == DEPTH_UNREACHED)
                end++;
            printf("    %5zu  %zu bytes that are not reached\n", pc, end - pc);
            pc = end;
            continue;
        }
        bool complete = bytecode_decode(view->set, view->bytes, view->count, pc, &i);
        printf("    %5zu  ", pc);
        for (size_t b = pc; b < pc + 5; b++)
            if (b < i.next)
                printf("%02X ", view->bytes[b]);
            else
                printf("   ");
        printf("%s", complete ? operation_infos[i.op].name : "(cut off)");
        if (complete)
            put_operands(in, code, &i);
        putchar('\n');
        pc = i.next;
    }
}

static void put_code(Inspector *in, Oop code)
{
    char text[DESCRIPTION_MAX];
    const OsvmHost *host = in->image.host;
    VerifyView view = inspect_code_view(in, code);
    VerifyFacts facts;
    VerifyError error;
    size_t bytes = verify_scratch_size(view.count);
    void *scratch = host->alloc(host, bytes);
    bool sound = scratch && verify_code(&view, scratch, &facts, &error);
    printf("    %s, %u arguments, %u temporaries%s, at 0x%" PRIx64 "\n",
           view.set == SET_SISTA ? "Sista V1" : "V3", view.arg_count, view.temp_count,
           view.large_frame ? ", large frame" : "", inspect_address(in, code));
    for (size_t i = 0; i < view.literal_count; i++) {
        inspect_describe(in, object_slot(code, 1 + (Word)i), text);
        printf("    literal %zu  %s\n", i, text);
    }
    if (inspect_is_quick(&view)) {
        view.count = 3;
        sound = false;
    } else if (scratch && !sound)
        printf("    NOT VALID: bytecode %u: %s\n", error.pc, error.message);
    put_bytecodes(in, code, &view, sound ? facts.depths : NULL);
    host->free(host, scratch, scratch ? bytes : 0);
}

/* Blocks of full closures stand behind their method. */
static void put_blocks(Inspector *in, Oop code, unsigned depth)
{
    Word count = method_header_literals(small_integer_value(object_slot(code, 0)));
    for (Word i = 1; i < count; i++) { /* the last literal leads outwards */
        Oop literal = object_slot(code, i);
        if (!is_object(literal) || !format_is_code(object_format(literal)) || depth > 20)
            continue;
        printf("  block, literal %" PRIuWORD "\n", i - 1);
        put_code(in, literal);
        put_blocks(in, literal, depth + 1);
    }
}

/* ---- Classes ---- */

static void put_class(Inspector *in, Oop class)
{
    static const char *const kinds[32] = {
        [0] = "no variables", [1] = "variables", [2] = "indexed", [3] = "variables and indexed",
        [4] = "weak", [5] = "ephemeron", [7] = "immediate", [9] = "64-bit words",
        [10] = "32-bit words", [12] = "16-bit words", [16] = "bytes", [24] = "code"};
    char name[DESCRIPTION_MAX], super[DESCRIPTION_MAX];
    SWord format = small_integer_value(object_slot(class, CLASS_FORMAT));
    unsigned spec = class_format_instance_spec(format);
    inspect_class_name(in, class, name);
    inspect_describe(in, object_slot(class, CLASS_SUPERCLASS), super);
    printf("class %s, superclass %s, %" PRIuWORD " variables, %s, index %u\n", name, super,
           class_format_fixed_fields(format), kinds[spec] ? kinds[spec] : "unknown format",
           header_hash(header_of(class)));
}

static bool is_selected(const Dumper *d, Oop class, Oop selector)
{
    char name[DESCRIPTION_MAX];
    const uint8_t *bytes;
    Word count;
    if (!d->selection)
        return true;
    inspect_class_name(d->in, class, name);
    size_t length = strlen(name);
    if (strncmp(d->selection, name, length))
        return false;
    const char *rest = d->selection + length;
    if (!*rest)
        return true;
    return strncmp(rest, ">>", 2) == 0 && inspect_bytes(d->in, selector, &bytes, &count) &&
           strlen(rest + 2) == count && memcmp(rest + 2, bytes, count) == 0;
}

static void dump_method(Inspector *in, void *context, Oop class, Oop selector, Oop method)
{
    Dumper *d = context;
    char name[DESCRIPTION_MAX], text[DESCRIPTION_MAX];
    if (!is_selected(d, class, selector))
        return;
    if (d->last_class != class)
        put_class(in, class);
    d->last_class = class;
    d->printed++;
    inspect_class_name(in, class, name);
    inspect_describe(in, selector, text);
    printf("\n%s>>%s\n", name, text);
    if (is_object(method) && format_is_code(object_format(method))) {
        put_code(in, method);
        put_blocks(in, method, 0);
    } else {
        inspect_describe(in, method, text);
        printf("    no method but %s\n", text);
    }
}

/* ---- Objects ---- */

static void put_bits(Oop object)
{
    const uint8_t *bytes = object_bytes(object);
    Word count = bits_byte_count(object);
    for (Word i = 0; i < count; i++) {
        if (i % 16 == 0)
            printf("%s    %6" PRIuWORD " ", i ? "\n" : "", i);
        printf(" %02X", bytes[i]);
    }
    if (count)
        putchar('\n');
}

static void put_object(Inspector *in, Oop object)
{
    char text[DESCRIPTION_MAX], class[DESCRIPTION_MAX];
    Word first, end;
    inspect_class_name(in, inspect_class_of(in, object), class);
    inspect_describe(in, object, text);
    printf("0x%" PRIx64 "  %s  (%s, format %u, %" PRIuWORD " slots, hash %u%s%s, byte %"
           PRIu64 ")\n",
           inspect_address(in, object), text, class, object_format(object),
           object_slot_count(object), header_hash(header_of(object)),
           header_is_pinned(header_of(object)) ? ", pinned" : "",
           header_is_immutable(header_of(object)) ? ", read-only" : "",
           image_file_offset(&in->image, object));
    if (format_is_code(object_format(object))) {
        put_code(in, object);
        return;
    }
    heap_pointer_slots(in->heap, object, &first, &end);
    if (format_is_bits(object_format(object)))
        put_bits(object);
    for (Word i = first; i < end; i++) {
        inspect_describe(in, object_slot(object, i), text);
        printf("    %6" PRIuWORD "  %s\n", i, text);
    }
}

static void dump_objects(Dumper *d)
{
    char name[DESCRIPTION_MAX];
    for (Oop o = inspect_next(d->in, NO_OOP); o; o = inspect_next(d->in, o)) {
        if (object_class_index(o) <= CLASS_LAST_PUN)
            continue;
        inspect_class_name(d->in, inspect_class_of(d->in, o), name);
        if (d->selection && strcmp(d->selection, name))
            continue;
        put_object(d->in, o);
        d->printed++;
    }
}

static void dump_address(Dumper *d, uint64_t address)
{
    for (Oop o = inspect_next(d->in, NO_OOP); o; o = inspect_next(d->in, o))
        if (inspect_address(d->in, o) == address && object_class_index(o) > CLASS_LAST_PUN) {
            put_object(d->in, o);
            d->printed++;
            return;
        }
}

static int dump(Dumper *d, const CoreInspect *inspect, OsvmError *error)
{
    if (inspect->selection && strncmp(inspect->selection, "0x", 2) == 0)
        dump_address(d, strtoull(inspect->selection, NULL, 16));
    else if (inspect->objects)
        dump_objects(d);
    else
        inspect_methods(d->in, dump_method, d);
    if (d->printed == 0 && inspect->selection) {
        d->in->image.host->fail(error, OSVM_USAGE, "%s has no class, method or object %s",
                                inspect->image, inspect->selection);
        return OSVM_USAGE;
    }
    return OSVM_OK;
}

int core_dump(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    Inspector in;
    int status;
    if (inspect_open(&in, setup, inspect->image, NULL, error)) {
        Dumper d = {.in = &in, .selection = inspect->selection};
        status = dump(&d, inspect, error);
    } else
        status = (int)error->status;
    inspect_close(&in);
    return status;
}
