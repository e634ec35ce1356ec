/* Numbers: the inline parts, for primitives and the interpreter's fast paths. */
#ifndef OSVM_VM_NUMBERS_H
#define OSVM_VM_NUMBERS_H

#include "kernel/vm/vm.h"

/* An integer of a magnitude up to 64 bits, SmallInteger or LargeInteger. */
bool vm_wide_value(Oop oop, __int128 *value);
/* The normalised integer; the magnitude must fit 64 bits. NO_OOP: no memory. */
Oop vm_wide_oop(Vm *vm, __int128 value);

static inline bool float_value(Oop oop, double *value)
{
    if (is_small_float(oop)) {
        *value = small_float_value(oop);
        return true;
    }
    if (is_immediate(oop) || object_class_index(oop) != CLASS_FLOAT)
        return false;
    memcpy(value, object_bytes(oop), sizeof *value);
    return true;
}

/* The three ways two numbers compare, exactly: no integer is rounded. */
typedef enum { COMPARE_LESS = -1, COMPARE_EQUAL = 0, COMPARE_GREATER = 1, COMPARE_UNORDERED = 2 } Comparison;

static inline Comparison compare_doubles(double a, double b)
{
    return a < b ? COMPARE_LESS : a > b ? COMPARE_GREATER : a == b ? COMPARE_EQUAL : COMPARE_UNORDERED;
}

/* Compares an integer with a double. Integers below 2^53 convert exactly; for the
 * others the double's integer part is compared, then its fraction decides. */
static inline Comparison compare_integer_double(int64_t a, double b)
{
    const int64_t exact = (int64_t)1 << 53;
    if (a >= -exact && a <= exact)
        return compare_doubles((double)a, b);
    if (b != b)
        return COMPARE_UNORDERED;
    if (b >= 9223372036854775808.0)
        return COMPARE_LESS;
    if (b < -9223372036854775808.0)
        return COMPARE_GREATER;
    int64_t whole = (int64_t)b; /* |a| > 2^53: where they are close, b has no fraction */
    return a < whole ? COMPARE_LESS : a > whole ? COMPARE_GREATER : COMPARE_EQUAL;
}

/* Two Floats, or a Float and a SmallInteger, exactly; false if the operands are of other kinds. */
static inline bool compare_floats(Oop receiver, Oop argument, Comparison *result)
{
    double a, b;
    if (float_value(receiver, &a)) {
        if (float_value(argument, &b))
            *result = compare_doubles(a, b);
        else if (is_small_integer(argument)) {
            Comparison flipped = compare_integer_double(small_integer_value(argument), a);
            *result = flipped == COMPARE_UNORDERED ? flipped : (Comparison)-flipped;
        } else
            return false;
        return true;
    }
    if (!is_small_integer(receiver) || !float_value(argument, &b))
        return false;
    *result = compare_integer_double(small_integer_value(receiver), b);
    return true;
}

/* Floored division as Smalltalk's // and \\; the divisor is not 0. */
static inline SWord floor_divide(SWord a, SWord b)
{
    SWord quotient = a / b;
    return quotient - ((a % b != 0) & ((a ^ b) < 0));
}

static inline SWord floor_modulo(SWord a, SWord b)
{
    SWord remainder = a % b;
    return remainder != 0 && (remainder ^ b) < 0 ? remainder + b : remainder;
}

#endif
