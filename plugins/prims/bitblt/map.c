/* What a pixel of the source becomes in the destination. */
#include "bitblt.h"

static unsigned component_bits(unsigned depth)
{
    return depth == 16 ? 5 : 8;
}

void map_convert_components(ColorMap *map, unsigned source_depth, unsigned target_depth)
{
    if (source_depth <= 8 || (!map->table_bits && target_depth <= 8))
        return;
    int bits = (int)component_bits(source_depth);
    int wanted = (int)(map->table_bits ? map->table_bits : component_bits(target_depth));
    int more = wanted - bits;
    if (more == 0)
        return;
    uint32_t part = (1u << (more < 0 ? wanted : bits)) - 1;
    int unused = more < 0 ? -more : 0; /* low bits of each component that are dropped */
    for (int i = RED; i <= BLUE; i++) {
        map->masks[i] = part << (bits * (BLUE - i) + unused);
        map->shifts[i] = more * (BLUE - i + 1);
    }
    map->masks[ALPHA] = 0;
    map->shifts[ALPHA] = 0;
    map->present = map->shifts_components = true;
}

bool map_is_identity(const int32_t shifts[4], const uint32_t masks[4])
{
    static const uint32_t same[4] = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
    for (int i = 0; i < 4; i++)
        if (shifts[i] != 0 || masks[i] != same[i])
            return false;
    return true;
}

static uint32_t shift(uint32_t value, int32_t left)
{
    if (left <= -32 || left >= 32)
        return 0;
    return left < 0 ? value >> -left : value << left;
}

uint32_t map_pixel(const ColorMap *map, uint32_t pixel)
{
    uint32_t mapped = pixel;
    if (map->shifts_components) {
        mapped = 0;
        for (int i = 0; i < 4; i++)
            mapped |= shift(pixel & map->masks[i], map->shifts[i]);
        if (mapped == 0 && pixel != 0)
            mapped = 1; /* as good as black, but not transparent */
    }
    return map->table ? map->table[mapped & map->table_mask] : mapped;
}

uint32_t map_components(uint32_t pixel, unsigned from, unsigned to)
{
    uint32_t mapped = 0;
    if (from == to)
        return pixel & ((1u << 3 * from) - 1);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t part = pixel >> i * from & ((1u << from) - 1);
        mapped |= (to > from ? part << (to - from) : part >> (from - to)) << i * to;
    }
    return mapped == 0 && pixel != 0 && to < from ? 1 : mapped;
}
