/* Arithmetic on magnitudes: little-endian arrays of 32-bit limbs.
 *
 * `count` is the number of limbs and may include leading zeros unless a function
 * says "trimmed". Results are written to arrays of the caller; scratch memory is
 * the caller's too, so nothing here can fail.
 */
#ifndef OSVM_PRIMS_MAGNITUDE_H
#define OSVM_PRIMS_MAGNITUDE_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t Limb;

/* Limbs without leading zeros. */
size_t magnitude_trim(const Limb *a, size_t count);
/* -1, 0, 1; trimmed. */
int magnitude_compare(const Limb *a, size_t a_count, const Limb *b, size_t b_count);
/* sum has room for max(a_count, b_count) + 1 limbs; all are written. */
void magnitude_add(const Limb *a, size_t a_count, const Limb *b, size_t b_count, Limb *sum);
/* a >= b; difference has a_count limbs. May be `a` itself. */
void magnitude_subtract(const Limb *a, size_t a_count, const Limb *b, size_t b_count,
                        Limb *difference);
/* product has a_count + b_count limbs and is none of the operands; scratch has
 * magnitude_multiply_scratch(a_count, b_count) limbs. Karatsuba (1962) above a threshold. */
void magnitude_multiply(const Limb *a, size_t a_count, const Limb *b, size_t b_count,
                        Limb *product, Limb *scratch);
size_t magnitude_multiply_scratch(size_t a_count, size_t b_count);
/* Knuth's algorithm D (TAOCP 2, 4.3.1). b trimmed and not zero. quotient has
 * a_count - b_count + 1 limbs, remainder b_count; a_count >= b_count. `scratch` has
 * a_count + 1 + b_count limbs. */
void magnitude_divide(const Limb *a, size_t a_count, const Limb *b, size_t b_count,
                      Limb *quotient, Limb *remainder, Limb *scratch);
/* shifted has count + bits / 32 + 1 limbs; those below bits / 32 stay as they are, to be zero. */
void magnitude_shift_left(const Limb *a, size_t count, size_t bits, Limb *shifted);
/* Drops the low bits; shifted has count - bits / 32 limbs; bits < 32 * count. */
void magnitude_shift_right(const Limb *a, size_t count, size_t bits, Limb *shifted);
/* a * b / 2^(32*count) mod m (Montgomery 1985). All of `count` limbs; m odd, m_inverse =
 * -1/m mod 2^32. result has count + 2 limbs, of which the last two end as zero. */
void magnitude_montgomery(const Limb *a, const Limb *b, const Limb *m, size_t count,
                          Limb m_inverse, Limb *result);

#endif
