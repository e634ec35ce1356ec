/* Laying out instructions: where each goes and how long it is.
 *
 * Shared by assembler and disassembler, so that both agree on what "the shortest
 * form" of a jump is: all start as short as they can be and grow until every
 * displacement fits; the least solution.
 */
#ifndef OSVM_BYTECODE_LAYOUT_H
#define OSVM_BYTECODE_LAYOUT_H

#include "opcodes.h"

enum { NO_TARGET = UINT32_MAX };

/* An instruction, or raw bytes. */
typedef struct {
    Instruction instruction; /* `target` matters only if target_item is NO_TARGET */
    Encoding encoding;
    uint32_t target_item; /* the item jumped to (the number of items: the end), or NO_TARGET */
    const uint8_t *raw;   /* NULL for an instruction */
    uint32_t size;        /* bytes; given for raw ones, else found by layout_place */
    uint32_t pc;          /* found by layout_place */
    uint32_t line, column; /* where it stands in a text, for messages */
} LayoutItem;

/* Finds pc and size of all items. False if items[*bad] cannot be encoded. */
bool layout_place(BytecodeSet set, LayoutItem *items, size_t count, size_t *bad);

/* Bytes of all items, after layout_place. */
size_t layout_size(const LayoutItem *items, size_t count);

/* Writes them to `out`, which has room for layout_size bytes. */
void layout_write(BytecodeSet set, const LayoutItem *items, size_t count, uint8_t *out);

#endif
