/* The objects of an image that is being made, and the snapshot file they become.
 *
 * The width of a word is a run-time fact here: objects are described by what
 * they hold, laid out when all are there, and written byte by byte, little
 * endian. The order of objects is that of their making, so equal programs make
 * equal files.
 */
#ifndef OSVM_COMPILER_GRAPH_H
#define OSVM_COMPILER_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/arena.h"

typedef struct Object Object;

/* What a slot holds: an object, or (object NULL) a tagged word. */
typedef struct {
    Object *object;
    uint64_t word;
} Ref;

struct Object {
    uint32_t class_index;
    uint32_t hash;     /* identity hash; 0: none yet */
    uint8_t format;    /* without the count of unused bytes */
    size_t slot_count; /* pointers, in front of the bytes */
    Ref *slots;
    const uint8_t *bytes; /* of formats 9 and up */
    size_t byte_count;
    uint64_t address; /* given by graph_write */
    Object *next;
};

enum {
    FORMAT_EMPTY = 0,
    FORMAT_FIXED = 1,
    FORMAT_INDEXED = 2,
    FORMAT_INDEXED_FIXED = 3,
    FORMAT_WEAK = 4,
    FORMAT_EPHEMERON = 5,
    FORMAT_LONGS = 9,
    FORMAT_WORDS = 10,
    FORMAT_SHORTS = 12,
    FORMAT_BYTES = 16,
    FORMAT_CODE = 24,
};

typedef struct {
    Arena *arena;
    unsigned word_bytes; /* 4 or 8 */
    Object *first, *last;
    Object *nil;
    size_t count;
} Graph;

void graph_init(Graph *graph, Arena *arena, unsigned word_bytes);

/* A new object behind all others; its slots are nil (or, before there is a nil, to be filled). */
Object *graph_object(Graph *graph, uint32_t class_index, uint8_t format, size_t slot_count);
Object *graph_bytes(Graph *graph, uint32_t class_index, uint8_t format, const void *bytes,
                    size_t count);

Ref ref_object(Object *object);
Ref ref_integer(const Graph *graph, int64_t value); /* must fit a SmallInteger */
Ref ref_character(const Graph *graph, uint32_t code);
bool integer_fits(const Graph *graph, int64_t value);

/* The immediate form of a float; false when it has none (or the image has 32 bits). */
bool ref_float(const Graph *graph, double value, Ref *ref);

/* Makes the snapshot: a block of memory to be freed with free(). */
uint8_t *graph_write(Graph *graph, const Object *special_objects, size_t *size);

#endif
