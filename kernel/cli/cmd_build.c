/* `osvm build` and `osvm compile`: the compiler on the command line. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/image.h"
#include "kernel/base/save.h"
#include "kernel/bytecode/disasm.h"

enum { WRONG_SOURCES = 1 }; /* the exit code when there were errors in them */

typedef struct {
    CompileTools tools;
    Diagnostics diagnostics;
    Program program;
    ImageOptions options;
} Build;

static const char *const warning_options[] = {
    "Werror",       "Wall",         "Wundeclared",     "Wunused",        "Wshadowed",
    "Wunsent",      "Wunreachable", "Wencoding",       "Wno-undeclared", "Wno-unused",
    "Wno-shadowed", "Wno-unsent",   "Wno-unreachable", "Wno-encoding",   "Wduplicate",
    "Wno-duplicate", "Wtraits",     "Wno-traits",
};

/* A file, or what there is below a folder, which must not be nothing. */
static void read_sources(Build *build, const char *path)
{
    size_t before = build->program.file_count, errors = build->diagnostics.error_count;
    program_read(&build->program, path);
    if (build->program.file_count == before && build->diagnostics.error_count == errors)
        diagnostics_error(&build->diagnostics, source_new(build->tools.arena, path, "", 0), 0, 0,
                          "there are no sources (*.st) in it");
}

static void build_start(Build *build, Cli *cli, const char *manifest)
{
    memset(build, 0, sizeof *build);
    build->tools.arena = arena_new();
    build->tools.names = names_new(build->tools.arena);
    build->tools.diagnostics = &build->diagnostics;
    diagnostics_init(&build->diagnostics, build->tools.arena);
    program_init(&build->program, &build->tools);
    for (size_t i = 0; i < sizeof warning_options / sizeof *warning_options; i++)
        if (options_flag(cli->options, warning_options[i]))
            diagnostics_set_warning(&build->diagnostics, warning_options[i] + 1);
    const char *set = options_text(cli->options, "bytecodes");
    build->options.set = strcmp(set, "v3") == 0 ? SET_V3 : SET_SISTA;
    for (int i = 0; i < cli->operand_count; i++)
        read_sources(build, cli->operands[i]);
    build->options.manifest = manifest ? manifest_read(&build->tools, manifest) : NULL;
    if (build->options.manifest)
        manifest_apply(build->options.manifest, &build->program);
    program_resolve(&build->program);
}

static int build_finish(Build *build, int status)
{
    size_t errors = build->diagnostics.error_count;
    diagnostics_print(&build->diagnostics, stderr);
    if (errors)
        fprintf(stderr, "osvm: %zu error%s in the sources\n", errors, errors == 1 ? "" : "s");
    arena_free(build->tools.arena);
    return errors ? WRONG_SOURCES : status;
}

/* A failure leaves what was there. */
static int write_file(const Cli *cli, const char *path, const void *bytes, size_t size,
                      OsvmError *error)
{
    Save save;
    void *buffer = malloc(SAVE_BUFFER);
    if (save_begin(&save, cli->world, buffer, path, error->message, sizeof error->message))
        save_put(&save, bytes, size);
    error->status = save_commit(&save) ? OSVM_OK : OSVM_CANNOT_CREATE;
    free(buffer);
    return (int)error->status;
}

/* Says how much was left out, and writes what. */
static int report_strip(const Cli *cli, const StripResult *strip, OsvmError *error)
{
    const char *path = options_text(cli->options, "strip");
    printf("%zu of %zu classes and %zu of %zu methods are left out\n",
           strip->classes - strip->kept_classes, strip->classes,
           strip->methods - strip->kept_methods, strip->methods);
    return path && *path ? write_file(cli, path, strip->report, strlen(strip->report), error) : OSVM_OK;
}

static int run_build(Cli *cli, OsvmError *error)
{
    Build build;
    StripResult strip = {0};
    size_t size;
    const char *output = options_text(cli->options, "o"),
               *manifest = options_text(cli->options, "manifest");
    if (!output) {
        error_set(error, OSVM_USAGE, "'osvm build' needs -o IMAGE");
        return OSVM_USAGE;
    }
    if (!vm_may_write(cli, output, error))
        return (int)error->status;
    build_start(&build, cli, manifest);
    build.options.bits = (unsigned)atoi(options_text(cli->options, "bits"));
    build.options.start = options_text(cli->options, "start");
    build.options.drop_sources = strcmp(options_text(cli->options, "sources"), "drop") == 0;
    build.options.strip = options_given(cli->options, "strip") ? &strip : NULL;
    uint8_t *image = image_build(&build.program, &build.options, &size);
    int status = image ? write_file(cli, output, image, size, error) : WRONG_SOURCES;
    free(image);
    if (status == OSVM_OK && build.options.strip)
        status = report_strip(cli, &strip, error);
    return build_finish(&build, status);
}

#define WARNING(option, text)                                          \
    {                                                                  \
        .name = option, .kind = OSVM_FLAG, .value = "no", .help = text \
    }
#define COMPILER_OPTIONS                                                                         \
    {.name = "bytecodes",                                                                        \
     .kind = OSVM_CHOICE,                                                                        \
     .choices = "sista|v3",                                                                      \
     .value = "sista",                                                                           \
     .help = "the bytecode set"},                                                                \
        WARNING("Werror", "warnings are errors"), WARNING("Wall", "warn of everything below"),   \
        WARNING("Wundeclared", "variables nobody declares (on)"),                                \
        WARNING("Wunused", "temporaries never read (on)"),                                       \
        WARNING("Wshadowed", "names that hide others (on)"),                                     \
        WARNING("Wunsent", "messages no class implements"),                                      \
        WARNING("Wunreachable", "statements behind a return (on)"),                              \
        WARNING("Wencoding", "files that are not UTF-8 (on)"), WARNING("Wno-undeclared", "off"), \
        WARNING("Wno-unused", "off"), WARNING("Wno-shadowed", "off"),                            \
        WARNING("Wno-unsent", "off"), WARNING("Wno-unreachable", "off"),                         \
        WARNING("Wno-encoding", "off"),                                                          \
        WARNING("Wduplicate", "methods defined twice in a file (on)"),                           \
        WARNING("Wno-duplicate", "off"),                                                          \
        WARNING("Wtraits", "conflicts of traits, exclusions of nothing (on)"),                    \
        WARNING("Wno-traits", "off"),                                                             \
    {                                                                                            \
        .name = NULL                                                                             \
    }

static const OsvmOption build_options[] = {
    {.name = "o", .kind = OSVM_TEXT, .choices = "IMAGE", .help = "the image to write"},
    {.name = "bits", .kind = OSVM_CHOICE, .choices = "64|32", .value = "64", .help = "its width"},
    {.name = "start",
     .kind = OSVM_TEXT,
     .choices = "EXPRESSION",
     .help = "what it evaluates when it starts"},
    {.name = "sources",
     .kind = OSVM_CHOICE,
     .choices = "keep|drop",
     .value = "keep",
     .help = "whether methods carry their source text"},
    {.name = "strip",
     .kind = OSVM_OPTIONAL_TEXT,
     .choices = "REPORT",
     .help = "leave out what the start cannot reach; what that was goes to the file"},
    {.name = "manifest",
     .kind = OSVM_TEXT,
     .choices = "FILE",
     .help = "which classes play which roles"},
    COMPILER_OPTIONS,
};

const Command command_build = {
    .name = "build",
    .operands = "SOURCE...",
    .summary = "make an image from Smalltalk sources",
    .details =
        "Sources are Tonel directories or files (*.class.st, *.extension.st) and chunk files "
        "(*.st).\n"
        "See docs/building-images.md. The exit code is 1 when there are errors in the sources.",
    .options = build_options,
    .least = 1,
    .most = -1,
    .run = run_build,
};

/* --- compile -------------------------------------------------------------- */

/* In the form that `osvm asm` reads. */
static void list_methods(const Build *build)
{
    const ClassList *classes = &build->program.classes;
    for (size_t i = 0; i < classes->count; i++)
        for (int side = 0; side < 2; side++) {
            const MethodList *methods = &classes->items[i]->methods[side];
            for (size_t j = 0; j < methods->count; j++)
                if (methods->items[j]->code)
                    printf("%s\n", disasm_write(methods->items[j]->code, build->tools.arena));
        }
}

static int run_compile(Cli *cli, OsvmError *error)
{
    Build build;
    (void)error;
    build_start(&build, cli, NULL);
    program_compile(&build.program, build.options.set);
    if (options_flag(cli->options, "S"))
        list_methods(&build);
    return build_finish(&build, OSVM_OK);
}

static const OsvmOption compile_options[] = {
    {.name = "S",
     .kind = OSVM_FLAG,
     .value = "no",
     .help = "print what it becomes, as `asm` reads it"},
    COMPILER_OPTIONS,
};

const Command command_compile = {
    .name = "compile",
    .operands = "SOURCE...",
    .summary = "compile Smalltalk sources: show what is wrong, or the bytecode",
    .details = "The exit code is 1 when there are errors in the sources.",
    .options = compile_options,
    .least = 1,
    .most = -1,
    .run = run_compile,
};
