#include "print.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "number.h"

/* How tightly an expression binds; one may stand without parentheses where its level is allowed. */
typedef enum { LEVEL_PRIMARY, LEVEL_UNARY, LEVEL_BINARY, LEVEL_KEYWORD, LEVEL_STATEMENT } Level;


static void print_node(Text *t, const Node *node, Level allowed, unsigned indent);
static void print_body(Text *t, const Block *block, unsigned indent);

/* --- Literals --- */

static void print_quoted(Text *t, const char *text, size_t length)
{
    text_put_string(t, "'");
    for (size_t i = 0; i < length; i++)
        text_put_bytes(t, text[i] == '\'' ? "''" : text + i, text[i] == '\'' ? 2 : 1);
    text_put_string(t, "'");
}

static bool is_word(const char *text, size_t length)
{
    if (!length || (!isalpha((unsigned char)text[0]) && text[0] != '_'))
        return false;
    for (size_t i = 1; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_:", text[i]))
            return false;
    return true;
}

static bool is_operator(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr("!%&*+,/<=>?@\\|~-", text[i]))
            return false;
    return length > 0;
}

static void print_symbol(Text *t, const char *text, size_t length)
{
    text_put_string(t, "#");
    if (is_word(text, length) || is_operator(text, length))
        text_put_bytes(t, text, length);
    else
        print_quoted(t, text, length);
}

static void print_integer(Text *t, const Literal *literal)
{
    uint64_t value = 0;
    if (literal->negative)
        text_put_string(t, "-");
    if (literal->byte_count > 8)
        text_put_string(t, "16r");
    for (size_t i = literal->byte_count; i-- > 0;) {
        value = value << 8 | literal->bytes[i];
        if (literal->byte_count > 8)
            text_put(t, "%02X", literal->bytes[i]);
    }
    if (literal->byte_count <= 8)
        text_put(t, "%" PRIu64, value);
}

/* As few digits as read back as the same number, with a point and without a plus. */
static void print_float(Text *t, double real)
{
    char digits[40];
    if (real != real || __builtin_isinf(real)) {
        text_put_string(t, real != real ? "Float nan" : real > 0 ? "Float infinity"
                                                                 : "Float infinity negated");
        return;
    }
    for (int count = 1; count <= 17; count++) {
        snprintf(digits, sizeof digits, "%.*e", count - 1, real);
        if (strtod(digits, NULL) == real)
            break;
    }
    char *exponent = strchr(digits, 'e');
    text_put_bytes(t, digits, (size_t)(exponent - digits));
    if (!memchr(digits, '.', (size_t)(exponent - digits)))
        text_put_string(t, ".0");
    if (atoi(exponent + 1))
        text_put(t, "e%d", atoi(exponent + 1));
}

static void print_elements(Text *t, const Literal *literal)
{
    text_put_string(t, "#(");
    for (size_t i = 0; i < literal->element_count; i++) {
        text_put_string(t, i ? " " : "");
        print_literal(t, literal->elements[i]);
    }
    text_put_string(t, ")");
}

static void print_bytes(Text *t, const Literal *literal)
{
    text_put_string(t, "#[");
    for (size_t i = 0; i < literal->byte_count; i++)
        text_put(t, i ? " %u" : "%u", literal->bytes[i]);
    text_put_string(t, "]");
}

static uint64_t small_value(const Literal *literal)
{
    uint64_t value = 0;
    for (size_t i = literal->byte_count < 8 ? literal->byte_count : 8; i-- > 0;)
        value = value << 8 | literal->bytes[i];
    return value;
}

/* Digits, a point where there is a scale, and the scale: 3.14s2. The denominator divides a power
 * of ten where the text was a decimal. */
static void print_scaled(Text *t, const Literal *literal)
{
    uint64_t numerator = small_value(literal->elements[0]),
             denominator = small_value(literal->elements[1]), rest = numerator % denominator;
    text_put(t, "%s%" PRIu64, literal->elements[0]->negative ? "-" : "", numerator / denominator);
    text_put_string(t, rest ? "." : "");
    for (int digits = 0; rest && digits < 30; digits++) {
        unsigned __int128 next = (unsigned __int128)rest * 10;
        text_put(t, "%u", (unsigned)(next / denominator));
        rest = (uint64_t)(next % denominator);
    }
    text_put(t, "s%d", literal->scale);
}

/* The digits of a number in a radix below 37, most significant first. */
static void print_digits(Text *t, Natural *n, unsigned radix)
{
    size_t most = natural_bit_length(n) + 1, count = 0;
    char *digits = arena_alloc(n->arena, most);
    do
        digits[count++] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[natural_divide(n, radix)];
    while (!natural_is_zero(n));
    while (count)
        text_put_bytes(t, &digits[--count], 1);
}

/* 1e-3, 3r2e-1: in the first radix of which some power is a multiple of the denominator; ten first.
 * In a radix above 14, `e` would be a digit. A fraction that no literal says prints as a
 * division. */
static void print_fraction(Text *t, const Literal *literal)
{
    static const unsigned radixes[] = {10, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14};
    Arena *arena = arena_new();
    bool found = false;
    for (size_t i = 0; i < sizeof radixes / sizeof radixes[0] && !found; i++) {
        Natural numerator, denominator;
        unsigned long places = 0;
        natural_of_literal(&numerator, arena, literal->elements[0]);
        natural_of_literal(&denominator, arena, literal->elements[1]);
        found = natural_clear_denominator(&numerator, &denominator, radixes[i], &places);
        if (!found)
            continue;
        text_put_string(t, literal->elements[0]->negative ? "-" : "");
        if (radixes[i] != 10)
            text_put(t, "%ur", radixes[i]);
        print_digits(t, &numerator, radixes[i]);
        text_put(t, "e-%lu", places);
    }
    arena_free(arena);
    if (found)
        return;
    text_put_string(t, "(");
    print_integer(t, literal->elements[0]);
    text_put_string(t, " / ");
    print_integer(t, literal->elements[1]);
    text_put_string(t, ")");
}

static void print_character(Text *t, uint32_t code)
{
    char bytes[4];
    text_put_string(t, "$");
    text_put_bytes(t, bytes, utf8_encode(code, bytes));
}

/* What stands behind cdecl: in a pragma: threaded long 'strlen' (char* ) module: 'libc' */
static void print_function(Text *t, const Literal *literal)
{
    enum { THREADED = 256 };
    int64_t flags = 0;
    literal_get_integer(literal->elements[0], &flags);
    const Literal *module = literal->elements[1];
    text_put(t, "%s%s '%s' (", flags & THREADED ? "threaded " : "", literal->elements[2]->name,
             literal->name);
    for (size_t i = 3; i < literal->element_count; i++)
        text_put(t, "%s%s", i > 3 ? " " : "", literal->elements[i]->name);
    text_put_string(t, ")");
    if (module->kind != LITERAL_NIL)
        text_put(t, " module: '%s'", module->name);
}

void print_literal(Text *t, const Literal *literal)
{
    const char *bytes = (const char *)literal->bytes;
    switch (literal->kind) {
    case LITERAL_NIL: text_put_string(t, "nil"); break;
    case LITERAL_TRUE: text_put_string(t, "true"); break;
    case LITERAL_FALSE: text_put_string(t, "false"); break;
    case LITERAL_INTEGER: print_integer(t, literal); break;
    case LITERAL_FLOAT: print_float(t, literal->real); break;
    case LITERAL_SCALED: print_scaled(t, literal); break;
    case LITERAL_FRACTION: print_fraction(t, literal); break;
    case LITERAL_CHARACTER: print_character(t, literal->code); break;
    case LITERAL_STRING: print_quoted(t, bytes, literal->byte_count); break;
    case LITERAL_SYMBOL: print_symbol(t, bytes, literal->byte_count); break;
    case LITERAL_BYTE_ARRAY: print_bytes(t, literal); break;
    case LITERAL_ARRAY: print_elements(t, literal); break;
    case LITERAL_VARIABLE:
    case LITERAL_METHOD_CLASS: text_put_string(t, literal->name ? literal->name : "?"); break;
    case LITERAL_CODE:
    case LITERAL_OUTER_CODE:
    case LITERAL_METHOD_STATE:
    case LITERAL_PRAGMA: text_put_string(t, "\"code\""); break;
    case LITERAL_FUNCTION: print_function(t, literal); break;
    }
}

/* --- Lines --- */

static void print_line(Text *t, unsigned indent)
{
    text_put_string(t, "\n");
    for (unsigned i = 0; i < indent && i < 40; i++)
        text_put_string(t, "\t");
}

static void print_temps(Text *t, const VariableList *temps, unsigned indent)
{
    if (!temps->count)
        return;
    text_put_string(t, "|");
    for (size_t i = 0; i < temps->count; i++)
        text_put(t, " %s", temps->items[i]->name);
    text_put_string(t, " |");
    print_line(t, indent);
}

/* --- Messages --- */

static Level message_level(const Send *send)
{
    size_t last = strlen(send->selector) - 1;
    return send->argument_count == 0             ? LEVEL_UNARY
           : send->selector[last] == ':'         ? LEVEL_KEYWORD
                                                 : LEVEL_BINARY;
}

/* What may stand in front of a message without parentheses. */
static Level receiver_level(const Send *send)
{
    Level level = message_level(send);
    return level == LEVEL_KEYWORD ? LEVEL_BINARY : level;
}

static void print_message(Text *t, const Send *send, unsigned indent)
{
    Level level = message_level(send);
    const char *part = send->selector;
    if (level == LEVEL_UNARY)
        text_put(t, " %s", part);
    for (size_t i = 0; i < send->argument_count; i++) {
        size_t length = level == LEVEL_KEYWORD ? (size_t)(strchr(part, ':') - part) + 1
                                               : strlen(part);
        text_put(t, " %.*s ", (int)length, part);
        print_node(t, send->arguments[i], level == LEVEL_KEYWORD ? LEVEL_BINARY : LEVEL_UNARY,
                   indent);
        part += length;
    }
}

static void print_send(Text *t, const Send *send, unsigned indent)
{
    print_node(t, send->receiver, receiver_level(send), indent);
    print_message(t, send, indent);
}

static void print_cascade(Text *t, const Node *node, unsigned indent)
{
    const Send *first = &node->cascade.messages[0]->send;
    print_node(t, node->cascade.receiver, receiver_level(first), indent);
    for (size_t i = 0; i < node->cascade.count; i++) {
        if (i) {
            text_put_string(t, ";");
            print_line(t, indent + 1);
        }
        print_message(t, &node->cascade.messages[i]->send, indent + 1);
    }
}

/* --- Other expressions --- */

static bool is_short(const Block *block)
{
    if (block->temps.count || block->statement_count > 1)
        return false;
    return block->statement_count == 0 || block->statements[0]->depth <= 4;
}

static void print_block(Text *t, const Block *block, unsigned indent)
{
    text_put_string(t, "[");
    for (size_t i = 0; i < block->arguments.count; i++)
        text_put(t, " :%s", block->arguments.items[i]->name);
    if (block->arguments.count)
        text_put_string(t, " |");
    if (is_short(block)) {
        text_put_string(t, " ");
        for (size_t i = 0; i < block->statement_count; i++)
            print_node(t, block->statements[i], LEVEL_STATEMENT, indent + 1);
    } else {
        print_line(t, indent + 1);
        print_body(t, block, indent + 1);
    }
    text_put_string(t, block->statement_count ? " ]" : "]");
}

static void print_brace(Text *t, const Node *node, unsigned indent)
{
    text_put_string(t, "{");
    for (size_t i = 0; i < node->brace.count; i++) {
        text_put_string(t, i ? ". " : " ");
        print_node(t, node->brace.elements[i], LEVEL_STATEMENT, indent);
    }
    text_put_string(t, " }");
}

static Level node_level(const Node *node)
{
    switch (node->kind) {
    case NODE_SEND: return message_level(&node->send);
    case NODE_ASSIGN:
    case NODE_CASCADE:
    case NODE_RETURN: return LEVEL_STATEMENT;
    default: return LEVEL_PRIMARY;
    }
}

static void print_bare(Text *t, const Node *node, unsigned indent)
{
    switch (node->kind) {
    case NODE_ERROR: text_put_string(t, "\"?\""); break;
    case NODE_LITERAL: print_literal(t, node->literal); break;
    case NODE_VARIABLE: text_put_string(t, node->use.name); break;
    case NODE_ASSIGN:
        text_put(t, "%s := ", node->assign.target->use.name);
        print_node(t, node->assign.value, LEVEL_STATEMENT, indent);
        break;
    case NODE_SEND: print_send(t, &node->send, indent); break;
    case NODE_CASCADE: print_cascade(t, node, indent); break;
    case NODE_BLOCK: print_block(t, node->block, indent); break;
    case NODE_BRACE: print_brace(t, node, indent); break;
    case NODE_RETURN:
        text_put_string(t, "^ ");
        print_node(t, node->value, LEVEL_STATEMENT, indent);
        break;
    }
}

static void print_node(Text *t, const Node *node, Level allowed, unsigned indent)
{
    bool parentheses = node_level(node) > allowed;
    text_put_string(t, parentheses ? "(" : "");
    print_bare(t, node, indent);
    text_put_string(t, parentheses ? ")" : "");
}

/* --- Methods --- */

static void print_body(Text *t, const Block *block, unsigned indent)
{
    print_temps(t, &block->temps, indent);
    for (size_t i = 0; i < block->statement_count; i++) {
        if (i) {
            text_put_string(t, ".");
            print_line(t, indent);
        }
        print_node(t, block->statements[i], LEVEL_STATEMENT, indent);
    }
}

static void print_pattern(Text *t, const Method *method)
{
    const VariableList *arguments = &method->body->arguments;
    const char *part = method->selector;
    if (!arguments->count)
        text_put_string(t, part);
    for (size_t i = 0; i < arguments->count; i++) {
        const char *colon = strchr(part, ':');
        size_t length = colon ? (size_t)(colon - part) + 1 : strlen(part);
        text_put(t, "%s%.*s %s", i ? " " : "", (int)length, part, arguments->items[i]->name);
        part += length;
    }
}

static void print_pragma(Text *t, const Pragma *pragma)
{
    const char *part = pragma->selector;
    text_put_string(t, "<");
    if (!pragma->argument_count)
        text_put_string(t, part);
    for (size_t i = 0; i < pragma->argument_count; i++) {
        size_t length = (size_t)(strchr(part, ':') - part) + 1;
        text_put(t, "%s%.*s ", i ? " " : "", (int)length, part);
        print_literal(t, pragma->arguments[i]);
        part += length;
    }
    text_put_string(t, ">");
}

char *print_method(Arena *arena, const Method *method)
{
    Text text = {.arena = arena};
    print_pattern(&text, method);
    for (size_t i = 0; i < method->pragma_count; i++) {
        print_line(&text, 1);
        print_pragma(&text, &method->pragmas[i]);
    }
    if (method->body->statement_count || method->body->temps.count)
        print_line(&text, 1);
    print_body(&text, method->body, 1);
    return text.start;
}
