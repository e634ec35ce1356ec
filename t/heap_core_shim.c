/* The shim of cores: lets honest work pass, and names the rule that was broken, by the caller or by
 * the core behind it. */
// LINK: t/support/confession.c t/support/image_host.c plugins/core-shim/*.c
#include <string.h>
#include <unistd.h>

#include "support/confession.h"
#include "support/image_host.h"
#include "tap.h"

extern const OsvmPlugin osvm_plugin_core_shim;

/* A core that does what `act` says, whatever is called; `image` is the file it is given. */
typedef int Act(const CoreSetup *setup, const char *image, OsvmError *error);
static Act *act;

static int core_run(const CoreSetup *setup, const CoreRun *run, OsvmError *error)
{
    return act(setup, run->image, error);
}

static int core_inspect(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    return act(setup, inspect->image, error);
}

static int core_convert(const CoreSetup *setup, const CoreConvert *convert, OsvmError *error)
{
    return convert->image ? OSVM_OK : act(setup, NULL, error);
}

static int core_disassemble(const CoreSetup *setup, const CoreDisassemble *what, OsvmError *error)
{
    return act(setup, what->image, error);
}

static const char *core_workload(const CoreSetup *setup, unsigned number, const char **summary)
{
    *summary = number < 2 ? "a summary" : NULL;
    return number < 3 ? "name" : NULL;
}

static const CoreOps core = {
    .size = sizeof(CoreOps), .run = core_run, .info = core_inspect, .check = core_inspect,
    .dump = core_inspect, .decompile = core_inspect, .convert = core_convert,
    .disassemble = core_disassemble, .gc_workload = core_workload,
};

/* ---- What a core may do ---- */

static int work_honestly(const CoreSetup *setup, const char *image, OsvmError *error)
{
    const OsvmHost *host = setup->host;
    char *block = host->alloc(host, 100), *other = host->alloc(host, 0);
    bool clear = block[0] == 0 && block[99] == 0;
    memset(block, 7, 100);
    block = host->resize(host, block, 100, 200);
    bool kept = block[99] == 7 && block[100] == 0 && block[199] == 0;
    block = host->resize(host, block, 200, 10);
    kept = kept && block[9] == 7;
    host->free(host, block, 10);
    host->free(host, other, 0);
    host->free(host, NULL, 0);
    other = host->resize(host, NULL, 0, 1 << 20);
    host->free(host, other, 1 << 20);
    return clear && kept ? OSVM_OK : OSVM_INTERNAL;
}

static int refuse(const CoreSetup *setup, const char *image, OsvmError *error)
{
    setup->host->fail(error, OSVM_BAD_DATA, "it is no image");
    return OSVM_BAD_DATA;
}

static int answer_42(const CoreSetup *setup, const char *image, OsvmError *error)
{
    return 42;
}

/* ---- What it may not ---- */

static int keep_memory(const CoreSetup *setup, const char *image, OsvmError *error)
{
    return setup->host->alloc(setup->host, 24) ? OSVM_OK : OSVM_INTERNAL;
}

static int misremember_size(const CoreSetup *setup, const char *image, OsvmError *error)
{
    void *block = setup->host->alloc(setup->host, 24);
    setup->host->free(setup->host, block, 25);
    return OSVM_OK;
}

static int free_foreign(const CoreSetup *setup, const char *image, OsvmError *error)
{
    static uint64_t own[16];
    setup->host->free(setup->host, own + 8, 64);
    return OSVM_OK;
}

static int fail_silently(const CoreSetup *setup, const char *image, OsvmError *error)
{
    return OSVM_BAD_DATA;
}

static int contradict(const CoreSetup *setup, const char *image, OsvmError *error)
{
    setup->host->fail(error, OSVM_NO_INPUT, "it is not there");
    return OSVM_OK;
}

static int fail_wordlessly(const CoreSetup *setup, const char *image, OsvmError *error)
{
    error->status = OSVM_BAD_DATA;
    return OSVM_BAD_DATA;
}

static int invent_status(const CoreSetup *setup, const char *image, OsvmError *error)
{
    setup->host->fail(error, (OsvmStatus)7, "seven");
    return 7;
}

static int answer_1000(const CoreSetup *setup, const char *image, OsvmError *error)
{
    return 1000;
}

static int change_image(const CoreSetup *setup, const char *image, OsvmError *error)
{
    const OsvmWorld *world = setup->host->own;
    int file = world->open(world, image, OSVM_WRITE | OSVM_APPEND, 0);
    world->write(world, file, "!", 1);
    world->close(world, file);
    return OSVM_OK;
}

/* ---- Calls ---- */

typedef struct {
    ImageHost real, outer; /* of the core, of the shim */
    OsvmInstance instance;
    const CoreOps *ops;
    char image[32];
    const char *nothing[1];
    OsvmError error;
} Rig;

static void open_rig(Rig *rig)
{
    *rig = (Rig){.ops = osvm_plugin_core_shim.vtable, .image = "/tmp/osvm-shim-XXXXXX"};
    image_host_start(&rig->real);
    image_host_start(&rig->outer);
    rig->instance = (OsvmInstance){.vtable = &core, .host = &rig->real.host};
    rig->outer.host.inner = &rig->instance;
    int file = mkstemp(rig->image);
    if (file < 0 || write(file, "image", 5) != 5 || close(file))
        bail_out("no temporary file");
}

static void close_rig(Rig *rig)
{
    image_host_stop(&rig->real);
    image_host_stop(&rig->outer);
    unlink(rig->image);
}

static int call_info(Rig *rig, Act *what)
{
    CoreInspect inspect = {.image = rig->image};
    act = what;
    return rig->ops->info(&rig->outer.setup, &inspect, &rig->error);
}

static int call_run(Rig *rig, Act *what)
{
    CoreRun run = {.image = rig->image, .arguments = rig->nothing};
    act = what;
    return rig->ops->run(&rig->outer.setup, &run, &rig->error);
}

typedef struct {
    Rig *rig;
    int (*call)(Rig *rig, Act *what);
    Act *what;
} Crime;

static void commit(void *context)
{
    const Crime *crime = context;
    crime->call(crime->rig, crime->what);
}

static void caught(Rig *rig, int (*call)(Rig *rig, Act *what), Act *what, const char *sentence)
{
    Crime crime = {rig, call, what};
    has_text(confession(commit, &crime), sentence, "caught: %s", sentence);
}

/* ---- Callers who break the contract ---- */

static int call_without_image(Rig *rig, Act *what)
{
    CoreInspect inspect = {0};
    act = what;
    return rig->ops->check(&rig->outer.setup, &inspect, &rig->error);
}

static int call_with_old_setup(Rig *rig, Act *what)
{
    rig->outer.setup.size = 16;
    return call_info(rig, what);
}

static int call_without_inner(Rig *rig, Act *what)
{
    rig->outer.host.inner = NULL;
    return call_info(rig, what);
}

static int dump_nothing(Rig *rig, Act *what)
{
    CoreInspect inspect = {.image = rig->image};
    act = what;
    return rig->ops->dump(&rig->outer.setup, &inspect, &rig->error);
}

static int disassemble_two(Rig *rig, Act *what)
{
    CoreDisassemble two = {.image = rig->image, .selection = "A>>b", .summary = true};
    act = what;
    return rig->ops->disassemble(&rig->outer.setup, &two, &rig->error);
}

static int assemble_into_nothing(Rig *rig, Act *what)
{
    CoreAssemble assemble = {.file = rig->image, .image = rig->image};
    return rig->ops->assemble(&rig->outer.setup, &assemble, &rig->error);
}

/* "Converts" without writing: what is at the output is looked at by the core's own check. */
static int convert_unsoundly(Rig *rig, Act *what)
{
    CoreConvert convert = {.image = rig->image, .output = rig->image};
    act = what;
    return rig->ops->convert(&rig->outer.setup, &convert, &rig->error);
}

static int third_workload(Rig *rig, Act *what)
{
    const char *summary;
    return rig->ops->gc_workload(&rig->outer.setup, 2, &summary) != NULL;
}

int main(void)
{
    Rig rig;
    const char *summary;
    open_rig(&rig);
    is_int(call_info(&rig, work_honestly), OSVM_OK, "honest work");
    is_int(rig.real.blocks, 0, "... gives its memory back to the core's host");
    is_int(call_info(&rig, refuse), OSVM_BAD_DATA, "a refusal");
    is_text(rig.error.message, "it is no image", "... says why");
    is_int(call_run(&rig, answer_42), 42, "a program's own exit code");
    is_int(convert_unsoundly(&rig, work_honestly), OSVM_OK, "a sound output");
    is_text(rig.ops->gc_workload(&rig.outer.setup, 1, &summary), "name", "a workload");
    is_text(summary, "a summary", "... with its summary");
    ok(!rig.ops->gc_workload(&rig.outer.setup, 3, &summary), "no workload");

    caught(&rig, call_without_image, work_honestly, "check without an image (K1)");
    caught(&rig, call_with_old_setup, work_honestly, "info with a setup of 16 bytes instead of");
    caught(&rig, call_without_inner, work_honestly, "no core to stand before (K1)");
    caught(&rig, dump_nothing, work_honestly, "dump of methods and objects, or neither (K1)");
    caught(&rig, disassemble_two, work_honestly, "disassemble: 2 things are chosen (K1)");
    caught(&rig, assemble_into_nothing, work_honestly, "an image or an output alone (K1)");
    caught(&rig, call_info, fail_silently, "info answers 65 and says nothing about it (K2)");
    caught(&rig, call_info, contradict, "info answers 0, its error has status 66");
    caught(&rig, call_info, fail_wordlessly, "the error has status 65 and says '' (K2)");
    caught(&rig, call_run, invent_status, "the error has status 7 and says 'seven' (K2)");
    caught(&rig, call_run, answer_1000, "run answers 1000, which is no exit code (K2)");
    caught(&rig, third_workload, NULL, "workload 2, 'name', has no summary (K2)");
    caught(&rig, convert_unsoundly, refuse, "is not sound: it is no image (K3)");
    caught(&rig, call_info, keep_memory, "info ended, and a block of 24 bytes was not given back (K4)");
    caught(&rig, call_run, misremember_size, "has 24 bytes, the core says 25 (K4)");
    caught(&rig, call_info, free_foreign, "is none that the core has (K4)");
    caught(&rig, call_info, change_image, "which it was to read (K3)");
    close_rig(&rig);
    return done_testing();
}
