/* Bytecode to syntax trees, in either set: the compiler backwards.
 *
 *   decompile.c        one instruction after the other, with a stack of expressions
 *   decompile_flow.c   jumps to conditions, loops and cases
 *   decompile_scope.c  which temporaries are counters and arguments of inlined blocks
 *
 * The tree that comes out is made of messages, with the control structures that
 * compilers inline put together again, and compiles to the same bytecode. What no
 * source text can mean is refused.
 */
#ifndef OSVM_COMPILER_DECOMPILE_H
#define OSVM_COMPILER_DECOMPILE_H

#include "scope.h"

/* Where code can have been written in two ways. */
enum {
    DECOMPILE_KEEP_NILS = 1,        /* an assignment of nil that begins a block was written; else it
                                       was made for a temporary of a loop */
    DECOMPILE_ARMS_ALWAYS = 2,      /* what follows an arm that returns is the other arm; */
    DECOMPILE_ARMS_NEVER = 4,       /* is the next statement; neither: the literals tell */
};

/* The tree of a method; names come from `temp_names` of the code where it has them. NULL when it
 * cannot be done: then `*why` says what stands in the way. */
Method *decompile_method(CompileTools *tools, const CompiledCode *code,
                         const ClassScope *class_scope, unsigned ways, const char **why);

/* The text of a method, and whether it was compiled again to see that it becomes the same code. */
typedef struct {
    const char *text; /* NULL: it cannot be written as text */
    const char *why;  /* why not, or in what the code made from the text differs; else NULL */
} Decompiled;

Decompiled decompile_text(CompileTools *tools, const CompiledCode *code,
                          const ClassScope *class_scope);

/* Gives code that has its source the names of its arguments and temporaries, and those of its
 * blocks, and the places of its messages, by compiling the source; nothing changes where that
 * becomes other code. */
void code_take_names(const CompileTools *tools, CompiledCode *code, const ClassScope *class_scope);

/* The difference when only literals stand at other places or some that no instruction uses are
 * missing: other compilers hand them out in another order. */
#define LITERALS_ELSEWHERE "the same instructions, with literals in another order"

/* Do both do the same, whatever the encoding and the order of literals? */
bool same_instructions(const CompiledCode *one, const CompiledCode *other);

/* NULL when both are the same, instruction by instruction and literal by literal; else the first
 * difference. */
const char *code_difference(const CompiledCode *one, const CompiledCode *other);

#endif
