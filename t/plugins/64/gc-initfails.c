/* Starts half and gives up; fini has to run. */
#define FIXTURE_NAME "initfails"
#define FIXTURE_INIT failing_init
#include "osvm/plugin.h"
static bool failing_init(void *state, const OsvmHost *host, OsvmError *error);
#include "t/plugins/fixture.h"

static bool failing_init(void *state, const OsvmHost *host, OsvmError *error)
{
    fixture_say("half");
    return host->fail(error, OSVM_UNAVAILABLE, "the moon is full (%d)", 13);
}
