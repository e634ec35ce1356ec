#include "t/support/jit_rig.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

static _Noreturn void bail(const char *what, const char *why)
{
    printf("Bail out! %s: %s\n", what, why);
    exit(255);
}

/* ---- Opening ---- */

static const OsvmInstance *load(JitRig *rig, OsvmKind kind, const char *selection, unsigned bits,
                                uint32_t abi, size_t size)
{
    OsvmError error = {0};
    PluginRequest request = {
        .kind = kind, .heap_bits = bits, .vtable_abi = abi, .vtable_size = size};
    const OsvmInstance *instance = NULL;
    if (plugins_select(rig->plugins, kind, selection, &error))
        instance = plugins_load(rig->plugins, &request, &error);
    if (!instance)
        bail(selection, error.message);
    return instance;
}

static uint8_t *map_low(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (memory == MAP_FAILED)
        bail("the rig", "no memory below 2 GiB");
    return memory;
}

static void start_cpu(JitRig *rig)
{
    OsvmError error = {0};
    const OsvmInstance *instance =
        load(rig, OSVM_CPU, "sim:checked", 0, OSVM_CPU_ABI, sizeof(CpuOps));
    rig->cpu = instance->state;
    rig->ops = instance->vtable;
    CpuSetup setup = {
        .size = sizeof setup,
        .machine = rig->jit->machine,
        .code_start = (uintptr_t)rig->code,
        .code_end = (uintptr_t)rig->code + RIG_CODE,
    };
    if (!rig->ops->start(rig->cpu, &setup, instance->host, &error))
        bail(rig->name, error.message);
    rig->machine = rig->ops->machine(rig->cpu);
    rig->ops->map(rig->cpu, (uintptr_t)rig->code, (uintptr_t)rig->code + RIG_CODE,
                  CPU_READ | CPU_EXECUTE);
    rig->ops->map(rig->cpu, (uintptr_t)rig->data, (uintptr_t)rig->data + RIG_DATA,
                  CPU_READ | CPU_WRITE);
}

static void number_registers(JitRig *rig)
{
    for (unsigned i = 0; i < JIT_REGISTERS; i++) {
        unsigned number = 0;
        while (number < rig->machine->register_count &&
               strcmp(rig->machine->registers[number].name, rig->jit->registers[i]))
            number++;
        if (number == rig->machine->register_count)
            bail(rig->jit->registers[i], "the processor has no such register");
        rig->registers[i] = number;
    }
}

bool rig_open(JitRig *rig, const char *name, OsvmWorld *world)
{
    static char libraries[512];
    char file[600];
    const char *build = getenv("BUILD");
    snprintf(libraries, sizeof libraries, "%s/lib/osvm", build ? build : "build");
    snprintf(file, sizeof file, "%s/%d/jit-%s.so", libraries, WORD_BITS, name);
    if (access(file, R_OK))
        return false;
    memset(rig, 0, sizeof *rig);
    rig->name = name;
    PluginsConfig config = {.path = libraries, .only_path = true, .own = world, .world = world,
                            .log_level = OSVM_ERROR};
    rig->plugins = plugins_new(&config);
    rig->jit = load(rig, OSVM_JIT, name, WORD_BITS, OSVM_JIT_ABI, sizeof(JitOps))->vtable;
    rig->code = map_low(RIG_CODE);
    rig->data = map_low(RIG_DATA);
    start_cpu(rig);
    number_registers(rig);
    rig_begin(rig);
    rig_add(rig, JIT_STOP);
    if (!rig_encode(rig, NULL))
        bail(name, "JIT_STOP cannot be encoded");
    rig->landing = rig->entry;
    return true;
}

void rig_close(JitRig *rig)
{
    plugins_free(rig->plugins);
    munmap(rig->code, RIG_CODE);
    munmap(rig->data, RIG_DATA);
}

/* ---- Programs ---- */

void rig_begin(JitRig *rig)
{
    rig->count = 0;
}

JitInstruction *rig_add(JitRig *rig, JitOperation operation)
{
    JitInstruction *i = &rig->program[rig->count++];
    *i = (JitInstruction){.operation = (uint8_t)operation, .size = WORD_SHIFT};
    return i;
}

static uint32_t align_up(uint32_t at, uint32_t alignment)
{
    return (at + alignment - 1) / alignment * alignment;
}

bool rig_encode(JitRig *rig, const Word *pool)
{
    enum { ROOM = 4096 };
    uint32_t pool_bytes = MODEL_POOL * WORD_BYTES;
    if (rig->code_used + ROOM > RIG_CODE) { /* all over again, behind the landing */
        rig->code_used = (uint32_t)(rig->landing - pointer_word(rig->code)) + 64;
        rig->ops->code_changed(rig->cpu, (uintptr_t)rig->code, (uintptr_t)rig->code + RIG_CODE);
    }
    uint32_t start = align_up(rig->code_used + pool_bytes, 16);
    rig->entry = pointer_word(rig->code + start);
    if (pool)
        memcpy(rig->code + start - pool_bytes, pool, pool_bytes);
    JitCode code = {
        .instructions = rig->program,
        .count = rig->count,
        .labels = 4,
        .pool_words = MODEL_POOL,
        .address = rig->entry,
        .out = rig->code + start,
        .capacity = ROOM - 256,
    };
    rig->bytes = rig->jit->encode(&code);
    rig->code_used = start + rig->bytes;
    return rig->bytes != 0;
}

void rig_execute(JitRig *rig, ModelState *state)
{
    static const uintptr_t no_arguments[CPU_ARGUMENTS];
    memcpy(rig->data, state->memory, MODEL_MEMORY);
    rig->ops->request_stop(rig->cpu);
    rig->ops->call(rig->cpu, rig->entry, no_arguments, &rig->stop);
    for (unsigned i = 0; i < JIT_REGISTERS; i++)
        rig->ops->write_register(rig->cpu, rig->registers[i], state->registers[i]);
    rig->ops->set_budget(rig->cpu, 1000);
    rig->ops->resume(rig->cpu, &rig->stop);
    for (unsigned i = 0; i < JIT_REGISTERS; i++)
        state->registers[i] = (Word)rig->ops->read_register(rig->cpu, rig->registers[i]);
    memcpy(state->memory, rig->data, MODEL_MEMORY);
}

/* ---- Comparing ---- */

static bool differs(JitRig *rig, const char *what, uint64_t got, uint64_t expected)
{
    snprintf(rig->why, sizeof rig->why, "%s: 0x%" PRIx64 ", the model says 0x%" PRIx64, what, got,
             expected);
    return false;
}

static bool stopped(const JitRig *rig)
{
    return rig->stop.reason == CPU_FAULT &&
           (rig->stop.fault == CPU_TRAP || rig->stop.fault == CPU_ILLEGAL);
}

/* Where the model says the run ends. `next` and `label` are indices of the two JIT_STOPs. */
static Word expected_pc(const JitRig *rig, const ModelState *model, unsigned next, unsigned label)
{
    switch (model->exit) {
    case EXIT_NEXT: return rig->entry + rig->program[next].offset;
    case EXIT_LABEL: return rig->entry + rig->program[label].offset;
    default: return model->address;
    }
}

/* A call leaves its return address: the model is told where. */
static bool take_return_address(JitRig *rig, ModelState *got, ModelState *model, unsigned next)
{
    Word expected = rig->entry + rig->program[next].offset, address;
    if (rig->jit->return_on_stack) {
        address = model_load(got, got->registers[JIT_SP], WORD_SHIFT);
        model->registers[JIT_SP] -= WORD_BYTES;
        model_store(model, model->registers[JIT_SP], WORD_SHIFT, address);
    } else {
        address = (Word)rig->ops->read_register(rig->cpu, (unsigned)rig->machine->link);
    }
    return address == expected || differs(rig, "return address", address, expected);
}

static bool same_registers(JitRig *rig, const ModelState *got, const ModelState *model,
                           unsigned skip)
{
    for (unsigned r = 0; r < JIT_REGISTERS; r++)
        if (got->registers[r] != model->registers[r] && !(model->unspecified && r == skip))
            return differs(rig, rig->jit->registers[r], got->registers[r], model->registers[r]);
    return true;
}

static bool same_memory(JitRig *rig, const ModelState *got, const ModelState *model)
{
    for (unsigned at = 0; at < MODEL_MEMORY; at++)
        if (got->memory[at] != model->memory[at]) {
            char what[64];
            snprintf(what, sizeof what, "memory + %u", at);
            return differs(rig, what, got->memory[at], model->memory[at]);
        }
    return true;
}

static bool compare(JitRig *rig, ModelState *got, ModelState *model, unsigned next, unsigned label,
                    unsigned target)
{
    rig->why[0] = 0;
    Word pc = expected_pc(rig, model, next, label);
    bool same = stopped(rig) || differs(rig, "stopped for reason", rig->stop.reason, CPU_FAULT);
    same = same && (rig->stop.pc == pc || differs(rig, "pc", rig->stop.pc, pc));
    same = same && (!model->called || take_return_address(rig, got, model, next));
    same = same && same_registers(rig, got, model, target) && same_memory(rig, got, model);
    rig->ops->abandon(rig->cpu);
    return same;
}

bool rig_agrees(JitRig *rig, const JitInstruction *i, const ModelState *state)
{
    ModelState got = *state, model = *state;
    rig_begin(rig);
    *rig_add(rig, (JitOperation)i->operation) = *i;
    rig_add(rig, JIT_STOP);
    rig_add(rig, JIT_LABEL);
    rig_add(rig, JIT_STOP);
    if (!rig_encode(rig, state->pool))
        return differs(rig, "not encoded", 0, 1);
    model_apply(&model, i);
    rig_execute(rig, &got);
    return compare(rig, &got, &model, 1, 3, i->a);
}

/* ---- Floats ---- */

enum { FLOATS_IN = 0, FLOATS_OUT = 64 };

static void move_floats(JitRig *rig, JitOperation operation, SWord offset)
{
    for (uint8_t f = 0; f < JIT_FLOAT_REGISTERS; f++) {
        JitInstruction *i = rig_add(rig, operation);
        i->a = f;
        i->b = JIT_VM;
        i->value = offset + 8 * f;
    }
}

/* NaNs are all the same. */
static void unify_nans(ModelState *state)
{
    for (unsigned f = 0; f < JIT_FLOAT_REGISTERS; f++) {
        double value;
        memcpy(&value, state->memory + FLOATS_OUT + 8 * f, 8);
        if (isnan(value))
            memset(state->memory + FLOATS_OUT + 8 * f, 0xFF, 8);
    }
}

bool rig_agrees_on_floats(JitRig *rig, const JitInstruction *i, const ModelState *state)
{
    ModelState got = *state, model = *state;
    memcpy(got.memory + FLOATS_IN, state->floats, sizeof state->floats);
    memcpy(model.memory, got.memory, MODEL_MEMORY);
    rig_begin(rig);
    move_floats(rig, JIT_FLOAT_LOAD, FLOATS_IN);
    *rig_add(rig, (JitOperation)i->operation) = *i;
    move_floats(rig, JIT_FLOAT_STORE, FLOATS_OUT);
    unsigned next = rig->count;
    rig_add(rig, JIT_STOP);
    rig_add(rig, JIT_LABEL);
    move_floats(rig, JIT_FLOAT_STORE, FLOATS_OUT);
    unsigned label = rig->count;
    rig_add(rig, JIT_STOP);
    if (!rig_encode(rig, state->pool))
        return differs(rig, "not encoded", 0, 1);
    model_apply(&model, i);
    memcpy(model.memory + FLOATS_OUT, model.floats, sizeof model.floats);
    rig_execute(rig, &got);
    unify_nans(&got);
    unify_nans(&model);
    return compare(rig, &got, &model, next, label, JIT_REGISTERS);
}

/* ---- Reading back ---- */

static bool names_register(const CpuInstruction *one, unsigned number)
{
    for (unsigned o = 0; o < one->operand_count; o++)
        if (one->operands[o].base == (int)number || one->operands[o].index == (int)number)
            return true;
    return false;
}

static bool names_value(const CpuInstruction *one, SWord value)
{
    for (unsigned o = 0; o < one->operand_count; o++)
        if ((SWord)one->operands[o].value == value)
            return true;
    return false;
}

typedef struct {
    bool sound;      /* every byte belongs to an instruction */
    bool has_register[JIT_REGISTERS];
    bool has_value;
} Reading;

static Reading read_instruction(JitRig *rig, unsigned index)
{
    Word at = rig->entry + rig->program[index].offset;
    Word end = rig->entry + (index + 1 < rig->count ? rig->program[index + 1].offset : rig->bytes);
    Reading reading = {.sound = true};
    while (at < end) {
        CpuInstruction one;
        reading.sound &= rig->ops->disassemble(rig->cpu, rig->machine, word_pointer(at), end - at,
                                               at, &one);
        for (unsigned r = 0; r < JIT_REGISTERS; r++)
            reading.has_register[r] |= names_register(&one, rig->registers[r]);
        reading.has_value |= names_value(&one, rig->program[index].value);
        at += one.size;
    }
    reading.sound &= at == end;
    return reading;
}

/* Which fields of an instruction name registers of the general kind that must be seen. */
static unsigned named_registers(const JitInstruction *i)
{
    enum { A = 1, B = 2, C = 4 };
    switch ((JitOperation)i->operation) {
    case JIT_MOVE: return i->a == i->b ? 0 : A | B;
    case JIT_LOAD: case JIT_STORE: case JIT_BRANCH_LOADED: case JIT_ADDRESS: return A | B;
    case JIT_ADD: case JIT_SUBTRACT: case JIT_MULTIPLY: case JIT_AND: case JIT_OR: case JIT_XOR:
    case JIT_ADD_CHECKED: case JIT_SUBTRACT_CHECKED: case JIT_MULTIPLY_CHECKED: case JIT_BRANCH:
        return A | B;
    case JIT_LOAD_INDEXED: case JIT_STORE_INDEXED: return A | B | C;
    case JIT_CONSTANT: case JIT_LITERAL: case JIT_PUSH: case JIT_POP: case JIT_BRANCH_LITERAL:
    case JIT_JUMP_REGISTER: case JIT_SHIFT_LEFT_CONSTANT: case JIT_SHIFT_RIGHT_CONSTANT:
        return A;
    case JIT_PUSH_LOADED: case JIT_STORE_CONSTANT: case JIT_COUNT_DOWN: case JIT_JUMP_LOADED:
    case JIT_CALL_LOADED: case JIT_BRANCH_BITS_LOADED: case JIT_BRANCH_LOADED_CONSTANT:
        return B;
    default: return 0;
    }
}

bool rig_reads_back(JitRig *rig, unsigned index, const char **what)
{
    const JitInstruction *i = &rig->program[index];
    for (unsigned other = 0; other < rig->count; other++)
        if (!read_instruction(rig, other).sound) {
            *what = "bytes that are no instruction";
            return false;
        }
    Reading reading = read_instruction(rig, index);
    unsigned named = named_registers(i);
    if ((named & 1 && !reading.has_register[i->a]) || (named & 2 && !reading.has_register[i->b]) ||
        (named & 4 && !reading.has_register[i->c])) {
        *what = "a register that is not named";
        return false;
    }
    bool plain_offset = i->operation == JIT_LOAD || i->operation == JIT_STORE;
    if (plain_offset && i->value && i->value == (int16_t)i->value && i->value % 8 == 0 &&
        i->value > -4096 && i->value < 4096 && !reading.has_value) {
        *what = "an offset that is not there";
        return false;
    }
    return true;
}
