/* Primitives that send, or run code and primitives without a send: perform: and its kin. */
#include "kernel/bytecode/opcodes.h"
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/fast.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/named.h"
#include "kernel/vm/primitives/primitives.h"

enum { ARGS_MAX = 15 };

static void push(Vm *vm, Oop value)
{
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = value;
}

/* An Array whose elements can be arguments. */
static bool is_arguments(Oop array)
{
    return is_object(array) && object_format(array) == FORMAT_INDEXABLE &&
           object_slot_count(array) <= ARGS_MAX;
}

static unsigned push_elements(Vm *vm, Oop array)
{
    unsigned count = (unsigned)object_slot_count(array);
    for (unsigned i = 0; i < count; i++)
        push(vm, object_slot(array, i));
    return count;
}

/* Is the method found for the selector of another arity? Then the primitive fails instead. */
static bool has_other_arity(Vm *vm, Oop selector, Word class_index, unsigned args)
{
    LookupEntry *entry = lookup_find(vm, follow(selector), class_index);
    return entry && entry->kind != KIND_NOT_CODE && entry->args != args;
}

static PrimFailure send(Vm *vm, Oop selector, unsigned args)
{
    LookupEntry *entry = lookup_send(vm, selector, &args);
    if (entry)
        activate_entry(vm, entry, args);
    return PRIM_OK;
}

PrimFailure prim_perform(Vm *vm, unsigned arg_count)
{
    if (arg_count == 0)
        return PRIM_BAD_ARG_COUNT;
    unsigned args = arg_count - 1;
    Oop selector = vm_stack(vm, args), receiver = vm_stack(vm, arg_count);
    if (is_forwarded(receiver))
        return PRIM_BAD_RECEIVER;
    if (has_other_arity(vm, selector, heap_class_index(receiver), args))
        return PRIM_BAD_ARG_COUNT;
    for (unsigned i = args; i > 0; i--)
        vm_stack_put(vm, i, vm_stack(vm, i - 1));
    vm->sp += WORD_BYTES;
    return send(vm, selector, args);
}

/* receiver, selector, array [, more]: leaves receiver and the array's elements. With extra
 * operands below, the receiver proper is the one next to the selector. */
PrimFailure prim_perform_with_args(Vm *vm, unsigned arg_count)
{
    if (arg_count < 2 || arg_count > 3)
        return PRIM_BAD_ARG_COUNT;
    Oop array = vm_stack(vm, 0), selector = vm_stack(vm, 1), receiver = follow(vm_stack(vm, 2));
    if (!is_arguments(array))
        return PRIM_BAD_ARGUMENT;
    unsigned args = (unsigned)object_slot_count(array);
    if (has_other_arity(vm, selector, heap_class_index(receiver), args))
        return PRIM_BAD_ARG_COUNT;
    vm->sp += (Word)(arg_count + 1) * WORD_BYTES;
    push(vm, receiver);
    push_elements(vm, array);
    return send(vm, selector, args);
}

static bool inherits_from(Oop class, Oop ancestor)
{
    for (int depth = 0; depth < 100000 && fast_has_slot(class, CLASS_FORMAT); depth++) {
        if (class == ancestor)
            return true;
        class = follow(object_slot(class, CLASS_SUPERCLASS));
    }
    return false;
}

PrimFailure prim_perform_in_superclass(Vm *vm, unsigned arg_count)
{
    if (arg_count < 3 || arg_count > 4)
        return PRIM_BAD_ARG_COUNT;
    Oop class = follow(vm_stack(vm, 0)), array = vm_stack(vm, 1), selector = vm_stack(vm, 2);
    Oop receiver = follow(vm_stack(vm, 3));
    if (!is_arguments(array) ||
        !inherits_from(follow(heap_class_of(&vm->heap, receiver)), class))
        return PRIM_BAD_ARGUMENT;
    unsigned args = (unsigned)object_slot_count(array);
    Word class_index = vm_class_index(vm, class);
    if (!class_index)
        return PRIM_NO_MEMORY;
    if (has_other_arity(vm, selector, class_index, args))
        return PRIM_BAD_ARG_COUNT;
    vm->sp += (Word)(arg_count + 1) * WORD_BYTES;
    push(vm, receiver);
    push_elements(vm, array);
    LookupEntry *entry = lookup_send_in(vm, selector, class, &args);
    if (entry)
        activate_entry(vm, entry, args);
    return PRIM_OK;
}

/* ---- Running methods without lookup ---- */

static PrimFailure run_method(Vm *vm, Oop method, unsigned args)
{
    LookupEntry *entry = lookup_method(vm, method, vm_stack(vm, args));
    activate_entry(vm, entry, args);
    return PRIM_OK;
}

static bool takes(Vm *vm, Oop method, unsigned args)
{
    return method_header_args(method_header(&vm->heap, method)) == args;
}

/* receiver, array, method [below: up to two mirror operands]. */
PrimFailure prim_execute_method_args_array(Vm *vm, unsigned arg_count)
{
    if (arg_count < 2 || arg_count > 4)
        return PRIM_BAD_ARG_COUNT;
    Oop method = follow(vm_stack(vm, 0)), array = vm_stack(vm, 1), receiver = follow(vm_stack(vm, 2));
    if (!is_code(method) || !is_arguments(array))
        return PRIM_BAD_ARGUMENT;
    if (!takes(vm, method, (unsigned)object_slot_count(array)))
        return PRIM_BAD_ARG_COUNT;
    vm->sp += (Word)(arg_count + 1) * WORD_BYTES;
    push(vm, receiver);
    return run_method(vm, method, push_elements(vm, array));
}

PrimFailure prim_execute_method(Vm *vm, unsigned arg_count)
{
    if (arg_count == 0)
        return PRIM_BAD_ARG_COUNT;
    Oop method = follow(vm_stack(vm, 0));
    unsigned args = arg_count - 1;
    if (!is_code(method))
        return PRIM_BAD_ARGUMENT;
    if (!takes(vm, method, args))
        return PRIM_BAD_ARG_COUNT;
    vm->sp += WORD_BYTES;
    vm_stack_put(vm, args, follow(vm_stack(vm, args)));
    return run_method(vm, method, args);
}

/* ---- Running primitives ---- */

static PrimFailure negated(PrimFailure failure)
{
    return (PrimFailure)(-(int)failure);
}

/* What is on the stack above `below` is replaced by receiver and arguments while the primitive
 * runs; on failure everything lies as before. */
typedef struct {
    Oop operands[8];
    unsigned count;
} Saved;

static void save(Vm *vm, Saved *saved, unsigned count)
{
    saved->count = count;
    for (unsigned i = 0; i < count; i++)
        saved->operands[i] = vm_stack(vm, i);
    vm->sp += (Word)count * WORD_BYTES;
}

static void restore(Vm *vm, const Saved *saved, unsigned pushed)
{
    vm->sp += (Word)pushed * WORD_BYTES;
    for (unsigned i = saved->count; i > 0; i--)
        push(vm, saved->operands[i - 1]);
}

static PrimFailure run_with(Vm *vm, unsigned operands, Oop receiver, Oop array, unsigned number,
                            Oop method)
{
    Saved saved;
    Oop method_before = vm->new_method;
    for (unsigned i = 0; i < operands; i++)
        vm_stack_put(vm, i, follow(vm_stack(vm, i)));
    save(vm, &saved, operands);
    for (unsigned i = 0; i < operands; i++)
        vm_root_push(vm, &saved.operands[i]);
    vm_root_push(vm, &method_before);
    push(vm, receiver);
    unsigned args = push_elements(vm, array);
    if (method)
        vm->new_method = method;
    PrimFailure failure = method ? named_call(vm, method, args)
                                 : activate_primitive(vm, number, args);
    vm_root_pop(vm, operands + 1);
    if (failure != PRIM_OK) {
        restore(vm, &saved, args + 1);
        vm->new_method = method_before;
    }
    return failure;
}

/* receiver tryPrimitive: n withArgs: array, or context, receiver, n, array. */
PrimFailure prim_do_primitive_with_args(Vm *vm, unsigned arg_count)
{
    if (arg_count < 2 || arg_count > 3)
        return negated(PRIM_UNSUPPORTED);
    Oop array = vm_stack(vm, 0), number = vm_stack(vm, 1), receiver = vm_stack(vm, 2);
    if (is_immediate(array) || object_format(array) != FORMAT_INDEXABLE ||
        !is_small_integer(number))
        return negated(PRIM_BAD_ARGUMENT);
    if (object_slot_count(array) > ARGS_MAX)
        return negated(PRIM_LIMIT_EXCEEDED);
    SWord n = small_integer_value(number);
    if (n < 1 || n >= PRIM_TABLE_SIZE || (n >= QUICK_FIRST && n <= QUICK_LAST) ||
        !prim_table[n].function || n == 117 || n == 120)
        return PRIM_FAILED;
    return run_with(vm, arg_count + 1, follow(receiver), array, (unsigned)n, NO_OOP);
}

/* context, method, receiver, array. */
PrimFailure prim_do_named_primitive_with_args(Vm *vm, unsigned arg_count)
{
    if (arg_count != 3)
        return negated(PRIM_BAD_RECEIVER);
    Oop array = vm_stack(vm, 0), receiver = vm_stack(vm, 1), method = follow(vm_stack(vm, 2));
    if (!is_arguments(array) || !is_code(method))
        return negated(PRIM_BAD_RECEIVER);
    if (method_primitive(vm, method) != 117 ||
        !takes(vm, method, (unsigned)object_slot_count(array)))
        return negated(PRIM_BAD_ARGUMENT);
    PrimFailure failure = run_with(vm, 4, follow(receiver), array, 117, method);
    return failure == PRIM_FAILED || failure == PRIM_NOT_FOUND ? negated(PRIM_FAILED) : failure;
}
