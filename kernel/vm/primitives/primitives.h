/* The numbered primitives: their prototypes, and the table the interpreter reads. */
#ifndef OSVM_VM_PRIMITIVES_H
#define OSVM_VM_PRIMITIVES_H

#include "kernel/vm/vm.h"

#define PRIM(number, name, depth, flags) PrimFailure prim_##name(Vm *vm, unsigned arg_count);
#include "kernel/vm/primitives/primitives.def"
#undef PRIM

/* By number; an entry without a function is unassigned. */
extern const PrimEntry prim_table[PRIM_TABLE_SIZE];

/* A shallow copy (an immediate is its own); NO_OOP: no memory. */
Oop vm_clone(Vm *vm, Oop object);
/* Objects the VM itself writes to may not become read-only. */
bool vm_must_stay_writable(Vm *vm, Oop object);

/* The image's clocks begin at 1901-01-01 00:00: so many microseconds before 1970. */
#define SQUEAK_EPOCH_US INT64_C(2177452800000000)

/* UTC in microseconds since 1901. */
int64_t clock_utc(Vm *vm);
/* UTC microseconds since 1970 and the offset; a clock of unspecified unit. Named primitives. */
PrimFailure prim_posix_utc_and_offset(Vm *vm, unsigned arg_count);
PrimFailure prim_high_resolution_clock(Vm *vm, unsigned arg_count);

#endif
