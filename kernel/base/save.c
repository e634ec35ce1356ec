#include "save.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINKS_MAX = 40, NAMES_MAX = 100, NEW_FILE_MODE = 0666 };

void save_fail(Save *save, const char *format, ...)
{
    va_list arguments;
    if (!save->failed && save->error_size) {
        va_start(arguments, format);
        vsnprintf(save->error, save->error_size, format, arguments);
        va_end(arguments);
    }
    save->failed = true;
}

static bool io_failed(Save *save, const char *what, const char *path, int64_t result)
{
    save_fail(save, "cannot %s %s: %s", what, path, strerror((int)-result));
    return false;
}

static bool path_too_long(Save *save, const char *path)
{
    return io_failed(save, "write", path, -ENAMETOOLONG);
}

/* Puts the folder part of `path` into `directory`. */
static void directory_of(const char *path, char directory[SAVE_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (!slash)
        strcpy(directory, ".");
    else if (length == 0)
        strcpy(directory, "/");
    else {
        memcpy(directory, path, length);
        directory[length] = 0;
    }
}

/* Replaces save->target, a symbolic link, by what it leads to. */
static bool follow_link(Save *save)
{
    char link[SAVE_PATH_MAX], directory[SAVE_PATH_MAX];
    const OsvmWorld *world = save->world;
    int result = world->read_link(world, save->target, link, sizeof link);
    if (result < 0)
        return io_failed(save, "read the link", save->target, result);
    directory_of(save->target, directory);
    int length = link[0] == '/' ? snprintf(save->target, SAVE_PATH_MAX, "%s", link)
                                : snprintf(save->target, SAVE_PATH_MAX, "%s/%s", directory, link);
    return length < SAVE_PATH_MAX || path_too_long(save, link);
}

/* Finds the file behind `path`, which need not exist, and its permission bits. */
static bool find_target(Save *save, const char *path, int *mode)
{
    const OsvmWorld *world = save->world;
    OsvmStat stat;
    *mode = -1;
    if (snprintf(save->target, SAVE_PATH_MAX, "%s", path) >= SAVE_PATH_MAX)
        return path_too_long(save, path);
    for (int links = 0; links < LINKS_MAX; links++) {
        int result = world->stat(world, save->target, false, &stat);
        if (result == -ENOENT)
            return true;
        if (result < 0)
            return io_failed(save, "look at", save->target, result);
        if (stat.kind == OSVM_FILE) {
            *mode = (int)stat.mode;
            return true;
        }
        if (stat.kind != OSVM_LINK)
            return io_failed(save, "replace", save->target,
                             stat.kind == OSVM_DIRECTORY ? -EISDIR : -EINVAL);
        if (!follow_link(save))
            return false;
    }
    return io_failed(save, "follow", path, -ELOOP);
}

/* A file that its owner has protected is not replaced, though the folder would allow it, nor by
 * root, who may write anything. */
static bool check_writable(Save *save, unsigned mode)
{
    const OsvmWorld *world = save->world;
    if (!(mode & 0222))
        return io_failed(save, "write", save->target, -EACCES);
    int file = world->open(world, save->target, OSVM_WRITE, 0);
    if (file < 0)
        return io_failed(save, "write", save->target, file);
    world->close(world, file);
    return true;
}

static bool make_temporary(Save *save)
{
    const OsvmWorld *world = save->world;
    int result = -EEXIST, process = world->process_id(world);
    for (int i = 0; i < NAMES_MAX && result == -EEXIST; i++) {
        int length = snprintf(save->temporary, SAVE_PATH_MAX, "%s/.osvm-%d-%d.tmp", save->directory,
                              process, i);
        if (length >= SAVE_PATH_MAX) {
            save->temporary[0] = 0;
            return path_too_long(save, save->target);
        }
        result = world->open(world, save->temporary, OSVM_WRITE | OSVM_CREATE | OSVM_EXCLUSIVE,
                             NEW_FILE_MODE);
    }
    if (result < 0) {
        save->temporary[0] = 0;
        return io_failed(save, "make a file in", save->directory, result);
    }
    save->file = result;
    return true;
}

bool save_begin(Save *save, const OsvmWorld *world, void *buffer, const char *path, char *error,
                size_t error_size)
{
    int mode;
    memset(save, 0, sizeof *save);
    save->world = world;
    save->buffer = buffer;
    save->file = -1;
    save->error = error;
    save->error_size = error_size;
    if (!buffer) {
        save_fail(save, "no memory left to save");
        return false;
    }
    if (world->swallows) {
        save_fail(save, "nothing is written in the world '%s', so %s cannot be saved", world->name,
                  path);
        return false;
    }
    if (!find_target(save, path, &mode) || (mode >= 0 && !check_writable(save, (unsigned)mode)))
        return false;
    directory_of(save->target, save->directory);
    if (!make_temporary(save))
        return false;
    int result = mode >= 0 ? world->set_mode(world, save->file, (unsigned)mode) : 0;
    return result < 0 ? io_failed(save, "set the mode of", save->temporary, result) : true;
}

static void flush(Save *save)
{
    if (!save->failed && save->used) {
        int result = world_write_all(save->world, save->file, save->buffer, save->used);
        if (result < 0)
            io_failed(save, "write", save->temporary, result);
    }
    save->used = 0;
}

void save_put(Save *save, const void *data, size_t size)
{
    const uint8_t *from = data;
    while (size && !save->failed) {
        size_t part = SAVE_BUFFER - save->used < size ? SAVE_BUFFER - save->used : size;
        memcpy(save->buffer + save->used, from, part);
        save->used += part;
        from += part;
        size -= part;
        if (save->used == SAVE_BUFFER)
            flush(save);
    }
}

/* The data on the device, the name changed. */
static void put_in_place(Save *save)
{
    const OsvmWorld *world = save->world;
    int result = world->sync(world, save->file);
    if (result < 0)
        io_failed(save, "flush", save->temporary, result);
    result = world->close(world, save->file);
    save->file = -1;
    if (result < 0)
        io_failed(save, "close", save->temporary, result);
    if (save->failed)
        return;
    result = world->rename(world, save->temporary, save->target);
    if (result < 0) {
        io_failed(save, "replace", save->target, result);
        return;
    }
    save->temporary[0] = 0;
    result = world->sync_directory(world, save->directory);
    if (result < 0)
        save_fail(save, "%s is saved, but its folder cannot be flushed (%s): after a power failure "
                  "the old file may be back", save->target, strerror(-result));
}

bool save_commit(Save *save)
{
    const OsvmWorld *world = save->world;
    if (save->file >= 0) {
        flush(save);
        if (!save->failed)
            put_in_place(save);
    }
    if (save->file >= 0)
        world->close(world, save->file);
    if (save->temporary[0])
        world->unlink(world, save->temporary);
    save->file = -1;
    return !save->failed;
}
