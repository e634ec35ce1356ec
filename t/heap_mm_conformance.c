/* Every memory manager, in every variant, over every collector, plain and behind the shim, against
 * the contract of osvm/mm.h.
 *
 *     heap_mm_conformance.64 [PLUGIN.so...]    without arguments: those of the build
 */
// LINK: t/support/mock_host.c t/support/mock_gc.c t/support/plugin_user.c t/support/mm_rig.c t/support/mm_suite*.c t/support/shadow.c
#include <glob.h>

#include "support/mm_suite.h"
#undef ok
#undef is_int
#include "tap.h"

static void report(bool held, const char *file, int line, const char *format, va_list arguments)
{
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    tap_ok(held, file, line, "%s: %s", suite.label, text);
}

void suite_ok(bool held, const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(held, file, line, format, arguments);
    va_end(arguments);
}

void suite_is_int(int64_t got, int64_t expected, const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(got == expected, file, line, format, arguments);
    va_end(arguments);
    if (got != expected)
        diag("  got %" PRId64 " (0x%" PRIx64 "), expected %" PRId64 " (0x%" PRIx64 ")", got,
             (uint64_t)got, expected, (uint64_t)expected);
}

/* ---- The subjects ---- */

static char folder[4096]; /* of the build's plugins */

/* The plugin's name without folder and kind, and its variant. */
static void describe(const char *file, const char *kind, char *text, size_t size)
{
    const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    if (strncmp(name, kind, 3) == 0)
        name += 3;
    snprintf(text, size, "%.*s/%s", (int)strcspn(name, "."), name,
             strstr(file, ".checked.so") ? "checked" : "production");
}

static void run(const char *mm, PluginChoice gc, const char *gc_label, const char *shim)
{
    char name[64];
    describe(mm, "mm-", name, sizeof name);
    suite = (MmSuite){.setup = {.mm.file = mm, .mm_shim.file = shim, .gc = gc},
                      .mock = gc.linked == &mock_gc_plugin,
                      .seeds = getenv("OSVM_TEST_LONG") ? 100 : 2};
    snprintf(suite.label, sizeof suite.label, "mm/%.*s/w%d/%s over %s%s", (int)strcspn(name, "/"), name,
             WORD_BITS, strchr(name, '/') + 1, gc_label, shim ? ", behind the shim" : "");
    mm_suite_run();
}

static void run_over_mock(const char *mm, const char *shim)
{
    run(mm, (PluginChoice){.linked = &mock_gc_plugin}, "mock", shim);
}

static bool is_shim(const char *file)
{
    return strstr(file, "-shim.") != NULL;
}

static bool is_checked(const char *file)
{
    return strstr(file, ".checked.so") != NULL;
}

/* The build's collectors: those of the manager's variant, or, with OSVM_TEST_LONG, both. The shim is
 * put before it over the first, or over all. */
static void run_over_collectors(const char *mm, const char *shim)
{
    static const PluginOption lazy[] = {{"lazy", "yes"}, {0}};
    bool all = getenv("OSVM_TEST_LONG") != NULL, shimmed = false;
    char pattern[4200], label[64];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/gc-*.so", folder);
    if (glob(pattern, 0, NULL, &files))
        bail_out("no collector at %s", pattern);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        PluginChoice gc = {.file = files.gl_pathv[i]};
        if (is_shim(gc.file) || (!all && is_checked(gc.file) != is_checked(mm)))
            continue;
        describe(gc.file, "gc-", label, sizeof label);
        run(mm, gc, label, NULL);
        if (all || !shimmed)
            run(mm, gc, label, shim);
        shimmed = true;
        if (strncmp(label, "sweep", 5))
            continue;
        gc.options = lazy;
        strcat(label, ",lazy");
        run(mm, gc, label, NULL);
    }
    globfree(&files);
}

static void test_file(const char *mm)
{
    char shim[4200];
    snprintf(shim, sizeof shim, "%s/mm-shim.checked.so", folder);
    if (is_shim(mm))
        return;
    run_over_mock(mm, NULL);
    run_over_mock(mm, shim);
    run_over_collectors(mm, shim);
}

int main(int argc, char **argv)
{
    char pattern[4200];
    glob_t files;
    const char *build = getenv("BUILD");
    snprintf(folder, sizeof folder, "%s/lib/osvm/%d", build ? build : "build", WORD_BITS);
    snprintf(pattern, sizeof pattern, "%s/mm-*.so", folder);
    for (int i = 1; i < argc; i++)
        test_file(argv[i]);
    if (argc > 1)
        return done_testing();
    if (glob(pattern, 0, NULL, &files))
        bail_out("no memory manager at %s", pattern);
    for (size_t i = 0; i < files.gl_pathc; i++)
        test_file(files.gl_pathv[i]);
    globfree(&files);
    return done_testing();
}
