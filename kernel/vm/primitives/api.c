/* The services primitive modules are given (osvm/prims.h), for this heap width. */
#include <string.h>

#include "kernel/vm/interp/callback.h"
#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/named.h"

/* One activation of a module's function. */
struct OsvmCall {
    Vm *vm;
    unsigned arg_count;
    Oop result; /* NO_OOP until set */
    const OsvmInstance *module;
    const OsvmPrim *prim;
};

static OsvmValue value_of(Oop oop)
{
    return (OsvmValue){oop};
}

static Oop oop_of(OsvmValue value)
{
    return (Oop)value.bits;
}

PrimFailure api_call(Vm *vm, const OsvmInstance *module, const OsvmPrim *prim, unsigned arg_count)
{
    OsvmCall call = {.vm = vm, .arg_count = arg_count, .module = module, .prim = prim};
    const OsvmPrims *prims = module->vtable;
    int failure = OSVM_HAS(prims, call) && prims->call
                      ? prims->call(module->state, prim, &prim_api, &call)
                      : prim->function(&prim_api, &call);
    if (failure != OSVM_SUCCESS)
        return (PrimFailure)failure;
    REQUIRE(call.result != NO_OOP, "%s of %s succeeded without a result", prim->name,
            osvm_behind_shims(module)->plugin->name);
    return vm_return(vm, arg_count, call.result);
}

/* ---- The activation ---- */

static unsigned api_arg_count(OsvmCall *call)
{
    return call->arg_count;
}

static OsvmValue api_arg(OsvmCall *call, int index)
{
    if (index < OSVM_RECEIVER || index >= (int)call->arg_count)
        return value_of(call->vm->heap.nil);
    return value_of(vm_stack(call->vm, (unsigned)((int)call->arg_count - 1 - index)));
}

/* ---- Looking at values ---- */

static bool is_large_integer(Oop oop)
{
    return is_object(oop) && (object_class_index(oop) == CLASS_LARGE_POSITIVE ||
                              object_class_index(oop) == CLASS_LARGE_NEGATIVE);
}

static OsvmValueKind object_kind(Oop oop)
{
    unsigned format = object_format(oop);
    if (is_large_integer(oop))
        return OSVM_LARGE_INTEGER;
    if (object_class_index(oop) == CLASS_FLOAT)
        return OSVM_FLOAT;
    if (format < FORMAT_WORDS64)
        return OSVM_POINTERS;
    if (format_is_code(format))
        return OSVM_CODE;
    static const OsvmValueKind kinds[] = {OSVM_BYTES, OSVM_SHORTS, OSVM_WORDS, OSVM_DOUBLES};
    return kinds[vm_element_shift(format)];
}

static OsvmValueKind api_kind(OsvmCall *call, OsvmValue value)
{
    Oop oop = oop_of(value);
    Heap *heap = &call->vm->heap;
    if (is_small_integer(oop))
        return OSVM_SMALL_INTEGER;
    if (is_immediate(oop))
        return is_character(oop) ? OSVM_CHARACTER : OSVM_FLOAT;
    if (oop == heap->nil)
        return OSVM_NIL;
    if (oop == heap->true_object)
        return OSVM_TRUE;
    return oop == heap->false_object ? OSVM_FALSE : object_kind(oop);
}

static bool api_same(OsvmCall *call, OsvmValue a, OsvmValue b)
{
    return follow(oop_of(a)) == follow(oop_of(b));
}

static bool api_int64(OsvmCall *call, OsvmValue value, int64_t *out)
{
    return vm_int64_value(call->vm, oop_of(value), out);
}

static bool api_uint64(OsvmCall *call, OsvmValue value, uint64_t *out)
{
    return vm_uint64_value(call->vm, oop_of(value), out);
}

static bool api_real(OsvmCall *call, OsvmValue value, double *out)
{
    return float_value(oop_of(value), out);
}

static bool api_character(OsvmCall *call, OsvmValue value, uint32_t *out)
{
    if (!is_character(oop_of(value)))
        return false;
    *out = character_code(oop_of(value));
    return true;
}

static bool api_boolean(OsvmCall *call, OsvmValue value, bool *out)
{
    Oop oop = oop_of(value);
    if (oop != call->vm->heap.true_object && oop != call->vm->heap.false_object)
        return false;
    *out = oop == call->vm->heap.true_object;
    return true;
}

static bool api_elements(OsvmCall *call, OsvmValue value, OsvmElements *out)
{
    Oop oop = oop_of(value);
    if (is_immediate(oop) || !format_is_bits(object_format(oop)))
        return false;
    unsigned shift = vm_element_shift(object_format(oop));
    *out = (OsvmElements){.data = object_bytes(oop), .count = bits_byte_count(oop) >> shift,
                          .element_size = 1u << shift, .read_only = is_read_only(oop)};
    return true;
}

static size_t significant_bytes(const uint8_t *bytes, size_t count)
{
    while (count && bytes[count - 1] == 0)
        count--;
    return count;
}

static bool api_integer(OsvmCall *call, OsvmValue value, OsvmInteger *out)
{
    Oop oop = oop_of(value);
    if (is_small_integer(oop)) {
        int64_t number = small_integer_value(oop);
        uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;
        memcpy(out->small, &magnitude, sizeof magnitude);
        out->bytes = out->small;
        out->count = significant_bytes(out->small, sizeof out->small);
        out->negative = number < 0;
        return true;
    }
    if (!is_large_integer(oop) || !format_is_bytes(object_format(oop)))
        return false;
    out->bytes = object_bytes(oop);
    out->count = significant_bytes(out->bytes, bits_byte_count(oop));
    out->negative = object_class_index(oop) == CLASS_LARGE_NEGATIVE;
    return true;
}

static bool is_pointers(Oop oop)
{
    return is_object(oop) && format_is_pointers(object_format(oop)) &&
           object_class_index(oop) != CLASS_CONTEXT;
}

static size_t api_slot_count(OsvmCall *call, OsvmValue value)
{
    return is_pointers(oop_of(value)) ? object_slot_count(oop_of(value)) : 0;
}

static OsvmValue api_slot(OsvmCall *call, OsvmValue value, size_t index)
{
    if (index >= api_slot_count(call, value))
        return value_of(call->vm->heap.nil);
    return value_of(follow(object_slot(oop_of(value), (Word)index)));
}

static bool api_is_array(OsvmCall *call, OsvmValue value)
{
    return is_object(oop_of(value)) && object_format(oop_of(value)) == FORMAT_INDEXABLE;
}

static bool api_is_read_only(OsvmCall *call, OsvmValue value)
{
    return is_immediate(oop_of(value)) || is_read_only(oop_of(value));
}

static OsvmValue api_class_of(OsvmCall *call, OsvmValue value)
{
    return value_of(follow(heap_class_of(&call->vm->heap, oop_of(value))));
}

static bool api_is_member(OsvmCall *call, OsvmValue value, const char *class_name)
{
    char name[256];
    vm_class_name(call->vm, oop_of(api_class_of(call, value)), name, sizeof name);
    return strcmp(name, class_name) == 0;
}

/* ---- Making values ---- */

static OsvmValue api_nil(OsvmCall *call)
{
    return value_of(call->vm->heap.nil);
}

static OsvmValue api_from_boolean(OsvmCall *call, bool value)
{
    return value_of(value ? call->vm->heap.true_object : call->vm->heap.false_object);
}

static OsvmValue api_from_int64(OsvmCall *call, int64_t value)
{
    return value_of(vm_integer_oop(call->vm, value));
}

static OsvmValue api_from_uint64(OsvmCall *call, uint64_t value)
{
    return value_of(vm_unsigned_oop(call->vm, value));
}

static OsvmValue api_from_real(OsvmCall *call, double value)
{
    return value_of(vm_float_oop(call->vm, value));
}

static OsvmValue api_from_character(OsvmCall *call, uint32_t code)
{
    return value_of(code <= CHARACTER_MAX ? character_oop(code) : NO_OOP);
}

/* Bytes that fit no object of this heap are memory it does not have. */
static Oop new_bytes(Vm *vm, size_t count, Word class_index)
{
    return count > (SIZE_MAX >> 1) || (Word)count != count || count > (Word)SMALL_INTEGER_MAX
               ? NO_OOP
               : heap_new_bytes(&vm->heap, (Word)count, class_index);
}

static OsvmValue api_from_string(OsvmCall *call, const char *bytes, size_t count)
{
    Oop string = new_bytes(call->vm, count, CLASS_BYTE_STRING);
    if (string)
        memcpy(object_bytes(string), bytes, count);
    return value_of(string);
}

static OsvmValue api_from_magnitude(OsvmCall *call, const uint8_t *bytes, size_t count, bool negative)
{
    count = significant_bytes(bytes, count);
    if (count <= 8) {
        uint64_t magnitude = 0;
        memcpy(&magnitude, bytes, count);
        return value_of(vm_wide_oop(call->vm, negative ? -(__int128)magnitude : (__int128)magnitude));
    }
    Oop large = new_bytes(call->vm, count, negative ? CLASS_LARGE_NEGATIVE : CLASS_LARGE_POSITIVE);
    if (large)
        memcpy(object_bytes(large), bytes, count);
    return value_of(large);
}

static OsvmValue api_new_array(OsvmCall *call, size_t count)
{
    if (count > (Word)SMALL_INTEGER_MAX / WORD_BYTES)
        return value_of(NO_OOP);
    return value_of(heap_new_pointers(&call->vm->heap, (Word)count, FORMAT_INDEXABLE, CLASS_ARRAY));
}

static OsvmValue api_new_byte_array(OsvmCall *call, size_t count)
{
    Oop class = heap_special(&call->vm->heap, SPECIAL_CLASS_BYTE_ARRAY);
    Word class_index = vm_class_index(call->vm, follow(class));
    return value_of(class_index ? new_bytes(call->vm, count, class_index) : NO_OOP);
}

static OsvmValue api_new_instance(OsvmCall *call, OsvmValue class, size_t indexed)
{
    PrimFailure failure;
    return value_of(vm_instantiate(call->vm, oop_of(class), indexed, &failure));
}

static bool api_put_slot(OsvmCall *call, OsvmValue object, size_t index, OsvmValue value)
{
    if (index >= api_slot_count(call, object) || is_read_only(oop_of(object)))
        return false;
    heap_store(&call->vm->heap, oop_of(object), (Word)index, oop_of(value));
    return true;
}

static OsvmValue api_new_point(OsvmCall *call, int64_t x, int64_t y)
{
    PrimFailure failure;
    Oop point = vm_instantiate(call->vm, heap_special(&call->vm->heap, SPECIAL_CLASS_POINT), 0, &failure);
    Oop x_oop = vm_integer_oop(call->vm, x), y_oop = vm_integer_oop(call->vm, y);
    if (!point || !x_oop || !y_oop)
        return value_of(NO_OOP);
    heap_store(&call->vm->heap, point, 0, x_oop);
    heap_store(&call->vm->heap, point, 1, y_oop);
    return value_of(point);
}

/* ---- Results ---- */

static int api_result(OsvmCall *call, OsvmValue value)
{
    call->result = oop_of(value);
    return call->result ? OSVM_SUCCESS : OSVM_NO_MEMORY;
}

static int api_result_receiver(OsvmCall *call)
{
    return api_result(call, api_arg(call, OSVM_RECEIVER));
}

static void api_set_os_error(OsvmCall *call, int64_t code)
{
    call->vm->os_error = code;
}

/* ---- Beyond one call ---- */

static uint32_t api_keep(OsvmCall *call, OsvmValue value)
{
    return vm_keep(call->vm, oop_of(value));
}

static OsvmValue api_kept(OsvmCall *call, uint32_t ticket)
{
    return value_of(vm_kept(call->vm, ticket));
}

static void api_drop(OsvmCall *call, uint32_t ticket)
{
    vm_drop(call->vm, ticket);
}

static bool api_pin(OsvmCall *call, OsvmValue value, OsvmValue *pinned)
{
    Mm *mm = call->vm->heap.mm;
    if (is_immediate(oop_of(value)))
        return false;
    *pinned = value_of(mm->ops->pin(mm, oop_of(value), true));
    return !osvm_is_none(*pinned);
}

static void api_signal_semaphore(void *vm, unsigned index)
{
    poll_signal_external(vm, index);
}

static unsigned api_session_id(OsvmCall *call)
{
    return call->vm->session_id;
}

static void *api_module_state(OsvmCall *call)
{
    return call->module->state;
}

static const OsvmWorld *api_world(OsvmCall *call)
{
    return call->vm->setup->host->world;
}

/* ---- Callbacks ---- */

static int refuse_callback(const OsvmCall *call, const char *why)
{
    const OsvmHost *host = call->vm->setup->host;
    host->log(host, OSVM_ERROR, "%s of %s calls back %s", call->prim->name,
              osvm_behind_shims(call->module)->plugin->name, why);
    return OSVM_INAPPROPRIATE;
}

static int api_perform(OsvmCall *call, OsvmValue receiver, OsvmValue selector,
                       const OsvmValue *arguments, unsigned count, OsvmValue *answer)
{
    Oop oops[16], result = NO_OOP;
    Vm *vm = call->vm;
    OsvmInstance *module = (OsvmInstance *)call->module;
    if (!(call->prim->flags & OSVM_MAY_CALL_BACK))
        return refuse_callback(call, "without having said so (OSVM_MAY_CALL_BACK)");
    if (!interp_is_own_thread(vm))
        return refuse_callback(call, "on a thread that is not the VM's");
    if (count > sizeof oops / sizeof *oops)
        return OSVM_BAD_ARGUMENT;
    for (unsigned i = 0; i < count; i++)
        oops[i] = oop_of(arguments[i]);
    module->busy++;
    int failure = callback_perform(vm, oop_of(receiver), oop_of(selector), oops, count, &result);
    module->busy--;
    *answer = value_of(result);
    return failure;
}

const OsvmPrimApi prim_api = {
    .size = sizeof(OsvmPrimApi),
    .arg_count = api_arg_count,
    .arg = api_arg,
    .kind = api_kind,
    .same = api_same,
    .int64 = api_int64,
    .uint64 = api_uint64,
    .real = api_real,
    .character = api_character,
    .boolean = api_boolean,
    .elements = api_elements,
    .integer = api_integer,
    .slot_count = api_slot_count,
    .slot = api_slot,
    .is_array = api_is_array,
    .is_read_only = api_is_read_only,
    .class_of = api_class_of,
    .is_member = api_is_member,
    .nil = api_nil,
    .from_boolean = api_from_boolean,
    .from_int64 = api_from_int64,
    .from_uint64 = api_from_uint64,
    .from_real = api_from_real,
    .from_character = api_from_character,
    .from_string = api_from_string,
    .from_magnitude = api_from_magnitude,
    .new_array = api_new_array,
    .new_byte_array = api_new_byte_array,
    .new_instance = api_new_instance,
    .new_point = api_new_point,
    .put_slot = api_put_slot,
    .result = api_result,
    .result_receiver = api_result_receiver,
    .set_os_error = api_set_os_error,
    .keep = api_keep,
    .kept = api_kept,
    .drop = api_drop,
    .pin = api_pin,
    .signal_semaphore = api_signal_semaphore,
    .session_id = api_session_id,
    .module_state = api_module_state,
    .world = api_world,
    .perform = api_perform,
};
