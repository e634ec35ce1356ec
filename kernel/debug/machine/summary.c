#include "kernel/debug/machine/summary.h"

#include <string.h>
#include <time.h>

#include "kernel/debug/names.h"
#include "kernel/jit/jit_int.h"

enum { REASONS_MOST = 16 };

typedef struct {
    Vm *vm;
    FILE *file;
    uint64_t compiled, refused; /* methods and blocks */
    uint64_t methods, full_blocks, embedded_blocks;
    uint64_t bytecodes, bytes, time, clock_time;
    struct {
        const char *why;
        uint64_t count;
    } reasons[REASONS_MOST];
    unsigned reason_count;
} Summary;

/* Nanoseconds of this process's own. */
static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* What asking for it takes, which is no compiling. */
static uint64_t clock_time(void)
{
    enum { TIMES = 1000 };
    uint64_t before = now();
    for (int i = 0; i < TIMES; i++)
        now();
    return (now() - before) / TIMES;
}

static void note_reason(Summary *s, const char *why)
{
    unsigned i = 0;
    while (i < s->reason_count && strcmp(s->reasons[i].why, why) != 0)
        i++;
    if (i == REASONS_MOST)
        return;
    s->reasons[i].why = why;
    s->reasons[i].count++;
    s->reason_count += i == s->reason_count;
}

/* Code was given to the front end, and this came of it. */
static void count(Summary *s, Oop code, const Piece *piece, uint64_t before)
{
    s->time += now() - before - s->clock_time;
    if (piece) {
        s->compiled++;
        s->bytes += piece->code_bytes;
        return;
    }
    char name[NAME_MAX_BYTES];
    const char *why = jit_of(s->vm)->refusal;
    name_code(s->vm, code, name);
    s->refused++;
    note_reason(s, why);
    fprintf(s->file, "refused: %s: %s\n", name, why);
}

static void compile_blocks(Summary *s, Oop code);

static void compile_full_block(Summary *s, Oop code, const Instruction *i)
{
    Oop block = follow(object_slot(code, 1 + (Word)i->index));
    if (!is_code(block) || jit_piece_of(s->vm, block))
        return;
    uint64_t before = now();
    count(s, block, jit_compile_block(s->vm, block, i->copied), before);
    s->full_blocks++;
    compile_blocks(s, block);
    jit_forget(s->vm, block);
}

static void compile_embedded_block(Summary *s, Oop code, uint32_t first, const Instruction *i)
{
    uint64_t before = now();
    if (!jit_piece_of(s->vm, code)) /* it was refused, and counted */
        return;
    count(s, code, jit_compile_embedded(s->vm, code, first + i->next, (unsigned)i->count, i->copied),
          before);
    s->embedded_blocks++;
}

/* The blocks that the code creates; counts its bytecodes. */
static void compile_blocks(Summary *s, Oop code)
{
    VerifyView view;
    VerifyFacts facts;
    Instruction i;
    if (!code_view(s->vm, code, &view, &facts))
        return;
    uint32_t first = (uint32_t)(view.bytes - (const uint8_t *)word_pointer(code));
    for (size_t pc = 0; pc < view.count; pc++) {
        if (facts.depths[pc] >= DEPTH_INSIDE || /* not the beginning of one that is reached */
            !bytecode_decode(view.set, view.bytes, view.count, pc, &i))
            continue;
        s->bytecodes++;
        if (i.op == OP_PUSH_FULL_CLOSURE)
            compile_full_block(s, code, &i);
        else if (i.op == OP_PUSH_CLOSURE)
            compile_embedded_block(s, code, first, &i);
    }
}

static void compile_method(Summary *s, Oop method)
{
    uint64_t before = now();
    count(s, method, jit_compile(s->vm, method, 0), before);
    s->methods++;
    compile_blocks(s, method);
    jit_forget(s->vm, method);
}

/* The last literal of a full block is the code it belongs to. */
static bool is_full_block(Vm *vm, Oop code)
{
    unsigned literals = method_literal_count(&vm->heap, code);
    Oop last = literals ? follow(object_slot(code, literals)) : NO_OOP;
    return last && is_object(last) && is_code(last);
}

static int print(const Summary *s)
{
    const Jit *jit = jit_of(s->vm);
    uint64_t all = s->compiled + s->refused;
    fprintf(s->file, "%" PRIu64 " methods, %" PRIu64 " full and %" PRIu64 " embedded blocks: %.2f %% compile\n",
            s->methods, s->full_blocks, s->embedded_blocks,
            all ? 100.0 * (double)s->compiled / (double)all : 100.0);
    fprintf(s->file, "%" PRIu64 " bytecodes, %" PRIu64 " bytes of machine code, %.0f ns a bytecode\n",
            s->bytecodes, s->bytes,
            s->bytecodes ? (double)s->time / (double)s->bytecodes : 0.0);
    for (unsigned i = 0; i < s->reason_count; i++)
        fprintf(s->file, "%" PRIu64 " refused: %s\n", s->reasons[i].count, s->reasons[i].why);
    for (int op = 0; op < OPERATION_COUNT; op++)
        if (jit->gaps[op])
            fprintf(s->file, "%" PRIu64 " bytecodes left to the interpreter: %s\n", jit->gaps[op],
                    operation_infos[op].name);
    return s->refused * 200 > all ? OSVM_PROGRAM_ERROR : OSVM_OK;
}

int summary_print(Vm *vm, FILE *file)
{
    Summary s = {.vm = vm, .file = file, .clock_time = clock_time()};
    Mm *mm = vm->heap.mm;
    for (Oop object = mm->ops->first_object(mm); object; object = mm->ops->next_object(mm, object))
        if (is_code(object) && !is_full_block(vm, object))
            compile_method(&s, object);
    return print(&s);
}
