/* Stubs: where machine code is entered, left, and reaches C (System V calling convention). */
#include "x64.h"

/* What C keeps and machine code changes: an odd number, for the alignment of the stack. */
static const uint8_t saved[] = {RBP, RBX, R14, R12, R13};
enum { SAVED = sizeof saved };

static void load(Emit *e, Reg to, int32_t variable)
{
    emit_rm(e, true, 0x8B, to, mem(RBX, variable));
}

static void store(Emit *e, int32_t variable, Reg from)
{
    emit_rm(e, true, 0x89, from, mem(RBX, variable));
}

/* RESULT is popped; on with the pc in the variable ip. */
static void resume(Emit *e, const JitVariables *v)
{
    load(e, RSP, v->sp);
    load(e, RBP, v->fp);
    emit_pop(e, RAX);
    emit_rm(e, false, 0xFF, 4, mem(RBX, v->ip));
}

static void enter(Emit *e, const JitVariables *v)
{
    for (unsigned i = 0; i < SAVED; i++)
        emit_push(e, saved[i]);
    emit_mov(e, RBX, VM_ARGUMENT);
    store(e, v->c_sp, RSP);
    resume(e, v);
}

static void leave(Emit *e, const JitVariables *v)
{
    load(e, RSP, v->c_sp);
    for (unsigned i = SAVED; i > 0; i--)
        emit_pop(e, saved[i - 1]);
    emit_byte(e, 0xC3);
}

/* With sp and fp of Smalltalk in their variables. C's sp is aligned: enter pushed an odd number
 * of words. */
static void call_routine(Emit *e, const JitStub *stub, const JitVariables *v)
{
    load(e, RSP, v->c_sp);
    emit_mov(e, VM_ARGUMENT, RBX);
    emit_rm(e, false, 0xFF, 2, mem(RBX, v->routines + (int32_t)(stub->routine * WORD_BYTES)));
}

static void leaf(Emit *e, const JitStub *stub, const JitVariables *v)
{
    emit_rm(e, false, 0x8F, 0, mem(RBX, v->leaf_pc)); /* pop */
    store(e, v->sp, RSP);
    store(e, v->fp, RBP);
    call_routine(e, stub, v);
    load(e, RSP, v->sp);
    emit_rm(e, false, 0xFF, 6, mem(RBX, v->leaf_pc)); /* push: calls and returns pair */
    emit_byte(e, 0xC3);
}

static void switching(Emit *e, const JitStub *stub, const JitVariables *v)
{
    emit_rm(e, false, 0x8F, 0, mem(RBX, v->ip)); /* pop */
    store(e, v->sp, RSP);
    store(e, v->fp, RBP);
    call_routine(e, stub, v);
    emit_rr(e, true, 0x85, RAX, RAX);
    emit_byte(e, 0x0F);
    emit_byte(e, 0x80 | CC_NE);
    emit_32(e, (uint32_t)(stub->leave - (stub->address + e->at + 4)));
    resume(e, v);
}

uint32_t x64_encode_stub(JitBackEnd *back_end, const JitStub *stub, const JitVariables *variables)
{
    Emit e = {.out = stub->out};
    if (stub->capacity < STUB_MOST)
        return 0;
    switch (stub->kind) {
    case JIT_STUB_ENTER: enter(&e, variables); break;
    case JIT_STUB_LEAVE: leave(&e, variables); break;
    case JIT_STUB_LEAF: leaf(&e, stub, variables); break;
    case JIT_STUB_SWITCH: switching(&e, stub, variables); break;
    }
    return e.at;
}
