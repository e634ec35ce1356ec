/* A pool of memory that is freed all at once.
 *
 * Everything a phase makes (one method being assembled, one build of an image)
 * lives in one arena, named by that lifetime. Nothing in it is freed singly.
 * Blocks come zeroed and aligned to 16 bytes. When the host has no memory left
 * the arena calls its failure handler, which must not return.
 */
#ifndef OSVM_BASE_ARENA_H
#define OSVM_BASE_ARENA_H

#include <stddef.h>

typedef struct Arena Arena;

/* Makes an empty arena. Never NULL: out of memory ends the process with a message. */
Arena *arena_new(void);

/* Frees the arena and everything in it. NULL is allowed. */
void arena_free(Arena *arena);

/* `size` zeroed bytes, aligned to 16. */
void *arena_alloc(Arena *arena, size_t size);

/* A copy of `length` bytes of `text`, with a NUL added behind. */
char *arena_copy(Arena *arena, const char *text, size_t length);

/* A formatted, NUL-terminated string. */
char *arena_printf(Arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Grows an array in the arena: answers a block of `new_size` bytes that begins
 * with the first `old_size` bytes of `block`. The old block stays allocated. */
void *arena_grow(Arena *arena, void *block, size_t old_size, size_t new_size);

/* Bytes handed out so far. */
size_t arena_used(const Arena *arena);

#endif
