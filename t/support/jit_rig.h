/* A JIT back end and a processor, both by the files of their plugins, to execute abstract instructions
 * one by one and compare with the model.
 *
 * On a simulated processor the registers are written before, and read behind, an instruction, and it ends
 * at a JIT_STOP. On the host it stands between code, made by the same back end, that takes the registers
 * from the stack and puts them there, and leaves by the stub for that.
 */
#ifndef T_SUPPORT_JIT_RIG_H
#define T_SUPPORT_JIT_RIG_H

#include "osvm/cpu.h"
#include "osvm/jit.h"
#include "t/support/jit_model.h"
#include "t/support/plugin_user.h"

enum { RIG_CODE = 4 << 20, RIG_DATA = 64 << 10, RIG_PROGRAM = 1 << 15, RIG_POOL = 1024 };

typedef struct {
    const char *back_end, *back_end_shim;   /* files; no shim: NULL */
    const char *processor, *processor_shim;
    const char *disassembler;               /* a processor that takes code apart; NULL: none */
} JitRigSetup;

/* The Vm of stubs. */
typedef struct {
    Word sp, fp, ip, c_sp, leaf_pc;
    Word leave;             /* address of the stub */
    Word leaf, switching;   /* ... of those for the routines */
    Word last_sp;           /* written by code that leaves */
    Word routines[2];
} RigVm;

typedef enum { RIG_LEAF, RIG_SWITCHING } RigRoutine;

typedef struct {
    PluginUser back_end_plugin, back_end_shim, processor_plugin, processor_shim, looking;
    JitBackEnd *back_end;
    const JitOps *jit;
    Cpu *cpu;
    Cpu *looker;            /* takes code apart; NULL: nothing does */
    const CpuMachine *machine;
    bool simulated;
    unsigned registers[JIT_REGISTERS]; /* the machine's numbers; simulated only */
    int memory;             /* file behind the code */
    uint8_t *code, *writable, *data;
    RigVm *vm;              /* in data, behind the model's memory */
    uint32_t code_used, code_first;
    Word enter;             /* stub */
    Word landing;           /* where jumps to addresses go: a lone end */
    /* The last program. */
    JitInstruction *program;
    unsigned count;
    Word entry;             /* of its code */
    uint32_t bytes, pool_words;
    CpuStop stop;
    ModelExit ended;        /* on the host: by which end */
    unsigned longest;       /* bytes that one instruction took */
    char why[256];          /* what is wrong, "" if nothing is */
} JitRig;

/* False with `why` set: the processor does not run the back end's code. */
bool rig_open(JitRig *rig, const JitRigSetup *setup, const CpuRoutine routines[2]);
/* Answers the blocks of memory that were not given back. */
size_t rig_close(JitRig *rig);

void rig_begin(JitRig *rig);
/* An instruction to be filled in, added to the program. */
JitInstruction *rig_add(JitRig *rig, JitOperation operation);
/* The program begins with the registers of the state; it ends, having got here. */
void rig_enter(JitRig *rig);
void rig_leave(JitRig *rig, ModelExit how);
/* Encodes the program, with a pool in front. */
bool rig_encode(JitRig *rig, const Word *pool, uint32_t pool_words);
/* Encodes a stub; 0: it was refused. */
Word rig_stub(JitRig *rig, JitStubKind kind, unsigned routine);
/* Executes the program from the state's registers and memory; they are then what it left. On the host it
 * first gets its registers from the stack: they are in the state's memory from then on. */
void rig_execute(JitRig *rig, ModelState *state);
/* Enters at vm->ip through the stub, and answers what it left with. */
Word rig_call(JitRig *rig);
/* Did the last run end there? */
bool rig_ended(const JitRig *rig, ModelExit how);
void rig_give_up(JitRig *rig);

/* Executes `i` alone, from `state`, and compares with the model. `why` says what is different. */
bool rig_agrees(JitRig *rig, const JitInstruction *i, const ModelState *state);
/* The same between loads and stores of the float registers; the memory's start is in VM. */
bool rig_agrees_on_floats(JitRig *rig, const JitInstruction *i, const ModelState *state);
/* Does the disassembler read the last program as instructions without a gap, and find in the
 * instruction's what it names? */
bool rig_reads_back(JitRig *rig, unsigned index, const char **what);

#endif
