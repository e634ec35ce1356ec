/* Send sites: unlinked, linked to one class, to a polymorphic cache of up to six, or to an open
 * one.
 *
 * A site is two words of its piece's pool: the class index it expects and the address it calls, the
 * checked entry of a method, a cache, or one of vm->jit.unlinked: code that puts the operands in
 * memory and asks ROUTINE_SEND. Callees that find another class jump there too. The method of a super
 * send does not depend on the receiver's class: its site calls the unchecked entry if any receiver
 * will do, else the checked one, and a cache that looks for the variables as soon as there is a second
 * class.
 */
#include "kernel/jit/jit_int.h"

enum { CASES_MOST = 6 };

static Word unlinked(Vm *vm, unsigned args)
{
    return vm->jit.unlinked[jit_unlinked_index(args)];
}

Oop link_selector(Vm *vm, const Piece *piece, const JitSend *site)
{
    return follow(site->literal >= 0
                      ? object_slot(jit_piece_method(piece), 1 + (Word)site->literal)
                      : object_slot(heap_special(&vm->heap, SPECIAL_SELECTORS),
                                    2 * (Word)~site->literal));
}

static Word target_of(const Piece *piece, const JitSend *site)
{
    return jit_pool(piece)[site->pool + 1];
}

static Piece *callee_of(Vm *vm, const Piece *piece, const JitSend *site, PieceKind kind)
{
    Word target = target_of(piece, site);
    Piece *callee = target == unlinked(vm, site->args) ? NULL : jit_piece_at(jit_of(vm), target);
    return callee && callee->kind == kind ? callee : NULL;
}

static Piece *cache_of(Vm *vm, const Piece *piece, const JitSend *site)
{
    return callee_of(vm, piece, site, PIECE_CACHE);
}

static void set(Vm *vm, Piece *piece, const JitSend *site, Word class_index, Word target)
{
    jit_put(jit_of(vm), piece, site->pool, class_index);
    jit_put(jit_of(vm), piece, site->pool + 1u, target);
    if (target != unlinked(vm, site->args))
        jit_of(vm)->linked = true;
}

void link_clear(Vm *vm, Piece *piece, JitSend *site)
{
    set(vm, piece, site, NO_CLASS, unlinked(vm, site->args));
}

/* ---- Polymorphic caches ---- */

void link_read_class(Build *b)
{
    unsigned immediate = build_label(b), on = build_label(b);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, JIT_RECEIVER, TAG_MASK, immediate);
    op_load(b, JIT_A, JIT_RECEIVER, 0, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_A, (SWord)HEADER_CLASS_MASK);
    build_here(b, on);
    build_cold(b);
    build_here(b, immediate);
    op_ab(b, JIT_MOVE, JIT_A, JIT_RECEIVER);
    op_av(b, JIT_AND_CONSTANT, JIT_A, WORD_BITS == 64 ? (SWord)TAG_MASK : 1);
    if (WORD_BITS == 32) { /* a SmallInteger has the lowest bit set, a Character the next */
        op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_A, 0, on);
        op_av(b, JIT_CONSTANT, JIT_A, CLASS_CHARACTER);
    }
    op_jump(b, on);
    build_main(b);
}

static Piece *make_cache(Vm *vm, unsigned args)
{
    Build b;
    build_open(&b, vm);
    unsigned first = b.pool_words;
    for (unsigned i = 0; i < CASES_MOST; i++) {
        build_pool(&b, NO_CLASS, ROLE_TAG);
        build_pool(&b, unlinked(vm, args), ROLE_TARGET);
    }
    link_read_class(&b);
    for (unsigned i = 0; i < CASES_MOST; i++) {
        unsigned hit = build_label(&b);
        op_branch_value(&b, JIT_BRANCH_LITERAL, JIT_EQUAL, JIT_A, (SWord)(first + 2 * i), hit);
        build_cold(&b);
        build_here(&b, hit);
        op_av(&b, JIT_LITERAL, JIT_D, (SWord)(first + 2 * i + 1));
        op_ab(&b, JIT_JUMP_REGISTER, JIT_D, 0);
        build_main(&b);
    }
    build_miss(&b, args);
    Piece *piece = jit_install(&b, PIECE_CACHE);
    if (piece)
        piece->args = (uint8_t)args;
    build_close(&b);
    return piece;
}

static void add_case(Vm *vm, Piece *cache, Word class_index, Word target)
{
    unsigned at = POOL_FIXED + 2 * cache->cases++;
    jit_put(jit_of(vm), cache, at, class_index);
    jit_put(jit_of(vm), cache, at + 1, target);
}

/* The cache, NULL if there was no room for it, has come too late. */
static void drop_cache(Vm *vm, Piece *cache)
{
    jit_of(vm)->unlinked++;
    if (cache) /* no site calls it */
        jit_free_piece(vm, cache);
}

/* Making a cache may move or forget code, the site's piece excepted: then the site stays unlinked,
 * and whoever asks looks again. */
static void make_polymorphic(Vm *vm, Piece *piece, JitSend *site, Word class_index, Piece *target)
{
    Word old_class = jit_pool(piece)[site->pool];
    uint64_t evicted = jit_of(vm)->reclaims;
    Piece *cache = make_cache(vm, site->args);
    if (!cache || evicted != jit_of(vm)->reclaims) {
        drop_cache(vm, cache);
        return;
    }
    Piece *old = jit_piece_at(jit_of(vm), target_of(piece, site));
    add_case(vm, cache, old_class, jit_code(old) + old->unchecked);
    add_case(vm, cache, class_index, jit_code(target) + target->unchecked);
    set(vm, piece, site, NO_CLASS, jit_code(cache));
}

/* ---- Super sends ---- */

/* A cache whose one case serves every receiver that has the variables the target uses. */
static Piece *make_super_cache(Vm *vm, const Piece *target)
{
    Build b;
    build_open(&b, vm);
    unsigned first = build_pool(&b, NO_CLASS, ROLE_TAG), miss = build_label(&b);
    build_pool(&b, unlinked(vm, target->args), ROLE_TARGET);
    build_check_variables(&b, JIT_RECEIVER, target->fields, miss);
    op_av(&b, JIT_LITERAL, JIT_D, (SWord)first + 1);
    op_ab(&b, JIT_JUMP_REGISTER, JIT_D, 0);
    build_here(&b, miss);
    build_miss(&b, target->args);
    Piece *piece = jit_install(&b, PIECE_CACHE);
    if (piece)
        piece->args = target->args;
    build_close(&b);
    return piece;
}

/* Another class has met a super send, whose target is the same for all. */
static void widen_super(Vm *vm, Piece *piece, JitSend *site, const Piece *target)
{
    uint64_t reclaims = jit_of(vm)->reclaims;
    Piece *cache = make_super_cache(vm, target);
    if (!cache || reclaims != jit_of(vm)->reclaims) {
        drop_cache(vm, cache);
        return;
    }
    add_case(vm, cache, NO_CLASS, jit_code(target) + target->unchecked);
    set(vm, piece, site, NO_CLASS, jit_code(cache));
}

/* A cache is never widened: what misses it is a receiver that lacks variables. */
static void link_super(Vm *vm, Piece *piece, JitSend *site, Word class_index, const Piece *target)
{
    if (!target->fields)
        set(vm, piece, site, NO_CLASS, jit_code(target) + target->unchecked);
    else if (target_of(piece, site) == unlinked(vm, site->args))
        set(vm, piece, site, class_index, link_entry(target, class_index));
    else if (!cache_of(vm, piece, site))
        widen_super(vm, piece, site, target);
}

/* ---- Linking ---- */

/* The site calls the open cache of its selector from now on; false: there is none and no room. */
static bool open_site(Vm *vm, Piece *piece, JitSend *site, bool make)
{
    Oop selector = link_selector(vm, piece, site);
    uint64_t reclaims = jit_of(vm)->reclaims;
    Piece *open = open_find(vm, selector);
    if (!open && make)
        open = open_make(vm, selector, site->args);
    if (!open || open->args != site->args || reclaims != jit_of(vm)->reclaims) {
        jit_of(vm)->unlinked += make;
        return false;
    }
    Piece *cache = cache_of(vm, piece, site);
    set(vm, piece, site, NO_CLASS, jit_code(open));
    if (cache)
        jit_free_piece(vm, cache);
    return true;
}

Word link_entry(const Piece *target, Word class_index)
{
    bool immediate = WORD_BITS == 64 ? class_index <= TAG_MASK
                                     : class_index == CLASS_SMALL_INTEGER ||
                                           class_index == CLASS_CHARACTER;
    return jit_code(target) + (immediate ? target->tagged : target->checked);
}

/* Another class has met the site. */
static void widen(Vm *vm, Piece *piece, JitSend *site, Word class_index, Piece *target)
{
    Piece *cache = cache_of(vm, piece, site);
    if (cache && cache->cases < CASES_MOST)
        add_case(vm, cache, class_index, jit_code(target) + target->unchecked);
    else if (open_site(vm, piece, site, cache != NULL))
        return;
    else if (!cache)
        make_polymorphic(vm, piece, site, class_index, target);
}

void link_site(Vm *vm, Piece *piece, JitSend *site, Word class_index, Piece *target)
{
    Word callee = target_of(piece, site);
    bool fresh = callee == unlinked(vm, site->args);
    jit_of(vm)->links++;
    if (site->is_super)
        link_super(vm, piece, site, class_index, target);
    else if (callee_of(vm, piece, site, PIECE_OPEN))
        open_add(vm, link_selector(vm, piece, site), class_index, target);
    else if (fresh || jit_pool(piece)[site->pool] == class_index)
        set(vm, piece, site, class_index, link_entry(target, class_index));
    else
        widen(vm, piece, site, class_index, target);
}

/* ---- Unlinking ---- */

static bool calls(const Piece *piece, const JitSend *site, const Piece *target)
{
    Word address = target_of(piece, site);
    return address - target->start < jit_piece_bytes(target);
}

static bool cache_has(const Piece *cache, const Piece *target)
{
    for (unsigned i = 0; i < cache->cases; i++)
        if (jit_pool(cache)[POOL_FIXED + 2 * i + 1] - target->start < jit_piece_bytes(target))
            return true;
    return false;
}

static void unlink_site(Vm *vm, Piece *piece, JitSend *site)
{
    Piece *cache = cache_of(vm, piece, site);
    link_clear(vm, piece, site);
    if (cache)
        jit_free_piece(vm, cache);
}

/* Freeing caches takes them out of the table that is walked: sites are found again by index. */
static void unlink_where(Vm *vm, bool (*wanted)(Vm *, Piece *, JitSend *, void *), void *context)
{
    Jit *jit = jit_of(vm);
    open_forget(vm);
    for (uint32_t i = jit->linked ? jit->piece_count : 0; i-- > 0;) {
        if (i >= jit->piece_count)
            continue;
        Piece *piece = jit->pieces[i];
        for (uint32_t k = 0; k < piece->send_count; k++)
            if (target_of(piece, &piece->sends[k]) != unlinked(vm, piece->sends[k].args) &&
                wanted(vm, piece, &piece->sends[k], context))
                unlink_site(vm, piece, &piece->sends[k]);
    }
}

static bool goes_to(Vm *vm, Piece *piece, JitSend *site, void *target)
{
    Piece *cache = cache_of(vm, piece, site);
    return cache ? cache_has(cache, target) : calls(piece, site, target);
}

void link_remove(Vm *vm, const Piece *target)
{
    unlink_where(vm, goes_to, (void *)target);
    Piece *piece = (Piece *)target;
    for (uint32_t k = 0; k < piece->send_count && jit_of(vm)->linked; k++)
        unlink_site(vm, piece, &piece->sends[k]);
}

static bool any(Vm *vm, Piece *piece, JitSend *site, void *context)
{
    (void)vm, (void)piece, (void)site, (void)context;
    return true;
}

static bool sends(Vm *vm, Piece *piece, JitSend *site, void *selector)
{
    return link_selector(vm, piece, site) == *(Oop *)selector;
}

/* Does the site, or a case of its cache, expect a class index that is not in use? */
static bool expects_none(Vm *vm, Piece *piece, JitSend *site, void *context)
{
    const Piece *cache = cache_of(vm, piece, site);
    const Word *cases = jit_pool(cache ? cache : piece) + (cache ? POOL_FIXED : site->pool);
    unsigned count = cache ? cache->cases : target_of(piece, site) != unlinked(vm, site->args);
    (void)context;
    for (unsigned i = 0; i < count; i++)
        if (cases[2 * i] != NO_CLASS && heap_class_at(&vm->heap, cases[2 * i]) == vm->heap.nil)
            return true;
    return false;
}

void jit_collected(Vm *vm)
{
    if (jit_of(vm))
        unlink_where(vm, expects_none, NULL);
}

void jit_unlink(Vm *vm, Oop selector, Oop method)
{
    if (!jit_of(vm))
        return;
    if (selector)
        unlink_where(vm, sends, &selector);
    else if (method) {
        if (is_code(method))
            jit_forget(vm, method);
    } else {
        unlink_where(vm, any, NULL);
        jit_of(vm)->linked = false;
    }
}
