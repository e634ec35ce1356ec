/* Sound. */
#define FIXTURE_NAME "good"
#include "t/plugins/fixture.h"
