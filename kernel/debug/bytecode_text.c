#include "kernel/debug/bytecode_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "kernel/debug/names.h"

typedef struct {
    char *text;
    size_t used;
} Line;

__attribute__((format(printf, 2, 3))) static void put(Line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count =
        vsnprintf(line->text + line->used, BYTECODE_TEXT_MAX - line->used, format, arguments);
    va_end(arguments);
    line->used += (size_t)count;
    if (line->used >= BYTECODE_TEXT_MAX)
        line->used = BYTECODE_TEXT_MAX - 1;
}

static void put_literal(Line *line, Vm *vm, Oop code, uint32_t index)
{
    char name[NAME_MAX_BYTES];
    if (index >= method_literal_count(&vm->heap, code)) {
        put(line, " literal %u", index);
        return;
    }
    name_object(vm, object_slot(code, 1 + (Word)index), name);
    put(line, " %s", name);
}

static void put_field(Line *line, const CodeNames *names, uint32_t index)
{
    if (names && index < names->field_count)
        put(line, " %s", names->fields[index]);
    else
        put(line, " %u", index);
}

static void put_temp(Line *line, const CodeNames *names, uint32_t index)
{
    char buffer[16];
    put(line, " %s", code_names_temp(names, index, buffer));
}

static void put_operand(Line *line, Vm *vm, Oop code, const Instruction *i, const CodeNames *names)
{
    switch (i->op) {
    case OP_SEND_SPECIAL:
        put(line, " #%s",
            i->index < SPECIAL_SELECTOR_COUNT ? special_selectors[i->index].name : "?");
        break;
    case OP_PUSH_LITERAL:
    case OP_PUSH_LITERAL_VARIABLE:
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE:
    case OP_SEND:
    case OP_SEND_SUPER:
    case OP_SEND_DIRECTED_SUPER:
    case OP_PUSH_FULL_CLOSURE:
        put_literal(line, vm, code, i->index);
        break;
    case OP_PUSH_RECEIVER_VARIABLE:
    case OP_STORE_RECEIVER_VARIABLE:
    case OP_POP_INTO_RECEIVER_VARIABLE:
        put_field(line, names, i->index);
        break;
    case OP_PUSH_TEMP:
    case OP_STORE_TEMP:
    case OP_POP_INTO_TEMP:
        put_temp(line, names, i->index);
        break;
    case OP_PUSH_REMOTE_TEMP:
    case OP_STORE_REMOTE_TEMP:
    case OP_POP_INTO_REMOTE_TEMP:
        put(line, " %u of", i->index);
        put_temp(line, names, i->temp);
        break;
    case OP_PUSH_INTEGER:
        put(line, " %d", i->value);
        break;
    default:
        if (i->index)
            put(line, " %u", i->index);
        break;
    }
}

void bytecode_text(Vm *vm, Oop code, const Instruction *i, uint32_t first, const CodeNames *names,
                   char text[BYTECODE_TEXT_MAX])
{
    Line line = {text, 0};
    OperationKind kind = instruction_kind(i);
    put(&line, "%s", operation_infos[i->op].name);
    put_operand(&line, vm, code, i, names);
    if (kind == KIND_JUMP || kind == KIND_CONDITIONAL_JUMP || i->op == OP_PUSH_CLOSURE)
        put(&line, " to %" PRId64, i->target + first);
    if (i->count)
        put(&line, " (%d)", i->count);
    if (i->copied)
        put(&line, " copied %u", i->copied);
}
