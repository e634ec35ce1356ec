/* Entering machine code, why it stops, and going on. */
#include "shim.h"

#include <string.h>

static Entered *innermost(const Shim *shim)
{
    return shim->depth ? &shim->entered[shim->depth - 1] : NULL;
}

static uint64_t read_pc(const Shim *shim)
{
    return shim->inner->ops->read_register(shim->inner, shim->machine->pc);
}

static const CpuRoutine *routine_at(const Shim *shim, uintptr_t address)
{
    for (unsigned i = 0; i < shim->setup.routine_count; i++)
        if (shim->routines[i] == address)
            return &shim->setup.routines[i];
    return NULL;
}

/* ---- May it be called? ---- */

static void require_entry(const Shim *shim, uintptr_t entry)
{
    if (routine_at(shim, entry))
        return;
    REQUIRE(entry >= shim->setup.code_start && entry < shim->setup.code_end,
            "call of 0x%zx: enter the code zone [0x%zx, 0x%zx) or a routine", (size_t)entry,
            (size_t)shim->setup.code_start, (size_t)shim->setup.code_end);
    REQUIRE(entry % shim->machine->instruction_alignment == 0,
            "call of 0x%zx, which is the address of no instruction", (size_t)entry);
    REQUIRE(memory_is_mapped(shim, entry, entry + 1, CPU_EXECUTE),
            "call of 0x%zx, which is not mapped to be executed: map it first (P1)", (size_t)entry);
}

/* `frame`: of the C function that enters. */
static void require_nesting(const Shim *shim, const char *what, const void *frame)
{
    const Entered *outer = innermost(shim);
    REQUIRE(!shim->asking, "%s from a condition: it may read registers and request a stop", what);
    if (!outer)
        return;
    REQUIRE(!outer->stopped,
            "%s while the call of 0x%zx stands at a stop: resume or abandon it first (P7)", what,
            (size_t)outer->entry);
    REQUIRE((uintptr_t)frame < (uintptr_t)outer->frame,
            "%s from C code that called 0x%zx, which has not returned: it was left by a longjmp (P4)",
            what, (size_t)outer->entry);
}

static void require_no_leaf(const Shim *shim)
{
    const CpuRoutine *routine =
        shim->depth && shim->ops.simulated ? routine_at(shim, (uintptr_t)read_pc(shim)) : NULL;
    REQUIRE(!routine || !routine->leaf,
            "machine code is entered from the leaf routine %s: declare it as none (P3)",
            routine->name);
}

/* ---- Is the stop what it has to be? ---- */

static void require_reason(const Shim *shim, CpuReason reason, const CpuStop *stop)
{
    REQUIRE(reason <= CPU_FAULT, "the processor stops for reason %d, which is none", reason);
    REQUIRE(stop->reason == reason, "the processor answers reason %d, and writes %d", reason,
            stop->reason);
    REQUIRE(shim->ops.simulated || reason == CPU_RETURNED,
            "a processor that is not simulated stops for reason %d", reason);
    REQUIRE((reason == CPU_FAULT) == (stop->fault != CPU_NO_FAULT) && stop->fault <= CPU_NOT_ENTERED,
            "the processor stops for reason %d with fault %d", reason, stop->fault);
    REQUIRE(memchr(stop->detail, 0, sizeof stop->detail), "the detail of a stop has no end");
}

static void require_fault(const Shim *shim, const CpuStop *stop)
{
    enum { WIDEST_ACCESS = 64 };
    uintptr_t at = stop->address;
    switch (stop->fault) {
    case CPU_BAD_READ:
    case CPU_BAD_WRITE:
        REQUIRE(!memory_is_mapped(shim, at, at + WIDEST_ACCESS,
                                  stop->fault == CPU_BAD_READ ? CPU_READ : CPU_WRITE),
                "the processor refuses an access to 0x%zx, which is allowed there (P1)", (size_t)at);
        break;
    case CPU_WILD_JUMP:
        REQUIRE(at == stop->pc, "a wild jump to 0x%zx stops at 0x%zx", (size_t)at,
                (size_t)stop->pc);
        REQUIRE(at < shim->setup.code_start || at >= shim->setup.code_end ||
                    !memory_is_mapped(shim, at, at + 1, CPU_EXECUTE),
                "a jump to 0x%zx, in the code zone, is said to be wild", (size_t)at);
        break;
    case CPU_ILLEGAL:
    case CPU_TRAP:
        REQUIRE(memory_is_mapped(shim, stop->pc, stop->pc + 1, CPU_EXECUTE),
                "fault %d of an instruction at 0x%zx, where none may be", stop->fault,
                (size_t)stop->pc);
        break;
    case CPU_BAD_STACK:
        REQUIRE(routine_at(shim, stop->pc), "a misaligned stack at 0x%zx, which is no routine",
                (size_t)stop->pc);
        break;
    default:
        break;
    }
}

static void require_stop(Shim *shim, const CpuStop *stop)
{
    enum { WIDEST_ACCESS = 64 };
    uintptr_t pc = stop->pc;
    REQUIRE(read_pc(shim) == pc,
            "the processor stops at 0x%zx, but its pc is 0x%zx: the registers are to be those before "
            "the instruction there (P5)", (size_t)pc, (size_t)read_pc(shim));
    switch (stop->reason) {
    case CPU_BREAKPOINT:
        REQUIRE(ranges_at(&shim->breakpoints, pc, pc + 1),
                "the processor stops at 0x%zx, where no breakpoint is", (size_t)pc);
        break;
    case CPU_WATCHPOINT:
        REQUIRE(ranges_at(&shim->watchpoints, stop->address, stop->address + WIDEST_ACCESS),
                "the processor stops for a write to 0x%zx, which nobody watches",
                (size_t)stop->address);
        break;
    case CPU_BUDGET:
        REQUIRE(shim->limited, "the processor stops at 0x%zx for a budget, and there is none",
                (size_t)pc);
        break;
    case CPU_REQUESTED:
        REQUIRE(shim->requested, "the processor stops at 0x%zx on request of nobody (P6)",
                (size_t)pc);
        shim->requested = false;
        break;
    default:
        require_fault(shim, stop);
        break;
    }
}

/* The call at `depth` has come back. */
static CpuReason ended(Shim *shim, unsigned depth, CpuReason reason, CpuStop *stop)
{
    REQUIRE(shim->depth == depth,
            "the call of 0x%zx stands at a stop, and the routine that made it has returned: resume or "
            "abandon it first (P7)", (size_t)innermost(shim)->entry);
    require_reason(shim, reason, stop);
    if (reason == CPU_RETURNED)
        REQUIRE(!shim->requested,
                "a stop was requested, and the call of 0x%zx has returned without it (P6)",
                (size_t)innermost(shim)->entry);
    if (reason == CPU_RETURNED || stop->fault == CPU_NOT_ENTERED) {
        shim->depth--;
        return reason;
    }
    innermost(shim)->stopped = true;
    require_stop(shim, stop);
    return reason;
}

/* ---- The vtable ---- */

static void enter(Shim *shim, uintptr_t entry, const void *frame)
{
    if (shim->depth == shim->capacity) {
        unsigned wanted = shim->capacity ? 2 * shim->capacity : 16;
        Entered *bigger = shim->host->resize(shim->host, shim->entered,
                                             shim->capacity * sizeof *bigger,
                                             wanted * sizeof *bigger);
        REQUIRE(bigger, "the host has no memory for the list of calls");
        shim->entered = bigger;
        shim->capacity = wanted;
    }
    shim->entered[shim->depth++] = (Entered){.entry = entry, .frame = frame};
    shim->calls++;
}

CpuReason calls_call(Cpu *cpu, uintptr_t entry, const uintptr_t arguments[CPU_ARGUMENTS],
                     CpuStop *stop)
{
    Shim *shim = shim_of(cpu);
    const void *frame = __builtin_frame_address(0);
    shim_require_ready(shim, "call");
    REQUIRE(arguments && stop, "call of 0x%zx without arguments or a place for the stop",
            (size_t)entry);
    require_entry(shim, entry);
    require_nesting(shim, "call", frame);
    require_no_leaf(shim);
    enter(shim, entry, frame);
    unsigned depth = shim->depth;
    memset(stop, 0xA5, sizeof *stop);
    CpuReason reason = shim->inner->ops->call(shim->inner, entry, arguments, stop);
    return ended(shim, depth, reason, stop);
}

static Entered *require_stopped(Shim *shim, const char *what)
{
    Entered *entered = innermost(shim);
    shim_require_ready(shim, what);
    REQUIRE(!shim->asking, "%s from a condition: answer whether to stop instead", what);
    REQUIRE(entered && entered->stopped, "%s where nothing stands at a stop (P5)", what);
    return entered;
}

CpuReason calls_resume(Cpu *cpu, CpuStop *stop)
{
    Shim *shim = shim_of(cpu);
    Entered *entered = require_stopped(shim, "resume");
    REQUIRE(stop, "resume without a place for the stop");
    unsigned depth = shim->depth;
    entered->stopped = false;
    entered->frame = __builtin_frame_address(0);
    memset(stop, 0xA5, sizeof *stop);
    CpuReason reason = shim->inner->ops->resume(shim->inner, stop);
    return ended(shim, depth, reason, stop);
}

void calls_abandon(Cpu *cpu)
{
    Shim *shim = shim_of(cpu);
    require_stopped(shim, "abandon");
    shim->depth--;
    shim->inner->ops->abandon(shim->inner);
}

void calls_request_stop(Cpu *cpu)
{
    Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "request_stop");
    shim->requested = true;
    shim->inner->ops->request_stop(shim->inner);
}

/* What the processor asks in the user's place. */
bool calls_condition(void *context, Cpu *cpu, const CpuStop *stop)
{
    Shim *shim = context;
    (void)cpu;
    REQUIRE(stop->reason == CPU_BREAKPOINT || stop->reason == CPU_WATCHPOINT,
            "the processor asks whether to stop for reason %d", stop->reason);
    REQUIRE(stop->reason != CPU_BREAKPOINT || ranges_at(&shim->breakpoints, stop->pc, stop->pc + 1),
            "the processor asks whether to stop at 0x%zx, where no breakpoint is", (size_t)stop->pc);
    shim->asking = true;
    bool stops = shim->setup.condition(shim->setup.context, &shim->cpu, stop);
    shim->asking = false;
    return stops;
}
