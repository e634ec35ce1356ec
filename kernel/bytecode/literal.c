#include "literal.h"

#include <ctype.h>
#include <string.h>

uint64_t literal_float_bits(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

double literal_float_from_bits(uint64_t bits)
{
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_bytes(const Literal *a, const Literal *b)
{
    return a->byte_count == b->byte_count &&
           (a->byte_count == 0 || memcmp(a->bytes, b->bytes, a->byte_count) == 0);
}

static bool same_elements(const Literal *a, const Literal *b)
{
    if (a->element_count != b->element_count)
        return false;
    for (size_t n = 0; n < a->element_count; n++)
        if (!literal_equal(a->elements[n], b->elements[n]))
            return false;
    return true;
}

bool literal_equal(const Literal *a, const Literal *b)
{
    return a->kind == b->kind && a->negative == b->negative && a->code == b->code &&
           a->scale == b->scale && literal_float_bits(a->real) == literal_float_bits(b->real) &&
           a->code_block == b->code_block && same_bytes(a, b) && same_text(a->name, b->name) &&
           same_elements(a, b);
}

long literal_find(Literal *const *literals, size_t count, const Literal *wanted)
{
    for (size_t n = 0; n < count; n++)
        if (literal_equal(literals[n], wanted))
            return (long)n;
    return -1;
}

bool literal_is_plain(const char *text, size_t length, const char *extra)
{
    for (size_t n = 0; n < length; n++) {
        unsigned char c = (unsigned char)text[n];
        if (c >= 128 || c == 0 || (!isalnum(c) && c != '_' && !strchr(extra, c)))
            return false;
    }
    return length > 0;
}
