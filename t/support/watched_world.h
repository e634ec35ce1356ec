/* A world for tests of modules: the muted or the denied one, in which time and chance are always the same,
 * waiting ends at once and nobody is asked for names of hosts; it counts what was opened and not closed, and
 * what was refused. */
#ifndef OSVM_T_WATCHED_WORLD_H
#define OSVM_T_WATCHED_WORLD_H

#include <pthread.h>

#include "osvm/world.h"

enum { WATCHED_FILES = 1 << 14 };

typedef struct WatchedWorld WatchedWorld;
struct WatchedWorld {
    WatchedWorld *next;      /* opened before */
    OsvmWorld *live, *world; /* `world` is for the module */
    OsvmWorld below;         /* as it was before it was watched */
    pthread_t owner;
    bool has_threads;        /* others than the owner came */
    int64_t now_us;
    uint64_t chance;
    unsigned refusals;       /* calls that answered -EPERM */
    bool denied;
    bool is_open[WATCHED_FILES];
    size_t open_lists;
};

/* What was opened last is closed first. */
void watched_world_open(WatchedWorld *watched, bool denied);
size_t watched_world_open_files(const WatchedWorld *watched); /* sockets and listings too */
void watched_world_close(WatchedWorld *watched);

#endif
