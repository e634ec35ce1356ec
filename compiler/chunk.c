/* Reads chunks: the files that Squeak and Cuis write with fileOut.
 *
 * Text is cut at exclamation marks; a doubled one stands for itself. A chunk is an
 * expression: class definitions are understood, others are kept for the start of
 * the image. A chunk between two marks ("!Point methodsFor: 'accessing'!") says
 * what the following ones are, until an empty one.
 */
#include <string.h>

#include "list.h"
#include "model.h"

typedef struct {
    Program *program;
    const SourceText *source;
    size_t at;
} Chunks;

static bool is_space(char c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

static void chunks_skip(Chunks *c)
{
    while (c->at < c->source->length && is_space(c->source->text[c->at]))
        c->at++;
}

/* The chunk at the current place; moves behind its mark. */
static const SourceText *chunks_next(Chunks *c)
{
    const char *text = c->source->text;
    chunks_skip(c);
    size_t start = c->at, length = c->source->length;
    while (c->at < length &&
           !(text[c->at] == '!' && !(c->at + 1 < length && text[c->at + 1] == '!')))
        c->at += text[c->at] == '!' ? 2 : 1;
    size_t end = c->at > length ? length : c->at;
    c->at = end + 1;
    return source_new_chunk(c->program->tools->arena, c->source, start, end);
}

static bool text_is_blank(const SourceText *chunk)
{
    for (size_t i = 0; i < chunk->length; i++)
        if (!is_space(chunk->text[i]))
            return false;
    return true;
}

/* --- Understanding expressions --- */

static const Node *single_statement(const Method *tree)
{
    return tree->body->statement_count == 1 ? tree->body->statements[0] : NULL;
}

static bool node_is_name(const Node *node)
{
    return node && node->kind == NODE_VARIABLE;
}

/* `Name`, `Name class` or `Name classTrait` */
static bool node_class_name(const Node *node, const char **name, bool *class_side)
{
    *class_side = false;
    if (node && node->kind == NODE_SEND &&
        (strcmp(node->send.selector, "class") == 0 ||
         strcmp(node->send.selector, "classTrait") == 0)) {
        *class_side = true;
        node = node->send.receiver;
    }
    if (!node_is_name(node))
        return false;
    *name = node->use.name;
    return true;
}

static const char *literal_text(Chunks *c, const Node *node)
{
    if (node->kind != NODE_LITERAL ||
        (node->literal->kind != LITERAL_STRING && node->literal->kind != LITERAL_SYMBOL))
        return NULL;
    return names_get(c->program->tools->names, (const char *)node->literal->bytes,
                     node->literal->byte_count);
}

static NameList split_names(Chunks *c, const char *text)
{
    NameList list = {NULL, 0, 0};
    for (const char *start = text; *start;) {
        while (is_space(*start))
            start++;
        size_t size = 0;
        while (start[size] && !is_space(start[size]))
            size++;
        if (size)
            LIST_ADD(c->program->tools->arena, list,
                     names_get(c->program->tools->names, start, size));
        start += size;
    }
    return list;
}

static bool shape_of_selector(const char *keyword, Shape *shape)
{
    static const struct {
        const char *keyword;
        Shape shape;
    } shapes[] = {
        {"subclass:", SHAPE_NORMAL},
        {"variableSubclass:", SHAPE_VARIABLE},
        {"weakSubclass:", SHAPE_WEAK},
        {"ephemeronSubclass:", SHAPE_EPHEMERON},
        {"variableByteSubclass:", SHAPE_BYTES},
        {"variableDoubleByteSubclass:", SHAPE_DOUBLE_BYTES},
        {"variableWordSubclass:", SHAPE_WORDS},
        {"variableDoubleWordSubclass:", SHAPE_DOUBLE_WORDS},
        {"variableCompiledMethodSubclass:", SHAPE_COMPILED_CODE},
        {"immediateSubclass:", SHAPE_IMMEDIATE},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strncmp(keyword, shapes[i].keyword, strlen(shapes[i].keyword)) == 0) {
            *shape = shapes[i].shape;
            return true;
        }
    return false;
}

static void chunk_error(Chunks *c, const Method *tree, const Node *node, const char *message)
{
    diagnostics_error(c->program->tools->diagnostics, tree->source, node->start, node->end, "%s",
                      message);
}

/* `A + (B - {#x})` to `A classTrait + B classTrait`. */
static const char *class_sides(Chunks *c, const Node *node, const char *text)
{
    Arena *arena = c->program->tools->arena;
    if (node->kind == NODE_VARIABLE)
        return arena_printf(arena, "%s%s%s classTrait", text, *text ? " + " : "", node->use.name);
    if (node->kind != NODE_SEND || !node->send.receiver)
        return text;
    text = class_sides(c, node->send.receiver, text);
    return strcmp(node->send.selector, "+") == 0 ? class_sides(c, node->send.arguments[0], text)
                                                 : text;
}

/* The class side uses the class sides of the same traits, unless it says otherwise. */
static void class_use(Chunks *c, const Method *tree, ClassModel *class_model, const Node *node)
{
    Arena *arena = c->program->tools->arena;
    class_model->compositions[0] = (Composition){tree->source, node};
    const char *text = class_sides(c, node, "");
    if (class_model->compositions[1].node || !*text)
        return;
    const SourceText *source = source_new(arena, tree->source->name, text, strlen(text));
    const Method *sides = parse_expression(c->program->tools, source, 0, source->length);
    class_model->compositions[1] = (Composition){source, sides->body->statements[0]};
}

/* One keyword of a class definition and its argument. */
static void class_take(Chunks *c, const Method *tree, ClassModel *class_model, const char *keyword,
                       const Node *argument)
{
    const char *text = literal_text(c, argument);
    static const char *const lists[] = {"instanceVariableNames:", "classVariableNames:",
                                        "poolDictionaries:", "classInstanceVariableNames:"};
    NameList *targets[] = {&class_model->instance_names, &class_model->class_variables,
                           &class_model->pools, &class_model->class_instance_names};
    for (int i = 0; i < 4; i++)
        if (strncmp(keyword, lists[i], strlen(lists[i])) == 0) {
            if (text)
                *targets[i] = split_names(c, text);
            else
                chunk_error(c, tree, argument, "a string with the names expected");
            return;
        }
    if (strncmp(keyword, "category:", 9) == 0 || strncmp(keyword, "package:", 8) == 0)
        class_model->category = text;
    else if (strncmp(keyword, "uses:", 5) == 0)
        class_use(c, tree, class_model, argument);
    else
        chunk_error(c, tree, argument, "this part of a class definition is not known");
}

/* Object subclass: #Point instanceVariableNames: 'x y' ... */
static bool chunk_class_definition(Chunks *c, const Method *tree, const Node *node)
{
    Shape shape;
    if (node->kind != NODE_SEND || !node_is_name(node->send.receiver) ||
        !shape_of_selector(node->send.selector, &shape))
        return false;
    const char *name = literal_text(c, node->send.arguments[0]);
    if (!name)
        return false;
    const Node *at = node->send.arguments[0];
    ClassModel *class_model = program_define(c->program, name, tree->source, at->start, at->end);
    if (!class_model)
        return true;
    class_model->shape = shape;
    const char *superclass = node->send.receiver->use.name;
    class_model->superclass_name = strcmp(superclass, "nil") == 0 ? NULL : superclass;
    const char *keyword = strchr(node->send.selector, ':') + 1;
    for (size_t i = 1; i < node->send.argument_count; i++, keyword = strchr(keyword, ':') + 1)
        class_take(c, tree, class_model, keyword, node->send.arguments[i]);
    return true;
}

/* Trait named: #TPoint uses: {} category: 'Kernel' */
static bool chunk_trait_definition(Chunks *c, const Method *tree, const Node *node)
{
    if (node->kind != NODE_SEND || !node_is_name(node->send.receiver) ||
        strcmp(node->send.receiver->use.name, "Trait") != 0 ||
        strncmp(node->send.selector, "named:", 6) != 0)
        return false;
    const Node *at = node->send.arguments[0];
    const char *name = literal_text(c, at);
    ClassModel *trait =
        name ? program_define(c->program, name, tree->source, at->start, at->end) : NULL;
    if (!trait)
        return name != NULL;
    trait->is_trait = true;
    const char *keyword = strchr(node->send.selector, ':') + 1;
    for (size_t i = 1; i < node->send.argument_count; i++, keyword = strchr(keyword, ':') + 1)
        class_take(c, tree, trait, keyword, node->send.arguments[i]);
    return true;
}

/* Point class uses: TPoint classTrait [instanceVariableNames: 'a b'] */
static bool chunk_class_uses(Chunks *c, const Node *node, const Method *tree)
{
    const char *name;
    bool class_side;
    if (node->kind != NODE_SEND || strncmp(node->send.selector, "uses:", 5) != 0 ||
        !node_class_name(node->send.receiver, &name, &class_side) || !class_side)
        return false;
    ClassModel *user = program_class(c->program, name, tree->source, node->start, node->end);
    user->compositions[1] = (Composition){tree->source, node->send.arguments[0]};
    const char *text =
        node->send.argument_count > 1 ? literal_text(c, node->send.arguments[1]) : NULL;
    if (text)
        user->class_instance_names = split_names(c, text);
    return true;
}

/* Point class instanceVariableNames: 'a b' */
static bool chunk_class_variables(Chunks *c, const Node *node, const Method *tree)
{
    const char *name, *text;
    bool class_side;
    if (node->kind != NODE_SEND || strcmp(node->send.selector, "instanceVariableNames:") != 0 ||
        !node_class_name(node->send.receiver, &name, &class_side) || !class_side ||
        !(text = literal_text(c, node->send.arguments[0])))
        return false;
    program_class(c->program, name, tree->source, node->start, node->end)->class_instance_names =
        split_names(c, text);
    return true;
}

static bool chunk_class_comment(Chunks *c, const Node *node, const Method *tree)
{
    const char *name, *text;
    bool class_side;
    if (node->kind != NODE_SEND || strcmp(node->send.selector, "comment:") != 0 ||
        !node_class_name(node->send.receiver, &name, &class_side) ||
        !(text = literal_text(c, node->send.arguments[0])))
        return false;
    program_class(c->program, name, tree->source, node->start, node->end)->comment = text;
    return true;
}

static void chunk_expression(Chunks *c, const SourceText *chunk)
{
    size_t errors = c->program->tools->diagnostics->error_count;
    if (text_is_blank(chunk) || strncmp(chunk->text, "]style[", 7) == 0)
        return;
    Method *tree = parse_expression(c->program->tools, chunk, 0, chunk->length);
    if (c->program->tools->diagnostics->error_count != errors || tree->body->statement_count == 0)
        return;
    const Node *node = single_statement(tree);
    if (node && (node->kind == NODE_LITERAL || node->kind == NODE_VARIABLE))
        return; /* 'From Squeak ...' */
    if (node && (chunk_class_definition(c, tree, node) || chunk_trait_definition(c, tree, node) ||
                 chunk_class_uses(c, node, tree) || chunk_class_variables(c, node, tree) ||
                 chunk_class_comment(c, node, tree)))
        return;
    Expression expression = {chunk, 0, chunk->length};
    LIST_ADD(c->program->tools->arena, c->program->expressions, expression);
}

/* --- What a reader reads --- */

static void chunk_methods(Chunks *c, const char *name, bool class_side, const Node *node,
                          const Method *tree)
{
    const char *category =
        node->send.argument_count ? literal_text(c, node->send.arguments[0]) : NULL;
    const char *stamp =
        node->send.argument_count > 1 ? literal_text(c, node->send.arguments[1]) : NULL;
    ClassModel *owner = program_class(c->program, name, tree->source, node->start, node->end);
    while (c->at < c->source->length) {
        const SourceText *chunk = chunks_next(c);
        if (text_is_blank(chunk))
            return;
        MethodModel *method = arena_alloc(c->program->tools->arena, sizeof *method);
        *method = (MethodModel){.owner = owner,
                                .class_side = class_side,
                                .source = chunk,
                                .body_end = chunk->length,
                                .category = category,
                                .stamp = stamp};
        program_add_method(c->program, method);
    }
}

static void chunk_reader(Chunks *c)
{
    const SourceText *chunk = chunks_next(c);
    size_t errors = c->program->tools->diagnostics->error_count;
    Method *tree = parse_expression(c->program->tools, chunk, 0, chunk->length);
    const Node *node = single_statement(tree);
    const char *name;
    bool class_side;
    if (c->program->tools->diagnostics->error_count != errors)
        return;
    if (!node || node->kind != NODE_SEND ||
        !node_class_name(node->send.receiver, &name, &class_side)) {
        if (node)
            chunk_error(c, tree, node, "a class and methodsFor: or commentStamp:prior: expected");
        return;
    }
    const char *selector = node->send.selector;
    if (strncmp(selector, "methodsFor:", 11) == 0 || strcmp(selector, "publicMethods") == 0) {
        chunk_methods(c, name, class_side, node, tree);
    } else if (strncmp(selector, "commentStamp:", 13) == 0) {
        const SourceText *comment = chunks_next(c);
        program_class(c->program, name, tree->source, node->start, node->end)->comment =
            comment->text;
    } else if (strcmp(selector, "reorganize") == 0) {
        chunks_next(c);
    } else {
        chunk_error(c, tree, node, "methodsFor: or commentStamp:prior: expected");
    }
}

void chunk_read(Program *program, const SourceText *source)
{
    Chunks c = {program, source, 0};
    for (chunks_skip(&c); c.at < source->length; chunks_skip(&c)) {
        if (source->text[c.at] == '!' &&
            !(c.at + 1 < source->length && source->text[c.at + 1] == '!')) {
            c.at++;
            chunk_reader(&c);
        } else {
            chunk_expression(&c, chunks_next(&c));
        }
    }
}
