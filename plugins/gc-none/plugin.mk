# What collectors share stands in plugins/gc.
SRC_gc-none += $(wildcard plugins/gc/*.c)
