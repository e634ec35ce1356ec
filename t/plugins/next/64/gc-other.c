/* Newer code with other state. */
#define FIXTURE_STATE_VERSION 2
#define FIXTURE_NAME "good"
#include "t/plugins/fixture.h"
