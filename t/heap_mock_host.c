/* The mock host and its synthetic image, by which everything else is tested. */
// LINK: t/support/mock_host.c
#include "support/mock_host.h"
#include "tap.h"

int main(void)
{
    MockHost *host = mock_host_new(8 << 20);
    Heap *heap = &host->heap;
    heap->new_start = mock_host_new_start(host);
    heap->old_start = heap->new_start + (1 << 20);
    heap->old_limit = host->limit;
    heap->old_end = heap->old_start + MOCK_IMAGE_BYTES;
    ok(heap->host->commit(heap, heap->old_start, heap->old_end), "old space is committed");
    Word end = mock_image_write(host);
    ok(end <= heap->old_end, "the image fits MOCK_IMAGE_BYTES: %" PRIuWORD " bytes",
       end - heap->old_start);

    Word objects = 0, bad = 0;
    for (Oop oop = heap->old_start; oop < end; oop = heap_next_object(oop, end)) {
        Oop class = heap_class_of(heap, oop);
        bad += class == heap->nil || header_hash(header_of(class)) == 0;
        objects++;
    }
    ok(objects > 60, "%" PRIuWORD " objects are walked", objects);
    is_int(bad, 0, "each has a class with a hash");
    is_int(heap_fixed_fields(heap, heap_class_at(heap, CLASS_ARRAY)), MOCK_CLASS_SLOTS,
           "classes are instances of Metaclass");
    ok(heap_class_of(heap, small_integer_oop(-1)) == heap_special(heap, SPECIAL_CLASS_SMALL_INTEGER),
       "immediates have a class");
    ok(!is_immediate(heap->special_objects) && WORD_BITS / 8 == sizeof(Oop), "oops fit a word");
    size_t root = mock_root_push(host, heap->nil);
    ok(mock_root(host, root) == heap->nil, "a root holds what was pushed");
    host->commit_limit = host->committed;
    ok(!heap->host->commit(heap, heap->old_end, heap->old_end + heap->page_size),
       "commit fails at its limit");
    mock_host_free(host);
    return done_testing();
}
