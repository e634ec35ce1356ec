/* Primitives: the network, and names and addresses of hosts. */
#include "call.h"

#include <string.h>

/* --- The network, and names of hosts ---------------------------------------------- */

FUNCTION(initialize_network)
{
    Module *module = module_of(vm, call);
    int64_t semaphore;
    if (!osvm_small_argument(vm, call, 0, &semaphore))
        return OSVM_BAD_ARGUMENT;
    if (!module->started)
        module->resolver.semaphore = semaphore > 0 ? (unsigned)semaphore : 0;
    module->started = true;
    return vm->result_receiver(call);
}

FUNCTION(has_socket_access)
{
    return answer_boolean(vm, call, true);
}

FUNCTION(resolver_status_number)
{
    Module *module = module_of(vm, call);
    return answer_integer(vm, call, module->started ? resolver_status(&module->resolver)
                                                    : LOOKUP_UNUSED);
}

FUNCTION(resolver_error_number)
{
    return answer_integer(vm, call, resolver_error(&module_of(vm, call)->resolver));
}

FUNCTION(resolver_abort)
{
    resolver_give_up(&module_of(vm, call)->resolver);
    return vm->result_receiver(call);
}

/* Text of an argument, closed by a zero; false if it does not fit or has zeros in it. */
static bool text_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, char *text, size_t size)
{
    OsvmElements bytes;
    if (!bytes_argument(vm, call, index, &bytes) || bytes.count >= size ||
        memchr(bytes.data, 0, bytes.count))
        return false;
    memcpy(text, bytes.data, bytes.count);
    text[bytes.count] = 0;
    return true;
}

FUNCTION(resolver_start_name)
{
    Module *module = module_of(vm, call);
    char name[1025];
    if (!text_argument(vm, call, 0, name, sizeof name))
        return OSVM_BAD_ARGUMENT;
    if (!module->started || !resolver_find_name(&module->resolver, module->world, name))
        return OSVM_FAILED;
    return vm->result_receiver(call);
}

FUNCTION(resolver_start_address)
{
    Module *module = module_of(vm, call);
    const uint8_t *bytes;
    OsvmAddress address;
    int failure = inet4_argument(vm, call, 0, &bytes);
    if (failure)
        return failure;
    address_set_inet4(&address, bytes, 0);
    if (!module->started || !resolver_find_address(&module->resolver, module->world, &address))
        return OSVM_FAILED;
    return vm->result_receiver(call);
}

FUNCTION(resolver_name_result)
{
    const OsvmAddress *address = resolver_found_address(&module_of(vm, call)->resolver);
    return vm->result(call, address ? new_inet4(vm, call, address) : vm->nil(call));
}

FUNCTION(resolver_address_result)
{
    const char *name = resolver_found_name(&module_of(vm, call)->resolver);
    return vm->result(call, vm->from_string(call, name ? name : "", name ? strlen(name) : 0));
}

FUNCTION(resolver_local_address)
{
    const OsvmWorld *world = vm->world(call);
    OsvmAddress address = {0};
    int error = world->host_address(world, OSVM_INET4, &address);
    if (error == -EPERM)
        return os_failure(vm, call, -error);
    if (error < 0)
        address.size = 0;
    return vm->result(call, new_inet4(vm, call, &address));
}

FUNCTION(resolver_host_name_size)
{
    const OsvmWorld *world = vm->world(call);
    char name[1025];
    return world->host_name(world, name, sizeof name) < 0
               ? OSVM_FAILED
               : answer_integer(vm, call, (int64_t)strlen(name));
}

FUNCTION(resolver_host_name_result)
{
    const OsvmWorld *world = vm->world(call);
    char name[1025];
    return world->host_name(world, name, sizeof name) < 0 ? OSVM_FAILED
                                                          : answer_text_into(vm, call, name);
}

/* --- Addresses of hosts and services ------------------------------------------------ */

/* Arguments: host, service, flags, family, type, protocol. An empty text is none. */
FUNCTION(get_address_info)
{
    Module *module = module_of(vm, call);
    char host[1025], service[1025];
    int64_t flags, family, type, protocol;
    if (!text_argument(vm, call, 0, host, sizeof host) ||
        !text_argument(vm, call, 1, service, sizeof service) ||
        !osvm_small_argument(vm, call, 2, &flags) || !osvm_small_argument(vm, call, 3, &family) ||
        !osvm_small_argument(vm, call, 4, &type) || !osvm_small_argument(vm, call, 5, &protocol))
        return OSVM_BAD_ARGUMENT;
    module->found_count = module->found_index = 0;
    if (!module->started || family < OSVM_ANY_FAMILY || family > OSVM_INET6 ||
        type < OSVM_ANY_TYPE || type > OSVM_DATAGRAM || protocol < OSVM_ANY_PROTOCOL ||
        protocol > OSVM_UDP)
        return OSVM_FAILED;
    OsvmLookup lookup = {
        .host = *host ? host : NULL, .service = *service ? service : NULL,
        .flags = (unsigned)flags & (OSVM_NUMERIC | OSVM_PASSIVE), .family = (OsvmFamily)family,
        .type = (OsvmSocketType)type, .protocol = (OsvmProtocol)protocol,
    };
    int count = module->world->resolve(module->world, &lookup, module->found,
                                       sizeof module->found / sizeof *module->found);
    module->found_count = count > 0 ? count : 0;
    vm->signal_semaphore(module->vm, module->resolver.semaphore);
    return vm->result_receiver(call);
}

/* NULL: there is none (any more). */
static const OsvmFound *current_found(const OsvmPrimApi *vm, OsvmCall *call)
{
    const Module *module = module_of(vm, call);
    return module->found_index < module->found_count ? &module->found[module->found_index] : NULL;
}

FUNCTION(address_info_size)
{
    const OsvmFound *found = current_found(vm, call);
    return answer_integer(vm, call, found ? (int64_t)(found->address.size + sizeof(AddressHead)) : -1);
}

FUNCTION(address_info_result)
{
    const OsvmFound *found = current_found(vm, call);
    return found ? answer_address_into(vm, call, 0, &found->address, false) : OSVM_FAILED;
}

FUNCTION(address_info_family)
{
    const OsvmFound *found = current_found(vm, call);
    return found ? answer_integer(vm, call, found->family) : OSVM_FAILED;
}

FUNCTION(address_info_type)
{
    const OsvmFound *found = current_found(vm, call);
    return found ? answer_integer(vm, call, found->type) : OSVM_FAILED;
}

FUNCTION(address_info_protocol)
{
    const OsvmFound *found = current_found(vm, call);
    return found ? answer_integer(vm, call, found->protocol) : OSVM_FAILED;
}

FUNCTION(address_info_next)
{
    Module *module = module_of(vm, call);
    if (module->found_index < module->found_count)
        module->found_index++;
    return answer_boolean(vm, call, module->found_index < module->found_count);
}

FUNCTION(get_name_info)
{
    Module *module = module_of(vm, call);
    OsvmAddress address;
    int64_t flags;
    if (!osvm_small_argument(vm, call, 1, &flags))
        return OSVM_BAD_ARGUMENT;
    module->name_known = false;
    if (!address_argument(vm, call, 0, &address) ||
        module->world->resolve_address(module->world, &address, (unsigned)flags & OSVM_NUMERIC,
                                       module->host, sizeof module->host, module->service,
                                       sizeof module->service) < 0)
        return OSVM_FAILED;
    module->name_known = true;
    vm->signal_semaphore(module->vm, module->resolver.semaphore);
    return vm->result_receiver(call);
}

FUNCTION(name_info_host_size)
{
    Module *module = module_of(vm, call);
    return module->name_known ? answer_integer(vm, call, (int64_t)strlen(module->host)) : OSVM_FAILED;
}

FUNCTION(name_info_host_result)
{
    Module *module = module_of(vm, call);
    return module->name_known ? answer_text_into(vm, call, module->host) : OSVM_FAILED;
}

FUNCTION(name_info_service_size)
{
    Module *module = module_of(vm, call);
    return module->name_known ? answer_integer(vm, call, (int64_t)strlen(module->service))
                              : OSVM_FAILED;
}

FUNCTION(name_info_service_result)
{
    Module *module = module_of(vm, call);
    return module->name_known ? answer_text_into(vm, call, module->service) : OSVM_FAILED;
}

FUNCTION(address_get_port)
{
    OsvmAddress address;
    if (!address_argument(vm, call, 0, &address) || address_port(&address) < 0)
        return OSVM_FAILED;
    return answer_integer(vm, call, address_port(&address));
}

FUNCTION(address_put_port)
{
    OsvmAddress address;
    int64_t port;
    if (!osvm_small_argument(vm, call, 1, &port))
        return OSVM_BAD_ARGUMENT;
    if (port < 0 || port > UINT16_MAX || !address_argument(vm, call, 0, &address) ||
        !address_set_port(&address, (unsigned)port))
        return OSVM_FAILED;
    return answer_address_into(vm, call, 0, &address, true);
}
