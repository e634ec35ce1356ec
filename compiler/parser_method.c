/* Patterns, pragmas, and what is parsed as a whole: methods, expressions, single literals. */
#include "parser_int.h"

#include <string.h>

#include "literals.h"
#include "number.h"
#include "pragma.h"

/* --- Pragmas --- */

/* Is what follows the selector so far the name of an error variable? */
static bool names_error_variable(const char *selector)
{
    return strstr(selector, "error:") && (strncmp(selector, "primitive:", 10) == 0 ||
                                          strcmp(selector, "cdecl:error:") == 0 ||
                                          strcmp(selector, "apicall:error:") == 0);
}

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
            if (!names_error_variable(selector)) {
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

static void finish_pragma(Parser *p, PragmaList *pragmas, Pragma pragma, const char *selector,
                          const LiteralList *arguments)
{
    pragma.end = p->last_end;
    pragma.selector = names_of(p->tools->names, selector);
    pragma.arguments = arguments->items;
    pragma.argument_count = arguments->count;
    LIST_ADD(p->tools->arena, *pragmas, pragma);
    if (!parser_match_sign(p, '>'))
        parser_expected(p, "'>' at the end of the pragma");
}

/* A type of C: a name, and stars behind it. */
static Literal *parse_foreign_type(Parser *p)
{
    if (p->token.kind != TOKEN_IDENTIFIER) {
        parser_expected(p, "the name of a type");
        return NULL;
    }
    const char *name = p->token.name;
    parser_advance(p);
    while (p->token.kind == TOKEN_BINARY && p->token.name[strspn(p->token.name, "*")] == '\0') {
        name = arena_printf(p->tools->arena, "%s%s", name, p->token.name);
        parser_advance(p);
    }
    return literal_of_symbol(p->tools->arena, names_of(p->tools->names, name));
}

static const char *parse_foreign_name(Parser *p, const char *what)
{
    const Literal *literal = p->token.kind == TOKEN_LITERAL ? p->token.literal : NULL;
    if (!literal || (literal->kind != LITERAL_STRING && literal->kind != LITERAL_SYMBOL)) {
        parser_expected(p, what);
        return NULL;
    }
    const char *name =
        names_get(p->tools->names, (const char *)literal->bytes, literal->byte_count);
    parser_advance(p);
    return name;
}

static bool is_void(const Literal *type)
{
    return strcmp(type->name, "void") == 0;
}

/* threaded long 'strlen' (char* ) module: 'libc', behind cdecl: or apicall:. */
static Literal *parse_foreign_function(Parser *p, int flags)
{
    enum { THREADED = 256 };
    Arena *arena = p->tools->arena;
    LiteralList list = {NULL, 0, 0};
    Literal *literal = parser_literal_new(p, LITERAL_FUNCTION),
            *convention = parser_literal_new(p, LITERAL_INTEGER),
            *module = parser_literal_new(p, LITERAL_NIL);
    for (; p->token.kind == TOKEN_IDENTIFIER && strcmp(p->token.name, "threaded") == 0;
         parser_advance(p))
        flags |= THREADED;
    literal_set_integer(arena, convention, flags);
    LIST_ADD(arena, list, convention);
    LIST_ADD(arena, list, module);
    Literal *type = parse_foreign_type(p);
    literal->name = type ? parse_foreign_name(p, "the name of a function, in quotes") : NULL;
    if (!literal->name || !parser_expect(p, TOKEN_LEFT_PAREN, "'(' and the arguments' types"))
        return NULL;
    LIST_ADD(arena, list, type);
    while (!parser_match(p, TOKEN_RIGHT_PAREN)) {
        if (!(type = parse_foreign_type(p)))
            return NULL;
        if (!is_void(type))
            LIST_ADD(arena, list, type);
    }
    if (p->token.kind == TOKEN_KEYWORD && strcmp(p->token.name, "module:") == 0) {
        parser_advance(p);
        const char *name = parse_foreign_name(p, "the name of a module, in quotes");
        if (!name)
            return NULL;
        *module = *literal_of_symbol(arena, name);
    }
    literal->elements = list.items;
    literal->element_count = list.count;
    return literal;
}

static bool at_foreign_call(const Parser *p, int *flags)
{
    *flags = p->token.kind == TOKEN_KEYWORD && strcmp(p->token.name, "apicall:") == 0;
    return *flags || (p->token.kind == TOKEN_KEYWORD && strcmp(p->token.name, "cdecl:") == 0);
}

/* The token behind '<' is current. */
static void parse_pragma(Parser *p, PragmaList *pragmas)
{
    Pragma pragma = {NULL, NULL, 0, p->token.start, 0};
    LiteralList list = {NULL, 0, 0};
    const char *selector = "";
    int flags;
    if (at_foreign_call(p, &flags)) {
        selector = p->token.name;
        parser_advance(p);
        Literal *function = parse_foreign_function(p, flags);
        if (!function)
            return;
        LIST_ADD(p->tools->arena, list, function);
        if (p->token.kind != TOKEN_KEYWORD) {
            finish_pragma(p, pragmas, pragma, selector, &list);
            return;
        }
    }
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
    finish_pragma(p, pragmas, pragma, selector, &list);
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
