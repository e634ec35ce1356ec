#include "arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Chunks double up to this size; a larger request gets a chunk of its own. */
enum { FIRST_CHUNK = 16 * 1024, LARGEST_CHUNK = 1024 * 1024, ALIGNMENT = 16 };

typedef struct Chunk {
    struct Chunk *next;
    size_t size; /* bytes of payload */
    _Alignas(ALIGNMENT) unsigned char payload[];
} Chunk;

struct Arena {
    Chunk *chunks; /* newest first; only the newest has room */
    size_t taken;  /* bytes used in the newest chunk */
    size_t used;   /* bytes handed out in all */
};

static _Noreturn void arena_fail(size_t size)
{
    fprintf(stderr, "osvm: out of memory: the host has no %zu bytes left\n", size);
    exit(70);
}

static Chunk *chunk_new(size_t size)
{
    Chunk *chunk = size > SIZE_MAX - sizeof(Chunk) ? NULL : calloc(1, sizeof(Chunk) + size);
    if (!chunk)
        arena_fail(size);
    chunk->size = size;
    return chunk;
}

Arena *arena_new(void)
{
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        arena_fail(sizeof *arena);
    return arena;
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    for (Chunk *chunk = arena->chunks; chunk;) {
        Chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(arena);
}

static void arena_add_chunk(Arena *arena, size_t at_least)
{
    size_t size = arena->chunks ? arena->chunks->size * 2 : FIRST_CHUNK;
    if (size > LARGEST_CHUNK)
        size = LARGEST_CHUNK;
    if (size < at_least)
        size = at_least;
    Chunk *chunk = chunk_new(size);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->taken = 0;
}

void *arena_alloc(Arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        arena_fail(size);
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!arena->chunks || arena->chunks->size - arena->taken < rounded)
        arena_add_chunk(arena, rounded);
    void *block = arena->chunks->payload + arena->taken;
    arena->taken += rounded;
    arena->used += rounded;
    return block;
}

char *arena_copy(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void *arena_grow(Arena *arena, void *block, size_t old_size, size_t new_size)
{
    void *grown = arena_alloc(arena, new_size);
    if (old_size)
        memcpy(grown, block, old_size < new_size ? old_size : new_size);
    return grown;
}

size_t arena_used(const Arena *arena)
{
    return arena->used;
}
