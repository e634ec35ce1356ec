/* The parts of the conformance suite of JIT back ends. Tests say what is wrong by `test`; the back end and the
 * processor under test are in `rig`, since routines of machine code have no context. */
#ifndef T_SUPPORT_JIT_SUITE_H
#define T_SUPPORT_JIT_SUITE_H

#include "t/support/jit_rig.h"

/* t/heap_jit_conformance.c: one line of TAP, and whether it held. */
#define test(held, ...) suite_test((held), __FILE__, __LINE__, __VA_ARGS__)
bool suite_test(bool held, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void suite_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

enum {
    SUITE_SEED = 20260101, /* of all that is random */
    MIDDLE = 1024          /* the stack pointer's offset in the model's memory */
};

/* ---- jit_suite_meaning.c ---- */

extern JitRig rig;
extern ModelState suite_state; /* what the next program starts from, and then what the last left */
/* Of the group at work: how many cases there were, and how many of them were wrong. */
extern unsigned suite_cases, suite_wrong;
extern unsigned suite_every;   /* of the cases in which an instruction stands alone one in so many is run */

uint64_t suite_random(void);
void suite_new_state(void);
/* Ends a group: one line of TAP. */
void suite_group(const char *name);

/* Programs: an instruction is added; the program takes its registers from the state, and ends well. */
JitInstruction *suite_add(JitOperation operation, unsigned a, unsigned b, SWord value);
void suite_begin(void);
void suite_close(void);

void suite_moves(void);
void suite_memory(void);
void suite_stack(void);
void suite_arithmetic(void);
void suite_checked(void);
void suite_branches(void);
void suite_transfers(void);
void suite_floats(void);
void suite_frame(void);
void suite_operands(void);
void suite_frameless(void);
void suite_taken_return(void);
void suite_loop(void);

/* ---- jit_suite_promises.c ---- */

extern const CpuRoutine suite_routines[2]; /* for rig_open */

void suite_distances(void);
void suite_far_pool(void);
void suite_stubs(void);
void suite_promises(void);
void suite_stub_promises(void);
void suite_moving(void);
void suite_unknown(void);

#endif
