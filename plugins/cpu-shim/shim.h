/* The checked half that every processor shares: a processor that forwards to another one, and verifies
 * both sides of osvm/cpu.h. A breach ends the process with a sentence that names the rule.
 */
#ifndef OSVM_PLUGINS_CPU_SHIM_H
#define OSVM_PLUGINS_CPU_SHIM_H

#include "osvm/cpu.h"

typedef struct {
    uintptr_t start, end;
    unsigned access;
} Range;

/* A list that grows; `ranges_*` in memory.c. */
typedef struct {
    Range *items;
    unsigned count, capacity;
} Ranges;

/* A `call` that has not returned. */
typedef struct {
    uintptr_t entry;
    const void *frame; /* of the C function that runs it, `call` or `resume` */
    bool stopped;      /* it stands at a stop */
} Entered;

typedef struct {
    Cpu cpu;      /* first */
    CpuOps ops;   /* ours, without what the processor behind does not have */
    Cpu *inner;
    const OsvmHost *host;
    uintptr_t thread; /* P8 */

    bool started;
    bool asking;      /* the user's condition is being asked */
    const CpuMachine *machine;
    CpuSetup setup;   /* as it was given */
    uintptr_t *routines; /* their addresses */

    Ranges mapped;      /* ascending, apart from one another */
    Ranges breakpoints; /* [pc, pc + 1) */
    Ranges watchpoints;

    Entered *entered; /* the innermost last */
    unsigned depth, capacity;
    uint64_t calls;   /* made since the start */
    bool requested;   /* a stop, that has not come yet */
    bool limited;     /* a budget is set */
    bool ring_known, tracing;
    unsigned ring;
    CpuStatistics counts; /* as they were told last */
} Shim;

static inline Shim *shim_of(const Cpu *cpu)
{
    return (Shim *)cpu;
}

/* Is it started, and this its thread (P8)? */
void shim_require_ready(const Shim *shim, const char *what);

/* calls.c */
CpuReason calls_call(Cpu *cpu, uintptr_t entry, const uintptr_t arguments[CPU_ARGUMENTS],
                     CpuStop *stop);
CpuReason calls_resume(Cpu *cpu, CpuStop *stop);
void calls_abandon(Cpu *cpu);
void calls_request_stop(Cpu *cpu);
bool calls_condition(void *context, Cpu *cpu, const CpuStop *stop);

/* memory.c */
bool memory_map(Cpu *cpu, uintptr_t start, uintptr_t end, unsigned access);
void memory_unmap(Cpu *cpu, uintptr_t start, uintptr_t end);
void memory_code_changed(Cpu *cpu, uintptr_t start, uintptr_t end);
/* Is all of [start, end) mapped so? */
bool memory_is_mapped(const Shim *shim, uintptr_t start, uintptr_t end, unsigned access);
bool ranges_add(Shim *shim, Ranges *ranges, Range range); /* false: no memory */
bool ranges_remove(Ranges *ranges, uintptr_t start, uintptr_t end);
const Range *ranges_at(const Ranges *ranges, uintptr_t start, uintptr_t end); /* one that overlaps */
void ranges_free(Shim *shim, Ranges *ranges);

/* look.c */
uint64_t look_read_register(Cpu *cpu, unsigned number);
void look_write_register(Cpu *cpu, unsigned number, uint64_t value);
void look_set_budget(Cpu *cpu, uint64_t instructions);
bool look_set_breakpoint(Cpu *cpu, uintptr_t pc, bool on);
bool look_set_watchpoint(Cpu *cpu, uintptr_t start, uintptr_t end, bool on);
bool look_set_ring(Cpu *cpu, unsigned count);
unsigned look_ring(const Cpu *cpu, uintptr_t *pcs, unsigned most);
void look_set_trace(Cpu *cpu, bool on);
uint64_t look_trace_hash(const Cpu *cpu);
void look_statistics(const Cpu *cpu, CpuStatistics *statistics);

/* machine.c */
void machine_require_sane(const CpuMachine *machine, bool with_registers);
const CpuMachine *machine_machine(const Cpu *cpu);
const CpuMachine *machine_find(const Cpu *cpu, const char *name);
bool machine_disassemble(Cpu *cpu, const CpuMachine *machine, const void *bytes, size_t size,
                         uintptr_t address, CpuInstruction *instruction);
#endif
