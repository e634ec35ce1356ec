VARIANTS_gc-shim := checked
