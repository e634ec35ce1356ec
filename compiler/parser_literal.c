/* Literals that consist of others: arrays, byte arrays, and what may stand in them. */
#include <string.h>

#include "parser_int.h"

/* --- Literals --- */

Literal *parser_literal_new(Parser *p, LiteralKind kind)
{
    Literal *literal = arena_alloc(p->tools->arena, sizeof *literal);
    literal->kind = kind;
    return literal;
}

void parser_advance_in_array(Parser *p)
{
    p->last_end = p->token.end;
    p->token = scanner_next_in_array(&p->scanner);
}

/* The opening '#(' or '(' is the current token; afterwards the closing one is. */
Literal *parse_array_elements(Parser *p)
{
    LiteralList list = {NULL, 0, 0};
    if (!parser_enter(p))
        return NULL;
    parser_advance_in_array(p);
    while (p->token.kind != TOKEN_RIGHT_PAREN && !p->panicking) {
        Literal *element = parse_array_element(p);
        if (!element)
            break;
        LIST_ADD(p->tools->arena, list, element);
        parser_advance_in_array(p);
    }
    p->nesting--;
    if (p->panicking)
        return NULL;
    Literal *literal = parser_literal_new(p, LITERAL_ARRAY);
    literal->elements = list.items;
    literal->element_count = list.count;
    return literal;
}

/* As above for '#[' or '['. */
Literal *parse_byte_elements(Parser *p)
{
    struct {
        uint8_t *items;
        size_t count, capacity;
    } list = {NULL, 0, 0};
    parser_advance_in_array(p);
    for (; p->token.kind != TOKEN_RIGHT_BRACKET; parser_advance_in_array(p)) {
        const Literal *literal = p->token.kind == TOKEN_LITERAL ? p->token.literal : NULL;
        if (!literal || literal->kind != LITERAL_INTEGER || literal->byte_count > 1 ||
            literal->negative) {
            parser_expected(p, "an integer from 0 to 255 or ']'");
            return NULL;
        }
        LIST_ADD(p->tools->arena, list, literal->byte_count ? literal->bytes[0] : 0);
    }
    Literal *literal = parser_literal_new(p, LITERAL_BYTE_ARRAY);
    literal->bytes = list.items;
    literal->byte_count = list.count;
    return literal;
}

Literal *parser_literal_of_sign(Parser *p)
{
    Literal *literal = parser_literal_new(p, LITERAL_SYMBOL);
    literal->name = names_get(p->tools->names, p->scanner.source->text + p->token.start,
                              p->token.end - p->token.start);
    literal->bytes = (const uint8_t *)literal->name;
    literal->byte_count = strlen(literal->name);
    return literal;
}

/* The current token is the element's first one; afterwards its last one. */
Literal *parse_array_element(Parser *p)
{
    switch (p->token.kind) {
    case TOKEN_LITERAL:
        if (p->token.name) { /* a bare word */
            static const char *const words[] = {"nil", "true", "false"};
            static const LiteralKind kinds[] = {LITERAL_NIL, LITERAL_TRUE, LITERAL_FALSE};
            for (int i = 0; i < 3; i++)
                if (strcmp(p->token.name, words[i]) == 0)
                    return parser_literal_new(p, kinds[i]);
        }
        return p->token.literal;
    case TOKEN_LITERAL_ARRAY:
    case TOKEN_LEFT_PAREN: return parse_array_elements(p);
    case TOKEN_BYTE_ARRAY:
    case TOKEN_LEFT_BRACKET: return parse_byte_elements(p);
    case TOKEN_BINARY:
    case TOKEN_CARET:
    case TOKEN_PERIOD:
    case TOKEN_SEMICOLON:
    case TOKEN_COLON:
    case TOKEN_ASSIGN: return parser_literal_of_sign(p);
    default: parser_expected(p, "a literal or ')'"); return NULL;
    }
}

Node *parser_node_of_literal(Parser *p, Literal *literal, size_t start)
{
    if (!literal)
        return NULL;
    parser_advance(p);
    Node *node = parser_node_new(p, NODE_LITERAL, start);
    node->literal = literal;
    return node;
}

