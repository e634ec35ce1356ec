/* Code in a heap as a CompiledCode: what assembler, compiler and decompiler work on. */
#ifndef OSVM_CODE_LIFT_H
#define OSVM_CODE_LIFT_H

#include "compiler/scope.h"
#include "kernel/vm/vm.h"

/* A method or block with its literals, and the source that its trailer holds. Names of classes are
 * taken from the heap. NULL when something in it cannot be described; then `*why` says what. */
CompiledCode *lift_code(Vm *vm, Arena *arena, Oop code, const char **why);

/* What methods of a class see: names of instance variables where the class keeps them as an Array
 * of strings, "iv0" and so on where it does not. Every other name counts as bound. */
ClassScope lift_class_scope(Vm *vm, CompileTools *tools, Oop class);

#endif
