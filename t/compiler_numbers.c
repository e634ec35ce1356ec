/* Numbers as written: every float must be the nearest one, as strtod has it. */
#include <math.h>

#include "compiler/number.h"
#include "tap.h"

static Arena *arena;

static Literal read_number(const char *text, size_t *length, const char **message)
{
    Literal literal = {0};
    *length = number_read(arena, text, strlen(text), &literal, message);
    return literal;
}

static void check_integer(const char *text, int64_t expected)
{
    size_t length;
    const char *message;
    int64_t value = 0;
    Literal literal = read_number(text, &length, &message);
    bool fits = literal_get_integer(&literal, &value);
    ok(!message && fits && value == expected && length == strlen(text), "%s is %lld", text,
       (long long)expected);
}

static void check_fraction(const char *text, int64_t numerator, int64_t denominator)
{
    size_t length;
    const char *message;
    int64_t up = 0, down = 0;
    Literal literal = read_number(text, &length, &message);
    bool is_fraction = literal.kind == LITERAL_FRACTION && length == strlen(text);
    ok(is_fraction && !message && literal_get_integer(literal.elements[0], &up) &&
           literal_get_integer(literal.elements[1], &down) && up == numerator &&
           down == denominator,
       "%s is %lld/%lld", text, (long long)numerator, (long long)denominator);
}

static void check_float(const char *text, double expected)
{
    size_t length;
    const char *message;
    Literal literal = read_number(text, &length, &message);
    ok(!message && literal.kind == LITERAL_FLOAT &&
           memcmp(&literal.real, &expected, sizeof expected) == 0 && length == strlen(text),
       "%.60s is %a (got %a)", text, expected, literal.real);
}

static void check_wrong(const char *text, const char *part)
{
    size_t length;
    const char *message;
    read_number(text, &length, &message);
    has_text(message, part, "%s is refused", text);
}

static void check_length(const char *text, size_t expected)
{
    size_t length;
    const char *message;
    read_number(text, &length, &message);
    is_int(length, expected, "the number of '%s' ends at %zu", text, expected);
}

/* xorshift: the same numbers everywhere. */
static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void check_random_floats(int count)
{
    int wrong = 0;
    for (int i = 0; i < count; i++) {
        char text[128];
        int digits = 1 + (int)(random_next() % 25), length = 0;
        length +=
            sprintf(text, "%llu.", (unsigned long long)(random_next() >> (random_next() % 64)));
        for (int j = 0; j < digits; j++)
            text[length++] = (char)('0' + random_next() % 10);
        sprintf(text + length, "e%d", (int)(random_next() % 680) - 345);
        size_t read;
        const char *message;
        Literal literal = read_number(text, &read, &message);
        double expected = strtod(text, NULL);
        if (message || memcmp(&literal.real, &expected, sizeof expected) != 0) {
            if (wrong++ < 5)
                diag("%s: got %a, expected %a", text, literal.real, expected);
        }
    }
    is_int(wrong, 0, "%d random decimal floats are read as strtod reads them", count);
}

/* Halfway cases: the exact decimal text of the middle between two doubles. */
static void check_ties(int count)
{
    int wrong = 0;
    for (int i = 0; i < count; i++) {
        uint64_t bits = random_next() & 0x7FEFFFFFFFFFFFFF;
        double low, high;
        char text[1200];
        memcpy(&low, &bits, sizeof low);
        high = nextafter(low, HUGE_VAL);
        if (low < 1e-30 || high > 1e30)
            continue;
        long double middle = ((long double)low + (long double)high) / 2;
        snprintf(text, sizeof text, "%.200Lf", middle);
        size_t read;
        const char *message;
        Literal literal = read_number(text, &read, &message);
        double expected = bits & 1 ? high : low;
        wrong += message || literal.real != expected;
    }
    is_int(wrong, 0, "exact ties go to the even neighbour");
}

int main(void)
{
    arena = arena_new();
    check_integer("0", 0);
    check_integer("007", 7);
    check_integer("-12", -12);
    check_integer("16rFF", 255);
    check_integer("16r-FF", -255);
    check_integer("-16rFF", -255);
    check_integer("36rZZ", 1295);
    check_integer("2r1e4", 16);
    check_integer("1e3", 1000);
    check_integer("1000e-3", 1);
    check_integer("9223372036854775807", INT64_MAX);
    check_integer("-9223372036854775808", INT64_MIN);
    check_float("1.5", 1.5);
    check_float("-0.0", -0.0);
    check_float("16r1.8", 1.5);
    check_float("2r1.1e4", 24.0);
    check_float("3.0e-2", 0.03);
    check_float("1.7976931348623157e308", 1.7976931348623157e308);
    check_float("1.7976931348623159e308", HUGE_VAL);
    check_float("1.0e400", HUGE_VAL);
    check_float("1.0e-400", 0.0);
    check_float("4.9406564584124654e-324", 4.9406564584124654e-324);
    check_float("2.4703282292062327e-324", 0.0);
    check_float("2.4703282292062328e-324", 4.9406564584124654e-324);
    check_float("2.2250738585072014e-308", 2.2250738585072014e-308);
    check_float("2.2250738585072011e-308", 2.2250738585072011e-308);
    check_float("9007199254740993.0", 9007199254740992.0);
    check_float("9007199254740993.00000000000000000001", 9007199254740994.0);
    check_random_floats(20000);
    check_ties(20000);
    size_t length;
    const char *message;
    Literal scaled = read_number("3.14s2", &length, &message);
    int64_t numerator = 0, denominator = 0;
    ok(scaled.kind == LITERAL_SCALED && scaled.scale == 2 &&
           literal_get_integer(scaled.elements[0], &numerator) &&
           literal_get_integer(scaled.elements[1], &denominator) && numerator == 157 &&
           denominator == 50,
       "3.14s2 is 157/50 with two digits");
    Literal large = read_number("123456789012345678901234567890", &length, &message);
    ok(large.byte_count == 13 && large.bytes[0] == 0xD2, "a large integer keeps all its digits");
    check_length("3.foo", 1);
    check_length("3e", 1);
    check_length("3sin", 1);
    check_length("3s", 2);
    check_length("1.5e3.2", 5);
    check_fraction("1e-3", 1, 1000);
    check_fraction("-25e-1", -5, 2);
    check_fraction("3r2e-1", 2, 3);
    check_fraction("12r5e-2", 5, 144);
    check_integer("1000e-3", 1);
    check_integer("16rffe6", 0xFFE6); /* a digit, no exponent */
    check_integer("16r200d", 0x200D);
    check_integer("2r1e3", 8);
    check_wrong("1e-200000", "too small");
    check_wrong("1r0", "radix");
    check_wrong("37r0", "radix");
    check_integer("16rff", 255);
    check_wrong("1e100000000", "too large");
    arena_free(arena);
    return done_testing();
}
