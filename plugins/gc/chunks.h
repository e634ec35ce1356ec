/* Free memory of old space, for collectors that allocate by address.
 *
 * Free memory is the tail, [tail, old_end), and chunks on lists. All of it is
 * walkable at any time: chunks and tail are objects of class CLASS_FREE. Lists are
 * segregated by size: one for each multiple of 8 up to 512 bytes, then four to
 * each power of two. A chunk's first slot links it to the next of its list.
 *
 * Small objects are carved one after the other from the run, a chunk taken off the
 * lists or the tail for this purpose: objects allocated together lie together, and
 * large ones lie apart from them. Whatever is left by a division has 16 bytes or more.
 *
 * Invariants (chunks_check):
 *  C1  every chunk on a list has class CLASS_FREE, lies in old space, and is on the
 *      list of its size; no two chunks overlap;
 *  C2  a list has its bit in the map exactly if it is not empty;
 *  C3  free_bytes and count are the sums over lists, run and tail;
 *  C4  run and tail are empty or a chunk of 16 bytes or more;
 *  C5  nothing else in old space has class CLASS_FREE.
 */
#ifndef OSVM_PLUGINS_GC_CHUNKS_H
#define OSVM_PLUGINS_GC_CHUNKS_H

#include "osvm/heap.h"

enum {
    CHUNK_EXACT_LISTS = 65,                  /* sizes 16 to 512, indexed by size / 8 */
    CHUNK_LISTS = CHUNK_EXACT_LISTS + 4 * 55, /* and four to each power of two from 512 on */
    CHUNK_MAP_WORDS = (CHUNK_LISTS + 63) / 64,
};

typedef struct {
    Heap *heap;
    Word run, run_end;       /* small objects come from here */
    Word tail, tail_end;     /* the free end of old space; tail_end is old_end */
    Word free_bytes;         /* in lists, run and tail */
    Word count;              /* chunks, run and tail included */
    uint64_t allocations;    /* blocks and buffers handed out */
    bool poison;             /* what becomes free is overwritten */
    uint64_t map[CHUNK_MAP_WORDS]; /* lists that are not empty */
    Oop lists[CHUNK_LISTS];  /* heads; NO_OOP ends a list */
} Chunks;

typedef void (*ChunkReport)(void *context, const char *sentence);

/* chunks.c */
/* Nothing is free, and old space ends at `end`. */
void chunks_reset(Chunks *chunks, Heap *heap, Word end);
/* [start, end) is free from now on: on a list, or joined to the tail it touches. */
void chunks_add(Chunks *chunks, Word start, Word end);
/* Start of `bytes` bytes; 0 if there are not so many in one piece. */
Word chunks_allocate_slow(Chunks *chunks, Word bytes);
/* A piece of at least `least`, about `wanted` bytes. */
bool chunks_take(Chunks *chunks, Word least, Word wanted, Word *start, Word *end);
/* Old space grew to `end`; from `from` on it is free. */
void chunks_extend(Chunks *chunks, Word from, Word end);
/* Shortens the tail by whole pages so that `keep` free bytes remain in all; answers
 * the new end of old space. */
Word chunks_trim(Chunks *chunks, Word keep);
/* Size of the largest block that can be allocated. */
Word chunks_largest(const Chunks *chunks);
/* Verifies C1 to C5; answers the number of findings. */
size_t chunks_check(const Chunks *chunks, ChunkReport report, void *context);

/* Takes `bytes` from the front of [*start, end), if what is left is nothing or a
 * chunk, and keeps the rest walkable. Answers 0 where it does not fit. */
static inline Word chunks_carve(Chunks *chunks, Word *start, Word end, Word bytes)
{
    Word at = *start, left = end - at;
    if (left < bytes + SMALLEST_OBJECT && left != bytes)
        return 0;
    *start = at + bytes;
    if (left != bytes)
        free_chunk_write(at + bytes, end);
    else
        chunks->count--;
    chunks->free_bytes -= bytes;
    chunks->allocations++;
    return at;
}

static inline Word chunks_allocate(Chunks *chunks, Word bytes)
{
    Word start = chunks_carve(chunks, &chunks->run, chunks->run_end, bytes);
    return __builtin_expect(start != 0, 1) ? start : chunks_allocate_slow(chunks, bytes);
}

#endif
