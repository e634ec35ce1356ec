/* Helpers of the bytecode tests: random numbers, comparison of code, round trips. */
#ifndef OSVM_T_BYTECODE_H
#define OSVM_T_BYTECODE_H

#include "kernel/base/arena.h"
#include "kernel/bytecode/asm.h"
#include "kernel/bytecode/disasm.h"
#include "kernel/bytecode/literal.h"
#include "kernel/bytecode/opcodes.h"

#include <string.h>

/* xorshift: the same numbers on every machine. */
static uint64_t random_state = 88172645463325252u;

__attribute__((unused)) static unsigned random_below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % limit;
}

static bool same_code(const CompiledCode *a, const CompiledCode *b);

static bool same_string(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same_memory(const void *a, size_t a_count, const void *b, size_t b_count)
{
    return a_count == b_count && (a_count == 0 || !memcmp(a, b, a_count));
}

/* Unlike literal_equal it looks into blocks. */
static bool same_literal(const Literal *a, const Literal *b)
{
    if (a->kind != b->kind || a->negative != b->negative || a->code != b->code ||
        a->scale != b->scale || literal_float_bits(a->real) != literal_float_bits(b->real) ||
        !same_memory(a->bytes, a->byte_count, b->bytes, b->byte_count) ||
        !same_string(a->name, b->name) || a->element_count != b->element_count)
        return false;
    for (size_t n = 0; n < a->element_count; n++)
        if (!same_literal(a->elements[n], b->elements[n]))
            return false;
    return a->kind != LITERAL_CODE || same_code(a->code_block, b->code_block);
}

static bool same_names(const CompiledCode *a, const CompiledCode *b)
{
    if (!a->temp_names || !b->temp_names)
        return a->temp_names == b->temp_names;
    for (unsigned n = 0; n < a->temp_count; n++)
        if (!same_string(a->temp_names[n], b->temp_names[n]))
            return false;
    return true;
}

static bool same_code(const CompiledCode *a, const CompiledCode *b)
{
    if (a->set != b->set || a->is_block != b->is_block || a->large_frame != b->large_frame ||
        a->has_primitive != b->has_primitive || a->flags != b->flags ||
        a->arg_count != b->arg_count || a->temp_count != b->temp_count ||
        !same_string(a->selector, b->selector) || !same_string(a->class_name, b->class_name) ||
        !same_string(a->source, b->source) || a->literal_count != b->literal_count ||
        !same_memory(a->bytecodes, a->bytecode_count, b->bytecodes, b->bytecode_count) ||
        !same_memory(a->trailer, a->trailer_count, b->trailer, b->trailer_count) ||
        !same_names(a, b))
        return false;
    for (size_t n = 0; n < a->literal_count; n++)
        if (!same_literal(a->literals[n], b->literals[n]))
            return false;
    return true;
}

/* Is asm(disasm(code)) the same code? Says what is not. */
__attribute__((unused)) static bool round_trips(const CompiledCode *code, Arena *arena)
{
    const char *text = disasm_write(code, arena);
    AsmResult result = asm_read(text, strlen(text), "text", arena);
    if (result.error_count == 0 && result.method_count == 1 && same_code(code, result.methods[0]))
        return true;
    printf("# no round trip: %s\n",
           result.error_count ? result.errors[0].message : "another method came back");
    printf("# bytes:");
    for (size_t n = 0; n < code->bytecode_count && n < 40; n++)
        printf(" %02X", code->bytecodes[n]);
    printf("\n%s\n", text);
    return false;
}

/* Assembles one method that must be right. */
__attribute__((unused)) static CompiledCode *assemble(const char *text, Arena *arena)
{
    AsmResult result = asm_read(text, strlen(text), "test", arena);
    if (result.error_count || result.method_count != 1) {
        printf("Bail out! %s in\n%s\n", result.error_count ? result.errors[0].message : "no method",
               text);
        exit(255);
    }
    return result.methods[0];
}

#endif
