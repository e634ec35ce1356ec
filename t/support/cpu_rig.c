#include "t/support/cpu_rig.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

const Program *cpu_rig_programs(const char *machine)
{
    return strcmp(machine, "x64") == 0    ? programs_x64
           : strcmp(machine, "arm") == 0  ? programs_arm
           : strcmp(machine, "mips") == 0 ? programs_mips
                                          : NULL;
}

uintptr_t cpu_rig_entry(const CpuRig *rig, int place)
{
    return (uintptr_t)rig->code + (uintptr_t)place * PROGRAM_SPACE;
}

void cpu_rig_write(CpuRig *rig, int place, int program)
{
    memcpy(rig->writable + (size_t)place * PROGRAM_SPACE, rig->programs[program].bytes,
           rig->programs[program].size);
}

/* ---- Memory: low, for machines of 32 bits ---- */

static uint8_t *map(size_t bytes, int access, int flags, int file)
{
    void *memory = mmap(NULL, bytes, access, flags | MAP_32BIT, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool make_memory(CpuRig *rig)
{
    rig->memory = memfd_create("cpu-rig", MFD_CLOEXEC);
    if (rig->memory < 0 || ftruncate(rig->memory, RIG_CODE_BYTES))
        return false;
    rig->code = map(RIG_CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, rig->memory);
    rig->writable = map(RIG_CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, rig->memory);
    /* The page behind the data is nobody's: what a processor maps for itself cannot lie there. */
    rig->data = map(RIG_DATA_BYTES + CPU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    return rig->code && rig->writable && rig->data;
}

/* ---- Life ---- */

bool cpu_rig_load(CpuRig *rig, const CpuRigSetup *setup)
{
    *rig = (CpuRig){.setup = *setup, .memory = -1};
    PluginChoice choice = {.file = setup->file, .kind = OSVM_CPU, .vtable_abi = OSVM_CPU_ABI,
                           .options = setup->options};
    if (!plugin_open(&rig->plugin, &choice, rig->error, sizeof rig->error))
        return false;
    choice = (PluginChoice){.file = setup->shim, .kind = OSVM_CPU, .vtable_abi = OSVM_CPU_ABI,
                            .inner = &rig->plugin};
    if (setup->shim && !plugin_open(&rig->shim, &choice, rig->error, sizeof rig->error))
        return false;
    PluginUser *outer = setup->shim ? &rig->shim : &rig->plugin;
    rig->cpu = outer->state;
    rig->host = &outer->host;
    return true;
}

bool cpu_rig_start(CpuRig *rig, CpuSetup setup)
{
    OsvmError error = {0};
    rig->programs = cpu_rig_programs(rig->setup.machine);
    if (!rig->code && !make_memory(rig)) {
        snprintf(rig->error, sizeof rig->error, "no memory below 2 GiB");
        return false;
    }
    for (int i = 0; rig->programs && i < PROGRAMS; i++)
        cpu_rig_write(rig, i, i);
    setup.size = sizeof setup;
    setup.machine = rig->setup.machine;
    setup.code_start = (uintptr_t)rig->code;
    setup.code_end = setup.code_start + RIG_CODE_BYTES;
    uintptr_t data = (uintptr_t)rig->data;
    if (!rig->cpu->ops->start(rig->cpu, &setup, rig->host, &error)) {
        snprintf(rig->error, sizeof rig->error, "%.500s", error.message);
        return false;
    }
    rig->machine = rig->cpu->ops->machine(rig->cpu);
    if (rig->cpu->ops->map(rig->cpu, setup.code_start, setup.code_end, CPU_READ | CPU_EXECUTE) &&
        rig->cpu->ops->map(rig->cpu, data, data + RIG_DATA_BYTES, CPU_READ | CPU_WRITE)) {
        rig->cpu->ops->code_changed(rig->cpu, setup.code_start, setup.code_end);
        return true;
    }
    snprintf(rig->error, sizeof rig->error, "it maps no memory");
    return false;
}

size_t cpu_rig_close(CpuRig *rig)
{
    size_t blocks = 0;
    if (rig->cpu && rig->programs)
        rig->cpu->ops->stop(rig->cpu);
    if (rig->shim.host.size)
        blocks += plugin_close(&rig->shim);
    if (rig->plugin.host.size)
        blocks += plugin_close(&rig->plugin);
    if (rig->code)
        munmap(rig->code, RIG_CODE_BYTES);
    if (rig->writable)
        munmap(rig->writable, RIG_CODE_BYTES);
    if (rig->data)
        munmap(rig->data, RIG_DATA_BYTES + CPU_PAGE);
    if (rig->memory >= 0)
        close(rig->memory);
    *rig = (CpuRig){.memory = -1};
    return blocks;
}
