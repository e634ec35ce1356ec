#include "t/support/watched_world.h"

#include <netdb.h>
#include <string.h>

#include "kernel/world/worlds.h"

typedef const OsvmWorld World;

static WatchedWorld *all; /* that are open */

static WatchedWorld *watched_of(World *world)
{
    WatchedWorld *watched = all;
    while (watched->world != world)
        watched = watched->next;
    return watched;
}

/* What is below. */
static World *touch(World *world)
{
    WatchedWorld *watched = watched_of(world);
    if (!pthread_equal(pthread_self(), watched->owner))
        watched->has_threads = true;
    return &watched->below;
}

static int64_t note(World *world, int64_t answer)
{
    watched_of(world)->refusals += answer == -EPERM;
    return answer;
}

static int note_opened(World *world, int file)
{
    if (file >= 0 && file < WATCHED_FILES)
        watched_of(world)->is_open[file] = true;
    return (int)note(world, file);
}

/* ---- What is passed on, and counted ---- */

#define PASSED(type, name, parameters, arguments)                                                  \
    static type watched_##name parameters                                                          \
    {                                                                                              \
        return (type)note(w, touch(w)->name arguments);                                                \
    }
#define OPENED(name, parameters, arguments)                                                        \
    static int watched_##name parameters                                                           \
    {                                                                                              \
        return note_opened(w, touch(w)->name arguments);                                               \
    }
OPENED(open, (World * w, const char *path, unsigned flags, unsigned mode), (w, path, flags, mode))
OPENED(accept, (World * w, int file), (w, file))
PASSED(int64_t, read, (World * w, int file, void *buffer, size_t size), (w, file, buffer, size))
PASSED(int64_t, write, (World * w, int file, const void *buffer, size_t size), (w, file, buffer, size))
PASSED(int64_t, seek, (World * w, int file, int64_t offset, OsvmSeek from), (w, file, offset, from))
PASSED(int, truncate, (World * w, int file, int64_t size), (w, file, size))
PASSED(int, sync, (World * w, int file), (w, file))
PASSED(int, stat_file, (World * w, int file, OsvmStat *stat), (w, file, stat))
PASSED(int, stat, (World * w, const char *path, bool follow, OsvmStat *stat), (w, path, follow, stat))
PASSED(int, rename, (World * w, const char *from, const char *to), (w, from, to))
PASSED(int, unlink, (World * w, const char *path), (w, path))
PASSED(int, symlink, (World * w, const char *target, const char *path), (w, target, path))
PASSED(int, read_link, (World * w, const char *path, char *buffer, size_t size), (w, path, buffer, size))
PASSED(int, real_path, (World * w, const char *path, char *buffer, size_t size), (w, path, buffer, size))
PASSED(int, directory, (World * w, char *buffer, size_t size), (w, buffer, size))
PASSED(int, make_directory, (World * w, const char *path, unsigned mode), (w, path, mode))
PASSED(int, remove_directory, (World * w, const char *path), (w, path))
PASSED(int, sync_directory, (World * w, const char *path), (w, path))
PASSED(int, set_variable, (World * w, const char *name, const char *value), (w, name, value))
PASSED(int, access, (World * w, const char *path, unsigned wanted), (w, path, wanted))
PASSED(int, change_mode, (World * w, const char *path, unsigned mode), (w, path, mode))
PASSED(int, change_owner, (World * w, const char *path, bool follow, uint32_t user, uint32_t group),
       (w, path, follow, user, group))
PASSED(int, bind, (World * w, int file, const OsvmAddress *address), (w, file, address))
PASSED(int, listen, (World * w, int file, int backlog), (w, file, backlog))
PASSED(int, connect, (World * w, int file, const OsvmAddress *address), (w, file, address))
PASSED(int64_t, send, (World * w, int file, const void *data, size_t size, const OsvmAddress *address),
       (w, file, data, size, address))
PASSED(int64_t, receive, (World * w, int file, void *data, size_t size, bool peek, OsvmAddress *address),
       (w, file, data, size, peek, address))
PASSED(int, socket_address, (World * w, int file, bool peer, OsvmAddress *address),
       (w, file, peer, address))
PASSED(int, get_option, (World * w, int file, int level, int name, void *value, size_t *size),
       (w, file, level, name, value, size))
PASSED(int, set_option, (World * w, int file, int level, int name, const void *value, size_t size),
       (w, file, level, name, value, size))
PASSED(int, host_name, (World * w, char *name, size_t size), (w, name, size))
PASSED(int, host_address, (World * w, OsvmFamily family, OsvmAddress *address), (w, family, address))

static int watched_close(World *w, int file)
{
    if (file >= 0 && file < WATCHED_FILES)
        watched_of(w)->is_open[file] = false;
    return (int)note(w, touch(w)->close(w, file));
}

static int watched_list_open(World *w, const char *path, OsvmDir **directory)
{
    int answer = touch(w)->list_open(w, path, directory);
    watched_of(w)->open_lists += answer == 0;
    return (int)note(w, answer);
}

static void watched_list_close(World *w, OsvmDir *directory)
{
    watched_of(w)->open_lists--;
    touch(w)->list_close(w, directory);
}

/* ---- What is always the same ---- */

static int64_t watched_clock(World *w)
{
    touch(w);
    return watched_of(w)->now_us += 7;
}

static unsigned watched_wait(World *w, int64_t until_us)
{
    WatchedWorld *watched = watched_of(w);
    if (until_us != OSVM_FOREVER && until_us > watched->now_us)
        watched->now_us = until_us;
    return OSVM_WAIT_TIMEOUT;
}

static int watched_random(World *w, void *buffer, size_t size)
{
    WatchedWorld *watched = watched_of(w);
    for (size_t i = 0; i < size; i++) {
        watched->chance = watched->chance * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)buffer)[i] = (uint8_t)(watched->chance >> 56);
    }
    return 0;
}

static int watched_resolve(World *w, const OsvmLookup *lookup, OsvmFound *found, size_t room)
{
    touch(w);
    return EAI_FAIL;
}

static int watched_resolve_address(World *w, const OsvmAddress *address, unsigned flags, char *host,
                                   size_t host_size, char *service, size_t service_size)
{
    touch(w);
    return EAI_FAIL;
}

/* They can be made, but lead to nobody. */
static int watched_socket(World *w, OsvmFamily family, OsvmSocketType type)
{
    const OsvmWorld *live = watched_of(w)->live;
    touch(w);
    return note_opened(w, watched_of(w)->denied ? -EPERM : live->socket(live, family, type));
}

/* Where this process is it stays. */
static int watched_set_directory(World *w, const char *path)
{
    touch(w);
    return (int)note(w, -EPERM);
}

void watched_world_open(WatchedWorld *watched, bool denied)
{
    OsvmWorld *live = world_live_new(), *world = denied ? world_denied_new(live) : world_muted_new(live);
    *watched = (WatchedWorld){.live = live, .world = world, .below = *world, .owner = pthread_self(),
                              .denied = denied,
                              .now_us = 1000000000, .chance = 7, .next = all};
    all = watched;
#define WATCHED(name) world->name = watched_##name
    WATCHED(open), WATCHED(list_open), WATCHED(socket), WATCHED(accept), WATCHED(close), WATCHED(list_close);
    WATCHED(read), WATCHED(write), WATCHED(seek), WATCHED(truncate), WATCHED(sync), WATCHED(stat_file);
    WATCHED(stat), WATCHED(rename), WATCHED(unlink), WATCHED(symlink), WATCHED(read_link);
    WATCHED(real_path), WATCHED(directory), WATCHED(make_directory), WATCHED(remove_directory);
    WATCHED(sync_directory), WATCHED(set_variable), WATCHED(access), WATCHED(change_mode);
    WATCHED(change_owner), WATCHED(bind), WATCHED(listen), WATCHED(connect), WATCHED(send);
    WATCHED(receive), WATCHED(socket_address), WATCHED(get_option), WATCHED(set_option);
    WATCHED(host_name), WATCHED(host_address), WATCHED(wait), WATCHED(random), WATCHED(resolve);
    WATCHED(resolve_address), WATCHED(set_directory);
#undef WATCHED
    world->utc_us = world->mono_us = world->cpu_us = watched_clock;
}

size_t watched_world_open_files(const WatchedWorld *watched)
{
    size_t count = watched->open_lists;
    for (size_t i = 0; i < WATCHED_FILES; i++)
        count += watched->is_open[i];
    return count;
}

void watched_world_close(WatchedWorld *watched)
{
    all = watched->next;
    world_free(watched->world);
    world_free(watched->live);
}
