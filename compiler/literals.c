#include "literals.h"

#include <string.h>

#include "kernel/bytecode/literal.h"

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
