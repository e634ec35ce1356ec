/* `osvm plugins`: what there is, and what of it does not load and why.
 *
 * Each file is tried in a child process, so that a plugin that crashes while it is
 * being loaded is a line in the list. The child writes what the descriptor says, as
 * texts with a NUL behind each, through a pipe.
 */
#include "plugins_int.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPORT_SIZE = 4096 };

/* What a child says. The first text is "" for a sound plugin, else the reason. */
enum { REASON, WIDTH, VERSION, SUMMARY, LICENCE, FLAGS, STATUS, TEXTS };

typedef struct Entry {
    char *file;
    PluginFileName parsed;
    const char *subdirectory; /* "32", "64", "any" or "" */
    char report[REPORT_SIZE];
    const char *texts[TEXTS]; /* in `report` */
} Entry;

typedef struct Listing {
    Entry *entries;
    size_t count;
} Listing;

/* --- Trying one file ------------------------------------------------------ */

static void write_text(int file, const char *text)
{
    ssize_t ignored = write(file, text, strlen(text) + 1);
    (void)ignored;
}

/* In the child: loads, reports, ends. */
static _Noreturn void try_file(const Entry *entry, int report)
{
    void *library;
    OsvmError error = {0};
    DescriptorWanted wanted = {
        .kind = entry->parsed.kind,
        .name = entry->parsed.name,
        .variant = entry->parsed.variant,
        .heap_bits = (unsigned)atoi(entry->subdirectory), /* "any": 0 */
        .any_width = !entry->subdirectory[0],
    };
    dup2(report, 2);
    const OsvmPlugin *plugin = library_open(entry->file, &wanted, &library, &error);
    if (!plugin) {
        write_text(report, error.message);
        _exit(0);
    }
    write_text(report, "");
    write_text(report, plugin->heap_bits == 64 ? "64" : plugin->heap_bits == 32 ? "32" : "any");
    write_text(report, plugin->version);
    write_text(report, plugin->summary);
    write_text(report, plugin->licence);
    write_text(report, plugin->flags & OSVM_SINGLETON ? "singleton" : "");
    write_text(report, plugin->status ? plugin->status() : "");
    _exit(0);
}

/* Reads to the end; the buffer is closed by a NUL whatever comes. */
static size_t read_report(int file, char *buffer)
{
    size_t used = 0;
    ssize_t count;
    while ((count = read(file, buffer + used, REPORT_SIZE - 1 - used)) > 0)
        used += (size_t)count;
    buffer[used] = 0;
    return used;
}

static void split_report(Entry *entry, size_t length)
{
    const char *at = entry->report;
    for (int i = 0; i < TEXTS; i++) {
        entry->texts[i] = at < entry->report + length ? at : "";
        at += strlen(at) + (at < entry->report + length);
    }
}

static void strip_newline(char *text)
{
    size_t length = strlen(text);
    if (length && text[length - 1] == '\n')
        text[length - 1] = 0;
}

static void probe(Entry *entry)
{
    int ends[2], status = 0;
    fflush(NULL);
    if (pipe(ends) < 0) {
        entry->texts[REASON] = "the host has no pipe left to try it";
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        try_file(entry, ends[1]);
    }
    close(ends[1]);
    size_t length = child < 0 ? 0 : read_report(ends[0], entry->report);
    close(ends[0]);
    if (child > 0)
        waitpid(child, &status, 0);
    if (child < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
        strip_newline(entry->report);
        if (!entry->report[0])
            snprintf(entry->report, sizeof entry->report, "it ends the process that loads it");
    }
    split_report(entry, length);
}

/* --- Collecting ----------------------------------------------------------- */

static void collect(void *context, const char *file, const char *subdirectory)
{
    Listing *listing = context;
    listing->entries = realloc(listing->entries, (listing->count + 1) * sizeof(Entry));
    REQUIRE(listing->entries, "the host has no memory for a list of plugins");
    Entry *entry = &listing->entries[listing->count++];
    memset(entry, 0, sizeof *entry);
    entry->file = strdup(file);
    entry->subdirectory = subdirectory;
    plugin_file_name_parse(strrchr(file, '/') + 1, &entry->parsed);
}

static int compare_entries(const void *a, const void *b)
{
    const Entry *one = a, *two = b;
    if (one->parsed.kind != two->parsed.kind)
        return one->parsed.kind < two->parsed.kind ? -1 : 1;
    int order = strcmp(one->parsed.name, two->parsed.name);
    if (!order)
        order = strcmp(two->parsed.variant, one->parsed.variant); /* production first */
    return order ? order : strcmp(one->file, two->file);
}

/* --- Writing -------------------------------------------------------------- */

static bool is_broken(const Entry *entry)
{
    return entry->texts[REASON][0] != 0;
}

/* Are these the same plugin for two widths? */
static bool is_same_plugin(const Entry *one, const Entry *two)
{
    return one->parsed.kind == two->parsed.kind && !is_broken(two) &&
           strcmp(one->parsed.name, two->parsed.name) == 0 &&
           strcmp(one->parsed.variant, two->parsed.variant) == 0 &&
           strcmp(one->texts[VERSION], two->texts[VERSION]) == 0 &&
           strcmp(one->texts[STATUS], two->texts[STATUS]) == 0 &&
           strcmp(one->texts[SUMMARY], two->texts[SUMMARY]) == 0;
}

/* One row for `count` entries of the same plugin, and a line for each file. */
static void print_row(FILE *file, const Entry *entries, size_t count)
{
    char widths[64] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof widths; i++)
        used += (size_t)snprintf(widths + used, sizeof widths - used, "%s%s", i ? "," : "",
                                 entries[i].texts[WIDTH]);
    fprintf(file, "%-5s  %-14s  %-10s  %-7s  %-5s  %s\n", plugin_kind_name(entries->parsed.kind),
            entries->parsed.name, entries->parsed.variant, entries->texts[VERSION], widths,
            entries->texts[SUMMARY]);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "       %s%s\n", entries[i].file,
                entries[i].texts[FLAGS][0] ? "  (singleton)" : "");
    if (entries->texts[STATUS][0])
        fprintf(file, "       %s\n", entries->texts[STATUS]);
}

static void print_sound(const Listing *listing, FILE *file)
{
    for (size_t i = 0; i < listing->count;) {
        const Entry *entry = &listing->entries[i];
        size_t count = 1;
        if (is_broken(entry)) {
            i++;
            continue;
        }
        while (i + count < listing->count && is_same_plugin(entry, entry + count))
            count++;
        print_row(file, entry, count);
        i += count;
    }
}

static void print_table(const Plugins *plugins, const Listing *listing, FILE *file)
{
    size_t broken = 0;
    fprintf(file, "KIND   NAME            VARIANT     VERSION  WIDTH  SUMMARY\n");
    print_sound(listing, file);
    for (size_t i = 0; i < listing->count; i++)
        broken += is_broken(&listing->entries[i]);
    if (broken)
        fprintf(file, "\nThese do not load:\n");
    for (size_t i = 0; i < listing->count; i++)
        if (is_broken(&listing->entries[i]))
            fprintf(file, "       %s\n           %s\n", listing->entries[i].file,
                    listing->entries[i].texts[REASON]);
    fprintf(file, "\nLooked in:\n");
    for (size_t i = 0; i < plugins->path.count; i++)
        fprintf(file, "       %s\n", plugins->path.directories[i]);
}

static void print_json_text(FILE *file, const char *name, const char *text)
{
    fprintf(file, "\"%s\": \"", name);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(file, "\\u%04x", *at);
        else
            fputc(*at, file);
    }
    fputc('"', file);
}

static void print_json(const Listing *listing, FILE *file)
{
    static const char *const names[TEXTS] = {"error",   "width",   "version",
                                             "summary", "licence", "flags", "status"};
    fprintf(file, "[");
    for (size_t i = 0; i < listing->count; i++) {
        const Entry *entry = &listing->entries[i];
        fprintf(file, "%s\n  {", i ? "," : "");
        print_json_text(file, "kind", plugin_kind_name(entry->parsed.kind));
        fprintf(file, ", ");
        print_json_text(file, "name", entry->parsed.name);
        fprintf(file, ", ");
        print_json_text(file, "variant", entry->parsed.variant);
        for (int text = is_broken(entry) ? REASON : WIDTH; text < TEXTS; text++) {
            fprintf(file, ", ");
            print_json_text(file, names[text], entry->texts[text]);
            if (is_broken(entry))
                break;
        }
        fprintf(file, ", ");
        print_json_text(file, "file", entry->file);
        fprintf(file, "}");
    }
    fprintf(file, "\n]\n");
}

size_t plugins_list(Plugins *plugins, FILE *file, bool json)
{
    Listing listing = {0};
    size_t broken = 0;
    search_visit(&plugins->path, collect, &listing);
    if (listing.count)
        qsort(listing.entries, listing.count, sizeof(Entry), compare_entries);
    for (size_t i = 0; i < listing.count; i++) {
        probe(&listing.entries[i]);
        broken += is_broken(&listing.entries[i]);
    }
    if (json)
        print_json(&listing, file);
    else
        print_table(plugins, &listing, file);
    for (size_t i = 0; i < listing.count; i++)
        free(listing.entries[i].file);
    free(listing.entries);
    return broken;
}
