/* The module SecurityPlugin: where an image may write. Rights are the world's (denied), which
 * holds whatever an image asks; there is no primitive to give one up. */
#include "osvm/prims.h"
#include "osvm/world.h"

#include <stdio.h>
#include <string.h>

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

/* A folder below the user's home directory, or the current directory without one. */
static int user_directory(const OsvmPrimApi *vm, OsvmCall *call, const char *below)
{
    char path[4096];
    const char *home = vm->world(call)->get_variable(vm->world(call), "HOME");
    int length = snprintf(path, sizeof path, "%s%s", home && *home ? home : ".", below);
    if (length < 0 || (size_t)length >= sizeof path)
        return OSVM_FAILED;
    return vm->result(call, vm->from_string(call, path, (size_t)length));
}

FUNCTION(untrusted_directory)
{
    return user_directory(vm, call, "/osvm-untrusted");
}

FUNCTION(secure_directory)
{
    return user_directory(vm, call, "/.osvm");
}

FUNCTION(can_write_image)
{
    return vm->result(call, vm->from_boolean(call, true));
}

static const OsvmPrim functions[] = {
    {"primitiveGetUntrustedUserDirectory", untrusted_directory, -1, OSVM_MAY_ALLOCATE | OSVM_TOUCHES_WORLD},
    {"primitiveGetSecureUserDirectory", secure_directory, -1, OSVM_MAY_ALLOCATE | OSVM_TOUCHES_WORLD},
    {"primitiveCanWriteImage", can_write_image, -1, 0},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "SecurityPlugin",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "security",
    .version = OSVM_VERSION,
    .summary = "where an image may write",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
