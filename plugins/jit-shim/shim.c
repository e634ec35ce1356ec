#include "shim.h"

#include <string.h>

enum { GUARD_BYTES = 64, GUARD = 0xD7, ELSEWHERE = 1 << 16, TRIALS = 2 };

/* Room for one encoding: guard, the code's pool, code, guard. */
typedef struct {
    uint8_t *memory;
    size_t size;
    uint8_t *out;        /* where the code begins */
    size_t front, back;  /* guarded bytes before and behind it */
    JitInstruction *instructions;
    size_t instructions_size;
    JitCode code;        /* what the back end is asked for */
    uint32_t bytes;      /* what it answered */
} Trial;

typedef struct {
    JitBackEnd back_end; /* first */
    JitOps ops;          /* ours, with the facts of the back end behind */
    JitBackEnd *inner;
    const OsvmHost *host;
    Trial trials[TRIALS];
    uint32_t *label_places;
    size_t labels_size;
} Shim;

static Shim *shim_of(JitBackEnd *back_end)
{
    return (Shim *)back_end;
}

/* ---- Memory ---- */

static bool make_room(Shim *shim, void **block, size_t *size, size_t wanted)
{
    if (wanted <= *size)
        return true;
    void *bigger = shim->host->resize(shim->host, *block, *size, wanted);
    if (!bigger)
        return false;
    *block = bigger;
    *size = wanted;
    return true;
}

/* `front` bytes belong to the pool. */
static bool prepare(Shim *shim, Trial *trial, size_t front, uint32_t capacity)
{
    enum { ALIGNED = 64 };
    trial->front = (front + GUARD_BYTES + ALIGNED - 1) / ALIGNED * ALIGNED;
    trial->back = GUARD_BYTES;
    if (!make_room(shim, (void **)&trial->memory, &trial->size,
                   ALIGNED + trial->front + capacity + trial->back))
        return false;
    uintptr_t start = ((uintptr_t)trial->memory + ALIGNED - 1) / ALIGNED * ALIGNED;
    trial->out = (uint8_t *)start + trial->front;
    memset(trial->out - trial->front, GUARD, trial->front + capacity + trial->back);
    return true;
}

static void require_guards(const Trial *trial, uint32_t capacity, const char *what)
{
    for (size_t at = 1; at <= trial->front; at++)
        REQUIRE(trial->out[-(ptrdiff_t)at] == GUARD,
                "%s wrote %zu bytes in front of the code, where the pool is (J2)", what, at);
    for (size_t at = 0; at < trial->back; at++)
        REQUIRE(trial->out[capacity + at] == GUARD,
                "%s wrote %zu bytes behind the %u that there is room for", what, at, capacity);
}

/* ---- Code ---- */

static void require_code(const Shim *shim, const JitCode *code)
{
    REQUIRE(code && code->instructions && code->count && code->out && code->capacity,
            "encode of no instructions, or without room");
    REQUIRE(code->address % shim->ops.code_alignment == 0 &&
                code->address >= (Word)code->pool_words * WORD_BYTES,
            "code at 0x%" PRIxWORD " behind a pool of %u words: align it to %u", code->address,
            code->pool_words, shim->ops.code_alignment);
}

static bool try_code(Shim *shim, Trial *trial, const JitCode *code, Word address)
{
    size_t size = code->count * sizeof *code->instructions;
    if (!prepare(shim, trial, code->pool_words * WORD_BYTES, code->capacity) ||
        !make_room(shim, (void **)&trial->instructions, &trial->instructions_size, size))
        return false;
    memcpy(trial->instructions, code->instructions, size);
    trial->code = *code;
    trial->code.instructions = trial->instructions;
    trial->code.out = trial->out;
    trial->code.address = address;
    trial->bytes = shim->inner->ops->encode(shim->inner, &trial->code);
    require_guards(trial, code->capacity, "encode");
    REQUIRE(trial->bytes <= code->capacity, "encode answers %u bytes; there is room for %u",
            trial->bytes, code->capacity);
    if (trial->bytes)
        rules_require_encoded(&trial->code, code->instructions, trial->bytes,
                              shim->ops.instruction_bytes);
    return true;
}

static bool same_bytes(const Trial *a, const Trial *b)
{
    return a->bytes == b->bytes && memcmp(a->out, b->out, a->bytes) == 0;
}

/* Two encodings for different addresses: are they the same code? Leaves the second trial changed. */
static void compare(Shim *shim, const JitCode *code)
{
    Trial *first = &shim->trials[0], *second = &shim->trials[1];
    if (shim->inner->ops->moved && first->bytes && first->bytes == second->bytes) {
        SWord distance = (SWord)(code->address - second->code.address);
        shim->inner->ops->moved(shim->inner, code->address, second->out, second->bytes, distance);
        require_guards(second, code->capacity, "moved");
    }
    if (same_bytes(first, second))
        return;
    if (!try_code(shim, second, code, code->address))
        return;
    REQUIRE(same_bytes(first, second), "%u instructions for 0x%" PRIxWORD " were encoded into %u bytes "
            "and then into %u others (J7)", code->count, code->address, first->bytes, second->bytes);
    REQUIRE(false, "the code depends on where it lies: %u instructions for 0x%" PRIxWORD
            " are other bytes %d bytes further%s (J1)", code->count, code->address, ELSEWHERE,
            shim->inner->ops->moved ? ", and `moved` does not make up for it"
                                    : ", and there is no `moved`");
}

static void require_unrefused(const Shim *shim, const JitCode *code, uint32_t bytes)
{
    REQUIRE(bytes || (uint64_t)code->count * shim->ops.instruction_bytes > code->capacity,
            "%u instructions of %u bytes at most were refused, with room for %u bytes (J7)",
            code->count, shim->ops.instruction_bytes, code->capacity);
}

static uint32_t shim_encode(JitBackEnd *back_end, const JitCode *code)
{
    Shim *shim = shim_of(back_end);
    require_code(shim, code);
    size_t labels_size = (code->labels + 1) * sizeof *shim->label_places;
    if (!make_room(shim, (void **)&shim->label_places, &shim->labels_size, labels_size))
        return 0;
    memset(shim->label_places, 0, labels_size);
    rules_require_instructions(code, shim->label_places);
    Trial *first = &shim->trials[0], *second = &shim->trials[1];
    if (!try_code(shim, first, code, code->address) ||
        !try_code(shim, second, code, code->address + ELSEWHERE))
        return 0;
    require_unrefused(shim, code, first->bytes);
    compare(shim, code);
    memcpy(code->instructions, first->instructions, code->count * sizeof *code->instructions);
    memcpy(code->out, first->out, first->bytes);
    return first->bytes;
}

/* ---- Stubs ---- */

static void require_variables(const JitVariables *v)
{
    const int32_t offsets[] = {v->sp, v->fp, v->ip, v->c_sp, v->leaf_pc, v->routines};
    enum { VARIABLES = sizeof offsets / sizeof *offsets };
    for (unsigned i = 0; i < VARIABLES; i++) {
        REQUIRE(offsets[i] >= 0 && offsets[i] % (int32_t)WORD_BYTES == 0,
                "a variable of stubs is at offset %d: no word of the Vm", offsets[i]);
        for (unsigned other = 0; other < i; other++)
            REQUIRE(offsets[i] != offsets[other], "two variables of stubs are at offset %d",
                    offsets[i]);
    }
}

static void require_stub(const Shim *shim, const JitStub *stub, const JitVariables *variables)
{
    REQUIRE(stub && variables && stub->out, "encode_stub without a stub, variables or room");
    REQUIRE(stub->kind <= JIT_STUB_SWITCH, "there is no stub of kind %d", stub->kind);
    REQUIRE(stub->address % shim->ops.code_alignment == 0, "a stub at 0x%" PRIxWORD ": align it to %u",
            stub->address, shim->ops.code_alignment);
    REQUIRE(stub->kind != JIT_STUB_SWITCH || stub->leave,
            "a switching stub without the address of the one that leaves");
    require_variables(variables);
}

static bool try_stub(Shim *shim, Trial *trial, const JitStub *stub, const JitVariables *variables,
                     Word distance)
{
    if (!prepare(shim, trial, 0, stub->capacity))
        return false;
    JitStub other = *stub;
    other.out = trial->out;
    other.address += distance;
    other.leave += stub->leave ? distance : 0;
    trial->bytes = shim->inner->ops->encode_stub(shim->inner, &other, variables);
    require_guards(trial, stub->capacity, "encode_stub");
    REQUIRE(trial->bytes <= stub->capacity && trial->bytes <= shim->ops.stub_bytes,
            "encode_stub answers %u bytes; there is room for %u, and the back end says that the most "
            "are %u (J7)", trial->bytes, stub->capacity, shim->ops.stub_bytes);
    REQUIRE(trial->bytes || stub->capacity < shim->ops.stub_bytes,
            "a stub of kind %d was refused, with room for %u bytes (J7)", stub->kind, stub->capacity);
    return true;
}

static uint32_t shim_encode_stub(JitBackEnd *back_end, const JitStub *stub,
                                 const JitVariables *variables)
{
    Shim *shim = shim_of(back_end);
    require_stub(shim, stub, variables);
    Trial *first = &shim->trials[0], *second = &shim->trials[1];
    bool movable = !shim->inner->ops->moved; /* else stubs may name their address */
    if (!try_stub(shim, first, stub, variables, 0) ||
        !try_stub(shim, second, stub, variables, movable ? ELSEWHERE : 0))
        return 0;
    REQUIRE(same_bytes(first, second), "a stub of kind %d for 0x%" PRIxWORD " is encoded in two ways "
            "(%s)", stub->kind, stub->address, movable ? "J1, J7" : "J7");
    memcpy(stub->out, first->out, first->bytes);
    return first->bytes;
}

/* ---- Moving ---- */

static void shim_moved(JitBackEnd *back_end, Word address, uint8_t *out, uint32_t bytes,
                       SWord distance)
{
    Shim *shim = shim_of(back_end);
    REQUIRE(out && bytes && address % shim->ops.code_alignment == 0 &&
                distance % shim->ops.code_alignment == 0,
            "%u bytes have been moved to 0x%" PRIxWORD " by %" PRIdWORD ": align them to %u (J1)",
            bytes, address, distance, shim->ops.code_alignment);
    shim->inner->ops->moved(shim->inner, address, out, bytes, distance);
}

/* ---- Life ---- */

static const JitOps ops = {
    .size = sizeof(JitOps),
    .machine = "", /* until init copies the facts of the back end */
    .encode = shim_encode,
    .encode_stub = shim_encode_stub,
    .moved = shim_moved,
};

static bool has_registers(const JitOps *facts)
{
    for (unsigned i = 0; facts->registers && i < JIT_REGISTERS; i++) {
        if (!facts->registers[i])
            return false;
        for (unsigned other = 0; other < i; other++)
            if (strcmp(facts->registers[i], facts->registers[other]) == 0)
                return false;
    }
    return facts->registers != NULL;
}

/* What is wrong with the back end's table; NULL: nothing. */
static const char *flaw_of(const JitOps *facts)
{
    unsigned alignment = facts->code_alignment;
    if (facts->size < sizeof(JitOps))
        return "its vtable is smaller than that of this ABI";
    if (!facts->encode || !facts->encode_stub)
        return "it has no encode or no encode_stub";
    if (!facts->machine || !facts->machine[0])
        return "it does not say for which machine it is";
    if (!alignment || alignment & (alignment - 1) || alignment > JIT_ALIGNMENT_MOST)
        return "its code_alignment is no power of two up to JIT_ALIGNMENT_MOST";
    if (!facts->instruction_bytes || !facts->stub_bytes)
        return "it does not say how many bytes an instruction and a stub take (J7)";
    if (!has_registers(facts))
        return "it does not name each of JIT_REGISTERS registers, or names one twice";
    return NULL;
}

static bool shim_init(void *state, const OsvmHost *host, OsvmError *error)
{
    Shim *shim = state;
    if (!host->inner)
        return host->fail(error, OSVM_INTERNAL, "the shim was given no back end to stand before");
    shim->host = host;
    shim->inner = host->inner->state;
    if (!shim->inner || host->inner->plugin->state_size < sizeof(JitBackEnd) || !shim->inner->ops)
        return host->fail(error, OSVM_INTERNAL, "the instance of '%s' does not begin with a "
                          "JitBackEnd, or its init does not fill in `ops`", host->inner->plugin->name);
    const JitOps *facts = shim->inner->ops;
    const char *flaw = flaw_of(facts);
    if (flaw)
        return host->fail(error, OSVM_INTERNAL, "back end '%s': %s", host->inner->plugin->name, flaw);
    shim->ops = *facts;
    shim->ops.size = sizeof(JitOps);
    shim->ops.encode = shim_encode;
    shim->ops.encode_stub = shim_encode_stub;
    shim->ops.moved = facts->moved ? shim_moved : NULL;
    shim->back_end.ops = &shim->ops;
    return true;
}

static void shim_fini(void *state)
{
    Shim *shim = state;
    for (unsigned t = 0; shim->host && t < TRIALS; t++) {
        Trial *trial = &shim->trials[t];
        shim->host->free(shim->host, trial->memory, trial->size);
        shim->host->free(shim->host, trial->instructions, trial->instructions_size);
    }
    if (shim->host)
        shim->host->free(shim->host, shim->label_places, shim->labels_size);
}

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_JIT, WORD_BITS),
    .name = "shim",
    .version = OSVM_VERSION,
    .summary = "verifies the back end behind it",
    .licence = "MIT",
    .flags = OSVM_SHIM,
    .vtable_abi = OSVM_JIT_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(Shim),
    .state_version = 1,
    .init = shim_init,
    .fini = shim_fini,
    .reloaded = shim_init,
};
