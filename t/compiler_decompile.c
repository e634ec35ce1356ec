/* Every method of the built-in image and of the benchmarks, decompiled: the text compiles to the
 * same code again, in both sets. */
#include "compiler/decompile.h"
#include "compiler/model.h"
#include "tap.h"

typedef struct {
    unsigned methods, same, refused;
} Result;

static void check_method(CompileTools *tools, const MethodModel *method, const ClassScope *scope,
                         Result *result)
{
    Decompiled decompiled = decompile_text(tools, method->code, scope);
    result->methods++;
    result->same += !decompiled.why;
    result->refused += !decompiled.text;
    if (decompiled.why) {
        diag("%s>>%s: %s", scope->class_name, method->code->selector, decompiled.why);
        if (getenv("SHOW"))
            printf("%s\n", decompiled.text ? decompiled.text : "");
    }
}

static void check_sources(BytecodeSet set, bool with_names, const char *name)
{
    Diagnostics diagnostics;
    Arena *arena = arena_new();
    CompileTools tools = {arena, names_new(arena), &diagnostics};
    Program program;
    Result result = {0, 0, 0};
    diagnostics_init(&diagnostics, arena);
    program_init(&program, &tools);
    program_read(&program, "image");
    program_read(&program, "bench/Bench");
    program_read(&program, "t/decompile");
    program_read(&program, "t/support/Foreign.class.st");
    program_resolve(&program);
    program_compile(&program, set);
    for (size_t i = 0; i < program.classes.count; i++)
        for (int side = 0; side < 2; side++) {
            ClassScope scope = program_scope(&program, program.classes.items[i], side);
            const MethodList *methods = &program.classes.items[i]->methods[side];
            for (size_t j = 0; j < methods->count; j++) {
                if (!methods->items[j]->code)
                    continue;
                if (!with_names)
                    methods->items[j]->code->temp_names = NULL;
                check_method(&tools, methods->items[j], &scope, &result);
            }
        }
    ok(result.methods > 300, "%s: there are methods", name);
    is_int(result.same, result.methods, "%s: all come back", name);
    is_int(result.refused, 0, "%s: none is refused", name);
    arena_free(arena);
}

int main(void)
{
    check_sources(SET_SISTA, true, "Sista");
    check_sources(SET_V3, true, "V3");
    check_sources(SET_SISTA, false, "Sista, without names");
    check_sources(SET_V3, false, "V3, without names");
    return done_testing();
}
