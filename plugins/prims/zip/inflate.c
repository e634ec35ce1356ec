/* Reading codes through tables of tables. The first entry of a table says in its high byte how many
 * bits the first lookup takes; an entry is a value, or, with bits in its high byte, the 1-based
 * start of a further table and how many bits that takes. A value has the number of extra bits in its
 * high half (plus one for lengths) and a base in its low half. */
#include "deflate.h"

enum { MOST_BITS = 16 };

/* False: the source ends before. */
static bool next_bits(Inflater *inflater, unsigned count, uint32_t *bits)
{
    while (inflater->bit_count < count) {
        if (inflater->next >= inflater->source_size)
            return false;
        inflater->bits |= (uint64_t)inflater->source[inflater->next++] << inflater->bit_count;
        inflater->bit_count += 8;
    }
    *bits = (uint32_t)(inflater->bits & ((UINT64_C(1) << count) - 1));
    inflater->bits >>= count;
    inflater->bit_count -= count;
    return true;
}

static bool next_value(Inflater *inflater, DecodeTable table, uint32_t *value)
{
    uint32_t bits, start = 2;
    unsigned needed = table.count ? table.entries[0] >> 24 : MOST_BITS + 1;
    for (unsigned level = 0; level <= MOST_BITS; level++) {
        if (needed > MOST_BITS || !next_bits(inflater, needed, &bits))
            return false;
        uint64_t index = (uint64_t)start + bits - 1;
        if (index >= table.count)
            return false;
        *value = table.entries[index];
        if (!(*value & 0x3F000000))
            return true;
        start = *value & 0xFFFF;
        needed = *value >> 24;
    }
    return false; /* tables that lead to each other */
}

static bool add_extra_bits(Inflater *inflater, unsigned count, uint32_t *value)
{
    uint32_t extra;
    if (count > MOST_BITS || !next_bits(inflater, count, &extra))
        return false;
    *value = (*value & 0xFFFF) + extra;
    return true;
}

/* The distance of a match whose length code was `length`; both are made numbers. */
static bool next_match(Inflater *inflater, DecodeTable distances, uint32_t *length,
                       uint32_t *distance)
{
    unsigned length_bits = (*length >> 16) - 1;
    return *length >> 16 && add_extra_bits(inflater, length_bits, length) &&
           next_value(inflater, distances, distance) &&
           add_extra_bits(inflater, *distance >> 16, distance);
}

static void copy_match(Inflater *inflater, uint32_t length, uint32_t distance)
{
    uint8_t *to = inflater->text + inflater->end;
    for (uint32_t i = 0; i < length; i++) /* byte by byte: they may overlap */
        to[i] = to[(int64_t)i - distance];
    inflater->end += length;
}

/* One byte or match, or the end of the block; false: the bits are no such thing. What finds no room is
 * left for the next time. */
static bool inflate_next(Inflater *inflater, DecodeTable literals, DecodeTable distances, bool *is_full)
{
    uint32_t value, distance;
    if (!next_value(inflater, literals, &value))
        return false;
    if (value < END_OF_BLOCK) {
        inflater->text[inflater->end++] = (uint8_t)value;
        return true;
    }
    inflater->block_ended = value == END_OF_BLOCK;
    if (inflater->block_ended)
        return true;
    if (!next_match(inflater, distances, &value, &distance))
        return false;
    *is_full = inflater->end + value >= inflater->size;
    if (!*is_full && distance > inflater->end)
        return false;
    if (!*is_full)
        copy_match(inflater, value, distance);
    return true;
}

/* Bits that make no sense end the work before them; it fails when they are the first. */
bool inflate_block(Inflater *inflater, DecodeTable literals, DecodeTable distances)
{
    bool is_full = false, has_begun = false;
    while (!inflater->block_ended && inflater->end < inflater->size &&
           inflater->next <= inflater->limit) {
        Inflater before = *inflater;
        bool is_sound = inflate_next(inflater, literals, distances, &is_full);
        if (is_full || !is_sound) {
            *inflater = before;
            return is_full || has_begun;
        }
        has_begun = true;
    }
    return true;
}
