/* Methods from the assembler's text, put into an image's heap; see assemble.c. */
#ifndef OSVM_VM_ASSEMBLE_H
#define OSVM_VM_ASSEMBLE_H

#include "kernel/base/arena.h"
#include "kernel/bytecode/method.h"
#include "kernel/vm/vm.h"

/* A whole file and a NUL behind it, to be freed by the caller; NULL: `error` is set. */
char *assemble_read_file(const OsvmHost *host, const char *path, size_t *length, OsvmError *error);

/* Lists the methods on standard output; false if the verifier refuses one (and says so there). */
bool assemble_list(CompiledCode *const *methods, size_t count, Arena *arena);

/* Symbols and variables the image does not have: refused, or made for as long as the VM lives and
 * unknown to the image, which must not be saved or run then. */
typedef enum { NAMES_MUST_EXIST, NAMES_ARE_MADE } AssembleNames;

/* Puts each method into the dictionary of the class it names. Between polls: nothing moves. False:
 * `error` is set, and the heap is not to be saved. */
bool assemble_install(Vm *vm, CompiledCode *const *methods, size_t count, AssembleNames names,
                      OsvmError *error);

#endif
