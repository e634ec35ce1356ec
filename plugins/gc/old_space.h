/* What collectors that keep free memory in chunks have in common: everything of
 * osvm/gc.h but collect. Such a collector's state begins with an OldSpace, and its
 * vtable names these functions.
 */
#ifndef OSVM_PLUGINS_GC_OLD_SPACE_H
#define OSVM_PLUGINS_GC_OLD_SPACE_H

#include "chunks.h"
#include "marker.h"

typedef struct {
    Gc gc; /* first: what others know of it */
    Chunks chunks;
    /* The image was adopted up to here without a look; free chunks below are
     * not on the lists yet. 0: none. */
    Word unlisted_end;
} OldSpace;

/* old_space.c */
bool old_space_start(Gc *gc, char *error, size_t error_size);
void old_space_stop(Gc *gc);
void old_space_adopt(Gc *gc, Word used_end);
void old_space_extended(Gc *gc, Word from);
Word old_space_trim(Gc *gc, Word keep);
Word old_space_allocate(Gc *gc, Word bytes);
bool old_space_take_buffer(Gc *gc, Word least, Word wanted, Word *start, Word *end);
void old_space_return_buffer(Gc *gc, Word start, Word end);
void old_space_free(Gc *gc, Oop object);
void old_space_make_walkable(Gc *gc);
void old_space_statistics(Gc *gc, GcStatistics *statistics);
size_t old_space_self_check(Gc *gc, ChunkReport report, void *context);
/* For collectors that never set heap->marking. */
void old_space_barrier(Gc *gc, Oop object, Oop value);

/* Before a collection finds chunks anew: nothing is free but [packed_end, old_end). */
void old_space_begin_sweep(OldSpace *space, Word packed_end);
/* Bytes of old space that are not free. */
uint64_t old_space_live_bytes(const OldSpace *space);

/* The vtable but for collect and the facts. */
#define OLD_SPACE_OPS                                                                              \
    .size = sizeof(GcOps), .start = old_space_start, .stop = old_space_stop,                       \
    .adopt = old_space_adopt, .extended = old_space_extended, .trim = old_space_trim,              \
    .allocate = old_space_allocate, .take_buffer = old_space_take_buffer,                          \
    .return_buffer = old_space_return_buffer, .free = old_space_free,                              \
    .barrier = old_space_barrier, .make_walkable = old_space_make_walkable,                        \
    .statistics = old_space_statistics, .self_check = old_space_self_check

#endif
