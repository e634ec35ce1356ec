/* The denied world: a sandbox.
 *
 * Clocks, waiting, randomness, and reading and writing the standard streams that
 * are open already work as in the live world. Everything else answers -EPERM; the
 * environment is empty.
 */
#include "worlds.h"

#include <netdb.h>

enum { DENIED = -EPERM };

static bool is_standard(int file)
{
    return file >= 0 && file <= 2;
}

static const OsvmWorld *below(const OsvmWorld *world)
{
    return ((WorldState *)world->state)->inner;
}

/* --- Standard streams ----------------------------------------------------- */

static int64_t denied_read(const OsvmWorld *world, int file, void *buffer, size_t size)
{
    return is_standard(file) ? below(world)->read(below(world), file, buffer, size) : DENIED;
}

static int64_t denied_write(const OsvmWorld *world, int file, const void *buffer, size_t size)
{
    return is_standard(file) ? below(world)->write(below(world), file, buffer, size) : DENIED;
}

static int denied_is_terminal(const OsvmWorld *world, int file)
{
    return is_standard(file) ? below(world)->is_terminal(below(world), file) : 0;
}

static int denied_stat_file(const OsvmWorld *world, int file, OsvmStat *stat)
{
    return is_standard(file) ? below(world)->stat_file(below(world), file, stat) : DENIED;
}

static int denied_watch(const OsvmWorld *world, int file, unsigned events, OsvmReady *ready,
                        void *context)
{
    return is_standard(file) ? below(world)->watch(below(world), file, events, ready, context)
                             : DENIED;
}

/* --- What is denied ------------------------------------------------------- */

static int denied_open(const OsvmWorld *world, const char *path, unsigned flags, unsigned mode)
{
    return DENIED;
}

static int denied_file(const OsvmWorld *world, int file)
{
    return DENIED;
}

static int64_t denied_seek(const OsvmWorld *world, int file, int64_t offset, OsvmSeek from)
{
    return DENIED;
}

static int denied_truncate(const OsvmWorld *world, int file, int64_t size)
{
    return DENIED;
}

static int denied_set_mode(const OsvmWorld *world, int file, unsigned mode)
{
    return DENIED;
}

static int denied_set_blocking(const OsvmWorld *world, int file, bool blocking)
{
    return DENIED;
}

static int denied_stat(const OsvmWorld *world, const char *path, bool follow, OsvmStat *stat)
{
    return DENIED;
}

static int denied_path(const OsvmWorld *world, const char *path)
{
    return DENIED;
}

static int denied_two_paths(const OsvmWorld *world, const char *from, const char *to)
{
    return DENIED;
}

static int denied_path_text(const OsvmWorld *world, const char *path, char *buffer, size_t size)
{
    return DENIED;
}

static int denied_directory(const OsvmWorld *world, char *buffer, size_t size)
{
    return DENIED;
}

static int denied_make_directory(const OsvmWorld *world, const char *path, unsigned mode)
{
    return DENIED;
}

static int denied_list_open(const OsvmWorld *world, const char *path, OsvmDir **directory)
{
    return DENIED;
}

static int denied_access(const OsvmWorld *world, const char *path, unsigned wanted)
{
    return DENIED;
}

static int denied_change_owner(const OsvmWorld *world, const char *path, bool follow, uint32_t user,
                               uint32_t group)
{
    return DENIED;
}

static const char *denied_get_variable(const OsvmWorld *world, const char *name)
{
    return NULL;
}

static const char *denied_variable_at(const OsvmWorld *world, size_t index)
{
    return NULL;
}

static int denied_fork(const OsvmWorld *world)
{
    return DENIED;
}

static int denied_spawn(const OsvmWorld *world, const OsvmSpawn *spawn)
{
    return DENIED;
}

static int denied_reap(const OsvmWorld *world, int process, bool block, int *status)
{
    return DENIED;
}

static int denied_kill(const OsvmWorld *world, int process, int signal)
{
    return DENIED;
}

static int denied_pipe(const OsvmWorld *world, int files[2])
{
    return DENIED;
}

static int denied_socket(const OsvmWorld *world, OsvmFamily family, OsvmSocketType type)
{
    return DENIED;
}

static int denied_address(const OsvmWorld *world, int file, const OsvmAddress *address)
{
    return DENIED;
}

static int denied_listen(const OsvmWorld *world, int file, int backlog)
{
    return DENIED;
}

static int64_t denied_send(const OsvmWorld *world, int file, const void *data, size_t size,
                           const OsvmAddress *address)
{
    return DENIED;
}

static int64_t denied_receive(const OsvmWorld *world, int file, void *data, size_t size, bool peek,
                              OsvmAddress *address)
{
    return DENIED;
}

static int denied_socket_address(const OsvmWorld *world, int file, bool peer, OsvmAddress *address)
{
    return DENIED;
}

static int denied_get_option(const OsvmWorld *world, int file, int level, int name, void *value,
                             size_t *size)
{
    return DENIED;
}

static int denied_set_option(const OsvmWorld *world, int file, int level, int name,
                             const void *value, size_t size)
{
    return DENIED;
}

static int denied_poll(const OsvmWorld *world, int file, unsigned events)
{
    return DENIED;
}

static int denied_resolve(const OsvmWorld *world, const OsvmLookup *lookup, OsvmFound *found,
                          size_t room)
{
    return EAI_FAIL;
}

static int denied_resolve_address(const OsvmWorld *world, const OsvmAddress *address,
                                  unsigned flags, char *host, size_t host_size, char *service,
                                  size_t service_size)
{
    return EAI_FAIL;
}

static int denied_host_name(const OsvmWorld *world, char *name, size_t size)
{
    return DENIED;
}

static int denied_host_address(const OsvmWorld *world, OsvmFamily family, OsvmAddress *address)
{
    return DENIED;
}

static void deny_sockets(OsvmWorld *world)
{
    world->socket = denied_socket;
    world->bind = denied_address;
    world->listen = denied_listen;
    world->accept = denied_file;
    world->connect = denied_address;
    world->send = denied_send;
    world->receive = denied_receive;
    world->socket_address = denied_socket_address;
    world->get_option = denied_get_option;
    world->set_option = denied_set_option;
    world->poll = denied_poll;
    world->resolve = denied_resolve;
    world->resolve_address = denied_resolve_address;
    world->host_name = denied_host_name;
    world->host_address = denied_host_address;
}

static void deny_files(OsvmWorld *world)
{
    world->open = denied_open;
    world->close = denied_file;
    world->seek = denied_seek;
    world->truncate = denied_truncate;
    world->sync = denied_file;
    world->set_mode = denied_set_mode;
    world->set_blocking = denied_set_blocking;
    world->stat = denied_stat;
    world->rename = denied_two_paths;
    world->unlink = denied_path;
    world->symlink = denied_two_paths;
    world->read_link = denied_path_text;
    world->real_path = denied_path_text;
    world->directory = denied_directory;
    world->set_directory = denied_path;
    world->make_directory = denied_make_directory;
    world->remove_directory = denied_path;
    world->sync_directory = denied_path;
    world->list_open = denied_list_open;
    world->access = denied_access;
    world->change_mode = denied_access;
    world->change_owner = denied_change_owner;
}

OsvmWorld *world_denied_new(const OsvmWorld *inner)
{
    WorldState *state = world_state_new(sizeof *state, "denied", inner);
    OsvmWorld *world = &state->world;
    deny_files(world);
    deny_sockets(world);
    world->read = denied_read;
    world->write = denied_write;
    world->is_terminal = denied_is_terminal;
    world->stat_file = denied_stat_file;
    world->watch = denied_watch;
    world->get_variable = denied_get_variable;
    world->set_variable = denied_two_paths;
    world->variable_at = denied_variable_at;
    world->fork = denied_fork;
    world->spawn = denied_spawn;
    world->reap = denied_reap;
    world->kill = denied_kill;
    world->pipe = denied_pipe;
    return world;
}
