/* One instruction as mnemonic and operands, by Capstone. Machines say what the operands
 * are; the text of an operand is what lies between the commas of Capstone's. */
#include "sim.h"

#include <ctype.h>
#include <string.h>

static const Machine *const machines[MACHINES] = {&machine_x64, &machine_arm, &machine_mips};

const Machine *machine_named(const char *name)
{
    for (unsigned i = 0; i < MACHINES; i++)
        if (strcmp(machines[i]->face.name, name) == 0)
            return machines[i];
    return NULL;
}

const CpuMachine *disassemble_find_machine(const Cpu *cpu, const char *name)
{
    const Machine *machine = machine_named(name);
    return machine ? &machine->face : NULL;
}

/* The disassembler of a machine; 0: the library does not have it. */
static csh handle_of(Sim *sim, const Machine *machine)
{
    unsigned index = 0;
    while (machines[index] != machine)
        index++;
    csh *handle = &sim->capstone[index];
    if (!*handle && cs_open(machine->cs_arch, machine->cs_mode, handle) == CS_ERR_OK)
        cs_option(*handle, CS_OPT_DETAIL, CS_OPT_ON);
    return *handle;
}

void disassemble_close(Sim *sim)
{
    for (unsigned i = 0; i < MACHINES; i++)
        if (sim->capstone[i])
            cs_close(&sim->capstone[i]);
}

CpuOperand *operand_add(CpuInstruction *instruction, CpuOperandKind kind)
{
    CHECK(instruction->operand_count < CPU_OPERANDS, "operand %d", instruction->operand_count);
    CpuOperand *operand = &instruction->operands[instruction->operand_count++];
    *operand =
        (CpuOperand){.kind = kind, .base = CPU_NO_REGISTER, .index = CPU_NO_REGISTER, .scale = 1};
    return operand;
}

/* Length of the first operand of a list: up to a comma outside brackets. */
static size_t operand_length(const char *text)
{
    int depth = 0;
    size_t length = 0;
    for (; text[length]; length++) {
        char c = text[length];
        depth += (c == '[' || c == '{' || c == '(') - (c == ']' || c == '}' || c == ')');
        if (c == ',' && depth == 0)
            break;
    }
    return length;
}

/* Hands each operand its text. Where there are more texts than operands (register lists, shifts)
 * the last operand keeps the rest; an operand without one is part of the one before. */
static void give_texts(CpuInstruction *instruction, const char *text)
{
    unsigned given = 0;
    while (*text && given < instruction->operand_count) {
        bool last = given + 1 == instruction->operand_count;
        size_t length = last ? strlen(text) : operand_length(text);
        CpuOperand *operand = &instruction->operands[given++];
        snprintf(operand->text, sizeof operand->text, "%.*s", (int)length, text);
        text += length;
        text += *text == ',';
        while (isspace((unsigned char)*text))
            text++;
    }
    instruction->operand_count = (uint8_t)given;
}

/* A unit that is no instruction: data. */
static bool describe_data(const Machine *machine, const uint8_t *bytes, size_t size,
                          CpuInstruction *instruction)
{
    size_t unit = machine->face.instruction_alignment;
    unsigned value = 0;
    if (unit > size)
        unit = size;
    for (size_t i = 0; i < unit; i++)
        value |= (unsigned)bytes[i] << 8 * i;
    instruction->size = (uint8_t)unit;
    snprintf(instruction->mnemonic, sizeof instruction->mnemonic,
             unit == 1 ? ".byte 0x%02x" : ".word 0x%08x", value);
    return false;
}

bool disassemble_one(Cpu *cpu, const CpuMachine *face, const void *bytes, size_t size,
                     uintptr_t address, CpuInstruction *instruction)
{
    const Machine *machine = (const Machine *)face;
    csh handle = handle_of(sim_of(cpu), machine);
    cs_insn *raw = NULL;
    *instruction = (CpuInstruction){.address = address};
    size_t longest = size < 16 ? size : 16;
    if (!handle || cs_disasm(handle, bytes, longest, address, 1, &raw) != 1)
        return describe_data(machine, bytes, size, instruction);
    instruction->size = (uint8_t)raw->size;
    snprintf(instruction->mnemonic, sizeof instruction->mnemonic, "%.*s",
             (int)sizeof instruction->mnemonic - 1, raw->mnemonic);
    machine->read_instruction(raw, instruction);
    give_texts(instruction, raw->op_str);
    cs_free(raw, 1);
    return true;
}
