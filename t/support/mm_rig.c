#include "mm_rig.h"

/* There in tests that link them. */
extern const OsvmPlugin osvm_plugin_mm_spur __attribute__((weak)),
    osvm_plugin_gc_compact __attribute__((weak)), osvm_plugin_mm_shim __attribute__((weak));

static _Noreturn void rig_fail(const char *what)
{
    printf("Bail out! memory rig: %s\n", what);
    exit(255);
}

/* ---- Making and starting ---- */

static bool fails(MmRig *rig, const char *reason)
{
    snprintf(rig->error, sizeof rig->error, "%s", reason);
    return false;
}

static bool open_user(MmRig *rig, PluginUser *user, PluginChoice choice, OsvmKind kind, uint32_t abi)
{
    choice.kind = kind;
    choice.vtable_abi = abi;
    choice.heap_bits = WORD_BITS;
    return plugin_open(user, &choice, rig->error, sizeof rig->error);
}

/* Puts the plugin's manager before the one there is. */
static bool add_manager(MmRig *rig, PluginUser *user, const PluginChoice *choice)
{
    if (!choice->file && !choice->linked)
        return true;
    if (!open_user(rig, user, *choice, OSVM_MM, OSVM_MM_ABI))
        return false;
    Mm *mm = user->state;
    mm->ops = user->plugin->vtable;
    mm->heap = rig->heap;
    mm->inner = rig->mm;
    rig->heap->mm = rig->mm = mm;
    return true;
}

static bool add_collector(MmRig *rig, const PluginChoice *choice)
{
    if (!open_user(rig, &rig->gc_user, *choice, OSVM_GC, OSVM_GC_ABI))
        return false;
    rig->heap->gc = rig->gc = rig->gc_user.state;
    rig->gc->ops = rig->gc_user.plugin->vtable;
    rig->gc->heap = rig->heap;
    return true;
}

bool mm_rig_make(MmRig *rig, const MmRigSetup *setup)
{
    *rig = (MmRig){.host = mock_host_new(setup->region), .random = 1, .verbose = true};
    rig->heap = &rig->host->heap;
    rig->config = setup->config;
    rig->config.size = sizeof rig->config;
    rig->config.new_start = mock_host_new_start(rig->host);
    rig->config.region_end = rig->host->limit;
    return add_collector(rig, &setup->gc) && add_manager(rig, &rig->mm_user, &setup->mm) &&
           add_manager(rig, &rig->mm_shim_user, &setup->mm_shim);
}

bool mm_rig_start(MmRig *rig)
{
    return rig->mm->ops->start(rig->mm, &rig->config, rig->error, sizeof rig->error);
}

/* Tests name classes by index: an Array in an unused special object keeps them. */
static void keep_classes(MmRig *rig)
{
    enum { UNUSED_SPECIAL = 8 };
    Heap *heap = rig->heap;
    Word count = MOCK_CLASS_END - MOCK_METACLASS;
    Oop classes = rig->mm->ops->allocate_old(rig->mm, count, FORMAT_INDEXABLE, CLASS_ARRAY);
    for (Word i = 0; i < count; i++)
        object_slots(classes)[i] = heap_class_at(heap, MOCK_METACLASS + i);
    heap_store(heap, heap->special_objects, UNUSED_SPECIAL, classes);
}

bool mm_rig_load(MmRig *rig)
{
    if (!rig->mm->ops->prepare_load(rig->mm, MOCK_IMAGE_BYTES))
        return fails(rig, "no room for the image");
    rig->mm->ops->adopt(rig->mm, mock_image_write(rig->host));
    keep_classes(rig);
    return true;
}

void mm_rig_open(MmRig *rig, size_t region, const MmConfig *config)
{
    MmRigSetup setup = {.mm.linked = &osvm_plugin_mm_spur, .gc.linked = &osvm_plugin_gc_compact,
                        .mm_shim.linked = &osvm_plugin_mm_shim, .region = region};
    if (config)
        setup.config = *config;
    if (!mm_rig_make(rig, &setup) || !mm_rig_start(rig) || !mm_rig_load(rig))
        rig_fail(rig->error);
}

size_t mm_rig_free(MmRig *rig)
{
    size_t kept = rig->host->side_table_bytes + plugin_close(&rig->mm_shim_user) +
                  plugin_close(&rig->mm_user) + plugin_close(&rig->gc_user);
    mock_host_free(rig->host);
    return kept;
}

size_t mm_rig_close(MmRig *rig)
{
    rig->mm->ops->stop(rig->mm);
    return mm_rig_free(rig);
}

/* ---- Working with it ---- */

static void rig_report(void *context, const char *sentence)
{
    MmRig *rig = context;
    if (sentence[0] != ' ') /* a line of a path */
        snprintf(rig->finding, sizeof rig->finding, "%s", sentence);
    if (rig->verbose)
        printf("# leak check: %s\n", sentence);
}

size_t mm_rig_check(MmRig *rig)
{
    LeakCheck check = {.subsets = LEAK_ALL, .report = rig_report, .context = rig};
    return rig->mm->ops->leak_check(rig->mm, &check);
}

uint64_t mm_rig_random(MmRig *rig)
{
    return mock_random(&rig->random);
}
