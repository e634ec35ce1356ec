/* Waiting, and the helper thread.
 *
 * The main thread waits on one eventfd, `woken`; whoever has something for it
 * writes to that. The helper thread sleeps in poll on its own eventfd `control`,
 * on a signalfd and on the watched files, with the heartbeat as the timeout. It
 * never touches the heap: it calls the functions of OsvmPulse and of watches,
 * which only set flags. While the main thread waits there are no ticks, so an
 * idle VM uses no processor time.
 *
 * `lock` guards the watches and is held while a watch's function runs: after
 * watch(..., 0, ...) returns, it does not run any more.
 */
#include "worlds.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

typedef struct Watch {
    int file;
    unsigned events; /* 0: fired, or free to use */
    OsvmReady *ready;
    void *context;
} Watch;

struct Pulse {
    int woken;            /* eventfd: ends the main thread's wait */
    int control;          /* eventfd: makes the helper thread look at its state again */
    int signals;          /* signalfd; -1 while the helper does not run */
    bool running;         /* the helper thread exists */
    atomic_bool waiting;  /* the main thread is in wait */
    atomic_bool stopping; /* the helper has to end */
    OsvmPulse pulse;
    sigset_t outside; /* the main thread's signal mask before pulse_start */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    Watch *watches;
    size_t watch_count;
};

Pulse *pulse_of(const OsvmWorld *world)
{
    WorldState *state = world->state;
    while (state->inner)
        state = state->inner->state;
    return ((LiveWorld *)state)->pulse;
}

static int new_eventfd(void)
{
    int file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    REQUIRE(file >= 0, "the host has no eventfd left: %s", strerror(errno));
    return file;
}

static void eventfd_add(int file)
{
    int saved = errno;
    uint64_t one = 1;
    /* Fails only when the counter is full, and then it is readable anyway. */
    ssize_t ignored = write(file, &one, sizeof one);
    (void)ignored;
    errno = saved;
}

static bool eventfd_drain(int file)
{
    uint64_t count;
    return read(file, &count, sizeof count) == sizeof count;
}

static int64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
}

static struct timespec timespec_of(int64_t us)
{
    return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

/* --- The main thread's side ----------------------------------------------- */

static unsigned live_wait(const OsvmWorld *world, int64_t until_us)
{
    Pulse *pulse = pulse_of(world);
    struct pollfd woken = {.fd = pulse->woken, .events = POLLIN};
    unsigned answer = OSVM_WAIT_TIMEOUT;
    atomic_store(&pulse->waiting, true);
    for (;;) {
        if (eventfd_drain(pulse->woken)) {
            answer = OSVM_WAIT_WOKEN;
            break;
        }
        int64_t left = until_us == OSVM_FOREVER || until_us <= 0 ? 0 : until_us - now_us();
        if (until_us != OSVM_FOREVER && left <= 0)
            break;
        struct timespec timeout = timespec_of(left);
        ppoll(&woken, 1, until_us == OSVM_FOREVER ? NULL : &timeout, NULL);
    }
    atomic_store(&pulse->waiting, false);
    if (pulse->running && pulse->pulse.period_us)
        eventfd_add(pulse->control);
    return answer;
}

static void live_wake(const OsvmWorld *world)
{
    eventfd_add(pulse_of(world)->woken);
}

/* --- The helper thread ---------------------------------------------------- */

static void take_signals(Pulse *pulse)
{
    struct signalfd_siginfo info;
    while (read(pulse->signals, &info, sizeof info) == sizeof info) {
        if (pulse->pulse.signal)
            pulse->pulse.signal(pulse->pulse.context, (int)info.ssi_signo);
        eventfd_add(pulse->woken);
    }
}

static void fire_watches(Pulse *pulse, const struct pollfd *polled, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!polled[i].revents)
            continue;
        pthread_mutex_lock(&pulse->lock);
        for (size_t w = 0; w < pulse->watch_count; w++) {
            Watch *watch = &pulse->watches[w];
            if (watch->file != polled[i].fd || !watch->events)
                continue;
            unsigned events =
                (polled[i].revents & POLLIN ? OSVM_READABLE : 0) |
                (polled[i].revents & POLLOUT ? OSVM_WRITABLE : 0) |
                (polled[i].revents & (POLLERR | POLLHUP | POLLNVAL) ? OSVM_BROKEN : 0);
            watch->events = 0;
            watch->ready(watch->context, watch->file, events);
            eventfd_add(pulse->woken);
        }
        pthread_mutex_unlock(&pulse->lock);
    }
}

/* Fills in what to poll for watches; `polled` grows. Answers the count in all. */
static size_t collect_polled(Pulse *pulse, struct pollfd **polled, size_t *room)
{
    pthread_mutex_lock(&pulse->lock);
    if (*room < 2 + pulse->watch_count) {
        *room = 2 + 2 * pulse->watch_count;
        *polled = realloc(*polled, *room * sizeof **polled);
        REQUIRE(*polled, "the host has no memory for %zu watched files", pulse->watch_count);
    }
    size_t count = 0;
    (*polled)[count++] = (struct pollfd){.fd = pulse->control, .events = POLLIN};
    (*polled)[count++] = (struct pollfd){.fd = pulse->signals, .events = POLLIN};
    for (size_t i = 0; i < pulse->watch_count; i++) {
        const Watch *watch = &pulse->watches[i];
        short events = (short)((watch->events & OSVM_READABLE ? POLLIN : 0) |
                               (watch->events & OSVM_WRITABLE ? POLLOUT : 0));
        if (watch->events)
            (*polled)[count++] = (struct pollfd){.fd = watch->file, .events = events};
    }
    pthread_mutex_unlock(&pulse->lock);
    return count;
}

/* Ticks if it is time, and answers when the next is due. */
static int64_t beat(Pulse *pulse, int64_t due)
{
    int64_t now = now_us(), period = pulse->pulse.period_us;
    if (now < due)
        return due;
    pulse->pulse.tick(pulse->pulse.context);
    return now - due > period ? now + period : due + period;
}

static void *helper_run(void *argument)
{
    Pulse *pulse = argument;
    struct pollfd *polled = NULL;
    size_t room = 0;
    int64_t due = now_us() + pulse->pulse.period_us;
    while (!atomic_load(&pulse->stopping)) {
        bool beating = pulse->pulse.period_us && !atomic_load(&pulse->waiting);
        size_t count = collect_polled(pulse, &polled, &room);
        int64_t left = due - now_us();
        struct timespec timeout = timespec_of(left > 0 ? left : 0);
        int ready = ppoll(polled, count, beating ? &timeout : NULL, NULL);
        if (ready > 0) {
            if (polled[0].revents)
                eventfd_drain(pulse->control);
            if (polled[1].revents)
                take_signals(pulse);
            fire_watches(pulse, polled + 2, count - 2);
        }
        if (!pulse->pulse.period_us)
            continue;
        if (atomic_load(&pulse->waiting))
            due = now_us() + pulse->pulse.period_us;
        else
            due = beat(pulse, due);
    }
    free(polled);
    return NULL;
}

static sigset_t taken_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&set, numbers[i]);
    return set;
}

/* The thread blocks every signal: it takes them from the signalfd. */
static int helper_start(Pulse *pulse)
{
    sigset_t all, kept, taken = taken_signals();
    pulse->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (pulse->signals < 0)
        return -errno;
    atomic_store(&pulse->stopping, false);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    int failure = pthread_create(&pulse->thread, NULL, helper_run, pulse);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    if (failure) {
        close(pulse->signals);
        pulse->signals = -1;
        return -failure;
    }
    pulse->running = true;
    return 0;
}

static void helper_end(Pulse *pulse)
{
    atomic_store(&pulse->stopping, true);
    eventfd_add(pulse->control);
    pthread_join(pulse->thread, NULL);
    close(pulse->signals);
    pulse->signals = -1;
    pulse->running = false;
}

static int live_pulse_start(const OsvmWorld *world, const OsvmPulse *wanted)
{
    Pulse *pulse = pulse_of(world);
    if (pulse->running)
        return -EBUSY;
    pulse->pulse = *wanted;
    if (!wanted->tick)
        pulse->pulse.period_us = 0;
    sigset_t taken = taken_signals();
    pthread_sigmask(SIG_BLOCK, &taken, &pulse->outside);
    int failure = helper_start(pulse);
    if (failure)
        pthread_sigmask(SIG_SETMASK, &pulse->outside, NULL);
    return failure;
}

static void live_pulse_stop(const OsvmWorld *world)
{
    Pulse *pulse = pulse_of(world);
    if (!pulse->running)
        return;
    helper_end(pulse);
    pthread_sigmask(SIG_SETMASK, &pulse->outside, NULL);
}

void pulse_rest(Pulse *pulse)
{
    if (pulse->running) {
        helper_end(pulse);
        pulse->running = true; /* to be resumed */
    }
}

/* A child must not share eventfds with its parent: each would wake the other. */
void pulse_resume(Pulse *pulse, bool in_child)
{
    if (in_child) {
        close(pulse->woken);
        close(pulse->control);
        pulse->woken = new_eventfd();
        pulse->control = new_eventfd();
    }
    if (pulse->running) {
        pulse->running = false;
        int failure = helper_start(pulse);
        REQUIRE(!failure, "the helper thread does not start again after a fork: %s",
                strerror(-failure));
    }
}

/* --- Watches -------------------------------------------------------------- */

/* The entry of a file, or a free one, or a new one. */
static Watch *watch_entry(Pulse *pulse, int file)
{
    Watch *found = NULL;
    for (size_t i = 0; i < pulse->watch_count; i++) {
        Watch *watch = &pulse->watches[i];
        if (watch->file == file)
            return watch;
        if (!watch->events)
            found = watch;
    }
    if (found)
        return found;
    Watch *grown = realloc(pulse->watches, (pulse->watch_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    pulse->watches = grown;
    return &pulse->watches[pulse->watch_count++];
}

static int live_watch(const OsvmWorld *world, int file, unsigned events, OsvmReady *ready,
                      void *context)
{
    Pulse *pulse = pulse_of(world);
    if (!pulse->running && events)
        return -ENODEV;
    pthread_mutex_lock(&pulse->lock);
    Watch *watch = watch_entry(pulse, file);
    if (watch)
        *watch = (Watch){.file = file, .events = events, .ready = ready, .context = context};
    pthread_mutex_unlock(&pulse->lock);
    if (!watch)
        return -ENOMEM;
    if (pulse->running)
        eventfd_add(pulse->control);
    return 0;
}

bool pulse_is_watching(Pulse *pulse)
{
    bool watching = false;
    pthread_mutex_lock(&pulse->lock);
    for (size_t i = 0; i < pulse->watch_count; i++)
        watching |= pulse->watches[i].events != 0;
    pthread_mutex_unlock(&pulse->lock);
    return watching;
}

/* --- Making and freeing --------------------------------------------------- */

Pulse *pulse_new(void)
{
    Pulse *pulse = calloc(1, sizeof *pulse);
    REQUIRE(pulse, "the host has no memory for the helper thread");
    pulse->woken = new_eventfd();
    pulse->control = new_eventfd();
    pulse->signals = -1;
    pthread_mutex_init(&pulse->lock, NULL);
    return pulse;
}

void pulse_free(Pulse *pulse)
{
    if (pulse->running)
        helper_end(pulse);
    close(pulse->woken);
    close(pulse->control);
    pthread_mutex_destroy(&pulse->lock);
    free(pulse->watches);
    free(pulse);
}

void pulse_fill(OsvmWorld *world)
{
    world->wait = live_wait;
    world->wake = live_wake;
    world->pulse_start = live_pulse_start;
    world->pulse_stop = live_pulse_stop;
    world->watch = live_watch;
}
