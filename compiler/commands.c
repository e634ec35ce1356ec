#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"

enum { EXIT_WRONG_SOURCE = 1, EXIT_USAGE = 64, EXIT_OUTPUT = 73 };

typedef struct {
    CompileTools tools;
    Diagnostics diagnostics;
    Program program;
    ImageOptions options;
    const char *output;
    const char *manifest;
    const char *sources[256];
    int source_count;
} Command;

static void command_init(Command *command)
{
    memset(command, 0, sizeof *command);
    command->tools.arena = arena_new();
    command->tools.names = names_new(command->tools.arena);
    command->tools.diagnostics = &command->diagnostics;
    diagnostics_init(&command->diagnostics, command->tools.arena);
    program_init(&command->program, &command->tools);
    command->options = (ImageOptions){.bits = 64, .set = SET_SISTA};
}

/* The value of `--name=value` or `--name value`; NULL: another option. */
static const char *option_value(const char *name, int count, char **arguments, int *at)
{
    const char *argument = arguments[*at];
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return NULL;
    if (argument[length] == '=')
        return argument + length + 1;
    if (argument[length] == '\0' && *at + 1 < count)
        return arguments[++*at];
    return NULL;
}

static bool option_set(Command *command, int count, char **arguments, int *at)
{
    const char *value, *argument = arguments[*at];
    if ((value = option_value("--bits", count, arguments, at)) != NULL) {
        command->options.bits = (unsigned)atoi(value);
        return command->options.bits == 32 || command->options.bits == 64;
    }
    if ((value = option_value("--bytecodes", count, arguments, at)) != NULL) {
        command->options.set = strcmp(value, "v3") == 0 ? SET_V3 : SET_SISTA;
        return strcmp(value, "v3") == 0 || strcmp(value, "sista") == 0;
    }
    if ((value = option_value("-o", count, arguments, at)) != NULL)
        return (command->output = value) != NULL;
    if ((value = option_value("--start", count, arguments, at)) != NULL)
        return (command->options.start = value) != NULL;
    if ((value = option_value("--manifest", count, arguments, at)) != NULL)
        return (command->manifest = value) != NULL;
    if (strncmp(argument, "-W", 2) == 0)
        return diagnostics_set_warning(&command->diagnostics, argument + 2);
    return false;
}

static bool command_parse(Command *command, const char *name, int count, char **arguments)
{
    enum { MAXIMAL_SOURCES = sizeof command->sources / sizeof command->sources[0] };
    for (int i = 0; i < count; i++) {
        int first = i;
        if (arguments[i][0] != '-' && command->source_count < MAXIMAL_SOURCES) {
            command->sources[command->source_count++] = arguments[i];
        } else if (!option_set(command, count, arguments, &i)) {
            fprintf(stderr, "osvm %s: '%s' is no option, or its value is missing or wrong\n", name,
                    arguments[first]);
            return false;
        }
    }
    if (command->source_count == 0)
        fprintf(stderr, "osvm %s: no sources are given\n", name);
    return command->source_count != 0;
}

/* Written beside the target and renamed: a failure leaves what was there. */
static bool write_file(const char *path, const uint8_t *bytes, size_t size)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.new", path) < 0)
        return false;
    FILE *file = fopen(temporary, "wb");
    bool written = file && fwrite(bytes, 1, size, file) == size && fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (file && fclose(file) != 0)
        written = false;
    written = written && rename(temporary, path) == 0;
    if (!written) {
        fprintf(stderr, "osvm build: cannot write '%s': %s\n", path, strerror(errno));
        unlink(temporary);
    }
    free(temporary);
    return written;
}

static int command_finish(Command *command, int status)
{
    diagnostics_print(&command->diagnostics, stderr);
    if (command->diagnostics.error_count) {
        fprintf(stderr, "%zu error%s\n", command->diagnostics.error_count,
                command->diagnostics.error_count == 1 ? "" : "s");
        status = EXIT_WRONG_SOURCE;
    }
    arena_free(command->tools.arena);
    return status;
}

int command_build(int count, char **arguments)
{
    Command command;
    command_init(&command);
    if (!command_parse(&command, "build", count, arguments) || !command.output) {
        fprintf(stderr, "usage: osvm build SOURCE... -o IMAGE [--bits=32|64] [--bytecodes=sista|v3]\n"
                        "           [--start EXPRESSION] [--manifest FILE] [-W...]\n");
        arena_free(command.tools.arena);
        return EXIT_USAGE;
    }
    if (command.manifest)
        command.options.manifest = source_read_file(&command.diagnostics, command.manifest);
    for (int i = 0; i < command.source_count; i++)
        program_read(&command.program, command.sources[i]);
    program_resolve(&command.program);
    size_t size;
    uint8_t *image = image_build(&command.program, &command.options, &size);
    int status = 0;
    if (image && !write_file(command.output, image, size))
        status = EXIT_OUTPUT;
    free(image);
    return command_finish(&command, status);
}
