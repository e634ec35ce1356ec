/* Characters, words, numbers and literals of assembler texts. */
#include "asm_int.h"
#include "literal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_CHARACTERS "!%&*+,/<=>?@\\|~-:."

/* -- Errors -- */

unsigned reader_column(const Reader *r, const char *at)
{
    return (unsigned)(at - r->line_start) + 1;
}

static void add_error(Reader *r, unsigned line, unsigned column, const char *text)
{
    if (r->error_count == r->error_capacity) {
        size_t old = r->error_capacity * sizeof *r->errors;
        r->error_capacity = r->error_capacity ? r->error_capacity * 2 : 8;
        r->errors = arena_grow(r->arena, r->errors, old, r->error_capacity * sizeof *r->errors);
    }
    const char *message = arena_printf(r->arena, "%s:%u:%u: %s", r->file, line, column, text);
    r->errors[r->error_count++] = (AsmError){ line, column, message };
}

bool reader_fail_at(Reader *r, unsigned line, unsigned column, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add_error(r, line, column, text);
    return false;
}

bool reader_fail(Reader *r, const char *at, const char *format, ...)
{
    char text[200];
    va_list arguments;
    if (r->line_failed)
        return false;
    while (at < r->end && (*at == ' ' || *at == '\t'))
        at++;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add_error(r, r->line, reader_column(r, at), text);
    r->line_failed = true;
    return false;
}

/* -- Lines and words -- */

static void skip_blanks(Reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
    if (r->at < r->end && *r->at == ';')
        while (r->at < r->end && *r->at != '\n')
            r->at++;
}

bool reader_at_end_of_line(Reader *r)
{
    skip_blanks(r);
    return r->at == r->end || *r->at == '\n';
}

void reader_next_line(Reader *r)
{
    while (r->at < r->end && *r->at != '\n')
        r->at++;
    if (r->at < r->end)
        r->at++;
    r->line++;
    r->line_start = r->at;
    r->line_failed = false;
}

bool reader_expect_end_of_line(Reader *r)
{
    return reader_at_end_of_line(r) || reader_fail(r, r->at, "end of line expected");
}

static void skip_blank_lines(Reader *r)
{
    while (reader_at_end_of_line(r) && r->at < r->end) {
        bool failed = r->line_failed;
        reader_next_line(r);
        r->line_failed = failed;
    }
}

const char *reader_word(Reader *r, size_t *length)
{
    skip_blanks(r);
    const char *start = r->at;
    while (r->at < r->end && literal_is_plain(r->at, 1, "._/?-"))
        r->at++;
    *length = (size_t)(r->at - start);
    return *length ? start : NULL;
}

bool reader_accept(Reader *r, char c)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

bool reader_accept_word(Reader *r, const char *word)
{
    size_t length;
    const char *saved = r->at;
    const char *found = reader_word(r, &length);
    if (found && strlen(word) == length && !memcmp(found, word, length))
        return true;
    r->at = saved;
    return false;
}

/* -- Numbers -- */

bool reader_at_number(Reader *r)
{
    skip_blanks(r);
    size_t left = (size_t)(r->end - r->at);
    return (left > 0 && isdigit((unsigned char)*r->at)) ||
           (left > 1 && *r->at == '-' && isdigit((unsigned char)r->at[1]));
}

static int digit_value(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10
                                        : 99;
}

/* Digits at r->at with an optional 0x: the magnitude in bytes, little endian, no leading zeros. */
static bool read_magnitude(Reader *r, uint8_t **bytes, size_t *count)
{
    const char *start = r->at;
    int base = 10;
    if (r->end - r->at > 2 && r->at[0] == '0' && (r->at[1] | 32) == 'x') {
        base = 16;
        r->at += 2;
    }
    const char *digits = r->at;
    while (r->at < r->end && digit_value(*r->at) < base)
        r->at++;
    *bytes = arena_alloc(r->arena, (size_t)(r->at - digits) / 2 + 2);
    *count = 0;
    for (const char *d = digits; d < r->at; d++) {
        unsigned carry = (unsigned)digit_value(*d);
        for (size_t n = 0; n < *count; n++) {
            carry += (*bytes)[n] * (unsigned)base;
            (*bytes)[n] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry)
            (*bytes)[(*count)++] = (uint8_t)carry;
    }
    return r->at > digits || reader_fail(r, start, "a number expected");
}

bool reader_number(Reader *r, const char *what, int64_t low, int64_t high, int64_t *out)
{
    uint8_t *bytes;
    size_t count;
    skip_blanks(r);
    const char *start = r->at;
    bool negative = reader_accept(r, '-');
    if (r->at == r->end || !isdigit((unsigned char)*r->at))
        return reader_fail(r, start, "%s expected", what);
    if (!read_magnitude(r, &bytes, &count))
        return false;
    int64_t value = 0;
    if (count > 7)
        return reader_fail(r, start, "%s must be %lld..%lld", what, (long long)low,
                           (long long)high);
    for (size_t n = count; n-- > 0;)
        value = value * 256 + bytes[n];
    *out = negative ? -value : value;
    if (*out < low || *out > high)
        return reader_fail(r, start, "%s must be %lld..%lld", what, (long long)low,
                           (long long)high);
    return true;
}

static Literal *new_literal(Reader *r, LiteralKind kind)
{
    Literal *literal = arena_alloc(r->arena, sizeof *literal);
    literal->kind = kind;
    return literal;
}

static Literal *read_integer(Reader *r)
{
    Literal *literal = new_literal(r, LITERAL_INTEGER);
    uint8_t *bytes;
    literal->negative = reader_accept(r, '-');
    if (!read_magnitude(r, &bytes, &literal->byte_count))
        return NULL;
    literal->bytes = bytes;
    return literal;
}

/* Is the number here a float: digits with a point or an exponent? */
static bool at_float(const Reader *r)
{
    const char *at = r->at + (*r->at == '-');
    if (r->end - at > 1 && at[0] == '0' && (at[1] | 32) == 'x')
        return false;
    while (at < r->end && isdigit((unsigned char)*at))
        at++;
    return at < r->end && (*at == '.' || (*at | 32) == 'e');
}

static Literal *read_float(Reader *r)
{
    Literal *literal = new_literal(r, LITERAL_FLOAT);
    const char *start = r->at;
    while (r->at < r->end && *r->at && (isalnum((unsigned char)*r->at) || strchr("+-.", *r->at)))
        r->at++;
    char *copy = arena_copy(r->arena, start, (size_t)(r->at - start));
    char *stop;
    literal->real = strtod(copy, &stop);
    if (*stop) {
        reader_fail(r, start, "a malformed float");
        return NULL;
    }
    return literal;
}

/* -- Texts -- */

static bool read_escape(Reader *r, char *out)
{
    const char *start = r->at++;
    if (r->at == r->end)
        return reader_fail(r, start, "an incomplete escape");
    char c = *r->at++;
    if (c == 'n' || c == 't' || c == 'r' || c == '\\' || c == '\'') {
        *out = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        return true;
    }
    if (c == 'x' && r->end - r->at >= 2 && digit_value(r->at[0]) < 16 &&
        digit_value(r->at[1]) < 16) {
        *out = (char)(digit_value(r->at[0]) * 16 + digit_value(r->at[1]));
        r->at += 2;
        return true;
    }
    return reader_fail(r, start, "an unknown escape; there are \\n \\t \\r \\\\ \\' \\xHH");
}

/* A quoted text; r->at is at the quote. */
static char *read_quoted(Reader *r, size_t *length)
{
    const char *start = r->at++;
    const char *scan = r->at;
    while (scan < r->end && *scan != '\n')
        scan++;
    char *text = arena_alloc(r->arena, (size_t)(scan - r->at) + 1);
    *length = 0;
    while (r->at < r->end && *r->at != '\'') {
        if (*r->at == '\n')
            break;
        if (*r->at != '\\')
            text[(*length)++] = *r->at++;
        else if (read_escape(r, &text[*length]))
            (*length)++;
        else
            return NULL;
    }
    if (r->at == r->end || *r->at != '\'') {
        reader_fail(r, start, "the text has no end in this line");
        return NULL;
    }
    r->at++;
    return text;
}

static char *read_text(Reader *r, const char *extra, const char *what, size_t *length)
{
    if (r->at < r->end && *r->at == '\'')
        return read_quoted(r, length);
    const char *start = r->at;
    while (r->at < r->end && literal_is_plain(r->at, 1, extra))
        r->at++;
    *length = (size_t)(r->at - start);
    if (*length)
        return arena_copy(r->arena, start, *length);
    reader_fail(r, start, "%s expected", what);
    return NULL;
}

static char *read_terminated(Reader *r, const char *extra, const char *what)
{
    size_t length;
    const char *start = r->at;
    char *text = read_text(r, extra, what, &length);
    if (text && strlen(text) != length) {
        reader_fail(r, start, "a name cannot contain a zero byte");
        return NULL;
    }
    return text;
}

char *reader_name(Reader *r, const char *what)
{
    skip_blanks(r);
    return read_terminated(r, "", what);
}

static Literal *read_bytes_literal(Reader *r, LiteralKind kind)
{
    Literal *literal = new_literal(r, kind);
    literal->bytes = (const uint8_t *)read_text(r, SYMBOL_CHARACTERS, "a symbol",
                                                &literal->byte_count);
    return literal->bytes ? literal : NULL;
}

/* -- Composite literals -- */

/* Elements up to the closing parenthesis, over any number of lines. */
static bool read_elements(Reader *r, Literal *literal)
{
    size_t capacity = 0;
    const char *start = r->at;
    if (++r->nesting > ASM_NESTING_MAX)
        return reader_fail(r, start, "nested deeper than %d", ASM_NESTING_MAX);
    for (;;) {
        skip_blank_lines(r);
        if (reader_accept(r, ')'))
            break;
        Literal *element = reader_literal(r);
        if (!element)
            return false;
        if (literal->element_count == capacity) {
            size_t old = capacity * sizeof(Literal *);
            capacity = capacity ? capacity * 2 : 4;
            literal->elements = arena_grow(r->arena, literal->elements, old,
                                           capacity * sizeof(Literal *));
        }
        literal->elements[literal->element_count++] = element;
    }
    r->nesting--;
    return true;
}

static Literal *read_byte_array(Reader *r)
{
    Literal *literal = new_literal(r, LITERAL_BYTE_ARRAY);
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    for (skip_blank_lines(r); !reader_accept(r, ']'); skip_blank_lines(r)) {
        int64_t value;
        if (!reader_number(r, "a byte", 0, 255, &value))
            return NULL;
        if (literal->byte_count == capacity) {
            size_t old = capacity;
            capacity = capacity ? capacity * 2 : 16;
            bytes = arena_grow(r->arena, bytes, old, capacity);
        }
        bytes[literal->byte_count++] = (uint8_t)value;
    }
    literal->bytes = bytes;
    return literal;
}

static bool read_ratio(Reader *r, Literal *literal)
{
    literal->elements = arena_alloc(r->arena, 2 * sizeof(Literal *));
    literal->element_count = 2;
    for (int n = 0; n < 2; n++) {
        literal->elements[n] = reader_at_number(r) ? read_integer(r) : NULL;
        if (!literal->elements[n])
            return false;
    }
    return true;
}

static Literal *read_closed(Reader *r, Literal *literal)
{
    if (reader_accept(r, ')'))
        return literal;
    reader_fail(r, r->at, "')' expected");
    return NULL;
}

/* fraction(numerator denominator) */
static Literal *read_fraction(Reader *r, const char *start)
{
    Literal *literal = new_literal(r, LITERAL_FRACTION);
    if (read_ratio(r, literal))
        return read_closed(r, literal);
    reader_fail(r, start, "fraction(numerator denominator) expected");
    return NULL;
}

/* scaled(numerator denominator scale) */
static Literal *read_scaled(Reader *r, const char *start)
{
    Literal *literal = new_literal(r, LITERAL_SCALED);
    int64_t scale;
    if (!read_ratio(r, literal)) {
        reader_fail(r, start, "scaled(numerator denominator scale) expected");
        return NULL;
    }
    if (!reader_number(r, "the scale", INT32_MIN, INT32_MAX, &scale))
        return NULL;
    literal->scale = (int)scale;
    return read_closed(r, literal);
}

/* methodState(selector pragmas...), pragma(selector arguments...) */
static Literal *read_named(Reader *r, LiteralKind kind)
{
    Literal *literal = new_literal(r, kind);
    skip_blank_lines(r);
    if (reader_accept(r, '#'))
        literal->name = read_terminated(r, SYMBOL_CHARACTERS, "a selector");
    else
        reader_fail(r, r->at, "a selector expected");
    return literal->name && read_elements(r, literal) ? literal : NULL;
}

static Literal *read_character(Reader *r)
{
    Literal *literal = new_literal(r, LITERAL_CHARACTER);
    if (++r->at == r->end || *r->at <= 32 || *r->at > 126) {
        reader_fail(r, r->at - 1, "a visible ASCII character expected; others are char:CODE");
        return NULL;
    }
    literal->code = (uint8_t)*r->at++;
    return literal;
}

static Literal *read_name_literal(Reader *r, LiteralKind kind)
{
    Literal *literal = new_literal(r, kind);
    literal->name = reader_name(r, "a name");
    return literal->name ? literal : NULL;
}

static Literal *read_bits(Reader *r)
{
    Literal *literal = new_literal(r, LITERAL_FLOAT);
    const char *start = r->at;
    uint64_t bits = 0;
    for (; r->at < r->end && digit_value(*r->at) < 16; r->at++)
        bits = bits << 4 | (unsigned)digit_value(*r->at);
    if (r->at - start != 16) {
        reader_fail(r, start, "16 hexadecimal digits expected");
        return NULL;
    }
    literal->real = literal_float_from_bits(bits);
    return literal;
}

static Literal *read_code_literal(Reader *r)
{
    Literal *literal = new_literal(r, LITERAL_CODE);
    const char *start = r->at;
    if (++r->nesting > ASM_NESTING_MAX) {
        reader_fail(r, start, "nested deeper than %d", ASM_NESTING_MAX);
        return NULL;
    }
    literal->code_block = asm_read_block(r);
    r->nesting--;
    return literal->code_block ? literal : NULL;
}

static Literal *read_char_code(Reader *r)
{
    Literal *literal = new_literal(r, LITERAL_CHARACTER);
    int64_t code;
    if (!reader_number(r, "the code", 0, UINT32_MAX, &code))
        return NULL;
    literal->code = (uint32_t)code;
    return literal;
}

/* A literal that starts with a word; what follows the word tells some apart. */
static Literal *read_word_literal(Reader *r)
{
    static const struct {
        const char *word;
        LiteralKind kind;
        double real;
    } plain[] = {
        { "nil", LITERAL_NIL, 0 },
        { "true", LITERAL_TRUE, 0 },
        { "false", LITERAL_FALSE, 0 },
        { "outerCode", LITERAL_OUTER_CODE, 0 },
        { "inf", LITERAL_FLOAT, __builtin_inf() },
        { "-inf", LITERAL_FLOAT, -__builtin_inf() },
    };
    const char *start = r->at;
    for (size_t n = 0; n < sizeof plain / sizeof *plain; n++)
        if (reader_accept_word(r, plain[n].word)) {
            Literal *literal = new_literal(r, plain[n].kind);
            literal->real = plain[n].real;
            return literal;
        }
    if (reader_accept_word(r, "methodClass"))
        return reader_accept(r, ':') ? read_name_literal(r, LITERAL_METHOD_CLASS)
                                     : new_literal(r, LITERAL_METHOD_CLASS);
    if (reader_accept_word(r, "block"))
        return read_code_literal(r);
    if (reader_accept_word(r, "var") && reader_accept(r, ':'))
        return read_name_literal(r, LITERAL_VARIABLE);
    if (reader_accept_word(r, "char") && reader_accept(r, ':'))
        return read_char_code(r);
    if (reader_accept_word(r, "bits") && reader_accept(r, ':'))
        return read_bits(r);
    if (reader_accept_word(r, "scaled") && reader_accept(r, '('))
        return read_scaled(r, start);
    if (reader_accept_word(r, "fraction") && reader_accept(r, '('))
        return read_fraction(r, start);
    if (reader_accept_word(r, "methodState") && reader_accept(r, '('))
        return read_named(r, LITERAL_METHOD_STATE);
    if (reader_accept_word(r, "pragma") && reader_accept(r, '('))
        return read_named(r, LITERAL_PRAGMA);
    if (reader_accept_word(r, "function") && reader_accept(r, '('))
        return read_named(r, LITERAL_FUNCTION);
    reader_fail(r, start, "a literal expected");
    return NULL;
}

static Literal *read_hash_literal(Reader *r)
{
    r->at++;
    if (r->at < r->end && *r->at == '(') {
        Literal *literal = new_literal(r, LITERAL_ARRAY);
        r->at++;
        return read_elements(r, literal) ? literal : NULL;
    }
    if (r->at < r->end && *r->at == '[') {
        r->at++;
        return read_byte_array(r);
    }
    return read_bytes_literal(r, LITERAL_SYMBOL);
}

Literal *reader_literal(Reader *r)
{
    if (reader_at_number(r))
        return at_float(r) ? read_float(r) : read_integer(r);
    if (r->at == r->end || *r->at == '\n') {
        reader_fail(r, r->at, "a literal expected");
        return NULL;
    }
    switch (*r->at) {
    case '#':
        return read_hash_literal(r);
    case '$':
        return read_character(r);
    case '\'':
        return read_bytes_literal(r, LITERAL_STRING);
    default:
        return read_word_literal(r);
    }
}
