/* The options that every command takes: plugins, heap, world, log. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/world/worlds.h"

enum { TERABYTE_SHIFT = 40, MOST_STACK_PAGES = 65536 };

const OsvmOption vm_options[] = {
    {.name = "core",
     .kind = OSVM_TEXT,
     .choices = "NAME[:VARIANT][,OPTION...]",
     .help = "the core"},
    {.name = "mm", .kind = OSVM_TEXT, .choices = "NAME...", .help = "the memory manager"},
    {.name = "gc", .kind = OSVM_TEXT, .choices = "NAME...", .help = "the collector of old space"},
    {.name = "jit", .kind = OSVM_TEXT, .choices = "NAME...", .help = "the back end of the JIT, or none"},
    {.name = "cpu", .kind = OSVM_TEXT, .choices = "NAME...", .help = "the processor"},
    {.name = "check",
     .kind = OSVM_OPTIONAL_TEXT,
     .choices = "KIND,KIND...",
     .help = "checked variants, of all kinds or of some"},
    {.name = "plugin-path",
     .kind = OSVM_TEXT,
     .choices = "DIR:DIR...",
     .help = "look for plugins here first; then in OSVM_PLUGIN_PATH"},
    {.name = "bits",
     .kind = OSVM_CHOICE,
     .choices = "64|32",
     .value = "64",
     .help = "the width of the built-in image"},
    {.name = "eden",
     .kind = OSVM_SIZE,
     .min = 64 << 10,
     .max = INT64_C(1) << TERABYTE_SHIFT,
     .help = "size of eden; without it, what the image asks for"},
    {.name = "max-heap",
     .kind = OSVM_SIZE,
     .min = 1 << 20,
     .max = INT64_C(64) << TERABYTE_SHIFT,
     .help = "most bytes old space may grow to [three quarters of the machine's]"},
    {.name = "code-zone",
     .kind = OSVM_SIZE,
     .min = 16 << 10,
     .max = 1 << 30,
     .help = "size of the zone for machine code"},
    {.name = "sim-from",
     .kind = OSVM_NUMBER,
     .min = 1,
     .max = INT64_MAX,
     .help = "simulate machine code from this poll point on"},
    {.name = "sim-until",
     .kind = OSVM_NUMBER,
     .min = 1,
     .max = INT64_MAX,
     .help = "simulate machine code up to this poll point"},
    {.name = "trace-hash",
     .kind = OSVM_FLAG,
     .value = "no",
     .help = "say a hash over all simulated instructions in the end"},
    {.name = "stack-pages",
     .kind = OSVM_NUMBER,
     .min = 2,
     .max = MOST_STACK_PAGES,
     .help = "pages of the stack zone"},
    {.name = "leak-check",
     .kind = OSVM_OPTIONAL_TEXT,
     .choices = "SUBSET,SUBSET...",
     .help = "verify the heap after every full collection (and, with `scavenges`, after every "
             "scavenge): objects, roots, remembered, classes, free, weak, stacks, marks"},
    {.name = "torture",
     .kind = OSVM_TEXT,
     .choices = "scavenge:N,collect:M,move,alloc-fail:K,deopt:L,code-full:J,tiny-spaces,poison,seed:S",
     .help = "collect all the time, move everything, refuse memory, ..."},
    {.name = "deterministic",
     .kind = OSVM_FLAG,
     .value = "no",
     .help = "the same addresses, hashes, times and random numbers in every run"},
    {.name = "world",
     .kind = OSVM_TEXT,
     .value = "live",
     .choices = "NAME[,OPTION...]",
     .help = "what the program can do outside: live, muted, denied, faulty"},
    {.name = "log",
     .kind = OSVM_TEXT,
     .value = "warning",
     .choices = "LEVEL[,FILE]",
     .help = "what to tell: error, warning, info, debug; to standard error, or added to a file"},
    {.name = "gc-log",
     .kind = OSVM_TEXT,
     .choices = "FILE",
     .help = "a line of JSON about each collection, with its phases"},
    {.name = "code-map",
     .kind = OSVM_TEXT,
     .choices = "FILE",
     .help = "a line for each piece of machine code, as profilers read it: start, size, name"},
    {.name = "help", .kind = OSVM_FLAG, .value = "no", .help = "this text"},
    {.name = "version", .kind = OSVM_FLAG, .value = "no", .help = "the version"},
    {.name = NULL},
};

/* --- Log ------------------------------------------------------------------ */

static bool parse_log(Cli *cli, OsvmLogLevel *level, OsvmError *error)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    const char *text = options_text(cli->options, "log");
    size_t length = strcspn(text, ",");
    int found = -1;
    for (int i = 0; i < 4; i++)
        if (strlen(levels[i]) == length && strncmp(levels[i], text, length) == 0)
            found = i;
    if (found < 0)
        return error_set(error, OSVM_USAGE,
                         "'--log=%s': the level is one of error, warning, info, debug", text);
    *level = (OsvmLogLevel)found;
    if (!text[length])
        return true;
    if (!output_open(&cli->log, text + length + 1, true))
        return error_set(error, OSVM_CANNOT_CREATE, "cannot write the log '%s': %s",
                         text + length + 1, strerror(errno));
    setlinebuf(cli->log.stream);
    return true;
}

/* A file of lines that an option asks for; what is known so far survives a crash. */
static bool open_lines(Cli *cli, const char *option, Output *output, OsvmError *error)
{
    const char *path = options_text(cli->options, option);
    if (!path)
        return true;
    if (!output_open(output, path, false))
        return error_set(error, OSVM_CANNOT_CREATE, "--%s: cannot write '%s': %s", option, path,
                         strerror(errno));
    setlinebuf(output->stream);
    return true;
}

/* --- Plugins -------------------------------------------------------------- */

static bool select_plugins(Cli *cli, OsvmError *error)
{
    static const OsvmKind kinds[] = {OSVM_CORE, OSVM_MM, OSVM_GC, OSVM_JIT, OSVM_CPU};
    if (options_given(cli->options, "check") &&
        !plugins_select_checked(cli->plugins, options_text(cli->options, "check"), error))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *text = options_text(cli->options, plugin_kind_name(kinds[i]));
        if (text && (kinds[i] != OSVM_JIT || strcmp(text, "none") != 0) &&
            !plugins_select(cli->plugins, kinds[i], text, error))
            return false;
    }
    return true;
}

/* A folder that was asked for must be there; the environment may speak of other machines. */
static bool check_plugin_path(const PluginsConfig *config, OsvmError *error)
{
    const char *variable = config->own->get_variable(config->own, "OSVM_PLUGIN_PATH");
    OsvmError warning;
    if (!plugins_check_path("OSVM_PLUGIN_PATH", variable, &warning) &&
        config->log_level >= OSVM_WARNING)
        fprintf(config->log ? config->log : stderr, "osvm: warning: %s\n", warning.message);
    return plugins_check_path("--plugin-path", config->path, error);
}

bool vm_set_up(Cli *cli, OsvmError *error)
{
    PluginsConfig config = {.path = options_text(cli->options, "plugin-path"), .own = cli->live};
    if (options_flag(cli->options, "deterministic"))
        cli->logical = world_logical_new(cli->live);
    cli->world = world_select(cli->logical ? cli->logical : cli->live,
                              options_text(cli->options, "world"), error);
    if (!cli->world || !parse_log(cli, &config.log_level, error) ||
        !open_lines(cli, "gc-log", &cli->gc_log, error) ||
        !open_lines(cli, "code-map", &cli->code_map, error))
        return false;
    config.world = cli->world;
    /* A sandbox or a clone may read its image; injected faults are for all files. */
    if (strcmp(cli->world->name, "faulty") == 0)
        config.own = cli->world;
    config.log = cli->log.stream;
    if (!check_plugin_path(&config, error))
        return false;
    cli->plugins = plugins_new(&config);
    return select_plugins(cli, error);
}

static bool close_log(Output *output, const char *name)
{
    bool arrived = output_close(output);
    if (!arrived)
        fprintf(stderr, "osvm: cannot write to the file of --%s: %s\n", name, strerror(errno));
    return arrived;
}

int vm_take_down(Cli *cli, int status)
{
    plugins_free(cli->plugins);
    world_free(cli->world);
    world_free(cli->logical);
    bool arrived = close_log(&cli->log, "log");
    arrived &= close_log(&cli->gc_log, "gc-log");
    arrived &= close_log(&cli->code_map, "code-map");
    return arrived || status ? status : OSVM_IO_ERROR;
}

bool vm_may_write(const Cli *cli, const char *output, OsvmError *error)
{
    const char *world = cli->world->name;
    if (strcmp(world, "muted") != 0 && strcmp(world, "denied") != 0)
        return true;
    return error_set(error, OSVM_NO_PERMISSION,
                     "nothing is written in the world '%s', so '%s' will not be made: leave out "
                     "--world=%s", world, output, world);
}

/* --- The core ------------------------------------------------------------- */

static void find_executable(Cli *cli)
{
    ssize_t length = readlink("/proc/self/exe", cli->vm_path, sizeof cli->vm_path - 1);
    cli->vm_path[length > 0 ? length : 0] = 0;
}

/* Was a back end asked for? */
static bool names_jit(const Cli *cli)
{
    const char *text = options_text(cli->options, "jit");
    return text && strcmp(text, "none") != 0;
}

/* Without a word from the user, images run in machine code where there is a back end for them. */
static bool wants_jit(const Cli *cli, unsigned heap_bits)
{
    OsvmError none;
    return names_jit(cli) || (!options_text(cli->options, "jit") &&
                              plugins_require(cli->plugins, OSVM_JIT, heap_bits, &none));
}

/* A core may do without JIT and processor, but not quietly without one that was asked for. */
static bool require_optional_parts(Cli *cli, unsigned heap_bits, OsvmError *error)
{
    return (!names_jit(cli) ||
            plugins_require(cli->plugins, OSVM_JIT, heap_bits, error)) &&
           (!options_given(cli->options, "cpu") ||
            plugins_require(cli->plugins, OSVM_CPU, heap_bits, error));
}

/* --leak-check without a value asks for everything. */
static const char *leak_subsets(const char *text)
{
    return text ? text : "";
}

const CoreOps *vm_load_core(Cli *cli, unsigned heap_bits, CoreSetup *setup, OsvmError *error)
{
    PluginRequest request = {
        .kind = OSVM_CORE,
        .heap_bits = heap_bits,
        .vtable_abi = OSVM_CORE_ABI,
        .vtable_size = sizeof(CoreOps),
    };
    if (!require_optional_parts(cli, heap_bits, error))
        return NULL;
    find_executable(cli);
    const OsvmInstance *core = plugins_load(cli->plugins, &request, error);
    if (!core)
        return NULL;
    *setup = (CoreSetup){
        .size = sizeof *setup,
        .host = core->host,
        .eden_bytes = (uint64_t)options_number(cli->options, "eden"),
        .max_heap = (uint64_t)options_number(cli->options, "max-heap"),
        .stack_pages = (unsigned)options_number(cli->options, "stack-pages"),
        .deterministic = options_flag(cli->options, "deterministic"),
        .torture = options_text(cli->options, "torture"),
        .leak_check = options_given(cli->options, "leak-check")
                          ? leak_subsets(options_text(cli->options, "leak-check")) : NULL,
        .vm_path = cli->vm_path,
        .gc_log = cli->gc_log.stream,
        .code_map = cli->code_map.stream,
        .vm_options = (const char *const *)cli->vm_options,
        .code_zone = (uint64_t)options_number(cli->options, "code-zone"),
        .jit = wants_jit(cli, heap_bits),
        .sim_from = (uint64_t)options_number(cli->options, "sim-from"),
        .sim_until = (uint64_t)options_number(cli->options, "sim-until"),
        .trace_hash = options_flag(cli->options, "trace-hash"),
    };
    return core->vtable;
}
