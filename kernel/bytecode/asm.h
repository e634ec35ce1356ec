/* The bytecode assembler: text -> methods outside a heap.
 * The language is described in docs/bytecode-assembler.md; disasm.h is its inverse. */
#ifndef OSVM_BYTECODE_ASM_H
#define OSVM_BYTECODE_ASM_H

#include "../base/arena.h"
#include "method.h"

enum { ASM_NESTING_MAX = 200 }; /* arrays in arrays, blocks in blocks */

typedef struct {
    unsigned line, column; /* from 1 */
    const char *message;   /* "FILE:LINE:COLUMN: what is wrong" */
} AsmError;

typedef struct {
    CompiledCode **methods; /* those without errors, in order */
    size_t method_count;
    AsmError *errors; /* all of them, in order */
    size_t error_count;
} AsmResult;

/* Assembles all methods of a text; `file` is its name for messages. Everything, and the result, is
 * in the arena; nothing of the text is kept. */
AsmResult asm_read(const char *text, size_t length, const char *file, Arena *arena);

#endif
