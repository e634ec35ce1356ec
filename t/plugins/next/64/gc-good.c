/* Newer code with the same state. */
#define FIXTURE_ANSWER 43
#define FIXTURE_NAME "good"
#include "t/plugins/fixture.h"
