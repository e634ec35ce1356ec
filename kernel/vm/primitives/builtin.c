/* Named primitives of the VM itself: methods name no module. */
#include <unistd.h>

#include "kernel/vm/clone.h"
#include "kernel/vm/memory/guard.h"
#include "kernel/vm/memory/managers.h"
#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/named.h"
#include "kernel/vm/primitives/primitives.h"

static PrimFailure return_text(Vm *vm, unsigned arg_count, const char *text)
{
    Oop string = vm_string_oop(vm, text, strlen(text));
    return string ? vm_return(vm, arg_count, string) : PRIM_NO_MEMORY;
}

static PrimFailure builtin_getenv(Vm *vm, unsigned arg_count)
{
    char name[1024];
    Oop oop = vm_stack(vm, 0);
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    if (is_immediate(oop) || !format_is_bytes(object_format(oop)) ||
        bits_byte_count(oop) >= sizeof name)
        return PRIM_BAD_ARGUMENT;
    Word length = bits_byte_count(oop);
    memcpy(name, object_bytes(oop), length);
    name[length] = 0;
    const OsvmWorld *world = vm->setup->host->world;
    const char *value = world->get_variable(world, name);
    return value ? return_text(vm, arg_count, value) : vm_return(vm, arg_count, vm->heap.nil);
}

static PrimFailure builtin_working_directory(Vm *vm, unsigned arg_count)
{
    char path[4096];
    const OsvmWorld *world = vm->setup->host->world;
    if (world->directory(world, path, sizeof path) < 0)
        return PRIM_FAILED;
    return return_text(vm, arg_count, path);
}

static PrimFailure builtin_image_format(Vm *vm, unsigned arg_count)
{
    return vm_return(vm, arg_count, small_integer_oop((SWord)vm->image.version));
}

static PrimFailure builtin_version(Vm *vm, unsigned arg_count)
{
    return return_text(vm, arg_count, "osvm " OSVM_VERSION);
}

static PrimFailure builtin_is_big_endian(Vm *vm, unsigned arg_count)
{
    return vm_return_boolean(vm, arg_count, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static PrimFailure builtin_millisecond_mask(Vm *vm, unsigned arg_count)
{
    return vm_return(vm, arg_count, small_integer_oop(0x1FFFFFFF));
}

static PrimFailure builtin_bytecode_sets(Vm *vm, unsigned arg_count)
{
    static const char *const names[] = {"EncoderForV3", "EncoderForV3PlusClosures", "EncoderForSistaV1"};
    Oop array = heap_new_pointers(&vm->heap, 3, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (!array)
        return PRIM_NO_MEMORY;
    for (unsigned i = 0; i < 3; i++) {
        Oop name = vm_string_oop(vm, names[i], strlen(names[i]));
        if (!name)
            return PRIM_NO_MEMORY;
        heap_store(&vm->heap, array, i, name);
    }
    return vm_return(vm, arg_count, array);
}

/* Answers whether several sets are in use; with an argument, sets it. */
static PrimFailure builtin_multiple_sets(Vm *vm, unsigned arg_count)
{
    const uint32_t bit = 0x200;
    bool was = (vm->image.version & bit) != 0;
    if (arg_count > 1)
        return PRIM_BAD_ARG_COUNT;
    if (arg_count == 1) {
        Oop flag = vm_stack(vm, 0);
        if (flag != vm->heap.true_object && flag != vm->heap.false_object)
            return PRIM_BAD_ARGUMENT;
        vm->image.version = flag == vm->heap.true_object ? vm->image.version | bit : vm->image.version & ~bit;
    }
    return vm_return_boolean(vm, arg_count, was);
}

/* Fills a byte object with random bytes of the system. */
static PrimFailure builtin_random_bytes(Vm *vm, unsigned arg_count)
{
    const OsvmWorld *world = vm->setup->host->world;
    Oop bytes = vm_stack(vm, 0);
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    if (is_immediate(bytes) || !format_is_bytes(object_format(bytes)))
        return PRIM_BAD_ARGUMENT;
    if (is_read_only(bytes))
        return PRIM_NO_MODIFICATION;
    if (world->random(world, object_bytes(bytes), bits_byte_count(bytes)) < 0)
        return PRIM_OPERATION_FAILED;
    return vm_return_receiver(vm, arg_count);
}

static PrimFailure builtin_scale_factor(Vm *vm, unsigned arg_count)
{
    Oop one = vm_float_oop(vm, 1.0);
    return one ? vm_return(vm, arg_count, one) : PRIM_NO_MEMORY;
}

static PrimFailure builtin_screen_depth(Vm *vm, unsigned arg_count)
{
    return vm_return(vm, arg_count, small_integer_oop(32));
}

const BuiltinPrim builtin_prims[] = {
    {"primitiveGetenv", builtin_getenv, 0},
    {"primitiveGetCurrentWorkingDirectory", builtin_working_directory, 0},
    {"primitiveHighResClock", prim_high_resolution_clock, -1},
    {"primitiveImageFormatVersion", builtin_image_format, -1},
    {"primitiveInterpreterSourceVersion", builtin_version, -1},
    {"primitivePlatformSourceVersion", builtin_version, -1},
    {"primitiveVMVersion", builtin_version, -1},
    {"primitiveUtcWithOffset", prim_posix_utc_and_offset, 0},
    {"primitiveIsBigEnder", builtin_is_big_endian, -1},
    {"primitiveMillisecondClockMask", builtin_millisecond_mask, -1},
    {"primitiveBytecodeSetsAvailable", builtin_bytecode_sets, -1},
    {"primitiveMultipleBytecodeSetsActive", builtin_multiple_sets, 0},
    {"primitiveRandomBytes", builtin_random_bytes, 0},
    {"primitiveScreenScaleFactor", builtin_scale_factor, -1},
    {"primitiveScreenDepth", builtin_screen_depth, -1},
    {"primitiveDisablePowerManager", prim_noop, 0},
    {"primitiveAddLargeIntegers", prim_large_add, 0},
    {"primitiveSubtractLargeIntegers", prim_large_subtract, 0},
    {"primitiveMultiplyLargeIntegers", prim_large_multiply, 0},
    {"primitiveDivideLargeIntegers", prim_large_divide, 0},
    {"primitiveModLargeIntegers", prim_large_mod, 0},
    {"primitiveDivLargeIntegers", prim_large_div, 0},
    {"primitiveQuoLargeIntegers", prim_large_quo, 0},
    {"primitiveRemLargeIntegers", prim_large_rem, 0},
    {"primitiveBitAndLargeIntegers", prim_bit_and, 0},
    {"primitiveBitOrLargeIntegers", prim_bit_or, 0},
    {"primitiveBitXorLargeIntegers", prim_bit_xor, 0},
    {"primitiveBitShiftLargeIntegers", prim_large_bit_shift, 0},
    {"primitiveLessThanLargeIntegers", prim_large_less, 0},
    {"primitiveGreaterThanLargeIntegers", prim_large_greater, 0},
    {"primitiveLessOrEqualLargeIntegers", prim_large_less_equal, 0},
    {"primitiveGreaterOrEqualLargeIntegers", prim_large_greater_equal, 0},
    {"primitiveEqualLargeIntegers", prim_large_equal, 0},
    {"primitiveNotEqualLargeIntegers", prim_large_not_equal, 0},
    {"primitiveCompareWith", prim_compare_with, 1},
    {"primitiveAllInstances", prim_all_instances, 0},
    {"primitiveAllObjects", prim_all_objects, -1},
    {"primitiveSuspendBackingUpV2", prim_process_suspend_v2, 2},
    {"primitiveCollector", prim_collector, -1},
    {"primitiveSetCollector", prim_set_collector, 0},
    {"primitiveLeakCheck", prim_leak_check, 0},
    {"primitiveClone", prim_fork_vm, 0},
    {"primitiveReapClone", prim_reap_clone, 0},
    {"primitiveSnapshotInClone", prim_snapshot_in_clone, -1},
    {NULL, NULL, 0},
};
