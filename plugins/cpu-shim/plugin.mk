WIDTHS_cpu-shim := any
VARIANTS_cpu-shim := checked
