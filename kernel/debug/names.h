/* What tools call things in a VM: objects, code, addresses, variables, frame slots.
 *
 * A name is one line of printable text, cut where it would be too long. Nothing here allocates
 * in the heap or moves anything.
 */
#ifndef OSVM_DEBUG_NAMES_H
#define OSVM_DEBUG_NAMES_H

#include "kernel/vm/vm.h"

enum { NAME_MAX_BYTES = 160 };

/* "#at:put:", "'a text'", "3", "nil", "Array", "#Smalltalk -> a SystemDictionary", "a Point". */
void name_object(Vm *vm, Oop oop, char name[NAME_MAX_BYTES]);
/* "Array>>do:", "[] in Array>>do:". */
void name_code(Vm *vm, Oop code, char name[NAME_MAX_BYTES]);
/* The class a code's method was compiled in; nil: not known. */
Oop name_class_of_code(Vm *vm, Oop code);
/* The method a block's code belongs to. */
Oop name_home_of_code(Vm *vm, Oop code);
/* "SmallInteger", "Array class", "class 17": of a class index. */
void name_class_index(Vm *vm, Word index, char name[NAME_MAX_BYTES]);
/* The VM variable at an offset from the Vm: "stack_limit"; false: there is none. */
bool name_variable(SWord offset, char name[NAME_MAX_BYTES]);
/* The part of the region an address is in: "stack zone", "new space"; NULL: none. */
const char *name_space(const Vm *vm, Word address);

/* The class named "Array" or "Array class"; NO_OOP: there is none. */
Oop find_class(Vm *vm, const char *name);
/* The method which instances of the class run, its own or inherited; NO_OOP: there is none. */
Oop find_method(Vm *vm, Oop class, const char *selector);

#endif
