/* Processes: run queues, resuming, waiting, switching.
 *
 * The structures are image objects. What does not look as it should is left alone: a list
 * that is none counts as empty, a process that cannot run is dropped.
 */
#include "kernel/vm/interp/fast.h"
#include "kernel/vm/interp/interp_int.h"

/* ---- Lists ---- */

static inline bool is_list(Oop list)
{
    return fast_has_slot(list, LIST_LAST);
}

static inline bool is_process(Oop process)
{
    return fast_has_slot(process, PROCESS_LIST);
}

static Oop fetch(Oop object, Word index)
{
    return follow(object_slot(object, index));
}

/* The process in a slot; NO_OOP: none is there. No forwarder has the shape of a process. */
static inline Oop process_in(Oop object, Word index)
{
    Oop process = object_slot(object, index);
    if (__builtin_expect(is_process(process), 1))
        return process;
    process = follow(process);
    return is_process(process) ? process : NO_OOP;
}

/* Of what is not a list, or holds no process, there is no first one. */
static inline Oop first_of(Oop list)
{
    return is_list(list) ? process_in(list, LIST_FIRST) : NO_OOP;
}

bool process_list_is_empty(Oop list)
{
    return !first_of(list);
}

static inline void put(Vm *vm, Oop list, Word index, Oop process)
{
    heap_store(&vm->heap, list, index, process);
}

static inline void put_nil(Vm *vm, Oop list, Word index)
{
    heap_store_unchecked(list, index, vm->heap.nil); /* NOBARRIER: nil */
}

static void attach(Vm *vm, Oop process, Oop list, bool last)
{
    Oop first = first_of(list);
    if (!first || last) {
        Oop end = first ? process_in(list, LIST_LAST) : NO_OOP;
        if (end)
            put(vm, end, LINK_NEXT, process);
        else if (!first)
            put(vm, list, LIST_FIRST, process);
        put(vm, list, LIST_LAST, process);
        put_nil(vm, process, LINK_NEXT);
    } else {
        put(vm, process, LINK_NEXT, first);
        put(vm, list, LIST_FIRST, process);
    }
    put(vm, process, PROCESS_LIST, list);
}

void process_add_last(Vm *vm, Oop process, Oop list)
{
    attach(vm, process, list, true);
}

static inline void detach(Vm *vm, Oop list, Oop first)
{
    if (first == fetch(list, LIST_LAST)) {
        put_nil(vm, list, LIST_FIRST);
        put_nil(vm, list, LIST_LAST);
    } else
        put(vm, list, LIST_FIRST, fetch(first, LINK_NEXT));
    put_nil(vm, first, LINK_NEXT);
}

Oop process_remove_first(Vm *vm, Oop list)
{
    Oop first = first_of(list);
    if (first)
        detach(vm, list, first);
    return first;
}

bool process_remove(Vm *vm, Oop process, Oop list)
{
    Oop first = fetch(list, LIST_FIRST);
    if (first == process) {
        detach(vm, list, first);
        return true;
    }
    for (Oop at = first; is_process(at); at = fetch(at, LINK_NEXT)) {
        if (fetch(at, LINK_NEXT) != process)
            continue;
        put(vm, at, LINK_NEXT, fetch(process, LINK_NEXT));
        if (fetch(list, LIST_LAST) == process)
            put(vm, list, LIST_LAST, at);
        put_nil(vm, process, LINK_NEXT);
        return true;
    }
    return false;
}

static inline SWord priority_of(Oop process)
{
    Oop priority = is_process(process) ? object_slot(process, PROCESS_PRIORITY) : NO_OOP;
    return priority && is_small_integer(priority) ? small_integer_value(priority) : 0;
}

static Oop run_queue(Oop scheduler, SWord priority)
{
    Oop lists = fetch(scheduler, SCHEDULER_LISTS);
    if (is_immediate(lists) || priority < 1 || (Word)priority > object_slot_count(lists))
        return NO_OOP;
    return fetch(lists, (Word)priority - 1);
}

void process_make_ready(Vm *vm, Oop process, SWord priority, Oop queue, bool last)
{
    Interp *interp = interp_of(vm);
    attach(vm, process, queue, last);
    if (interp->top_priority < (Word)priority)
        interp->top_priority = (Word)priority;
}

/* ---- Switching ---- */

static void park(Vm *vm, Oop active)
{
    Oop context = stack_active_context(vm);
    REQUIRE(context, "no memory left for the context of a process");
    stack_sync(vm);
    heap_store(&vm->heap, active, PROCESS_CONTEXT, context);
    vm->fp = 0;
}

void process_park(Vm *vm)
{
    if (vm->fp)
        park(vm, process_active(vm));
}

/* The running process has been parked. False: the process has nothing to run. */
static bool start_process(Vm *vm, Oop scheduler, Oop process)
{
    Heap *heap = &vm->heap;
    Oop context = fetch(process, PROCESS_CONTEXT);
    if (!context_is_married(vm, context) && !stack_is_resumable(vm, context))
        return false;
    vm->counters.process_switches++;
    heap_store(heap, scheduler, SCHEDULER_ACTIVE, process);
    heap_store(heap, process, PROCESS_LIST, heap->nil);
    heap_store(heap, process, PROCESS_CONTEXT, heap->nil);
    bool resumed = stack_resume(vm, context);
    jit_enter_waiting(vm);
    return resumed;
}

static Oop first_runnable_from(Vm *vm, Oop lists, Word top)
{
    for (Word p = top; p > 0; p--) {
        Oop process = process_remove_first(vm, fetch(lists, p - 1));
        if (process) {
            interp_of(vm)->top_priority = p;
            return process;
        }
    }
    return NO_OOP;
}

/* Queues above top_priority are taken for empty. An image that puts a process there by hand is
 * noticed at the next poll, or when there is nothing else to run. */
static Oop first_runnable(Vm *vm, Oop scheduler)
{
    Oop lists = fetch(scheduler, SCHEDULER_LISTS);
    Word count = is_object(lists) ? object_slot_count(lists) : 0, top = interp_of(vm)->top_priority;
    Oop process = top < count ? first_runnable_from(vm, lists, top) : NO_OOP;
    return process ? process : first_runnable_from(vm, lists, count);
}

void process_look_at_all(Vm *vm)
{
    interp_of(vm)->top_priority = ~(Word)0;
}

/* With nobody to run the VM sleeps until a timer, a signal or the world makes somebody runnable. */
void process_run_next(Vm *vm)
{
    process_park(vm);
    for (;;) {
        Oop scheduler = process_scheduler(vm), process = first_runnable(vm, scheduler);
        if (process && start_process(vm, scheduler, process))
            return;
        if (process)
            continue;
        if (!poll_can_wake(vm)) {
            report_fatal(vm, "no process can run, and nothing is going to happen");
            return;
        }
        poll_wait(vm, poll_timer_mono(vm));
        poll_sources(vm);
        if (vm->quitting)
            return;
        if (vm->fp)
            return; /* a signal has started a process */
    }
}

void process_transfer_to(Vm *vm, Oop process)
{
    process_park(vm);
    if (!start_process(vm, process_scheduler(vm), process))
        process_run_next(vm);
}

enum { PREEMPTION_DOES_NOT_YIELD = 0x10 }; /* image flag */

void process_give_way(Vm *vm)
{
    process_park(vm);
    Oop active = process_active(vm);
    Oop queue = run_queue(process_scheduler(vm), priority_of(active));
    if (queue && is_list(queue))
        process_make_ready(vm, active, priority_of(active), queue, false);
}

void process_resume(Vm *vm, Oop process)
{
    SWord priority = priority_of(process);
    Oop scheduler = process_scheduler(vm), queue = run_queue(scheduler, priority);
    if (!queue || !is_list(queue))
        return;
    Oop active = fetch(scheduler, SCHEDULER_ACTIVE);
    SWord running = priority_of(active);
    if (!vm->fp || priority <= running) { /* nobody runs: process_run_next picks it up */
        process_make_ready(vm, process, priority, queue, true);
        return;
    }
    park(vm, active);
    Oop own = run_queue(scheduler, running);
    if (own && is_list(own))
        process_make_ready(vm, active, running, own, !(vm->image.flags & PREEMPTION_DOES_NOT_YIELD));
    if (!start_process(vm, scheduler, process))
        process_run_next(vm);
}

bool process_signal(Vm *vm, Oop semaphore)
{
    semaphore = follow(semaphore);
    if (!fast_has_slot(semaphore, SEMAPHORE_EXCESS))
        return true;
    Oop process = process_remove_first(vm, semaphore);
    if (process) {
        process_resume(vm, process);
        return true;
    }
    Oop excess = object_slot(semaphore, SEMAPHORE_EXCESS);
    if (!is_small_integer(excess) || small_integer_value(excess) == SMALL_INTEGER_MAX)
        return false;
    heap_store_unchecked(semaphore, SEMAPHORE_EXCESS, /* NOBARRIER: a SmallInteger */
                         small_integer_oop(small_integer_value(excess) + 1));
    return true;
}
