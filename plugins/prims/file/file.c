/* The module FilePlugin: files, directories and the standard streams.
 *
 * A handle is a ByteArray of the size images expect: session, slot and
 * generation of the slot, then four bytes of which images read the first and the
 * last (writable, standard stream). A handle of another session, or of a file
 * closed since, reaches nothing.
 */
#include "osvm/prims.h"

#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

enum { PATH_BYTES = 4096, ENTRY_SLOTS = 5 };

/* Seconds between 1901 and 1970. */
#define EPOCH INT64_C(2177452800)

typedef struct {
    Stream *streams;
    size_t count;
    const OsvmWorld *world; /* NULL until the first call */
    bool no_access;         /* file access was given up (primitiveDisableFileAccess) */
} Module;

typedef struct {
    int32_t session;
    uint32_t generation;
    uint64_t slot;
    uint8_t writable, last_operation, last_character, standard;
    uint8_t unused[4];
} Handle;
_Static_assert(sizeof(Handle) == 24, "images check the size of handles");

static Module *module_of(const OsvmPrimApi *vm, OsvmCall *call)
{
    Module *module = vm->module_state(call);
    module->world = vm->world(call);
    return module;
}

/* -errno as a failure with the code for the image. */
static int os_failure(const OsvmPrimApi *vm, OsvmCall *call, int64_t error)
{
    vm->set_os_error(call, -error);
    return error == -ENOMEM ? OSVM_NO_C_MEMORY : OSVM_OS_ERROR;
}

/* ---- Handles ---- */

static Stream *stream_of(const OsvmPrimApi *vm, OsvmCall *call, int index)
{
    OsvmElements elements;
    Handle handle;
    Module *module = module_of(vm, call);
    if (!vm->elements(call, vm->arg(call, index), &elements) || elements.element_size != 1 ||
        elements.count != sizeof handle)
        return NULL;
    memcpy(&handle, elements.data, sizeof handle);
    if (handle.session != (int32_t)vm->session_id(call) || handle.slot >= module->count)
        return NULL;
    Stream *stream = &module->streams[handle.slot];
    return stream->file >= 0 && stream->generation == handle.generation ? stream : NULL;
}

#define STREAM(index)                                                                              \
    Stream *stream = stream_of(vm, call, index);                                                   \
    if (!stream)                                                                                   \
    return OSVM_BAD_ARGUMENT

static Stream *stream_slot(Module *module)
{
    for (size_t i = 0; i < module->count; i++)
        if (module->streams[i].file < 0)
            return &module->streams[i];
    size_t count = module->count ? module->count * 2 : 8;
    Stream *streams = realloc(module->streams, count * sizeof *streams);
    if (!streams)
        return NULL;
    memset(streams + module->count, 0, (count - module->count) * sizeof *streams);
    for (size_t i = module->count; i < count; i++)
        streams[i].file = -1;
    module->streams = streams;
    Stream *slot = &streams[module->count];
    module->count = count;
    return slot;
}

static OsvmValue handle_value(const OsvmPrimApi *vm, OsvmCall *call, Module *module, Stream *stream)
{
    OsvmElements elements;
    Handle handle = {.session = (int32_t)vm->session_id(call), .generation = stream->generation,
                     .slot = (uint64_t)(stream - module->streams), .writable = stream->writable,
                     .standard = stream->standard};
    OsvmValue value = vm->new_byte_array(call, sizeof handle);
    if (!osvm_is_none(value) && vm->elements(call, value, &elements))
        memcpy(elements.data, &handle, sizeof handle);
    return value;
}

/* Takes an open file of the world over; a none value when there is no memory. */
static OsvmValue adopt_file(const OsvmPrimApi *vm, OsvmCall *call, int file, bool writable, bool standard)
{
    Module *module = module_of(vm, call);
    Stream *stream = stream_slot(module);
    if (!stream)
        return (OsvmValue){0};
    uint32_t generation = stream->generation;
    *stream = (Stream){.file = file, .generation = generation, .writable = writable, .standard = standard};
    stream->interactive = module->world->is_terminal(module->world, file) == 1;
    OsvmValue handle = handle_value(vm, call, module, stream);
    if (osvm_is_none(handle))
        stream->file = -1;
    return handle;
}

static int open_result(const OsvmPrimApi *vm, OsvmCall *call, int file, bool writable)
{
    OsvmValue handle = adopt_file(vm, call, file, writable, false);
    if (osvm_is_none(handle)) {
        const OsvmWorld *world = vm->world(call);
        world->close(world, file);
    }
    return vm->result(call, handle);
}

/* ---- Paths ---- */

static bool path_argument(const OsvmPrimApi *vm, OsvmCall *call, int index, char *path)
{
    OsvmElements elements;
    if (!vm->elements(call, vm->arg(call, index), &elements) || elements.element_size != 1 ||
        elements.count >= PATH_BYTES || memchr(elements.data, 0, elements.count))
        return false;
    memcpy(path, elements.data, elements.count);
    path[elements.count] = 0;
    return true;
}

#define PATH(name, index)                                                                          \
    char name[PATH_BYTES];                                                                         \
    if (!path_argument(vm, call, index, name) || module_of(vm, call)->no_access)                   \
    return OSVM_FAILED

/* ---- Opening and closing ---- */

FUNCTION(file_open)
{
    bool writable;
    PATH(path, 0);
    if (!vm->boolean(call, vm->arg(call, 1), &writable))
        return OSVM_FAILED;
    const OsvmWorld *world = vm->world(call);
    OsvmStat stat;
    if (world->stat(world, path, true, &stat) == 0 && stat.kind == OSVM_DIRECTORY)
        return os_failure(vm, call, -EISDIR);
    int file = world->open(world, path, writable ? OSVM_READ | OSVM_WRITE | OSVM_CREATE : OSVM_READ, 0666);
    return file < 0 ? os_failure(vm, call, file) : open_result(vm, call, file, writable);
}

FUNCTION(file_open_new)
{
    PATH(path, 0);
    const OsvmWorld *world = vm->world(call);
    int file = world->open(world, path, OSVM_READ | OSVM_WRITE | OSVM_CREATE | OSVM_EXCLUSIVE, 0666);
    if (file == -EEXIST)
        return OSVM_INAPPROPRIATE;
    return file < 0 ? os_failure(vm, call, file) : open_result(vm, call, file, true);
}

FUNCTION(file_close)
{
    STREAM(0);
    int failure = stream_close(vm->world(call), stream);
    return failure ? os_failure(vm, call, failure) : vm->result_receiver(call);
}

FUNCTION(standard_handles)
{
    const OsvmWorld *world = vm->world(call);
    OsvmValue array = vm->new_array(call, 3);
    if (osvm_is_none(array))
        return OSVM_NO_MEMORY;
    for (int file = 0; file < 3; file++) {
        OsvmStat stat;
        if (world->stat_file(world, file, &stat) < 0)
            continue; /* closed: nil */
        OsvmValue handle = adopt_file(vm, call, file, file != 0, true);
        if (osvm_is_none(handle))
            return OSVM_NO_MEMORY;
        vm->put_slot(call, array, (size_t)file, handle);
    }
    return vm->result(call, array);
}

FUNCTION(connect_descriptor)
{
    int64_t file;
    bool writable;
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    if (!osvm_small_argument(vm, call, 0, &file) || !vm->boolean(call, vm->arg(call, 1), &writable))
        return OSVM_BAD_ARGUMENT;
    if (file < 0 || file > INT32_MAX)
        return OSVM_FAILED;
    int failure = world->stat_file(world, (int)file, &stat);
    if (failure < 0)
        return os_failure(vm, call, failure);
    return vm->result(call, adopt_file(vm, call, (int)file, writable, file < 3));
}

/* -1 error, 0 none, 1 terminal, 2 pipe, 3 file */
FUNCTION(descriptor_type)
{
    int64_t file;
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    if (!osvm_small_argument(vm, call, 0, &file))
        return OSVM_BAD_ARGUMENT;
    int64_t type = -1;
    int error = file < 0 || file > INT32_MAX ? -EBADF : world->stat_file(world, (int)file, &stat);
    if (error == -EPERM)
        return os_failure(vm, call, error);
    if (error == 0)
        type = world->is_terminal(world, (int)file) == 1 ? 1 : stat.kind == OSVM_FILE ? 3 : 2;
    return vm->result(call, vm->from_int64(call, type));
}

/* ---- Reading and writing ---- */

/* The range start..start+count-1 (1-based) of an object of bits, in bytes. */
static int data_range(const OsvmPrimApi *vm, OsvmCall *call, bool to_change, uint8_t **data,
                      size_t *bytes, size_t *element_size)
{
    OsvmElements elements;
    uint64_t start, count;
    if (!vm->elements(call, vm->arg(call, 1), &elements) || !vm->uint64(call, vm->arg(call, 2), &start) ||
        !vm->uint64(call, vm->arg(call, 3), &count))
        return OSVM_BAD_ARGUMENT;
    if (start < 1 || start - 1 > elements.count || count > elements.count - (start - 1))
        return OSVM_BAD_INDEX;
    if (to_change && elements.read_only)
        return OSVM_NO_MODIFICATION;
    *element_size = elements.element_size;
    *data = (uint8_t *)elements.data + (size_t)(start - 1) * elements.element_size;
    *bytes = (size_t)count * elements.element_size;
    return OSVM_SUCCESS;
}

FUNCTION(file_read)
{
    uint8_t *data;
    size_t bytes, element_size;
    STREAM(0);
    int failure = data_range(vm, call, true, &data, &bytes, &element_size);
    if (failure)
        return failure;
    int64_t got = stream_read(vm->world(call), stream, data, bytes);
    if (got < 0)
        return os_failure(vm, call, got);
    return vm->result(call, vm->from_int64(call, got / (int64_t)element_size));
}

FUNCTION(file_write)
{
    uint8_t *data;
    size_t bytes, element_size;
    STREAM(0);
    if (!stream->writable)
        return OSVM_FAILED;
    int failure = data_range(vm, call, false, &data, &bytes, &element_size);
    if (failure)
        return failure;
    int64_t done = stream_write(vm->world(call), stream, data, bytes);
    if (done < 0)
        return os_failure(vm, call, done);
    return vm->result(call, vm->from_int64(call, done / (int64_t)element_size));
}

static int number_result(const OsvmPrimApi *vm, OsvmCall *call, int64_t number)
{
    return number < 0 ? os_failure(vm, call, number) : vm->result(call, vm->from_int64(call, number));
}

static int receiver_result(const OsvmPrimApi *vm, OsvmCall *call, int failure)
{
    return failure ? os_failure(vm, call, failure) : vm->result_receiver(call);
}

FUNCTION(file_position)
{
    STREAM(0);
    return number_result(vm, call, stream_position(vm->world(call), stream));
}

FUNCTION(file_size)
{
    STREAM(0);
    return number_result(vm, call, stream_size(vm->world(call), stream));
}

FUNCTION(file_set_position)
{
    int64_t position;
    STREAM(0);
    if (!vm->int64(call, vm->arg(call, 1), &position) || position < 0)
        return OSVM_FAILED;
    return receiver_result(vm, call, stream_seek(vm->world(call), stream, position));
}

FUNCTION(file_truncate)
{
    int64_t size;
    STREAM(0);
    if (!vm->int64(call, vm->arg(call, 1), &size) || size < 0 || !stream->writable)
        return OSVM_FAILED;
    return receiver_result(vm, call, stream_truncate(vm->world(call), stream, size));
}

FUNCTION(file_at_end)
{
    bool at_end;
    STREAM(0);
    int failure = stream_at_end(vm->world(call), stream, &at_end);
    return failure ? os_failure(vm, call, failure) : vm->result(call, vm->from_boolean(call, at_end));
}

FUNCTION(file_flush)
{
    STREAM(0);
    return receiver_result(vm, call, stream_flush(vm->world(call), stream));
}

FUNCTION(file_sync)
{
    STREAM(0);
    int failure = stream_flush(vm->world(call), stream);
    if (!failure)
        failure = vm->world(call)->sync(vm->world(call), stream->file);
    return receiver_result(vm, call, failure == -EINVAL ? 0 : failure); /* a pipe cannot be synced */
}

/* ---- Names ---- */

FUNCTION(file_delete)
{
    OsvmElements name;
    if (!vm->elements(call, vm->arg(call, 0), &name) || name.element_size != 1)
        return OSVM_BAD_ARGUMENT;
    PATH(path, 0);
    return receiver_result(vm, call, vm->world(call)->unlink(vm->world(call), path));
}

FUNCTION(file_rename)
{
    PATH(from, 0);
    PATH(to, 1);
    return receiver_result(vm, call, vm->world(call)->rename(vm->world(call), from, to));
}

FUNCTION(directory_create)
{
    PATH(path, 0);
    return receiver_result(vm, call, vm->world(call)->make_directory(vm->world(call), path, 0777));
}

FUNCTION(directory_delete)
{
    PATH(path, 0);
    return receiver_result(vm, call, vm->world(call)->remove_directory(vm->world(call), path));
}

FUNCTION(directory_delimiter)
{
    return vm->result(call, vm->from_character(call, '/'));
}

FUNCTION(working_directory)
{
    char path[PATH_BYTES];
    int failure = vm->world(call)->directory(vm->world(call), path, sizeof path);
    if (failure < 0)
        return os_failure(vm, call, failure);
    return vm->result(call, vm->from_string(call, path, strlen(path)));
}

FUNCTION(set_working_directory)
{
    PATH(path, 0);
    return receiver_result(vm, call, vm->world(call)->set_directory(vm->world(call), path));
}

/* ---- Directory entries: name, creation time, modification time, is directory, size ---- */

static int64_t local_seconds(const OsvmWorld *world, int64_t utc_us)
{
    return utc_us / 1000000 + EPOCH + world->utc_offset(world, utc_us);
}

static int entry_result(const OsvmPrimApi *vm, OsvmCall *call, const char *directory, const char *name)
{
    char path[PATH_BYTES + 260];
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    size_t length = strlen(directory);
    bool slash = length && directory[length - 1] != '/';
    if (length + strlen(name) + 2 > sizeof path)
        return OSVM_FAILED;
    memcpy(path, directory, length);
    path[length] = '/';
    strcpy(path + length + slash, name);
    if (world->stat(world, path, true, &stat) < 0 && world->stat(world, path, false, &stat) < 0)
        return vm->result(call, vm->nil(call));
    OsvmValue entry = vm->new_array(call, ENTRY_SLOTS);
    OsvmValue parts[ENTRY_SLOTS] = {
        vm->from_string(call, name, strlen(name)),
        vm->from_int64(call, local_seconds(world, stat.changed_us)),
        vm->from_int64(call, local_seconds(world, stat.modified_us)),
        vm->from_boolean(call, stat.kind == OSVM_DIRECTORY),
        vm->from_int64(call, stat.kind == OSVM_DIRECTORY ? 0 : stat.size),
    };
    for (size_t i = 0; i < ENTRY_SLOTS; i++)
        if (osvm_is_none(entry) || osvm_is_none(parts[i]) || !vm->put_slot(call, entry, i, parts[i]))
            return OSVM_NO_MEMORY;
    return vm->result(call, entry);
}

/* The empty path lists the roots: there is one. */
FUNCTION(directory_lookup)
{
    int64_t index;
    char name[256];
    OsvmDir *listing;
    PATH(path, 0);
    if (!osvm_small_argument(vm, call, 1, &index) || index < 1)
        return OSVM_FAILED;
    const OsvmWorld *world = vm->world(call);
    int failure = world->list_open(world, *path ? path : "/", &listing);
    if (failure < 0)
        return os_failure(vm, call, failure);
    int more;
    while ((more = world->list_next(world, listing, name)) == 1 && --index > 0)
        ;
    world->list_close(world, listing);
    if (more < 0)
        return os_failure(vm, call, more);
    return more ? entry_result(vm, call, *path ? path : "/", name) : vm->result(call, vm->nil(call));
}

FUNCTION(directory_entry)
{
    PATH(path, 0);
    PATH(name, 1);
    if (!*name || strchr(name, '/') || strlen(name) > 255)
        return vm->result(call, vm->nil(call));
    return entry_result(vm, call, *path ? path : "/", name);
}

/* Types and creators of files, four bytes each, are of another system. */
FUNCTION(mac_type)
{
    PATH(path, 0);
    for (int index = 1; index <= 2; index++) {
        OsvmElements four;
        if (!vm->elements(call, vm->arg(call, index), &four) || four.element_size != 1 || four.count != 4)
            return OSVM_FAILED;
    }
    return vm->result_receiver(call);
}

FUNCTION(has_access)
{
    return vm->result(call, vm->from_boolean(call, !module_of(vm, call)->no_access));
}

FUNCTION(disable_access)
{
    module_of(vm, call)->no_access = true;
    return vm->result_receiver(call);
}

/* ---- The module ---- */

/* What the image left open. There is nobody left to answer a failure to; what standard output does not
 * take, the image has heard of. */
static void close_all(Module *module)
{
    static const char lost[] = "osvm: a file that was left open could not be written to its end\n";
    for (Stream *stream = module->streams; stream < module->streams + module->count; stream++) {
        if (stream->file < 0)
            continue;
        bool own = !stream->standard;
        if (stream_close(module->world, stream) < 0 && own)
            world_write_all(module->world, 2, lost, sizeof lost - 1);
    }
}

static void file_stop(void *state)
{
    Module *module = state;
    close_all(module);
    free(module->streams);
    module->streams = NULL;
    module->count = 0;
}

static void file_session(void *state)
{
    close_all(state);
}

#define EFFECT (OSVM_TOUCHES_WORLD | OSVM_MAY_ALLOCATE)

static const OsvmPrim functions[] = {
    {"primitiveFileOpen", file_open, 1, EFFECT},
    {"primitiveFileOpenNew", file_open_new, 1, EFFECT},
    {"primitiveFileClose", file_close, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileRead", file_read, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileWrite", file_write, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileGetPosition", file_position, 1, EFFECT},
    {"primitiveFileSetPosition", file_set_position, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileSize", file_size, 1, EFFECT},
    {"primitiveFileTruncate", file_truncate, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileAtEnd", file_at_end, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileFlush", file_flush, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileSync", file_sync, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileDelete", file_delete, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileRename", file_rename, 1, OSVM_TOUCHES_WORLD},
    {"primitiveFileStdioHandles", standard_handles, -1, EFFECT},
    {"primitiveFileDescriptorType", descriptor_type, 0, OSVM_TOUCHES_WORLD},
    {"primitiveConnectToFileDescriptor", connect_descriptor, 0, EFFECT},
    {"primitiveDirectoryCreate", directory_create, 1, OSVM_TOUCHES_WORLD},
    {"primitiveDirectoryDelete", directory_delete, 1, OSVM_TOUCHES_WORLD},
    {"primitiveDirectoryDelimitor", directory_delimiter, -1, 0},
    {"primitiveDirectoryLookup", directory_lookup, 1, EFFECT},
    {"primitiveDirectoryEntry", directory_entry, 1, EFFECT},
    {"primitiveDirectoryGetMacTypeAndCreator", mac_type, 0, OSVM_TOUCHES_WORLD},
    {"primitiveDirectorySetMacTypeAndCreator", mac_type, 0, OSVM_TOUCHES_WORLD},
    {"primitiveGetWorkingDirectory", working_directory, -1, EFFECT},
    {"primitiveSetWorkingDirectory", set_working_directory, 1, OSVM_TOUCHES_WORLD},
    {"primitiveHasFileAccess", has_access, -1, OSVM_TOUCHES_WORLD},
    {"primitiveDisableFileAccess", disable_access, -1, OSVM_TOUCHES_WORLD},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "FilePlugin",
    .functions = functions,
    .stop = file_stop,
    .session = file_session,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "file",
    .version = OSVM_VERSION,
    .summary = "files, directories and the standard streams",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
    .state_size = sizeof(Module),
    .state_version = 1,
};
