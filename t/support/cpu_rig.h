/* A processor for tests, by the file of its plugin: loaded, the shim before it if wanted, and started
 * with programs in a code zone of two views. */
#ifndef OSVM_T_CPU_RIG_H
#define OSVM_T_CPU_RIG_H

#include "osvm/cpu.h"
#include "t/support/cpu_programs.h"
#include "t/support/plugin_user.h"

enum { RIG_CODE_BYTES = 64 << 10, RIG_DATA_BYTES = 64 << 10, PROGRAM_SPACE = 256 };

typedef struct {
    const char *file, *shim;     /* shim: of its kind, NULL: none */
    const PluginOption *options; /* of the plugin in `file` */
    const char *machine;
} CpuRigSetup;

typedef struct {
    CpuRigSetup setup;
    PluginUser plugin, shim;
    Cpu *cpu;
    const OsvmHost *host;      /* what the processor was given */
    const CpuMachine *machine; /* once started */
    const Program *programs;   /* of the machine */
    int memory;                /* file behind the code */
    uint8_t *code, *writable;  /* where it runs, where it is written */
    uint8_t *data;
    char error[512];
} CpuRig;

/* False with `error` set. cpu_rig_close is for either case. */
bool cpu_rig_load(CpuRig *rig, const CpuRigSetup *setup);
/* Starts it, and maps code and data. `setup`: routines and condition; the rest is filled in. */
bool cpu_rig_start(CpuRig *rig, CpuSetup setup);
/* Answers the blocks of memory that were not given back. */
size_t cpu_rig_close(CpuRig *rig);

/* NULL: there are none for that machine. */
const Program *cpu_rig_programs(const char *machine);
/* Writes a program to its place, or to that of another one; nobody is told. */
void cpu_rig_write(CpuRig *rig, int place, int program);
uintptr_t cpu_rig_entry(const CpuRig *rig, int place);

#endif
