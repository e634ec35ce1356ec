/* The memory manager on a test bench: mm-spur over gc-compact, with the mock
 * host's region, roots and image. Both are linked into the test.
 */
#ifndef OSVM_T_MM_RIG_H
#define OSVM_T_MM_RIG_H

#include "mock_host.h"
#include "osvm/plugin.h"

typedef struct {
    MockHost *host;
    Heap *heap;
    Mm *mm;
    Gc *gc;
    uint64_t random; /* state of mm_rig_random */
    bool verbose;    /* findings of leak checks are printed */
    char error[512];
    char finding[512]; /* the last one of a leak check */
} MmRig;

/* Starts a VM's memory in `region` bytes with the mock image in it. Ends the
 * process if that fails. Config members that are 0 take their defaults. */
void mm_rig_open(MmRig *rig, size_t region, const MmConfig *config);
void mm_rig_close(MmRig *rig);
/* Findings of the leak check, printed as comments. */
size_t mm_rig_check(MmRig *rig);
uint64_t mm_rig_random(MmRig *rig);

#endif
