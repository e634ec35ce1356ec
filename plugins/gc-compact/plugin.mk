# What collectors share stands in plugins/gc.
SRC_gc-compact += $(wildcard plugins/gc/*.c)
