/* The implementations of the world vtable (osvm/world.h), and how one is chosen.
 *
 * Each world is a block with the vtable first. `live` is made of files (live.c),
 * waiting and the helper thread (pulse.c), processes (process.c) and sockets (sockets.c). The others
 * begin as a copy of the live world and replace what they treat otherwise; they
 * keep a pointer to it and do not own it. A copied function gets the wrapper and
 * finds the live world below it by `inner`.
 */
#ifndef OSVM_WORLD_WORLDS_H
#define OSVM_WORLD_WORLDS_H

#include "kernel/cli/options.h"
#include "osvm/world.h"

OsvmWorld *world_live_new(void);
OsvmWorld *world_muted_new(const OsvmWorld *inner);
OsvmWorld *world_denied_new(const OsvmWorld *inner);
/* Logical time and fixed random numbers (--deterministic); the others can wrap it as if it
 * were live. */
OsvmWorld *world_logical_new(const OsvmWorld *live);
/* `text` is a list of the options in world_faulty_options. NULL with `error` set. */
OsvmWorld *world_faulty_new(const OsvmWorld *inner, const char *text, OsvmError *error);
extern const OsvmOption world_faulty_options[];

/* Makes the world that `--world=NAME[,option=value]...` asks for, around a live
 * one. NULL with `error` set. */
OsvmWorld *world_select(const OsvmWorld *live, const char *text, OsvmError *error);
/* Prints the names and options of the worlds there are. */
void world_print_help(FILE *file);

/* Any of them. The helper thread of a live world is stopped. NULL is allowed. */
void world_free(OsvmWorld *world);

/* --- For the implementations --- */

/* What every world's `state` points to: first member of its own struct. */
typedef struct LogicalClock LogicalClock;
typedef struct WorldState {
    OsvmWorld world;
    const OsvmWorld *inner; /* what it wraps; NULL: live */
    LogicalClock *clock;    /* its own or that of `inner`; NULL: time is real */
    void (*release)(struct WorldState *state); /* frees what the struct holds; may be NULL */
} WorldState;

/* A zeroed struct of `size` bytes that begins with a WorldState. `inner` NULL: an
 * empty vtable; otherwise a copy of that of `inner`, which is live. */
void *world_state_new(size_t size, const char *name, const OsvmWorld *inner);

/* live.c, process.c, sockets.c, pulse.c: fill in their parts of a live world. */
typedef struct Pulse Pulse;
typedef struct LiveWorld {
    WorldState base;
    Pulse *pulse;
} LiveWorld;
void live_files_fill(OsvmWorld *world);
void live_processes_fill(OsvmWorld *world);
void live_sockets_fill(OsvmWorld *world);
void pulse_fill(OsvmWorld *world);
/* The helper of the live world that `world` is or wraps. */
Pulse *pulse_of(const OsvmWorld *world);
Pulse *pulse_new(void);
void pulse_free(Pulse *pulse);
/* Something outside is waited for: a file is watched. */
bool pulse_is_watching(Pulse *pulse);
/* Around a fork: the helper thread ends before it and starts again after it. */
void pulse_rest(Pulse *pulse);
void pulse_resume(Pulse *pulse, bool in_child);

#endif
