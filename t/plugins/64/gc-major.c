/* Of another major ABI. */
#define FIXTURE_MAJOR (OSVM_ABI_MAJOR + 1)
#define FIXTURE_NAME "major"
#include "t/plugins/fixture.h"
