/* Names to variables, messages to inlined forms, temporaries to their places.
 *
 * Three walks over the tree, each in a file:
 *   scope_resolve    what each name means; assignments that are not allowed; warnings
 *   inline_messages  which control structures are compiled in line (inline.c)
 *   closure_analyse  which temporaries blocks copy and which they share (closure.c)
 */
#ifndef OSVM_COMPILER_SCOPE_H
#define OSVM_COMPILER_SCOPE_H

#include "parser.h"

/* What a method sees of the class it is compiled for. */
typedef struct ClassScope {
    const char *class_name;      /* "Array", "Array class" */
    const char **instance_names; /* all of them, inherited ones first */
    size_t instance_count;
    bool maybe_context; /* instances may be contexts: their variables need the long forms */
    /* Is the name that of a class variable, pool variable or global? */
    bool (*has_binding)(void *owner, const char *name);
    void *owner;
    /* Names that hide instance variables and are reached through bindings: what an expression
     * evaluated in some place sees of that place. */
    const char **outer_names;
    size_t outer_count;
} ClassScope;

void scope_resolve(CompileTools *tools, Method *method, const ClassScope *class_scope);

void inline_messages(CompileTools *tools, Method *method);

/* Also fills `Block.temps` of every block that is not inlined with what its frame holds. */
void closure_analyse(CompileTools *tools, Method *method);

/* The values a block that is not inlined takes along when it is created: in the order of `frame`,
 * the variables of the enclosing code (arguments, copied values, temporaries). */
void closure_copied_values(Arena *arena, const Block *block, const VariableList *frame,
                           VariableList *copied);

/* Follows an inlined block's argument to the one whose place it shares. */
Variable *variable_actual(Variable *variable);

#endif
