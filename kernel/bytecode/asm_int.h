/* Private to the assembler: the reader of texts (asm_text.c) and the methods (asm.c). */
#ifndef OSVM_BYTECODE_ASM_INT_H
#define OSVM_BYTECODE_ASM_INT_H

#include "asm.h"

/* A position in a text, with what was found wrong so far. */
typedef struct {
    Arena *arena;
    const char *file;
    const char *at;   /* next character */
    const char *end;
    const char *line_start;
    unsigned line;    /* from 1 */
    unsigned nesting;
    bool line_failed; /* an error was reported: skip the rest of the line */
    AsmError *errors;
    size_t error_count, error_capacity;
} Reader;

/* asm_text.c */

/* Reports an error at `at` in the current line; one per line. Always false. */
bool reader_fail(Reader *r, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool reader_fail_at(Reader *r, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
unsigned reader_column(const Reader *r, const char *at);

bool reader_at_end_of_line(Reader *r); /* skips blanks and a comment */
void reader_next_line(Reader *r);
bool reader_expect_end_of_line(Reader *r);

/* Letters, digits and _ . / ? -; NULL if there are none here. */
const char *reader_word(Reader *r, size_t *length);
bool reader_accept(Reader *r, char c);
bool reader_accept_word(Reader *r, const char *word);
/* Decimal or 0x; reports what does not fit low..high. */
bool reader_number(Reader *r, const char *what, int64_t low, int64_t high, int64_t *out);
bool reader_at_number(Reader *r);
/* A word or a quoted text; NULL after an error. */
char *reader_name(Reader *r, const char *what);
Literal *reader_literal(Reader *r); /* NULL after an error */

/* asm.c */
CompiledCode *asm_read_block(Reader *r);

#endif
