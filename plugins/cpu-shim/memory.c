/* What is mapped, and what code is told to have changed. */
#include "shim.h"

#include <string.h>

/* ---- Lists of ranges ---- */

bool ranges_add(Shim *shim, Ranges *ranges, Range range)
{
    unsigned at = 0;
    if (ranges->count == ranges->capacity) {
        unsigned wanted = ranges->capacity ? 2 * ranges->capacity : 16;
        Range *bigger = shim->host->resize(shim->host, ranges->items,
                                           ranges->capacity * sizeof *bigger,
                                           wanted * sizeof *bigger);
        if (!bigger)
            return false;
        ranges->items = bigger;
        ranges->capacity = wanted;
    }
    while (at < ranges->count && ranges->items[at].start <= range.start)
        at++;
    memmove(ranges->items + at + 1, ranges->items + at,
            (ranges->count - at) * sizeof *ranges->items);
    ranges->items[at] = range;
    ranges->count++;
    return true;
}

bool ranges_remove(Ranges *ranges, uintptr_t start, uintptr_t end)
{
    for (unsigned at = 0; at < ranges->count; at++)
        if (ranges->items[at].start == start && ranges->items[at].end == end) {
            ranges->count--;
            memmove(ranges->items + at, ranges->items + at + 1,
                    (ranges->count - at) * sizeof *ranges->items);
            return true;
        }
    return false;
}

const Range *ranges_at(const Ranges *ranges, uintptr_t start, uintptr_t end)
{
    for (unsigned at = 0; at < ranges->count; at++)
        if (ranges->items[at].start < end && start < ranges->items[at].end)
            return &ranges->items[at];
    return NULL;
}

void ranges_free(Shim *shim, Ranges *ranges)
{
    shim->host->free(shim->host, ranges->items, ranges->capacity * sizeof *ranges->items);
    *ranges = (Ranges){0};
}

/* ---- Mapping ---- */

bool memory_is_mapped(const Shim *shim, uintptr_t start, uintptr_t end, unsigned access)
{
    const Range *range;
    for (uintptr_t at = start; at < end; at = range->end) {
        range = ranges_at(&shim->mapped, at, at + 1);
        if (!range || (range->access & access) != access)
            return false;
    }
    return true;
}

static void require_pages(const char *what, uintptr_t start, uintptr_t end)
{
    REQUIRE(start <= end && start % CPU_PAGE == 0 && end % CPU_PAGE == 0,
            "%s of [0x%zx, 0x%zx): pass whole pages of %d bytes (P1)", what, (size_t)start,
            (size_t)end, CPU_PAGE);
}

/* Memory grows piece by piece: what continues a range is part of it. */
static bool note(Shim *shim, Range range)
{
    for (unsigned i = 0; i < shim->mapped.count; i++) {
        Range *before = &shim->mapped.items[i];
        if (before->end == range.start && before->access == range.access) {
            before->end = range.end;
            return true;
        }
    }
    return ranges_add(shim, &shim->mapped, range);
}

bool memory_map(Cpu *cpu, uintptr_t start, uintptr_t end, unsigned access)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "map");
    require_pages("map", start, end);
    REQUIRE(access && !(access & ~(unsigned)(CPU_READ | CPU_WRITE | CPU_EXECUTE)),
            "[0x%zx, 0x%zx) is mapped for access %u, which is none (P1)", (size_t)start,
            (size_t)end, access);
    const Range *there = ranges_at(&shim->mapped, start, end);
    if (!shim->inner->ops->map(shim->inner, start, end, access))
        return false;
    REQUIRE(!there || !shim->ops.simulated,
            "the processor maps [0x%zx, 0x%zx) over [0x%zx, 0x%zx), and has to refuse (P1)",
            (size_t)start, (size_t)end, (size_t)there->start, (size_t)there->end);
    for (unsigned i = 0; i < shim->setup.routine_count; i++)
        REQUIRE(!shim->ops.simulated || shim->routines[i] < start || shim->routines[i] >= end,
                "the processor maps [0x%zx, 0x%zx) over the address of routine %s, and has to refuse "
                "(P1)", (size_t)start, (size_t)end, shim->setup.routines[i].name);
    REQUIRE(start == end || there || note(shim, (Range){start, end, access}),
            "the host has no memory for the list of what is mapped");
    return true;
}

/* Takes [start, end) out of the list; parts of ranges stay. */
static void forget(Shim *shim, uintptr_t start, uintptr_t end)
{
    const Range *found;
    while ((found = ranges_at(&shim->mapped, start, end)) != NULL) {
        Range range = *found;
        bool kept = true;
        ranges_remove(&shim->mapped, range.start, range.end);
        if (range.start < start)
            kept &= ranges_add(shim, &shim->mapped, (Range){range.start, start, range.access});
        if (range.end > end)
            kept &= ranges_add(shim, &shim->mapped, (Range){end, range.end, range.access});
        REQUIRE(kept, "the host has no memory for the list of what is mapped");
    }
}

void memory_unmap(Cpu *cpu, uintptr_t start, uintptr_t end)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "unmap");
    require_pages("unmap", start, end);
    REQUIRE(memory_is_mapped(shim, start, end, 0),
            "[0x%zx, 0x%zx) is unmapped, and not all of it was mapped (P1)", (size_t)start,
            (size_t)end);
    forget(shim, start, end);
    shim->inner->ops->unmap(shim->inner, start, end);
}

void memory_code_changed(Cpu *cpu, uintptr_t start, uintptr_t end)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "code_changed");
    REQUIRE(start <= end && memory_is_mapped(shim, start, end, CPU_EXECUTE),
            "code changed in [0x%zx, 0x%zx), and not all of that is mapped to be executed: map it "
            "first (P1, P2)", (size_t)start, (size_t)end);
    shim->inner->ops->code_changed(shim->inner, start, end);
}
