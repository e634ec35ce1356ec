/* The module LargeIntegers: integers of any size. Magnitudes are little-endian
 * bytes in the heap; the sign is in the class. All results are normalised.
 */
#include "osvm/prims.h"
#include "osvm/world.h"

#include <stdlib.h>
#include <string.h>

#include "magnitude.h"

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

/* An integer operand, its magnitude as trimmed limbs in host memory. */
typedef struct {
    Limb *limbs;
    size_t count;
    bool negative;
    Limb few[16]; /* where small magnitudes are kept */
} Operand;

static void operand_free(Operand *operand)
{
    if (operand->limbs != operand->few)
        free(operand->limbs);
}

/* Reads the argument at `index`; to be given back with operand_free. */
static int operand_read(const OsvmPrimApi *vm, OsvmCall *call, int index, Operand *operand)
{
    OsvmInteger integer;
    if (!vm->integer(call, vm->arg(call, index), &integer))
        return OSVM_BAD_ARGUMENT;
    operand->count = (integer.count + sizeof(Limb) - 1) / sizeof(Limb);
    operand->negative = integer.negative;
    operand->limbs = operand->few;
    if (operand->count > sizeof operand->few / sizeof(Limb)) {
        operand->limbs = malloc(operand->count * sizeof(Limb));
        if (!operand->limbs)
            return OSVM_NO_C_MEMORY;
    }
    if (operand->count)
        operand->limbs[operand->count - 1] = 0;
    memcpy(operand->limbs, integer.bytes, integer.count);
    return OSVM_SUCCESS;
}

static int operands_read(const OsvmPrimApi *vm, OsvmCall *call, Operand *a, Operand *b)
{
    int failure = operand_read(vm, call, OSVM_RECEIVER, a);
    if (failure)
        return failure;
    failure = operand_read(vm, call, 0, b);
    if (failure)
        operand_free(a);
    return failure;
}

static OsvmValue integer_value(const OsvmPrimApi *vm, OsvmCall *call, const Limb *limbs, size_t count,
                               bool negative)
{
    return vm->from_magnitude(call, (const uint8_t *)limbs, count * sizeof(Limb), negative);
}

static int integer_result(const OsvmPrimApi *vm, OsvmCall *call, const Limb *limbs, size_t count,
                          bool negative)
{
    return vm->result(call, integer_value(vm, call, limbs, count, negative));
}

/* Work on two operands with `work` limbs of room; every such function looks like this. */
typedef int Work(const OsvmPrimApi *vm, OsvmCall *call, const Operand *a, const Operand *b, Limb *room);

static int with_operands(const OsvmPrimApi *vm, OsvmCall *call, Work *work,
                         size_t (*room_for)(const Operand *a, const Operand *b))
{
    Operand a, b;
    Limb few[64];
    if (vm->arg_count(call) < 1)
        return OSVM_BAD_ARG_COUNT;
    int failure = operands_read(vm, call, &a, &b);
    if (failure)
        return failure;
    size_t count = room_for(&a, &b);
    Limb *room = count <= sizeof few / sizeof *few ? few : malloc(count * sizeof *room);
    failure = room ? work(vm, call, &a, &b, room) : OSVM_NO_C_MEMORY;
    if (room != few)
        free(room);
    operand_free(&a);
    operand_free(&b);
    return failure;
}

static size_t longer(const Operand *a, const Operand *b)
{
    return a->count > b->count ? a->count : b->count;
}

static size_t room_for_sum(const Operand *a, const Operand *b)
{
    return longer(a, b) + 1;
}

/* ---- Sum and difference of magnitudes ---- */

static int add_work(const OsvmPrimApi *vm, OsvmCall *call, const Operand *a, const Operand *b, Limb *sum)
{
    magnitude_add(a->limbs, a->count, b->limbs, b->count, sum);
    return integer_result(vm, call, sum, longer(a, b) + 1, a->negative);
}

FUNCTION(digit_add)
{
    return with_operands(vm, call, add_work, room_for_sum);
}

static int subtract_work(const OsvmPrimApi *vm, OsvmCall *call, const Operand *a, const Operand *b,
                         Limb *difference)
{
    bool swap = magnitude_compare(a->limbs, a->count, b->limbs, b->count) < 0;
    const Operand *more = swap ? b : a, *less = swap ? a : b;
    magnitude_subtract(more->limbs, more->count, less->limbs, less->count, difference);
    return integer_result(vm, call, difference, more->count, a->negative != swap);
}

FUNCTION(digit_subtract)
{
    return with_operands(vm, call, subtract_work, room_for_sum);
}

/* ---- Product ---- */

static size_t room_for_product(const Operand *a, const Operand *b)
{
    return a->count + b->count + magnitude_multiply_scratch(a->count, b->count);
}

static int multiply_work(const OsvmPrimApi *vm, OsvmCall *call, const Operand *a, const Operand *b,
                         Limb *product)
{
    bool negative;
    if (!vm->boolean(call, vm->arg(call, 1), &negative))
        return OSVM_BAD_ARGUMENT;
    size_t count = a->count + b->count;
    magnitude_multiply(a->limbs, a->count, b->limbs, b->count, product, product + count);
    return integer_result(vm, call, product, count, negative);
}

FUNCTION(digit_multiply)
{
    return with_operands(vm, call, multiply_work, room_for_product);
}

/* ---- Quotient and remainder ---- */

static size_t room_for_quotient(const Operand *a, const Operand *b)
{
    return a->count < b->count ? 1 : 2 * (a->count + 1) + 2 * b->count;
}

/* An Array of quotient and remainder; the remainder has the sign of the receiver. */
static int divide_work(const OsvmPrimApi *vm, OsvmCall *call, const Operand *a, const Operand *b,
                       Limb *room)
{
    bool negative;
    if (!vm->boolean(call, vm->arg(call, 1), &negative))
        return OSVM_BAD_ARGUMENT;
    if (b->count == 0)
        return OSVM_FAILED;
    const Limb *quotient = room, *remainder = a->limbs;
    size_t quotient_count = 0, remainder_count = a->count;
    if (a->count >= b->count) {
        quotient_count = a->count - b->count + 1;
        remainder_count = b->count;
        remainder = room + quotient_count;
        magnitude_divide(a->limbs, a->count, b->limbs, b->count, room, room + quotient_count,
                         room + quotient_count + remainder_count);
    }
    OsvmValue pair = vm->new_array(call, 2);
    OsvmValue first = integer_value(vm, call, quotient, quotient_count, negative);
    OsvmValue second = integer_value(vm, call, remainder, remainder_count, a->negative);
    if (osvm_is_none(pair) || osvm_is_none(first) || osvm_is_none(second))
        return OSVM_NO_MEMORY;
    vm->put_slot(call, pair, 0, first);
    vm->put_slot(call, pair, 1, second);
    return vm->result(call, pair);
}

FUNCTION(digit_divide)
{
    return with_operands(vm, call, divide_work, room_for_quotient);
}

/* ---- Bit logic on two's complements ---- */

static Limb complement_limb(const Operand *operand, size_t index, uint64_t *carry)
{
    Limb limb = index < operand->count ? operand->limbs[index] : 0;
    if (!operand->negative)
        return limb;
    *carry += (Limb)~limb;
    limb = (Limb)*carry;
    *carry >>= 32;
    return limb;
}

typedef Limb BitOperation(Limb a, Limb b);

static Limb limb_and(Limb a, Limb b)
{
    return a & b;
}

static Limb limb_or(Limb a, Limb b)
{
    return a | b;
}

static Limb limb_xor(Limb a, Limb b)
{
    return a ^ b;
}

static int bit_work(const OsvmPrimApi *vm, OsvmCall *call, const Operand *a, const Operand *b,
                    Limb *room, BitOperation *operation)
{
    size_t count = longer(a, b) + 1; /* the last limb is all sign */
    uint64_t a_carry = 1, b_carry = 1;
    for (size_t i = 0; i < count; i++)
        room[i] = operation(complement_limb(a, i, &a_carry), complement_limb(b, i, &b_carry));
    bool negative = room[count - 1] >> 31;
    if (negative) {
        uint64_t carry = 1;
        for (size_t i = 0; i < count; i++) {
            carry += (Limb)~room[i];
            room[i] = (Limb)carry;
            carry >>= 32;
        }
    }
    return integer_result(vm, call, room, count, negative);
}

#define BIT_FUNCTION(name, operation)                                                              \
    static int name##_work(const OsvmPrimApi *vm, OsvmCall *call, const Operand *a,                \
                           const Operand *b, Limb *room)                                           \
    {                                                                                              \
        return bit_work(vm, call, a, b, room, operation);                                          \
    }                                                                                              \
    FUNCTION(name)                                                                                 \
    {                                                                                              \
        return with_operands(vm, call, name##_work, room_for_sum);                                 \
    }

BIT_FUNCTION(digit_bit_and, limb_and)
BIT_FUNCTION(digit_bit_or, limb_or)
BIT_FUNCTION(digit_bit_xor, limb_xor)

/* ---- Shift of the magnitude; the sign stays ---- */

/* More bits than any heap holds. */
#define SHIFT_MAX ((int64_t)1 << 36)

FUNCTION(digit_bit_shift)
{
    Operand a;
    int64_t bits;
    if (vm->arg_count(call) != 1 || !osvm_small_argument(vm, call, 0, &bits))
        return OSVM_BAD_ARGUMENT;
    int failure = operand_read(vm, call, OSVM_RECEIVER, &a);
    if (failure)
        return failure;
    size_t limbs = (size_t)(bits < 0 ? 0 : bits > SHIFT_MAX ? 0 : bits / 32);
    size_t down = bits < 0 ? 0 - (size_t)bits : 0;
    Limb *room = bits > SHIFT_MAX ? NULL : calloc(a.count + limbs + 1, sizeof *room);
    if (!room)
        failure = a.count ? OSVM_NO_MEMORY : integer_result(vm, call, a.limbs, 0, false);
    else if (bits >= 0) {
        magnitude_shift_left(a.limbs, a.count, (size_t)bits, room);
        failure = integer_result(vm, call, room, a.count + limbs + 1, a.negative);
    } else if (down >= a.count * 32)
        failure = integer_result(vm, call, room, 0, false);
    else {
        magnitude_shift_right(a.limbs, a.count, down, room);
        failure = integer_result(vm, call, room, a.count - down / 32, a.negative);
    }
    free(room);
    operand_free(&a);
    return failure;
}

/* ---- Questions ---- */

FUNCTION(digit_compare)
{
    Operand a, b;
    int64_t small_a, small_b;
    int failure = operands_read(vm, call, &a, &b);
    if (failure)
        return failure;
    int order = magnitude_compare(a.limbs, a.count, b.limbs, b.count);
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER), argument = vm->arg(call, 0);
    if (vm->kind(call, receiver) == OSVM_SMALL_INTEGER && vm->kind(call, argument) == OSVM_SMALL_INTEGER &&
        vm->int64(call, receiver, &small_a) && vm->int64(call, argument, &small_b))
        order = (small_a > small_b) - (small_a < small_b);
    operand_free(&a);
    operand_free(&b);
    return vm->result(call, vm->from_int64(call, order));
}

/* Is one of the bits from..to (1-based) of the magnitude set? */
FUNCTION(any_bit)
{
    Operand a;
    int64_t from, to;
    if (vm->arg_count(call) != 2 || !osvm_small_argument(vm, call, 0, &from) ||
        !osvm_small_argument(vm, call, 1, &to))
        return OSVM_BAD_ARGUMENT;
    int failure = operand_read(vm, call, OSVM_RECEIVER, &a);
    if (failure)
        return failure;
    if (from < 1 || to < 1) {
        operand_free(&a);
        return OSVM_FAILED;
    }
    bool found = false;
    int64_t last = (int64_t)a.count * 32;
    for (int64_t bit = from - 1; bit < to && bit < last && !found;) {
        if (bit % 32 == 0 && bit + 32 <= to) {
            found = a.limbs[bit / 32] != 0;
            bit += 32;
        } else {
            found = a.limbs[bit / 32] >> (bit % 32) & 1;
            bit++;
        }
    }
    operand_free(&a);
    return vm->result(call, vm->from_boolean(call, found));
}

static int normalize(const OsvmPrimApi *vm, OsvmCall *call, bool negative)
{
    OsvmInteger integer;
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    if (vm->kind(call, receiver) != OSVM_LARGE_INTEGER || !vm->integer(call, receiver, &integer) ||
        integer.negative != negative)
        return OSVM_BAD_ARGUMENT;
    return vm->result(call, vm->from_magnitude(call, integer.bytes, integer.count, negative));
}

FUNCTION(normalize_positive)
{
    return normalize(vm, call, false);
}

FUNCTION(normalize_negative)
{
    return normalize(vm, call, true);
}

/* ---- Montgomery ---- */

static void copy_limbs(Limb *to, const Operand *from, size_t count)
{
    size_t used = from->count < count ? from->count : count;
    memcpy(to, from->limbs, used * sizeof *to);
    memset(to + used, 0, (count - used) * sizeof *to);
}

/* a montgomeryTimes: b modulo: m mInvModB: inverse */
FUNCTION(montgomery)
{
    Operand a, b, m;
    OsvmInteger any;
    uint64_t inverse;
    if (vm->arg_count(call) != 3 || !vm->integer(call, vm->arg(call, 2), &any))
        return OSVM_BAD_ARGUMENT;
    int failure = operands_read(vm, call, &a, &b);
    if (failure)
        return failure;
    failure = operand_read(vm, call, 1, &m);
    if (!failure) {
        size_t count = m.count;
        Limb *room = NULL;
        if (count == 0 || a.count > count || b.count > count ||
            !vm->uint64(call, vm->arg(call, 2), &inverse) || inverse >> 32)
            failure = OSVM_FAILED;
        else if (!(room = malloc((3 * count + 2) * sizeof *room)))
            failure = OSVM_NO_C_MEMORY;
        else {
            copy_limbs(room, &a, count);
            copy_limbs(room + count, &b, count);
            magnitude_montgomery(room, room + count, m.limbs, count, (Limb)inverse, room + 2 * count);
            failure = integer_result(vm, call, room + 2 * count, count, false);
        }
        free(room);
        operand_free(&m);
    }
    operand_free(&a);
    operand_free(&b);
    return failure;
}

FUNCTION(montgomery_digit_length)
{
    return vm->result(call, vm->from_int64(call, 32));
}

FUNCTION(module_name)
{
    static const char name[] = "LargeIntegers (osvm)";
    return vm->result(call, vm->from_string(call, name, sizeof name - 1));
}

static const OsvmPrim functions[] = {
    {"primDigitAdd", digit_add, 1, OSVM_MAY_ALLOCATE},
    {"primDigitSubtract", digit_subtract, 1, OSVM_MAY_ALLOCATE},
    {"primDigitMultiplyNegative", digit_multiply, 1, OSVM_MAY_ALLOCATE},
    {"primDigitDivNegative", digit_divide, 1, OSVM_MAY_ALLOCATE},
    {"primDigitBitAnd", digit_bit_and, 1, OSVM_MAY_ALLOCATE},
    {"primDigitBitOr", digit_bit_or, 1, OSVM_MAY_ALLOCATE},
    {"primDigitBitXor", digit_bit_xor, 1, OSVM_MAY_ALLOCATE},
    {"primDigitBitShiftMagnitude", digit_bit_shift, 1, OSVM_MAY_ALLOCATE},
    {"primDigitCompare", digit_compare, 1, 0},
    {"primAnyBitFromTo", any_bit, 1, 0},
    {"primNormalizePositive", normalize_positive, 1, OSVM_MAY_ALLOCATE},
    {"primNormalizeNegative", normalize_negative, 1, OSVM_MAY_ALLOCATE},
    {"primMontgomeryTimesModulo", montgomery, 1, OSVM_MAY_ALLOCATE},
    {"primMontgomeryDigitLength", montgomery_digit_length, -1, 0},
    {"primGetModuleName", module_name, -1, OSVM_MAY_ALLOCATE},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "LargeIntegers",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "largeintegers",
    .version = OSVM_VERSION,
    .summary = "integers of any size",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
