/* A small complete image, made object by object: every kind of object there is,
 * a scheduler, an active process with a context to resume. */
#ifndef OSVM_T_IMAGE_SAMPLE_H
#define OSVM_T_IMAGE_SAMPLE_H

#include "kernel/vm/image/still.h"

enum {
    SAMPLE_META = CLASS_PAGE_SIZE, SAMPLE_UNDEFINED, SAMPLE_FALSE, SAMPLE_TRUE, SAMPLE_ASSOCIATION,
    SAMPLE_PROCESS, SAMPLE_SCHEDULER, SAMPLE_LIST, SAMPLE_SEMAPHORE, SAMPLE_METHOD, SAMPLE_SYMBOL,
    SAMPLE_BYTES, SAMPLE_DICT, SAMPLE_WEAK, SAMPLE_EPHEMERON, SAMPLE_SHORTS, SAMPLE_WORDS64,
    SAMPLE_CLASSES_END,
    SAMPLE_BYTES_MAX = 256 * 1024,
};

typedef struct {
    Vm *vm;
    Word at; /* where the next object goes */
    Oop weak, ephemeron, method, context, linkage, floats, shorts, words64, words32, large, huge;
} Sample;

/* Builds it in a still heap that has been adopted. */
void sample_build(Sample *sample, const CoreSetup *setup);
/* The same around an object of so many zero bytes, which use no memory: classes below it, all else
 * above. False: there are not so many addresses. */
bool sample_build_around(Sample *sample, const CoreSetup *setup, Word bytes);
void sample_free(Sample *sample);

#endif
