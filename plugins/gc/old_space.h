/* What collectors that keep free memory in chunks have in common: everything of
 * osvm/gc.h but collect. Such a collector's state begins with an OldSpace, and its
 * vtable names these functions.
 */
#ifndef OSVM_PLUGINS_GC_OLD_SPACE_H
#define OSVM_PLUGINS_GC_OLD_SPACE_H

#include "chunks.h"
#include "marker.h"
#include "osvm/plugin.h"

typedef struct {
    Gc gc; /* first: what others know of it */
    Chunks chunks;
    /* The image was adopted up to here without a look; free chunks below are
     * not on the lists yet. 0: none. */
    Word unlisted_end;
    MarkerSetup setup;  /* as the user wants it */
    unsigned torture;   /* GC_... */
    Marker marker;      /* from old_space_mark to old_space_close */
    uint64_t started;   /* when the phase began that old_space_lap will end */
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

/* ---- A collection: mark; reclaim as the collector does; close ---- */

/* Marks everything that is live, and replaces references to forwarders. False, with
 * `result` saying so, when there is no memory for it: nothing was collected. */
bool old_space_mark(OldSpace *space, GcResult *result);
/* Nothing is free but [packed_end, old_end); then gaps are added one by one. */
void old_space_begin_sweep(OldSpace *space, Word packed_end);
/* [start, end) holds nothing that lives. Pages of large gaps go back to the host. */
void old_space_add_gap(OldSpace *space, Word start, Word end);
/* The gaps between granules `from` and `end` of the live map. */
void old_space_add_gaps(OldSpace *space, size_t from, size_t end);
/* Microseconds since the last call or old_space_mark. */
uint64_t old_space_lap(OldSpace *space);
/* Bytes of old space that are not free. */
uint64_t old_space_live_bytes(const OldSpace *space);

/* The options of every such collector, and reading them. */
#define OLD_SPACE_OPTIONS                                                                          \
    {.name = "mark-stack", .kind = OSVM_SIZE, .value = "0", .choices = "BYTES", .max = INT64_MAX,  \
     .help = "size of the mark stack; 0: by the size of the heap"},                                \
    {.name = "area", .kind = OSVM_SIZE, .value = "0", .choices = "BYTES", .max = 1 << 30,          \
     .help = "memory that is marked at a time; 0: by the size of the heap"},                       \
    {.name = "threads", .kind = OSVM_NUMBER, .value = "0", .max = TEAM_MOST,                       \
     .help = "threads that collect; 0: by the machine and the size of the heap"}

void old_space_read_options(OldSpace *space, const OsvmHost *host);
void old_space_torture(Gc *gc, unsigned flags);

/* The vtable but for collect and the facts. */
#define OLD_SPACE_OPS                                                                              \
    .size = sizeof(GcOps), .start = old_space_start, .stop = old_space_stop,                       \
    .adopt = old_space_adopt, .extended = old_space_extended, .trim = old_space_trim,              \
    .allocate = old_space_allocate, .take_buffer = old_space_take_buffer,                          \
    .return_buffer = old_space_return_buffer, .free = old_space_free,                              \
    .barrier = old_space_barrier, .make_walkable = old_space_make_walkable,                        \
    .statistics = old_space_statistics, .self_check = old_space_self_check,                        \
    .torture = old_space_torture

#endif
