#include "kernel/debug/code_names.h"

#include <stdio.h>

#include "compiler/codegen.h"
#include "kernel/bytecode/trailer.h"
#include "kernel/debug/names.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/objects.h"

/* ---- Instance variables ---- */

static bool is_text(Oop oop)
{
    return is_object(oop) && format_is_bytes(object_format(oop));
}

static Word own_field_count(Oop class)
{
    SWord format, inherited = 0;
    if (!vm_class_format(class, &format))
        return 0;
    Oop super = follow(object_slot(class, CLASS_SUPERCLASS));
    if (is_object(super))
        vm_class_format(super, &inherited);
    Word all = class_format_fixed_fields(format), above = class_format_fixed_fields(inherited);
    return all > above ? all - above : 0;
}

/* Images differ in where a class keeps the names; it is an Array of as many strings. */
static Oop field_array(Oop class, Word count)
{
    for (Word i = CLASS_FORMAT + 1; i < object_slot_count(class); i++) {
        Oop array = follow(object_slot(class, i));
        if (!is_object(array) || object_format(array) != FORMAT_INDEXABLE ||
            object_slot_count(array) != count)
            continue;
        Word texts = 0;
        while (texts < count && is_text(follow(object_slot(array, texts))))
            texts++;
        if (texts == count)
            return array;
    }
    return NO_OOP;
}

const char **class_field_names(Vm *vm, Oop class, Arena *arena, size_t *count)
{
    enum { DEEPEST = 100 };
    Oop chain[DEEPEST];
    size_t depth = 0, used = 0, total = 0;
    for (SWord f; depth < DEEPEST && is_object(class) && vm_class_format(class, &f);
         class = follow(object_slot(class, CLASS_SUPERCLASS))) {
        total += own_field_count(class);
        chain[depth++] = class;
    }
    const char **names = arena_alloc(arena, (total + 1) * sizeof *names);
    while (depth-- > 0) {
        Word own = own_field_count(chain[depth]);
        Oop array = own ? field_array(chain[depth], own) : NO_OOP;
        for (Word i = 0; i < own; i++) {
            Oop text = array ? follow(object_slot(array, i)) : NO_OOP;
            names[used++] = text ? arena_copy(arena, (char *)object_bytes(text),
                                                 bits_byte_count(text))
                                 : "?";
        }
    }
    (void)vm;
    *count = used;
    return names;
}

/* ---- Temporaries ---- */

static bool anything_is_bound(void *owner, const char *name)
{
    (void)owner, (void)name;
    return true;
}

/* The frame of a method as the compiler lays it out: its text is compiled again. */
static void find_temps(CodeNames *names, Vm *vm, Oop method)
{
    char class[NAME_MAX_BYTES];
    Arena *arena = names->arena;
    Diagnostics diagnostics;
    CompileTools tools = {.arena = arena, .names = names_new(arena), .diagnostics = &diagnostics};
    diagnostics_init(&diagnostics, arena);
    name_object(vm, name_class_of_code(vm, method), class);
    const char **fields = arena_alloc(arena, (names->field_count + 1) * sizeof *fields);
    for (size_t i = 0; i < names->field_count; i++)
        fields[i] = names_of(tools.names, names->fields[i]);
    ClassScope scope = {.class_name = names_of(tools.names, class), .instance_names = fields,
                        .instance_count = names->field_count, .has_binding = anything_is_bound};
    const SourceText *source = source_new(arena, "(source)", names->source, names->source_length);
    Method *tree = parse_method(&tools, source, 0, names->source_length);
    bool sista = method_header_is_sista(method_header(&vm->heap, method));
    if (diagnostics.error_count ||
        !compile_method(&tools, tree, &scope, sista ? SET_SISTA : SET_V3))
        return;
    const VariableList *lists[] = {&tree->body->arguments, &tree->body->temps};
    names->temps = arena_alloc(arena, 256 * sizeof *names->temps);
    for (int list = 0; list < 2; list++)
        for (size_t i = 0; i < lists[list]->count && names->temp_count < 256; i++) {
            const Variable *variable = lists[list]->items[i];
            names->temps[names->temp_count++] = variable->is_vector ? "(shared)" : variable->name;
        }
}

void code_names_open(CodeNames *names, Vm *vm, Oop code)
{
    Oop home = name_home_of_code(vm, code);
    *names = (CodeNames){.arena = arena_new()};
    Oop class = name_class_of_code(vm, home);
    if (class != vm->heap.nil)
        names->fields = class_field_names(vm, class, names->arena, &names->field_count);
    names->source =
        trailer_source(object_bytes(home), bits_byte_count(home), &names->source_length);
    if (!names->source)
        return;
    names->source = arena_copy(names->arena, names->source, names->source_length);
    if (home == code)
        find_temps(names, vm, home);
}

void code_names_close(CodeNames *names)
{
    arena_free(names->arena);
}

const char *code_names_temp(const CodeNames *names, unsigned index, char buffer[16])
{
    if (names && index < names->temp_count && names->temps[index])
        return names->temps[index];
    snprintf(buffer, 16, "t%u", index);
    return buffer;
}
