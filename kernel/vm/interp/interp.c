/* The interpreter as a whole: making it, starting the image's process, its services. */
#include "kernel/vm/interp/interp_int.h"

static unsigned pages_in(Word bytes)
{
    return (unsigned)(bytes / PAGE_BYTES);
}

static void lay_out_pages(Vm *vm, Word start)
{
    Interp *interp = vm->interp;
    const Word used = vm->torture.tiny_spaces ? PAGE_LEAST_WORDS : PAGE_WORDS - PAGE_SLACK_WORDS;
    interp->zone_start = start;
    for (unsigned i = 0; i < interp->page_count; i++) {
        Word low = start + (Word)i * PAGE_BYTES;
        interp->pages[i] = (Page){
            .low = low, .high = low + PAGE_BYTES,
            .limit = low + PAGE_BYTES - used * WORD_BYTES};
    }
}

bool interp_create(Vm *vm, Word start, Word end, OsvmError *error)
{
    const OsvmHost *host = vm->setup->host;
    vm->interp = host->alloc(host, sizeof(Interp));
    Interp *interp = vm->interp;
    if (interp) {
        uintptr_t room = (uintptr_t)interp->lookup_room;
        interp->lookup = (LookupEntry *)((room + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
        interp->page_count = pages_in(end - start);
        interp->pages = host->alloc(host, interp->page_count * sizeof(Page));
        interp->wakeup_utc = INT64_MAX;
    }
    if (!interp || !interp->pages)
        return host->fail(error, OSVM_INTERNAL, "no memory for the interpreter");
    lay_out_pages(vm, start);
    vm->counters.stack_pages = interp->page_count;
    vm->counters.stack_page_bytes = PAGE_BYTES;
    return true;
}

void interp_destroy(Vm *vm)
{
    const OsvmHost *host = vm->setup->host;
    Interp *interp = vm->interp;
    if (!interp)
        return;
    host->free(host, interp->pages, interp->page_count * sizeof(Page));
    host->free(host, interp->scratch, interp->scratch_size);
    host->free(host, interp, sizeof *interp);
    vm->interp = NULL;
}

/* Objects are about to move or die. Of a scavenge only young ones: what refers to old
 * objects alone stays. */
void interp_flush_caches(Vm *vm, bool young_only)
{
    Interp *interp = interp_of(vm);
    jit_objects_will_move(vm, young_only);
    if (!young_only) {
        lookup_forget(vm);
        memset(interp->codes, 0, sizeof interp->codes);
        memset(interp->blocks, 0, sizeof interp->blocks);
        return;
    }
    if (!interp->young_cached)
        return;
    interp->young_cached = false;
    Word old = vm->heap.old_start;
    for (unsigned i = 0; i < LOOKUP_ENTRIES; i++)
        if (interp->lookup[i].selector < old || interp->lookup[i].method < old)
            interp->lookup[i].selector = NO_OOP;
    for (unsigned i = 0; i < CODE_ENTRIES; i++)
        if (interp->codes[i].code < old)
            interp->codes[i].code = NO_OOP;
    for (unsigned i = 0; i < BLOCK_ENTRIES; i++)
        if (interp->blocks[i].code < old)
            interp->blocks[i].code = NO_OOP;
}

bool interp_is_own_thread(Vm *vm)
{
    return pthread_equal(interp_of(vm)->thread, pthread_self());
}

int interp_run(Vm *vm)
{
    Oop process = process_active(vm);
    Oop context = is_object(process) && object_slot_count(process) > PROCESS_CONTEXT
                      ? object_slot(process, PROCESS_CONTEXT) : vm->heap.nil;
    if (!stack_resume(vm, context)) {
        report_fatal(vm, "the image's active process has nothing to run");
        return vm->exit_code;
    }
    interp_of(vm)->thread = pthread_self();
    poll_start(vm);
    interpret(vm);
    poll_stop(vm);
    return vm->exit_code;
}

void vm_request_exit(Vm *vm, int code)
{
    if (!vm->quitting)
        vm->exit_code = code;
    vm->quitting = true;
}
