/* The fork service: the one way to clone a running VM (OsvmHost.fork).
 *
 * In this order:
 *   1. a plugin that may not be cloned (OSVM_SINGLETON) is a reason to refuse
 *   2. what the process has buffered is written, so that it is written once
 *   3. `fork_before` of all plugins, the last loaded first: users before what they use
 *   4. the world forks, its helper thread at rest
 *   5. in the clone, if it is to be silent, the muted world takes the place of the world
 *   6. `fork_parent` or `fork_child` of all plugins, the first loaded first
 * A fork that failed ends with `fork_parent`: nobody is left waiting.
 */
#include "plugins_int.h"

#include <errno.h>

#include "kernel/world/worlds.h"

static const Loaded *find_singleton(const Plugins *plugins)
{
    const Loaded *loaded = plugins->loaded;
    while (loaded && !(loaded->instance.plugin->flags & OSVM_SINGLETON))
        loaded = loaded->next;
    return loaded;
}

static void tell_before(const Plugins *plugins)
{
    for (Loaded *loaded = plugins->loaded; loaded; loaded = loaded->next)
        if (loaded->instance.plugin->fork_before)
            loaded->instance.plugin->fork_before(loaded->instance.state);
}

/* From the plugin loaded first to the last. */
static void tell_after(Loaded *loaded, bool in_child)
{
    if (!loaded)
        return;
    tell_after(loaded->next, in_child);
    const OsvmPlugin *plugin = loaded->instance.plugin;
    void (*hook)(void *state) = in_child ? plugin->fork_child : plugin->fork_parent;
    if (hook)
        hook(loaded->instance.state);
}

/* The first clone's silence is good for its clones too. */
static void mute(Plugins *plugins)
{
    if (plugins->silence)
        return;
    const WorldState *state = plugins->config.world->state;
    plugins->silence = world_muted_new(state->inner ? state->inner : &state->world);
    plugins->config.world = plugins->silence;
    for (Loaded *loaded = plugins->loaded; loaded; loaded = loaded->next)
        loaded->host.world = plugins->silence;
}

int plugins_fork(Plugins *plugins, bool muted)
{
    const OsvmWorld *world = plugins->config.world;
    const Loaded *singleton = find_singleton(plugins);
    if (singleton) {
        singleton->host.log(&singleton->host, OSVM_WARNING,
                            "keeps static state: the VM cannot be cloned");
        return -ENOTSUP;
    }
    fflush(NULL);
    tell_before(plugins);
    int child = world->fork(world);
    if (child == 0 && muted)
        mute(plugins);
    tell_after(plugins->loaded, child == 0);
    return child;
}
