/* Listings: what `compile -S` prints assembles to the same code, for every method of the built-in
 * image, in both sets. */
#include "compiler/model.h"
#include "kernel/bytecode/asm.h"
#include "kernel/bytecode/disasm.h"
#include "tap.h"

static bool same_code(const CompiledCode *a, const CompiledCode *b)
{
    if (a->bytecode_count != b->bytecode_count || a->literal_count != b->literal_count ||
        a->arg_count != b->arg_count || a->temp_count != b->temp_count ||
        a->large_frame != b->large_frame || a->has_primitive != b->has_primitive ||
        memcmp(a->bytecodes, b->bytecodes, a->bytecode_count) != 0)
        return false;
    for (size_t i = 0; i < a->literal_count; i++)
        if (a->literals[i]->kind != b->literals[i]->kind ||
            (a->literals[i]->kind == LITERAL_CODE &&
             !same_code(a->literals[i]->code_block, b->literals[i]->code_block)))
            return false;
    return true;
}

static bool check_method(const MethodModel *method, Arena *arena)
{
    const char *text = disasm_write(method->code, arena);
    AsmResult result = asm_read(text, strlen(text), "listing", arena);
    if (result.error_count == 0 && result.method_count == 1 &&
        same_code(method->code, result.methods[0]))
        return true;
    diag("%s>>%s: %s", method->owner->name, method->code->selector,
         result.error_count ? result.errors[0].message : "other code");
    return false;
}

static void check_set(BytecodeSet set, const char *name)
{
    Arena *arena = arena_new();
    Diagnostics diagnostics;
    CompileTools tools = {arena, names_new(arena), &diagnostics};
    Program program;
    int count = 0, wrong = 0;
    diagnostics_init(&diagnostics, arena);
    program_init(&program, &tools);
    program_read(&program, "image");
    program_resolve(&program);
    program_compile(&program, set);
    is_int(diagnostics.error_count, 0, "%s: the built-in image compiles", name);
    for (size_t i = 0; i < program.classes.count; i++)
        for (int side = 0; side < 2; side++)
            for (size_t j = 0; j < program.classes.items[i]->methods[side].count; j++, count++)
                wrong += !check_method(program.classes.items[i]->methods[side].items[j], arena);
    is_int(wrong, 0, "%s: %d listings assemble to the same code", name, count);
    ok(count > 200, "%s: there are methods", name);
    arena_free(arena);
}

int main(void)
{
    check_set(SET_SISTA, "Sista");
    check_set(SET_V3, "V3");
    return done_testing();
}
