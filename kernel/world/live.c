/* The live world: clocks, files, environment, randomness. */
#include "worlds.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What libc says, as 0 or a count, or -errno. */
static int64_t result(int64_t answer)
{
    return answer < 0 ? -errno : answer;
}

/* --- Time ----------------------------------------------------------------- */

static int64_t clock_us(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
}

static int64_t live_utc_us(const OsvmWorld *world)
{
    return clock_us(CLOCK_REALTIME);
}

static int64_t live_mono_us(const OsvmWorld *world)
{
    return clock_us(CLOCK_MONOTONIC);
}

static int64_t live_cpu_us(const OsvmWorld *world)
{
    return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

static int32_t live_utc_offset(const OsvmWorld *world, int64_t utc_us)
{
    time_t seconds = (time_t)(utc_us / 1000000);
    struct tm local;
    return localtime_r(&seconds, &local) ? (int32_t)local.tm_gmtoff : 0;
}

static void live_count_points(const OsvmWorld *world, uint64_t (*points)(void *context),
                              void *context)
{
    /* Real time does not count. */
}

/* --- Open files ----------------------------------------------------------- */

static int live_open(const OsvmWorld *world, const char *path, unsigned flags, unsigned mode)
{
    static const int access[] = {O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR};
    int how = access[flags & (OSVM_READ | OSVM_WRITE)] | O_CLOEXEC | O_NOCTTY;
    how |= flags & OSVM_CREATE ? O_CREAT : 0;
    how |= flags & OSVM_TRUNCATE ? O_TRUNC : 0;
    how |= flags & OSVM_EXCLUSIVE ? O_EXCL : 0;
    how |= flags & OSVM_APPEND ? O_APPEND : 0;
    return (int)result(open(path, how, mode));
}

static int live_close(const OsvmWorld *world, int file)
{
    return (int)result(close(file));
}

static int64_t live_read(const OsvmWorld *world, int file, void *buffer, size_t size)
{
    return result(read(file, buffer, size));
}

static int64_t live_write(const OsvmWorld *world, int file, const void *buffer, size_t size)
{
    return result(write(file, buffer, size));
}

static int64_t live_seek(const OsvmWorld *world, int file, int64_t offset, OsvmSeek from)
{
    static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    return result(lseek(file, offset, whence[from]));
}

static int live_truncate(const OsvmWorld *world, int file, int64_t size)
{
    return (int)result(ftruncate(file, size));
}

static int live_sync(const OsvmWorld *world, int file)
{
    return (int)result(fsync(file));
}

static int live_set_mode(const OsvmWorld *world, int file, unsigned mode)
{
    return (int)result(fchmod(file, mode));
}

static int live_set_blocking(const OsvmWorld *world, int file, bool blocking)
{
    int flags = fcntl(file, F_GETFL);
    if (flags < 0)
        return -errno;
    return (int)result(fcntl(file, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK));
}

static int live_is_terminal(const OsvmWorld *world, int file)
{
    return isatty(file);
}

/* --- Paths ---------------------------------------------------------------- */

static int64_t time_us(struct timespec time)
{
    return time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
}

static int fill_stat(int answer, const struct stat *from, OsvmStat *to)
{
    if (answer < 0)
        return -errno;
    *to = (OsvmStat){
        .kind = S_ISREG(from->st_mode)   ? OSVM_FILE
                : S_ISDIR(from->st_mode) ? OSVM_DIRECTORY
                : S_ISLNK(from->st_mode) ? OSVM_LINK
                                         : OSVM_OTHER_FILE,
        .mode = from->st_mode & 07777,
        .size = from->st_size,
        .modified_us = time_us(from->st_mtim),
        .changed_us = time_us(from->st_ctim),
        .device = from->st_dev,
        .inode = from->st_ino,
        .type = from->st_mode & ~07777u,
        .user = from->st_uid,
        .group = from->st_gid,
        .links = from->st_nlink,
        .accessed_us = time_us(from->st_atim),
    };
    return 0;
}

static int live_stat_file(const OsvmWorld *world, int file, OsvmStat *to)
{
    struct stat from;
    return fill_stat(fstat(file, &from), &from, to);
}

static int live_stat(const OsvmWorld *world, const char *path, bool follow, OsvmStat *to)
{
    struct stat from;
    return fill_stat(follow ? stat(path, &from) : lstat(path, &from), &from, to);
}

static int live_rename(const OsvmWorld *world, const char *from, const char *to)
{
    return (int)result(rename(from, to));
}

static int live_unlink(const OsvmWorld *world, const char *path)
{
    return (int)result(unlink(path));
}

static int live_symlink(const OsvmWorld *world, const char *target, const char *path)
{
    return (int)result(symlink(target, path));
}

static int live_read_link(const OsvmWorld *world, const char *path, char *buffer, size_t size)
{
    ssize_t length = readlink(path, buffer, size);
    if (length < 0)
        return -errno;
    if ((size_t)length >= size)
        return -ENAMETOOLONG;
    buffer[length] = 0;
    return 0;
}

static int live_real_path(const OsvmWorld *world, const char *path, char *buffer, size_t size)
{
    char *real = realpath(path, NULL);
    if (!real)
        return -errno;
    int length = snprintf(buffer, size, "%s", real);
    free(real);
    return (size_t)length < size ? 0 : -ENAMETOOLONG;
}

static int live_directory(const OsvmWorld *world, char *buffer, size_t size)
{
    if (getcwd(buffer, size))
        return 0;
    return errno == ERANGE ? -ENAMETOOLONG : -errno;
}

static int live_set_directory(const OsvmWorld *world, const char *path)
{
    return (int)result(chdir(path));
}

static int live_make_directory(const OsvmWorld *world, const char *path, unsigned mode)
{
    return (int)result(mkdir(path, mode));
}

static int live_remove_directory(const OsvmWorld *world, const char *path)
{
    return (int)result(rmdir(path));
}

static int live_sync_directory(const OsvmWorld *world, const char *path)
{
    int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    int answer = (int)result(fsync(file));
    close(file);
    return answer;
}

/* --- Directories ---------------------------------------------------------- */

/* OsvmDir is libc's DIR under another name. */
static int live_access(const OsvmWorld *world, const char *path, unsigned wanted)
{
    static const int modes[] = {X_OK, W_OK, R_OK}; /* by OSVM_MAY_ bit */
    int granted = 0;
    if (access(path, F_OK) < 0)
        return -errno;
    for (unsigned i = 0; i < 3; i++)
        if (wanted >> i & 1 && access(path, modes[i]) == 0)
            granted |= 1 << i;
    return granted;
}

static int live_change_mode(const OsvmWorld *world, const char *path, unsigned mode)
{
    return chmod(path, mode) < 0 ? -errno : 0;
}

static int live_change_owner(const OsvmWorld *world, const char *path, bool follow, uint32_t user,
                             uint32_t group)
{
    return (follow ? chown(path, user, group) : lchown(path, user, group)) < 0 ? -errno : 0;
}

static int live_list_open(const OsvmWorld *world, const char *path, OsvmDir **directory)
{
    *directory = (OsvmDir *)opendir(path);
    return *directory ? 0 : -errno;
}

static int live_list_next(const OsvmWorld *world, OsvmDir *directory, char *name)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir((DIR *)directory);
        if (!entry)
            return -errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
        return 1;
    }
}

static void live_list_close(const OsvmWorld *world, OsvmDir *directory)
{
    closedir((DIR *)directory);
}

/* --- Environment and randomness ------------------------------------------- */

static const char *live_get_variable(const OsvmWorld *world, const char *name)
{
    return getenv(name);
}

static int live_set_variable(const OsvmWorld *world, const char *name, const char *value)
{
    return (int)result(value ? setenv(name, value, 1) : unsetenv(name));
}

static const char *live_variable_at(const OsvmWorld *world, size_t index)
{
    extern char **environ;
    for (size_t i = 0; environ && environ[i]; i++)
        if (i == index)
            return environ[i];
    return NULL;
}

static int live_random(const OsvmWorld *world, void *buffer, size_t size)
{
    char *to = buffer;
    while (size) {
        ssize_t got = getrandom(to, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        to += got;
        size -= (size_t)got;
    }
    return 0;
}

/* --- The world ------------------------------------------------------------ */

void live_files_fill(OsvmWorld *world)
{
    world->utc_us = live_utc_us;
    world->utc_offset = live_utc_offset;
    world->mono_us = live_mono_us;
    world->cpu_us = live_cpu_us;
    world->count_points = live_count_points;
    world->open = live_open;
    world->close = live_close;
    world->read = live_read;
    world->write = live_write;
    world->seek = live_seek;
    world->truncate = live_truncate;
    world->sync = live_sync;
    world->set_mode = live_set_mode;
    world->set_blocking = live_set_blocking;
    world->is_terminal = live_is_terminal;
    world->stat_file = live_stat_file;
    world->stat = live_stat;
    world->rename = live_rename;
    world->unlink = live_unlink;
    world->symlink = live_symlink;
    world->read_link = live_read_link;
    world->real_path = live_real_path;
    world->directory = live_directory;
    world->set_directory = live_set_directory;
    world->make_directory = live_make_directory;
    world->remove_directory = live_remove_directory;
    world->sync_directory = live_sync_directory;
    world->access = live_access;
    world->change_mode = live_change_mode;
    world->change_owner = live_change_owner;
    world->list_open = live_list_open;
    world->list_next = live_list_next;
    world->list_close = live_list_close;
    world->get_variable = live_get_variable;
    world->set_variable = live_set_variable;
    world->variable_at = live_variable_at;
    world->random = live_random;
}

static void live_release(WorldState *state)
{
    pulse_free(((LiveWorld *)state)->pulse);
}

OsvmWorld *world_live_new(void)
{
    LiveWorld *live = world_state_new(sizeof *live, "live", NULL);
    live->base.release = live_release;
    live->pulse = pulse_new();
    live_files_fill(&live->base.world);
    live_processes_fill(&live->base.world);
    live_sockets_fill(&live->base.world);
    pulse_fill(&live->base.world);
    return &live->base.world;
}
