/* A collector on a test bench: loads a plugin, gives it a heap with the mock
 * host's image and the mock memory manager, allocates, collects.
 *
 * rig_digest() sums up the graph that can be reached from the roots: a number that
 * depends on shapes, contents and order of traversal, never on addresses. It is the
 * independent judge of a collection: the digest after it equals the one before.
 */
#ifndef OSVM_T_GC_RIG_H
#define OSVM_T_GC_RIG_H

#include "mock_mm.h"
#include "plugin_user.h"

typedef struct {
    const char *file;         /* of the plugin */
    const char *shim;         /* file of the collector shim to put in front, or NULL */
    const PluginOption *options; /* closed by an entry without name; NULL: defaults */
    size_t young_bytes;       /* eden; 0: 1 MiB */
    size_t old_bytes;         /* old space at first; 0: 4 MiB */
    size_t limit_bytes;       /* old space at most; 0: four times old_bytes */
} RigSetup;

typedef struct {
    RigSetup setup;
    MockHost *host;
    Heap *heap;
    MockMm mm;
    PluginUser collector, shim;
    Gc *gc;                 /* what heap.gc is: the shim, or the collector */
    GcResult result;        /* of the last collection */
    char error[2048];
    uint64_t random;        /* state of rig_random */
} Rig;

/* False, with `error` filled in, when the plugin cannot be had. */
bool rig_open(Rig *rig, const RigSetup *setup);
void rig_close(Rig *rig);

/* Old space, from the collector; every slot nil or zero. NO_OOP: no room. */
Oop rig_old(Rig *rig, Word slots, unsigned format, Word class_index);
/* Eden. */
Oop rig_young(Rig *rig, Word slots, unsigned format, Word class_index);
bool rig_extend(Rig *rig, Word bytes);
void rig_collect(Rig *rig);

uint64_t rig_random(Rig *rig);

/* ---- gc_judge.c ---- */

/* Findings of the collector's self_check and of a walk through old space and eden
 * (class indices, references, sizes, free bytes). Each is printed as a comment. */
size_t rig_check(Rig *rig);
/* Weak slots count as nil if nothing else reaches what they name. Ephemerons are
 * taken as strong. Forwarders are followed. */
uint64_t rig_digest(Rig *rig);
/* Objects (free chunks apart) in old space, and their bytes. */
Word rig_count_old(Rig *rig, Word *bytes);

#endif
