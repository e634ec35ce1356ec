#include "mock_prims.h"

#include <math.h>
#include <string.h>

enum { GUARD = 32, GUARD_BYTE = 0xA5, VOID_BYTE = 0xDB, LARGEST = 1 << 14 };

struct MockObject {
    MockObject *next;
    MockObject *forward;  /* not NULL: a forwarder */
    OsvmValueKind kind;
    MockObject *class;
    MockObject *moved;    /* during a move: where it is now */
    MockObject *gray;     /* ... the next whose slots are to be looked at */
    bool is_array, read_only, negative, pinned;
    unsigned element_size; /* bits objects */
    size_t count;          /* elements or slots */
    uint8_t *data;         /* elements, slots, a double; guards stand around it */
};

static _Noreturn void give_up(const char *what)
{
    printf("Bail out! mock of the services: %s\n", what);
    exit(255);
}

/* ---- Values ---- */

static OsvmValue value_of(const MockObject *object)
{
    return (OsvmValue){(uint64_t)(uintptr_t)object};
}

bool mock_is_object(OsvmValue value)
{
    return value.bits && (value.bits & 7) == 0;
}

static MockObject *object_of(OsvmValue value)
{
    return (MockObject *)(uintptr_t)value.bits;
}

static bool is_small(OsvmValue value)
{
    return value.bits & 1;
}

static int64_t small_value(OsvmValue value)
{
    return (int64_t)value.bits >> 1;
}

static bool is_character(OsvmValue value)
{
    return (value.bits & 7) == 2;
}

OsvmValue mock_character(uint32_t code)
{
    return (OsvmValue){(uint64_t)code << 3 | 2};
}

static OsvmValue *slots_of(const MockObject *object)
{
    return (OsvmValue *)(void *)object->data;
}

OsvmValueKind mock_kind(OsvmValue value)
{
    if (is_small(value))
        return OSVM_SMALL_INTEGER;
    if (is_character(value))
        return OSVM_CHARACTER;
    return object_of(value)->forward ? OSVM_POINTERS : object_of(value)->kind;
}

/* ---- Memory ---- */

static bool allocation_fails(MockVm *vm)
{
    if (vm->allocations < 0)
        return false;
    if (vm->allocations > 0) {
        vm->allocations--;
        return false;
    }
    return vm->has_failed = true;
}

static MockObject *object_new(MockVm *vm, OsvmValueKind kind, size_t bytes)
{
    MockObject *object = calloc(1, sizeof *object);
    uint8_t *block = malloc(bytes + 2 * GUARD);
    if (!object || !block)
        give_up("no memory");
    memset(block, GUARD_BYTE, bytes + 2 * GUARD);
    memset(block + GUARD, 0, bytes);
    object->data = block + GUARD;
    object->kind = kind;
    object->class = vm->classes[kind] ? vm->classes[kind] : vm->nil;
    object->next = vm->objects;
    return vm->objects = object;
}

static size_t byte_count(const MockObject *object)
{
    bool has_slots = object->kind == OSVM_POINTERS || object->kind == OSVM_CODE;
    return object->count * (has_slots ? sizeof(OsvmValue) : object->element_size);
}

static bool is_damaged(const MockObject *object)
{
    const uint8_t *end = object->data + byte_count(object);
    for (size_t i = 0; i < GUARD; i++)
        if (end[i] != GUARD_BYTE || object->data[-1 - (ptrdiff_t)i] != GUARD_BYTE)
            return true;
    return false;
}

const MockObject *mock_damaged(const MockVm *vm)
{
    for (const MockObject *object = vm->objects; object; object = object->next)
        if (is_damaged(object))
            return object;
    return NULL;
}

static MockObject *bits_new(MockVm *vm, OsvmValueKind kind, unsigned element_size, size_t count)
{
    MockObject *object = object_new(vm, kind, count * element_size);
    object->element_size = element_size;
    object->count = count;
    return object;
}

OsvmValue mock_bits(MockVm *vm, OsvmValueKind kind, unsigned element_size, const void *data, size_t count)
{
    MockObject *object = bits_new(vm, kind, element_size, count);
    if (data)
        memcpy(object->data, data, count * element_size);
    return value_of(object);
}

OsvmValue mock_pointers(MockVm *vm, size_t count, bool is_array)
{
    MockObject *object = object_new(vm, OSVM_POINTERS, count * sizeof(OsvmValue));
    object->count = count;
    object->is_array = is_array;
    for (size_t i = 0; i < count; i++)
        slots_of(object)[i] = value_of(vm->nil);
    return value_of(object);
}

OsvmValue mock_float(MockVm *vm, double value)
{
    MockObject *object = bits_new(vm, OSVM_FLOAT, 4, 2);
    memcpy(object->data, &value, sizeof value);
    return value_of(object);
}

OsvmValue mock_large(MockVm *vm, const uint8_t *bytes, size_t count, bool negative)
{
    OsvmValue value = mock_bits(vm, OSVM_LARGE_INTEGER, 1, bytes, count);
    object_of(value)->negative = negative;
    return value;
}

static bool fits_small(const MockVm *vm, __int128 value)
{
    unsigned bits = vm->width == 32 ? 31 : 61;
    return value >= -((__int128)1 << (bits - 1)) && value < (__int128)1 << (bits - 1);
}

OsvmValue mock_integer(MockVm *vm, __int128 value)
{
    if (fits_small(vm, value))
        return (OsvmValue){(uint64_t)((int64_t)value * 2) | 1};
    unsigned __int128 magnitude = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    size_t count = 16;
    const uint8_t *bytes = (const uint8_t *)&magnitude;
    while (bytes[count - 1] == 0)
        count--;
    return mock_large(vm, bytes, count, value < 0);
}

void mock_put(OsvmValue object, size_t index, OsvmValue value)
{
    slots_of(object_of(object))[index] = value;
}

void mock_freeze(OsvmValue object)
{
    object_of(object)->read_only = true;
}

OsvmValue mock_copy(MockVm *vm, OsvmValue value)
{
    if (!mock_is_object(value))
        return value;
    const MockObject *from = object_of(value);
    if (from->kind == OSVM_NIL || from->kind == OSVM_TRUE || from->kind == OSVM_FALSE)
        return value;
    MockObject *to = object_new(vm, from->kind, byte_count(from)), *next = to->next;
    uint8_t *data = to->data;
    *to = *from;
    to->next = next;
    to->data = data;
    memcpy(to->data, from->data, byte_count(from));
    return value_of(to);
}

OsvmValue mock_forwarder(MockVm *vm, OsvmValue target)
{
    MockObject *object = object_new(vm, OSVM_POINTERS, 0);
    object->forward = object_of(target);
    return value_of(object);
}

OsvmValue mock_special(const MockVm *vm, OsvmValueKind kind)
{
    return value_of(kind == OSVM_NIL ? vm->nil : kind == OSVM_TRUE ? vm->true_object : vm->false_object);
}

static OsvmValue follow(OsvmValue value)
{
    while (mock_is_object(value) && object_of(value)->forward)
        value = value_of(object_of(value)->forward);
    return value;
}

uint64_t mock_digest(OsvmValue value, unsigned depth)
{
    value = follow(value);
    if (!mock_is_object(value))
        return value.bits * 0x9E3779B97F4A7C15u;
    const MockObject *object = object_of(value);
    uint64_t sum = (uint64_t)object->kind * 31 + object->count * 7 + object->negative;
    if (object->kind == OSVM_POINTERS || object->kind == OSVM_CODE)
        for (size_t i = 0; depth && i < object->count; i++)
            sum = sum * 0x100000001B3u + mock_digest(slots_of(object)[i], depth - 1);
    else
        for (size_t i = 0; i < byte_count(object); i++)
            sum = (sum ^ object->data[i]) * 0x100000001B3u;
    return sum;
}

void mock_vm_open(MockVm *vm, unsigned width, const OsvmWorld *world)
{
    *vm = (MockVm){.width = width, .world = world, .allocations = -1, .session = 1};
    vm->nil = object_new(vm, OSVM_NIL, 0);
    vm->nil->class = vm->nil;
    vm->true_object = object_new(vm, OSVM_TRUE, 0);
    vm->false_object = object_new(vm, OSVM_FALSE, 0);
    for (unsigned kind = 0; kind < sizeof vm->classes / sizeof *vm->classes; kind++) {
        OsvmValue class = mock_pointers(vm, 6, false);
        mock_put(class, 0, mock_integer(vm, kind));
        vm->classes[kind] = object_of(class);
    }
}

static void free_object(MockObject *object)
{
    free(object->data - GUARD);
    free(object);
}

static void free_list(MockObject *object)
{
    for (MockObject *next; object; object = next) {
        next = object->next;
        free_object(object);
    }
}

void mock_vm_close(MockVm *vm)
{
    free_list(vm->objects);
    free_list(vm->voided);
}

bool mock_is_valid(const MockVm *vm, OsvmValue value)
{
    const MockObject *object = vm->objects;
    if (!mock_is_object(value))
        return is_small(value) || is_character(value);
    while (object && object != object_of(value))
        object = object->next;
    return object != NULL;
}

OsvmValue mock_class(const MockVm *vm, OsvmValueKind kind)
{
    return value_of(vm->classes[kind]);
}

size_t mock_slot_count(OsvmValue value)
{
    return mock_is_object(value) && !object_of(value)->forward && object_of(value)->kind == OSVM_POINTERS
               ? object_of(value)->count : 0;
}

OsvmValue mock_slot(OsvmValue value, size_t index)
{
    return slots_of(object_of(value))[index];
}

bool mock_is_forwarder(OsvmValue value)
{
    return mock_is_object(value) && object_of(value)->forward;
}

size_t mock_count(OsvmValue value)
{
    return mock_is_object(value) ? object_of(value)->count : 0;
}

OsvmValue mock_code(MockVm *vm, size_t count)
{
    OsvmValue code = mock_pointers(vm, count, false);
    object_of(code)->kind = OSVM_CODE;
    return code;
}

bool mock_is_frozen(OsvmValue value)
{
    return mock_is_object(value) && object_of(value)->read_only;
}

/* ---- Moving ---- */

typedef struct {
    MockVm *vm;
    MockObject *gray; /* moved, slots not yet looked at */
} Move;

static MockObject *move_object(Move *move, MockObject *object)
{
    if (object->moved)
        return object->moved;
    MockObject *to = object;
    bool stays = object->pinned || object->kind == OSVM_NIL || object->kind == OSVM_TRUE ||
                 object->kind == OSVM_FALSE;
    if (!stays) {
        to = calloc(1, sizeof *to);
        uint8_t *block = malloc(byte_count(object) + 2 * GUARD);
        if (!to || !block)
            give_up("no memory");
        *to = *object;
        to->data = block + GUARD;
        memset(block, GUARD_BYTE, byte_count(object) + 2 * GUARD);
        memcpy(to->data, object->data, byte_count(object));
        to->moved = to;
        to->next = move->vm->objects;
        move->vm->objects = to;
    }
    object->moved = to;
    to->gray = move->gray;
    return move->gray = to;
}

static void move_value(Move *move, OsvmValue *value)
{
    if (mock_is_object(*value))
        *value = value_of(move_object(move, object_of(*value)));
}

static void move_references(Move *move, MockObject *object)
{
    object->class = object->class ? move_object(move, object->class) : NULL;
    object->forward = object->forward ? move_object(move, object->forward) : NULL;
    if (object->kind == OSVM_POINTERS || object->kind == OSVM_CODE)
        for (size_t i = 0; i < object->count; i++)
            move_value(move, &slots_of(object)[i]);
}

static void move_roots(Move *move, OsvmCall *call)
{
    MockVm *vm = move->vm;
    vm->nil = move_object(move, vm->nil);
    vm->true_object = move_object(move, vm->true_object);
    vm->false_object = move_object(move, vm->false_object);
    for (size_t i = 0; i < sizeof vm->classes / sizeof *vm->classes; i++)
        vm->classes[i] = move_object(move, vm->classes[i]);
    for (size_t i = 0; i < sizeof vm->tickets / sizeof *vm->tickets; i++)
        move_value(move, &vm->tickets[i]);
    for (size_t i = 0; i < vm->root_count; i++)
        move_value(move, &vm->roots[i]);
    for (unsigned i = 0; call && i <= call->arg_count; i++)
        move_value(move, &call->operands[i]);
    if (call)
        move_value(move, &call->result);
}

static size_t block_size(const MockObject *object)
{
    return byte_count(object) + 2 * GUARD;
}

/* The old place of an object is void: nobody may write there. */
static void make_void(MockVm *vm, MockObject *object)
{
    memset(object->data - GUARD, VOID_BYTE, block_size(object));
    object->next = vm->voided;
    vm->voided = object;
}

bool mock_void_written(MockVm *vm)
{
    bool written = false;
    for (const MockObject *object = vm->voided; object; object = object->next)
        for (size_t i = 0; i < block_size(object); i++)
            written |= object->data[(ptrdiff_t)i - GUARD] != VOID_BYTE;
    return written;
}

void mock_move(MockVm *vm, OsvmCall *call)
{
    Move move = {.vm = vm};
    MockObject *old = vm->objects;
    free_list(vm->voided);
    vm->voided = vm->objects = NULL;
    move_roots(&move, call);
    while (move.gray) {
        MockObject *object = move.gray;
        move.gray = object->gray;
        move_references(&move, object);
    }
    for (MockObject *next; old; old = next) {
        next = old->next;
        if (old->moved != old) {
            make_void(vm, old);
            continue;
        }
        old->next = vm->objects;
        vm->objects = old;
    }
    for (MockObject *object = vm->objects; object; object = object->next)
        object->moved = NULL;
}

size_t mock_tickets(const MockVm *vm)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof vm->tickets / sizeof *vm->tickets; i++)
        count += !osvm_is_none(vm->tickets[i]);
    return count;
}

bool mock_class_kind(const char *class_name, OsvmValueKind *kind)
{
    static const char *const names[] = {"SmallInteger", "LargePositiveInteger", "Character",
        "BoxedFloat64", "UndefinedObject", "True", "False", "ByteString", "DoubleByteArray", "Bitmap",
        "DoubleWordArray", "Array", "CompiledMethod"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], class_name) == 0) {
            *kind = (OsvmValueKind)i;
            return true;
        }
    return false;
}

/* ---- The services ---- */

/* Each counts; what is asked about values is noted. */
static bool grant_named(OsvmCall *call, MockWish wish, const char *class_name, OsvmValue value, bool granted)
{
    MockVm *vm = call->vm;
    const unsigned most = sizeof vm->asked / sizeof *vm->asked;
    vm->services++;
    vm->asked[vm->asked_count++ % most] = (MockQuestion){wish, value, class_name, granted};
    return granted;
}

static bool grant(OsvmCall *call, MockWish wish, OsvmValue value, bool granted)
{
    return grant_named(call, wish, NULL, value, granted);
}

static MockVm *ask(OsvmCall *call)
{
    call->vm->services++;
    return call->vm;
}

static unsigned api_arg_count(OsvmCall *call)
{
    return call->arg_count;
}

static OsvmValue api_arg(OsvmCall *call, int index)
{
    MockVm *vm = ask(call);
    return index < OSVM_RECEIVER || index >= (int)call->arg_count ? value_of(vm->nil)
                                                                  : call->operands[index + 1];
}

static OsvmValueKind api_kind(OsvmCall *call, OsvmValue value)
{
    grant(call, MOCK_KIND, value, true);
    return mock_kind(value);
}

static bool api_same(OsvmCall *call, OsvmValue a, OsvmValue b)
{
    return follow(a).bits == follow(b).bits;
}

/* The integer as 128 bits; false: none, or of more. */
static bool integer_value(OsvmValue value, __int128 *out)
{
    if (is_small(value)) {
        *out = small_value(value);
        return true;
    }
    if (mock_kind(value) != OSVM_LARGE_INTEGER)
        return false;
    const MockObject *object = object_of(value);
    unsigned __int128 magnitude = 0;
    size_t count = object->count;
    while (count && !object->data[count - 1])
        count--;
    if (count > 15)
        return false;
    memcpy(&magnitude, object->data, count);
    *out = object->negative ? -(__int128)magnitude : (__int128)magnitude;
    return true;
}

static bool api_int64(OsvmCall *call, OsvmValue value, int64_t *out)
{
    __int128 number;
    bool fits = integer_value(value, &number) && number >= INT64_MIN && number <= INT64_MAX;
    if (fits)
        *out = (int64_t)number;
    return grant(call, MOCK_INTEGER, value, fits);
}

static bool api_uint64(OsvmCall *call, OsvmValue value, uint64_t *out)
{
    __int128 number;
    bool fits = integer_value(value, &number) && number >= 0 && number <= UINT64_MAX;
    if (fits)
        *out = (uint64_t)number;
    return grant(call, MOCK_INTEGER, value, fits);
}

static bool api_real(OsvmCall *call, OsvmValue value, double *out)
{
    bool is_float = mock_kind(value) == OSVM_FLOAT;
    if (is_float)
        memcpy(out, object_of(value)->data, sizeof *out);
    return grant(call, MOCK_REAL, value, is_float);
}

static bool api_character(OsvmCall *call, OsvmValue value, uint32_t *out)
{
    if (is_character(value))
        *out = (uint32_t)(value.bits >> 3);
    return grant(call, MOCK_CHARACTER, value, is_character(value));
}

static bool api_boolean(OsvmCall *call, OsvmValue value, bool *out)
{
    OsvmValueKind kind = mock_kind(value);
    if (kind == OSVM_TRUE || kind == OSVM_FALSE)
        *out = kind == OSVM_TRUE;
    return grant(call, MOCK_BOOLEAN, value, kind == OSVM_TRUE || kind == OSVM_FALSE);
}

static bool api_elements(OsvmCall *call, OsvmValue value, OsvmElements *out)
{
    if (!mock_is_object(value) || object_of(value)->forward || !object_of(value)->element_size)
        return grant(call, MOCK_ELEMENTS, value, false);
    const MockObject *object = object_of(value);
    *out = (OsvmElements){.data = object->data, .count = object->count,
                          .element_size = object->element_size, .read_only = object->read_only};
    return grant(call, MOCK_ELEMENTS, value, true);
}

static bool api_integer(OsvmCall *call, OsvmValue value, OsvmInteger *out)
{
    if (is_small(value)) {
        int64_t number = small_value(value);
        uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;
        memcpy(out->small, &magnitude, sizeof magnitude);
        out->bytes = out->small;
        out->count = sizeof magnitude;
        out->negative = number < 0;
    } else if (mock_kind(value) == OSVM_LARGE_INTEGER) {
        out->bytes = object_of(value)->data;
        out->count = object_of(value)->count;
        out->negative = object_of(value)->negative;
    } else
        return grant(call, MOCK_INTEGER, value, false);
    while (out->count && !out->bytes[out->count - 1])
        out->count--;
    return grant(call, MOCK_INTEGER, value, true);
}

static size_t api_slot_count(OsvmCall *call, OsvmValue value)
{
    size_t count = mock_is_object(value) && mock_kind(value) == OSVM_POINTERS ? object_of(value)->count : 0;
    grant(call, MOCK_SLOTS, value, count > 0);
    return count;
}

static OsvmValue api_slot(OsvmCall *call, OsvmValue value, size_t index)
{
    return index < api_slot_count(call, value) ? follow(slots_of(object_of(value))[index])
                                               : value_of(call->vm->nil);
}

static bool api_is_array(OsvmCall *call, OsvmValue value)
{
    return grant(call, MOCK_ARRAY, value, mock_is_object(value) && !object_of(value)->forward &&
                                              object_of(value)->is_array);
}

static bool api_is_read_only(OsvmCall *call, OsvmValue value)
{
    ask(call);
    return !mock_is_object(value) || object_of(value)->read_only;
}

static OsvmValue api_class_of(OsvmCall *call, OsvmValue value)
{
    ask(call);
    if (!mock_is_object(value))
        return value_of(call->vm->classes[mock_kind(value)]);
    return value_of(object_of(value)->forward ? call->vm->nil : object_of(value)->class);
}

static bool api_is_member(OsvmCall *call, OsvmValue value, const char *class_name)
{
    OsvmValueKind kind;
    bool is = mock_class_kind(class_name, &kind) && kind == mock_kind(value);
    return grant_named(call, MOCK_MEMBER, class_name, value, is);
}

static OsvmValue api_nil(OsvmCall *call)
{
    return value_of(call->vm->nil);
}

static OsvmValue api_from_boolean(OsvmCall *call, bool value)
{
    return value_of(value ? call->vm->true_object : call->vm->false_object);
}

static OsvmValue make_integer(MockVm *vm, __int128 value)
{
    return !fits_small(vm, value) && allocation_fails(vm) ? (OsvmValue){0} : mock_integer(vm, value);
}

static OsvmValue api_from_int64(OsvmCall *call, int64_t value)
{
    return make_integer(call->vm, value);
}

static OsvmValue api_from_uint64(OsvmCall *call, uint64_t value)
{
    return make_integer(call->vm, value);
}

static OsvmValue api_from_real(OsvmCall *call, double value)
{
    return allocation_fails(call->vm) ? (OsvmValue){0} : mock_float(call->vm, value);
}

static OsvmValue api_from_character(OsvmCall *call, uint32_t code)
{
    return code < 1u << 30 ? mock_character(code) : (OsvmValue){0};
}

static OsvmValue new_bytes(MockVm *vm, const void *bytes, size_t count)
{
    return count > LARGEST || allocation_fails(vm) ? (OsvmValue){0}
                                                   : mock_bits(vm, OSVM_BYTES, 1, bytes, count);
}

static OsvmValue api_from_string(OsvmCall *call, const char *bytes, size_t count)
{
    return new_bytes(call->vm, bytes, count);
}

static OsvmValue api_from_magnitude(OsvmCall *call, const uint8_t *bytes, size_t count, bool negative)
{
    unsigned __int128 magnitude = 0;
    while (count && !bytes[count - 1])
        count--;
    if (count <= 8) {
        memcpy(&magnitude, bytes, count);
        return make_integer(call->vm, negative ? -(__int128)magnitude : (__int128)magnitude);
    }
    return count > LARGEST || allocation_fails(call->vm) ? (OsvmValue){0}
                                                         : mock_large(call->vm, bytes, count, negative);
}

static OsvmValue api_new_array(OsvmCall *call, size_t count)
{
    return count > LARGEST || allocation_fails(call->vm) ? (OsvmValue){0}
                                                         : mock_pointers(call->vm, count, true);
}

static OsvmValue api_new_byte_array(OsvmCall *call, size_t count)
{
    return new_bytes(call->vm, NULL, count);
}

/* A class knows the kind of its instances by its first slot; other objects are no classes. */
static OsvmValue api_new_instance(OsvmCall *call, OsvmValue class, size_t indexed)
{
    static const unsigned sizes[] = {[OSVM_LARGE_INTEGER] = 1, [OSVM_BYTES] = 1, [OSVM_SHORTS] = 2,
                                     [OSVM_WORDS] = 4, [OSVM_DOUBLES] = 8};
    MockVm *vm = ask(call);
    unsigned kind = 0;
    while (kind < sizeof vm->classes / sizeof *vm->classes && vm->classes[kind] != object_of(class))
        kind++;
    if (!grant(call, MOCK_CLASS, class, kind < sizeof vm->classes / sizeof *vm->classes))
        return (OsvmValue){0};
    if (indexed > LARGEST || allocation_fails(vm))
        return (OsvmValue){0};
    if (kind < sizeof sizes / sizeof *sizes && sizes[kind])
        return mock_bits(vm, (OsvmValueKind)kind, sizes[kind], NULL, indexed);
    return kind == OSVM_POINTERS ? mock_pointers(vm, indexed, true) : (OsvmValue){0};
}

static OsvmValue api_new_point(OsvmCall *call, int64_t x, int64_t y)
{
    OsvmValue x_value = make_integer(call->vm, x), y_value = make_integer(call->vm, y);
    if (osvm_is_none(x_value) || osvm_is_none(y_value) || allocation_fails(call->vm))
        return (OsvmValue){0};
    OsvmValue point = mock_pointers(call->vm, 2, false);
    mock_put(point, 0, x_value);
    mock_put(point, 1, y_value);
    return point;
}

static bool api_put_slot(OsvmCall *call, OsvmValue object, size_t index, OsvmValue value)
{
    if (!grant(call, MOCK_CHANGE, object, index < mock_slot_count(object) && !mock_is_frozen(object)))
        return false;
    mock_put(object, index, value);
    return true;
}

static int api_result(OsvmCall *call, OsvmValue value)
{
    ask(call);
    call->result = value;
    return osvm_is_none(value) ? OSVM_NO_MEMORY : OSVM_SUCCESS;
}

static int api_result_receiver(OsvmCall *call)
{
    return api_result(call, call->operands[0]);
}

static void api_set_os_error(OsvmCall *call, int64_t code)
{
    ask(call)->os_error = code;
}

static uint32_t api_keep(OsvmCall *call, OsvmValue value)
{
    MockVm *vm = ask(call);
    if (allocation_fails(vm))
        return 0;
    for (uint32_t i = 0; i < sizeof vm->tickets / sizeof *vm->tickets; i++)
        if (osvm_is_none(vm->tickets[i])) {
            vm->tickets[i] = value;
            return i + 1;
        }
    return 0;
}

static OsvmValue api_kept(OsvmCall *call, uint32_t ticket)
{
    return call->vm->tickets[ticket - 1];
}

static void api_drop(OsvmCall *call, uint32_t ticket)
{
    call->vm->tickets[ticket - 1] = (OsvmValue){0};
}

static bool api_pin(OsvmCall *call, OsvmValue value, OsvmValue *pinned)
{
    if (!grant(call, MOCK_ELEMENTS, value, mock_is_object(value)))
        return false;
    object_of(value)->pinned = true;
    *pinned = value;
    return true;
}

static void api_signal_semaphore(void *vm, unsigned index)
{
}

static unsigned api_session_id(OsvmCall *call)
{
    return call->vm->session;
}

static void *api_module_state(OsvmCall *call)
{
    return call->vm->module_state;
}

static const OsvmWorld *api_world(OsvmCall *call)
{
    return call->vm->world;
}

/* Every message answers its receiver. Functions that have not said that they call back are refused, as by
 * every VM. */
static int api_perform(OsvmCall *call, OsvmValue receiver, OsvmValue selector, const OsvmValue *arguments,
                       unsigned count, OsvmValue *answer)
{
    MockVm *vm = ask(call);
    if (vm->prim && !(vm->prim->flags & OSVM_MAY_CALL_BACK)) {
        vm->refused_callbacks++;
        return OSVM_INAPPROPRIATE;
    }
    vm->callbacks++;
    if (allocation_fails(vm))
        return OSVM_NO_MEMORY;
    OsvmValue earlier = call->result;
    call->result = receiver;
    if (vm->moves)
        mock_move(vm, call);
    *answer = call->result;
    call->result = earlier;
    return OSVM_SUCCESS;
}

const OsvmPrimApi mock_prims_api = {
    .size = sizeof(OsvmPrimApi),
    .arg_count = api_arg_count, .arg = api_arg, .kind = api_kind, .same = api_same,
    .int64 = api_int64, .uint64 = api_uint64, .real = api_real, .character = api_character,
    .boolean = api_boolean, .elements = api_elements, .integer = api_integer,
    .slot_count = api_slot_count, .slot = api_slot, .is_array = api_is_array,
    .is_read_only = api_is_read_only, .class_of = api_class_of, .is_member = api_is_member,
    .nil = api_nil, .from_boolean = api_from_boolean, .from_int64 = api_from_int64,
    .from_uint64 = api_from_uint64, .from_real = api_from_real,
    .from_character = api_from_character, .from_string = api_from_string,
    .from_magnitude = api_from_magnitude, .new_array = api_new_array,
    .new_byte_array = api_new_byte_array, .new_instance = api_new_instance,
    .new_point = api_new_point, .put_slot = api_put_slot, .result = api_result,
    .result_receiver = api_result_receiver, .set_os_error = api_set_os_error, .keep = api_keep,
    .kept = api_kept, .drop = api_drop, .pin = api_pin, .signal_semaphore = api_signal_semaphore,
    .session_id = api_session_id, .module_state = api_module_state, .world = api_world,
    .perform = api_perform,
};
