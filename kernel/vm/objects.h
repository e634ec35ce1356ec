/* Objects as primitives make and measure them. */
#ifndef OSVM_VM_OBJECTS_H
#define OSVM_VM_OBJECTS_H

#include "kernel/vm/interp/services.h"
#include "kernel/vm/vm.h"

/* Does the object look like a class? Answers its format word. */
bool vm_class_format(Oop class, SWord *format);
/* The class table index of a class, entering it if need be; 0: no memory. */
Word vm_class_index(Vm *vm, Oop class);
/* Slots and header format of an instance with `indexed` elements; false if the class has no
 * such instances or they are larger than any heap. */
bool vm_layout(SWord class_format, uint64_t indexed, Word *slots, unsigned *format);
/* Named fields of a pointer object; 0 for bits and Arrays. */
Word vm_fixed_fields(Vm *vm, Oop object);
/* log2 of the bytes of an element of a bits or code object. */
unsigned vm_element_shift(unsigned format);

/* Writes the name of a class ("Array", "Array class"), or "a class without a name", for messages.
 * Finds it as images keep it: in the slot where class Array holds its name. */
void vm_class_name(Vm *vm, Oop class, char *name, size_t size);
/* A string that ends in Array: small kernels put a prefix before the names of all classes. */
static inline bool is_name_of_array(Oop oop)
{
    static const char name[] = "Array";
    Word length = sizeof name - 1;
    return is_object(oop) && format_is_bytes(object_format(oop)) &&
           bits_byte_count(oop) >= length &&
           memcmp(object_bytes(oop) + bits_byte_count(oop) - length, name, length) == 0;
}

static inline bool heap_class_exists(const Heap *heap, Word index)
{
    return index >> CLASS_PAGE_BITS < heap->class_table_pages;
}

static inline bool is_read_only(Oop object)
{
    return header_is_immutable(header_of(object));
}

#endif
