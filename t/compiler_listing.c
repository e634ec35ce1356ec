/* Listings: what `compile -S` prints assembles to the same code, for every method of the built-in
 * image, in both sets. */
#include "compiler/model.h"
#include "kernel/bytecode/asm.h"
#include "kernel/bytecode/disasm.h"
#include "tap.h"

static bool same_code(const CompiledCode *a, const CompiledCode *b);

static bool same_elements(const Literal *a, const Literal *b);

/* By value; the text of a symbol or name may stand in either of two fields. */
static bool same_literal(const Literal *a, const Literal *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case LITERAL_CODE: return same_code(a->code_block, b->code_block);
    case LITERAL_METHOD_CLASS:
    case LITERAL_OUTER_CODE: return true;
    case LITERAL_VARIABLE: return strcmp(a->name, b->name) == 0;
    case LITERAL_ARRAY:
    case LITERAL_FRACTION:
    case LITERAL_SCALED: return a->scale == b->scale && same_elements(a, b);
    case LITERAL_METHOD_STATE:
    case LITERAL_PRAGMA:
    case LITERAL_FUNCTION: return strcmp(a->name, b->name) == 0 && same_elements(a, b);
    default:
        return a->byte_count == b->byte_count && a->negative == b->negative &&
               a->code == b->code && memcmp(&a->real, &b->real, sizeof a->real) == 0 &&
               (a->byte_count == 0 || memcmp(a->bytes, b->bytes, a->byte_count) == 0);
    }
}

static bool same_elements(const Literal *a, const Literal *b)
{
    size_t i = 0;
    while (i < a->element_count && i < b->element_count &&
           same_literal(a->elements[i], b->elements[i]))
        i++;
    return i == a->element_count && i == b->element_count;
}

static bool same_code(const CompiledCode *a, const CompiledCode *b)
{
    if (a->bytecode_count != b->bytecode_count || a->literal_count != b->literal_count ||
        a->arg_count != b->arg_count || a->temp_count != b->temp_count ||
        a->large_frame != b->large_frame || a->has_primitive != b->has_primitive ||
        memcmp(a->bytecodes, b->bytecodes, a->bytecode_count) != 0)
        return false;
    for (size_t i = 0; i < a->literal_count; i++)
        if (!same_literal(a->literals[i], b->literals[i]))
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
    program_read(&program, "t/support/Foreign.class.st");
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
