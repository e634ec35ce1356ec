/* Leaves out of a program what its start cannot reach.
 *
 * Reached are the classes the VM and the start need, and all above them; the
 * methods of reached classes whose selector some reached code sends, or holds as a
 * symbol (it may be performed); the classes that reached code names. What builds
 * selectors or class names out of strings is not seen: such names have to stand in
 * some reached code as symbols.
 */
#ifndef OSVM_COMPILER_STRIP_H
#define OSVM_COMPILER_STRIP_H

#include "roles.h"

typedef struct {
    size_t classes, methods;           /* before */
    size_t kept_classes, kept_methods; /* behind */
    const char *report;                /* a line for each class and method that was left out */
} StripResult;

/* The program must be compiled. `start` is the code of the start. */
StripResult program_strip(Program *program, ClassModel *const roles[ROLE_COUNT],
                          const CompiledCode *start);

#endif
