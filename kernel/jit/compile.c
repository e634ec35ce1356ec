/* Compiling: entry and frame of a unit around its translated bytecodes, then encoding and
 * installing.
 *
 *     checked:    class index of RECEIVER, an object, against CLASS
 *     tagged:     the same of an immediate
 *     unchecked:  the primitive; then the frame
 *     poll point
 *     bytecodes
 *
 * Blocks have one entry, reached from a closure's value: the closure in RECEIVER, checked there.
 */
#include "kernel/jit/jit_int.h"
#include "kernel/vm/primitives/primitives.h"

#define SLOT(i) ((SWord)(HEADER_BYTES + (Word)(i) * WORD_BYTES))

/* ---- Entries ---- */

/* Two entries, for sites that expect an object or an immediate: to `miss` unless RECEIVER is one of
 * the class index CLASS. */
static void check_object(Unit *u, unsigned miss)
{
    Build *b = &u->b;
    build_here(b, u->checked);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_RECEIVER, TAG_MASK, miss);
    op_load(b, JIT_A, JIT_RECEIVER, 0, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_A, (SWord)HEADER_CLASS_MASK);
    op_branch(b, JIT_NOT_EQUAL, JIT_A, JIT_CLASS, miss);
}

static void check_immediate(Unit *u, unsigned miss)
{
    Build *b = &u->b;
    build_here(b, u->tagged);
    if (WORD_BITS == 64) {
        op_ab(b, JIT_MOVE, JIT_A, JIT_RECEIVER);
        op_av(b, JIT_AND_CONSTANT, JIT_A, TAG_MASK);
    } else { /* a SmallInteger has the lowest bit set, a Character the next */
        op_branch_value(b, JIT_BRANCH_BITS, JIT_EQUAL, JIT_RECEIVER, TAG_MASK, miss);
        link_read_class(b);
    }
    op_branch(b, JIT_EQUAL, JIT_A, JIT_CLASS, u->unchecked);
    op_jump(b, miss);
}

/* C calls the method: receiver, arguments and the return pc, in RESULT, are taken from memory. */
static void resumed_entry(Unit *u)
{
    Build *b = &u->b;
    build_here(b, u->resumed);
    if (jit_in_registers(u->args)) {
        for (unsigned i = u->args; i-- > 0;)
            op_ab(b, JIT_POP, JIT_ARGUMENT_0 + i, 0);
        op_ab(b, JIT_POP, JIT_RECEIVER, 0);
    } else
        op_load(b, JIT_RECEIVER, JIT_SP, (SWord)u->args * WORD_BYTES, WORD_SHIFT);
    op_ab(b, JIT_SET_RETURN, JIT_RESULT, 0);
    op_jump(b, u->unchecked);
}

static void checked_entry(Unit *u)
{
    Build *b = &u->b;
    unsigned miss = build_label(b);
    if (WORD_BITS == 32) /* in the main section, where link_read_class ends */
        check_immediate(u, miss);
    check_object(u, miss);
    build_here(b, u->unchecked);
    build_cold(b);
    build_here(b, miss);
    build_miss(b, u->args);
    resumed_entry(u);
    if (WORD_BITS == 64)
        check_immediate(u, miss);
    build_main(b);
}

/* ---- The frame ---- */

/* The stack limit and the poll budget: one predicate in both tiers. RECEIVER holds self, and ARGUMENTs
 * theirs, before and behind it. */
static void poll_point(Unit *u, bool polls)
{
    Build *b = &u->b;
    unsigned due = build_label(b), on = build_label(b), check = build_label(b);
    build_here(b, check);
    if (polls) {
        op_abv(b, JIT_COUNT_DOWN, 0, JIT_VM, VAR(poll_budget));
        build_last(b)->label = (uint16_t)due;
        op_branch_loaded(b, JIT_BELOW, JIT_SP, JIT_VM, VAR(stack_limit), due);
    } else
        op_branch_loaded(b, JIT_BELOW, JIT_SP, JIT_VM, VAR(page_limit), due);
    build_here(b, on);
    build_cold(b);
    build_here(b, due);
    op_av(b, JIT_CONSTANT, JIT_A, polls);
    build_call(b, ROUTINE_POLL_ENTRY);
    build_map(b, MAP_POLL, u->first_pc + u->from);
    op_ab(b, JIT_PUSH, JIT_RESULT, 0);
    sim_load_known(u, sim_known_first(u));
    op_jump(b, on);
    build_here(b, u->framed);
    op_ab(b, JIT_PUSH, JIT_RESULT, 0);
    sim_load_known(u, sim_known_first(u));
    op_jump(b, check);
    build_main(b);
}

/* `self`: the register that holds the receiver of the code. */
static void frame(Unit *u, unsigned self)
{
    Build *b = &u->b;
    build_operands(b, u->args);
    build_add(b, JIT_FRAME);
    op_v(b, JIT_PUSH_LITERAL, POOL_CODE);
    op_v(b, JIT_PUSH_CONSTANT, (SWord)u->flags);
    op_v(b, JIT_PUSH_CONSTANT, 0);
    op_ab(b, JIT_PUSH, self, 0);
}

static void push_nils(Unit *u, unsigned count)
{
    Build *b = &u->b;
    if (count > 1) {
        op_load(b, JIT_A, JIT_VM, VAR(heap.nil), WORD_SHIFT);
        while (count--)
            op_ab(b, JIT_PUSH, JIT_A, 0);
    } else if (count)
        op_abv(b, JIT_PUSH_LOADED, 0, JIT_VM, VAR(heap.nil));
}

static void method_entry(Unit *u, bool polls)
{
    checked_entry(u);
    PrimitiveRest rest = unit_primitive(u);
    if (rest == NO_BODY) {
        u->framed = LABEL_NONE;
        u->to = u->from;
        return;
    }
    if (rest == BODY_WITH_FRAME) {
        frame(u, JIT_RECEIVER);
        push_nils(u, u->base - u->args);
    }
    poll_point(u, polls);
}

/* ---- Blocks ---- */

void build_check_variables(Build *b, unsigned receiver, unsigned fields, unsigned slow)
{
    if (!fields)
        return;
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, receiver, TAG_MASK, slow);
    op_load(b, JIT_D, receiver, 0, 2);
    op_ab(b, JIT_MOVE, JIT_E, JIT_D);
    op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_E, HEADER_FORMAT_SHIFT);
    op_av(b, JIT_AND_CONSTANT, JIT_E, 0x1F);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_ABOVE, JIT_E, FORMAT_LAST_POINTERS, slow);
    op_av(b, JIT_AND_CONSTANT, JIT_D, (SWord)HEADER_CLASS_MASK);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_D, CLASS_CONTEXT, slow);
    op_load(b, JIT_D, receiver, HEADER_BYTES - 1, 0);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_BELOW, JIT_D, (SWord)fields, slow);
}

/* The closure, a full one of this block, is in RECEIVER; it takes as many arguments as there are.
 * B: the value method that sent us here, should the slow path be needed. */
static void block_entry(Unit *u)
{
    Build *b = &u->b;
    unsigned slow = build_label(b);
    build_here(b, u->block_entry);
    op_load(b, JIT_D, JIT_RECEIVER, SLOT(CLOSURE_ARG_COUNT), WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_D,
                    (SWord)small_integer_oop((SWord)u->args), slow);
    op_load(b, JIT_D, JIT_RECEIVER, HEADER_BYTES - 1, 0);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_D,
                    (SWord)(FULL_CLOSURE_COPIED + u->copied), slow);
    op_load(b, JIT_CLASS, JIT_RECEIVER, SLOT(FULL_CLOSURE_RECEIVER), WORD_SHIFT);
    build_check_variables(b, JIT_CLASS, u->facts.receiver_variables, slow);
    frame(u, JIT_CLASS);
    for (unsigned i = 0; i < u->copied; i++)
        op_abv(b, JIT_PUSH_LOADED, 0, JIT_RECEIVER, SLOT(FULL_CLOSURE_COPIED + i));
    push_nils(u, u->base - u->args - u->copied);
    op_ab(b, JIT_MOVE, JIT_RECEIVER, JIT_CLASS);
    build_cold(b);
    build_here(b, slow);
    op_ab(b, JIT_MOVE, JIT_A, JIT_B);
    op_av(b, JIT_CONSTANT, JIT_B, 207);
    op_av(b, JIT_CONSTANT, JIT_C, (SWord)u->args);
    build_stub_jump(b, ROUTINE_PRIMITIVE, u->args);
    build_main(b);
    poll_point(u, true);
}

/* Frames of embedded blocks are built by C. */
static void embedded_entry(Unit *u)
{
    poll_point(u, true);
}

/* ---- Units ---- */

static bool open_unit(Vm *vm, Unit *u, Oop code)
{
    const CodeFacts *facts = code_facts(vm, code);
    jit_of(vm)->refusal = "the verifier refuses it";
    if (facts->bad)
        return false;
    jit_of(vm)->refusal = "it was refused before";
    if (facts->refused)
        return false;
    jit_of(vm)->refusal = "the code zone had no room for another one";
    if (jit_of(vm)->to_skip) {
        jit_of(vm)->to_skip--;
        return false;
    }
    memset(u, 0, offsetof(Unit, stack));
    u->code = code;
    jit_of(vm)->refusal = "the verifier cannot say how deep its stack is";
    if (!code_view(vm, code, &u->view, &u->facts))
        return false;
    jit_of(vm)->refusal = NULL;
    build_open(&u->b, vm);
    u->first_pc = facts->first_ip;
    u->to = (uint32_t)u->view.count;
    u->args = facts->args;
    u->base = facts->temps;
    u->primitive = facts->primitive;
    u->context_slots = facts->large ? CONTEXT_LARGE_SLOTS : CONTEXT_SMALL_SLOTS;
    u->checked = u->tagged = u->unchecked = u->resumed = u->framed = u->block_entry = LABEL_NONE;
    u->framed = build_label(&u->b);
    const OsvmHost *host = vm->setup->host;
    u->targets = host->alloc(host, u->view.count * sizeof *u->targets);
    if (!u->targets) {
        build_close(&u->b);
        return false;
    }
    for (size_t i = 0; i < u->view.count; i++)
        u->targets[i] = (Target){.label = LABEL_NONE, .known = UINT16_MAX};
    return true;
}

static void close_unit(Unit *u)
{
    const OsvmHost *host = u->b.vm->setup->host;
    host->free(host, u->targets, u->view.count * sizeof *u->targets);
    build_close(&u->b);
}

static uint32_t label_index(const Build *b, uint32_t label)
{
    LabelPlace place = b->arrays.places[label];
    return place.index + (place.cold ? b->arrays.main.count : 0);
}

/* When the instructions have been encoded. */
static uint32_t label_offset(const Build *b, uint32_t label)
{
    return label == LABEL_NONE ? 0 : b->arrays.main.instructions[label_index(b, label)].offset;
}

/* As the bytecode verifier has it, which is asked nothing while code is generated. */
static uint8_t depth_at(const Unit *u, uint32_t pc)
{
    uint32_t at = pc - u->first_pc;
    uint8_t depth = at < u->view.count ? u->facts.depths[at] : DEPTH_UNREACHED;
    return depth < DEPTH_INSIDE ? (uint8_t)(depth - u->base) : DEPTH_UNREACHED;
}

static void fill_piece(Unit *u, Piece *piece)
{
    piece->args = (uint8_t)u->args;
    piece->copied = (uint16_t)u->copied;
    piece->fields = (uint16_t)(u->careful ? 0 : u->facts.receiver_variables);
    piece->locals = (uint16_t)(u->base - u->args);
    for (uint32_t i = 0; i < piece->map_count; i++)
        piece->maps[i].depth = depth_at(u, piece->maps[i].pc);
    piece->careful = u->careful;
    piece->start_pc = u->embedded ? u->first_pc + u->from : 0;
    piece->checked = label_offset(&u->b, u->checked);
    piece->tagged = label_offset(&u->b, u->tagged);
    piece->unchecked = label_offset(&u->b, u->unchecked);
    piece->resumed = label_offset(&u->b, u->resumed);
    piece->framed = label_offset(&u->b, u->framed);
}

/* ---- Encoding ---- */

static Piece *new_piece(Build *b, PieceKind kind)
{
    const OsvmHost *host = b->vm->setup->host;
    Piece *piece =
        host->alloc(host, jit_piece_size(b->map_count, b->send_count, b->pool_words));
    if (!piece)
        return NULL;
    *piece = (Piece){.kind = (uint8_t)kind, .routine = b->routine, .pool_words = b->pool_words,
                     .map_count = b->map_count, .send_count = b->send_count,
                     .used = b->jit->stamp};
    piece->maps = (JitMap *)(piece + 1);
    piece->sends = (JitSend *)(piece->maps + piece->map_count);
    piece->roles = (uint8_t *)(piece->sends + piece->send_count);
    memcpy(piece->roles, b->roles, piece->pool_words);
    return piece;
}

/* The cold section behind the main one, in its array. */
static bool join_sections(Build *b)
{
    const OsvmHost *host = b->vm->setup->host;
    Section *main = &b->arrays.main;
    const Section *cold = &b->arrays.cold;
    uint32_t count = main->count + cold->count;
    if (count > main->capacity) {
        JitInstruction *all = host->resize(host, main->instructions,
                                           main->capacity * sizeof *all, count * sizeof *all);
        if (!all)
            return false;
        main->instructions = all;
        main->capacity = count;
    }
    memcpy(main->instructions + main->count, cold->instructions, cold->count * sizeof *cold->instructions);
    return true;
}

/* The encoded bytes go where the zone's next piece does. */
static bool encode(Build *b, Piece *piece)
{
    Jit *jit = b->jit;
    const JitOps *ops = jit->back_end->ops;
    uint32_t count = b->arrays.main.count + b->arrays.cold.count;
    Word pool_bytes = (Word)piece->pool_words * WORD_BYTES;
    uint32_t capacity = count * ops->instruction_bytes;
    if (pool_bytes + capacity > jit->end - jit->first) {
        build_refuse(b, "the code zone is too small for it");
        return false;
    }
    piece->start = zone_reserve(b->vm, pool_bytes + capacity);
    if (!piece->start)
        return false;
    JitCode code = {.instructions = b->arrays.main.instructions, .count = count, .labels = b->labels,
                    .pool_words = piece->pool_words, .address = jit_code(piece),
                    .out = zone_writable(jit, jit_code(piece)), .capacity = capacity};
    piece->code_bytes = ops->encode(jit->back_end, &code);
    return piece->code_bytes != 0;
}

/* In the order of their offsets: each section has them so. */
static void place_maps(const Build *b, Piece *piece)
{
    const BuildArrays *a = &b->arrays;
    uint32_t next = 0;
    for (int cold = 0; cold < 2; cold++)
        for (uint32_t i = 0; i < b->map_count; i++)
            if (a->places[a->maps[i].offset].cold == cold) {
                piece->maps[next] = a->maps[i];
                piece->maps[next++].offset = label_offset(b, a->maps[i].offset);
            }
    for (uint32_t i = 0; i < b->send_count; i++) {
        piece->sends[i] = a->sends[i];
        piece->sends[i].offset = label_offset(b, a->maps[a->sends[i].offset].offset);
    }
}

static void fill_pool(const Build *b, const Piece *piece, const Unit *u)
{
    Word *pool = zone_writable(b->jit, piece->start);
    memcpy(pool, b->pool, piece->pool_words * WORD_BYTES);
    if (u && u->block_entry != LABEL_NONE)
        pool[POOL_ENTRY] = jit_code(piece) + label_offset(b, u->block_entry);
    if (u && u->framed != LABEL_NONE)
        pool[POOL_FRAMED] = jit_code(piece) + label_offset(b, u->framed);
}

static Piece *install(Build *b, PieceKind kind, Unit *u)
{
    Jit *jit = b->jit;
    build_cold(b); /* a call at the very end would return to what belongs to the next piece */
    build_add(b, JIT_STOP);
    if (b->pool_words % 2) /* keeps the code aligned */
        build_pool(b, 0, ROLE_PLAIN);
    Piece *piece = join_sections(b) ? new_piece(b, kind) : NULL;
    if (!piece)
        return NULL;
    if (encode(b, piece)) {
        place_maps(b, piece);
        fill_pool(b, piece, u);
        if (u)
            fill_piece(u, piece);
        if (jit->installed)
            jit->installed(jit->installed_context, piece, b->arrays.main.instructions,
                           b->arrays.main.count + b->arrays.cold.count);
        if (jit_add_piece(b->vm, piece))
            return piece;
    }
    jit_delete_piece(b->vm, piece);
    return NULL;
}

Piece *jit_install(Build *b, PieceKind kind)
{
    return b->failed ? NULL : install(b, kind, NULL);
}

/* ---- Methods and blocks ---- */

/* There is no room, and throwing out made none: as long as that is so, the next ones to be compiled
 * are not looked at, twice as many each time. */
static void put_off(Jit *jit)
{
    enum { MOST = 1024 };
    jit->put_off++;
    jit->full = jit->full ? 2 * jit->full : 1;
    if (jit->full > MOST)
        jit->full = MOST;
    jit->to_skip = jit->full;
}

static void refuse(Unit *u, const char *why)
{
    const OsvmHost *host = u->b.vm->setup->host;
    u->b.jit->refused++;
    host->log(host, OSVM_DEBUG, "jit: code of %zu bytes and %zu literals is refused: %s",
              u->view.count, u->view.literal_count, why);
    ((CodeFacts *)code_facts(u->b.vm, u->code))->refused = true;
}

static Piece *finish(Unit *u, PieceKind kind)
{
    Jit *jit = u->b.jit;
    Piece *piece = NULL;
    if (unit_translate(u) && !u->b.failed)
        piece = install(&u->b, kind, u);
    if (piece) {
        jit->compiled++;
        jit->full = 0;
    } else if (u->b.failed) {
        jit->refusal = u->b.why ? u->b.why : "its stack is not what its bytecodes need";
        refuse(u, jit->refusal);
    } else {
        jit->refusal = "the code zone has no room for it";
        put_off(jit);
    }
    return piece;
}

/* The code's slot 0 is its machine code from now on. */
static void take_header(Vm *vm, Piece *piece, Oop code)
{
    Oop header = object_slot(code, 0);
    jit_put(jit_of(vm), piece, POOL_HEADER, header);
    heap_store_unchecked(code, 0, piece->start); /* NOBARRIER: no object, see H5 */
}

static void prepare_pool(Unit *u)
{
    u->b.pool[POOL_CODE] = u->code;
}

/* Without a poll before `install` nothing moves: oops in the pool are those found. */
static Piece *translate(Vm *vm, Oop code, bool block, unsigned copied, bool careful)
{
    Unit u;
    Piece *piece = NULL;
    if (!open_unit(vm, &u, code))
        return NULL;
    Word modes = code_facts(vm, code)->modes | (careful ? FRAME_CAREFUL : 0);
    u.block = block;
    u.careful = careful;
    u.copied = copied;
    u.flags = frame_flags_for(u.args, modes | (block ? FRAME_BLOCK : 0));
    prepare_pool(&u);
    sim_reset(&u, 0);
    if (block) {
        u.block_entry = build_label(&u.b);
        if (u.args + copied <= u.base) {
            block_entry(&u);
            piece = finish(&u, PIECE_METHOD);
        }
    } else {
        u.checked = build_label(&u.b);
        u.tagged = build_label(&u.b);
        u.unchecked = build_label(&u.b);
        u.resumed = build_label(&u.b);
        if (u.primitive)
            u.from = 3;
        method_entry(&u, !code_facts(vm, code)->no_poll);
        piece = finish(&u, PIECE_METHOD);
    }
    if (piece)
        take_header(vm, piece, code);
    close_unit(&u);
    return piece;
}

static Piece *compile(Vm *vm, Oop code, bool block, unsigned copied, bool careful)
{
    uint64_t start = vm->heap.host->now(&vm->heap);
    Piece *piece = translate(vm, code, block, copied, careful);
    jit_of(vm)->compile_us += vm->heap.host->now(&vm->heap) - start;
    return piece;
}

Piece *jit_compile(Vm *vm, Oop code, Word flags)
{
    return compile(vm, code, false, 0, (flags & FRAME_CAREFUL) != 0);
}

Piece *jit_compile_block(Vm *vm, Oop code, unsigned copied)
{
    return compile(vm, code, true, copied, false);
}

/* Where the body of the embedded block that begins at `start` ends; 0: there is none. */
static uint32_t end_of_block(const Unit *u, uint32_t start)
{
    Instruction i;
    for (uint32_t pc = 0; pc < start; pc++)
        if (u->facts.depths[pc] < DEPTH_INSIDE &&
            bytecode_decode(u->view.set, u->view.bytes, u->view.count, pc, &i) &&
            i.op == OP_PUSH_CLOSURE && i.next == start)
            return (uint32_t)i.target;
    return 0;
}

Piece *jit_compile_embedded(Vm *vm, Oop code, uint32_t start_pc, unsigned args, unsigned copied)
{
    Unit u;
    Piece *piece = NULL, *method = jit_piece_of(vm, code);
    if (!method || !open_unit(vm, &u, code))
        return NULL;
    u.block = u.embedded = true;
    u.from = start_pc - u.first_pc;
    u.to = end_of_block(&u, u.from);
    u.args = args;
    u.copied = copied;
    u.base = args + copied;
    u.flags = frame_flags_for(args, code_facts(vm, code)->modes | FRAME_BLOCK);
    prepare_pool(&u);
    sim_reset(&u, 0);
    embedded_entry(&u);
    if (u.to)
        piece = finish(&u, PIECE_BLOCK);
    method = jit_piece_of(vm, code); /* may have been thrown out for the block */
    if (piece && method) {
        piece->next_block = method->blocks;
        method->blocks = piece;
    } else if (piece) {
        jit_free_piece(vm, piece);
        piece = NULL;
    }
    close_unit(&u);
    return piece;
}
