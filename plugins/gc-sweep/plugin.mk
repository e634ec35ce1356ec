# What collectors share stands in plugins/gc.
SRC_gc-sweep += $(wildcard plugins/gc/*.c)
