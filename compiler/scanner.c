#include "scanner.h"

#include <string.h>

#include "number.h"

void scanner_init(Scanner *scanner, Arena *arena, Names *names, const SourceText *source,
                  size_t start, size_t end)
{
    *scanner = (Scanner){arena, names, source, start, end};
}

static uint32_t scanner_peek(const Scanner *s, size_t at)
{
    uint32_t code;
    return at < s->end && utf8_decode(s->source->text + at, s->end - at, &code) ? code : 0;
}

static size_t scanner_width(const Scanner *s, size_t at)
{
    uint32_t code;
    return at < s->end ? utf8_decode(s->source->text + at, s->end - at, &code) : 0;
}

static bool is_digit(uint32_t code)
{
    return code >= '0' && code <= '9';
}

static bool is_space(uint32_t code)
{
    return code == ' ' || (code >= 9 && code <= 13) || code == 0xA0 || code == 0xFEFF ||
           (code >= 0x2000 && code <= 0x200B) || code == 0x2028 || code == 0x2029 || code == 0x3000;
}

/* Everything that is nothing else can be part of an operator. */
static bool is_binary(uint32_t code)
{
    return code > ' ' && code != 0x7F && !is_space(code) && !is_digit(code) &&
           !utf8_is_letter(code) && !(code < 0x80 && strchr("()[]{}.;:^\"'#$`", (int)code));
}

static Token scanner_token(const Scanner *s, TokenKind kind, size_t start)
{
    Token token = {.kind = kind, .start = start, .end = s->at};
    return token;
}

static Token scanner_error(const Scanner *s, size_t start, const char *message)
{
    Token token = scanner_token(s, TOKEN_ERROR, start);
    token.message = message;
    return token;
}

static Token scanner_literal(const Scanner *s, LiteralKind kind, size_t start)
{
    Token token = scanner_token(s, TOKEN_LITERAL, start);
    token.literal = arena_alloc(s->arena, sizeof *token.literal);
    token.literal->kind = kind;
    return token;
}

static const char *scanner_name(const Scanner *s, size_t start)
{
    return names_get(s->names, s->source->text + start, s->at - start);
}

/* Skips white space and comments. False: a comment does not end; it starts at `*start`. */
static bool scanner_skip(Scanner *s, size_t *start)
{
    for (;;) {
        uint32_t code = scanner_peek(s, s->at);
        if (s->at < s->end && is_space(code)) {
            s->at += scanner_width(s, s->at);
        } else if (code == '"') {
            *start = s->at;
            const char *close = memchr(s->source->text + s->at + 1, '"', s->end - s->at - 1);
            s->at = close ? (size_t)(close + 1 - s->source->text) : s->end;
            if (!close)
                return false;
        } else {
            return true;
        }
    }
}

static void scanner_letters(Scanner *s)
{
    for (uint32_t code; (code = scanner_peek(s, s->at)), utf8_is_letter(code) || is_digit(code);)
        s->at += scanner_width(s, s->at);
}

/* A colon that is not the start of an assignment. */
static bool scanner_at_keyword_colon(const Scanner *s)
{
    return scanner_peek(s, s->at) == ':' && scanner_peek(s, s->at + 1) != '=';
}

static Token scanner_word(Scanner *s, size_t start)
{
    scanner_letters(s);
    TokenKind kind = TOKEN_IDENTIFIER;
    if (scanner_at_keyword_colon(s)) {
        s->at++;
        kind = TOKEN_KEYWORD;
    }
    Token token = scanner_token(s, kind, start);
    token.name = scanner_name(s, start);
    return token;
}

/* Operators take every sign there is, but leave a minus that belongs to a number behind them. */
static Token scanner_binary(Scanner *s, size_t start)
{
    do
        s->at += scanner_width(s, s->at);
    while (is_binary(scanner_peek(s, s->at)) &&
           !(scanner_peek(s, s->at) == '-' && is_digit(scanner_peek(s, s->at + 1))));
    Token token = scanner_token(s, TOKEN_BINARY, start);
    token.name = scanner_name(s, start);
    return token;
}

static Token scanner_number(Scanner *s, size_t start)
{
    Token token = scanner_literal(s, LITERAL_INTEGER, start);
    const char *message;
    s->at = start +
            number_read(s->arena, s->source->text + start, s->end - start, token.literal, &message);
    token.end = s->at;
    return message ? scanner_error(s, start, message) : token;
}

Token scanner_negative_number(Scanner *s, size_t minus_at)
{
    return scanner_number(s, minus_at);
}

static Token scanner_character(Scanner *s, size_t start)
{
    s->at = start + 1;
    if (s->at >= s->end)
        return scanner_error(s, start, "a character expected after '$'");
    uint32_t code = scanner_peek(s, s->at);
    s->at += scanner_width(s, s->at);
    Token token = scanner_literal(s, LITERAL_CHARACTER, start);
    token.literal->code = code;
    return token;
}

/* From the opening quote; the text between the quotes, doubled ones made single. */
static Token scanner_quoted(Scanner *s, size_t start, LiteralKind kind)
{
    const char *text = s->source->text;
    size_t first = ++s->at, size = 0;
    for (;; s->at++) {
        const char *close = s->at < s->end ? memchr(text + s->at, '\'', s->end - s->at) : NULL;
        if (!close) {
            s->at = s->end;
            return scanner_error(s, start, "this string is not closed: ' expected");
        }
        s->at = (size_t)(close - text) + 1;
        if (s->at >= s->end || text[s->at] != '\'')
            break;
    }
    char *bytes = arena_alloc(s->arena, s->at - first + 1);
    for (size_t i = first; i + 1 < s->at; i++) {
        bytes[size++] = text[i];
        i += text[i] == '\'';
    }
    Token token = scanner_literal(s, kind, start);
    token.literal->bytes = (uint8_t *)bytes;
    token.literal->byte_count = size;
    if (kind == LITERAL_SYMBOL)
        token.literal->name = names_get(s->names, bytes, size);
    return token;
}

static Token scanner_symbol_from(Scanner *s, size_t start, size_t name_start)
{
    Token token = scanner_literal(s, LITERAL_SYMBOL, start);
    token.literal->name = scanner_name(s, name_start);
    token.literal->bytes = (const uint8_t *)token.literal->name;
    token.literal->byte_count = s->at - name_start;
    return token;
}

/* Words and colons in any order: at:put:, foo:bar. */
static void scanner_symbol_word(Scanner *s)
{
    for (;;) {
        uint32_t code = scanner_peek(s, s->at);
        if (utf8_is_letter(code))
            scanner_letters(s);
        else if (scanner_at_keyword_colon(s))
            s->at++;
        else
            return;
    }
}

static Token scanner_hash(Scanner *s, size_t start)
{
    s->at = start + 1;
    while (scanner_peek(s, s->at) == '#')
        s->at++; /* some dialects double the mark */
    uint32_t code = scanner_peek(s, s->at);
    size_t name_start = s->at;
    if (code == '(' || code == '[' || code == '{') {
        s->at++;
        if (code == '{')
            return scanner_error(s, start,
                                 "'#{' is not supported: '#(', '#[' or a symbol expected");
        return scanner_token(s, code == '(' ? TOKEN_LITERAL_ARRAY : TOKEN_BYTE_ARRAY, start);
    }
    if (code == '\'')
        return scanner_quoted(s, start, LITERAL_SYMBOL);
    if (utf8_is_letter(code) || scanner_at_keyword_colon(s)) {
        scanner_symbol_word(s);
        return scanner_symbol_from(s, start, name_start);
    }
    if (is_binary(code)) {
        do
            s->at += scanner_width(s, s->at);
        while (is_binary(scanner_peek(s, s->at)));
        return scanner_symbol_from(s, start, name_start);
    }
    return scanner_error(s, start, "a symbol, '(' or '[' expected after '#'");
}

static Token scanner_sign(Scanner *s, size_t start, uint32_t code)
{
    static const struct {
        char sign;
        TokenKind kind;
    } signs[] = {
        {'(', TOKEN_LEFT_PAREN},    {')', TOKEN_RIGHT_PAREN}, {'[', TOKEN_LEFT_BRACKET},
        {']', TOKEN_RIGHT_BRACKET}, {'{', TOKEN_LEFT_BRACE},  {'}', TOKEN_RIGHT_BRACE},
        {'^', TOKEN_CARET},         {'.', TOKEN_PERIOD},      {';', TOKEN_SEMICOLON},
        {':', TOKEN_COLON},
    };
    s->at += scanner_width(s, start);
    if (code == ':' && scanner_peek(s, s->at) == '=') {
        s->at++;
        return scanner_token(s, TOKEN_ASSIGN, start);
    }
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (code == (uint32_t)signs[i].sign)
            return scanner_token(s, signs[i].kind, start);
    return scanner_error(s, start, "this character means nothing here");
}

static Token scanner_dispatch(Scanner *s, bool in_array)
{
    size_t start = s->at;
    if (!scanner_skip(s, &start))
        return scanner_error(s, start, "this comment is not closed: \" expected");
    start = s->at;
    if (s->at >= s->end)
        return scanner_token(s, TOKEN_END, start);
    uint32_t code = scanner_peek(s, start);
    if (in_array && (utf8_is_letter(code) || (code == ':' && scanner_at_keyword_colon(s)))) {
        scanner_symbol_word(s);
        Token token = scanner_symbol_from(s, start, start);
        token.name = token.literal->name;
        return token;
    }
    if (in_array && code == '-' && is_digit(scanner_peek(s, start + 1)))
        return scanner_number(s, start);
    if (utf8_is_letter(code))
        return scanner_word(s, start);
    if (is_digit(code))
        return scanner_number(s, start);
    if (code == '$')
        return scanner_character(s, start);
    if (code == '\'')
        return scanner_quoted(s, start, LITERAL_STRING);
    if (code == '#')
        return scanner_hash(s, start);
    if (is_binary(code))
        return scanner_binary(s, start);
    return scanner_sign(s, start, code);
}

Token scanner_next(Scanner *s)
{
    return scanner_dispatch(s, false);
}

Token scanner_next_in_array(Scanner *s)
{
    return scanner_dispatch(s, true);
}

const char *token_describe(Arena *arena, const Token *token)
{
    switch (token->kind) {
    case TOKEN_END: return "the end of the text";
    case TOKEN_ASSIGN: return "':='";
    case TOKEN_LITERAL: return "a literal";
    case TOKEN_LITERAL_ARRAY: return "'#('";
    case TOKEN_BYTE_ARRAY: return "'#['";
    case TOKEN_LEFT_PAREN: return "'('";
    case TOKEN_RIGHT_PAREN: return "')'";
    case TOKEN_LEFT_BRACKET: return "'['";
    case TOKEN_RIGHT_BRACKET: return "']'";
    case TOKEN_LEFT_BRACE: return "'{'";
    case TOKEN_RIGHT_BRACE: return "'}'";
    case TOKEN_CARET: return "'^'";
    case TOKEN_PERIOD: return "'.'";
    case TOKEN_SEMICOLON: return "';'";
    case TOKEN_COLON: return "':'";
    case TOKEN_ERROR: return "an error";
    default: return arena_printf(arena, "'%s'", token->name);
    }
}
