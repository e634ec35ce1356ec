/* A module of primitives in a mock VM, behind a shim or not. */
#ifndef OSVM_T_PRIMS_RIG_H
#define OSVM_T_PRIMS_RIG_H

#include "t/support/mock_prims.h"
#include "t/support/plugin_user.h"
#include "t/support/watched_world.h"

typedef struct {
    PluginUser module, shim; /* the second is closed if there is none */
    const OsvmPrims *prims, *outer; /* of the module; of what stands in front */
    void *outer_state;
    MockVm vm;
    WatchedWorld world;
    bool started;
    char error[512];
} PrimsRig;

typedef struct {
    const char *file, *shim; /* NULL: without */
    unsigned width;
    bool denied;             /* the world */
    size_t fail_allocation;  /* of the host, for the module: 1: the first, and all after it; 0: none */
} PrimsRigSetup;

/* False: the module cannot be had or does not start (`error`). To be closed in either case. */
bool prims_rig_open(PrimsRig *rig, const PrimsRigSetup *setup);
int prims_rig_call(PrimsRig *rig, const OsvmPrim *prim, OsvmCall *call);
void prims_rig_session(PrimsRig *rig);
/* What was not given back: blocks of the host, open files. */
typedef struct {
    size_t blocks;
    size_t files;
} Leftovers;
Leftovers prims_rig_close(PrimsRig *rig);

#endif
