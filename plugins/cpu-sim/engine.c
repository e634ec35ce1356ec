/* The engine: its memory, registers, and what it knows of code. */
#include "sim.h"

#include <string.h>
#include <sys/mman.h>

/* ---- Registers ---- */

uint64_t register_get(const Sim *sim, unsigned number)
{
    uint64_t value[4] = {0}; /* wide registers are written whole */
    CHECK(number < sim->machine->face.register_count, "register %u of %u", number,
          sim->machine->face.register_count);
    uc_reg_read(sim->uc, sim->machine->uc_registers[number], value);
    return sim->machine->face.registers[number].bits == 32 ? (uint32_t)value[0] : value[0];
}

void register_set(Sim *sim, unsigned number, uint64_t value)
{
    uint64_t wide[4] = {value};
    CHECK(number < sim->machine->face.register_count, "register %u of %u", number,
          sim->machine->face.register_count);
    uc_reg_write(sim->uc, sim->machine->uc_registers[number], wide);
}

uint64_t engine_read_register(Cpu *cpu, unsigned number)
{
    const Sim *sim = sim_of(cpu);
    if (sim->redirected && number == sim->machine->face.pc)
        return sim->redirect;
    return register_get(sim, number);
}

/* While the engine runs a new pc waits for the loop: see the head of sim.h. */
void engine_write_register(Cpu *cpu, unsigned number, uint64_t value)
{
    Sim *sim = sim_of(cpu);
    if (number == sim->machine->face.pc && sim->running) {
        sim->redirected = true;
        sim->redirect = (uintptr_t)value;
        uc_emu_stop(sim->uc);
        return;
    }
    register_set(sim, number, value);
}

/* ---- Memory ---- */

static uint32_t protection(unsigned access)
{
    return (access & CPU_READ ? UC_PROT_READ : 0u) | (access & CPU_WRITE ? UC_PROT_WRITE : 0u) |
           (access & CPU_EXECUTE ? UC_PROT_EXEC : 0u);
}

/* Pages that are not plain data are few: code, stubs. Their accesses are kept at hand. */
static bool restrict_range(Sim *sim, uintptr_t start, uintptr_t end, unsigned access)
{
    if (access == (CPU_READ | CPU_WRITE)) {
        for (unsigned i = 0; i < sim->restricted_count; i++)
            if (sim->restricted[i].start < end && start < sim->restricted[i].end)
                sim->restricted[i--] = sim->restricted[--sim->restricted_count];
        return true;
    }
    if (sim->restricted_count == RESTRICTED)
        return false;
    sim->restricted[sim->restricted_count++] = (Restricted){start, end, access};
    return true;
}

unsigned engine_access(const Sim *sim, uintptr_t address)
{
    for (unsigned i = 0; i < sim->restricted_count; i++)
        if (address - sim->restricted[i].start < sim->restricted[i].end - sim->restricted[i].start)
            return sim->restricted[i].access;
    return CPU_READ | CPU_WRITE;
}

bool engine_map_stubs(Sim *sim)
{
    return restrict_range(sim, STUB_BASE, sim->stub_end, CPU_EXECUTE) &&
           !uc_mem_map_ptr(sim->uc, STUB_BASE, sim->stub_bytes, UC_PROT_EXEC, sim->stubs);
}

bool engine_map(Cpu *cpu, uintptr_t start, uintptr_t end, unsigned access)
{
    Sim *sim = sim_of(cpu);
    if (start == end)
        return true;
    if (start % GUEST_PAGE || end % GUEST_PAGE || start > end || start < STUB_LIMIT ||
        (sim->machine->low && end > 0x80000000u) ||
        (sim->machine->face.bits == 32 && end > UINT32_MAX))
        return false;
    if (!restrict_range(sim, start, end, access))
        return false;
    if (!uc_mem_map_ptr(sim->uc, start, end - start, protection(access), (void *)start))
        return true;
    restrict_range(sim, start, end, CPU_READ | CPU_WRITE);
    return false;
}

void engine_unmap(Cpu *cpu, uintptr_t start, uintptr_t end)
{
    if (start == end)
        return;
    restrict_range(sim_of(cpu), start, end, CPU_READ | CPU_WRITE);
    uc_err err = uc_mem_unmap(sim_of(cpu)->uc, start, end - start);
    (void)err;
    CHECK(err == UC_ERR_OK, "unmapping [0x%zx, 0x%zx): %s", (size_t)start, (size_t)end,
          uc_strerror(err));
}

void engine_code_changed(Cpu *cpu, uintptr_t start, uintptr_t end)
{
    Sim *sim = sim_of(cpu);
    sim->counts.code_changes++;
    if (start < end)
        uc_ctl_remove_cache(sim->uc, (uint64_t)start, (uint64_t)end);
}

void engine_retranslate(Sim *sim)
{
    if (sim->code_start < sim->code_end)
        uc_ctl_remove_cache(sim->uc, (uint64_t)sim->code_start, (uint64_t)sim->code_end);
}

bool engine_hook(Sim *sim, uc_hook *hook, int type, void *function, uintptr_t first, uintptr_t last)
{
    return uc_hook_add(sim->uc, hook, type, function, sim, (uint64_t)first, (uint64_t)last) ==
           UC_ERR_OK;
}

/* ---- Start and stop ---- */

/* Memory that machines of 32 bits can see as well. */
static void *map_stack(const Machine *machine)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (machine->face.bits == 32 ? MAP_32BIT : 0);
    void *memory = mmap(NULL, C_STACK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool fail(Sim *sim, OsvmError *error, const char *what, uc_err err)
{
    return sim->host->fail(error, OSVM_UNAVAILABLE, "the simulated %s: %s: %s",
                           sim->machine->face.name, what, uc_strerror(err));
}

/* The library's own macro shifts into the sign. */
static const uint32_t get_page_size =
    (uint32_t)UC_CTL_UC_PAGE_SIZE | 1u << 26 | (uint32_t)UC_CTL_IO_READ << 30;

/* An engine whose pages are `asked` bytes large, as far as the library sees to it. */
static uc_err open_asking(Sim *sim, uint32_t asked, uint32_t *got)
{
    uc_err err = uc_open(sim->machine->arch, sim->machine->mode, &sim->uc);
    if (!err)
        err = uc_ctl_set_page_size(sim->uc, asked);
    return err ? err : uc_ctl(sim->uc, (uc_control_type)get_page_size, got);
}

/* Machines with a choice of page size begin with smaller ones. Version 2.0 of the library makes
 * pages twice as large as it was asked to. */
static uc_err open_with_pages(Sim *sim)
{
    if (!sim->machine->sized_pages)
        return uc_open(sim->machine->arch, sim->machine->mode, &sim->uc);
    for (uint32_t asked = GUEST_PAGE; asked >= GUEST_PAGE / 2; asked /= 2) {
        uint32_t got = 0;
        uc_err err = open_asking(sim, asked, &got);
        if (err || got == GUEST_PAGE)
            return err;
        uc_close(sim->uc);
        sim->uc = NULL;
    }
    return UC_ERR_ARG;
}

static bool open_engine(Sim *sim, OsvmError *error)
{
    const Machine *machine = sim->machine;
    uc_err err = open_with_pages(sim);
    if (err)
        return fail(sim, error, "the library does not have it with pages of 4 KiB", err);
    sim->c_stack = map_stack(machine);
    if (!sim->c_stack || !engine_map(&sim->cpu, (uintptr_t)sim->c_stack,
                                     (uintptr_t)sim->c_stack + C_STACK_BYTES, CPU_READ | CPU_WRITE))
        return fail(sim, error, "there is no memory for its C stack", UC_ERR_NOMEM);
    register_set(sim, machine->face.sp, (uintptr_t)sim->c_stack + C_STACK_BYTES);
    if (machine->prepare && !machine->prepare(sim->uc))
        return fail(sim, error, "floating point cannot be switched on", UC_ERR_ARG);
    translations_set_up(sim);
    return true;
}

/* The library makes what an engine consists of when it is first asked for some of it. */
static bool open_watched(Sim *sim, OsvmError *error)
{
    library_run(sim);
    bool open = open_engine(sim, error);
    library_run(NULL);
    return open;
}

bool engine_start(Cpu *cpu, const CpuSetup *setup, const OsvmHost *host, OsvmError *error)
{
    Sim *sim = sim_of(cpu);
    sim->host = host;
    sim->machine = machine_named(setup->machine);
    if (!sim->machine)
        return host->fail(error, OSVM_UNAVAILABLE,
                          "no simulated processor runs code for '%s'; there are x64, arm and mips",
                          setup->machine);
    sim->routines = setup->routines;
    sim->routine_count = setup->routine_count;
    sim->code_start = setup->code_start;
    sim->code_end = setup->code_end;
    sim->condition = setup->condition;
    sim->context = setup->context;
    sim->budget = UINT64_MAX;
    const char *stores = host->option_text(host, "stores");
    sim->store_fix = strcmp(stores, "slow") != 0 && stores_can_be_fixed();
    if (strcmp(stores, "fast") == 0 && !sim->store_fix)
        return host->fail(
            error, OSVM_UNAVAILABLE,
            "stores=fast: this build of the Unicorn library does not let its stores be "
            "cured; leave the option out");
    sim->translation_bytes = (unsigned long)host->option_number(host, "translations") << 20;
    sim->last_block = 0;
    return open_watched(sim, error) && run_set_up(sim, error) && fault_set_up(sim, error) &&
           look_set_ring(cpu, (unsigned)host->option_number(host, "ring"));
}

void engine_stop(Cpu *cpu)
{
    Sim *sim = sim_of(cpu);
    if (!sim->host)
        return;
    while (sim->activation)
        run_abandon(cpu);
    if (sim->uc)
        uc_close(sim->uc);
    sim->uc = NULL;
    look_take_down(sim);
    run_take_down(sim);
    if (sim->c_stack)
        munmap(sim->c_stack, C_STACK_BYTES);
    sim->c_stack = NULL;
    sim->machine = NULL;
}
