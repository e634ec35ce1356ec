/* A JIT back end and a simulated processor, to execute abstract instructions one by one and
 * compare with the model. */
#ifndef T_SUPPORT_JIT_RIG_H
#define T_SUPPORT_JIT_RIG_H

#include "kernel/plugin/plugins.h"
#include "osvm/cpu.h"
#include "osvm/jit.h"
#include "t/support/jit_model.h"

enum { RIG_CODE = 1 << 20, RIG_DATA = 64 << 10, RIG_PROGRAM = 64 };

typedef struct {
    const char *name; /* of the back end */
    Plugins *plugins;
    const JitOps *jit;
    Cpu *cpu;
    const CpuOps *ops;
    const CpuMachine *machine;
    unsigned registers[JIT_REGISTERS]; /* the machine's numbers */
    uint8_t *code, *data;
    uint32_t code_used;
    Word landing;     /* a lone JIT_STOP: where jumps to addresses go */
    /* The last program. */
    JitInstruction program[RIG_PROGRAM];
    unsigned count;
    Word entry;       /* of its code */
    uint32_t bytes;
    CpuStop stop;
    char why[256];    /* what is wrong, "" if nothing is */
} JitRig;

/* False: there is no such back end in this build. */
bool rig_open(JitRig *rig, const char *name, OsvmWorld *world);
void rig_close(JitRig *rig);

/* An instruction to be filled in, added to the program. */
JitInstruction *rig_add(JitRig *rig, JitOperation operation);
void rig_begin(JitRig *rig);
/* Encodes the program, with `pool` in front. */
bool rig_encode(JitRig *rig, const Word *pool);
/* Executes it from the state's registers and memory; they are then what it left. */
void rig_execute(JitRig *rig, ModelState *state);

/* Executes `i` alone, from `state`, and compares with the model. `why` says what is different. */
bool rig_agrees(JitRig *rig, const JitInstruction *i, const ModelState *state);
/* The same between loads and stores of the float registers; the memory's start is in VM. */
bool rig_agrees_on_floats(JitRig *rig, const JitInstruction *i, const ModelState *state);
/* Does the disassembler read the last program as instructions without a gap, and find in the
 * instruction's what it names? */
bool rig_reads_back(JitRig *rig, unsigned index, const char **what);

#endif
