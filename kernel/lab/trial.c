/* One sequence of events in a process of its own. */
#include "kernel/lab/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE = 60, TICK_MS = 200 };

const char *found_by_name(FoundBy by)
{
    static const char *const names[] = {
        "nothing", "model", "leak check", "check", "crash", "hang", "expectation", "start",
    };
    return names[by];
}

bool lab_open(Lab *lab, Cli *cli, unsigned heap_bits, OsvmError *error)
{
    *lab = (Lab){.cli = cli, .heap_bits = heap_bits, .leak_check = true, .patience = PATIENCE};
    const char *folder = cli->live->get_variable(cli->live, "TMPDIR");
    lab->folder = folder ? folder : "/tmp";
    void *shared = mmap(NULL, sizeof *lab->flight, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return error_set(error, OSVM_INTERNAL, "no shared memory: %s", strerror(errno));
    lab->flight = shared;
    lab->progress = &lab->flight->event;
    return true;
}

void lab_close(Lab *lab)
{
    munmap(lab->flight, sizeof *lab->flight);
}

/* ---- The child and who waits for it ---- */

/* Reads what the child says until it ends. Kills it when its event stays the same for
 * too long; answers whether it had to. */
static bool listen(Lab *lab, pid_t child, int from, char *text, size_t size)
{
    size_t used = strlen(text);
    uint64_t event = *lab->progress;
    unsigned silent = 0;
    char block[4096];
    for (;;) {
        struct pollfd wait = {.fd = from, .events = POLLIN};
        int ready = poll(&wait, 1, TICK_MS);
        if (ready > 0) {
            ssize_t count = read(from, block, sizeof block);
            if (count <= 0)
                return false;
            size_t room = size - 1 - used, take = (size_t)count < room ? (size_t)count : room;
            memcpy(text + used, block, take);
            used += take;
            text[used] = 0;
            continue;
        }
        silent = *lab->progress == event ? silent + TICK_MS : 0;
        event = *lab->progress;
        if (silent > lab->patience * 1000) {
            kill(child, SIGKILL);
            return true;
        }
    }
}

static _Noreturn void be_child(Lab *lab, int (*child)(Lab *, void *), void *context, int to)
{
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nothing, 1);
    dup2(to, 2);
    _exit(child(lab, context));
}

int lab_fork(Lab *lab, int (*child)(Lab *, void *), void *context, char *text, size_t size)
{
    int ends[2], status = 0;
    fflush(NULL);
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0, "no pipe: %s", strerror(errno));
    pid_t pid = fork();
    REQUIRE(pid >= 0, "no process: %s", strerror(errno));
    if (pid == 0)
        be_child(lab, child, context, ends[1]);
    close(ends[1]);
    bool killed = listen(lab, pid, ends[0], text, size);
    close(ends[0]);
    while (wait4(pid, &status, 0, &lab->usage) < 0 && errno == EINTR)
        ;
    return killed ? SIGALRM : status;
}

static int perform(Lab *lab, void *context)
{
    OsvmError error = {.status = OSVM_OK};
    CoreSetup setup;
    CoreGcEvents events = {.script = context, .flight = lab->flight, .leak_check = lab->leak_check,
                           .folder = lab->folder};
    const CoreOps *core = vm_load_core(lab->cli, lab->heap_bits, &setup, &error);
    setup.deterministic = true;
    if (core && core->gc_events(&setup, &events, &error) == OSVM_OK)
        return 0;
    lab->flight->found = FOUND_NO_START;
    snprintf(lab->flight->text, sizeof lab->flight->text, "%s", error.message);
    return OSVM_INTERNAL;
}

/* ---- What it found ---- */

/* What a child said before it died: a broken rule, or a sanitizer's report; its head. */
static void append_words(GcFlight *flight, const char *said)
{
    size_t used = strlen(flight->text);
    const char *newline = strchr(said, '\n');
    int length = newline ? (int)(newline - said) : (int)strlen(said);
    if (length)
        snprintf(flight->text + used, sizeof flight->text - used, "%s%.*s", used ? ": " : "",
                 length, said);
}

void lab_judge(GcFlight *flight, int status, const char *said)
{
    bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    bool sanitized = strstr(said, "Sanitizer") || strstr(said, "runtime error");
    if (flight->found)
        return;
    flight->found = status == SIGALRM ? FOUND_BY_HANG
                    : aborted || sanitized ? FOUND_BY_CHECK : FOUND_BY_CRASH;
    if (flight->found == FOUND_BY_HANG)
        snprintf(flight->text, sizeof flight->text, "no progress");
    else if (WIFSIGNALED(status) && !aborted)
        snprintf(flight->text, sizeof flight->text, "SIG%s", sigabbrev_np(WTERMSIG(status)));
    append_words(flight, said);
}

FoundBy lab_try(Lab *lab, const GcScript *script)
{
    char said[1024] = "";
    memset(lab->flight, 0, sizeof *lab->flight);
    int status = lab_fork(lab, perform, (void *)(uintptr_t)script, said, sizeof said);
    if (status == 0 && lab->flight->done)
        return FOUND_NOTHING;
    lab_judge(lab->flight, status, said);
    return lab->flight->found;
}
