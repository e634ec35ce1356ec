#include "literals.h"

#include <string.h>

static bool bytes_equal(const Literal *a, const Literal *b)
{
    return a->byte_count == b->byte_count &&
           (a->byte_count == 0 || memcmp(a->bytes, b->bytes, a->byte_count) == 0);
}

static bool elements_equal(const Literal *a, const Literal *b)
{
    if (a->element_count != b->element_count)
        return false;
    for (size_t i = 0; i < a->element_count; i++)
        if (!literal_equal(a->elements[i], b->elements[i]))
            return false;
    return true;
}

bool literal_equal(const Literal *a, const Literal *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case LITERAL_NIL:
    case LITERAL_TRUE:
    case LITERAL_FALSE: return true;
    case LITERAL_INTEGER: return a->negative == b->negative && bytes_equal(a, b);
    case LITERAL_FLOAT: return memcmp(&a->real, &b->real, sizeof a->real) == 0;
    case LITERAL_CHARACTER: return a->code == b->code;
    case LITERAL_STRING:
    case LITERAL_SYMBOL:
    case LITERAL_BYTE_ARRAY: return bytes_equal(a, b);
    case LITERAL_SCALED: return a->scale == b->scale && elements_equal(a, b);
    case LITERAL_ARRAY: return elements_equal(a, b);
    case LITERAL_VARIABLE: return strcmp(a->name, b->name) == 0;
    case LITERAL_METHOD_CLASS: return true;
    default: return a == b;
    }
}

unsigned slots_add(LiteralSlots *slots, Literal *literal)
{
    if (slots->count == slots->capacity) {
        size_t capacity = slots->capacity ? 2 * slots->capacity : 8;
        slots->items = arena_grow(slots->arena, slots->items, slots->count * sizeof *slots->items,
                                  capacity * sizeof *slots->items);
        slots->uses = arena_grow(slots->arena, slots->uses, slots->count * sizeof *slots->uses,
                                 capacity * sizeof *slots->uses);
        slots->capacity = capacity;
    }
    slots->uses[slots->count] = SLOT_OTHER;
    slots->items[slots->count] = literal;
    return (unsigned)slots->count++;
}

static unsigned slots_share(LiteralSlots *slots, Literal *literal, SlotUse use, bool any_use)
{
    for (size_t i = 0; i < slots->count; i++)
        if ((any_use || slots->uses[i] == use) && literal_equal(slots->items[i], literal))
            return (unsigned)i;
    unsigned index = slots_add(slots, literal);
    slots->uses[index] = use;
    return index;
}

unsigned slots_literal(LiteralSlots *slots, Literal *literal)
{
    return slots_share(slots, literal, SLOT_LITERAL, false);
}

Literal *literal_of_symbol(Arena *arena, const char *name)
{
    Literal *literal = arena_alloc(arena, sizeof *literal);
    literal->kind = LITERAL_SYMBOL;
    literal->name = name;
    literal->bytes = (const uint8_t *)name;
    literal->byte_count = strlen(name);
    return literal;
}

unsigned slots_selector(LiteralSlots *slots, const char *selector)
{
    return slots_share(slots, literal_of_symbol(slots->arena, selector), SLOT_SELECTOR, true);
}

unsigned slots_variable(LiteralSlots *slots, const char *name)
{
    Literal *literal = arena_alloc(slots->arena, sizeof *literal);
    literal->kind = LITERAL_VARIABLE;
    literal->name = name;
    return slots_share(slots, literal, SLOT_VARIABLE, false);
}

unsigned slots_method_class(LiteralSlots *slots)
{
    Literal *literal = arena_alloc(slots->arena, sizeof *literal);
    literal->kind = LITERAL_METHOD_CLASS;
    return slots_share(slots, literal, SLOT_OTHER, true);
}
