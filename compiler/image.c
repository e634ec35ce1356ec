/* What an image consists of beyond the classes of the program:
 *
 *   nil false true freeLists hiddenRoots | class table pages | everything else
 *
 * Classes without an index the VM knows get one from the second page on, in the
 * order of the program (superclasses first, then by name), each followed by its
 * metaclass; a class's identity hash is its index. Symbols hash by their bytes,
 * so method dictionaries need no rehashing and files do not depend on anything
 * but the program.
 */
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "kernel/bytecode/opcodes.h"
#include "kernel/bytecode/trailer.h"
#include "list.h"
#include "number.h"
#include "roles.h"

enum {
    HIDDEN_ROOT_SLOTS = 4104,
    PAGE_ENTRIES = 1024,
    PUN_ARRAY = 16,
    PUN_WORDS = 18,
    PUN_LONGS = 19,
    SPECIAL_OBJECTS = 60,
    PRIORITIES = 80,
    USER_PRIORITY = 40,
    CONTEXT_FIXED_SLOTS = 6,
    SMALL_CONTEXT = 16,
    LARGE_CONTEXT = 56,
    HASH_MASK = 0x3FFFFF,
};

typedef struct {
    ClassModel *model;
    Object *sides[2];     /* the class and its metaclass */
    uint32_t index[2];    /* in the class table */
    Object *binding;      /* the association of its name */
    Object *meta_binding; /* the association nil -> metaclass of class-side methods */
    NameTable variables;  /* class variable -> its association */
    Object *pool;         /* the dictionary of class variables */
} ImageClass;

typedef struct {
    Program *program;
    const ImageOptions *options;
    Arena *arena;
    Graph graph;
    ClassModel *roles[ROLE_COUNT];
    bool missing[ROLE_COUNT]; /* it was said that a literal needs it */
    ImageClass *classes; /* parallel to the program's */
    NameTable by_model;  /* class name -> ImageClass */
    NameTable symbols;   /* name -> Object */
    struct {
        Object **items;
        size_t count, capacity;
    } symbol_list;
    NameTable globals; /* name -> association */
    struct {
        Object **items;
        size_t count, capacity;
    } global_list;
    Object *false_object, *true_object, *hidden_roots, *page0;
    Object *scheduler_binding;
    Object *special_objects;
} Builder;

static Ref make_literal(Builder *b, ImageClass *owner, bool class_side, const Literal *literal,
                        Object *outer);

/* --- Classes --- */

static ImageClass *image_class(const Builder *b, const ClassModel *model)
{
    return model ? name_table_get(&b->by_model, model->name) : NULL;
}

static ImageClass *role_class(const Builder *b, Role role)
{
    return image_class(b, b->roles[role]);
}

/* The class table index of a role's class; roles that are not required are asked for first. */
static uint32_t role_index(const Builder *b, Role role)
{
    const ImageClass *found = role_class(b, role);
    return found ? found->index[0] : 0;
}

static size_t instance_size(const ClassModel *model, int side)
{
    return model->all_instance_names[side].count;
}

/* Stores into the instance variable with one of the names (separated by blanks); false: has none.
 */
static bool object_set(const ClassModel *model, int side, Object *object, const char *names,
                       Ref value)
{
    const NameList *list = &model->all_instance_names[side];
    for (size_t i = 0; i < list->count; i++) {
        size_t length = strlen(list->items[i]);
        for (const char *at = names; (at = strstr(at, list->items[i])); at++)
            if ((at == names || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
                object->slots[i] = value;
                return true;
            }
    }
    return false;
}

static Object *role_object(Builder *b, Role role, size_t indexed)
{
    ClassModel *model = b->roles[role];
    size_t fixed = instance_size(model, 0);
    uint8_t format = model->shape == SHAPE_VARIABLE
                         ? (fixed ? FORMAT_INDEXED_FIXED : FORMAT_INDEXED)
                     : fixed ? FORMAT_FIXED
                             : FORMAT_EMPTY;
    return graph_object(&b->graph, role_index(b, role), format, fixed + indexed);
}

static Object *make_array(Builder *b, size_t count)
{
    return graph_object(&b->graph, role_index(b, ROLE_ARRAY), FORMAT_INDEXED, count);
}

static void role_set(Builder *b, Role role, Object *object, const char *names, Ref value)
{
    object_set(b->roles[role], 0, object, names, value);
}

static unsigned instance_format(const ClassModel *model)
{
    static const unsigned formats[] = {
        [SHAPE_NORMAL] = 1,    [SHAPE_VARIABLE] = 3,     [SHAPE_WEAK] = 4,
        [SHAPE_EPHEMERON] = 5, [SHAPE_BYTES] = 16,       [SHAPE_DOUBLE_BYTES] = 12,
        [SHAPE_WORDS] = 10,    [SHAPE_DOUBLE_WORDS] = 9, [SHAPE_COMPILED_CODE] = 24,
        [SHAPE_IMMEDIATE] = 7,
    };
    unsigned format = formats[model->shape];
    if (instance_size(model, 0) == 0 &&
        (model->shape == SHAPE_NORMAL || model->shape == SHAPE_VARIABLE))
        format--; /* 0: nothing; 2: only indexed */
    return format;
}

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
    return graph_bytes(&b->graph, role_index(b, width == 4 ? wide : narrow),
                       width == 4 ? FORMAT_WORDS : FORMAT_BYTES, text, width * length);
}

static Object *make_symbol(Builder *b, const char *name)
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

static Object *make_string(Builder *b, const char *text)
{
    return make_text(b, (const uint8_t *)text, strlen(text), ROLE_STRING, ROLE_WIDE_STRING);
}

/* --- Bindings --- */

static Object *make_association(Builder *b, Ref key, Ref value)
{
    Object *association = role_object(b, ROLE_ASSOCIATION, 0);
    association->slots[0] = key;
    association->slots[1] = value;
    return association;
}

static Object *global_binding(Builder *b, const char *name)
{
    name = names_of(b->program->tools->names, name);
    const ClassModel *class_model = name_table_get(&b->program->by_name, name);
    if (class_model)
        name = class_model->name; /* which may have lost a prefix */
    Object *binding = name_table_get(&b->globals, name);
    if (binding)
        return binding;
    binding = make_association(b, ref_object(make_symbol(b, name)), ref_object(b->graph.nil));
    name_table_put(&b->globals, name, binding);
    LIST_ADD(b->arena, b->global_list, binding);
    return binding;
}

static Object *class_variable_binding(Builder *b, ImageClass *owner, const char *name)
{
    Object *binding = name_table_get(&owner->variables, name);
    if (!binding) {
        binding = make_association(b, ref_object(make_symbol(b, name)), ref_object(b->graph.nil));
        name_table_put(&owner->variables, name, binding);
    }
    return binding;
}

static Object *variable_binding(Builder *b, const ImageClass *seen_from, const char *name)
{
    ClassModel *owner =
        seen_from ? program_find_class_variable(b->program, seen_from->model, name) : NULL;
    return owner ? class_variable_binding(b, image_class(b, owner), name) : global_binding(b, name);
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
static Object *make_dictionary(Builder *b, Role role, Object **associations, size_t count)
{
    size_t capacity = 4;
    while (capacity * 3 < count * 4 + 4)
        capacity *= 2;
    Object *dictionary = role_object(b, role, 0), *array = make_array(b, capacity);
    for (size_t i = 0; i < count; i++) {
        size_t at = associations[i]->slots[0].object->hash % capacity;
        while (array->slots[at].object != b->graph.nil)
            at = (at + 1) % capacity;
        array->slots[at] = ref_object(associations[i]);
    }
    role_set(b, role, dictionary, "tally", ref_integer(&b->graph, (int64_t)count));
    role_set(b, role, dictionary, "array", ref_object(array));
    return dictionary;
}

/* --- Literals --- */

static Ref make_integer(Builder *b, const Literal *literal)
{
    int64_t value;
    if (literal_get_integer(literal, &value) && integer_fits(&b->graph, value))
        return ref_integer(&b->graph, value);
    return ref_object(graph_bytes(
        &b->graph, role_index(b, literal->negative ? ROLE_LARGE_NEGATIVE : ROLE_LARGE_POSITIVE),
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
    return ref_object(graph_bytes(&b->graph, role_index(b, ROLE_FLOAT), FORMAT_WORDS, bytes, 8));
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
    Object *fraction = role_object(b, ROLE_FRACTION, 0);
    role_set(b, ROLE_FRACTION, fraction, "numerator", make_integer(b, literal->elements[0]));
    role_set(b, ROLE_FRACTION, fraction, "denominator", make_integer(b, literal->elements[1]));
    return ref_object(fraction);
}

static Ref make_scaled(Builder *b, const Literal *literal)
{
    if (!b->roles[ROLE_SCALED_DECIMAL])
        return missing_class(b, ROLE_SCALED_DECIMAL);
    Object *scaled = role_object(b, ROLE_SCALED_DECIMAL, 0);
    int64_t one;
    bool is_whole = literal_get_integer(literal->elements[1], &one) && one == 1;
    role_set(b, ROLE_SCALED_DECIMAL, scaled, "fraction",
             is_whole ? make_integer(b, literal->elements[0]) : make_fraction(b, literal));
    role_set(b, ROLE_SCALED_DECIMAL, scaled, "scale", ref_integer(&b->graph, literal->scale));
    return ref_object(scaled);
}

static Ref make_pragma(Builder *b, ImageClass *owner, bool class_side, const Literal *literal,
                       Object *method)
{
    if (!b->roles[ROLE_PRAGMA])
        return missing_class(b, ROLE_PRAGMA);
    Object *pragma = role_object(b, ROLE_PRAGMA, 0),
           *arguments = make_array(b, literal->element_count);
    for (size_t i = 0; i < literal->element_count; i++)
        arguments->slots[i] = make_literal(b, owner, class_side, literal->elements[i], method);
    role_set(b, ROLE_PRAGMA, pragma, "method", ref_object(method));
    role_set(b, ROLE_PRAGMA, pragma, "keyword selector", ref_object(make_symbol(b, literal->name)));
    role_set(b, ROLE_PRAGMA, pragma, "arguments", ref_object(arguments));
    return ref_object(pragma);
}

/* Where the library has no class for it a method keeps only its selector. */
static Ref make_method_state(Builder *b, ImageClass *owner, bool class_side, const Literal *literal,
                             Object *method)
{
    Ref selector = ref_object(make_symbol(b, literal->name));
    if (!b->roles[ROLE_METHOD_STATE] || !b->roles[ROLE_PRAGMA])
        return selector;
    Object *state = role_object(b, ROLE_METHOD_STATE, literal->element_count);
    role_set(b, ROLE_METHOD_STATE, state, "method", ref_object(method));
    role_set(b, ROLE_METHOD_STATE, state, "selector", selector);
    size_t fixed = instance_size(b->roles[ROLE_METHOD_STATE], 0);
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

static Object *make_code(Builder *b, ImageClass *owner, bool class_side, const CompiledCode *code,
                         Object *outer)
{
    Role role = code->is_block ? ROLE_COMPILED_BLOCK : ROLE_COMPILED_METHOD;
    if (!b->roles[role])
        return missing_class(b, role).object;
    Object *object =
        graph_object(&b->graph, role_index(b, role), FORMAT_CODE, code->literal_count + 1);
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
    case LITERAL_SYMBOL: return ref_object(make_symbol(b, literal->name));
    case LITERAL_BYTE_ARRAY:
        return ref_object(graph_bytes(&b->graph, role_index(b, ROLE_BYTE_ARRAY), FORMAT_BYTES,
                                      literal->bytes, literal->byte_count));
    case LITERAL_ARRAY: {
        Object *array = make_array(b, literal->element_count);
        for (size_t i = 0; i < literal->element_count; i++)
            array->slots[i] = make_literal(b, owner, class_side, literal->elements[i], outer);
        return ref_object(array);
    }
    case LITERAL_VARIABLE: return ref_object(variable_binding(b, owner, literal->name));
    case LITERAL_METHOD_CLASS: return ref_object(class_binding(b, owner, class_side));
    case LITERAL_CODE:
        return ref_object(make_code(b, owner, class_side, literal->code_block, outer));
    case LITERAL_OUTER_CODE: return ref_object(outer);
    case LITERAL_METHOD_STATE: return make_method_state(b, owner, class_side, literal, outer);
    case LITERAL_PRAGMA: return make_pragma(b, owner, class_side, literal, outer);
    }
    return ref_object(b->graph.nil);
}

/* --- Making classes --- */

static void give_indices(Builder *b)
{
    size_t count = b->program->classes.count;
    b->classes = arena_alloc(b->arena, (count + 1) * sizeof *b->classes);
    name_table_init(&b->by_model, b->arena);
    for (size_t i = 0; i < count; i++) {
        b->classes[i].model = b->program->classes.items[i];
        name_table_init(&b->classes[i].variables, b->arena);
        name_table_put(&b->by_model, b->classes[i].model->name, &b->classes[i]);
    }
    for (int role = 0; role < ROLE_COUNT; role++)
        if (b->roles[role] && role_infos[role].index)
            role_class(b, role)->index[0] = role_infos[role].index;
    uint32_t next = PAGE_ENTRIES;
    for (size_t i = 0; i < count; i++) {
        if (!b->classes[i].index[0])
            b->classes[i].index[0] = next++;
        b->classes[i].index[1] = next++;
    }
}

static void make_first_objects(Builder *b)
{
    bool wide = b->graph.word_bytes == 8;
    b->graph.nil = graph_object(&b->graph, role_index(b, ROLE_UNDEFINED), FORMAT_EMPTY, 0);
    b->false_object = graph_object(&b->graph, role_index(b, ROLE_FALSE), FORMAT_EMPTY, 0);
    b->true_object = graph_object(&b->graph, role_index(b, ROLE_TRUE), FORMAT_EMPTY, 0);
    size_t free_lists = wide ? 64 * 8 : 32 * 4;
    graph_bytes(&b->graph, wide ? PUN_LONGS : PUN_WORDS, wide ? FORMAT_LONGS : FORMAT_WORDS,
                arena_alloc(b->arena, free_lists), free_lists);
    b->hidden_roots = graph_object(&b->graph, PUN_ARRAY, FORMAT_INDEXED, HIDDEN_ROOT_SLOTS);
}

static void make_class_objects(Builder *b)
{
    uint32_t metaclass = role_index(b, ROLE_METACLASS);
    for (size_t i = 0; i < b->program->classes.count; i++) {
        ImageClass *each = &b->classes[i];
        each->sides[0] =
            graph_object(&b->graph, each->index[1], FORMAT_FIXED, instance_size(each->model, 1));
        each->sides[1] = graph_object(&b->graph, metaclass, FORMAT_FIXED,
                                      instance_size(b->roles[ROLE_METACLASS], 0));
        for (int side = 0; side < 2; side++)
            each->sides[side]->hash = each->index[side];
    }
}

static void table_set(Builder *b, uint32_t index, Object *class_object)
{
    b->hidden_roots->slots[index / PAGE_ENTRIES].object->slots[index % PAGE_ENTRIES] =
        ref_object(class_object);
}

static void make_class_table(Builder *b)
{
    uint32_t last = PAGE_ENTRIES;
    size_t count = b->program->classes.count;
    for (size_t i = 0; i < count; i++)
        if (b->classes[i].index[1] > last)
            last = b->classes[i].index[1];
    for (uint32_t page = 0; page <= last / PAGE_ENTRIES; page++)
        b->hidden_roots->slots[page] =
            ref_object(graph_object(&b->graph, PUN_ARRAY, FORMAT_INDEXED, PAGE_ENTRIES));
    for (size_t i = 0; i < count; i++)
        for (int side = 0; side < 2; side++)
            table_set(b, b->classes[i].index[side], b->classes[i].sides[side]);
    table_set(b, PUN_ARRAY, role_class(b, ROLE_ARRAY)->sides[0]);
    if (b->graph.word_bytes == 4)
        table_set(b, 3, role_class(b, ROLE_SMALL_INTEGER)->sides[0]);
}

static Object *make_name_array(Builder *b, const NameList *names)
{
    if (names->count == 0)
        return b->graph.nil;
    Object *array = make_array(b, names->count);
    for (size_t i = 0; i < names->count; i++)
        array->slots[i] = ref_object(make_string(b, names->items[i]));
    return array;
}

static Object *make_class_pool(Builder *b, ImageClass *owner)
{
    size_t count = owner->model->class_variables.count;
    if (!b->roles[ROLE_CLASS_POOL] || count == 0)
        return b->graph.nil;
    Object **associations = arena_alloc(b->arena, count * sizeof *associations);
    for (size_t i = 0; i < count; i++)
        associations[i] = class_variable_binding(b, owner, owner->model->class_variables.items[i]);
    return make_dictionary(b, ROLE_CLASS_POOL, associations, count);
}

static Object *make_subclasses(Builder *b, const ClassModel *model)
{
    size_t count = 0;
    for (size_t i = 0; i < b->program->classes.count; i++)
        count += b->classes[i].model->superclass == model;
    if (count == 0)
        return b->graph.nil;
    Object *array = make_array(b, count);
    count = 0;
    for (size_t i = 0; i < b->program->classes.count; i++)
        if (b->classes[i].model->superclass == model)
            array->slots[count++] = ref_object(b->classes[i].sides[0]);
    return array;
}

static Object *make_method_dictionary(Builder *b, ImageClass *owner, bool class_side)
{
    const MethodList *methods = &owner->model->methods[class_side];
    size_t capacity = 1;
    while (capacity * 3 < methods->count * 4)
        capacity *= 2;
    Object *array = make_array(b, capacity),
           *dictionary = role_object(b, ROLE_METHOD_DICTIONARY, capacity);
    dictionary->slots[0] = ref_integer(&b->graph, (int64_t)methods->count);
    dictionary->slots[1] = ref_object(array);
    size_t fixed = instance_size(b->roles[ROLE_METHOD_DICTIONARY], 0);
    for (size_t i = 0; i < methods->count; i++) {
        const MethodModel *method = methods->items[i];
        if (!method->code)
            continue;
        Object *selector = make_symbol(b, method->code->selector);
        size_t at = selector->hash & (capacity - 1);
        while (dictionary->slots[fixed + at].object != b->graph.nil)
            at = (at + 1) & (capacity - 1);
        dictionary->slots[fixed + at] = ref_object(selector);
        array->slots[at] = ref_object(make_code(b, owner, class_side, method->code, NULL));
    }
    return dictionary;
}

/* Selectors and the protocols of their methods, alternating. */
static Object *make_protocols(Builder *b, const MethodList *methods)
{
    Object *array = make_array(b, 2 * methods->count);
    size_t count = 0;
    for (size_t i = 0; i < methods->count; i++) {
        const MethodModel *method = methods->items[i];
        if (!method->code || !method->category)
            continue;
        array->slots[count++] = ref_object(make_symbol(b, method->code->selector));
        array->slots[count++] = ref_object(make_symbol(b, method->category));
    }
    return array;
}

static Object *make_pools(Builder *b, const ClassModel *model)
{
    if (model->pools.count == 0)
        return b->graph.nil;
    Object *array = make_array(b, model->pools.count);
    for (size_t i = 0; i < model->pools.count; i++) {
        const ImageClass *pool = name_table_get(&b->by_model, model->pools.items[i]);
        if (pool)
            array->slots[i] = ref_object(pool->sides[0]);
    }
    return array;
}

static int64_t class_format(const ClassModel *model, int side)
{
    return side ? (int64_t)instance_size(model, 1) | 1 << 16
                : (int64_t)instance_size(model, 0) | (int64_t)instance_format(model) << 16;
}

static void fill_side(Builder *b, ImageClass *each, int side)
{
    const ClassModel *layout = side ? b->roles[ROLE_METACLASS] : each->model;
    int layout_side = side ? 0 : 1;
    Object *object = each->sides[side];
    ImageClass *super = image_class(b, each->model->superclass);
    Object *superclass = super  ? super->sides[side]
                         : side ? role_class(b, ROLE_CLASS)->sides[0]
                                : b->graph.nil;
    object->slots[0] = ref_object(superclass);
    object->slots[1] = ref_object(make_method_dictionary(b, each, side));
    object->slots[2] = ref_integer(&b->graph, class_format(each->model, side));
    const NameList *names =
        side ? &each->model->class_instance_names : &each->model->instance_names;
    object_set(layout, layout_side, object, "instanceVariables instanceVariableNames",
               ref_object(make_name_array(b, names)));
    object_set(layout, layout_side, object, "protocols",
               ref_object(make_protocols(b, &each->model->methods[side])));
    object_set(layout, layout_side, object, "thisClass soleInstance", ref_object(each->sides[0]));
}

static void fill_class(Builder *b, ImageClass *each)
{
    Object *object = each->sides[0];
    const ClassModel *model = each->model;
    fill_side(b, each, 0);
    fill_side(b, each, 1);
    object_set(model, 1, object, "name", ref_object(make_symbol(b, model->name)));
    object_set(model, 1, object, "classPool", ref_object(make_class_pool(b, each)));
    object_set(model, 1, object, "sharedPools", ref_object(make_pools(b, model)));
    object_set(model, 1, object, "subclasses", ref_object(make_subclasses(b, model)));
    if (model->category)
        object_set(model, 1, object, "category", ref_object(make_symbol(b, model->category)));
    if (model->comment)
        object_set(model, 1, object, "comment", ref_object(make_string(b, model->comment)));
}

/* --- Special objects --- */

static Object *make_special_selectors(Builder *b)
{
    Object *array = make_array(b, 2 * SPECIAL_SELECTOR_COUNT);
    for (int i = 0; i < SPECIAL_SELECTOR_COUNT; i++) {
        array->slots[2 * i] = ref_object(make_symbol(b, special_selectors[i].name));
        array->slots[2 * i + 1] = ref_integer(&b->graph, special_selectors[i].arguments);
    }
    return array;
}

static Object *make_error_table(Builder *b)
{
    static const char *const errors[] = {
        NULL,
        "bad receiver",
        "bad argument",
        "bad index",
        "bad number of arguments",
        "inappropriate operation",
        "unsupported operation",
        "no modification",
        "insufficient object memory",
        "insufficient C memory",
        "not found",
        "bad method",
        "internal error in named primitive machinery",
        "object may move",
        "resource limit exceeded",
        "object is pinned",
        "primitive write beyond end of object",
        "object moved",
        "object not pinned",
        "callback error",
        "operating system error",
        "ffi call exception",
        "need compaction",
        "operation failed",
        "internal error",
        "uninitialized",
        "ffi marshalling error",
    };
    enum { COUNT = sizeof errors / sizeof errors[0] };
    Object *array = make_array(b, COUNT);
    for (int i = 1; i < COUNT; i++)
        array->slots[i] = ref_object(make_symbol(b, errors[i]));
    return array;
}

static void special_set(Builder *b, int index, Object *object)
{
    b->special_objects->slots[index] = ref_object(object);
}

static void make_special_objects(Builder *b)
{
    static const struct {
        int index;
        const char *selector;
    } selectors[] = {
        {20, "doesNotUnderstand:"},
        {21, "cannotReturn:"},
        {25, "mustBeBoolean"},
        {34, "cannotInterpret:"},
        {48, "aboutToReturn:through:"},
        {49, "run:with:in:"},
        {50, "attemptToAssign:withIndex:"},
        {53, "invokeCallbackContext:"},
        {57, "unusedBytecode"},
        {58, "conditionalBranchCounterTrippedOn:"},
        {59, "classTrapFor:"},
    };
    special_set(b, 0, b->graph.nil);
    special_set(b, 1, b->false_object);
    special_set(b, 2, b->true_object);
    special_set(b, 3, b->scheduler_binding);
    special_set(b, 23, make_special_selectors(b));
    special_set(b, 28, make_array(b, 0));
    special_set(b, 38, make_array(b, 0));
    special_set(b, 51, make_error_table(b));
    for (size_t i = 0; i < sizeof selectors / sizeof selectors[0]; i++)
        special_set(b, selectors[i].index, make_symbol(b, selectors[i].selector));
    for (int role = 0; role < ROLE_COUNT; role++)
        if (b->roles[role] && role_infos[role].special >= 0)
            special_set(b, role_infos[role].special, role_class(b, role)->sides[0]);
}

/* --- The start --- */

/* Class-side initialize methods, superclasses first; the expressions of chunk files; `start`. */
static char *start_source(Builder *b, bool with_classes)
{
    const char *initialize = names_of(b->program->tools->names, "initialize");
    const char *text = "", *wanted = manifest_value(b->options->manifest, "initialize");
    with_classes = with_classes && (!wanted || strcmp(wanted, "no") != 0);
    for (size_t i = 0; with_classes && i < b->program->classes.count; i++)
        if (name_table_get(&b->classes[i].model->selectors[1], initialize))
            text = arena_printf(b->arena, "%s%s initialize.\n", text, b->classes[i].model->name);
    for (size_t i = 0; i < b->program->expressions.count; i++) {
        const Expression *each = &b->program->expressions.items[i];
        text = arena_printf(b->arena, "%s%.*s.\n", text, (int)(each->end - each->start),
                            each->source->text + each->start);
    }
    return arena_printf(b->arena, "%s%s", text, b->options->start ? b->options->start : "nil");
}

static CompiledCode *start_code(Builder *b, bool with_classes)
{
    CompileTools *tools = b->program->tools;
    const char *text = start_source(b, with_classes);
    SourceText *source = source_new(b->arena, "(start)", text, strlen(text));
    size_t errors = tools->diagnostics->error_count;
    Method *tree = parse_expression(tools, source, 0, source->length);
    ClassScope scope = program_scope(b->program, b->roles[ROLE_UNDEFINED], false);
    return tools->diagnostics->error_count == errors
               ? compile_method(tools, tree, &scope, b->options->set)
               : NULL;
}

static Object *make_start_method(Builder *b, const CompiledCode **code)
{
    *code = start_code(b, true);
    return *code ? make_code(b, role_class(b, ROLE_UNDEFINED), false, *code, NULL) : NULL;
}

static Object *make_start_context(Builder *b)
{
    const CompiledCode *code;
    Object *method = make_start_method(b, &code);
    if (!method)
        return b->graph.nil;
    size_t slots = CONTEXT_FIXED_SLOTS + (code->large_frame ? LARGE_CONTEXT : SMALL_CONTEXT);
    Object *context =
        graph_object(&b->graph, role_index(b, ROLE_CONTEXT), FORMAT_INDEXED_FIXED, slots);
    int64_t pc = (int64_t)((code->literal_count + 1) * b->graph.word_bytes + 1);
    context->slots[1] = ref_integer(&b->graph, pc);
    context->slots[2] = ref_integer(&b->graph, code->temp_count);
    context->slots[3] = ref_object(method);
    return context;
}

static void make_scheduler(Builder *b)
{
    Object *scheduler = role_object(b, ROLE_SCHEDULER, 0), *lists = make_array(b, PRIORITIES);
    for (int i = 0; i < PRIORITIES; i++)
        lists->slots[i] = ref_object(role_object(b, ROLE_LINKED_LIST, 0));
    Object *process = role_object(b, ROLE_PROCESS, 0);
    process->slots[1] = ref_object(make_start_context(b));
    process->slots[2] = ref_integer(&b->graph, USER_PRIORITY);
    scheduler->slots[0] = ref_object(lists);
    scheduler->slots[1] = ref_object(process);
    b->scheduler_binding = global_binding(b, "Processor");
    b->scheduler_binding->slots[1] = ref_object(scheduler);
}

/* --- The rest --- */

/* Sets a class variable when the class has it. */
static void offer(Builder *b, Role role, const char *variable, Object *value)
{
    const char *name = names_of(b->program->tools->names, variable);
    ClassModel *owner = program_find_class_variable(b->program, b->roles[role], name);
    if (owner)
        class_variable_binding(b, image_class(b, owner), name)->slots[1] = ref_object(value);
}

static void make_globals(Builder *b)
{
    if (b->roles[ROLE_DICTIONARY]) {
        Object *binding = global_binding(b, "Smalltalk");
        Object *dictionary =
            make_dictionary(b, ROLE_DICTIONARY, b->global_list.items, b->global_list.count);
        binding->slots[1] = ref_object(dictionary);
        special_set(b, 8, dictionary);
    }
    Object *symbols = make_array(b, b->symbol_list.count);
    for (size_t i = 0; i < b->symbol_list.count; i++)
        symbols->slots[i] = ref_object(b->symbol_list.items[i]);
    offer(b, ROLE_SYMBOL, "SymbolTable", symbols);
}

/* Some kernels write classes of code as classes of bytes and leave the rest to their builder. */
static void shape_code_classes(Builder *b)
{
    static const Role code[] = {ROLE_COMPILED_METHOD, ROLE_COMPILED_BLOCK};
    for (size_t i = 0; i < sizeof code / sizeof *code; i++)
        if (b->roles[code[i]] && b->roles[code[i]]->shape == SHAPE_BYTES)
            b->roles[code[i]]->shape = SHAPE_COMPILED_CODE;
}

static bool check_shapes(Builder *b)
{
    static const struct {
        Role role;
        size_t least;
        const char *why;
    } needs[] = {
        {ROLE_ASSOCIATION, 2, "key and value"},
        {ROLE_CONTEXT, 6, "sender pc stackp method closureOrNil receiver"},
        {ROLE_PROCESS, 4, "nextLink suspendedContext priority myList"},
        {ROLE_SCHEDULER, 2, "quiescentProcessLists activeProcess"},
        {ROLE_LINKED_LIST, 2, "firstLink lastLink"},
        {ROLE_SEMAPHORE, 3, "firstLink lastLink excessSignals"},
        {ROLE_MESSAGE, 2, "selector args"},
        {ROLE_METHOD_DICTIONARY, 2, "tally array"},
        {ROLE_CLASS, 3, "superclass methodDict format"},
        {ROLE_METACLASS, 3, "superclass methodDict format"},
        {ROLE_POINT, 2, "x y"},
    };
    bool sound = true;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        const ClassModel *model = b->roles[needs[i].role];
        if (instance_size(model, 0) >= needs[i].least)
            continue;
        diagnostics_error(b->program->tools->diagnostics, model->source, model->start, model->end,
                          "%s must have the instance variables %s first", model->name,
                          needs[i].why);
        sound = false;
    }
    return sound;
}

uint8_t *image_build(Program *program, const ImageOptions *options, size_t *size)
{
    CompileTools *tools = program->tools;
    Builder builder = {.program = program, .options = options, .arena = tools->arena};
    Builder *b = &builder;
    program_compile(program, options->set);
    if (!roles_find(program, options->manifest, b->roles) || !check_shapes(b) ||
        tools->diagnostics->error_count)
        return NULL;
    shape_code_classes(b);
    if (options->strip) {
        const CompiledCode *start = start_code(b, false);
        if (start)
            *options->strip = program_strip(program, b->roles, start);
    }
    graph_init(&b->graph, b->arena, options->bits / 8);
    name_table_init(&b->symbols, b->arena);
    name_table_init(&b->globals, b->arena);
    give_indices(b);
    make_first_objects(b);
    make_class_objects(b);
    make_class_table(b);
    for (size_t i = 0; i < program->classes.count; i++) {
        ImageClass *each = &b->classes[i];
        each->binding = global_binding(b, each->model->name);
        each->binding->slots[1] = ref_object(each->sides[0]);
    }
    b->special_objects = make_array(b, SPECIAL_OBJECTS);
    for (size_t i = 0; i < program->classes.count; i++)
        fill_class(b, &b->classes[i]);
    make_scheduler(b);
    make_special_objects(b);
    make_globals(b);
    return tools->diagnostics->error_count ? NULL
                                           : graph_write(&b->graph, b->special_objects, size);
}
