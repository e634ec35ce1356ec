/* x64: System V calls, as every 64-bit Unix makes them. */
#include "sim.h"

#include <string.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, RIP = 16, FLAGS, XMM0 };

static const CpuRegister registers[] = {
    {"rax", 64},   {"rcx", 64},   {"rdx", 64},   {"rbx", 64},   {"rsp", 64},   {"rbp", 64},
    {"rsi", 64},   {"rdi", 64},   {"r8", 64},    {"r9", 64},    {"r10", 64},   {"r11", 64},
    {"r12", 64},   {"r13", 64},   {"r14", 64},   {"r15", 64},   {"rip", 64},   {"rflags", 64},
    {"xmm0", 64},  {"xmm1", 64},  {"xmm2", 64},  {"xmm3", 64},  {"xmm4", 64},  {"xmm5", 64},
    {"xmm6", 64},  {"xmm7", 64},  {"xmm8", 64},  {"xmm9", 64},  {"xmm10", 64}, {"xmm11", 64},
    {"xmm12", 64}, {"xmm13", 64}, {"xmm14", 64}, {"xmm15", 64},
};
enum { REGISTERS = sizeof registers / sizeof *registers };

static const int uc_registers[] = {
    UC_X86_REG_RAX,   UC_X86_REG_RCX,   UC_X86_REG_RDX,    UC_X86_REG_RBX,   UC_X86_REG_RSP,
    UC_X86_REG_RBP,   UC_X86_REG_RSI,   UC_X86_REG_RDI,    UC_X86_REG_R8,    UC_X86_REG_R9,
    UC_X86_REG_R10,   UC_X86_REG_R11,   UC_X86_REG_R12,    UC_X86_REG_R13,   UC_X86_REG_R14,
    UC_X86_REG_R15,   UC_X86_REG_RIP,   UC_X86_REG_RFLAGS, UC_X86_REG_XMM0,  UC_X86_REG_XMM1,
    UC_X86_REG_XMM2,  UC_X86_REG_XMM3,  UC_X86_REG_XMM4,   UC_X86_REG_XMM5,  UC_X86_REG_XMM6,
    UC_X86_REG_XMM7,  UC_X86_REG_XMM8,  UC_X86_REG_XMM9,   UC_X86_REG_XMM10, UC_X86_REG_XMM11,
    UC_X86_REG_XMM12, UC_X86_REG_XMM13, UC_X86_REG_XMM14,  UC_X86_REG_XMM15,
};
_Static_assert(sizeof uc_registers / sizeof *uc_registers == REGISTERS,
               "a register without a name");

/* Capstone's names of a register in each of its widths. */
static const x86_reg parts[16][4] = {
    {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL},
    {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL},
    {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL},
    {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL},
    {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
    {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
    {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
    {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
    {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
    {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
    {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
    {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
    {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
    {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
    {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
    {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
};

static int16_t register_number(unsigned raw)
{
    if (raw >= X86_REG_XMM0 && raw <= X86_REG_XMM15)
        return (int16_t)(XMM0 + (raw - X86_REG_XMM0));
    if (raw == X86_REG_RIP)
        return RIP;
    for (int16_t i = 0; i < 16; i++)
        for (int part = 0; part < 4; part++)
            if (parts[i][part] == raw)
                return i;
    return CPU_NO_REGISTER;
}

enum { TRAP_DIVIDE = 0, TRAP_BREAKPOINT = 3, TRAP_PROTECTION = 13 };

static uintptr_t trap_pc(uint32_t number, uintptr_t pc)
{
    return number == TRAP_BREAKPOINT ? pc - 1 : pc;
}

static CpuFault trap_fault(uint32_t number)
{
    (void)number;
    return CPU_TRAP;
}

/* ---- Instructions ---- */

static CpuFlow flow_of(unsigned id)
{
    switch (id) {
    case X86_INS_CALL:
        return CPU_CALL;
    case X86_INS_JMP:
        return CPU_JUMP;
    case X86_INS_RET:
        return CPU_RETURN;
    case X86_INS_INT3:
    case X86_INS_INT:
    case X86_INS_UD2:
    case X86_INS_HLT:
        return CPU_BREAK;
    case X86_INS_JAE: case X86_INS_JA: case X86_INS_JBE: case X86_INS_JB: case X86_INS_JE:
    case X86_INS_JGE: case X86_INS_JG: case X86_INS_JLE: case X86_INS_JL: case X86_INS_JNE:
    case X86_INS_JNO: case X86_INS_JNP: case X86_INS_JNS: case X86_INS_JO: case X86_INS_JP:
    case X86_INS_JS: case X86_INS_JRCXZ: case X86_INS_JECXZ:
        return CPU_BRANCH;
    default:
        return CPU_PLAIN;
    }
}

static void read_memory(const cs_insn *raw, const x86_op_mem *memory, CpuOperand *operand)
{
    const cs_x86_encoding *encoding = &raw->detail->x86.encoding;
    operand->base = register_number(memory->base);
    operand->index = register_number(memory->index);
    operand->scale = (uint8_t)memory->scale;
    operand->value = memory->disp;
    operand->code_offset = encoding->disp_offset;
    operand->code_size = encoding->disp_offset ? encoding->disp_size : 0;
    if (operand->base == RIP) {
        operand->absolute = true;
        operand->base = CPU_NO_REGISTER;
        operand->value = (int64_t)(raw->address + raw->size + (uint64_t)memory->disp);
    } else if (operand->base < 0 && operand->index < 0) {
        operand->absolute = true;
    }
}

static void read_operand(const cs_insn *raw, const cs_x86_op *from, CpuInstruction *instruction)
{
    const cs_x86_encoding *encoding = &raw->detail->x86.encoding;
    bool jumps = instruction->flow == CPU_CALL || instruction->flow == CPU_JUMP ||
                 instruction->flow == CPU_BRANCH;
    CpuOperand *operand;
    switch (from->type) {
    case X86_OP_REG:
        operand = operand_add(instruction, CPU_OPERAND_REGISTER);
        operand->base = register_number(from->reg);
        break;
    case X86_OP_IMM:
        operand = operand_add(instruction, jumps ? CPU_OPERAND_TARGET : CPU_OPERAND_IMMEDIATE);
        operand->value = from->imm;
        operand->code_offset = encoding->imm_offset;
        operand->code_size = encoding->imm_offset ? encoding->imm_size : 0;
        if (operand->code_offset + operand->code_size > raw->size) /* Capstone says 4 for some bytes */
            operand->code_size = (uint8_t)(raw->size - operand->code_offset);
        break;
    case X86_OP_MEM:
        operand = operand_add(instruction, CPU_OPERAND_MEMORY);
        read_memory(raw, &from->mem, operand);
        break;
    default:
        return;
    }
    operand->size = from->size;
}

static void read_instruction(const cs_insn *raw, CpuInstruction *instruction)
{
    const cs_x86 *detail = &raw->detail->x86;
    instruction->flow = flow_of(raw->id);
    for (unsigned i = 0; i < detail->op_count && i < CPU_OPERANDS; i++)
        read_operand(raw, &detail->operands[i], instruction);
}

static const uint8_t stub[] = {0xC3}; /* ret */

const Machine machine_x64 = {
    .face = {
        .name = "x64", .bits = 64, .instruction_alignment = 1, .stack_alignment = 16,
        .registers = registers, .register_count = REGISTERS, .general = 16,
        .pc = RIP, .sp = RSP, .fp = RBP, .link = -1,
    },
    .arch = UC_ARCH_X86, .mode = UC_MODE_64,
    .cs_arch = CS_ARCH_X86, .cs_mode = CS_MODE_64,
    .uc_registers = uc_registers,
    .arguments = {RDI, RSI, RDX, RCX},
    .result = RAX,
    .target = -1,
    .stub = stub, .stub_bytes = sizeof stub,
    .trap_pc = trap_pc,
    .trap_fault = trap_fault,
    .register_number = register_number,
    .read_instruction = read_instruction,
};
