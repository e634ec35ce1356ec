/* The logical world: time is what the program does, not what the clock says (--deterministic).
 *
 * A clock begins at 2000-01-01 00:00 UTC and goes on by one microsecond at each poll point; waiting
 * moves it to the moment waited for: at once, but while files are watched not before as much real time
 * has passed, for the outside knows no other. Random numbers come from a generator with a
 * fixed seed. So equal programs with equal input see equal times and numbers, in every run. It lies
 * between the live world and the one that was selected, which takes its functions over: the clock
 * is found in the state that both begin with.
 */
#include "worlds.h"

#include <stdlib.h>
#include <string.h>

#define EPOCH_2000_US INT64_C(946684800000000)

struct LogicalClock {
    uint64_t (*points)(void *context); /* NULL: nothing runs, time stands still */
    void *context;
    int64_t passed; /* microseconds besides the points: slept, and of what ran before */
    uint64_t random;
    const OsvmWorld *live;
};

static LogicalClock *clock_of(const OsvmWorld *world)
{
    const WorldState *state = world->state;
    return state->clock;
}

static int64_t points_of(const LogicalClock *clock)
{
    return clock->points ? (int64_t)clock->points(clock->context) : 0;
}

static int64_t logical_mono_us(const OsvmWorld *world)
{
    const LogicalClock *clock = clock_of(world);
    return clock->passed + points_of(clock);
}

static int64_t logical_utc_us(const OsvmWorld *world)
{
    return EPOCH_2000_US + logical_mono_us(world);
}

static int32_t logical_utc_offset(const OsvmWorld *world, int64_t utc_us)
{
    return 0;
}

/* What has been woken is woken; without an end only the outside ends the wait. */
static unsigned logical_wait(const OsvmWorld *world, int64_t until_us)
{
    LogicalClock *clock = clock_of(world);
    const OsvmWorld *live = clock->live;
    int64_t now = logical_mono_us(world), end = until_us == OSVM_FOREVER ? OSVM_FOREVER : 0;
    if (end != OSVM_FOREVER && until_us > now && pulse_is_watching(pulse_of(live)))
        end = live->mono_us(live) + (until_us - now);
    unsigned answer = live->wait(live, end);
    if (answer == OSVM_WAIT_TIMEOUT && until_us > now)
        clock->passed += until_us - now;
    return answer;
}

static void logical_count(const OsvmWorld *world, uint64_t (*points)(void *context), void *context)
{
    LogicalClock *clock = clock_of(world);
    clock->passed += points_of(clock);
    clock->points = points;
    clock->context = context;
    clock->passed -= points_of(clock);
}

/* SplitMix64. */
static uint64_t next_random(LogicalClock *clock)
{
    uint64_t z = clock->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static int logical_random(const OsvmWorld *world, void *buffer, size_t size)
{
    uint8_t *to = buffer;
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t random = next_random(clock_of(world));
        memcpy(to + done, &random, size - done < sizeof random ? size - done : sizeof random);
    }
    return 0;
}

static void logical_release(WorldState *state)
{
    free(state->clock);
}

OsvmWorld *world_logical_new(const OsvmWorld *live)
{
    WorldState *state = world_state_new(sizeof *state, "logical", live);
    OsvmWorld *world = &state->world;
    state->clock = calloc(1, sizeof *state->clock);
    REQUIRE(state->clock, "the host has no memory for a clock");
    state->clock->live = live;
    state->release = logical_release;
    world->utc_us = logical_utc_us;
    world->utc_offset = logical_utc_offset;
    world->mono_us = logical_mono_us;
    world->cpu_us = logical_mono_us;
    world->wait = logical_wait;
    world->random = logical_random;
    world->count_points = logical_count;
    return world;
}
