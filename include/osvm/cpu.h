/* The contract of a processor plugin: what machine code runs on.
 *
 * A processor enters machine code, lets it call C routines, and stops for a
 * reason. `native` is the host itself: entering is a function call, and nothing
 * but a return stops it. `sim` simulates a machine (x64, arm, mips) that sees the
 * same bytes at the same addresses, and so runs the very code that runs natively;
 * it counts, steps, breaks, watches, and answers a fault instead of dying of it.
 *
 * Machine code is entered as a C function of the machine's own C calling
 * convention: up to CPU_ARGUMENTS words, one word back. It reaches C only by
 * calls to the addresses that routine_address answers: natively those of the C
 * functions, simulated addresses at which there is nothing to read or write. All
 * of them have one type, CpuFunction; arguments are host words because an oop is a
 * host address.
 *
 * The rules between a processor (P) and its user (U):
 *  P1  What machine code may touch, U maps first, in whole pages of CPU_PAGE bytes. P never
 *      reads or writes mapped memory but for machine code. (Natively mapping does nothing.)
 *  P2  U calls code_changed for every range of code it writes once it has been
 *      mapped; what is executed from the next instruction on, or from the return of
 *      the routine that patched, is the new code.
 *  P3  A leaf routine returns to its caller and enters no machine code. A routine
 *      that may do otherwise is no leaf: P stops first, so that it may call `call`. While a
 *      routine runs, the pc is its address, unless U writes another.
 *  P4  No longjmp across `call` or out of a routine. A routine that wants machine
 *      code to go on elsewhere leaves word of that in variables its trampoline
 *      reads.
 *  P5  After any stop but CPU_RETURNED the registers are those before the
 *      instruction at stop.pc; `resume` goes on there, with what U wrote to registers
 *      and memory; `abandon` gives that call up.
 *  P6  `request_stop` and writing the pc never lose one another, whatever their order
 *      and wherever they are called.
 *  P7  Calls nest: a routine that is no leaf may call `call`. The last one in is the
 *      first one out. One that has stopped is resumed or given up before anything else
 *      is called, and before the routine returns that called it.
 *  P8  One thread uses a processor, the one that started it.
 *
 * An instance begins with struct Cpu; the plugin's init fills in `ops`. Addresses are
 * host words, so a processor is for any heap width.
 */
#ifndef OSVM_CPU_H
#define OSVM_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "osvm/plugin.h"

enum { OSVM_CPU_ABI = 3 };

enum { CPU_ARGUMENTS = 4, CPU_PAGE = 4096 };

typedef struct CpuOps CpuOps;
typedef struct Cpu Cpu;

struct Cpu {
    const CpuOps *ops;
};

/* ---- Routines: C functions that machine code calls ---- */

typedef uintptr_t (*CpuFunction)(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d);

typedef struct {
    const char *name; /* for listings and reports */
    CpuFunction function;
    uint8_t arguments; /* how many of the four mean something */
    bool leaf;         /* P3 */
} CpuRoutine;

/* ---- Machines ---- */

typedef struct {
    const char *name;
    uint8_t bits;
} CpuRegister;

/* A machine's registers have numbers: those of its encoding for the general ones, then the
 * program counter, flags and floating point ones in the order of the table. */
typedef struct {
    const char *name; /* "x64", "arm", "mips": as the back end of the JIT is called */
    uint8_t bits;     /* of a word */
    uint8_t instruction_alignment;
    uint8_t stack_alignment; /* of the stack pointer where a C routine is called */
    const CpuRegister *registers;
    unsigned register_count;
    unsigned general; /* registers 0 .. general-1 are the general ones */
    unsigned pc, sp, fp;
    int link; /* the register that holds the return address after a call; -1: on the stack */
} CpuMachine;

/* ---- Stops ---- */

typedef enum {
    CPU_RETURNED,   /* the entered code returned */
    CPU_BREAKPOINT, /* at pc, before its instruction */
    CPU_WATCHPOINT, /* a watched byte was written; `writer` wrote it, pc is the next instruction */
    CPU_BUDGET,     /* as many instructions as allowed were executed */
    CPU_REQUESTED,  /* request_stop */
    CPU_FAULT       /* `fault` says which */
} CpuReason;

typedef enum {
    CPU_NO_FAULT,
    CPU_ILLEGAL,        /* the machine has no such instruction */
    CPU_WILD_JUMP,      /* pc is where no code may be */
    CPU_BAD_READ,       /* of `address`, which is not mapped or not readable */
    CPU_BAD_WRITE,
    CPU_UNALIGNED,      /* access to `address` */
    CPU_BAD_STACK,      /* a routine was called with a misaligned stack pointer */
    CPU_TRAP,           /* an instruction raised an exception; `number` is the machine's */
    CPU_ENGINE,         /* the simulator gave up for a reason of its own; see `detail` */
    CPU_NOT_ENTERED     /* `call` could not be made (nested too deep, no memory; see `detail`): there
                           is nothing to resume or to abandon */
} CpuFault;

typedef struct {
    CpuReason reason;
    CpuFault fault;
    uintptr_t pc;
    uintptr_t address; /* of the access that failed or was watched; of the target of a wild jump */
    uintptr_t writer;  /* CPU_WATCHPOINT, CPU_WILD_JUMP: pc of the instruction that did it; 0:
                          not known, because nothing recorded instructions */
    uint64_t value;    /* CPU_WATCHPOINT: what was written */
    uint32_t number;
    uintptr_t result;  /* CPU_RETURNED: what it returned */
    char detail[96];   /* one phrase, "" where there is no more to say */
} CpuStop;

/* ---- Looking at code ---- */

typedef enum {
    CPU_PLAIN,
    CPU_CALL,
    CPU_JUMP,        /* unconditional */
    CPU_BRANCH,      /* conditional */
    CPU_RETURN,
    CPU_BREAK        /* a trap on purpose */
} CpuFlow;

typedef enum {
    CPU_OPERAND_REGISTER,
    CPU_OPERAND_IMMEDIATE,
    CPU_OPERAND_MEMORY,
    CPU_OPERAND_TARGET /* code address of a direct branch or call */
} CpuOperandKind;

enum { CPU_NO_REGISTER = -1, CPU_OPERANDS = 8 };

typedef struct {
    CpuOperandKind kind;
    uint8_t size;        /* bytes accessed, where the machine says so; else 0 */
    int16_t base;        /* the register; of memory: the base, or CPU_NO_REGISTER */
    int16_t index;       /* of memory, or CPU_NO_REGISTER */
    uint8_t scale;       /* of the index: 1, 2, 4, 8 */
    bool absolute;       /* memory whose address is `value` whatever the registers hold */
    int64_t value;       /* immediate, displacement, or address of target or absolute memory */
    uint8_t code_offset; /* where in the instruction's bytes the value is encoded, with ... */
    uint8_t code_size;   /* ... this many bytes; 0: not as whole bytes */
    char text[48];       /* as an assembler writes it */
} CpuOperand;

typedef struct {
    uintptr_t address;
    uint8_t size;
    CpuFlow flow;
    bool delay_slot;     /* the instruction behind it is executed before control moves */
    char mnemonic[24];
    uint8_t operand_count;
    CpuOperand operands[CPU_OPERANDS];
} CpuInstruction;

/* ---- The vtable ---- */

typedef struct {
    uint64_t instructions; /* counted only while something looks at each */
    uint64_t entries;      /* calls of `call` */
    uint64_t leaf_calls, stopping_calls;
    uint64_t code_changes;
    uint64_t flushes;      /* all translations were thrown out for lack of room */
} CpuStatistics;

/* Borrowed for the call of `start`, but for the tables, which are kept. */
typedef struct {
    size_t size;             /* of this struct, when it was compiled */
    const char *machine;     /* name of the machine wanted */
    const CpuRoutine *routines;
    unsigned routine_count;
    uintptr_t code_start, code_end; /* the code zone: pcs in it are traced, others are wild */
    /* Asked at a breakpoint or watchpoint whether to stop; NULL: always. May read registers, may
     * not write them. */
    bool (*condition)(void *context, Cpu *cpu, const CpuStop *stop);
    void *context;
} CpuSetup;

enum { CPU_READ = 1, CPU_WRITE = 2, CPU_EXECUTE = 4 };

struct CpuOps {
    size_t size; /* of this struct, when it was compiled */

    /* ---- Facts ---- */
    bool simulated; /* the functions under "Simulated only" are there */

    /* Makes the machine ready; `host` is what the instance was given. `stop` copes with what is
     * half made. */
    bool (*start)(Cpu *cpu, const CpuSetup *setup, const OsvmHost *host, OsvmError *error);
    void (*stop)(Cpu *cpu);
    const CpuMachine *(*machine)(const Cpu *cpu); /* kept; once started */

    /* False: the machine cannot reach it, or something is mapped there already. */
    bool (*map)(Cpu *cpu, uintptr_t start, uintptr_t end, unsigned access);
    void (*unmap)(Cpu *cpu, uintptr_t start, uintptr_t end); /* all of it mapped */
    void (*code_changed)(Cpu *cpu, uintptr_t start, uintptr_t end);
    /* What machine code has to call to reach routine `index`; stays the same once started. */
    uintptr_t (*routine_address)(const Cpu *cpu, unsigned index);

    /* Enters machine code, in the code zone or at the address of a routine; answers stop->reason. */
    CpuReason (*call)(Cpu *cpu, uintptr_t entry, const uintptr_t arguments[CPU_ARGUMENTS],
                      CpuStop *stop);
    void (*statistics)(const Cpu *cpu, CpuStatistics *statistics);

    /* ---- Simulated only; natively NULL ---- */

    CpuReason (*resume)(Cpu *cpu, CpuStop *stop);
    void (*abandon)(Cpu *cpu);
    /* From a routine or a condition, or for the next `call` or `resume` (P8). Other threads ask the VM
     * for a poll. */
    void (*request_stop)(Cpu *cpu);
    /* Registers; numbers beyond the machine's are a bug. */
    uint64_t (*read_register)(Cpu *cpu, unsigned number);
    void (*write_register)(Cpu *cpu, unsigned number, uint64_t value);

    /* Stops after `instructions` more (CPU_BUDGET); 0: no limit. One is a single step. */
    void (*set_budget)(Cpu *cpu, uint64_t instructions);
    /* False: not in the code zone, no address of an instruction, or in a delay slot. Nothing stops
     * between an instruction and its delay slot, but for faults. */
    bool (*set_breakpoint)(Cpu *cpu, uintptr_t pc, bool on);
    /* False: empty, no room for more; off: no such one is set. */
    bool (*set_watchpoint)(Cpu *cpu, uintptr_t start, uintptr_t end, bool on);
    /* Remembers the pcs of the last `count` instructions; 0: none. */
    bool (*set_ring)(Cpu *cpu, unsigned count);
    /* Copies the newest up to `most`, the oldest of them first; answers how many. */
    unsigned (*ring)(const Cpu *cpu, uintptr_t *pcs, unsigned most);
    /* A hash over every pc in the code zone, as offset, from now on. Off: 0. */
    void (*set_trace)(Cpu *cpu, bool on);
    uint64_t (*trace_hash)(const Cpu *cpu);

    /* ---- Looking at code: needs no `start`. ---- */

    /* The machine of that name, or NULL. */
    const CpuMachine *(*find_machine)(const Cpu *cpu, const char *name);
    /* Decodes the instruction in `bytes`, which would be executed at `address`. False: there is
     * none; then *instruction is one unit of data. NULL: it cannot. */
    bool (*disassemble)(Cpu *cpu, const CpuMachine *machine, const void *bytes, size_t size,
                        uintptr_t address, CpuInstruction *instruction);
    /* members above: ABI 3 */
};

#endif
