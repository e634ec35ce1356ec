/* Replacing a file atomically and durably.
 *
 * A temporary file is made beside the target, written, flushed and renamed over
 * it, and the folder is flushed. Whatever fails before the rename leaves the old
 * file as it was and nothing behind. A symbolic link is written through: the
 * file it leads to is replaced, the link stays.
 */
#ifndef OSVM_BASE_SAVE_H
#define OSVM_BASE_SAVE_H

#include "osvm/world.h"

enum { SAVE_PATH_MAX = 4096, SAVE_BUFFER = 1 << 20 };

typedef struct {
    const OsvmWorld *world;
    char target[SAVE_PATH_MAX];    /* the file that is replaced; no link */
    char directory[SAVE_PATH_MAX]; /* its folder */
    char temporary[SAVE_PATH_MAX]; /* empty: there is none */
    int file;                      /* -1: not open */
    uint8_t *buffer; /* borrowed */
    size_t used;
    bool failed; /* sticky */
    char *error; /* the first failure, a sentence */
    size_t error_size;
} Save;

/* Begins; `error` gets the sentence if it or anything later fails. `buffer` has SAVE_BUFFER bytes, to
 * be freed after save_commit; NULL: there was no memory for it, which fails too. In a world that
 * swallows what is written nothing can be saved. */
bool save_begin(Save *save, const OsvmWorld *world, void *buffer, const char *path, char *error,
                size_t error_size);
/* Appends. Failures stick and come out of save_commit. */
void save_put(Save *save, const void *data, size_t size);
/* Says why the save cannot be finished, if nothing else has gone wrong before. */
void save_fail(Save *save, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends: the new file is in place (true), or the old one as it was and nothing left over. */
bool save_commit(Save *save);

#endif
