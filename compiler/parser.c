#include "parser_int.h"

#include <string.h>


static Node *parse_expression_node(Parser *p);

/* --- Tokens --- */

void parser_advance(Parser *p)
{
    p->last_end = p->token.end;
    p->token = scanner_next(&p->scanner);
}

void parser_report(Parser *p, size_t start, size_t end, const char *message)
{
    if (!p->panicking)
        diagnostics_error(p->tools->diagnostics, p->scanner.source, start, end, "%s", message);
    p->panicking = true;
}

/* Reports that something else stands here. */
Node *parser_expected(Parser *p, const char *what)
{
    Arena *arena = p->tools->arena;
    bool reports = !p->panicking;
    if (p->token.kind == TOKEN_ERROR)
        parser_report(p, p->token.start, p->token.end, p->token.message);
    else
        parser_report(
            p, p->token.start, p->token.end,
            arena_printf(arena, "%s expected, found %s", what, token_describe(arena, &p->token)));
    if (reports)
        p->tools->diagnostics->last->expected = what;
    return NULL;
}

bool parser_match(Parser *p, TokenKind kind)
{
    if (p->token.kind != kind)
        return false;
    parser_advance(p);
    return true;
}

bool parser_expect(Parser *p, TokenKind kind, const char *what)
{
    if (!p->panicking && parser_match(p, kind))
        return true;
    parser_expected(p, what);
    return false;
}

/* Does an operator start with this sign? Bars and angles may be glued to what follows. */
bool parser_at_sign(const Parser *p, char sign)
{
    return p->token.kind == TOKEN_BINARY && p->token.name[0] == sign;
}

bool parser_match_sign(Parser *p, char sign)
{
    if (!parser_at_sign(p, sign))
        return false;
    p->scanner.at = p->token.start + 1;
    p->last_end = p->scanner.at;
    p->token = scanner_next(&p->scanner);
    return true;
}

static bool token_is_closer(TokenKind kind)
{
    return kind == TOKEN_RIGHT_BRACKET || kind == TOKEN_RIGHT_PAREN || kind == TOKEN_RIGHT_BRACE;
}

static bool token_is_opener(TokenKind kind)
{
    return kind == TOKEN_LEFT_BRACKET || kind == TOKEN_LEFT_PAREN || kind == TOKEN_LEFT_BRACE ||
           kind == TOKEN_LITERAL_ARRAY || kind == TOKEN_BYTE_ARRAY;
}

/* After an error: on to the end of the statement, over brackets that open and close in between. */
void parser_recover(Parser *p)
{
    unsigned open = 0;
    for (;; parser_advance(p)) {
        TokenKind kind = p->token.kind;
        if (kind == TOKEN_END)
            break;
        if (open == 0 && (kind == TOKEN_PERIOD || (kind == TOKEN_RIGHT_BRACKET && p->block->outer)))
            break;
        open += token_is_opener(kind);
        if (token_is_closer(kind) && open)
            open--;
    }
    p->panicking = false;
}

/* --- Nodes --- */

Node *parser_node_new(Parser *p, NodeKind kind, size_t start)
{
    Node *node = arena_alloc(p->tools->arena, sizeof *node);
    node->kind = kind;
    node->depth = 1;
    node->start = start;
    node->end = p->last_end;
    return node;
}

/* Makes `child` part of `node`'s depth; complains when the tree gets too deep. */
static void node_add_child(Parser *p, Node *node, const Node *child)
{
    if (child && child->depth >= node->depth)
        node->depth = child->depth + 1;
    if (node->depth > MAXIMAL_TREE_DEPTH && !p->panicking)
        parser_report(p, node->start, node->start + 1, "this expression is nested too deeply");
}

bool parser_enter(Parser *p)
{
    if (++p->nesting <= MAXIMAL_NESTING)
        return true;
    if (!p->panicking)
        parser_report(p, p->token.start, p->token.end, "brackets are nested too deeply here");
    p->nesting--;
    return false;
}

static Variable *variable_new(Parser *p, ArgumentKind argument)
{
    Variable *variable = arena_alloc(p->tools->arena, sizeof *variable);
    variable->kind = VARIABLE_TEMP;
    variable->name = p->token.name;
    variable->start = p->token.start;
    variable->end = p->token.end;
    variable->argument = argument;
    variable->scope = p->block;
    return variable;
}

void parse_variable_into(Parser *p, VariableList *list, ArgumentKind argument)
{
    LIST_ADD(p->tools->arena, *list, variable_new(p, argument));
    parser_advance(p);
}

/* --- Primaries --- */

Block *parser_block_new(Parser *p)
{
    Block *block = arena_alloc(p->tools->arena, sizeof *block);
    block->outer = p->block;
    block->actual = block;
    return block;
}

/* | a b | ; the token is the first bar. */
void parse_temporaries(Parser *p)
{
    if (!parser_match_sign(p, '|'))
        return;
    while (p->token.kind == TOKEN_IDENTIFIER)
        parse_variable_into(p, &p->block->temps, ARGUMENT_NONE);
    if (!parser_match_sign(p, '|'))
        parser_expected(p, "a variable name or '|'");
}

static void parse_block_arguments(Parser *p)
{
    while (parser_match(p, TOKEN_COLON)) {
        if (p->token.kind != TOKEN_IDENTIFIER) {
            parser_expected(p, "the name of an argument");
            return;
        }
        parse_variable_into(p, &p->block->arguments, ARGUMENT_BLOCK);
    }
    if (p->block->arguments.count && p->token.kind != TOKEN_RIGHT_BRACKET &&
        !parser_match_sign(p, '|'))
        parser_expected(p, "'|' or ':' and the name of an argument");
}

static Node *parse_block(Parser *p)
{
    size_t start = p->token.start;
    if (!parser_enter(p))
        return NULL;
    Block *block = parser_block_new(p);
    p->block = block;
    parser_advance(p);
    block->body_start = p->token.start;
    parse_block_arguments(p);
    if (!p->panicking)
        parse_temporaries(p);
    if (p->panicking)
        parser_recover(p); /* the rest of the block is still worth reading */
    Node *deepest = parse_statements(p, block);
    block->body_end = p->token.start;
    p->block = block->outer;
    p->nesting--;
    if (!parser_expect(p, TOKEN_RIGHT_BRACKET, "']' or a period"))
        return NULL;
    Node *node = parser_node_new(p, NODE_BLOCK, start);
    node->block = block;
    block->node = node;
    node_add_child(p, node, deepest);
    if (block->has_return && block->outer)
        block->outer->has_return = true;
    return node;
}

typedef struct {
    Node **items;
    size_t count, capacity;
} NodeList;

static Node *parse_brace(Parser *p)
{
    NodeList list = {NULL, 0, 0};
    size_t start = p->token.start;
    if (!parser_enter(p))
        return NULL;
    Node *node = parser_node_new(p, NODE_BRACE, start);
    parser_advance(p);
    while (p->token.kind != TOKEN_RIGHT_BRACE) {
        if (parser_match(p, TOKEN_PERIOD))
            continue;
        Node *element = parse_expression_node(p);
        if (!element)
            break;
        LIST_ADD(p->tools->arena, list, element);
        node_add_child(p, node, element);
        if (p->token.kind != TOKEN_RIGHT_BRACE &&
            !parser_expect(p, TOKEN_PERIOD, "'}' or a period"))
            break;
    }
    p->nesting--;
    if (!parser_expect(p, TOKEN_RIGHT_BRACE, "'}'"))
        return NULL;
    node->end = p->last_end;
    node->brace.elements = list.items;
    node->brace.count = list.count;
    return node;
}

static Node *parse_parentheses(Parser *p)
{
    size_t start = p->token.start;
    if (!parser_enter(p))
        return NULL;
    parser_advance(p);
    Node *node = parse_expression_node(p);
    p->nesting--;
    if (!node || !parser_expect(p, TOKEN_RIGHT_PAREN, "')'"))
        return NULL;
    node->start = start;
    node->end = p->last_end;
    return node;
}

static Node *parse_name(Parser *p)
{
    size_t start = p->token.start;
    const char *name = p->token.name;
    parser_advance(p);
    Node *node = parser_node_new(p, NODE_VARIABLE, start);
    node->use.name = name;
    return node;
}

bool parser_at_negative_number(const Parser *p)
{
    const SourceText *source = p->scanner.source;
    return p->token.kind == TOKEN_BINARY && strcmp(p->token.name, "-") == 0 &&
           p->token.end < p->scanner.end && source->text[p->token.end] >= '0' &&
           source->text[p->token.end] <= '9';
}

static Node *parse_primary(Parser *p, const char *expected)
{
    size_t start = p->token.start;
    if (p->panicking)
        return NULL;
    if (parser_at_negative_number(p))
        p->token = scanner_negative_number(&p->scanner, start);
    switch (p->token.kind) {
    case TOKEN_IDENTIFIER: return parse_name(p);
    case TOKEN_LITERAL: return parser_node_of_literal(p, p->token.literal, start);
    case TOKEN_LITERAL_ARRAY: return parser_node_of_literal(p, parse_array_elements(p), start);
    case TOKEN_BYTE_ARRAY: return parser_node_of_literal(p, parse_byte_elements(p), start);
    case TOKEN_LEFT_BRACKET: return parse_block(p);
    case TOKEN_LEFT_BRACE: return parse_brace(p);
    case TOKEN_LEFT_PAREN: return parse_parentheses(p);
    default: return parser_expected(p, expected);
    }
}

/* --- Messages --- */

static Node *send_new(Parser *p, Node *receiver, const Token *first)
{
    Node *node = parser_node_new(p, NODE_SEND, receiver ? receiver->start : first->start);
    node->send.receiver = receiver;
    node->send.selector = first->name;
    node->send.selector_start = first->start;
    node->send.selector_end = first->end;
    node->send.to_super =
        receiver && receiver->kind == NODE_VARIABLE && strcmp(receiver->use.name, "super") == 0;
    node_add_child(p, node, receiver);
    return node;
}

static void send_set_arguments(Parser *p, Node *node, const NodeList *list)
{
    node->send.arguments = list->items;
    node->send.argument_count = list->count;
    for (size_t i = 0; i < list->count; i++)
        node_add_child(p, node, list->items[i]);
    node->end = p->last_end;
}

static Node *parse_unary_messages(Parser *p, Node *receiver)
{
    while (receiver && !p->panicking && p->token.kind == TOKEN_IDENTIFIER) {
        Token selector = p->token;
        parser_advance(p);
        receiver = send_new(p, receiver, &selector);
    }
    return p->panicking ? NULL : receiver;
}

static Node *parse_binary_message(Parser *p, Node *receiver)
{
    Token selector = p->token;
    NodeList list = {NULL, 0, 0};
    parser_advance(p);
    Node *argument = parse_unary_messages(p, parse_primary(p, "an argument of this operator"));
    if (!argument)
        return NULL;
    LIST_ADD(p->tools->arena, list, argument);
    Node *node = send_new(p, receiver, &selector);
    send_set_arguments(p, node, &list);
    return node;
}

static Node *parse_binary_messages(Parser *p, Node *receiver)
{
    while (receiver && !p->panicking && p->token.kind == TOKEN_BINARY)
        receiver = parse_binary_message(p, receiver);
    return p->panicking ? NULL : receiver;
}

static Node *parse_keyword_message(Parser *p, Node *receiver)
{
    Token first = p->token;
    NodeList list = {NULL, 0, 0};
    struct {
        char *items;
        size_t count, capacity;
    } selector = {NULL, 0, 0};
    while (p->token.kind == TOKEN_KEYWORD) {
        for (const char *c = p->token.name; *c; c++)
            LIST_ADD(p->tools->arena, selector, *c);
        parser_advance(p);
        Node *argument = parse_unary_messages(p, parse_primary(p, "an argument of this keyword"));
        argument = parse_binary_messages(p, argument);
        if (!argument)
            return NULL;
        LIST_ADD(p->tools->arena, list, argument);
    }
    Node *node = send_new(p, receiver, &first);
    node->send.selector = names_get(p->tools->names, selector.items, selector.count);
    send_set_arguments(p, node, &list);
    if (list.count > 15)
        parser_report(p, first.start, first.end, "a message cannot have more than 15 arguments");
    return node;
}

/* One message behind ';'. */
static Node *parse_cascaded_message(Parser *p)
{
    switch (p->token.kind) {
    case TOKEN_IDENTIFIER: {
        Token selector = p->token;
        parser_advance(p);
        return send_new(p, NULL, &selector);
    }
    case TOKEN_BINARY: return parse_binary_message(p, NULL);
    case TOKEN_KEYWORD: return parse_keyword_message(p, NULL);
    default: return parser_expected(p, "a message behind ';'");
    }
}

static Node *parse_cascade(Parser *p, Node *first)
{
    NodeList list = {NULL, 0, 0};
    if (first->kind != NODE_SEND) {
        parser_report(p, p->token.start, p->token.end, "a message expected before ';'");
        return NULL;
    }
    Node *node = parser_node_new(p, NODE_CASCADE, first->start);
    node->cascade.receiver = first->send.receiver;
    bool to_super = first->send.to_super;
    first->send.receiver = NULL;
    LIST_ADD(p->tools->arena, list, first);
    node_add_child(p, node, first);
    while (parser_match(p, TOKEN_SEMICOLON)) {
        Node *message = parse_cascaded_message(p);
        if (!message)
            return NULL;
        message->send.to_super = to_super;
        LIST_ADD(p->tools->arena, list, message);
        node_add_child(p, node, message);
    }
    node->end = p->last_end;
    node->cascade.messages = list.items;
    node->cascade.count = list.count;
    return node;
}

/* --- Expressions and statements --- */

/* Old sources assign with an underscore that stands by itself: no message has this name. */
static bool is_underscore(const Token *token)
{
    return token->kind == TOKEN_IDENTIFIER && strcmp(token->name, "_") == 0;
}

static bool parser_at_assignment(const Parser *p)
{
    if (p->token.kind != TOKEN_IDENTIFIER)
        return false;
    Scanner ahead = p->scanner;
    Token next = scanner_next(&ahead);
    return next.kind == TOKEN_ASSIGN || is_underscore(&next);
}

static Node *parse_assignment(Parser *p)
{
    Node *target = parse_name(p);
    parser_advance(p);
    if (!parser_enter(p))
        return NULL;
    Node *value = parse_expression_node(p);
    p->nesting--;
    if (!value)
        return NULL;
    Node *node = parser_node_new(p, NODE_ASSIGN, target->start);
    node->assign.target = target;
    node->assign.value = value;
    node_add_child(p, node, value);
    return node;
}

static Node *parse_expression_node(Parser *p)
{
    if (parser_at_assignment(p))
        return parse_assignment(p);
    Node *node = parse_unary_messages(p, parse_primary(p, "an expression"));
    node = parse_binary_messages(p, node);
    if (node && p->token.kind == TOKEN_KEYWORD)
        node = parse_keyword_message(p, node);
    if (node && !p->panicking && p->token.kind == TOKEN_SEMICOLON)
        node = parse_cascade(p, node);
    return p->panicking ? NULL : node;
}

static Node *parse_return(Parser *p)
{
    size_t start = p->token.start;
    parser_advance(p);
    Node *value = parse_expression_node(p);
    if (!value)
        return NULL;
    Node *node = parser_node_new(p, NODE_RETURN, start);
    node->value = value;
    node_add_child(p, node, value);
    p->block->has_return = true;
    return node;
}

static Node *parse_statement(Parser *p)
{
    Node *node = p->token.kind == TOKEN_CARET ? parse_return(p) : parse_expression_node(p);
    TokenKind kind = p->token.kind;
    bool ends = kind == TOKEN_PERIOD || kind == TOKEN_END ||
                (kind == TOKEN_RIGHT_BRACKET && p->block->outer);
    if (!p->panicking && !ends)
        parser_expected(p, "a period or the end of the statement");
    if (!p->panicking)
        return node;
    size_t start = p->token.start;
    parser_recover(p);
    return parser_node_new(p, NODE_ERROR, start);
}

/* Statements up to the bracket or the end; answers the deepest of them. */
Node *parse_statements(Parser *p, Block *block)
{
    NodeList list = {NULL, 0, 0};
    Node *deepest = NULL;
    bool returned = false, told = false;
    while (p->token.kind != TOKEN_END && !(p->token.kind == TOKEN_RIGHT_BRACKET && block->outer)) {
        if (parser_match(p, TOKEN_PERIOD))
            continue;
        Node *statement = parse_statement(p);
        if (returned) {
            if (!told)
                diagnostics_warn(p->tools->diagnostics, WARN_UNREACHABLE, p->scanner.source,
                                 statement->start, statement->end,
                                 "this is behind a return and is never reached");
            told = true;
            continue;
        }
        returned = statement->kind == NODE_RETURN;
        LIST_ADD(p->tools->arena, list, statement);
        if (!deepest || statement->depth > deepest->depth)
            deepest = statement;
    }
    block->statements = list.items;
    block->statement_count = list.count;
    return deepest;
}

