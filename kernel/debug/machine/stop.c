/* The report of a stop: the reason, the instruction and those before it, registers, and the
 * Smalltalk frames. The state is not to be trusted: what is read was checked to be in the heap or
 * the stack zone before. */
#include "kernel/debug/machine/stop.h"

#include <stdio.h>

#include "kernel/debug/machine/decorate.h"
#include "kernel/vm/objects.h"

enum { RING_SHOWN = 16, FRAMES_SHOWN = 40, STACK_SHOWN = 8 };

/* ---- The reason ---- */

static const char *fault_text(CpuFault fault)
{
    static const char *const texts[] = {
        [CPU_NO_FAULT] = "no fault", [CPU_ILLEGAL] = "illegal instruction",
        [CPU_WILD_JUMP] = "jump to where no code is", [CPU_BAD_READ] = "read outside of memory",
        [CPU_BAD_WRITE] = "write outside of memory", [CPU_UNALIGNED] = "unaligned access",
        [CPU_BAD_STACK] = "misaligned stack", [CPU_TRAP] = "trap", [CPU_ENGINE] = "simulator",
        [CPU_NOT_ENTERED] = "it could not be entered"};
    return texts[fault];
}

static void report_reason(Vm *vm, const CpuStop *stop)
{
    static const char *const reasons[] = {
        [CPU_RETURNED] = "returned", [CPU_BREAKPOINT] = "breakpoint",
        [CPU_WATCHPOINT] = "watched memory was written", [CPU_BUDGET] = "end of its budget",
        [CPU_REQUESTED] = "stop was asked for", [CPU_FAULT] = ""};
    const char *space = stop->address ? name_space(vm, (Word)stop->address) : NULL;
    fprintf(stderr, "osvm: machine code stopped: %s",
            stop->reason == CPU_FAULT ? fault_text(stop->fault) : reasons[stop->reason]);
    if (stop->fault == CPU_TRAP)
        fprintf(stderr, " %u", stop->number);
    if (stop->address)
        fprintf(stderr, " at 0x%zx%s%s%s", (size_t)stop->address, space ? " (" : "",
                space ? space : "", space ? ")" : "");
    fprintf(stderr, "%s%s\n", stop->detail[0] ? ": " : "", stop->detail);
}

/* ---- Instructions ---- */

/* A pc outside the zone is told, not read. */
static void report_instruction(Vm *vm, Cpu *cpu, uintptr_t pc, const char *mark)
{
    const CpuMachine *machine = cpu->ops->machine(cpu);
    Jit *jit = jit_of(vm);
    char where[NAME_MAX_BYTES] = "outside of the code zone", text[DECORATED_MAX],
         comment[DECORATED_MAX];
    Decorator d;
    decorator_init(&d, vm, machine);
    if (!decorate_address(&d, pc, where)) {
        fprintf(stderr, "  %s %012zx  %s\n", mark, (size_t)pc, where);
        return;
    }
    CpuInstruction instruction;
    d.piece = jit_piece_at(jit, (Word)pc);
    cpu->ops->disassemble(cpu, machine, (const void *)pc, jit->end - (Word)pc, pc, &instruction);
    decorate(&d, &instruction, text, comment);
    fprintf(stderr, "  %s %012zx  %-40s  in %s%s%s\n", mark, (size_t)pc, text, where,
            comment[0] ? "  ; " : "", comment);
}

static void report_code(Vm *vm, Cpu *cpu, const CpuStop *stop)
{
    uintptr_t pcs[RING_SHOWN];
    unsigned count = cpu->ops->ring(cpu, pcs, RING_SHOWN);
    for (unsigned i = 0; i < count; i++)
        if (i + 1 < count || pcs[i] != stop->pc)
            report_instruction(vm, cpu, pcs[i], "  ");
    if (stop->writer && !count)
        report_instruction(vm, cpu, stop->writer, "<-");
    report_instruction(vm, cpu, stop->pc, "->");
}

/* ---- Registers ---- */

static bool in_stack_zone(Vm *vm, Word address)
{
    Interp *interp = interp_of(vm);
    return address % WORD_BYTES == 0 &&
           address - interp->zone_start < (Word)interp->page_count * PAGE_BYTES;
}

static bool in_heap(Vm *vm, Word address)
{
    const Heap *heap = &vm->heap;
    return address % OBJECT_ALIGNMENT == 0 && address &&
           (address - heap->new_start < heap->new_end - heap->new_start ||
            address - heap->old_start < heap->old_end - heap->old_start);
}

/* What a word may be, in words; "" if nothing comes to mind. */
static void describe_word(Vm *vm, Word word, char text[NAME_MAX_BYTES])
{
    Decorator d = {.vm = vm};
    const char *space = name_space(vm, word);
    text[0] = 0;
    if (decorate_address(&d, word, text))
        return;
    if (in_heap(vm, word) && heap_class_exists(&vm->heap, object_class_index(word)) &&
        object_class_index(word) > 0)
        name_object(vm, word, text);
    else if (is_small_integer(word) && !space)
        snprintf(text, NAME_MAX_BYTES, "as an object %" PRIdWORD, small_integer_value(word));
    else if (space)
        snprintf(text, NAME_MAX_BYTES, "(%s)", space);
}

static void report_registers(Vm *vm, Cpu *cpu)
{
    const CpuMachine *machine = cpu->ops->machine(cpu);
    char text[NAME_MAX_BYTES];
    for (unsigned i = 0; i < machine->general; i++) {
        uint64_t value = cpu->ops->read_register(cpu, i);
        describe_word(vm, (Word)value, text);
        fprintf(stderr, "    %-4s %0*" PRIx64 "  %s\n", machine->registers[i].name,
                machine->bits / 4, value, text);
    }
}

static void report_stack_words(Vm *vm, Word sp)
{
    char text[NAME_MAX_BYTES];
    for (unsigned i = 0; i < STACK_SHOWN && in_stack_zone(vm, sp); i++, sp += WORD_BYTES) {
        Word word = *(Word *)word_pointer(sp);
        describe_word(vm, word, text);
        fprintf(stderr, "    [%0*zx] %0*zx  %s\n", WORD_BITS / 4, (size_t)sp, WORD_BITS / 4,
                (size_t)word, text);
    }
}

/* ---- Frames ---- */

static bool is_frame(Vm *vm, Word fp)
{
    if (!in_stack_zone(vm, fp) || !in_stack_zone(vm, fp + FRAME_RECEIVER * (SWord)WORD_BYTES) ||
        !in_stack_zone(vm, fp + FRAME_RETURN * WORD_BYTES))
        return false;
    Word method = frame_at(fp)[FRAME_METHOD];
    return in_heap(vm, method) && format_is_code(object_format(method));
}

static void report_frames(Vm *vm, Word fp)
{
    char name[NAME_MAX_BYTES], receiver[NAME_MAX_BYTES];
    unsigned shown = 0;
    for (Word last = 0; shown < FRAMES_SHOWN && fp > last && is_frame(vm, fp); shown++) {
        Word *frame = frame_at(fp);
        name_code(vm, frame[FRAME_METHOD], name);
        describe_word(vm, frame[FRAME_RECEIVER], receiver);
        bool unmarked = frame_is_block(frame) && strncmp(name, "[]", 2) != 0;
        fprintf(stderr, "    %s%s  (self: %s)\n", unmarked ? "[] in " : "", name, receiver);
        last = fp;
        fp = frame[FRAME_SAVED_FP];
    }
    if (!shown)
        fprintf(stderr, "    (the frame pointer shows no frame)\n");
}

/* ---- All of it ---- */

bool machine_stopped(Vm *vm, Cpu *cpu, const CpuStop *stop)
{
    Word fp = (Word)cpu->ops->read_register(cpu, cpu->ops->machine(cpu)->fp);
    Word sp = (Word)cpu->ops->read_register(cpu, cpu->ops->machine(cpu)->sp);
    fflush(stdout);
    report_reason(vm, stop);
    report_code(vm, cpu, stop);
    fprintf(stderr, "  registers\n");
    report_registers(vm, cpu);
    fprintf(stderr, "  stack\n");
    report_stack_words(vm, sp);
    fprintf(stderr, "  frames\n");
    report_frames(vm, is_frame(vm, fp) ? fp : vm->fp);
    vm_request_exit(vm, OSVM_INTERNAL);
    return false;
}
