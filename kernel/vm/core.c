/* The core as a plugin: what the executable can ask of a heap width. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/bytecode/asm.h"
#include "kernel/debug/gc_lab/bench.h"
#include "kernel/debug/machine/disasm.h"
#include "kernel/vm/assemble.h"
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
        return host->fail(error, OSVM_BAD_DATA, "%s", reason);
    vm->mixed_arithmetic = true; /* whatever the image's flag says: as the reference VM does */
    named_new_session(vm);
    return true;
}

static int core_run(const CoreSetup *setup, const CoreRun *run, OsvmError *error)
{
    ImageFacts facts = {0};
    char reason[1024] = "";
    if (!image_read_facts(setup, run->image, &facts, reason, sizeof reason)) {
        setup->host->fail(error, OSVM_BAD_DATA, "%s", reason);
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

/* ---- osvm asm ---- */

static int install_methods(const CoreSetup *setup, const CoreAssemble *assemble,
                           const AsmResult *result, OsvmError *error)
{
    ImageFacts facts = {0};
    char reason[1024] = "";
    if (!image_read_facts(setup, assemble->image, &facts, reason, sizeof reason)) {
        setup->host->fail(error, OSVM_BAD_DATA, "%s", reason);
        return OSVM_BAD_DATA;
    }
    Vm *vm = vm_create(setup, &facts, error);
    if (!vm)
        return (int)error->status;
    int code = load_image(vm, assemble->image, error) &&
                       assemble_install(vm, result->methods, result->method_count, NAMES_MUST_EXIST,
                                        error)
                   ? OSVM_OK : (int)error->status;
    if (code == OSVM_OK) {
        vm->heap.mm->ops->collect_full(vm->heap.mm);
        if (!image_write(vm, assemble->output, reason, sizeof reason)) {
            setup->host->fail(error, OSVM_CANNOT_CREATE, "%s: %s", assemble->output, reason);
            code = OSVM_CANNOT_CREATE;
        }
    }
    vm_destroy(vm);
    return code;
}

static int assemble_text(const CoreSetup *setup, const CoreAssemble *assemble,
                         const AsmResult *result, Arena *arena, OsvmError *error)
{
    for (size_t i = 0; i < result->error_count; i++)
        fprintf(stderr, "%s\n", result->errors[i].message);
    if (result->error_count) {
        setup->host->fail(error, OSVM_BAD_DATA, "%s: %zu errors", assemble->file,
                          result->error_count);
        return OSVM_BAD_DATA;
    }
    if (!result->method_count) {
        setup->host->fail(error, OSVM_BAD_DATA, "%s: there is no method in it", assemble->file);
        return OSVM_BAD_DATA;
    }
    if (assemble->image)
        return install_methods(setup, assemble, result, error);
    if (assemble_list(result->methods, result->method_count, arena))
        return OSVM_OK;
    setup->host->fail(error, OSVM_BAD_DATA, "%s: the verifier refuses a method", assemble->file);
    return OSVM_BAD_DATA;
}

static int core_assemble(const CoreSetup *setup, const CoreAssemble *assemble, OsvmError *error)
{
    size_t length;
    char *text = assemble_read_file(setup->host, assemble->file, &length, error);
    if (!text)
        return (int)error->status;
    Arena *arena = arena_new();
    AsmResult result = asm_read(text, length, assemble->file, arena);
    int code = assemble_text(setup, assemble, &result, arena, error);
    arena_free(arena);
    free(text);
    return code;
}

/* ---- osvm disasm ---- */

#ifndef OSVM_NO_JIT
static int core_disassemble(const CoreSetup *setup, const CoreDisassemble *what, OsvmError *error)
{
    ImageFacts facts = {0};
    char reason[1024] = "";
    if (!image_read_facts(setup, what->image, &facts, reason, sizeof reason)) {
        setup->host->fail(error, OSVM_BAD_DATA, "%s", reason);
        return OSVM_BAD_DATA;
    }
    Vm *vm = vm_create(setup, &facts, error);
    if (!vm)
        return (int)error->status;
    int code = load_image(vm, what->image, error) ? debug_disassemble(vm, what, error)
                                                  : (int)error->status;
    vm_destroy(vm);
    return code;
}
#else
static int core_disassemble(const CoreSetup *setup, const CoreDisassemble *what, OsvmError *error)
{
    setup->host->fail(error, OSVM_UNAVAILABLE, "this osvm was built without the JIT (make JIT=no)");
    return OSVM_UNAVAILABLE;
}
#endif

static const CoreOps core_ops = {
    .size = sizeof(CoreOps),
    .run = core_run,
    .info = core_info,
    .check = core_check,
    .dump = core_dump,
    .convert = core_convert,
    .assemble = core_assemble,
    .gc_events = core_gc_events,
    .disassemble = core_disassemble,
    .gc_conformance = core_gc_conformance,
    .decompile = core_decompile,
    .gc_bench = core_gc_bench,
    .gc_workload = core_gc_workload,
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
