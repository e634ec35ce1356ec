/* The module FileAttributesPlugin: what is known of a file by its name, and listings of
 * directories that stay open between calls.
 *
 * Names are bytes in UTF-8. An open listing is a ByteArray of 16 bytes: session, then the number
 * of a place in the module's table; so a handle of another session, or a forged one, is refused.
 */
#include "osvm/prims.h"
#include "osvm/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

enum { PATH_BYTES = 4096, NAME_BYTES = 256, LISTINGS_MAX = 256, HANDLE_BYTES = 16 };
#define EPOCH INT64_C(2177452800) /* seconds from 1901 to 1970 */

/* Secondary codes of OSVM_OS_ERROR that images know. */
enum {
    PATH_TOO_LONG = -1,
    NO_PATH = -1, /* the same code for an empty one */
    CANNOT_STAT = -2,
    CANNOT_OPEN = -9,
    INVALID_REQUEST = -11,
    CANNOT_READ = -16,
    BAD_SESSION = -17,
};

enum {
    ATTRIBUTE_READABLE = 13,
    ATTRIBUTE_LINK = 16,
    STAT_SLOTS = 13, /* the last is of another system */
    ACCESS_SLOTS = 3,
};

/* Bits of the second argument of primitiveFileAttributes. */
enum { WANT_STAT = 1, WANT_ACCESS = 2, NO_FOLLOW = 4 };

typedef struct {
    OsvmDir *listing; /* NULL: a free place */
    char path[PATH_BYTES];
} Place;

typedef struct {
    Place *places[LISTINGS_MAX];
    const OsvmWorld *world; /* of the open listings */
} Module;

static int fail(const OsvmPrimApi *vm, OsvmCall *call, int64_t code)
{
    vm->set_os_error(call, code);
    return OSVM_OS_ERROR;
}

/* ---- Arguments ---- */

static int path_argument(const OsvmPrimApi *vm, OsvmCall *call, char *path)
{
    OsvmElements elements;
    if (!vm->elements(call, vm->arg(call, 0), &elements) || elements.element_size != 1 ||
        memchr(elements.data, 0, elements.count))
        return OSVM_BAD_ARGUMENT;
    if (elements.count >= PATH_BYTES)
        return fail(vm, call, PATH_TOO_LONG);
    memcpy(path, elements.data, elements.count);
    path[elements.count] = 0;
    return OSVM_SUCCESS;
}

#define PATH(name, arguments)                                                                      \
    char name[PATH_BYTES];                                                                         \
    if (vm->arg_count(call) != (arguments))                                                        \
        return OSVM_BAD_ARG_COUNT;                                                                 \
    int path_failure = path_argument(vm, call, name);                                              \
    if (path_failure)                                                                              \
    return path_failure

/* ---- Making values ---- */

static OsvmValue byte_array(const OsvmPrimApi *vm, OsvmCall *call, const void *bytes, size_t count)
{
    OsvmElements elements;
    OsvmValue array = vm->new_byte_array(call, count);
    if (!osvm_is_none(array) && vm->elements(call, array, &elements))
        memcpy(elements.data, bytes, count);
    return array;
}

/* An Array of parts; none if one of them is none. */
static OsvmValue array_of(const OsvmPrimApi *vm, OsvmCall *call, const OsvmValue *parts,
                          size_t count)
{
    OsvmValue array = vm->new_array(call, count), none = {0};
    for (size_t i = 0; i < count; i++)
        if (osvm_is_none(array) || osvm_is_none(parts[i]) ||
            !vm->put_slot(call, array, i, parts[i]))
            return none;
    return array;
}

static OsvmValue time_value(const OsvmPrimApi *vm, OsvmCall *call, int64_t utc_us)
{
    const OsvmWorld *world = vm->world(call);
    return vm->from_int64(call, utc_us / 1000000 + EPOCH + world->utc_offset(world, utc_us));
}

/* Attributes 2 to 11; the others (a link's target, creation) are told by no number. */
static OsvmValue attribute(const OsvmPrimApi *vm, OsvmCall *call, const OsvmStat *stat,
                           unsigned number)
{
    switch (number) {
    case 2: return vm->from_uint64(call, stat->type | stat->mode);
    case 3: return vm->from_uint64(call, stat->inode);
    case 4: return vm->from_uint64(call, stat->device);
    case 5: return vm->from_uint64(call, stat->links);
    case 6: return vm->from_uint64(call, stat->user);
    case 7: return vm->from_uint64(call, stat->group);
    case 8: return vm->from_int64(call, stat->kind == OSVM_DIRECTORY ? 0 : stat->size);
    case 9: return time_value(vm, call, stat->accessed_us);
    case 10: return time_value(vm, call, stat->modified_us);
    case 11: return time_value(vm, call, stat->changed_us);
    default: return vm->nil(call);
    }
}

static OsvmValue stat_array(const OsvmPrimApi *vm, OsvmCall *call, const char *path,
                            const OsvmStat *stat)
{
    char target[PATH_BYTES];
    OsvmValue parts[STAT_SLOTS] = {vm->nil(call)};
    const OsvmWorld *world = vm->world(call);
    if (stat->kind == OSVM_LINK && world->read_link(world, path, target, sizeof target) >= 0)
        parts[0] = byte_array(vm, call, target, strlen(target));
    for (unsigned i = 1; i < STAT_SLOTS; i++)
        parts[i] = attribute(vm, call, stat, i + 1);
    return array_of(vm, call, parts, STAT_SLOTS);
}

static OsvmValue access_array(const OsvmPrimApi *vm, OsvmCall *call, const char *path)
{
    const OsvmWorld *world = vm->world(call);
    int granted = world->access(world, path, OSVM_MAY_READ | OSVM_MAY_WRITE | OSVM_MAY_EXECUTE);
    if (granted < 0)
        granted = 0;
    OsvmValue parts[ACCESS_SLOTS] = {
        vm->from_boolean(call, granted & OSVM_MAY_READ),
        vm->from_boolean(call, granted & OSVM_MAY_WRITE),
        vm->from_boolean(call, granted & OSVM_MAY_EXECUTE),
    };
    return array_of(vm, call, parts, ACCESS_SLOTS);
}

/* ---- One file ---- */

FUNCTION(file_exists)
{
    PATH(path, 1);
    if (!*path)
        return fail(vm, call, NO_PATH);
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    return vm->result(call, vm->from_boolean(call, world->stat(world, path, true, &stat) == 0));
}

static int access_attribute(const OsvmPrimApi *vm, OsvmCall *call, const char *path,
                            unsigned number)
{
    static const unsigned rights[] = {OSVM_MAY_READ, OSVM_MAY_WRITE, OSVM_MAY_EXECUTE};
    unsigned wanted = rights[number - ATTRIBUTE_READABLE];
    const OsvmWorld *world = vm->world(call);
    return vm->result(call, vm->from_boolean(call, world->access(world, path, wanted) > 0));
}

/* path, number: up to 12 of the stat array, 13..15 may be read, written, executed, 16 is a link. */
FUNCTION(file_attribute)
{
    PATH(path, 2);
    int64_t number;
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    if (!osvm_small_argument(vm, call, 1, &number) || number < 1 ||
        number > ATTRIBUTE_LINK)
        return OSVM_BAD_ARGUMENT;
    if (number >= ATTRIBUTE_READABLE && number < ATTRIBUTE_LINK)
        return access_attribute(vm, call, path, (unsigned)number);
    if (world->stat(world, path, number != ATTRIBUTE_LINK, &stat) < 0)
        return fail(vm, call, CANNOT_STAT);
    if (number == ATTRIBUTE_LINK)
        return vm->result(call, vm->from_boolean(call, stat.kind == OSVM_LINK));
    return vm->result(call, attribute(vm, call, &stat, (unsigned)number));
}

FUNCTION(file_attributes)
{
    PATH(path, 2);
    int64_t mask;
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    if (!osvm_small_argument(vm, call, 1, &mask))
        return OSVM_BAD_ARGUMENT;
    if (!(mask & (WANT_STAT | WANT_ACCESS)))
        return fail(vm, call, INVALID_REQUEST);
    if (world->stat(world, path, !(mask & NO_FOLLOW), &stat) < 0)
        return fail(vm, call, CANNOT_STAT);
    if (!(mask & WANT_ACCESS))
        return vm->result(call, stat_array(vm, call, path, &stat));
    if (!(mask & WANT_STAT))
        return vm->result(call, access_array(vm, call, path));
    OsvmValue parts[] = {stat_array(vm, call, path, &stat), access_array(vm, call, path)};
    return vm->result(call, array_of(vm, call, parts, 2));
}

/* The values the type part of a mode may have, as every Unix numbers them. */
FUNCTION(file_masks)
{
    static const unsigned masks[] = {0170000, 0140000, 0120000, 0100000, 0060000, 0040000, 0020000,
                                     0010000};
    OsvmValue parts[sizeof masks / sizeof *masks];
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        parts[i] = vm->from_uint64(call, masks[i]);
    return vm->result(call, array_of(vm, call, parts, sizeof masks / sizeof *masks));
}

static int nil_result(const OsvmPrimApi *vm, OsvmCall *call, int failure)
{
    return failure < 0 ? fail(vm, call, -failure) : vm->result(call, vm->nil(call));
}

FUNCTION(change_mode)
{
    PATH(path, 2);
    int64_t mode;
    const OsvmWorld *world = vm->world(call);
    if (!osvm_small_argument(vm, call, 1, &mode))
        return OSVM_BAD_ARGUMENT;
    return nil_result(vm, call, world->change_mode(world, path, (unsigned)mode & 07777));
}

/* -1: stays as it is. */
static int set_owner(const OsvmPrimApi *vm, OsvmCall *call, bool follow)
{
    PATH(path, 3);
    int64_t user, group;
    const OsvmWorld *world = vm->world(call);
    if (!osvm_small_argument(vm, call, 1, &user) || !osvm_small_argument(vm, call, 2, &group))
        return OSVM_BAD_ARGUMENT;
    return nil_result(vm, call,
                      world->change_owner(world, path, follow, (uint32_t)user, (uint32_t)group));
}

FUNCTION(change_owner)
{
    return set_owner(vm, call, true);
}

FUNCTION(change_link_owner)
{
    return set_owner(vm, call, false);
}

/* Images and the system write names alike. */
FUNCTION(same_path)
{
    PATH(path, 1);
    if (!*path)
        return fail(vm, call, NO_PATH);
    return vm->result(call, byte_array(vm, call, path, strlen(path)));
}

FUNCTION(path_max)
{
    return vm->result(call, vm->from_int64(call, PATH_BYTES));
}

FUNCTION(version)
{
    return vm->result(call, vm->from_string(call, OSVM_VERSION, strlen(OSVM_VERSION)));
}

/* ---- Listings ---- */

static Module *module_of(const OsvmPrimApi *vm, OsvmCall *call)
{
    return vm->module_state(call);
}

static int handle_place(const OsvmPrimApi *vm, OsvmCall *call, Place ***place)
{
    OsvmElements handle;
    uint64_t words[2];
    if (!vm->elements(call, vm->arg(call, 0), &handle) || handle.element_size != 1 ||
        handle.count != HANDLE_BYTES)
        return OSVM_BAD_ARGUMENT;
    memcpy(words, handle.data, sizeof words);
    if (words[0] != vm->session_id(call) || words[1] >= LISTINGS_MAX)
        return fail(vm, call, BAD_SESSION);
    *place = &module_of(vm, call)->places[words[1]];
    return **place ? OSVM_SUCCESS : fail(vm, call, BAD_SESSION);
}

static void close_place(const OsvmWorld *world, Place **place)
{
    world->list_close(world, (*place)->listing);
    free(*place);
    *place = NULL;
}

/* name, stat array or nil, handle. nil at the end of the listing, and *at_end. */
static int next_entry(const OsvmPrimApi *vm, OsvmCall *call, Place *place, OsvmValue handle,
                      bool *at_end)
{
    char name[NAME_BYTES], path[PATH_BYTES + NAME_BYTES + 1];
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    int more = world->list_next(world, place->listing, name);
    *at_end = true;
    if (more < 0)
        return fail(vm, call, CANNOT_READ);
    *at_end = !more;
    if (!more)
        return vm->result(call, vm->nil(call));
    snprintf(path, sizeof path, "%s/%s", place->path, name);
    bool known = world->stat(world, path, false, &stat) == 0;
    OsvmValue parts[] = {byte_array(vm, call, name, strlen(name)),
                         known ? stat_array(vm, call, path, &stat) : vm->nil(call), handle};
    return vm->result(call, array_of(vm, call, parts, 3));
}

/* Opens path's listing; an empty directory is closed at once and answers nil. */
FUNCTION(open_directory)
{
    PATH(path, 1);
    Module *module = module_of(vm, call);
    const OsvmWorld *world = module->world = vm->world(call);
    uint64_t words[2] = {vm->session_id(call), 0};
    while (words[1] < LISTINGS_MAX && module->places[words[1]])
        words[1]++;
    if (words[1] == LISTINGS_MAX)
        return OSVM_LIMIT_EXCEEDED;
    Place *place = calloc(1, sizeof *place);
    if (!place)
        return OSVM_NO_C_MEMORY;
    strcpy(place->path, path);
    if (world->list_open(world, *path ? path : "/", &place->listing) < 0) {
        free(place);
        return fail(vm, call, CANNOT_OPEN);
    }
    module->places[words[1]] = place;
    OsvmValue handle = byte_array(vm, call, words, sizeof words);
    bool at_end = true;
    int outcome = osvm_is_none(handle) ? OSVM_NO_MEMORY
                                       : next_entry(vm, call, place, handle, &at_end);
    if (outcome != OSVM_SUCCESS || at_end)
        close_place(world, &module->places[words[1]]);
    return outcome;
}

FUNCTION(read_directory)
{
    bool at_end;
    Place **place;
    int failure = handle_place(vm, call, &place);
    return failure ? failure : next_entry(vm, call, *place, vm->nil(call), &at_end);
}

FUNCTION(rewind_directory)
{
    bool at_end;
    OsvmDir *again;
    Place **place;
    const OsvmWorld *world = vm->world(call);
    int failure = handle_place(vm, call, &place);
    if (failure)
        return failure;
    if (world->list_open(world, *(*place)->path ? (*place)->path : "/", &again) < 0)
        return fail(vm, call, CANNOT_OPEN);
    world->list_close(world, (*place)->listing);
    (*place)->listing = again;
    return next_entry(vm, call, *place, vm->arg(call, 0), &at_end);
}

FUNCTION(close_directory)
{
    Place **place;
    int failure = handle_place(vm, call, &place);
    if (failure)
        return failure;
    close_place(vm->world(call), place);
    return vm->result(call, vm->arg(call, 0));
}

static void close_all(void *state)
{
    Module *module = state;
    for (size_t i = 0; i < LISTINGS_MAX; i++)
        if (module->places[i])
            close_place(module->world, &module->places[i]);
}

/* ---- The module ---- */

#define EFFECT (OSVM_TOUCHES_WORLD | OSVM_MAY_ALLOCATE)

static const OsvmPrim functions[] = {
    {"primitiveFileExists", file_exists, 0, OSVM_TOUCHES_WORLD},
    {"primitiveFileAttribute", file_attribute, 0, EFFECT},
    {"primitiveFileAttributes", file_attributes, 0, EFFECT},
    {"primitiveFileMasks", file_masks, -1, OSVM_MAY_ALLOCATE},
    {"primitiveOpendir", open_directory, 0, EFFECT},
    {"primitiveReaddir", read_directory, 0, EFFECT},
    {"primitiveRewinddir", rewind_directory, 0, EFFECT},
    {"primitiveClosedir", close_directory, 0, OSVM_TOUCHES_WORLD},
    {"primitiveChangeMode", change_mode, 0, OSVM_TOUCHES_WORLD},
    {"primitiveChangeOwner", change_owner, 0, OSVM_TOUCHES_WORLD},
    {"primitiveSymlinkChangeOwner", change_link_owner, 0, OSVM_TOUCHES_WORLD},
    {"primitiveStToPlatPath", same_path, 0, OSVM_MAY_ALLOCATE},
    {"primitivePlatToStPath", same_path, 0, OSVM_MAY_ALLOCATE},
    {"primitivePathMax", path_max, -1, 0},
    {"primitiveVersionString", version, -1, OSVM_MAY_ALLOCATE},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "FileAttributesPlugin",
    .functions = functions,
    .stop = close_all,
    .session = close_all,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "fileattributes",
    .version = OSVM_VERSION,
    .summary = "attributes of files, open directories",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
    .state_size = sizeof(Module),
    .state_version = 1,
};
