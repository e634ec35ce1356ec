/* Tokens to syntax trees.
 *
 * A recursive descent parser that goes on after an error: it reports the place,
 * what was expected and what was found, skips to the end of the statement and
 * continues, so that one run shows all errors. A tree made in spite of errors
 * contains NODE_ERRORs and must not be compiled.
 */
#ifndef OSVM_COMPILER_PARSER_H
#define OSVM_COMPILER_PARSER_H

#include "ast.h"
#include "names.h"

/* Where parser and later phases put what they make, and complain. */
typedef struct {
    Arena *arena;
    Names *names;
    Diagnostics *diagnostics;
} CompileTools;

/* Trees are not deeper than this. */
enum { MAXIMAL_TREE_DEPTH = 1000, MAXIMAL_NESTING = 250 };

/* A method as in a chunk: pattern and body in one range. */
Method *parse_method(CompileTools *tools, const SourceText *source, size_t start, size_t end);

/* A method as in Tonel: the pattern stands apart. */
Method *parse_method_parts(CompileTools *tools, const SourceText *source, size_t pattern_start,
                           size_t pattern_end, size_t body_start, size_t body_end);

/* Temporaries and statements without a pattern; the value is that of the last statement. */
Method *parse_expression(CompileTools *tools, const SourceText *source, size_t start, size_t end);

/* A single literal (also #(...) and the words true, false, nil) at `*at`, which moves behind it;
 * NULL when there is none. For pragmas and class definitions. */
Literal *parse_literal(CompileTools *tools, const SourceText *source, size_t *at, size_t end);

#endif
