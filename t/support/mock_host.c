#include "mock_host.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { HUGE_PAGES_FROM = 8 << 20 };

static _Noreturn void mock_fail(const char *what)
{
    printf("Bail out! mock host: %s\n", what);
    exit(255);
}

static MockHost *host_of(Heap *heap)
{
    return (MockHost *)heap;
}

/* ---- The region ---- */

static void *region_map(void *wanted, size_t bytes, int flags)
{
    void *got = mmap(wanted, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (got == MAP_FAILED)
        return NULL;
    if (wanted && got != wanted) { /* a kernel that does not know the flag */
        munmap(got, bytes);
        return NULL;
    }
    return got;
}

/* Below 2 GiB, where sanitizers of 64-bit hosts leave room. */
static void *region_map_low(size_t bytes)
{
    for (uintptr_t at = 0x10000000; at + bytes <= 0x7F000000; at += 0x1000000) {
        void *got = region_map((void *)at, bytes, MAP_FIXED_NOREPLACE);
        if (got)
            return got;
    }
    return NULL;
}

static bool host_commit(Heap *heap, Word start, Word end)
{
    MockHost *host = host_of(heap);
    if (end - start > host->commit_limit || host->committed > host->commit_limit - (end - start))
        return false;
    if (mprotect(word_pointer(start), end - start, PROT_READ | PROT_WRITE))
        return false;
    madvise(word_pointer(start), end - start, MADV_HUGEPAGE);
    host->committed += end - start;
    return true;
}

static void host_decommit(Heap *heap, Word start, Word end)
{
    MockHost *host = host_of(heap);
    madvise(word_pointer(start), end - start, MADV_DONTNEED);
    mprotect(word_pointer(start), end - start, PROT_NONE);
    host->committed -= end - start;
}

static void host_discard(Heap *heap, Word start, Word end)
{
    MockHost *host = host_of(heap);
    madvise(word_pointer(start), end - start, MADV_DONTNEED);
    host->discarded += end - start;
}

static void *host_side_table_reserve(Heap *heap, size_t bytes)
{
    MockHost *host = host_of(heap);
    size_t limit = host->side_table_limit;
    if (bytes > limit || host->side_table_bytes > limit - bytes)
        return NULL;
    void *got = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
        return NULL;
    if (bytes >= HUGE_PAGES_FROM) /* clearing one costs more than a small table is worth */
        madvise(got, bytes, MADV_HUGEPAGE);
    host->side_table_bytes += bytes;
    return got;
}

static void host_side_table_release(Heap *heap, void *table, size_t bytes)
{
    munmap(table, bytes);
    host_of(heap)->side_table_bytes -= bytes;
}

/* ---- Roots ---- */

static void host_visit_roots(Heap *heap, SlotVisitor visit, void *context)
{
    MockHost *host = host_of(heap);
    if (heap->special_objects)
        visit(context, &heap->special_objects);
    for (size_t i = 0; i < host->root_count; i++)
        if (host->roots[i])
            visit(context, &host->roots[i]);
}

static void host_follow_forwarders(Heap *heap)
{
    MockHost *host = host_of(heap);
    host->forwarders_followed++;
    heap->special_objects = follow(heap->special_objects);
    for (Word i = 0; i < object_slot_count(heap->special_objects); i++)
        heap_store(heap, heap->special_objects, i, follow(heap_special(heap, (unsigned)i)));
    for (size_t i = 0; i < host->root_count; i++)
        if (host->roots[i])
            host->roots[i] = follow(host->roots[i]);
}

size_t mock_root_push(MockHost *host, Oop oop)
{
    if (host->root_count == host->root_capacity) {
        host->root_capacity = host->root_capacity ? 2 * host->root_capacity : 64;
        host->roots = realloc(host->roots, host->root_capacity * sizeof(Oop));
        if (!host->roots)
            mock_fail("no memory for roots");
    }
    host->roots[host->root_count] = oop;
    return host->root_count++;
}

void mock_root_pop(MockHost *host, size_t count)
{
    host->root_count -= count;
}

/* ---- The rest of HeapHost ---- */

static void host_flush_caches(Heap *heap)
{
    host_of(heap)->caches_flushed++;
}

static void host_before_become(Heap *heap, Oop object)
{
    host_of(heap)->contexts_flushed += object_class_index(object) == CLASS_CONTEXT;
}

static void host_request_poll(Heap *heap)
{
    host_of(heap)->polls_requested++;
}

static void host_finalization_pending(Heap *heap, Word count)
{
    host_of(heap)->finalizations += count;
}

__attribute__((format(printf, 2, 3)))
static void host_log(Heap *heap, const char *format, ...)
{
    MockHost *host = host_of(heap);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(host->last_log, sizeof host->last_log, format, arguments);
    va_end(arguments);
}

static uint64_t host_now(Heap *heap)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return host_of(heap)->clock + (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static SWord host_machine_code_method_header(Heap *heap, Word address)
{
    mock_fail("there is no machine code in this heap");
}

static const HeapHost mock_table = {
    .size = sizeof(HeapHost),
    .visit_roots = host_visit_roots,
    .flush_caches = host_flush_caches,
    .follow_forwarders = host_follow_forwarders,
    .before_become = host_before_become,
    .request_poll = host_request_poll,
    .finalization_pending = host_finalization_pending,
    .log = host_log,
    .now = host_now,
    .machine_code_method_header = host_machine_code_method_header,
    .side_table_reserve = host_side_table_reserve,
    .side_table_release = host_side_table_release,
    .commit = host_commit,
    .decommit = host_decommit,
    .discard = host_discard,
};

MockHost *mock_host_new(size_t region_bytes)
{
    MockHost *host = calloc(1, sizeof *host);
    if (!host)
        mock_fail("no memory");
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    region_bytes = (region_bytes + page - 1) / page * page;
    void *region =
        WORD_BITS == 32 ? region_map_low(region_bytes) : region_map(NULL, region_bytes, 0);
    if (!region)
        mock_fail("cannot reserve the region");
    host->base = pointer_word(region);
    host->limit = host->base + region_bytes;
    host->table = mock_table;
    host->heap.host = &host->table;
    host->heap.page_size = (Word)page;
    host->commit_limit = SIZE_MAX;
    host->side_table_limit = SIZE_MAX;
    return host;
}

void mock_host_free(MockHost *host)
{
    munmap(word_pointer(host->base), host->limit - host->base);
    free(host->roots);
    free(host);
}

Word mock_host_new_start(const MockHost *host)
{
    return host->base + host->heap.page_size;
}

/* ---- The synthetic image ---- */

typedef struct {
    const char *name;
    Word index;
    unsigned spec;
    unsigned fixed;
} MockClass;

static const MockClass mock_classes[] = {
    {"SmallInteger", CLASS_SMALL_INTEGER, FORMAT_IMMEDIATE_CLASS, 0},
    {"Character", CLASS_CHARACTER, FORMAT_IMMEDIATE_CLASS, 0},
    {"SmallFloat64", CLASS_SMALL_FLOAT, FORMAT_IMMEDIATE_CLASS, 0},
    {"LargeNegativeInteger", CLASS_LARGE_NEGATIVE, FORMAT_BYTES, 0},
    {"LargePositiveInteger", CLASS_LARGE_POSITIVE, FORMAT_BYTES, 0},
    {"Float", CLASS_FLOAT, FORMAT_WORDS32, 0},
    {"Message", CLASS_MESSAGE, FORMAT_FIXED, 3},
    {"Context", CLASS_CONTEXT, FORMAT_INDEXABLE_FIXED, 6},
    {"BlockClosure", CLASS_BLOCK_CLOSURE, FORMAT_INDEXABLE_FIXED, 3},
    {"FullBlockClosure", CLASS_FULL_BLOCK_CLOSURE, FORMAT_INDEXABLE_FIXED, 4},
    {"Semaphore", MOCK_SEMAPHORE, FORMAT_FIXED, 3},
    {"ByteArray", MOCK_BYTE_ARRAY, FORMAT_BYTES, 0},
    {"Array", CLASS_ARRAY, FORMAT_INDEXABLE, 0},
    {"ByteString", CLASS_BYTE_STRING, FORMAT_BYTES, 0},
    {"Bitmap", CLASS_BITMAP, FORMAT_WORDS32, 0},
    {"Metaclass", MOCK_METACLASS, FORMAT_FIXED, MOCK_CLASS_SLOTS},
    {"UndefinedObject", MOCK_UNDEFINED, FORMAT_EMPTY, 0},
    {"Boolean", MOCK_BOOLEAN, FORMAT_EMPTY, 0},
    {"Empty", MOCK_EMPTY, FORMAT_EMPTY, 0},
    {"Fixed", MOCK_FIXED, FORMAT_FIXED, 3},
    {"Variable", MOCK_VARIABLE, FORMAT_INDEXABLE_FIXED, 2},
    {"Weak", MOCK_WEAK, FORMAT_WEAK, 1},
    {"WeakArray", MOCK_WEAK_ARRAY, FORMAT_WEAK, 0},
    {"Ephemeron", MOCK_EPHEMERON, FORMAT_EPHEMERON, 3},
    {"CompiledMethod", MOCK_METHOD, FORMAT_CODE, 0},
    {"WordArray", MOCK_WORDS32, FORMAT_WORDS32, 0},
    {"DoubleWordArray", MOCK_WORDS64, FORMAT_WORDS64, 0},
    {"DoubleByteArray", MOCK_SHORTS, FORMAT_SHORTS, 0},
};

enum { MOCK_CLASS_COUNT = sizeof mock_classes / sizeof mock_classes[0] };

static Oop image_put(Word *at, Word slots, unsigned format, Word class_index)
{
    Oop oop = object_write_header(*at, slots, format, class_index);
    memset(object_slots(oop), 0, body_bytes_for_slots(slots));
    *at = object_end(oop);
    return oop;
}

static Oop image_put_pointers(Heap *heap, Word *at, Word slots, unsigned format, Word class_index)
{
    Oop oop = image_put(at, slots, format, class_index);
    object_fill(oop, 0, slots, heap->nil);
    return oop;
}

static void image_put_class(Heap *heap, Word *at, const MockClass *class)
{
    Word length = (Word)strlen(class->name);
    Oop name = image_put(at, slots_for_bytes(length), format_for_bytes(length), CLASS_BYTE_STRING);
    memcpy(object_bytes(name), class->name, length);
    Oop oop = image_put_pointers(heap, at, MOCK_CLASS_SLOTS, FORMAT_FIXED, MOCK_METACLASS);
    object_slots(oop)[CLASS_FORMAT] = small_integer_oop((SWord)(class->spec << 16 | class->fixed));
    object_slots(oop)[MOCK_CLASS_NAME] = name;
    *header_at(oop) |= (Header)class->index << HEADER_HASH_SHIFT;
    Oop page = object_slot(heap->hidden_roots, class->index >> CLASS_PAGE_BITS);
    object_slots(page)[class->index & (CLASS_PAGE_SIZE - 1)] = oop;
}

static void image_put_class_table(Heap *heap, Word *at)
{
    Oop pages[2];
    heap->hidden_roots =
        image_put_pointers(heap, at, HIDDEN_ROOTS_SLOTS, FORMAT_INDEXABLE, CLASS_ARRAY_PUN);
    for (int i = 0; i < 2; i++) {
        pages[i] = image_put_pointers(heap, at, CLASS_PAGE_SIZE, FORMAT_INDEXABLE, CLASS_ARRAY_PUN);
        object_slots(heap->hidden_roots)[i] = pages[i];
    }
    heap->class_table_pages = 2;
    for (int i = 0; i < MOCK_CLASS_COUNT; i++)
        image_put_class(heap, at, &mock_classes[i]);
    if (WORD_BITS == 32)
        object_slots(pages[0])[CLASS_BRIDGE] = heap_class_at(heap, CLASS_SMALL_INTEGER);
    object_slots(pages[0])[CLASS_ARRAY_PUN] = heap_class_at(heap, CLASS_ARRAY);
    object_slots(pages[0])[CLASS_WEAK_ARRAY_PUN] = heap_class_at(heap, MOCK_WEAK_ARRAY);
    object_slots(pages[0])[CLASS_WORDS32_PUN] = heap_class_at(heap, MOCK_WORDS32);
    object_slots(pages[0])[CLASS_WORDS64_PUN] = heap_class_at(heap, MOCK_WORDS64);
}

static void image_put_special_objects(Heap *heap, Word *at)
{
    static const struct {
        unsigned slot;
        Word class_index;
    } classes[] = {
        {SPECIAL_CLASS_BITMAP, CLASS_BITMAP},
        {SPECIAL_CLASS_SMALL_INTEGER, CLASS_SMALL_INTEGER},
        {SPECIAL_CLASS_BYTE_STRING, CLASS_BYTE_STRING},
        {SPECIAL_CLASS_ARRAY, CLASS_ARRAY},
        {SPECIAL_CLASS_FLOAT, CLASS_FLOAT},
        {SPECIAL_CLASS_CONTEXT, CLASS_CONTEXT},
        {SPECIAL_CLASS_LARGE_POSITIVE, CLASS_LARGE_POSITIVE},
        {SPECIAL_CLASS_LARGE_NEGATIVE, CLASS_LARGE_NEGATIVE},
        {SPECIAL_CLASS_MESSAGE, CLASS_MESSAGE},
        {SPECIAL_CLASS_SEMAPHORE, MOCK_SEMAPHORE},
        {SPECIAL_CLASS_CHARACTER, CLASS_CHARACTER},
        {SPECIAL_CLASS_BYTE_ARRAY, MOCK_BYTE_ARRAY},
        {SPECIAL_CLASS_BLOCK_CLOSURE, CLASS_BLOCK_CLOSURE},
        {SPECIAL_CLASS_FULL_BLOCK_CLOSURE, CLASS_FULL_BLOCK_CLOSURE},
    };
    Oop special = image_put_pointers(heap, at, SPECIAL_OBJECTS_CONVENTIONAL_SIZE, FORMAT_INDEXABLE,
                                     CLASS_ARRAY);
    object_slots(special)[SPECIAL_FALSE] = heap->false_object;
    object_slots(special)[SPECIAL_TRUE] = heap->true_object;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        object_slots(special)[classes[i].slot] = heap_class_at(heap, classes[i].class_index);
    heap->special_objects = special;
}

Word mock_image_write(MockHost *host)
{
    Heap *heap = &host->heap;
    Word at = heap->old_start;
    heap->nil = image_put(&at, 0, FORMAT_EMPTY, MOCK_UNDEFINED);
    heap->false_object = image_put(&at, 0, FORMAT_EMPTY, MOCK_BOOLEAN);
    heap->true_object = image_put(&at, 0, FORMAT_EMPTY, MOCK_BOOLEAN);
    if (WORD_BITS == 64)
        image_put(&at, 64, FORMAT_WORDS64, CLASS_WORDS64_PUN);
    else
        image_put(&at, 32, FORMAT_WORDS32, CLASS_WORDS32_PUN);
    image_put_class_table(heap, &at);
    image_put_special_objects(heap, &at);
    heap->last_hash = 1;
    return at;
}
