/* Built for another host. */
#define FIXTURE_SIGNATURE "osvm host=16 endian=middle"
#define FIXTURE_NAME "signature"
#include "t/plugins/fixture.h"
