#include "gc_rig.h"

#include <dlfcn.h>

/* ---- The host of the plugin ---- */

static const char *option_value(const OsvmHost *host, const char *name)
{
    const Rig *rig = host->kernel;
    for (const RigOption *option = rig->setup.options; option && option->name; option++)
        if (strcmp(option->name, name) == 0)
            return option->value;
    for (const OsvmOption *option = rig->plugin->options; option && option->name; option++)
        if (strcmp(option->name, name) == 0)
            return option->value;
    REQUIRE(false, "the plugin asks for option '%s', which it does not have", name);
}

static bool host_option_flag(const OsvmHost *host, const char *name)
{
    return strcmp(option_value(host, name), "yes") == 0;
}

static int64_t host_option_number(const OsvmHost *host, const char *name)
{
    return strtoll(option_value(host, name), NULL, 0);
}

static void *host_alloc(const OsvmHost *host, size_t size)
{
    (void)host;
    return calloc(1, size);
}

static void *host_resize(const OsvmHost *host, void *block, size_t old_size, size_t new_size)
{
    (void)host, (void)old_size;
    return realloc(block, new_size);
}

static void host_free(const OsvmHost *host, void *block, size_t size)
{
    (void)host, (void)size;
    free(block);
}

__attribute__((format(printf, 3, 4)))
static void host_log(const OsvmHost *host, OsvmLogLevel level, const char *format, ...)
{
    (void)host, (void)level, (void)format;
}

__attribute__((format(printf, 3, 4)))
static bool host_fail(OsvmError *error, OsvmStatus status, const char *format, ...)
{
    va_list arguments;
    if (!error)
        return false;
    error->status = status;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

static OsvmHost plugin_host(Rig *rig)
{
    return (OsvmHost){
        .size = sizeof(OsvmHost), .abi_major = OSVM_ABI_MAJOR, .abi_minor = OSVM_ABI_MINOR,
        .signature = OSVM_SIGNATURE, .kernel = rig, .alloc = host_alloc, .resize = host_resize,
        .free = host_free, .log = host_log, .fail = host_fail, .option_flag = host_option_flag,
        .option_number = host_option_number, .option_text = option_value,
    };
}

/* ---- Opening and closing ---- */

static bool fail(Rig *rig, const char *what, const char *detail)
{
    snprintf(rig->error, sizeof rig->error, "%s: %s", what, detail);
    return false;
}

static const OsvmPlugin *load(Rig *rig, const char *file, void **library)
{
    *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const OsvmPlugin *plugin = *library ? dlsym(*library, "osvm_plugin") : NULL;
    if (!*library)
        fail(rig, file, dlerror());
    else if (!plugin || plugin->magic != OSVM_MAGIC || plugin->kind != OSVM_GC ||
             plugin->heap_bits != WORD_BITS || plugin->vtable_abi != OSVM_GC_ABI) {
        fail(rig, file, "is no collector for this heap");
        return NULL;
    }
    return plugin;
}

/* Makes the plugin's instance the heap's collector, in front of what was it. */
static bool make_instance(Rig *rig, const OsvmPlugin *plugin, void **state)
{
    OsvmError error;
    rig->plugin_host = plugin_host(rig);
    *state = calloc(1, plugin->state_size);
    if (!*state)
        return fail(rig, "state", "no memory");
    if (plugin->init && !plugin->init(*state, &rig->plugin_host, &error))
        return fail(rig, "init", error.message);
    Gc *gc = *state;
    gc->ops = plugin->vtable;
    gc->heap = rig->heap;
    gc->inner = rig->gc;
    rig->gc = rig->heap->gc = gc;
    return true;
}

static bool make_collectors(Rig *rig)
{
    rig->plugin = load(rig, rig->setup.file, &rig->library);
    if (!rig->plugin || !make_instance(rig, rig->plugin, &rig->state))
        return false;
    if (!rig->setup.shim)
        return true;
    const OsvmPlugin *shim = load(rig, rig->setup.shim, &rig->shim_library);
    return shim && make_instance(rig, shim, &rig->shim_state);
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
    if (rig->gc) {
        rig->gc->ops->stop(rig->gc);
        if (rig->plugin->fini)
            rig->plugin->fini(rig->state);
    }
    free(rig->state);
    free(rig->shim_state);
    mock_mm_close(&rig->mm);
    mock_host_free(rig->host);
    if (rig->shim_library)
        dlclose(rig->shim_library);
    if (rig->library)
        dlclose(rig->library);
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
    /* xorshift64* */
    rig->random ^= rig->random >> 12;
    rig->random ^= rig->random << 25;
    rig->random ^= rig->random >> 27;
    return rig->random * 2685821657736338717u;
}
