/* Machines and their instructions. */
#include "shim.h"

#include <string.h>

static bool is_power_of_two(unsigned n)
{
    return n && !(n & (n - 1));
}

static void require_registers(const CpuMachine *machine)
{
    REQUIRE(machine->registers && machine->general <= machine->register_count,
            "machine %s has %u registers, %u general ones", machine->name, machine->register_count,
            machine->general);
    REQUIRE(machine->pc < machine->register_count && machine->sp < machine->register_count &&
                machine->fp < machine->register_count &&
                machine->link < (int)machine->register_count,
            "the pc, sp, fp or link of machine %s is none of its registers", machine->name);
    for (unsigned i = 0; i < machine->register_count; i++) {
        const CpuRegister *one = &machine->registers[i];
        REQUIRE(one->name && one->name[0] && one->bits && one->bits <= 64,
                "register %u of machine %s has no name, or %u bits", i, machine->name, one->bits);
        for (unsigned other = 0; other < i; other++)
            REQUIRE(strcmp(one->name, machine->registers[other].name) != 0,
                    "machine %s has two registers %s", machine->name, one->name);
    }
}

void machine_require_sane(const CpuMachine *machine, bool with_registers)
{
    REQUIRE(machine && machine->name && machine->name[0], "a machine without a name");
    REQUIRE(machine->bits == 32 || machine->bits == 64, "machine %s has words of %u bits",
            machine->name, machine->bits);
    REQUIRE(is_power_of_two(machine->instruction_alignment) &&
                is_power_of_two(machine->stack_alignment),
            "machine %s aligns instructions to %u and the stack to %u bytes", machine->name,
            machine->instruction_alignment, machine->stack_alignment);
    if (with_registers)
        require_registers(machine);
}

const CpuMachine *machine_machine(const Cpu *cpu)
{
    const Shim *shim = shim_of(cpu);
    shim_require_ready(shim, "machine");
    const CpuMachine *machine = shim->inner->ops->machine(shim->inner);
    REQUIRE(machine == shim->machine, "the processor's machine is another one than at its start");
    return machine;
}

const CpuMachine *machine_find(const Cpu *cpu, const char *name)
{
    const Shim *shim = shim_of(cpu);
    REQUIRE(name, "find_machine without a name");
    const CpuMachine *machine = shim->inner->ops->find_machine(shim->inner, name);
    if (!machine)
        return NULL;
    machine_require_sane(machine, shim->ops.simulated || shim->ops.disassemble);
    REQUIRE(strcmp(machine->name, name) == 0, "machine %s was asked for, %s is answered", name,
            machine->name);
    return machine;
}

/* ---- Instructions ---- */

static bool has_end(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

static bool is_register(const CpuMachine *machine, int number)
{
    return number == CPU_NO_REGISTER || (number >= 0 && (unsigned)number < machine->register_count);
}

static void require_operand(const CpuMachine *machine, const CpuInstruction *instruction, unsigned n)
{
    const CpuOperand *operand = &instruction->operands[n];
    REQUIRE(operand->kind <= CPU_OPERAND_TARGET && is_register(machine, operand->base) &&
                is_register(machine, operand->index),
            "operand %u of %s at 0x%zx is of no kind, or names no register", n,
            instruction->mnemonic, (size_t)instruction->address);
    REQUIRE(operand->kind != CPU_OPERAND_MEMORY || is_power_of_two(operand->scale),
            "operand %u of %s at 0x%zx has scale %u", n, instruction->mnemonic,
            (size_t)instruction->address, operand->scale);
    REQUIRE(operand->code_offset + operand->code_size <= instruction->size,
            "operand %u of %s at 0x%zx is said to be encoded in bytes %u to %u of %u", n,
            instruction->mnemonic, (size_t)instruction->address, operand->code_offset,
            operand->code_offset + operand->code_size, instruction->size);
    REQUIRE(has_end(operand->text, sizeof operand->text), "the text of operand %u of %s has no end", n,
            instruction->mnemonic);
}

bool machine_disassemble(Cpu *cpu, const CpuMachine *machine, const void *bytes, size_t size,
                         uintptr_t address, CpuInstruction *instruction)
{
    Shim *shim = shim_of(cpu);
    REQUIRE(machine && shim->inner->ops->find_machine(shim->inner, machine->name) == machine,
            "code of a machine is to be taken apart that is none of the processor's");
    REQUIRE(bytes && size && instruction, "no bytes of code at 0x%zx are to be taken apart",
            (size_t)address);
    memset(instruction, 0xA5, sizeof *instruction);
    bool is_one = shim->inner->ops->disassemble(shim->inner, machine, bytes, size, address,
                                                instruction);
    size_t unit = machine->instruction_alignment;
    REQUIRE(instruction->address == address && instruction->size && instruction->size <= size,
            "of %zu bytes at 0x%zx an instruction takes %u at 0x%zx", size, (size_t)address,
            instruction->size, (size_t)instruction->address);
    REQUIRE(is_one ? instruction->size % unit == 0 : instruction->size == (unit < size ? unit : size),
            "%u bytes at 0x%zx are %s", instruction->size, (size_t)address,
            is_one ? "no whole instruction" : "no unit of data");
    REQUIRE(has_end(instruction->mnemonic, sizeof instruction->mnemonic) && instruction->mnemonic[0] &&
                instruction->flow <= CPU_BREAK && instruction->operand_count <= CPU_OPERANDS,
            "the instruction at 0x%zx has no name, flow %d, or %u operands", (size_t)address,
            instruction->flow, instruction->operand_count);
    for (unsigned n = 0; n < instruction->operand_count; n++)
        require_operand(machine, instruction, n);
    return is_one;
}
