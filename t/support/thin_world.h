/* The live world, but zeros take no room: they are holes in the files that are written, and holes are not
 * read. Memory that a file is read into has to be fresh. So files of many gigabytes cost next to nothing. */
#ifndef OSVM_T_THIN_WORLD_H
#define OSVM_T_THIN_WORLD_H

#include "osvm/world.h"

OsvmWorld *thin_world_new(const OsvmWorld *live);

#endif
