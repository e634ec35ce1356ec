#include "pragma.h"

#include <string.h>

#include "list.h"
#include "number.h"

enum { LARGEST_PRIMITIVE = 32767, EXTERNAL_CALL = 117, FOREIGN_CALL = 120 };

bool pragma_is_primitive(const Pragma *pragma)
{
    static const char *const selectors[] = {
        "primitive:",
        "primitive:error:",
        "primitive:module:",
        "primitive:module:error:",
        "primitive:error:module:",
        "cdecl:",
        "cdecl:error:",
        "apicall:",
        "apicall:error:",
    };
    for (size_t i = 0; i < sizeof selectors / sizeof selectors[0]; i++)
        if (strcmp(pragma->selector, selectors[i]) == 0)
            return true;
    return false;
}

/* The argument behind a keyword such as "error:", or NULL. */
static Literal *pragma_argument(const Pragma *pragma, const char *keyword)
{
    size_t index = 0;
    for (const char *part = pragma->selector; *part; part = strchr(part, ':') + 1, index++)
        if (strncmp(part, keyword, strlen(keyword)) == 0)
            return pragma->arguments[index];
    return NULL;
}

static bool literal_is_text(const Literal *literal)
{
    return literal->kind == LITERAL_STRING || literal->kind == LITERAL_SYMBOL;
}

static Literal *literal_symbol(CompileTools *tools, const Literal *text)
{
    Literal *symbol = arena_alloc(tools->arena, sizeof *symbol);
    symbol->kind = LITERAL_SYMBOL;
    symbol->name = names_get(tools->names, (const char *)text->bytes, text->byte_count);
    symbol->bytes = (const uint8_t *)symbol->name;
    symbol->byte_count = strlen(symbol->name);
    return symbol;
}

/* The Array {module or nil. function. 0. 0} that the VM links. */
static Literal *external_call_literal(CompileTools *tools, const Literal *function,
                                      const Literal *module)
{
    Literal *array = arena_alloc(tools->arena, sizeof *array);
    array->kind = LITERAL_ARRAY;
    array->element_count = 4;
    array->elements = arena_alloc(tools->arena, 4 * sizeof *array->elements);
    array->elements[0] =
        module ? literal_symbol(tools, module) : arena_alloc(tools->arena, sizeof *array);
    array->elements[1] = literal_symbol(tools, function);
    for (int i = 2; i < 4; i++) {
        array->elements[i] = arena_alloc(tools->arena, sizeof *array);
        literal_set_integer(tools->arena, array->elements[i], 0);
    }
    return array;
}

static void method_set_error_variable(CompileTools *tools, Method *method, const Pragma *pragma,
                                      const Literal *name)
{
    Variable *variable = arena_alloc(tools->arena, sizeof *variable);
    variable->kind = VARIABLE_TEMP;
    variable->name = names_get(tools->names, (const char *)name->bytes, name->byte_count);
    variable->start = pragma->start;
    variable->end = pragma->end;
    variable->scope = method->body;
    variable->is_written = true;
    method->error_variable = variable;
}

static const char *method_take_primitive(CompileTools *tools, Method *method, const Pragma *pragma)
{
    const Literal *primitive = pragma->arguments[0];
    const Literal *module = pragma_argument(pragma, "module:");
    const Literal *error = pragma_argument(pragma, "error:");
    int64_t number;
    if (method->has_primitive)
        return "a method can have only one primitive";
    if (module && module->kind == LITERAL_NIL)
        module = NULL;
    if (error && !literal_is_text(error))
        return "the name of the error variable expected behind error:";
    if (primitive->kind == LITERAL_FUNCTION) {
        method->primitive = FOREIGN_CALL;
        method->primitive_literal = pragma->arguments[0];
    } else if (literal_is_text(primitive)) {
        if (module && !literal_is_text(module))
            return "the name of a module, or nil, expected behind module:";
        method->primitive = EXTERNAL_CALL;
        method->primitive_literal = external_call_literal(tools, primitive, module);
    } else if (!module && literal_get_integer(primitive, &number) && number > 0 &&
               number <= LARGEST_PRIMITIVE) {
        method->primitive = (unsigned)number;
    } else {
        return "a primitive's number (1 to 32767) or name expected";
    }
    method->has_primitive = true;
    if (error)
        method_set_error_variable(tools, method, pragma, error);
    return NULL;
}

void pragmas_find_primitive(CompileTools *tools, Method *method)
{
    for (size_t i = 0; i < method->pragma_count; i++) {
        const Pragma *pragma = &method->pragmas[i];
        const char *message = NULL;
        if (pragma_is_primitive(pragma))
            message = method_take_primitive(tools, method, pragma);
        if (message)
            diagnostics_error(tools->diagnostics, method->source, pragma->start, pragma->end, "%s",
                              message);
    }
}
