/* Inside the leak check: what its files share. */
#ifndef OSVM_MM_SPUR_LEAK_H
#define OSVM_MM_SPUR_LEAK_H

#include "spur.h"

typedef struct {
    MmSpur *m;
    Heap *heap;
    LeakCheck *request;
    uint64_t *starts;     /* one bit for each 8 bytes of new and old space: an object is here */
    uint64_t *remembered; /* the same: the object is in the remembered set */
    size_t map_bytes;     /* of each */
    Word base;
    size_t objects;       /* that walking found */
    unsigned name_slot;   /* of classes; 0: not known */
    size_t remembered_bits; /* objects that have the bit */
    size_t roots;         /* looked at, in the order of paths */
    unsigned paths_left;  /* how many findings may still say how their object is reached */
} Check;

/* leak_check.c */
/* Reports a finding of a subset. `object` is the object at fault, whose path from a root
 * is added; NO_OOP: none. */
void leak_find(Check *c, unsigned subset, Oop object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* leak_path.c */
/* "object 0x... of class Name", as far as can be told safely; into `text`, which is answered. */
const char *leak_describe(const Check *c, Oop object, char *text, size_t size);
void leak_find_name_slot(Check *c);
/* Where the class of an index is, if that can be told safely; NO_OOP otherwise. */
Oop leak_class(const Check *c, Word index);
/* Reports the shortest way from a root to the object. */
void leak_report_path(Check *c, Oop object);

enum { DESCRIPTION = 128 };

static inline size_t leak_granule(const Check *c, Word address)
{
    return (size_t)(address - c->base) >> 3;
}

static inline bool leak_map_has(const Check *c, const uint64_t *map, Word address)
{
    size_t bit = leak_granule(c, address);
    return map[bit >> 6] >> (bit & 63) & 1;
}

static inline void leak_map_set(const Check *c, uint64_t *map, Word address)
{
    size_t bit = leak_granule(c, address);
    map[bit >> 6] |= (uint64_t)1 << (bit & 63);
}

static inline bool leak_in_spaces(const Check *c, Word address)
{
    return address >= c->base && address < c->heap->old_end && address % OBJECT_ALIGNMENT == 0;
}

/* Does an object begin there? */
static inline bool leak_is_known(const Check *c, Oop oop)
{
    return leak_in_spaces(c, oop) && leak_map_has(c, c->starts, oop);
}

#endif
