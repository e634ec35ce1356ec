/* What stands behind the last bytecode of a method: its source text, for tools.
 *
 * The last byte tells the kind (upper six bits) and, for kinds with data, how many
 * bytes of length stand before it (lower two bits, less one); the length is read
 * backwards, most significant byte first, and the data stand before it. This is the
 * layout of Squeak's and Pharo's trailers, so their tools find the end of the code.
 * We write two kinds: no trailer (a byte 0), and the one that names a source by a
 * string, where the string is the source itself, in UTF-8.
 */
#ifndef OSVM_BYTECODE_TRAILER_H
#define OSVM_BYTECODE_TRAILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/arena.h"

/* The trailer that holds `source`; without one (NULL) the trailer that holds nothing. */
const uint8_t *trailer_of_source(Arena *arena, const char *source, size_t *count);

/* The source in the trailer that ends `count` bytes of code, not NUL-terminated; NULL: there is
 * none. */
const char *trailer_source(const uint8_t *bytes, size_t count, size_t *length);

/* The length of the trailer that ends `count` bytes, 0 where the last byte tells none. */
size_t trailer_length(const uint8_t *bytes, size_t count);

#endif
