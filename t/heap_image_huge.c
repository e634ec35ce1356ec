/* Images beyond 2^31 (32 bit) and 2^32 bytes: an object of more bytes than that amid the others is written, read,
 * checked and converted, and all references lead across it. Its zeros use neither memory nor disk. */
// LINK: kernel/vm/image/*.c kernel/vm/region.c t/support/image_host.c t/support/image_sample.c t/support/thin_world.c
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/vm/image/tools.h"
#include "kernel/world/worlds.h"
#include "t/support/image_host.h"
#include "t/support/image_sample.h"
#include "t/support/thin_world.h"
#include "t/tap.h"

#define GIB ((uint64_t)1 << 30)

static char folder[] = "/tmp/osvm-huge-XXXXXX", error[1000];

static const char *in_folder(const char *name)
{
    static char text[2][100];
    static unsigned turn;
    turn ^= 1;
    snprintf(text[turn], sizeof text[turn], "%s/%s", folder, name);
    return text[turn];
}

/* What lies on either side of the huge object, found by way of the other side. */
static void test_objects(Heap *heap, uint64_t bytes, const char *what)
{
    Oop array_class = object_slot(heap->special_objects, SPECIAL_CLASS_ARRAY);
    ok(array_class == heap_class_at(heap, CLASS_ARRAY) && array_class < heap->special_objects,
       "%s: a class is found from the special objects", what);
    ok(heap->special_objects - array_class > bytes, "%s: they are %" PRIuWORD " bytes apart", what,
       heap->special_objects - array_class);
    Oop methods = object_slot(object_slot(array_class, CLASS_METHOD_DICT), METHOD_DICT_METHODS);
    Oop method = object_slot(methods, 1);
    is_int(method_header_literals(method_header(heap, method)), 3, "%s: a method from the class", what);
    Oop binding = object_slot(method, 3);
    ok(object_slot(binding, ASSOCIATION_VALUE) == array_class, "%s: and the class from it", what);
    Oop huge = heap->mm->ops->next_object(heap->mm, object_slot(heap_class_at(heap, SAMPLE_WORDS64), 3));
    ok(object_class_index(huge) == SAMPLE_BYTES && bits_byte_count(huge) == bytes,
       "%s: the huge object is %" PRIuWORD " bytes long", what, bits_byte_count(huge));
}

static void test_same(const char *one, const char *other)
{
    struct stat a, b;
    off_t at = 0, end;
    static char first[1 << 20], second[1 << 20];
    int files[2] = {open(one, O_RDONLY), open(other, O_RDONLY)};
    bool same = fstat(files[0], &a) == 0 && fstat(files[1], &b) == 0 && a.st_size == b.st_size;
    while (same && (at = lseek(files[0], at, SEEK_DATA)) >= 0) {
        end = lseek(files[0], at, SEEK_HOLE);
        size_t part = end - at < (off_t)sizeof first ? (size_t)(end - at) : sizeof first;
        same = pread(files[0], first, part, at) == (ssize_t)part &&
               pread(files[1], second, part, at) == (ssize_t)part;
        size_t hash = at == 0 ? (WORD_BITS == 64 ? 40 : 24) : 0; /* each saving makes a new one */
        same = same && memcmp(first + hash, second + hash, part - hash) == 0;
        at += (off_t)part;
    }
    close(files[0]);
    close(files[1]);
    ok(same, "what was read is written the same again");
}

static void test_check(ImageHost *host, const char *path)
{
    OsvmError e = {OSVM_OK, ""};
    fflush(stdout);
    int saved = dup(1);
    if (!freopen("/dev/null", "w", stdout))
        bail_out("no /dev/null");
    int status = core_check(&host->setup, &(CoreInspect){.image = path}, &e);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    is_int(status, OSVM_OK, "check finds it sound: %s", e.message);
}

/* False: it cannot be tried here. */
static bool test_size(ImageHost *host, uint64_t bytes)
{
    Sample sample;
    struct stat status;
    OsvmError e = {OSVM_OK, ""};
    if (!sample_build_around(&sample, &host->setup, (Word)bytes)) {
        skip("no %" PRIu64 " addresses for a %d-bit heap", bytes, WORD_BITS);
        return false;
    }
    test_objects(&sample.vm->heap, bytes, "made");
    ok(image_write(sample.vm, in_folder("huge"), error, sizeof error), "it is written: %s", error);
    sample_free(&sample);
    bool found = stat(in_folder("huge"), &status) == 0;
    ok(found && (uint64_t)status.st_size > bytes, "the file has %" PRId64 " bytes",
       (int64_t)status.st_size);
    test_check(host, in_folder("huge"));

    Vm *vm = image_still_new(&host->setup);
    if (ok(image_read(vm, in_folder("huge"), error, sizeof error), "it is read: %s", error))
        test_objects(&vm->heap, bytes, "read");
    ok(image_write(vm, in_folder("again"), error, sizeof error), "it is written again: %s", error);
    image_still_free(vm);
    test_same(in_folder("huge"), in_folder("again"));

    CoreConvert convert = {.image = in_folder("huge"), .output = in_folder("again")};
    is_int(core_convert(&host->setup, &convert, &e), OSVM_OK, "it is converted: %s", e.message);
    test_same(in_folder("huge"), in_folder("again"));
    return true;
}

/* The file ends within the huge object. */
static void test_cut(ImageHost *host)
{
    Vm *vm = image_still_new(&host->setup);
    if (truncate(in_folder("huge"), (off_t)GIB))
        bail_out("cannot cut the file");
    ok(!image_read(vm, in_folder("huge"), error, sizeof error), "a file cut short is refused");
    has_text(error, "cut off", "and the message says so");
    image_still_free(vm);
}

int main(void)
{
    ImageHost host;
    char command[100];
    image_host_start(&host);
    OsvmWorld *thin = thin_world_new(host.live);
    host.host.world = host.host.own = thin;
    host.setup.max_heap = 8 * GIB; /* most of it is never touched, so the machine may have less */
    if (!mkdtemp(folder))
        bail_out("no temporary folder");
    if (test_size(&host, (WORD_BITS == 64 ? 5 : 3) * GIB + 3))
        test_cut(&host);
    is_int((int64_t)host.blocks, 0, "all memory is given back");
    world_free(thin);
    image_host_stop(&host);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ok(system(command) == 0, "the folder is removed");
    return done_testing();
}
