/* The heap's word: the one axis on which heap code is compiled twice.
 *
 * The Makefile sets WORD_BITS to 32 or 64. This is the only header that tests
 * it; everything else uses the vocabulary below and reads as if there were one
 * width. Heap width and host pointer width are different facts: a host pointer
 * never sits in a Word, an oop is the host address of an object kept in a Word.
 */
#ifndef OSVM_WORD_H
#define OSVM_WORD_H

#include <inttypes.h>
#include <stdint.h>

#ifndef WORD_BITS
#error "WORD_BITS must be 32 or 64: heap code is compiled once per width"
#elif WORD_BITS == 64
typedef uint64_t Word;
typedef int64_t SWord;
#define PRIxWORD PRIx64
#define PRIuWORD PRIu64
#define PRIdWORD PRId64
#define WORD_SHIFT 3
#define TAG_BITS 3
#define SMALL_INTEGER_SHIFT 3
#define WIDTH_NAME(stem) stem##_64
#elif WORD_BITS == 32
typedef uint32_t Word;
typedef int32_t SWord;
#define PRIxWORD PRIx32
#define PRIuWORD PRIu32
#define PRIdWORD PRId32
#define WORD_SHIFT 2
#define TAG_BITS 2
#define SMALL_INTEGER_SHIFT 1
#define WIDTH_NAME(stem) stem##_32
#else
#error "WORD_BITS must be 32 or 64"
#endif

#define WORD_BYTES (WORD_BITS / 8)
#define TAG_MASK ((Word)((1u << TAG_BITS) - 1))

/* An object pointer or an immediate. */
typedef Word Oop;

/* No object: never a valid oop, answered where there is nothing to answer. */
#define NO_OOP ((Oop)0)

static inline void *word_pointer(Word address)
{
    return (void *)(uintptr_t)address;
}

/* Starts fetching the cache line at `pointer`. A macro: gcc takes a function that does
 * nothing but prefetch for one without effect, and drops the calls. */
#define PREFETCH(pointer) __builtin_prefetch(pointer)

/* The pointer must lie in the heap's region, so that it fits a Word. */
static inline Word pointer_word(const void *pointer)
{
    return (Word)(uintptr_t)pointer;
}

#endif
