/* Contexts as the rest of the VM sees them. A married context answers the live values of
 * its frame; what cannot be changed in a frame makes the context single first. */
#include "kernel/vm/interp/interp_int.h"

bool context_is_married(Vm *vm, Oop context)
{
    return is_context(context) && context_married(context);
}

/* Where the frame's newest value and next bytecode are. */
static void frame_extent(Vm *vm, Word fp, Word *sp, Word *ip)
{
    stack_sync(vm);
    const Page *page = stack_page_of(vm, fp);
    *sp = page->head_sp;
    *ip = page->head_ip;
    for (Word above = page->head_fp; above != fp; above = frame_at(above)[FRAME_SAVED_FP]) {
        *sp = pointer_word(frame_top(frame_at(above)) + 1);
        *ip = frame_at(above)[FRAME_RETURN];
    }
    *ip = jit_ip(vm, *ip);
}

static Word frame_depth(Vm *vm, Word fp)
{
    Word sp, ip;
    frame_extent(vm, fp, &sp, &ip);
    return frame_args(frame_at(fp)) + (fp - sp) / WORD_BYTES - FRAME_FIXED;
}

Word context_size(Vm *vm, Oop context)
{
    if (context_married(context))
        return frame_depth(vm, context_frame(context));
    Oop depth = object_slot(context, CONTEXT_STACKP);
    Word room = object_slot_count(context) - CONTEXT_FIXED;
    if (!is_small_integer(depth) || small_integer_value(depth) < 0)
        return 0;
    return (Word)small_integer_value(depth) < room ? (Word)small_integer_value(depth) : room;
}

Oop context_stack_at(Vm *vm, Oop context, Word index)
{
    if (context_married(context))
        return *frame_temp(frame_at(context_frame(context)), (unsigned)index);
    return object_slot(context, CONTEXT_FIXED + index);
}

void context_stack_at_put(Vm *vm, Oop context, Word index, Oop value)
{
    if (context_married(context))
        *frame_temp(frame_at(context_frame(context)), (unsigned)index) = value;
    else
        heap_store(&vm->heap, context, CONTEXT_FIXED + index, value);
}

static Oop married_field(Vm *vm, Oop context, Word index)
{
    Word fp = context_frame(context), sp, ip;
    Word *frame = frame_at(fp);
    switch (index) {
    case CONTEXT_SENDER:
        return frame[FRAME_SAVED_FP] ? stack_frame_context(vm, frame[FRAME_SAVED_FP]) : frame[FRAME_RETURN];
    case CONTEXT_PC:
        frame_extent(vm, fp, &sp, &ip);
        return frame_pc_oop(frame[FRAME_METHOD], ip);
    case CONTEXT_STACKP: return small_integer_oop((SWord)frame_depth(vm, fp));
    case CONTEXT_METHOD: return frame[FRAME_METHOD];
    case CONTEXT_RECEIVER: return frame[FRAME_RECEIVER];
    default: return object_slot(context, index);
    }
}

Oop context_field(Vm *vm, Oop context, Word index)
{
    return context_married(context) ? married_field(vm, context, index) : object_slot(context, index);
}

void context_make_single(Vm *vm, Oop context)
{
    if (!context_married(context))
        return;
    Word fp = context_frame(context);
    Page *page = stack_page_of(vm, fp);
    bool running = vm->fp && page == interp_of(vm)->page;
    stack_sync(vm);
    Oop active = running ? stack_frame_context(vm, vm->fp) : NO_OOP;
    REQUIRE(!running || active, "no memory left for contexts of the stack");
    stack_flush_page(vm, page, fp);
    if (running) {
        bool resumed = stack_resume(vm, active);
        REQUIRE(resumed, "the running activation cannot be resumed");
    }
}

/* Brings the running activation, if `context` is its, back into a frame. */
static void resume_if_running(Vm *vm, Oop context, bool running)
{
    if (running && !context_married(context)) {
        bool resumed = stack_resume(vm, context);
        REQUIRE(resumed, "the running activation cannot be resumed");
    }
}

static bool put_stackp(Vm *vm, Oop context, Oop value)
{
    Word room = object_slot_count(context) - CONTEXT_FIXED;
    if (!is_small_integer(value) || small_integer_value(value) < 0 ||
        (Word)small_integer_value(value) > room)
        return false;
    Word old = context_size(vm, context), new = (Word)small_integer_value(value);
    if (new > old)
        object_fill(context, CONTEXT_FIXED + old, CONTEXT_FIXED + new, vm->heap.nil);
    heap_store_unchecked(context, CONTEXT_STACKP, value); /* NOBARRIER: a SmallInteger */
    return true;
}

static bool may_hold(Vm *vm, Word index, Oop value)
{
    switch (index) {
    case CONTEXT_SENDER: return value == vm->heap.nil || is_context(value);
    case CONTEXT_PC: return value == vm->heap.nil || is_small_integer(value);
    case CONTEXT_METHOD: return is_code(value);
    default: return true;
    }
}

/* The new value cannot have been seen by whoever verified the frame. */
bool context_field_put(Vm *vm, Oop context, Word index, Oop value)
{
    value = follow(value);
    if (!may_hold(vm, index, value))
        return false;
    bool running = vm->fp && context_married(context) && context_frame(context) == vm->fp;
    if (running) {
        /* A frame of its own page, so that only it has to leave its frame. */
        Oop active = stack_active_context(vm);
        REQUIRE(active, "no memory left for contexts of the stack");
        stack_sync(vm);
        stack_flush_page(vm, interp_of(vm)->page, vm->fp);
    } else
        context_make_single(vm, context);
    bool done = true;
    if (index == CONTEXT_STACKP)
        done = put_stackp(vm, context, value);
    else
        heap_store(&vm->heap, context, index, value);
    if (index != CONTEXT_SENDER)
        *header_at(context) &= ~HEADER_VERIFIED;
    resume_if_running(vm, context, running);
    return done;
}

Oop context_clone(Vm *vm, Oop context)
{
    Heap *heap = &vm->heap;
    Oop sender = context_field(vm, context, CONTEXT_SENDER);
    if (!sender)
        return NO_OOP;
    Word slots = object_slot_count(context);
    Oop copy = heap_new_pointers(heap, slots, FORMAT_INDEXABLE_FIXED, CLASS_CONTEXT);
    if (!copy)
        return NO_OOP;
    for (Word i = 0; i < CONTEXT_FIXED; i++)
        heap_store(heap, copy, i, context_field(vm, context, i));
    Word size = context_size(vm, context);
    for (Word i = 0; i < size && i < slots - CONTEXT_FIXED; i++)
        heap_store(heap, copy, CONTEXT_FIXED + i, context_stack_at(vm, context, i));
    return copy;
}
