/* Addresses of the internet, as the system writes them. */
#include "socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static sa_family_t family_of(const OsvmAddress *address)
{
    const struct sockaddr *any = (const struct sockaddr *)address->bytes;
    return address->size >= sizeof(sa_family_t) ? any->sa_family : AF_UNSPEC;
}

/* Where the port stands; NULL: nowhere. */
static in_port_t *port_place(OsvmAddress *address)
{
    if (family_of(address) == AF_INET && address->size >= sizeof(struct sockaddr_in))
        return &((struct sockaddr_in *)address->bytes)->sin_port;
    if (family_of(address) == AF_INET6 && address->size >= sizeof(struct sockaddr_in6))
        return &((struct sockaddr_in6 *)address->bytes)->sin6_port;
    return NULL;
}

void address_set_inet4(OsvmAddress *address, const uint8_t bytes[4], unsigned port)
{
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    memcpy(&inet.sin_addr, bytes, 4);
    address->size = sizeof inet;
    memcpy(address->bytes, &inet, sizeof inet);
}

bool address_get_inet4(const OsvmAddress *address, uint8_t bytes[4])
{
    const struct sockaddr_in *inet = (const struct sockaddr_in *)address->bytes;
    bool fits = family_of(address) == AF_INET && address->size >= sizeof *inet;
    if (fits)
        memcpy(bytes, &inet->sin_addr, 4);
    else
        memset(bytes, 0, 4);
    return fits;
}

int address_port(const OsvmAddress *address)
{
    const in_port_t *port = port_place((OsvmAddress *)address);
    return port ? ntohs(*port) : -1;
}

bool address_set_port(OsvmAddress *address, unsigned port)
{
    in_port_t *place = port_place(address);
    if (place)
        *place = htons((uint16_t)port);
    return place != NULL;
}
