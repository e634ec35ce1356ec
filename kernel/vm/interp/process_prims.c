/* Primitives of processes, semaphores and critical sections. What a primitive that waits
 * answers lies on its process's stack before the switch. */
#include "kernel/bytecode/opcodes.h"
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/numbers.h"
#include "kernel/vm/primitives/primitives.h"

/* A list with a third slot: a Semaphore or Mutex. */
static bool is_condition(Oop oop)
{
    return is_object(oop) && format_is_pointers(object_format(oop)) &&
           object_slot_count(oop) > SEMAPHORE_EXCESS;
}

static bool is_process(Oop oop)
{
    return is_object(oop) && format_is_pointers(object_format(oop)) && object_slot_count(oop) > PROCESS_LIST;
}

/* ---- Semaphores ---- */

PrimFailure prim_semaphore_signal(Vm *vm, unsigned arg_count)
{
    Oop semaphore = vm_stack(vm, arg_count);
    if (!is_condition(semaphore))
        return PRIM_BAD_RECEIVER;
    /* Before the switch; where nobody waits and nothing is done, the stack is as it was. */
    Word sp = vm->sp;
    vm_return_receiver(vm, arg_count);
    if (process_signal(vm, semaphore))
        return PRIM_OK;
    vm->sp = sp;
    return PRIM_FAILED;
}

static void wait_in(Vm *vm, Oop list)
{
    process_add_last(vm, process_active(vm), list);
    process_run_next(vm);
}

PrimFailure prim_semaphore_wait(Vm *vm, unsigned arg_count)
{
    Oop semaphore = vm_stack(vm, arg_count);
    if (!is_condition(semaphore) || !is_small_integer(object_slot(semaphore, SEMAPHORE_EXCESS)))
        return PRIM_BAD_RECEIVER;
    SWord excess = small_integer_value(object_slot(semaphore, SEMAPHORE_EXCESS));
    vm_return_receiver(vm, arg_count);
    if (excess > 0) /* NOBARRIER: a SmallInteger */
        heap_store_unchecked(semaphore, SEMAPHORE_EXCESS, small_integer_oop(excess - 1));
    else
        wait_in(vm, semaphore);
    return PRIM_OK;
}

/* ---- Critical sections ---- */

static PrimFailure mutex_operands(Vm *vm, unsigned arg_count, Oop *mutex, Oop *process)
{
    if (arg_count > 1)
        return PRIM_BAD_ARG_COUNT;
    *mutex = vm_stack(vm, arg_count);
    *process = arg_count ? vm_stack(vm, 0) : process_active(vm);
    if (!is_condition(*mutex))
        return PRIM_BAD_RECEIVER;
    return is_process(*process) ? PRIM_OK : PRIM_BAD_ARGUMENT;
}

PrimFailure prim_mutex_exit(Vm *vm, unsigned arg_count)
{
    Oop mutex = vm_stack(vm, arg_count);
    if (!is_condition(mutex))
        return PRIM_BAD_RECEIVER;
    vm_return_receiver(vm, arg_count);
    Oop owner = process_remove_first(vm, mutex);
    heap_store(&vm->heap, mutex, MUTEX_OWNER, owner ? owner : vm->heap.nil);
    if (owner)
        process_resume(vm, owner);
    return PRIM_OK;
}

PrimFailure prim_mutex_enter(Vm *vm, unsigned arg_count)
{
    Oop mutex, process;
    PrimFailure failure = mutex_operands(vm, arg_count, &mutex, &process);
    if (failure)
        return failure;
    Oop owner = follow(object_slot(mutex, MUTEX_OWNER));
    vm_return_boolean(vm, arg_count, owner == process);
    if (owner == vm->heap.nil)
        heap_store(&vm->heap, mutex, MUTEX_OWNER, process);
    else if (owner != process)
        wait_in(vm, mutex);
    return PRIM_OK;
}

PrimFailure prim_mutex_test_and_set(Vm *vm, unsigned arg_count)
{
    Oop mutex, process;
    PrimFailure failure = mutex_operands(vm, arg_count, &mutex, &process);
    if (failure)
        return failure;
    Oop owner = follow(object_slot(mutex, MUTEX_OWNER));
    if (owner == process)
        return vm_return_boolean(vm, arg_count, true);
    if (owner != vm->heap.nil)
        return vm_return(vm, arg_count, vm->heap.nil);
    heap_store(&vm->heap, mutex, MUTEX_OWNER, process);
    return vm_return_boolean(vm, arg_count, false);
}

/* ---- Processes ---- */

PrimFailure prim_process_resume(Vm *vm, unsigned arg_count)
{
    Oop process = vm_stack(vm, arg_count);
    if (!is_process(process) || process == process_active(vm) ||
        !stack_is_resumable(vm, follow(object_slot(process, PROCESS_CONTEXT))))
        return PRIM_BAD_RECEIVER;
    vm_return_receiver(vm, arg_count);
    process_resume(vm, process);
    return PRIM_OK;
}

PrimFailure prim_process_yield(Vm *vm, unsigned arg_count)
{
    Oop active = process_active(vm);
    Oop lists = follow(object_slot(process_scheduler(vm), SCHEDULER_LISTS));
    Oop priority = follow(object_slot(active, PROCESS_PRIORITY));
    if (!is_small_integer(priority) || small_integer_value(priority) < 1 ||
        (Word)small_integer_value(priority) > object_slot_count(lists))
        return PRIM_FAILED;
    Oop queue = follow(object_slot(lists, (Word)small_integer_value(priority) - 1));
    vm_return_receiver(vm, arg_count);
    if (!process_list_is_empty(queue)) {
        process_make_ready(vm, active, small_integer_value(priority), queue, true);
        process_run_next(vm);
    }
    return PRIM_OK;
}

/* The send that ends just before `pc` (0-based among the code's bytecodes), if it takes no
 * arguments; its first byte's offset, else -1. */
static SWord blocking_send_at(Vm *vm, Oop code, Word pc)
{
    SWord header = method_header(&vm->heap, code);
    Word start = (1 + method_header_literals(header)) * WORD_BYTES;
    const uint8_t *bytes = object_bytes(code) + start;
    Word count = bits_byte_count(code) - start, at = 0;
    BytecodeSet set = method_header_is_sista(header) ? SET_SISTA : SET_V3;
    Instruction instruction;
    while (at < pc && bytecode_decode(set, bytes, count, at, &instruction)) {
        if (instruction.next == pc)
            return instruction.op == OP_SEND && instruction.count == 0 ? (SWord)at : -1;
        at = instruction.next;
    }
    return -1;
}

/* Moves a context that waits in a condition back before its send, the condition on its
 * stack again, so that resuming it waits anew. */
static bool back_up(Vm *vm, Oop context, Oop condition)
{
    Oop pc = context_field(vm, context, CONTEXT_PC), code = context_field(vm, context, CONTEXT_METHOD);
    if (!is_small_integer(pc) || !is_code(code) || context_size(vm, context) == 0)
        return false;
    SWord start = (SWord)((1 + method_literal_count(&vm->heap, code)) * WORD_BYTES);
    SWord offset = small_integer_value(pc) - 1 - start;
    SWord send = offset < 0 ? -1 : blocking_send_at(vm, code, (Word)offset);
    if (send < 0)
        return false;
    context_stack_at_put(vm, context, context_size(vm, context) - 1, condition);
    return context_field_put(vm, context, CONTEXT_PC, small_integer_oop(start + send + 1));
}

typedef enum { LIST_ALWAYS, BACK_UP, BACK_UP_LIST_OF_QUEUE } SuspendKind;

static PrimFailure suspend(Vm *vm, unsigned arg_count, SuspendKind kind)
{
    Oop process = vm_stack(vm, arg_count), nil = vm->heap.nil;
    if (!is_process(process))
        return PRIM_BAD_RECEIVER;
    if (process == process_active(vm)) {
        vm_return(vm, arg_count, nil);
        process_run_next(vm);
        return PRIM_OK;
    }
    Oop list = follow(object_slot(process, PROCESS_LIST));
    Oop context = follow(object_slot(process, PROCESS_CONTEXT));
    if (is_immediate(list) || !format_is_pointers(object_format(list)) ||
        object_slot_count(list) <= LIST_LAST || !stack_is_resumable(vm, context))
        return PRIM_BAD_RECEIVER;
    Oop lists = follow(object_slot(process_scheduler(vm), SCHEDULER_LISTS));
    bool queue = object_slot_count(lists) > 0 &&
                 object_class_index(list) == object_class_index(follow(object_slot(lists, 0)));
    if (!process_remove(vm, process, list))
        return PRIM_OPERATION_FAILED;
    heap_store_unchecked(process, PROCESS_LIST, nil); /* NOBARRIER: nil */
    vm_return(vm, arg_count, queue || kind != BACK_UP_LIST_OF_QUEUE ? list : nil);
    if (!queue && kind != LIST_ALWAYS)
        back_up(vm, context, list);
    return PRIM_OK;
}

PrimFailure prim_process_suspend(Vm *vm, unsigned arg_count)
{
    return suspend(vm, arg_count, LIST_ALWAYS);
}

PrimFailure prim_process_suspend_v1(Vm *vm, unsigned arg_count)
{
    return suspend(vm, arg_count, BACK_UP);
}

PrimFailure prim_process_suspend_v2(Vm *vm, unsigned arg_count)
{
    return suspend(vm, arg_count, BACK_UP_LIST_OF_QUEUE);
}

/* ---- Time ---- */

enum { IDLE_LONGEST_US = 500000 };

/* The idle process's loop. While nothing happens it sleeps longer each time; whatever wakes
 * the VM ends the sleep at once. */
PrimFailure prim_relinquish_processor(Vm *vm, unsigned arg_count)
{
    Interp *interp = interp_of(vm);
    int64_t wanted;
    if (!vm_int64_value(vm, vm_stack(vm, 0), &wanted) || wanted < 0)
        return PRIM_FAILED;
    if (wanted > IDLE_LONGEST_US)
        wanted = IDLE_LONGEST_US;
    bool quiet = interp->idle_switches == vm->counters.process_switches;
    interp->idle_us = quiet && interp->idle_us ? interp->idle_us * 2 : wanted;
    if (interp->idle_us > IDLE_LONGEST_US)
        interp->idle_us = IDLE_LONGEST_US;
    interp->idle_switches = vm->counters.process_switches;
    const OsvmWorld *world = vm->setup->host->world;
    poll_wait(vm, world->mono_us(world) + interp->idle_us);
    vm_request_poll(vm);
    return vm_return_receiver(vm, arg_count);
}

/* Registers the timer's semaphore and moment (microseconds since 1970); nil: none. */
static PrimFailure set_timer(Vm *vm, unsigned arg_count, Oop semaphore, int64_t utc)
{
    Heap *heap = &vm->heap;
    bool none = semaphore == heap->nil;
    if (!none && (is_immediate(semaphore) ||
                  follow(heap_class_of(heap, semaphore)) != follow(heap_special(heap, SPECIAL_CLASS_SEMAPHORE))))
        return PRIM_BAD_ARGUMENT;
    heap_store(heap, heap->special_objects, SPECIAL_TIMER_SEMAPHORE, semaphore);
    interp_of(vm)->wakeup_utc = none ? INT64_MAX : utc;
    if (vm->setup->deterministic)
        vm_request_poll(vm); /* the next budget ends with the timer */
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_signal_at_milliseconds(Vm *vm, unsigned arg_count)
{
    const int64_t mask = 0x1FFFFFFF;
    int64_t when;
    if (arg_count != 2 || !vm_int64_value(vm, vm_stack(vm, 0), &when))
        return PRIM_BAD_ARGUMENT;
    const OsvmWorld *world = vm->setup->host->world;
    int64_t distance = (when - clock_utc(vm) / 1000) & mask;
    if (distance > mask / 2)
        distance = 0; /* it is past */
    return set_timer(vm, arg_count, vm_stack(vm, 1), world->utc_us(world) + distance * 1000);
}

PrimFailure prim_signal_at_utc_microseconds(Vm *vm, unsigned arg_count)
{
    int64_t when;
    if (arg_count != 2 || !vm_int64_value(vm, vm_stack(vm, 0), &when))
        return PRIM_BAD_ARGUMENT;
    int64_t utc = when < SQUEAK_EPOCH_US ? 0 : when - SQUEAK_EPOCH_US;
    return set_timer(vm, arg_count, vm_stack(vm, 1), utc);
}
