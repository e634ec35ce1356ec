/* The special objects array: what the VM knows without looking for it. */
#include "image_int.h"
#include "kernel/bytecode/opcodes.h"

/* --- Special objects --- */

static Object *make_special_selectors(Builder *b)
{
    Object *array = image_make_array(b, 2 * SPECIAL_SELECTOR_COUNT);
    for (int i = 0; i < SPECIAL_SELECTOR_COUNT; i++) {
        array->slots[2 * i] = ref_object(image_make_symbol(b, special_selectors[i].name));
        array->slots[2 * i + 1] = ref_integer(&b->graph, special_selectors[i].arguments);
    }
    return array;
}

static Object *make_error_table(Builder *b)
{
    static const char *const errors[] = {
        NULL,
        "bad receiver",
        "bad argument",
        "bad index",
        "bad number of arguments",
        "inappropriate operation",
        "unsupported operation",
        "no modification",
        "insufficient object memory",
        "insufficient C memory",
        "not found",
        "bad method",
        "internal error in named primitive machinery",
        "object may move",
        "resource limit exceeded",
        "object is pinned",
        "primitive write beyond end of object",
        "object moved",
        "object not pinned",
        "callback error",
        "operating system error",
        "ffi call exception",
        "need compaction",
        "operation failed",
        "internal error",
        "uninitialized",
        "ffi marshalling error",
    };
    enum { COUNT = sizeof errors / sizeof errors[0] };
    Object *array = image_make_array(b, COUNT);
    for (int i = 1; i < COUNT; i++)
        array->slots[i] = ref_object(image_make_symbol(b, errors[i]));
    return array;
}

void image_special_set(Builder *b, int index, Object *object)
{
    b->special_objects->slots[index] = ref_object(object);
}

void image_make_special_objects(Builder *b)
{
    static const struct {
        int index;
        const char *selector;
    } selectors[] = {
        {20, "doesNotUnderstand:"},
        {21, "cannotReturn:"},
        {25, "mustBeBoolean"},
        {34, "cannotInterpret:"},
        {48, "aboutToReturn:through:"},
        {49, "run:with:in:"},
        {50, "attemptToAssign:withIndex:"},
        {53, "invokeCallbackContext:"},
        {57, "unusedBytecode"},
        {58, "conditionalBranchCounterTrippedOn:"},
        {59, "classTrapFor:"},
    };
    image_special_set(b, 0, b->graph.nil);
    image_special_set(b, 1, b->false_object);
    image_special_set(b, 2, b->true_object);
    image_special_set(b, 3, b->scheduler_binding);
    image_special_set(b, 23, make_special_selectors(b));
    image_special_set(b, 28, image_make_array(b, 0));
    image_special_set(b, 38, image_make_array(b, 0));
    image_special_set(b, 51, make_error_table(b));
    for (size_t i = 0; i < sizeof selectors / sizeof selectors[0]; i++)
        image_special_set(b, selectors[i].index, image_make_symbol(b, selectors[i].selector));
    for (int role = 0; role < ROLE_COUNT; role++)
        if (b->roles[role] && role_infos[role].special >= 0)
            image_special_set(b, role_infos[role].special, image_role_class(b, role)->sides[0]);
}

