/* Wraps any collector. */
#define OSVM_CHECKED 1
#define FIXTURE_ANSWER (1000 + wrapped_answer(fixture))
#define FIXTURE_FLAGS OSVM_SHIM
#define FIXTURE_NAME "shim"
#include "t/plugins/fixture_abi.h"

static int wrapped_answer(const FixtureState *fixture)
{
    const FixtureOps *inner = fixture->inner->vtable;
    return inner->answer(fixture->inner->state);
}

#include "t/plugins/fixture.h"
