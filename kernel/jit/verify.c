/* What checked builds verify of machine code, beside the assertions in it (unit_check_depth):
 *
 *  C1  Where machine code calls a routine that may switch, the pc behind the call is a frame state
 *      of the running frame's method, and as much is on the stack as the bytecode verifier says.
 *  C2  The same for every frame of every stack, at polls.
 *  C3  Pieces lie one behind the other; slot 0 of compiled code and its piece know one another.
 *  C4  Every reference in the zone is a valid object; young ones only in pieces marked as having some.
 *  C5  Every cache leads to the entry of a live method, for a class that there is; every
 *      polymorphic cache is called by one site.
 *  C6  While a piece is being made no object moves and nothing forks: both are only reached from
 *      polls and primitives (asserted in methods.c and zone.c).
 */
#include "kernel/jit/jit_int.h"

/* ---- C1, C2: frames ---- */

/* A frame with so many words below its fixed ones is at the pc of machine code. `pending`: words
 * more or less than its frame state says. */
static void check_state(Vm *vm, const Word *frame, SWord words, Word pc, int pending)
{
    const PcFacts *facts = jit_pc_facts(jit_of(vm), pc);
    CHECK(facts && facts->map, "C1: a frame waits at %" PRIxWORD ", which is no frame state", pc);
    const Piece *piece = facts->piece;
    CHECK(jit_piece_method(piece) == frame[FRAME_METHOD],
          "C1: a frame of code %" PRIxWORD " runs machine code of %" PRIxWORD, frame[FRAME_METHOD],
          jit_piece_method(piece));
    CHECK(piece->args == frame_args(frame), "C1: a frame of %u arguments runs code with %u",
          frame_args(frame), piece->args);
    CHECK(facts->map->depth == DEPTH_UNREACHED ||
              words == (SWord)(piece->locals + facts->map->depth) + pending,
          "C1: at bytecode pc %u a frame has %" PRIdWORD " words on the stack, not %d",
          facts->map->pc, words - (SWord)piece->locals, facts->map->depth + pending);
}

static SWord words_below(const Word *frame, Word sp)
{
    return (SWord)(pointer_word(frame) - sp) / (SWord)WORD_BYTES - FRAME_FIXED;
}

void verify_running(Vm *vm, int pending)
{
    if (!CHECKED)
        return;
    const Word *frame = frame_at(vm->fp);
    check_state(vm, frame, words_below(frame, vm->sp), vm->ip, pending);
}

/* A frame that waits for an answer: `above` will put it where its receiver lies. */
static void check_frame(Vm *vm, Word *frame, Word *pc, Word *above, void *head_sp)
{
    (void)head_sp;
    if (!above || !jit_is_pc(vm, *pc))
        return;
    check_state(vm, frame, words_below(frame, pointer_word(frame_top(above)) + WORD_BYTES), *pc, -1);
    CHECK(above[FRAME_FLAGS] & FRAME_ODD_RETURN || !jit_is_pc(vm, *pc) || !above[FRAME_CONTEXT],
          "S5: a married frame returns to machine code in the plain way");
}

/* The newest frames of pages. Those of other pages than the running one may wait for an answer
 * from another page, or have got it. */
static void check_heads(Vm *vm)
{
    for (unsigned i = 0; i < interp_of(vm)->page_count; i++) {
        const Page *page = &interp_of(vm)->pages[i];
        if (!page->head_fp || !jit_is_pc(vm, page->head_ip))
            continue;
        const Word *frame = frame_at(page->head_fp);
        const PcFacts *facts = jit_pc_facts(jit_of(vm), page->head_ip);
        SWord words = words_below(frame, page->head_sp);
        bool waits = page != interp_of(vm)->page && facts && facts->map &&
                     facts->map->kind == MAP_SEND && words < facts->piece->locals + facts->map->depth;
        check_state(vm, frame, words, page->head_ip, waits ? -1 : 0);
    }
}

/* ---- C3, C4: pieces ---- */

static void check_reference(Vm *vm, const Piece *piece, Oop oop)
{
    const Heap *heap = &vm->heap;
    if (!oop || is_immediate(oop))
        return;
    bool young = oop >= heap->new_start && oop < heap->new_end;
    CHECK(oop % OBJECT_ALIGNMENT == 0 && (young || (oop >= heap->old_start && oop < heap->old_end)),
          "C4: machine code refers to %" PRIxWORD ", which is no object", oop);
    CHECK(is_forwarded(oop) || heap_class_at(heap, object_class_index(oop)) != heap->nil,
          "C4: machine code refers to %" PRIxWORD ", whose class index is not in use", oop);
    CHECK(!young || piece->young,
          "C4: machine code refers to the young object %" PRIxWORD " and is not marked", oop);
}

static void check_method(Vm *vm, const Piece *piece)
{
    Oop code = jit_piece_method(piece);
    CHECK(is_object(code) && is_code(code), "C3: machine code belongs to no code: %" PRIxWORD, code);
    CHECK(piece->kind != PIECE_METHOD || object_slot(code, 0) == piece->start,
          "C3: code %" PRIxWORD " does not know its machine code", code);
    CHECK(piece->kind != PIECE_METHOD || is_small_integer(jit_pool(piece)[POOL_HEADER]),
          "C3: no method header behind %" PRIxWORD, piece->start);
    CHECK(!piece->framed || jit_pool(piece)[POOL_FRAMED] == jit_code(piece) + piece->framed,
          "C3: the entry of frames is not where code %" PRIxWORD " is", code);
}

/* ---- C5: caches ---- */

static void check_entry(Vm *vm, Word class_index, Word target, bool checks_class)
{
    const Piece *callee = jit_piece_at(jit_of(vm), target);
    CHECK(callee && callee->kind == PIECE_METHOD,
          "C5: a cache leads to %" PRIxWORD ", where no method is", target);
    CHECK(target == (checks_class ? link_entry(callee, class_index)
                                  : jit_code(callee) + callee->unchecked),
          "C5: a cache leads to %" PRIxWORD ", which is no entry", target);
    CHECK(class_index == NO_CLASS || heap_class_at(&vm->heap, class_index) != vm->heap.nil,
          "C5: a cache expects class index %" PRIxWORD ", which is not in use", class_index);
}

/* Answers whether the site calls a cache of its own. */
static bool check_site(Vm *vm, const Piece *piece, const JitSend *site)
{
    const Word *words = jit_pool(piece) + site->pool;
    if (words[1] == vm->jit.unlinked[jit_unlinked_index(site->args)])
        return false;
    const Piece *callee = jit_piece_at(jit_of(vm), words[1]);
    CHECK(!callee || callee->args == site->args,
          "C5: a send site with %u arguments leads to code with %u", site->args, callee->args);
    if (!callee || callee->kind == PIECE_METHOD) {
        check_entry(vm, words[0], words[1], words[0] != NO_CLASS);
        CHECK(words[0] != NO_CLASS || (site->is_super && !callee->fields),
              "C5: a send site leads to %" PRIxWORD ", which checks nothing", words[1]);
        return false;
    }
    CHECK(callee->kind != PIECE_BLOCK && words[1] == jit_code(callee),
          "C5: a send site leads to %" PRIxWORD ", which is no entry", words[1]);
    const Word *cases = jit_pool(callee) + POOL_FIXED;
    for (uint32_t i = 0; callee->kind == PIECE_CACHE && i < callee->cases; i++) {
        check_entry(vm, cases[2 * i], cases[2 * i + 1], false);
        CHECK(site->is_super == (cases[2 * i] == NO_CLASS),
              "C5: the cache at %" PRIxWORD " is of the other kind", words[1]);
    }
    return callee->kind == PIECE_CACHE;
}

/* Answers how many of its sites call a polymorphic cache. */
static uint32_t check_piece(Vm *vm, const Piece *piece)
{
    uint32_t cached = 0;
    if (jit_has_method(piece))
        check_method(vm, piece);
    for (uint32_t i = 0; i < piece->pool_words; i++)
        if (piece->roles[i] == ROLE_REFERENCE)
            check_reference(vm, piece, jit_pool(piece)[i]);
    for (uint32_t i = 0; i < piece->send_count; i++)
        cached += check_site(vm, piece, &piece->sends[i]);
    return cached;
}

static void check_open_sends(Vm *vm)
{
    for (unsigned i = 0; i < JIT_OPEN_SENDS; i++)
        if (vm->jit.open_sends[i].selector)
            check_entry(vm, vm->jit.open_sends[i].class_index, vm->jit.open_sends[i].target, false);
}

void verify_zone(Vm *vm)
{
    if (!CHECKED)
        return;
    const Jit *jit = jit_of(vm);
    Word end = jit->first;
    uint32_t caches = 0, cached = 0;
    for (uint32_t i = 0; i < jit->piece_count; i++) {
        const Piece *piece = jit->pieces[i];
        CHECK(piece->start >= end, "C3: pieces of machine code overlap at %" PRIxWORD, piece->start);
        end = piece->start + jit_piece_bytes(piece);
        cached += check_piece(vm, piece);
        caches += piece->kind == PIECE_CACHE;
    }
    CHECK(caches == cached, "C5: %u sites call %u polymorphic caches", cached, caches);
    CHECK(end <= jit->free, "C3: the last piece ends behind the zone");
    check_open_sends(vm);
}

/* At every poll that has collected or turned over code, else at some: it takes long. */
void jit_verify(Vm *vm)
{
    enum { POLLS = 32 };
    Jit *jit = jit_of(vm);
    if (!CHECKED || !jit || (!jit->unverified && ++jit->polls % POLLS != 0))
        return;
    jit->unverified = false;
    frames_each(vm, check_frame, NULL);
    check_heads(vm);
    verify_zone(vm);
}
