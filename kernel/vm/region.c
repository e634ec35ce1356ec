/* Reserving, committing and giving back the VM's address space. */
#include "kernel/vm/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include "osvm/world.h"

#if defined(__SANITIZE_ADDRESS__)
#define SHADOW_BELOW_4G 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHADOW_BELOW_4G 1
#endif
#endif
#ifndef SHADOW_BELOW_4G
#define SHADOW_BELOW_4G 0
#endif

#define MIB ((uint64_t)1 << 20)

/* Marking and sliding touch memory everywhere: with small pages half of their time is spent on
 * looking up translations. */
#define WORTH_HUGE_PAGES (4 * MIB)
#define GIB ((uint64_t)1 << 30)

uint64_t region_max_heap(const CoreSetup *setup)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    if (setup->max_heap || WORD_BITS == 32 || pages < 0)
        return setup->max_heap;
    return (uint64_t)pages * (uint64_t)page_size / 4 * 3;
}

/* What a region may look like: sizes tried from `most` down to `least`, bases in
 * [first, last]. */
typedef struct {
    uint64_t most, least;
    uint64_t first, last;
    uint64_t fixed[4]; /* the documented bases */
    uint64_t top;      /* no region ends above */
} Bounds;

static Bounds bounds_for(const CoreSetup *setup)
{
    uint64_t wanted = setup->max_heap ? setup->max_heap + 512 * MIB : 0;
    if (WORD_BITS == 64)
        return (Bounds){
            .most = wanted > 4096 * GIB ? wanted : 4096 * GIB,
            .least = wanted ? wanted : 2 * GIB,
            .first = 0x200000000000,
            .last = 0x580000000000,
            .fixed = { 0x200000000000, 0x300000000000, 0x400000000000, 0x500000000000 },
            .top = 0x7FF000000000,
        };
    uint64_t top = SHADOW_BELOW_4G ? 0x7FF00000 : 0xFFFF0000;
    return (Bounds){
        .most = wanted && wanted < top - 0x10000000 ? wanted : top - 0x10000000,
        .least = 64 * MIB,
        .first = 0x10000000,
        .last = 0x18000000,
        .fixed = { 0x10000000, 0x20000000, 0x30000000, 0x40000000 },
        .top = top,
    };
}

static void *map_at(uint64_t base, uint64_t bytes)
{
    void *got = mmap((void *)(uintptr_t)base, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED)
        return NULL;
    if ((uintptr_t)got == base)
        return got;
    munmap(got, bytes); /* a kernel without MAP_FIXED_NOREPLACE takes the address as a hint */
    return NULL;
}

static bool take(Region *region, const Bounds *bounds, uint64_t base, uint64_t bytes)
{
    if (base + bytes > bounds->top)
        bytes = bounds->top - base;
    if (bytes < bounds->least || !map_at(base, bytes))
        return false;
    region->start = (Word)base;
    region->end = (Word)(base + bytes);
    return true;
}

static bool take_random(Region *region, const Bounds *bounds, const CoreSetup *setup, uint64_t bytes)
{
    const OsvmWorld *world = setup->host->world;
    for (int attempt = 0; attempt < 16; attempt++) {
        uint64_t random;
        if (world->random(world, &random, sizeof random) < 0)
            return false;
        uint64_t pages = (bounds->last - bounds->first) / region->page_size;
        uint64_t base = bounds->first + random % pages * region->page_size;
        if (take(region, bounds, base, bytes))
            return true;
    }
    return false;
}

static bool take_fixed(Region *region, const Bounds *bounds, uint64_t bytes)
{
    for (size_t i = 0; i < sizeof bounds->fixed / sizeof *bounds->fixed; i++)
        if (take(region, bounds, bounds->fixed[i], bytes))
            return true;
    return false;
}

bool region_reserve(Region *region, const CoreSetup *setup, OsvmError *error)
{
    region->page_size = (size_t)sysconf(_SC_PAGESIZE);
    Bounds bounds = bounds_for(setup);
    for (uint64_t bytes = bounds.most; bytes >= bounds.least; bytes = bytes / 4 * 3 / MIB * MIB) {
        if (!setup->deterministic && take_random(region, &bounds, setup, bytes))
            return true;
        if (take_fixed(region, &bounds, bytes))
            return true;
    }
    return setup->host->fail(error, OSVM_INTERNAL,
                             "no address space for a %d-bit heap of at least %" PRIu64 " MiB%s",
                             WORD_BITS, bounds.least / MIB,
                             WORD_BITS == 32 ? " below 4 GiB" : "");
}

void region_release(Region *region)
{
    if (region->start)
        munmap(word_pointer(region->start), region->end - region->start);
    region->start = region->end = 0;
}

bool region_commit(Region *region, Word start, Word end)
{
    CHECK(start >= region->start && end <= region->end && start <= end,
          "commit of [%" PRIxWORD ", %" PRIxWORD ") outside the region", start, end);
    if (start == end)
        return true;
    if (mprotect(word_pointer(start), end - start, PROT_READ | PROT_WRITE))
        return false;
    if (end - start >= WORTH_HUGE_PAGES)
        madvise(word_pointer(start), end - start, MADV_HUGEPAGE);
    return true;
}

void region_decommit(Region *region, Word start, Word end)
{
    CHECK(start >= region->start && end <= region->end && start <= end,
          "decommit of [%" PRIxWORD ", %" PRIxWORD ") outside the region", start, end);
    if (start == end)
        return;
    /* A fresh mapping returns both the pages and what was charged for them. */
    if (mmap(word_pointer(start), end - start, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        madvise(word_pointer(start), end - start, MADV_DONTNEED);
}

void region_discard(Region *region, Word start, Word end)
{
    CHECK(start >= region->start && end <= region->end && start <= end,
          "discard of [%" PRIxWORD ", %" PRIxWORD ") outside the region", start, end);
    madvise(word_pointer(start), end - start, MADV_DONTNEED);
}

void *side_memory_reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (bytes >= WORTH_HUGE_PAGES)
        madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void side_memory_release(void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, bytes);
}
