/* The contract between the executable and a core.
 *
 * A core holds everything that knows the width of heap words: object access,
 * interpreter, scheduler, numbered primitives, images. The executable finds the
 * width of an image file (magic number), loads the core of that width with a
 * memory manager and a collector of the same width, and calls one of the
 * functions below. Each makes a VM, does its work, and takes the VM down again.
 */
#ifndef OSVM_CORE_H
#define OSVM_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "osvm/plugin.h"

/* Everything a core needs to make a VM. Borrowed for the call. The core asks
 * `host` for its parts: host->load(host, OSVM_MM, NULL, ...), OSVM_GC, and prims by
 * module name. The state block of a memory manager begins with struct Mm, that of
 * a collector with struct Gc: the core fills in `ops`, `heap` and `inner` (of a
 * shim, down the chain of host->inner) before it calls start. */
typedef struct {
    size_t size; /* of this struct, when it was compiled */
    const OsvmHost *host;

    uint64_t eden_bytes;  /* 0: what the image asks for, else the default */
    uint64_t max_heap;    /* 0: three quarters of the machine, or all the address space */
    unsigned stack_pages; /* 0: what the image asks for, else the default */
    bool deterministic;
    const char *vm_path;  /* of the executable, for primitives 142 and 149 */
    const char *const *vm_options; /* options of the command line, NULL-terminated */
    uint64_t code_zone;   /* bytes for machine code; 0: the default */
    bool jit;             /* a back end was asked for */
    uint64_t sim_from, sim_until; /* logical time in which machine code is simulated; 0, 0: the
                                     chosen processor runs it all the time */
    bool trace_hash;      /* say the hash over all simulated instructions in the end */
    FILE *code_map;       /* host's: a line for each piece of machine code; NULL: none */
    FILE *gc_log;         /* host's: a line of JSON for each collection; NULL: none */
    const char *torture;    /* NAME[:NUMBER],...; NULL: none */
    const char *leak_check; /* subsets, `scavenges`; empty: all; NULL: none */
} CoreSetup;

typedef struct {
    const char *image;             /* path */
    const char *const *arguments;  /* for the image, NULL-terminated */
} CoreRun;

/* What to print of an image; see the subcommands of the same name. */
typedef struct {
    const char *image;
    bool json;
    bool methods;          /* dump: every method */
    const char *selection; /* dump: 'Class>>selector', a class, or an address; NULL: all */
    bool objects;          /* dump: objects rather than methods */
    bool summary;          /* decompile: only how many methods come back, and why others do not */
    bool verbose;          /* decompile: with the summary, the methods that do not */
    bool quiet;            /* check: nothing is said about a sound image */
} CoreInspect;

typedef struct {
    const char *image;  /* any width */
    const char *output; /* written in the width of this core */
} CoreConvert;

typedef struct {
    const char *file;   /* assembler text */
    const char *image;  /* to install into; NULL: methods are checked and listed only */
    const char *output; /* the changed image; NULL exactly if `image` is */
} CoreAssemble;

/* The collector laboratory's, in kernel/lab/. */
struct GcScript;
struct GcFlight;
struct GcBenchOrder;
struct GcMeasure;

/* A sequence of heap events, performed in a heap without an interpreter and compared with
 * a model of it (kernel/lab/events.h, flight.h). */
typedef struct {
    const struct GcScript *script;
    struct GcFlight *flight; /* in memory that outlives the process */
    bool leak_check;         /* after every collection */
    const char *folder;      /* for image files */
} CoreGcEvents;

/* Which methods to show as machine code: exactly one of `selection`, `source`, `asm_file`; or
 * `summary`: all are compiled and counted. */
typedef struct {
    const char *image;
    const char *selection;  /* 'Class>>selector' */
    const char *source;     /* text of a method ... */
    const char *class_name; /* ... of this class */
    const char *asm_file;   /* assembler text */
    bool bytecodes, show_source, json;
    bool summary;
} CoreDisassemble;

/* Every function answers OSVM_OK or, with `error` filled in, what went wrong; run
 * answers the exit code of the program, with `error` set only for the VM's own
 * failures. check lists its findings on standard output; whether what is printed arrives
 * is the executable's affair. Memory that a call takes from the host it gives back before
 * it ends. */
enum { OSVM_CORE_ABI = 2 };

typedef struct {
    size_t size; /* of this struct, when it was compiled */
    int (*run)(const CoreSetup *setup, const CoreRun *run,
               OsvmError *error);
    int (*info)(const CoreSetup *setup, const CoreInspect *inspect,
               OsvmError *error);
    int (*check)(const CoreSetup *setup, const CoreInspect *inspect,
               OsvmError *error);
    int (*dump)(const CoreSetup *setup, const CoreInspect *inspect,
               OsvmError *error);
    /* OSVM_UNAVAILABLE: of the other width, with several segments or another byte order; the core of
     * that width makes an image of it that this one converts. */
    int (*convert)(const CoreSetup *setup, const CoreConvert *convert,
               OsvmError *error);
    int (*assemble)(const CoreSetup *setup, const CoreAssemble *assemble,
               OsvmError *error);
    int (*gc_events)(const CoreSetup *setup, const CoreGcEvents *events, OsvmError *error);
    /* OSVM_UNAVAILABLE in builds without the JIT. */
    int (*disassemble)(const CoreSetup *setup, const CoreDisassemble *what, OsvmError *error);
    /* Test `number` of the collector's conformance suite; `name` is set to what it tests, or
     * to NULL beyond the last. `flight` NULL: only the name is wanted. */
    int (*gc_conformance)(const CoreSetup *setup, unsigned number, struct GcFlight *flight,
                          const char **name, OsvmError *error);
    /* Runs a workload of `osvm bench gc` (kernel/lab/measure.h); the process ends after it. */
    int (*gc_bench)(const CoreSetup *setup, const struct GcBenchOrder *order,
                    struct GcMeasure *measure, OsvmError *error);
    /* The name of a workload, NULL beyond the last. */
    const char *(*gc_workload)(const CoreSetup *setup, unsigned number, const char **summary);
    /* Methods as source text; those of `selection` or all. */
    int (*decompile)(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error);
    /* methods above: ABI 2 */
} CoreOps;

#endif
