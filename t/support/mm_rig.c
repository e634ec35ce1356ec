#include "mm_rig.h"

extern const OsvmPlugin osvm_plugin_mm_spur, osvm_plugin_gc_compact;
/* Stands before mm-spur in tests that link it. */
extern const OsvmPlugin osvm_plugin_mm_shim __attribute__((weak));

static _Noreturn void rig_fail(const char *what)
{
    printf("Bail out! memory rig: %s\n", what);
    exit(255);
}

static void *plugin_state(const OsvmPlugin *plugin)
{
    size_t size = (plugin->state_size + 63) & ~(size_t)63;
    void *state = aligned_alloc(64, size);
    if (!state)
        rig_fail("no memory");
    memset(state, 0, size);
    OsvmError error;
    if (plugin->init && !plugin->init(state, NULL, &error))
        rig_fail(error.message);
    return state;
}

static void add_shim(MmRig *rig)
{
    Mm *shim = plugin_state(&osvm_plugin_mm_shim);
    shim->ops = osvm_plugin_mm_shim.vtable;
    shim->heap = rig->heap;
    shim->inner = rig->mm;
    rig->heap->mm = rig->mm = shim;
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

void mm_rig_open(MmRig *rig, size_t region, const MmConfig *config)
{
    *rig = (MmRig){.host = mock_host_new(region), .random = 1, .verbose = true};
    Heap *heap = rig->heap = &rig->host->heap;
    heap->gc = rig->gc = plugin_state(&osvm_plugin_gc_compact);
    heap->mm = rig->mm = plugin_state(&osvm_plugin_mm_spur);
    rig->gc->ops = osvm_plugin_gc_compact.vtable;
    rig->mm->ops = osvm_plugin_mm_spur.vtable;
    rig->gc->heap = rig->mm->heap = heap;
    if (&osvm_plugin_mm_shim)
        add_shim(rig);
    MmConfig full = config ? *config : (MmConfig){0};
    full.size = sizeof full;
    full.new_start = mock_host_new_start(rig->host);
    full.region_end = rig->host->limit;
    if (!rig->mm->ops->start(rig->mm, &full, rig->error, sizeof rig->error))
        rig_fail(rig->error);
    if (!rig->mm->ops->prepare_load(rig->mm, MOCK_IMAGE_BYTES))
        rig_fail("no room for the image");
    rig->mm->ops->adopt(rig->mm, mock_image_write(rig->host));
    keep_classes(rig);
}

void mm_rig_close(MmRig *rig)
{
    rig->mm->ops->stop(rig->mm);
    free(rig->mm->inner);
    free(rig->mm);
    free(rig->gc);
    mock_host_free(rig->host);
}

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

/* xorshift64* */
uint64_t mm_rig_random(MmRig *rig)
{
    rig->random ^= rig->random >> 12;
    rig->random ^= rig->random << 25;
    rig->random ^= rig->random >> 27;
    return rig->random * 0x2545F4914F6CDD1D;
}
