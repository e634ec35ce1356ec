/* Inside the x64 back end: which register is which, and what the files share. */
#ifndef OSVM_JIT_X64_H
#define OSVM_JIT_X64_H

#include "emit.h"
#include "osvm/jit.h"

/* Free for the back end between two abstract instructions: r11 and rdi. */
#define SCRATCH R11
#define VM_ARGUMENT RDI

/* target.c */
extern const uint8_t x64_registers[JIT_REGISTERS];

/* select.c */
uint32_t x64_encode(JitBackEnd *back_end, const JitCode *code);

/* abi.c */
enum { STUB_MOST = 128 };
uint32_t x64_encode_stub(JitBackEnd *back_end, const JitStub *stub, const JitVariables *variables);

#endif
