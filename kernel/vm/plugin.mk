# The loop: each bytecode keeps its own indirect jump (gcc shares one as soon as it grows by a few
# instructions), and registers stay where they are, not in pairs for SAVE to store at once.
CFLAGS_kernel/vm/interp/interpret.c = $(if $(findstring clang,$(CC)),,-fno-gcse -fno-crossjumping \
    -fno-tree-slp-vectorize --param max-goto-duplication-insns=40)
