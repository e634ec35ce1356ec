/* Trailers: texts of all lengths come back; wrong bytes are no trailer. */
#include <string.h>

#include "kernel/bytecode/trailer.h"
#include "tap.h"

static void check_text(Arena *arena, size_t length)
{
    char *text = arena_alloc(arena, length + 1);
    memset(text, 'x', length);
    size_t count, found = 0;
    const uint8_t *trailer = trailer_of_source(arena, text, &count);
    uint8_t *code = arena_alloc(arena, count + 3);
    memcpy(code + 3, trailer, count);
    const char *source = trailer_source(code, count + 3, &found);
    ok(trailer_length(code, count + 3) == count, "%zu bytes: the trailer's length", length);
    ok(length ? source && found == length && memcmp(source, text, length) == 0 : !source,
       "%zu bytes: the text", length);
}

int main(void)
{
    Arena *arena = arena_new();
    static const size_t lengths[] = {0, 1, 255, 256, 65535, 65536, 20000000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        check_text(arena, lengths[i]);
    static const struct {
        uint8_t bytes[6];
        size_t count, length;
        const char *what;
    } cases[] = {
        {{0}, 0, 0, "no bytes"},
        {{0x58, 0}, 2, 1, "no trailer"},
        {{1, 2, 3, 252}, 4, 4, "a source pointer"},
        {{2, 3, 252}, 3, 0, "a source pointer cut off"},
        {{0x58, 5, 0x81, 0x82, 32}, 5, 4, "a pointer of variable length"},
        {{0x81, 0x82, 32}, 3, 0, "one without an end"},
        {{0x58, 1, 1, 20}, 4, 3, "a text of one byte"},
        {{0x58, 1, 9, 20}, 4, 0, "a text longer than the code"},
        {{1, 23}, 2, 0, "length bytes that are not there"},
        {{1, 1, 40}, 3, 0, "a kind nobody defined"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(trailer_length(cases[i].bytes, cases[i].count) == cases[i].length, "%s", cases[i].what);
    arena_free(arena);
    return done_testing();
}
