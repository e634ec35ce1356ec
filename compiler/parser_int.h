/* Private to parser*.c. */
#ifndef OSVM_COMPILER_PARSER_INT_H
#define OSVM_COMPILER_PARSER_INT_H

#include "list.h"
#include "parser.h"
#include "scanner.h"

typedef struct {
    CompileTools *tools;
    Scanner scanner;
    Token token;     /* the next one, not consumed yet */
    size_t last_end; /* where the consumed ones end */
    Block *block;    /* the innermost one being parsed */
    unsigned nesting;
    bool panicking; /* an error was reported; skip to the end of the statement */
} Parser;

typedef struct {
    Literal **items;
    size_t count, capacity;
} LiteralList;

/* --- parser.c --- */

void parser_advance(Parser *p);
void parser_report(Parser *p, size_t start, size_t end, const char *message);
Node *parser_expected(Parser *p, const char *what);
bool parser_match(Parser *p, TokenKind kind);
bool parser_expect(Parser *p, TokenKind kind, const char *what);
bool parser_at_sign(const Parser *p, char sign);
bool parser_match_sign(Parser *p, char sign);
void parser_recover(Parser *p);
Node *parser_node_new(Parser *p, NodeKind kind, size_t start);
bool parser_enter(Parser *p);
void parse_variable_into(Parser *p, VariableList *list, ArgumentKind argument);
Block *parser_block_new(Parser *p);
void parse_temporaries(Parser *p);
bool parser_at_negative_number(const Parser *p);
Node *parse_statements(Parser *p, Block *block);

/* --- parser_literal.c --- */

Literal *parser_literal_new(Parser *p, LiteralKind kind);
void parser_advance_in_array(Parser *p);
Literal *parse_array_elements(Parser *p);
Literal *parse_byte_elements(Parser *p);
Literal *parser_literal_of_sign(Parser *p);
Literal *parse_array_element(Parser *p);
Node *parser_node_of_literal(Parser *p, Literal *literal, size_t start);

#endif
