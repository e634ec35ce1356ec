/* Another magic number. */
#define FIXTURE_MAGIC 0x12345678
#define FIXTURE_NAME "magic"
#include "t/plugins/fixture.h"
