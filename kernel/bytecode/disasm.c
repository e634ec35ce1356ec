/* Code to text.
 *
 *   bytes -> decoded instructions -> items that the assembler would write alike
 *         -> text with labels
 *
 * Each instruction gets the least forcing that makes the assembler repeat its
 * bytes: none, its form, its prefixes, and at last its bytes as numbers. The
 * layout shared with the assembler decides whether a jump is as short as it
 * could be.
 */
#include "disasm.h"
#include "layout.h"
#include "literal.h"

#include "kernel/base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_indent(Text *t, unsigned indent)
{
    text_put(t, "%*s", (int)(indent < 60 ? indent : 60), "");
}

/* -- Literals -- */

#define SYMBOL_CHARACTERS "!%&*+,/<=>?@\\|~-:."

static void put_quoted(Text *t, const char *text, size_t length)
{
    text_put_string(t, "'");
    for (size_t n = 0; n < length; n++) {
        unsigned char c = (unsigned char)text[n];
        if (c == '\n')
            text_put_string(t, "\\n");
        else if (c == '\'' || c == '\\')
            text_put(t, "\\%c", c);
        else if (c < 32 || c == 127)
            text_put(t, "\\x%02X", c);
        else
            text_put_bytes(t, text + n, 1);
    }
    text_put_string(t, "'");
}

static void put_text(Text *t, const char *text, size_t length, const char *extra)
{
    if (literal_is_plain(text, length, extra))
        text_put_bytes(t, text, length);
    else
        put_quoted(t, text, length);
}

static void put_name(Text *t, const char *name)
{
    put_text(t, name ? name : "", name ? strlen(name) : 0, "");
}

static void put_integer(Text *t, const Literal *literal)
{
    if (literal->negative)
        text_put_string(t, "-");
    if (literal->byte_count <= 8) {
        uint64_t value = 0;
        for (size_t n = literal->byte_count; n-- > 0;)
            value = value << 8 | literal->bytes[n];
        text_put(t, "%" PRIu64, value);
        return;
    }
    text_put_string(t, "0x");
    for (size_t n = literal->byte_count; n-- > 0;)
        text_put(t, "%02X", literal->bytes[n]);
}

/* As few digits from 15 up as read back as the same number; bits for all nans. */
static void put_float(Text *t, double real)
{
    char buffer[40];
    if (real != real) {
        text_put(t, "bits:%016" PRIX64, literal_float_bits(real));
        return;
    }
    if (__builtin_isinf(real)) {
        text_put_string(t, real > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buffer, sizeof buffer, "%.*g", digits, real);
        if (strtod(buffer, NULL) == real)
            break;
    }
    text_put_string(t, buffer);
    if (!strpbrk(buffer, ".e"))
        text_put_string(t, ".0");
}

static void put_character(Text *t, uint32_t code)
{
    if (code > 32 && code < 127)
        text_put(t, "$%c", (char)code);
    else
        text_put(t, "char:%" PRIu32, code);
}

static void put_code(Text *t, const CompiledCode *code, unsigned indent);
static void put_literal(Text *t, const Literal *literal, unsigned indent);

static void put_elements(Text *t, const Literal *literal, unsigned indent)
{
    for (size_t n = 0; n < literal->element_count; n++) {
        text_put_string(t, " ");
        put_literal(t, literal->elements[n], indent);
    }
    text_put_string(t, " )");
}

static void put_byte_array(Text *t, const Literal *literal)
{
    text_put_string(t, "#[");
    for (size_t n = 0; n < literal->byte_count; n++)
        text_put(t, n ? " %u" : "%u", literal->bytes[n]);
    text_put_string(t, "]");
}

static void put_named(Text *t, const char *word, const Literal *literal, unsigned indent)
{
    const char *name = literal->name ? literal->name : "";
    text_put(t, "%s(#", word);
    put_text(t, name, strlen(name), SYMBOL_CHARACTERS);
    put_elements(t, literal, indent);
}

static void put_scaled(Text *t, const Literal *literal)
{
    text_put_string(t, "scaled(");
    for (size_t n = 0; n < literal->element_count; n++) {
        put_integer(t, literal->elements[n]);
        text_put_string(t, " ");
    }
    text_put(t, "%d)", literal->scale);
}

static void put_fraction(Text *t, const Literal *literal)
{
    text_put_string(t, "fraction(");
    put_integer(t, literal->elements[0]);
    text_put_string(t, " ");
    put_integer(t, literal->elements[1]);
    text_put_string(t, ")");
}

static void put_method_class(Text *t, const Literal *literal)
{
    text_put_string(t, "methodClass");
    if (literal->name) {
        text_put_string(t, ":");
        put_name(t, literal->name);
    }
}

static void put_nested_code(Text *t, const Literal *literal, unsigned indent)
{
    text_put_string(t, "block\n");
    put_code(t, literal->code_block, indent + 2);
    put_indent(t, indent);
    text_put_string(t, "end");
}

static void put_literal(Text *t, const Literal *literal, unsigned indent)
{
    const char *bytes = (const char *)literal->bytes;
    switch (literal->kind) {
    case LITERAL_NIL:
        return text_put_string(t, "nil");
    case LITERAL_TRUE:
        return text_put_string(t, "true");
    case LITERAL_FALSE:
        return text_put_string(t, "false");
    case LITERAL_INTEGER:
        return put_integer(t, literal);
    case LITERAL_FLOAT:
        return put_float(t, literal->real);
    case LITERAL_SCALED:
        return put_scaled(t, literal);
    case LITERAL_FRACTION:
        return put_fraction(t, literal);
    case LITERAL_CHARACTER:
        return put_character(t, literal->code);
    case LITERAL_STRING:
        return put_quoted(t, bytes, literal->byte_count);
    case LITERAL_SYMBOL:
        text_put_string(t, "#");
        return put_text(t, bytes, literal->byte_count, SYMBOL_CHARACTERS);
    case LITERAL_BYTE_ARRAY:
        return put_byte_array(t, literal);
    case LITERAL_ARRAY:
        text_put_string(t, "#(");
        return put_elements(t, literal, indent);
    case LITERAL_VARIABLE:
        text_put_string(t, "var:");
        return put_name(t, literal->name);
    case LITERAL_METHOD_CLASS:
        return put_method_class(t, literal);
    case LITERAL_CODE:
        return put_nested_code(t, literal, indent);
    case LITERAL_OUTER_CODE:
        return text_put_string(t, "outerCode");
    case LITERAL_METHOD_STATE:
        return put_named(t, "methodState", literal, indent);
    case LITERAL_PRAGMA:
        return put_named(t, "pragma", literal, indent);
    case LITERAL_FUNCTION:
        return put_named(t, "function", literal, indent);
    }
}

/* -- From bytes to items -- */

/* The code of one method, decoded from its first byte to its last. */
typedef struct {
    const CompiledCode *code;
    LayoutItem *items;
    size_t count;
    uint32_t *starts; /* per pc: number of the item there, or NO_TARGET; one more for the end */
    bool *labelled;   /* per item, and the end */
} Listing;

static bool same_encoding(const CompiledCode *code, const LayoutItem *item,
                          const Encoding *encoding)
{
    uint8_t bytes[ENCODING_MAX];
    unsigned length = bytecode_encode(code->set, &item->instruction, encoding, bytes);
    return length == item->size && !memcmp(bytes, code->bytecodes + item->pc, length);
}

/* The prefixes and the form as they stand in the bytes. */
static Encoding exact_encoding(const CompiledCode *code, const Instruction *i)
{
    Encoding encoding = { .forced = true, .opcode = i->opcode };
    for (uint32_t pc = i->pc; pc < i->opcode_pc; pc += 2) {
        bool is_b = code->bytecodes[pc] == PREFIX_B;
        encoding.prefixes_are_b |= (uint8_t)(is_b << encoding.prefix_count++);
    }
    return encoding;
}

static bool force(const CompiledCode *code, LayoutItem *item)
{
    const Instruction *i = &item->instruction;
    item->encoding = (Encoding){ .forced = true, .opcode = i->opcode, .prefixes_free = true };
    if (same_encoding(code, item, &item->encoding))
        return true;
    if (i->opcode_pc - i->pc > 2 * ENCODING_PREFIXES_MAX)
        return false;
    item->encoding = exact_encoding(code, i);
    return same_encoding(code, item, &item->encoding);
}

static void make_raw(const CompiledCode *code, LayoutItem *item)
{
    item->raw = code->bytecodes + item->pc;
    item->target_item = NO_TARGET;
}

static bool has_target(const LayoutItem *item)
{
    OperationKind kind = instruction_kind(&item->instruction);
    return kind == KIND_JUMP || kind == KIND_CONDITIONAL_JUMP ||
           item->instruction.op == OP_PUSH_CLOSURE;
}

static void decode_items(Listing *l)
{
    const CompiledCode *code = l->code;
    for (size_t pc = 0; pc < code->bytecode_count;) {
        LayoutItem *item = &l->items[l->count];
        Instruction *i = &item->instruction;
        bool complete = bytecode_decode(code->set, code->bytecodes, code->bytecode_count, pc, i);
        l->starts[pc] = (uint32_t)l->count++;
        *item = (LayoutItem){ *i, .pc = (uint32_t)pc, .target_item = NO_TARGET };
        item->size = item->instruction.next - item->pc;
        if (!complete || item->instruction.op == OP_UNKNOWN)
            make_raw(code, item);
        else if (!same_encoding(code, item, NULL) && !force(code, item))
            make_raw(code, item);
        pc = item->pc + item->size;
    }
    l->starts[code->bytecode_count] = (uint32_t)l->count;
}

static void link_targets(Listing *l)
{
    for (size_t n = 0; n < l->count; n++) {
        LayoutItem *item = &l->items[n];
        int64_t target = item->instruction.target;
        if (item->raw || !has_target(item))
            continue;
        if (target < 0 || target > (int64_t)l->code->bytecode_count ||
            l->starts[target] == NO_TARGET) {
            make_raw(l->code, item);
            continue;
        }
        item->target_item = l->starts[target];
        l->labelled[item->target_item] = true;
    }
}

/* Forces the jumps that the assembler would make shorter. Sizes found so lie between the least
 * solution and the real one, so that one round is enough for all of them. */
static void force_long_jumps(Listing *l, Arena *arena)
{
    size_t size = (l->count + 1) * sizeof(LayoutItem), bad;
    LayoutItem *copy = arena_grow(arena, l->items, size, size);
    bool placed = layout_place(l->code->set, copy, l->count, &bad);
    for (size_t n = 0; n < l->count; n++)
        if ((!placed || copy[n].size != l->items[n].size) && !l->items[n].raw &&
            has_target(&l->items[n]))
            l->items[n].encoding = exact_encoding(l->code, &l->items[n].instruction);
}

static Listing list_items(const CompiledCode *code, Arena *arena)
{
    size_t count = code->bytecode_count;
    Listing l = {
        .code = code,
        .items = arena_alloc(arena, (count + 1) * sizeof *l.items),
        .starts = arena_alloc(arena, (count + 1) * sizeof *l.starts),
        .labelled = arena_alloc(arena, count + 1),
    };
    memset(l.starts, 0xFF, (count + 1) * sizeof *l.starts);
    decode_items(&l);
    link_targets(&l);
    force_long_jumps(&l, arena);
    return l;
}

/* -- Instructions -- */

static void put_mnemonic(Text *t, const Instruction *i, const Encoding *encoding)
{
    text_put_string(t, operation_infos[i->op].name);
    if (!encoding->forced)
        return;
    text_put_string(t, "/");
    for (unsigned n = 0; n < encoding->prefix_count; n++)
        text_put(t, "%02X.", encoding->prefixes_are_b >> n & 1 ? PREFIX_B : PREFIX_A);
    text_put(t, "%02X", encoding->opcode);
}

static void put_temp(Text *t, const CompiledCode *code, uint32_t temp)
{
    const char *name = NULL;
    unsigned same = 0;
    if (code->temp_names && temp < code->temp_count)
        name = code->temp_names[temp];
    for (unsigned n = 0; name && n < code->temp_count; n++)
        same += code->temp_names[n] && !strcmp(code->temp_names[n], name);
    if (name && same == 1 && (*name < '0' || *name > '9')) {
        text_put_string(t, " ");
        put_name(t, name);
    } else {
        text_put(t, " %" PRIu32, temp);
    }
}

/* A literal by its text where that finds it again, else by its number. True: by its text. */
static bool put_literal_operand(Text *t, const CompiledCode *code, uint32_t index)
{
    const Literal *literal = index < code->literal_count ? code->literals[index] : NULL;
    bool by_text = false;
    bool is_number =
        literal && (literal->kind == LITERAL_INTEGER || literal->kind == LITERAL_FLOAT);
    if (literal)
        switch (literal->kind) {
        case LITERAL_SYMBOL:
        case LITERAL_STRING:
        case LITERAL_VARIABLE:
        case LITERAL_INTEGER:
        case LITERAL_FLOAT:
        case LITERAL_CHARACTER:
            by_text = literal_find(code->literals, code->literal_count, literal) == (long)index;
            break;
        default:
            break;
        }
    text_put_string(t, by_text && is_number ? " =" : " ");
    if (by_text)
        put_literal(t, literal, 0);
    else
        text_put(t, "%" PRIu32, index);
    return by_text;
}

static void put_send(Text *t, const CompiledCode *code, const Instruction *i)
{
    bool by_text = put_literal_operand(t, code, i->index);
    if (by_text && code->literals[i->index]->kind == LITERAL_SYMBOL) {
        const Literal *selector = code->literals[i->index];
        char *name = arena_copy(t->arena, (const char *)selector->bytes, selector->byte_count);
        if (selector_arity(name) == (unsigned)i->count)
            return;
    }
    text_put(t, " args=%d", i->count);
}

static void put_full_closure(Text *t, const Instruction *i)
{
    text_put(t, " %" PRIu32, i->index);
    if (i->copied)
        text_put(t, " copied=%" PRIu32, i->copied);
    if (i->no_outer)
        text_put_string(t, " noOuter");
    if (i->receiver_on_stack)
        text_put_string(t, " receiver");
}

static void put_special(Text *t, const Instruction *i)
{
    text_put(t, " #%s", special_selectors[i->index].name);
}

/* Operands of all but jumps and embedded closures. */
static void put_operands(Text *t, const CompiledCode *code, const Instruction *i)
{
    switch (i->op) {
    case OP_PUSH_RECEIVER_VARIABLE:
    case OP_STORE_RECEIVER_VARIABLE:
    case OP_POP_INTO_RECEIVER_VARIABLE:
    case OP_CALL_PRIMITIVE:
    case OP_MAPPED_PRIMITIVE:
        text_put(t, " %" PRIu32, i->index);
        break;
    case OP_PUSH_TEMP:
    case OP_STORE_TEMP:
    case OP_POP_INTO_TEMP:
        put_temp(t, code, i->index);
        break;
    case OP_PUSH_LITERAL:
    case OP_PUSH_LITERAL_VARIABLE:
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE:
        put_literal_operand(t, code, i->index);
        break;
    case OP_PUSH_REMOTE_TEMP:
    case OP_STORE_REMOTE_TEMP:
    case OP_POP_INTO_REMOTE_TEMP:
        text_put(t, " %" PRIu32 " in", i->index);
        put_temp(t, code, i->temp);
        break;
    case OP_PUSH_INTEGER:
        text_put(t, " %d", i->value);
        break;
    case OP_PUSH_CHARACTER:
        if (i->index > 32 && i->index < 127)
            text_put(t, " $%c", (char)i->index);
        else
            text_put(t, " %" PRIu32, i->index);
        break;
    case OP_PUSH_NEW_ARRAY:
    case OP_POP_INTO_NEW_ARRAY:
        text_put(t, " %d", i->count);
        break;
    case OP_PUSH_FULL_CLOSURE:
        put_full_closure(t, i);
        break;
    case OP_SEND:
    case OP_SEND_SUPER:
    case OP_SEND_DIRECTED_SUPER:
        put_send(t, code, i);
        break;
    case OP_SEND_SPECIAL:
        put_special(t, i);
        break;
    case OP_INLINE_PRIMITIVE:
        text_put(t, i->count ? " %" PRIu32 " set=%d" : " %" PRIu32, i->index, i->count);
        break;
    default:
        break;
    }
}

static void put_raw(Text *t, const LayoutItem *item)
{
    text_put_string(t, ".byte");
    for (uint32_t n = 0; n < item->size; n++)
        text_put(t, " 0x%02X", item->raw[n]);
}

/* The instruction; a target is written as `prefix` and `target`. */
static void put_item(Text *t, const CompiledCode *code, const LayoutItem *item, const char *prefix,
                     int64_t target)
{
    const Instruction *i = &item->instruction;
    if (item->raw) {
        put_raw(t, item);
        return;
    }
    put_mnemonic(t, i, &item->encoding);
    put_operands(t, code, i);
    if (i->op == OP_PUSH_CLOSURE)
        text_put(t, " args=%d copied=%" PRIu32 " end=%s%" PRId64, i->count, i->copied, prefix,
                 target);
    else if (has_target(item))
        text_put(t, " %s%" PRId64, prefix, target);
}

/* -- Methods -- */

static bool is_plain_method_name(const char *class_name, const char *selector)
{
    if (class_name && (!literal_is_plain(class_name, strlen(class_name), " ._") ||
                       class_name[strlen(class_name) - 1] == ' ' || *class_name == ' '))
        return false;
    return !selector || (literal_is_plain(selector, strlen(selector), SYMBOL_CHARACTERS) &&
                         strcmp(selector, "?") != 0);
}

static void put_method_line(Text *t, const CompiledCode *code)
{
    if (is_plain_method_name(code->class_name, code->selector)) {
        text_put_string(t, "method ");
        text_put_string(t, code->class_name ? code->class_name : "?");
        text_put_string(t, ">>");
        text_put_string(t, code->selector ? code->selector : "?");
        text_put_string(t, "\n");
        return;
    }
    text_put_string(t, "method\n");
    if (code->class_name) {
        text_put_string(t, "  class ");
        put_quoted(t, code->class_name, strlen(code->class_name));
        text_put_string(t, "\n");
    }
    if (code->selector) {
        text_put_string(t, "  selector #");
        put_quoted(t, code->selector, strlen(code->selector));
        text_put_string(t, "\n");
    }
}

static void put_names(Text *t, const CompiledCode *code, unsigned indent)
{
    if (!code->temp_names || !code->temp_count)
        return;
    put_indent(t, indent);
    text_put_string(t, "names");
    for (unsigned n = 0; n < code->temp_count; n++) {
        text_put_string(t, " ");
        put_name(t, code->temp_names[n]);
    }
    text_put_string(t, "\n");
}

static void put_header(Text *t, const CompiledCode *code, unsigned indent)
{
    put_indent(t, indent);
    text_put(t, "set %s\n", code->set == SET_V3 ? "v3" : "sista");
    put_indent(t, indent);
    text_put(t, "args %u\n", code->arg_count);
    put_indent(t, indent);
    text_put(t, "temps %u\n", code->temp_count);
    put_names(t, code, indent);
    if (code->large_frame) {
        put_indent(t, indent);
        text_put_string(t, "large\n");
    }
    if (code->has_primitive) {
        put_indent(t, indent);
        text_put_string(t, "primitive\n");
    }
    if (code->flags) {
        put_indent(t, indent);
        text_put(t, "flags %u\n", code->flags);
    }
}

static void put_literals(Text *t, const CompiledCode *code, unsigned indent)
{
    put_indent(t, indent);
    text_put_string(t, "literals\n");
    for (size_t n = 0; n < code->literal_count; n++) {
        put_indent(t, indent + 2);
        put_literal(t, code->literals[n], indent + 2);
        text_put_string(t, "\n");
    }
}

static void put_instructions(Text *t, const CompiledCode *code, unsigned indent)
{
    Listing l = list_items(code, t->arena);
    for (size_t n = 0; n <= l.count; n++) {
        if (l.labelled[n]) {
            put_indent(t, indent - 2);
            text_put(t, "L%zu:\n", n < l.count ? (size_t)l.items[n].pc : code->bytecode_count);
        }
        if (n == l.count)
            break;
        put_indent(t, indent);
        put_item(t, code, &l.items[n], "L", l.items[n].instruction.target);
        text_put_string(t, "\n");
    }
}

static void put_trailer(Text *t, const CompiledCode *code, unsigned indent)
{
    for (size_t n = 0; n < code->trailer_count; n++) {
        if (n % 16 == 0) {
            text_put_string(t, n ? "\n" : "");
            put_indent(t, indent);
            text_put_string(t, "trailer");
        }
        text_put(t, " 0x%02X", code->trailer[n]);
    }
    if (code->trailer_count)
        text_put_string(t, "\n");
    if (code->source) {
        put_indent(t, indent);
        text_put_string(t, "source ");
        put_quoted(t, code->source, strlen(code->source));
        text_put_string(t, "\n");
    }
}

static void put_code(Text *t, const CompiledCode *code, unsigned indent)
{
    put_header(t, code, indent);
    put_literals(t, code, indent);
    put_indent(t, indent);
    text_put_string(t, "code\n");
    put_instructions(t, code, indent + 2);
    put_trailer(t, code, indent);
}

char *disasm_write(const CompiledCode *code, Arena *arena)
{
    Text t = { .arena = arena };
    put_method_line(&t, code);
    put_code(&t, code, 2);
    text_put_string(&t, "end\n");
    return t.start;
}

char *disasm_literal(const Literal *literal, Arena *arena)
{
    Text t = { .arena = arena };
    put_literal(&t, literal, 0);
    return t.start;
}

/* -- For people -- */

enum { LISTED_BYTES = 8 };

static void list_code(Text *t, const CompiledCode *code, unsigned indent);

static void list_header(Text *t, const CompiledCode *code)
{
    text_put(t, "%s, %u args, %u temps, %s frame", code->set == SET_V3 ? "v3" : "sista",
             code->arg_count, code->temp_count,
             code->large_frame ? "large" : "small");
    if (code->has_primitive && code->bytecode_count > 2)
        text_put(t, ", primitive %u", code->bytecodes[1] + code->bytecodes[2] * 256u);
    if (code->flags)
        text_put(t, ", flags %u", code->flags);
    text_put_string(t, "\n");
}

static void list_item(Text *t, const CompiledCode *code, const LayoutItem *item, unsigned indent)
{
    put_indent(t, indent);
    text_put(t, "%5" PRIu32 "  ", item->pc);
    for (uint32_t n = 0; n < LISTED_BYTES; n++)
        if (n < item->size)
            text_put(t, n == LISTED_BYTES - 1 && item->size > LISTED_BYTES ? ".. " : "%02X ",
                code->bytecodes[item->pc + n]);
        else if (n < 4)
            text_put_string(t, "   ");
    text_put_string(t, " ");
    put_item(t, code, item, "", item->instruction.target);
    text_put_string(t, "\n");
}

static void list_literals(Text *t, const CompiledCode *code, unsigned indent)
{
    unsigned blocks = 0;
    for (size_t n = 0; n < code->literal_count; n++) {
        put_indent(t, indent);
        text_put(t, "literal %zu  ", n);
        if (code->literals[n]->kind == LITERAL_CODE)
            text_put(t, "block %u below\n", ++blocks);
        else {
            put_literal(t, code->literals[n], indent);
            text_put_string(t, "\n");
        }
    }
}

static void list_code(Text *t, const CompiledCode *code, unsigned indent)
{
    unsigned blocks = 0;
    list_header(t, code);
    list_literals(t, code, indent);
    Listing l = list_items(code, t->arena);
    for (size_t n = 0; n < l.count; n++)
        list_item(t, code, &l.items[n], indent);
    for (size_t n = 0; n < code->literal_count; n++)
        if (code->literals[n]->kind == LITERAL_CODE) {
            put_indent(t, indent);
            text_put(t, "block %u: ", ++blocks);
            list_code(t, code->literals[n]->code_block, indent + 2);
        }
}

char *disasm_list(const CompiledCode *code, Arena *arena)
{
    Text t = { .arena = arena };
    text_put_string(&t, code->class_name ? code->class_name : "?");
    text_put_string(&t, ">>");
    text_put_string(&t, code->selector ? code->selector : "?");
    text_put_string(&t, ": ");
    list_code(&t, code, 2);
    return t.start;
}
