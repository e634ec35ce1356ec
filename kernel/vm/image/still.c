/* A heap that only stands still: an image in memory, without a memory manager,
 * a collector or an interpreter. The inspecting commands load into it, so they
 * depend on no plugin and see the file as the reader left it.
 */
#include "kernel/vm/image/still.h"

#include <sys/mman.h>

#include "kernel/vm/region.h"

typedef struct {
    Mm mm; /* first */
    uint64_t most; /* bytes of objects; 0: no limit */
    void *memory;
    size_t bytes;
    const Oop *mourners; /* NULL: what the image has */
    Word mourner_count;
} StillMm;

enum { LOWEST_HINT = 0x10000000, HINT_STEP = 0x8000000, PAGE = 4096 };

/* Memory whose addresses fit a Word. */
static void *map_memory(size_t bytes)
{
    int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (WORD_BITS == 64)
        return mmap(NULL, bytes, protection, flags, -1, 0);
    uint64_t limit = (uint64_t)1 << 32;
    for (uint64_t hint = LOWEST_HINT; hint + bytes < limit; hint += HINT_STEP) {
        void *memory = mmap((void *)(uintptr_t)hint, bytes, protection,
                            flags | MAP_FIXED_NOREPLACE, -1, 0);
        if (memory == (void *)(uintptr_t)hint)
            return memory;
        if (memory != MAP_FAILED)
            munmap(memory, bytes);
    }
    return MAP_FAILED;
}

static bool still_prepare_load(Mm *mm, Word bytes)
{
    StillMm *still = (StillMm *)mm;
    if (still->most && bytes > still->most)
        return false;
    still->bytes = ((size_t)bytes + 2 * PAGE) / PAGE * PAGE;
    still->memory = map_memory(still->bytes);
    if (still->memory == MAP_FAILED) {
        still->memory = NULL;
        return false;
    }
    Heap *heap = mm->heap;
    heap->old_start = heap->new_start = heap->new_end = pointer_word(still->memory);
    heap->old_end = heap->old_limit = heap->old_start + bytes;
    return true;
}

static void still_adopt(Mm *mm, Word end)
{
    Heap *heap = mm->heap;
    Oop free_lists = object_at_start(heap->old_start + 3 * SMALLEST_OBJECT);
    heap->nil = heap->old_start;
    heap->false_object = heap->nil + SMALLEST_OBJECT;
    heap->true_object = heap->nil + 2 * SMALLEST_OBJECT;
    heap->hidden_roots = object_at_start(object_end(free_lists));
    heap->old_end = end;
    heap->class_table_pages = 0;
    while (heap->class_table_pages < CLASS_PAGES_MAX &&
           object_slot(heap->hidden_roots, heap->class_table_pages) != heap->nil)
        heap->class_table_pages++;
}

static Oop still_next_object(Mm *mm, Oop object)
{
    Word end = mm->heap->old_end;
    do
        object = heap_next_object(object, end);
    while (object < end && object_class_index(object) <= CLASS_LAST_PUN);
    return object < end ? object : NO_OOP;
}

static Oop still_first_object(Mm *mm)
{
    return mm->heap->nil;
}

/* The i-th of the queue in the image itself. */
static Oop still_mourner_at(Mm *mm, Word index)
{
    const StillMm *still = (const StillMm *)mm;
    if (still->mourners)
        return index < still->mourner_count ? still->mourners[index] : NO_OOP;
    Oop page = object_slot(mm->heap->hidden_roots, HIDDEN_MOURNERS);
    if (page == mm->heap->nil)
        return NO_OOP;
    for (; page; page = object_slot(page, OBJ_STACK_NEXT)) {
        Word top = object_slot(page, OBJ_STACK_TOP);
        if (index < top)
            return object_slot(page, OBJ_STACK_FIRST + index);
        index -= top;
    }
    return NO_OOP;
}

static const MmOps still_ops = {
    .size = sizeof(MmOps),
    .prepare_load = still_prepare_load,
    .adopt = still_adopt,
    .first_object = still_first_object,
    .next_object = still_next_object,
    .mourner_at = still_mourner_at,
};

static SWord no_machine_code(Heap *heap, Word address)
{
    return 0; /* the reader lets no such header through */
}

static const HeapHost still_host = {
    .size = sizeof(HeapHost),
    .machine_code_method_header = no_machine_code,
};

Vm *image_still_new(const CoreSetup *setup)
{
    const OsvmHost *host = setup->host;
    Vm *vm = host->alloc(host, sizeof *vm);
    StillMm *still = host->alloc(host, sizeof *still);
    if (!vm || !still) {
        host->free(host, vm, vm ? sizeof *vm : 0);
        host->free(host, still, still ? sizeof *still : 0);
        return NULL;
    }
    still->mm.ops = &still_ops;
    still->mm.heap = &vm->heap;
    still->most = region_max_heap(setup);
    vm->heap.mm = &still->mm;
    vm->heap.host = &still_host;
    vm->setup = setup;
    return vm;
}

void image_still_mourners(Vm *vm, const Oop *mourners, Word count)
{
    StillMm *still = (StillMm *)vm->heap.mm;
    still->mourners = mourners;
    still->mourner_count = count;
}

void image_still_free(Vm *vm)
{
    if (!vm)
        return;
    const OsvmHost *host = vm->setup->host;
    StillMm *still = (StillMm *)vm->heap.mm;
    if (still->memory)
        munmap(still->memory, still->bytes);
    host->free(host, still, sizeof *still);
    host->free(host, vm, sizeof *vm);
}
