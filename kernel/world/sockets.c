/* The live world: sockets, and names of hosts. */
#include "worlds.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The system's numbers, by ours. */
static const int families[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6};
static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM};
static const int protocols[] = {0, IPPROTO_TCP, IPPROTO_UDP};

static int64_t result(int64_t answer)
{
    return answer < 0 ? -errno : answer;
}

static int our_number(const int *numbers, int count, int number)
{
    for (int i = 1; i < count; i++)
        if (numbers[i] == number)
            return i;
    return 0;
}

static const struct sockaddr *sockaddr_of(const OsvmAddress *address)
{
    return (const struct sockaddr *)address->bytes;
}

static void set_address(OsvmAddress *to, const void *from, size_t size)
{
    to->size = (uint32_t)(size < sizeof to->bytes ? size : sizeof to->bytes);
    memcpy(to->bytes, from, to->size);
}

/* --- Connections ---------------------------------------------------------- */

static int live_socket(const OsvmWorld *world, OsvmFamily family, OsvmSocketType type)
{
    return (int)result(socket(families[family], types[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int live_bind(const OsvmWorld *world, int file, const OsvmAddress *address)
{
    return (int)result(bind(file, sockaddr_of(address), address->size));
}

static int live_listen(const OsvmWorld *world, int file, int backlog)
{
    return (int)result(listen(file, backlog));
}

static int live_accept(const OsvmWorld *world, int file)
{
    return (int)result(accept4(file, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static int live_connect(const OsvmWorld *world, int file, const OsvmAddress *address)
{
    return (int)result(connect(file, sockaddr_of(address), address->size));
}

static int64_t live_send(const OsvmWorld *world, int file, const void *data, size_t size,
                         const OsvmAddress *address)
{
    return result(sendto(file, data, size, MSG_NOSIGNAL | MSG_DONTWAIT,
                         address ? sockaddr_of(address) : NULL, address ? address->size : 0));
}

static int64_t live_receive(const OsvmWorld *world, int file, void *data, size_t size, bool peek,
                            OsvmAddress *address)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int64_t count = result(recvfrom(file, data, size, MSG_DONTWAIT | (peek ? MSG_PEEK : 0),
                                    (struct sockaddr *)&from, &length));
    if (address)
        set_address(address, &from, count < 0 ? 0 : length);
    return count;
}

static int live_socket_address(const OsvmWorld *world, int file, bool peer, OsvmAddress *address)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int answer = peer ? getpeername(file, (struct sockaddr *)&name, &length)
                      : getsockname(file, (struct sockaddr *)&name, &length);
    if (answer < 0)
        return -errno;
    set_address(address, &name, length);
    return 0;
}

static int live_get_option(const OsvmWorld *world, int file, int level, int name, void *value,
                           size_t *size)
{
    socklen_t length = (socklen_t)*size;
    if (getsockopt(file, level, name, value, &length) < 0)
        return -errno;
    *size = length;
    return 0;
}

static int live_set_option(const OsvmWorld *world, int file, int level, int name,
                           const void *value, size_t size)
{
    return (int)result(setsockopt(file, level, name, value, (socklen_t)size));
}

static int live_poll(const OsvmWorld *world, int file, unsigned events)
{
    struct pollfd polled = {.fd = file};
    polled.events = (short)((events & OSVM_READABLE ? POLLIN : 0) |
                            (events & OSVM_WRITABLE ? POLLOUT : 0));
    if (poll(&polled, 1, 0) < 0)
        return -errno;
    unsigned ready = (polled.revents & POLLIN ? OSVM_READABLE : 0) |
                     (polled.revents & POLLOUT ? OSVM_WRITABLE : 0) |
                     (polled.revents & (POLLERR | POLLHUP | POLLNVAL) ? OSVM_BROKEN : 0);
    return (int)(ready & (events | OSVM_BROKEN));
}

/* --- Names ---------------------------------------------------------------- */

static int live_resolve(const OsvmWorld *world, const OsvmLookup *lookup, OsvmFound *found,
                        size_t room)
{
    struct addrinfo *list, hints = {
        .ai_flags = (lookup->flags & OSVM_NUMERIC ? AI_NUMERICHOST : 0) |
                    (lookup->flags & OSVM_PASSIVE ? AI_PASSIVE : 0),
        .ai_family = families[lookup->family],
        .ai_socktype = types[lookup->type],
        .ai_protocol = protocols[lookup->protocol],
    };
    int failure = getaddrinfo(lookup->host, lookup->service, &hints, &list);
    if (failure)
        return failure < 0 ? failure : EAI_FAIL;
    size_t count = 0;
    for (struct addrinfo *info = list; info && count < room; info = info->ai_next, count++) {
        found[count].family = our_number(families, 4, info->ai_family);
        found[count].type = our_number(types, 3, info->ai_socktype);
        found[count].protocol = our_number(protocols, 3, info->ai_protocol);
        set_address(&found[count].address, info->ai_addr, info->ai_addrlen);
    }
    freeaddrinfo(list);
    return (int)count;
}

static int live_resolve_address(const OsvmWorld *world, const OsvmAddress *address, unsigned flags,
                                char *host, size_t host_size, char *service, size_t service_size)
{
    int how = flags & OSVM_NUMERIC ? NI_NUMERICHOST | NI_NUMERICSERV : 0;
    int failure = getnameinfo(sockaddr_of(address), address->size, host, (socklen_t)host_size,
                              service, (socklen_t)service_size, how | NI_NOFQDN);
    return failure <= 0 ? failure : EAI_FAIL;
}

static int live_host_name(const OsvmWorld *world, char *name, size_t size)
{
    int answer = (int)result(gethostname(name, size));
    name[size - 1] = 0;
    return answer;
}

static int live_host_address(const OsvmWorld *world, OsvmFamily family, OsvmAddress *address)
{
    struct ifaddrs *list;
    int answer = -ENODEV;
    if (getifaddrs(&list) < 0)
        return -errno;
    for (struct ifaddrs *each = list; each && answer < 0; each = each->ifa_next) {
        if (!each->ifa_addr || each->ifa_addr->sa_family != families[family] ||
            !(each->ifa_flags & IFF_RUNNING) || each->ifa_flags & IFF_LOOPBACK)
            continue;
        set_address(address, each->ifa_addr,
                    family == OSVM_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        answer = 0;
    }
    freeifaddrs(list);
    return answer;
}

void live_sockets_fill(OsvmWorld *world)
{
    world->socket = live_socket;
    world->bind = live_bind;
    world->listen = live_listen;
    world->accept = live_accept;
    world->connect = live_connect;
    world->send = live_send;
    world->receive = live_receive;
    world->socket_address = live_socket_address;
    world->get_option = live_get_option;
    world->set_option = live_set_option;
    world->poll = live_poll;
    world->resolve = live_resolve;
    world->resolve_address = live_resolve_address;
    world->host_name = live_host_name;
    world->host_address = live_host_address;
}
