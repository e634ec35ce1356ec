#include "t/support/prims_rig.h"

#include <string.h>

static bool open_plugins(PrimsRig *rig, const PrimsRigSetup *setup)
{
    PluginChoice choice = {.file = setup->file, .kind = OSVM_PRIMS, .vtable_abi = OSVM_PRIMS_ABI,
                           .world = rig->world.world, .fail_allocation = setup->fail_allocation};
    if (!plugin_open(&rig->module, &choice, rig->error, sizeof rig->error))
        return false;
    rig->prims = rig->outer = rig->module.plugin->vtable;
    rig->outer_state = rig->module.state;
    if (!setup->shim)
        return true;
    choice = (PluginChoice){.file = setup->shim, .kind = OSVM_PRIMS, .vtable_abi = OSVM_PRIMS_ABI,
                            .world = rig->world.world, .inner = &rig->module};
    if (!plugin_open(&rig->shim, &choice, rig->error, sizeof rig->error))
        return false;
    rig->outer = rig->shim.plugin->vtable;
    rig->outer_state = rig->shim.state;
    return true;
}

bool prims_rig_open(PrimsRig *rig, const PrimsRigSetup *setup)
{
    *rig = (PrimsRig){0};
    watched_world_open(&rig->world, setup->denied);
    mock_vm_open(&rig->vm, setup->width, rig->world.world);
    if (!open_plugins(rig, setup))
        return false;
    rig->vm.moves = true;
    rig->vm.module_state = rig->module.state;
    rig->started = !rig->outer->start || rig->outer->start(rig->outer_state, &mock_prims_api, &rig->vm);
    if (!rig->started)
        snprintf(rig->error, sizeof rig->error, "start answers false");
    return rig->started;
}

int prims_rig_call(PrimsRig *rig, const OsvmPrim *prim, OsvmCall *call)
{
    MockVm *vm = &rig->vm;
    vm->prim = prim;
    vm->services = vm->callbacks = vm->refused_callbacks = 0;
    vm->asked_count = 0;
    vm->has_failed = false;
    rig->world.refusals = 0;
    return rig->shim.plugin ? rig->outer->call(rig->outer_state, prim, &mock_prims_api, call)
                            : prim->function(&mock_prims_api, call);
}

void prims_rig_session(PrimsRig *rig)
{
    rig->vm.session++;
    if (rig->outer->session)
        rig->outer->session(rig->outer_state);
}

Leftovers prims_rig_close(PrimsRig *rig)
{
    Leftovers left = {0};
    if (rig->started && rig->outer->stop)
        rig->outer->stop(rig->outer_state);
    left.files = watched_world_open_files(&rig->world);
    left.blocks = plugin_close(&rig->shim);
    left.blocks += plugin_close(&rig->module);
    mock_vm_close(&rig->vm);
    watched_world_close(&rig->world);
    return left;
}
