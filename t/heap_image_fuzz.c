/* Mutates a small image and gives it to the reader, check, dump and the converter
 * of the same width: whatever comes, they end with an answer.
 *
 * OSVM_FUZZ_SECONDS sets how long (1 by default), OSVM_FUZZ_SEED where to begin.
 * A file that ends the process stays behind; its seed is printed first. */
// LINK: kernel/vm/image/*.c kernel/vm/region.c t/support/image_host.c t/support/image_sample.c
#include <time.h>
#include <unistd.h>

#include "kernel/vm/image/tools.h"
#include "t/support/image_host.h"
#include "t/support/image_sample.h"
#include "t/tap.h"

static uint64_t state;

static uint64_t random64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* A place worth changing: the header, or the objects behind the class table more often than it. */
static size_t some_place(size_t size)
{
    unsigned kind = random64() % 8;
    if (kind == 0)
        return random64() % (16 * WORD_BYTES);
    if (kind < 3)
        return random64() % size;
    size_t tail = size / 4;
    return size - 1 - random64() % tail;
}

static void mutate(uint8_t *bytes, size_t *size)
{
    size_t at = some_place(*size), word = at / WORD_BYTES * WORD_BYTES;
    Word value;
    switch (random64() % 7) {
    case 0: bytes[at] ^= (uint8_t)(1 << random64() % 8); break;
    case 1: bytes[at] = (uint8_t)random64(); break;
    case 2: memcpy(bytes + word, bytes + some_place(*size) / WORD_BYTES * WORD_BYTES,
                   WORD_BYTES); break;
    case 3:
        memcpy(&value, bytes + word, WORD_BYTES);
        value += (Word)(random64() % 33) * 8 - 128;
        memcpy(bytes + word, &value, WORD_BYTES);
        break;
    case 4: memset(bytes + word, random64() & 1 ? 0xFF : 0, WORD_BYTES); break;
    case 5: bytes[at / 8 * 8 + random64() % 2 * 7] = (uint8_t)random64(); break; /* slots, class */
    case 6:
        if (random64() % 16 == 0)
            *size -= random64() % (*size / 2);
        else
            bytes[at / 8 * 8 + 3] = (uint8_t)(random64() & 0x1F); /* format */
        break;
    }
}

int main(void)
{
    char folder[] = "/tmp/osvm-fuzz-XXXXXX", path[64], out[64], command[100], error[1000];
    const char *seconds = getenv("OSVM_FUZZ_SECONDS"), *seed = getenv("OSVM_FUZZ_SEED");
    static ImageHost host;
    static uint8_t original[1 << 20], bytes[1 << 20];
    uint64_t rounds = 0, accepted = 0, first = seed ? strtoull(seed, NULL, 0) : 1;
    Sample sample;
    image_host_start(&host);
    if (!mkdtemp(folder))
        bail_out("no temporary folder");
    snprintf(path, sizeof path, "%s/image", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    sample_build(&sample, &host.setup);
    if (!image_write(sample.vm, path, error, sizeof error))
        bail_out("%s", error);
    sample_free(&sample);
    FILE *f = fopen(path, "rb");
    size_t size = f ? fread(original, 1, sizeof original, f) : 0;
    if (!f || fclose(f) || !size)
        bail_out("no image");
    int saved = dup(1);
    time_t end = time(NULL) + (seconds ? atol(seconds) : 1);
    diag("seeds from %" PRIu64 ", files in %s", first, folder);
    if (!freopen("/dev/null", "w", stdout))
        bail_out("no /dev/null");
    while (time(NULL) < end || rounds < 20) {
        size_t count = size;
        state = (first + rounds++) * 0x9E3779B97F4A7C15u | 1;
        memcpy(bytes, original, size);
        for (unsigned n = 1 + random64() % 4; n; n--)
            mutate(bytes, &count);
        f = fopen(path, "wb");
        if (!f || fwrite(bytes, 1, count, f) != count || fclose(f))
            abort();
        OsvmError e = {OSVM_OK, ""};
        CoreInspect inspect = {.image = path, .objects = rounds & 1};
        CoreConvert convert = {path, out};
        int checked = core_check(&host.setup, &inspect, &e);
        int dumped = core_dump(&host.setup, &inspect, &e), converted = core_convert(&host.setup,
                                                                                    &convert, &e);
        accepted += dumped == OSVM_OK;
        if ((dumped == OSVM_OK) != (converted == OSVM_OK) || (checked == OSVM_OK &&
                                                              dumped != OSVM_OK)) {
            fprintf(stderr, "# seed %" PRIu64 ": check %d, dump %d, convert %d: %s\n",
                    first + rounds - 1, checked, dumped, converted, e.message);
            return 1;
        }
    }
    fflush(stdout);
    dup2(saved, 1);
    ok(rounds >= 20, "%" PRIu64 " images, %" PRIu64 " of them good enough to load", rounds,
       accepted);
    is_int((int64_t)host.blocks, 0, "all memory is given back");
    image_host_stop(&host);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ok(system(command) == 0, "the folder is removed");
    return done_testing();
}
