/* Options of sockets by the names images use. */
#include "socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static const struct {
    const char *name;
    int level, number;
} options[] = {
    {"SO_DEBUG", SOL_SOCKET, SO_DEBUG},
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR},
    {"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT},
    {"SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE},
    {"SO_BROADCAST", SOL_SOCKET, SO_BROADCAST},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF},
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
    {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE},
    {"SO_LINGER", SOL_SOCKET, SO_LINGER},
    {"IP_TTL", IPPROTO_IP, IP_TTL},
    {"IP_HDRINCL", IPPROTO_IP, IP_HDRINCL},
    {"IP_MULTICAST_IF", IPPROTO_IP, IP_MULTICAST_IF},
    {"IP_MULTICAST_TTL", IPPROTO_IP, IP_MULTICAST_TTL},
    {"IP_MULTICAST_LOOP", IPPROTO_IP, IP_MULTICAST_LOOP},
    {"IP_ADD_MEMBERSHIP", IPPROTO_IP, IP_ADD_MEMBERSHIP},
    {"IP_DROP_MEMBERSHIP", IPPROTO_IP, IP_DROP_MEMBERSHIP},
    {"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},
    {"TCP_CORK", IPPROTO_TCP, TCP_CORK},
};

bool option_find(const char *name, size_t size, int *level, int *number)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0) {
            *level = options[i].level;
            *number = options[i].number;
            return true;
        }
    return false;
}
