/* The map of live memory: one bit for each 8 bytes (a granule) of new and old
 * space, set for every granule of every live object, first to last.
 *
 * Because a reference to an object always names the same granule (its header),
 * the bit there is the object's mark; because the bits cover objects wholly,
 * counting them gives new addresses and runs of clear bits are free memory.
 * Where one object ends and the next begins is read from the headers.
 *
 * Memory is divided into blocks of 4 KiB, which is one cache line of the map.
 * For each block a second table says how many granules at its beginning belong
 * to an object that started in an earlier one (its tail): so each block can be
 * walked, placed and updated without looking at the blocks before it.
 */
#ifndef OSVM_PLUGINS_GC_LIVE_MAP_H
#define OSVM_PLUGINS_GC_LIVE_MAP_H

#include "osvm/heap.h"

enum {
    GRANULE_SHIFT = 3,
    BLOCK_SHIFT = 12,
    BLOCK_BYTES = 1 << BLOCK_SHIFT,
    BLOCK_GRANULES = BLOCK_BYTES >> GRANULE_SHIFT,
    BLOCK_MAP_WORDS = BLOCK_GRANULES / 64,
    TAIL_MASK = 0x3FF,    /* 0 to BLOCK_GRANULES */
    BLOCK_PINNED = 0x400, /* an object that begins in this block is pinned */
};

typedef struct {
    Word base;      /* address of the first granule; block-aligned */
    size_t blocks;  /* how many are covered */
    uint64_t *bits; /* the map, BLOCK_MAP_WORDS a block, and one word more, always clear */
    uint16_t *tails; /* granules of the tail, and BLOCK_PINNED; one entry more, always 0 */
    void *table;    /* the host's memory behind both */
    size_t table_bytes;
    bool has_popcount; /* the processor counts bits */
} LiveMap;

/* live_map.c */
/* Covers [start, end), all clear. False when the host has no memory. */
bool live_map_open(LiveMap *map, Heap *heap, Word start, Word end);
void live_map_close(LiveMap *map, Heap *heap);
/* Sets granules [first, first + count), and the tails of the blocks they go on in.
 * `shared`: other threads set other granules at the same time. */
void live_map_set_long(LiveMap *map, size_t first, size_t count, bool shared);
/* The first granule at or after `from` and below `limit` that is set; `limit` if none. */
size_t live_map_next_set(const LiveMap *map, size_t from, size_t limit);
size_t live_map_next_clear(const LiveMap *map, size_t from, size_t limit);

static inline size_t live_map_granule(const LiveMap *map, Word address)
{
    return (size_t)(address - map->base) >> GRANULE_SHIFT;
}

static inline Word live_map_address(const LiveMap *map, size_t granule)
{
    return map->base + ((Word)granule << GRANULE_SHIFT);
}

static inline bool live_map_test(const LiveMap *map, size_t granule)
{
    return __atomic_load_n(&map->bits[granule >> 6], __ATOMIC_RELAXED) >> (granule & 63) & 1;
}

static inline bool live_map_has(const LiveMap *map, Oop object)
{
    return live_map_test(map, live_map_granule(map, object));
}

/* Where the bit of the object is. */
static inline uint64_t *live_map_word(const LiveMap *map, Oop object)
{
    return &map->bits[live_map_granule(map, object) >> 6];
}

static inline size_t live_map_tail(const LiveMap *map, size_t block)
{
    return map->tails[block] & TAIL_MASK;
}

static inline bool live_map_is_pinned(const LiveMap *map, size_t block)
{
    return (map->tails[block] & BLOCK_PINNED) != 0;
}

/* Bits set. Compilers that may not rely on the instruction call a library routine. */
static inline unsigned live_map_count(const LiveMap *map, uint64_t bits)
{
#ifdef __x86_64__
    if (__builtin_expect(map->has_popcount, 1)) {
        uint64_t count;
        __asm__("popcntq %1, %0" : "=r"(count) : "r"(bits) : "cc");
        return (unsigned)count;
    }
#endif
    (void)map;
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (unsigned)(bits * 0x0101010101010101u >> 56);
}

/* ---- Walking live objects ---- */

/* The first live object whose memory begins at or after granule `from` and before
 * `limit`, or NO_OOP. No object may lie across `from`. */
static inline Oop live_map_object(const LiveMap *map, size_t from, size_t limit)
{
    size_t granule = live_map_next_set(map, from, limit);
    return granule == limit ? NO_OOP : object_at_start(live_map_address(map, granule));
}

/* Where the first live object that begins in `block` may be: after the tail. */
static inline size_t live_map_block_first(const LiveMap *map, size_t block)
{
    return block * BLOCK_GRANULES + live_map_tail(map, block);
}

#endif
