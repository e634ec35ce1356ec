/* Primitives 600 to 629: values of the machine's types in objects of bits, at any byte offset
 * from 0 on. Those after them, which go through an address, are left out: they would let an image
 * touch any memory of the process. */
#include <string.h>

#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

/* Where a value of `size` bytes is; operands: bytes, offset, and a value if two arguments are expected. */
static PrimFailure find_bytes(Vm *vm, unsigned arg_count, unsigned expected, unsigned size,
                              uint8_t **bytes)
{
    if (arg_count != expected)
        return PRIM_BAD_ARGUMENT;
    Oop object = vm_stack(vm, expected), offset = vm_stack(vm, expected - 1);
    if (!is_small_integer(offset) || is_immediate(object) ||
        object_format(object) < FORMAT_WORDS64 || format_is_code(object_format(object)))
        return PRIM_BAD_ARGUMENT;
    SWord at = small_integer_value(offset);
    if (at < 0 || bits_byte_count(object) < size || (Word)at > bits_byte_count(object) - size)
        return PRIM_BAD_INDEX;
    if (expected == 2 && is_read_only(object))
        return PRIM_NO_MODIFICATION;
    *bytes = object_bytes(object) + at;
    return PRIM_OK;
}

static PrimFailure answer(Vm *vm, unsigned arg_count, Oop value)
{
    return value ? vm_return(vm, arg_count, value) : PRIM_NO_MEMORY;
}

#define LOAD(name, type, value_oop)                                                                \
    PrimFailure prim_load_##name(Vm *vm, unsigned arg_count)                                       \
    {                                                                                              \
        type value;                                                                                \
        uint8_t *bytes;                                                                            \
        PrimFailure failure = find_bytes(vm, arg_count, 1, sizeof value, &bytes);                  \
        if (failure)                                                                               \
            return failure;                                                                        \
        memcpy(&value, bytes, sizeof value);                                                       \
        return answer(vm, arg_count, value_oop);                                                   \
    }

/* A Character, or no value if the code is none. */
static Oop character_of(uint32_t code)
{
    return code <= CHARACTER_MAX ? character_oop(code) : NO_OOP;
}

LOAD(boolean, uint8_t, value ? vm->heap.true_object : vm->heap.false_object)
LOAD(uint8, uint8_t, small_integer_oop(value))
LOAD(int8, int8_t, small_integer_oop(value))
LOAD(uint16, uint16_t, small_integer_oop(value))
LOAD(int16, int16_t, small_integer_oop(value))
LOAD(uint32, uint32_t, vm_unsigned_oop(vm, value))
LOAD(int32, int32_t, vm_integer_oop(vm, value))
LOAD(uint64, uint64_t, vm_unsigned_oop(vm, value))
LOAD(int64, int64_t, vm_integer_oop(vm, value))
LOAD(char8, uint8_t, character_oop(value))
LOAD(char16, uint16_t, character_oop(value))
LOAD(float32, float, vm_float_oop(vm, value))
LOAD(float64, double, vm_float_oop(vm, value))

PrimFailure prim_load_char32(Vm *vm, unsigned arg_count)
{
    uint32_t code;
    uint8_t *bytes;
    PrimFailure failure = find_bytes(vm, arg_count, 1, sizeof code, &bytes);
    if (failure)
        return failure;
    memcpy(&code, bytes, sizeof code);
    Oop character = character_of(code);
    return character ? vm_return(vm, arg_count, character) : PRIM_BAD_ARGUMENT;
}

/* `convert` answers whether the value on the stack is one of the type. */
#define STORE(name, type, convert)                                                                 \
    PrimFailure prim_store_##name(Vm *vm, unsigned arg_count)                                      \
    {                                                                                              \
        type value;                                                                                \
        uint8_t *bytes;                                                                            \
        PrimFailure failure = find_bytes(vm, arg_count, 2, sizeof value, &bytes);                  \
        if (failure)                                                                               \
            return failure;                                                                        \
        if (!(convert))                                                                            \
            return PRIM_BAD_ARGUMENT;                                                              \
        memcpy(bytes, &value, sizeof value);                                                       \
        return vm_return(vm, arg_count, vm_stack(vm, 0));                                          \
    }

static bool boolean_of(Vm *vm, uint8_t *value)
{
    Oop oop = vm_stack(vm, 0);
    *value = oop == vm->heap.true_object;
    return *value || oop == vm->heap.false_object;
}

static bool unsigned_of(Vm *vm, uint64_t most, uint64_t *value)
{
    return vm_uint64_value(vm, vm_stack(vm, 0), value) && *value <= most;
}

static bool signed_of(Vm *vm, int64_t least, int64_t most, int64_t *value)
{
    return vm_int64_value(vm, vm_stack(vm, 0), value) && *value >= least && *value <= most;
}

static bool code_of(Vm *vm, uint32_t most, uint32_t *code)
{
    if (!is_character(vm_stack(vm, 0)))
        return false;
    *code = character_code(vm_stack(vm, 0));
    return *code <= most;
}

#define STORE_UNSIGNED(name, type, most)                                                           \
    STORE(name, type, ({ uint64_t wide = 0; bool fits = unsigned_of(vm, most, &wide);              \
                         value = (type)wide; fits; }))
#define STORE_SIGNED(name, type, least, most)                                                      \
    STORE(name, type, ({ int64_t wide = 0; bool fits = signed_of(vm, least, most, &wide);          \
                         value = (type)wide; fits; }))
#define STORE_CODE(name, type, most)                                                               \
    STORE(name, type, ({ uint32_t wide = 0; bool fits = code_of(vm, most, &wide);                  \
                         value = (type)wide; fits; }))

STORE(boolean, uint8_t, boolean_of(vm, &value))
STORE_UNSIGNED(uint8, uint8_t, UINT8_MAX)
STORE_SIGNED(int8, int8_t, INT8_MIN, INT8_MAX)
STORE_UNSIGNED(uint16, uint16_t, UINT16_MAX)
STORE_SIGNED(int16, int16_t, INT16_MIN, INT16_MAX)
STORE_UNSIGNED(uint32, uint32_t, UINT32_MAX)
STORE_SIGNED(int32, int32_t, INT32_MIN, INT32_MAX)
STORE_UNSIGNED(uint64, uint64_t, UINT64_MAX)
STORE_SIGNED(int64, int64_t, INT64_MIN, INT64_MAX)
STORE_CODE(char8, uint8_t, UINT8_MAX)
STORE_CODE(char16, uint16_t, UINT16_MAX)
STORE_CODE(char32, uint32_t, UINT32_MAX)
STORE(float64, double, vm_float_value(vm, vm_stack(vm, 0), &value))
STORE(float32, float, ({ double wide = 0; bool is_float = vm_float_value(vm, vm_stack(vm, 0), &wide);
                         value = (float)wide; is_float; }))
