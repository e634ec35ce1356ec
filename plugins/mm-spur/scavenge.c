/* The scavenger: copies what is alive in new space to the empty survivor area
 * or to old space (C. J. Cheney's algorithm, 1970; tenuring after D. Ungar).
 *
 * A copied object leaves a forwarder behind, in the same form as become does, so
 * whoever meets one follows it and need not know which it was. What was copied
 * but not yet scanned lies between `scan` and `free` of the survivor area and of
 * the promotion buffer; buffers that were left wait on a stack of segments, so
 * there is no recursion.
 *
 * An object whose address is below the tenure limit, computed from how full the
 * survivors were last time, goes to old space; so does what finds no room in the
 * survivor area. Where old space can not grow any more, an object that fits
 * nowhere stays in place, marked grey, and is scanned there (new space is then
 * crowded, see spur.h). So a scavenge never fails and loses nothing.
 *
 * Old objects that refer to young ones after scanning are remembered again; all
 * others leave the remembered set. The class table is strong here.
 */
#include "spur.h"

enum { BUFFER_BYTES = 64 << 10 };

typedef struct {
    Tracer tracer; /* first: what the fixpoint sees */
    MmSpur *m;
    Heap *heap;
    Word old_start;
    /* The survivor area copied into; all equal when there is none. */
    Word to_start, to_bytes;
    Word to_scan, to_free, to_limit;
    /* Young objects of [tenure_start, tenure_start + tenure_bytes) are promoted. */
    Word tenure_start, tenure_bytes;
    /* The promotion buffer: [scan, free) is to be scanned, [free, end) is free. */
    Word buffer_scan, buffer_free, buffer_end;
    Word refused;         /* old space had no room for an object of this size */
    uint64_t promoted_objects, promoted_bytes;
} Scavenger;

/* ---- Room in old space ---- */

/* The rest of a buffer must be nothing or room for an object. */
static inline bool buffer_fits(const Scavenger *s, Word size)
{
    Word room = s->buffer_end - s->buffer_free;
    return room == size || (room > size && room - size >= SMALLEST_OBJECT);
}

static void leave_buffer(Scavenger *s)
{
    WordStack *segments = &s->m->segments;
    if (s->buffer_scan != s->buffer_free) {
        CHECK(segments->count + 2 <= segments->capacity, "more promoted segments than objects");
        segments->items[segments->count++] = s->buffer_scan;
        segments->items[segments->count++] = s->buffer_free;
    }
    if (s->buffer_free != s->buffer_end)
        s->heap->gc->ops->return_buffer(s->heap->gc, s->buffer_free, s->buffer_end);
    s->buffer_scan = s->buffer_free = s->buffer_end = 0;
}

static __attribute__((noinline)) bool take_buffer(Scavenger *s, Word size)
{
    Gc *gc = s->heap->gc;
    leave_buffer(s);
    /* A smallest object more: see buffer_fits. */
    Word least = size + SMALLEST_OBJECT, wanted = least > BUFFER_BYTES ? least : BUFFER_BYTES;
    Word start, end;
    if (!gc->ops->take_buffer(gc, least, wanted, &start, &end) &&
        !(space_grow(s->m, least) && gc->ops->take_buffer(gc, least, wanted, &start, &end))) {
        s->refused = size;
        return false;
    }
    CHECK(end - start >= least, "the collector gave a buffer of %" PRIuWORD " bytes instead of %"
          PRIuWORD, end - start, least);
    s->buffer_scan = s->buffer_free = start;
    s->buffer_end = end;
    return true;
}

static inline Word promotion_room(Scavenger *s, Word size)
{
    if (__builtin_expect(!buffer_fits(s, size), 0) &&
        (size >= s->refused || !take_buffer(s, size)))
        return 0;
    Word start = s->buffer_free;
    s->buffer_free = start + size;
    s->promoted_objects++;
    s->promoted_bytes += size;
    return start;
}

static inline Word survivor_room(Scavenger *s, Word size)
{
    Word start = s->to_free;
    if (__builtin_expect(s->to_limit - start < size, 0))
        return 0;
    s->to_free = start + size;
    return start;
}

/* ---- Copying ---- */

/* There is no room for the object anywhere: it is scanned where it is. */
static __attribute__((cold, noinline)) Oop keep(Scavenger *s, Oop object)
{
    *header_at(object) |= HEADER_GREY;
    s->m->kept.items[s->m->kept.count++] = object;
    s->m->crowded = true;
    return object;
}

static inline void copy_words(Word to, Word from, Word bytes)
{
    uint64_t *target = word_pointer(to);
    const uint64_t *source = word_pointer(from), *end = word_pointer(from + bytes);
    /* The barrier keeps the compiler from calling memcpy: most objects are small. */
    do {
        *target++ = *source++;
        __asm__ volatile("" : "+r"(target), "+r"(source));
    } while (source != end);
}

static inline void leave_forwarder(Oop object, Header header, Oop copy)
{
    *header_at(object) = (header & ~(HEADER_CLASS_MASK | HEADER_FORMAT_MASK)) | CLASS_FORWARDER |
                         (Header)FORMAT_FORWARDER << HEADER_FORMAT_SHIFT;
    object_slots(object)[0] = copy;
}

static __attribute__((noinline)) Oop copy_large(Scavenger *s, Oop object, Header header)
{
    Word size = object_size(object);
    Word start = object - s->tenure_start < s->tenure_bytes ? 0 : survivor_room(s, size);
    if (!start)
        start = promotion_room(s, size);
    if (!start)
        start = survivor_room(s, size);
    if (!start)
        return keep(s, object);
    memcpy(word_pointer(start), word_pointer(object - HEADER_BYTES), size);
    Oop copy = start + HEADER_BYTES;
    leave_forwarder(object, header, copy);
    return copy;
}

static inline Oop copy_object(Scavenger *s, Oop object, Header header)
{
    unsigned slots = header_short_slots(header);
    if (__builtin_expect(slots == HEADER_SLOTS_OVERFLOW, 0))
        return copy_large(s, object, header);
    Word size = HEADER_BYTES + body_bytes_for_slots(slots);
    Word copy = object - s->tenure_start < s->tenure_bytes ? 0 : survivor_room(s, size);
    if (!copy)
        copy = promotion_room(s, size);
    if (__builtin_expect(!copy, 0) && !(copy = survivor_room(s, size)))
        return keep(s, object);
    copy_words(copy, object, size);
    leave_forwarder(object, header, copy);
    return copy;
}

static inline bool is_copied(const Scavenger *s, Oop object)
{
    return object - s->to_start < s->to_bytes;
}

/* What a reference to young `object` becomes. */
static inline Oop survivor_of(Scavenger *s, Oop object)
{
    for (;;) {
        CHECK(object >= s->heap->new_start, "reference to 0x%" PRIxWORD " outside the heap (H1)",
              object);
        Header header = header_of(object);
        if (header_is_forwarder(header)) {
            CHECK(header_class_index(header) == CLASS_FORWARDER,
                  "free chunk 0x%" PRIxWORD " is referred to (H1)", object);
            object = object_slot(object, 0);
            if (is_immediate(object) || object >= s->old_start || is_copied(s, object))
                return object;
        } else if (is_copied(s, object) || __builtin_expect((header & HEADER_GREY) != 0, 0))
            return object;
        else
            return copy_object(s, object, header);
    }
}

static inline bool is_young(const Scavenger *s, Oop oop)
{
    return is_object(oop) && oop < s->old_start;
}

/* ---- Scanning ---- */

/* In long objects the referents' headers are fetched a little ahead. */
enum { FETCH_AHEAD = 8 };

#define FETCH_SLOT_AHEAD(s, slot, end)                                                             \
    do {                                                                                           \
        if ((end) - (slot) > FETCH_AHEAD && is_young(s, (slot)[FETCH_AHEAD]))                      \
            PREFETCH(word_pointer((slot)[FETCH_AHEAD]));                                           \
    } while (0)

static inline void scan_young_slots(Scavenger *s, Oop *slot, Oop *end)
{
    for (; slot < end; slot++) {
        Oop value = *slot;
        FETCH_SLOT_AHEAD(s, slot, end);
        if (is_young(s, value))
            *slot = survivor_of(s, value);
    }
}

/* Answers whether one of the slots refers to a young object afterwards. */
static inline bool scan_old_slots(Scavenger *s, Oop *slot, Oop *end)
{
    bool young = false;
    for (; slot < end; slot++) {
        Oop value = *slot;
        FETCH_SLOT_AHEAD(s, slot, end);
        if (is_young(s, value)) {
            value = *slot = survivor_of(s, value);
            young |= is_young(s, value);
        }
    }
    return young;
}

/* A key that is known to live makes an ephemeron an ordinary object. */
static bool key_lives(Scavenger *s, Oop object)
{
    Oop key = follow(object_slot(object, 0));
    return is_immediate(key) || s->tracer.is_live(&s->tracer, key);
}

/* Weak objects, ephemerons, compiled code, forwarders. The fixpoint remembers
 * the old ones among the first two once their slots are final. */
static __attribute__((noinline)) bool scan_special(Scavenger *s, Oop object, unsigned format)
{
    Word first = 0, end;
    if (format == FORMAT_WEAK) {
        end = weak_strong_fields(s->heap, object);
        fixpoint_found_weak(&s->m->mm, object);
        scan_young_slots(s, object_slots(object), object_slots(object) + end);
        return false;
    }
    if (format == FORMAT_EPHEMERON && !key_lives(s, object)) {
        fixpoint_found_ephemeron(&s->m->mm, object);
        return false;
    }
    heap_pointer_slots(s->heap, object, &first, &end);
    return scan_old_slots(s, object_slots(object) + first, object_slots(object) + end);
}

/* Scans a copy in new space; answers where its memory ends. */
static inline Word scan_young(Scavenger *s, Oop object)
{
    Header header = header_of(object);
    unsigned format = header_format(header);
    Word slots = header_short_slots(header);
    if (__builtin_expect(slots == HEADER_SLOTS_OVERFLOW, 0))
        slots = object_slot_count(object);
    if (format <= FORMAT_INDEXABLE_FIXED)
        scan_young_slots(s, object_slots(object), object_slots(object) + slots);
    else if (!format_is_bits(format))
        scan_special(s, object, format);
    return object + HEADER_BYTES + body_bytes_for_slots(slots);
}

/* Scans an old object; answers whether it is to be remembered. */
static inline bool scan_old(Scavenger *s, Oop object)
{
    unsigned format = object_format(object);
    if (format_is_bits(format))
        return false;
    if (format > FORMAT_INDEXABLE_FIXED)
        return scan_special(s, object, format);
    Word *slots = object_slots(object);
    return scan_old_slots(s, slots, slots + object_slot_count(object));
}

static Word scan_promoted(Scavenger *s, Word start)
{
    Oop object = object_at_start(start);
    if (scan_old(s, object))
        allocate_remember(&s->m->mm, object);
    return object_end(object);
}

static void scan_segment(Scavenger *s)
{
    WordStack *segments = &s->m->segments;
    Word end = segments->items[--segments->count], start = segments->items[--segments->count];
    while (start < end)
        start = scan_promoted(s, start);
}

/* Scans until everything reached has been scanned. */
static void drain(Scavenger *s)
{
    WordStack *segments = &s->m->segments, *kept = &s->m->kept;
    for (;;) {
        while (s->to_scan < s->to_free)
            s->to_scan = scan_young(s, object_at_start(s->to_scan));
        if (s->buffer_scan < s->buffer_free) {
            /* The buffer may be left while its object is scanned. */
            Word start = s->buffer_scan;
            s->buffer_scan = object_end(object_at_start(start));
            scan_promoted(s, start);
        } else if (segments->count)
            scan_segment(s);
        else if (kept->count)
            scan_young(s, kept->items[--kept->count]);
        else
            return;
    }
}

/* ---- Roots ---- */

static void scavenge_root(void *context, Oop *slot)
{
    Scavenger *s = context;
    if (is_young(s, *slot))
        *slot = survivor_of(s, *slot);
}

/* Objects that still refer to young ones stay; weak objects and ephemerons leave
 * and are put back by the fixpoint. */
static void scavenge_remembered(Scavenger *s)
{
    Heap *heap = s->heap;
    size_t count = heap->remembered_count, kept = 0;
    for (size_t i = 0; i < count; i++) {
        Oop object = heap->remembered[i];
        if (i + 4 < count)
            PREFETCH(word_pointer(heap->remembered[i + 4]));
        CHECK(header_of(object) & HEADER_REMEMBERED,
              "object 0x%" PRIxWORD " of the remembered set has no remembered bit (H2)", object);
        if (scan_old(s, object))
            heap->remembered[kept++] = object;
        else
            *header_at(object) &= ~HEADER_REMEMBERED;
    }
    CHECK(heap->remembered_count == count, "the remembered set changed while it was scanned");
    heap->remembered_count = kept;
}

/* ---- What the fixpoint asks ---- */

static bool tracer_is_live(Tracer *tracer, Oop object)
{
    Scavenger *s = (Scavenger *)tracer;
    object = follow(object);
    return is_immediate(object) || object >= s->old_start || is_copied(s, object) ||
           (header_of(object) & HEADER_GREY);
}

static void tracer_make_live(Tracer *tracer, Oop *slot)
{
    Scavenger *s = (Scavenger *)tracer;
    scavenge_root(s, slot);
    drain(s);
}

static Oop tracer_current(Tracer *tracer, Oop object)
{
    return follow(object);
}

/* ---- Before and after ---- */

static void choose_tenure_range(Scavenger *s, TenurePolicy policy)
{
    MmSpur *m = s->m;
    s->tenure_start = s->heap->new_start;
    if (policy == TENURE_ALL)
        s->tenure_bytes = s->old_start - s->heap->new_start;
    else {
        const Area *past = &m->areas[m->to ^ 1];
        s->tenure_start = past->start;
        s->tenure_bytes = m->tenure_limit > past->start ? m->tenure_limit - past->start : 0;
    }
}

static void open_scavenger(Scavenger *s, MmSpur *m, TenurePolicy policy)
{
    Heap *heap = m->mm.heap;
    const Area *to = &m->areas[m->to];
    *s = (Scavenger){
        .tracer = {tracer_is_live, tracer_make_live, tracer_current},
        .m = m,
        .heap = heap,
        .old_start = heap->old_start,
        .refused = ~(Word)0,
    };
    if (!m->crowded) {
        CHECK(to->free == to->start, "the survivor area to copy into is not empty (M2)");
        s->to_start = s->to_scan = s->to_free = to->start;
        s->to_limit = to->limit;
        s->to_bytes = to->limit - to->start;
    }
    choose_tenure_range(s, policy);
}

/* Turns what was not kept in place into free chunks. Answers the end of the last
 * object that was kept. */
static Word sweep_area(Area *area)
{
    Word end = area->start;
    for (Oop object = object_at_start(area->start); object < area->free;
         object = heap_next_object(object, area->free)) {
        Header header = header_of(object);
        if (header & HEADER_GREY) {
            *header_at(object) = header & ~HEADER_GREY;
            end = object_end(object);
        } else
            walk_bury(object);
    }
    return end;
}

static void empty_area(MmSpur *m, unsigned which, bool kept)
{
    Area *area = &m->areas[which];
    Word end = kept && area->free > area->start ? sweep_area(area) : area->start;
    if (CHECKED || m->config.poison)
        memset(word_pointer(end), 0xA5, area->free - end);
    area->free = end;
}

/* An area that was copied from is empty, unless something was kept in it. */
static void close_areas(Scavenger *s, bool had_to)
{
    MmSpur *m = s->m;
    bool kept = m->crowded;
    if (had_to)
        m->areas[m->to].free = s->to_free;
    for (unsigned i = 0; i < AREAS; i++)
        if (!had_to || i != m->to)
            empty_area(m, i, kept);
    space_reset_eden(m, m->areas[EDEN].free);
    m->crowded = kept;
    if (!kept && !had_to)
        m->to = SURVIVOR_A;
    else if (!kept)
        m->to ^= 1;
}

/* Where the survivors filled their area, the older part of them is tenured next. */
static void choose_tenure_limit(Scavenger *s)
{
    MmSpur *m = s->m;
    const Area *past = &m->areas[m->to ^ 1];
    double size = (double)(past->limit - past->start), used = (double)area_used(past);
    m->tenure_limit = past->start;
    if (!m->crowded && used > m->pressure * size)
        m->tenure_limit += (Word)(used * m->pressure);
}

static void flush_caches(Heap *heap)
{
    if (heap->host->flush_young_caches)
        heap->host->flush_young_caches(heap);
    else
        heap->host->flush_caches(heap);
}

static void count_scavenge(Scavenger *s, Word allocated)
{
    MmSpur *m = s->m;
    m->stats.scavenges++;
    m->stats.allocated_bytes += allocated;
    m->stats.tenured_objects += s->promoted_objects;
    m->stats.tenured_bytes += s->promoted_bytes;
    m->stats.survived_bytes += s->to_free - s->to_start;
    m->allocated_old = 0;
}

void scavenge(Mm *mm, TenurePolicy policy)
{
    MmSpur *m = mm_spur(mm);
    Heap *heap = mm->heap;
    Pause pause = pause_begin(m);
    Scavenger s;
    flush_caches(heap);
    space_sync_eden(m);
    open_scavenger(&s, m, policy);
    bool had_to = !m->crowded;
    m->crowded = false;
    collect_visit_outside(m, scavenge_root, &s);
    scavenge_remembered(&s);
    drain(&s);
    fixpoint_finish_scavenge(m, &s.tracer);
    leave_buffer(&s);
    CHECK(m->segments.count == 0 && m->kept.count == 0, "a scavenge left objects unscanned (M4)");
    count_scavenge(&s, area_used(&m->areas[EDEN]));
    close_areas(&s, had_to);
    choose_tenure_limit(&s);
    if (s.refused != ~(Word)0)
        m->full_due = true;
    m->stats.scavenge_time += pause_end(m, pause);
}
