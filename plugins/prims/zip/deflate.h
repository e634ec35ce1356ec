/* Deflate (RFC 1951) as streams written in Smalltalk do it: what each does to arrays of theirs. */
#ifndef OSVM_PRIMS_ZIP_DEFLATE_H
#define OSVM_PRIMS_ZIP_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MIN_MATCH = 3,
    MAX_MATCH = 258,
    WINDOW_SIZE = 32768,
    HASH_SIZE = 32768,
    LITERAL_CODES = 286,
    DISTANCE_CODES = 30,
    LENGTH_CODES_START = 257,
    END_OF_BLOCK = 256,
};

/* --- match.c: looking for repetitions ---------------------------------------- */

/* The text, the hash chains over it, and the literals and matches found. Positions are 0-based. */
typedef struct {
    const uint8_t *text;
    size_t text_size;  /* of the collection */
    int64_t text_end;  /* how much of it holds text */
    uint32_t *head;    /* HASH_SIZE: by hash, the last position with it */
    uint32_t *tail;    /* WINDOW_SIZE: by position in the window, the one before with its hash */
    int64_t hash;
    int64_t position;  /* of the next byte to encode */
    uint8_t *literals; /* bytes, or lengths of matches less MIN_MATCH */
    uint32_t *distances; /* of matches; 0 for bytes */
    int64_t capacity;  /* of both */
    int64_t count;     /* entries of both in use */
    int64_t matches;   /* how many of them are matches */
    uint32_t *literal_counts;  /* LITERAL_CODES */
    uint32_t *distance_counts; /* DISTANCE_CODES */
} Matcher;

/* Encodes the text up to and including the position `last`, which must be in it. True: the block
 * should be sent now. */
bool match_text(Matcher *matcher, int64_t last, int64_t chain_limit, int64_t good_match);

/* The code of a length (less MIN_MATCH) or distance (less 1), and the bits that follow it. */
typedef struct {
    unsigned code, extra_bits, extra;
} Code;
Code code_of_length(unsigned length);
Code code_of_distance(unsigned distance);

/* --- encode.c: writing codes -------------------------------------------------- */

typedef struct {
    uint8_t *bytes;
    size_t size, position;
    uint64_t bits; /* not yet written, the first lowest */
    unsigned bit_count;
} BitWriter;

typedef struct {
    const uint32_t *lengths, *codes;
    size_t count;
} CodeTree;

/* Writes entries from `*from` to before `to`, as long as there is room. Answers how many bytes of
 * text they stand for; -1: a tree has no code for one. */
int64_t encode_block(BitWriter *writer, const uint8_t *literals, const uint32_t *distances,
                     int64_t *from, int64_t to, CodeTree literal_tree, CodeTree distance_tree);

/* --- inflate.c: reading them ------------------------------------------------- */

typedef struct {
    const uint32_t *entries;
    size_t count;
} DecodeTable;

typedef struct {
    uint8_t *text;
    int64_t size, end; /* of the collection; bytes decoded so far */
    const uint8_t *source;
    int64_t source_size;
    int64_t next, limit; /* 0-based position of the next byte, and of the last one to begin with */
    uint64_t bits;
    int64_t bit_count;
    bool block_ended;
} Inflater;

/* Decodes until the block ends, the collection is full or the source is used up. False: the data
 * are wrong, or end within a code. */
bool inflate_block(Inflater *inflater, DecodeTable literals, DecodeTable distances);

#endif
