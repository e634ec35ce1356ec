/* The command line: `osvm [VM options] IMAGE [arguments]`, `osvm [VM options] COMMAND ...`.
 *
 *   commands.c  the table of commands, help, finding the one that is meant
 *   vm.c        the options every command shares: plugins, heap sizes, world, log
 *   output.c    streams that know why they failed
 *   image.c     which heap width an image file has
 *   builtin.c   what the built-in image does: scripts, expressions, commands written in Smalltalk
 *   cmd_*.c     the commands
 *
 * A command is an entry in the table of commands.c: name, options, function. Its
 * options may stand anywhere behind its name, VM options too.
 */
#ifndef OSVM_CLI_CLI_H
#define OSVM_CLI_CLI_H

#include <limits.h>

#include "kernel/cli/options.h"
#include "kernel/cli/output.h"
#include "kernel/plugin/plugins.h"
#include "osvm/core.h"
#include "osvm/world.h"

typedef struct Command Command;

/* One run of the executable. */
typedef struct Cli {
    const Command *command;
    OsvmOption *table;      /* the command's options and the VM's; owned */
    OptionSet *options;     /* their values */
    int operand_count;      /* what is no option; of `run`: the image and all behind it */
    char **operands;        /* closed by NULL */
    char **vm_options;      /* the arguments before the image or command; closed by NULL */
    OsvmWorld *live;        /* the kernel's own */
    OsvmWorld *logical;     /* under `world` in deterministic runs; else NULL */
    OsvmWorld *world;       /* the program's (--world) */
    Plugins *plugins;
    char vm_path[PATH_MAX]; /* of the executable; filled in with the core */
    Output log;             /* not open: standard error */
    Output gc_log, code_map; /* of --gc-log, --code-map */
} Cli;

struct Command {
    const char *name;
    const char *operands;   /* as help shows them: "IMAGE" */
    const char *summary;    /* one line, without a full stop */
    const char *details;    /* a paragraph for its help; NULL: none */
    const OsvmOption *options; /* NULL: only those of the VM */
    int least, most;        /* operands; most < 0: any number */
    bool builtin;           /* its name and all behind it are for the built-in image */
    /* Answers the exit code; with `error` set where it has not said itself what went wrong. */
    int (*run)(Cli *cli, OsvmError *error);
};

extern const Command command_run, command_info, command_check, command_dump, command_convert,
    command_build, command_compile, command_asm, command_disasm, command_plugins, command_help,
    command_builtin, command_fuzz, command_verify_gc, command_bench, command_test, command_doc,
    command_load, command_decompile;

/* The whole of it: answers the exit code of the process. Never prints to standard output what
 * cannot be written without saying so. */
int cli_main(int count, char **arguments);

/* --- commands.c --- */

const Command *command_find(const char *name); /* NULL: none */
/* The command with the name nearest to `word`; NULL: none is near. */
const char *command_nearest(const char *word);
void command_print_help(const Command *command, FILE *file);
void cli_print_help(FILE *file);

/* --- vm.c --- */

extern const OsvmOption vm_options[];
/* Makes plugins, world and log as the options say. */
bool vm_set_up(Cli *cli, OsvmError *error);
/* Answers the exit code: `status`, or that a log could not be written. */
int vm_take_down(Cli *cli, int status);
/* A command is going to write this file: refused if the program's world writes nothing. */
bool vm_may_write(const Cli *cli, const char *output, OsvmError *error);
/* Loads the core for a heap width and fills in `setup`. NULL with `error` set. */
const CoreOps *vm_load_core(Cli *cli, unsigned heap_bits, CoreSetup *setup, OsvmError *error);

/* --- builtin.c --- */

/* The path of the built-in image (--bits). False with `error` set. */
bool builtin_find_image(Cli *cli, char path[PATH_MAX], OsvmError *error);
/* The index of the first argument that only the built-in image knows (-e); `count`: there is none.
 */
int builtin_option(int count, char **arguments);
/* Is the word something the built-in image runs: such an option, `-`, or a script? */
bool builtin_takes(const OsvmWorld *world, const char *word);

/* --- cmd_image.c --- */

/* Runs an image; `arguments` (closed by NULL) are for the program in it. */
int run_program(Cli *cli, const char *image, char **arguments, OsvmError *error);

/* --- image.c --- */

/* 32 or 64; 0 with `error` set when the file is no image this VM can read. */
unsigned image_heap_bits(const OsvmWorld *world, const char *path, OsvmError *error);

#endif
