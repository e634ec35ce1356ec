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
#include "image_int.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/bytecode/opcodes.h"
#include "kernel/bytecode/trailer.h"
#include "number.h"

/* --- Classes --- */

ImageClass *image_class(const Builder *b, const ClassModel *model)
{
    return model ? name_table_get(&b->by_model, model->name) : NULL;
}

ImageClass *image_role_class(const Builder *b, Role role)
{
    return image_class(b, b->roles[role]);
}

/* The class table index of a role's class; roles that are not required are asked for first. */
uint32_t image_role_index(const Builder *b, Role role)
{
    const ImageClass *found = image_role_class(b, role);
    return found ? found->index[0] : 0;
}

size_t image_instance_size(const ClassModel *model, int side)
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

Object *image_role_object(Builder *b, Role role, size_t indexed)
{
    ClassModel *model = b->roles[role];
    size_t fixed = image_instance_size(model, 0);
    uint8_t format = model->shape == SHAPE_VARIABLE
                         ? (fixed ? FORMAT_INDEXED_FIXED : FORMAT_INDEXED)
                     : fixed ? FORMAT_FIXED
                             : FORMAT_EMPTY;
    return graph_object(&b->graph, image_role_index(b, role), format, fixed + indexed);
}

Object *image_make_array(Builder *b, size_t count)
{
    return graph_object(&b->graph, image_role_index(b, ROLE_ARRAY), FORMAT_INDEXED, count);
}

void image_role_set(Builder *b, Role role, Object *object, const char *names, Ref value)
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
    if (image_instance_size(model, 0) == 0 &&
        (model->shape == SHAPE_NORMAL || model->shape == SHAPE_VARIABLE))
        format--; /* 0: nothing; 2: only indexed */
    return format;
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
            image_role_class(b, role)->index[0] = role_infos[role].index;
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
    b->graph.nil = graph_object(&b->graph, image_role_index(b, ROLE_UNDEFINED), FORMAT_EMPTY, 0);
    b->false_object = graph_object(&b->graph, image_role_index(b, ROLE_FALSE), FORMAT_EMPTY, 0);
    b->true_object = graph_object(&b->graph, image_role_index(b, ROLE_TRUE), FORMAT_EMPTY, 0);
    size_t free_lists = wide ? 64 * 8 : 32 * 4;
    graph_bytes(&b->graph, wide ? PUN_LONGS : PUN_WORDS, wide ? FORMAT_LONGS : FORMAT_WORDS,
                arena_alloc(b->arena, free_lists), free_lists);
    b->hidden_roots = graph_object(&b->graph, PUN_ARRAY, FORMAT_INDEXED, HIDDEN_ROOT_SLOTS);
}

static void make_class_objects(Builder *b)
{
    uint32_t metaclass = image_role_index(b, ROLE_METACLASS);
    for (size_t i = 0; i < b->program->classes.count; i++) {
        ImageClass *each = &b->classes[i];
        each->sides[0] =
            graph_object(&b->graph, each->index[1], FORMAT_FIXED,
                         image_instance_size(each->model, 1));
        each->sides[1] = graph_object(&b->graph, metaclass, FORMAT_FIXED,
                                      image_instance_size(b->roles[ROLE_METACLASS], 0));
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
    table_set(b, PUN_ARRAY, image_role_class(b, ROLE_ARRAY)->sides[0]);
    if (b->graph.word_bytes == 4)
        table_set(b, 3, image_role_class(b, ROLE_SMALL_INTEGER)->sides[0]);
}

/* Stacks for the collector of a VM that does not make its own: their pages are empty. */
static void make_stacks(Builder *b)
{
    size_t word = b->graph.word_bytes, size = STACK_PAGE_WORDS * word;
    for (uint32_t root = HIDDEN_FIRST_STACK; root <= HIDDEN_LAST_STACK; root++) {
        char *page = arena_alloc(b->arena, size);
        memset(page, 0, size);
        memcpy(page + word, &root, sizeof root); /* each knows whose it is */
        b->hidden_roots->slots[root] =
            ref_object(graph_bytes(&b->graph, word == 8 ? PUN_LONGS : PUN_WORDS,
                                   word == 8 ? FORMAT_LONGS : FORMAT_WORDS, page, size));
    }
}

static Object *make_name_array(Builder *b, const NameList *names)
{
    if (names->count == 0)
        return b->graph.nil;
    Object *array = image_make_array(b, names->count);
    for (size_t i = 0; i < names->count; i++)
        array->slots[i] = ref_object(image_make_string(b, names->items[i]));
    return array;
}

static Object *make_class_pool(Builder *b, ImageClass *owner)
{
    size_t count = owner->model->class_variables.count;
    if (!b->roles[ROLE_CLASS_POOL] || count == 0)
        return b->graph.nil;
    Object **associations = arena_alloc(b->arena, count * sizeof *associations);
    for (size_t i = 0; i < count; i++)
        associations[i] =
            image_class_variable_binding(b, owner, owner->model->class_variables.items[i]);
    return image_make_dictionary(b, ROLE_CLASS_POOL, associations, count);
}

static Object *make_subclasses(Builder *b, const ClassModel *model)
{
    size_t count = 0;
    for (size_t i = 0; i < b->program->classes.count; i++)
        count += b->classes[i].model->superclass == model;
    if (count == 0)
        return b->graph.nil;
    Object *array = image_make_array(b, count);
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
    Object *array = image_make_array(b, capacity),
           *dictionary = image_role_object(b, ROLE_METHOD_DICTIONARY, capacity);
    dictionary->slots[0] = ref_integer(&b->graph, (int64_t)methods->count);
    dictionary->slots[1] = ref_object(array);
    size_t fixed = image_instance_size(b->roles[ROLE_METHOD_DICTIONARY], 0);
    for (size_t i = 0; i < methods->count; i++) {
        const MethodModel *method = methods->items[i];
        if (!method->code)
            continue;
        Object *selector = image_make_symbol(b, method->code->selector);
        size_t at = selector->hash & (capacity - 1);
        while (dictionary->slots[fixed + at].object != b->graph.nil)
            at = (at + 1) & (capacity - 1);
        dictionary->slots[fixed + at] = ref_object(selector);
        array->slots[at] = ref_object(image_make_code(b, owner, class_side, method->code, NULL));
    }
    return dictionary;
}

/* Selectors and the protocols of their methods, alternating. */
static Object *make_protocols(Builder *b, const MethodList *methods)
{
    Object *array = image_make_array(b, 2 * methods->count);
    size_t count = 0;
    for (size_t i = 0; i < methods->count; i++) {
        const MethodModel *method = methods->items[i];
        if (!method->code || !method->category)
            continue;
        array->slots[count++] = ref_object(image_make_symbol(b, method->code->selector));
        array->slots[count++] = ref_object(image_make_symbol(b, method->category));
    }
    return array;
}

static Object *make_pools(Builder *b, const ClassModel *model)
{
    if (model->pools.count == 0)
        return b->graph.nil;
    Object *array = image_make_array(b, model->pools.count);
    for (size_t i = 0; i < model->pools.count; i++) {
        const ImageClass *pool = name_table_get(&b->by_model, model->pools.items[i]);
        if (pool)
            array->slots[i] = ref_object(pool->sides[0]);
    }
    return array;
}

static int64_t class_format(const ClassModel *model, int side)
{
    return side ? (int64_t)image_instance_size(model, 1) | 1 << 16
                : (int64_t)image_instance_size(model, 0) | (int64_t)instance_format(model) << 16;
}

static void fill_side(Builder *b, ImageClass *each, int side)
{
    const ClassModel *layout = side ? b->roles[ROLE_METACLASS] : each->model;
    int layout_side = side ? 0 : 1;
    Object *object = each->sides[side];
    ImageClass *super = image_class(b, each->model->superclass);
    Object *superclass = super  ? super->sides[side]
                         : side ? image_role_class(b, ROLE_CLASS)->sides[0]
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
    object_set(model, 1, object, "name", ref_object(image_make_symbol(b, model->name)));
    object_set(model, 1, object, "classPool", ref_object(make_class_pool(b, each)));
    object_set(model, 1, object, "sharedPools", ref_object(make_pools(b, model)));
    object_set(model, 1, object, "subclasses", ref_object(make_subclasses(b, model)));
    if (model->category)
        object_set(model, 1, object, "category", ref_object(image_make_symbol(b, model->category)));
    if (model->comment)
        object_set(model, 1, object, "comment", ref_object(image_make_string(b, model->comment)));
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
    ImageClass *owner = image_role_class(b, ROLE_UNDEFINED);
    return *code ? image_make_code(b, owner, false, *code, NULL) : NULL;
}

static Object *make_start_context(Builder *b)
{
    const CompiledCode *code;
    Object *method = make_start_method(b, &code);
    if (!method)
        return b->graph.nil;
    size_t slots = CONTEXT_FIXED_SLOTS + (code->large_frame ? LARGE_CONTEXT : SMALL_CONTEXT);
    Object *context =
        graph_object(&b->graph, image_role_index(b, ROLE_CONTEXT), FORMAT_INDEXED_FIXED, slots);
    int64_t pc = (int64_t)((code->literal_count + 1) * b->graph.word_bytes + 1);
    context->slots[1] = ref_integer(&b->graph, pc);
    context->slots[2] = ref_integer(&b->graph, code->temp_count);
    context->slots[3] = ref_object(method);
    return context;
}

static void make_scheduler(Builder *b)
{
    Object *scheduler = image_role_object(b, ROLE_SCHEDULER, 0),
           *lists = image_make_array(b, PRIORITIES);
    for (int i = 0; i < PRIORITIES; i++)
        lists->slots[i] = ref_object(image_role_object(b, ROLE_LINKED_LIST, 0));
    Object *process = image_role_object(b, ROLE_PROCESS, 0);
    process->slots[1] = ref_object(make_start_context(b));
    process->slots[2] = ref_integer(&b->graph, USER_PRIORITY);
    scheduler->slots[0] = ref_object(lists);
    scheduler->slots[1] = ref_object(process);
    b->scheduler_binding = image_global_binding(b, "Processor");
    b->scheduler_binding->slots[1] = ref_object(scheduler);
}

/* --- The rest --- */

/* Sets a class variable when the class has it. */
static void offer(Builder *b, Role role, const char *variable, Object *value)
{
    const char *name = names_of(b->program->tools->names, variable);
    ClassModel *owner = program_find_class_variable(b->program, b->roles[role], name);
    if (owner)
        image_class_variable_binding(b, image_class(b, owner), name)->slots[1] = ref_object(value);
}

static void make_globals(Builder *b)
{
    if (b->roles[ROLE_DICTIONARY]) {
        Object *binding = image_global_binding(b, "Smalltalk");
        Object *dictionary =
            image_make_dictionary(b, ROLE_DICTIONARY, b->global_list.items, b->global_list.count);
        binding->slots[1] = ref_object(dictionary);
        image_special_set(b, 8, dictionary);
    }
    Object *symbols = image_make_array(b, b->symbol_list.count);
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
        if (image_instance_size(model, 0) >= needs[i].least)
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
        each->binding = image_global_binding(b, each->model->name);
        each->binding->slots[1] = ref_object(each->sides[0]);
    }
    b->special_objects = image_make_array(b, SPECIAL_OBJECTS);
    for (size_t i = 0; i < program->classes.count; i++)
        fill_class(b, &b->classes[i]);
    make_scheduler(b);
    image_make_special_objects(b);
    make_globals(b);
    make_stacks(b);
    return tools->diagnostics->error_count ? NULL
                                           : graph_write(&b->graph, b->special_objects, size);
}
