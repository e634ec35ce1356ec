/* What all worlds share, and choosing one by name. */
#include "worlds.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/base/nearest.h"

void *world_state_new(size_t size, const char *name, const OsvmWorld *inner)
{
    WorldState *state = calloc(1, size);
    REQUIRE(state, "the host has no memory for the world '%s'", name);
    if (inner) {
        state->world = *inner;
        state->clock = ((const WorldState *)inner->state)->clock;
    }
    state->world.size = sizeof(OsvmWorld);
    state->world.abi = OSVM_WORLD_ABI;
    state->world.name = name;
    state->world.state = state;
    state->inner = inner;
    return state;
}

void world_free(OsvmWorld *world)
{
    if (!world)
        return;
    WorldState *state = world->state;
    if (state->release)
        state->release(state);
    free(state);
}

static OsvmWorld *select_muted(const OsvmWorld *live, const char *text, OsvmError *error)
{
    return world_muted_new(live);
}

static OsvmWorld *select_denied(const OsvmWorld *live, const char *text, OsvmError *error)
{
    return world_denied_new(live);
}

/* `live` itself is the world without a function here. */
static const struct WorldChoice {
    const char *name;
    const char *help;
    const OsvmOption *options;
    OsvmWorld *(*make)(const OsvmWorld *live, const char *text, OsvmError *error);
} choices[] = {
    {"live", "everything is real", NULL, NULL},
    {"muted", "reads are real, writes are swallowed", NULL, select_muted},
    {"denied", "a sandbox: clocks and standard streams, nothing else", NULL, select_denied},
    {"faulty", "fails as told, for tests", world_faulty_options, world_faulty_new},
};
enum { CHOICES = sizeof choices / sizeof *choices };

static bool refuse_world(const char *name, OsvmError *error)
{
    Nearest nearest = nearest_to(name);
    for (size_t i = 0; i < CHOICES; i++)
        nearest_offer(&nearest, choices[i].name);
    return error_set(error, OSVM_USAGE,
                     "there is no world '%s'%s%s%s; there are: live, muted, denied, faulty", name,
                     nearest.best ? "; did you mean '" : "", nearest.best ? nearest.best : "",
                     nearest.best ? "'?" : "");
}

OsvmWorld *world_select(const OsvmWorld *live, const char *text, OsvmError *error)
{
    char name[32];
    size_t length = strcspn(text, ",");
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    const char *rest = text[length] ? text + length + 1 : "";
    size_t i = 0;
    while (i < CHOICES && strcmp(choices[i].name, name) != 0)
        i++;
    if (i == CHOICES) {
        refuse_world(name, error);
        return NULL;
    }
    if (*rest && !choices[i].options) {
        error_set(error, OSVM_USAGE, "the world '%s' has no options, so there is no '%s'", name,
                  rest);
        return NULL;
    }
    /* A copy of live, so that the caller frees whatever it gets. */
    if (!choices[i].make) {
        WorldState *state = world_state_new(sizeof *state, choices[i].name, live);
        return &state->world;
    }
    return choices[i].make(live, rest, error);
}

void world_print_help(FILE *file)
{
    for (size_t i = 0; i < CHOICES; i++) {
        fprintf(file, "  %-8s %s\n", choices[i].name, choices[i].help);
        if (choices[i].options)
            options_print(choices[i].options, "    ,", file);
    }
}
