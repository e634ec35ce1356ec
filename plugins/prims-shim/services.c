/* The services of the VM as a module sees them behind the shim: each checks what it is asked, notes the
 * values it gives, and asks the VM. */
#include "shim.h"

static const OsvmPrimApi *vm_of(const OsvmCall *call)
{
    return call->shim->real;
}

static void check_value(const OsvmCall *call, OsvmValue value, const char *service)
{
    RULE(call, !osvm_is_none(value), "gives %s a none value (P6)", service);
    RULE(call, values_know(call, value), "gives %s a value that it was not given in this call, or "
         "that is void since it called back (P6)", service);
}

static void check_pointer(const OsvmCall *call, const void *pointer, const char *service)
{
    RULE(call, pointer, "gives %s no place for its answer (P7)", service);
}

static void check_may(const OsvmCall *call, unsigned flag, const char *what)
{
    RULE(call, call->prim->flags & flag, "%s without having said so in its flags (P5)", what);
}

/* ---- The activation ---- */

static unsigned service_arg_count(OsvmCall *call)
{
    return vm_of(call)->arg_count(call->behind);
}

static OsvmValue service_arg(OsvmCall *call, int index)
{
    return values_note(call, vm_of(call)->arg(call->behind, index));
}

/* ---- Looking at values ---- */

static OsvmValueKind service_kind(OsvmCall *call, OsvmValue value)
{
    check_value(call, value, "kind");
    return vm_of(call)->kind(call->behind, value);
}

static bool service_same(OsvmCall *call, OsvmValue a, OsvmValue b)
{
    check_value(call, a, "same");
    check_value(call, b, "same");
    return vm_of(call)->same(call->behind, a, b);
}

#define LOOKING(service, type)                                                                     \
    static bool service_##service(OsvmCall *call, OsvmValue value, type *out)                      \
    {                                                                                              \
        check_value(call, value, #service);                                                        \
        check_pointer(call, out, #service);                                                        \
        return vm_of(call)->service(call->behind, value, out);                                     \
    }
LOOKING(int64, int64_t)
LOOKING(uint64, uint64_t)
LOOKING(real, double)
LOOKING(character, uint32_t)
LOOKING(boolean, bool)
LOOKING(elements, OsvmElements)
LOOKING(integer, OsvmInteger)

static size_t service_slot_count(OsvmCall *call, OsvmValue value)
{
    check_value(call, value, "slot_count");
    return vm_of(call)->slot_count(call->behind, value);
}

static OsvmValue service_slot(OsvmCall *call, OsvmValue value, size_t index)
{
    check_value(call, value, "slot");
    return values_note(call, vm_of(call)->slot(call->behind, value, index));
}

static bool service_is_array(OsvmCall *call, OsvmValue value)
{
    check_value(call, value, "is_array");
    return vm_of(call)->is_array(call->behind, value);
}

static bool service_is_read_only(OsvmCall *call, OsvmValue value)
{
    check_value(call, value, "is_read_only");
    return vm_of(call)->is_read_only(call->behind, value);
}

static OsvmValue service_class_of(OsvmCall *call, OsvmValue value)
{
    check_value(call, value, "class_of");
    return values_note(call, vm_of(call)->class_of(call->behind, value));
}

static bool service_is_member(OsvmCall *call, OsvmValue value, const char *class_name)
{
    check_value(call, value, "is_member");
    check_pointer(call, class_name, "is_member");
    return vm_of(call)->is_member(call->behind, value, class_name);
}

/* ---- Making values ---- */

static OsvmValue service_nil(OsvmCall *call)
{
    return values_note(call, vm_of(call)->nil(call->behind));
}

static OsvmValue service_from_boolean(OsvmCall *call, bool value)
{
    return values_note(call, vm_of(call)->from_boolean(call->behind, value));
}

static OsvmValue service_from_character(OsvmCall *call, uint32_t code)
{
    return values_note(call, vm_of(call)->from_character(call->behind, code));
}

/* What is no SmallInteger was allocated. */
static OsvmValue note_integer(OsvmCall *call, OsvmValue value)
{
    if (osvm_is_none(value) || vm_of(call)->kind(call->behind, value) != OSVM_SMALL_INTEGER)
        check_may(call, OSVM_MAY_ALLOCATE, "allocates a large integer");
    return values_note(call, value);
}

static OsvmValue service_from_int64(OsvmCall *call, int64_t value)
{
    return note_integer(call, vm_of(call)->from_int64(call->behind, value));
}

static OsvmValue service_from_uint64(OsvmCall *call, uint64_t value)
{
    return note_integer(call, vm_of(call)->from_uint64(call->behind, value));
}

static OsvmValue service_from_magnitude(OsvmCall *call, const uint8_t *bytes, size_t count, bool negative)
{
    RULE(call, bytes || !count, "makes an integer of %zu bytes that are nowhere (P7)", count);
    return note_integer(call, vm_of(call)->from_magnitude(call->behind, bytes, count, negative));
}

/* On 64-bit heaps many are immediate; on others none is. */
static OsvmValue service_from_real(OsvmCall *call, double value)
{
    check_may(call, OSVM_MAY_ALLOCATE, "makes a Float");
    return values_note(call, vm_of(call)->from_real(call->behind, value));
}

static OsvmValue service_from_string(OsvmCall *call, const char *bytes, size_t count)
{
    check_may(call, OSVM_MAY_ALLOCATE, "makes a string");
    RULE(call, bytes || !count, "makes a string of %zu bytes that are nowhere (P7)", count);
    return values_note(call, vm_of(call)->from_string(call->behind, bytes, count));
}

static OsvmValue service_new_array(OsvmCall *call, size_t count)
{
    check_may(call, OSVM_MAY_ALLOCATE, "makes an array");
    return values_note(call, vm_of(call)->new_array(call->behind, count));
}

static OsvmValue service_new_byte_array(OsvmCall *call, size_t count)
{
    check_may(call, OSVM_MAY_ALLOCATE, "makes a byte array");
    return values_note(call, vm_of(call)->new_byte_array(call->behind, count));
}

static OsvmValue service_new_instance(OsvmCall *call, OsvmValue class, size_t indexed)
{
    check_may(call, OSVM_MAY_ALLOCATE, "makes an instance");
    check_value(call, class, "new_instance");
    return values_note(call, vm_of(call)->new_instance(call->behind, class, indexed));
}

static OsvmValue service_new_point(OsvmCall *call, int64_t x, int64_t y)
{
    check_may(call, OSVM_MAY_ALLOCATE, "makes a point");
    return values_note(call, vm_of(call)->new_point(call->behind, x, y));
}

static bool service_put_slot(OsvmCall *call, OsvmValue object, size_t index, OsvmValue value)
{
    check_value(call, object, "put_slot");
    check_value(call, value, "put_slot");
    return vm_of(call)->put_slot(call->behind, object, index, value);
}

/* ---- Results ---- */

static int service_result(OsvmCall *call, OsvmValue value)
{
    if (!osvm_is_none(value)) {
        check_value(call, value, "result");
        call->results++;
    }
    return vm_of(call)->result(call->behind, value);
}

static int service_result_receiver(OsvmCall *call)
{
    call->results++;
    return vm_of(call)->result_receiver(call->behind);
}

static void service_set_os_error(OsvmCall *call, int64_t code)
{
    call->has_os_error = true;
    vm_of(call)->set_os_error(call->behind, code);
}

/* ---- Beyond one call ---- */

static size_t ticket_index(const Shim *shim, uint32_t ticket)
{
    size_t index = 0;
    while (index < shim->ticket_count && shim->tickets[index] != ticket)
        index++;
    return index;
}

static void ticket_add(OsvmCall *call, uint32_t ticket)
{
    Shim *shim = call->shim;
    const OsvmHost *host = shim->host;
    if (shim->ticket_count == shim->ticket_capacity) {
        size_t capacity = 2 * shim->ticket_capacity + 16;
        shim->tickets = host->resize(host, shim->tickets, shim->ticket_capacity * sizeof *shim->tickets,
                                     capacity * sizeof *shim->tickets);
        RULE(call, shim->tickets, "cannot be checked: the host has no memory left");
        shim->ticket_capacity = capacity;
    }
    shim->tickets[shim->ticket_count++] = ticket;
}

static uint32_t service_keep(OsvmCall *call, OsvmValue value)
{
    check_value(call, value, "keep");
    uint32_t ticket = vm_of(call)->keep(call->behind, value);
    if (ticket)
        ticket_add(call, ticket);
    return ticket;
}

static void check_ticket(const OsvmCall *call, uint32_t ticket, const char *service)
{
    RULE(call, ticket_index(call->shim, ticket) < call->shim->ticket_count,
         "gives %s the ticket %u, which it does not have (P7)", service, ticket);
}

static OsvmValue service_kept(OsvmCall *call, uint32_t ticket)
{
    check_ticket(call, ticket, "kept");
    return values_note(call, vm_of(call)->kept(call->behind, ticket));
}

static void service_drop(OsvmCall *call, uint32_t ticket)
{
    Shim *shim = call->shim;
    check_ticket(call, ticket, "drop");
    shim->tickets[ticket_index(shim, ticket)] = shim->tickets[--shim->ticket_count];
    vm_of(call)->drop(call->behind, ticket);
}

static bool service_pin(OsvmCall *call, OsvmValue value, OsvmValue *pinned)
{
    check_value(call, value, "pin");
    check_pointer(call, pinned, "pin");
    bool done = vm_of(call)->pin(call->behind, value, pinned);
    if (done)
        values_note(call, *pinned);
    return done;
}

static unsigned service_session_id(OsvmCall *call)
{
    return vm_of(call)->session_id(call->behind);
}

static void *service_module_state(OsvmCall *call)
{
    return call->shim->inner->state;
}

static const OsvmWorld *service_world(OsvmCall *call)
{
    check_may(call, OSVM_TOUCHES_WORLD, "touches the world");
    return vm_of(call)->world(call->behind);
}

/* Calling back without having said so is refused by the VM itself, which says who does. */
static int service_perform(OsvmCall *call, OsvmValue receiver, OsvmValue selector,
                           const OsvmValue *arguments, unsigned count, OsvmValue *answer)
{
    check_value(call, receiver, "perform");
    check_value(call, selector, "perform");
    check_pointer(call, answer, "perform");
    RULE(call, arguments || !count, "performs with %u arguments that are nowhere (P7)", count);
    for (unsigned i = 0; i < count; i++)
        check_value(call, arguments[i], "perform");
    int code = vm_of(call)->perform(call->behind, receiver, selector, arguments, count, answer);
    call->called_back = true;
    values_forget(call);
    if (code == OSVM_SUCCESS)
        values_note(call, *answer);
    return code;
}

void services_fill(Shim *shim)
{
    shim->api = *shim->real;
    OsvmPrimApi *api = &shim->api;
#define SERVICE(name) api->name = service_##name
    SERVICE(arg_count);
    SERVICE(arg);
    SERVICE(kind);
    SERVICE(same);
    SERVICE(int64);
    SERVICE(uint64);
    SERVICE(real);
    SERVICE(character);
    SERVICE(boolean);
    SERVICE(elements);
    SERVICE(integer);
    SERVICE(slot_count);
    SERVICE(slot);
    SERVICE(is_array);
    SERVICE(is_read_only);
    SERVICE(class_of);
    SERVICE(is_member);
    SERVICE(nil);
    SERVICE(from_boolean);
    SERVICE(from_int64);
    SERVICE(from_uint64);
    SERVICE(from_real);
    SERVICE(from_character);
    SERVICE(from_string);
    SERVICE(from_magnitude);
    SERVICE(new_array);
    SERVICE(new_byte_array);
    SERVICE(new_instance);
    SERVICE(new_point);
    SERVICE(put_slot);
    SERVICE(result);
    SERVICE(result_receiver);
    SERVICE(set_os_error);
    SERVICE(keep);
    SERVICE(kept);
    SERVICE(drop);
    SERVICE(pin);
    SERVICE(session_id);
    SERVICE(module_state);
    SERVICE(world);
    SERVICE(perform);
#undef SERVICE
}
