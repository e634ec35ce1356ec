/* A core that breaks one rule of osvm/core.h: another one, in the file BREACH_BEHIND, with the fault BREACH_FAULT
 * of the environment. The conformance suite has to find each. */
#include "osvm/core.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_fault(const char *name)
{
    const char *fault = getenv("BREACH_FAULT");
    return fault && strcmp(fault, name) == 0;
}

static const CoreOps *behind(void)
{
    void *library = dlopen(getenv("BREACH_BEHIND"), RTLD_NOW | RTLD_LOCAL);
    const OsvmPlugin *plugin = library ? dlsym(library, "osvm_plugin") : NULL;
    if (!plugin)
        _exit(99);
    return plugin->vtable;
}

static int run(const CoreSetup *setup, const CoreRun *what, OsvmError *error)
{
    if (has_fault("keeps-memory"))
        setup->host->alloc(setup->host, 100);
    if (has_fault("asks-the-system"))
        printf("%d\n", (int)getpid());
    if (has_fault("gives-up-without-parts") &&
        !setup->host->load(setup->host, OSVM_GC, NULL, 0, 0, error))
        abort();
    int code = behind()->run(setup, what, error);
    if (has_fault("fails-silently"))
        *error = (OsvmError){0};
    return has_fault("loses-exit-codes") ? 0 : code;
}

static int check(const CoreSetup *setup, const CoreInspect *what, OsvmError *error)
{
    int code = behind()->check(setup, what, error);
    return has_fault("contradicts-itself") && code ? code + 1 : code;
}

static int info(const CoreSetup *setup, const CoreInspect *what, OsvmError *error)
{
    return has_fault("says-nothing") ? OSVM_OK : behind()->info(setup, what, error);
}

static int dump(const CoreSetup *setup, const CoreInspect *what, OsvmError *error)
{
    return behind()->dump(setup, what, error);
}

static int decompile(const CoreSetup *setup, const CoreInspect *what, OsvmError *error)
{
    return behind()->decompile(setup, what, error);
}

static int convert(const CoreSetup *setup, const CoreConvert *what, OsvmError *error)
{
    int code = behind()->convert(setup, what, error);
    return has_fault("cuts-images") && truncate(what->output, 100000) ? OSVM_INTERNAL : code;
}

static int assemble(const CoreSetup *setup, const CoreAssemble *what, OsvmError *error)
{
    CoreAssemble listed = {.file = what->file};
    return behind()->assemble(setup, has_fault("assembles-nothing") ? &listed : what, error);
}

static int gc_events(const CoreSetup *setup, const CoreGcEvents *events, OsvmError *error)
{
    return behind()->gc_events(setup, events, error);
}

static int disassemble(const CoreSetup *setup, const CoreDisassemble *what, OsvmError *error)
{
    return behind()->disassemble(setup, what, error);
}

static int gc_conformance(const CoreSetup *setup, unsigned number, struct GcFlight *flight, const char **name,
                          OsvmError *error)
{
    return behind()->gc_conformance(setup, number, flight, name, error);
}

static int gc_bench(const CoreSetup *setup, const struct GcBenchOrder *order, struct GcMeasure *measure,
                    OsvmError *error)
{
    return behind()->gc_bench(setup, order, measure, error);
}

static const char *gc_workload(const CoreSetup *setup, unsigned number, const char **summary)
{
    return behind()->gc_workload(setup, number, summary);
}

static const CoreOps ops = {
    .size = sizeof(CoreOps), .run = run, .info = info, .check = check, .dump = dump, .convert = convert,
    .assemble = assemble, .gc_events = gc_events, .disassemble = disassemble,
    .gc_conformance = gc_conformance, .gc_bench = gc_bench, .gc_workload = gc_workload, .decompile = decompile,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_CORE, 64),
    .name = "breach",
    .version = "1.0",
    .summary = "another core, with a fault",
    .licence = "MIT",
    .vtable_abi = OSVM_CORE_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
};
