/* Sound, checked. */
#define OSVM_CHECKED 1
#define FIXTURE_NAME "good"
#include "t/plugins/fixture.h"
