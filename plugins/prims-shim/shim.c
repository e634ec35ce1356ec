#include "shim.h"

static bool is_failure_code(int code)
{
    return (code >= OSVM_FAILED && code <= OSVM_NOT_FOUND) || code == OSVM_LIMIT_EXCEEDED ||
           code == OSVM_CALLBACK_ERROR || code == OSVM_OS_ERROR || code == OSVM_OPERATION_FAILED;
}

/* ---- One call ---- */

static void check_success(const OsvmCall *call)
{
    RULE(call, call->results > 0, "succeeded without a result (P1)");
    RULE(call, call->results == 1, "set %u results (P1)", call->results);
}

static void check_failure(OsvmCall *call, int code, Picture before, Picture after)
{
    RULE(call, is_failure_code(code), "fails with %d, which is no failure code (P2)", code);
    RULE(call, code != OSVM_OS_ERROR || call->has_os_error,
         "fails with OSVM_OS_ERROR and says nothing about it (P2)");
    RULE(call, call->results == 0, "set a result and fails with %d (P1)", code);
    RULE(call, call->called_back || before.all == after.all,
         "fails with %d and has changed its receiver or arguments (P3)", code);
}

static int shim_call(void *state, const OsvmPrim *prim, const OsvmPrimApi *api, OsvmCall *behind)
{
    Shim *shim = state;
    OsvmCall call = {.shim = shim, .behind = behind, .prim = prim};
    RULE(&call, shim->started, "is called before start or after stop (P8)");
    Picture before = picture_take(&call);
    int code = prim->function(&shim->api, &call);
    Picture after = call.called_back ? before : picture_take(&call);
    RULE(&call, before.frozen == after.frozen, "has changed a read-only object (P4)");
    if (code == OSVM_SUCCESS)
        check_success(&call);
    else
        check_failure(&call, code, before, after);
    values_forget(&call);
    return code;
}

/* ---- Life ---- */

static void check_function(const OsvmPrims *prims, const OsvmPrim *prim)
{
    enum { KNOWN = OSVM_MAY_ALLOCATE | OSVM_MAY_CALL_BACK | OSVM_TOUCHES_WORLD };
    REQUIRE(prim->name[0] && prim->function, "%s: a function without a name or code (P8)", prims->module);
    REQUIRE(prim->accessor_depth >= -1 && prim->accessor_depth <= 8 && !(prim->flags & ~KNOWN),
            "%s of %s: accessor depth %d, flags %u (P8)", prim->name, prims->module,
            prim->accessor_depth, prim->flags);
    for (const OsvmPrim *other = prims->functions; other != prim; other++)
        REQUIRE(__builtin_strcmp(other->name, prim->name) != 0, "%s of %s is there twice (P8)",
                prim->name, prims->module);
}

static bool shim_init(void *state, const OsvmHost *host, OsvmError *error)
{
    Shim *shim = state;
    REQUIRE(host->inner, "the shim was given no module to stand before (P8)");
    shim->host = host;
    shim->inner = host->inner;
    shim->prims = host->inner->vtable;
    REQUIRE(shim->prims->module && shim->prims->functions,
            "prims plugin '%s': no name of a module, or no functions (P8)", shim->inner->plugin->name);
    for (const OsvmPrim *prim = shim->prims->functions; prim->name; prim++)
        check_function(shim->prims, prim);
    return true;
}

static bool shim_start(void *state, const OsvmPrimApi *api, void *vm)
{
    Shim *shim = state;
    REQUIRE(!shim->started, "%s: start twice (P8)", shim->prims->module);
    shim->real = api;
    services_fill(shim);
    shim->started = !shim->prims->start || shim->prims->start(shim->inner->state, &shim->api, vm);
    return shim->started;
}

static void shim_stop(void *state)
{
    Shim *shim = state;
    REQUIRE(shim->started, "%s: stop before start (P8)", shim->prims->module);
    shim->started = false;
    if (shim->prims->stop)
        shim->prims->stop(shim->inner->state);
    shim->host->free(shim->host, shim->tickets, shim->ticket_capacity * sizeof *shim->tickets);
    shim->tickets = NULL;
}

static void shim_session(void *state)
{
    Shim *shim = state;
    if (shim->prims->session)
        shim->prims->session(shim->inner->state);
}

/* What has no function table stands before the module that has one. */
static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .start = shim_start,
    .stop = shim_stop,
    .session = shim_session,
    .call = shim_call,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "shim",
    .version = OSVM_VERSION,
    .summary = "verifies the module of primitives behind it",
    .licence = "MIT",
    .flags = OSVM_SHIM,
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
    .state_size = sizeof(Shim),
    .state_version = 1,
    .init = shim_init,
};
