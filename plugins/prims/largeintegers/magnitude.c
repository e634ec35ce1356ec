#include "magnitude.h"

#include <string.h>

typedef uint64_t Wide;

/* Below this many limbs the schoolbook method is faster. */
enum { KARATSUBA = 40 };

size_t magnitude_trim(const Limb *a, size_t count)
{
    while (count && a[count - 1] == 0)
        count--;
    return count;
}

int magnitude_compare(const Limb *a, size_t a_count, const Limb *b, size_t b_count)
{
    if (a_count != b_count)
        return a_count < b_count ? -1 : 1;
    for (size_t i = a_count; i--;)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

void magnitude_add(const Limb *a, size_t a_count, const Limb *b, size_t b_count, Limb *sum)
{
    if (a_count < b_count) {
        const Limb *longer = b;
        size_t longer_count = b_count;
        b = a, b_count = a_count;
        a = longer, a_count = longer_count;
    }
    Wide carry = 0;
    for (size_t i = 0; i < a_count; i++) {
        carry += (Wide)a[i] + (i < b_count ? b[i] : 0);
        sum[i] = (Limb)carry;
        carry >>= 32;
    }
    sum[a_count] = (Limb)carry;
}

void magnitude_subtract(const Limb *a, size_t a_count, const Limb *b, size_t b_count,
                        Limb *difference)
{
    Wide borrow = 0;
    for (size_t i = 0; i < a_count; i++) {
        Wide value = (Wide)a[i] - (i < b_count ? b[i] : 0) - borrow;
        difference[i] = (Limb)value;
        borrow = value >> 63;
    }
}

/* ---- Multiplication ---- */

static void multiply_schoolbook(const Limb *a, size_t a_count, const Limb *b, size_t b_count,
                                Limb *product)
{
    memset(product, 0, (a_count + b_count) * sizeof *product);
    for (size_t i = 0; i < a_count; i++) {
        Wide carry = 0, factor = a[i];
        for (size_t j = 0; j < b_count; j++) {
            carry += factor * b[j] + product[i + j];
            product[i + j] = (Limb)carry;
            carry >>= 32;
        }
        product[i + b_count] = (Limb)carry;
    }
}

/* Adds `b` to `a` in place, carrying on within a_count limbs. */
static void add_into(Limb *a, size_t a_count, const Limb *b, size_t b_count)
{
    Wide carry = 0;
    for (size_t i = 0; i < a_count && (i < b_count || carry); i++) {
        carry += (Wide)a[i] + (i < b_count ? b[i] : 0);
        a[i] = (Limb)carry;
        carry >>= 32;
    }
}

static size_t karatsuba_scratch(size_t count)
{
    size_t total = 0;
    while (count >= KARATSUBA) {
        size_t half = count - count / 2;
        total += 4 * (half + 1);
        count = half + 1;
    }
    return total;
}

/* Two factors of `count` limbs: with x = 2^(32*low), (a1 x + a0)(b1 x + b0) takes the three
 * products a0 b0, a1 b1 and (a0 + a1)(b0 + b1). */
static void multiply_karatsuba(const Limb *a, const Limb *b, size_t count, Limb *product,
                               Limb *scratch)
{
    if (count < KARATSUBA) {
        multiply_schoolbook(a, count, b, count, product);
        return;
    }
    size_t high = count / 2, low = count - high, sum = low + 1;
    Limb *a_sum = scratch, *b_sum = scratch + sum, *middle = scratch + 2 * sum;
    Limb *rest = scratch + 4 * sum;
    magnitude_add(a, low, a + low, high, a_sum);
    magnitude_add(b, low, b + low, high, b_sum);
    multiply_karatsuba(a_sum, b_sum, sum, middle, rest);
    multiply_karatsuba(a, b, low, product, rest);
    multiply_karatsuba(a + low, b + low, high, product + 2 * low, rest);
    magnitude_subtract(middle, 2 * sum, product, 2 * low, middle);
    magnitude_subtract(middle, 2 * sum, product + 2 * low, 2 * high, middle);
    add_into(product + low, 2 * count - low, middle, magnitude_trim(middle, 2 * sum));
}

size_t magnitude_multiply_scratch(size_t a_count, size_t b_count)
{
    size_t least = a_count < b_count ? a_count : b_count;
    return least < KARATSUBA ? 0 : karatsuba_scratch(least) + 2 * least;
}

/* The longer factor is cut into pieces as long as the shorter one. */
void magnitude_multiply(const Limb *a, size_t a_count, const Limb *b, size_t b_count,
                        Limb *product, Limb *scratch)
{
    if (a_count < b_count) {
        magnitude_multiply(b, b_count, a, a_count, product, scratch);
        return;
    }
    if (b_count < KARATSUBA) {
        multiply_schoolbook(a, a_count, b, b_count, product);
        return;
    }
    Limb *piece = scratch, *rest = scratch + 2 * b_count;
    memset(product, 0, (a_count + b_count) * sizeof *product);
    for (size_t from = 0; from < a_count; from += b_count) {
        size_t count = a_count - from;
        if (count >= b_count) {
            count = b_count;
            multiply_karatsuba(a + from, b, b_count, piece, rest);
        } else
            multiply_schoolbook(b, b_count, a + from, count, piece);
        add_into(product + from, a_count + b_count - from, piece, count + b_count);
    }
}

/* ---- Shifts ---- */

void magnitude_shift_left(const Limb *a, size_t count, size_t bits, Limb *shifted)
{
    size_t limbs = bits / 32;
    unsigned rest = (unsigned)(bits % 32);
    Limb carry = 0;
    for (size_t i = 0; i < count; i++) {
        shifted[limbs + i] = a[i] << rest | carry;
        carry = rest ? a[i] >> (32 - rest) : 0;
    }
    shifted[limbs + count] = carry;
}

void magnitude_shift_right(const Limb *a, size_t count, size_t bits, Limb *shifted)
{
    size_t limbs = bits / 32;
    unsigned rest = (unsigned)(bits % 32);
    for (size_t i = limbs; i < count; i++) {
        Limb above = i + 1 < count && rest ? a[i + 1] << (32 - rest) : 0;
        shifted[i - limbs] = a[i] >> rest | above;
    }
}

/* ---- Division ---- */

static void divide_by_limb(const Limb *a, size_t count, Limb divisor, Limb *quotient, Limb *remainder)
{
    Wide rest = 0;
    for (size_t i = count; i--;) {
        rest = rest << 32 | a[i];
        quotient[i] = (Limb)(rest / divisor);
        rest %= divisor;
    }
    *remainder = (Limb)rest;
}

/* Estimates one quotient limb from the top three limbs of the dividend. */
static Wide estimate_limb(const Limb *top, Limb divisor1, Limb divisor2)
{
    Wide numerator = (Wide)top[0] << 32 | top[-1];
    Wide estimate = numerator / divisor1, rest = numerator % divisor1;
    while (estimate >> 32 || estimate * divisor2 > (rest << 32 | top[-2])) {
        estimate--;
        rest += divisor1;
        if (rest >> 32)
            break;
    }
    return estimate;
}

/* u -= v * factor over count + 1 limbs of u; answers the borrow. */
static Limb multiply_subtract(Limb *u, const Limb *v, size_t count, Wide factor)
{
    Wide carry = 0, borrow = 0;
    for (size_t i = 0; i < count; i++) {
        carry += factor * v[i];
        Wide value = (Wide)u[i] - (Limb)carry - borrow;
        u[i] = (Limb)value;
        borrow = value >> 63;
        carry >>= 32;
    }
    Wide value = (Wide)u[count] - carry - borrow;
    u[count] = (Limb)value;
    return (Limb)(value >> 63);
}

void magnitude_divide(const Limb *a, size_t a_count, const Limb *b, size_t b_count,
                      Limb *quotient, Limb *remainder, Limb *scratch)
{
    if (b_count == 1) {
        divide_by_limb(a, a_count, b[0], quotient, remainder);
        return;
    }
    unsigned shift = (unsigned)__builtin_clz(b[b_count - 1]);
    Limb *u = scratch, *v = scratch + a_count + 1;
    for (size_t i = b_count; i--;)
        v[i] = b[i] << shift | (shift && i ? b[i - 1] >> (32 - shift) : 0);
    u[a_count] = shift ? a[a_count - 1] >> (32 - shift) : 0;
    for (size_t i = a_count; i--;)
        u[i] = a[i] << shift | (shift && i ? a[i - 1] >> (32 - shift) : 0);
    for (size_t j = a_count - b_count + 1; j--;) {
        Wide estimate = estimate_limb(u + j + b_count, v[b_count - 1], v[b_count - 2]);
        if (multiply_subtract(u + j, v, b_count, estimate)) {
            estimate--;
            Wide carry = 0;
            for (size_t i = 0; i < b_count; i++) {
                carry += (Wide)u[j + i] + v[i];
                u[j + i] = (Limb)carry;
                carry >>= 32;
            }
            u[j + b_count] += (Limb)carry;
        }
        quotient[j] = (Limb)estimate;
    }
    for (size_t i = 0; i < b_count; i++)
        remainder[i] = u[i] >> shift | (shift ? u[i + 1] << (32 - shift) : 0);
}

/* ---- Montgomery ---- */

void magnitude_montgomery(const Limb *a, const Limb *b, const Limb *m, size_t count,
                          Limb m_inverse, Limb *result)
{
    memset(result, 0, (count + 2) * sizeof *result);
    for (size_t i = 0; i < count; i++) {
        Wide carry = 0;
        for (size_t j = 0; j < count; j++) {
            carry += (Wide)a[i] * b[j] + result[j];
            result[j] = (Limb)carry;
            carry >>= 32;
        }
        carry += result[count];
        result[count] = (Limb)carry;
        result[count + 1] += (Limb)(carry >> 32);
        Limb factor = result[0] * m_inverse;
        carry = ((Wide)factor * m[0] + result[0]) >> 32;
        for (size_t j = 1; j < count; j++) {
            carry += (Wide)factor * m[j] + result[j];
            result[j - 1] = (Limb)carry;
            carry >>= 32;
        }
        carry += result[count];
        result[count - 1] = (Limb)carry;
        carry = (carry >> 32) + result[count + 1];
        result[count] = (Limb)carry;
        result[count + 1] = (Limb)(carry >> 32);
    }
    if (result[count] || magnitude_compare(result, count, m, count) >= 0)
        magnitude_subtract(result, count + 1, m, count, result);
}
