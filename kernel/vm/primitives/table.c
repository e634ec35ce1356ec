/* The table of numbered primitives. */
#include "kernel/vm/primitives/primitives.h"

enum { A = PRIM_MAY_ALLOCATE, S = PRIM_MAY_SWITCH, C = PRIM_MAY_COLLECT, W = PRIM_TOUCHES_WORLD };

const PrimEntry prim_table[PRIM_TABLE_SIZE] = {
#define PRIM(number, prim, depth, bits)                                                            \
    [number] = {.function = prim_##prim, .name = #prim, .accessor_depth = depth, .flags = bits},
#include "kernel/vm/primitives/primitives.def"
#undef PRIM
};
