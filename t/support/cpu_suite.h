/* The parts of the conformance suite of processors. Tests say what is wrong by `test`; the processor
 * under test is `cpu`, since routines of machine code have no context. */
#ifndef OSVM_T_CPU_SUITE_H
#define OSVM_T_CPU_SUITE_H

#include "t/support/cpu_rig.h"

extern CpuRig *rig;
extern Cpu *cpu;

/* t/cpu_conformance.c: one line of TAP, and whether it held. */
#define test(held, ...) suite_test((held), __FILE__, __LINE__, __VA_ARGS__)
bool suite_test(bool held, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void suite_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- Routines that machine code calls ---- */

enum { SUM, NESTED, STOPPING, REDIRECTING, STOP_AND_REDIRECT, PATCHING, LOOKING, LOOKING_STOPPED,
       STOP_WITHIN, ROUTINES };
extern const CpuRoutine suite_routines[ROUTINES];

typedef struct {
    unsigned calls[ROUTINES];
    uintptr_t redirect_to;
    uintptr_t seen_pc;        /* by LOOKING */
    uintptr_t seen_arguments[2];
    bool condition_answer;
    unsigned condition_calls;
    bool condition_looks;     /* the condition compares the pc with the stop's */
    bool condition_right;
} SuiteState;
extern SuiteState suite;

bool suite_condition(void *context, Cpu *asked, const CpuStop *stop);
uintptr_t suite_routine(int index);
/* Address of the n-th instruction of a program, from 0. */
uintptr_t suite_instruction(int program, unsigned n);
CpuReason suite_enter(int program, uintptr_t a, uintptr_t b, uintptr_t c, CpuStop *stop);
/* The program answers; else what happened is said, and given up. */
bool suite_returns(int program, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t expected,
                   const char *name);
/* Gives up what stopped, if something did. */
void suite_abandon(const CpuStop *stop);
const CpuMachine *suite_machine(void);

/* ---- Parts ---- */

void suite_start(void);        /* not started yet: machines, refusals, starting again */
void suite_disassemble(void);
void suite_calls(void);        /* every processor */
void suite_patched(void);
void suite_fork(void);
void suite_memory(void);       /* simulated ones, from here on */
void suite_registers(void);
void suite_faults(void);
void suite_repaired(void);
void suite_requests(void);
void suite_nested_stops(void);
void suite_breakpoints(void);
void suite_watchpoints(void);
void suite_budget(void);
void suite_ring_and_trace(void);

#endif
