/* The rules by which a word of the source and one of the destination become the new word. */
#include "bitblt.h"

#define RULE(name) static uint32_t name(Blt *blt, uint32_t s, uint32_t d)

/* --- The sixteen functions of two bits -------------------------------------------- */

RULE(clear) { return 0; }
RULE(and) { return s & d; }
RULE(and_not) { return s & ~d; }
RULE(store) { return s; }
RULE(not_and) { return ~s & d; }
RULE(keep) { return d; }
RULE(differ) { return s ^ d; }
RULE(or) { return s | d; }
RULE(neither) { return ~s & ~d; }
RULE(same) { return ~s ^ d; }
RULE(invert) { return ~d; }
RULE(or_not) { return s | ~d; }
RULE(store_inverted) { return ~s; }
RULE(not_or) { return ~s | d; }
RULE(not_both) { return ~s | ~d; }

RULE(add) { return s + d; }
RULE(subtract) { return s - d; }

/* --- Part by part ----------------------------------------------------------------- */

typedef uint32_t Part(uint32_t s, uint32_t d, unsigned bits);

static uint32_t low_bits(unsigned bits)
{
    return bits == 32 ? UINT32_MAX : (1u << bits) - 1;
}

static uint32_t each_part(uint32_t s, uint32_t d, unsigned bits, unsigned count, Part *part)
{
    uint32_t mask = low_bits(bits), result = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i * bits;
        result |= (part(s >> at & mask, d >> at & mask, bits) & mask) << at;
    }
    return result;
}

static uint32_t each_pixel(const Blt *blt, uint32_t s, uint32_t d, Part *part)
{
    return each_part(s, d, blt->target.depth, blt->target.per_word, part);
}

/* Components of colours; pixels where they are indices. */
static uint32_t each_component(const Blt *blt, uint32_t s, uint32_t d, Part *part)
{
    if (blt->target.depth < 16)
        return each_pixel(blt, s, d, part);
    if (blt->target.depth == 32)
        return each_part(s, d, 8, 4, part);
    return each_part(s, d, 5, 3, part) | each_part(s >> 16, d >> 16, 5, 3, part) << 16;
}

static uint32_t part_add(uint32_t s, uint32_t d, unsigned bits)
{
    return s + d > low_bits(bits) ? low_bits(bits) : s + d;
}

static uint32_t part_difference(uint32_t s, uint32_t d, unsigned bits)
{
    return s < d ? d - s : s - d;
}

static uint32_t part_maximum(uint32_t s, uint32_t d, unsigned bits)
{
    return s < d ? d : s;
}

static uint32_t part_minimum(uint32_t s, uint32_t d, unsigned bits)
{
    return s < d ? s : d;
}

static uint32_t part_multiply(uint32_t s, uint32_t d, unsigned bits)
{
    return ((s + 1) * (d + 1) - 1) >> bits;
}

static uint32_t part_where_zero(uint32_t s, uint32_t d, unsigned bits)
{
    return s ? 0 : d;
}

static uint32_t part_where_different(uint32_t s, uint32_t d, unsigned bits)
{
    return s == d ? 0 : d;
}

RULE(rgb_add) { return each_component(blt, s, d, part_add); }
RULE(rgb_subtract) { return each_component(blt, s, d, part_difference); }
RULE(rgb_maximum) { return each_component(blt, s, d, part_maximum); }
RULE(rgb_minimum) { return each_component(blt, s, d, part_minimum); }
RULE(rgb_minimum_inverted) { return each_component(blt, ~s, d, part_minimum); }

/* In shallow bitmaps only the last four pixels of a word: the others become 0, as everywhere. */
RULE(rgb_multiply)
{
    if (blt->target.depth < 8)
        return each_part(s, d, blt->target.depth, 4, part_multiply);
    return each_component(blt, s, d, part_multiply);
}

RULE(pixel_paint) { return s ? s | each_pixel(blt, s, d, part_where_zero) : d; }
RULE(pixel_mask) { return each_pixel(blt, s, d, part_where_zero); }
RULE(pixel_clear) { return each_pixel(blt, s, d, part_where_different); }

/* The pixels of the destination in the opposite order. */
RULE(pixel_swap)
{
    uint32_t result = 0, mask = low_bits(blt->target.depth);
    for (unsigned at = 0; at < 32; at += blt->target.depth)
        result |= (d >> at & mask) << (32 - blt->target.depth - at);
    return result;
}

/* --- Opacity: the high byte of a pixel of 32 bits --------------------------------- */

static uint32_t opacity(uint32_t pixel)
{
    return pixel >> 24;
}

static uint32_t component(uint32_t pixel, unsigned i)
{
    return pixel >> 8 * i & 255;
}

/* `value` / 255, for what has been rounded already. */
static uint32_t by_255(uint32_t value)
{
    return (value + ((value - 1) >> 8)) >> 8;
}

/* Rounded up. */
static uint32_t blend_component(uint32_t s, uint32_t d, uint32_t alpha)
{
    return by_255(s * alpha + d * (255 - alpha) + 255);
}

static uint32_t blend_pixel(uint32_t s, uint32_t d, uint32_t alpha)
{
    uint32_t result = 0;
    for (unsigned i = 0; i < 4; i++)
        result |= blend_component(component(s, i), component(d, i), alpha) << 8 * i;
    return result;
}

RULE(alpha_blend)
{
    uint32_t alpha = opacity(s);
    return alpha == 0 ? d : alpha == 255 ? s : blend_pixel(s | 0xFF000000, d, alpha);
}

/* 15-bit pixels in the halves of a word; `paint`: those that are 0 are transparent. */
static uint32_t blend_16(const Blt *blt, uint32_t s, uint32_t d, bool paint)
{
    uint32_t result = d;
    for (unsigned half = 0; half < 32; half += 16) {
        uint32_t pixel = s >> half & 0xFFFF, blend = 0;
        if (!(blt->mask >> half & 0xFFFF) || (paint && pixel == 0))
            continue;
        for (unsigned at = half; at < half + 15; at += 5) {
            uint32_t sum = (s >> at & 31) * blt->alpha + (d >> at & 31) * (255 - blt->alpha);
            blend |= ((sum + 254) / 255 & 31) << at;
        }
        result = (result & ~(0xFFFFu << half)) | blend;
    }
    return result;
}

static uint32_t blend_constant(const Blt *blt, uint32_t s, uint32_t d, bool paint)
{
    if (blt->target.depth < 16 || (paint && s == 0))
        return d;
    return blt->target.depth == 16 ? blend_16(blt, s, d, paint) : blend_pixel(s, d, blt->alpha);
}

RULE(alpha_blend_constant) { return blend_constant(blt, s, d, false); }
RULE(alpha_paint_constant) { return blend_constant(blt, s, d, true); }

/* The source has been multiplied by its opacity. */
RULE(alpha_blend_scaled)
{
    uint32_t rest = 255 - opacity(s), result = 0;
    if (blt->opaque_replaces && (rest == 0 || rest == 255))
        return rest ? d : s;
    for (unsigned i = 0; i < 4; i++)
        result |= part_add(component(s, i), component(d, i) * rest >> 8, 8) << 8 * i;
    return result;
}

/* Neither has. */
RULE(alpha_blend_unscaled)
{
    uint32_t alpha = opacity(s);
    if (alpha == 0 || alpha == 255)
        return alpha ? s : d;
    uint32_t whole = by_255(255 * alpha + (255 - alpha) * opacity(d) + 128);
    uint32_t result = whole << 24;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t sum = component(s, i) * alpha + component(d, i) * (whole - alpha);
        result |= (sum + whole / 2) / whole << 8 * i;
    }
    return result;
}

/* The destination is multiplied by its opacity, or divided again. */
RULE(alpha_scale)
{
    uint32_t result = d & 0xFF000000;
    for (unsigned i = 0; i < 3; i++)
        result |= by_255(component(d, i) * opacity(d) + 128) << 8 * i;
    return result;
}

RULE(alpha_unscale)
{
    uint32_t alpha = opacity(d), result = d & 0xFF000000;
    if (alpha == 0)
        return 0;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t whole = (component(d, i) * 255 + (alpha + 1) / 2) / alpha;
        result |= part_minimum(whole, 255, 8) << 8 * i;
    }
    return result;
}

/* Pixels without opacity get that of the source, unless they are 0 altogether. */
RULE(fix_alpha)
{
    if (blt->target.depth != 32 || d == 0 || opacity(d) != 0)
        return d;
    return d | (s & 0xFF000000);
}

/* --- Comparing and counting: the destination stays -------------------------------- */

static uint32_t sum_of_parts(uint32_t value, unsigned bits)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < 3; i++)
        sum += value >> i * bits & low_bits(bits);
    return sum;
}

static uint32_t pixel_difference(const Blt *blt, uint32_t s, uint32_t d)
{
    if (blt->target.depth < 16)
        return s != d;
    unsigned bits = blt->target.depth == 16 ? 5 : 8;
    return sum_of_parts(each_part(s, d, bits, 3, part_difference), bits);
}

/* `mask`: of the pixels that are looked at. */
static uint32_t word_difference(const Blt *blt, uint32_t s, uint32_t d, uint32_t mask)
{
    uint32_t sum = 0, pixel = low_bits(blt->target.depth);
    for (unsigned at = 0; at < 32; at += blt->target.depth)
        if (mask >> at & pixel)
            sum += pixel_difference(blt, s >> at & pixel, d >> at & pixel);
    return sum;
}

RULE(rgb_difference)
{
    blt->count += word_difference(blt, s, d, blt->mask);
    return d;
}

RULE(rgb_difference_old)
{
    blt->count += word_difference(blt, s, d, UINT32_MAX);
    return d;
}

static void tally_word(Blt *blt, uint32_t d, uint32_t mask)
{
    uint32_t pixel = low_bits(blt->target.depth);
    if (!blt->map.table)
        return;
    for (unsigned at = 0; at < 32; at += blt->target.depth) {
        uint32_t index = d >> at & pixel;
        if (!(mask >> at & pixel))
            continue;
        if (blt->target.depth >= 16)
            index = map_components(index, blt->target.depth == 16 ? 5 : 8, blt->map.table_bits);
        blt->map.table[index & blt->map.table_mask]++;
    }
}

RULE(tally)
{
    tally_word(blt, d, blt->mask);
    return d;
}

RULE(tally_old)
{
    tally_word(blt, d, UINT32_MAX);
    return d;
}

MergeRule *const merge_rules[RULES] = {
    clear, and, and_not, store, not_and, keep, differ, or, neither, same, invert, or_not,
    store_inverted, not_or, not_both, keep,
    [18] = add, subtract, rgb_add, rgb_subtract, rgb_difference_old, tally_old, alpha_blend,
    pixel_paint, pixel_mask, rgb_maximum, rgb_minimum, rgb_minimum_inverted, alpha_blend_constant,
    alpha_paint_constant, rgb_difference, tally, alpha_blend_scaled, alpha_blend_scaled,
    alpha_blend_scaled, rgb_multiply, pixel_swap, pixel_clear, fix_alpha,
    [42] = alpha_scale, alpha_unscale, alpha_blend_unscaled,
};
