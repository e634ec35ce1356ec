/* The module ZipPlugin: the inner loops of deflating and inflating streams that are written in
 * Smalltalk, and two checksums. The receivers are such streams; where their own fields begin is
 * found from the sizes of their superclasses, since images differ in what a stream has. */
#include "osvm/prims.h"

#include <zlib.h>

#include "deflate.h"

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

/* --- Fields of streams -------------------------------------------------------- */

/* What every stream begins with. */
enum { COLLECTION, POSITION, READ_LIMIT };

/* The number of fields of the first class, from that of the receiver upwards, that has fewer than
 * `most`; -1 if none has. */
static int64_t inherited_fields(const OsvmPrimApi *vm, OsvmCall *call, int64_t most)
{
    enum { SUPERCLASS, FORMAT = 2, FIELDS_MASK = 0xFFFF, DEPTH_MAX = 1000 };
    OsvmValue class = vm->class_of(call, vm->arg(call, OSVM_RECEIVER));
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        int64_t format;
        if (vm->slot_count(call, class) <= FORMAT ||
            !vm->int64(call, vm->slot(call, class, FORMAT), &format))
            return -1;
        if ((format & FIELDS_MASK) < most)
            return format & FIELDS_MASK;
        class = vm->slot(call, class, SUPERCLASS);
    }
    return -1;
}

static bool integer_at(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue object, int64_t index,
                       int64_t *out)
{
    return index >= 0 && (uint64_t)index < vm->slot_count(call, object) &&
           vm->kind(call, vm->slot(call, object, (size_t)index)) == OSVM_SMALL_INTEGER &&
           vm->int64(call, vm->slot(call, object, (size_t)index), out);
}

/* Several fields that follow each other. */
static bool integers_at(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue object, int64_t index,
                        unsigned count, int64_t *out)
{
    for (unsigned i = 0; i < count; i++)
        if (!integer_at(vm, call, object, index + i, &out[i]))
            return false;
    return true;
}

static bool elements_at(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue object, int64_t index,
                        unsigned element_size, OsvmElements *out)
{
    return index >= 0 && (uint64_t)index < vm->slot_count(call, object) &&
           vm->elements(call, vm->slot(call, object, (size_t)index), out) &&
           out->element_size == element_size;
}

/* The same for what is written to. */
static bool target_at(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue object, int64_t index,
                      unsigned element_size, OsvmElements *out)
{
    return elements_at(vm, call, object, index, element_size, out) && !out->read_only;
}

/* Whether a number can be stored without allocating, in images of either width. */
static bool is_small(int64_t value)
{
    return value >= 0 && value < INT64_C(1) << 30;
}

static void put_integer(const OsvmPrimApi *vm, OsvmCall *call, OsvmValue object, int64_t index,
                        int64_t value)
{
    vm->put_slot(call, object, (size_t)index, vm->from_int64(call, value));
}

/* --- Inflating ------------------------------------------------------------------ */

enum { STATE, BIT_BUFFER, BIT_POSITION, SOURCE, SOURCE_POSITION, SOURCE_LIMIT, INFLATE_FIELDS };
enum { NO_MORE_DATA = 1, BITS_MAX = 30 };

static bool load_inflater(const OsvmPrimApi *vm, OsvmCall *call, int64_t first, Inflater *inflater,
                          int64_t *state)
{
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    OsvmElements text, source;
    int64_t end, bits[3], places[2];
    if (first < 0 || vm->slot_count(call, receiver) < (uint64_t)first + 8 ||
        vm->is_read_only(call, receiver) || !target_at(vm, call, receiver, COLLECTION, 1, &text) ||
        !integer_at(vm, call, receiver, READ_LIMIT, &end) ||
        !integers_at(vm, call, receiver, first + STATE, 3, bits) ||
        !elements_at(vm, call, receiver, first + SOURCE, 1, &source) ||
        !integers_at(vm, call, receiver, first + SOURCE_POSITION, 2, places))
        return false;
    *state = bits[STATE];
    *inflater = (Inflater){
        .text = text.data, .size = (int64_t)text.count, .end = end,
        .source = source.data, .source_size = (int64_t)source.count,
        .next = places[0], .limit = places[1],
        .bits = (uint64_t)bits[BIT_BUFFER], .bit_count = bits[BIT_POSITION],
    };
    return end >= 0 && end <= inflater->size && inflater->next >= 0 && bits[BIT_BUFFER] >= 0 &&
           bits[BIT_POSITION] >= 0 && bits[BIT_POSITION] <= BITS_MAX;
}

static bool table_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, DecodeTable *table)
{
    OsvmElements elements;
    if (!vm->elements(call, vm->arg(call, index), &elements) || elements.element_size != 4)
        return false;
    *table = (DecodeTable){elements.data, elements.count};
    return true;
}

FUNCTION(inflate_decompress_block)
{
    enum { FIELDS_OF_INFLATERS = 13 };
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    DecodeTable literals, distances;
    Inflater inflater;
    int64_t state;
    if (vm->arg_count(call) != 2 || !table_argument(vm, call, 0, &literals) ||
        !table_argument(vm, call, 1, &distances))
        return OSVM_FAILED;
    int64_t first = inherited_fields(vm, call, FIELDS_OF_INFLATERS);
    if (!load_inflater(vm, call, first, &inflater, &state) ||
        !inflate_block(&inflater, literals, distances) || !is_small((int64_t)inflater.bits))
        return OSVM_FAILED;
    put_integer(vm, call, receiver, READ_LIMIT, inflater.end);
    put_integer(vm, call, receiver, first + STATE,
                inflater.block_ended ? state & NO_MORE_DATA : state);
    put_integer(vm, call, receiver, first + BIT_BUFFER, (int64_t)inflater.bits);
    put_integer(vm, call, receiver, first + BIT_POSITION, inflater.bit_count);
    put_integer(vm, call, receiver, first + SOURCE_POSITION, inflater.next);
    return vm->result_receiver(call);
}

/* --- Deflating ------------------------------------------------------------------ */

enum { FIELDS_OF_WRITERS = 7 };
enum {
    HASH_HEAD, HASH_TAIL, HASH_VALUE, BLOCK_POSITION, BLOCK_START, LITERALS, DISTANCES,
    LITERAL_COUNTS, DISTANCE_COUNTS, ENTRY_COUNT, MATCH_COUNT, DEFLATE_FIELDS
};

static bool load_tables(const OsvmPrimApi *vm, OsvmCall *call, int64_t first, Matcher *matcher)
{
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    OsvmElements head, tail, literals, distances, literal_counts, distance_counts;
    if (!target_at(vm, call, receiver, first + HASH_HEAD, 4, &head) || head.count != HASH_SIZE ||
        !target_at(vm, call, receiver, first + HASH_TAIL, 4, &tail) || tail.count != WINDOW_SIZE ||
        !target_at(vm, call, receiver, first + LITERALS, 1, &literals) ||
        !target_at(vm, call, receiver, first + DISTANCES, 4, &distances) ||
        distances.count < literals.count ||
        !target_at(vm, call, receiver, first + LITERAL_COUNTS, 4, &literal_counts) ||
        literal_counts.count != LITERAL_CODES ||
        !target_at(vm, call, receiver, first + DISTANCE_COUNTS, 4, &distance_counts) ||
        distance_counts.count != DISTANCE_CODES)
        return false;
    matcher->head = head.data;
    matcher->tail = tail.data;
    matcher->literals = literals.data;
    matcher->capacity = (int64_t)literals.count;
    matcher->distances = distances.data;
    matcher->literal_counts = literal_counts.data;
    matcher->distance_counts = distance_counts.data;
    return true;
}

static bool load_matcher(const OsvmPrimApi *vm, OsvmCall *call, int64_t first, Matcher *matcher)
{
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    OsvmElements text;
    int64_t read_limit; /* has to be an integer, and is not used */
    if (first < 0 || vm->slot_count(call, receiver) < (uint64_t)first + DEFLATE_FIELDS ||
        vm->is_read_only(call, receiver) || !load_tables(vm, call, first, matcher) ||
        !elements_at(vm, call, receiver, COLLECTION, 1, &text) ||
        !integer_at(vm, call, receiver, POSITION, &matcher->text_end) ||
        !integer_at(vm, call, receiver, READ_LIMIT, &read_limit) ||
        !integer_at(vm, call, receiver, first + HASH_VALUE, &matcher->hash) ||
        !integer_at(vm, call, receiver, first + BLOCK_POSITION, &matcher->position) ||
        !integer_at(vm, call, receiver, first + ENTRY_COUNT, &matcher->count) ||
        !integer_at(vm, call, receiver, first + MATCH_COUNT, &matcher->matches))
        return false;
    matcher->text = text.data;
    matcher->text_size = text.count;
    return is_small((int64_t)text.count) && is_small(matcher->text_end) &&
           (size_t)matcher->text_end <= text.count && matcher->position >= 0 &&
           matcher->count >= 0 && is_small(matcher->matches);
}

FUNCTION(deflate_block)
{
    int64_t last, chain_limit, good_match;
    Matcher matcher;
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    if (vm->arg_count(call) != 3 || !osvm_small_argument(vm, call, 0, &last) ||
        !osvm_small_argument(vm, call, 1, &chain_limit) || !osvm_small_argument(vm, call, 2, &good_match))
        return OSVM_FAILED;
    int64_t first = inherited_fields(vm, call, FIELDS_OF_WRITERS);
    if (!load_matcher(vm, call, first, &matcher) || last >= matcher.text_end)
        return OSVM_FAILED;
    bool due = match_text(&matcher, last, chain_limit, good_match);
    put_integer(vm, call, receiver, first + HASH_VALUE, matcher.hash);
    put_integer(vm, call, receiver, first + BLOCK_POSITION, matcher.position);
    put_integer(vm, call, receiver, first + ENTRY_COUNT, matcher.count);
    put_integer(vm, call, receiver, first + MATCH_COUNT, matcher.matches);
    return vm->result(call, vm->from_boolean(call, due));
}

/* Positions after the text moved down by `delta`; those that fell out of it are 0. */
FUNCTION(deflate_update_hash_table)
{
    OsvmElements table;
    int64_t delta;
    if (vm->arg_count(call) != 2 || !osvm_small_argument(vm, call, 1, &delta) ||
        !vm->elements(call, vm->arg(call, 0), &table) ||
        table.element_size != 4)
        return OSVM_FAILED;
    if (table.read_only)
        return OSVM_NO_MODIFICATION;
    int32_t *entries = table.data;
    for (size_t i = 0; i < table.count; i++)
        entries[i] = entries[i] >= delta ? (int32_t)(entries[i] - delta) : 0;
    return vm->result_receiver(call);
}

/* --- Sending blocks -------------------------------------------------------------- */

static bool load_tree(const OsvmPrimApi *vm, OsvmCall *call, int index, CodeTree *tree)
{
    enum { BIT_LENGTHS, CODES };
    OsvmElements lengths, codes;
    OsvmValue object = vm->arg(call, index);
    if (!elements_at(vm, call, object, BIT_LENGTHS, 4, &lengths) ||
        !elements_at(vm, call, object, CODES, 4, &codes) || lengths.count != codes.count)
        return false;
    *tree = (CodeTree){lengths.data, codes.data, lengths.count};
    return true;
}

/* A stream of entries between its position and its limit. */
static bool load_entries(const OsvmPrimApi *vm, OsvmCall *call, int index, unsigned element_size,
                         OsvmElements *entries, int64_t range[2])
{
    OsvmValue stream = vm->arg(call, index);
    return !vm->is_read_only(call, stream) &&
           elements_at(vm, call, stream, COLLECTION, element_size, entries) &&
           integers_at(vm, call, stream, POSITION, 2, range) && range[0] >= 0 &&
           range[0] <= range[1] && (uint64_t)range[1] <= entries->count;
}

static bool load_writer(const OsvmPrimApi *vm, OsvmCall *call, int64_t first, BitWriter *writer)
{
    OsvmValue receiver = vm->arg(call, OSVM_RECEIVER);
    OsvmElements bytes;
    int64_t places[2], bits[2];
    if (first < 0 || vm->slot_count(call, receiver) < (uint64_t)first + 3 ||
        vm->is_read_only(call, receiver) || !target_at(vm, call, receiver, COLLECTION, 1, &bytes) ||
        !integers_at(vm, call, receiver, POSITION, 2, places) ||
        !integers_at(vm, call, receiver, first, 2, bits) || places[0] < 0 ||
        (uint64_t)places[0] > bytes.count || bits[0] < 0 || bits[1] < 0 || bits[1] > BITS_MAX)
        return false;
    *writer = (BitWriter){.bytes = bytes.data, .size = bytes.count, .position = (size_t)places[0],
                          .bits = (uint64_t)bits[0], .bit_count = (unsigned)bits[1]};
    return true;
}

FUNCTION(zip_send_block)
{
    OsvmElements literals, distances;
    CodeTree literal_tree, distance_tree;
    BitWriter writer;
    int64_t range[2], same[2];
    if (vm->arg_count(call) != 4)
        return OSVM_FAILED;
    int64_t first = inherited_fields(vm, call, FIELDS_OF_WRITERS);
    if (!load_writer(vm, call, first, &writer) ||
        !load_entries(vm, call, 0, 1, &literals, range) ||
        !load_entries(vm, call, 1, 4, &distances, same) || range[0] != same[0] ||
        range[1] != same[1] || !load_tree(vm, call, 2, &literal_tree) ||
        !load_tree(vm, call, 3, &distance_tree))
        return OSVM_FAILED;
    int64_t sum = encode_block(&writer, literals.data, distances.data, &range[0], range[1],
                               literal_tree, distance_tree);
    if (sum < 0 || !is_small((int64_t)writer.bits))
        return OSVM_FAILED;
    put_integer(vm, call, vm->arg(call, 0), POSITION, range[0]);
    put_integer(vm, call, vm->arg(call, 1), POSITION, range[0]);
    put_integer(vm, call, vm->arg(call, OSVM_RECEIVER), POSITION, (int64_t)writer.position);
    put_integer(vm, call, vm->arg(call, OSVM_RECEIVER), first, (int64_t)writer.bits);
    put_integer(vm, call, vm->arg(call, OSVM_RECEIVER), first + 1, writer.bit_count);
    return vm->result(call, vm->from_int64(call, sum));
}

/* --- Checksums ------------------------------------------------------------------ */

/* Arguments: the sum so far, first and last index, bytes. */
static int checksum(const OsvmPrimApi *vm, OsvmCall *call,
                    uint32_t (*update)(uint32_t sum, const uint8_t *bytes, size_t count))
{
    OsvmElements bytes;
    uint64_t sum;
    int64_t start, stop;
    if (vm->arg_count(call) != 4 || !vm->int64(call, vm->arg(call, 2), &stop) ||
        !vm->int64(call, vm->arg(call, 1), &start) || !vm->uint64(call, vm->arg(call, 0), &sum) ||
        sum > UINT32_MAX || !vm->elements(call, vm->arg(call, 3), &bytes) ||
        bytes.element_size != 1 || start < 1 || stop < start || (uint64_t)stop > bytes.count)
        return OSVM_FAILED;
    uint32_t answer = update((uint32_t)sum, (const uint8_t *)bytes.data + start - 1,
                             (size_t)(stop - start + 1));
    return vm->result(call, vm->from_uint64(call, answer));
}

/* Streams invert the sum at the beginning and the end themselves. */
static uint32_t update_crc(uint32_t sum, const uint8_t *bytes, size_t count)
{
    return ~(uint32_t)crc32_z(~sum, bytes, count);
}

static uint32_t update_adler(uint32_t sum, const uint8_t *bytes, size_t count)
{
    return (uint32_t)adler32_z(sum, bytes, count);
}

FUNCTION(update_gzip_crc32)
{
    return checksum(vm, call, update_crc);
}

FUNCTION(update_adler32)
{
    return checksum(vm, call, update_adler);
}

static const OsvmPrim functions[] = {
    {"primitiveDeflateBlock", deflate_block, 2, 0},
    {"primitiveDeflateUpdateHashTable", deflate_update_hash_table, 0, 0},
    {"primitiveInflateDecompressBlock", inflate_decompress_block, 2, 0},
    {"primitiveUpdateAdler32", update_adler32, 0, OSVM_MAY_ALLOCATE},
    {"primitiveUpdateGZipCrc32", update_gzip_crc32, 0, OSVM_MAY_ALLOCATE},
    {"primitiveZipSendBlock", zip_send_block, 2, 0},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "ZipPlugin",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "zip",
    .version = OSVM_VERSION,
    .summary = "compression (deflate, gzip, zlib)",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
