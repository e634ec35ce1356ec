/* Open files with a buffer each, named by slots that a stale handle cannot reach. */
#ifndef OSVM_PRIMS_FILE_STREAM_H
#define OSVM_PRIMS_FILE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "osvm/world.h"

enum { STREAM_BUFFER = 16 * 1024 };

/* The buffer holds either bytes read ahead (`used` of `filled`) or bytes not yet written
 * (`filled`), never both. */
typedef struct {
    int file;            /* of the world; -1: the slot is free */
    uint32_t generation; /* of the slot; part of every handle */
    bool writable;
    bool standard;       /* one of the three the process began with: never closed */
    bool writing;        /* what the buffer holds */
    bool interactive;    /* a terminal: written lines go out at once */
    size_t filled, used;
    uint8_t *buffer;     /* STREAM_BUFFER bytes, NULL until needed */
} Stream;

/* All answer 0 or a count, else -errno; what could not be written stays in the buffer, to be tried again. */
int64_t stream_read(const OsvmWorld *world, Stream *stream, void *to, size_t count);
int64_t stream_write(const OsvmWorld *world, Stream *stream, const void *from, size_t count);
int stream_flush(const OsvmWorld *world, Stream *stream);
int64_t stream_position(const OsvmWorld *world, Stream *stream);
int stream_seek(const OsvmWorld *world, Stream *stream, int64_t position);
int64_t stream_size(const OsvmWorld *world, Stream *stream);
int stream_truncate(const OsvmWorld *world, Stream *stream, int64_t size);
/* True at the end of the file; of a pipe or terminal only once the end was read. */
int stream_at_end(const OsvmWorld *world, Stream *stream, bool *at_end);
int stream_close(const OsvmWorld *world, Stream *stream);

#endif
