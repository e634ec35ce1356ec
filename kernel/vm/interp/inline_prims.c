/* Sista's inlined primitives: what its optimiser writes instead of sends.
 *
 * That optimiser promises operands of the right kind; here nothing is promised. An
 * operand that does not fit makes the bytecode an unknown one, whose send tells the
 * image. The displacement of one that jumps is what the verifier saw: see verify.h, I8.
 */
#include "kernel/bytecode/opcodes.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"

/* Drops the operands and pushes the value; false where there is none. */
static bool leave(Vm *vm, unsigned operands, Oop value)
{
    if (!value)
        return false;
    vm_return(vm, operands - 1, value);
    return true;
}

static Oop boolean(Vm *vm, bool value)
{
    return value ? vm->heap.true_object : vm->heap.false_object;
}

static Oop small(int64_t value)
{
    return fits_small_integer(value) ? small_integer_oop((SWord)value) : NO_OOP;
}

/* ---- One operand ---- */

static Oop element_count(Oop oop, unsigned first_format, unsigned last_format, unsigned shift)
{
    if (is_immediate(oop) || object_format(oop) < first_format || object_format(oop) > last_format)
        return NO_OOP;
    return small((int64_t)(bits_byte_count(oop) >> shift));
}

static Oop new_instance(Vm *vm, Oop class, uint64_t size)
{
    PrimFailure failure;
    return vm_instantiate(vm, class, size, &failure);
}

static Oop identity_hash(Vm *vm, Oop oop)
{
    return is_object(oop) ? small_integer_oop((SWord)heap_identity_hash(&vm->heap, oop)) : NO_OOP;
}

static Oop behavior_hash(Vm *vm, Oop oop)
{
    SWord format;
    Word class_index = vm_class_format(oop, &format) ? vm_class_index(vm, oop) : 0;
    return class_index ? small_integer_oop((SWord)class_index) : NO_OOP;
}

static Oop unary(Vm *vm, unsigned number, Oop a)
{
    switch (number) {
    case 1000: return follow(heap_class_of(&vm->heap, follow(a)));
    case 1001:
        return is_object(a) && format_is_pointers(object_format(a)) ? small((int64_t)object_slot_count(a))
                                                                     : NO_OOP;
    case 1002: return element_count(a, FORMAT_BYTES, FORMAT_CODE - 1, 0);
    case 1003: return element_count(a, FORMAT_SHORTS, FORMAT_BYTES - 1, 1);
    case 1005: return element_count(a, FORMAT_WORDS32, FORMAT_SHORTS - 1, 2);
    case 1006: return element_count(a, FORMAT_WORDS64, FORMAT_WORDS64, 3);
    case 1011:
    case 1012: return new_instance(vm, a, 0);
    case 1020: return identity_hash(vm, a);
    case 1021: return is_small_integer(a) ? a : NO_OOP;
    case 1022:
    case 1030: return is_character(a) ? small(character_code(a)) : NO_OOP;
    case 1023: return is_small_float(a) ? small((SWord)a >> TAG_BITS) : NO_OOP;
    case 1024: return behavior_hash(vm, a);
    case 1031: /* the bits without tag and sign; negative if the sign is set */
        return is_small_float(a) ? small((int64_t)((uint64_t)a >> 4) | ((a & 8) ? INT64_MIN >> 4 : 0)) : NO_OOP;
    case 1032: return is_small_integer(a) ? vm_float_oop(vm, (double)small_integer_value(a)) : NO_OOP;
    case 1039:
    case 1040: return follow(a);
    case 1041: return a; /* stores look after the remembered set themselves */
    default: return NO_OOP;
    }
}

/* ---- Two operands ---- */

static Oop small_arithmetic(unsigned number, int64_t a, int64_t b)
{
    int64_t product;
    switch (number) {
    case 2000: return small(a + b);
    case 2001: return small(a - b);
    case 2002: return __builtin_mul_overflow(a, b, &product) ? NO_OOP : small(product);
    case 2003:
    case 2004:
    case 2006: return b == 0 ? NO_OOP : small(a / b);
    case 2005: return b == 0 ? NO_OOP : small(a % b);
    case 2016: return small(a & b);
    case 2017: return small(a | b);
    case 2018: return small(a ^ b);
    case 2019: return b < 0 || b >= WORD_BITS ? NO_OOP : small((int64_t)((uint64_t)a << b));
    case 2020: return b < 0 || b >= WORD_BITS ? NO_OOP : small(a >> b);
    default: return NO_OOP;
    }
}

static Oop small_comparison(Vm *vm, unsigned number, SWord a, SWord b)
{
    switch (number) {
    case 2032: return boolean(vm, a > b);
    case 2033: return boolean(vm, a < b);
    case 2034: return boolean(vm, a >= b);
    case 2035: return boolean(vm, a <= b);
    case 2036: return boolean(vm, a == b);
    case 2037: return boolean(vm, a != b);
    default: return NO_OOP;
    }
}

/* The 1-based index of an element of 1 << shift bytes, or of a slot; 0-based, if it is there. */
static bool element_index(Oop object, Oop index_oop, bool pointers, unsigned shift, Word *index)
{
    if (is_immediate(object) || !is_small_integer(index_oop) || small_integer_value(index_oop) < 1)
        return false;
    unsigned format = object_format(object);
    if (pointers ? !format_is_pointers(format) : !format_is_bits(format) && !format_is_code(format))
        return false;
    Word size = pointers ? object_slot_count(object) : bits_byte_count(object) >> shift;
    *index = (Word)small_integer_value(index_oop) - 1;
    return *index < size;
}

static Oop pointer_at(Vm *vm, Oop object, Oop index_oop)
{
    Word index;
    if (!element_index(object, index_oop, true, 0, &index))
        return NO_OOP;
    if (!is_context(object))
        return object_slot(object, index);
    if (index < CONTEXT_FIXED)
        return context_field(vm, object, index);
    index -= CONTEXT_FIXED;
    return index < context_size(vm, object) ? context_stack_at(vm, object, index) : NO_OOP;
}

static Oop element_at(Vm *vm, Oop object, Oop index_oop, unsigned shift)
{
    Word index;
    uint64_t value = 0;
    if (!element_index(object, index_oop, false, shift, &index))
        return NO_OOP;
    memcpy(&value, object_bytes(object) + (index << shift), (size_t)1 << shift);
    return vm_unsigned_oop(vm, value);
}

static Oop binary(Vm *vm, unsigned number, Oop a, Oop b)
{
    if (number < 2038) {
        if (!are_small_integers(a, b))
            return NO_OOP;
        SWord x = small_integer_value(a), y = small_integer_value(b);
        return number < 2032 ? small_arithmetic(number, x, y) : small_comparison(vm, number, x, y);
    }
    switch (number) {
    case 2038: return boolean(vm, follow(a) == follow(b));
    case 2039: return boolean(vm, follow(a) != follow(b));
    case 2048:
    case 2049:
        return is_small_integer(b) && small_integer_value(b) >= 0
                   ? new_instance(vm, a, (uint64_t)small_integer_value(b))
                   : NO_OOP;
    case 2064:
    case 2065: return pointer_at(vm, a, b);
    case 2066:
    case 2067:
    case 2068:
    case 2069: return element_at(vm, a, b, number - 2066);
    default: return NO_OOP;
    }
}

/* ---- Three operands ---- */

static bool pointer_at_put(Vm *vm, Oop object, Oop index_oop, Oop value)
{
    Word index;
    if (!element_index(object, index_oop, true, 0, &index))
        return false;
    if (!is_context(object)) {
        heap_store(&vm->heap, object, index, value);
        return true;
    }
    if (index < CONTEXT_FIXED || index - CONTEXT_FIXED >= context_size(vm, object))
        return false; /* fields of contexts are changed by primitives only */
    context_stack_at_put(vm, object, index - CONTEXT_FIXED, value);
    return true;
}

static bool element_at_put(Vm *vm, Oop object, Oop index_oop, Oop value, unsigned shift)
{
    Word index;
    uint64_t number;
    if (!element_index(object, index_oop, false, shift, &index) || format_is_code(object_format(object)) ||
        !vm_uint64_value(vm, value, &number) || (shift < 3 && number >> (8 << shift)))
        return false;
    memcpy(object_bytes(object) + (index << shift), &number, (size_t)1 << shift);
    return true;
}

/* Stores `kind` 0..3: a reference; 4..7: an element of 1, 2, 4, 8 bytes. */
static bool store(Vm *vm, unsigned kind, Oop object, Oop index, Oop value)
{
    return kind < 4 ? pointer_at_put(vm, object, index, value)
                    : element_at_put(vm, object, index, value, kind - 4);
}

static Oop compare_bytes(Vm *vm, Oop a, Oop b, Oop count)
{
    if (is_immediate(a) || is_immediate(b) || !format_is_bytes(object_format(a)) ||
        !format_is_bytes(object_format(b)) || !is_small_integer(count) || small_integer_value(count) < 0)
        return NO_OOP;
    Word bytes = (Word)small_integer_value(count);
    if (bytes > bits_byte_count(a) || bytes > bits_byte_count(b))
        return NO_OOP;
    return boolean(vm, memcmp(object_bytes(a), object_bytes(b), bytes) == 0);
}

static bool ternary(Vm *vm, unsigned number)
{
    Oop a = vm_stack(vm, 2), b = vm_stack(vm, 1), c = vm_stack(vm, 0);
    if (number == 3021)
        return leave(vm, 3, compare_bytes(vm, a, b, c));
    if (is_immediate(a) || is_read_only(a) || !store(vm, number - 3000, a, b, c))
        return false;
    return leave(vm, 3, c);
}

/* copyArray: destination, from, to, source, source from; the destination is left. */
static bool copy_array(Vm *vm)
{
    Oop to = vm_stack(vm, 4), from = vm_stack(vm, 1);
    Word first, last, source, source_last;
    if (is_object(to) && (is_context(to) || is_read_only(to)))
        return false;
    if (!element_index(to, vm_stack(vm, 3), true, 0, &first) ||
        !element_index(to, vm_stack(vm, 2), true, 0, &last) ||
        !element_index(from, vm_stack(vm, 0), true, 0, &source) || last < first)
        return false;
    source_last = source + (last - first);
    if (source_last >= object_slot_count(from) || is_context(from))
        return false;
    for (Word i = 0; i <= last - first; i++)
        heap_store(&vm->heap, to, first + i, object_slot(from, source + i));
    return leave(vm, 5, to);
}

/* ---- Those that jump ---- */

static bool is_one_of(Oop class, Oop classes)
{
    for (Word i = 0; i < object_slot_count(classes); i++)
        if (follow(object_slot(classes, i)) == class)
            return true;
    return false;
}

/* Whether the jump is taken; false if an operand does not fit. */
static bool jump_condition(Vm *vm, unsigned number, bool *taken)
{
    Oop object = follow(vm_stack(vm, 1));
    switch (number) {
    case INLINE_BACKJUMP: *taken = true; return true;
    case 7016: *taken = is_object(object) && !is_read_only(object); return true;
    case 7017: *taken = is_immediate(object) || is_read_only(object); return true;
    case 7018: *taken = is_object(object) && heap_is_young(&vm->heap, object); return true;
    case 7019: *taken = is_immediate(object) || !heap_is_young(&vm->heap, object); return true;
    }
    Oop classes = object;
    object = follow(vm_stack(vm, 2));
    Oop class = follow(heap_class_of(&vm->heap, object));
    bool several = number == 8002 || number == 8003;
    if (several && (is_immediate(classes) || object_format(classes) != FORMAT_INDEXABLE))
        return false;
    bool matches = several ? is_one_of(class, classes) : class == classes;
    *taken = matches == (number == 8000 || number == 8002);
    return true;
}

static bool run_jump(Vm *vm, const InlinePrimitive *primitive, SWord *displacement)
{
    bool taken;
    if (!is_small_integer(vm_stack(vm, 0)) || !jump_condition(vm, primitive->number, &taken))
        return false;
    *displacement = taken ? small_integer_value(vm_stack(vm, 0)) : 0;
    vm->sp += (Word)primitive->arguments * WORD_BYTES;
    return true;
}

bool inline_primitive_run(Vm *vm, unsigned set, unsigned number, SWord *displacement)
{
    const InlinePrimitive *primitive = inline_primitive_find(number);
    *displacement = 0;
    if (set != 0 || !primitive)
        return false;
    if (primitive->jumps)
        return run_jump(vm, primitive, displacement);
    switch (primitive->arguments) {
    case 1: return leave(vm, 1, unary(vm, number, vm_stack(vm, 0)));
    case 2: return leave(vm, 2, binary(vm, number, vm_stack(vm, 1), vm_stack(vm, 0)));
    case 3: return ternary(vm, number);
    default: return number == 5000 && copy_array(vm);
    }
}

/* ---- The mapped ones: stores that look at the read-only bit, and a check for memory ---- */

/* attemptToAssign: value withIndex: index is sent to the object; its answer is what is left. */
static Oop attempt_to_assign(Vm *vm, Oop index, Oop value)
{
    vm_stack_put(vm, 1, value);
    vm_stack_put(vm, 0, index);
    interp_of(vm)->send_args = 2;
    return heap_special(&vm->heap, SPECIAL_ATTEMPT_TO_ASSIGN);
}

Oop inline_mapped_run(Vm *vm, unsigned number)
{
    Oop done = vm->heap.true_object;
    const InlinePrimitive *primitive = mapped_primitive_find(number);
    if (!primitive)
        return NO_OOP;
    if (number == 50) /* allocation looks after itself */
        return is_small_integer(vm_stack(vm, 0)) ? done : NO_OOP;
    Oop object = vm_stack(vm, 2), index = vm_stack(vm, 1), value = vm_stack(vm, 0);
    if (is_object(object) && is_read_only(object))
        return attempt_to_assign(vm, index, value);
    if (is_immediate(object) || !store(vm, number - 150, object, index, value))
        return NO_OOP;
    leave(vm, 3, value);
    return done;
}
