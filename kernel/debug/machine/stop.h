/* Machine code stopped for another reason than that it returned. */
#ifndef OSVM_DEBUG_MACHINE_STOP_H
#define OSVM_DEBUG_MACHINE_STOP_H

#include "kernel/vm/vm.h"
#include "osvm/cpu.h"

/* Says why, where, and in what state, on standard error. Answers whether to go on; if not, the
 * program is ending. */
bool machine_stopped(Vm *vm, Cpu *cpu, const CpuStop *stop);

#endif
