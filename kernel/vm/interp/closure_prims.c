/* Primitives that make and activate closures. */
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/fast.h"
#include "kernel/vm/interp/interp_int.h"

static PrimFailure activated(Vm *vm, PrimFailure failure, bool poll)
{
    if (failure == PRIM_OK)
        activate_done(vm, poll);
    return failure;
}

PrimFailure prim_closure_value(Vm *vm, unsigned arg_count)
{
    return activated(vm, activate_closure(vm, arg_count), true);
}

PrimFailure prim_closure_value_no_switch(Vm *vm, unsigned arg_count)
{
    return activated(vm, activate_closure(vm, arg_count), false);
}

PrimFailure prim_full_closure_value(Vm *vm, unsigned arg_count)
{
    return activated(vm, activate_full_closure(vm, arg_count), true);
}

PrimFailure prim_full_closure_value_no_switch(Vm *vm, unsigned arg_count)
{
    return activated(vm, activate_full_closure(vm, arg_count), false);
}

/* Replaces the Array on top by its elements, runs, and puts it back on failure. */
static PrimFailure value_with(Vm *vm, PrimFailure (*activate)(Vm *, unsigned))
{
    enum { CLOSURE_ARGS_MAX = 15 };
    Oop array = vm_stack(vm, 0);
    if (is_immediate(array) || object_format(array) != FORMAT_INDEXABLE ||
        object_slot_count(array) > CLOSURE_ARGS_MAX)
        return PRIM_FAILED;
    unsigned count = (unsigned)object_slot_count(array);
    vm->sp += WORD_BYTES;
    for (unsigned i = 0; i < count; i++) {
        vm->sp -= WORD_BYTES;
        *vm_top(vm) = object_slot(array, i);
    }
    PrimFailure failure = activate(vm, count);
    if (failure == PRIM_OK)
        return activated(vm, failure, true);
    vm->sp += (Word)count * WORD_BYTES;
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = array;
    return failure;
}

PrimFailure prim_closure_value_with_args(Vm *vm, unsigned arg_count)
{
    return arg_count == 1 ? value_with(vm, activate_closure) : PRIM_FAILED;
}

PrimFailure prim_full_closure_value_with_args(Vm *vm, unsigned arg_count)
{
    return arg_count == 1 ? value_with(vm, activate_full_closure) : PRIM_FAILED;
}

/* Context closureCopy: args copiedValues: array. The block begins behind the sending
 * bytecode and the jump over its body that follows it in old methods. */
PrimFailure prim_closure_copy(Vm *vm, unsigned arg_count)
{
    Heap *heap = &vm->heap;
    if (arg_count != 2)
        return PRIM_BAD_ARG_COUNT;
    Oop context = vm_stack(vm, 2), args = vm_stack(vm, 1), copied = vm_stack(vm, 0);
    if (!is_context(context) || !is_small_integer(args) || is_immediate(copied) ||
        object_format(copied) != FORMAT_INDEXABLE)
        return PRIM_FAILED;
    Word count = object_slot_count(copied);
    if (small_integer_value(args) < 0 || small_integer_value(args) > 15 || count > STACK_SLOTS_MAX)
        return PRIM_FAILED;
    Oop closure = heap_new_pointers(heap, CLOSURE_COPIED + count, FORMAT_INDEXABLE_FIXED,
                                    CLASS_BLOCK_CLOSURE);
    if (!closure)
        return PRIM_NO_MEMORY;
    heap_store(heap, closure, CLOSURE_OUTER, context);
    heap_store_unchecked(closure, CLOSURE_START_PC,
                         frame_pc_oop(frame_at(vm->fp)[FRAME_METHOD], jit_ip(vm, vm->ip) + 2));
    heap_store_unchecked(closure, CLOSURE_ARG_COUNT, args);
    for (Word i = 0; i < count; i++)
        heap_store(heap, closure, CLOSURE_COPIED + i, object_slot(copied, i));
    return vm_return(vm, arg_count, closure);
}
