/* Text that grows in an arena; always NUL-terminated once something was put. */
#ifndef OSVM_BASE_TEXT_H
#define OSVM_BASE_TEXT_H

#include "arena.h"

typedef struct {
    Arena *arena;
    char *start; /* NULL while nothing was put */
    size_t length, capacity;
} Text;

void text_put_bytes(Text *text, const char *bytes, size_t count);
void text_put_string(Text *text, const char *string);
void text_put(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
