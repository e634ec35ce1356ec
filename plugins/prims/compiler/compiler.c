/* The compiler at run time: source text, a class and what is around it in; a
 * description of a method, or of all that is wrong with the text, out. It looks
 * nothing up: names that are neither temporaries nor instance variables come back
 * with their places, and the image binds or refuses them.
 */
#include "describe.h"

enum { ARGUMENTS = 6 };
enum { SOURCE, CLASS_NAME, INSTANCE_NAMES, OUTER_NAMES, OPTIONS, WIDE_STRING };

enum { OPTION_EXPRESSION = 1, OPTION_V3 = 2, OPTION_MAYBE_CONTEXT = 4, OPTION_ALL_WARNINGS = 8 };

typedef struct {
    const OsvmPrimApi *vm;
    OsvmCall *call;
    CompileTools tools;
    Diagnostics diagnostics;
    int64_t options;
    ClassScope scope;
    const SourceText *source;
    Method *method;
    CompiledCode *code;
} Compilation;

/* --- Arguments --- */

/* A String of bytes (each a character) or words, as UTF-8; NULL when the value is none. */
static const char *text_of(Compilation *c, OsvmValue value, size_t *length)
{
    OsvmElements elements;
    if (!c->vm->elements(c->call, value, &elements) ||
        (elements.element_size != 1 && elements.element_size != 4))
        return NULL;
    char *text = arena_alloc(c->tools.arena, elements.count * 4 + 1);
    *length = 0;
    for (size_t i = 0; i < elements.count; i++) {
        uint32_t code = elements.element_size == 1 ? ((const uint8_t *)elements.data)[i]
                                                   : ((const uint32_t *)elements.data)[i];
        if (code > 0x10FFFF)
            return NULL;
        *length += utf8_encode(code, text + *length);
    }
    return text;
}

static const char *name_of(Compilation *c, OsvmValue value)
{
    size_t length;
    const char *text = text_of(c, value, &length);
    return text ? names_get(c->tools.names, text, length) : NULL;
}

static bool names_of_array(Compilation *c, int argument, const char ***names, size_t *count)
{
    OsvmValue array = c->vm->arg(c->call, argument);
    if (!c->vm->is_array(c->call, array))
        return false;
    *count = c->vm->slot_count(c->call, array);
    *names = arena_alloc(c->tools.arena, (*count + 1) * sizeof **names);
    for (size_t i = 0; i < *count; i++)
        if (!((*names)[i] = name_of(c, c->vm->slot(c->call, array, i))))
            return false;
    return true;
}

static bool image_binds_names(void *owner, const char *name)
{
    (void)owner, (void)name;
    return true;
}

static bool take_scope(Compilation *c)
{
    c->scope.class_name = name_of(c, c->vm->arg(c->call, CLASS_NAME));
    c->scope.has_binding = image_binds_names;
    return c->scope.class_name &&
           c->vm->int64(c->call, c->vm->arg(c->call, OPTIONS), &c->options) &&
           names_of_array(c, INSTANCE_NAMES, &c->scope.instance_names, &c->scope.instance_count) &&
           names_of_array(c, OUTER_NAMES, &c->scope.outer_names, &c->scope.outer_count);
}

/* --- The primitive --- */

static bool compile(Compilation *c)
{
    size_t length;
    const char *text = text_of(c, c->vm->arg(c->call, SOURCE), &length);
    if (!text || !take_scope(c))
        return false;
    const SourceText *source = source_new(c->tools.arena, "(source)", text, length);
    c->source = source;
    c->scope.maybe_context = c->options & OPTION_MAYBE_CONTEXT;
    if (c->options & OPTION_ALL_WARNINGS)
        diagnostics_set_warning(&c->diagnostics, "all");
    c->method = c->options & OPTION_EXPRESSION ? parse_expression(&c->tools, source, 0, length)
                                               : parse_method(&c->tools, source, 0, length);
    if (!c->diagnostics.error_count)
        c->code = compile_method(&c->tools, c->method, &c->scope,
                                 c->options & OPTION_V3 ? SET_V3 : SET_SISTA);
    return true;
}

/* {code or nil. diagnostics. bindings wanted} */
static int answer(Compilation *c)
{
    Describer describer = {.vm = c->vm,
                           .call = c->call,
                           .wide_string = c->vm->arg(c->call, WIDE_STRING),
                           .source = c->source,
                           .arena = c->tools.arena};
    Describer *d = &describer;
    OsvmValue bindings = c->code ? describe_bindings(d, c->method) : describe_array(d, 0);
    OsvmValue result = describe_array(d, 3, describe_code(d, c->code),
                                      describe_diagnostics(d, &c->diagnostics), bindings);
    return d->failed ? OSVM_NO_MEMORY : c->vm->result(c->call, result);
}

static int primitive_compile(const OsvmPrimApi *vm, OsvmCall *call)
{
    if (vm->arg_count(call) != ARGUMENTS)
        return OSVM_BAD_ARG_COUNT;
    Compilation compilation = {.vm = vm, .call = call}, *c = &compilation;
    c->tools.arena = arena_new();
    c->tools.names = names_new(c->tools.arena);
    c->tools.diagnostics = &c->diagnostics;
    diagnostics_init(&c->diagnostics, c->tools.arena);
    int status = compile(c) ? answer(c) : OSVM_BAD_ARGUMENT;
    arena_free(c->tools.arena);
    return status;
}

static const OsvmPrim functions[] = {
    {"primitiveCompile", primitive_compile, 2, OSVM_MAY_ALLOCATE},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "CompilerPlugin",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "compiler",
    .version = OSVM_VERSION,
    .summary = "the compiler: source text to methods",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
