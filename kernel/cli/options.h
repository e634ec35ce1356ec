/* Options by table: those of the command line, of plugins and of worlds.
 *
 * A table of OsvmOption (plugin.h) says what there is; an OptionSet holds the
 * values. Every value is checked when it is set, so asking cannot fail. Names
 * that are not in the table are refused with the nearest one that is.
 */
#ifndef OSVM_CLI_OPTIONS_H
#define OSVM_CLI_OPTIONS_H

#include "osvm/plugin.h"

typedef struct OptionSet OptionSet;

/* A set with the defaults of `table` (host's; NULL: an empty one). `owner` is how
 * messages name whose options these are: "gc plugin 'sweep'" (borrowed). */
OptionSet *options_new(const OsvmOption *table, const char *owner);
void options_free(OptionSet *set);

/* Is the table itself sound: known kinds, choices there, defaults valid? For
 * tables of foreign plugins; options_new insists on it. */
bool options_check_table(const OsvmOption *table, const char *owner, OsvmError *error);

/* Sets one option; `value` NULL: it was given without a value. `prefix` goes
 * before names in messages ("--" or ""). */
bool options_set(OptionSet *set, const char *prefix, const char *name, const char *value,
                 OsvmError *error);

/* Sets from text: `name[=value],name[=value]...`; the empty text sets nothing. */
bool options_set_list(OptionSet *set, const char *text, OsvmError *error);

/* Takes `--name[=value]` options from the front of a list of arguments, until `--`
 * (which is taken too) or one that is no option. Where an option that is no flag
 * has no `=`, its value is the next argument. Answers how many arguments were
 * taken, or -1 with `error` set. */
int options_take(OptionSet *set, int count, char **arguments, OsvmError *error);

bool options_flag(const OptionSet *set, const char *name);
int64_t options_number(const OptionSet *set, const char *name); /* 0 where there is no default */
const char *options_text(const OptionSet *set, const char *name); /* NULL: no default */
bool options_given(const OptionSet *set, const char *name); /* was it set by the user? */

/* Reads a number, or a size with its unit. */
bool options_parse_number(const OsvmOption *option, const char *text, int64_t *number);

/* Prints the table, one option a line, for help texts. `prefix` is "--", or what the
 * names of options of plugins begin with; options of one letter and -Wname get a
 * single dash. */
void options_print(const OsvmOption *table, const char *prefix, FILE *file);

/* Fills in `error` and answers false. */
bool error_set(OsvmError *error, OsvmStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
