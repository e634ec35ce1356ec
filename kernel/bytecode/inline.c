/* Facts about primitives that bytecode tools need: the quick ones, and those
 * that Sista's optimiser writes in line. */
#include "opcodes.h"

QuickKind quick_primitive(unsigned primitive, int *value)
{
    static const QuickKind constants[] = { QUICK_RECEIVER, QUICK_TRUE, QUICK_FALSE, QUICK_NIL };
    *value = 0;
    if (primitive < QUICK_FIRST || primitive > QUICK_LAST)
        return QUICK_NONE;
    if (primitive < QUICK_FIRST + 4)
        return constants[primitive - QUICK_FIRST];
    if (primitive < QUICK_FIRST + 8) {
        *value = (int)primitive - (QUICK_FIRST + 5);
        return QUICK_INTEGER;
    }
    *value = (int)primitive - (QUICK_FIRST + 8);
    return QUICK_VARIABLE;
}

/* number, arguments, jumps, name; sorted by number */
static const InlinePrimitive inline_primitives[] = {
    { 1000, 1, false, "rawClass" },
    { 1001, 1, false, "numSlots" },
    { 1002, 1, false, "numBytes" },
    { 1003, 1, false, "numShorts" },
    { 1005, 1, false, "numWords" },
    { 1006, 1, false, "numDoubleWords" },
    { 1011, 1, false, "rawNew" },
    { 1012, 1, false, "rawNewNoInit" },
    { 1020, 1, false, "objectIdentityHash" },
    { 1021, 1, false, "smiIdentityHash" },
    { 1022, 1, false, "charIdentityHash" },
    { 1023, 1, false, "smallFloatIdentityHash" },
    { 1024, 1, false, "behaviorIdentityHash" },
    { 1030, 1, false, "characterAsInteger" },
    { 1031, 1, false, "smallFloatAsInteger" },
    { 1032, 1, false, "smiAsFloat" },
    { 1039, 1, false, "unforwardNonImmediate" },
    { 1040, 1, false, "unforward" },
    { 1041, 1, false, "possibleRoot" },
    { 2000, 2, false, "smiAdd:" },
    { 2001, 2, false, "smiSubtract:" },
    { 2002, 2, false, "smiMultiply:" },
    { 2003, 2, false, "smiDivide:" },
    { 2004, 2, false, "smiDiv:" },
    { 2005, 2, false, "smiMod:" },
    { 2006, 2, false, "smiQuo:" },
    { 2016, 2, false, "smiBitAnd:" },
    { 2017, 2, false, "smiBitOr:" },
    { 2018, 2, false, "smiBitXor:" },
    { 2019, 2, false, "smiBitShiftLeft:" },
    { 2020, 2, false, "smiBitShiftRight:" },
    { 2032, 2, false, "smiGreater:" },
    { 2033, 2, false, "smiLess:" },
    { 2034, 2, false, "smiGreaterOrEqual:" },
    { 2035, 2, false, "smiLessOrEqual:" },
    { 2036, 2, false, "smiEqual:" },
    { 2037, 2, false, "smiNotEqual:" },
    { 2038, 2, false, "rawEqualsEquals:" },
    { 2039, 2, false, "rawNotEqualsEquals:" },
    { 2048, 2, false, "rawNew:" },
    { 2049, 2, false, "rawNewNoInit:" },
    { 2064, 2, false, "pointerAt:" },
    { 2065, 2, false, "maybeContextPointerAt:" },
    { 2066, 2, false, "byteAt:" },
    { 2067, 2, false, "shortAt:" },
    { 2068, 2, false, "wordAt:" },
    { 2069, 2, false, "doubleWordAt:" },
    { 3000, 3, false, "pointerAt:put:" },
    { 3001, 3, false, "storeCheckPointerAt:put:" },
    { 3002, 3, false, "maybeContextPointerAt:put:" },
    { 3003, 3, false, "maybeContextStoreCheckPointerAt:put:" },
    { 3004, 3, false, "byteAt:put:" },
    { 3005, 3, false, "shortAt:put:" },
    { 3006, 3, false, "wordAt:put:" },
    { 3007, 3, false, "doubleWordAt:put:" },
    { 3021, 3, false, "compareBytes" },
    { 5000, 5, false, "copyArray" },
    { INLINE_BACKJUMP, 1, true, "backjumpNoInterrupt" },
    { 7016, 2, true, "jumpIfWritable" },
    { 7017, 2, true, "jumpIfReadOnly" },
    { 7018, 2, true, "jumpIfYoung" },
    { 7019, 2, true, "jumpIfOld" },
    { 8000, 3, true, "jumpIfInstanceOf" },
    { 8001, 3, true, "jumpIfNotInstanceOf" },
    { 8002, 3, true, "jumpIfInstanceOfOneOf" },
    { 8003, 3, true, "jumpIfNotInstanceOfOneOf" },
};

static const InlinePrimitive mapped_primitives[] = {
    { 50, 1, false, "ensureEnoughWords" },
    { 150, 3, false, "immCheckPointerAt:put:" },
    { 151, 3, false, "immCheckStoreCheckPointerAt:put:" },
    { 152, 3, false, "immCheckMaybeContextPointerAt:put:" },
    { 153, 3, false, "immCheckMaybeContextStoreCheckPointerAt:put:" },
    { 154, 3, false, "immCheckByteAt:put:" },
    { 155, 3, false, "immCheckShortAt:put:" },
    { 156, 3, false, "immCheckWordAt:put:" },
    { 157, 3, false, "immCheckDoubleWordAt:put:" },
};

static const InlinePrimitive *find(const InlinePrimitive *table, size_t count, unsigned number)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table[middle].number == number)
            return &table[middle];
        if (table[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const InlinePrimitive *inline_primitive_find(unsigned number)
{
    return find(inline_primitives, sizeof inline_primitives / sizeof *inline_primitives, number);
}

const InlinePrimitive *mapped_primitive_find(unsigned number)
{
    return find(mapped_primitives, sizeof mapped_primitives / sizeof *mapped_primitives, number);
}
