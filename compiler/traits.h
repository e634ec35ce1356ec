/* Traits, flattened: a class that uses a trait gets a copy of each of its methods, as if they had
 * been written in the class, and its instance variables behind its own. What a class defines itself
 * goes before what its traits bring.
 *
 *   A + B              the methods of both; two that differ conflict, unless one only asks for
 *                      the method (`self explicitRequirement`)
 *   A - {#x. #y}       without these
 *   A @ {#new -> #old} and #old under another name, too
 *   A -- #slot         without this instance variable
 *   A withPrecedenceOf: B   where both have a method, B's
 *   A classTrait       the methods of A's class side
 *
 * A conflict is reported as a warning, and compiled as `self traitConflict`.
 */
#ifndef OSVM_COMPILER_TRAITS_H
#define OSVM_COMPILER_TRAITS_H

#include "model.h"

/* Puts the methods of traits into the classes that use them, and takes traits out of the
 * program's classes: what is left of them are names. */
void traits_flatten(Program *program);

#endif
