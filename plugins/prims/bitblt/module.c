/* The module BitBltPlugin: rectangles of pixels are copied between forms in memory.
 *
 * Not here: rule 41 (text with sub-pixels), rule 34 from 32 bits to fewer, surfaces (bits that are
 * a SmallInteger), warping, and loops that images have in Smalltalk too (lines, strings). They
 * fail, and the image's own code runs. */
#include "osvm/prims.h"

#include "bitblt.h"

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

enum { FORM_BITS, FORM_WIDTH, FORM_HEIGHT, FORM_DEPTH, FORM_FIELDS };
enum {
    DEST_FORM, SOURCE_FORM, HALFTONE_FORM, COMBINATION_RULE, DEST_X, DEST_Y, WIDTH, HEIGHT,
    SOURCE_X, SOURCE_Y, CLIP_X, CLIP_Y, CLIP_WIDTH, CLIP_HEIGHT, COLOR_MAP, BITBLT_FIELDS
};
enum { SIZE_MAX_PIXELS = 1 << 28 };

/* --- Fields ------------------------------------------------------------------------- */

static bool integer_at(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue object, size_t index,
                       int64_t *out)
{
    return osvm_small_integer(vm, call, vm->slot(call, object, index), out);
}

/* A SmallInteger, or a Float, which is truncated; both within 32 bits. */
static bool number_of(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue value, int64_t *out)
{
    double real;
    if (vm->real(call, value, &real)) {
        if (!(real >= INT32_MIN && real <= INT32_MAX))
            return false;
        *out = (int64_t)real;
        return true;
    }
    return osvm_small_integer(vm, call, value, out) &&
           *out >= INT32_MIN && *out <= INT32_MAX;
}

static bool number_at(const OsvmPrimApi *vm, OsvmCall *call, size_t index, int64_t if_nil,
                      int64_t *out)
{
    OsvmValue value = vm->slot(call, vm->arg(call, OSVM_RECEIVER), index);
    *out = if_nil;
    return vm->kind(call, value) == OSVM_NIL || number_of(vm, call, value, out);
}

static bool words_of(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue value, OsvmElements *words)
{
    return vm->elements(call, value, words) && words->element_size == 4;
}

/* --- Forms -------------------------------------------------------------------------- */

static bool is_depth(int64_t depth)
{
    return depth > 0 && depth <= 32 && (depth & (depth - 1)) == 0;
}

/* Sizes are integers; those of a form that is only read from are numbers. */
static bool load_sizes(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue form, bool integers, Bitmap *bitmap)
{
    if (integers)
        return integer_at(vm, call, form, FORM_WIDTH, &bitmap->width) &&
               integer_at(vm, call, form, FORM_HEIGHT, &bitmap->height);
    return number_of(vm, call, vm->slot(call, form, FORM_WIDTH), &bitmap->width) &&
           number_of(vm, call, vm->slot(call, form, FORM_HEIGHT), &bitmap->height);
}

static bool load_form(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue form, bool integers, Bitmap *bitmap,
                      bool *read_only)
{
    OsvmElements bits;
    int64_t depth;
    if (vm->slot_count(call, form) < FORM_FIELDS ||
        !vm->elements(call, vm->slot(call, form, FORM_BITS), &bits) ||
        !load_sizes(vm, call, form, integers, bitmap) || !integer_at(vm, call, form, FORM_DEPTH, &depth))
        return false;
    bitmap->high_first = depth > 0;
    depth = depth < 0 ? -depth : depth;
    if (!is_depth(depth) || bitmap->width < 0 || bitmap->height < 0 ||
        bitmap->width > SIZE_MAX_PIXELS || bitmap->height > SIZE_MAX_PIXELS)
        return false;
    bitmap->depth = (unsigned)depth;
    bitmap->per_word = 32 / bitmap->depth;
    bitmap->pitch = (bitmap->width + bitmap->per_word - 1) / bitmap->per_word;
    bitmap->bits = bits.data;
    bitmap->words = bits.count * bits.element_size / 4;
    *read_only = bits.read_only;
    return (uint64_t)(bitmap->pitch * bitmap->height) <= bitmap->words;
}

/* nil, a form of one bit a pixel and 32 a row, or its words alone. */
static bool load_halftone(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue halftone, Blt *blt)
{
    OsvmElements words;
    blt->has_halftone = vm->kind(call, halftone) != OSVM_NIL;
    if (!blt->has_halftone)
        return true;
    if (vm->slot_count(call, halftone) >= FORM_FIELDS) {
        if (!integer_at(vm, call, halftone, FORM_HEIGHT, &blt->halftone_height))
            return false;
        if (!words_of(vm, call, vm->slot(call, halftone, FORM_BITS), &words)) {
            blt->has_halftone = false;
            return true;
        }
    } else {
        if (!words_of(vm, call, halftone, &words))
            return false;
        blt->halftone_height = (int64_t)words.count;
    }
    blt->halftone = words.data;
    return blt->halftone_height > 0 && (uint64_t)blt->halftone_height <= words.count;
}

/* --- Colour maps --------------------------------------------------------------------- */

static bool load_table(const OsvmElements *words, ColorMap *map)
{
    if (words->count & (words->count - 1))
        return false;
    if (words->count == 0)
        return true;
    map->table = words->data;
    map->table_mask = (uint32_t)(words->count - 1);
    map->table_bits = words->count == 512 ? 3 : words->count == 4096 ? 4 : words->count == 32768 ? 5 : 0;
    map->table_read_only = words->read_only;
    return true;
}

/* Four words, or nil. */
static bool load_four(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue value, void *four, bool *present)
{
    OsvmElements words;
    *present = vm->kind(call, value) != OSVM_NIL;
    if (!*present)
        return true;
    if (!words_of(vm, call, value, &words) || words.count != 4)
        return false;
    for (int i = 0; i < 4; i++)
        ((uint32_t *)four)[i] = ((const uint32_t *)words.data)[i];
    return true;
}

/* An object of shifts, masks and table. */
static bool load_full_map(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue value, ColorMap *map)
{
    OsvmElements words;
    bool has_shifts, has_masks;
    if (vm->slot_count(call, value) < 3 ||
        !load_four(vm, call, vm->slot(call, value, 0), map->shifts, &has_shifts) ||
        !load_four(vm, call, vm->slot(call, value, 1), map->masks, &has_masks))
        return false;
    map->shifts_components = has_shifts && has_masks && !map_is_identity(map->shifts, map->masks);
    OsvmValue table = vm->slot(call, value, 2);
    if (vm->kind(call, table) == OSVM_NIL)
        return true;
    return words_of(vm, call, table, &words) && load_table(&words, map);
}

static bool load_map(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue value, Blt *blt)
{
    OsvmElements words;
    ColorMap *map = &blt->map;
    map->present = vm->kind(call, value) != OSVM_NIL;
    if (map->present && !words_of(vm, call, value, &words))
        return load_full_map(vm, call, value, map);
    if (map->present && !load_table(&words, map))
        return false;
    map_convert_components(map, blt->source.depth, blt->target.depth);
    return true;
}

/* --- Copying -------------------------------------------------------------------------- */

static bool ignores_source(int64_t rule)
{
    return rule == 0 || rule == 5 || rule == 10 || rule == 15;
}

static bool load_source(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue source, Blt *blt)
{
    bool read_only;
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    return load_form(vm, call, source, false, &blt->source, &read_only) &&
           load_map(vm, call, vm->slot(call, receiver, COLOR_MAP), blt) &&
           number_at(vm, call, SOURCE_X, 0, &blt->source_x) &&
           number_at(vm, call, SOURCE_Y, 0, &blt->source_y);
}

static bool load_rectangles(const OsvmPrimApi *vm, OsvmCall *call, Blt *blt)
{
    int64_t width = blt->target.width, height = blt->target.height;
    return number_at(vm, call, DEST_X, 0, &blt->x) && number_at(vm, call, DEST_Y, 0, &blt->y) &&
           number_at(vm, call, WIDTH, width, &blt->width) &&
           number_at(vm, call, HEIGHT, height, &blt->height) &&
           number_at(vm, call, CLIP_X, 0, &blt->clip_x) &&
           number_at(vm, call, CLIP_Y, 0, &blt->clip_y) &&
           number_at(vm, call, CLIP_WIDTH, width, &blt->clip_width) &&
           number_at(vm, call, CLIP_HEIGHT, height, &blt->clip_height);
}

static int load(const OsvmPrimApi *vm, OsvmCall *call, Blt *blt)
{
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    bool read_only;
    if (vm->slot_count(call, receiver) < BITBLT_FIELDS ||
        !integer_at(vm, call, receiver, COMBINATION_RULE, &blt->rule) || blt->rule < 0 ||
        blt->rule >= RULES)
        return OSVM_FAILED;
    if (!merge_rules[blt->rule])
        return blt->rule < 18 ? OSVM_FAILED : OSVM_UNSUPPORTED;
    OsvmValue target = vm->slot(call, receiver, DEST_FORM), source = vm->slot(call, receiver, SOURCE_FORM);
    blt->has_source = !ignores_source(blt->rule) && vm->kind(call, source) != OSVM_NIL;
    blt->is_same = vm->same(call, source, target);
    if (!load_form(vm, call, target, true, &blt->target, &read_only) ||
        (blt->has_source && !load_source(vm, call, source, blt)) ||
        (!ignores_source(blt->rule) &&
         !load_halftone(vm, call, vm->slot(call, receiver, HALFTONE_FORM), blt)) ||
        !load_rectangles(vm, call, blt))
        return OSVM_FAILED;
    bool tallies = blt->rule == RULE_TALLY || blt->rule == RULE_TALLY_OLD;
    return read_only || (tallies && blt->map.table_read_only) ? OSVM_NO_MODIFICATION : OSVM_SUCCESS;
}

static bool load_alpha(const OsvmPrimApi *vm, OsvmCall *call, Blt *blt)
{
    int64_t alpha;
    if (blt->rule != RULE_BLEND && blt->rule != RULE_PAINT)
        return true;
    if (vm->arg_count(call) != 1 || !vm->int64(call, vm->arg(call, 0), &alpha) || alpha < 0 ||
        alpha > 255)
        return false;
    blt->alpha = (unsigned)alpha;
    return true;
}

/* 32 bits are blended with fewer by dithering, or through the map's own inverse. */
static bool is_blended_down(const Blt *blt)
{
    return blt->rule == RULE_BLEND_SCALED && blt->has_source && blt->source.depth == 32 &&
           !blt->is_same && (blt->target.depth == 16 || (blt->target.depth == 8 && blt->map.present));
}

/* From 32 to 32 bits that rule goes by pixels alone: there is neither map nor halftone. */
static void blend_plainly(Blt *blt)
{
    bool blends = blt->rule == RULE_BLEND_SCALED && blt->has_source && !blt->is_same;
    if (!blends || blt->source.depth != 32 || blt->target.depth != 32)
        return;
    blt->map = (ColorMap){0};
    blt->has_halftone = false;
    blt->opaque_replaces = true;
}

FUNCTION(copy_bits)
{
    Blt blt = {0};
    int failure = load(vm, call, &blt);
    if (failure)
        return failure;
    if (is_blended_down(&blt))
        return OSVM_UNSUPPORTED;
    blend_plainly(&blt);
    if (blt_clip(&blt)) {
        if (!load_alpha(vm, call, &blt))
            return OSVM_FAILED;
        blt_copy(&blt);
    }
    return blt.rule == 22 || blt.rule == 32 ? vm->result(call, vm->from_uint64(call, blt.count))
                                            : vm->result_receiver(call);
}

/* --- Single pixels ---------------------------------------------------------------------- */

/* The word and the place in it; false: there is no such pixel. */
static bool find_pixel(const Bitmap *form, int64_t x, int64_t y, uint32_t **word, unsigned *shift)
{
    if (x < 0 || y < 0 || x >= form->width || y >= form->height)
        return false;
    *word = &form->bits[y * form->pitch + x / form->per_word];
    *shift = 32 - ((unsigned)(x & (form->per_word - 1)) + 1) * form->depth;
    return true;
}

static bool point_arguments(const OsvmPrimApi *vm, OsvmCall *call, int64_t *x, int64_t *y)
{
    return osvm_small_argument(vm, call, 0, x) && osvm_small_argument(vm, call, 1, y);
}

/* Whatever else is wrong with the form. */
static bool is_outside(const OsvmPrimApi *vm, OsvmCall *call, int64_t x, int64_t y)
{
    int64_t width, height;
    OsvmValue form = vm->arg(call, OSVM_RECEIVER);
    return integer_at(vm, call, form, FORM_WIDTH, &width) && integer_at(vm, call, form, FORM_HEIGHT, &height) &&
           (x >= width || y >= height);
}

FUNCTION(pixel_value_at)
{
    Bitmap form;
    int64_t x, y;
    uint32_t *word;
    unsigned shift;
    bool read_only;
    if (vm->arg_count(call) != 2 || !point_arguments(vm, call, &x, &y))
        return OSVM_BAD_ARGUMENT;
    if (x < 0 || y < 0 || is_outside(vm, call, x, y))
        return vm->result(call, vm->from_int64(call, 0));
    if (!load_form(vm, call, vm->arg(call, OSVM_RECEIVER), true, &form, &read_only))
        return OSVM_FAILED;
    if (!find_pixel(&form, x, y, &word, &shift))
        return vm->result(call, vm->from_int64(call, 0));
    if (!form.high_first)
        return OSVM_FAILED;
    return vm->result(call, vm->from_uint64(call, *word >> shift & UINT32_MAX >> (32 - form.depth)));
}

FUNCTION(pixel_value_at_put)
{
    Bitmap form;
    int64_t x, y, pixel;
    uint32_t *word;
    unsigned shift;
    bool read_only;
    if (vm->arg_count(call) != 3 || !point_arguments(vm, call, &x, &y) ||
        !osvm_small_argument(vm, call, 2, &pixel) || is_outside(vm, call, x, y))
        return OSVM_BAD_ARGUMENT;
    if (!load_form(vm, call, vm->arg(call, OSVM_RECEIVER), true, &form, &read_only) || !form.high_first)
        return OSVM_BAD_RECEIVER;
    uint32_t mask = UINT32_MAX >> (32 - form.depth);
    if (pixel < 0 || pixel > mask || !find_pixel(&form, x, y, &word, &shift))
        return OSVM_BAD_ARGUMENT;
    if (read_only)
        return OSVM_NO_MODIFICATION;
    uint32_t old = *word >> shift & mask;
    *word = (*word & ~(mask << shift)) | (uint32_t)pixel << shift;
    return vm->result(call, vm->from_uint64(call, old));
}

static const OsvmPrim functions[] = {
    {"primitiveCopyBits", copy_bits, 3, OSVM_MAY_ALLOCATE},
    {"primitivePixelValueAt", pixel_value_at, 1, OSVM_MAY_ALLOCATE},
    {"primitivePixelValueAtPut", pixel_value_at_put, 1, OSVM_MAY_ALLOCATE},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "BitBltPlugin",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "bitblt",
    .version = OSVM_VERSION,
    .summary = "rectangles of pixels",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
