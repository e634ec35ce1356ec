/* The module DSAPrims: the inner loops of SHA-1 and of arithmetic with large integers in place,
 * least digit first, for digital signatures. */
#include "osvm/prims.h"

#include <string.h>

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

enum { BLOCK_BYTES = 64, ROUNDS = 80, STATE_WORDS = 5 };

/* --- SHA-1 -------------------------------------------------------------------------- */

static bool array_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, unsigned element_size,
                           size_t count, OsvmElements *out)
{
    return vm->elements(call, vm->arg(call, index), out) && out->element_size == element_size &&
           out->count == count;
}

static uint32_t rotate(uint32_t word, unsigned left)
{
    return word << left | word >> (32 - left);
}

/* Arguments: the bytes of a block, the words of all rounds. */
FUNCTION(expand_block)
{
    OsvmElements block, words;
    if (vm->arg_count(call) != 2)
        return OSVM_BAD_ARG_COUNT;
    if (!array_argument(vm, call, 0, 1, BLOCK_BYTES, &block) ||
        !array_argument(vm, call, 1, 4, ROUNDS, &words))
        return OSVM_BAD_ARGUMENT;
    if (words.read_only)
        return OSVM_NO_MODIFICATION;
    const uint8_t *byte = block.data;
    uint32_t *word = words.data;
    for (int i = 0; i < BLOCK_BYTES / 4; i++, byte += 4)
        word[i] = (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
    for (int i = BLOCK_BYTES / 4; i < ROUNDS; i++)
        word[i] = rotate(word[i - 3] ^ word[i - 8] ^ word[i - 14] ^ word[i - 16], 1);
    return vm->result_receiver(call);
}

/* What a round mixes from three words of the state; rounds go in four groups of twenty. */
static uint32_t mix(int round, uint32_t b, uint32_t c, uint32_t d)
{
    if (round < 20)
        return 0x5A827999 + ((b & c) | (~b & d));
    if (round < 40)
        return 0x6ED9EBA1 + (b ^ c ^ d);
    if (round < 60)
        return 0x8F1BBCDC + ((b & c) | (b & d) | (c & d));
    return 0xCA62C1D6 + (b ^ c ^ d);
}

/* Arguments: the words of all rounds, the state. */
FUNCTION(hash_block)
{
    OsvmElements words, state;
    uint32_t s[STATE_WORDS];
    if (vm->arg_count(call) != 2)
        return OSVM_BAD_ARG_COUNT;
    if (!array_argument(vm, call, 0, 4, ROUNDS, &words) ||
        !array_argument(vm, call, 1, 4, STATE_WORDS, &state))
        return OSVM_BAD_ARGUMENT;
    if (state.read_only)
        return OSVM_NO_MODIFICATION;
    memcpy(s, state.data, sizeof s);
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t next = rotate(s[0], 5) + mix(i, s[1], s[2], s[3]) + s[4] +
                        ((const uint32_t *)words.data)[i];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = rotate(s[1], 30);
        s[1] = s[0];
        s[0] = next;
    }
    for (int i = 0; i < STATE_WORDS; i++)
        ((uint32_t *)state.data)[i] += s[i];
    return vm->result_receiver(call);
}

FUNCTION(has_secure_hash)
{
    return vm->result(call, vm->from_boolean(call, true));
}

/* --- Large integers ------------------------------------------------------------------ */

/* The digits of a LargePositiveInteger, which may have zeros at its end. */
static bool digits_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, OsvmElements *out)
{
    OsvmInteger integer;
    OsvmValue value = vm->arg(call, index);
    return vm->kind(call, value) == OSVM_LARGE_INTEGER && vm->integer(call, value, &integer) &&
           !integer.negative && vm->elements(call, value, out);
}

/* Arguments: two factors, and a product of as many digits as both, all zeros. */
FUNCTION(big_multiply)
{
    OsvmElements a, b, product;
    if (vm->arg_count(call) != 3)
        return OSVM_BAD_ARG_COUNT;
    if (!digits_argument(vm, call, 0, &a) || !digits_argument(vm, call, 1, &b) ||
        !digits_argument(vm, call, 2, &product) || product.count != a.count + b.count)
        return OSVM_BAD_ARGUMENT;
    if (product.read_only)
        return OSVM_NO_MODIFICATION;
    const uint8_t *x = a.data, *y = b.data;
    uint8_t *to = product.data;
    for (size_t i = 0; i < a.count; i++) {
        unsigned carry = 0;
        if (!x[i])
            continue;
        for (size_t j = 0; j < b.count; j++) {
            unsigned sum = (unsigned)x[i] * y[j] + to[i + j] + carry;
            to[i + j] = (uint8_t)sum;
            carry = sum >> 8;
        }
        to[i + b.count] = (uint8_t)carry;
    }
    return vm->result_receiver(call);
}

/* Subtracts `digit` times the divisor from the remainder; answers what is still to be borrowed. */
static unsigned subtract_product(uint8_t *remainder, const uint8_t *divisor, size_t count, unsigned digit)
{
    unsigned borrow = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned product = divisor[i] * digit + borrow;
        borrow = (product >> 8) + (remainder[i] < (product & 255));
        remainder[i] = (uint8_t)(remainder[i] - product);
    }
    return borrow;
}

static void add_back(uint8_t *remainder, const uint8_t *divisor, size_t count)
{
    unsigned carry = 0;
    for (size_t i = 0; i < count; i++) {
        carry += remainder[i] + divisor[i];
        remainder[i] = (uint8_t)carry;
        carry >>= 8;
    }
    remainder[count] = (uint8_t)(remainder[count] + carry);
}

/* The next digit of the quotient: guessed from the leading digits, at most two too large (the
 * divisor's first one is at least 128), then corrected. `remainder` has one digit more. */
static unsigned divide_step(uint8_t *remainder, const uint8_t *divisor, size_t count)
{
    unsigned leading = remainder[count] * 256u + remainder[count - 1];
    unsigned digit = leading / divisor[count - 1] > 255 ? 255 : leading / divisor[count - 1];
    unsigned borrow = subtract_product(remainder, divisor, count, digit);
    int rest = (int)remainder[count] - (int)borrow;
    remainder[count] = (uint8_t)rest;
    for (; rest < 0; rest = (int8_t)remainder[count]) {
        add_back(remainder, divisor, count);
        digit--;
    }
    return digit;
}

/* Arguments: what is divided, and becomes the remainder; the divisor; the quotient. */
FUNCTION(big_divide)
{
    OsvmElements rest, by, quotient;
    if (vm->arg_count(call) != 3)
        return OSVM_BAD_ARG_COUNT;
    if (!digits_argument(vm, call, 0, &rest) || !digits_argument(vm, call, 1, &by) ||
        !digits_argument(vm, call, 2, &quotient) || by.count < 2 || rest.count <= by.count ||
        quotient.count < rest.count - by.count)
        return OSVM_BAD_ARGUMENT;
    uint8_t *remainder = rest.data, *digits = quotient.data;
    const uint8_t *divisor = by.data;
    if (divisor[by.count - 1] < 128 || remainder[rest.count - 1] >= divisor[by.count - 1])
        return OSVM_BAD_ARGUMENT;
    if (rest.read_only || quotient.read_only)
        return OSVM_NO_MODIFICATION;
    for (size_t i = rest.count - by.count; i-- > 0;)
        digits[i] = (uint8_t)divide_step(remainder + i, divisor, by.count);
    return vm->result_receiver(call);
}

/* 1-based; 1 where all are zero, as elsewhere. */
FUNCTION(highest_non_zero_digit)
{
    OsvmElements digits;
    if (vm->arg_count(call) != 1)
        return OSVM_BAD_ARG_COUNT;
    if (!digits_argument(vm, call, 0, &digits))
        return OSVM_BAD_ARGUMENT;
    size_t count = digits.count;
    while (count > 1 && !((const uint8_t *)digits.data)[count - 1])
        count--;
    return vm->result(call, vm->from_uint64(call, count ? count : 1));
}

static const OsvmPrim functions[] = {
    {"primitiveHasSecureHashPrimitive", has_secure_hash, -1, 0},
    {"primitiveExpandBlock", expand_block, 0, 0},
    {"primitiveHashBlock", hash_block, 0, 0},
    {"primitiveBigMultiply", big_multiply, 0, 0},
    {"primitiveBigDivide", big_divide, 0, 0},
    {"primitiveHighestNonZeroDigitIndex", highest_non_zero_digit, 0, 0},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "DSAPrims",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "dsa",
    .version = OSVM_VERSION,
    .summary = "inner loops of digital signatures",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
