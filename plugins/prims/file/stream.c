#include "stream.h"

#include <stdlib.h>
#include <string.h>

static int need_buffer(Stream *stream)
{
    if (!stream->buffer)
        stream->buffer = malloc(STREAM_BUFFER);
    return stream->buffer ? 0 : -ENOMEM;
}

/* As much as can be written: the count, or -errno where that is nothing. */
static int64_t write_some(const OsvmWorld *world, Stream *stream, const uint8_t *from, size_t count)
{
    size_t done = 0;
    while (done < count) {
        int64_t written = world->write(world, stream->file, from + done, count - done);
        if (written == -EINTR)
            continue;
        if (written <= 0)
            return done ? (int64_t)done : written ? written : -EIO;
        done += (size_t)written;
    }
    return (int64_t)done;
}

int stream_flush(const OsvmWorld *world, Stream *stream)
{
    while (stream->writing && stream->filled) {
        int64_t written = write_some(world, stream, stream->buffer, stream->filled);
        if (written < 0)
            return (int)written;
        stream->filled -= (size_t)written;
        memmove(stream->buffer, stream->buffer + written, stream->filled);
    }
    return 0;
}

/* Makes the buffer one of written (or read) bytes; the file's position becomes the stream's. */
static int set_direction(const OsvmWorld *world, Stream *stream, bool writing)
{
    if (stream->writing == writing)
        return 0;
    int failure = stream_flush(world, stream);
    if (!stream->writing && stream->filled > stream->used) {
        int64_t back = (int64_t)(stream->filled - stream->used);
        int64_t moved = world->seek(world, stream->file, -back, OSVM_SEEK_CURRENT);
        if (moved < 0 && moved != -ESPIPE)
            failure = (int)moved;
    }
    if (failure)
        return failure;
    stream->writing = writing;
    stream->filled = stream->used = 0;
    return 0;
}

static int64_t read_some(const OsvmWorld *world, Stream *stream, void *to, size_t count)
{
    int64_t got;
    do
        got = world->read(world, stream->file, to, count);
    while (got == -EINTR);
    return got;
}

static size_t take_buffered(Stream *stream, uint8_t *to, size_t count)
{
    size_t have = stream->filled - stream->used;
    if (have > count)
        have = count;
    if (have)
        memcpy(to, stream->buffer + stream->used, have);
    stream->used += have;
    return have;
}

/* A terminal or pipe answers what there is; a file is read until the count or the end. */
int64_t stream_read(const OsvmWorld *world, Stream *stream, void *to, size_t count)
{
    int failure = set_direction(world, stream, false);
    if (!failure)
        failure = need_buffer(stream);
    if (failure)
        return failure;
    size_t done = take_buffered(stream, to, count);
    while (done < count) {
        bool direct = count - done >= STREAM_BUFFER;
        int64_t got = direct ? read_some(world, stream, (uint8_t *)to + done, count - done)
                             : read_some(world, stream, stream->buffer, STREAM_BUFFER);
        if (got < 0)
            return done ? (int64_t)done : got;
        if (got == 0)
            break;
        if (direct)
            done += (size_t)got;
        else {
            stream->filled = (size_t)got;
            stream->used = 0;
            done += take_buffered(stream, (uint8_t *)to + done, count - done);
        }
        if (stream->standard)
            break;
    }
    return (int64_t)done;
}

int64_t stream_write(const OsvmWorld *world, Stream *stream, const void *from, size_t count)
{
    int failure = set_direction(world, stream, true);
    if (!failure)
        failure = need_buffer(stream);
    if (!failure && stream->filled + count > STREAM_BUFFER)
        failure = stream_flush(world, stream);
    if (failure)
        return failure;
    if (count > STREAM_BUFFER)
        return write_some(world, stream, from, count);
    if (count) {
        memcpy(stream->buffer + stream->filled, from, count);
        stream->filled += count;
    }
    /* What a terminal does not take stays in the buffer, for the next flush to complain of. */
    if (stream->interactive && memchr(from, '\n', count))
        stream_flush(world, stream);
    return (int64_t)count;
}

int64_t stream_position(const OsvmWorld *world, Stream *stream)
{
    int64_t at = world->seek(world, stream->file, 0, OSVM_SEEK_CURRENT);
    if (at < 0)
        return at;
    return stream->writing ? at + (int64_t)stream->filled
                           : at - (int64_t)(stream->filled - stream->used);
}

int stream_seek(const OsvmWorld *world, Stream *stream, int64_t position)
{
    int failure = stream_flush(world, stream);
    if (failure)
        return failure;
    int64_t at = world->seek(world, stream->file, position, OSVM_SEEK_SET);
    if (at < 0)
        return (int)at;
    stream->filled = stream->used = 0;
    return 0;
}

int64_t stream_size(const OsvmWorld *world, Stream *stream)
{
    OsvmStat stat;
    int failure = stream_flush(world, stream);
    if (!failure)
        failure = world->stat_file(world, stream->file, &stat);
    return failure ? failure : stat.size;
}

int stream_truncate(const OsvmWorld *world, Stream *stream, int64_t size)
{
    int failure = stream_flush(world, stream);
    return failure ? failure : world->truncate(world, stream->file, size);
}

int stream_at_end(const OsvmWorld *world, Stream *stream, bool *at_end)
{
    OsvmStat stat;
    *at_end = false;
    if (!stream->writing && stream->used < stream->filled)
        return 0;
    int failure = world->stat_file(world, stream->file, &stat);
    if (failure)
        return failure;
    if (stat.kind == OSVM_FILE) {
        int64_t size = stream_size(world, stream), at = stream_position(world, stream);
        *at_end = at >= size;
        return size < 0 ? (int)size : at < 0 ? (int)at : 0;
    }
    if (stream->writing || need_buffer(stream) || stream->interactive)
        return 0;
    int64_t got = read_some(world, stream, stream->buffer, STREAM_BUFFER);
    stream->used = 0;
    stream->filled = got > 0 ? (size_t)got : 0;
    *at_end = got == 0;
    return got < 0 ? (int)got : 0;
}

int stream_close(const OsvmWorld *world, Stream *stream)
{
    int failure = stream_flush(world, stream);
    if (!stream->standard) {
        int closed = world->close(world, stream->file);
        failure = failure ? failure : closed;
    }
    free(stream->buffer);
    stream->buffer = NULL;
    stream->filled = stream->used = 0;
    stream->file = -1;
    stream->generation++;
    return failure;
}
