/* `osvm disasm`: compiles methods of an image that is loaded, but does not run, with the front
 * end and back end that would compile them when it does, and lists the machine code. */
#include "kernel/debug/machine/disasm.h"

#include <stdlib.h>

#include "compiler/codegen.h"
#include "kernel/bytecode/asm.h"
#include "kernel/bytecode/trailer.h"
#include "kernel/debug/machine/listing.h"
#include "kernel/debug/machine/summary.h"
#include "kernel/vm/assemble.h"
#include "kernel/vm/code/lift.h"

enum { ORIGINS_MAX = 1 << 16 };

typedef struct {
    Vm *vm;
    const CoreDisassemble *what;
    OsvmError *error;
    Listing listing;
    const OsvmInstance *cpu;
    CodeOrigin *origins; /* of the piece compiled last */
    uint32_t origin_count;
    unsigned printed;
} Disassembly;

static bool fail(Disassembly *d, OsvmStatus status, const char *what, const char *name)
{
    return d->vm->setup->host->fail(d->error, status, what, name);
}

/* ---- Compiling and printing ---- */

/* The front end tells what it has made from what. */
static void piece_installed(void *context, const Piece *piece, const JitInstruction *instructions,
                            uint32_t count)
{
    Disassembly *d = context;
    (void)piece;
    d->origin_count = 0;
    for (uint32_t i = 0; i < count && d->origin_count < ORIGINS_MAX; i++)
        if (instructions[i].operation != JIT_LABEL)
            d->origins[d->origin_count++] =
                (CodeOrigin){instructions[i].offset, instructions[i].pc};
}

static bool print_piece(Disassembly *d, const Piece *piece, Oop code)
{
    char name[NAME_MAX_BYTES];
    if (!piece) {
        name_code(d->vm, code, name);
        return fail(d, OSVM_UNAVAILABLE,
                    "%s: the JIT leaves this method to the interpreter, or its code "
                    "zone is too small (--code-zone)",
                    name);
    }
    if (d->what->json)
        printf("%s", d->printed ? ",\n" : "[");
    d->printed++;
    listing_print(&d->listing, piece, d->origins, d->origin_count, stdout);
    return true;
}

static bool print_code(Disassembly *d, Oop code, const Piece *piece);

static bool print_full_block(Disassembly *d, Oop code, const Instruction *i)
{
    Oop block = i->index < method_literal_count(&d->vm->heap, code)
                    ? follow(object_slot(code, 1 + (Word)i->index)) : NO_OOP;
    if (!block || !is_code(block))
        return true;
    return print_code(d, block, jit_compile_block(d->vm, block, i->copied));
}

static bool print_embedded_block(Disassembly *d, Oop code, const VerifyView *view,
                                 const Instruction *i)
{
    uint32_t first = (uint32_t)(view->bytes - (const uint8_t *)word_pointer(code));
    const Piece *piece =
        jit_compile_embedded(d->vm, code, first + i->next, (unsigned)i->count, i->copied);
    return print_piece(d, piece, code);
}

/* The blocks that code creates, outer ones first. */
static bool print_blocks(Disassembly *d, Oop code)
{
    VerifyView view;
    VerifyFacts facts;
    Instruction i;
    if (!code_view(d->vm, code, &view, &facts))
        return true;
    for (size_t pc = 0; pc < view.count; pc++) {
        if (facts.depths[pc] >= DEPTH_INSIDE || /* not the beginning of one that is reached */
            !bytecode_decode(view.set, view.bytes, view.count, pc, &i))
            continue;
        if ((i.op == OP_PUSH_FULL_CLOSURE && !print_full_block(d, code, &i)) ||
            (i.op == OP_PUSH_CLOSURE && !print_embedded_block(d, code, &view, &i)))
            return false;
    }
    return true;
}

static bool print_code(Disassembly *d, Oop code, const Piece *piece)
{
    return print_piece(d, piece, code) && print_blocks(d, code);
}

static bool print_method(Disassembly *d, Oop method)
{
    return print_code(d, method, jit_compile(d->vm, method, 0));
}

/* ---- Methods of the image ---- */

static bool print_named(Disassembly *d, const char *class_name, const char *selector)
{
    Oop class = find_class(d->vm, class_name);
    if (!class)
        return fail(d, OSVM_NO_INPUT, "the image has no class '%s'", class_name);
    Oop method = find_method(d->vm, class, selector);
    if (!method || !is_code(method))
        return d->vm->setup->host->fail(d->error, OSVM_NO_INPUT,
                                        "class %s neither has nor inherits a method '%s'",
                                        class_name, selector);
    return print_method(d, method);
}

static bool print_selection(Disassembly *d, const char *selection)
{
    char class[NAME_MAX_BYTES];
    const char *arrows = strstr(selection, ">>");
    if (!arrows || !arrows[2] || arrows - selection >= NAME_MAX_BYTES)
        return fail(d, OSVM_USAGE,
                    "'%s' is no method: write 'Class>>selector' or 'Class class>>selector'",
                    selection);
    snprintf(class, sizeof class, "%.*s", (int)(arrows - selection), selection);
    return print_named(d, class, arrows + (arrows[2] == '#' ? 3 : 2));
}

/* ---- Methods from outside ---- */

static bool report_diagnostics(Disassembly *d, const Diagnostics *diagnostics)
{
    diagnostics_print(diagnostics, stderr);
    return fail(d, OSVM_BAD_DATA, "the source %s", "does not compile");
}

/* Compiles a method's text as one of the class, and puts it there. */
static bool print_source(Disassembly *d, Arena *arena)
{
    Diagnostics diagnostics;
    CompileTools tools = {.arena = arena, .names = names_new(arena), .diagnostics = &diagnostics};
    const char *class_name = d->what->class_name;
    Oop class = find_class(d->vm, class_name);
    if (!class)
        return fail(d, OSVM_NO_INPUT, "the image has no class '%s'", class_name);
    ClassScope scope = lift_class_scope(d->vm, &tools, class);
    diagnostics_init(&diagnostics, arena);
    size_t length = strlen(d->what->source);
    const SourceText *source = source_new(arena, "(standard input)", d->what->source, length);
    Method *tree = parse_method(&tools, source, 0, length);
    CompiledCode *code =
        diagnostics.error_count ? NULL : compile_method(&tools, tree, &scope, SET_SISTA);
    if (!code)
        return report_diagnostics(d, &diagnostics);
    code->class_name = class_name;
    code->trailer = trailer_of_source(arena, d->what->source, &code->trailer_count);
    return assemble_install(d->vm, &code, 1, NAMES_ARE_MADE, d->error) &&
           print_named(d, class_name, code->selector);
}

static bool print_assembled(Disassembly *d, Arena *arena)
{
    size_t length;
    char *text = assemble_read_file(d->vm->setup->host, d->what->asm_file, &length, d->error);
    if (!text)
        return false;
    AsmResult result = asm_read(text, length, d->what->asm_file, arena);
    bool done = !result.error_count;
    for (size_t i = 0; i < result.error_count; i++)
        fprintf(stderr, "%s\n", result.errors[i].message);
    if (!done)
        fail(d, OSVM_BAD_DATA, "%s: it does not assemble", d->what->asm_file);
    done = done &&
           assemble_install(d->vm, result.methods, result.method_count, NAMES_ARE_MADE, d->error);
    for (size_t i = 0; done && i < result.method_count; i++)
        done = print_named(d, result.methods[i]->class_name, result.methods[i]->selector);
    free(text);
    return done;
}

/* ---- All of it ---- */

static bool open_listing(Disassembly *d)
{
    const OsvmHost *host = d->vm->setup->host;
    d->cpu = host->load(host, OSVM_CPU, "sim", OSVM_CPU_ABI, sizeof(CpuOps), d->error);
    d->origins = d->cpu ? host->alloc(host, ORIGINS_MAX * sizeof *d->origins) : NULL;
    if (!d->origins)
        return false;
    Cpu *cpu = d->cpu->state;
    d->listing = (Listing){
        .vm = d->vm,
        .cpu = cpu,
        .machine = cpu->ops->find_machine(cpu, jit_of(d->vm)->back_end->ops->machine),
        .bytecodes = d->what->bytecodes,
        .source = d->what->show_source,
        .json = d->what->json,
    };
    if (!d->listing.machine)
        return fail(d, OSVM_UNAVAILABLE, "nothing here takes code for '%s' apart",
                    jit_of(d->vm)->back_end->ops->machine);
    jit_of(d->vm)->installed = piece_installed;
    jit_of(d->vm)->installed_context = d;
    return true;
}

static void close_listing(Disassembly *d)
{
    const OsvmHost *host = d->vm->setup->host;
    if (jit_of(d->vm))
        jit_of(d->vm)->installed = NULL;
    host->free(host, d->origins, ORIGINS_MAX * sizeof *d->origins);
    if (d->cpu)
        host->unload(host, d->cpu);
}

int debug_disassemble(Vm *vm, const CoreDisassemble *what, OsvmError *error)
{
    if (what->summary)
        return summary_print(vm, stdout);
    Disassembly d = {.vm = vm, .what = what, .error = error};
    Arena *arena = arena_new();
    bool done = open_listing(&d) && (what->asm_file ? print_assembled(&d, arena)
                                     : what->source ? print_source(&d, arena)
                                                    : print_selection(&d, what->selection));
    if (what->json && d.printed)
        printf("]\n");
    close_listing(&d);
    arena_free(arena);
    return done ? OSVM_OK : (int)error->status;
}
