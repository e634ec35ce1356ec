/* The module FloatArrayPlugin: arrays of 32-bit floats. Arithmetic is done in
 * double precision and rounded once on storing. */
#include "osvm/prims.h"

#include <math.h>
#include <string.h>

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

typedef struct {
    float *at;
    size_t count;
    bool read_only;
} Floats;

static bool floats_of(const OsvmPrimApi *vm, OsvmCall *call, int index, Floats *out)
{
    OsvmElements elements;
    if (!vm->elements(call, vm->arg(call, index), &elements) || elements.element_size != 4)
        return false;
    *out = (Floats){.at = elements.data, .count = elements.count, .read_only = elements.read_only};
    return true;
}

#define RECEIVER(name, failure)                                                                    \
    Floats name;                                                                                   \
    if (!floats_of(vm, call, OSVM_RECEIVER, &name))                                                \
    return failure

static int real_result(const OsvmPrimApi *vm, OsvmCall *call, double value)
{
    return vm->result(call, vm->from_real(call, value));
}

/* ---- Elements ---- */

static bool element_index(const OsvmPrimApi *vm, OsvmCall *call, const Floats *floats, size_t *index)
{
    int64_t position;
    OsvmValue value = vm->arg(call, 0);
    if (!osvm_small_integer(vm, call, value, &position) || position < 1 ||
        (uint64_t)position > floats->count)
        return false;
    *index = (size_t)position - 1;
    return true;
}

FUNCTION(at)
{
    size_t index;
    RECEIVER(floats, OSVM_FAILED);
    return element_index(vm, call, &floats, &index) ? real_result(vm, call, floats.at[index]) : OSVM_FAILED;
}

static bool element_value(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue value, double *out)
{
    int64_t integer;
    if (vm->real(call, value, out))
        return true;
    if (!osvm_small_integer(vm, call, value, &integer))
        return false;
    *out = (double)integer;
    return true;
}

FUNCTION(at_put)
{
    size_t index;
    double value;
    RECEIVER(floats, OSVM_FAILED);
    if (!element_index(vm, call, &floats, &index) || !element_value(vm, call, vm->arg(call, 1), &value))
        return OSVM_FAILED;
    if (floats.read_only)
        return OSVM_NO_MODIFICATION;
    floats.at[index] = (float)value;
    return vm->result(call, vm->arg(call, 1));
}

/* ---- Arithmetic in place, with an array of the same size or a Float ---- */

static double sum(double a, double b)
{
    return a + b;
}

static double difference(double a, double b)
{
    return a - b;
}

static double product(double a, double b)
{
    return a * b;
}

static double quotient(double a, double b)
{
    return a / b;
}

static double product_with_inverse(double a, double b)
{
    return a * (1 / b);
}

typedef double Operation(double a, double b);

static int with_array(const OsvmPrimApi *vm, OsvmCall *call, Operation *operation)
{
    Floats other;
    RECEIVER(floats, OSVM_FAILED);
    if (!floats_of(vm, call, 0, &other) || other.count != floats.count)
        return OSVM_FAILED;
    if (operation == quotient) /* all or nothing: the image reports the division by zero */
        for (size_t i = 0; i < other.count; i++)
            if (other.at[i] == 0)
                return OSVM_FAILED;
    if (floats.read_only)
        return OSVM_NO_MODIFICATION;
    for (size_t i = 0; i < floats.count; i++)
        floats.at[i] = (float)operation(floats.at[i], other.at[i]);
    return vm->result_receiver(call);
}

static int with_number(const OsvmPrimApi *vm, OsvmCall *call, Operation *operation)
{
    double number;
    RECEIVER(floats, OSVM_FAILED);
    if (!vm->real(call, vm->arg(call, 0), &number))
        return OSVM_FAILED;
    if (floats.read_only)
        return OSVM_NO_MODIFICATION;
    for (size_t i = 0; i < floats.count; i++)
        floats.at[i] = (float)operation(floats.at[i], number);
    return vm->result_receiver(call);
}

#define ARITHMETIC(name, how, operation)                                                           \
    FUNCTION(name)                                                                                 \
    {                                                                                              \
        return how(vm, call, operation);                                                           \
    }

ARITHMETIC(add_array, with_array, sum)
ARITHMETIC(subtract_array, with_array, difference)
ARITHMETIC(multiply_array, with_array, product)
ARITHMETIC(divide_array, with_array, quotient)
ARITHMETIC(add_number, with_number, sum)
ARITHMETIC(subtract_number, with_number, difference)
ARITHMETIC(multiply_number, with_number, product)
ARITHMETIC(divide_number, with_number, product_with_inverse)

/* ---- Reductions ---- */

static double dot(const Floats *a, const Floats *b)
{
    double total = 0;
    for (size_t i = 0; i < a->count; i++)
        total += (double)a->at[i] * b->at[i];
    return total;
}

FUNCTION(dot_product)
{
    Floats other;
    RECEIVER(floats, OSVM_FAILED);
    if (!floats_of(vm, call, 0, &other) || other.count != floats.count)
        return OSVM_FAILED;
    return real_result(vm, call, dot(&floats, &other));
}

FUNCTION(total)
{
    RECEIVER(floats, OSVM_FAILED);
    double all = 0;
    for (size_t i = 0; i < floats.count; i++)
        all += floats.at[i];
    return real_result(vm, call, all);
}

/* Where there is nothing, or nothing but zeros, there is no direction. */
FUNCTION(length)
{
    RECEIVER(floats, OSVM_BAD_RECEIVER);
    double all = dot(&floats, &floats);
    return all > 0 ? real_result(vm, call, sqrt(all)) : OSVM_BAD_RECEIVER;
}

FUNCTION(normalize)
{
    RECEIVER(floats, OSVM_BAD_RECEIVER);
    double all = dot(&floats, &floats);
    if (!(all > 0))
        return OSVM_BAD_RECEIVER;
    if (floats.read_only)
        return OSVM_NO_MODIFICATION;
    for (size_t i = 0; i < floats.count; i++)
        floats.at[i] = (float)(floats.at[i] / sqrt(all));
    return vm->result_receiver(call);
}

FUNCTION(equal)
{
    Floats other;
    RECEIVER(floats, OSVM_FAILED);
    if (!floats_of(vm, call, 0, &other))
        return OSVM_FAILED;
    bool same = floats.count == other.count;
    for (size_t i = 0; same && i < floats.count; i++)
        same = floats.at[i] == other.at[i];
    return vm->result(call, vm->from_boolean(call, same));
}

FUNCTION(hash)
{
    RECEIVER(floats, OSVM_FAILED);
    uint32_t all = 0;
    for (size_t i = 0; i < floats.count; i++) {
        uint32_t bits;
        memcpy(&bits, &floats.at[i], sizeof bits);
        all += bits;
    }
    return vm->result(call, vm->from_int64(call, all & 0x1FFFFFFF));
}

static const OsvmPrim functions[] = {
    {"primitiveAt", at, 1, OSVM_MAY_ALLOCATE},
    {"primitiveAtPut", at_put, 1, OSVM_MAY_ALLOCATE},
    {"primitiveAddFloatArray", add_array, 1, 0},
    {"primitiveSubFloatArray", subtract_array, 1, 0},
    {"primitiveMulFloatArray", multiply_array, 1, 0},
    {"primitiveDivFloatArray", divide_array, 1, 0},
    {"primitiveAddScalar", add_number, 1, 0},
    {"primitiveSubScalar", subtract_number, 1, 0},
    {"primitiveMulScalar", multiply_number, 1, 0},
    {"primitiveDivScalar", divide_number, 1, 0},
    {"primitiveDotProduct", dot_product, 1, OSVM_MAY_ALLOCATE},
    {"primitiveSum", total, 1, OSVM_MAY_ALLOCATE},
    {"primitiveLength", length, 1, OSVM_MAY_ALLOCATE},
    {"primitiveNormalize", normalize, 1, 0},
    {"primitiveEqual", equal, 1, 0},
    {"primitiveHashArray", hash, 1, 0},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "FloatArrayPlugin",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "floatarray",
    .version = OSVM_VERSION,
    .summary = "arrays of 32-bit floats",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
