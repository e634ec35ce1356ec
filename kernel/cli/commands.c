/* The table of commands, and what `osvm` does with its arguments. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/nearest.h"
#include "kernel/world/worlds.h"

static const Command *const commands[] = {
    &command_run,     &command_info,    &command_check,     &command_dump,      &command_convert,
    &command_build,   &command_compile, &command_decompile, &command_asm,       &command_disasm,
    &command_test,    &command_doc,     &command_load,      &command_fuzz,      &command_verify_gc,
    &command_bench,   &command_plugins, &command_help,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

const Command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

const char *command_nearest(const char *word)
{
    Nearest nearest = nearest_to(word);
    for (size_t i = 0; i < COMMANDS; i++)
        nearest_offer(&nearest, commands[i]->name);
    return nearest.best;
}

/* --- Help ----------------------------------------------------------------- */

void cli_print_help(FILE *file)
{
    fprintf(file,
            "osvm %s, a Smalltalk virtual machine made of parts that can be swapped\n\n"
            "usage: osvm [OPTION...] -e EXPRESSION...\n"
            "       osvm [OPTION...] FILE.st [ARGUMENT...]    (or - for the standard input)\n"
            "       osvm [OPTION...] IMAGE [ARGUMENT...]\n"
            "       osvm [OPTION...] COMMAND ...\n\nCommands:\n",
            OSVM_VERSION);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
    fprintf(file, "\nOptions:\n");
    options_print(vm_options, "--", file);
    fprintf(file,
            "\nExit codes: 0 done, 1 error in the program, 64 wrong command line, 65 bad input, "
            "66 no input,\n69 plugin not available, 70 fault of the VM, 73 cannot create output, "
            "74 input/output error,\n77 not permitted; otherwise what the program says.\n");
}

void command_print_help(const Command *command, FILE *file)
{
    fprintf(file, "usage: osvm [OPTION...] %s %s%s\n\n%s.\n", command->name,
            command->options ? "[OPTION...] " : "", command->operands, command->summary);
    if (command->details)
        fprintf(file, "%s\n", command->details);
    if (!command->options)
        return;
    fprintf(file, "\nOptions:\n");
    options_print(command->options, "--", file);
}

/* --- Taking the arguments apart ------------------------------------------- */

/* The command's options and those of the VM, in one table. */
static OsvmOption *merge_tables(const OsvmOption *one, const OsvmOption *two)
{
    size_t count = 1, used = 0;
    for (const OsvmOption *at = one; at && at->name; at++)
        count++;
    for (const OsvmOption *at = two; at && at->name; at++)
        count++;
    OsvmOption *merged = calloc(count, sizeof *merged);
    REQUIRE(merged, "the host has no memory for a table of options");
    for (const OsvmOption *at = one; at && at->name; at++)
        merged[used++] = *at;
    for (const OsvmOption *at = two; at && at->name; at++)
        merged[used++] = *at;
    return merged;
}

/* Operands of a command, with options between them. Those of `run` end the options, and what is for
 * the built-in image is none of our business. */
static bool take_operands(Cli *cli, int count, char **arguments, OsvmError *error)
{
    bool help = count == 1 && strcmp(arguments[0], "--help") == 0;
    bool only_operands = cli->command->builtin && !help;
    while (count > 0) {
        int taken = only_operands ? 0 : options_take(cli->options, count, arguments, error);
        if (taken < 0)
            return false;
        only_operands |= taken && strcmp(arguments[taken - 1], "--") == 0;
        count -= taken;
        arguments += taken;
        if (!count)
            break;
        only_operands |= cli->command == &command_run;
        cli->operands[cli->operand_count++] = *arguments++;
        count--;
    }
    return true;
}

static bool check_operands(const Cli *cli, OsvmError *error)
{
    const Command *command = cli->command;
    if (options_flag(cli->options, "help") || options_flag(cli->options, "version"))
        return true;
    if (cli->operand_count < command->least)
        return error_set(error, OSVM_USAGE, "'osvm %s' needs %s; see 'osvm help %s'", command->name,
                         command->operands, command->name);
    if (command->most >= 0 && cli->operand_count > command->most)
        return error_set(error, OSVM_USAGE, "'%s' is too much for 'osvm %s'; see 'osvm help %s'",
                         cli->operands[command->most], command->name, command->name);
    return true;
}

/* A word that is no command is an image; `run` finds out. A misspelt command deserves a better
 * answer than that there is no such file. */
static bool looks_like_image(const Cli *cli, const char *word, OsvmError *error)
{
    OsvmStat stat;
    if (cli->live->stat(cli->live, word, true, &stat) == 0 || strpbrk(word, "./"))
        return true;
    const char *nearest = command_nearest(word);
    return error_set(error, nearest ? OSVM_USAGE : OSVM_NO_INPUT,
                     "'%s' is neither a command nor an image file%s%s%s", word,
                     nearest ? "; did you mean 'osvm " : "", nearest ? nearest : "",
                     nearest ? "'?" : "; see 'osvm help'");
}

/* Finds the command, and takes all arguments apart with its options. */
static bool take_arguments(Cli *cli, int count, char **arguments, OsvmError *error)
{
    OptionSet *first = options_new(vm_options, "osvm");
    int taken = options_take(first, builtin_option(count, arguments), arguments, error);
    options_free(first);
    if (taken < 0)
        return false;
    const char *word = taken < count ? arguments[taken] : NULL;
    cli->command = word ? command_find(word) : &command_builtin;
    bool named = word && cli->command;
    if (!cli->command && builtin_takes(cli->live, word))
        cli->command = &command_builtin;
    if (!cli->command) {
        if (!looks_like_image(cli, word, error))
            return false;
        cli->command = &command_run;
    }
    cli->table = merge_tables(cli->command->options, vm_options);
    char owner[64];
    snprintf(owner, sizeof owner, named ? "'osvm %s'" : "osvm", cli->command->name);
    cli->options = options_new(cli->table, owner);
    cli->operands = calloc((size_t)count + 2, sizeof(char *));
    cli->vm_options = calloc((size_t)count + 2, sizeof(char *));
    REQUIRE(cli->operands && cli->vm_options, "the host has no memory for the command line");
    memcpy(cli->vm_options, arguments, (size_t)taken * sizeof(char *));
    if (named && cli->command->builtin) /* the image sees the word too */
        cli->operands[cli->operand_count++] = arguments[taken];
    return options_take(cli->options, taken, arguments, error) >= 0 &&
           take_operands(cli, count - taken - named, arguments + taken + named, error) &&
           check_operands(cli, error);
}

/* --- Running -------------------------------------------------------------- */

static int run_command(Cli *cli, OsvmError *error)
{
    if (options_flag(cli->options, "version")) {
        printf("osvm %s\n", OSVM_VERSION);
        return OSVM_OK;
    }
    if (options_flag(cli->options, "help")) {
        if (cli->command == &command_help || cli->command == &command_run ||
            cli->command == &command_builtin)
            cli_print_help(stdout);
        else
            command_print_help(cli->command, stdout);
        return OSVM_OK;
    }
    if (!vm_set_up(cli, error))
        return (int)error->status;
    return cli->command->run(cli, error);
}

static int run_arguments(Cli *cli, int count, char **arguments, OsvmError *error)
{
    return take_arguments(cli, count, arguments, error) ? run_command(cli, error)
                                                        : (int)error->status;
}

/* A closed standard stream would be taken by the next file opened, and that be
 * written over. What is put there cannot be used in the way it would be. */
static void fill_standard_streams(void)
{
    for (int file = 0; file <= 2; file++)
        if (fcntl(file, F_GETFD) < 0 && open("/dev/null", file ? O_RDONLY : O_WRONLY) != file)
            _exit(OSVM_IO_ERROR);
}

/* What was printed must have arrived. */
static int finish_output(Output *output, int status)
{
    if (output_close(output))
        return status;
    fprintf(stderr, "osvm: cannot write to standard output: %s\n", strerror(errno));
    return status ? status : OSVM_IO_ERROR;
}

int cli_main(int count, char **arguments)
{
    OsvmError error = {0};
    Cli cli = {0};
    Output output;
    fill_standard_streams();
    signal(SIGPIPE, SIG_IGN);
    output_on(&output, STDOUT_FILENO);
    REQUIRE(output.stream, "the host has no memory for standard output");
    FILE *usual = stdout;
    stdout = output.stream;
    cli.live = world_live_new();
    int status = run_arguments(&cli, count - 1, arguments + 1, &error);
    if (error.message[0])
        fprintf(stderr, "osvm: %s\n", error.message);
    status = vm_take_down(&cli, status);
    world_free(cli.live);
    options_free(cli.options);
    free(cli.table);
    free(cli.operands);
    free(cli.vm_options);
    status = finish_output(&output, status);
    stdout = usual;
    return status;
}
