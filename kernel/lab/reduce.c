/* Reduction: delta debugging (ddmin; Zeller and Hildebrandt 2002) on the events, then
 * smaller numbers and plainer settings. Any sequence of events is a sequence, so nothing
 * has to be repaired after a cut; a candidate counts when it still finds something by
 * the same instrument. */
#include "kernel/lab/trial.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_HANGS = 20 };

typedef struct {
    Lab *lab;
    FoundBy wanted;
    GcScript *script; /* the smallest yet */
    unsigned hangs_left; /* a hang is waited for: not without end */
    void (*say)(void *context, size_t count);
    void *context;
} Reduction;

static bool still_fails(Reduction *r, const GcScript *candidate)
{
    if (!r->hangs_left || lab_try(r->lab, candidate) != r->wanted)
        return false;
    r->hangs_left -= r->wanted == FOUND_BY_HANG;
    return true;
}

static void take(Reduction *r, const GcScript *candidate)
{
    memcpy(r->script->events, candidate->events, candidate->count * sizeof(GcEvent));
    r->script->count = candidate->count;
    r->script->settings = candidate->settings;
    r->say(r->context, r->script->count);
}

/* What comes after the event that failed has no part in it. */
static void cut_tail(Reduction *r)
{
    GcScript head = *r->script;
    uint64_t event = r->lab->flight->event;
    if (event + 1 >= head.count)
        return;
    head.count = event + 1;
    if (still_fails(r, &head))
        take(r, &head);
}

/* Leaves out [from, from + length) if that still fails. */
static bool leave_out(Reduction *r, GcEvent *space, size_t from, size_t length)
{
    GcScript candidate = {.settings = r->script->settings, .events = space};
    size_t rest = r->script->count - from - length;
    memcpy(space, r->script->events, from * sizeof *space);
    memcpy(space + from, r->script->events + from + length, rest * sizeof *space);
    candidate.count = from + rest;
    if (!candidate.count || !still_fails(r, &candidate))
        return false;
    size_t end = (size_t)r->lab->flight->event + 1;
    if (end < candidate.count)
        candidate.count = end;
    take(r, &candidate);
    return true;
}

/* One pass with pieces of a length; answers whether anything could go. */
static bool pass(Reduction *r, GcEvent *space, size_t length)
{
    bool smaller = false;
    for (size_t end = r->script->count; end > 0;) {
        size_t from = end > length ? end - length : 0;
        if (leave_out(r, space, from, end - from)) {
            smaller = true;
            if (from > r->script->count)
                from = r->script->count;
        }
        end = from;
    }
    return smaller;
}

static void minimise(Reduction *r)
{
    GcEvent *space = calloc(r->script->count + 1, sizeof *space);
    REQUIRE(space, "the host has no memory to reduce a script");
    size_t length = r->script->count / 2;
    while (length) {
        bool smaller = pass(r, space, length);
        if (length == 1 && !smaller)
            break;
        length = length > 1 ? length / 2 : 1;
    }
    free(space);
}

/* ---- Plainer ---- */

static bool try_number(Reduction *r, uint32_t *number, uint32_t value)
{
    uint32_t before = *number;
    if (value >= before)
        return false;
    *number = value;
    if (still_fails(r, r->script))
        return true;
    *number = before;
    return false;
}

static void shrink_number(Reduction *r, uint32_t *number)
{
    if (!try_number(r, number, 0))
        while (try_number(r, number, *number / 2))
            ;
}

static void try_setting(Reduction *r, uint64_t *setting)
{
    uint64_t before = *setting;
    *setting = 0;
    if (before && !still_fails(r, r->script))
        *setting = before;
}

static void simplify(Reduction *r)
{
    GcSettings *s = &r->script->settings;
    try_setting(r, &s->shrink);
    try_setting(r, &s->headroom);
    try_setting(r, &s->eden);
    try_setting(r, &s->limit);
    bool weak_mourners = s->weak_mourners;
    s->weak_mourners = false;
    s->weak_mourners = weak_mourners && !still_fails(r, r->script);
    for (size_t i = 0; i < r->script->count; i++) {
        shrink_number(r, &r->script->events[i].n);
        shrink_number(r, &r->script->events[i].m);
    }
}

void lab_reduce(Lab *lab, GcScript *script, void (*say)(void *context, size_t count),
                void *context)
{
    Reduction r = {lab, lab->flight->found, script, MOST_HANGS, say, context};
    cut_tail(&r);
    minimise(&r);
    simplify(&r);
    minimise(&r);
    lab_try(lab, script); /* leaves the finding of the reduced script behind */
}
