/* A compiled program to an image: the class table, the special objects, the
 * start-up process. See docs/building-images.md for what it wants of a class
 * library. */
#ifndef OSVM_COMPILER_IMAGE_H
#define OSVM_COMPILER_IMAGE_H

#include "strip.h"

typedef struct {
    unsigned bits; /* 32 or 64 */
    BytecodeSet set;
    const char *start;          /* expression that is evaluated last; NULL: none */
    const Manifest *manifest; /* NULL: none */
    bool drop_sources;          /* methods do not carry their text */
    StripResult *strip;         /* not NULL: leave out what is not reached, and say what */
} ImageOptions;

/* Makes the snapshot of a resolved program, compiling it on the way. NULL after errors; else a
 * block to be freed with free(). */
uint8_t *image_build(Program *program, const ImageOptions *options, size_t *size);

#endif
