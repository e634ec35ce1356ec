/* Primitive 97: the image saves itself. The saved process goes on with true, this one
 * with false. The same in a clone of the VM, while the original goes on. */
#include <unistd.h>

#include "kernel/vm/clone.h"
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/roots.h"

/* The top of a single context's stack. */
static void put_top(Vm *vm, Oop context, Oop value)
{
    context_stack_at_put(vm, context, context_size(vm, context) - 1, value);
}

static PrimFailure refuse_callback(Vm *vm)
{
    vm->setup->host->log(vm->setup->host, OSVM_ERROR, "no snapshot while a callback is active");
    return PRIM_INAPPROPRIATE;
}

/* Writes the heap with the running process ready to go on with true. *active is its context,
 * *kept is updated if objects move. */
static bool write_snapshot(Vm *vm, Oop *active, Oop *kept)
{
    char error[512] = "";
    Heap *heap = &vm->heap;
    *active = stack_flush_all(vm);
    heap_store(heap, process_active(vm), PROCESS_CONTEXT, *active);
    put_top(vm, *active, heap->true_object);
    vm_root_push(vm, active);
    vm_root_push(vm, kept);
    heap->mm->ops->collect_full(heap->mm);
    bool written = image_write(vm, vm->image_path, error, sizeof error);
    vm_root_pop(vm, 2);
    if (!written)
        vm->setup->host->log(vm->setup->host, OSVM_ERROR, "snapshot: %s", error);
    return written;
}

PrimFailure prim_snapshot(Vm *vm, unsigned arg_count)
{
    Oop active, receiver = vm_stack(vm, 0);
    if (arg_count != 0)
        return PRIM_BAD_ARG_COUNT;
    if (callback_count(vm))
        return refuse_callback(vm);
    bool written = write_snapshot(vm, &active, &receiver);
    put_top(vm, active, written ? vm->heap.false_object : receiver);
    bool resumed = stack_resume(vm, active);
    REQUIRE(resumed, "the running activation cannot be resumed");
    return written ? PRIM_OK : PRIM_FAILED;
}

/* The clone does nothing but write: the original waits for the fork only. Answers the clone's
 * process id; its exit code says how it went. */
PrimFailure prim_snapshot_in_clone(Vm *vm, unsigned arg_count)
{
    if (arg_count != 0)
        return PRIM_BAD_ARG_COUNT;
    if (callback_count(vm))
        return refuse_callback(vm);
    int child = vm_fork(vm, false);
    if (child == 0) {
        Oop active, receiver = vm_stack(vm, 0);
        _exit(write_snapshot(vm, &active, &receiver) ? OSVM_OK : OSVM_CANNOT_CREATE);
    }
    if (child > 0)
        return vm_return(vm, arg_count, small_integer_oop(child));
    vm->os_error = -child;
    return PRIM_OS_ERROR;
}
