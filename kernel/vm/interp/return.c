/* Returns that are not simply to the caller, and frames the verifier has not approved.
 *
 * Each function works on the running frame in vm->fp, vm->sp, vm->ip, and answers the
 * selector of a send the loop is to do (receiver and interp->send_args arguments are on
 * the stack), or NO_OOP when execution goes on with the registers as they are.
 */
#include "kernel/bytecode/opcodes.h"
#include "kernel/vm/interp/callback.h"
#include "kernel/vm/interp/chain.h"
#include "kernel/vm/interp/interp_int.h"

static void push(Vm *vm, Oop value)
{
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = value;
}

static Oop send(Vm *vm, unsigned special, unsigned args)
{
    interp_of(vm)->send_args = args;
    return heap_special(&vm->heap, special);
}

static bool push_active_context(Vm *vm)
{
    Oop context = stack_active_context(vm);
    if (!context) {
        report_fatal(vm, "no memory left for a context");
        return false;
    }
    push(vm, context);
    return true;
}

Oop return_impossible(Vm *vm, Oop value)
{
    if (callback_return(vm, value))
        return NO_OOP;
    frame_at(vm->fp)[FRAME_FLAGS] |= FRAME_UNSURE;
    if (!push_active_context(vm))
        return NO_OOP;
    push(vm, value);
    return send(vm, SPECIAL_CANNOT_RETURN, 1);
}

/* The context in which the block of the running frame was written, innermost method. */
static Oop home_of_running(Vm *vm)
{
    Oop closure = follow(*frame_top(frame_at(vm->fp)));
    for (;;) {
        if (is_immediate(closure) || !format_is_pointers(object_format(closure)) ||
            object_slot_count(closure) < CLOSURE_COPIED)
            return NO_OOP;
        Oop outer = follow(object_slot(closure, CLOSURE_OUTER));
        if (!is_context(outer))
            return NO_OOP;
        closure = follow(object_slot(outer, CONTEXT_CLOSURE));
        if (closure == vm->heap.nil)
            return outer;
    }
}

/* Returns from a frame above which only frames of its page run, to its caller on the same page. */
static bool return_on_page(Vm *vm, Word home, Oop value)
{
    Word fp = vm->fp;
    while (fp && fp != home)
        fp = frame_at(fp)[FRAME_SAVED_FP];
    if (!fp || !frame_at(home)[FRAME_SAVED_FP])
        return false;
    for (fp = vm->fp;; fp = frame_at(fp)[FRAME_SAVED_FP]) {
        if (frame_at(fp)[FRAME_CONTEXT])
            stack_kill_context(vm, frame_at(fp)[FRAME_CONTEXT]);
        if (fp == home)
            break;
    }
    Word *frame = frame_at(home);
    vm->sp = pointer_word(frame_top(frame));
    vm->ip = frame[FRAME_RETURN];
    vm->fp = frame[FRAME_SAVED_FP];
    *vm_top(vm) = value;
    return true;
}

Oop return_non_local(Vm *vm, Oop value)
{
    Oop home_context = home_of_running(vm), unwind = NO_OOP;
    if (!home_context)
        return return_impossible(vm, value);
    Activation home = chain_at(home_context), marked = chain_frame(0);
    Activation a = chain_frame(vm->fp);
    for (; !chain_ended(a); a = chain_sender(a)) {
        if (chain_ended(marked) && chain_marker(vm, a) == PRIMITIVE_UNWIND)
            marked = a;
        if (chain_is_same(a, home))
            break;
    }
    if (chain_ended(a))
        return return_impossible(vm, value);
    if (!chain_ended(marked)) {
        frame_at(vm->fp)[FRAME_FLAGS] |= FRAME_UNSURE;
        unwind = chain_context(vm, marked);
        if (!unwind || !push_active_context(vm))
            return NO_OOP;
        push(vm, value);
        push(vm, unwind);
        return send(vm, SPECIAL_ABOUT_TO_RETURN_THROUGH, 2);
    }
    if (home.fp && return_on_page(vm, home.fp, value))
        return NO_OOP;
    Activation target = chain_sender(home);
    if (chain_ended(target) || (target.context && !stack_is_resumable(vm, target.context)))
        return return_impossible(vm, value);
    Oop target_context = chain_context(vm, target);
    if (!target_context) {
        report_fatal(vm, "no memory left for a context");
        return NO_OOP;
    }
    chain_abandon(vm, home);
    bool resumed = stack_resume(vm, target_context);
    REQUIRE(resumed, "the target of a non-local return vanished");
    push(vm, value);
    return NO_OOP;
}

/* ---- Frames that must be looked at ---- */

/* Drops what lies above the depth the verifier gives for the pc; what lacks is nil. (Images
 * that jump between contexts return to one without the value it waits for.) Where control
 * cannot come, behind a return or inside an instruction, the activation can only fail to
 * return. */
Oop return_check_frame(Vm *vm)
{
    Word *frame = frame_at(vm->fp);
    Oop method = frame[FRAME_METHOD];
    const CodeFacts *facts = code_facts(vm, method);
    Word offset = vm->ip - method - facts->first_ip;
    unsigned args = frame_args(frame);
    int depth = facts->bad || vm->ip < method + facts->first_ip
                    ? -1 : code_depth_at(vm, method, offset);
    int have = (int)((vm->fp - vm->sp) / WORD_BYTES) - FRAME_FIXED + (int)args;
    bool right_args = frame_is_block(frame) || facts->args == args;
    if (facts->bad && vm->ip == method + facts->first_ip && have < STACK_SLOTS_MAX)
        return return_unknown_bytecode(vm);
    if (depth < (int)args || !right_args) {
        vm->sp = vm->fp + (Word)(FRAME_RECEIVER * WORD_BYTES);
        return return_impossible(vm, vm->heap.nil);
    }
    for (; have < depth; have++)
        push(vm, vm->heap.nil);
    vm->sp = vm->fp - (Word)(FRAME_FIXED + depth - (int)args) * WORD_BYTES;
    frame[FRAME_FLAGS] &= ~(FRAME_UNSURE | FRAME_SISTA | FRAME_CAREFUL);
    frame[FRAME_FLAGS] |= code_modes_for(vm, facts, frame[FRAME_RECEIVER]);
    return NO_OOP;
}

Oop return_unknown_bytecode(Vm *vm)
{
    Heap *heap = &vm->heap;
    frame_at(vm->fp)[FRAME_FLAGS] |= FRAME_UNSURE;
    if (object_slot_count(heap->special_objects) <= SPECIAL_UNUSED_BYTECODE ||
        heap_special(heap, SPECIAL_UNUSED_BYTECODE) == heap->nil) {
        report_fatal(vm, "an unused bytecode, or one that does not fit its operands");
        return NO_OOP;
    }
    if (!push_active_context(vm))
        return NO_OOP;
    return send(vm, SPECIAL_UNUSED_BYTECODE, 0);
}
