/* Where plugins lie.
 *
 * Directories, in this order: --plugin-path, OSVM_PLUGIN_PATH, lib/osvm beside the
 * executable (build tree), ../lib/osvm from it (installed), the directory set at
 * compile time. In each, a plugin for a 64-bit heap is 64/gc-sweep.so, one for any
 * heap any/prims-file.so; the file may also lie in the directory itself. The
 * first file found is taken, whatever is in it: one that does not load is an
 * error and never hides another.
 */
#include "plugins_int.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/base/nearest.h"

/* --- The directories ------------------------------------------------------ */

static void add_directory(SearchPath *path, const char *directory, size_t length)
{
    char *copy = strndup(directory, length);
    char *real = realpath(copy, NULL);
    if (real) {
        free(copy);
        copy = real;
    }
    for (size_t i = 0; i < path->count; i++)
        if (strcmp(path->directories[i], copy) == 0) {
            free(copy);
            return;
        }
    path->directories = realloc(path->directories, (path->count + 1) * sizeof(char *));
    REQUIRE(path->directories, "the host has no memory for the plugin path");
    path->directories[path->count++] = copy;
}

/* The next directory of a list, its length in `length`; NULL: no more. */
static const char *next_directory(const char *list, size_t *length)
{
    list += strspn(list, ":");
    *length = strcspn(list, ":");
    return *length ? list : NULL;
}

static void add_list(SearchPath *path, const char *list)
{
    size_t length;
    for (const char *at = list ? list : ""; (at = next_directory(at, &length)); at += length)
        add_directory(path, at, length);
}

bool plugins_check_path(const char *source, const char *list, OsvmError *error)
{
    size_t length;
    for (const char *at = list ? list : ""; (at = next_directory(at, &length)); at += length) {
        char directory[PATH_MAX];
        snprintf(directory, sizeof directory, "%.*s/.", (int)length, at);
        if (length >= PATH_MAX - 2 || access(directory, X_OK) < 0)
            return error_set(error, OSVM_NO_INPUT, "%s: no plugins can be found in '%.*s': %s",
                             source, (int)length, at,
                             length >= PATH_MAX - 2 ? strerror(ENAMETOOLONG) : strerror(errno));
    }
    return true;
}

/* `lib/osvm` seen from the executable's directory; nothing if it is not there. */
static void add_beside_executable(SearchPath *path, const char *relative)
{
    char file[PATH_MAX], directory[PATH_MAX + 32];
    struct stat stat_buffer;
    ssize_t length = readlink("/proc/self/exe", file, sizeof file - 1);
    if (length <= 0)
        return;
    file[length] = 0;
    char *slash = strrchr(file, '/');
    if (!slash)
        return;
    snprintf(directory, sizeof directory, "%.*s/%s", (int)(slash - file), file, relative);
    if (stat(directory, &stat_buffer) == 0)
        add_directory(path, directory, strlen(directory));
}

void search_path_fill(SearchPath *path, const PluginsConfig *config)
{
    *path = (SearchPath){0};
    add_list(path, config->path);
    if (config->only_path)
        return;
    add_list(path, config->own->get_variable(config->own, "OSVM_PLUGIN_PATH"));
    add_beside_executable(path, "lib/osvm");
    add_beside_executable(path, "../lib/osvm");
    add_directory(path, OSVM_LIBDIR, strlen(OSVM_LIBDIR));
}

void search_path_free(SearchPath *path)
{
    for (size_t i = 0; i < path->count; i++)
        free(path->directories[i]);
    free(path->directories);
}

/* --- Names ---------------------------------------------------------------- */

/* No slash and no dot: a name never leaves its directory. */
bool plugin_name_is_valid(const char *name)
{
    size_t length = strlen(name);
    if (!length || length > PLUGIN_NAME_MAX)
        return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
            return false;
    return true;
}

static bool copy_part(char to[PLUGIN_NAME_MAX + 1], const char *from, size_t length)
{
    if (length > PLUGIN_NAME_MAX)
        return false;
    memcpy(to, from, length);
    to[length] = 0;
    return plugin_name_is_valid(to);
}

bool plugin_file_name_parse(const char *file, PluginFileName *parsed)
{
    size_t length = strlen(file);
    if (length < 4 || strcmp(file + length - 3, ".so") != 0)
        return false;
    length -= 3;
    size_t kind_length = strcspn(file, "-"), stem = strcspn(file, ".");
    for (int kind = 0; kind < OSVM_KINDS; kind++) {
        const char *word = plugin_kind_name((OsvmKind)kind);
        if (strlen(word) != kind_length || strncmp(word, file, kind_length) != 0)
            continue;
        parsed->kind = (OsvmKind)kind;
        if (!copy_part(parsed->name, file + kind_length + 1, stem - kind_length - 1))
            return false;
        strcpy(parsed->variant, "production");
        return stem == length || copy_part(parsed->variant, file + stem + 1, length - stem - 1);
    }
    return false;
}

static const char *width_directory(unsigned heap_bits)
{
    return heap_bits == 64 ? "64" : heap_bits == 32 ? "32" : "any";
}

/* --- Finding -------------------------------------------------------------- */

char *search_find(const SearchPath *path, OsvmKind kind, const char *name, const char *variant,
                  unsigned heap_bits)
{
    const char *const subdirectories[] = {width_directory(heap_bits), "any", "."};
    bool plain = strcmp(variant, "production") == 0;
    for (size_t i = 0; i < path->count; i++)
        for (size_t s = 0; s < 3; s++) {
            char *file;
            int length =
                asprintf(&file, "%s/%s/%s-%s%s%s.so", path->directories[i], subdirectories[s],
                         plugin_kind_name(kind), name, plain ? "" : ".", plain ? "" : variant);
            REQUIRE(length > 0, "the host has no memory for a file name");
            if (access(file, F_OK) == 0)
                return file;
            free(file);
        }
    return NULL;
}

/* One listing in progress: what has been seen, so that only the first counts. */
typedef struct Visit {
    char **seen; /* "64/gc-sweep.so"; owned */
    size_t count;
    void (*visit)(void *context, const char *file, const char *subdirectory);
    void *context;
} Visit;

/* Notes the file; false if one of that name has been seen. */
static bool note_seen(Visit *visit, const char *subdirectory, const char *name)
{
    char key[NAME_MAX + 16];
    snprintf(key, sizeof key, "%s/%s", subdirectory, name);
    for (size_t i = 0; i < visit->count; i++)
        if (strcmp(visit->seen[i], key) == 0)
            return false;
    visit->seen = realloc(visit->seen, (visit->count + 1) * sizeof(char *));
    REQUIRE(visit->seen, "the host has no memory for a list of plugins");
    visit->seen[visit->count++] = strdup(key);
    return true;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void visit_directory(Visit *visit, const char *directory, const char *subdirectory)
{
    char path[PATH_MAX];
    struct dirent **entries;
    snprintf(path, sizeof path, "%s%s%s", directory, *subdirectory ? "/" : "", subdirectory);
    int count = scandir(path, &entries, NULL, compare_names);
    if (count < 0)
        return;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        PluginFileName parsed;
        char file[PATH_MAX + NAME_MAX + 2];
        snprintf(file, sizeof file, "%s/%s", path, name);
        if (plugin_file_name_parse(name, &parsed) && note_seen(visit, subdirectory, name))
            visit->visit(visit->context, file, subdirectory);
        free(entries[i]);
    }
    free(entries);
}

void search_visit(const SearchPath *path,
                  void (*visit)(void *context, const char *file, const char *subdirectory),
                  void *context)
{
    static const char *const subdirectories[] = {"32", "64", "any", ""};
    Visit state = {.visit = visit, .context = context};
    for (size_t i = 0; i < path->count; i++)
        for (size_t s = 0; s < 4; s++)
            visit_directory(&state, path->directories[i], subdirectories[s]);
    for (size_t i = 0; i < state.count; i++)
        free(state.seen[i]);
    free(state.seen);
}

/* --- When there is none --------------------------------------------------- */

/* What there is of a kind and width: texts of bounded length for a message. */
typedef struct Census {
    OsvmKind kind;
    const char *width; /* the subdirectory that fits besides "any" and "" */
    char list[768];    /* "compact, sweep, sweep:checked" */
    size_t used;
    char names[32][PLUGIN_NAME_MAX + 1]; /* for the nearest; only the first ones */
    size_t count;
} Census;

static void census_add(void *context, const char *file, const char *subdirectory)
{
    Census *census = context;
    PluginFileName parsed;
    if (*subdirectory && strcmp(subdirectory, "any") != 0 &&
        strcmp(subdirectory, census->width) != 0)
        return;
    if (!plugin_file_name_parse(strrchr(file, '/') + 1, &parsed) || parsed.kind != census->kind)
        return;
    bool plain = strcmp(parsed.variant, "production") == 0;
    if (census->used < sizeof census->list)
        census->used += (size_t)snprintf(
            census->list + census->used, sizeof census->list - census->used, "%s%s%s%s",
            census->used ? ", " : "", parsed.name, plain ? "" : ":", plain ? "" : parsed.variant);
    if (census->count < sizeof census->names / sizeof *census->names)
        strcpy(census->names[census->count++], parsed.name);
}

static void list_directories(const SearchPath *path, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < path->count && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", path->directories[i]);
}

bool search_refuse(const SearchPath *path, OsvmKind kind, const char *name, const char *variant,
                   unsigned heap_bits, OsvmError *error)
{
    char directories[768];
    Census census = {.kind = kind, .width = width_directory(heap_bits)};
    Nearest nearest = nearest_to(name);
    list_directories(path, directories, sizeof directories);
    search_visit(path, census_add, &census);
    for (size_t i = 0; i < census.count; i++)
        nearest_offer(&nearest, census.names[i]);
    bool other_name = nearest.best && strcmp(nearest.best, name) != 0;
    return error_set(error, OSVM_UNAVAILABLE,
                     "there is no %s plugin '%s' (%s) for %s%s in %s%s%s%s; there %s: %s",
                     plugin_kind_name(kind), name, variant, heap_bits ? census.width : "any",
                     heap_bits ? "-bit heaps" : " heap", directories,
                     other_name ? "; did you mean '" : "", other_name ? nearest.best : "",
                     other_name ? "'?" : "", census.count == 1 ? "is" : "are",
                     census.used ? census.list : "none of that kind");
}
