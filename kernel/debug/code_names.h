/* The names a method's text gives to what its code has by number. */
#ifndef OSVM_DEBUG_CODE_NAMES_H
#define OSVM_DEBUG_CODE_NAMES_H

#include "kernel/base/arena.h"
#include "kernel/vm/vm.h"

typedef struct {
    Arena *arena;
    const char *source; /* of the method; NULL: the image does not have it here */
    size_t source_length;
    const char **fields; /* instance variables of the method's class, by slot; may be fewer */
    size_t field_count;
    const char **temps; /* arguments, then temporaries, by frame index; of methods with a source */
    size_t temp_count;
} CodeNames;

void code_names_open(CodeNames *names, Vm *vm, Oop code);
void code_names_close(CodeNames *names);
/* Never NULL: "t3" where the name is not known. */
const char *code_names_temp(const CodeNames *names, unsigned index, char buffer[16]);

/* The instance variables of a class, inherited ones first, as far as the image tells. */
const char **class_field_names(Vm *vm, Oop class, Arena *arena, size_t *count);

#endif
