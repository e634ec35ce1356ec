VARIANTS_core-shim := checked
