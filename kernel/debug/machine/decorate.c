#include "kernel/debug/machine/decorate.h"

#include <stdio.h>

/* ---- Roles of registers ---- */

static int number_of(const CpuMachine *machine, const char *name)
{
    for (unsigned i = 0; i < machine->register_count; i++)
        if (strcmp(machine->registers[i].name, name) == 0)
            return (int)i;
    return CPU_NO_REGISTER;
}

void decorator_init(Decorator *d, Vm *vm, const CpuMachine *machine)
{
    const char *const *names = jit_of(vm)->back_end->ops->registers;
    *d = (Decorator){
        .vm = vm,
        .vm_register = number_of(machine, names[JIT_VM]),
        .frame_register = number_of(machine, names[JIT_FP]),
        .receiver_register = number_of(machine, names[JIT_RECEIVER]),
        .stack_register = number_of(machine, names[JIT_SP]),
    };
}

/* ---- Addresses ---- */

static bool stub_name(Vm *vm, uintptr_t address, char *text)
{
    Jit *jit = jit_of(vm);
    if (address == jit->enter) {
        snprintf(text, NAME_MAX_BYTES, "stub enter");
        return true;
    }
    /* A stub reaches to the next one. */
    uintptr_t best = 0;
    unsigned found = 0;
    for (unsigned i = 0; i < ROUTINE_COUNT; i++)
        if (vm->jit.stubs[i] <= address && vm->jit.stubs[i] > best) {
            best = vm->jit.stubs[i];
            found = i;
        }
    for (unsigned args = 0; jit_in_registers(args); args++)
        if (vm->jit.unlinked[args] <= address && vm->jit.unlinked[args] > best) {
            best = vm->jit.unlinked[args];
            found = ROUTINE_SEND;
        }
    if (!best || address >= jit->first)
        return false;
    int used = snprintf(text, NAME_MAX_BYTES, "stub %s", jit_routines[found].name);
    if (address != best)
        snprintf(text + used, NAME_MAX_BYTES - (size_t)used, " + 0x%zx", (size_t)(address - best));
    return true;
}

static void piece_name(Vm *vm, const Piece *piece, char *text)
{
    if (!jit_has_method(piece)) {
        snprintf(text, NAME_MAX_BYTES, "%s", jit_piece_kind(piece));
        return;
    }
    name_code(vm, jit_piece_method(piece), text);
    if (piece->kind == PIECE_BLOCK) {
        size_t used = strlen(text);
        snprintf(text + used, NAME_MAX_BYTES - used, " [block at %u]", piece->start_pc);
    }
}

static bool label_name(const Decorator *d, uintptr_t address, char *text)
{
    for (unsigned i = 0; i < d->label_count; i++)
        if (d->labels[i] == address) {
            snprintf(text, NAME_MAX_BYTES, "L%u", i + 1);
            return true;
        }
    return false;
}

bool decorate_address(const Decorator *d, uintptr_t address, char text[NAME_MAX_BYTES])
{
    if (!jit_is_pc(d->vm, (Word)address))
        return false;
    if (label_name(d, address, text) || stub_name(d->vm, address, text))
        return true;
    const Piece *piece = jit_piece_at(jit_of(d->vm), (Word)address);
    if (!piece)
        return false;
    piece_name(d->vm, piece, text);
    size_t used = strlen(text);
    Word offset = (Word)address - jit_code(piece);
    if (offset == piece->unchecked && offset)
        snprintf(text + used, NAME_MAX_BYTES - used, " (unchecked entry)");
    else if (offset == piece->tagged && offset)
        snprintf(text + used, NAME_MAX_BYTES - used, " (entry of immediates)");
    else if (offset != piece->checked)
        snprintf(text + used, NAME_MAX_BYTES - used, " + 0x%" PRIxWORD, offset);
    return true;
}

/* ---- The pool ---- */

static const JitSend *send_of_pool(const Piece *piece, unsigned index)
{
    for (uint32_t i = 0; i < piece->send_count; i++)
        if (piece->sends[i].pool == index || piece->sends[i].pool + 1u == index)
            return &piece->sends[i];
    return NULL;
}

static void selector_of_send(const Decorator *d, const JitSend *send, char *text)
{
    Oop selector = send && jit_has_method(d->piece) ? link_selector(d->vm, d->piece, send)
                                                         : NO_OOP;
    if (selector)
        name_object(d->vm, selector, text);
    else
        snprintf(text, NAME_MAX_BYTES, "?");
}

void decorate_pool(const Decorator *d, unsigned index, char text[DECORATED_MAX])
{
    const Piece *piece = d->piece;
    Word value = jit_pool(piece)[index];
    char name[NAME_MAX_BYTES], selector[NAME_MAX_BYTES];
    switch ((PoolRole)piece->roles[index]) {
    case ROLE_REFERENCE:
        name_object(d->vm, value, name);
        snprintf(text, DECORATED_MAX, "%s", name);
        break;
    case ROLE_TAG:
        selector_of_send(d, send_of_pool(piece, index), selector);
        name_class_index(d->vm, value, name);
        snprintf(text, DECORATED_MAX, "%.60s.class (%s)", selector,
                 value && value < (Word)1 << CLASS_INDEX_BITS ? name : "none yet");
        break;
    case ROLE_TARGET:
        selector_of_send(d, send_of_pool(piece, index), selector);
        if (!decorate_address(d, value, name))
            snprintf(name, sizeof name, "0x%" PRIxWORD, value);
        snprintf(text, DECORATED_MAX, "%.60s.target (%s)", selector, name);
        break;
    case ROLE_PLAIN:
        snprintf(text, DECORATED_MAX, "0x%" PRIxWORD, value);
        break;
    }
}

/* The word of the pool an absolute operand is. */
static bool pool_operand(const Decorator *d, const CpuOperand *operand, char *text)
{
    if (!d->piece || !operand->absolute)
        return false;
    Word offset = (Word)operand->value - d->piece->start;
    if (offset >= d->piece->pool_words * WORD_BYTES || offset % WORD_BYTES)
        return false;
    char word[DECORATED_MAX];
    decorate_pool(d, (unsigned)(offset / WORD_BYTES), word);
    snprintf(text, DECORATED_MAX, "{%.*s}", DECORATED_MAX - 3, word);
    return true;
}

/* ---- Frame slots and variables ---- */

static bool frame_operand(const Decorator *d, SWord offset, char *text)
{
    static const char *const fixed[] = {"frame.receiver", "frame.context", "frame.flags",
                                        "frame.method",   "frame.caller",  "frame.return"};
    char buffer[16];
    if (offset % WORD_BYTES)
        return false;
    SWord slot = offset / WORD_BYTES;
    if (slot >= FRAME_RECEIVER && slot <= FRAME_RETURN) {
        snprintf(text, DECORATED_MAX, "%s", fixed[slot - FRAME_RECEIVER]);
        return true;
    }
    if (!d->piece || !jit_has_method(d->piece))
        return false;
    unsigned args = d->piece->args;
    SWord index = slot > FRAME_RETURN ? (SWord)args + FRAME_RETURN - slot
                                      : (SWord)args + FRAME_FIRST_TEMP - slot;
    const CodeNames *names = d->piece->kind == PIECE_METHOD ? d->names : NULL;
    if (slot > FRAME_RETURN && index < 0) {
        snprintf(text, DECORATED_MAX, index == -1 ? "frame.top" : "frame[%" PRIdWORD "]", slot);
        return true;
    }
    if (slot < FRAME_FIRST_TEMP && names && names->temp_count &&
        (size_t)index >= names->temp_count) {
        snprintf(text, DECORATED_MAX, "operand %zu", (size_t)index - names->temp_count);
        return true;
    }
    snprintf(text, DECORATED_MAX, "%s", code_names_temp(names, (unsigned)index, buffer));
    return true;
}

static bool variable_operand(SWord offset, char *text)
{
    char name[NAME_MAX_BYTES];
    SWord stubs = offset - (SWord)offsetof(Vm, jit.stubs);
    SWord routines = offset - (SWord)offsetof(Vm, jit.routines);
    SWord unlinked = offset - (SWord)offsetof(Vm, jit.unlinked);
    SWord table = ROUTINE_COUNT * WORD_BYTES;
    if (name_variable(offset, name))
        snprintf(text, DECORATED_MAX, "vm.%s", name);
    else if (unlinked >= 0 && unlinked < JIT_UNLINKED * WORD_BYTES)
        snprintf(text, DECORATED_MAX, "stub %s", jit_routines[ROUTINE_SEND].name);
    else if (stubs >= 0 && stubs < table)
        snprintf(text, DECORATED_MAX, "stub %s", jit_routines[stubs / WORD_BYTES].name);
    else if (routines >= 0 && routines < table)
        snprintf(text, DECORATED_MAX, "routine %s", jit_routines[routines / WORD_BYTES].name);
    else
        return false;
    return true;
}

static bool memory_operand(const Decorator *d, const CpuOperand *operand, char *text)
{
    if (operand->absolute)
        return pool_operand(d, operand, text);
    if (operand->index != CPU_NO_REGISTER)
        return false;
    if (operand->base == d->vm_register)
        return variable_operand((SWord)operand->value, text);
    if (operand->base == d->frame_register && d->piece)
        return frame_operand(d, (SWord)operand->value, text);
    return false;
}

/* ---- Comments ---- */

static void comment_slot(const Decorator *d, const CpuOperand *operand, char *comment)
{
    Word offset = (Word)operand->value - HEADER_BYTES;
    if (offset % WORD_BYTES || offset / WORD_BYTES > 255)
        return;
    size_t slot = offset / WORD_BYTES;
    if (operand->base == d->receiver_register && d->piece && d->piece->kind == PIECE_METHOD &&
        d->names && slot < d->names->field_count)
        snprintf(comment, DECORATED_MAX, "slot %zu, %s of self", slot, d->names->fields[slot]);
    else
        snprintf(comment, DECORATED_MAX, "slot %zu", slot);
}

static bool moves_a_value(const CpuInstruction *instruction)
{
    static const char *const words[] = {"push", "mov", "movabs", "cmp", "li", "lui"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(instruction->mnemonic, words[i]) == 0)
            return true;
    return false;
}

static void comment_immediate(const CpuInstruction *instruction, const CpuOperand *operand,
                              char *comment)
{
    Oop value = (Oop)operand->value;
    if (moves_a_value(instruction) && is_small_integer(value))
        snprintf(comment, DECORATED_MAX, "as an object %" PRIdWORD, small_integer_value(value));
}

static void comment_on(const Decorator *d, const CpuInstruction *instruction, char *comment)
{
    for (unsigned i = 0; i < instruction->operand_count && !comment[0]; i++) {
        const CpuOperand *operand = &instruction->operands[i];
        if (operand->kind == CPU_OPERAND_IMMEDIATE)
            comment_immediate(instruction, operand, comment);
        else if (operand->kind == CPU_OPERAND_MEMORY && !operand->absolute &&
                 operand->base != d->vm_register && operand->base != d->frame_register &&
                 operand->base != d->stack_register && operand->value >= HEADER_BYTES)
            comment_slot(d, operand, comment);
    }
}

/* ---- The instruction ---- */

static bool named_operand(const Decorator *d, const CpuOperand *operand, char *text)
{
    char address[NAME_MAX_BYTES];
    switch (operand->kind) {
    case CPU_OPERAND_MEMORY:
        return memory_operand(d, operand, text);
    case CPU_OPERAND_TARGET:
        if (!decorate_address(d, (uintptr_t)operand->value, address))
            return false;
        snprintf(text, DECORATED_MAX, "%s", address);
        return true;
    default:
        return false;
    }
}

void decorate(const Decorator *d, const CpuInstruction *instruction, char text[DECORATED_MAX],
              char comment[DECORATED_MAX])
{
    char operand[DECORATED_MAX];
    size_t used = (size_t)snprintf(text, DECORATED_MAX, "%s", instruction->mnemonic);
    comment[0] = 0;
    for (unsigned i = 0; i < instruction->operand_count && used < DECORATED_MAX; i++) {
        if (!named_operand(d, &instruction->operands[i], operand))
            snprintf(operand, sizeof operand, "%s", instruction->operands[i].text);
        used +=
            (size_t)snprintf(text + used, DECORATED_MAX - used, "%s%s", i ? ", " : " ", operand);
    }
    comment_on(d, instruction, comment);
}
