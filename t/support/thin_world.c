#include "t/support/thin_world.h"

#include <string.h>
#include <unistd.h>

#include "kernel/world/worlds.h"

static const OsvmWorld *live_of(const OsvmWorld *world)
{
    return ((WorldState *)world->state)->inner;
}

static bool is_zero(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* The file gets its size only by the next write: images never end in a whole buffer of zeros. */
static int64_t thin_write(const OsvmWorld *world, int file, const void *buffer, size_t size)
{
    if (!is_zero(buffer, size))
        return live_of(world)->write(live_of(world), file, buffer, size);
    return lseek(file, (off_t)size, SEEK_CUR) < 0 ? -errno : (int64_t)size;
}

/* Is there nothing but a hole in the next `size` bytes, and something behind it? */
static bool in_hole(int file, size_t size)
{
    off_t here = lseek(file, 0, SEEK_CUR), data = lseek(file, here, SEEK_DATA);
    lseek(file, here, SEEK_SET);
    return data >= 0 && data - here >= (off_t)size;
}

static int64_t thin_read(const OsvmWorld *world, int file, void *buffer, size_t size)
{
    if (!in_hole(file, size))
        return live_of(world)->read(live_of(world), file, buffer, size);
    return lseek(file, (off_t)size, SEEK_CUR) < 0 ? -errno : (int64_t)size;
}

OsvmWorld *thin_world_new(const OsvmWorld *live)
{
    WorldState *thin = world_state_new(sizeof *thin, "thin", live);
    thin->world.read = thin_read;
    thin->world.write = thin_write;
    return &thin->world;
}
