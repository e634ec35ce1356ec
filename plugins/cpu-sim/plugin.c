/* The simulated processor as a plugin. */
#include "sim.h"

static void statistics(const Cpu *cpu, CpuStatistics *statistics)
{
    const Sim *sim = (const Sim *)cpu;
    *statistics = sim->counts;
    statistics->instructions += sim->looked;
}

static const CpuMachine *machine_of(const Cpu *cpu)
{
    return &((const Sim *)cpu)->machine->face;
}

static const CpuOps sim_ops = {
    .size = sizeof(CpuOps),
    .simulated = true,
    .start = engine_start,
    .stop = engine_stop,
    .machine = machine_of,
    .map = engine_map,
    .unmap = engine_unmap,
    .code_changed = engine_code_changed,
    .routine_address = run_routine_address,
    .call = run_call,
    .statistics = statistics,
    .resume = run_resume,
    .abandon = run_abandon,
    .request_stop = run_request_stop,
    .read_register = engine_read_register,
    .write_register = engine_write_register,
    .set_budget = look_set_budget,
    .set_breakpoint = look_set_breakpoint,
    .set_watchpoint = look_set_watchpoint,
    .set_ring = look_set_ring,
    .ring = look_ring,
    .set_trace = look_set_trace,
    .trace_hash = look_trace_hash,
    .find_machine = disassemble_find_machine,
    .disassemble = disassemble_one,
};

static bool sim_init(void *state, const OsvmHost *host, OsvmError *error)
{
    (void)error;
    ((Sim *)state)->cpu.ops = &sim_ops;
    ((Sim *)state)->host = host;
    return true;
}

static void sim_fini(void *state)
{
    engine_stop(state);
    disassemble_close(state);
}

static const OsvmOption options[] = {
    {.name = "ring",
     .kind = OSVM_NUMBER,
     .value = "0",
     .min = 0,
     .max = 1 << 24,
     .help = "remember the last N instructions"},
    {.name = "stores",
     .kind = OSVM_CHOICE,
     .value = "auto",
     .choices = "auto|fast|slow",
     .help = "cure the library's slow stores: if it can be done, or fail, or leave them"},
    {.name = "translations",
     .kind = OSVM_NUMBER,
     .value = "256",
     .min = 1,
     .max = 1024,
     .help = "MiB for translated blocks, which are thrown out when it is full"},
    {.name = NULL},
};

static const char *sim_status(void)
{
    return stores_can_be_fixed() ? "stores: fast (the library's slow path is cured)"
                                 : "stores: slow (this library cannot be cured)";
}

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_CPU, 0),
    .name = "sim",
    .version = OSVM_VERSION,
    .summary = "simulated x64, arm and mips processors",
    .licence = "MIT",
    .vtable_abi = OSVM_CPU_ABI,
    .vtable = &sim_ops,
    .vtable_size = sizeof sim_ops,
    .state_size = sizeof(Sim),
    .options = options,
    .init = sim_init,
    .fini = sim_fini,
    .reloaded = sim_init,
    .status = sim_status,
};
