/* Crashes before anybody asks it anything. */
#define FIXTURE_NAME "crash"
#include "t/plugins/fixture.h"

static __attribute__((constructor)) void crash(void)
{
    __builtin_trap();
}
