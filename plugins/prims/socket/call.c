/* Arguments and results of the module's functions. */
#include "call.h"

#include <string.h>

Module *module_of(const OsvmPrimApi *vm, OsvmCall *call)
{
    Module *module = vm->module_state(call);
    module->world = vm->world(call);
    return module;
}

/* --- Arguments -------------------------------------------------------------------- */

bool bytes_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, OsvmElements *bytes)
{
    return vm->elements(call, vm->arg(call, index), bytes) && bytes->element_size == 1;
}

/* NULL, with the failure code: the argument is no socket of this session. */
Socket *socket_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, int *failure)
{
    Module *module = module_of(vm, call);
    OsvmElements bytes;
    Handle handle;
    *failure = OSVM_BAD_ARGUMENT;
    if (!bytes_argument(vm, call, index, &bytes) || bytes.count != sizeof handle)
        return NULL;
    memcpy(&handle, bytes.data, sizeof handle);
    *failure = OSVM_FAILED;
    if (!module->started || handle.session != vm->session_id(call) || handle.slot >= module->count)
        return NULL;
    Socket *socket = module->sockets[handle.slot];
    if (!socket || socket->generation != handle.generation)
        return NULL;
    *failure = OSVM_SUCCESS;
    return socket;
}

/* The same for one that is open. */
Socket *open_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, int *failure)
{
    Socket *socket = socket_argument(vm, call, index, failure);
    if (!socket || socket->file >= 0)
        return socket;
    *failure = OSVM_FAILED;
    return NULL;
}

/* 0 or the failure code. */
int inet4_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, const uint8_t **bytes)
{
    OsvmElements elements;
    if (!bytes_argument(vm, call, index, &elements))
        return OSVM_BAD_ARGUMENT;
    *bytes = elements.data;
    return elements.count == 4 ? OSVM_SUCCESS : OSVM_FAILED;
}

/* An address and a port beside it. */
int inet4_port_arguments(const OsvmPrimApi *vm, OsvmCall *call, int address_index,
                                 int port_index, OsvmAddress *address)
{
    const uint8_t *bytes;
    int64_t port;
    if (!osvm_small_argument(vm, call, port_index, &port) || port < 0 || port > UINT16_MAX)
        return OSVM_BAD_ARGUMENT;
    int failure = inet4_argument(vm, call, address_index, &bytes);
    if (!failure)
        address_set_inet4(address, bytes, (unsigned)port);
    return failure;
}

bool address_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, OsvmAddress *address)
{
    OsvmElements bytes;
    AddressHead head;
    if (!bytes_argument(vm, call, index, &bytes) || bytes.count < sizeof head)
        return false;
    memcpy(&head, bytes.data, sizeof head);
    address->size = (uint32_t)(bytes.count - sizeof head);
    if (!module_of(vm, call)->started || head.session != vm->session_id(call) ||
        head.size != address->size || address->size > sizeof address->bytes)
        return false;
    memcpy(address->bytes, (const uint8_t *)bytes.data + sizeof head, address->size);
    return true;
}

/* The part of an array that three arguments say; the unit of the count is its element. */
bool buffer_arguments(const OsvmPrimApi *vm, OsvmCall *call, int array_index,
                             int start_index, OsvmElements *array, uint8_t **data, size_t *size)
{
    int64_t start, count;
    if (!osvm_small_argument(vm, call, start_index, &start) ||
        !osvm_small_argument(vm, call, start_index + 1, &count) ||
        !vm->elements(call, vm->arg(call, array_index), array) || start < 1 || count < 0 ||
        start > INT64_MAX - count || (uint64_t)(start + count - 1) > array->count)
        return false;
    *data = (uint8_t *)array->data + (size_t)(start - 1) * array->element_size;
    *size = (size_t)count * array->element_size;
    return true;
}

/* Behind the sizes of both buffers, which the system chooses. */
bool semaphore_arguments(const OsvmPrimApi *vm, OsvmCall *call, int index, bool three,
                                unsigned semaphores[WAKEUPS])
{
    int64_t size;
    if (!osvm_small_argument(vm, call, index - 2, &size) || !osvm_small_argument(vm, call, index - 1, &size))
        return false;
    for (int i = 0; i < WAKEUPS; i++) {
        int64_t value;
        if (!osvm_small_argument(vm, call, three ? index + i : index, &value))
            return false;
        semaphores[i] = value > 0 && value <= UINT32_MAX ? (unsigned)value : 0;
    }
    return true;
}

/* --- Results ---------------------------------------------------------------------- */

int os_failure(const OsvmPrimApi *vm, OsvmCall *call, int error)
{
    vm->set_os_error(call, error);
    return OSVM_OS_ERROR;
}

int answer_integer(const OsvmPrimApi *vm, OsvmCall *call, int64_t value)
{
    return vm->result(call, vm->from_int64(call, value));
}

int answer_boolean(const OsvmPrimApi *vm, OsvmCall *call, bool value)
{
    return vm->result(call, vm->from_boolean(call, value));
}

OsvmValue new_bytes(const OsvmPrimApi *vm, OsvmCall *call, const void *bytes, size_t size)
{
    OsvmElements elements;
    OsvmValue value = vm->new_byte_array(call, size);
    if (!osvm_is_none(value) && vm->elements(call, value, &elements))
        memcpy(elements.data, bytes, size);
    return value;
}

OsvmValue new_inet4(const OsvmPrimApi *vm, OsvmCall *call, const OsvmAddress *address)
{
    uint8_t bytes[4];
    address_get_inet4(address, bytes);
    return new_bytes(vm, call, bytes, sizeof bytes);
}

/* Copies into an argument that must be as large as the answer, or at least so. */
int answer_into(const OsvmPrimApi *vm, OsvmCall *call, int index, const void *head,
                       size_t head_size, const void *rest, size_t rest_size, bool exact)
{
    OsvmElements bytes;
    if (!bytes_argument(vm, call, index, &bytes))
        return OSVM_BAD_ARGUMENT;
    if (bytes.read_only)
        return OSVM_NO_MODIFICATION;
    if (bytes.count < head_size + rest_size || (exact && bytes.count != head_size + rest_size))
        return OSVM_FAILED;
    if (head_size)
        memcpy(bytes.data, head, head_size);
    memcpy((uint8_t *)bytes.data + head_size, rest, rest_size);
    return vm->result_receiver(call);
}

int answer_address_into(const OsvmPrimApi *vm, OsvmCall *call, int index,
                               const OsvmAddress *address, bool exact)
{
    AddressHead head = {vm->session_id(call), address->size};
    return answer_into(vm, call, index, &head, sizeof head, address->bytes, address->size, exact);
}

int answer_text_into(const OsvmPrimApi *vm, OsvmCall *call, const char *text)
{
    return answer_into(vm, call, 0, NULL, 0, text, strlen(text), false);
}

int answer_socket(const OsvmPrimApi *vm, OsvmCall *call, Socket *socket)
{
    Handle handle = {vm->session_id(call), (uint32_t)socket->type, socket->slot, socket->generation};
    OsvmValue value = new_bytes(vm, call, &handle, sizeof handle);
    if (osvm_is_none(value))
        module_remove(socket->module, socket);
    return vm->result(call, value);
}
