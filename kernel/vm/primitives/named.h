/* Named primitives: modules, their functions, and the links methods hold to them. */
#ifndef OSVM_VM_PRIMITIVES_NAMED_H
#define OSVM_VM_PRIMITIVES_NAMED_H

#include "kernel/vm/vm.h"

bool named_start(Vm *vm);  /* false: no memory */
void named_stop(Vm *vm);
/* A new session: links in methods of the image just loaded are void, modules are told. */
void named_new_session(Vm *vm);

/* Calls the function that `method` (primitive 117) names, linking it on first use. */
PrimFailure named_call(Vm *vm, Oop method, unsigned arg_count);
/* How deep that function's arguments are searched for forwarders; -1: not linked. */
int named_accessor_depth(Vm *vm, Oop method);

/* One function of the VM itself, callable as a named primitive without a module. */
typedef struct {
    const char *name;
    PrimFunction function;
    int8_t accessor_depth;
} BuiltinPrim;
extern const BuiltinPrim builtin_prims[]; /* ends with a NULL name; builtin.c */

/* The services modules are given (api.c). */
struct OsvmPrimApi;
extern const struct OsvmPrimApi prim_api;
/* Calls a module's function with the current stack; answers its failure code. */
PrimFailure api_call(Vm *vm, const OsvmInstance *module, const OsvmPrim *prim, unsigned arg_count);

#endif
