/* Names of hosts are looked for in threads, since a lookup can take many seconds. A job belongs to
 * its thread and to the resolver; whoever is the last to need it frees it. */
#include "socket.h"

#include <stdlib.h>
#include <string.h>

struct Job {
    Resolver *resolver;
    const OsvmWorld *world;
    bool by_address;
    bool given_up, done; /* guarded by the resolver's lock */
    int error;           /* negative: of gai_strerror */
    OsvmAddress address;
    char name[1025];
};

void resolver_start(Resolver *resolver, const OsvmPrimApi *api, void *vm)
{
    resolver->api = api;
    resolver->vm = vm;
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->ended, NULL);
}

void resolver_rest(Resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    while (resolver->threads)
        pthread_cond_wait(&resolver->ended, &resolver->lock);
    pthread_mutex_unlock(&resolver->lock);
}

void resolver_stop(Resolver *resolver)
{
    resolver_give_up(resolver);
    resolver_rest(resolver);
    pthread_cond_destroy(&resolver->ended);
    pthread_mutex_destroy(&resolver->lock);
}

static void look_up(Job *job)
{
    const OsvmWorld *world = job->world;
    char service[65];
    OsvmFound found;
    OsvmLookup lookup = {.host = job->name, .family = OSVM_INET4, .type = OSVM_STREAM};
    if (job->by_address) {
        job->error = world->resolve_address(world, &job->address, 0, job->name, sizeof job->name,
                                            service, sizeof service);
    } else {
        int count = world->resolve(world, &lookup, &found, 1);
        job->error = count > 0 ? 0 : count < 0 ? count : -1;
        if (count > 0)
            job->address = found.address;
    }
}

static void *run_job(void *argument)
{
    Job *job = argument;
    Resolver *resolver = job->resolver;
    look_up(job);
    pthread_mutex_lock(&resolver->lock);
    bool given_up = job->given_up;
    job->done = true;
    if (!given_up)
        resolver->api->signal_semaphore(resolver->vm, resolver->semaphore);
    resolver->threads--;
    pthread_cond_broadcast(&resolver->ended);
    pthread_mutex_unlock(&resolver->lock);
    if (given_up)
        free(job);
    return NULL;
}

void resolver_give_up(Resolver *resolver)
{
    Job *job = resolver->job;
    if (!job)
        return;
    pthread_mutex_lock(&resolver->lock);
    bool done = job->done;
    job->given_up = true;
    pthread_mutex_unlock(&resolver->lock);
    if (done)
        free(job);
    resolver->job = NULL;
}

static bool start_job(Resolver *resolver, Job *job)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_mutex_lock(&resolver->lock);
    bool started = pthread_create(&thread, &attributes, run_job, job) == 0;
    resolver->threads += started;
    pthread_mutex_unlock(&resolver->lock);
    pthread_attr_destroy(&attributes);
    if (started)
        resolver->job = job;
    else
        free(job);
    return started;
}

static Job *new_job(Resolver *resolver, const OsvmWorld *world)
{
    resolver_give_up(resolver);
    Job *job = calloc(1, sizeof *job);
    if (job) {
        job->resolver = resolver;
        job->world = world;
    }
    return job;
}

bool resolver_find_name(Resolver *resolver, const OsvmWorld *world, const char *name)
{
    Job *job = new_job(resolver, world);
    if (!job || strlen(name) >= sizeof job->name) {
        free(job);
        return false;
    }
    strcpy(job->name, name);
    return start_job(resolver, job);
}

bool resolver_find_address(Resolver *resolver, const OsvmWorld *world, const OsvmAddress *address)
{
    Job *job = new_job(resolver, world);
    if (!job)
        return false;
    job->by_address = true;
    job->address = *address;
    return start_job(resolver, job);
}

LookupStatus resolver_status(Resolver *resolver)
{
    if (!resolver->job)
        return LOOKUP_DONE;
    pthread_mutex_lock(&resolver->lock);
    bool done = resolver->job->done;
    pthread_mutex_unlock(&resolver->lock);
    return !done ? LOOKUP_BUSY : resolver->job->error ? LOOKUP_FAILED : LOOKUP_DONE;
}

/* The last job if it found something of that kind. */
static Job *successful_job(Resolver *resolver, bool by_address)
{
    bool found = resolver->job && resolver_status(resolver) == LOOKUP_DONE &&
                 resolver->job->by_address == by_address;
    return found ? resolver->job : NULL;
}

int resolver_error(Resolver *resolver)
{
    return resolver_status(resolver) == LOOKUP_FAILED ? resolver->job->error : 0;
}

const OsvmAddress *resolver_found_address(Resolver *resolver)
{
    Job *job = successful_job(resolver, false);
    return job ? &job->address : NULL;
}

const char *resolver_found_name(Resolver *resolver)
{
    Job *job = successful_job(resolver, true);
    return job ? job->name : NULL;
}
