/* Making and taking down a VM; what the core is to memory manager and collector. */
#include <stdarg.h>

#include "kernel/vm/gc_log.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/memory/guard.h"
#include "kernel/vm/memory/managers.h"
#include "kernel/vm/primitives/named.h"
#include "kernel/vm/primitives/primitives.h"
#include "kernel/vm/region.h"
#include "kernel/vm/roots.h"

/* ---- HeapHost ---- */

static void visit_roots(Heap *heap, SlotVisitor visit, void *context)
{
    Vm *vm = vm_of(heap);
    if (heap->special_objects)
        visit(context, &heap->special_objects);
    interp_visit_roots(vm, visit, context);
    roots_visit(vm, visit, context);
}

static void flush_caches(Heap *heap)
{
    interp_flush_caches(vm_of(heap), false);
}

static void flush_young_caches(Heap *heap)
{
    interp_flush_caches(vm_of(heap), true);
}

static void follow_slots_of(Heap *heap, Oop object)
{
    if (is_immediate(object) || !format_is_pointers(object_format(object)))
        return;
    Word count = object_slot_count(object);
    for (Word i = 0; i < count; i++) {
        Oop value = object_slot(object, i);
        if (is_forwarded(value))
            heap_store(heap, object, i, follow(value));
    }
}

/* The structures the VM reads without looking for forwarders. */
static void follow_known_objects(Heap *heap)
{
    follow_slots_of(heap, heap->special_objects);
    Oop association = heap_special(heap, SPECIAL_SCHEDULER_ASSOCIATION);
    follow_slots_of(heap, association);
    Oop scheduler = object_slot(association, ASSOCIATION_VALUE);
    follow_slots_of(heap, scheduler);
    Oop lists = object_slot(scheduler, SCHEDULER_LISTS);
    follow_slots_of(heap, lists);
    follow_slots_of(heap, heap_special(heap, SPECIAL_SELECTORS));
    follow_slots_of(heap, heap_special(heap, SPECIAL_EXTERNAL_OBJECTS));
}

static void follow_one(void *context, Oop *slot)
{
    (void)context;
    *slot = follow(*slot);
}

static void follow_forwarders(Heap *heap)
{
    Vm *vm = vm_of(heap);
    heap->special_objects = follow(heap->special_objects);
    follow_known_objects(heap);
    interp_follow_forwarders(vm);
    roots_visit(vm, follow_one, NULL);
}

/* Both a context's frame and a frame's context refer to each other by address. */
static void before_become(Heap *heap, Oop object)
{
    Vm *vm = vm_of(heap);
    if (is_context(object) && context_married(object))
        context_make_single(vm, object);
    else if (is_code(object))
        jit_forget(vm, object);
}

static void request_poll(Heap *heap)
{
    vm_request_poll(vm_of(heap));
}

static void finalization_pending(Heap *heap, Word count)
{
    Vm *vm = vm_of(heap);
    vm->interp->finalizations += count;
    vm_request_poll(vm);
}

static void heap_log(Heap *heap, const char *format, ...)
{
    char line[512];
    va_list arguments;
    const OsvmHost *host = vm_of(heap)->setup->host;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    host->log(host, OSVM_INFO, "%s", line);
}

static uint64_t heap_now(Heap *heap)
{
    const OsvmWorld *world = vm_of(heap)->setup->host->world;
    return heap->deterministic ? 0 : (uint64_t)world->mono_us(world);
}

static void collected(Heap *heap, const HeapPause *pause)
{
    Vm *vm = vm_of(heap);
    if (pause->full)
        jit_collected(vm);
    if (vm->setup->gc_log)
        gc_log_write(vm->setup->gc_log, heap, pause, vm->heap_clock_origin);
}

static SWord machine_code_method_header(Heap *heap, Word address)
{
    Vm *vm = vm_of(heap);
    REQUIRE(jit_is_pc(vm, address), "slot 0 of code holds %" PRIxWORD ", which is no machine code", address);
    return jit_method_header(address);
}

static void *side_table_reserve(Heap *heap, size_t bytes)
{
    (void)heap;
    return side_memory_reserve(bytes);
}

static void side_table_release(Heap *heap, void *table, size_t bytes)
{
    (void)heap;
    side_memory_release(table, bytes);
}

static bool commit(Heap *heap, Word start, Word end)
{
    if (!region_commit(vm_of(heap)->region, start, end))
        return false;
    jit_memory_mapped(vm_of(heap), start, end);
    return true;
}

static void decommit(Heap *heap, Word start, Word end)
{
    jit_memory_unmapped(vm_of(heap), start, end);
    region_decommit(vm_of(heap)->region, start, end);
}

static void discard(Heap *heap, Word start, Word end)
{
    region_discard(vm_of(heap)->region, start, end);
}

static size_t check_stacks(Heap *heap, void (*report)(void *context, const char *sentence),
                           void *context)
{
    return interp_check_stacks(vm_of(heap), report, context);
}

static const HeapHost heap_host = {
    .size = sizeof(HeapHost),
    .visit_roots = visit_roots,
    .flush_caches = flush_caches,
    .follow_forwarders = follow_forwarders,
    .before_become = before_become,
    .request_poll = request_poll,
    .finalization_pending = finalization_pending,
    .log = heap_log,
    .now = heap_now,
    .machine_code_method_header = machine_code_method_header,
    .side_table_reserve = side_table_reserve,
    .side_table_release = side_table_release,
    .commit = commit,
    .decommit = decommit,
    .flush_young_caches = flush_young_caches,
    .collected = collected,
    .discard = discard,
    .check_stacks = check_stacks,
};

/* ---- Memory ---- */

enum { IMAGE_NEW_FINALIZATION_FLAG = 0x40, IMAGE_NO_MIXED_FLAG = 0x100 };

static bool start_memory(Vm *vm, Word new_start, OsvmError *error)
{
    const CoreSetup *setup = vm->setup;
    char sentence[512] = "";
    uint64_t eden = setup->eden_bytes ? setup->eden_bytes : vm->image.eden_bytes;
    MmConfig config = {
        .size = sizeof config,
        .new_start = new_start,
        .region_end = vm->region->end,
        .eden_bytes = (Word)eden,
        .max_heap = (Word)region_max_heap(setup),
        .new_finalization = (vm->image.flags & IMAGE_NEW_FINALIZATION_FLAG) != 0,
    };
    Mm *mm = vm->heap.mm;
    if (mm->ops->start(mm, &config, sentence, sizeof sentence)) {
        memory_start(vm);
        return true;
    }
    vm->heap.mm = NULL;
    return setup->host->fail(error, OSVM_INTERNAL, "%s", sentence);
}

/* ---- The VM ---- */

static Word round_up(Word bytes, Word unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static unsigned wanted_pages(const Vm *vm)
{
    unsigned pages = vm->setup->stack_pages ? vm->setup->stack_pages : vm->image.stack_pages;
    if (!pages)
        pages = PAGES_DEFAULT;
    return pages < PAGES_MIN ? PAGES_MIN : pages > PAGES_MAX ? PAGES_MAX : pages;
}

static uint32_t new_session(const OsvmWorld *world, bool deterministic)
{
    uint32_t id = 0;
    while (!deterministic && (id &= 0x7FFFFFFF) == 0)
        if (world->random(world, &id, sizeof id) < 0)
            break;
    return id ? id : 1;
}

static bool set_up(Vm *vm, OsvmError *error)
{
    const OsvmHost *host = vm->setup->host;
    Region *region = vm->region;
    Word code_zone = region->start + round_up(sizeof(Vm), (Word)region->page_size);
    Word zone = code_zone + jit_zone_size(vm);
    Word zone_end = zone + round_up((Word)wanted_pages(vm) * PAGE_BYTES, (Word)region->page_size);
    vm->heap.host = &heap_host;
    vm->heap.page_size = (Word)region->page_size;
    vm->heap.deterministic = vm->setup->deterministic;
    vm->mixed_arithmetic = true;
    vm->session_id = new_session(host->world, vm->setup->deterministic);
    vm->roots = host->alloc(host, sizeof *vm->roots);
    if (!vm->roots || !region_commit(region, zone, zone_end))
        return host->fail(error, OSVM_INTERNAL, "no memory for the stack zone");
    if (vm->setup->torture && !torture_parse(host, vm->setup->torture, &vm->torture, error))
        return false;
    if (!interp_create(vm, zone, zone_end, error))
        return false;
    vm->stack_limit = zone;
    vm->started_at = clock_utc(vm);
    vm->heap_clock_origin = heap_now(&vm->heap);
    if (!jit_start(vm, code_zone, zone, error))
        return false;
    if (!managers_load(vm, error) || !start_memory(vm, zone_end, error))
        return false;
    if (!named_start(vm))
        return host->fail(error, OSVM_INTERNAL, "no memory for named primitives");
    return true;
}

Vm *vm_create(const CoreSetup *setup, const ImageFacts *facts, OsvmError *error)
{
    const OsvmHost *host = setup->host;
    Region *region = host->alloc(host, sizeof *region);
    if (!region || !region_reserve(region, setup, error)) {
        if (!region)
            host->fail(error, OSVM_INTERNAL, "no memory for a VM");
        host->free(host, region, sizeof *region);
        return NULL;
    }
    if (!region_commit(region, region->start,
                       region->start + round_up(sizeof(Vm), (Word)region->page_size))) {
        host->fail(error, OSVM_INTERNAL, "no memory for a VM");
        region_release(region);
        host->free(host, region, sizeof *region);
        return NULL;
    }
    Vm *vm = word_pointer(region->start);
    vm->region = region;
    vm->setup = setup;
    if (facts)
        vm->image = *facts;
    if (!set_up(vm, error)) {
        vm_destroy(vm);
        return NULL;
    }
    return vm;
}

void vm_destroy(Vm *vm)
{
    const OsvmHost *host = vm->setup->host;
    Region *region = vm->region;
    if (vm->named)
        named_stop(vm);
    if (vm->heap.mm)
        vm->heap.mm->ops->stop(vm->heap.mm);
    jit_stop(vm);
    guard_release(vm);
    interp_destroy(vm);
    if (vm->roots) {
        roots_release(vm);
        host->free(host, vm->roots, sizeof *vm->roots);
    }
    free(vm->clipboard);
    free(vm->image_path);
    region_release(region);
    host->free(host, region, sizeof *region);
}
