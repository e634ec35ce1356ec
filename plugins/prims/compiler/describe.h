/* What the compiler made, as objects of any heap: Arrays, Strings and numbers from
 * which the image builds methods and errors. The forms are in the table of
 * docs/compiler-plugin.md; the class CodeBuilder of the image reads them.
 */
#ifndef OSVM_PRIMS_COMPILER_DESCRIBE_H
#define OSVM_PRIMS_COMPILER_DESCRIBE_H

#include "compiler/codegen.h"
#include "osvm/prims.h"

typedef struct {
    const OsvmPrimApi *vm;
    OsvmCall *call;
    OsvmValue wide_string; /* the class of strings with characters above 255, or nil */
    const SourceText *source;
    Arena *arena;
    bool failed; /* there was no memory, or no class for a wide string */
} Describer;

OsvmValue describe_text(Describer *d, const char *bytes, size_t count); /* UTF-8 */
OsvmValue describe_code(Describer *d, const CompiledCode *code);        /* NULL: nil */
OsvmValue describe_diagnostics(Describer *d, const Diagnostics *diagnostics);
OsvmValue describe_bindings(Describer *d, const Method *method);

/* An Array; `count` values follow. */
OsvmValue describe_array(Describer *d, size_t count, ...);

#endif
