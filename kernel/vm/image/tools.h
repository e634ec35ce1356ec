/* The subcommands that look at images and convert them: see CoreOps. */
#ifndef OSVM_IMAGE_TOOLS_H
#define OSVM_IMAGE_TOOLS_H

#include "osvm/core.h"

int core_info(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error);
int core_check(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error);
int core_dump(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error);
int core_decompile(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error);
int core_convert(const CoreSetup *setup, const CoreConvert *convert, OsvmError *error);

#endif
