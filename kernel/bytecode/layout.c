/* Sizes only grow, so the loop ends. What a forward jump says does not depend on
 * its own size, but the encoder reckons with a fixed target: each size is tried
 * with the target shifted by as much as the jump would grow.
 */
#include "layout.h"

#include <string.h>

size_t layout_size(const LayoutItem *items, size_t count)
{
    return count ? items[count - 1].pc + items[count - 1].size : 0;
}

static void place(LayoutItem *items, size_t count)
{
    uint32_t pc = 0;
    for (size_t n = 0; n < count; n++) {
        items[n].pc = pc;
        pc += items[n].size;
    }
}

static unsigned encode_item(BytecodeSet set, const LayoutItem *items, size_t count, size_t n,
                            uint8_t *out)
{
    const LayoutItem *item = &items[n];
    Instruction i = item->instruction;
    i.pc = item->pc;
    if (item->target_item == NO_TARGET)
        return bytecode_encode(set, &i, &item->encoding, out);
    uint32_t end = (uint32_t)layout_size(items, count);
    uint32_t target = item->target_item < count ? items[item->target_item].pc : end;
    i.target = target;
    if (item->target_item <= n)
        return bytecode_encode(set, &i, &item->encoding, out);
    Encoding encoding = item->encoding;
    for (unsigned length = item->size; length < ENCODING_MAX; length++) {
        encoding.length = (uint8_t)length;
        i.target = (int64_t)target + length - item->size;
        if (bytecode_encode(set, &i, &encoding, out))
            return length;
    }
    return 0;
}

bool layout_place(BytecodeSet set, LayoutItem *items, size_t count, size_t *bad)
{
    uint8_t bytes[ENCODING_MAX];
    for (size_t n = 0; n < count; n++)
        if (!items[n].raw)
            items[n].size = 1;
    for (bool grown = true, first = true; grown; first = false) {
        grown = false;
        place(items, count);
        for (size_t n = 0; n < count; n++) {
            if (items[n].raw || (!first && items[n].target_item == NO_TARGET &&
                                 operation_infos[items[n].instruction.op].kind < KIND_JUMP &&
                                 items[n].instruction.op != OP_PUSH_CLOSURE))
                continue;
            unsigned size = encode_item(set, items, count, n, bytes);
            if (size == 0) {
                *bad = n;
                return false;
            }
            if (size > items[n].size) {
                items[n].size = size;
                grown = true;
            }
        }
    }
    return true;
}

void layout_write(BytecodeSet set, const LayoutItem *items, size_t count, uint8_t *out)
{
    uint8_t bytes[ENCODING_MAX];
    for (size_t n = 0; n < count; n++) {
        const uint8_t *from = items[n].raw;
        if (!from) {
            encode_item(set, items, count, n, bytes);
            from = bytes;
        }
        memcpy(out + items[n].pc, from, items[n].size);
    }
}
