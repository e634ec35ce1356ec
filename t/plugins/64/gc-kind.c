/* A memory manager with a collector's file name. */
#define FIXTURE_KIND OSVM_MM
#define FIXTURE_NAME "kind"
#include "t/plugins/fixture.h"
