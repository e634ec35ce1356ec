# The loop: each bytecode keeps its own indirect jump, and registers stay where they are.
CFLAGS_kernel/vm/interp/interpret.c = $(if $(findstring clang,$(CC)),,-fno-gcse -fno-crossjumping)
