#include "buckets.h"

/* The batch that an entry before `end` lies in. */
static Batch *batch_before(uint32_t *end)
{
    return (Batch *)((uintptr_t)(end - 1) & ~(uintptr_t)(BATCH_BYTES - 1));
}

void buckets_open(Buckets *buckets, Word start, Word end, Word area_bytes)
{
    *buckets = (Buckets){.base = start, .shift = WORD_BITS - 1};
    if (!area_bytes && end - start <= AREAS_FROM)
        return;
    Word least = area_bytes ? area_bytes : AREA_MINIMUM;
    buckets->shift = BLOCK_SHIFT;
    while ((Word)1 << buckets->shift < least || (end - start - 1) >> buckets->shift >= AREAS)
        buckets->shift++;
}

void buckets_extend(Buckets *buckets, unsigned area, Batch *batch)
{
    uint32_t *end = buckets->ends[area];
    if (!end) {
        buckets->waiting[area / 64] |= (uint64_t)1 << area % 64;
        buckets->filled++;
    }
    batch->link = end ? batch_before(end) : NULL;
    buckets->ends[area] = batch->granules;
    buckets->batches++;
}

void buckets_turn(Buckets *buckets)
{
    unsigned from = (buckets->area + 1) % AREAS, word = from / 64;
    uint64_t bits = buckets->waiting[word] & ~(uint64_t)0 << from % 64;
    while (!bits) {
        word = (word + 1) % (AREAS / 64);
        bits = buckets->waiting[word];
    }
    buckets->area = word * 64 + (unsigned)__builtin_ctzll(bits);
    buckets->waiting[word] &= ~(bits & -bits);
    buckets->filled--;
    buckets->taken = buckets->ends[buckets->area];
    buckets->ends[buckets->area] = NULL;
}

void buckets_next_batch(Buckets *buckets)
{
    Batch *batch = batch_before(buckets->taken);
    buckets->taken = batch->link ? (uint32_t *)(batch->link + 1) : NULL;
    batch->link = buckets->free;
    buckets->free = batch;
    buckets->batches--;
}
