/* Of a newer minor ABI. */
#define FIXTURE_MINOR (OSVM_ABI_MINOR + 1)
#define FIXTURE_NAME "minor"
#include "t/plugins/fixture.h"
