/* Methods and code of assembler texts.
 *
 *   lines -> header fields, literals, layout items with label numbers -> layout -> bytes
 *
 * An error spoils its line; reading goes on with the next, so that all errors of
 * a text are found. A method with errors is not made.
 */
#include "asm_int.h"
#include "layout.h"
#include "literal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    size_t length;
    uint32_t item;         /* where it stands, or NO_TARGET */
    unsigned line, column; /* of its first use or definition */
} Label;

/* How an item refers to the literal frame, which may still grow. */
enum { REF_NONE = -1, REF_ADDED = 1 << 20 };

/* A method or block being read. */
typedef struct {
    Reader *r;
    CompiledCode *code;
    LayoutItem *items;
    int32_t *refs; /* per item: declared literal n, REF_ADDED + n, or REF_NONE */
    size_t item_count, item_capacity;
    Literal **added; /* literals named only in instructions */
    size_t added_count, added_capacity;
    size_t literal_capacity;
    Label *labels;
    size_t label_count, label_capacity;
    uint32_t *label_slots; /* hash table: label number + 1 */
    size_t slot_count;
    bool args_given, temps_given, literals_given;
} Body;

static void *grow(Arena *arena, void *block, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return block;
    size_t old = *capacity * size;
    *capacity = *capacity ? *capacity * 2 : 16;
    return arena_grow(arena, block, old, *capacity * size);
}

/* -- Labels -- */

static size_t label_hash(const char *name, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t n = 0; n < length; n++)
        hash = (hash ^ (uint8_t)name[n]) * 16777619u;
    return hash;
}

static uint32_t *label_slot(Body *b, const char *name, size_t length)
{
    for (size_t n = label_hash(name, length);; n++) {
        uint32_t *slot = &b->label_slots[n % b->slot_count];
        if (!*slot)
            return slot;
        const Label *label = &b->labels[*slot - 1];
        if (label->length == length && !memcmp(label->name, name, length))
            return slot;
    }
}

static void grow_label_slots(Body *b)
{
    if (b->label_count * 2 < b->slot_count)
        return;
    b->slot_count = b->slot_count ? b->slot_count * 2 : 16;
    b->label_slots = arena_alloc(b->r->arena, b->slot_count * sizeof *b->label_slots);
    for (size_t n = 0; n < b->label_count; n++)
        *label_slot(b, b->labels[n].name, b->labels[n].length) = (uint32_t)n + 1;
}

static uint32_t label_number(Body *b, const char *name, size_t length)
{
    grow_label_slots(b);
    uint32_t *slot = label_slot(b, name, length);
    if (!*slot) {
        b->labels = grow(b->r->arena, b->labels, b->label_count, &b->label_capacity, sizeof(Label));
        b->labels[b->label_count++] = (Label){ name, length, NO_TARGET, b->r->line,
                                               reader_column(b->r, name) };
        *slot = (uint32_t)b->label_count;
    }
    return *slot - 1;
}

static bool define_label(Body *b, const char *name, size_t length)
{
    uint32_t number = label_number(b, name, length); /* may move the labels */
    Label *label = &b->labels[number];
    if (label->item != NO_TARGET)
        return reader_fail(b->r, name, "label %.*s is defined twice", (int)length, name);
    label->item = (uint32_t)b->item_count;
    return true;
}

/* -- Literals of instructions -- */

/* Finds or adds the literal; answers a reference. */
static int32_t literal_reference(Body *b, Literal *literal)
{
    long found = literal_find(b->code->literals, b->code->literal_count, literal);
    if (found >= 0)
        return (int32_t)found;
    found = literal_find(b->added, b->added_count, literal);
    if (found < 0) {
        b->added = grow(b->r->arena, b->added, b->added_count, &b->added_capacity,
                        sizeof(Literal *));
        b->added[b->added_count] = literal;
        found = (long)b->added_count++;
    }
    return REF_ADDED + (int32_t)found;
}

static bool is_closing_literal(LiteralKind kind)
{
    return kind == LITERAL_METHOD_CLASS || kind == LITERAL_OUTER_CODE;
}

/* Where added literals go: before the method class (outer code) and, in methods, what precedes it,
 * the selector or method state. */
static size_t place_of_added(const CompiledCode *code)
{
    size_t count = code->literal_count;
    if (count == 0 || !is_closing_literal(code->literals[count - 1]->kind))
        return count;
    count--;
    if (!code->is_block && count > 0 &&
        (code->literals[count - 1]->kind == LITERAL_SYMBOL ||
         code->literals[count - 1]->kind == LITERAL_METHOD_STATE))
        count--;
    return count;
}

static void merge_added(Body *b)
{
    CompiledCode *code = b->code;
    size_t place = place_of_added(code);
    if (b->added_count == 0)
        return;
    size_t count = code->literal_count + b->added_count;
    Literal **all = arena_alloc(b->r->arena, count * sizeof *all);
    size_t n = 0;
    for (size_t k = 0; k < place; k++)
        all[n++] = code->literals[k];
    for (size_t k = 0; k < b->added_count; k++)
        all[n++] = b->added[k];
    for (size_t k = place; k < code->literal_count; k++)
        all[n++] = code->literals[k];
    for (size_t k = 0; k < b->item_count; k++) {
        uint32_t *index = &b->items[k].instruction.index;
        if (b->refs[k] >= REF_ADDED)
            *index = (uint32_t)(place + (size_t)(b->refs[k] - REF_ADDED));
        else if (b->refs[k] != REF_NONE && (size_t)b->refs[k] >= place)
            *index += (uint32_t)b->added_count;
    }
    code->literals = all;
    code->literal_count = count;
}

/* A number is the index of a literal, anything else (or =NUMBER) the literal itself. `*literal` is
 * NULL for a number. */
static bool read_literal_operand(Body *b, Instruction *i, int32_t *ref, Literal **literal)
{
    int64_t index;
    *literal = NULL;
    if (!reader_accept(b->r, '=') && reader_at_number(b->r)) {
        if (!reader_number(b->r, "the index of a literal", 0, UINT32_MAX, &index))
            return false;
        i->index = (uint32_t)index;
        if ((size_t)index < b->code->literal_count)
            *ref = (int32_t)index;
        return true;
    }
    *literal = reader_literal(b->r);
    if (!*literal)
        return false;
    *ref = literal_reference(b, *literal);
    if (*ref < REF_ADDED)
        i->index = (uint32_t)*ref;
    return true;
}

/* -- Operands -- */

static bool read_index(Body *b, const char *what, uint32_t *out)
{
    int64_t value;
    if (!reader_number(b->r, what, 0, UINT32_MAX, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_count(Body *b, const char *what, int32_t *out)
{
    int64_t value;
    if (!reader_number(b->r, what, 0, INT32_MAX, &value))
        return false;
    *out = (int32_t)value;
    return true;
}

static bool read_temp(Body *b, uint32_t *out)
{
    if (reader_at_number(b->r))
        return read_index(b, "a temporary", out);
    const char *start = b->r->at;
    const char *name = reader_name(b->r, "a temporary");
    if (!name)
        return false;
    for (unsigned n = 0; b->code->temp_names && n < b->code->temp_count; n++)
        if (!strcmp(b->code->temp_names[n], name)) {
            *out = n;
            return true;
        }
    return reader_fail(b->r, start, "no temporary is named %s", name);
}

/* NAME=NUMBER; `found` says whether it was there. */
static bool read_option(Body *b, const char *name, int32_t *out, bool *found)
{
    *found = reader_accept_word(b->r, name);
    if (!*found)
        return true;
    if (!reader_accept(b->r, '='))
        return reader_fail(b->r, b->r->at, "'=' expected");
    return read_count(b, name, out);
}

static bool read_label_operand(Body *b, LayoutItem *item)
{
    size_t length;
    const char *name = reader_word(b->r, &length);
    if (!name)
        return reader_fail(b->r, b->r->at, "a label expected");
    item->target_item = label_number(b, name, length);
    return true;
}

static bool read_remote(Body *b, Instruction *i)
{
    if (!read_index(b, "an index", &i->index))
        return false;
    if (!reader_accept_word(b->r, "in"))
        return reader_fail(b->r, b->r->at, "'in' expected");
    return read_temp(b, &i->temp);
}

static bool read_send(Body *b, Instruction *i, int32_t *ref)
{
    Literal *literal;
    bool found;
    reader_at_end_of_line(b->r);
    const char *start = b->r->at;
    if (!read_literal_operand(b, i, ref, &literal) || !read_option(b, "args", &i->count, &found))
        return false;
    if (found)
        return true;
    if (!literal || literal->kind != LITERAL_SYMBOL)
        return reader_fail(b->r, start, "without a selector args=N is needed");
    char *name = arena_copy(b->r->arena, (const char *)literal->bytes, literal->byte_count);
    i->count = (int32_t)selector_arity(name);
    return true;
}

static bool read_special(Body *b, Instruction *i)
{
    const char *start = b->r->at;
    int64_t number;
    if (reader_at_number(b->r)) {
        if (!reader_number(b->r, "a special selector", 0, SPECIAL_SELECTOR_COUNT - 1, &number))
            return false;
    } else {
        Literal *literal = reader_literal(b->r);
        if (!literal)
            return false;
        number = -1;
        if (literal->kind == LITERAL_SYMBOL)
            number = special_selector_find(
                arena_copy(b->r->arena, (const char *)literal->bytes, literal->byte_count));
        if (number < 0)
            return reader_fail(b->r, start, "no special selector");
    }
    i->index = (uint32_t)number;
    i->count = special_selectors[number].arguments;
    return true;
}

static bool read_full_closure(Body *b, Instruction *i, int32_t *ref)
{
    Literal *literal;
    int32_t copied = 0;
    bool found;
    if (!read_literal_operand(b, i, ref, &literal) || !read_option(b, "copied", &copied, &found))
        return false;
    i->copied = (uint32_t)copied;
    i->no_outer = reader_accept_word(b->r, "noOuter");
    i->receiver_on_stack = reader_accept_word(b->r, "receiver");
    return true;
}

static bool read_closure(Body *b, LayoutItem *item)
{
    int32_t copied = 0;
    bool found;
    if (!read_option(b, "args", &item->instruction.count, &found) ||
        !read_option(b, "copied", &copied, &found))
        return false;
    item->instruction.copied = (uint32_t)copied;
    if (!reader_accept_word(b->r, "end") || !reader_accept(b->r, '='))
        return reader_fail(b->r, b->r->at, "end=LABEL expected");
    return read_label_operand(b, item);
}

static bool read_character_operand(Body *b, Instruction *i)
{
    if (reader_at_number(b->r))
        return read_index(b, "a code", &i->index);
    const char *start = b->r->at;
    Literal *literal = reader_literal(b->r);
    if (!literal)
        return false;
    i->index = literal->code;
    return literal->kind == LITERAL_CHARACTER || reader_fail(b->r, start, "a character expected");
}

static bool read_inline(Body *b, Instruction *i)
{
    bool found;
    return read_index(b, "a primitive", &i->index) && read_option(b, "set", &i->count, &found);
}

static bool read_operands(Body *b, LayoutItem *item, int32_t *ref)
{
    Instruction *i = &item->instruction;
    Literal *literal;
    int64_t value = 0;
    switch (i->op) {
    case OP_PUSH_RECEIVER_VARIABLE:
    case OP_STORE_RECEIVER_VARIABLE:
    case OP_POP_INTO_RECEIVER_VARIABLE:
        return read_index(b, "a receiver variable", &i->index);
    case OP_PUSH_TEMP:
    case OP_STORE_TEMP:
    case OP_POP_INTO_TEMP:
        return read_temp(b, &i->index);
    case OP_PUSH_LITERAL:
    case OP_PUSH_LITERAL_VARIABLE:
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE:
        return read_literal_operand(b, i, ref, &literal);
    case OP_PUSH_REMOTE_TEMP:
    case OP_STORE_REMOTE_TEMP:
    case OP_POP_INTO_REMOTE_TEMP:
        return read_remote(b, i);
    case OP_PUSH_INTEGER:
        if (!reader_number(b->r, "an integer", INT32_MIN, INT32_MAX, &value))
            return false;
        i->value = (int32_t)value;
        return true;
    case OP_PUSH_CHARACTER:
        return read_character_operand(b, i);
    case OP_PUSH_NEW_ARRAY:
    case OP_POP_INTO_NEW_ARRAY:
        return read_count(b, "a size", &i->count);
    case OP_PUSH_CLOSURE:
        return read_closure(b, item);
    case OP_PUSH_FULL_CLOSURE:
        return read_full_closure(b, i, ref);
    case OP_SEND:
    case OP_SEND_SUPER:
    case OP_SEND_DIRECTED_SUPER:
        return read_send(b, i, ref);
    case OP_SEND_SPECIAL:
        return read_special(b, i);
    case OP_JUMP:
    case OP_JUMP_IF_TRUE:
    case OP_JUMP_IF_FALSE:
        return read_label_operand(b, item);
    case OP_CALL_PRIMITIVE:
    case OP_MAPPED_PRIMITIVE:
        return read_index(b, "a primitive", &i->index);
    case OP_INLINE_PRIMITIVE:
        return read_inline(b, i);
    default:
        return true;
    }
}

/* -- Instructions -- */

static int digit(char c)
{
    const char *digits = "0123456789ABCDEF", *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* The part of a mnemonic behind the slash: hexadecimal opcodes, prefixes first: E0.E1.E4 */
static bool read_encoding(Reader *r, const char *text, size_t length, Encoding *encoding)
{
    *encoding = (Encoding){ .forced = true, .prefixes_free = length == 2 };
    if (length % 3 != 2 || length / 3 > ENCODING_PREFIXES_MAX)
        return reader_fail(r, text, "a form is up to 8 prefixes and an opcode: E0.E1.E4");
    for (size_t n = 0; n < length; n += 3) {
        int high = digit(text[n]), low = digit(text[n + 1]);
        bool last = n + 2 == length;
        if (high < 0 || low < 0 || (!last && text[n + 2] != '.'))
            return reader_fail(r, text, "a form is up to 8 prefixes and an opcode: E0.E1.E4");
        uint8_t opcode = (uint8_t)(high * 16 + low);
        if (last)
            encoding->opcode = opcode;
        else if (opcode != PREFIX_A && opcode != PREFIX_B)
            return reader_fail(r, text + n, "%02X is no prefix", opcode);
        else
            encoding->prefixes_are_b |= (uint8_t)((opcode == PREFIX_B) << encoding->prefix_count++);
    }
    return true;
}

static void add_item(Body *b, const LayoutItem *item, int32_t ref)
{
    if (b->item_count == b->item_capacity) {
        size_t capacity = b->item_capacity;
        b->refs = grow(b->r->arena, b->refs, b->item_count, &capacity, sizeof *b->refs);
        b->items = grow(b->r->arena, b->items, b->item_count, &b->item_capacity, sizeof *b->items);
    }
    b->refs[b->item_count] = ref;
    b->items[b->item_count++] = *item;
}

static void read_raw_bytes(Body *b, LayoutItem *item)
{
    uint8_t *bytes = NULL;
    size_t count = 0, capacity = 0;
    int64_t value;
    do {
        if (!reader_number(b->r, "a byte", 0, 255, &value))
            return;
        bytes = grow(b->r->arena, bytes, count, &capacity, 1);
        bytes[count++] = (uint8_t)value;
    } while (!reader_at_end_of_line(b->r));
    item->raw = bytes;
    item->size = (uint32_t)count;
    add_item(b, item, REF_NONE);
}

static void read_instruction(Body *b, const char *word, size_t length)
{
    const char *slash = memchr(word, '/', length);
    size_t name_length = slash ? (size_t)(slash - word) : length;
    LayoutItem item = { .target_item = NO_TARGET, .line = b->r->line };
    item.column = reader_column(b->r, word);
    if (length == 5 && !memcmp(word, ".byte", 5)) {
        read_raw_bytes(b, &item);
        return;
    }
    int op = operation_find(word, name_length);
    if (op <= OP_UNKNOWN) {
        reader_fail(b->r, word, "unknown instruction %.*s", (int)name_length, word);
        return;
    }
    int32_t ref = REF_NONE;
    item.instruction.op = (Operation)op;
    if (slash && !read_encoding(b->r, slash + 1, length - name_length - 1, &item.encoding))
        return;
    if (read_operands(b, &item, &ref) && reader_expect_end_of_line(b->r))
        add_item(b, &item, ref);
}

/* Labels, then at most one instruction. */
static void read_code_line(Body *b)
{
    size_t length;
    const char *word;
    while ((word = reader_word(b->r, &length)) != NULL) {
        if (b->r->at < b->r->end && *b->r->at == ':') {
            b->r->at++;
            if (!define_label(b, word, length))
                return;
            continue;
        }
        read_instruction(b, word, length);
        return;
    }
    reader_expect_end_of_line(b->r);
}

/* -- Header -- */

static bool read_field(Body *b, const char *what, int64_t high, unsigned *out)
{
    int64_t value;
    if (!reader_number(b->r, what, 0, high, &value))
        return false;
    *out = (unsigned)value;
    return true;
}

static void read_set(Body *b)
{
    if (reader_accept_word(b->r, "v3"))
        b->code->set = SET_V3;
    else if (reader_accept_word(b->r, "sista"))
        b->code->set = SET_SISTA;
    else
        reader_fail(b->r, b->r->at, "v3 or sista expected");
}

static void read_names(Body *b)
{
    size_t count = 0, capacity = 0;
    const char **names = NULL;
    const char *start = b->r->at;
    while (!reader_at_end_of_line(b->r)) {
        names = grow(b->r->arena, names, count, &capacity, sizeof *names);
        if (!(names[count++] = reader_name(b->r, "a name")))
            return;
    }
    if (!b->temps_given && count < 64)
        b->code->temp_count = (unsigned)count;
    else if (count != b->code->temp_count) {
        reader_fail(b->r, start, "%zu names for %u temporaries", count, b->code->temp_count);
        return;
    }
    b->temps_given = true;
    b->code->temp_names = names;
}

/* primitive, or primitive N, which also writes the instruction */
static void read_primitive(Body *b)
{
    b->code->has_primitive = true;
    if (!reader_at_number(b->r))
        return;
    LayoutItem item = { .target_item = NO_TARGET, .line = b->r->line };
    item.column = reader_column(b->r, b->r->at);
    item.instruction.op = OP_CALL_PRIMITIVE;
    if (b->item_count)
        reader_fail(b->r, b->r->at, "primitive N stands before the code");
    else if (read_index(b, "a primitive", &item.instruction.index))
        add_item(b, &item, REF_NONE);
}

static void read_trailer(Body *b)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)b->code->trailer;
    size_t capacity = b->code->trailer_count;
    while (!reader_at_end_of_line(b->r)) {
        int64_t value;
        if (!reader_number(b->r, "a byte", 0, 255, &value))
            return;
        bytes = grow(b->r->arena, bytes, b->code->trailer_count, &capacity, 1);
        bytes[b->code->trailer_count++] = (uint8_t)value;
        b->code->trailer = bytes;
    }
}

static void read_flags(Body *b)
{
    read_field(b, "flags", 3, &b->code->flags);
}

static void read_args(Body *b)
{
    b->args_given = read_field(b, "args", 15, &b->code->arg_count);
}

static void read_temps(Body *b)
{
    b->temps_given = read_field(b, "temps", 63, &b->code->temp_count);
}

static void read_large(Body *b)
{
    b->code->large_frame = true;
}

static void read_class(Body *b)
{
    b->code->class_name = reader_name(b->r, "a class name");
}

static void read_selector(Body *b)
{
    Literal *literal = reader_literal(b->r);
    if (literal && literal->kind == LITERAL_SYMBOL)
        b->code->selector = (const char *)literal->bytes;
    else if (literal)
        reader_fail(b->r, b->r->at, "a symbol expected");
}

static void read_source(Body *b)
{
    b->code->source = reader_name(b->r, "a text");
}

static const struct {
    const char *word;
    void (*read)(Body *b);
} fields[] = {
    { "set", read_set },         { "args", read_args },     { "temps", read_temps },
    { "names", read_names },     { "large", read_large },   { "primitive", read_primitive },
    { "flags", read_flags },     { "class", read_class },   { "selector", read_selector },
    { "trailer", read_trailer }, { "source", read_source },
};

static bool read_header_field(Body *b)
{
    for (size_t n = 0; n < sizeof fields / sizeof *fields; n++)
        if (reader_accept_word(b->r, fields[n].word)) {
            fields[n].read(b);
            if (!b->r->line_failed)
                reader_expect_end_of_line(b->r);
            return true;
        }
    return false;
}

static void read_literal_line(Body *b)
{
    unsigned nesting = b->r->nesting;
    Literal *literal = reader_literal(b->r);
    b->r->nesting = nesting;
    if (!literal)
        return;
    if (b->code->literal_count >= 32767) {
        reader_fail(b->r, b->r->at, "more than 32767 literals");
        return;
    }
    b->code->literals = grow(b->r->arena, b->code->literals, b->code->literal_count,
                             &b->literal_capacity, sizeof(Literal *));
    b->code->literals[b->code->literal_count++] = literal;
    reader_expect_end_of_line(b->r);
}

/* -- A whole method or block -- */

static bool resolve_labels(Body *b)
{
    bool fine = true;
    for (size_t n = 0; n < b->label_count; n++)
        if (b->labels[n].item == NO_TARGET)
            fine = reader_fail_at(b->r, b->labels[n].line, b->labels[n].column,
                                  "label %.*s is not defined", (int)b->labels[n].length,
                                  b->labels[n].name);
    for (size_t n = 0; n < b->item_count; n++)
        if (b->items[n].target_item != NO_TARGET)
            b->items[n].target_item = b->labels[b->items[n].target_item].item;
    return fine;
}

static void encode_body(Body *b)
{
    CompiledCode *code = b->code;
    size_t bad;
    merge_added(b);
    if (!resolve_labels(b))
        return;
    if (!layout_place(code->set, b->items, b->item_count, &bad)) {
        const LayoutItem *item = &b->items[bad];
        reader_fail_at(b->r, item->line, item->column, "%s cannot be written so in %s",
                       operation_infos[item->instruction.op].name,
                       code->set == SET_V3 ? "v3" : "sista");
        return;
    }
    code->bytecode_count = layout_size(b->items, b->item_count);
    uint8_t *bytes = arena_alloc(b->r->arena, code->bytecode_count + 1);
    layout_write(code->set, b->items, b->item_count, bytes);
    code->bytecodes = bytes;
}

/* What was not said: arguments by the selector, temporaries by the arguments, closing literals. */
static void complete_header(Body *b, unsigned line)
{
    CompiledCode *code = b->code;
    if (!b->args_given && code->selector && !code->is_block)
        code->arg_count = selector_arity(code->selector);
    if (!b->temps_given)
        code->temp_count = code->arg_count;
    if (code->temp_count < code->arg_count)
        reader_fail_at(b->r, line, 1, "fewer temporaries (%u) than arguments (%u)",
                       code->temp_count, code->arg_count);
    if (b->literals_given)
        return;
    Literal *closing = arena_alloc(b->r->arena, 2 * sizeof *closing);
    code->literals = arena_alloc(b->r->arena, 2 * sizeof(Literal *));
    if (!code->is_block && code->selector) {
        closing[0].kind = LITERAL_SYMBOL;
        closing[0].bytes = (const uint8_t *)code->selector;
        closing[0].byte_count = strlen(code->selector);
        code->literals[code->literal_count++] = &closing[0];
    }
    closing[1].kind = code->is_block ? LITERAL_OUTER_CODE : LITERAL_METHOD_CLASS;
    code->literals[code->literal_count++] = &closing[1];
}

typedef enum { PART_HEADER, PART_LITERALS, PART_CODE } Part;

/* One line of a body that is not its end. */
static Part read_body_line(Body *b, Part part)
{
    if (reader_accept_word(b->r, "literals")) {
        b->literals_given = true;
        reader_expect_end_of_line(b->r);
        return PART_LITERALS;
    }
    if (reader_accept_word(b->r, "code")) {
        reader_expect_end_of_line(b->r);
        return PART_CODE;
    }
    if (read_header_field(b))
        return part;
    if (part == PART_LITERALS)
        read_literal_line(b);
    else if (part == PART_CODE)
        read_code_line(b);
    else
        reader_fail(b->r, b->r->at, "a header field, literals, code or end expected");
    return part;
}

/* Reads up to and including `end`; the reader stands behind the first line. */
static CompiledCode *read_body(Body *b)
{
    size_t errors = b->r->error_count;
    unsigned first_line = b->r->line;
    Part part = PART_HEADER;
    for (;;) {
        if (b->r->at >= b->r->end) {
            reader_fail_at(b->r, first_line, 1, "the %s has no end",
                           b->code->is_block ? "block" : "method");
            return NULL;
        }
        reader_next_line(b->r);
        if (reader_at_end_of_line(b->r))
            continue;
        if (reader_accept_word(b->r, "end"))
            break;
        part = read_body_line(b, part);
    }
    if (b->r->error_count == errors)
        complete_header(b, first_line);
    if (b->r->error_count == errors)
        encode_body(b);
    return b->r->error_count == errors ? b->code : NULL;
}

CompiledCode *asm_read_block(Reader *r)
{
    Body b = { .r = r, .code = arena_alloc(r->arena, sizeof(CompiledCode)) };
    b.code->set = SET_SISTA;
    b.code->is_block = true;
    if (!reader_expect_end_of_line(r))
        r->line_failed = true;
    return read_body(&b);
}

static bool is_unknown_name(const char *text, size_t length)
{
    return length == 0 || (length == 1 && *text == '?');
}

/* method CLASS>>SELECTOR, each of which may be left open by a question mark */
static void read_method_name(Reader *r, CompiledCode *code)
{
    if (reader_at_end_of_line(r))
        return;
    const char *start = r->at, *stop = start, *separator = NULL;
    for (; stop < r->end && *stop != '\n' && *stop != ';' && *stop != '\r'; stop++)
        if (!separator && *stop == '>' && r->end - stop > 1 && stop[1] == '>')
            separator = stop;
    r->at = stop;
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    if (!separator || memchr(start, 0, (size_t)(stop - start))) {
        reader_fail(r, start, "CLASS>>SELECTOR expected");
        return;
    }
    const char *selector = separator + 2;
    if (!is_unknown_name(start, (size_t)(separator - start)))
        code->class_name = arena_copy(r->arena, start, (size_t)(separator - start));
    if (stop > selector && !is_unknown_name(selector, (size_t)(stop - selector)))
        code->selector = arena_copy(r->arena, selector, (size_t)(stop - selector));
}

static CompiledCode *read_method(Reader *r)
{
    Body b = { .r = r, .code = arena_alloc(r->arena, sizeof(CompiledCode)) };
    size_t errors = r->error_count;
    b.code->set = SET_SISTA;
    read_method_name(r, b.code);
    CompiledCode *code = read_body(&b);
    reader_expect_end_of_line(r);
    return r->error_count == errors ? code : NULL;
}

static int compare_errors(const AsmError *a, const AsmError *b)
{
    return a->line != b->line ? (a->line < b->line ? -1 : 1)
                              : (a->column > b->column) - (a->column < b->column);
}

/* Errors of labels and layout are found behind the others; few, so by insertion. */
static void sort_errors(AsmError *errors, size_t count)
{
    for (size_t n = 1; n < count; n++) {
        AsmError error = errors[n];
        size_t k = n;
        for (; k > 0 && compare_errors(&errors[k - 1], &error) > 0; k--)
            errors[k] = errors[k - 1];
        errors[k] = error;
    }
}

AsmResult asm_read(const char *text, size_t length, const char *file, Arena *arena)
{
    AsmResult result = { .methods = NULL };
    size_t capacity = 0;
    Reader r = { .arena = arena,
                 .file = file,
                 .at = text,
                 .end = text + length,
                 .line_start = text,
                 .line = 1 };
    while (r.at < r.end) {
        r.nesting = 0;
        if (reader_at_end_of_line(&r)) {
            reader_next_line(&r);
            continue;
        }
        if (reader_accept_word(&r, "method")) {
            CompiledCode *code = read_method(&r);
            if (code) {
                result.methods = grow(arena, result.methods, result.method_count, &capacity,
                                      sizeof *result.methods);
                result.methods[result.method_count++] = code;
            }
        } else {
            reader_fail(&r, r.at, "'method' expected");
        }
        reader_next_line(&r);
    }
    sort_errors(r.errors, r.error_count);
    result.errors = r.errors;
    result.error_count = r.error_count;
    return result;
}
