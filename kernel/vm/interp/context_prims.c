/* Primitives of contexts: their stack, and the searches up the sender chain that exceptions
 * and unwinding use. */
#include "kernel/bytecode/opcodes.h"
#include "kernel/vm/interp/chain.h"
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/interp_int.h"

/* Answers the context of the first activation from `a` on, before `stop`, with this marker. */
static PrimFailure answer_marked(Vm *vm, unsigned arg_count, Activation a, Activation stop,
                                 unsigned marker)
{
    for (int i = 0; i < CHAIN_MAX && !chain_ended(a) && !chain_is_same(a, stop); i++) {
        if (chain_marker(vm, a) == marker) {
            Oop context = chain_context(vm, a);
            return context ? vm_return(vm, arg_count, context) : PRIM_NO_MEMORY;
        }
        a = chain_sender(a);
    }
    return vm_return(vm, arg_count, vm->heap.nil);
}

PrimFailure prim_find_next_unwind_context(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, 1), stop = vm_stack(vm, 0);
    if (arg_count != 1 || !is_context(receiver) || (stop != vm->heap.nil && !is_context(stop)))
        return PRIM_FAILED;
    Activation last = chain_at(stop);
    return answer_marked(vm, arg_count, chain_sender(chain_at(receiver)), last, PRIMITIVE_UNWIND);
}

PrimFailure prim_find_handler_context(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, arg_count);
    if (!is_context(receiver))
        return PRIM_FAILED;
    return answer_marked(vm, arg_count, chain_at(receiver), chain_frame(0), PRIMITIVE_HANDLER);
}

/* Everything between the receiver and the argument dies; the argument becomes the sender. */
PrimFailure prim_terminate_to(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, 1), target = vm_stack(vm, 0);
    if (arg_count != 1 || !is_context(receiver) || receiver == target ||
        (target != vm->heap.nil && !is_context(target)))
        return PRIM_FAILED;
    Activation from = chain_at(receiver), to = chain_at(target);
    bool done = chain_leads_to(from, to) ? chain_cut(vm, from, to)
                                         : context_field_put(vm, receiver, CONTEXT_SENDER, target);
    return done ? vm_return_receiver(vm, arg_count) : PRIM_FAILED;
}

/* ---- The stack of a context ---- */

static PrimFailure stack_index(Vm *vm, Oop context, Oop index_oop, Word *index)
{
    if (!is_small_integer(index_oop))
        return PRIM_BAD_ARGUMENT;
    if (!is_context(context))
        return PRIM_BAD_RECEIVER;
    SWord value = small_integer_value(index_oop);
    if (value < 1 || (Word)value > context_size(vm, context))
        return PRIM_BAD_INDEX;
    *index = (Word)value - 1;
    return PRIM_OK;
}

PrimFailure prim_context_at(Vm *vm, unsigned arg_count)
{
    Word index;
    PrimFailure failure = stack_index(vm, vm_stack(vm, 1), vm_stack(vm, 0), &index);
    return failure ? failure : vm_return(vm, arg_count, context_stack_at(vm, vm_stack(vm, 1), index));
}

PrimFailure prim_context_at_put(Vm *vm, unsigned arg_count)
{
    Word index;
    Oop value = vm_stack(vm, 0);
    PrimFailure failure = stack_index(vm, vm_stack(vm, 2), vm_stack(vm, 1), &index);
    if (failure)
        return failure;
    context_stack_at_put(vm, vm_stack(vm, 2), index, value);
    return vm_return(vm, arg_count, value);
}

PrimFailure prim_context_size(Vm *vm, unsigned arg_count)
{
    Oop context = vm_stack(vm, 0);
    if (!is_context(context))
        return PRIM_BAD_RECEIVER;
    return vm_return(vm, arg_count, small_integer_oop((SWord)context_size(vm, context)));
}

PrimFailure prim_store_stackp(Vm *vm, unsigned arg_count)
{
    Oop context = vm_stack(vm, 1), depth = vm_stack(vm, 0);
    if (!is_context(context) || chain_is_same(chain_at(context), chain_frame(vm->fp)))
        return PRIM_FAILED;
    if (!context_field_put(vm, context, CONTEXT_STACKP, depth))
        return PRIM_FAILED;
    return vm_return_receiver(vm, arg_count);
}

/* 1: it was married; 2: it still is. The other bits are about machine code. */
PrimFailure prim_context_xray(Vm *vm, unsigned arg_count)
{
    Oop context = vm_stack(vm, 0);
    if (!is_context(context))
        return PRIM_BAD_RECEIVER;
    return vm_return(vm, arg_count, small_integer_oop(context_married(context) ? 3 : 0));
}

PrimFailure prim_void_vm_state(Vm *vm, unsigned arg_count)
{
    stack_flush(vm);
    lookup_flush(vm);
    return vm_return_receiver(vm, arg_count);
}
