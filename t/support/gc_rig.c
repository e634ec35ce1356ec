#include "gc_rig.h"

/* ---- Opening and closing ---- */

/* Makes the plugin's instance the heap's collector, in front of what was it. */
static bool make_instance(Rig *rig, PluginUser *user, const char *file)
{
    PluginChoice choice = {.file = file, .kind = OSVM_GC, .vtable_abi = OSVM_GC_ABI,
                           .heap_bits = WORD_BITS, .options = rig->setup.options};
    if (!plugin_open(user, &choice, rig->error, sizeof rig->error))
        return false;
    Gc *gc = user->state;
    gc->ops = user->plugin->vtable;
    gc->heap = rig->heap;
    gc->inner = rig->gc;
    rig->gc = rig->heap->gc = gc;
    return true;
}

static bool make_collectors(Rig *rig)
{
    return make_instance(rig, &rig->collector, rig->setup.file) &&
           (!rig->setup.shim || make_instance(rig, &rig->shim, rig->setup.shim));
}

static size_t pages(size_t bytes, size_t fallback, size_t page)
{
    return ((bytes ? bytes : fallback) + page - 1) / page * page;
}

static void make_heap(Rig *rig)
{
    RigSetup *setup = &rig->setup;
    enum { PAGE = 4096 };
    size_t young = pages(setup->young_bytes, 1 << 20, PAGE);
    size_t old = pages(setup->old_bytes, 4 << 20, PAGE);
    size_t limit = pages(setup->limit_bytes, 4 * old, PAGE);
    rig->host = mock_host_new(young + limit + 2 * PAGE);
    Heap *heap = rig->heap = &rig->host->heap;
    heap->new_start = heap->eden_free = mock_host_new_start(rig->host);
    heap->old_start = heap->new_end = heap->eden_limit = heap->new_start + (Word)young;
    heap->old_end = heap->old_start + (Word)old;
    heap->old_limit = heap->old_start + (Word)limit;
    REQUIRE(heap->host->commit(heap, heap->new_start, heap->old_end), "cannot commit the heap");
    mock_mm_open(&rig->mm, heap);
}

bool rig_open(Rig *rig, const RigSetup *setup)
{
    *rig = (Rig){.setup = *setup, .random = 0x9E3779B97F4A7C15u};
    make_heap(rig);
    if (!make_collectors(rig))
        return false;
    if (!rig->gc->ops->start(rig->gc, rig->error, sizeof rig->error))
        return false;
    rig->gc->ops->adopt(rig->gc, mock_image_write(rig->host));
    /* Classes without instances stay, so that tests may make some later. */
    for (Word index = CLASS_PAGE_SIZE; index < MOCK_CLASS_END; index++)
        mock_root_push(rig->host, heap_class_at(rig->heap, index));
    return true;
}

void rig_close(Rig *rig)
{
    if (rig->gc)
        rig->gc->ops->stop(rig->gc);
    mock_mm_close(&rig->mm);
    plugin_close(&rig->shim);
    plugin_close(&rig->collector);
    mock_host_free(rig->host);
}

/* ---- Working with it ---- */

static Oop initialised(Rig *rig, Oop object, Word slots, unsigned format)
{
    if (!object)
        return NO_OOP;
    if (format_is_pointers(format))
        object_fill(object, 0, slots, rig->heap->nil);
    else
        memset(object_slots(object), 0, body_bytes_for_slots(slots));
    if (format_is_code(format))
        object_slots(object)[0] = small_integer_oop(0);
    return object;
}

Oop rig_old(Rig *rig, Word slots, unsigned format, Word class_index)
{
    Word start = rig->gc->ops->allocate(rig->gc, object_size_for_slots(slots));
    if (!start)
        return NO_OOP;
    return initialised(rig, object_write_header(start, slots, format, class_index), slots, format);
}

Oop rig_young(Rig *rig, Word slots, unsigned format, Word class_index)
{
    Heap *heap = rig->heap;
    Word size = object_size_for_slots(slots), start = heap->eden_free;
    if (heap->eden_limit - start < size)
        return NO_OOP;
    heap->eden_free += size;
    return initialised(rig, object_write_header(start, slots, format, class_index), slots, format);
}

bool rig_extend(Rig *rig, Word bytes)
{
    Heap *heap = rig->heap;
    Word from = heap->old_end;
    bytes = (bytes + heap->page_size - 1) & ~(heap->page_size - 1);
    if (heap->old_limit - from < bytes || !heap->host->commit(heap, from, from + bytes))
        return false;
    heap->old_end = from + bytes;
    rig->gc->ops->extended(rig->gc, from);
    return true;
}

void rig_collect(Rig *rig)
{
    rig->gc->ops->collect(rig->gc, &rig->result);
}

uint64_t rig_random(Rig *rig)
{
    return mock_random(&rig->random);
}
