/* Patterns, pragmas, and what is parsed as a whole: methods, expressions, single literals. */
#include "parser_int.h"

#include <string.h>

#include "pragma.h"

/* --- Pragmas --- */

static Literal *parse_pragma_argument(Parser *p, const char *selector)
{
    Literal *literal = NULL;
    if (parser_at_negative_number(p))
        p->token = scanner_negative_number(&p->scanner, p->token.start);
    if (p->token.kind == TOKEN_LITERAL) {
        literal = p->token.literal;
    } else if (p->token.kind == TOKEN_LITERAL_ARRAY) {
        literal = parse_array_elements(p);
    } else if (p->token.kind == TOKEN_BYTE_ARRAY) {
        literal = parse_byte_elements(p);
    } else if (p->token.kind == TOKEN_IDENTIFIER) {
        p->token.kind = TOKEN_LITERAL;
        literal = parse_array_element(p);
        if (!literal || literal == p->token.literal) {
            literal = parser_literal_of_sign(p); /* the name of an error variable */
            if (strncmp(selector, "primitive:", 10) != 0 || !strstr(selector, "error:")) {
                p->token.kind = TOKEN_IDENTIFIER;
                parser_expected(p, "a literal");
                return NULL;
            }
        }
    }
    if (!literal) {
        parser_expected(p, "a literal");
        return NULL;
    }
    parser_advance(p);
    return literal;
}

typedef struct {
    Pragma *items;
    size_t count, capacity;
} PragmaList;

/* The token behind '<' is current. */
static void parse_pragma(Parser *p, PragmaList *pragmas)
{
    Pragma pragma = {NULL, NULL, 0, p->token.start, 0};
    LiteralList list = {NULL, 0, 0};
    const char *selector = "";
    if (p->token.kind != TOKEN_KEYWORD && p->token.kind != TOKEN_IDENTIFIER &&
        p->token.kind != TOKEN_BINARY) {
        parser_expected(p, "the selector of a pragma");
        return;
    }
    do {
        bool takes_argument = p->token.kind != TOKEN_IDENTIFIER;
        selector = arena_printf(p->tools->arena, "%s%s", selector, p->token.name);
        parser_advance(p);
        if (takes_argument) {
            Literal *argument = parse_pragma_argument(p, selector);
            if (!argument)
                return;
            LIST_ADD(p->tools->arena, list, argument);
        }
    } while (p->token.kind == TOKEN_KEYWORD);
    pragma.end = p->last_end;
    pragma.selector = names_of(p->tools->names, selector);
    pragma.arguments = list.items;
    pragma.argument_count = list.count;
    LIST_ADD(p->tools->arena, *pragmas, pragma);
    if (!parser_match_sign(p, '>'))
        parser_expected(p, "'>' at the end of the pragma");
}

static void parse_pragmas(Parser *p, PragmaList *pragmas)
{
    while (parser_match_sign(p, '<')) {
        parse_pragma(p, pragmas);
        if (p->panicking) { /* on behind the pragma's end */
            while (p->token.kind != TOKEN_END && p->token.kind != TOKEN_PERIOD &&
                   !parser_at_sign(p, '>'))
                parser_advance(p);
            p->panicking = false;
            parser_match_sign(p, '>');
        }
    }
}

/* --- Methods --- */

static void parser_start(Parser *p, CompileTools *tools, const SourceText *source, size_t start,
                         size_t end)
{
    memset(p, 0, sizeof *p);
    p->tools = tools;
    scanner_init(&p->scanner, tools->arena, tools->names, source, start, end);
    p->last_end = start;
}

static void parse_pattern_argument(Parser *p)
{
    if (p->token.kind == TOKEN_IDENTIFIER)
        parse_variable_into(p, &p->block->arguments, ARGUMENT_METHOD);
    else
        parser_expected(p, "the name of an argument");
}

static void parse_pattern(Parser *p, Method *method)
{
    method->selector_start = p->token.start;
    method->selector_end = p->token.end;
    if (p->token.kind == TOKEN_IDENTIFIER) {
        method->selector = p->token.name;
        parser_advance(p);
    } else if (p->token.kind == TOKEN_BINARY) {
        method->selector = p->token.name;
        parser_advance(p);
        parse_pattern_argument(p);
    } else if (p->token.kind == TOKEN_KEYWORD) {
        const char *selector = "";
        while (p->token.kind == TOKEN_KEYWORD && !p->panicking) {
            selector = arena_printf(p->tools->arena, "%s%s", selector, p->token.name);
            parser_advance(p);
            parse_pattern_argument(p);
        }
        method->selector = names_of(p->tools->names, selector);
    } else {
        parser_expected(p, "a message pattern");
    }
    if (p->block->arguments.count > 15)
        parser_report(p, method->selector_start, method->selector_end,
                      "a method cannot have more than 15 arguments");
}

static void parse_body(Parser *p, Method *method)
{
    PragmaList pragmas = {NULL, 0, 0};
    parse_pragmas(p, &pragmas);
    parse_temporaries(p);
    if (p->panicking)
        parser_recover(p);
    parse_pragmas(p, &pragmas);
    method->pragmas = pragmas.items;
    method->pragma_count = pragmas.count;
    method->body->body_start = p->token.start;
    parse_statements(p, method->body);
    method->body->body_end = p->last_end;
    pragmas_find_primitive(p->tools, method);
}

static Method *method_new(Parser *p, size_t start, size_t end)
{
    Method *method = arena_alloc(p->tools->arena, sizeof *method);
    method->source = p->scanner.source;
    method->start = start;
    method->end = end;
    method->body = parser_block_new(p);
    p->block = method->body;
    return method;
}

Method *parse_method(CompileTools *tools, const SourceText *source, size_t start, size_t end)
{
    Parser p;
    parser_start(&p, tools, source, start, end);
    Method *method = method_new(&p, start, end);
    parser_advance(&p);
    parse_pattern(&p, method);
    if (p.panicking)
        return method; /* without a pattern the rest is anything */
    parse_body(&p, method);
    return method;
}

Method *parse_method_parts(CompileTools *tools, const SourceText *source, size_t pattern_start,
                           size_t pattern_end, size_t body_start, size_t body_end)
{
    Parser p;
    parser_start(&p, tools, source, pattern_start, pattern_end);
    Method *method = method_new(&p, body_start, body_end);
    method->pattern_start = pattern_start;
    method->pattern_end = pattern_end;
    parser_advance(&p);
    parse_pattern(&p, method);
    if (!p.panicking && p.token.kind != TOKEN_END)
        parser_expected(&p, "'[' and the method's body");
    p.panicking = false;
    scanner_init(&p.scanner, tools->arena, tools->names, source, body_start, body_end);
    parser_advance(&p);
    parse_body(&p, method);
    return method;
}

Method *parse_expression(CompileTools *tools, const SourceText *source, size_t start, size_t end)
{
    Parser p;
    parser_start(&p, tools, source, start, end);
    Method *method = method_new(&p, start, end);
    method->is_doit = true;
    parser_advance(&p);
    parse_body(&p, method);
    return method;
}

Literal *parse_literal(CompileTools *tools, const SourceText *source, size_t *at, size_t end)
{
    Parser p;
    parser_start(&p, tools, source, *at, end);
    Block outermost = {0};
    p.block = &outermost;
    parser_advance_in_array(&p);
    Literal *literal = p.token.kind == TOKEN_LEFT_PAREN || p.token.kind == TOKEN_LEFT_BRACKET ||
                               p.token.kind == TOKEN_END
                           ? NULL
                           : parse_array_element(&p);
    if (literal)
        *at = p.token.end;
    return literal;
}
