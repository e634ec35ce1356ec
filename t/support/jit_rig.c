#include "t/support/jit_rig.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

enum { LABELS = 4, LANDINGS = 256 };

static bool fail(JitRig *rig, const char *what, const char *why)
{
    snprintf(rig->why, sizeof rig->why, "%s: %.200s", what, why);
    return false;
}

/* ---- Opening ---- */

/* A plugin and, if there is one, the shim before it. The state of the outer one is answered. */
static void *load(JitRig *rig, PluginUser *plugin, const char *file, PluginUser *shim,
                  const char *shim_file, PluginChoice choice)
{
    char error[300];
    choice.file = file;
    if (!plugin_open(plugin, &choice, error, sizeof error)) {
        fail(rig, file, error);
        return NULL;
    }
    if (!shim_file)
        return plugin->state;
    choice.file = shim_file;
    choice.inner = plugin;
    if (plugin_open(shim, &choice, error, sizeof error))
        return shim->state;
    fail(rig, shim_file, error);
    return NULL;
}

static bool load_all(JitRig *rig, const JitRigSetup *setup)
{
    PluginChoice jit = {.kind = OSVM_JIT, .vtable_abi = OSVM_JIT_ABI, .heap_bits = WORD_BITS};
    PluginChoice cpu = {.kind = OSVM_CPU, .vtable_abi = OSVM_CPU_ABI};
    rig->back_end = load(rig, &rig->back_end_plugin, setup->back_end, &rig->back_end_shim,
                         setup->back_end_shim, jit);
    rig->cpu = rig->back_end ? load(rig, &rig->processor_plugin, setup->processor,
                                    &rig->processor_shim, setup->processor_shim, cpu)
                             : NULL;
    if (!rig->cpu)
        return false;
    rig->jit = rig->back_end->ops;
    rig->simulated = rig->cpu->ops->simulated;
    if (setup->disassembler)
        rig->looker = load(rig, &rig->looking, setup->disassembler, NULL, NULL, cpu);
    return rig->looker || !setup->disassembler;
}

static uint8_t *map_low(size_t bytes, int access, int flags, int file)
{
    void *memory = mmap(NULL, bytes, access, flags | MAP_32BIT, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool make_memory(JitRig *rig)
{
    rig->memory = memfd_create("jit-rig", MFD_CLOEXEC);
    rig->program = malloc(RIG_PROGRAM * sizeof *rig->program);
    if (rig->memory < 0 || !rig->program || ftruncate(rig->memory, RIG_CODE))
        return fail(rig, "the rig", "no memory for code");
    rig->code = map_low(RIG_CODE, PROT_READ | PROT_EXEC, MAP_SHARED, rig->memory);
    rig->writable = map_low(RIG_CODE, PROT_READ | PROT_WRITE, MAP_SHARED, rig->memory);
    rig->data = map_low(RIG_DATA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (!rig->code || !rig->writable || !rig->data)
        return fail(rig, "the rig", "no memory below 2 GiB");
    rig->vm = (RigVm *)(rig->data + RIG_DATA / 2);
    return true;
}

static bool start_cpu(JitRig *rig, const CpuRoutine routines[2])
{
    OsvmError error = {0};
    uintptr_t code = (uintptr_t)rig->code, data = (uintptr_t)rig->data;
    CpuSetup setup = {.size = sizeof setup, .machine = rig->jit->machine, .routines = routines,
                      .routine_count = 2, .code_start = code, .code_end = code + RIG_CODE};
    const PluginUser *outer = rig->processor_shim.state ? &rig->processor_shim
                                                        : &rig->processor_plugin;
    if (!rig->cpu->ops->start(rig->cpu, &setup, &outer->host, &error))
        return fail(rig, "the processor does not start", error.message);
    rig->machine = rig->cpu->ops->machine(rig->cpu);
    if (!rig->cpu->ops->map(rig->cpu, code, code + RIG_CODE, CPU_READ | CPU_EXECUTE) ||
        !rig->cpu->ops->map(rig->cpu, data, data + RIG_DATA, CPU_READ | CPU_WRITE))
        return fail(rig, "the processor", "it does not map the rig's memory");
    for (unsigned i = 0; i < 2; i++)
        rig->vm->routines[i] = (Word)rig->cpu->ops->routine_address(rig->cpu, i);
    return true;
}

static bool number_registers(JitRig *rig)
{
    for (unsigned i = 0; rig->simulated && i < JIT_REGISTERS; i++) {
        unsigned number = 0;
        while (number < rig->machine->register_count &&
               strcmp(rig->machine->registers[number].name, rig->jit->registers[i]))
            number++;
        if (number == rig->machine->register_count)
            return fail(rig, rig->jit->registers[i], "the processor has no such register");
        rig->registers[i] = number;
    }
    return true;
}

/* Two ends in front of everything: jumps to addresses go there, some by a far way. */
static bool make_fixed_code(JitRig *rig)
{
    rig->enter = rig_stub(rig, JIT_STUB_ENTER, 0);
    rig->vm->leave = rig_stub(rig, JIT_STUB_LEAVE, 0);
    rig->vm->leaf = rig_stub(rig, JIT_STUB_LEAF, RIG_LEAF);
    rig->vm->switching = rig_stub(rig, JIT_STUB_SWITCH, RIG_SWITCHING);
    if (!rig->enter || !rig->vm->leave || !rig->vm->leaf || !rig->vm->switching)
        return fail(rig, "the back end", "a stub is refused");
    rig_begin(rig);
    rig_leave(rig, EXIT_ADDRESS);
    if (!rig_encode(rig, NULL, 0))
        return fail(rig, "the back end", "the end of a program is refused");
    rig->landing = rig->entry;
    rig->code_first = rig->code_used;
    return true;
}

bool rig_open(JitRig *rig, const JitRigSetup *setup, const CpuRoutine routines[2])
{
    memset(rig, 0, sizeof *rig);
    rig->memory = -1;
    return load_all(rig, setup) && make_memory(rig) && start_cpu(rig, routines) &&
           number_registers(rig) && make_fixed_code(rig);
}

static size_t close_plugin(PluginUser *user)
{
    return user->host.size ? plugin_close(user) : 0;
}

size_t rig_close(JitRig *rig)
{
    if (rig->cpu)
        rig->cpu->ops->stop(rig->cpu);
    size_t blocks = close_plugin(&rig->processor_shim) + close_plugin(&rig->processor_plugin) +
                    close_plugin(&rig->back_end_shim) + close_plugin(&rig->back_end_plugin) +
                    close_plugin(&rig->looking);
    if (rig->code)
        munmap(rig->code, RIG_CODE);
    if (rig->writable)
        munmap(rig->writable, RIG_CODE);
    if (rig->data)
        munmap(rig->data, RIG_DATA);
    if (rig->memory >= 0)
        close(rig->memory);
    free(rig->program);
    return blocks;
}

/* ---- Programs ---- */

void rig_begin(JitRig *rig)
{
    rig->count = 0;
}

JitInstruction *rig_add(JitRig *rig, JitOperation operation)
{
    if (rig->count == RIG_PROGRAM) {
        printf("Bail out! a program is too long for the rig\n");
        exit(255);
    }
    JitInstruction *i = &rig->program[rig->count++];
    *i = (JitInstruction){.operation = (uint8_t)operation, .size = WORD_SHIFT};
    return i;
}

static JitInstruction *add(JitRig *rig, JitOperation operation, unsigned a, unsigned b, SWord value)
{
    JitInstruction *i = rig_add(rig, operation);
    i->a = (uint8_t)a;
    i->b = (uint8_t)b;
    i->value = value;
    return i;
}

/* What comes from the stack in the beginning, RESULT by the stub; FP and SP are variables. */
static const uint8_t taken[] = {JIT_RESULT, JIT_A, JIT_B, JIT_C, JIT_RECEIVER, JIT_ARGUMENT_0,
                                JIT_ARGUMENT_1, JIT_CLASS, JIT_D, JIT_E, JIT_VM};
static const uint8_t given[] = {JIT_RESULT, JIT_A, JIT_B, JIT_C, JIT_RECEIVER, JIT_ARGUMENT_0,
                                JIT_ARGUMENT_1, JIT_CLASS, JIT_D, JIT_E, JIT_FP, JIT_VM};
enum { TAKEN = sizeof taken, GIVEN = sizeof given };

void rig_enter(JitRig *rig)
{
    for (unsigned n = 1; !rig->simulated && n < TAKEN; n++)
        add(rig, JIT_POP, taken[n], 0, 0);
}

void rig_leave(JitRig *rig, ModelExit how)
{
    if (rig->simulated) {
        rig_add(rig, JIT_STOP);
        return;
    }
    for (unsigned n = 0; n < GIVEN; n++)
        add(rig, JIT_PUSH, given[n], 0, 0);
    add(rig, JIT_CONSTANT, JIT_VM, 0, (SWord)pointer_word(rig->vm));
    add(rig, JIT_ADDRESS, JIT_A, JIT_SP, GIVEN * WORD_BYTES);
    add(rig, JIT_STORE, JIT_A, JIT_VM, offsetof(RigVm, last_sp));
    add(rig, JIT_CONSTANT, JIT_RESULT, 0, (SWord)how + 1);
    add(rig, JIT_JUMP_LOADED, 0, JIT_VM, offsetof(RigVm, leave));
}

static uint32_t align_up(uint32_t at, uint32_t alignment)
{
    return (at + alignment - 1) / alignment * alignment;
}

/* Where so many bytes go: behind the last, or all over again. Bytes from the start of the code. */
static uint32_t find_room(JitRig *rig, uint32_t pool_bytes, uint32_t capacity)
{
    uint32_t start = align_up(rig->code_used + pool_bytes, JIT_ALIGNMENT_MOST);
    if (start + capacity > RIG_CODE)
        start = align_up(rig->code_first + pool_bytes, JIT_ALIGNMENT_MOST);
    return start;
}

static void code_written(JitRig *rig, uint32_t start, uint32_t bytes)
{
    uintptr_t at = (uintptr_t)rig->code + start;
    rig->code_used = start + bytes;
    rig->cpu->ops->code_changed(rig->cpu, at, at + bytes);
}

static void measure(JitRig *rig)
{
    for (unsigned n = 0; n < rig->count; n++) {
        uint32_t end = n + 1 < rig->count ? rig->program[n + 1].offset : rig->bytes;
        uint32_t length = end - rig->program[n].offset;
        if (length > rig->longest)
            rig->longest = length;
    }
}

bool rig_encode(JitRig *rig, const Word *pool, uint32_t pool_words)
{
    uint32_t pool_bytes = pool_words * WORD_BYTES, capacity = rig->count * rig->jit->instruction_bytes;
    uint32_t start = find_room(rig, pool_bytes, capacity);
    rig->entry = pointer_word(rig->code + start);
    rig->pool_words = pool_words;
    if (pool)
        memcpy(rig->writable + start - pool_bytes, pool, pool_bytes);
    JitCode code = {.instructions = rig->program, .count = rig->count, .labels = LABELS,
                    .pool_words = pool_words, .address = rig->entry, .out = rig->writable + start,
                    .capacity = capacity};
    rig->bytes = rig->jit->encode(rig->back_end, &code);
    measure(rig);
    code_written(rig, start, rig->bytes);
    return rig->bytes != 0;
}

static const JitVariables variables = {
    .sp = offsetof(RigVm, sp), .fp = offsetof(RigVm, fp), .ip = offsetof(RigVm, ip),
    .c_sp = offsetof(RigVm, c_sp), .leaf_pc = offsetof(RigVm, leaf_pc),
    .routines = offsetof(RigVm, routines),
};

Word rig_stub(JitRig *rig, JitStubKind kind, unsigned routine)
{
    uint32_t start = find_room(rig, 0, rig->jit->stub_bytes);
    Word address = pointer_word(rig->code + start);
    JitStub stub = {.kind = kind, .routine = routine, .address = address,
                    .leave = kind >= JIT_STUB_LEAF ? rig->vm->leave : 0,
                    .out = rig->writable + start, .capacity = rig->jit->stub_bytes};
    uint32_t bytes = rig->jit->encode_stub(rig->back_end, &stub, &variables);
    code_written(rig, start, bytes);
    return bytes ? address : 0;
}

/* ---- Executing ---- */

static void execute_simulated(JitRig *rig, ModelState *state)
{
    static const uintptr_t no_arguments[CPU_ARGUMENTS];
    Cpu *cpu = rig->cpu;
    cpu->ops->request_stop(cpu);
    cpu->ops->call(cpu, rig->entry, no_arguments, &rig->stop);
    for (unsigned i = 0; i < JIT_REGISTERS; i++)
        cpu->ops->write_register(cpu, rig->registers[i], state->registers[i]);
    cpu->ops->set_budget(cpu, 200000);
    cpu->ops->resume(cpu, &rig->stop);
    for (unsigned i = 0; i < JIT_REGISTERS; i++)
        state->registers[i] = (Word)cpu->ops->read_register(cpu, rig->registers[i]);
}

/* `registers` in that order, the first lowest (taken) or highest (given), below sp. */
static void lay_on_stack(ModelState *state)
{
    Word sp = state->registers[JIT_SP];
    for (unsigned n = 0; n < TAKEN; n++)
        model_store(state, sp - (Word)(TAKEN - n) * WORD_BYTES, WORD_SHIFT,
                    state->registers[taken[n]]);
}

Word rig_call(JitRig *rig)
{
    const uintptr_t arguments[CPU_ARGUMENTS] = {(uintptr_t)rig->vm};
    rig->cpu->ops->call(rig->cpu, rig->enter, arguments, &rig->stop);
    return rig->stop.reason == CPU_RETURNED ? (Word)rig->stop.result : 0;
}

static void execute_here(JitRig *rig, ModelState *state)
{
    RigVm *vm = rig->vm;
    vm->sp = state->registers[JIT_SP] - TAKEN * WORD_BYTES;
    vm->fp = state->registers[JIT_FP];
    vm->ip = rig->entry;
    rig->ended = (ModelExit)(rig_call(rig) - 1);
    Word sp = vm->last_sp;
    state->registers[JIT_SP] = sp;
    memcpy(state->memory, rig->data, MODEL_MEMORY);
    for (unsigned n = 0; n < GIVEN; n++)
        state->registers[given[n]] = model_load(state, sp - (Word)(n + 1) * WORD_BYTES, WORD_SHIFT);
}

void rig_execute(JitRig *rig, ModelState *state)
{
    if (!rig->simulated)
        lay_on_stack(state);
    memcpy(rig->data, state->memory, MODEL_MEMORY);
    if (rig->simulated)
        execute_simulated(rig, state);
    else
        execute_here(rig, state);
    memcpy(state->memory, rig->data, MODEL_MEMORY);
}

static bool stopped(const JitRig *rig)
{
    return rig->stop.reason == CPU_FAULT &&
           (rig->stop.fault == CPU_TRAP || rig->stop.fault == CPU_ILLEGAL);
}

bool rig_ended(const JitRig *rig, ModelExit how)
{
    return rig->simulated ? stopped(rig) : rig->stop.reason == CPU_RETURNED && rig->ended == how;
}

void rig_give_up(JitRig *rig)
{
    if (rig->stop.reason != CPU_RETURNED && rig->stop.fault != CPU_NOT_ENTERED)
        rig->cpu->ops->abandon(rig->cpu);
}

/* ---- Comparing ---- */

static bool differs(JitRig *rig, const char *what, uint64_t got, uint64_t expected)
{
    snprintf(rig->why, sizeof rig->why, "%s: 0x%" PRIx64 ", the model says 0x%" PRIx64, what, got,
             expected);
    return false;
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
    } else if (rig->simulated) {
        address = (Word)rig->cpu->ops->read_register(rig->cpu, (unsigned)rig->machine->link);
    } else { /* nothing can read it: the programs with calls do */
        return true;
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

/* Below sp the host has put the registers. */
static bool same_memory(JitRig *rig, const ModelState *got, const ModelState *model)
{
    Word spoilt = rig->simulated ? 0 : GIVEN * WORD_BYTES;
    for (unsigned at = 0; at < MODEL_MEMORY; at++)
        if (got->memory[at] != model->memory[at] &&
            got->registers[JIT_SP] - (got->start + at) - 1 >= spoilt) {
            char what[64];
            snprintf(what, sizeof what, "memory + %u", at);
            return differs(rig, what, got->memory[at], model->memory[at]);
        }
    return true;
}

static bool same_end(JitRig *rig, const ModelState *model, unsigned next, unsigned label)
{
    if (!rig->simulated)
        return rig_ended(rig, model->exit) ||
               differs(rig, "ended by", rig->stop.reason == CPU_RETURNED ? rig->ended : UINT64_MAX,
                       model->exit);
    Word pc = expected_pc(rig, model, next, label);
    return (stopped(rig) || differs(rig, "stopped for reason", rig->stop.reason, CPU_FAULT)) &&
           (rig->stop.pc == pc || differs(rig, "pc", rig->stop.pc, pc));
}

static bool compare(JitRig *rig, ModelState *got, ModelState *model, unsigned next, unsigned label,
                    unsigned target)
{
    rig->why[0] = 0;
    bool same = same_end(rig, model, next, label);
    same = same && (!model->called || take_return_address(rig, got, model, next));
    same = same && same_registers(rig, got, model, target) && same_memory(rig, got, model);
    rig_give_up(rig);
    return same;
}

bool rig_agrees(JitRig *rig, const JitInstruction *i, const ModelState *state)
{
    ModelState got = *state, model;
    rig_begin(rig);
    rig_enter(rig);
    *rig_add(rig, (JitOperation)i->operation) = *i;
    unsigned next = rig->count;
    rig_leave(rig, EXIT_NEXT);
    rig_add(rig, JIT_LABEL);
    unsigned label = rig->count;
    rig_leave(rig, EXIT_LABEL);
    if (!rig_encode(rig, state->pool, MODEL_POOL))
        return differs(rig, "not encoded", 0, 1);
    if (!rig->simulated)
        lay_on_stack(&got);
    model = got;
    model_apply(&model, i);
    rig_execute(rig, &got);
    return compare(rig, &got, &model, next, label, i->a);
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
    ModelState got = *state, model;
    memcpy(got.memory + FLOATS_IN, state->floats, sizeof state->floats);
    if (!rig->simulated)
        lay_on_stack(&got);
    model = got;
    rig_begin(rig);
    rig_enter(rig);
    move_floats(rig, JIT_FLOAT_LOAD, FLOATS_IN);
    *rig_add(rig, (JitOperation)i->operation) = *i;
    move_floats(rig, JIT_FLOAT_STORE, FLOATS_OUT);
    unsigned next = rig->count;
    rig_leave(rig, EXIT_NEXT);
    rig_add(rig, JIT_LABEL);
    move_floats(rig, JIT_FLOAT_STORE, FLOATS_OUT);
    unsigned label = rig->count;
    rig_leave(rig, EXIT_LABEL);
    if (!rig_encode(rig, state->pool, MODEL_POOL))
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
    const CpuMachine *machine = rig->looker->ops->find_machine(rig->looker, rig->jit->machine);
    Word at = rig->entry + rig->program[index].offset;
    Word end = rig->entry + (index + 1 < rig->count ? rig->program[index + 1].offset : rig->bytes);
    Reading reading = {.sound = true};
    while (at < end) {
        CpuInstruction one;
        reading.sound &= rig->looker->ops->disassemble(rig->looker, machine, word_pointer(at), end - at, at,
                                                       &one);
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
