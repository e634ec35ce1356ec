/* Random sequences. Each has weights of its own for the kinds of events, some of them
 * zero: sequences that do few things often find what a uniform mixture buries (swarm
 * testing, Groce, Zhang, Eide, Chen, Regehr 2012). */
#include "kernel/lab/events.h"

#include <stdlib.h>

typedef struct {
    uint64_t random;
    unsigned weights[GC_OPS], total;
    unsigned shapes[SHAPES], shape_total;
    unsigned registers; /* in use: few make graphs that are connected, many keep more alive */
    unsigned long_size; /* below which a large object's size lies */
    GcEvent pending[8]; /* what is to come next, the last first */
    unsigned pending_count;
} Generator;

/* xorshift64* (Marsaglia 2003, Vigna 2016) */
static uint64_t next(Generator *g)
{
    g->random ^= g->random >> 12;
    g->random ^= g->random << 25;
    g->random ^= g->random >> 27;
    return g->random * 0x2545F4914F6CDD1Du;
}

static unsigned below(Generator *g, unsigned limit)
{
    return (unsigned)((next(g) >> 33) % limit);
}

/* Neighbouring seeds give unrelated sequences (splitmix64, Steele, Lea, Flood 2014). */
static uint64_t spread(uint64_t seed)
{
    seed += 0x9E3779B97F4A7C15u;
    seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9u;
    seed = (seed ^ seed >> 27) * 0x94D049BB133111EBu;
    seed ^= seed >> 31;
    return seed ? seed : 1;
}

/* ---- What a sequence is like ---- */

static const struct {
    uint8_t op;
    uint16_t weight;
    bool optional; /* absent from some sequences, frequent in others */
} usual[] = {
    {GC_NEW, 3000, false},   {GC_STORE, 3000, false}, {GC_NUMBER, 300, false},
    {GC_LOAD, 800, false},   {GC_MOVE, 100, false},   {GC_CLEAR, 100, false},
    {GC_CLASS, 60, true},    {GC_INSTANCE, 400, true}, {GC_ADOPT, 100, true},
    {GC_HASH, 100, true},    {GC_BECOME, 150, true},  {GC_PIN, 80, true},
    {GC_UNPIN, 60, true},    {GC_FREEZE, 50, true},   {GC_THAW, 50, true},
    {GC_LITTER, 150, true},  {GC_MOURNER, 120, true}, {GC_POLL, 400, false},
    {GC_SCAVENGE, 120, true}, {GC_TENURE, 30, true},  {GC_COLLECT, 60, true},
    {GC_SNAPSHOT, 1, true},  {GC_HOST, 2, true},      {GC_CHAIN, 20, true},
    {GC_FILL, 30, true},     {GC_BECOME_MANY, 40, true}, {GC_COLLECTOR, 12, true},
    {GC_TORTURE, 12, true},
};

static void choose_weights(Generator *g)
{
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        static const uint8_t factors[] = {0, 1, 1, 1, 3};
        unsigned weight = usual[i].weight;
        if (usual[i].optional)
            weight *= factors[below(g, sizeof factors)];
        g->weights[usual[i].op] = weight;
        g->total += weight;
    }
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        bool special = shape == SHAPE_WEAK || shape == SHAPE_EPHEMERON;
        g->shapes[shape] = below(g, 4) * (special ? 3 : 1) + 1;
        g->shape_total += g->shapes[shape];
    }
}

static void choose_settings(Generator *g, GcSettings *s)
{
    static const uint32_t limits[] = {0, 0, 512, 768, 1024, 4096}; /* KiB */
    static const uint32_t headrooms[] = {0, 64, 256, 1024};
    s->limit = (uint64_t)limits[below(g, 6)] << 10;
    s->headroom = (uint64_t)headrooms[below(g, 4)] << 10;
    s->shrink = (uint64_t)headrooms[below(g, 4)] << 11;
    s->eden = below(g, 4) ? 0 : 512 << 10;
    s->weak_mourners = below(g, 3) == 0;
    g->registers = 4 + below(g, LAB_REGISTERS - 3);
    g->long_size = below(g, 3) ? 2000 : 60000;
}

/* ---- Events ---- */

static unsigned choose(Generator *g, const unsigned *weights, unsigned total)
{
    unsigned pick = below(g, total), i = 0;
    while (pick >= weights[i])
        pick -= weights[i++];
    return i;
}

static unsigned size(Generator *g)
{
    unsigned dice = below(g, 100);
    return dice < 60 ? below(g, 8) : dice < 92 ? below(g, 60) : below(g, g->long_size);
}

static void then(Generator *g, GcEvent e)
{
    if (g->pending_count < sizeof g->pending / sizeof *g->pending)
        g->pending[g->pending_count++] = e;
}

/* What was made is put somewhere; weak objects and ephemerons get something to lose: an
 * object that is soon named by nothing else. The events come in reverse. */
static void follow_up(Generator *g, const GcEvent *made)
{
    uint8_t other = (uint8_t)below(g, g->registers), victim = (uint8_t)below(g, g->registers);
    bool loses = made->kind == SHAPE_WEAK || made->kind == SHAPE_EPHEMERON;
    if (below(g, 2))
        then(g, (GcEvent){.op = GC_STORE, .r = other, .s = made->r, .n = size(g)});
    if (!loses || victim == made->r || below(g, 2))
        return;
    if (below(g, 2))
        then(g, (GcEvent){.op = GC_CLEAR, .r = victim});
    if (made->kind == SHAPE_EPHEMERON && below(g, 2))
        then(g, (GcEvent){.op = GC_STORE, .r = made->r, .s = victim, .n = 1});
    then(g, (GcEvent){.op = GC_STORE, .r = made->r, .s = victim,
                      .n = made->kind == SHAPE_WEAK ? 1 + size(g) : 0});
    then(g, (GcEvent){.op = GC_NEW,
                      .r = victim,
                      .kind = (uint8_t)choose(g, g->shapes, g->shape_total),
                      .n = below(g, 8),
                      .flags = below(g, 5) == 0 ? EVENT_OLD : 0});
}

static GcEvent event(Generator *g)
{
    if (g->pending_count)
        return g->pending[--g->pending_count];
    GcEvent e = {.op = (uint8_t)choose(g, g->weights, g->total)};
    e.r = (uint8_t)below(g, g->registers);
    e.s = (uint8_t)below(g, g->registers);
    e.n = size(g);
    e.m = below(g, 100000);
    switch (e.op) {
    case GC_NEW: case GC_CLASS:
        e.kind = (uint8_t)choose(g, g->shapes, g->shape_total);
        /* fall through */
    case GC_INSTANCE:
        e.flags = below(g, 5) == 0 ? EVENT_OLD : 0;
        break;
    case GC_STORE: case GC_LOAD:
        if (below(g, 8) == 0)
            e.n = EVENT_LAST;
        break;
    case GC_BECOME_MANY:
        e.n = below(g, 4);
        /* fall through */
    case GC_BECOME: e.kind = (uint8_t)below(g, 3); break;
    case GC_CHAIN:
        e.flags = below(g, 3) == 0 ? EVENT_OLD : 0;
        if (below(g, 6) == 0)
            e.n = below(g, 3000);
        break;
    case GC_FILL: e.n = below(g, 4); e.m = 1 + below(g, 4) * below(g, 30); break;
    case GC_LITTER: e.n = below(g, 200); e.m = below(g, 600); break;
    case GC_COLLECTOR: e.kind = (uint8_t)below(g, COLLECTORS); break;
    case GC_TORTURE:
        e.kind = (uint8_t)below(g, TORTURES);
        e.n = below(g, 2) ? 0 : 1 + below(g, 2) * below(g, 400);
        break;
    case GC_HOST: e.n = below(g, 4096); break;
    default: break;
    }
    if (e.op == GC_NEW)
        follow_up(g, &e);
    return e;
}

void script_generate(GcScript *script, uint64_t seed, size_t count)
{
    Generator g = {.random = spread(seed)};
    *script = (GcScript){.events = calloc(count, sizeof(GcEvent)), .count = count};
    REQUIRE(script->events, "the host has no memory for %zu events", count);
    choose_settings(&g, &script->settings);
    choose_weights(&g);
    for (size_t i = 0; i < count; i++)
        script->events[i] = event(&g);
}
