/* The tables of the two bytecode sets, and the decoder that reads them.
 *
 * A set is a list of forms (rows); FORM rows own their opcodes, SUB rows share
 * those of the FORM row above them and are told apart by an operand. The map
 * from opcode to row is made from the same list. Row 0 is the unassigned
 * opcode of one byte.
 */
#include "opcodes.h"

#include <limits.h>
#include <string.h>

/*            row, first, last, operation, operands, length, argument */
#define V3_FORMS(FORM, SUB) \
    FORM(V3_PUSH_IVAR, 0, 15, PUSH_RECEIVER_VARIABLE, INDEX_K, 1, 0) \
    FORM(V3_PUSH_TEMP, 16, 31, PUSH_TEMP, INDEX_K, 1, 0) \
    FORM(V3_PUSH_LIT, 32, 63, PUSH_LITERAL, INDEX_K, 1, 0) \
    FORM(V3_PUSH_LITVAR, 64, 95, PUSH_LITERAL_VARIABLE, INDEX_K, 1, 0) \
    FORM(V3_POP_IVAR, 96, 103, POP_INTO_RECEIVER_VARIABLE, INDEX_K, 1, 0) \
    FORM(V3_POP_TEMP, 104, 111, POP_INTO_TEMP, INDEX_K, 1, 0) \
    FORM(V3_PUSH_SELF, 112, 112, PUSH_RECEIVER, NONE, 1, 0) \
    FORM(V3_PUSH_TRUE, 113, 113, PUSH_TRUE, NONE, 1, 0) \
    FORM(V3_PUSH_FALSE, 114, 114, PUSH_FALSE, NONE, 1, 0) \
    FORM(V3_PUSH_NIL, 115, 115, PUSH_NIL, NONE, 1, 0) \
    FORM(V3_PUSH_INT, 116, 119, PUSH_INTEGER, INTEGER_K, 1, 255) \
    FORM(V3_RETURN_SELF, 120, 120, RETURN_RECEIVER, NONE, 1, 0) \
    FORM(V3_RETURN_TRUE, 121, 121, RETURN_TRUE, NONE, 1, 0) \
    FORM(V3_RETURN_FALSE, 122, 122, RETURN_FALSE, NONE, 1, 0) \
    FORM(V3_RETURN_NIL, 123, 123, RETURN_NIL, NONE, 1, 0) \
    FORM(V3_RETURN_TOP, 124, 124, RETURN_TOP, NONE, 1, 0) \
    FORM(V3_BLOCK_RETURN, 125, 125, BLOCK_RETURN_TOP, NONE, 1, 0) \
    FORM(V3_X_PUSH_IVAR, 128, 128, PUSH_RECEIVER_VARIABLE, EXTENDED_6, 2, 0) \
    SUB(V3_X_PUSH_TEMP, 128, 128, PUSH_TEMP, EXTENDED_6, 2, 1) \
    SUB(V3_X_PUSH_LIT, 128, 128, PUSH_LITERAL, EXTENDED_6, 2, 2) \
    SUB(V3_X_PUSH_LITVAR, 128, 128, PUSH_LITERAL_VARIABLE, EXTENDED_6, 2, 3) \
    FORM(V3_X_STORE_IVAR, 129, 129, STORE_RECEIVER_VARIABLE, EXTENDED_6, 2, 0) \
    SUB(V3_X_STORE_TEMP, 129, 129, STORE_TEMP, EXTENDED_6, 2, 1) \
    SUB(V3_X_STORE_LIT, 129, 129, UNKNOWN, EXTENDED_6, 2, 2) \
    SUB(V3_X_STORE_LITVAR, 129, 129, STORE_LITERAL_VARIABLE, EXTENDED_6, 2, 3) \
    FORM(V3_X_POP_IVAR, 130, 130, POP_INTO_RECEIVER_VARIABLE, EXTENDED_6, 2, 0) \
    SUB(V3_X_POP_TEMP, 130, 130, POP_INTO_TEMP, EXTENDED_6, 2, 1) \
    SUB(V3_X_POP_LIT, 130, 130, UNKNOWN, EXTENDED_6, 2, 2) \
    SUB(V3_X_POP_LITVAR, 130, 130, POP_INTO_LITERAL_VARIABLE, EXTENDED_6, 2, 3) \
    FORM(V3_SEND_5, 131, 131, SEND, SEND_5, 2, 0) \
    FORM(V3_XX_SEND, 132, 132, SEND, EXTENDED_SEND, 3, 0) \
    SUB(V3_XX_SUPER, 132, 132, SEND_SUPER, EXTENDED_SEND, 3, 1) \
    SUB(V3_XX_PUSH_IVAR, 132, 132, PUSH_RECEIVER_VARIABLE, EXTENDED_5, 3, 2) \
    SUB(V3_XX_PUSH_LIT, 132, 132, PUSH_LITERAL, EXTENDED_5, 3, 3) \
    SUB(V3_XX_PUSH_LITVAR, 132, 132, PUSH_LITERAL_VARIABLE, EXTENDED_5, 3, 4) \
    SUB(V3_XX_STORE_IVAR, 132, 132, STORE_RECEIVER_VARIABLE, EXTENDED_5, 3, 5) \
    SUB(V3_XX_POP_IVAR, 132, 132, POP_INTO_RECEIVER_VARIABLE, EXTENDED_5, 3, 6) \
    SUB(V3_XX_STORE_LITVAR, 132, 132, STORE_LITERAL_VARIABLE, EXTENDED_5, 3, 7) \
    FORM(V3_SUPER, 133, 133, SEND_SUPER, SEND_5, 2, 0) \
    FORM(V3_SEND_6, 134, 134, SEND, SEND_6, 2, 0) \
    FORM(V3_POP, 135, 135, POP, NONE, 1, 0) \
    FORM(V3_DUP, 136, 136, DUPLICATE, NONE, 1, 0) \
    FORM(V3_PUSH_CONTEXT, 137, 137, PUSH_CONTEXT, NONE, 1, 0) \
    FORM(V3_NEW_ARRAY, 138, 138, PUSH_NEW_ARRAY, ARRAY, 2, 0) \
    SUB(V3_POP_ARRAY, 138, 138, POP_INTO_NEW_ARRAY, ARRAY, 2, 1) \
    FORM(V3_PRIMITIVE, 139, 139, CALL_PRIMITIVE, PRIMITIVE, 3, 0) \
    FORM(V3_PUSH_REMOTE, 140, 140, PUSH_REMOTE_TEMP, REMOTE, 3, 0) \
    FORM(V3_STORE_REMOTE, 141, 141, STORE_REMOTE_TEMP, REMOTE, 3, 0) \
    FORM(V3_POP_REMOTE, 142, 142, POP_INTO_REMOTE_TEMP, REMOTE, 3, 0) \
    FORM(V3_CLOSURE, 143, 143, PUSH_CLOSURE, CLOSURE, 4, 0) \
    FORM(V3_JUMP, 144, 151, JUMP, JUMP_K, 1, 0) \
    FORM(V3_JUMP_FALSE, 152, 159, JUMP_IF_FALSE, JUMP_K, 1, 0) \
    FORM(V3_JUMP_LONG, 160, 167, JUMP, JUMP_K_SIGNED, 2, 0) \
    FORM(V3_JUMP_TRUE_LONG, 168, 171, JUMP_IF_TRUE, JUMP_K_FORWARD, 2, 0) \
    FORM(V3_JUMP_FALSE_LONG, 172, 175, JUMP_IF_FALSE, JUMP_K_FORWARD, 2, 0) \
    FORM(V3_SPECIAL, 176, 207, SEND_SPECIAL, SEND_SPECIAL, 1, 0) \
    FORM(V3_SEND_0, 208, 223, SEND, SEND_K, 1, 0) \
    FORM(V3_SEND_1, 224, 239, SEND, SEND_K, 1, 1) \
    FORM(V3_SEND_2, 240, 255, SEND, SEND_K, 1, 2)

#define SISTA_FORMS(FORM, SUB) \
    FORM(S_PUSH_IVAR, 0, 15, PUSH_RECEIVER_VARIABLE, INDEX_K, 1, 0) \
    FORM(S_PUSH_LITVAR, 16, 31, PUSH_LITERAL_VARIABLE, INDEX_K, 1, 0) \
    FORM(S_PUSH_LIT, 32, 63, PUSH_LITERAL, INDEX_K, 1, 0) \
    FORM(S_PUSH_TEMP, 64, 75, PUSH_TEMP, INDEX_K, 1, 0) \
    FORM(S_PUSH_SELF, 76, 76, PUSH_RECEIVER, NONE, 1, 0) \
    FORM(S_PUSH_TRUE, 77, 77, PUSH_TRUE, NONE, 1, 0) \
    FORM(S_PUSH_FALSE, 78, 78, PUSH_FALSE, NONE, 1, 0) \
    FORM(S_PUSH_NIL, 79, 79, PUSH_NIL, NONE, 1, 0) \
    FORM(S_PUSH_INT, 80, 81, PUSH_INTEGER, INTEGER_K, 1, 0) \
    FORM(S_PUSH_CONTEXT, 82, 82, PUSH_CONTEXT, PSEUDO_B, 1, 0) \
    SUB(S_PUSH_PROCESS, 82, 82, PUSH_PROCESS, PSEUDO_B, 1, 1) \
    SUB(S_PUSH_PSEUDO, 82, 82, UNKNOWN, PSEUDO_B, 1, 2) \
    FORM(S_DUP, 83, 83, DUPLICATE, NONE, 1, 0) \
    FORM(S_UNKNOWN_84, 84, 87, UNKNOWN, NONE_AB, 1, 0) \
    FORM(S_RETURN_SELF, 88, 88, RETURN_RECEIVER, NONE, 1, 0) \
    FORM(S_RETURN_TRUE, 89, 89, RETURN_TRUE, NONE, 1, 0) \
    FORM(S_RETURN_FALSE, 90, 90, RETURN_FALSE, NONE, 1, 0) \
    FORM(S_RETURN_NIL, 91, 91, RETURN_NIL, NONE, 1, 0) \
    FORM(S_RETURN_TOP, 92, 92, RETURN_TOP, NONE, 1, 0) \
    FORM(S_BLOCK_RETURN_NIL, 93, 93, BLOCK_RETURN_NIL, NONE_AB, 1, 0) \
    FORM(S_BLOCK_RETURN, 94, 94, BLOCK_RETURN_TOP, NONE_AB, 1, 0) \
    FORM(S_NOP, 95, 95, NOP, NONE_AB, 1, 0) \
    FORM(S_SPECIAL, 96, 127, SEND_SPECIAL, SEND_SPECIAL, 1, 0) \
    FORM(S_SEND_0, 128, 143, SEND, SEND_K, 1, 0) \
    FORM(S_SEND_1, 144, 159, SEND, SEND_K, 1, 1) \
    FORM(S_SEND_2, 160, 175, SEND, SEND_K, 1, 2) \
    FORM(S_JUMP, 176, 183, JUMP, JUMP_K, 1, 0) \
    FORM(S_JUMP_TRUE, 184, 191, JUMP_IF_TRUE, JUMP_K, 1, 0) \
    FORM(S_JUMP_FALSE, 192, 199, JUMP_IF_FALSE, JUMP_K, 1, 0) \
    FORM(S_POP_IVAR, 200, 207, POP_INTO_RECEIVER_VARIABLE, INDEX_K, 1, 0) \
    FORM(S_POP_TEMP, 208, 215, POP_INTO_TEMP, INDEX_K, 1, 0) \
    FORM(S_POP, 216, 216, POP, NONE, 1, 0) \
    FORM(S_TRAP, 217, 217, TRAP, NONE_AB, 1, 0) \
    FORM(S_UNKNOWN_218, 218, 223, UNKNOWN, NONE_AB, 1, 0) \
    FORM(S_PREFIX, 224, 225, UNKNOWN, NONE_AB, 2, 0) \
    FORM(S_X_PUSH_IVAR, 226, 226, PUSH_RECEIVER_VARIABLE, INDEX_A, 2, 0) \
    FORM(S_X_PUSH_LITVAR, 227, 227, PUSH_LITERAL_VARIABLE, INDEX_A, 2, 0) \
    FORM(S_X_PUSH_LIT, 228, 228, PUSH_LITERAL, INDEX_A, 2, 0) \
    FORM(S_X_PUSH_TEMP, 229, 229, PUSH_TEMP, INDEX, 2, 0) \
    FORM(S_UNKNOWN_230, 230, 230, UNKNOWN, NONE_AB, 2, 0) \
    FORM(S_NEW_ARRAY, 231, 231, PUSH_NEW_ARRAY, ARRAY, 2, 0) \
    SUB(S_POP_ARRAY, 231, 231, POP_INTO_NEW_ARRAY, ARRAY, 2, 1) \
    FORM(S_X_PUSH_INT, 232, 232, PUSH_INTEGER, INTEGER_B, 2, 0) \
    FORM(S_X_PUSH_CHAR, 233, 233, PUSH_CHARACTER, INDEX_A, 2, 0) \
    FORM(S_X_SEND, 234, 234, SEND, SEND_AB, 2, 0) \
    FORM(S_X_SUPER, 235, 235, SEND_SUPER, SUPER_AB, 2, 0) \
    SUB(S_X_DIRECTED, 235, 235, SEND_DIRECTED_SUPER, DIRECTED_AB, 2, 0) \
    FORM(S_MAPPED, 236, 236, MAPPED_PRIMITIVE, INDEX, 2, 0) \
    FORM(S_X_JUMP, 237, 237, JUMP, JUMP_B, 2, 0) \
    FORM(S_X_JUMP_TRUE, 238, 238, JUMP_IF_TRUE, JUMP_B, 2, 0) \
    FORM(S_X_JUMP_FALSE, 239, 239, JUMP_IF_FALSE, JUMP_B, 2, 0) \
    FORM(S_X_POP_IVAR, 240, 240, POP_INTO_RECEIVER_VARIABLE, INDEX_A, 2, 0) \
    FORM(S_X_POP_LITVAR, 241, 241, POP_INTO_LITERAL_VARIABLE, INDEX_A, 2, 0) \
    FORM(S_X_POP_TEMP, 242, 242, POP_INTO_TEMP, INDEX, 2, 0) \
    FORM(S_X_STORE_IVAR, 243, 243, STORE_RECEIVER_VARIABLE, INDEX_A, 2, 0) \
    FORM(S_X_STORE_LITVAR, 244, 244, STORE_LITERAL_VARIABLE, INDEX_A, 2, 0) \
    FORM(S_X_STORE_TEMP, 245, 245, STORE_TEMP, INDEX, 2, 0) \
    FORM(S_UNKNOWN_246, 246, 247, UNKNOWN, NONE_AB, 2, 0) \
    FORM(S_PRIMITIVE, 248, 248, CALL_PRIMITIVE, PRIMITIVE_SISTA, 3, 0) \
    SUB(S_INLINE, 248, 248, INLINE_PRIMITIVE, INLINE, 3, 0) \
    FORM(S_FULL_CLOSURE, 249, 249, PUSH_FULL_CLOSURE, FULL_CLOSURE, 3, 0) \
    FORM(S_CLOSURE, 250, 250, PUSH_CLOSURE, CLOSURE_AB, 3, 0) \
    FORM(S_PUSH_REMOTE, 251, 251, PUSH_REMOTE_TEMP, REMOTE, 3, 0) \
    FORM(S_STORE_REMOTE, 252, 252, STORE_REMOTE_TEMP, REMOTE, 3, 0) \
    FORM(S_POP_REMOTE, 253, 253, POP_INTO_REMOTE_TEMP, REMOTE, 3, 0) \
    FORM(S_UNKNOWN_254, 254, 255, UNKNOWN, NONE_AB, 3, 0)

#define ROW_NAME(row, ...) ROW_##row,
#define ROW(row, first, last, op, operands, length, argument) \
    { first, last, OP_##op, OPERANDS_##operands, length, argument },
#define MAP(row, first, last, ...) [first ... last] = ROW_##row,
#define NOTHING(...)

enum { V3_ROW_0, V3_FORMS(ROW_NAME, ROW_NAME) V3_ROWS };
enum { SISTA_ROW_0, SISTA_FORMS(ROW_NAME, ROW_NAME) SISTA_ROWS };

#define UNASSIGNED { 0, 0, OP_UNKNOWN, OPERANDS_NONE_AB, 1, 0 }
static const OpcodeForm v3_forms[V3_ROWS] = { UNASSIGNED, V3_FORMS(ROW, ROW) };
static const OpcodeForm sista_forms[SISTA_ROWS] = { UNASSIGNED, SISTA_FORMS(ROW, ROW) };
static const uint8_t v3_map[256] = { V3_FORMS(MAP, NOTHING) };
static const uint8_t sista_map[256] = { SISTA_FORMS(MAP, NOTHING) };

const OperationInfo operation_infos[OPERATION_COUNT] = {
    [OP_UNKNOWN] = { "unknown", KIND_UNKNOWN, 0, 0 },
    [OP_PUSH_RECEIVER_VARIABLE] = { "pushIvar", KIND_PUSH, 0, 1 },
    [OP_PUSH_TEMP] = { "pushTemp", KIND_PUSH, 0, 1 },
    [OP_PUSH_LITERAL] = { "pushLit", KIND_PUSH, 0, 1 },
    [OP_PUSH_LITERAL_VARIABLE] = { "pushVar", KIND_PUSH, 0, 1 },
    [OP_PUSH_REMOTE_TEMP] = { "pushRemote", KIND_PUSH, 0, 1 },
    [OP_PUSH_RECEIVER] = { "pushSelf", KIND_PUSH, 0, 1 },
    [OP_PUSH_TRUE] = { "pushTrue", KIND_PUSH, 0, 1 },
    [OP_PUSH_FALSE] = { "pushFalse", KIND_PUSH, 0, 1 },
    [OP_PUSH_NIL] = { "pushNil", KIND_PUSH, 0, 1 },
    [OP_PUSH_INTEGER] = { "pushInt", KIND_PUSH, 0, 1 },
    [OP_PUSH_CHARACTER] = { "pushChar", KIND_PUSH, 0, 1 },
    [OP_PUSH_CONTEXT] = { "pushContext", KIND_PUSH, 0, 1 },
    [OP_PUSH_PROCESS] = { "pushProcess", KIND_PUSH, 0, 1 },
    [OP_PUSH_NEW_ARRAY] = { "pushNewArray", KIND_PUSH, 0, 1 },
    [OP_POP_INTO_NEW_ARRAY] = { "popIntoNewArray", KIND_PUSH, 0, 1 },
    [OP_PUSH_CLOSURE] = { "pushClosure", KIND_CLOSURE, 0, 1 },
    [OP_PUSH_FULL_CLOSURE] = { "pushFullClosure", KIND_CLOSURE, 0, 1 },
    [OP_DUPLICATE] = { "dup", KIND_STACK, 1, 2 },
    [OP_POP] = { "pop", KIND_STACK, 1, 0 },
    [OP_NOP] = { "nop", KIND_STACK, 0, 0 },
    [OP_STORE_RECEIVER_VARIABLE] = { "storeIvar", KIND_STORE, 1, 1 },
    [OP_STORE_TEMP] = { "storeTemp", KIND_STORE, 1, 1 },
    [OP_STORE_LITERAL_VARIABLE] = { "storeVar", KIND_STORE, 1, 1 },
    [OP_STORE_REMOTE_TEMP] = { "storeRemote", KIND_STORE, 1, 1 },
    [OP_POP_INTO_RECEIVER_VARIABLE] = { "popIntoIvar", KIND_POP_STORE, 1, 0 },
    [OP_POP_INTO_TEMP] = { "popIntoTemp", KIND_POP_STORE, 1, 0 },
    [OP_POP_INTO_LITERAL_VARIABLE] = { "popIntoVar", KIND_POP_STORE, 1, 0 },
    [OP_POP_INTO_REMOTE_TEMP] = { "popIntoRemote", KIND_POP_STORE, 1, 0 },
    [OP_SEND] = { "send", KIND_SEND, 1, 1 },
    [OP_SEND_SPECIAL] = { "sendSpecial", KIND_SEND, 1, 1 },
    [OP_SEND_SUPER] = { "sendSuper", KIND_SEND, 1, 1 },
    [OP_SEND_DIRECTED_SUPER] = { "sendDirectedSuper", KIND_SEND, 2, 1 },
    [OP_JUMP] = { "jump", KIND_JUMP, 0, 0 },
    [OP_JUMP_IF_TRUE] = { "jumpTrue", KIND_CONDITIONAL_JUMP, 1, 0 },
    [OP_JUMP_IF_FALSE] = { "jumpFalse", KIND_CONDITIONAL_JUMP, 1, 0 },
    [OP_RETURN_RECEIVER] = { "returnSelf", KIND_RETURN, 0, 0 },
    [OP_RETURN_TRUE] = { "returnTrue", KIND_RETURN, 0, 0 },
    [OP_RETURN_FALSE] = { "returnFalse", KIND_RETURN, 0, 0 },
    [OP_RETURN_NIL] = { "returnNil", KIND_RETURN, 0, 0 },
    [OP_RETURN_TOP] = { "returnTop", KIND_RETURN, 1, 0 },
    [OP_BLOCK_RETURN_NIL] = { "blockReturnNil", KIND_BLOCK_RETURN, 0, 0 },
    [OP_BLOCK_RETURN_TOP] = { "blockReturnTop", KIND_BLOCK_RETURN, 1, 0 },
    [OP_CALL_PRIMITIVE] = { "callPrimitive", KIND_PRIMITIVE, 0, 0 },
    [OP_INLINE_PRIMITIVE] = { "inlinePrimitive", KIND_PRIMITIVE, 0, 0 },
    [OP_MAPPED_PRIMITIVE] = { "mappedPrimitive", KIND_PRIMITIVE, 0, 0 },
    [OP_TRAP] = { "trap", KIND_UNKNOWN, 0, 0 },
};

const SpecialSelector special_selectors[SPECIAL_SELECTOR_COUNT] = {
    { "+", 1 },         { "-", 1 },     { "<", 1 },        { ">", 1 },     { "<=", 1 },
    { ">=", 1 },        { "=", 1 },     { "~=", 1 },       { "*", 1 },     { "/", 1 },
    { "\\\\", 1 },      { "@", 1 },     { "bitShift:", 1 }, { "//", 1 },   { "bitAnd:", 1 },
    { "bitOr:", 1 },    { "at:", 1 },   { "at:put:", 2 },  { "size", 0 },  { "next", 0 },
    { "nextPut:", 1 },  { "atEnd", 0 }, { "==", 1 },       { "class", 0 }, { "~~", 1 },
    { "value", 0 },     { "value:", 1 }, { "do:", 1 },     { "new", 0 },   { "new:", 1 },
    { "x", 0 },         { "y", 0 },
};

unsigned selector_arity(const char *selector)
{
    unsigned colons = 0;
    bool binary = *selector && strspn(selector, "!%&*+,/<=>?@\\|~-") == strlen(selector);
    for (; *selector; selector++)
        colons += *selector == ':';
    return binary ? 1 : colons;
}

int special_selector_find(const char *name)
{
    for (int n = 0; n < SPECIAL_SELECTOR_COUNT; n++)
        if (!strcmp(special_selectors[n].name, name))
            return n;
    return -1;
}

const OpcodeForm *bytecode_forms(BytecodeSet set, size_t *count)
{
    *count = set == SET_V3 ? V3_ROWS : SISTA_ROWS;
    return set == SET_V3 ? v3_forms : sista_forms;
}

const OpcodeForm *bytecode_form(BytecodeSet set, uint8_t opcode)
{
    return set == SET_V3 ? &v3_forms[v3_map[opcode]] : &sista_forms[sista_map[opcode]];
}

unsigned bytecode_length(BytecodeSet set, uint8_t opcode)
{
    return bytecode_form(set, opcode)->length;
}

bool form_uses_a(const OpcodeForm *form)
{
    switch (form->operands) {
    case OPERANDS_NONE_AB:
    case OPERANDS_INDEX_A:
    case OPERANDS_SEND_AB:
    case OPERANDS_SUPER_AB:
    case OPERANDS_DIRECTED_AB:
    case OPERANDS_FULL_CLOSURE:
    case OPERANDS_CLOSURE_AB:
        return true;
    default:
        return false;
    }
}

bool form_uses_b(const OpcodeForm *form)
{
    switch (form->operands) {
    case OPERANDS_NONE_AB:
    case OPERANDS_INTEGER_B:
    case OPERANDS_PSEUDO_B:
    case OPERANDS_SEND_AB:
    case OPERANDS_SUPER_AB:
    case OPERANDS_DIRECTED_AB:
    case OPERANDS_CLOSURE_AB:
    case OPERANDS_JUMP_B:
        return true;
    default:
        return false;
    }
}

int operation_find(const char *name, size_t length)
{
    for (int op = 0; op < OPERATION_COUNT; op++) {
        const char *known = operation_infos[op].name;
        if (strlen(known) == length && !memcmp(known, name, length))
            return op;
    }
    return -1;
}

/* -- Decoding -- */

static void fold_prefix(Instruction *out, uint8_t opcode, uint8_t byte)
{
    if (opcode == PREFIX_A) {
        if (out->ext_a > EXTENSION_MAX >> 8) {
            out->ext_a = EXTENSION_MAX;
            out->too_wide = true;
        } else {
            out->ext_a = out->ext_a << 8 | byte;
        }
        out->a_count += out->a_count < UINT16_MAX;
    } else {
        const int32_t limit = (EXTENSION_MAX + 1) / 2;
        int64_t wide = out->b_count ? (int64_t)out->ext_b * 256 + byte : (int8_t)byte;
        if (wide < -limit || wide >= limit) {
            wide = wide < 0 ? -limit : limit - 1;
            out->too_wide = true;
        }
        out->ext_b = (int32_t)wide;
        out->b_count += out->b_count < UINT16_MAX;
    }
}

/* Rows that share an opcode: the one the operands (or B) say. */
static const OpcodeForm *select_form(const OpcodeForm *form, const uint8_t *b, int32_t ext_b)
{
    switch (form->operands) {
    case OPERANDS_EXTENDED_6:
        return form + (b[1] >> 6);
    case OPERANDS_EXTENDED_SEND:
        return form + (b[1] >> 5);
    case OPERANDS_ARRAY:
        return form + (b[1] >> 7);
    case OPERANDS_PSEUDO_B:
        return form + (ext_b == 0 ? 0 : ext_b == 1 ? 1 : 2);
    case OPERANDS_SUPER_AB:
        return form + (ext_b >= 64);
    case OPERANDS_PRIMITIVE_SISTA:
        return form + (b[2] >> 7);
    default:
        return form;
    }
}

static void decode_send(Instruction *i, const uint8_t *b, uint32_t k)
{
    switch (i->form->operands) {
    case OPERANDS_SEND_K:
        i->index = k;
        i->count = i->form->argument;
        break;
    case OPERANDS_SEND_SPECIAL:
        i->index = k;
        i->count = special_selectors[k].arguments;
        break;
    case OPERANDS_SEND_5:
        i->index = b[1] & 31;
        i->count = b[1] >> 5;
        break;
    case OPERANDS_SEND_6:
        i->index = b[1] & 63;
        i->count = b[1] >> 6;
        break;
    case OPERANDS_EXTENDED_SEND:
        i->index = b[2];
        i->count = b[1] & 31;
        break;
    default:
        i->index = (b[1] >> 3) + i->ext_a * 32;
        i->count = (b[1] & 7) + (i->ext_b - (i->op == OP_SEND_DIRECTED_SUPER ? 64 : 0)) * 8;
    }
}

static void decode_closure(Instruction *i, const uint8_t *b)
{
    switch (i->form->operands) {
    case OPERANDS_CLOSURE:
        i->count = b[1] & 15;
        i->copied = b[1] >> 4;
        i->target = (int64_t)i->next + b[2] * 256 + b[3];
        break;
    case OPERANDS_CLOSURE_AB:
        i->count = (b[1] & 7) + (int32_t)(i->ext_a % 16) * 8;
        i->copied = (b[1] >> 3 & 7) + i->ext_a / 16 * 8;
        i->target = (int64_t)i->next + b[2] + i->ext_b * 256;
        break;
    default:
        i->index = b[1] + i->ext_a * 256;
        i->copied = b[2] & 63;
        i->no_outer = b[2] & 64;
        i->receiver_on_stack = b[2] & 128;
    }
}

static void decode_jump(Instruction *i, const uint8_t *b, int32_t k)
{
    int32_t displacement;
    switch (i->form->operands) {
    case OPERANDS_JUMP_K:
        displacement = k + 1;
        break;
    case OPERANDS_JUMP_K_SIGNED:
        displacement = (k - 4) * 256 + b[1];
        break;
    case OPERANDS_JUMP_K_FORWARD:
        displacement = k * 256 + b[1];
        break;
    default:
        displacement = b[1] + i->ext_b * 256;
    }
    i->target = (int64_t)i->next + displacement;
}

static void decode_primitive(Instruction *i, const uint8_t *b)
{
    uint32_t n = b[1] + b[2] * 256u;
    if (i->form->operands == OPERANDS_INLINE) {
        i->index = n & 0x1FFF;
        i->count = (n & 0x7FFF) >> 13;
    } else {
        i->index = n;
    }
}

static void decode_operands(Instruction *i, const uint8_t *b)
{
    uint32_t k = (uint32_t)(i->opcode - i->form->first);
    switch ((OperandLayout)i->form->operands) {
    case OPERANDS_NONE:
    case OPERANDS_NONE_AB:
    case OPERANDS_PSEUDO_B:
        break;
    case OPERANDS_INDEX_K:
        i->index = k;
        break;
    case OPERANDS_INTEGER_K:
        i->value = (int32_t)k + (int8_t)i->form->argument;
        break;
    case OPERANDS_INDEX:
        i->index = b[1];
        break;
    case OPERANDS_INDEX_A:
        i->index = b[1] + i->ext_a * 256;
        break;
    case OPERANDS_INTEGER_B:
        i->value = b[1] + i->ext_b * 256;
        break;
    case OPERANDS_EXTENDED_6:
        i->index = b[1] & 63;
        break;
    case OPERANDS_EXTENDED_5:
        i->index = b[2];
        break;
    case OPERANDS_ARRAY:
        i->count = b[1] & 127;
        break;
    case OPERANDS_REMOTE:
        i->index = b[1];
        i->temp = b[2];
        break;
    case OPERANDS_SEND_K:
    case OPERANDS_SEND_SPECIAL:
    case OPERANDS_SEND_5:
    case OPERANDS_SEND_6:
    case OPERANDS_EXTENDED_SEND:
    case OPERANDS_SEND_AB:
    case OPERANDS_SUPER_AB:
    case OPERANDS_DIRECTED_AB:
        decode_send(i, b, k);
        break;
    case OPERANDS_PRIMITIVE:
    case OPERANDS_PRIMITIVE_SISTA:
    case OPERANDS_INLINE:
        decode_primitive(i, b);
        break;
    case OPERANDS_CLOSURE:
    case OPERANDS_CLOSURE_AB:
    case OPERANDS_FULL_CLOSURE:
        decode_closure(i, b);
        break;
    case OPERANDS_JUMP_K:
    case OPERANDS_JUMP_K_SIGNED:
    case OPERANDS_JUMP_K_FORWARD:
    case OPERANDS_JUMP_B:
        decode_jump(i, b, (int32_t)k);
        break;
    }
}

bool bytecode_decode(BytecodeSet set, const uint8_t *bytes, size_t count, size_t pc,
                     Instruction *out)
{
    const OpcodeForm *forms = set == SET_V3 ? v3_forms : sista_forms;
    const uint8_t *map = set == SET_V3 ? v3_map : sista_map;
    *out = (Instruction){ .pc = (uint32_t)pc };
    if (set == SET_SISTA)
        for (; count > pc + 1 && (bytes[pc] == PREFIX_A || bytes[pc] == PREFIX_B); pc += 2)
            fold_prefix(out, bytes[pc], bytes[pc + 1]);
    out->opcode_pc = (uint32_t)pc;
    out->form = &forms[pc < count ? map[bytes[pc]] : 0];
    if (pc >= count || out->form->length > count - pc) {
        out->form = forms;
        out->next = (uint32_t)count;
        return false;
    }
    out->opcode = bytes[pc];
    out->form = select_form(out->form, bytes + pc, out->ext_b);
    out->op = out->form->operation;
    out->next = (uint32_t)pc + out->form->length;
    if (out->op != OP_UNKNOWN)
        decode_operands(out, bytes + pc);
    return true;
}

/* -- Effects -- */

static const InlinePrimitive *inline_effect(const Instruction *i)
{
    if (i->op == OP_MAPPED_PRIMITIVE)
        return mapped_primitive_find(i->index);
    return i->count == 0 ? inline_primitive_find(i->index) : NULL;
}

unsigned instruction_pops(const Instruction *i)
{
    unsigned pops = operation_infos[i->op].pops;
    unsigned count = i->count < 0 ? 0 : (unsigned)i->count;
    switch (i->op) {
    case OP_SEND:
    case OP_SEND_SPECIAL:
    case OP_SEND_SUPER:
    case OP_SEND_DIRECTED_SUPER:
    case OP_POP_INTO_NEW_ARRAY:
        return pops + count;
    case OP_PUSH_CLOSURE:
        return i->copied;
    case OP_PUSH_FULL_CLOSURE:
        return i->copied + i->receiver_on_stack;
    case OP_INLINE_PRIMITIVE:
    case OP_MAPPED_PRIMITIVE: {
        const InlinePrimitive *primitive = inline_effect(i);
        return primitive ? primitive->arguments : 0;
    }
    default:
        return pops;
    }
}

unsigned instruction_pushes(const Instruction *i)
{
    if (i->op == OP_INLINE_PRIMITIVE || i->op == OP_MAPPED_PRIMITIVE) {
        const InlinePrimitive *primitive = inline_effect(i);
        return primitive && !primitive->jumps;
    }
    return operation_infos[i->op].pushes;
}

bool instruction_polls(const Instruction *i)
{
    OperationKind kind = instruction_kind(i);
    return (kind == KIND_JUMP || kind == KIND_CONDITIONAL_JUMP) && i->target < i->next;
}

bool instruction_falls_through(const Instruction *i)
{
    switch (instruction_kind(i)) {
    case KIND_UNKNOWN:
    case KIND_JUMP:
    case KIND_RETURN:
    case KIND_BLOCK_RETURN:
        return false;
    default:
        return true;
    }
}
