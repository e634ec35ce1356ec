/* Frames and the two tiers: pcs, and who has to know when a frame changes tier. */
#include "kernel/jit/jit_int.h"

/* Every frame, its pc, and the frame that returns to it (NULL: it is the newest of its page). */
void frames_each(Vm *vm, PcVisitor visit, void *context)
{
    Interp *interp = interp_of(vm);
    stack_sync(vm);
    for (unsigned i = 0; i < interp->page_count; i++) {
        Page *page = &interp->pages[i];
        if (!page->head_fp)
            continue;
        Word *frame = frame_at(page->head_fp);
        visit(vm, frame, &page->head_ip, NULL, context);
        for (; frame[FRAME_SAVED_FP]; frame = frame_at(frame[FRAME_SAVED_FP]))
            visit(vm, frame_at(frame[FRAME_SAVED_FP]), &frame[FRAME_RETURN], frame, context);
    }
    if (vm->fp)
        vm->ip = interp->page->head_ip;
}

Word jit_bytecode_ip(Vm *vm, Word pc)
{
    const PcFacts *facts = jit_pc_facts(jit_of(vm), pc);
    REQUIRE(facts && facts->map, "machine pc %" PRIxWORD " is no frame state", pc);
    return jit_piece_method(facts->piece) + facts->map->pc;
}

static void leave_pc(Vm *vm, Word *frame, Word *pc, Word *above, void *context)
{
    (void)frame;
    const Piece *piece = jit_is_pc(vm, *pc) ? jit_piece_at(jit_of(vm), *pc) : NULL;
    Oop code = *(Oop *)context;
    if (!piece || (code && jit_piece_method(piece) != code))
        return;
    *pc = jit_bytecode_ip(vm, *pc);
    jit_of(vm)->frames_left++;
    if (above)
        above[FRAME_FLAGS] |= FRAME_ODD_RETURN;
}

void jit_leave_code(Vm *vm, Oop code)
{
    if (jit_of(vm))
        frames_each(vm, leave_pc, &code);
}

static void enter_pc(Vm *vm, Word *frame, Word *pc, Word *above, void *context)
{
    (void)above, (void)context; /* the return to this frame stays an odd one */
    if (!jit_is_pc(vm, *pc) && jit_enter_at(vm, frame, pc, 1u << MAP_SEND | 1u << MAP_POLL, false))
        jit_of(vm)->frames_entered++;
}

void frames_turn(Vm *vm)
{
    Jit *jit = jit_of(vm);
    jit->turned = !jit->turned;
    if (jit->turned)
        jit_leave_code(vm, NO_OOP);
    else
        frames_each(vm, enter_pc, NULL);
}

void frame_adopt(Vm *vm, Word *frame)
{
    bool plain = !frame[FRAME_CONTEXT] && frame[FRAME_SAVED_FP] &&
                 jit_is_pc(vm, frame[FRAME_RETURN]);
    if (plain)
        frame[FRAME_FLAGS] &= ~FRAME_ODD_RETURN;
    else
        frame[FRAME_FLAGS] |= FRAME_ODD_RETURN;
}
