/* Primitives about the VM and the world around it: clocks, memory, attributes,
 * special objects, display and input of a VM without a screen. */
#include <stdlib.h>

#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

static PrimFailure return_integer(Vm *vm, unsigned arg_count, int64_t value)
{
    Oop oop = vm_integer_oop(vm, value);
    return oop ? vm_return(vm, arg_count, oop) : PRIM_NO_MEMORY;
}

static PrimFailure return_text(Vm *vm, unsigned arg_count, const char *text)
{
    Oop string = vm_string_oop(vm, text, strlen(text));
    return string ? vm_return(vm, arg_count, string) : PRIM_NO_MEMORY;
}

static const OsvmWorld *world_of(Vm *vm)
{
    return vm->setup->host->world;
}

/* ---- Clocks. The image's epoch is 1901-01-01 00:00. ---- */

#define MILLISECOND_MASK 0x1FFFFFFF

int64_t clock_utc(Vm *vm)
{
    return world_of(vm)->utc_us(world_of(vm)) + SQUEAK_EPOCH_US;
}

static int64_t clock_offset_seconds(Vm *vm)
{
    return world_of(vm)->utc_offset(world_of(vm), world_of(vm)->utc_us(world_of(vm)));
}

PrimFailure prim_utc_clock(Vm *vm, unsigned arg_count)
{
    return return_integer(vm, arg_count, clock_utc(vm));
}

PrimFailure prim_local_clock(Vm *vm, unsigned arg_count)
{
    return return_integer(vm, arg_count, clock_utc(vm) + clock_offset_seconds(vm) * 1000000);
}

PrimFailure prim_millisecond_clock(Vm *vm, unsigned arg_count)
{
    return return_integer(vm, arg_count, (clock_utc(vm) / 1000) & MILLISECOND_MASK);
}

PrimFailure prim_seconds_clock(Vm *vm, unsigned arg_count)
{
    return return_integer(vm, arg_count, clock_utc(vm) / 1000000 + clock_offset_seconds(vm));
}

/* Puts UTC microseconds and the offset in seconds into a two-slot object. */
static PrimFailure return_time_pair(Vm *vm, unsigned arg_count, int64_t utc)
{
    Oop target;
    if (arg_count > 1)
        return PRIM_BAD_ARG_COUNT;
    if (arg_count == 1) {
        target = vm_stack(vm, 0);
        if (is_immediate(target) || !format_is_pointers(object_format(target)) ||
            object_slot_count(target) < 2)
            return PRIM_BAD_ARGUMENT;
        if (is_read_only(target))
            return PRIM_NO_MODIFICATION;
    } else
        target = heap_new_pointers(&vm->heap, 2, FORMAT_INDEXABLE, CLASS_ARRAY);
    Oop microseconds = vm_integer_oop(vm, utc);
    if (!target || !microseconds)
        return PRIM_NO_MEMORY;
    heap_store(&vm->heap, target, 0, microseconds);
    heap_store_unchecked(target, 1, small_integer_oop((SWord)clock_offset_seconds(vm)));
    return vm_return(vm, arg_count, target);
}

PrimFailure prim_utc_and_offset(Vm *vm, unsigned arg_count)
{
    return return_time_pair(vm, arg_count, clock_utc(vm));
}

PrimFailure prim_posix_utc_and_offset(Vm *vm, unsigned arg_count)
{
    return return_time_pair(vm, arg_count, world_of(vm)->utc_us(world_of(vm)));
}

PrimFailure prim_high_resolution_clock(Vm *vm, unsigned arg_count)
{
    return return_integer(vm, arg_count, world_of(vm)->mono_us(world_of(vm)) * 1000);
}

/* ---- Memory ---- */

static MmStatistics memory_statistics(Vm *vm)
{
    MmStatistics statistics;
    memset(&statistics, 0, sizeof statistics);
    vm->heap.mm->ops->statistics(vm->heap.mm, &statistics);
    return statistics;
}

/* What old space may still grow by is free for the image. */
static int64_t growth(Vm *vm)
{
    return (int64_t)(vm->heap.old_limit - vm->heap.old_end);
}

static int64_t largest_free(Vm *vm)
{
    int64_t largest = (int64_t)memory_statistics(vm).old_largest_free;
    return largest > growth(vm) ? largest : growth(vm);
}

PrimFailure prim_bytes_left(Vm *vm, unsigned arg_count)
{
    int64_t all = (int64_t)memory_statistics(vm).old_free + growth(vm);
    if (arg_count > 1)
        return PRIM_FAILED;
    Oop which = arg_count ? vm_stack(vm, 0) : vm->heap.true_object;
    bool largest = which == vm->heap.nil;
    if (!largest && which != vm->heap.true_object && which != vm->heap.false_object)
        return PRIM_FAILED;
    return return_integer(vm, arg_count, largest ? largest_free(vm) : all);
}

PrimFailure prim_full_gc(Vm *vm, unsigned arg_count)
{
    stack_flush(vm); /* frames of processes that are garbage are no roots then */
    vm->heap.mm->ops->collect_full(vm->heap.mm);
    memory_keep_reserve(vm);
    return return_integer(vm, arg_count, largest_free(vm));
}

PrimFailure prim_scavenge(Vm *vm, unsigned arg_count)
{
    vm->heap.mm->ops->scavenge(vm->heap.mm, TENURE_BY_AGE);
    return return_integer(vm, arg_count, (int64_t)memory_statistics(vm).old_free + growth(vm));
}

PrimFailure prim_grow_memory(Vm *vm, unsigned arg_count)
{
    uint64_t bytes;
    if (!vm_uint64_value(vm, vm_stack(vm, 0), &bytes))
        return PRIM_BAD_ARGUMENT;
    Word before = vm->heap.old_end;
    if (bytes > (uint64_t)(Word)-1 || !vm->heap.mm->ops->make_room(vm->heap.mm, (Word)bytes))
        return PRIM_NO_MEMORY;
    return return_integer(vm, arg_count, (int64_t)(vm->heap.old_end - before));
}

PrimFailure prim_next_mourner(Vm *vm, unsigned arg_count)
{
    Oop mourner = vm->heap.mm->ops->next_mourner(vm->heap.mm);
    return mourner ? vm_return(vm, arg_count, mourner) : PRIM_NOT_FOUND;
}

/* Registers a semaphore (or nil) in a special object. */
static PrimFailure register_semaphore(Vm *vm, unsigned arg_count, unsigned special)
{
    Oop semaphore = vm_stack(vm, 0);
    if (semaphore != vm->heap.nil &&
        (is_immediate(semaphore) ||
         follow(heap_class_of(&vm->heap, semaphore)) !=
             follow(heap_special(&vm->heap, SPECIAL_CLASS_SEMAPHORE))))
        return PRIM_BAD_ARGUMENT;
    heap_store(&vm->heap, vm->heap.special_objects, special, semaphore);
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_low_space_semaphore(Vm *vm, unsigned arg_count)
{
    return register_semaphore(vm, arg_count, SPECIAL_LOW_SPACE_SEMAPHORE);
}

PrimFailure prim_signal_at_bytes_left(Vm *vm, unsigned arg_count)
{
    uint64_t bytes;
    if (!is_small_integer(vm_stack(vm, 0)) || !vm_uint64_value(vm, vm_stack(vm, 0), &bytes))
        return PRIM_BAD_ARGUMENT;
    vm->low_space_threshold = (Word)bytes;
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_interrupt_semaphore(Vm *vm, unsigned arg_count)
{
    return register_semaphore(vm, arg_count, SPECIAL_INTERRUPT_SEMAPHORE);
}

/* ---- The VM ---- */

PrimFailure prim_quit(Vm *vm, unsigned arg_count)
{
    int code = 0;
    if (arg_count == 1 && is_small_integer(vm_stack(vm, 0)))
        code = (int)small_integer_value(vm_stack(vm, 0));
    vm_request_exit(vm, code);
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_exit_to_debugger(Vm *vm, unsigned arg_count)
{
    vm->setup->host->log(vm->setup->host, OSVM_ERROR, "the image asked for the debugger of the VM (primitive 114)");
    vm_request_exit(vm, OSVM_PROGRAM_ERROR);
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_noop(Vm *vm, unsigned arg_count)
{
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_special_objects(Vm *vm, unsigned arg_count)
{
    return vm_return(vm, arg_count, vm->heap.special_objects);
}

PrimFailure prim_flush_cache(Vm *vm, unsigned arg_count)
{
    lookup_flush(vm);
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_flush_cache_by_method(Vm *vm, unsigned arg_count)
{
    Oop method = vm_stack(vm, arg_count);
    if (is_immediate(method) || !format_is_code(object_format(method)))
        return PRIM_BAD_RECEIVER;
    lookup_flush_method(vm, method);
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_flush_cache_by_selector(Vm *vm, unsigned arg_count)
{
    lookup_flush_selector(vm, vm_stack(vm, 0));
    return vm_return_receiver(vm, arg_count);
}

/* Copies a byte object into C memory with a NUL behind; NULL if it is none, holds a NUL or memory
 * is short. Free it. */
static char *c_string(Oop string)
{
    if (is_immediate(string) || !format_is_bytes(object_format(string)))
        return NULL;
    Word length = bits_byte_count(string);
    if (memchr(object_bytes(string), 0, length))
        return NULL;
    char *copy = malloc(length + 1);
    if (copy) {
        memcpy(copy, object_bytes(string), length);
        copy[length] = 0;
    }
    return copy;
}

PrimFailure prim_image_name(Vm *vm, unsigned arg_count)
{
    if (arg_count == 0)
        return return_text(vm, arg_count, vm->image_path);
    char *path = c_string(vm_stack(vm, 0));
    if (!path || !*path) {
        free(path);
        return PRIM_BAD_ARGUMENT;
    }
    free(vm->image_path);
    vm->image_path = path;
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_vm_path(Vm *vm, unsigned arg_count)
{
    const char *path = vm->setup->vm_path;
    const char *slash = strrchr(path, '/');
    Oop string = vm_string_oop(vm, path, slash ? (size_t)(slash + 1 - path) : 0);
    return string ? vm_return(vm, arg_count, string) : PRIM_NO_MEMORY;
}

static const char *nth(const char *const *list, int64_t n)
{
    if (!list)
        return NULL;
    for (int64_t i = 0; list[i]; i++)
        if (i == n)
            return list[i];
    return NULL;
}

#if defined __x86_64__
#define PROCESSOR_NAME "x86_64"
#elif defined __aarch64__
#define PROCESSOR_NAME "aarch64"
#else
#define PROCESSOR_NAME "unknown"
#endif

static const char *attribute(Vm *vm, int64_t id)
{
    /* The first option says what images ask for: there is no display. */
    if (id < 0)
        return id == -1 ? "-vm-display-null" : nth(vm->setup->vm_options, -id - 2);
    if (id >= 2 && id <= 1000)
        return vm->run ? nth(vm->run->arguments, id - 2) : NULL;
    switch (id) {
    case 0: return vm->setup->vm_path;
    case 1: return vm->image_path;
    case 1001: return "unix";
    case 1002: return "linux-gnu";
    case 1003: return PROCESSOR_NAME;
    case 1004: return "osvm " OSVM_VERSION;
    case 1005: return "none";
    case 1006: return "osvm " OSVM_VERSION " " OSVM_VARIANT;
    case 1007: return "osvm interpreter " OSVM_VERSION;
    case 1009: return OSVM_VERSION;
    default: return NULL;
    }
}

PrimFailure prim_get_attribute(Vm *vm, unsigned arg_count)
{
    Oop id = vm_stack(vm, 0);
    const char *text = is_small_integer(id) ? attribute(vm, small_integer_value(id)) : NULL;
    return text ? return_text(vm, arg_count, text) : PRIM_FAILED;
}

/* ---- A VM without screen and keyboard ---- */

PrimFailure prim_screen_size(Vm *vm, unsigned arg_count)
{
    PrimFailure failure;
    Oop point = vm_instantiate(vm, heap_special(&vm->heap, SPECIAL_CLASS_POINT), 0, &failure);
    if (!point)
        return failure;
    SWord width = (SWord)(vm->image.screen_size >> 16 & 0xFFFF), height = (SWord)(vm->image.screen_size & 0xFFFF);
    heap_store_unchecked(point, 0, small_integer_oop(width ? width : 640));
    heap_store_unchecked(point, 1, small_integer_oop(height ? height : 480));
    return vm_return(vm, arg_count, point);
}

/* Bits, or a handle to them; then width, height and depth. */
static bool is_form(Oop form)
{
    if (is_immediate(form) || !format_is_pointers(object_format(form)) || object_slot_count(form) < 4)
        return false;
    Oop bits = object_slot(form, 0);
    return (is_small_integer(bits) ||
            (is_object(bits) && format_is_bits(object_format(bits)))) &&
           are_small_integers(object_slot(form, 1), object_slot(form, 2)) &&
           is_small_integer(object_slot(form, 3));
}

PrimFailure prim_be_display(Vm *vm, unsigned arg_count)
{
    Oop form = vm_stack(vm, 0);
    if (!is_form(form))
        return PRIM_BAD_RECEIVER;
    heap_store(&vm->heap, vm->heap.special_objects, SPECIAL_DISPLAY, form);
    return vm_return_receiver(vm, arg_count);
}

/* No event ever comes: type 0. */
PrimFailure prim_get_next_event(Vm *vm, unsigned arg_count)
{
    Oop buffer = vm_stack(vm, 0);
    if (is_immediate(buffer) || object_format(buffer) != FORMAT_INDEXABLE || object_slot_count(buffer) != 8)
        return PRIM_BAD_ARGUMENT;
    if (is_read_only(buffer))
        return PRIM_NO_MODIFICATION;
    for (Word i = 0; i < 8; i++)
        heap_store_unchecked(buffer, i, small_integer_oop(0));
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_zero(Vm *vm, unsigned arg_count)
{
    return vm_return(vm, arg_count, small_integer_oop(0));
}

/* The clipboard of a VM without a desktop is its own. */
PrimFailure prim_clipboard(Vm *vm, unsigned arg_count)
{
    if (arg_count == 0)
        return return_text(vm, arg_count, vm->clipboard ? vm->clipboard : "");
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    char *text = c_string(vm_stack(vm, 0));
    if (!text)
        return PRIM_FAILED;
    free(vm->clipboard);
    vm->clipboard = text;
    return vm_return_receiver(vm, arg_count);
}
