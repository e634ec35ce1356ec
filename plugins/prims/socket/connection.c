/* The life of a socket. Nothing waits here: what is not possible yet is awaited by the helper
 * thread, which signals the image's semaphores, and the image asks again. So a connection's state
 * changes only when the image asks for it, on the VM's own thread. */
#include "socket.h"

#include <stdlib.h>
#include <sys/socket.h>

/* --- Waking the image ------------------------------------------------------------ */

static void wake(Socket *socket, unsigned wakeups)
{
    Module *module = socket->module;
    for (unsigned i = 0; i < WAKEUPS; i++)
        if (wakeups & 1u << i)
            module->api->signal_semaphore(module->vm, socket->semaphores[i]);
}

/* On the helper thread. A watch is over after one event, so all who wait are woken. */
static void on_ready(void *context, int file, unsigned events)
{
    Socket *socket = context;
    wake(socket, atomic_exchange(&socket->awaited, 0));
}

/* Lets the helper thread wake the image when the socket is ready for that. */
static void await(Socket *socket, Wakeup wakeup)
{
    const OsvmWorld *world = socket->module->world;
    if (socket->file < 0)
        return;
    unsigned awaited = atomic_fetch_or(&socket->awaited, 1u << wakeup) | 1u << wakeup;
    bool connecting = awaited & 1u << ON_CONNECTION && !socket->listening;
    bool accepting = awaited & 1u << ON_CONNECTION && socket->listening;
    unsigned events = (awaited & 1u << ON_READ || accepting ? OSVM_READABLE : 0) |
                      (awaited & 1u << ON_WRITE || connecting ? OSVM_WRITABLE : 0);
    world->watch(world, socket->file, events, on_ready, socket);
    /* An earlier watch may have taken the bit just before this one began. */
    atomic_fetch_or(&socket->awaited, 1u << wakeup);
}

/* --- Opening and closing ----------------------------------------------------------- */

static void close_file(Module *module, int file)
{
    module->world->watch(module->world, file, 0, NULL, NULL);
    module->world->close(module->world, file);
}

static Socket *register_socket(Module *module, int file, OsvmFamily family, int type, Status status,
                               const unsigned semaphores[WAKEUPS])
{
    Socket *socket = calloc(1, sizeof *socket);
    if (!socket || !module_add(module, socket)) {
        free(socket);
        close_file(module, file);
        return NULL;
    }
    socket->module = module;
    socket->file = file;
    socket->family = family;
    socket->type = type;
    socket->status = status;
    socket->accepted = -1;
    for (unsigned i = 0; i < WAKEUPS; i++)
        socket->semaphores[i] = semaphores[i];
    return socket;
}

Socket *socket_open(Module *module, OsvmFamily family, int type, const unsigned semaphores[WAKEUPS],
                    int *failure)
{
    const OsvmWorld *world = module->world;
    int one = 1;
    int file = world->socket(world, family, type == TCP ? OSVM_STREAM : OSVM_DATAGRAM);
    *failure = file < 0 ? -file : ENOMEM;
    if (file < 0)
        return NULL;
    world->set_option(world, file, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return register_socket(module, file, family, type, type == UDP ? CONNECTED : UNCONNECTED,
                           semaphores);
}

Socket *socket_adopt(Module *module, int file, OsvmFamily family, const unsigned semaphores[WAKEUPS])
{
    return register_socket(module, file, family, TCP, CONNECTED, semaphores);
}

void socket_close(Socket *socket)
{
    if (socket->accepted >= 0)
        close_file(socket->module, socket->accepted);
    if (socket->file >= 0)
        close_file(socket->module, socket->file);
    socket->file = socket->accepted = -1;
    socket->listening = false;
    socket->status = UNCONNECTED;
}

void socket_abort(Socket *socket)
{
    const OsvmWorld *world = socket->module->world;
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (socket->file >= 0)
        world->set_option(world, socket->file, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_close(socket);
}

/* --- Connecting --------------------------------------------------------------------- */

static int note_error(Socket *socket, int64_t answer)
{
    socket->error = (int)-answer;
    return socket->error;
}

int socket_listen(Socket *socket, int backlog)
{
    const OsvmWorld *world = socket->module->world;
    socket->serves_many = backlog > 1;
    int answer = world->listen(world, socket->file, backlog);
    if (answer < 0)
        return note_error(socket, answer);
    socket->listening = true;
    socket->status = WAITING;
    await(socket, ON_CONNECTION);
    return 0;
}

int socket_connect(Socket *socket, const OsvmAddress *address)
{
    const OsvmWorld *world = socket->module->world;
    int answer = world->connect(world, socket->file, address);
    if (socket->type == UDP) {
        socket->peer = *address;
        return answer < 0 ? note_error(socket, answer) : 0;
    }
    if (answer == -EINPROGRESS || answer == -EAGAIN) {
        socket->status = WAITING;
        await(socket, ON_CONNECTION);
        return 0;
    }
    socket->status = answer < 0 ? UNCONNECTED : CONNECTED;
    wake(socket, 1u << ON_CONNECTION);
    return answer < 0 ? note_error(socket, answer) : 0;
}

static void look_at_connecting(Socket *socket)
{
    const OsvmWorld *world = socket->module->world;
    int error = 0;
    size_t size = sizeof error;
    if (world->poll(world, socket->file, OSVM_WRITABLE) <= 0) {
        await(socket, ON_CONNECTION);
        return;
    }
    int answer = world->get_option(world, socket->file, SOL_SOCKET, SO_ERROR, &error, &size);
    socket->error = answer < 0 ? -answer : error;
    socket->status = socket->error ? UNCONNECTED : CONNECTED;
}

static void look_at_listening(Socket *socket)
{
    const OsvmWorld *world = socket->module->world;
    int file = world->accept(world, socket->file);
    if (file == -EAGAIN || file == -ECONNABORTED || file == -EINTR) {
        await(socket, ON_CONNECTION);
        return;
    }
    socket->status = file < 0 ? INVALID : CONNECTED;
    if (file < 0) {
        note_error(socket, file);
    } else if (socket->serves_many) {
        socket->accepted = file;
    } else {
        close_file(socket->module, socket->file);
        socket->file = file;
        socket->listening = false;
    }
}

Status socket_look(Socket *socket)
{
    if (socket->status == WAITING && socket->listening)
        look_at_listening(socket);
    else if (socket->status == WAITING)
        look_at_connecting(socket);
    return socket->status;
}

int socket_take_accepted(Socket *socket)
{
    socket_look(socket);
    int file = socket->accepted;
    if (file >= 0) {
        socket->accepted = -1;
        socket->status = WAITING;
        await(socket, ON_CONNECTION);
    }
    return file;
}

/* --- Data --------------------------------------------------------------------------- */

bool socket_can_receive(Socket *socket)
{
    const OsvmWorld *world = socket->module->world;
    char byte;
    if (socket_look(socket) == CONNECTED && !socket->listening) {
        int64_t count = world->receive(world, socket->file, &byte, 1, true, NULL);
        if (count > 0 || (count == 0 && socket->type == UDP))
            return true;
        if (count == 0 || count != -EAGAIN) {
            socket->status = OTHER_END_CLOSED;
            socket->error = (int)-count;
        }
    }
    if (socket->status == CONNECTED)
        await(socket, ON_READ);
    return false;
}

bool socket_can_send(Socket *socket)
{
    const OsvmWorld *world = socket->module->world;
    if (socket_look(socket) != CONNECTED || socket->listening)
        return false;
    if (world->poll(world, socket->file, OSVM_WRITABLE) > 0)
        return true;
    await(socket, ON_WRITE);
    return false;
}

int64_t socket_receive(Socket *socket, void *data, size_t size)
{
    const OsvmWorld *world = socket->module->world;
    OsvmAddress *from = socket->type == UDP ? &socket->peer : NULL;
    int64_t count = world->receive(world, socket->file, data, size, false, from);
    if (count > 0)
        return count;
    if (count == -EAGAIN || count == -EINTR || (count == 0 && (size == 0 || socket->type == UDP)))
        return 0;
    if (socket->type == TCP) {
        socket->status = OTHER_END_CLOSED;
        wake(socket, 1u << ON_CONNECTION);
    }
    note_error(socket, count);
    return count;
}

int64_t socket_send(Socket *socket, const void *data, size_t size, const OsvmAddress *to)
{
    const OsvmWorld *world = socket->module->world;
    if (socket->type == UDP && !to && socket->peer.size)
        to = &socket->peer;
    int64_t count = world->send(world, socket->file, data, size, to);
    if (count == -EISCONN && to)
        count = world->send(world, socket->file, data, size, NULL);
    if (count >= 0)
        return count;
    if (count == -EAGAIN || count == -EINTR)
        return 0;
    if (socket->type == TCP)
        socket->status = OTHER_END_CLOSED;
    note_error(socket, count);
    return count;
}
