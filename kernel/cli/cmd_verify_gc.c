/* `osvm verify-gc PLUGIN.so`: is a collector one? Conformance suite, scripts, random events
 * against the model, behind the shim and without it. */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/lab/trial.h"

enum { RUN_EVENTS = 10000 };

/* What a plugin's descriptor says of it, read in a process of its own. */
typedef struct {
    char name[64], variant[32], said[512];
    unsigned heap_bits;
    bool usable;
} Identity;

typedef struct {
    Lab lab;
    Cli *cli;
    const char *file;    /* as the command line says; once found: path */
    char path[PATH_MAX];
    char folder[PATH_MAX]; /* where the plugin can be found by its name */
    char inside[PATH_MAX]; /* ... of one heap width */
    char link[PATH_MAX];   /* ... the plugin itself */
    unsigned broken;
    unsigned beyond;       /* tests of what the collector is not made for */
    Identity *identity; /* shared with children */
    unsigned test;      /* of the conformance suite */
} Verification;

/* ---- Who it is ---- */

static int read_identity(Lab *lab, void *context)
{
    Verification *v = context;
    Identity *identity = v->identity;
    (void)lab;
    void *library = dlopen(v->file, RTLD_NOW | RTLD_LOCAL);
    const OsvmPlugin *plugin = library ? dlsym(library, "osvm_plugin") : NULL;
    if (!library)
        snprintf(identity->said, sizeof identity->said, "it does not load: %s", dlerror());
    else if (!plugin)
        snprintf(identity->said, sizeof identity->said, "it does not export 'osvm_plugin'");
    else if (plugin->magic != OSVM_MAGIC || plugin->kind != OSVM_GC)
        snprintf(identity->said, sizeof identity->said, "it is no collector");
    else {
        snprintf(identity->name, sizeof identity->name, "%s", plugin->name);
        snprintf(identity->variant, sizeof identity->variant, "%s", plugin->variant);
        identity->heap_bits = plugin->heap_bits;
        identity->usable = plugin->heap_bits == 32 || plugin->heap_bits == 64;
    }
    return 0;
}

static bool identify(Verification *v, OsvmError *error)
{
    char said[512] = "";
    if (!realpath(v->file, v->path))
        return error_set(error, OSVM_NO_INPUT, "cannot read '%s': %s", v->file, strerror(errno));
    v->file = v->path;
    lab_fork(&v->lab, read_identity, v, said, sizeof said);
    if (v->identity->usable)
        return true;
    return error_set(error, OSVM_UNAVAILABLE, "'%s' cannot be verified: %s", v->file,
                     *v->identity->said ? v->identity->said : "it crashed while it was loaded");
}

/* The loader finds plugins by name: a folder in which this one has its own. */
static bool publish(Verification *v, OsvmError *error)
{
    const Identity *identity = v->identity;
    const OsvmWorld *world = v->cli->live;
    bool plain = strcmp(identity->variant, "production") == 0;
    enum { LONGEST = PATH_MAX - 192 }; /* of a folder: names of plugins come behind */
    int used = snprintf(v->folder, sizeof v->folder, "%s/osvm-verify-%d", v->lab.folder,
                        world->process_id(world));
    int failure = used < LONGEST - 8 ? world->make_directory(world, v->folder, 0700)
                                     : -ENAMETOOLONG;
    if (failure) {
        error_set(error, OSVM_CANNOT_CREATE, "cannot make folder '%s': %s", v->folder,
                  strerror(-failure));
        v->folder[0] = 0;
        return false;
    }
    snprintf(v->inside, sizeof v->inside, "%.*s/%u", LONGEST, v->folder, identity->heap_bits);
    snprintf(v->link, sizeof v->link, "%.*s/gc-%s%s%s.so", LONGEST, v->inside, identity->name,
             plain ? "" : ".", plain ? "" : identity->variant);
    failure = world->make_directory(world, v->inside, 0700);
    if (!failure)
        failure = world->symlink(world, v->file, v->link);
    return !failure || error_set(error, OSVM_CANNOT_CREATE, "cannot write '%s': %s", v->link,
                                 strerror(-failure));
}

static void unpublish(Verification *v)
{
    const OsvmWorld *world = v->cli->live;
    if (!v->folder[0])
        return;
    world->unlink(world, v->link);
    world->remove_directory(world, v->inside);
    world->remove_directory(world, v->folder);
}

/* `variant` checked puts the shim in front, also of a plugin without a checked build. */
static bool choose(Verification *v, const char *variant, OsvmError *error)
{
    Cli *cli = v->cli;
    char selection[512];
    const char *options = options_text(cli->options, "options");
    PluginsConfig config = {.path = v->folder, .own = cli->live, .world = cli->world,
                            .log_level = OSVM_WARNING, .log = cli->log.stream};
    plugins_free(cli->plugins);
    cli->plugins = plugins_new(&config);
    snprintf(selection, sizeof selection, "%s:%s%s%s", v->identity->name, variant,
             options ? "," : "", options ? options : "");
    return plugins_select(cli->plugins, OSVM_GC, selection, error) &&
           (strcmp(variant, "production") == 0 ||
            plugins_select_checked(cli->plugins, "mm", error));
}

/* ---- The conformance suite ---- */

static int conform(Lab *lab, void *context)
{
    Verification *v = context;
    OsvmError error = {.status = OSVM_OK};
    CoreSetup setup;
    const char *name;
    const CoreOps *core = vm_load_core(lab->cli, lab->heap_bits, &setup, &error);
    setup.deterministic = true;
    if (core && core->gc_conformance(&setup, v->test, lab->flight, &name, &error) == OSVM_OK)
        return 0;
    lab->flight->found = FOUND_NO_START;
    snprintf(lab->flight->text, sizeof lab->flight->text, "%s", error.message);
    return OSVM_INTERNAL;
}

static bool test_passes(Verification *v)
{
    char said[1024] = "";
    GcFlight *flight = v->lab.flight;
    memset(flight, 0, sizeof *flight);
    int status = lab_fork(&v->lab, conform, v, said, sizeof said);
    if (status == 0 && flight->done)
        return true;
    if (!flight->found)
        lab_judge(flight, status, said);
    return false;
}

static void run_suite(Verification *v, const CoreOps *core)
{
    for (v->test = 0;; v->test++) {
        const char *name;
        OsvmError error;
        core->gc_conformance(NULL, v->test, NULL, &name, &error);
        if (!name)
            break;
        bool good = test_passes(v);
        const GcFlight *flight = v->lab.flight;
        bool beyond = good && *flight->text; /* it says why this does not concern it */
        printf("%s  %s\n", beyond ? "not   " : good ? "ok    " : "BROKEN", name);
        if (!good)
            printf("          %s: %s\n", found_by_name(flight->found), flight->text);
        else if (beyond)
            printf("          %s\n", flight->text);
        fflush(stdout);
        v->broken += !good;
        v->beyond += beyond;
    }
}

/* ---- Random events ---- */

static void say_nothing(void *context, size_t count)
{
    (void)context, (void)count;
}

static void report(Verification *v, GcScript *script, const char *what, uint64_t events)
{
    const GcFlight *flight = v->lab.flight;
    lab_reduce(&v->lab, script, say_nothing, NULL);
    printf("BROKEN  %s, after %" PRIu64 " events\n          %s: %s\n", what, events,
           found_by_name(flight->found), flight->text);
    printf("        The least sequence that shows it (osvm fuzz gc --replay FILE):\n");
    script_write(script, stdout);
    v->broken++;
}

static void fuzz(Verification *v, const char *what, uint64_t seed, uint64_t wanted)
{
    for (uint64_t events = 0; events < wanted; seed++) {
        GcScript script;
        size_t count = wanted - events < RUN_EVENTS ? wanted - events : RUN_EVENTS;
        script_generate(&script, seed, count);
        bool good = lab_try(&v->lab, &script) == FOUND_NOTHING;
        events += good ? count : v->lab.flight->event + 1;
        if (!good)
            report(v, &script, what, events);
        script_free(&script);
        if (!good)
            return;
    }
    printf("ok      %s: %" PRIu64 " events\n", what, wanted);
    fflush(stdout);
}

/* ---- The command ---- */

static bool verify(Verification *v, OsvmError *error)
{
    CoreSetup setup;
    uint64_t seed = (uint64_t)options_number(v->cli->options, "seed");
    uint64_t events = (uint64_t)options_number(v->cli->options, "events");
    if (!identify(v, error) || !publish(v, error))
        return false;
    v->lab.heap_bits = v->identity->heap_bits;
    v->lab.patience = (unsigned)options_number(v->cli->options, "patience");
    printf("%s: collector '%s', %s, %u bit\n", v->file, v->identity->name, v->identity->variant,
           v->identity->heap_bits);
    if (!choose(v, v->identity->variant, error))
        return false;
    const CoreOps *core = vm_load_core(v->cli, v->lab.heap_bits, &setup, error);
    if (!core)
        return false;
    run_suite(v, core);
    fuzz(v, "random events against the model", seed, events);
    if (!choose(v, "checked", error))
        return false;
    fuzz(v, "random events behind the shims", seed, events / 2);
    if (v->broken)
        printf("%u of these are broken\n", v->broken);
    else
        printf(v->beyond ? "nothing is broken; what it does not do by its nature: %u tests\n"
                         : "nothing is broken\n",
               v->beyond);
    return true;
}

static int run_verify(Cli *cli, OsvmError *error)
{
    Verification v = {.cli = cli, .file = cli->operands[0]};
    v.identity = mmap(NULL, sizeof *v.identity, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0);
    REQUIRE(v.identity != MAP_FAILED, "no shared memory: %s", strerror(errno));
    if (!lab_open(&v.lab, cli, 64, error))
        return (int)error->status;
    bool done = verify(&v, error);
    unpublish(&v);
    lab_close(&v.lab);
    munmap(v.identity, sizeof *v.identity);
    return !done ? (int)error->status : v.broken ? OSVM_PROGRAM_ERROR : OSVM_OK;
}

static const OsvmOption verify_options[] = {
    {.name = "events", .kind = OSVM_NUMBER, .value = "300000", .min = 1, .max = INT64_MAX,
     .help = "how many random events; half as many behind the shims"},
    {.name = "seed", .kind = OSVM_NUMBER, .value = "1", .min = 0, .max = INT64_MAX,
     .help = "of the first run of 10000 events"},
    {.name = "options", .kind = OSVM_TEXT, .choices = "NAME=VALUE,...",
     .help = "options for the plugin"},
    {.name = "patience", .kind = OSVM_NUMBER, .value = "60", .min = 1, .max = 3600,
     .help = "seconds without progress that count as a hang"},
    {.name = NULL},
};

const Command command_verify_gc = {
    .name = "verify-gc",
    .operands = "PLUGIN.so",
    .summary = "find out what is broken in a collector plugin",
    .details =
        "Runs the conformance suite of collectors, then random heap events against a model, in\n"
        "production and behind the checking shims. Exit code 0: nothing is broken, 1: something\n"
        "is, and what was printed says what.",
    .options = verify_options,
    .least = 1,
    .most = 1,
    .run = run_verify,
};
