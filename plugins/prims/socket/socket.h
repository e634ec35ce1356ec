/* Sockets of an image, and its lookups of names. */
#ifndef OSVM_PRIMS_SOCKET_H
#define OSVM_PRIMS_SOCKET_H

#include <pthread.h>
#include <stdatomic.h>

#include "osvm/prims.h"
#include "osvm/world.h"

/* What an image knows of a connection. */
typedef enum Status {
    INVALID = -1,
    UNCONNECTED = 0,
    WAITING = 1, /* for a connection: listening or connecting */
    CONNECTED = 2,
    OTHER_END_CLOSED = 3,
    THIS_END_CLOSED = 4,
} Status;

/* Types of sockets in an image's numbers. */
enum { TCP, UDP };

/* The semaphores an image gives with a socket. */
typedef enum Wakeup { ON_CONNECTION, ON_READ, ON_WRITE, WAKEUPS } Wakeup;

typedef struct Module Module;

typedef struct Socket {
    Module *module;
    uint32_t slot, generation; /* part of every handle */
    int file;                  /* of the world; -1: closed */
    int type;                  /* TCP or UDP */
    OsvmFamily family;
    Status status;
    bool listening;
    bool serves_many; /* a listening socket that stays; otherwise it becomes the connection */
    int accepted;     /* connection nobody asked for yet; -1: none */
    int error;        /* positive errno of the last failure */
    OsvmAddress peer; /* of UDP: where to send to, or whence the last datagram came; size 0: none */
    unsigned semaphores[WAKEUPS];
    atomic_uint awaited; /* Wakeups (bits) that the helper thread is going to give */
} Socket;

/* --- lookup.c ------------------------------------------------------------------ */

typedef enum LookupStatus { LOOKUP_UNUSED, LOOKUP_DONE, LOOKUP_BUSY, LOOKUP_FAILED } LookupStatus;

/* Looks for a name in a thread of its own; its user may give it up before that ends. */
typedef struct Job Job;

typedef struct Resolver {
    const OsvmPrimApi *api;
    void *vm;
    unsigned semaphore;
    Job *job;             /* the last one; NULL: none yet */
    pthread_mutex_t lock; /* guards `threads` and the state of jobs */
    pthread_cond_t ended; /* a thread ended */
    unsigned threads;     /* running */
} Resolver;

void resolver_start(Resolver *resolver, const OsvmPrimApi *api, void *vm);
void resolver_stop(Resolver *resolver);
/* Waits for all threads. */
void resolver_rest(Resolver *resolver);
/* Both begin a lookup and give up that before. False: no memory, no thread. */
bool resolver_find_name(Resolver *resolver, const OsvmWorld *world, const char *name);
bool resolver_find_address(Resolver *resolver, const OsvmWorld *world, const OsvmAddress *address);
void resolver_give_up(Resolver *resolver);
LookupStatus resolver_status(Resolver *resolver);
int resolver_error(Resolver *resolver);
/* What was found; NULL or size 0: nothing (yet). */
const OsvmAddress *resolver_found_address(Resolver *resolver);
const char *resolver_found_name(Resolver *resolver);

/* --- address.c ----------------------------------------------------------------- */

void address_set_inet4(OsvmAddress *address, const uint8_t bytes[4], unsigned port);
/* False, and zeros: it is no such address. */
bool address_get_inet4(const OsvmAddress *address, uint8_t bytes[4]);
/* -1: it has none. */
int address_port(const OsvmAddress *address);
bool address_set_port(OsvmAddress *address, unsigned port);

/* --- connection.c -------------------------------------------------------------- */

/* NULL with *failure set to a positive errno. */
Socket *socket_open(Module *module, OsvmFamily family, int type, const unsigned semaphores[WAKEUPS],
                    int *failure);
/* The same for a connection that exists. */
Socket *socket_adopt(Module *module, int file, OsvmFamily family, const unsigned semaphores[WAKEUPS]);
void socket_close(Socket *socket);
void socket_abort(Socket *socket);
/* All answer 0 or a positive errno. */
int socket_listen(Socket *socket, int backlog);
int socket_connect(Socket *socket, const OsvmAddress *address);
/* Takes notice of what happened to a connection meanwhile. */
Status socket_look(Socket *socket);
/* A connection that came in; -1: none. */
int socket_take_accepted(Socket *socket);
bool socket_can_receive(Socket *socket);
bool socket_can_send(Socket *socket);
/* A count, 0 if it would wait (and then the image is woken), or -errno. */
int64_t socket_receive(Socket *socket, void *data, size_t size);
int64_t socket_send(Socket *socket, const void *data, size_t size, const OsvmAddress *to);

/* --- options.c ----------------------------------------------------------------- */

/* The system's numbers of an option; false: there is no such. */
bool option_find(const char *name, size_t size, int *level, int *number);

/* --- module.c ------------------------------------------------------------------- */

struct Module {
    const OsvmPrimApi *api;
    void *vm;
    const OsvmWorld *world;
    bool started; /* by primitiveInitializeNetwork, in this session */
    Socket **sockets; /* by slot; NULL: free */
    uint32_t count;
    uint32_t generations;
    Resolver resolver;
    OsvmFound found[32]; /* by the last search for addresses */
    int found_count, found_index;
    bool name_known; /* by the last search for the name of an address */
    char host[1025], service[65];
};

/* Registers a socket and gives it a handle. False: no memory. */
bool module_add(Module *module, Socket *socket);
void module_remove(Module *module, Socket *socket);

#endif
