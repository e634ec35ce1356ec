/* The interpreter loop: both bytecode sets, direct threaded.
 *
 * One dispatch table per frame mode (set, careful, unsure): the mode is part of the
 * frame's flags, so a return or process switch picks the right table with one load.
 * Operations that are encoded alike in both sets share their code.
 *
 *   ip, sp, fp   live in locals; SAVE puts them into the Vm around calls that look at
 *                them, LOAD takes them back where they may differ afterwards. `temps` is
 *                where the frame's variables are counted from, see TEMP.
 *   prefixes     go on in the second half of the mode's table: the labels there, and no
 *                others, look at ext_a and ext_b.
 *   send         the global lookup cache answers an entry whose kind is jumped to.
 *   enter        behind every activation: stack limit and poll, in one comparison each.
 *
 * Verified code guarantees what kernel/bytecode/verify.h says; what is checked here
 * (receiver variables in careful frames, vectors, bindings) is what bytecodes cannot say.
 */
#include "kernel/bytecode/verify.h"
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/fast.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/numbers.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define NEXT goto *dispatch[*ip++]
#define PUSH(value) (*--sp = (value))
#define SAVE                                                                                       \
    (vm->ip = pointer_word(ip), vm->sp = pointer_word(sp), vm->fp = pointer_word(fp))
#define LOAD_SP (sp = word_pointer(vm->sp))
#define LOAD (ip = word_pointer(vm->ip), LOAD_SP, fp = word_pointer(vm->fp), ENTER_FRAME(fp[FRAME_FLAGS]))
/* What depends on the flags of the running frame. */
#define ENTER_FRAME(flags)                                                                         \
    (temps = fp + ((flags) >> FRAME_ARGS_SHIFT & FRAME_ARGS_MASK),                                 \
     dispatch = modes[(flags) >> FRAME_MODE_SHIFT & FRAME_MODE_MASK])
/* Arguments lie above fp, the others below what the frame keeps: a move, no branch. */
#define TEMP(i) (*temp_at(fp, temps - (i)))
#define RECEIVER (fp[FRAME_RECEIVER])
#define LITERAL(k) (object_slots(fp[FRAME_METHOD])[1 + (k)])
#define SELECTOR(k) object_slot(heap_special(heap, SPECIAL_SELECTORS), 2 * (k))
#define SEND(which, count) do { selector = (which); args = (count); goto send; } while (0)
#define SEND_SPECIAL(k, count) SEND(SELECTOR(k), count)
#define POLL_POINT (UNLIKELY(pointer_word(sp) < vm->stack_limit) | UNLIKELY(--vm->poll_budget < 0))
/* The running frame goes on where vm->ip says, in its tier. */
#define RESUME do { if (UNLIKELY(jit_is_pc(vm, pointer_word(ip)))) goto machine; NEXT; } while (0)
#define HAS_MACHINE_CODE(code) UNLIKELY(!is_small_integer(object_slots(code)[0]))
/* What is conditional stays a jump, which is predicted: else the next bytecode waits for the operands. */
#define KEEP_BRANCH __asm__ volatile("" : "+r"(ip))
/* A bytecode behind a prefix: its label for that, or the prefix means nothing to it. */
#define NEXT_EXTENDED goto *dispatch[256 + *ip++]
#define BOOLEAN(x) ((x) ? heap->true_object : heap->false_object)
#define CODES(first, last, label) [first ... last] = &&label

/* What both sets have in common, for each of their table rows. */
/* Rows of a mode's table: a bytecode, and behind prefixes. */
#define TEMPS(at, what)                                                                            \
    [at] = &&what##_0, [at + 1] = &&what##_1, [at + 2] = &&what##_2, [at + 3] = &&what##_3,        \
    [at + 4] = &&what##_4, [at + 5] = &&what##_5, [at + 6] = &&what##_6, [at + 7] = &&what##_7

#define V3_TABLE(ivar_read, ivar_pop, ivar_long)                                                   \
    CODES(126, 127, unknown), CODES(0, 15, ivar_read), TEMPS(16, push_temp),                         \
    TEMPS(24, push_late_temp),                                                                     \
    CODES(32, 63, push_literal), CODES(64, 95, push_variable_32), CODES(96, 103, ivar_pop),        \
    TEMPS(104, pop_temp), [112] = &&push_receiver, [113] = &&push_true,                       \
    [114] = &&push_false, [115] = &&push_nil, CODES(116, 119, push_small),                         \
    [120] = &&return_receiver, [121] = &&return_true, [122] = &&return_false,                      \
    [123] = &&return_nil, [124] = &&return_top, [125] = &&block_return_top,                        \
    [128] = &&v3_push##ivar_long, [129] = &&v3_store##ivar_long,                                   \
    [130] = &&v3_pop_store##ivar_long, [131] = &&v3_send, [132] = &&v3_double##ivar_long,          \
    [133] = &&v3_super, [134] = &&v3_send_6, [135] = &&pop, [136] = &&duplicate,                   \
    [137] = &&push_context, [138] = &&new_array, [139] = &&call_primitive,                         \
    [140] = &&push_remote, [141] = &&store_remote, [142] = &&pop_remote, [143] = &&v3_closure,     \
    CODES(144, 151, jump_short), CODES(152, 159, jump_false_short), CODES(160, 167, v3_jump),      \
    CODES(168, 171, v3_jump_true), CODES(172, 175, v3_jump_false), SPECIALS(176, v3),              \
    CODES(208, 223, send_0), CODES(224, 239, send_1), CODES(240, 255, send_2)

#define SISTA_TABLE(ivar_read, ivar_pop, ivar_long)                                                \
    CODES(84, 87, unknown), CODES(217, 223, unknown), [230] = &&unknown,                           \
    CODES(246, 247, unknown), CODES(254, 255, unknown),                                            \
    SISTA_PREFIXED(ivar_long),                                                                     \
    CODES(0, 15, ivar_read), CODES(16, 31, push_variable_16),                                      \
    CODES(32, 63, push_literal), TEMPS(64, push_temp), [72] = &&push_late_temp_0,                  \
    [73] = &&push_late_temp_1, [74] = &&push_late_temp_2, [75] = &&push_late_temp_3, [76] = &&push_receiver, \
    [77] = &&push_true, [78] = &&push_false, [79] = &&push_nil, [80] = &&push_zero,                \
    [81] = &&push_one, [82] = &&push_context, [83] = &&duplicate, [88] = &&return_receiver,         \
    [89] = &&return_true, [90] = &&return_false, [91] = &&return_nil, [92] = &&return_top,         \
    [93] = &&block_return_nil, [94] = &&block_return_top, [95] = &&nop, SPECIALS(96, sista),     \
    CODES(128, 143, send_0), CODES(144, 159, send_1), CODES(160, 175, send_2),                     \
    CODES(176, 183, jump_short), CODES(184, 191, jump_true_short),                                 \
    CODES(192, 199, jump_false_short), CODES(200, 207, ivar_pop), TEMPS(208, pop_temp),            \
    [216] = &&pop, [224] = &&prefix_a, [225] = &&prefix_b, [226] = &&sista_push##ivar_long,        \
    [227] = &&sista_push_variable, [228] = &&sista_push_literal, [229] = &&sista_push_temp,        \
    [231] = &&new_array, [232] = &&sista_push_integer, [233] = &&sista_push_character,             \
    [234] = &&sista_send, [235] = &&sista_super, [236] = &&mapped_primitive,                       \
    [237] = &&sista_jump, [238] = &&sista_jump_true, [239] = &&sista_jump_false,                   \
    [240] = &&sista_pop_store##ivar_long, [241] = &&sista_pop_variable,                            \
    [242] = &&sista_pop_temp, [243] = &&sista_store##ivar_long, [244] = &&sista_store_variable,    \
    [245] = &&sista_store_temp, [248] = &&sista_primitive, [249] = &&full_closure,                 \
    [250] = &&sista_closure, [251] = &&push_remote, [252] = &&store_remote, [253] = &&pop_remote

/* Behind prefixes. */
#define SISTA_PREFIXED(ivar_long)                                                                  \
    CODES(256, 256 + 81, drop_prefix), [256 + 82] = &&push_pseudo,                                 \
    CODES(256 + 83, 256 + 223, drop_prefix), [256 + 224] = &&prefix_a_again,                       \
    [256 + 225] = &&prefix_b_again, [256 + 226] = &&extended_push##ivar_long,                      \
    [256 + 227] = &&extended_push_variable, [256 + 228] = &&extended_push_literal,                 \
    CODES(256 + 229, 256 + 231, drop_prefix), [256 + 232] = &&extended_push_integer,               \
    [256 + 233] = &&extended_push_character, [256 + 234] = &&extended_send,                        \
    [256 + 235] = &&extended_super, [256 + 236] = &&drop_prefix, [256 + 237] = &&extended_jump,    \
    [256 + 238] = &&extended_jump_true, [256 + 239] = &&extended_jump_false,                       \
    [256 + 240] = &&extended_pop_store##ivar_long, [256 + 241] = &&extended_pop_variable,          \
    [256 + 242] = &&drop_prefix, [256 + 243] = &&extended_store##ivar_long,                        \
    [256 + 244] = &&extended_store_variable, CODES(256 + 245, 256 + 248, drop_prefix),             \
    [256 + 249] = &&extended_full_closure, [256 + 250] = &&extended_closure,                       \
    CODES(256 + 251, 256 + 255, drop_prefix)

#define SPECIALS(at, set)                                                                          \
    [at] = &&add, [at + 1] = &&subtract, [at + 2] = &&set##_less, [at + 3] = &&set##_greater,      \
    [at + 4] = &&set##_less_equal, [at + 5] = &&set##_greater_equal, [at + 6] = &&set##_equal,     \
    [at + 7] = &&set##_not_equal, [at + 8] = &&multiply, [at + 9] = &&divide, [at + 10] = &&modulo,\
    [at + 11] = &&make_point, [at + 12] = &&bit_shift, [at + 13] = &&floor_division,               \
    [at + 14] = &&bit_and, [at + 15] = &&bit_or, [at + 16] = &&at_index, [at + 17] = &&at_put,     \
    [at + 18] = &&size, [at + 19] = &&special_next, [at + 20] = &&special_next_put,                \
    [at + 21] = &&special_at_end, [at + 22] = &&set##_identical, [at + 23] = &&class_of,           \
    [at + 24] = &&set##_not_identical, [at + 25] = &&value_0, [at + 26] = &&value_1,               \
    [at + 27] = &&special_do, [at + 28] = &&special_new, [at + 29] = &&special_new_with,           \
    [at + 30] = &&point_x, [at + 31] = &&point_y

enum { ROOM_FOR_BYTECODE = 64 << 10 };

static inline Oop *temp_at(Word *fp, Word *counted)
{
    SWord is_argument = counted > fp;
    return (Oop *)counted + FRAME_FIRST_TEMP + is_argument * (1 - FRAME_FIRST_TEMP);
}

void interpret(Vm *vm)
{
    static const void *const v3_codes[256] = {V3_TABLE(push_ivar, pop_ivar, _fast)};
    static const void *const v3_careful[256] = {V3_TABLE(push_ivar_careful, pop_ivar_careful, _careful)};
    static const void *const sista_codes[512] = {SISTA_TABLE(push_ivar, pop_ivar, _fast)};
    static const void *const sista_careful[512] = {
        SISTA_TABLE(push_ivar_careful, pop_ivar_careful, _careful)};
    static const void *const unsure_codes[256] = {CODES(0, 255, unsure)};
    static const void *const *const modes[8] = {
        v3_codes,     sista_codes,  v3_careful,   sista_careful,
        unsure_codes, unsure_codes, unsure_codes, unsure_codes};
    static const void *const kinds[KIND_COUNT] = {
        [KIND_CODE] = &&activate, [KIND_PRIM] = &&primitive, [KIND_PRIM_FULL] = &&primitive_full,
        [KIND_RETURN_SELF] = &&quick_self, [KIND_RETURN_CONSTANT] = &&quick_constant,
        [KIND_RETURN_VARIABLE] = &&quick_variable, [KIND_CLOSURE_VALUE] = &&closure_value,
        [KIND_FULL_VALUE] = &&full_value, [KIND_NOT_CODE] = &&send_slow,
    };
    Heap *const heap = &vm->heap;
    Interp *const interp = interp_of(vm);
    const void *const *dispatch;
    const uint8_t *ip;
    Oop *sp;
    Word *fp, *temps;
    /* the send in progress */
    Oop selector = NO_OOP;
    unsigned args;
    LookupEntry *entry = NULL;
    PrimFailure failure;
    /* prefixes */
    Word ext_a = 0;
    SWord ext_b = 0;
    bool b_seen = false;
    /* operands on their way to shared code */
    Oop value;
    Word index;
    SWord offset;

    interp->labels = kinds;
    LOAD;
    NEXT;

    /* ---- Pushes ---- */

push_ivar:
    PUSH(object_slots(RECEIVER)[ip[-1] & 15]);
    NEXT;
#define PUSH_TEMP(name, i) name : value = TEMP(i); PUSH(value); NEXT;
    PUSH_TEMP(push_temp_0, 0) PUSH_TEMP(push_temp_1, 1) PUSH_TEMP(push_temp_2, 2)
    PUSH_TEMP(push_temp_3, 3) PUSH_TEMP(push_temp_4, 4) PUSH_TEMP(push_temp_5, 5)
    PUSH_TEMP(push_temp_6, 6) PUSH_TEMP(push_temp_7, 7) PUSH_TEMP(push_late_temp_0, 8)
    PUSH_TEMP(push_late_temp_1, 9) PUSH_TEMP(push_late_temp_2, 10) PUSH_TEMP(push_late_temp_3, 11)
    PUSH_TEMP(push_late_temp_4, 12) PUSH_TEMP(push_late_temp_5, 13)
    PUSH_TEMP(push_late_temp_6, 14) PUSH_TEMP(push_late_temp_7, 15)
push_literal:
    PUSH(LITERAL(ip[-1] & 31));
    NEXT;
push_variable_32:
    index = ip[-1] & 31;
    goto push_variable;
push_variable_16:
    index = ip[-1] & 15;
    goto push_variable;
extended_push_variable:
    index = *ip++ + ext_a * 256;
    goto push_variable;
sista_push_variable:
    index = *ip++;
push_variable:
    value = LITERAL(index);
    if (UNLIKELY(!fast_has_slot(value, ASSOCIATION_VALUE))) {
        value = fast_follow_literal(vm, fp[FRAME_METHOD], index);
        if (!fast_has_slot(value, ASSOCIATION_VALUE))
            goto broken;
    }
    PUSH(object_slot(value, ASSOCIATION_VALUE));
    NEXT;
push_receiver:
    PUSH(RECEIVER);
    NEXT;
push_true:
    PUSH(heap->true_object);
    NEXT;
push_false:
    PUSH(heap->false_object);
    NEXT;
push_nil:
    PUSH(heap->nil);
    NEXT;
push_small: /* V3 116..119 */
    PUSH(small_integer_oop((SWord)ip[-1] - 117));
    NEXT;
push_zero:
    PUSH(small_integer_oop(0));
    NEXT;
push_one:
    PUSH(small_integer_oop(1));
    NEXT;
push_context:
    SAVE;
    value = stack_active_context(vm);
    if (UNLIKELY(!value))
        goto no_memory;
    PUSH(value);
    NEXT;
push_pseudo:
    if (ext_b == 0)
        goto push_context;
    if (ext_b != 1)
        goto unknown;
    PUSH(process_active(vm));
    NEXT;
sista_push_literal:
    PUSH(LITERAL(*ip++));
    NEXT;
extended_push_literal:
    index = *ip++ + ext_a * 256;
    PUSH(LITERAL(index));
    NEXT;
sista_push_temp:
    value = TEMP(*ip++);
    PUSH(value);
    NEXT;
sista_push_integer:
    PUSH(small_integer_oop((SWord)*ip++));
    NEXT;
extended_push_integer:
    PUSH(small_integer_oop((SWord)*ip++ + ext_b * 256));
    NEXT;
sista_push_character:
    PUSH(character_oop(*ip++));
    NEXT;
extended_push_character:
    PUSH(character_oop((uint32_t)(*ip++ + ext_a * 256)));
    NEXT;
new_array: {
    unsigned count = *ip & 127;
    SAVE;
    value = heap_allocate(heap, count, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (UNLIKELY(!value))
        goto no_memory;
    if (*ip++ & 128) {
        for (unsigned i = 0; i < count; i++)
            heap_store(heap, value, count - 1 - i, sp[i]);
        sp += count;
    } else
        object_fill(value, 0, count, heap->nil);
    PUSH(value);
    NEXT;
}
duplicate:
    value = *sp;
    PUSH(value);
    NEXT;
pop:
    sp++;
    NEXT;
nop:
    NEXT;

    /* ---- Stores ---- */

pop_ivar:
    value = *sp++;
    index = ip[-1] & 7;
store_ivar: /* value, index; the receiver has the variable */
    if (UNLIKELY(header_is_immutable(header_of(RECEIVER))))
        goto read_only_receiver;
    heap_store(heap, RECEIVER, index, value);
    NEXT;
read_only_receiver:
    PUSH(RECEIVER);
read_only: /* the object is pushed; value, index */
    PUSH(value);
    PUSH(small_integer_oop((SWord)index + 1));
    fp[FRAME_FLAGS] |= FRAME_UNSURE;
    SEND(heap_special(heap, SPECIAL_ATTEMPT_TO_ASSIGN), 2);
#define POP_TEMP(i) pop_temp_##i : value = *sp++; TEMP(i) = value; NEXT;
    POP_TEMP(0) POP_TEMP(1) POP_TEMP(2) POP_TEMP(3) POP_TEMP(4) POP_TEMP(5) POP_TEMP(6) POP_TEMP(7)
sista_pop_temp:
    value = *sp++;
    TEMP(*ip++) = value;
    NEXT;
sista_store_temp:
    TEMP(*ip++) = *sp;
    NEXT;
sista_pop_variable:
    index = *ip++;
    value = *sp++;
    goto store_variable;
extended_pop_variable:
    index = *ip++ + ext_a * 256;
    value = *sp++;
    goto store_variable;
extended_store_variable:
    index = *ip++ + ext_a * 256;
    value = *sp;
    goto store_variable;
sista_store_variable:
    index = *ip++;
    value = *sp;
store_variable: { /* value into the binding at literal `index` */
    Oop binding = LITERAL(index);
    if (UNLIKELY(!fast_has_slot(binding, ASSOCIATION_VALUE))) {
        binding = fast_follow_literal(vm, fp[FRAME_METHOD], index);
        if (!fast_has_slot(binding, ASSOCIATION_VALUE))
            goto broken;
    }
    if (UNLIKELY(header_is_immutable(header_of(binding)))) {
        index = ASSOCIATION_VALUE;
        PUSH(binding);
        goto read_only;
    }
    heap_store(heap, binding, ASSOCIATION_VALUE, value);
    NEXT;
}

    /* ---- Remote temporaries ---- */

#define VECTOR(needed)                                                                             \
    value = TEMP(ip[1]);                                                                           \
    if (UNLIKELY(!fast_has_slot(value, needed))) {                                                 \
        value = TEMP(ip[1]) = follow(value);                                                       \
        if (!fast_has_slot(value, needed))                                                         \
            goto broken;                                                                           \
    }
push_remote:
    VECTOR(ip[0])
    PUSH(object_slots(value)[ip[0]]);
    ip += 2;
    NEXT;
store_remote:
    VECTOR(ip[0])
    heap_store(heap, value, ip[0], *sp);
    ip += 2;
    NEXT;
pop_remote:
    VECTOR(ip[0])
    heap_store(heap, value, ip[0], *sp);
    sp++;
    ip += 2;
    NEXT;

    /* ---- Receiver variables of careful frames: the receiver may be a context, or lack them ---- */

push_ivar_careful:
    index = ip[-1] & 15;
careful_read:
    SAVE;
    value = fast_careful_read(vm, RECEIVER, index);
    if (!value)
        goto broken;
    PUSH(value);
    NEXT;
pop_ivar_careful:
    value = *sp++;
    index = ip[-1] & 7;
careful_store:
    if (is_object(RECEIVER) && header_is_immutable(header_of(RECEIVER)))
        goto read_only_receiver;
    SAVE;
    if (!fast_careful_store(vm, RECEIVER, index, value))
        goto broken;
    LOAD;
    NEXT;

    /* ---- V3: extended forms ---- */

#define V3_EXTENDED(variant, read, store)                                                          \
    v3_push##variant : index = *ip & 63;                                                           \
    switch (*ip++ >> 6) {                                                                          \
    case 0: read;                                                                                  \
    case 1: value = TEMP(index); PUSH(value); NEXT;                                                \
    case 2: PUSH(LITERAL(index)); NEXT;                                                            \
    default: goto push_variable;                                                                   \
    }                                                                                              \
    v3_store##variant : index = *ip & 63;                                                          \
    value = *sp;                                                                                   \
    switch (*ip++ >> 6) {                                                                          \
    case 0: store;                                                                                 \
    case 1: TEMP(index) = value; NEXT;                                                             \
    case 2: ip--; goto unknown;                                                                    \
    default: goto store_variable;                                                                  \
    }                                                                                              \
    v3_pop_store##variant : index = *ip & 63;                                                      \
    switch (*ip++ >> 6) {                                                                          \
    case 0: value = *sp++; store;                                                                  \
    case 1: value = *sp++; TEMP(index) = value; NEXT;                                              \
    case 2: ip--; goto unknown;                                                                    \
    default: value = *sp++; goto store_variable;                                                   \
    }                                                                                              \
    v3_double##variant : index = ip[1];                                                            \
    ip += 2;                                                                                       \
    switch (ip[-2] >> 5) {                                                                         \
    case 0: SEND(LITERAL(index), ip[-2] & 31);                                                     \
    case 1: selector = LITERAL(index); args = ip[-2] & 31; goto super_send;                        \
    case 2: read;                                                                                  \
    case 3: PUSH(LITERAL(index)); NEXT;                                                            \
    case 4: goto push_variable;                                                                    \
    case 5: value = *sp; store;                                                                    \
    case 6: value = *sp++; store;                                                                  \
    default: value = *sp; goto store_variable;                                                     \
    }

    V3_EXTENDED(_fast, PUSH(object_slots(RECEIVER)[index]); NEXT, goto store_ivar)
    V3_EXTENDED(_careful, goto careful_read, goto careful_store)

    /* ---- Sista: receiver variables ---- */

#define SISTA_EXTENDED(variant, read, store)                                                       \
    extended_push##variant : index = *ip++ + ext_a * 256; read;                                    \
    sista_push##variant : index = *ip++; read;                                                     \
    extended_store##variant : index = *ip++ + ext_a * 256; value = *sp; store;                     \
    sista_store##variant : index = *ip++; value = *sp; store;                                      \
    extended_pop_store##variant : index = *ip++ + ext_a * 256; value = *sp++; store;               \
    sista_pop_store##variant : index = *ip++; value = *sp++; store;

    SISTA_EXTENDED(_fast, PUSH(object_slots(RECEIVER)[index]); NEXT, goto store_ivar)
    SISTA_EXTENDED(_careful, goto careful_read, goto careful_store)

    /* ---- Prefixes ---- */

prefix_a:
    ext_a = *ip++;
    ext_b = 0, b_seen = false;
    NEXT_EXTENDED;
prefix_b: /* nearly always of a jump back */
    ext_b = (int8_t)*ip;
    if (LIKELY(ip[1] == 237)) {
        offset = ext_b * 256 + ip[2];
        ip += 3;
        goto jump;
    }
    ext_a = 0, b_seen = true;
    ip++;
    NEXT_EXTENDED;
prefix_a_again:
    ext_a = ext_a * 256 + *ip++;
    NEXT_EXTENDED;
prefix_b_again:
    ext_b = b_seen ? ext_b * 256 + *ip : (SWord)(int8_t)*ip;
    b_seen = true;
    ip++;
    NEXT_EXTENDED;
drop_prefix:
    goto *dispatch[ip[-1]];

    /* ---- Jumps ---- */

jump_short:
    ip += (ip[-1] & 7) + 1;
    NEXT;
v3_jump:
    offset = ((SWord)(ip[-1] & 7) - 4) * 256 + *ip;
    ip++;
    goto jump;
sista_jump:
    ip += *ip + 1;
    NEXT;
extended_jump:
    offset = (SWord)*ip++ + ext_b * 256;
jump:
    ip += offset;
    if (offset < 0) {
        if (POLL_POINT)
            goto poll_backward;
        if (UNLIKELY(--interp->loop_heat == 0))
            goto loop_hot;
    }
    NEXT;
loop_hot:
    interp->loop_heat = interp->loop_threshold;
    SAVE;
    if (jit_enter_loop(vm))
        goto in_machine;
    NEXT;

#define JUMP_IF(wanted, other, distance)                                                           \
    offset = (distance);                                                                           \
    if (*sp == (wanted)) {                                                                         \
        sp++;                                                                                      \
        ip += offset;                                                                              \
        if (offset < 0 && POLL_POINT)                                                              \
            goto poll_backward;                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    if (LIKELY(*sp == (other))) {                                                                  \
        sp++;                                                                                      \
        NEXT;                                                                                      \
    }                                                                                              \
    goto must_be_boolean;
jump_false_short:
    JUMP_IF(heap->false_object, heap->true_object, (ip[-1] & 7) + 1)
jump_true_short:
    JUMP_IF(heap->true_object, heap->false_object, (ip[-1] & 7) + 1)
v3_jump_true:
    ip++;
    JUMP_IF(heap->true_object, heap->false_object, (SWord)(ip[-2] & 3) * 256 + ip[-1])
v3_jump_false:
    ip++;
    JUMP_IF(heap->false_object, heap->true_object, (SWord)(ip[-2] & 3) * 256 + ip[-1])
sista_jump_true:
    ip++;
    JUMP_IF(heap->true_object, heap->false_object, (SWord)ip[-1])
extended_jump_true:
    ip++;
    JUMP_IF(heap->true_object, heap->false_object, (SWord)ip[-1] + ext_b * 256)
sista_jump_false:
    ip++;
    JUMP_IF(heap->false_object, heap->true_object, (SWord)ip[-1])
extended_jump_false:
    ip++;
    JUMP_IF(heap->false_object, heap->true_object, (SWord)ip[-1] + ext_b * 256)
must_be_boolean:
    fp[FRAME_FLAGS] |= FRAME_UNSURE;
    SEND(heap_special(heap, SPECIAL_MUST_BE_BOOLEAN), 0);

    /* ---- Special selectors ---- */

add: {
    Oop b = sp[0], a = sp[1];
    SWord sum;
    if (LIKELY(are_small_integers(a, b)) &&
        LIKELY(!__builtin_add_overflow((SWord)a, (SWord)(b - SMALL_INTEGER_TAG), &sum))) {
        *++sp = (Oop)sum;
        NEXT;
    }
    value = fast_float_operation(vm, a, b, FAST_ADD);
    if (value) {
        *++sp = value;
        NEXT;
    }
    SEND_SPECIAL(0, 1);
}
subtract: {
    Oop b = sp[0], a = sp[1];
    SWord difference;
    if (LIKELY(are_small_integers(a, b)) &&
        LIKELY(!__builtin_sub_overflow((SWord)a, (SWord)(b - SMALL_INTEGER_TAG), &difference))) {
        *++sp = (Oop)difference;
        NEXT;
    }
    value = fast_float_operation(vm, a, b, FAST_SUBTRACT);
    if (value) {
        *++sp = value;
        NEXT;
    }
    SEND_SPECIAL(1, 1);
}
multiply: {
    Oop b = sp[0], a = sp[1];
    SWord product;
    if (LIKELY(are_small_integers(a, b)) &&
        LIKELY(!__builtin_mul_overflow((SWord)(a - SMALL_INTEGER_TAG), small_integer_value(b),
                                       &product))) {
        *++sp = (Oop)product + SMALL_INTEGER_TAG;
        NEXT;
    }
    value = fast_float_operation(vm, a, b, FAST_MULTIPLY);
    if (value) {
        *++sp = value;
        NEXT;
    }
    SEND_SPECIAL(8, 1);
}
divide: {
    Oop b = sp[0], a = sp[1];
    value = are_small_integers(a, b) ? fast_exact_quotient(a, b)
                                     : fast_float_operation(vm, a, b, FAST_DIVIDE);
    if (value) {
        *++sp = value;
        NEXT;
    }
    SEND_SPECIAL(9, 1);
}
modulo: {
    Oop b = sp[0], a = sp[1];
    if (are_small_integers(a, b) && small_integer_value(b) != 0) {
        *++sp = small_integer_oop(floor_modulo(small_integer_value(a), small_integer_value(b)));
        NEXT;
    }
    SEND_SPECIAL(10, 1);
}
floor_division: {
    Oop b = sp[0], a = sp[1];
    if (are_small_integers(a, b) && small_integer_value(b) != 0) {
        SWord quotient = floor_divide(small_integer_value(a), small_integer_value(b));
        if (LIKELY(fits_small_integer(quotient))) {
            *++sp = small_integer_oop(quotient);
            NEXT;
        }
    }
    SEND_SPECIAL(13, 1);
}
bit_and: {
    Oop b = sp[0], a = sp[1];
    if (LIKELY(are_small_integers(a, b))) {
        *++sp = a & b;
        NEXT;
    }
    SEND_SPECIAL(14, 1);
}
bit_or: {
    Oop b = sp[0], a = sp[1];
    if (LIKELY(are_small_integers(a, b))) {
        *++sp = a | b;
        NEXT;
    }
    SEND_SPECIAL(15, 1);
}
bit_shift: {
    value = fast_shift(sp[1], sp[0]);
    if (LIKELY(value)) {
        *++sp = value;
        NEXT;
    }
    SEND_SPECIAL(12, 1);
}
make_point: {
    SAVE;
    value = fast_point(vm, sp[1], sp[0]);
    if (value) {
        *++sp = value;
        NEXT;
    }
    SEND_SPECIAL(11, 1);
}

    /* Comparisons look one bytecode ahead: a conditional jump is taken at once. */
#define FUSE(short_first, is_long, long_distance, condition)                                       \
    if ((uint8_t)(*ip - (short_first)) < 8) {                                                      \
        if (condition) {                                                                           \
            ip++;                                                                                  \
            KEEP_BRANCH;                                                                           \
            NEXT;                                                                                  \
        }                                                                                          \
        ip += (*ip & 7) + 2;                                                                       \
        NEXT;                                                                                      \
    }                                                                                              \
    if (is_long) {                                                                                 \
        if (condition) {                                                                           \
            ip += 2;                                                                               \
            KEEP_BRANCH;                                                                           \
            NEXT;                                                                                  \
        }                                                                                          \
        ip += (long_distance) + 2;                                                                 \
        NEXT;                                                                                      \
    }
#define FUSE_v3(condition)                                                                         \
    FUSE(152, (uint8_t)(*ip - 172) < 4, (SWord)(*ip & 3) * 256 + ip[1], condition)
#define FUSE_sista(condition) FUSE(192, *ip == 239, ip[1], condition)
#define COMPARE(set, name, operator, special, outcome)                                             \
    set##_##name : {                                                                               \
        Oop b = sp[0], a = sp[1];                                                                  \
        Comparison order;                                                                          \
        if (LIKELY(are_small_integers(a, b))) {                                                    \
            bool holds = (SWord)a operator (SWord)b;                                               \
            sp += 2;                                                                               \
            FUSE_##set(holds)                                                                      \
            PUSH(BOOLEAN(holds));                                                                  \
            NEXT;                                                                                  \
        }                                                                                          \
        if (fast_compare_floats(vm, a, b, &order)) {                                               \
            *++sp = BOOLEAN(outcome);                                                              \
            NEXT;                                                                                  \
        }                                                                                          \
        SEND_SPECIAL(special, 1);                                                                  \
    }
#define COMPARISONS(set)                                                                           \
    COMPARE(set, less, <, 2, order == COMPARE_LESS)                                                \
    COMPARE(set, greater, >, 3, order == COMPARE_GREATER)                                          \
    COMPARE(set, less_equal, <=, 4, order == COMPARE_LESS || order == COMPARE_EQUAL)               \
    COMPARE(set, greater_equal, >=, 5, order == COMPARE_GREATER || order == COMPARE_EQUAL)         \
    COMPARE(set, equal, ==, 6, order == COMPARE_EQUAL)                                             \
    COMPARE(set, not_equal, !=, 7, order != COMPARE_EQUAL)
    COMPARISONS(v3)
    COMPARISONS(sista)
#define IDENTITY(set, name, operator)                                                              \
    set##_##name : {                                                                               \
        Oop b = sp[0], a = sp[1];                                                                  \
        bool holds;                                                                                \
        if (a != b)                                                                                \
            a = follow(a), b = follow(b);                                                          \
        holds = a operator b;                                                                      \
        sp += 2;                                                                                   \
        FUSE_##set(holds)                                                                          \
        PUSH(BOOLEAN(holds));                                                                      \
        NEXT;                                                                                      \
    }
    IDENTITY(v3, identical, ==)
    IDENTITY(v3, not_identical, !=)
    IDENTITY(sista, identical, ==)
    IDENTITY(sista, not_identical, !=)

class_of:
    *sp = follow(heap_class_of(heap, follow(*sp)));
    NEXT;
at_index:
    value = fast_at(vm, sp[1], sp[0]);
    if (LIKELY(value)) {
        *++sp = value;
        NEXT;
    }
    SEND_SPECIAL(16, 1);
at_put:
    if (LIKELY(fast_at_put(vm, sp[2], sp[1], sp[0]))) {
        value = sp[0];
        sp += 2;
        *sp = value;
        NEXT;
    }
    SEND_SPECIAL(17, 2);
size:
    value = *sp;
    if (is_object(value)) {
        Word class_index = object_class_index(value);
        if (class_index == CLASS_ARRAY) {
            *sp = small_integer_oop((SWord)object_slot_count(value));
            NEXT;
        }
        if (class_index == CLASS_BYTE_STRING) {
            *sp = small_integer_oop((SWord)bits_byte_count(value));
            NEXT;
        }
    }
    SEND_SPECIAL(18, 0);
special_next:
    SEND_SPECIAL(19, 0);
special_next_put:
    SEND_SPECIAL(20, 1);
special_at_end:
    SEND_SPECIAL(21, 0);
value_0:
    SEND_SPECIAL(25, 0);
value_1:
    SEND_SPECIAL(26, 1);
special_do:
    SEND_SPECIAL(27, 1);
special_new:
    SEND_SPECIAL(28, 0);
special_new_with:
    SEND_SPECIAL(29, 1);
point_x:
    index = 0;
    goto point_part;
point_y:
    index = 1;
point_part:
    if (is_object(*sp) && fast_has_slot(*sp, 1) &&
        heap_class_of(heap, *sp) == heap_special(heap, SPECIAL_CLASS_POINT)) {
        *sp = object_slot(*sp, index);
        NEXT;
    }
    SEND_SPECIAL(30 + (unsigned)index, 0);

    /* ---- Sends ---- */

send_0:
    SEND(LITERAL(ip[-1] & 15), 0);
send_1:
    SEND(LITERAL(ip[-1] & 15), 1);
send_2:
    SEND(LITERAL(ip[-1] & 15), 2);
v3_send:
    ip++;
    SEND(LITERAL(ip[-1] & 31), ip[-1] >> 5);
v3_send_6:
    ip++;
    SEND(LITERAL(ip[-1] & 63), ip[-1] >> 6);
v3_super:
    ip++;
    selector = LITERAL(ip[-1] & 31);
    args = ip[-1] >> 5;
    goto super_send;
sista_send:
    selector = LITERAL(*ip >> 3);
    args = *ip++ & 7;
    goto send;
extended_send:
    selector = LITERAL((*ip >> 3) + ext_a * 32);
    args = (unsigned)((*ip++ & 7) + ext_b * 8);
    goto send;
sista_super:
    selector = LITERAL(*ip >> 3);
    args = *ip++ & 7;
    goto super_send;
extended_super:
    selector = LITERAL((*ip >> 3) + ext_a * 32);
    args = (unsigned)((*ip++ & 7) + (ext_b >= 64 ? ext_b - 64 : ext_b) * 8);
    if (ext_b < 64)
        goto super_send;
    value = follow(*sp++);
    goto directed_super;
super_send:
    value = fast_method_class(vm, fp[FRAME_METHOD]);
directed_super: /* the superclass of `value` */
    if (!fast_has_slot(value, CLASS_SUPERCLASS))
        goto broken;
    SAVE;
    entry = lookup_send_in(vm, selector, object_slot(value, CLASS_SUPERCLASS), &args);
    LOAD_SP;
    if (!entry)
        return;
    goto *entry->label;

send:
    index = heap_class_index(sp[args]);
    entry = &interp->lookup[lookup_hash(selector, index)];
    if (LIKELY(entry->selector == selector) && LIKELY(entry->class_index == index) &&
        LIKELY(entry->args == args))
        goto *entry->label;
    entry++;
    if (LIKELY(entry->selector == selector) && entry->class_index == index && entry->args == args)
        goto *entry->label;
send_slow:
    SAVE;
    entry = lookup_send(vm, selector, &args);
    LOAD_SP;
    if (!entry)
        return;
    goto *entry->label;

quick_self:
    sp += args;
    NEXT;
quick_constant:
    sp += args;
    *sp = entry->constant;
    NEXT;
quick_variable:
    sp += args;
    *sp = object_slots(*sp)[entry->constant];
    NEXT;

primitive:
    SAVE;
    vm->new_method = entry->method;
    failure = entry->function(vm, args);
    if (LIKELY(failure == PRIM_OK)) {
        LOAD_SP;
        NEXT;
    }
    goto primitive_failed;

primitive_full:
    SAVE;
    vm->new_method = entry->method;
    failure = entry->function(vm, args);
    if (LIKELY(failure == PRIM_OK))
        goto primitive_done;
primitive_failed:
    failure = activate_retry(vm, args, failure);
    if (failure == PRIM_OK)
        goto primitive_done;
    activate_failed(vm, args, failure);
    goto entered;
primitive_done:
    if (UNLIKELY(vm->quitting))
        return;
    LOAD;
    if (interp->activated) {
        interp->activated = false;
        goto enter;
    }
    RESUME;

full_value: {
    Oop closure = sp[args];
    CodeFacts *facts = fast_closure_facts(vm, closure, args);
    if (UNLIKELY(!facts))
        goto full_value_slow;
    facts->heat--;
    Word *frame = sp - 2;
    sp[-1] = pointer_word(ip);
    frame[FRAME_SAVED_FP] = pointer_word(fp);
    frame[FRAME_METHOD] = facts->code;
    frame[FRAME_FLAGS] = frame_flags_for(args, facts->modes | FRAME_BLOCK);
    frame[FRAME_CONTEXT] = 0;
    frame[FRAME_RECEIVER] = object_slot(closure, FULL_CLOSURE_RECEIVER);
    fp = frame;
    sp = frame + FRAME_RECEIVER;
    unsigned copied = header_short_slots(header_of(closure)) - FULL_CLOSURE_COPIED;
    for (unsigned i = 0; i < copied; i++)
        PUSH(object_slot(closure, FULL_CLOSURE_COPIED + i));
    for (unsigned i = args + copied; i < facts->temps; i++)
        PUSH(heap->nil);
    ip = word_pointer(facts->code + facts->first_ip);
    ENTER_FRAME(fp[FRAME_FLAGS]);
    goto enter;
}
full_value_slow:
    SAVE;
    vm->new_method = entry->method;
    failure = activate_full_closure(vm, args);
    if (UNLIKELY(failure != PRIM_OK))
        goto primitive_failed;
    goto entered;
closure_value:
    SAVE;
    vm->new_method = entry->method;
    failure = activate_closure(vm, args);
    if (UNLIKELY(failure != PRIM_OK))
        goto primitive_failed;
entered:
    LOAD;
    goto enter;

activate: {
    if (UNLIKELY(--entry->heat == 0)) {
        entry->heat = heat_again(vm);
        SAVE;
        jit_heat(vm, entry->method, entry->flags);
    }
    value = sp[args];
    Word *frame = sp - 2;
    sp[-1] = pointer_word(ip);
    frame[FRAME_SAVED_FP] = pointer_word(fp);
    frame[FRAME_METHOD] = entry->method;
    frame[FRAME_FLAGS] = entry->flags;
    frame[FRAME_CONTEXT] = 0;
    frame[FRAME_RECEIVER] = value;
    fp = frame;
    sp = frame + FRAME_RECEIVER;
    for (unsigned i = args; i < entry->temps; i++)
        PUSH(heap->nil);
    ip = word_pointer(entry->method + entry->first_ip);
    ENTER_FRAME(entry->flags);
    if (UNLIKELY(entry->no_poll))
        goto enter_quiet;
}
enter: /* a frame has been built: the stack limit, and a poll point */
    if (HAS_MACHINE_CODE(fp[FRAME_METHOD])) {
        SAVE;
        if (jit_enter_frame(vm))
            goto in_machine;
    }
    if (POLL_POINT) {
        SAVE;
        if (vm->sp < interp->page->limit)
            stack_overflow(vm);
        if (vm->stack_limit == STACK_LIMIT_POLL || vm->poll_budget < 0)
            poll(vm, true);
        if (UNLIKELY(vm->quitting))
            return;
        LOAD;
        RESUME;
    }
    NEXT;
machine: /* ip is machine code's; when it leaves, the frame is the interpreter's */
    SAVE;
in_machine:
    jit_run(vm);
    if (UNLIKELY(vm->quitting))
        return;
    LOAD;
    if (interp->activated) {
        interp->activated = false;
        goto enter;
    }
    NEXT;
enter_quiet:
    if (HAS_MACHINE_CODE(fp[FRAME_METHOD])) {
        SAVE;
        if (jit_enter_frame(vm))
            goto in_machine;
    }
    if (UNLIKELY(pointer_word(sp) < interp->page->limit)) {
        SAVE;
        stack_overflow(vm);
        if (UNLIKELY(vm->quitting))
            return;
        LOAD;
    }
    NEXT;
poll_backward:
    SAVE;
    if (vm->stack_limit == STACK_LIMIT_POLL || vm->poll_budget < 0)
        poll(vm, true);
    if (UNLIKELY(vm->quitting))
        return;
    LOAD;
    RESUME;

    /* ---- Returns ---- */

return_receiver:
    value = RECEIVER;
    goto method_return;
return_true:
    value = heap->true_object;
    goto method_return;
return_false:
    value = heap->false_object;
    goto method_return;
return_nil:
    value = heap->nil;
    goto method_return;
return_top:
    value = *sp++;
method_return:
    if (UNLIKELY(fp[FRAME_FLAGS] & FRAME_BLOCK)) {
        SAVE;
        value = return_non_local(vm, value);
        goto after_helper;
    }
    goto do_return;
block_return_nil:
    value = heap->nil;
    goto do_return;
block_return_top:
    value = *sp++;
do_return: {
    if (UNLIKELY(fp[FRAME_CONTEXT] != 0))
        goto return_married;
    Word *caller = word_pointer(fp[FRAME_SAVED_FP]);
    if (UNLIKELY(!caller))
        goto return_base;
    sp = frame_top(fp);
    *sp = value;
    ip = word_pointer(fp[FRAME_RETURN]);
    fp = caller;
    ENTER_FRAME(fp[FRAME_FLAGS]);
    RESUME;
}
return_married:
    if (fp[FRAME_SAVED_FP]) {
        stack_kill_context(vm, fp[FRAME_CONTEXT]);
        fp[FRAME_CONTEXT] = 0;
        goto do_return;
    }
return_base:
    SAVE;
    if (stack_return_from_base(vm, value)) {
        LOAD;
        RESUME;
    }
    value = return_impossible(vm, value);
after_helper: /* a helper changed the frame, wants a send, or ends the loop */
    if (UNLIKELY(vm->quitting))
        return;
    LOAD;
    if (value)
        SEND(value, interp->send_args);
    RESUME;

    /* ---- What the verifier could not approve ---- */

unsure: /* any bytecode of a frame with FRAME_UNSURE */
    ip--;
    SAVE;
    value = return_check_frame(vm);
    goto after_helper;
unknown: /* ip is behind the opcode; the send's pc is the opcode's */
    ip--;
broken: /* the instruction met an object it cannot work on; ip is behind it */
    SAVE;
    value = return_unknown_bytecode(vm);
    goto after_helper;
no_memory: /* for an object the bytecode makes: it begins again. The ip saved is behind the opcode. */
    if (!memory_make_room(vm, ROOM_FOR_BYTECODE))
        goto out_of_memory;
    LOAD;
    ip--;
    NEXT;
out_of_memory:
    report_fatal(vm, "no memory left");
    return;

    /* ---- Closures and primitives as bytecodes ---- */

v3_closure:
    args = ip[0] & 15;
    index = ip[0] >> 4;
    offset = ip[1] * 256 + ip[2];
    ip += 3;
    goto make_closure;
sista_closure:
    args = ip[0] & 7;
    index = ip[0] >> 3 & 7;
    offset = ip[1];
    ip += 2;
    goto make_closure;
extended_closure:
    args = (unsigned)((ip[0] & 7) + ext_a % 16 * 8);
    index = (ip[0] >> 3 & 7) + ext_a / 16 * 8;
    offset = ip[1] + ext_b * 256;
    ip += 2;
make_closure: /* args, index copied values, its code from ip on: offset bytes */
    SAVE;
    value = fast_push_closure(vm, args, (unsigned)index, pointer_word(ip));
    if (UNLIKELY(!value)) {
        if (!memory_make_room(vm, ROOM_FOR_BYTECODE))
            goto out_of_memory;
        LOAD;
        goto make_closure;
    }
    LOAD_SP;
    ip += offset;
    NEXT;
extended_full_closure:
    index = ip[0] + ext_a * 256;
    goto make_full_closure;
full_closure:
    index = ip[0];
make_full_closure:
    SAVE;
    value = LITERAL(index);
    if (UNLIKELY(is_forwarded(value)))
        value = follow(value);
    if (!is_code(value))
        goto broken;
    value = fast_push_full_closure(vm, value, ip[1]);
    if (UNLIKELY(!value)) {
        if (!memory_make_room(vm, ROOM_FOR_BYTECODE))
            goto out_of_memory;
        LOAD;
        goto make_full_closure;
    }
    LOAD_SP;
    ip += 2;
    NEXT;
call_primitive:
    if (ip - 1 != fast_first_bytecode(vm, fp[FRAME_METHOD]))
        goto unknown;
    ip += 2;
    NEXT;
sista_primitive:
    if (ip[1] < 128)
        goto call_primitive;
    index = ip[0] + (ip[1] & 127u) * 256;
    SAVE;
    if (!inline_primitive_run(vm, index >> 13 & 3, index & 0x1FFF, &offset))
        goto unknown;
    LOAD_SP;
    ip += 2 + offset;
    NEXT;
mapped_primitive:
    SAVE;
    value = inline_mapped_run(vm, *ip);
    if (!value)
        goto unknown;
    LOAD_SP;
    ip++;
    if (value != heap->true_object) {
        fp[FRAME_FLAGS] |= FRAME_UNSURE;
        SEND(value, interp->send_args);
    }
    NEXT;
}
