/* Crashes in init. */
#define FIXTURE_NAME "initcrash"
#define FIXTURE_INIT crashing_init
#include "osvm/plugin.h"
static bool crashing_init(void *state, const OsvmHost *host, OsvmError *error);
#include "t/plugins/fixture.h"

static bool crashing_init(void *state, const OsvmHost *host, OsvmError *error)
{
    abort();
}
