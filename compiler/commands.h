/* The subcommands of osvm that compile: each takes its own arguments (without the
 * subcommand's name) and answers an exit status. */
#ifndef OSVM_COMPILER_COMMANDS_H
#define OSVM_COMPILER_COMMANDS_H

int command_build(int count, char **arguments);

#endif
