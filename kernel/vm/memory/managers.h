/* Loading memory manager and collector, and another collector while the image runs. */
#ifndef OSVM_VM_MEMORY_MANAGERS_H
#define OSVM_VM_MEMORY_MANAGERS_H

#include "kernel/vm/vm.h"

/* Loads what the user selected, and puts a guard in front where torture or leak checks are
 * wanted. Sets heap.mm and heap.gc; nothing is started. */
bool managers_load(Vm *vm, OsvmError *error);
/* The name of the collector at work. */
const char *managers_collector_name(const Vm *vm);
/* At a poll: another collector takes over old space. `text` is as for --gc, without a
 * variant: 'sweep' or 'sweep,lazy'. On failure the old one goes on. */
bool managers_switch_collector(Vm *vm, const char *text, OsvmError *error);

/* Primitives without a module. */
PrimFailure prim_collector(Vm *vm, unsigned arg_count);
PrimFailure prim_set_collector(Vm *vm, unsigned arg_count);

#endif
