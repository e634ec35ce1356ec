/* The x64 back end with a fault: the first piece of code longer than FAULT_BYTES that it encodes gets
 * other bytes at its unchecked entry. For tests of what a simulated processor says then.
 * FAULT names the fault, REAL_JIT the file of the sound back end. */
#define WORD_BITS 64
#include "osvm/jit.h"

#include <dlfcn.h>
#include <string.h>

enum { FAULT_AFTER = 40 }; /* pieces that stay sound, so that there are frames to show */

static const struct {
    const char *name;
    uint8_t bytes[16];
    unsigned count;
} faults[] = {
    {"illegal", {0x0F, 0x0B}, 2},                                     /* ud2 */
    {"trap", {0xCC}, 1},                                              /* int3 */
    {"read", {0x48, 0x8B, 0x04, 0x25, 0x40, 0x00, 0x00, 0x70}, 8},    /* mov rax, [0x70000040] */
    {"write", {0x48, 0x89, 0x04, 0x25, 0x40, 0x00, 0x00, 0x70}, 8},   /* mov [0x70000040], rax */
    {"jump", {0xB8, 0x78, 0x56, 0x34, 0x12, 0xFF, 0xE0}, 7},          /* mov eax, ...; jmp rax */
    {"endless", {0xEB, 0xFE}, 2},                                     /* jmp to itself */
    /* and rsp, -16; push rax; call [rbx + routines], whose offset is put in */
    {"stack", {0x48, 0x83, 0xE4, 0xF0, 0x50, 0xFF, 0x93}, 11},
};

static JitOps ops;
static uint32_t (*sound_encode)(JitBackEnd *back_end, const JitCode *code);
static uint32_t (*sound_encode_stub)(JitBackEnd *back_end, const JitStub *stub,
                                     const JitVariables *variables);
static int32_t routines;

static uint32_t encode(JitBackEnd *back_end, const JitCode *code)
{
    static unsigned pieces;
    uint32_t bytes = sound_encode(back_end, code);
    const char *wanted = getenv("FAULT");
    if (!bytes || code->count < 8 || ++pieces != FAULT_AFTER)
        return bytes;
    for (size_t i = 0; wanted && i < sizeof faults / sizeof *faults; i++)
        if (strcmp(faults[i].name, wanted) == 0)
            memcpy(code->out, faults[i].bytes, faults[i].count);
    if (wanted && strcmp(wanted, "stack") == 0)
        memcpy(code->out + 7, &routines, sizeof routines);
    return bytes;
}

static uint32_t encode_stub(JitBackEnd *back_end, const JitStub *stub, const JitVariables *variables)
{
    routines = variables->routines;
    return sound_encode_stub(back_end, stub, variables);
}

static bool init(void *state, const OsvmHost *host, OsvmError *error)
{
    const char *file = getenv("REAL_JIT");
    void *library = file ? dlopen(file, RTLD_NOW | RTLD_LOCAL) : NULL;
    const OsvmPlugin *real = library ? dlsym(library, "osvm_plugin") : NULL;
    if (!real)
        return host->fail(error, OSVM_UNAVAILABLE, "REAL_JIT names no back end");
    ops = *(const JitOps *)real->vtable;
    sound_encode = ops.encode;
    ops.encode = encode;
    sound_encode_stub = ops.encode_stub;
    ops.encode_stub = encode_stub;
    ((JitBackEnd *)state)->ops = &ops;
    return true;
}

static const OsvmOption options[] = {
    {.name = "threshold", .kind = OSVM_NUMBER, .value = "1", .help = "as the sound one"},
    {.name = "loop-threshold", .kind = OSVM_NUMBER, .value = "1", .help = "as the sound one"},
    {.name = NULL},
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_JIT, WORD_BITS),
    .name = "faulty",
    .version = "0",
    .summary = "x64 with a fault",
    .licence = "MIT",
    .flags = OSVM_SINGLETON,
    .vtable_abi = OSVM_JIT_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(JitBackEnd), /* the sound one keeps nothing else */
    .options = options,
    .init = init,
};
