/* Syntax trees to source text: what the parser reads is printed, so that parsing it again gives
 * the same tree. Messages that are compiled in line are printed as the messages they are. */
#ifndef OSVM_COMPILER_PRINT_H
#define OSVM_COMPILER_PRINT_H

#include "ast.h"
#include "kernel/base/text.h"

/* The method, with its pattern; NUL-terminated. Of each block `temps` are declared. */
char *print_method(Arena *arena, const Method *method);

void print_literal(Text *text, const Literal *literal);

#endif
