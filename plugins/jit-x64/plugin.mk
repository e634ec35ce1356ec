# A back end's word equals the heap's.
WIDTHS_jit-x64 := 64
