#include "read_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Makes room for more, and for a NUL. */
static bool grow(char **text, size_t *room)
{
    size_t more = *room ? 2 * *room : 1 << 16;
    char *larger = realloc(*text, more + 1);
    if (!larger)
        return false;
    *text = larger;
    *room = more;
    return true;
}

char *read_text(ReadText *read, const void *from, int file, size_t *length, int *failure)
{
    size_t room = 0, used = 0;
    char *text = NULL;
    int64_t count;
    do {
        if (used > READ_TEXT_MAX)
            count = -EFBIG;
        else if (used == room && !grow(&text, &room))
            count = -ENOMEM;
        else
            count = read(from, file, text + used,
                         room > READ_TEXT_MAX ? READ_TEXT_MAX + 1 - used : room - used);
        used += count > 0 ? (size_t)count : 0;
    } while (count > 0 || count == -EINTR);
    if (count < 0) {
        *failure = (int)-count;
        free(text);
        return NULL;
    }
    text[used] = 0;
    *length = used;
    return text;
}

static int64_t read_descriptor(const void *from, int file, void *bytes, size_t size)
{
    ssize_t count = read(file, bytes, size);
    return count < 0 ? -errno : count;
}

char *read_text_file(const char *path, size_t *length, int *failure)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        *failure = errno;
        return NULL;
    }
    char *text = read_text(read_descriptor, NULL, file, length, failure);
    close(file);
    return text;
}

char *read_text_input(size_t *length, int *failure)
{
    return read_text(read_descriptor, NULL, STDIN_FILENO, length, failure);
}
