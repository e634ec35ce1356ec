/* Inside the simulated processor.
 *
 * An engine sees the VM's memory at its own addresses. Besides there are, each mapped for the
 * guest only: a page of stubs, one return instruction per routine, that is executable and
 * nothing else, and a stack for the C functions that machine code is entered as.
 *
 * While the engine runs, hooks note what happened and stop it; all that changes where it goes
 * on is done by the loop around it (run.c), since a stop asked for in the same hook that writes
 * the pc is lost.
 */
#ifndef CPU_SIM_H
#define CPU_SIM_H

#include <capstone/capstone.h>
#include <unicorn/unicorn.h>

#include "osvm/cpu.h"

/* The stubs lie below every address at which hosts map memory. */
enum { STUB_BASE = 0x4000, STUB_LIMIT = 0x10000, STUB_BYTES = 16, GUEST_PAGE = 4096 };

/* Bytes of the C stack; what is entered last lies deepest. */
enum { C_STACK_BYTES = 256 << 10 };

typedef struct Sim Sim;

/* ---- Machines ---- */

typedef struct Machine {
    CpuMachine face; /* first: the contract's pointer converts */
    uc_arch arch;
    uc_mode mode;
    cs_arch cs_arch;
    cs_mode cs_mode;
    const int *uc_registers;            /* Unicorn's names, by our numbers */
    uint8_t arguments[CPU_ARGUMENTS];   /* registers of a C call */
    uint8_t result;
    uint8_t home_bytes;                 /* the caller leaves these above the arguments */
    int8_t target;                      /* holds the address of a called function; -1: none */
    const uint8_t *stub;                /* a return */
    uint8_t stub_bytes;
    bool low;                           /* sees only what lies below 2 GiB */
    bool vague;                         /* some traps do not say where they happened */
    bool delay_slots;
    bool sized_pages;                   /* the size of pages can be chosen, and has to be */
    bool (*prepare)(uc_engine *uc);     /* floating point on, and the like; may be NULL */
    /* Where the instruction lies that raised exception `number` when the engine says `pc`. */
    uintptr_t (*trap_pc)(uint32_t number, uintptr_t pc);
    /* The fault that exception is. */
    CpuFault (*trap_fault)(uint32_t number);
    int16_t (*register_number)(unsigned capstone_register);
    void (*read_instruction)(const cs_insn *raw, CpuInstruction *instruction);
} Machine;

extern const Machine machine_x64, machine_arm, machine_mips;
const Machine *machine_named(const char *name);
enum { MACHINES = 3 };

/* ---- The processor ---- */

/* What a hook saw that stops the engine. */
typedef enum { EVENT_NONE, EVENT_ROUTINE, EVENT_STOP } Event;

/* A `call` that has not returned: the registers of the one around it. */
typedef struct Activation {
    struct Activation *outer;
    uint64_t registers[32];
    uint64_t pc;
} Activation;

typedef struct {
    uintptr_t start, end;
    uc_hook hook;
} Watch;

typedef struct {
    uintptr_t start, end;
    unsigned access;
} Restricted;

/* Instructions that were executed one behind the other. */
typedef struct {
    uintptr_t start;
    uint32_t size; /* bytes */
} Stretch;

enum { WATCHES = 16, RESTRICTED = 16 };

typedef enum { LOOK_NOT, LOOK_RING, LOOK_ALL } Look;

struct Sim {
    Cpu cpu; /* first */
    const OsvmHost *host;
    const Machine *machine; /* NULL: not started */
    uc_engine *uc;
    csh capstone[MACHINES]; /* 0: not opened */

    const CpuRoutine *routines;
    unsigned routine_count;
    uintptr_t code_start, code_end;
    bool (*condition)(void *context, Cpu *cpu, const CpuStop *stop);
    void *context;

    void *stubs, *c_stack; /* host memory behind them */
    size_t stub_bytes;
    uintptr_t stub_end, return_stub;
    Restricted restricted[RESTRICTED]; /* mapped otherwise than to read and write */
    unsigned restricted_count;
    uc_hook stub_hook, fault_hook, trap_hook, block_hook, look_hook;
    bool store_fix; /* wanted and there */
    unsigned long translation_bytes; /* for translated blocks */
    uintptr_t last_block;            /* the one translated last; 0: none since the last flush */

    /* ---- between hooks and the loop ---- */
    bool running;            /* inside uc_emu_start */
    Event event;
    CpuStop pending;         /* EVENT_STOP: the reason */
    unsigned routine;        /* EVENT_ROUTINE: which is to be called */
    bool redirected;         /* the pc was written while the engine ran */
    uintptr_t redirect;
    bool stop_requested;
    uintptr_t last_stub;     /* for delay slots */
    uintptr_t block;         /* start of the last block; only for vague machines */
    Activation *activation;  /* innermost */
    unsigned depth;          /* how many there are */

    /* ---- look.c ---- */
    Look look;
    unsigned ring_wanted;    /* instructions, as asked for */
    size_t ring_size;        /* stretches: a power of two, 0: no ring */
    Stretch *ring;
    uint64_t recorded;       /* stretches so far: the ring's position */
    uintptr_t stopped_before; /* where in its last stretch the run stopped; 0: behind it */
    uint64_t looked;         /* instructions seen one by one */
    uintptr_t last_pc;       /* of the instruction being executed */
    bool tracing;
    uint64_t hash;
    uint64_t budget;         /* instructions left; UINT64_MAX: no limit */
    uintptr_t passing;       /* no breakpoint or budget stops here once: it did already */
    uint8_t *breakpoints;    /* a bit per byte of the code zone */
    unsigned breakpoint_count;
    Watch watches[WATCHES];
    unsigned watch_count;
    bool watch_hit;
    CpuStop watched;

    CpuStatistics counts;
};

static inline Sim *sim_of(Cpu *cpu)
{
    return (Sim *)cpu;
}

static inline bool in_code(const Sim *sim, uintptr_t pc)
{
    return pc - sim->code_start < sim->code_end - sim->code_start;
}

/* engine.c */
bool engine_start(Cpu *cpu, const CpuSetup *setup, const OsvmHost *host, OsvmError *error);
void engine_stop(Cpu *cpu);
bool engine_map(Cpu *cpu, uintptr_t start, uintptr_t end, unsigned access);
void engine_unmap(Cpu *cpu, uintptr_t start, uintptr_t end);
void engine_code_changed(Cpu *cpu, uintptr_t start, uintptr_t end);
uint64_t engine_read_register(Cpu *cpu, unsigned number);
void engine_write_register(Cpu *cpu, unsigned number, uint64_t value);
uint64_t register_get(const Sim *sim, unsigned number);
void register_set(Sim *sim, unsigned number, uint64_t value);
/* What may be done at an address that is mapped. */
unsigned engine_access(const Sim *sim, uintptr_t address);
bool engine_map_stubs(Sim *sim);
/* New hooks are only seen by code translated anew. */
void engine_retranslate(Sim *sim);
bool engine_hook(Sim *sim, uc_hook *hook, int type, void *function, uintptr_t first,
                 uintptr_t last);

/* run.c */
uintptr_t run_routine_address(const Cpu *cpu, unsigned index);
CpuReason run_call(Cpu *cpu, uintptr_t entry, const uintptr_t arguments[CPU_ARGUMENTS],
                   CpuStop *stop);
CpuReason run_resume(Cpu *cpu, CpuStop *stop);
void run_abandon(Cpu *cpu);
void run_request_stop(Cpu *cpu);
/* Makes the stubs and their hook. */
bool run_set_up(Sim *sim, OsvmError *error);
void run_take_down(Sim *sim);
/* In a hook: the loop is to answer `stop`. The first one counts. */
void run_stop_with(Sim *sim, const CpuStop *stop);

/* look.c */
void look_set_budget(Cpu *cpu, uint64_t instructions);
bool look_set_breakpoint(Cpu *cpu, uintptr_t pc, bool on);
bool look_set_watchpoint(Cpu *cpu, uintptr_t start, uintptr_t end, bool on);
bool look_set_ring(Cpu *cpu, unsigned count);
unsigned look_ring(const Cpu *cpu, uintptr_t *pcs, unsigned most);
void look_set_trace(Cpu *cpu, bool on);
uint64_t look_trace_hash(const Cpu *cpu);
/* The instruction executed last, and where its block began; 0: nothing recorded that. */
uintptr_t look_last_pc(const Sim *sim);
uintptr_t look_last_block(const Sim *sim);
void look_take_down(Sim *sim);
/* A watched byte was written by the instruction before `pc`: stops. */
bool look_stop_for_watch(Sim *sim, uintptr_t pc);

/* fault.c */
bool fault_set_up(Sim *sim, OsvmError *error);
/* Completes a stop for an engine that ended with `err`. */
void fault_describe(Sim *sim, uc_err err, CpuStop *stop);

/* library.c */
/* What is replaced: filling the TLB, making and filling the buffer of translated blocks. */
typedef enum { LIBRARY_PAGES = 1, LIBRARY_TRANSLATIONS = 2 } LibraryPart;
/* Which engine this thread starts or runs from now on; NULL: none. */
void library_run(Sim *sim);
Sim *library_running(void);
/* The library's own function; NULL: it has none of that name. */
void *library_symbol(const char *name);
/* For a function of ours: the library called it. */
void library_called(LibraryPart part);
/* Whether it does so, and is the version the replacements are for; tries it once. */
bool library_calls_ours(LibraryPart part);
/* See translations.c. */
bool library_misses_first_flush(void);

/* stores.c */
/* Whether this library lets its stores be cured. */
bool stores_can_be_fixed(void);

/* translations.c */
/* For a library that does not call ours: a flush at the start, which is the one it would miss. */
void translations_set_up(Sim *sim);

/* disassemble.c */
const CpuMachine *disassemble_find_machine(const Cpu *cpu, const char *name);
bool disassemble_one(Cpu *cpu, const CpuMachine *machine, const void *bytes, size_t size,
                     uintptr_t address, CpuInstruction *instruction);
void disassemble_close(Sim *sim);
/* For machines: adds an operand. */
CpuOperand *operand_add(CpuInstruction *instruction, CpuOperandKind kind);

#endif
