#include "kernel/debug/code_names.h"

#include <stdio.h>

#include "compiler/decompile.h"
#include "kernel/debug/names.h"
#include "kernel/vm/code/lift.h"
#include "kernel/vm/interp/interp_int.h"

/* The description of `wanted` among the blocks of `code`, which `described` describes. */
static const CompiledCode *find_block(Vm *vm, Oop code, const CompiledCode *described, Oop wanted,
                                      unsigned depth)
{
    enum { DEEPEST = 64 };
    if (code == wanted)
        return described;
    for (size_t i = 0; i < described->literal_count && depth < DEEPEST; i++) {
        const Literal *literal = described->literals[i];
        if (literal->kind != LITERAL_CODE || !literal->code_block)
            continue;
        Oop block = follow(object_slot(code, 1 + (Word)i));
        const CompiledCode *found =
            is_code(block) ? find_block(vm, block, literal->code_block, wanted, depth + 1) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

void code_names_open(CodeNames *names, Vm *vm, Oop code)
{
    *names = (CodeNames){.arena = arena_new()};
    Oop home = name_home_of_code(vm, code), class = name_class_of_code(vm, home);
    Diagnostics diagnostics;
    CompileTools tools = {.arena = names->arena, .names = names_new(names->arena),
                          .diagnostics = &diagnostics};
    const char *why;
    diagnostics_init(&diagnostics, names->arena);
    if (class == vm->heap.nil)
        return;
    ClassScope scope = lift_class_scope(vm, &tools, class);
    names->fields = scope.instance_names;
    names->field_count = scope.instance_count;
    CompiledCode *described = lift_code(vm, names->arena, home, &why);
    if (!described)
        return;
    names->source = described->source;
    code_take_names(&tools, described, &scope);
    const CompiledCode *found = find_block(vm, home, described, code, 0);
    names->temps = found ? found->temp_names : NULL;
    names->temp_count = names->temps ? found->temp_count : 0;
}

void code_names_close(CodeNames *names)
{
    arena_free(names->arena);
}

const char *code_names_temp(const CodeNames *names, unsigned index, char buffer[16])
{
    if (names && index < names->temp_count && names->temps[index])
        return names->temps[index];
    snprintf(buffer, 16, "t%u", index);
    return buffer;
}
