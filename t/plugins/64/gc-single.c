/* Keeps static state. */
#define FIXTURE_FLAGS OSVM_SINGLETON
#define FIXTURE_NAME "single"
#include "t/plugins/fixture.h"
