/* Primitive 254: the parameters of the VM, by number. A parameter that this VM
 * does not have answers nil and refuses to be set. */
#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

enum { PARAMETERS = 76 };

/* Bits of parameter 48 that the image may change, as header flags: everything
 * but what the VM itself writes. */
#define SETTABLE_FLAGS ((uint64_t)0x3FC)

typedef enum { NONE, INTEGER, BOOLEAN, REAL } ParameterKind;

typedef struct {
    ParameterKind kind;
    int64_t integer;
    double real;
} Parameter;

static Parameter integer_parameter(int64_t value)
{
    return (Parameter){.kind = INTEGER, .integer = value};
}

static int64_t milliseconds(uint64_t microseconds)
{
    return (int64_t)(microseconds / 1000);
}

static bool memory_parameter(Vm *vm, unsigned number, const MmStatistics *memory, Parameter *out)
{
    Heap *heap = &vm->heap;
    int64_t value;
    switch (number) {
    case 1: value = (int64_t)(heap->old_end - heap->old_start); break;
    case 2: value = (int64_t)(heap->new_end - heap->new_start); break;
    case 3: value = (int64_t)(heap->old_end - heap->new_start); break;
    case 7: value = (int64_t)memory->full_collections; break;
    case 8: value = milliseconds(memory->full_collection_time); break;
    case 9: value = (int64_t)memory->scavenges; break;
    case 10: value = milliseconds(memory->scavenge_time); break;
    case 11: value = (int64_t)memory->tenured_objects; break;
    case 18: value = milliseconds(memory->compact_time); break;
    case 19:
    case 44: value = (int64_t)memory->eden_bytes; break;
    case 21: value = (int64_t)memory->remembered_count; break;
    case 31: value = (int64_t)memory->grown; break;
    case 32: value = (int64_t)memory->shrunk; break;
    case 34: value = (int64_t)memory->allocated_bytes; break;
    case 52: value = (int64_t)memory->remembered_capacity; break;
    case 53: value = 1; break;
    case 54: value = (int64_t)memory->old_free; break;
    case 72: value = milliseconds(memory->mark_time); break;
    case 73: value = milliseconds(memory->sweep_time); break;
    default: return false;
    }
    *out = integer_parameter(value);
    return true;
}

static Parameter vm_parameter(Vm *vm, unsigned number)
{
    switch (number) {
    case 16: return integer_parameter((int64_t)vm->counters.idle_us);
    case 20: return integer_parameter(vm->started_at);
    case 23: return integer_parameter(vm->image.extra_vm_memory);
    case 40: return integer_parameter(WORD_BYTES);
    case 41: return integer_parameter(vm->image.version);
    case 42: return integer_parameter((int64_t)vm->counters.stack_pages);
    case 43: return integer_parameter(vm->image.stack_pages);
    case 45: return integer_parameter(vm->image.eden_bytes);
    case 48: return integer_parameter((int64_t)(vm->image.flags >> 2));
    case 49: return integer_parameter(vm->image.external_semaphores ? vm->image.external_semaphores : 256);
    case 56: return integer_parameter((int64_t)vm->counters.process_switches);
    case 59: return integer_parameter((int64_t)vm->polls);
    case 60: return integer_parameter((int64_t)vm->counters.stack_overflows);
    case 61: return integer_parameter((int64_t)vm->counters.page_divorces);
    case 65: return integer_parameter(0x3 | 0x20); /* two bytecode sets, read-only objects, 568 and 578 */
    case 66: return integer_parameter((int64_t)vm->counters.stack_page_bytes);
    case 70: return integer_parameter(1);
    case 71: return integer_parameter(17);
    case 75: return (Parameter){.kind = BOOLEAN, .integer = 1};
    default: return (Parameter){.kind = NONE};
    }
}

static Parameter get_parameter(Vm *vm, unsigned number, const MmStatistics *memory)
{
    Mm *mm = vm->heap.mm;
    Parameter parameter;
    int64_t value;
    if (memory_parameter(vm, number, memory, &parameter))
        return parameter;
    if (number == 55) /* the manager keeps the ratio in parts per million */
        return mm->ops->get_parameter(mm, number, &value)
                   ? (Parameter){.kind = REAL, .real = (double)value / 1e6}
                   : (Parameter){.kind = NONE};
    if (mm->ops->get_parameter(mm, number, &value))
        return integer_parameter(value);
    return vm_parameter(vm, number);
}

static Oop parameter_oop(Vm *vm, Parameter parameter)
{
    switch (parameter.kind) {
    case INTEGER: return vm_integer_oop(vm, parameter.integer);
    case BOOLEAN: return parameter.integer ? vm->heap.true_object : vm->heap.false_object;
    case REAL: return vm_float_oop(vm, parameter.real);
    default: return vm->heap.nil;
    }
}

static bool set_header_field(Vm *vm, unsigned number, int64_t value)
{
    switch (number) {
    case 23:
        if (value < 0 || value > UINT32_MAX)
            return false;
        vm->image.extra_vm_memory = (uint32_t)value;
        return true;
    case 43:
        if (value < 0 || value > UINT16_MAX)
            return false;
        vm->image.stack_pages = (uint16_t)value;
        return true;
    case 45:
        if (value < 0 || value > UINT32_MAX)
            return false;
        vm->image.eden_bytes = (uint32_t)value;
        return true;
    case 48: {
        uint64_t flags = (uint64_t)value << 2;
        if (value < 0 || (flags & ~SETTABLE_FLAGS) != (vm->image.flags & ~SETTABLE_FLAGS & ~(uint64_t)3))
            return false;
        vm->image.flags = (vm->image.flags & 3) | flags;
        return true;
    }
    case 49:
        if (value < 0 || value > UINT16_MAX)
            return false;
        vm->image.external_semaphores = (uint16_t)value;
        return true;
    default: return false;
    }
}

static bool set_parameter(Vm *vm, unsigned number, Oop oop)
{
    int64_t value;
    double real;
    Mm *mm = vm->heap.mm;
    if (number == 55)
        return vm_float_value(vm, oop, &real) && real >= 0 && real < 1e6 &&
               mm->ops->set_parameter(mm, number, (int64_t)(real * 1e6));
    if (number == 75)
        return oop == vm->heap.true_object;
    if (!vm_int64_value(vm, oop, &value))
        return false;
    memory_release_reserve(vm);
    bool set = mm->ops->set_parameter(mm, number, value);
    memory_keep_reserve(vm);
    return set || set_header_field(vm, number, value);
}

static PrimFailure all_parameters(Vm *vm, unsigned arg_count, const MmStatistics *memory)
{
    Oop array = heap_new_pointers(&vm->heap, PARAMETERS, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (!array)
        return PRIM_NO_MEMORY;
    for (unsigned i = 0; i < PARAMETERS; i++) {
        Oop value = parameter_oop(vm, get_parameter(vm, i + 1, memory));
        if (!value)
            return PRIM_NO_MEMORY;
        heap_store(&vm->heap, array, i, value);
    }
    return vm_return(vm, arg_count, array);
}

PrimFailure prim_vm_parameter(Vm *vm, unsigned arg_count)
{
    MmStatistics memory;
    memset(&memory, 0, sizeof memory);
    vm->heap.mm->ops->statistics(vm->heap.mm, &memory);
    if (arg_count == 0)
        return all_parameters(vm, arg_count, &memory);
    if (arg_count > 2)
        return PRIM_BAD_ARG_COUNT;
    Oop number = vm_stack(vm, arg_count - 1);
    if (!is_small_integer(number))
        return PRIM_BAD_ARGUMENT;
    if (small_integer_value(number) < 1 || small_integer_value(number) > PARAMETERS)
        return PRIM_BAD_INDEX;
    unsigned index = (unsigned)small_integer_value(number);
    Oop old = parameter_oop(vm, get_parameter(vm, index, &memory));
    if (!old)
        return PRIM_NO_MEMORY;
    if (arg_count == 2 && !set_parameter(vm, index, vm_stack(vm, 0)))
        return PRIM_INAPPROPRIATE;
    return vm_return(vm, arg_count, old);
}
