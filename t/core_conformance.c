/* The conformance suite of cores: every one, in every variant and width, over the build's memory managers and
 * collectors, against what osvm/core.h says and what the world sees of a VM.
 *
 *     core_conformance [core-NAME[.checked].so...]    without arguments: those of the build
 *
 * OSVM_ONLY=PART runs one part (`parts` below). It takes the images of the build, and knows of the core
 * nothing but its vtable. The checked variant stands behind the shim of cores, as it does in use; where
 * collections are forced everything moves, with a leak check after each. */
// LINK: t/support/core_rig.c
#include <dlfcn.h>
#include <glob.h>
#include <libgen.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/core_rig.h"
#include "tap.h"

static char build[4096], folder[8300], scratch[] = "/tmp/osvm-core-XXXXXX";
static char label[256];
static unsigned tested;

/* ---- Calls ---- */

static const char *image_of(unsigned width)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/osvm%s.image", build, width == 32 ? "32" : "");
    return path;
}

static CoreOutcome run_text(const CoreRigSetup *setup, const char *text)
{
    const char *const arguments[] = {"-e", text, NULL};
    return core_rig_call(setup, &(CoreCall){CORE_RUN, image_of(setup->width), NULL, arguments, NULL});
}

static void say(const CoreOutcome *outcome)
{
    diag("  process %d, code %d, error %d '%s'", outcome->status, outcome->code, (int)outcome->error.status,
         outcome->error.message);
    diag("  output '%.300s', complaints '%.600s'", outcome->output, outcome->complaints);
}

static bool is_outcome(const CoreOutcome *outcome, int code, const char *output, const char *what)
{
    bool good = ok(outcome->returned && outcome->code == code && !outcome->error.status &&
                       strcmp(outcome->output, output) == 0, "%s: %s", label, what);
    if (!good)
        say(outcome);
    return good;
}

/* ---- Programs and what they say ---- */

typedef struct {
    const char *what, *text, *says;
    int code;
} Program;

static const Program programs[] = {
    {"arithmetic", "30 factorial // 28 factorial", "870\n", 0},
    {"objects by the thousands", "| d | d := Dictionary new. 1 to: 1000 do: [:i | d at: i put: i printString]. "
     "(1 to: 1000) inject: 0 into: [:a :i | a + (d at: i) size]", "2893\n", 0},
    {"frames deeper than the stack zone", "| b | b := nil. b := [:n | n = 0 ifTrue: [0] ifFalse: "
     "[1 + (b value: n - 1)]]. b value: 3000", "3000\n", 0},
    {"processes and semaphores", "| s r | s := Semaphore new. r := OrderedCollection new. 1 to: 5 do: [:i | "
     "[r add: i. s signal] fork]. 5 timesRepeat: [s wait]. r inject: 0 into: [:a :e | a + e]", "15\n", 0},
    {"a process that never yields is preempted by a timer of higher priority", "| s n | s := Semaphore new. n := 0. "
     "[[n := n + 1] repeat] forkAt: Processor activePriority - 1. [[n > 0] whileFalse: [(Delay forMilliseconds: 2) wait]. "
     "s signal] forkAt: Processor activePriority + 1. s wait. n > 0", "true\n", 0},
    {"unwinding", "[[Error signal: 'x'] ensure: [Transcript show: 'unwound'; cr]] on: Error do: [:e | e return: 5]",
     "unwound\n5\n", 0},
    {"become:", "| a b | a := Array new: 3. b := 'abc' copy. a become: b. a , '!'", "'abc!'\n", 0},
    {"a program's own exit code", "Smalltalk exit: 7", "", 7},
};

enum { PROGRAMS = sizeof programs / sizeof *programs, PROGRAMS_THAT_ALLOCATE = 4 };

static void run_programs(const CoreRigSetup *setup, size_t count, const char *how)
{
    char what[256];
    for (size_t i = 0; i < count; i++) {
        CoreOutcome outcome = run_text(setup, programs[i].text);
        snprintf(what, sizeof what, "%s%s", programs[i].what, how);
        is_outcome(&outcome, programs[i].code, programs[i].says, what);
        if (outcome.blocks)
            ok(false, "%s: %s: %ld blocks are given back", label, what, outcome.blocks);
    }
}

static void programs_run(CoreRigSetup setup)
{
    run_programs(&setup, PROGRAMS, "");
}

/* Everything moves, early and often, and the heap is verified each time: who forgot a root dies. */
static void roots_are_complete(CoreRigSetup setup)
{
    setup.torture = "scavenge:20,collect:2000,move,poison,seed:7";
    setup.leak_check = "";
    run_programs(&setup, PROGRAMS_THAT_ALLOCATE, ", everything moves all the time");
}

static void refuses_what_does_not_understand(CoreRigSetup setup)
{
    CoreOutcome outcome = run_text(&setup, "nil foo");
    ok(outcome.returned && outcome.code == 1 && !outcome.error.status, "%s: an error nobody handles ends with 1", label);
    has_text(outcome.complaints, "nil does not understand #foo", "%s: ... and a report", label);
}

/* ---- Beginnings and ends ---- */

static void begins_again(CoreRigSetup setup)
{
    setup.times = 3;
    CoreOutcome outcome = run_text(&setup, "3 + 4");
    is_outcome(&outcome, 0, "7\n7\n7\n", "three VMs one after the other in one process");
    is_int(outcome.blocks, 0, "%s: ... give their memory back", label);
}

static void fails_to_begin(CoreRigSetup setup)
{
    static const struct { OsvmKind kind; const char *name; } parts[] = {{OSVM_MM, "memory manager"}, {OSVM_GC, "collector"}};
    for (size_t i = 0; i < 2; i++) {
        setup.refused = parts[i].kind;
        CoreOutcome outcome = run_text(&setup, "3 + 4");
        ok(outcome.returned && outcome.code == OSVM_UNAVAILABLE && outcome.error.message[0] && outcome.blocks == 0,
           "%s: without a %s it refuses, and keeps nothing", label, parts[i].name);
    }
}

/* ---- Images ---- */

static void write_file(const char *path, const char *from, long size)
{
    char buffer[4096];
    FILE *in = from ? fopen(from, "rb") : NULL, *out = fopen(path, "wb");
    if (!out || (from && !in))
        bail_out("%s cannot be written", path);
    for (size_t got; in && size > 0 && (got = fread(buffer, 1, sizeof buffer < (size_t)size ? sizeof buffer : (size_t)size, in)) > 0;
         size -= (long)got)
        fwrite(buffer, 1, got, out);
    if (in)
        fclose(in);
    if (!from)
        fprintf(out, "this is no image, but it is longer than a header: %0200d", 0);
    fclose(out);
}

static void refuses_images(CoreRigSetup setup)
{
    static const char *const no_arguments[] = {NULL};
    char garbage[128], cut[128], missing[128];
    snprintf(garbage, sizeof garbage, "%s/garbage", scratch);
    snprintf(cut, sizeof cut, "%s/cut", scratch);
    snprintf(missing, sizeof missing, "%s/missing", scratch);
    write_file(garbage, NULL, 0);
    write_file(cut, image_of(setup.width), 100000);
    const struct { const char *what, *path; } images[] = {{"no image", garbage}, {"half an image", cut},
        {"no file", missing}, {"a folder", scratch}, {"an image of the other width", image_of(96 - setup.width)}};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        CoreCall call = {CORE_RUN, images[i].path, NULL, no_arguments, NULL};
        bool refused = true;
        for (call.kind = CORE_RUN; call.kind <= CORE_CHECK; call.kind++) {
            CoreOutcome outcome = core_rig_call(&setup, &call);
            bool good = outcome.returned && outcome.code != 0 && outcome.error.message[0] && outcome.blocks == 0 &&
                        outcome.code == (int)outcome.error.status;
            if (!good)
                say(&outcome);
            refused &= good;
        }
        ok(refused, "%s: %s is refused with a sentence, to run and to check", label, images[i].what);
    }
}

static void looks_at_images(CoreRigSetup setup)
{
    static const struct { CoreCallKind kind; const char *name, *says; } calls[] = {
        {CORE_CHECK, "check", ""}, {CORE_INFO, "info", "Object"}, {CORE_DUMP, "dump", "yourself"}, {CORE_DECOMPILE, "decompile", "yourself"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        CoreOutcome outcome = core_rig_call(&setup, &(CoreCall){calls[i].kind, image_of(setup.width), NULL, NULL, NULL});
        if (!ok(outcome.returned && outcome.code == 0 && outcome.blocks == 0 && strstr(outcome.output, calls[i].says),
                "%s: %s", label, calls[i].name))
            say(&outcome);
    }
}

/* One allocation of the host is refused: the call ends with a sentence, or did without. */
static void host_has_no_memory(CoreRigSetup setup)
{
    static const char *const arguments[] = {"-e", "7 factorial", NULL};
    static const struct { CoreCallKind kind; const char *name; } calls[] = {
        {CORE_RUN, "a run"}, {CORE_CHECK, "check"}, {CORE_INFO, "info"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        CoreCall call = {calls[i].kind, image_of(setup.width), NULL, arguments, NULL};
        setup.fail_allocation = 0;
        size_t count = core_rig_call(&setup, &call).allocations, bad = 0;
        for (size_t n = 1; n <= count; n += count / 24 + 1) {
            setup.fail_allocation = n;
            CoreOutcome outcome = core_rig_call(&setup, &call);
            bool says = outcome.error.message[0] ? outcome.code == (int)outcome.error.status
                                                 : calls[i].kind == CORE_RUN && outcome.complaints[0];
            bool sound = outcome.returned && outcome.blocks == 0 && (outcome.code == 0 || says);
            if (!sound && !bad++) {
                diag("  allocation %zu of %zu, %ld blocks left", n, count, outcome.blocks);
                say(&outcome);
            }
        }
        ok(count > 0 && !bad, "%s: %s of a host that refuses memory once, at any of %zu allocations", label,
           calls[i].name, count);
    }
}

static void converts(CoreRigSetup setup)
{
    static const char *const arguments[] = {"-e", "6 * 7", NULL};
    char output[128];
    snprintf(output, sizeof output, "%s/converted", scratch);
    CoreOutcome outcome = core_rig_call(&setup, &(CoreCall){CORE_CONVERT, image_of(setup.width), output, NULL, NULL});
    is_outcome(&outcome, 0, "", "convert copies an image of its width");
    outcome = core_rig_call(&setup, &(CoreCall){CORE_CHECK, output, NULL, NULL, NULL});
    is_outcome(&outcome, 0, "", "... which is sound");
    outcome = core_rig_call(&setup, &(CoreCall){CORE_RUN, output, NULL, arguments, NULL});
    is_outcome(&outcome, 0, "42\n", "... and runs");
    unlink(output);
}

/* A method is listed, and put into an image that then runs it; one that takes what is not there is listed as refused. */
static void assembles(CoreRigSetup setup)
{
    static const char *const arguments[] = {"-e", "6 factorial", NULL};
    static const char *const texts[] = {
        "method Integer>>factorial\n  set sista\n  code\n    pushInt 42\n    returnTop\nend\n",
        "method Integer>>factorial\n  set sista\n  code\n    pop\n    pushInt 42\n    returnTop\nend\n"};
    char output[128], text[2][128];
    snprintf(output, sizeof output, "%s/assembled.image", scratch);
    for (size_t i = 0; i < 2; i++) {
        snprintf(text[i], sizeof text[i], "%s/%zu.asm", scratch, i);
        FILE *file = fopen(text[i], "w");
        if (!file || fputs(texts[i], file) < 0 || fclose(file))
            bail_out("%s cannot be written", text[i]);
    }
    CoreOutcome outcome = core_rig_call(&setup, &(CoreCall){CORE_ASSEMBLE, NULL, NULL, NULL, text[0]});
    ok(outcome.returned && outcome.code == 0 && strstr(outcome.output, "pushInt 42"), "%s: assemble lists a method", label);
    outcome = core_rig_call(&setup, &(CoreCall){CORE_ASSEMBLE, NULL, NULL, NULL, text[1]});
    ok(outcome.returned && outcome.code && outcome.code == (int)outcome.error.status && outcome.error.message[0],
       "%s: assemble says of one that the verifier refuses it", label);
    outcome = core_rig_call(&setup, &(CoreCall){CORE_ASSEMBLE, image_of(setup.width), output, NULL, text[0]});
    ok(outcome.returned && outcome.code == 0 && outcome.blocks == 0, "%s: assemble puts one into an image", label);
    outcome = core_rig_call(&setup, &(CoreCall){CORE_RUN, output, NULL, arguments, NULL});
    is_outcome(&outcome, 0, "42\n", "... which runs it");
    unlink(output);
    unlink(text[0]);
    unlink(text[1]);
}

/* What is running when the image is saved goes on in the next VM: locals, blocks, a process that waits. */
static void resumes(CoreRigSetup setup)
{
    static const char *const no_arguments[] = {NULL};
    char image[128], text[1024];
    snprintf(image, sizeof image, "%s/saved.image", scratch);
    snprintf(text, sizeof text, "| data gate done | data := (1 to: 100) asArray. gate := Semaphore new. done := Semaphore new. "
             "[gate wait. (data inject: 0 into: [:a :e | a + e]) displayNl. done signal] fork. Processor yield. "
             "(Smalltalk snapshotAs: '%s') ifTrue: [gate signal. done wait. Smalltalk exit: 3]. Smalltalk exit: 2", image);
    CoreOutcome outcome = run_text(&setup, text);
    is_outcome(&outcome, 2, "", "an image is saved, and its VM goes on");
    outcome = core_rig_call(&setup, &(CoreCall){CORE_CHECK, image, NULL, NULL, NULL});
    is_outcome(&outcome, 0, "", "... it is sound");
    outcome = core_rig_call(&setup, &(CoreCall){CORE_RUN, image, NULL, no_arguments, NULL});
    is_outcome(&outcome, 3, "5050\n", "... and in another VM all goes on where it was");
    unlink(image);
}

/* ---- World and time ---- */

static void waits_instead_of_spinning(CoreRigSetup setup)
{
    CoreOutcome outcome;
    unsigned tries = 0;
    do /* on a busy machine the time may be over before the program waits */
        outcome = run_text(&setup, "(Delay forMilliseconds: 100) wait. 6 * 7");
    while (outcome.returned && !outcome.waits && ++tries < 20);
    is_outcome(&outcome, 0, "42\n", "a program waits");
    ok(outcome.waits >= 1 && outcome.waits <= 20, "%s: ... in the world's wait, %u times", label, outcome.waits);
}

static void obeys_a_denied_world(CoreRigSetup setup)
{
    setup.denied = true;
    char image[128], text[256];
    snprintf(image, sizeof image, "%s/denied.image", scratch);
    snprintf(text, sizeof text, "Smalltalk snapshotAs: '%s'", image);
    CoreOutcome outcome = run_text(&setup, text);
    ok(outcome.code != 0 && access(image, F_OK) != 0, "%s: under a world that refuses nothing is written",
       label);
}

static void repeats_itself(CoreRigSetup setup)
{
    setup.deterministic = true;
    const char *text = "| p | p := 0. [[p := p + 1] repeat] forkAt: Processor activePriority - 1. "
                       "(Delay forMilliseconds: 30) wait. {Time millisecondClockValue. Object new identityHash. p > 0}";
    CoreOutcome first = run_text(&setup, text), second = run_text(&setup, text);
    ok(first.returned && first.code == 0 && first.output[0] && strcmp(first.output, second.output) == 0,
       "%s: in logical time a run repeats itself", label);
    if (strcmp(first.output, second.output))
        diag("  '%s' and '%s'", first.output, second.output);
}

/* ---- The subjects ---- */

typedef struct {
    const char *name; /* for OSVM_ONLY */
    void (*test)(CoreRigSetup setup);
    bool every_gc;    /* over each collector */
    bool watched;     /* by the host, which the shim does not let through */
} Part;

static const Part parts[] = {
    {"programs", programs_run, false, false},
    {"roots", roots_are_complete, true, false},
    {"errors", refuses_what_does_not_understand, false, false},
    {"again", begins_again, false, false},
    {"bad-images", refuses_images, false, false},
    {"images", looks_at_images, false, false},
    {"convert", converts, false, false},
    {"assemble", assembles, false, false},
    {"resume", resumes, false, false},
    {"waits", waits_instead_of_spinning, false, false},
    {"denied", obeys_a_denied_world, false, false},
    {"logical-time", repeats_itself, false, false},
    {"no-parts", fails_to_begin, false, true},
    {"no-memory", host_has_no_memory, false, true},
};

static void test_core(const CoreRigSetup *setup)
{
    const char *only = getenv("OSVM_ONLY");
    snprintf(label, sizeof label, "core/%s/w%u over %s", setup->core, setup->width, setup->gc ? setup->gc : "the default");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if ((!only || strcmp(only, parts[i].name) == 0) && (!setup->gc || parts[i].every_gc) &&
            (!setup->checked || !parts[i].watched))
            parts[i].test(*setup);
    tested++;
}

static void test_descriptor(const OsvmPlugin *plugin, const char *file)
{
    const CoreOps *ops = plugin->vtable;
    ok(plugin->heap_bits == 32 || plugin->heap_bits == 64, "%s: it is for one width", file);
    ok(plugin->vtable_abi == OSVM_CORE_ABI && plugin->vtable_size >= sizeof *ops && ops->size >= sizeof *ops,
       "%s: its vtable is that of ABI %d", file, OSVM_CORE_ABI);
    ok(ops->run && ops->info && ops->check && ops->dump && ops->convert && ops->assemble && ops->gc_events &&
           ops->disassemble && ops->gc_conformance && ops->gc_bench && ops->gc_workload && ops->decompile,
       "%s: no function is missing", file);
    ok(plugin->summary && *plugin->summary && plugin->version && *plugin->version, "%s: summary and version", file);
}

/* Production over each collector; the checked variant, with its shim, over checked parts. */
static void test_file(const char *file)
{
    char path[4096], selected[128];
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const OsvmPlugin *plugin = library ? dlsym(library, "osvm_plugin") : NULL;
    if (!plugin || plugin->magic != OSVM_MAGIC || plugin->kind != OSVM_CORE)
        bail_out("%s: %s", file, library ? "it is no core" : dlerror());
    if (plugin->flags & OSVM_SHIM)
        return;
    bool checked = strcmp(plugin->variant, "checked") == 0;
    snprintf(path, sizeof path, "%s", file);
    snprintf(folder, sizeof folder, "%s:%s/lib/osvm", dirname(path), build);
    snprintf(selected, sizeof selected, "%s:%s", plugin->name, plugin->variant);
    test_descriptor(plugin, file);
    CoreRigSetup setup = {.folder = folder, .core = selected, .checked = checked, .width = plugin->heap_bits,
                          .refused = OSVM_KINDS};
    test_core(&setup);
    setup.gc = checked ? "sweep:checked,lazy" : "sweep,lazy";
    test_core(&setup);
    dlclose(library);
}

int main(int argc, char **argv)
{
    char pattern[4200];
    glob_t files;
    if (!realpath(getenv("BUILD") ? getenv("BUILD") : "build", build) || !mkdtemp(scratch))
        bail_out("no build, or no temporary folder");
    for (int i = 1; i < argc; i++)
        test_file(argv[i]);
    snprintf(pattern, sizeof pattern, "%s/lib/osvm/*/core-*.so", build);
    if (argc == 1 && glob(pattern, 0, NULL, &files))
        bail_out("%s: there are none", pattern);
    for (size_t i = 0; argc == 1 && i < files.gl_pathc; i++)
        test_file(files.gl_pathv[i]);
    if (argc == 1)
        globfree(&files);
    snprintf(pattern, sizeof pattern, "%s/garbage", scratch);
    unlink(pattern);
    snprintf(pattern, sizeof pattern, "%s/cut", scratch);
    unlink(pattern);
    rmdir(scratch);
    ok(tested > 0, "%u configurations were tested", tested);
    return done_testing();
}
