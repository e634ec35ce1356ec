/* What went wrong, and where.
 *
 * Without a hook on each instruction the engine knows only the block in which an
 * access failed. The registers are exact even so, so the instruction is the one in
 * the block that computes the address that failed; and of a trap that has no
 * address, on machines that leave the pc as it was, the first that can raise it.
 */
#include "sim.h"

#include <string.h>

/* An exception ended the run; which, its handler noted in `pending`. */
static void at_trap(uc_engine *uc, uint32_t number, void *context)
{
    Sim *sim = context;
    uintptr_t pc = (uintptr_t)register_get(sim, sim->machine->face.pc);
    CpuStop stop = {
        .reason = CPU_FAULT,
        .fault = sim->machine->trap_fault(number),
        .pc = sim->machine->trap_pc(number, pc),
        .number = number,
    };
    (void)uc;
    run_stop_with(sim, &stop);
}

static CpuFault access_fault(uc_mem_type type)
{
    switch (type) {
    case UC_MEM_READ_UNMAPPED:
    case UC_MEM_READ_PROT:
        return CPU_BAD_READ;
    case UC_MEM_WRITE_UNMAPPED:
    case UC_MEM_WRITE_PROT:
        return CPU_BAD_WRITE;
    default:
        return CPU_WILD_JUMP;
    }
}

static const char *access_detail(uc_mem_type type)
{
    switch (type) {
    case UC_MEM_READ_PROT:
    case UC_MEM_WRITE_PROT:
    case UC_MEM_FETCH_PROT:
        return "memory that allows no such access";
    default:
        return "nothing is mapped there";
    }
}

/* Answering false ends the run; true would execute or retry what is not allowed. */
static bool at_bad_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size,
                          int64_t value, void *context)
{
    Sim *sim = context;
    (void)uc, (void)size;
    if (sim->event == EVENT_STOP)
        return false;
    sim->event = EVENT_STOP;
    sim->pending = (CpuStop){
        .reason = CPU_FAULT,
        .fault = access_fault(type),
        .address = (uintptr_t)address,
        .value = (uint64_t)value,
    };
    snprintf(sim->pending.detail, sizeof sim->pending.detail, "%s", access_detail(type));
    return false;
}

static void at_block(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    (void)uc, (void)size;
    ((Sim *)context)->block = (uintptr_t)address;
}

bool fault_set_up(Sim *sim, OsvmError *error)
{
    if (engine_hook(sim, &sim->trap_hook, UC_HOOK_INTR, (void *)at_trap, 1, 0) &&
        engine_hook(sim, &sim->fault_hook, UC_HOOK_MEM_INVALID, (void *)at_bad_access, 1, 0) &&
        (!sim->machine->vague || sim->code_start >= sim->code_end ||
         engine_hook(sim, &sim->block_hook, UC_HOOK_BLOCK, (void *)at_block, sim->code_start,
                     sim->code_end - 1)))
        return true;
    return sim->host->fail(error, OSVM_INTERNAL, "the simulator takes no hooks for faults");
}

/* ---- Where ---- */

static uint64_t operand_address(const Sim *sim, const CpuOperand *operand)
{
    if (operand->absolute)
        return (uint64_t)operand->value;
    uint64_t address = (uint64_t)operand->value;
    if (operand->base >= 0)
        address += register_get(sim, (unsigned)operand->base);
    if (operand->index >= 0)
        address += register_get(sim, (unsigned)operand->index) * operand->scale;
    return sim->machine->face.bits == 32 ? (uint32_t)address : address;
}

/* Reaches the instruction the address that failed? Pushes and calls do it by way of sp. */
static bool reaches(const Sim *sim, const CpuInstruction *instruction, const CpuStop *stop)
{
    enum { WIDEST_ACCESS = 64 };
    for (unsigned i = 0; i < instruction->operand_count; i++)
        if (instruction->operands[i].kind == CPU_OPERAND_MEMORY &&
            stop->address - operand_address(sim, &instruction->operands[i]) < WIDEST_ACCESS)
            return true;
    uint64_t sp = register_get(sim, sim->machine->face.sp);
    bool by_stack = strncmp(instruction->mnemonic, "push", 4) == 0 ||
                    strncmp(instruction->mnemonic, "pop", 3) == 0 ||
                    instruction->flow == CPU_CALL || instruction->flow == CPU_RETURN;
    return by_stack && stop->address - (sp - WIDEST_ACCESS) < 2 * WIDEST_ACCESS;
}

static bool can_be_it(const Sim *sim, const CpuInstruction *instruction, const CpuStop *stop)
{
    switch (stop->fault) {
    case CPU_TRAP:
        return instruction->flow == CPU_BREAK;
    case CPU_ILLEGAL:
        return instruction->mnemonic[0] == '.' || instruction->flow == CPU_BREAK;
    case CPU_UNALIGNED:
        for (unsigned i = 0; i < instruction->operand_count; i++) {
            const CpuOperand *operand = &instruction->operands[i];
            if (operand->kind == CPU_OPERAND_MEMORY && operand->size > 1 &&
                operand_address(sim, operand) % operand->size)
                return true;
        }
        return false;
    default:
        return reaches(sim, instruction, stop);
    }
}

/* The first instruction from `pc` to the end of its block that can have caused it, or `pc`. */
static uintptr_t find_in_block(Sim *sim, uintptr_t pc, const CpuStop *stop)
{
    CpuInstruction instruction;
    for (uintptr_t at = pc; in_code(sim, at); at += instruction.size) {
        size_t left = sim->code_end - at;
        disassemble_one(&sim->cpu, &sim->machine->face, (const void *)at, left, at, &instruction);
        if (can_be_it(sim, &instruction, stop))
            return at;
        if (instruction.flow != CPU_PLAIN && !instruction.delay_slot)
            break;
    }
    return pc;
}

/* The pc the engine shows is exact where each instruction is looked at, and for jumps. */
static void locate(Sim *sim, CpuStop *stop)
{
    if (stop->fault == CPU_BAD_STACK)
        return;
    if (stop->fault == CPU_WILD_JUMP) {
        stop->writer = look_last_pc(sim);
    } else if (sim->look == LOOK_ALL && in_code(sim, sim->last_pc)) {
        stop->pc = sim->last_pc;
    } else if (sim->machine->vague && in_code(sim, look_last_block(sim))) {
        stop->pc = find_in_block(sim, look_last_block(sim), stop);
    } else if (in_code(sim, stop->pc) && stop->fault != CPU_ILLEGAL && stop->fault != CPU_TRAP) {
        stop->pc = find_in_block(sim, stop->pc, stop);
    }
}

/* ---- What ---- */

static CpuFault error_fault(uc_err err)
{
    switch (err) {
    case UC_ERR_INSN_INVALID:
        return CPU_ILLEGAL;
    case UC_ERR_READ_UNMAPPED:
    case UC_ERR_READ_PROT:
        return CPU_BAD_READ;
    case UC_ERR_WRITE_UNMAPPED:
    case UC_ERR_WRITE_PROT:
        return CPU_BAD_WRITE;
    case UC_ERR_FETCH_UNMAPPED:
    case UC_ERR_FETCH_PROT:
    case UC_ERR_FETCH_UNALIGNED:
    case UC_ERR_OK: /* it ran to where the engine's run ends */
        return CPU_WILD_JUMP;
    case UC_ERR_READ_UNALIGNED:
    case UC_ERR_WRITE_UNALIGNED:
        return CPU_UNALIGNED;
    case UC_ERR_EXCEPTION:
        return CPU_TRAP;
    default:
        return CPU_ENGINE;
    }
}

void fault_describe(Sim *sim, uc_err err, CpuStop *stop)
{
    uintptr_t pc = (uintptr_t)register_get(sim, sim->machine->face.pc);
    *stop = sim->event == EVENT_STOP ? sim->pending
                                     : (CpuStop){.reason = CPU_FAULT, .fault = error_fault(err)};
    if (!stop->pc)
        stop->pc = pc;
    if (stop->fault == CPU_WILD_JUMP && !stop->address)
        stop->address = pc;
    if (stop->fault == CPU_ENGINE)
        snprintf(stop->detail, sizeof stop->detail, "%s", uc_strerror(err));
    locate(sim, stop);
}
