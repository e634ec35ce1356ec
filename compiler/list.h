/* Growing arrays in an arena: any struct with the fields items, count and capacity. */
#ifndef OSVM_COMPILER_LIST_H
#define OSVM_COMPILER_LIST_H

#include "kernel/base/arena.h"

#define LIST_ADD(arena, list, ...)                                                                \
    do {                                                                                          \
        if ((list).count == (list).capacity) {                                                    \
            (list).capacity = (list).capacity ? 2 * (list).capacity : 4;                          \
            (list).items = arena_grow((arena), (list).items, (list).count * sizeof *(list).items, \
                                      (list).capacity * sizeof *(list).items);                    \
        }                                                                                         \
        (list).items[(list).count++] = __VA_ARGS__;                                               \
    } while (0)

#endif
