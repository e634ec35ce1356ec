/* Which machine code there is, what it refers to, and forgetting it. */
#include "kernel/debug/names.h"
#include "kernel/jit/jit_int.h"

/* ---- Finding ---- */

Word jit_piece_bytes(const Piece *piece)
{
    return (Word)piece->pool_words * WORD_BYTES + piece->code_bytes;
}

/* The last piece that begins at or below the address. */
static uint32_t index_at(const Jit *jit, Word address)
{
    uint32_t low = 0, high = jit->piece_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (jit->pieces[middle]->start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Piece *jit_piece_at(const Jit *jit, Word pc)
{
    uint32_t at = index_at(jit, pc);
    Piece *piece = at ? jit->pieces[at - 1] : NULL;
    return piece && pc - piece->start <= jit_piece_bytes(piece) ? piece : NULL;
}

Piece *jit_piece_of(Vm *vm, Oop code)
{
    Oop first = object_slot(code, 0);
    if (is_small_integer(first) || !jit_of(vm))
        return NULL;
    const PcFacts *facts = jit_pc_facts(jit_of(vm), first); /* the pool is no frame state */
    return facts ? facts->piece : NULL;
}

Piece *jit_block_of(Vm *vm, Oop code, uint32_t start_pc)
{
    Piece *method = jit_piece_of(vm, code);
    for (Piece *block = method ? method->blocks : NULL; block; block = block->next_block)
        if (block->start_pc == start_pc)
            return block;
    return NULL;
}

static const JitMap *map_at(const Piece *piece, uint32_t offset)
{
    uint32_t low = 0, high = piece->map_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (piece->maps[middle].offset == offset)
            return &piece->maps[middle];
        if (piece->maps[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static JitSend *site_at(const Piece *piece, uint32_t offset)
{
    for (uint32_t i = 0; i < piece->send_count; i++)
        if (piece->sends[i].offset == offset)
            return &piece->sends[i];
    return NULL;
}

const PcFacts *jit_pc_facts(Jit *jit, Word pc)
{
    PcFacts *facts = &jit->pcs[(pc ^ pc >> 9) % PC_ENTRIES];
    if (__builtin_expect(facts->pc == pc, 1))
        return facts;
    Piece *piece = jit_piece_at(jit, pc);
    if (!piece)
        return NULL;
    uint32_t offset = (uint32_t)(pc - jit_code(piece)); /* of pools: where no code is */
    *facts = (PcFacts){pc, piece, map_at(piece, offset), site_at(piece, offset)};
    return facts;
}

void jit_forget_pcs(Jit *jit)
{
    memset(jit->pcs, 0, sizeof jit->pcs);
}

SWord jit_method_header(Word address)
{
    return small_integer_value(((Oop *)word_pointer(address))[POOL_HEADER]);
}

/* ---- Adding ---- */

static bool has_room(Vm *vm)
{
    Jit *jit = jit_of(vm);
    const OsvmHost *host = vm->setup->host;
    if (jit->piece_count < jit->piece_capacity)
        return true;
    uint32_t wanted = jit->piece_capacity ? 2 * jit->piece_capacity : 256;
    Piece **pieces = host->resize(host, jit->pieces, jit->piece_capacity * sizeof *pieces,
                                  wanted * sizeof *pieces);
    if (!pieces)
        return false;
    jit->pieces = pieces;
    jit->piece_capacity = wanted;
    return true;
}

static void note_references(Vm *vm, Piece *piece)
{
    const Word *pool = zone_writable(jit_of(vm), piece->start); /* where it has just been written */
    piece->young = false;
    for (uint32_t i = 0; i < piece->pool_words; i++)
        if (piece->roles[i] == ROLE_REFERENCE && pool[i] && is_object(pool[i]) &&
            heap_is_young(&vm->heap, pool[i]))
            piece->young = true;
}

const char *jit_piece_kind(const Piece *piece)
{
    switch ((PieceKind)piece->kind) {
    case PIECE_CACHE: return "polymorphic cache";
    case PIECE_OPEN: return "open cache";
    case PIECE_SHARED: return jit_routines[piece->routine].name;
    case PIECE_METHOD:
    case PIECE_BLOCK: break;
    }
    return "code";
}

/* --code-map: what profilers call the code from here on, start and size in hexadecimal. */
static void say_where(Vm *vm, const Piece *piece)
{
    char name[NAME_MAX_BYTES];
    if (!jit_has_method(piece))
        snprintf(name, sizeof name, "%s", jit_piece_kind(piece));
    else
        name_code(vm, jit_piece_method(piece), name);
    jit_map_line(vm, jit_code(piece), piece->code_bytes, name);
}

bool jit_add_piece(Vm *vm, Piece *piece)
{
    Jit *jit = jit_of(vm);
    if (!has_room(vm))
        return false;
    CHECK(piece->start == jit->free, "a piece is not where the zone is free");
    jit->pieces[jit->piece_count++] = piece;
    jit->free = piece->start + jit_piece_bytes(piece);
    note_references(vm, piece);
    for (uint32_t i = 0; i < piece->send_count; i++)
        link_clear(vm, piece, &piece->sends[i]);
    jit_code_written(vm, piece->start, jit->free);
    if (vm->setup->code_map)
        say_where(vm, piece);
    return true;
}

/* ---- Forgetting ---- */

void jit_delete_piece(Vm *vm, Piece *piece)
{
    const OsvmHost *host = vm->setup->host;
    host->free(host, piece, jit_piece_size(piece->map_count, piece->send_count, piece->pool_words));
}

void jit_free_piece(Vm *vm, Piece *piece)
{
    Jit *jit = jit_of(vm);
    uint32_t at = index_at(jit, piece->start) - 1;
    CHECK(jit->pieces[at] == piece, "a piece that is not in the table is freed");
    memmove(jit->pieces + at, jit->pieces + at + 1,
            (jit->piece_count - at - 1) * sizeof *jit->pieces);
    jit->piece_count--;
    jit_forget_pcs(jit);
    jit_delete_piece(vm, piece);
}

void jit_forget(Vm *vm, Oop code)
{
    Piece *piece = jit_piece_of(vm, code);
    if (!piece)
        return;
    jit_of(vm)->unverified = true;
    jit_leave_code(vm, code);
    link_remove(vm, piece);
    /* NOBARRIER: a SmallInteger */
    heap_store_unchecked(code, 0, jit_pool(piece)[POOL_HEADER]);
    for (Piece *block = piece->blocks; block;) {
        Piece *next = block->next_block;
        link_remove(vm, block);
        jit_free_piece(vm, block);
        block = next;
    }
    jit_free_piece(vm, piece);
}

/* ---- References ---- */

static void visit_piece(Vm *vm, Piece *piece, SlotVisitor visit, void *context)
{
    Word *pool = zone_writable(jit_of(vm), piece->start);
    for (uint32_t i = 0; i < piece->pool_words; i++)
        if (piece->roles[i] == ROLE_REFERENCE && pool[i])
            visit(context, &pool[i]);
    note_references(vm, piece);
}

void jit_visit_roots(Vm *vm, SlotVisitor visit, void *context)
{
    Jit *jit = jit_of(vm);
    if (jit)
        jit->unverified = true;
    for (uint32_t i = 0; jit && i < jit->piece_count; i++)
        if (jit->pieces[i]->young || !jit->young_only)
            visit_piece(vm, jit->pieces[i], visit, context);
}

static void follow_one(void *context, Oop *slot)
{
    (void)context;
    *slot = follow(*slot);
}

void jit_follow_forwarders(Vm *vm)
{
    Jit *jit = jit_of(vm);
    if (jit)
        jit->young_only = false;
    jit_unlink(vm, NO_OOP, NO_OOP); /* classes and methods are others now */
    jit_visit_roots(vm, follow_one, NULL);
}

void jit_objects_will_move(Vm *vm, bool young_only)
{
    Jit *jit = jit_of(vm);
    if (!jit)
        return;
    CHECK(!jit->making, "C6: objects move while machine code is being made");
    jit->young_only = young_only;
    open_forget(vm); /* it has selectors */
}
