/* Messages sent by primitives; see callback.c. */
#ifndef OSVM_VM_INTERP_CALLBACK_H
#define OSVM_VM_INTERP_CALLBACK_H

#include "kernel/vm/vm.h"

/* Within a primitive that may call back: sends the message in the running process and answers
 * when it is answered; objects move meanwhile. The stack is as before. Else a failure:
 * PRIM_CALLBACK_ERROR if the program ends, and the primitive must do so too. */
int callback_perform(Vm *vm, Oop receiver, Oop selector, const Oop *arguments, unsigned count,
                     Oop *answer);
/* The running frame has nowhere to return to: true if it began a callback, which has its answer
 * now. Then the loop is left, or another process runs. */
bool callback_return(Vm *vm, Oop value);
/* A poll: goes on with a callback that has returned and waited for those above it. */
void callback_at_poll(Vm *vm);

#endif
