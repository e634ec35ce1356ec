/* gc-none: old space only grows. Scavenges go on as ever. What was freed one by one
 * (buffers, what become leaves behind) is used again. */
#include "osvm/plugin.h"
#include "plugins/gc/old_space.h"

static void collect(Gc *gc, GcResult *result)
{
    *result = (GcResult){.refused = true, .live_bytes = old_space_live_bytes((OldSpace *)gc)};
}

static const GcOps ops = {
    OLD_SPACE_OPS,
    .moves_objects = false,
    .collect = collect,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_GC, WORD_BITS),
    .name = "none",
    .version = OSVM_VERSION,
    .summary = "never collects old space, which only grows",
    .licence = "MIT",
    .vtable_abi = OSVM_GC_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
    .state_size = sizeof(OldSpace),
    .state_version = 1,
};
