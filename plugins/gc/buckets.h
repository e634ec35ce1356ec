/* References that lead far away, put off.
 *
 * The heap is divided into areas. A worker traces one area at a time: what it finds
 * that leads into another waits in that area's bucket, and areas are visited in the
 * order of their addresses, round and round. In a heap whose references lead
 * anywhere a visit so meets many objects of few pages, where else each would wait for
 * memory and for its page's address. A heap of one area has one bucket, never used.
 *
 * What waits is named by its granule within the area, in batches of BATCH_BYTES.
 * They come from the far end of the worker's stack; without room the reference is
 * traced as if it led near.
 */
#ifndef OSVM_PLUGINS_GC_BUCKETS_H
#define OSVM_PLUGINS_GC_BUCKETS_H

#include "live_map.h"

enum {
    AREAS = 1024,             /* at most */
    AREA_MINIMUM = 1 << 20,   /* bytes; a heap of no more than AREAS_FROM is one area */
    AREAS_FROM = 64 << 20,
    BATCH_BYTES = 1024,       /* and so aligned */
};

typedef struct Batch {
    struct Batch *link; /* in a bucket: the one filled before it, or NULL */
    uint32_t granules[(BATCH_BYTES - sizeof(void *)) / sizeof(uint32_t)];
} Batch;

typedef struct {
    Word base;        /* address of the first area */
    unsigned shift;   /* log2 of an area's bytes */
    unsigned area;    /* the one that is being traced */
    uint32_t *taken;  /* of what waited for it, the entry before is next; NULL: nothing is left */
    unsigned filled;  /* buckets that are not empty */
    unsigned batches; /* in use */
    Batch *free;
    uint64_t waiting[AREAS / 64]; /* a bit for each bucket that is not empty */
    uint32_t *ends[AREAS];        /* behind a bucket's last entry; NULL: it is empty */
} Buckets;

/* buckets.c */
/* Areas of at least `area_bytes` (0: by the heap's size) for the heap [start, end). */
void buckets_open(Buckets *buckets, Word start, Word end, Word area_bytes);
/* Gives the bucket an empty batch. */
void buckets_extend(Buckets *buckets, unsigned area, Batch *batch);
/* Turns to the next area whose bucket is not empty; there must be one. */
void buckets_turn(Buckets *buckets);
/* Goes on to the batch behind the one that has been emptied. */
void buckets_next_batch(Buckets *buckets);

static inline unsigned buckets_area(const Buckets *buckets, Oop object)
{
    return (unsigned)((object - buckets->base) >> buckets->shift);
}

/* Whether the bucket has no batch with room for another entry. */
static inline bool buckets_need_batch(const Buckets *buckets, unsigned area)
{
    return ((uintptr_t)buckets->ends[area] & (BATCH_BYTES - 1)) == 0;
}

/* The bucket must have room. */
static inline void buckets_put(Buckets *buckets, unsigned area, Oop object)
{
    Word start = buckets->base + ((Word)area << buckets->shift);
    *buckets->ends[area]++ = (uint32_t)((object - start) >> GRANULE_SHIFT);
}

static inline bool buckets_are_empty(const Buckets *buckets)
{
    return !buckets->taken && !buckets->filled;
}

/* An object that waits, of the area that is being traced as long as there is one; they must not be empty. */
static inline Oop buckets_take(Buckets *buckets)
{
    if (__builtin_expect(!buckets->taken, 0))
        buckets_turn(buckets);
    Word start = buckets->base + ((Word)buckets->area << buckets->shift);
    Oop object = start + ((Word)*--buckets->taken << GRANULE_SHIFT);
    if (((uintptr_t)buckets->taken & (BATCH_BYTES - 1)) == offsetof(Batch, granules))
        buckets_next_batch(buckets);
    return object;
}

#endif
