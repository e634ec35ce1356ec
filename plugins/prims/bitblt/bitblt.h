/* Copying rectangles of pixels between bitmaps.
 *
 * A bitmap is rows of 32-bit words; a word holds 32 / depth pixels, the first in its high bits, or
 * in its low bits where the depth is negative. All rules work on words of the destination: what
 * the source has there, pixel by pixel, is put together first.
 */
#ifndef OSVM_PRIMS_BITBLT_H
#define OSVM_PRIMS_BITBLT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t *bits;
    size_t words; /* of all rows */
    int64_t width, height;
    unsigned depth;     /* 1, 2, 4, 8, 16 or 32 */
    unsigned per_word;  /* pixels */
    int64_t pitch;      /* words of a row */
    bool high_first;
} Bitmap;

/* --- map.c ---------------------------------------------------------------------- */

enum { RED, GREEN, BLUE, ALPHA };

/* Makes a pixel of the destination of one of the source: components are shifted, and what that
 * gives is looked up. */
typedef struct {
    bool present; /* any of it; otherwise pixels stay what they are */
    bool shifts_components;
    int32_t shifts[4]; /* left, by component */
    uint32_t masks[4];
    uint32_t *table; /* NULL: nothing is looked up */
    uint32_t table_mask;
    unsigned table_bits; /* of a component in an index; 0: indices are pixels */
    bool table_read_only;
} ColorMap;

/* Lets components of pixels be made as wide as the destination, or the table, wants them. */
void map_convert_components(ColorMap *map, unsigned source_depth, unsigned target_depth);
/* True: shifts and masks leave a pixel as it is. */
bool map_is_identity(const int32_t shifts[4], const uint32_t masks[4]);
uint32_t map_pixel(const ColorMap *map, uint32_t pixel);
/* Components of `from` bits made ones of `to` bits; what is not black stays so. */
uint32_t map_components(uint32_t pixel, unsigned from, unsigned to);

/* --- merge.c -------------------------------------------------------------------- */

typedef struct Blt Blt;
typedef uint32_t MergeRule(Blt *blt, uint32_t source, uint32_t target);

enum { RULES = 45, RULE_STORE = 3, RULE_TALLY_OLD = 23, RULE_BLEND = 30, RULE_PAINT = 31,
       RULE_TALLY = 33, RULE_BLEND_SCALED = 34 };
/* By number; NULL: there is no such rule, or it is not done here. */
extern MergeRule *const merge_rules[RULES];

/* --- copy.c --------------------------------------------------------------------- */

struct Blt {
    Bitmap target, source;
    bool has_source, has_halftone, is_same; /* `is_same`: source and target are one form */
    const uint32_t *halftone;
    int64_t halftone_height;
    int64_t rule;
    int64_t x, y, width, height; /* in the target */
    int64_t source_x, source_y;
    int64_t clip_x, clip_y, clip_width, clip_height;
    ColorMap map;
    bool opaque_replaces; /* rule 34: opaque pixels replace, transparent ones change nothing */
    unsigned alpha; /* 0 to 255, of the rules that blend with a constant */
    uint32_t mask;  /* of the word in hand: the pixels that may change */
    uint64_t count; /* what rules add up that compare */
};

/* Leaves of the rectangle what is in clip, target and source. False: nothing is left. */
bool blt_clip(Blt *blt);
void blt_copy(Blt *blt);

#endif
