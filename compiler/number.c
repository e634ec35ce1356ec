#include "number.h"

#include <math.h>
#include <string.h>

#include "source.h"

/* --- Integers of any size --- */

void natural_init(Natural *n, Arena *arena)
{
    memset(n, 0, sizeof *n);
    n->arena = arena;
}

bool natural_is_zero(const Natural *n)
{
    return n->count == 0;
}

static void natural_reserve(Natural *n, size_t count)
{
    if (count <= n->capacity)
        return;
    size_t capacity = 2 * n->capacity > count ? 2 * n->capacity : count + 2;
    n->digits =
        arena_grow(n->arena, n->digits, n->count * sizeof *n->digits, capacity * sizeof *n->digits);
    n->capacity = capacity;
}

static void natural_trim(Natural *n)
{
    while (n->count && n->digits[n->count - 1] == 0)
        n->count--;
}

void natural_multiply_add(Natural *n, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    natural_reserve(n, n->count + 1);
    for (size_t i = 0; i < n->count; i++) {
        carry += (uint64_t)n->digits[i] * factor;
        n->digits[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        n->digits[n->count++] = (uint32_t)carry;
    natural_trim(n);
}

uint32_t natural_divide(Natural *n, uint32_t divisor)
{
    uint64_t rest = 0;
    for (size_t i = n->count; i-- > 0;) {
        rest = rest << 32 | n->digits[i];
        n->digits[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    natural_trim(n);
    return (uint32_t)rest;
}

void natural_multiply(Natural *n, const Natural *other)
{
    Natural product;
    natural_init(&product, n->arena);
    natural_reserve(&product, n->count + other->count + 1);
    product.count = n->count + other->count;
    for (size_t i = 0; i < product.count; i++)
        product.digits[i] = 0;
    for (size_t i = 0; i < n->count; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < other->count; j++) {
            carry += (uint64_t)n->digits[i] * other->digits[j] + product.digits[i + j];
            product.digits[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product.digits[i + other->count] = (uint32_t)carry;
    }
    natural_trim(&product);
    *n = product;
}

void natural_power(Natural *n, uint32_t base, uint32_t exponent)
{
    Natural square;
    natural_init(&square, n->arena);
    natural_multiply_add(&square, 0, base);
    n->count = 0;
    natural_multiply_add(n, 0, 1);
    for (; exponent; exponent >>= 1) {
        if (exponent & 1)
            natural_multiply(n, &square);
        if (exponent > 1) {
            Natural copy = square;
            natural_multiply(&square, &copy);
        }
    }
}

size_t natural_bit_length(const Natural *n)
{
    return n->count == 0 ? 0 : 32 * n->count - (size_t)__builtin_clz(n->digits[n->count - 1]);
}

static void natural_shift_left(Natural *n, size_t bits)
{
    size_t words = bits / 32, rest = bits % 32;
    natural_reserve(n, n->count + words + 1);
    if (n->count == 0)
        return;
    memmove(n->digits + words, n->digits, n->count * sizeof *n->digits);
    memset(n->digits, 0, words * sizeof *n->digits);
    n->count += words;
    if (rest)
        natural_multiply_add(n, 1u << rest, 0);
}

static int natural_compare(const Natural *a, const Natural *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (size_t i = a->count; i-- > 0;)
        if (a->digits[i] != b->digits[i])
            return a->digits[i] < b->digits[i] ? -1 : 1;
    return 0;
}

/* n := n - other, which is not larger. */
static void natural_subtract(Natural *n, const Natural *other)
{
    int64_t borrow = 0;
    for (size_t i = 0; i < n->count; i++) {
        borrow += (int64_t)n->digits[i] - (i < other->count ? other->digits[i] : 0);
        n->digits[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    natural_trim(n);
}

/* The integer quotient, known to be below 2^64; `rest` becomes the remainder. One bit at a time. */
static uint64_t natural_quotient(Natural *rest, const Natural *divisor)
{
    uint64_t quotient = 0;
    size_t steps = natural_bit_length(rest) - natural_bit_length(divisor);
    if (natural_bit_length(rest) < natural_bit_length(divisor))
        return 0;
    Natural shifted = *divisor;
    shifted.digits =
        arena_grow(rest->arena, divisor->digits, divisor->count * sizeof *divisor->digits,
                   (divisor->count + steps / 32 + 2) * sizeof *divisor->digits);
    shifted.capacity = divisor->count + steps / 32 + 2;
    natural_shift_left(&shifted, steps);
    for (size_t i = 0; i <= steps; i++) {
        quotient <<= 1;
        if (natural_compare(rest, &shifted) >= 0) {
            natural_subtract(rest, &shifted);
            quotient |= 1;
        }
        for (size_t j = 0; j < shifted.count; j++) /* halve */
            shifted.digits[j] =
                shifted.digits[j] >> 1 | (j + 1 < shifted.count ? shifted.digits[j + 1] << 31 : 0);
        natural_trim(&shifted);
    }
    return quotient;
}

static uint32_t natural_rest(const Natural *n, uint32_t divisor)
{
    uint64_t rest = 0;
    for (size_t i = n->count; i-- > 0;)
        rest = (rest << 32 | n->digits[i]) % divisor;
    return (uint32_t)rest;
}

/* Divides by `prime` while there is no remainder, at most `most` times; answers how often. As many
 * at a time as one digit holds, then one by one. */
static long natural_divide_out(Natural *n, uint32_t prime, long most)
{
    long count = 0, at_once = 1;
    uint32_t power = prime;
    for (; (uint64_t)power * prime <= UINT32_MAX; power *= prime)
        at_once++;
    for (; at_once; at_once = at_once > 1 ? 1 : 0, power = prime)
        while (n->count && count + at_once <= most && natural_rest(n, power) == 0) {
            natural_divide(n, power);
            count += at_once;
        }
    return count;
}

bool natural_clear_denominator(Natural *numerator, Natural *denominator, unsigned radix,
                               unsigned long *places)
{
    long most = (long)natural_bit_length(denominator), needed = 0;
    uint32_t primes[4];
    long counts[4], steps[4];
    size_t count = 0;
    for (uint32_t prime = 2; radix > 1; prime++) {
        long step = 0;
        for (; radix % prime == 0; radix /= prime)
            step++;
        if (!step)
            continue;
        primes[count] = prime;
        steps[count] = step;
        counts[count] = natural_divide_out(denominator, prime, most);
        if (needed * step < counts[count])
            needed = (counts[count] + step - 1) / step;
        count++;
    }
    for (size_t i = 0; i < count; i++)
        for (long j = counts[i]; j < needed * steps[i]; j++)
            natural_multiply_add(numerator, primes[i], 0);
    *places = (unsigned long)needed;
    return denominator->count == 1 && denominator->digits[0] == 1;
}

/* The quotient is scaled to 55 or 56 significant bits, the last of which says whether there is a
 * remainder, and then rounded once, at the position where the double's mantissa ends. */
double natural_ratio(Natural *numerator, Natural *denominator)
{
    enum { KEPT = 55, MANTISSA = 53, LEAST_EXPONENT = -1074 };
    if (natural_is_zero(numerator))
        return 0.0;
    long long size =
        (long long)natural_bit_length(numerator) - (long long)natural_bit_length(denominator);
    if (size > 1100)
        return HUGE_VAL;
    if (size < -1200)
        return 0.0;
    long long shift = KEPT - size; /* the quotient has KEPT or KEPT + 1 bits */
    if (shift > 0)
        natural_shift_left(numerator, (size_t)shift);
    else
        natural_shift_left(denominator, (size_t)-shift);
    uint64_t quotient = natural_quotient(numerator, denominator);
    bool inexact = !natural_is_zero(numerator);
    int bits = 64 - __builtin_clzll(quotient);
    long long exponent = -shift; /* value = quotient * 2^exponent */
    long long drop = bits - MANTISSA;
    if (exponent + drop < LEAST_EXPONENT)
        drop = LEAST_EXPONENT - exponent;
    if (drop > bits)
        return 0.0; /* below half of the least denormal */
    uint64_t kept = drop == 64 ? 0 : quotient >> drop;
    uint64_t lost = quotient & ((drop == 64 ? 0 : UINT64_C(1) << drop) - 1);
    uint64_t half = UINT64_C(1) << (drop - 1);
    if (lost > half || (lost == half && (inexact || (kept & 1))))
        kept++;
    return ldexp((double)kept, (int)(exponent + drop));
}

/* --- Literals --- */

static void literal_set_natural(Arena *arena, Literal *literal, const Natural *n, bool negative)
{
    size_t count = (natural_bit_length(n) + 7) / 8;
    uint8_t *bytes = arena_alloc(arena, count + 1);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(n->digits[i / 4] >> (8 * (i % 4)));
    literal->kind = LITERAL_INTEGER;
    literal->bytes = bytes;
    literal->byte_count = count;
    literal->negative = negative && count;
}

void natural_of_literal(Natural *n, Arena *arena, const Literal *integer)
{
    natural_init(n, arena);
    for (size_t i = integer->byte_count; i-- > 0;)
        natural_multiply_add(n, 256, integer->bytes[i]);
}

void literal_set_integer(Arena *arena, Literal *literal, int64_t value)
{
    Natural n;
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    natural_init(&n, arena);
    natural_multiply_add(&n, 0, (uint32_t)(magnitude >> 32));
    for (int i = 0; i < 2; i++)
        natural_multiply_add(&n, 1u << 16, 0);
    natural_multiply_add(&n, 1, (uint32_t)magnitude);
    literal_set_natural(arena, literal, &n, value < 0);
}

bool literal_get_integer(const Literal *literal, int64_t *value)
{
    if (literal->kind != LITERAL_INTEGER || literal->byte_count > 8)
        return false;
    uint64_t magnitude = 0;
    for (size_t i = 0; i < literal->byte_count; i++)
        magnitude |= (uint64_t)literal->bytes[i] << (8 * i);
    if (magnitude > (uint64_t)INT64_MAX + literal->negative)
        return false;
    *value = literal->negative ? (int64_t)-magnitude : (int64_t)magnitude;
    return true;
}

/* --- Reading --- */

/* Integers may not be longer than this; what comes out of an exponent is limited, not what is
 * written out. */
enum { MAXIMAL_EXPONENT = 100000 };

typedef struct {
    Arena *arena;
    const char *text;
    size_t length, at;
    const char *message;
} NumberReader;

static int reader_digit(const NumberReader *r, unsigned radix)
{
    if (r->at >= r->length)
        return -1;
    char c = r->text[r->at];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                : c >= 'a' && c <= 'z' ? c - 'a' + 10
                                       : -1;
    return digit < (int)radix ? digit : -1;
}

/* Appends digits to `n`; answers how many there were. */
static size_t reader_digits(NumberReader *r, unsigned radix, Natural *n)
{
    size_t first = r->at;
    for (int digit; (digit = reader_digit(r, radix)) >= 0; r->at++)
        natural_multiply_add(n, radix, (uint32_t)digit);
    return r->at - first;
}

static bool reader_peek(const NumberReader *r, size_t ahead, char from, char to)
{
    return r->at + ahead < r->length && r->text[r->at + ahead] >= from &&
           r->text[r->at + ahead] <= to;
}

static bool reader_is_letter(const NumberReader *r, size_t ahead)
{
    uint32_t code;
    if (r->at + ahead >= r->length)
        return false;
    utf8_decode(r->text + r->at + ahead, r->length - r->at - ahead, &code);
    return utf8_is_letter(code);
}

/* A decimal count behind an 'e' or 's', kept below a billion. */
static long reader_count(NumberReader *r)
{
    long value = 0;
    for (; reader_peek(r, 0, '0', '9'); r->at++)
        if (value < 100000000)
            value = 10 * value + (r->text[r->at] - '0');
    return value;
}

/* `e5`, `e-5` (also d, q): false when what follows is no exponent. */
static bool reader_exponent(NumberReader *r, long *exponent)
{
    if (!reader_peek(r, 0, 'e', 'e') && !reader_peek(r, 0, 'd', 'd') &&
        !reader_peek(r, 0, 'q', 'q'))
        return false;
    bool negative = reader_peek(r, 1, '-', '-');
    if (!reader_peek(r, negative ? 2 : 1, '0', '9'))
        return false;
    r->at += negative ? 2 : 1;
    *exponent = reader_count(r);
    if (negative)
        *exponent = -*exponent;
    return true;
}

/* `s2`, or `s` alone, which takes the number of digits behind the point. */
static bool reader_scale(NumberReader *r, size_t fraction_digits, int *scale)
{
    if (!reader_peek(r, 0, 's', 's') || reader_is_letter(r, 1))
        return false;
    r->at++;
    *scale = (int)fraction_digits;
    if (reader_peek(r, 0, '0', '9'))
        *scale = (int)reader_count(r);
    return true;
}

/* mantissa / radix ** places in lowest terms: numerator and denominator, in `elements`. */
static void reader_make_ratio(NumberReader *r, Natural *mantissa, unsigned radix, long places,
                              bool negative, Literal *literal)
{
    Natural denominator, power;
    natural_init(&denominator, r->arena);
    natural_init(&power, r->arena);
    natural_multiply_add(&denominator, 0, 1);
    for (uint32_t prime = 2; radix > 1; prime++) {
        long exponent = 0;
        for (; radix % prime == 0; radix /= prime)
            exponent += places;
        exponent -= natural_divide_out(mantissa, prime, exponent);
        if (exponent && mantissa->count) {
            natural_power(&power, prime, (uint32_t)exponent);
            natural_multiply(&denominator, &power);
        }
    }
    literal->element_count = 2;
    literal->elements = arena_alloc(r->arena, 2 * sizeof *literal->elements);
    for (int i = 0; i < 2; i++)
        literal->elements[i] = arena_alloc(r->arena, sizeof(Literal));
    literal_set_natural(r->arena, literal->elements[0], mantissa, negative);
    literal_set_natural(r->arena, literal->elements[1], &denominator, false);
}

static void reader_make_scaled(NumberReader *r, Natural *mantissa, size_t fraction_digits,
                               bool negative, int scale, Literal *literal)
{
    reader_make_ratio(r, mantissa, 10, (long)fraction_digits, negative, literal);
    literal->kind = LITERAL_SCALED;
    literal->scale = scale;
}

static void reader_make_float(NumberReader *r, Natural *mantissa, unsigned radix, long exponent,
                              bool negative, Literal *literal)
{
    Natural power;
    double real;
    natural_init(&power, r->arena);
    double magnitude = (double)natural_bit_length(mantissa) + exponent * log2(radix);
    if (natural_is_zero(mantissa) || magnitude < -1200) {
        real = 0.0;
    } else if (magnitude > 1200) {
        real = HUGE_VAL;
    } else {
        Natural one;
        natural_init(&one, r->arena);
        natural_multiply_add(&one, 0, 1);
        natural_power(&power, radix, (uint32_t)(exponent < 0 ? -exponent : exponent));
        if (exponent >= 0)
            natural_multiply(mantissa, &power);
        real = natural_ratio(mantissa, exponent < 0 ? &power : &one);
    }
    literal->kind = LITERAL_FLOAT;
    literal->real = negative ? -real : real;
}

/* A negative exponent makes a Fraction, unless the integer is a multiple of the power. */
static void reader_make_fraction(NumberReader *r, Natural *mantissa, unsigned radix, long places,
                                 bool negative, Literal *literal)
{
    int64_t denominator;
    reader_make_ratio(r, mantissa, radix, places, negative, literal);
    literal->kind = LITERAL_FRACTION;
    if (literal_get_integer(literal->elements[1], &denominator) && denominator == 1) {
        literal->element_count = 0;
        literal_set_natural(r->arena, literal, mantissa, negative);
    }
}

static void reader_make_integer(NumberReader *r, Natural *mantissa, unsigned radix, long exponent,
                                bool negative, Literal *literal)
{
    if (exponent > MAXIMAL_EXPONENT || exponent < -MAXIMAL_EXPONENT) {
        r->message = exponent > 0 ? "this integer is too large: its exponent is above 100000"
                                  : "this fraction is too small: its exponent is below -100000";
    } else if (exponent > 0) {
        Natural power;
        natural_init(&power, r->arena);
        natural_power(&power, radix, (uint32_t)exponent);
        natural_multiply(mantissa, &power);
    } else if (exponent < 0) {
        reader_make_fraction(r, mantissa, radix, -exponent, negative, literal);
        return;
    }
    literal_set_natural(r->arena, literal, mantissa, negative);
}

/* After the digits of the integer part; `radix` is known. */
static void reader_rest(NumberReader *r, Natural *mantissa, unsigned radix, bool negative,
                        Literal *literal)
{
    size_t fraction_digits = 0;
    bool point = false;
    long exponent = 0;
    int scale;
    if (reader_peek(r, 0, '.', '.')) {
        r->at++;
        point = reader_digit(r, radix) >= 0;
        if (point)
            fraction_digits = reader_digits(r, radix, mantissa);
        else
            r->at--; /* a period that ends the statement */
    }
    if (radix == 10 && reader_scale(r, fraction_digits, &scale)) {
        reader_make_scaled(r, mantissa, fraction_digits, negative, scale, literal);
        return;
    }
    reader_exponent(r, &exponent);
    if (point)
        reader_make_float(r, mantissa, radix, exponent - (long)fraction_digits, negative, literal);
    else
        reader_make_integer(r, mantissa, radix, exponent, negative, literal);
}

size_t number_read(Arena *arena, const char *text, size_t length, Literal *literal,
                   const char **message)
{
    NumberReader r = {arena, text, length, 0, NULL};
    bool negative = reader_peek(&r, 0, '-', '-');
    Natural mantissa;
    unsigned radix = 10;
    natural_init(&mantissa, arena);
    r.at += negative;
    size_t count = reader_digits(&r, 10, &mantissa);
    if (reader_peek(&r, 0, 'r', 'r') && count <= 2) {
        radix = mantissa.count ? mantissa.digits[0] : 0;
        r.at++;
        if (reader_peek(&r, 0, '-', '-') && !negative) {
            negative = true;
            r.at++;
        }
        mantissa.count = 0;
        if (radix < 2 || radix > 36) {
            r.message = "the radix of a number must be between 2 and 36";
            reader_digits(&r, 36, &mantissa);
            radix = 10;
        } else if (reader_digits(&r, radix, &mantissa) == 0) {
            r.message = "digits expected after the radix";
        }
    }
    reader_rest(&r, &mantissa, radix, negative, literal);
    *message = r.message;
    return r.at;
}
