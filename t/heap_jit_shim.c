/* The shim of back ends: names the rule that was broken by the front end. Honest work passes in
 * t/heap_jit_conformance.c, faulty back ends are in t/breaches.t. */
// LINK: t/support/confession.c t/support/plugin_user.c plugins/jit-shim/*.c
#include "osvm/jit.h"
#include "support/confession.h"
#include "support/plugin_user.h"
#include "tap.h"

extern const OsvmPlugin osvm_plugin_jit_shim;

/* ---- A back end whose instructions take two bytes each ---- */

static uint32_t encode(JitBackEnd *back_end, const JitCode *code)
{
    uint32_t at = 0;
    for (uint32_t n = 0; n < code->count; n++) {
        code->instructions[n].offset = at;
        if (code->instructions[n].operation == JIT_LABEL)
            continue;
        if (at + 2 > code->capacity)
            return 0;
        code->out[at++] = code->instructions[n].operation;
        code->out[at++] = code->instructions[n].a;
    }
    return at;
}

static uint32_t encode_stub(JitBackEnd *back_end, const JitStub *stub, const JitVariables *variables)
{
    stub->out[0] = (uint8_t)stub->kind;
    return 1;
}

static const char *const names[JIT_REGISTERS] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6",
                                                 "r7", "r8", "r9", "ra", "rb", "rc"};
static const JitOps ops = {.size = sizeof(JitOps), .machine = "none", .code_alignment = 8,
                           .instruction_bytes = 2, .stub_bytes = 16, .registers = names,
                           .encode = encode, .encode_stub = encode_stub};

static bool init(void *state, const OsvmHost *host, OsvmError *error)
{
    ((JitBackEnd *)state)->ops = &ops;
    return true;
}

static const OsvmPlugin plain = {OSVM_PLUGIN_HEAD(OSVM_JIT, WORD_BITS), .name = "plain",
                                 .vtable_abi = OSVM_JIT_ABI, .vtable = &ops,
                                 .vtable_size = sizeof ops, .state_size = sizeof(JitBackEnd),
                                 .init = init};

/* ---- Crimes ---- */

static JitBackEnd *shim;
static uint8_t out[256];

static uint32_t encode_code(JitInstruction *instructions, uint32_t count, Word address)
{
    JitCode code = {.instructions = instructions, .count = count, .labels = 2, .pool_words = 2,
                    .address = address, .out = out, .capacity = sizeof out};
    return shim->ops->encode(shim, &code);
}

/* The instruction, and an end. */
static uint32_t encode_one(JitInstruction i)
{
    JitInstruction program[] = {i, {.operation = JIT_LABEL, .label = 1}, {.operation = JIT_STOP}};
    return encode_code(program, 3, 0x1000);
}

static const struct {
    JitInstruction instruction;
    const char *sentence;
} crimes[] = {
    {{.operation = JIT_OPERATIONS}, "there is no operation"},
    {{.operation = JIT_MOVE, .a = JIT_REGISTERS}, "a is 13; there are registers 0 to 12 (J6)"},
    {{.operation = JIT_ADD, .b = 20}, "b is 20"},
    {{.operation = JIT_LOAD_INDEXED, .c = 99}, "c is 99"},
    {{.operation = JIT_ADD, .a = JIT_SP}, "a is SP, which is a base or is compared (J6)"},
    {{.operation = JIT_STORE_INDEXED, .c = JIT_SP}, "c is SP"},
    {{.operation = JIT_FLOAT_ADD, .b = 4}, "b is 4; there are float registers 0 to 3 (J6)"},
    {{.operation = JIT_LITERAL, .value = 2}, "word 2 of a pool of 2 (J6)"},
    {{.operation = JIT_CALL_LITERAL, .value = -1}, "word -1 of a pool of 2"},
    {{.operation = JIT_JUMP, .label = 2}, "label 2 of 2"},
    {{.operation = JIT_JUMP, .label = 0}, "label 0, which is nowhere"},
    {{.operation = JIT_LABEL, .label = 1}, "label 1 is here and at instruction 0"},
    {{.operation = JIT_BRANCH, .condition = JIT_ABOVE_EQUAL + 1, .label = 1}, "condition 10"},
    {{.operation = JIT_BRANCH_BITS, .condition = JIT_LESS, .label = 1}, "condition 2; up to 1 mean"},
    {{.operation = JIT_FLOAT_BRANCH, .condition = JIT_BELOW, .label = 1}, "condition 6; up to 5 mean"},
    {{.operation = JIT_SHIFT_LEFT_CONSTANT, .value = WORD_BITS}, "a shift by"},
    {{.operation = JIT_DROP, .value = JIT_WORDS_MOST + 1}, "4096 words of the stack"},
    {{.operation = JIT_RETURN, .value = -1}, "-1 words of the stack"},
    {{.operation = JIT_LOAD, .size = WORD_SHIFT + 1}, "an access of 1 <<"},
    {{.operation = JIT_OPERANDS, .value = JIT_ARGUMENTS + 1}, "3 arguments; 2 are passed"},
    {{.operation = JIT_DIVIDE, .c = JIT_B}, "the divisor is in register 2"},
};

static void commit_one(void *context)
{
    encode_one(*(const JitInstruction *)context);
}

static void run_off(void *context)
{
    JitInstruction program[] = {{.operation = JIT_MOVE}};
    encode_code(program, 1, 0x1000);
}

static void misalign(void *context)
{
    JitInstruction program[] = {{.operation = JIT_STOP}};
    encode_code(program, 1, 0x1004);
}

static void encode_nothing(void *context)
{
    encode_code(NULL, 0, 0x1000);
}

static JitStub stub_of(JitStubKind kind, Word leave)
{
    return (JitStub){.kind = kind, .address = 0x1000, .leave = leave, .out = out, .capacity = sizeof out};
}

static void stub_without_leave(void *context)
{
    JitStub stub = stub_of(JIT_STUB_SWITCH, 0);
    static const JitVariables variables = {0, 8, 16, 24, 32, 40};
    shim->ops->encode_stub(shim, &stub, &variables);
}

static void stub_with_one_variable(void *context)
{
    JitStub stub = stub_of(JIT_STUB_ENTER, 0);
    static const JitVariables variables = {0, 8, 16, 16, 32, 40};
    shim->ops->encode_stub(shim, &stub, &variables);
}

static const struct {
    void (*crime)(void *context);
    const char *sentence;
} others[] = {
    {run_off, "the code runs off its end"},
    {misalign, "code at 0x1004 behind a pool of 2 words: align it to 8"},
    {encode_nothing, "encode of no instructions"},
    {stub_without_leave, "without the address of the one that leaves"},
    {stub_with_one_variable, "two variables of stubs are at offset 16"},
};

int main(void)
{
    char error[300];
    PluginUser inner, outer;
    PluginChoice choice = {.linked = &plain, .kind = OSVM_JIT, .vtable_abi = OSVM_JIT_ABI};
    if (!plugin_open(&inner, &choice, error, sizeof error))
        bail_out("%s", error);
    choice = (PluginChoice){.linked = &osvm_plugin_jit_shim, .kind = OSVM_JIT,
                            .vtable_abi = OSVM_JIT_ABI, .inner = &inner};
    if (!plugin_open(&outer, &choice, error, sizeof error))
        bail_out("%s", error);
    shim = outer.state;
    is_text(shim->ops->machine, "none", "the facts are those of the back end");
    is_int(encode_one((JitInstruction){.operation = JIT_JUMP, .label = 1}), 4, "honest code passes");
    is_int(out[0], JIT_JUMP, "and is written");
    JitStub stub = stub_of(JIT_STUB_LEAVE, 0);
    static const JitVariables variables = {0, 8, 16, 24, 32, 40};
    is_int(shim->ops->encode_stub(shim, &stub, &variables), 1, "so does an honest stub");
    for (unsigned i = 0; i < sizeof crimes / sizeof *crimes; i++)
        has_text(confession(commit_one, (void *)&crimes[i].instruction), crimes[i].sentence,
                 "caught: %s", crimes[i].sentence);
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        has_text(confession(others[i].crime, NULL), others[i].sentence, "caught: %s",
                 others[i].sentence);
    is_int(plugin_close(&outer), 0, "the shim gives its memory back");
    plugin_close(&inner);
    return done_testing();
}
