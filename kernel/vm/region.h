/* The one contiguous piece of address space a VM lives in.
 *
 *     VM variables | code zone | stack zone | new space | old space
 *
 * It is reserved without access; pages become usable with region_commit. The base
 * is random in production and the first free one of a fixed list under
 * --deterministic:
 *
 *     32-bit heaps  0x10000000, 0x20000000, 0x30000000, 0x40000000
 *     64-bit heaps  0x200000000000, 0x300000000000, 0x400000000000, 0x500000000000
 *
 * Regions of 32-bit heaps end below 4 GiB, below 2 GiB under AddressSanitizer,
 * whose shadow begins there.
 */
#ifndef OSVM_VM_REGION_H
#define OSVM_VM_REGION_H

#include "kernel/vm/vm.h"

typedef struct Region {
    Word start, end;  /* page-aligned */
    size_t page_size; /* of the host */
} Region;

/* Most bytes of objects: what was asked for, else three quarters of the machine, so that who wants
 * ever more is told so before the machine is. 0: no limit but the address space. */
uint64_t region_max_heap(const CoreSetup *setup);

/* Reserves the region. 64-bit: as large as the host allows, `max_heap` and some at least. */
bool region_reserve(Region *region, const CoreSetup *setup, OsvmError *error);
void region_release(Region *region);

/* Makes [start, end) readable and writable, zeroed; false: the host has no memory. */
bool region_commit(Region *region, Word start, Word end);
/* Gives the pages back; they read as zeros after the next commit. */
void region_decommit(Region *region, Word start, Word end);

/* Gives the pages back, but they stay usable and read as zeros. */
void region_discard(Region *region, Word start, Word end);

/* Zeroed, lazily committed memory anywhere; NULL: none. */
void *side_memory_reserve(size_t bytes);
void side_memory_release(void *memory, size_t bytes);

#endif
