/* One call of a core in a process of its own, as the executable would make it: with the plugins of a folder, a
 * host that counts and refuses, and a world that counts waits. */
#ifndef OSVM_T_CORE_RIG_H
#define OSVM_T_CORE_RIG_H

#include "osvm/core.h"

enum { CORE_OUTPUT = 4096 };

typedef struct {
    const char *folder;    /* of the core; the build's plugins are found beside */
    const char *core;      /* NAME[:VARIANT], as on the command line */
    const char *gc;        /* the same; NULL: the default */
    bool checked;          /* memory manager and collector too */
    unsigned width;
    const char *torture, *leak_check;
    bool deterministic, jit, denied;
    size_t fail_allocation; /* of the host: the so many-th alone; 0: none */
    OsvmKind refused;       /* kind that cannot be loaded; OSVM_KINDS: all can */
    unsigned times;         /* how often the call is made, in one process; 0: once */
} CoreRigSetup;

typedef enum { CORE_RUN, CORE_CHECK, CORE_INFO, CORE_DUMP, CORE_DECOMPILE, CORE_CONVERT, CORE_ASSEMBLE } CoreCallKind;

typedef struct {
    CoreCallKind kind;
    const char *image, *output;        /* the second of CORE_CONVERT and CORE_ASSEMBLE */
    const char *const *arguments;      /* of CORE_RUN */
    const char *text;                  /* file of CORE_ASSEMBLE */
} CoreCall;

typedef struct {
    bool returned;         /* the process did not die in it */
    int status;            /* of the process, as waitpid says */
    int code;              /* that the core answered */
    OsvmError error;
    long blocks;           /* of the host's memory that are left */
    size_t allocations;    /* it asked for */
    unsigned waits;        /* of the world */
    char output[CORE_OUTPUT]; /* standard output */
    char complaints[CORE_OUTPUT]; /* standard error */
} CoreOutcome;

CoreOutcome core_rig_call(const CoreRigSetup *setup, const CoreCall *call);

#endif
