/* Fast paths of the loop that are too long to be inline. */
#include "kernel/vm/interp/fast.h"

#include "kernel/vm/objects.h"

Oop fast_follow_literal(Vm *vm, Oop method, Word index)
{
    Oop literal = follow(object_slot(method, 1 + index));
    heap_store(&vm->heap, method, 1 + index, literal);
    return literal;
}

Oop fast_careful_read(Vm *vm, Oop receiver, Word index)
{
    if (is_immediate(receiver) || !format_is_pointers(object_format(receiver)) ||
        index >= object_slot_count(receiver))
        return NO_OOP;
    if (!is_context(receiver) || !context_married(receiver))
        return object_slot(receiver, index);
    if (index < CONTEXT_FIXED)
        return context_field(vm, receiver, index);
    return index - CONTEXT_FIXED < context_size(vm, receiver)
               ? context_stack_at(vm, receiver, index - CONTEXT_FIXED)
               : vm->heap.nil;
}

bool fast_careful_store(Vm *vm, Oop receiver, Word index, Oop value)
{
    if (is_immediate(receiver) || !format_is_pointers(object_format(receiver)) ||
        index >= object_slot_count(receiver))
        return false;
    if (!is_context(receiver)) {
        heap_store(&vm->heap, receiver, index, value);
        return true;
    }
    if (index < CONTEXT_FIXED)
        return context_field_put(vm, receiver, index, value);
    if (index - CONTEXT_FIXED < context_size(vm, receiver))
        context_stack_at_put(vm, receiver, index - CONTEXT_FIXED, value);
    else
        heap_store(&vm->heap, receiver, index, value);
    return true;
}

/* ---- Numbers ---- */

static bool number_value(Vm *vm, Oop oop, double *value)
{
    if (is_small_integer(oop)) {
        *value = (double)small_integer_value(oop);
        return vm->mixed_arithmetic;
    }
    return float_value(oop, value);
}

Oop fast_float_operation_slow(Vm *vm, Oop a, Oop b, FloatOperation operation)
{
    double x, y;
    if (!number_value(vm, a, &x) || !number_value(vm, b, &y))
        return NO_OOP;
    switch (operation) {
    case FAST_ADD: x += y; break;
    case FAST_SUBTRACT: x -= y; break;
    case FAST_MULTIPLY: x *= y; break;
    case FAST_DIVIDE:
        if (y == 0)
            return NO_OOP;
        x /= y;
        break;
    }
    return vm_float_oop(vm, x);
}

Oop fast_exact_quotient(Oop a, Oop b)
{
    SWord x = small_integer_value(a), y = small_integer_value(b);
    if (y == 0 || x % y != 0 || !fits_small_integer(x / y))
        return NO_OOP;
    return small_integer_oop(x / y);
}

Oop fast_shift(Oop a, Oop distance)
{
    if (!are_small_integers(a, distance))
        return NO_OOP;
    SWord value = small_integer_value(a), by = small_integer_value(distance);
    if (by <= 0)
        return by > -WORD_BITS ? small_integer_oop(value >> -by) : NO_OOP;
    if (by >= WORD_BITS - SMALL_INTEGER_SHIFT)
        return NO_OOP;
    SWord shifted = (SWord)((Word)value << by);
    if (shifted >> by != value || !fits_small_integer(shifted))
        return NO_OOP;
    return small_integer_oop(shifted);
}

static bool is_coordinate(Oop oop)
{
    return is_small_integer(oop) || fast_is_float(oop);
}

Oop fast_point(Vm *vm, Oop x, Oop y)
{
    Heap *heap = &vm->heap;
    if (!is_coordinate(x) || !is_coordinate(y))
        return NO_OOP;
    Word class_index = vm_class_index(vm, heap_special(heap, SPECIAL_CLASS_POINT));
    Oop point = class_index ? heap_allocate(heap, 2, FORMAT_FIXED, class_index) : NO_OOP;
    if (!point)
        return NO_OOP;
    heap_store_unchecked(point, 0, heap->nil); /* NOBARRIER: nil, so that the object is whole */
    heap_store_unchecked(point, 1, heap->nil);
    heap_store(heap, point, 0, x);
    heap_store(heap, point, 1, y);
    return point;
}

/* ---- Sends ---- */

enum { NESTING_MAX = 64 };

Oop fast_method_class(Vm *vm, Oop code)
{
    for (int depth = 0; depth < NESTING_MAX; depth++) {
        Word literals = method_literal_count(&vm->heap, code);
        if (literals == 0)
            return NO_OOP;
        Oop last = follow(object_slot(code, literals));
        if (!is_code(last))
            return fast_has_slot(last, ASSOCIATION_VALUE)
                       ? follow(object_slot(last, ASSOCIATION_VALUE))
                       : vm->heap.nil;
        code = last;
    }
    return vm->heap.nil;
}

const uint8_t *fast_first_bytecode(Vm *vm, Oop code)
{
    return object_bytes(code) + (1 + method_literal_count(&vm->heap, code)) * WORD_BYTES;
}

/* ---- Closures ---- */

Oop fast_push_closure(Vm *vm, unsigned args, unsigned copied, Word start_ip)
{
    Heap *heap = &vm->heap;
    Oop context = stack_active_context(vm);
    Oop closure = context ? heap_allocate(heap, CLOSURE_COPIED + copied, FORMAT_INDEXABLE_FIXED,
                                          CLASS_BLOCK_CLOSURE)
                          : NO_OOP;
    if (!closure)
        return NO_OOP;
    object_fill(closure, 0, CLOSURE_COPIED + copied, heap->nil);
    heap_store(heap, closure, CLOSURE_OUTER, context);
    Oop method = frame_at(vm->fp)[FRAME_METHOD];
    heap_store_unchecked(closure, CLOSURE_START_PC, frame_pc_oop(method, start_ip));
    heap_store_unchecked(closure, CLOSURE_ARG_COUNT, small_integer_oop((SWord)args));
    for (unsigned i = 0; i < copied; i++)
        heap_store(heap, closure, CLOSURE_COPIED + i, vm_stack(vm, copied - 1 - i));
    vm->sp += (Word)copied * WORD_BYTES;
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = closure;
    return closure;
}

Oop fast_push_full_closure(Vm *vm, Oop code, unsigned operand)
{
    Heap *heap = &vm->heap;
    unsigned copied = operand & 63;
    Oop outer = operand & 64 ? heap->nil : stack_active_context(vm);
    Oop closure = outer ? heap_allocate(heap, FULL_CLOSURE_COPIED + copied, FORMAT_INDEXABLE_FIXED,
                                        CLASS_FULL_BLOCK_CLOSURE)
                        : NO_OOP;
    if (!closure)
        return NO_OOP;
    Oop receiver = operand & 128 ? vm_stack(vm, copied) : frame_at(vm->fp)[FRAME_RECEIVER];
    unsigned args = method_header_args(method_header(heap, code));
    if (heap_is_young(heap, closure)) { /* NOBARRIER B2 */
        Word *slots = object_slots(closure);
        slots[CLOSURE_OUTER] = outer;
        slots[FULL_CLOSURE_CODE] = code;
        slots[CLOSURE_ARG_COUNT] = small_integer_oop((SWord)args);
        slots[FULL_CLOSURE_RECEIVER] = receiver;
        for (unsigned i = 0; i < copied; i++)
            slots[FULL_CLOSURE_COPIED + i] = vm_stack(vm, copied - 1 - i);
    } else {
        object_fill(closure, 0, FULL_CLOSURE_COPIED + copied, heap->nil);
        heap_store(heap, closure, CLOSURE_OUTER, outer);
        heap_store(heap, closure, FULL_CLOSURE_CODE, code);
        heap_store(heap, closure, CLOSURE_ARG_COUNT, small_integer_oop((SWord)args));
        heap_store(heap, closure, FULL_CLOSURE_RECEIVER, receiver);
        for (unsigned i = 0; i < copied; i++)
            heap_store(heap, closure, FULL_CLOSURE_COPIED + i, vm_stack(vm, copied - 1 - i));
    }
    vm->sp += (Word)(copied + (operand & 128 ? 1 : 0)) * WORD_BYTES;
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = closure;
    return closure;
}

/* ---- at: and at:put: of what is not an Array ---- */

Oop fast_at_slow(Vm *vm, Oop object, Word index, Header header, const AtEntry *entry)
{
    unsigned format = header_format(header);
    (void)vm;
    if (entry->at == AT_NONE)
        return NO_OOP;
    if (format_is_bytes(format)) {
        if (index >= bits_byte_count(object))
            return NO_OOP;
        uint8_t byte = object_bytes(object)[index];
        return entry->at == AT_STRING ? character_oop(byte) : small_integer_oop(byte);
    }
    if (format == FORMAT_INDEXABLE_FIXED && entry->at == AT_OBJECT) {
        Word count = object_slot_count(object);
        return count >= entry->fixed && index < count - entry->fixed
                   ? object_slot(object, index + entry->fixed)
                   : NO_OOP;
    }
    return NO_OOP;
}

bool fast_at_put_slow(Vm *vm, Oop object, Word index, Header header, const AtEntry *entry,
                      Oop value)
{
    unsigned format = header_format(header);
    if (entry->at_put == AT_NONE)
        return false;
    if (format_is_bytes(format)) {
        if (index >= bits_byte_count(object))
            return false;
        if (entry->at_put == AT_STRING) {
            if (!is_character(value) || character_code(value) > 255)
                return false;
            object_bytes(object)[index] = (uint8_t)character_code(value);
            return true;
        }
        if (!is_small_integer(value) || (Word)small_integer_value(value) > 255)
            return false;
        object_bytes(object)[index] = (uint8_t)small_integer_value(value);
        return true;
    }
    if (format == FORMAT_INDEXABLE_FIXED && entry->at_put == AT_OBJECT) {
        Word count = object_slot_count(object);
        if (count < entry->fixed || index >= count - entry->fixed)
            return false;
        heap_store(&vm->heap, object, index + entry->fixed, value);
        return true;
    }
    return false;
}
