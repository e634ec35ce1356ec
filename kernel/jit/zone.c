/* The code zone's memory: never writable and executable at once.
 *
 * One file in memory, mapped twice: where machine code runs, readable and executable, and
 * somewhere else, readable and writable. Pieces are allocated upwards. When the zone is full, those
 * that no frame runs and that have not been used for longest go, and the others move together;
 * all send sites become unlinked then.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/jit/jit_int.h"
#include "kernel/vm/region.h"

enum { PIECE_ALIGNMENT = 16 };

static Word aligned(Word address)
{
    return (address + PIECE_ALIGNMENT - 1) & ~(Word)(PIECE_ALIGNMENT - 1);
}

bool zone_open(Vm *vm, OsvmError *error)
{
    Jit *jit = jit_of(vm);
    size_t bytes = jit->end - jit->start;
    jit->memory = memfd_create("osvm-code", MFD_CLOEXEC);
    if (jit->memory < 0 || ftruncate(jit->memory, (off_t)bytes) < 0)
        return vm->setup->host->fail(error, OSVM_INTERNAL, "no memory for the code zone");
    jit->write_view = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, jit->memory, 0);
    int access = PROT_READ | (jit->ops->native ? PROT_EXEC : 0); /* simulators only read it */
    void *run_view = mmap(word_pointer(jit->start), bytes, access,
                          MAP_SHARED | MAP_FIXED, jit->memory, 0);
    if (jit->write_view == MAP_FAILED || run_view == MAP_FAILED) {
        if (jit->write_view == MAP_FAILED)
            jit->write_view = NULL;
        return vm->setup->host->fail(error, OSVM_INTERNAL,
                                     "the host maps no memory as executable: use --jit=none");
    }
    jit->write_distance = (SWord)((intptr_t)jit->write_view - (intptr_t)jit->start);
    jit->free = jit->start;
    return true;
}

void zone_close(Vm *vm)
{
    Jit *jit = jit_of(vm);
    if (jit->write_view)
        munmap(jit->write_view, jit->end - jit->start);
    if (jit->memory >= 0)
        close(jit->memory);
}

Word zone_reserve(Vm *vm, Word bytes)
{
    Jit *jit = jit_of(vm);
    jit->free = aligned(jit->free);
    if (jit->end - jit->free < bytes)
        zone_reclaim(vm, bytes);
    return jit->end - jit->free < bytes ? 0 : jit->free;
}

/* ---- Reclaiming ---- */

static void count_pc(Vm *vm, Word *pc, Word *above, void *context)
{
    (void)above;
    (void)context;
    Piece *piece = jit_is_pc(vm, *pc) ? jit_piece_at(jit_of(vm), *pc) : NULL;
    if (piece)
        piece->counted = true;
}

static void move_pc(Vm *vm, Word *pc, Word *above, void *context)
{
    (void)above;
    (void)context;
    Piece *piece = jit_is_pc(vm, *pc) ? jit_piece_at(jit_of(vm), *pc) : NULL;
    if (piece)
        *pc -= piece->distance;
}

static bool is_needed(const Piece *piece)
{
    if (piece->counted)
        return true;
    for (const Piece *block = piece->blocks; block; block = block->next_block)
        if (block->counted)
            return true;
    return false;
}

static int by_use(const void *a, const void *b)
{
    const Piece *x = *(Piece *const *)a, *y = *(Piece *const *)b;
    return x->used < y->used ? -1 : x->used > y->used;
}

/* The methods in the order of their last use, as many as make `wanted` bytes free. */
static void evict(Vm *vm, Word wanted)
{
    Jit *jit = jit_of(vm);
    const OsvmHost *host = vm->setup->host;
    uint32_t count = 0, all = jit->piece_count;
    Piece **methods = host->alloc(host, (all + 1) * sizeof *methods);
    if (!methods)
        return;
    for (uint32_t i = 0; i < all; i++)
        if (jit->pieces[i]->kind == PIECE_METHOD && !is_needed(jit->pieces[i]))
            methods[count++] = jit->pieces[i];
    qsort(methods, count, sizeof *methods, by_use);
    Word freed = 0;
    for (uint32_t i = 0; i < count && freed < wanted; i++) {
        freed += jit_piece_bytes(methods[i]);
        jit_forget(vm, jit_piece_method(methods[i]));
        jit->evicted++;
    }
    host->free(host, methods, (all + 1) * sizeof *methods);
}

static void move_piece(Vm *vm, Piece *piece)
{
    Jit *jit = jit_of(vm);
    Word from = piece->start, to = from - piece->distance;
    Word bytes = (Word)piece->pool_words * WORD_BYTES + piece->code_bytes;
    memmove(zone_writable(jit, to), zone_writable(jit, from), bytes);
    piece->start = to;
    Word *pool = zone_writable(jit, to);
    if (pool[POOL_ENTRY])
        pool[POOL_ENTRY] -= piece->distance;
    if (pool[POOL_FRAMED])
        pool[POOL_FRAMED] -= piece->distance;
    if (jit->ops->moved)
        jit->ops->moved(jit_code(piece), zone_writable(jit, jit_code(piece)), piece->code_bytes,
                        -(SWord)piece->distance);
    if (piece->kind == PIECE_METHOD) /* NOBARRIER: no object, see H5 */
        heap_store_unchecked(pool[POOL_CODE], 0, to);
}

static void compact(Vm *vm)
{
    Jit *jit = jit_of(vm);
    Word to = aligned(jit->first);
    for (uint32_t i = 0; i < jit->piece_count; i++) {
        jit->pieces[i]->distance = jit->pieces[i]->start - to;
        to = aligned(to + jit_piece_bytes(jit->pieces[i]));
    }
    frames_each(vm, move_pc, NULL);
    for (uint32_t i = 0; i < jit->piece_count; i++)
        move_piece(vm, jit->pieces[i]);
    jit->free = to;
    jit_code_written(vm, jit->first, jit->end);
}

void zone_reclaim(Vm *vm, Word bytes)
{
    Jit *jit = jit_of(vm);
    Word wanted = (jit->end - jit->first) / 4;
    jit->reclaims++;
    jit_unlink(vm, NO_OOP, NO_OOP);
    for (uint32_t i = 0; i < jit->piece_count; i++)
        jit->pieces[i]->counted = false;
    frames_each(vm, count_pc, NULL);
    evict(vm, wanted > bytes ? wanted : bytes);
    compact(vm);
}
