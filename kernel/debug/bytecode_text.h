/* One bytecode of a method in a heap as text, with names for what it names by number. */
#ifndef OSVM_DEBUG_BYTECODE_TEXT_H
#define OSVM_DEBUG_BYTECODE_TEXT_H

#include "kernel/bytecode/opcodes.h"
#include "kernel/debug/code_names.h"

enum { BYTECODE_TEXT_MAX = 240 };

/* `first`: the image's pc of the bytecode that `i` counts as 0. */
void bytecode_text(Vm *vm, Oop code, const Instruction *i, uint32_t first, const CodeNames *names,
                   char text[BYTECODE_TEXT_MAX]);

#endif
