/* A shared object that is no plugin. */
#include "osvm/plugin.h"

OSVM_EXPORT int something_else(void);
int something_else(void)
{
    return 1;
}
