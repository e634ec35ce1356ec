/* MIPS32 release 2, little-endian: o32 calls. It sees the lower 2 GiB, executes the
 * instruction behind a jump before it jumps, and its traps do not say where they are. */
#include "sim.h"

enum { V0 = 2, A0 = 4, A1, A2, A3, T9 = 25, SP = 29, FP, RA, PC };

static const CpuRegister registers[] = {
    {"zero", 32}, {"at", 32}, {"v0", 32}, {"v1", 32}, {"a0", 32}, {"a1", 32}, {"a2", 32},
    {"a3", 32},   {"t0", 32}, {"t1", 32}, {"t2", 32}, {"t3", 32}, {"t4", 32}, {"t5", 32},
    {"t6", 32},   {"t7", 32}, {"s0", 32}, {"s1", 32}, {"s2", 32}, {"s3", 32}, {"s4", 32},
    {"s5", 32},   {"s6", 32}, {"s7", 32}, {"t8", 32}, {"t9", 32}, {"k0", 32}, {"k1", 32},
    {"gp", 32},   {"sp", 32}, {"fp", 32}, {"ra", 32}, {"pc", 32},
};
enum { REGISTERS = sizeof registers / sizeof *registers };

static const int uc_registers[] = {
    UC_MIPS_REG_0, UC_MIPS_REG_1, UC_MIPS_REG_2, UC_MIPS_REG_3, UC_MIPS_REG_4, UC_MIPS_REG_5,
    UC_MIPS_REG_6, UC_MIPS_REG_7, UC_MIPS_REG_8, UC_MIPS_REG_9, UC_MIPS_REG_10, UC_MIPS_REG_11,
    UC_MIPS_REG_12, UC_MIPS_REG_13, UC_MIPS_REG_14, UC_MIPS_REG_15, UC_MIPS_REG_16, UC_MIPS_REG_17,
    UC_MIPS_REG_18, UC_MIPS_REG_19, UC_MIPS_REG_20, UC_MIPS_REG_21, UC_MIPS_REG_22, UC_MIPS_REG_23,
    UC_MIPS_REG_24, UC_MIPS_REG_25, UC_MIPS_REG_26, UC_MIPS_REG_27, UC_MIPS_REG_28, UC_MIPS_REG_29,
    UC_MIPS_REG_30, UC_MIPS_REG_31, UC_MIPS_REG_PC,
};
_Static_assert(sizeof uc_registers / sizeof *uc_registers == REGISTERS,
               "a register without a name");

static int16_t register_number(unsigned raw)
{
    return raw >= MIPS_REG_0 && raw <= MIPS_REG_31 ? (int16_t)(raw - MIPS_REG_0) : CPU_NO_REGISTER;
}

/* The engine's numbers of exceptions. */
enum { TRAP_ADDRESS_LOAD = 12, TRAP_ADDRESS_STORE, TRAP_SYSCALL = 17, TRAP_RESERVED = 20 };

static uintptr_t trap_pc(uint32_t number, uintptr_t pc)
{
    (void)number;
    return pc;
}

static CpuFault trap_fault(uint32_t number)
{
    switch (number) {
    case TRAP_ADDRESS_LOAD:
    case TRAP_ADDRESS_STORE:
        return CPU_UNALIGNED;
    case TRAP_RESERVED:
        return CPU_ILLEGAL;
    default:
        return CPU_TRAP;
    }
}

/* ---- Instructions ---- */

/* The groups miss calls and traps, so it goes by the instruction. */
static CpuFlow flow_of(const cs_insn *raw)
{
    switch (raw->id) {
    case MIPS_INS_JAL:
    case MIPS_INS_JALR:
    case MIPS_INS_BAL:
    case MIPS_INS_BGEZAL:
    case MIPS_INS_BLTZAL:
        return CPU_CALL;
    case MIPS_INS_J:
    case MIPS_INS_B:
        return CPU_JUMP;
    case MIPS_INS_JR:
        return raw->detail->mips.operands[0].reg == MIPS_REG_RA ? CPU_RETURN : CPU_JUMP;
    case MIPS_INS_BREAK:
    case MIPS_INS_SYSCALL:
    case MIPS_INS_TEQ: case MIPS_INS_TNE: case MIPS_INS_TGE: case MIPS_INS_TGEU:
    case MIPS_INS_TLT: case MIPS_INS_TLTU:
        return CPU_BREAK;
    case MIPS_INS_BEQ: case MIPS_INS_BNE: case MIPS_INS_BLEZ: case MIPS_INS_BGTZ:
    case MIPS_INS_BLTZ: case MIPS_INS_BGEZ: case MIPS_INS_BEQZ: case MIPS_INS_BNEZ:
    case MIPS_INS_BC1T: case MIPS_INS_BC1F:
        return CPU_BRANCH;
    default:
        return CPU_PLAIN;
    }
}

static uint8_t access_size(unsigned id)
{
    switch (id) {
    case MIPS_INS_LB: case MIPS_INS_LBU: case MIPS_INS_SB:
    case MIPS_INS_LWL: case MIPS_INS_LWR: case MIPS_INS_SWL: case MIPS_INS_SWR: /* any address */
        return 1;
    case MIPS_INS_LH: case MIPS_INS_LHU: case MIPS_INS_SH:
        return 2;
    case MIPS_INS_LDC1: case MIPS_INS_SDC1:
        return 8;
    default:
        return 4;
    }
}

static void read_operand(const cs_insn *raw, const cs_mips_op *from, bool jumps,
                         CpuInstruction *instruction)
{
    CpuOperand *operand;
    switch (from->type) {
    case MIPS_OP_REG:
        operand_add(instruction, CPU_OPERAND_REGISTER)->base = register_number(from->reg);
        break;
    case MIPS_OP_IMM:
        operand_add(instruction, jumps ? CPU_OPERAND_TARGET : CPU_OPERAND_IMMEDIATE)->value =
            jumps ? (int64_t)(uint32_t)from->imm : from->imm;
        break;
    case MIPS_OP_MEM:
        operand = operand_add(instruction, CPU_OPERAND_MEMORY);
        operand->base = register_number(from->mem.base);
        operand->value = from->mem.disp;
        operand->size = access_size(raw->id);
        break;
    default:
        break;
    }
}

static void read_instruction(const cs_insn *raw, CpuInstruction *instruction)
{
    const cs_mips *detail = &raw->detail->mips;
    instruction->flow = flow_of(raw);
    bool jumps = instruction->flow == CPU_CALL || instruction->flow == CPU_JUMP ||
                 instruction->flow == CPU_BRANCH;
    instruction->delay_slot = jumps || instruction->flow == CPU_RETURN;
    for (unsigned i = 0; i < detail->op_count && i < CPU_OPERANDS; i++)
        read_operand(raw, &detail->operands[i], jumps, instruction);
}

static const uint8_t stub[] = {0x08, 0x00, 0xE0, 0x03, 0, 0, 0, 0}; /* jr ra; nop */

const Machine machine_mips = {
    .face = {
        .name = "mips", .bits = 32, .instruction_alignment = 4, .stack_alignment = 8,
        .registers = registers, .register_count = REGISTERS, .general = 32,
        .pc = PC, .sp = SP, .fp = FP, .link = RA,
    },
    .arch = UC_ARCH_MIPS, .mode = (uc_mode)(UC_MODE_MIPS32 | UC_MODE_LITTLE_ENDIAN),
    .cs_arch = CS_ARCH_MIPS, .cs_mode = (cs_mode)(CS_MODE_MIPS32 | CS_MODE_LITTLE_ENDIAN),
    .uc_registers = uc_registers,
    .arguments = {A0, A1, A2, A3},
    .result = V0,
    .home_bytes = 16,
    .target = T9,
    .stub = stub, .stub_bytes = sizeof stub,
    .low = true,
    .vague = true,
    .delay_slots = true,
    .trap_pc = trap_pc,
    .trap_fault = trap_fault,
    .register_number = register_number,
    .read_instruction = read_instruction,
};
