/* What the pragmas of a method mean to the compiler: primitives. */
#ifndef OSVM_COMPILER_PRAGMA_H
#define OSVM_COMPILER_PRAGMA_H

#include "parser.h"

/* Sets the primitive, its literal and its error variable; complains of a malformed one. */
void pragmas_find_primitive(CompileTools *tools, Method *method);

/* Is it one that pragmas_find_primitive takes? */
bool pragma_is_primitive(const Pragma *pragma);

#endif
