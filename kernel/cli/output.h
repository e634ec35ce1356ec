/* Streams that know why they failed: stdio keeps only that they did. */
#ifndef OSVM_CLI_OUTPUT_H
#define OSVM_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

typedef struct Output {
    FILE *stream; /* NULL: none is open */
    int file;     /* the descriptor; owned */
    int reason;   /* errno of the first write that failed; 0: none did */
} Output;

/* Nothing may move an Output while it is open. */
void output_on(Output *output, int file);
/* A new file, or behind what is in it. False: errno says why. */
bool output_open(Output *output, const char *path, bool append);
/* Writes what is left, and closes. Has all arrived? Else errno says why not. */
bool output_close(Output *output);

#endif
