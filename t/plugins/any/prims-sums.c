/* A module of primitives whose file is not named after it. */
#include "osvm/prims.h"

static const OsvmPrim functions[] = {{.name = NULL}};
static const OsvmPrims prims = {.size = sizeof(OsvmPrims), .module = "ArithmeticPlugin",
                                .functions = functions};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "sums",
    .version = "1.0",
    .summary = "no primitives",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
