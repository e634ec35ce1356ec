/* A module of primitives of which each function breaks the promise it is named after; the conformance suite
 * has to find each, and has nothing to say about those that keep theirs. BREACH_FAULT in the environment is
 * a promise of the whole module that is broken. */
#include "osvm/prims.h"
#include "osvm/world.h"

#include <stdlib.h>
#include <string.h>

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

typedef struct {
    const OsvmHost *host;
    OsvmElements kept;   /* of an object that is somewhere else by now */
    bool has_kept;
    void *block;
} Module;

static bool has_fault(const char *name)
{
    const char *fault = getenv("BREACH_FAULT");
    return fault && strcmp(fault, name) == 0;
}

static bool bytes_argument(const OsvmPrimApi *vm, OsvmCall *call, OsvmElements *bytes)
{
    return vm->elements(call, vm->arg(call, 0), bytes) && bytes->element_size == 1 && bytes->count >= 4;
}

/* ---- Sound ---- */

FUNCTION(fill_soundly)
{
    OsvmElements bytes;
    if (!bytes_argument(vm, call, &bytes))
        return OSVM_BAD_ARGUMENT;
    if (bytes.read_only)
        return OSVM_NO_MODIFICATION;
    memset(bytes.data, 1, bytes.count);
    return vm->result_receiver(call);
}

FUNCTION(copy_soundly)
{
    OsvmElements bytes;
    return bytes_argument(vm, call, &bytes) ? vm->result(call, vm->from_string(call, bytes.data, bytes.count))
                                            : OSVM_BAD_ARGUMENT;
}

FUNCTION(call_back_soundly)
{
    OsvmValue answer;
    int failure = vm->perform(call, vm->arg(call, OSVM_RECEIVER), vm->arg(call, 0), NULL, 0, &answer);
    return failure ? failure : vm->result(call, answer);
}

FUNCTION(look_soundly)
{
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    int error = world->stat(world, "/", true, &stat);
    if (!error)
        return vm->result_receiver(call);
    vm->set_os_error(call, -error);
    return OSVM_OS_ERROR;
}

/* ---- Not sound ---- */

FUNCTION(write_beyond)
{
    OsvmElements bytes;
    if (!bytes_argument(vm, call, &bytes) || bytes.read_only)
        return OSVM_BAD_ARGUMENT;
    ((uint8_t *)bytes.data)[bytes.count] = 1;
    return vm->result_receiver(call);
}

/* Elements from before a callback. */
FUNCTION(write_where_it_was)
{
    OsvmElements bytes;
    OsvmValue answer;
    if (!bytes_argument(vm, call, &bytes) || bytes.read_only)
        return OSVM_BAD_ARGUMENT;
    int failure = vm->perform(call, vm->arg(call, OSVM_RECEIVER), vm->arg(call, 0), NULL, 0, &answer);
    if (failure)
        return failure;
    memset(bytes.data, 1, bytes.count);
    return vm->result_receiver(call);
}

/* Elements from an earlier call. */
FUNCTION(write_where_one_was)
{
    Module *module = vm->module_state(call);
    OsvmElements bytes;
    if (!bytes_argument(vm, call, &bytes) || bytes.read_only)
        return OSVM_BAD_ARGUMENT;
    if (module->has_kept)
        ((uint8_t *)module->kept.data)[0] = 1;
    module->kept = bytes;
    module->has_kept = !module->has_kept;
    return vm->result_receiver(call);
}

FUNCTION(hide_lack_of_memory)
{
    OsvmValue array = vm->new_array(call, 3);
    return osvm_is_none(array) ? vm->result_receiver(call) : vm->result(call, array);
}

FUNCTION(misname_lack_of_memory)
{
    OsvmValue array = vm->new_array(call, 3);
    return osvm_is_none(array) ? OSVM_BAD_RECEIVER : vm->result(call, array);
}

/* Its accessor depth says that it looks into no argument. */
FUNCTION(refuse_forwarders)
{
    OsvmElements bytes;
    return bytes_argument(vm, call, &bytes) ? vm->result_receiver(call) : OSVM_BAD_ARGUMENT;
}

FUNCTION(hide_refusals)
{
    OsvmStat stat;
    const OsvmWorld *world = vm->world(call);
    world->stat(world, "/", true, &stat);
    return vm->result_receiver(call);
}

FUNCTION(call_back_unasked)
{
    OsvmValue answer;
    vm->perform(call, vm->arg(call, OSVM_RECEIVER), vm->arg(call, 0), NULL, 0, &answer);
    return vm->result_receiver(call);
}

FUNCTION(count_in_all_vms)
{
    static int64_t count;
    return vm->result(call, vm->from_int64(call, ++count));
}

FUNCTION(crash_for_floats)
{
    double number;
    if (vm->real(call, vm->arg(call, 0), &number))
        abort();
    return vm->result_receiver(call);
}

/* The arguments are never looked at: nil has no elements. */
FUNCTION(trust_arguments)
{
    OsvmElements bytes = {0};
    vm->elements(call, vm->arg(call, 0), &bytes);
    return vm->result(call, vm->from_int64(call, *(volatile uint8_t *)bytes.data));
}

FUNCTION(open_a_file)
{
    const OsvmWorld *world = vm->world(call);
    int file = world->open(world, "/dev/null", OSVM_READ, 0);
    if (file >= 0 && !has_fault("leaves-files-open"))
        world->close(world, file);
    if (file >= 0)
        return vm->result_receiver(call);
    vm->set_os_error(call, -file);
    return OSVM_OS_ERROR;
}

FUNCTION(answer_nonsense)
{
    return vm->result(call, (OsvmValue){(vm->arg(call, OSVM_RECEIVER).bits | 7) + 1});
}

FUNCTION(change_and_fail)
{
    OsvmElements bytes;
    if (bytes_argument(vm, call, &bytes) && !bytes.read_only)
        memset(bytes.data, 1, bytes.count);
    return OSVM_BAD_ARGUMENT;
}

FUNCTION(change_read_only)
{
    OsvmElements bytes;
    if (!bytes_argument(vm, call, &bytes))
        return OSVM_BAD_ARGUMENT;
    memset(bytes.data, 1, bytes.count);
    return vm->result_receiver(call);
}

FUNCTION(allocate_unasked)
{
    return vm->result(call, vm->new_array(call, 3));
}

FUNCTION(touch_world_unasked)
{
    vm->world(call);
    return vm->result_receiver(call);
}

FUNCTION(answer_nothing)
{
    return OSVM_SUCCESS;
}

/* ---- The module ---- */

static bool init(void *state, const OsvmHost *host, OsvmError *error)
{
    Module *module = state;
    module->host = host;
    if (!has_fault("keeps-memory") && !has_fault("loses-memory-at-start"))
        return true;
    module->block = host->alloc(host, 100);
    return module->block || host->fail(error, OSVM_INTERNAL, "no memory");
}

static bool start(void *state, const OsvmPrimApi *api, void *vm)
{
    Module *module = state;
    if (!has_fault("loses-memory-at-start"))
        return true;
    void *second = module->host->alloc(module->host, 100);
    module->host->free(module->host, second ? module->block : NULL, 100); /* not if it fails */
    module->host->free(module->host, second, 100);
    return second != NULL;
}

#define PRIM(function, depth, flags) {#function, function, depth, flags}
static const OsvmPrim functions[] = {
    PRIM(fill_soundly, 0, 0),
    PRIM(copy_soundly, 0, OSVM_MAY_ALLOCATE),
    PRIM(call_back_soundly, 0, OSVM_MAY_CALL_BACK),
    PRIM(look_soundly, -1, OSVM_TOUCHES_WORLD),
    PRIM(write_beyond, 0, 0),
    PRIM(write_where_it_was, 0, OSVM_MAY_CALL_BACK),
    PRIM(write_where_one_was, 0, 0),
    PRIM(hide_lack_of_memory, -1, OSVM_MAY_ALLOCATE),
    PRIM(misname_lack_of_memory, -1, OSVM_MAY_ALLOCATE),
    PRIM(refuse_forwarders, -1, 0),
    PRIM(hide_refusals, -1, OSVM_TOUCHES_WORLD),
    PRIM(call_back_unasked, -1, 0),
    PRIM(count_in_all_vms, -1, OSVM_MAY_ALLOCATE),
    PRIM(crash_for_floats, 0, 0),
    PRIM(trust_arguments, 0, OSVM_MAY_ALLOCATE),
    PRIM(open_a_file, -1, OSVM_TOUCHES_WORLD),
    PRIM(answer_nonsense, -1, 0),
    PRIM(change_and_fail, 0, 0),
    PRIM(change_read_only, 0, 0),
    PRIM(allocate_unasked, -1, 0),
    PRIM(touch_world_unasked, -1, 0),
    PRIM(answer_nothing, -1, 0),
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "BreachPlugin",
    .functions = functions,
    .start = start,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "breach",
    .version = "1.0",
    .summary = "functions that break one promise each",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
    .state_size = sizeof(Module),
    .state_version = 1,
    .init = init,
};
