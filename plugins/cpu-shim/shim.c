/* The shim's life: what it stands before, starting and stopping. */
#include "shim.h"

#include <pthread.h>
#include <string.h>

void shim_require_ready(const Shim *shim, const char *what)
{
    REQUIRE(shim->started, "%s before start, or after stop", what);
    REQUIRE((uintptr_t)pthread_self() == shim->thread,
            "%s from another thread than the one that started the processor (P8)", what);
}

/* ---- Starting ---- */

static void require_setup(const CpuSetup *setup)
{
    REQUIRE(setup && setup->size >= sizeof *setup && setup->machine,
            "start with a setup that is smaller than this ABI's, or names no machine");
    REQUIRE(setup->code_start <= setup->code_end && setup->code_start % CPU_PAGE == 0 &&
                setup->code_end % CPU_PAGE == 0,
            "the code zone is [0x%zx, 0x%zx): let it be whole pages (P1)", (size_t)setup->code_start,
            (size_t)setup->code_end);
    REQUIRE(setup->routines || !setup->routine_count, "%u routines, and no table",
            setup->routine_count);
    for (unsigned i = 0; i < setup->routine_count; i++) {
        const CpuRoutine *routine = &setup->routines[i];
        REQUIRE(routine->name && routine->function && routine->arguments <= CPU_ARGUMENTS,
                "routine %u, %s, has no name, no function, or %u arguments", i,
                routine->name ? routine->name : "(nothing)", routine->arguments);
    }
}

static void require_routine(const Shim *shim, unsigned index, uintptr_t address)
{
    const CpuRoutine *routine = &shim->setup.routines[index];
    REQUIRE(shim->ops.simulated || address == (uintptr_t)routine->function,
            "routine %s is at 0x%zx, and its function is not", routine->name, (size_t)address);
    REQUIRE(address < shim->setup.code_start || address >= shim->setup.code_end,
            "routine %s is at 0x%zx, in the code zone", routine->name, (size_t)address);
    for (unsigned i = 0; i < index; i++)
        REQUIRE(shim->routines[i] != address || shim->setup.routines[i].function == routine->function,
                "routines %s and %s are both at 0x%zx", shim->setup.routines[i].name, routine->name,
                (size_t)address);
}

static bool find_routines(Shim *shim, OsvmError *error)
{
    shim->routines = shim->host->alloc(shim->host,
                                       shim->setup.routine_count * sizeof *shim->routines);
    if (!shim->routines)
        return shim->host->fail(error, OSVM_INTERNAL, "no memory for the addresses of routines");
    for (unsigned i = 0; i < shim->setup.routine_count; i++) {
        uintptr_t address = shim->inner->ops->routine_address(shim->inner, i);
        require_routine(shim, i, address);
        shim->routines[i] = address;
    }
    return true;
}

static bool shim_start(Cpu *cpu, const CpuSetup *setup, const OsvmHost *host, OsvmError *error)
{
    Shim *shim = shim_of(cpu);
    REQUIRE(!shim->started, "start twice");
    require_setup(setup);
    shim->setup = *setup;
    CpuSetup forwarded = *setup;
    if (setup->condition) {
        forwarded.condition = calls_condition;
        forwarded.context = shim;
    }
    if (!shim->inner->ops->start(shim->inner, &forwarded, host->inner->host, error))
        return false;
    shim->machine = shim->inner->ops->machine(shim->inner);
    machine_require_sane(shim->machine, shim->ops.simulated);
    REQUIRE(strcmp(shim->machine->name, setup->machine) == 0,
            "machine %s was to be started, and %s is", setup->machine, shim->machine->name);
    shim->calls = 0;
    shim->counts = (CpuStatistics){0};
    shim->thread = (uintptr_t)pthread_self();
    shim->started = true;
    return find_routines(shim, error);
}

static void shim_stop(Cpu *cpu)
{
    Shim *shim = shim_of(cpu);
    if (shim->started)
        shim_require_ready(shim, "stop");
    for (unsigned i = 0; i < shim->depth; i++)
        REQUIRE(shim->entered[i].stopped, "stop while the call of 0x%zx runs (P7)",
                (size_t)shim->entered[i].entry);
    shim->inner->ops->stop(shim->inner);
    ranges_free(shim, &shim->mapped);
    ranges_free(shim, &shim->breakpoints);
    ranges_free(shim, &shim->watchpoints);
    shim->host->free(shim->host, shim->entered, shim->capacity * sizeof *shim->entered);
    shim->host->free(shim->host, shim->routines,
                     shim->setup.routine_count * sizeof *shim->routines);
    shim->entered = NULL;
    shim->routines = NULL;
    shim->depth = shim->capacity = 0;
    shim->setup = (CpuSetup){0};
    shim->started = shim->requested = shim->limited = shim->ring_known = shim->tracing = false;
}

static uintptr_t shim_routine_address(const Cpu *cpu, unsigned index)
{
    const Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "routine_address");
    REQUIRE(index < shim->setup.routine_count, "routine %u of %u", index, shim->setup.routine_count);
    uintptr_t address = shim->inner->ops->routine_address(shim->inner, index);
    REQUIRE(address == shim->routines[index], "routine %s was at 0x%zx, and is at 0x%zx now",
            shim->setup.routines[index].name, (size_t)shim->routines[index], (size_t)address);
    return address;
}

/* ---- What it stands before ---- */

static const CpuOps all_ops = {
    .size = sizeof(CpuOps),
    .simulated = true, /* until init takes away what the processor behind does not have */
    .start = shim_start,
    .stop = shim_stop,
    .machine = machine_machine,
    .map = memory_map,
    .unmap = memory_unmap,
    .code_changed = memory_code_changed,
    .routine_address = shim_routine_address,
    .call = calls_call,
    .statistics = look_statistics,
    .resume = calls_resume,
    .abandon = calls_abandon,
    .request_stop = calls_request_stop,
    .read_register = look_read_register,
    .write_register = look_write_register,
    .set_budget = look_set_budget,
    .set_breakpoint = look_set_breakpoint,
    .set_watchpoint = look_set_watchpoint,
    .set_ring = look_set_ring,
    .ring = look_ring,
    .set_trace = look_set_trace,
    .trace_hash = look_trace_hash,
    .find_machine = machine_find,
    .disassemble = machine_disassemble,
};

static bool has_all(const CpuOps *ops)
{
    return ops->start && ops->stop && ops->machine && ops->map && ops->unmap && ops->code_changed &&
           ops->routine_address && ops->call && ops->statistics && ops->find_machine;
}

/* How many of the functions for simulated machines there are. */
static unsigned simulated_functions(const CpuOps *ops)
{
    return !!ops->resume + !!ops->abandon + !!ops->request_stop + !!ops->read_register +
           !!ops->write_register + !!ops->set_budget + !!ops->set_breakpoint +
           !!ops->set_watchpoint + !!ops->set_ring + !!ops->ring + !!ops->set_trace +
           !!ops->trace_hash;
}

static const char *flaw_of(const CpuOps *ops)
{
    enum { SIMULATED = 12 };
    if (ops->size < sizeof(CpuOps))
        return "its vtable is smaller than that of this ABI";
    if (!has_all(ops))
        return "a function is missing that every processor has";
    if (simulated_functions(ops) != (ops->simulated ? SIMULATED : 0))
        return ops->simulated ? "it says that it is simulated, and lacks functions for that"
                              : "it says that it is not simulated, and has functions for that";
    return NULL;
}

static bool shim_init(void *state, const OsvmHost *host, OsvmError *error)
{
    Shim *shim = state;
    if (!host->inner)
        return host->fail(error, OSVM_INTERNAL, "the shim was given no processor to stand before");
    shim->host = host;
    shim->inner = host->inner->state;
    if (!shim->inner || host->inner->plugin->state_size < sizeof(Cpu) || !shim->inner->ops)
        return host->fail(error, OSVM_INTERNAL, "the instance of '%s' does not begin with a Cpu, or "
                          "its init does not fill in `ops`", host->inner->plugin->name);
    const CpuOps *ops = shim->inner->ops;
    const char *flaw = flaw_of(ops);
    if (flaw)
        return host->fail(error, OSVM_INTERNAL, "processor '%s': %s", host->inner->plugin->name, flaw);
    shim->ops = all_ops;
    shim->ops.simulated = ops->simulated;
    if (!ops->disassemble)
        shim->ops.disassemble = NULL;
    if (!ops->simulated)
        memset(&shim->ops.resume, 0, offsetof(CpuOps, find_machine) - offsetof(CpuOps, resume));
    shim->cpu.ops = &shim->ops;
    return true;
}

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_CPU, 0),
    .name = "shim",
    .version = OSVM_VERSION,
    .summary = "verifies the processor behind it",
    .licence = "MIT",
    .flags = OSVM_SHIM,
    .vtable_abi = OSVM_CPU_ABI,
    .vtable = &all_ops,
    .vtable_size = sizeof all_ops,
    .state_size = sizeof(Shim),
    .state_version = 1,
    .init = shim_init,
    .reloaded = shim_init,
};
