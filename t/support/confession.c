#include "t/support/confession.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

const char *confession(void (*crime)(void *context), void *context)
{
    static char text[4096];
    int ends[2], status;
    fflush(stdout);
    if (pipe(ends))
        return "no pipe";
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        crime(context);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? text : "it was not caught";
}
