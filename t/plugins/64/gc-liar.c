/* Calls itself something else. */
#define FIXTURE_NAME "truth"
#include "t/plugins/fixture.h"
