/* What assembler and disassembler share about literals. */
#ifndef OSVM_BYTECODE_LITERAL_H
#define OSVM_BYTECODE_LITERAL_H

#include "method.h"

/* Do both describe the same literal? Floats by their bits, code by identity. */
bool literal_equal(const Literal *a, const Literal *b);

/* Index of the first literal equal to this one, or -1. */
long literal_find(Literal *const *literals, size_t count, const Literal *wanted);

/* Bits of a float and back. */
uint64_t literal_float_bits(double real);
double literal_float_from_bits(uint64_t bits);

/* Can the text stand behind `#` (or `var:`) without quotes? */
bool literal_is_plain(const char *text, size_t length, const char *extra);

#endif
