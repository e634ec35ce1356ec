/* A heap without plugins, for looking at images and converting them. */
#ifndef OSVM_IMAGE_STILL_H
#define OSVM_IMAGE_STILL_H

#include "kernel/vm/image/image.h"

/* A VM whose memory manager knows prepare_load, adopt, enumeration and mourner_at,
 * nothing else. NULL: no memory. */
Vm *image_still_new(const CoreSetup *setup);
void image_still_free(Vm *vm);
/* The queue of mourners, in place of the one in the image; stays the caller's. */
void image_still_mourners(Vm *vm, const Oop *mourners, Word count);

#endif
