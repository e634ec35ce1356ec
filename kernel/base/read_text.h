/* Texts that somebody wrote, read whole: from a file, a pipe or a device, whose size is not known before. */
#ifndef OSVM_BASE_READ_TEXT_H
#define OSVM_BASE_READ_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { READ_TEXT_MAX = 1 << 26 }; /* more is no text that somebody wrote, or has no end */

/* At most `size` bytes: how many, 0 at the end, or -errno. */
typedef int64_t ReadText(const void *from, int file, void *bytes, size_t size);

/* The text with a NUL behind it, for the caller to free; NULL with an errno in `failure`. */
char *read_text(ReadText *read, const void *from, int file, size_t *length, int *failure);
char *read_text_file(const char *path, size_t *length, int *failure);
char *read_text_input(size_t *length, int *failure);

#endif
