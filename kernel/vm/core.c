/* The core as a plugin: what the executable can ask of a heap width. */
#include <stdio.h>

#include "kernel/vm/image/tools.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/primitives/named.h"

/* The image's file name as primitive 121 answers it: absolute, links resolved. */
static char *full_path(const OsvmWorld *world, const char *path)
{
    char real[4096];
    return strdup(world->real_path(world, path, real, sizeof real) < 0 ? path : real);
}

static bool load_image(Vm *vm, const char *path, OsvmError *error)
{
    char reason[1024] = "";
    const OsvmHost *host = vm->setup->host;
    vm->image_path = full_path(host->world, path);
    if (!image_read(vm, path, reason, sizeof reason))
        return host->fail(error, OSVM_BAD_DATA, "%s: %s", path, reason);
    vm->mixed_arithmetic = true; /* whatever the image's flag says: as the reference VM does */
    named_new_session(vm);
    return true;
}

static int core_run(const CoreSetup *setup, const CoreRun *run, OsvmError *error)
{
    ImageFacts facts = {0};
    char reason[1024] = "";
    if (!image_read_facts(setup, run->image, &facts, reason, sizeof reason)) {
        setup->host->fail(error, OSVM_BAD_DATA, "%s: %s", run->image, reason);
        return OSVM_BAD_DATA;
    }
    Vm *vm = vm_create(setup, &facts, error);
    if (!vm)
        return error->status;
    vm->run = run;
    int code = load_image(vm, run->image, error) ? interp_run(vm) : (int)error->status;
    fflush(stdout);
    vm_destroy(vm);
    return code;
}

static int lacks_assemble(const CoreSetup *setup, const CoreAssemble *assemble, OsvmError *error)
{
    setup->host->fail(error, OSVM_UNAVAILABLE, "this core cannot put methods into images");
    return OSVM_UNAVAILABLE;
}

static const CoreOps core_ops = {
    .size = sizeof(CoreOps),
    .run = core_run,
    .info = core_info,
    .check = core_check,
    .dump = core_dump,
    .convert = core_convert,
    .assemble = lacks_assemble,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_CORE, WORD_BITS),
    .name = "osvm",
    .version = OSVM_VERSION,
    .summary = "interpreter of Spur images, both bytecode sets",
    .licence = "MIT",
    .vtable_abi = OSVM_CORE_ABI,
    .vtable = &core_ops,
    .vtable_size = sizeof core_ops,
};
