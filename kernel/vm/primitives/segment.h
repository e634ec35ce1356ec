/* Image segments: objects as words that can be kept outside the heap.
 *
 * A segment is a word array: 8 bytes of stamp (a 32-bit word, twice), then objects as in the
 * heap, back to back. The first is the array of roots; classes with an index follow; then the rest.
 * In it
 *   - a reference to an object of the segment is the offset of its header behind the stamp; one to
 *     an object outside is SEGMENT_OUTSIDE + WORD_BYTES * its place in the array of out pointers;
 *   - the class index of an object is SEGMENT_FIRST_CLASS + offset / 8 of a class in the segment, or
 *     SEGMENT_OUTSIDE_CLASS + place of the class in the array of out pointers;
 *   - a class that had an index has the remembered bit, and no hash: loading gives it an index.
 * Slots of a context above its stack pointer are no references.
 */
#ifndef OSVM_VM_SEGMENT_H
#define OSVM_VM_SEGMENT_H

#include "kernel/vm/vm.h"

enum {
    SEGMENT_STAMP_BYTES = 8,
    SEGMENT_FIRST_CLASS = 16,
    SEGMENT_OUTSIDE_CLASS = 0x200000,
};
#define SEGMENT_OUTSIDE ((Word)1 << (WORD_BITS - 1))

/* The stamp: low three bytes the version of the image format, high byte a letter that tells byte
 * order: the first word of the string 'doesNotUnderstand:' ends in it. */
#define SEGMENT_VERSION (WORD_BITS == 64 ? 68021u : 6521u)
#define SEGMENT_VERSION_MASK 0xFFFFFFu
#define SEGMENT_SISTA_BIT 512u /* in the version: both bytecode sets */
#define SEGMENT_LITTLE_ENDIAN ((uint32_t)'s' << 24)
#define SEGMENT_BIG_ENDIAN ((uint32_t)'d' << 24)

/* 32-bit words, as primitives take them for a segment. */
static inline bool segment_is_words(Oop oop)
{
    return is_object(oop) && (object_format(oop) & ~1u) == FORMAT_WORDS32;
}

static inline bool segment_is_array(Oop oop)
{
    return is_object(oop) && object_format(oop) == FORMAT_INDEXABLE;
}

#endif
