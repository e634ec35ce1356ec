/* Names: strings that are equal exactly if their addresses are.
 *
 * Variable names, selectors and class names pass through one table per run, so
 * the compiler compares and hashes them by address.
 */
#ifndef OSVM_COMPILER_NAMES_H
#define OSVM_COMPILER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/arena.h"

typedef struct Names Names;

Names *names_new(Arena *arena);

/* The name that consists of `length` bytes of `text`; NUL-terminated. */
const char *names_get(Names *names, const char *text, size_t length);
const char *names_of(Names *names, const char *text); /* of a C string */

/* The number of arguments of a selector. */
unsigned selector_arg_count(const char *selector);

/* The 64-bit FNV-1a hash of the bytes: the same on every host. */
uint64_t bytes_hash(const void *bytes, size_t count);

/* A table from names (by address) to pointers; grows as needed. */
typedef struct {
    Arena *arena;
    struct NameEntry {
        const char *key;
        void *value;
    } * entries;
    size_t count, capacity;
} NameTable;

void name_table_init(NameTable *table, Arena *arena);
void *name_table_get(const NameTable *table, const char *key); /* NULL when absent */
void name_table_put(NameTable *table, const char *key, void *value);

#endif
