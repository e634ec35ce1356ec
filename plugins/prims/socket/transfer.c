/* Primitives: what a socket is like, and data. */
#include "call.h"

#include <stdlib.h>
#include <string.h>

/* --- What a socket is like -------------------------------------------------------------- */

FUNCTION(socket_status)
{
    int failure;
    Socket *socket = socket_argument(vm, call, 0, &failure);
    if (!socket || socket_look(socket) == INVALID)
        return socket ? OSVM_FAILED : failure;
    return answer_integer(vm, call, socket->status);
}

FUNCTION(socket_error)
{
    int failure;
    Socket *socket = socket_argument(vm, call, 0, &failure);
    return socket ? answer_integer(vm, call, socket->error) : failure;
}

/* The address of one end; size 0: there is none. */
static OsvmAddress end_address(Socket *socket, bool peer)
{
    const OsvmWorld *world = socket->module->world;
    OsvmAddress address = {0};
    if (peer && socket->type == UDP)
        return socket->peer;
    if (socket->file < 0 || world->socket_address(world, socket->file, peer, &address) < 0)
        address.size = 0;
    return address;
}

static int answer_end(const OsvmPrimApi *vm, OsvmCall *call, bool peer, bool port)
{
    int failure;
    Socket *socket = socket_argument(vm, call, 0, &failure);
    if (!socket)
        return failure;
    OsvmAddress address = end_address(socket, peer);
    int number = address_port(&address);
    return port ? answer_integer(vm, call, number < 0 ? 0 : number)
                : vm->result(call, new_inet4(vm, call, &address));
}

FUNCTION(socket_local_address)
{
    return answer_end(vm, call, false, false);
}

FUNCTION(socket_remote_address)
{
    return answer_end(vm, call, true, false);
}

FUNCTION(socket_local_port)
{
    return answer_end(vm, call, false, true);
}

FUNCTION(socket_remote_port)
{
    return answer_end(vm, call, true, true);
}

static int answer_end_size(const OsvmPrimApi *vm, OsvmCall *call, bool peer)
{
    int failure;
    Socket *socket = socket_argument(vm, call, 0, &failure);
    if (!socket)
        return failure;
    OsvmAddress address = end_address(socket, peer);
    return answer_integer(vm, call,
                          address.size ? (int64_t)(address.size + sizeof(AddressHead)) : -1);
}

static int answer_end_result(const OsvmPrimApi *vm, OsvmCall *call, bool peer)
{
    int failure;
    Socket *socket = socket_argument(vm, call, 0, &failure);
    if (!socket)
        return failure;
    OsvmAddress address = end_address(socket, peer);
    return address.size ? answer_address_into(vm, call, 1, &address, true) : OSVM_FAILED;
}

FUNCTION(socket_local_address_size)
{
    return answer_end_size(vm, call, false);
}

FUNCTION(socket_local_address_result)
{
    return answer_end_result(vm, call, false);
}

FUNCTION(socket_remote_address_size)
{
    return answer_end_size(vm, call, true);
}

FUNCTION(socket_remote_address_result)
{
    return answer_end_result(vm, call, true);
}

static int answer_pair(const OsvmPrimApi *vm, OsvmCall *call, int64_t first, int64_t second)
{
    OsvmValue pair = vm->new_array(call, 2);
    if (osvm_is_none(pair))
        return OSVM_NO_MEMORY;
    vm->put_slot(call, pair, 0, vm->from_int64(call, first));
    vm->put_slot(call, pair, 1, vm->from_int64(call, second));
    return vm->result(call, pair);
}

FUNCTION(socket_get_options)
{
    OsvmElements name;
    int failure, level, number, value = 0;
    size_t size = sizeof value;
    const OsvmWorld *world = vm->world(call);
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (!socket)
        return failure;
    if (!bytes_argument(vm, call, 1, &name) ||
        !option_find(name.data, name.count, &level, &number) ||
        world->get_option(world, socket->file, level, number, &value, &size) < 0 ||
        size > sizeof value)
        return OSVM_FAILED;
    return answer_pair(vm, call, 0, value);
}

/* A value that is a text of digits is a number; others are what the system takes. */
static size_t option_value(const OsvmElements *text, char value[32], int *number)
{
    char *end;
    memset(value, 0, 32);
    memcpy(value, text->data, text->count);
    long parsed = strtol(value, &end, 0);
    if (text->count == 0 || (size_t)(end - value) != text->count)
        return text->count;
    *number = (int)parsed;
    memcpy(value, number, sizeof *number);
    return sizeof *number;
}

FUNCTION(socket_set_options)
{
    OsvmElements name, text;
    int failure, level, option, number = 0;
    char value[32];
    const OsvmWorld *world = vm->world(call);
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (!socket)
        return failure;
    if (!bytes_argument(vm, call, 1, &name) || !bytes_argument(vm, call, 2, &text) ||
        text.count >= sizeof value || !option_find(name.data, name.count, &level, &option))
        return OSVM_FAILED;
    size_t size = option_value(&text, value, &number);
    if (world->set_option(world, socket->file, level, option, value, size) < 0)
        return OSVM_FAILED;
    return answer_pair(vm, call, 0, number);
}

/* --- Data --------------------------------------------------------------------------------- */

FUNCTION(socket_data_available)
{
    int failure;
    Socket *socket = socket_argument(vm, call, 0, &failure);
    return socket ? answer_boolean(vm, call, socket->file >= 0 && socket_can_receive(socket)) : failure;
}

FUNCTION(socket_send_done)
{
    int failure;
    Socket *socket = socket_argument(vm, call, 0, &failure);
    return socket ? answer_boolean(vm, call, socket->file >= 0 && socket_can_send(socket)) : failure;
}

/* Arguments: handle, array, start, count. What fails with TCP is told by the status. */
FUNCTION(socket_receive_data)
{
    OsvmElements array;
    uint8_t *data;
    size_t size;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (!buffer_arguments(vm, call, 1, 2, &array, &data, &size))
        return OSVM_BAD_ARGUMENT;
    if (array.read_only)
        return OSVM_NO_MODIFICATION;
    if (!socket)
        return failure;
    int64_t count = socket_receive(socket, data, size);
    return answer_integer(vm, call, count > 0 ? count / array.element_size : 0);
}

FUNCTION(socket_send_data)
{
    OsvmElements array;
    uint8_t *data;
    size_t size;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (!buffer_arguments(vm, call, 1, 2, &array, &data, &size))
        return OSVM_BAD_ARGUMENT;
    if (!socket)
        return failure;
    int64_t count = socket_send(socket, data, size, NULL);
    return answer_integer(vm, call, count > 0 ? count / array.element_size : 0);
}

/* Answers an Array of how much came, from which address and port, and whether more was cut off. */
FUNCTION(socket_receive_udp)
{
    OsvmElements array;
    uint8_t *data;
    size_t size;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (!buffer_arguments(vm, call, 1, 2, &array, &data, &size))
        return OSVM_BAD_ARGUMENT;
    if (array.read_only)
        return OSVM_NO_MODIFICATION;
    if (!socket || socket->type == TCP)
        return socket ? OSVM_FAILED : failure;
    OsvmValue answer = vm->new_array(call, 4);
    OsvmAddress before = socket->peer;
    int64_t count = osvm_is_none(answer) ? 0 : socket_receive(socket, data, size);
    OsvmAddress from = socket->peer;
    socket->peer = before;
    if (count < 0)
        return OSVM_FAILED;
    OsvmValue address = new_inet4(vm, call, &from);
    if (osvm_is_none(answer) || osvm_is_none(address))
        return OSVM_NO_MEMORY;
    vm->put_slot(call, answer, 0, vm->from_int64(call, count / array.element_size));
    vm->put_slot(call, answer, 1, address);
    vm->put_slot(call, answer, 2, vm->from_int64(call, address_port(&from) < 0 ? 0 : address_port(&from)));
    vm->put_slot(call, answer, 3, vm->from_boolean(call, false));
    return vm->result(call, answer);
}

/* Arguments: handle, array, address, port, start, count. */
FUNCTION(socket_send_udp)
{
    OsvmElements array;
    OsvmAddress address;
    uint8_t *data;
    size_t size;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    int bad_address = inet4_port_arguments(vm, call, 2, 3, &address);
    if (bad_address)
        return bad_address;
    if (!buffer_arguments(vm, call, 1, 4, &array, &data, &size))
        return OSVM_BAD_ARGUMENT;
    if (!socket || socket->type == TCP)
        return socket ? OSVM_FAILED : failure;
    int64_t count = socket_send(socket, data, size, &address);
    return count < 0 ? OSVM_FAILED : answer_integer(vm, call, count / array.element_size);
}
