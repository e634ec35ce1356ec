/* The log of collections (--gc-log): a line of JSON for each pause. */
#ifndef OSVM_VM_GC_LOG_H
#define OSVM_VM_GC_LOG_H

#include <stdio.h>

#include "osvm/heap.h"

/* `origin`: what HeapHost.now answered when the VM was made. */
void gc_log_write(FILE *file, Heap *heap, const HeapPause *pause, uint64_t origin);

#endif
