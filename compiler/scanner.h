/* Smalltalk text to tokens, one at a time.
 *
 * A scanner works on the bytes [start, end) of a SourceText. It never fails: what
 * it cannot read becomes a TOKEN_ERROR whose message says what was expected, and
 * scanning goes on behind it. Comments are skipped.
 */
#ifndef OSVM_COMPILER_SCANNER_H
#define OSVM_COMPILER_SCANNER_H

#include "kernel/bytecode/method.h"
#include "names.h"
#include "source.h"

typedef enum {
    TOKEN_END,
    TOKEN_ERROR,         /* `message` says why */
    TOKEN_IDENTIFIER,    /* `name` */
    TOKEN_KEYWORD,       /* `name`, with its colon */
    TOKEN_BINARY,        /* `name`; also a lone vertical bar, '<' and '>' */
    TOKEN_ASSIGN,        /* := */
    TOKEN_LITERAL,       /* `literal`: a number, character, string or symbol */
    TOKEN_LITERAL_ARRAY, /* #( */
    TOKEN_BYTE_ARRAY,    /* #[ */
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_CARET,
    TOKEN_PERIOD,
    TOKEN_SEMICOLON,
    TOKEN_COLON,
} TokenKind;

typedef struct {
    TokenKind kind;
    size_t start, end; /* in the text; end excluded */
    const char *name;
    Literal *literal;
    const char *message;
} Token;

typedef struct {
    Arena *arena;
    Names *names;
    const SourceText *source;
    size_t at, end; /* the part that is not scanned yet */
} Scanner;

void scanner_init(Scanner *scanner, Arena *arena, Names *names, const SourceText *source,
                  size_t start, size_t end);

Token scanner_next(Scanner *scanner);

/* In a literal array a minus binds to a digit behind it, and words are symbols. The parser asks
 * for this form behind TOKEN_LITERAL_ARRAY: identifiers and keywords are joined (at:put:). */
Token scanner_next_in_array(Scanner *scanner);

/* The number at `at`, negative: called by the parser for a minus that is followed by a digit. */
Token scanner_negative_number(Scanner *scanner, size_t minus_at);

/* How a token is called in messages: "a period", "'foo'" ... */
const char *token_describe(Arena *arena, const Token *token);

#endif
