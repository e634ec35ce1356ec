/* The checked half that every collector shares: a collector that forwards to
 * another one and verifies it against osvm/gc.h.
 *
 * Rules it checks, named in its reports:
 *  S1  arguments are what the contract says, calls come in an order that makes sense;
 *  S2  memory handed out is aligned, inside old space, and not in use;
 *  S3  what is returned or freed was handed out;
 *  S4  old space is walkable: sizes add up, from old_start to old_end;
 *  S5  every reference leads to an object: not into one, not to a free chunk or,
 *      after a collection, a forwarder; class indices name classes;
 *  S6  a collection keeps the graph that can be reached: shapes, contents, classes,
 *      and the addresses of pinned and young objects.
 * A breach ends the process with a sentence that names object, address and rule.
 * Memory handed out is poisoned before, memory freed after its use.
 */
#ifndef OSVM_PLUGINS_GC_SHIM_H
#define OSVM_PLUGINS_GC_SHIM_H

#include "osvm/heap.h"
#include "osvm/plugin.h"

typedef struct {
    Gc gc; /* first; gc.inner is what it stands before */
    const OsvmHost *host;
    GcOps ops;      /* ours, with the facts of the inner collector */
    bool started;
    bool collecting;
    Word known_end; /* old_end as the collector was last told */
    uint64_t *used; /* one bit for each 8 bytes of [old_start, used_limit): handed out */
    Word used_limit;
} Shim;

/* Sum over the graph; see verify.c. */
typedef uint64_t Digest;

/* verify.c */
/* Walks old space (S4), verifies references (S5), and sets the bits of `used`
 * anew. Forwarders may be referred to only before a collection. */
void shim_verify_heap(Shim *shim, bool forwarders_allowed);
/* The graph that can be reached from the core's roots and `mourners` mourners: a
 * number free of addresses, those of pinned and young objects excepted. */
Digest shim_digest(Shim *shim, Word mourners);
Word shim_count_mourners(Shim *shim);

/* shim.c */
bool shim_is_used(const Shim *shim, Word address);
void shim_set_used(Shim *shim, Word start, Word end, bool used);

#endif
