/* Making objects, and their sizes as the image sees them. */
#include "kernel/vm/objects.h"

Oop vm_string_oop(Vm *vm, const char *bytes, size_t length)
{
    Oop string = heap_new_bytes(&vm->heap, (Word)length, CLASS_BYTE_STRING);
    if (string)
        memcpy(object_bytes(string), bytes, length);
    return string;
}

bool vm_class_format(Oop class, SWord *format)
{
    if (is_immediate(class) || !format_is_pointers(object_format(class)) ||
        object_slot_count(class) <= CLASS_FORMAT ||
        !is_small_integer(object_slot(class, CLASS_FORMAT)))
        return false;
    *format = small_integer_value(object_slot(class, CLASS_FORMAT));
    return true;
}

Word vm_class_index(Vm *vm, Oop class)
{
    unsigned hash = header_hash(header_of(class));
    if (hash && heap_class_exists(&vm->heap, hash) && heap_class_at(&vm->heap, hash) == class)
        return hash;
    return vm->heap.mm->ops->class_enter(vm->heap.mm, class);
}

/* The largest object the heap can hold at all, in slots: sizes beyond it are
 * refused before they are computed with. So are elements that no SmallInteger
 * could be the index of. */
#define SLOTS_MAX (((uint64_t)1 << (WORD_BITS == 64 ? 48 : 31)) / WORD_BYTES)
#define ELEMENTS_MAX ((uint64_t)SMALL_INTEGER_MAX)

bool vm_layout(SWord class_format, uint64_t indexed, Word *slots, unsigned *format)
{
    Word fixed = class_format_fixed_fields(class_format);
    unsigned spec = class_format_instance_spec(class_format);
    uint64_t element_bytes = 0;
    *format = spec;
    if (indexed > ELEMENTS_MAX)
        return false;
    switch (spec) {
    case FORMAT_EMPTY:
    case FORMAT_FIXED:
    case FORMAT_EPHEMERON:
        *slots = fixed;
        if (spec == FORMAT_FIXED && fixed == 0)
            *format = FORMAT_EMPTY;
        return indexed == 0;
    case FORMAT_INDEXABLE:
    case FORMAT_INDEXABLE_FIXED:
    case FORMAT_WEAK:
        if (indexed > SLOTS_MAX)
            return false;
        *slots = fixed + (Word)indexed;
        return true;
    case FORMAT_WORDS64: element_bytes = 8; break;
    case FORMAT_WORDS32: element_bytes = 4; break;
    case FORMAT_SHORTS: element_bytes = 2; break;
    case FORMAT_BYTES: element_bytes = 1; break;
    default: return false;
    }
    if (indexed > SLOTS_MAX * WORD_BYTES / element_bytes)
        return false;
    uint64_t bytes = indexed * element_bytes;
    *slots = (Word)((bytes + WORD_BYTES - 1) / WORD_BYTES);
    *format = spec + (unsigned)(((uint64_t)*slots * WORD_BYTES - bytes) / element_bytes);
    return true;
}

Oop vm_instantiate(Vm *vm, Oop class, uint64_t indexed, PrimFailure *failure)
{
    SWord class_format;
    Word slots, class_index;
    unsigned format;
    *failure = PRIM_BAD_RECEIVER;
    if (!vm_class_format(class, &class_format))
        return NO_OOP;
    unsigned spec = class_format_instance_spec(class_format);
    if (spec == FORMAT_IMMEDIATE_CLASS || spec >= FORMAT_CODE)
        return NO_OOP;
    if (!vm_layout(class_format, indexed, &slots, &format)) {
        bool too_large = indexed && spec != FORMAT_EMPTY && spec != FORMAT_FIXED &&
                         spec != FORMAT_EPHEMERON;
        *failure = too_large ? PRIM_NO_MEMORY : PRIM_BAD_RECEIVER;
        return NO_OOP;
    }
    *failure = PRIM_NO_MEMORY;
    class_index = vm_class_index(vm, class);
    if (!class_index)
        return NO_OOP;
    Oop object = format_is_pointers(format)
                     ? heap_new_pointers(&vm->heap, slots, format, class_index)
                     : heap_new_bits(&vm->heap, slots, format, class_index);
    if (object)
        *failure = PRIM_OK;
    return object;
}

Word vm_fixed_fields(Vm *vm, Oop object)
{
    switch (object_format(object)) {
    case FORMAT_INDEXABLE_FIXED:
    case FORMAT_WEAK: {
        Word fixed = heap_fixed_fields(&vm->heap, object), slots = object_slot_count(object);
        return fixed < slots ? fixed : slots;
    }
    case FORMAT_EMPTY:
    case FORMAT_FIXED:
    case FORMAT_EPHEMERON: return object_slot_count(object);
    default: return 0;
    }
}

unsigned vm_element_shift(unsigned format)
{
    return format >= FORMAT_BYTES ? 0 : format >= FORMAT_SHORTS ? 1 : format >= FORMAT_WORDS32 ? 2 : 3;
}

bool vm_indexable_size(Vm *vm, Oop object, Word *size)
{
    if (is_immediate(object))
        return false;
    unsigned format = object_format(object);
    if (format == FORMAT_INDEXABLE)
        *size = object_slot_count(object);
    else if (object_class_index(object) == CLASS_CONTEXT && format == FORMAT_INDEXABLE_FIXED)
        *size = context_size(vm, object);
    else if (format == FORMAT_INDEXABLE_FIXED || format == FORMAT_WEAK)
        *size = object_slot_count(object) - vm_fixed_fields(vm, object);
    else if (format >= FORMAT_WORDS64)
        *size = bits_byte_count(object) >> vm_element_shift(format);
    else
        return false;
    return true;
}

/* ---- Names of classes ---- */

/* The slot in which class Array holds its name; 0 if the image keeps names elsewhere. */
static Word class_name_slot(Vm *vm)
{
    Oop array = follow(heap_special(&vm->heap, SPECIAL_CLASS_ARRAY));
    for (Word i = CLASS_FORMAT + 1; i < object_slot_count(array); i++)
        if (is_name_of_array(follow(object_slot(array, i))))
            return i;
    return 0;
}

/* The slot in which the metaclass of Array refers to Array; 0 if there is none. */
static Word metaclass_instance_slot(Vm *vm)
{
    Oop array = follow(heap_special(&vm->heap, SPECIAL_CLASS_ARRAY));
    Oop metaclass = follow(heap_class_of(&vm->heap, array));
    if (!format_is_pointers(object_format(metaclass)))
        return 0;
    for (Word i = CLASS_FORMAT + 1; i < object_slot_count(metaclass); i++)
        if (follow(object_slot(metaclass, i)) == array)
            return i;
    return 0;
}

static bool copy_class_name(Oop class, Word slot, const char *suffix, char *name, size_t size)
{
    if (!slot || is_immediate(class) || !format_is_pointers(object_format(class)) ||
        object_slot_count(class) <= slot)
        return false;
    Oop text = follow(object_slot(class, slot));
    if (is_immediate(text) || !format_is_bytes(object_format(text)))
        return false;
    snprintf(name, size, "%.*s%s", (int)bits_byte_count(text), (char *)object_bytes(text), suffix);
    return true;
}

void vm_class_name(Vm *vm, Oop class, char *name, size_t size)
{
    Word name_slot = class_name_slot(vm), instance_slot = metaclass_instance_slot(vm);
    if (copy_class_name(class, name_slot, "", name, size))
        return;
    if (instance_slot && is_object(class) && format_is_pointers(object_format(class)) &&
        object_slot_count(class) > instance_slot &&
        copy_class_name(follow(object_slot(class, instance_slot)), name_slot, " class", name, size))
        return;
    snprintf(name, size, "a class without a name");
}
