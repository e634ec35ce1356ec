/* What happens when memory runs out.
 *
 *   primitive fails with "no memory"   activate.c collects and runs it once more; what fails then
 *                                      is the image's to handle
 *   the interpreter's own objects      the loop collects at once, as at a poll, and repeats the
 *                                      bytecode
 *   objects made where nothing may     the reserve: the last pages below the limit of old space,
 *   move (contexts, messages)          which heap->old_limit leaves out while nobody needs them
 *
 * Whoever takes the reserve also makes the low space semaphore be signalled, whatever its
 * threshold, so that the image can end or ask for help while there is memory to do it. The reserve
 * is kept again as soon as so much lies above old_end. With the reserve gone and nothing to collect
 * the program ends with a report.
 */
#include "kernel/vm/interp/interp_int.h"

enum { RESERVE_BYTES = 4 << 20, RESERVE_SHARE = 16 };
/* Numbers of primitive 254. */
enum { PARAMETER_SHRINK_THRESHOLD = 24, PARAMETER_GROW_HEADROOM = 25 };

static Word room_to_grow(const Heap *heap)
{
    return heap->old_limit - heap->old_end;
}

/* A small heap gives memory back early, else the reserve would never be kept again. */
static void limit_parameter(Mm *mm, unsigned number, Word most)
{
    int64_t value;
    if (mm->ops->get_parameter(mm, number, &value) && value > (int64_t)most)
        mm->ops->set_parameter(mm, number, (int64_t)most);
}

void memory_start(Vm *vm)
{
    Heap *heap = &vm->heap;
    Word limit = heap->old_limit - heap->old_start, bytes = limit / RESERVE_SHARE;
    if (bytes > RESERVE_BYTES)
        bytes = RESERVE_BYTES;
    limit_parameter(heap->mm, PARAMETER_SHRINK_THRESHOLD, limit / 4);
    limit_parameter(heap->mm, PARAMETER_GROW_HEADROOM, limit / 8);
    interp_of(vm)->reserve = bytes / heap->page_size * heap->page_size;
    interp_of(vm)->reserve_kept = false;
    memory_keep_reserve(vm);
}

void memory_keep_reserve(Vm *vm)
{
    Interp *interp = interp_of(vm);
    if (interp->reserve_kept || room_to_grow(&vm->heap) < interp->reserve)
        return;
    vm->heap.old_limit -= interp->reserve;
    interp->reserve_kept = true;
}

void memory_release_reserve(Vm *vm)
{
    Interp *interp = interp_of(vm);
    if (interp->reserve_kept)
        vm->heap.old_limit += interp->reserve;
    interp->reserve_kept = false;
}

/* The semaphore is signalled at the next poll; the image finds the process that ran. */
static void space_is_low(Vm *vm)
{
    Heap *heap = &vm->heap;
    vm->low_space_threshold = 0;
    interp_of(vm)->low_space = true;
    if (heap_special(heap, SPECIAL_LOW_SPACE_PROCESS) == heap->nil)
        heap_store(heap, heap->special_objects, SPECIAL_LOW_SPACE_PROCESS, process_active(vm));
}

static bool use_reserve(Vm *vm)
{
    if (!interp_of(vm)->reserve_kept)
        return false;
    memory_release_reserve(vm);
    space_is_low(vm);
    vm_request_poll(vm);
    return true;
}

Oop memory_new_pointers(Vm *vm, Word slots, unsigned format, Word class_index)
{
    Oop object = heap_new_pointers(&vm->heap, slots, format, class_index);
    if (!object && use_reserve(vm))
        object = heap_new_pointers(&vm->heap, slots, format, class_index);
    return object;
}

bool memory_make_room(Vm *vm, Word bytes)
{
    Mm *mm = vm->heap.mm;
    return mm->ops->make_room(mm, bytes) || (use_reserve(vm) && mm->ops->make_room(mm, bytes));
}

/* The threshold is one-shot. What old space may still grow by counts as free; what new space may
 * hold by the next time will want room there. */
void memory_watch(Vm *vm)
{
    Heap *heap = &vm->heap;
    MmStatistics memory = {0};
    memory_keep_reserve(vm);
    if (!vm->low_space_threshold)
        return;
    heap->mm->ops->statistics(heap->mm, &memory);
    Word young = heap->new_end - heap->new_start;
    if (memory.old_free + room_to_grow(heap) < vm->low_space_threshold + young)
        space_is_low(vm);
}
