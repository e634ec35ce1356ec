/* The module MiscPrimitivePlugin: searching, comparing and translating byte
 * strings, run-length coding of bitmaps, and a sound conversion. Receivers are
 * ignored; indices are 1-based. */
#include "osvm/prims.h"

#include <string.h>

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

/* The elements of an argument of `element_size` bytes each. */
static bool elements_of(const OsvmPrimApi *vm, OsvmCall *call, int index, unsigned element_size,
                        OsvmElements *out)
{
    return vm->elements(call, vm->arg(call, index), out) && out->element_size == element_size;
}

static bool bytes_of(const OsvmPrimApi *vm, OsvmCall *call, int index, const uint8_t **bytes, size_t *count)
{
    OsvmElements elements;
    if (!elements_of(vm, call, index, 1, &elements))
        return false;
    *bytes = elements.data;
    *count = elements.count;
    return true;
}

/* A table of 256 bytes. */
static bool table_of(const OsvmPrimApi *vm, OsvmCall *call, int index, const uint8_t **table)
{
    size_t count;
    return bytes_of(vm, call, index, table, &count) && count >= 256;
}

static int number(const OsvmPrimApi *vm, OsvmCall *call, int64_t value)
{
    return vm->result(call, vm->from_int64(call, value));
}

FUNCTION(compare_string)
{
    const uint8_t *a, *b, *order;
    size_t a_count, b_count;
    if (!bytes_of(vm, call, 0, &a, &a_count) || !bytes_of(vm, call, 1, &b, &b_count) ||
        !table_of(vm, call, 2, &order))
        return OSVM_BAD_ARGUMENT;
    size_t common = a_count < b_count ? a_count : b_count;
    for (size_t i = 0; i < common; i++)
        if (order[a[i]] != order[b[i]])
            return number(vm, call, order[a[i]] < order[b[i]] ? 1 : 3);
    return number(vm, call, a_count == b_count ? 2 : a_count < b_count ? 1 : 3);
}

/* Index of the first byte that `map` marks, from `start` on; 0: none. */
FUNCTION(find_first)
{
    const uint8_t *string, *map;
    size_t count, map_count;
    int64_t start;
    if (!bytes_of(vm, call, 0, &string, &count) || !bytes_of(vm, call, 1, &map, &map_count) ||
        !osvm_small_argument(vm, call, 2, &start))
        return OSVM_BAD_ARGUMENT;
    if (start < 1)
        return OSVM_BAD_INDEX;
    if (map_count != 256)
        return number(vm, call, 0);
    for (uint64_t i = (uint64_t)start - 1; i < count; i++)
        if (map[string[i]])
            return number(vm, call, (int64_t)i + 1);
    return number(vm, call, 0);
}

FUNCTION(find_substring)
{
    const uint8_t *key, *body, *match;
    size_t key_count, body_count;
    int64_t start;
    if (!bytes_of(vm, call, 0, &key, &key_count) || !bytes_of(vm, call, 1, &body, &body_count) ||
        !osvm_small_argument(vm, call, 2, &start) || !table_of(vm, call, 3, &match))
        return OSVM_BAD_ARGUMENT;
    if (key_count == 0)
        return number(vm, call, 0);
    for (uint64_t at = start < 1 ? 0 : (uint64_t)start - 1; at + key_count <= body_count; at++) {
        size_t i = 0;
        while (i < key_count && match[body[at + i]] == match[key[i]])
            i++;
        if (i == key_count)
            return number(vm, call, (int64_t)at + 1);
    }
    return number(vm, call, 0);
}

FUNCTION(index_of_ascii)
{
    const uint8_t *string;
    size_t count;
    int64_t byte, start;
    if (!osvm_small_argument(vm, call, 0, &byte) || !bytes_of(vm, call, 1, &string, &count) ||
        !osvm_small_argument(vm, call, 2, &start))
        return OSVM_BAD_ARGUMENT;
    if (start < 1)
        return OSVM_BAD_INDEX;
    if (byte < 0 || byte > 255 || (uint64_t)start > count)
        return number(vm, call, 0);
    const uint8_t *found = memchr(string + start - 1, (int)byte, count - (size_t)(start - 1));
    return number(vm, call, found ? found - string + 1 : 0);
}

FUNCTION(string_hash)
{
    const uint8_t *string;
    size_t count;
    int64_t initial;
    if (!bytes_of(vm, call, 0, &string, &count) || !osvm_small_argument(vm, call, 1, &initial))
        return OSVM_BAD_ARGUMENT;
    uint64_t hash = (uint64_t)initial & 0xFFFFFFF;
    for (size_t i = 0; i < count; i++)
        hash = (hash + string[i]) * 1664525 & 0xFFFFFFF;
    return number(vm, call, (int64_t)hash);
}

FUNCTION(translate)
{
    OsvmElements string;
    const uint8_t *table;
    int64_t start, stop;
    if (!elements_of(vm, call, 0, 1, &string) || !osvm_small_argument(vm, call, 1, &start) ||
        !osvm_small_argument(vm, call, 2, &stop) || !table_of(vm, call, 3, &table))
        return OSVM_BAD_ARGUMENT;
    if (string.read_only)
        return OSVM_NO_MODIFICATION;
    if (start < 1 || stop > (int64_t)string.count)
        return OSVM_BAD_INDEX;
    uint8_t *bytes = string.data;
    for (int64_t i = start - 1; i < stop; i++)
        bytes[i] = table[bytes[i]];
    return vm->result_receiver(call);
}

/* ---- Run-length coding of bitmaps ----
 *
 * The number of words, then runs until all are told: a header n * 4 + kind, then
 *   kind 0: n words, nothing follows (skip); 1: n words of one byte repeated, the byte follows;
 *   2: n words all equal, one word follows; 3: n words that follow.
 * Numbers take one byte up to 223, two up to 7935 (224 + high, low), else 255 and four.
 * Words are big endian. */

typedef struct {
    uint8_t *bytes;
    size_t count, at;
    bool failed;
} Coder;

static void put_byte(Coder *coder, uint32_t byte)
{
    if (coder->at >= coder->count)
        coder->failed = true;
    else
        coder->bytes[coder->at++] = (uint8_t)byte;
}

static void put_word(Coder *coder, uint32_t word)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        put_byte(coder, word >> shift & 255);
}

static void put_number(Coder *coder, uint64_t value)
{
    if (value <= 223)
        put_byte(coder, (uint32_t)value);
    else if (value <= 7935) {
        put_byte(coder, (uint32_t)(value / 256 + 224));
        put_byte(coder, (uint32_t)(value % 256));
    } else {
        put_byte(coder, 255);
        put_word(coder, (uint32_t)value);
    }
}

static bool is_byte_repeated(uint32_t word)
{
    return (word & 255) * 0x01010101u == word;
}

FUNCTION(compress)
{
    OsvmElements bitmap, target;
    if (!vm->elements(call, vm->arg(call, 0), &bitmap))
        return OSVM_FAILED;
    if (bitmap.element_size != 4 || !elements_of(vm, call, 1, 1, &target))
        return OSVM_BAD_ARGUMENT;
    if (target.read_only)
        return OSVM_NO_MODIFICATION;
    const uint32_t *words = bitmap.data;
    size_t count = bitmap.count;
    Coder coder = {.bytes = target.data, .count = target.count};
    if (target.count < count * 4 + 7 + count / 1984 * 3)
        return OSVM_UNSUPPORTED; /* images reserve so much for the worst case */
    put_number(&coder, count);
    for (size_t at = 0; at < count;) {
        size_t end = at + 1;
        while (end < count && words[end] == words[at])
            end++;
        if (end - at > 1 || is_byte_repeated(words[at])) {
            bool byte = is_byte_repeated(words[at]);
            put_number(&coder, (uint64_t)(end - at) * 4 + (byte ? 1 : 2));
            byte ? put_byte(&coder, words[at] & 255) : put_word(&coder, words[at]);
            at = end;
            continue;
        }
        while (end < count && !is_byte_repeated(words[end]) &&
               !(end + 1 < count && words[end] == words[end + 1]))
            end++;
        put_number(&coder, (uint64_t)(end - at) * 4 + 3);
        for (; at < end; at++)
            put_word(&coder, words[at]);
    }
    return coder.failed ? OSVM_FAILED : number(vm, call, (int64_t)coder.at);
}

static uint32_t get_byte(Coder *coder)
{
    if (coder->at >= coder->count) {
        coder->failed = true;
        return 0;
    }
    return coder->bytes[coder->at++];
}

static uint32_t get_word(Coder *coder)
{
    uint32_t word = 0;
    for (int i = 0; i < 4; i++)
        word = word << 8 | get_byte(coder);
    return word;
}

static uint32_t get_number(Coder *coder)
{
    uint32_t first = get_byte(coder);
    if (first <= 223)
        return first;
    return first <= 254 ? (first - 224) * 256 + get_byte(coder) : get_word(coder);
}

/* Runs of words into `words`; NULL: only looks whether they are well formed and fit. */
static bool decompress_words(Coder coder, uint32_t *words, size_t room)
{
    for (size_t at = 0; coder.at < coder.count && !coder.failed;) {
        uint32_t header = get_number(&coder), count = header >> 2, kind = header & 3;
        if (count > room - at)
            return false;
        uint32_t word = kind == 1 ? get_byte(&coder) * 0x01010101u : kind == 2 ? get_word(&coder) : 0;
        for (uint32_t i = 0; i < count && !coder.failed; i++, at++) {
            word = kind == 3 ? get_word(&coder) : word;
            if (kind && words)
                words[at] = word;
        }
    }
    return !coder.failed;
}

/* Nothing is written unless all of it can be. */
FUNCTION(decompress)
{
    OsvmElements bitmap, source;
    int64_t index;
    if (vm->is_read_only(call, vm->arg(call, 0)))
        return OSVM_NO_MODIFICATION;
    if (!elements_of(vm, call, 0, 4, &bitmap) || !elements_of(vm, call, 1, 1, &source) ||
        !osvm_small_argument(vm, call, 2, &index))
        return OSVM_BAD_ARGUMENT;
    if (index < 1)
        return OSVM_BAD_INDEX;
    Coder coder = {.bytes = source.data, .count = source.count, .at = (size_t)index - 1};
    if (!decompress_words(coder, NULL, bitmap.count))
        return OSVM_BAD_INDEX;
    decompress_words(coder, bitmap.data, bitmap.count);
    return vm->result_receiver(call);
}

/* Signed bytes of sound to 16-bit samples. */
FUNCTION(convert_8_bit_signed)
{
    OsvmElements from, to;
    if (!elements_of(vm, call, 0, 1, &from))
        return OSVM_BAD_ARGUMENT;
    if (vm->is_read_only(call, vm->arg(call, 1)))
        return OSVM_NO_MODIFICATION;
    if (!vm->elements(call, vm->arg(call, 1), &to) || to.count * to.element_size < from.count * 2)
        return OSVM_BAD_ARGUMENT;
    for (size_t i = 0; i < from.count; i++) {
        int16_t sample = (int16_t)(((const int8_t *)from.data)[i] * 256);
        memcpy((uint8_t *)to.data + 2 * i, &sample, sizeof sample);
    }
    return vm->result_receiver(call);
}

static const OsvmPrim functions[] = {
    {"primitiveCompareString", compare_string, 1, 0},
    {"primitiveFindFirstInString", find_first, 1, 0},
    {"primitiveFindSubstring", find_substring, 1, 0},
    {"primitiveIndexOfAsciiInString", index_of_ascii, 1, 0},
    {"primitiveStringHash", string_hash, 1, 0},
    {"primitiveTranslateStringWithTable", translate, 1, 0},
    {"primitiveCompressToByteArray", compress, 1, 0},
    {"primitiveDecompressFromByteArray", decompress, 1, 0},
    {"primitiveConvert8BitSigned", convert_8_bit_signed, 1, 0},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "MiscPrimitivePlugin",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "miscprimitive",
    .version = OSVM_VERSION,
    .summary = "byte strings: compare, search, translate, hash",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
