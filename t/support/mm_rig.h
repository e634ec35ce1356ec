/* A memory manager on a test bench, over a collector, with the mock host's region, roots and image.
 *
 * mm_rig_open() takes mm-spur over gc-compact, both linked into the test (behind mm-shim if that is
 * linked too); mm_rig_start() takes plugins by file or descriptor.
 */
#ifndef OSVM_T_MM_RIG_H
#define OSVM_T_MM_RIG_H

#include "mock_host.h"
#include "plugin_user.h"

/* What stands on the bench. Of `file` and `linked` one is given; a shim may have neither. */
typedef struct {
    PluginChoice mm, mm_shim, gc;
    size_t region;         /* bytes of address space */
    MmConfig config;       /* new_start and region_end are filled in */
} MmRigSetup;

typedef struct {
    MockHost *host;
    Heap *heap;
    Mm *mm; /* the shim if there is one */
    Gc *gc;
    PluginUser mm_user, mm_shim_user, gc_user;
    MmConfig config; /* as given to start */
    uint64_t random; /* state of mm_rig_random */
    bool verbose;    /* findings of leak checks are printed */
    char error[2048];
    char finding[512]; /* the last one of a leak check */
} MmRig;

/* Starts a VM's memory in `region` bytes with the mock image in it. Ends the
 * process if that fails. Config members that are 0 take their defaults. */
void mm_rig_open(MmRig *rig, size_t region, const MmConfig *config);
/* Stops it. Answers what was not given back: bytes of side tables, and blocks of the plugins. */
size_t mm_rig_close(MmRig *rig);

/* The same in steps. Each answers false with `error` set; mm_rig_free() then takes what there is. */
bool mm_rig_make(MmRig *rig, const MmRigSetup *setup);
bool mm_rig_start(MmRig *rig);
/* Writes the mock image and has it adopted. */
bool mm_rig_load(MmRig *rig);
size_t mm_rig_free(MmRig *rig);

/* Findings of the leak check, printed as comments. */
size_t mm_rig_check(MmRig *rig);
uint64_t mm_rig_random(MmRig *rig);

#endif
