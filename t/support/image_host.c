#include "t/support/image_host.h"

#include <stdio.h>
#include <string.h>

#include "kernel/world/worlds.h"

static ImageHost *host_of(const OsvmHost *host)
{
    return host->kernel;
}

static bool allocation_fails(const OsvmHost *host)
{
    ImageHost *self = host_of(host);
    return self->fail_allocation >= 0 && self->fail_allocation-- == 0;
}

static void *host_alloc(const OsvmHost *host, size_t size)
{
    void *block = allocation_fails(host) ? NULL : calloc(1, size ? size : 1);
    host_of(host)->blocks += block != NULL;
    return block;
}

static void *host_resize(const OsvmHost *host, void *block, size_t old_size, size_t new_size)
{
    char *bigger = allocation_fails(host) ? NULL : realloc(block, new_size);
    if (bigger && new_size > old_size)
        memset(bigger + old_size, 0, new_size - old_size);
    host_of(host)->blocks += bigger && !block;
    return bigger;
}

static void host_free(const OsvmHost *host, void *block, size_t size)
{
    host_of(host)->blocks -= block != NULL;
    free(block);
}

static bool host_fail(OsvmError *error, OsvmStatus status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return false;
}

void image_host_start(ImageHost *host)
{
    memset(host, 0, sizeof *host);
    host->live = world_live_new();
    host->fail_allocation = -1;
    host->host = (OsvmHost){.size = sizeof host->host, .kernel = host, .world = host->live,
                            .own = host->live, .alloc = host_alloc,
                            .resize = host_resize, .free = host_free,
                            .fail = host_fail};
    host->setup = (CoreSetup){.size = sizeof host->setup, .host = &host->host};
}

void image_host_faults(ImageHost *host, const char *text)
{
    OsvmError error = {OSVM_OK, ""};
    world_free(host->faulty);
    host->faulty = text ? world_faulty_new(host->live, text, &error) : NULL;
    if (text && !host->faulty) {
        fprintf(stderr, "%s\n", error.message);
        exit(2);
    }
    host->host.world = host->host.own = text ? host->faulty : host->live;
}

void image_host_stop(ImageHost *host)
{
    image_host_faults(host, NULL);
    world_free(host->live);
}
