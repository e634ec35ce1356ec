/* For 32-bit heaps, in the place of those for 64-bit ones. */
#define FIXTURE_BITS 32
#define FIXTURE_NAME "width"
#include "t/plugins/fixture.h"
