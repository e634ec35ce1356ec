#include "describe.h"

#include <stdarg.h>
#include <string.h>

#include "kernel/bytecode/trailer.h"

/* What an Array that stands for a literal begins with. Other literals stand for themselves. */
enum {
    FORM_ARRAY,
    FORM_SYMBOL,
    FORM_VARIABLE,
    FORM_METHOD_CLASS,
    FORM_CODE,
    FORM_OUTER_CODE,
    FORM_METHOD_STATE,
    FORM_PRAGMA,
    FORM_SCALED,
    FORM_FRACTION,
    FORM_FUNCTION,
};

static OsvmValue checked(Describer *d, OsvmValue value)
{
    d->failed |= osvm_is_none(value);
    return osvm_is_none(value) ? d->vm->nil(d->call) : value;
}

static OsvmValue number(Describer *d, int64_t value)
{
    return checked(d, d->vm->from_int64(d->call, value));
}

static OsvmValue array_new(Describer *d, size_t count)
{
    return checked(d, d->vm->new_array(d->call, count));
}

static void array_put(Describer *d, OsvmValue array, size_t index, OsvmValue value)
{
    if (!d->failed)
        d->vm->put_slot(d->call, array, index, value);
}

OsvmValue describe_array(Describer *d, size_t count, ...)
{
    va_list values;
    OsvmValue array = array_new(d, count);
    va_start(values, count);
    for (size_t i = 0; i < count; i++)
        array_put(d, array, i, va_arg(values, OsvmValue));
    va_end(values);
    return array;
}

/* --- Texts --- */

static OsvmValue wide_text(Describer *d, const uint32_t *codes, size_t count)
{
    OsvmElements elements;
    OsvmValue string = checked(d, d->vm->new_instance(d->call, d->wide_string, count));
    if (d->failed || !d->vm->elements(d->call, string, &elements) || elements.element_size != 4) {
        d->failed = true;
        return string;
    }
    memcpy(elements.data, codes, count * sizeof *codes);
    return string;
}

OsvmValue describe_text(Describer *d, const char *bytes, size_t count)
{
    uint32_t *codes = arena_alloc(d->arena, (count + 1) * sizeof *codes), all = 0;
    size_t length = 0;
    for (size_t i = 0; i < count; length++) {
        i += utf8_decode(bytes + i, count - i, &codes[length]);
        all |= codes[length];
    }
    if (all > 255)
        return wide_text(d, codes, length);
    char *narrow = arena_alloc(d->arena, length + 1);
    for (size_t i = 0; i < length; i++)
        narrow[i] = (char)codes[i];
    return checked(d, d->vm->from_string(d->call, narrow, length));
}

static OsvmValue name(Describer *d, const char *text)
{
    return text ? describe_text(d, text, strlen(text)) : d->vm->nil(d->call);
}

static OsvmValue byte_array(Describer *d, const uint8_t *head, size_t head_count,
                            const uint8_t *tail, size_t tail_count)
{
    OsvmElements elements;
    OsvmValue array = checked(d, d->vm->new_byte_array(d->call, head_count + tail_count));
    if (d->failed || !d->vm->elements(d->call, array, &elements)) {
        d->failed = true;
        return array;
    }
    if (head_count)
        memcpy(elements.data, head, head_count);
    if (tail_count)
        memcpy((uint8_t *)elements.data + head_count, tail, tail_count);
    return array;
}

/* --- Literals --- */

static OsvmValue describe_literal(Describer *d, const Literal *literal);

/* {form. [name.] elements...} */
static OsvmValue describe_elements(Describer *d, int form, const Literal *literal)
{
    size_t first = literal->name ? 2 : 1;
    OsvmValue array = array_new(d, first + literal->element_count);
    array_put(d, array, 0, number(d, form));
    if (literal->name)
        array_put(d, array, 1, name(d, literal->name));
    for (size_t i = 0; i < literal->element_count; i++)
        array_put(d, array, first + i, describe_literal(d, literal->elements[i]));
    return array;
}

static OsvmValue describe_scaled(Describer *d, const Literal *literal)
{
    return describe_array(d, 4, number(d, FORM_SCALED), describe_literal(d, literal->elements[0]),
                          describe_literal(d, literal->elements[1]), number(d, literal->scale));
}

static OsvmValue describe_literal(Describer *d, const Literal *literal)
{
    const OsvmPrimApi *vm = d->vm;
    OsvmCall *call = d->call;
    switch (literal->kind) {
    case LITERAL_NIL: return vm->nil(call);
    case LITERAL_TRUE: return vm->from_boolean(call, true);
    case LITERAL_FALSE: return vm->from_boolean(call, false);
    case LITERAL_INTEGER:
        return checked(d, vm->from_magnitude(call, literal->bytes, literal->byte_count,
                                             literal->negative));
    case LITERAL_FLOAT: return checked(d, vm->from_real(call, literal->real));
    case LITERAL_SCALED: return describe_scaled(d, literal);
    case LITERAL_FRACTION: return describe_elements(d, FORM_FRACTION, literal);
    case LITERAL_CHARACTER: return checked(d, vm->from_character(call, literal->code));
    case LITERAL_STRING:
        return describe_text(d, (const char *)literal->bytes, literal->byte_count);
    case LITERAL_BYTE_ARRAY: return byte_array(d, literal->bytes, literal->byte_count, NULL, 0);
    case LITERAL_SYMBOL:
        return describe_array(d, 2, number(d, FORM_SYMBOL),
                              describe_text(d, (const char *)literal->bytes, literal->byte_count));
    case LITERAL_VARIABLE:
        return describe_array(d, 2, number(d, FORM_VARIABLE), name(d, literal->name));
    case LITERAL_ARRAY: return describe_elements(d, FORM_ARRAY, literal);
    case LITERAL_METHOD_STATE: return describe_elements(d, FORM_METHOD_STATE, literal);
    case LITERAL_PRAGMA: return describe_elements(d, FORM_PRAGMA, literal);
    case LITERAL_FUNCTION: return describe_elements(d, FORM_FUNCTION, literal);
    case LITERAL_METHOD_CLASS: return describe_array(d, 1, number(d, FORM_METHOD_CLASS));
    case LITERAL_OUTER_CODE: return describe_array(d, 1, number(d, FORM_OUTER_CODE));
    case LITERAL_CODE:
        return describe_array(d, 2, number(d, FORM_CODE), describe_code(d, literal->code_block));
    }
    return vm->nil(call);
}

/* --- Code --- */

/* Counts characters, from 1, as the image does. */
static OsvmValue position(Describer *d, const SourceText *source, size_t offset)
{
    int64_t count = 1;
    uint32_t code;
    for (size_t i = 0; i < offset && i < source->length; count++)
        i += utf8_decode(source->text + i, source->length - i, &code);
    return number(d, count);
}

static OsvmValue describe_names(Describer *d, const char *const *names, size_t count)
{
    OsvmValue array = array_new(d, count);
    for (size_t i = 0; i < count; i++)
        array_put(d, array, i, name(d, names[i]));
    return array;
}

static OsvmValue describe_literals(Describer *d, const CompiledCode *code)
{
    OsvmValue array = array_new(d, code->literal_count);
    for (size_t i = 0; i < code->literal_count; i++)
        array_put(d, array, i, describe_literal(d, code->literals[i]));
    return array;
}

/* pc, start, stop, pc, start, stop ...: where messages are in the source. */
static OsvmValue describe_places(Describer *d, const CompiledCode *code)
{
    OsvmValue array = array_new(d, 3 * code->place_count);
    for (size_t i = 0; i < code->place_count; i++) {
        const CodePlace *place = &code->places[i];
        array_put(d, array, 3 * i, number(d, place->pc));
        array_put(d, array, 3 * i + 1, position(d, d->source, place->start));
        array_put(d, array, 3 * i + 2, position(d, d->source, place->end));
    }
    return array;
}

OsvmValue describe_code(Describer *d, const CompiledCode *code)
{
    size_t trailer_count;
    if (!code)
        return d->vm->nil(d->call);
    const uint8_t *trailer =
        trailer_of_source(d->arena, code->is_block ? NULL : code->source, &trailer_count);
    return describe_array(
        d, 7, name(d, code->selector), number(d, code_header_fields(code)),
        d->vm->from_boolean(d->call, code->set == SET_SISTA), describe_literals(d, code),
        byte_array(d, code->bytecodes, code->bytecode_count, trailer, trailer_count),
        describe_names(d, code->temp_names, code->temp_count), describe_places(d, code));
}

/* --- What is wrong, and what is wanted --- */

static OsvmValue describe_diagnostic(Describer *d, const Diagnostic *diagnostic)
{
    Place place = source_place(diagnostic->source, diagnostic->start);
    return describe_array(
        d, 7, d->vm->from_boolean(d->call, diagnostic->severity == SEVERITY_ERROR),
        name(d, diagnostic->message), position(d, diagnostic->source, diagnostic->start),
        position(d, diagnostic->source, diagnostic->end), number(d, place.line),
        number(d, place.column), name(d, diagnostic->expected));
}

OsvmValue describe_diagnostics(Describer *d, const Diagnostics *diagnostics)
{
    OsvmValue array = array_new(d, diagnostics->error_count + diagnostics->warning_count);
    size_t count = 0;
    for (const Diagnostic *each = diagnostics->first; each; each = each->next)
        array_put(d, array, count++, describe_diagnostic(d, each));
    return array;
}

OsvmValue describe_bindings(Describer *d, const Method *method)
{
    OsvmValue array = array_new(d, method->bindings.count);
    for (size_t i = 0; i < method->bindings.count; i++) {
        const Variable *each = method->bindings.items[i];
        Place place = source_place(method->source, each->start);
        array_put(d, array, i,
                  describe_array(d, 6, name(d, each->name),
                                 position(d, method->source, each->start),
                                 position(d, method->source, each->end), number(d, place.line),
                                 number(d, place.column),
                                 d->vm->from_boolean(d->call, each->is_written)));
    }
    return array;
}
