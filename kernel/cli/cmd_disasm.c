/* `osvm disasm`: machine code of methods, compiled without running the image. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/base/read_text.h"

static const OsvmOption disasm_options[] = {
    {.name = "image",
     .kind = OSVM_TEXT,
     .choices = "IMAGE",
     .help = "the image; without it, the built-in one"},
    {.name = "asm",
     .kind = OSVM_TEXT,
     .choices = "FILE",
     .help = "methods in the text of osvm asm"},
    {.name = "class",
     .kind = OSVM_TEXT,
     .value = "Object",
     .choices = "CLASS",
     .help = "the class of a method on standard input"},
    {.name = "bytecodes",
     .kind = OSVM_FLAG,
     .value = "no",
     .help = "with the bytecodes in between"},
    {.name = "source", .kind = OSVM_FLAG, .value = "no", .help = "with the method's source"},
    {.name = "summary",
     .kind = OSVM_FLAG,
     .value = "no",
     .help = "compile every method, say how many are refused and why"},
    {.name = "json", .kind = OSVM_FLAG, .value = "no", .help = "as JSON"},
    {.name = NULL},
};

/* Code for any machine can be looked at: it does not run. */
static bool select_parts(Cli *cli, unsigned bits, OsvmError *error)
{
    return (options_given(cli->options, "jit") ||
            plugins_select(cli->plugins, OSVM_JIT, bits == 64 ? "x64" : "arm", error)) &&
           (options_given(cli->options, "cpu") ||
            plugins_select(cli->plugins, OSVM_CPU, "sim", error));
}

static int disassemble(Cli *cli, CoreDisassemble *what, OsvmError *error)
{
    CoreSetup setup;
    unsigned bits = image_heap_bits(cli->live, what->image, error);
    if (!bits || !select_parts(cli, bits, error))
        return error->status ? (int)error->status : OSVM_INTERNAL;
    const CoreOps *core = vm_load_core(cli, bits, &setup, error);
    if (!core)
        return (int)error->status;
    setup.jit = true;
    return core->disassemble(&setup, what, error);
}

static bool choose_image(Cli *cli, char path[PATH_MAX], OsvmError *error)
{
    const char *given = options_text(cli->options, "image");
    return given ? snprintf(path, PATH_MAX, "%s", given) < PATH_MAX
                 : builtin_find_image(cli, path, error);
}

static int run_disasm(Cli *cli, OsvmError *error)
{
    char image[PATH_MAX], *source = NULL;
    const char *operand = cli->operands[0], *asm_file = options_text(cli->options, "asm");
    bool summary = options_flag(cli->options, "summary");
    if (!!operand + !!asm_file + summary != 1) {
        error_set(error, OSVM_USAGE,
                  "'osvm disasm' needs 'Class>>selector', or - for a method on standard input, or "
                  "--asm=FILE, or --summary");
        return OSVM_USAGE;
    }
    if (!choose_image(cli, image, error))
        return error->status ? (int)error->status : OSVM_USAGE;
    size_t length;
    int failure;
    if (operand && strcmp(operand, "-") == 0 && !(source = read_text_input(&length, &failure))) {
        error_set(error, OSVM_IO_ERROR, "cannot read standard input: %s", strerror(failure));
        return OSVM_IO_ERROR;
    }
    CoreDisassemble what = {
        .image = image,
        .selection = source ? NULL : operand,
        .source = source,
        .class_name = options_text(cli->options, "class"),
        .asm_file = asm_file,
        .bytecodes = options_flag(cli->options, "bytecodes"),
        .show_source = options_flag(cli->options, "source"),
        .json = options_flag(cli->options, "json"),
        .summary = summary,
    };
    int code = disassemble(cli, &what, error);
    free(source);
    return code;
}

const Command command_disasm = {
    .name = "disasm",
    .operands = "'CLASS>>SELECTOR' | - | --summary",
    .summary = "show the machine code of a method, with names for what it uses",
    .details =
        "Compiles the method for --jit=BACKEND without running the image: 'Array class>>new:', a\n"
        "method's source on standard input (-), or an assembled method (--asm=FILE).\n"
        "--summary compiles every method of the image and says what share compiles, and why the\n"
        "rest does not; exit code 1 if that is less than 99.5 %.",
    .options = disasm_options,
    .least = 0,
    .most = 1,
    .run = run_disasm,
};
