/* Looking for repetitions: chains of positions by the hash of three bytes, and lazy matching: a
 * match is put off for a literal as long as the next position has a longer one. */
#include "deflate.h"

enum {
    HASH_MASK = HASH_SIZE - 1,
    HASH_SHIFT = 5,
    WINDOW_MASK = WINDOW_SIZE - 1,
    MAX_DISTANCE = WINDOW_SIZE,
    FLUSH_INTERVAL = 4096, /* entries between looks at whether the block should end */
};

typedef struct {
    int64_t length, position;
} Match;

static unsigned high_bit(unsigned value)
{
    return 31u - (unsigned)__builtin_clz(value);
}

Code code_of_length(unsigned length)
{
    if (length == MAX_MATCH - MIN_MATCH)
        return (Code){.code = LITERAL_CODES - 1};
    if (length < 8)
        return (Code){.code = LENGTH_CODES_START + length};
    unsigned bits = high_bit(length) - 2;
    return (Code){.code = LENGTH_CODES_START + 4 * (bits + 1) + (length >> bits & 3),
                  .extra_bits = bits, .extra = length & ((1u << bits) - 1)};
}

Code code_of_distance(unsigned distance)
{
    if (distance < 4)
        return (Code){.code = distance};
    unsigned bits = high_bit(distance) - 1;
    return (Code){.code = 2 * (bits + 1) + (distance >> bits & 1), .extra_bits = bits,
                  .extra = distance & ((1u << bits) - 1)};
}

/* --- Chains -------------------------------------------------------------------- */

/* The hash of the three bytes at a position, when that of the position before is current. */
static int64_t hash_at(const Matcher *matcher, int64_t position)
{
    uint64_t third = (uint64_t)position + MIN_MATCH - 1;
    uint64_t byte = third < matcher->text_size ? matcher->text[third] : 0;
    return (int64_t)((((uint64_t)matcher->hash << HASH_SHIFT) ^ byte) & HASH_MASK);
}

static void insert(Matcher *matcher, int64_t position)
{
    matcher->hash = hash_at(matcher, position);
    matcher->tail[position & WINDOW_MASK] = matcher->head[matcher->hash];
    matcher->head[matcher->hash] = (uint32_t)position;
}

/* How long the text repeats itself, if that can be longer than `least`; otherwise less. */
static int64_t common_length(const Matcher *matcher, int64_t here, int64_t there, int64_t least)
{
    const uint8_t *a = matcher->text + here, *b = matcher->text + there;
    int64_t left = matcher->text_end - here, most = left < MAX_MATCH ? left : MAX_MATCH;
    if (least >= most || a[least] != b[least] || a[least - 1] != b[least - 1])
        return 0;
    int64_t length = 0;
    while (length < most && a[length] == b[length])
        length++;
    return length;
}

/* The best match of what stands `here`, whose hash is the next: longer than `best`, else `best`. */
static Match find_match(const Matcher *matcher, int64_t here, Match best, int64_t chain_limit,
                        int64_t good_match)
{
    if (best.length >= MAX_MATCH)
        return best;
    int64_t there = matcher->head[hash_at(matcher, here)];
    int64_t limit = here > MAX_DISTANCE ? here - MAX_DISTANCE : 0;
    if (there >= here || here - there >= MAX_DISTANCE)
        return best;
    bool ordered;
    do {
        int64_t length = common_length(matcher, here, there, best.length);
        bool far = here - there > MAX_DISTANCE / 4; /* costs more than three literals */
        if (length > best.length && !(length == MIN_MATCH && far)) {
            best = (Match){length, there};
            if (length >= MAX_MATCH || length > good_match)
                break;
        }
        int64_t last = there;
        there = matcher->tail[there & WINDOW_MASK];
        ordered = there < last; /* else the table is none of ours */
    } while (--chain_limit > 0 && there > limit && ordered);
    return best;
}

/* --- Entries -------------------------------------------------------------------- */

/* Ending a block early pays where there are hardly any literals. */
static bool block_is_due(const Matcher *matcher)
{
    if (matcher->count == matcher->capacity)
        return true;
    if (matcher->count % FLUSH_INTERVAL || matcher->matches * 10 <= matcher->count)
        return false;
    int64_t literals = matcher->count - matcher->matches;
    return literals > matcher->matches && literals * 4 <= matcher->matches;
}

static bool add_literal(Matcher *matcher, uint8_t byte)
{
    matcher->literals[matcher->count] = byte;
    matcher->distances[matcher->count++] = 0;
    matcher->literal_counts[byte]++;
    return block_is_due(matcher);
}

static bool add_match(Matcher *matcher, unsigned length, unsigned distance)
{
    matcher->literals[matcher->count] = (uint8_t)(length - MIN_MATCH);
    matcher->distances[matcher->count++] = distance;
    matcher->literal_counts[code_of_length(length - MIN_MATCH).code]++;
    matcher->distance_counts[code_of_distance(distance - 1).code]++;
    matcher->matches++;
    return block_is_due(matcher);
}

bool match_text(Matcher *matcher, int64_t last, int64_t chain_limit, int64_t good_match)
{
    Match match = {0}, next;
    bool known = false, due = false; /* whether `match` is that of the position */
    int64_t here = matcher->position;
    if (here <= last && matcher->count >= matcher->capacity)
        return true;
    while (here <= last && !due) {
        if (!known) {
            match = find_match(matcher, here, (Match){MIN_MATCH - 1, here}, chain_limit, good_match);
            insert(matcher, here);
        }
        next = find_match(matcher, here + 1, match, chain_limit, good_match);
        known = false;
        if (match.length >= next.length && match.length >= MIN_MATCH) {
            due = add_match(matcher, (unsigned)match.length, (unsigned)(here - match.position));
            for (int64_t i = 1; i < match.length; i++)
                insert(matcher, ++here);
            here++;
        } else {
            due = add_literal(matcher, matcher->text[here]);
            here++;
            if (here <= last && !due) {
                insert(matcher, here);
                match = next;
                known = true;
            }
        }
    }
    matcher->position = here;
    return due;
}
