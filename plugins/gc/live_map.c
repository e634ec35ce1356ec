#include "live_map.h"

bool live_map_open(LiveMap *map, Heap *heap, Word start, Word end)
{
#ifdef __x86_64__
    map->has_popcount = __builtin_cpu_supports("popcnt");
#endif
    map->base = start & ~(Word)(BLOCK_BYTES - 1);
    map->blocks = ((size_t)(end - map->base) + BLOCK_BYTES - 1) >> BLOCK_SHIFT;
    size_t bits_bytes = (map->blocks * BLOCK_MAP_WORDS + 1) * sizeof *map->bits;
    map->table_bytes = bits_bytes + (map->blocks + 1) * sizeof *map->tails;
    map->table = heap->host->side_table_reserve(heap, map->table_bytes);
    map->bits = map->table;
    map->tails = (uint16_t *)((char *)map->table + bits_bytes);
    return map->table != NULL;
}

void live_map_close(LiveMap *map, Heap *heap)
{
    heap->host->side_table_release(heap, map->table, map->table_bytes);
    *map = (LiveMap){0};
}

static void set_word(uint64_t *word, uint64_t bits, bool shared)
{
    if (shared)
        __atomic_fetch_or(word, bits, __ATOMIC_RELAXED);
    else
        *word |= bits;
}

/* Granules [first, last] may lie in many words; those between are the object's alone. */
static void set_bits(LiveMap *map, size_t first, size_t last, bool shared)
{
    uint64_t head = ~(uint64_t)0 << (first & 63);
    uint64_t tail = ~(uint64_t)0 >> (63 - (last & 63));
    if (first >> 6 == last >> 6) {
        set_word(&map->bits[first >> 6], head & tail, shared);
        return;
    }
    set_word(&map->bits[first >> 6], head, shared);
    for (size_t word = (first >> 6) + 1; word < last >> 6; word++)
        map->bits[word] = ~(uint64_t)0;
    set_word(&map->bits[last >> 6], tail, shared);
}

void live_map_set_long(LiveMap *map, size_t first, size_t count, bool shared)
{
    size_t end = first + count;
    set_bits(map, first, end - 1, shared);
    for (size_t block = first / BLOCK_GRANULES + 1; block * BLOCK_GRANULES < end; block++) {
        size_t tail = end - block * BLOCK_GRANULES;
        /* Atomic: another thread may note that an object in this block is pinned. */
        __atomic_fetch_or(&map->tails[block],
                          (uint16_t)(tail < BLOCK_GRANULES ? tail : BLOCK_GRANULES),
                          __ATOMIC_RELAXED);
    }
}

/* The first granule at or after `from` whose bit differs from `flip`'s. */
static size_t next_bit(const LiveMap *map, size_t from, size_t limit, uint64_t flip)
{
    if (from >= limit)
        return limit;
    size_t word = from >> 6;
    uint64_t bits = (map->bits[word] ^ flip) & ~(uint64_t)0 << (from & 63);
    while (!bits) {
        if (++word << 6 >= limit)
            return limit;
        bits = map->bits[word] ^ flip;
    }
    size_t found = (word << 6) + (size_t)__builtin_ctzll(bits);
    return found < limit ? found : limit;
}

size_t live_map_next_set(const LiveMap *map, size_t from, size_t limit)
{
    return next_bit(map, from, limit, 0);
}

size_t live_map_next_clear(const LiveMap *map, size_t from, size_t limit)
{
    return next_bit(map, from, limit, ~(uint64_t)0);
}
