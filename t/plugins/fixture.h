/* A small plugin for tests of the loader. A fixture defines what is wrong with it
 * and includes this; what it leaves alone is sound. */
#include "osvm/plugin.h"
#include "t/plugins/fixture_abi.h"

#ifndef FIXTURE_MAGIC
#define FIXTURE_MAGIC OSVM_MAGIC
#endif
#ifndef FIXTURE_MAJOR
#define FIXTURE_MAJOR OSVM_ABI_MAJOR
#endif
#ifndef FIXTURE_MINOR
#define FIXTURE_MINOR OSVM_ABI_MINOR
#endif
#ifndef FIXTURE_KIND
#define FIXTURE_KIND OSVM_GC
#endif
#ifndef FIXTURE_BITS
#define FIXTURE_BITS 64
#endif
#ifndef FIXTURE_SIGNATURE
#define FIXTURE_SIGNATURE OSVM_SIGNATURE
#endif
#ifndef FIXTURE_VTABLE
#define FIXTURE_VTABLE &ops
#endif
#ifndef FIXTURE_STATE_VERSION
#define FIXTURE_STATE_VERSION 1
#endif
#ifndef FIXTURE_ANSWER
#define FIXTURE_ANSWER 42
#endif
#ifndef FIXTURE_INIT
#define FIXTURE_INIT fixture_init
#endif
#ifndef FIXTURE_LAZY
#define FIXTURE_LAZY "no"
#endif
#ifndef FIXTURE_FLAGS
#define FIXTURE_FLAGS 0
#endif

/* Writes to the file that the environment names, so that a test sees what ran. */
static __attribute__((unused)) void fixture_say(const char *word)
{
    const char *path = getenv("FIXTURE_DIARY");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    fprintf(file, "%s ", word);
    fclose(file);
}

static int fixture_answer(void *state)
{
    FixtureState *fixture = state;
    fixture->calls++;
    return FIXTURE_ANSWER;
}

static __attribute__((unused)) bool fixture_init(void *state, const OsvmHost *host, OsvmError *error)
{
    FixtureState *fixture = state;
    fixture->lazy = host->option_flag(host, "lazy");
    fixture->threads = host->option_number(host, "threads");
    fixture->inner = host->inner;
    fixture_say("init");
    return true;
}

static void fixture_fini(void *state)
{
    fixture_say("fini");
}

static void fixture_fork_before(void *state)
{
    fixture_say("before");
}

static void fixture_fork_parent(void *state)
{
    fixture_say("parent");
}

static void fixture_fork_child(void *state)
{
    fixture_say("child");
}

static __attribute__((unused)) const FixtureOps ops = {.size = sizeof(FixtureOps),
                                                       .answer = fixture_answer};

static const OsvmOption options[] = {
    {.name = "lazy", .kind = OSVM_FLAG, .value = FIXTURE_LAZY, .help = "puts work off"},
    {.name = "threads", .kind = OSVM_NUMBER, .value = "1", .min = 1, .max = 64, .help = "helpers"},
    {.name = NULL},
};

OSVM_DEFINE_PLUGIN = {
    .magic = FIXTURE_MAGIC,
    .size = sizeof(OsvmPlugin),
    .abi_major = FIXTURE_MAJOR,
    .abi_minor = FIXTURE_MINOR,
    .kind = FIXTURE_KIND,
    .heap_bits = FIXTURE_BITS,
    .signature = FIXTURE_SIGNATURE,
    .name = FIXTURE_NAME,
    .variant = OSVM_VARIANT,
    .version = "1.0",
    .summary = "a fixture",
    .licence = "MIT",
    .flags = FIXTURE_FLAGS,
    .vtable_abi = FIXTURE_ABI,
    .vtable = FIXTURE_VTABLE,
    .vtable_size = sizeof(FixtureOps),
    .state_size = sizeof(FixtureState),
    .state_version = FIXTURE_STATE_VERSION,
    .options = options,
    .init = FIXTURE_INIT,
    .fini = fixture_fini,
    .fork_before = fixture_fork_before,
    .fork_parent = fixture_fork_parent,
    .fork_child = fixture_fork_child,
};
