#include "kernel/vm/clone.h"

#include <errno.h>

#include "kernel/jit/jit.h"
#include "kernel/vm/numbers.h"

int vm_fork(Vm *vm, bool muted)
{
    const OsvmHost *host = vm->setup->host;
    if (!jit_before_fork(vm))
        return -ENOMEM;
    int child = host->fork(host, muted);
    jit_after_fork(vm, child == 0);
    return child;
}

static PrimFailure os_failure(Vm *vm, int result)
{
    vm->os_error = -result;
    return PRIM_OS_ERROR;
}

/* Answers the process id of the clone, and in the clone 0. */
PrimFailure prim_fork_vm(Vm *vm, unsigned arg_count)
{
    Oop muted = arg_count == 1 ? vm_stack(vm, 0) : NO_OOP;
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    if (muted != vm->heap.true_object && muted != vm->heap.false_object)
        return PRIM_BAD_ARGUMENT;
    int child = vm_fork(vm, muted == vm->heap.true_object);
    if (child < 0)
        return os_failure(vm, child);
    return vm_return(vm, arg_count, small_integer_oop(child));
}

/* Answers the exit code of a clone that has ended (128 + the signal that ended it), nil as long as
 * it runs. It is gone then. */
PrimFailure prim_reap_clone(Vm *vm, unsigned arg_count)
{
    int64_t process;
    int status;
    const OsvmWorld *world = vm->setup->host->world;
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    if (!vm_int64_value(vm, vm_stack(vm, 0), &process) || process <= 0 || process > INT32_MAX)
        return PRIM_BAD_ARGUMENT;
    int result = world->reap(world, (int)process, false, &status);
    if (result < 0)
        return os_failure(vm, result);
    return vm_return(vm, arg_count, result ? small_integer_oop(status) : vm->heap.nil);
}
