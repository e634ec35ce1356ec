/* A back end that breaks one rule of osvm/jit.h: another one, in the file BREACH_BEHIND, with the fault
 * BREACH_FAULT of the environment. The conformance suite has to find each. */
#define WORD_BITS 64
#include "osvm/jit.h"

#include "t/support/plugin_user.c"

typedef enum {
    SOUND, SUBTRACTS, TAKES_EQUAL_FOR_LESS, MIXES_REGISTERS, FORGETS_HIGH_BITS, SHORT_LITERALS,
    WRITES_BEHIND, WRITES_POOL, WRITES_TOO_MUCH, REFUSES, UNSTABLE, FIXED_IN_PLACE, WRONG_OFFSETS,
    CHANGES_VALUES, LONGER_THAN_SAID, TAKES_ANYTHING, ONE_NAME_TWICE, LOSES_ARGUMENTS, LEAF_IS_NONE,
    FAULTS
} Fault;

static const char *const names[FAULTS] = {
    [SOUND] = "none", [SUBTRACTS] = "subtracts", [TAKES_EQUAL_FOR_LESS] = "takes-equal-for-less",
    [MIXES_REGISTERS] = "mixes-registers", [FORGETS_HIGH_BITS] = "forgets-high-bits",
    [SHORT_LITERALS] = "short-literals", [WRITES_BEHIND] = "writes-behind",
    [WRITES_POOL] = "writes-pool", [WRITES_TOO_MUCH] = "writes-too-much", [REFUSES] = "refuses",
    [UNSTABLE] = "unstable", [FIXED_IN_PLACE] = "fixed-in-place",
    [WRONG_OFFSETS] = "wrong-offsets", [CHANGES_VALUES] = "changes-values",
    [LONGER_THAN_SAID] = "longer-than-said", [TAKES_ANYTHING] = "takes-anything",
    [ONE_NAME_TWICE] = "one-name-twice", [LOSES_ARGUMENTS] = "loses-arguments",
    [LEAF_IS_NONE] = "leaf-is-none",
};

typedef struct {
    JitBackEnd back_end; /* first */
    JitOps ops;
    PluginUser real;
    JitBackEnd *behind;
    Fault fault;
    unsigned calls;
    const char *registers[JIT_REGISTERS];
} Breach;

/* Wrong instructions; `undo` puts them right again once they have been encoded. */
static void spoil_instruction(Fault fault, JitInstruction *i, bool undo)
{
    if (fault == SUBTRACTS && i->operation == (undo ? JIT_SUBTRACT : JIT_ADD) && i->a == JIT_C)
        i->operation = undo ? JIT_ADD : JIT_SUBTRACT;
    if (fault == TAKES_EQUAL_FOR_LESS && i->operation == JIT_BRANCH_CONSTANT &&
        i->condition == (undo ? JIT_LESS : JIT_LESS_EQUAL))
        i->condition = undo ? JIT_LESS_EQUAL : JIT_LESS;
    if (fault == MIXES_REGISTERS && i->operation == JIT_MULTIPLY && i->a == JIT_D)
        i->b ^= i->b < 4;
    if (fault == FORGETS_HIGH_BITS && i->operation == JIT_OR_CONSTANT && !undo)
        i->value = (int32_t)i->value;
    if (fault == SHORT_LITERALS && i->operation == JIT_LITERAL && i->value >= (undo ? 511 : 512))
        i->value += undo ? 1 : -1;
}

static void spoil(Fault fault, const JitCode *code, bool undo)
{
    for (uint32_t n = 0; n < code->count; n++)
        spoil_instruction(fault, &code->instructions[n], undo);
}

/* Adds a byte at the end, or changes what has been written. */
static uint32_t spoil_bytes(Breach *breach, const JitCode *code, uint32_t bytes)
{
    bool room = bytes && bytes < code->capacity;
    JitInstruction *last = &code->instructions[code->count - 1];
    switch (breach->fault) {
    case WRITES_BEHIND:
        code->out[code->capacity] = 0;
        break;
    case WRITES_POOL:
        code->out[-1] ^= 1;
        break;
    case UNSTABLE:
        if (room && breach->calls % 3 == 1)
            code->out[bytes++] = 0x90;
        break;
    case FIXED_IN_PLACE:
        if (room)
            code->out[bytes++] = (uint8_t)(code->address >> 16);
        break;
    case WRONG_OFFSETS:
        if (bytes && last->offset)
            last->offset--;
        break;
    case CHANGES_VALUES:
        code->instructions[0].value ^= 1;
        break;
    default:
        break;
    }
    return bytes;
}

/* As if there were room: more is said than was written. */
static uint32_t encode_anyhow(Breach *breach, const JitCode *code)
{
    static uint8_t room[1 << 20];
    JitCode larger = *code;
    larger.out = room;
    larger.capacity = sizeof room;
    uint32_t bytes = breach->behind->ops->encode(breach->behind, &larger);
    memcpy(code->out, room, bytes < code->capacity ? bytes : code->capacity);
    return bytes;
}

static uint32_t encode(JitBackEnd *back_end, const JitCode *code)
{
    Breach *breach = (Breach *)back_end;
    breach->calls++;
    if (breach->fault == TAKES_ANYTHING && code->instructions[0].operation >= JIT_OPERATIONS)
        return 1;
    if (breach->fault == REFUSES && code->count > 30)
        return 0;
    if (breach->fault == WRITES_TOO_MUCH)
        return encode_anyhow(breach, code);
    spoil(breach->fault, code, false);
    uint32_t bytes = breach->behind->ops->encode(breach->behind, code);
    spoil(breach->fault, code, true);
    return spoil_bytes(breach, code, bytes);
}

static uint32_t encode_stub(JitBackEnd *back_end, const JitStub *stub, const JitVariables *variables)
{
    Breach *breach = (Breach *)back_end;
    JitStub spoilt = *stub;
    if (breach->fault == LEAF_IS_NONE && stub->kind == JIT_STUB_LEAF)
        spoilt.kind = JIT_STUB_SWITCH;
    uint32_t bytes = breach->behind->ops->encode_stub(breach->behind, &spoilt, variables);
    if (breach->fault != LOSES_ARGUMENTS || stub->kind != JIT_STUB_LEAF || bytes + 3 > stub->capacity)
        return bytes;
    memcpy(stub->out + bytes - 1, "\x45\x31\xE4\xC3", 4); /* xor r12d, r12d in front of its ret */
    return bytes + 3;
}

static bool init(void *state, const OsvmHost *host, OsvmError *error)
{
    Breach *breach = state;
    char why[300];
    const char *fault = getenv("BREACH_FAULT"), *file = getenv("BREACH_BEHIND");
    while (breach->fault < FAULTS && strcmp(names[breach->fault], fault ? fault : "none"))
        breach->fault++;
    if (breach->fault == FAULTS)
        return host->fail(error, OSVM_USAGE, "there is no fault '%s'", fault);
    PluginChoice choice = {.file = file ? file : "", .kind = OSVM_JIT, .vtable_abi = OSVM_JIT_ABI};
    if (!plugin_open(&breach->real, &choice, why, sizeof why))
        return host->fail(error, OSVM_UNAVAILABLE, "%s", why);
    breach->behind = breach->real.state;
    breach->ops = *breach->behind->ops;
    breach->ops.encode = encode;
    breach->ops.encode_stub = encode_stub;
    if (breach->fault == LONGER_THAN_SAID)
        breach->ops.instruction_bytes = 6;
    memcpy(breach->registers, breach->ops.registers, sizeof breach->registers);
    breach->ops.registers = breach->registers;
    if (breach->fault == ONE_NAME_TWICE)
        breach->registers[JIT_D] = breach->registers[JIT_E];
    breach->back_end.ops = &breach->ops;
    return true;
}

static void fini(void *state)
{
    Breach *breach = state;
    if (breach->behind)
        plugin_close(&breach->real);
}

static const JitOps none = {.size = sizeof(JitOps)};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_JIT, WORD_BITS),
    .name = "breach",
    .version = "0",
    .summary = "another back end, with a fault",
    .licence = "MIT",
    .vtable_abi = OSVM_JIT_ABI,
    .vtable = &none,
    .vtable_size = sizeof none,
    .state_size = sizeof(Breach),
    .init = init,
    .fini = fini,
};
