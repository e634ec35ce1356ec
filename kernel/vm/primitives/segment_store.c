/* Primitive 98: stores an image segment, see segment.h.
 *
 *     roots of the VM -> everything reached without passing the roots of the segment: outside
 *     the array of roots -> everything else it reaches: the members, and their offsets
 *     members -> copies in a new word array; whom they refer to outside -> a new array
 *     the arguments become the new arrays
 *
 * What is outside is marked in a bitmap of the heap, so that no object changes until all is
 * done, and a failure leaves everything as it was. Nothing moves before the become. A weak reference
 * keeps nothing outside and makes nothing a member; that of a member to neither is nil in the copy. An
 * ephemeron outside keeps only what a collection would keep through it. nil, true and false are always
 * outside.
 */
#include <stdlib.h>

#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"
#include "kernel/vm/primitives/segment.h"

typedef struct {
    Oop *oops;
    size_t count, capacity;
} OopList;

/* Where an object went: its offset in the segment, or SEGMENT_OUTSIDE + place. */
typedef struct {
    Oop object; /* NO_OOP: free */
    Word place;
} Place;

typedef struct {
    Vm *vm;
    Heap *heap;
    uint8_t *reached; /* a bit for every 8 bytes of the heap */
    OopList todo;       /* reached from outside, not yet traced */
    OopList ephemerons; /* outside, their keys not reached yet */
    OopList members;
    OopList outside;    /* out pointers */
    Word outside_limit; /* so many may there be */
    Place *places;      /* open addressing, at most half full */
    size_t place_count, place_capacity; /* a power of 2 */
    PrimFailure failure; /* sticky */
} Store;

static void fail(Store *s, PrimFailure failure)
{
    if (!s->failure)
        s->failure = failure;
}

static void push(Store *s, OopList *list, Oop object)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        Oop *oops = realloc(list->oops, capacity * sizeof *oops);
        if (!oops) {
            fail(s, PRIM_NO_MEMORY);
            return;
        }
        list->oops = oops;
        list->capacity = capacity;
    }
    list->oops[list->count++] = object;
}

/* ---- What has been reached ---- */

static size_t bit_of(const Store *s, Oop object)
{
    return (size_t)(object - s->heap->new_start) / OBJECT_ALIGNMENT;
}

static bool is_reached(const Store *s, Oop object)
{
    size_t bit = bit_of(s, object);
    return (s->reached[bit / 8] >> bit % 8 & 1) != 0;
}

static void set_reached(Store *s, Oop object, bool reached)
{
    size_t bit = bit_of(s, object);
    uint8_t mask = (uint8_t)(1u << bit % 8);
    if (reached)
        s->reached[bit / 8] |= mask;
    else
        s->reached[bit / 8] &= (uint8_t)~mask;
}

static void reach(Store *s, OopList *list, Oop oop)
{
    oop = follow(oop);
    if (is_immediate(oop) || is_reached(s, oop))
        return;
    set_reached(s, oop, true);
    push(s, list, oop);
}

static Oop class_of(const Store *s, Oop object)
{
    return follow(heap_class_at(s->heap, object_class_index(object)));
}

/* Reaches what an object refers to, its class included, but not weakly. */
static void trace(Store *s, OopList *list, Oop object)
{
    Word first, end;
    reach(s, list, class_of(s, object));
    heap_pointer_slots(s->heap, object, &first, &end);
    if (object_format(object) == FORMAT_WEAK) {
        Word fixed = heap_fixed_fields(s->heap, object);
        end = fixed < end ? fixed : end;
    }
    if (object_class_index(object) == CLASS_CONTEXT && !context_is_married(s->vm, object))
        end = CONTEXT_FIXED + context_size(s->vm, object);
    for (Word i = first; i < end; i++)
        reach(s, list, object_slot(object, i));
}

/* ---- Outside ---- */

static void trace_outside(Store *s, Oop object)
{
    if (object_class_index(object) <= CLASS_LAST_PUN)
        return; /* pages of the class table: a class is not outside for having an index */
    if (object_format(object) == FORMAT_EPHEMERON) {
        reach(s, &s->todo, class_of(s, object));
        push(s, &s->ephemerons, object);
    } else
        trace(s, &s->todo, object);
}

static void drain(Store *s)
{
    while (s->todo.count && !s->failure)
        trace_outside(s, s->todo.oops[--s->todo.count]);
}

static bool key_is_reached(const Store *s, Oop ephemeron)
{
    Oop key = object_slot_count(ephemeron) ? follow(object_slot(ephemeron, 0)) : s->heap->nil;
    return is_immediate(key) || is_reached(s, key);
}

/* Traces the ephemerons whose keys have been reached; were there any? */
static bool trace_ephemerons(Store *s)
{
    size_t kept = 0, count = s->ephemerons.count;
    for (size_t i = 0; i < count; i++) {
        Oop ephemeron = s->ephemerons.oops[i];
        if (key_is_reached(s, ephemeron))
            trace(s, &s->todo, ephemeron);
        else
            s->ephemerons.oops[kept++] = ephemeron;
    }
    s->ephemerons.count = kept;
    return kept != count;
}

static void visit_root(void *context, Oop *slot)
{
    Store *s = context;
    if (*slot)
        reach(s, &s->todo, *slot);
}

static bool is_constant(const Heap *heap, Oop oop)
{
    return oop == heap->nil || oop == heap->true_object || oop == heap->false_object;
}

/* Roots count as reached while the outside is traced, so that it ends at them. */
static void set_roots_reached(Store *s, Oop roots, bool reached)
{
    for (Word i = 0; i < object_slot_count(roots); i++) {
        Oop root = follow(object_slot(roots, i));
        if (is_object(root) && !is_constant(s->heap, root))
            set_reached(s, root, reached);
    }
    set_reached(s, roots, true);
}

static void find_outside(Store *s, Oop roots)
{
    set_roots_reached(s, roots, true);
    s->heap->mm->ops->visit_roots(s->heap->mm, visit_root, s);
    reach(s, &s->todo, s->heap->nil);
    reach(s, &s->todo, s->heap->true_object);
    reach(s, &s->todo, s->heap->false_object);
    do
        drain(s);
    while (!s->failure && trace_ephemerons(s));
    set_roots_reached(s, roots, false);
}

/* ---- Members ---- */

static bool is_indexed_class(const Store *s, Oop object)
{
    unsigned hash = header_hash(header_of(object));
    return hash > CLASS_LAST_PUN && heap_class_exists(s->heap, hash) &&
           heap_class_at(s->heap, hash) == object;
}

static void find_members(Store *s, Oop roots)
{
    push(s, &s->members, roots);
    for (size_t i = 0; i < s->members.count && !s->failure; i++) {
        Oop member = s->members.oops[i];
        if (context_is_married(s->vm, member))
            fail(s, PRIM_INAPPROPRIATE); /* the running context: what it holds is a frame */
        else
            trace(s, &s->members, member);
    }
    size_t next = 1;
    for (size_t i = 1; i < s->members.count; i++) {
        Oop member = s->members.oops[i];
        if (is_indexed_class(s, member)) {
            s->members.oops[i] = s->members.oops[next];
            s->members.oops[next++] = member;
        }
    }
}

/* ---- Places ---- */

static Place *place_slot(const Store *s, Oop object)
{
    size_t at = (size_t)((uint64_t)object * UINT64_C(0x9E3779B97F4A7C15) >> 20);
    for (;; at++) {
        Place *place = &s->places[at & (s->place_capacity - 1)];
        if (!place->object || place->object == object)
            return place;
    }
}

static bool grow_places(Store *s)
{
    Place *old = s->places;
    size_t capacity = s->place_capacity;
    Place *places = calloc(capacity ? 2 * capacity : 1024, sizeof *places);
    if (!places)
        return false;
    s->places = places;
    s->place_capacity = capacity ? 2 * capacity : 1024;
    for (size_t i = 0; i < capacity; i++)
        if (old[i].object)
            *place_slot(s, old[i].object) = old[i];
    free(old);
    return true;
}

static void put_place(Store *s, Oop object, Word place)
{
    if (2 * (s->place_count + 1) > s->place_capacity && !grow_places(s)) {
        fail(s, PRIM_NO_MEMORY);
        return;
    }
    *place_slot(s, object) = (Place){object, place};
    s->place_count++;
}

/* Gives every member its offset; answers the bytes all of them take. */
static Word place_members(Store *s)
{
    Word at = 0;
    for (size_t i = 0; i < s->members.count && !s->failure; i++) {
        Oop member = s->members.oops[i];
        Word offset = at + (member - object_start(member));
        if (is_indexed_class(s, member) &&
            offset / OBJECT_ALIGNMENT + SEGMENT_FIRST_CLASS >= SEGMENT_OUTSIDE_CLASS)
            fail(s, PRIM_LIMIT_EXCEEDED);
        put_place(s, member, offset);
        at += object_size(member);
        if (at & SEGMENT_OUTSIDE)
            fail(s, PRIM_LIMIT_EXCEEDED);
    }
    return at;
}

/* The place of an object, a new one outside if it has none. */
static Word place_of(Store *s, Oop object)
{
    Place *known = place_slot(s, object);
    if (known->object)
        return known->place;
    if (s->outside.count == s->outside_limit) {
        fail(s, PRIM_BAD_INDEX);
        return SEGMENT_OUTSIDE;
    }
    Word place = SEGMENT_OUTSIDE + (Word)s->outside.count * WORD_BYTES;
    push(s, &s->outside, object);
    put_place(s, object, place);
    return place;
}

/* ---- Copies ---- */

static Word class_reference(Store *s, Oop class)
{
    Word place = place_of(s, class);
    if (!(place & SEGMENT_OUTSIDE))
        return place / OBJECT_ALIGNMENT + SEGMENT_FIRST_CLASS;
    Word index = (place - SEGMENT_OUTSIDE) / WORD_BYTES;
    if (index >= SEGMENT_OUTSIDE_CLASS)
        fail(s, PRIM_LIMIT_EXCEEDED);
    return index | SEGMENT_OUTSIDE_CLASS;
}

static Header stored_header(Store *s, Oop member)
{
    Header header = header_of(member) & ~(HEADER_CLASS_MASK | HEADER_REMEMBERED | HEADER_GREY |
                                          HEADER_MARKED | HEADER_VERIFIED);
    if (is_indexed_class(s, member))
        header = (header & ~HEADER_HASH_MASK) | HEADER_REMEMBERED;
    return header | class_reference(s, class_of(s, member));
}

/* Copies a member to `start`, where zeros are. */
static void copy_member(Store *s, Oop member, Word start)
{
    Word first, end, slots = object_slot_count(member);
    Oop copy = start + (member - object_start(member));
    if (copy != start)
        *header_at(start) = header_at(member)[-1];
    *header_at(copy) = stored_header(s, member);
    memcpy(object_slots(copy), object_slots(member), slots << WORD_SHIFT);
    if (format_is_code(object_format(member)))
        object_slots(copy)[0] = small_integer_oop(method_header(s->heap, member));
    heap_pointer_slots(s->heap, member, &first, &end);
    if (object_class_index(member) == CLASS_CONTEXT) {
        end = CONTEXT_FIXED + context_size(s->vm, member);
        object_fill(copy, end, slots, small_integer_oop(0));
    }
    for (Word i = first; i < end; i++) {
        Oop value = follow(object_slot(member, i));
        if (is_object(value) && !is_reached(s, value))
            value = s->heap->nil;
        object_slots(copy)[i] = is_immediate(value) ? value : place_of(s, value);
    }
}

static void copy_members(Store *s, Oop segment)
{
    uint32_t stamp = SEGMENT_VERSION | SEGMENT_LITTLE_ENDIAN;
    memcpy(object_bytes(segment), &stamp, sizeof stamp);
    memcpy(object_bytes(segment) + sizeof stamp, &stamp, sizeof stamp);
    Word at = segment + HEADER_BYTES + SEGMENT_STAMP_BYTES;
    for (size_t i = 0; i < s->members.count && !s->failure; i++) {
        copy_member(s, s->members.oops[i], at);
        at += object_size(s->members.oops[i]);
    }
}

/* ---- The arguments become the results ---- */

static Oop pair(Heap *heap, Oop first, Oop second)
{
    Oop array = heap_new_pointers(heap, 2, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (array) {
        heap_store(heap, array, 0, first);
        heap_store(heap, array, 1, second);
    }
    return array;
}

static PrimFailure exchange(Store *s, Oop segment, Oop stored, Oop outside)
{
    Heap *heap = s->heap;
    Oop pointers = heap_new_pointers(heap, (Word)s->outside.count, FORMAT_INDEXABLE,
                                     object_class_index(outside));
    if (!pointers)
        return PRIM_NO_MEMORY;
    for (size_t i = 0; i < s->outside.count; i++)
        heap_store(heap, pointers, (Word)i, s->outside.oops[i]);
    Oop from = pair(heap, segment, outside), to = pair(heap, stored, pointers);
    if (!from || !to)
        return PRIM_NO_MEMORY;
    return (PrimFailure)heap->mm->ops->become(heap->mm, from, to, BECOME_ONE_WAY_COPY_HASH);
}

static PrimFailure store(Store *s, Oop roots, Oop segment, Oop outside)
{
    Word room = object_slot_count(segment) << WORD_SHIFT;
    if (room < SEGMENT_STAMP_BYTES)
        return PRIM_FAILED;
    find_outside(s, roots);
    if (!s->failure)
        find_members(s, roots);
    Word bytes = s->failure ? 0 : place_members(s);
    if (s->failure)
        return s->failure;
    if (bytes > room - SEGMENT_STAMP_BYTES)
        return PRIM_WRITE_PAST_OBJECT;
    Oop stored = heap_new_bits(s->heap, (bytes + SEGMENT_STAMP_BYTES) >> WORD_SHIFT, FORMAT_WORDS32,
                               object_class_index(segment));
    if (!stored)
        return PRIM_NO_MEMORY;
    copy_members(s, stored);
    return s->failure ? s->failure : exchange(s, segment, stored, outside);
}

static PrimFailure check_changeable(Oop segment, Oop outside)
{
    if (is_read_only(segment) || is_read_only(outside))
        return PRIM_NO_MODIFICATION;
    if (header_is_pinned(header_of(segment)) || header_is_pinned(header_of(outside)))
        return PRIM_OBJECT_PINNED;
    return object_slot_count(outside) > HASH_MAX ? PRIM_LIMIT_EXCEEDED : PRIM_OK;
}

/* Arguments: the array of roots, a word array, an Array for out pointers. */
PrimFailure prim_store_image_segment(Vm *vm, unsigned arg_count)
{
    if (arg_count != 3)
        return PRIM_BAD_ARG_COUNT;
    if (!segment_is_array(vm_stack(vm, 2)) || !segment_is_words(vm_stack(vm, 1)) ||
        !segment_is_array(vm_stack(vm, 0)))
        return PRIM_FAILED;
    PrimFailure failure = check_changeable(vm_stack(vm, 1), vm_stack(vm, 0));
    if (failure)
        return failure;
    stack_flush(vm); /* contexts of the segment are whole objects then */
    Oop roots = vm_stack(vm, 2), segment = vm_stack(vm, 1), outside = vm_stack(vm, 0);
    Heap *heap = &vm->heap;
    Store s = {.vm = vm, .heap = heap, .outside_limit = object_slot_count(outside)};
    s.reached = calloc((size_t)(heap->old_end - heap->new_start) / OBJECT_ALIGNMENT / 8 + 1, 1);
    failure = s.reached ? store(&s, roots, segment, outside) : PRIM_NO_MEMORY;
    free(s.reached);
    free(s.todo.oops);
    free(s.ephemerons.oops);
    free(s.members.oops);
    free(s.outside.oops);
    free(s.places);
    return failure ? failure : vm_return_receiver(vm, arg_count);
}
