/* The vtable and the state of fixtures, as the tests see them. */
#ifndef OSVM_FIXTURE_ABI_H
#define OSVM_FIXTURE_ABI_H

#include "osvm/plugin.h"

enum { FIXTURE_ABI = 7 };

typedef struct FixtureOps {
    size_t size;
    int (*answer)(void *state);
} FixtureOps;

typedef struct FixtureState {
    int calls;       /* of answer */
    bool lazy;       /* option */
    int64_t threads; /* option */
    const OsvmInstance *inner;
} FixtureState;

#endif
