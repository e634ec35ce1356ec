/* Primitives about whole objects: creation, copying, class, identity, become,
 * read-only and pinned objects, enumeration of the heap. */
#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

/* ---- Creation ---- */

static PrimFailure return_new(Vm *vm, unsigned arg_count, Oop object, PrimFailure failure)
{
    return object ? vm_return(vm, arg_count, object) : failure;
}

PrimFailure prim_new(Vm *vm, unsigned arg_count)
{
    SWord format;
    PrimFailure failure = PRIM_BAD_RECEIVER;
    Oop class = vm_stack(vm, 0);
    if (!vm_class_format(class, &format))
        return PRIM_BAD_RECEIVER;
    Oop object = vm_instantiate(vm, class, 0, &failure);
    return return_new(vm, arg_count, object, failure);
}

/* A size argument: a non-negative integer of one word. */
static bool size_argument(Vm *vm, Oop oop, uint64_t *size)
{
    return vm_uint64_value(vm, oop, size) && *size <= (Word)-1;
}

PrimFailure prim_new_with_arg(Vm *vm, unsigned arg_count)
{
    uint64_t size;
    PrimFailure failure;
    if (!size_argument(vm, vm_stack(vm, 0), &size))
        return PRIM_BAD_ARGUMENT;
    Oop object = vm_instantiate(vm, vm_stack(vm, 1), size, &failure);
    return return_new(vm, arg_count, object, failure);
}

/* The same in old space, pinned or not (numbers 596-599, 581, 583). */
static PrimFailure new_old(Vm *vm, unsigned arg_count, Oop class, uint64_t indexed, bool pinned)
{
    SWord class_format;
    Word slots;
    unsigned format;
    if (!vm_class_format(class, &class_format) ||
        class_format_instance_spec(class_format) == FORMAT_IMMEDIATE_CLASS ||
        class_format_instance_spec(class_format) >= FORMAT_CODE ||
        !vm_layout(class_format, indexed, &slots, &format))
        return PRIM_BAD_RECEIVER;
    Word class_index = vm_class_index(vm, class);
    Mm *mm = vm->heap.mm;
    Oop object = class_index ? mm->ops->allocate_old(mm, slots, format, class_index) : NO_OOP;
    if (!object)
        return PRIM_NO_MEMORY;
    if (format_is_pointers(format))
        object_fill(object, 0, slots, vm->heap.nil);
    else
        memset(object_slots(object), 0, body_bytes_for_slots(slots));
    if (pinned)
        *header_at(object) |= HEADER_PINNED;
    return vm_return(vm, arg_count, object);
}

PrimFailure prim_new_old(Vm *vm, unsigned arg_count)
{
    return new_old(vm, arg_count, vm_stack(vm, 0), 0, false);
}

PrimFailure prim_new_pinned(Vm *vm, unsigned arg_count)
{
    return new_old(vm, arg_count, vm_stack(vm, 0), 0, true);
}

PrimFailure prim_new_with_arg_old(Vm *vm, unsigned arg_count)
{
    uint64_t size;
    if (!size_argument(vm, vm_stack(vm, 0), &size))
        return PRIM_BAD_ARGUMENT;
    return new_old(vm, arg_count, vm_stack(vm, 1), size, false);
}

PrimFailure prim_new_with_arg_pinned(Vm *vm, unsigned arg_count)
{
    uint64_t size;
    if (!size_argument(vm, vm_stack(vm, 0), &size))
        return PRIM_BAD_ARGUMENT;
    return new_old(vm, arg_count, vm_stack(vm, 1), size, true);
}

/* newMethod: byte count header: header */
PrimFailure prim_new_method(Vm *vm, unsigned arg_count)
{
    Oop class = vm_stack(vm, 2), count_oop = vm_stack(vm, 1), header = vm_stack(vm, 0);
    SWord format;
    if (!is_small_integer(count_oop) || small_integer_value(count_oop) < 0 ||
        !is_small_integer(header))
        return PRIM_BAD_ARGUMENT;
    if (!vm_class_format(class, &format) || class_format_instance_spec(format) != FORMAT_CODE)
        return PRIM_BAD_RECEIVER;
    uint64_t count = (uint64_t)small_integer_value(count_oop);
    if (count > 0x10000000)
        return PRIM_NO_MEMORY;
    Word literals = method_header_literals(small_integer_value(header));
    Word bytes = (1 + literals) * WORD_BYTES + (Word)count;
    Word class_index = vm_class_index(vm, class);
    Oop method = class_index ? heap_new_bits(&vm->heap, slots_for_bytes(bytes),
                                             format_for_bytes(bytes) - FORMAT_BYTES + FORMAT_CODE,
                                             class_index)
                             : NO_OOP;
    if (!method)
        return PRIM_NO_MEMORY;
    object_slots(method)[0] = header;
    object_fill(method, 1, 1 + literals, vm->heap.nil);
    return vm_return(vm, arg_count, method);
}

Oop vm_clone(Vm *vm, Oop object)
{
    if (is_immediate(object))
        return object;
    if (object_class_index(object) == CLASS_CONTEXT)
        return context_clone(vm, object);
    Word slots = object_slot_count(object);
    Oop copy = heap_allocate(&vm->heap, slots, object_format(object), object_class_index(object));
    if (!copy)
        return NO_OOP;
    memcpy(object_slots(copy), object_slots(object), body_bytes_for_slots(slots));
    if (format_is_code(object_format(object)))
        object_slots(copy)[0] = small_integer_oop(method_header(&vm->heap, object));
    if (heap_is_old(&vm->heap, copy)) { /* a large copy: let the barrier see its references */
        Word first, end;
        heap_pointer_slots(&vm->heap, copy, &first, &end);
        for (Word i = first; i < end; i++)
            heap_store(&vm->heap, copy, i, object_slot(copy, i));
    }
    return copy;
}

PrimFailure prim_clone(Vm *vm, unsigned arg_count)
{
    Oop copy = vm_clone(vm, vm_stack(vm, 0));
    return copy ? vm_return(vm, arg_count, copy) : PRIM_NO_MEMORY;
}

/* ---- Identity and class ---- */

PrimFailure prim_identical(Vm *vm, unsigned arg_count)
{
    return vm_return_boolean(vm, arg_count, follow(vm_stack(vm, 1)) == follow(vm_stack(vm, 0)));
}

PrimFailure prim_not_identical(Vm *vm, unsigned arg_count)
{
    return vm_return_boolean(vm, arg_count, follow(vm_stack(vm, 1)) != follow(vm_stack(vm, 0)));
}

PrimFailure prim_class(Vm *vm, unsigned arg_count)
{
    return vm_return(vm, arg_count, follow(heap_class_of(&vm->heap, follow(vm_stack(vm, 0)))));
}

PrimFailure prim_identity_hash(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 0);
    if (is_immediate(object))
        return PRIM_FAILED;
    return vm_return(vm, arg_count, small_integer_oop((SWord)heap_identity_hash(&vm->heap, object)));
}

PrimFailure prim_behavior_hash(Vm *vm, unsigned arg_count)
{
    SWord format;
    if (!vm_class_format(vm_stack(vm, 0), &format))
        return PRIM_BAD_RECEIVER;
    Word class_index = vm_class_index(vm, vm_stack(vm, 0));
    if (!class_index)
        return PRIM_NO_MEMORY;
    return vm_return(vm, arg_count, small_integer_oop((SWord)class_index));
}

PrimFailure prim_max_identity_hash(Vm *vm, unsigned arg_count)
{
    return vm_return(vm, arg_count, small_integer_oop(HASH_MAX));
}

/* No argument: is there a hash? One: sets it, answers the old one. */
PrimFailure prim_set_identity_hash(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, arg_count);
    if (is_immediate(object))
        return PRIM_BAD_RECEIVER;
    unsigned old = header_hash(header_of(object));
    if (arg_count == 0)
        return vm_return_boolean(vm, arg_count, old != 0);
    Oop hash = vm_stack(vm, arg_count - 1);
    if (!is_small_integer(hash) || small_integer_value(hash) < 0 ||
        small_integer_value(hash) > (SWord)HASH_MAX)
        return PRIM_BAD_ARGUMENT;
    if (arg_count == 2 && vm_stack(vm, 0) != vm->heap.false_object)
        return PRIM_BAD_ARGUMENT; /* a class index is the memory manager's to give */
    SWord format;
    if (vm_class_format(object, &format) && old && heap_class_exists(&vm->heap, old) &&
        heap_class_at(&vm->heap, old) == object)
        return PRIM_BAD_RECEIVER; /* the hash of a class is its index */
    *header_at(object) = (header_of(object) & ~HEADER_HASH_MASK) |
                         (Header)small_integer_value(hash) << HEADER_HASH_SHIFT;
    return vm_return(vm, arg_count, small_integer_oop((SWord)old));
}

/* ---- Changing class ---- */

/* The header format `object` takes as an instance of a class of `class_format`. It fails as
 * inappropriate if these are of different kinds, with a bad receiver if the sizes disagree. */
static PrimFailure adopted_format(Oop object, SWord class_format, unsigned *format)
{
    unsigned old = object_format(object), spec = class_format_instance_spec(class_format);
    Word slots = object_slot_count(object), fixed = class_format_fixed_fields(class_format);
    *format = spec;
    if (format_is_pointers(old)) {
        if (!format_is_pointers(spec))
            return PRIM_INAPPROPRIATE;
        if (spec == FORMAT_EMPTY || spec == FORMAT_FIXED || spec == FORMAT_EPHEMERON) {
            *format = slots == 0 ? FORMAT_EMPTY : spec == FORMAT_EMPTY ? FORMAT_FIXED : spec;
            return slots == fixed ? PRIM_OK : PRIM_BAD_RECEIVER;
        }
        return slots >= fixed ? PRIM_OK : PRIM_BAD_RECEIVER;
    }
    if (format_is_code(old)) {
        *format = old;
        return spec == FORMAT_CODE ? PRIM_OK : PRIM_INAPPROPRIATE;
    }
    if (!format_is_bits(old) || spec < FORMAT_WORDS64 || spec >= FORMAT_CODE || fixed)
        return PRIM_INAPPROPRIATE;
    Word bytes = bits_byte_count(object), element = (Word)1 << vm_element_shift(spec);
    if (bytes % element)
        return PRIM_BAD_RECEIVER;
    *format = spec + (unsigned)((slots * WORD_BYTES - bytes) / element);
    return PRIM_OK;
}

static PrimFailure change_class(Vm *vm, Oop object, Oop class, PrimFailure bad_object,
                                PrimFailure bad_class)
{
    SWord class_format;
    unsigned format;
    if (is_immediate(object) || is_forwarded(object) || object_class_index(object) <= CLASS_LAST_PUN)
        return bad_object;
    if (!vm_class_format(class, &class_format))
        return bad_class;
    if (is_read_only(object))
        return PRIM_NO_MODIFICATION;
    if (object_class_index(object) == CLASS_CONTEXT)
        return PRIM_INAPPROPRIATE;
    PrimFailure failure = adopted_format(object, class_format, &format);
    if (failure)
        return failure == PRIM_BAD_RECEIVER ? bad_object : failure;
    Word class_index = vm_class_index(vm, class);
    if (!class_index)
        return PRIM_NO_MEMORY;
    if (class_index == CLASS_CONTEXT)
        return PRIM_INAPPROPRIATE;
    *header_at(object) = (header_of(object) & ~(HEADER_CLASS_MASK | HEADER_FORMAT_MASK)) |
                         (Header)format << HEADER_FORMAT_SHIFT | class_index;
    if (heap_is_old(&vm->heap, object) && vm->heap.marking)
        heap_marking_barrier(&vm->heap, object, class);
    return PRIM_OK;
}

PrimFailure prim_change_class(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1), example = vm_stack(vm, 0);
    if (is_immediate(object) || is_immediate(example))
        return PRIM_FAILED;
    PrimFailure failure = change_class(vm, object, follow(heap_class_of(&vm->heap, example)),
                                       PRIM_BAD_RECEIVER, PRIM_BAD_ARGUMENT);
    return failure ? failure : vm_return_receiver(vm, arg_count);
}

PrimFailure prim_adopt_instance(Vm *vm, unsigned arg_count)
{
    PrimFailure failure = change_class(vm, vm_stack(vm, 0), vm_stack(vm, 1), PRIM_BAD_ARGUMENT,
                                       PRIM_BAD_RECEIVER);
    return failure ? failure : vm_return_receiver(vm, arg_count);
}

/* ---- Become ---- */

static PrimFailure become(Vm *vm, unsigned arg_count, Oop from, Oop to, BecomeKind kind)
{
    Mm *mm = vm->heap.mm;
    PrimFailure failure = (PrimFailure)mm->ops->become(mm, from, to, kind);
    return failure ? failure : vm_return_receiver(vm, arg_count);
}

PrimFailure prim_become(Vm *vm, unsigned arg_count)
{
    return become(vm, arg_count, vm_stack(vm, 1), vm_stack(vm, 0), BECOME_TWO_WAY);
}

PrimFailure prim_become_one_way(Vm *vm, unsigned arg_count)
{
    return become(vm, arg_count, vm_stack(vm, 1), vm_stack(vm, 0), BECOME_ONE_WAY_COPY_HASH);
}

PrimFailure prim_become_one_way_no_hash(Vm *vm, unsigned arg_count)
{
    return become(vm, arg_count, vm_stack(vm, 1), vm_stack(vm, 0), BECOME_ONE_WAY);
}

PrimFailure prim_become_one_way_hash_arg(Vm *vm, unsigned arg_count)
{
    Oop copy_hash = vm_stack(vm, 0);
    if (copy_hash != vm->heap.true_object && copy_hash != vm->heap.false_object)
        return PRIM_BAD_ARGUMENT;
    return become(vm, arg_count, vm_stack(vm, 2), vm_stack(vm, 1),
                  copy_hash == vm->heap.true_object ? BECOME_ONE_WAY_COPY_HASH : BECOME_ONE_WAY);
}

/* ---- Read-only objects ---- */

PrimFailure prim_get_immutability(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 0);
    return vm_return_boolean(vm, arg_count, is_immediate(object) || is_read_only(object));
}

bool vm_must_stay_writable(Vm *vm, Oop object)
{
    Heap *heap = &vm->heap;
    unsigned format = object_format(object);
    if (object_class_index(object) == CLASS_CONTEXT || format == FORMAT_WEAK ||
        format == FORMAT_EPHEMERON)
        return true;
    Oop class = follow(heap_class_of(heap, object));
    if (class == follow(heap_special(heap, SPECIAL_CLASS_SEMAPHORE)))
        return true;
    Oop scheduler = follow(object_slot(follow(heap_special(heap, SPECIAL_SCHEDULER_ASSOCIATION)),
                                       ASSOCIATION_VALUE));
    Oop lists = follow(object_slot(scheduler, SCHEDULER_LISTS));
    if (object == scheduler || object == lists)
        return true;
    Oop active = follow(object_slot(scheduler, SCHEDULER_ACTIVE));
    if (class == follow(heap_class_of(heap, active)))
        return true;
    return object_slot_count(lists) > 1 &&
           class == follow(heap_class_of(heap, follow(object_slot(lists, 1))));
}

PrimFailure prim_set_immutability(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1), flag = vm_stack(vm, 0);
    if (is_immediate(object))
        return PRIM_BAD_RECEIVER;
    if (flag != vm->heap.true_object && flag != vm->heap.false_object)
        return PRIM_BAD_ARGUMENT;
    if (flag == vm->heap.true_object && vm_must_stay_writable(vm, object))
        return PRIM_INAPPROPRIATE;
    bool was = is_read_only(object);
    if (flag == vm->heap.true_object)
        *header_at(object) |= HEADER_IMMUTABLE;
    else
        *header_at(object) &= ~HEADER_IMMUTABLE;
    return vm_return_boolean(vm, arg_count, was);
}

/* ---- Pinned objects ---- */

PrimFailure prim_is_pinned(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 0);
    if (is_immediate(object))
        return PRIM_BAD_RECEIVER;
    return vm_return_boolean(vm, arg_count, header_is_pinned(header_of(object)));
}

PrimFailure prim_pin(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 1), flag = vm_stack(vm, 0);
    Mm *mm = vm->heap.mm;
    if (is_immediate(object) || context_is_married(vm, object))
        return PRIM_BAD_RECEIVER;
    if (flag != vm->heap.true_object && flag != vm->heap.false_object)
        return PRIM_BAD_ARGUMENT;
    bool was = header_is_pinned(header_of(object));
    if (!mm->ops->pin(mm, object, flag == vm->heap.true_object))
        return PRIM_NO_MEMORY;
    return vm_return_boolean(vm, arg_count, was);
}

/* ---- Sizes ---- */

static PrimFailure return_size(Vm *vm, unsigned arg_count, uint64_t bytes)
{
    Oop size = vm_unsigned_oop(vm, bytes);
    return size ? vm_return(vm, arg_count, size) : PRIM_NO_MEMORY;
}

PrimFailure prim_size_in_bytes(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 0);
    return return_size(vm, arg_count, is_immediate(object) ? 0 : object_size(object));
}

static bool has_elements(SWord class_format)
{
    unsigned spec = class_format_instance_spec(class_format);
    return spec != FORMAT_EMPTY && spec != FORMAT_FIXED && spec != FORMAT_EPHEMERON;
}

PrimFailure prim_size_in_bytes_of_instance(Vm *vm, unsigned arg_count)
{
    SWord class_format, indexed = 0;
    Word slots;
    unsigned format;
    if (arg_count > 1)
        return PRIM_BAD_ARG_COUNT;
    if (arg_count == 1) {
        if (!is_small_integer(vm_stack(vm, 0)))
            return PRIM_BAD_ARGUMENT;
        indexed = small_integer_value(vm_stack(vm, 0));
    }
    if (!vm_class_format(vm_stack(vm, arg_count), &class_format) ||
        has_elements(class_format) != (arg_count == 1))
        return PRIM_BAD_RECEIVER;
    if (indexed < 0)
        return PRIM_BAD_ARGUMENT;
    if (!vm_layout(class_format, (uint64_t)indexed, &slots, &format))
        return arg_count ? PRIM_LIMIT_EXCEEDED : PRIM_BAD_RECEIVER;
    return return_size(vm, arg_count, object_size_for_slots(slots));
}

/* ---- Enumeration ---- */

static bool is_instance(Vm *vm, Oop object, Oop class)
{
    return follow(heap_class_at(&vm->heap, object_class_index(object))) == class;
}

/* The first instance of `class` from `object` on; NO_OOP at the end. */
static Oop next_instance(Vm *vm, Oop object, Oop class)
{
    Mm *mm = vm->heap.mm;
    while (object && !is_instance(vm, object, class))
        object = mm->ops->next_object(mm, object);
    return object;
}

PrimFailure prim_some_instance(Vm *vm, unsigned arg_count)
{
    Mm *mm = vm->heap.mm;
    Oop found = next_instance(vm, mm->ops->first_object(mm), vm_stack(vm, 0));
    return found ? vm_return(vm, arg_count, found) : PRIM_FAILED;
}

PrimFailure prim_next_instance(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 0);
    Mm *mm = vm->heap.mm;
    if (is_immediate(object))
        return PRIM_FAILED;
    Oop class = follow(heap_class_of(&vm->heap, object));
    Oop found = next_instance(vm, mm->ops->next_object(mm, object), class);
    return found ? vm_return(vm, arg_count, found) : PRIM_FAILED;
}

PrimFailure prim_some_object(Vm *vm, unsigned arg_count)
{
    Mm *mm = vm->heap.mm;
    return vm_return(vm, arg_count, mm->ops->first_object(mm));
}

PrimFailure prim_next_object(Vm *vm, unsigned arg_count)
{
    Oop object = vm_stack(vm, 0);
    Mm *mm = vm->heap.mm;
    if (is_immediate(object))
        return PRIM_BAD_RECEIVER;
    Oop next = mm->ops->next_object(mm, object);
    return vm_return(vm, arg_count, next ? next : small_integer_oop(0));
}

/* An Array of all objects (`class` NO_OOP) or all instances of a class. The Array
 * itself is not among them: it is made after counting, and skipped. */
static PrimFailure collect_objects(Vm *vm, unsigned arg_count, Oop class)
{
    Mm *mm = vm->heap.mm;
    Word count = 0, found = 0;
    for (Oop object = mm->ops->first_object(mm); object; object = mm->ops->next_object(mm, object))
        count += !class || is_instance(vm, object, class);
    Oop array = heap_new_pointers(&vm->heap, count, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (!array) {
        mm->ops->make_room(mm, object_size_for_slots(count));
        return PRIM_NO_MEMORY;
    }
    for (Oop object = mm->ops->first_object(mm); object && found < count;
         object = mm->ops->next_object(mm, object))
        if (object != array && (!class || is_instance(vm, object, class)))
            heap_store(&vm->heap, array, found++, object);
    return vm_return(vm, arg_count, array);
}

PrimFailure prim_all_instances(Vm *vm, unsigned arg_count)
{
    return collect_objects(vm, arg_count, vm_stack(vm, 0));
}

PrimFailure prim_all_objects(Vm *vm, unsigned arg_count)
{
    return collect_objects(vm, arg_count, NO_OOP);
}
