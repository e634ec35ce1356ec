/* Needs a function of the kernel, which nobody exports. */
#define FIXTURE_NAME "unresolved"
#define FIXTURE_INIT needy_init
#include "osvm/plugin.h"
static bool needy_init(void *state, const OsvmHost *host, OsvmError *error);
#include "t/plugins/fixture.h"

extern bool kernel_private_function(void);

static bool needy_init(void *state, const OsvmHost *host, OsvmError *error)
{
    return kernel_private_function();
}
