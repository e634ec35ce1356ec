/* The live world: processes. */
#include "worlds.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int live_process_id(const OsvmWorld *world)
{
    return getpid();
}

static int live_fork(const OsvmWorld *world)
{
    Pulse *pulse = pulse_of(world);
    pulse_rest(pulse);
    int child = fork();
    int answer = child < 0 ? -errno : child;
    pulse_resume(pulse, child == 0);
    return answer;
}

/* --- Spawning ------------------------------------------------------------- */

/* What the child has as 0, 1, 2 must not overwrite what it is going to have, so
 * files below 3 are copied out of the way first. */
typedef struct ChildFiles {
    int source[3];
    bool copied[3];
} ChildFiles;

static void child_files_close(ChildFiles *files)
{
    for (int i = 0; i < 3; i++)
        if (files->copied[i])
            close(files->source[i]);
}

static int child_files_prepare(ChildFiles *files, const int wanted[3])
{
    for (int i = 0; i < 3; i++) {
        files->source[i] = wanted[i];
        files->copied[i] = false;
        if (wanted[i] == i || wanted[i] > 2)
            continue;
        files->source[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 3);
        if (files->source[i] < 0) {
            int failure = -errno;
            child_files_close(files);
            return failure;
        }
        files->copied[i] = true;
    }
    return 0;
}

static int fill_actions(posix_spawn_file_actions_t *actions, const ChildFiles *files,
                        const char *directory)
{
    int failure = 0;
    for (int i = 0; i < 3 && !failure; i++)
        failure = posix_spawn_file_actions_adddup2(actions, files->source[i], i);
    if (!failure && directory)
        failure = posix_spawn_file_actions_addchdir_np(actions, directory);
    return failure;
}

/* The child starts as if from a shell: no signal blocked, SIGPIPE not ignored. */
static void fill_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, pipe_only;
    sigemptyset(&none);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &pipe_only);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int live_spawn(const OsvmWorld *world, const OsvmSpawn *spawn)
{
    extern char **environ;
    ChildFiles files;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t child = 0;
    int failure = child_files_prepare(&files, spawn->files);
    if (failure)
        return failure;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    fill_attributes(&attributes);
    failure = fill_actions(&actions, &files, spawn->directory);
    if (!failure)
        failure = posix_spawnp(&child, spawn->arguments[0], &actions, &attributes,
                               (char *const *)spawn->arguments,
                               spawn->environment ? (char *const *)spawn->environment : environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    child_files_close(&files);
    return failure ? -failure : child;
}

static int live_reap(const OsvmWorld *world, int process, bool block, int *status)
{
    int raw, answer;
    do
        answer = waitpid(process, &raw, block ? 0 : WNOHANG);
    while (answer < 0 && errno == EINTR);
    if (answer < 0)
        return -errno;
    if (answer > 0)
        *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return answer;
}

static int live_kill(const OsvmWorld *world, int process, int number)
{
    return kill(process, number) < 0 ? -errno : 0;
}

static int live_pipe(const OsvmWorld *world, int files[2])
{
    return pipe2(files, O_CLOEXEC) < 0 ? -errno : 0;
}

void live_processes_fill(OsvmWorld *world)
{
    world->process_id = live_process_id;
    world->fork = live_fork;
    world->spawn = live_spawn;
    world->reap = live_reap;
    world->kill = live_kill;
    world->pipe = live_pipe;
}
