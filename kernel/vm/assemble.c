/* `osvm asm`: methods written as bytecodes, checked, listed, and put into an image.
 *
 * Literals are found in the image by value or by name; what the image would have to
 * be taught first (a symbol it does not know, a class it has not) is refused, since
 * only its own code knows how its tables are kept.
 */
#include "kernel/vm/assemble.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/arena.h"
#include "kernel/base/read_text.h"
#include "kernel/bytecode/asm.h"
#include "kernel/bytecode/disasm.h"
#include "kernel/bytecode/verify.h"
#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"

typedef struct {
    Vm *vm;
    Oop class;        /* the methods' class */
    AssembleNames names;
    OsvmError *error;
    bool failed;
} Assembly;

static Oop refuse(Assembly *a, const char *format, const char *what)
{
    if (!a->failed)
        a->vm->setup->host->fail(a->error, OSVM_BAD_DATA, format, what);
    a->failed = true;
    return NO_OOP;
}

static Oop need_memory(Assembly *a, Oop object)
{
    return object ? object : refuse(a, "%s", "no memory left for the methods");
}

/* ---- Finding things in the image ---- */

static Oop next_after(Vm *vm, Oop object)
{
    Mm *mm = vm->heap.mm;
    return object ? mm->ops->next_object(mm, object) : mm->ops->first_object(mm);
}

static bool has_text(Oop oop, const uint8_t *bytes, size_t count)
{
    return is_object(oop) && format_is_bytes(object_format(oop)) && bits_byte_count(oop) == count &&
           memcmp(object_bytes(oop), bytes, count) == 0;
}

static Oop new_symbol(Assembly *a, const uint8_t *bytes, size_t count, Word class_index)
{
    Oop symbol = heap_new_bytes(&a->vm->heap, (Word)count, class_index);
    if (symbol && count)
        memcpy(object_bytes(symbol), bytes, count);
    return need_memory(a, symbol);
}

/* Like the one of the scheduler, but not known to the image. */
static Oop new_binding(Assembly *a, Oop key)
{
    Heap *heap = &a->vm->heap;
    Oop example = follow(heap_special(heap, SPECIAL_SCHEDULER_ASSOCIATION));
    Oop binding = heap_new_pointers(heap, object_slot_count(example), FORMAT_FIXED,
                                    object_class_index(example));
    if (need_memory(a, binding) && key)
        heap_store(heap, binding, ASSOCIATION_KEY, key);
    return binding;
}

static Oop find_symbol(Assembly *a, const uint8_t *bytes, size_t count)
{
    Heap *heap = &a->vm->heap;
    Oop known = follow(heap_special(heap, SPECIAL_DOES_NOT_UNDERSTAND));
    Word symbols = object_class_index(known);
    for (Oop object = next_after(a->vm, NO_OOP); object; object = next_after(a->vm, object))
        if (object_class_index(object) == symbols && has_text(object, bytes, count))
            return object;
    if (a->names == NAMES_ARE_MADE)
        return new_symbol(a, bytes, count, symbols);
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)(count < 100 ? count : 100), (const char *)bytes);
    return refuse(a, "the image has no symbol #%s", name);
}

static Oop find_class(Assembly *a, const char *name)
{
    char found[256];
    SWord format;
    for (Oop object = next_after(a->vm, NO_OOP); object; object = next_after(a->vm, object)) {
        if (!vm_class_format(object, &format))
            continue;
        vm_class_name(a->vm, object, found, sizeof found);
        if (strcmp(found, name) == 0)
            return object;
    }
    return refuse(a, "the image has no class %s", name);
}

/* A binding is a fixed object of two slots or more. */
static bool is_binding(Oop object)
{
    return object_format(object) == FORMAT_FIXED && object_slot_count(object) >= 2 &&
           object_slot_count(object) <= 4;
}

static Oop find_variable(Assembly *a, const char *name)
{
    Oop symbol = find_symbol(a, (const uint8_t *)name, strlen(name));
    for (Oop object = next_after(a->vm, NO_OOP); symbol && object;
         object = next_after(a->vm, object))
        if (is_binding(object) && follow(object_slot(object, ASSOCIATION_KEY)) == symbol)
            return object;
    if (symbol && a->names == NAMES_ARE_MADE)
        return new_binding(a, symbol);
    return refuse(a, "the image has no variable %s", name);
}

/* The binding of a class; one that has none, as metaclasses, gets one of the same kind. */
static Oop class_binding(Assembly *a, Oop class)
{
    Heap *heap = &a->vm->heap;
    for (Oop object = next_after(a->vm, NO_OOP); object; object = next_after(a->vm, object))
        if (is_binding(object) && follow(object_slot(object, ASSOCIATION_VALUE)) == class &&
            object_slot_count(object) == 2)
            return object;
    Oop binding = new_binding(a, NO_OOP);
    if (binding)
        heap_store(heap, binding, ASSOCIATION_VALUE, class);
    return binding;
}

/* ---- Literals ---- */

/* `from` may be NULL where there is nothing to copy. */
static void copy_bytes(uint8_t *to, const uint8_t *from, size_t count)
{
    if (count)
        memcpy(to, from, count);
}

static Oop integer_literal(Assembly *a, const Literal *literal)
{
    uint64_t magnitude = 0;
    if (literal->byte_count <= 8) {
        memcpy(&magnitude, literal->bytes, literal->byte_count);
        return vm_wide_oop(a->vm, literal->negative ? -(__int128)magnitude : (__int128)magnitude);
    }
    Oop large = heap_new_bytes(&a->vm->heap, (Word)literal->byte_count,
                               literal->negative ? CLASS_LARGE_NEGATIVE : CLASS_LARGE_POSITIVE);
    if (large)
        copy_bytes(object_bytes(large), literal->bytes, literal->byte_count);
    return large;
}

/* Decodes one character of well-formed UTF-8. */
static uint32_t next_code(const uint8_t **at)
{
    const uint8_t *byte = *at;
    unsigned more = *byte < 0x80 ? 0 : *byte < 0xE0 ? 1 : *byte < 0xF0 ? 2 : 3;
    uint32_t code = more ? *byte & (0x3Fu >> more) : *byte;
    for (unsigned i = 1; i <= more; i++)
        code = code << 6 | (byte[i] & 0x3F);
    *at = byte + more + 1;
    return code;
}

static Oop string_literal(Assembly *a, const Literal *literal)
{
    const uint8_t *end = literal->bytes + literal->byte_count;
    size_t count = 0;
    uint32_t largest = 0;
    for (const uint8_t *at = literal->bytes; at < end; count++) {
        uint32_t code = next_code(&at);
        largest = code > largest ? code : largest;
    }
    PrimFailure failure;
    Oop class = largest < 256 ? follow(heap_special(&a->vm->heap, SPECIAL_CLASS_BYTE_STRING))
                              : find_class(a, "WideString");
    Oop string = class ? vm_instantiate(a->vm, class, count, &failure) : NO_OOP;
    if (!string)
        return string;
    const uint8_t *at = literal->bytes;
    for (size_t i = 0; i < count; i++) {
        uint32_t code = next_code(&at);
        if (largest < 256)
            object_bytes(string)[i] = (uint8_t)code;
        else
            memcpy(object_bytes(string) + i * 4, &code, 4);
    }
    return string;
}

static Oop byte_array_literal(Assembly *a, const Literal *literal)
{
    PrimFailure failure;
    Oop class = follow(heap_special(&a->vm->heap, SPECIAL_CLASS_BYTE_ARRAY));
    Oop bytes = vm_instantiate(a->vm, class, literal->byte_count, &failure);
    if (bytes)
        copy_bytes(object_bytes(bytes), literal->bytes, literal->byte_count);
    return bytes;
}

static Oop literal_oop(Assembly *a, const Literal *literal, Oop outer);

static Oop array_literal(Assembly *a, const Literal *literal)
{
    Heap *heap = &a->vm->heap;
    Oop array =
        heap_new_pointers(heap, (Word)literal->element_count, FORMAT_INDEXABLE, CLASS_ARRAY);
    for (size_t i = 0; array && i < literal->element_count; i++) {
        Oop element = literal_oop(a, literal->elements[i], NO_OOP);
        if (!element)
            return NO_OOP;
        heap_store(heap, array, (Word)i, element);
    }
    return array;
}

static Oop code_oop(Assembly *a, const CompiledCode *code, Oop outer);

static Oop literal_oop(Assembly *a, const Literal *literal, Oop outer)
{
    Heap *heap = &a->vm->heap;
    switch (literal->kind) {
    case LITERAL_NIL: return heap->nil;
    case LITERAL_TRUE: return heap->true_object;
    case LITERAL_FALSE: return heap->false_object;
    case LITERAL_INTEGER: return need_memory(a, integer_literal(a, literal));
    case LITERAL_FLOAT: return need_memory(a, vm_float_oop(a->vm, literal->real));
    case LITERAL_CHARACTER: return character_oop(literal->code);
    case LITERAL_STRING: return need_memory(a, string_literal(a, literal));
    case LITERAL_SYMBOL: return find_symbol(a, literal->bytes, literal->byte_count);
    case LITERAL_BYTE_ARRAY: return need_memory(a, byte_array_literal(a, literal));
    case LITERAL_ARRAY: return need_memory(a, array_literal(a, literal));
    case LITERAL_VARIABLE: return find_variable(a, literal->name);
    case LITERAL_METHOD_CLASS: {
        Oop class = literal->name ? find_class(a, literal->name) : a->class;
        return class ? class_binding(a, class) : NO_OOP;
    }
    case LITERAL_CODE: return code_oop(a, literal->code_block, outer);
    case LITERAL_OUTER_CODE: return outer ? outer : refuse(a, "%s", "a method has no outer code");
    case LITERAL_SCALED:
    case LITERAL_FRACTION:
        return refuse(a, "%s", "scaled decimals and fractions cannot be put into an image");
    case LITERAL_METHOD_STATE:
    case LITERAL_PRAGMA: return refuse(a, "%s", "pragmas cannot be put into an image");
    case LITERAL_FUNCTION:
        return refuse(a, "%s", "foreign functions cannot be put into an image");
    }
    return refuse(a, "%s", "an unknown kind of literal");
}

/* ---- Code ---- */

static SWord header_of_code(const CompiledCode *code)
{
    SWord header = (SWord)(code->literal_count | (Word)code->has_primitive << 16 |
                           (Word)code->large_frame << 17 | (Word)code->temp_count << 18 |
                           (Word)code->arg_count << 24 | (Word)(code->flags & 3) << 28);
    return code->set == SET_SISTA ? header + SMALL_INTEGER_MIN : header;
}

static Word code_class_index(Assembly *a, const CompiledCode *code)
{
    Oop class = find_class(a, code->is_block ? "CompiledBlock" : "CompiledMethod");
    return class ? vm_class_index(a->vm, class) : 0;
}

static Oop code_oop(Assembly *a, const CompiledCode *code, Oop outer)
{
    Heap *heap = &a->vm->heap;
    Word start = (1 + (Word)code->literal_count) * WORD_BYTES;
    Word bytes = start + (Word)(code->bytecode_count + code->trailer_count);
    Word class_index = code_class_index(a, code);
    if (!class_index)
        return NO_OOP;
    Oop oop = heap_new_bits(heap, slots_for_bytes(bytes),
                            format_for_bytes(bytes) - FORMAT_BYTES + FORMAT_CODE, class_index);
    if (!need_memory(a, oop))
        return NO_OOP;
    heap_store_unchecked(oop, 0, small_integer_oop(header_of_code(code)));
    object_fill(oop, 1, 1 + (Word)code->literal_count, heap->nil);
    copy_bytes(object_bytes(oop) + start, code->bytecodes, code->bytecode_count);
    copy_bytes(object_bytes(oop) + start + code->bytecode_count, code->trailer,
               code->trailer_count);
    for (size_t i = 0; i < code->literal_count; i++) {
        Oop literal = literal_oop(a, code->literals[i],
                                  code->literals[i]->kind == LITERAL_CODE ? oop : outer);
        if (!literal)
            return NO_OOP;
        heap_store(heap, oop, 1 + (Word)i, literal);
    }
    return oop;
}

/* ---- Method dictionaries ---- */

static Word dictionary_start(Oop selector, Word capacity)
{
    return capacity <= 9 ? 0 : header_hash(header_of(selector)) & (capacity - 1);
}

/* Puts the pair where lookup finds it. False: the dictionary is full. */
static bool dictionary_put(Heap *heap, Oop dictionary, Oop selector, Oop method)
{
    Oop methods = follow(object_slot(dictionary, METHOD_DICT_METHODS));
    Word capacity = object_slot_count(dictionary) - METHOD_DICT_SELECTORS;
    for (Word i = 0; i < capacity; i++) {
        Word at = (dictionary_start(selector, capacity) + i) & (capacity - 1);
        Oop key = follow(object_slot(dictionary, METHOD_DICT_SELECTORS + at));
        if (key != heap->nil && key != selector)
            continue;
        if (key == heap->nil) {
            Oop tally = object_slot(dictionary, METHOD_DICT_TALLY);
            SWord count = is_small_integer(tally) ? small_integer_value(tally) : 0;
            heap_store_unchecked(dictionary, METHOD_DICT_TALLY, small_integer_oop(count + 1));
        }
        heap_store(heap, dictionary, METHOD_DICT_SELECTORS + at, selector);
        heap_store(heap, methods, at, method);
        return true;
    }
    return false;
}

static Oop dictionary_of(Assembly *a, Word capacity, Word class_index)
{
    Heap *heap = &a->vm->heap;
    Oop dictionary = heap_new_pointers(heap, METHOD_DICT_SELECTORS + capacity,
                                       FORMAT_INDEXABLE_FIXED, class_index);
    Oop methods = heap_new_pointers(heap, capacity, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (!dictionary || !methods)
        return need_memory(a, NO_OOP);
    heap_store_unchecked(dictionary, METHOD_DICT_TALLY, small_integer_oop(0));
    heap_store(heap, dictionary, METHOD_DICT_METHODS, methods);
    return dictionary;
}

/* Twice as large, with the same pairs. */
static Oop dictionary_grown(Assembly *a, Oop old)
{
    Heap *heap = &a->vm->heap;
    Word capacity = object_slot_count(old) - METHOD_DICT_SELECTORS;
    Oop methods = follow(object_slot(old, METHOD_DICT_METHODS));
    Oop grown = dictionary_of(a, capacity * 2, object_class_index(old));
    for (Word i = 0; grown && i < capacity; i++) {
        Oop key = follow(object_slot(old, METHOD_DICT_SELECTORS + i));
        if (key != heap->nil)
            dictionary_put(heap, grown, key, object_slot(methods, i));
    }
    return grown;
}

static bool install(Assembly *a, Oop class, Oop selector, Oop method)
{
    Heap *heap = &a->vm->heap;
    Oop dictionary = follow(object_slot(class, CLASS_METHOD_DICT));
    if (dictionary == heap->nil)
        return refuse(a, "%s", "the class has no method dictionary"), false;
    Word capacity = object_slot_count(dictionary) - METHOD_DICT_SELECTORS;
    Oop tally = object_slot(dictionary, METHOD_DICT_TALLY);
    if (is_small_integer(tally) && (Word)small_integer_value(tally) * 4 >= capacity * 3) {
        dictionary = dictionary_grown(a, dictionary);
        if (!dictionary)
            return false;
        heap_store(heap, class, CLASS_METHOD_DICT, dictionary);
    }
    return dictionary_put(heap, dictionary, selector, method);
}

/* The selector must be a symbol of the image, the class must exist. */
static bool put_method(Assembly *a, const CompiledCode *code)
{
    if (!code->class_name || !code->selector)
        return refuse(a, "%s", "a method needs a class and a selector to be installed"), false;
    a->class = find_class(a, code->class_name);
    Oop selector =
        a->class ? find_symbol(a, (const uint8_t *)code->selector, strlen(code->selector)) : NO_OOP;
    Oop method = selector ? code_oop(a, code, NO_OOP) : NO_OOP;
    return method && install(a, a->class, selector, method);
}

bool assemble_install(Vm *vm, CompiledCode *const *methods, size_t count, AssembleNames names,
                      OsvmError *error)
{
    Assembly a = {.vm = vm, .names = names, .error = error};
    for (size_t i = 0; i < count && !a.failed; i++)
        put_method(&a, methods[i]);
    return !a.failed;
}

/* ---- Text ---- */

static int64_t read_world(const void *world, int file, void *bytes, size_t size)
{
    return ((const OsvmWorld *)world)->read(world, file, bytes, size);
}

char *assemble_read_file(const OsvmHost *host, const char *path, size_t *length, OsvmError *error)
{
    const OsvmWorld *world = host->world;
    char *text = NULL;
    int file = world->open(world, path, OSVM_READ, 0), failure = -file;
    if (file >= 0) {
        text = read_text(read_world, world, file, length, &failure);
        world->close(world, file);
    }
    if (!text)
        host->fail(error, OSVM_NO_INPUT, "%s: %s", path, strerror(failure));
    return text;
}

/* Prints each method as the assembler writes it back, and what the verifier says. */
bool assemble_list(CompiledCode *const *methods, size_t count, Arena *arena)
{
    bool sound = true;
    for (size_t i = 0; i < count; i++) {
        VerifyFacts facts;
        VerifyError refusal = {0};
        const CompiledCode *where;
        fputs(disasm_list(methods[i], arena), stdout);
        if (!verify_compiled_code(methods[i], arena, &facts, &refusal, &where)) {
            printf("    refused by the verifier%s: pc %u: %s\n",
                   where == methods[i] ? "" : " in a block", refusal.pc, refusal.message);
            sound = false;
        }
    }
    return sound;
}
