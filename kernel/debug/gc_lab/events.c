/* Performing a script: the heap is made, every event done to it and to the shadow, and
 * at the end everything is collected once more. */
#include "kernel/debug/gc_lab/lab.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/vm/image/image.h"
#include "kernel/vm/image/still.h"
#include "kernel/vm/memory/managers.h"
#include "kernel/vm/region.h"

_Noreturn void lab_found(Lab *lab, FoundBy by, const char *format, ...)
{
    GcFlight *flight = lab->flight;
    flight->found = by;
    if (format) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(flight->text, sizeof flight->text, format, arguments);
        va_end(arguments);
    }
    _exit(OSVM_PROGRAM_ERROR);
}

/* ---- A host that can refuse memory ---- */

static Lab *lab_of(Heap *heap)
{
    const HeapHost *host = heap->host;
    return (Lab *)((char *)host - offsetof(Lab, host));
}

static bool commit(Heap *heap, Word start, Word end)
{
    Lab *lab = lab_of(heap);
    if (end - start > lab->commit_left || !lab->vm_host->commit(heap, start, end))
        return false;
    if (lab->commit_left != UINT64_MAX)
        lab->commit_left -= end - start;
    return true;
}

/* ---- Snapshots ---- */

static bool save(Lab *lab, const char *path, Oop registers)
{
    Heap *heap = lab->heap;
    Oop kept = heap_special(heap, LAB_KEEP);
    char error[512] = "";
    object_fill(registers, 0, LAB_REGISTERS, heap->nil);
    heap_store(heap, heap->special_objects, LAB_KEEP, registers);
    for (unsigned i = 0; i < LAB_REGISTERS; i++)
        heap_store(heap, registers, i, follow(lab->roots[i]));
    bool saved = image_write(lab->vm, path, error, sizeof error);
    object_fill(registers, 0, LAB_REGISTERS, heap->nil); /* it keeps nothing alive */
    heap_store(heap, heap->special_objects, LAB_KEEP, kept);
    if (!saved && strstr(error, "damaged"))
        lab_found(lab, FOUND_BY_MODEL, "snapshot: %s", error);
    return saved;
}

void lab_snapshot(Lab *lab)
{
    char path[4096], error[512] = "";
    Heap *heap = lab->heap;
    Oop registers = heap_allocate(heap, LAB_REGISTERS, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (!registers)
        return;
    snprintf(path, sizeof path, "%s/osvm-lab-%d.image", lab->order->folder, (int)getpid());
    if (!save(lab, path, registers))
        return;
    Vm *copy = image_still_new(lab->vm->setup);
    REQUIRE(copy, "the host has no memory for a copy of the heap");
    bool read = image_read(copy, path, error, sizeof error);
    unlink(path);
    if (!read)
        lab_found(lab, FOUND_BY_MODEL, "the image that was saved cannot be read: %s", error);
    lab_compare_copy(lab, copy, heap_special(&copy->heap, LAB_KEEP));
    image_still_free(copy);
    lab->flight->snapshots++;
}

/* ---- The run ---- */

static void open_lab(Lab *lab, Vm *vm, const CoreGcEvents *order)
{
    *lab = (Lab){.vm = vm, .heap = &vm->heap, .flight = order->flight, .order = order,
                 .weak_mourners = order->script->settings.weak_mourners,
                 .vm_host = vm->heap.host, .host = *vm->heap.host, .commit_left = UINT64_MAX};
    snprintf(lab->own_collector, sizeof lab->own_collector, "%s", managers_collector_name(vm));
    lab->host.commit = commit;
    vm->heap.host = &lab->host;
    for (unsigned i = 0; i < LAB_REGISTERS; i++) {
        lab->roots[i] = lab->heap->nil;
        vm_root_push(vm, &lab->roots[i]);
    }
    lab_collect(lab);
}

static void close_lab(Lab *lab)
{
    for (size_t i = 0; i < lab->count; i++)
        free(lab->nodes[i].body.values);
    free(lab->nodes);
    free(lab->unused);
    free(lab->stack);
    free(lab->queue);
    vm_root_pop(lab->vm, LAB_REGISTERS);
    lab->heap->host = lab->vm_host;
}

int core_gc_events(const CoreSetup *setup, const CoreGcEvents *order, OsvmError *error)
{
    CoreSetup own;
    Lab lab;
    const GcScript *script = order->script;
    Vm *vm = lab_vm_new(setup, &script->settings, &own, error);
    if (!vm)
        return (int)error->status;
    open_lab(&lab, vm, order);
    for (size_t i = 0; i < script->count; i++) {
        order->flight->event = i;
        lab_perform(&lab, &script->events[i]);
    }
    order->flight->event = script->count;
    lab_collect(&lab);
    close_lab(&lab);
    vm_destroy(vm);
    order->flight->done = 1;
    return OSVM_OK;
}
