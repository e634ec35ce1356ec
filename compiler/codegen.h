/* Resolved trees to bytecode. */
#ifndef OSVM_COMPILER_CODEGEN_H
#define OSVM_COMPILER_CODEGEN_H

#include "kernel/bytecode/method.h"
#include "scope.h"

/* The method that a parsed tree means, for a class. Does all that is behind parsing: names,
 * inlining, closures, code. NULL when there were errors; they are in the diagnostics. */
CompiledCode *compile_method(CompileTools *tools, Method *method, const ClassScope *class_scope,
                             BytecodeSet set);

/* The number (0..31) of a selector that has an instruction of its own, or -1. */
int special_selector_number(const char *selector);
extern const char *const special_selector_names[32];

#endif
