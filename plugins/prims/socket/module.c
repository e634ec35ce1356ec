/* The module SocketPlugin: TCP and UDP over IPv4, IPv6 and local sockets, and names of hosts. */
#include "call.h"

#include <stdlib.h>

/* --- Sockets of the module ------------------------------------------------------- */

bool module_add(Module *module, Socket *socket)
{
    uint32_t slot = 0;
    while (slot < module->count && module->sockets[slot])
        slot++;
    if (slot == module->count) {
        uint32_t count = module->count * 2 + 8;
        Socket **grown = realloc(module->sockets, count * sizeof *grown);
        if (!grown)
            return false;
        for (uint32_t i = module->count; i < count; i++)
            grown[i] = NULL;
        module->sockets = grown;
        module->count = count;
    }
    module->sockets[slot] = socket;
    socket->slot = slot;
    socket->generation = ++module->generations;
    return true;
}

void module_remove(Module *module, Socket *socket)
{
    socket_close(socket);
    module->sockets[socket->slot] = NULL;
    free(socket);
}

/* --- The table ------------------------------------------------------------------------------ */

static bool start(void *state, const OsvmPrimApi *api, void *vm)
{
    Module *module = state;
    module->api = api;
    module->vm = vm;
    resolver_start(&module->resolver, api, vm);
    return true;
}

static void close_all(Module *module)
{
    for (uint32_t i = 0; i < module->count; i++)
        if (module->sockets[i])
            module_remove(module, module->sockets[i]);
}

static void stop(void *state)
{
    Module *module = state;
    close_all(module);
    free(module->sockets);
    resolver_stop(&module->resolver);
}

static void session(void *state)
{
    Module *module = state;
    close_all(module);
    resolver_give_up(&module->resolver);
    module->started = module->name_known = false;
    module->found_count = 0;
}

static void fork_before(void *state)
{
    resolver_rest(&((Module *)state)->resolver);
}

enum { WORLD = OSVM_TOUCHES_WORLD, BOTH = OSVM_TOUCHES_WORLD | OSVM_MAY_ALLOCATE };

static const OsvmPrim functions[] = {
    {"primitiveInitializeNetwork", initialize_network, 0, WORLD},
    {"primitiveHasSocketAccess", has_socket_access, -1, 0},
    {"primitiveResolverStatus", resolver_status_number, -1, WORLD},
    {"primitiveResolverError", resolver_error_number, -1, WORLD},
    {"primitiveResolverAbortLookup", resolver_abort, -1, WORLD},
    {"primitiveResolverStartNameLookup", resolver_start_name, 0, WORLD},
    {"primitiveResolverStartAddressLookup", resolver_start_address, 0, WORLD},
    {"primitiveResolverNameLookupResult", resolver_name_result, -1, BOTH},
    {"primitiveResolverAddressLookupResult", resolver_address_result, -1, BOTH},
    {"primitiveResolverLocalAddress", resolver_local_address, -1, BOTH},
    {"primitiveResolverHostNameSize", resolver_host_name_size, -1, WORLD},
    {"primitiveResolverHostNameResult", resolver_host_name_result, 0, WORLD},
    {"primitiveResolverGetAddressInfo", get_address_info, 0, WORLD},
    {"primitiveResolverGetAddressInfoSize", address_info_size, -1, WORLD},
    {"primitiveResolverGetAddressInfoResult", address_info_result, 0, WORLD},
    {"primitiveResolverGetAddressInfoFamily", address_info_family, -1, WORLD},
    {"primitiveResolverGetAddressInfoType", address_info_type, -1, WORLD},
    {"primitiveResolverGetAddressInfoProtocol", address_info_protocol, -1, WORLD},
    {"primitiveResolverGetAddressInfoNext", address_info_next, -1, WORLD},
    {"primitiveResolverGetNameInfo", get_name_info, 0, WORLD},
    {"primitiveResolverGetNameInfoHostSize", name_info_host_size, -1, WORLD},
    {"primitiveResolverGetNameInfoHostResult", name_info_host_result, 0, WORLD},
    {"primitiveResolverGetNameInfoServiceSize", name_info_service_size, -1, WORLD},
    {"primitiveResolverGetNameInfoServiceResult", name_info_service_result, 0, WORLD},
    {"primitiveSocketAddressGetPort", address_get_port, 0, WORLD},
    {"primitiveSocketAddressSetPort", address_put_port, 0, WORLD},
    {"primitiveSocketCreate", socket_create, 0, BOTH},
    {"primitiveSocketCreate3Semaphores", socket_create_3, 0, BOTH},
    {"primitiveSocketAccept", socket_accept, 0, BOTH},
    {"primitiveSocketAccept3Semaphores", socket_accept_3, 0, BOTH},
    {"primitiveSocketCloseConnection", socket_close_connection, 0, WORLD},
    {"primitiveSocketAbortConnection", socket_abort_connection, 0, WORLD},
    {"primitiveSocketDestroy", socket_destroy, 0, WORLD},
    {"primitiveSocketListenOnPort", socket_listen_on_port, 0, WORLD},
    {"primitiveSocketListenOnPortBacklog", socket_listen_on_port, 0, WORLD},
    {"primitiveSocketListenOnPortBacklogInterface", socket_listen_on_port, 0, WORLD},
    {"primitiveSocketListenWithOrWithoutBacklog", socket_listen_on_port, 0, WORLD},
    {"primitiveSocketListenWithBacklog", socket_listen_with_backlog, 0, WORLD},
    {"primitiveSocketBindToPort", socket_bind_to_port, 0, WORLD},
    {"primitiveSocketBindTo", socket_bind_to, 0, WORLD},
    {"primitiveSocketConnectToPort", socket_connect_to_port, 0, WORLD},
    {"primitiveSocketConnectTo", socket_connect_to, 0, WORLD},
    {"primitiveSocketConnectionStatus", socket_status, 0, WORLD},
    {"primitiveSocketError", socket_error, 0, WORLD},
    {"primitiveSocketLocalAddress", socket_local_address, 0, BOTH},
    {"primitiveSocketRemoteAddress", socket_remote_address, 0, BOTH},
    {"primitiveSocketLocalPort", socket_local_port, 0, WORLD},
    {"primitiveSocketRemotePort", socket_remote_port, 0, WORLD},
    {"primitiveSocketLocalAddressSize", socket_local_address_size, 0, WORLD},
    {"primitiveSocketLocalAddressResult", socket_local_address_result, 0, WORLD},
    {"primitiveSocketRemoteAddressSize", socket_remote_address_size, 0, WORLD},
    {"primitiveSocketRemoteAddressResult", socket_remote_address_result, 0, WORLD},
    {"primitiveSocketGetOptions", socket_get_options, 0, BOTH},
    {"primitiveSocketSetOptions", socket_set_options, 0, BOTH},
    {"primitiveSocketReceiveDataAvailable", socket_data_available, 0, WORLD},
    {"primitiveSocketSendDone", socket_send_done, 0, WORLD},
    {"primitiveSocketReceiveDataBufCount", socket_receive_data, 0, WORLD},
    {"primitiveSocketSendDataBufCount", socket_send_data, 0, WORLD},
    {"primitiveSocketReceiveUDPDataBufCount", socket_receive_udp, 0, BOTH},
    {"primitiveSocketSendUDPDataBufCount", socket_send_udp, 0, WORLD},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "SocketPlugin",
    .functions = functions,
    .start = start,
    .stop = stop,
    .session = session,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "socket",
    .version = OSVM_VERSION,
    .summary = "sockets and names of hosts",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
    .state_size = sizeof(Module),
    .state_version = 1,
    .fork_before = fork_before,
};
