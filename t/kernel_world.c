/* The worlds: live, muted, denied, faulty; waiting, signals, processes. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/world/worlds.h"
#include "tap.h"

static OsvmWorld *live;
static char scratch[64];

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int turn;
    char *path = paths[turn++ & 3];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static const char *contents(const char *name)
{
    static char text[256];
    FILE *file = fopen(path_of(name), "r");
    if (!file)
        return NULL;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static int make_file(const OsvmWorld *world, const char *name, const char *text)
{
    int file = world->open(world, path_of(name), OSVM_WRITE | OSVM_CREATE | OSVM_TRUNCATE, 0644);
    if (file < 0)
        return file;
    int failure = world_write_all(world, file, text, strlen(text));
    int closed = world->close(world, file);
    return failure ? failure : closed;
}

/* Every slot must be there, in every world. */
static void test_complete(const OsvmWorld *world)
{
    const size_t first = offsetof(OsvmWorld, utc_us);
    void *slots[(offsetof(OsvmWorld, swallows) - offsetof(OsvmWorld, utc_us)) / sizeof(void *)];
    size_t missing = 0;
    memcpy(slots, (const char *)world + first, sizeof slots);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        missing += slots[i] == NULL;
    is_int(missing, 0, "%s: no function is missing", world->name);
}

static void test_files(void)
{
    char buffer[256], real[128];
    OsvmStat stat;
    is_int(make_file(live, "a", "hello"), 0, "a file is written");
    is_text(contents("a"), "hello", "... as told");
    int file = live->open(live, path_of("a"), OSVM_READ | OSVM_WRITE, 0);
    is_int(live->seek(live, file, 1, OSVM_SEEK_SET), 1, "seek");
    is_int(world_read_all(live, file, buffer, 100), 4, "read to the end");
    is_int(live->truncate(live, file, 2), 0, "truncate");
    is_int(live->set_mode(live, file, 0600), 0, "set mode");
    is_int(live->sync(live, file), 0, "sync");
    is_int(live->stat_file(live, file, &stat), 0, "stat of a file");
    ok(stat.size == 2 && stat.kind == OSVM_FILE && stat.mode == 0600, "... says what it is");
    is_int(live->close(live, file), 0, "close");
    is_int(live->close(live, file), -EBADF, "close again");
    is_int(live->open(live, path_of("a"), OSVM_WRITE | OSVM_CREATE | OSVM_EXCLUSIVE, 0600), -EEXIST,
           "exclusive");
    is_int(live->open(live, path_of("none"), OSVM_READ, 0), -ENOENT, "a file that is not there");
    is_int(live->symlink(live, "a", path_of("link")), 0, "a symbolic link");
    is_int(live->read_link(live, path_of("link"), buffer, sizeof buffer), 0, "... is read");
    is_text(buffer, "a", "... as written");
    is_int(live->read_link(live, path_of("link"), buffer, 1), -ENAMETOOLONG, "... into too little");
    is_int(live->real_path(live, path_of("link"), real, sizeof real), 0, "real path");
    is_text(strrchr(real, '/'), "/a", "... follows it");
    live->stat(live, path_of("link"), false, &stat);
    is_int(stat.kind, OSVM_LINK, "stat of the link itself");
    is_int(live->unlink(live, path_of("link")), 0, "unlink");
    is_int(live->make_directory(live, path_of("d"), 0700), 0, "a directory");
    is_int(live->rename(live, path_of("a"), path_of("d/b")), 0, "rename");
    OsvmDir *directory;
    is_int(live->list_open(live, path_of("d"), &directory), 0, "a listing");
    is_int(live->list_next(live, directory, buffer), 1, "... has one");
    is_text(buffer, "b", "... the file");
    is_int(live->list_next(live, directory, buffer), 0, "... and no more");
    live->list_close(live, directory);
    is_int(live->sync_directory(live, path_of("d")), 0, "sync of a directory");
    is_int(live->remove_directory(live, path_of("d")), -ENOTEMPTY, "a full directory stays");
    live->unlink(live, path_of("d/b"));
    is_int(live->remove_directory(live, path_of("d")), 0, "an empty one goes");
}

static void test_environment(void)
{
    bool found = false;
    uint64_t one = 0, two = 0;
    is_int(live->set_variable(live, "OSVM_TEST", "yes"), 0, "set a variable");
    is_text(live->get_variable(live, "OSVM_TEST"), "yes", "get it");
    for (size_t i = 0; live->variable_at(live, i); i++)
        found |= strcmp(live->variable_at(live, i), "OSVM_TEST=yes") == 0;
    ok(found, "it is in the list");
    live->set_variable(live, "OSVM_TEST", NULL);
    is_text(live->get_variable(live, "OSVM_TEST"), NULL, "unset it");
    ok(live->random(live, &one, 8) == 0 && live->random(live, &two, 8) == 0 && one != two,
       "random");
    ok(live->utc_us(live) > INT64_C(1600000000000000), "the clock");
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    is_int(live->utc_offset(live, INT64_C(1700000000000000)), 3600, "winter");
    is_int(live->utc_offset(live, INT64_C(1690000000000000)), 7200, "summer");
}

/* --- Muted, denied -------------------------------------------------------- */

static void test_muted(void)
{
    char buffer[16] = "";
    make_file(live, "m", "abcdef");
    int shared = live->open(live, path_of("m"), OSVM_READ | OSVM_WRITE, 0);
    live->read(live, shared, buffer, 1);
    int copy = dup(shared); /* what a forked clone would have */
    OsvmWorld *muted = world_muted_new(live);
    test_complete(muted);
    is_int(muted->read(muted, copy, buffer, 2), 2, "muted: a shared file is read");
    is_text(buffer, "bc", "muted: ... from where it stood");
    is_int(live->seek(live, shared, 0, OSVM_SEEK_CURRENT), 1,
           "muted: ... the original stays there");
    is_int(muted->write(muted, copy, "XYZ", 3), 3, "muted: a write succeeds");
    is_int(make_file(muted, "m", "other"), 0, "muted: so does replacing a file");
    is_int(make_file(muted, "new", "other"), 0, "muted: and making one");
    is_int(muted->rename(muted, path_of("m"), path_of("moved")), 0, "muted: and renaming");
    is_int(muted->unlink(muted, path_of("m")), 0, "muted: and removing");
    is_int(muted->open(muted, path_of("m"), OSVM_WRITE | OSVM_CREATE | OSVM_EXCLUSIVE, 0), -EEXIST,
           "muted: exclusive is told the truth");
    is_text(contents("m"), "abcdef", "muted: nothing of it happened");
    ok(!contents("new") && !contents("moved"), "muted: nothing was made");
    is_int(muted->write(muted, 999, "x", 1), -EBADF, "muted: a closed file is an error");
    const OsvmSpawn spawn = {.arguments = (const char *const[]){"true", NULL}, .files = {0, 1, 2}};
    is_int(muted->spawn(muted, &spawn), -EPERM, "muted: no processes");
    muted->close(muted, copy);
    live->close(live, shared);
    world_free(muted);
}

static void test_denied(void)
{
    OsvmWorld *denied = world_denied_new(live);
    OsvmStat stat;
    char buffer[16];
    int files[2];
    test_complete(denied);
    int file = live->open(live, path_of("m"), OSVM_READ, 0);
    is_int(denied->open(denied, path_of("m"), OSVM_READ, 0), -EPERM, "denied: open");
    is_int(denied->read(denied, file, buffer, 1), -EPERM, "denied: read");
    is_int(denied->unlink(denied, path_of("m")), -EPERM, "denied: unlink");
    is_int(denied->stat(denied, "/", true, &stat), -EPERM, "denied: stat");
    is_int(denied->fork(denied), -EPERM, "denied: fork");
    is_int(denied->pipe(denied, files), -EPERM, "denied: pipe");
    is_text(denied->get_variable(denied, "PATH"), NULL, "denied: no environment");
    is_int(denied->write(denied, 1, "", 0), 0, "denied: standard output works");
    ok(denied->mono_us(denied) > 0, "denied: the clock works");
    live->close(live, file);
    world_free(denied);
}

/* --- Faulty --------------------------------------------------------------- */

static OsvmWorld *faulty(const char *text)
{
    OsvmError error;
    OsvmWorld *world = world_faulty_new(live, text, &error);
    if (!world)
        bail_out("faulty,%s: %s", text, error.message);
    return world;
}

static void test_faulty(void)
{
    OsvmError error;
    OsvmWorld *world = faulty("fail=write:2");
    test_complete(world);
    is_int(make_file(world, "f", "one"), 0, "faulty: the first write succeeds");
    is_int(make_file(world, "f", "two"), -EIO, "faulty: the second fails");
    is_int(make_file(world, "f", "three"), 0, "faulty: the third succeeds");
    world_free(world);
    world = faulty("fail=write:2,after,error=ENOSPC");
    is_int(make_file(world, "f", "one"), 0, "faulty,after: the first succeeds");
    is_int(make_file(world, "f", "two"), -ENOSPC, "faulty,after: the second fails as told");
    is_int(make_file(world, "f", "three"), -ENOSPC, "faulty,after: the third too");
    world_free(world);
    world = faulty("space=4");
    is_int(make_file(world, "f", "abcdef"), -ENOSPC, "faulty: the disk is full");
    is_text(contents("f"), "abcd", "faulty: ... after so many bytes");
    world_free(world);
    world = faulty("short=2");
    is_int(make_file(world, "f", "abcdef"), 0, "faulty: short writes");
    is_text(contents("f"), "abcdef", "faulty: ... end complete");
    world_free(world);
    world = faulty("fail=rename:1");
    is_int(world->rename(world, path_of("f"), path_of("g")), -EIO, "faulty: rename fails");
    is_text(contents("f"), "abcdef", "faulty: ... and did nothing");
    world_free(world);
    ok(!world_faulty_new(live, "fail=write", &error) &&
           !world_faulty_new(live, "fail=wrote:1", &error) &&
           !world_faulty_new(live, "fail=write:0", &error),
       "faulty: wrong triggers are refused");
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        world = faulty("crash=sync:1");
        world->sync(world, 1);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    is_int(WEXITSTATUS(status), 99, "faulty: a crash before the first sync");
}

static void test_select(void)
{
    static const char *const names[] = {"live", "muted", "denied", "faulty", "faulty,fail=open:1"};
    OsvmError error;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        OsvmWorld *world = world_select(live, names[i], &error);
        ok(world && strncmp(world->name, names[i], strlen(world->name)) == 0, "--world=%s",
           names[i]);
        world_free(world);
    }
    ok(!world_select(live, "mute", &error), "an unknown world");
    has_text(error.message, "did you mean 'muted'?", "... with the nearest");
    ok(!world_select(live, "muted,x", &error), "an option where there are none");
}

/* --- Waiting, signals, watches -------------------------------------------- */

static void *wake_soon(void *argument)
{
    usleep(20000);
    live->wake(live);
    return NULL;
}

static void test_wait(void)
{
    pthread_t thread;
    int64_t start = live->mono_us(live);
    is_int(live->wait(live, start + 20000), OSVM_WAIT_TIMEOUT, "wait until a time");
    ok(live->mono_us(live) - start >= 20000, "... not shorter");
    is_int(live->wait(live, 0), OSVM_WAIT_TIMEOUT, "a time in the past");
    live->wake(live);
    live->wake(live);
    is_int(live->wait(live, OSVM_FOREVER), OSVM_WAIT_WOKEN, "a wake before the wait counts");
    is_int(live->wait(live, 0), OSVM_WAIT_TIMEOUT, "... once");
    pthread_create(&thread, NULL, wake_soon, NULL);
    is_int(live->wait(live, OSVM_FOREVER), OSVM_WAIT_WOKEN, "a wake from another thread");
    pthread_join(thread, NULL);
}

static atomic_int ticks, signals_seen, ready_seen;

static void on_tick(void *context)
{
    atomic_fetch_add(&ticks, 1);
}

static void on_signal(void *context, int number)
{
    atomic_store(&signals_seen, number);
}

static void on_ready(void *context, int file, unsigned events)
{
    atomic_store(&ready_seen, (int)events);
}

enum { PATIENCE_US = 60000000 }; /* nothing waits so long where all is well */

static void spin_until(const atomic_int *value, int least)
{
    int64_t until = live->mono_us(live) + PATIENCE_US;
    while (atomic_load(value) < least && live->mono_us(live) < until)
        usleep(500);
}

static void test_pulse(void)
{
    const OsvmPulse pulse = {.period_us = 1000, .tick = on_tick, .signal = on_signal};
    int files[2];
    is_int(live->pulse_start(live, &pulse), 0, "the helper thread starts");
    is_int(live->pulse_start(live, &pulse), -EBUSY, "... once");
    spin_until(&ticks, 5);
    ok(ticks >= 5, "it ticks");
    /* One tick may be on its way when the wait begins; and on a busy machine it may begin late. */
    int before, more, tries = 0;
    do {
        before = ticks;
        live->wait(live, live->mono_us(live) + 50000);
        more = ticks - before;
    } while (more > 2 && ++tries < 100);
    ok(more <= 2, "it does not tick while the VM waits (%d)", more);
    before = ticks;
    spin_until(&ticks, before + 3);
    ok(ticks >= before + 3, "it ticks again after it");
    kill(getpid(), SIGINT);
    unsigned answer = live->wait(live, live->mono_us(live) + PATIENCE_US);
    is_int(answer, OSVM_WAIT_WOKEN, "a signal ends the wait");
    is_int(signals_seen, SIGINT, "... and arrives");
    is_int(live->pipe(live, files), 0, "a pipe");
    is_int(live->watch(live, files[0], OSVM_READABLE, on_ready, NULL), 0, "... is watched");
    live->write(live, files[1], "x", 1);
    is_int(live->wait(live, live->mono_us(live) + PATIENCE_US), OSVM_WAIT_WOKEN,
           "... and ends the wait");
    is_int(ready_seen & OSVM_READABLE, OSVM_READABLE, "... being readable");
    atomic_store(&ready_seen, 0);
    live->watch(live, files[0], OSVM_READABLE, on_ready, NULL);
    live->wait(live, live->mono_us(live) + PATIENCE_US);
    atomic_store(&ready_seen, 0);
    live->wait(live, live->mono_us(live) + 10000);
    is_int(ready_seen, 0, "a watch fires once");
    live->close(live, files[0]);
    live->close(live, files[1]);
}

/* The helper thread has to run on both sides of a fork. */
static void test_fork(void)
{
    int status;
    fflush(stdout);
    int child = live->fork(live);
    if (child == 0) {
        int before = ticks;
        spin_until(&ticks, before + 3);
        _exit(ticks >= before + 3 ? 7 : 8);
    }
    is_int(live->reap(live, child, true, &status), child, "a clone ends");
    is_int(status, 7, "its heartbeat ran");
    int before = ticks;
    spin_until(&ticks, before + 3);
    ok(ticks >= before + 3, "and ours goes on");
    live->pulse_stop(live);
    before = ticks;
    usleep(10000);
    is_int(ticks, before, "stopped, it ticks no more");
    is_int(live->watch(live, 0, OSVM_READABLE, on_ready, NULL), -ENODEV, "nobody watches then");
}

static void test_spawn(void)
{
    int output[2], input[2], status = -1;
    char buffer[64] = "";
    live->pipe(live, output);
    live->pipe(live, input);
    const OsvmSpawn spawn = {
        .arguments = (const char *const[]){"sh", "-c", "read x; echo $x $A; pwd; exit 3", NULL},
        .environment = (const char *const[]){"A=b", NULL},
        .directory = "/",
        .files = {input[0], output[1], 2},
    };
    int child = live->spawn(live, &spawn);
    ok(child > 0, "a process");
    live->close(live, output[1]);
    live->close(live, input[0]);
    live->write(live, input[1], "hi\n", 3);
    live->close(live, input[1]);
    world_read_all(live, output[0], buffer, sizeof buffer - 1);
    is_text(buffer, "hi b\n/\n", "input, environment, directory, output");
    is_int(live->reap(live, child, true, &status), child, "it ends");
    is_int(status, 3, "... with its status");
    live->close(live, output[0]);
    const OsvmSpawn nothing = {.arguments = (const char *const[]){"no-such-program", NULL},
                               .files = {0, 1, 2}};
    is_int(live->spawn(live, &nothing), -ENOENT, "a program that is not there");
    const OsvmSpawn sleeper = {.arguments = (const char *const[]){"sleep", "60", NULL},
                               .files = {0, 1, 2}};
    child = live->spawn(live, &sleeper);
    is_int(live->reap(live, child, false, &status), 0, "still running");
    is_int(live->kill(live, child, SIGTERM), 0, "killed");
    live->reap(live, child, true, &status);
    is_int(status, 128 + SIGTERM, "... by a signal");
}

static uint64_t points;

static uint64_t count_points(void *context)
{
    is_int((intptr_t)context, (intptr_t)&points, "points are asked of whoever counts them");
    return points;
}

static void test_logical(void)
{
    uint64_t a[3], b[3];
    OsvmWorld *one = world_logical_new(live), *two = world_logical_new(live);
    OsvmWorld *denied = world_denied_new(one);
    test_complete(one);
    int64_t start = one->utc_us(one);
    is_int(start, INT64_C(946684800000000), "logical time begins in the year 2000");
    is_int(one->mono_us(one), 0, "... at 0");
    is_int(one->utc_offset(one, start), 0, "... in UTC");
    is_int(one->wait(one, 5000000), OSVM_WAIT_TIMEOUT, "waiting ends at once");
    is_int(one->mono_us(one), 5000000, "... and has taken its time");
    is_int(denied->utc_us(denied), start + 5000000, "a world around it has the same clock");
    one->wake(one);
    is_int(denied->wait(denied, 6000000), OSVM_WAIT_WOKEN, "what was woken before does not wait");
    is_int(one->mono_us(one), 5000000, "... and takes no time");
    points = 100;
    one->count_points(one, count_points, &points);
    is_int(one->mono_us(one), 5000000, "who begins to count changes nothing");
    points = 142;
    is_int(one->mono_us(one), 5000042, "a point is a microsecond");
    is_int(denied->cpu_us(denied), 5000042, "processor time is time");
    one->count_points(one, NULL, NULL);
    points = 200;
    is_int(one->mono_us(one), 5000042, "nobody counts: time stands still");
    one->random(one, a, sizeof a);
    two->random(two, b, sizeof b);
    is_int(memcmp(a, b, sizeof a), 0, "equal worlds have equal random numbers");
    ok(a[0] != a[1] && a[1] != a[2], "... which differ");
    one->random(one, b, 5);
    ok(memcmp(a, b, 5) != 0, "... and go on");
    world_free(denied);
    world_free(one);
    world_free(two);
}

int main(void)
{
    strcpy(scratch, "/tmp/osvm-world-XXXXXX");
    if (!mkdtemp(scratch))
        bail_out("no temporary directory");
    live = world_live_new();
    test_complete(live);
    test_files();
    test_environment();
    test_muted();
    test_denied();
    test_faulty();
    test_select();
    test_wait();
    test_logical();
    test_pulse();
    test_fork();
    test_spawn();
    live->unlink(live, path_of("m"));
    live->unlink(live, path_of("f"));
    is_int(live->remove_directory(live, scratch), 0, "nothing was left behind");
    world_free(live);
    return done_testing();
}
