/* The text of a method, checked by compiling it. */
#include <string.h>

#include "codegen.h"
#include "decompile.h"
#include "kernel/bytecode/literal.h"
#include "kernel/bytecode/opcodes.h"
#include "print.h"

/* The name of a variable, or of the method's class where it stands for that; NULL for others. */
static const char *variable_name(const CompiledCode *code, const Literal *literal)
{
    if (literal->kind == LITERAL_METHOD_CLASS)
        return literal->name ? literal->name : code->class_name;
    return literal->kind == LITERAL_VARIABLE ? literal->name : NULL;
}

static bool same_variable(const CompiledCode *one, const Literal *a, const CompiledCode *other,
                          const Literal *b)
{
    const char *name = variable_name(one, a), *other_name = variable_name(other, b);
    return name && other_name && strcmp(name, other_name) == 0;
}

static const char *literal_difference(const CompiledCode *one, const Literal *a,
                                      const CompiledCode *other, const Literal *b)
{
    if (same_variable(one, a, other, b))
        return NULL;
    if (a->kind != b->kind)
        return "a literal is of another kind";
    if (a->kind == LITERAL_CODE)
        return code_difference(a->code_block, b->code_block);
    if (a->kind == LITERAL_OUTER_CODE || a->kind == LITERAL_METHOD_CLASS)
        return NULL;
    return literal_equal(a, b) ? NULL : "a literal differs";
}

/* --- Instruction by instruction --- */

/* Is the operand `index` that of a literal? */
static bool has_literal(const Instruction *i)
{
    switch (i->op) {
    case OP_PUSH_LITERAL:
    case OP_PUSH_LITERAL_VARIABLE:
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE:
    case OP_SEND:
    case OP_SEND_SUPER:
    case OP_SEND_DIRECTED_SUPER:
    case OP_PUSH_FULL_CLOSURE: return true;
    default: return false;
    }
}

static bool same_literal(const CompiledCode *one, uint32_t i, const CompiledCode *other, uint32_t j)
{
    if (i >= one->literal_count || j >= other->literal_count)
        return false;
    const Literal *a = one->literals[i], *b = other->literals[j];
    if (a->kind == LITERAL_CODE && b->kind == LITERAL_CODE)
        return same_instructions(a->code_block, b->code_block);
    return literal_equal(a, b) || same_variable(one, a, other, b);
}

/* Jumps go equally far if as many instructions lie between. */
static bool same_targets(const CompiledCode *one, const Instruction *i, const CompiledCode *other,
                         const Instruction *j)
{
    Instruction a, b;
    int64_t from = i->target < i->next ? i->target : i->next,
            to = i->target < i->next ? i->next : i->target,
            other_from = j->target < j->next ? j->target : j->next,
            other_to = j->target < j->next ? j->next : j->target;
    if ((i->target < i->next) != (j->target < j->next) || from < 0 || other_from < 0)
        return false;
    while (from < to && other_from < other_to) {
        if (!bytecode_decode(one->set, one->bytecodes, one->bytecode_count, (size_t)from, &a) ||
            !bytecode_decode(other->set, other->bytecodes, other->bytecode_count,
                             (size_t)other_from, &b))
            return false;
        from = a.next;
        other_from = b.next;
    }
    return from == to && other_from == other_to;
}

/* What a plain or special send sends; NULL for other instructions. */
static const char *sent_selector(const CompiledCode *code, const Instruction *i)
{
    if (i->op == OP_SEND_SPECIAL)
        return special_selectors[i->index].name;
    if (i->op != OP_SEND || i->index >= code->literal_count ||
        code->literals[i->index]->kind != LITERAL_SYMBOL)
        return NULL;
    return (const char *)code->literals[i->index]->bytes;
}

static bool same_instruction(const CompiledCode *one, const Instruction *i,
                             const CompiledCode *other, const Instruction *j)
{
    const char *selector = sent_selector(one, i), *other_selector = sent_selector(other, j);
    if (selector && other_selector)
        return strcmp(selector, other_selector) == 0;
    OperationKind kind = instruction_kind(i);
    bool jumps = kind == KIND_JUMP || kind == KIND_CONDITIONAL_JUMP || i->op == OP_PUSH_CLOSURE;
    return i->op == j->op && i->count == j->count && i->copied == j->copied &&
           i->temp == j->temp && i->value == j->value &&
           (has_literal(i) ? same_literal(one, i->index, other, j->index)
                           : i->index == j->index) &&
           (!jumps || same_targets(one, i, other, j));
}

/* A method that only answers something at once; its bytecodes never run. */
static unsigned quick_of(const CompiledCode *code)
{
    Instruction i;
    bool found = code->has_primitive &&
                 bytecode_decode(code->set, code->bytecodes, code->bytecode_count, 0, &i) &&
                 i.op == OP_CALL_PRIMITIVE && i.index >= QUICK_FIRST && i.index <= QUICK_LAST;
    return found ? i.index : 0;
}

bool same_instructions(const CompiledCode *one, const CompiledCode *other)
{
    Instruction i, j;
    size_t pc = 0, other_pc = 0;
    if (quick_of(one) && quick_of(one) == quick_of(other))
        return true;
    while (pc < one->bytecode_count && other_pc < other->bytecode_count) {
        if (!bytecode_decode(one->set, one->bytecodes, one->bytecode_count, pc, &i) ||
            !bytecode_decode(other->set, other->bytecodes, other->bytecode_count, other_pc, &j) ||
            !same_instruction(one, &i, other, &j))
            return false;
        pc = i.next;
        other_pc = j.next;
    }
    return pc == one->bytecode_count && other_pc == other->bytecode_count &&
           one->set == other->set && one->arg_count == other->arg_count &&
           one->temp_count == other->temp_count;
}

const char *code_difference(const CompiledCode *one, const CompiledCode *other)
{
    if (!same_instructions(one, other))
        return "the instructions differ";
    if (one->bytecode_count != other->bytecode_count ||
        memcmp(one->bytecodes, other->bytecodes, one->bytecode_count) != 0)
        return LITERALS_ELSEWHERE;
    if (one->literal_count != other->literal_count)
        return LITERALS_ELSEWHERE;
    for (size_t i = 0; i < one->literal_count; i++) {
        const char *difference =
            literal_difference(one, one->literals[i], other, other->literals[i]);
        if (difference)
            return difference;
    }
    return code_header_fields(one) == code_header_fields(other) ? NULL : "the header differs";
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

static Decompiled decompile_in_way(CompileTools *tools, const CompiledCode *code,
                                   const ClassScope *class_scope, unsigned ways)
{
    Decompiled result = {NULL, NULL};
    const Method *method = decompile_method(tools, code, class_scope, ways, &result.why);
    if (!method)
        return result;
    result.text = print_method(tools->arena, method);
    CompiledCode *again =
        compile_text(tools, result.text, class_scope, code->set, &result.why);
    if (again)
        result.why = code_difference(code, again);
    return result;
}

Decompiled decompile_text(CompileTools *tools, const CompiledCode *code,
                          const ClassScope *class_scope)
{
    static const unsigned ways[] = {
        DECOMPILE_KEEP_NILS,
        DECOMPILE_ARMS_ALWAYS,
        DECOMPILE_ARMS_NEVER,
        DECOMPILE_KEEP_NILS | DECOMPILE_ARMS_ALWAYS,
        DECOMPILE_KEEP_NILS | DECOMPILE_ARMS_NEVER,
    };
    Decompiled first = decompile_in_way(tools, code, class_scope, 0);
    for (size_t i = 0; first.why && i < sizeof ways / sizeof *ways; i++) {
        Decompiled other = decompile_in_way(tools, code, class_scope, ways[i]);
        if (!other.why || (!first.text && other.text))
            first = other;
    }
    return first;
}

static void copy_names(CompiledCode *code, const CompiledCode *from)
{
    code->temp_names = from->temp_names;
    code->places = from->places;
    code->place_count = from->place_count;
    for (size_t i = 0; i < code->literal_count; i++)
        if (code->literals[i]->kind == LITERAL_CODE)
            copy_names(code->literals[i]->code_block, from->literals[i]->code_block);
}

void code_take_names(const CompileTools *tools, CompiledCode *code, const ClassScope *class_scope)
{
    const char *why = NULL;
    CompiledCode *again =
        code->source ? compile_text(tools, code->source, class_scope, code->set, &why) : NULL;
    if (again && !code_difference(code, again))
        copy_names(code, again);
}
