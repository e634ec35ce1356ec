/* Writing instructions: the inverse of bytecode_decode, from the same tables.
 *
 * A form is tried by making a draft: the operand bytes, and the values that
 * would have to stand in prefixes. What a jump says depends on the length of
 * its own prefixes, so a draft is made for an assumed number of them and made
 * again while it asks for more.
 */
#include "opcodes.h"

#include <string.h>

typedef struct {
    uint8_t bytes[4]; /* opcode and operands */
    uint32_t a;
    int32_t b;
} Draft;

/* Bytes needed to hold A, and B (signed). */
static unsigned width_of_a(uint32_t a)
{
    return (a > 0) + (a > 0xFF) + (a > 0xFFFF) + (a > 0xFFFFFF);
}

static unsigned width_of_b(int32_t b)
{
    if (b == 0)
        return 0;
    unsigned width = 1;
    for (int32_t limit = 128; b < -limit || b >= limit; limit *= 256)
        if (++width == 4)
            break;
    return width;
}

static bool draft_k(const OpcodeForm *form, int64_t k, Draft *d)
{
    if (k < 0 || k > form->last - form->first)
        return false;
    d->bytes[0] = (uint8_t)(form->first + k);
    return true;
}

static bool draft_send(const OpcodeForm *form, const Instruction *i, Draft *d)
{
    uint32_t index = i->index;
    uint32_t count = (uint32_t)i->count;
    switch (form->operands) {
    case OPERANDS_SEND_K:
        return count == form->argument && draft_k(form, index, d);
    case OPERANDS_SEND_SPECIAL:
        return index < SPECIAL_SELECTOR_COUNT && count == special_selectors[index].arguments &&
               draft_k(form, index, d);
    case OPERANDS_SEND_5:
        d->bytes[1] = (uint8_t)(index | count << 5);
        return index < 32 && count < 8;
    case OPERANDS_SEND_6:
        d->bytes[1] = (uint8_t)(index | count << 6);
        return index < 64 && count < 4;
    case OPERANDS_EXTENDED_SEND:
        d->bytes[1] = (uint8_t)(count | form->argument << 5);
        d->bytes[2] = (uint8_t)index;
        return index < 256 && count < 32;
    default:
        d->bytes[1] = (uint8_t)(index % 32 << 3 | count % 8);
        d->a = index / 32;
        d->b = (int32_t)(count / 8);
        if (i->op == OP_SEND_SUPER)
            return d->b < 64;
        if (i->op == OP_SEND_DIRECTED_SUPER)
            d->b += 64;
        return i->count >= 0;
    }
}

static bool draft_closure(const OpcodeForm *form, const Instruction *i, int64_t size, Draft *d)
{
    uint32_t count = (uint32_t)i->count;
    switch (form->operands) {
    case OPERANDS_CLOSURE:
        d->bytes[1] = (uint8_t)(count | i->copied << 4);
        d->bytes[2] = (uint8_t)(size >> 8);
        d->bytes[3] = (uint8_t)size;
        return count < 16 && i->copied < 16 && size >= 0 && size < 65536;
    case OPERANDS_CLOSURE_AB:
        d->bytes[1] = (uint8_t)(count % 8 | i->copied % 8 << 3);
        d->bytes[2] = (uint8_t)size;
        d->a = count / 8 | i->copied / 8 * 16;
        d->b = (int32_t)(size >> 8);
        return count < 128 && i->copied <= EXTENSION_MAX;
    default:
        d->bytes[1] = (uint8_t)i->index;
        d->bytes[2] = (uint8_t)(i->copied | i->no_outer << 6 | i->receiver_on_stack << 7);
        d->a = i->index >> 8;
        return i->copied < 64;
    }
}

static bool draft_jump(const OpcodeForm *form, int64_t displacement, Draft *d)
{
    d->bytes[1] = (uint8_t)displacement;
    switch (form->operands) {
    case OPERANDS_JUMP_K:
        return draft_k(form, displacement - 1, d);
    case OPERANDS_JUMP_K_SIGNED:
        return draft_k(form, (displacement >> 8) + 4, d);
    case OPERANDS_JUMP_K_FORWARD:
        return draft_k(form, displacement >> 8, d);
    default:
        d->b = (int32_t)(displacement >> 8);
        return true;
    }
}

static bool draft_primitive(const OpcodeForm *form, const Instruction *i, Draft *d)
{
    uint32_t n = i->index;
    uint32_t limit = form->operands == OPERANDS_PRIMITIVE ? 65536 : 32768;
    if (form->operands == OPERANDS_INLINE) {
        if (n > 0x1FFF || i->count < 0 || i->count > 3)
            return false;
        n |= (uint32_t)i->count << 13;
        d->bytes[2] = 128;
    }
    d->bytes[1] = (uint8_t)n;
    d->bytes[2] |= (uint8_t)(n >> 8);
    return n < limit;
}

/* Fills the draft as if the instruction ended at `next`; false if the form has no room for an
 * operand. */
static bool draft_fill(const OpcodeForm *form, const Instruction *i, int64_t next, Draft *d)
{
    int64_t displacement = i->target - next;
    *d = (Draft){ .bytes = { form->first } };
    switch ((OperandLayout)form->operands) {
    case OPERANDS_NONE:
    case OPERANDS_NONE_AB:
        return true;
    case OPERANDS_PSEUDO_B:
        d->b = form->argument;
        return true;
    case OPERANDS_INDEX_K:
        return draft_k(form, i->index, d);
    case OPERANDS_INTEGER_K:
        return draft_k(form, (int64_t)i->value - (int8_t)form->argument, d);
    case OPERANDS_INDEX_A:
        d->a = i->index >> 8;
        d->bytes[1] = (uint8_t)i->index;
        return true;
    case OPERANDS_INDEX:
        d->bytes[1] = (uint8_t)i->index;
        return i->index < 256;
    case OPERANDS_INTEGER_B:
        d->bytes[1] = (uint8_t)i->value;
        d->b = (i->value - (i->value & 255)) / 256;
        return true;
    case OPERANDS_EXTENDED_6:
        d->bytes[1] = (uint8_t)(i->index | form->argument << 6);
        return i->index < 64;
    case OPERANDS_EXTENDED_5:
        d->bytes[1] = (uint8_t)(form->argument << 5);
        d->bytes[2] = (uint8_t)i->index;
        return i->index < 256;
    case OPERANDS_ARRAY:
        d->bytes[1] = (uint8_t)(i->count | form->argument << 7);
        return i->count >= 0 && i->count < 128;
    case OPERANDS_REMOTE:
        d->bytes[1] = (uint8_t)i->index;
        d->bytes[2] = (uint8_t)i->temp;
        return i->index < 256 && i->temp < 256;
    case OPERANDS_SEND_K:
    case OPERANDS_SEND_SPECIAL:
    case OPERANDS_SEND_5:
    case OPERANDS_SEND_6:
    case OPERANDS_EXTENDED_SEND:
    case OPERANDS_SEND_AB:
    case OPERANDS_SUPER_AB:
    case OPERANDS_DIRECTED_AB:
        return draft_send(form, i, d);
    case OPERANDS_PRIMITIVE:
    case OPERANDS_PRIMITIVE_SISTA:
    case OPERANDS_INLINE:
        return draft_primitive(form, i, d);
    case OPERANDS_CLOSURE:
    case OPERANDS_CLOSURE_AB:
    case OPERANDS_FULL_CLOSURE:
        return draft_closure(form, i, displacement, d);
    case OPERANDS_JUMP_K:
    case OPERANDS_JUMP_K_SIGNED:
    case OPERANDS_JUMP_K_FORWARD:
    case OPERANDS_JUMP_B:
        return draft_jump(form, displacement, d);
    }
    return false;
}

static unsigned write_draft(const OpcodeForm *form, const Draft *d, const Encoding *prefixes,
                            uint8_t *out)
{
    unsigned a_left = 0, b_left = 0;
    unsigned length = 0;
    for (unsigned n = 0; n < prefixes->prefix_count; n++)
        if (prefixes->prefixes_are_b >> n & 1)
            b_left++;
        else
            a_left++;
    if (width_of_a(d->a) > a_left || width_of_b(d->b) > b_left)
        return 0;
    for (unsigned n = 0; n < prefixes->prefix_count; n++) {
        bool is_b = prefixes->prefixes_are_b >> n & 1;
        unsigned digit = is_b ? --b_left : --a_left;
        uint64_t value = is_b ? (uint64_t)(int64_t)d->b : d->a;
        out[length++] = is_b ? PREFIX_B : PREFIX_A;
        out[length++] = (uint8_t)(value >> digit * 8);
    }
    memcpy(out + length, d->bytes, form->length);
    return length + form->length;
}

/* As many prefixes as the operands need, A before B. What B has to say depends on their number, so
 * they are added one by one. */
static unsigned encode_form(const OpcodeForm *form, const Instruction *i, uint8_t *out)
{
    unsigned a_count = 0, b_count = 0;
    while (a_count <= 3 && b_count <= 3) {
        Encoding prefixes = { .prefix_count = (uint8_t)(a_count + b_count) };
        Draft d;
        prefixes.prefixes_are_b = (uint8_t)(((1u << b_count) - 1) << a_count);
        if (!draft_fill(form, i, (int64_t)i->pc + prefixes.prefix_count * 2 + form->length, &d))
            return 0;
        unsigned length = write_draft(form, &d, &prefixes, out);
        if (length)
            return length;
        if (width_of_a(d.a) > a_count)
            a_count = width_of_a(d.a);
        else
            b_count++;
    }
    return 0;
}

static unsigned encode_forced(const OpcodeForm *form, const Instruction *i,
                              const Encoding *encoding, uint8_t *out)
{
    Draft d;
    if (encoding->opcode < form->first || encoding->opcode > form->last)
        return 0;
    if (encoding->prefixes_free)
        return encode_form(form, i, out);
    if (encoding->prefix_count > ENCODING_PREFIXES_MAX ||
        !draft_fill(form, i, (int64_t)i->pc + encoding->prefix_count * 2 + form->length, &d))
        return 0;
    return write_draft(form, &d, encoding, out);
}

unsigned bytecode_encode(BytecodeSet set, const Instruction *i, const Encoding *encoding,
                         uint8_t out[ENCODING_MAX])
{
    size_t count;
    const OpcodeForm *forms = bytecode_forms(set, &count);
    unsigned best = 0;
    if (i->op == OP_UNKNOWN)
        return 0;
    for (const OpcodeForm *form = forms + 1; form < forms + count; form++) {
        uint8_t bytes[ENCODING_MAX];
        if (form->operation != i->op)
            continue;
        unsigned length = encoding && encoding->forced ? encode_forced(form, i, encoding, bytes)
                                                       : encode_form(form, i, bytes);
        if (encoding && encoding->length && length != encoding->length)
            continue;
        if (length && (!best || length < best)) {
            memcpy(out, bytes, length);
            best = length;
        }
    }
    return best;
}
