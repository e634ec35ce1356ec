/* The stack zone: pages of frames, and their life as contexts.
 *
 * A process runs on the frames of one page; older activations lie on other pages or are
 * heap contexts, linked through the sender context in each page's base frame. When pages
 * run out, the one not used for longest is turned into contexts. Invariants: interp_int.h.
 */
#include "kernel/vm/interp/interp_int.h"

Page *stack_page_of(Vm *vm, Word fp)
{
    Interp *interp = interp_of(vm);
    Word index = (fp - interp->zone_start) / PAGE_BYTES;
    CHECK(index < interp->page_count, "frame %" PRIxWORD " outside the stack zone", fp);
    return &interp->pages[index];
}

void stack_sync(Vm *vm)
{
    Page *page = interp_of(vm)->page;
    if (!page || !vm->fp)
        return;
    page->head_fp = vm->fp;
    page->head_sp = vm->sp;
    page->head_ip = vm->ip;
}

/* Sets the limit of the running page, or keeps asking for a poll if somebody does. Somebody who asks
 * at this very moment may be overlooked: then the budget of poll points brings the poll. */
void stack_set_limit(Vm *vm)
{
    Interp *interp = interp_of(vm);
    Word limit = atomic_load(&interp->poll_requested) ? STACK_LIMIT_POLL : interp->page->limit;
    __atomic_store_n(&vm->stack_limit, limit, __ATOMIC_RELAXED);
}

static void page_enter(Vm *vm, Page *page)
{
    Interp *interp = interp_of(vm);
    bool same = interp->page == page; /* then the limit is right, or asks for a poll */
    interp->page = page;
    page->used = ++interp->stamp;
    vm->fp = page->head_fp;
    vm->sp = page->head_sp;
    vm->ip = page->head_ip;
    vm->page_limit = page->limit;
    if (!same)
        stack_set_limit(vm);
}

void stack_free_page(Vm *vm, Page *page)
{
    page->head_fp = 0;
}

/* ---- Marrying ---- */

/* Most contexts are small ones, in eden. */
static inline Oop new_context(Vm *vm, bool large)
{
    Oop context = large ? NO_OOP
                        : heap_new_pointers(&vm->heap, CONTEXT_SMALL_SLOTS, FORMAT_INDEXABLE_FIXED,
                                            CLASS_CONTEXT);
    return context ? context
                   : memory_new_pointers(vm, large ? CONTEXT_LARGE_SLOTS : CONTEXT_SMALL_SLOTS,
                                         FORMAT_INDEXABLE_FIXED, CLASS_CONTEXT);
}

Oop stack_frame_context(Vm *vm, Word fp)
{
    Word *frame = frame_at(fp);
    if (frame[FRAME_CONTEXT])
        return frame[FRAME_CONTEXT];
    Heap *heap = &vm->heap;
    Oop method = frame[FRAME_METHOD];
    Oop context = new_context(vm, code_facts(vm, method)->large);
    if (!context)
        return NO_OOP;
    unsigned args = frame_args(frame);
    Word *slots = object_slots(context);
    if (heap_is_young(heap, context)) { /* NOBARRIER B2 */
        slots[CONTEXT_METHOD] = method;
        if (frame_is_block(frame))
            slots[CONTEXT_CLOSURE] = *frame_top(frame);
        slots[CONTEXT_RECEIVER] = frame[FRAME_RECEIVER];
        for (unsigned i = 0; i < args; i++)
            slots[CONTEXT_FIXED + i] = frame[1 + args - i];
    } else {
        heap_store(heap, context, CONTEXT_METHOD, method);
        if (frame_is_block(frame))
            heap_store(heap, context, CONTEXT_CLOSURE, *frame_top(frame));
        heap_store(heap, context, CONTEXT_RECEIVER, frame[FRAME_RECEIVER]);
        for (unsigned i = 0; i < args; i++)
            heap_store(heap, context, CONTEXT_FIXED + i, frame[1 + args - i]);
    }
    /* NOBARRIER: immediates */
    slots[CONTEXT_SENDER] = fp + FRAME_TAG;
    slots[CONTEXT_STACKP] = small_integer_oop((SWord)args);
    frame[FRAME_CONTEXT] = context;
    frame[FRAME_FLAGS] |= FRAME_ODD_RETURN;
    return context;
}

/* No memory here means that the reserve is gone, and has_room_for_contexts was not asked. */
static Oop must_have_context(Vm *vm, Word fp)
{
    Oop context = stack_frame_context(vm, fp);
    REQUIRE(context, "no memory left for contexts of the stack");
    return context;
}

void stack_kill_context(Vm *vm, Oop context)
{
    /* NOBARRIER: nil */
    heap_store_unchecked(context, CONTEXT_SENDER, vm->heap.nil);
    heap_store_unchecked(context, CONTEXT_PC, vm->heap.nil);
    *header_at(context) &= ~HEADER_VERIFIED;
}

/* ---- Divorcing ---- */

/* Writes a frame whose newest value is at sp and next bytecode at ip into its context. */
static void divorce(Vm *vm, Word fp, Word sp, Word ip)
{
    Heap *heap = &vm->heap;
    Word *frame = frame_at(fp);
    Oop context = must_have_context(vm, fp);
    Oop sender = frame[FRAME_SAVED_FP] ? must_have_context(vm, frame[FRAME_SAVED_FP])
                                       : frame[FRAME_RETURN];
    heap_store(heap, context, CONTEXT_SENDER, sender);
    heap_store_unchecked(context, CONTEXT_PC, frame_pc_oop(frame[FRAME_METHOD], jit_ip(vm, ip)));
    heap_store(heap, context, CONTEXT_METHOD, frame[FRAME_METHOD]);
    heap_store(heap, context, CONTEXT_RECEIVER, frame[FRAME_RECEIVER]);
    unsigned args = frame_args(frame);
    Word room = object_slot_count(context) - CONTEXT_FIXED;
    Word locals = (fp - sp) / WORD_BYTES - FRAME_FIXED;
    bool unsure = frame[FRAME_FLAGS] & FRAME_UNSURE;
    if (args + locals > room) {
        /* What an unsure frame holds too much of, or code whose context another VM made too
         * small for it: it cannot go on from there. */
        locals = room - args;
        unsure = true;
    }
    for (unsigned i = 0; i < args; i++)
        heap_store(heap, context, CONTEXT_FIXED + i, frame[1 + (args - i)]);
    for (Word i = 0; i < locals; i++)
        heap_store(heap, context, CONTEXT_FIXED + args + i, frame[FRAME_FIRST_TEMP - (SWord)i]);
    object_fill(context, CONTEXT_FIXED + args + locals, CONTEXT_FIXED + room, heap->nil);
    heap_store_unchecked(context, CONTEXT_STACKP, small_integer_oop((SWord)(args + locals)));
    if (unsure)
        *header_at(context) &= ~HEADER_VERIFIED;
    else
        *header_at(context) |= HEADER_VERIFIED;
}

void stack_flush_page(Vm *vm, Page *page, Word last)
{
    Word fp = page->head_fp, sp = page->head_sp, ip = page->head_ip;
    while (fp) {
        Word *frame = frame_at(fp);
        divorce(vm, fp, sp, ip);
        bool done = fp == last;
        sp = pointer_word(frame_top(frame) + 1);
        ip = frame[FRAME_RETURN];
        fp = frame[FRAME_SAVED_FP];
        if (done)
            break;
    }
    page->head_fp = fp;
    page->head_sp = sp;
    page->head_ip = ip;
}

void stack_flush_above(Vm *vm, Word fp)
{
    Page *page = stack_page_of(vm, fp);
    if (page->head_fp == fp)
        return;
    Word above = page->head_fp;
    while (frame_at(above)[FRAME_SAVED_FP] != fp)
        above = frame_at(above)[FRAME_SAVED_FP];
    stack_flush_page(vm, page, above);
}

Oop stack_flush_all(Vm *vm)
{
    Interp *interp = interp_of(vm);
    Oop active = NO_OOP;
    if (vm->fp) {
        stack_sync(vm);
        active = must_have_context(vm, vm->fp);
    }
    for (unsigned i = 0; i < interp->page_count; i++)
        if (interp->pages[i].head_fp)
            stack_flush_page(vm, &interp->pages[i], 0);
    vm->fp = 0;
    return active;
}

void stack_flush(Vm *vm)
{
    Oop active = stack_flush_all(vm);
    bool resumed = active && stack_resume(vm, active);
    REQUIRE(resumed, "the running activation cannot be resumed");
}

Oop stack_active_context(Vm *vm)
{
    return stack_frame_context(vm, vm->fp);
}

/* ---- Pages ---- */

/* A free page; the running one is never taken. */
static Page *find_page(Vm *vm)
{
    Interp *interp = interp_of(vm);
    Page *oldest = NULL;
    for (unsigned i = 0; i < interp->page_count; i++) {
        Page *page = &interp->pages[i];
        if (!page->head_fp)
            return page;
        if (page != interp->page && (!oldest || page->used < oldest->used))
            oldest = page;
    }
    vm->counters.page_divorces++;
    stack_flush_page(vm, oldest, 0);
    return oldest;
}

/* Is there memory to turn a page into contexts? Collects if need be: the caller stands at
 * the beginning of an activation, with all registers in the Vm. */
static bool has_room_for_contexts(Vm *vm)
{
    Heap *heap = &vm->heap;
    MmStatistics memory = {0};
    Word least_frame = FRAME_FIXED + 3;
    Word need = PAGE_WORDS / least_frame * object_size_for_slots(CONTEXT_SMALL_SLOTS);
    if (heap->eden_limit - heap->eden_free >= need)
        return true;
    heap->mm->ops->statistics(heap->mm, &memory);
    return memory.old_free / 2 + (heap->old_limit - heap->old_end) >= 2 * need ||
           memory_make_room(vm, 4 * need);
}

void stack_overflow(Vm *vm)
{
    Interp *interp = interp_of(vm);
    if (!has_room_for_contexts(vm)) {
        report_fatal(vm, "no memory left for the stack");
        return;
    }
    vm->counters.stack_overflows++;
    Word *frame = frame_at(vm->fp);
    Word *top = frame_top(frame);
    CHECK(frame[FRAME_SAVED_FP], "one frame fills a page");
    Oop sender = must_have_context(vm, frame[FRAME_SAVED_FP]);
    Page *page = interp->page;
    page->head_fp = frame[FRAME_SAVED_FP];
    page->head_sp = pointer_word(top + 1);
    page->head_ip = frame[FRAME_RETURN];

    Page *fresh = find_page(vm);
    Word bytes = pointer_word(top + 1) - vm->sp;
    Word move = fresh->high - bytes - vm->sp;
    memcpy(word_pointer(vm->sp + move), word_pointer(vm->sp), bytes);
    fresh->head_fp = vm->fp + move;
    fresh->head_sp = vm->sp + move;
    fresh->head_ip = vm->ip;
    Word *moved = frame_at(fresh->head_fp);
    moved[FRAME_SAVED_FP] = 0;
    moved[FRAME_FLAGS] |= FRAME_ODD_RETURN;
    moved[FRAME_RETURN] = sender;
    if (moved[FRAME_CONTEXT]) /* NOBARRIER: a SmallInteger */
        heap_store_unchecked(moved[FRAME_CONTEXT], CONTEXT_SENDER, fresh->head_fp + FRAME_TAG);
    page_enter(vm, fresh);
}

/* ---- Resuming contexts ---- */

/* What a single context says about its activation, checked. */
typedef struct {
    Oop code, closure;
    unsigned args, depth;
} Activation;

static bool closure_args(Oop closure, unsigned *args)
{
    if (is_immediate(closure) || !format_is_pointers(object_format(closure)) ||
        object_slot_count(closure) < CLOSURE_COPIED)
        return false;
    Oop count = object_slot(closure, CLOSURE_ARG_COUNT);
    if (!is_small_integer(count) || small_integer_value(count) < 0 ||
        small_integer_value(count) > 15)
        return false;
    *args = (unsigned)small_integer_value(count);
    return true;
}

static bool read_activation(Vm *vm, Oop context, Activation *a)
{
    if (object_slot_count(context) < CONTEXT_SMALL_SLOTS ||
        object_slot_count(context) > CONTEXT_LARGE_SLOTS)
        return false;
    a->code = follow(object_slot(context, CONTEXT_METHOD));
    a->closure = follow(object_slot(context, CONTEXT_CLOSURE));
    Oop depth = object_slot(context, CONTEXT_STACKP);
    Oop pc = object_slot(context, CONTEXT_PC);
    if (!is_code(a->code) || !is_small_integer(depth) || !is_small_integer(pc))
        return false;
    SWord room = (SWord)object_slot_count(context) - CONTEXT_FIXED;
    if (small_integer_value(depth) < 0 || small_integer_value(depth) > room)
        return false;
    a->depth = (unsigned)small_integer_value(depth);
    if (a->closure == vm->heap.nil)
        a->args = code_facts(vm, a->code)->args;
    else if (!closure_args(a->closure, &a->args))
        return false;
    /* Images pop even an argument for a while, to push it again by returning it. */
    if (a->depth < a->args)
        a->depth = a->args;
    return a->args <= (unsigned)room;
}

/* The address of the next bytecode, kept inside the code where pc is nonsense. */
static Word read_ip(Vm *vm, Oop context, Oop code)
{
    SWord pc = small_integer_value(object_slot(context, CONTEXT_PC)) - 1;
    SWord size = (SWord)bits_byte_count(code);
    if (pc < 0 || pc > size)
        pc = size;
    return code + HEADER_BYTES + (Word)pc;
}

/* Builds the base frame of a page from a single context. */
static void build_base(Vm *vm, Page *page, Oop context, const Activation *a)
{
    Oop receiver = follow(object_slot(context, CONTEXT_RECEIVER));
    Oop sender = follow(object_slot(context, CONTEXT_SENDER));
    bool unsure = !(header_of(context) & header_of(a->code) & HEADER_VERIFIED);
    const CodeFacts *facts = code_facts(vm, a->code);
    Word modes = code_modes_for(vm, facts, receiver);
    bool block = a->closure != vm->heap.nil;
    if (block)
        modes |= FRAME_BLOCK;
    if (unsure)
        modes |= FRAME_UNSURE;

    Word *top = (Word *)word_pointer(page->high) - 1;
    *top = block ? a->closure : receiver;
    Word *frame = top - a->args - 2;
    for (unsigned i = 0; i < a->args; i++)
        *--top = object_slot(context, CONTEXT_FIXED + i);
    frame[FRAME_RETURN] = is_context(sender) ? sender : vm->heap.nil;
    frame[FRAME_SAVED_FP] = 0;
    frame[FRAME_METHOD] = a->code;
    frame[FRAME_FLAGS] = frame_flags_for(a->args, modes);
    frame[FRAME_CONTEXT] = context;
    frame[FRAME_RECEIVER] = receiver;
    Word *sp = frame + FRAME_RECEIVER;
    for (unsigned i = a->args; i < a->depth; i++)
        *--sp = object_slot(context, CONTEXT_FIXED + i);
    page->head_fp = pointer_word(frame);
    page->head_sp = pointer_word(sp);
    page->head_ip = read_ip(vm, context, a->code);
    /* NOBARRIER: a SmallInteger and nil */
    heap_store_unchecked(context, CONTEXT_SENDER, page->head_fp + FRAME_TAG);
    heap_store_unchecked(context, CONTEXT_PC, vm->heap.nil);
}

bool stack_is_resumable(Vm *vm, Oop context)
{
    Activation a;
    return is_context(context) && (context_married(context) || read_activation(vm, context, &a));
}

bool stack_resume(Vm *vm, Oop context)
{
    Activation a;
    context = follow(context);
    if (!is_context(context))
        return false;
    if (context_married(context)) {
        Word fp = context_frame(context);
        stack_flush_above(vm, fp);
        page_enter(vm, stack_page_of(vm, fp));
        return true;
    }
    if (!read_activation(vm, context, &a))
        return false;
    Page *page = find_page(vm);
    build_base(vm, page, context, &a);
    page_enter(vm, page);
    return true;
}

void stack_mark_unsure(Vm *vm, Oop code)
{
    Interp *interp = interp_of(vm);
    jit_leave_code(vm, code);
    stack_sync(vm);
    for (unsigned i = 0; i < interp->page_count; i++)
        for (Word fp = interp->pages[i].head_fp; fp; fp = frame_at(fp)[FRAME_SAVED_FP])
            if (frame_at(fp)[FRAME_METHOD] == code)
                frame_at(fp)[FRAME_FLAGS] |= FRAME_UNSURE;
}

bool stack_return_from_base(Vm *vm, Oop value)
{
    Interp *interp = interp_of(vm);
    Word *frame = frame_at(vm->fp);
    Oop sender = follow(frame[FRAME_RETURN]);
    if (!stack_is_resumable(vm, sender))
        return false;
    if (frame[FRAME_CONTEXT])
        stack_kill_context(vm, frame[FRAME_CONTEXT]);
    stack_free_page(vm, interp->page);
    bool resumed = stack_resume(vm, sender);
    CHECK(resumed, "a resumable context was not resumed");
    (void)resumed;
    jit_enter_waiting(vm);
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = value;
    return true;
}

/* ---- For the collector and become ---- */

/* Visits one frame; its next bytecode's address, at ip, moves with the method. */
static void visit_frame(Vm *vm, Word *frame, Word sp, Word *ip, SlotVisitor visit, void *context)
{
    for (Oop *slot = word_pointer(sp); slot <= (Oop *)frame + FRAME_RECEIVER; slot++)
        visit(context, slot);
    if (frame[FRAME_CONTEXT])
        visit(context, (Oop *)frame + FRAME_CONTEXT);
    Oop method = frame[FRAME_METHOD];
    visit(context, (Oop *)frame + FRAME_METHOD);
    if (!jit_is_pc(vm, *ip))
        *ip += frame[FRAME_METHOD] - method;
}

static void visit_page(Vm *vm, Page *page, SlotVisitor visit, void *context)
{
    Word fp = page->head_fp, sp = page->head_sp;
    Word *ip = &page->head_ip;
    while (fp) {
        Word *frame = frame_at(fp);
        visit_frame(vm, frame, sp, ip, visit, context);
        ip = &frame[FRAME_RETURN];
        sp = fp + 2 * WORD_BYTES;
        fp = frame[FRAME_SAVED_FP];
        if (!fp) {
            visit(context, (Oop *)&frame[FRAME_RETURN]);
            for (Oop *slot = word_pointer(sp); slot <= (Oop *)frame_top(frame); slot++)
                visit(context, slot);
        }
    }
}

void interp_visit_roots(Vm *vm, SlotVisitor visit, void *context)
{
    Interp *interp = interp_of(vm);
    stack_sync(vm);
    for (unsigned i = 0; i < interp->page_count; i++)
        visit_page(vm, &interp->pages[i], visit, context);
    if (vm->fp)
        vm->ip = interp->page->head_ip;
    if (vm->new_method)
        visit(context, (Oop *)&vm->new_method);
    jit_visit_roots(vm, visit, context);
}

/* Slots that may not hold forwarders are followed. A replaced method goes on at the same
 * offset; what it says there is not what was verified, so the frame is looked at again. */
static void follow_frame(Vm *vm, Word *frame, Word *ip, Word *above)
{
    Oop method = frame[FRAME_METHOD];
    frame[FRAME_METHOD] = follow(method);
    if (frame[FRAME_CONTEXT])
        frame[FRAME_CONTEXT] = follow(frame[FRAME_CONTEXT]);
    Word *top = frame_top(frame);
    *top = follow(*top);
    Oop receiver = frame[FRAME_RECEIVER];
    frame[FRAME_RECEIVER] = follow(receiver);
    if (method == frame[FRAME_METHOD] && receiver == frame[FRAME_RECEIVER])
        return;
    if (jit_is_pc(vm, *ip)) { /* what machine code takes for granted may not hold */
        *ip = jit_bytecode_ip(vm, *ip);
        if (above)
            above[FRAME_FLAGS] |= FRAME_ODD_RETURN;
    }
    *ip += frame[FRAME_METHOD] - method;
    Word kept = frame[FRAME_FLAGS] & (FRAME_BLOCK | FRAME_UNSURE | FRAME_ODD_RETURN);
    if (method != frame[FRAME_METHOD])
        kept |= FRAME_UNSURE;
    frame[FRAME_FLAGS] = frame_flags_for(
        frame_args(frame),
        kept | code_modes_for(vm, code_facts(vm, frame[FRAME_METHOD]), frame[FRAME_RECEIVER]));
}

static void follow_page(Vm *vm, Page *page)
{
    Word fp = page->head_fp;
    Word *ip = &page->head_ip, *above = NULL;
    while (fp) {
        Word *frame = frame_at(fp);
        follow_frame(vm, frame, ip, above);
        above = frame;
        ip = &frame[FRAME_RETURN];
        fp = frame[FRAME_SAVED_FP];
        if (!fp)
            frame[FRAME_RETURN] = follow(frame[FRAME_RETURN]);
    }
}

void interp_follow_forwarders(Vm *vm)
{
    Interp *interp = interp_of(vm);
    stack_sync(vm);
    for (unsigned i = 0; i < interp->page_count; i++)
        follow_page(vm, &interp->pages[i]);
    if (vm->fp)
        vm->ip = interp->page->head_ip;
    if (vm->new_method)
        vm->new_method = follow(vm->new_method);
    jit_follow_forwarders(vm);
}
