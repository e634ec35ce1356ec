VARIANTS_mm-shim := checked
