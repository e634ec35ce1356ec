/* The x64 back end's facts and its vtable.
 *
 * Registers: C's first argument (rdi) and r11 are the back end's own, RESULT is where C returns,
 * A, B and C are C's next arguments, RECEIVER and the ARGUMENTs are some that C keeps. r15 is
 * unused: machine code leaves it as C had it.
 */
#include "x64.h"

const uint8_t x64_registers[JIT_REGISTERS] = {
    [JIT_RESULT] = RAX, [JIT_A] = RSI, [JIT_B] = RDX, [JIT_C] = RCX, [JIT_RECEIVER] = R14,
    [JIT_ARGUMENT_0] = R12, [JIT_ARGUMENT_1] = R13, [JIT_CLASS] = R8, [JIT_D] = R9, [JIT_E] = R10,
    [JIT_FP] = RBP, [JIT_SP] = RSP, [JIT_VM] = RBX,
};

static const char *const names[JIT_REGISTERS] = {
    [JIT_RESULT] = "rax", [JIT_A] = "rsi", [JIT_B] = "rdx", [JIT_C] = "rcx",
    [JIT_RECEIVER] = "r14", [JIT_ARGUMENT_0] = "r12", [JIT_ARGUMENT_1] = "r13",
    [JIT_CLASS] = "r8", [JIT_D] = "r9", [JIT_E] = "r10",
    [JIT_FP] = "rbp", [JIT_SP] = "rsp", [JIT_VM] = "rbx",
};

static const JitOps ops = {
    .size = sizeof(JitOps),
    .machine = "x64",
    .return_on_stack = true,
    .code_alignment = 16,
    .instruction_bytes = EMIT_MOST,
    .stub_bytes = STUB_MOST,
#ifdef __x86_64__
    .native = true,
#endif
    .registers = names,
    .encode = x64_encode,
    .encode_stub = x64_encode_stub,
};

static const OsvmOption options[] = {
    {.name = "threshold",
     .kind = OSVM_NUMBER,
     .value = "20",
     .min = 1,
     .max = 60000,
     .choices = "N",
     .help = "activations after which a method is compiled"},
    {.name = "loop-threshold",
     .kind = OSVM_NUMBER,
     .value = "200",
     .min = 1,
     .max = 60000,
     .choices = "N",
     .help = "jumps back after which a running method is compiled"},
    {0},
};

static bool x64_init(void *state, const OsvmHost *host, OsvmError *error)
{
    ((JitBackEnd *)state)->ops = &ops;
    return true;
}

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_JIT, WORD_BITS),
    .name = "x64",
    .version = OSVM_VERSION,
    .summary = "machine code for x86-64",
    .licence = "MIT",
    .vtable_abi = OSVM_JIT_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(JitBackEnd),
    .state_version = 1,
    .options = options,
    .init = x64_init,
    .reloaded = x64_init,
};
