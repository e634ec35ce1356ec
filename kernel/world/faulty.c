/* The faulty world: live, but fails as told. For tests of what must survive a
 * full disk, a failing flush, a crash between two system calls.
 *
 *   --world=faulty,fail=write:3               the third write fails with EIO
 *   --world=faulty,fail=sync:1,error=ENOSPC   ... with that error
 *   --world=faulty,space=4096                 the disk is full after 4096 bytes
 *   --world=faulty,crash=rename:1             the process dies before the first rename
 *   --world=faulty,short=7                    no write takes more than 7 bytes
 *
 * Standard streams are left alone. `any` counts every operation that can be
 * named. With `after` what failed once goes on failing.
 */
#include "worlds.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Operations that can be made to fail, by the names used in options. */
typedef enum Operation {
    OPEN,
    READ,
    WRITE,
    SEEK,
    SYNC,
    TRUNCATE,
    MODE,
    CLOSE,
    RENAME,
    UNLINK,
    DIRSYNC,
    STAT,
    OPERATIONS
} Operation;

static const char *const operation_names[OPERATIONS + 1] = {
    "open",  "read",   "write",  "seek",    "sync", "truncate", "mode",
    "close", "rename", "unlink", "dirsync", "stat", "any",
};

enum { CRASH_STATUS = 99 };

const OsvmOption world_faulty_options[] = {
    {.name = "fail",
     .kind = OSVM_TEXT,
     .choices = "OPERATION:N",
     .help =
         "the N-th open, read, write, seek, sync, truncate, mode, close, rename, unlink, dirsync, "
         "stat or any fails"},
    {.name = "crash",
     .kind = OSVM_TEXT,
     .choices = "OPERATION:N",
     .help = "the process ends with status 99 before the N-th"},
    {.name = "after", .kind = OSVM_FLAG, .value = "no", .help = "those after the N-th fail too"},
    {.name = "error",
     .kind = OSVM_CHOICE,
     .value = "EIO",
     .choices = "EIO|ENOSPC|EROFS|EACCES|EINTR",
     .help = "what it fails with"},
    {.name = "space", .kind = OSVM_SIZE, .help = "writes fail with ENOSPC after so many bytes"},
    {.name = "short", .kind = OSVM_SIZE, .help = "a write takes at most so many bytes"},
    {.name = NULL},
};

/* The N-th of an operation; `at` 0: never. */
typedef struct Trigger {
    int operation; /* Operation, or OPERATIONS for any */
    int64_t at;
} Trigger;

typedef struct FaultyWorld {
    WorldState base;
    Trigger fail, crash;
    bool after;
    int error;                      /* positive errno */
    int64_t space;                  /* bytes that can still be written; -1: no limit */
    int64_t short_size;             /* most bytes of one write; 0: no limit */
    int64_t counts[OPERATIONS + 1]; /* how often each was called; the last: all */
} FaultyWorld;

static FaultyWorld *faulty_of(const OsvmWorld *world)
{
    return world->state;
}

static const OsvmWorld *below(const OsvmWorld *world)
{
    return faulty_of(world)->base.inner;
}

static bool is_due(const FaultyWorld *faulty, const Trigger *trigger, Operation operation,
                   bool after)
{
    if (!trigger->at || (trigger->operation != OPERATIONS && trigger->operation != (int)operation))
        return false;
    int64_t count = faulty->counts[trigger->operation];
    return count == trigger->at || (after && count > trigger->at);
}

/* Counts the operation; answers 0, or -errno if it has to fail. */
static int strike(const OsvmWorld *world, Operation operation)
{
    FaultyWorld *faulty = faulty_of(world);
    faulty->counts[operation]++;
    faulty->counts[OPERATIONS]++;
    if (is_due(faulty, &faulty->crash, operation, false))
        _exit(CRASH_STATUS);
    return is_due(faulty, &faulty->fail, operation, faulty->after) ? -faulty->error : 0;
}

/* --- Operations ----------------------------------------------------------- */

static int faulty_open(const OsvmWorld *world, const char *path, unsigned flags, unsigned mode)
{
    int failure = strike(world, OPEN);
    return failure ? failure : below(world)->open(below(world), path, flags, mode);
}

static int64_t faulty_read(const OsvmWorld *world, int file, void *buffer, size_t size)
{
    int failure = file > 2 ? strike(world, READ) : 0;
    return failure ? failure : below(world)->read(below(world), file, buffer, size);
}

static int64_t faulty_write(const OsvmWorld *world, int file, const void *buffer, size_t size)
{
    FaultyWorld *faulty = faulty_of(world);
    if (file <= 2)
        return below(world)->write(below(world), file, buffer, size);
    int failure = strike(world, WRITE);
    if (failure)
        return failure;
    if (faulty->short_size && size > (size_t)faulty->short_size)
        size = (size_t)faulty->short_size;
    if (faulty->space >= 0 && size > (size_t)faulty->space)
        size = (size_t)faulty->space;
    if (!size && faulty->space == 0)
        return -ENOSPC;
    int64_t written = below(world)->write(below(world), file, buffer, size);
    if (faulty->space >= 0 && written > 0)
        faulty->space -= written;
    return written;
}

static int64_t faulty_seek(const OsvmWorld *world, int file, int64_t offset, OsvmSeek from)
{
    int failure = file > 2 ? strike(world, SEEK) : 0;
    return failure ? failure : below(world)->seek(below(world), file, offset, from);
}

static int faulty_sync(const OsvmWorld *world, int file)
{
    int failure = strike(world, SYNC);
    return failure ? failure : below(world)->sync(below(world), file);
}

static int faulty_truncate(const OsvmWorld *world, int file, int64_t size)
{
    int failure = strike(world, TRUNCATE);
    return failure ? failure : below(world)->truncate(below(world), file, size);
}

static int faulty_set_mode(const OsvmWorld *world, int file, unsigned mode)
{
    int failure = strike(world, MODE);
    return failure ? failure : below(world)->set_mode(below(world), file, mode);
}

/* A close that fails has closed the file all the same, as on Linux. */
static int faulty_close(const OsvmWorld *world, int file)
{
    int failure = strike(world, CLOSE);
    int answer = below(world)->close(below(world), file);
    return failure ? failure : answer;
}

static int faulty_rename(const OsvmWorld *world, const char *from, const char *to)
{
    int failure = strike(world, RENAME);
    return failure ? failure : below(world)->rename(below(world), from, to);
}

static int faulty_unlink(const OsvmWorld *world, const char *path)
{
    int failure = strike(world, UNLINK);
    return failure ? failure : below(world)->unlink(below(world), path);
}

static int faulty_sync_directory(const OsvmWorld *world, const char *path)
{
    int failure = strike(world, DIRSYNC);
    return failure ? failure : below(world)->sync_directory(below(world), path);
}

static int faulty_stat(const OsvmWorld *world, const char *path, bool follow, OsvmStat *stat)
{
    int failure = strike(world, STAT);
    return failure ? failure : below(world)->stat(below(world), path, follow, stat);
}

static int faulty_stat_file(const OsvmWorld *world, int file, OsvmStat *stat)
{
    int failure = file > 2 ? strike(world, STAT) : 0;
    return failure ? failure : below(world)->stat_file(below(world), file, stat);
}

/* --- Making one ----------------------------------------------------------- */

static bool parse_trigger(const char *text, Trigger *trigger, OsvmError *error)
{
    *trigger = (Trigger){0};
    if (!text)
        return true;
    size_t length = strcspn(text, ":");
    int64_t at = text[length] ? strtoll(text + length + 1, NULL, 10) : 0;
    for (int i = 0; i <= OPERATIONS; i++)
        if (strlen(operation_names[i]) == length && strncmp(operation_names[i], text, length) == 0)
            *trigger = (Trigger){.operation = i, .at = at};
    if (trigger->at > 0)
        return true;
    return error_set(error, OSVM_USAGE,
                     "'%s' is not OPERATION:N, such as write:3; see 'osvm help worlds'", text);
}

static int error_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EACCES", EACCES}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].number;
    return EINTR;
}

static void faulty_fill(OsvmWorld *world)
{
    world->open = faulty_open;
    world->read = faulty_read;
    world->write = faulty_write;
    world->seek = faulty_seek;
    world->sync = faulty_sync;
    world->truncate = faulty_truncate;
    world->set_mode = faulty_set_mode;
    world->close = faulty_close;
    world->rename = faulty_rename;
    world->unlink = faulty_unlink;
    world->sync_directory = faulty_sync_directory;
    world->stat = faulty_stat;
    world->stat_file = faulty_stat_file;
}

OsvmWorld *world_faulty_new(const OsvmWorld *inner, const char *text, OsvmError *error)
{
    OptionSet *options = options_new(world_faulty_options, "the world 'faulty'");
    Trigger fail, crash;
    OsvmWorld *world = NULL;
    if (options_set_list(options, text, error) &&
        parse_trigger(options_text(options, "fail"), &fail, error) &&
        parse_trigger(options_text(options, "crash"), &crash, error)) {
        FaultyWorld *faulty = world_state_new(sizeof *faulty, "faulty", inner);
        world = &faulty->base.world;
        faulty->fail = fail;
        faulty->crash = crash;
        faulty->after = options_flag(options, "after");
        faulty->error = error_number(options_text(options, "error"));
        faulty->space = options_given(options, "space") ? options_number(options, "space") : -1;
        faulty->short_size = options_number(options, "short");
        faulty_fill(world);
    }
    options_free(options);
    return world;
}
