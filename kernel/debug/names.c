#include "kernel/debug/names.h"

#include <stdio.h>

#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/objects.h"

enum { SUPERCLASSES_MAX = 1000 };

/* ---- Texts ---- */

static bool is_text(Oop oop)
{
    return is_object(oop) && format_is_bytes(object_format(oop));
}

static bool text_is(Oop oop, const char *text)
{
    size_t length = strlen(text);
    return is_text(oop) && bits_byte_count(oop) == length &&
           memcmp(object_bytes(oop), text, length) == 0;
}

/* `before`, the bytes as far as they are printable and there is room, `after`. */
static void put_text(char *name, const char *before, Oop text, const char *after)
{
    enum { WHOLE = 60 };
    Word count = bits_byte_count(text), shown = count <= WHOLE ? count : WHOLE;
    size_t used = (size_t)snprintf(name, NAME_MAX_BYTES, "%s", before);
    for (Word i = 0; i < shown; i++) {
        uint8_t byte = object_bytes(text)[i];
        name[used++] = byte >= ' ' && byte < 127 ? (char)byte : '.';
    }
    snprintf(name + used, NAME_MAX_BYTES - used, "%s%s", shown < count ? "..." : "", after);
}

/* ---- Objects ---- */

static bool looks_like_class(Vm *vm, Oop oop)
{
    SWord format;
    return is_object(oop) && !is_forwarded(oop) && vm_class_format(oop, &format) &&
           object_slot_count(oop) > CLASS_FORMAT + 2;
}

static void name_immediate(Oop oop, char *name)
{
    if (is_small_integer(oop))
        snprintf(name, NAME_MAX_BYTES, "%" PRIdWORD, small_integer_value(oop));
    else if (is_small_float(oop))
        snprintf(name, NAME_MAX_BYTES, "%.17g", small_float_value(oop));
    else if (character_code(oop) > ' ' && character_code(oop) < 127)
        snprintf(name, NAME_MAX_BYTES, "$%c", (char)character_code(oop));
    else
        snprintf(name, NAME_MAX_BYTES, "Character value: 0x%X", (unsigned)character_code(oop));
}

static bool name_constant(Vm *vm, Oop oop, char *name)
{
    const char *constant = oop == vm->heap.nil             ? "nil"
                           : oop == vm->heap.true_object  ? "true"
                           : oop == vm->heap.false_object ? "false"
                                                          : NULL;
    if (constant)
        snprintf(name, NAME_MAX_BYTES, "%s", constant);
    return constant != NULL;
}

static void name_instance(Vm *vm, Oop oop, char *name)
{
    char class[96];
    vm_class_name(vm, follow(heap_class_of(&vm->heap, oop)), class, sizeof class);
    snprintf(name, NAME_MAX_BYTES, "%s %s", strchr("AEIOU", class[0]) ? "an" : "a", class);
}

/* A binding: an Association or the like, with a name for a key. */
static bool name_binding(Vm *vm, Oop oop, char *name)
{
    char value[NAME_MAX_BYTES];
    if (object_format(oop) != FORMAT_FIXED || object_slot_count(oop) < 2 ||
        object_slot_count(oop) > 4 || !is_text(object_slot(oop, ASSOCIATION_KEY)))
        return false;
    Oop held = follow(object_slot(oop, ASSOCIATION_VALUE));
    put_text(name, "", object_slot(oop, ASSOCIATION_KEY), "");
    if (looks_like_class(vm, held) || name_constant(vm, held, value))
        return true; /* the name says it */
    if (is_object(held))
        name_instance(vm, held, value);
    else
        name_immediate(held, value);
    size_t used = strlen(name);
    snprintf(name + used, NAME_MAX_BYTES - used, " (%s)", value);
    return true;
}

static bool name_bits(Vm *vm, Oop oop, char *name)
{
    Oop selector = heap_special(&vm->heap, SPECIAL_DOES_NOT_UNDERSTAND);
    if (object_class_index(oop) == CLASS_FLOAT) {
        double value;
        memcpy(&value, object_bytes(oop), sizeof value);
        snprintf(name, NAME_MAX_BYTES, "%.17g", value);
        return true;
    }
    if (!is_text(oop))
        return false;
    if (object_class_index(oop) == object_class_index(selector))
        put_text(name, "#", oop, "");
    else if (object_class_index(oop) == CLASS_BYTE_STRING)
        put_text(name, "'", oop, "'");
    else
        return false;
    return true;
}

void name_object(Vm *vm, Oop oop, char name[NAME_MAX_BYTES])
{
    oop = follow(oop);
    if (!is_object(oop))
        name_immediate(oop, name);
    else if (name_constant(vm, oop, name) || name_bits(vm, oop, name))
        return;
    else if (is_code(oop))
        name_code(vm, oop, name);
    else if (looks_like_class(vm, oop))
        vm_class_name(vm, oop, name, NAME_MAX_BYTES);
    else if (!name_binding(vm, oop, name))
        name_instance(vm, oop, name);
}

void name_class_index(Vm *vm, Word index, char name[NAME_MAX_BYTES])
{
    Oop class =
        heap_class_exists(&vm->heap, index) ? follow(heap_class_at(&vm->heap, index)) : NO_OOP;
    if (class && class != vm->heap.nil)
        vm_class_name(vm, class, name, NAME_MAX_BYTES);
    else
        snprintf(name, NAME_MAX_BYTES, "class %" PRIuWORD, index);
}

/* ---- Code ---- */

Oop name_home_of_code(Vm *vm, Oop code)
{
    for (int depth = 0; depth < 256; depth++) {
        Word count = method_literal_count(&vm->heap, code);
        Oop outer = count ? follow(object_slot(code, count)) : vm->heap.nil;
        if (!is_code(outer))
            break;
        code = outer;
    }
    return code;
}

Oop name_class_of_code(Vm *vm, Oop code)
{
    Oop home = name_home_of_code(vm, code);
    Word count = method_literal_count(&vm->heap, home);
    Oop binding = count ? follow(object_slot(home, count)) : vm->heap.nil;
    if (is_object(binding) && format_is_pointers(object_format(binding)) &&
        object_slot_count(binding) > ASSOCIATION_VALUE)
        return follow(object_slot(binding, ASSOCIATION_VALUE));
    return vm->heap.nil;
}

/* The last but one literal: the selector, or an object that holds it. */
static Oop selector_of(Vm *vm, Oop method)
{
    Word count = method_literal_count(&vm->heap, method);
    Oop literal = count >= 2 ? follow(object_slot(method, count - 1)) : vm->heap.nil;
    if (is_object(literal) && format_is_pointers(object_format(literal)) &&
        object_slot_count(literal) > 1)
        literal = follow(object_slot(literal, 1));
    return literal;
}

void name_code(Vm *vm, Oop code, char name[NAME_MAX_BYTES])
{
    char class[64] = "?", selector[NAME_MAX_BYTES] = "?";
    Oop home = name_home_of_code(vm, code), in = name_class_of_code(vm, code);
    if (in != vm->heap.nil)
        vm_class_name(vm, in, class, sizeof class);
    if (is_text(selector_of(vm, home)))
        put_text(selector, "", selector_of(vm, home), "");
    snprintf(name, NAME_MAX_BYTES, "%s%s>>%.80s", home == code ? "" : "[] in ", class, selector);
}

/* ---- The VM's variables and spaces ---- */

#define VARIABLE(field, text) {offsetof(Vm, field), text}
static const struct {
    size_t offset;
    const char *name;
} variables[] = {
    VARIABLE(heap.nil, "nil"),
    VARIABLE(heap.false_object, "false"),
    VARIABLE(heap.true_object, "true"),
    VARIABLE(heap.eden_free, "eden_free"),
    VARIABLE(heap.eden_limit, "eden_limit"),
    VARIABLE(heap.old_start, "old_start"),
    VARIABLE(heap.marking, "marking"),
    VARIABLE(heap.hidden_roots, "hidden_roots"),
    VARIABLE(heap.special_objects, "special_objects"),
    VARIABLE(sp, "sp"),
    VARIABLE(fp, "fp"),
    VARIABLE(ip, "ip"),
    VARIABLE(stack_limit, "stack_limit"),
    VARIABLE(page_limit, "page_limit"),
    VARIABLE(poll_budget, "poll_budget"),
    VARIABLE(new_method, "new_method"),
    VARIABLE(jit.c_sp, "c_sp"),
    VARIABLE(jit.leaf_pc, "leaf_pc"),
    VARIABLE(jit.failure, "failure"),
};

bool name_variable(SWord offset, char name[NAME_MAX_BYTES])
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if ((size_t)offset == variables[i].offset) {
            snprintf(name, NAME_MAX_BYTES, "%s", variables[i].name);
            return true;
        }
    return false;
}

const char *name_space(const Vm *vm, Word address)
{
    const Heap *heap = &vm->heap;
    Interp *interp = interp_of((Vm *)vm);
    if (address - pointer_word(vm) < sizeof *vm)
        return "VM variables";
    if (jit_is_pc(vm, address))
        return "code zone";
    if (interp && interp->page_count &&
        address - interp->zone_start < (Word)interp->page_count * PAGE_BYTES)
        return "stack zone";
    if (address - heap->new_start < heap->new_end - heap->new_start)
        return "new space";
    if (address - heap->old_start < heap->old_end - heap->old_start)
        return "old space";
    return NULL;
}

/* ---- Finding by name ---- */

static bool has_name(Vm *vm, Oop class, const char *name)
{
    char text[NAME_MAX_BYTES];
    if (!looks_like_class(vm, class))
        return false;
    vm_class_name(vm, class, text, sizeof text);
    return strcmp(text, name) == 0;
}

Oop find_class(Vm *vm, const char *name)
{
    for (Word index = 1; heap_class_exists(&vm->heap, index); index++) {
        Oop class = follow(heap_class_at(&vm->heap, index));
        if (class != vm->heap.nil && has_name(vm, class, name))
            return class;
    }
    return NO_OOP;
}

static Oop method_at(Oop class, const char *selector)
{
    Oop dictionary = follow(object_slot(class, CLASS_METHOD_DICT));
    if (!is_object(dictionary) || object_slot_count(dictionary) <= METHOD_DICT_SELECTORS)
        return NO_OOP;
    Oop methods = follow(object_slot(dictionary, METHOD_DICT_METHODS));
    for (Word s = METHOD_DICT_SELECTORS; s < object_slot_count(dictionary); s++)
        if (text_is(follow(object_slot(dictionary, s)), selector))
            return follow(object_slot(methods, s - METHOD_DICT_SELECTORS));
    return NO_OOP;
}

Oop find_method(Vm *vm, Oop class, const char *selector)
{
    Oop method = NO_OOP;
    /* a damaged image may have a ring of superclasses */
    for (unsigned depth = 0; !method && depth < SUPERCLASSES_MAX && looks_like_class(vm, class);
         depth++) {
        method = method_at(class, selector);
        class = follow(object_slot(class, CLASS_SUPERCLASS));
    }
    return method;
}
