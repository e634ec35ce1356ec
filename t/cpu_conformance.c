/* Every processor, in every variant, against the contract of osvm/cpu.h.
 *
 *     cpu_conformance [PLUGIN.so[,option=value...]...]   without arguments: those of the build
 *
 * OSVM_MACHINE: the only machine to try. OSVM_SHIM=no: without the shim; only: behind it alone.
 */
// LINK: t/support/cpu_suite_run.c t/support/cpu_suite_stops.c t/support/cpu_suite_look.c t/support/cpu_rig.c t/support/plugin_user.c
#include <dlfcn.h>
#include <glob.h>

#include "support/cpu_suite.h"
#include "tap.h"

static char label[256]; /* cpu/sim/arm/production */
static char shim[4096];
static unsigned tested;

bool suite_test(bool held, const char *file, int line, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tap_ok(held, file, line, "%s: %s", label, text);
}

void suite_note(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    diag("%s", text);
}

/* ---- One processor, one machine, one variant ---- */

static void run_all(void)
{
    suite_calls();
    suite_patched();
    if (cpu->ops->simulated) {
        suite_memory();
        suite_registers();
        suite_faults();
        suite_repaired();
        suite_requests();
        suite_nested_stops();
        suite_breakpoints();
        suite_watchpoints();
        suite_budget();
        suite_ring_and_trace();
        suite_faults();
        cpu->ops->set_ring(cpu, 64); /* where faults are told otherwise */
        suite_faults();
        suite_repaired();
        cpu->ops->set_ring(cpu, 0);
        suite_patched();
    }
    suite_fork();
}

/* A choice of options may be refused; all there is to it then is a sentence. */
static void test_machine(const CpuRigSetup *setup, bool may_refuse)
{
    CpuRig one;
    memset(&suite, 0, sizeof suite);
    suite.condition_answer = true;
    rig = &one;
    if (!cpu_rig_load(&one, setup))
        bail_out("%s: %s", label, one.error);
    cpu = one.cpu;
    suite_start();
    if (cpu->ops->disassemble)
        suite_disassemble();
    bool started = cpu_rig_start(&one, (CpuSetup){.routines = suite_routines,
                                                  .routine_count = ROUTINES,
                                                  .condition = suite_condition});
    if (started)
        run_all();
    else if (may_refuse)
        skip("%s: %s", label, one.error);
    else
        test(false, "it starts: %s", one.error);
    if (!started)
        cpu->ops->stop(cpu);
    size_t blocks = cpu_rig_close(&one);
    test(blocks == 0, "all memory is given back");
    tested++;
}

/* ---- Which of them ---- */

static const char *const machine_names[] = {"x64", "arm", "mips", "arm64"};
enum { MACHINE_NAMES = sizeof machine_names / sizeof *machine_names };

static void test_machines(CpuRigSetup *setup, const OsvmPlugin *plugin, const char *what,
                          bool may_refuse)
{
    const char *only = getenv("OSVM_MACHINE");
    for (unsigned m = 0; m < MACHINE_NAMES; m++) {
        CpuRig probe;
        setup->machine = machine_names[m];
        snprintf(label, sizeof label, "cpu/%s/%s/%s%s", plugin->name, machine_names[m],
                 plugin->variant, what);
        if (only && strcmp(only, machine_names[m]))
            continue;
        if (!cpu_rig_load(&probe, setup))
            bail_out("%s: %s", label, probe.error);
        bool known = probe.cpu->ops->find_machine(probe.cpu, machine_names[m]);
        cpu_rig_close(&probe);
        if (known && cpu_rig_programs(machine_names[m]))
            test_machine(setup, may_refuse);
        else if (known)
            skip("%s: there are no programs for it", label);
    }
}

/* Every word of every choice that the plugin offers, but for the default. */
static void test_choices(CpuRigSetup *setup, const OsvmPlugin *plugin)
{
    for (const OsvmOption *option = plugin->options; option && option->name; option++) {
        char words[256], what[128];
        if (option->kind != OSVM_CHOICE)
            continue;
        snprintf(words, sizeof words, "%s", option->choices);
        for (char *word = strtok(words, "|"); word; word = strtok(NULL, "|")) {
            PluginOption options[] = {{option->name, word}, {0}};
            if (strcmp(word, option->value) == 0)
                continue;
            snprintf(what, sizeof what, ",%s=%s", option->name, word);
            CpuRigSetup chosen = *setup;
            chosen.options = options;
            test_machines(&chosen, plugin, what, true);
        }
    }
}

enum { OPTIONS_MOST = 8 };

/* `file,option=value,...` taken apart, in place. */
static void read_options(char *file, PluginOption options[OPTIONS_MOST + 1])
{
    unsigned count = 0;
    strtok(file, ",");
    for (char *text; count < OPTIONS_MOST && (text = strtok(NULL, ",")) != NULL; count++) {
        char *value = strchr(text, '=');
        if (!value)
            bail_out("'%s' has no value", text);
        *value = 0;
        options[count] = (PluginOption){text, value + 1};
    }
    options[count] = (PluginOption){0};
}

static void test_file(char *argument, bool choices)
{
    PluginOption options[OPTIONS_MOST + 1];
    read_options(argument, options);
    void *library = dlopen(argument, RTLD_NOW | RTLD_LOCAL);
    const OsvmPlugin *plugin = library ? dlsym(library, "osvm_plugin") : NULL;
    if (!plugin || plugin->magic != OSVM_MAGIC || plugin->kind != OSVM_CPU)
        bail_out("%s: %s", argument, library ? "it is no processor" : dlerror());
    if (plugin->flags & OSVM_SHIM)
        return;
    const char *wanted = getenv("OSVM_SHIM");
    CpuRigSetup setup = {.file = argument, .options = options};
    bool checked = strcmp(plugin->variant, "checked") == 0 || (wanted && !strcmp(wanted, "only"));
    if (!checked)
        test_machines(&setup, plugin, "", false);
    if (!checked && choices)
        test_choices(&setup, plugin);
    setup.shim = shim;
    if (!wanted || strcmp(wanted, "no"))
        test_machines(&setup, plugin, "/shim", false);
    dlclose(library);
}

int main(int argc, char **argv)
{
    char pattern[4096];
    glob_t files;
    const char *build = getenv("BUILD");
    build = build ? build : "build";
    snprintf(pattern, sizeof pattern, "%s/lib/osvm/any/cpu-*.so", build);
    snprintf(shim, sizeof shim, "%s/lib/osvm/any/cpu-shim.checked.so", build);
    for (int i = 1; i < argc; i++)
        test_file(argv[i], false);
    if (argc == 1 && glob(pattern, 0, NULL, &files))
        skip_all("built without processors");
    for (size_t i = 0; argc == 1 && i < files.gl_pathc; i++)
        test_file(files.gl_pathv[i], true);
    if (argc == 1)
        globfree(&files);
    test(tested > 0, "%u machines were tested", tested);
    return done_testing();
}
