/* Integers and floats between C and the heap. */
#include "kernel/vm/numbers.h"

static Oop large_integer_oop(Vm *vm, uint64_t magnitude, bool negative)
{
    unsigned bytes = (unsigned)(64 - __builtin_clzll(magnitude) + 7) / 8;
    Oop large = heap_new_bytes(&vm->heap, bytes,
                               negative ? CLASS_LARGE_NEGATIVE : CLASS_LARGE_POSITIVE);
    if (large)
        memcpy(object_bytes(large), &magnitude, bytes); /* both little endian */
    return large;
}

Oop vm_integer_oop(Vm *vm, int64_t value)
{
    if (fits_small_integer(value))
        return small_integer_oop((SWord)value);
    return large_integer_oop(vm, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

Oop vm_unsigned_oop(Vm *vm, uint64_t value)
{
    if (value <= (uint64_t)SMALL_INTEGER_MAX)
        return small_integer_oop((SWord)value);
    return large_integer_oop(vm, value, false);
}

Oop vm_wide_oop(Vm *vm, __int128 value)
{
    if (value >= SMALL_INTEGER_MIN && value <= SMALL_INTEGER_MAX)
        return small_integer_oop((SWord)value);
    return large_integer_oop(vm, (uint64_t)(value < 0 ? -value : value), value < 0);
}

Oop vm_float_oop(Vm *vm, double value)
{
    Oop immediate = small_float_oop(value);
    if (immediate)
        return immediate;
    Oop boxed = heap_allocate(&vm->heap, 8 / WORD_BYTES, FORMAT_WORDS32, CLASS_FLOAT);
    if (boxed)
        memcpy(object_bytes(boxed), &value, sizeof value);
    return boxed;
}

bool vm_is_float(Vm *vm, Oop oop)
{
    double ignored;
    return float_value(oop, &ignored);
}

bool vm_float_value(Vm *vm, Oop oop, double *value)
{
    return float_value(oop, value);
}

bool vm_wide_value(Oop oop, __int128 *value)
{
    if (is_small_integer(oop)) {
        *value = small_integer_value(oop);
        return true;
    }
    if (is_immediate(oop))
        return false;
    Word class_index = object_class_index(oop);
    if (class_index != CLASS_LARGE_POSITIVE && class_index != CLASS_LARGE_NEGATIVE)
        return false;
    Word bytes = bits_byte_count(oop);
    uint64_t magnitude = 0;
    if (bytes > sizeof magnitude)
        return false;
    memcpy(&magnitude, object_bytes(oop), bytes);
    *value = class_index == CLASS_LARGE_NEGATIVE ? -(__int128)magnitude : (__int128)magnitude;
    return true;
}

bool vm_int64_value(Vm *vm, Oop oop, int64_t *value)
{
    __int128 wide;
    if (!vm_wide_value(oop, &wide) || wide < INT64_MIN || wide > INT64_MAX)
        return false;
    *value = (int64_t)wide;
    return true;
}

bool vm_uint64_value(Vm *vm, Oop oop, uint64_t *value)
{
    __int128 wide;
    if (!vm_wide_value(oop, &wide) || wide < 0)
        return false;
    *value = (uint64_t)wide;
    return true;
}
