/* The default of an option is not valid. */
#define FIXTURE_LAZY "perhaps"
#define FIXTURE_NAME "badoption"
#include "t/plugins/fixture.h"
