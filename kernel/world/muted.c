/* The muted world: reads are real, what would change the outside is swallowed.
 *
 * For clones of a running VM. A clone shares its open files with the original, and
 * with them the file positions, so the first use of a regular file gives it a
 * private open file at the same position, without the right to write. Files to be
 * made are /dev/null. Standard output and error are swallowed like the rest.
 */
#include "worlds.h"

#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct MutedWorld {
    WorldState base;
    unsigned char
        *private; /* a flag for each file descriptor below `count`: it has been looked at */
    size_t count;
} MutedWorld;

static MutedWorld *muted_of(const OsvmWorld *world)
{
    return world->state;
}

static void mark_private(MutedWorld *muted, int file)
{
    size_t needed = (size_t)file + 1;
    if (needed > muted->count) {
        muted->private = realloc(muted->private, needed * 2);
        REQUIRE(muted->private, "the host has no memory for %zu open files", needed);
        for (size_t i = muted->count; i < needed * 2; i++)
            muted->private[i] = 0;
        muted->count = needed * 2;
    }
    muted->private[file] = 1;
}

/* Puts a private, read-only open file in the place of a shared one. */
static void reopen(int file)
{
    struct stat stat;
    char path[40];
    off_t position = lseek(file, 0, SEEK_CUR);
    if (position < 0 || fstat(file, &stat) < 0 || !S_ISREG(stat.st_mode))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int own = open(path, O_RDONLY | O_CLOEXEC);
    if (own < 0)
        own = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (own < 0)
        return;
    lseek(own, position, SEEK_SET);
    dup3(own, file, O_CLOEXEC);
    close(own);
}

static void make_private(const OsvmWorld *world, int file)
{
    MutedWorld *muted = muted_of(world);
    if (file < 0 || ((size_t)file < muted->count && muted->private[file]))
        return;
    mark_private(muted, file);
    reopen(file);
}

static int muted_open(const OsvmWorld *world, const char *path, unsigned flags, unsigned mode)
{
    const OsvmWorld *live = muted_of(world)->base.inner;
    OsvmStat stat;
    bool there = live->stat(live, path, true, &stat) == 0;
    if (there && flags & OSVM_CREATE && flags & OSVM_EXCLUSIVE)
        return -EEXIST;
    bool empty = flags & OSVM_TRUNCATE || (!there && flags & OSVM_CREATE);
    int file = live->open(live, empty ? "/dev/null" : path, OSVM_READ, 0);
    if (file >= 0)
        mark_private(muted_of(world), file);
    return file;
}

static int muted_close(const OsvmWorld *world, int file)
{
    MutedWorld *muted = muted_of(world);
    if (file >= 0 && (size_t)file < muted->count)
        muted->private[file] = 0;
    return muted->base.inner->close(muted->base.inner, file);
}

static int64_t muted_read(const OsvmWorld *world, int file, void *buffer, size_t size)
{
    const OsvmWorld *live = muted_of(world)->base.inner;
    make_private(world, file);
    return live->read(live, file, buffer, size);
}

static int64_t muted_seek(const OsvmWorld *world, int file, int64_t offset, OsvmSeek from)
{
    const OsvmWorld *live = muted_of(world)->base.inner;
    make_private(world, file);
    return live->seek(live, file, offset, from);
}

/* --- What is swallowed ---------------------------------------------------- */

static int64_t muted_write(const OsvmWorld *world, int file, const void *buffer, size_t size)
{
    return fcntl(file, F_GETFD) < 0 ? -EBADF : (int64_t)size;
}

static int muted_truncate(const OsvmWorld *world, int file, int64_t size)
{
    return fcntl(file, F_GETFD) < 0 ? -EBADF : 0;
}

static int muted_sync(const OsvmWorld *world, int file)
{
    return fcntl(file, F_GETFD) < 0 ? -EBADF : 0;
}

static int muted_set_mode(const OsvmWorld *world, int file, unsigned mode)
{
    return fcntl(file, F_GETFD) < 0 ? -EBADF : 0;
}

/* A shared open file has its blocking mode in common with the original. */
static int muted_set_blocking(const OsvmWorld *world, int file, bool blocking)
{
    return fcntl(file, F_GETFD) < 0 ? -EBADF : 0;
}

static int swallow_path(const OsvmWorld *world, const char *path)
{
    return 0;
}

static int swallow_two_paths(const OsvmWorld *world, const char *from, const char *to)
{
    return 0;
}

static int muted_make_directory(const OsvmWorld *world, const char *path, unsigned mode)
{
    return 0;
}

static int muted_change_owner(const OsvmWorld *world, const char *path, bool follow, uint32_t user,
                              uint32_t group)
{
    return 0;
}

static int muted_spawn(const OsvmWorld *world, const OsvmSpawn *spawn)
{
    return -EPERM;
}

static int muted_kill(const OsvmWorld *world, int process, int signal)
{
    return -EPERM;
}

/* --- Sockets -------------------------------------------------------------- */

/* They are shared with the original, which is to get what arrives. So nothing does, nor is it
 * waited for. */

static int muted_watch(const OsvmWorld *world, int file, unsigned events, OsvmReady *ready,
                       void *context)
{
    const OsvmWorld *live = muted_of(world)->base.inner;
    struct stat stat;
    bool is_socket = fstat(file, &stat) == 0 && S_ISSOCK(stat.st_mode);
    return is_socket && events ? 0 : live->watch(live, file, events, ready, context);
}

static int muted_socket(const OsvmWorld *world, OsvmFamily family, OsvmSocketType type)
{
    return -EPERM;
}

static int muted_connect(const OsvmWorld *world, int file, const OsvmAddress *address)
{
    return -EPERM;
}

static int muted_bind(const OsvmWorld *world, int file, const OsvmAddress *address)
{
    return 0;
}

static int muted_listen(const OsvmWorld *world, int file, int backlog)
{
    return 0;
}

static int muted_accept(const OsvmWorld *world, int file)
{
    return -EAGAIN;
}

static int64_t muted_send(const OsvmWorld *world, int file, const void *data, size_t size,
                          const OsvmAddress *address)
{
    return muted_write(world, file, data, size);
}

static int64_t muted_receive(const OsvmWorld *world, int file, void *data, size_t size, bool peek,
                             OsvmAddress *address)
{
    return -EAGAIN;
}

static int muted_set_option(const OsvmWorld *world, int file, int level, int name,
                            const void *value, size_t size)
{
    return 0;
}

static int muted_poll(const OsvmWorld *world, int file, unsigned events)
{
    return (int)(events & OSVM_WRITABLE);
}

static int muted_resolve(const OsvmWorld *world, const OsvmLookup *lookup, OsvmFound *found,
                         size_t room)
{
    return EAI_FAIL;
}

static int muted_resolve_address(const OsvmWorld *world, const OsvmAddress *address,
                                 unsigned flags, char *host, size_t host_size, char *service,
                                 size_t service_size)
{
    return EAI_FAIL;
}

static void mute_sockets(OsvmWorld *world)
{
    world->watch = muted_watch;
    world->socket = muted_socket;
    world->bind = muted_bind;
    world->listen = muted_listen;
    world->accept = muted_accept;
    world->connect = muted_connect;
    world->send = muted_send;
    world->receive = muted_receive;
    world->set_option = muted_set_option;
    world->poll = muted_poll;
    world->resolve = muted_resolve;
    world->resolve_address = muted_resolve_address;
}

static void muted_release(WorldState *state)
{
    free(((MutedWorld *)state)->private);
}

OsvmWorld *world_muted_new(const OsvmWorld *inner)
{
    MutedWorld *muted = world_state_new(sizeof *muted, "muted", inner);
    OsvmWorld *world = &muted->base.world;
    muted->base.release = muted_release;
    mute_sockets(world);
    world->swallows = true;
    world->open = muted_open;
    world->close = muted_close;
    world->read = muted_read;
    world->seek = muted_seek;
    world->write = muted_write;
    world->truncate = muted_truncate;
    world->sync = muted_sync;
    world->set_mode = muted_set_mode;
    world->set_blocking = muted_set_blocking;
    world->rename = swallow_two_paths;
    world->symlink = swallow_two_paths;
    world->unlink = swallow_path;
    world->remove_directory = swallow_path;
    world->sync_directory = swallow_path;
    world->make_directory = muted_make_directory;
    world->change_mode = muted_make_directory;
    world->change_owner = muted_change_owner;
    world->spawn = muted_spawn;
    world->kill = muted_kill;
    return world;
}
