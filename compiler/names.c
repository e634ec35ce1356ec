#include "names.h"

#include <string.h>

#include "source.h"

struct Names {
    Arena *arena;
    const char **slots; /* open addressing; NULL = free */
    size_t count, capacity;
};

uint64_t bytes_hash(const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ byte[i]) * 0x100000001B3u;
    return hash;
}

Names *names_new(Arena *arena)
{
    Names *names = arena_alloc(arena, sizeof *names);
    names->arena = arena;
    names->capacity = 1024;
    names->slots = arena_alloc(arena, names->capacity * sizeof *names->slots);
    return names;
}

static const char **names_find(const Names *names, const char *text, size_t length)
{
    size_t mask = names->capacity - 1;
    for (size_t i = bytes_hash(text, length) & mask;; i = (i + 1) & mask) {
        const char *slot = names->slots[i];
        if (!slot || (strncmp(slot, text, length) == 0 && slot[length] == '\0'))
            return &names->slots[i];
    }
}

static void names_grow(Names *names)
{
    const char **old = names->slots;
    size_t old_capacity = names->capacity;
    names->capacity *= 2;
    names->slots = arena_alloc(names->arena, names->capacity * sizeof *names->slots);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i])
            *names_find(names, old[i], strlen(old[i])) = old[i];
}

const char *names_get(Names *names, const char *text, size_t length)
{
    const char *end = memchr(text, '\0', length); /* a NUL ends a name */
    if (end)
        length = (size_t)(end - text);
    const char **slot = names_find(names, text, length);
    if (*slot)
        return *slot;
    const char *name = arena_copy(names->arena, text, length);
    *slot = name;
    if (++names->count * 2 > names->capacity)
        names_grow(names);
    return name;
}

const char *names_of(Names *names, const char *text)
{
    return names_get(names, text, strlen(text));
}

unsigned selector_arg_count(const char *selector)
{
    uint32_t first;
    utf8_decode(selector, strlen(selector), &first);
    if (!utf8_is_letter(first) && first != ':')
        return first != 0;
    unsigned colons = 0;
    for (const char *c = selector; *c; c++)
        colons += *c == ':';
    return colons;
}

/* --- Tables --- */

void name_table_init(NameTable *table, Arena *arena)
{
    memset(table, 0, sizeof *table);
    table->arena = arena;
}

static struct NameEntry *name_table_find(const NameTable *table, const char *key)
{
    size_t mask = table->capacity - 1;
    uint64_t hash = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
    for (size_t i = hash >> 20 & mask;; i = (i + 1) & mask)
        if (!table->entries[i].key || table->entries[i].key == key)
            return &table->entries[i];
}

void *name_table_get(const NameTable *table, const char *key)
{
    return table->capacity ? name_table_find(table, key)->value : NULL;
}

static void name_table_grow(NameTable *table)
{
    struct NameEntry *old = table->entries;
    size_t old_capacity = table->capacity;
    table->capacity = old_capacity ? 2 * old_capacity : 16;
    table->entries = arena_alloc(table->arena, table->capacity * sizeof *table->entries);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].key)
            *name_table_find(table, old[i].key) = old[i];
}

void name_table_put(NameTable *table, const char *key, void *value)
{
    if (2 * (table->count + 1) > table->capacity)
        name_table_grow(table);
    struct NameEntry *entry = name_table_find(table, key);
    table->count += entry->key == NULL;
    entry->key = key;
    entry->value = value;
}
