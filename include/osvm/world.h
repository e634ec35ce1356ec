/* Everything outside the VM: one vtable for all effects.
 *
 * Whoever reads a clock, a file, the environment or a random number, writes,
 * waits or starts a process does it here, never with libc directly. So the same
 * VM runs live, muted (a clone that must not write to the real world twice),
 * denied (a sandbox) or with faults injected, and later recorded and replayed.
 *
 *   live     what it says
 *   muted    reads are real, with file positions of its own; writes, renames and the like
 *            are swallowed and succeed; nothing is created; processes cannot be started; sockets
 *            take what is sent, receive nothing and connect to nobody
 *   denied   clocks, waiting, randomness and the open standard streams are real; all else
 *            fails with -EPERM
 *   faulty   live, but fails as told (`--world=faulty,fail=write:3`); for tests
 *
 * Under `--deterministic` each of them has logical clocks and fixed random numbers.
 *
 * Results: 0 or a count, else -errno. Paths are NUL-terminated bytes, UTF-8 by
 * convention. Buffers are borrowed. Times are microseconds. The first argument
 * is always the world itself. Main thread only, except `wake`, the clocks,
 * `random` and looking for names of hosts. Structs only grow at the end.
 */
#ifndef OSVM_WORLD_H
#define OSVM_WORLD_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct OsvmWorld OsvmWorld;

enum { OSVM_WORLD_ABI = 1 };

/* Flags of `open`. */
enum {
    OSVM_READ = 1,
    OSVM_WRITE = 2,
    OSVM_CREATE = 4,     /* make the file if there is none */
    OSVM_TRUNCATE = 8,   /* cut an existing file to nothing */
    OSVM_EXCLUSIVE = 16, /* with OSVM_CREATE: fail with -EEXIST if there is one */
    OSVM_APPEND = 32     /* every write goes to the end */
};

typedef enum OsvmSeek { OSVM_SEEK_SET, OSVM_SEEK_CURRENT, OSVM_SEEK_END } OsvmSeek;

typedef enum OsvmFileKind {
    OSVM_FILE,
    OSVM_DIRECTORY,
    OSVM_LINK,
    OSVM_OTHER_FILE
} OsvmFileKind;

typedef struct OsvmStat {
    OsvmFileKind kind;
    uint32_t mode;         /* permission bits, 07777 */
    int64_t size;          /* bytes */
    int64_t modified_us;   /* UTC, since 1970 */
    int64_t changed_us;    /* UTC, since 1970: of the entry (ctime) */
    uint64_t device, inode; /* the same file has the same pair */
    uint32_t type;          /* what the system's mode has above the permission bits */
    uint32_t user, group;   /* who owns it */
    uint64_t links;         /* names it has */
    int64_t accessed_us;    /* UTC, since 1970 */
} OsvmStat;

/* What one may do with a file: bits. */
enum { OSVM_MAY_EXECUTE = 1, OSVM_MAY_WRITE = 2, OSVM_MAY_READ = 4 };

typedef struct OsvmDir OsvmDir; /* an open directory listing */

/* What woke `wait`: bits. */
enum {
    OSVM_WAIT_TIMEOUT = 0,
    OSVM_WAIT_WOKEN = 1 /* `wake` was called since the last wait ended */
};
#define OSVM_FOREVER INT64_MAX

/* The helper thread: heartbeat, asynchronous signals, readiness of descriptors.
 * Its functions run on that thread and may only store flags atomically and
 * call `wake`. */
typedef struct OsvmPulse {
    int64_t period_us;                         /* between ticks; 0: no ticks */
    void (*tick)(void *context);               /* not called while the VM waits */
    void (*signal)(void *context, int number); /* SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 */
    void *context;
} OsvmPulse;

/* Events of `watch`: bits. */
enum { OSVM_READABLE = 1, OSVM_WRITABLE = 2, OSVM_BROKEN = 4 };
typedef void OsvmReady(void *context, int file, unsigned events);

typedef struct OsvmSpawn {
    const char *const *arguments;   /* closed by NULL; the first is looked for in PATH */
    const char *const *environment; /* "NAME=value", closed by NULL; NULL: this process's */
    const char *directory;          /* NULL: this process's */
    int files[3];                   /* what the child has as 0, 1, 2 */
} OsvmSpawn;

/* The address of a socket as the system writes it (a sockaddr). */
typedef struct OsvmAddress {
    uint32_t size; /* bytes in use */
    uint32_t unused;
    unsigned char bytes[128];
} OsvmAddress;

typedef enum OsvmFamily { OSVM_ANY_FAMILY, OSVM_LOCAL, OSVM_INET4, OSVM_INET6 } OsvmFamily;
typedef enum OsvmSocketType { OSVM_ANY_TYPE, OSVM_STREAM, OSVM_DATAGRAM } OsvmSocketType;
typedef enum OsvmProtocol { OSVM_ANY_PROTOCOL, OSVM_TCP, OSVM_UDP } OsvmProtocol;
/* Flags of lookups. */
enum { OSVM_NUMERIC = 1, OSVM_PASSIVE = 2 };

/* What is looked for, and what is found. Texts may be NULL. */
typedef struct OsvmLookup {
    const char *host, *service;
    unsigned flags;
    OsvmFamily family;
    OsvmSocketType type;
    OsvmProtocol protocol;
} OsvmLookup;
typedef struct OsvmFound {
    OsvmAddress address;
    OsvmFamily family;
    OsvmSocketType type;
    OsvmProtocol protocol;
} OsvmFound;

struct OsvmWorld {
    uint32_t size; /* sizeof(OsvmWorld) when the kernel was compiled */
    uint32_t abi;  /* OSVM_WORLD_ABI */
    const char *name;
    void *state; /* the implementation's own */

    /* --- Time ----------------------------------------------------------- */
    int64_t (*utc_us)(const OsvmWorld *world); /* since 1970-01-01 */
    /* Seconds east of Greenwich at that moment, daylight saving included. */
    int32_t (*utc_offset)(const OsvmWorld *world, int64_t utc_us);
    int64_t (*mono_us)(const OsvmWorld *world); /* never goes back */
    int64_t (*cpu_us)(const OsvmWorld *world);  /* processor time of this process */

    /* --- Waiting -------------------------------------------------------- */
    /* Sleeps until mono_us() reaches `until_us`, or `wake`. A wake that came before counts once.
     * Answers OSVM_WAIT_ bits. */
    unsigned (*wait)(const OsvmWorld *world, int64_t until_us);
    /* Ends the current or the next wait. Any thread; safe in a signal handler. */
    void (*wake)(const OsvmWorld *world);
    /* Starts the helper thread; the signals it takes are blocked in this one. `pulse` is copied.
     * -EBUSY if it runs already. */
    int (*pulse_start)(const OsvmWorld *world, const OsvmPulse *pulse);
    void (*pulse_stop)(const OsvmWorld *world);
    /* Calls `ready` on the helper thread, once, when one of `events` holds for the file. Replaces
     * what was watched for it. `events` 0: stop watching; `ready` does not run after that.
     * -ENODEV without a helper thread. */
    int (*watch)(const OsvmWorld *world, int file, unsigned events, OsvmReady *ready,
                 void *context);

    /* --- Files ---------------------------------------------------------- */
    int (*open)(const OsvmWorld *world, const char *path, unsigned flags, unsigned mode);
    int (*close)(const OsvmWorld *world, int file);
    int64_t (*read)(const OsvmWorld *world, int file, void *buffer, size_t size); /* 0: the end */
    /* May write less than `size`. */
    int64_t (*write)(const OsvmWorld *world, int file, const void *buffer, size_t size);
    int64_t (*seek)(const OsvmWorld *world, int file, int64_t offset, OsvmSeek from);
    int (*truncate)(const OsvmWorld *world, int file, int64_t size);
    int (*sync)(const OsvmWorld *world, int file); /* data is on the device afterwards */
    int (*set_mode)(const OsvmWorld *world, int file, unsigned mode);
    int (*set_blocking)(const OsvmWorld *world, int file, bool blocking);
    int (*is_terminal)(const OsvmWorld *world, int file); /* 1 or 0 */
    int (*stat_file)(const OsvmWorld *world, int file, OsvmStat *stat);
    int (*stat)(const OsvmWorld *world, const char *path, bool follow, OsvmStat *stat);
    int (*rename)(const OsvmWorld *world, const char *from, const char *to); /* replaces `to` */
    int (*unlink)(const OsvmWorld *world, const char *path);
    int (*symlink)(const OsvmWorld *world, const char *target, const char *path);
    /* Writes a NUL-terminated text; -ENAMETOOLONG if it does not fit. */
    int (*read_link)(const OsvmWorld *world, const char *path, char *buffer, size_t size);
    int (*real_path)(const OsvmWorld *world, const char *path, char *buffer, size_t size);
    int (*directory)(const OsvmWorld *world, char *buffer, size_t size); /* the current one */
    int (*set_directory)(const OsvmWorld *world, const char *path);
    int (*make_directory)(const OsvmWorld *world, const char *path, unsigned mode);
    int (*remove_directory)(const OsvmWorld *world, const char *path);
    /* Makes renames, creations and removals in a directory durable. */
    int (*sync_directory)(const OsvmWorld *world, const char *path);
    /* A listing without `.` and `..`, in no particular order. `list_next` answers 1 with a name, 0
     * at the end; `name` has at least 256 bytes. */
    int (*list_open)(const OsvmWorld *world, const char *path, OsvmDir **directory);
    int (*list_next)(const OsvmWorld *world, OsvmDir *directory, char *name);
    void (*list_close)(const OsvmWorld *world, OsvmDir *directory);

    /* --- Environment and randomness ------------------------------------- */
    /* NULL: not set. Valid until the environment changes. */
    const char *(*get_variable)(const OsvmWorld *world, const char *name);
    /* `value` NULL: removes it. */
    int (*set_variable)(const OsvmWorld *world, const char *name, const char *value);
    /* "NAME=value"; NULL behind the last. */
    const char *(*variable_at)(const OsvmWorld *world, size_t index);
    int (*random)(const OsvmWorld *world, void *buffer, size_t size);

    /* --- Processes ------------------------------------------------------ */
    int (*process_id)(const OsvmWorld *world);
    /* Clones this process; 0 in the child. The helper thread is at rest meanwhile, and runs in
     * both afterwards. Plugins are told by the kernel, not by this. */
    int (*fork)(const OsvmWorld *world);
    int (*spawn)(const OsvmWorld *world, const OsvmSpawn *spawn); /* the process id */
    /* Answers the process id if it has ended (0: still running, without `block`) and sets `status`:
     * its exit code, or 128 + the signal. */
    int (*reap)(const OsvmWorld *world, int process, bool block, int *status);
    int (*kill)(const OsvmWorld *world, int process, int signal);
    int (*pipe)(const OsvmWorld *world, int files[2]); /* read end, write end; not inherited */

    /* --- Rights ---------------------------------------------------------- */
    /* Answers those of the OSVM_MAY_ bits `wanted` that this process has, or -errno. */
    int (*access)(const OsvmWorld *world, const char *path, unsigned wanted);
    int (*change_mode)(const OsvmWorld *world, const char *path, unsigned mode);
    int (*change_owner)(const OsvmWorld *world, const char *path, bool follow, uint32_t user,
                        uint32_t group);

    /* --- Logical time --------------------------------------------------- */
    /* In a deterministic run: the clocks go on by one microsecond at each point that the function
     * counts, and stand still without one (NULL). Nothing where time is real. */
    void (*count_points)(const OsvmWorld *world, uint64_t (*points)(void *context), void *context);

    /* --- Sockets -------------------------------------------------------- */
    /* Files of a kind: `close` and `watch` take them. None waits: what would answers -EAGAIN,
     * `connect` -EINPROGRESS. `address` NULL: the peer it is connected to, or nobody asks. */
    int (*socket)(const OsvmWorld *world, OsvmFamily family, OsvmSocketType type);
    int (*bind)(const OsvmWorld *world, int file, const OsvmAddress *address);
    int (*listen)(const OsvmWorld *world, int file, int backlog);
    int (*accept)(const OsvmWorld *world, int file); /* a socket */
    int (*connect)(const OsvmWorld *world, int file, const OsvmAddress *address);
    int64_t (*send)(const OsvmWorld *world, int file, const void *data, size_t size,
                    const OsvmAddress *address);
    /* `peek`: what is received stays to be received. */
    int64_t (*receive)(const OsvmWorld *world, int file, void *data, size_t size, bool peek,
                       OsvmAddress *address);
    int (*socket_address)(const OsvmWorld *world, int file, bool peer, OsvmAddress *address);
    /* Options by the system's numbers; `size` is the room before and the size after. */
    int (*get_option)(const OsvmWorld *world, int file, int level, int name, void *value,
                      size_t *size);
    int (*set_option)(const OsvmWorld *world, int file, int level, int name, const void *value,
                      size_t size);
    /* Which of `events` (as in `watch`) hold now, or -errno. */
    int (*poll)(const OsvmWorld *world, int file, unsigned events);
    /* Names of hosts and services; may take seconds, any thread. `resolve` answers how many were
     * found, at most `room`; both answer a negative number of gai_strerror if it fails. */
    int (*resolve)(const OsvmWorld *world, const OsvmLookup *lookup, OsvmFound *found, size_t room);
    int (*resolve_address)(const OsvmWorld *world, const OsvmAddress *address, unsigned flags,
                           char *host, size_t host_size, char *service, size_t service_size);
    int (*host_name)(const OsvmWorld *world, char *name, size_t size);
    /* An address of this machine by which others may reach it; -ENODEV if there is none. */
    int (*host_address)(const OsvmWorld *world, OsvmFamily family, OsvmAddress *address);

    /* --- Facts ---------------------------------------------------------- */
    /* Writes and the like succeed and do nothing: who has to know that a file is there asks. */
    bool swallows;
    /* members above: ABI 1 */
};

/* Writes all of it. 0 or -errno. */
static inline int world_write_all(const OsvmWorld *world, int file, const void *data, size_t size)
{
    const char *from = data;
    while (size) {
        int64_t written = world->write(world, file, from, size);
        if (written == -EINTR)
            continue;
        if (written <= 0)
            return written ? (int)written : -EIO;
        from += written;
        size -= (size_t)written;
    }
    return 0;
}

/* Reads until `size` bytes are there or the file ends. The count or -errno. */
static inline int64_t world_read_all(const OsvmWorld *world, int file, void *data, size_t size)
{
    char *to = data;
    size_t got = 0;
    while (got < size) {
        int64_t count = world->read(world, file, to + got, size - got);
        if (count == -EINTR)
            continue;
        if (count < 0)
            return count;
        if (count == 0)
            break;
        got += (size_t)count;
    }
    return (int64_t)got;
}

#endif
