#include "chunks.h"

#include <stdarg.h>

enum {
    SMALL = 2048,          /* larger requests do not make a new run */
    RUN_LEAST = 16 * 1024, /* a chunk worth making the run */
    RUN_OF_TAIL = 1 << 20, /* what the tail gives for a run */
    SEARCH_MOST = 256,     /* chunks of one list that are looked at */
};

/* ---- Lists ---- */

/* The list a chunk of `bytes` is kept in: its size is at least the list's least. */
static unsigned list_of(Word bytes)
{
    if (bytes <= 512)
        return (unsigned)bytes / 8;
    unsigned log = 63 - (unsigned)__builtin_clzll(bytes);
    return CHUNK_EXACT_LISTS + (log - 9) * 4 + (unsigned)(bytes >> (log - 2) & 3);
}

/* The first list all of whose chunks have at least `bytes`. */
static unsigned list_for(Word bytes)
{
    unsigned list = list_of(bytes);
    if (bytes <= 512)
        return list;
    unsigned log = 63 - (unsigned)__builtin_clzll(bytes);
    return bytes & (((Word)1 << (log - 2)) - 1) ? list + 1 : list;
}

static Word chunk_size(Oop chunk)
{
    return object_size(chunk);
}

static void list_push(Chunks *chunks, Oop chunk)
{
    unsigned list = list_of(chunk_size(chunk));
    object_slots(chunk)[0] = chunks->lists[list];
    chunks->lists[list] = chunk;
    chunks->map[list / 64] |= (uint64_t)1 << list % 64;
}

/* Unlinks the chunk that `link` names. */
static Oop list_unlink(Chunks *chunks, unsigned list, Oop *link)
{
    Oop chunk = *link;
    *link = object_slot(chunk, 0);
    if (!chunks->lists[list])
        chunks->map[list / 64] &= ~((uint64_t)1 << list % 64);
    return chunk;
}

/* The first list from `list` on that is not empty; CHUNK_LISTS if none. */
static unsigned list_next(const Chunks *chunks, unsigned list)
{
    unsigned word = list / 64;
    uint64_t bits = chunks->map[word] & ~(uint64_t)0 << list % 64;
    while (!bits) {
        if (++word == CHUNK_MAP_WORDS)
            return CHUNK_LISTS;
        bits = chunks->map[word];
    }
    return word * 64 + (unsigned)__builtin_ctzll(bits);
}

/* May `bytes` be cut off a piece of `size` bytes? */
static bool fits(Word size, Word bytes)
{
    return size == bytes || size >= bytes + SMALLEST_OBJECT;
}

/* ---- Making memory free ---- */

void chunks_reset(Chunks *chunks, Heap *heap, Word end)
{
    uint64_t allocations = chunks->allocations;
    bool poison = chunks->poison;
    *chunks = (Chunks){
        .heap = heap, .tail = end, .tail_end = end, .allocations = allocations, .poison = poison,
    };
}

static void tail_set(Chunks *chunks, Word start)
{
    if (chunks->tail == chunks->tail_end)
        chunks->count++;
    chunks->free_bytes += chunks->tail - start;
    chunks->tail = start;
    free_chunk_write(start, chunks->tail_end);
}

static void poison(Word start, Word end)
{
    for (Word at = start; at < end; at += WORD_BYTES)
        *(Word *)word_pointer(at) = GC_POISON_WORD;
}

void chunks_add(Chunks *chunks, Word start, Word end)
{
    if (start == end)
        return;
    CHECK(end - start >= SMALLEST_OBJECT, "free memory of %" PRIuWORD " bytes at 0x%" PRIxWORD,
          end - start, start);
    if (__builtin_expect(chunks->poison, 0))
        poison(start, end);
    if (end == chunks->tail) {
        tail_set(chunks, start);
        return;
    }
    chunks->free_bytes += end - start;
    if (end == chunks->run && chunks->run != chunks->run_end) {
        chunks->run = start;
        free_chunk_write(start, chunks->run_end);
        return;
    }
    chunks->count++;
    list_push(chunks, free_chunk_write(start, end));
}

void chunks_extend(Chunks *chunks, Word from, Word end)
{
    CHECK(from == chunks->tail_end, "old space was extended from 0x%" PRIxWORD
          ", but ended at 0x%" PRIxWORD, from, chunks->tail_end);
    if (chunks->tail == chunks->tail_end)
        chunks->count++;
    chunks->tail_end = end;
    chunks->free_bytes += end - from;
    free_chunk_write(chunks->tail, end);
}

Word chunks_trim(Chunks *chunks, Word keep)
{
    Word page = chunks->heap->page_size;
    Word surplus = chunks->free_bytes > keep ? chunks->free_bytes - keep : 0;
    if (surplus > chunks->tail_end - chunks->tail)
        surplus = chunks->tail_end - chunks->tail;
    Word end = (chunks->tail_end - surplus + page - 1) & ~(page - 1);
    if (end - chunks->tail < SMALLEST_OBJECT && end != chunks->tail)
        end += page;
    if (end >= chunks->tail_end)
        return chunks->tail_end;
    chunks->free_bytes -= chunks->tail_end - end;
    chunks->tail_end = end;
    if (chunks->tail == end)
        chunks->count--;
    else
        free_chunk_write(chunks->tail, end);
    return end;
}

/* ---- Taking memory ---- */

/* Cuts `bytes` off the front of a chunk no longer on a list. */
static Word cut(Chunks *chunks, Oop chunk, Word bytes)
{
    Word start = object_start(chunk), end = object_end(chunk);
    Word rest = start;
    chunks_carve(chunks, &rest, end, bytes);
    if (rest != end)
        list_push(chunks, free_chunk_write(rest, end));
    return start;
}

static Word allocate_from_tail(Chunks *chunks, Word bytes)
{
    return chunks_carve(chunks, &chunks->tail, chunks->tail_end, bytes);
}

/* From the smallest list whose chunks are large enough to be divided. */
static Word allocate_from_lists(Chunks *chunks, Word bytes)
{
    unsigned exact = list_of(bytes);
    if (bytes <= 512 && chunks->lists[exact])
        return cut(chunks, list_unlink(chunks, exact, &chunks->lists[exact]), bytes);
    unsigned list = list_next(chunks, list_for(bytes + SMALLEST_OBJECT));
    if (list == CHUNK_LISTS)
        return 0;
    return cut(chunks, list_unlink(chunks, list, &chunks->lists[list]), bytes);
}

/* Looks through one list whose chunks may or may not be large enough. */
static Word search_list(Chunks *chunks, unsigned list, Word bytes)
{
    /* Those of one size all fit or none does; of others not too many are tried. */
    int left = list < CHUNK_EXACT_LISTS ? 1 : SEARCH_MOST;
    for (Oop *link = &chunks->lists[list]; *link && left-- > 0; link = object_slots(*link))
        if (fits(chunk_size(*link), bytes))
            return cut(chunks, list_unlink(chunks, list, link), bytes);
    return 0;
}

static Word allocate_by_search(Chunks *chunks, Word bytes)
{
    unsigned last = list_for(bytes + SMALLEST_OBJECT);
    Word start = 0;
    for (unsigned list = list_of(bytes); list <= last && !start; list++)
        start = search_list(chunks, list, bytes);
    return start;
}

/* A chunk for the run, off the lists. False: they have none that is worth it. */
static bool run_from_lists(Chunks *chunks, Word *start, Word *end)
{
    unsigned list = list_next(chunks, list_for(RUN_LEAST));
    if (list == CHUNK_LISTS)
        return false;
    Oop chunk = list_unlink(chunks, list, &chunks->lists[list]);
    *start = object_start(chunk);
    *end = object_end(chunk);
    return true;
}

static bool run_from_tail(Chunks *chunks, Word *start, Word *end)
{
    if (chunks->tail_end - chunks->tail < 2 * RUN_OF_TAIL)
        return false;
    *start = chunks->tail;
    *end = chunks->tail += RUN_OF_TAIL;
    free_chunk_write(*start, *end);
    free_chunk_write(*end, chunks->tail_end);
    chunks->count++;
    return true;
}

/* Puts what is left of the run back and takes other memory for it. */
static bool renew_run(Chunks *chunks)
{
    Word start, end;
    if (!run_from_lists(chunks, &start, &end) && !run_from_tail(chunks, &start, &end))
        return false;
    if (chunks->run != chunks->run_end)
        list_push(chunks, free_chunk_write(chunks->run, chunks->run_end));
    chunks->run = start;
    chunks->run_end = end;
    return true;
}

Word chunks_allocate_slow(Chunks *chunks, Word bytes)
{
    if (bytes <= SMALL && renew_run(chunks))
        return chunks_carve(chunks, &chunks->run, chunks->run_end, bytes);
    Word start = allocate_from_lists(chunks, bytes);
    if (!start)
        start = allocate_from_tail(chunks, bytes);
    return start ? start : allocate_by_search(chunks, bytes);
}

/* The last list that is not empty, if all its chunks have `least` bytes; else CHUNK_LISTS. */
static unsigned list_largest(const Chunks *chunks, Word least)
{
    unsigned word = CHUNK_MAP_WORDS;
    while (word-- > 0)
        if (chunks->map[word]) {
            unsigned list = word * 64 + 63 - (unsigned)__builtin_clzll(chunks->map[word]);
            return list >= list_for(least) ? list : CHUNK_LISTS;
        }
    return CHUNK_LISTS;
}

static Word cut_piece(Word size, Word wanted)
{
    wanted = (wanted + OBJECT_ALIGNMENT - 1) & ~(Word)(OBJECT_ALIGNMENT - 1);
    return fits(size, wanted) ? wanted : size;
}

bool chunks_take(Chunks *chunks, Word least, Word wanted, Word *start, Word *end)
{
    if (wanted < least)
        wanted = least;
    Word tail = chunks->tail_end - chunks->tail, bytes;
    unsigned list = list_next(chunks, list_for(wanted));
    if (list == CHUNK_LISTS && tail < wanted)
        list = list_largest(chunks, least);
    if (list != CHUNK_LISTS) {
        Oop chunk = list_unlink(chunks, list, &chunks->lists[list]);
        bytes = cut_piece(chunk_size(chunk), wanted);
        *start = cut(chunks, chunk, bytes);
    } else if (tail >= least && tail) {
        bytes = cut_piece(tail, wanted);
        *start = allocate_from_tail(chunks, bytes);
    } else {
        bytes = least;
        *start = chunks_allocate(chunks, bytes);
    }
    *end = *start + bytes;
    return *start != 0;
}

/* ---- Facts and checks ---- */

Word chunks_largest(const Chunks *chunks)
{
    Word largest = chunks->tail_end - chunks->tail;
    if (chunks->run_end - chunks->run > largest)
        largest = chunks->run_end - chunks->run;
    for (unsigned list = CHUNK_LISTS; list-- > 0;) {
        if (!chunks->lists[list])
            continue;
        for (Oop chunk = chunks->lists[list]; chunk; chunk = object_slot(chunk, 0))
            if (chunk_size(chunk) > largest)
                largest = chunk_size(chunk);
        break;
    }
    return largest;
}

typedef struct {
    ChunkReport report;
    void *context;
    size_t findings;
    Word listed, bytes; /* chunks on lists, run and tail; their bytes */
} Check;

__attribute__((format(printf, 2, 3))) static void found(Check *check, const char *format, ...)
{
    char sentence[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    check->report(check->context, sentence);
    check->findings++;
}

/* C1 for one chunk; false where its list cannot be followed any further. The grey
 * bit notes that it was seen. */
static bool check_chunk(const Chunks *chunks, unsigned list, Oop chunk, Check *check)
{
    const Heap *heap = chunks->heap;
    if (chunk < heap->old_start || chunk >= heap->old_end || chunk % OBJECT_ALIGNMENT) {
        found(check, "free list %u holds 0x%" PRIxWORD ", outside old space (C1)", list, chunk);
        return false;
    }
    Header header = header_of(chunk);
    if (header_class_index(header) != CLASS_FREE) {
        found(check, "free list %u holds 0x%" PRIxWORD ", an object of class index %" PRIuWORD
              " (C1)", list, chunk, header_class_index(header));
        return false;
    }
    if (header & HEADER_GREY) {
        found(check, "free chunk 0x%" PRIxWORD " is on the lists twice (C1)", chunk);
        return false;
    }
    if (list_of(chunk_size(chunk)) != list)
        found(check, "free chunk 0x%" PRIxWORD " of %" PRIuWORD " bytes is on list %u (C1)", chunk,
              chunk_size(chunk), list);
    *header_at(chunk) |= HEADER_GREY;
    check->listed++;
    check->bytes += chunk_size(chunk);
    return true;
}

static void check_lists(const Chunks *chunks, Check *check)
{
    for (unsigned list = 0; list < CHUNK_LISTS; list++) {
        bool bit = chunks->map[list / 64] >> list % 64 & 1;
        if (bit != (chunks->lists[list] != NO_OOP))
            found(check, "free list %u is %s, its bit in the map %d (C2)", list,
                  chunks->lists[list] ? "not empty" : "empty", bit);
        for (Oop chunk = chunks->lists[list]; chunk; chunk = object_slot(chunk, 0))
            if (!check_chunk(chunks, list, chunk, check))
                break;
    }
}

/* C4, for run and tail. */
static void check_piece(const char *name, Word start, Word end, Check *check)
{
    if (start == end)
        return;
    Oop chunk = end - start >= SMALLEST_OBJECT && start < end ? object_at_start(start) : NO_OOP;
    if (!chunk || object_class_index(chunk) != CLASS_FREE || object_end(chunk) != end) {
        found(check, "the %s [0x%" PRIxWORD ", 0x%" PRIxWORD ") is no free chunk (C4)", name, start,
              end);
        return;
    }
    *header_at(chunk) |= HEADER_GREY;
    check->listed++;
    check->bytes += end - start;
}

/* Meets every noted chunk again, clears the notes, counts. What is free and was not noted
 * is lost to allocation. */
static void check_walk(const Chunks *chunks, Check *check)
{
    Word met = 0, lost = 0, limit = chunks->heap->old_end;
    Oop first_lost = NO_OOP;
    for (Oop object = object_at_start(chunks->heap->old_start); object < limit;
         object = heap_next_object(object, limit)) {
        Header header = header_of(object);
        if (header_class_index(header) != CLASS_FREE)
            continue;
        met += (header & HEADER_GREY) != 0;
        first_lost = header & HEADER_GREY || lost++ ? first_lost : object;
        *header_at(object) = header & ~HEADER_GREY;
    }
    if (lost)
        found(check, "%" PRIuWORD " free chunks are on no list, the first 0x%" PRIxWORD " of %"
              PRIuWORD " bytes (C5)", lost, first_lost, chunk_size(first_lost));
    if (met != check->listed)
        found(check, "%" PRIuWORD " chunks are listed, %" PRIuWORD " of them met by a walk (C1)",
              check->listed, met);
}

size_t chunks_check(const Chunks *chunks, ChunkReport report, void *context)
{
    Check check = {.report = report, .context = context};
    check_lists(chunks, &check);
    check_piece("run", chunks->run, chunks->run_end, &check);
    check_piece("tail", chunks->tail, chunks->tail_end, &check);
    if (check.bytes != chunks->free_bytes)
        found(&check, "free bytes: %" PRIuWORD " noted, %" PRIuWORD " found (C3)",
              chunks->free_bytes, check.bytes);
    if (check.listed != chunks->count)
        found(&check, "free chunks: %" PRIuWORD " noted, %" PRIuWORD " found (C3)", chunks->count,
              check.listed);
    if (chunks->tail_end != chunks->heap->old_end)
        found(&check, "the tail ends at 0x%" PRIxWORD ", old space at 0x%" PRIxWORD " (C4)",
              chunks->tail_end, chunks->heap->old_end);
    check_walk(chunks, &check);
    return check.findings;
}
