/* Primitives on Floats: 38-59, and 541-559 where the receiver is known to be an immediate one. */
#include <math.h>

#include "kernel/vm/numbers.h"
#include "kernel/vm/primitives/primitives.h"

static PrimFailure return_float(Vm *vm, unsigned arg_count, double value)
{
    Oop oop = vm_float_oop(vm, value);
    return oop ? vm_return(vm, arg_count, oop) : PRIM_NO_MEMORY;
}

/* A Float, or a SmallInteger converted. */
static bool number_value(Oop oop, double *value)
{
    if (is_small_integer(oop)) {
        *value = (double)small_integer_value(oop);
        return true;
    }
    return float_value(oop, value);
}

static bool float_operands(Vm *vm, double *receiver, double *argument)
{
    return float_value(vm_stack(vm, 1), receiver) && number_value(vm_stack(vm, 0), argument);
}

PrimFailure prim_as_float(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, arg_count);
    if (!is_small_integer(receiver))
        return PRIM_BAD_RECEIVER;
    return return_float(vm, arg_count, (double)small_integer_value(receiver));
}

#define FLOAT_OPERATION(name, operator)                                                            \
    PrimFailure prim_float_##name(Vm *vm, unsigned arg_count)                                      \
    {                                                                                              \
        double a, b;                                                                               \
        if (!float_operands(vm, &a, &b))                                                           \
            return PRIM_FAILED;                                                                    \
        return return_float(vm, arg_count, a operator b);                                          \
    }

FLOAT_OPERATION(add, +)
FLOAT_OPERATION(subtract, -)
FLOAT_OPERATION(multiply, *)

PrimFailure prim_float_divide(Vm *vm, unsigned arg_count)
{
    double a, b;
    if (!float_operands(vm, &a, &b) || b == 0.0)
        return PRIM_FAILED;
    return return_float(vm, arg_count, a / b);
}

#define FLOAT_COMPARISON(name, test)                                                               \
    PrimFailure prim_float_##name(Vm *vm, unsigned arg_count)                                      \
    {                                                                                              \
        Comparison order;                                                                          \
        if (is_small_integer(vm_stack(vm, 1)) ||                                                   \
            !compare_floats(vm_stack(vm, 1), vm_stack(vm, 0), &order))                             \
            return PRIM_FAILED;                                                                    \
        return vm_return_boolean(vm, arg_count, test);                                             \
    }

FLOAT_COMPARISON(less, order == COMPARE_LESS)
FLOAT_COMPARISON(greater, order == COMPARE_GREATER)
FLOAT_COMPARISON(less_equal, order == COMPARE_LESS || order == COMPARE_EQUAL)
FLOAT_COMPARISON(greater_equal, order == COMPARE_GREATER || order == COMPARE_EQUAL)
FLOAT_COMPARISON(equal, order == COMPARE_EQUAL)
FLOAT_COMPARISON(not_equal, order != COMPARE_EQUAL)

#define FLOAT_RECEIVER                                                                             \
    double value;                                                                                  \
    if (!float_value(vm_stack(vm, arg_count), &value))                                             \
        return PRIM_FAILED

#define FLOAT_FUNCTION(stem, expression)                                                           \
    PrimFailure prim_float_##stem(Vm *vm, unsigned arg_count)                                      \
    {                                                                                              \
        FLOAT_RECEIVER;                                                                            \
        return return_float(vm, arg_count, expression);                                            \
    }

FLOAT_FUNCTION(sine, sin(value))
FLOAT_FUNCTION(arctan, atan(value))
FLOAT_FUNCTION(ln, log(value))
FLOAT_FUNCTION(exp, exp(value))

PrimFailure prim_float_truncated(Vm *vm, unsigned arg_count)
{
    FLOAT_RECEIVER;
    double whole = trunc(value);
    /* The limits are powers of two: exact as doubles, and NaN fails both. */
    if (!(whole >= (double)SMALL_INTEGER_MIN && whole < -(double)SMALL_INTEGER_MIN))
        return PRIM_FAILED;
    return vm_return(vm, arg_count, small_integer_oop((SWord)whole));
}

PrimFailure prim_float_fractional_part(Vm *vm, unsigned arg_count)
{
    FLOAT_RECEIVER;
    double whole;
    return return_float(vm, arg_count, modf(value, &whole));
}

PrimFailure prim_float_exponent(Vm *vm, unsigned arg_count)
{
    FLOAT_RECEIVER;
    int exponent;
    frexp(value, &exponent);
    return vm_return(vm, arg_count, small_integer_oop(exponent - 1));
}

PrimFailure prim_float_times_two_power(Vm *vm, unsigned arg_count)
{
    double value;
    if (!is_small_integer(vm_stack(vm, 0)))
        return PRIM_BAD_ARGUMENT;
    if (!float_value(vm_stack(vm, 1), &value))
        return PRIM_FAILED;
    SWord power = small_integer_value(vm_stack(vm, 0));
    power = power > 4096 ? 4096 : power < -4096 ? -4096 : power;
    return return_float(vm, arg_count, ldexp(value, (int)power));
}

PrimFailure prim_float_square_root(Vm *vm, unsigned arg_count)
{
    FLOAT_RECEIVER;
    return value >= 0 ? return_float(vm, arg_count, sqrt(value)) : PRIM_FAILED;
}

/* ---- The two 32-bit halves of a Float; index 1 is the more significant ---- */

PrimFailure prim_float_at(Vm *vm, unsigned arg_count)
{
    double value;
    Oop index = vm_stack(vm, 0);
    if (!float_value(vm_stack(vm, 1), &value))
        return PRIM_BAD_RECEIVER;
    if (!is_small_integer(index))
        return PRIM_BAD_ARGUMENT;
    if (small_integer_value(index) != 1 && small_integer_value(index) != 2)
        return PRIM_BAD_INDEX;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    Oop half = vm_unsigned_oop(vm, small_integer_value(index) == 1 ? bits >> 32 : bits & UINT32_MAX);
    return half ? vm_return(vm, arg_count, half) : PRIM_NO_MEMORY;
}

PrimFailure prim_float_at_put(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, 2), index = vm_stack(vm, 1), half_oop = vm_stack(vm, 0);
    uint64_t half;
    if (!vm_uint64_value(vm, half_oop, &half) || half > UINT32_MAX)
        return PRIM_BAD_ARGUMENT;
    if (is_immediate(receiver) || object_class_index(receiver) != CLASS_FLOAT)
        return PRIM_BAD_RECEIVER;
    if (header_is_immutable(header_of(receiver)))
        return PRIM_NO_MODIFICATION;
    if (!is_small_integer(index))
        return PRIM_BAD_ARGUMENT;
    if (small_integer_value(index) != 1 && small_integer_value(index) != 2)
        return PRIM_BAD_INDEX;
    uint64_t bits;
    memcpy(&bits, object_bytes(receiver), sizeof bits);
    if (small_integer_value(index) == 1)
        bits = (bits & UINT32_MAX) | half << 32;
    else
        bits = (bits & ~(uint64_t)UINT32_MAX) | half;
    memcpy(object_bytes(receiver), &bits, sizeof bits);
    return vm_return(vm, arg_count, half_oop);
}
