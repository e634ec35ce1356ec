/* Building frames and running primitives from C: perform:, closures, failures. */
#include "kernel/bytecode/opcodes.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/named.h"
#include "kernel/vm/primitives/primitives.h"

static void push(Vm *vm, Word value)
{
    vm->sp -= WORD_BYTES;
    *(Word *)word_pointer(vm->sp) = value;
}

/* The fixed part of a frame; receiver and arguments, or closure and arguments, lie on the stack. */
static void build_frame(Vm *vm, Oop code, Word flags, Oop receiver, Word first_ip)
{
    push(vm, vm->ip);
    push(vm, vm->fp);
    vm->fp = vm->sp;
    push(vm, code);
    push(vm, flags);
    push(vm, 0);
    push(vm, receiver);
    vm->ip = code + first_ip;
}

static void build_method_frame(Vm *vm, const LookupEntry *entry, unsigned args)
{
    build_frame(vm, entry->method, entry->flags, vm_stack(vm, args), entry->first_ip);
    for (unsigned i = args; i < entry->temps; i++)
        push(vm, vm->heap.nil);
}

/* ---- Primitives ---- */

PrimFailure activate_primitive(Vm *vm, unsigned number, unsigned args)
{
    if (number >= PRIM_TABLE_SIZE || !prim_table[number].function)
        return PRIM_FAILED;
    return prim_table[number].function(vm, args);
}

/* Follows the forwarders in an object's slots, down to a depth. */
static bool follow_slots(Vm *vm, Oop object, int depth)
{
    bool found = false;
    if (is_immediate(object) || !format_is_pointers(object_format(object)) || is_context(object))
        return false;
    Word count = object_slot_count(object);
    for (Word i = 0; i < count; i++) {
        Oop value = object_slot(object, i);
        if (is_forwarded(value)) {
            value = follow(value);
            heap_store(&vm->heap, object, i, value);
            found = true;
        }
        if (depth > 1)
            found |= follow_slots(vm, value, depth - 1);
    }
    return found;
}

static bool follow_operands(Vm *vm, unsigned args, int depth)
{
    bool found = false;
    for (unsigned i = 0; i <= args && depth >= 0; i++) {
        Oop value = vm_stack(vm, i);
        if (is_forwarded(value)) {
            value = follow(value);
            vm_stack_put(vm, i, value);
            found = true;
        }
        if (depth > 0)
            found |= follow_slots(vm, value, depth);
    }
    return found;
}

static PrimFailure retry_with_room(Vm *vm, PrimFunction function, unsigned args)
{
    Mm *mm = vm->heap.mm;
    mm->ops->scavenge(mm, TENURE_BY_AGE);
    PrimFailure failure = function(vm, args);
    if (failure != PRIM_NO_MEMORY)
        return failure;
    mm->ops->collect_full(mm);
    return function(vm, args);
}

PrimFailure activate_retry(Vm *vm, unsigned args, PrimFailure failure)
{
    unsigned number = method_primitive(vm, vm->new_method);
    if (number == 0 || number >= PRIM_TABLE_SIZE || !prim_table[number].function)
        return failure;
    if (failure == PRIM_NO_MEMORY) {
        failure = retry_with_room(vm, prim_table[number].function, args);
        if (failure == PRIM_OK)
            return PRIM_OK;
    }
    int depth = number == 117 ? named_accessor_depth(vm, vm->new_method)
                              : prim_table[number].accessor_depth;
    if (!follow_operands(vm, args, depth))
        return failure;
    return prim_table[number].function(vm, args);
}

/* What the image's error temporary gets. */
static Oop error_object(Vm *vm, PrimFailure failure)
{
    Heap *heap = &vm->heap;
    Oop table = heap_special(heap, SPECIAL_PRIMITIVE_ERRORS);
    SWord code = (SWord)failure;
    if (code <= 0 || is_immediate(table) || !format_is_pointers(object_format(table)) ||
        (Word)code > object_slot_count(table))
        return small_integer_oop(code);
    Oop error = follow(object_slot(table, (Word)code - 1));
    if (is_immediate(error) || object_format(error) != FORMAT_FIXED || object_slot_count(error) < 2)
        return error;
    Oop copy = vm_clone(vm, error);
    Oop secondary = copy ? vm_integer_oop(vm, vm->os_error) : NO_OOP;
    if (!secondary)
        return error;
    heap_store(heap, copy, 1, secondary);
    return copy;
}

static bool has_error_temp(const uint8_t *next, Word flags)
{
    return flags & FRAME_SISTA ? next[0] == 245 : next[0] == 129 && next[1] >> 6 == 1;
}

void activate_failed(Vm *vm, unsigned args, PrimFailure failure)
{
    const LookupEntry *entry = lookup_method(vm, vm->new_method, vm_stack(vm, args));
    Word flags = entry->flags;
    unsigned temps = entry->temps;
    build_method_frame(vm, entry, args);
    if (!(flags & FRAME_UNSURE) && temps > args &&
        has_error_temp(word_pointer(vm->ip), flags))
        vm_stack_put(vm, 0, error_object(vm, failure));
}

/* ---- Entries ---- */

void activate_done(Vm *vm, bool polls)
{
    if (polls)
        interp_of(vm)->activated = true;
    else if (vm->sp < interp_of(vm)->page->limit)
        stack_overflow(vm);
}

static void answer(Vm *vm, unsigned args, Oop value)
{
    vm->sp += (Word)args * WORD_BYTES;
    *vm_top(vm) = value;
}

void activate_entry(Vm *vm, LookupEntry *entry, unsigned args)
{
    PrimFailure failure = PRIM_OK;
    if (entry->args != args) { /* callers have looked; a frame of another shape must not be */
        report_fatal(vm, "a method of %u arguments was to run with %u", entry->args, args);
        return;
    }
    switch ((SendKind)entry->kind) {
    case KIND_RETURN_SELF: answer(vm, args, vm_stack(vm, args)); return;
    case KIND_RETURN_CONSTANT: answer(vm, args, entry->constant); return;
    case KIND_RETURN_VARIABLE:
        answer(vm, args, object_slot(vm_stack(vm, args), entry->constant));
        return;
    case KIND_CODE:
        build_method_frame(vm, entry, args);
        activate_done(vm, !entry->no_poll);
        return;
    case KIND_PRIM:
    case KIND_PRIM_FULL:
    case KIND_CLOSURE_VALUE:
    case KIND_FULL_VALUE:
        vm->new_method = entry->method;
        failure = entry->function(vm, args);
        if (failure != PRIM_OK)
            failure = activate_retry(vm, args, failure);
        if (failure != PRIM_OK) {
            activate_failed(vm, args, failure);
            interp_of(vm)->activated = true;
        }
        return;
    case KIND_NOT_CODE:
    case KIND_COUNT: UNREACHABLE();
    }
}

/* ---- Closures ---- */

static bool is_closure(Oop closure, Word slots, unsigned args)
{
    return is_object(closure) && format_is_pointers(object_format(closure)) &&
           object_slot_count(closure) >= slots &&
           object_slot(closure, CLOSURE_ARG_COUNT) == small_integer_oop((SWord)args);
}

PrimFailure activate_closure(Vm *vm, unsigned args)
{
    Oop closure = vm_stack(vm, args);
    if (!is_closure(closure, CLOSURE_COPIED, args))
        return PRIM_FAILED;
    Oop outer = object_slot(closure, CLOSURE_OUTER), start = object_slot(closure, CLOSURE_START_PC);
    unsigned copied = (unsigned)object_slot_count(closure) - CLOSURE_COPIED;
    if (!is_context(outer) || !is_small_integer(start) || copied > STACK_SLOTS_MAX)
        return PRIM_FAILED;
    Oop method = object_slot(outer, CONTEXT_METHOD), receiver = object_slot(outer, CONTEXT_RECEIVER);
    if (is_forwarded(receiver)) {
        receiver = follow(receiver);
        heap_store(&vm->heap, outer, CONTEXT_RECEIVER, receiver);
    }
    if (!is_code(method) ||
        !code_has_block(vm, method, small_integer_value(start), args, copied))
        return PRIM_FAILED;
    CodeFacts *facts = (CodeFacts *)code_facts(vm, method);
    if (--facts->heat == 0) {
        facts->heat = heat_again(vm);
        jit_heat(vm, method, 0);
    }
    Word modes = code_modes_for(vm, facts, receiver);
    build_frame(vm, method, frame_flags_for(args, modes | FRAME_BLOCK), receiver,
                HEADER_BYTES + (Word)small_integer_value(start) - 1);
    for (unsigned i = 0; i < copied; i++)
        push(vm, object_slot(closure, CLOSURE_COPIED + i));
    return PRIM_OK;
}

PrimFailure activate_full_closure(Vm *vm, unsigned args)
{
    Oop closure = vm_stack(vm, args);
    if (!is_closure(closure, FULL_CLOSURE_COPIED, args))
        return PRIM_FAILED;
    Oop code = object_slot(closure, FULL_CLOSURE_CODE);
    Oop receiver = object_slot(closure, FULL_CLOSURE_RECEIVER);
    unsigned copied = (unsigned)object_slot_count(closure) - FULL_CLOSURE_COPIED;
    if (!is_code(code))
        return PRIM_FAILED;
    CodeFacts *facts = (CodeFacts *)code_facts(vm, code);
    if (facts->args != args || args + copied > facts->temps)
        return PRIM_FAILED;
    if (--facts->heat == 0) {
        facts->heat = heat_again(vm);
        jit_heat_block(vm, code, copied);
    }
    if (is_forwarded(receiver)) {
        receiver = follow(receiver);
        heap_store(&vm->heap, closure, FULL_CLOSURE_RECEIVER, receiver);
    }
    Word modes = code_modes_for(vm, facts, receiver);
    unsigned temps = facts->temps;
    build_frame(vm, code, frame_flags_for(args, modes | FRAME_BLOCK), receiver, facts->first_ip);
    for (unsigned i = 0; i < copied; i++)
        push(vm, object_slot(closure, FULL_CLOSURE_COPIED + i));
    for (unsigned i = args + copied; i < temps; i++)
        push(vm, vm->heap.nil);
    return PRIM_OK;
}
