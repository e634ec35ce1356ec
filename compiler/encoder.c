#include "encoder.h"

#include "list.h"
#include "number.h"

/* --- Bytes --- */

static void put(Encoder *e, unsigned byte)
{
    LIST_ADD(e->arena, *e->code, (uint8_t)byte);
}

static void put2(Encoder *e, unsigned first, unsigned second)
{
    put(e, first);
    put(e, second);
}

static void put3(Encoder *e, unsigned first, unsigned second, unsigned third)
{
    put2(e, first, second);
    put(e, third);
}

void encode_bytes(Encoder *e, const Code *code)
{
    size_t before = e->code->count;
    for (size_t i = 0; i < code->count; i++)
        put(e, code->items[i]);
    for (size_t i = 0; i < code->places.count; i++) {
        CodePlace place = code->places.items[i];
        place.pc += (uint32_t)before;
        LIST_ADD(e->arena, e->code->places, place);
    }
}

void encode_place(Encoder *e, size_t start, size_t end)
{
    CodePlace place = {(uint32_t)e->code->count, (uint32_t)start, (uint32_t)end};
    LIST_ADD(e->arena, e->code->places, place);
}

static void fail(Encoder *e, const char *message)
{
    if (!e->error)
        e->error = message;
}

static bool sista(const Encoder *e)
{
    return e->set == SET_SISTA;
}

/* Sista: `opcode index`, with an extension A where the index needs it. */
static void put_extended_a(Encoder *e, unsigned opcode, unsigned index)
{
    if (index > 65535)
        fail(e, "there are more than 65536 literals or variables");
    if (index > 255)
        put2(e, 224, index >> 8 & 255);
    put2(e, opcode, index & 255);
}

/* V3: type 0 receiver variable, 1 temp, 2 literal, 3 literal variable; opcode 128 to 130. */
static void put_v3_short(Encoder *e, unsigned opcode, unsigned type, unsigned index)
{
    put2(e, opcode, type << 6 | index);
}

static void put_v3_long(Encoder *e, unsigned operation, unsigned index)
{
    if (index > 255)
        fail(e, "there are more than 256 literals or variables, too many for this bytecode set");
    put3(e, 132, operation << 5, index & 255);
}

/* --- Pushing --- */

void encode_push_special(Encoder *e, Special special)
{
    put(e, (sista(e) ? 76 : 112) + special);
}

static bool push_integer(Encoder *e, int64_t value)
{
    if (!sista(e)) {
        if (value < -1 || value > 2)
            return false;
        put(e, (unsigned)(117 + value));
        return true;
    }
    if (value < -32768 || value > 32767)
        return false;
    if (value == 0 || value == 1) {
        put(e, (unsigned)(80 + value));
        return true;
    }
    if (value < 0 || value > 255)
        put2(e, 225, (unsigned)(value >> 8) & 255);
    put2(e, 232, (unsigned)value & 255);
    return true;
}

bool encode_push_literal_inline(Encoder *e, const Literal *literal)
{
    int64_t value;
    switch (literal->kind) {
    case LITERAL_NIL: encode_push_special(e, SPECIAL_NIL); return true;
    case LITERAL_TRUE: encode_push_special(e, SPECIAL_TRUE); return true;
    case LITERAL_FALSE: encode_push_special(e, SPECIAL_FALSE); return true;
    case LITERAL_INTEGER: return literal_get_integer(literal, &value) && push_integer(e, value);
    case LITERAL_CHARACTER:
        if (!sista(e) || literal->code > 65535)
            return false;
        put_extended_a(e, 233, literal->code);
        return true;
    default: return false;
    }
}

void encode_push_context(Encoder *e)
{
    put(e, sista(e) ? 82 : 137);
}

void encode_push_process(Encoder *e)
{
    if (!sista(e))
        fail(e, "thisProcess cannot be expressed in this bytecode set");
    put2(e, 225, 1);
    put(e, 82);
}

void encode_push_temp(Encoder *e, unsigned index)
{
    if (sista(e) && index < 12)
        put(e, 64 + index);
    else if (sista(e))
        put2(e, 229, index);
    else if (index < 16)
        put(e, 16 + index);
    else
        put_v3_short(e, 128, 1, index);
}

void encode_push_remote(Encoder *e, unsigned index, unsigned vector)
{
    put3(e, sista(e) ? 251 : 140, index, vector);
}

void encode_push_instance(Encoder *e, unsigned index, bool maybe_context)
{
    if (index < 16 && !maybe_context)
        put(e, index);
    else if (sista(e))
        put_extended_a(e, 226, index);
    else if (index < 64 && !maybe_context)
        put_v3_short(e, 128, 0, index);
    else
        put_v3_long(e, 2, index);
}

void encode_push_literal(Encoder *e, unsigned index)
{
    if (index < 32)
        put(e, 32 + index);
    else if (sista(e))
        put_extended_a(e, 228, index);
    else if (index < 64)
        put_v3_short(e, 128, 2, index);
    else
        put_v3_long(e, 3, index);
}

void encode_push_literal_variable(Encoder *e, unsigned index)
{
    if (sista(e) && index < 16)
        put(e, 16 + index);
    else if (sista(e))
        put_extended_a(e, 227, index);
    else if (index < 32)
        put(e, 64 + index);
    else if (index < 64)
        put_v3_short(e, 128, 3, index);
    else
        put_v3_long(e, 4, index);
}

void encode_push_array(Encoder *e, unsigned size, bool filled)
{
    put2(e, sista(e) ? 231 : 138, size | (filled ? 128 : 0));
}

void encode_push_full_closure(Encoder *e, unsigned index, unsigned copied)
{
    if (index > 32767)
        fail(e, "there are more than 32768 literals");
    if (copied > 63)
        fail(e, "a block uses more than 63 variables of its surroundings");
    if (index > 255)
        put2(e, 224, index >> 8);
    put3(e, 249, index & 255, copied);
}

void encode_push_closure(Encoder *e, unsigned arguments, unsigned copied, size_t size)
{
    if (copied > 15)
        fail(e, "a block uses more than 15 variables of its surroundings");
    if (size > 65535)
        fail(e, "a block is longer than 65535 bytes");
    put2(e, 143, (copied & 15) << 4 | (arguments & 15));
    put2(e, (unsigned)(size >> 8) & 255, (unsigned)size & 255);
}

/* --- Storing --- */

void encode_store_temp(Encoder *e, unsigned index, StoreMode mode)
{
    bool pop = mode == STORE_POP;
    if (pop && index < 8)
        put(e, (sista(e) ? 208 : 104) + index);
    else if (sista(e))
        put2(e, pop ? 242 : 245, index);
    else
        put_v3_short(e, pop ? 130 : 129, 1, index);
}

void encode_store_remote(Encoder *e, unsigned index, unsigned vector, StoreMode mode)
{
    put3(e, (sista(e) ? 252 : 141) + (mode == STORE_POP), index, vector);
}

void encode_store_instance(Encoder *e, unsigned index, bool maybe_context, StoreMode mode)
{
    bool pop = mode == STORE_POP;
    if (pop && index < 8 && !maybe_context)
        put(e, (sista(e) ? 200 : 96) + index);
    else if (sista(e))
        put_extended_a(e, pop ? 240 : 243, index);
    else if (index < 64 && !maybe_context)
        put_v3_short(e, pop ? 130 : 129, 0, index);
    else
        put_v3_long(e, pop ? 6 : 5, index);
}

void encode_store_literal_variable(Encoder *e, unsigned index, StoreMode mode)
{
    bool pop = mode == STORE_POP;
    if (sista(e)) {
        put_extended_a(e, pop ? 241 : 244, index);
    } else if (index < 64) {
        put_v3_short(e, pop ? 130 : 129, 3, index);
    } else {
        put_v3_long(e, 7, index);
        if (pop)
            encode_pop(e);
    }
}

void encode_pop(Encoder *e)
{
    put(e, sista(e) ? 216 : 135);
}

void encode_duplicate(Encoder *e)
{
    put(e, sista(e) ? 83 : 136);
}

/* --- Sends --- */

/* Sista: `directed` sets bit 6 of extension B. */
static void put_sista_send(Encoder *e, unsigned opcode, unsigned index, unsigned arguments,
                           unsigned directed)
{
    if (index > 65535)
        fail(e, "there are more than 65536 literals");
    if (index >> 5 > 255)
        put2(e, 224, index >> 13);
    if (index > 31)
        put2(e, 224, index >> 5 & 255);
    if (arguments > 7 || directed)
        put2(e, 225, arguments >> 3 | directed);
    put2(e, opcode, (index & 31) << 3 | (arguments & 7));
}

static void put_v3_send_long(Encoder *e, unsigned operation, unsigned index, unsigned arguments)
{
    if (index > 255)
        fail(e, "there are more than 256 literals, too many for this bytecode set");
    put3(e, 132, operation << 5 | arguments, index & 255);
}

void encode_send(Encoder *e, unsigned index, unsigned arguments)
{
    if (index < 16 && arguments < 3)
        put(e, (sista(e) ? 128 : 208) + arguments * 16 + index);
    else if (sista(e))
        put_sista_send(e, 234, index, arguments, 0);
    else if (index < 32 && arguments < 8)
        put2(e, 131, arguments << 5 | index);
    else if (index < 64 && arguments < 4)
        put2(e, 134, arguments << 6 | index);
    else
        put_v3_send_long(e, 0, index, arguments);
}

void encode_send_super(Encoder *e, unsigned index, unsigned arguments)
{
    if (sista(e))
        put_sista_send(e, 235, index, arguments, 0);
    else if (index < 32 && arguments < 8)
        put2(e, 133, arguments << 5 | index);
    else
        put_v3_send_long(e, 1, index, arguments);
}

void encode_send_directed_super(Encoder *e, unsigned index, unsigned arguments)
{
    put_sista_send(e, 235, index, arguments, 64);
}

void encode_send_special(Encoder *e, unsigned number)
{
    put(e, (sista(e) ? 96 : 176) + number);
}

/* --- Jumps --- */

static void check_distance(Encoder *e, size_t distance)
{
    if (distance > (sista(e) ? 32767u : 1023u))
        fail(e, sista(e) ? "this method is too long: a jump would skip more than 32767 bytes"
                         : "this method is too long: a jump would skip more than 1023 bytes");
}

void encode_jump(Encoder *e, size_t distance)
{
    check_distance(e, distance);
    if (distance == 0)
        return;
    if (distance < 9) {
        put(e, (sista(e) ? 175 : 143) + (unsigned)distance);
    } else if (sista(e)) {
        if (distance > 255)
            put2(e, 225, (unsigned)(distance >> 8) & 255);
        put2(e, 237, (unsigned)distance & 255);
    } else {
        put2(e, 164 + ((unsigned)(distance >> 8) & 3), (unsigned)distance & 255);
    }
}

void encode_branch(Encoder *e, bool condition, size_t distance)
{
    check_distance(e, distance);
    if (distance == 0) {
        encode_pop(e);
    } else if (sista(e) && distance < 9) {
        put(e, (condition ? 183 : 191) + (unsigned)distance);
    } else if (sista(e)) {
        if (distance > 255)
            put2(e, 225, (unsigned)(distance >> 8) & 255);
        put2(e, condition ? 238 : 239, (unsigned)distance & 255);
    } else if (distance < 9 && !condition) {
        put(e, 151 + (unsigned)distance);
    } else {
        put2(e, (condition ? 168 : 172) + ((unsigned)(distance >> 8) & 3),
             (unsigned)distance & 255);
    }
}

/* Always in the long form, so that its length is known before its distance. */
void encode_jump_back(Encoder *e, size_t size)
{
    size_t total = size + (sista(e) ? 4 : 2);
    int distance = -(int)(total & 0xFFFF);
    if (total > (sista(e) ? 32768u : 1024u))
        fail(e, "this loop is too long: the jump back would skip too many bytes");
    if (sista(e)) {
        put2(e, 225, (unsigned)(distance >> 8) & 255);
        put2(e, 237, (unsigned)distance & 255);
    } else {
        put2(e, 160 + ((unsigned)(distance + 1024) >> 8 & 7), (unsigned)distance & 255);
    }
}

/* --- Returns and primitives --- */

void encode_return_special(Encoder *e, Special special)
{
    put(e, (sista(e) ? 88 : 120) + special);
}

void encode_return_top(Encoder *e)
{
    put(e, sista(e) ? 92 : 124);
}

void encode_block_return_top(Encoder *e)
{
    put(e, sista(e) ? 94 : 125);
}

void encode_block_return_nil(Encoder *e)
{
    if (sista(e)) {
        put(e, 93);
    } else {
        encode_push_special(e, SPECIAL_NIL);
        encode_block_return_top(e);
    }
}

void encode_call_primitive(Encoder *e, unsigned primitive)
{
    put3(e, sista(e) ? 248 : 139, primitive & 255, primitive >> 8);
}
