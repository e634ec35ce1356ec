/* Clones of the running VM.
 *
 * Heap, stacks and C's memory are private, so a fork copies them; the service of the
 * kernel (OsvmHost.fork) tells all plugins. What the core itself shares with others is
 * the code zone, which the clone makes anew.
 */
#ifndef OSVM_VM_CLONE_H
#define OSVM_VM_CLONE_H

#include "kernel/vm/vm.h"

/* The clone's process id, in the clone 0, else -errno. Within a primitive; objects stay where
 * they are. */
int vm_fork(Vm *vm, bool muted);

/* Named primitives of the VM, see builtin.c. */
PrimFailure prim_snapshot_in_clone(Vm *vm, unsigned arg_count); /* kernel/vm/interp/snapshot.c */
PrimFailure prim_fork_vm(Vm *vm, unsigned arg_count);         /* muted */
PrimFailure prim_reap_clone(Vm *vm, unsigned arg_count);    /* process id */

#endif
