/* Machine code of an image's methods, without running it. */
#ifndef OSVM_DEBUG_MACHINE_DISASM_H
#define OSVM_DEBUG_MACHINE_DISASM_H

#include "kernel/vm/vm.h"

/* Prints what is asked for on standard output. The image is loaded and the JIT started. Answers
 * OSVM_OK, or another status with `error` set. */
int debug_disassemble(Vm *vm, const CoreDisassemble *what, OsvmError *error);

#endif
