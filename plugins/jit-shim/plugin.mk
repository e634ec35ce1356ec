VARIANTS_jit-shim := checked
