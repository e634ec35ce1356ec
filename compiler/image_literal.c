/* Objects of an image that methods hold: strings and symbols, bindings, literals, code. */
#include "image_int.h"

#include <string.h>

#include "kernel/bytecode/trailer.h"
#include "number.h"

static Ref make_literal(Builder *b, ImageClass *owner, bool class_side, const Literal *literal,
                        Object *outer);

/* --- Strings and symbols --- */

/* UTF-8 to one byte (or, where a character needs it, four) per character. */
static Object *make_text(Builder *b, const uint8_t *bytes, size_t count, Role narrow, Role wide)
{
    uint32_t *codes = arena_alloc(b->arena, (count + 1) * sizeof *codes);
    size_t length = 0;
    uint32_t all = 0;
    for (size_t i = 0; i < count; length++) {
        i += utf8_decode((const char *)bytes + i, count - i, &codes[length]);
        all |= codes[length];
    }
    unsigned width = all > 255 && b->roles[wide] ? 4 : 1;
    uint8_t *text = arena_alloc(b->arena, width * length + 1);
    for (size_t i = 0; i < length; i++)
        for (unsigned j = 0; j < width; j++)
            text[width * i + j] =
                (uint8_t)(all > 255 && width == 1 && codes[i] > 255 ? '?' : codes[i] >> (8 * j));
    if (all > 255 && width == 1)
        diagnostics_error(b->program->tools->diagnostics,
                          source_new(b->arena, "(class library)", "", 0), 0, 0,
                          "the text '%.*s' needs a class %s, and there is none", (int)count,
                          (const char *)bytes, role_infos[wide].classes);
    return graph_bytes(&b->graph, image_role_index(b, width == 4 ? wide : narrow),
                       width == 4 ? FORMAT_WORDS : FORMAT_BYTES, text, width * length);
}

Object *image_make_symbol(Builder *b, const char *name)
{
    name = names_of(b->program->tools->names, name);
    Object *symbol = name_table_get(&b->symbols, name);
    if (symbol)
        return symbol;
    size_t length = strlen(name);
    symbol = make_text(b, (const uint8_t *)name, length, ROLE_SYMBOL, ROLE_WIDE_SYMBOL);
    uint64_t hash = bytes_hash(name, length);
    symbol->hash = (uint32_t)(hash ^ hash >> 22 ^ hash >> 44) & HASH_MASK;
    symbol->hash += symbol->hash == 0;
    name_table_put(&b->symbols, name, symbol);
    LIST_ADD(b->arena, b->symbol_list, symbol);
    return symbol;
}

Object *image_make_string(Builder *b, const char *text)
{
    return make_text(b, (const uint8_t *)text, strlen(text), ROLE_STRING, ROLE_WIDE_STRING);
}

/* --- Bindings --- */

static Object *make_association(Builder *b, Ref key, Ref value)
{
    Object *association = image_role_object(b, ROLE_ASSOCIATION, 0);
    association->slots[0] = key;
    association->slots[1] = value;
    return association;
}

Object *image_global_binding(Builder *b, const char *name)
{
    name = names_of(b->program->tools->names, name);
    const ClassModel *class_model = name_table_get(&b->program->by_name, name);
    if (class_model)
        name = class_model->name; /* which may have lost a prefix */
    Object *binding = name_table_get(&b->globals, name);
    if (binding)
        return binding;
    binding = make_association(b, ref_object(image_make_symbol(b, name)), ref_object(b->graph.nil));
    name_table_put(&b->globals, name, binding);
    LIST_ADD(b->arena, b->global_list, binding);
    return binding;
}

Object *image_class_variable_binding(Builder *b, ImageClass *owner, const char *name)
{
    Object *binding = name_table_get(&owner->variables, name);
    if (!binding) {
        binding =
            make_association(b, ref_object(image_make_symbol(b, name)), ref_object(b->graph.nil));
        name_table_put(&owner->variables, name, binding);
    }
    return binding;
}

static Object *variable_binding(Builder *b, const ImageClass *seen_from, const char *name)
{
    ClassModel *owner =
        seen_from ? program_find_class_variable(b->program, seen_from->model, name) : NULL;
    return owner ? image_class_variable_binding(b, image_class(b, owner), name)
                 : image_global_binding(b, name);
}

static Object *class_binding(Builder *b, ImageClass *owner, bool class_side)
{
    if (!class_side)
        return owner->binding;
    if (!owner->meta_binding)
        owner->meta_binding =
            make_association(b, ref_object(b->graph.nil), ref_object(owner->sides[1]));
    return owner->meta_binding;
}

/* A dictionary in the form of tally and an array of associations, open addressing by hash. */
Object *image_make_dictionary(Builder *b, Role role, Object **associations, size_t count)
{
    size_t capacity = 4;
    while (capacity * 3 < count * 4 + 4)
        capacity *= 2;
    Object *dictionary = image_role_object(b, role, 0), *array = image_make_array(b, capacity);
    for (size_t i = 0; i < count; i++) {
        size_t at = associations[i]->slots[0].object->hash % capacity;
        while (array->slots[at].object != b->graph.nil)
            at = (at + 1) % capacity;
        array->slots[at] = ref_object(associations[i]);
    }
    image_role_set(b, role, dictionary, "tally", ref_integer(&b->graph, (int64_t)count));
    image_role_set(b, role, dictionary, "array", ref_object(array));
    return dictionary;
}

/* --- Literals --- */

static Ref make_integer(Builder *b, const Literal *literal)
{
    int64_t value;
    if (literal_get_integer(literal, &value) && integer_fits(&b->graph, value))
        return ref_integer(&b->graph, value);
    return ref_object(graph_bytes(
        &b->graph,
        image_role_index(b, literal->negative ? ROLE_LARGE_NEGATIVE : ROLE_LARGE_POSITIVE),
        FORMAT_BYTES, literal->bytes, literal->byte_count));
}

static Ref make_float(Builder *b, double value)
{
    Ref ref;
    if (b->roles[ROLE_SMALL_FLOAT] && ref_float(&b->graph, value, &ref))
        return ref;
    uint64_t bits;
    uint8_t *bytes = arena_alloc(b->arena, 8);
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(bits >> (8 * i));
    return ref_object(
        graph_bytes(&b->graph, image_role_index(b, ROLE_FLOAT), FORMAT_WORDS, bytes, 8));
}

/* Said once for each role. */
static Ref missing_class(Builder *b, Role role)
{
    if (b->missing[role])
        return ref_object(b->graph.nil);
    b->missing[role] = true;
    diagnostics_error(b->program->tools->diagnostics,
                      source_new(b->arena, "(class library)", "", 0), 0, 0,
                      "a literal needs a class %s, and there is none", role_infos[role].classes);
    return ref_object(b->graph.nil);
}

static Ref make_fraction(Builder *b, const Literal *literal)
{
    if (!b->roles[ROLE_FRACTION])
        return missing_class(b, ROLE_FRACTION);
    Object *fraction = image_role_object(b, ROLE_FRACTION, 0);
    image_role_set(b, ROLE_FRACTION, fraction, "numerator", make_integer(b, literal->elements[0]));
    image_role_set(b, ROLE_FRACTION, fraction, "denominator",
                   make_integer(b, literal->elements[1]));
    return ref_object(fraction);
}

static Ref make_scaled(Builder *b, const Literal *literal)
{
    if (!b->roles[ROLE_SCALED_DECIMAL])
        return missing_class(b, ROLE_SCALED_DECIMAL);
    Object *scaled = image_role_object(b, ROLE_SCALED_DECIMAL, 0);
    int64_t one;
    bool is_whole = literal_get_integer(literal->elements[1], &one) && one == 1;
    image_role_set(b, ROLE_SCALED_DECIMAL, scaled, "fraction",
             is_whole ? make_integer(b, literal->elements[0]) : make_fraction(b, literal));
    image_role_set(b, ROLE_SCALED_DECIMAL, scaled, "scale", ref_integer(&b->graph, literal->scale));
    return ref_object(scaled);
}

static Ref make_pragma(Builder *b, ImageClass *owner, bool class_side, const Literal *literal,
                       Object *method)
{
    if (!b->roles[ROLE_PRAGMA])
        return missing_class(b, ROLE_PRAGMA);
    Object *pragma = image_role_object(b, ROLE_PRAGMA, 0),
           *arguments = image_make_array(b, literal->element_count);
    for (size_t i = 0; i < literal->element_count; i++)
        arguments->slots[i] = make_literal(b, owner, class_side, literal->elements[i], method);
    image_role_set(b, ROLE_PRAGMA, pragma, "method", ref_object(method));
    image_role_set(b, ROLE_PRAGMA, pragma, "keyword selector",
                   ref_object(image_make_symbol(b, literal->name)));
    image_role_set(b, ROLE_PRAGMA, pragma, "arguments", ref_object(arguments));
    return ref_object(pragma);
}

/* The word that tells the VM of a C type: the code of an atomic one and its size, flags for
 * pointers and structures. */
static uint32_t type_spec(const char *name, uint32_t pointer_size)
{
    enum { STRUCTURE = 0x10000, POINTER = 0x20000, ATOMIC = 0x40000, CODE_SHIFT = 24 };
    static const struct {
        const char *name;
        uint32_t code, size;
    } types[] = {
        {"void", 0, 0},      {"bool", 1, 1},       {"byte", 2, 1},      {"uint8_t", 2, 1},
        {"sbyte", 3, 1},     {"int8_t", 3, 1},     {"ushort", 4, 2},    {"uint16_t", 4, 2},
        {"short", 5, 2},     {"int16_t", 5, 2},    {"ulong", 6, 4},     {"uint32_t", 6, 4},
        {"uint", 6, 4},      {"long", 7, 4},       {"int32_t", 7, 4},   {"int", 7, 4},
        {"ulonglong", 8, 8}, {"uint64_t", 8, 8},   {"longlong", 9, 8},  {"int64_t", 9, 8},
        {"size_t", 8, 8},    {"char", 10, 1},      {"schar", 11, 1},    {"float", 12, 4},
        {"double", 13, 8},   {"char16_t", 14, 2},  {"char32_t", 15, 4},
    };
    enum { COUNT = sizeof types / sizeof types[0] };
    size_t length = strcspn(name, "*"), i = 0;
    while (i < COUNT && (strlen(types[i].name) != length ||
                         strncmp(types[i].name, name, length) != 0))
        i++;
    uint32_t kind = i < COUNT ? ATOMIC | types[i].code << CODE_SHIFT : STRUCTURE;
    return name[length] ? kind | POINTER | pointer_size : kind | (i < COUNT ? types[i].size : 0);
}

/* An ExternalType, where the library has that class; else the name. */
static Ref make_type(Builder *b, const Literal *name)
{
    if (!b->roles[ROLE_EXTERNAL_TYPE] || !b->roles[ROLE_WORD_ARRAY])
        return ref_object(image_make_symbol(b, name->name));
    uint32_t spec = type_spec(name->name, b->options->bits / 8);
    uint8_t *bytes = arena_alloc(b->arena, 4);
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(spec >> (8 * i));
    Object *type = image_role_object(b, ROLE_EXTERNAL_TYPE, 0);
    image_role_set(b, ROLE_EXTERNAL_TYPE, type, "compiledSpec",
                   ref_object(graph_bytes(&b->graph, image_role_index(b, ROLE_WORD_ARRAY),
                                          FORMAT_WORDS, bytes, 4)));
    const char *structure =
        names_get(b->program->tools->names, name->name, strcspn(name->name, "*"));
    const ImageClass *referent = name_table_get(&b->by_model, structure);
    if (referent)
        image_role_set(b, ROLE_EXTERNAL_TYPE, type, "referentClass",
                       ref_object(referent->sides[0]));
    return ref_object(type);
}

static Ref make_function(Builder *b, const Literal *literal)
{
    enum { FLAGS, MODULE, TYPES };
    const Role role = ROLE_EXTERNAL_LIBRARY_FUNCTION;
    if (!b->roles[role])
        return missing_class(b, role);
    Object *function = image_role_object(b, role, 0),
           *types = image_make_array(b, literal->element_count - TYPES);
    for (size_t i = TYPES; i < literal->element_count; i++)
        types->slots[i - TYPES] = make_type(b, literal->elements[i]);
    const Literal *module = literal->elements[MODULE];
    image_role_set(b, role, function, "flags", make_integer(b, literal->elements[FLAGS]));
    image_role_set(b, role, function, "argTypes", ref_object(types));
    image_role_set(b, role, function, "name", ref_object(image_make_symbol(b, literal->name)));
    if (module->kind == LITERAL_SYMBOL)
        image_role_set(b, role, function, "module",
                       ref_object(image_make_symbol(b, module->name)));
    return ref_object(function);
}

/* Where the library has no class for it a method keeps only its selector. */
static Ref make_method_state(Builder *b, ImageClass *owner, bool class_side, const Literal *literal,
                             Object *method)
{
    Ref selector = ref_object(image_make_symbol(b, literal->name));
    if (!b->roles[ROLE_METHOD_STATE] || !b->roles[ROLE_PRAGMA])
        return selector;
    Object *state = image_role_object(b, ROLE_METHOD_STATE, literal->element_count);
    image_role_set(b, ROLE_METHOD_STATE, state, "method", ref_object(method));
    image_role_set(b, ROLE_METHOD_STATE, state, "selector", selector);
    size_t fixed = image_instance_size(b->roles[ROLE_METHOD_STATE], 0);
    for (size_t i = 0; i < literal->element_count; i++)
        state->slots[fixed + i] = make_pragma(b, owner, class_side, literal->elements[i], method);
    return ref_object(state);
}

/* --- Methods --- */

static int64_t code_header(const Builder *b, const CompiledCode *code)
{
    int64_t header = code_header_fields(code);
    if (code->set == SET_SISTA)
        header -= INT64_C(1) << (b->graph.word_bytes == 8 ? 60 : 30);
    else if (b->graph.word_bytes == 4)
        header &= 0x3FFFFFFF;
    return header;
}

Object *image_make_code(Builder *b, ImageClass *owner, bool class_side, const CompiledCode *code,
                         Object *outer)
{
    Role role = code->is_block ? ROLE_COMPILED_BLOCK : ROLE_COMPILED_METHOD;
    if (!b->roles[role])
        return missing_class(b, role).object;
    Object *object =
        graph_object(&b->graph, image_role_index(b, role), FORMAT_CODE, code->literal_count + 1);
    size_t trailer_count;
    const uint8_t *trailer = trailer_of_source(
        b->arena, code->is_block || b->options->drop_sources ? NULL : code->source, &trailer_count);
    uint8_t *bytes = arena_alloc(b->arena, code->bytecode_count + trailer_count);
    memcpy(bytes, code->bytecodes, code->bytecode_count);
    memcpy(bytes + code->bytecode_count, trailer, trailer_count);
    object->bytes = bytes;
    object->byte_count = code->bytecode_count + trailer_count;
    object->slots[0] = ref_integer(&b->graph, code_header(b, code));
    for (size_t i = 0; i < code->literal_count; i++)
        object->slots[i + 1] = code->literals[i]->kind == LITERAL_OUTER_CODE
                                   ? ref_object(outer)
                                   : make_literal(b, owner, class_side, code->literals[i], object);
    return object;
}

static Ref make_literal(Builder *b, ImageClass *owner, bool class_side, const Literal *literal,
                        Object *outer)
{
    switch (literal->kind) {
    case LITERAL_NIL: return ref_object(b->graph.nil);
    case LITERAL_TRUE: return ref_object(b->true_object);
    case LITERAL_FALSE: return ref_object(b->false_object);
    case LITERAL_INTEGER: return make_integer(b, literal);
    case LITERAL_FLOAT: return make_float(b, literal->real);
    case LITERAL_SCALED: return make_scaled(b, literal);
    case LITERAL_FRACTION: return make_fraction(b, literal);
    case LITERAL_CHARACTER: return ref_character(&b->graph, literal->code);
    case LITERAL_STRING:
        return ref_object(
            make_text(b, literal->bytes, literal->byte_count, ROLE_STRING, ROLE_WIDE_STRING));
    case LITERAL_SYMBOL: return ref_object(image_make_symbol(b, literal->name));
    case LITERAL_BYTE_ARRAY:
        return ref_object(graph_bytes(&b->graph, image_role_index(b, ROLE_BYTE_ARRAY), FORMAT_BYTES,
                                      literal->bytes, literal->byte_count));
    case LITERAL_ARRAY: {
        Object *array = image_make_array(b, literal->element_count);
        for (size_t i = 0; i < literal->element_count; i++)
            array->slots[i] = make_literal(b, owner, class_side, literal->elements[i], outer);
        return ref_object(array);
    }
    case LITERAL_VARIABLE: return ref_object(variable_binding(b, owner, literal->name));
    case LITERAL_METHOD_CLASS: return ref_object(class_binding(b, owner, class_side));
    case LITERAL_CODE:
        return ref_object(image_make_code(b, owner, class_side, literal->code_block, outer));
    case LITERAL_OUTER_CODE: return ref_object(outer);
    case LITERAL_METHOD_STATE: return make_method_state(b, owner, class_side, literal, outer);
    case LITERAL_FUNCTION: return make_function(b, literal);
    case LITERAL_PRAGMA: return make_pragma(b, owner, class_side, literal, outer);
    }
    return ref_object(b->graph.nil);
}

