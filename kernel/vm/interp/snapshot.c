/* Primitive 97: the image saves itself. The saved process goes on with true, this one
 * with false. */
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/roots.h"

/* The top of a single context's stack. */
static void put_top(Vm *vm, Oop context, Oop value)
{
    context_stack_at_put(vm, context, context_size(vm, context) - 1, value);
}

PrimFailure prim_snapshot(Vm *vm, unsigned arg_count)
{
    char error[512] = "";
    Heap *heap = &vm->heap;
    Oop receiver = vm_stack(vm, 0);
    if (arg_count != 0)
        return PRIM_BAD_ARG_COUNT;
    if (callback_count(vm)) {
        vm->setup->host->log(vm->setup->host, OSVM_ERROR, "no snapshot while a callback is active");
        return PRIM_INAPPROPRIATE;
    }
    Oop active = stack_flush_all(vm);
    heap_store(heap, process_active(vm), PROCESS_CONTEXT, active);
    put_top(vm, active, heap->true_object);
    vm_root_push(vm, &active);
    vm_root_push(vm, &receiver);
    heap->mm->ops->collect_full(heap->mm);
    bool written = image_write(vm, vm->image_path, error, sizeof error);
    vm_root_pop(vm, 2);
    put_top(vm, active, written ? heap->false_object : receiver);
    bool resumed = stack_resume(vm, active);
    REQUIRE(resumed, "the running activation cannot be resumed");
    if (!written)
        vm->setup->host->log(vm->setup->host, OSVM_ERROR, "snapshot: %s", error);
    return written ? PRIM_OK : PRIM_FAILED;
}
