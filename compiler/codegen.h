/* Resolved trees to bytecode. */
#ifndef OSVM_COMPILER_CODEGEN_H
#define OSVM_COMPILER_CODEGEN_H

#include "kernel/bytecode/method.h"
#include "scope.h"

/* The method that a parsed tree means, for a class. Does all that is behind parsing: names,
 * inlining, closures, code. NULL when there were errors; they are in the diagnostics. */
CompiledCode *compile_method(CompileTools *tools, Method *method, const ClassScope *class_scope,
                             BytecodeSet set);

#endif
