/* Primitives: sockets are opened, connected and closed. */
#include "call.h"

/* --- Opening and closing -------------------------------------------------------------- */

static int create(const OsvmPrimApi *vm, OsvmCall *call, bool three)
{
    Module *module = module_of(vm, call);
    int64_t family, type;
    unsigned semaphores[WAKEUPS];
    int error;
    if (!osvm_small_argument(vm, call, 0, &family) || !osvm_small_argument(vm, call, 1, &type) ||
        !semaphore_arguments(vm, call, 4, three, semaphores))
        return OSVM_BAD_ARGUMENT;
    if (!module->started || family < OSVM_ANY_FAMILY || family > OSVM_INET6 ||
        (type != TCP && type != UDP))
        return OSVM_FAILED;
    Socket *socket = socket_open(module, family ? (OsvmFamily)family : OSVM_INET4, (int)type,
                                 semaphores, &error);
    return socket ? answer_socket(vm, call, socket) : os_failure(vm, call, error);
}

FUNCTION(socket_create)
{
    return vm->arg_count(call) == 5 ? create(vm, call, false) : OSVM_BAD_ARG_COUNT;
}

FUNCTION(socket_create_3)
{
    return vm->arg_count(call) == 7 ? create(vm, call, true) : OSVM_BAD_ARG_COUNT;
}

static int accept_from(const OsvmPrimApi *vm, OsvmCall *call, bool three)
{
    unsigned semaphores[WAKEUPS];
    int failure;
    Socket *server = open_argument(vm, call, 0, &failure);
    if (!semaphore_arguments(vm, call, 3, three, semaphores))
        return OSVM_BAD_ARGUMENT;
    if (!server || !server->listening || !server->serves_many)
        return server ? OSVM_FAILED : failure;
    int file = socket_take_accepted(server);
    if (file < 0)
        return OSVM_FAILED;
    Socket *socket = socket_adopt(server->module, file, server->family, semaphores);
    return socket ? answer_socket(vm, call, socket) : OSVM_NO_C_MEMORY;
}

FUNCTION(socket_accept)
{
    return vm->arg_count(call) == 4 ? accept_from(vm, call, false) : OSVM_BAD_ARG_COUNT;
}

FUNCTION(socket_accept_3)
{
    return vm->arg_count(call) == 6 ? accept_from(vm, call, true) : OSVM_BAD_ARG_COUNT;
}

/* What can be done with a socket that is perhaps closed already. */
static int end_socket(const OsvmPrimApi *vm, OsvmCall *call, void (*end)(Socket *socket))
{
    int failure;
    Socket *socket = socket_argument(vm, call, 0, &failure);
    if (!socket)
        return failure;
    end(socket);
    return vm->result_receiver(call);
}

static void destroy(Socket *socket)
{
    socket_abort(socket);
    module_remove(socket->module, socket);
}

FUNCTION(socket_close_connection)
{
    return end_socket(vm, call, socket_close);
}

FUNCTION(socket_abort_connection)
{
    return end_socket(vm, call, socket_abort);
}

FUNCTION(socket_destroy)
{
    return end_socket(vm, call, destroy);
}

/* --- Binding, listening, connecting --------------------------------------------------- */

/* 0 or the error. */
static int bind_socket(const OsvmPrimApi *vm, OsvmCall *call, Socket *socket, const OsvmAddress *address)
{
    const OsvmWorld *world = vm->world(call);
    int error = -world->bind(world, socket->file, address);
    if (error)
        socket->error = error;
    return error;
}

static int end_with(const OsvmPrimApi *vm, OsvmCall *call, int error)
{
    return error ? os_failure(vm, call, error) : vm->result_receiver(call);
}

static int listen_on(const OsvmPrimApi *vm, OsvmCall *call, Socket *socket, int64_t port,
                     int64_t backlog, const uint8_t *interface)
{
    OsvmAddress address;
    if (port < 0 || port > UINT16_MAX || (backlog > 1 && socket->type != TCP))
        return OSVM_FAILED;
    address_set_inet4(&address, interface, (unsigned)port);
    int error = bind_socket(vm, call, socket, &address);
    if (!error && socket->type == TCP)
        error = socket_listen(socket, backlog > INT32_MAX ? INT32_MAX : (int)backlog);
    return end_with(vm, call, error);
}

/* Arguments: handle, port, and perhaps backlog and interface. */
FUNCTION(socket_listen_on_port)
{
    static const uint8_t any[4];
    const uint8_t *interface = any;
    int64_t port, backlog = 1;
    int failure;
    unsigned count = vm->arg_count(call);
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (count < 2 || count > 4)
        return OSVM_BAD_ARG_COUNT;
    if (!osvm_small_argument(vm, call, 1, &port) ||
        (count > 2 && !osvm_small_argument(vm, call, 2, &backlog)))
        return OSVM_BAD_ARGUMENT;
    int bad_interface = count > 3 ? inet4_argument(vm, call, 3, &interface) : OSVM_SUCCESS;
    if (bad_interface)
        return bad_interface;
    return socket ? listen_on(vm, call, socket, port, backlog, interface) : failure;
}

FUNCTION(socket_listen_with_backlog)
{
    int64_t backlog;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (!osvm_small_argument(vm, call, 1, &backlog))
        return OSVM_BAD_ARGUMENT;
    if (!socket || (backlog > 1 && socket->type != TCP))
        return socket ? OSVM_FAILED : failure;
    if (socket->type != TCP)
        return vm->result_receiver(call);
    return end_with(vm, call, socket_listen(socket, backlog > INT32_MAX ? INT32_MAX : (int)backlog));
}

FUNCTION(socket_bind_to_port)
{
    OsvmAddress address;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    int bad_address = inet4_port_arguments(vm, call, 1, 2, &address);
    if (bad_address)
        return bad_address;
    return socket ? end_with(vm, call, bind_socket(vm, call, socket, &address)) : failure;
}

FUNCTION(socket_bind_to)
{
    OsvmAddress address;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (!socket)
        return failure;
    return address_argument(vm, call, 1, &address) ? end_with(vm, call, bind_socket(vm, call, socket, &address))
                                                   : OSVM_FAILED;
}

/* That a connection is refused is told by status and semaphore. */
FUNCTION(socket_connect_to_port)
{
    OsvmAddress address;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    int bad_address = inet4_port_arguments(vm, call, 1, 2, &address);
    if (bad_address)
        return bad_address;
    if (!socket)
        return failure;
    socket_connect(socket, &address);
    return vm->result_receiver(call);
}

FUNCTION(socket_connect_to)
{
    OsvmAddress address;
    int failure;
    Socket *socket = open_argument(vm, call, 0, &failure);
    if (!socket || !address_argument(vm, call, 1, &address))
        return socket ? OSVM_FAILED : failure;
    socket_connect(socket, &address);
    return vm->result_receiver(call);
}
