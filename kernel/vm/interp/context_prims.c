/* Primitives of contexts: their stack, and the searches up the sender chain that exceptions
 * and unwinding use. */
#include "kernel/bytecode/opcodes.h"
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/interp_int.h"

/* One activation on the way up: a frame, or a single context. */
typedef struct {
    Word fp;     /* 0: it is `context` */
    Oop context; /* NO_OOP: there is none, the chain has ended */
} Step;

static Step step_at(Oop context)
{
    if (!is_context(context))
        return (Step){0, NO_OOP};
    return context_married(context) ? (Step){context_frame(context), NO_OOP} : (Step){0, context};
}

static bool step_ended(Step step)
{
    return !step.fp && !step.context;
}

static Step step_up(Step step)
{
    if (!step.fp)
        return step_at(follow(object_slot(step.context, CONTEXT_SENDER)));
    Word *frame = frame_at(step.fp);
    return frame[FRAME_SAVED_FP] ? (Step){frame[FRAME_SAVED_FP], NO_OOP}
                                 : step_at(follow(frame[FRAME_RETURN]));
}

static Oop step_context(Vm *vm, Step step)
{
    return step.fp ? stack_frame_context(vm, step.fp) : step.context;
}

/* Is it the activation of a method (no block) with this primitive number? */
static bool step_is_marked(Vm *vm, Step step, unsigned primitive)
{
    Oop code;
    if (step.fp) {
        if (frame_is_block(frame_at(step.fp)))
            return false;
        code = frame_at(step.fp)[FRAME_METHOD];
    } else {
        if (follow(object_slot(step.context, CONTEXT_CLOSURE)) != vm->heap.nil)
            return false;
        code = follow(object_slot(step.context, CONTEXT_METHOD));
    }
    return is_code(code) && code_facts(vm, code)->primitive == primitive;
}

static bool step_is(Step step, Oop context)
{
    Step other = step_at(context);
    return !step_ended(other) && step.fp == other.fp && step.context == other.context;
}

enum { CHAIN_MAX = 1 << 30 }; /* a longer chain of senders is a cycle */

PrimFailure prim_find_next_unwind_context(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, 1), stop = vm_stack(vm, 0);
    if (arg_count != 1 || !is_context(receiver) || (stop != vm->heap.nil && !is_context(stop)))
        return PRIM_FAILED;
    Step step = step_up(step_at(receiver));
    for (int i = 0; i < CHAIN_MAX && !step_ended(step) && !step_is(step, stop); i++) {
        if (step_is_marked(vm, step, PRIMITIVE_UNWIND)) {
            Oop context = step_context(vm, step);
            return context ? vm_return(vm, arg_count, context) : PRIM_NO_MEMORY;
        }
        step = step_up(step);
    }
    return vm_return(vm, arg_count, vm->heap.nil);
}

PrimFailure prim_find_handler_context(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, arg_count);
    if (!is_context(receiver))
        return PRIM_FAILED;
    Step step = step_at(receiver);
    for (int i = 0; i < CHAIN_MAX && !step_ended(step); i++) {
        if (step_is_marked(vm, step, PRIMITIVE_HANDLER)) {
            Oop context = step_context(vm, step);
            return context ? vm_return(vm, arg_count, context) : PRIM_NO_MEMORY;
        }
        step = step_up(step);
    }
    return vm_return(vm, arg_count, vm->heap.nil);
}

static bool is_sender(Oop receiver, Oop context)
{
    Step step = step_up(step_at(receiver));
    for (int i = 0; i < CHAIN_MAX && !step_ended(step); i++) {
        if (step_is(step, context))
            return true;
        step = step_up(step);
    }
    return false;
}

/* Everything between the receiver and the argument dies; the argument becomes the sender. */
PrimFailure prim_terminate_to(Vm *vm, unsigned arg_count)
{
    Oop receiver = vm_stack(vm, 1), target = vm_stack(vm, 0);
    if (arg_count != 1 || !is_context(receiver) || receiver == target ||
        (target != vm->heap.nil && !is_context(target)))
        return PRIM_FAILED;
    if (is_context(target) && is_sender(receiver, target)) {
        stack_flush(vm);
        Oop between = follow(context_field(vm, receiver, CONTEXT_SENDER));
        while (is_context(between) && between != target) {
            Oop next = follow(context_field(vm, between, CONTEXT_SENDER));
            context_make_single(vm, between);
            stack_kill_context(vm, between);
            between = next;
        }
    }
    if (!context_field_put(vm, receiver, CONTEXT_SENDER, target))
        return PRIM_FAILED;
    return vm_return_receiver(vm, arg_count);
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
    if (!is_context(context) || step_is((Step){vm->fp, NO_OOP}, context))
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
