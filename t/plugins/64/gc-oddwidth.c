/* For heaps that do not exist. */
#define FIXTURE_BITS 48
#define FIXTURE_NAME "oddwidth"
#include "t/plugins/fixture.h"
