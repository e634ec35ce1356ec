#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "list.h"
#include "traits.h"

void program_init(Program *program, CompileTools *tools)
{
    memset(program, 0, sizeof *program);
    program->tools = tools;
    name_table_init(&program->by_name, tools->arena);
    name_table_init(&program->globals, tools->arena);
    static const char *const made_by_builder[] = {"Smalltalk", "Processor"};
    for (int i = 0; i < 2; i++)
        name_table_put(&program->globals, names_of(tools->names, made_by_builder[i]), program);
}

ClassModel *program_class(Program *program, const char *name, const SourceText *source,
                          size_t start, size_t end)
{
    ClassModel *class_model = name_table_get(&program->by_name, name);
    if (class_model)
        return class_model;
    Arena *arena = program->tools->arena;
    class_model = arena_alloc(arena, sizeof *class_model);
    class_model->name = name;
    class_model->source = source;
    class_model->start = start;
    class_model->end = end;
    for (int side = 0; side < 2; side++)
        name_table_init(&class_model->selectors[side], arena);
    name_table_put(&program->by_name, name, class_model);
    LIST_ADD(arena, program->classes, class_model);
    return class_model;
}

static void class_forget_definition(ClassModel *class_model)
{
    static const NameList none = {NULL, 0, 0};
    class_model->superclass_name = NULL;
    class_model->shape = SHAPE_NORMAL;
    class_model->instance_names = class_model->class_instance_names = none;
    class_model->class_variables = class_model->pools = none;
}

ClassModel *program_define(Program *program, const char *name, const SourceText *source,
                           size_t start, size_t end)
{
    ClassModel *class_model = program_class(program, name, source, start, end);
    if (class_model->is_defined && !program->is_replacing) {
        diagnostics_error(program->tools->diagnostics, source, start, end,
                          "the class %s is defined twice", name);
        return NULL;
    }
    if (class_model->is_defined)
        class_forget_definition(class_model);
    class_model->is_defined = true;
    class_model->source = source;
    class_model->start = start;
    class_model->end = end;
    return class_model;
}

bool shape_of_name(const char *name, Shape *shape)
{
    static const struct {
        const char *name;
        Shape shape;
    } shapes[] = {
        {"normal", SHAPE_NORMAL},
        {"FixedLayout", SHAPE_NORMAL},
        {"variable", SHAPE_VARIABLE},
        {"VariableLayout", SHAPE_VARIABLE},
        {"weak", SHAPE_WEAK},
        {"WeakLayout", SHAPE_WEAK},
        {"ephemeron", SHAPE_EPHEMERON},
        {"EphemeronLayout", SHAPE_EPHEMERON},
        {"bytes", SHAPE_BYTES},
        {"ByteLayout", SHAPE_BYTES},
        {"words", SHAPE_WORDS},
        {"WordLayout", SHAPE_WORDS},
        {"doubleBytes", SHAPE_DOUBLE_BYTES},
        {"DoubleByteLayout", SHAPE_DOUBLE_BYTES},
        {"doubleWords", SHAPE_DOUBLE_WORDS},
        {"DoubleWordLayout", SHAPE_DOUBLE_WORDS},
        {"compiledMethod", SHAPE_COMPILED_CODE},
        {"CompiledMethodLayout", SHAPE_COMPILED_CODE},
        {"immediate", SHAPE_IMMEDIATE},
        {"ImmediateLayout", SHAPE_IMMEDIATE},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(name, shapes[i].name) == 0) {
            *shape = shapes[i].shape;
            return true;
        }
    return false;
}

static const SourceText *file_of(const SourceText *source)
{
    while (source->parent)
        source = source->parent;
    return source;
}

/* A method of this selector is there already. Where both stand in one file the later one counts,
 * as it does when the file is read into an image; between files there is no order, but replacements
 * come last. Answers whether it took the place of the first. */
static bool replace_method(Program *program, MethodModel *first, MethodModel *method)
{
    Diagnostics *diagnostics = program->tools->diagnostics;
    ClassModel *owner = method->owner;
    const char *side = method->class_side ? " class" : "", *selector = method->tree->selector;
    size_t start = method->tree->selector_start, end = method->tree->selector_end;
    if (!program->is_replacing && file_of(first->source) != file_of(method->source)) {
        diagnostics_error(diagnostics, method->source, start, end, "%s%s has two methods %s",
                          owner->name, side, selector);
        return false;
    }
    if (!program->is_replacing)
        diagnostics_warn(diagnostics, WARN_DUPLICATE, method->source, start, end,
                         "%s%s has two methods %s: the later one is taken", owner->name, side,
                         selector);
    MethodList *list = &owner->methods[method->class_side];
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == first)
            list->items[i] = method;
    return true;
}

void program_add_method(Program *program, MethodModel *method)
{
    CompileTools *tools = program->tools;
    size_t errors = tools->diagnostics->error_count;
    bool parts = method->pattern_start != method->body_start;
    method->tree =
        parts ? parse_method_parts(tools, method->source, method->pattern_start,
                                   method->pattern_end, method->body_start, method->body_end)
              : parse_method(tools, method->source, method->body_start, method->body_end);
    if (!method->tree->selector)
        return;
    if (!method->category)
        method->category = "as yet unclassified";
    ClassModel *owner = method->owner;
    NameTable *table = &owner->selectors[method->class_side];
    MethodModel *first = name_table_get(table, method->tree->selector);
    if (first && !replace_method(program, first, method))
        return;
    name_table_put(table, method->tree->selector, method);
    if (tools->diagnostics->error_count != errors)
        method->tree = NULL; /* not to be compiled */
    if (!first)
        LIST_ADD(tools->arena, owner->methods[method->class_side], method);
}

/* --- Files --- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void program_complain(Program *program, const char *path)
{
    CompileTools *tools = program->tools;
    diagnostics_error(tools->diagnostics, source_new(tools->arena, path, "", 0), 0, 0,
                      "cannot read: %s", strerror(errno));
}

/* Entries in the order of their names, so that the file system's order does not matter. */
static void program_read_directory(Program *program, const char *path)
{
    Arena *arena = program->tools->arena;
    NameList names = {NULL, 0, 0};
    DIR *directory = opendir(path);
    if (!directory) {
        program_complain(program, path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            LIST_ADD(arena, names, arena_copy(arena, entry->d_name, strlen(entry->d_name)));
    closedir(directory);
    if (names.count)
        qsort(names.items, names.count, sizeof *names.items, compare_names);
    for (size_t i = 0; i < names.count; i++) {
        const char *child = arena_printf(arena, "%s/%s", path, names.items[i]);
        struct stat status;
        if (stat(child, &status) == 0 && (S_ISDIR(status.st_mode) || ends_with(child, ".st")))
            program_read(program, child);
    }
}

void program_read(Program *program, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        program_complain(program, arena_copy(program->tools->arena, path, strlen(path)));
        return;
    }
    if (S_ISDIR(status.st_mode)) {
        program_read_directory(program, path);
        return;
    }
    program->file_count++;
    if (ends_with(path, "/package.st") || strcmp(path, "package.st") == 0)
        return; /* a package's name; classes say theirs themselves */
    const SourceText *source = source_read_file(program->tools->diagnostics, path);
    if (!source)
        return;
    if (ends_with(path, ".class.st") || ends_with(path, ".extension.st") ||
        ends_with(path, ".trait.st"))
        tonel_read(program, source);
    else
        chunk_read(program, source);
}

/* --- Resolution --- */

static void class_error(Program *program, const ClassModel *class_model, const char *format,
                        const char *text)
{
    diagnostics_error(program->tools->diagnostics, class_model->source, class_model->start,
                      class_model->end, "%s",
                      arena_printf(program->tools->arena, format, class_model->name, text));
}

static void class_find_superclass(Program *program, ClassModel *class_model)
{
    if (!class_model->is_defined) {
        class_error(program, class_model, "the class %s is extended here but defined nowhere%s",
                    "");
        return;
    }
    if (!class_model->superclass_name)
        return;
    ClassModel *superclass = name_table_get(&program->by_name, class_model->superclass_name);
    if (superclass == class_model && program->prefix)
        return; /* MObject, a subclass of the Object that it becomes: the root */
    if (superclass && superclass->is_defined)
        class_model->superclass = superclass;
    else
        class_error(program, class_model, "the superclass of %s is missing: no class is named %s",
                    class_model->superclass_name);
}

static void class_check_cycle(Program *program, ClassModel *class_model)
{
    size_t steps = 0;
    for (ClassModel *each = class_model->superclass; each; each = each->superclass)
        if (each == class_model || ++steps > program->classes.count) {
            class_error(program, class_model, "%s inherits from itself%s", "");
            class_model->superclass = NULL;
            return;
        }
}

static unsigned class_depth(const ClassModel *class_model)
{
    unsigned depth = 0;
    for (; class_model->superclass; class_model = class_model->superclass)
        depth++;
    return depth;
}

static int compare_classes(const void *a, const void *b)
{
    const ClassModel *first = *(ClassModel *const *)a, *second = *(ClassModel *const *)b;
    if (first->mark != second->mark)
        return first->mark < second->mark ? -1 : 1;
    return strcmp(first->name, second->name);
}

static bool name_list_includes(const NameList *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == name)
            return true;
    return false;
}

static void class_collect_names(Program *program, ClassModel *class_model, int side,
                                const NameList *inherited)
{
    NameList *all = &class_model->all_instance_names[side];
    const NameList *own = side ? &class_model->class_instance_names : &class_model->instance_names;
    for (size_t i = 0; inherited && i < inherited->count; i++)
        LIST_ADD(program->tools->arena, *all, inherited->items[i]);
    for (size_t i = 0; i < own->count; i++) {
        if (name_list_includes(all, own->items[i]))
            class_error(program, class_model, "%s has two instance variables named %s",
                        own->items[i]);
        LIST_ADD(program->tools->arena, *all, own->items[i]);
    }
}

static bool shape_takes_names(Shape shape)
{
    return shape == SHAPE_NORMAL || shape == SHAPE_VARIABLE || shape == SHAPE_WEAK ||
           shape == SHAPE_EPHEMERON;
}

/* MArray becomes Array; sources may call it either. */
static void class_drop_prefix(Program *program, ClassModel *class_model)
{
    size_t length = strlen(program->prefix);
    const char *name = class_model->name;
    if (strncmp(name, program->prefix, length) != 0 || name[length] < 'A' || name[length] > 'Z')
        return;
    const char *short_name = names_of(program->tools->names, name + length);
    if (name_table_get(&program->by_name, short_name)) {
        class_error(program, class_model, "%s cannot lose its prefix: there is a class %s too",
                    short_name);
        return;
    }
    name_table_put(&program->by_name, short_name, class_model);
    class_model->name = short_name;
}

void program_resolve(Program *program)
{
    ClassList *list = &program->classes;
    for (size_t i = 0; program->prefix && i < list->count; i++)
        class_drop_prefix(program, list->items[i]);
    traits_flatten(program);
    for (size_t i = 0; i < list->count; i++)
        class_find_superclass(program, list->items[i]);
    for (size_t i = 0; i < list->count; i++)
        class_check_cycle(program, list->items[i]);
    for (size_t i = 0; i < list->count; i++)
        list->items[i]->mark = class_depth(list->items[i]);
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, compare_classes);
    for (size_t i = 0; i < list->count; i++) {
        ClassModel *each = list->items[i];
        if (each->shape == SHAPE_NORMAL && each->superclass &&
            each->superclass->shape != SHAPE_IMMEDIATE)
            each->shape = each->superclass->shape; /* indexed parts are inherited */
        class_collect_names(program, each, 0,
                            each->superclass ? &each->superclass->all_instance_names[0] : NULL);
        if (!shape_takes_names(each->shape) && each->all_instance_names[0].count)
            class_error(program, each, "instances of %s hold no pointers: they cannot have %s",
                        "named variables");
    }
    /* The variables of metaclasses: those of Class first. */
    const ClassModel *class_class =
        name_table_get(&program->by_name, names_of(program->tools->names, "Class"));
    for (size_t i = 0; i < list->count; i++) {
        ClassModel *each = list->items[i];
        const NameList *of_class = class_class ? &class_class->all_instance_names[0] : NULL;
        class_collect_names(program, each, 1,
                            each->superclass ? &each->superclass->all_instance_names[1] : of_class);
    }
}

/* --- Scopes and compilation --- */

/* The class itself or a superclass, or the class that a pool of theirs is. */
ClassModel *program_find_class_variable(const Program *program, const ClassModel *class_model,
                                        const char *name)
{
    for (const ClassModel *each = class_model; each; each = each->superclass)
        if (name_list_includes(&each->class_variables, name))
            return name_table_get(&program->by_name, each->name);
    for (const ClassModel *each = class_model; each; each = each->superclass) {
        for (size_t i = 0; i < each->pools.count; i++) {
            ClassModel *pool = name_table_get(&program->by_name, each->pools.items[i]);
            for (; pool; pool = pool->superclass)
                if (name_list_includes(&pool->class_variables, name))
                    return pool;
        }
    }
    return NULL;
}

typedef struct {
    const Program *program;
    const ClassModel *class_model;
} ScopeOwner;

static bool scope_has_binding(void *context, const char *name)
{
    const ScopeOwner *owner = context;
    const ClassModel *class_model = name_table_get(&owner->program->by_name, name);
    return program_find_class_variable(owner->program, owner->class_model, name) ||
           (class_model && class_model->is_defined) ||
           name_table_get(&owner->program->globals, name);
}

static bool inherits_from(const ClassModel *class_model, const ClassModel *ancestor)
{
    while (class_model && class_model != ancestor)
        class_model = class_model->superclass;
    return class_model != NULL;
}

ClassScope program_scope(Program *program, ClassModel *class_model, bool class_side)
{
    Arena *arena = program->tools->arena;
    Names *names = program->tools->names;
    ScopeOwner *owner = arena_alloc(arena, sizeof *owner);
    *owner = (ScopeOwner){program, class_model};
    const NameList *list = &class_model->all_instance_names[class_side];
    const ClassModel *context = name_table_get(&program->by_name, names_of(names, "Context"));
    if (!context)
        context = name_table_get(&program->by_name, names_of(names, "MethodContext"));
    return (ClassScope){
        .class_name =
            class_side ? arena_printf(arena, "%s class", class_model->name) : class_model->name,
        .instance_names = list->items,
        .instance_count = list->count,
        .maybe_context =
            context && !class_side &&
            (inherits_from(class_model, context) || inherits_from(context, class_model)),
        .has_binding = scope_has_binding,
        .owner = owner,
    };
}

/* --- Messages nobody understands --- */

typedef struct {
    Program *program;
    const SourceText *source;
    NameTable implemented; /* selector -> anything */
} SendCheck;

static void check_sends(SendCheck *c, const Node *node);

static void check_all_sends(SendCheck *c, Node *const *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_sends(c, nodes[i]);
}

static void check_send(SendCheck *c, const Send *send)
{
    if (send->inlined == INLINE_NONE && !name_table_get(&c->implemented, send->selector))
        diagnostics_warn(c->program->tools->diagnostics, WARN_UNSENT, c->source,
                         send->selector_start, send->selector_end, "no class implements '%s'",
                         send->selector);
    if (send->receiver)
        check_sends(c, send->receiver);
    check_all_sends(c, send->arguments, send->argument_count);
}

static void check_sends(SendCheck *c, const Node *node)
{
    switch (node->kind) {
    case NODE_ASSIGN: check_sends(c, node->assign.value); break;
    case NODE_SEND: check_send(c, &node->send); break;
    case NODE_CASCADE:
        check_sends(c, node->cascade.receiver);
        check_all_sends(c, node->cascade.messages, node->cascade.count);
        break;
    case NODE_BLOCK:
        check_all_sends(c, node->block->statements, node->block->statement_count);
        break;
    case NODE_BRACE: check_all_sends(c, node->brace.elements, node->brace.count); break;
    case NODE_RETURN: check_sends(c, node->value); break;
    default: break;
    }
}

typedef void (*MethodVisitor)(void *context, MethodModel *method);

static void program_each_method(Program *program, MethodVisitor visitor, void *context)
{
    for (size_t i = 0; i < program->classes.count; i++)
        for (int side = 0; side < 2; side++)
            for (size_t j = 0; j < program->classes.items[i]->methods[side].count; j++)
                visitor(context, program->classes.items[i]->methods[side].items[j]);
}

static void note_implemented(void *context, MethodModel *method)
{
    SendCheck *c = context;
    if (method->tree)
        name_table_put(&c->implemented, method->tree->selector, method);
}

static void check_method_sends(void *context, MethodModel *method)
{
    SendCheck *c = context;
    if (!method->code)
        return;
    c->source = method->source;
    check_all_sends(c, method->tree->body->statements, method->tree->body->statement_count);
}

static void program_warn_unsent(Program *program)
{
    SendCheck check = {.program = program};
    if (!(program->tools->diagnostics->enabled >> WARN_UNSENT & 1))
        return;
    name_table_init(&check.implemented, program->tools->arena);
    program_each_method(program, note_implemented, &check);
    program_each_method(program, check_method_sends, &check);
}

void program_compile(Program *program, BytecodeSet set)
{
    Diagnostics *diagnostics = program->tools->diagnostics;
    for (size_t i = 0; i < program->classes.count; i++) {
        ClassModel *class_model = program->classes.items[i];
        for (int side = 0; side < 2; side++) {
            ClassScope scope = program_scope(program, class_model, side);
            for (size_t j = 0; j < class_model->methods[side].count; j++) {
                MethodModel *method = class_model->methods[side].items[j];
                unsigned enabled = diagnostics->enabled;
                if (method->is_repeated)
                    diagnostics->enabled = 0;
                if (method->tree)
                    method->code = compile_method(program->tools, method->tree, &scope, set);
                diagnostics->enabled = enabled;
            }
        }
    }
    program_warn_unsent(program);
}
