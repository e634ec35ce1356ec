/* The poll: the one place where collections, signals of semaphores from outside and
 * preemption happen.
 *
 * Whoever wants a poll sets a flag and raises the stack limit; the next poll point then
 * calls poll(). The helper thread of the world only does that. Without a helper thread
 * (--deterministic) the budget of poll points alone brings polls about.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "kernel/vm/interp/callback.h"
#include "kernel/vm/interp/interp_int.h"

/* Poll points between polls that nobody asked for; logical time between looks at the
 * clock in deterministic runs. */
enum { POLL_BUDGET = 20000, PULSE_US = 2000 };

/* So many interrupts may come before a poll sees them. */
enum { INTERRUPTS_UNSEEN_MAX = 5 };

void vm_request_poll(Vm *vm)
{
    Interp *interp = vm->interp;
    if (!interp)
        return;
    atomic_store(&interp->poll_requested, 1);
    __atomic_store_n(&vm->stack_limit, STACK_LIMIT_POLL, __ATOMIC_SEQ_CST);
}

void poll_signal_external(Vm *vm, unsigned index)
{
    Interp *interp = interp_of(vm);
    const OsvmWorld *world = vm->setup->host->world;
    if (index == 0 || index > EXTERNAL_SEMAPHORES_MAX)
        return;
    atomic_fetch_add(&interp->externals[index - 1], 1);
    atomic_store(&interp->externals_pending, 1);
    vm_request_poll(vm);
    world->wake(world);
}

/* ---- The helper thread ---- */

static void tick(void *context)
{
    vm_request_poll(context);
}

/* A user interrupt. A primitive that does not come to its end must not keep the user for ever. */
static void take_interrupt(Interp *interp)
{
    if (atomic_fetch_add(&interp->interrupts, 1) < INTERRUPTS_UNSEEN_MAX)
        return;
    fputs("osvm: interrupted again and again while a primitive or a collection runs: ended\n", stderr);
    _exit(128 + SIGINT);
}

static void take_signal(void *context, int number)
{
    Vm *vm = context;
    Interp *interp = interp_of(vm);
    const OsvmWorld *world = vm->setup->host->world;
    if (number == SIGINT)
        take_interrupt(interp);
    else if (number == SIGUSR1)
        atomic_store(&interp->processor_requested, 1);
    else if (number == SIGTERM || number == SIGHUP)
        atomic_store(&interp->end_requested, (unsigned)number);
    vm_request_poll(vm);
    world->wake(world);
}

/* As many poll points as there may be until the next poll: it comes exactly when the processor
 * is to change, and in a deterministic run exactly when the timer is due. */
static void grant(Vm *vm)
{
    Interp *interp = interp_of(vm);
    const OsvmWorld *world = vm->setup->host->world;
    vm->polls = poll_points(vm);
    interp->poll_grant = vm->poll_budget;
    uint64_t left = jit_next_move(vm) - vm->polls;
    if (left == 0 || left > POLL_BUDGET)
        left = POLL_BUDGET;
    if (vm->setup->deterministic && interp->wakeup_utc != INT64_MAX) {
        int64_t distance = interp->wakeup_utc - world->utc_us(world);
        if (distance <= (int64_t)left)
            left = distance > 0 ? (uint64_t)distance - 1 : 0;
    }
    interp->poll_grant = vm->poll_budget = (SWord)left;
}

static uint64_t count_points(void *context)
{
    return poll_points(context);
}

void poll_start(Vm *vm)
{
    const OsvmWorld *world = vm->setup->host->world;
    OsvmPulse pulse = {.period_us = vm->setup->deterministic ? 0 : PULSE_US,
                       .tick = tick, .signal = take_signal, .context = vm};
    Interp *interp = interp_of(vm);
    interp->wakeup_utc = INT64_MAX;
    world->count_points(world, count_points, vm);
    grant(vm);
    interp->pulse_running = world->pulse_start(world, &pulse) == 0;
}

void poll_stop(Vm *vm)
{
    const OsvmWorld *world = vm->setup->host->world;
    if (interp_of(vm)->pulse_running)
        world->pulse_stop(world);
    interp_of(vm)->pulse_running = false;
    world->count_points(world, NULL, NULL);
}

/* ---- Sources ---- */

static bool is_semaphore(Vm *vm, Oop oop)
{
    return is_object(oop) && format_is_pointers(object_format(oop)) &&
           object_slot_count(oop) > SEMAPHORE_EXCESS &&
           follow(heap_class_of(&vm->heap, oop)) == follow(heap_special(&vm->heap, SPECIAL_CLASS_SEMAPHORE));
}

static void signal_special(Vm *vm, unsigned special)
{
    Oop semaphore = follow(heap_special(&vm->heap, special));
    if (is_semaphore(vm, semaphore))
        process_signal(vm, semaphore);
}

static void poll_low_space(Vm *vm)
{
    if (interp_of(vm)->low_space)
        signal_special(vm, SPECIAL_LOW_SPACE_SEMAPHORE);
    interp_of(vm)->low_space = false;
}

/* What becomes of an interrupt is the image's affair: it has a process that waits for the semaphore.
 * Where it registered none, and where that process was given no time to take the interrupts before,
 * because one of a higher priority does not let it, the program ends. */
static void poll_interrupt(Vm *vm)
{
    Oop semaphore = follow(heap_special(&vm->heap, SPECIAL_INTERRUPT_SEMAPHORE));
    if (!atomic_exchange(&interp_of(vm)->interrupts, 0))
        return;
    if (is_semaphore(vm, semaphore) &&
        object_slot(semaphore, SEMAPHORE_EXCESS) == small_integer_oop(0)) {
        process_signal(vm, semaphore);
        return;
    }
    if (is_semaphore(vm, semaphore)) {
        fflush(stdout);
        fputs("osvm: interrupted, and no process took the interrupts before. What there is:\n", stderr);
        report_processes(vm);
    }
    vm_request_exit(vm, 128 + SIGINT);
}

static void poll_timer(Vm *vm)
{
    Interp *interp = interp_of(vm);
    const OsvmWorld *world = vm->setup->host->world;
    if (interp->wakeup_utc == INT64_MAX || world->utc_us(world) < interp->wakeup_utc)
        return;
    interp->wakeup_utc = INT64_MAX;
    signal_special(vm, SPECIAL_TIMER_SEMAPHORE);
}

static void poll_finalization(Vm *vm)
{
    if (!interp_of(vm)->finalizations)
        return;
    interp_of(vm)->finalizations = 0;
    signal_special(vm, SPECIAL_FINALIZATION_SEMAPHORE);
}

static void poll_externals(Vm *vm)
{
    Interp *interp = interp_of(vm);
    if (!atomic_exchange(&interp->externals_pending, 0))
        return;
    for (Word i = 0; i < EXTERNAL_SEMAPHORES_MAX; i++) {
        unsigned count = atomic_exchange(&interp->externals[i], 0);
        while (count--) {
            Oop objects = follow(heap_special(&vm->heap, SPECIAL_EXTERNAL_OBJECTS));
            if (is_immediate(objects) || object_format(objects) != FORMAT_INDEXABLE ||
                object_slot_count(objects) <= i)
                break;
            Oop semaphore = follow(object_slot(objects, i));
            if (is_semaphore(vm, semaphore))
                process_signal(vm, semaphore);
        }
    }
}

void poll_sources(Vm *vm)
{
    unsigned end = atomic_exchange(&interp_of(vm)->end_requested, 0);
    if (end)
        vm_request_exit(vm, 128 + (int)end);
    poll_low_space(vm);
    poll_interrupt(vm);
    poll_timer(vm);
    poll_finalization(vm);
    poll_externals(vm);
}

/* ---- Memory ---- */

static void collect(Vm *vm)
{
    Mm *mm = vm->heap.mm;
    if (!mm->ops->collection_due(mm))
        return;
    stack_sync(vm);
    mm->ops->collect_if_due(mm);
    memory_watch(vm);
}

/* ---- The poll ---- */

void poll(Vm *vm, bool switching)
{
    Interp *interp = interp_of(vm);
    grant(vm);
    jit_at_poll(vm, atomic_exchange(&interp->processor_requested, 0) != 0);
    atomic_store(&interp->poll_requested, 0);
    process_look_at_all(vm);
    collect(vm);
    jit_verify(vm);
    if (switching) {
        poll_sources(vm);
        callback_at_poll(vm);
    } else
        vm_request_poll(vm); /* the rest stays pending */
    stack_set_limit(vm);
}

/* ---- Waiting ---- */

int64_t poll_timer_mono(Vm *vm)
{
    const OsvmWorld *world = vm->setup->host->world;
    int64_t wakeup = interp_of(vm)->wakeup_utc;
    if (wakeup == INT64_MAX)
        return OSVM_FOREVER;
    int64_t distance = wakeup - world->utc_us(world);
    return world->mono_us(world) + (distance > 0 ? distance : 0);
}

void poll_wait(Vm *vm, int64_t until_us)
{
    const OsvmWorld *world = vm->setup->host->world;
    Interp *interp = interp_of(vm);
    int64_t timer = poll_timer_mono(vm), before = world->mono_us(world);
    bool pending = atomic_load(&interp->externals_pending) || atomic_load(&interp->interrupts) ||
                   atomic_load(&interp->end_requested) || interp->finalizations;
    if (pending)
        return;
    world->wait(world, timer < until_us ? timer : until_us);
    vm->counters.idle_us += (uint64_t)(world->mono_us(world) - before);
}

bool poll_can_wake(Vm *vm)
{
    Interp *interp = interp_of(vm);
    Oop externals = follow(heap_special(&vm->heap, SPECIAL_EXTERNAL_OBJECTS));
    return interp->wakeup_utc != INT64_MAX || interp->finalizations || interp->low_space ||
           atomic_load(&interp->externals_pending) ||
           is_semaphore(vm, follow(heap_special(&vm->heap, SPECIAL_INTERRUPT_SEMAPHORE))) ||
           (is_object(externals) && object_format(externals) == FORMAT_INDEXABLE &&
            object_slot_count(externals) > 0);
}
