/* Writing the entries of a block with the codes of two trees. */
#include "deflate.h"

enum { ROOM = 4 }; /* bytes that must stay free before an entry is begun */

/* Bits for which there is no room stay in the writer. */
static void put_bits(BitWriter *writer, unsigned count, uint64_t bits)
{
    writer->bits |= bits << writer->bit_count;
    writer->bit_count += count;
    while (writer->bit_count >= 8 && writer->position < writer->size) {
        writer->bytes[writer->position++] = (uint8_t)writer->bits;
        writer->bits >>= 8;
        writer->bit_count -= 8;
    }
}

static bool put_code(BitWriter *writer, CodeTree tree, Code code)
{
    enum { LONGEST_CODE = 15 };
    if (code.code >= tree.count || tree.lengths[code.code] > LONGEST_CODE ||
        tree.codes[code.code] >> tree.lengths[code.code])
        return false;
    put_bits(writer, tree.lengths[code.code], tree.codes[code.code]);
    put_bits(writer, code.extra_bits, code.extra);
    return true;
}

int64_t encode_block(BitWriter *writer, const uint8_t *literals, const uint32_t *distances,
                     int64_t *from, int64_t to, CodeTree literal_tree, CodeTree distance_tree)
{
    int64_t sum = 0;
    put_bits(writer, 0, 0);
    for (; *from < to && writer->position + ROOM < writer->size; ++*from) {
        unsigned literal = literals[*from];
        uint32_t distance = distances[*from];
        if (distance == 0) {
            if (!put_code(writer, literal_tree, (Code){.code = literal}))
                return -1;
            sum++;
            continue;
        }
        if (distance > WINDOW_SIZE || !put_code(writer, literal_tree, code_of_length(literal)) ||
            !put_code(writer, distance_tree, code_of_distance(distance - 1)))
            return -1;
        sum += literal + MIN_MATCH;
    }
    return sum;
}
