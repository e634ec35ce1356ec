/* The verifier; its contract is in verify.h.
 *
 *   entry of the code -> worklist -> straight run: decode, check, arrive at what follows -> ...
 *   each closure met  -> queue of blocks, taken up when its surroundings are done
 *
 * Scratch memory, for n bytes of code: n depths (bytes), n owners (the number of
 * the block that reached the byte), n words shared by the worklist, growing up,
 * and the queue of blocks, growing down. They cannot meet: an entry of the
 * worklist (1 word) is made by a jump, one of the queue (3 words) by a closure,
 * each once, and those have at least that many bytes.
 */
#include "verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* An embedded block, or the code itself. */
typedef struct {
    uint32_t start;
    uint32_t end;   /* control stays below */
    uint32_t floor; /* values in the frame that are no operands */
} Block;

enum { BLOCK_WORDS = 3 };

typedef struct {
    const VerifyView *view;
    VerifyFacts *facts;
    VerifyError *error;
    uint8_t *depths;
    uint32_t *owners;
    uint32_t *words;
    size_t pending;      /* words used at the bottom */
    size_t blocks_first; /* the queue is words[blocks_first] .. words[count - 1] */
    Block block;         /* the one under way */
    uint32_t block_number;
    unsigned limit; /* of the depth */
} Verifier;

/* -- Errors -- */

__attribute__((format(printf, 4, 5))) static bool fail(Verifier *v, VerifyRule rule, size_t pc,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    v->error->rule = rule;
    v->error->pc = (uint32_t)pc;
    vsnprintf(v->error->message, sizeof v->error->message, format, arguments);
    va_end(arguments);
    return false;
}

/* -- Control flow -- */

/* Control comes to `pc` with `depth` values. `*fresh` tells whether it is the first time. */
static bool arrive(Verifier *v, size_t from, int64_t pc, unsigned depth, bool *fresh)
{
    *fresh = false;
    if (pc < v->block.start || pc >= v->block.end) {
        if (pc < 0 || pc >= (int64_t)v->view->count)
            return fail(v, VERIFY_JUMP, from, "control goes to %lld, outside the code",
                        (long long)pc);
        return fail(v, VERIFY_BLOCK, from, "control goes to %lld, outside its block",
                    (long long)pc);
    }
    uint8_t known = v->depths[pc];
    if (known == DEPTH_UNREACHED) {
        v->depths[pc] = (uint8_t)depth;
        v->owners[pc] = v->block_number;
        *fresh = true;
        return true;
    }
    if (known == DEPTH_INSIDE)
        return fail(v, VERIFY_JUMP, from, "control goes to %lld, inside an instruction",
                    (long long)pc);
    if (v->owners[pc] != v->block_number)
        return fail(v, VERIFY_BLOCK, from, "control goes to %lld, in another block", (long long)pc);
    if (known != depth)
        return fail(v, VERIFY_DEPTH, from, "control comes to %lld with %u values instead of %u",
                    (long long)pc, depth, known);
    return true;
}

static bool arrive_by_jump(Verifier *v, const Instruction *i, unsigned depth)
{
    bool fresh;
    if (!arrive(v, i->pc, i->target, depth, &fresh))
        return false;
    if (fresh)
        v->words[v->pending++] = (uint32_t)i->target;
    if (i->target < i->next)
        v->facts->backward_jumps = true;
    return true;
}

static bool claim_bytes(Verifier *v, const Instruction *i)
{
    for (size_t pc = i->pc + 1; pc < i->next; pc++) {
        if (v->depths[pc] != DEPTH_UNREACHED)
            return fail(v, VERIFY_JUMP, i->pc, "a jump goes to %zu, inside this instruction", pc);
        v->depths[pc] = DEPTH_INSIDE;
    }
    return true;
}

/* -- Operands -- */

static bool check_temp(Verifier *v, const Instruction *i, uint32_t temp, unsigned depth_after)
{
    unsigned limit = v->block_number ? depth_after : v->view->temp_count;
    if (temp >= limit)
        return fail(v, VERIFY_TEMP, i->pc, "temporary %u, but there are %u", temp, limit);
    return true;
}

static bool check_literal(Verifier *v, const Instruction *i)
{
    size_t count = v->view->literal_count;
    if (i->index >= count)
        return fail(v, VERIFY_LITERAL, i->pc, "literal %u, but there are %zu", i->index, count);
    return true;
}

static bool check_variable_literal(Verifier *v, const Instruction *i)
{
    if (!check_literal(v, i))
        return false;
    if (v->view->literal && !v->view->literal(v->view->owner, i->index).has_value)
        return fail(v, VERIFY_LITERAL, i->pc, "literal %u is no variable", i->index);
    return true;
}

static bool check_full_closure(Verifier *v, const Instruction *i)
{
    if (!check_literal(v, i))
        return false;
    if (!v->view->literal)
        return true;
    VerifyLiteral block = v->view->literal(v->view->owner, i->index);
    if (!block.is_code)
        return fail(v, VERIFY_LITERAL, i->pc, "literal %u is no block", i->index);
    if (block.arg_count + i->copied > block.temp_count)
        return fail(v, VERIFY_LITERAL, i->pc,
                    "%u values copied for the block in literal %u, whose frame has %d", i->copied,
                    i->index, block.temp_count - block.arg_count);
    return true;
}

static bool check_integer(Verifier *v, const Instruction *i)
{
    unsigned bits = v->view->small_integer_bits ? v->view->small_integer_bits : 31;
    int64_t limit = (int64_t)1 << (bits - 1);
    if (i->value < -limit || i->value >= limit)
        return fail(v, VERIFY_VALUE, i->pc, "%d is no SmallInteger of %u bits", i->value, bits);
    return true;
}

static void note_receiver_variable(Verifier *v, const Instruction *i)
{
    if (i->index >= v->facts->receiver_variables)
        v->facts->receiver_variables = i->index + 1;
}

static bool check_send(Verifier *v, const Instruction *i)
{
    v->facts->sends++;
    return i->op == OP_SEND_SPECIAL || check_literal(v, i);
}

/* `depth` is that after the instruction. */
static bool check_operands(Verifier *v, const Instruction *i, unsigned depth)
{
    switch (i->op) {
    case OP_PUSH_RECEIVER_VARIABLE:
    case OP_STORE_RECEIVER_VARIABLE:
    case OP_POP_INTO_RECEIVER_VARIABLE:
        note_receiver_variable(v, i);
        return true;
    case OP_PUSH_TEMP:
        return check_temp(v, i, i->index, depth - 1);
    case OP_STORE_TEMP:
    case OP_POP_INTO_TEMP:
        return check_temp(v, i, i->index, depth);
    case OP_PUSH_REMOTE_TEMP:
        return check_temp(v, i, i->temp, depth - 1);
    case OP_STORE_REMOTE_TEMP:
    case OP_POP_INTO_REMOTE_TEMP:
        return check_temp(v, i, i->temp, depth);
    case OP_PUSH_LITERAL:
        return check_literal(v, i);
    case OP_PUSH_LITERAL_VARIABLE:
    case OP_STORE_LITERAL_VARIABLE:
    case OP_POP_INTO_LITERAL_VARIABLE:
        return check_variable_literal(v, i);
    case OP_PUSH_FULL_CLOSURE:
        return check_full_closure(v, i);
    case OP_PUSH_INTEGER:
        return check_integer(v, i);
    case OP_PUSH_CHARACTER:
        return i->index < 1u << 30 ||
               fail(v, VERIFY_VALUE, i->pc, "a character with code %u", i->index);
    case OP_SEND:
    case OP_SEND_SPECIAL:
    case OP_SEND_SUPER:
    case OP_SEND_DIRECTED_SUPER:
        return check_send(v, i);
    default:
        return true;
    }
}

static bool check_prefixes(Verifier *v, const Instruction *i)
{
    if (!i->a_count && !i->b_count)
        return true;
    if ((i->a_count && !form_uses_a(i->form)) || (i->b_count && !form_uses_b(i->form)))
        return fail(v, VERIFY_PREFIX, i->pc, "opcode %u does not use its prefix", i->opcode);
    if (i->too_wide)
        return fail(v, VERIFY_PREFIX, i->pc, "the prefixes do not fit 24 bits");
    return true;
}

/* -- Blocks -- */

static bool queue_block(Verifier *v, const Instruction *i)
{
    if (i->target <= i->next || i->target > v->block.end)
        return fail(v, VERIFY_BLOCK, i->pc, "the block's body ends at %lld", (long long)i->target);
    if ((unsigned)i->count + i->copied > v->limit)
        return fail(v, VERIFY_OVERFLOW, i->pc,
                    "arguments and copied values of the block need %u slots",
                    (unsigned)i->count + i->copied);
    v->blocks_first -= BLOCK_WORDS;
    uint32_t *entry = v->words + v->blocks_first;
    entry[0] = i->next;
    entry[1] = (uint32_t)i->target;
    entry[2] = (uint32_t)i->count + i->copied;
    v->facts->blocks++;
    return true;
}

/* -- One instruction -- */

/* Bytecodes that end in #unusedBytecode, whatever stands behind them. */
static bool is_unknown(const Verifier *v, const Instruction *i)
{
    switch (i->op) {
    case OP_UNKNOWN:
    case OP_TRAP:
        return true;
    case OP_CALL_PRIMITIVE:
        return !v->view->has_primitive || i->pc != 0;
    case OP_INLINE_PRIMITIVE: {
        const InlinePrimitive *p = i->count == 0 ? inline_primitive_find(i->index) : NULL;
        return !v->view->inline_primitives || !p || p->jumps; /* see verify_inlined_jump */
    }
    case OP_MAPPED_PRIMITIVE:
        return !v->view->inline_primitives || !mapped_primitive_find(i->index);
    default:
        return false;
    }
}

/* The store of the error code reads the last temporary as top of stack. */
static bool is_error_store(const Verifier *v, const Instruction *i, unsigned depth)
{
    return v->view->has_primitive && i->pc == 3 && !v->block_number && depth > 0 &&
           i->op == OP_STORE_TEMP;
}

static bool check_stack(Verifier *v, const Instruction *i, unsigned depth, unsigned *after)
{
    if (i->count < 0)
        return fail(v, VERIFY_VALUE, i->pc, "%s with %d arguments", operation_infos[i->op].name,
                    i->count);
    unsigned pops = instruction_pops(i);
    if (pops > depth - v->block.floor && !is_error_store(v, i, depth))
        return fail(v, VERIFY_UNDERFLOW, i->pc, "%s takes %u values, but there are %u",
                    operation_infos[i->op].name, pops, depth - v->block.floor);
    *after = depth - pops + instruction_pushes(i);
    if (*after > v->limit)
        return fail(v, VERIFY_OVERFLOW, i->pc, "the frame needs %u slots and has %u", *after,
                    v->limit);
    if (*after > v->facts->max_depth)
        v->facts->max_depth = *after;
    return true;
}

const InlinePrimitive *verify_inlined_jump(const VerifyView *view, size_t end,
                                           const Instruction *push, Instruction *pair)
{
    Instruction jump;
    if (push->op != OP_PUSH_INTEGER || !view->inline_primitives ||
        !bytecode_decode(view->set, view->bytes, end, push->next, &jump) ||
        jump.op != OP_INLINE_PRIMITIVE || jump.count != 0 || jump.a_count || jump.b_count)
        return NULL;
    const InlinePrimitive *primitive = inline_primitive_find(jump.index);
    if (!primitive || !primitive->jumps)
        return NULL;
    *pair = *push;
    pair->next = jump.next;
    pair->target = (int64_t)jump.next + push->value;
    return primitive;
}

/* The two make one instruction, `pair`: nobody may come in between, with another displacement. */
static bool verify_jump(Verifier *v, const Instruction *pair, const InlinePrimitive *primitive,
                        unsigned depth, int64_t *pc)
{
    unsigned pops = primitive->arguments - 1u;
    bool fresh;
    if (pops > depth - v->block.floor)
        return fail(v, VERIFY_UNDERFLOW, pair->pc, "%s takes %u values, but there are %u",
                    primitive->name, pops, depth - v->block.floor);
    if (depth + 1 > v->limit)
        return fail(v, VERIFY_OVERFLOW, pair->pc, "the frame needs %u slots and has %u", depth + 1,
                    v->limit);
    if (depth + 1 > v->facts->max_depth)
        v->facts->max_depth = depth + 1;
    if (!claim_bytes(v, pair) || !arrive_by_jump(v, pair, depth - pops))
        return false;
    if (primitive->number == INLINE_BACKJUMP)
        return true;
    if (!arrive(v, pair->pc, pair->next, depth - pops, &fresh))
        return false;
    if (fresh)
        *pc = pair->next;
    return true;
}

/* Checks the instruction at *pc; *pc becomes the one behind, or -1 where the run ends. */
static bool verify_instruction(Verifier *v, int64_t *pc)
{
    Instruction i;
    unsigned depth = v->depths[*pc];
    if (!bytecode_decode(v->view->set, v->view->bytes, v->block.end, (size_t)*pc, &i))
        return fail(v, VERIFY_TRUNCATED, (size_t)*pc, "the instruction is not complete");
    *pc = -1;
    v->facts->instructions++;
    Instruction pair;
    const InlinePrimitive *primitive = verify_inlined_jump(v->view, v->block.end, &i, &pair);
    if (primitive)
        return check_prefixes(v, &pair) && verify_jump(v, &pair, primitive, depth, pc);
    if (!claim_bytes(v, &i) || !check_prefixes(v, &i))
        return false;
    if (is_unknown(v, &i)) {
        v->facts->unknown = true;
        return true;
    }
    if (!check_stack(v, &i, depth, &depth) || !check_operands(v, &i, depth))
        return false;
    if (i.op == OP_JUMP || instruction_kind(&i) == KIND_CONDITIONAL_JUMP) {
        if (!arrive_by_jump(v, &i, depth))
            return false;
    }
    if (i.op == OP_PUSH_CLOSURE && !queue_block(v, &i))
        return false;
    if (!instruction_falls_through(&i))
        return true;
    int64_t next = i.op == OP_PUSH_CLOSURE ? i.target : i.next;
    bool fresh;
    if (!arrive(v, i.pc, next, depth, &fresh))
        return false;
    if (fresh)
        *pc = next;
    return true;
}

static bool verify_block(Verifier *v)
{
    bool fresh;
    v->pending = 0;
    if (!arrive(v, v->block.start, v->block.start, v->block.floor, &fresh))
        return false;
    for (int64_t pc = v->block.start;;) {
        while (pc >= 0)
            if (!verify_instruction(v, &pc))
                return false;
        if (!v->pending)
            return true;
        pc = v->words[--v->pending];
    }
}

/* -- The whole -- */

static bool check_header(Verifier *v)
{
    const VerifyView *view = v->view;
    if (view->count > VERIFY_BYTES_MAX)
        return fail(v, VERIFY_HEADER, 0, "%zu bytes of code", view->count);
    if (view->arg_count > view->temp_count)
        return fail(v, VERIFY_HEADER, 0, "%u arguments among %u temporaries", view->arg_count,
                    view->temp_count);
    if (view->temp_count > v->limit)
        return fail(v, VERIFY_OVERFLOW, 0, "%u temporaries, but the frame has %u slots",
                    view->temp_count, v->limit);
    if (view->count == 0)
        return fail(v, VERIFY_TRUNCATED, 0, "no bytecodes");
    uint8_t opcode = view->set == SET_V3 ? 139 : 248;
    if (view->has_primitive && (view->bytes[0] != opcode || view->count < 3))
        return fail(v, VERIFY_PRIMITIVE, 0, "the primitive flag without callPrimitive");
    return true;
}

size_t verify_scratch_size(size_t count)
{
    return count * (2 * sizeof(uint32_t) + 1);
}

bool verify_code(const VerifyView *view, void *scratch, VerifyFacts *facts, VerifyError *error)
{
    Verifier v = {
        .view = view,
        .facts = facts,
        .error = error,
        .owners = scratch,
        .words = (uint32_t *)scratch + view->count,
        .depths = (uint8_t *)((uint32_t *)scratch + 2 * view->count),
        .blocks_first = view->count,
        .block = { .end = (uint32_t)view->count, .floor = view->temp_count },
        .limit = view->large_frame || view->trust_depth ? LARGE_FRAME_SLOTS : SMALL_FRAME_SLOTS,
    };
    *error = (VerifyError){ .rule = VERIFY_OK };
    *facts = (VerifyFacts){ .max_depth = view->temp_count, .depths = v.depths };
    if (!check_header(&v))
        return false;
    memset(v.depths, DEPTH_UNREACHED, view->count);
    while (verify_block(&v)) {
        if (v.blocks_first == view->count) {
            facts->needs_large = facts->max_depth > SMALL_FRAME_SLOTS;
            return true;
        }
        const uint32_t *entry = v.words + v.blocks_first;
        v.block = (Block){ entry[0], entry[1], entry[2] };
        v.blocks_first += BLOCK_WORDS;
        v.block_number++;
        if (v.block.floor > facts->max_depth)
            facts->max_depth = v.block.floor;
    }
    return false;
}

bool verify_block_at(const VerifyView *view, const VerifyFacts *facts, size_t pc,
                     unsigned arguments, unsigned copied)
{
    Instruction i;
    size_t start = pc;
    if (pc == 0 || pc >= view->count)
        return false;
    do
        start--;
    while (start > 0 && facts->depths[start] == DEPTH_INSIDE);
    if (facts->depths[start] >= DEPTH_INSIDE)
        return false;
    return bytecode_decode(view->set, view->bytes, view->count, start, &i) &&
           i.op == OP_PUSH_CLOSURE && i.next == pc && i.count == (int64_t)arguments &&
           i.copied == copied;
}

/* -- Code outside a heap -- */

static VerifyLiteral compiled_literal(const void *owner, size_t index)
{
    const Literal *literal = ((const CompiledCode *)owner)->literals[index];
    switch (literal->kind) {
    case LITERAL_VARIABLE:
    case LITERAL_METHOD_CLASS:
    case LITERAL_SCALED:
    case LITERAL_FRACTION:
    case LITERAL_METHOD_STATE:
    case LITERAL_PRAGMA:
    case LITERAL_FUNCTION:
        return (VerifyLiteral){ .has_value = true };
    case LITERAL_ARRAY:
        return (VerifyLiteral){ .has_value = literal->element_count > 1 };
    case LITERAL_CODE:
        return (VerifyLiteral){
            .is_code = true,
            .arg_count = (uint8_t)literal->code_block->arg_count,
            .temp_count = (uint8_t)literal->code_block->temp_count,
        };
    default:
        return (VerifyLiteral){ .has_value = false };
    }
}

VerifyView verify_view(const CompiledCode *code)
{
    return (VerifyView){
        .set = code->set,
        .bytes = code->bytecodes,
        .count = code->bytecode_count,
        .arg_count = code->arg_count,
        .temp_count = code->temp_count,
        .literal_count = code->literal_count,
        .large_frame = code->large_frame,
        .has_primitive = code->has_primitive,
        .literal = compiled_literal,
        .owner = code,
    };
}

/* Code still to verify. */
typedef struct Todo {
    struct Todo *next;
    const CompiledCode *code;
} Todo;

static Todo *todo_add(Todo *list, const CompiledCode *code, Arena *arena)
{
    Todo *todo = arena_alloc(arena, sizeof *todo);
    *todo = (Todo){ list, code };
    return todo;
}

bool verify_compiled_code(const CompiledCode *code, Arena *arena, VerifyFacts *facts,
                          VerifyError *error, const CompiledCode **where)
{
    Todo *list = todo_add(NULL, code, arena);
    while (list) {
        const CompiledCode *current = list->code;
        VerifyFacts found;
        list = list->next;
        if (where)
            *where = current;
        VerifyView view = verify_view(current);
        void *scratch = arena_alloc(arena, verify_scratch_size(view.count));
        if (!verify_code(&view, scratch, &found, error))
            return false;
        if (facts && current == code)
            *facts = found;
        for (size_t n = 0; n < current->literal_count; n++)
            if (current->literals[n]->kind == LITERAL_CODE)
                list = todo_add(list, current->literals[n]->code_block, arena);
    }
    return true;
}
