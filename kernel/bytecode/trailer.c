#include "trailer.h"

#include <string.h>

enum { KIND_NONE = 0, KIND_SOURCE_STRING = 5, KIND_SOURCE_ZIP = 7, KIND_VARIABLE_POINTER = 8 };
enum { KIND_POINTER = 63, POINTER_BYTES = 4, MOST_LENGTH_BYTES = 4 };

const uint8_t *trailer_of_source(Arena *arena, const char *source, size_t *count)
{
    static const uint8_t none[] = {KIND_NONE << 2};
    size_t length = source ? strlen(source) : 0, length_bytes = 1;
    *count = sizeof none;
    if (!length || length > UINT32_MAX)
        return none;
    while (length >> (8 * length_bytes))
        length_bytes++;
    *count = length + length_bytes + 1;
    uint8_t *trailer = arena_alloc(arena, *count);
    memcpy(trailer, source, length);
    for (size_t i = 0; i < length_bytes; i++)
        trailer[length + i] = (uint8_t)(length >> (8 * i));
    trailer[*count - 1] = (uint8_t)(KIND_SOURCE_STRING << 2 | (length_bytes - 1));
    return trailer;
}

/* The length of the data, which end before the length bytes; false: there is not as much. */
static bool read_length(const uint8_t *bytes, size_t count, size_t *length)
{
    size_t length_bytes = (bytes[count - 1] & 3u) + 1;
    *length = 0;
    if (count < length_bytes + 1)
        return false;
    for (size_t i = 0; i < length_bytes; i++)
        *length = *length << 8 | bytes[count - 2 - i];
    return *length <= count - 1 - length_bytes;
}

const char *trailer_source(const uint8_t *bytes, size_t count, size_t *length)
{
    if (!count || bytes[count - 1] >> 2 != KIND_SOURCE_STRING ||
        !read_length(bytes, count, length) || !*length)
        return NULL;
    size_t length_bytes = (bytes[count - 1] & 3u) + 1;
    return (const char *)bytes + count - 1 - length_bytes - *length;
}

/* A pointer of seven bits a byte: all but the first have the upper bit set. */
static size_t variable_pointer_length(const uint8_t *bytes, size_t count)
{
    size_t length = 1;
    while (length < count && bytes[count - 1 - length] & 0x80)
        length++;
    return length < count ? length + 1 : 0;
}

size_t trailer_length(const uint8_t *bytes, size_t count)
{
    size_t length;
    unsigned kind = count ? bytes[count - 1] >> 2 : KIND_NONE;
    if (!count)
        return 0;
    if (kind == KIND_NONE || kind == KIND_SOURCE_STRING - 1)
        return 1;
    if (kind == KIND_POINTER)
        return count >= POINTER_BYTES ? POINTER_BYTES : 0;
    if (kind == KIND_VARIABLE_POINTER)
        return variable_pointer_length(bytes, count);
    if (kind > KIND_SOURCE_ZIP || !read_length(bytes, count, &length))
        return 0;
    return length + (bytes[count - 1] & 3u) + 2;
}
