/* Lists of references, kept outside the heap in side tables of the host. */
#include "spur.h"

enum { FIRST_CAPACITY = 8192 };

static _Noreturn __attribute__((cold)) void list_fail(size_t entries)
{
    REQUIRE(false, "the host has no memory left for a list of %zu references", entries);
    abort();
}

static __attribute__((cold, noinline)) void oop_list_grow(MmSpur *m, OopList *list)
{
    Heap *heap = m->mm.heap;
    size_t capacity = list->capacity ? 2 * list->capacity : FIRST_CAPACITY;
    Oop *items = heap->host->side_table_reserve(heap, capacity * sizeof(Oop));
    if (!items)
        list_fail(capacity);
    if (list->count)
        memcpy(items, list->items, list->count * sizeof(Oop));
    oop_list_release(m, list);
    list->items = items;
    list->capacity = capacity;
}

void oop_list_push(MmSpur *m, OopList *list, Oop oop)
{
    if (list->count == list->capacity)
        oop_list_grow(m, list);
    list->items[list->count++] = oop;
}

/* Gives the memory back; the count stays, for oop_list_grow. */
void oop_list_release(MmSpur *m, OopList *list)
{
    Heap *heap = m->mm.heap;
    if (list->items)
        heap->host->side_table_release(heap, list->items, list->capacity * sizeof(Oop));
    list->items = NULL;
    list->capacity = 0;
}

bool word_stack_reserve(MmSpur *m, WordStack *stack, size_t capacity)
{
    Heap *heap = m->mm.heap;
    stack->items = heap->host->side_table_reserve(heap, capacity * sizeof(Word));
    stack->capacity = stack->items ? capacity : 0;
    stack->count = 0;
    return stack->items != NULL;
}

void word_stack_release(MmSpur *m, WordStack *stack)
{
    Heap *heap = m->mm.heap;
    if (stack->items)
        heap->host->side_table_release(heap, stack->items, stack->capacity * sizeof(Word));
    *stack = (WordStack){0};
}
