/* What the leak check says of each thing that can be broken: the object, its class, the slot,
 * the rule, and the way to it from a root. Each case breaks one thing and mends it again. */
// LINK: t/support/mock_host.c t/support/mm_rig.c t/support/plugin_user.c plugins/mm-spur/*.c plugins/gc-compact/*.c plugins/gc/*.c
#include "plugins/mm-spur/spur.h"
#include "support/mm_rig.h"
#include "tap.h"

enum { FIRST_ROOT = 1 }; /* behind the special objects */

static MmRig rig;
static Heap *heap;
static char said[8192]; /* the findings of a check, a line each */
static size_t holder_root;
static Oop holder, middle, object; /* a root leads to the Array, its slot 2 to the next, ... */

static void listen(void *context, const char *sentence)
{
    (void)context;
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", sentence);
}

/* Looks at one subset only: whatever is found is found by it. */
static size_t look(unsigned subset)
{
    LeakCheck check = {.subsets = 1u << subset, .report = listen};
    said[0] = 0;
    size_t findings = rig.mm->ops->leak_check(rig.mm, &check);
    for (unsigned i = 0; i < LEAK_SUBSETS; i++)
        if (i != subset && check.findings[i])
            diag("%zu findings of subset %s", check.findings[i], leak_subset_name(i));
    return check.findings[subset] == findings ? findings : 1000;
}

static void says(unsigned subset, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The check of a subset finds one thing, and says this in words. */
static void says(unsigned subset, const char *what, const char *format, ...)
{
    char wanted[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wanted, sizeof wanted, format, arguments);
    va_end(arguments);
    size_t findings = look(subset);
    ok(findings > 0 && strstr(said, wanted), "%s: %s", leak_subset_name(subset), what);
    if (!findings || !strstr(said, wanted))
        diag("wanted: %s\n# said (%zu): %s", wanted, findings, said);
}

/* "root N: object ... of class Array", and the steps down to `object`. */
static const char *path(void)
{
    static char text[512];
    snprintf(text, sizeof text,
             "    root %zu: object 0x%" PRIxWORD " of class Array\n"
             "    its slot 2: object 0x%" PRIxWORD " of class Fixed\n"
             "    its slot 1: object 0x%" PRIxWORD " of class ",
             holder_root, holder, middle, object);
    return text;
}

static Oop new_old(Word slots, unsigned format, Word class_index)
{
    Oop oop = rig.mm->ops->allocate_old(rig.mm, slots, format, class_index);
    object_fill(oop, 0, slots, heap->nil);
    return oop;
}

/* Array -> Fixed -> an object of that class. */
static void build(Word slots, unsigned format, Word class_index)
{
    holder = new_old(4, FORMAT_INDEXABLE, CLASS_ARRAY);
    middle = new_old(3, FORMAT_FIXED, MOCK_FIXED);
    object = new_old(slots, format, class_index);
    heap_store(heap, holder, 2, middle);
    heap_store(heap, middle, 1, object);
    if (format == FORMAT_CODE)
        object_slots(object)[0] = small_integer_oop(0);
    holder_root = FIRST_ROOT + mock_root_push(rig.host, holder);
}

static void mended(void)
{
    is_int(mm_rig_check(&rig), 0, "  all is well again");
    mock_root_pop(rig.host, 1);
    rig.mm->ops->collect_full(rig.mm);
}

/* ---- Objects ---- */

static void slot_of_no_object(void)
{
    build(3, FORMAT_FIXED, MOCK_FIXED);
    object_slots(object)[2] = holder + 8; /* inside another object */
    says(LEAK_OBJECTS, "a slot that holds no object",
         "object 0x%" PRIxWORD " of class Fixed: slot 2 holds 0x%" PRIxWORD
         ", which is no object (H1)\n%s", object, holder + 8, path());
    object_slots(object)[2] = heap->nil;
    mended();
}

static void slot_of_a_chunk(void)
{
    build(3, FORMAT_FIXED, MOCK_FIXED);
    Oop gone = new_old(8, FORMAT_INDEXABLE, CLASS_ARRAY);
    object_slots(object)[0] = gone;
    heap->gc->ops->free(heap->gc, gone);
    says(LEAK_OBJECTS, "a slot that holds what is free",
         "object 0x%" PRIxWORD " of class Fixed: slot 0 holds 0x%" PRIxWORD
         ", which is no object (H1)\n%s", object, gone, path());
    object_slots(object)[0] = heap->nil;
    mended();
}

static void class_index_of_none(void)
{
    build(3, FORMAT_FIXED, MOCK_FIXED);
    Header good = header_of(object);
    *header_at(object) = (good & ~HEADER_CLASS_MASK) | 2000;
    says(LEAK_OBJECTS, "a class index that names no class",
         "object 0x%" PRIxWORD " of class index 2000: its class index names no class (H4)\n%s",
         object, path());
    *header_at(object) = good;
    mended();
}

static void too_long(void)
{
    build(3, FORMAT_FIXED, MOCK_FIXED);
    Oop last = rig.mm->ops->allocate_old(rig.mm, 100000, FORMAT_INDEXABLE, CLASS_ARRAY);
    object_fill(last, 0, 100000, heap->nil);
    uint64_t *overflow = (uint64_t *)word_pointer(last - HEADER_BYTES), good = *overflow;
    *overflow = (good & ~(uint64_t)0xFFFFFFFF) | 0x7FFFFFFF;
    says(LEAK_OBJECTS, "an object that passes the end of its space",
         "object 0x%" PRIxWORD " in old space has %u slots and passes the end", last, 0x7FFFFFFFu);
    *overflow = good;
    mended();
}

static void code_without_header(void)
{
    build(4, FORMAT_CODE, MOCK_METHOD);
    object_slots(object)[0] = small_integer_oop(9); /* literals */
    says(LEAK_OBJECTS, "a method with more literals than slots",
         "object 0x%" PRIxWORD " of class CompiledMethod: its header is 0x%" PRIxWORD
         ", or it counts more literals than it has slots (H5)\n%s",
         object, small_integer_oop(9), path());
    object_slots(object)[0] = small_integer_oop(0);
    mended();
}

/* ---- Roots ---- */

static void root_of_no_object(void)
{
    build(1, FORMAT_FIXED, MOCK_FIXED);
    size_t root = FIRST_ROOT + mock_root_push(rig.host, middle + 8);
    says(LEAK_ROOTS, "a root that holds no object",
         "root %zu holds 0x%" PRIxWORD ", which is no object (H1)", root, middle + 8);
    mock_root_pop(rig.host, 1);
    mended();
}

/* ---- The remembered set ---- */

static void not_remembered(void)
{
    build(3, FORMAT_FIXED, MOCK_FIXED);
    Oop young = heap_new_pointers(heap, 1, FORMAT_INDEXABLE, CLASS_ARRAY);
    object_slots(object)[2] = young; /* past the barrier, which is what is broken here */
    says(LEAK_REMEMBERED, "an old object that was not remembered",
         "object 0x%" PRIxWORD " of class Fixed is old and refers to a young object in slot 2, but "
         "is not remembered (H2)\n%s", object, path());
    object_slots(object)[2] = heap->nil;
    mended();
}

static void remembered_twice(void)
{
    build(3, FORMAT_FIXED, MOCK_FIXED);
    heap_store(heap, object, 0, heap_new_pointers(heap, 1, FORMAT_INDEXABLE, CLASS_ARRAY));
    heap->remembered[heap->remembered_count++] = object;
    says(LEAK_REMEMBERED, "an object that is remembered twice",
         "object 0x%" PRIxWORD " of class Fixed is in the remembered set twice (H2)\n%s", object,
         path());
    heap->remembered_count--;
    *header_at(object) &= ~HEADER_REMEMBERED;
    says(LEAK_REMEMBERED, "one without the bit",
         "object 0x%" PRIxWORD " of class Fixed is in the remembered set without the bit (H2)\n%s",
         object, path());
    *header_at(object) |= HEADER_REMEMBERED;
    *header_at(middle) |= HEADER_REMEMBERED;
    says(LEAK_REMEMBERED, "a bit without an entry",
         "2 objects have the remembered bit, 1 are in the remembered set (H2)");
    *header_at(middle) &= ~HEADER_REMEMBERED;
    Oop good = heap->remembered[0];
    heap->remembered[0] = object_slot(object, 0);
    says(LEAK_REMEMBERED, "an entry that is young",
         "entry 0 of the remembered set, 0x%" PRIxWORD ", is no old object (H2)",
         heap->remembered[0]);
    heap->remembered[0] = good;
    mended();
}

/* ---- The class table ---- */

static void entry_of_no_class(void)
{
    build(2, FORMAT_FIXED, MOCK_FIXED);
    Word *entry = &object_slots(object_slot(heap->hidden_roots, 1))[500];
    Word index = CLASS_PAGE_SIZE + 500;
    *entry = object;
    says(LEAK_CLASSES, "an entry that is no class",
         "entry %" PRIuWORD " of the class table, 0x%" PRIxWORD ", is no class (H4)", index,
         object);
    *entry = heap->nil;
    Oop page = object_slot(heap->hidden_roots, 1);
    object_slots(heap->hidden_roots)[1] = holder;
    says(LEAK_CLASSES, "a page that is none", "page 1 of the class table is no Array of %d (H4)",
         CLASS_PAGE_SIZE);
    object_slots(heap->hidden_roots)[1] = page;
    mended();
}

/* ---- Free chunks ---- */

static void chunk_in_no_list(void)
{
    build(1, FORMAT_FIXED, MOCK_FIXED);
    Oop gone = new_old(20, FORMAT_INDEXABLE, CLASS_ARRAY);
    new_old(20, FORMAT_INDEXABLE, CLASS_ARRAY); /* or it would grow together with what follows */
    Header good = header_of(gone);
    /* Free, but the collector was not told. */
    *header_at(gone) &= (Header)0xFF << HEADER_SLOTS_SHIFT;
    says(LEAK_FREE, "a chunk that the collector does not know",
         "1 free chunks are on no list, the first 0x%" PRIxWORD " of %" PRIuWORD " bytes (C5)",
         gone, object_size(gone));
    *header_at(gone) = good;
    mended();
}

/* ---- Weak objects, ephemerons, mourners ---- */

static void ephemeron_without_key(void)
{
    build(0, FORMAT_EPHEMERON, MOCK_EPHEMERON);
    says(LEAK_WEAK, "an ephemeron without a key",
         "object 0x%" PRIxWORD " of class Ephemeron is an ephemeron without a key\n%s", object,
         path());
    *header_at(object) = (header_of(object) & ~HEADER_FORMAT_MASK);
    mended();
}

static void weak_without_fields(void)
{
    build(0, FORMAT_WEAK, MOCK_WEAK);
    says(LEAK_WEAK, "a weak object without its fields",
         "object 0x%" PRIxWORD " of class Weak is weak and has fewer slots than its class has "
         "fields\n%s", object, path());
    *header_at(object) = (header_of(object) & ~HEADER_FORMAT_MASK);
    mended();
}

static void mourner_of_no_object(void)
{
    MmSpur *m = mm_spur(rig.mm);
    build(1, FORMAT_FIXED, MOCK_FIXED);
    mourner_add(m, middle);
    mourner_add(m, object + 8);
    says(LEAK_WEAK, "a mourner that is no object",
         "mourner 1, 0x%" PRIxWORD ", is no object (H1)", object + 8);
    m->mourners.count -= 2;
    m->weaklings.count = 1;
    says(LEAK_WEAK, "a list that should be empty",
         "1 weak objects and 0 ephemerons are listed between collections (M4)");
    m->weaklings.count = 0;
    mended();
}

/* ---- Marks ---- */

static void marked(void)
{
    build(3, FORMAT_FIXED, MOCK_FIXED);
    *header_at(object) |= HEADER_MARKED;
    says(LEAK_MARKS, "a mark that stayed",
         "object 0x%" PRIxWORD " of class Fixed is marked or grey between collections (M3)\n%s",
         object, path());
    *header_at(object) &= ~HEADER_MARKED;
    object = heap_new_pointers(heap, 3, FORMAT_FIXED, MOCK_FIXED);
    heap_store(heap, middle, 1, object);
    *header_at(object) |= HEADER_PINNED;
    says(LEAK_MARKS, "a young object that is pinned",
         "object 0x%" PRIxWORD " of class Fixed is young, but remembered or pinned (M3)\n%s",
         object, path());
    *header_at(object) &= ~HEADER_PINNED;
    heap_store(heap, middle, 1, heap->nil);
    mended();
}

/* ---- Ways ---- */

/* Of a long way the end is shown. */
static void long_way(void)
{
    build(3, FORMAT_FIXED, MOCK_FIXED);
    Oop at = object;
    for (unsigned i = 0; i < 20; i++) {
        Oop next = new_old(1, FORMAT_INDEXABLE, CLASS_ARRAY);
        heap_store(heap, at, 0, next);
        at = next;
    }
    *header_at(at) |= HEADER_GREY;
    says(LEAK_MARKS, "a long way",
         "object 0x%" PRIxWORD " of class Array is marked or grey between collections (M3)\n"
         "    11 steps from a root:\n    its slot 0: object ", at);
    *header_at(at) &= ~HEADER_GREY;
    Oop lost = new_old(2, FORMAT_INDEXABLE, CLASS_ARRAY);
    *header_at(lost) |= HEADER_GREY;
    says(LEAK_MARKS, "no way at all", "object 0x%" PRIxWORD " of class Array is marked or grey "
         "between collections (M3)\n    no root leads there", lost);
    *header_at(lost) &= ~HEADER_GREY;
    mended();
}

int main(void)
{
    mm_rig_open(&rig, 64 << 20, NULL);
    heap = rig.heap;
    slot_of_no_object();
    slot_of_a_chunk();
    class_index_of_none();
    too_long();
    code_without_header();
    root_of_no_object();
    not_remembered();
    remembered_twice();
    entry_of_no_class();
    chunk_in_no_list();
    ephemeron_without_key();
    weak_without_fields();
    mourner_of_no_object();
    marked();
    long_way();
    mm_rig_close(&rig);
    return done_testing();
}
