#include "compact.h"

/* State of the placing pass: where the next unit goes. */
typedef struct {
    Word cursor;   /* everything below is settled */
    size_t staying; /* the first block whose unit stays and lies at or above the cursor, or the
                       block the pass has reached */
} Placer;

/* ---- Blocks ---- */

/* Live granules of the block, and the ranks of its map words. */
static size_t count_block(const LiveMap *map, size_t block, uint64_t *ranks)
{
    const uint64_t *bits = &map->bits[block * BLOCK_MAP_WORDS];
    size_t live = 0;
    uint64_t packed = 0;
    for (unsigned word = 0; word < BLOCK_MAP_WORDS; word++) {
        if (word)
            packed |= (uint64_t)live << (word - 1) * 9;
        live += live_map_count(map, bits[word]);
    }
    *ranks = packed;
    return live;
}

static Word unit_start(const LiveMap *map, size_t block)
{
    size_t end = (block + 1) * BLOCK_GRANULES;
    return live_map_address(map, live_map_next_set(map, live_map_block_first(map, block), end));
}

/* Granules of the unit's last object that lie beyond its block. */
static size_t overhang(const LiveMap *map, size_t block)
{
    size_t granules = 0, tail;
    do {
        tail = live_map_tail(map, ++block);
        granules += tail;
    } while (tail == BLOCK_GRANULES && block < map->blocks);
    return granules;
}

static Word last_set_end(const LiveMap *map, size_t block)
{
    const uint64_t *bits = &map->bits[block * BLOCK_MAP_WORDS];
    unsigned word = BLOCK_MAP_WORDS;
    while (!bits[--word])
        ;
    size_t last = word * 64 + 63 - (unsigned)__builtin_clzll(bits[word]);
    return live_map_address(map, block * BLOCK_GRANULES + last + 1);
}

Word compact_unit_end(const Compact *compact, size_t block)
{
    const LiveMap *map = &compact->space.marker.map;
    return last_set_end(map, block) + ((Word)overhang(map, block) << GRANULE_SHIFT);
}

/* ---- The dense prefix ---- */

/* One past the last block of the prefix: the longest whose dead share is allowed. */
static size_t prefix_end(const Compact *compact)
{
    const LiveMap *map = &compact->space.marker.map;
    size_t fixed = live_map_granule(map, compact->space.gc.heap->hidden_roots) / BLOCK_GRANULES + 1;
    size_t end = fixed;
    size_t base = live_map_granule(map, compact->space.gc.heap->old_start), live = 0;
    for (size_t block = compact->first_block; block < compact->end_block; block++) {
        uint64_t ranks;
        live += count_block(map, block, &ranks);
        size_t size = (block + 1) * BLOCK_GRANULES - base;
        size_t allowed = compact->prefix_waste ? size / compact->prefix_waste : 0;
        if (size - live <= allowed && !compact_is_forced(compact))
            end = block + 1;
    }
    return end > fixed ? end : fixed;
}

/* ---- Placing ---- */

/* Steps over the unit that stays at placer->staying: notes where the gap before
 * it begins. */
static void step_over(Compact *compact, Placer *placer)
{
    compact_place_of(compact, placer->staying)->to = placer->cursor | STAYS;
    placer->cursor = compact_unit_end(compact, placer->staying);
    placer->staying++;
}

static bool next_staying(const Compact *compact, Placer *placer, size_t limit)
{
    while (placer->staying < limit && !(compact_place_of(compact, placer->staying)->to & STAYS))
        placer->staying++;
    return placer->staying < limit;
}

/* Finds room for the unit of `block`, of `bytes` bytes, among the units that stay. */
static void place_unit(Compact *compact, Placer *placer, size_t block, Word bytes)
{
    const LiveMap *map = &compact->space.marker.map;
    while (next_staying(compact, placer, block)) {
        Word room = unit_start(map, placer->staying) - placer->cursor;
        if (room == bytes || room >= bytes + SMALLEST_OBJECT)
            break;
        step_over(compact, placer);
    }
    CHECK(placer->cursor <= unit_start(map, block),
          "block %zu would move up, to 0x%" PRIxWORD " (K1)", block, placer->cursor);
    Word tail = (Word)live_map_tail(map, block) << GRANULE_SHIFT;
    compact_place_of(compact, block)->to = placer->cursor - tail;
    placer->cursor += bytes;
}

void compact_place(Compact *compact)
{
    const LiveMap *map = &compact->space.marker.map;
    size_t prefix = prefix_end(compact);
    Placer placer = {compact->space.gc.heap->old_start, compact->first_block};
    compact->moving_start = compact->space.gc.heap->old_end;
    for (size_t block = compact->first_block; block < compact->end_block; block++) {
        Place *place = compact_place_of(compact, block);
        size_t live = count_block(map, block, &place->ranks);
        size_t started = live - live_map_tail(map, block);
        if (!started)
            continue;
        if (block < prefix || live_map_is_pinned(map, block)) {
            place->to = STAYS;
            continue;
        }
        place_unit(compact, &placer, block, (Word)(started + overhang(map, block)) << GRANULE_SHIFT);
        if (compact->moving_start > unit_start(map, block))
            compact->moving_start = unit_start(map, block);
    }
    while (next_staying(compact, &placer, compact->end_block))
        step_over(compact, &placer);
    compact->packed_end = placer.cursor;
}
