#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum {
    WORTH_A_THREAD = 64 << 20, /* bytes; a busy machine may let a helper wait for a while */
    USUAL_MOST = 4,            /* memory is what they wait for */
    PATIENCE = 64,             /* rounds before the processor is offered to others ... */
    LONG_PATIENCE = 2000,      /* ... and before it is given up for a while */
    NAP_NS = 50000,
};

typedef struct {
    TeamJob job;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t gate;
    unsigned size; /* 0: not all have been started yet */
} Team;

typedef struct {
    Team *team;
    unsigned worker;
    pthread_t thread;
} Member;

unsigned team_size(const Heap *heap, unsigned wanted, Word bytes)
{
    if (heap->deterministic || (!wanted && bytes < WORTH_A_THREAD))
        return 1;
    long processors = wanted ? (long)wanted : sysconf(_SC_NPROCESSORS_ONLN);
    long most = wanted ? TEAM_MOST : USUAL_MOST;
    return processors < 1 ? 1 : (unsigned)(processors < most ? processors : most);
}

/* Helpers start when it is known how many there are. */
static void *help(void *context)
{
    Member *member = context;
    Team *team = member->team;
    pthread_mutex_lock(&team->lock);
    while (!team->size)
        pthread_cond_wait(&team->gate, &team->lock);
    pthread_mutex_unlock(&team->lock);
    team->job(team->context, member->worker, team->size);
    return NULL;
}

static void open_gate(Team *team, unsigned size)
{
    pthread_mutex_lock(&team->lock);
    team->size = size;
    pthread_cond_broadcast(&team->gate);
    pthread_mutex_unlock(&team->lock);
}

/* Signals are for the threads that expect them. */
static unsigned start_helpers(Team *team, Member *members, unsigned size)
{
    sigset_t all, before;
    unsigned started = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; started < size; started++) {
        members[started] = (Member){.team = team, .worker = started};
        if (pthread_create(&members[started].thread, NULL, help, &members[started]))
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void team_run(unsigned size, TeamJob job, void *context)
{
    Team team = {.job = job, .context = context, .lock = PTHREAD_MUTEX_INITIALIZER,
                 .gate = PTHREAD_COND_INITIALIZER};
    Member members[TEAM_MOST];
    size = start_helpers(&team, members, size < TEAM_MOST ? size : TEAM_MOST);
    open_gate(&team, size);
    job(context, 0, size);
    for (unsigned i = 1; i < size; i++)
        pthread_join(members[i].thread, NULL);
}

void team_pause(unsigned round)
{
    if (round < PATIENCE)
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    else if (round < LONG_PATIENCE)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}
