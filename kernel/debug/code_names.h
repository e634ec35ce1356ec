/* The names a method's text gives to what its code has by number. */
#ifndef OSVM_DEBUG_CODE_NAMES_H
#define OSVM_DEBUG_CODE_NAMES_H

#include "kernel/base/arena.h"
#include "kernel/vm/vm.h"

typedef struct {
    Arena *arena;
    const char *source;  /* of the method; NULL: the image does not have it here */
    const char **fields; /* instance variables of the method's class, by slot */
    size_t field_count;
    const char **temps; /* arguments, copied values, temporaries, by frame index; NULL: not known */
    size_t temp_count;
} CodeNames;

void code_names_open(CodeNames *names, Vm *vm, Oop code);
void code_names_close(CodeNames *names);
/* Never NULL: "t3" where the name is not known. */
const char *code_names_temp(const CodeNames *names, unsigned index, char buffer[16]);

#endif
