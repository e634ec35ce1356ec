/* Primitives on integers: 1-18 on SmallIntegers, 20-37 on integers of up to 64
 * bits of magnitude, and conversions between immediates. Larger integers are
 * the business of the LargeIntegers module. */
#include "kernel/vm/numbers.h"
#include "kernel/vm/primitives/primitives.h"

static PrimFailure return_small(Vm *vm, unsigned arg_count, int64_t value)
{
    if (!fits_small_integer(value))
        return PRIM_FAILED;
    return vm_return(vm, arg_count, small_integer_oop((SWord)value));
}

static bool small_operands(Vm *vm, SWord *receiver, SWord *argument)
{
    Oop a = vm_stack(vm, 1), b = vm_stack(vm, 0);
    if (!are_small_integers(a, b))
        return false;
    *receiver = small_integer_value(a);
    *argument = small_integer_value(b);
    return true;
}

#define SMALL_OPERANDS                                                                             \
    SWord a, b;                                                                                    \
    if (!small_operands(vm, &a, &b))                                                               \
        return PRIM_FAILED

PrimFailure prim_add(Vm *vm, unsigned arg_count)
{
    SMALL_OPERANDS;
    return return_small(vm, arg_count, (int64_t)a + b);
}

PrimFailure prim_subtract(Vm *vm, unsigned arg_count)
{
    SMALL_OPERANDS;
    return return_small(vm, arg_count, (int64_t)a - b);
}

PrimFailure prim_multiply(Vm *vm, unsigned arg_count)
{
    SMALL_OPERANDS;
    int64_t product;
    if (__builtin_mul_overflow((int64_t)a, (int64_t)b, &product))
        return PRIM_FAILED;
    return return_small(vm, arg_count, product);
}

PrimFailure prim_divide(Vm *vm, unsigned arg_count)
{
    SMALL_OPERANDS;
    if (b == 0 || a % b != 0)
        return PRIM_FAILED;
    return return_small(vm, arg_count, (int64_t)a / b);
}

PrimFailure prim_mod(Vm *vm, unsigned arg_count)
{
    SMALL_OPERANDS;
    return b == 0 ? PRIM_FAILED : return_small(vm, arg_count, floor_modulo(a, b));
}

PrimFailure prim_div(Vm *vm, unsigned arg_count)
{
    SMALL_OPERANDS;
    return b == 0 ? PRIM_FAILED : return_small(vm, arg_count, floor_divide(a, b));
}

PrimFailure prim_quo(Vm *vm, unsigned arg_count)
{
    SMALL_OPERANDS;
    return b == 0 ? PRIM_FAILED : return_small(vm, arg_count, (int64_t)a / b);
}

#define SMALL_COMPARISON(name, operator)                                                           \
    PrimFailure name(Vm *vm, unsigned arg_count)                                                   \
    {                                                                                              \
        SMALL_OPERANDS;                                                                            \
        return vm_return_boolean(vm, arg_count, a operator b);                                     \
    }

SMALL_COMPARISON(prim_less, <)
SMALL_COMPARISON(prim_greater, >)
SMALL_COMPARISON(prim_less_equal, <=)
SMALL_COMPARISON(prim_greater_equal, >=)

/* ---- Integers of up to 64 bits ---- */

static PrimFailure return_wide(Vm *vm, unsigned arg_count, __int128 value)
{
    __int128 limit = (__int128)UINT64_MAX;
    if (value > limit || value < -limit)
        return PRIM_FAILED;
    Oop integer = vm_wide_oop(vm, value);
    return integer ? vm_return(vm, arg_count, integer) : PRIM_NO_MEMORY;
}

#define WIDE_OPERANDS                                                                              \
    __int128 a, b;                                                                                 \
    if (!vm_wide_value(vm_stack(vm, 1), &a) || !vm_wide_value(vm_stack(vm, 0), &b))                \
        return PRIM_FAILED

PrimFailure prim_large_add(Vm *vm, unsigned arg_count)
{
    WIDE_OPERANDS;
    return return_wide(vm, arg_count, a + b);
}

PrimFailure prim_large_subtract(Vm *vm, unsigned arg_count)
{
    WIDE_OPERANDS;
    return return_wide(vm, arg_count, a - b);
}

PrimFailure prim_large_multiply(Vm *vm, unsigned arg_count)
{
    WIDE_OPERANDS;
    __int128 product;
    if (__builtin_mul_overflow(a, b, &product))
        return PRIM_FAILED;
    return return_wide(vm, arg_count, product);
}

PrimFailure prim_large_divide(Vm *vm, unsigned arg_count)
{
    WIDE_OPERANDS;
    return b == 0 || a % b != 0 ? PRIM_FAILED : return_wide(vm, arg_count, a / b);
}

PrimFailure prim_large_rem(Vm *vm, unsigned arg_count)
{
    WIDE_OPERANDS;
    return b == 0 ? PRIM_FAILED : return_wide(vm, arg_count, a % b);
}

PrimFailure prim_large_quo(Vm *vm, unsigned arg_count)
{
    WIDE_OPERANDS;
    return b == 0 ? PRIM_FAILED : return_wide(vm, arg_count, a / b);
}

PrimFailure prim_large_mod(Vm *vm, unsigned arg_count)
{
    WIDE_OPERANDS;
    if (b == 0)
        return PRIM_FAILED;
    __int128 remainder = a % b;
    return return_wide(vm, arg_count, remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder);
}

PrimFailure prim_large_div(Vm *vm, unsigned arg_count)
{
    WIDE_OPERANDS;
    if (b == 0)
        return PRIM_FAILED;
    return return_wide(vm, arg_count, a / b - (a % b != 0 && (a < 0) != (b < 0)));
}

/* Comparisons take what fits a signed 64-bit integer. */
#define WIDE_COMPARISON(name, operator)                                                            \
    PrimFailure name(Vm *vm, unsigned arg_count)                                                   \
    {                                                                                              \
        int64_t a, b;                                                                              \
        if (!vm_int64_value(vm, vm_stack(vm, 1), &a) || !vm_int64_value(vm, vm_stack(vm, 0), &b))  \
            return PRIM_FAILED;                                                                    \
        return vm_return_boolean(vm, arg_count, a operator b);                                     \
    }

WIDE_COMPARISON(prim_large_less, <)
WIDE_COMPARISON(prim_large_greater, >)
WIDE_COMPARISON(prim_large_less_equal, <=)
WIDE_COMPARISON(prim_large_greater_equal, >=)
WIDE_COMPARISON(prim_large_equal, ==)
WIDE_COMPARISON(prim_large_not_equal, !=)

/* ---- Bits. SmallIntegers of any sign, else non-negative integers of up to 64 bits. ---- */

static bool bit_operands(Vm *vm, uint64_t *a, uint64_t *b)
{
    return vm_uint64_value(vm, vm_stack(vm, 1), a) && vm_uint64_value(vm, vm_stack(vm, 0), b);
}

#define BIT_OPERATION(name, operator)                                                              \
    PrimFailure name(Vm *vm, unsigned arg_count)                                                   \
    {                                                                                              \
        SWord small_a, small_b;                                                                    \
        if (small_operands(vm, &small_a, &small_b))                                                \
            return return_small(vm, arg_count, small_a operator small_b);                          \
        uint64_t a, b;                                                                             \
        if (!bit_operands(vm, &a, &b))                                                             \
            return PRIM_FAILED;                                                                    \
        return return_wide(vm, arg_count, (__int128)(a operator b));                               \
    }

BIT_OPERATION(prim_bit_and, &)
BIT_OPERATION(prim_bit_or, |)
BIT_OPERATION(prim_bit_xor, ^)

/* Left: no bit may be lost in a signed 64-bit value (32-bit heap: an unsigned 32-bit
 * one). Right: arithmetic. */
PrimFailure prim_bit_shift(Vm *vm, unsigned arg_count)
{
    int64_t value;
    Oop count_oop = vm_stack(vm, 0);
    if (!is_small_integer(count_oop) || !vm_int64_value(vm, vm_stack(vm, 1), &value))
        return PRIM_FAILED;
    SWord count = small_integer_value(count_oop);
    SWord limit = WORD_BITS == 64 ? 61 : 31;
    if (count > limit || count < -limit)
        return PRIM_FAILED;
    if (WORD_BITS == 32 && (value < 0 || value > UINT32_MAX))
        return PRIM_FAILED;
    if (count < 0)
        return return_wide(vm, arg_count, value >> -count);
    __int128 shifted = (__int128)value * ((__int128)1 << count);
    bool fits = WORD_BITS == 64 ? shifted >= INT64_MIN && shifted <= INT64_MAX : shifted <= UINT32_MAX;
    return fits ? return_wide(vm, arg_count, shifted) : PRIM_FAILED;
}

PrimFailure prim_large_bit_shift(Vm *vm, unsigned arg_count)
{
    __int128 value;
    Oop count_oop = vm_stack(vm, 0);
    if (!is_small_integer(count_oop) || !vm_wide_value(vm_stack(vm, 1), &value))
        return PRIM_FAILED;
    SWord count = small_integer_value(count_oop);
    if (count <= 0) /* floors, as an arithmetic shift does */
        return return_wide(vm, arg_count, value >> (count < -127 ? 127 : -count));
    __int128 magnitude = value < 0 ? -value : value;
    if (count >= 64 || magnitude >> (64 - count) != 0)
        return PRIM_FAILED;
    return return_wide(vm, arg_count, value * ((__int128)1 << count));
}

PrimFailure prim_high_bit(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, 0);
    if (!is_small_integer(receiver) || small_integer_value(receiver) < 0)
        return PRIM_FAILED;
    uint64_t value = (uint64_t)small_integer_value(receiver);
    return return_small(vm, arg_count, value ? 64 - __builtin_clzll(value) : 0);
}

PrimFailure prim_hash_multiply(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, arg_count);
    uint64_t value;
    if (is_small_integer(receiver))
        value = (uint64_t)(int64_t)small_integer_value(receiver);
    else if (is_object(receiver) && object_class_index(receiver) == CLASS_LARGE_POSITIVE) {
        value = 0;
        Word bytes = bits_byte_count(receiver);
        memcpy(&value, object_bytes(receiver), bytes < 4 ? bytes : 4); /* only the low bits count */
    } else
        return PRIM_BAD_RECEIVER;
    return return_small(vm, arg_count, (int64_t)(value * 1664525 & 0xFFFFFFF));
}

/* ---- Points and immediates ---- */

PrimFailure prim_make_point(Vm *vm, unsigned arg_count)
{
    Oop y = vm_stack(vm, 0), x = vm_stack(vm, 1);
    if (!is_small_integer(y) && !vm_is_float(vm, y))
        return PRIM_BAD_ARGUMENT;
    PrimFailure failure = PRIM_OK;
    Oop point = vm_instantiate(vm, heap_special(&vm->heap, SPECIAL_CLASS_POINT), 0, &failure);
    if (!point)
        return failure;
    heap_store(&vm->heap, point, 0, x);
    heap_store(&vm->heap, point, 1, y);
    return vm_return(vm, arg_count, point);
}

PrimFailure prim_as_character(Vm *vm, unsigned arg_count)
{
    Oop code = vm_stack(vm, 0);
    if (!is_small_integer(code) || small_integer_value(code) < 0 ||
        small_integer_value(code) > (SWord)CHARACTER_MAX)
        return arg_count ? PRIM_BAD_ARGUMENT : PRIM_BAD_RECEIVER;
    return vm_return(vm, arg_count, character_oop((uint32_t)small_integer_value(code)));
}

PrimFailure prim_immediate_as_integer(Vm *vm, unsigned arg_count)
{
    Oop value = vm_stack(vm, 0);
    if (is_small_integer(value))
        return vm_return(vm, arg_count, value);
    if (is_character(value))
        return return_small(vm, arg_count, character_code(value));
    if (is_small_float(value)) { /* the rotated bits, whose lowest is the sign; negative if that is set */
        int64_t bits = (int64_t)((uint64_t)value >> (TAG_BITS + 1));
        return return_small(vm, arg_count, (value >> TAG_BITS & 1) ? bits - (INT64_C(1) << (63 - TAG_BITS)) : bits);
    }
    return PRIM_BAD_RECEIVER;
}
