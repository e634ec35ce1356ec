/* The shim: lets honest work pass, and names the rule that was broken. */
// LINK: t/support/confession.c t/support/mock_host.c t/support/mm_rig.c t/support/plugin_user.c plugins/mm-spur/*.c plugins/mm-shim/*.c plugins/gc-compact/*.c plugins/gc/*.c
#include "support/confession.h"
#include "support/mm_rig.h"
#include "tap.h"

typedef void Crime(MmRig *rig);

static void commit(void *crime)
{
    MmRig rig;
    mm_rig_open(&rig, 32 << 20, NULL);
    (*(Crime **)crime)(&rig);
}

static const char *confession_of(Crime *crime)
{
    return confession(commit, &crime);
}

static Oop new_pair(Heap *heap)
{
    return heap_new_pointers(heap, 3, FORMAT_FIXED, MOCK_FIXED);
}

static Oop new_old_pair(MmRig *rig)
{
    Oop old = rig->mm->ops->allocate_old(rig->mm, 3, FORMAT_FIXED, MOCK_FIXED);
    object_fill(old, 0, 3, rig->heap->nil);
    mock_root_push(rig->host, old);
    return old;
}

static void crime_remember_young(MmRig *rig)
{
    rig->mm->ops->remember(rig->mm, new_pair(rig->heap));
}

static void crime_no_barrier(MmRig *rig)
{
    heap_store_unchecked(new_old_pair(rig), 1, new_pair(rig->heap));
    rig->mm->ops->collect_full(rig->mm);
}

static void crime_wild_pointer(MmRig *rig)
{
    Oop old = new_old_pair(rig);
    heap_store_unchecked(old, 2, old + 8);
    rig->mm->ops->collect_full(rig->mm);
}

static void crime_format(MmRig *rig)
{
    rig->mm->ops->allocate(rig->mm, 3, FORMAT_FORWARDER, MOCK_FIXED);
}

static void crime_dead_class(MmRig *rig)
{
    Oop old = new_old_pair(rig);
    *header_at(old) = (header_of(old) & ~HEADER_CLASS_MASK) | (MOCK_CLASS_END + 5);
    rig->mm->ops->collect_full(rig->mm);
}

static void crime_unfilled(MmRig *rig)
{
    mock_root_push(rig->host, rig->mm->ops->allocate_old(rig->mm, 3, FORMAT_FIXED, MOCK_FIXED));
    rig->mm->ops->collect_full(rig->mm);
}

static void crime_overlap(MmRig *rig)
{
    Oop first = new_old_pair(rig), second = new_old_pair(rig);
    Word slots = (object_end(second) - first - HEADER_BYTES) / WORD_BYTES;
    *header_at(first) = (header_of(first) & ~((Header)0xFF << HEADER_SLOTS_SHIFT)) |
                        (Header)slots << HEADER_SLOTS_SHIFT;
    for (Word i = 3; i < slots; i++)
        object_slots(first)[i] = rig->heap->nil;
    rig->mm->ops->collect_full(rig->mm);
}

static void crime_adopt_twice(MmRig *rig)
{
    rig->mm->ops->adopt(rig->mm, rig->heap->old_end);
}

static void crime_remembered_bit(MmRig *rig)
{
    *header_at(new_old_pair(rig)) |= HEADER_REMEMBERED;
    rig->mm->ops->collect_full(rig->mm);
}

int main(void)
{
    has_text(confession_of(crime_remember_young), "is remembered (H2)", "remembering a young object");
    has_text(confession_of(crime_no_barrier), "of class Fixed is old and refers to a young object",
             "a store without the barrier");
    has_text(confession_of(crime_wild_pointer), "slot 2 holds", "a reference into an object");
    has_text(confession_of(crime_format), "format 7", "a new object of no format");
    has_text(confession_of(crime_dead_class), "names no class (H4)", "an object without a class");
    if (WORD_BITS == 64)
        has_text(confession_of(crime_unfilled), "illegal immediate (H1)", "a slot nobody filled");
    has_text(confession_of(crime_overlap), "holds", "an object that swallows the next");
    has_text(confession_of(crime_adopt_twice), "used heap", "a second image");
    has_text(confession_of(crime_remembered_bit), "have the remembered bit", "a bit without an entry");
    return done_testing();
}
