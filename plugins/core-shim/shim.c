/* The checked half that every core shares: a core that forwards to another one and verifies it
 * against osvm/core.h.
 *
 * Rules it checks, named in its reports:
 *  K1  arguments are what the contract says: what is needed is there, choices are made once;
 *  K2  answers are: an exit code, with a sentence about what went wrong exactly if something did;
 *  K3  an image that was written is sound, one that was only looked at is as it was;
 *  K4  memory comes from the host and goes back to it, with its size, before a call ends.
 * A breach ends the process with a sentence that names the call and the rule.
 */
#include <string.h>

#include "ledger.h"
#include "osvm/core.h"
#include "osvm/world.h"

/* A call under way: what the core behind is given, and what is compared when it is back. */
typedef struct {
    const char *name;
    Ledger ledger;
    CoreSetup setup;      /* the caller's, with the core's own host */
    const CoreOps *inner;
    OsvmError error;      /* what the core says */
    const char *kept;     /* an image that the call may not change; NULL: none */
    OsvmStat before;      /* ... as it was; size -1: it was not there */
} Call;

/* ---- Before ---- */

static OsvmStat look_at(const OsvmHost *host, const char *path)
{
    OsvmStat stat = {0};
    if (host->own->stat(host->own, path, true, &stat) < 0)
        stat = (OsvmStat){.size = -1};
    return stat;
}

static bool is_same_file(const OsvmStat *a, const OsvmStat *b)
{
    return a->size >= 0 && b->size >= 0 && a->device == b->device && a->inode == b->inode;
}

static void open_call(Call *call, const char *name, const CoreSetup *setup)
{
    REQUIRE(setup && setup->host, "%s without a host (K1)", name);
    REQUIRE(setup->size >= sizeof *setup, "%s with a setup of %zu bytes instead of %zu (K1)", name,
            setup->size, sizeof *setup);
    const OsvmInstance *inner = setup->host->inner;
    REQUIRE(inner, "%s: the shim was given no core to stand before (K1)", name);
    *call = (Call){.name = name, .inner = inner->vtable, .setup = *setup};
    ledger_open(&call->ledger, inner->host);
    call->setup.host = &call->ledger.host;
}

/* The call reads `image`, and may write `output` (NULL: nothing), which may be the same file. */
static void open_reading(Call *call, const char *name, const CoreSetup *setup, const char *image,
                         const char *output)
{
    REQUIRE(image, "%s without an image (K1)", name);
    open_call(call, name, setup);
    call->before = look_at(setup->host, image);
    OsvmStat target = {.size = -1};
    if (output)
        target = look_at(setup->host, output);
    call->kept = is_same_file(&call->before, &target) ? NULL : image;
}

/* ---- After ---- */

static bool is_failure(unsigned status)
{
    return status == OSVM_PROGRAM_ERROR ||
           (status >= OSVM_USAGE && status <= OSVM_NO_PERMISSION);
}

static void check_error(const Call *call, int code)
{
    const OsvmError *error = &call->error;
    if (error->status == OSVM_OK)
        return;
    REQUIRE(is_failure(error->status) && error->message[0], "%s: the error has status %d and says "
            "'%s' (K2)", call->name, (int)error->status, error->message);
    REQUIRE(code == (int)error->status, "%s answers %d, its error has status %d: %s (K2)", call->name,
            code, (int)error->status, error->message);
}

static void check_kept(const Call *call)
{
    OsvmStat now = look_at(call->ledger.real, call->kept);
    const OsvmStat *before = &call->before;
    REQUIRE(now.size == before->size && now.modified_us == before->modified_us &&
            now.device == before->device && now.inode == before->inode,
            "%s changed '%s', which it was to read (K3)", call->name, call->kept);
}

static void finish(Call *call, int code, OsvmError *error)
{
    check_error(call, code);
    if (call->kept)
        check_kept(call);
    ledger_close(&call->ledger, call->name);
    if (call->error.status)
        *error = call->error;
}

/* Of all but `run`, whose answer is the program's. */
static int close_call(Call *call, int code, OsvmError *error)
{
    REQUIRE(code == OSVM_OK || call->error.status, "%s answers %d and says nothing about it (K2)",
            call->name, code);
    finish(call, code, error);
    return code;
}

/* What the core wrote is sound in its own eyes. In a world with faults in it, reading may fail. */
static int check_written(const CoreSetup *setup, const char *name, const char *path)
{
    Call call;
    OsvmError error = {0};
    CoreInspect inspect = {.image = path, .quiet = true};
    if (strcmp(setup->host->own->name, "faulty") == 0)
        return OSVM_OK;
    open_reading(&call, "check", setup, path, NULL);
    int code = close_call(&call, call.inner->check(&call.setup, &inspect, &call.error), &error);
    REQUIRE(code == OSVM_OK, "%s wrote '%s', which is not sound: %s (K3)", name, path, error.message);
    return code;
}

/* ---- The calls ---- */

static int shim_run(const CoreSetup *setup, const CoreRun *run, OsvmError *error)
{
    Call call;
    REQUIRE(run->image && run->arguments, "run without an image or arguments (K1)");
    open_call(&call, "run", setup);
    int code = call.inner->run(&call.setup, run, &call.error);
    REQUIRE(code >= 0 && code <= 255, "run answers %d, which is no exit code (K2)", code);
    finish(&call, code, error);
    return code;
}

static int shim_info(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    Call call;
    open_reading(&call, "info", setup, inspect->image, NULL);
    return close_call(&call, call.inner->info(&call.setup, inspect, &call.error), error);
}

static int shim_check(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    Call call;
    open_reading(&call, "check", setup, inspect->image, NULL);
    return close_call(&call, call.inner->check(&call.setup, inspect, &call.error), error);
}

static int shim_dump(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    Call call;
    REQUIRE(inspect->methods != inspect->objects, "dump of methods and objects, or neither (K1)");
    open_reading(&call, "dump", setup, inspect->image, NULL);
    return close_call(&call, call.inner->dump(&call.setup, inspect, &call.error), error);
}

static int shim_decompile(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    Call call;
    open_reading(&call, "decompile", setup, inspect->image, NULL);
    return close_call(&call, call.inner->decompile(&call.setup, inspect, &call.error), error);
}

static int shim_convert(const CoreSetup *setup, const CoreConvert *convert, OsvmError *error)
{
    Call call;
    REQUIRE(convert->output, "convert without an output (K1)");
    open_reading(&call, "convert", setup, convert->image, convert->output);
    int code = close_call(&call, call.inner->convert(&call.setup, convert, &call.error), error);
    return code == OSVM_OK ? check_written(setup, "convert", convert->output) : code;
}

static int shim_assemble(const CoreSetup *setup, const CoreAssemble *assemble, OsvmError *error)
{
    Call call;
    REQUIRE(assemble->file, "assemble without a text (K1)");
    REQUIRE(!assemble->image == !assemble->output, "assemble with an image or an output alone (K1)");
    open_reading(&call, "assemble", setup, assemble->file, NULL);
    int code = close_call(&call, call.inner->assemble(&call.setup, assemble, &call.error), error);
    return code == OSVM_OK && assemble->output ? check_written(setup, "assemble", assemble->output)
                                               : code;
}

static int shim_disassemble(const CoreSetup *setup, const CoreDisassemble *what, OsvmError *error)
{
    Call call;
    unsigned chosen = (what->selection != NULL) + (what->source != NULL) + (what->asm_file != NULL) +
                      what->summary;
    REQUIRE(chosen == 1, "disassemble: %u things are chosen (K1)", chosen);
    open_reading(&call, "disassemble", setup, what->image, NULL);
    return close_call(&call, call.inner->disassemble(&call.setup, what, &call.error), error);
}

/* ---- The collector laboratory ---- */

static int shim_gc_events(const CoreSetup *setup, const CoreGcEvents *events, OsvmError *error)
{
    Call call;
    REQUIRE(events->script && events->flight && events->folder, "gc_events without a script, a "
            "flight recorder or a folder (K1)");
    open_call(&call, "gc_events", setup);
    return close_call(&call, call.inner->gc_events(&call.setup, events, &call.error), error);
}

static int shim_gc_conformance(const CoreSetup *setup, unsigned number, struct GcFlight *flight,
                               const char **name, OsvmError *error)
{
    Call call;
    open_call(&call, "gc_conformance", setup);
    int code = call.inner->gc_conformance(&call.setup, number, flight, name, &call.error);
    return close_call(&call, code, error);
}

/* The process ends after it: nothing need be given back. */
static int shim_gc_bench(const CoreSetup *setup, const struct GcBenchOrder *order,
                         struct GcMeasure *measure, OsvmError *error)
{
    Call call;
    REQUIRE(order && measure, "gc_bench without an order or a place for its results (K1)");
    open_call(&call, "gc_bench", setup);
    int code = call.inner->gc_bench(&call.setup, order, measure, &call.error);
    check_error(&call, code);
    *error = call.error;
    return code;
}

static const char *shim_gc_workload(const CoreSetup *setup, unsigned number, const char **summary)
{
    Call call;
    open_call(&call, "gc_workload", setup);
    const char *name = call.inner->gc_workload(&call.setup, number, summary);
    REQUIRE(!name || *summary, "workload %u, '%s', has no summary (K2)", number, name);
    ledger_close(&call.ledger, call.name);
    return name;
}

static const CoreOps ops = {
    .size = sizeof(CoreOps),
    .run = shim_run,
    .info = shim_info,
    .check = shim_check,
    .dump = shim_dump,
    .convert = shim_convert,
    .assemble = shim_assemble,
    .gc_events = shim_gc_events,
    .disassemble = shim_disassemble,
    .gc_conformance = shim_gc_conformance,
    .gc_bench = shim_gc_bench,
    .gc_workload = shim_gc_workload,
    .decompile = shim_decompile,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_CORE, WORD_BITS),
    .name = "shim",
    .version = OSVM_VERSION,
    .summary = "verifies the core behind it",
    .licence = "MIT",
    .flags = OSVM_SHIM,
    .vtable_abi = OSVM_CORE_ABI,
    .vtable = &ops,
    .vtable_size = sizeof ops,
};
