#include "kernel/vm/code/lift.h"

#include <string.h>

#include "compiler/number.h"
#include "kernel/bytecode/trailer.h"
#include "kernel/bytecode/verify.h"
#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"

enum { DEEPEST_LITERAL = 40, NAME_MAX_BYTES = 256 };

typedef struct {
    Vm *vm;
    Arena *arena;
    const char *why;
    unsigned depth;
} Lifter;

static Literal *refuse(Lifter *l, const char *why)
{
    if (!l->why)
        l->why = why;
    return arena_alloc(l->arena, sizeof(Literal));
}

static Literal *literal_new(Lifter *l, LiteralKind kind)
{
    Literal *literal = arena_alloc(l->arena, sizeof *literal);
    literal->kind = kind;
    return literal;
}

static const char *class_name(Lifter *l, Oop class)
{
    char name[NAME_MAX_BYTES];
    vm_class_name(l->vm, class, name, sizeof name);
    return arena_copy(l->arena, name, strlen(name));
}

static bool is_a(Lifter *l, Oop oop, const char *name)
{
    return strcmp(class_name(l, heap_class_of(&l->vm->heap, oop)), name) == 0;
}

static Oop slot(Oop oop, Word index)
{
    return follow(object_slot(oop, index));
}

static bool has_slots(Oop oop, Word count)
{
    return is_object(oop) && format_is_pointers(object_format(oop)) &&
           object_slot_count(oop) >= count;
}

static bool is_array(Oop oop)
{
    return is_object(oop) && object_format(oop) == FORMAT_INDEXABLE &&
           object_class_index(oop) == CLASS_ARRAY;
}

static bool is_code(Oop oop)
{
    return is_object(oop) && format_is_code(object_format(oop));
}

/* --- Texts --- */

static Oop class_of_symbols(const Vm *vm)
{
    return heap_class_of(&vm->heap, heap_special(&vm->heap, SPECIAL_DOES_NOT_UNDERSTAND));
}

static bool is_symbol(const Lifter *l, Oop oop)
{
    return is_object(oop) && format_is_bytes(object_format(oop)) &&
           heap_class_of(&l->vm->heap, oop) == class_of_symbols(l->vm);
}

static bool is_string(Oop oop)
{
    return is_object(oop) && object_class_index(oop) == CLASS_BYTE_STRING;
}

/* One byte or four bytes a character, as UTF-8. */
static const char *text_of(Lifter *l, Oop oop, size_t *length)
{
    unsigned width = format_is_bytes(object_format(oop)) ? 1 : 4;
    size_t count = bits_byte_count(oop) / width;
    const uint8_t *bytes = object_bytes(oop);
    char *text = arena_alloc(l->arena, 4 * count + 1);
    *length = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t code = bytes[width * i];
        if (width == 4)
            memcpy(&code, bytes + 4 * i, sizeof code);
        *length += utf8_encode(code & 0x1FFFFF, text + *length);
    }
    return text;
}

static Literal *lift_text(Lifter *l, LiteralKind kind, Oop oop)
{
    Literal *literal = literal_new(l, kind);
    const char *text = text_of(l, oop, &literal->byte_count);
    if (kind != LITERAL_VARIABLE)
        literal->bytes = (const uint8_t *)text;
    else
        literal->byte_count = 0;
    literal->name = kind == LITERAL_STRING ? NULL : text;
    return literal;
}

/* --- Numbers --- */

static Literal *lift_integer(Lifter *l, Oop oop)
{
    Literal *literal = literal_new(l, LITERAL_INTEGER);
    if (is_small_integer(oop)) {
        literal_set_integer(l->arena, literal, small_integer_value(oop));
        return literal;
    }
    size_t count = bits_byte_count(oop);
    const uint8_t *bytes = object_bytes(oop);
    while (count && !bytes[count - 1])
        count--;
    literal->negative = object_class_index(oop) == CLASS_LARGE_NEGATIVE;
    literal->bytes = (const uint8_t *)arena_copy(l->arena, (const char *)bytes, count);
    literal->byte_count = count;
    return literal;
}

static bool is_integer(Oop oop)
{
    return is_small_integer(oop) ||
           (is_object(oop) && (object_class_index(oop) == CLASS_LARGE_POSITIVE ||
                               object_class_index(oop) == CLASS_LARGE_NEGATIVE));
}

static Literal *lift_ratio(Lifter *l, LiteralKind kind, Oop numerator, Oop denominator)
{
    if (!is_integer(numerator) || !is_integer(denominator))
        return refuse(l, "a fraction is not made as usual");
    Literal *literal = literal_new(l, kind);
    literal->elements = arena_alloc(l->arena, 2 * sizeof(Literal *));
    literal->element_count = 2;
    literal->elements[0] = lift_integer(l, numerator);
    literal->elements[1] = lift_integer(l, denominator);
    return literal;
}

/* A ScaledDecimal: a fraction (or an integer), and the scale. */
static Literal *lift_scaled(Lifter *l, Oop oop)
{
    Oop fraction = slot(oop, 0), numerator = fraction, denominator = small_integer_oop(1);
    if (has_slots(fraction, 2)) {
        numerator = slot(fraction, 0);
        denominator = slot(fraction, 1);
    }
    if (!is_small_integer(slot(oop, 1)))
        return refuse(l, "a scaled decimal is not made as usual");
    Literal *literal = lift_ratio(l, LITERAL_SCALED, numerator, denominator);
    if (literal)
        literal->scale = (int)small_integer_value(slot(oop, 1));
    return literal;
}

/* --- Literals --- */

static Literal *lift_literal(Lifter *l, Oop oop);
static CompiledCode *lift(Lifter *l, Oop code, bool is_block);

static Literal *lift_array(Lifter *l, Oop oop)
{
    Literal *literal = literal_new(l, LITERAL_ARRAY);
    size_t count = object_slot_count(oop);
    if (++l->depth > DEEPEST_LITERAL)
        return refuse(l, "a literal array is nested too deeply");
    literal->elements = arena_alloc(l->arena, (count + 1) * sizeof(Literal *));
    literal->element_count = count;
    for (size_t i = 0; i < count && !l->why; i++)
        literal->elements[i] = lift_literal(l, slot(oop, (Word)i));
    l->depth--;
    return literal;
}

/* An object with a symbol in front and a value behind it. */
static bool is_binding(const Lifter *l, Oop oop)
{
    return has_slots(oop, 2) && object_slot_count(oop) <= 6 &&
           object_format(oop) == FORMAT_FIXED && is_symbol(l, slot(oop, 0));
}

static Literal *lift_bits(Lifter *l, Oop oop)
{
    Word index = object_class_index(oop);
    double real;
    if (is_integer(oop))
        return lift_integer(l, oop);
    if (index == CLASS_FLOAT && float_value(oop, &real)) {
        Literal *literal = literal_new(l, LITERAL_FLOAT);
        literal->real = real;
        return literal;
    }
    if (is_string(oop) || is_a(l, oop, "WideString"))
        return lift_text(l, LITERAL_STRING, oop);
    if (is_symbol(l, oop) || is_a(l, oop, "WideSymbol"))
        return lift_text(l, LITERAL_SYMBOL, oop);
    if (!format_is_bytes(object_format(oop)))
        return refuse(l, "there is a literal that no text writes");
    Literal *literal = literal_new(l, LITERAL_BYTE_ARRAY);
    literal->byte_count = bits_byte_count(oop);
    literal->bytes = (const uint8_t *)arena_copy(l->arena, (const char *)object_bytes(oop),
                                                 literal->byte_count);
    return literal;
}

static Literal *lift_immediate(Lifter *l, Oop oop)
{
    Literal *literal;
    double real;
    if (is_small_integer(oop))
        return lift_integer(l, oop);
    literal = literal_new(l, is_character(oop) ? LITERAL_CHARACTER : LITERAL_FLOAT);
    if (is_character(oop))
        literal->code = character_code(oop);
    else if (float_value(oop, &real))
        literal->real = real;
    return literal;
}

static Literal *lift_literal(Lifter *l, Oop oop)
{
    const Heap *heap = &l->vm->heap;
    if (is_immediate(oop))
        return lift_immediate(l, oop);
    if (oop == heap->nil)
        return literal_new(l, LITERAL_NIL);
    if (oop == heap->true_object || oop == heap->false_object)
        return literal_new(l, oop == heap->true_object ? LITERAL_TRUE : LITERAL_FALSE);
    if (is_code(oop)) {
        Literal *literal = literal_new(l, LITERAL_CODE);
        if (++l->depth > DEEPEST_LITERAL)
            return refuse(l, "blocks are nested too deeply");
        literal->code_block = lift(l, oop, true);
        l->depth--;
        return literal;
    }
    if (format_is_bits(object_format(oop)))
        return lift_bits(l, oop);
    if (is_array(oop))
        return lift_array(l, oop);
    if (is_binding(l, oop))
        return lift_text(l, LITERAL_VARIABLE, slot(oop, 0));
    if (has_slots(oop, 2) && is_a(l, oop, "ScaledDecimal"))
        return lift_scaled(l, oop);
    if (has_slots(oop, 2) && is_a(l, oop, "Fraction"))
        return lift_ratio(l, LITERAL_FRACTION, slot(oop, 0), slot(oop, 1));
    return refuse(l, "there is a literal that no text writes");
}

/* --- The literals that are not pushed --- */

static Literal *lift_pragma(Lifter *l, Oop oop)
{
    Oop arguments = slot(oop, 2);
    Literal *literal = lift_array(l, arguments);
    literal->kind = LITERAL_PRAGMA;
    literal->name = lift_text(l, LITERAL_SYMBOL, slot(oop, 1))->name;
    return literal;
}

/* {method. selector. pragmas and properties...} */
static Literal *lift_method_state(Lifter *l, Oop oop)
{
    Literal *literal = literal_new(l, LITERAL_METHOD_STATE);
    size_t count = object_slot_count(oop);
    literal->name = lift_text(l, LITERAL_SYMBOL, slot(oop, 1))->name;
    literal->elements = arena_alloc(l->arena, (count + 1) * sizeof(Literal *));
    for (size_t i = 2; i < count; i++) {
        Oop each = slot(oop, (Word)i);
        if (has_slots(each, 3) && is_code(slot(each, 0)) && is_symbol(l, slot(each, 1)) &&
            is_array(slot(each, 2)))
            literal->elements[literal->element_count++] = lift_pragma(l, each);
    }
    return literal;
}

/* The last literal of a method: an association with its class as the value. */
static Literal *lift_method_class(Lifter *l, Oop oop)
{
    Literal *literal = literal_new(l, LITERAL_METHOD_CLASS);
    if (has_slots(oop, 2) && has_slots(slot(oop, 1), 3))
        literal->name = class_name(l, slot(oop, 1));
    return literal;
}

static bool is_method_state(const Lifter *l, Oop oop)
{
    return has_slots(oop, 2) && !is_array(oop) && is_code(slot(oop, 0)) &&
           is_symbol(l, slot(oop, 1));
}

static Literal *lift_literal_at(Lifter *l, Oop code, size_t index, size_t count, bool is_block)
{
    Oop oop = slot(code, (Word)index + 1);
    bool last = index + 1 == count;
    if (is_block && last && is_code(oop))
        return literal_new(l, LITERAL_OUTER_CODE);
    if (!is_block && last && has_slots(oop, 2) && !is_array(oop))
        return lift_method_class(l, oop);
    if (!is_block && index + 2 == count && is_method_state(l, oop))
        return lift_method_state(l, oop);
    return lift_literal(l, oop);
}

/* --- Code --- */

/* Whose literals the verifier asks for. Blocks among them may run as machine code already. */
typedef struct {
    Vm *vm;
    Oop code;
} Owner;

static VerifyLiteral verify_literal(const void *owner, size_t index)
{
    const Owner *o = owner;
    Oop literal = slot(o->code, 1 + (Word)index);
    VerifyLiteral answer = {false, false, 0, 0};
    if (!is_object(literal))
        return answer;
    answer.has_value = has_slots(literal, 2);
    if (is_code(literal)) {
        SWord header = method_header(&o->vm->heap, literal);
        answer.is_code = true;
        answer.arg_count = (uint8_t)method_header_args(header);
        answer.temp_count = (uint8_t)method_header_temps(header);
    }
    return answer;
}

/* Are these bytes such as compilers leave behind code that never ends: the nil that would be a
 * loop's value, returns, jumps, pops? */
static bool is_dead_code(BytecodeSet set, const uint8_t *bytes, size_t from, size_t to)
{
    enum { LONGEST = 4 };
    Instruction i;
    for (size_t pc = from; pc < to; pc = i.next) {
        if (!bytecode_decode(set, bytes, to, pc, &i))
            return false;
        OperationKind kind = instruction_kind(&i);
        if (kind != KIND_RETURN && kind != KIND_BLOCK_RETURN && kind != KIND_JUMP &&
            i.op != OP_POP && i.op != OP_PUSH_NIL)
            return false;
    }
    return to - from <= LONGEST;
}

/* Where the bytecodes end: behind the last one that can be reached, or, where the trailer tells
 * and what lies between could be code, in front of the trailer. Four bytes behind the end are a
 * source pointer of the oldest kind, which nothing marks. */
static size_t bytecode_end(Lifter *l, const CompiledCode *code, const uint8_t *bytes, size_t count,
                           Oop oop)
{
    enum { OLD_TRAILER = 4 };
    const Owner owner = {l->vm, oop};
    VerifyView view = {
        .set = code->set,
        .bytes = bytes,
        .count = count,
        .arg_count = code->arg_count,
        .temp_count = code->temp_count,
        .literal_count = code->literal_count,
        .large_frame = code->large_frame,
        .trust_depth = true,
        .has_primitive = code->has_primitive,
        .small_integer_bits = WORD_BITS == 64 ? 61 : 31,
        .literal = verify_literal,
        .owner = &owner,
    };
    VerifyFacts facts;
    VerifyError error;
    size_t end = 0, before_trailer = count - trailer_length(bytes, count);
    unsigned primitive = count > 2 && code->has_primitive ? bytes[1] + 256u * bytes[2] : 0;
    if (primitive >= QUICK_FIRST && primitive <= QUICK_LAST)
        return before_trailer;
    if (!verify_code(&view, arena_alloc(l->arena, verify_scratch_size(count)), &facts, &error)) {
        refuse(l, "the verifier refuses it");
        return 0;
    }
    for (size_t pc = 0; pc < count;) {
        Instruction i;
        bool reached = facts.depths[pc] != DEPTH_UNREACHED &&
                       bytecode_decode(code->set, bytes, count, pc, &i);
        end = reached ? i.next : end;
        pc = reached ? i.next : pc + 1;
    }
    return before_trailer > end && count - end != OLD_TRAILER &&
                   is_dead_code(code->set, bytes, end, before_trailer)
               ? before_trailer
               : end;
}

static CompiledCode *lift(Lifter *l, Oop oop, bool is_block)
{
    CompiledCode *code = arena_alloc(l->arena, sizeof *code);
    SWord header = method_header(&l->vm->heap, oop);
    size_t begin = (1 + (size_t)method_header_literals(header)) * WORD_BYTES;
    const uint8_t *bytes = object_bytes(oop) + begin;
    size_t count = bits_byte_count(oop) - begin, length;
    code->set = method_header_is_sista(header) ? SET_SISTA : SET_V3;
    code->is_block = is_block;
    code->large_frame = method_header_large_frame(header);
    code->has_primitive = method_header_has_primitive(header);
    code->arg_count = method_header_args(header);
    code->temp_count = method_header_temps(header);
    code->flags = (unsigned)(header >> 28) & 3;
    code->literal_count = method_header_literals(header);
    code->literals = arena_alloc(l->arena, (code->literal_count + 1) * sizeof(Literal *));
    for (size_t i = 0; i < code->literal_count && !l->why; i++)
        code->literals[i] = lift_literal_at(l, oop, i, code->literal_count, is_block);
    if (l->why)
        return code;
    code->bytecode_count = bytecode_end(l, code, bytes, count, oop);
    code->bytecodes = bytes;
    code->trailer = bytes + code->bytecode_count;
    code->trailer_count = count - code->bytecode_count;
    const char *source = is_block ? NULL : trailer_source(bytes, count, &length);
    code->source = source ? arena_copy(l->arena, source, length) : NULL;
    return code;
}

static const char *selector_of(const CompiledCode *code)
{
    if (code->is_block || code->literal_count < 2)
        return NULL;
    const Literal *literal = code->literals[code->literal_count - 2];
    return literal->kind == LITERAL_SYMBOL || literal->kind == LITERAL_METHOD_STATE ? literal->name
                                                                                    : NULL;
}

static void set_class_name(CompiledCode *code, const char *name)
{
    code->class_name = name;
    for (size_t i = 0; i < code->literal_count; i++)
        if (code->literals[i]->kind == LITERAL_CODE)
            set_class_name(code->literals[i]->code_block, name);
}

CompiledCode *lift_code(Vm *vm, Arena *arena, Oop oop, const char **why)
{
    Lifter lifter = {.vm = vm, .arena = arena};
    SWord header = method_header(&vm->heap, oop);
    size_t literals = method_header_literals(header);
    bool is_block = literals && is_code(slot(oop, (Word)literals));
    CompiledCode *code = lift(&lifter, oop, is_block);
    *why = lifter.why;
    if (lifter.why)
        return NULL;
    code->selector = selector_of(code);
    if (!is_block && literals && code->literals[literals - 1]->kind == LITERAL_METHOD_CLASS)
        set_class_name(code, code->literals[literals - 1]->name);
    return code;
}

/* --- Classes --- */

static Oop super_of(Oop class)
{
    return slot(class, CLASS_SUPERCLASS);
}

static bool inherits_from(const Vm *vm, Oop class, Oop ancestor)
{
    for (unsigned i = 0; i < 1000 && has_slots(class, 3) && class != vm->heap.nil; i++) {
        if (class == ancestor)
            return true;
        class = super_of(class);
    }
    return false;
}

/* An Array of strings or symbols among the slots of a class: the names of its own instance
 * variables. Which slot it is, class Point tells. */
static Word names_slot(Vm *vm)
{
    Oop point = follow(heap_special(&vm->heap, SPECIAL_CLASS_POINT));
    for (Word i = CLASS_FORMAT + 1; has_slots(point, i + 1); i++) {
        Oop names = slot(point, i);
        if (is_array(names) && object_slot_count(names) == 2 &&
            is_object(slot(names, 0)) && format_is_bytes(object_format(slot(names, 0))) &&
            bits_byte_count(slot(names, 0)) == 1 && object_bytes(slot(names, 0))[0] == 'x')
            return i;
    }
    return 0;
}

static const char *instance_name(Vm *vm, CompileTools *tools, Oop class, Word where, size_t index)
{
    Lifter lifter = {.vm = vm, .arena = tools->arena};
    size_t inherited = 0, length;
    Oop super = super_of(class);
    if (has_slots(super, 3) && super != vm->heap.nil)
        inherited = class_format_fixed_fields(small_integer_value(slot(super, CLASS_FORMAT)));
    if (index < inherited)
        return instance_name(vm, tools, super, where, index);
    Oop names = where && has_slots(class, where + 1) ? slot(class, where) : vm->heap.nil;
    Oop name = is_array(names) && index - inherited < object_slot_count(names)
                   ? slot(names, (Word)(index - inherited))
                   : vm->heap.nil;
    if (!is_object(name) || !format_is_bytes(object_format(name)))
        return names_of(tools->names, arena_printf(tools->arena, "iv%zu", index));
    const char *text = text_of(&lifter, name, &length);
    return names_get(tools->names, text, length);
}

static bool every_name_is_bound(void *owner, const char *name)
{
    (void)owner, (void)name;
    return true;
}

ClassScope lift_class_scope(Vm *vm, CompileTools *tools, Oop class)
{
    char name[NAME_MAX_BYTES];
    Oop context = follow(heap_special(&vm->heap, SPECIAL_CLASS_CONTEXT));
    size_t count = class_format_fixed_fields(small_integer_value(slot(class, CLASS_FORMAT)));
    Word where = names_slot(vm);
    const char **names = arena_alloc(tools->arena, (count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = instance_name(vm, tools, class, where, i);
    vm_class_name(vm, class, name, sizeof name);
    return (ClassScope){
        .class_name = arena_copy(tools->arena, name, strlen(name)),
        .instance_names = names,
        .instance_count = count,
        .maybe_context =
            inherits_from(vm, class, context) || inherits_from(vm, context, class),
        .has_binding = every_name_is_bound,
    };
}
