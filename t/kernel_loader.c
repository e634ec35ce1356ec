/* The plugin loader: sound plugins, every kind of broken one, selection, reload. */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/plugin/plugins.h"
#include "kernel/world/worlds.h"
#include "t/plugins/fixture_abi.h"
#include "tap.h"

static OsvmWorld *world;
static char fixtures[512]; /* where the fixtures were built */
static char scratch[64];   /* a directory for this test */
static char diary[96];     /* what fixtures write about themselves */

/* --- Help ----------------------------------------------------------------- */

static Plugins *plugins_in(const char *path)
{
    PluginsConfig config = {.path = path, .only_path = true, .own = world, .world = world,
                            .log_level = OSVM_ERROR};
    return plugins_new(&config);
}

static const OsvmInstance *load_gc(Plugins *plugins, const char *name, OsvmError *error)
{
    PluginRequest request = {
        .kind = OSVM_GC,
        .name = name,
        .heap_bits = 64,
        .vtable_abi = FIXTURE_ABI,
        .vtable_size = sizeof(FixtureOps),
    };
    memset(error, 0, sizeof *error);
    return plugins_load(plugins, &request, error);
}

static int answer_of(const OsvmInstance *instance)
{
    const FixtureOps *ops = instance->vtable;
    return ops->answer(instance->state);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = calloc(1, 1 << 20);
    *size = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    unlink(path);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
        bail_out("cannot write %s", path);
}

static const char *diary_text(void)
{
    static char copy[256];
    size_t size = 0;
    char *text = read_file(diary, &size);
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    free(text);
    unlink(diary);
    return copy;
}

/* --- Sound plugins -------------------------------------------------------- */

static void test_sound(void)
{
    OsvmError error;
    Plugins *plugins = plugins_in(fixtures);
    ok(plugins_select(plugins, OSVM_GC, "good,lazy,threads=3", &error), "a selection with options");
    const OsvmInstance *gc = load_gc(plugins, NULL, &error);
    ok(gc != NULL, "the selected plugin loads: %s", error.message);
    if (!gc)
        return;
    const FixtureState *state = gc->state;
    is_text(gc->plugin->name, "good", "its descriptor");
    is_text(gc->plugin->variant, "production", "its variant");
    is_int(answer_of(gc), 42, "a call through the vtable");
    is_int(state->calls, 1, "the state block is there");
    is_int((uintptr_t)gc->state % 64, 0, "... and aligned");
    ok(state->lazy, "a flag arrives");
    is_int(state->threads, 3, "a number arrives");
    ok(load_gc(plugins, NULL, &error) == gc, "asked for again, it is the same instance");
    PluginRequest bigger = {.kind = OSVM_GC,
                            .heap_bits = 64,
                            .vtable_abi = FIXTURE_ABI,
                            .vtable_size = sizeof(FixtureOps) + 8};
    ok(!plugins_load(plugins, &bigger, &error), "a user that needs a longer vtable is refused");
    has_text(error.message, "its user needs 24", "... with both sides");
    PluginRequest other = bigger;
    other.vtable_abi = 8, other.vtable_size = 1;
    ok(!plugins_load(plugins, &other, &error), "a user with another ABI is refused");
    has_text(error.message, "ABI 7, its user needs 8", "... with both sides");
    diary_text();
    plugins_free(plugins);
    is_text(diary_text(), "fini ", "fini runs at the end");
}

static void test_by_name(void)
{
    OsvmError error;
    Plugins *plugins = plugins_in(fixtures);
    const OsvmInstance *one = load_gc(plugins, "good", &error);
    const OsvmInstance *two = load_gc(plugins, "good", &error);
    ok(one && one == two, "a plugin loaded twice by name is one");
    diary_text();
    plugins_unload(plugins, one);
    is_text(diary_text(), "", "given back once, it stays");
    plugins_unload(plugins, two);
    is_text(diary_text(), "fini ", "given back twice, it ends");
    plugins_free(plugins);
}

static void test_two_vms(void)
{
    OsvmError error;
    Plugins *here = plugins_in(fixtures), *there = plugins_in(fixtures);
    const OsvmInstance *one = load_gc(here, "good", &error), *two = load_gc(there, "good", &error);
    ok(one && two && one->state != two->state, "two VMs in one process have states of their own");
    plugins_free(here);
    is_int(two ? answer_of(two) : 0, 42, "one ends, the other goes on");
    plugins_free(there);
}

/* What a clone finds: its hooks have run, and its world is as asked for. Its exit code. */
static int clone_and_wait(Plugins *plugins, const OsvmInstance *one, bool muted)
{
    int status = -1, child = one->host->fork(one->host, muted);
    if (child == 0) {
        bool quiet = strcmp(one->host->world->name, "muted") == 0;
        bool works = answer_of(one) == 42 && quiet == muted;
        plugins_free(plugins);
        _exit(works ? 7 : 8);
    }
    return child > 0 && world->reap(world, child, true, &status) == child ? status : child;
}

static void test_fork(void)
{
    OsvmError error;
    Plugins *plugins = plugins_in(fixtures);
    const OsvmInstance *good = load_gc(plugins, "good", &error);
    diary_text();
    is_int(clone_and_wait(plugins, good, false), 7, "a clone goes on with its plugins");
    const char *said = diary_text(); /* the two sides write in any order */
    ok(strncmp(said, "before ", 7) == 0 && strlen(said) == strlen("before parent child fini "),
       "hooks run around a fork: %s", said);
    has_text(said, "parent ", "... in the original");
    has_text(strstr(said, "child ") ? strstr(said, "child ") : "", "fini ", "... and in the clone");
    is_int(clone_and_wait(plugins, good, true), 7, "a muted clone has the muted world");
    is_text(good->host->world->name, "live", "... and the original the real one");
    diary_text();
    OsvmWorld *denied = world_denied_new(world);
    PluginsConfig config = {.path = fixtures, .only_path = true, .own = world, .world = denied,
                            .log_level = OSVM_ERROR};
    Plugins *caged = plugins_new(&config);
    good = load_gc(caged, "good", &error);
    diary_text();
    is_int(good->host->fork(good->host, false), -EPERM, "a fork that the world refuses");
    is_text(diary_text(), "before parent ", "... ends the rest of the plugins all the same");
    plugins_free(caged);
    world_free(denied);
    load_gc(plugins, "single", &error);
    diary_text();
    is_int(clone_and_wait(plugins, good = load_gc(plugins, "good", &error), false), -ENOTSUP,
           "a plugin with static state is not cloned");
    is_text(diary_text(), "", "... and no hook runs");
    plugins_free(plugins);
}

static void test_modules(void)
{
    OsvmError error = {0};
    Plugins *plugins = plugins_in(fixtures);
    PluginRequest request = {
        .kind = OSVM_PRIMS, .name = "ArithmeticPlugin", .vtable_abi = 1, .vtable_size = 1};
    const OsvmInstance *module = plugins_load(plugins, &request, &error);
    ok(module && strcmp(module->plugin->name, "sums") == 0, "a module is found by what it says: %s",
       error.message);
    request.name = "sums";
    ok(module && plugins_load(plugins, &request, &error) == module, "... and by the plugin's name");
    request.name = "NoSuchPlugin";
    ok(!plugins_load(plugins, &request, &error), "a module that is not there");
    has_text(error.message, "NoSuchPlugin", "... is named");
    request.name = "../any/prims-sums";
    ok(!plugins_load(plugins, &request, &error), "a module's name is no path");
    plugins_free(plugins);
}

/* --- Variants ------------------------------------------------------------- */

static void test_variants(void)
{
    OsvmError error;
    char both[1200];
    Plugins *plugins = plugins_in(fixtures);
    plugins_select(plugins, OSVM_GC, "good:checked", &error);
    const OsvmInstance *gc = load_gc(plugins, NULL, &error);
    is_text(gc ? gc->plugin->variant : NULL, "checked", "NAME:checked");
    plugins_free(plugins);

    plugins = plugins_in(fixtures);
    plugins_select(plugins, OSVM_GC, "good", &error);
    ok(plugins_select_checked(plugins, "mm,gc", &error), "--check=mm,gc");
    gc = load_gc(plugins, NULL, &error);
    is_text(gc ? gc->plugin->variant : NULL, "checked", "... takes the checked variant");
    ok(!plugins_select_checked(plugins, "mm,gv", &error), "--check of an unknown kind is refused");
    has_text(error.message, "did you mean 'gc'", "... with the nearest");
    plugins_free(plugins);

    snprintf(both, sizeof both, "%s/shim:%s", fixtures, fixtures);
    plugins = plugins_in(both);
    plugins_select(plugins, OSVM_GC, "single:checked,threads=5", &error);
    gc = load_gc(plugins, NULL, &error);
    ok(gc && gc->plugin->flags & OSVM_SHIM,
       "a shim stands before a plugin without checked build: %s", error.message);
    is_int(gc ? answer_of(gc) : 0, 1042, "... and forwards");
    is_int(gc ? ((FixtureState *)gc->host->inner->state)->threads : 0, 5,
           "options go to what it wraps");
    plugins_free(plugins);
}

static void test_selection_errors(void)
{
    static const char *const wrong[] = {"",    ":checked", "good:", "good,",
                                        "a/b", "good:x/y", ",lazy"};
    OsvmError error;
    Plugins *plugins = plugins_in(fixtures);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ok(!plugins_select(plugins, OSVM_GC, wrong[i], &error), "--gc=%s is refused", wrong[i]);
    plugins_select(plugins, OSVM_GC, "goof", &error);
    ok(!load_gc(plugins, NULL, &error), "an unknown name is refused");
    is_int(error.status, OSVM_UNAVAILABLE, "... with its exit code");
    has_text(error.message, "did you mean 'good'?", "... the nearest");
    has_text(error.message, fixtures, "... where it was looked for");
    has_text(error.message, "good:checked, good, initcrash", "... and what there is");
    plugins_select(plugins, OSVM_GC, "good,lasy", &error);
    ok(!load_gc(plugins, NULL, &error), "an unknown option is refused");
    has_text(error.message, "did you mean 'lazy'?", "... with the nearest");
    plugins_select(plugins, OSVM_GC, "good,threads=65", &error);
    ok(!load_gc(plugins, NULL, &error), "a number beyond its bounds is refused");
    has_text(error.message, "1 to 64", "... with the bounds");
    plugins_select(plugins, OSVM_GC, "good:slow", &error);
    ok(!load_gc(plugins, NULL, &error), "an unknown variant is refused");
    plugins_free(plugins);
}

/* --- Broken plugins ------------------------------------------------------- */

static void test_broken_fixtures(void)
{
    static const struct {
        const char *name, *says;
    } broken[] = {
        {"magic", "begins with 0x12345678"},
        {"major", "speaks plugin ABI 2.0, this osvm 1.0"},
        {"minor", "speaks plugin ABI 1.1, this osvm 1.0"},
        {"kind", "is a plugin of kind mm, gc was asked for"},
        {"width", "is for 32-bit heaps, but one for 64-bit heaps was asked for"},
        {"oddwidth", "is for 48-bit heaps"},
        {"signature", "built for 'osvm host=16 endian=middle', this osvm for '" OSVM_SIGNATURE},
        {"novtable", "has no vtable"},
        {"liar", "calls itself 'truth:production', but 'liar:production' was asked for"},
        {"badoption", "the default 'perhaps' of option 'lazy'"},
        {"noentry", "does not export 'osvm_plugin'"},
        {"tiny", "too few for a descriptor"},
        {"unresolved", "kernel_private_function"},
        {"initfails", "the moon is full (13)"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        OsvmError error;
        Plugins *plugins = plugins_in(fixtures);
        ok(!load_gc(plugins, broken[i].name, &error), "gc-%s is refused", broken[i].name);
        has_text(error.message, broken[i].says, "... because of that");
        has_text(error.message, "gc-", "... naming the file");
        plugins_free(plugins);
    }
    diary_text();
    OsvmError error;
    Plugins *plugins = plugins_in(fixtures);
    load_gc(plugins, "initfails", &error);
    is_text(diary_text(), "half fini ", "what starts half is ended");
    plugins_free(plugins);
}

/* Loads in a child; answers its exit status, or 128 + signal, with what it wrote to stderr. */
static int load_in_child(const char *path, const char *name, char *said, size_t size)
{
    int ends[2], status;
    if (pipe(ends))
        bail_out("no pipe");
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        OsvmError error;
        dup2(ends[1], 2);
        _exit(load_gc(plugins_in(path), name, &error) ? 0 : 3);
    }
    close(ends[1]);
    ssize_t length = read(ends[0], said, size - 1);
    said[length > 0 ? length : 0] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_crashing(void)
{
    char said[4096];
    is_int(load_in_child(fixtures, "crash", said, sizeof said), OSVM_UNAVAILABLE,
           "a crash while loading ends with a status");
    has_text(said, "gc-crash.so' crashed while it was being loaded", "... and a report");
    is_int(load_in_child(fixtures, "initcrash", said, sizeof said), OSVM_UNAVAILABLE,
           "a crash in init as well");
    has_text(said, "gc-initcrash.so' crashed", "... and a report");
}

static void test_files_that_are_no_plugins(void)
{
    char path[128], mode[64];
    OsvmError error;
    snprintf(path, sizeof path, "%s/gc-odd.so", scratch);
    Plugins *plugins = plugins_in(scratch);
    write_file(path, "hello\n", 6);
    ok(!load_gc(plugins, "odd", &error), "a short text file is refused");
    has_text(error.message, "too short", "... %s", "because of that");
    char text[4096];
    memset(text, 'x', sizeof text);
    write_file(path, text, sizeof text);
    ok(!load_gc(plugins, "odd", &error), "a text file is refused");
    has_text(error.message, "no ELF header", "... because of that");
    write_file(path, "", 0);
    ok(!load_gc(plugins, "odd", &error), "an empty file is refused");
    unlink(path);
    ok(mkdir(path, 0700) == 0 && !load_gc(plugins, "odd", &error), "a folder is refused");
    has_text(error.message, "no regular file", "... because of that");
    rmdir(path);
    ok(mkfifo(path, 0700) == 0 && !load_gc(plugins, "odd", &error),
       "a pipe is refused, not waited for");
    unlink(path);
    ok(symlink("nowhere", path) == 0 && !load_gc(plugins, "odd", &error),
       "a dangling link is refused");
    unlink(path);
    size_t size;
    snprintf(mode, sizeof mode, "/proc/self/exe");
    char *program = read_file(mode, &size);
    write_file(path, program, size);
    free(program);
    ok(!load_gc(plugins, "odd", &error), "a program is refused");
    unlink(path);
    plugins_free(plugins);
}

/* --- Damaged files -------------------------------------------------------- */

static void test_truncated(const char *good, size_t size)
{
    char path[128], said[256];
    size_t crashes = 0, loaded = 0, tried = 0, refused = 0;
    snprintf(path, sizeof path, "%s/gc-good.so", scratch);
    for (size_t length = 0; length < size; length += length < 1024 ? 61 : 397) {
        write_file(path, good, length);
        int status = load_in_child(scratch, "good", said, sizeof said);
        tried++;
        refused += status == 3;
        loaded += status == 0;
        crashes += status != 0 && status != 3;
    }
    /* The section headers at the end are not needed to run it. */
    is_int(crashes, 0, "a plugin cut short (%zu lengths) never crashes the loader", tried);
    ok(refused > tried / 2 && refused + loaded == tried, "... it is refused (%zu times)", refused);
}

/* Does the byte belong to machine code? What damaged code does cannot be foretold. */
static bool is_code(const char *bytes, size_t at)
{
    ElfW(Ehdr) header;
    memcpy(&header, bytes, sizeof header);
    for (unsigned i = 0; i < header.e_phnum; i++) {
        ElfW(Phdr) segment;
        memcpy(&segment, bytes + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_flags & PF_X && at - segment.p_offset < segment.p_filesz)
            return true;
    }
    return false;
}

/* The headers; with OSVM_TEST_LONG the whole file. */
static void test_flipped(const char *good, size_t size)
{
    char path[128], said[256];
    char *bytes = malloc(size);
    size_t bad = 0, tried = 0;
    snprintf(path, sizeof path, "%s/gc-good.so", scratch);
    size_t end = getenv("OSVM_TEST_LONG") ? size : 64 + 56 * 9;
    for (size_t at = 0; at < end; at += 3) {
        if (is_code(good, at))
            continue;
        memcpy(bytes, good, size);
        bytes[at] ^= (char)(1 << at % 8);
        write_file(path, bytes, size);
        int status = load_in_child(scratch, "good", said, sizeof said);
        tried++;
        /* Refused, harmless, a crash reported as the file's, or the dynamic linker's complaint. */
        if (status != 0 && status != 3 && status != OSVM_UNAVAILABLE && status != 127) {
            bad++;
            diag("bit %zu of byte %zu: status %d", at % 8, at, status);
        }
    }
    is_int(bad, 0, "a flipped bit (%zu places) is an error, never a crash", tried);
    free(bytes);
    unlink(path);
}

/* --- Reloading ------------------------------------------------------------ */

static void copy_fixture(const char *from, const char *to)
{
    char path[640];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", fixtures, from);
    char *bytes = read_file(path, &size);
    if (!bytes)
        bail_out("no fixture %s", path);
    write_file(to, bytes, size);
    free(bytes);
}

static void test_reload(void)
{
    char path[128];
    OsvmError error = {0};
    snprintf(path, sizeof path, "%s/gc-good.so", scratch);
    copy_fixture("64/gc-good.so", path);
    Plugins *plugins = plugins_in(scratch);
    OsvmInstance *gc = (OsvmInstance *)load_gc(plugins, "good", &error);
    if (!ok(gc != NULL, "the old code loads"))
        return;
    is_int(answer_of(gc), 42, "the old code answers");
    copy_fixture("next/64/gc-good.so", path);
    gc->busy = 1;
    ok(!plugins_reload(plugins, gc, &error), "no reload while a C frame is live");
    gc->busy = 0;
    ok(plugins_reload(plugins, gc, &error), "reload: %s", error.message);
    is_int(answer_of(gc), 43, "the new code answers");
    is_int(((FixtureState *)gc->state)->calls, 2, "the state is the same");
    is_int(gc->generation, 2, "the generation counts");
    copy_fixture("next/64/gc-other.so", path);
    ok(!plugins_reload(plugins, gc, &error), "code with another state version is refused");
    has_text(error.message, "state version 2 now, the running plugin has 1", "... with both sides");
    write_file(path, "rubbish", 7);
    ok(!plugins_reload(plugins, gc, &error), "rubbish is refused");
    is_int(answer_of(gc), 43, "and the code before goes on");
    copy_fixture("64/gc-good.so", path);
    ok(plugins_reload(plugins, gc, &error), "reload again");
    is_int(answer_of(gc), 42, "the newest code answers");
    plugins_free(plugins);
    unlink(path);

    plugins = plugins_in(fixtures);
    const OsvmInstance *single = load_gc(plugins, "single", &error);
    ok(single && !plugins_reload(plugins, single, &error), "a singleton is not reloaded");
    plugins_free(plugins);
}

/* --- The list ------------------------------------------------------------- */

static void test_list(void)
{
    char *text = NULL;
    size_t size = 0;
    Plugins *plugins = plugins_in(fixtures);
    FILE *file = open_memstream(&text, &size);
    size_t broken = plugins_list(plugins, file, false);
    fclose(file);
    ok(broken >= 14, "the list counts what does not load (%zu)", broken);
    has_text(text, "gc     good            production  1.0      64     a fixture", "a row");
    has_text(text, "crashed while it was being loaded", "one that crashes is a row too");
    has_text(text, "prims  sums            production  1.0      any", "one for any width");
    free(text);
    file = open_memstream(&text, &size);
    plugins_list(plugins, file, true);
    fclose(file);
    has_text(
        text,
        "{\"kind\": \"gc\", \"name\": \"good\", \"variant\": \"production\", \"width\": \"64\"",
        "JSON");
    free(text);
    plugins_free(plugins);
}

int main(void)
{
    size_t size;
    const char *build = getenv("BUILD");
    snprintf(fixtures, sizeof fixtures, "%s/t/plugins", build ? build : "build");
    strcpy(scratch, "/tmp/osvm-loader-XXXXXX");
    if (!mkdtemp(scratch))
        bail_out("no temporary directory");
    snprintf(diary, sizeof diary, "%s/diary", scratch);
    setenv("FIXTURE_DIARY", diary, 1);
    unsetenv("OSVM_PLUGIN_PATH");
    world = world_live_new();

    test_sound();
    test_by_name();
    test_two_vms();
    test_fork();
    test_modules();
    test_variants();
    test_selection_errors();
    test_broken_fixtures();
    test_crashing();
    test_files_that_are_no_plugins();
    char good_path[640];
    snprintf(good_path, sizeof good_path, "%s/64/gc-good.so", fixtures);
    char *good = read_file(good_path, &size);
    test_truncated(good, size);
    test_flipped(good, size);
    free(good);
    test_reload();
    test_list();
    world_free(world);
    unlink(diary);
    rmdir(scratch);
    return done_testing();
}
