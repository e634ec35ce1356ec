/* The Spur object format: headers, formats, immediates, well-known indices.
 *
 * Everything here is a pure function of words; nothing needs a Heap. An oop
 * with zero tag bits is the address of a 64-bit header; `slots` of WORD_BYTES
 * each follow. An object of 255 slots or more has one more 64-bit word in
 * front of the header, with the slot count and 0xFF in its top byte. All
 * objects are 8-byte aligned and at least 16 bytes long.
 */
#ifndef OSVM_OBJECT_H
#define OSVM_OBJECT_H

#include <stdbool.h>
#include <string.h>

#include "osvm/word.h"

/* ---- Header fields ---- */

typedef uint64_t Header;

#define HEADER_CLASS_MASK ((Header)0x3FFFFF)
#define HEADER_IMMUTABLE ((Header)1 << 23)
#define HEADER_FORMAT_SHIFT 24
#define HEADER_FORMAT_MASK ((Header)0x1F << HEADER_FORMAT_SHIFT)
#define HEADER_REMEMBERED ((Header)1 << 29)
#define HEADER_PINNED ((Header)1 << 30)
#define HEADER_GREY ((Header)1 << 31)
#define HEADER_HASH_SHIFT 32
#define HEADER_HASH_MASK ((Header)0x3FFFFF << HEADER_HASH_SHIFT)
/* Unused by the format, never in a file. Code: its bytecodes have been verified. A context:
 * pc and stackp are as the VM itself wrote them. Whoever writes these clears the bit. */
#define HEADER_VERIFIED ((Header)1 << 54)
#define HEADER_MARKED ((Header)1 << 55)
#define HEADER_SLOTS_SHIFT 56
#define HEADER_SLOTS_OVERFLOW 255u
#define HASH_MAX 0x3FFFFFu

enum { HEADER_BYTES = 8, SMALLEST_OBJECT = 16, OBJECT_ALIGNMENT = 8 };

/* ---- Formats (header bits 24-28) ---- */

enum {
    FORMAT_EMPTY = 0,
    FORMAT_FIXED = 1,
    FORMAT_INDEXABLE = 2,
    FORMAT_INDEXABLE_FIXED = 3,
    FORMAT_WEAK = 4,
    FORMAT_EPHEMERON = 5,
    FORMAT_LAST_POINTERS = 5,
    FORMAT_FORWARDER = 7,       /* in a header */
    FORMAT_IMMEDIATE_CLASS = 7, /* as the instance specification of a class */
    FORMAT_WORDS64 = 9,
    FORMAT_WORDS32 = 10, /* +1: odd */
    FORMAT_SHORTS = 12,  /* +0..3 unused 16-bit elements */
    FORMAT_BYTES = 16,   /* +0..7 unused bytes */
    FORMAT_CODE = 24,    /* +0..7 unused bytes */
};

/* ---- Class indices known to the VM ---- */

enum {
    CLASS_FREE = 0, /* a free chunk */
    CLASS_SMALL_INTEGER = 1,
    CLASS_CHARACTER = 2,
    CLASS_BRIDGE = 3, /* in a header: segment bridge; in 32-bit tables also SmallInteger */
    CLASS_SMALL_FLOAT = 4,
    CLASS_FORWARDER = 8,
    CLASS_ARRAY_PUN = 16,
    CLASS_WEAK_ARRAY_PUN = 17,
    CLASS_WORDS32_PUN = 18,
    CLASS_WORDS64_PUN = 19,
    CLASS_SELF_PUN = 31,
    CLASS_LAST_PUN = 31, /* objects above this index are normal */
    CLASS_LARGE_NEGATIVE = 32,
    CLASS_LARGE_POSITIVE = 33,
    CLASS_FLOAT = 34,
    CLASS_MESSAGE = 35,
    CLASS_CONTEXT = 36,
    CLASS_BLOCK_CLOSURE = 37,
    CLASS_FULL_BLOCK_CLOSURE = 38,
    CLASS_ARRAY = 51,
    CLASS_BYTE_STRING = 52,
    CLASS_BITMAP = 53,
    CLASS_INDEX_BITS = 22,
    CLASS_PAGE_BITS = 10,
    CLASS_PAGE_SIZE = 1 << CLASS_PAGE_BITS,
    CLASS_PAGES_MAX = 1 << (CLASS_INDEX_BITS - CLASS_PAGE_BITS),
    HIDDEN_ROOTS_SLOTS = CLASS_PAGES_MAX + 8,
    HIDDEN_MARK_STACK = CLASS_PAGES_MAX,
    HIDDEN_WEAKLINGS = CLASS_PAGES_MAX + 1,
    HIDDEN_MOURNERS = CLASS_PAGES_MAX + 2,
    HIDDEN_REMEMBERED_SET = CLASS_PAGES_MAX + 3,
};

/* ---- Immediates ---- */

#define SMALL_INTEGER_TAG ((Word)1)
#define CHARACTER_TAG ((Word)2)
#define SMALL_FLOAT_TAG ((Word)4)
#define SMALL_INTEGER_MAX ((SWord)(((Word)1 << (WORD_BITS - 1 - SMALL_INTEGER_SHIFT)) - 1))
#define SMALL_INTEGER_MIN (-SMALL_INTEGER_MAX - 1)
#define CHARACTER_MAX 0x3FFFFFFFu

static inline bool is_immediate(Oop oop)
{
    return (oop & TAG_MASK) != 0;
}

static inline bool is_object(Oop oop)
{
    return (oop & TAG_MASK) == 0;
}

static inline bool is_small_integer(Oop oop)
{
    return WORD_BITS == 64 ? (oop & TAG_MASK) == SMALL_INTEGER_TAG : (oop & 1) != 0;
}

static inline bool are_small_integers(Oop a, Oop b)
{
    return WORD_BITS == 64 ? is_small_integer(a) && is_small_integer(b) : (a & b & 1) != 0;
}

static inline SWord small_integer_value(Oop oop)
{
    return (SWord)oop >> SMALL_INTEGER_SHIFT;
}

static inline Oop small_integer_oop(SWord value)
{
    return ((Word)value << SMALL_INTEGER_SHIFT) | SMALL_INTEGER_TAG;
}

static inline bool fits_small_integer(int64_t value)
{
    return value >= SMALL_INTEGER_MIN && value <= SMALL_INTEGER_MAX;
}

static inline bool is_character(Oop oop)
{
    return (oop & TAG_MASK) == CHARACTER_TAG;
}

static inline uint32_t character_code(Oop oop)
{
    return (uint32_t)(oop >> TAG_BITS);
}

static inline Oop character_oop(uint32_t code)
{
    return ((Word)code << TAG_BITS) | CHARACTER_TAG;
}

static inline bool is_small_float(Oop oop)
{
    return WORD_BITS == 64 && (oop & 7) == SMALL_FLOAT_TAG;
}

#define SMALL_FLOAT_OFFSET ((uint64_t)896 << 53)

static inline double small_float_value(Oop oop)
{
    uint64_t rotated = (uint64_t)oop >> 3;
    if (rotated > 1)
        rotated += SMALL_FLOAT_OFFSET;
    uint64_t bits = rotated >> 1 | rotated << 63;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The immediate for `value`, or NO_OOP where it must be boxed (always, in 32-bit heaps). */
static inline Oop small_float_oop(double value)
{
    if (WORD_BITS != 64)
        return NO_OOP;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t rotated = bits << 1 | bits >> 63;
    if (rotated > 1) {
        if (rotated <= (SMALL_FLOAT_OFFSET | 1))
            return NO_OOP;
        rotated -= SMALL_FLOAT_OFFSET;
        if (rotated >> 61)
            return NO_OOP;
    }
    return (Oop)(rotated << 3 | SMALL_FLOAT_TAG);
}

/* ---- Reading a header ---- */

static inline Header *header_at(Oop oop)
{
    return word_pointer(oop);
}

static inline Header header_of(Oop oop)
{
    return *header_at(oop);
}

static inline Word header_class_index(Header header)
{
    return (Word)(header & HEADER_CLASS_MASK);
}

static inline unsigned header_format(Header header)
{
    return (unsigned)(header >> HEADER_FORMAT_SHIFT) & 0x1F;
}

static inline unsigned header_hash(Header header)
{
    return (unsigned)(header >> HEADER_HASH_SHIFT) & HASH_MAX;
}

static inline unsigned header_short_slots(Header header)
{
    return (unsigned)(header >> HEADER_SLOTS_SHIFT);
}

static inline bool header_is_pinned(Header header)
{
    return (header & HEADER_PINNED) != 0;
}

static inline bool header_is_immutable(Header header)
{
    return (header & HEADER_IMMUTABLE) != 0;
}

/* Only for objects known not to be free chunks, which answer true as well. */
static inline bool header_is_forwarder(Header header)
{
    return (header_class_index(header) & ~(Word)CLASS_FORWARDER) == 0;
}

static inline Word object_class_index(Oop oop)
{
    return header_class_index(header_of(oop));
}

static inline unsigned object_format(Oop oop)
{
    return header_format(header_of(oop));
}

/* ---- Slots and sizes ---- */

static inline Word *object_slots(Oop oop)
{
    return word_pointer(oop + HEADER_BYTES);
}

static inline Word object_slot(Oop oop, Word index)
{
    return object_slots(oop)[index];
}

static inline uint8_t *object_bytes(Oop oop)
{
    return word_pointer(oop + HEADER_BYTES);
}

#define OVERFLOW_COUNT_MASK ((uint64_t)0x00FFFFFFFFFFFFFF)

static inline Word object_slot_count(Oop oop)
{
    unsigned count = header_short_slots(header_of(oop));
    if (count != HEADER_SLOTS_OVERFLOW)
        return count;
    return (Word)(header_at(oop)[-1] & OVERFLOW_COUNT_MASK);
}

static inline bool object_has_overflow(Oop oop)
{
    return header_short_slots(header_of(oop)) == HEADER_SLOTS_OVERFLOW;
}

/* Bytes of a body of `slots` slots: rounded to 8, at least 8. */
static inline Word body_bytes_for_slots(Word slots)
{
    Word bytes = (slots << WORD_SHIFT) + (OBJECT_ALIGNMENT - 1);
    bytes &= ~(Word)(OBJECT_ALIGNMENT - 1);
    return bytes ? bytes : OBJECT_ALIGNMENT;
}

/* Bytes an object of `slots` slots takes in memory, header(s) included. */
static inline Word object_size_for_slots(Word slots)
{
    Word headers = slots >= HEADER_SLOTS_OVERFLOW ? 2 * HEADER_BYTES : HEADER_BYTES;
    return headers + body_bytes_for_slots(slots);
}

/* Where the object's memory begins: the overflow word, or the header. */
static inline Word object_start(Oop oop)
{
    return object_has_overflow(oop) ? oop - HEADER_BYTES : oop;
}

/* One past the object's memory. */
static inline Word object_end(Oop oop)
{
    return oop + HEADER_BYTES + body_bytes_for_slots(object_slot_count(oop));
}

static inline Word object_size(Oop oop)
{
    return object_end(oop) - object_start(oop);
}

/* The object whose memory begins at `start`. */
static inline Oop object_at_start(Word start)
{
    uint64_t first = *(uint64_t *)word_pointer(start);
    return first >> HEADER_SLOTS_SHIFT == HEADER_SLOTS_OVERFLOW ? start + HEADER_BYTES : start;
}

/* Writes the header(s) of an object of `slots` slots whose memory begins at
 * `start`; answers its oop. The body is left as it is. */
static inline Oop object_write_header(Word start, Word slots, unsigned format, Word class_index)
{
    Header header = (Header)format << HEADER_FORMAT_SHIFT | class_index;
    Oop oop = start;
    if (slots >= HEADER_SLOTS_OVERFLOW) {
        *(uint64_t *)word_pointer(start) = (uint64_t)HEADER_SLOTS_OVERFLOW << 56 | slots;
        oop = start + HEADER_BYTES;
        slots = HEADER_SLOTS_OVERFLOW;
    }
    *header_at(oop) = header | (Header)slots << HEADER_SLOTS_SHIFT;
    return oop;
}

/* ---- Kinds by format ---- */

static inline bool format_is_pointers(unsigned format)
{
    return format <= FORMAT_LAST_POINTERS;
}

static inline bool format_is_code(unsigned format)
{
    return format >= FORMAT_CODE;
}

static inline bool format_is_bytes(unsigned format)
{
    return format >= FORMAT_BYTES && format < FORMAT_CODE;
}

static inline bool format_is_bits(unsigned format)
{
    return format >= FORMAT_WORDS64 && format < FORMAT_CODE;
}

/* Bytes of data in a bits or code object (code: header and literals included). */
static inline Word bits_byte_count(Oop oop)
{
    unsigned format = object_format(oop);
    Word bytes = object_slot_count(oop) << WORD_SHIFT;
    if (format >= FORMAT_BYTES)
        return bytes - (format & 7);
    if (format >= FORMAT_SHORTS)
        return bytes - (format & 3) * 2;
    return format >= FORMAT_WORDS32 ? bytes - (format & 1) * 4 : bytes;
}

/* ---- Special objects (0-based slots of the special objects array) ---- */

enum {
    SPECIAL_NIL = 0,
    SPECIAL_FALSE = 1,
    SPECIAL_TRUE = 2,
    SPECIAL_SCHEDULER_ASSOCIATION = 3,
    SPECIAL_CLASS_BITMAP = 4,
    SPECIAL_CLASS_SMALL_INTEGER = 5,
    SPECIAL_CLASS_BYTE_STRING = 6,
    SPECIAL_CLASS_ARRAY = 7,
    SPECIAL_CLASS_FLOAT = 9,
    SPECIAL_CLASS_CONTEXT = 10,
    SPECIAL_CLASS_POINT = 12,
    SPECIAL_CLASS_LARGE_POSITIVE = 13,
    SPECIAL_DISPLAY = 14,
    SPECIAL_CLASS_MESSAGE = 15,
    SPECIAL_LOW_SPACE_SEMAPHORE = 17,
    SPECIAL_CLASS_SEMAPHORE = 18,
    SPECIAL_CLASS_CHARACTER = 19,
    SPECIAL_DOES_NOT_UNDERSTAND = 20,
    SPECIAL_CANNOT_RETURN = 21,
    SPECIAL_LOW_SPACE_PROCESS = 22,
    SPECIAL_SELECTORS = 23,
    SPECIAL_MUST_BE_BOOLEAN = 25,
    SPECIAL_CLASS_BYTE_ARRAY = 26,
    SPECIAL_TIMER_SEMAPHORE = 29,
    SPECIAL_INTERRUPT_SEMAPHORE = 30,
    SPECIAL_CLASS_DOUBLE_BYTE_ARRAY = 31,
    SPECIAL_CLASS_WORD_ARRAY = 32,
    SPECIAL_CLASS_DOUBLE_WORD_ARRAY = 33,
    SPECIAL_CANNOT_INTERPRET = 34,
    SPECIAL_CLASS_BLOCK_CLOSURE = 36,
    SPECIAL_CLASS_FULL_BLOCK_CLOSURE = 37,
    SPECIAL_EXTERNAL_OBJECTS = 38,
    SPECIAL_FINALIZATION_SEMAPHORE = 41,
    SPECIAL_CLASS_LARGE_NEGATIVE = 42,
    SPECIAL_CLASS_EXTERNAL_ADDRESS = 43,
    SPECIAL_CLASS_EXTERNAL_STRUCTURE = 44,
    SPECIAL_CLASS_EXTERNAL_DATA = 45,
    SPECIAL_CLASS_EXTERNAL_FUNCTION = 46,
    SPECIAL_CLASS_EXTERNAL_LIBRARY = 47,
    SPECIAL_ABOUT_TO_RETURN_THROUGH = 48,
    SPECIAL_RUN_WITH_IN = 49,
    SPECIAL_ATTEMPT_TO_ASSIGN = 50,
    SPECIAL_PRIMITIVE_ERRORS = 51,
    SPECIAL_CLASS_ALIEN = 52,
    SPECIAL_INVOKE_CALLBACK = 53,
    SPECIAL_CLASS_UNSAFE_ALIEN = 54,
    SPECIAL_UNUSED_BYTECODE = 57,
    SPECIAL_OBJECTS_CONVENTIONAL_SIZE = 60,
};

/* ---- Slots of objects the VM knows by shape ---- */

enum {
    CLASS_SUPERCLASS = 0, CLASS_METHOD_DICT = 1, CLASS_FORMAT = 2,
    ASSOCIATION_KEY = 0, ASSOCIATION_VALUE = 1,
    MESSAGE_SELECTOR = 0, MESSAGE_ARGUMENTS = 1, MESSAGE_LOOKUP_CLASS = 2,
    LINK_NEXT = 0,
    LIST_FIRST = 0, LIST_LAST = 1, SEMAPHORE_EXCESS = 2, MUTEX_OWNER = 2,
    PROCESS_CONTEXT = 1, PROCESS_PRIORITY = 2, PROCESS_LIST = 3,
    SCHEDULER_LISTS = 0, SCHEDULER_ACTIVE = 1,
    CONTEXT_SENDER = 0, CONTEXT_PC = 1, CONTEXT_STACKP = 2, CONTEXT_METHOD = 3,
    CONTEXT_CLOSURE = 4, CONTEXT_RECEIVER = 5, CONTEXT_FIXED = 6,
    CONTEXT_SMALL_SLOTS = 22, CONTEXT_LARGE_SLOTS = 62,
    CLOSURE_OUTER = 0, CLOSURE_START_PC = 1, CLOSURE_ARG_COUNT = 2, CLOSURE_COPIED = 3,
    FULL_CLOSURE_CODE = 1, FULL_CLOSURE_RECEIVER = 3, FULL_CLOSURE_COPIED = 4,
    METHOD_DICT_TALLY = 0, METHOD_DICT_METHODS = 1, METHOD_DICT_SELECTORS = 2,
};

/* The class format word (slot CLASS_FORMAT, untagged). */
static inline Word class_format_fixed_fields(SWord format)
{
    return (Word)format & 0xFFFF;
}

static inline unsigned class_format_instance_spec(SWord format)
{
    return (unsigned)(format >> 16) & 0x1F;
}

/* ---- The header of a method (slot 0, untagged) ---- */

static inline Word method_header_literals(SWord header)
{
    return (Word)header & 0x7FFF;
}

static inline bool method_header_has_primitive(SWord header)
{
    return ((Word)header >> 16 & 1) != 0;
}

static inline bool method_header_large_frame(SWord header)
{
    return ((Word)header >> 17 & 1) != 0;
}

static inline unsigned method_header_temps(SWord header)
{
    return (unsigned)((Word)header >> 18) & 0x3F;
}

static inline unsigned method_header_args(SWord header)
{
    return (unsigned)((Word)header >> 24) & 0xF;
}

static inline bool method_header_is_sista(SWord header)
{
    return header < 0;
}

#endif
