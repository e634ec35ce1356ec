/* The text of a method, checked by compiling it. */
#include <string.h>

#include "codegen.h"
#include "decompile.h"
#include "kernel/bytecode/literal.h"
#include "print.h"

static const char *literal_difference(const Literal *one, const Literal *other)
{
    if (one->kind != other->kind)
        return "a literal is of another kind";
    if (one->kind == LITERAL_CODE)
        return code_difference(one->code_block, other->code_block);
    if (one->kind == LITERAL_OUTER_CODE || one->kind == LITERAL_METHOD_CLASS)
        return NULL;
    return literal_equal(one, other) ? NULL : "a literal differs";
}

const char *code_difference(const CompiledCode *one, const CompiledCode *other)
{
    if (one->bytecode_count != other->bytecode_count ||
        memcmp(one->bytecodes, other->bytecodes, one->bytecode_count) != 0)
        return "the bytecodes differ";
    if (one->literal_count != other->literal_count)
        return "the number of literals differs";
    for (size_t i = 0; i < one->literal_count; i++) {
        const char *difference = literal_difference(one->literals[i], other->literals[i]);
        if (difference)
            return difference;
    }
    return one->set == other->set && code_header_fields(one) == code_header_fields(other)
               ? NULL
               : "the header differs";
}

/* Compiles silently; NULL when that fails. */
static CompiledCode *compile_text(const CompileTools *tools, const char *text,
                                  const ClassScope *class_scope, BytecodeSet set,
                                  const char **why)
{
    Diagnostics diagnostics;
    CompileTools quiet = {tools->arena, tools->names, &diagnostics};
    diagnostics_init(&diagnostics, tools->arena);
    const SourceText *source = source_new(tools->arena, "(decompiled)", text, strlen(text));
    Method *method = parse_method(&quiet, source, 0, source->length);
    CompiledCode *code = diagnostics.error_count
                             ? NULL
                             : compile_method(&quiet, method, class_scope, set);
    if (!code)
        for (const Diagnostic *each = diagnostics.first; each && !*why; each = each->next)
            if (each->severity == SEVERITY_ERROR)
                *why = each->message;
    return code;
}

Decompiled decompile_text(CompileTools *tools, const CompiledCode *code,
                          const ClassScope *class_scope)
{
    Decompiled result = {NULL, NULL};
    const Method *method = decompile_method(tools, code, class_scope, &result.why);
    if (!method)
        return result;
    result.text = print_method(tools->arena, method);
    CompiledCode *again =
        compile_text(tools, result.text, class_scope, code->set, &result.why);
    if (again)
        result.why = code_difference(code, again);
    return result;
}
