#include "t/support/prims_operands.h"

#include <math.h>
#include <string.h>

/* ---- Shapes ---- */

static OsvmValue bytes_of(MockVm *vm, size_t count)
{
    uint8_t bytes[5000];
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    return mock_bits(vm, OSVM_BYTES, 1, bytes, count);
}

static OsvmValue text_of(MockVm *vm, const char *text)
{
    return mock_bits(vm, OSVM_BYTES, 1, text, strlen(text));
}

static OsvmValue words_of(MockVm *vm, size_t count)
{
    uint32_t words[256];
    for (size_t i = 0; i < count; i++)
        words[i] = (uint32_t)i * 3 + 1;
    return mock_bits(vm, OSVM_WORDS, 4, words, count);
}

static OsvmValue small_limit(MockVm *vm, bool most)
{
    __int128 limit = (__int128)1 << (vm->width == 32 ? 30 : 60);
    return mock_integer(vm, most ? limit - 1 : -limit);
}

static OsvmValue long_text(MockVm *vm)
{
    char text[4999];
    memset(text, 'x', sizeof text);
    return mock_bits(vm, OSVM_BYTES, 1, text, sizeof text);
}

static OsvmValue large(MockVm *vm, bool negative)
{
    uint8_t bytes[40];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(255 - i);
    return mock_large(vm, bytes, sizeof bytes, negative);
}

static OsvmValue cycle(MockVm *vm)
{
    OsvmValue array = mock_pointers(vm, 3, true);
    for (size_t i = 0; i < 3; i++)
        mock_put(array, i, array);
    return array;
}

static OsvmValue make_number(MockVm *vm, Shape shape)
{
    static const uint8_t zeros[12];
    switch (shape) {
    case SHAPE_ZERO: return mock_integer(vm, 0);
    case SHAPE_ONE: return mock_integer(vm, 1);
    case SHAPE_TWO: return mock_integer(vm, 2);
    case SHAPE_EIGHT: return mock_integer(vm, 8);
    case SHAPE_32: return mock_integer(vm, 32);
    case SHAPE_MINUS_ONE: return mock_integer(vm, -1);
    case SHAPE_SMALL_MOST: return small_limit(vm, true);
    case SHAPE_SMALL_LEAST: return small_limit(vm, false);
    case SHAPE_2_TO_32: return mock_integer(vm, (__int128)1 << 32);
    case SHAPE_MINUS_2_TO_31: return mock_integer(vm, -((__int128)1 << 31));
    case SHAPE_2_TO_63: return mock_integer(vm, (__int128)1 << 63);
    case SHAPE_2_TO_64: return mock_integer(vm, (__int128)1 << 64);
    case SHAPE_INT64_LEAST: return mock_integer(vm, INT64_MIN);
    case SHAPE_LARGE: return large(vm, false);
    case SHAPE_LARGE_NEGATIVE: return large(vm, true);
    case SHAPE_LARGE_EMPTY: return mock_large(vm, NULL, 0, false);
    case SHAPE_LARGE_ZEROS: return mock_large(vm, zeros, sizeof zeros, true);
    case SHAPE_LETTER: return mock_character('a');
    case SHAPE_LAST_CHARACTER: return mock_character((1u << 30) - 1);
    case SHAPE_FLOAT: return mock_float(vm, 1.5);
    case SHAPE_NAN: return mock_float(vm, NAN);
    case SHAPE_INFINITY: return mock_float(vm, -INFINITY);
    default: return mock_float(vm, 1e300);
    }
}

static OsvmValue make_bits(MockVm *vm, Shape shape)
{
    static const double doubles[] = {1.5, -2.25, 1e10, 0};
    switch (shape) {
    case SHAPE_NO_BYTES: return bytes_of(vm, 0);
    case SHAPE_TEXT: return text_of(vm, "osvm");
    case SHAPE_PATH: return text_of(vm, "/dev/null");
    case SHAPE_FOLDER: return text_of(vm, "/");
    case SHAPE_4_BYTES: return bytes_of(vm, 4);
    case SHAPE_16_BYTES: return bytes_of(vm, 16);
    case SHAPE_20_BYTES: return bytes_of(vm, 20);
    case SHAPE_24_BYTES: return bytes_of(vm, 24);
    case SHAPE_64_BYTES: return bytes_of(vm, 64);
    case SHAPE_256_BYTES: return bytes_of(vm, 256);
    case SHAPE_HOLED_TEXT: return mock_bits(vm, OSVM_BYTES, 1, "a\0b", 3);
    case SHAPE_LONG_TEXT: return long_text(vm);
    case SHAPE_SHORTS: return mock_bits(vm, OSVM_SHORTS, 2, "12345678", 4);
    case SHAPE_5_WORDS: return words_of(vm, 5);
    case SHAPE_8_WORDS: return words_of(vm, 8);
    case SHAPE_80_WORDS: return words_of(vm, 80);
    case SHAPE_NO_WORDS: return words_of(vm, 0);
    case SHAPE_256_WORDS: return words_of(vm, 256);
    default: return mock_bits(vm, OSVM_DOUBLES, 8, doubles, 4);
    }
}

/* Slots are still to be filled. */
static OsvmValue make(MockVm *vm, Shape shape, const OsvmValue *results)
{
    if (shape >= SHAPE_RESULT)
        return osvm_is_none(results[shape - SHAPE_RESULT]) ? mock_special(vm, OSVM_NIL)
                                                           : results[shape - SHAPE_RESULT];
    if (shape >= SHAPE_ZERO && shape <= SHAPE_HUGE_FLOAT)
        return make_number(vm, shape);
    if (shape >= SHAPE_NO_BYTES && shape <= SHAPE_DOUBLES)
        return make_bits(vm, shape);
    switch (shape) {
    case SHAPE_NIL: return mock_special(vm, OSVM_NIL);
    case SHAPE_TRUE: return mock_special(vm, OSVM_TRUE);
    case SHAPE_FALSE: return mock_special(vm, OSVM_FALSE);
    case SHAPE_NO_SLOTS: return mock_pointers(vm, 0, true);
    case SHAPE_2_SLOTS: return mock_pointers(vm, 2, false);
    case SHAPE_6_SLOTS: return mock_pointers(vm, 6, false);
    case SHAPE_20_SLOTS: return mock_pointers(vm, 20, false);
    case SHAPE_ARRAY: return mock_pointers(vm, 4, true);
    case SHAPE_CYCLE: return cycle(vm);
    case SHAPE_CODE: return mock_code(vm, 5);
    case SHAPE_CLASS_OF_BYTES: return mock_class(vm, OSVM_BYTES);
    case SHAPE_CLASS_OF_WORDS: return mock_class(vm, OSVM_WORDS);
    case SHAPE_CLASS_OF_POINTERS: return mock_class(vm, OSVM_POINTERS);
    default: return mock_pointers(vm, 0, false);
    }
}

/* ---- Recipes ---- */

static bool same_place(const Place *a, const Place *b)
{
    return a->depth == b->depth && memcmp(a->at, b->at, a->depth) == 0;
}

Shape recipe_get(const Recipe *recipe, const Place *place)
{
    for (unsigned i = 0; i < recipe->entry_count; i++)
        if (same_place(&recipe->entries[i].place, place))
            return (Shape)recipe->entries[i].shape;
    return SHAPE_BLANK;
}

bool recipe_put(Recipe *recipe, const Place *place, Shape shape)
{
    unsigned i = 0;
    while (i < recipe->entry_count && !same_place(&recipe->entries[i].place, place))
        i++;
    if (i == RECIPE_ENTRIES)
        return false;
    recipe->entries[i].place = *place;
    recipe->entries[i].shape = (uint8_t)shape;
    if (i == recipe->entry_count)
        recipe->entry_count++;
    return true;
}

static bool has_own_slots(Shape shape)
{
    return shape == SHAPE_2_SLOTS || shape == SHAPE_6_SLOTS || shape == SHAPE_20_SLOTS || shape == SHAPE_ARRAY;
}

static OsvmValue make_at(MockVm *vm, const Recipe *recipe, const Place *place, const OsvmValue *results)
{
    Shape shape = recipe_get(recipe, place);
    OsvmValue value = make(vm, shape, results);
    Place inner = *place;
    if (!has_own_slots(shape) || inner.depth == PLACE_DEPTH)
        return value;
    inner.depth++;
    for (size_t i = 0; i < mock_slot_count(value); i++) {
        inner.at[place->depth] = (uint8_t)i;
        mock_put(value, i, make_at(vm, recipe, &inner, results));
    }
    return value;
}

void operands_make(MockVm *vm, const Recipe *recipe, const OsvmValue *results, OsvmValue *operands)
{
    for (unsigned i = 0; i <= recipe->arg_count; i++) {
        Place place = {1, {(uint8_t)i}};
        operands[i] = make_at(vm, recipe, &place, results);
    }
}

static bool find_below(OsvmValue container, OsvmValue value, Place *place)
{
    unsigned depth = place->depth;
    if (depth == PLACE_DEPTH)
        return false;
    place->depth++;
    for (size_t i = 0; i < mock_slot_count(container); i++) {
        place->at[depth] = (uint8_t)i;
        if (mock_slot(container, i).bits == value.bits || find_below(mock_slot(container, i), value, place))
            return true;
    }
    place->depth--;
    return false;
}

bool operands_find(const OsvmValue *operands, unsigned count, OsvmValue value, Place *place)
{
    for (unsigned i = 0; i < count; i++) {
        *place = (Place){1, {(uint8_t)i}};
        if (operands[i].bits == value.bits || find_below(operands[i], value, place))
            return true;
    }
    return false;
}

/* ---- Wishes ---- */

static Shape shape_of_kind(OsvmValueKind kind)
{
    static const uint8_t shapes[] = {SHAPE_ONE, SHAPE_LARGE, SHAPE_LETTER, SHAPE_FLOAT, SHAPE_NIL, SHAPE_TRUE,
        SHAPE_FALSE, SHAPE_TEXT, SHAPE_SHORTS, SHAPE_8_WORDS, SHAPE_DOUBLES, SHAPE_ARRAY, SHAPE_CODE};
    return (Shape)shapes[kind];
}

#define ONE_OF(chance, ...)                                                                        \
    ((Shape[]){__VA_ARGS__})[(chance) % (sizeof((Shape[]){__VA_ARGS__}) / sizeof(Shape))]

Shape shape_for(MockWish wish, const char *class_name, unsigned chance)
{
    OsvmValueKind kind;
    switch (wish) {
    case MOCK_INTEGER: return ONE_OF(chance, SHAPE_ONE, SHAPE_ZERO, SHAPE_ONE, SHAPE_TWO, SHAPE_EIGHT, SHAPE_32);
    case MOCK_REAL: return SHAPE_FLOAT;
    case MOCK_CHARACTER: return SHAPE_LETTER;
    case MOCK_BOOLEAN: return ONE_OF(chance, SHAPE_TRUE, SHAPE_FALSE);
    case MOCK_ELEMENTS:
        return (Shape)(chance & 64 ? SHAPE_RESULT + chance % RESULTS
                                   : SHAPE_NO_BYTES + chance % (SHAPE_DOUBLES - SHAPE_NO_BYTES + 1));
    case MOCK_SLOTS: return ONE_OF(chance, SHAPE_20_SLOTS, SHAPE_6_SLOTS, SHAPE_2_SLOTS, SHAPE_ARRAY);
    case MOCK_ARRAY: return SHAPE_ARRAY;
    case MOCK_CHANGE: return ONE_OF(chance, SHAPE_ARRAY, SHAPE_20_SLOTS);
    case MOCK_CLASS: return ONE_OF(chance, SHAPE_CLASS_OF_BYTES, SHAPE_CLASS_OF_WORDS, SHAPE_CLASS_OF_POINTERS);
    case MOCK_MEMBER:
        if (mock_class_kind(class_name, &kind))
            return shape_of_kind(kind);
        /* fall through */
    default:
        return (Shape)(chance % SHAPES);
    }
}

/* ---- As text ---- */

static int describe(OsvmValue value, char *text, size_t size)
{
    static const char *const names[] = {"a SmallInteger", "a large integer", "a Character", "a Float", "nil",
        "true", "false", "bytes", "16-bit elements", "32-bit elements", "64-bit elements", "slots", "code"};
    OsvmValueKind kind = mock_kind(value);
    if (kind == OSVM_SMALL_INTEGER)
        return snprintf(text, size, "%lld", (long long)value.bits >> 1);
    if (mock_is_forwarder(value))
        return snprintf(text, size, "a forwarder");
    if (kind >= OSVM_BYTES)
        return snprintf(text, size, "%zu %s%s", mock_count(value), names[kind],
                        mock_is_frozen(value) ? ", read-only" : "");
    return snprintf(text, size, "%s%s", names[kind], mock_is_frozen(value) ? ", read-only" : "");
}

void operands_describe(const OsvmValue *operands, unsigned count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (unsigned i = 0; i < count && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s", i == 0 ? "" : i == 1 ? ": " : "; ");
        if (used < size)
            used += (size_t)describe(operands[i], text + used, size - used);
    }
}
