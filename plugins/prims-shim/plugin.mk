WIDTHS_prims-shim := any
VARIANTS_prims-shim := checked
