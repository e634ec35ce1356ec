/* A host for image code under test: memory, a world, no plugins. */
#ifndef OSVM_T_IMAGE_HOST_H
#define OSVM_T_IMAGE_HOST_H

#include "osvm/core.h"
#include "osvm/world.h"

typedef struct {
    CoreSetup setup; /* .host points to the next member */
    OsvmHost host;
    OsvmWorld *live, *faulty;
    size_t blocks; /* memory given out and not back yet */
    long fail_allocation; /* counts down; the allocation that reaches 0 fails; negative: none */
} ImageHost;

void image_host_start(ImageHost *host);
void image_host_stop(ImageHost *host);
/* Options of the faulty world, as on the command line; NULL: live again. */
void image_host_faults(ImageHost *host, const char *text);

#endif
