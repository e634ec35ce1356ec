/* Fast paths of the loop: what is inline, and what stands right behind it (fast.c). */
#ifndef OSVM_VM_INTERP_FAST_H
#define OSVM_VM_INTERP_FAST_H

#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/numbers.h"

typedef enum { FAST_ADD, FAST_SUBTRACT, FAST_MULTIPLY, FAST_DIVIDE } FloatOperation;

/* A pointer object that has this slot. */
static inline bool fast_has_slot(Oop oop, Word index)
{
    if (is_immediate(oop))
        return false;
    Header header = header_of(oop);
    return format_is_pointers(header_format(header)) && header_short_slots(header) > index;
}

/* The binding at a literal, which may have been forwarded. */
Oop fast_follow_literal(Vm *vm, Oop method, Word index);
/* Variables of a receiver that may be a context or have no such variable; NO_OOP: it has none. */
Oop fast_careful_read(Vm *vm, Oop receiver, Word index);
bool fast_careful_store(Vm *vm, Oop receiver, Word index, Oop value);

/* The result, or NO_OOP where a send has to decide. */
Oop fast_float_operation_slow(Vm *vm, Oop a, Oop b, FloatOperation operation);
Oop fast_exact_quotient(Oop a, Oop b);
Oop fast_shift(Oop a, Oop distance);
Oop fast_point(Vm *vm, Oop x, Oop y);

static inline bool fast_is_float(Oop oop)
{
    return is_small_float(oop) || (is_object(oop) && object_class_index(oop) == CLASS_FLOAT);
}

static inline Oop fast_float_operation(Vm *vm, Oop a, Oop b, FloatOperation operation)
{
    return fast_is_float(a) || fast_is_float(b) ? fast_float_operation_slow(vm, a, b, operation)
                                                : NO_OOP;
}

static inline bool fast_compare_floats(Vm *vm, Oop a, Oop b, Comparison *order)
{
    if (!fast_is_float(a) && !fast_is_float(b))
        return false;
    if (!vm->mixed_arithmetic && (is_small_integer(a) || is_small_integer(b)))
        return false;
    return compare_floats(a, b, order);
}

/* The class of the method's last literal, looked for in the enclosing code of a block. */
Oop fast_method_class(Vm *vm, Oop code);
const uint8_t *fast_first_bytecode(Vm *vm, Oop code);

/* The facts of a full closure's code if it can be activated with so many arguments and needs no more
 * than a frame; NULL: activate_full_closure decides. */
static inline CodeFacts *fast_closure_facts(Vm *vm, Oop closure, unsigned args)
{
    const Header shape = (Header)FORMAT_INDEXABLE_FIXED << HEADER_FORMAT_SHIFT | CLASS_FULL_BLOCK_CLOSURE;
    if (is_immediate(closure))
        return NULL;
    Header header = header_of(closure);
    const Word *slots = object_slots(closure);
    if ((header & (HEADER_FORMAT_MASK | HEADER_CLASS_MASK)) != shape ||
        header_short_slots(header) < FULL_CLOSURE_COPIED ||
        slots[CLOSURE_ARG_COUNT] != small_integer_oop((SWord)args))
        return NULL;
    unsigned copied = header_short_slots(header) - FULL_CLOSURE_COPIED;
    Oop code = slots[FULL_CLOSURE_CODE], receiver = slots[FULL_CLOSURE_RECEIVER];
    CodeFacts *facts = &interp_of(vm)->codes[code_hash(code)];
    if (facts->code != code || facts->args != args || args + copied > facts->temps || facts->bad ||
        facts->heat == 1)
        return NULL;
    if (is_immediate(receiver))
        return facts->fields ? NULL : facts;
    header = header_of(receiver);
    if (facts->fields && (!format_is_pointers(header_format(header)) ||
                          header_short_slots(header) < facts->fields ||
                          header_class_index(header) == CLASS_CONTEXT))
        return NULL;
    return header_is_forwarder(header) ? NULL : facts;
}

/* Pop copied values, push the closure. NO_OOP: no memory. */
Oop fast_push_closure(Vm *vm, unsigned args, unsigned copied, Word start_ip);
Oop fast_push_full_closure(Vm *vm, Oop code, unsigned operand);

/* ---- at: and at:put: ---- */

Oop fast_at_slow(Vm *vm, Oop object, Word index, Header header, const AtEntry *entry);
bool fast_at_put_slow(Vm *vm, Oop object, Word index, Header header, const AtEntry *entry,
                      Oop value);

static inline const AtEntry *fast_at_entry(Vm *vm, Word class_index)
{
    const AtEntry *entry = &interp_of(vm)->ats[class_index & (AT_ENTRIES - 1)];
    return __builtin_expect(entry->class_index == class_index, 1) ? entry
                                                                  : lookup_at(vm, class_index);
}

static inline Oop fast_at(Vm *vm, Oop object, Oop index_oop)
{
    if (is_immediate(object) || !is_small_integer(index_oop))
        return NO_OOP;
    Header header = header_of(object);
    if (header_is_forwarder(header))
        return NO_OOP;
    const AtEntry *entry = fast_at_entry(vm, header_class_index(header));
    Word index = (Word)small_integer_value(index_oop) - 1;
    if (entry->at == AT_OBJECT && header_format(header) == FORMAT_INDEXABLE) {
        unsigned slots = header_short_slots(header);
        if (__builtin_expect(slots != HEADER_SLOTS_OVERFLOW, 1) ? index < slots
                                                                : index < object_slot_count(object))
            return object_slots(object)[index];
        return NO_OOP;
    }
    return fast_at_slow(vm, object, index, header, entry);
}

static inline bool fast_at_put(Vm *vm, Oop object, Oop index_oop, Oop value)
{
    if (is_immediate(object) || !is_small_integer(index_oop))
        return false;
    Header header = header_of(object);
    if (header_is_forwarder(header) || header_is_immutable(header))
        return false;
    const AtEntry *entry = fast_at_entry(vm, header_class_index(header));
    Word index = (Word)small_integer_value(index_oop) - 1;
    if (entry->at_put == AT_OBJECT && header_format(header) == FORMAT_INDEXABLE) {
        if (index >= object_slot_count(object))
            return false;
        heap_store(&vm->heap, object, index, value);
        return true;
    }
    return fast_at_put_slow(vm, object, index, header, entry, value);
}

#endif
