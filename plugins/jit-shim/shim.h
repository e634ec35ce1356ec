/* The checked half that every back end of the JIT shares: it verifies what is to be encoded, has the
 * back end encode it twice, elsewhere and for another address, and compares.
 *
 * A breach ends the process with a sentence that names the rule of osvm/jit.h.
 */
#ifndef OSVM_PLUGINS_JIT_SHIM_H
#define OSVM_PLUGINS_JIT_SHIM_H

#include "osvm/jit.h"

/* rules.c */
/* Are the instructions what the front end may ask for (J6)? `label_places` has room for all labels,
 * and is cleared. */
void rules_require_instructions(const JitCode *code, uint32_t *label_places);
/* Did the back end keep them but for what is its own, with the offsets that `bytes` bytes allow? */
void rules_require_encoded(const JitCode *code, const JitInstruction *before, uint32_t bytes,
                           uint32_t instruction_bytes);

#endif
