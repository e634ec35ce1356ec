#include "kernel/vm/memory/managers.h"

#include "kernel/vm/memory/guard.h"
#include "kernel/vm/objects.h"

/* ---- Loading ---- */

/* The state of a plugin and of those it wraps begins with an Mm. */
static Mm *wire_mm(Heap *heap, const OsvmInstance *instance)
{
    Mm *mm = instance->state;
    const OsvmInstance *inner = instance->host->inner;
    mm->ops = instance->vtable;
    mm->heap = heap;
    mm->inner = inner ? wire_mm(heap, inner) : NULL;
    return mm;
}

static Gc *wire_gc(Heap *heap, const OsvmInstance *instance)
{
    Gc *gc = instance->state;
    const OsvmInstance *inner = instance->host->inner;
    gc->ops = instance->vtable;
    gc->heap = heap;
    gc->inner = inner ? wire_gc(heap, inner) : NULL;
    return gc;
}

static const OsvmInstance *load_collector(const OsvmHost *host, const char *name, OsvmError *error)
{
    return host->load(host, OSVM_GC, name, OSVM_GC_ABI, sizeof(GcOps), error);
}

bool managers_load(Vm *vm, OsvmError *error)
{
    const OsvmHost *host = vm->setup->host;
    const OsvmInstance *mm = host->load(host, OSVM_MM, NULL, OSVM_MM_ABI, sizeof(MmOps), error);
    if (!mm)
        return false;
    vm->collector = load_collector(host, NULL, error);
    if (!vm->collector)
        return false;
    vm->heap.gc = wire_gc(&vm->heap, vm->collector);
    vm->heap.mm = guard_stand(vm, wire_mm(&vm->heap, mm), error);
    return vm->heap.mm != NULL;
}

/* ---- Switching ---- */

const char *managers_collector_name(const Vm *vm)
{
    return osvm_behind_shims(vm->collector)->plugin->name;
}

/* A collector starts with old space empty. What is there, the free chunks of the one
 * before among it, it then adopts like an image. */
static bool start_in_place(Heap *heap, Gc *gc, OsvmError *error, const OsvmHost *host)
{
    char sentence[512] = "";
    Word end = heap->old_end;
    heap->old_end = heap->old_start;
    bool started = gc->ops->start(gc, sentence, sizeof sentence);
    heap->old_end = end;
    return started || host->fail(error, OSVM_INTERNAL, "%s", sentence);
}

bool managers_switch_collector(Vm *vm, const char *text, OsvmError *error)
{
    Heap *heap = &vm->heap;
    const OsvmHost *host = vm->setup->host;
    const OsvmInstance *instance = load_collector(host, text, error);
    if (!instance)
        return false;
    Gc *old = heap->gc, *new = wire_gc(heap, instance);
    if (new == old)
        return true;
    old->ops->make_walkable(old);
    if (!start_in_place(heap, new, error, host)) {
        host->unload(host, instance);
        return false;
    }
    old->ops->stop(old);
    heap->gc = new;
    new->ops->adopt(new, heap->old_end);
    new->ops->make_walkable(new);
    guard_brief_collector(vm, new);
    host->unload(host, vm->collector);
    vm->collector = instance;
    return true;
}

/* ---- Primitives ---- */

/* primitiveCollector: the name of the collector, a String. */
PrimFailure prim_collector(Vm *vm, unsigned arg_count)
{
    const char *name = managers_collector_name(vm);
    Oop string = vm_string_oop(vm, name, strlen(name));
    return string ? vm_return(vm, arg_count, string) : PRIM_NO_MEMORY;
}

/* primitiveSetCollector: a String as for --gc. */
PrimFailure prim_set_collector(Vm *vm, unsigned arg_count)
{
    char text[256];
    OsvmError error;
    Oop oop = vm_stack(vm, 0);
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    if (is_immediate(oop) || !format_is_bytes(object_format(oop)) ||
        bits_byte_count(oop) >= sizeof text)
        return PRIM_BAD_ARGUMENT;
    memcpy(text, object_bytes(oop), bits_byte_count(oop));
    text[bits_byte_count(oop)] = 0;
    if (managers_switch_collector(vm, text, &error))
        return vm_return_receiver(vm, arg_count);
    vm->setup->host->log(vm->setup->host, OSVM_WARNING, "%s", error.message);
    return PRIM_NOT_FOUND;
}
