/* Images of the other byte order.
 *
 * Headers and references are words. What bits objects hold is turned element by
 * element, so that an array of 16-bit elements means the same here as there. A
 * Float is two 32-bit elements whose order a flag of the image tells.
 */
#include "kernel/vm/image/image.h"

void image_swap_words(Word start, unsigned bytes, uint64_t count)
{
    uint8_t *at = word_pointer(start);
    for (; count; count--, at += bytes) {
        uint64_t eight;
        uint32_t four;
        uint16_t two;
        switch (bytes) {
        case 8: memcpy(&eight, at, 8); eight = __builtin_bswap64(eight); memcpy(at, &eight,
                                                                                8); break;
        case 4: memcpy(&four, at, 4); four = __builtin_bswap32(four); memcpy(at, &four, 4); break;
        case 2: memcpy(&two, at, 2); two = __builtin_bswap16(two); memcpy(at, &two, 2); break;
        default: return;
        }
    }
}

static unsigned element_bytes(unsigned format)
{
    if (format >= FORMAT_BYTES)
        return 1;
    if (format >= FORMAT_SHORTS)
        return 2;
    if (format >= FORMAT_WORDS32)
        return 4;
    return format == FORMAT_WORDS64 ? 8 : WORD_BYTES;
}

bool image_swap_body(Oop object)
{
    if (object_class_index(object) <= CLASS_LAST_PUN) { /* the VM's own: addresses and counts */
        image_swap_words(object + HEADER_BYTES, WORD_BYTES, object_slot_count(object));
        return true;
    }
    return image_swap_elements(object);
}

bool image_swap_elements(Oop object)
{
    Word body = (Word)(object + HEADER_BYTES), slots = object_slot_count(object);
    unsigned format = object_format(object), size = element_bytes(format);
    if (!format_is_code(format)) {
        image_swap_words(body, size, ((uint64_t)slots << WORD_SHIFT) / size);
        return true;
    }
    if (slots == 0)
        return false;
    image_swap_words(body, WORD_BYTES, 1);
    Word literals = method_header_literals(small_integer_value(object_slot(object, 0)));
    if (literals >= slots)
        return false;
    image_swap_words(body + WORD_BYTES, WORD_BYTES, literals);
    return true;
}

void image_swap_float(Oop object)
{
    uint32_t *halves = word_pointer((Word)(object + HEADER_BYTES));
    uint32_t first = halves[0];
    halves[0] = halves[1];
    halves[1] = first;
}
