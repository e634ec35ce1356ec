/* `osvm plugins` and `osvm help`. */
#include "cli.h"

#include <string.h>

#include "kernel/world/worlds.h"

static int run_plugins(Cli *cli, OsvmError *error)
{
    return plugins_list(cli->plugins, stdout, options_flag(cli->options, "json")) ? OSVM_UNAVAILABLE
                                                                                  : OSVM_OK;
}

static const OsvmOption plugins_options[] = {
    {.name = "json", .kind = OSVM_FLAG, .value = "no", .help = "as JSON"},
    {.name = NULL},
};

const Command command_plugins = {
    .name = "plugins",
    .operands = "",
    .summary = "list the plugins there are, and why some do not load",
    .details = "The exit code is 69 if one does not load.",
    .options = plugins_options,
    .run = run_plugins,
};

static int run_help(Cli *cli, OsvmError *error)
{
    const char *topic = cli->operands[0];
    const Command *command = topic ? command_find(topic) : NULL;
    if (!topic)
        cli_print_help(stdout);
    else if (strcmp(topic, "worlds") == 0)
        world_print_help(stdout);
    else if (command)
        command_print_help(command, stdout);
    else {
        const char *nearest = command_nearest(topic);
        error_set(error, OSVM_USAGE, "there is no help for '%s'%s%s%s", topic,
                  nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
        return OSVM_USAGE;
    }
    return OSVM_OK;
}

const Command command_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "explain a command, or `worlds`",
    .most = 1,
    .run = run_help,
};
