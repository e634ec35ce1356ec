/* Its descriptor is no descriptor. */
#include "osvm/plugin.h"

extern const unsigned osvm_plugin;
OSVM_EXPORT const unsigned osvm_plugin = OSVM_MAGIC;
