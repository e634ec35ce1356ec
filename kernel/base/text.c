#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_put_bytes(Text *text, const char *bytes, size_t count)
{
    if (text->capacity - text->length < count + 1) {
        size_t capacity = text->capacity * 2 + count + 256;
        text->start = arena_grow(text->arena, text->start, text->length, capacity);
        text->capacity = capacity;
    }
    if (count)
        memcpy(text->start + text->length, bytes, count);
    text->length += count;
    text->start[text->length] = 0;
}

void text_put_string(Text *text, const char *string)
{
    text_put_bytes(text, string, strlen(string));
}

void text_put(Text *text, const char *format, ...)
{
    char buffer[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    if (length > 0)
        text_put_bytes(text, buffer,
                       (size_t)length < sizeof buffer ? (size_t)length : sizeof buffer - 1);
}
