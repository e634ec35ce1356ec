/* Going over the words of the destination. */
#include "bitblt.h"

static void clip_axis(int64_t *start, int64_t *size, int64_t *source, int64_t clip_start,
                      int64_t clip_size)
{
    if (*start < clip_start) {
        *source += clip_start - *start;
        *size -= clip_start - *start;
        *start = clip_start;
    }
    if (*start + *size > clip_start + clip_size)
        *size = clip_start + clip_size - *start;
}

static void clip_to_source(int64_t *start, int64_t *size, int64_t *source, int64_t source_size)
{
    if (*source < 0) {
        *start -= *source;
        *size += *source;
        *source = 0;
    }
    if (*source + *size > source_size)
        *size = source_size - *source;
}

static void clip_clip(int64_t *start, int64_t *size, int64_t limit)
{
    if (*start < 0) {
        *size += *start;
        *start = 0;
    }
    if (*start + *size > limit)
        *size = limit - *start;
}

bool blt_clip(Blt *blt)
{
    clip_clip(&blt->clip_x, &blt->clip_width, blt->target.width);
    clip_clip(&blt->clip_y, &blt->clip_height, blt->target.height);
    clip_axis(&blt->x, &blt->width, &blt->source_x, blt->clip_x, blt->clip_width);
    clip_axis(&blt->y, &blt->height, &blt->source_y, blt->clip_y, blt->clip_height);
    if (blt->has_source) {
        clip_to_source(&blt->x, &blt->width, &blt->source_x, blt->source.width);
        clip_to_source(&blt->y, &blt->height, &blt->source_y, blt->source.height);
    }
    return blt->width > 0 && blt->height > 0;
}

/* --- Words of the source ----------------------------------------------------------- */

static uint32_t word_at(const Bitmap *bitmap, int64_t index)
{
    return index >= 0 && (uint64_t)index < bitmap->words ? bitmap->bits[index] : 0;
}

/* The pixels from x on, which may begin before the row: of the same depth, as many as fill a word. */
static uint32_t adjacent_pixels(const Bitmap *bitmap, int64_t x, int64_t y)
{
    int64_t bit = x * bitmap->depth;
    int64_t index = y * bitmap->pitch + (bit >> 5);
    unsigned over = (unsigned)(bit & 31);
    uint32_t first = word_at(bitmap, index);
    if (over == 0)
        return first;
    uint32_t second = word_at(bitmap, index + 1);
    return bitmap->high_first ? first << over | second >> (32 - over)
                              : first >> over | second << (32 - over);
}

static unsigned pixel_shift(const Bitmap *bitmap, int64_t x)
{
    unsigned bit = (unsigned)(x & (bitmap->per_word - 1)) * bitmap->depth;
    return bitmap->high_first ? 32 - bitmap->depth - bit : bit;
}

static uint32_t pixel_mask(unsigned depth)
{
    return UINT32_MAX >> (32 - depth);
}

static uint32_t pixel_at(const Bitmap *bitmap, int64_t x, int64_t y)
{
    int64_t index = y * bitmap->pitch + x / bitmap->per_word;
    return word_at(bitmap, index) >> pixel_shift(bitmap, x) & pixel_mask(bitmap->depth);
}

/* The word of the target that begins at pixel `x` there, made of pixels of the source. */
static uint32_t mapped_pixels(const Blt *blt, int64_t x, int64_t y)
{
    uint32_t result = 0, mask = pixel_mask(blt->target.depth);
    for (unsigned i = 0; i < blt->target.per_word; i++) {
        int64_t at = x + i - blt->x;
        if (at < 0 || at >= blt->width)
            continue;
        uint32_t pixel = pixel_at(&blt->source, blt->source_x + at, y);
        result |= (map_pixel(&blt->map, pixel) & mask) << pixel_shift(&blt->target, x + i);
    }
    return result;
}

static bool is_mapped(const Blt *blt)
{
    return blt->map.present || blt->source.depth != blt->target.depth ||
           blt->source.high_first != blt->target.high_first;
}

static uint32_t source_word(const Blt *blt, int64_t x, int64_t row, bool mapped)
{
    if (!blt->has_source)
        return UINT32_MAX;
    int64_t y = blt->source_y + row;
    return mapped ? mapped_pixels(blt, x, y)
                  : adjacent_pixels(&blt->source, blt->source_x + x - blt->x, y);
}

/* --- Words of the target ------------------------------------------------------------ */

/* The bits of those pixels of the word from `x` on that are in the rectangle. */
static uint32_t mask_of(const Blt *blt, int64_t x)
{
    int64_t first = blt->x > x ? blt->x - x : 0, per_word = blt->target.per_word;
    int64_t end = blt->x + blt->width - x < per_word ? blt->x + blt->width - x : per_word;
    unsigned before = (unsigned)first * blt->target.depth;
    unsigned behind = (unsigned)(per_word - end) * blt->target.depth;
    return blt->target.high_first ? UINT32_MAX >> before & UINT32_MAX << behind
                                  : UINT32_MAX << before & UINT32_MAX >> behind;
}

static void merge_word(Blt *blt, int64_t x, int64_t row, uint32_t halftone, bool mapped)
{
    uint32_t *word = &blt->target.bits[(blt->y + row) * blt->target.pitch + x / blt->target.per_word];
    uint32_t source = source_word(blt, x, row, mapped);
    blt->mask = mask_of(blt, x);
    uint32_t target = mapped ? *word & blt->mask : *word;
    uint32_t merged = merge_rules[blt->rule](blt, source & halftone, target);
    *word = (merged & blt->mask) | (*word & ~blt->mask);
}

/* The order is that in which no word of the source is overwritten before it is read. */
void blt_copy(Blt *blt)
{
    int64_t per_word = blt->target.per_word;
    int64_t first = blt->x / per_word, last = (blt->x + blt->width - 1) / per_word;
    bool mapped = blt->has_source && is_mapped(blt);
    bool overlaps = blt->has_source && blt->is_same;
    bool upwards = overlaps && blt->y > blt->source_y;
    bool leftwards = overlaps && blt->y == blt->source_y && blt->x > blt->source_x;
    for (int64_t i = 0; i < blt->height; i++) {
        int64_t row = upwards ? blt->height - 1 - i : i;
        uint32_t halftone = blt->has_halftone
                                ? blt->halftone[(blt->y + row) % blt->halftone_height]
                                : UINT32_MAX;
        for (int64_t j = first; j <= last; j++) {
            int64_t word = leftwards ? last - (j - first) : j;
            merge_word(blt, word * per_word, row, halftone, mapped);
        }
    }
}
