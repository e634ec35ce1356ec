/* Walking the chain of activations, leaving activations, and cutting some out of it. */
#include "kernel/vm/interp/chain.h"

#include "kernel/bytecode/opcodes.h"

unsigned chain_marker(Vm *vm, Activation a)
{
    Oop method;
    if (a.fp) {
        Word flags = frame_at(a.fp)[FRAME_FLAGS];
        if ((flags & (FRAME_MARKED | FRAME_BLOCK)) != FRAME_MARKED)
            return 0;
        method = frame_at(a.fp)[FRAME_METHOD];
    } else {
        if (follow(object_slot(a.context, CONTEXT_CLOSURE)) != vm->heap.nil)
            return 0;
        method = follow(object_slot(a.context, CONTEXT_METHOD));
    }
    if (!is_code(method))
        return 0;
    unsigned primitive = code_facts(vm, method)->primitive;
    return primitive == PRIMITIVE_UNWIND || primitive == PRIMITIVE_HANDLER ? primitive : 0;
}

bool chain_leads_to(Activation a, Activation target)
{
    if (chain_ended(target))
        return false;
    a = chain_sender(a);
    for (int i = 0; i < CHAIN_MAX && !chain_ended(a); i++) {
        if (chain_is_same(a, target))
            return true;
        a = chain_sender(a);
    }
    return false;
}

/* ---- Leaving activations ---- */

static void kill_context_of(Vm *vm, Word *frame)
{
    if (frame[FRAME_CONTEXT])
        stack_kill_context(vm, frame[FRAME_CONTEXT]);
}

/* Takes a frame off its page; frames above it, which are not in the chain, become contexts. */
static void leave(Vm *vm, Activation a)
{
    if (!a.fp) {
        stack_kill_context(vm, a.context);
        return;
    }
    Word *frame = frame_at(a.fp);
    Page *page = stack_page_of(vm, a.fp);
    stack_flush_above(vm, a.fp);
    kill_context_of(vm, frame);
    page->head_fp = frame[FRAME_SAVED_FP];
    page->head_sp = pointer_word(frame_top(frame) + 1);
    page->head_ip = frame[FRAME_RETURN];
}

void chain_abandon(Vm *vm, Activation last)
{
    Activation a = chain_frame(vm->fp);
    stack_sync(vm);
    for (bool done = false; !done;) {
        done = chain_is_same(a, last);
        Activation sender = chain_sender(a);
        leave(vm, a);
        a = sender;
    }
    vm->fp = 0;
}

/* ---- Cutting the chain ---- */

/* Moves the frames of a page from its head down to `fp` by `distance` bytes. */
static void slide(Vm *vm, Page *page, Word fp, Word distance)
{
    Word head_fp = page->head_fp + distance, head_sp = page->head_sp + distance;
    Word end = pointer_word(frame_top(frame_at(fp)) + 1);
    bool running = page == interp_of(vm)->page && vm->fp;
    memmove(word_pointer(head_sp), word_pointer(page->head_sp), end - page->head_sp);
    page->head_fp = head_fp;
    page->head_sp = head_sp;
    if (running)
        vm->fp = head_fp, vm->sp = head_sp;
    for (Word at = head_fp;; at = frame_at(at)[FRAME_SAVED_FP]) {
        Word *frame = frame_at(at);
        if (frame[FRAME_CONTEXT]) /* NOBARRIER: a SmallInteger */
            heap_store_unchecked(frame[FRAME_CONTEXT], CONTEXT_SENDER, at + FRAME_TAG);
        if (at == fp + distance)
            return;
        frame[FRAME_SAVED_FP] += distance;
    }
}

/* Frames from fp to the head of its page lose their callers down to `target`. Those below fp on the
 * page die; `callee` is the last of them if it was called by the target, else fp becomes a base. */
static void cut_page(Vm *vm, Word fp, Word callee, Oop target)
{
    Page *page = stack_page_of(vm, fp);
    Word *frame = frame_at(fp), end = pointer_word(frame_top(frame) + 1);
    Word base_end = page->high, saved_fp = 0, back = target;
    if (callee) {
        base_end = pointer_word(frame_top(frame_at(callee)) + 1);
        saved_fp = frame_at(callee)[FRAME_SAVED_FP];
        back = frame_at(callee)[FRAME_RETURN];
    }
    frame[FRAME_SAVED_FP] = saved_fp;
    frame[FRAME_RETURN] = back;
    frame[FRAME_FLAGS] |= FRAME_ODD_RETURN;
    slide(vm, page, fp, base_end - end);
}

static bool is_on_page(const Page *page, Activation a)
{
    return page && a.fp >= page->low && a.fp < page->high;
}

/* What cutting the chain has to know before it begins. */
typedef struct {
    bool sound;   /* neither comes back to a's page, having left it, nor goes through what runs */
    bool running; /* it goes through the running page, where `a` is not */
} Path;

static Path path_between(Vm *vm, const Page *page, Activation a, Activation target)
{
    const Page *running = vm->fp ? interp_of(vm)->page : NULL;
    Path path = {true, false};
    bool left = false;
    for (a = chain_sender(a); !chain_is_same(a, target); a = chain_sender(a)) {
        if (!is_on_page(page, a))
            left = true;
        else if (left)
            path.sound = false;
        if (page != running && is_on_page(running, a))
            path.running = true;
        if (a.fp && a.fp == vm->fp)
            path.sound = false;
    }
    path.sound &= !left || !is_on_page(page, target);
    return path;
}

bool chain_cut(Vm *vm, Activation a, Activation target)
{
    stack_sync(vm);
    Page *page = a.fp ? stack_page_of(vm, a.fp) : NULL;
    Path path = path_between(vm, page, a, target);
    bool same_page = is_on_page(page, target);
    Oop target_context = same_page ? NO_OOP : chain_context(vm, target);
    Oop active = path.running ? stack_active_context(vm) : NO_OOP;
    if (!path.sound || (!same_page && !target_context) || (path.running && !active))
        return false;
    Word callee = 0; /* the last frame on a's page before the target */
    for (Activation between = chain_sender(a); !chain_is_same(between, target);) {
        Activation sender = chain_sender(between);
        if (is_on_page(page, between)) {
            kill_context_of(vm, frame_at(between.fp));
            callee = between.fp;
        } else
            leave(vm, between);
        between = sender;
    }
    if (!a.fp)
        heap_store(&vm->heap, a.context, CONTEXT_SENDER, target_context);
    else if (!same_page || callee)
        cut_page(vm, a.fp, same_page ? callee : 0, target_context);
    bool resumed = !path.running || stack_resume(vm, active);
    REQUIRE(resumed, "the running activation cannot be resumed");
    return true;
}
