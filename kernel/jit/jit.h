/* The JIT as the rest of the core sees it.
 *
 * A frame runs in machine code exactly if its pc (vm->ip of the newest frame, the return pc of
 * the frame above for others) lies in the code zone. Everything else in the frame is the same in
 * both tiers. Machine code may be resumed at such a pc in one way only: its newest value is
 * popped into a register, which is the answer of the send the frame waited for. (Where it waits
 * for none, at polls, the code pushes that value again.) So whoever answers to a frame pushes
 * the answer and goes on at its pc, whichever tier that is.
 *
 *  S5  A frame in machine code has FRAME_ODD_RETURN clear only if its return is a plain one: to
 * machine code on the same page, from a frame without a context.
 */
#ifndef OSVM_JIT_JIT_H
#define OSVM_JIT_JIT_H

#include "kernel/vm/vm.h"

struct LookupEntry;

/* Is the pc one of machine code? */
static inline bool jit_is_pc(const Vm *vm, Word pc)
{
    return pc - vm->jit.zone_start < vm->jit.zone_bytes;
}

#ifndef OSVM_NO_JIT

/* jit.c */
/* Makes the JIT ready if the user asked for a back end; the zone is [start, end) of the region. */
bool jit_start(Vm *vm, Word start, Word end, OsvmError *error);
void jit_stop(Vm *vm);
Word jit_zone_size(const Vm *vm);

/* zone.c: around a fork. False: no memory, and nothing is to be undone. */
bool jit_before_fork(Vm *vm);
void jit_after_fork(Vm *vm, bool in_clone);

/* processor.c */
/* Runs machine code at vm->ip until it leaves; what comes next is the interpreter's. */
void jit_run(Vm *vm);
/* Memory of the region has become usable, or is about to be given back: processors hear of it. */
void jit_memory_mapped(Vm *vm, Word start, Word end);
void jit_memory_unmapped(Vm *vm, Word start, Word end);
/* The logical time at which the processor is to change next; UINT64_MAX: never. */
uint64_t jit_next_move(const Vm *vm);
/* A poll: changes the processor if it is time, or if somebody asked (`toggle`). */
void jit_at_poll(Vm *vm, bool toggle);

/* entry.c: from the interpreter into machine code. Each answers whether vm->ip is now machine
 * code's. */

/* An interpreter frame has just been built, its poll point is still to come. */
bool jit_enter_frame(Vm *vm);
/* The running frame is about to execute the bytecode at vm->ip, the target of a jump back that
 * has been polled. */
bool jit_enter_loop(Vm *vm);
/* The running frame waits for the answer of a send, which will be pushed: on in machine code. */
void jit_enter_waiting(Vm *vm);
/* The activations of a method, with these FRAME_FLAGS, or of a full block with so many copied
 * values, are hot: compiles it. */
void jit_heat(Vm *vm, Oop method, Word flags);
void jit_heat_block(Vm *vm, Oop code, unsigned copied);

/* frames.c */
/* The bytecode address that a machine pc stands for. */
Word jit_bytecode_ip(Vm *vm, Word pc);
/* Every frame that runs the machine code of `code` goes on in the interpreter. */
void jit_leave_code(Vm *vm, Oop code);

/* methods.c */
void jit_visit_roots(Vm *vm, SlotVisitor visit, void *context);
void jit_follow_forwarders(Vm *vm);
/* Lookup caches were flushed, of everything or one selector or method (NO_OOP: all). */
void jit_unlink(Vm *vm, Oop selector, Oop method);
void jit_objects_will_move(Vm *vm, bool young_only);
/* A full collection is over: classes may have gone. */
void jit_collected(Vm *vm);
/* The method header that slot 0 held before this address of machine code. */
SWord jit_method_header(Word address);
/* The machine code of `code` is of no use any more. */
void jit_forget(Vm *vm, Oop code);

/* verify.c: checks frames and the code zone, in checked builds. */
void jit_verify(Vm *vm);

#else

static inline void jit_verify(Vm *vm) {}
static inline bool jit_start(Vm *vm, Word start, Word end, OsvmError *error) { return true; }
static inline void jit_stop(Vm *vm) {}
static inline Word jit_zone_size(const Vm *vm) { return 0; }
static inline bool jit_before_fork(Vm *vm) { return true; }
static inline void jit_after_fork(Vm *vm, bool in_clone) {}
static inline void jit_run(Vm *vm) {}
static inline void jit_memory_mapped(Vm *vm, Word start, Word end) {}
static inline void jit_memory_unmapped(Vm *vm, Word start, Word end) {}
static inline uint64_t jit_next_move(const Vm *vm) { return UINT64_MAX; }
static inline void jit_at_poll(Vm *vm, bool toggle) {}
static inline bool jit_enter_frame(Vm *vm) { return false; }
static inline bool jit_enter_loop(Vm *vm) { return false; }
static inline void jit_enter_waiting(Vm *vm) {}
static inline void jit_heat(Vm *vm, Oop method, Word flags) {}
static inline void jit_heat_block(Vm *vm, Oop code, unsigned copied) {}
static inline Word jit_bytecode_ip(Vm *vm, Word pc) { return pc; }
static inline void jit_leave_code(Vm *vm, Oop code) {}
static inline void jit_visit_roots(Vm *vm, SlotVisitor visit, void *context) {}
static inline void jit_follow_forwarders(Vm *vm) {}
static inline void jit_unlink(Vm *vm, Oop selector, Oop method) {}
static inline void jit_objects_will_move(Vm *vm, bool young_only) {}
static inline void jit_collected(Vm *vm) {}
static inline void jit_forget(Vm *vm, Oop code) {}
static inline SWord jit_method_header(Word address) { return 0; }

#endif

/* The bytecode address where the frame with this pc is. */
static inline Word jit_ip(Vm *vm, Word pc)
{
    return jit_is_pc(vm, pc) ? jit_bytecode_ip(vm, pc) : pc;
}

#endif
