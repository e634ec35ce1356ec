/* References that C code holds across collections, and active callbacks.
 *
 * Three kinds: variables of C functions, pushed and popped last in, first out; objects
 * kept by ticket; and what each callback from foreign code found on the stack.
 * Collectors know no other C root.
 */
#ifndef OSVM_VM_ROOTS_H
#define OSVM_VM_ROOTS_H

#include "kernel/vm/vm.h"

/* One call from foreign code into Smalltalk. Callbacks end in the reverse order of
 * their beginning; one that ends too early waits until those above it have ended. */
typedef struct Callback {
    struct Callback *below; /* begun before this one; NULL: the first */
    uintptr_t c_stack;      /* address of a local of the C function that called */
    Oop process;            /* that called out; of one that has returned: that waits */
    Oop caller;             /* the context that called out */
    Oop starter;            /* the context that the callback began with */
    Oop answer;             /* of one that has returned */
    Oop new_method;         /* whose primitive called out */
    unsigned roots;         /* depth of the root stack when it began */
    unsigned number;        /* 1 for the first, one more than `below` for others */
    bool returned;          /* its Smalltalk side has answered; it leaves when it is on top */
} Callback;

/* An object kept by ticket. */
typedef struct {
    Oop object;    /* NO_OOP: free */
    uint32_t next; /* of a free one: the next free ticket; 0: none */
} Kept;

enum { ROOT_STACK_MAX = 256 };

typedef struct Roots {
    Oop *stack[ROOT_STACK_MAX];
    unsigned depth;

    Kept *kept; /* by ticket - 1 */
    uint32_t kept_capacity, first_free; /* first_free: a ticket; 0: none */

    Callback *callbacks; /* the innermost */
} Roots;

void roots_visit(Vm *vm, SlotVisitor visit, void *context);
void roots_release(Vm *vm);

/* The record is the caller's, on its C stack. */
void callback_begin(Vm *vm, Callback *callback, Oop process);
/* Takes back the innermost. False: another one is above it; `returned` is set and it has
 * to wait. */
bool callback_end(Vm *vm, Callback *callback);
/* Callbacks that are active; a snapshot needs 0. */
unsigned callback_count(Vm *vm);

#endif
