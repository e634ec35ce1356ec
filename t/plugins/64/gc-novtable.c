/* Has no vtable. */
#define FIXTURE_VTABLE NULL
#define FIXTURE_NAME "novtable"
#include "t/plugins/fixture.h"
