/* The module UUIDPlugin: random unique identifiers (version 4 of RFC 4122). */
#include "osvm/prims.h"
#include "osvm/world.h"

static int make_uuid(const OsvmPrimApi *vm, OsvmCall *call)
{
    OsvmElements bytes;
    const OsvmWorld *world = vm->world(call);
    if (vm->arg_count(call) != 0 || !vm->elements(call, vm->arg(call, OSVM_RECEIVER), &bytes) ||
        bytes.element_size != 1 || bytes.count != 16)
        return OSVM_FAILED;
    if (bytes.read_only)
        return OSVM_NO_MODIFICATION;
    uint8_t *uuid = bytes.data;
    if (world->random(world, uuid, 16) < 0)
        return OSVM_OPERATION_FAILED;
    uuid[6] = (uint8_t)((uuid[6] & 0x0F) | 0x40); /* version */
    uuid[8] = (uint8_t)((uuid[8] & 0x3F) | 0x80); /* variant */
    return vm->result_receiver(call);
}

static const OsvmPrim functions[] = {
    {"primitiveMakeUUID", make_uuid, 0, OSVM_TOUCHES_WORLD},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "UUIDPlugin",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "uuid",
    .version = OSVM_VERSION,
    .summary = "unique identifiers",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
