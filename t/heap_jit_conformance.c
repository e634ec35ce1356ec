/* Every back end of the JIT, in every variant, against the contract of osvm/jit.h: every abstract
 * instruction over all registers and corner values is encoded, read back by the disassembler, executed on
 * every processor that can, and compared with what it means in C.
 *
 *     heap_jit_conformance.64 [PLUGIN.so...]    without arguments: those of the build
 *
 * OSVM_SHIM=no: without the shim; only: behind it alone. OSVM_SAMPLE=N: every N-th of the cases in which an
 * instruction stands alone.
 */
// LINK: t/support/jit_suite_meaning.c t/support/jit_suite_promises.c t/support/jit_rig.c t/support/jit_model.c t/support/plugin_user.c
#include <dlfcn.h>
#include <glob.h>

#include "t/support/jit_suite.h"
#include "tap.h"

static char label[256]; /* jit/x64/w64/production/sim */

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

static void test_facts(void)
{
    const JitOps *jit = rig.jit;
    unsigned alignment = jit->code_alignment, same = 0;
    ok(alignment && !(alignment & (alignment - 1)) && alignment <= JIT_ALIGNMENT_MOST,
       "%s: code is aligned to %u", label, alignment);
    for (unsigned a = 0; a < JIT_REGISTERS; a++)
        for (unsigned b = 0; b < a; b++)
            same += !jit->registers[a] || strcmp(jit->registers[a], jit->registers[b]) == 0;
    ok(!same, "%s: each register has a name of its own", label);
    ok(rig.machine->bits == WORD_BITS, "%s: its word is the heap's", label);
}

static void test_back_end(bool shimmed)
{
    test_facts();
    suite_moves();
    suite_memory();
    suite_stack();
    suite_arithmetic();
    suite_checked();
    suite_branches();
    suite_transfers();
    suite_floats();
    suite_frame();
    suite_operands();
    suite_frameless();
    suite_taken_return();
    suite_loop();
    suite_distances();
    suite_far_pool();
    suite_stubs();
    suite_promises();
    suite_stub_promises();
    suite_moving();
    if (!shimmed) /* which takes it for a bug of the front end */
        suite_unknown();
}

static char any_width[4096], own_width[4096]; /* folders of the build's plugins */

static void test_on(const JitRigSetup *setup, const OsvmPlugin *plugin, const char *processor)
{
    bool shimmed = setup->back_end_shim != NULL;
    snprintf(label, sizeof label, "jit/%s/w%d/%s%s/%s", plugin->name, WORD_BITS, plugin->variant,
             shimmed ? "/shim" : "", processor);
    if (rig_open(&rig, setup, suite_routines))
        test_back_end(shimmed);
    else if (rig.jit && !rig.jit->native && strcmp(processor, "native") == 0)
        skip("%s: the host is no %s", label, rig.jit->machine);
    else
        ok(false, "%s: %s", label, rig.why);
    size_t blocks = rig_close(&rig);
    ok(blocks == 0, "%s: all memory is given back", label);
}

/* `given` by the user: then its production variant is tried behind the shim, too. */
static void test_file(const char *file, bool given)
{
    static char names[5][4200];
    enum { SHIM, SIM, NATIVE, CPU_SHIM };
    const char *const wanted = getenv("OSVM_SHIM");
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const OsvmPlugin *plugin = library ? dlsym(library, "osvm_plugin") : NULL;
    if (!plugin || plugin->magic != OSVM_MAGIC || plugin->kind != OSVM_JIT)
        bail_out("%s: %s", file, library ? "it is no back end" : dlerror());
    if (plugin->flags & OSVM_SHIM)
        return;
    snprintf(names[SHIM], sizeof *names, "%s/jit-shim.checked.so", own_width);
    snprintf(names[SIM], sizeof *names, "%s/cpu-sim.so", any_width);
    snprintf(names[NATIVE], sizeof *names, "%s/cpu-native.so", any_width);
    snprintf(names[CPU_SHIM], sizeof *names, "%s/cpu-shim.checked.so", any_width);
    for (int shimmed = 0; shimmed < 2; shimmed++) {
        JitRigSetup setup = {.back_end = file, .processor = names[SIM], .disassembler = names[SIM],
                             .back_end_shim = shimmed ? names[SHIM] : NULL,
                             .processor_shim = shimmed ? names[CPU_SHIM] : NULL};
        bool plain = strcmp(plugin->variant, "checked") != 0 && !(wanted && strcmp(wanted, "only") == 0);
        if (shimmed ? (wanted && strcmp(wanted, "no") == 0) || (plain && !given) : !plain)
            continue;
        test_on(&setup, plugin, "sim");
        setup.processor = names[NATIVE];
        setup.disassembler = NULL;
        test_on(&setup, plugin, "native");
    }
    dlclose(library);
}

int main(int argc, char **argv)
{
    char pattern[4200];
    glob_t files;
    const char *build = getenv("BUILD");
    build = build ? build : "build";
    snprintf(any_width, sizeof any_width, "%s/lib/osvm/any", build);
    snprintf(own_width, sizeof own_width, "%s/lib/osvm/%d", build, WORD_BITS);
    snprintf(pattern, sizeof pattern, "%s/jit-*.so", own_width);
    if (getenv("OSVM_SAMPLE"))
        suite_every = (unsigned)atoi(getenv("OSVM_SAMPLE"));
    if (!suite_every)
        bail_out("OSVM_SAMPLE is no number");
    diag("seed %d", SUITE_SEED);
    for (int i = 1; i < argc; i++)
        test_file(argv[i], true);
    if (argc == 1 && glob(pattern, 0, NULL, &files))
        skip_all("built without back ends for %d bits", WORD_BITS);
    for (size_t i = 0; argc == 1 && i < files.gl_pathc; i++)
        test_file(files.gl_pathv[i], false);
    if (argc == 1)
        globfree(&files);
    if (!tap_count)
        skip_all("there is no back end for %d bits", WORD_BITS);
    return done_testing();
}

