/* Which heap width an image file has, from the magic number it begins with.
 *
 * The number stands in the file's own byte order, at its start or behind a prefix
 * of 512 bytes (a script line). Everything else is the core's to read and check.
 */
#include "cli.h"

#include <string.h>

enum {
    PREFIX = 512,
    MAGIC_32 = 6521,
    MAGIC_64 = 68021,
    SEVERAL_BYTECODE_SETS = 0x200 /* a bit of both */
};

/* Formats older than Spur, to be named when they are refused. */
static const struct {
    uint32_t magic;
    const char *name;
} old_formats[] = {
    {6502, "a 32-bit image from before closures"},
    {6504, "a 32-bit image of the format before Spur, with closures"},
    {6505, "a 32-bit image of the format before Spur, with closures and native floats"},
    {68000, "a 64-bit image from before closures"},
    {68002, "a 64-bit image of the format before Spur, with closures"},
    {68004, "a 64-bit image of the format before Spur"},
    {68019, "a 64-bit image of the first Spur layout, which is no longer in use"},
    {68003, "a 64-bit image of the format before Spur, with closures and native floats"},
};

static unsigned bits_of(uint32_t magic)
{
    magic &= ~(uint32_t)SEVERAL_BYTECODE_SETS;
    return magic == MAGIC_32 ? 32 : magic == MAGIC_64 ? 64 : 0;
}

static const char *old_format(uint32_t magic)
{
    for (size_t i = 0; i < sizeof old_formats / sizeof *old_formats; i++)
        if (old_formats[i].magic == magic)
            return old_formats[i].name;
    return NULL;
}

static bool refuse(const char *path, const unsigned char *start, OsvmError *error)
{
    uint32_t magic;
    memcpy(&magic, start, sizeof magic);
    const char *old = old_format(magic) ? old_format(magic) : old_format(__builtin_bswap32(magic));
    if (old)
        return error_set(error, OSVM_BAD_DATA, "'%s' is %s; this VM reads Spur images", path, old);
    return error_set(error, OSVM_BAD_DATA,
                     "'%s' is no Spur image: it begins with %02x %02x %02x %02x, which is no magic "
                     "number",
                     path, start[0], start[1], start[2], start[3]);
}

/* Reads 4 bytes at `offset`; false at the end of the file. */
static int read_start(const OsvmWorld *world, int file, int64_t offset, unsigned char start[4])
{
    int64_t answer = world->seek(world, file, offset, OSVM_SEEK_SET);
    if (answer >= 0)
        answer = world_read_all(world, file, start, 4);
    return (int)answer;
}

static unsigned detect(const OsvmWorld *world, int file, const char *path, OsvmError *error)
{
    unsigned char first[4] = {0}, start[4];
    for (int64_t offset = 0; offset <= PREFIX; offset += PREFIX) {
        int count = read_start(world, file, offset, start);
        if (count < 0) {
            error_set(error, OSVM_NO_INPUT, "cannot read '%s': %s", path, strerror(-count));
            return 0;
        }
        if (count < 4 && offset == 0) {
            error_set(error, OSVM_BAD_DATA, "'%s' is no Spur image: it has %d bytes", path, count);
            return 0;
        }
        uint32_t magic;
        memcpy(&magic, start, sizeof magic);
        unsigned bits = bits_of(magic) ? bits_of(magic) : bits_of(__builtin_bswap32(magic));
        if (count == 4 && bits)
            return bits;
        if (offset == 0)
            memcpy(first, start, sizeof first);
    }
    refuse(path, first, error);
    return 0;
}

unsigned image_heap_bits(const OsvmWorld *world, const char *path, OsvmError *error)
{
    int file = world->open(world, path, OSVM_READ, 0);
    if (file < 0) {
        error_set(error, OSVM_NO_INPUT, "cannot open image '%s': %s", path, strerror(-file));
        return 0;
    }
    unsigned bits = detect(world, file, path, error);
    world->close(world, file);
    return bits;
}
