/* Numbers as written: exact integers, floats read to the nearest, scaled decimals, fractions.
 *
 * Everything is computed with integers of any size, so a float is always the
 * nearest one to what was written (ties to even), in every radix and at both
 * ends of the range.
 */
#ifndef OSVM_COMPILER_NUMBER_H
#define OSVM_COMPILER_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/arena.h"
#include "kernel/bytecode/method.h"

/* A non-negative integer: `count` digits of 32 bits, least significant first, no leading zeros. */
typedef struct {
    uint32_t *digits;
    size_t count;
    size_t capacity;
    Arena *arena;
} Natural;

void natural_init(Natural *n, Arena *arena);
bool natural_is_zero(const Natural *n);
void natural_multiply_add(Natural *n, uint32_t factor,
                          uint32_t addend);                       /* n := n * factor + addend */
uint32_t natural_divide(Natural *n, uint32_t divisor);            /* n := n / divisor; the rest */
void natural_power(Natural *n, uint32_t base, uint32_t exponent); /* n := base ** exponent */
void natural_multiply(Natural *n, const Natural *other);
size_t natural_bit_length(const Natural *n);

void natural_of_literal(Natural *n, Arena *arena, const Literal *integer); /* its magnitude */

/* Multiplies both until the denominator is radix ** places; false when no power of the radix is a
 * multiple of it. Changes both. */
bool natural_clear_denominator(Natural *numerator, Natural *denominator, unsigned radix,
                               unsigned long *places);

/* The double nearest to numerator / denominator; infinity when too large. Changes both. */
double natural_ratio(Natural *numerator, Natural *denominator);

/* Reads the number that starts at text[0] (a digit, or a minus before a digit) and makes a
 * literal of it. Answers how many bytes belong to it. What is wrong with it is answered in
 * `*message` (a constant string; NULL when nothing is); the length is then still right. */
size_t number_read(Arena *arena, const char *text, size_t length, Literal *literal,
                   const char **message);

/* Makes an integer literal of a C integer, and the other way round (false when it does not fit). */
void literal_set_integer(Arena *arena, Literal *literal, int64_t value);
bool literal_get_integer(const Literal *literal, int64_t *value);

#endif
