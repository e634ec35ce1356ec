/* The JIT as a whole: starting it, its stubs, running machine code. */
#include <stdio.h>

#include "kernel/jit/jit_int.h"
#include "kernel/vm/region.h"

enum { ZONE_DEFAULT = 8 << 20 };

Word jit_zone_size(const Vm *vm)
{
    Word page = (Word)vm->region->page_size;
    if (!vm->setup->jit)
        return 0;
    uint64_t wanted = vm->setup->code_zone ? vm->setup->code_zone : ZONE_DEFAULT;
    return (Word)(wanted + page - 1) / page * page;
}

/* ---- Stubs ---- */

static const JitVariables variables = {
    .sp = offsetof(Vm, sp), .fp = offsetof(Vm, fp), .ip = offsetof(Vm, ip),
    .c_sp = offsetof(Vm, jit.c_sp), .leaf_pc = offsetof(Vm, jit.leaf_pc),
    .routines = offsetof(Vm, jit.routines),
};

static Word make_stub(Vm *vm, JitStubKind kind, unsigned routine, Word leave)
{
    Jit *jit = jit_of(vm);
    uint32_t capacity = jit->back_end->ops->stub_bytes;
    Word address = zone_reserve(vm, capacity);
    if (!address)
        return 0;
    JitStub stub = {.kind = kind, .routine = routine, .address = address, .leave = leave,
                    .out = zone_writable(jit, address), .capacity = capacity};
    uint32_t bytes = jit->back_end->ops->encode_stub(jit->back_end, &stub, &variables);
    jit->free = address + bytes;
    jit_map_line(vm, address, bytes,
                 kind == JIT_STUB_ENTER ? "stub enter" : kind == JIT_STUB_LEAVE ? "stub leave"
                                                       : jit_routines[routine].name);
    return bytes ? address : 0;
}

/* What a site that is not linked calls, if it passes operands in registers. */
static Word make_unlinked(Vm *vm, unsigned args)
{
    Jit *jit = jit_of(vm);
    Build b;
    build_open(&b, vm);
    build_stub_jump(&b, ROUTINE_SEND, args);
    uint32_t capacity = b.section->count * jit->back_end->ops->instruction_bytes;
    Word address = zone_reserve(vm, capacity);
    if (!address) {
        build_close(&b);
        return 0;
    }
    JitCode code = {.instructions = b.section->instructions, .count = b.section->count,
                    .address = address, .out = zone_writable(jit, address),
                    .capacity = capacity};
    uint32_t bytes = b.failed ? 0 : jit->back_end->ops->encode(jit->back_end, &code);
    build_close(&b);
    jit->free = address + bytes;
    jit_map_line(vm, address, bytes, "stub send");
    return bytes ? address : 0;
}

static bool make_stubs(Vm *vm)
{
    Jit *jit = jit_of(vm);
    jit->enter = make_stub(vm, JIT_STUB_ENTER, 0, 0);
    Word leave = make_stub(vm, JIT_STUB_LEAVE, 0, 0);
    bool made = jit->enter && leave;
    for (unsigned i = 0; made && i < ROUTINE_COUNT; i++) {
        JitStubKind kind = jit_routines[i].leaf ? JIT_STUB_LEAF : JIT_STUB_SWITCH;
        vm->jit.stubs[i] = make_stub(vm, kind, i, leave);
        made = vm->jit.stubs[i] != 0;
    }
    for (unsigned args = 0; made && jit_in_registers(args); args++) {
        vm->jit.unlinked[args] = make_unlinked(vm, args);
        made = vm->jit.unlinked[args] != 0;
    }
    vm->jit.unlinked[jit_unlinked_index(JIT_ARGUMENTS + 1)] = vm->jit.stubs[ROUTINE_SEND];
    jit->first = jit->free;
    jit_code_written(vm, jit->start, jit->free);
    return made;
}

void jit_map_line(Vm *vm, Word start, Word bytes, const char *name)
{
    if (vm->setup->code_map)
        fprintf(vm->setup->code_map, "%" PRIxWORD " %" PRIxWORD " %s\n", start, bytes, name);
}

/* ---- Life ---- */

static bool refuse(Vm *vm, OsvmError *error, const char *sentence)
{
    return vm->setup->host->fail(error, OSVM_USAGE, "%s", sentence);
}

static Word stack_zone_end(Vm *vm)
{
    Word page = (Word)vm->region->page_size, bytes = (Word)interp_of(vm)->page_count * PAGE_BYTES;
    return interp_of(vm)->zone_start + (bytes + page - 1) / page * page;
}

bool jit_start(Vm *vm, Word start, Word end, OsvmError *error)
{
    const OsvmHost *host = vm->setup->host;
    if (!vm->setup->jit)
        return true;
    const OsvmInstance *instance = host->load(host, OSVM_JIT, NULL, OSVM_JIT_ABI, sizeof(JitOps),
                                              error);
    if (!instance)
        return false;
    Jit *jit = host->alloc(host, sizeof *jit);
    if (!jit)
        return refuse(vm, error, "no memory for the JIT");
    *jit = (Jit){.back_end = instance->state, .start = start, .end = end, .memory = -1};
    jit->stacks_end = stack_zone_end(vm);
    vm->jit.state = jit;
    const OsvmHost *options = osvm_behind_shims(instance)->host;
    jit->threshold = (unsigned)options->option_number(options, "threshold");
    jit->loop_threshold = (unsigned)options->option_number(options, "loop-threshold");
    if (!zone_open(vm, error) || !processor_open(vm, error))
        return false;
    if (!make_stubs(vm) || !shared_make(vm))
        return refuse(vm, error, "the code zone is too small for the stubs");
    vm->jit.zone_start = start;
    vm->jit.zone_bytes = end - start;
    interp_of(vm)->threshold = (uint16_t)jit->threshold;
    interp_of(vm)->loop_threshold = interp_of(vm)->loop_heat = jit->loop_threshold;
    return true;
}

void jit_stop(Vm *vm)
{
    Jit *jit = jit_of(vm);
    const OsvmHost *host = vm->setup->host;
    if (!jit)
        return;
    host->log(host, OSVM_INFO,
              "jit: %" PRIu64 " compiled, %" PRIu64 " refused, %" PRIu64 " evicted in %" PRIu64
              " reclaims, %" PRIuWORD " bytes in use, entered %" PRIu64 " times; "
              "%" PRIu64 " frames turned into the interpreter's, %" PRIu64 " back; "
              "%" PRIu64 " of %" PRIu64 " activations and jumps back in machine code; "
              "%" PRIu64 " bytecodes compiled in %" PRIu64 " us; "
              "%" PRIu64 " targets linked, %" PRIu64 " sites without a cache and %" PRIu64
              " compilations put off for want of room",
              jit->compiled, jit->refused, jit->evicted, jit->reclaims, jit->free - jit->start,
              jit->runs, jit->frames_left, jit->frames_entered, jit->machine_points,
              poll_points(vm),
              jit->bytecodes, jit->compile_us, jit->links, jit->unlinked, jit->put_off);
    for (uint32_t i = 0; i < jit->piece_count; i++)
        jit_delete_piece(vm, jit->pieces[i]);
    build_free(vm, &jit->spare);
    host->free(host, jit->pieces, jit->piece_capacity * sizeof *jit->pieces);
    processor_close(vm);
    zone_close(vm);
    host->free(host, jit, sizeof *jit);
    vm->jit = (VmJit){0};
}
