/* Primitives that read and write the parts of objects: at:, at:put:, size,
 * instVarAt:, literals, raw integers of a given width, bulk copies. */
#include <math.h>

#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

static bool is_context(Oop object)
{
    return object_class_index(object) == CLASS_CONTEXT;
}

/* Bytes of header and literals: where the bytecodes of compiled code begin. */
static Word code_literal_bytes(Vm *vm, Oop code)
{
    return (1 + method_literal_count(&vm->heap, code)) * WORD_BYTES;
}

/* A 1-based index within 1 .. size, made 0-based. */
static PrimFailure index_value(Oop oop, Word size, Word *index)
{
    if (!is_small_integer(oop))
        return PRIM_BAD_ARGUMENT;
    SWord value = small_integer_value(oop);
    if (value < 1 || (Word)value > size)
        return PRIM_BAD_INDEX;
    *index = (Word)value - 1;
    return PRIM_OK;
}

/* ---- Elements of bits objects, by element width ---- */

static uint64_t bits_get(Oop object, unsigned shift, Word index)
{
    uint64_t value = 0;
    memcpy(&value, object_bytes(object) + (index << shift), (size_t)1 << shift);
    return value;
}

static void bits_put(Oop object, unsigned shift, Word index, uint64_t value)
{
    memcpy(object_bytes(object) + (index << shift), &value, (size_t)1 << shift);
}

static bool fits_unsigned(uint64_t value, unsigned shift)
{
    return shift == 3 || value >> (8 << shift) == 0;
}

static bool fits_signed(int64_t value, unsigned shift)
{
    unsigned unused = 64 - (8u << shift);
    return shift == 3 || (int64_t)((uint64_t)value << unused) >> unused == value;
}

/* ---- Slots: named fields, then indexed ones ---- */

static PrimFailure field_put(Vm *vm, Oop object, Word index, Oop value)
{
    if (is_context(object))
        return context_field_put(vm, object, index, value) ? PRIM_OK : PRIM_BAD_ARGUMENT;
    heap_store(&vm->heap, object, index, value);
    return PRIM_OK;
}

static Oop field_get(Vm *vm, Oop object, Word index)
{
    return is_context(object) ? context_field(vm, object, index) : object_slot(object, index);
}

static PrimFailure answer_slot(Vm *vm, unsigned arg_count, Oop object, Word index)
{
    unsigned format = object_format(object);
    if (is_context(object) && index >= CONTEXT_FIXED)
        return vm_return(vm, arg_count, context_stack_at(vm, object, index - CONTEXT_FIXED));
    if (format_is_pointers(format))
        return vm_return(vm, arg_count, field_get(vm, object, index));
    Oop value = vm_unsigned_oop(vm, bits_get(object, vm_element_shift(format), index));
    return value ? vm_return(vm, arg_count, value) : PRIM_NO_MEMORY;
}

/* Is `value` a number that an element of this object of bits can have? */
static bool fits_element(Vm *vm, Oop object, Oop value)
{
    uint64_t number;
    return vm_uint64_value(vm, value, &number) &&
           fits_unsigned(number, vm_element_shift(object_format(object)));
}

/* The value fits, and the object is not read-only. */
static PrimFailure put_slot(Vm *vm, unsigned arg_count, Oop object, Word index)
{
    Oop value = vm_stack(vm, 0);
    unsigned format = object_format(object);
    PrimFailure failure = PRIM_OK;
    if (is_context(object) && index >= CONTEXT_FIXED)
        context_stack_at_put(vm, object, index - CONTEXT_FIXED, value);
    else if (format_is_pointers(format))
        failure = field_put(vm, object, index, value);
    else {
        uint64_t number = 0;
        vm_uint64_value(vm, value, &number);
        bits_put(object, vm_element_shift(format), index, number);
        if (format_is_code(format))
            code_changed(vm, object);
    }
    return failure ? failure : vm_return(vm, arg_count, value);
}

/* ---- at: and at:put: ---- */

/* Checks what every indexed access checks; *index is 0-based among all slots. */
static PrimFailure element_index(Vm *vm, Oop object, Oop index_oop, bool writes, Word *index)
{
    Word size;
    if (is_immediate(object))
        return PRIM_INAPPROPRIATE;
    if (!is_small_integer(index_oop))
        return PRIM_BAD_ARGUMENT;
    if (writes && is_read_only(object))
        return PRIM_NO_MODIFICATION;
    if (!vm_indexable_size(vm, object, &size))
        return PRIM_BAD_RECEIVER;
    PrimFailure failure = index_value(index_oop, size, index);
    if (failure)
        return failure;
    unsigned format = object_format(object);
    if (format_is_pointers(format))
        *index += vm_fixed_fields(vm, object);
    else if (format_is_code(format) && *index < code_literal_bytes(vm, object))
        return PRIM_BAD_INDEX;
    return PRIM_OK;
}

PrimFailure prim_at(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1);
    Word index;
    PrimFailure failure = element_index(vm, object, vm_stack(vm, 0), false, &index);
    return failure ? failure : answer_slot(vm, arg_count, object, index);
}

PrimFailure prim_at_put(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 2);
    Word index;
    PrimFailure failure = element_index(vm, object, vm_stack(vm, 1), true, &index);
    if (failure)
        return failure;
    unsigned format = object_format(object);
    if (!format_is_pointers(format) && !fits_element(vm, object, vm_stack(vm, 0)))
        return vm_element_shift(format) >= 2 ? PRIM_FAILED : PRIM_BAD_ARGUMENT;
    return put_slot(vm, arg_count, object, index);
}

PrimFailure prim_size(Vm *vm, unsigned arg_count)
{
    Word size;
    if (!vm_indexable_size(vm, vm_stack(vm, 0), &size))
        return PRIM_BAD_RECEIVER;
    Oop answer = vm_unsigned_oop(vm, size);
    return answer ? vm_return(vm, arg_count, answer) : PRIM_NO_MEMORY;
}

PrimFailure prim_string_at(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1);
    Word index;
    PrimFailure failure = element_index(vm, object, vm_stack(vm, 0), false, &index);
    if (failure)
        return failure;
    unsigned format = object_format(object);
    if (!format_is_bits(format))
        return PRIM_BAD_RECEIVER;
    uint64_t code = bits_get(object, vm_element_shift(format), index);
    if (code > CHARACTER_MAX)
        return PRIM_BAD_RECEIVER;
    return vm_return(vm, arg_count, character_oop((uint32_t)code));
}

PrimFailure prim_string_at_put(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 2), value = vm_stack(vm, 0);
    Word index;
    PrimFailure failure = element_index(vm, object, vm_stack(vm, 1), true, &index);
    if (failure)
        return failure;
    unsigned format = object_format(object), shift = vm_element_shift(format);
    if (!format_is_bits(format))
        return PRIM_BAD_RECEIVER;
    if (!is_character(value) || !fits_unsigned(character_code(value), shift))
        return PRIM_BAD_ARGUMENT;
    bits_put(object, shift, index, character_code(value));
    return vm_return(vm, arg_count, value);
}

/* ---- Header and literals of compiled code ---- */

PrimFailure prim_object_at(Vm *vm, unsigned arg_count)
{
    Oop code = vm_stack(vm, 1);
    Word index;
    if (is_immediate(code) || !format_is_code(object_format(code)))
        return PRIM_BAD_RECEIVER;
    PrimFailure failure =
        index_value(vm_stack(vm, 0), 1 + method_literal_count(&vm->heap, code), &index);
    if (failure)
        return failure;
    return vm_return(vm, arg_count,
                     index == 0 ? small_integer_oop(method_header(&vm->heap, code))
                                : object_slot(code, index));
}

PrimFailure prim_object_at_put(Vm *vm, unsigned arg_count)
{
    Oop code = vm_stack(vm, 2), value = vm_stack(vm, 0);
    Word index;
    if (is_immediate(code) || !format_is_code(object_format(code)))
        return PRIM_BAD_RECEIVER;
    PrimFailure failure =
        index_value(vm_stack(vm, 1), 1 + method_literal_count(&vm->heap, code), &index);
    if (failure)
        return failure;
    if (index == 0) {
        if (!is_small_integer(value))
            return PRIM_BAD_ARGUMENT;
        Word literals = method_header_literals(small_integer_value(value));
        if ((1 + literals) * WORD_BYTES > bits_byte_count(code))
            return PRIM_BAD_ARGUMENT;
    }
    if (is_read_only(code))
        return PRIM_NO_MODIFICATION;
    if (index == 0) /* literals appear or vanish: what was bytes must not be traced */
        code_put_header(vm, code, value);
    else
        heap_store(&vm->heap, code, index, value);
    code_changed(vm, code);
    return vm_return(vm, arg_count, value);
}

/* ---- Fixed fields and raw slots ---- */

PrimFailure prim_inst_var_at(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1);
    Word index;
    if (!is_small_integer(vm_stack(vm, 0)))
        return PRIM_BAD_ARGUMENT;
    if (is_immediate(object))
        return PRIM_INAPPROPRIATE;
    PrimFailure failure = index_value(vm_stack(vm, 0), vm_fixed_fields(vm, object), &index);
    return failure ? failure : vm_return(vm, arg_count, field_get(vm, object, index));
}

PrimFailure prim_inst_var_at_put(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 2), value = vm_stack(vm, 0);
    Word index;
    if (!is_small_integer(vm_stack(vm, 1)))
        return PRIM_BAD_ARGUMENT;
    if (is_immediate(object))
        return PRIM_BAD_RECEIVER;
    if (is_read_only(object))
        return PRIM_NO_MODIFICATION;
    PrimFailure failure = index_value(vm_stack(vm, 1), vm_fixed_fields(vm, object), &index);
    if (!failure)
        failure = field_put(vm, object, index, value);
    return failure ? failure : vm_return(vm, arg_count, value);
}

/* Named fields, then indexed ones; the whole of a context. */
static PrimFailure slot_index(Vm *vm, Oop object, Oop index_oop, Word *index)
{
    if (!is_small_integer(index_oop))
        return PRIM_BAD_ARGUMENT;
    if (is_immediate(object))
        return PRIM_BAD_RECEIVER;
    unsigned format = object_format(object);
    if (format_is_code(format))
        return PRIM_UNSUPPORTED;
    if (!format_is_pointers(format) && format < FORMAT_WORDS64)
        return PRIM_BAD_RECEIVER;
    Word size = is_context(object)          ? CONTEXT_FIXED + context_size(vm, object)
                : format_is_pointers(format) ? object_slot_count(object)
                                             : bits_byte_count(object) >> vm_element_shift(format);
    return index_value(index_oop, size, index);
}

PrimFailure prim_slot_at(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1);
    Word index;
    PrimFailure failure = slot_index(vm, object, vm_stack(vm, 0), &index);
    return failure ? failure : answer_slot(vm, arg_count, object, index);
}

PrimFailure prim_slot_at_put(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 2), value = vm_stack(vm, 0);
    Word index;
    uint64_t number;
    PrimFailure failure = slot_index(vm, object, vm_stack(vm, 1), &index);
    if (failure == PRIM_BAD_RECEIVER || failure == PRIM_BAD_ARGUMENT)
        return failure;
    if (is_read_only(object))
        return PRIM_NO_MODIFICATION;
    if (!format_is_pointers(object_format(object)) &&
        !(failure == PRIM_UNSUPPORTED ? vm_uint64_value(vm, value, &number)
                                      : fits_element(vm, object, value)))
        return PRIM_BAD_ARGUMENT;
    return failure ? failure : put_slot(vm, arg_count, object, index);
}

/* ---- Signed and floating elements of bits objects ---- */

static PrimFailure bits_index(Oop object, Oop index_oop, unsigned shift, Word *index)
{
    if (!is_small_integer(index_oop))
        return PRIM_BAD_ARGUMENT;
    if (is_immediate(object) || !format_is_bits(object_format(object)))
        return PRIM_INAPPROPRIATE;
    return index_value(index_oop, bits_byte_count(object) >> shift, index);
}

PrimFailure prim_short_at(Vm *vm, unsigned arg_count)
{
    Word index;
    PrimFailure failure = bits_index(vm_stack(vm, 1), vm_stack(vm, 0), 1, &index);
    if (failure)
        return failure;
    int16_t value = (int16_t)bits_get(vm_stack(vm, 1), 1, index);
    return vm_return(vm, arg_count, small_integer_oop(value));
}

PrimFailure prim_short_at_put(Vm *vm, unsigned arg_count)
{
    Word index;
    Oop object = vm_stack(vm, 2), value = vm_stack(vm, 0);
    if (!is_small_integer(value) || !fits_signed(small_integer_value(value), 1))
        return PRIM_BAD_ARGUMENT;
    PrimFailure failure = bits_index(object, vm_stack(vm, 1), 1, &index);
    if (is_object(object) && is_read_only(object) && (!failure || failure == PRIM_BAD_INDEX))
        return PRIM_NO_MODIFICATION;
    if (failure)
        return failure;
    bits_put(object, 1, index, (uint64_t)small_integer_value(value));
    return vm_return(vm, arg_count, value);
}

/* Elements of the object's own width, signed. */
static PrimFailure integer_index(Oop object, Oop index_oop, Word *index)
{
    if (!is_small_integer(index_oop))
        return PRIM_BAD_ARGUMENT;
    if (is_immediate(object) || object_format(object) < FORMAT_WORDS64)
        return PRIM_BAD_RECEIVER;
    if (format_is_code(object_format(object)))
        return PRIM_UNSUPPORTED;
    return index_value(index_oop, bits_byte_count(object) >> vm_element_shift(object_format(object)),
                       index);
}

PrimFailure prim_integer_at(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1);
    Word index;
    PrimFailure failure = integer_index(object, vm_stack(vm, 0), &index);
    if (failure)
        return failure;
    unsigned shift = vm_element_shift(object_format(object)), unused = 64 - (8u << shift);
    int64_t value = (int64_t)(bits_get(object, shift, index) << unused) >> unused;
    Oop oop = vm_integer_oop(vm, value);
    return oop ? vm_return(vm, arg_count, oop) : PRIM_NO_MEMORY;
}

PrimFailure prim_integer_at_put(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 2), value = vm_stack(vm, 0);
    Word index;
    int64_t number;
    if (!vm_int64_value(vm, value, &number) || !is_small_integer(vm_stack(vm, 1)))
        return PRIM_BAD_ARGUMENT;
    if (is_object(object) && is_read_only(object))
        return PRIM_NO_MODIFICATION;
    PrimFailure failure = integer_index(object, vm_stack(vm, 1), &index);
    if (failure && failure != PRIM_BAD_INDEX)
        return failure;
    unsigned shift = vm_element_shift(object_format(object));
    if (!fits_signed(number, shift))
        return PRIM_BAD_ARGUMENT;
    if (failure)
        return failure;
    bits_put(object, shift, index, (uint64_t)number);
    return vm_return(vm, arg_count, value);
}

/* Objects of 32-bit elements hold single floats, of 64-bit elements doubles. */
static PrimFailure float_element(Oop object, Oop index_oop, Word *index)
{
    if (!is_small_integer(index_oop))
        return PRIM_BAD_ARGUMENT;
    if (is_immediate(object) || object_format(object) < FORMAT_WORDS64 ||
        object_format(object) >= FORMAT_SHORTS)
        return PRIM_BAD_RECEIVER;
    return index_value(index_oop, bits_byte_count(object) >> vm_element_shift(object_format(object)),
                       index);
}

PrimFailure prim_float_array_at(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1);
    Word index;
    PrimFailure failure = float_element(object, vm_stack(vm, 0), &index);
    if (failure)
        return failure;
    double value;
    if (vm_element_shift(object_format(object)) == 3)
        memcpy(&value, object_bytes(object) + index * 8, 8);
    else {
        float single;
        memcpy(&single, object_bytes(object) + index * 4, 4);
        value = single;
    }
    Oop oop = vm_float_oop(vm, value);
    return oop ? vm_return(vm, arg_count, oop) : PRIM_NO_MEMORY;
}

PrimFailure prim_float_array_at_put(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 2), value_oop = vm_stack(vm, 0);
    Word index;
    double value;
    if (!float_value(value_oop, &value) || !is_small_integer(vm_stack(vm, 1)))
        return PRIM_BAD_ARGUMENT;
    if (is_object(object) && is_read_only(object))
        return PRIM_NO_MODIFICATION;
    PrimFailure failure = float_element(object, vm_stack(vm, 1), &index);
    if (failure)
        return failure;
    if (vm_element_shift(object_format(object)) == 3)
        memcpy(object_bytes(object) + index * 8, &value, 8);
    else {
        float single = (float)value;
        memcpy(object_bytes(object) + index * 4, &single, 4);
    }
    return vm_return(vm, arg_count, value_oop);
}

/* ---- Bulk ---- */

PrimFailure prim_constant_fill(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1);
    uint64_t value;
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    if (is_immediate(object) || object_format(object) < FORMAT_WORDS64)
        return PRIM_BAD_RECEIVER;
    if (is_read_only(object))
        return PRIM_NO_MODIFICATION;
    unsigned shift = vm_element_shift(object_format(object));
    if (!vm_uint64_value(vm, vm_stack(vm, 0), &value) || !fits_unsigned(value, shift))
        return PRIM_BAD_ARGUMENT;
    if (format_is_code(object_format(object)))
        return PRIM_BAD_RECEIVER;
    Word count = bits_byte_count(object) >> shift;
    if (shift == 0)
        memset(object_bytes(object), (int)value, count);
    else
        for (Word i = 0; i < count; i++)
            bits_put(object, shift, i, value);
    return vm_return_receiver(vm, arg_count);
}

/* Copies references upward, one by one; overlapping ranges repeat, as images expect. */
static void copy_references(Vm *vm, Oop to, Word to_index, Oop from, Word from_index, Word count)
{
    if (heap_is_young(&vm->heap, to)) /* NOBARRIER: the target is young */
        for (Word i = 0; i < count; i++)
            object_slots(to)[to_index + i] = object_slots(from)[from_index + i];
    else
        for (Word i = 0; i < count; i++)
            heap_store(&vm->heap, to, to_index + i, object_slot(from, from_index + i));
}

/* The same for elements that are no references. */
static void copy_bits(Oop to, Word to_index, Oop from, Word from_index, Word count, unsigned shift)
{
    if (to == from && from_index < to_index && to_index - from_index < count)
        for (Word i = 0; i < count; i++)
            bits_put(to, shift, to_index + i, bits_get(from, shift, from_index + i));
    else
        memmove(object_bytes(to) + (to_index << shift), object_bytes(from) + (from_index << shift),
                (size_t)count << shift);
}

/* Formats that may be copied into each other: all pointer arrays, or bits of one
 * element width. */
static bool same_element_kind(unsigned a, unsigned b)
{
    if (format_is_pointers(a) || format_is_pointers(b))
        return format_is_pointers(a) && format_is_pointers(b);
    return format_is_bits(a) && format_is_bits(b) && vm_element_shift(a) == vm_element_shift(b);
}

static bool copy_range(Oop start_oop, Oop stop_oop, Oop from_oop, Word to_size, Word from_size,
                       Word *start, Word *count, Word *from)
{
    SWord first = small_integer_value(start_oop), last = small_integer_value(stop_oop);
    SWord source = small_integer_value(from_oop);
    if (first < 1 || source < 1 || first - 1 > last || last > (SWord)to_size)
        return false;
    *start = (Word)first - 1;
    *from = (Word)source - 1;
    *count = (Word)(last - first + 1);
    return *from <= from_size && *count <= from_size - *from;
}

/* replaceFrom: start to: stop with: replacement startingAt: from */
PrimFailure prim_string_replace(Vm *vm, unsigned arg_count)
{
    Oop to = vm_stack(vm, 4), start = vm_stack(vm, 3), stop = vm_stack(vm, 2);
    Oop from = vm_stack(vm, 1), from_start = vm_stack(vm, 0);
    Word to_size, from_size, to_index, from_index, count;
    if (arg_count != 4)
        return PRIM_BAD_ARG_COUNT;
    if (!is_small_integer(start) || !is_small_integer(stop) || !is_small_integer(from_start) ||
        is_immediate(from))
        return PRIM_BAD_ARGUMENT;
    if (is_immediate(to))
        return PRIM_BAD_RECEIVER;
    if (is_read_only(to) && small_integer_value(stop) >= small_integer_value(start))
        return PRIM_NO_MODIFICATION;
    unsigned to_format = object_format(to), from_format = object_format(from);
    if (!same_element_kind(to_format, from_format) || is_context(to) || is_context(from))
        return PRIM_INAPPROPRIATE;
    if (!vm_indexable_size(vm, to, &to_size) || !vm_indexable_size(vm, from, &from_size))
        return PRIM_INAPPROPRIATE;
    if (!copy_range(start, stop, from_start, to_size, from_size, &to_index, &count, &from_index))
        return PRIM_BAD_INDEX;
    if (format_is_pointers(to_format))
        copy_references(vm, to, to_index + vm_fixed_fields(vm, to), from,
                        from_index + vm_fixed_fields(vm, from), count);
    else
        copy_bits(to, to_index, from, from_index, count, vm_element_shift(to_format));
    return vm_return_receiver(vm, arg_count);
}

static bool compare_operand(Oop oop, const uint8_t **bytes, Word *count)
{
    if (is_immediate(oop) || !format_is_bytes(object_format(oop)))
        return false;
    *bytes = object_bytes(oop);
    *count = bits_byte_count(oop);
    return true;
}

/* compareWith: another [collated: table]: difference of the first unequal bytes. */
PrimFailure prim_compare_with(Vm *vm, unsigned arg_count)
{
    const uint8_t *a, *b, *order = NULL;
    Word a_count, b_count, order_count;
    if (arg_count != 1 && arg_count != 2)
        return PRIM_BAD_ARG_COUNT;
    if (!compare_operand(vm_stack(vm, arg_count), &a, &a_count) ||
        !compare_operand(vm_stack(vm, arg_count - 1), &b, &b_count))
        return PRIM_BAD_ARGUMENT;
    if (arg_count == 2 && (!compare_operand(vm_stack(vm, 0), &order, &order_count) || order_count < 256))
        return PRIM_BAD_ARGUMENT;
    Word common = a_count < b_count ? a_count : b_count, same = 0;
    while (same + 8 <= common && memcmp(a + same, b + same, 8) == 0) /* in whatever order */
        same += 8;
    for (Word i = same; i < common; i++) {
        int difference = order ? order[a[i]] - order[b[i]] : a[i] - b[i];
        if (difference)
            return vm_return(vm, arg_count, small_integer_oop(difference));
    }
    return vm_return(vm, arg_count, small_integer_oop((SWord)a_count - (SWord)b_count));
}

/* copyFrom: another object of the same class and size. */
PrimFailure prim_copy_object(Vm *vm, unsigned arg_count)
{
    Oop to = vm_stack(vm, 1), from = vm_stack(vm, 0);
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    if (is_immediate(to))
        return PRIM_BAD_RECEIVER;
    if (is_immediate(from) || object_class_index(from) != object_class_index(to))
        return PRIM_BAD_ARGUMENT;
    if (is_context(to) || format_is_code(object_format(to)))
        return PRIM_BAD_RECEIVER;
    if (object_format(from) != object_format(to) || object_slot_count(from) != object_slot_count(to))
        return PRIM_BAD_ARGUMENT;
    if (is_read_only(to))
        return PRIM_NO_MODIFICATION;
    if (format_is_pointers(object_format(to)))
        copy_references(vm, to, 0, from, 0, object_slot_count(to));
    else
        memcpy(object_bytes(to), object_bytes(from), object_slot_count(to) * WORD_BYTES);
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_object_points_to(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1), target = vm_stack(vm, 0);
    Word first = 0, end = 0;
    if (is_object(object) && is_context(object))
        context_make_single(vm, object);
    if (is_object(object))
        heap_pointer_slots(&vm->heap, object, &first, &end);
    for (Word i = first; i < end; i++)
        if (object_slot(object, i) == target)
            return vm_return_boolean(vm, arg_count, true);
    return vm_return_boolean(vm, arg_count, false);
}
