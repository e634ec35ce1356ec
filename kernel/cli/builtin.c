/* The built-in image: expressions, scripts and the commands that are written in
 * Smalltalk. The kernel finds the image and hands it all arguments from the first
 * on that is not for the kernel; what they mean is the image's business.
 *
 * The image is osvm.image, or osvm32.image for 32 bits: beside the executable
 * (build tree) or in ../share/osvm from it (installed). OSVM_IMAGE names another.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int builtin_option(int count, char **arguments)
{
    static const char *const options[] = {"-e", "--run", "--save"};
    int index = 0;
    for (; index < count; index++)
        for (size_t i = 0; i < sizeof options / sizeof *options; i++)
            if (strcmp(arguments[index], options[i]) == 0)
                return index;
    return count;
}

/* --- What is for it --- */

static bool has_suffix(const char *word, const char *suffix)
{
    size_t length = strlen(word), suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(word + length - suffix_length, suffix) == 0;
}

/* A file that begins with "#!" and has no image behind that line. */
static bool is_script_with_interpreter(const OsvmWorld *world, const char *path)
{
    OsvmError ignored = {0};
    char start[2] = "";
    int file = world->open(world, path, OSVM_READ, 0);
    if (file < 0)
        return false;
    bool marked = world_read_all(world, file, start, 2) == 2 && memcmp(start, "#!", 2) == 0;
    world->close(world, file);
    return marked && !image_heap_bits(world, path, &ignored);
}

bool builtin_takes(const OsvmWorld *world, const char *word)
{
    char *words[] = {(char *)word};
    return word && (builtin_option(1, words) == 0 || strcmp(word, "-") == 0 ||
                    has_suffix(word, ".st") || is_script_with_interpreter(world, word));
}

/* --- Running it --- */

static bool find_beside(const char *directory, const char *relative, const char *name,
                        char path[PATH_MAX])
{
    int length = snprintf(path, PATH_MAX, "%s/%s%s", directory, relative, name);
    return length < PATH_MAX && access(path, R_OK) == 0;
}

bool builtin_find_image(Cli *cli, char path[PATH_MAX], OsvmError *error)
{
    const char *given = cli->live->get_variable(cli->live, "OSVM_IMAGE");
    const char *name =
        strcmp(options_text(cli->options, "bits"), "32") == 0 ? "osvm32.image" : "osvm.image";
    char directory[PATH_MAX];
    if (given && *given)
        return snprintf(path, PATH_MAX, "%s", given) < PATH_MAX;
    ssize_t length = readlink("/proc/self/exe", directory, sizeof directory - 1);
    directory[length > 0 ? length : 0] = 0;
    char *slash = strrchr(directory, '/');
    if (slash)
        *slash = 0;
    if (find_beside(directory, "", name, path) ||
        find_beside(directory, "../share/osvm/", name, path))
        return true;
    return error_set(error, OSVM_NO_INPUT,
                     "the built-in image is missing: no %s in '%s' or '%s/../share/osvm'; make it "
                     "with 'make', or name one in OSVM_IMAGE",
                     name, directory, directory);
}

static int run_builtin(Cli *cli, OsvmError *error)
{
    char path[PATH_MAX];
    if (!builtin_find_image(cli, path, error))
        return (int)error->status;
    return run_program(cli, path, cli->operands, error);
}

const Command command_builtin = {
    .name = "run",
    .operands = "-e EXPRESSION... | FILE.st [ARGUMENT...] | -",
    .summary = "evaluate expressions, or run a script",
    .builtin = true,
    .most = -1,
    .run = run_builtin,
};

const Command command_test = {
    .name = "test",
    .operands = "[PATTERN...]",
    .summary = "run the unit tests of the built-in image",
    .builtin = true,
    .most = -1,
    .run = run_builtin,
};

const Command command_doc = {
    .name = "doc",
    .operands = "CLASS[>>SELECTOR]",
    .summary = "print the comment of a class, or the source of a method",
    .builtin = true,
    .most = -1,
    .run = run_builtin,
};

const Command command_load = {
    .name = "load",
    .operands = "SOURCE... [-e EXPRESSION... | FILE.st]",
    .summary = "read Smalltalk sources before doing the rest",
    .builtin = true,
    .most = -1,
    .run = run_builtin,
};
