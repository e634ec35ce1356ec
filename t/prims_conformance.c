/* The conformance suite of modules of primitives (t/support/prims_suite.h says what it looks for): those
 * given as files, or all of the build; for both heap widths, in production plain and behind the shim,
 * the checked variant behind the shim, as it is used.
 *
 *     prims_conformance [MODULE.so...]      OSVM_SHIM=no|only      OSVM_TEST_SEED=N      OSVM_TEST_LONG=1
 *
 * Each module is tried in processes of their own. A function that ends one is named with the call that
 * did, and left out in the next. */
// LINK: t/support/mock_prims.c t/support/plugin_user.c t/support/prims_*.c t/support/watched_world.c
#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/prims_suite.h"
#include "tap.h"

enum { SECONDS = 300, FILES = 8192 };

/* What the libraries below the line editor keep. */
OSVM_EXPORT const char *__lsan_default_suppressions(void);
OSVM_EXPORT const char *__lsan_default_suppressions(void)
{
    return "leak:wcsdup\nleak:libtinfo\n";
}

static char shim[4096];
static uint64_t seed = 20261;
static unsigned tested;

/* ---- Processes ---- */

static PrimsReport *report_new(void)
{
    PrimsReport *report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        bail_out("no memory");
    report->function = NO_FUNCTION;
    return report;
}

/* Modules get no input and their output nobody; what a shim or sanitizer says is said as comments. */
static int run(void (*part)(const PrimsSetup *, PrimsReport *), const PrimsSetup *setup, PrimsReport *report,
               FILE *said)
{
    int status;
    fflush(stdout);
    report->finished = false;
    pid_t child = fork();
    if (child < 0)
        bail_out("no process");
    if (child > 0)
        return waitpid(child, &status, 0) == child ? status : -1;
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, 0);
    dup2(nothing, 1);
    dup2(fileno(said), 2);
    alarm(SECONDS);
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
    setrlimit(RLIMIT_NOFILE, &files);
    part(setup, report);
    report->finished = true;
    exit(0);
}

static void repeat_said(FILE *said)
{
    char line[600];
    rewind(said);
    for (unsigned lines = 0; lines < 40 && fgets(line, sizeof line, said); lines++)
        diag("%.*s", (int)strcspn(line, "\n"), line);
    if (ftruncate(fileno(said), 0) == 0)
        rewind(said);
}

/* The call in which the process ended. */
static void add_death(const PrimsSetup *setup, PrimsReport *report, int status)
{
    static const char *const twists[] = {"", ", read-only", ", a forwarder"};
    unsigned function = report->finished ? NO_FUNCTION : report->function;
    OsvmValue operands[ARGUMENTS_MOST + 1], none[RESULTS] = {{0}};
    char call[200] = "";
    MockVm vm;
    if (function != NO_FUNCTION) {
        mock_vm_open(&vm, setup->width, NULL);
        operands_make(&vm, &report->recipe, none, operands);
        operands_describe(operands, report->recipe.arg_count + 1u, call, sizeof call);
        mock_vm_close(&vm);
        report->skipped[function] = true;
    }
    if (report->finding_count == FINDINGS_MOST)
        return;
    report->findings[report->finding_count].function = function;
    snprintf(report->findings[report->finding_count++].text, sizeof report->findings->text,
             "ends the process with %s %d, with %s (operand %u%s)",
             WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
             call, report->twisted, twists[report->twist]);
}

/* Until a process comes to its end. */
static void run_all(void (*part)(const PrimsSetup *, PrimsReport *), const PrimsSetup *setup, PrimsReport *report)
{
    FILE *said = tmpfile();
    if (!said)
        bail_out("no temporary file");
    for (int status; (status = run(part, setup, report, said)) != 0;) {
        unsigned function = report->function;
        add_death(setup, report, status);
        repeat_said(said);
        if (report->finished || function == NO_FUNCTION)
            break;
    }
    fclose(said);
}

/* ---- Verdicts ---- */

static bool has_findings(const PrimsReport *report, unsigned function)
{
    bool any = false;
    for (unsigned i = 0; i < report->finding_count; i++)
        any |= report->findings[i].function == function;
    return any;
}

static void say_findings(const PrimsReport *report, unsigned function)
{
    for (unsigned i = 0; i < report->finding_count; i++)
        if (report->findings[i].function == function)
            diag("  %s", report->findings[i].text);
}

static void say_verdicts(const PrimsReport *report, const char *label)
{
    for (unsigned f = 0; f < report->function_count; f++) {
        if (report->skipped[f] && !has_findings(report, f))
            continue; /* it ended the process when it was learnt */
        ok(!has_findings(report, f), "%s: %s (%u of %u calls succeed)", label, report->names[f],
           report->successes[f], report->calls[f]);
        say_findings(report, f);
    }
    ok(!has_findings(report, NO_FUNCTION), "%s: begins, ends, and gives all back", label);
    say_findings(report, NO_FUNCTION);
    tested++;
}

static bool ended_early(const PrimsReport *report)
{
    bool any = false;
    for (unsigned f = 0; f < report->function_count; f++)
        any |= report->skipped[f];
    return any;
}

/* A shim that changes nothing but looks. */
static void compare(const PrimsReport *plain, const PrimsReport *checked, const char *label)
{
    unsigned different = 0, first = 0;
    const char *why = ended_early(plain) || ended_early(checked)    ? "a function ended the process"
                      : plain->has_threads || checked->has_threads ? "they depend on threads" : NULL;
    if (why) {
        skip("%s: the same results as without it: %s", label, why);
        return;
    }
    for (unsigned f = plain->function_count; f-- > 0;)
        if (plain->sums[f] != checked->sums[f]) {
            different++;
            first = f;
        }
    ok(different == 0, "%s: the same results as without it", label);
    if (different)
        diag("  %u functions differ, the first is %s", different, plain->names[first]);
}

/* ---- One module ---- */

/* Everything but what was learnt begins anew. */
static void begin(PrimsReport *report, const PrimsReport *learnt)
{
    *report = *learnt;
    report->finding_count = 0;
    memset(report->calls, 0, sizeof report->calls);
    memset(report->successes, 0, sizeof report->successes);
    memset(report->sums, 0, sizeof report->sums);
}

static void test_width(PrimsSetup setup, const PrimsReport *learnt, const OsvmPlugin *plugin, bool plain,
                       bool shimmed)
{
    char label[256];
    PrimsReport *first = report_new(), *second = report_new();
    begin(first, learnt);
    begin(second, learnt);
    if (plain) {
        snprintf(label, sizeof label, "prims/%s/w%u/%s", plugin->name, setup.width, plugin->variant);
        run_all(prims_drive, &setup, first);
        say_verdicts(first, label);
    }
    if (shimmed) {
        setup.shim = shim;
        snprintf(label, sizeof label, "prims/%s/w%u/%s/shim", plugin->name, setup.width, plugin->variant);
        run_all(prims_drive, &setup, second);
        say_verdicts(second, label);
    }
    if (plain && shimmed)
        compare(first, second, label);
    munmap(first, sizeof *first);
    munmap(second, sizeof *second);
}

static void test_descriptor(const OsvmPlugin *plugin, const char *file)
{
    const OsvmPrims *prims = plugin->vtable;
    const char *name = strrchr(file, '/');
    char expected[256];
    name = name ? name + 1 : file;
    bool checked = strcmp(plugin->variant, "checked") == 0;
    snprintf(expected, sizeof expected, "prims-%s%s.so", plugin->name, checked ? ".checked" : "");
    is_text(name, expected, "the file is named after the plugin and its variant");
    ok(checked || strcmp(plugin->variant, "production") == 0, "%s: the variant is %s", name, plugin->variant);
    ok(plugin->abi_major == OSVM_ABI_MAJOR && plugin->vtable_abi == OSVM_PRIMS_ABI &&
           strcmp(plugin->signature, OSVM_SIGNATURE) == 0, "%s: it is for this VM", name);
    ok(plugin->heap_bits == 0, "%s: it is for any heap width", name);
    ok(plugin->version && *plugin->version && plugin->licence && *plugin->licence, "%s: version and licence", name);
    ok(plugin->summary && *plugin->summary && !strchr(plugin->summary, '\n'), "%s: a summary of one line", name);
    ok(plugin->vtable_size >= OSVM_PRIMS_MODULE_SIZE && prims->size == plugin->vtable_size,
       "%s: its vtable has the size it says", name);
    ok(prims->module && *prims->module && prims->functions, "%s: it names its module and has functions", name);
}

static void test_file(const char *file)
{
    const char *wanted = getenv("OSVM_SHIM");
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const OsvmPlugin *plugin = library ? dlsym(library, "osvm_plugin") : NULL;
    if (!plugin || plugin->magic != OSVM_MAGIC || plugin->kind != OSVM_PRIMS)
        bail_out("%s: %s", file, library ? "it is no module of primitives" : dlerror());
    if (plugin->flags & OSVM_SHIM)
        return;
    PrimsReport *learnt = report_new();
    PrimsSetup setup = {.file = file, .width = 64, .seed = seed, .is_long = getenv("OSVM_TEST_LONG")};
    bool checked = strcmp(plugin->variant, "checked") == 0;
    test_descriptor(plugin, file);
    run_all(prims_learn, &setup, learnt);
    ok(learnt->finding_count == 0, "prims/%s/%s: its functions can be called", plugin->name, plugin->variant);
    for (unsigned f = 0; f < learnt->function_count; f++)
        if (has_findings(learnt, f)) {
            ok(false, "prims/%s/%s: %s", plugin->name, plugin->variant, learnt->names[f]);
            say_findings(learnt, f);
        }
    say_findings(learnt, NO_FUNCTION);
    for (setup.width = 32; setup.width <= 64; setup.width += 32)
        test_width(setup, learnt, plugin, !checked && (!wanted || strcmp(wanted, "only")),
                   !wanted || strcmp(wanted, "no"));
    munmap(learnt, sizeof *learnt);
    dlclose(library);
}

int main(int argc, char **argv)
{
    char pattern[4096];
    glob_t files;
    const char *build = getenv("BUILD"), *given = getenv("OSVM_TEST_SEED");
    build = build ? build : "build";
    seed = given ? strtoull(given, NULL, 0) : seed;
    diag("OSVM_TEST_SEED=%" PRIu64, seed);
    snprintf(pattern, sizeof pattern, "%s/lib/osvm/any/prims-*.so", build);
    snprintf(shim, sizeof shim, "%s/lib/osvm/any/prims-shim.checked.so", build);
    for (int i = 1; i < argc; i++)
        test_file(argv[i]);
    if (argc == 1 && glob(pattern, 0, NULL, &files))
        bail_out("%s: there are none", pattern);
    for (size_t i = 0; argc == 1 && i < files.gl_pathc; i++)
        test_file(files.gl_pathv[i]);
    if (argc == 1)
        globfree(&files);
    ok(tested > 0, "%u configurations were tested", tested);
    return done_testing();
}
