/* Image files: what is written is read again, in every form a file can have, and
 * nothing that is wrong in a file gets past the reader. */
// LINK: kernel/vm/image/*.c kernel/vm/region.c t/support/image_host.c t/support/image_sample.c
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/vm/image/tools.h"
#include "t/support/image_host.h"
#include "t/support/image_sample.h"
#include "t/tap.h"

static ImageHost host;
static char folder[] = "/tmp/osvm-image-XXXXXX", path[100], error[1000];
static uint8_t *file; /* contents of the sample's file */
static size_t size;

static const char *in_folder(const char *name)
{
    static char text[200];
    snprintf(text, sizeof text, "%s/%s", folder, name);
    return text;
}

static size_t slurp(const char *name, uint8_t **bytes)
{
    FILE *f = fopen(name, "rb");
    if (!f)
        return 0;
    *bytes = calloc(1, 1 << 20);
    size_t count = fread(*bytes, 1, 1 << 20, f);
    fclose(f);
    return count;
}

static void spill(const char *name, const void *bytes, size_t count)
{
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(bytes, 1, count, f) != count || fclose(f))
        bail_out("cannot write %s", name);
}

/* Reads bytes as an image and writes it again: does the file of the sample come out, its last hash
 * apart? `error` has the refusal. */
static bool reads_as_sample(const uint8_t *bytes, size_t count, const char *what)
{
    uint8_t *again = NULL;
    Vm *vm = image_still_new(&host.setup);
    spill(in_folder("variant"), bytes, count);
    error[0] = 0;
    bool read = image_read(vm, in_folder("variant"), error, sizeof error) &&
                image_write(vm, in_folder("again"), error, sizeof error);
    image_still_free(vm);
    size_t got = read ? slurp(in_folder("again"), &again) : 0;
    size_t hash = WORD_BITS == 64 ? 32 : 20;
    if (got > hash + 8)
        memcpy(again + hash, file + hash, WORD_BYTES);
    bool same = read && got == size && memcmp(again, file, size) == 0;
    free(again);
    return ok(same, "%s", what) || (diag("%s", error), false);
}

/* ---- Other forms of the same image ---- */

static uint64_t word_at(const uint8_t *bytes, size_t at)
{
    Word word;
    memcpy(&word, bytes + at, sizeof word);
    return word;
}

static void put_word(uint8_t *bytes, size_t at, uint64_t value)
{
    Word word = (Word)value;
    memcpy(bytes + at, &word, sizeof word);
}

enum { BASE_FIELD = WORD_BITS == 64 ? 16 : 12, SPECIALS_FIELD = WORD_BITS == 64 ? 24 : 16,
       DATA_FIELD = 8, FIRST_FIELD = WORD_BITS == 64 ? 72 : 48,
       FLAGS_FIELD = WORD_BITS == 64 ? 48 : 28,
       HEADER = 16 * WORD_BYTES };

typedef struct {
    size_t at; /* of the header, in the file */
    Word slots, class_index;
    unsigned format;
    size_t next;
} Walk;

static Walk walk_at(const uint8_t *bytes, size_t at)
{
    uint64_t header;
    Walk w = {.at = at};
    memcpy(&header, bytes + at, 8);
    w.slots = header_short_slots(header);
    if (w.slots == 255) {
        w.slots = (Word)(header & OVERFLOW_COUNT_MASK);
        w.at += 8;
        memcpy(&header, bytes + w.at, 8);
    }
    w.class_index = header_class_index(header);
    w.format = header_format(header);
    w.next = w.at + 8 + body_bytes_for_slots(w.slots);
    return w;
}

/* Adds `delta` to every reference to what lies at or above `from`. */
static void move_references(uint8_t *bytes, uint64_t from, uint64_t delta)
{
    size_t end = size - BRIDGE_BYTES;
    for (size_t at = HEADER; at < end;) {
        Walk w = walk_at(bytes, at);
        Word first = 0, last = w.format <= 5 ? w.slots : 0;
        if (w.format >= FORMAT_CODE) {
            first = 1;
            last = 1 + method_header_literals(small_integer_value((Oop)word_at(bytes, w.at + 8)));
        }
        for (Word i = first; i < last; i++) {
            uint64_t value = word_at(bytes, w.at + 8 + i * WORD_BYTES);
            if (is_object((Oop)value) && value >= from)
                put_word(bytes, w.at + 8 + i * WORD_BYTES, value + delta);
        }
        at = w.next;
    }
    if (word_at(bytes, SPECIALS_FIELD) >= from)
        put_word(bytes, SPECIALS_FIELD, word_at(bytes, SPECIALS_FIELD) + delta);
}

static uint8_t *copy_of_file(void)
{
    uint8_t *bytes = calloc(1, size + 1024);
    memcpy(bytes, file, size);
    return bytes;
}

static void test_prefix_and_base(void)
{
    uint8_t *bytes = copy_of_file(), *with_prefix = calloc(1, size + 512);
    memcpy(with_prefix, "#!/usr/bin/env osvm\n", 20);
    memcpy(with_prefix + 512, file, size);
    reads_as_sample(with_prefix, size + 512, "512 bytes before the header");
    move_references(bytes, 0, 0x123450);
    put_word(bytes, BASE_FIELD, word_at(bytes, BASE_FIELD) + 0x123450);
    reads_as_sample(bytes, size, "another base address");
    free(bytes);
    free(with_prefix);
}

/* Cuts the objects in two segments, the second `gap` bytes further on than it would be. */
static void test_segments(uint64_t gap, const char *what)
{
    uint8_t *bytes = copy_of_file();
    size_t cut = HEADER;
    while (cut < size / 2)
        cut = walk_at(bytes, cut).next;
    uint64_t base = word_at(bytes, BASE_FIELD), first = cut - HEADER + BRIDGE_BYTES;
    move_references(bytes, base + (cut - HEADER), BRIDGE_BYTES + gap);
    memmove(bytes + cut + BRIDGE_BYTES, bytes + cut, size - cut);
    uint64_t pier[2] = {HEADER_MARKED | CLASS_BRIDGE, size - cut};
    if (gap)
        pier[0] = (uint64_t)0xFF << 56 | gap / WORD_BYTES;
    memcpy(bytes + cut, pier, sizeof pier);
    put_word(bytes, FIRST_FIELD, first);
    put_word(bytes, DATA_FIELD, word_at(bytes, DATA_FIELD) + BRIDGE_BYTES);
    reads_as_sample(bytes, size + BRIDGE_BYTES, what);
    free(bytes);
}

static void turn(uint8_t *at, size_t bytes, size_t count)
{
    for (; count; count--, at += bytes)
        for (size_t i = 0; i < bytes / 2; i++) {
            uint8_t byte = at[i];
            at[i] = at[bytes - 1 - i];
            at[bytes - 1 - i] = byte;
        }
}

/* The whole file as a machine of the other byte order would write it. */
static void test_swapped(void)
{
    static const uint8_t fields64[] = {4, 4, 8, 8, 8, 8, 8, 8, 4, 2, 2, 4, 2, 2, 8, 8, 0};
    static const uint8_t fields32[] = {4, 4, 4, 4, 4, 4, 4, 4, 4, 2, 2, 4, 2, 2, 4, 4, 0};
    uint8_t *bytes = copy_of_file();
    size_t end = size - BRIDGE_BYTES, at = HEADER;
    put_word(bytes, FLAGS_FIELD, word_at(bytes, FLAGS_FIELD) & ~(uint64_t)IMAGE_LITTLE_FLOATS);
    while (at < end) {
        Walk w = walk_at(bytes, at);
        size_t element = WORD_BYTES, start = w.at + 8, skip = 0, body = w.slots * WORD_BYTES;
        if (w.class_index > CLASS_LAST_PUN && w.format >= FORMAT_WORDS64)
            element = w.format >= FORMAT_BYTES ? 1 : w.format >= FORMAT_SHORTS ? 2
                      : w.format >= FORMAT_WORDS32 ? 4 : 8;
        if (w.class_index == CLASS_FLOAT)
            element = 8;
        if (w.format >= FORMAT_CODE) {
            Oop header = (Oop)word_at(bytes, start);
            skip = (1 + method_header_literals(small_integer_value(header))) * WORD_BYTES;
            turn(bytes + start, WORD_BYTES, skip / WORD_BYTES);
        }
        turn(bytes + start + skip, element, (body - skip) / element);
        turn(bytes + at, WORD_BYTES, (start - at) / WORD_BYTES);
        at = w.next;
    }
    turn(bytes + end, WORD_BYTES, BRIDGE_BYTES / WORD_BYTES);
    at = 0;
    for (const uint8_t *f = WORD_BITS == 64 ? fields64 : fields32; *f; at += *f++)
        turn(bytes + at, *f, 1);
    reads_as_sample(bytes, size, "the other byte order, doubles included");
    free(bytes);
}

static void test_float_halves(void)
{
    uint8_t *bytes = copy_of_file();
    put_word(bytes, FLAGS_FIELD, word_at(bytes, FLAGS_FIELD) & ~(uint64_t)IMAGE_LITTLE_FLOATS);
    for (size_t at = HEADER; at < size - BRIDGE_BYTES; at = walk_at(bytes, at).next)
        if (walk_at(bytes, at).class_index == CLASS_FLOAT) {
            uint32_t halves[2];
            memcpy(halves, bytes + at + 8, 8);
            memcpy(bytes + at + 8, &halves[1], 4);
            memcpy(bytes + at + 12, &halves[0], 4);
        }
    reads_as_sample(bytes, size, "doubles with their high half first");
    free(bytes);
}

/* A queue of mourners, as an older writer leaves it. */
static void test_mourners(Sample *s)
{
    Heap *heap = &s->vm->heap;
    Word at = heap->old_end;
    Oop page = object_write_header(at, OBJ_STACK_SLOTS, WORD_BITS == 64 ? 9 : 10,
                                   WORD_BITS == 64 ? CLASS_WORDS64_PUN : CLASS_WORDS32_PUN);
    memset(object_slots(page), 0, OBJ_STACK_SLOTS * WORD_BYTES);
    object_slots(page)[OBJ_STACK_TOP] = 2;
    object_slots(page)[OBJ_STACK_ROOT] = HIDDEN_MOURNERS;
    object_slots(page)[OBJ_STACK_FIRST] = s->ephemeron;
    object_slots(page)[OBJ_STACK_FIRST + 1] = s->weak;
    object_slots(heap->hidden_roots)[HIDDEN_MOURNERS] = page;
    heap->old_end = object_end(page);
    ok(image_write(s->vm, in_folder("mourners"), error, sizeof error), "a queue is written");
    Vm *vm = image_still_new(&host.setup);
    ok(image_read(vm, in_folder("mourners"), error, sizeof error), "and read: %s", error);
    Oop first = vm->heap.mm->ops->mourner_at(vm->heap.mm, 0);
    Oop second = vm->heap.mm->ops->mourner_at(vm->heap.mm, 1);
    ok(first && object_format(first) == FORMAT_EPHEMERON, "its first mourner is the ephemeron");
    ok(second && object_format(second) == FORMAT_WEAK, "its second the weak object");
    ok(!vm->heap.mm->ops->mourner_at(vm->heap.mm, 2), "there is no third");
    image_still_free(vm);
    object_slots(heap->hidden_roots)[HIDDEN_MOURNERS] = heap->nil;
    heap->old_end = at;
}

/* ---- What a file must not be ---- */

static void refuses(const uint8_t *bytes, size_t count, const char *part, const char *what)
{
    Vm *vm = image_still_new(&host.setup);
    spill(in_folder("bad"), bytes, count);
    error[0] = 0;
    bool read = image_read(vm, in_folder("bad"), error, sizeof error);
    image_still_free(vm);
    ok(!read, "%s is refused", what);
    has_text(error, part, "%s: the message says so", what);
}

static void refuses_magic(uint32_t magic, const char *part)
{
    uint8_t *bytes = copy_of_file();
    memcpy(bytes, &magic, 4);
    refuses(bytes, size, part, part);
    free(bytes);
}

/* The file with one word changed, at an object's slot. */
static void refuses_slot(Sample *s, Oop object, Word slot, Word value, const char *part)
{
    Word *place = object_slots(object) + slot, old = *place;
    uint8_t *bytes = copy_of_file();
    size_t at = HEADER + (size_t)(pointer_word(place) - s->vm->heap.old_start);
    put_word(bytes, at, value);
    *place = old;
    refuses(bytes, size, part, part);
    free(bytes);
}

static void test_refusals(Sample *s)
{
    uint8_t *bytes = copy_of_file();
    Word base = (Word)word_at(file, BASE_FIELD);
    refuses_magic(6505, "pre-Spur");
    refuses_magic(68002, "pre-Spur");
    refuses_magic(68019, "obsolete");
    refuses_magic(WORD_BITS == 64 ? 6521 : 68021, WORD_BITS == 64 ? "a 32-bit image" : "a 64-bit");
    refuses_magic(0x00088B1F, "gzip");
    refuses(file, 3, "too short", "three bytes");
    refuses(file, 40, "cut off in the header", "half a header");
    refuses(file, size - 1, "cut off", "a file that lacks a byte");
    put_word(bytes, FIRST_FIELD, word_at(file, FIRST_FIELD) - 8);
    refuses(bytes, size, "segment", "a first segment that ends too early");
    free(bytes);
    refuses_slot(s, s->weak, 1, base + 8, "no object begins");
    refuses_slot(s, s->weak, 1, 8, "in no segment");
    refuses_slot(s, s->weak, 1, base + 3 * 16, "no object begins"); /* the free lists */
    if (WORD_BITS == 64)
        refuses_slot(s, s->weak, 1, 7, "tag means nothing");
    refuses_slot(s, s->context, CONTEXT_STACKP, small_integer_oop(17), "stack pointer");
    refuses_slot(s, s->context, CONTEXT_PC, small_integer_oop(1), "pc is 1");
    refuses_slot(s, s->context, CONTEXT_SENDER, small_integer_oop(1), "sender");
    refuses_slot(s, s->method, 0, small_integer_oop(500), "literals");
    refuses_slot(s, heap_class_at(&s->vm->heap, CLASS_ARRAY), CLASS_FORMAT,
                 small_integer_oop(0x60000),
                 "look like a class");
    refuses_slot(s, heap_class_at(&s->vm->heap, CLASS_ARRAY), CLASS_SUPERCLASS,
                 (Word)(base + (heap_class_at(&s->vm->heap, CLASS_ARRAY) - s->vm->heap.old_start)),
                 "ring");
    refuses_slot(s, s->vm->heap.special_objects, SPECIAL_CLASS_FLOAT, base, "special object 9");
}

/* ---- Saving ---- */

static bool is_old_file(const char *name)
{
    uint8_t *bytes = NULL;
    size_t count = slurp(name, &bytes);
    bool same = count == 3 && memcmp(bytes, "old", 3) == 0;
    free(bytes);
    return same;
}

static unsigned files_in_folder(void)
{
    char command[200];
    unsigned count = 0;
    snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
    FILE *pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%u", &count) != 1)
        bail_out("cannot count files");
    pclose(pipe);
    return count;
}

/* Every operation of a save fails once, one after the other. */
static void test_faults(Sample *s)
{
    static const char *const operations[] = {"open", "write", "sync", "mode", "close", "rename",
                                             "stat"};
    spill(in_folder("old"), "old", 3);
    unsigned files = files_in_folder(), failures = 0, kept = 0, clean = 0, named = 0;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        for (unsigned n = 1; n < 50; n++) {
            char options[60];
            snprintf(options, sizeof options, "fail=%s:%u", operations[i], n);
            spill(in_folder("old"), "old", 3);
            image_host_faults(&host, options);
            error[0] = 0;
            bool saved = image_write(s->vm, in_folder("old"), error, sizeof error);
            image_host_faults(&host, NULL);
            if (saved)
                break;
            failures++;
            named += error[0] != 0;
            bool same = is_old_file(in_folder("old"));
            kept += same;
            if (!same)
                diag("%s: %s", options, error);
            clean += files_in_folder() == files;
        }
    ok(failures >= 7, "%u failures were injected", failures);
    is_int(kept, failures, "each left the old file as it was");
    is_int(clean, failures, "none left anything behind");
    is_int(named, failures, "each was explained");
    image_host_faults(&host, "space=1000");
    spill(in_folder("old"), "old", 3);
    ok(!image_write(s->vm, in_folder("old"), error, sizeof error), "a full disk fails");
    ok(is_old_file(in_folder("old")), "and keeps the old file");
    image_host_faults(&host, NULL);
}

static void test_targets(Sample *s)
{
    char link[200];
    struct stat stat_;
    snprintf(link, sizeof link, "%s/link", folder);
    spill(in_folder("real"), "old", 3);
    chmod(in_folder("real"), 0640);
    ok(symlink("real", link) == 0 && image_write(s->vm, link, error, sizeof error),
       "a symbolic link is a target: %s", error);
    ok(lstat(link, &stat_) == 0 && S_ISLNK(stat_.st_mode), "and stays a link");
    ok(stat(in_folder("real"), &stat_) == 0 && (size_t)stat_.st_size == size,
       "the file it leads to is replaced");
    is_int(stat_.st_mode & 07777, 0640, "its mode is kept");
    chmod(in_folder("real"), 0444);
    ok(!image_write(s->vm, in_folder("real"), error, sizeof error),
       "a read-only file is no target, whoever runs: %s", error);
    ok(stat(in_folder("real"), &stat_) == 0 && (size_t)stat_.st_size == size, "it stays as it was");
    chmod(in_folder("real"), 0640);
    ok(!image_write(s->vm, folder, error, sizeof error), "a folder is no target");
    ok(!image_write(s->vm, in_folder("none/x"), error, sizeof error), "nor is a file in no folder");
    has_text(error, "none", "the message names it");
}

/* ---- Tools, out of memory ---- */

static void test_check(void)
{
    OsvmError e = {OSVM_OK, ""};
    CoreInspect inspect = {.image = path};
    fflush(stdout);
    int saved = dup(1);
    if (!freopen("/dev/null", "w", stdout))
        bail_out("no /dev/null");
    int check = core_check(&host.setup, &inspect, &e), info = core_info(&host.setup, &inspect, &e);
    int dump = core_dump(&host.setup, &inspect, &e);
    inspect.image = in_folder("bad");
    int bad = core_check(&host.setup, &inspect, &e);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    is_int(check, OSVM_OK, "check finds the sample sound");
    is_int(info, OSVM_OK, "info");
    is_int(dump, OSVM_OK, "dump");
    is_int(bad, OSVM_BAD_DATA, "check finds what is wrong with a bad file");
}

static void test_out_of_memory(void)
{
    unsigned failures = 0;
    for (long n = 0; n < 100; n++) {
        Vm *vm = image_still_new(&host.setup);
        host.fail_allocation = n;
        bool read = image_read(vm, path, error, sizeof error);
        bool failed = host.fail_allocation < 0;
        host.fail_allocation = -1;
        image_still_free(vm);
        if (!failed)
            break;
        failures += !read;
    }
    ok(failures >= 4, "%u failed allocations end reading with a message: %s", failures, error);
}

int main(void)
{
    Sample sample;
    image_host_start(&host);
    if (!mkdtemp(folder))
        bail_out("no temporary folder");
    snprintf(path, sizeof path, "%s/sample", folder);
    sample_build(&sample, &host.setup);
    ok(image_write(sample.vm, path, error, sizeof error), "an image is written: %s", error);
    size = slurp(path, &file);
    if (size < HEADER)
        bail_out("no image");
    reads_as_sample(file, size, "the image itself");
    test_prefix_and_base();
    test_segments(0, "two adjacent segments");
    test_segments(4096, "two segments with a gap");
    test_swapped();
    test_float_halves();
    test_refusals(&sample);
    test_mourners(&sample);
    test_faults(&sample);
    test_targets(&sample);
    test_check();
    test_out_of_memory();
    sample_free(&sample);
    is_int((int64_t)host.blocks, 0, "all memory is given back");
    image_host_stop(&host);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ok(system(command) == 0, "the folder is removed");
    free(file);
    return done_testing();
}
