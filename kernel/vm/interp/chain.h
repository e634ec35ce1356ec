/* The chain of activations from callee to caller: frames where there are frames, else contexts. */
#ifndef OSVM_VM_INTERP_CHAIN_H
#define OSVM_VM_INTERP_CHAIN_H

#include "kernel/vm/interp/interp_int.h"

typedef struct {
    Word fp;     /* 0: it is `context` */
    Oop context; /* NO_OOP: there is none, the chain has ended */
} Activation;

enum { CHAIN_MAX = 1 << 30 }; /* a longer chain of senders is a cycle */

static inline Activation chain_frame(Word fp)
{
    return (Activation){fp, NO_OOP};
}

static inline Activation chain_at(Oop context)
{
    if (!is_context(context))
        return chain_frame(0);
    return context_married(context) ? chain_frame(context_frame(context)) : (Activation){0, context};
}

static inline bool chain_ended(Activation a)
{
    return !a.fp && !a.context;
}

static inline bool chain_is_same(Activation a, Activation b)
{
    return a.fp == b.fp && a.context == b.context;
}

static inline Activation chain_sender(Activation a)
{
    if (!a.fp)
        return chain_at(follow(object_slot(a.context, CONTEXT_SENDER)));
    Word *frame = frame_at(a.fp);
    return frame[FRAME_SAVED_FP] ? chain_frame(frame[FRAME_SAVED_FP])
                                 : chain_at(follow(frame[FRAME_RETURN]));
}

/* Its context, made if need be. NO_OOP: no memory. */
static inline Oop chain_context(Vm *vm, Activation a)
{
    return a.fp ? stack_frame_context(vm, a.fp) : a.context;
}

/* The number of the primitive that marks the activation of a method for unwinding or handlers; 0
 * for others, and for blocks. */
unsigned chain_marker(Vm *vm, Activation a);

/* Is `target` among the activations to which `a` returns? */
bool chain_leads_to(Activation a, Activation target);

/* Leaves every activation from the running one up to and including `last`: their contexts die.
 * No frame runs afterwards. */
void chain_abandon(Vm *vm, Activation last);

/* Makes `target`, to which `a` returns sooner or later, the sender of `a`: what is between them
 * dies. Frames from `a` on stay frames, but move. False: no memory, or what runs would die, or the
 * chain is no line. */
bool chain_cut(Vm *vm, Activation a, Activation target);

#endif
