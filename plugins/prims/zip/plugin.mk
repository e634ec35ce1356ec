LDLIBS_prims-zip := -lz
NEEDS += zlib
