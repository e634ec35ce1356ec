/* Every opcode of both sets: decoding against a table written out by hand, encoding, and the way
 * through disassembler and assembler; then random bytes. */
#include "tap.h"

#include "support/bytecode.h"

static const char *const set_names[] = { "v3", "sista" };

/* What an opcode does, from first to last: written from the specification, not from the tables. */
typedef struct {
    BytecodeSet set;
    uint8_t first, last;
    Operation op; /* with operand bytes 0 */
    uint8_t length;
} Expected;

static const Expected expected[] = {
    { SET_V3, 0, 15, OP_PUSH_RECEIVER_VARIABLE, 1 },
    { SET_V3, 16, 31, OP_PUSH_TEMP, 1 },
    { SET_V3, 32, 63, OP_PUSH_LITERAL, 1 },
    { SET_V3, 64, 95, OP_PUSH_LITERAL_VARIABLE, 1 },
    { SET_V3, 96, 103, OP_POP_INTO_RECEIVER_VARIABLE, 1 },
    { SET_V3, 104, 111, OP_POP_INTO_TEMP, 1 },
    { SET_V3, 112, 112, OP_PUSH_RECEIVER, 1 },
    { SET_V3, 113, 113, OP_PUSH_TRUE, 1 },
    { SET_V3, 114, 114, OP_PUSH_FALSE, 1 },
    { SET_V3, 115, 115, OP_PUSH_NIL, 1 },
    { SET_V3, 116, 119, OP_PUSH_INTEGER, 1 },
    { SET_V3, 120, 120, OP_RETURN_RECEIVER, 1 },
    { SET_V3, 121, 121, OP_RETURN_TRUE, 1 },
    { SET_V3, 122, 122, OP_RETURN_FALSE, 1 },
    { SET_V3, 123, 123, OP_RETURN_NIL, 1 },
    { SET_V3, 124, 124, OP_RETURN_TOP, 1 },
    { SET_V3, 125, 125, OP_BLOCK_RETURN_TOP, 1 },
    { SET_V3, 126, 127, OP_UNKNOWN, 1 },
    { SET_V3, 128, 128, OP_PUSH_RECEIVER_VARIABLE, 2 },
    { SET_V3, 129, 129, OP_STORE_RECEIVER_VARIABLE, 2 },
    { SET_V3, 130, 130, OP_POP_INTO_RECEIVER_VARIABLE, 2 },
    { SET_V3, 131, 131, OP_SEND, 2 },
    { SET_V3, 132, 132, OP_SEND, 3 },
    { SET_V3, 133, 133, OP_SEND_SUPER, 2 },
    { SET_V3, 134, 134, OP_SEND, 2 },
    { SET_V3, 135, 135, OP_POP, 1 },
    { SET_V3, 136, 136, OP_DUPLICATE, 1 },
    { SET_V3, 137, 137, OP_PUSH_CONTEXT, 1 },
    { SET_V3, 138, 138, OP_PUSH_NEW_ARRAY, 2 },
    { SET_V3, 139, 139, OP_CALL_PRIMITIVE, 3 },
    { SET_V3, 140, 140, OP_PUSH_REMOTE_TEMP, 3 },
    { SET_V3, 141, 141, OP_STORE_REMOTE_TEMP, 3 },
    { SET_V3, 142, 142, OP_POP_INTO_REMOTE_TEMP, 3 },
    { SET_V3, 143, 143, OP_PUSH_CLOSURE, 4 },
    { SET_V3, 144, 151, OP_JUMP, 1 },
    { SET_V3, 152, 159, OP_JUMP_IF_FALSE, 1 },
    { SET_V3, 160, 167, OP_JUMP, 2 },
    { SET_V3, 168, 171, OP_JUMP_IF_TRUE, 2 },
    { SET_V3, 172, 175, OP_JUMP_IF_FALSE, 2 },
    { SET_V3, 176, 207, OP_SEND_SPECIAL, 1 },
    { SET_V3, 208, 255, OP_SEND, 1 },
    { SET_SISTA, 0, 15, OP_PUSH_RECEIVER_VARIABLE, 1 },
    { SET_SISTA, 16, 31, OP_PUSH_LITERAL_VARIABLE, 1 },
    { SET_SISTA, 32, 63, OP_PUSH_LITERAL, 1 },
    { SET_SISTA, 64, 75, OP_PUSH_TEMP, 1 },
    { SET_SISTA, 76, 76, OP_PUSH_RECEIVER, 1 },
    { SET_SISTA, 77, 77, OP_PUSH_TRUE, 1 },
    { SET_SISTA, 78, 78, OP_PUSH_FALSE, 1 },
    { SET_SISTA, 79, 79, OP_PUSH_NIL, 1 },
    { SET_SISTA, 80, 81, OP_PUSH_INTEGER, 1 },
    { SET_SISTA, 82, 82, OP_PUSH_CONTEXT, 1 },
    { SET_SISTA, 83, 83, OP_DUPLICATE, 1 },
    { SET_SISTA, 84, 87, OP_UNKNOWN, 1 },
    { SET_SISTA, 88, 88, OP_RETURN_RECEIVER, 1 },
    { SET_SISTA, 89, 89, OP_RETURN_TRUE, 1 },
    { SET_SISTA, 90, 90, OP_RETURN_FALSE, 1 },
    { SET_SISTA, 91, 91, OP_RETURN_NIL, 1 },
    { SET_SISTA, 92, 92, OP_RETURN_TOP, 1 },
    { SET_SISTA, 93, 93, OP_BLOCK_RETURN_NIL, 1 },
    { SET_SISTA, 94, 94, OP_BLOCK_RETURN_TOP, 1 },
    { SET_SISTA, 95, 95, OP_NOP, 1 },
    { SET_SISTA, 96, 127, OP_SEND_SPECIAL, 1 },
    { SET_SISTA, 128, 175, OP_SEND, 1 },
    { SET_SISTA, 176, 183, OP_JUMP, 1 },
    { SET_SISTA, 184, 191, OP_JUMP_IF_TRUE, 1 },
    { SET_SISTA, 192, 199, OP_JUMP_IF_FALSE, 1 },
    { SET_SISTA, 200, 207, OP_POP_INTO_RECEIVER_VARIABLE, 1 },
    { SET_SISTA, 208, 215, OP_POP_INTO_TEMP, 1 },
    { SET_SISTA, 216, 216, OP_POP, 1 },
    { SET_SISTA, 217, 217, OP_TRAP, 1 },
    { SET_SISTA, 218, 223, OP_UNKNOWN, 1 },
    { SET_SISTA, 226, 226, OP_PUSH_RECEIVER_VARIABLE, 2 },
    { SET_SISTA, 227, 227, OP_PUSH_LITERAL_VARIABLE, 2 },
    { SET_SISTA, 228, 228, OP_PUSH_LITERAL, 2 },
    { SET_SISTA, 229, 229, OP_PUSH_TEMP, 2 },
    { SET_SISTA, 230, 230, OP_UNKNOWN, 2 },
    { SET_SISTA, 231, 231, OP_PUSH_NEW_ARRAY, 2 },
    { SET_SISTA, 232, 232, OP_PUSH_INTEGER, 2 },
    { SET_SISTA, 233, 233, OP_PUSH_CHARACTER, 2 },
    { SET_SISTA, 234, 234, OP_SEND, 2 },
    { SET_SISTA, 235, 235, OP_SEND_SUPER, 2 },
    { SET_SISTA, 236, 236, OP_MAPPED_PRIMITIVE, 2 },
    { SET_SISTA, 237, 237, OP_JUMP, 2 },
    { SET_SISTA, 238, 238, OP_JUMP_IF_TRUE, 2 },
    { SET_SISTA, 239, 239, OP_JUMP_IF_FALSE, 2 },
    { SET_SISTA, 240, 240, OP_POP_INTO_RECEIVER_VARIABLE, 2 },
    { SET_SISTA, 241, 241, OP_POP_INTO_LITERAL_VARIABLE, 2 },
    { SET_SISTA, 242, 242, OP_POP_INTO_TEMP, 2 },
    { SET_SISTA, 243, 243, OP_STORE_RECEIVER_VARIABLE, 2 },
    { SET_SISTA, 244, 244, OP_STORE_LITERAL_VARIABLE, 2 },
    { SET_SISTA, 245, 245, OP_STORE_TEMP, 2 },
    { SET_SISTA, 246, 247, OP_UNKNOWN, 2 },
    { SET_SISTA, 248, 248, OP_CALL_PRIMITIVE, 3 },
    { SET_SISTA, 249, 249, OP_PUSH_FULL_CLOSURE, 3 },
    { SET_SISTA, 250, 250, OP_PUSH_CLOSURE, 3 },
    { SET_SISTA, 251, 251, OP_PUSH_REMOTE_TEMP, 3 },
    { SET_SISTA, 252, 252, OP_STORE_REMOTE_TEMP, 3 },
    { SET_SISTA, 253, 253, OP_POP_INTO_REMOTE_TEMP, 3 },
    { SET_SISTA, 254, 255, OP_UNKNOWN, 3 },
};

static void test_table(void)
{
    int covered[2] = { 0, 0 };
    for (size_t n = 0; n < sizeof expected / sizeof *expected; n++) {
        const Expected *e = &expected[n];
        bool fine = true;
        for (int opcode = e->first; opcode <= e->last; opcode++) {
            uint8_t bytes[4] = { (uint8_t)opcode };
            Instruction i;
            covered[e->set]++;
            fine = fine && bytecode_decode(e->set, bytes, 4, 0, &i) && i.op == e->op &&
                   i.next == e->length && bytecode_length(e->set, bytes[0]) == e->length &&
                   i.opcode == opcode;
            for (size_t count = 0; count < e->length; count++)
                fine = fine && !bytecode_decode(e->set, bytes, count, 0, &i);
        }
        ok(fine, "%s %d..%d is %s of %d bytes", set_names[e->set], e->first, e->last,
           operation_infos[e->op].name, e->length);
    }
    is_int(covered[SET_V3], 256, "all V3 opcodes looked at");
    is_int(covered[SET_SISTA], 254, "all Sista opcodes but the prefixes looked at");
}

/* One instruction decoded: the fields that matter. */
typedef struct {
    BytecodeSet set;
    const char *bytes; /* hexadecimal */
    const char *text;  /* as put below */
} Sample;

static const Sample samples[] = {
    { SET_V3, "07", "pushIvar 7" },
    { SET_V3, "74", "pushInt value -1" },
    { SET_V3, "77", "pushInt value 2" },
    { SET_V3, "807F", "pushTemp 63" },
    { SET_V3, "80BF", "pushLit 63" },
    { SET_V3, "80C5", "pushVar 5" },
    { SET_V3, "8141", "storeTemp 1" },
    { SET_V3, "8181", "unknown 0" },
    { SET_V3, "81C1", "storeVar 1" },
    { SET_V3, "82C1", "popIntoVar 1" },
    { SET_V3, "83E3", "send 3 count 7" },
    { SET_V3, "841FFF", "send 255 count 31" },
    { SET_V3, "842005", "sendSuper 5" },
    { SET_V3, "8440FF", "pushIvar 255" },
    { SET_V3, "8460FF", "pushLit 255" },
    { SET_V3, "8480FF", "pushVar 255" },
    { SET_V3, "84A0FF", "storeIvar 255" },
    { SET_V3, "84C0FF", "popIntoIvar 255" },
    { SET_V3, "84E0FF", "storeVar 255" },
    { SET_V3, "8522", "sendSuper 2 count 1" },
    { SET_V3, "86FF", "send 63 count 3" },
    { SET_V3, "8A7F", "pushNewArray 0 count 127" },
    { SET_V3, "8A82", "popIntoNewArray 0 count 2" },
    { SET_V3, "8B0102", "callPrimitive 513" },
    { SET_V3, "8C0203", "pushRemote 2 temp 3" },
    { SET_V3, "8F210102", "pushClosure 0 count 1 copied 2 target 262" },
    { SET_V3, "97", "jump 0 target 9" },
    { SET_V3, "9F", "jumpFalse 0 target 9" },
    { SET_V3, "A000", "jump 0 target -1022" },
    { SET_V3, "A7FF", "jump 0 target 1025" },
    { SET_V3, "ABFF", "jumpTrue 0 target 1025" },
    { SET_V3, "ACFF", "jumpFalse 0 target 257" },
    { SET_V3, "C1", "sendSpecial 17 count 2" },
    { SET_V3, "CF", "sendSpecial 31" },
    { SET_V3, "DF", "send 15" },
    { SET_V3, "EF", "send 15 count 1" },
    { SET_V3, "FF", "send 15 count 2" },
    { SET_SISTA, "0F", "pushIvar 15" },
    { SET_SISTA, "1F", "pushVar 15" },
    { SET_SISTA, "3F", "pushLit 31" },
    { SET_SISTA, "4B", "pushTemp 11" },
    { SET_SISTA, "51", "pushInt value 1" },
    { SET_SISTA, "52", "pushContext 0" },
    { SET_SISTA, "E10152", "pushProcess 0" },
    { SET_SISTA, "E10252", "unknown 0" },
    { SET_SISTA, "E003E2FF", "pushIvar 1023" },
    { SET_SISTA, "E001E002E003E404", "pushLit 16909060" },
    { SET_SISTA, "E800", "pushInt" },
    { SET_SISTA, "E1FFE8FF", "pushInt value -1" },
    { SET_SISTA, "E180E800", "pushInt value -32768" },
    { SET_SISTA, "E17FE8FF", "pushInt value 32767" },
    { SET_SISTA, "E100E180E801", "pushInt value 32769" },
    { SET_SISTA, "E1FFE100E801", "pushInt value -65535" },
    { SET_SISTA, "E001E9F6", "pushChar 502" },
    { SET_SISTA, "EAFF", "send 31 count 7" },
    { SET_SISTA, "E002E101EA09", "send 65 count 9" },
    { SET_SISTA, "E101E002EA09", "send 65 count 9" },
    { SET_SISTA, "E000E101E002EA09", "send 65 count 9" },
    { SET_SISTA, "E1FFEA09", "send 1 count -7" },
    { SET_SISTA, "E13FEB00", "sendSuper 0 count 504" },
    { SET_SISTA, "E140EB09", "sendDirectedSuper 1 count 1" },
    { SET_SISTA, "E141EB09", "sendDirectedSuper 1 count 9" },
    { SET_SISTA, "EDFF", "jump 0 target 257" },
    { SET_SISTA, "E1FFEDFC", "jump 0" },
    { SET_SISTA, "E101EE00", "jumpTrue 0 target 260" },
    { SET_SISTA, "F80102", "callPrimitive 513" },
    { SET_SISTA, "F8E883", "inlinePrimitive 1000" },
    { SET_SISTA, "F8E8A3", "inlinePrimitive 1000 count 1" },
    { SET_SISTA, "F905C3", "pushFullClosure 5 copied 3 noOuter receiver" },
    { SET_SISTA, "E001F90543", "pushFullClosure 261 copied 3 noOuter" },
    { SET_SISTA, "FA1105", "pushClosure 0 count 1 copied 2 target 8" },
    { SET_SISTA, "E021E101FA1105", "pushClosure 0 count 9 copied 18 target 268" },
    { SET_SISTA, "FB0203", "pushRemote 2 temp 3" },
    { SET_SISTA, "E005E001E000E007E400", "pushLit 4294967040 too wide" },
};

static char *field(Arena *arena, const char *text, const char *name, int64_t value)
{
    return value ? arena_printf(arena, "%s %s %lld", text, name, (long long)value) : (char *)text;
}

static const char *describe(Arena *arena, const Instruction *i)
{
    bool value = i->op == OP_PUSH_INTEGER;
    const char *name = operation_infos[i->op].name;
    char *text = value ? (char *)name : arena_printf(arena, "%s %u", name, i->index);
    text = field(arena, text, "value", i->value);
    text = field(arena, text, "count", i->count);
    text = field(arena, text, "copied", i->copied);
    text = field(arena, text, "temp", i->temp);
    text = field(arena, text, "target", i->target);
    if (i->no_outer)
        text = arena_printf(arena, "%s noOuter", text);
    if (i->receiver_on_stack)
        text = arena_printf(arena, "%s receiver", text);
    return i->too_wide ? arena_printf(arena, "%s too wide", text) : text;
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t count = 0;
    for (; *hex; hex += 2) {
        char pair[3] = { hex[0], hex[1] };
        out[count++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return count;
}

static void test_samples(Arena *arena)
{
    for (size_t n = 0; n < sizeof samples / sizeof *samples; n++) {
        const Sample *s = &samples[n];
        uint8_t bytes[32];
        size_t count = from_hex(s->bytes, bytes);
        Instruction i;
        const char *text = bytecode_decode(s->set, bytes, count, 0, &i) ? describe(arena, &i) : "?";
        if (strstr(s->text, "pushInt") == s->text && !i.value)
            is_text(text, "pushInt", "%s %s", set_names[s->set], s->bytes);
        else if (!strcmp(text, "jump 0") || !strchr(s->text, ' '))
            is_text(text, s->text, "%s %s", set_names[s->set], s->bytes);
        else
            is_text(text, s->text, "%s %s is %s", set_names[s->set], s->bytes, s->text);
    }
}

/* The instruction among others, so that jumps have somewhere to go. */
static bool opcode_round_trips(BytecodeSet set, const uint8_t *bytes, size_t count, Arena *arena)
{
    enum { BEFORE = 40, ALL = 300 };
    uint8_t code[ALL];
    memset(code, set == SET_V3 ? 135 : 216, ALL);
    memcpy(code + BEFORE, bytes, count);
    CompiledCode method = { .set = set, .bytecodes = code, .bytecode_count = ALL };
    return round_trips(&method, arena);
}

/* One method with the opcode before all pairs of interesting bytes. */
static bool all_operands_round_trip(BytecodeSet set, uint8_t opcode)
{
    static const uint8_t operands[] = { 0, 1, 7, 8, 31, 32, 63, 64, 127, 128, 129, 200, 255 };
    enum { KINDS = sizeof operands, EACH = 7 };
    uint8_t code[KINDS * KINDS * EACH];
    memset(code, set == SET_V3 ? 135 : 216, sizeof code);
    for (size_t n = 0; n < KINDS * KINDS; n++) {
        code[n * EACH] = opcode;
        code[n * EACH + 1] = operands[n % KINDS];
        code[n * EACH + 2] = operands[n / KINDS];
        code[n * EACH + 3] = operands[(n + 3) % KINDS];
    }
    Arena *arena = arena_new();
    CompiledCode method = { .set = set, .bytecodes = code, .bytecode_count = sizeof code };
    bool fine = round_trips(&method, arena);
    arena_free(arena);
    return fine;
}

static void test_all_opcodes(void)
{
    for (int set = SET_V3; set <= SET_SISTA; set++)
        for (int high = 0; high < 256; high += 32) {
            bool fine = true;
            for (int opcode = high; fine && opcode < high + 32; opcode++)
                fine = all_operands_round_trip(set, (uint8_t)opcode);
            ok(fine, "%s %d..%d go through text and back", set_names[set], high, high + 31);
        }
}

static void test_prefixes(void)
{
    bool fine = true;
    for (int n = 0; fine && n < 2000; n++) {
        Arena *arena = arena_new();
        uint8_t bytes[24];
        size_t count = 0;
        for (unsigned k = random_below(10); k > 0; k--) {
            bytes[count++] = random_below(2) ? PREFIX_A : PREFIX_B;
            bytes[count++] = random_below(3) ? 0 : (uint8_t)random_below(256);
        }
        bytes[count++] = (uint8_t)(random_below(3) ? 224 + random_below(32) : random_below(256));
        bytes[count++] = (uint8_t)random_below(256);
        bytes[count++] = (uint8_t)random_below(256);
        fine = opcode_round_trips(SET_SISTA, bytes, count, arena);
        arena_free(arena);
    }
    ok(fine, "prefixes in any order and number go through text and back");
}

/* Encoding a decoded instruction is never longer than what was decoded. */
static void test_shortest(void)
{
    long longer = 0, other = 0, seen = 0;
    for (int n = 0; n < 300000; n++) {
        uint8_t bytes[16], out[ENCODING_MAX];
        BytecodeSet set = random_below(2);
        Instruction i, again;
        for (int k = 0; k < 16; k++)
            bytes[k] = random_below(4) ? (uint8_t)random_below(256)
                                       : 224 + (uint8_t)random_below(2);
        if (!bytecode_decode(set, bytes, 16, 0, &i) || i.op == OP_UNKNOWN || i.too_wide ||
            i.count < 0)
            continue;
        unsigned length = bytecode_encode(set, &i, NULL, out);
        seen++;
        longer += length == 0 || length > i.next;
        if (!length || length > i.next)
            diag("%s %u: %u bytes", operation_infos[i.op].name, i.opcode, length);
        if (length && bytecode_decode(set, out, length, 0, &again))
            other += again.op != i.op || again.index != i.index || again.count != i.count ||
                     again.value != i.value || again.target != i.target ||
                     again.copied != i.copied || again.temp != i.temp;
        else
            other++;
    }
    ok(seen > 100000, "instructions looked at");
    is_int(longer, 0, "the shortest encoding is never longer than another one");
    is_int(other, 0, "what was encoded decodes to the same");
}

static void test_random_code(void)
{
    bool fine = true;
    diag("seed %llu", (unsigned long long)random_state);
    for (int n = 0; fine && n < 2000; n++) {
        Arena *arena = arena_new();
        uint8_t bytes[300];
        size_t count = random_below(random_below(8) ? 40 : 300);
        for (size_t k = 0; k < count; k++)
            bytes[k] = (uint8_t)(random_below(6) ? random_below(256) : 224 + random_below(20));
        CompiledCode method = { .set = random_below(2),
                                .bytecodes = bytes,
                                .bytecode_count = count };
        fine = round_trips(&method, arena);
        disasm_list(&method, arena);
        arena_free(arena);
    }
    ok(fine, "random bytes go through text and back");
}

/* Jumps over jumps whose length depends on each other. */
static void test_dense_jumps(void)
{
    bool fine = true;
    for (int n = 0; fine && n < 100; n++) {
        Arena *arena = arena_new();
        BytecodeSet set = n % 2;
        uint8_t bytes[1500];
        size_t count = 200 + random_below(1300);
        memset(bytes, set == SET_V3 ? 135 : 216, count);
        for (size_t k = 0; k + 4 < count; k += 1 + random_below(6)) {
            bytes[k] = set == SET_V3 ? (uint8_t)(144 + random_below(32))
                                     : 237 + (uint8_t)random_below(3);
            bytes[k + 1] = (uint8_t)random_below(256);
            if (set == SET_SISTA && random_below(2)) {
                bytes[k + 2] = bytes[k];
                bytes[k + 3] = bytes[k + 1];
                bytes[k] = PREFIX_B;
                bytes[k + 1] = (uint8_t)(random_below(7) - 3);
                k += 2;
            }
        }
        CompiledCode method = { .set = set, .bytecodes = bytes, .bytecode_count = count };
        fine = round_trips(&method, arena);
        arena_free(arena);
    }
    ok(fine, "jumps over jumps go through text and back");
}

static void test_primitives(void)
{
    int value;
    is_int(quick_primitive(255, &value), QUICK_NONE, "255 is not quick");
    is_int(quick_primitive(256, &value), QUICK_RECEIVER, "256 answers the receiver");
    is_int(quick_primitive(259, &value), QUICK_NIL, "259 answers nil");
    ok(quick_primitive(260, &value) == QUICK_INTEGER && value == -1, "260 answers -1");
    ok(quick_primitive(263, &value) == QUICK_INTEGER && value == 2, "263 answers 2");
    ok(quick_primitive(264, &value) == QUICK_VARIABLE && value == 0, "264 answers variable 0");
    ok(quick_primitive(519, &value) == QUICK_VARIABLE && value == 255, "519 answers variable 255");
    is_int(quick_primitive(520, &value), QUICK_NONE, "520 is not quick");
    ok(inline_primitive_find(2032)->arguments == 2 && !inline_primitive_find(1004), "inline 2032");
    ok(inline_primitive_find(8003)->jumps && inline_primitive_find(1000), "first and last inline");
    ok(mapped_primitive_find(150)->arguments == 3 && !mapped_primitive_find(149), "mapped 150");
    is_int(special_selector_find("at:put:"), 17, "at:put: is special selector 17");
    is_int(special_selector_find("foo"), -1, "foo is no special selector");
    bool fine = true;
    for (int n = 0; n < SPECIAL_SELECTOR_COUNT; n++)
        fine = fine && selector_arity(special_selectors[n].name) == special_selectors[n].arguments;
    ok(fine, "special selectors have the arguments their names say");
}

int main(void)
{
    Arena *arena = arena_new();
    test_table();
    test_samples(arena);
    test_all_opcodes();
    test_prefixes();
    test_shortest();
    test_random_code();
    test_dense_jumps();
    test_primitives();
    arena_free(arena);
    return done_testing();
}
