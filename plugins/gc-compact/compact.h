/* gc-compact: marks, then slides what lives together, in address order.
 *
 *   mark (plugins/gc/marker)  ->  place: where does each block's content go
 *        ->  slide: update references, move  ->  sweep: free chunks from the gaps
 *
 * Placing works on blocks of the live map. The objects that begin in one block,
 * its unit, stay together: an object's new address is that of its unit plus the
 * live granules before it in the block, which one entry per block and one word of
 * the live map give (ranks as in Vigna, "Broadword Implementation of Rank/Select
 * Queries", 2008; addresses by counting as in Kermany and Petrank, "The
 * Compressor", 2006). So updating a reference reads no header.
 *
 * A unit stays where it is if one of its objects is pinned or fixed, or if it
 * lies in the dense prefix: the part of the heap where little would be won.
 * Units that move slide into the gaps before and between those that stay.
 *
 * Invariants:
 *  K1  A unit's new address is not above its old one, and never overlaps a unit that stays.
 *  K2  Of the units that move, none overtakes another.
 *  K3  What remains free between units is empty or 16 bytes at least: all sizes are
 *      multiples of 8, objects and dead runs have 16 or more, and a unit that
 *      would leave 8 is put behind the one that stays.
 */
#ifndef OSVM_PLUGINS_GC_COMPACT_H
#define OSVM_PLUGINS_GC_COMPACT_H

#include "osvm/plugin.h"
#include "plugins/gc/old_space.h"

/* Where a block's unit goes. */
typedef struct {
    /* Address of granule 0 of the block if it moved along with the unit, tail not
     * counted; for a unit that stays: where the gap before it begins, plus STAYS. */
    Word to;
    uint64_t ranks; /* live granules before map word k, 1..7, in bits 9(k-1)..9k-1; bit 63 clear */
} Place;

#define STAYS ((Word)1)

enum { REGION_BLOCKS = 64 }; /* what one thread slides at a time */

typedef struct {
    OldSpace space; /* first */
    Word prefix_waste;     /* the dense prefix may be free to one part in so many; 0: not at all */
    bool forced;           /* everything moves that can */

    /* ---- during a collection ---- */
    Place *places;         /* one for each block of old space */
    uint8_t *done;         /* one for each region: its blocks have been slid */
    size_t table_bytes;    /* of both */
    size_t first_block;    /* of old space; places are indexed by block - first_block */
    size_t end_block;      /* one past the last of old space */
    Word moving_start;     /* nothing below moves; old_end if nothing moves at all */
    Word packed_end;       /* one past the last unit's new place: the tail */
    uint64_t moved_objects, moved_bytes;
} Compact;

/* place.c */
/* Fills in `places`, moving_start and packed_end. */
void compact_place(Compact *compact);
/* One past the last object that begins in `block`. */
Word compact_unit_end(const Compact *compact, size_t block);

/* slide.c */
/* Updates all references and moves the objects. */
void compact_slide(Compact *compact);
/* Makes free chunks of everything that is not live. */
void compact_sweep(Compact *compact);

static inline bool compact_is_forced(const Compact *compact)
{
    return compact->forced || compact->space.torture & GC_MOVE_ALL;
}

static inline size_t compact_regions(const Compact *compact)
{
    return (compact->end_block - compact->first_block + REGION_BLOCKS - 1) / REGION_BLOCKS;
}

static inline Place *compact_place_of(const Compact *compact, size_t block)
{
    return &compact->places[block - compact->first_block];
}

/* The new address of the live memory at `granule`, which was `address`. */
static inline Word compact_moved(const Compact *compact, size_t granule, Word address)
{
    const LiveMap *map = &compact->space.marker.map;
    const Place *place = compact_place_of(compact, granule / BLOCK_GRANULES);
    if (place->to & STAYS)
        return address;
    size_t word = granule >> 6;
    /* Word 0 takes bit 63, which is clear. */
    unsigned rank = (unsigned)(place->ranks >> ((word + 7) % 8 * 9)) & 0x1FF;
    uint64_t before = map->bits[word] & (((uint64_t)1 << (granule & 63)) - 1);
    return place->to + ((Word)(rank + live_map_count(map, before)) << GRANULE_SHIFT);
}

/* The new address of a live object. */
static inline Oop compact_relocated(const Compact *compact, Oop object)
{
    if (object < compact->moving_start)
        return object;
    const LiveMap *map = &compact->space.marker.map;
    size_t granule = live_map_granule(map, object);
    if (__builtin_expect(granule % BLOCK_GRANULES == 0, 0) &&
        live_map_tail(map, granule / BLOCK_GRANULES)) {
        /* An object whose overflow word is the last granule of the block before:
         * it begins there and moves with that block's unit. */
        return compact_moved(compact, granule - 1, object - HEADER_BYTES) + HEADER_BYTES;
    }
    return compact_moved(compact, granule, object);
}

#endif
