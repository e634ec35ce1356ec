/* What primitives and image code need of the interpreter: contexts that may be
 * married to frames, caches, leaving the VM. Implemented in kernel/vm/interp/.
 *
 * What puts a field of a context, or makes one single, may give the running activation
 * another frame, and what ends the VM leaves the interpreter: the primitives that call
 * it are declared PRIM_MAY_SWITCH. They address the stack through vm->sp afterwards. */
#ifndef OSVM_VM_INTERP_SERVICES_H
#define OSVM_VM_INTERP_SERVICES_H

#include "kernel/vm/vm.h"

/* ---- Contexts. A married context answers the live values of its frame. ---- */

/* Number of stack slots in use (arguments, temporaries, operands). */
Word context_size(Vm *vm, Oop context);
/* The i-th of them, 0-based, below context_size. */
Oop context_stack_at(Vm *vm, Oop context, Word index);
void context_stack_at_put(Vm *vm, Oop context, Word index, Oop value);
/* The six fixed fields (CONTEXT_SENDER ...). Getting the sender may allocate its context
 * (NO_OOP: no memory). Putting flushes a married context where needed; false if the value
 * is not allowed there. */
Oop context_field(Vm *vm, Oop context, Word index);
bool context_field_put(Vm *vm, Oop context, Word index, Oop value);
/* Flushes the frame of a married context, so that the heap object is all there is. */
void context_make_single(Vm *vm, Oop context);
/* A single copy of a context, NO_OOP: no memory. */
Oop context_clone(Vm *vm, Oop context);
bool context_is_married(Vm *vm, Oop context);

/* ---- Code ---- */

/* Bytecodes, literals or header of compiled code were written: forget that it was verified
 * and whatever was derived from it. */
void code_changed(Vm *vm, Oop code);
/* Replaces the header (slot 0); the literals it names must lie within the code and
 * newly named ones are set to nil first. */
void code_put_header(Vm *vm, Oop code, Oop header);

/* ---- Lookup caches ---- */
void lookup_flush(Vm *vm);
void lookup_flush_selector(Vm *vm, Oop selector);
void lookup_flush_method(Vm *vm, Oop method);

/* Number of a method's primitive; 0: none. */
unsigned method_primitive(Vm *vm, Oop method);
/* Every frame becomes a context; the running one then gets a new frame. */
void stack_flush(Vm *vm);
/* The context of the running activation; NO_OOP: no memory. */
Oop stack_active_context(Vm *vm);

/* ---- Memory: see memory.c ---- */

/* After the memory manager has started: keeps a reserve below the limit of old space. */
void memory_start(Vm *vm);
/* Around whatever looks at or moves the limit itself. */
void memory_release_reserve(Vm *vm);
void memory_keep_reserve(Vm *vm);

/* ---- The poll's sources ---- */

/* Counts a signal for the semaphore at a 1-based index of the external objects; it is
 * delivered at the next poll. Any thread. */
void poll_signal_external(Vm *vm, unsigned index);

/* ---- Leaving ---- */

/* Does the caller run on the thread of the loop? */
bool interp_is_own_thread(Vm *vm);

/* Makes run() return with this exit code as soon as the current primitive has returned. */
void vm_request_exit(Vm *vm, int code);

#endif
