/* How much of an image the JIT compiles. */
#ifndef OSVM_DEBUG_MACHINE_SUMMARY_H
#define OSVM_DEBUG_MACHINE_SUMMARY_H

#include <stdio.h>

#include "kernel/vm/vm.h"

/* Compiles every method and block of the image that is loaded, and prints how many are
 * refused and why, and which bytecodes the others leave to the interpreter. Answers OSVM_OK, or
 * OSVM_PROGRAM_ERROR if fewer than 99.5 % compile. */
int summary_print(Vm *vm, FILE *file);

#endif
