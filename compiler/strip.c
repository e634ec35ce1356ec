#include "strip.h"

#include <string.h>

#include "kernel/base/text.h"
#include "kernel/bytecode/opcodes.h"
#include "list.h"

typedef struct {
    Program *program;
    Names *names;
    NameTable selectors; /* sent or held somewhere in reached code */
    NameTable classes;   /* reached, by name */
    bool changed;
} Strip;

static const char *const vm_selectors[] = {
    "doesNotUnderstand:", "cannotReturn:", "mustBeBoolean", "cannotInterpret:",
    "aboutToReturn:through:", "run:with:in:", "attemptToAssign:withIndex:",
    "invokeCallbackContext:", "unusedBytecode", "conditionalBranchCounterTrippedOn:",
    "classTrapFor:", "initialize", "caseError",
};

static void reach_selector(Strip *s, const char *name)
{
    const char *selector = names_of(s->names, name);
    if (name_table_get(&s->selectors, selector))
        return;
    name_table_put(&s->selectors, selector, s);
    s->changed = true;
}

static bool is_reached(const Strip *s, const ClassModel *class_model)
{
    return name_table_get(&s->classes, class_model->name) != NULL;
}

static void reach_class(Strip *s, ClassModel *class_model)
{
    for (; class_model && !is_reached(s, class_model); class_model = class_model->superclass) {
        name_table_put(&s->classes, class_model->name, class_model);
        s->changed = true;
        for (size_t i = 0; i < class_model->pools.count; i++)
            reach_class(s, name_table_get(&s->program->by_name, class_model->pools.items[i]));
    }
}

static void reach_code(Strip *s, const CompiledCode *code);

static void reach_literal(Strip *s, const Literal *literal)
{
    switch (literal->kind) {
    case LITERAL_SYMBOL: reach_selector(s, (const char *)literal->bytes); break;
    case LITERAL_VARIABLE:
        reach_class(s, name_table_get(&s->program->by_name, names_of(s->names, literal->name)));
        break;
    case LITERAL_CODE: reach_code(s, literal->code_block); break;
    case LITERAL_ARRAY:
    case LITERAL_PRAGMA:
    case LITERAL_METHOD_STATE:
        for (size_t i = 0; i < literal->element_count; i++)
            reach_literal(s, literal->elements[i]);
        break;
    default: break;
    }
}

/* The last but one literal of a method is its own selector, which it need not send. */
static void reach_code(Strip *s, const CompiledCode *code)
{
    size_t own = code->is_block || code->literal_count < 2 ? SIZE_MAX : code->literal_count - 2;
    for (size_t i = 0; i < code->literal_count; i++)
        if (i != own || code->literals[i]->kind == LITERAL_METHOD_STATE)
            reach_literal(s, code->literals[i]);
}

static bool method_is_reached(const Strip *s, const MethodModel *method)
{
    return method->code && name_table_get(&s->selectors, method->code->selector);
}

static void reach_methods(Strip *s)
{
    for (size_t i = 0; i < s->program->classes.count; i++) {
        const ClassModel *each = s->program->classes.items[i];
        for (int side = 0; side < 2 && is_reached(s, each); side++)
            for (size_t j = 0; j < each->methods[side].count; j++)
                if (method_is_reached(s, each->methods[side].items[j]))
                    reach_code(s, each->methods[side].items[j]->code);
    }
}

static void reach_roots(Strip *s, ClassModel *const roles[ROLE_COUNT], const CompiledCode *start)
{
    for (size_t i = 0; i < sizeof vm_selectors / sizeof *vm_selectors; i++)
        reach_selector(s, vm_selectors[i]);
    for (int i = 0; i < SPECIAL_SELECTOR_COUNT; i++)
        reach_selector(s, special_selectors[i].name);
    for (int role = 0; role < ROLE_COUNT; role++)
        reach_class(s, roles[role]);
    reach_code(s, start);
}

/* --- Leaving out --- */

static void strip_methods(Strip *s, ClassModel *class_model, int side, Text *report)
{
    MethodList *list = &class_model->methods[side];
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        MethodModel *method = list->items[i];
        if (!method->code || method_is_reached(s, method))
            list->items[kept++] = method;
        else {
            text_put_string(report, class_model->name);
            text_put_string(report, side ? " class>>" : ">>");
            text_put_string(report, method->code->selector);
            text_put_string(report, "\n");
        }
    }
    list->count = kept;
}

static size_t count_methods(const Program *program)
{
    size_t count = 0;
    for (size_t i = 0; i < program->classes.count; i++)
        for (int side = 0; side < 2; side++)
            count += program->classes.items[i]->methods[side].count;
    return count;
}

static void strip_classes(Strip *s, Text *report)
{
    ClassList *list = &s->program->classes;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        ClassModel *each = list->items[i];
        if (!is_reached(s, each)) {
            text_put_string(report, each->name);
            text_put_string(report, "\n");
            name_table_put(&s->program->by_name, each->name, NULL);
            continue;
        }
        for (int side = 0; side < 2; side++)
            strip_methods(s, each, side, report);
        list->items[kept++] = each;
    }
    list->count = kept;
}

StripResult program_strip(Program *program, ClassModel *const roles[ROLE_COUNT],
                          const CompiledCode *start)
{
    Strip strip = {.program = program, .names = program->tools->names}, *s = &strip;
    Text report = {.arena = program->tools->arena};
    StripResult result = {.classes = program->classes.count, .methods = count_methods(program)};
    name_table_init(&s->selectors, program->tools->arena);
    name_table_init(&s->classes, program->tools->arena);
    reach_roots(s, roles, start);
    do {
        s->changed = false;
        reach_methods(s);
    } while (s->changed);
    text_put_string(&report, "");
    strip_classes(s, &report);
    result.kept_classes = program->classes.count;
    result.kept_methods = count_methods(program);
    result.report = report.start;
    return result;
}
