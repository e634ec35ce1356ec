/* The commands that need a heap: each loads the core of a width and hands over. */
#include "cli.h"

#include <string.h>

/* Loads the core for an image. */
static const CoreOps *core_for_image(Cli *cli, const char *image, CoreSetup *setup,
                                     OsvmError *error)
{
    unsigned bits = image_heap_bits(cli->live, image, error);
    return bits ? vm_load_core(cli, bits, setup, error) : NULL;
}

/* Called without a core: the reason is in `error`. */
static int failed(const OsvmError *error)
{
    return error->status ? (int)error->status : OSVM_INTERNAL;
}

/* --- run ------------------------------------------------------------------ */

int run_program(Cli *cli, const char *image, char **arguments, OsvmError *error)
{
    CoreSetup setup;
    CoreRun run = {.image = image, .arguments = (const char *const *)arguments};
    const CoreOps *core = core_for_image(cli, run.image, &setup, error);
    return core ? core->run(&setup, &run, error) : failed(error);
}

static int run_image(Cli *cli, OsvmError *error)
{
    return run_program(cli, cli->operands[0], cli->operands + 1, error);
}

const Command command_run = {
    .name = "run",
    .operands = "IMAGE [ARGUMENT...]",
    .summary = "run an image; the word `run` may be left out",
    .details = "Everything behind IMAGE is for the program in it.",
    .least = 1,
    .most = -1,
    .run = run_image,
};

/* --- info, check, dump ---------------------------------------------------- */

static int run_info(Cli *cli, OsvmError *error)
{
    CoreSetup setup;
    CoreInspect inspect = {.image = cli->operands[0], .json = options_flag(cli->options, "json")};
    const CoreOps *core = core_for_image(cli, inspect.image, &setup, error);
    return core ? core->info(&setup, &inspect, error) : failed(error);
}

static const OsvmOption info_options[] = {
    {.name = "json", .kind = OSVM_FLAG, .value = "no", .help = "as JSON"},
    {.name = NULL},
};

const Command command_info = {
    .name = "info",
    .operands = "IMAGE",
    .summary = "what is in an image: header, classes with counts and sizes",
    .options = info_options,
    .least = 1,
    .most = 1,
    .run = run_info,
};

static int run_check(Cli *cli, OsvmError *error)
{
    CoreSetup setup;
    CoreInspect inspect = {.image = cli->operands[0], .quiet = options_flag(cli->options, "quiet")};
    const CoreOps *core = core_for_image(cli, inspect.image, &setup, error);
    return core ? core->check(&setup, &inspect, error) : failed(error);
}

static const OsvmOption check_options[] = {
    {.name = "quiet", .kind = OSVM_FLAG, .value = "no", .help = "say nothing about a sound image"},
    {.name = NULL},
};

const Command command_check = {
    .name = "check",
    .operands = "IMAGE",
    .summary = "look whether everything in an image is sound",
    .options = check_options,
    .details =
        "Prints what it finds; the exit code is 0 for a sound image, 65 for one that is not.",
    .least = 1,
    .most = 1,
    .run = run_check,
};

static int run_dump(Cli *cli, OsvmError *error)
{
    CoreSetup setup;
    CoreInspect inspect = {
        .image = cli->operands[0],
        .selection = cli->operands[1],
        .objects = options_flag(cli->options, "objects"),
    };
    inspect.methods = !inspect.objects;
    const CoreOps *core = core_for_image(cli, inspect.image, &setup, error);
    return core ? core->dump(&setup, &inspect, error) : failed(error);
}

static const OsvmOption dump_options[] = {
    {.name = "objects", .kind = OSVM_FLAG, .value = "no", .help = "objects instead of methods"},
    {.name = NULL},
};

const Command command_dump = {
    .name = "dump",
    .operands = "IMAGE [SELECTION]",
    .summary = "list methods with bytecodes and literals, or objects",
    .details = "SELECTION is a class, 'Class>>selector' or an address (0x...); without it, all.",
    .options = dump_options,
    .least = 1,
    .most = 2,
    .run = run_dump,
};

/* --- decompile ------------------------------------------------------------ */

static int run_decompile(Cli *cli, OsvmError *error)
{
    CoreSetup setup;
    CoreInspect inspect = {
        .image = cli->operands[0],
        .selection = cli->operands[1],
        .summary = options_flag(cli->options, "summary"),
        .verbose = options_flag(cli->options, "verbose"),
    };
    const CoreOps *core = core_for_image(cli, inspect.image, &setup, error);
    return core ? core->decompile(&setup, &inspect, error) : failed(error);
}

static const OsvmOption decompile_options[] = {
    {.name = "summary",
     .kind = OSVM_FLAG,
     .value = "no",
     .help = "only how many compile to the same code again, and why others do not"},
    {.name = "verbose",
     .kind = OSVM_FLAG,
     .value = "no",
     .help = "with the summary, show those that do not"},
    {.name = NULL},
};

const Command command_decompile = {
    .name = "decompile",
    .operands = "IMAGE [SELECTION]",
    .summary = "methods of an image as source text, made from their bytecode",
    .details =
        "SELECTION is a class or 'Class>>selector'; without it, all. Each text is compiled again; a\n"
        "comment says so where it does not become the same code, or where there can be no text.",
    .options = decompile_options,
    .least = 1,
    .most = 2,
    .run = run_decompile,
};

/* --- convert -------------------------------------------------------------- */

static unsigned chosen_bits(const Cli *cli)
{
    const char *bits = options_text(cli->options, "bits");
    return !bits ? 0 : strcmp(bits, "64") == 0 ? 64 : 32;
}

static int convert_with(Cli *cli, unsigned bits, const CoreConvert *convert, OsvmError *error)
{
    CoreSetup setup;
    const CoreOps *core = vm_load_core(cli, bits, &setup, error);
    return core ? core->convert(&setup, convert, error) : failed(error);
}

/* Through an image of the source's own width, beside the output: one segment, in this host's byte
 * order. */
static int convert_in_two_steps(Cli *cli, unsigned bits, const CoreConvert *convert,
                                OsvmError *error)
{
    char between[PATH_MAX];
    if (snprintf(between, sizeof between, "%s.%u-bits.tmp", convert->output, 96 - bits) >=
        (int)sizeof between) {
        error_set(error, OSVM_USAGE, "'%s' is too long a path", convert->output);
        return OSVM_USAGE;
    }
    *error = (OsvmError){0};
    CoreConvert first = {.image = convert->image, .output = between};
    CoreConvert second = {.image = between, .output = convert->output};
    int status = convert_with(cli, 96 - bits, &first, error);
    if (status == OSVM_OK)
        status = convert_with(cli, bits, &second, error);
    cli->world->unlink(cli->world, between);
    return status;
}

static int run_convert(Cli *cli, OsvmError *error)
{
    CoreConvert convert = {.image = cli->operands[0], .output = options_text(cli->options, "o")};
    unsigned bits = chosen_bits(cli);
    if (!convert.output || !bits) {
        error_set(error, OSVM_USAGE, "'osvm convert' needs both --bits=64|32 and -o FILE");
        return OSVM_USAGE;
    }
    if (!vm_may_write(cli, convert.output, error) ||
        !image_heap_bits(cli->live, convert.image, error))
        return failed(error);
    int status = convert_with(cli, bits, &convert, error);
    return status == OSVM_UNAVAILABLE ? convert_in_two_steps(cli, bits, &convert, error) : status;
}

static const OsvmOption convert_options[] = {
    {.name = "bits", .kind = OSVM_CHOICE, .choices = "64|32", .help = "the width to convert to"},
    {.name = "o", .kind = OSVM_TEXT, .choices = "FILE", .help = "the image to write"},
    {.name = NULL},
};

const Command command_convert = {
    .name = "convert",
    .operands = "IMAGE",
    .summary = "rewrite an image for the other heap width",
    .options = convert_options,
    .least = 1,
    .most = 1,
    .run = run_convert,
};

/* --- asm ------------------------------------------------------------------ */

static int run_asm(Cli *cli, OsvmError *error)
{
    CoreSetup setup;
    CoreAssemble assemble = {
        .file = cli->operands[0],
        .image = options_text(cli->options, "image"),
        .output = options_text(cli->options, "o"),
    };
    unsigned bits = chosen_bits(cli);
    if (!assemble.image != !assemble.output) {
        error_set(error, OSVM_USAGE, "'osvm asm' needs --image=IMAGE and -o FILE together, or neither");
        return OSVM_USAGE;
    }
    if (assemble.output && !vm_may_write(cli, assemble.output, error))
        return failed(error);
    if (assemble.image) {
        unsigned image_bits = image_heap_bits(cli->live, assemble.image, error);
        if (!image_bits)
            return failed(error);
        if (bits && bits != image_bits) {
            error_set(error, OSVM_USAGE, "--bits=%u, but '%s' is a %u-bit image", bits,
                      assemble.image, image_bits);
            return OSVM_USAGE;
        }
        bits = image_bits;
    }
    const CoreOps *core = vm_load_core(cli, bits ? bits : 64, &setup, error);
    return core ? core->assemble(&setup, &assemble, error) : failed(error);
}

static const OsvmOption asm_options[] = {
    {.name = "image", .kind = OSVM_TEXT, .choices = "IMAGE", .help = "install the methods into it"},
    {.name = "o", .kind = OSVM_TEXT, .choices = "FILE", .help = "save the image with them as this"},
    {.name = "bits",
     .kind = OSVM_CHOICE,
     .choices = "64|32",
     .help = "the heap width; without it, the image's, else 64"},
    {.name = NULL},
};

const Command command_asm = {
    .name = "asm",
    .operands = "FILE",
    .summary = "assemble methods from a text of bytecodes",
    .details = "Without --image the methods are checked and listed.",
    .options = asm_options,
    .least = 1,
    .most = 1,
    .run = run_asm,
};
