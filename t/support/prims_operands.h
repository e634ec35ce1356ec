/* Receivers and arguments for functions of modules, by recipes: which shape of value stands at which place.
 * Recipes outlive the objects made by them and are the same for every heap width. */
#ifndef OSVM_T_PRIMS_OPERANDS_H
#define OSVM_T_PRIMS_OPERANDS_H

#include "t/support/mock_prims.h"

typedef enum {
    SHAPE_BLANK, /* an object without slots that nobody else is */
    SHAPE_NIL, SHAPE_TRUE, SHAPE_FALSE,
    SHAPE_ZERO, SHAPE_ONE, SHAPE_TWO, SHAPE_EIGHT, SHAPE_32, SHAPE_MINUS_ONE, SHAPE_SMALL_MOST,
    SHAPE_SMALL_LEAST, SHAPE_2_TO_32, SHAPE_MINUS_2_TO_31, SHAPE_2_TO_63, SHAPE_2_TO_64, SHAPE_INT64_LEAST,
    SHAPE_LARGE, SHAPE_LARGE_NEGATIVE, SHAPE_LARGE_EMPTY, SHAPE_LARGE_ZEROS,
    SHAPE_LETTER, SHAPE_LAST_CHARACTER,
    SHAPE_FLOAT, SHAPE_NAN, SHAPE_INFINITY, SHAPE_HUGE_FLOAT,
    SHAPE_NO_BYTES, SHAPE_4_BYTES, SHAPE_16_BYTES, SHAPE_20_BYTES, SHAPE_24_BYTES, SHAPE_64_BYTES,
    SHAPE_256_BYTES, SHAPE_TEXT, SHAPE_PATH, SHAPE_FOLDER, SHAPE_HOLED_TEXT, SHAPE_LONG_TEXT, SHAPE_SHORTS,
    SHAPE_NO_WORDS, SHAPE_5_WORDS, SHAPE_8_WORDS, SHAPE_80_WORDS, SHAPE_256_WORDS, SHAPE_DOUBLES,
    SHAPE_NO_SLOTS, SHAPE_2_SLOTS, SHAPE_6_SLOTS, SHAPE_20_SLOTS, SHAPE_ARRAY, SHAPE_CYCLE,
    SHAPE_CODE, SHAPE_CLASS_OF_BYTES, SHAPE_CLASS_OF_WORDS, SHAPE_CLASS_OF_POINTERS,
    SHAPE_RESULT, /* of an earlier call; so many more follow */
    SHAPES = SHAPE_RESULT + 16
} Shape;

enum { PLACE_DEPTH = 3, RECIPE_ENTRIES = 64, ARGUMENTS_MOST = 8, RESULTS = SHAPES - SHAPE_RESULT };

/* Where a value stands: an operand (receiver 0), a slot of it, a slot of that. */
typedef struct {
    uint8_t depth; /* of `at`, 1 .. PLACE_DEPTH */
    uint8_t at[PLACE_DEPTH];
} Place;

typedef struct {
    uint8_t arg_count, entry_count;
    struct {
        Place place;
        uint8_t shape;
    } entries[RECIPE_ENTRIES]; /* others are blank */
} Recipe;

/* Fills in the operands; `results` are those of earlier calls, RESULTS of them. */
void operands_make(MockVm *vm, const Recipe *recipe, const OsvmValue *results, OsvmValue *operands);
/* False: there is no room. */
bool recipe_put(Recipe *recipe, const Place *place, Shape shape);
Shape recipe_get(const Recipe *recipe, const Place *place);
/* Where among the operands does this value stand? False: nowhere. */
bool operands_find(const OsvmValue *operands, unsigned count, OsvmValue value, Place *place);
/* A shape that grants the wish, by chance. */
Shape shape_for(MockWish wish, const char *class_name, unsigned chance);
/* Receiver and arguments as text. */
void operands_describe(const OsvmValue *operands, unsigned count, char *text, size_t size);

#endif
