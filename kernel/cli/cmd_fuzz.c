/* `osvm fuzz gc`: random heap events against a model, or scripts of them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/lab/trial.h"

enum { RUN_EVENTS = 10000 }; /* each run has a heap and a process of its own */

/* ---- What is reported ---- */

static void say_progress(void *context, size_t count)
{
    (void)context;
    if (isatty(2))
        fprintf(stderr, "\r%zu events left ...  ", count);
}

static void print_finding(const Lab *lab, const GcScript *script)
{
    const GcFlight *flight = lab->flight;
    char text[128] = "the end";
    if (flight->event < script->count)
        event_print(&script->events[flight->event], text, sizeof text);
    printf("# %u bit, caught by %s at event %" PRIu64 " (%s):\n", lab->heap_bits,
           found_by_name(flight->found), flight->event + 1, text);
    for (const char *line = flight->text; *line;) {
        int length = (int)strcspn(line, "\n");
        printf("#   %.*s\n", length, line);
        line += length + (line[length] != 0);
    }
}

static void add(GcFlight *sum, const GcFlight *flight)
{
    sum->scavenges += flight->scavenges;
    sum->collections += flight->collections;
    sum->fired += flight->fired;
    sum->lost += flight->lost;
    sum->refused += flight->refused;
    sum->becomes += flight->becomes;
    sum->switches += flight->switches;
    sum->snapshots += flight->snapshots;
    sum->checks += flight->checks;
    sum->compared += flight->compared;
}

static void print_sum(const Lab *lab, const GcFlight *sum, uint64_t events, const char *what)
{
    printf("%u bit: %s: %" PRIu64 " events, %" PRIu64 " scavenges, %" PRIu64
           " full collections, %" PRIu64 " ephemerons fired, %" PRIu64
           " weak slots nilled, %" PRIu64 " becomes, %" PRIu64 " snapshots, %" PRIu64
           " switches of the collector, %" PRIu64 " allocations refused, %" PRIu64 " leak checks, %" PRIu64
           " objects compared: no finding\n",
           lab->heap_bits, what, events, sum->scavenges, sum->collections, sum->fired, sum->lost,
           sum->becomes, sum->snapshots, sum->switches, sum->refused, sum->checks, sum->compared);
    fflush(stdout);
}

/* ---- Scripts ---- */

static bool replay(Lab *lab, const char *path, OsvmError *error)
{
    GcScript script;
    if (!script_read(path, &script, error))
        return false;
    bool good = lab_try(lab, &script) == FOUND_NOTHING;
    if (good)
        print_sum(lab, lab->flight, script.count, path);
    else {
        printf("# %s\n", path);
        print_finding(lab, &script);
    }
    script_free(&script);
    return good;
}

static bool replay_all(Lab *lab, OsvmError *error)
{
    bool good = replay(lab, options_text(lab->cli->options, "replay"), error);
    for (int i = 1; i < lab->cli->operand_count && !error->status; i++)
        good &= replay(lab, lab->cli->operands[i], error);
    return good;
}

/* ---- Random events ---- */

static bool write_script(Lab *lab, const GcScript *script, uint64_t seed, uint64_t events,
                         OsvmError *error)
{
    const char *path = options_text(lab->cli->options, "o");
    Output output = {.stream = NULL};
    if (path && !output_open(&output, path, false))
        return error_set(error, OSVM_CANNOT_CREATE, "cannot write '%s': %s", path, strerror(errno));
    FILE *file = path ? output.stream : stdout;
    fprintf(file, "# osvm fuzz gc --bits=%u --seed=%" PRIu64 ", after %" PRIu64 " events\n",
            lab->heap_bits, seed, events);
    script_write(script, file);
    return output_close(&output) ||
           error_set(error, OSVM_IO_ERROR, "cannot write '%s': %s", path, strerror(errno));
}

static bool report(Lab *lab, GcScript *script, uint64_t seed, uint64_t events, OsvmError *error)
{
    FoundBy found = lab->flight->found;
    if (found == FOUND_NO_START)
        return error_set(error, OSVM_UNAVAILABLE, "%s", lab->flight->text);
    events += lab->flight->event + 1;
    printf("# after %" PRIu64 " events:\n", events);
    print_finding(lab, script);
    if (options_flag(lab->cli->options, "reduce")) {
        lab_reduce(lab, script, say_progress, NULL);
        if (isatty(2))
            fputc('\n', stderr);
        printf("# reduced to %zu events:\n", script->count);
        print_finding(lab, script);
    }
    fflush(stdout);
    return write_script(lab, script, seed, events, error) && false;
}

static bool fuzz_random(Lab *lab, OsvmError *error)
{
    uint64_t seed = (uint64_t)options_number(lab->cli->options, "seed");
    uint64_t wanted = (uint64_t)options_number(lab->cli->options, "events"), events = 0;
    GcFlight sum = {.event = 0};
    char what[64];
    snprintf(what, sizeof what, "seeds from %" PRIu64, seed);
    while (events < wanted) {
        GcScript script;
        size_t count = wanted - events < RUN_EVENTS ? wanted - events : RUN_EVENTS;
        script_generate(&script, seed, count);
        bool good = lab_try(lab, &script) == FOUND_NOTHING ||
                    report(lab, &script, seed, events, error);
        script_free(&script);
        if (!good)
            return false;
        add(&sum, lab->flight);
        events += count;
        seed++;
        if (isatty(2))
            fprintf(stderr, "\r%u bit: %" PRIu64 " of %" PRIu64 " events ", lab->heap_bits, events,
                    wanted);
    }
    if (isatty(2))
        fputc('\r', stderr);
    print_sum(lab, &sum, events, what);
    return true;
}

/* ---- The command ---- */

static bool fuzz_width(Cli *cli, unsigned heap_bits, OsvmError *error)
{
    Lab lab;
    if (!lab_open(&lab, cli, heap_bits, error))
        return false;
    lab.leak_check = options_flag(cli->options, "leak-checks");
    lab.patience = (unsigned)options_number(cli->options, "patience");
    bool good = options_given(cli->options, "replay") ? replay_all(&lab, error)
                                                      : fuzz_random(&lab, error);
    lab_close(&lab);
    return good;
}

static int run_fuzz(Cli *cli, OsvmError *error)
{
    const char *bits = options_text(cli->options, "bits");
    if (strcmp(cli->operands[0], "gc") != 0) {
        error_set(error, OSVM_USAGE, "'osvm fuzz' knows 'gc', not '%s'", cli->operands[0]);
        return OSVM_USAGE;
    }
    bool good = true;
    for (unsigned width = 32; width <= 64; width += 32) {
        bool asked = strcmp(bits, "both") == 0 || strtoul(bits, NULL, 10) == width;
        good &= !asked || fuzz_width(cli, width, error);
        if (error->status)
            return (int)error->status;
    }
    return good ? OSVM_OK : OSVM_PROGRAM_ERROR;
}

static const OsvmOption fuzz_options[] = {
    {.name = "seed", .kind = OSVM_NUMBER, .value = "1", .min = 0, .max = INT64_MAX,
     .help = "of the first run; each run of 10000 events has the next"},
    {.name = "events", .kind = OSVM_NUMBER, .value = "100000", .min = 1, .max = INT64_MAX,
     .help = "how many in all, for each width"},
    {.name = "bits", .kind = OSVM_CHOICE, .choices = "both|64|32", .value = "both",
     .help = "heap width"},
    {.name = "replay", .kind = OSVM_TEXT, .choices = "FILE",
     .help = "perform a script instead; more files may follow"},
    {.name = "leak-checks", .kind = OSVM_FLAG, .value = "yes",
     .help = "a leak check after every collection"},
    {.name = "reduce", .kind = OSVM_FLAG, .value = "yes",
     .help = "make what fails a minimal script"},
    {.name = "patience", .kind = OSVM_NUMBER, .value = "60", .min = 1, .max = 3600,
     .help = "seconds without progress that count as a hang"},
    {.name = "o", .kind = OSVM_TEXT, .choices = "FILE", .help = "where to write the script"},
    {.name = NULL},
};

const Command command_fuzz = {
    .name = "fuzz",
    .operands = "gc [FILE...]",
    .summary = "try a collector with random heap events against a model",
    .details =
        "Performs events on a heap of the selected memory manager (--mm) and collector (--gc)\n"
        "and on a shadow of it, and compares them after every collection. What fails is\n"
        "reduced to a minimal script, which is printed; --replay performs one. Exit code 1\n"
        "means that something was found.",
    .options = fuzz_options,
    .least = 1,
    .most = -1,
    .run = run_fuzz,
};
