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

enum { PIECE_ALIGNMENT = 16, FETCHED_AT_ONCE = 64 << 10 };

static Word aligned(Word address)
{
    return (address + PIECE_ALIGNMENT - 1) & ~(Word)(PIECE_ALIGNMENT - 1);
}

/* A file in memory of the zone's size, -1: none. */
static int new_memory(const Jit *jit)
{
    int memory = memfd_create("osvm-code", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, (off_t)(jit->end - jit->start)) == 0)
        return memory;
    close(memory);
    return -1;
}

/* Simulators only read the view that runs. */
static void *map_run_view(const Jit *jit)
{
    int access = PROT_READ | (jit->back_end->ops->native ? PROT_EXEC : 0);
    return mmap(word_pointer(jit->start), jit->end - jit->start, access, MAP_SHARED | MAP_FIXED,
                jit->memory, 0);
}

bool zone_open(Vm *vm, OsvmError *error)
{
    Jit *jit = jit_of(vm);
    size_t bytes = jit->end - jit->start;
    jit->memory = new_memory(jit);
    if (jit->memory < 0)
        return vm->setup->host->fail(error, OSVM_INTERNAL, "no memory for the code zone");
    jit->write_view = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, jit->memory, 0);
    void *run_view = map_run_view(jit);
    if (jit->write_view == MAP_FAILED || run_view == MAP_FAILED) {
        if (jit->write_view == MAP_FAILED)
            jit->write_view = NULL;
        return vm->setup->host->fail(error, OSVM_INTERNAL,
                                     "the host maps no memory as executable: use --jit=none");
    }
    jit->write_distance = (SWord)((intptr_t)jit->write_view - (intptr_t)jit->start);
    jit->free = jit->fetched = jit->start;
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

/* ---- Clones: what is mapped as shared must not stay so ---- */

static bool write_memory(int memory, const uint8_t *from, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t written = pwrite(memory, from + done, bytes - done, (off_t)done);
        if (written <= 0)
            return false;
        done += (size_t)written;
    }
    return true;
}

/* The copy is made before the fork: after it the original may change the zone at any moment. */
bool jit_before_fork(Vm *vm)
{
    Jit *jit = jit_of(vm);
    if (!jit)
        return true;
    CHECK(!jit->making, "C6: a fork while machine code is being made");
    jit->copy = new_memory(jit);
    if (jit->copy >= 0 && write_memory(jit->copy, jit->write_view, jit->free - jit->start))
        return true;
    if (jit->copy >= 0)
        close(jit->copy);
    return false;
}

void jit_after_fork(Vm *vm, bool in_clone)
{
    Jit *jit = jit_of(vm);
    if (!jit)
        return;
    if (!in_clone) {
        close(jit->copy);
        return;
    }
    close(jit->memory);
    jit->memory = jit->copy;
    void *write_view = mmap(jit->write_view, jit->end - jit->start, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_FIXED, jit->memory, 0);
    REQUIRE(write_view != MAP_FAILED && map_run_view(jit) != MAP_FAILED,
            "a clone cannot map its code zone");
}

/* --torture=code-full: whether the zone is full now, whatever room it has. Stubs always find some. */
static bool is_made_full(Vm *vm)
{
    Jit *jit = jit_of(vm);
    const Torture *torture = &vm->torture;
    if (!torture->code_full || !jit->first)
        return false;
    if (!jit->next_full)
        jit->random = torture->seed * 0x9E3779B97F4A7C15u + 1;
    bool full = jit->next_full && jit->reservations >= jit->next_full;
    if (full || !jit->next_full)
        jit->next_full = jit->reservations +
                         torture_interval(torture, torture->code_full, &jit->random);
    jit->reservations++;
    return full;
}

/* Pages of memory are there up to `end`: many at once, which saves a fault for each. A host that
 * refuses fetches them one by one. */
static void fetch_pages(Jit *jit, Word end)
{
    if (end <= jit->fetched)
        return;
    Word to = end + FETCHED_AT_ONCE - (end - jit->start) % FETCHED_AT_ONCE;
    if (to > jit->end)
        to = jit->end;
    madvise(zone_writable(jit, jit->fetched), to - jit->fetched, MADV_POPULATE_WRITE);
    madvise(word_pointer(jit->fetched), to - jit->fetched, MADV_POPULATE_READ);
    jit->fetched = to;
}

Word zone_reserve(Vm *vm, Word bytes)
{
    Jit *jit = jit_of(vm);
    bool made_full = is_made_full(vm);
    jit->free = aligned(jit->free);
    if (made_full || jit->end - jit->free < bytes)
        zone_reclaim(vm, bytes);
    if (made_full && ++jit->made_full % 2 == 0) /* by turns, reclaiming has been in vain */
        return 0;
    if (jit->end - jit->free < bytes)
        return 0;
    fetch_pages(jit, jit->free + bytes);
    return jit->free;
}

/* ---- Reclaiming ---- */

static void count_pc(Vm *vm, Word *frame, Word *pc, Word *above, void *context)
{
    (void)frame, (void)above, (void)context;
    Piece *piece = jit_is_pc(vm, *pc) ? jit_piece_at(jit_of(vm), *pc) : NULL;
    if (piece)
        piece->counted = true;
}

static void move_pc(Vm *vm, Word *frame, Word *pc, Word *above, void *context)
{
    (void)frame, (void)above, (void)context;
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
    if (jit->back_end->ops->moved)
        jit->back_end->ops->moved(jit->back_end, jit_code(piece), zone_writable(jit, jit_code(piece)),
                                  piece->code_bytes, -(SWord)piece->distance);
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
    jit_forget_pcs(jit);
    jit_code_written(vm, jit->first, jit->end);
}

void zone_reclaim(Vm *vm, Word bytes)
{
    Jit *jit = jit_of(vm);
    Word wanted = (jit->end - jit->first) / 4;
    jit->reclaims++;
    jit_unlink(vm, NO_OOP, NO_OOP);
    open_free_all(vm);
    for (uint32_t i = 0; i < jit->piece_count; i++)
        jit->pieces[i]->counted = false;
    frames_each(vm, count_pc, NULL);
    evict(vm, wanted > bytes ? wanted : bytes);
    compact(vm);
    verify_zone(vm);
}
