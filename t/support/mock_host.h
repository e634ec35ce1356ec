/* A host for memory managers and collectors under test: region, roots, a small
 * synthetic image. No interpreter, no frames; everything a HeapHost promises.
 *
 *     MockHost *host = mock_host_new(64 << 20);
 *     ... host->heap.mm = ..., host->heap.gc = ...
 *     mm->ops->start(mm, &config, ...); mm->ops->prepare_load(mm, MOCK_IMAGE_BYTES);
 *     Word end = mock_image_write(host); mm->ops->adopt(mm, end);
 *
 * A test keeps references in roots: mock_root_push() answers an index, which
 * stays good while objects move; mock_root() reads it again.
 */
#ifndef OSVM_T_MOCK_HOST_H
#define OSVM_T_MOCK_HOST_H

#include "osvm/heap.h"

typedef struct {
    Heap heap;       /* first, so that a Heap * of a callback is a MockHost * */
    HeapHost table;  /* heap.host points here */
    Word base;       /* the region: [base, limit), inaccessible until committed */
    Word limit;
    Oop *roots;      /* references, immediates or NO_OOP for an unused entry */
    size_t root_count, root_capacity;
    size_t committed;       /* bytes */
    size_t discarded;       /* sum of what discard was told */
    size_t commit_limit;    /* commits that would pass this fail; SIZE_MAX at first */
    size_t side_table_limit; /* the same for side tables in use */
    size_t side_table_bytes;
    unsigned polls_requested, caches_flushed, forwarders_followed, contexts_flushed;
    Word finalizations;     /* sum of what finalization_pending was told */
    uint64_t clock;         /* microseconds that now() adds to the real clock */
    char last_log[512];     /* newest line given to log() */
} MockHost;

/* Classes of the synthetic image beyond the well-known ones of object.h (which
 * it has as well: 32..38, 51..53, the immediates, the puns, and these two). */
enum {
    MOCK_SEMAPHORE = 48,
    MOCK_BYTE_ARRAY = 50,
    MOCK_METACLASS = CLASS_PAGE_SIZE, /* the class of all classes, itself included */
    MOCK_UNDEFINED,
    MOCK_BOOLEAN,
    MOCK_EMPTY,      /* no fields */
    MOCK_FIXED,      /* 3 fields */
    MOCK_VARIABLE,   /* 2 fields and indexed ones */
    MOCK_WEAK,       /* 1 strong field and weak indexed ones */
    MOCK_WEAK_ARRAY, /* weak indexed ones only */
    MOCK_EPHEMERON,  /* 3 fields, the first is the key */
    MOCK_METHOD,     /* compiled code */
    MOCK_WORDS32,
    MOCK_WORDS64,
    MOCK_SHORTS,
    MOCK_CLASS_END,
    MOCK_CLASS_SLOTS = 4, /* superclass, method dictionary, format, name */
    MOCK_CLASS_NAME = 3,
    MOCK_IMAGE_BYTES = 128 * 1024, /* enough for mock_image_write */
};

/* Reserves `region_bytes` of address space (below 2 GiB for 32-bit heaps) and
 * fills in heap.host. Ends the process when the host refuses. */
MockHost *mock_host_new(size_t region_bytes);
void mock_host_free(MockHost *host);

/* Where new space may begin: what a configuration's new_start should be. */
Word mock_host_new_start(const MockHost *host);

/* Writes nil, false, true, free lists, hidden roots, two class table pages, the
 * classes above and the special objects array at heap.old_start, which must be
 * committed; sets nil, false_object, true_object, hidden_roots, special_objects,
 * class_table_pages and last_hash. Answers where the image ends. */
Word mock_image_write(MockHost *host);

/* The next number of a series (xorshift64*); the state is not 0. */
static inline uint64_t mock_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1D;
}

size_t mock_root_push(MockHost *host, Oop oop);
void mock_root_pop(MockHost *host, size_t count);

static inline Oop mock_root(const MockHost *host, size_t index)
{
    return host->roots[index];
}

static inline void mock_root_set(MockHost *host, size_t index, Oop oop)
{
    host->roots[index] = oop;
}

#endif
