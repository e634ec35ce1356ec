/* ARMv7, ARM state: AAPCS calls, with the VFP on. Instructions are 32 bits. */
#include "sim.h"

enum { R0, R1, R2, R3, R11 = 11, SP = 13, LR, PC, CPSR, D0 };

static const CpuRegister registers[] = {
    {"r0", 32},  {"r1", 32},  {"r2", 32},   {"r3", 32},  {"r4", 32},  {"r5", 32}, {"r6", 32},
    {"r7", 32},  {"r8", 32},  {"r9", 32},   {"r10", 32}, {"fp", 32},  {"ip", 32}, {"sp", 32},
    {"lr", 32},  {"pc", 32},  {"cpsr", 32}, {"d0", 64},  {"d1", 64},  {"d2", 64}, {"d3", 64},
    {"d4", 64},  {"d5", 64},  {"d6", 64},   {"d7", 64},  {"d8", 64},  {"d9", 64}, {"d10", 64},
    {"d11", 64}, {"d12", 64}, {"d13", 64},  {"d14", 64}, {"d15", 64},
};
enum { REGISTERS = sizeof registers / sizeof *registers };

static const int uc_registers[] = {
    UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5,
    UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
    UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_CPSR,
    UC_ARM_REG_D0, UC_ARM_REG_D1, UC_ARM_REG_D2, UC_ARM_REG_D3, UC_ARM_REG_D4, UC_ARM_REG_D5,
    UC_ARM_REG_D6, UC_ARM_REG_D7, UC_ARM_REG_D8, UC_ARM_REG_D9, UC_ARM_REG_D10, UC_ARM_REG_D11,
    UC_ARM_REG_D12, UC_ARM_REG_D13, UC_ARM_REG_D14, UC_ARM_REG_D15,
};
_Static_assert(sizeof uc_registers / sizeof *uc_registers == REGISTERS,
               "a register without a name");

/* Coprocessors 10 and 11, the VFP, are let in first; then it is enabled. */
static bool prepare(uc_engine *uc)
{
    uint32_t access = 0, enable = 1u << 30;
    if (uc_reg_read(uc, UC_ARM_REG_C1_C0_2, &access))
        return false;
    access |= 0xFu << 20;
    return !uc_reg_write(uc, UC_ARM_REG_C1_C0_2, &access) &&
           !uc_reg_write(uc, UC_ARM_REG_FPEXC, &enable);
}

static int16_t register_number(unsigned raw)
{
    switch (raw) {
    case ARM_REG_SP:
        return SP;
    case ARM_REG_LR:
        return LR;
    case ARM_REG_PC:
        return PC;
    default:
        if (raw >= ARM_REG_R0 && raw <= ARM_REG_R12)
            return (int16_t)(raw - ARM_REG_R0);
        if (raw >= ARM_REG_D0 && raw <= ARM_REG_D15)
            return (int16_t)(D0 + (raw - ARM_REG_D0));
        return CPU_NO_REGISTER;
    }
}

/* The engine's numbers of exceptions. */
enum {
    TRAP_UNDEFINED = 1,
    TRAP_SUPERVISOR = 2,
    TRAP_PREFETCH = 3,
    TRAP_DATA = 4,
    TRAP_BREAKPOINT = 7
};

static uintptr_t trap_pc(uint32_t number, uintptr_t pc)
{
    return number == TRAP_SUPERVISOR ? pc - 4 : pc;
}

static CpuFault trap_fault(uint32_t number)
{
    return number == TRAP_UNDEFINED ? CPU_ILLEGAL : number == TRAP_DATA ? CPU_UNALIGNED : CPU_TRAP;
}

/* ---- Instructions ---- */

static bool writes_pc(const cs_arm *detail)
{
    return detail->op_count && detail->operands[0].type == ARM_OP_REG &&
           detail->operands[0].reg == ARM_REG_PC;
}

static bool pops_pc(const cs_arm *detail)
{
    for (unsigned i = 0; i < detail->op_count; i++)
        if (detail->operands[i].type == ARM_OP_REG && detail->operands[i].reg == ARM_REG_PC)
            return true;
    return false;
}

static CpuFlow jump_flow(const cs_arm *detail)
{
    return detail->cc == ARM_CC_AL || detail->cc == ARM_CC_INVALID ? CPU_JUMP : CPU_BRANCH;
}

/* The groups miss much of this, so it goes by the instruction. */
static CpuFlow flow_of(const cs_insn *raw)
{
    const cs_arm *detail = &raw->detail->arm;
    switch (raw->id) {
    case ARM_INS_BL:
    case ARM_INS_BLX:
        return CPU_CALL;
    case ARM_INS_B:
        return jump_flow(detail);
    case ARM_INS_BX:
        return detail->operands[0].reg == ARM_REG_LR && jump_flow(detail) == CPU_JUMP
                   ? CPU_RETURN
                   : jump_flow(detail);
    case ARM_INS_POP:
    case ARM_INS_LDM:
        return pops_pc(detail) ? CPU_RETURN : CPU_PLAIN;
    case ARM_INS_BKPT:
    case ARM_INS_SVC:
    case ARM_INS_UDF:
        return CPU_BREAK;
    case ARM_INS_CMP:
    case ARM_INS_CMN:
    case ARM_INS_TST:
    case ARM_INS_TEQ:
    case ARM_INS_STR:
    case ARM_INS_PUSH:
        return CPU_PLAIN;
    default:
        return writes_pc(detail) ? jump_flow(detail) : CPU_PLAIN;
    }
}

static uint8_t access_size(unsigned id)
{
    switch (id) {
    case ARM_INS_LDRB: case ARM_INS_STRB: case ARM_INS_LDRSB:
        return 1;
    case ARM_INS_LDRH: case ARM_INS_STRH: case ARM_INS_LDRSH:
        return 2;
    case ARM_INS_VLDR: case ARM_INS_VSTR: case ARM_INS_LDRD: case ARM_INS_STRD:
        return 8;
    default:
        return 4;
    }
}

static void read_memory(const cs_insn *raw, const cs_arm_op *from, CpuOperand *operand)
{
    operand->base = register_number(from->mem.base);
    operand->index = register_number(from->mem.index);
    operand->scale = 1;
    if (operand->index >= 0 && from->shift.type == ARM_SFT_LSL && from->shift.value < 8)
        operand->scale = (uint8_t)(1u << from->shift.value);
    operand->value = from->mem.disp;
    operand->size = access_size(raw->id);
    if (operand->base == PC && operand->index < 0) {
        operand->absolute = true;
        operand->base = CPU_NO_REGISTER;
        operand->value = (int64_t)(uint32_t)(raw->address + 8 + (uint64_t)from->mem.disp);
    }
}

static void read_operand(const cs_insn *raw, const cs_arm_op *from, CpuInstruction *instruction)
{
    bool jumps = raw->id == ARM_INS_B || raw->id == ARM_INS_BL || raw->id == ARM_INS_BLX;
    switch (from->type) {
    case ARM_OP_REG:
        operand_add(instruction, CPU_OPERAND_REGISTER)->base = register_number(from->reg);
        break;
    case ARM_OP_IMM:
        operand_add(instruction, jumps ? CPU_OPERAND_TARGET : CPU_OPERAND_IMMEDIATE)->value =
            jumps ? (int64_t)(uint32_t)from->imm : from->imm;
        break;
    case ARM_OP_MEM:
        read_memory(raw, from, operand_add(instruction, CPU_OPERAND_MEMORY));
        break;
    default:
        break;
    }
}

static void read_instruction(const cs_insn *raw, CpuInstruction *instruction)
{
    const cs_arm *detail = &raw->detail->arm;
    instruction->flow = flow_of(raw);
    for (unsigned i = 0; i < detail->op_count && i < CPU_OPERANDS; i++)
        read_operand(raw, &detail->operands[i], instruction);
}

static const uint8_t stub[] = {0x1E, 0xFF, 0x2F, 0xE1}; /* bx lr */

const Machine machine_arm = {
    .face = {
        .name = "arm", .bits = 32, .instruction_alignment = 4, .stack_alignment = 8,
        .registers = registers, .register_count = REGISTERS, .general = 15,
        .pc = PC, .sp = SP, .fp = R11, .link = LR,
    },
    .arch = UC_ARCH_ARM, .mode = UC_MODE_ARM,
    .cs_arch = CS_ARCH_ARM, .cs_mode = CS_MODE_ARM,
    .uc_registers = uc_registers,
    .arguments = {R0, R1, R2, R3},
    .result = R0,
    .target = -1,
    .stub = stub, .stub_bytes = sizeof stub,
    .vague = true,
    .sized_pages = true,
    .prepare = prepare,
    .trap_pc = trap_pc,
    .trap_fault = trap_fault,
    .register_number = register_number,
    .read_instruction = read_instruction,
};
