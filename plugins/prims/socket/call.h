/* Arguments and results of the module's functions.
 *
 * A handle is a ByteArray of the session, the type, and slot and generation of a socket, so that a
 * stale or forged one is noticed. An address is a ByteArray of the session, the size of what
 * follows, and the system's own form. An IPv4 address of the older functions is a ByteArray of four.
 */
#ifndef OSVM_PRIMS_SOCKET_CALL_H
#define OSVM_PRIMS_SOCKET_CALL_H

#include "socket.h"

#define FUNCTION(name) int name(const OsvmPrimApi *vm, OsvmCall *call)

typedef struct {
    uint32_t session, type, slot, generation;
} Handle;

typedef struct {
    uint32_t session, size;
} AddressHead;

Module *module_of(const OsvmPrimApi *vm, OsvmCall *call);
bool bytes_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, OsvmElements *bytes);
Socket *socket_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, int *failure);
Socket *open_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, int *failure);
int inet4_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, const uint8_t **bytes);
int inet4_port_arguments(const OsvmPrimApi *vm, OsvmCall *call, int address_index,
                                int port_index, OsvmAddress *address);
bool address_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, OsvmAddress *address);
bool buffer_arguments(const OsvmPrimApi *vm, OsvmCall *call, int array_index,
                             int start_index, OsvmElements *array, uint8_t **data, size_t *size);
bool semaphore_arguments(const OsvmPrimApi *vm, OsvmCall *call, int index, bool three,
                                unsigned semaphores[WAKEUPS]);
int os_failure(const OsvmPrimApi *vm, OsvmCall *call, int error);
int answer_integer(const OsvmPrimApi *vm, OsvmCall *call, int64_t value);
int answer_boolean(const OsvmPrimApi *vm, OsvmCall *call, bool value);
OsvmValue new_bytes(const OsvmPrimApi *vm, OsvmCall *call, const void *bytes, size_t size);
OsvmValue new_inet4(const OsvmPrimApi *vm, OsvmCall *call, const OsvmAddress *address);
int answer_into(const OsvmPrimApi *vm, OsvmCall *call, int index, const void *head,
                       size_t head_size, const void *rest, size_t rest_size, bool exact);
int answer_address_into(const OsvmPrimApi *vm, OsvmCall *call, int index,
                               const OsvmAddress *address, bool exact);
int answer_text_into(const OsvmPrimApi *vm, OsvmCall *call, const char *text);
int answer_socket(const OsvmPrimApi *vm, OsvmCall *call, Socket *socket);

/* --- The functions, by file ------------------------------------------------------ */

/* names.c */
FUNCTION(initialize_network);
FUNCTION(has_socket_access);
FUNCTION(resolver_status_number);
FUNCTION(resolver_error_number);
FUNCTION(resolver_abort);
FUNCTION(resolver_start_name);
FUNCTION(resolver_start_address);
FUNCTION(resolver_name_result);
FUNCTION(resolver_address_result);
FUNCTION(resolver_local_address);
FUNCTION(resolver_host_name_size);
FUNCTION(resolver_host_name_result);
FUNCTION(get_address_info);
FUNCTION(address_info_size);
FUNCTION(address_info_result);
FUNCTION(address_info_family);
FUNCTION(address_info_type);
FUNCTION(address_info_protocol);
FUNCTION(address_info_next);
FUNCTION(get_name_info);
FUNCTION(name_info_host_size);
FUNCTION(name_info_host_result);
FUNCTION(name_info_service_size);
FUNCTION(name_info_service_result);
FUNCTION(address_get_port);
FUNCTION(address_put_port);

/* connect.c */
FUNCTION(socket_create);
FUNCTION(socket_create_3);
FUNCTION(socket_accept);
FUNCTION(socket_accept_3);
FUNCTION(socket_close_connection);
FUNCTION(socket_abort_connection);
FUNCTION(socket_destroy);
FUNCTION(socket_listen_on_port);
FUNCTION(socket_listen_with_backlog);
FUNCTION(socket_bind_to_port);
FUNCTION(socket_bind_to);
FUNCTION(socket_connect_to_port);
FUNCTION(socket_connect_to);

/* transfer.c */
FUNCTION(socket_status);
FUNCTION(socket_error);
FUNCTION(socket_local_address);
FUNCTION(socket_remote_address);
FUNCTION(socket_local_port);
FUNCTION(socket_remote_port);
FUNCTION(socket_local_address_size);
FUNCTION(socket_local_address_result);
FUNCTION(socket_remote_address_size);
FUNCTION(socket_remote_address_result);
FUNCTION(socket_get_options);
FUNCTION(socket_set_options);
FUNCTION(socket_data_available);
FUNCTION(socket_send_done);
FUNCTION(socket_receive_data);
FUNCTION(socket_send_data);
FUNCTION(socket_receive_udp);
FUNCTION(socket_send_udp);

#endif
