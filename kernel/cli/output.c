#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* All of it, or the reason and 0, as stdio expects it from a cookie. */
static ssize_t output_write(void *cookie, const char *bytes, size_t size)
{
    Output *output = cookie;
    for (size_t done = 0; done < size;) {
        ssize_t count = write(output->file, bytes + done, size - done);
        if (count > 0) {
            done += (size_t)count;
        } else if (count < 0 && errno != EINTR) {
            output->reason = output->reason ? output->reason : errno;
            return 0;
        }
    }
    return (ssize_t)size;
}

void output_on(Output *output, int file)
{
    *output = (Output){.file = file};
    output->stream = fopencookie(output, "w", (cookie_io_functions_t){.write = output_write});
    if (output->stream && isatty(file))
        setvbuf(output->stream, NULL, _IOLBF, 0);
}

bool output_open(Output *output, const char *path, bool append)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    if (file < 0)
        return false;
    output_on(output, file);
    return output->stream;
}

bool output_close(Output *output)
{
    FILE *stream = output->stream;
    if (!stream)
        return true;
    output->stream = NULL;
    bool failed = fclose(stream) != 0;
    if (close(output->file) < 0 && !output->reason)
        output->reason = errno;
    errno = output->reason ? output->reason : errno;
    return !failed && !output->reason;
}
