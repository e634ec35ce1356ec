/* Tracing: the workers of a marker (marker.h). */
#include "marker.h"

enum {
    QUEUE_LENGTH = 32, /* objects on their way from memory to the scanner */
    SLICE_TAG = 1,     /* on the stack: an oop so tagged lies above the offset of its next slot */
    WORTH_GIVING = 4,  /* words on the stack of a worker that shares it, or batches in its buckets */
};

/* ---- The stack ---- */

/* What `object` refers to could not be put on the stack. */
static __attribute__((cold, noinline)) void drop(Worker *worker, Oop object)
{
    if (object < worker->dropped_low)
        worker->dropped_low = object;
    if (object > worker->dropped_high)
        worker->dropped_high = object;
}

/* Whether the stack needs none of the last `words` it can hold, whatever the object in hand refers to. */
static bool can_spare(const Worker *worker, size_t words)
{
    return worker->capacity >= worker->least + words &&
           worker->capacity >= worker->depth + 2 * STACK_RESERVE + words;
}

/* An empty batch, from the far end of the stack if none was used before; NULL: there is no room. */
static Batch *new_batch(Worker *worker)
{
    Batch *batch = worker->buckets.free;
    if (batch)
        worker->buckets.free = batch->link;
    else if (can_spare(worker, BATCH_BYTES / sizeof(Word)))
        batch = (Batch *)(worker->stack + (worker->capacity -= BATCH_BYTES / sizeof(Word)));
    return batch;
}

static __attribute__((noinline)) bool extend_bucket(Worker *worker, unsigned area)
{
    Batch *batch = new_batch(worker);
    if (batch)
        buckets_extend(&worker->buckets, area, batch);
    return batch != NULL;
}

/* Puts the object off until its area is traced. False: that is now, or there is no room. */
static inline bool put_off(Worker *worker, Oop object)
{
    Buckets *buckets = &worker->buckets;
    unsigned area = buckets_area(buckets, object);
    if (area == buckets->area)
        return false;
    CHECK(area < AREAS, "reference to 0x%" PRIxWORD ", outside the heap (H1)", object);
    if (__builtin_expect(buckets_need_batch(buckets, area), 0) && !extend_bucket(worker, area))
        return false;
    buckets_put(buckets, area, object);
    return true;
}

/* Pushes or puts off those of slots [first, end) that name objects; nil, false and true lie side
 * by side and are marked from the start. */
static inline void push_slots(Worker *worker, const Word *slots, Word first, Word end)
{
    const Heap *heap = worker->marker->heap;
    Oop nil = heap->nil;
    Word span = heap->true_object - nil;
    size_t depth = worker->depth;
    for (Word i = end; i-- > first;) {
        Oop value = slots[i];
        if (is_object(value) && value - nil > span && !put_off(worker, value))
            worker->stack[depth++] = value;
    }
    worker->depth = depth;
}

/* Pushes what slots [first, end) of the object name; of many slots, a slice. */
static inline void push_range(Worker *worker, Oop object, Word first, Word end)
{
    if (__builtin_expect(!worker_has_room(worker), 0)) {
        drop(worker, object);
        return;
    }
    if (end - first > SLICE) {
        worker->stack[worker->depth++] = (first + SLICE) << WORD_SHIFT; /* never looks tagged */
        worker->stack[worker->depth++] = object | SLICE_TAG;
        end = first + SLICE;
    }
    push_slots(worker, object_slots(object), first, end);
}

/* ---- The map ---- */

static inline uint64_t map_or(uint64_t *word, uint64_t bits, bool shared)
{
    if (shared)
        return __atomic_fetch_or(word, bits, __ATOMIC_RELAXED);
    uint64_t before = *word;
    *word = before | bits;
    return before;
}

/* Sets the bits of an object that do not all lie in the word of its header. Answers
 * whether the header's was clear. */
static __attribute__((noinline)) bool claim_long(Worker *worker, Oop object, size_t first,
                                                 size_t count)
{
    Marker *marker = worker->marker;
    size_t header = live_map_granule(&marker->map, object);
    uint64_t bit = (uint64_t)1 << (header & 63);
    if (map_or(&marker->map.bits[header >> 6], bit, marker->shared) & bit)
        return false;
    live_map_set_long(&marker->map, first, count, marker->shared);
    return true;
}

/* Enters the object into the map and its class into the class marks. False: it was
 * there, because another worker was faster. */
static inline bool claim(Worker *worker, Oop object, Header header, Word slots)
{
    Marker *marker = worker->marker;
    LiveMap *map = &marker->map;
    size_t granule = live_map_granule(map, object);
    size_t count = 1 + (body_bytes_for_slots(slots) >> GRANULE_SHIFT);
    if (__builtin_expect(header_short_slots(header) == HEADER_SLOTS_OVERFLOW, 0)) {
        granule--;
        count++;
    }
    unsigned at = granule & 63;
    if (__builtin_expect(at + count <= 64, 1)) {
        uint64_t bits = (~(uint64_t)0 >> (64 - count)) << at;
        if (map_or(&map->bits[granule >> 6], bits, marker->shared) & bits)
            return false;
    } else if (!claim_long(worker, object, granule, count))
        return false;
    if (__builtin_expect(header_is_pinned(header), 0))
        __atomic_fetch_or(&map->tails[granule / BLOCK_GRANULES], BLOCK_PINNED, __ATOMIC_RELAXED);
    /* Read first: workers that write all the time would wait for each other's line. */
    uint8_t *class_mark = &marker->class_marks[header_class_index(header)];
    if (__builtin_expect(!__atomic_load_n(class_mark, __ATOMIC_RELAXED), 0))
        __atomic_store_n(class_mark, 1, __ATOMIC_RELAXED);
    worker->objects++;
    return true;
}

void trace_mark_alone(Worker *worker, Oop object)
{
    claim(worker, object, header_of(object), object_slot_count(object));
}

/* ---- Scanning ---- */

/* Slots of a large object that are references; formats below weak only. */
static void scan_slice(Worker *worker, Oop object, Word first)
{
    Word start, end;
    heap_pointer_slots(worker->marker->heap, object, &start, &end);
    if (object_format(object) == FORMAT_WEAK)
        end = heap_fixed_fields(worker->marker->heap, object);
    push_range(worker, object, first, end);
}

/* The memory manager hears of one object at a time. */
static void report(Marker *marker, void (*found)(Mm *mm, Oop object), Oop object)
{
    if (marker->shared)
        pthread_mutex_lock(&marker->lock);
    found(marker->heap->mm, object);
    if (marker->shared)
        pthread_mutex_unlock(&marker->lock);
}

/* Weak objects, ephemerons and code: their strong slots, and the report. */
static __attribute__((noinline)) void scan_special(Worker *worker, Oop object, unsigned format)
{
    const MmOps *ops = worker->marker->heap->mm->ops;
    if (format == FORMAT_EPHEMERON) {
        if (is_immediate(object_slot(object, 0)))
            push_range(worker, object, 0, object_slot_count(object));
        else
            report(worker->marker, ops->found_ephemeron, object);
        return;
    }
    scan_slice(worker, object, format_is_code(format) ? 1 : 0);
    if (format == FORMAT_WEAK)
        report(worker->marker, ops->found_weak, object);
}

/* Marks and scans, if it has not been done. */
static inline void process(Worker *worker, Oop object)
{
    const LiveMap *map = &worker->marker->map;
    if (live_map_has(map, object))
        return;
    Header header = header_of(object);
    unsigned format = header_format(header);
    if (__builtin_expect(format == FORMAT_FORWARDER, 0)) {
        worker->forwarders++;
        object = follow(object);
        if (is_immediate(object) || live_map_has(map, object))
            return;
        header = header_of(object);
        format = header_format(header);
    }
    CHECK(header_class_index(header) != CLASS_FREE,
          "free chunk at 0x%" PRIxWORD " is referred to (H1)", object);
    Word slots = header_short_slots(header);
    if (__builtin_expect(slots == HEADER_SLOTS_OVERFLOW, 0))
        slots = object_slot_count(object);
    if (!claim(worker, object, header, slots))
        return;
    if (format <= FORMAT_INDEXABLE_FIXED)
        push_range(worker, object, 0, slots);
    else if (!format_is_bits(format))
        scan_special(worker, object, format);
}

/* ---- Sharing ---- */

/* Moves the older half of the stack into the pool. */
static size_t give_stack(Marker *marker, Worker *worker)
{
    size_t count = worker->depth / 2 < POOL_WORDS - 1 ? worker->depth / 2 : POOL_WORDS - 1;
    if (worker->stack[count] & SLICE_TAG)
        count++; /* the pair stays together */
    memcpy(marker->pool, worker->stack, count * sizeof(Word));
    worker->depth -= count;
    memmove(worker->stack, worker->stack + count, worker->depth * sizeof(Word));
    return count;
}

/* Moves half of what waits into the pool. */
static size_t give_waiting(Marker *marker, Worker *worker)
{
    size_t count = 0;
    Buckets *buckets = &worker->buckets;
    for (unsigned keep = buckets->batches / 2; count < POOL_WORDS && buckets->batches > keep;)
        marker->pool[count++] = buckets_take(buckets);
    return count;
}

/* Puts something into the pool, if that is empty. */
static __attribute__((noinline)) void give(Worker *worker)
{
    Marker *marker = worker->marker;
    pthread_mutex_lock(&marker->lock);
    if (!marker->pooled) {
        bool deep = worker->depth >= WORTH_GIVING;
        size_t count = deep ? give_stack(marker, worker) : give_waiting(marker, worker);
        __atomic_store_n(&marker->pooled, count, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&marker->lock);
}

static bool take_pool(Worker *worker)
{
    Marker *marker = worker->marker;
    bool taken = false;
    pthread_mutex_lock(&marker->lock);
    if (marker->pooled) {
        memcpy(worker->stack, marker->pool, marker->pooled * sizeof(Word));
        worker->depth = marker->pooled;
        __atomic_store_n(&marker->pooled, 0, __ATOMIC_RELAXED);
        __atomic_fetch_sub(&marker->hungry, 1, __ATOMIC_RELAXED);
        taken = true;
    }
    pthread_mutex_unlock(&marker->lock);
    return taken;
}

/* Waits for work. False: nobody has any. Only who is not hungry gives, and who takes is
 * not hungry before the pool is empty: so the end is there when all are hungry and the pool
 * is empty, seen under the lock. */
static bool take(Worker *worker)
{
    Marker *marker = worker->marker;
    __atomic_fetch_add(&marker->hungry, 1, __ATOMIC_ACQ_REL);
    for (unsigned round = 0;; round++) {
        if (__atomic_load_n(&marker->pooled, __ATOMIC_ACQUIRE) && take_pool(worker))
            return true;
        pthread_mutex_lock(&marker->lock);
        bool over = __atomic_load_n(&marker->hungry, __ATOMIC_ACQUIRE) ==
                        __atomic_load_n(&marker->size, __ATOMIC_RELAXED) && !marker->pooled;
        pthread_mutex_unlock(&marker->lock);
        if (over)
            return false;
        team_pause(round);
    }
}

/* ---- The loop ---- */

static inline bool should_give(const Marker *marker, const Worker *worker)
{
    return __builtin_expect(__atomic_load_n(&marker->hungry, __ATOMIC_RELAXED) != 0, 0) &&
           (worker->depth >= WORTH_GIVING || worker->buckets.batches >= WORTH_GIVING) &&
           !__atomic_load_n(&marker->pooled, __ATOMIC_RELAXED);
}

/* Has an object fetched that will soon be scanned. */
static inline Oop fetch(Worker *worker, Oop object)
{
    CHECK(object >= worker->marker->map.base && object < worker->marker->heap->old_end,
          "reference to 0x%" PRIxWORD ", outside the heap (H1)", object);
    PREFETCH(word_pointer(object));
    PREFETCH(word_pointer(object + 32));
    PREFETCH(live_map_word(&worker->marker->map, object));
    return object;
}

/* The next object; NO_OOP: a slice has been scanned instead. There must be something. */
static inline Oop next_object(Worker *worker)
{
    if (!worker->depth)
        return fetch(worker, buckets_take(&worker->buckets));
    Word item = worker->stack[--worker->depth];
    if (__builtin_expect(!(item & SLICE_TAG), 1))
        return fetch(worker, item);
    Word first = worker->stack[--worker->depth] >> WORD_SHIFT;
    scan_slice(worker, item & ~(Word)SLICE_TAG, first);
    return NO_OOP;
}

/* One object enters the queue, if there is any, and the one that has waited longest leaves it. */
void trace_drain(Worker *worker)
{
    Marker *marker = worker->marker;
    Oop queue[QUEUE_LENGTH] = {NO_OOP};
    for (unsigned at = 0, waiting = 0;; at = (at + 1) % QUEUE_LENGTH) {
        bool more = worker->depth || !buckets_are_empty(&worker->buckets);
        if (!more && !waiting)
            return;
        Oop next = more ? next_object(worker) : NO_OOP, object = queue[at];
        queue[at] = next;
        waiting += next != NO_OOP;
        if (!object)
            continue;
        waiting--;
        process(worker, object);
        if (should_give(marker, worker))
            give(worker);
    }
}

static void trace_job(void *context, unsigned number, unsigned size)
{
    Marker *marker = context;
    Worker *worker = marker->workers[number];
    if (number == 0)
        __atomic_store_n(&marker->size, size, __ATOMIC_RELAXED);
    do
        trace_drain(worker);
    while (take(worker));
}

void trace_together(Marker *marker)
{
    /* Until the job knows its size nobody can find that all are hungry. */
    marker->size = TEAM_MOST + 1;
    marker->hungry = 0;
    marker->shared = true;
    team_run(marker->worker_count, trace_job, marker);
    marker->shared = false;
    marker->hungry = 0;
}
