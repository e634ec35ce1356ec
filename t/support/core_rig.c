#include "t/support/core_rig.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/plugin/plugins.h"
#include "kernel/world/worlds.h"

enum { SECONDS = 300 };

/* ---- The host: that of the core, watched ---- */

typedef struct {
    OsvmHost host;        /* first */
    const OsvmHost *real;
    const CoreRigSetup *setup;
    CoreOutcome *outcome;
} WatchedHost;

static WatchedHost *watched_of(const OsvmHost *host)
{
    return (WatchedHost *)host;
}

static bool is_refused(WatchedHost *watched)
{
    size_t number = ++watched->outcome->allocations;
    return watched->setup->fail_allocation && number == watched->setup->fail_allocation;
}

static void *watched_alloc(const OsvmHost *host, size_t size)
{
    WatchedHost *watched = watched_of(host);
    void *block = is_refused(watched) ? NULL : watched->real->alloc(watched->real, size);
    watched->outcome->blocks += block != NULL;
    return block;
}

static void *watched_resize(const OsvmHost *host, void *block, size_t old_size, size_t new_size)
{
    WatchedHost *watched = watched_of(host);
    void *resized = is_refused(watched) ? NULL : watched->real->resize(watched->real, block, old_size, new_size);
    watched->outcome->blocks += resized && !block;
    return resized;
}

static void watched_free(const OsvmHost *host, void *block, size_t size)
{
    WatchedHost *watched = watched_of(host);
    watched->outcome->blocks -= block != NULL;
    watched->real->free(watched->real, block, size);
}

static const OsvmInstance *watched_load(const OsvmHost *host, OsvmKind kind, const char *name, uint32_t vtable_abi,
                                        size_t vtable_size, OsvmError *error)
{
    WatchedHost *watched = watched_of(host);
    if (kind == watched->setup->refused) {
        host->fail(error, OSVM_UNAVAILABLE, "the test refuses it");
        return NULL;
    }
    return watched->real->load(watched->real, kind, name, vtable_abi, vtable_size, error);
}

static void watch_host(WatchedHost *watched, const OsvmHost *real)
{
    watched->real = real;
    watched->host = *real;
    watched->host.alloc = watched_alloc;
    watched->host.resize = watched_resize;
    watched->host.free = watched_free;
    watched->host.load = watched_load;
}

/* ---- The world ---- */

static CoreOutcome *waiting; /* whose waits are counted */

static unsigned counted_wait(const OsvmWorld *world, int64_t until_us)
{
    const OsvmWorld *live = ((WorldState *)world->state)->inner;
    waiting->waits++;
    return live->wait(live, until_us);
}

static OsvmWorld *make_world(const CoreRigSetup *setup, CoreOutcome *outcome)
{
    OsvmWorld *live = world_live_new();
    if (setup->denied)
        return world_denied_new(live);
    if (setup->deterministic)
        return world_logical_new(live);
    WorldState *counted = world_state_new(sizeof *counted, "counted", live);
    counted->world.wait = counted_wait;
    waiting = outcome;
    return &counted->world;
}

/* ---- In the process ---- */

static bool select_parts(Plugins *plugins, const CoreRigSetup *setup, OsvmError *error)
{
    const char *rest = setup->checked ? "checked" : NULL;
    return plugins_select(plugins, OSVM_CORE, setup->core, error) &&
           (!setup->gc || plugins_select(plugins, OSVM_GC, setup->gc, error)) &&
           (!rest || plugins_select_checked(plugins, setup->gc ? "mm,prims" : "mm,gc,prims", error));
}

static int make_call(const CoreSetup *setup, const CoreOps *ops, const CoreCall *call, OsvmError *error)
{
    CoreRun run = {.image = call->image, .arguments = call->arguments};
    CoreInspect inspect = {.image = call->image, .quiet = true, .methods = call->kind == CORE_DUMP,
                           .selection = call->kind == CORE_CHECK || call->kind == CORE_INFO ? NULL : "Object>>yourself"};
    CoreConvert convert = {.image = call->image, .output = call->output};
    CoreAssemble assemble = {.file = call->text, .image = call->image, .output = call->output};
    switch (call->kind) {
    case CORE_ASSEMBLE: return ops->assemble(setup, &assemble, error);
    case CORE_RUN: return ops->run(setup, &run, error);
    case CORE_CHECK: return ops->check(setup, &inspect, error);
    case CORE_INFO: return ops->info(setup, &inspect, error);
    case CORE_DUMP: return ops->dump(setup, &inspect, error);
    case CORE_DECOMPILE: return ops->decompile(setup, &inspect, error);
    default: return ops->convert(setup, &convert, error);
    }
}

static void work(const CoreRigSetup *setup, const CoreCall *call, CoreOutcome *outcome)
{
    static const char *const no_options[] = {NULL};
    OsvmWorld *world = make_world(setup, outcome);
    PluginsConfig config = {.path = setup->folder, .own = world_live_new(), .world = world, .log_level = OSVM_WARNING};
    Plugins *plugins = plugins_new(&config);
    PluginRequest request = {.kind = OSVM_CORE, .heap_bits = setup->width, .vtable_abi = OSVM_CORE_ABI,
                             .vtable_size = sizeof(CoreOps)};
    const OsvmInstance *core = select_parts(plugins, setup, &outcome->error)
                                   ? plugins_load(plugins, &request, &outcome->error) : NULL;
    if (!core)
        return;
    WatchedHost watched = {.setup = setup, .outcome = outcome};
    watch_host(&watched, core->host);
    CoreSetup core_setup = {.size = sizeof core_setup, .host = &watched.host, .torture = setup->torture,
                            .leak_check = setup->leak_check, .deterministic = setup->deterministic,
                            .jit = setup->jit, .vm_path = "osvm", .vm_options = no_options};
    for (unsigned i = 0; i < (setup->times ? setup->times : 1); i++) {
        outcome->error = (OsvmError){0};
        outcome->code = make_call(&core_setup, core->vtable, call, &outcome->error);
    }
    fflush(stdout);
    outcome->returned = true;
    plugins_free(plugins);
}

static void read_back(FILE *file, char *text)
{
    rewind(file);
    text[fread(text, 1, CORE_OUTPUT - 1, file)] = 0;
    fclose(file);
}

CoreOutcome core_rig_call(const CoreRigSetup *setup, const CoreCall *call)
{
    CoreOutcome *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *output = tmpfile(), *complaints = tmpfile();
    if (shared == MAP_FAILED || !output || !complaints)
        return (CoreOutcome){.error = {OSVM_INTERNAL, "no memory or temporary file for a test"}};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(output), 1);
        dup2(fileno(complaints), 2);
        alarm(SECONDS);
        work(setup, call, shared);
        _exit(0);
    }
    waitpid(child, &shared->status, 0);
    CoreOutcome outcome = *shared;
    outcome.returned &= outcome.status == 0;
    munmap(shared, sizeof *shared);
    read_back(output, outcome.output);
    read_back(complaints, outcome.complaints);
    return outcome;
}
