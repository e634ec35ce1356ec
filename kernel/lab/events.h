/* Events of the collector laboratory: what a mutator can do to a heap, as data.
 *
 * A sequence of events works on 32 registers, which are roots. Every event has a
 * meaning in every state (what cannot be done is not done), so that any part of a
 * sequence is a sequence: that is what makes reduction simple. The text format has
 * one event a line, and `#` begins a comment:
 *
 *     eden 64K                 # settings come first
 *     new r1 ephemeron
 *     new r2 array 10 old
 *     store r1 0 r2
 *     scavenge
 */
#ifndef OSVM_LAB_EVENTS_H
#define OSVM_LAB_EVENTS_H

#include <stdio.h>

#include "osvm/plugin.h"

enum { LAB_REGISTERS = 32 };

typedef enum {
    /* Objects. */
    GC_NEW,      /* a register names a new object of a shape and size */
    GC_CLASS,    /* ... a new class, whose instances have the shape */
    GC_INSTANCE, /* ... a new instance of the class in a register */
    GC_ADOPT,    /* an object gets another class of the same shape */
    GC_STORE,    /* slot n (modulo their number; or `last`) of an object := what a register holds */
    GC_NUMBER,   /* slot n := the SmallInteger m */
    GC_LOAD,     /* register := slot n of an object */
    GC_MOVE,
    GC_CLEAR,    /* register := nil */
    GC_HASH,     /* asks for the identity hash */
    GC_BECOME,
    GC_BECOME_MANY, /* of n + 1 pairs (modulo the registers), from neighbouring registers */
    GC_PIN,
    GC_UNPIN,
    GC_FREEZE,   /* read-only from now on */
    GC_THAW,
    GC_LITTER,   /* n dead byte objects of m bytes */
    GC_CHAIN,    /* n times: register := a new Array that holds what the register held */
    GC_FILL,     /* every m-th slot of an object, from slot n on, := a new empty object */
    /* Time and memory. */
    GC_POLL,     /* collects if that is due */
    GC_SCAVENGE,
    GC_TENURE,   /* a scavenge that empties new space */
    GC_COLLECT,
    GC_MOURNER,  /* register := the next mourner, if there is one */
    GC_HOST,     /* the host gives n KiB more memory, and then no more */
    GC_SNAPSHOT, /* saves an image, reads it, compares */
    /* What an engineer changes in a heap that runs. */
    GC_COLLECTOR, /* another collector takes over */
    GC_TORTURE,   /* as --torture; 0 ends it */
    /* For scripts: what the model must say, or the script does not test what it means to. */
    GC_EXPECT_FIRED,   /* n ephemerons have fired since the start */
    GC_EXPECT_LOST,    /* n weak slots have become nil since the start */
    GC_EXPECT_REFUSED, /* n or more allocations have been refused */
    GC_EXPECT_NIL,     /* slot n of an object is nil */
    GC_OPS
} GcOp;

typedef enum {
    SHAPE_EMPTY, SHAPE_FIXED, SHAPE_ARRAY, SHAPE_VARIABLE, SHAPE_WEAK, SHAPE_EPHEMERON,
    SHAPE_CONTEXT, SHAPE_METHOD, SHAPE_BYTES, SHAPE_SHORTS, SHAPE_WORDS32, SHAPE_WORDS64,
    SHAPES,
    /* Of the shadow only: */
    SHAPE_CLASS = SHAPES,
    SHAPE_GHOST, /* an old object that is a forwarder now */
} Shape;

/* Collectors to switch to; own: the one that was selected. */
typedef enum {
    COLLECTOR_OWN, COLLECTOR_COMPACT, COLLECTOR_COMPACT_ALL, COLLECTOR_SWEEP, COLLECTOR_SWEEP_LAZY,
    COLLECTOR_NONE,
    COLLECTORS,
} CollectorChoice;

typedef enum {
    TORTURE_SCAVENGE, TORTURE_COLLECT, TORTURE_ALLOC_FAIL, TORTURE_MOVE, TORTURE_TINY_SPACES,
    TORTURE_POISON,
    TORTURES,
} TortureKind;

enum { EVENT_OLD = 1 }; /* flag: allocated in old space */
#define EVENT_LAST UINT32_MAX /* as a slot: the last one */

typedef struct {
    uint8_t op;   /* GcOp */
    uint8_t r, s; /* registers */
    uint8_t kind; /* Shape, BecomeKind, CollectorChoice or TortureKind */
    uint8_t flags;
    uint32_t n, m;
} GcEvent;

/* What a heap is made with. */
typedef struct {
    uint64_t eden;        /* bytes; 0: the least */
    uint64_t limit;       /* most bytes of old space; 0: none */
    uint64_t headroom;    /* old space grows by at least this; 0: the manager's default */
    uint64_t shrink;      /* memory is given back above this much free; 0: the default */
    bool weak_mourners;   /* weak objects that lost elements are queued */
} GcSettings;

typedef struct GcScript {
    GcSettings settings;
    GcEvent *events; /* malloced */
    size_t count;
} GcScript;

/* Reads a script. False with `error` set: file, line, what is wrong. */
bool script_read(const char *path, GcScript *script, OsvmError *error);
void script_write(const GcScript *script, FILE *file);
void script_free(GcScript *script);
/* One event as a line of a script, without the line's end. */
void event_print(const GcEvent *event, char *text, size_t size);

/* A random sequence, settings included, of `count` events. */
void script_generate(GcScript *script, uint64_t seed, size_t count);

#endif
